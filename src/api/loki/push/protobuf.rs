//! Loki's `PushRequest` in protobuf.
//!
//! ```text
//! PushRequest := 1: Stream*
//! Stream      := 1: labels `{a="b"}` | 2: Entry*
//! Entry       := 1: Timestamp | 2: line | 3: Pair*
//! Timestamp   := 1: seconds (int64) | 2: nanoseconds (int32)
//! Pair        := 1: name | 2: value
//! ```
//!
//! Fields may come in any order, and those that are not known are skipped. Read by hand, because the libraries build a tree
//! first: two bytes, an entry without anything, become a hundred times as many in memory.

use std::borrow::Cow;

use crate::api::loki::push::entries::{self, Entries, EntryMetadata, Fault, METADATA_MAX, Pushed};
use crate::logql::{self, units::NS_PER_SECOND};
use crate::model::{Labels, Timestamp};
use crate::protobuf::{Fields, Malformed, Value};

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed.to_string())
    }
}

/// Adds what `body` holds to `pushed`.
pub(super) fn decode(body: &[u8], pushed: &mut Pushed) -> Result<(), Fault> {
    for field in Fields::of(body) {
        if let (1, Value::Bytes(stream)) = field? {
            decode_stream(stream, pushed)?;
        }
    }
    Ok(())
}

fn decode_stream(stream: &[u8], pushed: &mut Pushed) -> Result<(), Fault> {
    let mut entries = pushed.entries();
    let mut labels_text = Cow::Borrowed("");
    for field in Fields::of(stream) {
        match field? {
            (1, Value::Bytes(text)) => labels_text = String::from_utf8_lossy(text),
            (2, Value::Bytes(entry)) => decode_entry(entry, &mut entries)?,
            _ => {}
        }
    }
    pushed.add(labels(&labels_text), &labels_text, entries)
}

/// Reads labels as `{a="b"}`.
fn labels(text: &str) -> Result<Labels, String> {
    let pairs =
        logql::parse_labels(text).map_err(|error| format!("error parsing labels '{text}' with error: {error}"))?;
    Labels::new(pairs).map_err(|error| entries::labels_refusal(&error, text))
}

fn decode_entry(entry: &[u8], entries: &mut Entries) -> Result<(), Fault> {
    let mut timestamp = Some(Timestamp::default());
    let mut line: &[u8] = &[];
    let mut metadata = EntryMetadata::new();
    for field in Fields::of(entry) {
        match field? {
            (1, Value::Bytes(bytes)) => timestamp = decode_timestamp(bytes)?,
            (2, Value::Bytes(bytes)) => line = bytes,
            (3, Value::Bytes(bytes)) if metadata.len() <= METADATA_MAX => metadata.push(decode_pair(bytes)?),
            _ => {}
        }
    }
    entries.push(timestamp, line, &metadata)
}

/// `None` for a time that cannot be stored.
fn decode_timestamp(timestamp: &[u8]) -> Result<Option<Timestamp>, Fault> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    for field in Fields::of(timestamp) {
        match field? {
            (1, Value::Varint(value)) => seconds = value.cast_signed(),
            (2, Value::Varint(value)) => nanoseconds = value.cast_signed(),
            _ => {}
        }
    }
    // In more bits, because the earliest time's seconds alone are too early.
    let ns = i128::from(seconds) * i128::from(NS_PER_SECOND) + i128::from(nanoseconds);
    Ok(i64::try_from(ns).ok().map(Timestamp::from_ns))
}

fn decode_pair(pair: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>), Fault> {
    let (mut name, mut value) = (Cow::default(), Cow::default());
    for field in Fields::of(pair) {
        match field? {
            (1, Value::Bytes(bytes)) => name = String::from_utf8_lossy(bytes),
            (2, Value::Bytes(bytes)) => value = String::from_utf8_lossy(bytes),
            _ => {}
        }
    }
    Ok((Cow::Owned(entries::label_name(&name).into_owned()), value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        let mut length = bytes.len();
        while 0x7f < length {
            field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        field.push(u8::try_from(length).unwrap());
        field.extend_from_slice(bytes);
        field
    }

    fn varint(number: u8, mut value: u64) -> Vec<u8> {
        let mut field = vec![number << 3];
        while 0x7f < value {
            field.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        field.push(u8::try_from(value).unwrap());
        field
    }

    fn timestamp(seconds: i64, nanoseconds: i32) -> Vec<u8> {
        let parts = [varint(1, seconds.cast_unsigned()), varint(2, i64::from(nanoseconds).cast_unsigned())];
        field(1, &parts.concat())
    }

    fn entry(parts: &[Vec<u8>]) -> Vec<u8> {
        field(2, &parts.concat())
    }

    /// The streams' labels with the count of lines, and the refusal.
    #[track_caller]
    fn check(stream: &[Vec<u8>], expected: &[(&str, usize)], refusal: Option<&str>) {
        let mut pushed = Pushed::default();
        decode(&field(1, &stream.concat()), &mut pushed).unwrap();
        let (batch, _, refused) = pushed.into_batch();
        let streams: Vec<_> =
            batch.streams.iter().map(|stream| (stream.labels.to_string(), stream.lines.len())).collect();
        let streams: Vec<_> = streams.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
        assert_eq!((streams.as_slice(), refused.as_deref()), (expected, refusal));
    }

    #[test]
    fn streams_are_read_whatever_the_order_of_their_fields() {
        let line = entry(&[timestamp(1_700_000_000, 5), field(2, b"text")]);
        let annotated = entry(&[field(2, b"text"), field(3, &[field(1, b"trace.id"), field(2, b"7")].concat())]);
        let labels = field(1, br#"{b="2", a="1"}"#);
        let both = [(r#"{a="1", b="2"}"#, 1), (r#"{__with_metadata__="1", a="1", b="2"}"#, 1)];
        check(&[labels.clone(), line.clone(), annotated.clone()], &both, None);
        check(&[varint(3, 7), annotated, labels, line, vec![9 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0]], &both, None);
        check(&[field(1, b"{}")], &[], None);
    }

    #[test]
    fn labels_may_be_called_as_keywords_of_queries_are() {
        let labels = br#"{By="1", and="2", sum="3", unwrap="4"}"#;
        check(&[field(1, labels), entry(&[])], &[(str::from_utf8(labels).unwrap(), 1)], None);
    }

    #[test]
    fn long_texts_are_not_looked_at_for_labels() {
        let text = format!("{{{}}}", "a=\"\",".repeat(1 << 16));
        assert!(labels(&text).unwrap_err().ends_with("input size too long (327682 > 131071)"));
    }

    #[test]
    fn what_is_refused_does_not_keep_others_out() {
        let good = entry(&[timestamp(-9_223_372_037, 145_224_192), field(2, b"the earliest")]);
        let late = entry(&[timestamp(9_223_372_036, 854_775_808)]);
        let labels = field(1, br#"{a="1"}"#);
        let late_message = "entry for stream '{a=\"1\"}' has a timestamp outside the years 1677 to 2262";
        check(&[labels.clone(), good.clone(), late.clone()], &[(r#"{a="1"}"#, 1)], Some(late_message));
        let all_message = format!("{late_message}; 2 entries were refused in all");
        check(&[labels, late.clone(), late, good.clone()], &[(r#"{a="1"}"#, 1)], Some(&all_message));
        let message = "error at least one label pair is required per stream";
        check(&[field(1, b"{}"), good.clone()], &[], Some(message));
        let message = "error parsing labels '{a=~\"1\"}' with error: parse error : labels are written name=\"value\"";
        check(&[field(1, br#"{a=~"1"}"#), good.clone()], &[], Some(message));
        let message = "stream '{a=\"1\", a=\"2\"}' has duplicate label name: 'a'";
        check(&[field(1, br#"{a="1", a="2"}"#), good], &[], Some(message));
    }

    #[test]
    fn a_message_that_is_cut_off_is_refused() {
        let body = field(1, &[field(1, br#"{a="1"}"#), entry(&[timestamp(1, 2), field(2, b"text")])].concat());
        for length in 1..body.len() {
            assert!(matches!(decode(&body[..length], &mut Pushed::default()), Err(Fault::Malformed(_))), "{length}");
        }
        for body in [&[0xff; 12][..], &[0x0b], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert!(matches!(decode(body, &mut Pushed::default()), Err(Fault::Malformed(_))));
        }
    }

    #[test]
    fn many_empty_entries_are_bounded() {
        let body = field(1, &[field(1, br#"{a="1"}"#), [2 << 3 | 2, 0].repeat((64 << 20) / 16 + 1)].concat());
        assert!(matches!(decode(&body, &mut Pushed::default()), Err(Fault::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&body, &mut Pushed::default());
        }
    }
}
