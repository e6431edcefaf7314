//! Segments: every bit and every length of a small one, what is obsolete, and scans that read blocks.

use std::collections::BTreeMap;

use crate::log_database::storage::{Failure, SimulatedStorage};
use crate::log_database::tests::crash::open;
use crate::log_database::tests::damage::check_missing;
use crate::log_database::tests::{Model, batch, content, entries, in_time_order, labels};
use crate::log_database::{Database, Error};
use crate::model::{Batch, Checkpoint, Direction, Lines, Selection, StreamLines, TimeRange, Timestamp};

const HOUR_NS: i64 = 3_600_000_000_000;

fn after_hours(hours: i64) -> Timestamp {
    Timestamp::from_ns(hours * HOUR_NS)
}

/// Moves everything that is committed to segments, without merging them.
fn flush(database: &Database, hours: i64) {
    database.maintain(after_hours(hours - 1)).unwrap();
    database.maintain(after_hours(hours)).unwrap();
    database.maintain(after_hours(hours)).unwrap();
}

/// Two streams, one with several blocks.
fn batches() -> Vec<Batch> {
    let long = |number: i64| (number, "x".repeat(1100) + &number.to_string());
    let texts: Vec<(i64, String)> = (10..15).map(long).collect();
    let texts: Vec<(i64, &str)> = texts.iter().map(|(number, text)| (*number, text.as_str())).collect();
    let mut batches: Vec<Batch> = texts.iter().map(|text| batch("a", &[*text], 1)).collect();
    batches.push(batch("b", &[(9, "first of b"), (4, ""), (9, "\nBLOCK!\u{ff}")], 2));
    batches
}

/// A storage with [`batches`] in one segment.
fn storage_with_segment() -> SimulatedStorage {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for batch in batches() {
        database.append(batch).unwrap();
        database.commit().unwrap();
    }
    flush(&database, 1);
    assert_eq!((database.statistics().segments, database.statistics().blocks), (1, 3));
    assert_eq!(content(&database), in_time_order(Model::after(&batches())));
    storage
}

fn segment_of(storage: &SimulatedStorage) -> (String, Vec<u8>) {
    let mut files = storage.files().into_iter();
    files.find(|(name, _)| name.starts_with("segments/")).unwrap()
}

/// Opens a storage whose segment is as `change` leaves it.
#[track_caller]
fn open_changed(files: &BTreeMap<String, Vec<u8>>, change: impl FnOnce(&mut Vec<u8>)) -> Database {
    let storage = SimulatedStorage::default();
    let mut files = files.clone();
    let (_, segment) = files.iter_mut().find(|(name, _)| name.starts_with("segments/")).unwrap();
    change(segment);
    for (name, bytes) in files {
        storage.put(&name, bytes);
    }
    open(&storage).unwrap()
}

/// A segment of version 1 that holds [`batches`].
const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/segment_v1/0000000000000001-0000000000000001.segment");

#[test]
fn the_golden_segment_of_version_1_is_read_in_full() {
    let storage = SimulatedStorage::default();
    storage.put("segments/1970-01-01/0000000000000001-0000000000000001.segment", GOLDEN.to_vec());
    let database = open(&storage).unwrap();
    assert_eq!(content(&database).streams, in_time_order(Model::after(&batches())).streams);
    assert_eq!((database.statistics().segments, database.statistics().quarantined_bytes), (1, 0));
}

#[test]
fn no_flipped_bit_costs_more_than_a_block_or_makes_a_line_up() {
    let expected = Model::after(&batches());
    let files = storage_with_segment().files();
    let (_, segment) = files.iter().find(|(name, _)| name.starts_with("segments/")).unwrap();
    for bit in 0..segment.len() * 8 {
        let database = open_changed(&files, |segment| segment[bit / 8] ^= 1 << (bit % 8));
        let missing = check_missing(&database, &expected);
        assert!(missing <= 3, "bit {bit} cost {missing} lines");
        let statistics = database.statistics();
        let is_noticed = statistics.quarantined_bytes != 0 || statistics.unreadable_blocks != 0;
        assert!(missing == 0 || is_noticed, "bit {bit} was not noticed");
    }
}

#[test]
fn any_length_leaves_the_blocks_before_the_cut() {
    let expected = Model::after(&batches());
    let files = storage_with_segment().files();
    let (_, segment) = files.iter().find(|(name, _)| name.starts_with("segments/")).unwrap();
    let mut before = 8;
    for length in 1..segment.len() {
        let database = open_changed(&files, |segment| segment.truncate(length));
        let missing = check_missing(&database, &expected);
        assert!(missing <= before, "{length} bytes hold less than one less");
        assert_ne!(database.statistics().quarantined_bytes, 0, "{length} bytes");
        before = missing;
    }
    assert_eq!(before, 0, "the heads are as good as the index");
}

/// What there is once the file whose name begins with `prefix`, the newest such, is cut to `length` bytes.
fn open_cut(files: &BTreeMap<String, Vec<u8>>, prefix: &str, length: usize) -> Model {
    let storage = SimulatedStorage::default();
    let (cut, _) = files.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix)).last().unwrap();
    for (name, bytes) in files {
        storage.put(name, if name == cut { bytes[..length].to_vec() } else { bytes.clone() });
    }
    let database = open(&storage).unwrap();
    let statistics = database.statistics();
    assert!(length != 0 || statistics.quarantined_bytes != 0, "nothing of it was noticed");
    content(&database)
}

#[test]
fn lines_that_a_journal_has_lost_are_read_again_and_no_others() {
    for is_merged in [false, true] {
        let storage = SimulatedStorage::default();
        let database = open(&storage).unwrap();
        let mut appended = Vec::new();
        let append = |database: &Database, appended: &mut Vec<Batch>, batch: Batch| {
            database.append(batch.clone()).unwrap();
            appended.push(batch);
            database.sync().unwrap();
        };
        append(&database, &mut appended, batch("gone", &[(1, "g")], 1));
        let forgotten =
            Batch { checkpoint: Some(Checkpoint { source: b"gone".to_vec(), position: None }), streams: Vec::new() };
        append(&database, &mut appended, forgotten);
        for round in 1..=3 {
            append(&database, &mut appended, batch("a", &[(1, "one"), (2, "two")], round));
            append(&database, &mut appended, batch("b", &[(3, "three")], round));
            flush(&database, 2 * i64::try_from(round).unwrap());
        }
        if is_merged {
            while database.maintain(after_hours(48)).unwrap() {}
        }
        let in_segments = appended.len();
        append(&database, &mut appended, batch("a", &[(5, "five")], 4));
        append(&database, &mut appended, batch("b", &[(6, "six")], 4));
        let states: Vec<Model> =
            (in_segments..=appended.len()).map(|count| in_time_order(Model::after(&appended[..count]))).collect();
        // A database that is opened again says the same, and moves the same to its segments.
        let files = storage.files();
        let (_, journal) = files.iter().rfind(|(name, _)| name.starts_with("journal/")).unwrap();
        for length in 0..=journal.len() {
            let found = open_cut(&files, "journal/", length);
            assert!(states.contains(&found), "{length} of {} bytes: {found:?}", journal.len());
        }
        assert_eq!(open_cut(&files, "journal/", journal.len()), *states.last().unwrap());
    }
}

#[test]
fn a_segment_that_was_logged_as_text_is_never_read_as_blocks() {
    let (_, inner) = segment_of(&storage_with_segment());
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut outer = batch("outer", &[], 1);
    outer.streams[0].lines.push(Timestamp::from_ns(1), &inner);
    database.append(outer).unwrap();
    database.append(batch("z", &[(1, "behind")], 1)).unwrap();
    database.sync().unwrap();
    flush(&database, 1);
    // Neither the index nor the first head: what follows is searched for the next head.
    let files = storage.files();
    let database = open_changed(&files, |segment| {
        let index_end = segment.len() - 1;
        segment[index_end] ^= 1;
        segment[1024] ^= 1;
    });
    let held = content(&database).streams;
    assert_eq!(held.keys().collect::<Vec<_>>(), [&labels("z")]);
}

#[test]
fn a_newer_version_is_refused_and_everything_left_untouched() {
    let storage = storage_with_segment();
    let (name, mut newer) = segment_of(&storage);
    for copy in [0, 512] {
        newer[copy + 8] = 4;
    }
    storage.put(&name, newer);
    storage.put("segments/1970-01-01/new", b"left over".to_vec());
    let before = storage.files();
    let Err(Error::UnsupportedVersion { got, supported, .. }) = open(&storage) else { panic!("opened") };
    assert_eq!((got, supported), (4, 3));
    assert_eq!(storage.files(), before);
}

#[test]
fn what_was_never_finished_is_removed_and_what_is_not_ours_stays() {
    let storage = storage_with_segment();
    let before = storage.files();
    storage.put("segments/1970-01-01/new", b"left over".to_vec());
    let foreign =
        ["segments/1970-01-01/readme", "segments/1970-01-01/1-2.segment", "segments/1970-1-1/new", "other/new"];
    for name in foreign {
        storage.put(name, b"anything".to_vec());
    }
    assert_eq!(content(&open(&storage).unwrap()), in_time_order(Model::after(&batches())));
    let mut after = storage.files();
    assert!(foreign.iter().all(|name| after.remove(*name).is_some()));
    assert_eq!(after, before);
}

#[test]
fn inputs_that_were_not_removed_are_neither_read_nor_kept() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut model = Model::default();
    let mut inputs = BTreeMap::new();
    for hours in 1..=9 {
        let batch = batch("a", &[(hours, "one of a few")], 1);
        model.append(&batch);
        database.append(batch).unwrap();
        database.commit().unwrap();
        inputs.extend(storage.files());
        flush(&database, 2 * hours);
        inputs.extend(storage.files());
    }
    while database.maintain(after_hours(19)).unwrap() {}
    assert!(database.statistics().segments < 9);
    let expected = storage.files();
    for (name, bytes) in inputs {
        if !expected.contains_key(&name) {
            storage.put(&name, bytes);
        }
    }
    assert_eq!(content(&open(&storage).unwrap()).streams, model.streams);
    assert_eq!(storage.files(), expected);
}

#[test]
fn a_damaged_segment_is_not_read_beside_what_it_was_made_of() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for batch in batches() {
        database.append(batch).unwrap();
        database.commit().unwrap();
    }
    let before = storage.files();
    flush(&database, 1);
    let mut files = storage.files();
    files.extend(before);
    for (name, bytes) in &mut files {
        if name.starts_with("segments/") {
            bytes.pop();
        }
        storage.put(name, bytes.clone());
    }
    let database = open(&storage).unwrap();
    assert_eq!(content(&database), in_time_order(Model::after(&batches())));
    // And so it is replaced by what is made of them next.
    flush(&database, 3);
    let database = open(&storage).unwrap();
    assert_eq!(content(&database), in_time_order(Model::after(&batches())));
    assert_eq!((database.statistics().segments, database.statistics().quarantined_bytes), (1, 0));
}

/// Two segments of one day, in the first of which a block has rotted that has `missing` lines.
#[track_caller]
fn check_rotten(place: impl FnOnce(&[u8]) -> usize, missing: usize) {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut all = batch("once", &[(0, "in the first segment only")], 1);
    database.append(all.clone()).unwrap();
    for hours in [2, 4] {
        let some = batch("each", &[(hours, "first"), (hours, "second")], 1);
        all.streams.extend(some.streams.clone());
        database.append(some).unwrap();
        database.commit().unwrap();
        flush(&database, hours);
    }
    let (name, bytes) = segment_of(&storage);
    let place = place(&bytes);
    storage.damage(&name, &bytes[place - 8..place]);
    // The day is over, and both would be one: a merge notices it without any query.
    while database.maintain(after_hours(48)).unwrap() {}
    assert_eq!((database.statistics().segments, database.statistics().unreadable_blocks), (2, 1));
    assert_eq!(segment_of(&storage).0, name, "the damaged one is as it was");
    let found = entries(&database.snapshot(), &Selection::of(Vec::new()));
    let mut expected = Model::after(&[all]).select(&Selection::of(Vec::new())).into_iter();
    assert!(found.iter().all(|entry| expected.any(|stored| stored == *entry)), "{found:?}");
    assert_eq!((found.len(), database.statistics().unreadable_blocks), (5 - missing, 1));
}

#[test]
fn a_block_that_rots_is_left_out_and_counted_and_its_segment_is_not_merged() {
    // The first block ends where the second head starts, and the second one where the checkpoints before the index do.
    check_rotten(|bytes| bytes.windows(7).rposition(|window| window == b"\nBLOCK!").unwrap(), 2);
    let index_offset = |bytes: &[u8]| u64::from_le_bytes(bytes[48..56].try_into().unwrap());
    let checkpoints_bytes = |bytes: &[u8]| u32::from_le_bytes(bytes[84..88].try_into().unwrap());
    check_rotten(|bytes| usize::try_from(index_offset(bytes)).unwrap() - checkpoints_bytes(bytes) as usize, 1);
}

#[test]
fn a_scan_of_many_streams_reads_blocks_in_windows_and_keeps_the_order() {
    let storage = SimulatedStorage::default();
    let database = crate::log_database::tests::open(&storage).unwrap();
    let mut model = Model::default();
    // So many streams that a window is less than a block.
    for stream in 0..600 {
        let mut lines = Lines::default();
        for number in 0..40 {
            lines.push(Timestamp::from_ns(number * 31 % 20), format!("{number} {}", "x".repeat(3000)).as_bytes());
        }
        let name = if stream < 2 { stream.to_string() } else { "many".to_owned() + &stream.to_string() };
        let lines = if stream < 2 { lines } else { crate::log_database::tests::lines(&[(1, "short")]) };
        let batch = Batch { checkpoint: None, streams: vec![StreamLines { labels: labels(&name), lines }] };
        model.append(&batch);
        database.append(batch).unwrap();
    }
    database.commit().unwrap();
    flush(&database, 1);
    assert_eq!(database.statistics().blocks, 600);
    for direction in [Direction::Forward, Direction::Backward] {
        for limit in [None, Some(30)] {
            let range = TimeRange { start: Timestamp::from_ns(1), end: Timestamp::from_ns(19) };
            let selection = Selection { range, direction, limit, ..Selection::of(Vec::new()) };
            assert!(entries(&database.snapshot(), &selection) == model.select(&selection), "{direction:?}, {limit:?}");
        }
    }
}

#[test]
fn a_snapshot_outlives_the_files_that_it_reads() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(1, "one")], 1)).unwrap();
    database.commit().unwrap();
    let in_journal = database.snapshot();
    flush(&database, 1);
    let in_segment = database.snapshot();
    for hours in [3, 5, 7] {
        database.append(batch("a", &[(hours, "more")], 1)).unwrap();
        database.commit().unwrap();
        flush(&database, hours);
    }
    while database.maintain(after_hours(50)).unwrap() {}
    assert_eq!(database.statistics().segments, 1);
    let selection = Selection::of(Vec::new());
    assert_eq!(entries(&in_journal, &selection), entries(&in_segment, &selection));
    assert_eq!(entries(&in_journal, &selection).len(), 1);
}

#[test]
fn a_part_that_rots_in_the_journal_is_left_out_and_stays_counted() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for (number, text) in [(1, "the first"), (2, "the second")] {
        database.append(batch("a", &[(number, text)], 1)).unwrap();
        database.commit().unwrap();
    }
    storage.damage("journal/0000000000000001.journal", b"first");
    flush(&database, 1);
    assert_eq!(content(&database).streams, Model::after(&[batch("a", &[(2, "the second")], 1)]).streams);
    let statistics = database.statistics();
    assert_eq!((statistics.segments, statistics.files, statistics.unreadable_parts), (1, 2, 1));
}

#[test]
fn a_medium_that_gives_lines_back_only_later_costs_none() {
    let mut failed_reads = 0;
    for call in 0..20 {
        let storage = SimulatedStorage::default();
        let database = open(&storage).unwrap();
        database.append(batch("a", &[(1, "one")], 1)).unwrap();
        database.sync().unwrap();
        database.maintain(after_hours(0)).unwrap();
        database.maintain(after_hours(1)).unwrap();
        storage.set_failure(Some(Failure::Once(storage.call_count() + call)));
        if let Err(Error::Unreadable { .. }) = database.maintain(after_hours(1)) {
            failed_reads += 1;
        }
        storage.set_failure(None);
        while database.maintain(after_hours(1)).unwrap() {}
        assert_eq!((database.statistics().segments, database.statistics().unreadable_parts), (1, 0), "call {call}");
        assert_eq!(content(&database).streams, Model::after(&[batch("a", &[(1, "one")], 1)]).streams);
    }
    assert_eq!(failed_reads, 1);
}
