//! How far one journal file has been read, as bytes for the database to keep.
//!
//! # Format (integers little-endian)
//!
//! ```text
//! key      := 'j' | file_id: u8[16]                                                          17
//! position := 'J' | version: u8 = 1 | flags: u8 | ordinal: u64 | offset: u64 | seqnum_id: u8[16] | seqnum: u64 |
//!             boot_id: u8[16] | first_us: u64 | last_us: u64 | seen: u64 | saved_ns: i64 | path: u8[]
//! ```
//!
//! The file is known by the id in its header, so that one which was renamed or copied is the same. `flags` bit 0: entries are
//! looked for from `offset` on, since the arrays are damaged. Bit 1: it was read to its end and will not grow. Bit 2: it is
//! volatile. `seqnum` is that of the last entry; `first_us` and `last_us` are the times of the first and of the last, in
//! microseconds since the start `boot_id` of the machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::journald::Place;
use crate::model::Timestamp;

/// The id in a file's header.
pub(super) type FileId = [u8; 16];

const KEY_MARK: u8 = b'j';
const MARK: u8 = b'J';
const VERSION: u8 = 1;
const FLAG_SCANNING: u8 = 1;
const FLAG_DONE: u8 = 2;
const FLAG_VOLATILE: u8 = 4;
/// Bytes before the path.
const FIXED_BYTES: usize = 3 + 2 * 8 + 16 + 8 + 16 + 4 * 8;

/// How far a file has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) place: Place,
    /// Whether it was read to its end and will not grow.
    pub(super) is_done: bool,
    /// Whether it lies where nothing outlasts a restart of the machine, so that its entries are about to be copied.
    pub(super) is_volatile: bool,
    /// What counts its entries, and the number of the last one.
    pub(super) seqnum_id: [u8; 16],
    pub(super) seqnum: u64,
    pub(super) span: Span,
    /// How long it was seen to be, in bytes.
    pub(super) seen: u64,
    /// When this was written down.
    pub(super) saved: Timestamp,
    pub(super) path: PathBuf,
}

/// The entries of a file that were read, by their times since the start of the machine, which no clock that is set changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) boot_id: [u8; 16],
    pub(super) first_us: u64,
    pub(super) last_us: u64,
}

impl Span {
    /// Adds an entry.
    pub(super) fn add(&mut self, boot_id: [u8; 16], monotonic_us: u64) {
        if self.boot_id != boot_id {
            *self = Self { boot_id, first_us: monotonic_us, last_us: monotonic_us };
        }
        self.first_us = self.first_us.min(monotonic_us);
        self.last_us = self.last_us.max(monotonic_us);
    }

    /// Whether an entry is among them.
    pub(super) fn contains(&self, boot_id: [u8; 16], monotonic_us: u64) -> bool {
        self.boot_id == boot_id && (self.first_us..=self.last_us).contains(&monotonic_us)
    }
}

/// See [`Position::journal`].
pub(super) fn journal_of(path: &Path) -> &OsStr {
    path.parent().and_then(Path::file_name).unwrap_or_default()
}

/// Whether a checkpoint's key is that of a journal file.
pub fn is_key(key: &[u8]) -> bool {
    decode_key(key).is_some()
}

pub(super) fn encode_key(id: FileId) -> Vec<u8> {
    std::iter::once(KEY_MARK).chain(id).collect()
}

pub(super) fn decode_key(key: &[u8]) -> Option<FileId> {
    let (mark, id) = key.split_first()?;
    if *mark == KEY_MARK { id.try_into().ok() } else { None }
}

impl Position {
    /// The directory that the file is in, by its name: that of a machine or of one of its namespaces, wherever it lies.
    pub(super) fn journal(&self) -> &OsStr {
        journal_of(&self.path)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.place.is_scanning, FLAG_SCANNING) | flag(self.is_done, FLAG_DONE);
        let mut bytes = vec![MARK, VERSION, flags | flag(self.is_volatile, FLAG_VOLATILE)];
        let mut put = |part: &[u8]| bytes.extend_from_slice(part);
        put(&self.place.ordinal.to_le_bytes());
        put(&self.place.offset.to_le_bytes());
        put(&self.seqnum_id);
        put(&self.seqnum.to_le_bytes());
        put(&self.span.boot_id);
        for number in [self.span.first_us, self.span.last_us, self.seen, self.saved.as_ns().cast_unsigned()] {
            put(&number.to_le_bytes());
        }
        put(self.path.as_os_str().as_bytes());
        bytes
    }

    /// The position in `bytes`; `None` where they are none, or one of a newer version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (fixed, path) = bytes.split_at_checked(FIXED_BYTES)?;
        let [MARK, VERSION, flags] = fixed[..3] else { return None };
        let number = |at: usize| fixed[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let id = |at: usize| fixed[at..].first_chunk().copied().unwrap_or_default();
        Some(Self {
            place: Place { ordinal: number(3), offset: number(11), is_scanning: flags & FLAG_SCANNING != 0 },
            is_done: flags & FLAG_DONE != 0,
            is_volatile: flags & FLAG_VOLATILE != 0,
            seqnum_id: id(19),
            seqnum: number(35),
            span: Span { boot_id: id(43), first_us: number(59), last_us: number(67) },
            seen: number(75),
            saved: Timestamp::from_ns(number(83).cast_signed()),
            path: OsStr::from_bytes(path).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_as_it_was() {
        let position = Position {
            place: Place { ordinal: 1, offset: 2, is_scanning: true },
            is_done: true,
            is_volatile: true,
            seqnum_id: [3; 16],
            seqnum: 4,
            span: Span { boot_id: [5; 16], first_us: 6, last_us: 7 },
            seen: 8,
            saved: Timestamp::from_ns(-9),
            path: OsStr::from_bytes(b"/var/log/journal/\xff/system.journal").into(),
        };
        let bytes = position.encode();
        assert_eq!(Position::decode(&bytes), Some(position));
        assert_eq!(Position::decode(&bytes[..FIXED_BYTES - 1]), None);
        assert_eq!(crate::log_collector::checkpoint::Position::decode(&bytes), None);
    }

    #[test]
    fn keys_are_told_from_those_of_other_files() {
        assert_eq!(decode_key(&encode_key([7; 16])), Some([7; 16]));
        assert!(!is_key(&[b'j'; 24]) && !is_key(b""));
    }
}
