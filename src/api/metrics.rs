//! `GET /metrics`: counters and gauges in Prometheus' text format, version 0.0.4.
//!
//! No metric has a label whose values grow with what is read: sources are counted by state, not named.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tide::{Request, Response};

use crate::api::{State, time, wire};
use crate::log_database::Statistics;
use crate::logql::units::NS_PER_SECOND;
use crate::model::Timestamp;
use crate::status::{
    ClusterState, NotifyTarget, Pairs, PushRefusal, SkipReason, SourceState, SourceStatus, Status, Target, TargetState,
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers the request.
pub(super) async fn get(request: Request<State>) -> tide::Result {
    let State { status, about, .. } = request.state();
    let mut page = Page::default();
    page.family("monitoring_build_info", "What is running; always 1.");
    page.sample(&[("version", &about.version), ("commit", &about.commit)], 1);
    let uptime = about.started.elapsed();
    page.single("monitoring_uptime_seconds", "Time since the agent was started.", uptime.as_secs());
    source_metrics(&mut page, status, time::now(), uptime);
    page.single("monitoring_queries_total", "Queries that had their turn.", status.queries.get());
    push_metrics(&mut page, status);
    let failures = status.access_failures.get();
    page.single("monitoring_auth_failures_total", "Requests with credentials that are wrong.", failures);
    cluster_metrics(&mut page, status);
    forward_metrics(&mut page, status, time::now());
    rule_metrics(&mut page, status);
    store_metrics(&mut page, &request.state().statistics().await, status.problem().is_some());

    let mut response = Response::from(page.text);
    response.insert_header("Content-Type", CONTENT_TYPE);
    Ok(response)
}

fn source_metrics(page: &mut Page, status: &Status, now: Timestamp, uptime: Duration) {
    page.single("monitoring_source_bytes_read_total", "Bytes read from sources.", status.bytes_read.get());
    page.single("monitoring_source_lines_read_total", "Entries made of them.", status.lines_read.get());
    page.family("monitoring_source_bytes_skipped_total", "Bytes that were not stored, by reason.");
    for reason in SkipReason::ALL {
        page.sample(&[("reason", reason.name())], status.skipped(reason));
    }
    page.single("monitoring_source_bytes_seen_total", "Bytes found in sources.", status.bytes_seen.get());
    page.single("monitoring_source_bytes_stored_total", "Bytes of them stored.", status.bytes_stored.get());
    page.single("monitoring_source_bytes_waiting", "Bytes of them waiting.", status.bytes_waiting.get());
    let unaccounted = status.bytes_unaccounted.get();
    page.single("monitoring_source_bytes_unaccounted", "Anything but 0 is a defect of the agent.", unaccounted);
    let deleted = status.held_deleted_bytes.get();
    page.single("monitoring_source_held_deleted_bytes", "Bytes of deleted files kept until they are read.", deleted);
    let help = "Part of what was in files at the start that is read.";
    page.single("monitoring_import_progress_ratio", help, status.import.progress_ratio());
    let sources = status.sources();
    page.family("monitoring_source_files", "Sources, by state.");
    for (state, count) in files_by_state(&sources) {
        page.sample(&[("state", state)], count);
    }
    let lag_bytes: u64 = sources.iter().map(|source| source.lag_bytes()).sum();
    page.single("monitoring_source_lag_bytes", "Bytes in sources that have not been read.", lag_bytes);
    let lag = status.oldest_lag().map_or(Duration::ZERO, |last_read| age(last_read, now).min(uptime));
    let help = "Time since the source that waits longest to be read was read, or since the start.";
    page.single("monitoring_source_lag_seconds", help, lag.as_secs_f64());
    page.single("monitoring_source_rotations_total", "Sources renamed, replaced or deleted.", status.rotations.get());
    page.single("monitoring_source_truncations_total", "Sources cut or rewritten in place.", status.truncations.get());
    page.single("monitoring_source_links_refused_total", "Links not followed.", status.links_refused.get());
    page.single("monitoring_inotify_overflows_total", "Watcher queue overflows.", status.watcher_overflows.get());
    page.single("monitoring_inotify_watches", "Files and directories being watched.", status.watches.get());
}

fn push_metrics(page: &mut Page, status: &Status) {
    let pushes = &status.pushes;
    page.single("monitoring_push_entries_total", "Pushed entries stored.", pushes.entries.get());
    page.single("monitoring_push_bytes_total", "Bytes of them.", pushes.bytes.get());
    page.single("monitoring_push_repeated_entries_total", "Those that were stored already.", pushes.repeated.get());
    page.family("monitoring_push_refused_entries_total", "Those that were not stored, by reason.");
    for reason in PushRefusal::ALL {
        page.sample(&[("reason", reason.name())], pushes.refused(reason));
    }
    page.single("monitoring_push_failures_total", "Pushes that failed as a whole.", pushes.failures.get());
}

/// Nothing where no cluster is asked.
fn cluster_metrics(page: &mut Page, status: &Status) {
    let cluster = &status.cluster;
    if cluster.state() == ClusterState::Unasked {
        return;
    }
    let help = "Whether the Kubernetes API tells of this node's pods.";
    page.single("monitoring_kubernetes_api_up", help, u8::from(cluster.is_up()));
    page.single("monitoring_kubernetes_api_requests_total", "Requests to it.", cluster.requests.get());
    page.single("monitoring_kubernetes_api_errors_total", "How often that failed.", cluster.errors.get());
    page.single("monitoring_kubernetes_pods", "Pods of this node.", cluster.pods.get());
}

/// Nothing where lines are forwarded nowhere. Targets are few, and named by who runs the agent.
fn forward_metrics(page: &mut Page, status: &Status, now: Timestamp) {
    let targets: Vec<_> = status.targets().into_iter().map(|target| (target.state(), target)).collect();
    if targets.is_empty() {
        return;
    }
    let mut family = |name, help, value: &dyn Fn(&TargetState, &Target) -> String| {
        page.family(name, help);
        for (state, target) in &targets {
            page.sample(&[("target", &target.address)], value(state, target));
        }
    };
    family("monitoring_forward_up", "Whether the target takes lines.", &|state, _| {
        u8::from(state.problem.is_none()).to_string()
    });
    let help = "Lines that wait to be forwarded.";
    family("monitoring_forward_queue_lines", help, &|state, _| state.waiting_lines.to_string());
    let help = "Bytes of text in them, about.";
    family("monitoring_forward_queue_bytes", help, &|state, _| state.waiting_bytes.to_string());
    let help = "Age of the oldest of them.";
    let lag =
        |state: &TargetState| state.oldest.map_or(Duration::ZERO, |oldest| age(oldest, now)).as_secs_f64().to_string();
    family("monitoring_forward_lag_seconds", help, &|state, _| lag(state));
    let help = "Lines that the target has acknowledged, since the start.";
    family("monitoring_forward_acked_total", help, &|_, target| target.acknowledged_lines.get().to_string());
    let help = "Bytes that were sent, since the start.";
    family("monitoring_forward_sent_bytes_total", help, &|_, target| target.sent_bytes.get().to_string());
    let help = "How often sending failed, since the start.";
    family("monitoring_forward_failures_total", help, &|_, target| target.failures.get().to_string());
    let help = "Lines that the target has refused.";
    family("monitoring_forward_refused_total", help, &|state, _| state.refused_lines.to_string());
    let help = "Lines that were dropped by retention before they were forwarded.";
    family("monitoring_forward_dropped_total", help, &|state, _| state.dropped_lines.to_string());
}

/// Nothing where there are no rules: how they are, whom they tell, and the numbers that they record.
fn rule_metrics(page: &mut Page, status: &Status) {
    let groups = status.rules();
    if groups.is_empty() {
        return;
    }
    let rules = || groups.iter().flat_map(|group| &group.rules);
    page.single("monitoring_rules", "Rules that are evaluated.", rules().count());
    let failing = rules().filter(|rule| rule.problem.is_some()).count();
    page.single("monitoring_rules_failing", "Those that could not be evaluated the last time.", failing);
    let is_wrong = u8::from(status.rules_problem().is_some());
    page.single(
        "monitoring_rules_reload_failed",
        "1 while rule files are wrong, and the rules before go on.",
        is_wrong,
    );
    page.family("monitoring_alerts", "Alerts, by state.");
    for (state, is_firing) in [("pending", false), ("firing", true)] {
        let alerts = rules().flat_map(|rule| &rule.alerts).filter(|alert| alert.is_firing == is_firing);
        page.sample(&[("state", state)], alerts.count());
    }
    let targets = status.notified();
    let mut family = |name, help, value: &dyn Fn(&NotifyTarget) -> u64| {
        page.family(name, help);
        for target in &targets {
            page.sample(&[("target", &target.address)], value(target));
        }
    };
    if !targets.is_empty() {
        family("monitoring_notify_sent_total", "Alerts that a receiver was told of.", &|target| target.sent.get());
        family("monitoring_notify_failures_total", "How often telling failed.", &|target| target.failures.get());
        let help = "Alerts that a receiver was not told of.";
        family("monitoring_notify_dropped_total", help, &|target| target.dropped.get());
    }
    let mut recorded: BTreeMap<&str, Vec<&(Pairs, f64)>> = BTreeMap::new();
    for rule in rules().filter(|rule| rule.alerting.is_none()) {
        recorded.entry(&rule.name).or_default().extend(&rule.samples);
    }
    for (name, samples) in recorded {
        page.family(name, "Recorded by a rule.");
        for (labels, value) in samples {
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            page.sample(&labels, value);
        }
    }
}

fn store_metrics(page: &mut Page, statistics: &Statistics, is_read_only: bool) {
    page.single("monitoring_store_streams", "Streams.", statistics.streams);
    page.single("monitoring_store_lines", "Lines.", statistics.lines);
    page.single("monitoring_store_bytes", "Bytes of the lines as they were read.", statistics.bytes);
    page.single("monitoring_store_disk_bytes", "Bytes they take on disk.", statistics.disk_bytes);
    page.single("monitoring_store_commits_total", "Commits.", statistics.commits);
    page.single("monitoring_store_fsyncs_total", "Syncs that made something durable.", statistics.syncs);
    page.single("monitoring_store_fsync_failures_total", "Syncs that failed.", statistics.sync_failures);
    page.single("monitoring_store_cut_bytes", "Unfinished bytes a crash left behind.", statistics.cut_bytes);
    page.single("monitoring_store_quarantined_bytes", "Durable bytes found damaged.", statistics.quarantined_bytes);
    let unreadable = wire::unreadable_parts(statistics);
    page.single("monitoring_store_unreadable_parts", "Parts and blocks that could not be read.", unreadable);
    if let Some(oldest) = statistics.oldest {
        let seconds = oldest.as_ns().div_euclid(NS_PER_SECOND);
        page.single("monitoring_store_oldest_timestamp_seconds", "Time of the oldest line.", seconds);
    }
    page.single("monitoring_store_read_only", "1 while lines cannot be stored.", u8::from(is_read_only));
}

/// How many sources there are in each state; each is counted once.
fn files_by_state(sources: &[Arc<SourceStatus>]) -> BTreeMap<&'static str, u64> {
    const POLLING: &str = "polling";
    let states = [SourceState::Active, SourceState::Rotated, SourceState::Unreadable, SourceState::LeftOut];
    let names = states.map(SourceState::name).into_iter().chain([POLLING]);
    let mut counts: BTreeMap<&'static str, u64> = names.map(|name| (name, 0)).collect();
    for source in sources {
        let (state, _) = source.state();
        let polled = state == SourceState::Active && source.polled.load(Ordering::Relaxed);
        *counts.entry(if polled { POLLING } else { state.name() }).or_default() += 1;
    }
    counts
}

/// How long ago `earlier` was; nothing where the clock was set back past it.
fn age(earlier: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(now.as_ns().saturating_sub(earlier.as_ns())).unwrap_or_default())
}

/// A page of metrics in the making.
#[derive(Default)]
struct Page {
    text: String,
    /// The family that samples are added to.
    family: String,
}

impl Page {
    /// Opens a family; its samples follow. Its kind is told by its name, as Prometheus' rules have it.
    fn family(&mut self, name: &str, help: &str) {
        name.clone_into(&mut self.family);
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a string cannot fail");
    }

    /// Adds a sample to the open family.
    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.text, "{}{labels} {value}", self.family).expect("writing to a string cannot fail");
    }

    /// Adds a family of one sample without labels.
    fn single(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(name, help);
        self.sample(&[], value);
    }
}

/// A label's value as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_cannot_be_read_is_counted() {
        let statistics = Statistics { unreadable_parts: 1, unreadable_blocks: 2, ..Statistics::default() };
        let mut page = Page::default();
        store_metrics(&mut page, &statistics, false);
        assert!(page.text.contains("\nmonitoring_store_unreadable_parts 3\n"), "{}", page.text);
    }
}
