//! What the database holds and what happened to it, in numbers.

use crate::model::Timestamp;

/// Lines that are kept no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// When they were dropped.
    pub time: Timestamp,
    /// Whether it was for their age; else it was for the bytes of all that is kept.
    pub is_for_age: bool,
}

/// What the database holds and what happened to it since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Streams with at least one line.
    pub streams: usize,
    /// Lines that queries see, pending ones included.
    pub lines: u64,
    /// Bytes of text in them.
    pub bytes: u64,
    /// Bytes of all files.
    pub disk_bytes: u64,
    /// How many files there are.
    pub files: usize,
    /// How many of them are segments.
    pub segments: usize,
    /// Blocks in all segments.
    pub blocks: usize,
    /// Bytes of all segments.
    pub segment_bytes: u64,
    /// The earliest time of all lines; `None` where there is no line.
    pub oldest: Option<Timestamp>,
    /// Bytes that a crash left behind the last valid record, when the database was opened.
    pub cut_bytes: u64,
    /// Bytes that were durable and turned out to be damaged, when the database was opened.
    pub quarantined_bytes: u64,
    /// Parts of the journal that had to be left out because they could no longer be read.
    pub unreadable_parts: u64,
    /// Blocks of segments that had to be left out because they could no longer be read.
    pub unreadable_blocks: u64,
    /// Commits that wrote something.
    pub commits: u64,
    /// Calls of [`crate::log_database::Database::sync`] that had something to make durable, and did.
    pub syncs: u64,
    /// Those that failed.
    pub sync_failures: u64,
    /// Segments that were dropped since the database was opened.
    pub dropped_segments: u64,
    /// The last of them.
    pub last_dropped: Option<Dropped>,
}
