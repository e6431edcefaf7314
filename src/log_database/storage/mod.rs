//! The database's only door to files.
//!
//! [`Storage`] says what the database asks of a medium, [`DiskStorage`] is a directory of the file system, and
//! [`SimulatedStorage`] is memory that loses power and fails on command. Names are relative, made of fixed patterns by
//! the database; nothing a log or a user says ever becomes part of one. What the medium is assumed to keep stands in
//! [`crate::log_database`].

mod disk;
mod simulated;

use std::fmt::Debug;
use std::io::{ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use crate::file::{Error as IoError, Kind};
pub use disk::DiskStorage;
#[cfg(test)]
pub(in crate::log_database) use simulated::Random;
pub use simulated::{CrashMode, Failure, SimulatedStorage};

/// The result of an operation on the medium.
pub type Result<T> = std::result::Result<T, IoError>;

/// Directories of files.
pub trait Storage: Debug + Send + Sync {
    /// Creates a directory that survives a crash on return; an existing one is fine.
    fn create_directory(&self, directory: &str) -> Result<()>;

    /// Removes a directory that is empty.
    fn remove_directory(&self, directory: &str) -> Result<()>;

    /// The names in `directory`, each with the directory before it, sorted.
    fn list(&self, directory: &str) -> Result<Vec<String>>;

    /// What `name` leads to.
    fn kind(&self, name: &str) -> Result<Kind>;

    /// Creates a file, or empties the one that is there.
    fn create(&self, name: &str) -> Result<Arc<dyn StoredFile>>;

    /// Opens a file that exists.
    fn open(&self, name: &str) -> Result<Arc<dyn StoredFile>>;

    /// Renames a file inside its directory. Other processes see the old name or the new one, never both or none.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a name; that it is gone already is fine. Who has the file open can still read it.
    fn remove(&self, name: &str) -> Result<()>;

    /// Waits until the names in `directory` are on stable storage.
    fn sync_directory(&self, directory: &str) -> Result<()>;

    /// A number that hardly any other call returns, on this medium or another: it tells files apart.
    fn salt(&self) -> u64;

    /// # Errors
    ///
    /// The medium is not the one any more that was opened, or `name`, which was created on it, is gone: whatever is written
    /// is lost.
    fn check(&self, name: &str) -> Result<()>;

    /// Bytes that can still be written.
    fn free_bytes(&self) -> Result<u64>;

    /// Bytes that the medium holds in all, for whatever purpose.
    fn total_bytes(&self) -> Result<u64>;
}

/// Whether `name` leads to what the database makes under that name. Anything else was put there by somebody: it is
/// logged, and to be left alone.
pub(in crate::log_database) fn is_ours(storage: &dyn Storage, name: &str, kind: Kind) -> Result<bool> {
    match storage.kind(name) {
        Ok(found) if found == kind => return Ok(true),
        // Nothing: a link that leads nowhere.
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    log::warn!("{name} in the data directory is left alone: it is not what has such a name there");
    Ok(false)
}

/// An open file. Reading and writing at the same time is fine.
pub trait StoredFile: Debug + Send + Sync {
    /// Names the file in messages.
    fn path(&self) -> &Path;

    /// Its length in bytes.
    fn size_bytes(&self) -> Result<u64>;

    /// Reads at `offset` until `buffer` is full or the file ends, and returns how many bytes were read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes all of `slices` one after the other at `offset`. After a failure any part of them may be there.
    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> Result<()>;

    /// Waits until the file's content is on stable storage. After a failure nothing written since the last success is
    /// known to be, and a later success does not change that.
    fn sync(&self) -> Result<()>;
}
