//! The shared vocabulary: what an entry is, where it comes from, and how entries are asked for.
//!
//! Plain data without I/O, without a wire format and without the clock. Every other module may name this one; this one
//! names none.

pub mod budget;
mod byte_set;
pub mod metadata;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

pub use byte_set::ByteSet;
use metadata::Metadata;

/// Most labels one stream may have; Kubernetes pods carry a few dozen at the very most.
pub const LABELS_MAX: usize = 64;
/// Longest label name, in bytes.
pub const LABEL_NAME_BYTES_MAX: usize = 256;
/// Longest label value, in bytes: Linux's `PATH_MAX`, because paths are values.
pub const LABEL_VALUE_BYTES_MAX: usize = 4096;
/// Most bytes of text that one [`Lines`] holds; its ends are 32-bit.
pub const LINES_BYTES_MAX: usize = 64 << 20;

/// An instant: nanoseconds since the Unix epoch, UTC. Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// An instant from nanoseconds since the Unix epoch.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_ns(self) -> i64 {
        self.0
    }
}

/// Instants from `start` (inclusive) to `end` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant in the range.
    pub start: Timestamp,
    /// The first instant after the range.
    pub end: Timestamp,
}

impl TimeRange {
    /// All of time, but for its last nanosecond.
    pub const ALL: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether `timestamp` lies in the range.
    pub fn contains(&self, timestamp: Timestamp) -> bool {
        self.start <= timestamp && timestamp < self.end
    }

    /// Whether an instant from `first` to `last` (both inclusive) may lie in the range.
    pub fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        first < self.end && self.start <= last
    }
}

/// Sorted `name=value` pairs that say where an entry comes from; they identify a stream.
///
/// Cloning shares the pairs, which are one allocation: there may be a million streams. Names match `[a-zA-Z_][a-zA-Z0-9_]*` and
/// are unique; an empty value means the label is absent, so none is stored. [`fmt::Display`] gives the canonical text
/// `{a="x", b="y"}`, which is the same for equal labels and different for different ones.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(
    /// How many pairs there are; then of each the length of its name and of its value in bytes, and both texts. A number is two
    /// characters.
    Arc<str>,
);

/// Why pairs are no [`Labels`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// There are more than [`LABELS_MAX`] pairs.
    #[error("{count} labels are over the limit of {LABELS_MAX}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A name does not match `[a-zA-Z_][a-zA-Z0-9_]*` or is over [`LABEL_NAME_BYTES_MAX`].
    #[error("{name:?} is no label name")]
    Name {
        /// The name in question.
        name: String,
    },
    /// A name occurs twice.
    #[error("label {name} occurs twice")]
    Duplicate {
        /// The name in question.
        name: String,
    },
    /// A value is over [`LABEL_VALUE_BYTES_MAX`].
    #[error("the value of label {name} has {bytes} bytes, over the limit of {LABEL_VALUE_BYTES_MAX}")]
    Value {
        /// The label's name.
        name: String,
        /// The value's length.
        bytes: usize,
    },
}

impl Labels {
    /// How many bytes the names and values have.
    pub fn byte_count(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Sorts and checks `pairs`; those with an empty value are left out.
    ///
    /// # Errors
    ///
    /// See [`LabelsError`]: names, duplicates, counts and lengths out of bounds.
    pub fn new<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, LabelsError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut labels: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        labels.sort_unstable();
        if LABELS_MAX < labels.len() {
            return Err(LabelsError::TooMany { count: labels.len() });
        }
        for (name, value) in &labels {
            if !is_label_name(name) {
                return Err(LabelsError::Name { name: (*name).to_owned() });
            }
            if LABEL_VALUE_BYTES_MAX < value.len() {
                return Err(LabelsError::Value { name: (*name).to_owned(), bytes: value.len() });
            }
        }
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelsError::Duplicate { name: pair[0].0.to_owned() });
        }
        Ok(Self::of_sorted(&labels))
    }

    fn of_sorted(labels: &[(&str, &str)]) -> Self {
        let mut packed = String::new();
        packed.extend(pack(labels.len()));
        for (name, value) in labels {
            packed.extend(pack(name.len()).into_iter().chain(pack(value.len())));
            packed.push_str(name);
            packed.push_str(value);
        }
        Self(packed.into())
    }

    /// These with `more`, sorted by name, each of which has a value; of two with one name the own one counts. It may be more
    /// than a stream has that is stored.
    #[must_use]
    pub fn extended<'a>(&'a self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let new = more.into_iter().filter(|(name, value)| !value.is_empty() && self.get(name).is_none());
        let mut labels: Vec<(&str, &str)> = self.iter().chain(new).collect();
        labels.sort_unstable();
        Self::of_sorted(&labels)
    }

    /// The value of label `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        let count = unpack(&mut rest);
        (0..count).map(move |_| {
            let (name_bytes, value_bytes) = (unpack(&mut rest), unpack(&mut rest));
            let (name, after) = rest.split_at(name_bytes);
            let (value, after) = after.split_at(value_bytes);
            rest = after;
            (name, value)
        })
    }
}

/// How many bits of a number one character stands for in packed labels: fewer than reach the surrogates.
const PACKED_BITS: u32 = 15;

/// A number of up to 30 bits, which no text in memory is longer than.
fn pack(number: usize) -> [char; 2] {
    let digit =
        |number: usize| u32::try_from(number).ok().filter(|digit| digit >> PACKED_BITS == 0).and_then(char::from_u32);
    let digits = [number >> PACKED_BITS, number & ((1 << PACKED_BITS) - 1)];
    digits.map(|number| digit(number).expect("labels are far shorter than a GiB"))
}

/// Takes a number from the beginning of packed labels.
fn unpack(packed: &mut &str) -> usize {
    let mut chars = packed.chars();
    let number = chars.by_ref().take(2).fold(0, |number, digit| number << PACKED_BITS | digit as usize);
    *packed = chars.as_str();
    number
}

impl Default for Labels {
    fn default() -> Self {
        Self::of_sorted(&[])
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_labels(f, self.iter())
    }
}

/// Writes sorted pairs as `{a="x", b="y"}`.
pub fn write_labels<'a>(
    f: &mut fmt::Formatter<'_>,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> fmt::Result {
    f.write_str("{")?;
    for (index, (name, value)) in labels.into_iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{name}={value:?}")?;
    }
    f.write_str("}")
}

/// Whether `name` matches `[a-zA-Z_][a-zA-Z0-9_]*` and is at most [`LABEL_NAME_BYTES_MAX`] long.
pub fn is_label_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts_well && goes_on_well && name.len() <= LABEL_NAME_BYTES_MAX
}

/// One log line: when, from where, and its bytes. A view into what holds them: a [`Batch`], as the collector hands it over, or
/// a block of the database, whose scans answer with entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// When it was logged, or read where the line does not say.
    pub timestamp: Timestamp,
    /// Where it comes from.
    pub labels: &'a Labels,
    /// The line's bytes, any bytes, without a newline at the end.
    pub line: &'a [u8],
    /// Labels of this entry alone.
    pub metadata: Metadata<'a>,
}

impl<'a> LogEntry<'a> {
    /// The entry that a stored `line` stands for, which its metadata follow where the stream `has_metadata`.
    pub fn new(labels: &'a Labels, (timestamp, line): (Timestamp, &'a [u8]), has_metadata: bool) -> Self {
        let (line, metadata) = if has_metadata { metadata::split(line) } else { (line, Metadata::default()) };
        Self { timestamp, labels, line, metadata }
    }
}

/// Times and texts of consecutive entries ([`LogEntry`]) of one stream, column by column.
///
/// Holds three allocations however many entries there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    timestamps: Vec<Timestamp>,
    /// End of each line in `bytes`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Lines {
    /// Empty columns with room for `line_count` lines of `byte_count` bytes in all.
    pub fn with_capacity(line_count: usize, byte_count: usize) -> Self {
        Self {
            timestamps: Vec::with_capacity(line_count),
            ends: Vec::with_capacity(line_count),
            bytes: Vec::with_capacity(byte_count),
        }
    }

    /// Adds one line. The caller keeps the whole below [`LINES_BYTES_MAX`].
    pub fn push(&mut self, timestamp: Timestamp, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        assert!(self.bytes.len() <= LINES_BYTES_MAX, "the caller hands over lines before they outgrow the limit");
        self.timestamps.push(timestamp);
        self.ends.push(u32::try_from(self.bytes.len()).expect("bounded by LINES_BYTES_MAX"));
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of text in all lines.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The line at `index` and its time; panics past the end like a slice.
    pub fn get(&self, index: usize) -> (Timestamp, &[u8]) {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        (self.timestamps[index], &self.bytes[start..self.ends[index] as usize])
    }

    /// All lines with their times, in the order they were pushed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Timestamp, &[u8])> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The times, in the order the lines were pushed.
    pub fn timestamps(&self) -> &[Timestamp] {
        &self.timestamps
    }

    /// The times, to be changed, in the order the lines were pushed.
    pub fn timestamps_mut(&mut self) -> &mut [Timestamp] {
        &mut self.timestamps
    }

    /// The text of all lines, one after the other without separators.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The earliest and the latest time; `None` where there is no line.
    pub fn time_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        let first = self.timestamps.iter().min()?;
        let last = self.timestamps.iter().max()?;
        Some((*first, *last))
    }
}

/// How long the sources of collectors' checkpoints are, in bytes. A collector forgets one that it does not understand, so those of
/// others are longer.
pub const COLLECTOR_SOURCE_BYTES: usize = 24;

/// How far a source has been read: its key and its position, both as the collector encodes them.
///
/// The database keeps the newest position of each key and does not look inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the source; unique while it exists.
    pub source: Vec<u8>,
    /// Where to read on; `None` once the source is gone and can be forgotten.
    pub position: Option<Vec<u8>>,
}

/// Lines read from one source in one go, with the checkpoint after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Stored together with the lines or not at all.
    pub checkpoint: Option<Checkpoint>,
    /// The lines of each stream, in the order they were read.
    pub streams: Vec<StreamLines>,
}

impl Batch {
    /// Bytes of text in all its lines.
    pub fn byte_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.lines.byte_count()).sum()
    }

    /// How many lines it holds.
    pub fn line_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.lines.len()).sum()
    }
}

/// Lines and the stream they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamLines {
    /// The stream.
    pub labels: Labels,
    /// Its lines, in the order they were read.
    pub lines: Lines,
}

/// A condition on one label; a label that a stream does not have counts as empty.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// What its value has to be.
    pub condition: Condition,
}

/// What a label's value has to be.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The very text.
    Equal(String),
    /// Any other text.
    NotEqual(String),
    /// Text that the expression matches; whoever builds it anchors it.
    Matches(Regex),
    /// Text that the expression does not match; whoever builds it anchors it.
    NotMatches(Regex),
}

impl Matcher {
    /// The condition that label `name` is `value`.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), condition: Condition::Equal(value.into()) }
    }

    /// Whether a stream with these labels satisfies the condition.
    pub fn accepts(&self, labels: &Labels) -> bool {
        self.accepts_value(labels.get(&self.name).unwrap_or_default())
    }

    /// Whether a stream whose label has this value satisfies the condition; an absent label has none.
    pub fn accepts_value(&self, value: &str) -> bool {
        match &self.condition {
            Condition::Equal(expected) => value == expected,
            Condition::NotEqual(unwanted) => value != unwanted,
            Condition::Matches(regex) => regex.is_match(value),
            Condition::NotMatches(regex) => !regex.is_match(value),
        }
    }
}

/// Most bytes that a compiled [`LinePattern`] may take.
const PATTERN_BYTES_MAX: usize = 8 << 20;
/// And most that each thread which uses it keeps for each of two directions: what an expression of a few dozen words needs.
const PATTERN_CACHE_BYTES_MAX: usize = 1 << 20;

/// The text of a line as Go reads it: each byte that is not UTF-8 is one character, U+FFFD. Borrowed if there is none.
pub fn text_of(line: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(line) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(line.len() + char::REPLACEMENT_CHARACTER.len_utf8());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

/// A regular expression over the bytes of a line, always compiled with the same flags, so that its text says it all.
#[derive(Clone, Debug)]
pub struct LinePattern(regex::bytes::Regex);

impl LinePattern {
    /// Compiles `pattern`; it is found anywhere in a line unless it says otherwise.
    ///
    /// # Errors
    ///
    /// What [`regex::Error`] says: bad syntax, or too large a program.
    pub fn new(pattern: &str) -> Result<Self, regex::Error> {
        let mut builder = regex::bytes::RegexBuilder::new(pattern);
        builder.size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_CACHE_BYTES_MAX).build().map(Self)
    }

    /// The expression's text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the expression is found in `line`, or in its [text](text_of).
    ///
    /// In the bytes, `.` and its like find no byte that is not UTF-8; what they do find is in the text as well.
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.0.is_match(line) || matches!(text_of(line), Cow::Owned(text) if self.0.is_match(text.as_bytes()))
    }
}

impl PartialEq for LinePattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for LinePattern {}

/// A condition on the bytes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFilter {
    /// The line contains these bytes.
    Contains(Vec<u8>),
    /// The line contains some of these.
    ContainsAny(Vec<Vec<u8>>),
    /// The line does not contain these bytes.
    NotContains(Vec<u8>),
    /// The expression is found in the line.
    Matches(LinePattern),
    /// The expression is not found in the line.
    NotMatches(LinePattern),
}

impl LineFilter {
    /// Whether `line` satisfies the condition.
    pub fn accepts(&self, line: &[u8]) -> bool {
        match self {
            Self::Contains(bytes) => memchr::memmem::find(line, bytes).is_some(),
            Self::ContainsAny(texts) => texts.iter().any(|bytes| memchr::memmem::find(line, bytes).is_some()),
            Self::NotContains(bytes) => memchr::memmem::find(line, bytes).is_none(),
            Self::Matches(pattern) => pattern.is_match(line),
            Self::NotMatches(pattern) => !pattern.is_match(line),
        }
    }
}

/// The order in which a scan yields entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first; equal times by labels, and those of one stream in the order the entries were stored.
    #[default]
    Forward,
    /// The exact reverse of [`Direction::Forward`].
    Backward,
}

/// Which entries to fetch, and in which order.
#[derive(Clone, Debug)]
pub struct Selection {
    /// All of them must accept a stream's labels; none means every stream.
    pub matchers: Vec<Matcher>,
    /// The times asked for.
    pub range: TimeRange,
    /// All of them must accept the line.
    pub filters: Vec<LineFilter>,
    /// The order of the answer.
    pub direction: Direction,
    /// At most this many entries, counted after filtering; `None` for all.
    pub limit: Option<usize>,
}

impl Selection {
    /// Every entry of the streams that `matchers` accept, oldest first.
    pub fn of(matchers: Vec<Matcher>) -> Self {
        Self { matchers, range: TimeRange::ALL, filters: Vec::new(), direction: Direction::Forward, limit: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_labels(pairs: &[(&str, &str)], expected: &str) {
        let actual = match Labels::new(pairs.iter().copied()) {
            Ok(labels) => labels.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected);
    }

    #[test]
    fn labels_are_sorted_and_quoted() {
        check_labels(&[("b", "y"), ("a", "x\"\n")], r#"{a="x\"\n", b="y"}"#);
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        check_labels(&[("a", ""), ("b", "y")], r#"{b="y"}"#);
    }

    #[test]
    fn bad_names_and_duplicates_are_refused() {
        check_labels(&[("1a", "x")], r#""1a" is no label name"#);
        check_labels(&[("ä", "x")], r#""ä" is no label name"#);
        check_labels(&[("a", "x"), ("a", "y")], "label a occurs twice");
    }

    #[test]
    fn labels_are_as_they_were_given_however_long_they_are() {
        let long = "ü".repeat(40_000);
        let labels = Labels::new([("b", "2"), ("a", "\0"), ("empty", "")]).unwrap().extended([("c", long.as_str())]);
        assert!(labels.iter().eq([("a", "\0"), ("b", "2"), ("c", &long)]));
        assert_eq!((labels.get("c"), labels.get("d"), labels.iter().len()), (Some(long.as_str()), None, 3));
        assert_eq!(Labels::default().iter().len(), 0);
        // By name and value, not by how long either is.
        let ordered =
            [("a", "10"), ("a", "9"), ("aa", "1"), ("b", "")].map(|pair| Labels::new([pair, ("z", "1")]).unwrap());
        assert!(ordered[..3].is_sorted());
        assert!(Labels::default() < ordered[0] && ordered[0] < Labels::new([("a", "10"), ("z", "2")]).unwrap());
    }

    #[test]
    fn a_range_includes_its_start_and_excludes_its_end() {
        let at = Timestamp::from_ns;
        let range = TimeRange { start: at(10), end: at(20) };
        assert_eq!([9, 10, 19, 20].map(|ns| range.contains(at(ns))), [false, true, true, false]);
        assert!(range.overlaps(at(0), at(10)) && range.overlaps(at(19), at(30)));
        assert!(!range.overlaps(at(0), at(9)) && !range.overlaps(at(20), at(30)));
    }

    #[test]
    fn lines_keep_their_bytes_and_times() {
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(2), b"b\0\xff");
        lines.push(Timestamp::from_ns(1), b"");
        assert_eq!(lines.get(0), (Timestamp::from_ns(2), &b"b\0\xff"[..]));
        assert_eq!(lines.get(1), (Timestamp::from_ns(1), &b""[..]));
        assert_eq!(lines.time_bounds(), Some((Timestamp::from_ns(1), Timestamp::from_ns(2))));
    }

    #[test]
    fn each_byte_that_is_not_utf_8_is_one_character() {
        assert!(matches!(text_of("caf\u{e9}".as_bytes()), Cow::Borrowed("caf\u{e9}")));
        assert_eq!(text_of(b"\xe9a\xe2\x82b\xff\xff"), "\u{fffd}a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}");

        let line = b"msg=caf\xe9 \xe2\x82 dur=5ms";
        for pattern in ["msg.*dur=5ms", "caf. ", r"caf\S ", "caf[^x] ", "^[^ ]+ .. dur", "caf\u{fffd} "] {
            let pattern = LinePattern::new(pattern).unwrap();
            assert!(LineFilter::Matches(pattern.clone()).accepts(line), "{}", pattern.as_str());
            assert!(!LineFilter::NotMatches(pattern).accepts(line));
        }
        assert!(!LinePattern::new("caf dur|caf.dur").unwrap().is_match(line));
    }

    #[test]
    fn a_matcher_takes_an_absent_label_for_an_empty_one() {
        let labels = Labels::new([("app", "web")]).unwrap();
        assert!(Matcher::equal("app", "web").accepts(&labels));
        assert!(Matcher::equal("none", "").accepts(&labels));
        let other = Matcher { name: "app".into(), condition: Condition::NotEqual("web".into()) };
        assert!(!other.accepts(&labels));
    }
}
