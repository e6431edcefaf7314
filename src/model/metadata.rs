//! Metadata: labels of single entries, beside those of their stream.
//!
//! Whoever pushes entries may send some with each, and Docker writes some to files. The formats of journal and segments do not know them:
//! entries that have metadata are stored as a stream of their own, whose labels carry a mark, and each line is followed by
//! its metadata. So the text stays as searchable as that of any line, and metadata compress as text does. Snapshots and
//! scans take this apart again: to their readers it is one stream with its labels.
//!
//! ```text
//! line  := text field* SEPARATOR bytes
//! field := SEPARATOR name "=" value     with \ as \\ and SEPARATOR as \s in the value
//! bytes := 7 decimal digits             how many bytes follow the text
//! ```
//!
//! The length is written in digits because blocks keep apart what has digits in it: it does not multiply templates.
//! A line of such a stream that does not end like this is all text.

use std::borrow::Cow;

use crate::model::{Labels, LabelsError};

/// Most bytes that the metadata of one entry may take as they are stored; Loki's limit is as large.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// The mark of streams whose lines are followed by metadata; the value is the version of the format.
const MARK: (&str, &str) = ("__with_metadata__", "1");
/// Stands before each field and before the length; seldom found in text.
const SEPARATOR: u8 = 0x1f;
const ESCAPE: u8 = b'\\';
/// What an escaped separator is written as, after [`ESCAPE`].
const ESCAPED_SEPARATOR: u8 = b's';
/// Digits of the length.
const LENGTH_DIGITS: usize = 7;
const TRAILER_BYTES: usize = 1 + LENGTH_DIGITS;
const _: () = assert!(METADATA_BYTES_MAX + TRAILER_BYTES < 10_000_000, "the length has LENGTH_DIGITS digits");

/// The labels that entries with metadata of the stream `labels` are appended with.
///
/// # Errors
///
/// [`LabelsError::TooMany`] if the stream has as many labels as it may have, [`LabelsError::Duplicate`] if it uses the
/// mark itself.
pub fn mark(labels: &Labels) -> Result<Labels, LabelsError> {
    Labels::new(labels.iter().chain([MARK]))
}

/// Whether a stream may not have these labels, because a mark is among them.
pub fn is_marked(labels: &Labels) -> bool {
    labels.get(MARK.0).is_some()
}

/// The labels that a marked stream has for its readers; `None` for one that is not marked.
pub fn unmark(stored: &Labels) -> Option<Labels> {
    if stored.get(MARK.0) != Some(MARK.1) {
        return None;
    }
    let labels = stored.iter().filter(|(name, _)| *name != MARK.0);
    Some(Labels::new(labels).expect("fewer labels than before are labels, too"))
}

/// Appends to `line`, which is an entry's text so far, its metadata. Names are label names.
///
/// # Errors
///
/// How many bytes they would take, if these are more than [`METADATA_BYTES_MAX`]; `line` is as it was.
pub fn append<'a>(line: &mut Vec<u8>, metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), usize> {
    let start = line.len();
    for (name, value) in metadata {
        line.push(SEPARATOR);
        line.extend_from_slice(name.as_bytes());
        line.push(b'=');
        let mut rest = value.as_bytes();
        while let Some(at) = memchr::memchr2(SEPARATOR, ESCAPE, rest) {
            line.extend_from_slice(&rest[..at]);
            line.extend_from_slice(&[ESCAPE, if rest[at] == SEPARATOR { ESCAPED_SEPARATOR } else { ESCAPE }]);
            rest = &rest[at + 1..];
        }
        line.extend_from_slice(rest);
    }
    let bytes = line.len() - start;
    if METADATA_BYTES_MAX < bytes {
        line.truncate(start);
        return Err(bytes);
    }
    line.push(SEPARATOR);
    line.extend_from_slice(format!("{:0LENGTH_DIGITS$}", bytes + TRAILER_BYTES).as_bytes());
    Ok(())
}

/// The text of a line of a marked stream, and its metadata.
pub fn split(line: &[u8]) -> (&[u8], Metadata<'_>) {
    let parts = || {
        let (rest, trailer) = line.split_at_checked(line.len().checked_sub(TRAILER_BYTES)?)?;
        let (SEPARATOR, digits) = trailer.split_first().map(|(first, digits)| (*first, digits))? else { return None };
        let mut bytes = 0;
        for digit in digits {
            bytes = bytes * 10 + usize::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        }
        let (text, fields) = rest.split_at_checked(line.len().checked_sub(bytes)?)?;
        (fields.is_empty() || fields[0] == SEPARATOR).then_some((text, Metadata(fields)))
    };
    parts().unwrap_or((line, Metadata::default()))
}

/// What the pattern of lines that are followed by metadata says of their text.
pub fn text_of_pattern(pattern: &[u8]) -> &[u8] {
    let end = memchr::memchr(SEPARATOR, pattern).unwrap_or(pattern.len());
    &pattern[..end]
}

/// The metadata of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metadata<'a>(&'a [u8]);

impl<'a> Metadata<'a> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.0.split(|byte| *byte == SEPARATOR).skip(1).map(|field| {
            let equals = memchr::memchr(b'=', field).unwrap_or(field.len());
            let (name, value) = field.split_at(equals);
            (String::from_utf8_lossy(name), unescaped(value.get(1..).unwrap_or_default()))
        })
    }
}

fn unescaped(value: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(ESCAPE, value).is_none() {
        return String::from_utf8_lossy(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            &ESCAPE if bytes.next() == Some(&ESCAPED_SEPARATOR) => SEPARATOR,
            byte => *byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &[u8], metadata: &[(&str, &str)]) {
        let mut line = text.to_vec();
        append(&mut line, metadata.iter().copied()).unwrap();
        let (text_again, metadata_again) = split(&line);
        assert_eq!(text_again, text);
        let pairs: Vec<_> = metadata_again.iter().collect();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        assert_eq!(pairs, metadata);
    }

    #[test]
    fn text_and_metadata_come_back_as_they_went_in() {
        check(b"", &[]);
        check(b"text", &[]);
        check(b"text", &[("a", "")]);
        check(b"text\x1f", &[("trace_id", "0af7"), ("a", "x=y\\s\x1f\\\x1f")]);
        check(b"\xff\x1f0000008", &[("a", "\n"), ("a", "2")]);
    }

    #[test]
    fn metadata_are_bounded() {
        let mut line = b"text".to_vec();
        let value = "x".repeat(METADATA_BYTES_MAX);
        assert_eq!(append(&mut line, [("a", value.as_str())]), Err(METADATA_BYTES_MAX + 3));
        assert_eq!(line, b"text");
        check(b"text", &[("a", &value[3..])]);
    }

    #[test]
    fn marks_are_for_the_database_alone() {
        let labels = Labels::new([("app", "a")]).unwrap();
        let marked = mark(&labels).unwrap();
        assert!(is_marked(&marked) && !is_marked(&labels));
        assert_eq!((unmark(&marked), unmark(&labels)), (Some(labels), None));
        assert!(matches!(mark(&marked), Err(LabelsError::Duplicate { .. })));
    }

    proptest! {
        #[test]
        fn any_text_and_metadata_come_back(
            text in proptest::collection::vec(any::<u8>(), 0..40),
            pairs in proptest::collection::vec(("[a-z_]{1,8}", "[\\PC\\x1f\\\\s]{0,12}"), 0..5),
        ) {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            check(&text, &pairs);
        }

        #[test]
        fn any_line_can_be_taken_apart(line in "[\\x1f0-9=\\\\s]{0,40}") {
            let (text, metadata) = split(line.as_bytes());
            prop_assert!(line.as_bytes().starts_with(text));
            metadata.iter().count();
        }
    }
}
