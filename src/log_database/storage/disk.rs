//! A directory of the file system.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{self, DirectoryLock, File, Kind};
use crate::log_database::Error;
use crate::log_database::storage::{Result, Storage, StoredFile};

/// Holds the process number of whoever has the directory open, and their lock.
const LOCK_NAME: &str = "lock";
/// Longest process number that is read from the lock file, in bytes.
const PID_BYTES_MAX: usize = 20;
/// Most files with one name that are put aside where a directory is due.
const STRAYS_MAX: usize = 100;

/// A directory of the file system that one process at a time has open.
#[derive(Debug)]
pub struct DiskStorage {
    root: PathBuf,
    /// Keeps others out until it is closed, also by `kill -9`, and when the file below is deleted.
    directory_lock: DirectoryLock,
    /// The same, where directories have no locks, and for messages; `None` where something else has its name.
    _lock: Option<File>,
}

impl DiskStorage {
    /// Opens `root`, creating it where it does not exist, and keeps every other process out of it.
    ///
    /// # Errors
    ///
    /// - [`Error::InUse`]: another instance has it open. Nothing was changed.
    /// - [`Error::Io`]: it cannot be created or written.
    pub fn open(root: &Path) -> std::result::Result<Self, Error> {
        file::create_directories(root)?;
        let lock = match File::open_or_create(&root.join(LOCK_NAME)) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                log::warn!("{LOCK_NAME} in the data directory is left alone: it is not what has such a name there");
                None
            }
            lock => Some(lock?),
        };
        let is_free = lock.as_ref().map_or(Ok(true), File::try_lock)?;
        let directory_lock = DirectoryLock::take(root)?.filter(|_| is_free);
        let Some(directory_lock) = directory_lock else {
            return Err(Error::InUse { path: root.to_owned(), pid: lock.as_ref().and_then(read_pid) });
        };
        if let Some(lock) = &lock {
            lock.set_len(0)?;
            lock.write_all_at(std::process::id().to_string().as_bytes(), 0)?;
        }
        Ok(Self { root: root.to_owned(), directory_lock, _lock: lock })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl DiskStorage {
    /// Gives another name to what is in the place of the directory at `path`.
    fn put_aside(&self, path: &Path) -> Result<()> {
        let aside = |number: usize| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".stray{number}"));
            PathBuf::from(name)
        };
        let free = (0..STRAYS_MAX).map(aside).find(|path| file::link_metadata(path).is_err());
        let to = free.unwrap_or_else(|| aside(STRAYS_MAX));
        log::warn!("{} is no directory, but one is due; it is {} now", path.display(), to.display());
        file::rename(path, &to)?;
        file::sync_directory(&self.root)
    }
}

/// The process number in the lock file, for a message only.
fn read_pid(lock: &File) -> Option<u32> {
    let mut text = [0; PID_BYTES_MAX];
    let count = lock.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(text.get(..count)?).ok()?.trim().parse().ok()
}

impl Storage for DiskStorage {
    fn create_directory(&self, directory: &str) -> Result<()> {
        let path = self.root.join(directory);
        let is_stray = file::metadata(&path).map(|metadata| metadata.kind != Kind::Directory);
        // A link that leads nowhere is in the way as well.
        if is_stray.unwrap_or_else(|_| file::link_metadata(&path).is_ok()) {
            self.put_aside(&path)?;
        }
        file::create_directories(&path)
    }

    fn check(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        let is_there = self.directory_lock.is_in_place()? && file::metadata(&path)?.kind == Kind::Regular;
        if is_there {
            return Ok(());
        }
        let source = io::Error::other("the data directory was replaced while it is in use; start the agent again");
        Err(file::Error { action: "find", path, source })
    }

    fn remove_directory(&self, directory: &str) -> Result<()> {
        file::remove_directory(&self.root.join(directory))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        let paths = file::read_directory(&self.root.join(directory))?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(|name| format!("{directory}/{name}")).collect())
    }

    fn kind(&self, name: &str) -> Result<Kind> {
        Ok(file::metadata(&self.root.join(name))?.kind)
    }

    fn create(&self, name: &str) -> Result<Arc<dyn StoredFile>> {
        let file = File::open_or_create(&self.root.join(name))?;
        file.set_len(0)?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn StoredFile>> {
        Ok(Arc::new(File::open_for_writing(&self.root.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        file::rename(&self.root.join(from), &self.root.join(to))
    }

    fn remove(&self, name: &str) -> Result<()> {
        match file::remove(&self.root.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_directory(&self, directory: &str) -> Result<()> {
        file::sync_directory(&self.root.join(directory))
    }

    fn salt(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }

    fn free_bytes(&self) -> Result<u64> {
        file::free_bytes(&self.root)
    }

    fn total_bytes(&self) -> Result<u64> {
        file::total_bytes(&self.root)
    }
}

impl StoredFile for File {
    fn path(&self) -> &Path {
        File::path(self)
    }

    fn size_bytes(&self) -> Result<u64> {
        Ok(self.metadata()?.size_bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        File::read_at(self, buffer, offset)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        self.write_all_vectored_at(slices, offset)
    }

    fn sync(&self) -> Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_open_is_refused_and_names_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let first = DiskStorage::open(&root).unwrap();

        let Err(Error::InUse { path, pid }) = DiskStorage::open(&root) else { panic!("opened twice") };
        assert_eq!((&path, pid), (&root, Some(std::process::id())));
        let message = Error::InUse { path, pid }.to_string();
        assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");

        drop(first);
        DiskStorage::open(&root).unwrap();
    }

    #[test]
    fn a_second_open_is_refused_whatever_becomes_of_the_lock_file() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let first = DiskStorage::open(&root).unwrap();
        first.remove(LOCK_NAME).unwrap();
        assert!(matches!(DiskStorage::open(&root), Err(Error::InUse { .. })));
        drop(first);
        file::remove(&root.join(LOCK_NAME)).unwrap();
        file::create_directories(&root.join(LOCK_NAME)).unwrap();
        let first = DiskStorage::open(&root).unwrap();
        assert!(matches!(DiskStorage::open(&root), Err(Error::InUse { pid: None, .. })));
        drop(first);
    }

    #[test]
    fn what_is_in_a_directorys_place_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let storage = DiskStorage::open(directory.path()).unwrap();
        for _ in 0..2 {
            storage.create("journal").unwrap();
            storage.create_directory("journal").unwrap();
            assert_eq!(storage.list("journal").unwrap(), [""; 0]);
            storage.remove_directory("journal").unwrap();
        }
        let asides = ["journal.stray0", "journal.stray1"].map(|name| storage.kind(name).unwrap());
        assert_eq!(asides, [Kind::Regular; 2]);
    }

    #[test]
    fn a_directory_that_was_removed_or_replaced_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("data");
        let storage = DiskStorage::open(&root).unwrap();
        storage.create("1").unwrap();
        storage.check("1").unwrap();
        storage.check("2").unwrap_err();
        file::rename(&root, &directory.path().join("elsewhere")).unwrap();
        assert_eq!(storage.check("1").unwrap_err().kind(), ErrorKind::NotFound);
        file::create_directories(&root).unwrap();
        file::File::create(&root.join("1")).unwrap();
        let replaced = storage.check("1").unwrap_err().to_string();
        assert!(replaced.contains("was replaced while it is in use"), "{replaced}");
    }

    #[test]
    fn slices_are_written_one_after_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let storage = DiskStorage::open(directory.path()).unwrap();
        let file = storage.create("lines").unwrap();
        // More slices than one call of the operating system takes.
        let texts: Vec<String> =
            (0..5000).map(|number| if number % 3 == 0 { String::new() } else { format!("{number},") }).collect();
        let mut slices: Vec<IoSlice<'_>> = texts.iter().map(|text| IoSlice::new(text.as_bytes())).collect();
        file.write_at(&mut slices, 3).unwrap();

        let expected = texts.concat();
        let mut read = vec![0; expected.len() + 10];
        assert_eq!(file.read_at(&mut read, 3).unwrap(), expected.len());
        assert_eq!(&read[..expected.len()], expected.as_bytes());
    }
}
