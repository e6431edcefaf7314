//! Rules over made-up lines, at made-up times: what fires, what outlasts a restart, and what a wrong file changes.
#![expect(clippy::disallowed_methods, reason = "these tests write rule files")]

use std::cell::Cell;
use std::fs;

use super::*;
use crate::log_database::storage::SimulatedStorage;
use crate::model::{Labels, Lines, StreamLines};

const MINUTE_NS: i64 = 60_000_000_000;
/// A whole day, long after the epoch.
const START_NS: i64 = 1_790_000_000_000_000_000 / (1440 * MINUTE_NS) * (1440 * MINUTE_NS);

thread_local! {
    /// What time it is.
    static NOW: Cell<i64> = const { Cell::new(START_NS) };
}

fn now() -> Timestamp {
    Timestamp::from_ns(NOW.get())
}

/// A database of lines, rules in a directory, and the agent over both.
struct Place {
    directory: tempfile::TempDir,
    storage: SimulatedStorage,
    status: Arc<Status>,
    alerting: Option<Alerting>,
}

impl Place {
    fn new(rules: &str) -> Self {
        NOW.set(START_NS);
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("rules.yaml"), rules).unwrap();
        let storage = SimulatedStorage::default();
        let mut place = Self { directory, storage, status: Arc::default(), alerting: None };
        place.start();
        place
    }

    fn settings(&self) -> Settings {
        let rules = vec![self.directory.path().to_owned()];
        Settings { rules, delay: Duration::ZERO, notify: Vec::new(), external_url: String::new() }
    }

    /// Starts the agent anew over what is stored.
    fn start(&mut self) {
        self.alerting = None;
        let database = Database::open(Arc::new(self.storage.clone())).unwrap();
        let memory = Arc::new(Budget::new(256 << 20));
        let sources = Sources { database, inventory: Arc::default(), memory, clock: now };
        self.status = Arc::default();
        self.alerting = Some(Alerting::new(self.settings(), sources, &self.status).unwrap());
    }

    fn alerting(&mut self) -> &mut Alerting {
        self.alerting.as_mut().unwrap()
    }

    /// Lines of a service, each a second after the one before.
    fn write(&mut self, service: &str, text: &str, count: i64, minutes_ago: i64) {
        let labels = Labels::new([("app", service)]).unwrap();
        let mut lines = Lines::default();
        let start = NOW.get() - minutes_ago * MINUTE_NS;
        (0..count).for_each(|n| lines.push(Timestamp::from_ns(start + n * 1_000_000_000), text.as_bytes()));
        let streams = vec![StreamLines { labels, lines }];
        self.alerting().sources.database.append(Batch { checkpoint: None, streams }).unwrap();
    }

    /// Lets so many minutes pass, and evaluates what is due after each.
    fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            NOW.set(NOW.get() + MINUTE_NS);
            self.alerting().evaluate_due();
        }
    }

    /// The alerts there are, as name, service and whether they fire, sorted.
    fn alerts(&self) -> Vec<(String, String, bool)> {
        let groups = self.status.rules();
        let mut alerts: Vec<_> = groups
            .iter()
            .flat_map(|group| &group.rules)
            .inspect(|rule| assert_eq!(rule.problem, None, "{}", rule.name))
            .flat_map(|rule| &rule.alerts)
            .map(|alert| {
                let find = |name| alert.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                let service = find("service_name").or_else(|| find("app")).unwrap_or_default();
                (find(ALERT_NAME).unwrap(), service, alert.is_firing)
            })
            .collect();
        alerts.sort();
        alerts
    }
}

fn of(alerts: &[(&str, &str, bool)]) -> Vec<(String, String, bool)> {
    alerts.iter().map(|(name, service, fires)| ((*name).to_owned(), (*service).to_owned(), *fires)).collect()
}

#[test]
fn the_rules_that_are_shipped_fire_where_they_should() {
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rules/logs.yaml")).unwrap();
    let mut place = Place::new(&shipped);
    (40..80).for_each(|minutes_ago| place.write("rising", "level=error it broke", 1, minutes_ago));
    place.write("silent", "level=info a line", 100, 100);
    place.write("steady", "level=info a line", 100, 100);
    for minute in 0..10 {
        place.write("steady", "level=info a line", 1, 50 - minute * 5);
        place.write("rising", "level=error it broke", 20, -minute);
        place.write("new", "level=error it broke", 10, -minute);
    }
    place.write("crashed", "kernel: oom-killer: gave up", 1, 0);
    place.pass(3);
    let crashed = ("Panicked", "crashed", true);
    let silent = ("StreamSilent", "silent", true);
    let held = |fires| [("ErrorsNew", "new", fires), ("ErrorsRising", "rising", fires)];
    assert_eq!(place.alerts(), of(&[held(false).as_slice(), &[crashed, silent]].concat()));
    place.pass(6);
    assert_eq!(place.alerts(), of(&[held(true).as_slice(), &[silent]].concat()));
    let groups = place.status.rules();
    let record = groups[0].rules.iter().find(|rule| rule.alerting.is_none()).unwrap();
    assert!(record.samples.iter().any(|(labels, rate)| labels[0].1 == "new" && 0.0 < *rate), "{record:?}");
    let summary = &groups[0].rules[1].alerts[0].annotations[0].1;
    assert!(summary.starts_with("new logs errors, and did not an hour ago: "), "{summary}");
}

const HOLD: &str = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum by (app) (count_over_time({app=~\".+\"}[2h])) > 0\n    for: 10m\n";

#[test]
fn what_is_held_outlasts_restarts() {
    let mut place = Place::new(HOLD);
    place.write("a", "a line", 1, 0);
    for minute in 1..=12 {
        place.pass(1);
        assert_eq!(place.alerts(), of(&[("A", "a", 11 <= minute)]), "minute {minute}");
        place.start();
    }
}

#[test]
fn times_that_were_missed_are_made_up_for() {
    let mut place = Place::new(HOLD);
    place.write("a", "a line", 1, 0);
    place.pass(1);
    // The agent was down, or the machine asleep.
    NOW.set(NOW.get() + 10 * MINUTE_NS);
    place.start();
    place.alerting().evaluate_due();
    assert_eq!(place.alerts(), of(&[("A", "a", true)]));
    let times = |place: &mut Place| {
        let running = &place.alerting().groups[0];
        running.due(now(), Duration::ZERO).len()
    };
    assert_eq!(times(&mut place), 0);
    NOW.set(NOW.get() + 1000 * MINUTE_NS);
    assert_eq!(times(&mut place), usize::try_from(MISSED_MAX).unwrap());
    // A clock that was set back does not silence rules until it is where it was.
    NOW.set(NOW.get() - 5000 * MINUTE_NS);
    assert_eq!(times(&mut place), 1);
}

#[test]
fn a_query_that_takes_too_long_holds_up_nobody_and_is_said() {
    let mut place = Place::new(HOLD);
    place.write("a", "a line", 1, 0);
    place.pass(11);
    place.alerting().query_time_max = Duration::ZERO;
    place.pass(1);
    let problem = place.status.rules()[0].rules[0].problem.clone().unwrap();
    assert!(problem.contains("the query takes more than 0 s"), "{problem}");
    // What is known of its alerts stays.
    place.alerting().query_time_max = QUERY_TIME_MAX;
    place.pass(1);
    assert_eq!(place.alerts(), of(&[("A", "a", true)]));
}

#[test]
fn a_wrong_file_changes_nothing_and_is_said() {
    let mut place = Place::new(HOLD);
    place.write("a", "a line", 1, 0);
    place.pass(1);
    let path = place.directory.path().join("rules.yaml");
    fs::write(&path, format!("{HOLD}    frobnicate: 1\n")).unwrap();
    place.alerting().look_at_files();
    let problem = place.status.rules_problem().unwrap();
    assert!(problem.contains("rules.yaml, line 7, column 5: \"frobnicate\" is not known here"), "{problem}");
    place.pass(1);
    assert_eq!(place.alerts(), of(&[("A", "a", false)]));
    fs::write(&path, HOLD.replace("alert: A", "alert: Other")).unwrap();
    place.alerting().look_at_files();
    assert_eq!(place.status.rules_problem(), None);
    place.pass(1);
    assert_eq!(place.alerts(), of(&[("Other", "a", false)]));
}

#[test]
fn what_is_wrong_with_one_rule_is_its_own() {
    let rules = "groups:\n- name: g\n  limit: 1\n  rules:\n  - alert: Many\n    expr: sum by (app) (count_over_time({app=~\".+\"}[1h]))\n  \
                 - alert: One\n    expr: sum(count_over_time({app=~\".+\"}[1h]))\n    annotations: {a: '{{ $labels.x.y }}'}\n";
    let mut place = Place::new(rules);
    place.write("a", "a line", 1, 0);
    place.write("b", "a line", 1, 0);
    place.pass(1);
    let groups = place.status.rules();
    let [many, one] = &groups[0].rules[..] else { panic!() };
    assert_eq!(many.problem.as_deref(), Some("2 alerts or series are over the limit of 1"));
    assert!(one.alerts[0].is_firing);
    assert!(one.alerts[0].annotations[0].1.starts_with("<error expanding template: "), "{one:?}");
}
