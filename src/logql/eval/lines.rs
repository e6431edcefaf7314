//! Log queries whose lines are answered one by one, as they are found, over any length of time.

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::{LogExpr, Stage};
use crate::logql::eval::log::drops_lines;
use crate::logql::pipeline::{Clock, Entry, LEVEL_LABEL, LineLabels, Needed, Processed};
use crate::logql::plan::Fetch;
use crate::logql::stages::{Pipeline, level_of};
use crate::model::budget::Budget;
use crate::model::{Direction, TimeRange};

/// A log query that keeps nothing: it says of each entry what becomes of it.
#[derive(Clone, Debug)]
pub struct LineQuery {
    fetch: Fetch,
    pipeline: Pipeline,
}

/// What a query makes of an entry; borrowed from both until the next one.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The line as the last stage left it.
    pub text: &'a [u8],
    /// The labels after the last stage, sorted by name.
    pub labels: &'a LineLabels,
    /// How severe the line is, as its labels or its stored text tell.
    pub level: &'a str,
}

impl LineQuery {
    /// Prepares `expr` to be evaluated for entries in `range`, of which `limit` are enough.
    ///
    /// # Errors
    ///
    /// [`Error::Stage`] if a stage cannot be built.
    pub fn new(
        expr: &LogExpr,
        range: TimeRange,
        (direction, limit): (Direction, Option<usize>),
        clock: &Clock,
    ) -> Result<Self, Error> {
        let (mut fetch, mut stages) = Fetch::new(expr, range)?;
        stages.retain(|stage| !matches!(stage, Stage::Unwrap(_)));
        let is_every_line_taken = !stages.iter().any(drops_lines);
        fetch.set_order(direction, limit.filter(|_| is_every_line_taken));
        let pipeline = Pipeline::new(&stages, &Needed::EVERYTHING, clock)?;
        Ok(Self { fetch, pipeline })
    }

    /// Ends where `budget` is cancelled.
    #[must_use]
    pub fn within(mut self, budget: &Arc<Budget>) -> Self {
        self.pipeline.set_budget(budget);
        self
    }

    /// Which entries to fetch, and in which order.
    pub fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// What becomes of an entry; `None` where a stage drops it.
    pub fn process<'a>(&'a mut self, entry: &Entry<'a>) -> Option<Shown<'a>> {
        let Processed { line, labels, .. } = self.pipeline.process(entry)?;
        let level = labels.iter().find(|label| label.name == LEVEL_LABEL).map(|label| label.value);
        Some(Shown { text: line, labels, level: level.unwrap_or_else(|| level_of(entry)) })
    }
}
