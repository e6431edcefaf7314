//! Lines that have begun and not ended: shown once they have been still for a moment, stored when they end, when their file
//! is closed, or when they have been still for long.

use std::path::Path;
use std::time::Instant;

use crate::file;
use crate::log_collector::Collected;
use crate::log_collector::directory::{Directory, UNENDED_SHOWN_AFTER, UNENDED_TIME_MAX};
use crate::log_collector::source::{Outcome, Reading};
use crate::log_collector::tracked::{SourceId, Tracked};
use crate::log_collector::watcher::Watcher;

impl<W: Watcher> Directory<W> {
    /// Notes, after a source was read, whether it has a line that has not ended.
    pub(super) fn note_unended(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        let is_shown = tracked.unended.is_some_and(|(_, is_shown)| is_shown);
        let mut has_ended = false;
        if tracked.source.has_unended() {
            tracked.unended = Some((Instant::now(), false));
            self.unended.insert(id);
        } else if self.unended.remove(&id) {
            tracked.unended = None;
            has_ended = true;
        }
        if is_shown {
            let unended = Some(tracked.source.nothing_unended());
            self.outbox.push_back(Collected { unended, ..Collected::default() });
        }
        if has_ended {
            self.enqueue_files_after(id);
        }
    }

    /// Hands over the lines to be shown that have been still for a moment, and ends those that have been for long.
    pub(super) fn show_unended(&mut self) {
        for id in self.unended.iter().copied().collect::<Vec<_>>() {
            let Some(tracked) = self.sources.get(&id) else { continue };
            let Some((since, is_shown)) = tracked.unended.filter(|_| !tracked.queued && !tracked.failing) else {
                continue;
            };
            let is_superseded = self.next_file(id).is_some();
            if is_superseded && !tracked.source.has_unended_line() && self.is_continued_elsewhere(id) {
                self.leave_parts(id);
                continue;
            }
            let may_go_on = !is_superseded || tracked.source.has_parts();
            if (if may_go_on { UNENDED_TIME_MAX } else { UNENDED_SHOWN_AFTER }) <= since.elapsed() {
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
        let Some(tracked) = self.sources.get_mut(&id) else { return };
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match tracked.source.unended(&reading) {
            Ok(unended) => {
                tracked.unended = tracked.unended.map(|(since, _)| (since, true));
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

    /// Reads what is left of a file, an entry included that has not ended, unless the next file goes on with that.
    pub(super) fn read_final(&mut self, id: SourceId) -> Result<Outcome, file::Error> {
        let is_continued = self.is_continued_elsewhere(id);
        let Some(tracked) = self.sources.get_mut(&id) else { return Ok(Outcome::default()) };
        if is_continued {
            tracked.source.drop_parts();
        }
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        let outcome = tracked.source.read_unended(&mut self.buffer, &reading);
        self.enqueue_files_after(id);
        outcome
    }

    /// The file that comes after a source's own in its stream.
    fn next_file(&self, id: SourceId) -> Option<SourceId> {
        let stream = self.sources.get(&id)?.source.delivery_paths().next()?;
        let mut writers = self.writers.get(stream)?.iter();
        writers.find(|writer| **writer == id)?;
        writers.next().copied()
    }

    /// Whether a file before a source's own ends in a line that has not ended: that is stored first, as soon as it has been
    /// still for a moment.
    pub(super) fn waits_for_end_of_line(&self, id: SourceId) -> bool {
        self.has_before(id, |it| it.unended.is_some() && it.source.has_unended_line() && !it.failing)
    }

    /// Whether the next file has taken over the entries that a source has not completed.
    fn is_continued_elsewhere(&self, id: SourceId) -> bool {
        let (Some(tracked), Some(next)) = (self.sources.get(&id), self.next_file(id)) else { return false };
        let next = &self.sources[&next].source;
        tracked.source.has_parts() && next.has_begun() && self.is_rotated_out_of(tracked, &next.path)
    }

    /// Leaves the entries that a source has not completed to the next file, which has taken them over.
    fn leave_parts(&mut self, id: SourceId) {
        let Some(next) = self.next_file(id).and_then(|next| self.sources.get(&next)) else { return };
        if next.source.has_parts() {
            // As long as they are not complete, they are found here after a restart.
            return;
        }
        if let Some(tracked) = self.sources.get_mut(&id) {
            tracked.source.drop_parts();
        }
        self.store_position(id);
        self.note_unended(id);
    }

    /// Has a file that is about to be read from its start go on with the entries that the one before has not completed, if that
    /// was rotated out of its place.
    pub(super) fn continue_entries(&mut self, id: SourceId) {
        let Some(tracked) = self.sources.get(&id).filter(|tracked| !tracked.source.has_begun()) else { return };
        let Some(stream) = tracked.source.delivery_paths().next() else { return };
        let writers = self.writers.get(stream).into_iter().flatten();
        let Some(before) = writers.take_while(|writer| **writer != id).last().copied() else { return };
        let earlier = &self.sources[&before];
        if !earlier.source.has_parts() || !self.is_rotated_out_of(earlier, &tracked.source.path) {
            return;
        }
        let Some(mut tracked) = self.sources.remove(&id) else { return };
        tracked.source.continue_from(&self.sources[&before].source);
        self.sources.insert(id, tracked);
    }

    /// Whether a file had the path `place` before it was rotated.
    fn is_rotated_out_of(&self, tracked: &Tracked<W::Descriptor>, place: &Path) -> bool {
        let position = tracked.source.position((self.settings.clock)());
        position.path != place && self.place_before_rotation(&position) == place
    }
}
