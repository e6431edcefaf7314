//! How far one source has been read, as bytes for the database to keep.
//!
//! # Format, version 1 (integers little-endian, sizes in bytes)
//!
//! ```text
//! key      := device: u64 | inode: u64 | born_ns: i64                                        24
//! position := version: u8 = 1 | flags: u8 | offset: u64 | resume: u64 | saved_ns: i64 |
//!             tail_bytes: u8 | tail_md5: u8[16] | path | delivery_count: u16 | delivery*
//! delivery := delivered: u64 | path
//! path     := byte_count: u16 | u8[byte_count]
//! ```
//!
//! `flags` bit 0: the reader is inside a line over the limit, whose rest is to be skipped. `tail_md5` is the MD5 of the
//! `tail_bytes` bytes before `offset`: a file that does not have them there is not the file that was read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::file::Identity;
use crate::model::Timestamp;

/// How many bytes before the offset are remembered, to notice that a file was rewritten.
pub const TAIL_BYTES_MAX: usize = 64;
/// Most names of one file that have a stream of their own.
pub const DELIVERIES_MAX: usize = 256;

const VERSION: u8 = 1;
const FLAG_SKIPPING: u8 = 1;
const KEY_BYTES: usize = 3 * size_of::<u64>();

/// How far one source has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Everything before this byte has been read.
    pub offset: u64,
    /// Reading resumes at this byte: before `offset` where an entry has begun and not ended.
    pub resume: u64,
    /// Whether the bytes from `offset` to the next newline are the rest of a line over the limit.
    pub skipping: bool,
    /// When this was written down.
    pub saved: Timestamp,
    /// How many bytes `tail_md5` covers.
    pub tail_bytes: u8,
    /// MD5 of the bytes just before `offset`.
    pub tail_md5: [u8; 16],
    /// Where the file was last seen, as a canonical path.
    pub path: PathBuf,
    /// The names whose streams the entries go to.
    pub deliveries: Vec<DeliveryPosition>,
}

/// How far one name's stream is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryPosition {
    /// The name, as seen under the root path.
    pub path: PathBuf,
    /// Entries that end at or before this byte are in the stream.
    pub delivered: u64,
}

/// The key under which the position of the file `identity` is kept.
pub fn encode_key(identity: Identity) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(KEY_BYTES);
    bytes.extend_from_slice(&identity.device.to_le_bytes());
    bytes.extend_from_slice(&identity.inode.to_le_bytes());
    bytes.extend_from_slice(&identity.born_ns.to_le_bytes());
    bytes
}

/// The identity in a key; `None` where the bytes are no key.
pub fn decode_key(bytes: &[u8]) -> Option<Identity> {
    let mut reader = Reader(bytes);
    let identity = Identity { device: reader.u64()?, inode: reader.u64()?, born_ns: reader.u64()?.cast_signed() };
    reader.0.is_empty().then_some(identity)
}

/// MD5 of the last [`TAIL_BYTES_MAX`] bytes before an offset.
pub fn tail_md5(tail: &[u8]) -> [u8; 16] {
    md5::compute(tail).0
}

impl Position {
    /// What is stored for a directory, only to remember that it was collected from.
    pub fn of_directory(path: PathBuf, saved: Timestamp) -> Self {
        let tail_md5 = tail_md5(&[]);
        Self { offset: 0, resume: 0, skipping: false, saved, tail_bytes: 0, tail_md5, path, deliveries: Vec::new() }
    }

    /// The position as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.push(VERSION);
        bytes.push(if self.skipping { FLAG_SKIPPING } else { 0 });
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.resume.to_le_bytes());
        bytes.extend_from_slice(&self.saved.as_ns().to_le_bytes());
        bytes.push(self.tail_bytes);
        bytes.extend_from_slice(&self.tail_md5);
        push_path(&mut bytes, &self.path);
        let deliveries = &self.deliveries[..self.deliveries.len().min(DELIVERIES_MAX)];
        push_u16(&mut bytes, deliveries.len());
        for delivery in deliveries {
            bytes.extend_from_slice(&delivery.delivered.to_le_bytes());
            push_path(&mut bytes, &delivery.path);
        }
        bytes
    }

    /// The position in `bytes`; `None` where they are none, or one of a newer version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.u8()? != VERSION {
            return None;
        }
        let skipping = reader.u8()? & FLAG_SKIPPING != 0;
        let offset = reader.u64()?;
        let resume = reader.u64()?;
        let saved = Timestamp::from_ns(reader.u64()?.cast_signed());
        let tail_bytes = reader.u8()?;
        let tail_md5 = reader.array()?;
        let path = reader.path()?;
        let delivery_count = reader.u16()?;
        let mut deliveries = Vec::new();
        for _ in 0..delivery_count {
            deliveries.push(DeliveryPosition { delivered: reader.u64()?, path: reader.path()? });
        }
        let sound = reader.0.is_empty() && resume <= offset && usize::from(tail_bytes) <= TAIL_BYTES_MAX;
        sound.then_some(Self { offset, resume, skipping, saved, tail_bytes, tail_md5, path, deliveries })
    }
}

fn push_u16(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u16::try_from(number).expect("bounded by PATH_MAX or DELIVERIES_MAX").to_le_bytes());
}

fn push_path(bytes: &mut Vec<u8>, path: &Path) {
    let path = path.as_os_str().as_bytes();
    push_u16(bytes, path.len());
    bytes.extend_from_slice(path);
}

/// Reads little-endian fields off the front of a slice.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn path(&mut self) -> Option<PathBuf> {
        let byte_count = self.u16()?;
        let bytes = self.bytes(usize::from(byte_count))?;
        Some(PathBuf::from(OsStr::from_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            offset: 4711,
            resume: 4700,
            skipping: true,
            saved: Timestamp::from_ns(-5),
            tail_bytes: 64,
            tail_md5: tail_md5(b"the end of it"),
            path: "/var/log/pods/a/0.log".into(),
            deliveries: vec![
                DeliveryPosition { path: "/logs/a.log".into(), delivered: 4711 },
                DeliveryPosition { path: OsStr::from_bytes(b"/logs/\xff.log").into(), delivered: 0 },
            ],
        }
    }

    #[test]
    fn a_position_comes_back_as_it_was() {
        assert_eq!(Position::decode(&position().encode()), Some(position()));
    }

    #[test]
    fn a_key_comes_back_as_it_was() {
        let identity = Identity { device: 1, inode: u64::MAX, born_ns: -1 };
        assert_eq!(decode_key(&encode_key(identity)), Some(identity));
        assert_eq!(decode_key(b"too short"), None);
    }

    #[test]
    fn cut_and_extended_positions_are_refused() {
        let bytes = position().encode();
        for length in 0..bytes.len() {
            assert_eq!(Position::decode(&bytes[..length]), None, "cut at {length}");
        }
        assert_eq!(Position::decode(&[&bytes[..], b"x"].concat()), None);
    }

    #[test]
    fn a_newer_version_is_refused() {
        let mut bytes = position().encode();
        bytes[0] += 1;
        assert_eq!(Position::decode(&bytes), None);
    }
}
