//! `labels`, `label/x/values`, `series` and `detected_labels`: which streams there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire::{self, LabelObject};
use crate::api::parameters::decode_text;
use crate::model::Labels;
use crate::query::{Source, labels};

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
        let range = arguments.range()?;
        let mut selectors = arguments.selectors(SELECTORS).peekable();
        let mut found: BTreeSet<Labels> = BTreeSet::new();
        if selectors.peek().is_none() {
            found.extend(labels::streams(source, &[], range)?);
        }
        for matchers in selectors {
            found.extend(labels::streams(source, &matchers?, range)?);
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
        let telling = labels::telling(&streams).into_iter();
        let detected: Vec<Value> = telling.map(|(name, count)| json!({"label": name, "cardinality": count})).collect();
        wire::held_json(&json!({"detectedLabels": detected}), source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// The streams that the selector in `query` accepts; all where there is none.
fn selected(arguments: &Arguments, source: &Source) -> Result<Vec<Labels>, Error> {
    let matchers = arguments.selector()?.unwrap_or_default();
    Ok(labels::streams(source, &matchers, arguments.range()?)?)
}
