//! `GET /metrics`: counters and gauges in Prometheus' text format, version 0.0.4.
//!
//! No metric has a label whose values grow with what is read: sources are counted by state, not named.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tide::{Request, Response};

use super::{State, time};
use crate::model::Timestamp;
use crate::status::{SkipReason, SourceState, SourceStatus};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const NS_PER_SECOND: i64 = 1_000_000_000;

/// Answers the request.
pub(super) async fn get(request: Request<State>) -> tide::Result {
    let mut response = Response::from(render(request.state(), time::now()));
    response.insert_header("Content-Type", CONTENT_TYPE);
    Ok(response)
}

fn render(state: &State, now: Timestamp) -> String {
    let State { database, status, about } = state;
    let mut page = Page::default();

    page.family("monitoring_build_info", "gauge", "What is running; always 1.");
    page.sample(&[("version", &about.version), ("commit", &about.commit)], 1);
    page.single(
        "monitoring_uptime_seconds",
        "gauge",
        "Time since the agent was started.",
        about.started.elapsed().as_secs(),
    );

    page.single("monitoring_source_bytes_read_total", "counter", "Bytes read from sources.", status.bytes_read.get());
    page.single("monitoring_source_lines_read_total", "counter", "Entries made of them.", status.lines_read.get());
    page.family("monitoring_source_bytes_skipped_total", "counter", "Bytes that were not stored, by reason.");
    for reason in SkipReason::ALL {
        page.sample(&[("reason", reason.name())], status.skipped(reason));
    }
    let sources = status.sources();
    page.family("monitoring_source_files", "gauge", "Sources, by state.");
    for (source_state, count) in files_by_state(&sources) {
        page.sample(&[("state", source_state)], count);
    }
    let lag_bytes: u64 = sources.iter().map(|source| source.lag_bytes()).sum();
    page.single("monitoring_source_lag_bytes", "gauge", "Bytes in sources that have not been read.", lag_bytes);
    let lag_help = "Time since the least recently read source with unread bytes was read.";
    page.single("monitoring_source_lag_seconds", "gauge", lag_help, seconds_since(status.oldest_lag(), now));
    page.single(
        "monitoring_source_rotations_total",
        "counter",
        "Sources renamed, replaced or deleted.",
        status.rotations.get(),
    );
    page.single(
        "monitoring_source_truncations_total",
        "counter",
        "Sources that shrank or were rewritten.",
        status.truncations.get(),
    );
    page.single(
        "monitoring_source_links_refused_total",
        "counter",
        "Links that were not followed.",
        status.links_refused.get(),
    );

    let overflows = status.watcher_overflows.get();
    page.single("monitoring_inotify_overflows_total", "counter", "Overflows of the watcher's queue.", overflows);
    page.single("monitoring_inotify_watches", "gauge", "Files and directories being watched.", status.watches.get());

    let statistics = database.statistics();
    page.single("monitoring_store_streams", "gauge", "Streams.", statistics.streams);
    page.single("monitoring_store_lines", "gauge", "Lines.", statistics.lines);
    page.single("monitoring_store_bytes", "gauge", "Bytes of the lines as they were read.", statistics.bytes);
    page.single("monitoring_store_disk_bytes", "gauge", "Bytes they take on disk.", statistics.disk_bytes);
    page.single("monitoring_store_commits_total", "counter", "Commits.", statistics.commits);
    page.single("monitoring_store_fsyncs_total", "counter", "Syncs to stable storage.", statistics.syncs);
    page.single("monitoring_store_fsync_failures_total", "counter", "Syncs that failed.", statistics.sync_failures);
    page.single(
        "monitoring_store_blocks_quarantined_total",
        "counter",
        "Damaged parts set aside.",
        statistics.quarantined,
    );
    if let Some(oldest) = statistics.oldest {
        let seconds = oldest.as_ns().div_euclid(NS_PER_SECOND);
        page.single("monitoring_store_oldest_timestamp_seconds", "gauge", "Time of the oldest line.", seconds);
    }
    let read_only = u64::from(status.problem().is_some());
    page.single("monitoring_store_read_only", "gauge", "1 while lines cannot be stored.", read_only);
    page.text
}

/// How many sources there are in each state; each is counted once.
fn files_by_state(sources: &[Arc<SourceStatus>]) -> BTreeMap<&'static str, u64> {
    const POLLING: &str = "polling";
    let states = [SourceState::Active, SourceState::Rotated, SourceState::Unreadable];
    let names = states.map(SourceState::name).into_iter().chain([POLLING]);
    let mut counts: BTreeMap<&'static str, u64> = names.map(|name| (name, 0)).collect();
    for source in sources {
        let (state, _) = source.state();
        let polled = state == SourceState::Active && source.polled.load(Ordering::Relaxed);
        *counts.entry(if polled { POLLING } else { state.name() }).or_default() += 1;
    }
    counts
}

/// Whole seconds from `earlier` to `now`; 0 where there is none or it lies ahead.
fn seconds_since(earlier: Option<Timestamp>, now: Timestamp) -> i64 {
    let age_ns = earlier.map_or(0, |earlier| now.as_ns().saturating_sub(earlier.as_ns()));
    age_ns.max(0) / NS_PER_SECOND
}

/// A page of metrics in the making.
#[derive(Default)]
struct Page {
    text: String,
    /// The family that samples are added to.
    family: &'static str,
}

impl Page {
    /// Opens a family; its samples follow.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a string cannot fail");
    }

    /// Adds a sample to the open family.
    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.text, "{}{labels} {value}", self.family).expect("writing to a string cannot fail");
    }

    /// Adds a family of one sample without labels.
    fn single(&mut self, name: &'static str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
