//! The watcher of Linux.
//!
//! One inotify instance holds all watches, because a user has few of them (128 by default). Links are never followed, neither
//! at the end of a path nor on the way. Watches are limited for each user: at most half of them are taken here, over all
//! instances, so that the other programs of the user have theirs.
//! What the kernel says is translated and no more; what it merges or says twice stays so, save that a file that is
//! written to is reported once per read.
//!
//! Invariant: `watches` holds what the kernel reports on. Descriptors are not reused before 2³¹ watches were made, so an
//! event whose descriptor is not in there belongs to an ended watch.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::{Event, EventKind, Limit, Watcher, is_limit};

/// Bytes of events taken from the kernel in one read: enough for a quarter of its default queue (16,384 events of 16
/// bytes, names apart). An event takes at most 272 bytes, so any event fits.
const BUFFER_BYTES: usize = 64 << 10;

/// A second watch of one inode is an error instead of a new meaning for the first.
const EVERY_WATCH: WatchMask = WatchMask::MASK_CREATE;

/// Where Linux says how many watches a user may have.
const USER_WATCHES_MAX: &str = "/proc/sys/fs/inotify/max_user_watches";
/// How many there are where it does not say: its own least.
const USER_WATCHES_MIN: usize = 8192;

/// How many watches there are in this process.
static WATCH_COUNT: AtomicUsize = AtomicUsize::new(0);
/// How many there may be.
static WATCHES_MAX: LazyLock<usize> = LazyLock::new(|| user_watches_max().unwrap_or(USER_WATCHES_MIN) / 2);

/// A rename within or between directories shows as leaving one name and coming to another. A change of an entry's
/// permissions may make readable what was not.
const DIRECTORY: WatchMask = EVERY_WATCH
    .union(WatchMask::ONLYDIR)
    .union(WatchMask::CREATE)
    .union(WatchMask::MOVED_TO)
    .union(WatchMask::MOVED_FROM)
    .union(WatchMask::DELETE)
    .union(WatchMask::ATTRIB)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE_SELF);

/// `DELETE_SELF` waits until the last descriptor of a deleted file is closed, and the caller may hold that one; its loss
/// of a name shows at once, as `ATTRIB`.
const FILE: WatchMask = EVERY_WATCH
    .union(WatchMask::MODIFY)
    .union(WatchMask::ATTRIB)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE_SELF);

/// Names one watch of an [`InotifyWatcher`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InotifyDescriptor(i32);

impl From<&WatchDescriptor> for InotifyDescriptor {
    fn from(watch: &WatchDescriptor) -> Self {
        Self(watch.get_watch_descriptor_id())
    }
}

/// Watches by inotify.
#[derive(Debug)]
pub struct InotifyWatcher {
    /// `None` where other processes of the user hold all instances: then no watch can be made.
    inotify: Option<Inotify>,
    watches: HashMap<InotifyDescriptor, WatchDescriptor>,
    buffer: Box<[u8]>,
}

impl InotifyWatcher {
    /// A watcher without watches.
    ///
    /// Where other processes of the user hold all instances, every watch fails with [`Limit::InotifyInstances`].
    pub fn new() -> io::Result<Self> {
        let limit = |error| Limit::InotifyInstances.explain(&[Errno::MFILE, Errno::NFILE], error);
        let inotify = match Inotify::init().map_err(limit) {
            Err(error) if is_limit(&error) => None,
            result => Some(result?),
        };
        Ok(Self { inotify, watches: HashMap::new(), buffer: vec![0; BUFFER_BYTES].into_boxed_slice() })
    }

    fn watch(&mut self, path: &Path, mask: WatchMask) -> io::Result<InotifyDescriptor> {
        let Some(inotify) = &mut self.inotify else { return Err(Limit::InotifyInstances.into()) };
        if *WATCHES_MAX <= WATCH_COUNT.load(Ordering::Relaxed) {
            return Err(Limit::HalfOfWatches.into());
        }
        let limit = |error| Limit::InotifyWatches.explain(&[Errno::NOSPC], error);
        // The watch is made of what is open: a path may come to lead elsewhere at any moment.
        let pinned = pin(path)?;
        let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", pinned.as_raw_fd()));
        let watch = match inotify.watches().add(by_descriptor, mask) {
            // There is no /proc.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                inotify.watches().add(path, mask.union(WatchMask::DONT_FOLLOW)).map_err(limit)?
            }
            watch => watch.map_err(limit)?,
        };
        let descriptor = InotifyDescriptor::from(&watch);
        self.watches.insert(descriptor, watch);
        WATCH_COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(descriptor)
    }

    /// Forgets a watch.
    fn remove(&mut self, descriptor: InotifyDescriptor) -> Option<WatchDescriptor> {
        let watch = self.watches.remove(&descriptor)?;
        WATCH_COUNT.fetch_sub(1, Ordering::Relaxed);
        Some(watch)
    }

    /// Waits until there are events to read or `timeout` has passed. A signal does not end the wait.
    fn wait(&self, timeout: Duration) -> io::Result<()> {
        // A time beyond what the clock can count is waited for without end.
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let instance = self.inotify.iter().map(|inotify| PollFd::new(inotify, PollFlags::IN));
            match poll(&mut instance.collect::<Vec<_>>(), left.as_ref()) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }
}

impl Watcher for InotifyWatcher {
    type Descriptor = InotifyDescriptor;

    fn watch_directory(&mut self, path: &Path) -> io::Result<InotifyDescriptor> {
        self.watch(path, DIRECTORY)
    }

    fn watch_file(&mut self, path: &Path) -> io::Result<InotifyDescriptor> {
        self.watch(path, FILE)
    }

    fn unwatch(&mut self, descriptor: InotifyDescriptor) -> io::Result<()> {
        let Some(watch) = self.remove(descriptor) else { return Ok(()) };
        let Some(inotify) = &self.inotify else { return Ok(()) };
        match inotify.watches().remove(watch) {
            // The watch has ended by itself; the event that says so is unread, or was lost to an overflow.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }

    fn read_events(&mut self, events: &mut Vec<Event<InotifyDescriptor>>) -> io::Result<()> {
        let Some(inotify) = &mut self.inotify else { return Ok(()) };
        let read = match inotify.read_events(&mut self.buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            result => result?,
        };
        // The kernel merges equal events only while nothing comes between them: files that are written to in turn
        // would fill the vector, and the caller looks at each after the whole read anyway.
        let mut written = HashSet::new();
        for event in read {
            if event.mask.contains(EventMask::Q_OVERFLOW) {
                events.push(Event { descriptor: None, kind: EventKind::Overflow });
                continue;
            }
            let descriptor = InotifyDescriptor::from(&event.wd);
            if event.mask.contains(EventMask::IGNORED) && self.watches.remove(&descriptor).is_some() {
                WATCH_COUNT.fetch_sub(1, Ordering::Relaxed);
            }
            if !self.watches.contains_key(&descriptor) {
                continue;
            }
            let kind = kind(event.mask, event.name);
            if kind != EventKind::Content || written.insert(descriptor) {
                events.push(Event { descriptor: Some(descriptor), kind });
            }
        }
        Ok(())
    }

    fn read_events_blocking(
        &mut self,
        timeout: Duration,
        events: &mut Vec<Event<InotifyDescriptor>>,
    ) -> io::Result<()> {
        self.wait(timeout)?;
        self.read_events(events)
    }

    fn watches_max(&self) -> usize {
        *WATCHES_MAX
    }

    fn readiness(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }
}

impl Drop for InotifyWatcher {
    fn drop(&mut self) {
        WATCH_COUNT.fetch_sub(self.watches.len(), Ordering::Relaxed);
    }
}

/// Opens one component of `path` after the other, so that none is a link, to be named and not to be read.
fn pin(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut pinned: Option<OwnedFd> = None;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let kind = if components.peek().is_some() { OFlags::DIRECTORY } else { OFlags::empty() };
        let directory = pinned.as_ref().map_or(CWD, AsFd::as_fd);
        pinned = Some(openat(directory, component.as_os_str(), flags | kind, Mode::empty())?);
    }
    pinned.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// How many watches a user may have.
fn user_watches_max() -> Option<usize> {
    let mut text = [0; 32];
    let file = openat(CWD, USER_WATCHES_MAX, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let count = rustix::io::read(&file, &mut text).ok()?;
    std::str::from_utf8(text.get(..count)?).ok()?.trim().parse().ok()
}

/// What an event of [`DIRECTORY`] or [`FILE`] means. Only entries have a name.
fn kind(mask: EventMask, name: Option<&OsStr>) -> EventKind {
    match name {
        Some(name) => EventKind::Entry(Some(name.to_owned())),
        None if mask.contains(EventMask::MODIFY) => EventKind::Content,
        // MOVE_SELF, DELETE_SELF, ATTRIB, and UNMOUNT, which the kernel reports unasked.
        None => EventKind::Moved,
    }
}
