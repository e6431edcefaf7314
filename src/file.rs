//! The only door to the file system: what was tried, and on which path, stands in every error.
//!
//! `clippy.toml` keeps `std::fs` out of every other module.
#![expect(clippy::disallowed_methods, reason = "this module is where the disallowed methods are wrapped")]

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags, openat};
use rustix::io::Errno;

const NS_PER_SECOND: i64 = 1_000_000_000;
/// How a directory is opened in which a file is looked up: Linux asks for no permission to read it.
#[cfg(target_os = "linux")]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const SEARCH: OFlags = OFlags::RDONLY;

/// The operating system refused; says what was tried and on which path.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {source}", path.display())]
pub struct Error {
    /// What was tried, as a verb: "open", "read", "create".
    pub action: &'static str,
    /// On which path.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl Error {
    /// The kind of the operating system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Puts `action` and `path` into an operating system's error.
fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error { action, path: path.to_owned(), source }
}

/// An open file that knows its path.
#[derive(Debug)]
pub struct File {
    inner: fs::File,
    path: PathBuf,
}

/// What kind of file a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link (only where links are not followed).
    Link,
    /// A FIFO, socket or device.
    Other,
}

/// What the file system says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its owner's user id.
    pub owner: u32,
    /// Who may do what with it, as the bits of `chmod`.
    pub mode: u32,
    /// What makes it this file and no other.
    pub identity: Identity,
    /// How many names it has.
    pub link_count: u64,
    /// When its content was last changed, in nanoseconds since the Unix epoch.
    pub modified_ns: i64,
    /// When it was last changed in any way, its names included, in nanoseconds since the Unix epoch.
    pub changed_ns: i64,
}

/// What makes a file this file: a reused inode has another birth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The file system's device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
    /// When the file was created, in nanoseconds since the Unix epoch; 0 where the file system does not say.
    pub born_ns: i64,
}

/// Tells by a file's path whether it cannot be opened.
#[cfg(test)]
pub(crate) type IsUnreadable = fn(&Path) -> bool;

#[cfg(test)]
thread_local! {
    /// Whether files have no birth times, as on some file systems.
    pub(crate) static WITHOUT_BIRTHS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    /// Which files cannot be opened for now.
    pub(crate) static UNREADABLE: std::cell::Cell<Option<IsUnreadable>> = const { std::cell::Cell::new(None) };
}

impl Metadata {
    fn from_std(metadata: &fs::Metadata) -> Self {
        let file_type = metadata.file_type();
        let kind = if file_type.is_file() {
            Kind::Regular
        } else if file_type.is_dir() {
            Kind::Directory
        } else if file_type.is_symlink() {
            Kind::Link
        } else {
            Kind::Other
        };
        let born = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let born_ns = born.and_then(|age| i64::try_from(age.as_nanos()).ok()).unwrap_or(0);
        #[cfg(test)]
        let born_ns = if WITHOUT_BIRTHS.get() { 0 } else { born_ns };
        let identity = Identity { device: metadata.dev(), inode: metadata.ino(), born_ns };
        Self {
            kind,
            size_bytes: metadata.len(),
            owner: metadata.uid(),
            mode: metadata.mode(),
            identity,
            link_count: metadata.nlink(),
            changed_ns: metadata.ctime().saturating_mul(NS_PER_SECOND).saturating_add(metadata.ctime_nsec()),
            modified_ns: metadata.mtime().saturating_mul(NS_PER_SECOND).saturating_add(metadata.mtime_nsec()),
        }
    }
}

impl Metadata {
    /// Whether everybody on this machine may read it, change it or run it.
    pub fn is_open_to_others(&self) -> bool {
        self.mode & 0o007 != 0
    }

    /// Whether `user`, of whose groups nothing is known, may read it, or may let themselves read it.
    pub fn may_be_read_by(&self, user: u32) -> bool {
        const READ: u32 = 0o4;
        const READ_AND_SEARCH: u32 = 0o5;
        let needed = if self.kind == Kind::Directory { READ_AND_SEARCH } else { READ };
        user == 0 || user == self.owner || self.mode & needed == needed
    }
}

impl File {
    /// Opens a file for reading. Does not wait for a FIFO's writer. The caller resolves links first: one in the file's place
    /// or on the way to it is an error, even one that was put there a moment ago.
    pub fn open(path: &Path) -> Result<Self> {
        #[cfg(test)]
        if UNREADABLE.get().is_some_and(|is_unreadable| is_unreadable(path)) {
            return Err(at("open", path)(io::ErrorKind::PermissionDenied.into()));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let inner = open_without_links(path, flags).map_err(|error| at("open", path)(error.into()))?;
        Ok(Self { inner: inner.into(), path: path.to_owned() })
    }

    /// Creates a file that must not exist yet, for writing and reading.
    pub fn create(path: &Path) -> Result<Self> {
        let mut options = fs::OpenOptions::new();
        let inner = options.read(true).write(true).create_new(true).mode(0o640).open(path);
        Ok(Self { inner: inner.map_err(at("create", path))?, path: path.to_owned() })
    }

    /// Opens a file for writing and reading, creating it where it does not exist.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        let mut options = fs::OpenOptions::new();
        let inner = options.read(true).write(true).create(true).truncate(false).mode(0o640).open(path);
        Ok(Self { inner: inner.map_err(at("open", path))?, path: path.to_owned() })
    }

    /// Opens a file that exists for writing and reading.
    pub fn open_for_writing(path: &Path) -> Result<Self> {
        let inner = fs::OpenOptions::new().read(true).write(true).open(path);
        Ok(Self { inner: inner.map_err(at("open", path))?, path: path.to_owned() })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads at `offset` until `buffer` is full or the file ends, and returns how many bytes were read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.inner.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(at("read", &self.path)(error)),
            }
        }
        Ok(filled)
    }

    /// Where the next byte stands, from `offset` on, that is not in a hole; `None` where there is none. A file system that
    /// knows no holes has none.
    pub fn next_data(&self, offset: u64) -> Result<Option<u64>> {
        match rustix::fs::seek(&self.inner, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => Ok(Some(data)),
            Err(rustix::io::Errno::NXIO) => Ok(None),
            Err(rustix::io::Errno::INVAL) => Ok(Some(offset)),
            Err(errno) => Err(at("seek in", &self.path)(errno.into())),
        }
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_all_at(bytes, offset).map_err(at("write", &self.path))
    }

    /// Writes all of `slices` one after the other at `offset`, with as few calls as the operating system allows.
    /// `slices` is used up.
    pub fn write_all_vectored_at(&self, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> Result<()> {
        // Empty slices first, so that a write of nothing is not mistaken for a full disk.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(&self.inner, slices, offset) {
                Ok(0) => return Err(at("write", &self.path)(io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    IoSlice::advance_slices(&mut slices, count);
                    offset += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(at("write", &self.path)(errno.into())),
            }
        }
        Ok(())
    }

    /// Waits until the file's content is on stable storage.
    pub fn sync_data(&self) -> Result<()> {
        self.inner.sync_data().map_err(at("sync", &self.path))
    }

    /// Cuts or extends the file to `size_bytes`.
    pub fn set_len(&self, size_bytes: u64) -> Result<()> {
        self.inner.set_len(size_bytes).map_err(at("truncate", &self.path))
    }

    /// What the file system says of the open file.
    pub fn metadata(&self) -> Result<Metadata> {
        let metadata = self.inner.metadata().map_err(at("stat", &self.path))?;
        Ok(Metadata::from_std(&metadata))
    }

    /// Takes the file's exclusive lock; `false` where another process holds it. It is released when the file is closed,
    /// also by `kill -9`.
    pub fn try_lock(&self) -> Result<bool> {
        match rustix::fs::flock(&self.inner, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(at("lock", &self.path)(errno.into())),
        }
    }
}

/// Opens one component of `path` after the other, so that none is a link; the last one with `flags`.
fn open_without_links(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let common = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory_flags = common | OFlags::DIRECTORY | SEARCH;
    let Some((parent, name)) = path.parent().zip(path.file_name()) else {
        return if flags.contains(OFlags::DIRECTORY) {
            openat(CWD, path, common | flags, Mode::empty())
        } else {
            Err(Errno::ISDIR)
        };
    };
    let mut directory: Option<OwnedFd> = None;
    let open = |directory: Option<&OwnedFd>, name: &OsStr, flags: OFlags| {
        openat(directory.map_or(CWD, AsFd::as_fd), name, flags, Mode::empty())
    };
    for component in parent {
        directory = Some(open(directory.as_ref(), component, directory_flags)?);
    }
    open(directory.as_ref(), name, common | flags)
}

/// What a short file holds, such as a secret, and what the file system says of it; links are followed, as secrets are mounted as
/// links to links.
///
/// # Errors
///
/// Those of opening and reading, and [`io::ErrorKind::FileTooLarge`] beyond `bytes_max`.
pub fn read_whole(path: &Path, bytes_max: usize) -> Result<(Vec<u8>, Metadata)> {
    let file = File::open(&canonical(path)?)?;
    let mut bytes = vec![0; bytes_max + 1];
    let count = file.read_at(&mut bytes, 0)?;
    if bytes_max < count {
        return Err(at("read", path)(io::ErrorKind::FileTooLarge.into()));
    }
    bytes.truncate(count);
    Ok((bytes, file.metadata()?))
}

/// What the file system says of what `path` leads to, links followed.
pub fn metadata(path: &Path) -> Result<Metadata> {
    fs::metadata(path).map(|metadata| Metadata::from_std(&metadata)).map_err(at("stat", path))
}

/// What the file system says of `path` itself, a link not followed.
pub fn link_metadata(path: &Path) -> Result<Metadata> {
    fs::symlink_metadata(path).map(|metadata| Metadata::from_std(&metadata)).map_err(at("stat", path))
}

/// The absolute path without links that `path` leads to.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(at("resolve", path))
}

/// What the link at `path` says.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    fs::read_link(path).map_err(at("read the link", path))
}

/// The paths in a directory, sorted; `.` and `..` left out.
pub fn read_directory(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path).map_err(at("read the directory", path))?;
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(at("read the directory", path))?;
    paths.sort_unstable_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(paths)
}

/// As [`read_directory`], of a directory that no link leads to: a link in its place or on the way to it is an error, even one
/// that was put there a moment ago.
pub fn list_directory(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |errno: Errno| at("read the directory", path)(errno.into());
    let directory = open_without_links(path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
    let mut paths = Vec::new();
    for entry in rustix::fs::Dir::new(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            paths.push(path.join(OsStr::from_bytes(name)));
        }
    }
    paths.sort_unstable_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(paths)
}

/// Creates a directory and its parents, closed to other users because logs hold secrets; an existing one is fine. What
/// was created is on stable storage on return.
pub fn create_directories(path: &Path) -> Result<()> {
    if metadata(path).is_ok_and(|metadata| metadata.kind == Kind::Directory) {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    create_directories(parent)?;
    fs::DirBuilder::new().mode(0o750).create(path).map_err(at("create the directory", path))?;
    sync_directory(parent)
}

/// The names in a directory, held open: that it is exclusively locked keeps others out, whatever becomes of the files in it.
#[derive(Debug)]
pub struct DirectoryLock {
    inner: fs::File,
    path: PathBuf,
}

impl DirectoryLock {
    /// Takes the exclusive lock of the directory at `path`; `None` where another process holds it. A file system that has no
    /// locks of directories gives it to everybody.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        let inner = fs::File::open(path).map_err(at("open", path))?;
        match rustix::fs::flock(&inner, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Ok(None),
            _ => Ok(Some(Self { inner, path: path.to_owned() })),
        }
    }

    /// Whether the directory is still the one at its path.
    pub fn is_in_place(&self) -> Result<bool> {
        let own = self.inner.metadata().map_err(at("stat", &self.path))?;
        let there = fs::metadata(&self.path).map_err(at("stat", &self.path))?;
        Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
    }
}

/// Renames a file within one file system, replacing what is there.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(at("rename", from))
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(at("remove", path))
}

/// Removes a directory that is empty.
pub fn remove_directory(path: &Path) -> Result<()> {
    fs::remove_dir(path).map_err(at("remove the directory", path))
}

/// Waits until the names in a directory are on stable storage.
pub fn sync_directory(path: &Path) -> Result<()> {
    let directory = fs::File::open(path).map_err(at("open", path))?;
    directory.sync_all().map_err(at("sync the directory", path))
}

/// Bytes that an unprivileged user can still write to the file system of `path`.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let statistics = file_system(path)?;
    Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
}

/// Bytes of the file system of `path` in all.
pub fn total_bytes(path: &Path) -> Result<u64> {
    let statistics = file_system(path)?;
    Ok(statistics.f_blocks.saturating_mul(statistics.f_frsize))
}

fn file_system(path: &Path) -> Result<rustix::fs::StatVfs> {
    rustix::fs::statvfs(path).map_err(|errno| at("stat the file system of", path)(errno.into()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_opened_only_where_no_link_leads_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let base = canonical(directory.path()).unwrap();
        create_directories(&base.join("a/b")).unwrap();
        File::create(&base.join("a/b/c.log")).unwrap();
        symlink("a", base.join("d")).unwrap();
        symlink("c.log", base.join("a/b/e.log")).unwrap();
        File::open(&base.join("a/b/c.log")).unwrap();
        for refused in ["d/b/c.log", "a/b/e.log"] {
            File::open(&base.join(refused)).unwrap_err();
        }
        assert_eq!(File::open(&base.join("a/none/c.log")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(File::open(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        File::open(Path::new("Cargo.toml")).unwrap();
    }

    #[test]
    fn a_directory_is_listed_only_where_no_link_leads_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let base = canonical(directory.path()).unwrap();
        create_directories(&base.join("a/b")).unwrap();
        for name in ["2", "10", "1"] {
            File::create(&base.join("a/b").join(name)).unwrap();
        }
        symlink("a", base.join("l")).unwrap();
        symlink("b", base.join("a/l")).unwrap();
        assert_eq!(
            list_directory(&base.join("a/b")).unwrap(),
            ["1", "10", "2"].map(|name| base.join("a/b").join(name))
        );
        for refused in ["l/b", "a/l", "a/b/1"] {
            assert_eq!(list_directory(&base.join(refused)).unwrap_err().kind(), io::ErrorKind::NotADirectory);
        }
        assert_eq!(list_directory(&base.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(list_directory(Path::new("/")).unwrap().contains(&PathBuf::from("/etc")));
    }

    #[test]
    fn who_may_read_is_told_by_owner_and_bits() {
        let directory = tempfile::tempdir().unwrap();
        let metadata = metadata(directory.path()).unwrap();
        let may = |mode, owner, user| Metadata { owner, mode, ..metadata }.may_be_read_by(user);
        assert!(may(0o700, 7, 7) && may(0o700, 7, 0) && may(0o705, 7, 8));
        assert!(!may(0o770, 7, 8) && !may(0o704, 7, 8));
        assert!(Metadata { kind: Kind::Regular, mode: 0o604, ..metadata }.may_be_read_by(8));
    }
}
