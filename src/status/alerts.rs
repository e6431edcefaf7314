//! What rules say of themselves, and of what they have found.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;
use crate::status::Counter;

/// Names and values of labels or annotations, sorted by name.
pub type Pairs = Vec<(String, String)>;

/// A group of rules, as it was evaluated last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleGroup {
    /// The file it stands in, without the directory.
    pub file: String,
    /// Its name there.
    pub name: String,
    /// How often it is evaluated.
    pub interval: Duration,
    /// Most alerts or series of a rule; 0 for no limit of its own.
    pub limit: usize,
    /// For which time it was evaluated.
    pub evaluated: Option<Timestamp>,
    /// How long that took.
    pub took: Duration,
    /// Its rules.
    pub rules: Vec<RuleState>,
}

/// A rule, as it was evaluated last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleState {
    /// The name of the alert or of the number.
    pub name: String,
    /// The expression.
    pub query: String,
    /// Labels that it adds.
    pub labels: Pairs,
    /// What it is about, if it is one of alerts.
    pub alerting: Option<AlertRule>,
    /// Why it could not be evaluated.
    pub problem: Option<String>,
    /// How long that took.
    pub took: Duration,
    /// The alerts that are pending or fire.
    pub alerts: Vec<ActiveAlert>,
    /// The numbers that it recorded.
    pub samples: Vec<(Pairs, f64)>,
}

/// What makes a rule one of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertRule {
    /// How long an alert is pending before it fires.
    pub hold: Duration,
    /// How long it goes on firing after nothing is found any more.
    pub keep_firing: Duration,
    /// The templates of its annotations.
    pub annotations: Pairs,
}

/// An alert that is pending or fires.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveAlert {
    /// What tells it from others.
    pub labels: Pairs,
    /// What people are told.
    pub annotations: Pairs,
    /// Whether it fires.
    pub is_firing: bool,
    /// Since when it is found.
    pub active: Timestamp,
    /// The value that was found last.
    pub value: f64,
}

/// Someone who is told of alerts.
#[derive(Debug)]
pub struct NotifyTarget {
    /// The address, without what may be secret.
    pub address: String,
    /// How the receiver is spoken to.
    pub protocol: &'static str,
    /// Alerts that the receiver was told of, since the start.
    pub sent: Counter,
    /// How often telling failed.
    pub failures: Counter,
    /// Alerts that it was not told of, because it refused them or was away for too long.
    pub dropped: Counter,
    problem: Mutex<Option<String>>,
}

impl NotifyTarget {
    /// A receiver that was told nothing.
    pub fn new(address: String, protocol: &'static str) -> Self {
        let (sent, failures, dropped) = Default::default();
        Self { address, protocol, sent, failures, dropped, problem: Mutex::default() }
    }

    /// Why it cannot be told anything, while that is so.
    pub fn problem(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Says why, or that all is well; whether that is news.
    pub fn set_problem(&self, problem: Option<String>) -> bool {
        let mut known = self.lock();
        let is_news = known.is_none() != problem.is_none();
        *known = problem;
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
