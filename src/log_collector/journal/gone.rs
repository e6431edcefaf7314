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

    /// Tells of entries that were vacuumed unread in files that were never seen. Numbers go on from file to file of one
    /// journal, so that they are missing between what was read last and what is there now.
    pub(super) fn tell_of_lost(&self) {
        let mut read: BTreeMap<[u8; 16], (u64, &Position)> = BTreeMap::new();
        let mut unread: BTreeMap<[u8; 16], Vec<u64>> = BTreeMap::new();
        let known = self.ledger.values().map(|position| (position, 0));
        for (position, tail) in known.chain(self.files.values().map(|of| (of.position(), of.header.tail_seqnum))) {
            if position.seqnum != 0 {
                let last = position.seqnum.max(tail);
                let before = read.entry(position.seqnum_id).or_insert((last, position));
                if before.0 < last {
                    *before = (last, position);
                }
            }
        }
        for tracked in self.files.values().filter(|of| of.position().seqnum == 0 && of.header.head_seqnum != 0) {
            unread.entry(tracked.header.seqnum_id).or_default().push(tracked.header.head_seqnum);
        }
        for (journal, (last, position)) in read {
            let Some(heads) = unread.get(&journal) else { continue };
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
