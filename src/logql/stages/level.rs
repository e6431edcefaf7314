//! `detected_level`: how severe a line is, as its labels or its text tell.
//!
//! Looks at labels, then at the fields of a JSON or logfmt line, then at what its format tells, then for words; the first
//! that tells is believed. Names and words are Loki's; what formats tell goes beyond it.

pub(super) mod format;

use crate::logql::pipeline::{Entry, LEVEL_LABEL};
use crate::logql::stages::json::{Scanner, Value};
use crate::logql::stages::labels::LabelSet;
use crate::logql::stages::logfmt::Pairs;

/// Names of labels and fields that hold a level: of several, the first counts.
pub(super) const NAMES: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];
/// Words that tell a level, and the level.
pub(super) const WORDS: [(&[u8], &str); 9] = [
    (b"trace", "trace"),
    (b"debug", "debug"),
    (b"fatal", "fatal"),
    (b"critical", "critical"),
    (b"error", "error"),
    (b"err", "error"),
    (b"warning", "warn"),
    (b"warn", "warn"),
    (b"info", "info"),
];
/// Bytes that a word may follow.
pub(super) const BOUNDARIES: &[u8] = b" \t\r\n[({\"'=|";
/// The meaning of each byte for finding words.
const MARKS: [u8; 256] = marks();
/// A mark: a word may follow this byte.
const BOUNDARY: u8 = 1;
/// A mark: one of [`WORDS`] starts with this byte.
const INITIAL: u8 = 2;
const UNKNOWN: &str = "unknown";
/// Depth in a JSON object down to which fields are looked at.
pub(super) const JSON_DEPTH: usize = 2;

const fn marks() -> [u8; 256] {
    let mut marks = [0; 256];
    let mut index = 0;
    while index < BOUNDARIES.len() {
        marks[BOUNDARIES[index] as usize] |= BOUNDARY;
        index += 1;
    }
    index = 0;
    while index < WORDS.len() {
        let initial = WORDS[index].0[0];
        marks[initial as usize] |= INITIAL;
        marks[initial.to_ascii_uppercase() as usize] |= INITIAL;
        index += 1;
    }
    marks
}

/// Adds the level of an entry to its labels, unless it came with one.
pub(super) fn add(entry: &Entry<'_>, labels: &mut LabelSet) {
    labels.add_metadata(LEVEL_LABEL, of(entry));
}

/// The level of an entry, as its labels or its text tell.
pub fn of<'a>(entry: &Entry<'a>) -> &'a str {
    if let Some(level) = of_labels(entry) {
        return normalised(level.as_bytes()).unwrap_or(level);
    }
    of_text(entry.line)
}

/// The common name that is `level`; `unknown` for those that labels hold and nobody else knows.
pub fn known(level: &str) -> &'static str {
    normalised(level.as_bytes()).unwrap_or(UNKNOWN)
}

/// The level that the text of a line tells; `unknown` where it tells none.
pub fn of_text(line: &[u8]) -> &'static str {
    let told = match line.trim_ascii_start().first() {
        Some(b'{') => of_json(&mut Scanner::new(line), JSON_DEPTH),
        _ => of_logfmt(line).or_else(|| format::marked(line)),
    };
    told.unwrap_or_else(|| of_words(line))
}

/// The level that a label holds: one of the stream, or else of the entry.
fn of_labels<'a>(entry: &Entry<'a>) -> Option<&'a str> {
    let of_entry = entry.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    of_first_name(entry.labels.iter()).or_else(|| of_first_name(of_entry))
}

/// The value of the label whose name comes first in [`NAMES`].
fn of_first_name<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let named = labels.filter(|(name, value)| is_name(name.as_bytes()) && !value.is_empty());
    let rank = |(name, _): &(&str, &str)| NAMES.iter().position(|candidate| candidate == name);
    named.min_by_key(rank).map(|(_, value)| value)
}

/// Tells if `name` is one of [`NAMES`]; most names are told by their first letter.
pub(super) fn is_name(name: &[u8]) -> bool {
    matches!(name, [b'l' | b'L' | b's' | b'S', ..]) && NAMES.iter().any(|candidate| candidate.as_bytes() == name)
}

/// The common name of a level; `None` if it is none that is known.
pub(super) fn normalised(level: &[u8]) -> Option<&'static str> {
    const LEVELS: [(&str, &[&str]); 7] = [
        ("trace", &["trace", "trc"]),
        ("debug", &["debug", "dbg"]),
        ("info", &["info", "inf", "information"]),
        ("warn", &["warn", "wrn", "warning"]),
        ("error", &["error", "err"]),
        ("critical", &["critical"]),
        ("fatal", &["fatal"]),
    ];
    let is_meant = |name: &&str| level.eq_ignore_ascii_case(name.as_bytes());
    LEVELS.iter().find(|(_, names)| names.iter().any(is_meant)).map(|(level, _)| *level)
}

/// The level that a field of the object holds which begins here.
fn of_json(scanner: &mut Scanner<'_>, depth: usize) -> Option<&'static str> {
    scanner.expect_object().ok()?;
    scanner.enter();
    let mut is_first = true;
    let (mut is_mongodb, mut is_serilog) = (false, false);
    while let Some(key) = scanner.key(is_first).ok()? {
        is_mongodb |= is_first && key.raw == b"t";
        is_serilog |= is_first && key.raw == b"@t";
        is_first = false;
        match scanner.value().ok()? {
            Value::Text(text) => {
                if let Some(level) = of_field(key.raw, text.raw, is_mongodb) {
                    return Some(level);
                }
            }
            Value::Scalar(number) if is_field_name(key.raw) => {
                if let Some(level) = format::numbered(number) {
                    return Some(level);
                }
            }
            Value::Object if 1 < depth => {
                let mut inner = scanner.clone();
                if let Some(level) = of_json(&mut inner, depth - 1) {
                    return Some(level);
                }
                scanner.skip().ok()?;
            }
            Value::Object | Value::Array => {
                scanner.skip().ok()?;
            }
            Value::Scalar(_) | Value::Null => {}
        }
    }
    // Serilog leaves out the level that most lines have.
    is_serilog.then_some("info")
}

/// The level that a field of text holds.
pub(super) fn of_field(name: &[u8], value: &[u8], is_mongodb: bool) -> Option<&'static str> {
    if is_field_name(name) {
        return format::named(value);
    }
    match (name, value) {
        (b"s", [letter] | [letter @ b'D', b'1'..=b'5']) if is_mongodb => format::lettered(*letter),
        (b"PRIORITY", number) => format::numbered(number),
        _ => None,
    }
}

/// Tells a field of a JSON object that holds a level by its name: one of Loki's, or one that it does not know.
pub(super) fn is_field_name(name: &[u8]) -> bool {
    is_name(name) || matches!(name, b"levelname" | b"severityText" | b"@l" | b"log_level" | b"loglevel" | b"logLevel")
}

/// Tells if the text ends like one of [`NAMES`], in whatever case.
pub(super) fn ends_with_name(text: &[u8]) -> bool {
    const ENDS: [&[u8]; 5] = [b"level", b"lvl", b"severity", b"severitytext", b"severity_text"];
    let ends_with =
        |end: &&[u8]| text.len().checked_sub(end.len()).is_some_and(|at| text[at..].eq_ignore_ascii_case(end));
    matches!(text, [.., b'l' | b'L' | b'y' | b'Y' | b't' | b'T']) && ENDS.iter().any(ends_with)
}

/// The level that the pair of a logfmt line holds whose key comes first in [`NAMES`], in whatever case.
pub(super) fn of_logfmt(line: &[u8]) -> Option<&'static str> {
    // Most lines with a `=` have no level, and are not taken apart to find that out.
    if !memchr::memchr_iter(b'=', line).any(|at| ends_with_name(&line[..at])) {
        return None;
    }
    let mut pairs = Pairs::new(line);
    let (mut rank, mut value) = (NAMES.len(), &b""[..]);
    while let Some(pair) = pairs.next_valid() {
        if ends_with_name(pair.key.as_bytes())
            && let Some(found) = NAMES[..rank].iter().position(|name| name.eq_ignore_ascii_case(pair.key))
        {
            (rank, value) = (found, pair.written_value());
        }
        if rank == 0 {
            break;
        }
    }
    normalised(value)
}

/// The level that the first of the known words tells, or one in the header before it.
fn of_words(line: &[u8]) -> &'static str {
    let mut before = BOUNDARY;
    for (index, byte) in line.iter().enumerate() {
        let marks = MARKS[usize::from(*byte)];
        if before & BOUNDARY != 0
            && marks & INITIAL != 0
            && let Some(level) = word_at(&line[index..])
        {
            return format::in_header(line, index).unwrap_or(level);
        }
        before = marks;
    }
    format::in_header(line, line.len()).unwrap_or(UNKNOWN)
}

/// The level that the word at the start of `text` tells.
fn word_at(text: &[u8]) -> Option<&'static str> {
    let is_here = |word: &[u8]| {
        let Some((start, rest)) = text.split_at_checked(word.len()) else { return false };
        start.eq_ignore_ascii_case(word) && ends_word(rest.first())
    };
    WORDS.iter().find(|(word, _)| is_here(word)).map(|(_, level)| *level)
}

fn ends_word(next: Option<&u8>) -> bool {
    let Some(byte) = next else { return true };
    byte.is_ascii_whitespace() || b"[](){}:,!\"'=|".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Timestamp};

    #[track_caller]
    fn check_all(labels: &[(&str, &str)], metadata: &[(&str, &str)], line: &str, expected: &str) {
        let labels = Labels::new(labels.iter().copied()).unwrap();
        let metadata: Vec<_> = metadata.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let entry =
            Entry { timestamp: Timestamp::default(), labels: &labels, metadata: &metadata, line: line.as_bytes() };
        assert_eq!(of(&entry), expected, "{line}");
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        check_all(&[], &[], line, expected);
    }

    #[test]
    fn labels_come_before_metadata_before_the_line() {
        check_all(&[("lvl", "WRN")], &[("level", "info")], "error", "warn");
        check_all(&[("app", "x")], &[("severity", "notice")], "error", "notice");
        check_all(&[("app", "x")], &[("y", "z")], "error", "error");
    }

    #[test]
    fn the_best_known_name_counts() {
        check_all(&[("LEVEL", "debug"), ("level", "warn"), ("severity", "error")], &[], "", "warn");
        check_all(&[], &[("SEVERITY_TEXT", "debug"), ("lvl", "warn")], "", "warn");
        check("severity=error level=warn", "warn");
        check("severity=error LEVEL=warn Level=debug", "warn");
        check("lvl=debug severity=error", "error");
        check("severity=error level=x", "error");
        check(r#"{"severity":"error","level":"warn"}"#, "error");
    }

    #[test]
    fn fields_come_before_words() {
        check(r#"{"msg":"error","level":"INFO"}"#, "info");
        check(r#"{"msg":"x","log":{"level":"dbg"}}"#, "debug");
        check(r#"{"a":{"b":{"level":"warn"}},"severity":"Error"}"#, "error");
        check("msg=\"an error\" LeVeL=warning", "warn");
        check("severity=\"fatal\" x", "fatal");
    }

    #[test]
    fn every_name_of_a_field_is_known() {
        for name in NAMES {
            assert!(ends_with_name(name.as_bytes()), "{name}");
            check(&format!("x=y {name}=warn error"), "warn");
            check(&format!(r#"{{"{name}":"warn","x":"error"}}"#), "warn");
        }
        check("xlevel=warn error", "warn");
        check("xlevel=x error", "error");
    }

    #[test]
    fn an_unknown_level_leaves_it_to_the_words() {
        check(r#"{"level":30,"msg":"info: x"}"#, "info");
        check("level=7 (ERR)", "error");
        check(r#"{"broken": error"#, "error");
    }

    #[test]
    fn the_first_word_counts_if_it_stands_alone() {
        check("[WARN] an error", "warn");
        check("Error: x", "error");
        check("|Critical|", "critical");
        check("information, terror, errors, infox, xinfo", "unknown");
        check("all is well", "unknown");
        check("2024 debug", "debug");
        check("", "unknown");
    }
}
