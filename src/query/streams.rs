//! Which streams there are: how much of each, from when to when, and its newest line.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::log_database::Extent;
use crate::logql::stages::level_of;
use crate::model::{Labels, LogEntry, Matcher, TimeRange, Timestamp};
use crate::query::{Error, Source, entry, volume};

/// What a summary takes in memory beside its labels, in bytes.
const STREAM_COST_BYTES: usize = 256;

/// What is known of a stream without a look at its lines. Entries with metadata count as those without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// The labels that it is stored with.
    pub labels: Labels,
    /// How many lines there are.
    pub lines: u64,
    /// Bytes of text in them.
    pub bytes: u64,
    /// The earliest time.
    pub first: Timestamp,
    /// The latest time.
    pub last: Timestamp,
    /// About how many bytes there are in each step that was asked for.
    pub volume: Vec<u64>,
}

/// The streams that all `matchers` accept, sorted by labels, with their volume in each of `steps`. What they take of the
/// source's budget stays taken.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn summaries(source: &Source, matchers: &[Matcher], steps: &[TimeRange]) -> Result<Vec<StreamSummary>, Error> {
    let mut streams: BTreeMap<Labels, Vec<Extent>> = BTreeMap::new();
    for (stored, extents) in source.snapshot.extents(TimeRange::ALL) {
        if source.shown_as(&stored, matchers).is_some() {
            streams.entry(stored).or_default().extend(extents);
        }
    }
    let mut summaries = Vec::with_capacity(streams.len());
    for (labels, extents) in streams {
        source.budget.take(STREAM_COST_BYTES + size_of_val(steps))?;
        let mut summary = StreamSummary {
            labels,
            lines: 0,
            bytes: 0,
            first: Timestamp::MAX,
            last: Timestamp::MIN,
            volume: vec![0; steps.len()],
        };
        for extent in &extents {
            summary.lines += extent.lines;
            summary.bytes += extent.bytes;
            summary.first = summary.first.min(extent.earliest);
            summary.last = summary.last.max(extent.latest);
            volume::add(&mut summary.volume, steps, extent);
        }
        volume::add_up(&mut summary.volume);
        summaries.push(summary);
    }
    Ok(summaries)
}

/// The newest line of a stream.
#[derive(Clone, Copy, Debug)]
pub struct NewestLine<'a> {
    /// The labels that its stream is stored with.
    pub labels: &'a Labels,
    /// When it was logged.
    pub timestamp: Timestamp,
    /// Its bytes.
    pub line: &'a [u8],
    /// How severe it is.
    pub level: &'a str,
}

/// Hands the newest line of each stream that `is_asked_for` to `take`, until that breaks. A stream with metadata in some
/// entries may have two.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn newest_lines(
    source: &Source,
    is_asked_for: impl Fn(&Labels) -> bool,
    take: &mut dyn FnMut(NewestLine<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let shown_as = |stored: &Labels| is_asked_for(stored).then(|| stored.clone());
    let mut room = Vec::new();
    let mut take = |found: LogEntry<'_>| {
        let entry = entry(found, &mut room);
        take(NewestLine { labels: entry.labels, timestamp: entry.timestamp, line: entry.line, level: level_of(&entry) })
    };
    Ok(source.snapshot.newest(&source.budget, shown_as, &mut take)?)
}
