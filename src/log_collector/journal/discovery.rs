//! Finds journal files, and follows their names.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::file::{self, File, Identity, Kind};
use crate::journald;
use crate::log_collector::Error;
use crate::log_collector::journal::Journals;
use crate::log_collector::journal::position::{FileId, Position, Span};
use crate::log_collector::journal::roots::{self, is_journal_name};
use crate::log_collector::journal::tracked::{Found, Tracked};
use crate::log_collector::watcher::Watcher;
use crate::log_collector::watches::Change;
use crate::status::{SourceState, SourceStatus};

/// How often roots and directories without a watch are looked at.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often everything is looked at, whatever the watcher says.
const RESCAN_INTERVAL: Duration = Duration::from_mins(1);
/// How deep directories are followed under a root: `<machine>/`, and what others put there.
const DEPTH_MAX: usize = 4;
/// Most files that are known at a time.
const FILES_MAX: usize = 10_000;

impl<W: Watcher> Journals<W> {
    pub(super) fn look_at_roots(&mut self) {
        for (index, root) in self.settings.roots.clone().into_iter().enumerate().filter(|(_, root)| root.is_recursive) {
            if let Ok(canonical) = file::canonical(&root.path) {
                self.enter(&canonical, index, DEPTH_MAX);
            }
        }
        for (directory, root) in self.settings.noticed.take() {
            if let Ok(canonical) = file::canonical(&directory) {
                self.enter(&canonical, root, 0);
            }
        }
    }

    /// Watches a directory, then looks what is in it.
    fn enter(&mut self, directory: &Path, root: usize, depth: usize) {
        if !matches!(file::link_metadata(directory), Ok(metadata) if metadata.kind == Kind::Directory) {
            return;
        }
        let is_news = match self.directories.get(directory) {
            None => {
                self.directories.insert(directory.to_owned(), root);
                self.watches.use_directory(directory);
                true
            }
            Some(_) => self.watches.retry(directory),
        };
        if is_news {
            self.look_in(directory, depth);
        }
    }

    fn leave(&mut self, directory: &Path) {
        for gone in self.directories.keys().filter(|path| path.starts_with(directory)).cloned().collect::<Vec<_>>() {
            self.directories.remove(&gone);
            self.watches.release_directory(&gone);
            self.note_entries(&gone, &[]);
        }
    }

    /// Looks at everything in a directory, and at what was there before.
    fn look_in(&mut self, directory: &Path, depth: usize) {
        let Some(&root) = self.directories.get(directory) else { return };
        // What lies below is noticed by whoever looks there.
        let depth = if self.settings.roots.get(root).is_some_and(|root| root.is_recursive) { depth } else { 0 };
        let entries = match file::read_directory(directory) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return self.leave(directory);
            }
            Err(error) => return self.note_problem(directory, &error.to_string()),
        };
        self.clear_problem(directory);
        let journals: Vec<PathBuf> = entries.iter().filter(|path| is_journal_name(path)).cloned().collect();
        self.note_entries(directory, &journals);
        for path in &entries {
            if 0 < depth && !is_journal_name(path) {
                self.enter(path, root, depth - 1);
            }
        }
    }

    /// Takes it that these are the journal files of a directory.
    fn note_entries(&mut self, directory: &Path, journals: &[PathBuf]) {
        let root = self.directories.get(directory).copied().unwrap_or_default();
        for path in journals {
            self.look_at(path, root);
        }
        let here = self.paths.range(directory.to_owned()..).take_while(|(path, _)| path.starts_with(directory));
        let gone = here.map(|(path, _)| path).filter(|path| path.parent() == Some(directory));
        for path in gone.filter(|path| journals.binary_search(path).is_err()).cloned().collect::<Vec<_>>() {
            self.paths.remove(&path);
            self.clear_problem(&path);
        }
        self.unfinished.retain(|path| path.parent() != Some(directory) || journals.binary_search(path).is_ok());
        self.follow_names();
    }

    /// Finds out which journal file is at `path` now.
    fn look_at(&mut self, path: &Path, root: usize) {
        let Ok(metadata) = file::link_metadata(path) else { return };
        let is_known = self.paths.get(path).is_some_and(|(identity, _)| *identity == metadata.identity);
        let is_accepted = self.settings.roots.get(root).is_some_and(|root| root.accepts(path));
        if metadata.kind != Kind::Regular || is_known || !is_accepted || FILES_MAX <= self.paths.len() {
            return;
        }
        let header = File::open(path).map_err(|error| journald::Error::Io(error.source));
        let header = match header.and_then(|file| journald::read_header(&file)) {
            Ok(header) => header,
            Err(journald::Error::Unfinished) => {
                self.unfinished.insert(path.to_owned());
                return;
            }
            Err(journald::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.note_problem(path, &error.to_string()),
        };
        self.unfinished.remove(path);
        self.clear_problem(path);
        let id = header.file_id;
        self.paths.insert(path.to_owned(), (metadata.identity, id));
        let is_final = header.is_archived || roots::is_archived_name(path);
        if self.files.contains_key(&id) {
            // It was renamed, or copied: `follow_names` decides.
            return;
        }
        let position = self.ledger.get(&id);
        if position
            .is_some_and(|position| position.is_done && (is_final || header.entry_count <= position.place.ordinal))
        {
            return;
        }
        let position = self.ledger.remove(&id).unwrap_or_else(|| Position {
            place: journald::Place::default(),
            is_done: false,
            is_volatile: roots::is_volatile(path),
            seqnum_id: header.seqnum_id,
            seqnum: 0,
            span: Span::default(),
            seen: 0,
            saved: self.now(),
            path: path.to_owned(),
        });
        let found = Found { path: path.to_owned(), identity: metadata.identity, header, is_final, units: root };
        if position.seqnum == 0 {
            self.newly_found.insert(id);
        }
        self.files.insert(id, Tracked::new(found, position, &self.status));
    }

    /// Notes under which names files are now, and which have none any more.
    fn follow_names(&mut self) {
        let mut names: HashMap<FileId, Vec<(&Path, Identity)>> = HashMap::new();
        for (path, (identity, id)) in &self.paths {
            names.entry(*id).or_default().push((path, *identity));
        }
        for tracked in self.files.values_mut() {
            match names.get(&tracked.id).map(Vec::as_slice) {
                None | Some([]) => {
                    // Whoever deleted it has ended writing to it.
                    tracked.is_gone = true;
                    tracked.end();
                }
                Some([(path, identity)]) => tracked.follow(path, *identity),
                Some(copies) => {
                    // One has what the others have, and grows.
                    let rank = |(path, _): &&(&Path, Identity)| (entry_count(path), !roots::is_archived_name(path));
                    if let Some((path, identity)) = copies.iter().max_by_key(rank) {
                        tracked.follow(path, *identity);
                    }
                }
            }
        }
    }

    fn note_problem(&mut self, path: &Path, error: &str) {
        if self.problems.contains_key(path) {
            return;
        }
        log::warn!("cannot read {}: {error}", path.display());
        let state = SourceStatus::new(path.to_string_lossy().into_owned());
        state.set_state(SourceState::Unreadable, Some(error.to_owned()));
        self.problems.insert(path.to_owned(), self.status.add_source(Arc::new(state)));
    }

    fn clear_problem(&mut self, path: &Path) {
        if let Some(handle) = self.problems.remove(path) {
            self.status.remove_source(&handle);
        }
    }

    pub(super) fn take_changes(&mut self, timeout: Duration) -> Result<(), Error> {
        for change in self.watches.changes(timeout, &self.status)? {
            match change {
                Change::Entry(directory, name) if is_journal_name(Path::new(&name)) => self.look_in(&directory, 0),
                Change::Entry(directory, name) => {
                    let path = directory.join(name);
                    if let Some(&root) = self.directories.get(&directory)
                        && self.settings.roots.get(root).is_some_and(|root| root.is_recursive)
                    {
                        self.enter(&path, root, DEPTH_MAX - 1);
                    }
                }
                Change::Entries(directory) => self.look_in(&directory, DEPTH_MAX),
                Change::DirectoryMoved(directory) => {
                    self.leave(&directory);
                    self.look_at_roots();
                }
                Change::Everything => {
                    self.status.watcher_overflows.add(1);
                    self.rescan();
                }
                Change::Content(_) | Change::SourceMoved(_) => {}
            }
        }
        if self.settings.noticed.has_some() {
            self.look_at_roots();
        }
        for path in self.unfinished.clone() {
            let root = path.parent().and_then(|directory| self.directories.get(directory)).copied();
            self.look_at(&path, root.unwrap_or_default());
        }
        if POLL_INTERVAL <= self.last_poll.elapsed() {
            self.last_poll = Instant::now();
            self.look_at_roots();
            for directory in self.watches.unwatched().clone() {
                self.look_in(&directory, 0);
            }
        }
        if RESCAN_INTERVAL <= self.last_rescan.elapsed() {
            self.rescan();
        }
        self.tell_of_lost();
        Ok(())
    }

    pub(super) fn rescan(&mut self) {
        self.last_rescan = Instant::now();
        self.look_at_roots();
        // What could not be read is tried again.
        self.files.values_mut().for_each(|tracked| tracked.is_busy = true);
        for directory in self.directories.keys().cloned().collect::<Vec<_>>() {
            self.watches.retry(&directory);
            self.look_in(&directory, DEPTH_MAX);
        }
        self.forget_gone();
    }
}

/// How many entries the journal file at `path` says it has.
fn entry_count(path: &Path) -> u64 {
    let header = File::open(path).ok().and_then(|file| journald::read_header(&file).ok());
    header.map_or(0, |header| header.entry_count)
}
