//! The records of `/api/v1/lines` and `/api/v1/follow`, as `docs/api.md` has them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

/// Labels of a stream, or fields of a line.
pub(super) type Labels = BTreeMap<String, String>;

/// Where a line comes from.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stream {
    s: usize,
    id: String,
    pub(super) labels: Labels,
}

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) stream: Rc<Stream>,
    /// In nanoseconds since the Unix epoch.
    pub(super) time: i64,
    number: u64,
    check: String,
    pub(super) level: String,
    pub(super) text: String,
    pub(super) extra: Extra,
}

/// Labels that are a line's own: stored beside it, and made by the query.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Extra {
    #[serde(default)]
    pub(super) metadata: Labels,
    #[serde(default)]
    pub(super) parsed: Labels,
}

/// A line's place in the order of all lines: by time, by labels, as stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    time: i64,
    labels: Vec<(String, String)>,
    stream: String,
    number: u64,
}

impl Line {
    /// What the line is known by.
    pub(super) fn id(&self) -> String {
        format!("{}.{}.{}.{}", self.stream.id, self.time, self.number, self.check)
    }

    /// Where it is.
    pub(super) fn place(&self) -> Place {
        let labels = self.stream.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Place { time: self.time, labels, stream: self.stream.id.clone(), number: self.number }
    }
}

/// What an answer says.
#[derive(Debug)]
pub(super) enum Record {
    Begin(Begin),
    Line(Line),
    /// Bytes of a file were lost.
    Gap(String),
    /// Lines were left out, between two ids.
    Missed {
        after: Option<String>,
        before: Option<String>,
    },
    /// The next line is older than one that was sent.
    Late,
    End(End),
    /// The rest cannot be read.
    Error(String),
    /// Nothing but a sign of life.
    Alive,
}

/// What the answer is of.
#[derive(Debug, Deserialize)]
pub(super) struct Begin {
    /// The times that were asked for, in nanoseconds since the Unix epoch.
    pub(super) start: String,
    pub(super) end: String,
}

/// How the answer came to its end.
#[derive(Debug, Deserialize)]
pub(super) struct End {
    pub(super) reason: String,
    #[serde(default)]
    pub(super) unreadable_parts: u64,
}

#[derive(Deserialize)]
struct Keyed {
    begin: Option<Begin>,
    stream: Option<Stream>,
    gap: Option<Gap>,
    missed: Option<Missed>,
    #[serde(default)]
    late: bool,
    end: Option<End>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Gap {
    s: usize,
    bytes: [u64; 2],
    reason: String,
}

#[derive(Deserialize)]
struct Missed {
    after: Option<String>,
    before: Option<String>,
}

/// `[stream, time, n, check, level, text]`, and a line's own labels after it where there are any.
struct RawLine<'a> {
    stream: usize,
    time: i64,
    number: u64,
    check: Cow<'a, str>,
    level: Cow<'a, str>,
    text: String,
    extra: Extra,
}

impl<'de> Deserialize<'de> for RawLine<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawLine<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a line: [stream, time, n, check, level, text]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<RawLine<'de>, A::Error> {
                let mut index = 0;
                let mut missing = || {
                    index += 1;
                    de::Error::invalid_length(index - 1, &self)
                };
                let stream = fields.next_element()?.ok_or_else(&mut missing)?;
                let time: &str = fields.next_element()?.ok_or_else(&mut missing)?;
                let line = RawLine {
                    stream,
                    time: time.parse().map_err(de::Error::custom)?,
                    number: fields.next_element()?.ok_or_else(&mut missing)?,
                    check: Cow::Borrowed(fields.next_element()?.ok_or_else(&mut missing)?),
                    level: Cow::Borrowed(fields.next_element()?.ok_or_else(&mut missing)?),
                    text: fields.next_element()?.ok_or_else(&mut missing)?,
                    extra: fields.next_element()?.unwrap_or_default(),
                };
                Ok(line)
            }
        }
        deserializer.deserialize_seq(Fields)
    }
}

/// Reads the records of one answer, in which streams have numbers.
#[derive(Debug, Default)]
pub(super) struct Reader {
    streams: Vec<Rc<Stream>>,
}

impl Reader {
    /// Reads one record; what is wrong with it as text.
    pub(super) fn read(&mut self, text: &str) -> Result<Record, String> {
        self.try_read(text).map_err(|error| format!("the agent answers what this version does not know: {error}"))
    }

    fn try_read(&mut self, text: &str) -> Result<Record, serde_json::Error> {
        if text.starts_with('[') {
            let line: RawLine<'_> = serde_json::from_str(text)?;
            return Ok(Record::Line(Line {
                stream: self.stream(line.stream)?,
                time: line.time,
                number: line.number,
                check: line.check.into_owned(),
                level: line.level.into_owned(),
                text: line.text,
                extra: line.extra,
            }));
        }
        let record: Keyed = serde_json::from_str(text)?;
        if let Some(stream) = record.stream {
            if stream.s != self.streams.len() {
                return Err(de::Error::custom(format!("stream {} is out of turn", stream.s)));
            }
            self.streams.push(Rc::new(stream));
        }
        if let Some(gap) = record.gap {
            let name = name(&self.stream(gap.s)?.labels);
            return Ok(Record::Gap(format!(
                "bytes {} to {} of {name} were lost: {}",
                gap.bytes[0], gap.bytes[1], gap.reason
            )));
        }
        let error =
            record.error.map(|error| Record::Error(error.as_str().map_or_else(|| error.to_string(), str::to_owned)));
        Ok(record
            .begin
            .map(Record::Begin)
            .or(record.missed.map(|missed| Record::Missed { after: missed.after, before: missed.before }))
            .or(record.late.then_some(Record::Late))
            .or(record.end.map(Record::End))
            .or(error)
            .unwrap_or(Record::Alive))
    }

    fn stream(&self, number: usize) -> Result<Rc<Stream>, serde_json::Error> {
        let stream = self.streams.get(number).map(Rc::clone);
        stream.ok_or_else(|| de::Error::custom(format!("stream {number} was not told of")))
    }
}

/// What people call a stream: its pod and container, its service and container, its unit, its file, or all of its labels.
pub(super) fn name(labels: &Labels) -> String {
    let parts = |names: &[&str]| -> Option<String> {
        let parts: Vec<&str> = names.iter().filter_map(|name| labels.get(*name)).map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    };
    let is = |name: &str| labels.contains_key(name);
    let named = if is("pod") {
        parts(&["namespace", "pod", "container"])
    } else {
        parts(&["container"]).or_else(|| parts(&["unit"])).or_else(|| parts(&["path"]))
    };
    named.unwrap_or_else(|| labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_id_that_the_api_takes() {
        let mut reader = Reader::default();
        let stream = r#"{"stream":{"s":0,"id":"a05e","labels":{"path":"/var/log/app.log"},"service":"app"}}"#;
        assert!(matches!(reader.read(stream), Ok(Record::Alive)));
        let Ok(Record::Line(line)) = reader.read(r#"[0,"17",30,"908ee995","error","a \"b\"",{"parsed":{"x":"1"}}]"#)
        else {
            panic!("it is a line");
        };
        assert_eq!((line.id().as_str(), line.text.as_str()), ("a05e.17.30.908ee995", "a \"b\""));
        assert_eq!(line.extra.parsed["x"], "1");
        assert_eq!(name(&line.stream.labels), "/var/log/app.log");
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut reader = Reader::default();
        for text in
            ["", "[]", "[0]", r#"[7,"1",0,"","",""]"#, r#"{"stream":{"s":4,"id":"","labels":{},"service":""}}"#, "{"]
        {
            assert!(reader.read(text).is_err(), "{text}");
        }
    }
}
