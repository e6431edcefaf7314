//! A part: one stream's lines in one place of one file. It is what files list, what the index keeps, and what queries
//! read.
//!
//! ```text
//! labels := count: varint (name: text value: text)*
//! part   := bytes: u32 | line_count: u32 | text_bytes: u32 | crc: u32 | earliest: i64 | latest: i64
//! ```

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::log_database::bytes::{Cursor, put_text, put_varint};
use crate::model::{LABELS_MAX, Labels, Timestamp};

/// Where a part is and what it holds. There is one in memory for each part on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it starts: in the file, or in its record's body before the record has a place.
    pub(super) offset: u64,
    /// Its length in the file.
    pub(super) bytes: u32,
    /// How many lines it holds.
    pub(super) line_count: u32,
    /// Bytes of text in its lines.
    pub(super) text_bytes: u32,
    /// The checksum of its bytes.
    pub(super) crc: u32,
    /// The earliest time in it.
    pub(super) earliest: Timestamp,
    /// The latest time in it.
    pub(super) latest: Timestamp,
}

/// Parts stay in memory for as long as their files are kept: 16,000 of a journal hold 1 GB of lines.
const _: () = assert!(size_of::<Part>() <= 48);

impl Part {
    /// The part's place once what it is counted from starts at `start` of its file.
    pub(super) fn placed(mut self, start: u64) -> Self {
        self.offset = self.offset.saturating_add(start);
        self
    }

    /// Where it ends, in bytes from where its offset is counted.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.bytes))
    }

    /// Writes all but the offset.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for field in [self.bytes, self.line_count, self.text_bytes, self.crc] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        for time in [self.earliest, self.latest] {
            out.extend_from_slice(&time.as_ns().to_le_bytes());
        }
    }

    /// Reads what [`Part::put`] writes.
    pub(super) fn take(cursor: &mut Cursor<'_>, offset: u64) -> Option<Self> {
        Some(Self {
            offset,
            bytes: cursor.u32()?,
            line_count: cursor.u32()?,
            text_bytes: cursor.u32()?,
            crc: cursor.u32()?,
            earliest: cursor.timestamp()?,
            latest: cursor.timestamp()?,
        })
    }
}

pub(super) fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    put_varint(out, labels.iter().len() as u64);
    for (name, value) in labels.iter() {
        put_text(out, name.as_bytes());
        put_text(out, value.as_bytes());
    }
}

pub(super) fn take_labels(cursor: &mut Cursor<'_>) -> Option<Labels> {
    let count = cursor.count().filter(|count| *count <= LABELS_MAX)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        pairs.push((std::str::from_utf8(cursor.text()?).ok()?, std::str::from_utf8(cursor.text()?).ok()?));
    }
    Labels::new(pairs).ok()
}

/// A stream's parts in one file, in the order they were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamParts {
    pub(super) labels: Labels,
    pub(super) parts: Vec<Part>,
}

/// The parts of one file that could be read when they were written or recovered, and no longer can.
#[derive(Debug, Default)]
pub(super) struct Unreadable(Mutex<BTreeSet<u64>>);

impl Unreadable {
    /// Counts a part, and logs it the first time.
    pub(super) fn add(&self, path: &Path, part: &Part, problem: &str) {
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(part.offset);
        if is_new {
            let (line_count, offset) = (part.line_count, part.offset);
            log::error!("{line_count} lines at byte {offset} of {} are left out: {problem}", path.display());
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
