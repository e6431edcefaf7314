//! Random appends, commits, syncs and reopenings against the model, then random selections.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::log_database::storage::{CrashMode, SimulatedStorage};
use crate::log_database::tests::crash::open;
use crate::log_database::tests::{Model, OwnedEntry, content, entries, in_time_order, labels};
use crate::log_database::{Error, Folder, Overview, Snapshot, StreamCounts};
use crate::model::{
    Batch, Checkpoint, Condition, Direction, Labels, LineFilter, LinePattern, Lines, LogEntry, Matcher, Selection,
    StreamLines, TimeRange, Timestamp,
};

#[derive(Clone, Debug)]
enum Step {
    Append(Batch),
    Commit,
    Sync,
    /// So many steps of maintenance, so many hours later.
    Maintain {
        steps: u8,
        hours: u8,
    },
    /// The process dies and starts again.
    Reopen,
}

fn any_lines() -> impl Strategy<Value = Lines> {
    // Few distinct times, so that many are equal; extreme ones, so that differences overflow.
    let time = prop_oneof![8 => 0..5_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX - 1)];
    let line = prop_oneof![8 => vec(b'a'..b'd', 0..4), 1 => vec(any::<u8>(), 0..300), 1 => Just(vec![b'a'; 40 << 10])];
    vec((time, line), 0..6).prop_map(|pairs| {
        let mut lines = Lines::default();
        for (ns, line) in &pairs {
            lines.push(Timestamp::from_ns(*ns), line);
        }
        lines
    })
}

pub(super) fn any_batch() -> impl Strategy<Value = Batch> {
    let name = prop_oneof![Just("a"), Just("b"), Just("c")];
    let stream = (name.clone(), any_lines()).prop_map(|(name, lines)| StreamLines { labels: labels(name), lines });
    let checkpoint = (name, proptest::option::weighted(0.8, vec(any::<u8>(), 0..3)))
        .prop_map(|(name, position)| Checkpoint { source: name.into(), position });
    (proptest::option::of(checkpoint), vec(stream, 0..4))
        .prop_map(|(checkpoint, streams)| Batch { checkpoint, streams })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_batch().prop_map(Step::Append),
        2 => Just(Step::Commit),
        1 => Just(Step::Sync),
        2 => (1..6_u8, 0..8_u8).prop_map(|(steps, hours)| Step::Maintain { steps, hours }),
        1 => Just(Step::Reopen),
    ]
}

fn any_selection() -> impl Strategy<Value = Selection> {
    let condition = prop_oneof![
        Just(Condition::Equal("a".into())),
        Just(Condition::NotEqual("a".into())),
        Just(Condition::Matches(regex::Regex::new("^(a|c)$").unwrap())),
        Just(Condition::NotMatches(regex::Regex::new("^c$").unwrap())),
    ];
    let matcher = condition.prop_map(|condition| Matcher { name: "path".into(), condition });
    let bound = prop_oneof![4 => -1..6_i64, 1 => Just(i64::MIN), 1 => Just(i64::MAX)];
    let range = (bound.clone(), bound)
        .prop_map(|(start, end)| TimeRange { start: Timestamp::from_ns(start), end: Timestamp::from_ns(end) });
    let text = vec(b'a'..b'd', 0..3);
    let pattern = prop_oneof![Just("a"), Just("^b"), Just("(?i)C$"), Just("a.*b|^$")];
    let pattern = pattern.prop_map(|pattern| LinePattern::new(pattern).unwrap());
    let filter = prop_oneof![
        2 => text.clone().prop_map(LineFilter::Contains),
        1 => vec(text.clone(), 0..3).prop_map(LineFilter::ContainsAny),
        1 => text.prop_map(LineFilter::NotContains),
        1 => pattern.clone().prop_map(LineFilter::Matches),
        1 => pattern.prop_map(LineFilter::NotMatches),
    ];
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    (vec(matcher, 0..2), range, vec(filter, 0..2), direction, proptest::option::of(0..8_usize)).prop_map(
        |(matchers, range, filters, direction, limit)| Selection { matchers, range, filters, direction, limit },
    )
}

/// Keeps what it is given; parts as a whole where it may.
struct Keeper {
    takes_whole: bool,
    /// The place of the part that is read.
    place: usize,
    entries: Vec<(usize, OwnedEntry)>,
    line_count: usize,
}

impl Folder for Keeper {
    type Sum = (Vec<(usize, OwnedEntry)>, usize);
    type Error = Error;

    fn begin(&mut self, part: &Overview<'_>) -> Result<bool, Error> {
        self.place = part.place;
        let is_taken = self.takes_whole && part.is_whole;
        self.line_count += if is_taken { usize::try_from(part.extent.lines).unwrap() } else { 0 };
        Ok(!is_taken)
    }

    fn push(&mut self, LogEntry { timestamp, labels, line, .. }: LogEntry<'_>) -> Result<ControlFlow<()>, Error> {
        self.line_count += 1;
        self.entries.push((self.place, OwnedEntry { timestamp, labels: labels.clone(), line: line.to_vec() }));
        Ok(ControlFlow::Continue(()))
    }

    fn take(&mut self) -> Self::Sum {
        (std::mem::take(&mut self.entries), std::mem::take(&mut self.line_count))
    }
}

/// Every entry of the selection as two workers get them, put into the order that places tell; or only how many there are.
fn folded(snapshot: &Snapshot, selection: &Selection, takes_whole: bool) -> (Vec<OwnedEntry>, usize) {
    let mut keepers = [(); 2].map(|()| Keeper { takes_whole, place: 0, entries: Vec::new(), line_count: 0 });
    let (mut all, mut count, mut bound) = (Vec::new(), 0, None);
    let is_backward = selection.direction == Direction::Backward;
    let is_selected = |labels: &Labels| selection.matchers.iter().all(|matcher| matcher.accepts(labels));
    let fold = snapshot.fold_as(selection, |labels| is_selected(labels).then(|| labels.clone()));
    let merge = |(entries, line_count): (Vec<(usize, OwnedEntry)>, usize), nothing_before| {
        let is_due = |entry: &OwnedEntry| match bound {
            Some(bound) => {
                if is_backward {
                    entry.timestamp <= bound
                } else {
                    bound <= entry.timestamp
                }
            }
            None => true,
        };
        assert!(entries.iter().all(|(_, entry)| is_due(entry)));
        all.extend(entries);
        count += line_count;
        bound = Some(nothing_before);
        Ok(())
    };
    fold.run(&mut keepers, merge).unwrap();
    if is_backward {
        all.sort_by_key(|(place, entry)| Reverse((entry.timestamp, *place)));
    } else {
        all.sort_by_key(|(place, entry)| (entry.timestamp, *place));
    }
    (all.into_iter().map(|(_, entry)| entry).collect(), count)
}

/// How many of the entries lie in each step, as counting them one by one finds.
fn counts(entries: &[OwnedEntry], selection: &Selection, step_ns: NonZeroU64) -> Vec<StreamCounts> {
    let mut streams: BTreeMap<Labels, BTreeMap<u64, u64>> = BTreeMap::new();
    for OwnedEntry { timestamp, labels, .. } in entries {
        let since_start_ns = i128::from(timestamp.as_ns()) - i128::from(selection.range.start.as_ns());
        let step = u64::try_from(since_start_ns / i128::from(step_ns.get())).unwrap();
        *streams.entry(labels.clone()).or_default().entry(step).or_default() += 1;
    }
    streams.into_iter().map(|(labels, counts)| StreamCounts { labels, counts: counts.into_iter().collect() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn the_database_holds_what_the_model_holds(steps in vec(any_step(), 0..40), selections in vec(any_selection(), 1..8), step_ns in 1..4_u64) {
        let step_ns = NonZeroU64::new(step_ns).unwrap();
        let mut storage = SimulatedStorage::default();
        let mut database = open(&storage).unwrap();
        let mut now_ns = 0;
        let (mut appended, mut committed) = (Model::default(), Model::default());
        for step in steps {
            match step {
                Step::Append(batch) => {
                    appended.append(&batch);
                    database.append(batch).unwrap();
                }
                Step::Commit => {
                    database.commit().unwrap();
                    committed = appended.clone();
                }
                Step::Sync => {
                    database.sync().unwrap();
                    committed = appended.clone();
                }
                Step::Maintain { steps, hours } => {
                    now_ns += i64::from(hours) * 3_600_000_000_000;
                    for _ in 0..steps {
                        database.maintain(Timestamp::from_ns(now_ns)).unwrap();
                    }
                    // Closing a file commits and syncs.
                    if database.pending_bytes() == 0 {
                        committed = appended.clone();
                    }
                }
                Step::Reopen => {
                    storage = storage.crash(CrashMode::ProcessKilled, 0);
                    database = open(&storage).unwrap();
                    appended = committed.clone();
                    prop_assert_eq!(content(&database), in_time_order(committed.clone()));
                }
            }
        }

        let checkpoints = content(&database).checkpoints;
        prop_assert_eq!(checkpoints, committed.checkpoints);
        let snapshot = database.snapshot();
        let streams: Vec<_> = appended.streams.keys().cloned().collect();
        prop_assert_eq!(snapshot.streams(&[], TimeRange::ALL), streams);
        // The order is the same before and after everything is committed.
        database.commit().unwrap();
        for selection in selections {
            let expected = appended.select(&selection);
            prop_assert_eq!(&entries(&snapshot, &selection), &expected);
            prop_assert_eq!(&entries(&database.snapshot(), &selection), &expected);
            let selection = Selection { limit: None, ..selection };
            let expected = appended.select(&selection);
            prop_assert_eq!(folded(&snapshot, &selection, true).1, expected.len());
            prop_assert_eq!(&folded(&snapshot, &selection, false).0, &expected);
            let expected = counts(&expected, &selection, step_ns);
            prop_assert_eq!(&snapshot.count(&selection, step_ns).unwrap().run().unwrap(), &expected);
            prop_assert_eq!(&database.snapshot().count(&selection, step_ns).unwrap().run().unwrap(), &expected);
        }
    }
}
