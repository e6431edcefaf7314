//! Recognises the copy that copytruncate makes of a file, and reads on in it.
//!
//! The copy is another file with the same bytes. What tells that it is one: it begins as the original does, and has the
//! bytes before the offset that the original was read to.

use std::ops::Range;

use crate::file;
use crate::log_collector::checkpoint::{self, Position, TAIL_BYTES_MAX};
use crate::log_collector::source::{Delivery, Reading, Source};
use crate::model::Timestamp;
use crate::status::{Gap, SkipReason};

/// What a source was before its file was truncated.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Former {
    /// How far it had been read, and for whom.
    pub(super) position: Position,
    /// What had been seen of it, and waits to be read in its copy.
    pub(in crate::log_collector) waiting: Range<u64>,
}

impl From<Position> for Former {
    fn from(position: Position) -> Self {
        Self { waiting: position.offset..position.offset, position }
    }
}

impl Former {
    /// Counts what waited as lost: there is no copy.
    pub(in crate::log_collector) fn give_up(&self, path: &str, reading: &Reading<'_>) {
        if !self.waiting.is_empty() {
            let (path, bytes) = (path.to_owned(), self.waiting.clone());
            reading.status.add_gap(Gap { path, bytes, reason: SkipReason::Truncated, found: reading.now });
        }
    }
}

impl Source {
    /// What it is, before it starts over.
    pub(super) fn former(&self, now: Timestamp) -> Former {
        Former { position: self.position(now), waiting: self.waiting() }
    }

    /// Whether the file still has the bytes that were read last.
    pub(in crate::log_collector) fn is_intact(&self) -> Result<bool, file::Error> {
        let tail = self.bytes_before(self.offset, self.tail.len())?;
        Ok(tail == self.tail)
    }

    /// Whether `original` begins with what this file holds, as far as both ends of that tell.
    pub(in crate::log_collector) fn is_beginning_of(&self, original: &Self) -> Result<bool, file::Error> {
        let size = self.content.metadata()?.size_bytes;
        for end in [size.min(TAIL_BYTES_MAX as u64), size] {
            if self.bytes_before(end, TAIL_BYTES_MAX)? != original.bytes_before(end, TAIL_BYTES_MAX)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads on where `former` was, for the same names, if this is a copy of it that was made just before it was
    /// truncated; returns whether it is. What waited of the original waits in the copy; what the copy lacks is lost.
    pub(in crate::log_collector) fn resume_copy(
        &mut self,
        former: &Former,
        reading: &Reading<'_>,
    ) -> Result<bool, file::Error> {
        let size = self.content.metadata()?.size_bytes;
        if self.holds(&former.position)? {
            self.resume(&former.position)?;
        } else if size < former.position.offset && self.common_head(&former.position)?.is_some_and(|count| 0 < count) {
            // The original went on for a moment after it was copied, and that was read: there is nothing new in the copy.
            self.resume_at_end(&former.position, size)?;
        } else {
            return Ok(false);
        }
        self.accounted = self.accounted.max(former.waiting.start.min(size));
        self.seen = self.seen.max(former.waiting.end.min(size));
        let lacking = Former { waiting: size.max(former.waiting.start)..former.waiting.end, ..former.clone() };
        lacking.give_up(&self.state.path, reading);
        Ok(true)
    }

    /// Reads on at byte `size`, for the names of `position`.
    fn resume_at_end(&mut self, position: &Position, size: u64) -> Result<(), file::Error> {
        let deliveries = position.deliveries.iter();
        self.deliveries = deliveries.map(|known| Delivery::new(known.path.clone(), size)).collect();
        self.seek_as_read(size)
    }

    /// Whether the file begins as that of `position` did and has the bytes before its offset.
    pub(in crate::log_collector) fn holds(&self, position: &Position) -> Result<bool, file::Error> {
        let byte_count = usize::from(position.tail_bytes);
        if self.common_head(position)?.is_none() {
            return Ok(false);
        }
        let tail = self.bytes_before(position.offset, byte_count)?;
        Ok(tail.len() == byte_count && checkpoint::tail_md5(&tail) == position.tail_md5)
    }

    /// See [`Position::common_head`].
    pub(super) fn common_head(&self, position: &Position) -> Result<Option<usize>, file::Error> {
        Ok(position.common_head(&self.start()?))
    }
}
