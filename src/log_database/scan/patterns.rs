//! Counts lines by pattern, class and step of time: by the templates of blocks, which takes few lines put together, and by
//! what would be the templates of lines that are in no block.
//!
//! Logs may have as many patterns as lines. Where they take more memory than they may, those of the fewest lines go, so
//! that what many lines have in common stays; which these are does not depend on chance.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::block::{self, PatternFinder};
use crate::log_database::index::StoredIn;
use crate::log_database::metadata;
use crate::log_database::part::Part;
use crate::log_database::scan::count::{Steps, Tally, merged};
use crate::log_database::scan::part::Question;
use crate::log_database::scan::{parallel, while_reading};
use crate::log_database::segment::Segment;
use crate::log_database::snapshot::StreamView;
use crate::model::budget::{Budget, Refusal, Share};
use crate::model::{Labels, Lines, LogEntry, Selection, Timestamp};

/// Most patterns that are answered.
const PATTERNS_MAX: usize = 10_000;
/// Longest pattern, in bytes; what comes after that does not count.
const PATTERN_BYTES_MAX: usize = 1024;
/// Most memory that patterns take while they are counted, in bytes: those of a part, and those of all of them.
const FOUND_BYTES_MAX: usize = 4 << 20;
/// What a pattern takes beside its text, in bytes: a place in a table that is at most half empty, and its first counts.
const PATTERN_COST_BYTES: usize = 192;
/// What a count takes, in bytes; twice of what is used, because vectors grow by doubling.
const COUNT_COST_BYTES: usize = 2 * size_of::<(u64, u64)>();
/// What a block's template takes while its lines are counted, in bytes: its pattern's handle, and a tally.
const TEMPLATE_COST_BYTES: usize = 160;
/// How many parts are read before their patterns are put together.
const PARTS_AT_A_TIME: usize = 8;
/// How many lines of a block's template tell the class of all of them, if they agree.
const SAMPLES: u32 = 64;

/// What lines have in common, and how many of them lie in each step that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The lines' text with `<_>` in place of what varies.
    pub text: Vec<u8>,
    /// What all of them are.
    pub class: &'static str,
    /// The number of each step, ascending, and how many lines are in it.
    pub counts: Vec<(u64, u64)>,
}

/// What tells lines of one pattern apart.
pub trait Classify: Sync {
    /// One of a few names for what an entry is; `None` leaves it out.
    fn class(&self, entry: LogEntry<'_>) -> Option<&'static str>;

    /// Whether entries may be left out, so that each has to be looked at.
    fn leaves_out(&self) -> bool;
}

/// A count of lines by pattern that was asked for.
#[derive(Debug)]
pub struct PatternCount {
    streams: Vec<(Labels, StreamView)>,
    question: Question,
    /// What is asked of lines that are followed by metadata.
    question_of_texts: Question,
    has_filters: bool,
    steps: Steps,
    budget: Arc<Budget>,
}

/// Why a part is not counted.
enum Problem {
    Block(block::Error),
    Refused(Refusal),
}

impl From<block::Error> for Problem {
    fn from(error: block::Error) -> Self {
        Self::Block(error)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl PatternCount {
    pub(in crate::log_database) fn new(
        streams: Vec<(Labels, StreamView)>,
        selection: &Selection,
        step_ns: NonZeroU64,
    ) -> Self {
        let Selection { range, direction, ref filters, .. } = *selection;
        Self {
            streams,
            question: Question::new(range, direction, filters),
            question_of_texts: Question::of_texts(range, direction, filters),
            has_filters: !filters.is_empty(),
            steps: Steps::new(range.start, step_ns),
            budget: Arc::default(),
        }
    }

    /// Takes the memory to count with from `budget`, and ends where that is cancelled.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.question.set_budget(&budget);
        self.question_of_texts.set_budget(&budget);
        self.budget = budget;
        self
    }

    /// Counts, on several cores: the patterns of most lines first. What they take stays taken.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]: there are more counts than the budget has room for, or it was cancelled.
    pub fn run(self, classes: &dyn Classify) -> Result<Vec<Pattern>, Error> {
        let mut all = Found::new(&self.budget);
        for stream in &self.streams {
            let (_, view) = stream;
            let stored = view.stored.iter().flat_map(|stream| stream.iter_with_files());
            let due = stored.filter(|(_, part)| self.question.range.overlaps(part.earliest, part.latest));
            let due: Vec<(&StoredIn, &Part)> = due.collect();
            for parts in due.chunks(PARTS_AT_A_TIME) {
                let found = parallel::map(parts, |(file, part)| {
                    while_reading(&self.budget, part, || self.of_part(file, part, stream, classes))
                });
                for found in found {
                    all.merge(found??)?;
                }
            }
            for pending in &view.pending {
                self.add_lines(pending.lines(), stream, classes, &mut all)?;
            }
        }
        all.shrink(usize::MAX, PATTERNS_MAX);
        self.budget.take(all.bytes)?;
        Ok(all.into_patterns().0)
    }

    fn question(&self, has_metadata: bool) -> &Question {
        if has_metadata { &self.question_of_texts } else { &self.question }
    }

    fn of_part(
        &self,
        file: &StoredIn,
        part: &Part,
        stream: &(Labels, StreamView),
        classes: &dyn Classify,
    ) -> Result<Found, Refusal> {
        let mut found = Found::new(&self.budget);
        match file {
            StoredIn::Journal(file) => {
                if let Some(lines) = file.read(part) {
                    self.add_lines(&lines, stream, classes, &mut found)?;
                }
            }
            StoredIn::Segment(segment) => match self.add_block(segment, part, stream, classes, &mut found) {
                Ok(()) => {}
                Err(Problem::Block(problem)) => segment.add_unreadable(part, &problem.to_string()),
                Err(Problem::Refused(refusal)) => return Err(refusal),
            },
        }
        Ok(found)
    }

    fn add_lines(
        &self,
        lines: &Lines,
        (labels, view): &(Labels, StreamView),
        classes: &dyn Classify,
        found: &mut Found,
    ) -> Result<(), Refusal> {
        let question = self.question(view.has_metadata);
        let mut finder = PatternFinder::default();
        for (timestamp, line) in lines.iter().filter(|(timestamp, _)| question.range.contains(*timestamp)) {
            if question.accepts(line, false)
                && let (text, metadata) = question.split(line)
                && let Some(class) = classes.class(LogEntry { timestamp, labels, line: text, metadata })
            {
                found.add(class, finder.pattern_of(text), &[(self.steps.of(timestamp), 1)])?;
            }
        }
        Ok(())
    }

    fn add_block(
        &self,
        segment: &Segment,
        part: &Part,
        (labels, view): &(Labels, StreamView),
        classes: &dyn Classify,
        found: &mut Found,
    ) -> Result<(), Problem> {
        let has_metadata = view.has_metadata;
        let question = self.question(has_metadata);
        let block = segment.open_block(part)?;
        let rows = question.select(&block)?;
        if rows.is_empty() {
            return Ok(());
        }
        let (patterns, timestamps_ns) = (block.patterns()?, block.timestamps_ns()?);
        let class_of = |row: u32, stored: &[u8]| {
            let (line, metadata) = question.split(stored);
            let timestamp = Timestamp::from_ns(timestamps_ns[row as usize]);
            classes.class(LogEntry { timestamp, labels, line, metadata })
        };
        let mut share = Share::of(Arc::clone(&self.budget));
        share.take(patterns.texts.len() * TEMPLATE_COST_BYTES)?;
        let looks_at_all = classes.leaves_out() || (has_metadata && self.has_filters);
        let mut templates: Vec<Counted> = patterns.texts.iter().map(|_| Counted::new(self.steps)).collect();
        rows.iter().for_each(|row| templates[patterns.ids[row as usize] as usize].row_count += 1);
        let (mut reader, mut line) = (block.lines()?, Vec::new());
        for row in rows.iter() {
            let id = patterns.ids[row as usize] as usize;
            let template = &mut templates[id];
            if looks_at_all || patterns.texts[id].is_none() || !template.is_sample() {
                continue;
            }
            line.clear();
            reader.append(row, &mut line)?;
            template.add_sample(class_of(row, &line));
        }
        let (mut reader, mut finder) = (block.lines()?, PatternFinder::default());
        for row in rows.iter() {
            let id = patterns.ids[row as usize] as usize;
            let (text, timestamp) = (&patterns.texts[id], Timestamp::from_ns(timestamps_ns[row as usize]));
            if !looks_at_all && text.is_some() && templates[id].is_of_one_class() {
                templates[id].tally.add(timestamp);
                continue;
            }
            line.clear();
            reader.append(row, &mut line)?;
            if question.accepts(&line, true)
                && let Some(class) = class_of(row, &line)
            {
                let text = text.as_deref().map(|text| pattern_of_text(text, has_metadata));
                let text = text.unwrap_or_else(|| finder.pattern_of(question.split(&line).0));
                found.add(class, text, &[(self.steps.of(timestamp), 1)])?;
            }
        }
        for (text, template) in patterns.texts.iter().zip(templates) {
            if let (Some(text), Some(class)) = (text, template.class) {
                found.add(class, pattern_of_text(text, has_metadata), &template.tally.counts())?;
            }
        }
        Ok(())
    }
}

/// The pattern of lines without the metadata that follows them.
fn pattern_of_text(text: &[u8], has_metadata: bool) -> &[u8] {
    if has_metadata { metadata::text_of_pattern(text) } else { text }
}

/// The lines of a block's template.
struct Counted {
    row_count: u32,
    /// How many have been passed in search of samples.
    passed: u32,
    class: Option<&'static str>,
    are_alike: bool,
    tally: Tally,
}

impl Counted {
    fn new(steps: Steps) -> Self {
        Self { row_count: 0, passed: 0, class: None, are_alike: true, tally: Tally::new(steps) }
    }

    /// Whether the next line is one of the samples, which lie as far apart as they can.
    fn is_sample(&mut self) -> bool {
        let is_sample = self.passed.is_multiple_of(self.row_count.div_ceil(SAMPLES));
        self.passed += 1;
        is_sample && self.are_alike
    }

    fn add_sample(&mut self, class: Option<&'static str>) {
        self.are_alike &= class.is_some() && self.class.is_none_or(|known| Some(known) == class);
        self.class = class;
    }

    /// Whether the class of the samples is taken for that of all lines.
    fn is_of_one_class(&self) -> bool {
        self.are_alike && self.class.is_some()
    }
}

/// Counts of each pattern by class and by step.
struct Found {
    by_class: HashMap<&'static str, HashMap<Vec<u8>, Counts>>,
    pattern_count: usize,
    /// What all of it takes.
    bytes: usize,
    share: Share,
}

/// How many lines of a pattern there are in each step.
#[derive(Default)]
struct Counts {
    total: u64,
    /// In no order, steps perhaps more than once.
    by_step: Vec<(u64, u64)>,
}

impl Found {
    fn new(budget: &Arc<Budget>) -> Self {
        let share = Share::of(Arc::clone(budget));
        Self { by_class: HashMap::new(), pattern_count: 0, bytes: 0, share }
    }

    /// Adds lines of a pattern, as far as there is room for it: else the rarest go.
    fn add(&mut self, class: &'static str, text: &[u8], by_step: &[(u64, u64)]) -> Result<(), Refusal> {
        if by_step.is_empty() {
            return Ok(());
        }
        let text = &text[..text.len().min(PATTERN_BYTES_MAX)];
        let is_known = self.by_class.get(class).is_some_and(|patterns| patterns.contains_key(text));
        let bytes = by_step.len() * COUNT_COST_BYTES + if is_known { 0 } else { PATTERN_COST_BYTES + text.len() };
        if FOUND_BYTES_MAX < self.bytes + bytes {
            self.shrink(FOUND_BYTES_MAX / 2, PATTERNS_MAX);
        }
        self.share.take(bytes)?;
        self.bytes += bytes;
        let patterns = self.by_class.entry(class).or_default();
        if !patterns.contains_key(text) {
            patterns.insert(text.to_vec(), Counts::default());
            self.pattern_count += 1;
        }
        let counts = patterns.get_mut(text).expect("it was there, or was just added");
        for (step, count) in by_step {
            counts.add(*step, *count);
        }
        Ok(())
    }

    /// Adds what was found in a part.
    fn merge(&mut self, found: Self) -> Result<(), Refusal> {
        // In an order that is the same each time, as what there is no room for depends on it.
        let (patterns, _share) = found.into_patterns();
        patterns.into_iter().try_for_each(|Pattern { text, class, counts }| self.add(class, &text, &counts))
    }

    /// Leaves no more patterns and bytes than so many: the patterns of the most lines.
    fn shrink(&mut self, bytes_max: usize, patterns_max: usize) {
        if self.bytes <= bytes_max && self.pattern_count <= patterns_max {
            return;
        }
        let all = std::mem::take(&mut self.by_class);
        let all = all.into_iter().flat_map(|(class, patterns)| patterns.into_iter().map(move |found| (class, found)));
        let mut all: Vec<(&'static str, (Vec<u8>, Counts))> = all.collect();
        all.sort_unstable_by(|(class, (text, counts)), (other_class, (other_text, other_counts))| {
            other_counts.total.cmp(&counts.total).then_with(|| (text, class).cmp(&(other_text, other_class)))
        });
        let bytes_before = std::mem::take(&mut self.bytes);
        self.pattern_count = 0;
        for (class, (text, mut counts)) in all {
            counts.by_step = merged(std::mem::take(&mut counts.by_step));
            let bytes = PATTERN_COST_BYTES + text.len() + counts.by_step.len() * COUNT_COST_BYTES;
            if bytes_max < self.bytes + bytes || self.pattern_count == patterns_max {
                break;
            }
            self.bytes += bytes;
            self.pattern_count += 1;
            self.by_class.entry(class).or_default().insert(text, counts);
        }
        self.share.give_back(bytes_before - self.bytes);
    }

    /// The patterns, those of the most lines first, and what they take.
    fn into_patterns(self) -> (Vec<Pattern>, Share) {
        let mut all = Vec::with_capacity(self.pattern_count);
        for (class, patterns) in self.by_class {
            let pattern =
                |(text, counts): (_, Counts)| (counts.total, Pattern { text, class, counts: merged(counts.by_step) });
            all.extend(patterns.into_iter().map(pattern));
        }
        all.sort_unstable_by(|(total, pattern), (other_total, other)| {
            other_total.cmp(total).then_with(|| (&pattern.text, pattern.class).cmp(&(&other.text, other.class)))
        });
        (all.into_iter().map(|(_, pattern)| pattern).collect(), self.share)
    }
}

impl Counts {
    /// Adds lines to a step; times are mostly in order.
    fn add(&mut self, step: u64, count: u64) {
        self.total += count;
        match self.by_step.last_mut() {
            Some((last, sum)) if *last == step => *sum += count,
            _ => self.by_step.push((step, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_go_where_there_is_no_room() {
        let budget = Arc::new(Budget::default());
        let mut found = Found::new(&budget);
        let count = 4 * FOUND_BYTES_MAX / PATTERN_COST_BYTES / 2 * 2;
        for number in 0..count {
            found.add("info", format!("once {number}").as_bytes(), &[(0, 1)]).unwrap();
            found.add(["info", "warn"][number % 2], b"often", &[(number as u64 % 7, 1)]).unwrap();
            assert!(found.bytes <= FOUND_BYTES_MAX && found.bytes <= budget.taken_bytes());
        }
        found.shrink(usize::MAX, 5);
        let (patterns, share) = found.into_patterns();
        drop(share);
        assert_eq!(budget.taken_bytes(), 0);
        let totals = patterns.iter().map(|pattern| pattern.counts.iter().map(|(_, count)| count).sum::<u64>());
        assert_eq!(totals.collect::<Vec<_>>(), [count as u64 / 2, count as u64 / 2, 1, 1, 1]);
        assert_eq!(patterns[0].counts.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        assert!(patterns[..2].iter().all(|pattern| pattern.text == b"often"));
    }

    #[test]
    fn patterns_that_do_not_fit_the_budget_are_refused() {
        let mut found = Found::new(&Arc::new(Budget::new(1 << 20)));
        let mut add = |number| found.add("info", format!("once {number}").as_bytes(), &[(0, 1)]);
        assert_eq!((0..1 << 20).find_map(|number| add(number).err()), Some(Refusal::TooMuch { bytes_max: 1 << 20 }));
    }
}
