//! Which streams a handle to the database shows: all, or those that somebody may see.
//!
//! Whoever answers for somebody with limits is given such a handle, so that no answer can hold what it does not show: streams,
//! entries, counts and what is received live are all found through it.

use std::fmt;
use std::sync::Arc;

use crate::log_database::metadata;
use crate::log_database::subscription::{Missed, Received};
use crate::model::{Batch, Labels};

/// Whether a stream is shown, by the labels that it is stored with, without a mark of metadata.
type Shows = dyn Fn(&Labels) -> bool + Send + Sync;

/// Which streams are shown.
#[derive(Clone, Default)]
pub(super) struct View(Option<Arc<Shows>>);

impl View {
    /// Those that this view shows and that `shows`.
    pub(super) fn limited_to(&self, shows: impl Fn(&Labels) -> bool + Send + Sync + 'static) -> Self {
        let before = self.clone();
        Self(Some(Arc::new(move |own| before.shows(own) && shows(own))))
    }

    pub(super) fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the stream with these labels is shown, which have no mark.
    pub(super) fn shows(&self, own: &Labels) -> bool {
        self.0.as_ref().is_none_or(|shows| shows(own))
    }

    /// Whether the stream is shown that is stored with these labels.
    pub(super) fn shows_stored(&self, stored: &Labels) -> bool {
        let Some(shows) = &self.0 else { return true };
        metadata::unmark(stored).map_or_else(|| shows(stored), |own| shows(&own))
    }

    /// What was received of the streams that are shown.
    pub(super) fn of_received(&self, received: Received) -> Received {
        if !self.is_limited() {
            return received;
        }
        let batches = received.batches.iter().filter_map(|batch| self.of_batch(batch)).collect();
        let mut streams = received.missed.streams;
        streams.retain(|stored, _| self.shows_stored(stored));
        let line_count = streams.values().map(|missed| missed.line_count).sum();
        Received { batches, missed: Missed { line_count, streams } }
    }

    fn of_batch(&self, batch: &Batch) -> Option<Arc<Batch>> {
        let shown = batch.streams.iter().filter(|stream| self.shows_stored(&stream.labels));
        let streams: Vec<_> = shown.cloned().collect();
        (!streams.is_empty()).then(|| Arc::new(Batch { checkpoint: None, streams }))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("is_limited", &self.is_limited()).finish()
    }
}
