//! Container runtimes' formats.

use super::{READ_AT, berlin, show, show_entries};
use crate::log_collector::format::{Channel, Decoder, LINE_BYTES_MAX};
use crate::model::metadata;

/// What successive lines of one file decode to; see [`show_entries`].
#[track_caller]
fn check(lines: &[&str], expected: &[&str]) {
    assert_eq!(show_entries(&mut Decoder::new(berlin()), lines), expected);
}

/// A line that looks like a container's but is not: it stays as it is.
#[track_caller]
fn check_plain(line: &str) {
    let mut decoder = Decoder::new(berlin());
    let entry = decoder.decode(line.as_bytes(), 0, READ_AT).expect("a plain line is an entry");
    assert_eq!((entry.channel, entry.line), (Channel::None, line.as_bytes()), "{line}");
}

#[test]
fn cri_lines() {
    check(
        &[
            "2026-11-22T13:04:05.123456789Z stdout F hello world",
            "2026-11-22T13:04:06.5+01:00 stderr F  indented",
            "2026-11-22T13:04:07Z stdout F ",
            "2026-11-22T13:04:08Z stdout F",
            "2026-11-22T13:04:09Z stdout F:tag:other x",
            "2026-11-22T13:04:10Z stdout F 2020-01-01T00:00:00Z inner",
        ],
        &[
            "stdout 2026-11-22T13:04:05.123456789Z hello world",
            "stderr 2026-11-22T12:04:06.5Z  indented",
            "stdout 2026-11-22T13:04:07Z ",
            "stdout 2026-11-22T13:04:08Z ",
            "stdout 2026-11-22T13:04:09Z x",
            "stdout 2026-11-22T13:04:10Z 2020-01-01T00:00:00Z inner",
        ],
    );
}

#[test]
fn cri_parts_are_joined_for_each_channel() {
    check(
        &[
            "2026-11-22T13:04:01Z stdout P a",
            "2026-11-22T13:04:02Z stderr P:tag x",
            "2026-11-22T13:04:03Z stdout P b",
            "2026-11-22T13:04:04Z stderr F y",
            "2026-11-22T13:04:05Z stderr F z",
            "2026-11-22T13:04:06Z stdout F c",
            "2026-11-22T13:04:07Z stdout F d",
        ],
        &[
            "pending",
            "pending",
            "pending",
            "stderr 2026-11-22T13:04:02Z xy",
            "stderr 2026-11-22T13:04:05Z z",
            "stdout 2026-11-22T13:04:01Z abc",
            "stdout 2026-11-22T13:04:07Z d",
        ],
    );
}

#[test]
fn lines_that_are_almost_cri_are_plain() {
    for line in [
        "2026-11-22T13:04:05 stdout F no zone",
        "2026-11-22T13:04:05Zx stdout F x",
        "2026-13-22T13:04:05Z stdout F x",
        "2026-11-22T13:04:05Z stdin F x",
        "2026-11-22T13:04:05Z stdout X x",
        "2026-11-22T13:04:05Z stdout FP x",
        "2026-11-22T13:04:05Z stdout",
        "2026-11-22T13:04:05Z stdoutF x",
        "2026-11-22T13:04:05Z",
    ] {
        check_plain(line);
    }
}

#[test]
fn docker_lines() {
    check(
        &[
            r#"{"log":"hello\n","stream":"stdout","time":"2026-11-22T13:04:05.123456789Z"}"#,
            r#"{"log":"a \"b\" \\n \u00e9\ud83d\ude00\u0000\t\/\r\n","stream":"stderr","time":"2026-11-22T13:04:06Z"}"#,
            r#"{"log":"\n","stream":"stdout","attrs":{"a":"b"},"time":"2026-11-22T13:04:07Z"}"#,
            r#"{"log": "spaced\n", "time": "2026-11-22T13:04:08Z", "stream": "stdout"} "#,
            r#"{"log":"\ud800 \udc00\ud800x\n","stream":"stdout","time":"2026-11-22T13:04:09Z"}"#,
        ],
        &[
            "stdout 2026-11-22T13:04:05.123456789Z hello",
            "stderr 2026-11-22T13:04:06Z a \"b\" \\n é😀\0\t/",
            "stdout 2026-11-22T13:04:07Z ",
            "stdout 2026-11-22T13:04:08Z spaced",
            "stdout 2026-11-22T13:04:09Z \u{fffd} \u{fffd}\u{fffd}x",
        ],
    );
}

#[test]
fn docker_parts_end_without_a_newline() {
    check(
        &[
            r#"{"log":"a","stream":"stdout","time":"2026-11-22T13:04:01Z"}"#,
            r#"{"log":"b\\n","stream":"stdout","time":"2026-11-22T13:04:02Z"}"#,
            r#"{"log":"x\n","stream":"stderr","time":"2026-11-22T13:04:03Z"}"#,
            r#"{"log":"c\n","stream":"stdout","time":"2026-11-22T13:04:04Z"}"#,
        ],
        &["pending", "pending", "stderr 2026-11-22T13:04:03Z x", "stdout 2026-11-22T13:04:01Z ab\\nc"],
    );
}

#[test]
fn lines_that_are_almost_docker_are_plain() {
    for line in [
        r#"{"log":"x\n","stream":"stdout"}"#,
        r#"{"log":"x\n","time":"2026-11-22T13:04:05Z"}"#,
        r#"{"log":1,"stream":"stdout","time":"2026-11-22T13:04:05Z"}"#,
        r#"{"log":"x\n","stream":"stdin","time":"2026-11-22T13:04:05Z"}"#,
        r#"{"log":"x\n","stream":"stdout","time":"2026-11-22T13:04:05"}"#,
        r#"{"log":"x\n","stream":"stdout","time":"2026-11-22T13:04:05Z""#,
        r#"{"log":"x\n","stream":"stdout","time":"2026-11-22T13:04:05Z"} x"#,
        r#"{"log":"\x\n","stream":"stdout","time":"2026-11-22T13:04:05Z"}"#,
        r#"{"log":"\u12g4\n","stream":"stdout","time":"2026-11-22T13:04:05Z"}"#,
        r#"{"log":"x"#,
    ] {
        check_plain(line);
    }
}

#[test]
fn a_plain_line_between_parts_is_an_entry_of_its_own() {
    check(
        &["2026-11-22T13:04:01Z stdout P a", "plain", "2026-11-22T13:04:03Z stdout F b"],
        &["pending", "none READ plain", "stdout 2026-11-22T13:04:01Z ab"],
    );
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let mut decoder = Decoder::new(berlin());
    let cri = decoder.decode(b"2026-11-22T13:04:01Z stdout F \xff\0", 0, READ_AT).unwrap();
    assert_eq!((cri.channel, cri.line), (Channel::Stdout, &b"\xff\0"[..]));
    let plain = decoder.decode(b"\xff\0\xfe", 0, READ_AT).unwrap();
    assert_eq!((plain.channel, plain.line), (Channel::None, &b"\xff\0\xfe"[..]));
}

#[test]
fn long_lines_are_cut_and_say_so() {
    let mut decoder = Decoder::new(berlin());
    let long = vec![b'x'; LINE_BYTES_MAX + 3];
    assert_eq!(decoder.decode(&long, 0, READ_AT).unwrap().line.len(), LINE_BYTES_MAX);
    assert_eq!(decoder.cut_bytes(), 3);

    let part = [b"2026-11-22T13:04:01Z stdout P ", &vec![b'x'; LINE_BYTES_MAX - 1][..]].concat();
    assert_eq!(decoder.decode(&part, 0, READ_AT), None);
    assert_eq!(decoder.decode(b"2026-11-22T13:04:01Z stdout P yzz", 0, READ_AT), None);
    assert_eq!(decoder.cut_bytes(), 2);
    let entry = decoder.decode(b"2026-11-22T13:04:01Z stdout F zz", 0, READ_AT).unwrap();
    assert_eq!((entry.line.len(), entry.line.last()), (LINE_BYTES_MAX, Some(&b'y')));
    assert_eq!(decoder.cut_bytes(), 2);
}

#[test]
fn reading_resumes_at_the_oldest_part() {
    let mut decoder = Decoder::new(berlin());
    let mut pending_after = |line: &str, offset| {
        decoder.decode(line.as_bytes(), offset, READ_AT);
        decoder.pending_from()
    };
    assert_eq!(pending_after("2026-11-22T13:04:01Z stdout F a", 0), None);
    assert_eq!(pending_after("2026-11-22T13:04:01Z stdout P a", 10), Some(10));
    assert_eq!(pending_after("2026-11-22T13:04:01Z stderr P a", 20), Some(10));
    assert_eq!(pending_after("2026-11-22T13:04:01Z stdout F a", 30), Some(20));
    assert_eq!(pending_after("plain", 40), Some(20));
    assert_eq!(pending_after("2026-11-22T13:04:01Z stderr F a", 50), None);
}

#[test]
fn what_never_ends_is_handed_over_at_the_files_end() {
    let mut decoder = Decoder::new(berlin());
    let lines = ["2026-11-22T13:04:01Z stdout P a", "2026-11-22T13:04:02Z stderr P b"];
    assert_eq!(show_entries(&mut decoder, &lines), ["pending", "pending"]);
    let mut left = Vec::new();
    while let Some(entry) = decoder.finish() {
        left.push((entry.channel, show(entry.timestamp), entry.line.to_vec()));
    }
    let first = (Channel::Stdout, "2026-11-22T13:04:01Z".to_owned(), b"a".to_vec());
    let second = (Channel::Stderr, "2026-11-22T13:04:02Z".to_owned(), b"b".to_vec());
    assert_eq!(left, [first, second]);
    assert_eq!(decoder.pending_from(), None);
}

/// What each of `lines` decodes to, as `text name=value`.
#[track_caller]
fn check_attributes(lines: &[&str], expected: &[&str]) {
    let mut decoder = Decoder::new(berlin());
    let entries = lines.iter().filter_map(|line| {
        let entry = decoder.decode(line.as_bytes(), 0, READ_AT)?;
        let stored = [entry.line, entry.attributes].concat();
        let (text, metadata) = if entry.attributes.is_empty() {
            (&stored[..], None)
        } else {
            let (text, metadata) = metadata::split(&stored);
            (text, Some(metadata))
        };
        let pairs = metadata.iter().flat_map(metadata::Metadata::iter).map(|(name, value)| format!(" {name}={value}"));
        Some(String::from_utf8_lossy(text).into_owned() + &pairs.collect::<String>())
    });
    assert_eq!(entries.collect::<Vec<_>>(), expected);
}

#[test]
fn attributes_of_docker_are_metadata_of_their_entry() {
    let line = |log: &str, attributes: &str| {
        format!(r#"{{"log":"{log}","stream":"stdout","attrs":{attributes},"time":"2026-11-22T13:04:01Z"}}"#)
    };
    let lines = [
        line("a\\n", r#"{"tag":"web/1","com.team":"blue \"1\"","n":1,"":"x"}"#),
        line("b\\n", r#"{"tag":"web/1","com.team":"blue \"1\"","n":1,"":"x"}"#),
        line("be", r#"{"tag":"front"}"#),
        line("ginning\\n", r#"{"tag":"front"}"#),
        line("c\\n", "{}"),
        line("d\\n", r#""none""#),
        line("e\\n", &format!(r#"{{"a":"{}","b":"1"}}"#, "x".repeat(70_000))),
        r#"{"log":"f\n","stream":"stdout","time":"2026-11-22T13:04:01Z"}"#.to_owned(),
        "2026-11-22T13:04:03Z stdout F g".to_owned(),
        "plain".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check_attributes(
        &lines,
        &[
            "a tag=web/1 com_team=blue \"1\"",
            "b tag=web/1 com_team=blue \"1\"",
            "beginning tag=front",
            "c",
            "d",
            &format!("e a={} b=1", "x".repeat(crate::model::LABEL_VALUE_BYTES_MAX)),
            "f",
            "g",
            "plain",
        ],
    );
}
