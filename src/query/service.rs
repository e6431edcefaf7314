//! The label `service_name`, which every stream has here although it is not stored.
//!
//! It is the first of the labels that are known to name a service; for a file, the file's name without what rotation and
//! type add to it, so that `web.log` and `web.log.1` are one service.
//!
//! Numbers have it only where their query names it, as they have `detected_level`: what is made of other labels would
//! otherwise keep series apart that a query groups or matches without these. So it is with labels of pods and containers that
//! programs made for programs, which nothing shows that does not name them.

use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::inventory::{Inventory, Joined};
use crate::logql;
use crate::logql::ast::MetricExpr;
use crate::model::{Labels, Matcher};

/// The label's name.
pub const SERVICE_LABEL: &str = "service_name";
/// Its value where nothing names a service.
const UNKNOWN: &str = "unknown_service";
/// Labels that name a service, after the one itself; the first that a stream has counts.
const NAMING_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];
/// Labels of the journal's streams that name a service, without what the name of a unit says of its type.
const JOURNAL_LABELS: [&str; 2] = ["unit", "identifier"];
/// What the name of a unit ends with that is a service.
const UNIT_ENDING: &str = ".service";
/// The label of a file's path.
const PATH_LABEL: &str = "path";

/// What rotation adds to a name: a number, a date, or a word.
static ROTATION: LazyLock<Regex> = LazyLock::new(|| {
    let expression = r"(?:\.[0-9]+|[-._][0-9]{4}[-._]?[0-9]{2}[-._]?[0-9]{2}(?:[-_.T]?[0-9]+)*|[-._](?:old|bak|prev))$";
    Regex::new(expression).expect("the expression is well-formed")
});
/// What a name says of the file's type.
static EXTENSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\.[A-Za-z][A-Za-z0-9]*$").expect("the expression is well-formed"));

/// The labels that a stream has here, if all `matchers` accept them.
pub fn shown_as(joined: Joined, matchers: &[Matcher]) -> Option<Labels> {
    let shown = joined.map(with_service);
    matchers.iter().all(|matcher| shown.is_accepted_by(matcher)).then_some(shown.labels)
}

/// The labels that a stream has here. One that has as many as a stream may have stays as it is.
pub fn with_service(stored: &Labels) -> Labels {
    if stored.get(SERVICE_LABEL).is_some() {
        return stored.clone();
    }
    let service = (SERVICE_LABEL, service_of(stored));
    Labels::new(stored.iter().chain([service])).unwrap_or_else(|_| stored.clone())
}

/// Which labels streams are shown with, of those that not every query is to see.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whether streams have the label that is made of others; if not, only those that it is stored of.
    service: bool,
    /// Those of pods and containers that the query names, although they are not shown as a rule.
    hidden: Arc<[String]>,
}

impl Shown {
    /// What a query for lines sees.
    pub fn to_lines() -> Self {
        Self { service: true, hidden: Arc::default() }
    }

    /// What a query for numbers needs.
    pub fn to(expr: &MetricExpr, inventory: &Inventory) -> Self {
        let hidden = inventory.hidden_names().into_iter().filter(|name| logql::mentions(expr, name));
        Self { service: logql::mentions(expr, SERVICE_LABEL), hidden: hidden.collect() }
    }

    /// The labels that a stream has, if all `matchers` accept those that it has here.
    pub fn of(&self, joined: Joined, matchers: &[Matcher]) -> Option<Labels> {
        let joined = joined.showing(&self.hidden);
        let own = joined.labels.clone();
        let labels = shown_as(joined, matchers)?;
        Some(if self.service { labels } else { own })
    }
}

fn service_of(labels: &Labels) -> &str {
    let named = NAMING_LABELS.iter().find_map(|name| labels.get(name));
    let of_journal = || JOURNAL_LABELS.iter().find_map(|name| labels.get(name));
    let named = named.or_else(|| of_journal().map(|unit| unit.strip_suffix(UNIT_ENDING).unwrap_or(unit)));
    named.or_else(|| labels.get(PATH_LABEL).and_then(service_of_path)).unwrap_or(UNKNOWN)
}

/// The service whose log has this path.
fn service_of_path(path: &str) -> Option<&str> {
    let mut name = path.rsplit('/').next()?;
    for ending in [&ROTATION, &ROTATION, &EXTENSION, &ROTATION] {
        let shorter = ending.find(name).map_or(name, |found| &name[..found.start()]);
        // A name that is nothing but an ending, such as `.log`, is the name.
        name = if shorter.is_empty() { name } else { shorter };
    }
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], expected: &str) {
        let labels = with_service(&Labels::new(labels.iter().copied()).unwrap());
        assert_eq!(labels.get(SERVICE_LABEL), Some(expected), "{labels}");
    }

    #[test]
    fn a_label_names_the_service() {
        check(&[("container", "c"), ("app", "a"), ("namespace", "n")], "a");
        check(&[("container", "c"), ("namespace", "n"), ("path", "/x/y.log")], "c");
        check(&[("service_name", "s"), ("app", "a")], "s");
        check(&[("namespace", "n")], "unknown_service");
    }

    #[test]
    fn a_file_names_the_service_without_rotation_and_type() {
        for (path, service) in [
            ("/var/log/syslog", "syslog"),
            ("/var/log/syslog.1", "syslog"),
            ("/var/log/nginx/access.log", "access"),
            ("/var/log/web.log.2", "web"),
            ("/var/log/web.2.log", "web"),
            ("/var/log/web.log-20240131", "web"),
            ("/var/log/web-2024-01-31.log", "web"),
            ("/var/log/web.log.2024-01-31.1", "web"),
            ("/var/log/Xorg.0.log.old", "Xorg"),
            ("/var/log/worker-1.log", "worker-1"),
            ("/var/log/.log", ".log"),
        ] {
            check(&[("path", path)], service);
        }
    }

    #[test]
    fn as_many_labels_as_a_stream_may_have_are_left_as_they_are() {
        let stored = Labels::new((0..crate::model::LABELS_MAX).map(|n| (format!("l{n}"), "x"))).unwrap();
        assert_eq!(with_service(&stored), stored);
    }
}
