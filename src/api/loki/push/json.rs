//! Pushes in JSON: `{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","line",{"c":"d"}]]}]}`.
//!
//! Entries go where they are stored as they are read; no tree is built of them. A line is bytes, whatever they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::api::loki::push::entries::{self, Entries, EntryMetadata, Fault, METADATA_MAX, Pushed};
use crate::model::{LABELS_MAX, Labels, Timestamp, write_labels};

/// Why a body is refused that Loki took before its version 1: nothing of it would be stored.
const OLD_FORM: &str =
    "streams with labels and entries are of Loki's old form, which is not taken; send stream and values";

/// Adds what `body` holds to `pushed`.
pub(super) fn decode(body: &[u8], pushed: &mut Pushed) -> Result<(), Fault> {
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Body { pushed, fault: &mut fault }.deserialize(&mut json).and_then(|()| json.end());
    match (read, fault) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => Err(Fault::Malformed(error.to_string())),
    }
}

/// The whole.
struct Body<'p> {
    pushed: &'p mut Pushed,
    fault: &'p mut Option<Fault>,
}

/// The list of streams.
struct Streams<'p>(Body<'p>);

/// One stream.
struct Stream<'s, 'p>(&'s mut Body<'p>);

/// The list of a stream's entries.
struct Values<'s> {
    entries: &'s mut Entries,
    fault: &'s mut Option<Fault>,
}

/// One entry.
struct Entry<'s, 'v>(&'s mut Values<'v>);

/// An object whose values are texts; of more than so many pairs one too many is kept.
struct Pairs(usize);

/// A text as bytes.
struct Text;

/// Nanoseconds since the epoch, as text or as a number; `None` for what 64 bits do not hold.
struct Time;

/// What reads a value: the one method that does, and what is expected of the value.
macro_rules! seed {
    ($name:ident <$($lifetime:lifetime),*> -> $value:ty, $method:ident, $expected:literal, $($visit:item)+) => {
        impl<'de, $($lifetime),*> DeserializeSeed<'de> for $name<$($lifetime),*> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.$method(self)
            }
        }

        impl<'de, $($lifetime),*> Visitor<'de> for $name<$($lifetime),*> {
            type Value = $value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expected)
            }

            $($visit)+
        }
    };
}

seed! { Body<'p> -> (), deserialize_map, "an object with streams",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Text)? {
            if key.as_ref() == b"streams" {
                map.next_value_seed(Streams(Body { pushed: self.pushed, fault: self.fault }))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

seed! { Streams<'p> -> (), deserialize_seq, "a list of streams",
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Stream(&mut self.0))?.is_some() {}
        Ok(())
    }
}

seed! { Stream<'s, 'p> -> (), deserialize_map, "an object with stream and values",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Body { pushed, fault } = self.0;
        let mut entries = pushed.entries();
        let mut pairs = EntryMetadata::new();
        while let Some(key) = map.next_key_seed(Text)? {
            match key.as_ref() {
                b"stream" => pairs = map.next_value_seed(Pairs(LABELS_MAX))?,
                b"values" => map.next_value_seed(Values { entries: &mut entries, fault })?,
                b"labels" | b"entries" => return Err(A::Error::custom(OLD_FORM)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        pairs.sort();
        let text = LabelsText(&pairs).to_string();
        let labels = Labels::new(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        let labels = labels.map_err(|error| entries::labels_refusal(&error, &text));
        pushed.add(labels, &text, entries).map_err(|found| {
            **fault = Some(found);
            A::Error::custom("too large")
        })
    }
}

seed! { Values<'s> -> (), deserialize_seq, "a list of entries",
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Entry(&mut self))?.is_some() {}
        Ok(())
    }
}

seed! { Entry<'s, 'v> -> (), deserialize_seq, "an entry: a list of its time, its line and perhaps its metadata",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let missing = |count| A::Error::invalid_length(count, &"an entry: a list of its time, its line and perhaps its metadata");
        let time = list.next_element_seed(Time)?.ok_or_else(|| missing(0))?;
        let line = list.next_element_seed(Text)?.ok_or_else(|| missing(1))?;
        let metadata = list.next_element_seed(Pairs(METADATA_MAX))?.unwrap_or_default();
        let metadata: EntryMetadata<'_> =
            metadata.into_iter().map(|(name, value)| (Cow::Owned(entries::label_name(&name).into_owned()), value)).collect();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.0.entries.push(time, &line, &metadata).map_err(|fault| {
            *self.0.fault = Some(fault);
            A::Error::custom("too large")
        })
    }
}

seed! { Pairs<> -> EntryMetadata<'de>, deserialize_map, "an object of texts",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EntryMetadata<'de>, A::Error> {
        let text = |bytes: Cow<'de, [u8]>| match bytes {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        let mut pairs = EntryMetadata::new();
        while let Some(name) = map.next_key_seed(Text)? {
            let value = map.next_value_seed(Text)?;
            if pairs.len() <= self.0 {
                pairs.push((text(name), text(value)));
            }
        }
        Ok(pairs)
    }
}

seed! { Text<> -> Cow<'de, [u8]>, deserialize_bytes, "a text",
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, [u8]>, E> {
        Ok(Cow::Borrowed(text.as_bytes()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, [u8]>, E> {
        Ok(Cow::Owned(text.as_bytes().to_vec()))
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Cow<'de, [u8]>, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Cow<'de, [u8]>, E> {
        let mut bytes = bytes.to_vec();
        replace_surrogates(&mut bytes);
        Ok(Cow::Owned(bytes))
    }
}

seed! { Time<> -> Option<Timestamp>, deserialize_any, "nanoseconds since the epoch",
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Option<Timestamp>, E> {
        match text.parse::<i128>() {
            Ok(ns) => Ok(i64::try_from(ns).ok().map(Timestamp::from_ns)),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_i64<E>(self, ns: i64) -> Result<Option<Timestamp>, E> {
        Ok(Some(Timestamp::from_ns(ns)))
    }

    fn visit_u64<E>(self, ns: u64) -> Result<Option<Timestamp>, E> {
        Ok(i64::try_from(ns).ok().map(Timestamp::from_ns))
    }
}

/// Puts U+FFFD, which is as long, in the place of each half of a surrogate pair that an escape stood for: `serde_json`
/// gives the bytes that it would have if it were a character.
fn replace_surrogates(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0xed, rest) {
        rest = &mut rest[at..];
        if let [_, 0xa0..=0xbf, 0x80..=0xbf, ..] = rest {
            rest[..3].copy_from_slice("\u{fffd}".as_bytes());
        }
        rest = &mut rest[1..];
    }
}

/// Pairs as labels are written.
struct LabelsText<'a, 'b>(&'a EntryMetadata<'b>);

impl fmt::Display for LabelsText<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_labels(f, self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Batch;

    fn decode_text(body: &[u8]) -> Result<(Batch, Option<String>), Fault> {
        let mut pushed = Pushed::default();
        decode(body, &mut pushed)?;
        let (batch, _, refusal) = pushed.into_batch();
        Ok((batch, refusal))
    }

    /// A stream's labels, and its lines with their times.
    type Decoded<'a> = (&'a str, &'a [(i64, &'a [u8])]);

    /// The streams, and the refusal.
    #[track_caller]
    fn check(body: &[u8], expected: &[Decoded<'_>], refusal: Option<&str>) {
        let (batch, refused) = decode_text(body).unwrap();
        let labels: Vec<String> = batch.streams.iter().map(|stream| stream.labels.to_string()).collect();
        let lines =
            batch.streams.iter().map(|stream| stream.lines.iter().map(|(time, line)| (time.as_ns(), line)).collect());
        let lines: Vec<Vec<(i64, &[u8])>> = lines.collect();
        let streams: Vec<_> = labels.iter().map(String::as_str).zip(lines.iter().map(Vec::as_slice)).collect();
        assert_eq!((streams.as_slice(), refused.as_deref()), (expected, refusal));
    }

    #[test]
    fn entries_are_taken_as_they_come() {
        check(b"{}", &[], None);
        check(br#"{"streams":[{"stream":{},"values":[]}]}"#, &[], None);
        check(
            br#" {"x":[{}],"streams":[{"values":[["2","a\n\u00e9"],[-1,""]],"stream":{"b":"2","a":"1"}}]} "#,
            &[(r#"{a="1", b="2"}"#, &[(2, "a\n\u{e9}".as_bytes()), (-1, b"")])],
            None,
        );
        check(
            br#"{"streams":[{"stream":{"a":"1"},"values":[["1","text",{"t.id":"\\"}],["2","plain",{}]]}]}"#,
            &[
                (r#"{a="1"}"#, &[(2, b"plain")]),
                (r#"{__with_metadata__="1", a="1"}"#, &[(1, b"text\x1ft_id=\\\\\x1f0000016")]),
            ],
            None,
        );
    }

    #[test]
    fn a_line_is_bytes() {
        check(
            b"{\"streams\":[{\"stream\":{\"a\":\"1\"},\"values\":[[\"1\",\"\xff\"]]}]}",
            &[(r#"{a="1"}"#, &[(1, b"\xff")])],
            None,
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_one_replacement_character() {
        check(
            br#"{"streams":[{"stream":{"a":"1"},"values":[["1","x\ud800y"],["2","\ud800\ud800"],
                ["3","\ud83d\ude00\ud7ff"]]}]}"#,
            &[(
                r#"{a="1"}"#,
                &[(1, "x\u{fffd}y".as_bytes()), (2, "\u{fffd}\u{fffd}".as_bytes()), (3, "😀\u{d7ff}".as_bytes())],
            )],
            None,
        );
        check(
            br#"{"streams":[{"stream":{"a":"\ud800"},"values":[["1","x"]]}]}"#,
            &[("{a=\"\u{fffd}\"}", &[(1, b"x")])],
            None,
        );
    }

    #[test]
    fn the_old_form_is_refused() {
        let body = br#"{"streams":[{"labels":"{a=\"1\"}","entries":[{"ts":"2026-11-30T10:00:00Z","line":"x"}]}]}"#;
        let Err(Fault::Malformed(reason)) = decode_text(body) else { panic!("it is refused") };
        assert!(reason.starts_with("streams with labels and entries are of Loki's old form"), "{reason}");
    }

    #[test]
    fn what_is_refused_does_not_keep_others_out() {
        let good: &[Decoded<'_>] = &[(r#"{a="1"}"#, &[(i64::MAX, b"x")])];
        let values = r#""values":[["9223372036854775807","x"]]"#;
        for (stream, message) in [
            ("{}", "error at least one label pair is required per stream"),
            (r#"{"b":""}"#, "error at least one label pair is required per stream"),
            (r#"{"b.c":"1"}"#, r#"error parsing labels '{b.c="1"}' with error: "b.c" is no label name"#),
            (r#"{"b":"1","b":"2"}"#, r#"stream '{b="1", b="2"}' has duplicate label name: 'b'"#),
            (
                r#"{"__with_metadata__":"1"}"#,
                r#"stream '{__with_metadata__="1"}' has duplicate label name: '__with_metadata__'"#,
            ),
        ] {
            let body = format!(r#"{{"streams":[{{"stream":{stream},{values}}},{{"stream":{{"a":"1"}},{values}}}]}}"#);
            check(body.as_bytes(), good, Some(message));
        }
        let long = "x".repeat(entries::LINE_BYTES_MAX + 1);
        let body = format!(
            r#"{{"streams":[{{"stream":{{"a":"1"}},"values":[["1","{long}"],["9223372036854775807","x"],["9223372036854775808","y"]]}}]}}"#
        );
        let message = "Max entry size '1048576' bytes exceeded for stream '{a=\"1\"}' while adding an entry with length \
                       '1048577' bytes; 2 entries were refused in all";
        check(body.as_bytes(), good, Some(message));
        let many: Vec<String> = (0..=METADATA_MAX).map(|index| format!(r#""m{index}":"""#)).collect();
        let body = format!(
            r#"{{"streams":[{{"stream":{{"a":"1"}},"values":[["9223372036854775807","x"],["1","y",{{{}}}]]}}]}}"#,
            many.join(",")
        );
        let message = "stream '{a=\"1\"}' has too many structured metadata labels: '129' or more, limit: '128'";
        check(body.as_bytes(), good, Some(message));
    }

    #[test]
    fn what_is_no_push_is_refused_as_a_whole() {
        for body in [
            "",
            "[]",
            "{",
            r#"{"streams":{}}"#,
            r#"{"streams":[{"stream":{"a":1}}]}"#,
            "{} {}",
            r#"{"streams":[{"values":[["x","line"]]}]}"#,
            r#"{"streams":[{"values":[["1"]]}]}"#,
            r#"{"streams":[{"values":[["1","line",{"a":{}}]]}]}"#,
            r#"{"streams":[{"values":[["1","line",7]]}]}"#,
        ] {
            assert!(matches!(decode_text(body.as_bytes()), Err(Fault::Malformed(_))), "{body}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(1 << 20));
        assert!(matches!(decode_text(deep.as_bytes()), Err(Fault::Malformed(_))));
    }
}
