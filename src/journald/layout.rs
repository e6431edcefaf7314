//! Where what stands in a journal file. Integers are little-endian, objects begin at multiples of 8.

/// What a file begins with.
pub(super) const SIGNATURE: &[u8; 8] = b"LPKSHHRH";
/// Bytes of the header that every version has.
pub(super) const HEADER_BYTES_MIN: usize = 208;
/// Objects begin at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;
/// Bytes that each object begins with: type, flags and size.
pub(super) const OBJECT_HEADER_BYTES: usize = 16;
/// Bytes of an entry before its items.
pub(super) const ENTRY_HEADER_BYTES: usize = 64;
/// Bytes of an entry array before its items.
pub(super) const ARRAY_HEADER_BYTES: usize = 24;
/// Most fields of an entry; journald takes no more.
pub(super) const ITEMS_MAX: usize = 1024;

/// Incompatible flags.
const KEYED_HASH: u32 = 4;
const COMPACT: u32 = 16;
/// Those that are understood: compressed data (xz, LZ4, zstd), keyed hashes, compact objects.
const KNOWN: u32 = 1 | 2 | KEYED_HASH | 8 | COMPACT;

/// The state of a file that will not change any more.
const ARCHIVED: u8 = 2;

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(super) fn id_at(bytes: &[u8], at: usize) -> [u8; 16] {
    bytes.get(at..at + 16).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
}

/// The header of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Names the file, whatever its name is.
    pub file_id: [u8; 16],
    /// The machine that it is of.
    pub machine_id: [u8; 16],
    /// Names what counts the sequence numbers of entries.
    pub seqnum_id: [u8; 16],
    /// Whether it says that nothing will be appended any more.
    pub is_archived: bool,
    /// How many entries it says there are.
    pub entry_count: u64,
    /// The sequence number of the first one; 0 where there is none.
    pub head_seqnum: u64,
    /// And of the last.
    pub tail_seqnum: u64,
    /// When its first entry was taken, in microseconds since the Unix epoch.
    pub head_realtime_us: u64,
    /// And its last.
    pub tail_realtime_us: u64,
    /// The same, in microseconds since the start of the machine.
    pub tail_monotonic_us: u64,
    /// Which start of the machine that was.
    pub tail_boot_id: [u8; 16],
    pub(super) is_keyed: bool,
    pub(super) is_compact: bool,
    /// Where objects begin.
    pub(super) bytes: u64,
    pub(super) tail_object: u64,
    pub(super) first_array: u64,
}

/// Why a file is none that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its creation has not come to an end.
    Unfinished,
    NoJournal,
    /// These flags are not known.
    Flags(u32),
}

impl Header {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() < HEADER_BYTES_MIN || bytes[..8] == [0; 8] {
            let is_begun = bytes.iter().zip(SIGNATURE).all(|(byte, expected)| byte == expected || *byte == 0);
            return Err(if is_begun { Refusal::Unfinished } else { Refusal::NoJournal });
        }
        if &bytes[..8] != SIGNATURE {
            return Err(Refusal::NoJournal);
        }
        let flags = u32_at(bytes, 12);
        if flags & !KNOWN != 0 {
            return Err(Refusal::Flags(flags & !KNOWN));
        }
        let header_bytes = u64_at(bytes, 88);
        let is_plausible =
            header_bytes.is_multiple_of(ALIGNMENT) && (HEADER_BYTES_MIN as u64..1 << 16).contains(&header_bytes);
        Ok(Self {
            file_id: id_at(bytes, 24),
            machine_id: id_at(bytes, 40),
            seqnum_id: id_at(bytes, 72),
            is_archived: bytes[16] == ARCHIVED,
            entry_count: u64_at(bytes, 152),
            head_seqnum: u64_at(bytes, 168),
            tail_seqnum: u64_at(bytes, 160),
            head_realtime_us: u64_at(bytes, 184),
            tail_realtime_us: u64_at(bytes, 192),
            tail_monotonic_us: u64_at(bytes, 200),
            tail_boot_id: id_at(bytes, 56),
            is_keyed: flags & KEYED_HASH != 0,
            is_compact: flags & COMPACT != 0,
            bytes: if is_plausible { header_bytes } else { HEADER_BYTES_MIN as u64 },
            tail_object: u64_at(bytes, 136),
            first_array: u64_at(bytes, 176),
        })
    }

    /// Bytes of an item of an entry.
    pub(super) fn item_bytes(&self) -> usize {
        if self.is_compact { 4 } else { 16 }
    }

    /// Bytes of an item of an entry array.
    pub(super) fn array_item_bytes(&self) -> usize {
        if self.is_compact { 4 } else { 8 }
    }

    /// Bytes of a data object before its payload.
    pub(super) fn data_header_bytes(&self) -> usize {
        if self.is_compact { 72 } else { 64 }
    }

    /// The offset in the item at `at`.
    pub(super) fn offset_at(&self, bytes: &[u8], at: usize) -> u64 {
        if self.is_compact { u64::from(u32_at(bytes, at)) } else { u64_at(bytes, at) }
    }

    /// Whether an object may begin at `offset`.
    pub(super) fn is_place(&self, offset: u64) -> bool {
        self.bytes <= offset && offset.is_multiple_of(ALIGNMENT)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Nobody has written there.
    Nothing,
    Data,
    Entry,
    EntryArray,
    /// What is not needed to read entries: names of fields, hash tables, seals.
    Other,
    /// No object.
    Unknown,
}

/// What an object begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectHeader {
    pub(super) kind: Type,
    pub(super) flags: u8,
    pub(super) size: u64,
}

impl ObjectHeader {
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let size = u64_at(bytes, 8);
        let kind = match bytes.first().copied().unwrap_or_default() {
            0 if size == 0 => Type::Nothing,
            1 => Type::Data,
            3 => Type::Entry,
            6 => Type::EntryArray,
            2 | 4 | 5 | 7 => Type::Other,
            _ => Type::Unknown,
        };
        Self { kind, flags: bytes.get(1).copied().unwrap_or_default(), size }
    }

    /// Where what follows an object that begins at `offset` may begin.
    pub(super) fn end(self, offset: u64) -> Option<u64> {
        offset.checked_add(self.size)?.checked_next_multiple_of(ALIGNMENT)
    }
}
