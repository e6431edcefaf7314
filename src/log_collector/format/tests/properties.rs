//! What holds for any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::super::json::{Members, Value, unescape};
use super::{READ_AT, berlin};
use crate::log_collector::format::{Channel, Decoder};
use crate::model::Timestamp;

/// Valid lines of each format, to damage.
const LINES: &[&str] = &[
    "2026-11-22T13:04:05.123456789Z stdout P:tag hello",
    r#"{"log":"a\ud83d\ude00\\\n","stream":"stdout","attrs":{"a":["b"]},"time":"2026-11-22T13:04:05.123456789Z"}"#,
    "2026-11-22 13:04:05,123 +01:00 INFO x",
    "<34>1 2026-11-22T13:04:05.003Z host x",
    "<34>Nov  2 13:04:05 host x",
    "I1122 13:04:05.123456 1 main.go:1] x",
    "10.0.0.1 - - [22/Nov/2026:13:04:05 -0700] x",
    "[1795352645.123] x",
    "1.795352645e+09 x",
    "time=\"2026-11-22T13:04:05Z\" level=info",
    r#"{"a":{"b":[1,"\""]},"ts":1795352645.123,"b":null}"#,
];

/// Lines as common programs write them, to damage as well.
fn samples() -> Vec<&'static [u8]> {
    let samples = include_str!("../../../../tests/it/times.txt").lines().filter(|line| !line.starts_with(['#', '=']));
    samples.filter_map(|sample| sample.splitn(3, ' ').nth(2).map(str::as_bytes)).collect()
}

/// A line with a few bytes changed, put in or cut off.
fn damaged(lines: Vec<&'static [u8]>) -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<Index>(), select(&b"\0\"\\{}[]:, 09e+PFZ\xff"[..]), 0..3_u8), 0..6);
    (select(lines), damage).prop_map(|(line, damage)| {
        let mut line = line.to_vec();
        for (at, byte, kind) in damage {
            let at = at.index(line.len() + 1);
            match kind {
                0 => line.insert(at, byte),
                1 => line.truncate(at),
                _ => line.get_mut(at).into_iter().for_each(|slot| *slot = byte),
            }
        }
        line
    })
}

/// An entry as it can be kept and compared.
type Kept = (Channel, i64, Vec<u8>);

/// Decodes `lines`, where line `n` stands at offset `n`, beginning with line `from`.
fn decode_from(decoder: &mut Decoder, lines: &[Vec<u8>], from: usize) -> Vec<(usize, Kept)> {
    let numbered = lines.iter().enumerate().skip(from);
    let entries = numbered.filter_map(|(number, line)| {
        let entry = decoder.decode(line, number as u64, READ_AT)?;
        Some((number, (entry.channel, entry.timestamp.as_ns(), entry.line.to_vec())))
    });
    entries.collect()
}

/// A container's channel and a part that it wrote, with whether it is the last of its entry.
fn parts() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>, bool)>> {
    let text = vec(any::<u8>().prop_filter("lines have no newline", |byte| *byte != b'\n'), 0..20);
    vec((select(&["stdout", "stderr"][..]), text, any::<bool>()), 0..30)
}

fn cri_line(channel: &str, text: &[u8], is_last: bool) -> Vec<u8> {
    let tag = if is_last { 'F' } else { 'P' };
    [format!("2026-11-22T13:04:05Z {channel} {tag} ").as_bytes(), text].concat()
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            vec((any::<String>(), inner), 0..4).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn unescaped(raw: &[u8]) -> String {
    let mut text = Vec::new();
    unescape(raw, &mut text).expect("serde_json writes proper escapes");
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

proptest! {
    #[test]
    fn any_bytes_decode(lines in vec(vec(any::<u8>(), 0..200), 0..20)) {
        let decoded = decode_from(&mut Decoder::new(berlin()), &lines, 0);
        let decoded: Vec<_> = decoded.into_iter().map(|(_, (channel, _, line))| (channel, line)).collect();
        let plain: Vec<_> = lines.into_iter().map(|line| (Channel::None, line)).collect();
        prop_assert_eq!(decoded, plain);
    }

    #[test]
    fn damaged_lines_decode(line in damaged(LINES.iter().map(|line| line.as_bytes()).chain(samples()).collect())) {
        let mut decoder = Decoder::new(berlin());
        match decoder.decode(&line, 0, READ_AT) {
            Some(entry) if entry.channel == Channel::None => prop_assert_eq!(entry.line, &line[..]),
            Some(_) => {}
            None => prop_assert_eq!(decoder.pending_from(), Some(0)),
        }
    }

    /// Whatever the clocks say, and whatever stands above.
    #[test]
    fn damaged_files_decode_at_any_time(
        lines in vec(damaged(samples()), 1..12),
        read_at in any::<i64>(),
        modified in any::<i64>(),
    ) {
        let (read_at, modified) = (Timestamp::from_ns(read_at), Timestamp::from_ns(modified));
        let text = lines.join(&b'\n');
        let mut decoder = Decoder::new(berlin());
        decoder.set_modified(modified);
        decoder.look_ahead(&text[..text.len() / 2], text.len() as u64, read_at, |buffer, offset| {
            let rest = &text[usize::try_from(offset).unwrap()..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Some(count)
        });
        for line in text.split(|byte| *byte == b'\n') {
            decoder.decode(line, 0, read_at);
        }
    }

    #[test]
    fn joined_parts_are_the_concatenation_of_each_channel(parts in parts()) {
        let lines: Vec<_> = parts.iter().map(|(channel, text, is_last)| cri_line(channel, text, *is_last)).collect();
        let mut decoder = Decoder::new(berlin());
        let mut entries: Vec<Kept> =
            decode_from(&mut decoder, &lines, 0).into_iter().map(|(_, entry)| entry).collect();
        while let Some(entry) = decoder.finish() {
            entries.push((entry.channel, entry.timestamp.as_ns(), entry.line.to_vec()));
        }
        for (name, channel) in [("stdout", Channel::Stdout), ("stderr", Channel::Stderr)] {
            let parts = || parts.iter().filter(|(part_name, ..)| *part_name == name);
            let written: Vec<Vec<u8>> = parts().map(|(_, text, _)| text.clone()).collect();
            let mine: Vec<&[u8]> =
                entries.iter().filter(|entry| entry.0 == channel).map(|(_, _, line)| &line[..]).collect();
            prop_assert_eq!(mine.concat(), written.concat());
            let is_cut_short = parts().next_back().is_some_and(|(_, _, is_last)| !is_last);
            let ends = parts().filter(|(_, _, is_last)| *is_last).count();
            prop_assert_eq!(mine.len(), ends + usize::from(is_cut_short));
        }
    }

    /// The way of going on after a restart that [`Decoder::decode`] describes.
    #[test]
    fn a_restart_at_any_line_changes_nothing(parts in parts(), cut in any::<Index>()) {
        let lines: Vec<_> = parts.iter().map(|(channel, text, is_last)| cri_line(channel, text, *is_last)).collect();
        let whole = decode_from(&mut Decoder::new(berlin()), &lines, 0);

        let cut = cut.index(lines.len() + 1);
        let mut before = Decoder::new(berlin());
        let mut entries = decode_from(&mut before, &lines[..cut], 0);
        let resume = before.pending_from().map_or(cut, |offset| usize::try_from(offset).unwrap());
        let after = decode_from(&mut Decoder::new(berlin()), &lines, resume);
        entries.extend(after.into_iter().filter(|(number, _)| cut <= *number));
        prop_assert_eq!(entries, whole);
    }

    #[test]
    fn members_are_those_that_serde_json_wrote(
        members in vec((any::<String>(), json()), 1..6),
        is_pretty in any::<bool>(),
    ) {
        let object = Json::Object(members.into_iter().collect());
        let text = if is_pretty { format!("{object:#}") } else { object.to_string() };
        let mut found = Members::of(text.as_bytes()).expect("an object");
        let mut read = Vec::new();
        for (key, value) in found.by_ref() {
            let value = match value {
                Value::Text(raw) => Json::from(unescaped(raw)).to_string(),
                Value::Bare(raw) => String::from_utf8_lossy(raw).into_owned(),
                Value::Nested(_) => "nested".to_owned(),
            };
            read.push((unescaped(key), value));
        }
        prop_assert!(found.are_complete());
        let written = object.as_object().expect("an object").iter().map(|(key, value)| {
            let is_nested = value.is_array() || value.is_object();
            (key.clone(), if is_nested { "nested".to_owned() } else { value.to_string() })
        });
        prop_assert_eq!(read, written.collect::<Vec<_>>());
    }
}
