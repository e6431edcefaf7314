//! What a source reads from: a file as it is, or what is in a compressed one.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use crate::file::{self, File, Metadata};
use crate::log_collector::checkpoint::{self, HEAD_BYTES, Position, TAIL_BYTES_MAX};
use crate::log_collector::format::LINE_BYTES_MAX;

/// How compressed files begin that are read.
const MAGIC: [(&[u8], Compression); 4] = [
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"\xfd7zXZ\0", Compression::Xz),
    (b"BZh", Compression::Bzip2),
];
const MAGIC_BYTES_MAX: usize = 6;
/// The largest window of a zstd file that is read, as a power of two: what `zstd -19` makes.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// The most memory that an xz file may ask for, in KiB: a little more than what `xz -9` makes.
const XZ_KIB_MAX: u32 = 72 << 10;
/// How much is decompressed ahead of where a read begins: the longest line, its newline, and a byte to tell that there
/// is more.
const AHEAD_BYTES: usize = LINE_BYTES_MAX + 2;
/// How much is kept before where a read begins: those bytes are compared with what was read before.
const KEPT_BYTES: u64 = TAIL_BYTES_MAX as u64;
/// How much is decompressed in one go.
const STEP_BYTES: usize = 32 << 10;

/// How long after it was written to a compressed file that ends too early may still be in the making.
const MAKING_TIME_MAX: Duration = Duration::from_secs(10);

/// How the content of a file compares with what was read of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_collector) enum Match {
    /// It begins and ends with what was read.
    Same,
    /// It goes on behind what was read.
    Grown,
    /// It is shorter than what was read, and so many of its first bytes are known to be those that were read.
    Prefix(usize),
    /// It holds something else.
    Other,
    /// It cannot be looked at now, or is in the making: ask again.
    Unknown,
}

/// An open file whose bytes are lines.
#[derive(Debug)]
pub(in crate::log_collector) enum Content {
    /// As they are.
    Plain(File),
    /// What is in a compressed one.
    Compressed(Box<Archive>),
    /// Not at the moment: as many files are open as may be.
    Closed { path: PathBuf, is_compressed: bool },
}

impl Content {
    /// Opens the file at `path`; one that begins as a compressed file does is decompressed if `decompress` says so.
    pub(in crate::log_collector) fn open(path: &Path, decompress: bool) -> file::Result<Self> {
        let file = File::open(path)?;
        let compression = if decompress { Compression::of(&file)? } else { None };
        Ok(match compression {
            Some(compression) => Self::Compressed(Box::new(Archive::new(file, compression))),
            None => Self::Plain(file),
        })
    }

    /// Whether offsets are those of what is in a compressed file.
    pub(in crate::log_collector) fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed(_) | Self::Closed { is_compressed: true, .. })
    }

    /// Closes the file at `path` for now.
    pub(super) fn close(&mut self, path: &Path) {
        *self = Self::Closed { path: path.to_owned(), is_compressed: self.is_compressed() };
    }

    /// What the file system says of the file.
    pub(in crate::log_collector) fn metadata(&self) -> file::Result<Metadata> {
        match self {
            Self::Plain(file) => file.metadata(),
            Self::Compressed(archive) => archive.file.metadata(),
            Self::Closed { path, .. } => Err(closed(path)),
        }
    }

    /// How long it is. That of a compressed file is found out no further than a line from byte `offset` on may reach.
    pub(super) fn size_bytes(&self, offset: u64) -> file::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.size_bytes),
            Self::Compressed(archive) => archive.size_bytes(offset),
            Self::Closed { path, .. } => Err(closed(path)),
        }
    }

    /// How long it is; a compressed file is decompressed to its end for that. One that may be in the making has no length yet.
    pub(super) fn whole_size_bytes(&self) -> file::Result<u64> {
        let mut size = self.size_bytes(0)?;
        while let Self::Compressed(archive) = self {
            let longer = self.size_bytes(size)?;
            if longer != size {
                size = longer;
                continue;
            }
            if self.is_in_the_making() {
                let source = io::Error::other("it is in the making");
                return Err(file::Error { action: "decompress", path: archive.file.path().to_owned(), source });
            }
            break;
        }
        Ok(size)
    }

    /// Reads at `offset` until `buffer` is full or the content ends, and returns how many bytes were read.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> file::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(buffer, offset),
            Self::Compressed(archive) => archive.read_at(buffer, offset),
            Self::Closed { path, .. } => Err(closed(path)),
        }
    }

    /// Where the next byte stands, from `offset` on, that is not in a hole; `None` where there is none.
    pub(super) fn next_data(&self, offset: u64) -> file::Result<Option<u64>> {
        match self {
            Self::Plain(file) => file.next_data(offset),
            Self::Compressed(_) => Ok(Some(offset)),
            Self::Closed { path, .. } => Err(closed(path)),
        }
    }

    /// Up to `byte_count` bytes just before byte `offset`; fewer where there are not as many.
    pub(super) fn bytes_before(&self, offset: u64, byte_count: usize) -> file::Result<Vec<u8>> {
        let byte_count = usize::try_from(offset).unwrap_or(usize::MAX).min(byte_count);
        let mut bytes = vec![0; byte_count];
        let count = self.read_at(&mut bytes, offset - byte_count as u64)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The first bytes, as many as fingerprints are taken of.
    pub(super) fn start(&self) -> file::Result<Vec<u8>> {
        let mut start = vec![0; HEAD_BYTES.last().copied().unwrap_or(0)];
        let count = self.read_at(&mut start, 0)?;
        start.truncate(count);
        Ok(start)
    }

    /// Compares what it holds with what was read up to `position`: the only test of content there is. What cannot be looked
    /// at is unknown.
    pub(in crate::log_collector) fn compare(&self, position: &Position) -> Match {
        self.try_compare(position).unwrap_or(Match::Unknown)
    }

    /// As [`Content::compare`], with the reason why it cannot be looked at.
    pub(super) fn try_compare(&self, position: &Position) -> file::Result<Match> {
        let Some(head_bytes) = position.common_head(&self.start()?) else { return Ok(Match::Other) };
        let size = self.size_bytes(position.offset)?;
        if size < position.offset {
            // It may be in the making: somebody is compressing it.
            return Ok(if self.is_in_the_making() { Match::Unknown } else { Match::Prefix(head_bytes) });
        }
        let tail = self.bytes_before(position.offset, usize::from(position.tail_bytes))?;
        let has_tail =
            tail.len() == usize::from(position.tail_bytes) && checkpoint::tail_md5(&tail) == position.tail_md5;
        Ok(match (has_tail, size == position.offset) {
            (true, true) => Match::Same,
            (true, false) => Match::Grown,
            (false, _) => Match::Other,
        })
    }

    /// Whether it is a compressed file that ends too early and was written to a moment ago.
    pub(super) fn is_in_the_making(&self) -> bool {
        let Self::Compressed(archive) = self else { return false };
        let modified = archive.file.metadata().ok().and_then(|metadata| u64::try_from(metadata.modified_ns).ok());
        let modified = modified.and_then(|ns| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(ns)));
        let is_recent = modified.is_some_and(|time| time.elapsed().is_ok_and(|age| age < MAKING_TIME_MAX));
        self.is_damaged() && is_recent
    }

    /// Lets go of what is remembered of a compressed file's content; reading it again begins at its start.
    pub(in crate::log_collector) fn release(&self) {
        if let Self::Compressed(archive) = self {
            archive.release();
        }
    }

    /// Whether it ends because the rest of a compressed file is damaged.
    pub(super) fn is_damaged(&self) -> bool {
        matches!(self, Self::Compressed(archive) if archive.window.borrow().is_damaged)
    }
}

fn closed(path: &Path) -> file::Error {
    file::Error { action: "read", path: path.to_owned(), source: io::Error::other("it is closed for now") }
}

/// What a file was compressed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// Tells from a file's first bytes; `None` where it is not compressed, or in a way that is not read.
    fn of(file: &File) -> file::Result<Option<Self>> {
        let mut start = [0; MAGIC_BYTES_MAX];
        let count = file.read_at(&mut start, 0)?;
        Ok(MAGIC.into_iter().find(|(magic, _)| start[..count].starts_with(magic)).map(|(_, compression)| compression))
    }

    fn decoder(self, file: Sequential) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(file)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(file)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Self::Xz => Box::new(XzReader::new_mem_limit(BufReader::new(file), true, XZ_KIB_MAX)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(file)),
        })
    }
}

/// A compressed file, decompressed as it is read: forward at the speed of decompression, backward from the start again.
///
/// Memory: the decompressor's, and a window of [`AHEAD_BYTES`] and what one read asks for.
#[derive(Debug)]
pub(in crate::log_collector) struct Archive {
    file: Arc<File>,
    compression: Compression,
    window: RefCell<Window>,
}

/// The decompressed bytes around the last read.
struct Window {
    /// `None` before the first read: a decoder takes memory.
    decoder: Option<Box<dyn Read + Send>>,
    /// Where `bytes` begin.
    from: u64,
    bytes: Vec<u8>,
    /// Whether nothing comes after `bytes`.
    is_at_end: bool,
    /// Whether that is because the file is damaged.
    is_damaged: bool,
}

/// A file that is read from its start to its end.
#[derive(Debug)]
struct Sequential {
    file: Arc<File>,
    offset: u64,
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset).map_err(|error| error.source)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Archive {
    fn new(file: File, compression: Compression) -> Self {
        Self { file: Arc::new(file), compression, window: RefCell::new(Window::at_start()) }
    }

    fn release(&self) {
        let mut window = self.window.borrow_mut();
        if !window.is_at_end {
            *window = Window::at_start();
            return;
        }
        // Where the end is stays known.
        window.from += window.bytes.len() as u64;
        window.bytes = Vec::new();
        window.decoder = None;
    }

    fn size_bytes(&self, offset: u64) -> file::Result<u64> {
        let mut window = self.window.borrow_mut();
        if window.is_at_end {
            return Ok(window.from + window.bytes.len() as u64);
        }
        self.cover(&mut window, offset, AHEAD_BYTES)?;
        Ok(window.from + window.bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> file::Result<usize> {
        let mut window = self.window.borrow_mut();
        self.cover(&mut window, offset, buffer.len())?;
        let start = usize::try_from(offset - window.from).unwrap_or(usize::MAX);
        let bytes = window.bytes.get(start..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Makes `window` hold `byte_count` bytes from `offset` on, as far as there are any.
    fn cover(&self, window: &mut Window, offset: u64, byte_count: usize) -> file::Result<()> {
        if window.is_at_end && window.from + window.bytes.len() as u64 <= offset {
            return Ok(());
        }
        if offset < window.from {
            *window = Window::at_start();
        }
        let result = loop {
            window.forget_before(offset.saturating_sub(KEPT_BYTES));
            let wanted = offset.saturating_add(byte_count as u64);
            if window.is_at_end || wanted <= window.from + window.bytes.len() as u64 {
                break Ok(());
            }
            if let Err(error) = self.decompress(window) {
                break Err(error);
            }
        };
        result.map_err(|source| file::Error { action: "decompress", path: self.file.path().to_owned(), source })
    }

    /// Adds the next bytes to `window`.
    fn decompress(&self, window: &mut Window) -> io::Result<()> {
        let decoder = match &mut window.decoder {
            Some(decoder) => decoder,
            none => none.insert(self.compression.decoder(Sequential { file: Arc::clone(&self.file), offset: 0 })?),
        };
        let length = window.bytes.len();
        window.bytes.resize(length + STEP_BYTES, 0);
        let result = decoder.read(&mut window.bytes[length..]);
        window.bytes.truncate(length + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => window.is_at_end = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the operating system says has a number; everything else is what a decoder says of the bytes.
            Err(error) if error.raw_os_error().is_none() => (window.is_at_end, window.is_damaged) = (true, true),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decoder: _, from, bytes, is_at_end, is_damaged } = self;
        let mut window = f.debug_struct("Window");
        window.field("from", from).field("byte_count", &bytes.len());
        window.field("is_at_end", is_at_end).field("is_damaged", is_damaged).finish()
    }
}

impl Window {
    fn at_start() -> Self {
        Self { decoder: None, from: 0, bytes: Vec::new(), is_at_end: false, is_damaged: false }
    }

    /// Lets go of bytes before `offset`, once there are enough of them to be worth it.
    fn forget_before(&mut self, offset: u64) {
        let count = usize::try_from(offset.saturating_sub(self.from)).unwrap_or(usize::MAX).min(self.bytes.len());
        if STEP_BYTES <= count {
            self.bytes.drain(..count);
            self.from += count as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;

    use super::*;

    fn compress(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn open(bytes: &[u8]) -> (TempDir, Content) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.gz");
        File::create(&path).unwrap().write_all_at(bytes, 0).unwrap();
        let content = Content::open(&path, true).unwrap();
        (directory, content)
    }

    fn read(content: &Content, offset: u64, byte_count: usize) -> Vec<u8> {
        let mut buffer = vec![0; byte_count];
        let count = content.read_at(&mut buffer, offset).unwrap();
        buffer.truncate(count);
        buffer
    }

    fn text() -> Vec<u8> {
        (0..300_000_u32).flat_map(|number| format!("{number}\n").into_bytes()).collect()
    }

    #[test]
    fn any_bytes_are_read_forward_and_backward() {
        let text = text();
        let (_directory, content) = open(&compress(&text));
        assert!(content.is_compressed());
        for (offset, byte_count) in
            [(0, 10), (100, 100_000), (100_000, 1), (1_500_000, 200_000), (5, 5), (1_988_000, 99)]
        {
            assert_eq!(read(&content, offset, byte_count), text[offset_of(offset)..][..byte_count], "at {offset}");
        }
        let end = text.len() as u64;
        assert_eq!(read(&content, end - 3, 10), text[text.len() - 3..]);
        assert_eq!(read(&content, end + 3, 10), b"");
        assert_eq!(content.size_bytes(end - 1).unwrap(), end);
        assert!(!content.is_damaged());
    }

    fn offset_of(offset: u64) -> usize {
        usize::try_from(offset).unwrap()
    }

    #[test]
    fn memory_stays_bounded_however_long_the_content_is() {
        let (_directory, content) = open(&compress(&vec![b'x'; 20 << 20]));
        let mut offset = 0;
        while offset < content.size_bytes(offset).unwrap() {
            offset += read(&content, offset, 256 << 10).len() as u64;
            let Content::Compressed(archive) = &content else { panic!("it is compressed") };
            assert!(archive.window.borrow().bytes.capacity() < 4 << 20);
        }
        assert_eq!(offset, 20 << 20);
    }

    #[test]
    fn each_compression_is_read() {
        // "one\ntwo\n", by `zstd`, `xz` and `bzip2`.
        let files: [&[u8]; 3] = [
            b"(\xb5/\xfd\x04XA\x00\x00one\x0atwo\x0a\xe6\xa6\x0e@",
            b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x02\x00!\x01\x16\x00\x00\x00t/\xe5\xa3\x01\x00\x07one\x0atwo\x0a\
              \x00Q\xab\x9e\xafWupI\x00\x01\x20\x08\xbb\x19\xd9\xbb\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ",
            b"BZh91AY&SY\xa7\x14+w\x00\x00\x02\xc1\x80\x00\x10\x02\x01\x84\x80\x20\x00!\x80\x0c\x028\xf5\x1b\x8b\
              \xb9\x22\x9c(HS\x8a\x15\xbb\x80",
        ];
        for bytes in files {
            let (_directory, content) = open(bytes);
            assert!(content.is_compressed());
            assert_eq!(read(&content, 0, 100), b"one\ntwo\n");
            assert_eq!(read(&content, 4, 3), b"two");
            assert!(!content.is_damaged());
            let (_directory, cut) = open(&bytes[..bytes.len() - 5]);
            read(&cut, 0, 100);
            assert!(cut.is_damaged());
        }
    }

    #[test]
    fn members_one_after_the_other_are_one_content() {
        let (_directory, content) = open(&[compress(b"one\n"), compress(b"two\n")].concat());
        assert_eq!(read(&content, 2, 100), b"e\ntwo\n");
    }

    #[test]
    fn a_damaged_file_ends_where_the_damage_begins() {
        let text = text();
        let whole = compress(&text);
        let (_directory, cut) = open(&whole[..whole.len() / 2]);
        let held = read(&cut, 0, text.len());
        assert!(cut.is_damaged() && STEP_BYTES < held.len() && text.starts_with(&held));
        let mut flipped = whole;
        let middle = flipped.len() / 2;
        flipped[middle..middle + 64].fill(0xff);
        let (_directory, flipped) = open(&flipped);
        read(&flipped, 0, text.len());
        assert!(flipped.is_damaged());
    }

    #[test]
    fn what_is_not_compressed_is_read_as_it_is() {
        let (_directory, content) = open(b"\x1f text");
        assert!(!content.is_compressed());
        assert_eq!(read(&content, 2, 100), b"text");
    }
}
