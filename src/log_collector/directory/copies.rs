//! Copytruncate: a file is copied under a name made of its own, and truncated.
//!
//! A new file whose name is made of another's may become such a copy. It is not read before that is known: when the
//! original is truncated, the copy takes its place and is read on from where the original was; when it turns out to hold
//! something else, or nothing is truncated, it is a file like any other.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::file;
use crate::log_collector::directory::Directory;
use crate::log_collector::rotation::names::{originals, replaced_by};
use crate::log_collector::source::{COPY_ORDINAL, Source};
use crate::log_collector::tracked::{COPY_PATIENCE, SourceId, Tracked};
use crate::log_collector::watcher::Watcher;
use crate::model::Timestamp;

/// What a file turns out to be.
enum Verdict {
    /// A copy of a file that goes on: all it holds is stored.
    Copy,
    /// A file of its own.
    Other,
    /// Whatever comes.
    Undecided,
}

impl<W: Watcher> Directory<W> {
    /// Whether a source without streams may be a copy of another, so that it is not to be read for now.
    pub(super) fn may_be_copy(&mut self, id: SourceId) -> bool {
        let Some(tracked) = self.sources.get(&id) else { return false };
        let original = tracked.known_names().find_map(|name| self.original_of(name));
        let is_new = tracked.history_end == 0;
        let original =
            original.or_else(|| tracked.names.iter().filter(|_| is_new).find_map(|name| self.replaced_by(name)));
        self.copies.remove(&id);
        if tracked.source.delivery_paths().next().is_none()
            && let Some(original) = original
        {
            self.copies.insert(id, original);
            self.judge(id);
            if self.sources.get(&original).is_some_and(|original| original.former.is_some()) {
                self.note_due_of(original);
            }
        }
        self.copies.contains_key(&id)
    }

    /// Counts what was added to a copy as read that its original holds as well: the copy was made anew.
    pub(super) fn copy_again(&mut self, id: SourceId) {
        let is_copy = |source: &Source| source.ordinals().next().is_some_and(|(_, ordinal)| ordinal == COPY_ORDINAL);
        let Some(tracked) = self.sources.get(&id).filter(|it| is_copy(&it.source) && it.source.has_more()) else {
            return;
        };
        let Some(original) = tracked.names.iter().find_map(|name| self.original_of(name)).filter(|it| *it != id) else {
            return;
        };
        if self.open_again(original).is_err() {
            return;
        }
        let Some(mut copy) = self.sources.remove(&id) else { return };
        let original = &self.sources[&original].source;
        let is_same =
            copy.source.is_beginning_of(original).unwrap_or(false) && copy.source.is_read_in(original).unwrap_or(false);
        if is_same && let Err(error) = copy.source.count_as_copy(&original.position((self.settings.clock)())) {
            log::debug!("{error}");
        }
        self.sources.insert(id, copy);
        if is_same {
            self.store_position(id);
        }
    }

    /// The source whose name `name` is made of, beside it or in a directory above.
    pub(super) fn original_of(&self, name: &Path) -> Option<SourceId> {
        let originals = originals(name.file_name()?.to_str()?);
        let directories = name.ancestors().skip(1).take_while(|directory| directory.starts_with(&self.root));
        directories
            .flat_map(|directory| originals.iter().map(|original| directory.join(original)))
            .find_map(|original| self.names.get(&original)?.source)
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

    /// Decides what a file is that may be a copy, if that can be told by now.
    pub(super) fn judge(&mut self, id: SourceId) {
        let Some(&original) = self.copies.get(&id) else { return };
        for source in [original, id] {
            if let Err(error) = self.open_again(source) {
                log::debug!("{error}");
            }
        }
        // It is taken out for a moment, to look at both.
        let Some(mut copy) = self.sources.remove(&id) else { return };
        let verdict = match self.sources.get(&original) {
            Some(original) => verdict(&mut copy, original, (self.settings.clock)()).unwrap_or_else(|error| {
                log::debug!("{error}");
                Verdict::Undecided
            }),
            None => Verdict::Other,
        };
        self.sources.insert(id, copy);
        match verdict {
            Verdict::Undecided => {}
            Verdict::Other => {
                self.copies.remove(&id);
                self.deliver_to_names(id);
            }
            Verdict::Copy => {
                self.copies.remove(&id);
                self.note_deliveries(id);
                self.store_position(id);
            }
        }
    }
}

/// Whether a file named `name` looks like one that is still written, to be put in the place of a log named `logs`.
fn is_temporary(name: &Path, logs: &[PathBuf]) -> bool {
    let replaced = name.file_name().and_then(|name| name.to_str()).map(replaced_by).unwrap_or_default();
    let is_log = |replaced: &String| logs.iter().any(|log| log.file_name() == Some(OsStr::new(replaced)));
    replaced.iter().any(|replaced| replaced.is_empty() || is_log(replaced))
}

fn verdict<D>(copy: &mut Tracked<D>, original: &Tracked<D>, now: Timestamp) -> Result<Verdict, file::Error> {
    // In this order: what the two have in common says nothing if the original is truncated meanwhile.
    let is_beginning = copy.source.is_beginning_of(&original.source)?;
    if original.former.is_some() || !original.source.is_intact()? {
        // It was truncated: once that is read, what it was is looked for.
        return Ok(Verdict::Undecided);
    }
    if copy.source.has_grown()? {
        copy.quiet_since = Instant::now();
    }
    if !is_beginning {
        let is_temporary = copy.names.iter().any(|name| is_temporary(name, &original.names));
        let waits = is_temporary && copy.quiet_since.elapsed() < COPY_PATIENCE;
        return Ok(if waits { Verdict::Undecided } else { Verdict::Other });
    }
    if copy.quiet_since.elapsed() < COPY_PATIENCE || !copy.source.is_read_in(&original.source)? {
        return Ok(Verdict::Undecided);
    }
    copy.source.count_as_copy(&original.source.position(now))?;
    Ok(Verdict::Copy)
}
