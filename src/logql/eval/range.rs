//! Range aggregations: from entries, in the order of time, to one value per series and step.
//!
//! Entries are added up as they come and not kept. What is kept is one sum, or what takes its place, per series and slot
//! of time that a window still needs. Where their order plays no part, several workers may add up entries at a time, in
//! any order; what they come to waits here until nothing earlier is to come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::{Grouping, LogRange, MatchOp, RangeAggregation, RangeOp};
use crate::logql::eval::accumulator::{Statistic, seconds};
use crate::logql::eval::grid::{Grid, Slot};
use crate::logql::eval::meter::{Measure, Meter, to_f64};
use crate::logql::eval::series::{Projection, Registry, SeriesId, SeriesLabels};
use crate::logql::eval::window::{Cell, Summary, Window};
use crate::logql::eval::worker::{RangeSum, RangeWorker};
use crate::logql::pipeline::{Clock, Entry};
use crate::logql::plan::Fetch;
use crate::model::budget::Budget;
use crate::model::{Labels, TimeRange, Timestamp};

/// What a cell that is pending takes in memory beside its values, in bytes; twice of what is used, because trees are half
/// empty.
const PENDING_COST_BYTES: usize = 2 * size_of::<((Slot, SeriesId), Cell)>();

/// One range aggregation of a query: what to fetch for it, and what has come of it so far.
#[derive(Debug)]
pub struct RangeQuery {
    fetch: Fetch,
    meter: Meter,
    summary: Summary,
    /// What the summary is divided by.
    divisor: f64,
    /// What there is at a step that no entry is in the window of.
    when_absent: Option<SeriesLabels>,
    grid: Grid,
    range_ns: i64,
    /// What workers found that later entries may add to, by time.
    pending: BTreeMap<(Slot, SeriesId), Cell>,
    /// By worker, by its series.
    ids_of_workers: Vec<Vec<SeriesId>>,
    /// By series.
    windows: Vec<Window>,
    /// The series with something in their windows.
    active: Vec<SeriesId>,
    budget: Arc<Budget>,
    /// What windows have taken of it.
    window_bytes: usize,
    /// The values at each step that is over, by step.
    steps: Vec<Vec<(SeriesId, f64)>>,
}

/// What the aggregations of a query have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The first evaluation, in nanoseconds since the epoch.
    pub(super) start: i64,
    /// The last evaluation there may be.
    pub(super) end: i64,
    /// From one evaluation to the next; `None` for one at `end`.
    pub(super) step: Option<i64>,
    /// Whether lines need the label that is made of their text.
    pub(super) needs_level: bool,
    /// What templates may ask for.
    pub(super) clock: &'a Clock,
}

impl RangeQuery {
    /// Prepares an aggregation; `outer` is the grouping of the sum that its series go into, if
    /// they do.
    pub(super) fn new(
        aggregation: &RangeAggregation,
        outer: Option<&Projection>,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        let LogRange { log, range_ns, offset_ns } = &aggregation.range;
        let grid = Grid::new(context.start, context.end, context.step, *range_ns, *offset_ns);
        let (first, end) = grid.bounds();
        let range = TimeRange { start: Timestamp::from_ns(first), end: Timestamp::from_ns(end) };
        let (fetch, stages) = Fetch::new(log, range)?;

        let projection = projection(aggregation, outer);
        let (measure, summary) = measure(aggregation);
        let meter = Meter::new(&stages, measure, projection, context)?;
        let is_per_second = matches!(aggregation.op, RangeOp::Rate | RangeOp::BytesRate);
        Ok(Self {
            fetch,
            meter,
            summary,
            divisor: if is_per_second { seconds(*range_ns) } else { 1.0 },
            when_absent: (aggregation.op == RangeOp::Absent).then(|| absent_labels(aggregation)),
            grid,
            range_ns: *range_ns,
            pending: BTreeMap::new(),
            ids_of_workers: Vec::new(),
            windows: Vec::new(),
            active: Vec::new(),
            budget: Arc::default(),
            window_bytes: 0,
            steps: Vec::new(),
        })
    }

    /// Takes its memory from `budget`. To be called before anything is pushed.
    pub(super) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.meter.set_budget(budget);
        self.budget = Arc::clone(budget);
    }

    /// Which entries to fetch. Their order is that of time.
    pub fn fetch(&self) -> &Fetch {
        &self.fetch
    }

    /// Adds an entry of the selection that is not earlier than the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Pipeline`] if the entry has an error that the query does not deal with; [`Error::Refused`] if there is
    /// more to keep than a query may.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let timestamp_ns = entry.timestamp.as_ns();
        let Some((slot, first_step)) = self.grid.slot(timestamp_ns) else { return Ok(()) };
        self.finish_steps_before(first_step)?;
        let Some((series, value)) = self.meter.measure(entry)? else { return Ok(()) };
        self.add(series, slot, Cell::new(self.summary, value, timestamp_ns))
    }

    /// A length of time that cuts the time from the first window's beginning on so that it is enough to know how many
    /// lines each stream has in each stretch: then [`RangeQuery::push_counts`] may take the place of
    /// [`RangeQuery::push`]. It may not for streams whose entries have metadata.
    pub fn count_step_ns(&self) -> Option<NonZeroU64> {
        self.meter.counts_lines().then(|| self.grid.stretch_ns()).flatten()
    }

    /// Adds the lines of a stream, by the number of the stretch that they are in.
    ///
    /// # Errors
    ///
    /// See [`RangeQuery::push`].
    pub fn push_counts(&mut self, labels: &Labels, step_ns: NonZeroU64, counts: &[(u64, u64)]) -> Result<(), Error> {
        let series = self.meter.stream_series(labels)?;
        for (stretch, count) in counts {
            let since_start = i64::try_from(stretch.saturating_mul(step_ns.get())).unwrap_or(i64::MAX);
            if let Some((slot, _)) = self.grid.slot(self.grid.bounds().0.saturating_add(since_start)) {
                self.merge_cell(slot, series, Cell::new(self.summary, to_f64(*count), 0))?;
            }
        }
        Ok(())
    }

    /// Whether entries may be added in any order: then [`RangeQuery::worker`] and [`RangeQuery::merge`] may take the place
    /// of [`RangeQuery::push`].
    pub fn is_any_order(&self) -> bool {
        !matches!(self.summary, Summary::Of(Statistic::First | Statistic::Last | Statistic::CounterRate))
    }

    /// Somebody else who adds up entries.
    pub fn worker(&mut self) -> RangeWorker {
        let index = self.ids_of_workers.len();
        self.ids_of_workers.push(Vec::new());
        RangeWorker::new(index, self.meter.another(), self.grid, self.summary)
    }

    /// Adds what a worker has added up since the last time. No entry before `nothing_before` is to come.
    ///
    /// # Errors
    ///
    /// See [`RangeQuery::push`].
    pub fn merge(&mut self, sum: RangeSum, nothing_before: Timestamp) -> Result<(), Error> {
        let mut ids = std::mem::take(&mut self.ids_of_workers[sum.worker]);
        for labels in &sum.new_series {
            ids.push(self.meter.registry.id_of(labels)?);
        }
        for (series, slot, cell) in sum.cells {
            self.merge_cell(slot, ids[series.index()], cell)?;
        }
        self.ids_of_workers[sum.worker] = ids;
        self.settle_before(self.grid.earliest_slot(nothing_before.as_ns()))
    }

    fn merge_cell(&mut self, slot: Slot, series: SeriesId, cell: Cell) -> Result<(), Error> {
        match self.pending.entry((slot, series)) {
            MapEntry::Occupied(mut present) => {
                self.budget.take(cell.byte_count())?;
                present.get_mut().merge(cell);
            }
            MapEntry::Vacant(vacant) => {
                self.budget.take(PENDING_COST_BYTES + cell.byte_count())?;
                vacant.insert(cell);
            }
        }
        Ok(())
    }

    /// Moves what is pending in slots before `slot` into the windows.
    fn settle_before(&mut self, slot: Slot) -> Result<(), Error> {
        while let Some(first) = self.pending.first_entry()
            && first.key().0 < slot
        {
            let ((slot, series), cell) = first.remove_entry();
            self.budget.give_back(PENDING_COST_BYTES + cell.byte_count());
            self.finish_steps_before(slot.first_evaluation())?;
            self.add(series, slot, cell)?;
        }
        Ok(())
    }

    /// Adds to a window what is not earlier than what is there.
    fn add(&mut self, series: SeriesId, slot: Slot, cell: Cell) -> Result<(), Error> {
        if self.windows.len() <= series.index() {
            let bytes = (series.index() + 1 - self.windows.len()) * size_of::<Window>();
            self.budget.take(bytes)?;
            self.window_bytes += bytes;
            self.windows.resize_with(series.index() + 1, || Window::new(self.summary));
        }
        let window = &mut self.windows[series.index()];
        if window.is_empty() {
            self.active.push(series);
        }
        let before = window.byte_count();
        window.add(slot, cell);
        let bytes = window.byte_count() - before;
        if 0 < bytes {
            self.budget.take(bytes)?;
            self.window_bytes += bytes;
        }
        Ok(())
    }

    /// Computes the values at the steps before `step`, for which no further entry can come.
    fn finish_steps_before(&mut self, step: i64) -> Result<(), Error> {
        for index in i64::try_from(self.steps.len()).expect("as many as points")..step {
            self.drop_slots_before(self.grid.first_slot(index));
            let end = self.grid.window_end(index);
            let value = |series: &SeriesId| self.windows[series.index()].result(self.summary, end, self.range_ns);
            let values: Vec<_> = self.active.iter().map(|series| (*series, value(series) / self.divisor)).collect();
            self.budget.take(step_bytes(&values))?;
            self.steps.push(values);
        }
        Ok(())
    }

    /// Forgets what is in no window from now on.
    fn drop_slots_before(&mut self, first: Slot) {
        let windows = &mut self.windows;
        let mut bytes = 0;
        self.active.retain(|series| {
            let window = &mut windows[series.index()];
            let before = window.byte_count();
            window.drop_before(first);
            bytes += before - window.byte_count();
            !window.is_empty()
        });
        self.budget.give_back(bytes);
        self.window_bytes -= bytes;
    }

    /// Ends the input: the values at each step, and the series' labels in `registry`.
    pub(super) fn finish(mut self, registry: &mut Registry) -> Result<Vec<Vec<(SeriesId, f64)>>, Error> {
        self.settle_before(Slot::MAX)?;
        self.finish_steps_before(self.grid.count())?;
        self.budget.give_back(std::mem::take(&mut self.window_bytes));
        self.windows = Vec::new();
        if let Some(labels) = self.when_absent {
            let absent = registry.id_of(&labels)?;
            let value = |step: &Vec<_>| if step.is_empty() { vec![(absent, 1.0)] } else { Vec::new() };
            let steps: Vec<_> = self.steps.iter().map(value).collect();
            self.budget.take(steps.iter().map(|step| step_bytes(step)).sum())?;
            self.budget.give_back(self.steps.iter().map(|step| step_bytes(step)).sum());
            return Ok(steps);
        }
        let ids =
            self.meter.registry.all().iter().map(|labels| registry.id_of(labels)).collect::<Result<Vec<_>, _>>()?;
        for (series, _) in self.steps.iter_mut().flatten() {
            *series = ids[series.index()];
        }
        Ok(self.steps)
    }
}

/// What the values at one step take in memory.
pub(super) fn step_bytes(values: &[(SeriesId, f64)]) -> usize {
    size_of::<Vec<(SeriesId, f64)>>() + size_of_val(values)
}

/// Which labels tell the series apart.
fn projection(aggregation: &RangeAggregation, outer: Option<&Projection>) -> Projection {
    if aggregation.op == RangeOp::Absent {
        return Projection::new(&[], false);
    }
    let mut projection = match (&aggregation.grouping, outer) {
        (Some(Grouping { without, labels }), _) => Projection::new(labels, *without),
        (None, Some(outer)) => outer.clone(),
        (None, None) => Projection::all(),
    };
    if let Some(unwrap) = aggregation.range.unwrap() {
        projection.leave_out(&unwrap.name);
    }
    projection
}

/// What an entry counts, and what is made of it.
fn measure(aggregation: &RangeAggregation) -> (Measure, Summary) {
    let has_value = aggregation.range.unwrap().is_some();
    let (measure, statistic) = match aggregation.op {
        RangeOp::Rate if has_value => (Measure::Value, Statistic::Sum),
        RangeOp::Rate | RangeOp::Count | RangeOp::Absent => (Measure::One, Statistic::Sum),
        RangeOp::Bytes | RangeOp::BytesRate => (Measure::LineBytes, Statistic::Sum),
        RangeOp::Sum => (Measure::Value, Statistic::Sum),
        RangeOp::Avg => (Measure::Value, Statistic::Mean),
        RangeOp::Max => (Measure::Value, Statistic::Max),
        RangeOp::Min => (Measure::Value, Statistic::Min),
        RangeOp::Stdvar => (Measure::Value, Statistic::Variance),
        RangeOp::Stddev => (Measure::Value, Statistic::Deviation),
        RangeOp::First => (Measure::Value, Statistic::First),
        RangeOp::Last => (Measure::Value, Statistic::Last),
        RangeOp::RateCounter => (Measure::Value, Statistic::CounterRate),
        RangeOp::Quantile => {
            let rank = aggregation.parameter.expect("the parser requires it");
            return (Measure::Value, Summary::Quantile(rank));
        }
    };
    (measure, Summary::Of(statistic))
}

/// The labels that the selector is certain of: those matched once, and with `=`.
fn absent_labels(aggregation: &RangeAggregation) -> SeriesLabels {
    let matchers = &aggregation.range.log.matchers;
    let is_certain = |name: &str| matchers.iter().filter(|other| other.name == name).count() == 1;
    let mut pairs: Vec<(&str, &str)> = matchers
        .iter()
        .filter(|matcher| matcher.op == MatchOp::Equal && !matcher.value.is_empty() && is_certain(&matcher.name))
        .map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))
        .collect();
    pairs.sort_unstable();
    SeriesLabels::from_sorted(pairs)
}
