//! Entries of one stream in the order in which they were stored: what stands around a line in its file, whatever times
//! the lines have.

use std::ops::Range;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::index::StoredIn;
use crate::log_database::metadata::{self, Metadata};
use crate::log_database::scan::place::{Place, TimeCounter, ranks, read_times};
use crate::log_database::scan::while_reading;
use crate::log_database::snapshot::StreamView;
use crate::model::budget::Budget;
use crate::model::{Labels, Lines, LogEntry, Timestamp};

/// The entries of one stream, as they were stored.
#[derive(Debug)]
pub struct StoredOrder {
    view: StreamView,
    counter: TimeCounter,
    budget: Arc<Budget>,
}

impl StoredOrder {
    pub(in crate::log_database) fn new(view: StreamView, budget: Arc<Budget>) -> Self {
        Self { view, counter: TimeCounter::default(), budget }
    }

    /// Hands the entry at `place` to `take`, with so many that were stored before and after it, in the order of storing;
    /// each with the labels given, and with the number that its place has. Nothing where there is no such entry.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where the budget does not suffice, or was cancelled.
    pub fn around(
        &self,
        place: &Place,
        (before, after): (usize, usize),
        labels: &Labels,
        take: &mut dyn FnMut(LogEntry<'_>, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some((part, row)) = self.find(place) else { return Ok(()) };
        for (part, rows) in self.spans((part, row), before, after) {
            let rows: Vec<u32> = rows.collect();
            let lines = self.read(part, &rows)?;
            let times = read_times(&self.view, part as usize);
            if times.len() <= rows.last().copied().unwrap_or_default() as usize {
                continue;
            }
            for ((timestamp, line), rank) in lines.iter().zip(ranks(&rows, &times)) {
                let earlier = self.view.parts_before(part, (timestamp, timestamp));
                let number = self.counter.count(0, &self.view, &earlier, timestamp) + u64::from(rank);
                let (line, metadata) =
                    if self.view.has_metadata { metadata::split(line) } else { (line, Metadata::default()) };
                take(LogEntry { timestamp, labels, line, metadata }, number)?;
            }
        }
        Ok(())
    }

    /// The part and the row of the entry at `place`.
    fn find(&self, place: &Place) -> Option<(u32, u32)> {
        let mut before = place.number;
        for part in 0..self.part_count() {
            let count = self.counter.count(0, &self.view, &[part], place.timestamp);
            if before < count {
                let ns = place.timestamp.as_ns();
                let times = read_times(&self.view, part as usize);
                let of_time = (0..).zip(times).filter(|(_, time)| *time == ns).map(|(row, _)| row);
                return of_time.skip(usize::try_from(before).ok()?).map(|row| (part, row)).next();
            }
            before -= count;
        }
        None
    }

    /// The rows of parts that hold the row and so many before and after it.
    fn spans(&self, (part, row): (u32, u32), before: usize, after: usize) -> Vec<(u32, Range<u32>)> {
        let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
        let line_count = |part: u32| self.line_count(part);
        let start = row.saturating_sub(count(before));
        let end = row.saturating_add(1).saturating_add(count(after)).min(line_count(part));
        let mut spans = vec![(part, start..end)];
        let mut missing = count(before) - (row - start);
        for part in (0..part).rev() {
            if missing == 0 {
                break;
            }
            let (end, start) = (line_count(part), line_count(part).saturating_sub(missing));
            missing -= end - start;
            spans.push((part, start..end));
        }
        spans.reverse();
        let mut missing = count(after) - (end - row - 1);
        for part in part + 1..self.part_count() {
            if missing == 0 {
                break;
            }
            let end = line_count(part).min(missing);
            missing -= end;
            spans.push((part, 0..end));
        }
        spans
    }

    /// Rows of a part; none where it cannot be read, which is counted and logged.
    fn read(&self, part: u32, rows: &[u32]) -> Result<Lines, Error> {
        let some_of = |all: &Lines| {
            let mut lines = Lines::default();
            for row in rows.iter().map(|row| *row as usize).filter(|row| *row < all.len()) {
                let (timestamp, line) = all.get(row);
                lines.push(timestamp, line);
            }
            lines
        };
        let stored = self.view.stored.as_ref().and_then(|stored| stored.get(part as usize));
        let Some((file, stored)) = stored else {
            let pending = self.view.pending_part(part as usize);
            return Ok(pending.map(|pending| some_of(pending.lines())).unwrap_or_default());
        };
        let read = || match file {
            StoredIn::Journal(file) => file.read(stored).map(|all| some_of(&all)),
            StoredIn::Segment(segment) => {
                let read = segment.open_block(stored).and_then(|block| {
                    let timestamps_ns = block.timestamps_ns()?;
                    let mut reader = block.lines()?;
                    let (mut lines, mut line) = (Lines::default(), Vec::new());
                    for row in rows {
                        line.clear();
                        reader.append(*row, &mut line)?;
                        lines.push(Timestamp::from_ns(timestamps_ns[*row as usize]), &line);
                    }
                    Ok(lines)
                });
                read.map_err(|problem| segment.add_unreadable(stored, &problem.to_string())).ok()
            }
        };
        Ok(while_reading(&self.budget, stored, read)?.unwrap_or_default())
    }

    fn part_count(&self) -> u32 {
        let stored = self.view.stored.as_ref().map_or(0, |stored| stored.len());
        u32::try_from(stored + self.view.pending.len()).unwrap_or(u32::MAX)
    }

    fn line_count(&self, part: u32) -> u32 {
        let stored = self.view.stored.as_ref().and_then(|stored| stored.get(part as usize));
        let pending = || self.view.pending_part(part as usize).map_or(0, |pending| pending.lines().len());
        stored.map_or_else(|| u32::try_from(pending()).unwrap_or(u32::MAX), |(_, part)| part.line_count)
    }
}
