//! Moves lines from the journal to segments, merges segments, and drops the oldest: a step of each kind per call.
//!
//! No lock that a writer or a reader needs is held while lines are encoded. A step makes its file durable first, then
//! exchanges it for its inputs in the index at once, so that each snapshot has every line exactly once, and removes the
//! inputs last.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use crate::log_database::Error;
use crate::log_database::database::Database;
use crate::log_database::index::{Index, Stored};
use crate::log_database::journal::{self, JournalFile};
use crate::log_database::part::{Part, StreamParts};
use crate::log_database::scan::stream_id;
use crate::log_database::segment::{self, Candidate, Segment};
use crate::model::{Labels, Timestamp};

/// After how long the newest journal file is closed although it is short, so that the lines of a quiet machine are
/// compressed as well.
const SEAL_AGE: Duration = Duration::from_hours(1);
/// After how long without another line it is closed as well, if it has so many bytes of them: the raw lines are read by every
/// search, and few of them as fast as a block is. Fewer wait, so that no day is full of tiny segments.
const QUIET_AGE: Duration = Duration::from_mins(1);
const QUIET_BYTES_MIN: u64 = 1 << 20;
/// How often a journal file that cannot be read is tried in full before what can be read of it has to do.
const FLUSH_TRIES: u32 = 10;

/// What maintenance remembers from one step to the next.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    /// The newest journal file.
    newest: Option<Newest>,
    /// The journal file that could not be read in full, and how often that was tried.
    failing: Option<(u64, u32)>,
    /// When a segment was dropped for its age the last time.
    pub(super) aged: Option<Timestamp>,
}

/// The newest journal file, as it was seen.
#[derive(Clone, Copy, Debug)]
struct Newest {
    sequence: u64,
    /// When it was first seen.
    since: Timestamp,
    size_bytes: u64,
    /// When it was first seen with so many bytes, or found to have too few lines to be closed for that.
    still_since: Timestamp,
}

impl Newest {
    /// What is known once the file is seen with so many bytes; a clock that was set back starts again.
    fn seen(before: Option<Self>, sequence: u64, size_bytes: u64, now: Timestamp) -> Self {
        let before = before.filter(|before| before.sequence == sequence);
        let since = before.map(|before| before.since).filter(|since| *since <= now);
        let still = before.filter(|before| before.size_bytes == size_bytes).map(|before| before.still_since);
        let still_since = still.filter(|since| *since <= now).unwrap_or(now);
        Self { sequence, since: since.unwrap_or(now), size_bytes, still_since }
    }
}

/// Whether so much time has passed since `then`, which is not after `now`.
fn has_passed(age: Duration, then: Timestamp, now: Timestamp) -> bool {
    age <= Duration::from_nanos(now.as_ns().saturating_sub(then.as_ns()).unsigned_abs())
}

impl Database {
    /// Drops a segment that is not to be kept, and does what is most urgent of: closing a journal file that is old,
    /// moving a closed one to a segment, and merging segments. `false` where there is nothing to do. Takes as long as
    /// encoding and writing one file does; another call at the same time waits.
    ///
    /// # Errors
    ///
    /// The medium failed in one of the two; what is there stays as it was, and the next call tries again. The other one
    /// was done all the same.
    pub fn maintain(&self, now: Timestamp) -> Result<bool, Error> {
        let mut maintenance = self.maintenance();
        self.shared.reserve.keep(self.shared.storage.as_ref());
        let retained = self.retain(&mut maintenance, now);
        let moved = self.move_lines(&mut maintenance, now);
        Ok(retained? | moved?)
    }

    fn move_lines(&self, maintenance: &mut Maintenance, now: Timestamp) -> Result<bool, Error> {
        Ok(self.close_old_journal(maintenance, now)? || self.flush(maintenance, now)? || self.merge(now)?)
    }

    /// Bytes of journal files that wait for [`Database::maintain`]. Who appends waits while there are too many.
    pub fn backlog_bytes(&self) -> u64 {
        closed_files(&self.index()).map(|file| file.size_bytes()).sum()
    }

    fn close_old_journal(&self, maintenance: &mut Maintenance, now: Timestamp) -> Result<bool, Error> {
        let index = self.index();
        let Some((sequence, file)) = index.journal.last_key_value() else { return Ok(false) };
        let newest = maintenance.newest.insert(Newest::seen(maintenance.newest, *sequence, file.size_bytes(), now));
        let is_old = has_passed(SEAL_AGE, newest.since, now);
        if !is_old && !has_passed(QUIET_AGE, newest.still_since, now) {
            return Ok(false);
        }
        let streams = index.parts_in(*sequence..=*sequence);
        let parts = streams.flat_map(|(_, files)| files).flat_map(Stored::iter);
        let line_bytes: u64 = parts.map(|part| u64::from(part.bytes)).sum();
        if line_bytes < if is_old { 1 } else { QUIET_BYTES_MIN } {
            newest.still_since = now;
            return Ok(false);
        }
        drop(index);
        let mut writer = self.writer();
        self.sync_with(&mut writer)?;
        self.roll_over(&mut writer)?;
        Ok(true)
    }

    /// Moves the oldest closed journal file to a segment.
    fn flush(&self, maintenance: &mut Maintenance, now: Timestamp) -> Result<bool, Error> {
        let index = self.index();
        let Some(file) = closed_files(&index).next() else { return Ok(false) };
        let sequence = file.sequence();
        if index.parts_in(sequence..=sequence).next().is_none() {
            // It holds checkpoints, which every newer file repeats.
            self.state().remove_files(&(sequence..=sequence));
            self.remove(journal::DIRECTORY, &[file.name()]);
            return Ok(true);
        }
        let failures = maintenance.failing.filter(|(failing, _)| *failing == sequence).map_or(0, |(_, count)| count);
        let is_last_try = failures + 1 == FLUSH_TRIES;
        let (storage, limits) = (self.shared.storage.as_ref(), self.shared.limits.segment);
        let checkpoints = self.state().closing.get(&sequence).cloned().unwrap_or_default();
        let flushed =
            self.with_reserve(|| segment::flush(storage, limits, &index, file, &checkpoints, now, is_last_try));
        if matches!(flushed, Err(Error::Unreadable { .. })) {
            maintenance.failing = Some((sequence, failures + 1));
        }
        let (segment, streams) = flushed?;
        // What could not be read is gone with the file, but not from the count.
        self.shared.counters.lost_parts.add(file.unreadable_count() as u64);
        if 0 < file.unreadable_count() {
            let lost = lost_lines(&index, sequence, &streams);
            self.with_readers(|readers, _| readers.lose(sequence, &lost))?;
        }
        self.state().exchange(&Arc::new(segment), &streams);
        self.remove(journal::DIRECTORY, &[file.name()]);
        Ok(true)
    }

    fn merge(&self, now: Timestamp) -> Result<bool, Error> {
        let index = self.index();
        let segments: Vec<Arc<Segment>> = index.segments.values().cloned().collect();
        let before = std::iter::once(None).chain(segments.iter().map(|segment| Some(*segment.sequences().end())));
        let are_apart = |before: Option<u64>, segment: &Segment| {
            before.is_some_and(|last| {
                self.look_at_readers(|readers, _| readers.are_apart(last, *segment.sequences().start()))
            })
        };
        let candidates = segments.iter().zip(before).map(|(segment, before)| Candidate {
            day: segment.directory(),
            size_bytes: segment.size_bytes(),
            is_intact: segment.is_intact(),
            is_apart: are_apart(before, segment),
        });
        let limits = self.shared.limits.segment;
        let planned = segment::plan(limits, &candidates.collect::<Vec<_>>(), now);
        let Some(inputs) = planned.and_then(|planned| segments.get(planned)) else { return Ok(false) };
        match segment::merge(self.shared.storage.as_ref(), limits, &index, inputs) {
            Ok((merged, streams)) => {
                let names: Vec<String> = inputs.iter().map(|input| input.name().to_owned()).collect();
                let directory = merged.directory().to_owned();
                self.state().exchange(&Arc::new(merged), &streams);
                self.remove(&directory, &names);
                Ok(true)
            }
            // Counted and logged; without that segment there is another plan.
            Err(Error::Unreadable { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Removes files of one directory that nothing in the index needs any more. One that stays does no harm.
    fn remove(&self, directory: &str, names: &[String]) {
        segment::remove(self.shared.storage.as_ref(), names);
        self.sync_removal(directory);
    }

    pub(super) fn sync_removal(&self, directory: &str) {
        if let Err(error) = self.shared.storage.sync_directory(directory) {
            log::warn!("files that were removed may come back after a power cut: {error}");
        }
    }

    pub(in crate::log_database) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.state().index)
    }

    /// Keeps maintenance from starting; `None` while some is in progress.
    pub(in crate::log_database) fn try_maintenance(&self) -> Option<impl Drop + '_> {
        self.shared.maintenance.try_lock().ok()
    }

    /// Waits for maintenance in progress.
    fn maintenance(&self) -> MutexGuard<'_, Maintenance> {
        self.shared.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many lines of journal file `sequence` are not in the segment of `streams` that was made of it, by the ids of their streams.
fn lost_lines(index: &Index, sequence: u64, streams: &[StreamParts]) -> HashMap<u64, u64> {
    let kept: HashMap<&Labels, u64> =
        streams.iter().map(|stream| (&stream.labels, line_count(&stream.parts))).collect();
    let before = index
        .parts_in(sequence..=sequence)
        .map(|(labels, files)| (labels, line_count(files.iter().flat_map(Stored::iter))));
    let lost =
        before.map(|(labels, lines)| (stream_id(labels), lines.saturating_sub(kept.get(labels).copied().unwrap_or(0))));
    lost.filter(|(_, lines)| 0 < *lines).collect()
}

fn line_count<'a>(parts: impl IntoIterator<Item = &'a Part>) -> u64 {
    parts.into_iter().map(|part| u64::from(part.line_count)).sum()
}

/// The journal files that nothing is written to any more, oldest first.
fn closed_files(index: &Index) -> impl Iterator<Item = &Arc<JournalFile>> {
    index.journal.values().take(index.journal.len().saturating_sub(1))
}
