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

/// Whether a tail sends a stream's lines.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Followed(Followed),
    /// Not as long as nobody tells what its container is called.
    AwaitsNames,
    Other,
}

/// What was found out of the streams seen so far; forgotten where it becomes too much.
#[derive(Debug)]
pub(super) struct Streams {
    inventory: Arc<Inventory>,
    /// The version of what streams are called.
    version: u64,
    /// By the labels that they are stored with.
    known: HashMap<Labels, Verdict>,
    bytes: usize,
}

impl Streams {
    pub(super) fn new(inventory: Arc<Inventory>) -> Self {
        Self { version: inventory.version(), inventory, known: HashMap::new(), bytes: 0 }
    }

    /// Forgets what was found out if what streams are called has changed since the last call; says whether it did. Between two
    /// calls a stream that was found not to be followed yet stays so: whoever waits for its names hears of each change here.
    pub(super) fn take_news(&mut self) -> bool {
        let version = self.inventory.version();
        let is_new = version != std::mem::replace(&mut self.version, version);
        if is_new {
            self.forget();
        }
        is_new
    }

    fn forget(&mut self) {
        self.known.clear();
        self.bytes = 0;
    }

    /// What a stream is shown as, if all `matchers`, which are the same each time, accept it.
    pub(super) fn verdict(&mut self, stored: &Labels, matchers: &[Matcher]) -> Verdict {
        if let Some(known) = self.known.get(stored) {
            return known.clone();
        }
        let unmarked = metadata::unmark(stored);
        let has_metadata = unmarked.is_some();
        let joined = self.inventory.join(unmarked.as_ref().unwrap_or(stored));
        let awaits_names = joined.awaits_names();
        let verdict = match service::shown_as(joined, matchers) {
            Some(labels) => Verdict::Followed(Followed { labels, has_metadata }),
            None if awaits_names => Verdict::AwaitsNames,
            None => Verdict::Other,
        };
        let bytes = STREAM_COST_BYTES
            + match &verdict {
                Verdict::Followed(followed) => cost_bytes(followed.labels.iter()),
                _ => 0,
            };
        if FOLLOWED_BYTES_MAX < self.bytes + bytes {
            self.forget();
        }
        self.bytes += bytes;
        self.known.insert(stored.clone(), verdict.clone());
        verdict
    }
}

/// What labels take in memory, in bytes.
pub(super) fn cost_bytes<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    labels.map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum()
}
