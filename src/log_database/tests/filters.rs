//! Filters over the blocks of segments: they leave out blocks that have nothing, never one that has something.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::storage::SimulatedStorage;
use crate::log_database::tests::crash::limits;
use crate::log_database::tests::{batch, entries};
use crate::log_database::{Database, Error, Options};
use crate::model::{Direction, LineFilter, LinePattern, Selection, Timestamp};

const HOUR_NS: i64 = 3_600_000_000_000;
/// Each has a block of its own in each segment that is merged.
const STREAMS: i64 = 12;

/// Opens a database whose days end as one segment.
fn open(storage: &SimulatedStorage) -> Result<Database, Error> {
    let mut limits = limits();
    limits.segment.file_bytes_max = 1 << 20;
    Database::open_limited(Arc::new(storage.clone()), Options::default(), limits)
}

/// The line number `number` of a stream, with words and an id of its own.
fn line(stream: i64, number: i64) -> String {
    let id = (stream * 1000 + number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).cast_unsigned();
    let word = ["apple", "Banana", "größe"][usize::try_from(number % 3).unwrap()];
    let own = char::from(b'g' + u8::try_from(stream).unwrap());
    format!(
        "user=u{number} {word} stream{own}word id={id:016x} took 00:00:0{}.123456789 {}",
        number % 10,
        id % 1_000_000_000
    )
}

/// Lines of several streams in one segment that a merge made.
fn merged() -> (SimulatedStorage, Vec<String>) {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut lines = Vec::new();
    for hour in 0..3 {
        database.maintain(Timestamp::from_ns(hour * HOUR_NS)).unwrap();
        for stream in 0..STREAMS {
            let texts: Vec<String> = (0..4).map(|number| line(stream, 4 * hour + number)).collect();
            let entries: Vec<(i64, &str)> = texts.iter().map(|text| (hour, text.as_str())).collect();
            database.append(batch(&format!("s{stream}"), &entries, 1)).unwrap();
            lines.extend(texts.iter().cloned());
        }
        database.commit().unwrap();
    }
    for hours in [4, 6, 50] {
        while database.maintain(Timestamp::from_ns(hours * HOUR_NS)).unwrap() {}
    }
    let statistics = database.statistics();
    assert_eq!((statistics.segments, statistics.lines), (1, lines.len() as u64));
    (storage, lines)
}

/// How many lines are found by a scan and by a count.
#[track_caller]
fn found(database: &Database, filter: &LineFilter) -> (usize, u64) {
    let mut counts = Vec::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let selection =
            Selection { filters: vec![filter.clone()], direction, limit: Some(100), ..Selection::of(Vec::new()) };
        let count = database.snapshot().count(&selection, NonZeroU64::MAX).unwrap().run().unwrap();
        let count = count.iter().flat_map(|stream| &stream.counts).map(|(_, count)| count).sum();
        counts.push((entries(&database.snapshot(), &selection).len(), count));
    }
    assert_eq!(counts[0], counts[1]);
    counts[0]
}

fn filters(needle: &str) -> [LineFilter; 3] {
    let ignoring_case = LinePattern::new(&format!("(?i){needle}")).unwrap();
    let others = LinePattern::new(&format!("{needle}|zzz")).unwrap();
    [LineFilter::Contains(needle.into()), LineFilter::Matches(ignoring_case), LineFilter::Matches(others)]
}

#[track_caller]
fn check(database: &Database, lines: &[String], needle: &str) {
    for filter in filters(needle) {
        let expected = lines.iter().filter(|line| filter.accepts(line.as_bytes())).count();
        assert_eq!(found(database, &filter), (expected.min(100), expected as u64), "{filter:?}");
    }
}

#[test]
fn what_is_there_is_found_whatever_part_of_a_line_is_asked_for() {
    let (storage, lines) = merged();
    let database = open(&storage).unwrap();
    let text = &lines[lines.len() / 2];
    let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(3).collect();
    for start in &boundaries {
        for length in [3, 9, 16, 40] {
            let part = boundaries.iter().find(|end| start + length <= **end).map(|end| &text[*start..*end]);
            if let Some(part) = part {
                check(&database, &lines, part);
            }
        }
    }
    for needle in ["banana", "streamhword", "absent", "deadbeef00c0ffee", "9f86d081884c7d65a", "Größe", "123456789"] {
        check(&database, &lines, needle);
    }
}

/// Where the blocks of the one segment are, and its filter, in its file.
fn places(file: &[u8]) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let field = |at: usize| usize::try_from(u64::from_le_bytes(file[at..at + 8].try_into().unwrap())).unwrap();
    // Behind magic, version and checksum; see `segment/mod.rs`.
    let (index_offset, filter_bytes) = (field(16 + 32), field(16 + 52));
    (1024..index_offset - filter_bytes, index_offset - filter_bytes..index_offset)
}

fn with_changed(storage: &SimulatedStorage, change: impl FnOnce(&mut Vec<u8>)) -> Database {
    let changed = SimulatedStorage::default();
    for (name, mut bytes) in storage.files() {
        if name.ends_with(".segment") {
            change(&mut bytes);
            changed.put(&name, bytes);
            break;
        }
    }
    open(&changed).unwrap()
}

#[test]
fn no_block_is_read_that_the_filter_leaves_out() {
    let (storage, _) = merged();
    let database = with_changed(&storage, |file| {
        let (blocks, _) = places(file);
        file[blocks].iter_mut().for_each(|byte| *byte ^= 0x55);
    });
    for filter in filters("absent") {
        let selection = Selection { filters: vec![filter], ..Selection::of(Vec::new()) };
        assert!(database.snapshot().count(&selection, NonZeroU64::MAX).unwrap().run().unwrap().is_empty());
    }
    assert_eq!(database.statistics().unreadable_blocks, 0);
    // Only the blocks of one stream have the word.
    let selection =
        Selection { filters: vec![LineFilter::Contains(b"streamhword".into())], ..Selection::of(Vec::new()) };
    database.snapshot().count(&selection, NonZeroU64::MAX).unwrap().run().unwrap();
    let read = database.statistics().unreadable_blocks;
    assert!(0 < read && read < database.statistics().blocks as u64 / 4, "{read}");
}

#[test]
fn a_damaged_filter_costs_no_line() {
    let (storage, lines) = merged();
    let file = storage.files().into_iter().find(|(name, _)| name.ends_with(".segment")).unwrap().1;
    let (_, filter) = places(&file);
    assert!(!filter.is_empty());
    for at in filter.step_by(7).chain(16..16 + 68) {
        let database = with_changed(&storage, |file| file[at] ^= 1 << (at % 8));
        for needle in ["banana", "streamhword", "absent"] {
            let expected = lines.iter().filter(|line| line.contains(needle)).count() as u64;
            assert_eq!(found(&database, &LineFilter::Contains(needle.into())).1, expected, "byte {at}, {needle}");
        }
    }
}

#[test]
fn blocks_that_are_copied_keep_what_is_known_of_them() {
    let (storage, lines) = merged();
    let database = open(&storage).unwrap();
    // More of the same day, so that the segment is merged again.
    let more = "x".repeat(500) + " later";
    database.append(batch("t", &[(1, &more)], 1)).unwrap();
    database.commit().unwrap();
    for hours in [51, 53, 54, 120] {
        while database.maintain(Timestamp::from_ns(hours * HOUR_NS)).unwrap() {}
    }
    for needle in ["banana", "streamhword", "later", "absent"] {
        let expected = lines.iter().chain([&more]).filter(|line| line.contains(needle)).count() as u64;
        assert_eq!(found(&database, &LineFilter::Contains(needle.into())).1, expected, "{needle}");
    }
}
