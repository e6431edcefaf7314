//! Tests of whole pipelines: a query's stages, a line, and what comes out.

mod cases;

use crate::logql::ast::{Expr, Stage};
use crate::logql::pipeline::{Category, Clock, Entry, Needed, NeededLabels};
use crate::logql::stages::Pipeline;
use crate::logql::{Error, parse};
use crate::model::{Labels, Timestamp};

const TIMESTAMP: Timestamp = Timestamp::from_ns(1_656_353_124_120_000_000);

fn clock() -> Clock {
    Clock { now: TIMESTAMP, zone: jiff::tz::TimeZone::UTC, zones: jiff::tz::db().clone() }
}

/// The stages of a query's text, which starts behind the selector.
fn stages(text: &str) -> Result<Vec<Stage>, Error> {
    match parse(&format!("{{a=\"b\"}} {text}"))? {
        Expr::Log(log) => Ok(log.stages),
        Expr::Metric(_) => unreachable!("a selector and stages are no metric"),
    }
}

/// Needs everything but the level.
const NEEDED: Needed = Needed { labels: NeededLabels::All, level: false };

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).expect("tests have good labels")
}

fn metadata(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
