//! Rules over lines: what they find becomes alerts, which receivers are told of, or numbers of the agent's own.
//!
//! One thread evaluates the groups, each at its own times: a multiple of its interval, and a part of that which depends on its name, so
//! that not all come at once. Lines may come late, so a time is evaluated [`Settings::delay`] after it has passed. After a pause, be it
//! a restart, the times that were missed are evaluated in their order, the last 60 of them (`MISSED_MAX`).
//!
//! The state of alerts is stored with the lines, so that `for` and `keep_firing_for` outlast a restart.
//!
//! | file | |
//! |---|---|
//! | `yaml`, `rules` | rule files, with the place of what is wrong in them |
//! | `state` | what becomes of alerts, a function of what is found and of time |
//! | `notify` | who is told, and how |

mod notify;
mod rules;
mod state;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::alerts::notify::Notifier;
use crate::alerts::rules::{Group, Kind, Rule};
use crate::alerts::state::{Alert, Alerts, Found, LabelPairs, Notice, nanoseconds};
use crate::file;
use crate::ingest::Stop;
use crate::inventory::Inventory;
use crate::log_database::{self, Database};
use crate::logql::eval::{Evaluation, MetricAnswer, MetricQuery, TooManySeries};
use crate::logql::{self, pipeline::Clock};
use crate::model::budget::Budget;
use crate::model::{Batch, COLLECTOR_SOURCE_BYTES, Checkpoint, Timestamp};
use crate::outgoing::{self, Files};
use crate::query::{Seen, Source, numbers};
use crate::status::{ActiveAlert, AlertRule, RuleGroup, RuleState, Status};

pub use rules::{Error as RuleError, count as count_rules};

/// Most missed times of a group that are made up for.
const MISSED_MAX: i64 = 60;
/// Time between two looks at the rule files.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
/// The longest wait, so that a stop is noticed.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// Most memory that a rule's query may take, in bytes.
const QUERY_BYTES_MAX: usize = 32 << 20;
/// How long it may take: all rules wait for it.
const QUERY_TIME_MAX: Duration = Duration::from_mins(1);
/// Most alerts or series of a rule, whatever its group says.
const SERIES_MAX: usize = 10_000;
/// Time after which a group's alerts are stored again though they have not changed.
const STORE_INTERVAL: Duration = Duration::from_mins(10);
/// Begins the sources of what is stored of groups; longer than those of collectors, so that none is taken for the other.
const PREFIX: &[u8] = b"\0state of the rule group \0";
const _: () = assert!(COLLECTOR_SOURCE_BYTES < PREFIX.len());
const ALERT_NAME: &str = "alertname";

/// What is evaluated, and who is told.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Rule files, and directories of them.
    pub rules: Vec<PathBuf>,
    /// How long lines may come late.
    pub delay: Duration,
    /// Addresses of receivers with what they need.
    pub notify: Vec<(String, Files)>,
    /// Where people find this agent.
    pub external_url: String,
}

/// Why there are no alerts.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule file is wrong.
    #[error("--rules: {0}")]
    Rules(#[from] RuleError),
    /// An address is none.
    #[error("--notify: {0}")]
    Address(String),
    /// A receiver's address or file is wrong.
    #[error("--notify: {0}")]
    Receiver(#[from] outgoing::Error),
}

/// What rules are evaluated over.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The lines.
    pub database: Database,
    /// Names of their streams.
    pub inventory: Arc<Inventory>,
    /// What queries take their memory from.
    pub memory: Arc<Budget>,
    /// The time.
    pub clock: fn() -> Timestamp,
}

/// Evaluates rules.
#[derive(Debug)]
pub struct Alerting {
    settings: Settings,
    sources: Sources,
    status: Arc<Status>,
    groups: Vec<Running>,
    notifiers: Vec<Arc<Notifier>>,
    stamp: Stamp,
    looked: Instant,
    query_time_max: Duration,
}

/// A group that is evaluated.
#[derive(Debug)]
struct Running {
    group: Group,
    /// Those of each rule.
    alerts: Vec<Alerts>,
    /// For which time it was evaluated last, in nanoseconds since the Unix epoch.
    last_ns: Option<i64>,
    stored: Option<(Instant, Vec<RuleAlerts>)>,
}

/// What is stored of a group, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    last_ns: i64,
    rules: Vec<RuleAlerts>,
}

/// What is stored of a rule's alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RuleAlerts {
    name: String,
    query: String,
    alerts: Vec<Alert>,
}

/// How files were when they were read: of each its path, length and time.
type Stamp = Vec<(PathBuf, u64, i64)>;

impl Alerting {
    /// Reads the rules and what is stored of their alerts. Tells nobody anything yet.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn new(settings: Settings, sources: Sources, status: &Arc<Status>) -> Result<Self, Error> {
        let stamp = stamp(&settings.rules);
        let read = rules::read(&settings.rules)?;
        let notifier = |(address, files): &(String, Files)| {
            Notifier::new(address, files.clone(), &settings.external_url, status).map(Arc::new)
        };
        let notifiers = settings.notify.iter().map(notifier).collect::<Result<_, _>>()?;
        let (status, looked) = (Arc::clone(status), Instant::now());
        let (groups, query_time_max) = (Vec::new(), QUERY_TIME_MAX);
        let mut alerting = Self { settings, sources, status, groups, notifiers, stamp, looked, query_time_max };
        alerting.take(read);
        Ok(alerting)
    }

    /// Evaluates rules and tells receivers, until `stop`. Their threads may go on for a moment.
    ///
    /// # Errors
    ///
    /// There is no thread for a receiver.
    pub fn run(&mut self, stop: &Arc<Stop>) -> std::io::Result<()> {
        for notifier in &self.notifiers {
            let (notifier, stop) = (Arc::clone(notifier), Arc::clone(stop));
            thread::Builder::new().name("notify".into()).spawn(move || notifier.run(&stop))?;
        }
        while !stop.is_set() {
            if RELOAD_INTERVAL <= self.looked.elapsed() {
                self.look_at_files();
            }
            let wait = self.evaluate_due();
            stop.wait(wait.min(IDLE_INTERVAL));
        }
        Ok(())
    }

    /// Reads the files again if they have changed. Wrong ones are said once; the rules that were go on.
    fn look_at_files(&mut self) {
        self.looked = Instant::now();
        let stamp = stamp(&self.settings.rules);
        if stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match rules::read(&self.settings.rules) {
            Ok(groups) => {
                self.store_all();
                self.take(groups);
                self.status.set_rules_problem(None);
                log::info!("rules are read again: {} groups", self.groups.len());
            }
            Err(error) => {
                log::error!("{error}; the rules that were go on");
                self.status.set_rules_problem(Some(error.to_string()));
            }
        }
    }

    /// Takes the place of the groups that were, with what is stored of their alerts.
    fn take(&mut self, groups: Vec<Group>) {
        let known = self.sources.database.checkpoints().into_iter();
        let known = known.filter(|checkpoint| checkpoint.source.starts_with(PREFIX));
        let mut stored: BTreeMap<Vec<u8>, Stored> = known
            .filter_map(|checkpoint| Some((checkpoint.source, serde_json::from_slice(&checkpoint.position?).ok()?)))
            .collect();
        self.groups = groups.into_iter().map(|group| Running::new(&mut stored, group)).collect();
        // What is left belongs to groups that are no more.
        for source in stored.into_keys() {
            self.store(Checkpoint { source, position: None });
        }
        self.status
            .set_rules(self.groups.iter().map(|running| running.state(None, Duration::ZERO, Vec::new())).collect());
    }

    /// Evaluates what is due, and returns how long nothing will be.
    fn evaluate_due(&mut self) -> Duration {
        let now = (self.sources.clock)();
        let mut wait = IDLE_INTERVAL;
        for index in 0..self.groups.len() {
            let times = self.groups[index].due(now, self.settings.delay);
            for (place, time) in times.iter().enumerate() {
                let is_last = place + 1 == times.len();
                self.evaluate(index, *time, is_last.then_some(now));
            }
            wait = wait.min(self.groups[index].wait(now, self.settings.delay));
        }
        wait
    }

    /// Evaluates a group for a time; if it is the last one that is due, receivers are told what there is `now`.
    fn evaluate(&mut self, index: usize, time: Timestamp, now: Option<Timestamp>) {
        let began = Instant::now();
        let Self { sources, groups, query_time_max, .. } = self;
        let running = &mut groups[index];
        let mut results = Vec::new();
        let snapshot = sources.database.snapshot();
        let clock = Clock { now: time, zone: jiff::tz::TimeZone::system(), zones: jiff::tz::db().clone() };
        for (rule, alerts) in running.group.rules.iter().zip(&mut running.alerts) {
            let began = Instant::now();
            // Of its own: what one rule takes is not the next one's.
            let budget = Budget::within(Arc::clone(&sources.memory), QUERY_BYTES_MAX);
            let budget = Arc::new(budget.lasting(*query_time_max));
            let source = Source::new(snapshot.clone(), Arc::clone(&sources.inventory), budget);
            let found = evaluate_rule(rule, running.group.limit, &source, time, &clock);
            let mut result = RuleResult { took: began.elapsed(), ..RuleResult::default() };
            match (found, &rule.kind) {
                (Ok(found), Kind::Alert { hold, keep_firing, .. }) => alerts.evaluate(time, *hold, *keep_firing, found),
                (Ok(found), Kind::Record) => {
                    result.samples = found.into_iter().map(|found| (found.labels, found.value)).collect();
                }
                (Err(problem), _) => result.problem = Some(problem),
            }
            results.push(result);
        }
        running.last_ns = Some(time.as_ns());
        let mut notices: Vec<Notice> = Vec::new();
        if let Some(now) = now {
            for alerts in &mut running.alerts {
                notices.extend(alerts.tell(now, running.group.interval));
            }
        }
        self.status.set_rule_group(index, running.state(Some(time), began.elapsed(), results));
        for notifier in self.notifiers.iter().filter(|_| !notices.is_empty()) {
            notifier.offer(&notices);
        }
        if let Some(checkpoint) = self.groups[index].checkpoint() {
            self.store(checkpoint);
        }
    }

    fn store_all(&mut self) {
        for index in 0..self.groups.len() {
            self.groups[index].stored = None;
            if let Some(checkpoint) = self.groups[index].checkpoint() {
                self.store(checkpoint);
            }
        }
    }

    fn store(&self, checkpoint: Checkpoint) {
        let batch = Batch { checkpoint: Some(checkpoint), streams: Vec::new() };
        let stored: Result<(), log_database::Error> =
            self.sources.database.append(batch).and_then(|()| self.sources.database.commit());
        if let Err(error) = stored {
            log::warn!("the state of alerts is not stored yet: {error}");
        }
    }
}

/// What came of a rule.
#[derive(Debug, Default)]
struct RuleResult {
    took: Duration,
    problem: Option<String>,
    samples: Vec<(LabelPairs, f64)>,
}

impl Running {
    /// With what is `stored` of it, which is taken from there.
    fn new(stored: &mut BTreeMap<Vec<u8>, Stored>, group: Group) -> Self {
        let known = stored.remove(&source(&group));
        let last_ns = known.as_ref().map(|known| known.last_ns);
        let mut of_rules = known.map(|known| known.rules).unwrap_or_default();
        let alerts = group.rules.iter().map(|rule| {
            let place = of_rules.iter().position(|of| (&of.name, &of.query) == (&rule.name, &rule.query));
            Alerts::of(place.map(|place| of_rules.remove(place).alerts).unwrap_or_default())
        });
        Self { alerts: alerts.collect(), group, last_ns, stored: None }
    }

    /// Where in its interval the group is evaluated, in nanoseconds.
    fn offset_ns(&self) -> i64 {
        let digest = md5::compute(source(&self.group)).0;
        let number = digest[..4].iter().fold(0_i64, |number, byte| number << 8 | i64::from(*byte));
        // A part of a second is of no use to people.
        number * 1_000_000_000 % nanoseconds(self.group.interval)
    }

    /// The latest time that may be evaluated by now.
    fn latest_ns(&self, now: Timestamp, delay: Duration) -> i64 {
        let (interval, offset) = (nanoseconds(self.group.interval), self.offset_ns());
        let until = now.as_ns().saturating_sub(nanoseconds(delay)).saturating_sub(offset);
        until.div_euclid(interval) * interval + offset
    }

    /// The times that are due, in their order.
    fn due(&self, now: Timestamp, delay: Duration) -> Vec<Timestamp> {
        let (interval, latest) = (nanoseconds(self.group.interval), self.latest_ns(now, delay));
        let missed = self.last_ns.map_or(1, |last| latest.saturating_sub(last) / interval);
        // Where the clock was set back far, it begins anew.
        let is_ahead = self.last_ns.is_some_and(|last| latest.saturating_add(interval) < last);
        let count = if is_ahead { 1 } else { missed.clamp(0, MISSED_MAX) };
        (0..count).rev().map(|back| Timestamp::from_ns(latest - back * interval)).collect()
    }

    /// How long nothing is due.
    fn wait(&self, now: Timestamp, delay: Duration) -> Duration {
        let next = self.latest_ns(now, delay) + nanoseconds(self.group.interval) + nanoseconds(delay);
        Duration::from_nanos(u64::try_from(next.saturating_sub(now.as_ns())).unwrap_or(0))
    }

    /// What is to be stored of it; `None` where that is stored.
    fn checkpoint(&mut self) -> Option<Checkpoint> {
        let rules: Vec<RuleAlerts> = (self.group.rules.iter().zip(&self.alerts))
            .map(|(rule, alerts)| RuleAlerts {
                name: rule.name.clone(),
                query: rule.query.clone(),
                alerts: alerts.iter().cloned().collect(),
            })
            .filter(|rule| !rule.alerts.is_empty())
            .collect();
        let is_stored =
            self.stored.as_ref().is_some_and(|(when, known)| when.elapsed() < STORE_INTERVAL && *known == rules);
        if is_stored {
            return None;
        }
        self.stored = Some((Instant::now(), rules.clone()));
        let stored = Stored { last_ns: self.last_ns?, rules };
        Some(Checkpoint { source: source(&self.group), position: serde_json::to_vec(&stored).ok() })
    }

    /// What the group says of itself.
    fn state(&self, evaluated: Option<Timestamp>, took: Duration, mut results: Vec<RuleResult>) -> RuleGroup {
        results.resize_with(self.group.rules.len(), RuleResult::default);
        let rules = self.group.rules.iter().zip(&self.alerts).zip(results).map(|((rule, alerts), result)| RuleState {
            name: rule.name.clone(),
            query: rule.query.clone(),
            labels: rule.labels.clone(),
            alerting: match &rule.kind {
                Kind::Alert { hold, keep_firing, annotations } => {
                    Some(AlertRule { hold: *hold, keep_firing: *keep_firing, annotations: annotations.clone() })
                }
                Kind::Record => None,
            },
            problem: result.problem,
            took: result.took,
            alerts: alerts
                .iter()
                .filter(|alert| alert.is_firing() || alert.is_pending())
                .map(|alert| ActiveAlert {
                    labels: alert.labels.clone(),
                    annotations: alert.annotations.clone(),
                    is_firing: alert.is_firing(),
                    active: Timestamp::from_ns(alert.active_ns),
                    value: alert.value,
                })
                .collect(),
            samples: result.samples,
        });
        RuleGroup {
            file: self.group.file.clone(),
            name: self.group.name.clone(),
            interval: self.group.interval,
            limit: self.group.limit,
            evaluated,
            took,
            rules: rules.collect(),
        }
    }
}

/// What a rule finds at a time.
fn evaluate_rule(
    rule: &Rule,
    limit: usize,
    source: &Source,
    time: Timestamp,
    clock: &Clock,
) -> Result<Vec<Found>, String> {
    let series = query(rule, source, time, clock).map_err(|error| error.to_string())?;
    let limit = if limit == 0 { SERIES_MAX } else { limit };
    if limit < series.len() {
        return Err(format!("{} alerts or series are over the limit of {limit}", series.len()));
    }
    let mut there = HashSet::new();
    let mut all = Vec::new();
    for (own, value) in series {
        let expand = |pairs: &LabelPairs| -> LabelPairs {
            let expanded = pairs.iter().map(|(name, text)| {
                let said = logql::expand_template(text, &own, value, clock);
                (name.clone(), said.unwrap_or_else(|error| format!("<error expanding template: {error}>")))
            });
            expanded.collect()
        };
        let (mut labels, mut annotations) = (BTreeMap::from_iter(own.clone()), Vec::new());
        match &rule.kind {
            Kind::Alert { annotations: templates, .. } => {
                labels.extend(expand(&rule.labels));
                labels.insert(ALERT_NAME.to_owned(), rule.name.clone());
                annotations = expand(templates);
            }
            Kind::Record => labels.extend(rule.labels.iter().cloned()),
        }
        labels.retain(|_, value| !value.is_empty());
        let labels: LabelPairs = labels.into_iter().collect();
        if !there.insert(labels.clone()) {
            return Err("two series have the same labels once those of the rule are added".to_owned());
        }
        all.push(Found { labels, annotations, value });
    }
    Ok(all)
}

/// The series of a rule's query at a time, each with its value.
fn query(
    rule: &Rule,
    source: &Source,
    time: Timestamp,
    clock: &Clock,
) -> Result<Vec<(LabelPairs, f64)>, crate::query::Error> {
    let source = source.showing_to(&rule.expr);
    let query = MetricQuery::new(&rule.expr, Evaluation::Instant(time), TooManySeries::Refuse, clock)?;
    let mut query = query.within(source.budget());
    let mut seen = Seen::default();
    for range in query.ranges() {
        numbers::add_up(range, &source, &mut seen)?;
    }
    Ok(match query.finish()?.0 {
        MetricAnswer::Scalar(value) => vec![(Vec::new(), value)],
        MetricAnswer::Vector(series) | MetricAnswer::Matrix(series) => {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let of = |series: &logql::eval::Series| {
                Some((series.labels.iter().map(owned).collect(), series.points.last()?.1))
            };
            series.iter().filter_map(of).collect()
        }
    })
}

/// The source of what is stored of a group.
fn source(group: &Group) -> Vec<u8> {
    [PREFIX, group.file.as_bytes(), b"\0", group.name.as_bytes()].concat()
}

/// How the rule files are now. Those that cannot be read are left out: reading them says why.
fn stamp(paths: &[PathBuf]) -> Stamp {
    let files = rules::files(paths).unwrap_or_default().into_iter();
    files
        .filter_map(|path| {
            let metadata = file::metadata(&path).ok()?;
            Some((path, metadata.size_bytes, metadata.modified_ns))
        })
        .collect()
}
