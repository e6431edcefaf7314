//! The journal: files of checksummed records, one record per commit, lines and checkpoints together.
//!
//! [`writer`] appends records and moves to a new file when one is full or can no longer be trusted, [`recovery`] reads
//! files after a start, [`mod@file`] reads single parts for queries. Nothing here ever changes a byte that was written:
//! what is not to be believed is left behind, and the next file says so.
//!
//! # On-disk format, version 1 (integers little-endian, sizes in bytes, `varint` is LEB128)
//!
//! ```text
//! journal/<sequence, 16 hex digits>.journal     journal/new is one being made; it means nothing
//!
//! file       := header record*                                                 header: see `log_database::header`
//! fields     := sequence: u64 | salt: u64 | predecessor: u64 | predecessor_bytes: u64 | durable_bytes: u64
//!                                                                              of the header; its magic: b"MRSJRNL\n"
//! record     := head skeleton body                                             one commit
//! head       := magic: b"\nRECORD\xff" | skeleton_bytes: u32 | body_bytes: u32
//!             | synced_bytes: u64 | skeleton_crc: u32 | head_crc: u32          32
//! skeleton   := checkpoints | count: varint stream*                            checkpoints: see `log_database::checkpoints`
//! stream     := labels | count: varint part*                                  labels, part: see `log_database::part`
//! text       := length: varint u8*
//! body       := columns of every part, in the skeleton's order                  see `columns`
//! ```
//!
//! A part is one stream's lines in one record, at most [`columns::PART_BYTES_MAX`] of text unless a single line is longer; it is
//! what queries read. A record names its streams in full, so that it depends on nothing else in the file.
//!
//! ## What is valid
//!
//! - Checksums are CRC-32/IEEE. `head_crc` covers the file's salt, the record's offset and the head before it: a record is valid in its
//!   place only, so a copy of a journal that was logged as text is never taken for a record. `skeleton_crc` covers the
//!   skeleton, a part's `crc` its columns.
//! - `synced_bytes` says how much of the file was known to be durable when the record was written. After each sync an
//!   empty record, the mark, says so without waiting for the next commit. `durable_bytes` in the header says it of
//!   what the file held when it got its name.
//! - A file replaces what `predecessor` (0 for none) holds after its first `predecessor_bytes`, and every file
//!   numbered between the two. It holds the replaced records again, and gets its name when it is durable with all of
//!   them, so there is no moment at which they are missing or there twice.
//!
//! ## What recovery does
//!
//! Damage is a place where no valid record stands. Below the durable length of its file it is quarantined: skipped,
//! counted, and the records behind it are found by their heads. Above it, it is the tail that a crash tore: the file
//! ends there, because a record behind it may hold the checkpoint of lines that the torn one held. A record above the
//! durable length is torn as a whole when one of its parts is; below, only that part is missing. Either way nothing is
//! written; the next commit starts a file that replaces everything above the durable length, since after a failed sync
//! in an earlier process the page cache may still show what the disk does not have
//! (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
//!
//! ## Versions
//!
//! 1: the first.

mod columns;
mod file;
mod record;
mod recovery;
mod writer;

use crate::log_database::header::{HEADER_BYTES, HeaderState, Kind};

pub(super) use file::JournalFile;
pub(super) use record::Skeleton;
pub(super) use recovery::{Replay, Settled, recover};
pub(super) use writer::{Limits, Rollover, Writer};

/// The directory of journal files.
pub(super) const DIRECTORY: &str = "journal";
/// The file that becomes the next journal file once it is durable.
const NEW_NAME: &str = "journal/new";
/// No file has a higher number, so that there is always a next one.
pub(super) const SEQUENCE_MAX: u64 = u64::MAX / 2;

/// What a header of a journal file looks like.
const KIND: Kind = Kind { magic: *b"MRSJRNL\n", fields_bytes: &[5 * size_of::<u64>()] };
/// Where the first record stands.
const RECORDS_START: u64 = HEADER_BYTES;

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Counts up from file to file, from 1.
    sequence: u64,
    /// Makes checksums of this file differ from those of all others.
    salt: u64,
    /// The file that this one continues; 0 for none.
    predecessor: u64,
    /// How much of the predecessor counts, all of it durable.
    predecessor_bytes: u64,
    /// How much of this file was durable when it got its name.
    durable_bytes: u64,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let fields = [self.sequence, self.salt, self.predecessor, self.predecessor_bytes, self.durable_bytes];
        KIND.encode(&fields.map(u64::to_le_bytes).concat())
    }

    fn decode(bytes: &[u8]) -> HeaderState<Self> {
        KIND.decode(bytes, |cursor, _| {
            Some(Self {
                sequence: cursor.u64()?,
                salt: cursor.u64()?,
                predecessor: cursor.u64()?,
                predecessor_bytes: cursor.u64()?,
                durable_bytes: cursor.u64()?,
            })
        })
    }
}

/// The name of file `sequence`.
fn file_name(sequence: u64) -> String {
    format!("{DIRECTORY}/{sequence:016x}.journal")
}

/// The sequence of the file called `name`; `None` for files that are not ours.
fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(DIRECTORY)?.strip_prefix('/')?.strip_suffix(".journal")?;
    let sequence = u64::from_str_radix(digits, 16).ok()?;
    // Other spellings of the same number are not ours either.
    (file_name(sequence) == name && sequence <= SEQUENCE_MAX).then_some(sequence)
}
