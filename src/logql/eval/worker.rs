//! Adds up entries beside others that do the same for one query.

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::eval::grid::{Grid, Slot};
use crate::logql::eval::meter::{Measure, Meter};
use crate::logql::eval::series::{SeriesId, SeriesLabels};
use crate::logql::eval::window::{Cell, Summary};
use crate::logql::pipeline::Entry;
use crate::logql::stages::outline::Reads;
use crate::model::budget::Share;
use crate::model::{Labels, Timestamp};

/// What a cell takes in memory beside its values, in bytes: in the worker, on its way, and vectors grow by doubling.
const CELL_COST_BYTES: usize = 3 * size_of::<(SeriesId, Slot, Cell)>();

/// No instant is in it.
const NO_SPAN: (i64, i64) = (i64::MAX, i64::MIN);

/// Adds up entries of a range aggregation, in any order.
#[derive(Debug)]
pub struct RangeWorker {
    index: usize,
    meter: Meter,
    grid: Grid,
    summary: Summary,
    /// By series.
    cells: Vec<Vec<(Slot, Cell)>>,
    /// The series that have cells.
    touched: Vec<SeriesId>,
    /// What the cells take.
    share: Share,
    /// How many series there were the last time.
    series_taken: usize,
    /// The slot of the entry that was added last, if it has one, and the instants around it that have the same.
    slot: Option<Slot>,
    span: (i64, i64),
}

/// Which series an entry belongs to, and what it counts there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    series: SeriesId,
    /// What it counts.
    pub value: f64,
}

/// What a worker has added up.
#[derive(Debug)]
pub struct RangeSum {
    pub(super) worker: usize,
    /// The series that the worker met for the first time.
    pub(super) new_series: Vec<SeriesLabels>,
    /// By the worker's own ids.
    pub(super) cells: Vec<(SeriesId, Slot, Cell)>,
    /// What the cells take.
    _share: Share,
}

impl RangeWorker {
    pub(super) fn new(index: usize, meter: Meter, grid: Grid, summary: Summary) -> Self {
        let share = Share::of(Arc::clone(meter.registry.budget()));
        Self {
            index,
            meter,
            grid,
            summary,
            cells: Vec::new(),
            touched: Vec::new(),
            share,
            series_taken: 0,
            slot: None,
            span: NO_SPAN,
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// [`Error::Pipeline`] if the entry has an error that the query does not deal with; [`Error::Refused`] if there is
    /// more to keep than a query may.
    pub fn push(&mut self, entry: &Entry<'_>) -> Result<(), Error> {
        let time_ns = entry.timestamp.as_ns();
        let Some((slot, _)) = self.grid.slot(time_ns) else { return Ok(()) };
        if let Some((series, value)) = self.meter.measure(entry)? {
            self.add(series, slot, value, time_ns)?;
        }
        Ok(())
    }

    /// What decides what becomes of entries without metadata; see [`RangeWorker::measure`]. `None` where nothing less than
    /// their lines does.
    pub fn reads(&self) -> Option<Reads> {
        self.meter.reads()
    }

    /// What entries count.
    pub fn what(&self) -> Measure {
        self.meter.what()
    }

    /// Which series an entry belongs to, and what it counts there; `None` for one that is filtered out.
    ///
    /// # Errors
    ///
    /// See [`RangeWorker::push`].
    pub fn measure(&mut self, entry: &Entry<'_>) -> Result<Option<Measured>, Error> {
        Ok(self.meter.measure(entry)?.map(|(series, value)| Measured { series, value }))
    }

    /// The first and the last instant around `timestamp` between which it makes no difference when entries are from, if their
    /// order does not.
    pub fn alike_around(&mut self, timestamp: Timestamp) -> (Timestamp, Timestamp) {
        self.go_to(timestamp.as_ns());
        (Timestamp::from_ns(self.span.0), Timestamp::from_ns(self.span.1))
    }

    /// Makes `slot` that of an instant.
    fn go_to(&mut self, time_ns: i64) {
        if time_ns < self.span.0 || self.span.1 < time_ns {
            (self.slot, self.span) = self.grid.span(time_ns);
        }
    }

    /// Adds what was [measured](RangeWorker::measure) of an entry.
    ///
    /// # Errors
    ///
    /// See [`RangeWorker::push`].
    pub fn add_measured(&mut self, timestamp: Timestamp, measured: Measured) -> Result<(), Error> {
        let time_ns = timestamp.as_ns();
        self.go_to(time_ns);
        match self.slot {
            Some(slot) => self.add(measured.series, slot, measured.value, time_ns),
            None => Ok(()),
        }
    }

    /// Adds lines of a stream without metadata that lie between two times, if that can be done without a look at them.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if there is more to keep than a query may.
    pub fn push_whole(
        &mut self,
        labels: &Labels,
        (earliest, latest): (Timestamp, Timestamp),
        line_count: u64,
        byte_count: u64,
    ) -> Result<bool, Error> {
        let slot = |timestamp: Timestamp| self.grid.slot(timestamp.as_ns()).map(|(slot, _)| slot);
        let (Some(slot), last) = (slot(earliest), slot(latest)) else { return Ok(false) };
        let Some(value) = self.meter.measure_whole(line_count, byte_count).filter(|_| last == Some(slot)) else {
            return Ok(false);
        };
        let series = self.meter.stream_series(labels)?;
        self.add(series, slot, value, earliest.as_ns())?;
        Ok(true)
    }

    fn add(&mut self, series: SeriesId, slot: Slot, value: f64, time_ns: i64) -> Result<(), Error> {
        if self.cells.len() <= series.index() {
            self.cells.resize_with(series.index() + 1, Vec::new);
        }
        let cells = &mut self.cells[series.index()];
        if cells.is_empty() {
            self.touched.push(series);
        }
        match cells.last_mut() {
            Some((last, cell)) if *last == slot => {
                let before = cell.byte_count();
                cell.add(value, time_ns);
                self.share.take(cell.byte_count() - before)?;
            }
            _ => {
                let cell = Cell::new(self.summary, value, time_ns);
                self.share.take(CELL_COST_BYTES + cell.byte_count())?;
                cells.push((slot, cell));
            }
        }
        Ok(())
    }

    /// What there is since the last time, in an order that depends on nothing but what was pushed.
    pub fn take(&mut self) -> RangeSum {
        let all = self.meter.registry.all();
        let new_series = all[self.series_taken..].to_vec();
        self.series_taken = all.len();
        let mut cells = Vec::new();
        for series in self.touched.drain(..) {
            let of_series = std::mem::take(&mut self.cells[series.index()]);
            cells.extend(of_series.into_iter().map(|(slot, cell)| (series, slot, cell)));
        }
        RangeSum { worker: self.index, new_series, cells, _share: self.share.replace() }
    }
}
