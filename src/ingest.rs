//! The pump: batches in, append, commit, sync, and only then are files let go; and the database's housekeeping beside it.
//!
//! Each runs on one thread of its own. While the database cannot take what was read, nothing more is read: the log files are
//! the buffer.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::log_collector::{self, Collected, Collector};
use crate::log_database::{self, Database};
use crate::model::{Batch, StreamLines, Timestamp};
use crate::status::Status;

mod marks;
mod records;
mod spacing;
#[cfg(test)]
mod tests;

pub use marks::restore as restore_marks;
use records::Forgetting;
pub use records::{Records, restore};
use spacing::Spacing;

/// How long an entry waits for its commit at most.
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How much text waits for its commit at most.
const COMMIT_BYTES: usize = 1 << 20;
/// How long a commit waits for its sync at most. Until then a power cut takes it back, and the lines are read again.
const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// How long the wait for something to read is at most, so that a stop is noticed.
const IDLE_INTERVAL: Duration = Duration::from_millis(500);
/// How often the collector looks after its files while nothing is read: before the watcher's queue is full.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);
/// How long to wait after the database has failed before it is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often a failure that lasts is named in the log.
const COMPLAINT_INTERVAL: Duration = Duration::from_mins(1);
/// How long housekeeping may fail, or reading wait for it, before that is a problem: a medium that was away for a
/// moment is none, nor is a large backlog of logs that is read faster than housekeeping follows.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the database is left alone once there is nothing to maintain.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is checked at most that every byte is accounted for: that walks all sources.
const BALANCE_INTERVAL: Duration = Duration::from_secs(1);
/// How much may wait for maintenance before nothing more is read: half a minute of reading as fast as can be.
const BACKLOG_BYTES_MAX: u64 = 2 << 30;

/// Why collecting ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The collector cannot go on.
    #[error(transparent)]
    Collector(#[from] log_collector::Error),
    /// The agent was told to stop while the database could not take what was read. It is read again at the next start.
    #[error("the last lines read could not be stored and will be read again: {0}")]
    Database(#[from] log_database::Error),
}

/// Tells a thread to come to an end.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Tells everyone who asks or waits.
    pub fn set(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it is time to come to an end.
    pub fn is_set(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits up to `timeout`, and returns at once when told to stop.
    pub fn wait(&self, timeout: Duration) {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, timeout, |stopped| !*stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Pumps batches from `collector` into `database` until `stop`, then stores what is left.
///
/// # Errors
///
/// See [`Error`]; whatever it is, what the database holds is consistent and the next start reads on from there.
pub fn run(
    collector: &mut impl Collector,
    database: &Database,
    records: &Records,
    status: &Status,
    stop: &Stop,
) -> Result<(), Error> {
    let mut pump = Pump::new(database, records, status, stop);
    while !stop.is_set() {
        pump.append_records(None)?;
        pump.append_marks()?;
        if let Some(collected) = pump.next_batch(collector)? {
            pump.append(collected)?;
        }
        pump.balance(collector);
        if pump.is_commit_due() {
            pump.store(collector, Database::commit)?;
            pump.uncommitted_since = None;
        }
        let letting_go = collector.wants_sync();
        if letting_go || pump.is_sync_due() {
            pump.store(collector, Database::sync)?;
            pump.uncommitted_since = None;
            pump.unsynced_since = None;
        }
        if letting_go {
            collector.synced();
        }
    }
    // What came since the last look; without its source it would not be told again.
    pump.append_records(None)?;
    database.sync()?;
    Ok(())
}

/// Moves what is stored to where it takes less room, and drops what is not to be kept, until `stop`. `clock` says what
/// time it is.
pub fn maintain(database: &Database, status: &Status, stop: &Stop, clock: fn() -> Timestamp) {
    let mut trouble = Trouble::default();
    while !stop.is_set() {
        stop.wait(maintain_once(database, status, &mut trouble, clock()));
    }
}

/// Returns how long to wait before the next time. `trouble` is what housekeeping had so far.
fn maintain_once(database: &Database, status: &Status, trouble: &mut Trouble, now: Timestamp) -> Duration {
    match database.maintain(now) {
        Ok(is_more) => {
            if trouble.end() {
                log::info!("housekeeping works again");
                status.set_housekeeping_problem(None);
            }
            if is_more { Duration::ZERO } else { MAINTENANCE_INTERVAL }
        }
        Err(error) => {
            let text = format!("stored lines take more room than they should: {error}");
            if PATIENCE <= trouble.say(&text) {
                status.set_housekeeping_problem(Some(text));
            }
            RETRY_INTERVAL
        }
    }
}

/// Something that may be wrong for a while: named in the log, but not each time it is met.
#[derive(Debug, Default)]
struct Trouble {
    /// When it began; `None` while all is well.
    since: Option<Instant>,
    /// When it was named last.
    said: Option<Instant>,
}

impl Trouble {
    /// Names it in the log, and returns for how long it has lasted.
    fn say(&mut self, text: &str) -> Duration {
        if self.said.is_none_or(|when| COMPLAINT_INTERVAL <= when.elapsed()) {
            log::error!("{text}");
            self.said = Some(Instant::now());
        }
        self.since.get_or_insert_with(Instant::now).elapsed()
    }

    /// Says that it is over; whether there was any.
    fn end(&mut self) -> bool {
        self.since.take().is_some()
    }
}

struct Pump<'a> {
    database: &'a Database,
    records: &'a Records,
    forgetting: Forgetting,
    status: &'a Status,
    stop: &'a Stop,
    /// When the oldest batch was appended that is not committed.
    uncommitted_since: Option<Instant>,
    /// When the oldest batch was appended that is not synced.
    unsynced_since: Option<Instant>,
    /// When it was checked last that every byte is accounted for.
    balanced: Option<Instant>,
    /// How much may wait for maintenance, in bytes; and that more does.
    backlog_bytes_max: u64,
    backlog: Trouble,
    /// That the data directory is gone.
    missing: Trouble,
    /// Keeps the times of a stream's lines apart.
    spacing: Spacing,
}

impl<'a> Pump<'a> {
    fn new(database: &'a Database, records: &'a Records, status: &'a Status, stop: &'a Stop) -> Self {
        Self {
            database,
            records,
            forgetting: Forgetting::default(),
            status,
            stop,
            uncommitted_since: None,
            unsynced_since: None,
            balanced: None,
            backlog_bytes_max: BACKLOG_BYTES_MAX,
            backlog: Trouble::default(),
            missing: Trouble::default(),
            spacing: Spacing::new(database),
        }
    }

    /// What was read next; nothing is while too much waits for maintenance.
    fn next_batch(&mut self, collector: &mut impl Collector) -> Result<Option<Collected>, Error> {
        let timeout = self.wait_at_most();
        let backlog_bytes = self.database.backlog_bytes();
        if self.backlog_bytes_max < backlog_bytes {
            let mib = backlog_bytes >> 20;
            let text = format!("{mib} MiB wait to be moved to segments; nothing more is read until they are fewer");
            if PATIENCE <= self.backlog.say(&text) {
                self.status.set_problem(Some(text));
            }
            self.follow_only(collector)?;
            return Ok(None);
        }
        if self.backlog.end() {
            self.status.set_problem(None);
        }
        Ok(collector.next_batch(timeout)?)
    }

    /// Lets the collector see what becomes of its files, and waits a moment.
    fn follow_only(&self, collector: &mut impl Collector) -> Result<(), Error> {
        collector.follow_only()?;
        self.stop.wait(FOLLOW_INTERVAL);
        Ok(())
    }

    /// Appends what is new of pods and containers, and what is known of those whose lines come next.
    fn append_records(&mut self, next: Option<&Batch>) -> Result<(), Error> {
        self.forgetting.take_turn(self.records, self.database);
        if let Some(batch) = self.records.before(next) {
            self.database.append(batch)?;
            self.note_appended();
        }
        Ok(())
    }

    /// Appends what happened between lines.
    fn append_marks(&mut self) -> Result<(), Error> {
        if let Some(batch) = marks::unstored(self.status) {
            self.database.append(batch)?;
            self.note_appended();
        }
        Ok(())
    }

    fn append(&mut self, mut collected: Collected) -> Result<(), Error> {
        if let Some(unended) = collected.unended {
            self.database.show_unended(unended.source, unended.streams);
            return Ok(());
        }
        self.append_records(Some(&collected.batch))?;
        let is_known = |streams: &[StreamLines]| streams.iter().any(|stream| self.spacing.knows(&stream.labels));
        collected.begun.retain(|range| is_known(&collected.batch.streams[range.clone()]));
        self.spacing.space(&mut collected.batch, self.database);
        for range in &collected.begun {
            // Before its lines are there, so that nobody is shown these without it.
            self.status.marks.add(marks::rotation(&collected.batch.streams[range.clone()]));
        }
        self.append_marks()?;
        self.database.append(collected.batch)?;
        self.status.bytes_stored.add(collected.source_bytes);
        self.note_appended();
        Ok(())
    }

    fn note_appended(&mut self) {
        let now = Instant::now();
        self.uncommitted_since.get_or_insert(now);
        self.unsynced_since.get_or_insert(now);
    }

    fn balance(&mut self, collector: &impl Collector) {
        if self.balanced.is_none_or(|when| BALANCE_INTERVAL <= when.elapsed()) {
            self.status.balance(collector.waiting_bytes());
            self.look_at_data();
            let now = Instant::now();
            self.status.rate.update(self.balanced.map_or(Duration::ZERO, |before| now - before), self.lines_taken());
            self.balanced = Some(now);
        }
    }

    /// Notices that the data directory is gone, even while there is nothing to store.
    fn look_at_data(&mut self) {
        match self.database.check() {
            Ok(()) if self.missing.end() => self.status.set_problem(None),
            Ok(()) => {}
            Err(error) => {
                self.missing.say(&error.to_string());
                self.status.set_problem(Some(error.to_string()));
            }
        }
    }

    /// How many lines the database was given so far.
    fn lines_taken(&self) -> u64 {
        self.status.lines_read.get() + self.status.pushes.entries.get()
    }

    fn is_commit_due(&self) -> bool {
        let late = self.uncommitted_since.is_some_and(|since| COMMIT_INTERVAL <= since.elapsed());
        late || COMMIT_BYTES <= self.database.pending_bytes()
    }

    fn is_sync_due(&self) -> bool {
        self.unsynced_since.is_some_and(|since| SYNC_INTERVAL <= since.elapsed())
    }

    /// How long the collector may wait before something else is due.
    fn wait_at_most(&self) -> Duration {
        let left = |since: Option<Instant>, interval: Duration| match since {
            Some(since) => interval.saturating_sub(since.elapsed()),
            None => IDLE_INTERVAL,
        };
        let commit = left(self.uncommitted_since, COMMIT_INTERVAL);
        commit.min(left(self.unsynced_since, SYNC_INTERVAL)).min(IDLE_INTERVAL)
    }

    /// Commits or syncs, and tries again until it works or the agent is told to stop. Meanwhile `collector` follows what
    /// becomes of its files, lest they be gone when reading goes on.
    fn store(
        &self,
        collector: &mut impl Collector,
        operation: impl Fn(&Database) -> Result<(), log_database::Error>,
    ) -> Result<(), Error> {
        let mut trouble = Trouble::default();
        loop {
            match operation(self.database) {
                Ok(()) => {
                    if trouble.end() {
                        log::info!("the database takes lines again");
                        self.status.set_problem(None);
                    }
                    return Ok(());
                }
                Err(error) if self.stop.is_set() => return Err(error.into()),
                Err(error) => {
                    trouble.say(&format!("{error}; nothing more is read until it works again"));
                    self.status.set_problem(Some(error.to_string()));
                    let tried = Instant::now();
                    while !self.stop.is_set() && tried.elapsed() < RETRY_INTERVAL {
                        self.follow_only(collector)?;
                    }
                }
            }
        }
    }
}
