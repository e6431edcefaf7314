//! Tests of whole pipelines: a query's stages, a line, and what comes out.

mod errors;
mod filters;
mod formats;
mod needed;
mod parsers;
mod properties;
mod templates;

use crate::logql::ast::{Expr, Stage};
use crate::logql::pipeline::{Clock, Entry, LineLabels, Needed, NeededLabels};
use crate::logql::stages::Pipeline;
use crate::logql::{Error, parse};
use crate::model::{Labels, Timestamp};

/// 2022-06-27 18:05:24.12 UTC, in nanoseconds.
const TIMESTAMP: Timestamp = Timestamp::from_ns(1_656_353_124_120_000_000);
/// Everything but the level.
const NEEDED: Needed = Needed { labels: NeededLabels::All, level: false };

pub(super) fn clock() -> Clock {
    Clock { now: TIMESTAMP, zone: jiff::tz::TimeZone::UTC, zones: jiff::tz::db().clone() }
}

/// The stages of a query's text, which starts behind the selector; they may end in an `unwrap`.
pub(super) fn stages(text: &str) -> Result<Vec<Stage>, Error> {
    if !text.contains("unwrap") {
        let Expr::Log(log) = parse(&format!("{{a=\"b\"}} {text}"))? else { unreachable!("it asks for lines") };
        return Ok(log.stages);
    }
    match parse(&format!("sum_over_time({{a=\"b\"}} {text} [1m])"))? {
        Expr::Metric(crate::logql::ast::MetricExpr::Range(aggregation)) => Ok(aggregation.range.log.stages),
        _ => unreachable!("it asks for a range aggregation"),
    }
}

/// What there is of a line: labels of its stream and of itself, and its text.
#[derive(Clone, Copy)]
struct Input<'a> {
    stream: &'a [(&'a str, &'a str)],
    metadata: &'a [(&'a str, &'a str)],
    line: &'a str,
}

/// A line without labels.
fn line(line: &str) -> Input<'_> {
    Input { stream: &[], metadata: &[], line }
}

/// Runs a pipeline over a line: the line, the labels as `name=value` with blanks between, and the number if there is one.
fn run(text: &str, needed: &Needed, input: Input<'_>) -> Option<String> {
    let mut pipeline = Pipeline::new(&stages(text).unwrap(), needed, &clock()).unwrap();
    let labels = Labels::new(input.stream.iter().copied()).unwrap();
    let metadata: Vec<_> = input.metadata.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &metadata, line: input.line.as_bytes() };
    // Twice: what is kept from the line before must not show.
    pipeline.process(&entry);
    let processed = pipeline.process(&entry)?;
    let line = String::from_utf8_lossy(processed.line);
    let number = processed.value.map(|number| format!(" -> {number}")).unwrap_or_default();
    Some(format!("{line} |{}{number}", shown(processed.labels)))
}

fn shown(labels: &LineLabels) -> String {
    let labels: Vec<String> = labels.iter().map(|label| format!(" {}={}", label.name, label.value)).collect();
    labels.concat()
}

/// Labels that a pipeline finds in a line.
#[track_caller]
fn check_labels(text: &str, input: Input<'_>, expected: &str) {
    let actual = run(text, &NEEDED, input).expect("the line is kept");
    let (_, labels) = actual.split_once(" |").expect("there is a bar");
    assert_eq!(labels.trim_start(), expected, "{text}");
}

/// The line that a pipeline makes of a line.
#[track_caller]
fn check_line(text: &str, input: Input<'_>, expected: &str) {
    let actual = run(text, &NEEDED, input).expect("the line is kept");
    assert_eq!(actual.split_once(" |").map(|(line, _)| line), Some(expected), "{text}");
}

/// Lines that a pipeline keeps, and lines that it drops.
#[track_caller]
fn check_kept(text: &str, kept: &[&str], dropped: &[&str]) {
    for (lines, is_kept) in [(kept, true), (dropped, false)] {
        for text_line in lines {
            assert_eq!(run(text, &NEEDED, line(text_line)).is_some(), is_kept, "{text} keeps {text_line}");
        }
    }
}

/// Why a pipeline cannot be built.
#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let refusal = stages(text).and_then(|stages| Pipeline::new(&stages, &NEEDED, &clock()).map(|_| ()));
    assert_eq!(refusal.unwrap_err().to_string(), expected, "{text}");
}
