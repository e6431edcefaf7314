//! The streams that a source delivers to, one per name.

use std::path::{Path, PathBuf};

use crate::file;
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{DeliveryPosition, ENDLESS};
use crate::log_collector::format::multiline::Multiline;
use crate::log_collector::source::{COLUMNS, Reading, Source};
use crate::model::Labels;

/// One name's stream.
pub(super) struct Delivery {
    /// The name, as seen under the root path.
    pub(super) path: PathBuf,
    /// Entries that end at or before this byte are delivered.
    pub(super) delivered: u64,
    /// Entries that begin at or after this byte are not for this stream; [`ENDLESS`] while the name leads here.
    pub(super) end: u64,
    /// Which of the stream's files this is.
    pub(super) ordinal: u64,
    /// The labels of each of [`COLUMNS`], once it has an entry.
    pub(super) labels: [Option<Labels>; COLUMNS.len()],
    /// Whether no line of the file has gone to the stream.
    pub(super) is_new: bool,
}

impl Delivery {
    pub(super) fn new(path: PathBuf, ordinal: u64, delivered: u64) -> Self {
        Self { path, delivered, end: ENDLESS, ordinal, labels: Default::default(), is_new: delivered == 0 }
    }

    /// As a position says.
    pub(super) fn restored(known: &DeliveryPosition) -> Self {
        let DeliveryPosition { path, delivered, end, ordinal } = known.clone();
        Self { end, ..Self::new(path, ordinal, delivered) }
    }

    /// Whether it takes nothing any more.
    pub(super) fn is_complete(&self) -> bool {
        self.end <= self.delivered
    }

    /// Whether an entry that ends at byte `end` is still to be delivered, if it begins before the stream's end.
    pub(super) fn lacks(&self, end: u64) -> bool {
        self.delivered < end.min(self.end)
    }

    /// Everything before byte `offset` is delivered, if it was to be.
    pub(super) fn reach(&mut self, offset: u64) {
        if !self.is_complete() {
            self.delivered = self.delivered.max(offset);
        }
    }
}

impl Source {
    /// Delivers to the stream of `path` as well, from the first byte on or, if that had ended, from there on.
    pub(in crate::log_collector) fn deliver_to(&mut self, path: PathBuf, ordinal: u64) {
        self.deliver_from(path, ordinal, 0);
    }

    /// As [`Source::deliver_to`], but what ends at or before byte `from` is in the stream already.
    pub(in crate::log_collector) fn deliver_from(&mut self, path: PathBuf, ordinal: u64, from: u64) {
        let ended = self.deliveries.iter_mut().find(|delivery| delivery.path == path);
        let delivered = ended.as_ref().map_or(from, |delivery| delivery.delivered.max(from));
        match ended {
            Some(it) => (it.end, it.ordinal, it.delivered) = (ENDLESS, ordinal, delivered),
            None => self.deliveries.push(Delivery::new(path, ordinal, from)),
        }
        if delivered < self.offset {
            // What is not being joined any more has ended, although no line may have ended it.
            let joining = self.multiline.as_ref().and_then(Multiline::pending_from);
            self.cuts.insert(joining.unwrap_or(self.offset));
            self.rewind();
        }
    }

    /// Ends the stream of `path` with what the file holds now, the line included that has not ended.
    pub(in crate::log_collector) fn end_delivery(
        &mut self,
        path: &Path,
        reading: &Reading<'_>,
    ) -> Result<Collected, file::Error> {
        let size = self.content.size_bytes(self.offset)?;
        let mut gathered = self.gather(0);
        if size <= self.offset {
            // What is being joined belongs to the stream, but the line that would end it does not.
            self.gather_joined(&mut gathered, u64::MAX);
        } else {
            self.cuts.insert(size);
        }
        let ending = self.deliveries.iter_mut().filter(|delivery| delivery.path == path);
        ending.for_each(|delivery| delivery.end = size);
        Ok(self.collected(gathered.columns, reading))
    }

    /// Ends the stream of `path` with what was read so far.
    pub(in crate::log_collector) fn end_delivery_here(&mut self, path: &Path) {
        let offset = self.offset;
        let ending = self.deliveries.iter_mut().filter(|delivery| delivery.path == path);
        ending.for_each(|delivery| delivery.end = offset);
        self.cuts.insert(offset);
    }

    /// The names whose streams it delivers to, as seen under the root path; not those whose streams have an end.
    pub(in crate::log_collector) fn delivery_paths(&self) -> impl Iterator<Item = &Path> {
        let endless = self.deliveries.iter().filter(|delivery| delivery.end == ENDLESS);
        endless.map(|delivery| delivery.path.as_path())
    }

    /// Those streams, each with which of its files this is.
    pub(in crate::log_collector) fn ordinals(&self) -> impl Iterator<Item = (&Path, u64)> {
        let endless = self.deliveries.iter().filter(|delivery| delivery.end == ENDLESS);
        endless.map(|delivery| (delivery.path.as_path(), delivery.ordinal))
    }

    /// Makes it another of the stream's files: what it holds now is not what it held.
    pub(in crate::log_collector) fn set_ordinal(&mut self, path: &Path, ordinal: u64) {
        let delivery = self.deliveries.iter_mut().filter(|delivery| delivery.path == path);
        delivery.for_each(|delivery| delivery.ordinal = ordinal);
    }

    /// How many names it delivers or delivered to.
    pub(in crate::log_collector) fn delivery_count(&self) -> usize {
        self.deliveries.len()
    }
}
