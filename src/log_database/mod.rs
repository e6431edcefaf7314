//! Keeps entries crash-safe and searchable, in this process.
//!
//! Owns the data directory: [`Database`] takes batches and hands out snapshots, `journal` holds what was committed
//! lately and `segment` everything before, as encoded blocks ([`block`]); [`storage`] is the only door to files. It knows
//! nothing of where lines come from or how they are asked for over the network, and never looks inside a checkpoint.
//!
//! A journal file becomes a segment as a whole, and small segments become larger ones. That is why each journal file
//! starts with all checkpoints and each segment ends with those that its lines belong to, so that lines which a damaged
//! journal has lost are read again from where they came from, and why queries see only parts and the files they are in, whatever kind these are of.
//!
//! # Crash model
//!
//! What is assumed of the medium: a sync that returned made what was written before it durable, in the file or in the
//! directory; without one, each 512-byte sector of a write may survive or not, later ones without earlier ones, and of
//! the names in a directory a prefix of the changes does. Reading may return damaged bytes at any time. After a failed
//! sync of a file nothing is assumed of what was written to it since the last good one, and another sync is not asked
//! (<https://wiki.postgresql.org/wiki/Fsync_Errors>); that of a directory may be tried again, because file systems that
//! cannot write names stop altogether.
//!
//! | after | the batch survives |
//! |---|---|
//! | [`Database::append`] | nothing; queries see it |
//! | [`Database::commit`] | the death of the process at any instant |
//! | [`Database::sync`] | the death of the machine at any instant |
//!
//! A commit is atomic: after any crash its lines and its checkpoints are there together, or both are missing together
//! with everything committed later. So whoever reads on from [`Database::checkpoints`] stores each line exactly once,
//! as long as its source still has what was committed after the last sync.
//!
//! [`Database::maintain`] moves lines from file to file, and no crash makes a difference to what is there: a file that
//! replaces others is durable under its name before they are removed, and its name says what it replaces. A snapshot sees
//! a line in one file or in the other, never in both.
//!
//! What may be lost: commits since the last sync, when the machine dies; a part that the medium damaged after it was
//! durable, which is counted in [`Statistics`] and logged. What is never lost silently or made up: anything else.

pub mod block;
mod bytes;
mod checkpoints;
mod database;
mod error;
mod header;
mod index;
pub mod internal;
mod journal;
mod part;
mod reader;
mod scan;
mod segment;
mod snapshot;
mod statistics;
pub mod storage;
mod stream_map;
mod subscription;
mod view;
mod window;

pub use crate::model::metadata;
pub use database::{Database, Options, PENDING_BYTES_MAX, RetentionLimits};
pub use error::Error;
pub use reader::{Progress, READER_NAME_BYTES_MAX, Reader, StartAt, Window, WindowLimits};
pub use scan::{
    BlockColumns, Bounds, Classify, Count, Fold, Folder, Found, Overview, Pattern, PatternCount, Place, Scan,
    StoredOrder, StreamCounts, StreamTimes, stream_id,
};
pub use snapshot::{Extent, Snapshot};
pub use statistics::{Dropped, Statistics};
pub use subscription::{Missed, MissedOfStream, Received, Subscription};

#[cfg(test)]
mod tests;
