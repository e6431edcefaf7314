//! Subscriptions against a model: what a subscriber gets and what it missed are what was appended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::log_database::storage::SimulatedStorage;
use crate::log_database::tests::crash::open;
use crate::log_database::tests::model::any_batch;
use crate::log_database::tests::{Model, batch, content, entries};
use crate::log_database::{MissedOfStream, Received, Subscription};
use crate::model::{Batch, Selection};

#[derive(Clone, Debug)]
enum Step {
    Append(Batch),
    Take,
    Commit,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => any_batch().prop_map(Step::Append), 1 => Just(Step::Take), 1 => Just(Step::Commit)]
}

/// What is received is the end of what was appended since the last look, and what is missed is all before it.
fn check_received(received: &Received, appended: &[Batch]) {
    let missed = &appended[..appended.len() - received.batches.len()];
    let batches: Vec<&Batch> = received.batches.iter().map(AsRef::as_ref).collect();
    assert_eq!(batches, appended[missed.len()..].iter().collect::<Vec<_>>());
    assert_eq!(received.missed.line_count, missed.iter().map(|batch| batch.line_count() as u64).sum::<u64>());
    let streams = Model::after(missed).streams;
    let of_streams = streams.iter().map(|(labels, lines)| {
        let (last, line_count) = (lines[lines.len() - 1].0, lines.len() as u64);
        (labels.clone(), MissedOfStream { last, line_count })
    });
    assert_eq!(received.missed.streams, of_streams.collect());
}

proptest! {
    #[test]
    fn a_subscriber_gets_the_newest_batches_and_the_count_of_the_others(steps in vec(any_step(), 0..60)) {
        let database = open(&SimulatedStorage::default()).unwrap();
        let (_, subscription) = database.subscribe(|| {});
        let mut appended = Vec::new();
        for step in steps.into_iter().chain([Step::Take]) {
            match step {
                Step::Append(batch) => {
                    appended.push(batch.clone());
                    database.append(batch).unwrap();
                }
                Step::Commit => database.commit().unwrap(),
                Step::Take => {
                    check_received(&subscription.take(), &appended);
                    appended.clear();
                }
            }
        }
    }
}

#[test]
fn what_is_not_taken_is_bounded() {
    let database = open(&SimulatedStorage::default()).unwrap();
    let (_, subscription) = database.subscribe(|| {});
    for number in 0..100 {
        database.append(batch("a", &[(number, &"x".repeat(500))], 1)).unwrap();
    }
    let Received { batches, missed } = subscription.take();
    assert_eq!(
        batches.iter().map(|batch| batch.streams[0].lines.timestamps()[0].as_ns()).collect::<Vec<_>>(),
        [97, 98, 99]
    );
    assert_eq!(missed.line_count, 97);
    database.append(batch("a", &[(100, &"x".repeat(5000))], 1)).unwrap();
    let Received { batches, missed } = subscription.take();
    assert_eq!((batches.len(), missed.line_count), (0, 1), "a batch that is over the limit alone");
}

#[test]
fn nobody_is_kept_or_woken_who_has_left() {
    let database = open(&SimulatedStorage::default()).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let wake = {
        let woken = Arc::clone(&woken);
        move || {
            woken.fetch_add(1, Ordering::Relaxed);
        }
    };
    let (_, subscription) = database.subscribe(wake);
    database.append(batch("a", &[(1, "one")], 1)).unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    drop(subscription);
    assert_eq!(Arc::strong_count(&woken), 1, "the subscriber's things are gone with it");
    database.append(batch("a", &[(2, "two")], 1)).unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
}

/// Reads as a subscriber does: sleeps until it is woken. Returns the times that it saw, after those of the snapshot that
/// it began with, and how many it missed.
fn follow(database: &crate::log_database::Database, until: i64) -> (Vec<i64>, u64) {
    let (wake, woken) = sync_channel(1);
    let (snapshot, subscription) = database.subscribe(move || {
        // Where it is full, the subscriber is going to look anyway.
        let _ = wake.try_send(());
    });
    let everything = entries(&snapshot, &Selection::of(Vec::new())).into_iter();
    let mut seen: Vec<i64> = everything.map(|entry| entry.timestamp.as_ns()).collect();
    let mut missed = 0;
    while seen.last() != Some(&until) {
        let received = take_when_woken(&subscription, &woken);
        missed += received.missed.line_count;
        let streams = received.batches.iter().flat_map(|batch| &batch.streams);
        seen.extend(streams.flat_map(|stream| stream.lines.timestamps()).map(|timestamp| timestamp.as_ns()));
    }
    (seen, missed)
}

fn take_when_woken(subscription: &Subscription, woken: &std::sync::mpsc::Receiver<()>) -> Received {
    woken.recv().unwrap();
    subscription.take()
}

#[test]
fn subscribers_who_join_at_any_time_see_each_line_once_or_know_that_they_missed_it() {
    const LINES: i64 = 3000;
    let database = open(&SimulatedStorage::default()).unwrap();
    let subscribers: Vec<_> = (0..4)
        .map(|_| {
            let database = database.clone();
            std::thread::spawn(move || follow(&database, LINES - 1))
        })
        .collect();
    // Never looks, and never holds up the writer.
    let (_, sleeper) = database.subscribe(|| {});
    for number in 0..LINES {
        database.append(batch("a", &[(number, "line")], 1)).unwrap();
        if number % 50 == 0 {
            database.commit().unwrap();
        }
    }
    for subscriber in subscribers {
        let (seen, missed) = subscriber.join().unwrap();
        assert!(seen.is_sorted_by(|earlier, later| earlier < later), "each once and in order");
        assert_eq!(seen.len() as u64 + missed, LINES.unsigned_abs());
    }
    let Received { batches, missed } = sleeper.take();
    assert_eq!(batches.len() as u64 + missed.line_count, LINES.unsigned_abs());
    assert_eq!(content(&database).streams.values().map(Vec::len).sum::<usize>(), 3000);
}
