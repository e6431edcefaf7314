//! What is dropped, and what happens where there is no room left.
#![expect(clippy::disallowed_methods, reason = "these tests are somebody else who removes files")]

use std::sync::Arc;
use std::time::Duration;

use crate::log_database::storage::{CrashMode, DiskStorage, Failure, Random, SimulatedStorage, Storage};
use crate::log_database::tests::crash::{limits, open, open_with};
use crate::log_database::tests::{Model, batch, content, in_time_order};
use crate::log_database::{Database, Options, RetentionLimits, Statistics};
use crate::model::{Batch, Checkpoint, Timestamp};

const HOUR_NS: i64 = 3_600_000_000_000;

fn after_hours(hours: i64) -> Timestamp {
    Timestamp::from_ns(hours * HOUR_NS)
}

/// One line in a segment of its own for each hour.
fn fill(database: &Database, hours: i64) -> Vec<Batch> {
    let batch_of = |hour: i64| batch("a", &[(hour, "a line of an hour")], 1);
    for hour in 0..hours {
        database.maintain(after_hours(hour)).unwrap();
        database.append(batch_of(hour)).unwrap();
        database.commit().unwrap();
        database.maintain(after_hours(hour)).unwrap();
    }
    (0..hours).map(batch_of).collect()
}

fn lines_held(database: &Database) -> usize {
    content(database).streams.values().map(Vec::len).sum()
}

#[test]
fn the_oldest_segments_are_dropped_for_their_age_one_a_minute_and_stay_away() {
    let storage = SimulatedStorage::default();
    let retention = RetentionLimits { age: Some(Duration::from_hours(48)), bytes: None };
    let database = open_with(&storage, Options { retention }).unwrap();
    let batches = fill(&database, 72);
    while database.maintain(after_hours(72)).unwrap() {}
    let held = lines_held(&database);
    assert!(held < 72, "some of the first day are gone");
    let newest = Model::after(&batches[72 - held..]);
    assert_eq!(content(&database).streams, in_time_order(newest.clone()).streams, "the newest are there");
    // The clock is set ahead by ten years, and each segment goes, but not at once.
    let segments = database.statistics().segments;
    let ten_years = 24 * 3653;
    while database.maintain(after_hours(ten_years)).unwrap() {}
    assert_eq!(database.statistics().segments, segments - 1);
    let held = lines_held(&database);
    let later = storage.crash(CrashMode::AllLost, 0);
    assert_eq!(lines_held(&open(&later).unwrap()), held, "what is gone does not come back");
    for minute in 0..100 {
        let now_ns = after_hours(ten_years).as_ns() + minute * HOUR_NS / 60;
        while database.maintain(Timestamp::from_ns(now_ns)).unwrap() {}
    }
    assert_eq!(database.statistics().segments, 0);
    assert_eq!(lines_held(&database), 0);
    let names: Vec<String> = storage.files().into_keys().collect();
    assert!(names.iter().all(|name| !name.starts_with("segments/")), "{names:?}");
}

#[test]
fn the_oldest_segments_are_dropped_where_all_are_too_long() {
    let storage = SimulatedStorage::default();
    let without_limit = open(&storage).unwrap();
    let batches = fill(&without_limit, 72);
    let all = without_limit.statistics();
    drop(without_limit);

    let bytes = all.segment_bytes / 2;
    let retention = RetentionLimits { age: None, bytes: Some(bytes) };
    let database = open_with(&storage, Options { retention }).unwrap();
    // The last lines are committed, and now durable.
    database.sync().unwrap();
    while database.maintain(after_hours(72)).unwrap() {
        let lost = open(&storage.crash(CrashMode::AllLost, 0)).unwrap();
        assert_eq!(lines_held(&lost), lines_held(&database), "what is gone does not come back");
    }
    let statistics = database.statistics();
    assert!(statistics.segment_bytes <= bytes && 0 < statistics.segments, "{statistics:?} of {all:?}");
    let held = lines_held(&database);
    assert_eq!(content(&database).streams, in_time_order(Model::after(&batches[72 - held..])).streams);
}

#[test]
fn what_is_dropped_at_a_time_is_a_small_part_of_what_is_kept() {
    const LIMIT: u64 = 4 << 20;
    /// Text that is committed at once; it does not compress.
    const COMMIT_BYTES: usize = 64 << 10;
    // A journal file, and so a segment, with the commit that filled it and what describes them.
    const FILE_BYTES: u64 = (1 << 20) + 2 * COMMIT_BYTES as u64;
    let retention = RetentionLimits { age: None, bytes: Some(LIMIT) };
    let database = Database::open_with(Arc::new(SimulatedStorage::default()), Options { retention }).unwrap();
    let mut random = Random(1);
    let mut line_count = 0;
    for number in 0..2 * LIMIT / COMMIT_BYTES as u64 {
        let mut batch = batch("a", &[], 1);
        for _ in 0..COMMIT_BYTES >> 10 {
            let line: Vec<u8> = (0..128).flat_map(|_| random.next().to_le_bytes()).collect();
            batch.streams[0].lines.push(Timestamp::from_ns(i64::try_from(number).unwrap()), &line);
        }
        line_count += batch.line_count() as u64;
        database.append(batch).unwrap();
        database.commit().unwrap();
        while database.maintain(after_hours(0)).unwrap() {}
        let Statistics { segment_bytes, lines, .. } = database.statistics();
        assert!(segment_bytes <= LIMIT, "{segment_bytes} bytes are too much");
        assert!(lines == line_count || LIMIT - FILE_BYTES <= segment_bytes, "{segment_bytes} bytes are left");
    }
    assert!(database.statistics().lines < line_count, "some are dropped");
}

#[test]
fn a_journal_file_takes_lines_however_many_checkpoints_it_starts_with() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for source in 0..100 {
        let position = Some(vec![0; 100]);
        let checkpoint = Some(Checkpoint { source: format!("{source}").into(), position });
        database.append(Batch { checkpoint, streams: Vec::new() }).unwrap();
    }
    for number in 0..4 {
        database.append(batch("a", &[(number, &"x".repeat(2 << 10))], 1)).unwrap();
        database.commit().unwrap();
    }
    assert_eq!(database.statistics().files, 2, "the checkpoints alone are longer than a file may become");
}

#[test]
fn a_segment_that_somebody_else_removed_is_dropped_as_any_other() {
    let storage = SimulatedStorage::default();
    let without_limit = open(&storage).unwrap();
    fill(&without_limit, 30);
    drop(without_limit);
    let database = open_with(&storage, Options { retention: RetentionLimits { age: None, bytes: Some(0) } }).unwrap();
    for name in storage.files().into_keys().filter(|name| name.starts_with("segments/")) {
        storage.remove(&name).unwrap();
    }
    while database.maintain(after_hours(30)).unwrap() {}
    assert_eq!(database.statistics().segments, 0);
}

#[test]
fn what_cannot_be_dropped_keeps_nothing_else_from_being_done() {
    let directory = tempfile::tempdir().unwrap();
    let retention = RetentionLimits { age: None, bytes: Some(0) };
    let storage = Arc::new(DiskStorage::open(directory.path()).unwrap());
    let database = Database::open_limited(storage, Options { retention }, limits()).unwrap();
    let store = |number: i64| {
        database.append(batch("a", &[(number, "a line")], 1)).unwrap();
        database.sync().unwrap();
        // It is seen, its journal file is closed, and becomes a segment.
        for hours in [2 * number, 2 * number + 1, 2 * number + 1] {
            database.maintain(after_hours(hours)).unwrap_or_default();
        }
    };
    store(0);
    // A directory in the place of the file: not even root can remove it as one.
    let segment = directory.path().join("segments/1970-01-01/0000000000000001-0000000000000001.segment");
    std::fs::remove_file(&segment).unwrap();
    std::fs::create_dir(&segment).unwrap();
    store(1);
    assert_eq!((database.backlog_bytes(), database.statistics().segments), (0, 2));
    let failure = database.maintain(after_hours(3)).unwrap_err();
    assert!(failure.to_string().contains("failed to remove"), "{failure}");

    std::fs::remove_dir(&segment).unwrap();
    while database.maintain(after_hours(3)).unwrap() {}
    assert_eq!(database.statistics().segments, 0);
}

#[test]
fn a_snapshot_still_reads_what_is_dropped() {
    let storage = SimulatedStorage::default();
    let retention = RetentionLimits { age: None, bytes: Some(0) };
    let database = open_with(&storage, Options { retention }).unwrap();
    let without_limit = open(&storage).unwrap();
    fill(&without_limit, 10);
    drop(without_limit);
    drop(database);
    let database = open_with(&storage, Options { retention }).unwrap();
    let held = lines_held(&database);
    let snapshot = database.snapshot();
    while database.maintain(after_hours(1000)).unwrap() {}
    assert!(lines_held(&database) < held);
    let all = crate::model::Selection::of(Vec::new());
    assert_eq!(super::entries(&snapshot, &all).len(), held);
}

#[test]
fn a_full_medium_stops_commits_and_nothing_else_and_the_reserve_stores_what_was_read() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut batches = fill(&database, 3);
    assert!(storage.files().contains_key("reserve"));
    let used: usize = storage.files().values().map(Vec::len).sum();
    storage.set_capacity_bytes(used as u64 + 100);

    let next = |number: i64| batch("a", &[(number, &"long ".repeat(100))], 2);
    database.append(next(10)).unwrap();
    database.commit().unwrap();
    batches.push(next(10));
    assert!(!storage.files().contains_key("reserve"), "it made room for the commit");
    let mut number = 11;
    loop {
        database.append(next(number)).unwrap();
        batches.push(next(number));
        if database.commit().is_err() {
            break;
        }
        number += 1;
    }
    database.commit().unwrap_err();
    database.sync().unwrap_err();
    assert_eq!(content(&database).streams, in_time_order(Model::after(&batches)).streams, "queries go on");
    let killed = open(&storage.crash(CrashMode::ProcessKilled, 0)).unwrap();
    assert_eq!(content(&killed), in_time_order(Model::after(&batches[..batches.len() - 1])));

    storage.set_capacity_bytes(1 << 30);
    database.sync().unwrap();
    while database.maintain(after_hours(100)).unwrap() {}
    assert!(storage.files().contains_key("reserve"), "there is room for it again");
    let lost = open(&storage.crash(CrashMode::AllLost, 0)).unwrap();
    assert_eq!(content(&lost), in_time_order(Model::after(&batches)));
}

#[test]
fn retention_makes_room_on_a_full_medium() {
    let storage = SimulatedStorage::default();
    let without_limit = open(&storage).unwrap();
    fill(&without_limit, 30);
    while without_limit.maintain(after_hours(30)).unwrap() {}
    drop(without_limit);
    storage.set_capacity_bytes(storage.files().values().map(Vec::len).sum::<usize>() as u64);
    let retention = RetentionLimits { age: None, bytes: Some(1000) };
    let database = open_with(&storage, Options { retention }).unwrap();
    let before = database.statistics().segments;
    while database.maintain(after_hours(30)).unwrap() {}
    assert!(database.statistics().segments < before);
    database.append(batch("a", &[(100, "after")], 3)).unwrap();
    database.sync().unwrap();
}

#[test]
fn a_crash_while_segments_are_dropped_leaves_no_gap() {
    let options = Options { retention: RetentionLimits { age: None, bytes: Some(2000) } };
    let all: Vec<i64> = (0..24).collect();
    for call in 0.. {
        let storage = SimulatedStorage::default();
        let mut synced = 0;
        storage.set_failure(Some(Failure::From(call)));
        if let Ok(database) = open_with(&storage, options) {
            for number in &all {
                database.append(batch("a", &[(*number, "a line that is dropped some day")], 1)).unwrap();
                synced = if database.sync().is_ok() { *number + 1 } else { synced };
                // Two hours each, so that each has a journal file of its own.
                while database.maintain(after_hours(2 * number)).unwrap_or(false) {}
            }
        }
        storage.set_failure(None);
        for mode in CrashMode::ALL {
            let database = open_with(&storage.crash(mode, call), options).unwrap();
            let held = super::entries(&database.snapshot(), &crate::model::Selection::of(Vec::new()));
            let held: Vec<i64> = held.iter().map(|entry| entry.timestamp.as_ns()).collect();
            let newest = held.last().map_or(0, |last| last + 1);
            assert!(synced <= newest, "call {call}, {mode:?}: {held:?} is less than {synced}");
            assert!(
                all.windows(held.len().max(1)).any(|run| run.starts_with(&held)),
                "call {call}, {mode:?}: {held:?}"
            );
        }
        if storage.call_count() <= call {
            assert!(synced == 24 && open_with(&storage, options).unwrap().statistics().lines < 24);
            break;
        }
    }
}

#[test]
fn a_journal_is_encoded_once_it_is_quiet_unless_it_is_short() {
    const SECOND_NS: i64 = 1_000_000_000;
    let storage = SimulatedStorage::default();
    let database = Database::open(Arc::new(storage)).unwrap();
    let settle = |seconds: i64| while database.maintain(Timestamp::from_ns(seconds * SECOND_NS)).unwrap() {};
    let text = "a line of some length ".repeat(50_000);
    settle(0);
    database.append(batch("a", &[(1, "short")], 1)).unwrap();
    database.commit().unwrap();
    [1, 61, 122, 200].into_iter().for_each(settle);
    assert_eq!(database.statistics().segments, 0, "so little waits for more");
    database.append(batch("a", &[(2, &text)], 2)).unwrap();
    database.commit().unwrap();
    [201, 230, 260].into_iter().for_each(settle);
    assert_eq!(database.statistics().segments, 0, "more may come");
    database.append(batch("a", &[(3, "more")], 3)).unwrap();
    database.commit().unwrap();
    [261, 320].into_iter().for_each(settle);
    assert_eq!(database.statistics().segments, 0, "more came");
    settle(321);
    assert_eq!((database.statistics().segments, lines_held(&database)), (1, 3));
    [400, 500, 600].into_iter().for_each(settle);
    assert_eq!(database.statistics().segments, 1, "nothing is left");
}
