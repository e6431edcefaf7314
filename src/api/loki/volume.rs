//! `index/stats`, `index/volume` and `index/volume_range`: how much there is, as the index tells without a look at lines.
//!
//! Lines that are stored together are counted as if they were spread evenly over their time, so what lies across the
//! borders of a range is an estimate.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use blocking::unblock;
use serde_json::json;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::service;
use crate::api::loki::wire::{self, Answer, Sample, Samples, Seconds};
use crate::log_database::{Database, Extent};
use crate::model::{Labels, Matcher, TimeRange, Timestamp};

/// How many groups are answered where nothing is said.
const LIMIT_DEFAULT: usize = 100;
/// Most groups of streams; Loki's limit.
const GROUPS_MAX: usize = 1000;
/// Most numbers of an answer, over all groups and steps: 8 MB.
const POINTS_MAX: usize = 1_000_000;

/// The labels that tell the groups of an answer apart.
type Key = BTreeMap<String, String>;
/// A group of streams and its bytes in each of several ranges.
type Group = (Key, Vec<u64>);

/// Answers how much a selector selects.
pub(super) async fn stats(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let (matchers, range) = (arguments.selector()?.unwrap_or_default(), arguments.range()?);
    let streams = extents(&request.state().database, matchers, range).await;
    let (mut chunks, mut bytes, mut entries) = (0, 0, 0);
    for extent in streams.iter().flat_map(|(_, extents)| extents) {
        chunks += 1;
        bytes += share(extent, extent.bytes, range);
        entries += share(extent, extent.lines, range);
    }
    Ok(wire::json(&json!({"streams": streams.len(), "chunks": chunks, "bytes": bytes, "entries": entries})))
}

/// Answers the bytes of each group of streams.
pub(super) async fn volume(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let (query, range) = (Query::of(&arguments)?, arguments.range()?);
    let groups = query.run(&request.state().database, range, &[range]).await?;
    let sample = |(metric, bytes): Group| Sample { metric, value: (Seconds(range.end), bytes[0].to_string()) };
    Ok(Answer::new("vector", groups.into_iter().map(sample).collect::<Vec<_>>()).into_response())
}

/// Answers the bytes of each group of streams, step by step.
pub(super) async fn volume_range(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let (query, range) = (Query::of(&arguments)?, arguments.range()?);
    let steps = steps(range, arguments.step_ns(range)?);
    let groups = query.run(&request.state().database, range, &steps).await?;
    let series = |(metric, bytes): Group| {
        let points = steps.iter().zip(bytes).filter(|(_, bytes)| 0 < *bytes);
        Samples { metric, values: points.map(|(step, bytes)| (Seconds(step.start), bytes.to_string())).collect() }
    };
    Ok(Answer::new("matrix", groups.into_iter().map(series).collect::<Vec<_>>()).into_response())
}

/// What a request for volumes asks.
#[derive(Debug)]
struct Query {
    matchers: Vec<Matcher>,
    /// Given by name; every group has all of them.
    target_labels: Vec<String>,
    /// One group for each label's name, instead of one for each combination of values.
    is_by_name: bool,
    limit: usize,
}

impl Query {
    fn of(arguments: &Arguments) -> Result<Self, Error> {
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
        Ok(Self {
            matchers: arguments.selector()?.unwrap_or_default(),
            target_labels: target_labels.map(str::to_owned).collect(),
            is_by_name,
            limit,
        })
    }

    /// The largest groups and their bytes in each of `ranges`, which lie in `range`; the largest first.
    async fn run(self, database: &Database, range: TimeRange, ranges: &[TimeRange]) -> Result<Vec<Group>, Error> {
        let mut groups: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        for (labels, extents) in extents(database, self.matchers.clone(), range).await {
            for key in self.keys(&labels) {
                let bytes = groups.entry(key).or_insert_with(|| vec![0; ranges.len()]);
                for (bytes, range) in bytes.iter_mut().zip(ranges) {
                    *bytes += extents.iter().map(|extent| share(extent, extent.bytes, *range)).sum::<u64>();
                }
            }
            if GROUPS_MAX < groups.len() || POINTS_MAX < groups.len() * ranges.len() {
                let message = format!(
                    "the volume query has more than {GROUPS_MAX} series or {POINTS_MAX} points; select fewer streams, \
                     name fewer targetLabels, or ask for longer steps"
                );
                return Err(Error::bad_request(message));
            }
        }
        let mut groups: Vec<Group> =
            groups.into_iter().filter(|(_, bytes)| bytes.iter().any(|bytes| 0 < *bytes)).collect();
        groups.sort_by_key(|(_, bytes)| Reverse(bytes.iter().copied().find(|bytes| 0 < *bytes)));
        groups.truncate(self.limit);
        Ok(groups)
    }

    /// The groups that a stream belongs to; none where it lacks a label that was asked for.
    fn keys(&self, labels: &Labels) -> Vec<Key> {
        let is_matched = |name: &String| self.matchers.iter().any(|matcher| matcher.name == *name);
        if self.target_labels.iter().any(|name| labels.get(name).is_none() && !is_matched(name)) {
            return Vec::new();
        }
        let matched = || self.matchers.iter().map(|matcher| matcher.name.as_str());
        let names: BTreeSet<&str> = if !self.target_labels.is_empty() {
            self.target_labels.iter().map(String::as_str).collect()
        } else if self.is_by_name || self.matchers.is_empty() {
            labels.iter().map(|(name, _)| name).collect()
        } else {
            matched().collect()
        };
        let pairs = names.into_iter().filter_map(|name| Some((name.to_owned(), labels.get(name)?.to_owned())));
        if self.is_by_name {
            return pairs.map(|(name, _)| Key::from([(name, String::new())])).collect();
        }
        vec![pairs.collect()]
    }
}

/// The streams that all `matchers` accept, and what the index knows of their lines in `range`.
async fn extents(database: &Database, matchers: Vec<Matcher>, range: TimeRange) -> Vec<(Labels, Vec<Extent>)> {
    let database = database.clone();
    let find = move || {
        let streams = database.snapshot().extents(range).into_iter();
        streams.filter_map(|(stored, extents)| Some((service::shown_as(&stored, &matchers)?, extents))).collect()
    };
    unblock(find).await
}

/// How many of the `count` things in `extent` lie in `range`, if they are spread evenly.
fn share(extent: &Extent, count: u64, range: TimeRange) -> u64 {
    let [first, last] = [extent.earliest, extent.latest].map(|time| i128::from(time.as_ns()));
    let [start, end] = [range.start, range.end].map(|time| i128::from(time.as_ns()));
    let overlap = (last + 1).min(end) - first.max(start);
    let share = i128::from(count) * overlap.max(0) / (last + 1 - first);
    u64::try_from(share).expect("a part of what fits")
}

/// The steps that `range` is made of; the last may be shorter.
fn steps(range: TimeRange, step_ns: i64) -> Vec<TimeRange> {
    let mut steps = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = Timestamp::from_ns(start.as_ns().saturating_add(step_ns)).min(range.end);
        steps.push(TimeRange { start, end });
        start = end;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_share(start: i64, end: i64, expected: u64) {
        let [earliest, latest, start, end] = [10, 19, start, end].map(Timestamp::from_ns);
        let extent = Extent { earliest, latest, lines: 0, bytes: 0 };
        assert_eq!(share(&extent, 100, TimeRange { start, end }), expected);
    }

    #[test]
    fn lines_count_by_how_much_of_their_time_is_asked_for() {
        check_share(i64::MIN, i64::MAX, 100);
        check_share(10, 20, 100);
        check_share(15, 100, 50);
        check_share(0, 11, 10);
        check_share(0, 10, 0);
        check_share(20, 20, 0);
    }

    #[test]
    fn steps_cover_the_range() {
        let at = Timestamp::from_ns;
        let range = |start, end| TimeRange { start: at(start), end: at(end) };
        assert_eq!(steps(range(0, 25), 10), [range(0, 10), range(10, 20), range(20, 25)]);
        assert_eq!(steps(range(5, 5), 10), []);
    }
}
