//! Log queries: which lines there are, in which streams.
//!
//! Where few of many lines are left, several workers may look for them at a time, part by part. An answer is the first so
//! many lines in an order that is known of each of them, so it does not depend on who finds them when.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::logql::Error;
use crate::logql::ast::{LogExpr, Stage};
use crate::logql::eval::series::SeriesLabels;
use crate::logql::pipeline::{Category, Clock, Entry, Needed, NeededLabels, Processed};
use crate::logql::plan::Fetch;
use crate::logql::stages::Pipeline;
use crate::logql::stages::outline::Reads;
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
    /// As far as it drops lines, with no label that nobody asks for.
    sieve: Option<Pipeline>,
    options: LogOptions,
    /// How many lines there have been.
    line_count: usize,
    /// Bytes of the lines that have not been taken, which are taken of the budget.
    byte_count: usize,
    budget: Arc<Budget>,
    last: Option<Timestamp>,
    streams: BTreeMap<SeriesLabels, Vec<Line>>,
    /// What workers have found.
    found: Arc<Found>,
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
    /// [`Error::Stage`] if a stage cannot be built.
    pub fn new(expr: &LogExpr, options: LogOptions, clock: &Clock) -> Result<Self, Error> {
        let (mut fetch, mut stages) = Fetch::new(expr, options.range)?;
        stages.retain(|stage| !matches!(stage, Stage::Unwrap(_)));
        let is_every_line_taken = !stages.iter().any(drops_lines) && options.interval_ns == 0;
        fetch.set_order(options.direction, is_every_line_taken.then_some(options.limit));
        let pipeline = Pipeline::new(&stages, &Needed::EVERYTHING, clock)?;
        let nothing = Needed { labels: NeededLabels::Only(Vec::new()), level: false };
        let last_that_drops = stages.iter().rposition(drops_lines);
        let sieve = last_that_drops.map(|last| Pipeline::new(&stages[..=last], &nothing, clock)).transpose()?;
        Ok(Self {
            fetch,
            pipeline,
            sieve,
            options,
            line_count: 0,
            byte_count: 0,
            budget: Arc::default(),
            last: None,
            streams: BTreeMap::new(),
            found: Arc::default(),
        })
    }

    /// Takes the memory for lines from `budget`, and ends where that is cancelled.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.pipeline.set_budget(&budget);
        if let Some(sieve) = &mut self.sieve {
            sieve.set_budget(&budget);
        }
        self.budget = budget;
        self
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
            let bytes = byte_count(&labels, &line);
            self.budget.take(bytes)?;
            self.byte_count += bytes;
            self.streams.entry(labels).or_default().push(line);
            self.last = Some(entry.timestamp);
            self.line_count += 1;
        }
        let is_full = self.options.limit <= self.line_count;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Whether most lines may be dropped and nothing is between two lines but their order: then [`LogQuery::worker`] may
    /// take the place of [`LogQuery::push`].
    pub fn is_any_order(&self) -> bool {
        self.fetch.limit().is_none() && self.options.interval_ns == 0
    }

    /// What tells which lines are dropped, where less than the lines may tell.
    pub fn sieve(&self) -> Option<Sieve> {
        let pipeline = self.sieve.clone()?;
        Some(Sieve { reads: Reads::of(&pipeline)?, pipeline })
    }

    /// Somebody else who looks for lines of the answer.
    pub fn worker(&self) -> LogWorker {
        let (options, found) = (self.options, Arc::clone(&self.found));
        LogWorker {
            pipeline: self.pipeline.clone(),
            options,
            budget: Arc::clone(&self.budget),
            found,
            part: 0,
            line_count: 0,
            lines: Vec::new(),
        }
    }

    /// The streams of the answer, by their labels, with what workers have found. What they take of the budget stays taken.
    pub fn finish(mut self) -> Vec<Stream> {
        for (_, (labels, line)) in std::mem::take(&mut *self.found.lock()) {
            self.streams.entry(labels).or_default().push(line);
        }
        streams(self.streams)
    }

    /// The streams so far, by their labels, which are the caller's to account for. What is pushed afterwards goes into new
    /// ones.
    pub fn take(&mut self) -> Vec<Stream> {
        self.budget.give_back(std::mem::take(&mut self.byte_count));
        streams(std::mem::take(&mut self.streams))
    }
}

fn streams(streams: BTreeMap<SeriesLabels, Vec<Line>>) -> Vec<Stream> {
    streams.into_iter().map(|(labels, lines)| Stream { labels, lines }).collect()
}

fn byte_count(labels: &SeriesLabels, line: &Line) -> usize {
    line.byte_count() + labels.byte_count()
}

/// The first lines of an answer that workers have found so far.
#[derive(Debug)]
struct Found {
    lines: Mutex<BTreeMap<Place, (SeriesLabels, Line)>>,
    /// [`Place::time`] of the last of them, once there are enough: nothing after it is looked for.
    last_time: AtomicI64,
}

/// A place in the order of an answer; less is sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// In nanoseconds; mirrored for [`Direction::Backward`], as is `part`.
    time: i64,
    part: usize,
    /// Which of the lines of the part.
    line: usize,
}

impl Place {
    fn new(timestamp: Timestamp, part: usize, line: usize, direction: Direction) -> Self {
        let time = timestamp.as_ns();
        match direction {
            Direction::Forward => Self { time, part, line },
            Direction::Backward => Self { time: !time, part: !part, line },
        }
    }
}

impl Default for Found {
    fn default() -> Self {
        Self { lines: Mutex::default(), last_time: AtomicI64::new(i64::MAX) }
    }
}

impl Found {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, (SeriesLabels, Line)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds lines, keeps the first `limit` of all, and gives back what the others took of the budget.
    fn add(&self, new: impl Iterator<Item = (Place, SeriesLabels, Line)>, limit: usize, budget: &Budget) {
        let mut lines = self.lock();
        for (place, labels, line) in new {
            lines.insert(place, (labels, line));
            if limit < lines.len()
                && let Some((_, (labels, line))) = lines.pop_last()
            {
                budget.give_back(byte_count(&labels, &line));
            }
        }
        if lines.len() == limit
            && let Some((place, _)) = lines.last_key_value()
        {
            self.last_time.store(place.time, Ordering::Relaxed);
        }
    }

    /// Whether a line of this place may be among the first.
    fn may_take(&self, place: Place) -> bool {
        place.time <= self.last_time.load(Ordering::Relaxed)
    }
}

/// Tells which lines are dropped.
#[derive(Debug)]
pub struct Sieve {
    /// What decides of entries without metadata whether they are.
    pub reads: Reads,
    /// Drops them.
    pub pipeline: Pipeline,
}

/// Looks for lines of an answer, in one part of what the query selects after the other.
#[derive(Debug)]
pub struct LogWorker {
    pipeline: Pipeline,
    options: LogOptions,
    budget: Arc<Budget>,
    found: Arc<Found>,
    /// The place of the part.
    part: usize,
    /// How many lines of the part were found.
    line_count: usize,
    /// Those of them that were not handed over yet.
    lines: Vec<(Place, SeriesLabels, Line)>,
}

impl LogWorker {
    /// Begins with a part whose entries lie between two times; `false` if none of them can be in the answer. Of two entries
    /// of the same time, that of the part with the smaller `place` comes first (backwards: last).
    pub fn begin(&mut self, (earliest, latest): (Timestamp, Timestamp), place: usize) -> bool {
        (self.part, self.line_count) = (place, 0);
        let first = match self.options.direction {
            Direction::Forward => earliest,
            Direction::Backward => latest,
        };
        self.found.may_take(Place::new(first, place, 0, self.options.direction))
    }

    /// Adds an entry of the part, in the direction's order. Breaks when no further one of the part can be in the answer.
    ///
    /// # Errors
    ///
    /// See [`LogQuery::push`].
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<ControlFlow<()>, Error> {
        let place = Place::new(entry.timestamp, self.part, self.line_count, self.options.direction);
        if self.options.limit <= self.line_count || !self.found.may_take(place) {
            return Ok(ControlFlow::Break(()));
        }
        if let Some(processed) = self.pipeline.process(entry) {
            let (labels, line) = split(entry.timestamp, &processed, self.options.categorizes);
            let bytes = byte_count(&labels, &line);
            if self.budget.take(bytes).is_err() {
                // Others may have found what takes the place of some.
                self.end();
                self.budget.take(bytes)?;
            }
            self.lines.push((place, labels, line));
            self.line_count += 1;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How many lines of the part were found so far.
    pub fn found_count(&self) -> usize {
        self.line_count
    }

    /// Ends the part: hands over the lines that were found.
    pub fn end(&mut self) {
        self.found.add(self.lines.drain(..), self.options.limit, &self.budget);
    }
}

/// Whether a line may not come out of a stage that goes into it.
pub(super) fn drops_lines(stage: &Stage) -> bool {
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
