//! `index/stats`, `index/volume` and `index/volume_range`: how much there is, as the index tells without a look at lines.
//!
//! Lines that are stored together are counted as if they were spread evenly over their time, so what lies across the
//! borders of a range is an estimate.

use serde_json::json;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::pieces::{separated, text};
use crate::api::loki::wire::{self, Answer, Point, Sample, Samples, Seconds};
use crate::model::Timestamp;
use crate::query::Source;
use crate::query::volume::{Group, VolumeQuery, extents, share, steps};

/// How many groups are answered where nothing is said.
const LIMIT_DEFAULT: usize = 100;

/// Answers how much a selector selects.
pub(super) async fn stats(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    let work = move |arguments: &Arguments, source: &Source| {
        let streams = extents(source, &arguments.selector()?.unwrap_or_default(), range)?;
        let (mut chunks, mut bytes, mut entries) = (0, 0, 0);
        for extent in streams.iter().flat_map(|(_, extents)| extents) {
            chunks += 1;
            bytes += share(extent, extent.bytes, range);
            entries += share(extent, extent.lines, range);
        }
        Ok(wire::json(&json!({"streams": streams.len(), "chunks": chunks, "bytes": bytes, "entries": entries})))
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers the bytes of each group of streams.
pub(super) async fn volume(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    let work = move |arguments: &Arguments, source: &Source| {
        let groups = volume_query(arguments)?.run(source, range, &[range])?;
        let sample = move |(metric, bytes): &Group| text(&Sample { metric, value: point(range.end, bytes[0]) });
        answer("vector", groups, sample, source)
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers the bytes of each group of streams, step by step.
pub(super) async fn volume_range(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    let steps = steps(range, arguments.step_ns(range)?);
    let work = move |arguments: &Arguments, source: &Source| {
        let groups = volume_query(arguments)?.run(source, range, &steps)?;
        let series = move |(metric, bytes): &Group| {
            let points = steps.iter().zip(bytes).filter(|(_, bytes)| 0 < **bytes);
            text(&Samples { metric, values: points.map(|(step, bytes)| point(step.start, *bytes)).collect() })
        };
        answer("matrix", groups, series, source)
    };
    loki::run(request.state(), arguments, work).await
}

fn point(time: Timestamp, bytes: u64) -> Point {
    (Seconds(time), bytes.to_string())
}

/// The answer whose result is what `to_text` makes of each group.
fn answer(
    result_type: &'static str,
    groups: Vec<Group>,
    to_text: impl Fn(&Group) -> Vec<u8> + Send + 'static,
    source: &Source,
) -> Result<Response, Error> {
    let weight = groups.len();
    let groups = groups.into_iter().enumerate().map(move |(index, group)| (separated(index, to_text(&group)), 1));
    Answer::new(result_type, []).with_elements(groups, weight, source.budget())
}

/// What a request for volumes asks.
fn volume_query(arguments: &Arguments) -> Result<VolumeQuery, Error> {
    let target_labels = arguments.text("targetLabels")?.unwrap_or_default();
    let target_labels = target_labels.split(',').map(str::trim).filter(|name| !name.is_empty());
    let is_by_name = match arguments.text("aggregateBy")?.as_deref() {
        None | Some("series") => false,
        Some("labels") => true,
        Some(_) => return Err(Error::bad_request("invalid aggregation option")),
    };
    let limit = match arguments.text("limit")?.as_deref() {
        Some("0") => LIMIT_DEFAULT,
        _ => arguments.count("limit", LIMIT_DEFAULT)?,
    };
    Ok(VolumeQuery {
        matchers: arguments.selector()?.unwrap_or_default(),
        target_labels: target_labels.map(str::to_owned).collect(),
        is_by_name,
        limit,
    })
}
