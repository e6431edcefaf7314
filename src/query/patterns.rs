//! Patterns: what lines have in common, how severe they are, and how many there are of each kind over time.
//!
//! The templates that blocks store lines by are patterns already; see [`crate::log_database::PatternCount`].

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::{Classify, Pattern};
use crate::logql::ast::LogExpr;
use crate::logql::stages::{LineFilters, known_level, level_of};
use crate::logql::{Error as QueryError, Fetch};
use crate::model::{LogEntry, TimeRange};
use crate::query::{Error, Source, entry};

/// What tells lines of one pattern apart: their level. Leaves out those that no filter lets pass.
struct Levels(LineFilters);

impl Classify for Levels {
    fn class(&self, found: LogEntry<'_>) -> Option<&'static str> {
        let mut room = Vec::new();
        let entry = entry(found, &mut room);
        self.0.keep(entry.line).then(|| known_level(level_of(&entry)))
    }

    fn leaves_out(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The patterns that say anything of the lines of `expr`, which has no stages but line filters, in steps of `step_ns`
/// nanoseconds from the beginning of `range` on; those of the most lines first. The class of each is its level.
///
/// # Errors
///
/// [`Error::Query`] for other stages, and [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn find(expr: &LogExpr, range: TimeRange, step_ns: NonZeroU64, source: &Source) -> Result<Vec<Pattern>, Error> {
    let (fetch, filters) = Fetch::of_line_filters(expr, range)?.ok_or_else(refusal)?;
    let selection = fetch.selection(|_| true);
    let shown_as = |stored: &_| source.shown_as(stored, &selection.matchers);
    let count = source.snapshot.patterns_as(&selection, step_ns, shown_as).within(Arc::clone(&source.budget));
    let mut patterns = count.run(&Levels(filters))?;
    patterns.retain(|pattern| has_words(&pattern.text));
    Ok(patterns)
}

fn refusal() -> QueryError {
    QueryError::Stage { message: "only label matchers and line filters are supported".to_owned() }
}

/// Whether a pattern says anything: it has a word beside the `_` that stands for what varies.
fn has_words(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_alphanumeric) || !text.is_ascii()
}
