//! Counts lines by pattern and step of time: by the templates of blocks, which takes no line put together, and by what
//! would be the templates of lines that are in no block.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::block::{self, PatternFinder};
use crate::log_database::index::StoredIn;
use crate::log_database::metadata;
use crate::log_database::part::Part;
use crate::log_database::scan::count::{Steps, Tally, merged};
use crate::log_database::scan::{parallel, while_reading};
use crate::log_database::segment::Segment;
use crate::log_database::snapshot::StreamView;
use crate::model::budget::{Budget, Refusal};
use crate::model::{Labels, Lines, TimeRange, Timestamp};

/// Most patterns that are told apart; of logs with more of them, the rarest may be missing.
const PATTERNS_MAX: usize = 10_000;
/// Longest pattern, in bytes; what comes after that does not count.
const PATTERN_BYTES_MAX: usize = 1024;
/// What a count takes in memory, in bytes.
const COUNT_COST_BYTES: usize = size_of::<(u64, u64)>();
/// How many parts are read before their patterns are put together.
const PARTS_AT_A_TIME: usize = 64;

/// What lines have in common, and how many of them lie in each step that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The lines' text with `<_>` in place of what varies.
    pub text: Vec<u8>,
    /// The number of each step, ascending, and how many lines are in it.
    pub counts: Vec<(u64, u64)>,
}

/// A count of lines by pattern that was asked for.
#[derive(Debug)]
pub struct PatternCount {
    streams: Vec<(Labels, StreamView)>,
    range: TimeRange,
    steps: Steps,
    budget: Arc<Budget>,
}

/// Counts of each pattern by step.
type Found = HashMap<Vec<u8>, Vec<(u64, u64)>>;

impl PatternCount {
    pub(in crate::log_database) fn new(
        streams: Vec<(Labels, StreamView)>,
        range: TimeRange,
        step_ns: NonZeroU64,
    ) -> Self {
        Self { streams, range, steps: Steps::new(range.start, step_ns), budget: Arc::default() }
    }

    /// Takes the memory to count with from `budget`, and ends where that is cancelled. The counts stay taken.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// Counts, on several cores: the patterns of most lines first.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]: there are more counts than the budget has room for, or it was cancelled.
    pub fn run(self) -> Result<Vec<Pattern>, Error> {
        let mut all = Found::new();
        for (_, view) in &self.streams {
            let stored = view.stored.iter().flat_map(|stream| stream.iter_with_files());
            let due = stored.filter(|(_, part)| self.range.overlaps(part.earliest, part.latest));
            let due: Vec<(&StoredIn, &Part)> = due.collect();
            for parts in due.chunks(PARTS_AT_A_TIME) {
                let found = parallel::map(parts, |(file, part)| {
                    while_reading(&self.budget, part, || self.of_part(file, part, view.has_metadata))
                });
                for found in found {
                    self.merge(&mut all, found?)?;
                }
            }
            for pending in &view.pending {
                let mut found = Found::new();
                self.add_lines(pending.lines(), view.has_metadata, &mut found);
                self.merge(&mut all, found)?;
            }
        }
        let patterns = all.into_iter().map(|(text, counts)| Pattern { text, counts: merged(counts) });
        let mut patterns: Vec<Pattern> = patterns.collect();
        let line_count = |pattern: &Pattern| pattern.counts.iter().map(|(_, count)| count).sum::<u64>();
        patterns
            .sort_by(|left, right| line_count(right).cmp(&line_count(left)).then_with(|| left.text.cmp(&right.text)));
        Ok(patterns)
    }

    fn of_part(&self, file: &StoredIn, part: &Part, has_metadata: bool) -> Found {
        let mut found = Found::new();
        match file {
            StoredIn::Journal(file) => {
                if let Some(lines) = file.read(part) {
                    self.add_lines(&lines, has_metadata, &mut found);
                }
            }
            StoredIn::Segment(segment) => {
                if let Err(problem) = self.add_block(segment, part, has_metadata, &mut found) {
                    segment.add_unreadable(part, &problem.to_string());
                }
            }
        }
        found
    }

    fn add_lines(&self, lines: &Lines, has_metadata: bool, found: &mut Found) {
        let mut finder = PatternFinder::default();
        for (timestamp, line) in lines.iter().filter(|(timestamp, _)| self.range.contains(*timestamp)) {
            let text = if has_metadata { metadata::split(line).0 } else { line };
            let counts = entry(found, finder.pattern_of(text));
            add(counts, self.steps.of(timestamp), 1);
        }
    }

    fn add_block(
        &self,
        segment: &Segment,
        part: &Part,
        has_metadata: bool,
        found: &mut Found,
    ) -> Result<(), block::Error> {
        let block = segment.open_block(part)?;
        let patterns = block.patterns()?;
        let timestamps = block.timestamps_ns()?.iter().map(|ns| Timestamp::from_ns(*ns));
        let mut tallies: Vec<Tally> = patterns.texts.iter().map(|_| Tally::new(self.steps)).collect();
        let (mut reader, mut finder, mut line) = (block.lines()?, PatternFinder::default(), Vec::new());
        for ((row, id), timestamp) in (0..).zip(patterns.ids).zip(timestamps) {
            if !self.range.contains(timestamp) {
                continue;
            }
            if patterns.texts[*id as usize].is_some() {
                tallies[*id as usize].add(timestamp);
                continue;
            }
            line.clear();
            reader.append(row, &mut line)?;
            let text = if has_metadata { metadata::split(&line).0 } else { &line };
            add(entry(found, finder.pattern_of(text)), self.steps.of(timestamp), 1);
        }
        for (text, tally) in patterns.texts.iter().zip(tallies) {
            let Some(text) = text else { continue };
            let text = if has_metadata { metadata::text_of_pattern(text) } else { text };
            tally.counts().into_iter().for_each(|(step, count)| add(entry(found, text), step, count));
        }
        Ok(())
    }

    /// Adds what is found in a part to all there is.
    fn merge(&self, all: &mut Found, found: Found) -> Result<(), Refusal> {
        for (text, counts) in found {
            let is_new = !all.contains_key(&text);
            if is_new && PATTERNS_MAX <= all.len() {
                continue;
            }
            self.budget.take(counts.len() * COUNT_COST_BYTES + if is_new { text.len() } else { 0 })?;
            let sums = all.entry(text).or_default();
            for (step, count) in counts {
                add(sums, step, count);
            }
        }
        Ok(())
    }
}

/// The counts of a pattern.
fn entry<'a>(found: &'a mut Found, text: &[u8]) -> &'a mut Vec<(u64, u64)> {
    let text = &text[..text.len().min(PATTERN_BYTES_MAX)];
    if !found.contains_key(text) {
        found.insert(text.to_vec(), Vec::new());
    }
    found.get_mut(text).expect("it was there, or was just added")
}

/// Adds lines to a step; times are mostly in order.
fn add(counts: &mut Vec<(u64, u64)>, step: u64, count: u64) {
    match counts.last_mut() {
        Some((last, sum)) if *last == step => *sum += count,
        _ => counts.push((step, count)),
    }
}
