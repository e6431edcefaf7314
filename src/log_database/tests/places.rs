//! Places: every page of every size comes to the whole, in both directions, wherever lines are stored.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::log_database::storage::SimulatedStorage;
use crate::log_database::tests::crash::open;
use crate::log_database::tests::{Model, labels};
use crate::log_database::{Bounds, Database, Place, metadata};
use crate::model::{
    Batch, Direction, Labels, LineFilter, Lines, LogEntry, Selection, StreamLines, TimeRange, Timestamp,
};

/// What is done between two looks.
#[derive(Clone, Debug)]
enum Step {
    Append(Batch),
    Commit,
    Maintain { steps: u8, hours: u8 },
    Reopen,
}

/// Lines with few different times, and now and then one that fills much of a block.
fn any_lines() -> impl Strategy<Value = Lines> {
    let time = prop_oneof![8 => 0..4_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX - 1)];
    let line = prop_oneof![9 => vec(b'a'..b'c', 0..3), 1 => Just(vec![b'a'; 2 << 10])];
    vec((time, line), 0..5).prop_map(|pairs| {
        let mut lines = Lines::default();
        for (ns, line) in &pairs {
            lines.push(Timestamp::from_ns(*ns), line);
        }
        lines
    })
}

/// Lines of streams, some with metadata.
fn any_step() -> impl Strategy<Value = Step> {
    let stream = (prop_oneof![Just("a"), Just("b"), Just("c")], any_lines(), any::<bool>());
    let stream = stream.prop_map(|(name, lines, has_metadata)| {
        if !has_metadata {
            return StreamLines { labels: labels(name), lines };
        }
        let mut marked = Lines::default();
        for (timestamp, line) in lines.iter() {
            let mut line = line.to_vec();
            metadata::append(&mut line, [("id", "a7")]).unwrap();
            marked.push(timestamp, &line);
        }
        StreamLines { labels: metadata::mark(&labels(name)).unwrap(), lines: marked }
    });
    let batch = vec(stream, 0..4).prop_map(|streams| Batch { checkpoint: None, streams });
    prop_oneof![
        6 => batch.prop_map(Step::Append),
        2 => Just(Step::Commit),
        2 => (1..6_u8, 0..8_u8).prop_map(|(steps, hours)| Step::Maintain { steps, hours }),
        1 => Just(Step::Reopen),
    ]
}

type Entry = (Place, Vec<u8>);

/// Every entry with its place, in the order of all entries.
fn expected(model: &Model, filters: &[LineFilter]) -> Vec<Entry> {
    let own = |stored: &Labels| metadata::unmark(stored).map_or((stored.clone(), false), |own| (own, true));
    let mut entries = Vec::new();
    for (stream, lines) in &model.streams {
        for (index, (timestamp, line)) in lines.iter().enumerate() {
            let number = lines[..index].iter().filter(|(other, _)| other == timestamp).count() as u64;
            let text = if own(stream).1 { metadata::split(line).0 } else { line };
            if filters.iter().all(|filter| filter.accepts(text)) {
                entries.push((Place { timestamp: *timestamp, stream: stream.clone(), number }, text.to_vec()));
            }
        }
    }
    entries.sort_by_key(|(place, _)| (place.timestamp, own(&place.stream), place.number));
    entries
}

/// The entries of a selection within bounds, with their places.
fn found(database: &Database, selection: &Selection, bounds: &Bounds) -> Vec<Entry> {
    let mut scan = database.snapshot().scan_within(selection, bounds, |labels| Some(labels.clone()));
    let mut entries = Vec::new();
    while let Some(entry) = scan.next().unwrap() {
        let (timestamp, line) = (entry.timestamp, entry.line.to_vec());
        let (stream, number) = scan.number().unwrap();
        entries.push((Place { timestamp, stream: stream.clone(), number }, line));
    }
    entries
}

/// Page after page of `size` entries, each from where the one before ended.
fn paged(database: &Database, filters: &[LineFilter], direction: Direction, size: usize) -> Vec<Entry> {
    let selection = Selection { filters: filters.to_vec(), direction, limit: Some(size), ..Selection::of(Vec::new()) };
    let (mut all, mut bounds) = (Vec::new(), Bounds::default());
    loop {
        let page = found(database, &selection, &bounds);
        let Some((last, _)) = page.last() else { return all };
        match direction {
            Direction::Forward => bounds.from = Some(last.clone().next()),
            Direction::Backward => bounds.before = Some(last.clone()),
        }
        all.extend(page);
    }
}

/// What stands around each entry of each stream is what was appended before and after it.
#[track_caller]
fn check_stored(database: &Database, model: &Model) {
    let snapshot = database.snapshot();
    for (stream, lines) in &model.streams {
        let is_marked = metadata::is_marked(stream);
        let all: Vec<Entry> = lines
            .iter()
            .enumerate()
            .map(|(index, (timestamp, line))| {
                let number = lines[..index].iter().filter(|(other, _)| other == timestamp).count() as u64;
                let text = if is_marked { metadata::split(line).0 } else { line };
                (Place { timestamp: *timestamp, stream: stream.clone(), number }, text.to_vec())
            })
            .collect();
        for (index, (place, _)) in all.iter().enumerate().step_by(3) {
            for (before, after) in [(0, 0), (1, 2), (all.len(), all.len())] {
                let mut found = Vec::new();
                let order = snapshot.stored_order(stream, &Arc::default());
                let mut take = |entry: LogEntry<'_>, number| {
                    let place = Place { timestamp: entry.timestamp, stream: stream.clone(), number };
                    found.push((place, entry.line.to_vec()));
                    Ok(())
                };
                order.around(place, (before, after), stream, &mut take).unwrap();
                let expected = &all[index.saturating_sub(before)..(index + after + 1).min(all.len())];
                assert_eq!(found, expected, "{before} before and {after} after entry {index} of {stream}");
            }
        }
    }
}

#[track_caller]
fn check(database: &Database, model: &Model) {
    check_stored(database, model);
    for filters in [vec![], vec![LineFilter::Contains(b"a".to_vec())]] {
        let mut expected = expected(model, &filters);
        let sizes = [1, 3, 7, expected.len().max(1)];
        for size in sizes {
            assert_eq!(paged(database, &filters, Direction::Forward, size), expected, "pages of {size}");
        }
        let last = expected.len().saturating_sub(1);
        for (first, end) in [(0, last), (last / 3, last), (last / 3, last / 2), (last / 2, last / 2)] {
            let place = |index: usize| expected.get(index).map(|(place, _)| place.clone());
            let bounds = Bounds { from: place(first), before: place(end) };
            let selection = Selection { filters: filters.clone(), ..Selection::of(Vec::new()) };
            let middle = &expected[first.min(expected.len())..end.max(first).min(expected.len())];
            assert_eq!(found(database, &selection, &bounds), middle, "from {first} to {end}");
        }
        expected.reverse();
        for size in sizes {
            assert_eq!(paged(database, &filters, Direction::Backward, size), expected, "pages of {size}, backwards");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_page_of_every_size_comes_to_the_whole(steps in vec(any_step(), 0..16)) {
        let storage = SimulatedStorage::default();
        let mut database = open(&storage).unwrap();
        let mut model = Model::default();
        let mut hours = 0;
        for step in steps {
            match step {
                Step::Append(batch) => {
                    model.append(&batch);
                    database.append(batch).unwrap();
                }
                Step::Commit => database.commit().unwrap(),
                Step::Maintain { steps, hours: later } => {
                    database.commit().unwrap();
                    hours += i64::from(later);
                    for _ in 0..steps {
                        database.maintain(Timestamp::from_ns(hours * 3_600_000_000_000)).unwrap();
                    }
                }
                Step::Reopen => {
                    database.sync().unwrap();
                    drop(database);
                    database = open(&storage).unwrap();
                }
            }
        }
        check(&database, &model);
        database.sync().unwrap();
        check(&database, &model);
        drop(database);
        check(&open(&storage).unwrap(), &model);
    }
}

#[test]
fn a_place_that_is_not_there_stands_between_its_neighbours() {
    let database = open(&SimulatedStorage::default()).unwrap();
    let mut lines = Lines::default();
    for (ns, line) in [(1, "one"), (3, "two"), (3, "three"), (5, "four")] {
        lines.push(Timestamp::from_ns(ns), line.as_bytes());
    }
    database.append(Batch { checkpoint: None, streams: vec![StreamLines { labels: labels("b"), lines }] }).unwrap();
    let texts = |stream: &str, ns, number| {
        let place = Place { timestamp: Timestamp::from_ns(ns), stream: labels(stream), number };
        let selection = Selection { range: TimeRange::ALL, ..Selection::of(Vec::new()) };
        let bounds = Bounds { from: Some(place), before: None };
        found(&database, &selection, &bounds).len()
    };
    assert_eq!(
        [texts("a", 3, 9), texts("b", 3, 0), texts("b", 3, 1), texts("b", 3, 2), texts("c", 3, 0)],
        [3, 3, 2, 1, 1]
    );
    assert_eq!([texts("b", 0, 5), texts("b", 2, 5), texts("b", 6, 0)], [4, 3, 0]);
}
