//! What a scan returns in particular cases that random ones meet too seldom.

use std::sync::Arc;

use crate::log_database::storage::{DiskStorage, SimulatedStorage};
use crate::log_database::tests::{Model, batch, crash, entries, labels, lines, open};
use crate::log_database::{Database, Error, StreamCounts};
use crate::model::budget::{Budget, QUERY_BYTES_MAX, Refusal};
use crate::model::{Batch, Direction, Labels, Lines, Selection, StreamLines, TimeRange, Timestamp};

/// Scans forward and backward, pending, committed and reopened, and expects the lines' texts.
#[track_caller]
fn check(batches: &[Batch], expected: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(Arc::new(DiskStorage::open(directory.path()).unwrap())).unwrap();
    for batch in batches {
        database.append(batch.clone()).unwrap();
    }
    check_both_directions(&database, expected);
    database.commit().unwrap();
    check_both_directions(&database, expected);
    drop(database);
    let reopened = Database::open(Arc::new(DiskStorage::open(directory.path()).unwrap())).unwrap();
    check_both_directions(&reopened, expected);
}

#[track_caller]
fn check_both_directions(database: &Database, expected: &[&str]) {
    for direction in [Direction::Forward, Direction::Backward] {
        let selection = Selection { direction, ..Selection::of(Vec::new()) };
        let found = entries(&database.snapshot(), &selection);
        let mut texts: Vec<_> = found.iter().map(|entry| String::from_utf8_lossy(&entry.line)).collect();
        if direction == Direction::Backward {
            texts.reverse();
        }
        assert_eq!(texts, expected);
    }
}

#[test]
fn streams_are_merged_by_time() {
    check(&[batch("a", &[(1, "a1"), (4, "a4")], 1), batch("b", &[(2, "b2"), (3, "b3")], 1)], &["a1", "b2", "b3", "a4"]);
}

#[test]
fn equal_times_are_in_the_order_of_labels_and_then_of_appending() {
    let batches = [batch("b", &[(1, "b1"), (1, "b2")], 1), batch("a", &[(1, "a1")], 1), batch("b", &[(1, "b3")], 2)];
    check(&batches, &["a1", "b1", "b2", "b3"]);
}

#[test]
fn lines_out_of_order_are_sorted_within_and_across_batches() {
    check(
        &[batch("a", &[(5, "5"), (1, "1"), (3, "3")], 1), batch("a", &[(4, "4"), (2, "2")], 2)],
        &["1", "2", "3", "4", "5"],
    );
}

#[test]
fn lines_over_the_length_of_a_part_stay_whole() {
    let texts: Vec<String> = [0, 1, 100 << 10, 0, 2 << 20, 70 << 10].iter().map(|length| "x".repeat(*length)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let timed: Vec<(i64, &str)> = (0..).zip(texts.iter().copied()).collect();
    check(&[batch("a", &timed, 1)], &texts);
}

#[test]
fn a_snapshot_does_not_change() {
    let database = open(&SimulatedStorage::default()).unwrap();
    database.append(batch("a", &[(1, "one")], 1)).unwrap();
    let pending = database.snapshot();
    database.commit().unwrap();
    let committed = database.snapshot();
    database.append(batch("a", &[(2, "two")], 2)).unwrap();
    database.commit().unwrap();
    let selection = Selection::of(Vec::new());
    assert_eq!(entries(&pending, &selection), entries(&committed, &selection));
    assert_eq!(entries(&committed, &selection).len(), 1);
    assert_eq!(entries(&database.snapshot(), &selection).len(), 2);
}

#[test]
fn streams_are_found_by_time_without_reading_lines() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(1, "one"), (9, "nine")], 1)).unwrap();
    database.commit().unwrap();
    database.append(batch("b", &[(20, "twenty")], 1)).unwrap();
    let at = Timestamp::from_ns;
    let calls = storage.call_count();
    let snapshot = database.snapshot();
    assert_eq!(snapshot.streams(&[], TimeRange { start: at(9), end: at(20) }), [labels("a")]);
    assert_eq!(snapshot.streams(&[], TimeRange { start: at(10), end: at(21) }), [labels("b")]);
    assert_eq!(snapshot.streams(&[], TimeRange::ALL), [labels("a"), labels("b")]);
    assert_eq!(storage.call_count(), calls);
}

#[test]
fn a_limited_scan_opens_only_the_parts_it_needs() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for number in 0..50 {
        database.append(batch("a", &[(number, "line")], 1)).unwrap();
        database.commit().unwrap();
    }
    let calls = storage.call_count();
    let last = Selection { limit: Some(2), direction: Direction::Backward, ..Selection::of(Vec::new()) };
    let times: Vec<i64> = entries(&database.snapshot(), &last).iter().map(|entry| entry.timestamp.as_ns()).collect();
    assert_eq!(times, [49, 48]);
    assert!(storage.call_count() - calls <= 3, "one more part at most is opened to know the order");
}

#[test]
fn a_scan_over_too_many_streams_at_once_is_refused() {
    let database = open(&SimulatedStorage::default()).unwrap();
    let line = "x".repeat(32 << 10);
    for stream in 0..=QUERY_BYTES_MAX / (2 * line.len()) {
        database.append(batch(&stream.to_string(), &[(1, &line), (2, &line)], 1)).unwrap();
    }
    database.commit().unwrap();
    let mut scan = database.snapshot().scan(&Selection::of(Vec::new()));
    let error = loop {
        match scan.next() {
            Ok(entry) => assert_eq!(entry.unwrap().timestamp.as_ns(), 1, "all streams have to be open for the second"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Refused(Refusal::TooMuch { .. })));
    assert_eq!(scan.next().unwrap(), None);
}

#[test]
fn columns_of_every_shape_come_back() {
    let mut batches = Vec::new();
    let mut model = Model::default();
    for times in
        [vec![7; 40_000], (0..40_000).collect(), vec![7, 7, 7, 8, 7], vec![i64::MIN, i64::MAX - 1, 0, i64::MIN]]
    {
        let mut lines = Lines::default();
        for ns in times {
            let length = usize::try_from(ns & 7).unwrap();
            lines.push(Timestamp::from_ns(ns), &ns.to_le_bytes()[..length]);
        }
        let stream = format!("stream {}", batches.len());
        let batch = Batch { checkpoint: None, streams: vec![StreamLines { labels: labels(&stream), lines }] };
        model.append(&batch);
        batches.push(batch);
    }
    let database = open(&SimulatedStorage::default()).unwrap();
    for batch in batches {
        database.append(batch).unwrap();
    }
    database.commit().unwrap();
    let selection = Selection::of(Vec::new());
    assert!(entries(&database.snapshot(), &selection) == model.select(&selection));
}

#[test]
fn a_batch_without_lines_moves_a_checkpoint() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let empty = StreamLines { labels: labels("a"), lines: lines(&[]) };
    database.append(Batch { streams: vec![empty], ..batch("a", &[], 7) }).unwrap();
    database.sync().unwrap();
    assert_eq!(open(&storage).unwrap().checkpoints().len(), 1);
    assert_eq!(database.snapshot().streams(&[], TimeRange::ALL), []);
}

#[test]
fn an_abandoned_scan_ends_where_it_would_open_another_part() {
    let database = open(&SimulatedStorage::default()).unwrap();
    database.append(batch("a", &[(1, "1")], 1)).unwrap();
    database.append(batch("a", &[(2, "2")], 2)).unwrap();
    let budget = Arc::new(Budget::default());
    let mut scan = database.snapshot().scan(&Selection::of(Vec::new())).within(Arc::clone(&budget));
    assert_eq!(scan.next().unwrap().map(|entry| entry.line), Some(&b"1"[..]));
    budget.cancel();
    assert!(matches!(scan.next(), Err(Error::Refused(Refusal::Abandoned))));
    assert_eq!(scan.next().unwrap(), None);
}

#[test]
fn a_scan_gives_back_all_the_memory_it_took() {
    let database = crash::open(&SimulatedStorage::default()).unwrap();
    for number in 0..200 {
        database.append(batch("a", &[(number, &"line ".repeat(40))], 1)).unwrap();
        database.append(batch("b", &[(number, "line")], 1)).unwrap();
        database.commit().unwrap();
    }
    while database.maintain(Timestamp::from_ns(0)).unwrap() {}
    assert_ne!(database.statistics().blocks, 0);
    let budget = Arc::new(Budget::default());
    let mut scan = database.snapshot().scan(&Selection::of(Vec::new())).within(Arc::clone(&budget));
    let mut most = 0;
    while scan.next().unwrap().is_some() {
        most = most.max(budget.taken_bytes());
    }
    assert_ne!(most, 0);
    assert_eq!(budget.taken_bytes(), 0, "at its end");
    let mut scan = database.snapshot().scan(&Selection::of(Vec::new())).within(Arc::clone(&budget));
    scan.next().unwrap();
    assert_ne!(budget.taken_bytes(), 0);
    drop(scan);
    assert_eq!(budget.taken_bytes(), 0, "in the middle");
}

#[test]
fn streams_can_be_shown_with_other_labels() {
    let database = open(&SimulatedStorage::default()).unwrap();
    database.append(batch("a", &[(1, "1")], 1)).unwrap();
    database.append(batch("b", &[(2, "2")], 1)).unwrap();
    let shown = |stored: &Labels| (*stored == labels("b")).then(|| labels("c"));
    let mut scan = database.snapshot().scan_as(&Selection::of(Vec::new()), shown);
    let entry = scan.next().unwrap().map(|entry| (entry.labels.clone(), entry.line.to_vec()));
    assert_eq!(entry, Some((labels("c"), b"2".to_vec())));
    assert_eq!(scan.next().unwrap(), None);
}

#[test]
fn an_abandoned_count_ends_and_one_of_too_much_is_refused() {
    let database = open(&SimulatedStorage::default()).unwrap();
    for first in [0, 1000] {
        let mut many = Lines::default();
        (first..first + 1000).for_each(|ns| many.push(Timestamp::from_ns(ns), b""));
        let streams = vec![StreamLines { labels: labels("a"), lines: many }];
        database.append(Batch { checkpoint: None, streams }).unwrap();
    }
    let count =
        |step_ns: u64| database.snapshot().count(&Selection::of(Vec::new()), step_ns.try_into().unwrap()).unwrap();
    let narrow = Arc::new(Budget::new(50 << 10));
    assert!(matches!(count(1).within(narrow).run(), Err(Error::Refused(Refusal::TooMuch { .. }))));
    let second = count(1 << 62).run().unwrap();
    assert_eq!(second, [StreamCounts { labels: labels("a"), counts: vec![(2, 2000)] }]);
    let budget = Arc::new(Budget::default());
    budget.cancel();
    assert!(matches!(count(1).within(budget).run(), Err(Error::Refused(Refusal::Abandoned))));
}
