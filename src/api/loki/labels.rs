//! `labels`, `label/x/values`, `series` and `detected_labels`: which streams there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire::{self, LabelObject};
use crate::api::parameters::decode_text;
use crate::model::{Labels, Matcher};
use crate::query::Source;

/// Labels that are answered as detected whatever their values are.
const ALWAYS_DETECTED: [&str; 4] = ["cluster", "namespace", "instance", "pod"];
/// What a label takes in memory beside its texts, in bytes: two texts' handles, and a place in a set for each.
const LABEL_COST_BYTES: usize = 96;

/// The parameters that give `series` its selectors.
const SELECTORS: &[&str] = &["match", "match[]"];

/// Answers the names of all labels.
pub(super) async fn names(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let work = |arguments: &Arguments, source: &Source| {
        let streams = selected(arguments, source)?;
        let names: BTreeSet<&str> = streams.iter().flat_map(Labels::iter).map(|(name, _)| name).collect();
        wire::held_success(names, source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers the values of one label.
pub(super) async fn values(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let name = request.param("name").map_err(|error| Error::bad_request(error.to_string()))?;
    let name = decode_text("the label's name", name)?;
    let work = move |arguments: &Arguments, source: &Source| {
        let streams = selected(arguments, source)?;
        let values: BTreeSet<&str> = streams.iter().filter_map(|labels| labels.get(&name)).collect();
        wire::held_success(values, source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers the labels of each stream that one of the selectors accepts; of all streams where there is none.
pub(super) async fn series(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let work = |arguments: &Arguments, source: &Source| {
        let mut selectors = arguments.selectors(SELECTORS).peekable();
        let mut found: BTreeSet<Labels> = BTreeSet::new();
        if selectors.peek().is_none() {
            found.extend(streams(arguments, source, &[])?);
        }
        for matchers in selectors {
            found.extend(streams(arguments, source, &matchers?)?);
        }
        wire::held_success(found.iter().map(LabelObject).collect::<Vec<_>>(), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers each label's name with the count of its values, without those whose values are ids.
pub(super) async fn detected(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let work = |arguments: &Arguments, source: &Source| {
        let streams = selected(arguments, source)?;
        let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, value) in streams.iter().flat_map(Labels::iter) {
            values.entry(name).or_default().insert(value);
        }
        let is_telling = |name: &str, values: &BTreeSet<&str>| {
            ALWAYS_DETECTED.contains(&name) || !values.iter().all(|value| is_id(value))
        };
        let detected = values.iter().filter(|(name, values)| is_telling(name, values));
        let detected: Vec<Value> =
            detected.map(|(name, values)| json!({"label": name, "cardinality": values.len()})).collect();
        wire::held_json(&json!({"detectedLabels": detected}), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Whether a value tells nothing but what it is the id of: a UUID, or a number other than 0 and 1.
fn is_id(value: &str) -> bool {
    let is_uuid = value.len() == 36
        && value.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid || (value.parse::<f64>().is_ok() && value != "0" && value != "1")
}

/// The streams that the selector in `query` accepts; all where there is none.
fn selected(arguments: &Arguments, source: &Source) -> Result<Vec<Labels>, Error> {
    streams(arguments, source, &arguments.selector()?.unwrap_or_default())
}

/// The labels of the streams that `matchers` accept and that may have lines in the range asked for, which take of the
/// source's budget.
fn streams(arguments: &Arguments, source: &Source, matchers: &[Matcher]) -> Result<Vec<Labels>, Error> {
    source.budget.check()?;
    let streams = source.streams(matchers, arguments.range()?);
    source.budget.take(streams.iter().map(cost_bytes).sum())?;
    Ok(streams)
}

/// What a stream's labels take in memory and once more where they are sorted, in bytes.
fn cost_bytes(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| LABEL_COST_BYTES + name.len() + value.len()).sum()
}
