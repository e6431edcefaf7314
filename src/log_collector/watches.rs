//! What is being watched, and what an event is about.
//!
//! Keeps the caller's duties of [`Watcher`]: a directory is watched once however many names need it, and its watch ends
//! with the last of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::Level;

use crate::file::{self, Identity};
use crate::log_collector::shares::{Share, Shares};
use crate::log_collector::tracked::SourceId;
use crate::log_collector::watcher::{self, Event, EventKind, Limit, Watcher};
use crate::status::{Part, Status};

/// Most watches; what would have a further one is polled.
const WATCHES_MAX: usize = 200_000;

/// A platform's watcher, by paths and sources instead of descriptors.
pub(super) struct Watches<W: Watcher> {
    watcher: W,
    directories: BTreeMap<PathBuf, Directory<W::Descriptor>>,
    watched: HashMap<W::Descriptor, (Watched, Share)>,
    shares: Shares,
    /// Those of `directories` without a watch.
    unwatched: BTreeSet<PathBuf>,
    /// Whether it was said that there may be no more watches.
    limit_said: bool,
    events: Vec<Event<W::Descriptor>>,
    /// How many there are, in the gauge of all collectors.
    count: Part,
}

struct Directory<Descriptor> {
    /// `None` where the watcher could not take it, and once another directory may have taken its path.
    descriptor: Option<Descriptor>,
    /// Which directory is watched.
    identity: Option<Identity>,
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
    /// A watched directory was renamed or removed; its watch has ended.
    DirectoryMoved(PathBuf),
    /// A source was written to.
    Content(SourceId),
    /// A source was renamed or deleted.
    SourceMoved(SourceId),
    /// Anything.
    Everything,
}

impl<W: Watcher> Watches<W> {
    /// See [`Watcher::readiness`].
    pub(super) fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.watcher.readiness()
    }

    /// None yet, of what lies under `root`, a canonical path.
    pub(super) fn new(watcher: W, root: PathBuf) -> Self {
        let unwatched = BTreeSet::new();
        let shares = Shares::new(root, watcher.watches_max().min(WATCHES_MAX));
        Self {
            watcher,
            directories: BTreeMap::new(),
            watched: HashMap::new(),
            shares,
            unwatched,
            limit_said: false,
            events: Vec::new(),
            count: Part::default(),
        }
    }

    /// Watches a directory for one more user. Returns whether it was not watched before, so that the caller looks at what
    /// happened in it meanwhile. What the watcher cannot take is no error: see [`Watches::unwatched`].
    pub(super) fn use_directory(&mut self, path: &Path) -> bool {
        if let Some(directory) = self.directories.get_mut(path) {
            directory.users += 1;
            return false;
        }
        self.directories.insert(path.to_owned(), Directory { descriptor: None, identity: None, users: 1 });
        self.unwatched.insert(path.to_owned());
        self.retry(path);
        true
    }

    /// Ends one use of a directory.
    pub(super) fn release_directory(&mut self, path: &Path) {
        let Some(directory) = self.directories.get_mut(path) else { return };
        directory.users -= 1;
        if directory.users == 0 {
            self.end_watch(path);
            self.directories.remove(path);
            self.unwatched.remove(path);
        }
    }

    /// Directories without a watch: they have to be looked at from time to time.
    pub(super) fn unwatched(&self) -> &BTreeSet<PathBuf> {
        &self.unwatched
    }

    /// Watches a directory that has no watch, if it can be. Returns whether it is watched only now.
    pub(super) fn retry(&mut self, path: &Path) -> bool {
        if !self.unwatched.contains(path) {
            return false;
        }
        let Ok((descriptor, share)) = self.watch(path, W::watch_directory) else { return false };
        let Some(directory) = self.directories.get_mut(path) else { return false };
        directory.descriptor = Some(descriptor);
        directory.identity = identity(path);
        self.watched.insert(descriptor, (Watched::Directory(path.to_owned()), share));
        self.unwatched.remove(path);
        true
    }

    /// Makes a watch, if its part of the tree may have one more.
    fn watch(
        &mut self,
        path: &Path,
        watch: impl FnOnce(&mut W, &Path) -> io::Result<W::Descriptor>,
    ) -> io::Result<(W::Descriptor, Share)> {
        let Some(share) = self.shares.take(path) else { return self.noted(path, Err(Limit::Share.into())) };
        let watched = watch(&mut self.watcher, path);
        if watched.is_err() {
            self.shares.give_back(&share);
        }
        self.noted(path, watched).map(|descriptor| (descriptor, share))
    }

    /// Says what is to be said of a watch that failed. A limit is said once, because each further watch would say the same;
    /// and what cannot be read says so itself.
    fn noted<T>(&mut self, path: &Path, watch: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &watch {
            let is_news = watcher::is_limit(error) && !std::mem::replace(&mut self.limit_said, true);
            let level = if is_news { Level::Warn } else { Level::Debug };
            log::log!(level, "failed to watch {}: {error}; what has no watch is polled instead", path.display());
        }
        watch
    }

    /// All directories that are or should be watched.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.directories.keys().cloned().collect()
    }

    /// Ends the watch of a directory whose path has come to mean another. To end all of them instead would have each say that
    /// it has ended, which more of them do than the kernel's queue takes.
    pub(super) fn end_if_replaced(&mut self, path: &Path) {
        let watched = self.directories.get(path).filter(|directory| directory.descriptor.is_some());
        if watched.is_some_and(|directory| directory.identity != identity(path)) {
            self.end_watch(path);
        }
    }

    /// Ends the watches of a directory and of all below it: what is watched has other paths now.
    fn end_watches_below(&mut self, path: &Path) {
        let from = self.directories.range(path.to_owned()..).map(|(directory, _)| directory);
        for below in from.take_while(|below| below.starts_with(path)).cloned().collect::<Vec<_>>() {
            self.end_watch(&below);
        }
    }

    /// Ends the watch of a directory that goes on being used.
    fn end_watch(&mut self, path: &Path) {
        let Some(directory) = self.directories.get_mut(path) else { return };
        if let Some(descriptor) = directory.descriptor.take() {
            self.unwatched.insert(path.to_owned());
            self.unwatch(descriptor);
        }
    }

    /// Watches the file of a source.
    pub(super) fn watch_source(&mut self, path: &Path, source: SourceId) -> io::Result<W::Descriptor> {
        let (descriptor, share) = self.watch(path, W::watch_file)?;
        self.watched.insert(descriptor, (Watched::Source(source), share));
        Ok(descriptor)
    }

    /// Ends a watch.
    pub(super) fn unwatch(&mut self, descriptor: W::Descriptor) {
        let Some((_, share)) = self.watched.remove(&descriptor) else { return };
        self.shares.give_back(&share);
        if let Err(error) = self.watcher.unwatch(descriptor) {
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
        self.count.set(&status.watches, self.watched.len() as u64);
        Ok(changes)
    }

    fn change(&mut self, event: Event<W::Descriptor>) -> Option<Change> {
        let Some(descriptor) = event.descriptor else { return Some(Change::Everything) };
        let watched = self.watched.get(&descriptor)?.0.clone();
        // Before anything is looked at, lest the directory be watched a second time under its new path.
        if let (Watched::Directory(path), EventKind::Moved) = (&watched, &event.kind) {
            self.end_watches_below(path);
        }
        let change = match (watched, event.kind) {
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

/// Which directory is at `path`.
fn identity(path: &Path) -> Option<Identity> {
    file::link_metadata(path).ok().map(|metadata| metadata.identity)
}
