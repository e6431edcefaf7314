//! Recognises the copy that copytruncate makes of a file, and reads on in it.
//!
//! The copy is another file with the same bytes. What tells that it is one: it begins as the original does, and has the
//! bytes before the offset that the original was read to.

use std::ops::Range;
use std::path::Path;

use crate::file;
use crate::log_collector::checkpoint::{Position, TAIL_BYTES_MAX};
use crate::log_collector::source::{Delivery, Reading, Source};
use crate::model::Timestamp;
use crate::status::{Gap, SkipReason, Status};

/// What a source was before its file was truncated.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Former {
    /// How far it had been read, and for whom. Boxed, because few sources have a former.
    pub(super) position: Box<Position>,
    /// What had been seen of it, and waits to be read in its copy.
    pub(in crate::log_collector) waiting: Range<u64>,
}

impl Former {
    /// What a source was when `position` was stored. What was seen of it then is seen from now on.
    pub(in crate::log_collector) fn restored(position: Position, status: &Status) -> Self {
        status.bytes_seen.add(position.seen - position.offset);
        Self { waiting: position.offset..position.seen, position: Box::new(position) }
    }

    /// How far it had been read.
    pub(in crate::log_collector) fn offset(&self) -> u64 {
        self.position.offset
    }

    /// The first name it delivered to, as seen under the root path.
    pub(in crate::log_collector) fn first_path(&self) -> Option<&Path> {
        self.position.deliveries.first().map(|delivery| delivery.path.as_path())
    }

    /// Counts what waited as lost for `reason`: there is no copy.
    pub(in crate::log_collector) fn give_up(&self, reason: SkipReason, status: &Status, now: Timestamp) {
        if !self.waiting.is_empty() {
            let path = self.first_path().unwrap_or(&self.position.path).to_string_lossy().into_owned();
            status.add_gap(Gap { path, bytes: self.waiting.clone(), reason, found: now });
        }
    }
}

impl Source {
    /// What it is, before it starts over.
    pub(super) fn former(&self, now: Timestamp) -> Former {
        Former { position: Box::new(self.position(now)), waiting: self.waiting() }
    }

    /// Whether the file still has the bytes that were read last.
    pub(in crate::log_collector) fn is_intact(&self) -> Result<bool, file::Error> {
        let tail = self.content.bytes_before(self.offset, self.tail.len())?;
        Ok(tail == self.tail)
    }

    /// Whether `original` begins with what this file holds, as far as both ends of that tell.
    pub(in crate::log_collector) fn is_beginning_of(&self, original: &Self) -> Result<bool, file::Error> {
        let size = self.content.metadata()?.size_bytes;
        for end in [size.min(TAIL_BYTES_MAX as u64), size] {
            if self.content.bytes_before(end, TAIL_BYTES_MAX)? != original.content.bytes_before(end, TAIL_BYTES_MAX)? {
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
        let Former { position, waiting } = former;
        let size = self.content.size_bytes(waiting.end)?;
        if self.content.holds(position)? {
            self.resume(position)?;
        } else if size < position.offset && position.common_head(&self.content.start()?).is_some_and(|count| 0 < count)
        {
            // The original went on for a moment after it was copied, and that was read: there is nothing new in the copy.
            self.resume_at_end(position, size)?;
        } else {
            return Ok(false);
        }
        self.accounted = self.accounted.max(waiting.start.min(size));
        self.seen = self.seen.max(waiting.end.min(size));
        let lacking = Former { waiting: size.max(waiting.start)..waiting.end, position: position.clone() };
        lacking.give_up(SkipReason::Truncated, reading.status, reading.now);
        Ok(true)
    }

    /// Reads on at byte `size`, for the names of `position`.
    fn resume_at_end(&mut self, position: &Position, size: u64) -> Result<(), file::Error> {
        let deliveries = position.deliveries.iter();
        self.deliveries = deliveries.map(|known| Delivery::new(known.path.clone(), size)).collect();
        self.seek_as_read(size)
    }
}
