//! Times of plain lines.

use jiff::civil::date;
use jiff::tz::TimeZone;

use super::super::host_clock::HostClock;
use super::super::moment::{DAY_NS, Moment, SECOND_NS, epoch_day};
use super::{READ_AT, berlin, lord_howe, show};
use crate::log_collector::format::Decoder;
use crate::model::Timestamp;

/// The time of `line` on a host in Berlin; `READ` where it has none.
#[track_caller]
fn check(line: &str, expected: &str) {
    check_in(berlin(), line, expected);
}

#[track_caller]
fn check_in(zone: TimeZone, line: &str, expected: &str) {
    check_read_at(READ_AT, zone, line, expected);
}

#[track_caller]
fn check_read_at(read_at: Timestamp, zone: TimeZone, line: &str, expected: &str) {
    let mut decoder = Decoder::new(zone);
    let entry = decoder.decode(line.as_bytes(), 0, read_at).expect("a plain line is an entry");
    assert_eq!(entry.line, line.as_bytes(), "a plain line stays as it is");
    assert_eq!(show(entry.timestamp), expected, "{line}");
}

/// Times of successive lines of one file.
#[track_caller]
fn check_file(lines: &[(&str, Timestamp)], expected: &[&str]) {
    let mut decoder = Decoder::new(TimeZone::UTC);
    let times: Vec<String> = lines
        .iter()
        .map(|(line, read_at)| show(decoder.decode(line.as_bytes(), 0, *read_at).expect("an entry").timestamp))
        .collect();
    assert_eq!(times, expected);
}

fn at(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_ns(i64::try_from(instant.as_nanosecond()).unwrap())
}

#[test]
fn date_and_time_with_a_zone() {
    check("2026-11-22T13:04:05Z x", "2026-11-22T13:04:05Z");
    check("2026-11-22t13:04:05z", "2026-11-22T13:04:05Z");
    check("2026-11-22 13:04:05Z x", "2026-11-22T13:04:05Z");
    check("2026-11-22T13:04:05.1Z", "2026-11-22T13:04:05.1Z");
    check("2026-11-22T13:04:05.123456789Z", "2026-11-22T13:04:05.123456789Z");
    check("2026-11-22T13:04:05,123+01:00 x", "2026-11-22T12:04:05.123Z");
    check("2026-11-22T13:04:05-0730 x", "2026-11-22T20:34:05Z");
    check("2026-11-22 13:04:05 +0100 x", "2026-11-22T12:04:05Z");
    check("2026-11-22 13:04:05.12-03 x", "2026-11-22T16:04:05.12Z");
    check("2026-11-22 13:04:05+03:[4711] x", "2026-11-22T10:04:05Z");
}

#[test]
fn more_than_nine_digits_of_fraction_are_cut() {
    check("2026-11-22T13:04:05.1234567891234Z", "2026-11-22T13:04:05.123456789Z");
}

#[test]
fn date_and_time_without_a_zone_are_the_hosts() {
    for line in [
        "2026-11-22T13:04:05.5",
        "2026-11-22 13:04:05,500 INFO",
        "2026/11/22 13:04:05.5 x",
        "[2026-11-22 13:04:05.500] x",
        "2026-11-22 13:04:05.5 - x",
        "2026-11-22 13:04:05.5 -x",
        "2026-11-22 13:04:05.5 +99 x",
        "time=\"2026-11-22 13:04:05.5\" level=info",
    ] {
        check(line, "2026-11-22T12:04:05.5Z");
        check_in(TimeZone::UTC, line, "2026-11-22T13:04:05.5Z");
    }
    check("2026-11-22 13:04:05,x", "2026-11-22T12:04:05Z");
    check("2026-07-01 13:04:05 in summer", "2026-07-01T11:04:05Z");
}

#[test]
fn postgresql_names_the_zone() {
    check("2026-11-22 13:04:05.123 UTC [4711] LOG:", "2026-11-22T13:04:05.123Z");
    check("2026-11-22 13:04:05.123 GMT [4711] LOG:", "2026-11-22T13:04:05.123Z");
    check("2026-11-22 13:04:05.123 UTC:10.0.0.1(4711)", "2026-11-22T13:04:05.123Z");
    check("2026-11-22 13:04:05.123 -03 [4711] LOG:", "2026-11-22T16:04:05.123Z");
    check("2026-11-22 13:04:05.123 CET [4711] LOG:", "2026-11-22T12:04:05.123Z");
    check("2026-11-22 13:04:05.123 UTCP listens", "2026-11-22T12:04:05.123Z");
}

#[test]
fn syslog() {
    check("Nov 22 13:04:05 host sshd[1]: x", "2026-11-22T12:04:05Z");
    check("Nov  2 13:04:05 host x", "2026-11-02T12:04:05Z");
    check("Nov 2 13:04:05 host x", "2026-11-02T12:04:05Z");
    check("Nov 02 13:04:05.25 host x", "2026-11-02T12:04:05.25Z");
    check("<34>Nov 22 13:04:05 host x", "2026-11-22T12:04:05Z");
    check("<34>1 2026-11-22T13:04:05.003Z host x", "2026-11-22T13:04:05.003Z");
    check("<191>2026-11-22T13:04:05Z host x", "2026-11-22T13:04:05Z");
    check("<3x>Nov 22 13:04:05 host x", "READ");
    check("<1234567>Nov 22 13:04:05 host x", "READ");
}

#[test]
fn klog() {
    check("I1122 13:04:05.123456       1 main.go:1] x", "2026-11-22T12:04:05.123456Z");
    check("F0102 03:04:05.000001 1 main.go:1] x", "2026-01-02T02:04:05.000001Z");
    check("X1122 13:04:05.123456 1 main.go:1] x", "READ");
    check("I11222 13:04:05.123456 1 main.go:1] x", "READ");
}

#[test]
fn access_logs() {
    check(r#"10.0.0.1 - - [22/Nov/2026:13:04:05 -0700] "GET /""#, "2026-11-22T20:04:05Z");
    check(r#"web:80 2001:db8::1 - alice [22/Nov/2026:13:04:05 +0000] "GET /""#, "2026-11-22T13:04:05Z");
    check("[2001:db8::1] - - [22/Nov/2026:13:04:05 +0100] x", "2026-11-22T12:04:05Z");
    check("[22/Nov/2026:13:04:05] x", "2026-11-22T12:04:05Z");
    let far = format!("{}[22/Nov/2026:13:04:05 +0000]", "x".repeat(200));
    check(&far, "READ");
}

#[test]
fn unix_times_are_told_apart_by_their_digits() {
    check("1795352645 x", "2026-11-22T13:04:05Z");
    check("1795352645", "2026-11-22T13:04:05Z");
    check("1795352645.123    120 10.0.0.1 TCP_MISS/200", "2026-11-22T13:04:05.123Z");
    check("1795352645.1234567891\tx", "2026-11-22T13:04:05.123456789Z");
    check("1795352645123 x", "2026-11-22T13:04:05.123Z");
    check("1795352645123.5 x", "2026-11-22T13:04:05.1235Z");
    check("1795352645123456 x", "2026-11-22T13:04:05.123456Z");
    check("1795352645123456789 x", "2026-11-22T13:04:05.123456789Z");
    check("[1795352645] x", "2026-11-22T13:04:05Z");
    check("ts=1795352645.5 level=info", "2026-11-22T13:04:05.5Z");
    check("1.7953526451234567e+09\tINFO\tsetup", "2026-11-22T13:04:05.1234567Z");
}

#[test]
fn other_numbers_are_no_unix_times() {
    for line in [
        "17953526451 x",
        "179535264 x",
        "0795352645 x",
        "9795352645 x",
        "1795352645-abc",
        "1795352645x",
        "1795352645.1.1 x",
        "1795352645.123.",
        "1.795352645e+10 x",
        ".1795352645 x",
        "17953526451234567890123456789 x",
        "99999999999999999999",
        "192.168.1.1 x",
    ] {
        check(line, "READ");
    }
}

#[test]
fn json_lines() {
    check(r#"{"time":"2026-11-22T13:04:05.5Z","msg":"x"}"#, "2026-11-22T13:04:05.5Z");
    check(r#"{ "msg" : "x" , "@timestamp" : "2026-11-22T13:04:05.5+01:00" }"#, "2026-11-22T12:04:05.5Z");
    check(r#"{"level":"info","timestamp":"2026-11-22 13:04:05,500"}"#, "2026-11-22T12:04:05.5Z");
    check(r#"{"msg":"a \"quoted\" \\","ts":1795352645.5}"#, "2026-11-22T13:04:05.5Z");
    check(r#"{"ts":1795352645123}"#, "2026-11-22T13:04:05.123Z");
    check(r#"{"ts":"1795352645123456","msg":"x"}"#, "2026-11-22T13:04:05.123456Z");
    check(r#"{"ts":1.7953526455e+09}"#, "2026-11-22T13:04:05.5Z");
    check(r#"{"time":"22/Nov/2026:13:04:05 +0100"}"#, "2026-11-22T12:04:05Z");
    check(r#"{"time":"Nov 22 13:04:05"}"#, "2026-11-22T12:04:05Z");
    check(r#"{"time":12,"ts":{"a":1},"timestamp":[1795352645],"@timestamp":1795352645}"#, "2026-11-22T13:04:05Z");
}

#[test]
fn only_top_level_members_of_json_count() {
    for line in [
        r#"{"a":{"time":"2026-11-22T13:04:05Z"}}"#,
        r#"{"a":[{"time":"2026-11-22T13:04:05Z"},"]}"],"b":1}"#,
        r#"{"msg":"\"time\":\"2026-11-22T13:04:05Z\""}"#,
        r#"{"msg":"\\\",\"time\":\"2026-11-22T13:04:05Z\""}"#,
        r#"["time","2026-11-22T13:04:05Z"]"#,
        r#"{"times":"2026-11-22T13:04:05Z"}"#,
        r#"{"a" "time":"2026-11-22T13:04:05Z"}"#,
        r#"{"time":"2026-11-22T13:04:05Z"#,
        r#"{"time":null}"#,
        r#"{"time":"now"}"#,
        r#"{"time""#,
        "{}",
        "{",
    ] {
        check(line, "READ");
    }
    check(r#"{"a":{"b":[1,{"c":"}"}]},"time":"2026-11-22T13:04:05Z"}"#, "2026-11-22T13:04:05Z");
}

#[test]
fn logfmt_lines() {
    check("ts=2026-11-22T13:04:05.5Z caller=main.go:1", "2026-11-22T13:04:05.5Z");
    check(r#"time="2026-11-22T13:04:05+01:00" level=info"#, "2026-11-22T12:04:05Z");
    check("level=info app=x ts=1795352645", "2026-11-22T13:04:05Z");
    check(r#"level=info msg="a \"ts=1 2\"" ts=1795352645"#, "2026-11-22T13:04:05Z");
    check("a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8 ts=1795352645", "READ");
    check("title=1795352645", "READ");
}

#[test]
fn impossible_times_are_text() {
    for line in [
        "2026-13-22 13:04:05",
        "2026-00-22 13:04:05",
        "2026-11-31 13:04:05",
        "2025-02-29 13:04:05",
        "2026-11-22 24:04:05",
        "2026-11-22 13:60:05",
        "2026-11-22 13:04:61",
        "2026-11-22 13:04:056",
        "0001-01-01T00:00:00Z",
        "2262-01-01T00:00:00Z",
        "2026-11/22 13:04:05",
        "2026-11-22",
        "Nov 32 13:04:05",
        "Feb 30 13:04:05",
        "Now 22 13:04:05",
        "I1322 13:04:05.123456",
        "[22/Nov/1926:13:04:05 +0000]",
        "",
        "\0\u{fffd}",
        "no time at all",
    ] {
        check(line, "READ");
    }
}

#[test]
fn a_leap_second_is_the_first_of_the_next_minute() {
    check("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.5Z");
}

#[test]
fn a_year_that_is_missing_is_the_latest_that_is_past() {
    let new_year = at("2027-01-01T00:00:05Z");
    check_read_at(new_year, TimeZone::UTC, "Dec 31 23:59:59 x", "2026-12-31T23:59:59Z");
    let new_years_eve = at("2026-12-31T23:59:58Z");
    check_read_at(new_years_eve, berlin(), "Jan  1 00:59:59 x", "2026-12-31T23:59:59Z");
    check_read_at(at("2028-03-01T00:00:00Z"), TimeZone::UTC, "Feb 29 12:00:00 x", "2028-02-29T12:00:00Z");
    check_read_at(at("2026-01-01T00:00:00Z"), TimeZone::UTC, "I0229 12:00:00 x", "2024-02-29T12:00:00Z");
    check_read_at(at("2101-01-01T00:00:00Z"), TimeZone::UTC, "Feb 29 12:00:00 x", "2096-02-29T12:00:00Z");
    check_read_at(READ_AT, TimeZone::UTC, "Dec 24 12:00:00 x", "2025-12-24T12:00:00Z");
    check_read_at(READ_AT, TimeZone::UTC, "Nov 23 12:00:00 x", "2026-11-23T12:00:00Z");
    check_read_at(READ_AT, TimeZone::UTC, "Nov 23 14:00:00 x", "2025-11-23T14:00:00Z");
    check_read_at(Timestamp::MIN, TimeZone::UTC, "Nov 22 13:04:05 x", &show(Timestamp::MIN));
    check_read_at(Timestamp::MAX, TimeZone::UTC, "Nov 22 13:04:05 x", "2261-11-22T13:04:05Z");
}

#[test]
fn a_year_that_is_missing_is_none_after_the_files_modification() {
    check_old_file("2024-06-15T00:00:00Z", &["Jun 14 12:00:00 x"], &["2024-06-14T12:00:00Z"]);
    check_old_file("2024-06-15T00:00:00Z", &["Jun 17 12:00:00 x"], &["2023-06-17T12:00:00Z"]);
    let lines = ["Nov 30 12:00:00 x", "Dec 31 12:00:00 x", "Jan  1 12:00:00 x"];
    let expected = ["2023-11-30T12:00:00Z", "2023-12-31T12:00:00Z", "2024-01-01T12:00:00Z"];
    check_old_file("2024-01-02T00:00:00Z", &lines, &expected);
    // A line that lies somewhat before the one above it is not of the next year.
    let lines = ["Nov 20 12:00:00 x", "Nov  2 12:00:00 x", "Nov 20 12:00:00 x"];
    let expected = ["2024-11-20T12:00:00Z", "2024-11-02T12:00:00Z", "2024-11-20T12:00:00Z"];
    check_old_file("2024-11-30T00:00:00Z", &lines, &expected);
}

#[test]
fn december_after_november_stays_whatever_the_modification_time_was_set_to() {
    let mut decoder = Decoder::new(TimeZone::UTC);
    decoder.set_modified(at("2025-11-30T00:00:00Z"));
    let times = ["Nov 30 12:00:00 x", "Dec  2 12:00:00 x", "Jan  2 12:00:00 x"]
        .map(|line| show(decoder.decode(line.as_bytes(), 0, READ_AT).expect("an entry").timestamp));
    assert_eq!(times, ["2025-11-30T12:00:00Z", "2025-12-02T12:00:00Z", "2026-01-02T12:00:00Z"]);
}

#[test]
fn years_of_an_old_file_are_found_from_its_end() {
    let lines =
        ["May  1 00:00:00 a", "Nov  1 00:00:00 b", "Mar  1 00:00:00 c", "Nov  2 00:00:00 d", "Jan  3 00:00:00 e"];
    let expected =
        ["2022-05-01", "2022-11-01", "2023-03-01", "2023-11-02", "2024-01-03"].map(|day| format!("{day}T00:00:00Z"));
    check_old_file("2024-01-04T00:00:00Z", &lines, &expected.each_ref().map(String::as_str));

    // More than is looked at: a line a day for nine years, from one that has a time of its own in between.
    let mut day = date(2015, 3, 1);
    let (mut lines, mut expected) = (Vec::new(), Vec::new());
    while day < date(2024, 2, 20) {
        lines.push(format!("{} host x[1]: {}", day.strftime("%b %e 10:00:00"), "y".repeat(200)));
        expected.push(format!("{day}T10:00:00Z"));
        if day.day() == 7 {
            lines.push("  of the line above".to_owned());
            expected.push(format!("{day}T10:00:00Z"));
        }
        day = day.tomorrow().unwrap();
    }
    let (lines, expected): (Vec<&str>, Vec<&str>) =
        lines.iter().map(String::as_str).zip(expected.iter().map(String::as_str)).unzip();
    check_old_file("2024-02-20T00:00:00Z", &lines, &expected);
}

#[test]
fn a_date_that_is_missing_is_none_after_the_files_modification() {
    check_old_file("2024-06-15T12:00:00Z", &["11:59:59.5 x"], &["2024-06-15T11:59:59.5Z"]);
    check_old_file("2024-06-15T12:00:00Z", &["12:00:30 x"], &["2024-06-15T12:00:30Z"]);
    check_old_file("2024-06-15T12:00:00Z", &["12:30:00 x"], &["2024-06-14T12:30:00Z"]);
    let lines = ["22:00:00 a", "02:00:00 b", "23:00:00 c", "01:00:00 d"];
    let expected = ["2024-06-13T22:00:00Z", "2024-06-14T02:00:00Z", "2024-06-14T23:00:00Z", "2024-06-15T01:00:00Z"];
    check_old_file("2024-06-15T02:00:00Z", &lines, &expected);
    check("[11:22:33] x", "2026-11-22T10:22:33Z");
    check("14:45:00 x", "2026-11-21T13:45:00Z");
    check_file(
        &[("2026-11-22 13:04:05 x", READ_AT), ("12:00:00 is when it began", READ_AT)],
        &["2026-11-22T13:04:05Z", "2026-11-22T13:04:05Z"],
    );
}

/// Times of the lines of a file in UTC that was modified at `modified` and is read for the first time.
#[track_caller]
fn check_old_file(modified: &str, lines: &[&str], expected: &[&str]) {
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    let mut decoder = Decoder::new(TimeZone::UTC);
    decoder.set_modified(at(modified));
    let start = &text.as_bytes()[..text.len().min(64 << 10)];
    decoder.look_ahead(start, text.len() as u64, READ_AT, |buffer, offset| {
        let rest = &text.as_bytes()[usize::try_from(offset).unwrap()..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Some(count)
    });
    let mut offset = 0;
    let times = lines.iter().map(|line| {
        let entry = decoder.decode(line.as_bytes(), offset, READ_AT).expect("an entry");
        offset += line.len() as u64 + 1;
        show(entry.timestamp)
    });
    assert_eq!(times.collect::<Vec<_>>(), expected);
}

#[test]
fn times_of_extended_logs_of_w3c_are_utc() {
    let line = "2026-11-22 13:04:05 W3SVC1 GET /";
    for header in ["#Software: Microsoft Internet Information Services 10.0", "#Fields: date time s-ip cs-method"] {
        let mut decoder = Decoder::new(berlin());
        decoder.decode(header.as_bytes(), 0, READ_AT);
        assert_eq!(show(decoder.decode(line.as_bytes(), 60, READ_AT).unwrap().timestamp), "2026-11-22T13:04:05Z");
        let mut decoder = Decoder::new(berlin());
        decoder.read_header(format!("#Version: 1.0\n{header}\n").as_bytes());
        assert_eq!(show(decoder.decode(line.as_bytes(), 60, READ_AT).unwrap().timestamp), "2026-11-22T13:04:05Z");
    }
    check_file(&[("#Fields: none", READ_AT), (line, READ_AT)], &["READ", "2026-11-22T13:04:05Z"]);
}

#[test]
fn a_time_inside_of_a_line_has_to_be_likely() {
    check("the certificate of x is good until 2027-05-01 00:00:00 UTC", "READ");
    check("the backup of 1989-11-09 00:00:00 UTC is gone", "READ");
    check("/backup/2026-11-22 13:04:05 is there", "READ");
    check("id-2026-11-22T13:04:05Z", "READ");
    check("the server says it is Nov 22 13:04:05", "READ");
    check("took 00:01:02", "READ");
    check("web 000001 [22/Nov/2036:13:04:05 +0000] of a server whose clock is right", "2036-11-22T13:04:05Z");
    let far = format!("{} 2026-11-22 13:04:05", "x".repeat(200));
    check(&far, "READ");
    check_file(
        &[("2026-11-22 13:04:05 retried", READ_AT), ("the job of 2026-11-02 00:00:00 is late", READ_AT)],
        &["2026-11-22T13:04:05Z", "2026-11-22T13:04:05Z"],
    );
    check_file(
        &[("2026-11-22 13:04:05 retried", READ_AT), ("  from 2026-11-22 12:00:00 on", READ_AT)],
        &["2026-11-22T13:04:05Z", "2026-11-22T13:04:05Z"],
    );
}

#[test]
fn times_that_clocks_skip_or_show_twice() {
    check("2026-03-29 02:30:00 is skipped", "2026-03-29T01:30:00Z");
    check("2026-10-25 02:30:00 comes twice", "2026-10-25T00:30:00Z");
    check("2026-10-25 03:00:00 comes once", "2026-10-25T02:00:00Z");
}

#[test]
fn continuation_lines_stay_with_their_head() {
    let soon = Timestamp::from_ns(READ_AT.as_ns() + 59 * SECOND_NS);
    check_file(
        &[
            ("not yet", READ_AT),
            ("2026-11-22 13:04:05 ERROR no", READ_AT),
            ("java.lang.Exception: no", READ_AT),
            ("\tat a.b.C(D.java:1)", soon),
            ("2026-11-22 13:04:06 INFO yes", soon),
            ("", soon),
        ],
        &[
            "READ",
            "2026-11-22T13:04:05Z",
            "2026-11-22T13:04:05Z",
            "2026-11-22T13:04:05Z",
            "2026-11-22T13:04:06Z",
            "2026-11-22T13:04:06Z",
        ],
    );
}

#[test]
fn a_line_read_much_later_is_no_continuation() {
    let later = Timestamp::from_ns(READ_AT.as_ns() + 61 * SECOND_NS);
    check_file(&[("1795352645 x", READ_AT), ("y", later)], &["2026-11-22T13:04:05Z", &show(later)]);
}

#[test]
fn the_first_time_of_a_line_counts_wherever_the_last_one_stood() {
    let both = "2026-11-22 13:04:05 [22/Nov/2026:13:00:00 +0000] x";
    check_file(&[(both, READ_AT)], &["2026-11-22T13:04:05Z"]);
    let access = "10.0.0.1 - - [22/Nov/2026:12:00:00 +0000] x";
    check_file(&[(access, READ_AT), (both, READ_AT)], &["2026-11-22T12:00:00Z", "2026-11-22T13:04:05Z"]);
}

#[test]
fn days_are_counted_as_jiff_counts_them() {
    let mut day = date(1970, 1, 1);
    for expected in 0.. {
        if day.year() == 2262 {
            break;
        }
        let counted = epoch_day(day.year().into(), day.month().into(), day.day().into());
        assert_eq!(counted, Some(expected), "{day}");
        day = day.tomorrow().unwrap();
    }
    assert_eq!([epoch_day(1969, 12, 31), epoch_day(2262, 1, 1)], [None, None]);
}

/// Every minute of the days on which clocks change, and a glance at another hour now and then.
#[track_caller]
fn check_changes(zone: &TimeZone, days: [jiff::civil::Date; 2]) {
    let mut clock = HostClock::new(zone.clone());
    for day in days {
        let midnight_ns = epoch_day(day.year().into(), day.month().into(), day.day().into()).unwrap() * DAY_NS;
        let minutes = (0..24 * 60).flat_map(|minute| [minute, if minute % 20 == 0 { minute / 2 } else { minute }]);
        for minute in minutes {
            let local = day.at(0, 0, 0, 0) + jiff::Span::new().minutes(minute);
            let expected = zone.to_ambiguous_timestamp(local).compatible().unwrap().as_nanosecond();
            let moment = Moment::Local(midnight_ns + minute * 60 * SECOND_NS);
            let actual = clock.timestamp(moment, 0, READ_AT).unwrap();
            assert_eq!(i128::from(actual.as_ns()), expected, "{local}");
        }
    }
}

#[test]
fn local_times_mean_what_jiff_takes_them_for() {
    check_changes(&berlin(), [date(2026, 3, 29), date(2026, 10, 25)]);
    check_changes(&lord_howe(), [date(2026, 4, 5), date(2026, 10, 4)]);
}
