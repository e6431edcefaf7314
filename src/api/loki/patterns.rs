//! `patterns`: what lines have in common, and how many there are of each kind over time.
//!
//! The templates that blocks store lines by are patterns already; see `log_database::PatternCount`.

use std::num::NonZeroU64;

use serde::Serialize;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire;
use crate::log_database::Pattern;
use crate::logql::stages::level_of_text;
use crate::logql::units::NS_PER_SECOND;
use crate::model::{TimeRange, Timestamp};
use crate::query::Source;

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

/// Answers the patterns of the lines that a selector selects.
pub(super) async fn patterns(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    // Steps begin at whole multiples, so that those of two requests are the same; they are counted in seconds.
    let step_ns = arguments.step_ns(range)?.max(NS_PER_SECOND) / NS_PER_SECOND * NS_PER_SECOND;
    let start = range.start.as_ns().div_euclid(step_ns).saturating_mul(step_ns);
    let steps = TimeRange { start: Timestamp::from_ns(start), end: range.end };
    let work = move |arguments: &Arguments, source: &Source| {
        let matchers = arguments.selector()?.unwrap_or_default();
        let step = NonZeroU64::new(step_ns.unsigned_abs()).expect("a second at least");
        let patterns = source.patterns(&matchers, steps, step)?;
        let telling = patterns.iter().filter(|pattern| has_words(&pattern.text)).take(PATTERNS_MAX);
        let objects: Vec<PatternObject> = telling.map(|pattern| object(pattern, start, step_ns)).collect();
        wire::held_success(objects, source.budget())
    };
    loki::run(request.state(), arguments, work).await
}

/// Whether a pattern says anything: it has a word beside the `_` that stands for what varies.
fn has_words(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_alphanumeric) || !text.is_ascii()
}

fn object(Pattern { text, counts }: &Pattern, start: i64, step_ns: i64) -> PatternObject {
    let seconds = |step: u64| {
        let since_start = i64::try_from(step).unwrap_or(i64::MAX).saturating_mul(step_ns);
        start.saturating_add(since_start) / NS_PER_SECOND
    };
    PatternObject {
        pattern: String::from_utf8_lossy(text).into_owned(),
        level: level_of_text(text),
        samples: counts.iter().map(|(step, count)| (seconds(*step), *count)).collect(),
    }
}
