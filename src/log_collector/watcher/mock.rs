//! A watcher that is driven by a script, for tests.
//!
//! It asserts the caller's duties by looking at the real file system and reports exactly the events that the test tells
//! it to, so that a test decides what is seen, when, and what is lost. It never looks for changes itself, never waits,
//! and ends no watch by itself.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::file::{self, Identity, Kind};

use super::{Event, EventKind, Watcher};

/// Names one watch of a [`MockWatcher`]; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MockDescriptor(u64);

/// A handle to one mock: the test keeps a clone of what the caller under test owns.
///
/// A path given to [`MockWatcher::changed`] and its siblings means the watch on the file that is there now; where none
/// is, the watches that were made by this path. Where nothing is watched, nothing is reported, as on a platform.
#[derive(Clone, Debug, Default)]
pub struct MockWatcher(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    watches: BTreeMap<MockDescriptor, Watch>,
    watches_made: u64,
    events: Vec<Event<MockDescriptor>>,
    failures: VecDeque<io::Error>,
}

#[derive(Debug)]
struct Watch {
    path: PathBuf,
    kind: Kind,
    identity: Identity,
}

impl MockWatcher {
    /// Reports that the content of a file was written to or truncated.
    pub fn changed(&self, file: &Path) {
        self.state().report(file, &EventKind::Content);
    }

    /// Reports that the entry `name` of a directory came, went or was replaced.
    pub fn entry(&self, directory: &Path, name: impl Into<OsString>) {
        self.state().report(directory, &EventKind::Entry(Some(name.into())));
    }

    /// Reports that some entry of a directory came, went or was replaced, as kqueue does.
    pub fn any_entry(&self, directory: &Path) {
        self.state().report(directory, &EventKind::Entry(None));
    }

    /// Reports that a file or directory was renamed or deleted.
    pub fn moved(&self, path: &Path) {
        self.state().report(path, &EventKind::Moved);
    }

    /// Loses all events that were not read yet, and reports that.
    pub fn overflow(&self) {
        self.state().events = vec![Event { descriptor: None, kind: EventKind::Overflow }];
    }

    /// Fails as many of the next watches as there are `errors`, in their order; for instance with a
    /// [`Limit`](super::Limit).
    pub fn fail_watches(&self, errors: impl IntoIterator<Item = io::Error>) {
        self.state().failures.extend(errors);
    }

    /// The files being watched, by the paths they were watched by, sorted.
    pub fn watched_files(&self) -> Vec<PathBuf> {
        self.state().watched(Kind::Regular)
    }

    /// The directories being watched, by the paths they were watched by, sorted.
    pub fn watched_directories(&self) -> Vec<PathBuf> {
        self.state().watched(Kind::Directory)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("a duty that is not met ends the test")
    }
}

impl State {
    #[track_caller]
    fn watch(&mut self, path: &Path, kind: Kind) -> io::Result<MockDescriptor> {
        // What is gone by the time it is watched is no breach of duty; a platform's watcher fails as well.
        let metadata = file::link_metadata(path).map_err(|error| error.source)?;
        let canonical = file::canonical(path).map_err(|error| error.source)?;
        assert_eq!(path, canonical, "the path of a watch must be canonical");
        assert_eq!(kind, metadata.kind, "{} is watched as another kind of file", path.display());
        if let Some(watch) = self.watches.values().find(|watch| watch.identity == metadata.identity) {
            panic!("{} is watched already, by {}", path.display(), watch.path.display());
        }
        if let Some(error) = self.failures.pop_front() {
            return Err(error);
        }
        let descriptor = MockDescriptor(self.watches_made);
        self.watches_made += 1;
        self.watches.insert(descriptor, Watch { path: canonical, kind, identity: metadata.identity });
        Ok(descriptor)
    }

    fn report(&mut self, path: &Path, kind: &EventKind) {
        let identity = file::link_metadata(path).ok().map(|metadata| metadata.identity);
        let is_there = |watch: &Watch| Some(watch.identity) == identity;
        let is_any_there = self.watches.values().any(is_there);
        for (descriptor, watch) in &self.watches {
            if is_there(watch) || !is_any_there && watch.path == path {
                self.events.push(Event { descriptor: Some(*descriptor), kind: kind.clone() });
            }
        }
    }

    fn watched(&self, kind: Kind) -> Vec<PathBuf> {
        let watches = self.watches.values().filter(|watch| watch.kind == kind);
        let mut paths: Vec<_> = watches.map(|watch| watch.path.clone()).collect();
        paths.sort_unstable();
        paths
    }
}

impl Watcher for MockWatcher {
    type Descriptor = MockDescriptor;

    #[track_caller]
    fn watch_directory(&mut self, path: &Path) -> io::Result<MockDescriptor> {
        self.state().watch(path, Kind::Directory)
    }

    #[track_caller]
    fn watch_file(&mut self, path: &Path) -> io::Result<MockDescriptor> {
        self.state().watch(path, Kind::Regular)
    }

    #[track_caller]
    fn unwatch(&mut self, descriptor: MockDescriptor) -> io::Result<()> {
        let mut state = self.state();
        assert!(state.watches.remove(&descriptor).is_some(), "{descriptor:?} was unwatched before");
        state.events.retain(|event| event.descriptor != Some(descriptor));
        Ok(())
    }

    fn read_events(&mut self, events: &mut Vec<Event<MockDescriptor>>) -> io::Result<()> {
        events.append(&mut self.state().events);
        Ok(())
    }

    /// Does as [`MockWatcher::read_events`], whether there is something to read or not.
    fn read_events_blocking(&mut self, _timeout: Duration, events: &mut Vec<Event<MockDescriptor>>) -> io::Result<()> {
        self.read_events(events)
    }
}
