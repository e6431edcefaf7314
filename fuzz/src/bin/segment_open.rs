//! Any bytes as a segment beside an intact one: opened, read, merged. Never a panic, and the other one is not harmed.
#![no_main]

use std::cell::OnceCell;
use std::num::NonZeroU64;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::budget::Budget;
use monitoring_rs::model::{Batch, Checkpoint, LineFilter, Lines, Selection, StreamLines, Timestamp};
use monitoring_rs_fuzz::{OwnedEntry, labels, logs, open, plant, read};

/// Few lines, so that a run is short.
const LINES: usize = 8;
const HOUR_NS: i64 = 3_600_000_000_000;
const NAME: &str = "segments/1970-01-01/0000000000000001-0000000000000002.segment";
const OTHER_NAME: &str = "segments/1970-01-01/0000000000000003-0000000000000003.segment";
/// With words and ids to ask filters for.
const NEEDLES: [&str; 3] = ["error", "no such word", "deadbeef00c0ffee"];

thread_local! {
    static OTHER: OnceCell<Vec<u8>> = const { OnceCell::new() };
}

fuzz_target!(init: plant("segment_open", seeds()), |bytes: &[u8]| check(bytes));

fn check(bytes: &[u8]) {
    let storage = SimulatedStorage::default();
    storage.put(NAME, bytes.to_vec());
    OTHER.with(|other| {
        let other = other.get_or_init(|| segment(3, vec![(labels("other"), logs(LINES).swap_remove(0))]));
        storage.put(OTHER_NAME, other.clone());
    });
    let Some(database) = open(&storage) else { return };
    let before = read(&database.snapshot(), bytes.len());
    let lines_of_other = |entries: &[OwnedEntry]| {
        entries.iter().filter(|entry| entry.labels == labels("other")).count()
    };
    assert!(LINES <= lines_of_other(&before), "the other segment is read in full");
    database.statistics();
    for needle in NEEDLES {
        let filters = vec![LineFilter::Contains(needle.into())];
        let selection = Selection { filters, ..Selection::of(Vec::new()) };
        let count = database.snapshot().count(&selection, NonZeroU64::MAX).expect("no entry has metadata");
        let _ = count.within(Arc::new(Budget::new(usize::MAX))).run();
    }
    // The day is over, so both are merged where they can be.
    while database.maintain(Timestamp::from_ns(48 * HOUR_NS)).is_ok_and(|has_more| has_more) {}
    let after = read(&database.snapshot(), bytes.len());
    let opened_again = read(&open(&storage).expect("what is written is opened").snapshot(), bytes.len());
    assert!(after == opened_again, "a start changes nothing");
    assert!(LINES <= lines_of_other(&after), "a merge loses nothing");
}

fn seeds() -> Vec<Vec<u8>> {
    // Without a line there is no segment.
    let alone = logs(LINES).into_iter().filter(|lines| !lines.is_empty());
    let mut seeds: Vec<Vec<u8>> = alone.map(|lines| segment(2, vec![(labels("a"), lines)])).collect();
    let many = logs(LINES).into_iter().enumerate().map(|(number, lines)| (labels(&number.to_string()), lines));
    seeds.push(segment(2, many.collect()));
    seeds
}

/// A segment made of journal file `sequence`, or by a merge of the first two.
fn segment(sequence: u64, streams: Vec<(monitoring_rs::model::Labels, Lines)>) -> Vec<u8> {
    let storage = SimulatedStorage::default();
    for number in 1..=sequence {
        let database = open(&storage).expect("an empty storage is opened");
        let mut batch = Batch {
            checkpoint: Some(Checkpoint { source: b"source".to_vec(), position: Some(b"1".to_vec()) }),
            streams: vec![StreamLines { labels: labels("filler"), lines: logs(LINES).swap_remove(9) }],
        };
        if number == sequence {
            batch.streams = streams.iter().cloned().map(|(labels, lines)| StreamLines { labels, lines }).collect();
        }
        database.append(batch).expect("there is room");
        database.commit().expect("nothing fails");
        for hours in [0, 1, 1] {
            database.maintain(Timestamp::from_ns((number.cast_signed() * 2 + hours) * HOUR_NS)).expect("nothing fails");
        }
    }
    let first = if sequence == 2 { 1 } else { sequence };
    if first < sequence {
        let database = open(&storage).expect("it was written just now");
        while database.maintain(Timestamp::from_ns(48 * HOUR_NS)).expect("nothing fails") {}
    }
    let name = format!("segments/1970-01-01/{first:016x}-{sequence:016x}.segment");
    storage.files().remove(&name).expect("it was made")
}
