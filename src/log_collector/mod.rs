//! Files become batches of entries.

pub mod format;
pub mod watcher;
