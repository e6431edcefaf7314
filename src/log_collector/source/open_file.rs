//! The file of a source: open or closed for now, how long it is, whether it is deleted, and whether it is text.

use std::path::Path;

use memchr::memchr_iter;

use crate::file;
use crate::log_collector::source::{Content, Encoding, Source};

/// How much of a file's start is looked at to tell text from binary data.
const SNIFF_BYTES: usize = 1024;
/// How binary files begin that stand among logs: gzip, zstd, xz, bzip2, zip, ELF, `SQLite`, journald.
const BINARY_MAGIC: [&[u8]; 8] = [
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ",
    b"BZh",
    b"PK\x03\x04",
    b"\x7fELF",
    b"SQLite format 3\0",
    b"LPKSHHRH",
];
/// A file is binary where one byte in so many is NUL: more than any text has, fewer than `utmp`'s records do.
const NUL_SHARE_OF_BINARY: usize = 4;

impl Source {
    /// How long the file is.
    pub(in crate::log_collector) fn size_bytes(&self) -> Result<u64, file::Error> {
        self.content.size_bytes(self.offset)
    }

    /// Opens the file again, which is at `path` now; where another is there, it is not found.
    pub(in crate::log_collector) fn open_at(&mut self, path: &Path) -> Result<(), file::Error> {
        let content = Content::open(path, self.content.is_compressed())?;
        if content.metadata()?.identity != self.identity {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(file::Error { action: "open", path: path.to_owned(), source });
        }
        path.clone_into(&mut self.path);
        self.content = content;
        Ok(())
    }

    /// Whether the file can be opened again once it was closed, and nothing is said twice then.
    pub(in crate::log_collector) fn may_be_closed(&self) -> bool {
        !self.content.is_damaged() && self.content.metadata().is_ok_and(|metadata| 0 < metadata.link_count)
    }

    /// Closes the file for now.
    pub(in crate::log_collector) fn close(&mut self) {
        self.content.close(&self.path);
    }

    /// Whether the file is closed for now.
    pub(in crate::log_collector) fn is_closed(&self) -> bool {
        matches!(self.content, Content::Closed { .. })
    }

    /// Whether the file is compressed.
    pub(in crate::log_collector) fn is_compressed(&self) -> bool {
        self.content.is_compressed()
    }

    /// Lets go of what is remembered of a compressed file's content.
    pub(in crate::log_collector) fn release(&self) {
        self.content.release();
    }

    /// Whether the file has grown since it was looked at last.
    pub(in crate::log_collector) fn has_grown(&self) -> Result<bool, file::Error> {
        let size = self.content.size_bytes(self.offset)?;
        let before = self.state.size_bytes.get();
        self.state.size_bytes.set(size);
        Ok(before < size)
    }

    /// Whether there is more in the file than was read.
    pub(in crate::log_collector) fn has_more(&self) -> bool {
        let is_longer = |size| self.offset < size && !self.is_only_hole(size).unwrap_or(false);
        self.content.size_bytes(self.offset).is_ok_and(is_longer)
    }

    /// Whether nothing leads to the file any more.
    pub(in crate::log_collector) fn is_deleted(&self) -> bool {
        self.content.metadata().is_ok_and(|metadata| metadata.link_count == 0)
    }

    /// How many bytes of disk a file takes that has no name any more; 0 for one that has.
    pub(in crate::log_collector) fn deleted_bytes(&self) -> u64 {
        let deleted = self.content.metadata().ok().filter(|metadata| metadata.link_count == 0);
        deleted.map_or(0, |metadata| metadata.size_bytes)
    }

    /// Whether so little was read that it may still turn out not to be text.
    pub(in crate::log_collector) fn may_turn_out_binary(&self) -> bool {
        self.offset < SNIFF_BYTES as u64
    }

    /// Whether the file's first bytes are not text: a known magic number, or many NUL bytes.
    pub(in crate::log_collector) fn looks_binary(&self) -> Result<bool, file::Error> {
        let mut start = [0; SNIFF_BYTES];
        let Some(text_start) = self.text_start()? else { return Ok(false) };
        let count = self.content.read_at(&mut start, text_start)?;
        let start = &start[..count];
        if Encoding::of(start) != Encoding::Bytes {
            return Ok(false);
        }
        // The rest of a block in which a hole begins was written by nobody.
        let written = start.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let nul_count = memchr_iter(0, &start[..written]).count();
        let mostly_nul = SNIFF_BYTES / 4 <= count && written < NUL_SHARE_OF_BINARY * nul_count;
        Ok(mostly_nul || BINARY_MAGIC.iter().any(|magic| start.starts_with(magic)))
    }
}
