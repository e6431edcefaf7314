//! Files that were read to their end and let go while they are still there, under the name they were rotated to or
//! compressed.
//!
//! Their positions stay stored as long as the files are there: nothing else tells a rotated file that was read from one
//! that nobody has seen.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::file::{self, Identity};
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{self, Position};
use crate::log_collector::directory::listings::Files;
use crate::log_collector::directory::rotated::{Rotated, rotated_out_of};
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::{Content, Reading};
use crate::log_collector::watcher::Watcher;
use crate::model::{Batch, Checkpoint};
use crate::status::SkipReason;

impl Position {
    /// Whether the file at `path`, which is the one of this position, was read to its end and not written to since.
    pub(super) fn is_finished_at(&self, path: &Path) -> bool {
        let is_as_long = || file::link_metadata(path).is_ok_and(|metadata| metadata.size_bytes == self.offset);
        self.finished && (self.compressed || is_as_long())
    }

    /// Whether the file at `path` is another one than that of this position, which was finished and deleted, although it has
    /// its `identity`: where files have no birth times, only what they hold tells who has a reused inode.
    fn is_taken_over_by(&self, identity: Identity, path: &Path) -> bool {
        let is_suspect = identity.born_ns == 0 && self.finished;
        let holds = || Content::open(path, self.compressed)?.holds(self);
        is_suspect && !holds().unwrap_or(true)
    }
}

impl<W: Watcher> Directory<W> {
    /// Takes the ends of sources that have no name and have been quiet; they then wait for a sync.
    pub(super) fn finish_quiet(&mut self) {
        let quiet = self.settings.quiet_before_letting_go;
        let is_due = |id: &SourceId| {
            let tracked = self.sources.get(id);
            let is_quiet = tracked.is_some_and(|it| !it.queued && !it.failing && quiet <= it.quiet_since.elapsed());
            // What may be a copy has no stream yet.
            is_quiet && !self.copies.contains_key(id)
        };
        for id in self.nameless.iter().copied().filter(is_due).collect::<Vec<_>>() {
            let Some(tracked) = self.sources.get_mut(&id) else { continue };
            let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
            let outcome = tracked.source.read_unended(&mut self.buffer, &reading);
            if outcome.as_ref().map_or(true, |outcome| outcome.more) {
                // Somebody writes to it after all, or reading it as usual says what is wrong.
                tracked.quiet_since = Instant::now();
                self.enqueue(id);
            } else {
                self.nameless.remove(&id);
                self.finished.insert(id);
            }
            self.outbox.extend(outcome.ok().and_then(|outcome| outcome.collected));
        }
    }

    /// Lets go of the sources that are finished, now that what they delivered is on stable storage.
    pub(super) fn let_go_finished(&mut self) {
        let mut directories = BTreeSet::new();
        for id in std::mem::take(&mut self.finished) {
            directories.extend(self.let_go(id));
        }
        self.forget_gone(&directories);
    }

    /// Closes a source, unless it was written to after all; returns its directory.
    fn let_go(&mut self, id: SourceId) -> Option<PathBuf> {
        if self.sources.get(&id)?.source.has_more() {
            self.nameless.insert(id);
            self.enqueue(id);
            return None;
        }
        let source = self.close_source(id, SkipReason::Truncated)?;
        let mut position = source.position((self.settings.clock)());
        position.finished = true;
        let directory = position.path.parent().map(Path::to_owned);
        self.remember(source.identity, position);
        directory
    }

    /// Keeps the position of a file that is finished.
    fn remember(&mut self, identity: Identity, position: Position) {
        let checkpoint = Checkpoint { source: checkpoint::encode_key(identity), position: Some(position.encode()) };
        self.outbox.push_back(Batch { checkpoint: Some(checkpoint), streams: Vec::new() }.into());
        self.restored.insert(identity, position);
    }

    /// Has the stored position of a file forgotten, after what is to be stored by then: at each instant something is known
    /// of each log.
    pub(super) fn forget(&mut self, identity: Identity) {
        self.restored.remove(&identity);
        self.forgotten.insert(identity);
    }

    /// The next position to be forgotten.
    pub(super) fn next_forgotten(&mut self) -> Option<Collected> {
        let checkpoint = Checkpoint { source: checkpoint::encode_key(self.forgotten.pop_first()?), position: None };
        Some(Batch { checkpoint: Some(checkpoint), streams: Vec::new() }.into())
    }

    /// Forgets all finished files that are gone: nothing may happen any more in the directory of one that was deleted.
    pub(super) fn forget_all_gone(&mut self) {
        let finished = self.restored.values().filter(|position| position.finished);
        let directories = finished.filter_map(|position| position.path.parent()).map(Path::to_owned).collect();
        self.forget_gone(&directories);
    }

    /// Forgets the finished file that had the identity of the one at `path`, if that is another.
    pub(super) fn forget_taken_over(&mut self, identity: Identity, path: &Path) {
        if self.restored.get(&identity).is_some_and(|position| position.is_taken_over_by(identity, path)) {
            self.forget(identity);
        }
    }

    /// Forgets the finished files whose inodes others have that are in their directories.
    pub(super) fn forget_all_taken_over(&mut self) {
        let suspects = self.restored.iter().filter(|(identity, position)| identity.born_ns == 0 && position.finished);
        let directories: BTreeSet<PathBuf> =
            suspects.filter_map(|(_, position)| position.path.parent()).map(Path::to_owned).collect();
        for directory in directories {
            for (identity, path) in self.listings.files_in(&directory).0.iter() {
                self.forget_taken_over(*identity, path);
            }
        }
    }

    /// Forgets the finished files of directories that are certainly gone, unless they are compressed now.
    pub(super) fn forget_gone(&mut self, directories: &BTreeSet<PathBuf>) {
        let mut found: HashMap<&Path, Arc<Files>> = HashMap::new();
        for directory in directories {
            if let (files, true) = self.listings.files_in(directory) {
                found.insert(directory, files);
            }
        }
        let is_gone = |(identity, position): &(&Identity, &Position)| {
            let found = position.path.parent().and_then(|directory| found.get(directory));
            let is_gone_from =
                |found: &Arc<Files>| found.get(identity).is_none_or(|path| position.is_taken_over_by(**identity, path));
            position.finished && found.is_some_and(is_gone_from)
        };
        let known_paths = self.known_paths();
        let with_original = |(identity, position): (&Identity, &Position)| {
            (*identity, position.clone(), self.rotated_from(position, &known_paths))
        };
        let gone: Vec<_> = self.restored.iter().filter(is_gone).map(with_original).collect();
        for (identity, position, original) in gone {
            self.find_compressed(&position, &original);
            self.forget(identity);
        }
    }

    /// Remembers the compressed file that holds what was in the file of `position`, which was rotated out of `original`, if
    /// there is one.
    fn find_compressed(&mut self, position: &Position, original: &Path) {
        let rotated = rotated_out_of(original, &mut self.listings);
        let is_it = |it: &&Rotated| it.is_compressed() && self.is_unknown(it) && it.is_copy_of(position);
        if let Some(it) = rotated.iter().find(is_it) {
            let position = Position { compressed: true, path: it.path.clone(), ..position.clone() };
            self.remember(it.metadata.identity, position);
        }
    }
}
