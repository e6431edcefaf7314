//! Readers that take every line once, in the order it was stored, and go on where they were: what lines are sent on from.
//!
//! A [`Reader`] is handed lines in windows of a few numbered batches. What a window holds is durable before its lines are
//! handed over, and so are these: whatever is killed, the same lines come again under the same number until they are
//! acknowledged. So whoever remembers the last number has each line exactly once.
//!
//! # Where a reader is
//!
//! A position counts, of each stream, how many lines were taken since a *base*, a sequence of the journal. Lines of a stream
//! keep their order when a journal file is replaced, becomes a segment or is merged, so a count is true of whatever files hold
//! them, as long as none of them begins before the base and ends behind it. Hence a merge never joins what is before a base with
//! what is behind it, and the base moves on only while nothing is merged. It moves once a file is taken as a whole and closed, and
//! the counts start again with it, so that they stay few.
//!
//! Order is that of storing, not of times: what comes late is not missed. Files come one after the other, the streams of one by
//! their labels.
//!
//! What retention drops before it was taken is counted, in the same commit that moves the base behind it.

pub(super) mod position;

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::log_database::database::Database;
use crate::log_database::index::{Index, Stored, StoredIn};
use crate::log_database::part::Part;
use crate::log_database::reader::position::{Extent, Position};
use crate::log_database::scan::stream_id;
use crate::log_database::{Error, internal};
use crate::model::{Checkpoint, Labels, Lines, StreamLines, Timestamp};

/// What a line counts for in a batch beside its text, in bytes.
const LINE_BYTES: usize = 16;
/// Longest name of a reader, in bytes.
pub const READER_NAME_BYTES_MAX: usize = 1024;

/// Where a reader begins that was not there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest line.
    Beginning,
    /// Behind what is stored.
    Now,
}

/// How much is handed over at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// A batch takes no more lines once it has so many bytes of text.
    pub batch_bytes: usize,
    /// Most batches of a window.
    pub batches: usize,
}

/// Batches that are handed over and were not acknowledged. Their lines are durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The number of the first one; the others follow it.
    pub first: u64,
    /// Lines by stream, with the labels that they are stored with.
    pub batches: Vec<Vec<StreamLines>>,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of the last batch that was acknowledged.
    pub number: u64,
    /// Lines that wait to be acknowledged.
    pub lines: u64,
    /// Bytes of text in them, about.
    pub bytes: u64,
    /// The earliest time in what they are stored with; `None` where none wait.
    pub oldest: Option<Timestamp>,
    /// How many lines retention has dropped before they were taken.
    pub dropped: u64,
    /// How many lines were refused.
    pub refused: u64,
}

/// Which streams a reader takes, by the labels that they are stored with.
pub(super) type Wanted = Arc<dyn Fn(&Labels) -> bool + Send + Sync>;

/// The readers of a database.
#[derive(Default)]
pub(super) struct Readers {
    positions: BTreeMap<String, Position>,
    /// Which streams each one takes that is there.
    wanted: HashMap<String, Wanted>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("positions", &self.positions).finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn of(positions: Vec<(String, Position)>) -> Self {
        Self { positions: positions.into_iter().collect(), wanted: HashMap::new() }
    }

    /// Whether a reader counts from between the two files: they are not merged.
    pub(super) fn are_apart(&self, last: u64, first: u64) -> bool {
        self.positions.values().any(|position| last < position.base && position.base <= first)
    }

    /// What is to be stored because lines that could not be read are gone, by the ids of their streams: where they were among those
    /// that count from the base is not known, so as many are handed over again rather than passed over.
    pub(super) fn lose(&mut self, sequence: u64, lost: &HashMap<u64, u64>) -> Vec<Checkpoint> {
        let mut checkpoints = Vec::new();
        for (name, position) in self.positions.iter_mut().filter(|(_, position)| position.base <= sequence) {
            for (id, lines) in lost {
                if let Some(taken) = position.taken.get_mut(id) {
                    *taken = taken.saturating_sub(*lines);
                    checkpoints.push(position.stream(name, *id));
                }
            }
        }
        checkpoints
    }

    /// What is to be stored before the files of `sequences`, the oldest ones, are dropped. What is not taken of them is counted.
    pub(super) fn leave(&mut self, index: &Index, sequences: &RangeInclusive<u64>) -> Vec<Checkpoint> {
        let mut checkpoints = Vec::new();
        for (name, position) in &mut self.positions {
            if sequences.end() < &position.base {
                continue;
            }
            let wanted = self.wanted.get(name);
            let is_wanted = |labels: &Labels| wanted.is_none_or(|wanted| wanted(labels));
            let (mut untaken, mut in_window, mut taken) = (0, 0, position.taken.clone());
            let mut window: HashMap<u64, u64> = HashMap::new();
            for (id, lines) in position.unacknowledged().iter().flatten().filter(|_| !position.is_window_dropped) {
                *window.entry(*id).or_default() += lines;
            }
            for (labels, files) in streams_in(index, sequences.clone()).filter(|(labels, _)| is_wanted(labels)) {
                let (id, lines) = (stream_id(labels), line_count(files));
                let taken_of = taken.remove(&id).unwrap_or(0);
                untaken += lines.saturating_sub(taken_of);
                in_window += window.get(&id).copied().unwrap_or(0).min(lines.saturating_sub(taken_of));
                if lines < taken_of {
                    taken.insert(id, taken_of - lines);
                }
            }
            // The window's lines are in somebody's hands, and are counted once nobody can have them any more.
            position.is_window_dropped |= 0 < in_window;
            position.dropped += untaken - in_window;
            checkpoints.extend(position.move_on(name, sequences.end() + 1, taken));
        }
        checkpoints
    }
}

impl Position {
    /// Counts from `base` on, from where so many lines of each stream were `taken`; what is to be stored.
    fn move_on(&mut self, name: &str, base: u64, taken: HashMap<u64, u64>) -> Vec<Checkpoint> {
        let mut changed: Vec<u64> = self.taken.keys().copied().chain(taken.keys().copied()).collect();
        changed.sort_unstable();
        changed.dedup();
        (self.base, self.taken) = (base, taken);
        let mut checkpoints: Vec<Checkpoint> = changed.into_iter().map(|id| self.stream(name, id)).collect();
        checkpoints.push(self.place(name));
        checkpoints
    }
}

/// Takes all lines of a database, or those of some streams, and goes on where it was after a restart. There is one of a name at a time.
pub struct Reader {
    database: Database,
    name: String,
    wanted: Wanted,
    /// The ids of the streams that were met since the base moved.
    ids: HashMap<Labels, u64>,
    /// How often had been committed when nothing was left.
    idle_since: Option<u64>,
    /// A block is longer than a window.
    cache: Cache,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Database {
    /// The reader called `name`, where it was; one that was not there before begins at `start`. It takes the streams that
    /// `is_wanted` accepts by the labels that they are stored with; `identity` tells a new one from all others.
    ///
    /// # Errors
    ///
    /// The medium failed.
    pub fn reader(
        &self,
        name: &str,
        start: StartAt,
        identity: [u8; 16],
        is_wanted: impl Fn(&Labels) -> bool + Send + Sync + 'static,
    ) -> Result<Reader, Error> {
        assert!(name.len() <= READER_NAME_BYTES_MAX && !name.contains('\0'), "the caller's names are short");
        // What is behind the position that is stored has to be there after a crash.
        self.sync()?;
        let wanted: Wanted = Arc::new(is_wanted);
        self.with_readers(|readers, index| {
            readers.wanted.insert(name.to_owned(), Arc::clone(&wanted));
            if readers.positions.contains_key(name) {
                return Vec::new();
            }
            let mut position = Position { identity, ..Position::default() };
            if start == StartAt::Now {
                position.base = index.journal.keys().next_back().copied().unwrap_or_default();
                let streams = streams_in(index, position.base..=u64::MAX);
                position.taken = streams.map(|(labels, files)| (stream_id(labels), line_count(files))).collect();
            }
            let mut checkpoints: Vec<Checkpoint> = position.taken.keys().map(|id| position.stream(name, *id)).collect();
            checkpoints.push(position.place(name));
            readers.positions.insert(name.to_owned(), position);
            checkpoints
        })?;
        Ok(Reader {
            database: self.clone(),
            name: name.to_owned(),
            wanted,
            ids: HashMap::new(),
            idle_since: None,
            cache: Cache::default(),
        })
    }
}

impl Reader {
    /// Tells its batches from those of any other reader.
    pub fn identity(&self) -> [u8; 16] {
        self.database
            .look_at_readers(|readers, _| readers.positions.get(&self.name).map(|position| position.identity))
            .unwrap_or_default()
    }

    /// Takes another identity: the numbers of this one were given out already, as after a copy of the data was put back.
    ///
    /// # Errors
    ///
    /// The medium failed.
    pub fn set_identity(&mut self, identity: [u8; 16]) -> Result<(), Error> {
        self.change(|position, name| {
            position.identity = identity;
            vec![position.place(name)]
        })?;
        self.database.sync()
    }

    /// What comes next: the same until it is acknowledged, and `None` where there is nothing. Commits what is pending, and waits
    /// until it is durable.
    ///
    /// # Errors
    ///
    /// The medium failed; the next call tries again.
    pub fn next(&mut self, limits: WindowLimits) -> Result<Option<Window>, Error> {
        self.database.commit()?;
        let commits = self.database.commit_count();
        if self.idle_since == Some(commits) {
            return Ok(None);
        }
        if let Some(window) = self.same_again()? {
            return Ok(Some(window));
        }
        let index = self.database.index();
        let position = self.position();
        let (window, extents) = self.collect(&index, &position, limits);
        if window.batches.is_empty() {
            self.cache = Cache::default();
            self.move_base()?;
            self.idle_since = Some(commits);
            return Ok(None);
        }
        self.change(|position, name| {
            position.window = Some((window.first, extents));
            position.is_window_dropped = false;
            vec![position.window(name), position.place(name)]
        })?;
        self.database.sync()?;
        Ok(Some(window))
    }

    /// Counts the batch `number` as taken, and with it all before it. Of its lines `refused` were not.
    ///
    /// # Errors
    ///
    /// The medium failed. What is acknowledged is stored with the next commit that succeeds.
    pub fn acknowledge(&mut self, number: u64, refused: u64) -> Result<(), Error> {
        self.change(|position, name| {
            let count = usize::try_from(number.saturating_sub(position.number)).unwrap_or(usize::MAX);
            let acknowledged: Vec<(u64, u64)> =
                position.unacknowledged().iter().take(count).flatten().copied().collect();
            position.number = position.number.max(number);
            position.refused += refused;
            let mut checkpoints = Vec::new();
            if !position.is_window_dropped {
                for (id, lines) in acknowledged {
                    *position.taken.entry(id).or_default() += lines;
                    checkpoints.push(position.stream(name, id));
                }
            }
            if position.unacknowledged().is_empty() {
                position.window = None;
                position.is_window_dropped = false;
                checkpoints.push(position.window(name));
            }
            checkpoints.push(position.place(name));
            checkpoints
        })?;
        self.database.commit()
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let (index, position) = (self.database.index(), self.position());
        let mut progress = Progress {
            number: position.number,
            dropped: position.dropped,
            refused: position.refused,
            ..Progress::default()
        };
        for (labels, files) in streams_in(&index, position.base..=u64::MAX) {
            if !(self.wanted)(labels) {
                continue;
            }
            let mut skip = position.taken.get(&self.id_of(labels)).copied().unwrap_or(0);
            for part in files.iter().flat_map(Stored::iter) {
                let lines = u64::from(part.line_count);
                let rest = lines - skip.min(lines);
                skip -= skip.min(lines);
                if 0 < rest {
                    progress.lines += rest;
                    progress.bytes += u64::from(part.text_bytes) * rest / lines;
                    progress.oldest = Some(progress.oldest.map_or(part.earliest, |oldest| oldest.min(part.earliest)));
                }
            }
        }
        progress
    }

    /// The window that was handed over before, as it was. One whose lines are gone is counted as dropped, for nobody can send them.
    fn same_again(&mut self) -> Result<Option<Window>, Error> {
        let position = self.position();
        if position.unacknowledged().is_empty() {
            return Ok(None);
        }
        let index = self.database.index();
        let mut window = Window { first: position.number + 1, batches: Vec::new() };
        let mut skips = position.taken.clone();
        let streams: HashMap<u64, (&Labels, &[Stored])> = if position.is_window_dropped {
            HashMap::new()
        } else {
            streams_in(&index, position.base..=u64::MAX)
                .map(|(labels, files)| (stream_id(labels), (labels, files)))
                .collect()
        };
        for extent in position.unacknowledged() {
            let mut batch = Vec::new();
            for (id, lines) in extent {
                let skip = skips.entry(*id).or_default();
                if let Some((labels, files)) = streams.get(id) {
                    let mut cache = Cache::default();
                    let mut some = Lines::default();
                    let mut rest = Rest { files, skip: *skip, lines: *lines };
                    rest.take_into(&mut some, usize::MAX, &mut cache);
                    batch.push(StreamLines { labels: (*labels).clone(), lines: some });
                }
                *skip += lines;
            }
            window.batches.push(batch);
        }
        if window.batches.iter().flatten().any(|stream| !stream.lines.is_empty()) {
            return Ok(Some(window));
        }
        // Retention, or damage, has taken all of it.
        self.change(|position, name| {
            position.dropped += position.window_lines();
            let (first, batches) = position.window.take().unwrap_or_default();
            position.number = position.number.max(first + batches.len() as u64 - 1);
            position.is_window_dropped = false;
            vec![position.window(name), position.place(name)]
        })?;
        Ok(None)
    }

    /// Lines behind `position`, of the first file that has any, and how far each batch goes: further than its lines where some
    /// cannot be read.
    fn collect(&mut self, index: &Index, position: &Position, limits: WindowLimits) -> (Window, Vec<Extent>) {
        let mut window = Window { first: position.number + 1, batches: Vec::new() };
        let mut extents = Vec::new();
        let mut skips = position.taken.clone();
        for sequences in files_from(index, position.base) {
            let (mut batch, mut extent, mut batch_bytes) = (Vec::new(), Extent::new(), 0);
            for (labels, files) in streams_in(index, sequences) {
                if !(self.wanted)(labels) {
                    continue;
                }
                let id = self.id_of_known(labels);
                let skip = skips.entry(id).or_default();
                let lines = line_count(files);
                let mut rest = Rest { files, skip: (*skip).min(lines), lines: lines.saturating_sub(*skip) };
                *skip = skip.saturating_sub(lines);
                while 0 < rest.lines {
                    let (mut some, before) = (Lines::default(), rest.lines);
                    rest.take_into(&mut some, limits.batch_bytes.saturating_sub(batch_bytes).max(1), &mut self.cache);
                    extent.push((id, before - rest.lines));
                    batch_bytes += cost_bytes(&some);
                    batch.push(StreamLines { labels: labels.clone(), lines: some });
                    if limits.batch_bytes <= batch_bytes {
                        window.batches.push(std::mem::take(&mut batch));
                        extents.push(std::mem::take(&mut extent));
                        batch_bytes = 0;
                        if limits.batches <= window.batches.len() {
                            return (window, extents);
                        }
                    }
                }
            }
            if !batch.is_empty() {
                window.batches.push(batch);
                extents.push(extent);
            }
            if !window.batches.is_empty() {
                break;
            }
        }
        (window, extents)
    }

    /// Counts from the first file that is not taken as a whole, or the newest.
    fn move_base(&mut self) -> Result<(), Error> {
        let database = self.database.clone();
        let Some(_still) = database.try_maintenance() else { return Ok(()) };
        let index = database.index();
        let newest = index.journal.keys().next_back().copied().unwrap_or(u64::MAX);
        let mut position = self.position();
        let mut base = position.base;
        let mut taken = std::mem::take(&mut position.taken);
        for sequences in files_from(&index, base) {
            let mut rest = taken.clone();
            let mut is_taken = *sequences.end() < newest;
            for (labels, files) in streams_in(&index, sequences.clone()) {
                if !(self.wanted)(labels) {
                    continue;
                }
                let lines = line_count(files);
                let taken_of = rest.entry(self.id_of_known(labels)).or_default();
                is_taken &= lines <= *taken_of;
                *taken_of = taken_of.saturating_sub(lines);
            }
            if !is_taken {
                break;
            }
            rest.retain(|_, taken| 0 < *taken);
            (base, taken) = (sequences.end() + 1, rest);
        }
        if base == position.base {
            return Ok(());
        }
        self.ids.clear();
        self.change(|position, name| position.move_on(name, base, taken))
    }

    fn position(&self) -> Position {
        self.database.look_at_readers(|readers, _| readers.positions.get(&self.name).cloned()).unwrap_or_default()
    }

    /// Changes the position; `change` says what is to be stored of it.
    fn change(&self, change: impl FnOnce(&mut Position, &str) -> Vec<Checkpoint>) -> Result<(), Error> {
        self.database.with_readers(|readers, _| match readers.positions.get_mut(&self.name) {
            Some(position) => change(position, &self.name),
            None => Vec::new(),
        })
    }

    fn id_of(&self, labels: &Labels) -> u64 {
        self.ids.get(labels).copied().unwrap_or_else(|| stream_id(labels))
    }

    fn id_of_known(&mut self, labels: &Labels) -> u64 {
        if let Some(id) = self.ids.get(labels) {
            return *id;
        }
        let id = stream_id(labels);
        self.ids.insert(labels.clone(), id);
        id
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Its position stays.
        let _ = self.database.with_readers(|readers, _| {
            readers.wanted.remove(&self.name);
            Vec::new()
        });
    }
}

/// What lines count for in a batch, in bytes.
fn cost_bytes(lines: &Lines) -> usize {
    lines.byte_count() + lines.len() * LINE_BYTES
}

/// The part that was read last, for who takes it in pieces, and the file that it is in.
#[derive(Debug, Default)]
struct Cache(Option<(StoredIn, u64, Lines)>);

impl Cache {
    /// The lines of a part; none where it cannot be read, which is counted and logged.
    fn read(&mut self, file: &StoredIn, part: &Part) -> &Lines {
        if !self.0.as_ref().is_some_and(|(known, offset, _)| known.is_same_as(file) && *offset == part.offset) {
            let lines = match file {
                StoredIn::Journal(file) => file.read(part),
                StoredIn::Segment(segment) => segment.decode_block(part).ok(),
            };
            self.0 = Some((file.clone(), part.offset, lines.unwrap_or_default()));
        }
        &self.0.as_ref().expect("it was just read").2
    }
}

/// Lines of a stream that were not taken.
#[derive(Clone, Copy, Debug)]
struct Rest<'a> {
    files: &'a [Stored],
    /// How many to pass over.
    skip: u64,
    /// How many to take behind them.
    lines: u64,
}

impl Rest<'_> {
    /// Takes lines until they have `bytes_max` bytes, and at least one. Those that cannot be read are passed over.
    fn take_into(&mut self, out: &mut Lines, bytes_max: usize, cache: &mut Cache) {
        let mut before = 0;
        for (file, part) in self.files.iter().flat_map(|stored| stored.iter().map(|part| (&stored.file, part))) {
            let (start, end) = (before, before + u64::from(part.line_count));
            before = end;
            if end <= self.skip {
                continue;
            }
            if self.lines == 0 {
                return;
            }
            let lines = cache.read(file, part);
            while self.skip < end && 0 < self.lines {
                let place = usize::try_from(self.skip - start).unwrap_or(usize::MAX);
                if place < lines.len() {
                    let (time, line) = lines.get(place);
                    if !out.is_empty() && bytes_max <= cost_bytes(out) {
                        return;
                    }
                    out.push(time, line);
                }
                self.skip += 1;
                self.lines -= 1;
            }
        }
        self.lines = 0;
    }
}

/// The sequences of each file that counts from `base` on, oldest first.
fn files_from(index: &Index, base: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
    let segments = index.segments.range(base..).map(|(_, segment)| segment.sequences().clone());
    segments.chain(index.journal.range(base..).map(|(sequence, _)| *sequence..=*sequence))
}

/// The streams of lines in the files of `sequences`.
fn streams_in(index: &Index, sequences: RangeInclusive<u64>) -> impl Iterator<Item = (&Labels, &[Stored])> {
    index.parts_in(sequences).filter(|(labels, _)| !internal::is_internal(labels))
}

fn line_count(files: &[Stored]) -> u64 {
    files.iter().flat_map(Stored::iter).map(|part| u64::from(part.line_count)).sum()
}

#[cfg(test)]
mod tests;
