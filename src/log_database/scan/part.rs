//! A part whose lines are in memory, in the order of time, and how it gets there.

use std::ops::Range;
use std::sync::Arc;

use crate::log_database::block::{self, Block, Query, Required, Rows, Source};
use crate::log_database::index::StoredIn;
use crate::log_database::metadata::{self, Metadata};
use crate::log_database::part::Part;
use crate::log_database::scan::filter::Filter;
use crate::log_database::scan::place::{Trim, ranks};
use crate::log_database::snapshot::PendingLines;
use crate::model::budget::Budget;
use crate::model::{Direction, LineFilter, Lines, TimeRange, Timestamp};

/// What a row of a block that is to come takes in memory, in bytes.
const ROW_COST_BYTES: usize = size_of::<u32>();

/// What a scan asks of the lines of every part.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) range: TimeRange,
    pub(super) direction: Direction,
    /// For lines as they are.
    pub(super) filters: Vec<Filter>,
    /// For blocks.
    query: Query,
    /// What lines are followed by metadata for: then the filters only tell which lines may be part of the answer.
    texts: Option<Vec<Filter>>,
    /// Whether [`OpenLines::rank`] is asked for.
    pub(super) is_numbered: bool,
}

impl Question {
    pub(super) fn new(range: TimeRange, direction: Direction, filters: &[LineFilter]) -> Self {
        let prepared = filters.iter().map(Filter::new).collect();
        let query = Query::new(filters);
        Self { range, direction, filters: prepared, query, texts: None, is_numbered: false }
    }

    /// Looks at no further line of a block once `budget` is cancelled.
    pub(super) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.query.set_budget(Arc::clone(budget));
    }

    /// What blocks have to have to be part of the answer.
    pub(super) fn required(&self) -> Required {
        self.query.required()
    }

    /// The rows of a block that are part of the answer.
    pub(super) fn select<S: Source>(&self, block: &Block<S>) -> Result<Rows, block::Error> {
        block.select(&self.query, self.range)
    }

    /// What a scan asks of lines that are followed by metadata: a text that contains something may be a line that does.
    pub(super) fn of_texts(range: TimeRange, direction: Direction, filters: &[LineFilter]) -> Self {
        let is_containment =
            |filter: &&LineFilter| matches!(filter, LineFilter::Contains(_) | LineFilter::ContainsAny(_));
        let contained = filters.iter().filter(is_containment).cloned();
        let texts = Some(filters.iter().map(Filter::new).collect());
        Self { texts, ..Self::new(range, direction, &contained.collect::<Vec<_>>()) }
    }

    /// Whether a line is part of the answer; `is_selected` says that a block was asked for it.
    pub(super) fn accepts(&self, line: &[u8], is_selected: bool) -> bool {
        match &self.texts {
            None => is_selected || self.filters.iter().all(|filter| filter.accepts(line)),
            Some(filters) => {
                let (text, _) = metadata::split(line);
                filters.iter().all(|filter| filter.accepts(text))
            }
        }
    }

    /// Whether lines are followed by metadata.
    pub(super) fn has_metadata(&self) -> bool {
        self.texts.is_some()
    }

    /// The text of a line and its metadata.
    pub(super) fn split<'a>(&self, line: &'a [u8]) -> (&'a [u8], Metadata<'a>) {
        if self.texts.is_some() { metadata::split(line) } else { (line, Metadata::default()) }
    }

    /// Whether any of the lines that make up `text` may be part of the answer.
    fn may_accept_one_of(&self, text: &[u8]) -> bool {
        self.filters.iter().all(|filter| filter.may_accept_one_of(text))
    }
}

/// How much of a block is put together at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) text_bytes: usize,
    pub(super) line_count: usize,
}

impl Window {
    /// All of it.
    pub(super) const WHOLE: Self = Self { text_bytes: usize::MAX, line_count: usize::MAX };
}

/// Lines of a part in memory, and which of them comes next.
#[derive(Debug)]
pub(super) struct OpenLines {
    lines: Held,
    /// The lines by time where they are not in that order already.
    sorted: Option<Vec<u32>>,
    /// The places, in the order of time, of the lines that are to come.
    rest: Range<usize>,
    /// The place of the next line.
    next: usize,
    /// Rows of the block that are to come after these lines, in the order of time.
    later_rows: Vec<u32>,
    /// How many lines of its time are before each of a block's lines; empty unless asked for.
    ranks: Vec<u32>,
}

#[derive(Debug)]
enum Held {
    Journal(Lines),
    Pending(PendingLines),
    /// Only lines that a block was asked for.
    Block(Lines),
}

impl OpenLines {
    /// Lines that are not committed; they are in memory in any case.
    pub(super) fn of_pending(pending: PendingLines, question: &Question, trim: Trim) -> Option<Self> {
        Self::of_lines(Held::Pending(pending), question, trim)
    }

    /// Reads a part; `None` where it has no line in the answer, or cannot be read, which is counted and logged.
    pub(super) fn of_part(
        file: &StoredIn,
        part: &Part,
        question: &Question,
        window: Window,
        trim: Trim,
    ) -> Option<Self> {
        match file {
            StoredIn::Journal(file) => Self::of_lines(Held::Journal(file.read(part)?), question, trim),
            StoredIn::Segment(segment) => {
                let opened = segment.open_block(part).and_then(|block| {
                    let mut rows = select(&block, question)?;
                    // Most blocks have none, and then their times are not read.
                    if !rows.is_empty() && !trim.is_none() {
                        trim.narrow(&mut rows, block.timestamps_ns()?);
                    }
                    if rows.is_empty() {
                        return Ok(None);
                    }
                    Self::of_rows(&block, rows, question, window)
                });
                opened.unwrap_or_else(|problem| {
                    segment.add_unreadable(part, &problem.to_string());
                    None
                })
            }
        }
    }

    /// Reads what comes after these lines in their part; `None` where nothing does.
    pub(super) fn later(self, file: &StoredIn, part: &Part, question: &Question, window: Window) -> Option<Self> {
        let StoredIn::Segment(segment) = file else { return None };
        let rows = self.later_rows;
        if rows.is_empty() {
            return None;
        }
        let opened = segment.open_block(part).and_then(|block| Self::of_rows(&block, rows, question, window));
        opened.unwrap_or_else(|problem| {
            segment.add_unreadable(part, &problem.to_string());
            None
        })
    }

    fn of_lines(lines: Held, question: &Question, trim: Trim) -> Option<Self> {
        if !question.may_accept_one_of(lines.lines().bytes()) {
            return None;
        }
        let sorted = sort_by_time(lines.lines());
        let rest = 0..lines.lines().len();
        let mut open = Self { lines, sorted, rest, next: 0, later_rows: Vec::new(), ranks: Vec::new() };
        open.narrow(question.range);
        open.trim(trim);
        open.advance(question).then_some(open)
    }

    /// Puts together the first of `rows` in the order of the answer, as far as the window reaches.
    fn of_rows<S: Source>(
        block: &Block<S>,
        mut rows: Vec<u32>,
        question: &Question,
        window: Window,
    ) -> Result<Option<Self>, block::Error> {
        let line_bytes = block.byte_count() / block.line_count().max(1) as usize + 1;
        let count_max = (window.text_bytes / line_bytes).min(window.line_count).max(1);
        let timestamps_ns = block.timestamps_ns()?;
        let mut reader = block.lines()?;
        let mut line = Vec::new();
        while !rows.is_empty() {
            let count = count_max.min(rows.len());
            let (now, later_rows) = match question.direction {
                Direction::Forward => {
                    let later_rows = rows.split_off(count);
                    (rows, later_rows)
                }
                Direction::Backward => (rows.split_off(rows.len() - count), rows),
            };
            let ranks = if question.is_numbered { ranks(&now, timestamps_ns) } else { Vec::new() };
            let mut lines = Lines::with_capacity(now.len(), now.len() * line_bytes);
            for row in now {
                line.clear();
                reader.append(row, &mut line)?;
                lines.push(Timestamp::from_ns(timestamps_ns[row as usize]), &line);
            }
            let rest = 0..lines.len();
            let mut open = Self { lines: Held::Block(lines), sorted: None, rest, next: 0, later_rows, ranks };
            if open.advance(question) {
                return Ok(Some(open));
            }
            rows = open.later_rows;
        }
        Ok(None)
    }

    /// The next line, which [`OpenLines::advance`] found.
    pub(super) fn next_line(&self) -> (Timestamp, &[u8]) {
        self.line(self.next)
    }

    /// How many lines of the part with the next line's time are before it; to be asked where [`Question::is_numbered`].
    pub(super) fn rank(&self) -> u64 {
        match self.lines {
            Held::Block(_) => self.ranks[self.next].into(),
            Held::Journal(_) | Held::Pending(_) => {
                let time = self.line(self.next).0;
                (self.next - self.first_not(0..self.next, |timestamp| timestamp < time)) as u64
            }
        }
    }

    /// Moves to the next line of the answer; `false` where there is none.
    pub(super) fn advance(&mut self, question: &Question) -> bool {
        loop {
            let next = match question.direction {
                Direction::Forward => self.rest.next(),
                Direction::Backward => self.rest.next_back(),
            };
            let Some(next) = next else { return false };
            self.next = next;
            if question.accepts(self.line(next).1, matches!(self.lines, Held::Block(_))) {
                return true;
            }
        }
    }

    /// What it takes in memory.
    pub(super) fn cost_bytes(&self) -> usize {
        let lines = match &self.lines {
            Held::Pending(_) => return 0,
            Held::Journal(lines) | Held::Block(lines) => lines,
        };
        let line_cost = size_of::<Timestamp>() + size_of::<u32>() + self.sorted.as_ref().map_or(0, |_| ROW_COST_BYTES);
        lines.byte_count() + lines.len() * line_cost + (self.later_rows.len() + self.ranks.len()) * ROW_COST_BYTES
    }

    /// The line at `place` in the order of time.
    fn line(&self, place: usize) -> (Timestamp, &[u8]) {
        let position = self.sorted.as_ref().map_or(place, |sorted| sorted[place] as usize);
        self.lines.lines().get(position)
    }

    /// Narrows `rest` to the lines in `range`.
    fn narrow(&mut self, range: TimeRange) {
        let start = self.first_not(self.rest.clone(), |timestamp| timestamp < range.start);
        let end = self.first_not(self.rest.clone(), |timestamp| timestamp < range.end);
        self.rest = start..end;
    }

    /// Narrows `rest` to the lines between two places.
    fn trim(&mut self, trim: Trim) {
        let all = 0..self.lines.lines().len();
        let place = |(time, count): (Timestamp, u64)| {
            let first = self.first_not(all.clone(), |timestamp| timestamp < time);
            let end = self.first_not(all.clone(), |timestamp| timestamp <= time);
            first.saturating_add(usize::try_from(count).unwrap_or(usize::MAX)).min(end)
        };
        let start = trim.from.map_or(self.rest.start, place).max(self.rest.start);
        let end = trim.before.map_or(self.rest.end, place).min(self.rest.end);
        self.rest = start..end.max(start);
    }

    /// The first of `places` whose line is not before what `is_before` says.
    fn first_not(&self, places: Range<usize>, is_before: impl Fn(Timestamp) -> bool) -> usize {
        let (mut low, mut high) = (places.start, places.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if is_before(self.line(middle).0) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl Held {
    fn lines(&self) -> &Lines {
        match self {
            Self::Journal(lines) | Self::Block(lines) => lines,
            Self::Pending(pending) => pending.lines(),
        }
    }
}

/// The lines that are part of the answer, as they are stored.
pub(super) fn accepted<'a>(lines: &'a Lines, question: &'a Question) -> impl Iterator<Item = (Timestamp, &'a [u8])> {
    let may_have_any = question.may_accept_one_of(lines.bytes());
    let lines = may_have_any.then(|| lines.iter()).into_iter().flatten();
    lines.filter(|(timestamp, line)| question.range.contains(*timestamp) && question.accepts(line, false))
}

/// The rows that are part of the answer, in the order of time; those of equal times as they were stored.
pub(super) fn select<S: Source>(block: &Block<S>, question: &Question) -> Result<Vec<u32>, block::Error> {
    let mut rows: Vec<u32> = question.select(block)?.iter().collect();
    if rows.is_empty() {
        return Ok(rows);
    }
    let timestamps_ns = block.timestamps_ns()?;
    if !rows.is_sorted_by_key(|row| timestamps_ns[*row as usize]) {
        rows.sort_by_key(|row| timestamps_ns[*row as usize]);
    }
    Ok(rows)
}

/// The order of time of lines that are not in it; stable.
fn sort_by_time(lines: &Lines) -> Option<Vec<u32>> {
    if lines.timestamps().is_sorted() {
        return None;
    }
    let count = u32::try_from(lines.len()).expect("PENDING_BYTES_MAX bounds lines");
    let mut sorted: Vec<u32> = (0..count).collect();
    sorted.sort_by_key(|position| lines.timestamps()[*position as usize]);
    Some(sorted)
}
