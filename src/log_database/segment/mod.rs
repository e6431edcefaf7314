//! Segments: immutable files of encoded blocks, made of journal files or of smaller segments.
//!
//! [`writer`] makes a file, [`reader`] opens all of them after a start and reads single blocks for queries, [`layout`] is
//! what both agree on. `flush` and `merge` decide what goes into a file. Nothing here ever changes a file that has its
//! name; what a file replaces is removed after it, and never before.
//!
//! # Days and ranges
//!
//! A segment holds the lines of a range of journal files, and says so in its name. There is no list of segments beside
//! the files themselves: what is inside the range of another segment was replaced by it.
//!
//! It lies in the directory of the UTC day on which its lines were stored, not of the days that they tell of. Retention
//! asks how long lines were kept; and a backlog of thirty days of history would otherwise fall into thirty files that no
//! single rename can commit. Queries for a range of time look at the bounds of each block instead.
//!
//! # On-disk format, version 3 (integers little-endian, sizes in bytes)
//!
//! ```text
//! segments/<YYYY-MM-DD>/<first, 16 hex digits>-<last, 16 hex digits>.segment
//! segments/<YYYY-MM-DD>/new                                                    being made; it means nothing
//!
//! file        := header (head block)* checkpoints filter index                 header: see `log_database::header`
//! fields      := first: u64 | last: u64 | salt: u64 | stored: i64              of the header; its magic: b"MRSSEGM\n"
//!              | index_offset: u64 | index_bytes: u64 | index_crc: u32
//!              | filter_bytes: u64 | directory_bytes: u32 | directory_crc: u32
//!              | checkpoints_bytes: u32 | checkpoints_crc: u32
//! head        := magic: b"\nBLOCK!\xff" | description_bytes: u32 | crc: u32 | description
//! description := labels part                                                   see `log_database::part`
//! block       := see `log_database::block`
//! checkpoints := nothing, or packed: see `log_database::checkpoints`
//! filter      := nothing, or see `filter.rs`
//! index       := count: varint (labels | count: varint (offset: u64 part)*)*
//! ```
//!
//! - `first` and `last` are the range of journal files, `stored` is when the newest of the lines was moved from the
//!   journal to a segment.
//! - Checkpoints are all that there were at the end of journal file `last`. The newest segment's are where reading goes on
//!   where the journal is lost.
//! - Streams are sorted by labels and each has its blocks together, in the order their lines were stored. A part of the
//!   index or of a head describes one block; `crc` in it covers the block.
//! - Checksums are CRC-32/IEEE. `crc` of a head covers the file's salt, the head's offset and the description, so that a
//!   copy of a segment that was logged as text is never taken for blocks.
//!
//! # What is valid
//!
//! A file gets its name when all of it is durable, so a segment with a valid header and index is complete, and what is
//! inside its range is obsolete. Where the medium has damaged the header's copies, the file is left out; where it has
//! damaged the index or cut the file, the heads say what is left. Such a segment makes nothing obsolete and is not merged;
//! it is left out while anything inside its range is there, because that is what it was made of. Damage to a block is
//! found when it is read, and costs that block. A damaged filter costs time: it is as if there were none. So it is with checkpoints.
//!
//! # Versions
//!
//! 1: the first, without `filter` and what the header says of it. 2: with a filter, where a merge made the file. 3: with checkpoints.

mod filter;
mod flush;
mod layout;
mod merge;
mod pack;
mod reader;
mod writer;

use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::log_database::block;
use crate::log_database::journal::SEQUENCE_MAX;
use crate::log_database::storage::Storage;
use crate::model::Timestamp;

pub(super) use filter::Candidates;
pub(super) use flush::flush;
pub(super) use merge::{Candidate, merge, plan};
pub(super) use reader::{BlockSource, Segment, recover};

/// The directory of days.
const DIRECTORY: &str = "segments";

/// How long blocks and segments become; tests make them short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most bytes of text in a block, unless a single part of the journal is longer. Longer blocks are smaller and faster
    /// to search, but opening one takes memory and time for all of it; measured, little is gained beyond.
    pub(super) block_bytes_max: usize,
    /// A block with this much text is copied by a merge rather than encoded again.
    pub(super) copied_bytes_min: usize,
    /// As many segments of similar length are merged at a time while their day lasts: fewer would write the same lines
    /// over and over.
    pub(super) merged_count_min: usize,
    /// A merge makes no longer file. The database makes it a small part of what is kept, so that retention drops little
    /// more than it has to.
    pub(super) file_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block_bytes_max: 4 << 20, copied_bytes_min: 2 << 20, merged_count_min: 8, file_bytes_max: 256 << 20 }
    }
}

/// Most lines in a block: bounds the memory for their times and places where lines are short.
const BLOCK_LINES_MAX: usize = 1 << 18;
const _: () = assert!(BLOCK_LINES_MAX <= block::LINES_MAX as usize);

/// Removes files that others replaced; one that stays does no harm.
pub(super) fn remove(storage: &dyn Storage, names: &[String]) {
    for name in names {
        if let Err(error) = storage.remove(name) {
            log::warn!("a file whose lines are elsewhere stays until the next start: {error}");
        }
    }
}

/// The directory for what is stored at `stored`.
fn day_directory(stored: Timestamp) -> String {
    let instant = jiff::Timestamp::from_nanosecond(stored.as_ns().into());
    let instant = instant.expect("jiff's timestamps go further than 64 bits of nanoseconds");
    format!("{DIRECTORY}/{}", instant.to_zoned(TimeZone::UTC).date())
}

/// Whether a directory is one of days.
fn is_day_directory(name: &str) -> bool {
    let date = name.strip_prefix(DIRECTORY).and_then(|rest| rest.strip_prefix('/')?.parse::<Date>().ok());
    // Other spellings of the same day are not ours.
    date.is_some_and(|date| format!("{DIRECTORY}/{date}") == name)
}

/// The file in a day's directory that becomes a segment once it is durable.
fn new_name(day_directory: &str) -> String {
    format!("{day_directory}/new")
}

/// The name of the segment of `sequences`.
fn file_name(day_directory: &str, sequences: &RangeInclusive<u64>) -> String {
    format!("{day_directory}/{:016x}-{:016x}.segment", sequences.start(), sequences.end())
}

/// The sequences of the segment called `name` in a day's directory; `None` for files that are not ours.
fn sequences_of(day_directory: &str, name: &str) -> Option<RangeInclusive<u64>> {
    let stem = name.strip_prefix(day_directory)?.strip_prefix('/')?.strip_suffix(".segment")?;
    let (first, last) = stem.split_once('-')?;
    let sequences = u64::from_str_radix(first, 16).ok()?..=u64::from_str_radix(last, 16).ok()?;
    let is_ours = !sequences.is_empty() && *sequences.end() <= SEQUENCE_MAX;
    (is_ours && file_name(day_directory, &sequences) == name).then_some(sequences)
}
