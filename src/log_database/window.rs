//! Reads a file front to back through one buffer.

use memchr::memmem;

use crate::log_database::storage::{self, StoredFile};

/// How much is read at once, in bytes; more only where more is asked for.
pub(super) const WINDOW_BYTES: usize = 256 << 10;

/// A buffer that moves over a file.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: &'a dyn StoredFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// A window over the first `end` bytes of `file`.
    pub(super) fn new(file: &'a dyn StoredFile, end: u64) -> Self {
        Self { file, end, start: 0, bytes: Vec::new() }
    }

    /// Nothing from here on is read.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// `count` bytes at `offset`; `None` where the file ends before.
    pub(super) fn get(&mut self, offset: u64, count: usize) -> storage::Result<Option<&[u8]>> {
        let rest = self.end.saturating_sub(offset);
        if rest < count as u64 {
            return Ok(None);
        }
        if self.buffered(offset, count).is_none() {
            let length = usize::try_from(rest).unwrap_or(usize::MAX).min(count.max(WINDOW_BYTES));
            self.bytes.resize(length, 0);
            let read = self.file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.start = offset;
        }
        Ok(self.buffered(offset, count))
    }

    /// Where `text` stands first from `offset` on.
    pub(super) fn find(&mut self, text: &[u8], mut offset: u64) -> storage::Result<Option<u64>> {
        loop {
            let rest = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
            let Some(bytes) = self.get(offset, rest.min(WINDOW_BYTES))? else { return Ok(None) };
            if let Some(position) = memmem::find(bytes, text) {
                return Ok(Some(offset + position as u64));
            }
            // The text may begin at the window's end.
            let searched = bytes.len().saturating_sub(text.len() - 1);
            if searched == 0 {
                return Ok(None);
            }
            offset += searched as u64;
        }
    }

    fn buffered(&self, offset: u64, count: usize) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(skip..)?.get(..count)
    }
}
