//! Holds files back that may be copies of others until it is known what they are ([`verdict`]): when the original is truncated, the
//! copy takes its place and is read on from where the original was; when it turns out to hold something else, it is a file like any
//! other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::Directory;
use crate::log_collector::directory::families::Due;
use crate::log_collector::rotation::copy::{Verdict, is_archive_of_its_own, verdict};
use crate::log_collector::rotation::family::{Member, is_named_rotated};
use crate::log_collector::rotation::names::{originals, replaced_by};
use crate::log_collector::source::{COPY_BYTES_MIN, COPY_ORDINAL, Match, Source};
use crate::log_collector::tracked::{HeldBack, Phase, SourceId};
use crate::log_collector::watcher::Watcher;

impl<W: Watcher> Directory<W> {
    /// Whether a source without streams may be a copy of another, so that it is not to be read for now.
    pub(super) fn may_be_copy(&mut self, id: SourceId) -> bool {
        let tracked = &self.sources[id];
        let is_its_own = |name: &PathBuf| {
            let is_named_rotated = self.logs_of(name).iter().any(|log| is_named_rotated(name, log));
            // What is empty at the start is no copy of anything.
            let is_instance = self.starting && tracked.history_end == 0 && !is_named_rotated;
            is_instance || self.is_known_stream(&self.seen(name))
        };
        let is_its_own = tracked.known_names().any(is_its_own);
        let original = tracked.known_names().find_map(|name| self.original_of(name)).filter(|_| !is_its_own);
        let is_new = tracked.history_end == 0;
        let original =
            original.or_else(|| tracked.names().iter().filter(|_| is_new).find_map(|name| self.replaced_by(name)));
        let is_free = tracked.source.delivery_paths().next().is_none();
        let Some(original) = original.filter(|_| is_free) else {
            self.sources.release(id);
            return false;
        };
        if self.hold_back(id, original) {
            self.judge(id);
            if self.has_cut(original) {
                self.note_due_of(original);
            }
        }
        self.sources[id].held_back().is_some()
    }

    /// Holds a file back that may be a copy; nothing of it is read for now. Returns whether that is news.
    fn hold_back(&mut self, id: SourceId, original: SourceId) -> bool {
        if self.sources[id].held_back().is_some_and(|held| held.original == original && held.is_undecided()) {
            return false;
        }
        log::debug!("{} may be a copy", self.sources[id].source.path.display());
        let log = &self.sources[original].source;
        let (was_unread, stream) = (!log.has_begun(), log.delivery_paths().next().map(Path::to_owned));
        let held = HeldBack { original, stream, was_unread, began_alike: false, is_other: false };
        self.sources.set_phase(id, Phase::HeldBack(held));
        true
    }

    /// Counts what was added to a copy as read that its original holds as well: the copy was made anew.
    pub(super) fn copy_again(&mut self, id: SourceId) {
        let is_copy = |source: &Source| source.ordinals().next().is_some_and(|(_, ordinal)| ordinal == COPY_ORDINAL);
        let it = &self.sources[id];
        if !is_copy(&it.source) || !it.source.has_more() {
            return;
        }
        let Some(original) = it.names().iter().find_map(|name| self.original_of(name)).filter(|it| *it != id) else {
            return;
        };
        if self.open_again(original).is_err() {
            return;
        }
        let now = (self.settings.clock)();
        let is_same = self.sources.beside(id, |copy, others| {
            let (copy, original) = (&mut copy.source, &others[original].source);
            let is_same = copy.is_beginning_of(original).unwrap_or(false) && copy.is_read_in(original).unwrap_or(false);
            if is_same && let Err(error) = copy.count_as_copy(&original.position(now)) {
                log::debug!("{error}");
            }
            is_same
        });
        if is_same {
            self.store_position(id);
        }
    }

    /// The source whose name `name` is made of, beside it or in a directory above.
    pub(super) fn original_of(&self, name: &Path) -> Option<SourceId> {
        self.logs_of(name).iter().find_map(|original| self.names.get(original)?.source)
    }

    /// The paths of logs that the file named `name` may have been rotated out of, beside it or in a directory above.
    pub(super) fn logs_of(&self, name: &Path) -> Vec<PathBuf> {
        let originals = originals(name.file_name().and_then(|name| name.to_str()).unwrap_or_default());
        let directories = name.ancestors().skip(1).take_while(|directory| directory.starts_with(&self.root));
        directories.flat_map(|directory| originals.iter().map(|original| directory.join(original))).collect()
    }

    /// The source in whose place a file named `name` may be put once it is written.
    fn replaced_by(&self, name: &Path) -> Option<SourceId> {
        let directory = name.parent()?;
        let replaced = replaced_by(name.file_name()?.to_str()?);
        replaced.iter().find_map(|log| match log.as_str() {
            // Any of those beside it.
            "" => self
                .names
                .range(directory.to_owned()..)
                .find(|(log, _)| log.as_path() != name)
                .and_then(|(_, log)| log.source),
            log => self.names.get(&directory.join(log))?.source,
        })
    }

    /// Holds a file back that nothing is known of and that looks as if it had been rotated out of a log, if it holds what
    /// another file of the log holds: nothing of it is to be stored again. Returns whether it does.
    pub(super) fn hold_back_copy(&mut self, id: SourceId, due: &Due) -> bool {
        let current = Member::current(&due.to).map(|it| it.metadata.identity);
        let current = current.and_then(|identity| self.sources.of_file(identity));
        if let Some(original) = current.filter(|original| *original != id)
            // Not knowing is no answer: then it is asked again.
            && self.has_beginning_of(id, original, self.may_be_in_the_making(id, original)) != Some(false)
        {
            self.hold_back(id, original);
            return true;
        }
        self.settle_copy(id, &due.stream).unwrap_or_else(|unknown| {
            self.hold_back(id, unknown);
            true
        })
    }

    /// Whether a file that came into being beside its log may be a copy in the making: after it, and now, or plain and while nobody
    /// looked at a log that was read before.
    fn may_be_in_the_making(&self, id: SourceId, original: SourceId) -> bool {
        let (copy, log) = (&self.sources[id].source, &self.sources[original].source);
        let is_later = log.identity.born_ns != 0 && log.identity.born_ns <= copy.identity.born_ns;
        is_later && (!self.starting || log.has_begun() && !copy.is_compressed())
    }

    /// Whether a file, which is not too short to tell unless it `may_be_short`, holds what another one begins with.
    /// `None` where they cannot be looked at.
    fn has_beginning_of(&mut self, id: SourceId, original: SourceId, may_be_short: bool) -> Option<bool> {
        let (copy, it) = (&self.sources[id].source, &self.sources[original].source);
        if is_archive_of_its_own(copy, it.is_compressed(), it.modified_ns) || copy.begins_otherwise(it) {
            return Some(false);
        }
        if let Err(error) = self.open_both(original, id) {
            log::debug!("{error}");
            return None;
        }
        let (copy, original) = (&self.sources[id].source, &self.sources[original].source);
        let has_beginning =
            copy.is_beginning_of(original).and_then(|is| Ok(is && (may_be_short || copy.is_long_enough()?)));
        // Many archives may wait for their turn.
        copy.release();
        original.release();
        has_beginning.inspect_err(|error| log::debug!("{error}")).ok()
    }

    /// As [`Directory::settle_copy`], for a file that is about to become a log of its own and whose name says that it was rotated out
    /// of another one, which may be missing right now.
    pub(super) fn settle_as_copy(&mut self, id: SourceId) -> bool {
        let tracked = &self.sources[id];
        let is_its_own = |name: &PathBuf| self.is_known_stream(&self.seen(name));
        if tracked.source.delivery_paths().next().is_some() || tracked.known_names().any(is_its_own) {
            return false;
        }
        let logs: Vec<PathBuf> = tracked.known_names().flat_map(|name| self.logs_of(name)).collect();
        logs.iter().any(|log| self.settle_copy(id, &self.seen(log)) == Ok(true))
    }

    /// Counts a file as read that holds what an earlier file of a stream holds, plain or compressed, which is or was read to its
    /// end, or what was cut from its log. Returns whether it does, or the first of those files that it cannot be compared with.
    fn settle_copy(&mut self, id: SourceId, stream: &Path) -> Result<bool, SourceId> {
        // One that is no copy of its log's content may be one of what that was before, which was found in another file.
        let may_be_short = self.sources[id].held_back().is_some_and(|held| held.began_alike);
        let bytes_min = if may_be_short { 1 } else { COPY_BYTES_MIN };
        let writers: Vec<SourceId> = self.writers.get(stream).into_iter().flatten().copied().collect();
        let (mut original, mut unknown) = (None, None);
        for writer in writers.into_iter().filter(|writer| *writer != id) {
            match self.has_beginning_of(id, writer, may_be_short) {
                Some(true) => original = original.or(Some(writer)),
                None if self.sources[id].source.is_in_the_making() => unknown = unknown.or(Some(writer)),
                // What cannot be opened does not hold up what comes after it.
                Some(false) | None => {}
            }
        }
        let copy = &self.sources[id].source;
        let is_it = |position: &Position| {
            let is_whole = position.finished || position.cut;
            let is_of_its_own = is_archive_of_its_own(copy, position.compressed, position.modified_ns);
            bytes_min <= position.offset && is_whole && !is_of_its_own && copy.compare(position) == Match::Same
        };
        let position = match original {
            Some(original) => Some(self.sources[original].source.position((self.settings.clock)())),
            None => self.ledger.of_stream(stream).map(|(_, position)| position).find(|it| is_it(it)).cloned(),
        };
        let Some(position) = position else { return unknown.map_or(Ok(false), Err) };
        let copy = &mut self.sources[id].source;
        if let Err(error) = copy.count_as_copy(&position) {
            log::debug!("{error}");
            return Ok(false);
        }
        // Nothing more is read of it: an archive need not be kept decompressed.
        copy.release();
        self.sources.release(id);
        log::debug!("{} holds what another file of {} held", self.sources[id].source.path.display(), stream.display());
        self.note_deliveries(id);
        self.store_position(id);
        Ok(true)
    }

    /// Counts copies of a source as read that is about to be closed: then nothing is left to compare them with.
    pub(super) fn settle_copies_of(&mut self, original: SourceId) {
        let held = self.sources.held_back().filter(|(_, held)| held.original == original).map(|(copy, _)| copy);
        for copy in held.collect::<Vec<_>>() {
            let stream = self.sources[original].source.delivery_paths().next();
            let Some(stream) = stream.map(Path::to_owned) else { return };
            // What cannot be told by now never will.
            let _ = self.settle_copy(copy, &stream);
        }
    }

    /// Decides what the files are that may be copies of a source that nothing was read of: whether it was truncated since they
    /// were made can be told as long as that is so.
    pub(super) fn judge_copies_of(&mut self, original: SourceId) {
        let is_unread = !self.sources[original].source.has_begun();
        let held = self.sources.held_back().filter(|(_, held)| is_unread && held.original == original);
        let held = held.map(|(copy, _)| copy);
        for copy in held.collect::<Vec<_>>() {
            self.judge(copy);
        }
    }

    /// Decides what the files are that may be copies of a stream's, the one found first first, as far as that can be told by now.
    pub(super) fn judge_copies_in(&mut self, stream: &Path) {
        let is_in = |original: &SourceId| self.writers.get(stream).is_some_and(|writers| writers.contains(original));
        // What is about to be put in a log's place is no copy.
        let is_rotated = |id: &SourceId| self.sources[*id].known_names().any(|name| !self.logs_of(name).is_empty());
        let held = self.sources.held_back().filter(|(_, held)| held.is_undecided() && is_in(&held.original));
        let held = held.filter(|(copy, _)| is_rotated(copy));
        for copy in held.map(|(copy, _)| copy).collect::<Vec<_>>() {
            self.judge(copy);
        }
    }

    /// Decides what a file is that may be a copy, if that can be told by now.
    pub(super) fn judge(&mut self, id: SourceId) {
        let Some(original) = self.sources[id].held_back().map(|held| held.original) else { return };
        let is_there = self.sources.find(original).is_some();
        if is_there && let Err(error) = self.open_both(original, id) {
            log::debug!("{error}");
        }
        let (was_cut, now) = (is_there && self.has_cut(original), (self.settings.clock)());
        let verdict = self.sources.beside(id, |copy, others| match others.find(original) {
            Some(original) => verdict(copy, original, was_cut, now).unwrap_or_else(|error| {
                log::debug!("{error}");
                Verdict::Undecided
            }),
            None => Verdict::Other,
        });
        match verdict {
            Verdict::Undecided => {}
            Verdict::Other => {
                log::debug!("{} holds something else than its log", self.sources[id].source.path.display());
                let Some(held) = self.sources[id].held_back().cloned() else { return };
                // What no name leads to may be the log's as well: an archive, or a file behind a link.
                let of_log = held.stream.clone();
                self.sources.set_phase(id, Phase::HeldBack(HeldBack { is_other: true, ..held }));
                let names: Vec<PathBuf> = self.sources[id].known_names().cloned().collect();
                let logs = names.iter().flat_map(|name| self.logs_of(name)).map(|log| self.seen(&log));
                let streams: BTreeSet<PathBuf> = logs.chain(of_log).collect();
                let is_settled = self.settle_as_copy(id);
                for stream in streams.into_iter().filter(|_| !is_settled) {
                    let to = self.place_of(&stream);
                    self.reconcile(&Due { stream, earlier: None, to });
                }
                // Looking after those streams may have decided it, or closed the file.
                if self.sources.find(id).and_then(|it| it.held_back()).is_some_and(|held| held.is_other) {
                    self.sources.release(id);
                    self.deliver_to_names(id);
                }
            }
            Verdict::Copy => {
                log::debug!("{} is a copy of its log, which goes on", self.sources[id].source.path.display());
                self.sources.release(id);
                self.note_deliveries(id);
                self.store_position(id);
            }
        }
    }
}
