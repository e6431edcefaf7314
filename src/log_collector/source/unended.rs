//! Lines that have begun and not ended: shown as they are, stored once they end.

use crate::file;
use crate::log_collector::Unended;
use crate::log_collector::checkpoint;
use crate::log_collector::format::{Decoded, Decoder, LINE_BYTES_MAX, Partial};
use crate::log_collector::source::{COLUMNS, Encoding, Gathered, Reading, Source, labels_of};
use crate::model::StreamLines;

impl Source {
    /// Whether a line or an entry has begun and not ended.
    pub(in crate::log_collector) fn has_unended(&self) -> bool {
        self.unended_since.is_some() || self.decoder.pending_from().is_some()
    }

    /// What there is of the lines that have not ended.
    pub(in crate::log_collector) fn unended(&mut self, reading: &Reading<'_>) -> Result<Unended, file::Error> {
        let mut gathered = self.gather(0);
        for decoded in self.decoder.unended() {
            self.gather_unended(&mut gathered, &decoded);
        }
        if let Some(since) = self.unended_since.filter(|_| !self.skipping && !self.is_in_record()) {
            let size = self.content.size_bytes(self.offset)?;
            let byte_count = usize::try_from(size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let mut text = vec![0; byte_count.min(LINE_BYTES_MAX)];
            let count = self.content.read_at(&mut text, self.offset)?;
            let text = self.encoding.decode(&text[..count], self.offset == 0);
            // A decoder of its own: nothing is known of the line yet that could be remembered.
            let mut decoder = Decoder::new(self.zone.clone());
            if let Some(decoded) = decoder.decode(&text, 0, since) {
                self.gather_unended(&mut gathered, &decoded);
            }
        }
        let mut streams = Vec::new();
        for (columns, delivery) in gathered.columns.into_iter().zip(&self.deliveries) {
            for (lines, column) in columns.into_iter().zip(COLUMNS).filter(|(lines, _)| !lines.is_empty()) {
                streams.push(StreamLines { labels: labels_of(column, &delivery.path, reading), lines });
            }
        }
        Ok(Unended { source: checkpoint::encode_key(self.identity), streams })
    }

    /// Says that there is nothing to be shown any more.
    pub(in crate::log_collector) fn nothing_unended(&self) -> Unended {
        Unended { source: checkpoint::encode_key(self.identity), streams: Vec::new() }
    }

    /// Whether anything was read of it.
    pub(in crate::log_collector) fn has_begun(&self) -> bool {
        0 < self.offset
    }

    /// Whether a line of the file has begun and not ended.
    pub(in crate::log_collector) fn has_unended_line(&self) -> bool {
        self.unended_since.is_some()
    }

    /// Whether that is a record of Docker's, whose beginning says nothing.
    pub(in crate::log_collector) fn is_in_record(&self) -> bool {
        self.has_unended_line() && self.encoding == Encoding::DockerLocal
    }

    /// Whether an entry has begun whose last part may stand in the next file.
    pub(in crate::log_collector) fn has_parts(&self) -> bool {
        self.decoder.pending_from().is_some()
    }

    /// Leaves the entries that are not complete to the next file.
    pub(in crate::log_collector) fn drop_parts(&mut self) {
        self.forget_partials();
        self.decoder.begin_with(&[]);
    }

    /// Notes that what it began with is complete.
    pub(super) fn forget_partials(&mut self) {
        if let Some(partials) = &mut self.partials {
            *partials = Vec::new();
        }
    }

    fn gather_unended(&self, gathered: &mut Gathered, decoded: &Decoded<'_>) {
        gathered.push(&self.deliveries, decoded, u64::MAX);
    }

    /// Whether it began with entries that the file before has not completed.
    pub(in crate::log_collector) fn has_taken_parts(&self) -> bool {
        self.partials.is_some()
    }

    /// The entries that are not complete.
    pub(in crate::log_collector) fn parts(&self) -> Vec<Partial> {
        self.decoder.partials()
    }

    /// Begins with the entries that the file before has not completed; nothing was read of this one.
    pub(in crate::log_collector) fn begin_with(&mut self, partials: Vec<Partial>) {
        self.decoder.begin_with(&partials);
        self.partials = Some(partials);
    }
}
