//! Finds out after a start what the journal holds; changes nothing but for removing files that others replaced.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::header::HeaderState;
use crate::log_database::journal::record::{HEAD_BYTES, Head, Place, RECORD_MAGIC, Skeleton};
use crate::log_database::journal::{DIRECTORY, Header, JournalFile, KIND, RECORDS_START, file_name, sequence_of};
use crate::log_database::storage::{self, Kind, Storage, StoredFile};
use crate::log_database::window::Window;

/// What was found beside the records.
#[derive(Debug)]
pub(in crate::log_database) struct Recovered {
    /// The file to go on with; `None` where there is none.
    pub(super) newest: Option<Newest>,
    /// The first number that no file has.
    pub(super) next_sequence: u64,
    /// Bytes after the last valid record, left behind by a crash.
    pub(in crate::log_database) cut_bytes: u64,
    /// Bytes that were durable once and are damaged.
    pub(in crate::log_database) quarantined_bytes: u64,
}

/// The newest file, and how far it can be trusted.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) file: Arc<JournalFile>,
    /// Where the last valid record ends.
    pub(super) written_bytes: u64,
    /// How much of the file is known to be on the medium.
    pub(super) durable_bytes: u64,
    /// Whether there are records above that.
    pub(super) has_unsynced: bool,
    /// Whether the file ends with its last valid record and nothing in it is damaged.
    pub(super) is_intact: bool,
}

/// What segments say of the journal's lines before it is read.
#[derive(Debug, Default)]
pub(in crate::log_database) struct Settled {
    /// Journal files with these numbers are in segments. One that is still there was not removed in time.
    pub(in crate::log_database) sequences: Vec<RangeInclusive<u64>>,
    /// The highest number that was ever in a segment's name; 0 for none.
    pub(in crate::log_database) newest: u64,
}

impl Settled {
    fn contains(&self, sequence: u64) -> bool {
        self.sequences.iter().any(|range| range.contains(&sequence))
    }
}

/// Takes what the journal holds, in the order it was committed.
pub(in crate::log_database) trait Replay {
    /// Begins a file; where it `is_whole`, all checkpoints are in its first records.
    fn begin_file(&mut self, file: &Arc<JournalFile>, is_whole: bool);

    /// Takes a record of that file, whose body starts at byte `body_start`.
    fn take_record(&mut self, file: &Arc<JournalFile>, skeleton: &Skeleton, body_start: u64);
}

/// Opens all journal files that are not settled and hands what they hold to `replay`.
pub(in crate::log_database) fn recover(
    storage: &dyn Storage,
    settled: &Settled,
    replay: &mut dyn Replay,
) -> Result<Recovered, Error> {
    storage.create_directory(DIRECTORY)?;
    // The process before may have been killed between giving a file its name and waiting for that to be durable.
    storage.sync_directory(DIRECTORY)?;
    let names = storage.list(DIRECTORY)?;
    let sequences: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
    let next_sequence = sequences.iter().copied().fold(settled.newest, u64::max) + 1;
    let mut recovered = Recovered { newest: None, next_sequence, cut_bytes: 0, quarantined_bytes: 0 };

    let mut files = Vec::new();
    for sequence in sequences {
        let name = file_name(sequence);
        if !storage::is_ours(storage, &name, Kind::Regular)? {
            continue;
        }
        let file = storage.open(&name)?;
        let size_bytes = file.size_bytes()?;
        match read_header(file.as_ref(), size_bytes)? {
            HeaderState::Newer(got) => {
                return Err(Error::UnsupportedVersion { path: file.path().to_owned(), got, supported: KIND.version() });
            }
            HeaderState::Valid(header) if header.sequence == sequence => {
                files.push(JournalFile::new(header, file, size_bytes));
            }
            HeaderState::Valid(_) | HeaderState::Damaged => {
                log::error!("{} has no valid header and is left out", file.path().display());
                // A file that ends inside its header was cut.
                let lost_bytes = size_bytes.max(RECORDS_START);
                recovered.quarantined_bytes = recovered.quarantined_bytes.saturating_add(lost_bytes);
            }
        }
    }

    // A file that is settled still says what it has replaced, and that may be there as well.
    let (chain, mut obsolete) = chain(files);
    for (file, durable_end) in chain {
        if settled.contains(file.sequence()) {
            obsolete.push(file.sequence());
            continue;
        }
        let file = Arc::new(file);
        let content = read_file(&file, durable_end)?;
        report(&file, &content);
        recovered.cut_bytes += content.cut_bytes;
        recovered.quarantined_bytes = recovered.quarantined_bytes.saturating_add(content.quarantined_bytes);
        recovered.newest = Some(Newest {
            file: Arc::clone(&file),
            written_bytes: content.valid_end,
            durable_bytes: content.durable_end,
            has_unsynced: content.has_unsynced,
            is_intact: content.cut_bytes == 0 && content.quarantined_bytes == 0,
        });
        // A file without records counts as well: left behind unseen, it would be believed in full once the file is gone that
        // says how little of it counts.
        replay.begin_file(&file, content.quarantined_bytes == 0);
        for (skeleton, body_start) in content.records {
            replay.take_record(&file, &skeleton, body_start);
        }
    }
    remove_obsolete(storage, &obsolete);
    Ok(recovered)
}

fn read_header(file: &dyn StoredFile, size_bytes: u64) -> storage::Result<HeaderState<Header>> {
    let mut window = Window::new(file, size_bytes.min(RECORDS_START));
    let count = usize::try_from(window.end()).expect("bounded by RECORDS_START");
    Ok(window.get(0, count)?.map_or(HeaderState::Damaged, Header::decode))
}

/// The files that count, oldest first, each with the length that its successor says is durable; and the sequences of
/// those that others replaced.
fn chain(files: Vec<JournalFile>) -> (Vec<(JournalFile, Option<u64>)>, Vec<u64>) {
    let mut chain: Vec<(JournalFile, Option<u64>)> = Vec::new();
    let mut replaced = Vec::new();
    for file in files.into_iter().rev() {
        let successor = chain.last().map(|(successor, _)| successor.header);
        match successor {
            Some(successor) if successor.predecessor < file.sequence() => replaced.push(file.sequence()),
            Some(successor) if successor.predecessor == file.sequence() => {
                chain.push((file, Some(successor.predecessor_bytes)));
            }
            // The newest file, or one whose successor is missing or damaged: its own word has to do.
            Some(_) | None => chain.push((file, None)),
        }
    }
    chain.reverse();
    (chain, replaced)
}

/// Removes files that a crash kept from being removed; one that stays does no harm.
fn remove_obsolete(storage: &dyn Storage, sequences: &[u64]) {
    for sequence in sequences {
        if let Err(error) = storage.remove(&file_name(*sequence)) {
            log::warn!("a journal file whose lines are elsewhere stays: {error}");
        }
    }
}

fn report(file: &JournalFile, content: &Content) {
    let path = file.file.path().display();
    if 0 < content.cut_bytes {
        log::warn!("{path} ends at byte {}: {} bytes of a torn tail are ignored", content.valid_end, content.cut_bytes);
    }
    if 0 < content.quarantined_bytes {
        log::error!("{path}: {} damaged bytes are left out, the rest is readable", content.quarantined_bytes);
    }
}

/// What one file holds.
#[derive(Debug)]
struct Content {
    /// Valid records and the offsets of their bodies.
    records: Vec<(Skeleton, u64)>,
    valid_end: u64,
    durable_end: u64,
    has_unsynced: bool,
    cut_bytes: u64,
    quarantined_bytes: u64,
}

#[derive(Debug)]
enum Finding {
    Record(Found),
    Damage(Range<u64>),
}

/// Reads a file, `durable_end` bytes of which are durable where its successor says so, and judges what is in it.
fn read_file(file: &JournalFile, durable_end: Option<u64>) -> storage::Result<Content> {
    let size_bytes = file.size_bytes();
    let end = durable_end.map_or(size_bytes, |durable_end| durable_end.min(size_bytes));
    let findings = read_findings(&mut RecordReader::new(file, end))?;
    let synced = findings.iter().filter_map(|finding| match finding {
        Finding::Record(found) => Some(found.head.synced_bytes.min(found.start)),
        Finding::Damage(_) => None,
    });
    let mark = durable_end.unwrap_or_else(|| synced.max().unwrap_or(0).max(file.header.durable_bytes));
    // A file that ends inside its header was cut, whatever it says of itself.
    let mark = mark.max(RECORDS_START);
    let mut content = Content {
        records: Vec::new(),
        valid_end: end,
        durable_end: mark.min(end),
        has_unsynced: false,
        cut_bytes: 0,
        quarantined_bytes: mark.saturating_sub(end),
    };
    for finding in findings {
        let torn_at = match finding {
            Finding::Damage(range) => {
                let durable = range.end.min(mark).saturating_sub(range.start);
                content.quarantined_bytes = content.quarantined_bytes.saturating_add(durable);
                (mark < range.end).then_some(range.start.max(mark))
            }
            Finding::Record(found) if mark <= found.start && 0 < found.damaged_bytes => Some(found.start),
            Finding::Record(found) => {
                content.quarantined_bytes = content.quarantined_bytes.saturating_add(found.damaged_bytes);
                content.has_unsynced |= mark <= found.start && !found.skeleton.is_empty();
                content.records.push((found.skeleton, found.start + found.head.body_start()));
                None
            }
        };
        if let Some(torn_at) = torn_at {
            content.valid_end = torn_at;
            content.cut_bytes = end - torn_at;
            break;
        }
    }
    Ok(content)
}

fn read_findings(reader: &mut RecordReader<'_>) -> storage::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut offset = RECORDS_START;
    while offset < reader.window.end() {
        let finding = match reader.record(offset)? {
            Some(found) => Finding::Record(found),
            None => Finding::Damage(offset..reader.next_head(offset + 1)?.unwrap_or(reader.window.end())),
        };
        offset = match &finding {
            Finding::Record(found) => found.end(),
            Finding::Damage(range) => range.end,
        };
        findings.push(finding);
    }
    Ok(findings)
}

/// A record whose head and skeleton are valid.
#[derive(Debug)]
pub(super) struct Found {
    start: u64,
    pub(super) head: Head,
    /// Without the parts that are damaged.
    pub(super) skeleton: Skeleton,
    /// Bytes of damaged parts.
    pub(super) damaged_bytes: u64,
}

impl Found {
    pub(super) fn end(&self) -> u64 {
        self.start + self.head.record_bytes()
    }
}

/// Reads records of one file and verifies every byte of them.
#[derive(Debug)]
pub(super) struct RecordReader<'a> {
    window: Window<'a>,
    salt: u64,
}

impl<'a> RecordReader<'a> {
    /// Reads the first `end` bytes of `file`.
    pub(super) fn new(file: &'a JournalFile, end: u64) -> Self {
        Self { window: Window::new(file.file.as_ref(), end), salt: file.header.salt }
    }

    /// The record at `offset`; `None` where no valid one stands.
    pub(super) fn record(&mut self, offset: u64) -> storage::Result<Option<Found>> {
        let Some(head) = self.head(offset)? else { return Ok(None) };
        // The checksum says that we wrote these lengths, so they may size a buffer once they fit into the file.
        let Some(bytes) = self.record_bytes(offset, &head)? else { return Ok(None) };
        Ok(decode_record(offset, head, bytes))
    }

    /// All bytes behind the head of a record that was just read.
    pub(super) fn content(&mut self, found: &Found) -> storage::Result<&[u8]> {
        let record = self.record_bytes(found.start, &found.head)?;
        Ok(record.and_then(|bytes| bytes.get(HEAD_BYTES..)).unwrap_or_default())
    }

    fn head(&mut self, offset: u64) -> storage::Result<Option<Head>> {
        let place = Place { salt: self.salt, offset };
        Ok(self.window.get(offset, HEAD_BYTES)?.and_then(|bytes| Head::decode(bytes, place)))
    }

    /// The offset of the first valid head from `offset` on.
    fn next_head(&mut self, mut offset: u64) -> storage::Result<Option<u64>> {
        while let Some(found) = self.window.find(&RECORD_MAGIC, offset)? {
            if self.head(found)?.is_some() {
                return Ok(Some(found));
            }
            offset = found + 1;
        }
        Ok(None)
    }

    /// The bytes of the record that `head` begins; `None` where the file ends before.
    fn record_bytes(&mut self, offset: u64, head: &Head) -> storage::Result<Option<&[u8]>> {
        let Ok(count) = usize::try_from(head.record_bytes()) else { return Ok(None) };
        self.window.get(offset, count)
    }
}

fn decode_record(start: u64, head: Head, bytes: &[u8]) -> Option<Found> {
    let (before_body, body) = bytes.split_at_checked(usize::try_from(head.body_start()).ok()?)?;
    let skeleton = before_body.get(HEAD_BYTES..)?;
    if crc32fast::hash(skeleton) != head.skeleton_crc {
        return None;
    }
    let mut found = Found { start, head, skeleton: Skeleton::decode(skeleton, head.body_bytes)?, damaged_bytes: 0 };
    let mut rest = body;
    for (_, parts) in &mut found.skeleton.streams {
        parts.retain(|part| {
            let (columns, after) = rest.split_at_checked(part.bytes as usize).unwrap_or((rest, &[]));
            rest = after;
            let is_valid = crc32fast::hash(columns) == part.crc;
            found.damaged_bytes += if is_valid { 0 } else { u64::from(part.bytes) };
            is_valid
        });
    }
    Some(found)
}
