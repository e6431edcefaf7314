//! Says "something changed here", per platform, or from a script in tests.
//!
//! A watcher knows nothing of logs. What an event means is for the caller to find out by looking: events carry where to
//! look and no more, may be coalesced, and may come late or without cause; they are never missing, save after
//! [`EventKind::Overflow`], which asks the caller to look everywhere.

use std::ffi::OsString;
use std::fmt::Debug;
use std::hash::Hash;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Watches directories and files for changes.
///
/// # The caller's duties
///
/// - Every path is canonical: absolute, without `.`, `..` or symbolic links.
/// - [`Watcher::watch_directory`] is given directories only, [`Watcher::watch_file`] regular files only.
/// - No path is watched twice at the same time, and no two paths of one file (hard links) are.
///
/// A platform's watcher may rely on them; the mock asserts them.
pub trait Watcher {
    /// Names one watch, from the call that made it until [`Watcher::unwatch`].
    type Descriptor: Copy + Eq + Hash + Debug;

    /// Reports entries that are created in, renamed into, renamed out of or removed from the directory, and the
    /// directory's own removal or renaming.
    fn watch_directory(&mut self, path: &Path) -> io::Result<Self::Descriptor>;

    /// Reports writes to the file, its truncation, its renaming and its deletion.
    fn watch_file(&mut self, path: &Path) -> io::Result<Self::Descriptor>;

    /// Ends a watch. One that has ended by itself, because what it watched is gone, is fine.
    fn unwatch(&mut self, descriptor: Self::Descriptor) -> io::Result<()>;

    /// Appends what has happened to `events` and returns at once. Events of ended watches do not appear.
    fn read_events(&mut self, events: &mut Vec<Event<Self::Descriptor>>) -> io::Result<()>;

    /// Waits until something happens or `timeout` has passed, then does as [`Watcher::read_events`].
    fn read_events_blocking(&mut self, timeout: Duration, events: &mut Vec<Event<Self::Descriptor>>) -> io::Result<()>;
}

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<Descriptor> {
    /// Which watch saw it; `None` for [`EventKind::Overflow`], which concerns all of them.
    pub descriptor: Option<Descriptor>,
    /// What changed.
    pub kind: EventKind,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An entry of the watched directory: came, went, or was replaced. The name is `None` where the platform does not
    /// tell it (kqueue): then any entry may have changed.
    Entry(Option<OsString>),
    /// The content of the watched file: written or truncated.
    Content,
    /// The watched file or directory itself was renamed or deleted. The watch may have ended.
    Moved,
    /// Events were lost: look everywhere.
    Overflow,
}
