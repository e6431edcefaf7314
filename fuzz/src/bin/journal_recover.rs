//! Any bytes as up to three journal files: recovered, read, added to, moved to segments. Never a panic; what was found is
//! still found after everything, and so is what was added.
//!
//! The input: a byte that says how many files, two bytes for the length of each but the last, and the files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_database::storage::{CrashMode, SimulatedStorage};
use monitoring_rs::model::{Batch, Checkpoint, StreamLines, Timestamp};
use monitoring_rs_fuzz::{OwnedEntry, labels, lines, logs, open, plant, read, sort};

/// Few lines, so that a run is short.
const LINES: usize = 8;
const HOUR_NS: i64 = 3_600_000_000_000;

fuzz_target!(init: plant("journal_recover", seeds()), |bytes: &[u8]| check(bytes));

fn check(bytes: &[u8]) {
    let storage = SimulatedStorage::default();
    for (sequence, file) in (1..).zip(split(bytes)) {
        storage.put(&name(sequence), file.to_vec());
    }
    let Some(database) = open(&storage) else { return };
    let mut expected = read(&database.snapshot(), bytes.len());
    let lost = database.statistics().unreadable_parts;

    let added = lines(&[b"added 1", b"", b"added 2"]);
    expected.extend(added.iter().map(|(timestamp, line)| OwnedEntry {
        timestamp,
        labels: labels("added"),
        line: line.to_vec(),
    }));
    let checkpoint = Some(Checkpoint { source: b"added".to_vec(), position: Some(b"9".to_vec()) });
    database
        .append(Batch { checkpoint, streams: vec![StreamLines { labels: labels("added"), lines: added }] })
        .expect("little is pending");
    sort(&mut expected);
    // A full medium, or more checkpoints than there are; nothing that a mutation should reach.
    if database.sync().is_err() {
        return;
    }
    let check = |storage: &SimulatedStorage, context: &str| {
        let database = open(storage).expect("what was recovered once is opened");
        let found = read(&database.snapshot(), bytes.len());
        assert!(found == expected, "{context}: {found:?} instead of {expected:?}");
        assert!(database.checkpoints().iter().any(|checkpoint| checkpoint.source == b"added"), "{context}");
    };
    check(&storage, "after a sync");
    check(&storage.crash(CrashMode::AllLost, 0), "after a power cut");
    for hours in 0..4 {
        while database.maintain(Timestamp::from_ns(hours * HOUR_NS)).is_ok_and(|has_more| has_more) {}
    }
    // What could not be read is left behind, and counted.
    if database.statistics().unreadable_parts == lost {
        check(&storage, "in segments");
    }
}

fn name(sequence: u64) -> String {
    format!("journal/{sequence:016x}.journal")
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let Some((count, mut rest)) = bytes.split_first() else { return Vec::new() };
    let mut files = Vec::new();
    for _ in 0..count % 3 {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { break };
        let (file, after) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        files.push(file);
        rest = after;
    }
    files.push(rest);
    files
}

fn join(files: &[Vec<u8>]) -> Vec<u8> {
    let (last, first) = files.split_last().expect("at least one");
    let mut joined = vec![u8::try_from(first.len()).expect("few")];
    for file in first {
        joined.extend_from_slice(&u16::try_from(file.len()).expect("short").to_le_bytes());
        joined.extend_from_slice(file);
    }
    joined.extend_from_slice(last);
    joined
}

/// Journals of one to three files, with every kind of record: lines, checkpoints, forgotten sources, marks.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kill_count in 0..3 {
        for log in logs(LINES).chunks(4) {
            let mut storage = SimulatedStorage::default();
            for round in 0..=kill_count {
                let database = open(&storage).expect("it opens");
                for (number, lines) in log.iter().enumerate() {
                    let position = (number % 3 != 2).then(|| vec![b'p'; number]);
                    let checkpoint = Some(Checkpoint { source: format!("s{round}").into_bytes(), position });
                    let streams = vec![StreamLines { labels: labels(["a", "b"][number % 2]), lines: lines.clone() }];
                    database.append(Batch { checkpoint, streams }).expect("there is room");
                    if number % 2 == 0 { database.commit() } else { database.sync() }.expect("nothing fails");
                }
                // Half of the file is durable, and the next process goes on in a file of its own.
                storage = storage.crash(CrashMode::ProcessKilled, 0);
            }
            let files: Vec<Vec<u8>> = (1..=3).filter_map(|sequence| storage.files().remove(&name(sequence))).collect();
            if !files.is_empty() && files.iter().rev().skip(1).all(|file| file.len() <= usize::from(u16::MAX)) {
                seeds.push(join(&files));
            }
        }
    }
    seeds
}
