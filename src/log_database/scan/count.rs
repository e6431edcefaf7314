//! Counts the lines that a selection asks for, by stream and by step of time. No line is put together where a block's
//! vocabulary decides, and a part that lies in one step as a whole is not even opened.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::block;
use crate::log_database::index::StoredIn;
use crate::log_database::part::Part;
use crate::log_database::scan::part::{Question, accepted};
use crate::log_database::scan::sieve::Sieve;
use crate::log_database::scan::{parallel, while_reading};
use crate::log_database::segment::Segment;
use crate::log_database::snapshot::{PendingLines, StreamView};
use crate::model::budget::{Budget, Refusal};
use crate::model::{Labels, Selection, TimeRange, Timestamp};

/// What a count takes in memory, in bytes, beside those of other parts that it is put together with.
const COUNT_COST_BYTES: usize = 2 * size_of::<(u64, u64)>();

/// How many lines of one stream lie in each step that has any, by step; step `n` begins `n` steps after the selection's
/// range does, and includes its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCounts {
    /// The stream.
    pub labels: Labels,
    /// The number of each step, ascending, and how many lines are in it.
    pub counts: Vec<(u64, u64)>,
}

impl StreamCounts {
    /// What the counts take of a budget, in bytes.
    pub fn cost_bytes(&self) -> usize {
        self.counts.len() * COUNT_COST_BYTES
    }
}

/// A count that was asked for.
#[derive(Debug)]
pub struct Count {
    /// Sorted by labels as they are stored.
    streams: Vec<(Labels, StreamView)>,
    question: Question,
    steps: Steps,
    budget: Arc<Budget>,
}

/// A part of one of [`Count::streams`].
enum Item<'a> {
    Stored(&'a StoredIn, &'a Part),
    Pending(&'a PendingLines),
}

impl Count {
    pub(in crate::log_database) fn new(
        streams: Vec<(Labels, StreamView)>,
        selection: &Selection,
        step_ns: NonZeroU64,
    ) -> Self {
        let question = Question::new(selection.range, selection.direction, &selection.filters);
        let steps = Steps::new(selection.range.start, step_ns);
        Self { streams, question, steps, budget: Arc::default() }
    }

    /// Takes the memory to count with from `budget`, and ends where that is cancelled. What the counts take at the end,
    /// [`StreamCounts::cost_bytes`], stays taken.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.question.set_budget(&budget);
        self.budget = budget;
        self
    }

    /// Counts, on several cores; streams without such lines are left out. Lines that cannot be read are not counted,
    /// unless their part lies in one step as a whole.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]: there are more counts than the budget has room for, or it was cancelled.
    pub fn run(self) -> Result<Vec<StreamCounts>, Error> {
        let mut items: Vec<(usize, Item<'_>)> = self.items().collect();
        let files = items.iter().filter_map(|(_, item)| match item {
            Item::Stored(file, _) => Some(*file),
            Item::Pending(_) => None,
        });
        let sieve = Sieve::new(&self.question.required(), files);
        items.retain(|(_, item)| match item {
            Item::Stored(file, part) => sieve.may_have_any(file, part),
            Item::Pending(_) => true,
        });
        let found = parallel::map(&items, |(_, item)| {
            let counts = self.count(item)?;
            self.budget.take(counts.len() * COUNT_COST_BYTES)?;
            Ok(counts)
        });
        let found: Vec<Vec<(u64, u64)>> = found.into_iter().collect::<Result<_, Refusal>>()?;
        let mut by_stream: Vec<Vec<(u64, u64)>> = self.streams.iter().map(|_| Vec::new()).collect();
        for ((stream, _), counts) in items.iter().zip(found) {
            by_stream[*stream].extend(counts);
        }
        let taken_bytes: usize = by_stream.iter().map(|counts| counts.len() * COUNT_COST_BYTES).sum();
        let streams = self.streams.iter().zip(by_stream).map(|((labels, _), counts)| {
            let labels = labels.clone();
            StreamCounts { labels, counts: merged(counts) }
        });
        let streams: Vec<StreamCounts> = streams.filter(|stream| !stream.counts.is_empty()).collect();
        let kept_bytes: usize = streams.iter().map(StreamCounts::cost_bytes).sum();
        self.budget.give_back(taken_bytes - kept_bytes);
        Ok(streams)
    }

    /// Every part that may have lines in the range, and which stream's it is.
    fn items(&self) -> impl Iterator<Item = (usize, Item<'_>)> {
        self.streams.iter().enumerate().flat_map(|(index, (_, view))| {
            let stored = view.stored.iter().flat_map(|stream| stream.iter_with_files());
            let due = stored.filter(|(_, part)| self.question.range.overlaps(part.earliest, part.latest));
            let items = due.map(|(file, part)| Item::Stored(file, part)).chain(view.pending.iter().map(Item::Pending));
            items.map(move |item| (index, item))
        })
    }

    fn count(&self, item: &Item<'_>) -> Result<Vec<(u64, u64)>, Refusal> {
        let mut tally = Tally::new(self.steps);
        match item {
            Item::Stored(_, part) if self.question.filters.is_empty() && self.lies_in_one_step(part) => {
                tally.add_many(part.earliest, part.line_count.into());
            }
            Item::Stored(file, part) => while_reading(&self.budget, part, || self.count_in(file, part, &mut tally))?,
            Item::Pending(pending) => {
                accepted(pending.lines(), &self.question).for_each(|(timestamp, _)| tally.add(timestamp));
            }
        }
        Ok(tally.counts())
    }

    fn count_in(&self, file: &StoredIn, part: &Part, tally: &mut Tally) {
        match file {
            StoredIn::Journal(file) => {
                if let Some(lines) = file.read(part) {
                    accepted(&lines, &self.question).for_each(|(timestamp, _)| tally.add(timestamp));
                }
            }
            StoredIn::Segment(segment) => {
                // What was counted before a block turned out to be unreadable is as true as all of it.
                if let Err(problem) = self.count_in_block(segment, part, tally) {
                    segment.add_unreadable(part, &problem.to_string());
                }
            }
        }
    }

    fn count_in_block(&self, segment: &Segment, part: &Part, tally: &mut Tally) -> Result<(), block::Error> {
        let block = segment.open_block(part)?;
        if self.question.filters.is_empty() {
            tally.add_all(block.timestamps_ns()?, self.question.range);
            return Ok(());
        }
        let rows = self.question.select(&block)?;
        if rows.is_empty() {
            return Ok(());
        }
        if self.lies_in_one_step(part) {
            tally.add_many(part.earliest, rows.count() as u64);
            return Ok(());
        }
        let timestamps_ns = block.timestamps_ns()?;
        rows.iter().for_each(|row| tally.add(Timestamp::from_ns(timestamps_ns[row as usize])));
        Ok(())
    }

    /// Whether all lines of a part are in the range and in one step of it.
    fn lies_in_one_step(&self, part: &Part) -> bool {
        let range = self.question.range;
        let is_inside = range.contains(part.earliest) && range.contains(part.latest);
        is_inside && self.steps.of(part.earliest) == self.steps.of(part.latest)
    }
}

/// The steps that time is cut into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    start_ns: i64,
    step_ns: NonZeroU64,
}

impl Steps {
    pub(super) fn new(start: Timestamp, step_ns: NonZeroU64) -> Self {
        Self { start_ns: start.as_ns(), step_ns }
    }

    /// The step of a time that is not before the first.
    pub(super) fn of(self, timestamp: Timestamp) -> u64 {
        self.since_start_ns(timestamp) / self.step_ns
    }

    /// The whole of time fits 64 bits without a sign.
    fn since_start_ns(self, timestamp: Timestamp) -> u64 {
        timestamp.as_ns().wrapping_sub(self.start_ns).cast_unsigned()
    }
}

/// Counts of one part. Times are mostly in order, so neighbours are mostly in one step.
#[derive(Debug)]
pub(super) struct Tally {
    steps: Steps,
    counts: Vec<(u64, u64)>,
    /// Where the step of the last count begins, in nanoseconds since the start.
    begin_ns: u64,
}

impl Tally {
    pub(super) fn new(steps: Steps) -> Self {
        Self { steps, counts: Vec::new(), begin_ns: 0 }
    }

    pub(super) fn add(&mut self, timestamp: Timestamp) {
        let since_begin_ns = self.steps.since_start_ns(timestamp).wrapping_sub(self.begin_ns);
        match self.counts.last_mut() {
            Some((_, count)) if since_begin_ns < self.steps.step_ns.get() => *count += 1,
            _ => self.add_many(timestamp, 1),
        }
    }

    /// Adds those of some times that are in `range`, which begins with the first step.
    fn add_all(&mut self, timestamps_ns: &[i64], range: TimeRange) {
        if range.end <= range.start {
            return;
        }
        let steps = self.steps;
        let since_start_ns = |ns: i64| steps.since_start_ns(Timestamp::from_ns(ns));
        let (step_ns, end_ns) = (steps.step_ns.get(), since_start_ns(range.end.as_ns()));
        let mut rest = timestamps_ns;
        while let Some((first, others)) = rest.split_first() {
            let since_start_ns = since_start_ns(*first);
            if end_ns <= since_start_ns {
                rest = others;
                continue;
            }
            // Those that follow and are in the same step, without a look at what was counted before.
            let begin_ns = since_start_ns - since_start_ns % step_ns;
            let length_ns = step_ns.min(end_ns - begin_ns);
            let is_alike =
                |ns: &&i64| steps.since_start_ns(Timestamp::from_ns(**ns)).wrapping_sub(begin_ns) < length_ns;
            let count = rest.iter().take_while(is_alike).count();
            self.add_many(Timestamp::from_ns(*first), count as u64);
            rest = &rest[count..];
        }
    }

    fn add_many(&mut self, timestamp: Timestamp, count: u64) {
        let step = self.steps.of(timestamp);
        self.begin_ns = step * self.steps.step_ns.get();
        self.counts.push((step, count));
    }

    pub(super) fn counts(self) -> Vec<(u64, u64)> {
        merged(self.counts)
    }
}

/// The counts by step, each step once.
pub(super) fn merged(mut counts: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    counts.sort_unstable_by_key(|(step, _)| *step);
    counts.dedup_by(|(step, count), (kept_step, kept_count)| {
        let is_same = step == kept_step;
        *kept_count += if is_same { *count } else { 0 };
        is_same
    });
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times and the counts that come of them, by steps of 10 from 5 on.
    #[track_caller]
    fn check(times: &[i64], expected: &[(u64, u64)]) {
        let mut tally = Tally::new(Steps { start_ns: 5, step_ns: 10.try_into().unwrap() });
        for ns in times {
            tally.add(Timestamp::from_ns(*ns));
        }
        assert_eq!(tally.counts(), expected);
    }

    #[test]
    fn a_step_begins_with_its_first_nanosecond_and_ends_before_the_next() {
        check(&[5, 14, 15, 24, 25], &[(0, 2), (1, 2), (2, 1)]);
    }

    #[test]
    fn times_beside_the_range_are_not_counted() {
        let mut tally = Tally::new(Steps { start_ns: 5, step_ns: 10.try_into().unwrap() });
        let range = TimeRange { start: Timestamp::from_ns(5), end: Timestamp::from_ns(27) };
        tally.add_all(&[i64::MIN, 4, 5, 14, 27, 15, 26, i64::MAX, 25, 4, 6], range);
        assert_eq!(tally.counts(), [(0, 3), (1, 1), (2, 2)]);
        let mut tally = Tally::new(Steps { start_ns: i64::MIN, step_ns: NonZeroU64::MAX });
        tally.add_all(&[i64::MIN, i64::MAX - 1, i64::MAX], TimeRange::ALL);
        assert_eq!(tally.counts(), [(0, 2)]);
        let mut tally = Tally::new(Steps { start_ns: 0, step_ns: 1.try_into().unwrap() });
        tally.add_all(&[3, i64::MIN], TimeRange { start: Timestamp::from_ns(0), end: Timestamp::from_ns(-1) });
        assert!(tally.counts().is_empty(), "an empty range has none");
    }

    #[test]
    fn times_out_of_order_are_counted_in_their_steps() {
        check(&[25, 5, 24, 25, 5, 14], &[(0, 3), (1, 1), (2, 2)]);
        check(&[], &[]);
    }

    #[test]
    fn the_whole_of_time_has_steps() {
        let steps = Steps { start_ns: i64::MIN, step_ns: NonZeroU64::MIN };
        assert_eq!(steps.of(Timestamp::MAX), u64::MAX);
        let mut tally = Tally::new(steps);
        for timestamp in [Timestamp::MAX, Timestamp::MIN] {
            tally.add(timestamp);
        }
        assert_eq!(tally.counts(), [(0, 1), (u64::MAX, 1)]);
    }
}
