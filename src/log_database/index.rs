//! Where each stream's lines are, and nothing of the lines themselves.
//!
//! Cloning an index shares everything below its first level, and changing it copies what is shared: that is how a
//! snapshot stays what it is while the writer goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log_database::journal::{JournalFile, Part, Skeleton};
use crate::model::Labels;

/// Parts that are copied when the last of them is added to while a snapshot looks at it.
const PARTS_PER_CHUNK: usize = 64;

/// Everything that is committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) streams: BTreeMap<Labels, Arc<Stream>>,
    pub(super) files: BTreeMap<u64, Arc<JournalFile>>,
}

/// The parts of one stream, in the order they were committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// All chunks but the last are full.
    chunks: Vec<Arc<Vec<Part>>>,
}

impl Index {
    /// Adds a file, before the first of its parts.
    pub(super) fn add_file(&mut self, file: Arc<JournalFile>) {
        self.files.insert(file.sequence(), file);
    }

    /// Adds the parts of a record whose body starts at `body_start` of file `sequence`.
    pub(super) fn add_record(&mut self, skeleton: &Skeleton, sequence: u64, body_start: u64) {
        for (labels, parts) in &skeleton.streams {
            if parts.is_empty() {
                continue;
            }
            let stream = match self.streams.get_mut(labels) {
                Some(stream) => stream,
                None => self.streams.entry(labels.clone()).or_default(),
            };
            let stream = Arc::make_mut(stream);
            for part in parts {
                stream.push(part.placed(sequence, body_start));
            }
        }
    }

    /// Removes the parts of file `sequence` from `offset` on; no part of a newer file may be there.
    pub(super) fn remove_parts(&mut self, sequence: u64, offset: u64) {
        let is_removed = |part: &Part| part.sequence == sequence && offset <= part.offset;
        for stream in self.streams.values_mut() {
            while stream.last().is_some_and(is_removed) {
                Arc::make_mut(stream).pop();
            }
        }
    }
}

impl Stream {
    fn push(&mut self, part: Part) {
        match self.chunks.last_mut().filter(|chunk| chunk.len() < PARTS_PER_CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(part),
            None => self.chunks.push(Arc::new(vec![part])),
        }
    }

    fn last(&self) -> Option<&Part> {
        self.chunks.last()?.last()
    }

    fn pop(&mut self) {
        let Some(chunk) = self.chunks.last_mut() else { return };
        Arc::make_mut(chunk).pop();
        if chunk.is_empty() {
            self.chunks.pop();
        }
    }

    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        let Some(last) = self.chunks.last() else { return 0 };
        (self.chunks.len() - 1) * PARTS_PER_CHUNK + last.len()
    }

    /// The part at `position`, counted from the oldest.
    pub(super) fn get(&self, position: usize) -> Option<&Part> {
        self.chunks.get(position / PARTS_PER_CHUNK)?.get(position % PARTS_PER_CHUNK)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}
