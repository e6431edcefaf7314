//! A journal file that is read.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{File, Identity};
use crate::journald::{self, Journal, ReadAt, Step};
use crate::log_collector::Collected;
use crate::log_collector::journal::entries::{Gathered, Taken, Units};
use crate::log_collector::journal::position::{FileId, Position, Span, encode_key};
use crate::log_collector::journal::roots::is_archived_name;
use crate::model::{Batch, Checkpoint, Timestamp};
use crate::status::{Gap, SkipReason, SourceHandle, SourceState, SourceStatus, Status};

/// How much text a batch has at least before it is handed over, unless there is no more.
const BATCH_BYTES: usize = 512 << 10;
/// How many entries are read in one go at most, be they handed over or not.
const ENTRIES_MAX: usize = 20_000;

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        File::read_at(self, buffer, offset).map_err(|error| error.source)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata().map_err(|error| error.source)?.size_bytes)
    }
}

/// A journal file that is read, and what the collector knows of it.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of which another event changes")]
pub(super) struct Tracked {
    pub(super) id: FileId,
    /// Where it is, as a canonical path.
    pub(super) path: PathBuf,
    /// Which of several files with this id is there: a copy has it, too.
    pub(super) identity: Identity,
    /// Whether nothing is appended to it any more.
    pub(super) is_final: bool,
    pub(super) is_volatile: bool,
    /// Whether no name leads to it any more.
    pub(super) is_gone: bool,
    /// Whether there was more than was read in one go.
    pub(super) is_busy: bool,
    pub(super) is_done: bool,
    pub(super) units: usize,
    /// What its header said when it was looked at last.
    pub(super) header: journald::Header,
    /// Open while it is read, and as long as it grows.
    pub(super) journal: Option<Journal<File>>,
    position: Position,
    /// Up to where it was seen, and accounted for, in bytes.
    seen: u64,
    accounted: u64,
    /// While entries that it shares with volatile files are to be read there first.
    limit: Option<Limit>,
    state: Arc<SourceStatus>,
    pub(super) handle: SourceHandle,
    is_failing: bool,
    has_said_damage: bool,
}

/// What reading needs to know.
pub(super) struct Reading<'a> {
    pub(super) status: &'a Status,
    pub(super) units: &'a Units,
    pub(super) now: Timestamp,
    /// What volatile files had of the entries.
    pub(super) copied: &'a [Span],
}

impl Tracked {
    pub(super) fn new(file: Found, position: Position, status: &Status) -> Self {
        let state = Arc::new(SourceStatus::new(file.path.to_string_lossy().into_owned()));
        let handle = status.add_source(Arc::clone(&state));
        let offset = position.place.offset;
        state.read_bytes.set(offset);
        Self {
            id: file.header.file_id,
            path: file.path,
            identity: file.identity,
            is_final: file.is_final,
            is_volatile: position.is_volatile,
            is_gone: false,
            is_busy: true,
            is_done: false,
            units: file.units,
            header: file.header,
            journal: None,
            position,
            seen: offset,
            accounted: offset,
            limit: None,
            state,
            handle,
            is_failing: false,
            has_said_damage: false,
        }
    }

    /// Looks what the header says by now; what it said stays where it cannot be read.
    pub(super) fn look_at_header(&mut self) {
        let header = match &self.journal {
            Some(journal) => journald::read_header(journal.source()),
            None => File::open(&self.path)
                .map_err(|error| journald::Error::Io(error.source))
                .and_then(|file| journald::read_header(&file)),
        };
        // Another file may have its name by now.
        if let Some(header) = header.ok().filter(|header| header.file_id == self.id) {
            self.header = header;
        }
    }

    /// Takes it that the file is at `path` now.
    pub(super) fn follow(&mut self, path: &Path, identity: Identity) {
        path.clone_into(&mut self.path);
        self.is_gone = false;
        if std::mem::replace(&mut self.identity, identity) != identity {
            self.journal = None;
            (self.is_busy, self.is_final) = (true, false);
        }
        if is_archived_name(path) {
            self.end();
        }
    }

    /// Notes that nothing will be appended any more.
    pub(super) fn end(&mut self) {
        if !self.is_final {
            self.is_final = true;
            self.is_busy = true;
        }
    }

    pub(super) fn position(&self) -> &Position {
        &self.position
    }

    pub(super) fn waiting_bytes(&self) -> u64 {
        self.seen - self.accounted
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { source: encode_key(self.id), position: Some(self.position.encode()) }
    }

    /// Opens the file, if it is not, and sees how long it is.
    pub(super) fn open(&mut self, status: &Status) -> Result<(), journald::Error> {
        if self.journal.is_none() {
            let file = File::open(&self.path).map_err(|error| error.source)?;
            let journal = Journal::open(file, self.position.place)?;
            if journal.header().file_id != self.id {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            self.journal = Some(journal);
        }
        self.look_at_size(status)
    }

    /// Goes to the end, as for a file whose history is not to be collected.
    pub(super) fn skip_to_end(&mut self, reading: &Reading<'_>) -> Result<Collected, journald::Error> {
        self.open(reading.status)?;
        let Some(journal) = &mut self.journal else { return Ok(Collected::default()) };
        journal.skip_to_end()?;
        let tail_us = journal.header().tail_monotonic_us;
        self.position.span = Span { boot_id: journal.header().tail_boot_id, first_us: 0, last_us: tail_us };
        self.position.place = journal.place();
        reading.status.add_skipped(SkipReason::StartFromEnd, self.waiting_bytes());
        self.accounted = self.seen;
        self.state.read_bytes.set(self.seen);
        self.note(reading.now);
        self.is_busy = self.is_final;
        Ok(Batch { checkpoint: Some(self.checkpoint()), streams: Vec::new() }.into())
    }

    fn look_at_size(&mut self, status: &Status) -> Result<(), journald::Error> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let end = journal.end()?.max(self.seen);
        status.bytes_seen.add(end - self.seen);
        self.seen = end;
        self.state.size_bytes.set(end);
        self.state.entry_count.set(journal.header().entry_count);
        self.state.read_entry_count.set(self.position.place.ordinal);
        Ok(())
    }

    /// Reads what comes next; `None` where there is nothing new.
    pub(super) fn read(&mut self, gathered: &mut Gathered, reading: &Reading<'_>) -> Option<Collected> {
        match self.try_read(gathered, reading) {
            Ok(collected) => {
                if std::mem::replace(&mut self.is_failing, false) {
                    self.state.set_state(SourceState::Active, None);
                }
                collected
            }
            Err(error) => {
                // It is opened and tried again: what was read is not handed over.
                gathered.take();
                self.journal = None;
                self.is_busy = false;
                if !std::mem::replace(&mut self.is_failing, true) {
                    log::warn!("cannot read {}: {error}; it is tried again", self.path.display());
                }
                self.state.set_state(SourceState::Unreadable, Some(error.to_string()));
                None
            }
        }
    }

    fn try_read(
        &mut self,
        gathered: &mut Gathered,
        reading: &Reading<'_>,
    ) -> Result<Option<Collected>, journald::Error> {
        self.open(reading.status)?;
        let Some(journal) = &mut self.journal else { return Ok(None) };
        let before = journal.place();
        let allowed = self.limit.map_or(u64::MAX, |limit| limit.allowed);
        journal.set_limit(allowed);
        let mut position = self.position.clone();
        let (mut left_out_bytes, mut copied_bytes, mut cut_bytes, mut damage) = (0, 0, 0, Vec::new());
        let mut is_at_end = false;
        for _ in 0..ENTRIES_MAX {
            let start = journal.place().offset;
            let step = journal.advance(self.is_final)?;
            damage.extend(journal.take_damage());
            if step == Step::End {
                is_at_end = true;
                break;
            }
            let entry = journal.entry();
            if 0 < entry.lost_field_count && !std::mem::replace(&mut self.has_said_damage, true) {
                log::warn!("{} is damaged: entries are missing fields", self.path.display());
            }
            position.seqnum = entry.seqnum;
            let is_copied = reading.copied.iter().any(|span| span.contains(entry.boot_id, entry.monotonic_us));
            if is_copied && !self.is_volatile {
                copied_bytes += journal.place().offset.saturating_sub(start);
                continue;
            }
            position.span.add(entry.boot_id, entry.monotonic_us);
            match gathered.push(&entry, reading.units) {
                Taken::Line { cut } => cut_bytes += cut,
                Taken::LeftOut => left_out_bytes += journal.place().offset.saturating_sub(start),
            }
            if BATCH_BYTES <= gathered.byte_count() {
                break;
            }
        }
        position.place = journal.place();
        let is_archived = journal.header().is_archived;
        let is_new = position.place != before;
        self.is_busy = !is_at_end;
        if is_new {
            self.look_at_size(reading.status)?;
        }
        let is_at_end = is_at_end && self.seen <= allowed;
        self.is_done = is_at_end && self.is_final;
        if is_archived {
            self.end();
        }
        // What follows the last entry holds none.
        let end = if is_at_end { self.seen } else { position.place.offset.min(self.seen) }.max(self.accounted);
        let mut source_bytes = end - self.accounted;
        if source_bytes == 0 && !is_new && !self.is_done {
            return Ok(None);
        }
        position.is_done = self.is_done;
        self.position = position;
        let mut take = |bytes: u64| {
            let bytes = bytes.min(source_bytes);
            source_bytes -= bytes;
            bytes
        };
        for bytes in damage {
            // Only what was not accounted for, lest it be counted twice.
            let bytes = bytes.start.max(self.accounted)..bytes.end.min(end);
            let count = take(bytes.end.saturating_sub(bytes.start));
            if 0 < count {
                self.add_gap(bytes.start..bytes.start + count, SkipReason::Damaged, reading);
            }
        }
        reading.status.add_skipped(SkipReason::Excluded, take(left_out_bytes));
        reading.status.add_skipped(SkipReason::Copied, take(copied_bytes));
        reading.status.add_skipped(SkipReason::LineTooLong, take(cut_bytes));
        self.accounted = end;
        self.state.read_bytes.set(end);
        self.state.read_entry_count.set(self.position.place.ordinal);
        self.state.last_read_ns.set(reading.now.as_ns().cast_unsigned());
        reading.status.bytes_read.add(source_bytes);
        reading.status.lines_read.add(gathered.entry_count());
        self.note(reading.now);
        let batch = Batch { checkpoint: Some(self.checkpoint()), streams: gathered.take() };
        Ok(Some(Collected { batch, source_bytes, ..Collected::default() }))
    }

    /// Writes down what goes with the position.
    fn note(&mut self, now: Timestamp) {
        self.position.seen = self.seen;
        self.position.saved = now;
        self.position.path.clone_from(&self.path);
        if let Some(journal) = &self.journal {
            self.position.seqnum_id = journal.header().seqnum_id;
        }
    }

    /// Notes how long the file is, to be read up to there once that is allowed.
    pub(super) fn note_end(&mut self, status: &Status) {
        let limit = self.limit.unwrap_or_default();
        if self.is_final {
            self.limit = Some(Limit { wanted: u64::MAX, ..limit });
        } else if limit.allowed <= self.position.place.offset && self.open(status).is_ok() {
            self.limit = Some(Limit { wanted: self.seen, ..limit });
        }
    }

    /// Allows it to be read up to where it was noted.
    pub(super) fn allow(&mut self) {
        if let Some(limit) = &mut self.limit {
            limit.allowed = limit.allowed.max(limit.wanted);
        }
    }

    /// Allows it to be read as far as it goes.
    pub(super) fn allow_all(&mut self) {
        self.limit = None;
    }

    /// Counts what was seen and not read as lost, unless it was copied.
    pub(super) fn give_up(&mut self, reading: &Reading<'_>) {
        let bytes = self.accounted..self.seen;
        self.accounted = self.seen;
        if self.is_volatile {
            reading.status.add_skipped(SkipReason::Copied, bytes.end - bytes.start);
        } else if !bytes.is_empty() {
            self.add_gap(bytes, SkipReason::Deleted, reading);
        }
    }

    fn add_gap(&self, bytes: Range<u64>, reason: SkipReason, reading: &Reading<'_>) {
        reading.status.add_gap(Gap { path: self.state.path.clone(), bytes, reason, found: reading.now });
    }
}

/// Up to where a file may be read, in bytes, and up to where it is to be.
#[derive(Clone, Copy, Debug, Default)]
struct Limit {
    allowed: u64,
    wanted: u64,
}

/// A journal file that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    pub(super) header: journald::Header,
    pub(super) is_final: bool,
    pub(super) units: usize,
}
