//! Which streams a tail follows, and what each of them is shown as.

use std::collections::HashMap;

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
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// By the labels that they are stored with; `None` for those that are not followed.
    known: HashMap<Labels, Option<Followed>>,
    bytes: usize,
}

impl Streams {
    /// What a stream is shown as, if all `matchers`, which are the same each time, accept it.
    pub(super) fn followed(&mut self, stored: &Labels, matchers: &[Matcher]) -> Option<Followed> {
        if let Some(known) = self.known.get(stored) {
            return known.clone();
        }
        let unmarked = metadata::unmark(stored);
        let has_metadata = unmarked.is_some();
        let labels = service::shown_as(&unmarked.unwrap_or_else(|| stored.clone()), matchers);
        let followed = labels.map(|labels| Followed { labels, has_metadata });
        let bytes = STREAM_COST_BYTES + followed.as_ref().map_or(0, |followed| cost_bytes(followed.labels.iter()));
        if FOLLOWED_BYTES_MAX < self.bytes + bytes {
            *self = Self::default();
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
