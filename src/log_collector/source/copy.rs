//! Recognises the copy that copytruncate makes of a file, and reads on in it.
//!
//! The copy is another file with the same bytes. What tells that it is one: it begins as the original does, and has the
//! bytes before the offset that the original was read to.

use crate::file;
use crate::log_collector::checkpoint::{self, Position, TAIL_BYTES_MAX};
use crate::log_collector::source::{Delivery, Source};

/// What a source was before its file was truncated.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Former {
    /// How far it had been read, and for whom.
    pub(super) position: Position,
    /// Its first bytes; none where they are not known.
    pub(super) head: Vec<u8>,
}

impl From<Position> for Former {
    fn from(position: Position) -> Self {
        Self { position, head: Vec::new() }
    }
}

impl Source {
    /// Whether the file still has the bytes that were read last.
    pub(in crate::log_collector) fn is_intact(&self) -> Result<bool, file::Error> {
        let tail = self.bytes_before(self.offset, self.tail.len())?;
        Ok(tail == self.tail)
    }

    /// Whether `original` begins with what this file holds, as far as both ends of that tell.
    pub(in crate::log_collector) fn is_beginning_of(&self, original: &Self) -> Result<bool, file::Error> {
        let size = self.file.metadata()?.size_bytes;
        for end in [size.min(TAIL_BYTES_MAX as u64), size] {
            if self.bytes_before(end, TAIL_BYTES_MAX)? != original.bytes_before(end, TAIL_BYTES_MAX)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads on where `former` was, for the same names, if this is a copy of it; returns whether it is.
    pub(in crate::log_collector) fn resume_copy(&mut self, former: &Former) -> Result<bool, file::Error> {
        let Former { position, head } = former;
        let size = self.file.metadata()?.size_bytes;
        let own_head = self.bytes_before(size.min(head.len() as u64), head.len())?;
        if !head.starts_with(&own_head) {
            return Ok(false);
        }
        if position.offset <= size {
            return Ok(self.holds(position)? && self.resume(position)?);
        }
        if own_head.is_empty() {
            return Ok(false);
        }
        // The original went on for a moment after it was copied, and that was read: there is nothing new in the copy.
        let deliveries = position.deliveries.iter();
        self.deliveries = deliveries.map(|known| Delivery::new(known.path.clone(), size)).collect();
        self.seek(size)?;
        Ok(true)
    }

    /// Whether the file has the bytes before the offset of `position`.
    pub(super) fn holds(&self, position: &Position) -> Result<bool, file::Error> {
        let byte_count = usize::from(position.tail_bytes);
        let tail = self.bytes_before(position.offset, byte_count)?;
        Ok(tail.len() == byte_count && checkpoint::tail_md5(&tail) == position.tail_md5)
    }
}
