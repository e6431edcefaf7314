//! Adds up what a range aggregation selects: from counts where these are enough, by several workers where the order of
//! entries plays no part, and else one entry after the other.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::log_database::{BlockColumns, Extent, Fold, Folder, Overview, block};
use crate::logql::eval::{RangeQuery, RangeSum, RangeWorker};
use crate::logql::stages::outline::Reads;
use crate::model::budget::Budget;
use crate::model::{Labels, LogEntry, Selection};
use crate::query::columns::{self, Problem};
use crate::query::{Error, Seen, Source, entry};

/// Adds what `range` selects.
///
/// # Errors
///
/// See [`Error`].
pub fn add_up(range: &mut RangeQuery, source: &Source, seen: &mut Seen) -> Result<(), Error> {
    let selection = source.selection(range.fetch());
    if add_counts(range, source, &selection, seen)? {
        return Ok(());
    }
    if range.is_any_order() {
        return add_sums(range, source, &selection, seen);
    }
    let mut scan = source.scan(&selection);
    let mut room = Vec::new();
    while let Some(next) = scan.next()? {
        seen.add(next.line);
        range.push(&entry(next, &mut room))?;
    }
    Ok(())
}

/// Most counts that are held at a time: of so many streams as may have them, or of one.
const COUNTS_MAX: u64 = 1 << 20;

/// Adds counts, if they are enough and those of one stream are not too many.
fn add_counts(range: &mut RangeQuery, source: &Source, selection: &Selection, seen: &mut Seen) -> Result<bool, Error> {
    let Some(step_ns) = range.count_step_ns() else { return Ok(false) };
    let step_count = selection.range.end.as_ns().abs_diff(selection.range.start.as_ns()) / step_ns + 1;
    let streams_at_a_time = usize::try_from(COUNTS_MAX / step_count).unwrap_or(usize::MAX);
    let is_selected = |stored: &Labels| source.shown_as(stored, &selection.matchers).is_some();
    let streams = source.snapshot.streams(&[], selection.range);
    let streams: Vec<Labels> = streams.into_iter().filter(is_selected).collect();
    if streams_at_a_time == 0 || source.snapshot.has_metadata(|stored| source.shown_as(stored, &selection.matchers)) {
        return Ok(false);
    }
    for some in streams.chunks(streams_at_a_time) {
        let shown_as = |stored: &Labels| {
            some.binary_search(stored).ok().and_then(|_| source.shown_as(stored, &selection.matchers))
        };
        let Some(count) = source.snapshot.count_as(selection, step_ns, shown_as) else { return Ok(false) };
        for stream in count.within(Arc::clone(&source.budget)).run()? {
            seen.add_many(stream.counts.iter().map(|(_, count)| count).sum(), 0);
            range.push_counts(&stream.labels, step_ns, &stream.counts)?;
            source.budget.give_back(stream.cost_bytes());
        }
    }
    Ok(true)
}

/// Has workers add up entries.
fn add_sums(range: &mut RangeQuery, source: &Source, selection: &Selection, seen: &mut Seen) -> Result<(), Error> {
    let worker = |_| {
        let range = range.worker();
        let reads = range.reads();
        Worker { range, reads, budget: source.budget(), room: Vec::new(), seen: Seen::default() }
    };
    let mut workers: Vec<Worker> = (0..Fold::worker_count()).map(worker).collect();
    source.fold(selection).run(&mut workers, |sum, nothing_before| Ok(range.merge(sum, nothing_before)?))?;
    for worker in workers {
        seen.merge(worker.seen);
    }
    Ok(())
}

/// A worker, and what it has looked at.
struct Worker {
    range: RangeWorker,
    /// What decides what becomes of entries, where columns may tell.
    reads: Option<Reads>,
    budget: Arc<Budget>,
    /// For metadata.
    room: Vec<(String, String)>,
    seen: Seen,
}

impl Folder for Worker {
    type Sum = RangeSum;
    type Error = Error;

    fn begin(&mut self, part: &Overview<'_>) -> Result<bool, Error> {
        let Extent { earliest, latest, lines, bytes } = part.extent;
        let is_taken = part.is_whole && self.range.push_whole(part.labels, (earliest, latest), lines, bytes)?;
        if is_taken {
            self.seen.add_many(lines, bytes);
        }
        Ok(!is_taken)
    }

    fn take_columns(
        &mut self,
        part: &Overview<'_>,
        columns: &BlockColumns<'_, '_>,
        rows: Vec<u32>,
    ) -> Result<Result<Vec<u32>, Error>, block::Error> {
        let Some(reads) = &self.reads else { return Ok(Ok(rows)) };
        match columns::add_up(&mut self.range, reads, (part.labels, columns, &rows), &self.budget) {
            Ok(looked) => {
                // Of lines that are not put together the mean is known.
                let (lines, (bytes, line_count)) = (rows.len() as u64, columns.extent());
                self.seen.add_many(lines, bytes as u64 * lines / u64::from(line_count.max(1)));
                self.seen.one_by_one += looked.lines as u64;
                Ok(Ok(Vec::new()))
            }
            Err(Problem::Block(error)) => Err(error),
            Err(Problem::Query(error)) => Ok(Err(error)),
        }
    }

    fn push(&mut self, next: LogEntry<'_>) -> Result<ControlFlow<()>, Error> {
        self.seen.add(next.line);
        self.range.push(&entry(next, &mut self.room))?;
        Ok(ControlFlow::Continue(()))
    }

    fn take(&mut self) -> RangeSum {
        self.range.take()
    }
}
