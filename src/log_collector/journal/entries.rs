//! What an entry of the journal becomes: a line, its stream, and metadata.
//!
//! | here | there |
//! |---|---|
//! | line | `MESSAGE` |
//! | label `unit` | the unit that it is about, as `journalctl -u` has it; `kernel` for messages of the kernel |
//! | label `identifier` | `SYSLOG_IDENTIFIER`, where there is no unit |
//! | labels `transport`, `hostname` | `_TRANSPORT`, `_HOSTNAME` |
//! | metadata `level` | `PRIORITY`, as a word |
//! | metadata | every other field under its own name; one that comes several times with all its values, each on a line |
//! | time | `_SOURCE_REALTIME_TIMESTAMP`, else when journald took it |
//!
//! Scopes are units that come with each login and each container, so they are no label: there would be no end of streams.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::journald::Entry;
use crate::log_collector::format::LINE_BYTES_MAX;
use crate::log_collector::naming::bounded;
use crate::log_collector::patterns::Patterns;
use crate::model::{Labels, Lines, StreamLines, Timestamp, metadata, text_of};

/// What messages of the kernel are found by.
const KERNEL: &str = "kernel";
/// Most identifiers that become a label: any program may give itself one.
const IDENTIFIERS_MAX: usize = 1000;
/// The words for `PRIORITY`, from 0 on.
const LEVELS: [&str; 8] = ["critical", "critical", "critical", "error", "warn", "info", "info", "debug"];

/// How many fields entries have, most of them.
const FIELDS_TYPICAL: usize = 32;

/// Which entries are collected.
#[derive(Clone, Debug)]
pub struct Units {
    /// What the user says.
    pub patterns: Patterns,
    /// Whether `--include` is about units; if not, it is about files.
    pub are_included_by_name: bool,
}

impl Units {
    fn accept(&self, name: &str) -> bool {
        self.patterns.accept_unit(name, self.are_included_by_name)
    }
}

/// The streams of a batch, and what is known of those before.
#[derive(Default)]
pub(super) struct Gathered {
    /// Which of `streams` an entry is of, by what it says; `None` for one that is not collected.
    by_key: HashMap<Vec<u8>, Option<usize>, foldhash::fast::RandomState>,
    streams: Vec<StreamLines>,
    identifiers: HashSet<Box<str>>,
    key: Vec<u8>,
    line: Vec<u8>,
    byte_count: usize,
    entry_count: u64,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the batch, without so many bytes of its message and its other fields.
    Line { cut: u64 },
    /// It is not to be collected.
    LeftOut,
}

/// The fields that are not metadata.
#[derive(Default)]
struct Known<'a> {
    message: Option<&'a [u8]>,
    system_unit: &'a [u8],
    user_unit: &'a [u8],
    about_unit: &'a [u8],
    is_init: bool,
    identifier: &'a [u8],
    transport: &'a [u8],
    hostname: &'a [u8],
    priority: &'a [u8],
    source_time: &'a [u8],
}

impl<'a> Known<'a> {
    fn of(entry: &Entry<'a>) -> Self {
        let mut known = Self::default();
        for (name, value) in entry.fields() {
            match name {
                b"MESSAGE" if known.message.is_none() => known.message = Some(value),
                b"_SYSTEMD_UNIT" => known.system_unit = value,
                b"_SYSTEMD_USER_UNIT" => known.user_unit = value,
                b"UNIT" => known.about_unit = value,
                b"_PID" => known.is_init = value == b"1",
                b"SYSLOG_IDENTIFIER" => known.identifier = value,
                // The first one, should a sender have added another.
                b"_TRANSPORT" if known.transport.is_empty() => known.transport = value,
                b"_HOSTNAME" => known.hostname = value,
                b"PRIORITY" => known.priority = value,
                b"_SOURCE_REALTIME_TIMESTAMP" => known.source_time = value,
                _ => {}
            }
        }
        known
    }

    /// The unit that the entry is about; nothing where it is none that makes a stream.
    fn unit(&self) -> &'a [u8] {
        let is_lasting = |unit: &[u8]| !unit.ends_with(b".scope") || unit == b"init.scope";
        if self.transport == KERNEL.as_bytes() {
            return KERNEL.as_bytes();
        }
        let about = if self.is_init { self.about_unit } else { &[] };
        let units = [about, self.user_unit, self.system_unit];
        units.into_iter().find(|unit| !unit.is_empty() && is_lasting(unit)).unwrap_or_default()
    }

    fn time(&self, entry: &Entry<'_>) -> Timestamp {
        let source_us = std::str::from_utf8(self.source_time).ok().and_then(|text| text.parse::<u64>().ok());
        let us = source_us.filter(|us| 0 < *us).unwrap_or(entry.realtime_us);
        let ns = i64::try_from(us).ok().and_then(|us| us.checked_mul(1000));
        Timestamp::from_ns(ns.unwrap_or(i64::MAX))
    }
}

impl Gathered {
    /// Adds an entry, if its unit or identifier is to be collected.
    pub(super) fn push(&mut self, entry: &Entry<'_>, units: &Units) -> Taken {
        let known = Known::of(entry);
        let unit = known.unit();
        let identifier = if unit.is_empty() { known.identifier } else { &[] };
        self.key.clear();
        for part in [unit, identifier, known.transport, known.hostname] {
            self.key.extend_from_slice(part);
            self.key.push(0);
        }
        let stream = if let Some(stream) = self.by_key.get(&self.key) {
            *stream
        } else {
            let stream = self.labels_of(unit, identifier, &known, units).map(|labels| self.stream(labels));
            self.by_key.insert(self.key.clone(), stream);
            stream
        };
        let Some(stream) = stream else { return Taken::LeftOut };
        let StreamLines { labels, lines } = &mut self.streams[stream];
        let message = known.message.unwrap_or_default();
        let text = &message[..message.len().min(LINE_BYTES_MAX)];
        self.line.clear();
        self.line.extend_from_slice(text);
        let cut_bytes = append_metadata(&mut self.line, entry, &known, labels.get("identifier").is_none());
        self.byte_count += self.line.len();
        self.entry_count += 1;
        lines.push(known.time(entry), &self.line);
        Taken::Line { cut: (message.len() - text.len() + cut_bytes) as u64 }
    }

    /// Which stream has these labels.
    fn stream(&mut self, labels: Labels) -> usize {
        let known = self.streams.iter().position(|stream| stream.labels == labels);
        known.unwrap_or_else(|| {
            self.streams.push(StreamLines { labels, lines: Lines::default() });
            self.streams.len() - 1
        })
    }

    /// Bytes of the entries so far.
    pub(super) fn byte_count(&self) -> usize {
        self.byte_count
    }

    /// How many entries there are so far.
    pub(super) fn entry_count(&self) -> u64 {
        self.entry_count
    }

    /// Hands over what was gathered.
    pub(super) fn take(&mut self) -> Vec<StreamLines> {
        (self.byte_count, self.entry_count) = (0, 0);
        let filled = self.streams.iter_mut().filter(|stream| !stream.lines.is_empty());
        let taken = filled.map(|stream| {
            let lines = std::mem::take(&mut stream.lines);
            StreamLines { labels: stream.labels.clone(), lines }
        });
        let taken = taken.collect();
        if 2 * IDENTIFIERS_MAX < self.by_key.len() {
            self.by_key.clear();
            self.streams.clear();
        }
        taken
    }

    /// The labels of a stream; `None` where it is not collected.
    fn labels_of(&mut self, unit: &[u8], identifier: &[u8], known: &Known<'_>, units: &Units) -> Option<Labels> {
        let text = |value: &[u8]| bounded(&text_of(value));
        let (unit, mut identifier) = (text(unit), text(identifier));
        let name = if unit.is_empty() { &identifier } else { &unit };
        if !units.accept(name) {
            return None;
        }
        if !identifier.is_empty() && !self.identifiers.contains(identifier.as_str()) {
            if self.identifiers.len() < IDENTIFIERS_MAX {
                self.identifiers.insert(identifier.as_str().into());
            } else {
                identifier.clear();
            }
        }
        let pairs = [
            ("unit", unit.as_str()),
            ("identifier", &identifier),
            ("transport", &text(known.transport)),
            ("hostname", &text(known.hostname)),
        ];
        let labels = Labels::new(pairs).expect("four valid names and bounded values");
        Some(metadata::mark(&labels).expect("few labels, none of which is a mark"))
    }
}

/// Appends the metadata of an entry to its text, and returns how many bytes there is no room for.
fn append_metadata(line: &mut Vec<u8>, entry: &Entry<'_>, known: &Known<'_>, with_identifier: bool) -> usize {
    let mut pairs: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(FIELDS_TYPICAL);
    if let [digit @ b'0'..=b'7'] = known.priority {
        pairs.push(("level", LEVELS[usize::from(digit - b'0')].into()));
    }
    let mut has_message = false;
    for (name, value) in entry.fields() {
        let is_metadata = match name {
            b"MESSAGE" => std::mem::replace(&mut has_message, true),
            b"_TRANSPORT" | b"_HOSTNAME" | b"_SOURCE_REALTIME_TIMESTAMP" => false,
            b"SYSLOG_IDENTIFIER" => with_identifier,
            _ => true,
        };
        let Some(name) = label_name(name).filter(|_| is_metadata) else { continue };
        let value = text_of(value);
        match pairs.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => *values = format!("{values}\n{value}").into(),
            None => pairs.push((name, value)),
        }
    }
    if metadata::append(line, pairs.iter().map(|(name, value)| (*name, value.as_ref()))).is_ok() {
        return 0;
    }
    let fitting = fitting(&pairs);
    let kept_bytes: usize = fitting.iter().map(|(name, value)| name.len() + value.len()).sum();
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    metadata::append(line, fitting).expect("it was made to fit");
    bytes - kept_bytes
}

/// As much of these fields as there is room for: the longest values are cut, to one length.
fn fitting<'a>(pairs: &'a [(&'a str, Cow<'a, str>)]) -> Vec<(&'a str, &'a str)> {
    // Escapes may double what a value takes, and two bytes go with each name.
    let mut room = metadata::METADATA_BYTES_MAX;
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for (name, value) in pairs {
        let Some(rest) = room.checked_sub(name.len() + 2) else { break };
        room = rest;
        fields.push((name, value));
    }
    let mut lengths: Vec<usize> = fields.iter().map(|(_, value)| value.len()).collect();
    lengths.sort_unstable();
    let (mut room, mut length_max) = (room / 2, 0);
    for (index, length) in lengths.iter().enumerate() {
        length_max = room / (lengths.len() - index);
        room = room.saturating_sub(*length);
        if length_max < *length {
            break;
        }
    }
    let cut = |(name, value): (&'a str, &'a str)| (name, &value[..value.floor_char_boundary(length_max)]);
    fields.into_iter().map(cut).collect()
}

/// A field's name, if it can be a label's; journald takes no others.
fn label_name(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name).ok().filter(|name| crate::model::is_label_name(name))
}
