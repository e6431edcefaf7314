//! Entries with metadata, wherever they are stored.

use std::num::NonZeroU64;
use std::ops::ControlFlow;

use crate::log_database::storage::SimulatedStorage;
use crate::log_database::tests::crash::open;
use crate::log_database::tests::{labels, lines};
use crate::log_database::{Classify, Database, Error, Folder, Overview, Pattern, metadata};
use crate::model::{
    Batch, Direction, Labels, LineFilter, LinePattern, Lines, LogEntry, Selection, StreamLines, TimeRange, Timestamp,
};

/// Texts with their metadata.
struct Texts(Vec<String>);

impl Folder for Texts {
    type Sum = Vec<String>;
    type Error = Error;

    fn begin(&mut self, _: &Overview<'_>) -> Result<bool, Error> {
        Ok(true)
    }

    fn push(&mut self, entry: LogEntry<'_>) -> Result<ControlFlow<()>, Error> {
        let metadata: Vec<_> = entry.metadata.iter().map(|(name, value)| format!(" {name}:{value}")).collect();
        self.0.push(format!("{}{}", str::from_utf8(entry.line).unwrap(), metadata.concat()));
        Ok(ControlFlow::Continue(()))
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

#[test]
fn entries_with_metadata_are_entries_of_their_stream() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut with_metadata = Lines::default();
    for (ns, text, id) in [(1, "first", "7"), (2, "id=8", "9"), (4, "last", "8")] {
        let mut line = text.as_bytes().to_vec();
        metadata::append(&mut line, [("id", id)]).unwrap();
        with_metadata.push(Timestamp::from_ns(ns), &line);
    }
    let marked = metadata::mark(&labels("a")).unwrap();
    let streams = vec![
        StreamLines { labels: marked, lines: with_metadata },
        StreamLines { labels: labels("a"), lines: lines(&[(2, "id=8 without"), (3, "plain")]) },
    ];
    database.append(Batch { checkpoint: None, streams }).unwrap();

    let check = |database: &Database| {
        let snapshot = database.snapshot();
        assert_eq!(snapshot.streams(&[], TimeRange::ALL), [labels("a")]);
        assert_eq!(snapshot.extents(TimeRange::ALL).len(), 1);
        assert!(snapshot.has_metadata(|labels| Some(labels.clone())));
        assert!(snapshot.count(&Selection::of(Vec::new()), NonZeroU64::MIN).is_none());
        let select = |filters: &[LineFilter], direction, limit| {
            let selection = Selection { filters: filters.to_vec(), direction, limit, ..Selection::of(Vec::new()) };
            let mut scan = snapshot.scan(&selection);
            let mut found = Vec::new();
            while let Some(entry) = scan.next().unwrap() {
                assert_eq!(*entry.labels, labels("a"));
                let metadata: Vec<_> = entry.metadata.iter().map(|(name, value)| format!(" {name}:{value}")).collect();
                found.push(format!("{}{}", str::from_utf8(entry.line).unwrap(), metadata.concat()));
            }
            found
        };
        let all = ["first id:7", "id=8 without", "id=8 id:9", "plain", "last id:8"];
        assert_eq!(select(&[], Direction::Forward, None), all);
        assert_eq!(select(&[], Direction::Backward, Some(2)), ["last id:8", "plain"]);
        let folded = |filters: &[LineFilter]| {
            let selection = Selection { filters: filters.to_vec(), ..Selection::of(Vec::new()) };
            let mut all = Vec::new();
            let merge = |texts, _| {
                all.extend::<Vec<String>>(texts);
                Ok(())
            };
            snapshot.fold_as(&selection, |labels| Some(labels.clone())).run(&mut [Texts(Vec::new())], merge).unwrap();
            all.sort_unstable();
            all
        };
        assert_eq!(folded(&[]), ["first id:7", "id=8 id:9", "id=8 without", "last id:8", "plain"]);
        assert_eq!(folded(&[LineFilter::Contains(b"8".to_vec())]), ["id=8 id:9", "id=8 without"]);
        // Filters are for the text alone, and count before the limit does.
        let contains = |text: &str| LineFilter::Contains(text.as_bytes().to_vec());
        assert_eq!(select(&[contains("id=8")], Direction::Backward, Some(1)), ["id=8 id:9"]);
        assert_eq!(select(&[contains("id=8")], Direction::Forward, None), ["id=8 without", "id=8 id:9"]);
        assert_eq!(
            select(&[LineFilter::NotContains(b"id".to_vec())], Direction::Forward, None),
            ["first id:7", "plain", "last id:8"]
        );
        let pattern = LinePattern::new("t$").unwrap();
        assert_eq!(
            select(&[LineFilter::Matches(pattern)], Direction::Forward, None),
            ["first id:7", "id=8 without", "last id:8"]
        );
    };
    check(&database);
    database.sync().unwrap();
    check(&database);
    check(&open(&storage).unwrap());
    // An hour later as blocks of a segment.
    for hours in 0..3 {
        database.maintain(Timestamp::from_ns(hours * 3_600_000_000_000)).unwrap();
    }
    assert_eq!(database.statistics().blocks, 2);
    check(&database);
}

/// Tells no lines apart.
struct Everything;

impl Classify for Everything {
    fn class(&self, _: LogEntry<'_>) -> Option<&'static str> {
        Some("line")
    }

    fn leaves_out(&self) -> bool {
        false
    }
}

#[test]
fn lines_are_counted_by_pattern_wherever_they_are() {
    let storage = SimulatedStorage::default();
    let database = open(&storage).unwrap();
    let mut with_metadata = Lines::default();
    for (ns, id) in [(12, "7"), (35, "8")] {
        let mut line = format!("took {id}ms").into_bytes();
        metadata::append(&mut line, [("id", id)]).unwrap();
        with_metadata.push(Timestamp::from_ns(ns), &line);
    }
    let marked = metadata::mark(&labels("a")).unwrap();
    let streams = vec![
        StreamLines { labels: marked, lines: with_metadata },
        StreamLines { labels: labels("a"), lines: lines(&[(10, "took 5ms"), (39, "done"), (40, "done")]) },
        StreamLines { labels: labels("b"), lines: lines(&[(10, "took 1ms")]) },
    ];
    database.append(Batch { checkpoint: None, streams }).unwrap();

    let check = |database: &Database| {
        let range = TimeRange { start: Timestamp::from_ns(10), end: Timestamp::from_ns(40) };
        let check = |filter: &[u8], expected: &[Pattern]| {
            let filters = if filter.is_empty() { Vec::new() } else { vec![LineFilter::Contains(filter.to_vec())] };
            let selection = Selection { range, filters, ..Selection::of(Vec::new()) };
            let shown = |stored: &Labels| (*stored == labels("a")).then(|| stored.clone());
            let patterns = database.snapshot().patterns_as(&selection, NonZeroU64::new(10).unwrap(), shown);
            assert_eq!(patterns.run(&Everything).unwrap(), expected);
        };
        let pattern =
            |text: &str, counts: &[(u64, u64)]| Pattern { text: text.into(), class: "line", counts: counts.to_vec() };
        let (took, done) = (pattern("took <_>", &[(0, 2), (2, 1)]), pattern("done", &[(2, 1)]));
        check(b"", &[took.clone(), done.clone()]);
        check(b"took", &[took]);
        check(b"one", &[done]);
    };
    check(&database);
    database.sync().unwrap();
    check(&database);
    for hours in 0..3 {
        database.maintain(Timestamp::from_ns(hours * 3_600_000_000_000)).unwrap();
    }
    assert_eq!(database.statistics().blocks, 3);
    check(&database);
}
