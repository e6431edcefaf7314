//! `detected_fields` and `detected_field/x/values`: what the newest lines of a query hold beside their stream's labels.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire;
use crate::api::parameters::decode_text;
use crate::logql;
use crate::logql::ast::Expr;
use crate::logql::limits::ENTRIES_MAX;
use crate::query::Source;
use crate::query::fields::{self, Field, FieldParser, Kind};

/// How many lines are looked at where nothing is said.
const LINES_DEFAULT: usize = 100;
/// How many fields or values are answered where nothing is said.
const LIMIT_DEFAULT: usize = 1000;

/// A field as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FieldObject<'a> {
    label: &'a str,
    r#type: &'static str,
    cardinality: usize,
    /// `None` where no parser finds it.
    parsers: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    json_path: &'a [String],
}

/// Answers which fields there are, of which type, and how many values they have.
pub(super) async fn fields(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let limit = limit(&arguments)?;
    let work = move |arguments: &Arguments, source: &Source| {
        let fields = find(arguments, source)?;
        let fields: Vec<FieldObject<'_>> = fields.iter().take(limit).map(|(name, field)| object(name, field)).collect();
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
        let values = fields.get(&name).into_iter().flat_map(|field| &field.values);
        let values: Vec<_> = values.take(limit).map(|value| fields::as_queried(value)).collect();
        wire::held_json(&json!({"values": values, "limit": limit}), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

fn limit(arguments: &Arguments) -> Result<usize, Error> {
    let name = if arguments.text("limit")?.is_some() { "limit" } else { "field_limit" };
    arguments.count(name, LIMIT_DEFAULT)
}

/// The fields of the newest lines of the query, by name.
fn find(arguments: &Arguments, source: &Source) -> Result<BTreeMap<String, Field>, Error> {
    let Expr::Log(expr) = logql::parse(&arguments.query()?)? else {
        return Err(Error::bad_request("only log queries have fields"));
    };
    let line_count_max = arguments.count("line_limit", LINES_DEFAULT)?.min(ENTRIES_MAX);
    Ok(fields::find(&expr, (arguments.range()?, line_count_max), source, &arguments.clock())?)
}

fn object<'a>(label: &'a str, field: &'a Field) -> FieldObject<'a> {
    let parsers = field.parsers.iter().map(|parser| match parser {
        FieldParser::Json => "json",
        FieldParser::Logfmt => "logfmt",
    });
    let r#type = match field.kind {
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Boolean => "boolean",
        Kind::Duration => "duration",
        Kind::Bytes => "bytes",
        Kind::String => "string",
    };
    FieldObject {
        label,
        r#type,
        cardinality: field.values.len(),
        parsers: Some(parsers.collect()).filter(|parsers: &Vec<_>| !parsers.is_empty()),
        json_path: &field.path,
    }
}
