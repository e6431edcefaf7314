//! Range aggregations: from entries, in the order of time, to one value per series and step.
//!
//! Entries are added up as they come and not kept. What is kept is one sum, or what takes its place, per series and slot
//! of time that a window still needs.

use crate::logql::ast::{Grouping, LogRange, MatchOp, RangeAggregation, RangeOp};
use crate::logql::eval::accumulator::{Statistic, seconds};
use crate::logql::eval::grid::{Grid, Slot};
use crate::logql::eval::series::{Key, Projection, Registry, SeriesId, SeriesLabels};
use crate::logql::eval::window::{Summary, Window};
use crate::logql::pipeline::{Clock, ERROR_LABEL, Entry, Needed, NeededLabels, Processed};
use crate::logql::plan::{self, Fetch};
use crate::logql::stages::Pipeline;
use crate::logql::{Error, limits};
use crate::model::{Labels, Selection, TimeRange, Timestamp};

/// One range aggregation of a query: what to fetch for it, and what has come of it so far.
#[derive(Debug)]
pub struct RangeQuery {
    selection: Selection,
    pipeline: Pipeline,
    /// The pipeline leaves labels and lines as they are.
    is_pipeline_empty: bool,
    measure: Measure,
    summary: Summary,
    /// What the summary is divided by.
    divisor: f64,
    projection: Projection,
    /// Whether lines with an error are lines like others.
    keeps_errors: bool,
    /// What there is at a step that no entry is in the window of.
    when_absent: Option<SeriesLabels>,
    grid: Grid,
    range_ns: i64,
    registry: Registry,
    key: Key,
    /// The series of the last line, where its stream's labels are all there is.
    last: Option<(Labels, SeriesId)>,
    /// By series.
    windows: Vec<Window>,
    /// The series with something in their windows.
    active: Vec<SeriesId>,
    values_kept: usize,
    /// How many aggregations share what one query may keep.
    sharer_count: usize,
    /// The values at each step that is over, by step.
    steps: Vec<Vec<(SeriesId, f64)>>,
    point_count: usize,
}

/// What an entry counts.
#[derive(Clone, Copy, Debug)]
enum Measure {
    One,
    LineBytes,
    /// What `unwrap` took.
    Value,
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
    /// How many aggregations there are.
    pub(super) range_count: usize,
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
        let Fetch { selection, stages } = plan::fetch(log, range)?;

        let projection = projection(aggregation, outer);
        let labels = match projection.kept_names() {
            Some(names) => NeededLabels::Only(names.to_vec()),
            None => NeededLabels::All,
        };
        let needed = Needed { labels, level: context.needs_level };
        let keeps_errors = projection.kept_names().is_some_and(|names| names.iter().any(|name| name == ERROR_LABEL));
        let (measure, summary) = measure(aggregation);
        let is_per_second = matches!(aggregation.op, RangeOp::Rate | RangeOp::BytesRate);
        Ok(Self {
            selection,
            pipeline: Pipeline::new(&stages, &needed, context.clock)?,
            is_pipeline_empty: stages.is_empty() && !context.needs_level,
            measure,
            summary,
            divisor: if is_per_second { seconds(*range_ns) } else { 1.0 },
            projection,
            keeps_errors,
            when_absent: (aggregation.op == RangeOp::Absent).then(|| absent_labels(aggregation)),
            grid,
            range_ns: *range_ns,
            registry: Registry::default(),
            key: Key::default(),
            last: None,
            windows: Vec::new(),
            active: Vec::new(),
            values_kept: 0,
            sharer_count: context.range_count,
            steps: Vec::new(),
            point_count: 0,
        })
    }

    /// Which entries to fetch. Their order is that of time.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Adds an entry of the selection that is not earlier than the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Pipeline`] if the entry has an error that the query does not deal with; [`Error::TooLarge`] if there is
    /// more to keep than a query may.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let timestamp_ns = entry.timestamp.as_ns();
        let Some((slot, first_step)) = self.grid.slot(timestamp_ns) else { return Ok(()) };
        self.finish_steps_before(first_step)?;
        let Some((series, value)) = self.measure(entry)? else { return Ok(()) };
        self.add(series, slot, value, timestamp_ns)
    }

    /// Instants that cut time into stretches, each up to and including its instant, if it is enough to know how many lines
    /// and bytes each stream has in each stretch; then [`RangeQuery::push_count`] may take the place of
    /// [`RangeQuery::push`]. It may not for streams whose entries have metadata.
    pub fn count_ends(&self) -> Option<Vec<Timestamp>> {
        let only_counts = self.is_pipeline_empty && !matches!(self.measure, Measure::Value);
        only_counts.then(|| self.grid.slot_ends().map(Timestamp::from_ns).collect())
    }

    /// Adds the lines that a stream has in the stretch of time that ends with `end`. Stretches come in the order of time.
    ///
    /// # Errors
    ///
    /// See [`RangeQuery::push`].
    pub fn push_count(
        &mut self,
        labels: &Labels,
        end: Timestamp,
        line_count: u64,
        byte_count: u64,
    ) -> Result<(), Error> {
        let Some((slot, first_step)) = self.grid.slot(end.as_ns()) else { return Ok(()) };
        self.finish_steps_before(first_step)?;
        let count = if let Measure::LineBytes = self.measure { byte_count } else { line_count };
        let series = self.stream_series(labels)?;
        self.add(series, slot, to_f64(count), end.as_ns())
    }

    /// The series that an entry belongs to and what it counts there; `None` for one that is filtered out.
    fn measure(&mut self, entry: &Entry<'_>) -> Result<Option<(SeriesId, f64)>, Error> {
        if self.is_pipeline_empty && entry.metadata.is_empty() {
            let value = match self.measure {
                Measure::LineBytes => length(entry.line),
                Measure::One | Measure::Value => 1.0,
            };
            return Ok(Some((self.stream_series(entry.labels)?, value)));
        }
        let Some(processed) = self.pipeline.process(entry) else { return Ok(None) };
        if !self.keeps_errors
            && let Some(error) = processed.labels.get(ERROR_LABEL)
        {
            return Err(pipeline_error(error, &processed));
        }
        let labels = processed.labels.iter().map(|label| (label.name, label.value));
        self.projection.project(labels, &mut self.key);
        let value = match self.measure {
            Measure::One => 1.0,
            Measure::LineBytes => length(processed.line),
            Measure::Value => processed.value.expect("the pipeline has an unwrap stage"),
        };
        Ok(Some((self.registry.id(&self.key)?, value)))
    }

    /// The series of entries that have the labels of their stream and no others.
    fn stream_series(&mut self, labels: &Labels) -> Result<SeriesId, Error> {
        if let Some((last, series)) = &self.last
            && last == labels
        {
            return Ok(*series);
        }
        self.projection.project(labels.iter(), &mut self.key);
        let series = self.registry.id(&self.key)?;
        self.last = Some((labels.clone(), series));
        Ok(series)
    }

    fn add(&mut self, series: SeriesId, slot: Slot, value: f64, time_ns: i64) -> Result<(), Error> {
        if self.windows.len() <= series.index() {
            self.windows.resize_with(series.index() + 1, || Window::new(self.summary));
        }
        let window = &mut self.windows[series.index()];
        if window.is_empty() {
            self.active.push(series);
        }
        window.add(slot, value, time_ns);
        if let Summary::Quantile(_) = self.summary {
            self.values_kept += 1;
            check_share("values", self.values_kept, limits::VALUES_IN_MEMORY_MAX / self.sharer_count)?;
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
            self.point_count += values.len();
            check_share("points", self.point_count, limits::POINTS_IN_MEMORY_MAX / self.sharer_count)?;
            self.steps.push(values);
        }
        Ok(())
    }

    /// Forgets what is in no window from now on.
    fn drop_slots_before(&mut self, first: Slot) {
        let (windows, values_kept) = (&mut self.windows, &mut self.values_kept);
        self.active.retain(|series| {
            let window = &mut windows[series.index()];
            *values_kept -= window.value_count();
            window.drop_before(first);
            *values_kept += window.value_count();
            !window.is_empty()
        });
    }

    /// Ends the input: the values at each step, and the series' labels in `registry`.
    pub(super) fn finish(mut self, registry: &mut Registry) -> Result<Vec<Vec<(SeriesId, f64)>>, Error> {
        self.finish_steps_before(self.grid.count())?;
        if let Some(labels) = self.when_absent {
            let absent = registry.id_of(&labels)?;
            let value = |step: &Vec<_>| if step.is_empty() { vec![(absent, 1.0)] } else { Vec::new() };
            return Ok(self.steps.iter().map(value).collect());
        }
        let ids = self.registry.all().iter().map(|labels| registry.id_of(labels)).collect::<Result<Vec<_>, _>>()?;
        for (series, _) in self.steps.iter_mut().flatten() {
            *series = ids[series.index()];
        }
        Ok(self.steps)
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 bytes of logs on one machine")]
fn to_f64(count: u64) -> f64 {
    count as f64
}

fn length(line: &[u8]) -> f64 {
    to_f64(line.len() as u64)
}

fn check_share(what: &'static str, count: usize, limit: usize) -> Result<(), Error> {
    if limit < count { Err(Error::TooLarge { what, limit }) } else { Ok(()) }
}

fn pipeline_error(error: &str, processed: &Processed<'_>) -> Error {
    let labels = SeriesLabels::from_sorted(processed.labels.iter().map(|label| (label.name, label.value)));
    Error::Pipeline { error: error.to_owned(), series: labels.to_string() }
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
