//! The database as a whole, against a model of it: what is appended, what a scan returns, and what crashes leave.

mod crash;
mod damage;
mod filters;
mod metadata;
mod model;
mod places;
mod room;
mod scan;
mod segments;
mod states;
mod subscription;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log_database::storage::{SimulatedStorage, Storage};
use crate::log_database::{Database, Error, Snapshot};
use crate::model::{Batch, Checkpoint, Direction, Labels, LineFilter, Lines, Selection, StreamLines, Timestamp};

/// What a database should hold: everything that was appended up to some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    /// Each stream's lines, as appended.
    streams: BTreeMap<Labels, Vec<(Timestamp, Vec<u8>)>>,
    checkpoints: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Model {
    fn append(&mut self, batch: &Batch) {
        for stream in batch.streams.iter().filter(|stream| !stream.lines.is_empty()) {
            let lines = self.streams.entry(stream.labels.clone()).or_default();
            lines.extend(stream.lines.iter().map(|(timestamp, line)| (timestamp, line.to_vec())));
        }
        let Some(Checkpoint { source, position }) = batch.checkpoint.clone() else { return };
        match position {
            Some(position) => self.checkpoints.insert(source, position),
            None => self.checkpoints.remove(&source),
        };
    }

    fn after(batches: &[Batch]) -> Self {
        let mut model = Self::default();
        for batch in batches {
            model.append(batch);
        }
        model
    }

    /// What a scan has to return.
    fn select(&self, selection: &Selection) -> Vec<OwnedEntry> {
        let mut entries: Vec<OwnedEntry> = Vec::new();
        for (labels, lines) in &self.streams {
            if selection.matchers.iter().all(|matcher| matcher.accepts(labels)) {
                entries.extend(lines.iter().map(|(timestamp, line)| OwnedEntry {
                    timestamp: *timestamp,
                    labels: labels.clone(),
                    line: line.clone(),
                }));
            }
        }
        entries.sort_by_key(|entry| entry.timestamp);
        if selection.direction == Direction::Backward {
            entries.reverse();
        }
        entries.retain(|entry| selection.range.contains(entry.timestamp));
        entries.retain(|entry| selection.filters.iter().all(|filter| accepts(filter, &entry.line)));
        entries.truncate(selection.limit.unwrap_or(usize::MAX));
        entries
    }
}

/// What a filter means, in other words than those under test.
fn accepts(filter: &LineFilter, line: &[u8]) -> bool {
    let contains = |text: &[u8]| text.is_empty() || line.windows(text.len()).any(|window| window == text);
    match filter {
        LineFilter::Contains(text) => contains(text),
        LineFilter::ContainsAny(texts) => texts.iter().any(|text| contains(text)),
        LineFilter::NotContains(text) => !contains(text),
        LineFilter::Matches(pattern) => pattern.is_match(line),
        LineFilter::NotMatches(pattern) => !pattern.is_match(line),
    }
}

/// Opens a database whose files are as long as in production.
fn open(storage: &SimulatedStorage) -> Result<Database, Error> {
    Database::open(Arc::new(storage.clone()) as Arc<dyn Storage>)
}

fn labels(name: &str) -> Labels {
    Labels::new([("path", name)]).unwrap()
}

fn lines(entries: &[(i64, &str)]) -> Lines {
    let mut lines = Lines::default();
    for (ns, line) in entries {
        lines.push(Timestamp::from_ns(*ns), line.as_bytes());
    }
    lines
}

/// A batch of one stream, read by the source of the same name up to `position`.
fn batch(stream: &str, entries: &[(i64, &str)], position: u64) -> Batch {
    Batch {
        checkpoint: Some(Checkpoint { source: stream.into(), position: Some(position.to_string().into()) }),
        streams: vec![StreamLines { labels: labels(stream), lines: lines(entries) }],
    }
}

/// An entry that outlives the scan that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnedEntry {
    timestamp: Timestamp,
    labels: Labels,
    line: Vec<u8>,
}

#[track_caller]
fn entries(snapshot: &Snapshot, selection: &Selection) -> Vec<OwnedEntry> {
    let mut scan = snapshot.scan(selection);
    let mut entries = Vec::new();
    while let Some(entry) = scan.next().expect("the scan is narrow") {
        let (timestamp, labels) = (entry.timestamp, entry.labels.clone());
        entries.push(OwnedEntry { timestamp, labels, line: entry.line.to_vec() });
    }
    entries
}

/// Everything in the database, in the form of the model. Lines are in time order, not as appended.
#[track_caller]
fn content(database: &Database) -> Model {
    let mut model = Model::default();
    for entry in entries(&database.snapshot(), &Selection::of(Vec::new())) {
        model.streams.entry(entry.labels).or_default().push((entry.timestamp, entry.line));
    }
    for checkpoint in database.checkpoints() {
        model.checkpoints.insert(checkpoint.source, checkpoint.position.expect("forgotten ones are left out"));
    }
    model
}

/// The model with lines in the order of [`content`].
fn in_time_order(mut model: Model) -> Model {
    model.streams.values_mut().for_each(|lines| lines.sort_by_key(|(timestamp, _)| *timestamp));
    model
}

#[test]
fn a_pending_batch_is_visible_and_gone_after_a_crash() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(1, "one")], 10)).unwrap();
    assert_eq!(content(&database).streams, Model::after(&[batch("a", &[(1, "one")], 10)]).streams);
    assert_eq!(database.checkpoints(), [], "what is not committed is not acknowledged");
    assert_ne!(database.pending_bytes(), 0);
    drop(database);
    assert_eq!(content(&open(&storage).unwrap()), Model::default());
}

#[test]
fn a_sync_of_nothing_new_does_not_touch_the_medium() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(1, "one")], 10)).unwrap();
    database.sync().unwrap();
    let calls = storage.call_count();
    database.sync().unwrap();
    database.commit().unwrap();
    assert_eq!(storage.call_count(), calls);
    assert_eq!(database.pending_bytes(), 0);
}

#[test]
fn statistics_count_what_queries_see() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    database.append(batch("a", &[(5, "one"), (3, "three")], 10)).unwrap();
    database.sync().unwrap();
    database.append(batch("b", &[(4, "four")], 10)).unwrap();
    let statistics = database.statistics();
    assert_eq!((statistics.streams, statistics.lines, statistics.bytes), (2, 3, 12));
    assert_eq!(statistics.oldest, Some(Timestamp::from_ns(3)));
    assert_eq!((statistics.commits, statistics.syncs, statistics.files), (1, 1, 1));
    let on_disk: usize = storage.files().values().map(Vec::len).sum();
    assert_eq!(statistics.disk_bytes, on_disk as u64);
}

#[test]
fn too_much_pending_is_refused_and_leaves_what_is_there() {
    let database = open(&SimulatedStorage::default()).unwrap();
    let large = Batch {
        checkpoint: Some(Checkpoint { source: vec![0; super::PENDING_BYTES_MAX], position: None }),
        streams: Vec::new(),
    };
    database.append(batch("a", &[(1, "one")], 10)).unwrap();
    assert!(matches!(database.append(large), Err(Error::PendingFull { .. })));
    assert_eq!(content(&database).streams.len(), 1);
}

#[test]
fn the_handle_and_its_readers_may_move_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Database>();
    check::<Snapshot>();
    check::<super::Scan>();
}

#[test]
fn readers_see_whole_batches_in_order_while_they_are_written_moved_and_merged() {
    const BATCHES: i64 = 300;
    let database = crash::open(&SimulatedStorage::default()).unwrap();
    let reader = database.clone();
    let reading = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < 2 * BATCHES {
            let times =
                entries(&reader.snapshot(), &Selection::of(Vec::new())).into_iter().map(|entry| entry.timestamp);
            let times: Vec<i64> = times.map(Timestamp::as_ns).collect();
            let count = i64::try_from(times.len()).unwrap();
            assert!(seen <= count && count % 2 == 0, "{count} lines after {seen}");
            assert_eq!(times, (0..count).collect::<Vec<_>>());
            seen = count;
        }
    });
    for number in 0..BATCHES {
        database.append(batch("a", &[(2 * number, "even"), (2 * number + 1, "odd")], 1)).unwrap();
        match number % 7 {
            0..3 => database.commit().unwrap(),
            3 => database.sync().unwrap(),
            _ => {}
        }
        database.maintain(Timestamp::from_ns(number * 3_600_000_000_000)).unwrap();
    }
    assert_ne!(database.statistics().segments, 0);
    reading.join().unwrap();
}
