//! The fields of an entry: `NAME=value` in objects that entries share.

use std::io;

use hashbrown::HashMap;

use super::layout::{Header, OBJECT_HEADER_BYTES, ObjectHeader, Type, u64_at};
use super::windows::Windows;
use super::{ReadAt, hash};

/// Longest field that is read; the line limit is a fraction of it.
pub const FIELD_BYTES_MAX: usize = 16 << 20;
/// Longest field that is kept for entries to come.
const SHARED_FIELD_BYTES_MAX: usize = 16 << 10;
/// How much of the fields that entries share is kept.
const SHARED_BYTES_MAX: usize = 4 << 20;
/// Longest name of a field, of which journald takes 64 bytes.
const NAME_BYTES_MAX: usize = 256;
/// Memory that decompressing xz may take.
const XZ_KIB_MAX: u32 = 64 << 10;

/// How an object's flags say that its payload is compressed.
const FLAG_XZ: u8 = 1;
const FLAG_LZ4: u8 = 2;
const FLAG_ZSTD: u8 = 4;

/// Fields as they are read, and those that more than one entry has.
#[derive(Default)]
pub(super) struct Fields {
    /// Shared ones by the offsets of their objects.
    by_offset: HashMap<u64, Field, foldhash::fast::RandomState>,
    shared: Vec<u8>,
    /// Those that only the entry at hand has.
    own: Vec<u8>,
    plain: Vec<u8>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

/// A field that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Names the object in its file.
    pub(super) offset: u64,
    is_shared: bool,
    start: usize,
    len: usize,
    name_len: usize,
    /// Jenkins' hash of it, which goes into those of entries.
    pub(super) jenkins: u64,
    /// The hash that its object claims.
    pub(super) claimed: u64,
    /// Where the object ends.
    pub(super) end: u64,
}

impl Fields {
    /// Makes room for the next entry.
    pub(super) fn begin(&mut self) {
        self.own.clear();
        self.own.shrink_to(FIELD_BYTES_MAX / 8);
        if SHARED_BYTES_MAX < self.shared.len() {
            self.by_offset.clear();
            self.shared.clear();
        }
    }

    /// Forgets what may have been read before it was whole.
    pub(super) fn forget(&mut self) {
        self.by_offset.clear();
        self.shared.clear();
    }

    pub(super) fn name_and_value(&self, field: Field) -> (&[u8], &[u8]) {
        let bytes = self.bytes(field);
        (&bytes[..field.name_len], &bytes[field.name_len + 1..])
    }

    /// Whether the field is what its object claims it to be.
    pub(super) fn is_sound(&self, field: Field, header: &Header) -> bool {
        let hash = if header.is_keyed { hash::keyed(self.bytes(field), header.file_id) } else { field.jenkins };
        hash == field.claimed
    }

    fn bytes(&self, field: Field) -> &[u8] {
        let all = if field.is_shared { &self.shared } else { &self.own };
        &all[field.start..][..field.len]
    }

    /// The field whose object is at `offset`; `None` where there is none that can be read.
    pub(super) fn load<B: ReadAt>(
        &mut self,
        windows: &mut Windows<B>,
        header: &Header,
        offset: u64,
    ) -> io::Result<Option<Field>> {
        if let Some(field) = self.by_offset.get(&offset) {
            return Ok(Some(*field));
        }
        if !header.is_place(offset) {
            return Ok(None);
        }
        let head_bytes = header.data_header_bytes();
        let Some(head) = windows.get(offset, head_bytes)? else { return Ok(None) };
        let object = ObjectHeader::decode(&head[..OBJECT_HEADER_BYTES]);
        let (claimed, entry_count) = (u64_at(head, 16), u64_at(head, 56));
        let payload_bytes = object.size.checked_sub(head_bytes as u64).and_then(|bytes| usize::try_from(bytes).ok());
        let payload_bytes = payload_bytes.filter(|bytes| (1..=FIELD_BYTES_MAX).contains(bytes));
        let (Type::Data, Some(payload_bytes), Some(end)) = (object.kind, payload_bytes, object.end(offset)) else {
            return Ok(None);
        };
        let Some(payload) = windows.get(offset + head_bytes as u64, payload_bytes)? else { return Ok(None) };
        let is_plain = object.flags & (FLAG_XZ | FLAG_LZ4 | FLAG_ZSTD) == 0;
        let bytes = if is_plain {
            payload
        } else if decompress(object.flags, payload, &mut self.plain, &mut self.zstd).is_some() {
            &self.plain
        } else {
            return Ok(None);
        };
        let name_len = memchr::memchr(b'=', &bytes[..bytes.len().min(NAME_BYTES_MAX + 1)]);
        let Some(name_len) = name_len.filter(|len| 0 < *len) else { return Ok(None) };
        // Who else has it is counted after the entry at hand, so the second one finds out.
        let is_shared = 1 < entry_count && bytes.len() <= SHARED_FIELD_BYTES_MAX;
        let all = if is_shared { &mut self.shared } else { &mut self.own };
        let start = all.len();
        all.extend_from_slice(bytes);
        let (len, jenkins) = (bytes.len(), hash::jenkins(bytes));
        let field = Field { offset, is_shared, start, len, name_len, jenkins, claimed, end };
        if is_shared {
            self.by_offset.insert(offset, field);
        }
        if SHARED_FIELD_BYTES_MAX < self.plain.capacity() {
            self.plain = Vec::new();
        }
        Ok(Some(field))
    }
}

/// Decompresses a payload; `None` where it is damaged or longer than [`FIELD_BYTES_MAX`].
fn decompress(
    flags: u8,
    payload: &[u8],
    plain: &mut Vec<u8>,
    zstd: &mut Option<zstd::bulk::Decompressor<'static>>,
) -> Option<()> {
    plain.clear();
    let bounded = |bytes: u64| usize::try_from(bytes).ok().filter(|bytes| *bytes <= FIELD_BYTES_MAX);
    match flags & (FLAG_XZ | FLAG_LZ4 | FLAG_ZSTD) {
        FLAG_ZSTD => {
            let bytes = bounded(zstd::zstd_safe::get_frame_content_size(payload).ok()??)?;
            plain.reserve(bytes);
            if zstd.is_none() {
                *zstd = zstd::bulk::Decompressor::new().ok();
            }
            zstd.as_mut()?.decompress_to_buffer(payload, plain).ok()?;
        }
        FLAG_LZ4 => {
            let (bytes, block) = payload.split_first_chunk()?;
            plain.resize(bounded(u64::from_le_bytes(*bytes))?, 0);
            let count = lz4_flex::block::decompress_into(block, plain).ok()?;
            (count == plain.len()).then_some(())?;
        }
        FLAG_XZ => {
            let reader = lzma_rust2::XzReader::new_mem_limit(payload, false, XZ_KIB_MAX);
            let mut bounded = io::Read::take(reader, FIELD_BYTES_MAX as u64 + 1);
            io::copy(&mut bounded, plain).ok()?;
            (plain.len() <= FIELD_BYTES_MAX).then_some(())?;
        }
        _ => return None,
    }
    (!plain.is_empty()).then_some(())
}
