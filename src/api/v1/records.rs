//! The records that the page reads: each a JSON value and a newline. What is an array is a line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use crate::api::v1::text::{Fields, LabelMap};
use crate::api::{body, wire};
use crate::inventory::Inventory;
use crate::log_database::{metadata, stream_id};
use crate::logql::pipeline::Category;
use crate::model::{Labels, TimeRange, Timestamp};
use crate::query::{FoundLine, LineId, Seen, service};
use crate::status::{Event, Mark};

/// Writes the records of one answer: streams are numbered in the order of their first use, and told of before it.
#[derive(Debug)]
pub(super) struct Records {
    /// Names of streams, joined to their stored labels.
    inventory: Arc<Inventory>,
    /// By the labels that they are stored with, a mark of metadata included.
    streams: HashMap<Labels, Stream>,
    /// How many streams have a number.
    count: u32,
}

/// A stream of the answer.
#[derive(Clone, Copy, Debug)]
struct Stream {
    id: u64,
    /// The number that it has in the answer, once that has said so.
    number: Option<u32>,
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

/// Appends what comes after the stream's number in the record of a line.
pub(super) fn push_line_after_stream(out: &mut Vec<u8>, line: &FoundLine<'_>, check: u32) {
    let start = out.len();
    let (time, check) = (Ns(line.timestamp), format!("{check:08x}"));
    let (level, text) = (line.shown.level, String::from_utf8_lossy(line.shown.text));
    let of = |category| Fields::of(line.shown.labels, category);
    let extra = Extra { metadata: of(Category::Metadata), parsed: of(Category::Parsed) };
    if extra.metadata.is_none() && extra.parsed.is_none() {
        wire::push_json(out, &(time, line.number, check, level, text));
    } else {
        wire::push_json(out, &(time, line.number, check, level, text, extra));
    }
    // It goes on with the array that the number begins.
    out[start] = b',';
    out.push(b'\n');
}

impl Records {
    pub(super) fn new(inventory: Arc<Inventory>) -> Self {
        Self { inventory, streams: HashMap::new(), count: 0 }
    }

    /// The labels that a stream has for whoever reads the answer.
    pub(super) fn labels_of(&self, stored: &Labels) -> Labels {
        self.inventory.join(&own_labels(stored)).labels
    }

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
            let stream = Stream { id: stream_id(stored), number: None };
            self.streams.insert(stored.clone(), stream);
        }
        self.streams.get_mut(stored).expect("it was there, or was just added")
    }

    /// The number of a stream; appends what it stands for, unless that was said.
    fn push_stream(&mut self, out: &mut Vec<u8>, stored: &Labels) -> u32 {
        let count = self.count;
        let stream = self.stream(stored);
        if let Some(number) = stream.number {
            return number;
        }
        stream.number = Some(count);
        let id = format!("{:016x}", stream.id);
        self.count += 1;
        let labels = self.labels_of(stored);
        let shown = service::with_service(&labels);
        let service = shown.get(service::SERVICE_LABEL).unwrap_or_default();
        push(out, "stream", &StreamRecord { s: count, id, labels: LabelMap(&labels), service });
        count
    }

    /// Appends a line of which [`push_line_after_stream`] has made the rest, and its stream before its first one.
    pub(super) fn push_line(&mut self, out: &mut Vec<u8>, stored: &Labels, rest: &[u8]) {
        let number = self.push_stream(out, stored);
        write!(out, "[{number}").expect(body::INTO_MEMORY);
        out.extend_from_slice(rest);
    }

    /// Appends what happened, of a stream or of all.
    pub(super) fn push_mark(&mut self, out: &mut Vec<u8>, stored: Option<&Labels>, mark: &Mark) {
        let number = stored.map(|stored| self.push_stream(out, stored));
        let time = mark.time.as_ns().to_string();
        match &mark.event {
            Event::Started => push(out, "started", &json!({"time": time})),
            Event::Rotated => push(out, "rotated", &json!({"s": number, "time": time})),
            Event::Lost { bytes, reason } => {
                let bytes = [bytes.start, bytes.end];
                push(out, "gap", &json!({"s": number, "time": time, "bytes": bytes, "reason": reason.name()}));
            }
        }
    }
}

#[derive(Serialize)]
struct StreamRecord<'a> {
    s: u32,
    id: String,
    labels: LabelMap<'a>,
    service: &'a str,
}
