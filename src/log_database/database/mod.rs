//! The database's handle: appends, commits and syncs, hands out snapshots, and moves lines from the journal to segments.
//!
//! # Locks
//!
//! `maintenance` is held while the journal becomes segments and segments are merged or dropped; `writer` while the
//! journal is written or synced, however long that takes; `state` for a few pointer copies, and never across I/O. Who
//! needs more than one takes them in this order. So a slow sync blocks neither [`Database::append`] nor readers, and
//! encoding blocks none of them.

mod maintenance;
mod reserve;
mod retention;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::log_database::Error;
use crate::log_database::database::maintenance::Maintenance;
use crate::log_database::database::reserve::Reserve;
use crate::log_database::index::Index;
use crate::log_database::internal;
use crate::log_database::journal::{self, JournalFile, Replay, Rollover, Settled, Skeleton, Writer};
use crate::log_database::part::StreamParts;
use crate::log_database::reader::{Readers, position};
use crate::log_database::segment::{self, Segment};
use crate::log_database::snapshot::Snapshot;
use crate::log_database::statistics::{Dropped, Statistics};
use crate::log_database::storage::Storage;
use crate::log_database::subscription::{QUEUE_BYTES_MAX, Queue, Received, Subscription};
use crate::log_database::view::View;
use crate::model::{Batch, Checkpoint, Labels, StreamLines};
use crate::status::Counter;

pub use retention::RetentionLimits;

/// Most bytes of memory that batches take before they are committed; the caller commits long before. Bounds memory
/// while the medium takes no writes, and with it the length of a record, which the format counts in 32 bits.
pub const PENDING_BYTES_MAX: usize = 256 << 20;
/// How much room is left for what readers store with a commit, in bytes: a few hundred thousand checkpoints.
const READERS_BYTES_MIN: usize = 32 << 20;
/// No file is made longer than such a part of what is kept, so that retention drops little more than it has to.
const RETENTION_SHARE: u64 = 16;
/// But journal files have as much as is usually committed at once, in bytes: each costs a few syncs.
const JOURNAL_BYTES_MIN: u64 = 1 << 20;
/// What a line takes in memory and at most in a record beside its text, in bytes.
const LINE_COST_BYTES: usize = 16;
/// What a stream or a checkpoint takes in memory beside its texts, in bytes.
const STREAM_COST_BYTES: usize = 64;

/// How long files and blocks become; tests make them short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) journal: journal::Limits,
    pub(super) segment: segment::Limits,
    /// How much is reserved for when the medium is full: about what waits for a commit.
    pub(super) reserve_bytes: usize,
    /// How much waits for a subscriber.
    pub(super) subscription_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (journal, segment) = (journal::Limits::default(), segment::Limits::default());
        Self { journal, segment, reserve_bytes: 1 << 20, subscription_bytes: QUEUE_BYTES_MAX }
    }
}

impl Limits {
    /// Those for keeping so much: shorter files where that is little.
    fn of(retention: RetentionLimits) -> Self {
        let mut limits = Self::default();
        if let Some(share) = retention.bytes.map(|bytes| bytes / RETENTION_SHARE) {
            limits.segment.file_bytes_max = limits.segment.file_bytes_max.min(share);
            limits.journal.file_bytes = limits.journal.file_bytes.min(share.max(JOURNAL_BYTES_MIN));
        }
        limits
    }
}

/// What the user decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How much is kept.
    pub retention: RetentionLimits,
}

/// The log database of one data directory. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct Database {
    shared: Arc<Shared>,
    /// What this handle shows.
    view: View,
}

#[derive(Debug)]
struct Shared {
    storage: Arc<dyn Storage>,
    options: Options,
    limits: Limits,
    reserve: Reserve,
    maintenance: Mutex<Maintenance>,
    writer: Mutex<Writer>,
    state: Mutex<State>,
    counters: Counters,
    cut_bytes: u64,
    quarantined_bytes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    commits: Counter,
    syncs: Counter,
    sync_failures: Counter,
    /// Parts of journal files that are no more, which could not be read when their lines were moved to segments.
    lost_parts: Counter,
    dropped_segments: Counter,
    last_dropped: Mutex<Option<Dropped>>,
}

/// Of how many sources a line is shown that has begun and not ended.
const UNENDED_MAX: usize = 10_000;

/// What readers see.
#[derive(Debug, Default)]
struct State {
    index: Arc<Index>,
    /// The newest committed position of each source that was not forgotten.
    checkpoints: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Those at the end of each closed journal file, by its sequence.
    closing: BTreeMap<u64, Arc<Vec<Checkpoint>>>,
    /// Batches that a commit is writing, or failed to write.
    committing: Arc<Vec<Arc<Batch>>>,
    /// Batches that were appended after them.
    pending: Arc<Vec<Arc<Batch>>>,
    /// What both cost.
    pending_bytes: usize,
    /// Lines of each source that have begun and not ended: readers see them, and they are never stored.
    unended: BTreeMap<Vec<u8>, Arc<Batch>>,
    /// Those who go on where they were, as their appended checkpoints say.
    readers: Readers,
    /// Those who see each batch as it is appended; ones that have left are noticed at the next.
    subscribers: Vec<Weak<Queue>>,
}

impl Database {
    /// Opens the database in `storage` and finds out what it holds. What a crash cut off and what is damaged is logged,
    /// counted in [`Database::statistics`], and does not keep the rest from being read.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedVersion`]: a newer build wrote it. Nothing was changed.
    /// - [`Error::Io`]: the medium failed. Nothing was changed; trying again is safe.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self, Error> {
        Self::open_with(storage, Options::default())
    }

    /// As [`Database::open`], with other options.
    pub fn open_with(storage: Arc<dyn Storage>, options: Options) -> Result<Self, Error> {
        Self::open_limited(storage, options, Limits::of(options.retention))
    }

    pub(super) fn open_limited(storage: Arc<dyn Storage>, options: Options, limits: Limits) -> Result<Self, Error> {
        let mut state = State::default();
        let mut segments = segment::recover(storage.as_ref())?;
        let mut settled = Settled { newest: segments.newest, ..Settled::default() };
        for (segment, streams) in segments.complete.drain(..) {
            settled.sequences.push(segment.sequences().clone());
            Arc::make_mut(&mut state.index).add_segment(&Arc::new(segment), &streams);
        }
        // Where the journal that says better is lost.
        state.add_checkpoints(&segments.checkpoints);
        let recovered = journal::recover(storage.as_ref(), &settled, &mut state)?;
        for (segment, streams) in segments.damaged.drain(..) {
            state.add_damaged(segment, &streams);
        }
        state.readers = Readers::of(position::of_checkpoints(state.checkpoints.iter()));
        segment::remove(storage.as_ref(), &segments.obsolete);
        let cut_bytes = recovered.cut_bytes;
        let quarantined_bytes = recovered.quarantined_bytes.saturating_add(segments.quarantined_bytes);
        let writer = Mutex::new(Writer::new(Arc::clone(&storage), limits.journal, recovered));
        let state = Mutex::new(state);
        let shared = Shared {
            reserve: Reserve::open(storage.as_ref(), limits.reserve_bytes),
            storage,
            options,
            limits,
            maintenance: Mutex::default(),
            writer,
            state,
            counters: Counters::default(),
            cut_bytes,
            quarantined_bytes,
        };
        Ok(Self { shared: Arc::new(shared), view: View::default() })
    }

    /// Takes a batch. On return queries see it; it survives the process once [`Database::commit`] returns, and the
    /// machine once [`Database::sync`] does. Never waits for the medium.
    ///
    /// # Errors
    ///
    /// - [`Error::PendingFull`]: too much is waiting for a commit. The batch was not taken.
    pub fn append(&self, batch: Batch) -> Result<(), Error> {
        let bytes = cost_bytes(&batch);
        let mut state = self.state();
        let pending = state.pending_bytes;
        if PENDING_BYTES_MAX - pending < bytes {
            return Err(Error::PendingFull { bytes, pending });
        }
        state.pending_bytes += bytes;
        if let Some(checkpoint) = &batch.checkpoint {
            state.unended.remove(&checkpoint.source);
        }
        let batch = Arc::new(batch);
        // What internal streams say is for no subscriber, but may change what others are called.
        let subscribers = if internal::is_all_internal(&batch) {
            state.subscribers.iter().filter_map(Weak::upgrade).collect()
        } else {
            state.hand_over(&batch, bytes)
        };
        Arc::make_mut(&mut state.pending).push(batch);
        drop(state);
        for subscriber in subscribers {
            subscriber.wake();
        }
        Ok(())
    }

    /// Shows lines of a source that have begun and not ended, in the place of those shown before. They are not stored, and gone
    /// with the next batch of the source, which has them if they have ended.
    pub fn show_unended(&self, source: Vec<u8>, streams: Vec<StreamLines>) {
        let mut state = self.state();
        if streams.is_empty() {
            state.unended.remove(&source);
        } else if state.unended.len() < UNENDED_MAX || state.unended.contains_key(&source) {
            state.unended.insert(source, Arc::new(Batch { checkpoint: None, streams }));
        }
    }

    /// Everything appended so far, and everything that is appended from here on: each batch is in one of them. `wake` is
    /// called after each append, by the thread that appends, and so must not wait for anything.
    pub fn subscribe(&self, wake: impl Fn() + Send + Sync + 'static) -> (Snapshot, Subscription) {
        let (subscription, queue) =
            Subscription::new(self.shared.limits.subscription_bytes, self.view.clone(), Box::new(wake));
        let mut state = self.state();
        state.subscribers.retain(|subscriber| 0 < subscriber.strong_count());
        state.subscribers.push(Arc::downgrade(&queue));
        (state.snapshot_of([]).within(&self.view), subscription)
    }

    /// What `subscription` to this database has received since the last look, and everything appended up to then: the
    /// snapshot holds what was received, and nothing that comes after it.
    pub fn receive(&self, subscription: &Subscription) -> (Snapshot, Received) {
        let state = self.state();
        (state.snapshot_of([]).within(&self.view), subscription.take())
    }

    /// Writes everything that is pending as one record: lines and checkpoints together or not at all.
    ///
    /// # Errors
    ///
    /// Everything stays pending and visible, and the next call tries again.
    pub fn commit(&self) -> Result<(), Error> {
        self.with_reserve(|| self.commit_with(&mut self.writer()))
    }

    /// Commits, and waits until everything committed is on the medium. Does nothing where it is already.
    ///
    /// # Errors
    ///
    /// As [`Database::commit`]; and what was committed since the last sync may not be durable. The next call writes
    /// that to a new file, because the medium cannot be asked again for the old one.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = self.with_reserve(|| self.sync_with(&mut self.writer()));
        match &synced {
            Ok(is_new) => self.shared.counters.syncs.add(u64::from(*is_new)),
            Err(_) => self.shared.counters.sync_failures.add(1),
        }
        synced.map(|_| ())
    }

    /// # Errors
    ///
    /// The files are not where they were any more: nothing can be committed. Not asked while something is.
    pub fn check(&self) -> Result<(), Error> {
        match self.shared.writer.try_lock() {
            Ok(writer) => writer.check(),
            Err(_) => Ok(()),
        }
    }

    /// What pending batches take in memory, in bytes.
    pub fn pending_bytes(&self) -> usize {
        self.state().pending_bytes
    }

    /// How many streams have committed lines, and how many bytes their labels have together.
    pub fn stream_totals(&self) -> (usize, usize) {
        let state = self.state();
        (state.index.streams.len(), state.index.streams.label_bytes())
    }

    /// Which of `streams` have committed lines, in their order.
    pub fn are_known<'l>(&self, streams: impl Iterator<Item = &'l Labels>) -> Vec<bool> {
        let state = self.state();
        streams.map(|labels| state.index.streams.get(labels).is_some()).collect()
    }

    /// The newest committed position of every source that was not forgotten, by source.
    pub fn checkpoints(&self) -> Vec<Checkpoint> {
        self.state().checkpoints()
    }

    /// How many commits there were since the start.
    pub(super) fn commit_count(&self) -> u64 {
        self.shared.counters.commits.get()
    }

    /// What `look` finds out of the readers and everything that is committed.
    pub(super) fn look_at_readers<T>(&self, look: impl FnOnce(&Readers, &Index) -> T) -> T {
        let state = self.state();
        look(&state.readers, &state.index)
    }

    /// Changes the readers, and appends the checkpoints that `change` returns, to be committed together.
    ///
    /// # Errors
    ///
    /// - [`Error::PendingFull`]: too much is waiting for a commit. Nothing was changed.
    pub(super) fn with_readers(
        &self,
        change: impl FnOnce(&mut Readers, &Index) -> Vec<Checkpoint>,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let state = &mut *state;
        if PENDING_BYTES_MAX - state.pending_bytes < READERS_BYTES_MIN {
            return Err(Error::PendingFull { bytes: READERS_BYTES_MIN, pending: state.pending_bytes });
        }
        for checkpoint in change(&mut state.readers, &state.index) {
            let batch = Batch { checkpoint: Some(checkpoint), streams: Vec::new() };
            state.pending_bytes += cost_bytes(&batch);
            Arc::make_mut(&mut state.pending).push(Arc::new(batch));
        }
        Ok(())
    }

    /// Everything appended so far, for reading at leisure.
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot().within(&self.view)
    }

    /// A handle that shows no other streams than those that `shows` accepts, by the labels that they are stored with. What it
    /// is given to append is not looked at.
    #[must_use]
    pub fn limited_to(&self, shows: impl Fn(&Labels) -> bool + Send + Sync + 'static) -> Self {
        Self { view: self.view.limited_to(shows), ..self.clone() }
    }

    /// Whether the stream that is stored with these labels is shown.
    pub fn shows(&self, stored: &Labels) -> bool {
        self.view.shows_stored(stored)
    }

    /// What the database holds and what happened to it.
    pub fn statistics(&self) -> Statistics {
        let counters = &self.shared.counters;
        let statistics = self.snapshot().statistics();
        if self.view.is_limited() {
            // The rest tells of all streams.
            let Statistics { streams, lines, bytes, oldest, .. } = statistics;
            return Statistics { streams, lines, bytes, oldest, ..Statistics::default() };
        }
        Statistics {
            unreadable_parts: statistics.unreadable_parts + counters.lost_parts.get(),
            disk_bytes: statistics.disk_bytes + self.shared.reserve.size_bytes(),
            cut_bytes: self.shared.cut_bytes,
            quarantined_bytes: self.shared.quarantined_bytes,
            commits: counters.commits.get(),
            syncs: counters.syncs.get(),
            sync_failures: counters.sync_failures.get(),
            dropped_segments: counters.dropped_segments.get(),
            last_dropped: *counters.last_dropped.lock().unwrap_or_else(PoisonError::into_inner),
            ..statistics
        }
    }

    /// How much is kept.
    pub fn retention(&self) -> RetentionLimits {
        self.shared.options.retention
    }

    /// Bytes that the medium still takes.
    pub fn free_bytes(&self) -> Result<u64, Error> {
        Ok(self.shared.storage.free_bytes()?)
    }

    /// Bytes of the file system that the database is on.
    pub fn total_bytes(&self) -> Result<u64, Error> {
        Ok(self.shared.storage.total_bytes()?)
    }

    /// Tries once more where the medium is full and the reserve makes room.
    fn with_reserve<T>(&self, operation: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        match operation() {
            Err(error) if error.is_full() && self.shared.reserve.release(self.shared.storage.as_ref()) => operation(),
            result => result,
        }
    }

    /// Whether there was anything to make durable.
    fn sync_with(&self, writer: &mut Writer) -> Result<bool, Error> {
        self.commit_with(writer)?;
        if !writer.must_replace() {
            return writer.sync();
        }
        self.roll_over(writer)?;
        Ok(true)
    }

    fn commit_with(&self, writer: &mut Writer) -> Result<(), Error> {
        let batches = self.state().begin_commit();
        if batches.is_empty() {
            return Ok(());
        }
        writer.check()?;
        if !writer.is_writable() {
            self.roll_over(writer)?;
        }
        let (skeleton, file, body_start) = writer.append(&batches)?;
        self.state().finish_commit(&skeleton, &file, body_start);
        self.shared.counters.commits.add(1);
        Ok(())
    }

    fn roll_over(&self, writer: &mut Writer) -> Result<(), Error> {
        let checkpoints = self.checkpoints();
        let rollover = writer.roll_over(&checkpoints)?;
        self.state().finish_rollover(&rollover, checkpoints);
        Ok(())
    }

    /// Waits for a commit or sync in progress. A panic in one leaves a file that is not trusted, and nothing worse.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held for a few pointer copies only.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay for State {
    fn begin_file(&mut self, file: &Arc<JournalFile>, is_whole: bool) {
        let before = self.index.journal.last_key_value().map(|(sequence, _)| *sequence);
        if let Some(before) = before {
            self.closing.insert(before, Arc::new(self.checkpoints()));
        }
        if is_whole {
            self.checkpoints.clear();
        }
        Arc::make_mut(&mut self.index).add_file(file);
    }

    fn take_record(&mut self, file: &Arc<JournalFile>, skeleton: &Skeleton, body_start: u64) {
        Arc::make_mut(&mut self.index).add_record(skeleton, file, body_start);
        self.add_checkpoints(&skeleton.checkpoints);
    }
}

impl State {
    fn snapshot(&self) -> Snapshot {
        self.snapshot_of(self.unended.values().cloned())
    }

    /// What was appended, and the lines of `unended`.
    fn snapshot_of(&self, unended: impl IntoIterator<Item = Arc<Batch>>) -> Snapshot {
        let unended = Arc::new(unended.into_iter().collect());
        Snapshot::new(Arc::clone(&self.index), [Arc::clone(&self.committing), Arc::clone(&self.pending), unended])
    }

    /// Gives all subscribers a batch; those who are still there have to be woken.
    fn hand_over(&mut self, batch: &Arc<Batch>, cost_bytes: usize) -> Vec<Arc<Queue>> {
        let mut present = Vec::new();
        self.subscribers.retain(|subscriber| {
            let Some(queue) = subscriber.upgrade() else { return false };
            queue.push(batch, cost_bytes);
            present.push(queue);
            true
        });
        present
    }

    /// A damaged segment counts only where nothing that it may have been made of is there.
    fn add_damaged(&mut self, segment: Segment, streams: &[StreamParts]) {
        let index = Arc::make_mut(&mut self.index);
        let sequences = segment.sequences().clone();
        let has_inputs =
            index.journal.range(sequences.clone()).next().is_some() || index.segments.range(sequences).next().is_some();
        if has_inputs {
            log::warn!("{} is left out: what it was made of is still there", segment.name());
        } else {
            index.add_segment(&Arc::new(segment), streams);
        }
    }

    /// Takes a segment in the place of everything inside its range.
    fn exchange(&mut self, segment: &Arc<Segment>, streams: &[StreamParts]) {
        let index = Arc::make_mut(&mut self.index);
        index.remove_files(segment.sequences());
        index.add_segment(segment, streams);
        self.closing.retain(|sequence, _| !segment.sequences().contains(sequence));
    }

    fn remove_files(&mut self, sequences: &RangeInclusive<u64>) {
        Arc::make_mut(&mut self.index).remove_files(sequences);
        self.closing.retain(|sequence, _| !sequences.contains(sequence));
    }

    fn add_checkpoints(&mut self, checkpoints: &[Checkpoint]) {
        for checkpoint in checkpoints {
            match &checkpoint.position {
                Some(position) => self.checkpoints.insert(checkpoint.source.clone(), position.clone()),
                None => self.checkpoints.remove(&checkpoint.source),
            };
        }
    }

    fn checkpoints(&self) -> Vec<Checkpoint> {
        let positions = self.checkpoints.iter();
        positions
            .map(|(source, position)| Checkpoint { source: source.clone(), position: Some(position.clone()) })
            .collect()
    }

    fn begin_commit(&mut self) -> Arc<Vec<Arc<Batch>>> {
        let pending = std::mem::take(&mut self.pending);
        if self.committing.is_empty() {
            self.committing = pending;
        } else {
            // The commit before this one failed.
            Arc::make_mut(&mut self.committing).extend(pending.iter().cloned());
        }
        Arc::clone(&self.committing)
    }

    fn finish_commit(&mut self, skeleton: &Skeleton, file: &Arc<JournalFile>, body_start: u64) {
        Arc::make_mut(&mut self.index).add_record(skeleton, file, body_start);
        self.add_checkpoints(&skeleton.checkpoints);
        let committed = std::mem::take(&mut self.committing);
        self.pending_bytes -= committed.iter().map(|batch| cost_bytes(batch)).sum::<usize>();
    }

    /// The journal goes on in another file; these were the `checkpoints` at the end of the one before.
    fn finish_rollover(&mut self, rollover: &Rollover, checkpoints: Vec<Checkpoint>) {
        let index = Arc::make_mut(&mut self.index);
        index.add_file(&rollover.file);
        if let Some((sequence, offset)) = rollover.replaced {
            index.remove_parts(sequence, offset);
            if rollover.is_replaced_whole {
                index.remove_files(&(sequence..=sequence));
            } else {
                self.closing.insert(sequence, Arc::new(checkpoints));
            }
        }
        for (skeleton, body_start) in &rollover.records {
            index.add_record(skeleton, &rollover.file, *body_start);
        }
    }
}

/// What a batch takes in memory, which also bounds what it takes in a record.
fn cost_bytes(batch: &Batch) -> usize {
    let checkpoint_bytes = batch.checkpoint.as_ref().map_or(0, |checkpoint| {
        STREAM_COST_BYTES + checkpoint.source.len() + checkpoint.position.as_ref().map_or(0, Vec::len)
    });
    let labels = batch.streams.iter().flat_map(|stream| stream.labels.iter());
    let labels_bytes: usize = labels.map(|(name, value)| name.len() + value.len()).sum();
    checkpoint_bytes
        + labels_bytes
        + batch.streams.len() * STREAM_COST_BYTES
        + batch.line_count() * LINE_COST_BYTES
        + batch.byte_count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_database::storage::SimulatedStorage;

    /// Limits for keeping so many bytes: of a journal file, and of a segment.
    #[track_caller]
    fn check_limits(bytes: Option<u64>, expected: (u64, u64)) {
        let limits = Limits::of(RetentionLimits { age: None, bytes });
        assert_eq!((limits.journal.file_bytes, limits.segment.file_bytes_max), expected);
    }

    #[test]
    fn files_are_a_small_part_of_what_is_kept() {
        check_limits(None, (64 << 20, 256 << 20));
        check_limits(Some(10 << 30), (64 << 20, 256 << 20));
        check_limits(Some(800 << 20), (50 << 20, 50 << 20));
        check_limits(Some(20 << 20), (5 << 18, 5 << 18));
        check_limits(Some(1 << 20), (1 << 20, 64 << 10));
        check_limits(Some(0), (1 << 20, 0));
    }

    #[test]
    fn neither_appending_nor_reading_waits_for_a_commit_or_sync_in_progress() {
        let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
        // Whoever took it again here would wait for ever.
        let _in_progress = database.writer();
        database.append(Batch::default()).unwrap();
        database.snapshot();
        database.statistics();
        database.checkpoints();
        database.pending_bytes();
    }
}
