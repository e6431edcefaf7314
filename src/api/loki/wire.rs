//! Loki's JSON.
//!
//! Grafana reads an answer while it comes, so the order of its keys matters: what the result is comes before the result.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::ser::Serializer;
use tide::Response;

use crate::api::error::Error;
use crate::api::loki::pieces::{Element, Elements};
use crate::api::{body, wire};
use crate::logql::eval::{self, Line, SeriesLabels};
use crate::logql::units::NS_PER_MILLISECOND;
use crate::model::budget::Budget;
use crate::model::{Labels, Timestamp};
use crate::query::Seen;

const CONTENT_TYPE: &str = "application/json; charset=UTF-8";

/// The flag by which a client asks for labels by category, and the answer says that they are.
pub(super) const CATEGORIZE_LABELS: &str = "categorize-labels";

/// What most answers are wrapped in.
#[derive(Serialize)]
struct Success<'a, T> {
    status: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [&'a str],
    data: T,
}

/// The answer to a query.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a, R> {
    #[serde(skip)]
    warnings: &'a [&'a str],
    result_type: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    encoding_flags: &'static [&'static str],
    result: R,
    stats: Stats,
}

/// What a query cost.
#[derive(Default, Serialize)]
struct Stats {
    summary: StatsSummary,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatsSummary {
    bytes_processed_per_second: u64,
    lines_processed_per_second: u64,
    total_bytes_processed: u64,
    total_lines_processed: u64,
    /// Of our own: columns answered for the others.
    total_lines_one_by_one: u64,
    exec_time: f64,
    total_entries_returned: usize,
}

impl<'a, R: Serialize> Answer<'a, R> {
    pub(super) fn new(result_type: &'static str, result: R) -> Self {
        Self { warnings: &[], result_type, encoding_flags: &[], result, stats: Stats::default() }
    }

    pub(super) fn with_warnings(self, warnings: &'a [&'a str]) -> Self {
        Self { warnings, ..self }
    }

    /// Says whether the labels are told apart by category.
    pub(super) fn with_categories(self, has_categories: bool) -> Self {
        Self { encoding_flags: encoding_flags(has_categories), ..self }
    }

    pub(super) fn with_cost(self, cost: &Cost) -> Self {
        Self { stats: Stats { summary: cost.summary() }, ..self }
    }

    pub(super) fn into_response(self) -> Response {
        json(&Success { status: "success", warnings: self.warnings, data: self })
    }
}

impl Answer<'_, [(); 0]> {
    /// The answer with `elements` for its result, which is empty so far; they are separated already. They weigh
    /// `weight` in all, and what they are made of is all that is taken of `budget`. Blocks.
    pub(super) fn with_elements(
        self,
        elements: impl Iterator<Item = Element> + Send + 'static,
        weight: usize,
        budget: Arc<Budget>,
    ) -> Result<Response, Error> {
        let success = Success { status: "success", warnings: self.warnings, data: self };
        let text = serde_json::to_string(&success).expect("wire structs hold no map with keys that are not text");
        let (before, after) = text.split_once(r#""result":[]"#).expect("the result is empty");
        let (before, after) = (format!(r#"{before}"result":["#).into(), format!("]{after}\n").into());
        let elements = Elements::new(before, elements.fuse(), after, weight, budget);
        Ok(as_json(body::response(elements)?))
    }
}

/// Counts what a query costs.
pub(super) struct Cost {
    started: Instant,
    pub(super) seen: Seen,
    entries_returned: usize,
}

impl Cost {
    /// The clock starts now.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), seen: Seen::default(), entries_returned: 0 }
    }

    pub(super) fn set_entries_returned(&mut self, count: usize) {
        self.entries_returned = count;
    }

    fn summary(&self) -> StatsSummary {
        let elapsed = self.started.elapsed();
        let nanoseconds = elapsed.as_nanos().max(1);
        let per_second = |count: u64| {
            u64::try_from(u128::from(count) * Duration::from_secs(1).as_nanos() / nanoseconds).unwrap_or(u64::MAX)
        };
        let Seen { lines, bytes, one_by_one } = self.seen;
        StatsSummary {
            bytes_processed_per_second: per_second(bytes),
            lines_processed_per_second: per_second(lines),
            total_bytes_processed: bytes,
            total_lines_processed: lines,
            total_lines_one_by_one: one_by_one,
            exec_time: elapsed.as_secs_f64(),
            total_entries_returned: self.entries_returned,
        }
    }
}

/// A stream of a log query's answer: its labels, and its lines.
#[derive(Serialize)]
pub(super) struct Stream<'a> {
    stream: SeriesObject<'a>,
    values: Vec<Value<'a>>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(stream: &'a eval::Stream, has_categories: bool) -> Self {
        let values = stream.lines.iter().map(|line| Value { line, has_categories });
        Self { stream: SeriesObject(&stream.labels), values: values.collect() }
    }
}

/// A message of a tail.
#[derive(Serialize)]
pub(super) struct Frame<'a> {
    streams: Vec<Stream<'a>>,
    #[serde(rename = "encodingFlags", skip_serializing_if = "<[_]>::is_empty")]
    encoding_flags: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped_entries: Vec<Dropped<'a>>,
}

/// That a tail misses a line of a stream, and lines before it.
#[derive(Serialize)]
pub(super) struct Dropped<'a> {
    timestamp: String,
    labels: LabelObject<'a>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(streams: &'a [eval::Stream], dropped_entries: Vec<Dropped<'a>>, has_categories: bool) -> Self {
        Self {
            streams: streams.iter().map(|stream| Stream::new(stream, has_categories)).collect(),
            encoding_flags: encoding_flags(has_categories),
            dropped_entries,
        }
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("wire structs hold no map with keys that are not text")
    }

    /// How many bytes the text has, which is not made for it.
    pub(super) fn text_bytes(&self) -> usize {
        let mut count = ByteCount(0);
        serde_json::to_writer(&mut count, self).expect("wire structs hold no map with keys that are not text");
        count.0
    }
}

/// Counts what is written.
struct ByteCount(usize);

impl io::Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Dropped<'a> {
    pub(super) fn new(labels: &'a Labels, timestamp: Timestamp) -> Self {
        Self { timestamp: timestamp.as_ns().to_string(), labels: LabelObject(labels) }
    }
}

/// What an answer says of how its labels are told apart.
fn encoding_flags(has_categories: bool) -> &'static [&'static str] {
    if has_categories { &[CATEGORIZE_LABELS] } else { &[] }
}

/// A line: its time in nanoseconds as text, its text and, where asked for, its labels by category.
pub(super) struct Value<'a> {
    pub(super) line: &'a Line,
    pub(super) has_categories: bool,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Line { timestamp, text, metadata, parsed } = self.line;
        let (time, text) = (timestamp.as_ns().to_string(), String::from_utf8_lossy(text));
        if !self.has_categories {
            return (time, text).serialize(serializer);
        }
        let [metadata, parsed] =
            [metadata, parsed].map(|labels| labels.iter().next().is_some().then_some(SeriesObject(labels)));
        (time, text, Categories { metadata, parsed }).serialize(serializer)
    }
}

/// The labels of a line that are not those of its stream.
#[derive(Serialize)]
struct Categories<'a> {
    #[serde(rename = "structuredMetadata", skip_serializing_if = "Option::is_none")]
    metadata: Option<SeriesObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parsed: Option<SeriesObject<'a>>,
}

/// A group of a vector: its labels, and its value at one time.
#[derive(Serialize)]
pub(super) struct Sample<L> {
    pub(super) metric: L,
    pub(super) value: Point,
}

/// A group of a matrix: its labels, and its values.
#[derive(Serialize)]
pub(super) struct Samples<L> {
    pub(super) metric: L,
    pub(super) values: Vec<Point>,
}

/// A time and the value at it, which is a number as text.
pub(super) type Point = (Seconds, String);

/// An instant as a number of seconds, exact to a millisecond.
pub(super) struct Seconds(pub(super) Timestamp);

impl Serialize for Seconds {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any time that is stored are far below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = self.0.as_ns().div_euclid(NS_PER_MILLISECOND);
        if milliseconds % 1000 == 0 {
            return serializer.serialize_i64(milliseconds / 1000);
        }
        serializer.serialize_f64(milliseconds as f64 / 1000.0)
    }
}

/// Labels as an object.
pub(super) struct LabelObject<'a>(pub(super) &'a Labels);

impl Serialize for LabelObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// Labels of a series as an object.
pub(super) struct SeriesObject<'a>(pub(super) &'a SeriesLabels);

impl Serialize for SeriesObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// A value at a time.
pub(super) fn point((time, value): &(Timestamp, f64)) -> Point {
    (Seconds(*time), number(*value))
}

/// A number as its shortest decimal that reads the same, never with an exponent.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if 0.0 < value { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

/// An answer of JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    as_json(wire::json(value))
}

fn as_json(mut response: Response) -> Response {
    response.insert_header("Content-Type", CONTENT_TYPE);
    response
}

/// As [`wire::held_json`].
pub(super) fn held_json(value: &impl Serialize, budget: Arc<Budget>) -> Result<Response, Error> {
    Ok(as_json(wire::held_json(value, budget)?))
}

/// As [`held_json`], and says that all is well.
pub(super) fn held_success(data: impl Serialize, budget: Arc<Budget>) -> Result<Response, Error> {
    held_success_with(&[], data, budget)
}

/// As [`held_success`], but for what `warnings` say.
pub(super) fn held_success_with(
    warnings: &[&str],
    data: impl Serialize,
    budget: Arc<Budget>,
) -> Result<Response, Error> {
    held_json(&Success { status: "success", warnings, data }, budget)
}

/// An answer of JSON that says that all is well.
pub(super) fn success(data: impl Serialize) -> Response {
    json(&Success { status: "success", warnings: &[], data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_exponent() {
        let numbers = [0.05, 1e12, 1e-7, 1e21, -0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let texts = ["0.05", "1000000000000", "0.0000001", "1000000000000000000000", "-0.5", "NaN", "+Inf", "-Inf"];
        assert_eq!(numbers.map(number), texts);
    }

    #[test]
    fn times_are_numbers_with_milliseconds() {
        let time = |ns| serde_json::to_string(&Seconds(Timestamp::from_ns(ns))).unwrap();
        assert_eq!(time(1_700_000_000_000_000_000), "1700000000");
        assert_eq!(time(1_700_000_000_500_999_999), "1700000000.5");
        assert_eq!(time(-1_500_000_000), "-1.5");
    }
}
