//! `labels`, `label/x/values`, `series` and `detected_labels`: which streams there are.

use std::collections::{BTreeMap, BTreeSet};

use blocking::unblock;
use serde_json::{Value, json};
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::service;
use crate::api::loki::wire::{self, LabelObject};
use crate::api::parameters::decode_text;
use crate::model::{Labels, Matcher, TimeRange};

/// Labels that are answered as detected whatever their values are.
const ALWAYS_DETECTED: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

/// Answers the names of all labels.
pub(super) async fn names(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let selector = arguments.selector()?.unwrap_or_default();
    let streams = streams(&request, vec![selector], arguments.range()?).await?;
    let names: BTreeSet<&str> = streams.iter().flat_map(Labels::iter).map(|(name, _)| name).collect();
    Ok(wire::success(names))
}

/// Answers the values of one label.
pub(super) async fn values(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let name = request.param("name").map_err(|error| Error::bad_request(error.to_string()))?;
    let name = decode_text("the label's name", name)?;
    let selector = arguments.selector()?.unwrap_or_default();
    let streams = streams(&request, vec![selector], arguments.range()?).await?;
    let values: BTreeSet<&str> = streams.iter().filter_map(|labels| labels.get(&name)).collect();
    Ok(wire::success(values))
}

/// Answers the labels of each stream that one of the selectors accepts; of all streams where there is none.
pub(super) async fn series(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let mut selectors = arguments.selectors("match")?;
    selectors.extend(arguments.selectors("match[]")?);
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let streams = streams(&request, selectors, arguments.range()?).await?;
    Ok(wire::success(streams.iter().map(LabelObject).collect::<Vec<_>>()))
}

/// Answers each label's name with the count of its values, without those whose values are ids.
pub(super) async fn detected(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let selector = arguments.selector()?.unwrap_or_default();
    let streams = streams(&request, vec![selector], arguments.range()?).await?;
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
    Ok(wire::json(&json!({"detectedLabels": detected})))
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

/// The labels of the streams that may have lines in `range` and that one of the selectors accepts.
async fn streams(
    request: &Request<State>,
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
) -> Result<BTreeSet<Labels>, Error> {
    let database = request.state().database.clone();
    let find = move || {
        let snapshot = database.snapshot();
        let found = selectors.iter().flat_map(|matchers| service::streams(&snapshot, matchers, range));
        found.collect()
    };
    Ok(unblock(find).await)
}
