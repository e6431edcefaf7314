//! What becomes of positions whose files are gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::log_collector::journal::Journals;
use crate::log_collector::journal::position::{FileId, Position, encode_key};
use crate::log_collector::watcher::Watcher;
use crate::model::{Batch, Checkpoint, Timestamp};
use crate::status::{Gap, SkipReason};

/// How many volatile files that are gone are remembered, whose entries may be found again in persistent ones.
const VOLATILE_MAX: usize = 64;

impl<W: Watcher> Journals<W> {
    /// Has the positions forgotten of files that are gone.
    pub(super) fn forget_gone(&mut self) {
        let there: BTreeSet<FileId> = self.paths.values().map(|(_, id)| *id).collect();
        let gone: Vec<FileId> = self.ledger.keys().filter(|id| !there.contains(*id)).copied().collect();
        let mut volatile: Vec<(Timestamp, FileId)> = Vec::new();
        for id in gone {
            let position = &self.ledger[&id];
            if position.is_volatile {
                volatile.push((position.saved, id));
                continue;
            }
            if !position.is_done && position.place.offset < position.seen {
                let bytes = position.place.offset..position.seen;
                self.status.bytes_seen.add(bytes.end - bytes.start);
                let path = position.path.to_string_lossy().into_owned();
                self.status.add_gap(Gap { path, bytes, reason: SkipReason::Deleted, found: self.now() });
            }
            self.forget(id);
        }
        volatile.sort_unstable();
        let excess = volatile.len().saturating_sub(VOLATILE_MAX);
        for (_, id) in volatile.drain(..excess) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: FileId) {
        self.ledger.remove(&id);
        let checkpoint = Some(Checkpoint { source: encode_key(id), position: None });
        self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
    }

    /// Tells of entries that were vacuumed unread in files that were never seen. Numbers go on from file to file of one journal, so that
    /// they are missing between the end of the files that were known and the beginning of those that have been found since.
    pub(super) fn tell_of_lost(&mut self) {
        let mut begun = BTreeSet::new();
        let mut heads: BTreeMap<[u8; 16], Vec<u64>> = BTreeMap::new();
        for id in std::mem::take(&mut self.newly_found) {
            let Some(tracked) = self.files.get_mut(&id) else { continue };
            tracked.look_at_header();
            if tracked.header.head_seqnum == 0 {
                // Nothing was written to it yet.
                self.newly_found.insert(id);
            } else {
                heads.entry(tracked.header.seqnum_id).or_default().push(tracked.header.head_seqnum);
                begun.insert(id);
            }
        }
        if heads.is_empty() {
            return;
        }
        let mut ends: BTreeMap<[u8; 16], (u64, &Position)> = BTreeMap::new();
        let is_known = |id: &FileId| !begun.contains(id) && !self.newly_found.contains(id);
        for tracked in self.files.values_mut().filter(|of| is_known(&of.id) && heads.contains_key(&of.header.seqnum_id))
        {
            // It may have grown until the next file was begun.
            tracked.look_at_header();
        }
        let of_files =
            self.files.values().filter(|of| is_known(&of.id)).map(|of| (of.header.tail_seqnum, of.position()));
        for (tail, position) in of_files.chain(self.ledger.values().map(|position| (0, position))) {
            let last = position.seqnum.max(tail);
            let end = ends.entry(position.seqnum_id).or_insert((last, position));
            if end.0 < last {
                *end = (last, position);
            }
        }
        for (journal, (last, position)) in ends.into_iter().filter(|(_, (last, _))| *last != 0) {
            let Some(heads) = heads.get(&journal) else { continue };
            let first = heads.iter().filter(|head| last < **head).min().copied().unwrap_or(last);
            // journald may pass over a number where it rotates.
            let missing_count = first.saturating_sub(last + 1);
            if missing_count > heads.len() as u64 {
                let path = position.path.to_string_lossy().into_owned();
                log::warn!("{missing_count} entries that followed those of {path} were deleted before they were read");
                let bytes = position.seen..position.seen;
                self.status.add_gap(Gap { path, bytes, reason: SkipReason::Deleted, found: self.now() });
            }
        }
    }
}
