//! Lines one by one, in their order, from any place in it: nothing is held but what is being read.

use std::ops::ControlFlow;

use crate::log_database::{Bounds, Found, Place, Scan, metadata};
use crate::logql::ast::LogExpr;
use crate::logql::eval::{LineQuery, Shown};
use crate::logql::pipeline::Clock;
use crate::model::budget::Refusal;
use crate::model::{Direction, Labels, LogEntry, TimeRange, Timestamp};
use crate::query::{Error, Seen, Source, entry};

/// How many lines may be dropped before it is asked whether a pause is due.
const LINES_PER_LOOK: u32 = 64;

/// Which lines are asked for.
#[derive(Clone, Debug)]
pub struct LineOptions {
    /// The times asked for.
    pub range: TimeRange,
    /// Which part of the order is asked for.
    pub bounds: Bounds,
    /// Which lines come first.
    pub direction: Direction,
    /// How many lines are enough; `None` for all.
    pub limit: Option<u64>,
    /// The labels, without a mark of metadata, that the stream is stored with which alone is asked for.
    pub stream: Option<Labels>,
}

/// A line that was found; borrowed until the next one.
#[derive(Clone, Copy, Debug)]
pub struct FoundLine<'a> {
    /// The labels that its stream is stored with, a mark of metadata included.
    pub stream: &'a Labels,
    /// When it was logged.
    pub timestamp: Timestamp,
    /// How many lines of the stream with this time were stored before it.
    pub number: u64,
    /// Its bytes as they are stored.
    pub stored: &'a [u8],
    /// What the query makes of it.
    pub shown: Shown<'a>,
}

impl FoundLine<'_> {
    /// The CRC-32 of its stored bytes, as [`crate::query::LineId`] has it.
    pub fn check(&self) -> u32 {
        crc32fast::hash(self.stored)
    }
}

/// Hands the line at `place` to `take`, with so many that were stored before and after it in its stream, in that order,
/// whatever times they have.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled, and what `take` refuses.
pub fn as_stored(
    place: &Place,
    counts: (usize, usize),
    clock: &Clock,
    source: &Source,
    take: &mut dyn FnMut(&FoundLine<'_>) -> Result<(), Refusal>,
) -> Result<(), Error> {
    let every_line = LogExpr { matchers: Vec::new(), stages: Vec::new() };
    let mut query = LineQuery::new(&every_line, TimeRange::ALL, (Direction::Forward, None), clock)?;
    let own = metadata::unmark(&place.stream).unwrap_or_else(|| place.stream.clone());
    let labels = source.labels_of(&own);
    let mut room = Vec::new();
    let order = source.snapshot.stored_order(&place.stream, &source.budget);
    let mut take = |found: LogEntry<'_>, number| {
        let (timestamp, stored) = (found.timestamp, found.line);
        let entry = entry(found, &mut room);
        match query.process(&entry) {
            Some(shown) => {
                take(&FoundLine { stream: &place.stream, timestamp, number, stored, shown }).map_err(Into::into)
            }
            None => Ok(()),
        }
    };
    Ok(order.around(place, counts, &labels, &mut take)?)
}

/// How far lines have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line was found.
    Line,
    /// There was no time to look on; the next call does.
    Paused,
    /// There are as many lines as were asked for.
    Limit,
    /// There is no further line.
    Complete,
}

/// The lines of a log query, found as they are asked for.
#[derive(Debug)]
pub struct Lines {
    scan: Scan,
    query: LineQuery,
    /// For metadata.
    room: Vec<(String, String)>,
    /// How many more lines are asked for.
    remaining: Option<u64>,
}

impl Lines {
    /// Prepares to find the lines of `expr` in `source`. Reads nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] where a stage cannot be built.
    pub fn new(expr: &LogExpr, options: &LineOptions, clock: &Clock, source: &Source) -> Result<Self, Error> {
        let LineOptions { range, bounds, direction, limit, stream } = options;
        let enough = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let query = LineQuery::new(expr, *range, (*direction, enough), clock)?.within(&source.budget);
        let selection = source.selection(query.fetch());
        let scan = source.scan_within(&selection, bounds, |own| stream.as_ref().is_none_or(|stream| own == stream));
        Ok(Self { scan, query, room: Vec::new(), remaining: *limit })
    }

    /// Finds the next line and hands it to `take`, or pauses where `is_pause_due`, which is asked now and then.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the budget does not suffice, or was cancelled.
    pub fn next(
        &mut self,
        is_pause_due: &dyn Fn() -> bool,
        take: &mut dyn FnMut(&FoundLine<'_>),
    ) -> Result<Progress, Error> {
        if self.remaining == Some(0) {
            return Ok(Progress::Limit);
        }
        let mut dropped = 0_u32;
        loop {
            match self.scan.find(is_pause_due)? {
                Found::Entry => {}
                Found::Paused => return Ok(Progress::Paused),
                // A scan that was told how many lines are enough ends there, too.
                Found::End => return Ok(Progress::Complete),
            }
            if self.take_entry(take).is_break() {
                self.remaining = self.remaining.map(|remaining| remaining - 1);
                return Ok(Progress::Line);
            }
            dropped += 1;
            if dropped.is_multiple_of(LINES_PER_LOOK) && is_pause_due() {
                return Ok(Progress::Paused);
            }
        }
    }

    /// Hands the entry that was found to `take`; continues where the query drops it.
    fn take_entry(&mut self, take: &mut dyn FnMut(&FoundLine<'_>)) -> ControlFlow<()> {
        let Some(found) = self.scan.entry() else { return ControlFlow::Continue(()) };
        let (timestamp, stored) = (found.timestamp, found.line);
        let entry = entry(found, &mut self.room);
        let Some(shown) = self.query.process(&entry) else { return ControlFlow::Continue(()) };
        let (stream, number) = self.scan.number().expect("there is an entry");
        take(&FoundLine { stream, timestamp, number, stored, shown });
        ControlFlow::Break(())
    }

    /// The streams that are read, each with the labels that queries see and those that it is stored with, a mark of
    /// metadata included.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = (&Labels, &Labels)> {
        self.scan.streams()
    }

    /// What there is in the parts that were looked at so far.
    pub fn seen(&self) -> Seen {
        let (lines, bytes) = self.scan.seen();
        Seen { lines, bytes, ..Seen::default() }
    }

    /// The time up to which everything was looked at; `None` at the end.
    pub fn reached(&self) -> Option<Timestamp> {
        self.scan.reached()
    }
}
