//! More files than may be open: those that were read longest ago are closed, and opened again when there is something to
//! read.
//!
//! A file that is deleted stays open, because nothing leads to it any more; a compressed one does while it is read, because what
//! is remembered of it is dear. Of those that are only looked at, hardly any is remembered.

use crate::file;
use crate::log_collector::directory::Directory;
use crate::log_collector::tracked::SourceId;
use crate::log_collector::watcher::Watcher;

/// Of how many compressed files that are not being read what was decompressed is kept: a decompressor takes memory, and there may
/// be any number of such files.
const LOOKED_AT_MAX: usize = 4;

impl<W: Watcher> Directory<W> {
    /// Opens the files of two sources again, to compare them: neither is closed for the other.
    pub(super) fn open_both(&mut self, one: SourceId, other: SourceId) -> Result<(), file::Error> {
        self.open_beside(one, other)?;
        self.open_beside(other, one)
    }

    /// Opens the file of a source again if it was closed, wherever it is by now. An error of kind
    /// [`NotFound`](std::io::ErrorKind::NotFound) says that it is gone.
    pub(super) fn open_again(&mut self, id: SourceId) -> Result<(), file::Error> {
        self.open_beside(id, id)
    }

    /// As [`Directory::open_again`], without closing `kept`.
    fn open_beside(&mut self, id: SourceId, kept: SourceId) -> Result<(), file::Error> {
        let tracked = &mut self.sources[id];
        if tracked.source.is_closed() {
            let path = tracked.source.path.clone();
            match tracked.source.open_at(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let files = path.parent().map(|directory| self.listings.files_in(directory).0);
                    let found = files.as_ref().and_then(|files| files.get(&tracked.source.identity));
                    tracked.source.open_at(found.unwrap_or(&path))?;
                }
                opened => opened?,
            }
        }
        self.note_use(id, kept);
        Ok(())
    }

    /// Remembers that a source was used now, and closes others but `kept` where too many are open.
    pub(super) fn note_use(&mut self, id: SourceId, kept: SourceId) {
        self.forget_use(id);
        self.note_look(id, kept);
        self.uses += 1;
        self.sources[id].used = self.uses;
        self.open_files.insert(self.uses, id);
        while self.settings.open_files_max < self.open_files.len() {
            let may_close = |(_, other): &(&u64, &SourceId)| {
                let is_used = **other == id || **other == kept || self.decompressing.contains(other);
                !is_used && self.sources[**other].source.may_be_closed()
            };
            let Some((_, &oldest)) = self.open_files.iter().find(may_close) else { return };
            self.forget_use(oldest);
            self.sources[oldest].source.close();
        }
    }

    /// Lets go of what was decompressed of the compressed file that was looked at longest ago.
    fn note_look(&mut self, id: SourceId, kept: SourceId) {
        if self.looked_at.contains(&id) || !self.sources[id].source.is_compressed() {
            return;
        }
        self.looked_at.push_back(id);
        let is_free = |other: &SourceId| *other != kept && !self.decompressing.contains(other);
        if LOOKED_AT_MAX < self.looked_at.len()
            && let Some(place) = self.looked_at.iter().position(is_free)
            && let Some(other) = self.looked_at.remove(place)
        {
            self.sources[other].source.release();
        }
    }

    /// Takes a source out of those that are open.
    pub(super) fn forget_use(&mut self, id: SourceId) {
        self.open_files.remove(&self.sources[id].used);
    }
}
