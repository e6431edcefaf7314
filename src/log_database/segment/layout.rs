//! The bytes of a segment but for its blocks; the format stands in the module above.

use std::ops::RangeInclusive;

use crate::log_database::bytes::{Cursor, put_varint};
use crate::log_database::header::{HEADER_BYTES, HeaderState, Kind};
use crate::log_database::part::{Part, StreamParts, put_labels, take_labels};
use crate::model::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX, Labels, Timestamp};

/// What a header of a segment looks like.
pub(super) const KIND: Kind =
    Kind { magic: *b"MRSSEGM\n", fields_bytes: &[FIELDS_BYTES_1, FIELDS_BYTES_2, FIELDS_BYTES_3] };
const FIELDS_BYTES_1: usize = 6 * size_of::<u64>() + size_of::<u32>();
const FIELDS_BYTES_2: usize = FIELDS_BYTES_1 + size_of::<u64>() + 2 * size_of::<u32>();
const FIELDS_BYTES_3: usize = FIELDS_BYTES_2 + 2 * size_of::<u32>();
/// Where the first head stands.
pub(super) const BLOCKS_START: u64 = HEADER_BYTES;

/// Starts every head; no valid UTF-8, so seldom found in text.
pub(super) const HEAD_MAGIC: [u8; 8] = *b"\nBLOCK!\xff";
/// Length of a head before its description.
pub(super) const HEAD_BYTES: usize = HEAD_MAGIC.len() + 2 * size_of::<u32>();
/// No description is longer: all labels that a stream may have, with their lengths, and a part.
const DESCRIPTION_BYTES_MAX: usize = LABELS_MAX * (LABEL_NAME_BYTES_MAX + LABEL_VALUE_BYTES_MAX + 8) + 64;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequences: RangeInclusive<u64>,
    /// Makes checksums of this file differ from those of all others.
    pub(super) salt: u64,
    /// When the newest of the lines came from the journal.
    pub(super) stored: Timestamp,
    pub(super) index_offset: u64,
    pub(super) index_bytes: u64,
    pub(super) index_crc: u32,
    /// The filter, which is right before the index.
    pub(super) filter_bytes: u64,
    /// Its directory, which is its beginning; 0 where there is no filter.
    pub(super) directory_bytes: u32,
    pub(super) directory_crc: u32,
    /// The checkpoints, which are right before the filter; 0 where there are none.
    pub(super) checkpoints_bytes: u32,
    pub(super) checkpoints_crc: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let stored_ns = self.stored.as_ns().to_le_bytes();
        let before = [*self.sequences.start(), *self.sequences.end(), self.salt].map(u64::to_le_bytes);
        let after = [self.index_offset, self.index_bytes].map(u64::to_le_bytes);
        let filter = [
            &self.filter_bytes.to_le_bytes()[..],
            &self.directory_bytes.to_le_bytes(),
            &self.directory_crc.to_le_bytes(),
        ];
        let checkpoints = [self.checkpoints_bytes, self.checkpoints_crc].map(u32::to_le_bytes);
        let fields = [
            &before.concat(),
            &stored_ns[..],
            &after.concat(),
            &self.index_crc.to_le_bytes(),
            &filter.concat(),
            &checkpoints.concat(),
        ];
        KIND.encode(&fields.concat())
    }

    /// Where blocks end and checkpoints begin.
    pub(super) fn blocks_end(&self) -> u64 {
        self.filter_offset().saturating_sub(self.checkpoints_bytes.into())
    }

    pub(super) fn filter_offset(&self) -> u64 {
        self.index_offset.saturating_sub(self.filter_bytes)
    }

    pub(super) fn decode(bytes: &[u8]) -> HeaderState<Self> {
        KIND.decode(bytes, |cursor, version| {
            let (has_filter, has_checkpoints) = (1 < version, 2 < version);
            Some(Self {
                sequences: cursor.u64()?..=cursor.u64()?,
                salt: cursor.u64()?,
                stored: cursor.timestamp()?,
                index_offset: cursor.u64()?,
                index_bytes: cursor.u64()?,
                index_crc: cursor.u32()?,
                filter_bytes: if has_filter { cursor.u64()? } else { 0 },
                directory_bytes: if has_filter { cursor.u32()? } else { 0 },
                directory_crc: if has_filter { cursor.u32()? } else { 0 },
                checkpoints_bytes: if has_checkpoints { cursor.u32()? } else { 0 },
                checkpoints_crc: if has_checkpoints { cursor.u32()? } else { 0 },
            })
        })
    }
}

/// What stands before a block. `part` has no offset yet: the block begins where the head ends.
pub(super) fn encode_head(salt: u64, offset: u64, labels: &Labels, part: &Part) -> Vec<u8> {
    let mut description = Vec::new();
    put_labels(&mut description, labels);
    part.put(&mut description);
    let description_bytes = u32::try_from(description.len()).expect("bounded by DESCRIPTION_BYTES_MAX");
    let mut out = Vec::with_capacity(HEAD_BYTES + description.len());
    out.extend_from_slice(&HEAD_MAGIC);
    out.extend_from_slice(&description_bytes.to_le_bytes());
    out.extend_from_slice(&head_crc(salt, offset, &description).to_le_bytes());
    out.extend_from_slice(&description);
    out
}

/// The length of the description and the checksum, from the first [`HEAD_BYTES`] of a head; `None` where no head begins.
pub(super) fn decode_head_start(bytes: &[u8]) -> Option<(usize, u32)> {
    let mut cursor = Cursor::new(bytes);
    cursor.take(HEAD_MAGIC.len()).filter(|magic| *magic == HEAD_MAGIC)?;
    let description_bytes = usize::try_from(cursor.u32()?).ok()?;
    Some((description_bytes, cursor.u32()?)).filter(|_| description_bytes <= DESCRIPTION_BYTES_MAX)
}

/// Whose block stands behind the head at `offset`, and where; `None` where the description is not what was written here.
pub(super) fn decode_description(salt: u64, offset: u64, crc: u32, description: &[u8]) -> Option<(Labels, Part)> {
    if crc != head_crc(salt, offset, description) {
        return None;
    }
    let mut cursor = Cursor::new(description);
    let labels = take_labels(&mut cursor)?;
    let block_start = offset + (HEAD_BYTES + description.len()) as u64;
    let part = Part::take(&mut cursor, block_start)?;
    cursor.rest().is_empty().then_some((labels, part))
}

fn head_crc(salt: u64, offset: u64, description: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(description);
    hasher.finalize()
}

pub(super) fn encode_index(streams: &[StreamParts]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, streams.len() as u64);
    for StreamParts { labels, parts } in streams {
        put_labels(&mut out, labels);
        put_varint(&mut out, parts.len() as u64);
        for part in parts {
            out.extend_from_slice(&part.offset.to_le_bytes());
            part.put(&mut out);
        }
    }
    out
}

/// Reads what [`encode_index`] writes; `None` for anything else.
pub(super) fn decode_index(bytes: &[u8]) -> Option<Vec<StreamParts>> {
    let mut cursor = Cursor::new(bytes);
    let mut streams = Vec::new();
    for _ in 0..cursor.count()? {
        let labels = take_labels(&mut cursor)?;
        let mut parts = Vec::new();
        for _ in 0..cursor.count()? {
            let offset = cursor.u64()?;
            parts.push(Part::take(&mut cursor, offset)?);
        }
        streams.push(StreamParts { labels, parts });
    }
    cursor.rest().is_empty().then_some(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_valid_in_its_file_and_in_its_place_only() {
        let (earliest, latest) = (Timestamp::from_ns(1), Timestamp::from_ns(2));
        let part = Part { offset: 0, bytes: 5, line_count: 2, text_bytes: 7, crc: 9, earliest, latest };
        let labels = Labels::new([("path", "a")]).unwrap();
        let head = encode_head(11, 2000, &labels, &part);
        let (description_bytes, crc) = decode_head_start(&head).unwrap();
        let description = &head[HEAD_BYTES..];
        assert_eq!(description_bytes, description.len());
        let found = decode_description(11, 2000, crc, description);
        assert_eq!(found, Some((labels, Part { offset: 2000 + head.len() as u64, ..part })));
        assert_eq!(decode_description(12, 2000, crc, description), None);
        assert_eq!(decode_description(11, 2001, crc, description), None);
        assert_eq!(decode_description(11, 2000, crc, &description[1..]), None);
    }
}
