//! Which streams a tail follows, and what each of them is shown as.

use std::collections::HashMap;
use std::sync::Arc;

use crate::inventory::Inventory;
use crate::log_database::metadata;
use crate::model::{Labels, Matcher};
use crate::query::service;

/// Most bytes that are taken to remember streams, those that are not followed included.
pub(super) const FOLLOWED_BYTES_MAX: usize = 128 << 10;
/// What a stream takes beside its labels, in bytes: a place in the table, and a handle to the labels that it is stored
/// with, which the database has anyway.
const STREAM_COST_BYTES: usize = 96;

/// A stream whose lines a tail sends.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    /// The labels that it is shown with.
    pub(super) labels: Labels,
    /// Whether each line is followed by metadata.
    pub(super) has_metadata: bool,
}

/// What was found out of the streams seen so far; forgotten where it becomes too much.
#[derive(Debug)]
pub(super) struct Streams {
    inventory: Arc<Inventory>,
    /// The version of what streams are called.
    version: u64,
    /// By the labels that they are stored with; `None` for those that are not followed.
    known: HashMap<Labels, Option<Followed>>,
    bytes: usize,
}

impl Streams {
    pub(super) fn new(inventory: Arc<Inventory>) -> Self {
        Self { version: inventory.version(), inventory, known: HashMap::new(), bytes: 0 }
    }

    /// What a stream is shown as, if all `matchers`, which are the same each time, accept it.
    pub(super) fn followed(&mut self, stored: &Labels, matchers: &[Matcher]) -> Option<Followed> {
        if self.version != self.inventory.version() {
            *self = Self::new(Arc::clone(&self.inventory));
        }
        if let Some(known) = self.known.get(stored) {
            return known.clone();
        }
        let unmarked = metadata::unmark(stored);
        let has_metadata = unmarked.is_some();
        let labels = service::shown_as(self.inventory.join(unmarked.as_ref().unwrap_or(stored)), matchers);
        let followed = labels.map(|labels| Followed { labels, has_metadata });
        let bytes = STREAM_COST_BYTES + followed.as_ref().map_or(0, |followed| cost_bytes(followed.labels.iter()));
        if FOLLOWED_BYTES_MAX < self.bytes + bytes {
            *self = Self::new(Arc::clone(&self.inventory));
        }
        self.bytes += bytes;
        self.known.insert(stored.clone(), followed.clone());
        followed
    }
}

/// What labels take in memory, in bytes.
pub(super) fn cost_bytes<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    labels.map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum()
}
