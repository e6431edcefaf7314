//! Holes: parts of a file that nobody wrote. They are skipped at once, however long they are.
//!
//! The most common one is at the start: a program that does not append goes on at its old offset after copytruncate. Others are
//! blocks of NUL bytes, which a power cut leaves of what was not written yet, and programs that have room made in advance.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::file;
use crate::log_collector::format::Decoder;
use crate::log_collector::source::{Outcome, Reading, Source};
use crate::status::SkipReason;

/// Data begins with a block, whose first bytes may still be nobody's; blocks are hardly ever larger.
const BLOCK_BYTES: usize = 4096;
/// So many NUL bytes at the beginning of a line are none of it, in a hole or not.
const NULS_MIN: usize = 64;

/// The lines of `text` before the first that begins with NUL bytes that are none of it: that is where it is cut.
pub(super) fn before_nuls(text: &[u8]) -> &[u8] {
    static NULS: LazyLock<Finder<'static>> = LazyLock::new(|| {
        let mut nuls = [0; 1 + NULS_MIN];
        nuls[0] = b'\n';
        Finder::new(&nuls).into_owned()
    });
    NULS.find(text).map_or(text, |newline| &text[..=newline])
}

impl Source {
    /// Skips the hole that the offset is in; `None` where it is in none.
    pub(super) fn skip_hole(&mut self, reading: &Reading<'_>) -> Result<Option<Outcome>, file::Error> {
        // It may begin inside a block.
        let start = self.offset + self.nul_count(self.offset)?;
        let Some(data) = self.content.next_data(start)? else {
            // It may be filled from its start on, so it is not behind us yet.
            return Ok(Some(Outcome { is_preallocated: true, ..Outcome::default() }));
        };
        if data == start && start - self.offset < NULS_MIN as u64 {
            return Ok(None);
        }
        let end = data + self.nul_count(data)?;
        let mut gathered = self.gather(0);
        self.gather_joined(&mut gathered, u64::MAX);
        let skipping = self.skipping;
        let before = self.offset;
        // An entry whose parts are on both sides goes on.
        let decoder = std::mem::replace(&mut self.decoder, Decoder::new(self.zone.clone()));
        self.seek(end)?;
        self.decoder = decoder;
        self.skipping = skipping;
        self.account_hole(before, reading);
        for delivery in &mut self.deliveries {
            delivery.reach(end);
        }
        let collected = Some(self.collected(gathered.columns, reading));
        Ok(Some(Outcome { collected, more: true, ..Outcome::default() }))
    }

    /// Whether there is nothing but a hole from the offset on. It is then counted, for nobody writes to the file any more.
    pub(super) fn ends_in_hole(&mut self, reading: &Reading<'_>) -> Result<bool, file::Error> {
        let ends = self.is_only_hole(self.seen)?;
        if ends {
            let offset = std::mem::replace(&mut self.offset, self.seen);
            self.account_hole(offset, reading);
            self.offset = offset;
        }
        Ok(ends)
    }

    /// Whether there is nothing but a hole from the offset to byte `size`, where the file ends.
    pub(super) fn is_only_hole(&self, size: u64) -> Result<bool, file::Error> {
        let start = self.offset + self.nul_count(self.offset)?;
        Ok(start < size && self.content.next_data(start)?.is_none())
    }

    /// Where text may begin: behind the hole at the file's start. `None` where there is nothing else.
    pub(super) fn text_start(&self) -> Result<Option<u64>, file::Error> {
        match self.content.next_data(0)? {
            Some(data) if 0 < data => Ok(Some(data + self.nul_count(data)?)),
            data => Ok(data),
        }
    }

    /// Accounts for the bytes from `before` up to the offset.
    fn account_hole(&mut self, before: u64, reading: &Reading<'_>) {
        if self.accounted < self.offset {
            reading.status.add_skipped(SkipReason::Hole, self.offset - self.accounted.max(before));
            self.accounted = self.offset;
        }
    }

    /// How many NUL bytes there are at byte `offset`, in a block.
    fn nul_count(&self, offset: u64) -> Result<u64, file::Error> {
        let mut block = [0; BLOCK_BYTES];
        let count = self.content.read_at(&mut block, offset)?;
        Ok(block[..count].iter().take_while(|byte| **byte == 0).count() as u64)
    }
}
