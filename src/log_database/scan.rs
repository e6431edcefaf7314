//! Reads the entries that a selection asks for, in time order across streams.
//!
//! A heap holds the parts that have not been opened, by the earliest time (backwards: the latest) they may have; another
//! holds the open ones, by the time of their next line. A part is opened when no open one has an earlier line, so memory
//! is one part per stream that has lines at one time, whatever the length of the answer.
//!
//! Order: by time, then by labels, then as appended. The place among other streams' lines of the same time thus depends
//! on nothing but the labels: it is the same before and after a commit, and will be when streams are stored apart.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::memmem::Finder;

use crate::log_database::Error;
use crate::log_database::index::Index;
use crate::log_database::snapshot::{PendingLines, StreamView};
use crate::model::{Direction, Labels, LineFilter, Lines, Selection, TimeRange, Timestamp};

/// Most bytes of parts that a scan holds in memory at one time: a thousand busy streams. Above, the machine's other work
/// is worth more than the query.
pub const OPEN_BYTES_MAX: usize = 64 << 20;

/// One entry of an answer, borrowed from the scan that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// When it was logged.
    pub timestamp: Timestamp,
    /// Where it comes from.
    pub labels: &'a Labels,
    /// Its bytes, without a newline at the end.
    pub line: &'a [u8],
}

/// The entries that a selection asks for, read as they are asked for.
#[derive(Debug)]
pub struct Scan {
    index: Arc<Index>,
    /// Sorted by labels.
    streams: Vec<(Labels, StreamView)>,
    range: TimeRange,
    filters: Vec<Finder<'static>>,
    direction: Direction,
    /// How many more entries may be returned; `None` for all.
    remaining: Option<usize>,
    unopened: BinaryHeap<Reverse<Key>>,
    open: BinaryHeap<OpenPart>,
    open_bytes: usize,
    /// Whether the line on top of `open` was returned and has to make way.
    is_top_returned: bool,
    /// Whether nobody waits for the answer any more; whoever sets it does so from outside.
    is_abandoned: Option<Arc<AtomicBool>>,
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

/// A part whose lines are in memory.
#[derive(Debug)]
struct OpenPart {
    /// Of the next line.
    key: Key,
    lines: OpenLines,
    /// The lines by time where they are not in that order already.
    sorted: Option<Vec<u32>>,
    /// The places, in the order of time, of the lines that are to come.
    rest: Range<usize>,
    /// The place of the next line.
    next: usize,
    /// What it counts towards [`OPEN_BYTES_MAX`].
    bytes: usize,
}

#[derive(Debug)]
enum OpenLines {
    Stored(Lines),
    Pending(PendingLines),
}

impl PartialEq for OpenPart {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for OpenPart {}

impl PartialOrd for OpenPart {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The sooner a part's next line comes, the greater the part: the heap's top is next. Keys of open parts differ.
impl Ord for OpenPart {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.key.cmp(&self.key)
    }
}

impl OpenPart {
    fn lines(&self) -> &Lines {
        match &self.lines {
            OpenLines::Stored(lines) => lines,
            OpenLines::Pending(pending) => pending.lines(),
        }
    }

    /// The line at `place` in the order of time.
    fn line(&self, place: usize) -> (Timestamp, &[u8]) {
        let position = self.sorted.as_ref().map_or(place, |sorted| sorted[place] as usize);
        self.lines().get(position)
    }

    /// Narrows `rest` to the lines in `range`.
    fn narrow(&mut self, range: TimeRange) {
        let first_not = |is_before: &dyn Fn(Timestamp) -> bool| {
            let (mut low, mut high) = (self.rest.start, self.rest.end);
            while low < high {
                let middle = usize::midpoint(low, high);
                if is_before(self.line(middle).0) { low = middle + 1 } else { high = middle }
            }
            low
        };
        self.rest = first_not(&|timestamp| timestamp < range.start)..first_not(&|timestamp| timestamp < range.end);
    }

    /// Moves to the next line; `false` where there is none.
    fn advance(&mut self, direction: Direction) -> bool {
        let next = match direction {
            Direction::Forward => self.rest.next(),
            Direction::Backward => self.rest.next_back(),
        };
        let Some(next) = next else { return false };
        self.next = next;
        let timestamp_ns = self.line(next).0.as_ns();
        self.key.timestamp_ns = match direction {
            Direction::Forward => timestamp_ns,
            Direction::Backward => !timestamp_ns,
        };
        true
    }
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

impl Scan {
    pub(super) fn new(index: Arc<Index>, streams: Vec<(Labels, StreamView)>, selection: &Selection) -> Self {
        let mut unopened = Vec::new();
        for (stream, (_, view)) in (0..).zip(&streams) {
            for (part, (earliest, latest)) in (0..).zip(view.time_bounds()) {
                if selection.range.overlaps(earliest, latest) {
                    let timestamp = match selection.direction {
                        Direction::Forward => earliest,
                        Direction::Backward => latest,
                    };
                    let key = Key { timestamp_ns: timestamp.as_ns(), stream, part };
                    unopened.push(Reverse(key.directed(selection.direction)));
                }
            }
        }
        let filters = selection.filters.iter().map(|filter| match filter {
            LineFilter::Contains(needle) => Finder::new(needle).into_owned(),
        });
        Self {
            index,
            streams,
            range: selection.range,
            filters: filters.collect(),
            direction: selection.direction,
            remaining: selection.limit,
            unopened: unopened.into(),
            open: BinaryHeap::new(),
            open_bytes: 0,
            is_top_returned: false,
            is_abandoned: None,
        }
    }

    /// Ends the scan with [`Error::Abandoned`] soon after `is_abandoned` is set, wherever it is at that time.
    #[must_use]
    pub fn unless(mut self, is_abandoned: Arc<AtomicBool>) -> Self {
        self.is_abandoned = Some(is_abandoned);
        self
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    ///
    /// - [`Error::ScanTooWide`]: too many streams have lines at this time. The scan is over.
    /// - [`Error::Abandoned`]: see [`Scan::unless`].
    // Not an `Iterator`: the entry borrows from the scan, so that no line is copied.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items cannot borrow from it")]
    pub fn next(&mut self) -> Result<Option<EntryRef<'_>>, Error> {
        if self.remaining == Some(0) || !self.find_next()? {
            return Ok(None);
        }
        if let Some(remaining) = &mut self.remaining {
            *remaining -= 1;
        }
        let part = self.open.peek().expect("find_next found a line in it");
        let (timestamp, line) = part.line(part.next);
        let stream = part.key.directed(self.direction).stream;
        let labels = &self.streams[stream as usize].0;
        Ok(Some(EntryRef { timestamp, labels, line }))
    }

    /// Puts the part whose next line is the next of the answer on top; `false` at the end.
    fn find_next(&mut self) -> Result<bool, Error> {
        loop {
            if std::mem::take(&mut self.is_top_returned) {
                self.advance_top();
            }
            self.open_due_parts()?;
            let Some(part) = self.open.peek() else { return Ok(false) };
            let (_, line) = part.line(part.next);
            self.is_top_returned = true;
            if self.filters.iter().all(|filter| filter.find(line).is_some()) {
                return Ok(true);
            }
        }
    }

    fn advance_top(&mut self) {
        let Some(mut top) = self.open.peek_mut() else { return };
        if !top.advance(self.direction) {
            self.open_bytes -= PeekMut::pop(top).bytes;
        }
    }

    /// Opens every part that may have a line before the next one of all open parts.
    fn open_due_parts(&mut self) -> Result<(), Error> {
        while let Some(Reverse(key)) = self.unopened.peek().copied() {
            if self.open.peek().is_some_and(|open| open.key < key) {
                break;
            }
            if self.is_abandoned.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return Err(Error::Abandoned);
            }
            self.unopened.pop();
            let Some(part) = self.open_part(key) else { continue };
            self.open_bytes += part.bytes;
            if OPEN_BYTES_MAX < self.open_bytes {
                self.unopened.clear();
                self.open.clear();
                return Err(Error::ScanTooWide);
            }
            self.open.push(part);
        }
        Ok(())
    }

    /// Reads a part; `None` where it has no line to return.
    fn open_part(&self, key: Key) -> Option<OpenPart> {
        let place = key.directed(self.direction);
        let view = &self.streams[place.stream as usize].1;
        let stored_count = view.stored.as_ref().map_or(0, |stream| stream.len());
        let (lines, bytes) = if let Some(position) = (place.part as usize).checked_sub(stored_count) {
            (OpenLines::Pending(view.pending[position].clone()), 0)
        } else {
            let part = view.stored.as_ref()?.get(place.part as usize)?;
            let lines = self.index.files.get(&part.sequence)?.read(part)?;
            (OpenLines::Stored(lines), part.bytes as usize)
        };
        let mut part = OpenPart { key, lines, sorted: None, rest: 0..0, next: 0, bytes };
        // A needle that is not even in the text of all lines is in none of them.
        if !self.filters.iter().all(|filter| filter.find(part.lines().bytes()).is_some()) {
            return None;
        }
        part.sorted = sort_by_time(part.lines());
        part.rest = 0..part.lines().len();
        part.narrow(self.range);
        part.advance(self.direction).then_some(part)
    }
}
