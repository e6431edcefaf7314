//! The records that the page reads: each a JSON value and a newline. What is an array is a line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;

use serde::Serialize;
use serde_json::json;

use crate::api::v1::text::{Fields, LabelMap};
use crate::api::{body, wire};
use crate::log_database::{metadata, stream_id};
use crate::logql::pipeline::Category;
use crate::model::{Labels, TimeRange, Timestamp};
use crate::query::{FoundLine, LineId, Seen, service};
use crate::status::Gap;

/// Writes the records of one answer: streams are numbered in the order of their first use, and said before it.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By the labels that they are stored with, a mark of metadata included.
    streams: HashMap<Labels, Stream>,
    /// How many streams have a number.
    count: u32,
}

/// A stream of the answer.
#[derive(Clone, Copy, Debug)]
struct Stream {
    id: u64,
    /// The number that it has in the answer.
    number: u32,
    /// Whether the answer has said what that stands for.
    is_said: bool,
}

/// The labels that a stream is stored with, without a mark.
pub(super) fn own_labels(stored: &Labels) -> Cow<'_, Labels> {
    metadata::unmark(stored).map_or(Cow::Borrowed(stored), Cow::Owned)
}

/// What the answer is of.
#[derive(Serialize)]
pub(super) struct Begin<'a> {
    pub(super) query: String,
    pub(super) start: Ns,
    pub(super) end: Ns,
    pub(super) now: Ns,
    pub(super) version: &'a str,
    pub(super) instance: &'a str,
}

/// How the answer came to its end.
#[derive(Serialize)]
pub(super) struct End {
    pub(super) reason: &'static str,
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
    pub(super) unreadable_parts: usize,
    pub(super) seconds: f64,
}

/// Nanoseconds since the epoch as text: no number of JavaScript's is exact to them.
pub(super) struct Ns(pub(super) Timestamp);

impl Serialize for Ns {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.as_ns())
    }
}

#[derive(Serialize)]
struct Extra<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Fields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parsed: Option<Fields<'a>>,
}

impl Begin<'_> {
    pub(super) fn new<'a>(
        query: String,
        range: TimeRange,
        now: Timestamp,
        version: &'a str,
        instance: &'a str,
    ) -> Begin<'a> {
        Begin { query, start: Ns(range.start), end: Ns(range.end), now: Ns(now), version, instance }
    }
}

/// Appends a record.
pub(super) fn push(out: &mut Vec<u8>, name: &str, content: &impl Serialize) {
    write!(out, "{{\"{name}\":").expect(body::INTO_MEMORY);
    wire::push_json(out, content);
    out.extend_from_slice(b"}\n");
}

/// Appends that nothing was found yet.
pub(super) fn push_seen(out: &mut Vec<u8>, reached: Option<Timestamp>, seen: Seen) {
    push(
        out,
        "seen",
        &json!({"back_to": reached.map(|time| time.as_ns().to_string()), "bytes": seen.bytes, "lines": seen.lines}),
    );
}

impl Records {
    /// The id of a line.
    pub(super) fn id_of(&mut self, line: &FoundLine<'_>) -> LineId {
        let stream = self.stream(line.stream).id;
        LineId { stream, timestamp: line.timestamp, number: line.number, check: line.check() }
    }

    /// How many streams there are so far.
    pub(super) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    fn stream(&mut self, stored: &Labels) -> &mut Stream {
        // Streams that are there are the rule, and `entry` would take a copy of the labels for each line.
        if !self.streams.contains_key(stored) {
            let stream = Stream { id: stream_id(stored), number: self.count, is_said: false };
            self.count += 1;
            self.streams.insert(stored.clone(), stream);
        }
        self.streams.get_mut(stored).expect("it was there, or was just added")
    }

    /// Appends what the number of a stream stands for, unless that was said.
    pub(super) fn push_stream(&mut self, out: &mut Vec<u8>, stored: &Labels) {
        let stream = self.stream(stored);
        let Stream { id, number, .. } = *stream;
        if std::mem::replace(&mut stream.is_said, true) {
            return;
        }
        let own = own_labels(stored);
        let shown = service::with_service(&own);
        let service = shown.get(service::SERVICE_LABEL).unwrap_or_default();
        push(out, "stream", &StreamRecord { s: number, id: format!("{id:016x}"), labels: LabelMap(&own), service });
    }

    /// Appends a line; its stream is to be said before.
    pub(super) fn push_line(&mut self, out: &mut Vec<u8>, line: &FoundLine<'_>, check: u32) {
        let number = self.stream(line.stream).number;
        let time = Ns(line.timestamp);
        let (check, text) = (format!("{check:08x}"), String::from_utf8_lossy(line.shown.text));
        let of = |category| Fields::of(line.shown.labels, category);
        let extra = Extra { metadata: of(Category::Metadata), parsed: of(Category::Parsed) };
        let level = line.shown.level;
        if extra.metadata.is_none() && extra.parsed.is_none() {
            wire::push_json(out, &(number, time, line.number, check, level, text));
        } else {
            wire::push_json(out, &(number, time, line.number, check, level, text, extra));
        }
        out.push(b'\n');
    }

    /// Appends that bytes of a stream were lost.
    pub(super) fn push_gap(&mut self, out: &mut Vec<u8>, stored: &Labels, gap: &Gap) {
        self.push_stream(out, stored);
        let number = self.stream(stored).number;
        let bytes = [gap.bytes.start, gap.bytes.end];
        let time = gap.found.as_ns().to_string();
        push(out, "gap", &json!({"s": number, "time": time, "bytes": bytes, "reason": gap.reason.name()}));
    }
}

#[derive(Serialize)]
struct StreamRecord<'a> {
    s: u32,
    id: String,
    labels: LabelMap<'a>,
    service: &'a str,
}
