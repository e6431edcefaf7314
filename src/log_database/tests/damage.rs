//! Every bit and every length of a small journal; files of other versions; files that are not ours.
#![expect(clippy::disallowed_methods, reason = "these tests are somebody else who makes files")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use crate::log_database::storage::{DiskStorage, SimulatedStorage};
use crate::log_database::tests::{Model, batch, content, entries, in_time_order, open};
use crate::log_database::{Database, Error};
use crate::model::{Batch, Selection};

const FILE_NAME: &str = "journal/0000000000000001.journal";

/// A journal file of version 1 that holds [`golden_batches`], all of them synced.
const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/journal_v1/0000000000000001.journal");

fn golden_batches() -> [Batch; 5] {
    [
        batch("a", &[(1, "first of a"), (2, "second of a")], 1),
        batch("b", &[(1, "first of b"), (1, "\nRECORD\u{ff}")], 1),
        batch("a", &[(3, "third of a")], 2),
        batch("b", &[(9, "second of b"), (4, "")], 2),
        batch("a", &[(5, "last of a")], 3),
    ]
}

#[test]
fn the_golden_journal_of_version_1_is_read_in_full() {
    assert_eq!(content(&open_bytes(GOLDEN.to_vec())), in_time_order(Model::after(&golden_batches())));
}

#[test]
fn what_has_a_name_of_ours_and_is_something_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let open = || Database::open(Arc::new(DiskStorage::open(root).unwrap()));
    let database = open().unwrap();
    database.append(batch("a", &[(1, "one")], 1)).unwrap();
    database.sync().unwrap();
    drop(database);

    let segment = |number: u64| format!("segments/2026-01-02/{number:016x}-{number:016x}.segment");
    fs::write(root.join("segments/2026-01-01"), "").unwrap();
    fs::create_dir_all(root.join(segment(0xee))).unwrap();
    symlink("nowhere", root.join(segment(0xef))).unwrap();
    fs::create_dir(root.join("journal/00000000000000ff.journal")).unwrap();
    let database = open().unwrap();
    assert_eq!(content(&database), Model::after(&[batch("a", &[(1, "one")], 1)]));
    database.append(batch("a", &[(2, "two")], 2)).unwrap();
    database.sync().unwrap();
    drop(database);
    assert_eq!(open().unwrap().statistics().lines, 2);
}

#[test]
fn what_is_written_now_has_the_layout_of_the_golden_journal() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    for (number, batch) in golden_batches().into_iter().enumerate() {
        database.append(batch).unwrap();
        // Two batches in the first record, then one in each.
        if number != 0 {
            database.sync().unwrap();
        }
    }
    let written = storage.files().remove(FILE_NAME).unwrap();
    // Only the salt differs, and checksums with it.
    assert_eq!((written.len(), &written[..12]), (GOLDEN.len(), &GOLDEN[..12]));
}

fn open_bytes(bytes: Vec<u8>) -> Database {
    let storage = SimulatedStorage::default();
    storage.put(FILE_NAME, bytes);
    open(&storage).unwrap()
}

/// How many lines of `expected` are missing; panics where there is one that was never stored, or in another order.
#[track_caller]
pub(super) fn check_missing(database: &Database, expected: &Model) -> usize {
    let selection = Selection::of(Vec::new());
    let mut all = expected.select(&selection).into_iter();
    let found = entries(&database.snapshot(), &selection);
    for entry in &found {
        assert!(all.any(|stored| stored == *entry), "{entry:?} was never stored");
    }
    expected.select(&selection).len() - found.len()
}

#[test]
fn no_flipped_bit_costs_more_than_a_record_or_makes_a_line_up() {
    let batches = golden_batches();
    let expected = Model::after(&batches);
    for bit in 0..GOLDEN.len() * 8 {
        let mut bytes = GOLDEN.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let database = open_bytes(bytes);
        let missing = check_missing(&database, &expected);
        assert!(missing <= 4, "bit {bit} cost {missing} lines");
        if 0 < missing {
            assert_ne!(database.statistics().quarantined_bytes, 0, "bit {bit} was not noticed");
        }
        assert!(database.statistics().cut_bytes == 0 || missing == 0, "bit {bit}: everything was durable");
    }
}

#[test]
fn any_length_leaves_what_was_committed_before_the_cut() {
    let batches = golden_batches();
    let mut held = 0;
    for length in 0..GOLDEN.len() {
        let content = content(&open_bytes(GOLDEN[..length].to_vec()));
        let state = (held..=batches.len()).find(|count| in_time_order(Model::after(&batches[..*count])) == content);
        held = state.unwrap_or_else(|| panic!("{length} bytes hold {content:?}"));
    }
    assert_eq!(held, batches.len(), "all but the mark is enough");
}

#[test]
fn a_journal_with_damage_can_be_added_to() {
    let batches = golden_batches();
    let flipped = (0..GOLDEN.len()).step_by(7).map(|byte| {
        let mut bytes = GOLDEN.to_vec();
        bytes[byte] ^= 0x10;
        bytes
    });
    let cut = (0..GOLDEN.len()).step_by(7).map(|length| GOLDEN[..length].to_vec());
    for (number, bytes) in flipped.chain(cut).enumerate() {
        let storage = SimulatedStorage::default();
        storage.put(FILE_NAME, bytes);
        let database = open(&storage).unwrap();
        let before = content(&database);
        let added = batch("c", &[(7, "added")], 1);
        database.append(added.clone()).unwrap();
        database.sync().unwrap();
        let mut expected = before;
        expected.append(&added);
        assert_eq!(content(&open(&storage).unwrap()), expected, "damage {number}");
    }
    assert_eq!(content(&open_bytes(GOLDEN.to_vec())), in_time_order(Model::after(&batches)));
}

#[test]
fn a_part_that_rots_while_the_database_is_open_is_left_out_and_counted() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(1, "the first line")], 1)).unwrap();
    database.commit().unwrap();
    database.append(batch("a", &[(2, "the second line")], 2)).unwrap();
    database.commit().unwrap();
    storage.damage(FILE_NAME, b"first");
    let texts: Vec<_> = entries(&database.snapshot(), &Selection::of(Vec::new())).into_iter().map(|e| e.line).collect();
    assert_eq!(texts, [b"the second line"]);
    assert_eq!(database.statistics().unreadable_parts, 1);
}

#[test]
fn a_newer_version_is_refused_and_left_untouched() {
    let mut newer = GOLDEN.to_vec();
    for copy in [0, 512] {
        newer[copy + 8] = 2;
    }
    let storage = SimulatedStorage::default();
    storage.put(FILE_NAME, newer.clone());
    let Err(Error::UnsupportedVersion { got, .. }) = open(&storage) else { panic!("opened") };
    assert_eq!(got, 2);
    assert_eq!(storage.files(), BTreeMap::from([(FILE_NAME.to_owned(), newer)]));
}

#[test]
fn a_journal_that_was_logged_as_text_is_never_read_as_records() {
    let batches = golden_batches();
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut outer = batch("outer", &[], 1);
    outer.streams[0].lines.push(crate::model::Timestamp::from_ns(1), GOLDEN);
    database.append(outer.clone()).unwrap();
    database.sync().unwrap();
    database.append(batches[0].clone()).unwrap();
    database.sync().unwrap();
    let mut bytes = storage.files().remove(FILE_NAME).unwrap();
    // The head of the record that holds the text: its lines are searched for the next record.
    bytes[1024 + 9] ^= 1;
    assert_eq!(content(&open_bytes(bytes)).streams, Model::after(&batches[..1]).streams);
}

#[test]
fn files_that_are_not_ours_are_ignored_and_stay() {
    let batches = golden_batches();
    let storage = SimulatedStorage::default();
    storage.put(FILE_NAME, GOLDEN.to_vec());
    let foreign = [
        "journal/readme.txt",
        "journal/1.journal",
        "journal/00000000000000001.journal",
        "journal/000000000000000A.journal",
    ];
    for name in foreign {
        storage.put(name, b"anything".to_vec());
    }
    storage.put("journal/0000000000000002.journal", Vec::new());
    let database = open(&storage).unwrap();
    assert_eq!(content(&database), in_time_order(Model::after(&batches)));
    database.append(batch("a", &[(10, "more")], 9)).unwrap();
    database.sync().unwrap();
    assert!(foreign.iter().all(|name| storage.files().contains_key(*name)));
    assert_eq!(content(&open(&storage).unwrap()).streams.len(), 2);
}
