//! What is being watched, and what an event is about.
//!
//! Keeps the caller's duties of [`Watcher`]: a directory is watched once however many names need it, and its watch ends
//! with the last of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log_collector::directory::SourceId;
use crate::log_collector::watcher::{Event, EventKind, Watcher};
use crate::status::Status;

/// A platform's watcher, by paths and sources instead of descriptors.
pub(super) struct Watches<W: Watcher> {
    watcher: W,
    directories: HashMap<PathBuf, Directory<W::Descriptor>>,
    watched: HashMap<W::Descriptor, Watched>,
    /// How many of `directories` the watcher could not take.
    unwatched_count: usize,
    events: Vec<Event<W::Descriptor>>,
}

struct Directory<Descriptor> {
    /// `None` where the watcher could not take it.
    descriptor: Option<Descriptor>,
    /// How many need it.
    users: usize,
}

#[derive(Clone)]
enum Watched {
    Directory(PathBuf),
    Source(SourceId),
}

/// Something to look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An entry of a directory.
    Entry(PathBuf, OsString),
    /// Any entry of a directory.
    Entries(PathBuf),
    /// A watched directory was renamed or removed.
    DirectoryMoved(PathBuf),
    /// A source was written to.
    Content(SourceId),
    /// A source was renamed or deleted.
    SourceMoved(SourceId),
    /// Anything.
    Everything,
}

impl<W: Watcher> Watches<W> {
    pub(super) fn new(watcher: W) -> Self {
        Self { watcher, directories: HashMap::new(), watched: HashMap::new(), unwatched_count: 0, events: Vec::new() }
    }

    /// Watches a directory for one more user. Returns whether it was not watched before, so that the caller looks at what
    /// happened in it meanwhile. A watcher that is out of watches is no error: see [`Watches::is_complete`].
    pub(super) fn use_directory(&mut self, path: &Path) -> bool {
        if let Some(directory) = self.directories.get_mut(path) {
            directory.users += 1;
            return false;
        }
        let descriptor = match self.watcher.watch_directory(path) {
            Ok(descriptor) => Some(descriptor),
            Err(error) => {
                log::warn!("failed to watch {}: {error}; it is looked at from time to time instead", path.display());
                self.unwatched_count += 1;
                None
            }
        };
        if let Some(descriptor) = descriptor {
            self.watched.insert(descriptor, Watched::Directory(path.to_owned()));
        }
        self.directories.insert(path.to_owned(), Directory { descriptor, users: 1 });
        true
    }

    /// Ends one use of a directory.
    pub(super) fn release_directory(&mut self, path: &Path) {
        let Some(directory) = self.directories.get_mut(path) else { return };
        directory.users -= 1;
        if 0 < directory.users {
            return;
        }
        match self.directories.remove(path).and_then(|directory| directory.descriptor) {
            Some(descriptor) => self.unwatch(descriptor),
            None => self.unwatched_count -= 1,
        }
    }

    /// Whether the watcher could take every directory.
    pub(super) fn is_complete(&self) -> bool {
        self.unwatched_count == 0
    }

    /// Watches the file of a source.
    pub(super) fn watch_source(&mut self, path: &Path, source: SourceId) -> io::Result<W::Descriptor> {
        let descriptor = self.watcher.watch_file(path)?;
        self.watched.insert(descriptor, Watched::Source(source));
        Ok(descriptor)
    }

    /// Ends a watch.
    pub(super) fn unwatch(&mut self, descriptor: W::Descriptor) {
        if self.watched.remove(&descriptor).is_some()
            && let Err(error) = self.watcher.unwatch(descriptor)
        {
            log::debug!("failed to end a watch: {error}");
        }
    }

    /// Waits up to `timeout` for changes and returns them.
    pub(super) fn changes(&mut self, timeout: Duration, status: &Status) -> io::Result<Vec<Change>> {
        let mut events = std::mem::take(&mut self.events);
        if timeout.is_zero() {
            self.watcher.read_events(&mut events)?;
        } else {
            self.watcher.read_events_blocking(timeout, &mut events)?;
        }
        let changes = events.drain(..).filter_map(|event| self.change(event)).collect();
        self.events = events;
        status.watches.set(self.watched.len() as u64);
        Ok(changes)
    }

    fn change(&self, event: Event<W::Descriptor>) -> Option<Change> {
        let Some(descriptor) = event.descriptor else { return Some(Change::Everything) };
        let change = match (self.watched.get(&descriptor)?.clone(), event.kind) {
            (_, EventKind::Overflow) => Change::Everything,
            (Watched::Directory(path), EventKind::Entry(Some(name))) => Change::Entry(path, name),
            (Watched::Directory(path), EventKind::Entry(None) | EventKind::Content) => Change::Entries(path),
            (Watched::Directory(path), EventKind::Moved) => Change::DirectoryMoved(path),
            (Watched::Source(source), EventKind::Moved) => Change::SourceMoved(source),
            (Watched::Source(source), EventKind::Content | EventKind::Entry(_)) => Change::Content(source),
        };
        Some(change)
    }
}
