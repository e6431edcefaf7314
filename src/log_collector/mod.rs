//! Files become batches of entries whose positions can be acknowledged.
//!
//! A collector finds files, follows them through rotation, and hands over what they say, one [`Batch`] at a time, each
//! with the checkpoint after it. It keeps nothing durable itself: whoever takes the batches stores lines and checkpoint
//! together, and hands the checkpoints back when the collector is built again. It knows no database and no query.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::file;
use crate::model::{Batch, StreamLines};

pub mod checkpoint;
pub mod directory;
pub mod engine;
pub mod format;
pub mod journal;
pub mod kubernetes;
mod links;
pub mod naming;
pub mod patterns;
mod rotation;
pub mod several;
mod shares;
pub(crate) mod source;
mod tracked;
pub mod watcher;
mod watches;

/// Where entries come from.
pub trait Collector {
    /// Returns what was read next, waiting up to `timeout` for one; `None` where there was nothing to read.
    ///
    /// A batch is handed over once. Should it not be stored, the process has to end: a new collector, built from the
    /// checkpoints that are stored, reads its lines again.
    fn next_batch(&mut self, timeout: Duration) -> Result<Option<Collected>, Error>;

    /// Follows what has become of files, and reads no more than that takes: for while what was read cannot be stored.
    fn follow_only(&mut self) -> Result<(), Error>;

    /// Bytes that were seen in files and are neither handed over nor skipped.
    fn waiting_bytes(&self) -> u64;

    /// Whether files that are read to their end wait to be let go, for which [`Collector::synced`] is needed.
    fn wants_sync(&self) -> bool;

    /// Says that every batch handed over so far is on stable storage, so that finished files can be let go.
    fn synced(&mut self);
}

/// A batch, and what it is of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What is to be stored.
    pub batch: Batch,
    /// Bytes of the source that its lines were made of, newlines and the formats of container runtimes included.
    pub source_bytes: u64,
    /// Lines that have begun and not ended, which are to be shown and not to be stored.
    pub unended: Option<Unended>,
    /// Which streams of the batch have the first lines of their log's next file: a range for each log.
    pub begun: Vec<Range<usize>>,
}

/// Lines of a source that have begun and not ended, in the place of those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unended {
    /// The key of the source's checkpoint.
    pub source: Vec<u8>,
    /// What there is of the lines of each stream.
    pub streams: Vec<StreamLines>,
}

impl From<Batch> for Collected {
    fn from(batch: Batch) -> Self {
        Self { batch, ..Self::default() }
    }
}

/// Why collecting cannot start or go on.
///
/// A file that cannot be read is no such reason: it is listed in the status and tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The root path does not exist, is no directory or cannot be read.
    #[error("cannot collect from {}: {reason}; give an existing, readable directory with --root-path", path.display())]
    Root {
        /// The root path as it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern of `--include` or `--exclude` is none.
    #[error("{pattern:?} is no pattern of file names: {reason}")]
    Pattern {
        /// The pattern as it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The watcher failed for good.
    #[error("failed to watch for changes: {0}")]
    Watcher(#[from] std::io::Error),
    /// The file system failed for good.
    #[error(transparent)]
    File(#[from] file::Error),
}
