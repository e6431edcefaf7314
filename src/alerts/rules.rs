//! Rule files, as Loki's ruler and Prometheus have them:
//!
//! ```yaml
//! groups:
//!   - name: errors
//!     interval: 1m
//!     rules:
//!       - alert: ManyErrors
//!         expr: sum by (app) (count_over_time({app=~".+"} |= "error" [5m])) > 100
//!         for: 10m
//!         labels: {severity: page}
//!         annotations: {summary: "{{ $labels.app }} has {{ $value }} errors in 5 minutes"}
//!       - record: app:errors:count5m
//!         expr: sum by (app) (count_over_time({app=~".+"} |= "error" [5m]))
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::alerts::yaml::{self, Fault, Node};
use crate::file;
use crate::logql::ast::{Expr, MetricExpr};
use crate::logql::{self, units};
use crate::model::{LABEL_VALUE_BYTES_MAX, is_label_name};

/// Most bytes of a rule file.
const FILE_BYTES_MAX: usize = 4 << 20;
/// Most files of a directory, and most groups and rules of all files.
const FILES_MAX: usize = 1000;
const GROUPS_MAX: usize = 1000;
const RULES_MAX: usize = 10_000;
/// How often a group is evaluated that does not say.
const INTERVAL_DEFAULT: Duration = Duration::from_mins(1);
/// The shortest interval.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const NS_PER_MILLISECOND: i64 = 1_000_000;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] file::Error),
    /// A file is wrong.
    #[error("{}, line {line}, column {column}: {reason}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// From 1 on.
        line: usize,
        /// From 1 on, in characters.
        column: usize,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// There are too many.
    #[error("there are more than {max} {what} in the rule files")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
}

/// Rules that are evaluated one after the other, at one time.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// The file, without its directory.
    pub(super) file: String,
    pub(super) name: String,
    pub(super) interval: Duration,
    /// Most alerts or series of a rule; 0 for no limit of its own.
    pub(super) limit: usize,
    pub(super) rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// The expression as it is written.
    pub(super) query: String,
    pub(super) expr: MetricExpr,
    /// To be added; of alerts these are templates.
    pub(super) labels: Vec<(String, String)>,
}

/// What becomes of what a rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each series is an alert.
    Alert {
        /// How long it is pending before it fires.
        hold: Duration,
        /// How long it goes on firing after nothing is found any more.
        keep_firing: Duration,
        /// Templates.
        annotations: Vec<(String, String)>,
    },
    /// Each series is a number of the agent's own.
    Record,
}

/// How many rules there are in the files at `paths`.
///
/// # Errors
///
/// What is wrong with the first file that is.
pub fn count(paths: &[PathBuf]) -> Result<usize, String> {
    let groups = read(paths).map_err(|error| error.to_string())?;
    Ok(groups.iter().map(|group| group.rules.len()).sum())
}

/// The groups of all files at `paths`, each a file or a directory of files that end in `.yaml` or `.yml`.
///
/// # Errors
///
/// See [`Error`]: the first file that cannot be read or is wrong.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Group>, Error> {
    let mut groups = Vec::new();
    for path in files(paths)? {
        let (bytes, _) = file::read_whole(&path, FILE_BYTES_MAX)?;
        let at = |Fault { place, reason }| Error::Rule {
            path: path.clone(),
            line: place.line,
            column: place.column,
            reason,
        };
        let text = str::from_utf8(&bytes).map_err(|_| {
            at(Fault { place: yaml::Place { line: 1, column: 1 }, reason: "it is no text in UTF-8".into() })
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        groups.extend(parse(&name, text).map_err(at)?);
    }
    let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
    for (what, count, max) in [("groups", groups.len(), GROUPS_MAX), ("rules", rules, RULES_MAX)] {
        if max < count {
            return Err(Error::TooMany { what, max });
        }
    }
    Ok(groups)
}

/// The rule files there are, sorted.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let is_rules = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut found = Vec::new();
    for path in paths {
        if file::metadata(path)?.kind != file::Kind::Directory {
            found.push(path.clone());
            continue;
        }
        let names = file::read_directory(path)?.into_iter();
        // Those that begin with a dot are the ones that a mounted ConfigMap links to.
        let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        found.extend(names.filter(|path| is_rules(path) && !is_hidden(path)));
    }
    if FILES_MAX < found.len() {
        return Err(Error::TooMany { what: "files", max: FILES_MAX });
    }
    Ok(found)
}

fn parse(file: &str, text: &str) -> Result<Vec<Group>, Fault> {
    let root = yaml::parse(text)?;
    root.check_keys(&["groups", "namespace"])?;
    let Some(nodes) = root.get("groups") else { return Ok(Vec::new()) };
    let mut names = BTreeSet::new();
    let group = |node: &Node| {
        node.check_keys(&["name", "interval", "limit", "rules", "query_offset", "labels"])?;
        let name = needed(node, "name")?;
        if !names.insert(name.text()?.to_owned()) {
            return Err(name.fault("another group of the file has this name"));
        }
        let interval = node.get("interval").map(duration).transpose()?.unwrap_or(INTERVAL_DEFAULT);
        if interval < INTERVAL_MIN {
            return Err(node.fault("the interval is under a second"));
        }
        let limit = node.get("limit").map(number).transpose()?.unwrap_or(0);
        let rules = needed(node, "rules")?.list()?.iter().map(rule).collect::<Result<_, _>>()?;
        Ok(Group { file: file.to_owned(), name: name.text()?.to_owned(), interval, limit, rules })
    };
    nodes.list()?.iter().map(group).collect()
}

fn rule(node: &Node) -> Result<Rule, Fault> {
    let is_alert = node.get("alert").is_some();
    let known: &[&str] = if is_alert {
        &["alert", "expr", "for", "keep_firing_for", "labels", "annotations"]
    } else {
        &["record", "expr", "labels"]
    };
    node.check_keys(known)?;
    let name = node.get("alert").or_else(|| node.get("record"));
    let name = name.ok_or_else(|| node.fault("a rule has either alert or record, with a name"))?;
    if name.text()?.is_empty() {
        return Err(name.fault("the name is empty"));
    }
    if !is_alert && !name.text()?.split(':').all(|part| part.is_empty() || is_label_name(part)) {
        return Err(name.fault("the name of a record is one of a metric: letters, digits, _ and :"));
    }
    let query = needed(node, "expr")?;
    let expr = match logql::parse(query.text()?) {
        Ok(Expr::Metric(expr)) => expr,
        Ok(Expr::Log(_)) => {
            return Err(query.fault("expected a query for numbers, such as count_over_time({…} [5m]) > 0"));
        }
        Err(error) => return Err(query.fault(error.to_string())),
    };
    let kind = if is_alert {
        let time = |key| node.get(key).map(duration).transpose().map(Option::unwrap_or_default);
        Kind::Alert {
            hold: time("for")?,
            keep_firing: time("keep_firing_for")?,
            annotations: pairs(node, "annotations")?,
        }
    } else {
        Kind::Record
    };
    let labels = pairs(node, "labels")?;
    Ok(Rule { name: name.text()?.to_owned(), kind, query: query.text()?.trim().to_owned(), expr, labels })
}

fn needed<'a>(node: &'a Node, key: &str) -> Result<&'a Node, Fault> {
    node.get(key).ok_or_else(|| node.fault(format!("{key:?} is missing")))
}

fn pairs(node: &Node, key: &str) -> Result<Vec<(String, String)>, Fault> {
    let pair = |(name, place, value): &(String, yaml::Place, Node)| {
        if !is_label_name(name) || name.starts_with("__") {
            return Err(Fault { place: *place, reason: format!("{name:?} is no name of a label") });
        }
        let text = value.text()?;
        if LABEL_VALUE_BYTES_MAX < text.len() {
            return Err(value.fault(format!("this is over {LABEL_VALUE_BYTES_MAX} bytes")));
        }
        Ok((name.clone(), text.to_owned()))
    };
    node.get(key).map_or(Ok(Vec::new()), |node| node.map()?.iter().map(pair).collect())
}

fn duration(node: &Node) -> Result<Duration, Fault> {
    let text = node.text()?;
    let ns = units::parse_prometheus_duration(text).map_err(|reason| node.fault(reason))?;
    Ok(Duration::from_millis((ns / NS_PER_MILLISECOND).unsigned_abs()))
}

fn number(node: &Node) -> Result<usize, Fault> {
    node.text()?.parse().map_err(|_| node.fault("expected a whole number"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The groups of a file that is right.
    pub(in crate::alerts) fn groups(text: &str) -> Vec<Group> {
        parse("rules.yaml", text).unwrap_or_else(|Fault { place, reason }| panic!("{place}: {reason}"))
    }

    #[test]
    fn a_file_is_read_as_the_ruler_reads_it() {
        let groups = groups(
            "groups:\n- name: g\n  interval: 30s\n  limit: 5\n  rules:\n  - alert: A\n    expr: count_over_time({a=\"b\"}[5m]) > 1\n    \
             for: 1h30m\n    keep_firing_for: 5m\n    labels: {severity: page}\n    annotations: {summary: \"{{ $value }}\"}\n  \
             - record: a:b:c\n    expr: |\n      sum(rate({a=\"b\"}[1m]))\n- name: empty\n  rules:\n",
        );
        assert_eq!((groups.len(), groups[0].limit, groups[0].interval), (2, 5, Duration::from_secs(30)));
        assert_eq!((groups[1].interval, groups[1].rules.len()), (INTERVAL_DEFAULT, 0));
        let [alert, record] = &groups[0].rules[..] else { panic!() };
        let annotations = vec![("summary".to_owned(), "{{ $value }}".to_owned())];
        let hold = Duration::from_mins(90);
        assert_eq!(alert.kind, Kind::Alert { hold, keep_firing: Duration::from_mins(5), annotations });
        assert_eq!(
            (record.name.as_str(), &record.kind, record.query.as_str()),
            ("a:b:c", &Kind::Record, "sum(rate({a=\"b\"}[1m]))")
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let rule = |rule: &str| {
            let text = format!("groups:\n- name: g\n  rules:\n  - {rule}\n");
            let Fault { place, reason } = parse("rules.yaml", &text).unwrap_err();
            format!("{place}: {reason}")
        };
        let check = |text: &str, expected: &str| assert!(rule(text).contains(expected), "{}", rule(text));
        check(
            "{alert: A, expr: 'count_over_time({a=\"b\"}[5m])', fro: 5m}",
            "line 4, column 54: \"fro\" is not known here",
        );
        check("{alert: A}", "\"expr\" is missing");
        check("{expr: '1'}", "a rule has either alert or record");
        check("{alert: A, expr: '{a=\"b\"}'}", "line 4, column 22: expected a query for numbers");
        check("{alert: A, expr: 'count_over_time({a=\"b\"}[5m)'}", "line 4, column 22: parse error");
        check("{alert: A, expr: '1', for: soon}", "line 4, column 32: ");
        check("{record: 'a b', expr: '1'}", "the name of a record");
        check("{alert: A, expr: '1', labels: {a-b: c}}", "\"a-b\" is no name of a label");
        let twice = "groups:\n- {name: g, rules: []}\n- {name: g, rules: []}\n";
        assert!(parse("rules.yaml", twice).unwrap_err().reason.contains("another group"));
    }
}
