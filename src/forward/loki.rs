//! Loki's `PushRequest` in protobuf, compressed with snappy: `POST /loki/api/v1/push`.
//!
//! ```text
//! PushRequest := 1: Stream*
//! Stream      := 1: labels `{a="b"}` | 2: Entry*
//! Entry       := 1: Timestamp | 2: line | 3: Pair*
//! Timestamp   := 1: seconds (int64) | 2: nanoseconds (int32)
//! Pair        := 1: name | 2: value
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::forward::Body;
use crate::forward::entries::{Stream, sent_with};
use crate::model::Labels;
use crate::protobuf::{put_bytes, put_varint};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// The body of a push. What is not UTF-8 is replaced unless it `is_raw`, which Loki does not take.
pub(super) fn encode(streams: &[Stream], is_raw: bool) -> Body {
    let (mut request, mut message, mut entry_message, mut part) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for stream in streams {
        message.clear();
        put_bytes(&mut message, 1, labels(&stream.labels).as_bytes());
        for entry in &stream.entries {
            entry_message.clear();
            part.clear();
            let ns = entry.time.as_ns();
            put_varint(&mut part, 1, ns.div_euclid(NS_PER_SECOND).cast_unsigned());
            put_varint(&mut part, 2, ns.rem_euclid(NS_PER_SECOND).cast_unsigned());
            put_bytes(&mut entry_message, 1, &part);
            let line = if is_raw { Cow::Borrowed(&*entry.line) } else { text(&entry.line) };
            put_bytes(&mut entry_message, 2, &line);
            for (name, value) in sent_with(entry, stream) {
                part.clear();
                put_bytes(&mut part, 1, name.as_bytes());
                put_bytes(&mut part, 2, value.as_bytes());
                put_bytes(&mut entry_message, 3, &part);
            }
            put_bytes(&mut message, 2, &entry_message);
        }
        put_bytes(&mut request, 1, &message);
    }
    let bytes = snap::raw::Encoder::new().compress_vec(&request).expect("a batch is far shorter than snappy's limit");
    Body { bytes, content_type: "application/x-protobuf", content_encoding: None }
}

/// A line as text.
fn text(line: &[u8]) -> Cow<'_, [u8]> {
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(_) => Cow::Borrowed(line),
        Cow::Owned(replaced) => Cow::Owned(replaced.into_bytes()),
    }
}

/// Labels as Loki reads them: with the escapes of Go's strings.
fn labels(labels: &Labels) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        out.push_str(name);
        out.push_str("=\"");
        for character in value.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                control if control.is_control() => {
                    write!(out, "\\u{:04x}", u32::from(control)).expect("writing to a string cannot fail");
                }
                other => out.push(other),
            }
        }
        out.push('"');
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::entries::Entry;
    use crate::model::Timestamp;

    #[test]
    fn a_push_is_what_loki_reads() {
        let entry = |ns, line: &[u8], metadata: &[(&str, &str)]| Entry {
            time: Timestamp::from_ns(ns),
            line: line.to_vec(),
            metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let streams = [Stream {
            labels: Labels::new([("a", "x\"\\\n\u{1}é"), ("b", "2")]).unwrap(),
            folded: vec![("c".into(), "3".into())],
            entries: vec![entry(1_700_000_000_000_000_005, b"bad \xff", &[]), entry(-1, b"", &[("d", "4")])],
        }];
        let request = |is_raw| snap::raw::Decoder::new().decompress_vec(&encode(&streams, is_raw).bytes).unwrap();
        let expected = b"\x0a\x62\
            \x0a\x1c{a=\"x\\\"\\\\\\n\\u0001\xc3\xa9\", b=\"2\"}\
            \x12\x1b\x0a\x08\x08\x80\xe2\xcf\xaa\x06\x10\x05\x12\x07bad \xef\xbf\xbd\x1a\x06\x0a\x01c\x12\x013\
            \x12\x25\x0a\x11\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\xff\x93\xeb\xdc\x03\x12\x00\
            \x1a\x06\x0a\x01d\x12\x014\x1a\x06\x0a\x01c\x12\x013";
        assert_eq!(String::from_utf8_lossy(&request(false)), String::from_utf8_lossy(expected));
        assert!(request(true).windows(5).any(|bytes| bytes == b"bad \xff"));
    }
}
