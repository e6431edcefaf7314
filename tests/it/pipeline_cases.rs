//! Loki's own cases over one line, where they lie beside the repository: `../shared/logql-cases/README.md`.

#![expect(clippy::disallowed_methods, reason = "the cases are no files of the agent")]

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use monitoring_rs::logql::ast::{Expr, LogExpr};
use monitoring_rs::logql::parse;
use monitoring_rs::logql::pipeline::{Clock, ERROR_DETAILS_LABEL, ERROR_LABEL, Entry, Needed, NeededLabels};
use monitoring_rs::logql::stages::Pipeline;
use monitoring_rs::model::{Labels, Timestamp};

/// Fewer cases than this are too few: some are missing.
const CASES_MIN: usize = 880;

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    q: String,
    in_line: String,
    #[serde(default)]
    in_labels: BTreeMap<String, String>,
    #[serde(default)]
    in_sm: BTreeMap<String, String>,
    keep: bool,
    out_line: Option<String>,
    out_labels: Option<BTreeMap<String, String>>,
    tier: u8,
    /// When the line is from, in nanoseconds.
    ts: Option<String>,
}

/// What a case gives, or what is wrong with that.
fn run(case: &Case) -> Result<(), String> {
    let query = parse(&format!("{{any=\"any\"}} {}", case.q)).map_err(|error| error.to_string())?;
    let Expr::Log(LogExpr { stages, .. }) = query else { return Err("parsed as a metric".to_owned()) };
    let ns = case.ts.as_ref().map_or(1_700_000_000_000_000_000, |ns| ns.parse().expect("a time is a number"));
    let timestamp = Timestamp::from_ns(ns);
    let clock = Clock { now: timestamp, zone: TimeZone::UTC, zones: jiff::tz::db().clone() };
    let needed = Needed { labels: NeededLabels::All, level: false };
    let mut pipeline = Pipeline::new(&stages, &needed, &clock).map_err(|error| error.to_string())?;
    let labels = case.in_labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let labels = Labels::new(labels).map_err(|error| error.to_string())?;
    let metadata: Vec<(String, String)> = case.in_sm.clone().into_iter().collect();
    let entry = Entry { timestamp, labels: &labels, metadata: &metadata, line: case.in_line.as_bytes() };
    let Some(processed) = pipeline.process(&entry) else {
        return if case.keep { Err("dropped".to_owned()) } else { Ok(()) };
    };
    if !case.keep {
        return Err("kept".to_owned());
    }
    let line = String::from_utf8_lossy(processed.line);
    if case.out_line.as_ref().is_some_and(|expected| *expected != line) {
        return Err(format!("line {line:?}, expected {:?}", case.out_line));
    }
    let Some(expected) = &case.out_labels else { return Ok(()) };
    // The details are words for people; a label without a value is as good as none.
    let strip = |pairs: &mut BTreeMap<String, String>| {
        pairs.retain(|_, value| !value.is_empty());
        pairs.remove(ERROR_DETAILS_LABEL).is_some()
    };
    let mut expected = expected.clone();
    let mut actual = processed.labels.iter().map(|label| (label.name.to_owned(), label.value.to_owned())).collect();
    let (expects_details, has_details) = (strip(&mut expected), strip(&mut actual));
    let are_details_right = has_details == expects_details || (has_details && actual.contains_key(ERROR_LABEL));
    if actual == expected && are_details_right { Ok(()) } else { Err(format!("{actual:?}, expected {expected:?}")) }
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "says where there are none of these cases, that nothing is taken for a success"
)]
fn lokis_cases_pass_where_they_are_there() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    if !std::fs::exists(folder).expect("it can be looked for") {
        return eprintln!("there are no cases of Loki's in {folder}; tests/logql has our own");
    }
    let path = format!("{folder}/logql-cases/pipeline.jsonl");
    let text = std::fs::read_to_string(&path).expect("the cases are where they ought to be");
    let mut passed_by_tier = BTreeMap::new();
    let mut failed = Vec::new();
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).expect("a case is an object");
        match run(&case) {
            Ok(()) => *passed_by_tier.entry(case.tier).or_insert(0) += 1,
            Err(reason) => failed.push(format!("{} (tier {}) {}: {reason}", case.id, case.tier, case.q)),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let passed: usize = passed_by_tier.values().sum();
    assert!(CASES_MIN <= passed, "{path}: only {passed_by_tier:?} cases by tier");
}
