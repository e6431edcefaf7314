//! The watcher of macOS and the BSDs.
//!
//! kqueue watches open files, so every watch holds one, and a directory's watch only says that some entry changed: which
//! one is for the caller to find out. Files are opened here rather than by the kqueue crate, which would know them by
//! path, while a rotated file and its successor are watched under the same one.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use kqueue::{EventData, EventFilter, FilterFlag, Ident, Vnode};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Event, EventKind, Limit, Watcher};

/// Most events taken from the kernel in one read, so that busy files cannot keep it going.
const EVENTS_PER_READ_MAX: usize = 4096;

/// Longest time that is waited in one call of the kernel, which refuses times over three years.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A truncation shows as a change of attributes on some file systems.
const CHANGES: FilterFlag = FilterFlag::NOTE_WRITE
    .union(FilterFlag::NOTE_EXTEND)
    .union(FilterFlag::NOTE_ATTRIB)
    .union(FilterFlag::NOTE_LINK)
    .union(FilterFlag::NOTE_RENAME)
    .union(FilterFlag::NOTE_DELETE)
    .union(FilterFlag::NOTE_REVOKE);

/// Names one watch of a [`KqueueWatcher`]: the number of the open file, which the system uses again after
/// [`Watcher::unwatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KqueueDescriptor(RawFd);

/// Watches by kqueue.
#[derive(Debug)]
pub struct KqueueWatcher {
    kqueue: kqueue::Watcher,
    watches: HashMap<KqueueDescriptor, Watch>,
}

#[derive(Debug)]
struct Watch {
    /// Keeps the file open: closing it ends the watch.
    file: OwnedFd,
    is_directory: bool,
}

impl KqueueWatcher {
    /// A watcher without watches.
    ///
    /// Fails with [`Limit::OpenFiles`] where this process or the machine has too many files open.
    pub fn new() -> io::Result<Self> {
        let mut kqueue = kqueue::Watcher::new().map_err(limit)?;
        // The crate waits for events only once this was called.
        kqueue.watch()?;
        Ok(Self { kqueue, watches: HashMap::new() })
    }

    fn watch(&mut self, path: &Path, is_directory: bool) -> io::Result<KqueueDescriptor> {
        let kind = if is_directory { OFlags::DIRECTORY } else { OFlags::empty() };
        let flags = kind | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| limit(errno.into()))?;
        let descriptor = KqueueDescriptor(file.as_raw_fd());
        self.kqueue.add_fd(descriptor.0, EventFilter::EVFILT_VNODE, CHANGES)?;
        self.watches.insert(descriptor, Watch { file, is_directory });
        // Registers all watches anew: the crate knows no way to register one.
        if let Err(error) = self.kqueue.watch() {
            self.unwatch(descriptor)?;
            return Err(error);
        }
        Ok(descriptor)
    }

    /// Translates what has happened; waits up to `wait` where nothing has yet. A signal ends the wait.
    fn read(&mut self, mut wait: Duration, events: &mut Vec<Event<KqueueDescriptor>>) -> io::Result<()> {
        let first = events.len();
        for _ in 0..EVENTS_PER_READ_MAX {
            let Some(event) = self.kqueue.poll(Some(wait)) else { break };
            wait = Duration::ZERO;
            // The crate hands out a change of several kinds, such as written and extended, as several events in a row.
            if let Some(event) = self.translate(event)?
                && events[first..].last() != Some(&event)
            {
                events.push(event);
            }
        }
        Ok(())
    }

    /// What an event means; `None` where nothing happened to a watch.
    fn translate(&self, event: kqueue::Event) -> io::Result<Option<Event<KqueueDescriptor>>> {
        let vnode = match event.data {
            EventData::Vnode(vnode) => vnode,
            // A signal came, or something happened to an ended watch.
            EventData::Error(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::NotFound) => {
                return Ok(None);
            }
            EventData::Error(error) => return Err(error),
            _ => return Ok(None),
        };
        let Ident::Fd(file) = event.ident else { return Ok(None) };
        let descriptor = KqueueDescriptor(file);
        let Some(watch) = self.watches.get(&descriptor) else { return Ok(None) };
        let kind = match vnode {
            Vnode::Delete | Vnode::Rename | Vnode::Revoke => EventKind::Moved,
            // A directory's link count tells of its subdirectories, a file's of its names.
            Vnode::Link if !watch.is_directory => EventKind::Moved,
            _ if watch.is_directory => EventKind::Entry(None),
            _ => EventKind::Content,
        };
        Ok(Some(Event { descriptor: Some(descriptor), kind }))
    }
}

impl Watcher for KqueueWatcher {
    type Descriptor = KqueueDescriptor;

    fn watch_directory(&mut self, path: &Path) -> io::Result<KqueueDescriptor> {
        self.watch(path, true)
    }

    fn watch_file(&mut self, path: &Path) -> io::Result<KqueueDescriptor> {
        self.watch(path, false)
    }

    fn unwatch(&mut self, descriptor: KqueueDescriptor) -> io::Result<()> {
        let Some(watch) = self.watches.remove(&descriptor) else { return Ok(()) };
        match self.kqueue.remove_fd(watch.file.as_raw_fd(), EventFilter::EVFILT_VNODE) {
            // The kernel let go of it before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn read_events(&mut self, events: &mut Vec<Event<KqueueDescriptor>>) -> io::Result<()> {
        self.read(Duration::ZERO, events)
    }

    fn read_events_blocking(&mut self, timeout: Duration, events: &mut Vec<Event<KqueueDescriptor>>) -> io::Result<()> {
        self.read(timeout.min(WAIT_MAX), events)
    }
}

fn limit(error: io::Error) -> io::Error {
    Limit::OpenFiles.explain(&[Errno::MFILE, Errno::NFILE], error)
}
