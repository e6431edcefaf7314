//! The account of a source's bytes: those seen come from the file's size, those accounted for from lines and from what was
//! skipped. What is between the two waits, or is lost with the file.

use std::ops::Range;

use crate::file;
use crate::log_collector::checkpoint::Position;
use crate::log_collector::source::{Reading, Source};
use crate::model::Timestamp;
use crate::status::{Gap, SkipReason, Status};

impl Source {
    /// How long the file is now; what it has grown by is seen from now on.
    pub(in crate::log_collector) fn look_at_size(&mut self, status: &Status) -> Result<u64, file::Error> {
        // The time first: what is written in between then counts as later. That of a compressed file may say when it was
        // compressed.
        let modified_ns = self.content.metadata()?.modified_ns;
        self.decoder.set_modified(Timestamp::from_ns(modified_ns));
        if !self.content.is_compressed() {
            self.modified_ns = modified_ns;
        }
        let size = self.content.size_bytes(self.offset)?;
        self.state.size_bytes.set(size);
        status.bytes_seen.add(size.saturating_sub(self.seen));
        self.seen = self.seen.max(size);
        Ok(size)
    }

    /// What was seen of the file and is neither read nor skipped.
    pub(in crate::log_collector) fn waiting(&self) -> Range<u64> {
        self.accounted..self.seen.max(self.accounted)
    }

    /// Where it stands and what of it waits, of which it does not keep account any more.
    pub(in crate::log_collector) fn abandon(&mut self, now: Timestamp) -> (Range<u64>, Position) {
        let (waiting, position) = (self.waiting(), self.position(now));
        self.accounted = self.seen;
        (waiting, position)
    }

    /// Counts what was seen and not read as skipped, which is no loss.
    pub(in crate::log_collector) fn skip_waiting(&mut self, reason: SkipReason, reading: &Reading<'_>) {
        let bytes = self.waiting();
        reading.status.add_skipped(reason, bytes.end - bytes.start);
        self.accounted = self.seen;
    }

    /// Counts what was seen and not read as lost.
    pub(in crate::log_collector) fn give_up(&mut self, reason: SkipReason, reading: &Reading<'_>) {
        let bytes = self.waiting();
        if !bytes.is_empty() {
            let path = self.state.path.clone();
            reading.status.add_gap(Gap { path, bytes, reason, found: reading.now });
        }
        self.accounted = self.seen;
    }

    /// Accounts for the bytes `span` after the offset, unless that was done before: `cut` of them are over the limit.
    pub(super) fn account(&mut self, span: &Range<usize>, cut: u64, reading: &Reading<'_>) {
        if self.accounted < self.offset + span.end as u64 {
            self.accounted = self.offset + span.end as u64;
            self.taken += (span.len() as u64).saturating_sub(cut);
            if 0 < cut {
                reading.status.add_skipped(SkipReason::LineTooLong, cut);
            }
        }
    }

    /// Accounts for `bytes` of the file, which are no line, unless that was done before.
    pub(super) fn account_damage(&mut self, bytes: Range<u64>, reading: &Reading<'_>) {
        if self.accounted < bytes.end {
            self.accounted = bytes.end;
            let path = self.state.path.clone();
            reading.status.add_gap(Gap { path, bytes, reason: SkipReason::Damaged, found: reading.now });
        }
    }
}
