//! How the journal stores a part, one stream's lines in one record: as columns.
//!
//! ```text
//! columns := delta: varint | deltas_bytes: varint | deltas | lengths | text
//! deltas  := zigzag varint*       from line to line; left out where all times are equal
//! lengths := varint*              of each line
//! ```
//!
//! `delta` is the first line's time less the earliest time of the part.

use crate::log_database::bytes::{Cursor, put_varint, unzigzag, zigzag};
use crate::log_database::part::Part;
use crate::model::{LINES_BYTES_MAX, Lines, Timestamp};

/// Most bytes of text in a part that has more than one line. A scan holds one part in memory per stream that has lines
/// at one time, so this times the streams of a machine is what a query needs; smaller parts cost more reads.
pub(super) const PART_BYTES_MAX: usize = 64 << 10;
/// Most lines in a part: bounds the memory for their times and ends where lines are empty.
const PART_LINES_MAX: u32 = 16 << 10;

/// Collects times and lengths of a part's lines; the text itself stays where it is.
#[derive(Debug, Default)]
pub(super) struct PartEncoder {
    deltas: Vec<u8>,
    lengths: Vec<u8>,
    line_count: u32,
    text_bytes: usize,
    first: Timestamp,
    previous: Timestamp,
    earliest: Timestamp,
    latest: Timestamp,
}

/// What the skeleton says of a part, but for its length and checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartSummary {
    pub(super) line_count: u32,
    pub(super) text_bytes: u32,
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
}

impl PartEncoder {
    pub(super) fn is_empty(&self) -> bool {
        self.line_count == 0
    }

    /// Whether a line of `length` bytes belongs into this part rather than into the next.
    pub(super) fn has_room(&self, length: usize) -> bool {
        self.is_empty() || (self.line_count < PART_LINES_MAX && self.text_bytes + length <= PART_BYTES_MAX)
    }

    pub(super) fn push(&mut self, timestamp: Timestamp, length: usize) {
        if self.is_empty() {
            (self.first, self.earliest, self.latest) = (timestamp, timestamp, timestamp);
        } else if timestamp != self.previous || !self.deltas.is_empty() {
            if self.deltas.is_empty() {
                // The times before this one were all equal, and so were left out.
                self.deltas.resize(self.line_count as usize - 1, 0);
            }
            put_varint(&mut self.deltas, zigzag(timestamp.as_ns().wrapping_sub(self.previous.as_ns())));
            self.earliest = self.earliest.min(timestamp);
            self.latest = self.latest.max(timestamp);
        }
        put_varint(&mut self.lengths, length as u64);
        self.previous = timestamp;
        self.line_count += 1;
        self.text_bytes += length;
    }

    /// Appends the columns before the text to `out` and makes room for the next part.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> PartSummary {
        put_varint(out, zigzag(self.first.as_ns().wrapping_sub(self.earliest.as_ns())));
        put_varint(out, self.deltas.len() as u64);
        out.extend_from_slice(&self.deltas);
        out.extend_from_slice(&self.lengths);
        let summary = PartSummary {
            line_count: self.line_count,
            text_bytes: u32::try_from(self.text_bytes).expect("a line fits into Lines, whose ends are 32-bit"),
            earliest: self.earliest,
            latest: self.latest,
        };
        self.deltas.clear();
        self.lengths.clear();
        (self.line_count, self.text_bytes) = (0, 0);
        summary
    }
}

/// Reads a part's columns; `None` where they are not what [`PartEncoder`] writes.
pub(super) fn decode(columns: &[u8], part: &Part) -> Option<Lines> {
    let line_count = part.line_count as usize;
    let text_bytes = part.text_bytes as usize;
    // Each line has a length of at least one byte.
    if columns.len() < line_count || columns.len() < text_bytes || LINES_BYTES_MAX < text_bytes {
        return None;
    }
    let mut cursor = Cursor::new(columns);
    let mut timestamp_ns = part.earliest.as_ns().wrapping_add(unzigzag(cursor.varint()?));
    let mut deltas = Cursor::new(cursor.text()?);
    let mut lengths = cursor.clone();
    let all_equal = deltas.rest().is_empty();
    let text_start = cursor.rest().len().checked_sub(text_bytes)?;
    let mut text = Cursor::new(cursor.rest().get(text_start..)?);
    let mut lines = Lines::with_capacity(line_count, text_bytes);
    for index in 0..line_count {
        if 0 < index && !all_equal {
            timestamp_ns = timestamp_ns.wrapping_add(unzigzag(deltas.varint()?));
        }
        let length = usize::try_from(lengths.varint()?).ok()?;
        lines.push(Timestamp::from_ns(timestamp_ns), text.take(length)?);
    }
    let lengths_end = lengths.rest().len();
    (text.rest().is_empty() && deltas.rest().is_empty() && lengths_end == text_bytes).then_some(lines)
}
