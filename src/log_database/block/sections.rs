//! The frame of a block: a header with the section table, and the sections, each compressed and checked on its own.
//!
//! This module knows nothing of what is in a section.

use std::cell::{OnceCell, RefCell};
use std::io;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{InBuffer, OutBuffer, ResetDirective, compress_bound, get_error_name};

use super::wire::{Reader, put_length};
use super::{DECODED_BYTES_MAX, Error, SECTIONS_MAX};

const MAGIC: [u8; 3] = *b"mrb";
/// The newest version that is read, and the one that is written.
pub(super) const VERSION: u8 = 5;
/// The oldest version that is read.
const VERSION_MIN: u8 = 1;
/// Fewer bytes than this do not pay for a block of zstd's.
const ALIKE_BYTES_MIN: usize = 1024;
/// What a block of zstd's takes more than all bytes in one: its header, and a flush.
const BLOCK_BYTES_MORE: usize = 16;
/// Magic and version, length of the rest of the header, CRC-32 of both and of the rest of the header.
const PREFIX_BYTES: usize = MAGIC.len() + size_of::<u8>() + 2 * size_of::<u32>();
/// Longest header, so that a flipped length cannot size a read: a section needs at most 14 bytes in the table.
const HEADER_BYTES_MAX: usize = PREFIX_BYTES + 64 + 14 * SECTIONS_MAX;
/// What is read first: most headers are shorter, so that one read is enough.
const FIRST_READ_BYTES: usize = 2048;
/// Most memory that a thread keeps for the sections of the next block, in bytes.
const SPARE_BYTES_MAX: usize = 2 << 20;

/// Where a block's bytes are: in memory, or in a part of a file that is read section by section.
pub trait Source {
    /// The block's length in bytes.
    fn byte_count(&self) -> usize;

    /// The `length` bytes from `offset` on, in `buffer` where they are nowhere in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where they cannot be read, [`Error::Corrupt`] where there are fewer.
    fn read<'a>(&'a self, offset: usize, length: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Error>;
}

impl Source for &[u8] {
    fn byte_count(&self) -> usize {
        self.len()
    }

    fn read<'a>(&'a self, offset: usize, length: usize, _buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        let bytes = self.get(offset..).and_then(|rest| rest.get(..length));
        bytes.ok_or(Error::Corrupt { what: "section past the block's end", offset })
    }
}

/// What a section holds, while it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Where bytes begin that are unlike those before: zstd has an entropy table for each of its blocks.
    cuts: Vec<usize>,
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, cuts: Vec::new() }
    }
}

impl Content {
    /// What comes next is unlike what is there. Of few bytes it makes no difference.
    pub(super) fn cut(&mut self) {
        let last = self.cuts.last().copied().unwrap_or_default();
        if ALIKE_BYTES_MIN <= self.bytes.len() - last {
            self.cuts.push(self.bytes.len());
        }
    }

    /// Bytes that are so many planes, each unlike the others.
    pub(super) fn of_planes(bytes: &[u8], plane_count: usize) -> Self {
        let mut content = Self::default();
        content.push_planes(bytes, plane_count);
        content
    }

    /// Appends bytes that are so many planes, each unlike the others.
    pub(super) fn push_planes(&mut self, bytes: &[u8], plane_count: usize) {
        for plane in bytes.chunks((bytes.len() / plane_count.max(1)).max(1)) {
            self.cut();
            self.bytes.extend_from_slice(plane);
        }
    }

    /// Compresses it to `out`, which is empty: as one frame, with a block for each piece.
    fn compress(&self, compressor: &mut Compressor<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        out.reserve(compress_bound(self.bytes.len()) + BLOCK_BYTES_MORE * self.cuts.len());
        if self.cuts.is_empty() {
            compressor.compress_to_buffer(&self.bytes, out).map_err(Error::Compress)?;
            return Ok(());
        }
        let context = compressor.context_mut();
        let failed = |code| Error::Compress(io::Error::other(get_error_name(code)));
        context.reset(ResetDirective::SessionOnly).map_err(failed)?;
        context.set_pledged_src_size(Some(self.bytes.len() as u64)).map_err(failed)?;
        let mut output = OutBuffer::around(out);
        let mut start = 0;
        let cuts = self.cuts.iter().copied().filter(|cut| *cut < self.bytes.len());
        for end in cuts.chain([self.bytes.len()]) {
            let mut input = InBuffer::around(&self.bytes[start..end]);
            while input.pos() < end - start {
                context.compress_stream(&mut output, &mut input).map_err(failed)?;
            }
            let is_last = end == self.bytes.len();
            while 0 < if is_last { context.end_stream(&mut output) } else { context.flush_stream(&mut output) }
                .map_err(failed)?
            {}
            start = end;
        }
        Ok(())
    }
}

/// Writes the frame of a block of `version` around `sections`; `summary` goes into the header as it is.
pub(super) fn write_frame(
    compressor: &mut Compressor<'_>,
    version: u8,
    summary: &[u8],
    sections: &[Content],
) -> Result<Vec<u8>, Error> {
    let mut table = summary.to_vec();
    put_length(&mut table, sections.len());
    let mut body = Vec::new();
    let mut buffer = Vec::new();
    for section in sections {
        buffer.clear();
        section.compress(compressor, &mut buffer)?;
        // Stored as it is where compression gains nothing: equal lengths say so.
        let stored = if buffer.len() < section.bytes.len() { &buffer } else { &section.bytes };
        put_length(&mut table, stored.len());
        put_length(&mut table, section.bytes.len());
        table.extend_from_slice(&crc32fast::hash(stored).to_le_bytes());
        body.extend_from_slice(stored);
    }
    let mut out = MAGIC.to_vec();
    out.push(version);
    out.extend_from_slice(&u32::try_from(table.len()).expect("bounded by SECTIONS_MAX").to_le_bytes());
    out.extend_from_slice(&header_crc(&out, &table).to_le_bytes());
    out.extend_from_slice(&table);
    out.extend_from_slice(&body);
    Ok(out)
}

/// The header's checksum covers its length too.
fn header_crc(magic_and_length: &[u8], table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(magic_and_length);
    hasher.update(table);
    hasher.finalize()
}

/// One line of the section table.
#[derive(Debug)]
struct Entry {
    offset: usize,
    stored_bytes: usize,
    bytes: usize,
    crc: u32,
    /// The section's content, once it was asked for.
    content: OnceCell<Vec<u8>>,
}

/// The sections of a block; each is read, checked and decompressed when it is first asked for.
#[derive(Debug)]
pub(super) struct Sections<S> {
    source: S,
    version: u8,
    entries: Vec<Entry>,
}

impl<S: Source> Sections<S> {
    /// Reads and checks the header; hands its summary to `read_summary`.
    pub(super) fn open<T>(
        source: S,
        read_summary: impl FnOnce(&mut Reader<'_>) -> Result<T, Error>,
    ) -> Result<(Self, T), Error> {
        let block_bytes = source.byte_count();
        let mut buffer = Vec::new();
        let start = source.read(0, block_bytes.min(FIRST_READ_BYTES), &mut buffer)?;
        let mut reader = Reader::new(start, "header");
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(Error::Corrupt { what: "no block begins here", offset: 0 });
        }
        let version = reader.byte()?;
        if !(VERSION_MIN..=VERSION).contains(&version) {
            return Err(Error::UnsupportedVersion { version });
        }
        let table_bytes = reader.u32()? as usize;
        let crc = reader.u32()?;
        let header_bytes = PREFIX_BYTES + table_bytes;
        if HEADER_BYTES_MAX < header_bytes {
            return Err(reader.corrupt());
        }
        let mut longer = Vec::new();
        let header = if header_bytes <= start.len() { start } else { source.read(0, header_bytes, &mut longer)? };
        let table = &header[PREFIX_BYTES..header_bytes];
        if header_crc(&header[..PREFIX_BYTES - size_of::<u32>()], table) != crc {
            return Err(Error::Corrupt { what: "header checksum", offset: 0 });
        }
        let mut reader = Reader::new(table, "section table");
        let summary = read_summary(&mut reader)?;
        let entries = read_table(&mut reader, header_bytes, block_bytes)?;
        Ok((Self { source, version, entries }, summary))
    }

    /// The version of the format that the block was written in.
    pub(super) fn version(&self) -> u8 {
        self.version
    }

    /// How many bytes section `index` has, decompressed.
    pub(super) fn section_bytes(&self, index: usize) -> Option<usize> {
        self.entries.get(index).map(|entry| entry.bytes)
    }

    /// How many sections there are.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// The content of section `index`.
    pub(super) fn get(&self, index: usize) -> Result<&[u8], Error> {
        let entry = self.entries.get(index).ok_or(Error::Corrupt { what: "section number", offset: index })?;
        if let Some(content) = entry.content.get() {
            return Ok(content);
        }
        let content = self.read(entry)?;
        Ok(entry.content.get_or_init(|| content))
    }

    fn read(&self, entry: &Entry) -> Result<Vec<u8>, Error> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut content = scratch.take_spare();
            self.read_with(entry, scratch, &mut content).map(|()| content)
        })
    }

    fn read_with(&self, entry: &Entry, scratch: &mut Scratch, content: &mut Vec<u8>) -> Result<(), Error> {
        let stored = self.source.read(entry.offset, entry.stored_bytes, &mut scratch.stored)?;
        if crc32fast::hash(stored) != entry.crc {
            return Err(Error::Corrupt { what: "section checksum", offset: entry.offset });
        }
        content.reserve_exact(entry.bytes);
        if entry.stored_bytes == entry.bytes {
            content.extend_from_slice(stored);
            return Ok(());
        }
        let decompressed = scratch.decompressor.decompress_to_buffer(stored, content);
        decompressed.map_err(|_| Error::Corrupt { what: "compressed section", offset: entry.offset })?;
        if SPARE_BYTES_MAX < scratch.stored.capacity() {
            scratch.stored = Vec::new();
        }
        if content.len() != entry.bytes {
            return Err(Error::Corrupt { what: "length of a section", offset: entry.offset });
        }
        Ok(())
    }
}

impl<S> Drop for Sections<S> {
    fn drop(&mut self) {
        let contents = self.entries.iter_mut().filter_map(|entry| entry.content.take());
        SCRATCH.with_borrow_mut(|scratch| contents.for_each(|content| scratch.keep_spare(content)));
    }
}

/// What a thread uses for one block after the other: making a zstd context takes longer than decompressing a small section
/// with it, and fresh memory has to be cleared by the kernel first.
struct Scratch {
    decompressor: Decompressor<'static>,
    /// A section as it is stored.
    stored: Vec<u8>,
    /// Empty, for contents of sections.
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        decompressor: Decompressor::new().expect("there is memory for a zstd context"),
        stored: Vec::new(),
        spare: Vec::new(),
        spare_bytes: 0,
    });
}

impl Scratch {
    fn take_spare(&mut self) -> Vec<u8> {
        let spare = self.spare.pop().unwrap_or_default();
        self.spare_bytes -= spare.capacity();
        spare
    }

    fn keep_spare(&mut self, mut content: Vec<u8>) {
        if self.spare_bytes + content.capacity() <= SPARE_BYTES_MAX {
            self.spare_bytes += content.capacity();
            content.clear();
            self.spare.push(content);
        }
    }
}

fn read_table(reader: &mut Reader<'_>, header_bytes: usize, block_bytes: usize) -> Result<Vec<Entry>, Error> {
    let count = reader.length(SECTIONS_MAX)?;
    let mut entries = Vec::with_capacity(count);
    let mut offset = header_bytes;
    let mut decoded_bytes = 0;
    for _ in 0..count {
        let stored_bytes = reader.length(block_bytes - offset)?;
        let bytes = reader.length(DECODED_BYTES_MAX - decoded_bytes)?;
        let crc = reader.u32()?;
        entries.push(Entry { offset, stored_bytes, bytes, crc, content: OnceCell::new() });
        offset += stored_bytes;
        decoded_bytes += bytes;
    }
    if offset != block_bytes || !reader.rest().is_empty() {
        return Err(reader.corrupt());
    }
    Ok(entries)
}
