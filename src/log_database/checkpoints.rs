//! Checkpoints as files hold them: in records of the journal one after the other, in segments compressed.
//!
//! ```text
//! checkpoints := count: varint checkpoint*
//! checkpoint  := source: text | 0: u8  or  source: text | 1: u8 | position: text
//! packed      := bytes: u32 | zstd of checkpoints, which are so many bytes
//! ```

use crate::log_database::bytes::{Cursor, put_text, put_varint};
use crate::model::Checkpoint;

/// Checkpoints that take more than so many bytes, packed or not, are not kept in segments.
pub(super) const BYTES_MAX: usize = 64 << 20;
const LEVEL: i32 = 1;

pub(super) fn put(out: &mut Vec<u8>, checkpoints: &[Checkpoint]) {
    put_varint(out, checkpoints.len() as u64);
    for Checkpoint { source, position } in checkpoints {
        put_text(out, source);
        out.push(u8::from(position.is_some()));
        if let Some(position) = position {
            put_text(out, position);
        }
    }
}

/// Reads what [`put`] writes; `None` for anything else.
pub(super) fn take(cursor: &mut Cursor<'_>) -> Option<Vec<Checkpoint>> {
    let mut checkpoints = Vec::new();
    for _ in 0..cursor.count()? {
        let source = cursor.text()?.to_vec();
        let position = match cursor.u8()? {
            0 => None,
            1 => Some(cursor.text()?.to_vec()),
            _ => return None,
        };
        checkpoints.push(Checkpoint { source, position });
    }
    Some(checkpoints)
}

/// Nothing where there are none, or too many.
pub(super) fn pack(checkpoints: &[Checkpoint]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, checkpoints);
    if checkpoints.is_empty() || BYTES_MAX < bytes.len() {
        return Vec::new();
    }
    let length = u32::try_from(bytes.len()).expect("no more than BYTES_MAX").to_le_bytes();
    let packed = zstd::bulk::compress(&bytes, LEVEL).map(|compressed| [&length[..], &compressed].concat());
    packed.ok().filter(|packed| packed.len() <= BYTES_MAX).unwrap_or_default()
}

/// Reads what [`pack`] makes; `None` for anything else.
pub(super) fn unpack(packed: &[u8]) -> Option<Vec<Checkpoint>> {
    let mut cursor = Cursor::new(packed);
    let length = usize::try_from(cursor.u32()?).ok().filter(|length| *length <= BYTES_MAX)?;
    let bytes = zstd::bulk::decompress(cursor.rest(), length).ok().filter(|bytes| bytes.len() == length)?;
    let mut cursor = Cursor::new(&bytes);
    take(&mut cursor).filter(|_| cursor.rest().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_nothing_else_is() {
        let checkpoint =
            |number: u32| Checkpoint { source: vec![7; 30], position: number.is_multiple_of(2).then(|| vec![1; 9]) };
        let checkpoints: Vec<Checkpoint> = (0..100).map(checkpoint).collect();
        let packed = pack(&checkpoints);
        assert!(packed.len() < 200, "{}", packed.len());
        assert_eq!(unpack(&packed), Some(checkpoints));
        assert_eq!(pack(&[]), [0; 0]);
        for length in 0..packed.len() {
            assert_eq!(unpack(&packed[..length]), None, "{length} bytes");
        }
        let claims_all = [&u32::MAX.to_le_bytes()[..], &packed[4..]].concat();
        assert_eq!(unpack(&claims_all), None);
    }
}
