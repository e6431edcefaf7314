//! Makes a segment: blocks one after the other, then the index, then the header, then the name.

use std::io::IoSlice;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::block::{Block, Terms};
use crate::log_database::part::{Part, StreamParts};
use crate::log_database::segment::layout::{BLOCKS_START, Header, encode_head, encode_index};
use crate::log_database::segment::reader::Segment;
use crate::log_database::segment::{DIRECTORY, day_directory, file_name, filter, new_name};
use crate::log_database::storage::{self, Storage, StoredFile};
use crate::model::{Labels, Lines, Timestamp};

/// What is to be known of the lines of a block without reading it.
#[derive(Clone, Copy, Debug)]
pub(in crate::log_database) struct Summary {
    line_count: u32,
    text_bytes: u32,
    earliest: Timestamp,
    latest: Timestamp,
}

impl Summary {
    /// Of the lines of a block; `None` where there are none.
    pub(in crate::log_database) fn of(lines: &[Lines]) -> Option<Self> {
        let bounds = lines.iter().filter_map(Lines::time_bounds);
        let (earliest, latest) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let line_count: usize = lines.iter().map(Lines::len).sum();
        let text_bytes: usize = lines.iter().map(Lines::byte_count).sum();
        Some(Self {
            line_count: u32::try_from(line_count).expect("bounded by the limits of a block"),
            text_bytes: u32::try_from(text_bytes).expect("bounded by the limits of a block"),
            earliest,
            latest,
        })
    }

    /// Of a block that is stored already.
    pub(in crate::log_database) fn of_part(part: &Part) -> Self {
        let Part { line_count, text_bytes, earliest, latest, .. } = *part;
        Self { line_count, text_bytes, earliest, latest }
    }
}

/// A segment that has no name yet.
#[derive(Debug)]
pub(in crate::log_database) struct SegmentWriter {
    file: Arc<dyn StoredFile>,
    salt: u64,
    end: u64,
    streams: Vec<StreamParts>,
    /// The filter over the blocks, where there is to be one.
    filter: Option<filter::Builder>,
}

/// Makes the segment of `sequences`, whose lines were stored at `stored`, out of what `append_blocks` appends; `checkpoints` are
/// packed. It is durable and has its name on return; after a failure nothing is there, or the whole under its name, which is
/// harmless.
pub(in crate::log_database) fn write_segment(
    storage: &dyn Storage,
    sequences: RangeInclusive<u64>,
    stored: Timestamp,
    checkpoints: &[u8],
    filter: Option<filter::Builder>,
    append_blocks: impl FnOnce(&mut SegmentWriter) -> Result<(), Error>,
) -> Result<(Segment, Vec<StreamParts>), Error> {
    let directory = day_directory(stored);
    storage.create_directory(DIRECTORY)?;
    storage.create_directory(&directory)?;
    let new_name = new_name(&directory);
    let written = SegmentWriter::create(storage, &new_name, filter).and_then(|mut writer| {
        append_blocks(&mut writer)?;
        Ok(writer.finish(sequences.clone(), stored, checkpoints)?)
    });
    let (header, streams) = written.inspect_err(|_| {
        // A leftover is overwritten by the next segment; without it there is more room until then.
        let _ = storage.remove(&new_name);
    })?;
    let name = file_name(&directory, &sequences);
    storage.rename(&new_name, &name)?;
    storage.sync_directory(&directory)?;
    // Opened again so that messages say its name.
    let file = storage.open(&name)?;
    Ok((Segment::new(name, file, &header, &streams), streams))
}

impl SegmentWriter {
    fn create(storage: &dyn Storage, new_name: &str, filter: Option<filter::Builder>) -> Result<Self, Error> {
        let file = storage.create(new_name)?;
        Ok(Self { file, salt: storage.salt(), end: BLOCKS_START, streams: Vec::new(), filter })
    }

    /// Appends a block of the stream `labels`. Streams come in the order of their labels, each with all its blocks. What is
    /// known of the block for the filter, where somebody knows, need not be found out.
    pub(in crate::log_database) fn append(
        &mut self,
        labels: &Labels,
        summary: Summary,
        block: &[u8],
        known: Option<Terms>,
    ) -> Result<(), Error> {
        let Summary { line_count, text_bytes, earliest, latest } = summary;
        let bytes = u32::try_from(block.len()).expect("a block is little longer than its text");
        let mut part = Part { offset: 0, bytes, line_count, text_bytes, crc: crc32fast::hash(block), earliest, latest };
        let head = encode_head(self.salt, self.end, labels, &part);
        self.file.write_at(&mut [IoSlice::new(&head), IoSlice::new(block)], self.end)?;
        part.offset = self.end + head.len() as u64;
        self.end = part.end();
        if let Some(filter) = &mut self.filter {
            let terms =
                || Block::open(block).and_then(|opened| opened.terms(filter::marks_bytes_max(block.len()))).ok();
            filter.add(part.offset, block.len(), known.or_else(terms));
        }
        match self.streams.last_mut() {
            Some(last) if last.labels == *labels => last.parts.push(part),
            last => {
                assert!(last.is_none_or(|last| last.labels < *labels), "streams come in the order of their labels");
                self.streams.push(StreamParts { labels: labels.clone(), parts: vec![part] });
            }
        }
        Ok(())
    }

    fn finish(
        self,
        sequences: RangeInclusive<u64>,
        stored: Timestamp,
        checkpoints: &[u8],
    ) -> storage::Result<(Header, Vec<StreamParts>)> {
        let index = encode_index(&self.streams);
        let filter = self.filter.and_then(filter::Builder::encode).unwrap_or_default();
        let filter_bytes = (filter.directory.len() + filter.rest.len()) as u64;
        let header = Header {
            sequences,
            salt: self.salt,
            stored,
            index_offset: self.end + checkpoints.len() as u64 + filter_bytes,
            index_bytes: index.len() as u64,
            index_crc: crc32fast::hash(&index),
            filter_bytes,
            directory_bytes: u32::try_from(filter.directory.len()).expect("a few bytes a block"),
            directory_crc: crc32fast::hash(&filter.directory),
            checkpoints_bytes: u32::try_from(checkpoints.len()).expect("bounded by what is packed"),
            checkpoints_crc: crc32fast::hash(checkpoints),
        };
        let pieces = &mut [checkpoints, &filter.directory, &filter.rest, &index].map(IoSlice::new);
        self.file.write_at(pieces, self.end)?;
        self.file.write_at(&mut [IoSlice::new(&header.encode())], 0)?;
        self.file.sync()?;
        Ok((header, self.streams))
    }
}
