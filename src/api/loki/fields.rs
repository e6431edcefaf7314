//! `detected_fields` and `detected_field/x/values`: what the newest lines of a query hold beside their stream's labels.
//!
//! Fields are labels of the lines themselves, those that the query makes, and those that the `json` parser or else the
//! `logfmt` parser would make.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire;
use crate::api::parameters::decode_text;
use crate::logql::ast::{Expr, LogExpr, Stage};
use crate::logql::eval::{Line, LogOptions, LogQuery, SeriesLabels};
use crate::logql::limits::ENTRIES_MAX;
use crate::logql::pipeline::{Clock, ERROR_DETAILS_LABEL, ERROR_LABEL, Entry};
use crate::logql::{self, units};
use crate::model::{Direction, Labels, TimeRange, Timestamp};
use crate::query::{Seen, Source, logs};

/// The parser of JSON.
const JSON: &str = "json";
/// What a field is called whose name the stream's label has.
const EXTRACTED_SUFFIX: &str = "_extracted";
/// How many lines are looked at where nothing is said.
const LINES_DEFAULT: usize = 100;
/// How many fields or values are answered where nothing is said.
const LIMIT_DEFAULT: usize = 1000;

/// Answers which fields there are, of which type, and how many values they have.
pub(super) async fn fields(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let limit = limit(&arguments)?;
    let work = move |arguments: &Arguments, source: &Source| {
        let fields = find(arguments, source)?;
        let fields: Vec<Value> = fields.iter().take(limit).map(|(name, field)| field.json(name)).collect();
        wire::held_json(&json!({"fields": fields, "limit": limit}), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers the values of one field.
pub(super) async fn values(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let name = request.param("name").map_err(|error| Error::bad_request(error.to_string()))?;
    let name = decode_text("the field's name", name)?;
    let limit = limit(&arguments)?;
    let work = move |arguments: &Arguments, source: &Source| {
        let fields = find(arguments, source)?;
        let values: Vec<&String> = fields.get(&name).into_iter().flat_map(|field| &field.values).take(limit).collect();
        wire::held_json(&json!({"values": values, "limit": limit}), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

fn limit(arguments: &Arguments) -> Result<usize, Error> {
    let name = if arguments.text("limit")?.is_some() { "limit" } else { "field_limit" };
    arguments.count(name, LIMIT_DEFAULT)
}

/// What is known of a field.
#[derive(Debug)]
struct Field {
    /// Of the first value.
    kind: &'static str,
    values: BTreeSet<String>,
    /// The parser that makes it; `None` where none is needed.
    parser: Option<&'static str>,
    /// The keys that lead to it in an object of JSON; empty where it comes from none.
    path: Vec<String>,
}

impl Field {
    fn json(&self, name: &str) -> Value {
        let parsers = self.parser.map(|parser| [parser]);
        let mut field = json!({"label": name, "type": self.kind, "cardinality": self.values.len(), "parsers": parsers});
        if !self.path.is_empty() {
            field["jsonPath"] = json!(self.path);
        }
        field
    }
}

/// The fields of the newest lines of the query, by name.
fn find(arguments: &Arguments, source: &Source) -> Result<BTreeMap<String, Field>, Error> {
    let Expr::Log(expr) = logql::parse(&arguments.query()?)? else {
        return Err(Error::bad_request("only log queries have fields"));
    };
    let limit = arguments.count("line_limit", LINES_DEFAULT)?.min(ENTRIES_MAX);
    let clock = arguments.clock();
    let query = LogQuery::new(&expr, options(arguments.range()?, limit), &clock)?;
    collect(query, source, &clock)
}

/// Lines with labels by category, the newest first.
fn options(range: TimeRange, limit: usize) -> LogOptions {
    LogOptions { range, direction: Direction::Backward, limit, interval_ns: 0, categorizes: true }
}

fn collect(query: LogQuery, source: &Source, clock: &Clock) -> Result<BTreeMap<String, Field>, Error> {
    let mut fields = BTreeMap::new();
    let mut parsers = [
        Parser::new(JSON, Stage::Json(Vec::new()), clock)?,
        Parser::new("logfmt", Stage::Logfmt { strict: false, keep_empty: false, extractions: Vec::new() }, clock)?,
    ];
    for stream in logs::read(query, source, &mut Seen::default())? {
        // The parsers name fields differently where the stream has a label of that name.
        let labels = Labels::new(stream.labels.iter()).map_err(|error| Error::bad_request(error.to_string()))?;
        for line in &stream.lines {
            add(&mut fields, line.metadata.iter().chain(line.parsed.iter()), None);
            for parser in &mut parsers {
                if let Some(parsed) = parser.parse(line, &labels)? {
                    let count = fields.len();
                    add(&mut fields, parsed.iter(), Some(parser.name));
                    if count < fields.len() && parser.name == JSON {
                        add_paths(&mut fields, parsed.iter().map(|(name, _)| name), &line.text);
                    }
                    break;
                }
            }
        }
    }
    Ok(fields)
}

/// Adds values of fields that `parser` made.
fn add<'a>(
    fields: &mut BTreeMap<String, Field>,
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    parser: Option<&'static str>,
) {
    for (name, value) in labels {
        if name == ERROR_LABEL || name == ERROR_DETAILS_LABEL {
            continue;
        }
        let new = || Field { kind: kind(value), values: BTreeSet::new(), parser, path: Vec::new() };
        fields.entry(name.to_owned()).or_insert_with(new).values.insert(value.to_owned());
    }
}

/// Adds to fields, which the parser made of this line, the keys that lead to them.
fn add_paths<'a>(fields: &mut BTreeMap<String, Field>, names: impl Iterator<Item = &'a str>, line: &[u8]) {
    let Ok(object) = serde_json::from_slice(line) else { return };
    for name in names {
        let field = fields.get_mut(name).filter(|field| field.parser == Some(JSON) && field.path.is_empty());
        if let Some(field) = field {
            let plain = name.strip_suffix(EXTRACTED_SUFFIX).unwrap_or(name);
            field.path = [name, plain].iter().find_map(|name| path(&object, name)).unwrap_or_default();
        }
    }
}

/// The keys that lead to the value whose label is `name`: labels join them with `_`, as which they also have whatever no
/// label's name may hold.
fn path(object: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    object.iter().find_map(|(key, value)| {
        let label: String = key.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let rest = name.strip_prefix(&label).or_else(|| name.strip_prefix('_')?.strip_prefix(&label))?;
        match value {
            Value::Object(inner) => {
                let mut keys = path(inner, rest.strip_prefix('_')?)?;
                keys.insert(0, key.clone());
                Some(keys)
            }
            _ => rest.is_empty().then(|| vec![key.clone()]),
        }
    })
}

/// The first type that a value fits.
fn kind(value: &str) -> &'static str {
    const BOOLEANS: [&str; 12] = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    if value.parse::<i64>().is_ok() {
        "int"
    } else if value.parse::<f64>().is_ok() {
        "float"
    } else if BOOLEANS.contains(&value) {
        "boolean"
    } else if units::parse_go_duration(value).is_some() {
        "duration"
    } else if units::parse_bytes(value).is_some() {
        "bytes"
    } else {
        "string"
    }
}

/// One parser of the query language, for one line after the other.
struct Parser {
    name: &'static str,
    query: LogQuery,
}

impl Parser {
    fn new(name: &'static str, stage: Stage, clock: &Clock) -> Result<Self, Error> {
        let expr = LogExpr { matchers: Vec::new(), stages: vec![stage] };
        let anything = TimeRange { start: Timestamp::default(), end: Timestamp::default() };
        Ok(Self { name, query: LogQuery::new(&expr, options(anything, usize::MAX), clock)? })
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
        let values = ["1", "-7", "1.5", "true", "F", "1.5s", "2h45m", "3KiB", "x", ""];
        let kinds = ["int", "int", "float", "boolean", "boolean", "duration", "duration", "bytes", "string", "string"];
        assert_eq!(values.map(kind), kinds);
    }
    #[test]
    fn a_path_is_the_keys_that_make_a_label() {
        let object = json!({"a": 1, "b": {"c_d": 2, "e.f": {"g": 3}}, "b_c": 4, "7": 5});
        let find = |name| path(object.as_object().unwrap(), name).map(|keys| keys.join(" "));
        let found = ["a", "b_c_d", "b_e_f_g", "b_c", "_7", "b", "x"].map(find);
        let expected = [Some("a"), Some("b c_d"), Some("b e.f g"), Some("b_c"), Some("7"), None, None];
        assert_eq!(found.map(Option::unwrap_or_default), expected.map(Option::unwrap_or_default));
    }
}
