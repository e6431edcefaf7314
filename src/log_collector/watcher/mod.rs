//! Says "something changed here", per platform, or from a script in tests.
//!
//! A watcher knows nothing of logs. What an event means is for the caller to find out by looking: events carry where to
//! look and no more, may be coalesced, and may come late or without cause; they are never missing, save after
//! [`EventKind::Overflow`], which asks the caller to look everywhere.
//!
//! A watcher only watches: it never opens what it watches to read it, never walks a directory, and starts no thread.

#[cfg(target_os = "linux")]
pub mod inotify;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub mod kqueue;
pub mod mock;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Debug;
use std::hash::Hash;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

/// The watcher of the platform that this is compiled for.
#[cfg(target_os = "linux")]
pub type PlatformWatcher = self::inotify::InotifyWatcher;
/// The watcher of the platform that this is compiled for.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type PlatformWatcher = self::kqueue::KqueueWatcher;
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "freebsd")))]
compile_error!("there is no watcher for this platform: implement `Watcher` for it");

/// Watches directories and files for changes.
///
/// Only what happens after a watch is made is reported: watch first, then look.
///
/// # The caller's duties
///
/// - Every path is canonical: absolute, without `.`, `..` or symbolic links.
/// - [`Watcher::watch_directory`] is given directories only, [`Watcher::watch_file`] regular files only.
/// - No file or directory is watched twice at the same time, neither by one path nor by two (hard links). A path that
///   by now leads to another file may be watched again: a rotated file and the one that took its place.
/// - A descriptor is not used after [`Watcher::unwatch`].
///
/// A platform's watcher may rely on them; the mock asserts them. A second watch of one file, which a rename between
/// looking and watching can bring about, is refused by inotify with [`io::ErrorKind::AlreadyExists`]; with kqueue both
/// watches report.
///
/// # Errors
///
/// No error names the path, which the caller has. Where the platform takes no more watches, [`is_limit`] holds and the
/// message says what to raise; the watches that exist go on.
pub trait Watcher {
    /// Names one watch, from the call that made it until [`Watcher::unwatch`].
    type Descriptor: Copy + Eq + Hash + Debug;

    /// Reports entries that are created in, renamed into, renamed out of or removed from the directory, and the
    /// directory's own removal or renaming; not what happens to a directory above or below it.
    fn watch_directory(&mut self, path: &Path) -> io::Result<Self::Descriptor>;

    /// Reports writes to the file, its truncation, its renaming and its deletion.
    fn watch_file(&mut self, path: &Path) -> io::Result<Self::Descriptor>;

    /// Ends a watch. One that has ended by itself, because what it watched is gone, is fine.
    fn unwatch(&mut self, descriptor: Self::Descriptor) -> io::Result<()>;

    /// Appends what has happened to `events` and returns at once. Events of ended watches do not appear.
    ///
    /// One call appends a bounded number of events; the rest comes with the next ones.
    fn read_events(&mut self, events: &mut Vec<Event<Self::Descriptor>>) -> io::Result<()>;

    /// Waits until something happens or `timeout` has passed, then does as [`Watcher::read_events`].
    ///
    /// It may append nothing before the time is over: what happened may concern ended watches only.
    fn read_events_blocking(&mut self, timeout: Duration, events: &mut Vec<Event<Self::Descriptor>>) -> io::Result<()>;

    /// How many watches there may be at most, for whoever divides them among those who want one.
    fn watches_max(&self) -> usize {
        usize::MAX
    }

    /// What becomes readable when something happens, for whoever waits for several watchers; `None` where there is no such
    /// thing.
    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        None
    }
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
    /// An entry of the watched directory: came, went, or was replaced; on some platforms also: its permissions changed. The name is `None` where the platform does not
    /// tell it (kqueue): then any entry may have changed.
    Entry(Option<OsString>),
    /// The content of the watched file: written or truncated.
    Content,
    /// The watched file or directory itself was renamed or deleted, or one of a file's names was. A change of
    /// permissions looks the same. The watch may have ended.
    Moved,
    /// Events were lost: look everywhere.
    Overflow,
}

/// A limit of the operating system was reached; says how to raise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The user's inotify watches, over all processes.
    #[error(
        "no inotify watch is left; raise the limit, for instance with `sysctl fs.inotify.max_user_watches=1048576`"
    )]
    InotifyWatches,
    /// What one part of the tree may have of all watches.
    #[error("this part of the tree has half of the watches that others leave")]
    Share,
    /// Half of the user's inotify watches are in use by this process.
    #[error(
        "half of the user's inotify watches are in use, and the rest is for others; raise the limit, for instance with \
         `sysctl fs.inotify.max_user_watches=1048576`"
    )]
    HalfOfWatches,
    /// The user's inotify instances, over all processes, or this process's open files: the kernel does not say which.
    #[error(
        "no inotify instance or no open file is left; raise the limit, for instance with \
         `sysctl fs.inotify.max_user_instances=1024` or `ulimit -n 65536`"
    )]
    InotifyInstances,
    /// Open files of this process or of the machine: kqueue holds one for each watch.
    #[error("no open file is left for a watch; raise the limit, for instance with `ulimit -n 65536`")]
    OpenFiles,
}

impl Limit {
    /// Turns the platform's `error` into this limit where it is one of `errnos`.
    fn explain(self, errnos: &[Errno], error: io::Error) -> io::Error {
        match Errno::from_io_error(&error) {
            Some(errno) if errnos.contains(&errno) => self.into(),
            _ => error,
        }
    }
}

impl From<Limit> for io::Error {
    fn from(limit: Limit) -> Self {
        Self::new(io::ErrorKind::QuotaExceeded, limit)
    }
}

/// Whether a watcher's error is a [`Limit`]: other watches would fail as well, while those that exist go on.
pub fn is_limit(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Limit>())
}
