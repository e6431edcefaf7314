//! Readers against crashes, restarts, merges and retention: every line once, under numbers that stay.

use std::collections::BTreeMap;

use super::*;
use crate::log_database::database::{Limits, Options, RetentionLimits};
use crate::log_database::storage::SimulatedStorage;
use crate::log_database::{journal, segment};
use crate::model::Batch;

const IDENTITY: [u8; 16] = [1; 16];
const LIMITS: WindowLimits = WindowLimits { batch_bytes: 100, batches: 2 };

/// What a receiver has that remembers the last number of its sender.
#[derive(Debug, Default)]
struct Receiver {
    last: u64,
    lines: BTreeMap<Labels, Vec<String>>,
}

impl Receiver {
    fn take(&mut self, number: u64, batch: &[StreamLines]) {
        if number <= self.last {
            return;
        }
        self.last = number;
        for stream in batch {
            let lines = self.lines.entry(stream.labels.clone()).or_default();
            lines.extend(stream.lines.iter().map(|(_, line)| String::from_utf8_lossy(line).into_owned()));
        }
    }
}

/// What was appended, by stream.
#[derive(Debug, Default)]
struct Written {
    lines: BTreeMap<Labels, Vec<String>>,
    count: i64,
}

impl Written {
    fn append(&mut self, database: &Database, stream: usize) {
        let labels = Labels::new([("path", format!("/{stream}"))]).unwrap();
        let line = format!("line {} of stream {stream}", self.count);
        self.count += 1;
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(self.count), line.as_bytes());
        database
            .append(Batch { checkpoint: None, streams: vec![StreamLines { labels: labels.clone(), lines }] })
            .unwrap();
        self.lines.entry(labels).or_default().push(line);
    }
}

/// Files of a few lines, so that all kinds of moves happen.
fn open(storage: &SimulatedStorage, retention_bytes: Option<u64>) -> Database {
    let limits = Limits {
        journal: journal::Limits { file_bytes: 600, replaced_bytes_max: 300 },
        segment: segment::Limits {
            block_bytes_max: 400,
            copied_bytes_min: 200,
            merged_count_min: 3,
            file_bytes_max: 8000,
        },
        ..Limits::default()
    };
    let retention = RetentionLimits { age: None, bytes: retention_bytes };
    Database::open_limited(Arc::new(storage.clone()), Options { retention }, limits).unwrap()
}

fn reader(database: &Database, start: StartAt) -> Reader {
    database.reader("target", start, IDENTITY, |_| true).unwrap()
}

/// Sends everything that is there.
fn send_all(reader: &mut Reader, receiver: &mut Receiver) {
    while let Some(window) = reader.next(LIMITS).unwrap() {
        for (number, batch) in (window.first..).zip(&window.batches) {
            receiver.take(number, batch);
            reader.acknowledge(number, 0).unwrap();
        }
    }
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn every_line_is_read_once_whatever_is_killed_and_moved() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut storage = SimulatedStorage::default();
        let mut database = open(&storage, None);
        let (mut written, mut receiver) = (Written::default(), Receiver::default());
        let mut reader_ = reader(&database, StartAt::Beginning);
        for step in 0..300 {
            match dice.below(12) {
                0..5 => written.append(&database, usize::try_from(dice.below(4)).unwrap()),
                5 => database.commit().unwrap(),
                6 => {
                    database.maintain(Timestamp::from_ns(step * 1_000_000_000 * 7200)).unwrap();
                }
                // A kill, of a sender that has sent and of one whose receiver has not answered.
                7 => {
                    database.commit().unwrap();
                    if let Some(window) = reader_.next(LIMITS).unwrap() {
                        let sent = usize::try_from(dice.below(3)).unwrap();
                        for (number, batch) in (window.first..).zip(&window.batches).take(sent) {
                            receiver.take(number, batch);
                            if dice.below(2) == 0 {
                                reader_.acknowledge(number, 0).unwrap();
                            }
                        }
                    }
                    drop((reader_, database));
                    storage = storage.clone();
                    database = open(&storage, None);
                    reader_ = reader(&database, StartAt::Now);
                }
                _ => {
                    if let Some(window) = reader_.next(LIMITS).unwrap() {
                        receiver.take(window.first, &window.batches[0]);
                        reader_.acknowledge(window.first, 0).unwrap();
                    }
                }
            }
        }
        send_all(&mut reader_, &mut receiver);
        assert_eq!(receiver.lines, written.lines, "seed {seed}");
        let progress = reader_.progress();
        assert_eq!((progress.lines, progress.dropped, progress.oldest), (0, 0, None), "seed {seed}");
    }
}

#[test]
fn a_window_comes_again_as_it_was_until_it_is_acknowledged() {
    let storage = SimulatedStorage::default();
    let database = open(&storage, None);
    let mut written = Written::default();
    let mut reader_ = reader(&database, StartAt::Beginning);
    (0..20).for_each(|number| written.append(&database, number % 3));
    let first = reader_.next(LIMITS).unwrap().unwrap();
    assert_eq!((first.first, first.batches.len()), (1, 2));
    (0..20).for_each(|number| written.append(&database, number % 5));
    assert_eq!(reader_.next(LIMITS).unwrap().as_ref(), Some(&first));
    reader_.acknowledge(1, 1).unwrap();
    let rest = Window { first: 2, batches: first.batches[1..].to_vec() };
    assert_eq!(reader_.next(LIMITS).unwrap(), Some(rest.clone()));
    drop((reader_, database));
    let database = open(&storage, None);
    let mut reader_ = reader(&database, StartAt::Now);
    assert_eq!(reader_.next(LIMITS).unwrap(), Some(rest));
    assert_eq!((reader_.progress().number, reader_.progress().refused), (1, 1));
}

#[test]
fn a_reader_that_begins_now_is_not_handed_what_was_there() {
    let database = open(&SimulatedStorage::default(), None);
    let (mut written, mut receiver) = (Written::default(), Receiver::default());
    (0..50).for_each(|number| written.append(&database, number % 3));
    let mut reader_ = reader(&database, StartAt::Now);
    written.lines.clear();
    (0..50).for_each(|number| written.append(&database, number % 4));
    send_all(&mut reader_, &mut receiver);
    assert_eq!(receiver.lines, written.lines);
}

#[test]
fn what_retention_drops_is_counted_to_the_line() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let storage = SimulatedStorage::default();
        let mut database = open(&storage, Some(1500));
        let (mut written, mut receiver) = (Written::default(), Receiver::default());
        let mut reader_ = reader(&database, StartAt::Beginning);
        for step in 0..400 {
            written.append(&database, usize::try_from(dice.below(3)).unwrap());
            match dice.below(20) {
                0..8 => database.commit().unwrap(),
                8..14 => while database.maintain(Timestamp::from_ns(step)).unwrap() {},
                // A window that is in somebody's hands while its lines are dropped.
                14 => {
                    reader_.next(LIMITS).unwrap();
                }
                15 => {
                    if let Some(window) = reader_.next(LIMITS).unwrap() {
                        receiver.take(window.first, &window.batches[0]);
                        reader_.acknowledge(window.first, 0).unwrap();
                    }
                }
                16 => {
                    database.commit().unwrap();
                    drop((reader_, database));
                    database = open(&storage, Some(1500));
                    reader_ = reader(&database, StartAt::Now);
                }
                _ => {}
            }
        }
        send_all(&mut reader_, &mut receiver);
        let count = |lines: &BTreeMap<Labels, Vec<String>>| lines.values().map(|lines| lines.len() as u64).sum::<u64>();
        for (labels, lines) in &receiver.lines {
            let mut sorted = lines.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), lines.len(), "seed {seed}: {labels} has lines twice");
        }
        let progress = reader_.progress();
        assert!(0 < progress.dropped, "seed {seed}: nothing was dropped");
        assert_eq!(count(&receiver.lines) + progress.dropped, count(&written.lines), "seed {seed}");
    }
}

#[test]
fn streams_that_are_not_wanted_are_neither_handed_over_nor_waited_for() {
    let storage = SimulatedStorage::default();
    let database = open(&storage, None);
    let mut written = Written::default();
    let is_wanted = |labels: &Labels| labels.get("path") == Some("/1");
    let mut reader_ = database.reader("target", StartAt::Beginning, IDENTITY, is_wanted).unwrap();
    (0..60).for_each(|number| {
        written.append(&database, number % 3);
        database.commit().unwrap();
    });
    let mut receiver = Receiver::default();
    send_all(&mut reader_, &mut receiver);
    assert_eq!(receiver.lines.keys().map(|labels| labels.get("path").unwrap()).collect::<Vec<_>>(), ["/1"]);
    assert_eq!(reader_.progress().lines, 0);
    let newest = *database.index().journal.keys().next_back().unwrap();
    assert_eq!(reader_.position().base, newest, "it counts from the file that is written to");
}

#[test]
fn nothing_is_written_while_there_is_nothing_to_read() {
    // With files as long as in production: in the short ones of the other tests, to note that the base has moved fills the next one.
    let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
    let (mut written, mut receiver) = (Written::default(), Receiver::default());
    let mut reader_ = reader(&database, StartAt::Beginning);
    (0..60).for_each(|number| written.append(&database, number % 3));
    send_all(&mut reader_, &mut receiver);
    // The base may have moved, which is stored once.
    assert_eq!(reader_.next(LIMITS).unwrap(), None);
    let commits = database.commit_count();
    for _ in 0..5 {
        assert_eq!(reader_.next(LIMITS).unwrap(), None);
    }
    assert_eq!(database.commit_count(), commits);
}
