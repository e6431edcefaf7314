//! Adds up what a range aggregation selects: from counts where these are enough, by several workers where the order of
//! entries plays no part, and else one entry after the other.

use std::sync::Arc;

use crate::api::error::Error;
use crate::api::loki::running::{Source, entry};
use crate::api::loki::wire::Cost;
use crate::log_database::{EntryRef, Extent, Fold, Folder};
use crate::logql::eval::{RangeQuery, RangeSum, RangeWorker};
use crate::model::{Labels, Selection};

/// Adds what `range` selects.
pub(super) fn add_up(range: &mut RangeQuery, source: &Source, cost: &mut Cost) -> Result<(), Error> {
    let selection = source.selection(range.fetch());
    if add_counts(range, source, &selection, cost)? {
        return Ok(());
    }
    if range.is_any_order() {
        return add_sums(range, source, &selection, cost);
    }
    let mut scan = source.scan(&selection);
    let mut room = Vec::new();
    while let Some(next) = scan.next()? {
        cost.add(next.line);
        range.push(&entry(next, &mut room))?;
    }
    Ok(())
}

/// Most counts, over all streams and steps, that are held at a time; above, each entry is looked at.
const COUNTS_MAX: u64 = 1 << 20;

/// Adds counts, if they are enough and not too many.
fn add_counts(range: &mut RangeQuery, source: &Source, selection: &Selection, cost: &mut Cost) -> Result<bool, Error> {
    let Some(step_ns) = range.count_step_ns() else { return Ok(false) };
    let step_count = selection.range.end.as_ns().abs_diff(selection.range.start.as_ns()) / step_ns + 1;
    let stream_count = source.snapshot.streams(&[], selection.range).len() as u64;
    if COUNTS_MAX < step_count.saturating_mul(stream_count) {
        return Ok(false);
    }
    let shown_as = |stored: &Labels| source.shown_as(stored, &selection.matchers);
    let Some(count) = source.snapshot.count_as(selection, step_ns, shown_as) else { return Ok(false) };
    for stream in count.within(Arc::clone(&source.budget)).run()? {
        cost.add_many(stream.counts.iter().map(|(_, count)| count).sum(), 0);
        range.push_counts(&stream.labels, step_ns, &stream.counts)?;
    }
    Ok(true)
}

/// Has workers add up entries.
fn add_sums(range: &mut RangeQuery, source: &Source, selection: &Selection, cost: &mut Cost) -> Result<(), Error> {
    let mut workers = Vec::new();
    for _ in 0..Fold::worker_count() {
        workers.push(Worker { range: range.worker()?, room: Vec::new(), lines: 0, bytes: 0 });
    }
    let fold = source.snapshot.fold_as(selection, |stored| source.shown_as(stored, &selection.matchers));
    let fold = fold.within(Arc::clone(&source.budget));
    fold.run(&mut workers, |sum, nothing_before| Ok(range.merge(sum, nothing_before)?))?;
    for worker in workers {
        cost.add_many(worker.lines, worker.bytes);
    }
    Ok(())
}

/// A worker, and what it has looked at.
struct Worker {
    range: RangeWorker,
    /// For metadata.
    room: Vec<(String, String)>,
    lines: u64,
    bytes: u64,
}

impl Folder for Worker {
    type Sum = RangeSum;
    type Error = Error;

    fn push_whole(&mut self, labels: &Labels, extent: &Extent) -> Result<bool, Error> {
        let Extent { earliest, latest, lines, bytes } = *extent;
        let is_taken = self.range.push_whole(labels, (earliest, latest), lines, bytes)?;
        if is_taken {
            self.lines += lines;
            self.bytes += bytes;
        }
        Ok(is_taken)
    }

    fn push(&mut self, next: EntryRef<'_>) -> Result<(), Error> {
        self.lines += 1;
        self.bytes += next.line.len() as u64;
        Ok(self.range.push(&entry(next, &mut self.room))?)
    }

    fn take(&mut self) -> RangeSum {
        self.range.take()
    }
}
