//! What is known of files that nobody reads at the moment: those that were read to their end, and those that have not been
//! found yet.
//!
//! The position of a file that was read stays stored as long as the file is there: nothing else tells a rotated file that was
//! read from one that nobody has seen. A position is forgotten after those are stored that come in its place.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::file::Identity;
use crate::log_collector::checkpoint::{self, Position};
use crate::model::{Batch, Checkpoint};

/// How far apart the ordinals of a stream's files are: a file that is written anew comes right after what it was, in the middle
/// between that and the next, so that there is room for 32 of them.
const ORDINAL_STEP: u64 = 1 << 32;

/// Positions of files that nobody reads, by file and by stream.
#[derive(Debug, Default)]
pub(in crate::log_collector) struct Ledger {
    positions: HashMap<Identity, Position>,
    /// Files by inode and birth.
    by_birth: HashMap<(u64, i64), Identity>,
    by_stream: HashMap<PathBuf, HashSet<Identity>>,
    /// How many positions there are of each path.
    paths: HashMap<PathBuf, usize>,
    /// The highest ordinal of each stream so far.
    ordinals: HashMap<PathBuf, u64>,
    /// Files whose positions are to be forgotten, once those are stored that come in their place.
    forgotten: BTreeSet<Identity>,
}

impl Ledger {
    /// What the database kept.
    pub(in crate::log_collector) fn new(checkpoints: &[Checkpoint]) -> Self {
        let mut ledger = Self::default();
        for (identity, position) in checkpoints.iter().filter_map(decode) {
            ledger.insert(identity, position);
        }
        ledger
    }

    pub(in crate::log_collector) fn insert(&mut self, identity: Identity, position: Position) {
        self.remove(identity);
        self.forgotten.remove(&identity);
        if !position.cut {
            self.by_birth.insert((identity.inode, identity.born_ns), identity);
        }
        *self.paths.entry(position.path.clone()).or_default() += 1;
        for delivery in &position.deliveries {
            self.by_stream.entry(delivery.path.clone()).or_default().insert(identity);
            self.note_ordinal(&delivery.path, delivery.ordinal);
        }
        self.positions.insert(identity, position);
    }

    pub(in crate::log_collector) fn remove(&mut self, identity: Identity) -> Option<Position> {
        let position = self.positions.remove(&identity)?;
        self.by_birth.remove(&(identity.inode, identity.born_ns));
        if let Some(count) = self.paths.get_mut(&position.path) {
            *count -= 1;
            if *count == 0 {
                self.paths.remove(&position.path);
            }
        }
        for delivery in &position.deliveries {
            if let Some(identities) = self.by_stream.get_mut(&delivery.path) {
                identities.remove(&identity);
                if identities.is_empty() {
                    self.by_stream.remove(&delivery.path);
                }
            }
        }
        Some(position)
    }

    pub(in crate::log_collector) fn get(&self, identity: Identity) -> Option<&Position> {
        self.positions.get(&identity)
    }

    /// The identity under which the position of the file `identity` is kept, if there is one: after a restart of the machine
    /// the file's device may have another number.
    pub(in crate::log_collector) fn known_as(&self, identity: Identity) -> Option<Identity> {
        if self.positions.contains_key(&identity) {
            return Some(identity);
        }
        let same = self.by_birth.get(&(identity.inode, identity.born_ns)).copied();
        same.filter(|_| identity.born_ns != 0)
    }

    pub(in crate::log_collector) fn iter(&self) -> impl Iterator<Item = (Identity, &Position)> {
        self.positions.iter().map(|(identity, position)| (*identity, position))
    }

    /// The files that were read for a stream.
    pub(in crate::log_collector) fn of_stream(&self, stream: &Path) -> impl Iterator<Item = (Identity, &Position)> {
        let identities = self.by_stream.get(stream).into_iter().flatten();
        identities.filter_map(|identity| Some((*identity, self.positions.get(identity)?)))
    }

    /// The streams of which files are known.
    pub(in crate::log_collector) fn streams(&self) -> impl Iterator<Item = &PathBuf> {
        self.by_stream.keys()
    }

    /// Whether a file was last seen at `path`.
    pub(in crate::log_collector) fn has_path(&self, path: &Path) -> bool {
        self.paths.contains_key(path)
    }

    /// Whether a stream has or had files.
    pub(in crate::log_collector) fn knows_stream(&self, stream: &Path) -> bool {
        self.ordinals.contains_key(stream)
    }

    /// The next ordinal of a stream: files are read in the order of theirs.
    pub(in crate::log_collector) fn next_ordinal(&mut self, stream: &Path) -> u64 {
        let ordinal = self.ordinals.get(stream).map_or(ORDINAL_STEP, |last| last.saturating_add(ORDINAL_STEP));
        self.note_ordinal(stream, ordinal);
        ordinal
    }

    /// An ordinal after `before` and before that of any other file of a stream, of which those in `others` are read now.
    pub(in crate::log_collector) fn ordinal_after(&mut self, stream: &Path, before: u64, others: Vec<u64>) -> u64 {
        let known = self.of_stream(stream).flat_map(|(_, position)| &position.deliveries);
        let known = known.filter(|delivery| delivery.path == stream).map(|delivery| delivery.ordinal);
        let next = known.chain(others).filter(|ordinal| before < *ordinal).min();
        next.map_or_else(|| self.next_ordinal(stream), |next| before + (next - before).div_ceil(2))
    }

    /// Notes that a stream has a file of this ordinal.
    pub(in crate::log_collector) fn note_ordinal(&mut self, stream: &Path, ordinal: u64) {
        match self.ordinals.get_mut(stream) {
            Some(last) => *last = ordinal.max(*last),
            None => {
                self.ordinals.insert(stream.to_owned(), ordinal);
            }
        }
    }

    /// Notes that nothing is known of a stream any more.
    pub(in crate::log_collector) fn end_stream(&mut self, stream: &Path) {
        if !self.by_stream.contains_key(stream) {
            self.ordinals.remove(stream);
        }
    }

    /// Has the stored position of a file forgotten, after what is to be stored by then: at each instant something is known
    /// of each log.
    pub(in crate::log_collector) fn forget(&mut self, identity: Identity) {
        self.remove(identity);
        self.forgotten.insert(identity);
    }

    /// Notes that the position of a file is not to be forgotten after all: the file is read.
    pub(in crate::log_collector) fn keep(&mut self, identity: Identity) {
        self.forgotten.remove(&identity);
    }

    /// The next position to be forgotten.
    pub(in crate::log_collector) fn next_forgotten(&mut self) -> Option<Batch> {
        let checkpoint = Checkpoint { source: checkpoint::encode_key(self.forgotten.pop_first()?), position: None };
        Some(Batch { checkpoint: Some(checkpoint), streams: Vec::new() })
    }
}

fn decode(checkpoint: &Checkpoint) -> Option<(Identity, Position)> {
    let identity = checkpoint::decode_key(&checkpoint.source)?;
    let position = checkpoint.position.as_ref()?;
    let Some(position) = Position::decode(position) else {
        log::warn!("a checkpoint of inode {} cannot be read; the file is read from its start", identity.inode);
        return None;
    };
    Some((identity, position))
}
