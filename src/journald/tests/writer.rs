//! Writes journal files as journald does, as far as readers of entries can tell: no hash tables, small arrays.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use crate::journald::{hash, layout};

/// Entries that the first array has room for; the next ones have twice as many each.
const FIRST_CAPACITY: usize = 4;

/// How fields are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Compression {
    #[default]
    None,
    Xz,
    Lz4,
    Zstd,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) is_compact: bool,
    pub(crate) is_keyed: bool,
    pub(crate) compression: Compression,
    /// Names the file.
    pub(crate) id: u8,
    /// Names what counts its entries, where it is not the first file of those.
    pub(crate) first_id: Option<u8>,
    pub(crate) boot: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { is_compact: true, is_keyed: true, compression: Compression::None, id: 1, first_id: None, boot: 1 }
    }
}

/// A journal file that is being written.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
    options: Options,
    data: HashMap<Vec<u8>, u64>,
    array: Option<(usize, usize)>,
    index: usize,
    pub(crate) entry_count: u64,
    first_seqnum: u64,
}

const HEADER_BYTES: usize = 272;

impl Writer {
    pub(crate) fn new(options: Options) -> Self {
        Self::after(options, 0)
    }

    /// A file whose first entry has the sequence number after `seqnum`.
    pub(crate) fn after(options: Options, seqnum: u64) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..8].copy_from_slice(layout::SIGNATURE);
        let compression = match options.compression {
            Compression::None => 0,
            Compression::Xz => 1,
            Compression::Lz4 => 2,
            Compression::Zstd => 8,
        };
        bytes[12] = compression | if options.is_keyed { 4 } else { 0 } | if options.is_compact { 16 } else { 0 };
        bytes[16] = 1;
        bytes[24..40].fill(options.id);
        bytes[40..56].fill(9);
        bytes[72..88].fill(options.first_id.unwrap_or(options.id));
        put(&mut bytes, 88, HEADER_BYTES as u64);
        let (data, array) = (HashMap::new(), None);
        Self { bytes, options, data, array, index: 0, entry_count: 0, first_seqnum: seqnum + 1 }
    }

    /// Appends an entry with these fields, of which `MESSAGE` is one.
    pub(crate) fn append(&mut self, realtime_us: u64, fields: &[(&str, &[u8])]) {
        self.append_at(realtime_us, realtime_us % 1_000_000_000, fields);
    }

    pub(crate) fn append_at(&mut self, realtime_us: u64, monotonic_us: u64, fields: &[(&str, &[u8])]) {
        let payloads: Vec<Vec<u8>> =
            fields.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
        let items: Vec<(u64, u64)> = payloads.iter().map(|payload| self.data(payload)).collect();
        let sum = payloads.iter().fold(0, |sum, payload| sum ^ hash::jenkins(payload));
        let seqnum = self.first_seqnum + self.entry_count;
        let mut body = Vec::new();
        for number in [seqnum, realtime_us, monotonic_us] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(&[self.options.boot; 16]);
        body.extend_from_slice(&sum.to_le_bytes());
        for (offset, hash) in items {
            if self.options.is_compact {
                body.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
            } else {
                body.extend_from_slice(&offset.to_le_bytes());
                body.extend_from_slice(&hash.to_le_bytes());
            }
        }
        let entry = self.object(3, 0, &body);
        self.link(entry as u64);
        self.entry_count += 1;
        put(&mut self.bytes, 152, self.entry_count);
        put(&mut self.bytes, 160, seqnum);
        put(&mut self.bytes, 192, realtime_us);
        if self.entry_count == 1 {
            put(&mut self.bytes, 168, seqnum);
            put(&mut self.bytes, 184, realtime_us);
        }
    }

    /// Says that nothing will be appended any more.
    pub(crate) fn archive(&mut self) {
        self.bytes[16] = 2;
    }

    /// Brings the file at `path` to what was written; one that is there stays the same file.
    pub(crate) fn save(&self, path: &Path) {
        let file = crate::file::File::open_or_create(path).unwrap();
        file.write_all_at(&self.bytes, 0).unwrap();
    }

    /// The offset of the data object with this payload, and its hash.
    fn data(&mut self, payload: &[u8]) -> (u64, u64) {
        let id = [self.options.id; 16];
        let hash = if self.options.is_keyed { hash::keyed(payload, id) } else { hash::jenkins(payload) };
        if let Some(offset) = self.data.get(payload) {
            let offset = *offset;
            let count_at = usize::try_from(offset).unwrap() + 56;
            let count = layout::u64_at(&self.bytes, count_at) + 1;
            put(&mut self.bytes, count_at, count);
            return (offset, hash);
        }
        let (flags, stored) = compressed(payload, self.options.compression);
        let mut body = vec![0; if self.options.is_compact { 56 } else { 48 }];
        put(&mut body, 0, hash);
        put(&mut body, 40, 1);
        body.extend_from_slice(&stored);
        let offset = self.object(1, flags, &body) as u64;
        self.data.insert(payload.to_owned(), offset);
        (offset, hash)
    }

    fn link(&mut self, entry: u64) {
        let item_bytes = if self.options.is_compact { 4 } else { 8 };
        let (offset, _) = match self.array {
            Some((offset, capacity)) if self.index < capacity => (offset, capacity),
            before => {
                let capacity = before.map_or(FIRST_CAPACITY, |(_, capacity)| 2 * capacity);
                let offset = self.object(6, 0, &vec![0; 8 + capacity * item_bytes]);
                let place = before.map_or(176, |(before, _)| before + 16);
                put(&mut self.bytes, place, offset as u64);
                self.index = 0;
                self.array = Some((offset, capacity));
                (offset, capacity)
            }
        };
        let at = offset + 24 + self.index * item_bytes;
        self.bytes[at..at + item_bytes].copy_from_slice(&entry.to_le_bytes()[..item_bytes]);
        self.index += 1;
    }

    fn object(&mut self, kind: u8, flags: u8, body: &[u8]) -> usize {
        let offset = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(offset, 0);
        self.bytes.extend_from_slice(&[kind, flags, 0, 0, 0, 0, 0, 0]);
        self.bytes.extend_from_slice(&(body.len() as u64 + 16).to_le_bytes());
        self.bytes.extend_from_slice(body);
        put(&mut self.bytes, 136, offset as u64);
        offset
    }
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

fn compressed(payload: &[u8], compression: Compression) -> (u8, Vec<u8>) {
    match compression {
        Compression::None => (0, payload.to_owned()),
        Compression::Xz => {
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
            writer.write_all(payload).unwrap();
            (1, writer.finish().unwrap())
        }
        Compression::Lz4 => {
            let mut bytes = (payload.len() as u64).to_le_bytes().to_vec();
            bytes.extend(lz4_flex::block::compress(payload));
            (2, bytes)
        }
        Compression::Zstd => (4, zstd::bulk::compress(payload, 1).unwrap()),
    }
}
