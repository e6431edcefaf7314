//! What becomes of alerts from one evaluation of their rule to the next: a function of what was found and of time, as Prometheus
//! defines it (<https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/>).
//!
//! A series that is found is *pending* until it was found for as long as the rule holds it; then it *fires*. A pending alert that is
//! not found any more is forgotten; one that fires goes on for as long as the rule keeps it firing, and is *resolved* then. What is
//! resolved is remembered for [`RESOLVED_RETENTION`], so that receivers are told of it more than once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;

/// How long resolved alerts are told of.
const RESOLVED_RETENTION: Duration = Duration::from_mins(15);
/// How often receivers are told again of an alert that goes on.
pub(super) const RESEND_DELAY: Duration = Duration::from_mins(1);
/// How many evaluations or tells an alert is valid for that nobody tells of any more.
const VALID_FOR: u32 = 4;

/// Labels, sorted by name.
pub(super) type LabelPairs = Vec<(String, String)>;

/// An alert of one series of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Alert {
    /// What tells it from others, the alert's name included.
    pub(super) labels: LabelPairs,
    pub(super) annotations: LabelPairs,
    #[serde(skip)]
    pub(super) value: f64,
    /// Times in nanoseconds since the Unix epoch: since when it is found, when it fired, since when it is kept firing, when it was
    /// resolved, and when receivers were told the last time; then whether that it is resolved.
    pub(super) active_ns: i64,
    pub(super) fired_ns: Option<i64>,
    kept_since_ns: Option<i64>,
    pub(super) resolved_ns: Option<i64>,
    sent_ns: Option<i64>,
    #[serde(default)]
    is_end_told: bool,
}

impl Alert {
    pub(super) fn is_firing(&self) -> bool {
        self.fired_ns.is_some() && self.resolved_ns.is_none()
    }

    pub(super) fn is_pending(&self) -> bool {
        self.fired_ns.is_none() && self.resolved_ns.is_none()
    }
}

/// The alerts of a rule, by their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Alerts(BTreeMap<LabelPairs, Alert>);

/// What was found: a series as an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) labels: LabelPairs,
    pub(super) annotations: LabelPairs,
    pub(super) value: f64,
}

/// What receivers are told of an alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    pub(super) labels: LabelPairs,
    pub(super) annotations: LabelPairs,
    pub(super) starts: Timestamp,
    /// When it was resolved, or until when this is true if nobody says so again.
    pub(super) ends: Timestamp,
    pub(super) is_resolved: bool,
    /// Whether they were told already, and this is the same again.
    pub(super) is_repeated: bool,
    pub(super) value: f64,
}

impl Alerts {
    pub(super) fn of(alerts: Vec<Alert>) -> Self {
        Self(alerts.into_iter().map(|alert| (alert.labels.clone(), alert)).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.0.values()
    }

    /// Takes what was found at `now`, for a rule that holds alerts and keeps them firing for so long.
    pub(super) fn evaluate(&mut self, now: Timestamp, hold: Duration, keep_firing: Duration, found: Vec<Found>) {
        let now = now.as_ns();
        let mut there: Vec<LabelPairs> = Vec::with_capacity(found.len());
        for Found { labels, annotations, value } in found {
            there.push(labels.clone());
            let alert = self.0.entry(labels.clone()).or_insert_with(|| Alert { active_ns: now, ..Alert::default() });
            if alert.resolved_ns.is_some() {
                // It begins anew.
                *alert = Alert { active_ns: now, ..Alert::default() };
            }
            (alert.labels, alert.annotations, alert.value) = (labels, annotations, value);
            alert.kept_since_ns = None;
            if alert.is_pending() && hold <= since(alert.active_ns, now) {
                alert.fired_ns = Some(now);
            }
        }
        there.sort_unstable();
        self.0.retain(|labels, alert| {
            if there.binary_search(labels).is_ok() {
                return true;
            }
            if let Some(resolved) = alert.resolved_ns {
                return since(resolved, now) <= RESOLVED_RETENTION;
            }
            if alert.is_pending() {
                return false;
            }
            let kept_since = *alert.kept_since_ns.get_or_insert(now);
            if keep_firing <= since(kept_since, now) {
                alert.resolved_ns = Some(now);
            }
            true
        });
    }

    /// What receivers are to be told now, by a group that is evaluated so often; it counts as told.
    pub(super) fn tell(&mut self, now: Timestamp, interval: Duration) -> Vec<Notice> {
        let valid = RESEND_DELAY.max(interval) * VALID_FOR;
        let mut notices = Vec::new();
        for alert in self.0.values_mut() {
            let Some(fired) = alert.fired_ns else { continue };
            let is_end = alert.resolved_ns.is_some();
            let is_news = alert.sent_ns.is_none() || is_end != alert.is_end_told;
            if !is_news && alert.sent_ns.is_some_and(|sent| since(sent, now.as_ns()) < RESEND_DELAY) {
                continue;
            }
            (alert.sent_ns, alert.is_end_told) = (Some(now.as_ns()), is_end);
            let until = Timestamp::from_ns(now.as_ns().saturating_add(nanoseconds(valid)));
            notices.push(Notice {
                labels: alert.labels.clone(),
                annotations: alert.annotations.clone(),
                starts: Timestamp::from_ns(fired),
                ends: alert.resolved_ns.map_or(until, Timestamp::from_ns),
                is_resolved: is_end,
                is_repeated: !is_news,
                value: alert.value,
            });
        }
        notices
    }
}

/// How much time has passed; none where the clock was set back.
fn since(then: i64, now: i64) -> Duration {
    Duration::from_nanos(u64::try_from(now.saturating_sub(then)).unwrap_or(0))
}

pub(super) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ns(minutes * 60_000_000_000)
    }

    fn found(names: &[&str]) -> Vec<Found> {
        let of = |name: &&str| Found { labels: vec![("a".into(), (*name).into())], ..Found::default() };
        names.iter().map(of).collect()
    }

    /// Evaluates each minute; `P` pending, `F` firing, `R` resolved, `.` nothing, for the series `x`.
    fn states(hold: u64, keep: u64, is_found: &str) -> String {
        let mut alerts = Alerts::default();
        let step = |(minute, there): (i64, char)| {
            let names: &[&str] = if there == 'x' { &["x"] } else { &[] };
            alerts.evaluate(
                at(minute),
                MINUTE * u32::try_from(hold).unwrap(),
                MINUTE * u32::try_from(keep).unwrap(),
                found(names),
            );
            alerts.iter().next().map_or('.', |alert| match alert {
                alert if alert.is_firing() => 'F',
                alert if alert.is_pending() => 'P',
                _ => 'R',
            })
        };
        (0..).zip(is_found.chars()).map(step).collect()
    }

    #[test]
    fn alerts_are_held_kept_and_resolved() {
        assert_eq!(states(0, 0, "xx.x"), "FFRF");
        assert_eq!(states(2, 0, "xxxx..x"), "PPFFRRP");
        assert_eq!(states(2, 0, "xx.xxx"), "PP.PPF");
        assert_eq!(states(0, 2, "x....x"), "FFFRRF");
        assert_eq!(states(0, 2, "x.x...."), "FFFFFRR");
        let long = format!("x{}", ".".repeat(17));
        assert_eq!(states(0, 0, &long), format!("F{}.", "R".repeat(16)));
    }

    #[test]
    fn receivers_are_told_at_once_again_and_of_the_end() {
        let mut alerts = Alerts::default();
        let mut told = Vec::new();
        for minute in 0..12 {
            let there: &[&str] = if minute < 4 { &["x"] } else { &[] };
            alerts.evaluate(at(minute), MINUTE, Duration::ZERO, found(there));
            for half in [0, 30] {
                let now = Timestamp::from_ns(at(minute).as_ns() + half * 1_000_000_000);
                told.extend(alerts.tell(now, MINUTE).into_iter().map(|notice| {
                    let ends = (notice.ends.as_ns() - notice.starts.as_ns()) / 60_000_000_000;
                    (minute, notice.is_resolved, notice.is_repeated, ends)
                }));
            }
        }
        let news =
            [(1, false, false, 4), (2, false, true, 5), (3, false, true, 6), (4, true, false, 3), (5, true, true, 3)];
        assert_eq!(told[..5], news);
        assert_eq!(told.len(), 11);
    }

    #[test]
    fn the_end_of_an_alert_is_news_however_late_its_time_is_looked_at() {
        let mut alerts = Alerts::default();
        let delay = 5;
        for (minute, there) in [(0, &["x"][..]), (1, &[])] {
            alerts.evaluate(at(minute), Duration::ZERO, Duration::ZERO, found(there));
            let told = alerts.tell(at(minute + delay), MINUTE);
            assert!(!told[0].is_repeated && told[0].is_resolved == (minute == 1), "{told:?}");
        }
    }

    #[test]
    fn a_hold_of_a_month_outlasts_being_stored() {
        let mut alerts = Alerts::default();
        let hold = Duration::from_hours(30 * 24);
        for day in 0..=30 {
            alerts.evaluate(at(day * 24 * 60), hold, Duration::ZERO, found(&["x"]));
            let stored = serde_json::to_string(&alerts.iter().collect::<Vec<_>>()).unwrap();
            alerts = Alerts::of(serde_json::from_str(&stored).unwrap());
            assert_eq!(alerts.iter().next().unwrap().is_firing(), day == 30, "day {day}");
        }
    }
}
