//! One file being read: from its bytes to batches, with the position after each.
//!
//! A source owns the open file, so that it is read to its end whatever becomes of its names. It notices that the file was
//! truncated (it is shorter than what was read) or rewritten (the bytes before the offset are others), and starts over.
//! It knows no directory and no watcher.
//!
//! A source keeps account of its bytes: those *seen* come from the file's size, those *accounted for* from the lines that
//! were cut out of it and from what was skipped. What is between the two waits, or is lost with the file.
//!
//! A source delivers to one stream per name. A name that is found later gets its entries from the first byte on: the
//! source is read again from there, and each name takes only what ends after the byte it has already been given. The
//! stream of a name that leads elsewhere by now may end at a byte: it takes what begins before that.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;

use crate::file::{self, Identity};
use crate::log_collector::Collected;
use crate::log_collector::checkpoint::{self, DeliveryPosition, ENDLESS, Position, TAIL_BYTES_MAX};
use crate::log_collector::format::multiline::Multiline;
use crate::log_collector::format::{Decoder, LINE_BYTES_MAX, Partial};
use crate::log_collector::naming::Naming;
use crate::model::{Checkpoint, Lines, Timestamp};
use crate::status::{Gap, SkipReason, SourceStatus, Status};

mod account;
mod content;
mod copy;
mod delivery;
mod encoding;
mod gathered;
mod head;
mod hole;
mod lines;
mod open_file;
mod unended;

pub(super) use content::{Content, Match};
pub(crate) use copy::COPY_BYTES_MIN;
pub(super) use copy::{COPY_ORDINAL, Former};

use delivery::Delivery;
use encoding::Encoding;
use gathered::{COLUMNS, Columns, Gathered, labels_of};
use head::Head;

/// Bytes read in one go. Large enough that system calls and batches cost little per line, small enough that many files
/// take turns quickly and that batches waiting for their commit stay small.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// The least that is read in one go of a file with many names, all of which get its lines.
const CHUNK_BYTES_MIN: usize = 16 << 10;
/// Room for the longest line with its newline, and for the bytes before it that are compared.
const BUFFER_BYTES: usize = TAIL_BYTES_MAX + LINE_BYTES_MAX + 1;
/// How many of a file's first bytes have to be those that were read, so that a file which has become shorter counts as one
/// that lost its end.
pub(super) const SHORTENED_HEAD_BYTES: usize = 16;
/// A file that is written anew with the very same bytes is noticed up to this size, by the time of the writing. That of a
/// larger one is not: some network file systems set it once more after a line was appended and read.
const REWRITTEN_BYTES_MAX: u64 = 64 << 10;
/// How long after a file's time has changed its length may still be about to.
pub(super) const APPENDING_TIME_MAX: Duration = Duration::from_millis(200);

/// What all sources of a collector share while they read.
pub(super) struct Reading<'a> {
    pub(super) naming: &'a dyn Naming,
    pub(super) status: &'a Status,
    /// The time of reading.
    pub(super) now: Timestamp,
}

/// A buffer for [`Source::read`]; one serves all sources. Its pages cost memory only once a long line touches them.
pub(super) fn read_buffer() -> Box<[u8]> {
    vec![0; BUFFER_BYTES].into_boxed_slice()
}

/// What one read came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Lines, or a position that changed without any.
    pub(super) collected: Option<Collected>,
    /// Whether there is more to read now.
    pub(super) more: bool,
    /// Whether nothing but a hole comes next, which may be filled without the watcher noticing: through a mapping.
    pub(super) is_preallocated: bool,
    /// Whether it has to be looked at again soon, to tell whether the file was written anew.
    pub(super) is_uncertain: bool,
    /// Where it stood, if its file turned out to be truncated or rewritten.
    pub(super) former: Option<Former>,
}

/// Whether a file was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rewritten {
    No,
    Yes,
    /// It may be being appended to.
    Unknown,
}

/// Whether a source could go on where a position says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    /// The file has what was read.
    Intact,
    /// The file has lost its end, as after a power cut: what is left of it was read, and what comes is new.
    Shortened,
    /// It is another file in all but name, to be read from its start.
    Rewritten,
}

/// One file being read.
pub(super) struct Source {
    pub(super) identity: Identity,
    /// The canonical path it was last seen at.
    pub(super) path: PathBuf,
    pub(super) state: Arc<SourceStatus>,
    content: Content,
    /// How a compressed file begins, if it is not too short to tell it from others: known even while it is closed.
    start: Option<Box<[u8]>>,
    encoding: Encoding,
    decoder: Decoder,
    /// How decoding begins at the first byte: with entries that the file before has not completed, if it was read on with such;
    /// none once all are complete.
    partials: Option<Vec<Partial>>,
    zone: TimeZone,
    /// Joins lines that belong together, where that is asked for.
    multiline: Option<Multiline>,
    /// Where entries end that are being joined, whatever comes next, because they did when this was read before or
    /// because a stream ends there.
    cuts: BTreeSet<u64>,
    offset: u64,
    /// The bytes just before `offset`.
    tail: Vec<u8>,
    /// The first bytes of what was read.
    head: Head,
    /// How long the file was found to be, at most.
    seen: u64,
    /// When it had been written to, as far as was looked.
    pub(super) modified_ns: i64,
    /// When it had been written to when it was read to its end.
    end_modified_ns: Option<i64>,
    /// Whether the watcher saw it written to since then.
    was_written: bool,
    /// What was read up to here at some time, in lines or as skipped.
    accounted: u64,
    /// Bytes of lines that go with the next batch.
    taken: u64,
    /// Whether `offset` is inside a line over the limit.
    skipping: bool,
    /// Whether the line before `offset` was taken although it had not ended.
    continues: bool,
    /// When a line was first seen that has not ended.
    unended_since: Option<Timestamp>,
    deliveries: Vec<Delivery>,
}

impl Source {
    /// Starts at the first byte of `file`, whose entries go nowhere yet.
    pub(super) fn new(
        identity: Identity,
        path: PathBuf,
        content: Content,
        zone: TimeZone,
        state: Arc<SourceStatus>,
    ) -> Self {
        Self {
            identity,
            path,
            state,
            start: copy::start_of(&content),
            content,
            encoding: Encoding::default(),
            decoder: Decoder::new(zone.clone()),
            partials: None,
            zone,
            multiline: None,
            cuts: BTreeSet::new(),
            offset: 0,
            tail: Vec::new(),
            head: Head::default(),
            seen: 0,
            modified_ns: i64::MIN,
            end_modified_ns: None,
            was_written: false,
            accounted: 0,
            taken: 0,
            skipping: false,
            continues: false,
            unended_since: None,
            deliveries: Vec::with_capacity(1),
        }
    }

    /// Joins lines that belong together from now on.
    pub(super) fn join_lines(&mut self) {
        self.multiline = Some(Multiline::default());
    }

    /// Resumes where `position` says, if the file still has the bytes that were read. If it is shorter and begins as it
    /// did, it goes on at its end. Otherwise it was rewritten and is read from its start, for the same names.
    pub(super) fn resume(&mut self, position: &Position) -> Result<Resumed, file::Error> {
        self.modified_ns = position.modified_ns;
        self.partials.clone_from(&position.partials);
        self.deliveries = position.deliveries.iter().map(Delivery::restored).collect();
        match self.content.try_compare(position)? {
            Match::Same | Match::Grown => {
                self.seek(position.resume)?;
                self.skipping = position.skipping && position.resume == position.offset;
                self.continues = position.continues && position.resume == position.offset;
                (self.seen, self.accounted) = (position.offset, position.offset);
                Ok(Resumed::Intact)
            }
            Match::Prefix(head_bytes) if SHORTENED_HEAD_BYTES <= head_bytes => {
                let size = self.content.size_bytes(position.offset)?;
                self.seek_as_read(size)?;
                // What began before the end and is not complete is read again.
                self.seek(position.resume.min(size))?;
                Ok(Resumed::Shortened)
            }
            Match::Prefix(_) | Match::Other | Match::Unknown => {
                self.restart();
                Ok(Resumed::Rewritten)
            }
        }
    }

    /// Skips what the file holds, up to the last line that has ended.
    pub(super) fn skip_history(&mut self, status: &Status) -> Result<(), file::Error> {
        let size = self.content.metadata()?.size_bytes;
        let end_of_file = self.content.bytes_before(size, LINE_BYTES_MAX)?;
        let encoding = Encoding::of(&self.content.start()?);
        let last_end = encoding.last_line_end(&end_of_file, size - end_of_file.len() as u64);
        self.seek_as_read(size - (end_of_file.len() - last_end.unwrap_or(0)) as u64)?;
        status.bytes_seen.add(self.offset);
        status.add_skipped(SkipReason::StartFromEnd, self.offset);
        Ok(())
    }

    /// Notes that the watcher saw the file written to.
    pub(super) fn note_written(&mut self) {
        self.was_written = true;
    }

    /// How far it was read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where it stands, for the database to keep.
    pub(super) fn checkpoint(&self, now: Timestamp) -> Checkpoint {
        let position = self.position(now).encode();
        Checkpoint { source: checkpoint::encode_key(self.identity), position: Some(position) }
    }

    /// Where it stands.
    pub(super) fn position(&self, now: Timestamp) -> Position {
        let deliveries = self.deliveries.iter();
        Position {
            offset: self.offset,
            resume: self.resume_from(),
            skipping: self.skipping,
            compressed: self.content.is_compressed(),
            finished: false,
            continues: self.continues,
            cut: false,
            seen: self.seen.max(self.offset),
            modified_ns: self.modified_ns,
            head: self.head.hashes().to_vec(),
            saved: now,
            tail_bytes: u8::try_from(self.tail.len()).expect("bounded by TAIL_BYTES_MAX"),
            tail_md5: checkpoint::tail_md5(&self.tail),
            path: self.path.clone(),
            deliveries: deliveries
                .map(|delivery| DeliveryPosition {
                    path: delivery.path.clone(),
                    delivered: delivery.delivered,
                    end: delivery.end,
                    ordinal: delivery.ordinal,
                })
                .collect(),
            partials: self.partials.clone(),
        }
    }

    /// Where an entry begins that has not ended; the offset where all have.
    fn resume_from(&self) -> u64 {
        let joining = self.multiline.as_ref().and_then(Multiline::pending_from);
        [self.decoder.pending_from(), joining].into_iter().flatten().fold(self.offset, u64::min)
    }

    /// Reads the next lines that have ended before byte `up_to`, at most [`CHUNK_BYTES`] unless a single line is longer.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        up_to: u64,
        reading: &Reading<'_>,
    ) -> Result<Outcome, file::Error> {
        let size = self.content.size_bytes(self.offset)?.min(up_to);
        let rewritten = self.was_rewritten(size)?;
        let Some(text) = self.fetch(buffer, size)?.filter(|_| rewritten != Rewritten::Yes) else {
            return Ok(self.start_over(reading));
        };
        if rewritten == Rewritten::Unknown {
            return Ok(Outcome { is_uncertain: true, ..Outcome::default() });
        }
        self.look_at_size(reading.status)?;
        if text.first() == Some(&0)
            && let Some(outcome) = self.skip_hole(reading)?
        {
            return Ok(outcome);
        }
        self.note_encoding(text);
        if self.offset == 0 && !self.content.is_compressed() {
            let read_at = |buffer: &mut [u8], offset| self.content.read_at(buffer, offset).ok();
            self.decoder.look_ahead(text, size, reading.now, read_at);
        }
        let text = if self.encoding == Encoding::Bytes { hole::before_nuls(text) } else { text };
        let collected = match self.encoding.last_line_end(text, self.offset) {
            Some(end) => self.take_lines(&text[..end], reading),
            None if self.skipping => self.skip(text, reading),
            None if LINE_BYTES_MAX < text.len() => self.take_beginning(&text[..LINE_BYTES_MAX], reading),
            None => {
                self.state.unended_bytes.set(text.len() as u64);
                self.unended_since = (!text.is_empty()).then(|| self.unended_since.unwrap_or(reading.now));
                return Ok(Outcome::default());
            }
        };
        self.note_end();
        Ok(Outcome { collected: Some(collected), more: self.offset < size, ..Outcome::default() })
    }

    /// Goes back to the first byte of a file that holds something else now, of which nothing is seen yet.
    pub(super) fn start_over(&mut self, reading: &Reading<'_>) -> Outcome {
        reading.status.truncations.add(1);
        let former = Some(self.former(reading.now));
        let mut gathered = self.gather(0);
        self.gather_joined(&mut gathered, u64::MAX);
        self.restart();
        let collected = Some(self.collected(gathered.columns, reading));
        Outcome { collected, more: true, former, ..Outcome::default() }
    }

    /// Tells the encoding from the first bytes.
    fn note_encoding(&mut self, text: &[u8]) {
        if self.offset == 0 {
            self.encoding = Encoding::of(text);
            self.state.set_encoding(self.encoding.name());
        }
    }

    /// Remembers when the file had been written to, if it is read to its end.
    fn note_end(&mut self) {
        let metadata = self.content.metadata().ok().filter(|metadata| metadata.size_bytes == self.offset);
        self.end_modified_ns = metadata.map(|metadata| metadata.modified_ns);
    }

    /// Whether the file, which was read to its end, was written to and is as long as before: with the very same bytes,
    /// unless those before the offset tell that it was not. A file that is being appended to has its new time first and its new
    /// length a moment later.
    fn was_rewritten(&mut self, size: u64) -> Result<Rewritten, file::Error> {
        if !std::mem::take(&mut self.was_written) || size != self.offset || size == 0 || REWRITTEN_BYTES_MAX < size {
            return Ok(Rewritten::No);
        }
        let modified_ns = self.content.metadata()?.modified_ns;
        if self.end_modified_ns.is_none_or(|before| modified_ns <= before) {
            return Ok(Rewritten::No);
        }
        let modified = u64::try_from(modified_ns).ok().map(Duration::from_nanos);
        let age = modified.and_then(|since| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since).ok());
        if age.is_some_and(|age| age < APPENDING_TIME_MAX) {
            self.was_written = true;
            return Ok(Rewritten::Unknown);
        }
        Ok(Rewritten::Yes)
    }

    /// Takes what is left of a file that nobody writes to any more: an entry that has not ended. To be called once
    /// [`Source::read`] has nothing more; lines that were written since are taken as that would, and there may be more.
    pub(super) fn read_unended(&mut self, buffer: &mut [u8], reading: &Reading<'_>) -> Result<Outcome, file::Error> {
        let mut size = self.content.size_bytes(self.offset)?;
        if self.offset <= size && self.ends_in_hole(reading)? {
            size = self.offset;
        }
        let text = self.fetch(buffer, size)?.unwrap_or_default();
        if self.offset <= size {
            self.look_at_size(reading.status)?;
        }
        self.note_encoding(text);
        if let Some(end) = self.encoding.last_line_end(text, self.offset) {
            let collected = self.take_lines(&text[..end], reading);
            return Ok(Outcome { collected: Some(collected), more: true, ..Outcome::default() });
        }
        let mut gathered = self.gather(text.len());
        if self.skipping {
            self.account(&(0..text.len()), text.len() as u64, reading);
        } else if !text.is_empty() {
            self.take_line(text, 0..text.len(), &mut gathered, reading);
        }
        let continues = !text.is_empty() && !self.skipping;
        self.advance(text, &mut gathered, reading);
        self.continues |= continues;
        self.gather_joined(&mut gathered, u64::MAX);
        // Parts of a container's line whose end will never come; they lie before what counts as delivered.
        while let Some(decoded) = self.decoder.finish() {
            gathered.push(&self.deliveries, &decoded, u64::MAX);
        }
        self.forget_partials();
        let nothing = text.is_empty() && gathered.columns.iter().flatten().all(Lines::is_empty);
        if self.content.is_damaged() {
            let (path, bytes) = (self.state.path.clone(), self.offset..self.offset);
            reading.status.add_gap(Gap { path, bytes, reason: SkipReason::Damaged, found: reading.now });
        }
        let collected = (!nothing).then(|| self.collected(gathered.columns, reading));
        Ok(Outcome { collected, ..Outcome::default() })
    }

    /// Reads from the offset on: a chunk, or up to a byte more than the longest line where no line ends in a chunk.
    /// `None` where the file is shorter than what was read of it, or the bytes before the offset are others.
    fn fetch<'b>(&self, buffer: &'b mut [u8], size: u64) -> Result<Option<&'b [u8]>, file::Error> {
        let Some(unread) = size.checked_sub(self.offset) else { return Ok(None) };
        if unread == 0 && self.content.is_compressed() {
            // Nobody writes to it, and to look back would mean to decompress it all again.
            return Ok(Some(&[]));
        }
        let unread = usize::try_from(unread).unwrap_or(usize::MAX);
        let from = self.offset - self.tail.len() as u64;
        let mut count = 0;
        let chunk_bytes = (CHUNK_BYTES / self.deliveries.len().max(1)).max(CHUNK_BYTES_MIN);
        for wanted in [chunk_bytes, LINE_BYTES_MAX + 1] {
            count = self.content.read_at(&mut buffer[..self.tail.len() + unread.min(wanted)], from)?;
            let text = buffer.get(self.tail.len()..count).unwrap_or_default();
            if unread <= wanted || self.encoding.line_ends(text, self.offset).next().is_some() {
                break;
            }
        }
        let text = buffer[..count].strip_prefix(self.tail.as_slice());
        Ok(text.filter(|_| self.has_its_beginning().unwrap_or(true)))
    }

    /// Whether the file begins as it did when it was read. Lines that are as long as each other and end in the same way may
    /// put the same bytes before the offset again.
    fn has_its_beginning(&self) -> Result<bool, file::Error> {
        if self.content.is_compressed() || self.offset <= TAIL_BYTES_MAX as u64 {
            // Nobody writes to the one, and the other's beginning is what is before the offset.
            return Ok(true);
        }
        let mut start = [0; TAIL_BYTES_MAX];
        let count = self.content.read_at(&mut start, 0)?;
        Ok(self.head.is_of(&start[..count]))
    }

    /// Goes back to the first byte; what is delivered stays delivered.
    fn rewind(&mut self) {
        self.offset = 0;
        self.tail.clear();
        self.head = Head::default();
        self.skipping = false;
        self.continues = false;
        self.unended_since = None;
        self.encoding = Encoding::default();
        self.decoder = Decoder::new(self.zone.clone());
        self.decoder.begin_with(self.partials.as_deref().unwrap_or_default());
        self.multiline = self.multiline.take().map(|_| Multiline::default());
    }

    /// Goes back to the first byte of what is a new file in all but name.
    fn restart(&mut self) {
        self.partials = None;
        self.rewind();
        self.cuts.clear();
        (self.seen, self.accounted) = (0, 0);
        for delivery in &mut self.deliveries {
            (delivery.delivered, delivery.is_new) = (0, true);
            if delivery.end != ENDLESS {
                delivery.end = 0;
            }
        }
    }

    /// Moves to byte `offset` of the file.
    fn seek(&mut self, offset: u64) -> Result<(), file::Error> {
        self.rewind();
        self.tail = self.content.bytes_before(offset, TAIL_BYTES_MAX)?;
        let start = self.content.start()?;
        self.decoder.read_header(&start);
        self.encoding = Encoding::of(&start);
        self.state.set_encoding(self.encoding.name());
        self.head.extend(&start[..usize::try_from(offset).unwrap_or(usize::MAX).min(start.len())]);
        self.offset = offset;
        self.state.read_bytes.set(offset);
        self.state.unended_bytes.set(0);
        Ok(())
    }

    /// Moves to byte `offset` of the file; everything before it counts as delivered.
    fn seek_as_read(&mut self, offset: u64) -> Result<(), file::Error> {
        self.seek(offset)?;
        (self.seen, self.accounted) = (offset, offset);
        for delivery in self.deliveries.iter_mut().filter(|delivery| !delivery.is_complete()) {
            delivery.delivered = offset;
        }
        Ok(())
    }
}
