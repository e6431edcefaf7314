//! Recognises the copy that copytruncate makes of a file, and reads on in it.
//!
//! The copy is another file with the same bytes. What tells that it is one: it begins as the original does, and has the
//! bytes before the offset that the original was read to.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use crate::file::{self, Metadata};
use crate::log_collector::checkpoint::{self, ENDLESS, Position, TAIL_BYTES_MAX};
use crate::log_collector::source::delivery::Delivery;
use crate::log_collector::source::head::Head;
use crate::log_collector::source::{Content, Match, Reading, Source};
use crate::model::Timestamp;
use crate::status::{Gap, SkipReason, Status};

/// How much of the ends of two files is compared line by line, to find out whether one was put in the place of the other.
const COMPARED_BYTES_MAX: usize = 256 << 10;

/// The least that two files have to have in common so that one which was rotated while nobody looked counts as a copy.
pub(crate) const COPY_BYTES_MIN: u64 = 64;

/// Stands for the place of a copy among a stream's files: before all, since there is nothing to be read of it. 0 is that of files
/// whose place was not noted.
pub(in crate::log_collector) const COPY_ORDINAL: u64 = 1;

/// What a source was before its file was truncated.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Former {
    /// How far it had been read, and for whom. Boxed, because few sources have a former.
    pub(in crate::log_collector) position: Box<Position>,
    /// What this agent had seen of it, and waits to be read in its copy.
    pub(in crate::log_collector) waiting: Range<u64>,
}

impl Former {
    /// What a source was when `position` was stored; what had been seen of it by then, this agent has not seen.
    pub(in crate::log_collector) fn restored(position: Position) -> Self {
        Self { waiting: position.offset..position.offset, position: Box::new(position) }
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
        let bytes = self.waiting.start..self.position.seen.max(self.waiting.end);
        if !bytes.is_empty() {
            status.bytes_seen.add(bytes.end - self.waiting.end);
            let path = self.first_path().unwrap_or(&self.position.path).to_string_lossy().into_owned();
            status.add_gap(Gap { path, bytes, reason, found: now });
        }
    }
}

/// How a compressed file begins, if it is not too short.
pub(super) fn start_of(content: &Content) -> Option<Box<[u8]>> {
    let start = content.is_compressed().then(|| content.bytes_before(TAIL_BYTES_MAX as u64, TAIL_BYTES_MAX).ok());
    start.flatten().filter(|start| start.len() == TAIL_BYTES_MAX).map(Vec::into_boxed_slice)
}

impl Source {
    /// What it is, before it starts over.
    pub(super) fn former(&self, now: Timestamp) -> Former {
        Former { position: Box::new(self.position(now)), waiting: self.waiting() }
    }

    /// What it would be once it is read to its end.
    pub(in crate::log_collector) fn whole(&self, now: Timestamp) -> Result<Position, file::Error> {
        if self.content.is_compressed() {
            return Ok(self.position(now));
        }
        let size = self.content.metadata()?.size_bytes;
        let tail = self.content.bytes_before(size, TAIL_BYTES_MAX)?;
        let mut head = Head::default();
        head.extend(&self.content.start()?);
        Ok(Position {
            offset: size,
            head: head.hashes().to_vec(),
            tail_bytes: u8::try_from(tail.len()).expect("bounded by TAIL_BYTES_MAX"),
            tail_md5: checkpoint::tail_md5(&tail),
            ..self.position(now)
        })
    }

    /// What the file system says of the file.
    pub(in crate::log_collector) fn metadata(&self) -> Result<Metadata, file::Error> {
        self.content.metadata()
    }

    /// Compares what the file holds with what was read of one up to `position`.
    pub(in crate::log_collector) fn compare(&self, position: &Position) -> Match {
        self.content.compare(position)
    }

    /// Whether the file still has the bytes that were read last.
    pub(in crate::log_collector) fn is_intact(&self) -> Result<bool, file::Error> {
        let tail = self.content.bytes_before(self.offset, self.tail.len())?;
        Ok(tail == self.tail && self.has_its_beginning()?)
    }

    /// Whether `original` begins with what this file holds, as far as both ends of that tell; either may be compressed.
    pub(in crate::log_collector) fn is_beginning_of(&self, original: &Self) -> Result<bool, file::Error> {
        if self.begins_otherwise(original) {
            return Ok(false);
        }
        // How an archive begins is known without decompressing it: a log may have many that are compared with many files.
        let head_of = |source: &Self, byte_count: usize| match &source.start {
            Some(start) if byte_count <= start.len() => Ok(start[..byte_count].to_vec()),
            _ => source.content.bytes_before(byte_count as u64, byte_count),
        };
        let head = head_of(self, TAIL_BYTES_MAX)?;
        if head_of(original, head.len())? != head {
            return Ok(false);
        }
        let has_end = |end: u64, held: &[u8]| Ok(original.content.bytes_before(end, TAIL_BYTES_MAX)? == held);
        let size = self.content.whole_size_bytes()?;
        has_end(size, &self.content.bytes_before(size, TAIL_BYTES_MAX)?)
    }

    /// Whether it and `original` are known to begin otherwise, without a look at either.
    pub(in crate::log_collector) fn begins_otherwise(&self, original: &Self) -> bool {
        self.start.is_some() && original.start.is_some() && self.start != original.start
    }

    /// Whether it is compressed, and that may still be going on.
    pub(in crate::log_collector) fn is_in_the_making(&self) -> bool {
        self.content.is_in_the_making()
    }

    /// Whether it holds enough for nothing but a copy of it to begin in the same way.
    pub(in crate::log_collector) fn is_long_enough(&self) -> Result<bool, file::Error> {
        Ok(COPY_BYTES_MIN <= self.content.size_bytes(0)?)
    }

    /// When the file was last changed in any way, its names included.
    pub(in crate::log_collector) fn changed_ns(&self) -> Option<i64> {
        Some(self.content.metadata().ok()?.changed_ns)
    }

    /// Up to which byte its lines are those of `earlier`, in whose place it was put: a log that was shortened, edited or copied.
    /// 0 where hardly anything is the same.
    pub(in crate::log_collector) fn lines_of(&self, earlier: &Self) -> Result<u64, file::Error> {
        let end_of = |source: &Self| {
            let size = source.content.metadata()?.size_bytes;
            Ok::<_, file::Error>((source.content.bytes_before(size, COMPARED_BYTES_MAX)?, size))
        };
        let ((known, _), (text, size)) = (end_of(earlier)?, end_of(self)?);
        let known: HashSet<&[u8]> = known.split_inclusive(|byte| *byte == b'\n').collect();
        let (mut end, mut known_count, mut last) = (0, 0, (0, 0, 0));
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            end += line.len();
            if line.ends_with(b"\n") && known.contains(line) {
                known_count += 1;
                last = (end, known_count, index + 1);
            }
        }
        let (end, known_count, line_count) = last;
        let is_the_same_log = line_count <= 2 * known_count;
        Ok(if is_the_same_log { size - (text.len() - end) as u64 } else { 0 })
    }

    /// Whether everything it holds has been read in `original`, of which it is the beginning.
    pub(in crate::log_collector) fn is_read_in(&self, original: &Self) -> Result<bool, file::Error> {
        let size = self.content.size_bytes(original.offset)?;
        Ok(0 < size && size <= original.offset)
    }

    /// Counts as read, for the streams of `original`, of which it holds the beginning.
    pub(in crate::log_collector) fn count_as_copy(&mut self, original: &Position) -> Result<(), file::Error> {
        let size = self.content.whole_size_bytes()?;
        let deliveries = original.deliveries.iter().filter(|delivery| delivery.end == ENDLESS);
        self.deliveries = deliveries.map(|it| Delivery::new(it.path.clone(), COPY_ORDINAL, size)).collect();
        self.seek_as_read(size)
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
        match self.content.try_compare(position)? {
            Match::Same | Match::Grown => {
                self.resume(position)?;
            }
            // The original went on for a moment after it was copied, and that was read: there is nothing new in the copy.
            Match::Prefix(head_bytes) if 0 < head_bytes => self.resume_at_end(position, size)?,
            _ => return Ok(false),
        }
        if self.content.is_compressed() {
            // How long it is shows at its end: what it lacks is lost when it is closed.
            let seen = position.seen.max(waiting.end);
            (self.accounted, self.seen) = (self.accounted.max(waiting.start), self.seen.max(seen));
            reading.status.bytes_seen.add(seen - waiting.end);
            return Ok(true);
        }
        self.accounted = self.accounted.max(waiting.start.min(size));
        self.seen = self.seen.max(waiting.end.min(size));
        let held = size.max(waiting.start);
        let lacking = Former { waiting: held..held.max(waiting.end), position: position.clone() };
        lacking.give_up(SkipReason::Truncated, reading.status, reading.now);
        Ok(true)
    }

    /// Reads on at byte `size`, for the names of `position`.
    fn resume_at_end(&mut self, position: &Position, size: u64) -> Result<(), file::Error> {
        let deliveries = position.deliveries.iter();
        self.deliveries = deliveries.map(|it| Delivery::new(it.path.clone(), it.ordinal, size)).collect();
        self.seek_as_read(size)
    }
}
