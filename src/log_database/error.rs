//! Why the database could not do what it was asked to.

use std::path::PathBuf;

use crate::log_database::block;
use crate::log_database::database::PENDING_BYTES_MAX;
use crate::log_database::storage::IoError;
use crate::model::budget::Refusal;

/// Why the database could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused. What was appended stays visible and pending; the next commit or sync tries again,
    /// in a new file where the old one can no longer be trusted.
    #[error(transparent)]
    Io(#[from] IoError),

    /// Another process has the data directory open. Stop it or choose another directory; nothing was touched.
    #[error(
        "{} is in use by another instance{}; stop it or choose another data directory",
        path.display(),
        pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The other process; `None` where it has not written its number yet.
        pid: Option<u32>,
    },

    /// A newer monitoring-rs wrote this file. Upgrade the binary; nothing was touched.
    #[error("{} is format {got}, this build reads up to {supported}; upgrade monitoring-rs", path.display())]
    UnsupportedVersion {
        /// The file in question.
        path: PathBuf,
        /// Its version.
        got: u32,
        /// The newest version of such a file that this build reads.
        supported: u32,
    },

    /// Lines that were committed, but never synced because the medium failed, cannot be read back. Nothing more is
    /// stored until a restart, which reads on from the last synced checkpoints, so that no line is lost.
    #[error("{} cannot be read back at byte {offset} after a failed sync; restart to resume", path.display())]
    Unrecoverable {
        /// The file whose sync failed.
        path: PathBuf,
        /// Where the first record stands that is not what was written.
        offset: u64,
    },

    /// Stored lines are not what was written, or the medium does not give them back. They stay where they are.
    #[error("the lines at byte {offset} of {} cannot be read: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where the lines start.
        offset: u64,
        /// What is wrong with them.
        problem: String,
    },

    /// Lines could not be encoded; they stay where they are.
    #[error("failed to encode a block: {0}")]
    Block(#[from] block::Error),

    /// The batch does not fit beside what is pending. Nothing was taken; commit first, or split the batch.
    #[error("a batch of {bytes} bytes does not fit beside {pending} pending bytes, the limit is {PENDING_BYTES_MAX}")]
    PendingFull {
        /// What the batch costs.
        bytes: usize,
        /// What is pending already.
        pending: usize,
    },

    /// The query that reads has no memory left to read with, or nobody waits for it. The scan is over.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    /// Whether there is no room left on the medium.
    pub(super) fn is_full(&self) -> bool {
        use std::io::ErrorKind;
        matches!(self, Self::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
}
