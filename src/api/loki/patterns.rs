//! `patterns`: what lines have in common, and how many there are of each kind over time.

use std::num::NonZeroU64;

use serde::Serialize;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire;
use crate::log_database::Pattern;
use crate::logql;
use crate::logql::ast::{Expr, LogExpr};
use crate::logql::units::NS_PER_SECOND;
use crate::model::{TimeRange, Timestamp};
use crate::query::{Source, patterns};

/// Most patterns of an answer: those of most lines.
const PATTERNS_MAX: usize = 300;

/// A pattern as it is answered.
#[derive(Serialize)]
struct PatternObject {
    pattern: String,
    level: &'static str,
    /// The beginning of each step in seconds since the epoch, and how many lines there are in it.
    samples: Vec<(i64, u64)>,
}

/// Answers the patterns of the lines that a selector selects and line filters let pass.
pub(super) async fn patterns(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    // Steps begin at whole multiples, so that those of two requests are the same; they are counted in seconds.
    let step_ns = arguments.step_ns(range)?.max(NS_PER_SECOND) / NS_PER_SECOND * NS_PER_SECOND;
    let start = range.start.as_ns().div_euclid(step_ns).saturating_mul(step_ns);
    let steps = TimeRange { start: Timestamp::from_ns(start), end: range.end };
    let work = move |arguments: &Arguments, source: &Source| {
        let step = NonZeroU64::new(step_ns.unsigned_abs()).expect("a second at least");
        let found = patterns::find(&lines_of(arguments)?, steps, step, source)?;
        let left_out = found.len().saturating_sub(PATTERNS_MAX);
        let warning = format!("the {PATTERNS_MAX} patterns of the most lines; {left_out} others are left out");
        let warnings: &[&str] = if left_out == 0 { &[] } else { &[&warning] };
        let objects: Vec<_> = found.iter().take(PATTERNS_MAX).map(|pattern| object(pattern, start, step_ns)).collect();
        wire::held_success_with(warnings, objects, source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// The lines that are asked for; all where nothing is said. Blocks, as expressions are compiled.
fn lines_of(arguments: &Arguments) -> Result<LogExpr, Error> {
    let Some(text) = arguments.text("query")? else { return Ok(LogExpr { matchers: Vec::new(), stages: Vec::new() }) };
    // A selector alone may accept every stream.
    if let Ok(matchers) = logql::parse_selector(&text) {
        return Ok(LogExpr { matchers, stages: Vec::new() });
    }
    match logql::parse(&text)? {
        Expr::Log(expr) => Ok(expr),
        Expr::Metric(_) => Err(Error::bad_request("only log queries have patterns")),
    }
}

fn object(Pattern { text, class, counts }: &Pattern, start: i64, step_ns: i64) -> PatternObject {
    let seconds = |step: u64| {
        let since_start = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(step_ns);
        start.saturating_add(since_start) / NS_PER_SECOND
    };
    PatternObject {
        pattern: String::from_utf8_lossy(text).into_owned(),
        level: class,
        samples: counts.iter().map(|(step, count)| (seconds(*step), *count)).collect(),
    }
}
