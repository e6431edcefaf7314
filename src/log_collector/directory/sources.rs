//! Opens, reads and closes files.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::file::{self, Identity};
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{self, ENDLESS, Position};
use crate::log_collector::directory::turns::Turn;
use crate::log_collector::directory::{Cut, Directory, JOINING_TIME_MAX};
use crate::log_collector::source::{Content, Former, Outcome, Reading, Resumed, Source};
use crate::log_collector::tracked::{LastRead, SourceId, Tracked};
use crate::log_collector::watcher::Watcher;
use crate::model::{Batch, Checkpoint};
use crate::status::{SkipReason, SourceState, SourceStatus};

/// How many compressed files are read at a time; each takes a few MiB of memory.
const COMPRESSED_MAX: usize = 2;

impl<W: Watcher> Directory<W> {
    /// The source of the file at `path`, opened if it is not yet; `None` where the file is not to be read, or is already
    /// another.
    pub(super) fn source_at(
        &mut self,
        path: &Path,
        identity: Identity,
        name: &Path,
    ) -> Result<Option<SourceId>, file::Error> {
        let waits = |position: &Position| {
            let mut streams = position.deliveries.iter().map(|delivery| &delivery.path);
            let is_unclear = streams.any(|stream| self.waiting.contains(stream)) || self.starting;
            position.offset == 0 && is_unclear && self.is_rotated(position)
        };
        if self.ledger.get(identity).is_some_and(waits) {
            // It only has a place in the stream, until it can be told what it holds.
            return Ok(None);
        }
        self.open_source(path, identity, name, false)
    }

    /// As [`Directory::source_at`], and reads what is in a compressed file if `decompress` says so.
    pub(super) fn open_source(
        &mut self,
        path: &Path,
        identity: Identity,
        name: &Path,
        decompress: bool,
    ) -> Result<Option<SourceId>, file::Error> {
        if let Some(id) = self.sources.of_file(identity) {
            path.clone_into(&mut self.sources[id].source.path);
            return Ok(Some(id));
        }
        self.forget_taken_over(identity, path);
        let known = self.ledger.known_as(identity);
        let stored = known.and_then(|known| Some((known, self.ledger.get(known)?.clone())));
        let decompress = decompress || stored.as_ref().is_some_and(|(_, position)| position.compressed);
        let content = Content::open(path, decompress)?;
        let metadata = content.metadata()?;
        if metadata.identity != identity {
            return Ok(None);
        }
        let state = Arc::new(SourceStatus::new(self.seen(name).to_string_lossy().into_owned()));
        state.size_bytes.set(metadata.size_bytes);
        let mut source = Source::new(identity, path.to_owned(), content, self.settings.zone.clone(), state);
        source.modified_ns = metadata.modified_ns;
        if self.settings.multiline {
            source.join_lines();
        }
        if let Some((known, position)) = stored {
            let resumed = source.resume(&position)?;
            let id = self.track(source, metadata.modified_ns);
            if known != identity {
                self.store_position(id);
                self.forget(known);
            }
            self.ledger.remove(known);
            self.orphans.remove(&known);
            match resumed {
                Resumed::Intact => {}
                Resumed::Shortened => {
                    self.status.truncations.add(1);
                    self.store_position(id);
                    log::warn!("{} has lost its end, as after a power cut; what was read is kept", path.display());
                }
                Resumed::Rewritten => {
                    self.status.truncations.add(1);
                    self.keep_cut(id, Former::restored(position));
                    self.renew_ordinals(id);
                    self.store_position(id);
                    self.note_due_of(id);
                }
            }
            return Ok(Some(id));
        }
        if !self.settings.patterns.are_explicit() && source.looks_binary()? {
            self.not_text = Some(name.to_owned());
            return Ok(None);
        }
        // Many archives may wait for their turn.
        source.release();
        Ok(Some(self.track(source, metadata.modified_ns)))
    }

    /// Watches a source and queues it to be read.
    fn track(&mut self, source: Source, modified_ns: i64) -> SourceId {
        self.ledger.keep(source.identity);
        let handle = self.status.add_source(Arc::clone(&source.state));
        let history_end = if self.starting { source.state.size_bytes.get() } else { 0 };
        let id = self.sources.insert(Tracked::new(source, handle, modified_ns, history_end));
        self.watch(id);
        self.note_deliveries(id);
        self.note_use(id, id);
        self.enqueue(id);
        id
    }

    /// Watches a source's file. It is polled where the watcher cannot, or where the path leads to another file by now.
    fn watch(&mut self, id: SourceId) {
        let source = &self.sources[id].source;
        let is_it = |path: &Path| file::link_metadata(path).is_ok_and(|metadata| metadata.identity == source.identity);
        let watch = match self.watches.watch_source(&source.path, id) {
            Ok(watch) if !is_it(&source.path) => {
                self.watches.unwatch(watch);
                None
            }
            watch => watch.ok(),
        };
        self.sources.set_watch(id, watch);
    }

    /// Watches what had to be polled, as long as the watcher takes it.
    pub(super) fn retry_watches(&mut self) {
        for id in self.sources.polled().clone() {
            if self.sources[id].is_watched() {
                continue;
            }
            self.watch(id);
            if !self.sources[id].is_watched() {
                break;
            }
        }
    }

    /// Has the position of a source stored, although there are no lines to go with it.
    pub(super) fn store_position(&mut self, id: SourceId) {
        let checkpoint = Some(self.sources[id].source.checkpoint((self.settings.clock)()));
        self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
    }

    /// Keeps what a source's file held before it was truncated, until the file is found that holds it now.
    fn keep_cut(&mut self, id: SourceId, former: Former) {
        let endless = former.position.deliveries.iter().find(|delivery| delivery.end == ENDLESS);
        let Some(ordinal) = endless.map(|delivery| delivery.ordinal) else {
            return self.give_up(&former, SkipReason::Truncated);
        };
        let identity = checkpoint::identity_of_cut(self.sources[id].source.identity, ordinal);
        self.cuts.insert(identity, Cut { waiting: former.waiting, since: Instant::now() });
        // Before it is stored that the file starts anew.
        self.remember(identity, Position { cut: true, ..*former.position });
    }

    /// Whether what the file of a source held is still looked for.
    pub(super) fn has_cut(&self, id: SourceId) -> bool {
        let identity = self.sources[id].source.identity;
        self.cuts.keys().any(|cut| cut.device == !identity.device && cut.inode == identity.inode)
    }

    /// Counts what waited of `former` as lost.
    pub(super) fn give_up(&self, former: &Former, reason: SkipReason) {
        former.give_up(reason, &self.status, (self.settings.clock)());
    }

    /// Has the streams looked after whose files were truncated, to end the search for copies that takes too long.
    pub(super) fn reconcile_cuts(&mut self) {
        let positions = self.cuts.keys().filter_map(|cut| self.ledger.get(*cut));
        let streams = positions.flat_map(|position| &position.deliveries).map(|delivery| delivery.path.clone());
        for stream in streams.collect::<Vec<_>>() {
            self.note_due(&stream);
        }
    }

    /// Has the streams looked after that a source delivers to.
    pub(super) fn note_due_of(&mut self, id: SourceId) {
        for stream in self.sources[id].source.delivery_paths().map(Path::to_owned).collect::<Vec<_>>() {
            self.note_due(&stream);
        }
    }

    /// Bytes that were seen and are neither handed over nor skipped.
    pub(super) fn bytes_waiting(&self) -> u64 {
        let length = |bytes: std::ops::Range<u64>| bytes.end - bytes.start;
        let cut = self.cuts.values().map(|cut| cut.waiting.clone());
        let waiting = self.sources.iter().map(|tracked| tracked.source.waiting());
        let waiting = waiting.chain(cut).map(length).sum::<u64>() + self.orphaned_bytes();
        waiting + self.outbox.iter().map(|collected| collected.source_bytes).sum::<u64>()
    }

    pub(super) fn enqueue(&mut self, id: SourceId) {
        let tracked = &mut self.sources[id];
        if !std::mem::replace(&mut tracked.queued, true) {
            self.turns.push(id, tracked.turn());
        }
    }

    /// Notes that the watcher saw a source written to, and queues it.
    pub(super) fn note_written(&mut self, id: SourceId) {
        // It may be closed by now.
        if self.sources.find(id).is_some() {
            self.sources[id].source.note_written();
            self.enqueue(id);
        }
    }

    /// Whether a source that is about to be read turns out not to be text; it is then left out.
    fn is_left_out(&mut self, id: SourceId) -> bool {
        let tracked = &self.sources[id];
        let is_binary = !self.settings.patterns.are_explicit()
            && tracked.source.may_turn_out_binary()
            && tracked.source.looks_binary().unwrap_or(false);
        if is_binary {
            for name in tracked.names().to_vec() {
                if let Some(entry) = self.names.get_mut(&name) {
                    entry.source = None;
                }
                self.note_not_text(&name);
            }
            self.drop_source(id, SkipReason::Binary);
        }
        is_binary
    }

    pub(super) fn look_at_names_of(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.find(id) else { return };
        for name in tracked.names().to_vec() {
            self.follow(&name);
        }
        self.enqueue(id);
    }

    pub(super) fn add_name_to(&mut self, id: SourceId, name: &Path) {
        self.sources.add_name(id, name.to_owned());
        self.sources[id].source.state.set_state(SourceState::Active, None);
        self.touched.insert(id);
    }

    pub(super) fn remove_name_from(&mut self, id: SourceId, name: &Path) {
        if self.sources.remove_name(id, name) {
            self.sources[id].source.state.set_state(SourceState::Rotated, None);
            // Where it is now it may be compressed or deleted before it is its turn; then reading it finds that out.
            if let Err(error) = self.open_again(id) {
                log::debug!("{error}");
            }
        }
        self.status.rotations.add(1);
        self.enqueue(id);
    }

    /// Skips what the files hold that are there at the very first start, which is remembered even if there is none.
    pub(super) fn skip_history(&mut self) {
        for id in self.sources.ids() {
            if self.sources.release(id) {
                self.deliver_to_names(id);
            }
            let opened = self.open_again(id);
            match opened.and_then(|()| self.sources[id].source.skip_history(&self.status)) {
                Ok(()) => self.store_position(id),
                Err(error) => log::warn!("{error}; the file is read from its start"),
            }
        }
        if let Ok(metadata) = file::metadata(&self.root) {
            let position = Position::unread(self.root.clone(), (self.settings.clock)());
            let source = checkpoint::encode_key(metadata.identity);
            let checkpoint = Some(Checkpoint { source, position: Some(position.encode()) });
            self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
        }
    }

    /// Reads the next lines of a source, or puts it behind the one that has to be read before.
    pub(super) fn read(&mut self, id: SourceId) -> Option<Collected> {
        // It may have been closed while it waited.
        let tracked = self.sources.find(id)?;
        if tracked.held_back().is_some() {
            self.sources[id].queued = false;
            self.judge(id);
            return None;
        }
        self.judge_copies_of(id);
        if self.waits_for_end_of_line(id) {
            self.sources[id].queued = false;
            return None;
        }
        if self.has_unread_before(id) || self.finds_rotated_before(id) {
            self.turns.push(id, Turn::Busy);
            return None;
        }
        // Looking after its streams may have closed it.
        if self.sources.find(id)?.source.is_compressed() && !self.may_decompress(id) {
            self.turns.push(id, Turn::Busy);
            return None;
        }
        let opened = self.open_again(id);
        if opened.is_ok() && self.is_left_out(id) {
            return self.outbox.pop_front();
        }
        let Some(up_to) = self.readable_bytes(id) else {
            self.turns.push(id, Turn::Busy);
            return None;
        };
        self.take_parts(id);
        self.copy_again(id);
        let tracked = &mut self.sources[id];
        tracked.queued = false;
        if opened.as_ref().is_err_and(|error| tracked.names().is_empty() && error.kind() == io::ErrorKind::NotFound) {
            self.orphan(id);
            // Before what comes after it is read.
            self.settle();
            return self.outbox.pop_front();
        }
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match opened.and_then(|()| tracked.source.read(&mut self.buffer, up_to, &reading)) {
            Ok(outcome) => {
                self.take(id, outcome);
                self.leave_parts(id);
                if let Some(before) = self.previous_file(id) {
                    self.leave_parts(before);
                }
            }
            Err(error) => {
                if !self.sources.set_last_read(id, LastRead::Failed) {
                    log::warn!("{error}; it is tried again");
                    let state = &self.sources[id].source.state;
                    state.set_state(SourceState::Unreadable, Some(error.to_string()));
                }
                self.decompressing.remove(&id);
                return None;
            }
        }
        self.outbox.pop_front()
    }

    /// Whether something was rotated out of a log before anything of it was read, as far as that is news: it is read first.
    fn finds_rotated_before(&mut self, id: SourceId) -> bool {
        let source = &self.sources[id].source;
        if source.has_begun() || !source.has_more() {
            return false;
        }
        self.reconcile_streams_of(id);
        self.sources.find(id).is_some() && self.has_unread_before(id)
    }

    /// Starts over with a source whose file was truncated or rewritten, if it was: whatever it may wait for, this is known
    /// from now on.
    pub(super) fn notice_truncation(&mut self, id: SourceId) {
        if let Err(error) = self.open_again(id) {
            return log::debug!("{error}");
        }
        let tracked = &mut self.sources[id];
        if !tracked.source.is_intact().unwrap_or(true) {
            let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
            let outcome = tracked.source.start_over(&reading);
            self.take(id, outcome);
        }
    }

    /// Takes what a read came to.
    fn take(&mut self, id: SourceId, mut outcome: Outcome) {
        let last_read = if outcome.is_preallocated { LastRead::Hole } else { LastRead::Good };
        let was_failing = self.sources.set_last_read(id, last_read);
        let tracked = &mut self.sources[id];
        if was_failing {
            let state = if tracked.names().is_empty() { SourceState::Rotated } else { SourceState::Active };
            tracked.source.state.set_state(state, None);
        }
        if outcome.collected.is_some() {
            tracked.quiet_since = Instant::now();
        }
        tracked.busy = outcome.more;
        if !outcome.more {
            tracked.history_end = 0;
        }
        if outcome.is_uncertain {
            self.uncertain.insert(id);
        }
        if let Some(former) = outcome.former {
            log::debug!("{} was truncated or written anew", self.sources[id].source.path.display());
            self.keep_cut(id, former);
            self.renew_ordinals(id);
            self.reconcile_streams_of(id);
            if let Some(collected) = &mut outcome.collected {
                collected.batch.checkpoint = Some(self.sources[id].source.checkpoint((self.settings.clock)()));
            }
        }
        self.note_unended(id);
        if outcome.more {
            self.enqueue(id);
        } else if self.decompressing.remove(&id) {
            self.sources[id].source.release();
        }
        self.note_joining(id);
        self.outbox.extend(outcome.collected);
    }

    /// Whether it is this compressed source's turn: only so many are read at a time. One that turned out to be a copy, or that has
    /// to wait by now for a file which was found later, gives its turn up: others would wait for it, and it for them.
    fn may_decompress(&mut self, id: SourceId) -> bool {
        let is_being_read = |other: &SourceId| {
            let it = &self.sources[*other];
            it.queued && it.held_back().is_none() && !self.has_unread_before(*other)
        };
        if COMPRESSED_MAX <= self.decompressing.len() && !self.decompressing.contains(&id) {
            self.decompressing = self.decompressing.iter().filter(|other| is_being_read(other)).copied().collect();
        }
        let has_turn = self.decompressing.contains(&id) || self.decompressing.len() < COMPRESSED_MAX;
        if has_turn {
            self.decompressing.insert(id);
        }
        has_turn
    }

    /// Remembers whether a source has an entry that is complete as soon as no further line comes for a while.
    pub(super) fn note_joining(&mut self, id: SourceId) {
        let since = self.sources[id].source.is_joining().then(Instant::now);
        self.sources.set_joining(id, since);
    }

    /// Takes the entries that have been complete for a while, as it seems.
    pub(super) fn end_joining(&mut self) {
        // Only the first ones are looked at: this is done for each batch, and every file may have such an entry.
        let is_due = |(since, _): &(Instant, SourceId)| JOINING_TIME_MAX <= since.elapsed();
        while let Some((_, id)) = self.sources.first_joining().filter(is_due) {
            let tracked = &mut self.sources[id];
            // The next line may be there already where one waits for its turn.
            if !tracked.queued {
                let reading =
                    Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
                self.outbox.push_back(tracked.source.end_joining(&reading));
            }
            self.note_joining(id);
        }
    }

    /// Lets the deleted files go whose bytes are more than may be held, the oldest first.
    pub(super) fn keep_deleted_within_budget(&mut self) {
        let unnamed = self.sources.nameless().union(self.sources.finished());
        let held = unnamed.map(|id| (*id, self.sources[*id].source.deleted_bytes()));
        let held: Vec<(SourceId, u64)> = held.collect();
        let mut held_bytes: u64 = held.iter().map(|(_, bytes)| bytes).sum();
        for (id, bytes) in held.into_iter().filter(|(_, bytes)| 0 < *bytes) {
            if held_bytes <= self.settings.deleted_bytes_max {
                break;
            }
            held_bytes -= bytes;
            if let Err(error) = self.sources[id].source.look_at_size(&self.status) {
                log::debug!("{error}");
            }
            self.drop_source(id, SkipReason::OverBudget);
        }
        self.held_deleted_bytes.set(&self.status.held_deleted_bytes, held_bytes);
    }

    /// Closes a source whose file is gone while it was closed; it may be found copied or compressed, or is lost.
    fn orphan(&mut self, id: SourceId) {
        self.note_due_of(id);
        let (waiting, position) = self.sources[id].source.abandon((self.settings.clock)());
        let source = self.close_source(id, SkipReason::Deleted);
        self.orphans.insert(source.identity, waiting);
        self.ledger.insert(source.identity, position);
    }

    /// Closes the sources of a stream for good whose files are gone while they were closed: they are missing.
    pub(super) fn orphan_gone(&mut self, stream: &Path) {
        let is_closed = |id: &SourceId| self.sources[*id].names().is_empty() && self.sources[*id].source.is_closed();
        let closed = self.writers.get(stream).into_iter().flatten().copied().filter(is_closed);
        for id in closed.collect::<Vec<_>>() {
            if self.open_again(id).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                self.orphan(id);
            }
        }
    }

    /// Closes and forgets a source; what was seen of it and not read is lost for `reason`.
    fn drop_source(&mut self, id: SourceId, reason: SkipReason) {
        let source = self.close_source(id, reason);
        self.forget(source.identity);
    }

    /// Closes a source; what was seen of it and not read is lost for `reason`.
    pub(super) fn close_source(&mut self, id: SourceId, reason: SkipReason) -> Source {
        self.settle_copies_of(id);
        self.enqueue_files_after(id);
        // After it was compared with its copies, for which it was used.
        self.forget_use(id);
        let mut tracked = self.sources.remove(id);
        self.touched.remove(&id);
        self.uncertain.remove(&id);
        self.decompressing.remove(&id);
        self.looked_at.retain(|other| *other != id);
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        if tracked.source.is_joining() {
            self.outbox.push_back(tracked.source.end_joining(&reading));
        }
        if reason == SkipReason::Binary {
            tracked.source.skip_waiting(reason, &reading);
        }
        tracked.source.give_up(reason, &reading);
        if let Some(watch) = tracked.take_watch() {
            self.watches.unwatch(watch);
        }
        if tracked.unended().is_some_and(|it| it.is_shown) {
            self.outbox
                .push_back(Collected { unended: Some(tracked.source.nothing_unended()), ..Collected::default() });
        }
        for path in tracked.source.delivery_paths() {
            let Some(writers) = self.writers.get_mut(path) else { continue };
            writers.retain(|writer| *writer != id);
            if writers.is_empty() {
                self.writers.remove(path);
                self.ledger.end_stream(path);
            }
        }
        self.status.remove_source(&tracked.handle);
        tracked.source
    }
}
