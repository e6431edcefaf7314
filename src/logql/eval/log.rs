//! Log queries: which lines there are, in which streams.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::logql::ast::{LogExpr, Stage};
use crate::logql::eval::series::SeriesLabels;
use crate::logql::pipeline::{Category, Clock, Entry, Needed, Processed};
use crate::logql::plan::Fetch;
use crate::logql::stages::Pipeline;
use crate::logql::{Error, limits};
use crate::model::budget::Budget;
use crate::model::{Direction, TimeRange, Timestamp};

/// What a log query is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The times asked for.
    pub range: TimeRange,
    /// Which lines come first.
    pub direction: Direction,
    /// How many lines the answer may have.
    pub limit: usize,
    /// The least time between two lines of the answer, in nanoseconds; 0 for any.
    pub interval_ns: i64,
    /// Whether streams are told apart by their own labels alone, and other labels stay with the lines.
    pub categorizes: bool,
}

/// A log query. Push what it selects until it has enough, and [`LogQuery::take`] the lines.
#[derive(Debug)]
pub struct LogQuery {
    fetch: Fetch,
    pipeline: Pipeline,
    options: LogOptions,
    /// How many lines there have been.
    line_count: usize,
    /// Bytes of the lines that have not been taken, which are taken of the budget.
    byte_count: usize,
    budget: Arc<Budget>,
    last: Option<Timestamp>,
    streams: BTreeMap<SeriesLabels, Vec<Line>>,
}

/// The lines of an answer that have the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The labels: those of the stream, or all there are.
    pub labels: SeriesLabels,
    /// In the direction asked for; one at least.
    pub lines: Vec<Line>,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was logged.
    pub timestamp: Timestamp,
    /// Its bytes as the last stage left them.
    pub text: Vec<u8>,
    /// Labels that are stored beside the line; none unless the query categorizes.
    pub metadata: SeriesLabels,
    /// Labels that the query made; none unless the query categorizes.
    pub parsed: SeriesLabels,
}

impl Line {
    /// How much memory the line takes, in bytes.
    pub fn byte_count(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.metadata.byte_count() + self.parsed.byte_count()
    }
}

impl LogQuery {
    /// Prepares `expr` to be evaluated.
    ///
    /// # Errors
    ///
    /// [`Error::Stage`] if a stage cannot be built, [`Error::RangeTooLong`] if the query looks at too long a time.
    pub fn new(expr: &LogExpr, options: LogOptions, clock: &Clock) -> Result<Self, Error> {
        let TimeRange { start, end } = options.range;
        limits::check_range(end.as_ns().saturating_sub(start.as_ns()))?;
        let (mut fetch, mut stages) = Fetch::new(expr, options.range)?;
        stages.retain(|stage| !matches!(stage, Stage::Unwrap(_)));
        let is_every_line_taken = !stages.iter().any(drops_lines) && options.interval_ns == 0;
        fetch.set_order(options.direction, is_every_line_taken.then_some(options.limit));
        let pipeline = Pipeline::new(&stages, &Needed::EVERYTHING, clock)?;
        Ok(Self {
            fetch,
            pipeline,
            options,
            line_count: 0,
            byte_count: 0,
            budget: Arc::default(),
            last: None,
            streams: BTreeMap::new(),
        })
    }

    /// Takes the memory for lines from `budget`.
    #[must_use]
    pub fn within(self, budget: Arc<Budget>) -> Self {
        Self { budget, ..self }
    }

    /// Which entries to fetch, and in which order.
    pub fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// Adds an entry of the selection, in its order. Breaks when the answer has all the lines that it may have.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the lines are too many bytes before they are too many.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<ControlFlow<()>, Error> {
        if self.options.limit <= self.line_count {
            return Ok(ControlFlow::Break(()));
        }
        let is_too_soon = self.last.is_some_and(|last| {
            entry.timestamp.as_ns().abs_diff(last.as_ns()) < self.options.interval_ns.unsigned_abs()
        });
        if is_too_soon {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(processed) = self.pipeline.process(entry) {
            let (labels, line) = split(entry.timestamp, &processed, self.options.categorizes);
            let bytes = line.byte_count() + labels.byte_count();
            self.budget.take(bytes)?;
            self.byte_count += bytes;
            self.streams.entry(labels).or_default().push(line);
            self.last = Some(entry.timestamp);
            self.line_count += 1;
        }
        let is_full = self.options.limit <= self.line_count;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// What the lines that have not been taken take in memory, in bytes.
    pub fn byte_count(&self) -> usize {
        self.byte_count
    }

    /// The streams so far, by their labels, which are the caller's to account for. What is pushed afterwards goes into new
    /// ones.
    pub fn take(&mut self) -> Vec<Stream> {
        self.budget.give_back(std::mem::take(&mut self.byte_count));
        std::mem::take(&mut self.streams).into_iter().map(|(labels, lines)| Stream { labels, lines }).collect()
    }
}

/// Whether a line may not come out of a stage that goes into it.
fn drops_lines(stage: &Stage) -> bool {
    matches!(stage, Stage::LineFilter(_) | Stage::LabelFilter(_))
}

/// The labels that a line's stream has in the answer, and the line with the other ones.
fn split(timestamp: Timestamp, processed: &Processed<'_>, categorizes: bool) -> (SeriesLabels, Line) {
    let of = |is_taken: &dyn Fn(Category) -> bool| {
        let labels = processed.labels.iter().filter(|label| is_taken(label.category));
        SeriesLabels::from_sorted(labels.map(|label| (label.name, label.value)))
    };
    let labels = of(&|category| !categorizes || category == Category::Stream);
    let metadata = of(&|category| categorizes && category == Category::Metadata);
    let parsed = of(&|category| categorizes && category == Category::Parsed);
    (labels, Line { timestamp, text: processed.line.to_vec(), metadata, parsed })
}
