//! Fields: what the newest lines of a query hold beside their stream's labels.
//!
//! These are labels of the lines themselves, those that the query makes, and those that the `json` parser or else the
//! `logfmt` parser would make of a line as the query leaves it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::logql::ast::{LogExpr, Stage};
use crate::logql::eval::{Line, LogOptions, LogQuery, SeriesLabels};
use crate::logql::pipeline::{Clock, ERROR_DETAILS_LABEL, ERROR_LABEL, Entry};
use crate::logql::stages::{for_each_leaf, values};
use crate::logql::units;
use crate::model::budget::Budget;
use crate::model::{Direction, Labels, TimeRange, Timestamp};
use crate::query::{Error, Seen, Source, logs};

/// What a field is called whose name the stream's label has.
const EXTRACTED_SUFFIX: &str = "_extracted";
/// What a field or a value takes in memory beside its text, in bytes: a place in a tree, half of which may be empty.
const COST_BYTES: usize = 128;

/// What is known of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Of the first value.
    pub kind: Kind,
    /// Each once.
    pub values: BTreeSet<String>,
    /// Those that find it in some line.
    pub parsers: BTreeSet<FieldParser>,
    /// The keys that lead to it in an object of JSON; empty where it comes from none.
    pub path: Vec<String>,
}

/// What a value is: the first that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 64 bits.
    Int,
    /// Another number.
    Float,
    /// `true`, `F` and their like.
    Boolean,
    /// A duration in Go's form.
    Duration,
    /// A number with a unit of bytes.
    Bytes,
    /// Anything else.
    String,
}

/// A parser that is tried on lines, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldParser {
    /// `| json`
    Json,
    /// `| logfmt`
    Logfmt,
}

/// The fields of the newest `line_count_max` lines of `expr` in `range`, by name. They stay taken of the source's budget.
///
/// # Errors
///
/// See [`Error`].
pub fn find(
    expr: &LogExpr,
    (range, line_count_max): (TimeRange, usize),
    source: &Source,
    clock: &Clock,
) -> Result<BTreeMap<String, Field>, Error> {
    let query = LogQuery::new(expr, options(range, line_count_max), clock)?;
    let mut fields = Fields { by_name: BTreeMap::new(), budget: &source.budget };
    let mut parsers = [Parser::new(FieldParser::Json, clock)?, Parser::new(FieldParser::Logfmt, clock)?];
    for stream in logs::read(query, source, &mut Seen::default())? {
        // The parsers name fields differently where the stream has a label of that name. Labels that a query has made
        // more or longer than a stream may have them are of no stream.
        let labels = Labels::new(stream.labels.iter()).unwrap_or_default();
        for line in &stream.lines {
            source.budget.check()?;
            fields.add(line.metadata.iter().chain(line.parsed.iter()), None)?;
            for parser in &mut parsers {
                if let Some(parsed) = parser.parse(line, &labels)? {
                    fields.add(parsed.iter(), Some(parser.kind))?;
                    if parser.kind == FieldParser::Json {
                        fields.add_paths(&line.text)?;
                    }
                    break;
                }
            }
        }
    }
    Ok(fields.by_name)
}

/// Lines with labels by category, the newest first.
fn options(range: TimeRange, limit: usize) -> LogOptions {
    LogOptions { range, direction: Direction::Backward, limit, interval_ns: 0, categorizes: true }
}

/// The fields so far.
struct Fields<'s> {
    by_name: BTreeMap<String, Field>,
    budget: &'s Budget,
}

impl Fields<'_> {
    /// Adds values of fields; `parser` made them of the line, if it is one.
    fn add<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        parser: Option<FieldParser>,
    ) -> Result<(), Error> {
        for (name, value) in labels.filter(|(name, _)| !matches!(*name, ERROR_LABEL | ERROR_DETAILS_LABEL)) {
            if !self.by_name.contains_key(name) {
                self.budget.take(COST_BYTES + name.len())?;
                let (kind, values) = (Kind::of(value), BTreeSet::new());
                let field = Field { kind, values, parsers: BTreeSet::new(), path: Vec::new() };
                self.by_name.insert(name.to_owned(), field);
            }
            let field = self.by_name.get_mut(name).expect("it is there, or was just added");
            field.parsers.extend(parser);
            if !field.values.contains(value) {
                self.budget.take(COST_BYTES + value.len())?;
                field.values.insert(value.to_owned());
            }
        }
        Ok(())
    }

    /// Adds to fields that the JSON parser found in `line` the keys that lead to them, where these are not known.
    fn add_paths(&mut self, line: &[u8]) -> Result<(), Error> {
        let is_unknown = |field: &Field| field.path.is_empty() && field.parsers.contains(&FieldParser::Json);
        if !self.by_name.values().any(is_unknown) {
            return Ok(());
        }
        let mut is_taken = Ok(());
        for_each_leaf(line, &mut |name, keys| {
            let suffixed = || Cow::Owned(format!("{name}{EXTRACTED_SUFFIX}"));
            // A name that clashes with the stream's label is a field under the other name only.
            for name in [Cow::Borrowed(name), suffixed()] {
                let field = self.by_name.get_mut(&*name).filter(|field| is_unknown(field));
                if let Some(field) = field.filter(|_| is_taken.is_ok()) {
                    is_taken = self.budget.take(keys.iter().map(|key| size_of::<String>() + key.len()).sum());
                    field.path = keys.to_vec();
                }
            }
        });
        Ok(is_taken?)
    }
}

impl Kind {
    /// The first that `value` fits.
    pub fn of(value: &str) -> Self {
        const BOOLEANS: [&str; 12] = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
        if value.parse::<i64>().is_ok() {
            Self::Int
        } else if values::parse_float(value).is_ok() {
            Self::Float
        } else if BOOLEANS.contains(&value) {
            Self::Boolean
        } else if units::parse_go_duration(value).is_some() {
            Self::Duration
        } else if values::parse_bytes(value).is_ok() {
            Self::Bytes
        } else {
            Self::String
        }
    }
}

/// A value that is an amount of bytes as queries take it, so that it can be compared with: `1.5kB` for `1.5 KB`. Others
/// stay as they are.
pub fn as_queried(value: &str) -> Cow<'_, str> {
    let is_part_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let (number, unit) = value.split_at(value.find(|c| !is_part_of_number(c)).unwrap_or(value.len()));
    if Kind::of(value) != Kind::Bytes {
        return Cow::Borrowed(value);
    }
    let unit = unit.trim().trim_end_matches(['b', 'B']).to_ascii_lowercase();
    let unit = match unit.as_str() {
        "" => String::new(),
        "k" => unit,
        _ => unit[..1].to_ascii_uppercase() + &unit[1..],
    };
    Cow::Owned(format!("{}{unit}B", number.replace(',', "")))
}

/// One parser of the query language, for one line after the other.
struct Parser {
    kind: FieldParser,
    query: LogQuery,
}

impl Parser {
    fn new(kind: FieldParser, clock: &Clock) -> Result<Self, Error> {
        let stage = match kind {
            FieldParser::Json => Stage::Json(Vec::new()),
            FieldParser::Logfmt => Stage::Logfmt { strict: false, keep_empty: false, extractions: Vec::new() },
        };
        let expr = LogExpr { matchers: Vec::new(), stages: vec![stage] };
        let anything = TimeRange { start: Timestamp::default(), end: Timestamp::default() };
        Ok(Self { kind, query: LogQuery::new(&expr, options(anything, usize::MAX), clock)? })
    }

    /// What the parser makes of a line; `None` where it makes nothing of it.
    fn parse(&mut self, line: &Line, labels: &Labels) -> Result<Option<SeriesLabels>, Error> {
        let entry = Entry { timestamp: line.timestamp, labels, metadata: &[], line: &line.text };
        // A line more than it may ever have does not fit into memory, so this does not break.
        let _ = self.query.push(&entry)?;
        let parsed = self.query.take().into_iter().flat_map(|stream| stream.lines).map(|line| line.parsed).next();
        Ok(parsed.filter(|parsed| parsed.get(ERROR_LABEL).is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_the_first_that_a_value_fits() {
        for (values, kind) in [
            (&["1", "-7", "0"][..], Kind::Int),
            (&["1.5", "1e3", "Inf"], Kind::Float),
            (&["true", "F"], Kind::Boolean),
            (&["1.5s", "2h45m", "5m"], Kind::Duration),
            (&["3KiB", "5 kB", "1,024"], Kind::Bytes),
            (&["x", "", "5 parsecs"], Kind::String),
        ] {
            for value in values {
                assert_eq!(Kind::of(value), kind, "{value}");
            }
        }
    }

    #[test]
    fn amounts_of_bytes_are_written_as_in_queries() {
        for (value, expected) in [
            ("1.5 KB", "1.5kB"),
            ("3kib", "3KiB"),
            ("2 mb", "2MB"),
            ("1,024 b", "1024B"),
            ("7G", "7GB"),
            ("5m", "5m"),
            ("12", "12"),
            ("x b", "x b"),
        ] {
            assert_eq!(as_queried(value), expected);
            let Kind::Bytes = Kind::of(value) else { continue };
            let of_value = values::parse_bytes(value).ok().and_then(|bytes| i64::try_from(bytes).ok());
            assert_eq!(units::parse_bytes(expected), of_value, "the same amount");
        }
    }
}
