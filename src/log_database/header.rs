//! What a file says of itself before anything else: fields with a checksum, in two copies.
//!
//! ```text
//! header := copy copy                                                     each copy 512, padded with zeros
//! copy   := magic: 8 bytes | version: u32 | crc: u32 | fields
//! ```
//!
//! `crc` is CRC-32/IEEE of version and fields. One valid copy is enough: each fills a disk's sector, so that one broken
//! sector leaves the other. Integers are little-endian. The magic and the version stay where they are in all versions.

use crate::log_database::bytes::Cursor;

/// Room for one copy.
const COPY_BYTES: usize = 512;
/// Length of a header, and where the rest of its file starts.
pub(super) const HEADER_BYTES: u64 = 2 * COPY_BYTES as u64;

/// A kind of file, and the shape of its header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) magic: [u8; 8],
    /// Length of the fields in each version, from 1 on to the newest one, which is written.
    pub(super) fields_bytes: &'static [usize],
}

/// What the first bytes of a file turn out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderState<T> {
    Valid(T),
    /// Written by a newer build.
    Newer(u32),
    Damaged,
}

impl Kind {
    /// Both copies of `fields`.
    pub(super) fn encode(&self, fields: &[u8]) -> Vec<u8> {
        assert!(Some(&fields.len()) == self.fields_bytes.last(), "the kind says how many there are");
        let mut copy = Vec::with_capacity(COPY_BYTES);
        copy.extend_from_slice(&self.magic);
        copy.extend_from_slice(&self.version().to_le_bytes());
        copy.extend_from_slice(&crc(self.version(), fields).to_le_bytes());
        copy.extend_from_slice(fields);
        assert!(copy.len() <= COPY_BYTES, "a copy fills a sector");
        copy.resize(COPY_BYTES, 0);
        copy.repeat(2)
    }

    /// The newest version.
    pub(super) fn version(&self) -> u32 {
        u32::try_from(self.fields_bytes.len()).expect("there are few versions")
    }

    /// Reads both copies, believes the first valid one, and lets `take` read its fields, which are those of a version.
    pub(super) fn decode<T>(&self, bytes: &[u8], take: fn(&mut Cursor<'_>, u32) -> Option<T>) -> HeaderState<T> {
        let second = bytes.get(COPY_BYTES..).unwrap_or_default();
        match (self.decode_copy(bytes, take), self.decode_copy(second, take)) {
            (HeaderState::Valid(header), _) | (_, HeaderState::Valid(header)) => HeaderState::Valid(header),
            (HeaderState::Newer(version), _) | (_, HeaderState::Newer(version)) => HeaderState::Newer(version),
            (HeaderState::Damaged, HeaderState::Damaged) => HeaderState::Damaged,
        }
    }

    fn decode_copy<T>(&self, bytes: &[u8], take: fn(&mut Cursor<'_>, u32) -> Option<T>) -> HeaderState<T> {
        let mut cursor = Cursor::new(bytes);
        let is_kind = cursor.take(self.magic.len()).is_some_and(|magic| magic == self.magic);
        let Some(version) = cursor.u32().filter(|_| is_kind) else { return HeaderState::Damaged };
        if self.version() < version {
            return HeaderState::Newer(version);
        }
        let mut fields = || {
            let fields_bytes = self.fields_bytes.get((version as usize).checked_sub(1)?)?;
            let crc_read = cursor.u32()?;
            let fields = cursor.take(*fields_bytes)?;
            if crc_read != crc(version, fields) {
                return None;
            }
            take(&mut Cursor::new(fields), version)
        };
        fields().map_or(HeaderState::Damaged, HeaderState::Valid)
    }
}

fn crc(version: u32, fields: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&version.to_le_bytes());
    hasher.update(fields);
    hasher.finalize()
}
