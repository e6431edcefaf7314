//! The JSON that leaves: wire structs, converted by hand from the crate's own types.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use tide::http::mime;
use tide::{Body, Response, StatusCode};

use crate::api::body::{self, Text};
use crate::log_database::{RetentionLimits, Statistics};
use crate::model::Timestamp;
use crate::model::budget::{Budget, Refusal};
use crate::status::{ActiveAlert, ClusterState, ClusterStatus, RuleGroup, RuleState, SkipReason, SourceStatus, Target};

/// The body of every error.
#[derive(Serialize)]
pub(super) struct Error<'a> {
    pub(super) error: &'a str,
    /// Where in the text of a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Position>,
}

/// A place in the text of a query, counted from 1.
#[derive(Serialize)]
pub(super) struct Position {
    pub(super) line: usize,
    /// In characters.
    pub(super) column: usize,
}

/// The body of `/status`.
#[derive(Serialize)]
pub(super) struct Status<'a> {
    /// Who asks, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<&'a str>,
    pub(super) version: &'a str,
    pub(super) commit: &'a str,
    pub(super) uptime_seconds: u64,
    pub(super) collector: &'a str,
    pub(super) root: &'a str,
    pub(super) data_directory: &'a str,
    pub(super) zone: &'a str,
    /// Why nothing is being stored at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    pub(super) streams: usize,
    pub(super) lines: u64,
    /// Bytes of the lines as they were read.
    pub(super) bytes: u64,
    /// Bytes that they take on disk.
    pub(super) disk_bytes: u64,
    /// The time of the oldest line, RFC 3339.
    pub(super) oldest: Option<String>,
    /// Stored bytes that turned out to be damaged.
    pub(super) quarantined_bytes: u64,
    /// What could not be read and was left out.
    pub(super) unreadable_parts: u64,
    /// Bytes found in sources: what is stored, skipped and waiting makes them up.
    pub(super) seen_bytes: u64,
    pub(super) stored_bytes: u64,
    pub(super) waiting_bytes: u64,
    pub(super) skipped_bytes: BTreeMap<&'static str, u64>,
    /// Anything but 0 is a defect.
    pub(super) unaccounted_bytes: u64,
    /// Bytes of deleted files that are kept on disk until they are read.
    pub(super) held_deleted_bytes: u64,
    /// What is certainly lost.
    pub(super) gaps: Vec<Gap>,
    /// Directories that links lead through and that are not there.
    pub(super) missing_targets: Vec<String>,
    /// What was in files at the start.
    pub(super) import: Import,
    /// Left out where no cluster is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kubernetes: Option<Kubernetes>,
    /// Alerts that fire.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) alerts: Vec<FiringAlert>,
    /// Where lines are forwarded to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) forward: Vec<ForwardTarget>,
    /// Lines that came each second of late.
    pub(super) lines_per_second: u64,
    pub(super) queries: Load,
    pub(super) tails: Load,
    pub(super) retention: Retention,
    /// Left out where nobody asks for them: there is one for each file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sources: Option<Vec<Source>>,
}

/// How the cluster answers, in `/status`.
#[derive(Serialize)]
pub(super) struct Kubernetes {
    /// Whether it tells of each change.
    up: bool,
    /// Pods of this node.
    pods: u64,
    requests: u64,
    errors: u64,
    /// Why it does not; null while it does.
    problem: Option<String>,
}

impl Kubernetes {
    /// `None` where no cluster is asked.
    pub(super) fn of(cluster: &ClusterStatus) -> Option<Self> {
        let (up, problem) = match cluster.state() {
            ClusterState::Unasked => return None,
            ClusterState::Waiting => (false, None),
            ClusterState::Up => (true, None),
            ClusterState::Failing(problem) => (false, Some(problem)),
        };
        let (requests, errors) = (cluster.requests.get(), cluster.errors.get());
        Some(Self { up, pods: cluster.pods.get(), requests, errors, problem })
    }
}

/// Most alerts that `/status` has; `/prometheus/api/v1/alerts` has all.
const ALERTS_MAX: usize = 100;

/// An alert that fires, in `/status`.
#[derive(Serialize)]
pub(super) struct FiringAlert {
    name: String,
    /// As `{app="shop"}`, without its name.
    labels: String,
    /// The annotation `summary`, or else `description`.
    summary: String,
    /// RFC 3339.
    since: String,
}

impl FiringAlert {
    /// The first of those that fire.
    pub(super) fn of(groups: &[RuleGroup]) -> Vec<Self> {
        let alerts = groups
            .iter()
            .flat_map(|group| &group.rules)
            .flat_map(|rule| rule.alerts.iter().map(move |alert| (rule, alert)));
        let firing = alerts.filter(|(_, alert)| alert.is_firing).take(ALERTS_MAX);
        let of = |(rule, alert): (&RuleState, &ActiveAlert)| {
            let labels = alert.labels.iter().filter(|(name, _)| name != "alertname");
            let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
            let find = |name: &str| alert.annotations.iter().find(|(known, _)| known == name);
            let summary = find("summary").or_else(|| find("description"));
            Self {
                name: rule.name.clone(),
                labels: format!("{{{}}}", labels.join(", ")),
                summary: summary.map(|(_, text)| text.clone()).unwrap_or_default(),
                since: rfc3339(alert.active),
            }
        };
        firing.map(of).collect()
    }
}

/// A target that lines are forwarded to, in `/status`.
#[derive(Serialize)]
pub(super) struct ForwardTarget {
    /// Without what may be secret.
    address: String,
    protocol: &'static str,
    /// The number of the last batch that was acknowledged.
    batch: u64,
    waiting_lines: u64,
    /// Bytes of text in them, about.
    waiting_bytes: u64,
    /// The earliest time among them, RFC 3339; null where none wait.
    oldest: Option<String>,
    /// Dropped by retention before they were sent.
    dropped_lines: u64,
    refused_lines: u64,
    last_refusal: Option<String>,
    /// Why nothing is sent; null while lines are taken.
    problem: Option<String>,
}

impl ForwardTarget {
    pub(super) fn of(target: &Target) -> Self {
        let state = target.state();
        Self {
            address: target.address.clone(),
            protocol: target.protocol,
            batch: state.batch,
            waiting_lines: state.waiting_lines,
            waiting_bytes: state.waiting_bytes,
            oldest: state.oldest.map(rfc3339),
            dropped_lines: state.dropped_lines,
            refused_lines: state.refused_lines,
            last_refusal: state.last_refusal,
            problem: state.problem,
        }
    }
}

/// How many there are, and may be, in `/status`.
#[derive(Serialize)]
pub(super) struct Load {
    pub(super) running: usize,
    pub(super) max: usize,
}

/// How much is kept, in `/status`.
#[derive(Serialize)]
pub(super) struct Retention {
    /// Null for no limit.
    bytes_max: Option<u64>,
    /// Null for no limit.
    age_seconds_max: Option<u64>,
    /// How many segments were dropped since the start.
    dropped_segments: u64,
    /// Null where none was.
    last_dropped: Option<Dropped>,
}

/// What was dropped last, in `/status`.
#[derive(Serialize)]
struct Dropped {
    /// RFC 3339.
    time: String,
    reason: &'static str,
}

impl Retention {
    pub(super) fn new(limits: RetentionLimits, statistics: &Statistics) -> Self {
        let dropped = |dropped: crate::log_database::Dropped| Dropped {
            time: rfc3339(dropped.time),
            reason: if dropped.is_for_age { "age" } else { "size" },
        };
        Self {
            bytes_max: limits.bytes,
            age_seconds_max: limits.age.map(|age| age.as_secs()),
            dropped_segments: statistics.dropped_segments,
            last_dropped: statistics.last_dropped.map(dropped),
        }
    }
}

/// How far what was in files at the start is read, in `/status`.
#[derive(Serialize)]
pub(super) struct Import {
    total_bytes: u64,
    read_bytes: u64,
    files: u64,
    files_read: u64,
    bytes_per_second: u64,
    /// Null where nothing is read yet.
    seconds_left: Option<u64>,
}

impl From<&crate::status::Import> for Import {
    fn from(import: &crate::status::Import) -> Self {
        Self {
            total_bytes: import.total_bytes.get(),
            read_bytes: import.read_bytes.get(),
            files: import.files.get(),
            files_read: import.files_read.get(),
            bytes_per_second: import.bytes_per_second(),
            seconds_left: import.seconds_left(),
        }
    }
}

/// One source in `/status`.
#[derive(Serialize)]
pub(super) struct Source {
    path: String,
    state: &'static str,
    read_bytes: u64,
    size_bytes: u64,
    lag_bytes: u64,
    /// Left out where the file does not say how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Entries>,
    /// RFC 3339; null for never.
    last_read: Option<String>,
    /// Whether it is looked at by polling because the watcher could take no more.
    polled: bool,
    /// Where that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl From<&SourceStatus> for Source {
    fn from(source: &SourceStatus) -> Self {
        let (state, problem) = source.state();
        let last_read_ns = source.last_read_ns.get().cast_signed();
        Self {
            path: source.path.clone(),
            state: state.name(),
            read_bytes: source.read_bytes.get(),
            size_bytes: source.size_bytes.get(),
            lag_bytes: source.lag_bytes(),
            entries: Entries::of(source),
            last_read: (last_read_ns != 0).then(|| rfc3339(Timestamp::from_ns(last_read_ns))),
            polled: source.polled.load(Ordering::Relaxed),
            encoding: source.encoding(),
            problem,
        }
    }
}

/// The entries of a journal file, counted, in `/status`.
#[derive(Serialize)]
struct Entries {
    seen: u64,
    read: u64,
    waiting: u64,
}

impl Entries {
    fn of(source: &SourceStatus) -> Option<Self> {
        let (seen, read) = (source.entry_count.get(), source.read_entry_count.get());
        (seen != 0).then(|| Self { seen, read, waiting: seen.saturating_sub(read) })
    }
}

/// Bytes of a source that are lost, in `/status`.
#[derive(Serialize)]
pub(super) struct Gap {
    path: String,
    from: u64,
    to: u64,
    reason: &'static str,
    /// RFC 3339.
    found: String,
}

impl From<crate::status::Gap> for Gap {
    fn from(gap: crate::status::Gap) -> Self {
        let (from, to) = (gap.bytes.start, gap.bytes.end);
        Self { path: gap.path, from, to, reason: gap.reason.name(), found: rfc3339(gap.found) }
    }
}

/// How much could no longer be read and is left out, wherever it is stored: parts of the journal, blocks of segments.
pub(super) fn unreadable_parts(statistics: &Statistics) -> u64 {
    statistics.unreadable_parts + statistics.unreadable_blocks
}

/// Bytes that were not stored, by the name of the reason.
pub(super) fn skipped_bytes(status: &crate::status::Status) -> BTreeMap<&'static str, u64> {
    SkipReason::ALL.into_iter().map(|reason| (reason.name(), status.skipped(reason))).collect()
}

/// An instant as RFC 3339 in UTC, with as many digits as it needs.
pub(super) fn rfc3339(timestamp: Timestamp) -> String {
    let instant = jiff::Timestamp::from_nanosecond(timestamp.as_ns().into());
    instant.expect("64 bits of nanoseconds lie within jiff's years").to_string()
}

/// An answer of JSON, status 200.
pub(super) fn json(value: &impl Serialize) -> Response {
    let mut text = serde_json::to_vec(value).expect("wire structs hold no map with keys that are not text");
    text.push(b'\n');
    let mut response = Response::new(StatusCode::Ok);
    response.set_body(Body::from(text));
    response.set_content_type(mime::JSON);
    response
}

/// An answer of JSON that may be long: its text is taken of `budget` until it is sent. Blocks.
pub(super) fn held_json(value: &impl Serialize, budget: Arc<Budget>) -> Result<Response, crate::api::error::Error> {
    let mut text = Text::within(budget);
    let written = serde_json::to_writer(&mut text, value).map_err(io::Error::from);
    written
        .and_then(|()| text.write_all(b"\n"))
        .map_err(|error| error.downcast::<Refusal>().expect("wire structs hold no map with keys that are not text"))?;
    let mut response = body::response(text)?;
    response.set_content_type(mime::JSON);
    Ok(response)
}

/// Appends a value as JSON.
pub(super) fn push_json(json: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(json, value).expect("wire structs hold no map with keys that are not text");
}

/// Appends `line` as a JSON string: bytes that are no UTF-8 become U+FFFD, control characters are escaped.
pub(super) fn push_line(json: &mut Vec<u8>, line: &[u8]) {
    serde_json::to_writer(json, &String::from_utf8_lossy(line)).expect("writing text to a vector cannot fail");
}
