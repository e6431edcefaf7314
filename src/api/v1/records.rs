//! The records that the page reads: each a JSON value and a newline. What is an array is a line.

use std::borrow::Cow;
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
#[derive(Debug)]
pub(super) struct Records {
    streams: Vec<StreamState>,
    /// How many streams have a number.
    count: u32,
}

/// A stream of the answer.
#[derive(Debug)]
struct StreamState {
    /// With a mark of metadata.
    stored: Labels,
    id: Option<u64>,
    /// The number that it has in the answer.
    number: Option<u32>,
    /// Whether the answer has said what that stands for.
    is_said: bool,
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
    /// Of the streams that lines are found in, as they are stored.
    pub(super) fn new<'a>(stored: impl Iterator<Item = &'a Labels>) -> Self {
        let state = |stored: &Labels| StreamState { stored: stored.clone(), id: None, number: None, is_said: false };
        Self { streams: stored.map(state).collect(), count: 0 }
    }

    /// The labels that a stream is stored with, without a mark.
    pub(super) fn own_labels(&self, stream: usize) -> Cow<'_, Labels> {
        let stored = &self.streams[stream].stored;
        metadata::unmark(stored).map_or(Cow::Borrowed(stored), Cow::Owned)
    }

    /// The id of a line.
    pub(super) fn id_of(&mut self, line: &FoundLine<'_>) -> LineId {
        let state = &mut self.streams[line.stream];
        let stream = *state.id.get_or_insert_with(|| stream_id(&state.stored));
        LineId { stream, timestamp: line.timestamp, number: line.number, check: line.check() }
    }

    /// The number that a stream has in the answer.
    fn number(&mut self, stream: usize) -> u32 {
        let count = &mut self.count;
        *self.streams[stream].number.get_or_insert_with(|| {
            *count += 1;
            *count - 1
        })
    }

    /// Appends what the number of a stream stands for, unless that was said.
    pub(super) fn push_stream(&mut self, out: &mut Vec<u8>, stream: usize) {
        if self.streams[stream].is_said {
            return;
        }
        let (own, number) = (self.own_labels(stream).into_owned(), self.number(stream));
        let state = &mut self.streams[stream];
        let id = *state.id.get_or_insert_with(|| stream_id(&state.stored));
        state.is_said = true;
        let shown = service::with_service(&own);
        let service = shown.get(service::SERVICE_LABEL).unwrap_or_default();
        push(out, "stream", &StreamRecord { s: number, id: format!("{id:016x}"), labels: LabelMap(&own), service });
    }

    /// Appends a line; its stream is to be said before.
    pub(super) fn push_line(&mut self, out: &mut Vec<u8>, line: &FoundLine<'_>, check: u32) {
        let number = self.number(line.stream);
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
    pub(super) fn push_gap(&mut self, out: &mut Vec<u8>, stream: usize, gap: &Gap) {
        self.push_stream(out, stream);
        let number = self.number(stream);
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
