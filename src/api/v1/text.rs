//! Lines as text, as JSON objects and as the bytes that are stored: what people save and other programs read.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::api::v1::arguments::Times;
use crate::api::{body, wire};
use crate::logql::pipeline::{Category, LEVEL_LABEL, LineLabels};
use crate::model::{Labels, Timestamp};
use crate::query::FoundLine;

/// The time as it is written; `None` where it is left out.
fn time(times: &Times, timestamp: Timestamp) -> Option<String> {
    let Times::In(zone) = times else { return None };
    let instant = jiff::Timestamp::from_nanosecond(timestamp.as_ns().into());
    let instant = instant.expect("64 bits of nanoseconds lie within jiff's years");
    Some(instant.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string())
}

/// What people call a stream: its container, its file, or all of its labels.
fn name(labels: &Labels) -> Cow<'_, str> {
    let parts: Option<Vec<&str>> = ["namespace", "pod", "container"].iter().map(|name| labels.get(name)).collect();
    match (parts, labels.get("path")) {
        (Some(parts), _) => Cow::Owned(parts.join("/")),
        (None, _) if let Some(container) = labels.get("container") => Cow::Borrowed(container),
        (None, Some(path)) => Cow::Borrowed(path),
        (None, None) => Cow::Owned(labels.to_string()),
    }
}

/// Appends `time stream: line`; without the stream where its labels are not given.
pub(super) fn push_text(out: &mut Vec<u8>, line: &FoundLine<'_>, labels: Option<&Labels>, times: &Times) {
    if let Some(time) = time(times, line.timestamp) {
        write!(out, "{time} ").expect(body::INTO_MEMORY);
    }
    if let Some(labels) = labels {
        write!(out, "{}: ", name(labels)).expect(body::INTO_MEMORY);
    }
    out.extend_from_slice(line.shown.text);
    out.push(b'\n');
}

/// Appends the bytes that are stored.
pub(super) fn push_raw(out: &mut Vec<u8>, line: &FoundLine<'_>) {
    out.extend_from_slice(line.stored);
    out.push(b'\n');
}

/// Appends an object of the line, its time, its labels and its fields.
pub(super) fn push_object(out: &mut Vec<u8>, id: String, line: &FoundLine<'_>, labels: &Labels, times: &Times) {
    let object = Object {
        time: time(times, line.timestamp),
        id,
        level: line.shown.level,
        line: String::from_utf8_lossy(line.shown.text),
        labels: LabelMap(labels),
        metadata: Fields::of(line.shown.labels, Category::Metadata),
        parsed: Fields::of(line.shown.labels, Category::Parsed),
    };
    wire::push_json(out, &object);
    out.push(b'\n');
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    id: String,
    level: &'a str,
    line: Cow<'a, str>,
    labels: LabelMap<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Fields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parsed: Option<Fields<'a>>,
}

/// The labels of a stream, as an object.
pub(super) struct LabelMap<'a>(pub(super) &'a Labels);

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// The labels of a line that are of one category, as an object; the level stands elsewhere.
pub(super) struct Fields<'a> {
    labels: &'a LineLabels,
    category: Category,
}

impl<'a> Fields<'a> {
    /// `None` where there are none.
    pub(super) fn of(labels: &'a LineLabels, category: Category) -> Option<Self> {
        let fields = Self { labels, category };
        let is_some = fields.iter().next().is_some();
        is_some.then_some(fields)
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let category = self.category;
        let labels = self.labels.iter().filter(move |label| label.category == category && label.name != LEVEL_LABEL);
        labels.map(|label| (label.name, label.value))
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
