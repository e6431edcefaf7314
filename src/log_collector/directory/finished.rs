//! Files that were read to their end and let go while they are still there, under the name they were rotated to or
//! compressed.
//!
//! Their positions stay stored as long as the files are there: nothing else tells a rotated file that was read from one
//! that nobody has seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::file::{self, Identity};
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{self, Position};
use crate::log_collector::directory::Directory;
use crate::log_collector::directory::families::Due;
use crate::log_collector::source::{Content, Match};
use crate::log_collector::tracked::{Phase, SourceId};
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
        let compare = || Ok::<_, file::Error>(Content::open(path, self.compressed)?.compare(self));
        is_suspect && matches!(compare(), Ok(Match::Other | Match::Prefix(_)))
    }
}

impl<W: Watcher> Directory<W> {
    /// Takes the ends of sources that have no name and have been quiet; they then wait for a sync.
    pub(super) fn finish_quiet(&mut self) {
        let quiet = self.settings.quiet_before_letting_go;
        let is_due = |id: &SourceId| {
            let it = &self.sources[*id];
            // What may be a copy has no stream yet.
            !it.queued && !it.is_failing() && it.held_back().is_none() && quiet <= it.quiet_since.elapsed()
        };
        for id in self.sources.nameless().iter().copied().filter(is_due).collect::<Vec<_>>() {
            if self.has_to_wait(id) || self.may_leave_parts(id) {
                continue;
            }
            let outcome = self.open_again(id).and_then(|()| self.read_final(id));
            if outcome.as_ref().map_or(true, |outcome| outcome.more) {
                // Somebody writes to it after all, or reading it as usual says what is wrong.
                self.sources[id].quiet_since = Instant::now();
                self.enqueue(id);
            } else {
                self.sources.set_phase(id, Phase::Finished);
            }
            self.outbox.extend(outcome.ok().and_then(|outcome| outcome.collected));
        }
    }

    /// Lets go of the sources that are finished, now that what they delivered is on stable storage.
    pub(super) fn let_go_finished(&mut self) {
        for id in self.sources.finished().clone() {
            self.let_go(id);
        }
    }

    /// Closes a source, unless it was written to after all.
    fn let_go(&mut self, id: SourceId) {
        // Looking after the streams of one may close another.
        let Some(tracked) = self.sources.find(id) else { return };
        if tracked.source.has_more() {
            self.sources.set_phase(id, Phase::Followed);
            return self.enqueue(id);
        }
        let is_deleted = tracked.source.is_deleted();
        let source = self.close_source(id, SkipReason::Truncated);
        if is_deleted {
            // It may have been compressed.
            self.orphans.insert(source.identity, 0..0);
        }
        let mut position = source.position((self.settings.clock)());
        position.finished = true;
        // Whether it was rotated is told by its name.
        let files = position.path.parent().map(|directory| self.listings.files_in(directory).0);
        if let Some(path) = files.as_ref().and_then(|files| files.get(&source.identity)) {
            path.clone_into(&mut position.path);
        }
        let streams: Vec<PathBuf> = position.deliveries.iter().map(|delivery| delivery.path.clone()).collect();
        self.remember(source.identity, position);
        for stream in streams {
            let to = self.place_of(&stream);
            self.reconcile(&Due { stream, earlier: None, to });
        }
    }

    /// Keeps the position of a file that is finished.
    pub(super) fn remember(&mut self, identity: Identity, position: Position) {
        let checkpoint = Checkpoint { source: checkpoint::encode_key(identity), position: Some(position.encode()) };
        self.outbox.push_back(Batch { checkpoint: Some(checkpoint), streams: Vec::new() }.into());
        self.ledger.insert(identity, position);
    }

    /// Has the stored position of a file forgotten, after what is to be stored by then.
    pub(super) fn forget(&mut self, identity: Identity) {
        self.ledger.forget(identity);
    }

    /// The next position to be forgotten.
    pub(super) fn next_forgotten(&mut self) -> Option<Collected> {
        self.ledger.next_forgotten().map(Collected::from)
    }

    /// Has the streams looked after whose finished files are not where they were: nothing may happen any more in the directory
    /// of one that was deleted.
    pub(super) fn reconcile_finished(&mut self) {
        let mut streams = BTreeSet::new();
        for (identity, position) in self.ledger.iter().filter(|(_, position)| position.finished) {
            let Some(directory) = position.path.parent() else { continue };
            if !self.listings.files_in(directory).0.contains_key(&identity) {
                streams.extend(position.deliveries.iter().map(|delivery| delivery.path.clone()));
            }
        }
        for stream in streams {
            self.note_due(&stream);
        }
    }

    /// Forgets the finished file that had the identity of the one at `path`, if that is another.
    pub(super) fn forget_taken_over(&mut self, identity: Identity, path: &Path) {
        if self.ledger.get(identity).is_some_and(|position| position.is_taken_over_by(identity, path)) {
            self.forget(identity);
        }
    }

    /// Forgets the finished files whose inodes others have that are in their directories.
    pub(super) fn forget_all_taken_over(&mut self) {
        let suspects = self.ledger.iter().filter(|(identity, position)| identity.born_ns == 0 && position.finished);
        let directories: BTreeSet<PathBuf> =
            suspects.filter_map(|(_, position)| position.path.parent()).map(Path::to_owned).collect();
        for directory in directories {
            for (identity, path) in self.listings.files_in(&directory).0.iter() {
                self.forget_taken_over(*identity, path);
            }
        }
    }
}
