//! Crashes at every call to the medium, in every mode, and calls that fail.
//!
//! A run appends, commits and syncs until the medium fails for good at the n-th call; then the machine dies, the
//! database is opened again, and must hold exactly what it held at one of the commits that were tried since the last
//! sync that returned: lines and checkpoints of the same one.

use std::io;
use std::sync::Arc;

use crate::log_database::database::Limits;
use crate::log_database::storage::{CrashMode, Failure, SimulatedStorage, Storage};
use crate::log_database::tests::{self, Model, batch, content, in_time_order};
use crate::log_database::{Database, Error, Options};
use crate::log_database::{journal, segment};
use crate::model::{Batch, Checkpoint, Timestamp};

/// Opens a database whose files end after a few records, so that a short run goes through many.
pub(super) fn open(storage: &SimulatedStorage) -> Result<Database, Error> {
    open_with(storage, Options::default())
}

pub(super) fn open_with(storage: &SimulatedStorage, options: Options) -> Result<Database, Error> {
    Database::open_limited(Arc::new(storage.clone()), options, limits())
}

/// Files of a few records, blocks of a few lines, and merges of a few segments.
pub(super) fn limits() -> Limits {
    Limits {
        journal: journal::Limits { file_bytes: 8 << 10, replaced_bytes_max: 3 << 10 },
        segment: segment::Limits {
            block_bytes_max: 4 << 10,
            copied_bytes_min: 2 << 10,
            merged_count_min: 3,
            file_bytes_max: 16 << 10,
        },
        reserve_bytes: 4 << 10,
        subscription_bytes: 2 << 10,
    }
}

/// What a run did, as far as its caller can know.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// Everything that was appended.
    pub(super) appended: Vec<Batch>,
    /// How many batches each commit would have stored, whether or not it returned well.
    pub(super) tried: Vec<usize>,
    /// How many the last successful commit stored.
    pub(super) committed: usize,
    /// How many the last successful sync stored.
    pub(super) synced: usize,
}

impl Run {
    pub(super) fn commit(&mut self, database: &Database) -> Result<(), Error> {
        self.tried.push(self.appended.len());
        database.commit()?;
        self.committed = self.appended.len();
        Ok(())
    }

    pub(super) fn sync(&mut self, database: &Database) -> Result<(), Error> {
        self.tried.push(self.appended.len());
        database.sync()?;
        (self.committed, self.synced) = (self.appended.len(), self.appended.len());
        Ok(())
    }

    pub(super) fn append(&mut self, database: &Database) {
        let number = self.appended.len();
        let (stream, text) = (["a", "b"][number % 2], format!("line {number} ").repeat(1 + number * 7 % 100));
        let time = i64::try_from(number).unwrap();
        let mut batch = batch(stream, &[(time, &text), (time, ""), (time - 1, "late")], number as u64);
        if number % 5 == 4 {
            batch.checkpoint = Some(Checkpoint { source: stream.into(), position: None });
        }
        self.appended.push(batch.clone());
        database.append(batch).unwrap();
    }

    /// Three appends, a commit of each, and a sync after all of them, `rounds` times. Errors are tried again later.
    fn go_on(&mut self, database: &Database, rounds: usize) -> Result<(), Error> {
        let mut result = Ok(());
        for _ in 0..rounds {
            for _ in 0..3 {
                self.append(database);
                result = result.and(self.commit(database));
            }
            result = result.and(self.sync(database));
        }
        result
    }

    /// Moves to segments what can be moved, and merges them; the clock goes on by hours with every batch.
    fn maintain(&self, database: &Database) -> Result<(), Error> {
        let hours = 2 * i64::try_from(self.appended.len()).unwrap();
        while database.maintain(Timestamp::from_ns(hours * 3_600_000_000_000))? {}
        Ok(())
    }

    /// As [`Run::go_on`], with maintenance after each round.
    fn work(&mut self, database: &Database, rounds: usize) -> Result<(), Error> {
        let mut result = Ok(());
        for _ in 0..rounds {
            result = result.and(self.go_on(database, 1));
            result = result.and(self.maintain(database));
        }
        result
    }

    /// All lines that were appended are visible, whatever became of them.
    #[track_caller]
    fn check_lines(&self, database: &Database) {
        assert_eq!(content(database).streams, in_time_order(Model::after(&self.appended)).streams);
    }

    /// Which of the commits the database holds; at least `from` batches.
    #[track_caller]
    pub(super) fn check(&self, database: &Database, from: usize, context: &str) -> usize {
        let held = content(database);
        let tried = self.tried.iter().copied().filter(|count| from <= *count);
        let found = tried.chain([from]).find(|count| in_time_order(Model::after(&self.appended[..*count])) == held);
        found.unwrap_or_else(|| {
            let lines: Vec<usize> = held.streams.values().map(Vec::len).collect();
            let Self { appended, tried, committed, synced } = self;
            panic!(
                "{context}: {} batches appended, commits tried at {tried:?}, committed {committed}, synced {synced}; \
                 wanted one from {from} on, found {lines:?} lines, checkpoints {:?}",
                appended.len(),
                held.checkpoints
            )
        })
    }
}

/// Runs on `storage` until its n-th call from now fails and all after it; the storage is then as the process left it.
fn run_until(storage: &SimulatedStorage, run: &mut Run, call: u64, rounds: usize) -> bool {
    storage.set_failure(Some(Failure::From(storage.call_count() + call)));
    let finished = match open(storage) {
        Ok(database) => run.work(&database, rounds).is_ok(),
        Err(_) => false,
    };
    storage.set_failure(None);
    finished
}

#[test]
fn a_crash_at_any_call_leaves_a_commit_since_the_last_sync() {
    let mut states = 0;
    for call in 0.. {
        let storage = SimulatedStorage::default();
        let mut run = Run::default();
        let finished = run_until(&storage, &mut run, call, 8);
        for mode in CrashMode::ALL {
            // Without chance, once is enough.
            let seeds = if matches!(mode, CrashMode::ProcessKilled | CrashMode::AllLost) { 0..1 } else { 0..4 };
            for seed in seeds {
                let context = format!("call {call}, {mode:?}, seed {seed}");
                let crashed = storage.crash(mode, seed);
                let database = open(&crashed).unwrap();
                let from = if mode == CrashMode::ProcessKilled { run.committed } else { run.synced };
                let held = run.check(&database, from, &context);
                check_goes_on(&crashed, &database, &run, held, &context);
                states += 1;
            }
        }
        if finished {
            break;
        }
    }
    assert!(2000 < states, "{states} states are too few to prove anything");
}

/// What was recovered can be added to, and a sync makes all of it durable.
#[track_caller]
fn check_goes_on(storage: &SimulatedStorage, database: &Database, run: &Run, held: usize, context: &str) {
    let mut next = Run { appended: run.appended[..held].to_vec(), ..Run::default() };
    next.work(database, 1).unwrap();
    let database = open(&storage.crash(CrashMode::AllLost, 0)).unwrap();
    next.check(&database, next.appended.len(), context);
    assert_eq!(database.statistics().cut_bytes, 0, "{context}: a recovered journal is clean");
}

#[test]
fn a_second_crash_during_recovery_loses_nothing_more() {
    for first in (0..60).step_by(3) {
        let storage = SimulatedStorage::default();
        let mut run = Run::default();
        run_until(&storage, &mut run, first, 2);
        for (seed, mode) in (0..).zip(CrashMode::ALL) {
            let crashed = storage.crash(mode, seed);
            let held = run.check(&open(&crashed).unwrap(), run.synced, "first crash");
            for second in 0..30 {
                let again = crashed.crash(CrashMode::ProcessKilled, 0);
                let mut next = Run { appended: run.appended[..held].to_vec(), synced: run.synced, ..Run::default() };
                next.tried.push(held);
                run_until(&again, &mut next, second, 1);
                let context = format!("calls {first} and {second}, {mode:?}, seed {seed}");
                next.check(&open(&again.crash(mode, seed + 100)).unwrap(), next.synced, &context);
            }
        }
    }
}

/// What a medium says that is broken, full, or mounted again for reading only.
const FAILURE_KINDS: [io::ErrorKind; 3] =
    [io::ErrorKind::Other, io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem];

#[test]
fn one_failed_call_costs_nothing_but_time() {
    for kind in FAILURE_KINDS {
        check_failures(kind, Failure::Once);
    }
}

#[test]
fn calls_that_fail_until_the_medium_recovers_cost_nothing_but_time() {
    for kind in FAILURE_KINDS {
        check_failures(kind, Failure::From);
    }
}

/// Lets each call of a run fail in turn, and with [`Failure::From`] all after it until the run is over.
#[track_caller]
fn check_failures(kind: io::ErrorKind, failure: fn(u64) -> Failure) {
    for call in 0.. {
        let storage = SimulatedStorage::default();
        storage.set_failure_kind(kind);
        storage.set_failure(Some(failure(call)));
        let mut run = Run::default();
        let database = open(&storage).or_else(|_| {
            // A start that fails is the end of the process; the next one comes when the medium works again.
            storage.set_failure(None);
            open(&storage)
        });
        let database = database.unwrap();
        let result = run.work(&database, 8);
        storage.set_failure(None);
        let context = format!("{:?} says {kind:?}, {result:?}", failure(call));
        check_killed(&storage, &run, &context);
        // Whatever failed, now everything is stored, once, and stays so after a power cut.
        run.sync(&database).unwrap();
        run.maintain(&database).unwrap();
        run.check(&database, run.appended.len(), &context);
        let is_moved = database.statistics().segments != 0;
        assert!(is_moved || matches!(failure(call), Failure::From(_)), "{context}");
        for mode in CrashMode::ALL {
            run.check(&open(&storage.crash(mode, call)).unwrap(), run.appended.len(), &context);
        }
        if storage.call_count() <= call {
            break;
        }
    }
}

/// A process that is killed after a failure leaves all that it committed; the next one can make it durable, although the
/// page cache may show what the disk does not have.
#[track_caller]
fn check_killed(storage: &SimulatedStorage, run: &Run, context: &str) {
    let storage = storage.crash(CrashMode::ProcessKilled, 0);
    let database = open(&storage).unwrap();
    let held = run.check(&database, run.committed, context);
    database.sync().unwrap();
    let database = open(&storage.crash(CrashMode::AllLost, 0)).unwrap();
    assert_eq!(run.check(&database, held, context), held, "{context}");
}

#[test]
fn a_failed_write_moves_to_a_new_file_and_keeps_what_is_pending() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut run = Run::default();
    run.go_on(&database, 4).unwrap();
    let before = storage.files();
    run.append(&database);
    storage.set_failure(Some(Failure::Once(storage.call_count())));
    run.commit(&database).unwrap_err();
    run.append(&database);
    run.check_lines(&database);
    run.commit(&database).unwrap();
    run.check_lines(&database);
    let after = storage.files();
    assert!(before.iter().all(|(name, bytes)| after[name].starts_with(bytes)), "nothing that was written has changed");
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn a_failed_sync_is_counted_and_moves_to_a_new_file() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut run = Run::default();
    run.go_on(&database, 1).unwrap();
    run.append(&database);
    run.commit(&database).unwrap();
    storage.set_failure(Some(Failure::Once(storage.call_count())));
    run.sync(&database).unwrap_err();
    run.check_lines(&database);
    run.sync(&database).unwrap();
    let statistics = database.statistics();
    assert_eq!((statistics.sync_failures, statistics.files), (1, 1), "the small old file was replaced whole");
    run.check(&open(&storage.crash(CrashMode::AllLost, 0)).unwrap(), run.appended.len(), "after the second sync");
}

#[test]
fn an_agent_that_is_killed_over_and_over_leaves_one_file() {
    let mut storage = SimulatedStorage::default();
    let mut run = Run::default();
    for _ in 0..20 {
        let database = tests::open(&storage).unwrap();
        run.append(&database);
        run.commit(&database).unwrap();
        drop(database);
        storage = storage.crash(CrashMode::ProcessKilled, 0);
    }
    let database = tests::open(&storage).unwrap();
    run.check(&database, run.appended.len(), "after all");
    assert_eq!(storage.files().len(), 1);
}

#[test]
fn a_clean_end_goes_on_in_the_same_file() {
    let storage = SimulatedStorage::default();
    let mut run = Run::default();
    for _ in 0..5 {
        run.go_on(&open(&storage).unwrap(), 1).unwrap();
    }
    assert_eq!(storage.files().keys().collect::<Vec<_>>(), ["journal/0000000000000001.journal"]);
    run.check(&open(&storage).unwrap(), run.appended.len(), "after all");
}

#[test]
fn a_record_behind_a_torn_one_does_not_come_back_when_its_place_is_reached_again() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for text in ["torn", "behind"] {
        database.append(batch("a", &[(1, text)], 1)).unwrap();
        database.commit().unwrap();
    }
    let storage = storage.crash(CrashMode::ProcessKilled, 0);
    storage.damage("journal/0000000000000001.journal", b"torn");
    let database = open(&storage).unwrap();
    assert_eq!(content(&database), Model::default());
    let same_length = batch("a", &[(1, "next")], 1);
    database.append(same_length.clone()).unwrap();
    database.commit().unwrap();
    assert_eq!(content(&open(&storage).unwrap()), Model::after(&[same_length]));
}

#[test]
fn a_replaced_file_that_was_not_removed_is_neither_read_nor_kept() {
    let storage = SimulatedStorage::default();
    let mut run = Run::default();
    let database = tests::open(&storage).unwrap();
    run.append(&database);
    run.commit(&database).unwrap();
    let replaced = storage.files();
    let database = tests::open(&storage).unwrap();
    run.append(&database);
    run.sync(&database).unwrap();
    for (name, bytes) in replaced {
        assert!(!storage.files().contains_key(&name));
        storage.put(&name, bytes);
    }
    run.check(&tests::open(&storage).unwrap(), run.appended.len(), "with the replaced file");
    assert_eq!(storage.files().len(), 1);
}

#[test]
fn a_replaced_file_that_comes_back_with_its_settled_successor_is_neither_read_nor_kept() {
    let storage = SimulatedStorage::default();
    let mut run = Run::default();
    let database = open(&storage).unwrap();
    run.append(&database);
    run.commit(&database).unwrap();
    let mut both = storage.files();
    let database = open(&storage).unwrap();
    run.append(&database);
    run.sync(&database).unwrap();
    both.extend(storage.files());
    move_all(&database);
    assert!(both.len() == 2 && both.keys().all(|name| !storage.files().contains_key(name)));
    for (name, bytes) in &both {
        storage.put(name, bytes.clone());
    }
    run.check(&open(&storage).unwrap(), run.appended.len(), "with both files");
    assert!(both.keys().all(|name| !storage.files().contains_key(name)));
}

#[test]
fn a_torn_file_of_which_nothing_counts_does_not_outlive_its_successor() {
    let storage = SimulatedStorage::default();
    let mut run = Run::default();
    let database = open(&storage).unwrap();
    run.append(&database);
    run.commit(&database).unwrap();
    run.append(&database);
    storage.set_failure(Some(Failure::Once(storage.call_count())));
    run.commit(&database).unwrap_err();
    let storage = storage.crash(CrashMode::ProcessKilled, 0);
    let database = open(&storage).unwrap();
    run.appended.truncate(1);
    run.append(&database);
    run.sync(&database).unwrap();
    // The next process sees nothing in the torn file that counts.
    move_all(&open(&storage).unwrap());
    run.check(&open(&storage).unwrap(), run.appended.len(), "after another start");
}

/// Moves everything to segments.
fn move_all(database: &Database) {
    for hours in 0..3 {
        while database.maintain(Timestamp::from_ns(hours * 3_600_000_000_000)).unwrap() {}
    }
    assert_ne!(database.statistics().segments, 0);
}

#[test]
fn everything_is_moved_to_few_segments_and_stays_as_it_was() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut run = Run::default();
    run.work(&database, 30).unwrap();
    run.check_lines(&database);
    let statistics = database.statistics();
    assert!((1..=12).contains(&statistics.segments), "30 files of 8 days have become {statistics:?}");
    assert_eq!(statistics.files, statistics.segments + 1, "{:?}", storage.files().keys());
    let on_disk: usize = storage.files().values().map(Vec::len).sum();
    assert_eq!(statistics.disk_bytes, on_disk as u64);
    let reopened = open(&storage).unwrap();
    run.check(&reopened, run.appended.len(), "after a start");
    assert_eq!(reopened.statistics().segments, statistics.segments);
    assert_eq!(reopened.statistics().blocks, statistics.blocks);
}

#[test]
fn the_oldest_files_can_be_dropped_without_losing_a_checkpoint() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("quiet", &[(1, "only once")], 1)).unwrap();
    Run::default().go_on(&database, 40).unwrap();
    let names: Vec<String> = storage.files().into_keys().collect();
    assert!(2 < names.len());
    for name in &names[..names.len() - 1] {
        storage.remove(name).unwrap();
    }
    assert_eq!(open(&storage).unwrap().checkpoints(), database.checkpoints());
}
