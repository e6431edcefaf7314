//! What is meant by the targets, names and labels on a command line, as a selector of LogQL.
//!
//! Names are looked up among the streams that the agent has, so that a pod, a container, a unit and a file need not be
//! told apart by who types. What matches nothing exactly is a regular expression.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;

use super::http::Agent;
use super::records::{Labels, name};
use super::{Error, Result};

/// The label that all streams have.
const SERVICE_LABEL: &str = "service_name";
const PATH_LABEL: &str = "path";
/// Labels that a name without a kind may be of; the first that has it counts.
const NAMING_LABELS: [&str; 7] = ["pod", "container", "compose_service", "app", "unit", SERVICE_LABEL, PATH_LABEL];
/// The labels that a container has through its restarts.
const CONTAINER_LABELS: [&str; 3] = ["namespace", "pod", "container"];
const CONTAINER_ID_LABEL: &str = "container_id";

/// A stream, as `/api/v1/streams` has it.
#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    pub(super) labels: Labels,
    pub(super) service: String,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) last_line: Option<String>,
    pub(super) last_level: Option<String>,
    pub(super) state: String,
    pub(super) lag_bytes: u64,
}

/// The answer of `/api/v1/streams`.
#[derive(Debug, Deserialize)]
pub(super) struct Streams {
    pub(super) streams: Vec<Stream>,
}

/// The streams that an agent has.
pub(super) fn streams(agent: &Agent, parameters: &[(&str, &str)]) -> Result<Streams> {
    let answer = agent.json("/api/v1/streams", parameters)?;
    Streams::deserialize(answer).map_err(|error| Error::Agent(format!("/api/v1/streams is not as expected: {error}")))
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matcher {
    label: String,
    operator: &'static str,
    value: String,
}

impl Matcher {
    fn new(label: &str, operator: &'static str, value: impl Into<String>) -> Self {
        Self { label: label.to_owned(), operator, value: value.into() }
    }

    pub(super) fn equal(label: &str, value: &str) -> Self {
        Self::new(label, "=", value)
    }

    /// A name, or a regular expression of the whole of it.
    pub(super) fn like(label: &str, value: &str) -> Self {
        let is_plain = regex::escape(value) == value.replace('.', "\\.").replace('-', "\\-");
        Self::new(label, if is_plain { "=" } else { "=~" }, value)
    }

    fn text(&self) -> String {
        format!("{}{}{}", self.label, self.operator, quoted(&self.value))
    }

    /// The value as part of a regular expression.
    fn expression(&self) -> String {
        if self.operator == "=" { regex::escape(&self.value) } else { self.value.clone() }
    }

    fn accepts(&self, stream: &Stream) -> bool {
        let value = label(stream, &self.label).unwrap_or_default();
        match self.operator {
            "=" => value == self.value,
            "=~" => Regex::new(&format!("^(?:{})$", self.value)).is_ok_and(|regex| regex.is_match(value)),
            _ => true,
        }
    }
}

/// What the command line says of streams.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Each has to hold.
    pub(super) scope: Vec<Matcher>,
    pub(super) targets: Vec<String>,
    /// The containers before the current ones.
    pub(super) previous: bool,
    /// Whether what is not there yet may come.
    pub(super) may_come: bool,
}

/// Which streams are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meant {
    /// The beginning of a LogQL query.
    pub(super) selector: String,
    /// The end of it: a filter of labels, where a selector is not enough.
    pub(super) filter: String,
    /// Whether all lines are of one stream, as far as its name tells.
    pub(super) is_one: bool,
}

impl Wanted {
    /// Whether the agent has to be asked for its streams.
    pub(super) fn needs_streams(&self) -> bool {
        self.previous || !self.targets.is_empty()
    }

    /// The selector of the scope alone.
    pub(super) fn scope(&self) -> String {
        selector(&self.scope)
    }

    /// Which of `streams`, all within the scope, are meant.
    pub(super) fn meant(&self, streams: &[Stream]) -> Result<Meant> {
        let mut alternatives = BTreeSet::new();
        for target in &self.targets {
            let found = alternatives_of(target, streams, self.may_come)?;
            if found.is_empty() {
                let known: BTreeSet<String> = streams.iter().map(|stream| name(&stream.labels)).collect();
                let some: Vec<String> = known.into_iter().take(8).collect();
                return Err(Error::Agent(format!("nothing is called '{target}'; there are: {}", some.join(", "))));
            }
            alternatives.extend(found);
        }
        let is_meant = |stream: &&Stream| alternatives.is_empty() || alternatives.iter().any(|one| one.accepts(stream));
        let meant: Vec<&Stream> = streams.iter().filter(is_meant).collect();
        let mut scope = self.scope.clone();
        if self.previous {
            let ids = previous(&meant);
            if ids.is_empty() {
                return Err(Error::Agent("there is no container before the current one".to_owned()));
            }
            scope.push(any_of(CONTAINER_ID_LABEL, ids.iter().map(|id| regex::escape(id))));
        }
        let names: BTreeSet<String> = meant.iter().map(|stream| name(&stream.labels)).collect();
        let is_one = self.needs_streams() && names.len() == 1;
        let labels: BTreeSet<&str> = alternatives.iter().map(|one| one.label.as_str()).collect();
        let mut filter = String::new();
        match (labels.len(), alternatives.len()) {
            (0, _) => {}
            (1, 1) => scope.extend(alternatives),
            (1, _) => {
                let label = alternatives.first().map(|one| one.label.clone()).unwrap_or_default();
                scope.push(any_of(&label, alternatives.iter().map(Matcher::expression)));
            }
            _ => {
                let texts: Vec<String> = alternatives.iter().map(Matcher::text).collect();
                filter = format!(" | {}", texts.join(" or "));
            }
        }
        Ok(Meant { selector: selector(&scope), filter, is_one })
    }
}

fn any_of(label: &str, expressions: impl Iterator<Item = String>) -> Matcher {
    Matcher::new(label, "=~", expressions.collect::<Vec<_>>().join("|"))
}

/// A selector of LogQL, which has to name some label.
fn selector(matchers: &[Matcher]) -> String {
    // What matches nothing but a lack is not enough for LogQL.
    let all = Matcher::new(SERVICE_LABEL, "=~", ".+");
    let has_own = matchers.iter().any(|one| one.operator.starts_with('=') && !one.accepts_nothing());
    let texts: Vec<String> = matchers.iter().chain((!has_own).then_some(&all)).map(Matcher::text).collect();
    format!("{{{}}}", texts.join(", "))
}

impl Matcher {
    fn accepts_nothing(&self) -> bool {
        match self.operator {
            "=" => self.value.is_empty(),
            "=~" => Regex::new(&format!("^(?:{})$", self.value)).is_ok_and(|regex| regex.is_match("")),
            _ => true,
        }
    }
}

fn label<'a>(stream: &'a Stream, name: &str) -> Option<&'a str> {
    match stream.labels.get(name) {
        Some(value) => Some(value),
        None if name == SERVICE_LABEL => Some(&stream.service),
        None => None,
    }
}

/// The conditions of which one has to hold for a stream to be what a target names.
fn alternatives_of(target: &str, streams: &[Stream], may_come: bool) -> Result<Vec<Matcher>> {
    let name = target.split_once('/').map(|(_, name)| name).unwrap_or_default();
    let escaped = regex::escape(name);
    let of_a_kind = match target.split_once('/').map(|(kind, _)| kind).unwrap_or_default() {
        "pod" | "po" | "pods" => vec![Matcher::equal("pod", name)],
        "container" => vec![Matcher::equal("container", name)],
        "deployment" | "deploy" | "deployments" => {
            vec![Matcher::new("pod", "=~", format!("{escaped}-[a-z0-9]+-[a-z0-9]{{5}}"))]
        }
        "statefulset" | "sts" => vec![Matcher::new("pod", "=~", format!("{escaped}-[0-9]+"))],
        "daemonset" | "ds" | "replicaset" | "rs" | "job" => {
            vec![Matcher::new("pod", "=~", format!("{escaped}-[a-z0-9]{{5}}"))]
        }
        "app" => vec![Matcher::equal("app", name), Matcher::equal(SERVICE_LABEL, name)],
        "service" | "svc" => vec![Matcher::equal("compose_service", name), Matcher::equal(SERVICE_LABEL, name)],
        "unit" => vec![Matcher::new("unit", "=~", format!("{escaped}(\\.service)?"))],
        "path" => files(name),
        _ if target.contains('/') => files(target),
        _ => return bare(target, streams, may_come),
    };
    let there: Vec<Matcher> =
        of_a_kind.iter().filter(|one| streams.iter().any(|stream| one.accepts(stream))).cloned().collect();
    Ok(if there.is_empty() && may_come { of_a_kind } else { there })
}

/// A file by its path, or by the last parts of it.
fn files(path: &str) -> Vec<Matcher> {
    let last = path.trim_start_matches("./");
    if last.starts_with('/') {
        return vec![Matcher::equal(PATH_LABEL, last)];
    }
    vec![Matcher::new(PATH_LABEL, "=~", format!("(.*/)?{}", regex::escape(last)))]
}

/// A name of whatever kind; where nothing has it, a regular expression.
fn bare(target: &str, streams: &[Stream], may_come: bool) -> Result<Vec<Matcher>> {
    for label in NAMING_LABELS {
        let exact = match label {
            PATH_LABEL => files(target),
            "unit" => vec![Matcher::new("unit", "=~", format!("{}(\\.service)?", regex::escape(target)))],
            label => vec![Matcher::equal(label, target)],
        };
        if streams.iter().any(|stream| exact.iter().any(|one| one.accepts(stream))) {
            return Ok(exact);
        }
    }
    if let Err(error) = Regex::new(target) {
        return Err(Error::Usage(format!("'{target}' names nothing, and is no regular expression: {error}")));
    }
    let within: Vec<Matcher> =
        NAMING_LABELS.iter().map(|label| Matcher::new(label, "=~", format!(".*(?:{target}).*"))).collect();
    let there: Vec<Matcher> =
        within.iter().filter(|one| streams.iter().any(|stream| one.accepts(stream))).cloned().collect();
    Ok(if there.is_empty() && may_come { within } else { there })
}

/// The ids of the containers before the current ones.
fn previous(streams: &[&Stream]) -> Vec<String> {
    let mut of_container: BTreeMap<Vec<Option<&str>>, BTreeMap<&str, i64>> = BTreeMap::new();
    for stream in streams {
        let Some(id) = stream.labels.get(CONTAINER_ID_LABEL) else { continue };
        let container = CONTAINER_LABELS.iter().map(|name| label(stream, name)).collect();
        let last: i64 = stream.last.parse().unwrap_or_default();
        let known = of_container.entry(container).or_default().entry(id).or_insert(last);
        *known = last.max(*known);
    }
    let before_last = |ids: BTreeMap<&str, i64>| {
        let mut by_time: Vec<(i64, &str)> = ids.into_iter().map(|(id, last)| (last, id)).collect();
        by_time.sort_unstable();
        by_time.iter().rev().nth(1).map(|(_, id)| (*id).to_owned())
    };
    of_container.into_values().filter_map(before_last).collect()
}

/// The conditions of `-l`: as kubectl's, and LogQL's with regular expressions.
pub(super) fn conditions(text: &str) -> Result<Vec<Matcher>> {
    let read = |part: &str| {
        let operators = ["!=", "!~", "=~", "==", "="];
        let found = operators.iter().filter_map(|operator| Some((part.find(operator)?, *operator))).min_by_key(
            // At one place the longer one counts.
            |(at, operator)| (*at, std::cmp::Reverse(operator.len())),
        );
        let (at, operator) = found?;
        // kubectl's names of labels have dots, dashes and slashes.
        let name = part[..at].trim().replace(['.', '-', '/'], "_");
        let value = part[at + operator.len()..].trim().trim_matches('"');
        (!name.is_empty()).then(|| Matcher::new(&name, if operator == "==" { "=" } else { operator }, value))
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let wrong = |part: &str| Error::Usage(format!("--selector '{part}' is no condition, such as app=web or tier!=db"));
    parts.map(|part| read(part).ok_or_else(|| wrong(part))).collect()
}

/// A string of LogQL.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(labels: &[(&str, &str)], last: i64) -> Stream {
        Stream {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            service: labels.iter().find(|(name, _)| *name == "container").map_or("x", |(_, value)| value).to_owned(),
            lines: 1,
            bytes: 1,
            first: "0".to_owned(),
            last: last.to_string(),
            last_line: None,
            last_level: None,
            state: "active".to_owned(),
            lag_bytes: 0,
        }
    }

    fn node() -> Vec<Stream> {
        let pod = |pod, container, id, last| {
            stream(&[("namespace", "prod"), ("pod", pod), ("container", container), ("container_id", id)], last)
        };
        vec![
            pod("web-7d4f9c-x2x4z", "nginx", "aa", 1),
            pod("web-7d4f9c-x2x4z", "nginx", "bb", 2),
            pod("db-0", "postgres", "cc", 3),
            stream(&[("path", "/var/log/nginx/access.log")], 1),
            stream(&[("unit", "ssh.service")], 1),
        ]
    }

    #[track_caller]
    fn check(targets: &[&str], expected: &str) {
        let targets = targets.iter().map(ToString::to_string).collect();
        let meant = Wanted { targets, ..Wanted::default() }.meant(&node());
        assert_eq!(meant.map_or_else(|error| error.to_string(), |meant| meant.selector + &meant.filter), expected);
    }

    #[test]
    fn a_target_is_whatever_has_its_name() {
        check(&[], r#"{service_name=~".+"}"#);
        check(&["db-0"], r#"{pod="db-0"}"#);
        check(&["nginx"], r#"{container="nginx"}"#);
        check(&["ssh"], r#"{unit=~"ssh(\\.service)?"}"#);
        check(&["access.log"], r#"{path=~"(.*/)?access\\.log"}"#);
        check(&["/var/log/nginx/access.log"], r#"{path="/var/log/nginx/access.log"}"#);
        check(&["deployment/web"], r#"{pod=~"web-[a-z0-9]+-[a-z0-9]{5}"}"#);
        check(&["sts/db"], r#"{pod=~"db-[0-9]+"}"#);
        check(&["app/postgres"], r#"{service_name="postgres"}"#);
        check(&["^web"], r#"{pod=~".*(?:^web).*"}"#);
        check(
            &["none"],
            "nothing is called 'none'; there are: \
             /var/log/nginx/access.log, prod/db-0/postgres, prod/web-7d4f9c-x2x4z/nginx, ssh.service",
        );
        check(&["web-.*"], r#"{pod=~".*(?:web-.*).*"}"#);
        check(&["db-0", "web-7d4f9c-x2x4z"], r#"{pod=~"db\\-0|web\\-7d4f9c\\-x2x4z"}"#);
        check(&["db-0", "ssh"], r#"{service_name=~".+"} | pod="db-0" or unit=~"ssh(\\.service)?""#);
    }

    #[test]
    fn what_is_not_there_may_come() {
        let wanted = Wanted { targets: vec!["pod/new".to_owned()], may_come: true, ..Wanted::default() };
        let (selector, filter) = (r#"{pod="new"}"#.to_owned(), String::new());
        assert_eq!(wanted.meant(&node()).unwrap(), Meant { selector, filter, is_one: false });
    }

    #[test]
    fn the_previous_container_is_the_one_before_the_last() {
        let wanted = |target: &str| Wanted { targets: vec![target.to_owned()], previous: true, ..Wanted::default() };
        let meant = wanted("nginx").meant(&node()).unwrap();
        assert_eq!(meant.selector, r#"{container_id=~"aa", container="nginx"}"#);
        assert!(wanted("db-0").meant(&node()).is_err());
    }

    #[test]
    fn labels_are_selected_as_in_kubectl() {
        let text = |text: &str| conditions(text).unwrap().iter().map(Matcher::text).collect::<Vec<_>>().join(" ");
        assert_eq!(text("app.kubernetes.io/name=web,tier!=db"), r#"app_kubernetes_io_name="web" tier!="db""#);
        assert_eq!(text("a==b, c=~d.*"), r#"a="b" c=~"d.*""#);
        assert!(conditions("app").is_err() && conditions("=x").is_err());
        assert_eq!(selector(&conditions("tier!=db").unwrap()), r#"{tier!="db", service_name=~".+"}"#);
    }
}
