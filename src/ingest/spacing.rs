//! No two lines of a stream share one time: of those that do, each is a nanosecond after the one before it.
//!
//! Clients page through a stream by time. Where a page ends between lines of one time, they lose the rest of these.
//!
//! A line whose own time is earlier than the one above it stays where it is, so that a stream may go back and forth between
//! times (t, t-1, t): the last ones, [`SPANS`] of each stream, are remembered with all the nanoseconds taken after them.
//! After a restart, what the database holds from the first line's time on is read once. So two lines may share a time only
//! where more than [`SPANS`] others lie between them, out of order.

use std::collections::HashMap;

use crate::log_database::Database;
use crate::model::{Batch, Direction, Labels, Selection, TimeRange, Timestamp};

/// Most times of a stream that are remembered; lines follow each other with few exceptions.
const SPANS: usize = 16;
/// Most streams whose times are remembered at once; they take some 300 bytes each.
const STREAMS_MAX: usize = 16 << 10;
/// Most lines of the database that are looked at for a stream's times: more never share one.
const STORED_LINES_MAX: usize = 1 << 20;

/// The times that lines of each stream have taken last.
#[derive(Debug)]
pub(super) struct Spacing {
    streams: HashMap<Labels, Taken>,
    /// The latest time that the database holds of streams which were not seen since.
    stored: HashMap<Labels, Timestamp>,
}

/// Times of one stream.
#[derive(Clone, Debug)]
struct Taken {
    /// The last ones, in a ring.
    spans: [Span; SPANS],
    newest: usize,
    latest_ns: i64,
    /// The latest of those that the database held before and that are not among the last ones.
    stored_ns: Option<i64>,
}

/// Successive nanoseconds, all of which are taken.
#[derive(Clone, Copy, Debug)]
struct Span {
    first_ns: i64,
    last_ns: i64,
}

impl Span {
    fn contains(&self, ns: i64) -> bool {
        self.first_ns <= ns && ns <= self.last_ns
    }
}

impl Spacing {
    /// Knows of each stream what `database` holds.
    pub(super) fn new(database: &Database) -> Self {
        let extents = database.snapshot().extents(TimeRange::ALL).into_iter();
        let stored = extents.filter_map(|(labels, extents)| Some((labels, extents.iter().map(|of| of.latest).max()?)));
        Self { streams: HashMap::new(), stored: stored.collect() }
    }

    /// Whether there have been lines of a stream.
    pub(super) fn knows(&self, stream: &Labels) -> bool {
        self.streams.contains_key(stream) || self.stored.contains_key(stream)
    }

    /// Moves the times of `batch` that are taken; it is appended to `database` next.
    pub(super) fn space(&mut self, batch: &mut Batch, database: &Database) {
        for stream in &mut batch.streams {
            if STREAMS_MAX <= self.streams.len() && !self.streams.contains_key(&stream.labels) {
                *self = Self::new(database);
            }
            if !self.streams.contains_key(&stream.labels) {
                let latest = self.stored.remove(&stream.labels);
                self.streams.insert(stream.labels.clone(), Taken::new(latest));
            }
            let Some(taken) = self.streams.get_mut(&stream.labels) else { continue };
            for time in stream.lines.timestamps_mut() {
                if taken.stored_ns.is_some_and(|stored_ns| time.as_ns() <= stored_ns) {
                    taken.read(&stream.labels, *time, database);
                }
                *time = Timestamp::from_ns(taken.take(time.as_ns()));
            }
        }
    }
}

impl Taken {
    /// Nothing but what is stored, of which the latest is known.
    fn new(latest: Option<Timestamp>) -> Self {
        let none = Span { first_ns: i64::MAX, last_ns: i64::MIN };
        let stored_ns = latest.map(Timestamp::as_ns);
        Self { spans: [none; SPANS], newest: 0, latest_ns: stored_ns.unwrap_or(i64::MIN), stored_ns }
    }

    /// Takes `ns`, or the first nanosecond after it that is free.
    fn take(&mut self, ns: i64) -> i64 {
        let mut free_ns = ns;
        let mut taken = None;
        // In order, as nearly all lines are, nothing has to be looked for.
        if ns <= self.latest_ns {
            while let Some(index) = self.spans.iter().position(|span| span.contains(free_ns)) {
                taken = Some(index);
                let Some(next_ns) = self.spans[index].last_ns.checked_add(1) else { return ns };
                free_ns = next_ns;
            }
        }
        self.latest_ns = self.latest_ns.max(free_ns);
        match taken {
            Some(index) => self.spans[index].last_ns = free_ns,
            None => self.remember(Span { first_ns: free_ns, last_ns: free_ns }),
        }
        free_ns
    }

    fn remember(&mut self, span: Span) {
        let newest = &mut self.spans[self.newest];
        if newest.last_ns.checked_add(1) == Some(span.first_ns) {
            newest.last_ns = span.last_ns;
            return;
        }
        self.newest = (self.newest + 1) % SPANS;
        self.spans[self.newest] = span;
    }

    /// Remembers the times from `start` on that `database` holds. Where it cannot be read, they are not known.
    fn read(&mut self, labels: &Labels, start: Timestamp, database: &Database) {
        self.stored_ns = None;
        let range = TimeRange { start, end: Timestamp::MAX };
        let selection = Selection {
            range,
            direction: Direction::Forward,
            limit: Some(STORED_LINES_MAX),
            ..Selection::of(Vec::new())
        };
        let mut scan = database.snapshot().scan_as(&selection, |stored| (stored == labels).then(|| labels.clone()));
        let mut spans: Vec<Span> = Vec::new();
        while let Ok(Some(entry)) = scan.next() {
            let ns = entry.timestamp.as_ns();
            if self.spans.iter().any(|span| span.contains(ns)) {
                continue;
            }
            let is_full = spans.len() == SPANS;
            match spans.last_mut() {
                Some(last) if ns <= last.last_ns.saturating_add(1) => last.last_ns = ns,
                _ if is_full => break,
                _ => spans.push(Span { first_ns: ns, last_ns: ns }),
            }
        }
        // What is next to the line that is about to come is remembered longest.
        spans.into_iter().rev().for_each(|span| self.remember(span));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::log_database::storage::SimulatedStorage;
    use crate::model::{Lines, StreamLines};

    fn batch(path: &str, times: &[i64]) -> Batch {
        let mut lines = Lines::default();
        for ns in times {
            lines.push(Timestamp::from_ns(*ns), b"x");
        }
        let labels = Labels::new([("path", path)]).unwrap();
        Batch { checkpoint: None, streams: vec![StreamLines { labels, lines }] }
    }

    fn spaced(spacing: &mut Spacing, database: &Database, path: &str, times: &[i64]) -> Vec<i64> {
        let mut batch = batch(path, times);
        spacing.space(&mut batch, database);
        let spaced = batch.streams[0].lines.timestamps().iter().map(|time| time.as_ns()).collect();
        database.append(batch).unwrap();
        spaced
    }

    fn database() -> Database {
        Database::open(Arc::new(SimulatedStorage::default())).unwrap()
    }

    #[track_caller]
    fn check(times: &[i64], expected: &[i64]) {
        let database = database();
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", times), expected);
    }

    #[test]
    fn equal_times_are_a_nanosecond_apart() {
        check(&[5, 5, 5, 9, 9], &[5, 6, 7, 9, 10]);
        check(&[5, 5, 6, 6, 7], &[5, 6, 7, 8, 9]);
        check(&[i64::MIN, i64::MIN, 0, 0], &[i64::MIN, i64::MIN + 1, 0, 1]);
    }

    #[test]
    fn earlier_times_stay_and_are_told_apart_as_well() {
        check(&[50, 40, 50, 40, 50], &[50, 40, 51, 41, 52]);
        check(&[50, 49, 49, 49, 50], &[50, 49, 51, 52, 53]);
        check(&[50, 50, 51, 40, 51], &[50, 51, 52, 40, 53]);
    }

    #[test]
    fn streams_do_not_move_each_others_times() {
        let database = database();
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", &[5, 5]), [5, 6]);
        assert_eq!(spaced(&mut spacing, &database, "b", &[5, 5]), [5, 6]);
        assert_eq!(spaced(&mut spacing, &database, "a", &[5, 8]), [7, 8]);
    }

    #[test]
    fn what_is_stored_is_taken_after_a_restart() {
        let database = database();
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", &[3, 5, 5, 9]), [3, 5, 6, 9]);
        database.commit().unwrap();
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", &[5, 9, 9, 4]), [7, 10, 11, 4]);
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", &[20, 20]), [20, 21]);
        // More lines than a page has share a second.
        spaced(&mut spacing, &database, "a", &vec![100; 5000]);
        let mut spacing = Spacing::new(&database);
        assert_eq!(spaced(&mut spacing, &database, "a", &[100, 100]), [5100, 5101]);
    }

    proptest! {
        #[test]
        fn no_two_lines_share_a_time(
            batches in vec(vec(0..i64::try_from(SPANS).unwrap(), 1..20), 1..10),
            unit in prop_oneof![Just(1), Just(1_000_000_000)],
            restart in 0..10_usize,
        ) {
            let database = database();
            let mut spacing = Spacing::new(&database);
            let mut all = Vec::new();
            for (number, times) in batches.iter().enumerate() {
                if number == restart {
                    // Only what comes after the last time is known for certain then.
                    spacing = Spacing::new(&database);
                }
                let latest = all.iter().max().copied().unwrap_or(0);
                let shift = if restart <= number { 1_000_000_000_000 } else { 0 };
                let times: Vec<i64> = times.iter().map(|time| time * unit + shift).collect();
                let spaced = spaced(&mut spacing, &database, "a", &times);
                prop_assert!(spaced.iter().zip(&times).all(|(spaced, time)| time <= spaced));
                prop_assert!(spaced.iter().zip(&times).all(|(spaced, time)| *time <= latest || spaced - time < 200));
                all.extend(spaced);
            }
            let distinct: BTreeSet<i64> = all.iter().copied().collect();
            prop_assert_eq!(distinct.len(), all.len());
        }
    }
}
