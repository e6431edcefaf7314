//! Which files are open, whose streams they deliver to, and when they are let go.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::file::{self, Identity};
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{self, DELIVERIES_MAX, Position};
use crate::log_collector::directory::copies::COPY_PATIENCE;
use crate::log_collector::directory::restart::{self, Turns};
use crate::log_collector::directory::turns::Turn;
use crate::log_collector::directory::{Directory, JOINING_TIME_MAX, SourceId};
use crate::log_collector::source::{Content, Former, Reading, Resumed, Source};
use crate::log_collector::watcher::Watcher;
use crate::model::{Batch, Checkpoint};
use crate::status::{SkipReason, SourceHandle, SourceState, SourceStatus};

/// How many compressed files are read at a time; each takes a few MiB of memory.
const COMPRESSED_MAX: usize = 8;

/// A source and what the collector knows of it.
pub(super) struct Tracked<Descriptor> {
    pub(super) source: Source,
    /// The names that lead to it now, as canonical paths under the root, in the order they were found.
    pub(super) names: Vec<PathBuf>,
    /// While it has no name and no stream: the name that led to it last.
    last_name: Option<PathBuf>,
    /// Whether it waits for its turn to be read.
    pub(super) queued: bool,
    /// Whether there was more than was read in one go.
    busy: bool,
    /// How long it was at the start, until that is read; 0 for a file that came later.
    pub(super) history_end: u64,
    /// When the file had been modified when it was found, in nanoseconds since the Unix epoch.
    modified_ns: i64,
    /// The source that delivered to its stream before: it is read to its end first.
    pub(super) after: Option<SourceId>,
    /// Whether the last read failed.
    pub(super) failing: bool,
    /// Whether nothing but a hole comes next: it may be filled without the watcher noticing.
    is_preallocated: bool,
    /// When it was used last, among all uses.
    pub(super) used: u64,
    /// While it has no name: when it was found so, or last read. While it may be a copy: when it was seen to grow.
    pub(super) quiet_since: Instant,
    /// Since when an entry waits for its next line.
    pub(super) joining_since: Option<Instant>,
    /// Where it stood when its file was truncated, and when that was found.
    pub(super) former: Option<(Former, Instant)>,
    watch: Option<Descriptor>,
    handle: SourceHandle,
}

impl<D> Tracked<D> {
    /// The names that lead to it, or led to it before it was decided which streams it delivers to.
    pub(super) fn known_names(&self) -> impl Iterator<Item = &PathBuf> {
        self.names.iter().chain(&self.last_name)
    }

    fn turn(&self) -> Turn {
        if self.source.state.read_bytes.get() < self.history_end {
            Turn::History(self.modified_ns)
        } else if self.busy {
            Turn::Busy
        } else {
            Turn::Live
        }
    }
}

impl<W: Watcher> Directory<W> {
    /// The source of the file at `path`, opened if it is not yet; `None` where the file is not to be read, or is already
    /// another.
    pub(super) fn source_at(
        &mut self,
        path: &Path,
        identity: Identity,
        name: &Path,
    ) -> Result<Option<SourceId>, file::Error> {
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
        if let Some(&id) = self.sources_by_identity.get(&identity) {
            if let Some(tracked) = self.sources.get_mut(&id) {
                path.clone_into(&mut tracked.source.path);
            }
            return Ok(Some(id));
        }
        self.forget_taken_over(identity, path);
        let stored = self.stored_position(identity);
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
            self.restored.remove(&known);
            match resumed {
                Resumed::Intact => {}
                Resumed::Shortened => {
                    self.status.truncations.add(1);
                    self.store_position(id);
                    log::warn!("{} has lost its end, as after a power cut; what was read is kept", path.display());
                }
                Resumed::Rewritten => {
                    self.status.truncations.add(1);
                    self.set_former(id, Former::restored(position));
                }
            }
            return Ok(Some(id));
        }
        if !self.settings.patterns.are_explicit() && source.looks_binary()? {
            return Ok(None);
        }
        Ok(Some(self.track(source, metadata.modified_ns)))
    }

    /// Watches a source and queues it to be read.
    fn track(&mut self, source: Source, modified_ns: i64) -> SourceId {
        self.next_source += 1;
        let id = SourceId(self.next_source);
        let watch = self.watch(&source, id);
        if watch.is_none() {
            self.polled.insert(id);
            source.state.polled.store(true, Ordering::Relaxed);
        }
        self.sources_by_identity.insert(source.identity, id);
        self.forgotten.remove(&source.identity);
        let handle = self.status.add_source(Arc::clone(&source.state));
        let names = Vec::with_capacity(1);
        let quiet_since = Instant::now();
        let history_end = if self.starting { source.state.size_bytes.get() } else { 0 };
        let tracked = Tracked {
            source,
            names,
            last_name: None,
            queued: false,
            busy: false,
            history_end,
            modified_ns,
            after: None,
            failing: false,
            is_preallocated: false,
            used: 0,
            quiet_since,
            joining_since: None,
            former: None,
            watch,
            handle,
        };
        self.sources.insert(id, Box::new(tracked));
        self.note_deliveries(id);
        self.note_use(id);
        self.nameless.insert(id);
        self.enqueue(id);
        id
    }

    /// Watches a source's file; `None` where the watcher cannot, or where the path leads to another file by now.
    fn watch(&mut self, source: &Source, id: SourceId) -> Option<W::Descriptor> {
        let watch = self.watches.watch_source(&source.path, id).ok()?;
        let same = file::link_metadata(&source.path).is_ok_and(|metadata| metadata.identity == source.identity);
        if !same {
            self.watches.unwatch(watch);
        }
        same.then_some(watch)
    }

    /// Watches what had to be polled, as long as the watcher takes it.
    pub(super) fn retry_watches(&mut self) {
        for id in self.polled.iter().copied().collect::<Vec<_>>() {
            // It is taken out for a moment, to watch it.
            let Some(mut tracked) = self.sources.remove(&id) else { continue };
            let is_new = tracked.watch.is_none();
            if is_new {
                tracked.watch = self.watch(&tracked.source, id);
            }
            let is_watched = tracked.watch.is_some();
            if is_watched {
                tracked.source.state.polled.store(false, Ordering::Relaxed);
            }
            self.sources.insert(id, tracked);
            self.note_polling(id);
            if is_new && !is_watched {
                break;
            }
        }
    }

    /// The stored position of a file, and the identity it is stored under: after a restart of the machine the file's device
    /// may have another number.
    fn stored_position(&self, identity: Identity) -> Option<(Identity, Position)> {
        let same = |known: &&Identity| {
            known.inode == identity.inode && known.born_ns == identity.born_ns && identity.born_ns != 0
        };
        let known = if self.restored.contains_key(&identity) { &identity } else { self.restored.keys().find(same)? };
        Some((*known, self.restored.get(known)?.clone()))
    }

    /// Has the position of a source stored, although there are no lines to go with it.
    pub(super) fn store_position(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get(&id) else { return };
        let checkpoint = Some(tracked.source.checkpoint((self.settings.clock)()));
        self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
    }

    /// Remembers where a source stood before its file was truncated, for the copy to be found.
    fn set_former(&mut self, id: SourceId, former: Former) {
        self.give_up_former(id);
        if let Some(tracked) = self.sources.get_mut(&id) {
            tracked.former = Some((former, Instant::now()));
            self.truncated.insert(id);
        }
    }

    /// Ends the search for the copy of what a source was.
    fn give_up_former(&mut self, id: SourceId) {
        self.truncated.remove(&id);
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        if let Some((former, _)) = tracked.former.take() {
            self.give_up(&former, SkipReason::Truncated);
        }
    }

    /// Counts what waited of `former` as lost.
    pub(super) fn give_up(&self, former: &Former, reason: SkipReason) {
        former.give_up(reason, &self.status, (self.settings.clock)());
    }

    /// Ends the search for copies that has taken too long.
    pub(super) fn give_up_formers(&mut self) {
        let has_waited = |id: &SourceId| {
            let former = self.sources.get(id).and_then(|tracked| tracked.former.as_ref());
            former.is_none_or(|(_, since)| COPY_PATIENCE <= since.elapsed())
        };
        for id in self.truncated.iter().copied().filter(has_waited).collect::<Vec<_>>() {
            self.find_compressed_copy_of(id);
            self.give_up_former(id);
        }
    }

    /// Bytes that were seen and are neither handed over nor skipped.
    pub(super) fn bytes_waiting(&self) -> u64 {
        let length = |bytes: std::ops::Range<u64>| bytes.end - bytes.start;
        let waiting = self.sources.values().map(|tracked| {
            let former = tracked.former.as_ref().map_or(0, |(former, _)| length(former.waiting.clone()));
            length(tracked.source.waiting()) + former
        });
        waiting.sum::<u64>() + self.outbox.iter().map(|collected| collected.source_bytes).sum::<u64>()
    }

    pub(super) fn enqueue(&mut self, id: SourceId) {
        if let Some(tracked) = self.sources.get_mut(&id)
            && !std::mem::replace(&mut tracked.queued, true)
        {
            self.turns.push(id, tracked.turn());
        }
    }

    /// Notes that the watcher saw a source written to, and queues it.
    pub(super) fn note_written(&mut self, id: SourceId) {
        if let Some(tracked) = self.sources.get_mut(&id) {
            tracked.source.note_written();
        }
        self.enqueue(id);
    }

    /// Has a source polled whose changes the watcher may not report.
    fn note_polling(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get(&id) else { return };
        if tracked.watch.is_none() || tracked.failing || tracked.is_preallocated {
            self.polled.insert(id);
        } else {
            self.polled.remove(&id);
        }
    }

    /// Whether a source that is about to be read turns out not to be text; it is then left out.
    fn is_left_out(&mut self, id: SourceId) -> bool {
        let Some(tracked) = self.sources.get(&id) else { return true };
        let is_binary = !self.settings.patterns.are_explicit()
            && tracked.source.may_turn_out_binary()
            && tracked.source.looks_binary().unwrap_or(false);
        if is_binary {
            for name in tracked.names.clone() {
                if let Some(name) = self.names.get_mut(&name) {
                    name.source = None;
                }
            }
            self.drop_source(id, SkipReason::Binary);
        }
        is_binary
    }

    pub(super) fn look_at_names_of(&mut self, id: SourceId) {
        let names = self.sources.get(&id).map(|tracked| tracked.names.clone()).unwrap_or_default();
        for name in names {
            self.follow(&name);
        }
        self.enqueue(id);
    }

    pub(super) fn add_name_to(&mut self, id: SourceId, name: &Path) {
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        tracked.names.push(name.to_owned());
        tracked.last_name = None;
        tracked.source.state.set_state(SourceState::Active, None);
        self.nameless.remove(&id);
        self.finished.remove(&id);
        self.touched.insert(id);
    }

    pub(super) fn remove_name_from(&mut self, id: SourceId, name: &Path) {
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        tracked.names.retain(|known| known != name);
        if tracked.names.is_empty() {
            tracked.last_name = tracked.source.delivery_paths().next().is_none().then(|| name.to_owned());
            tracked.quiet_since = Instant::now();
            tracked.source.state.set_state(SourceState::Rotated, None);
            self.nameless.insert(id);
            // Where it is now it may be compressed or deleted before it is its turn; then reading it finds that out.
            if let Err(error) = self.open_again(id) {
                log::debug!("{error}");
            }
        }
        self.status.rotations.add(1);
        self.enqueue(id);
    }

    /// Decides which streams touched sources deliver to, now that all changes are known.
    ///
    /// A renamed file goes on delivering to the streams it had: its new name takes the place of the one that is gone.
    /// Only names beyond those are new ones, with a stream of their own.
    pub(super) fn settle(&mut self) {
        self.find_all_between();
        while let Some(&id) = self.touched.first() {
            self.settle_source(id);
        }
    }

    /// As [`Directory::settle`], for one source.
    pub(super) fn settle_source(&mut self, id: SourceId) {
        if !self.touched.remove(&id) {
            return;
        }
        if !self.surplus_names(id).is_empty() {
            // A rename seen half-way looks like a second name: make sure that the others are still there.
            self.look_at_names_of(id);
            self.touched.remove(&id);
            if !self.may_be_copy(id) {
                self.deliver_to_names(id);
            }
        }
        self.end_other_deliveries(id);
    }

    /// Ends the deliveries of other sources to the streams of a source's names, as far as they were switched away from
    /// them.
    fn end_other_deliveries(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get(&id) else { return };
        // Links first: in the place of a file that was renamed is no link, and the stream of one goes on.
        let (own, links): (Vec<_>, Vec<_>) = tracked.names.iter().partition(|name| **name == tracked.source.path);
        for path in links.into_iter().chain(own).map(|name| self.seen(name)).collect::<Vec<_>>() {
            let others = self.deliverers.get(&path).into_iter().flatten().filter(|other| **other != id);
            for other in others.copied().collect::<Vec<_>>() {
                if self.is_switched_away(other, &path) {
                    // A rename seen half-way looks like that, too.
                    self.look_at_names_of(other);
                    if self.is_switched_away(other, &path) {
                        self.end_delivery(other, &path);
                    }
                }
            }
        }
    }

    /// Whether the name `path`, whose stream a source delivers to, leads elsewhere while the file stays where it is: it
    /// has a name with a stream of its own, and none that takes the place of the one that is gone.
    fn is_switched_away(&self, id: SourceId, path: &Path) -> bool {
        let Some(tracked) = self.sources.get(&id) else { return false };
        let streams: Vec<&Path> = tracked.source.delivery_paths().collect();
        let names: Vec<PathBuf> = tracked.names.iter().map(|name| self.seen(name)).collect();
        let leads_here = names.iter().any(|name| name == path);
        let has_own_stream = names.iter().any(|name| streams.contains(&name.as_path()));
        // Nobody writes to a compressed file.
        !leads_here && has_own_stream && names.len() < streams.len() && !tracked.source.is_compressed()
    }

    /// Ends the stream of `path` in a source with what its file holds now.
    fn end_delivery(&mut self, id: SourceId, path: &Path) {
        let opened = self.open_again(id);
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match opened.and_then(|()| tracked.source.end_delivery(path, &reading)) {
            Ok(collected) => self.outbox.push_back(collected),
            Err(error) => return log::warn!("{error}; it goes on as {}", path.display()),
        }
        if let Some(deliverers) = self.deliverers.get_mut(path) {
            deliverers.retain(|deliverer| *deliverer != id);
        }
        self.note_joining(id);
    }

    /// Delivers to a stream for each name that makes more than there are streams.
    pub(super) fn deliver_to_names(&mut self, id: SourceId) {
        for name in self.surplus_names(id) {
            self.deliver_to(id, name);
        }
    }

    /// Names that make more than there are streams, as seen under the root; the latest ones. A file that has lost its name
    /// before it had a stream still gets that of the name.
    fn surplus_names(&self, id: SourceId) -> Vec<PathBuf> {
        let Some(tracked) = self.sources.get(&id) else { return Vec::new() };
        let names: Vec<PathBuf> = tracked.known_names().map(|name| self.seen(name)).collect();
        let vacant = tracked.source.delivery_paths().filter(|path| !names.iter().any(|name| name == path)).count();
        let streams: Vec<&Path> = tracked.source.delivery_paths().collect();
        let room = DELIVERIES_MAX.saturating_sub(tracked.source.delivery_count());
        names.iter().filter(|name| !streams.contains(&name.as_path())).skip(vacant).take(room).cloned().collect()
    }

    pub(super) fn deliver_to(&mut self, id: SourceId, name: PathBuf) {
        self.take_over(id, name.clone());
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        tracked.source.deliver_to(name);
        tracked.last_name = None;
        // Even before anything is read: it is to be known whose stream it is, should it be rotated first.
        self.store_position(id);
        self.enqueue(id);
    }

    /// Puts sources that were resumed and deliver to one stream in the order in which they took it over: those of `turns`
    /// as it says, others by age, the one that has the stream's own name last.
    pub(super) fn order_resumed(&mut self, turns: &Turns) {
        let mut streams: BTreeMap<PathBuf, Vec<(bool, restart::Turn, SourceId)>> = BTreeMap::new();
        for (&id, tracked) in &self.sources {
            let turn = turns.get(&id).copied().unwrap_or((tracked.source.identity.born_ns, 0));
            for path in tracked.source.delivery_paths() {
                let is_current = tracked.names.iter().any(|name| self.seen(name) == path);
                let turn = (is_current, turn, id);
                streams.entry(path.to_owned()).or_default().push(turn);
            }
        }
        self.deliverers.clear();
        self.sources.values_mut().for_each(|tracked| tracked.after = None);
        for (path, mut turns) in streams {
            turns.sort_unstable();
            for (_, _, id) in turns {
                self.take_over(id, path.clone());
            }
        }
    }

    /// Notes that a source delivers to its streams, as others may after it.
    pub(super) fn note_deliveries(&mut self, id: SourceId) {
        let paths = self.sources.get(&id).into_iter().flat_map(|tracked| tracked.source.delivery_paths());
        for path in paths {
            let deliverers = self.deliverers.entry(path.to_owned()).or_insert_with(|| Vec::with_capacity(1));
            if !deliverers.contains(&id) {
                deliverers.insert(0, id);
            }
        }
    }

    /// Makes a source the one that delivers to a stream from now on, once the one before has been read to its end.
    fn take_over(&mut self, id: SourceId, path: PathBuf) {
        let deliverers = self.deliverers.entry(path).or_insert_with(|| Vec::with_capacity(1));
        deliverers.retain(|deliverer| *deliverer != id);
        let before = deliverers.last().copied();
        deliverers.push(id);
        let after = before.filter(|&before| !self.waits_for(before, id));
        if let Some(tracked) = self.sources.get_mut(&id) {
            tracked.after = after.or(tracked.after);
        }
    }

    /// Skips what the files hold that are there at the very first start, which is remembered even if there is none.
    pub(super) fn skip_history(&mut self) {
        for id in self.sources.keys().copied().collect::<Vec<_>>() {
            if self.copies.remove(&id).is_some() {
                self.deliver_to_names(id);
            }
            let opened = self.open_again(id);
            let Some(tracked) = self.sources.get_mut(&id) else { continue };
            match opened.and_then(|()| tracked.source.skip_history(&self.status)) {
                Ok(()) => self.store_position(id),
                Err(error) => log::warn!("{error}; the file is read from its start"),
            }
        }
        if let Ok(metadata) = file::metadata(&self.root) {
            let position = Position::of_directory(self.root.clone(), (self.settings.clock)());
            let source = checkpoint::encode_key(metadata.identity);
            let checkpoint = Some(Checkpoint { source, position: Some(position.encode()) });
            self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
        }
    }

    /// Whether `later` is `earlier`, or is read only once that has been read to its end.
    fn waits_for(&self, later: SourceId, earlier: SourceId) -> bool {
        let before = |id: &SourceId| self.sources.get(id).and_then(|tracked| tracked.after);
        std::iter::successors(Some(later), before).any(|id| id == earlier)
    }

    /// Reads the next lines of a source, or puts it behind the one that has to be read before.
    pub(super) fn read(&mut self, id: SourceId) -> Option<Collected> {
        if self.copies.contains_key(&id) {
            self.sources.get_mut(&id)?.queued = false;
            self.judge(id);
            return None;
        }
        let before = self.sources.get(&id)?.after.and_then(|before| self.sources.get(&before));
        if before.is_some_and(|before| before.queued) {
            self.turns.push(id, Turn::Busy);
            return None;
        }
        if self.sources.get(&id)?.source.is_compressed() && !self.may_decompress(id) {
            self.turns.push(id, Turn::Busy);
            return None;
        }
        let opened = self.open_again(id);
        if opened.is_ok() && self.is_left_out(id) {
            return self.outbox.pop_front();
        }
        let tracked = self.sources.get_mut(&id)?;
        tracked.queued = false;
        tracked.after = None;
        if opened.as_ref().is_err_and(|error| tracked.names.is_empty() && error.kind() == io::ErrorKind::NotFound) {
            if !self.open_compressed(id) {
                self.drop_source(id, SkipReason::Deleted);
            }
            return self.outbox.pop_front();
        }
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        let outcome = match opened.and_then(|()| tracked.source.read(&mut self.buffer, &reading)) {
            Ok(outcome) => outcome,
            Err(error) => {
                if !std::mem::replace(&mut tracked.failing, true) {
                    log::warn!("{error}; it is tried again");
                    tracked.source.state.set_state(SourceState::Unreadable, Some(error.to_string()));
                    self.note_polling(id);
                }
                self.decompressing.remove(&id);
                return None;
            }
        };
        if std::mem::take(&mut tracked.failing) {
            let state = if tracked.names.is_empty() { SourceState::Rotated } else { SourceState::Active };
            tracked.source.state.set_state(state, None);
            self.note_polling(id);
        }
        let tracked = self.sources.get_mut(&id)?;
        if std::mem::replace(&mut tracked.is_preallocated, outcome.is_preallocated) != outcome.is_preallocated {
            self.note_polling(id);
        }
        let tracked = self.sources.get_mut(&id)?;
        if outcome.collected.is_some() {
            tracked.quiet_since = Instant::now();
        }
        tracked.busy = outcome.more;
        if !outcome.more {
            tracked.history_end = 0;
        }
        if let Some(former) = outcome.former {
            self.set_former(id, former);
            // The position of a copy is stored first: that the file was truncated is found again.
            self.judge_copies_of(id);
            self.find_compressed_copy_of(id);
        }
        if outcome.more {
            self.enqueue(id);
        } else if self.decompressing.remove(&id)
            && let Some(tracked) = self.sources.get(&id)
        {
            tracked.source.release();
        }
        self.note_joining(id);
        self.outbox.extend(outcome.collected);
        self.outbox.pop_front()
    }

    /// Whether it is this compressed source's turn: only so many are read at a time.
    fn may_decompress(&mut self, id: SourceId) -> bool {
        let has_turn = self.decompressing.contains(&id) || self.decompressing.len() < COMPRESSED_MAX;
        if has_turn {
            self.decompressing.insert(id);
        }
        has_turn
    }

    /// Remembers whether a source has an entry that is complete as soon as no further line comes for a while.
    fn note_joining(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        let since = tracked.source.is_joining().then(Instant::now);
        if let Some(before) = std::mem::replace(&mut tracked.joining_since, since) {
            self.joining.remove(&(before, id));
        }
        self.joining.extend(since.map(|since| (since, id)));
    }

    /// Takes the entries that have been complete for a while, as it seems.
    pub(super) fn end_joining(&mut self) {
        // Only the first ones are looked at: this is done for each batch, and every file may have such an entry.
        while let Some(&(_, id)) = self.joining.first().filter(|(since, _)| JOINING_TIME_MAX <= since.elapsed()) {
            self.joining.pop_first();
            let Some(tracked) = self.sources.get_mut(&id) else { continue };
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
        let unnamed = self.nameless.union(&self.finished);
        let held = unnamed.filter_map(|id| Some((*id, self.sources.get(id)?.source.deleted_bytes())));
        let held: Vec<(SourceId, u64)> = held.collect();
        let mut held_bytes: u64 = held.iter().map(|(_, bytes)| bytes).sum();
        for (id, bytes) in held.into_iter().filter(|(_, bytes)| 0 < *bytes) {
            if held_bytes <= self.settings.deleted_bytes_max {
                break;
            }
            held_bytes -= bytes;
            if let Some(tracked) = self.sources.get_mut(&id)
                && let Err(error) = tracked.source.look_at_size(&self.status)
            {
                log::debug!("{error}");
            }
            self.finished.remove(&id);
            self.drop_source(id, SkipReason::OverBudget);
        }
        self.status.held_deleted_bytes.set(held_bytes);
    }

    /// Closes and forgets a source; what was seen of it and not read is lost for `reason`.
    fn drop_source(&mut self, id: SourceId, reason: SkipReason) {
        if let Some(source) = self.close_source(id, reason) {
            self.forget(source.identity);
        }
    }

    /// Closes a source; what was seen of it and not read is lost for `reason`.
    pub(super) fn close_source(&mut self, id: SourceId, reason: SkipReason) -> Option<Source> {
        self.forget_use(id);
        self.give_up_former(id);
        let mut tracked = self.sources.remove(&id)?;
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        if tracked.source.is_joining() {
            self.outbox.push_back(tracked.source.end_joining(&reading));
        }
        if reason == SkipReason::Binary {
            tracked.source.skip_waiting(reason, &reading);
        }
        tracked.source.give_up(reason, &reading);
        self.nameless.remove(&id);
        self.decompressing.remove(&id);
        if let Some(watch) = tracked.watch {
            self.watches.unwatch(watch);
        }
        self.polled.remove(&id);
        self.copies.remove(&id);
        if let Some(since) = tracked.joining_since {
            self.joining.remove(&(since, id));
        }
        self.sources_by_identity.remove(&tracked.source.identity);
        for path in tracked.source.delivery_paths() {
            let Some(deliverers) = self.deliverers.get_mut(path) else { continue };
            deliverers.retain(|deliverer| *deliverer != id);
            if deliverers.is_empty() {
                self.deliverers.remove(path);
            }
        }
        self.status.remove_source(&tracked.handle);
        Some(tracked.source)
    }
}
