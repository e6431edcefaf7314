//! Reads the entries that a selection asks for, in time order across streams.
//!
//! A heap holds the parts that have not been opened, by the earliest time (backwards: the latest) they may have; another
//! holds the open ones, by the time of their next line. A part is opened when no open one has an earlier line, so memory
//! is one part per stream that has lines at one time, whatever the length of the answer. A block is asked for the rows
//! that the answer needs, and only those are put together, a window of them at a time. As long as most blocks have none,
//! several are read at once.
//!
//! Order: by time, then by labels, then as appended. The place among other streams' lines of the same time thus depends
//! on nothing but the labels: it is the same before and after a commit, and in the journal as in segments.

mod count;
mod filter;
mod fold;
mod parallel;
mod part;
mod patterns;
mod place;
mod sieve;
mod stored;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::index::StoredIn;
use crate::log_database::part::Part;
use crate::log_database::scan::part::{OpenLines, Question, Window};
use crate::log_database::scan::place::{StreamBounds, TimeCounter};
use crate::log_database::scan::sieve::Sieve;
use crate::log_database::snapshot::{PendingLines, StreamView};
use crate::model::budget::{Budget, Refusal};
use crate::model::{Direction, Labels, LogEntry, Selection, TimeRange, Timestamp};

pub use count::{Count, StreamCounts};
pub use fold::{BlockColumns, Fold, Folder, Overview};
pub use patterns::{Classify, Pattern, PatternCount};
pub use place::{Bounds, Place, StreamTimes, stream_id};
pub use stored::StoredOrder;

/// Most text of a block that is put together at once, in bytes; less where many streams are read.
const WINDOW_BYTES_MAX: usize = 4 << 20;
/// The least: as much as a part of the journal holds.
const WINDOW_BYTES_MIN: usize = 64 << 10;

/// What a line of a part takes in memory while the part is read, beside its text, in bytes: its time, its end and its row.
const READ_LINE_COST_BYTES: usize = 16;
/// Most blocks that are read at a time, while most of them have nothing for the answer or all of them are due.
const BATCH_MAX: usize = 64;
/// Where many streams have lines at one time, each block is at first asked for its share of the lines that are asked for, so
/// many times over, and for these at least.
const SHARES: usize = 2;
const SHARE_LINES_MIN: usize = 16;

/// Once so many blocks are read at a time because most have nothing, the filters of segments are asked.
const SIEVE_BATCH_MIN: usize = 8;

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is an entry: [`Scan::entry`].
    Entry,
    /// There was no time to look on; the next call does.
    Paused,
    /// There is no further entry.
    End,
}

/// The entries that a selection asks for, read as they are asked for.
#[derive(Debug)]
pub struct Scan {
    /// Sorted by labels as they are stored.
    streams: Vec<(Labels, StreamView)>,
    /// Which part of the order is asked for, as each stream sees it.
    bounds: Vec<StreamBounds>,
    /// Counts what entries are numbered by.
    times: TimeCounter,
    /// Lines and bytes in the parts that were looked at.
    seen: (u64, u64),
    /// What is asked of lines.
    question: Question,
    /// What is asked of lines that are followed by metadata.
    question_of_texts: Box<Question>,
    window_bytes: usize,
    /// How many blocks are read at a time.
    batch: usize,
    /// Whether blocks were left out that the filters of their segments rule out.
    is_sieved: bool,
    /// How many more entries may be returned; `None` for all.
    remaining: Option<usize>,
    unopened: BinaryHeap<Reverse<Key>>,
    open: BinaryHeap<OpenPart>,
    /// Taken from the budget for them.
    open_bytes: usize,
    /// Whether the line on top of `open` was returned and has to make way.
    is_top_returned: bool,
    budget: Arc<Budget>,
}

/// A place in the order of a scan; mirrored for [`Direction::Backward`], so that less is always sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    timestamp_ns: i64,
    /// Which of [`Scan::streams`].
    stream: u32,
    /// Which of the stream's parts, pending ones last.
    part: u32,
}

impl Key {
    /// Mirrors the key or, applied again, restores it.
    fn directed(self, direction: Direction) -> Self {
        match direction {
            Direction::Forward => self,
            Direction::Backward => Self { timestamp_ns: !self.timestamp_ns, stream: !self.stream, part: !self.part },
        }
    }
}

/// A part whose next line is in memory.
#[derive(Debug)]
struct OpenPart {
    /// Of the next line.
    key: Key,
    lines: OpenLines,
    /// The parts of its stream before it that may have a time that it has; where entries are numbered.
    earlier: Vec<u32>,
    /// What it takes of the budget.
    bytes: usize,
}

impl OpenPart {
    /// `key` is the part's own; its time becomes that of the next line.
    fn new(key: Key, direction: Direction, lines: OpenLines, earlier: Vec<u32>) -> Self {
        let bytes = lines.cost_bytes() + size_of_val(earlier.as_slice());
        let mut part = Self { key, lines, earlier, bytes };
        part.update_key(direction);
        part
    }

    fn update_key(&mut self, direction: Direction) {
        let timestamp_ns = self.lines.next_line().0.as_ns();
        self.key = Key { timestamp_ns, ..self.key.directed(direction) }.directed(direction);
    }
}

impl PartialEq for OpenPart {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for OpenPart {}

impl PartialOrd for OpenPart {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The sooner a part's next line comes, the greater the part: the heap's top is next. Keys of open parts differ.
impl Ord for OpenPart {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl Scan {
    pub(super) fn new(streams: Vec<(Labels, StreamView)>, selection: &Selection, bounds: &Bounds) -> Self {
        let mut range = selection.range;
        if let Some(from) = &bounds.from {
            range.start = range.start.max(from.timestamp);
        }
        if let Some(before) = &bounds.before {
            range.end = range.end.min(Timestamp::from_ns(before.timestamp.as_ns().saturating_add(1)));
        }
        let mut unopened = Vec::new();
        for (stream, (_, view)) in (0..).zip(&streams) {
            for (part, (earliest, latest)) in (0..).zip(view.time_bounds()) {
                if range.overlaps(earliest, latest) {
                    let timestamp = match selection.direction {
                        Direction::Forward => earliest,
                        Direction::Backward => latest,
                    };
                    let key = Key { timestamp_ns: timestamp.as_ns(), stream, part };
                    unopened.push(Reverse(key.directed(selection.direction)));
                }
            }
        }
        let scan = Self {
            bounds: streams.iter().map(|(_, view)| bounds.of_stream(view)).collect(),
            streams,
            times: TimeCounter::default(),
            seen: (0, 0),
            question: Question::new(range, selection.direction, &selection.filters),
            question_of_texts: Box::new(Question::of_texts(range, selection.direction, &selection.filters)),
            window_bytes: 0,
            batch: 1,
            is_sieved: false,
            remaining: selection.limit,
            unopened: unopened.into(),
            open: BinaryHeap::new(),
            open_bytes: 0,
            is_top_returned: false,
            budget: Arc::default(),
        };
        scan.within(Arc::default())
    }

    /// Takes the memory to read with from `budget`, and ends where that is cancelled.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        // All streams may have a block open at one time, and half of the memory is for what is not in blocks.
        let window_bytes = budget.bytes_max() / 2 / self.streams.len().max(1);
        self.window_bytes = window_bytes.clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        self.question.set_budget(&budget);
        self.question_of_texts.set_budget(&budget);
        self.budget = budget;
        self
    }

    /// Makes the scan keep the place of each entry.
    pub(super) fn numbered(mut self) -> Self {
        self.question.is_numbered = true;
        self.question_of_texts.is_numbered = true;
        self
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`]: so many streams have lines at this time that the budget does not suffice, or it was cancelled.
    /// The scan is over.
    // Not an `Iterator`: the entry borrows from the scan, so that no line is copied.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items cannot borrow from it")]
    pub fn next(&mut self) -> Result<Option<LogEntry<'_>>, Error> {
        self.find(&|| false)?;
        Ok(self.entry())
    }

    /// Looks for the next entry until `is_pause_due`, which is asked now and then.
    ///
    /// # Errors
    ///
    /// See [`Scan::next`].
    pub fn find(&mut self, is_pause_due: &dyn Fn() -> bool) -> Result<Found, Error> {
        if self.remaining == Some(0) {
            self.end();
            return Ok(Found::End);
        }
        match self.find_next(is_pause_due) {
            Ok(true) => {}
            Ok(false) => return Ok(Found::Paused),
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        if self.open.is_empty() {
            return Ok(Found::End);
        }
        self.is_top_returned = true;
        if let Some(remaining) = &mut self.remaining {
            *remaining -= 1;
        }
        Ok(Found::Entry)
    }

    /// The entry that was found; `None` where there was none.
    pub fn entry(&self) -> Option<LogEntry<'_>> {
        let part = self.open.peek().filter(|_| self.is_top_returned)?;
        let (timestamp, line) = part.lines.next_line();
        let (line, metadata) = self.question_for(part.key).split(line);
        let labels = &self.stream(part.key).0;
        Some(LogEntry { timestamp, labels, line, metadata })
    }

    /// The labels that the stream of the entry that was found is stored with, a mark of metadata included, and how many
    /// entries of that stream with its time were stored before it; for scans within [`Bounds`].
    pub fn number(&self) -> Option<(&Labels, u64)> {
        let part = self.open.peek().filter(|_| self.is_top_returned)?;
        let key = part.key.directed(self.question.direction);
        let view = &self.streams[key.stream as usize].1;
        let time = Timestamp::from_ns(key.timestamp_ns);
        let before = self.times.count(key.stream, view, &part.earlier, time);
        Some((&view.stored_labels, before + part.lines.rank()))
    }

    /// The streams that are read, each with the labels that it is shown with and those that it is stored with, a mark of
    /// metadata included.
    pub fn streams(&self) -> impl ExactSizeIterator<Item = (&Labels, &Labels)> {
        self.streams.iter().map(|(shown, view)| (shown, &view.stored_labels))
    }

    /// How many lines, and bytes of text, there are in what was looked at so far.
    pub fn seen(&self) -> (u64, u64) {
        self.seen
    }

    /// The time up to which everything was looked at; `None` at the end.
    pub fn reached(&self) -> Option<Timestamp> {
        let unopened = self.unopened.peek().map(|Reverse(key)| *key);
        let key = self.open.peek().map(|part| part.key).into_iter().chain(unopened).min()?;
        Some(Timestamp::from_ns(key.directed(self.question.direction).timestamp_ns))
    }

    /// The times that are asked for.
    pub fn range(&self) -> TimeRange {
        self.question.range
    }

    /// Brings the part with the next line to the top; `false` where a pause came first.
    fn find_next(&mut self, is_pause_due: &dyn Fn() -> bool) -> Result<bool, Error> {
        if std::mem::take(&mut self.is_top_returned) {
            self.budget.check()?;
            self.advance_top()?;
        }
        self.open_due_parts(is_pause_due)
    }

    /// Lets go of everything; nothing comes after it.
    fn end(&mut self) {
        self.unopened.clear();
        self.open.clear();
        self.budget.give_back(std::mem::take(&mut self.open_bytes));
    }

    /// Moves the part on top to its next line, which may have to be read.
    fn advance_top(&mut self) -> Result<(), Error> {
        let Some(mut top) = self.open.peek_mut() else { return Ok(()) };
        let stream = top.key.directed(self.question.direction).stream;
        let has_metadata = self.streams[stream as usize].1.has_metadata;
        let question = if has_metadata { &self.question_of_texts } else { &self.question };
        if top.lines.advance(question) {
            top.update_key(self.question.direction);
            return Ok(());
        }
        let OpenPart { key, lines, earlier, bytes } = PeekMut::pop(top);
        self.open_bytes -= bytes;
        self.budget.give_back(bytes);
        match self.read_later(key, lines, earlier)? {
            Some(part) => self.add(part),
            None => Ok(()),
        }
    }

    /// Opens every part that may have a line before the next one of all open parts, and perhaps some after them; `false`
    /// where a pause came first.
    fn open_due_parts(&mut self, is_pause_due: &dyn Fn() -> bool) -> Result<bool, Error> {
        let mut has_read = false;
        while let Some(Reverse(key)) = self.unopened.peek().copied() {
            if self.open.peek().is_some_and(|open| open.key < key) {
                break;
            }
            if has_read && is_pause_due() {
                return Ok(false);
            }
            let keys = self.take_batch();
            // All of them together take no more memory than one alone would.
            let text_bytes = (self.window_bytes / keys.len()).max(WINDOW_BYTES_MIN);
            let window = Window { text_bytes, line_count: self.share() };
            let parts = parallel::map(&keys, |key| self.read_part(*key, window)).into_iter();
            let parts: Vec<Option<OpenPart>> = parts.collect::<Result<_, _>>()?;
            let empty_count = parts.iter().filter(|part| part.is_none()).count();
            let are_most_empty = keys.len() <= 2 * empty_count;
            for part in parts.into_iter().flatten() {
                self.add(part)?;
            }
            self.note_seen(&keys);
            has_read = true;
            // What comes before the next line of all open parts has to be read before that can be returned.
            let next = self.unopened.peek().map(|Reverse(key)| *key);
            let is_due = next.is_some_and(|key| self.open.peek().is_none_or(|open| key < open.key));
            self.batch = if are_most_empty || is_due { self.batch * 2 } else { 1 };
            if are_most_empty && SIEVE_BATCH_MIN <= self.batch {
                self.sieve();
            }
        }
        Ok(true)
    }

    /// Leaves out the blocks that have nothing for the answer, as far as filters tell.
    fn sieve(&mut self) {
        if std::mem::replace(&mut self.is_sieved, true) {
            return;
        }
        let unopened = std::mem::take(&mut self.unopened).into_vec();
        let has_metadata = |key: Key| self.stream(key).1.has_metadata;
        let plain = unopened.iter().filter(|Reverse(key)| !has_metadata(*key));
        let files = plain.filter_map(|Reverse(key)| Some(self.stored(*key)?.0));
        let sieve = Sieve::new(&self.question.required(), files);
        let may_have_any = |key: Key| {
            let stored = self.stored(key);
            has_metadata(key) || stored.is_none_or(|(file, part)| sieve.may_have_any(file, part))
        };
        let (kept, left_out): (Vec<_>, Vec<_>) = unopened.into_iter().partition(|Reverse(key)| may_have_any(*key));
        self.unopened = kept.into();
        self.note_seen(&left_out.into_iter().map(|Reverse(key)| key).collect::<Vec<_>>());
    }

    /// How many lines a block is asked for at first.
    fn share(&self) -> usize {
        let remaining = self.remaining.unwrap_or(usize::MAX);
        let share = (remaining / self.streams.len().max(1)).saturating_mul(SHARES);
        remaining.min(share.max(SHARE_LINES_MIN))
    }

    fn note_seen(&mut self, keys: &[Key]) {
        for key in keys {
            let (lines, bytes) = match (self.stored(*key), self.pending(*key)) {
                (Some((_, part)), _) => (part.line_count.into(), part.text_bytes.into()),
                (None, Some(pending)) => (pending.lines().len() as u64, pending.lines().byte_count() as u64),
                (None, None) => (0, 0),
            };
            self.seen = (self.seen.0 + lines, self.seen.1 + bytes);
        }
    }

    /// The next blocks to be read; or the next part of the journal, which is read faster than a thread is started.
    fn take_batch(&mut self) -> Vec<Key> {
        // The other core has nothing else to do for this query, though the first block may be enough.
        self.batch = self.batch.clamp(parallel::thread_count(), BATCH_MAX);
        let mut keys: Vec<Key> = Vec::new();
        while let Some(Reverse(key)) = self.unopened.peek().copied() {
            let is_block = self.is_block(key);
            if self.batch <= keys.len() || (!is_block && !keys.is_empty()) {
                break;
            }
            self.unopened.pop();
            keys.push(key);
            if !is_block {
                break;
            }
        }
        keys
    }

    fn add(&mut self, part: OpenPart) -> Result<(), Error> {
        self.budget.take(part.bytes)?;
        self.open_bytes += part.bytes;
        self.open.push(part);
        Ok(())
    }

    /// Reads a part; `None` where it has no line to return.
    fn read_part(&self, key: Key, window: Window) -> Result<Option<OpenPart>, Refusal> {
        let place = key.directed(self.question.direction);
        let (view, bounds) = (&self.stream(key).1, self.bounds[place.stream as usize]);
        let earlier = |times| view.parts_before(place.part, times);
        let trim =
            |times| bounds.of_part(times, |time| self.times.count(place.stream, view, &earlier((time, time)), time));
        let lines = if let Some((file, part)) = self.stored(key) {
            let trim = trim((part.earliest, part.latest));
            while_reading(&self.budget, part, || OpenLines::of_part(file, part, self.question_for(key), window, trim))?
        } else {
            let pending = self.pending(key).expect("a part is committed or pending");
            let trim = pending.lines().time_bounds().map(trim).unwrap_or_default();
            OpenLines::of_pending(pending.clone(), self.question_for(key), trim)
        };
        let Some(lines) = lines else { return Ok(None) };
        let earlier = match view.part_times(place.part) {
            Some(times) if self.question.is_numbered => earlier(times),
            _ => Vec::new(),
        };
        Ok(Some(OpenPart::new(key, self.question.direction, lines, earlier)))
    }

    /// A part that is not committed.
    fn pending(&self, key: Key) -> Option<&PendingLines> {
        let place = key.directed(self.question.direction);
        self.stream(key).1.pending_part(place.part as usize)
    }

    /// Where a part is; `None` for one that is not committed.
    fn stored(&self, key: Key) -> Option<(&StoredIn, &Part)> {
        let place = key.directed(self.question.direction);
        self.stream(key).1.stored.as_ref()?.get(place.part as usize)
    }

    /// The stream that a part belongs to.
    fn stream(&self, key: Key) -> &(Labels, StreamView) {
        &self.streams[key.directed(self.question.direction).stream as usize]
    }

    fn question_for(&self, key: Key) -> &Question {
        if self.stream(key).1.has_metadata { &self.question_of_texts } else { &self.question }
    }

    fn is_block(&self, key: Key) -> bool {
        self.stored(key).is_some_and(|(file, _)| matches!(file, StoredIn::Segment(_)))
    }

    /// Reads the lines after those of a part that were all returned; `None` where there are none.
    fn read_later(&self, key: Key, lines: OpenLines, earlier: Vec<u32>) -> Result<Option<OpenPart>, Refusal> {
        let Some((file, part)) = self.stored(key) else { return Ok(None) };
        let later =
            while_reading(&self.budget, part, || lines.later(file, part, self.question_for(key), self.window()))?;
        Ok(later.map(|later| OpenPart::new(key, self.question.direction, later, earlier)))
    }

    fn window(&self) -> Window {
        Window { text_bytes: self.window_bytes, line_count: self.remaining.unwrap_or(usize::MAX) }
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.budget.give_back(self.open_bytes);
    }
}

/// Takes the memory that it takes to look into a part while `read` does.
fn while_reading<T>(budget: &Budget, part: &Part, read: impl FnOnce() -> T) -> Result<T, Refusal> {
    let bytes = part.text_bytes as usize + part.line_count as usize * READ_LINE_COST_BYTES;
    budget.take(bytes)?;
    let result = read();
    budget.give_back(bytes);
    // What was read after it was cancelled is not whole.
    budget.check()?;
    Ok(result)
}
