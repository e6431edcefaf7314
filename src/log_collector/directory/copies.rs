//! Copytruncate: a file is copied under a name made of its own, and truncated.
//!
//! A new file whose name is made of another's may become such a copy. It is not read before that is known: when the
//! original is truncated, the copy takes its place and is read on from where the original was; when it turns out to hold
//! something else, or nothing is truncated, it is a file like any other.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::file;
use crate::log_collector::directory::sources::Tracked;
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::Reading;
use crate::log_collector::watcher::Watcher;

/// How long a file that has stopped growing counts as a copy whose original is about to be truncated, and how long a
/// truncated file waits for its copy to be found.
pub(super) const COPY_PATIENCE: Duration = Duration::from_secs(5);
/// What stands between a file's name and what a rotation adds to it.
const SEPARATORS: [char; 3] = ['.', '-', '_'];
/// What stands between the digits of what a rotation adds.
pub(super) const DATE_PUNCTUATION: [char; 6] = ['.', '-', '_', ':', 'T', 'Z'];

/// What a file turns out to be.
enum Verdict {
    /// The copy of a file that was truncated: it has taken its place.
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
        if tracked.source.delivery_paths().next().is_none()
            && let Some(original) = original
        {
            self.copies.insert(id, original);
            self.judge(id);
        }
        self.copies.contains_key(&id)
    }

    /// The source whose name `name` is made of.
    pub(super) fn original_of(&self, name: &Path) -> Option<SourceId> {
        let directory = name.parent()?;
        let originals = originals(name.file_name()?.to_str()?);
        originals.iter().find_map(|original| self.names.get(&directory.join(original))?.source)
    }

    /// Looks again at all that may be copies of `original`, which was just truncated.
    pub(super) fn judge_copies_of(&mut self, original: SourceId) {
        let copies = self.copies.iter().filter(|(_, of)| **of == original).map(|(copy, _)| *copy);
        for copy in copies.collect::<Vec<_>>() {
            self.judge(copy);
        }
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
            Some(original) => {
                let now = (self.settings.clock)();
                let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now };
                verdict(&mut copy, original, &reading).unwrap_or_else(|error| {
                    log::debug!("{error}");
                    Verdict::Undecided
                })
            }
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
                self.enqueue(id);
                // What waited of the original waits in the copy now.
                if let Some(original) = self.sources.get_mut(&original) {
                    original.former = None;
                }
                self.read_first(id, original);
            }
        }
    }

    /// Has a copy read before what its original holds by now.
    pub(super) fn read_first(&mut self, copy: SourceId, original: SourceId) {
        let before = self.sources.get_mut(&original).and_then(|tracked| tracked.after.replace(copy));
        if let Some(tracked) = self.sources.get_mut(&copy) {
            tracked.after = before;
        }
    }
}

/// The names that a rotated file's name may be made of: `a.log` of `a.log.1`, `a.log-20261122` and `a-20261122.log`.
pub(super) fn originals(file_name: &str) -> Vec<String> {
    let extension = file_name.rfind('.').map_or("", |at| &file_name[at..]);
    let is_added = |text: &str| {
        text.contains(|char: char| char.is_ascii_digit())
            && text.chars().all(|char| char.is_ascii_digit() || DATE_PUNCTUATION.contains(&char))
    };
    let mut originals = Vec::new();
    for (at, _) in file_name.rmatch_indices(SEPARATORS) {
        let (stem, rest) = file_name.split_at(at);
        if is_added(rest) {
            originals.push(stem.to_owned());
        }
        if rest.strip_suffix(extension).is_some_and(is_added) {
            originals.push(format!("{stem}{extension}"));
        }
    }
    originals
}

fn verdict<D>(copy: &mut Tracked<D>, original: &Tracked<D>, reading: &Reading<'_>) -> Result<Verdict, file::Error> {
    if let Some((former, since)) = &original.former
        && since.elapsed() < COPY_PATIENCE
        && copy.source.resume_copy(former, reading)?
    {
        return Ok(Verdict::Copy);
    }
    // In this order: what the two have in common says nothing if the original is truncated meanwhile.
    let is_beginning = copy.source.is_beginning_of(&original.source)?;
    if !original.source.is_intact()? {
        // It was truncated: once it is read there will be a former state to compare with.
        return Ok(Verdict::Undecided);
    }
    if !is_beginning {
        return Ok(Verdict::Other);
    }
    if copy.source.has_grown()? {
        copy.quiet_since = Instant::now();
    }
    Ok(if copy.quiet_since.elapsed() < COPY_PATIENCE { Verdict::Undecided } else { Verdict::Other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: &[&str]) {
        assert_eq!(originals(file_name), expected);
    }

    #[test]
    fn a_number_or_a_date_is_added_to_a_name_or_in_front_of_its_extension() {
        check("a.log.1", &["a.log"]);
        check("a.log-20261122", &["a.log"]);
        check("a-20261122.log", &["a.log"]);
        check("a.1.log", &["a.log"]);
        check("syslog.1", &["syslog"]);
        check("a.log.2026-11-22T13:04:05Z", &["a.log.2026-11", "a.log.2026", "a.log"]);
    }

    #[test]
    fn other_names_are_no_copys() {
        for name in ["a.log", "a-error.log", "a.log.bak", "a2.log", "1", ""] {
            check(name, &[]);
        }
    }
}
