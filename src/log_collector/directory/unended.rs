//! Lines that have begun and not ended: shown once they have been still for a moment, stored when they end, when their file
//! is closed, or when they have been still for long.
//!
//! A container's entry may begin in one file and end in the next, which takes its parts over when it is read from its start. They
//! leave the position of the first file after that of the second is stored, with the entry or, as long as that is not complete,
//! with its parts: at each instant one of the two has them.

use std::path::PathBuf;
use std::time::Instant;

use crate::file;
use crate::log_collector::Collected;
use crate::log_collector::directory::{Directory, UNENDED_SHOWN_AFTER, UNENDED_TIME_MAX};
use crate::log_collector::source::{Outcome, Reading, Source};
use crate::log_collector::tracked::{SourceId, Unended};
use crate::log_collector::watcher::Watcher;

impl<W: Watcher> Directory<W> {
    /// Notes, after a source was read, whether it has a line that has not ended.
    pub(super) fn note_unended(&mut self, id: SourceId) {
        let tracked = &self.sources[id];
        let before = tracked.unended();
        let unended = tracked.source.has_unended().then(|| Unended { since: Instant::now(), is_shown: false });
        if before.is_some_and(|it| it.is_shown) {
            let unended = Some(tracked.source.nothing_unended());
            self.outbox.push_back(Collected { unended, ..Collected::default() });
        }
        self.sources.set_unended(id, unended);
        if before.is_some() && unended.is_none() {
            self.enqueue_files_after(id);
        }
    }

    /// Hands over the lines to be shown that have been still for a moment, and ends those that have been for long.
    pub(super) fn show_unended(&mut self) {
        for id in self.sources.unended().clone() {
            let tracked = &self.sources[id];
            let is_still = !tracked.queued && !tracked.is_failing();
            let Some(Unended { since, is_shown }) = tracked.unended().filter(|_| is_still) else { continue };
            let is_superseded = self.next_file(id).is_some();
            let may_go_on = !is_superseded || tracked.source.has_parts();
            let may_end = is_superseded || !tracked.source.is_in_record();
            if may_end && (if may_go_on { UNENDED_TIME_MAX } else { UNENDED_SHOWN_AFTER }) <= since.elapsed() {
                self.end_unended(id);
            } else if UNENDED_SHOWN_AFTER <= since.elapsed() && !is_shown {
                self.show(id);
            }
        }
    }

    fn show(&mut self, id: SourceId) {
        if let Err(error) = self.open_again(id) {
            return log::debug!("{error}");
        }
        let tracked = &mut self.sources[id];
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match tracked.source.unended(&reading) {
            Ok(unended) => {
                let shown = tracked.unended().map(|it| Unended { is_shown: true, ..it });
                self.sources.set_unended(id, shown);
                self.outbox.push_back(Collected { unended: Some(unended), ..Collected::default() });
            }
            Err(error) => log::debug!("{error}"),
        }
    }

    /// Takes a line that has been still for long as it is.
    fn end_unended(&mut self, id: SourceId) {
        if let Err(error) = self.open_again(id) {
            return log::debug!("{error}");
        }
        match self.read_final(id) {
            Ok(outcome) => {
                self.outbox.extend(outcome.collected);
                if outcome.more {
                    self.enqueue(id);
                }
            }
            Err(error) => log::debug!("{error}"),
        }
        self.note_unended(id);
    }

    /// Reads what is left of a file, an entry included that has not ended, unless the next file has taken that over.
    pub(super) fn read_final(&mut self, id: SourceId) -> Result<Outcome, file::Error> {
        self.leave_parts(id);
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        let outcome = self.sources[id].source.read_unended(&mut self.buffer, &reading);
        self.enqueue_files_after(id);
        outcome
    }

    /// The file that comes after a source's own in its stream.
    fn next_file(&self, id: SourceId) -> Option<SourceId> {
        let stream = self.sources[id].source.delivery_paths().next()?;
        let mut writers = self.writers.get(stream)?.iter();
        writers.find(|writer| **writer == id)?;
        writers.next().copied()
    }

    /// Whether a file before a source's own ends in a line that has not ended: that is stored first, as soon as it has been
    /// still for a moment.
    pub(super) fn waits_for_end_of_line(&self, id: SourceId) -> bool {
        self.has_before(id, |it| it.unended().is_some() && it.source.has_unended_line() && !it.is_failing())
    }

    /// Whether a file is to go on with the entries that the one before it has not completed.
    fn may_take_parts(&self, before: SourceId, after: SourceId) -> bool {
        let (before, after) = (&self.sources[before].source, &self.sources[after].source);
        let has_all_streams = || before.delivery_paths().all(|path| after.delivery_paths().any(|it| it == path));
        before.has_parts()
            && !after.has_begun()
            && has_all_streams()
            && self.place_of_source(before) == self.place_of_source(after)
    }

    /// Where a file was before it was rotated.
    fn place_of_source(&self, source: &Source) -> PathBuf {
        self.place_before_rotation(&source.position((self.settings.clock)()))
    }

    /// The file that comes before a source's own in its stream.
    pub(super) fn previous_file(&self, id: SourceId) -> Option<SourceId> {
        let stream = self.sources[id].source.delivery_paths().next()?;
        self.writers.get(stream)?.iter().take_while(|writer| **writer != id).last().copied()
    }

    /// Has a file that is about to be read from its start begin with what the one before has not completed.
    pub(super) fn take_parts(&mut self, id: SourceId) {
        let Some(before) = self.previous_file(id).filter(|before| self.may_take_parts(*before, id)) else { return };
        let parts = self.sources[before].source.parts();
        self.sources[id].source.begin_with(parts);
    }

    /// Has the entries left that a file has not completed and that the next one has taken over, now that what was read of that is
    /// handed over: until then they are found here again, whatever becomes of the other file.
    pub(super) fn leave_parts(&mut self, before: SourceId) {
        let tracked = &self.sources[before];
        let is_taken =
            |next: SourceId| self.sources[next].source.has_begun() && self.sources[next].source.has_taken_parts();
        let may_leave = tracked.source.has_parts() && !tracked.queued;
        if !may_leave || !self.next_file(before).is_some_and(is_taken) {
            return;
        }
        self.sources[before].source.drop_parts();
        self.store_position(before);
        self.note_unended(before);
    }

    /// Whether the next file may still take over the entries that a file has not completed.
    pub(super) fn may_leave_parts(&self, id: SourceId) -> bool {
        self.sources[id].source.has_parts() && self.next_file(id).is_some_and(|next| self.may_take_parts(id, next))
    }
}
