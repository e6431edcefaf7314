//! Opens segments after a start, and reads their blocks.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::log_database::block::{self, Block, Required, Source};
use crate::log_database::header::HeaderState;
use crate::log_database::part::{Part, StreamParts, Unreadable};
use crate::log_database::segment::filter::{Candidates, Directory, Known, Sieve, Words};
use crate::log_database::segment::layout::{
    BLOCKS_START, HEAD_BYTES, HEAD_MAGIC, Header, KIND, decode_description, decode_head_start, decode_index,
};
use crate::log_database::segment::{DIRECTORY, is_day_directory, new_name, sequences_of};
use crate::log_database::storage::{self, Kind, Storage, StoredFile};
use crate::log_database::window::Window;
use crate::log_database::{Error, checkpoints};
use crate::model::{Checkpoint, Labels, Lines, Timestamp};

/// One segment, open for as long as anyone reads it.
#[derive(Debug)]
pub(in crate::log_database) struct Segment {
    name: String,
    file: Arc<dyn StoredFile>,
    sequences: RangeInclusive<u64>,
    stored: Timestamp,
    size_bytes: u64,
    block_count: usize,
    /// Whether header and index are as they were written.
    is_complete: bool,
    unreadable: Unreadable,
    filter: FilterPlace,
    checkpoints: CheckpointsPlace,
}

/// Where the checkpoints are, packed; no bytes where there are none.
#[derive(Debug)]
struct CheckpointsPlace {
    offset: u64,
    bytes: u32,
    crc: u32,
}

/// Where the filter is, and whether anybody has found it damaged.
#[derive(Debug)]
struct FilterPlace {
    offset: u64,
    /// Of all of it.
    bytes: u64,
    directory_bytes: u32,
    directory_crc: u32,
    is_damaged: AtomicBool,
}

impl Segment {
    /// A segment that was just written.
    pub(super) fn new(name: String, file: Arc<dyn StoredFile>, header: &Header, streams: &[StreamParts]) -> Self {
        Self {
            name,
            file,
            sequences: header.sequences.clone(),
            stored: header.stored,
            size_bytes: header.index_offset.saturating_add(header.index_bytes),
            block_count: streams.iter().map(|stream| stream.parts.len()).sum(),
            is_complete: true,
            unreadable: Unreadable::default(),
            filter: FilterPlace {
                offset: header.filter_offset(),
                bytes: header.filter_bytes,
                directory_bytes: header.directory_bytes,
                directory_crc: header.directory_crc,
                is_damaged: AtomicBool::new(false),
            },
            checkpoints: CheckpointsPlace {
                offset: header.blocks_end(),
                bytes: header.checkpoints_bytes,
                crc: header.checkpoints_crc,
            },
        }
    }

    /// Its name in the storage.
    pub(in crate::log_database) fn name(&self) -> &str {
        &self.name
    }

    /// The directory of its day.
    pub(in crate::log_database) fn directory(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// The journal files whose lines it holds.
    pub(in crate::log_database) fn sequences(&self) -> &RangeInclusive<u64> {
        &self.sequences
    }

    /// When the newest of its lines came from the journal.
    pub(in crate::log_database) fn stored(&self) -> Timestamp {
        self.stored
    }

    /// The file's length.
    pub(in crate::log_database) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// How many blocks it holds.
    pub(in crate::log_database) fn block_count(&self) -> usize {
        self.block_count
    }

    /// Whether nothing is known to be damaged.
    pub(in crate::log_database) fn is_intact(&self) -> bool {
        self.is_complete && self.unreadable_count() == 0
    }

    /// How many blocks could not be read when they were asked for.
    pub(in crate::log_database) fn unreadable_count(&self) -> usize {
        self.unreadable.count()
    }

    /// The checkpoints at the end of its newest journal file; `None` where it has none, or not as they were written.
    pub(in crate::log_database) fn checkpoints(&self) -> Option<Vec<Checkpoint>> {
        checkpoints::unpack(&self.packed_checkpoints()?)
    }

    /// [`Segment::checkpoints`] as they are in the file.
    pub(super) fn packed_checkpoints(&self) -> Option<Vec<u8>> {
        let CheckpointsPlace { offset, bytes, crc } = self.checkpoints;
        let end = offset.checked_add(bytes.into())?;
        let length = (bytes as usize).min(checkpoints::BYTES_MAX);
        if length == 0 || self.size_bytes < end {
            return None;
        }
        let mut packed = vec![0; length];
        let count = self.file.read_at(&mut packed, offset).ok()?;
        (count == length && crc32fast::hash(&packed) == crc).then_some(packed)
    }

    /// The blocks that may have what is required; `None` where there is no filter that says so.
    pub(in crate::log_database) fn candidates(&self, required: &Required) -> Option<Candidates> {
        self.with_filter(|directory, words, read_marks| {
            let blocks = Sieve::new(&directory, words, read_marks).blocks(required)?;
            Some(Candidates::new(&directory, blocks))
        })
    }

    /// All that the filter says; `None` where there is none.
    pub(super) fn known(&self) -> Option<Known> {
        self.with_filter(|directory, words, read_marks| Known::new(directory, words, &read_marks()?))
    }

    /// Reads the filter's directory and words, and lets `take` read its marks.
    fn with_filter<T>(
        &self,
        take: impl FnOnce(Directory, Words, &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<T>,
    ) -> Option<T> {
        let place = &self.filter;
        let is_there = place.directory_bytes != 0 && place.bytes <= self.size_bytes;
        if !is_there || place.is_damaged.load(Ordering::Relaxed) {
            return None;
        }
        let read = |offset: u64, length: usize| {
            let mut bytes = vec![0; length];
            let count = self.file.read_at(&mut bytes, place.offset + offset).ok()?;
            (count == length).then_some(bytes)
        };
        let read_all = || {
            let rest_bytes = usize::try_from(place.bytes.checked_sub(place.directory_bytes.into())?).ok()?;
            let directory = read(0, place.directory_bytes as usize)?;
            if crc32fast::hash(&directory) != place.directory_crc {
                return None;
            }
            let directory = Directory::decode(&directory, rest_bytes)?;
            let words_offset = u64::from(place.directory_bytes);
            let words = directory.words(&read(words_offset, directory.words_bytes())?)?;
            let marks_offset = words_offset + directory.words_bytes() as u64;
            let marks_bytes = directory.marks_bytes();
            take(directory, words, &mut || read(marks_offset, marks_bytes))
        };
        let found = read_all();
        if found.is_none() && !place.is_damaged.swap(true, Ordering::Relaxed) {
            log::warn!("the filter in {} is damaged; searches read more than they need to", self.file.path().display());
        }
        found
    }

    /// A block, none of which is read yet but for its header.
    pub(in crate::log_database) fn open_block<'a>(
        &'a self,
        part: &Part,
    ) -> Result<Block<BlockSource<'a>>, block::Error> {
        Block::open(BlockSource { segment: self, part: *part })
    }

    /// Counts a block that cannot be read, and logs it once.
    pub(in crate::log_database) fn add_unreadable(&self, part: &Part, problem: &str) {
        self.unreadable.add(self.file.path(), part, problem);
    }

    /// All lines of a block. One that is no longer what was written is counted.
    pub(in crate::log_database) fn decode_block(&self, part: &Part) -> Result<Lines, Error> {
        let lines = self.open_block(part).and_then(|block| block.decode());
        lines.map_err(|problem| self.unreadable_block(part, &problem.to_string()))
    }

    /// The bytes of a block. One that is no longer what was written is counted.
    pub(super) fn read_block(&self, part: &Part) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; part.bytes as usize];
        match self.file.read_at(&mut bytes, part.offset) {
            Ok(count) if count == bytes.len() && crc32fast::hash(&bytes) == part.crc => Ok(bytes),
            Ok(_) => Err(self.unreadable_block(part, "its checksum is wrong")),
            Err(problem) => Err(self.unreadable_block(part, &problem.to_string())),
        }
    }

    fn unreadable_block(&self, part: &Part, problem: &str) -> Error {
        self.add_unreadable(part, problem);
        Error::Unreadable { path: self.file.path().to_owned(), offset: part.offset, problem: problem.to_owned() }
    }
}

/// A block in a file; each section is read on its own.
#[derive(Debug)]
pub struct BlockSource<'a> {
    segment: &'a Segment,
    part: Part,
}

impl Source for BlockSource<'_> {
    fn byte_count(&self) -> usize {
        self.part.bytes as usize
    }

    fn read<'a>(&'a self, offset: usize, length: usize, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], block::Error> {
        let past_end = || block::Error::Corrupt { what: "section past the block's end", offset };
        if self.byte_count().checked_sub(offset).is_none_or(|rest| rest < length) {
            return Err(past_end());
        }
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let bytes = &mut buffer[..length];
        match self.segment.file.read_at(bytes, self.part.offset + offset as u64) {
            Ok(count) if count == length => Ok(bytes),
            Ok(_) => Err(past_end()),
            Err(error) => Err(block::Error::Read(Box::new(error))),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(in crate::log_database) struct Recovered {
    /// The complete segments that nothing replaced.
    pub(in crate::log_database) complete: Vec<(Segment, Vec<StreamParts>)>,
    /// What the heads say of those whose index is damaged.
    pub(in crate::log_database) damaged: Vec<(Segment, Vec<StreamParts>)>,
    /// Names of files that were replaced or never finished.
    pub(in crate::log_database) obsolete: Vec<String>,
    /// The checkpoints of the newest one that has them.
    pub(in crate::log_database) checkpoints: Vec<Checkpoint>,
    /// The highest number of a journal file in any name; 0 for none.
    pub(in crate::log_database) newest: u64,
    /// Bytes that turned out to be damaged.
    pub(in crate::log_database) quarantined_bytes: u64,
}

/// Opens all segments. Changes nothing.
pub(in crate::log_database) fn recover(storage: &dyn Storage) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    storage.create_directory(DIRECTORY)?;
    for directory in storage.list(DIRECTORY)?.iter().filter(|name| is_day_directory(name)) {
        if !storage::is_ours(storage, directory, Kind::Directory)? {
            continue;
        }
        // The process before may have been killed between giving a file its name and waiting for that to be durable.
        storage.sync_directory(directory)?;
        for name in storage.list(directory)? {
            if name == new_name(directory) {
                recovered.obsolete.push(name);
            } else if let Some(sequences) = sequences_of(directory, &name) {
                recovered.open(storage, name, sequences)?;
            }
        }
    }
    recovered.drop_replaced();
    let mut segments: Vec<&Segment> = recovered.complete.iter().chain(&recovered.damaged).map(|(it, _)| it).collect();
    segments.sort_by_key(|segment| std::cmp::Reverse(*segment.sequences.end()));
    recovered.checkpoints = segments.into_iter().find_map(Segment::checkpoints).unwrap_or_default();
    Ok(recovered)
}

impl Recovered {
    fn open(&mut self, storage: &dyn Storage, name: String, sequences: RangeInclusive<u64>) -> Result<(), Error> {
        // No journal file gets a number that is taken.
        self.newest = self.newest.max(*sequences.end());
        if !storage::is_ours(storage, &name, Kind::Regular)? {
            return Ok(());
        }
        let file = storage.open(&name)?;
        let path = file.path();
        let size_bytes = file.size_bytes()?;
        let header = match read_header(file.as_ref(), size_bytes)? {
            HeaderState::Newer(got) => {
                return Err(Error::UnsupportedVersion { path: path.to_owned(), got, supported: KIND.version() });
            }
            HeaderState::Valid(header) if header.sequences == sequences => header,
            HeaderState::Valid(_) | HeaderState::Damaged => {
                log::error!("{} has no valid header and is left out", path.display());
                self.quarantined_bytes = self.quarantined_bytes.saturating_add(size_bytes);
                return Ok(());
            }
        };
        let index = read_index(file.as_ref(), &header, size_bytes)?;
        let is_complete = index.is_some();
        let streams = match index {
            Some(streams) => streams,
            None => self.salvage(file.as_ref(), &header, size_bytes)?,
        };
        let segment = Segment { size_bytes, is_complete, ..Segment::new(name, file, &header, &streams) };
        let found = if is_complete { &mut self.complete } else { &mut self.damaged };
        found.push((segment, streams));
        Ok(())
    }

    /// Reads the heads where there is no index.
    fn salvage(
        &mut self,
        file: &dyn StoredFile,
        header: &Header,
        size_bytes: u64,
    ) -> storage::Result<Vec<StreamParts>> {
        let (streams, damaged_bytes) = walk(file, header.salt, header.blocks_end().min(size_bytes))?;
        let behind_blocks = header.index_offset.saturating_sub(header.blocks_end()).saturating_add(header.index_bytes);
        let quarantined_bytes = damaged_bytes.saturating_add(behind_blocks);
        let path: &Path = file.path();
        log::error!("{} is damaged, the rest is readable: {quarantined_bytes} bytes are left out", path.display());
        self.quarantined_bytes = self.quarantined_bytes.saturating_add(quarantined_bytes);
        Ok(streams)
    }

    /// Tells what a merge or a flush has replaced by what it was replaced with.
    fn drop_replaced(&mut self) {
        let complete: Vec<RangeInclusive<u64>> =
            self.complete.iter().map(|(segment, _)| segment.sequences.clone()).collect();
        let is_inside = |inner: &RangeInclusive<u64>, outer: &RangeInclusive<u64>| {
            outer.contains(inner.start()) && outer.contains(inner.end())
        };
        let obsolete = &mut self.obsolete;
        let mut drop_if = |is_replaced: bool, segment: &Segment| {
            obsolete.extend(is_replaced.then(|| segment.name.clone()));
            !is_replaced
        };
        let mut place = 0;
        self.complete.retain(|(segment, _)| {
            // Of two with one range, which only a clock that was set back over midnight can make, the first stays.
            let is_replaced = complete.iter().enumerate().any(|(other, range)| {
                is_inside(&segment.sequences, range) && (*range != segment.sequences || other < place)
            });
            place += 1;
            drop_if(is_replaced, segment)
        });
        self.damaged
            .retain(|(segment, _)| drop_if(complete.iter().any(|range| is_inside(&segment.sequences, range)), segment));
    }
}

fn read_header(file: &dyn StoredFile, size_bytes: u64) -> storage::Result<HeaderState<Header>> {
    let mut bytes = vec![0; usize::try_from(size_bytes.min(BLOCKS_START)).expect("bounded by BLOCKS_START")];
    let count = file.read_at(&mut bytes, 0)?;
    Ok(Header::decode(bytes.get(..count).unwrap_or_default()))
}

/// `None` where the index is not what was written.
fn read_index(file: &dyn StoredFile, header: &Header, size_bytes: u64) -> storage::Result<Option<Vec<StreamParts>>> {
    if header.index_offset.checked_add(header.index_bytes) != Some(size_bytes) {
        return Ok(None);
    }
    let Ok(count) = usize::try_from(header.index_bytes) else { return Ok(None) };
    let mut bytes = vec![0; count];
    if file.read_at(&mut bytes, header.index_offset)? < count || crc32fast::hash(&bytes) != header.index_crc {
        return Ok(None);
    }
    Ok(decode_index(&bytes).filter(|streams| {
        let mut parts = streams.iter().flat_map(|stream| &stream.parts);
        parts.all(|part| BLOCKS_START <= part.offset && part.end() <= header.blocks_end())
    }))
}

/// The blocks in the first `end` bytes, by their heads; and how many bytes belong to none.
fn walk(file: &dyn StoredFile, salt: u64, end: u64) -> storage::Result<(Vec<StreamParts>, u64)> {
    let mut window = Window::new(file, end);
    let mut streams: Vec<StreamParts> = Vec::new();
    let mut damaged_bytes = 0;
    let mut offset = BLOCKS_START;
    while offset < end {
        if let Some((labels, part)) = read_head(&mut window, salt, offset)? {
            offset = part.end();
            match streams.last_mut() {
                Some(last) if last.labels == labels => last.parts.push(part),
                _ => streams.push(StreamParts { labels, parts: vec![part] }),
            }
        } else {
            let next = next_head(&mut window, salt, offset + 1)?.unwrap_or(end);
            damaged_bytes += next - offset;
            offset = next;
        }
    }
    Ok((streams, damaged_bytes))
}

/// The block behind the head at `offset`; `None` where there is not all of both.
fn read_head(window: &mut Window<'_>, salt: u64, offset: u64) -> storage::Result<Option<(Labels, Part)>> {
    let Some((description_bytes, crc)) = window.get(offset, HEAD_BYTES)?.and_then(decode_head_start) else {
        return Ok(None);
    };
    let end = window.end();
    let head = window.get(offset, HEAD_BYTES + description_bytes)?;
    let description = head.and_then(|head| head.get(HEAD_BYTES..)).unwrap_or_default();
    Ok(decode_description(salt, offset, crc, description).filter(|(_, part)| part.end() <= end))
}

fn next_head(window: &mut Window<'_>, salt: u64, mut offset: u64) -> storage::Result<Option<u64>> {
    while let Some(found) = window.find(&HEAD_MAGIC, offset)? {
        if read_head(window, salt, found)?.is_some() {
            return Ok(Some(found));
        }
        offset = found + 1;
    }
    Ok(None)
}
