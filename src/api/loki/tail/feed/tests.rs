//! A tail whose client reads, or does not, without a socket.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::inventory::{Container, Record};
use crate::log_database::Database;
use crate::log_database::storage::SimulatedStorage;
use crate::logql::ast::Expr;
use crate::logql::pipeline::Clock;
use crate::model::{Lines, StreamLines};

const MIB: usize = 1 << 20;

fn database() -> Database {
    Database::open(Arc::new(SimulatedStorage::default())).unwrap()
}

/// Appends a batch for each line; they are one nanosecond apart, from `start` on.
fn append(database: &Database, start: i64, lines: impl IntoIterator<Item = String>) {
    for (time, line) in (start..).zip(lines) {
        let mut stream = StreamLines { labels: Labels::new([("app", "web")]).unwrap(), lines: Lines::default() };
        stream.lines.push(Timestamp::from_ns(time), line.as_bytes());
        database.append(Batch { checkpoint: None, streams: vec![stream] }).unwrap();
        database.commit().unwrap();
    }
}

/// So many lines with their numbers, of so many bytes each.
fn lines(count: usize, bytes: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |number| number.to_string() + &" ".repeat(bytes - 2))
}

/// A tail of all lines, of which the newest 5000 come at once.
fn open(database: &Database, budget: Budget) -> Result<Feed, Error> {
    open_with(database, Arc::default(), budget)
}

fn open_with(database: &Database, inventory: Arc<Inventory>, budget: Budget) -> Result<Feed, Error> {
    let Expr::Log(expr) = logql::parse("{app=`web`} | drop detected_level").unwrap() else { panic!("it is of lines") };
    let clock = Clock { now: time::now(), zone: jiff::tz::TimeZone::UTC, zones: jiff::tz::db().clone() };
    let start = Timestamp::from_ns(time::now().as_ns() - 1_000_000_000_000);
    let ask = Ask { expr, limit: 5000, start, delay: Duration::ZERO, categorizes: false, clock };
    let (snapshot, subscription) = database.subscribe(|| {});
    Feed::open(&ask, (&snapshot, inventory), subscription, &Arc::default(), budget)
}

/// The numbers of the lines that a client is sent which reads all there is, and whether it is told that it missed any.
fn read(feed: &mut Feed) -> (Vec<usize>, bool) {
    let (mut numbers, mut has_missed) = (Vec::new(), false);
    loop {
        feed.advance(Instant::now()).unwrap();
        let Some(frame) = feed.next_frame(Instant::now()) else { return (numbers, has_missed) };
        let mut next = Some(frame);
        while let Some(frame) = next {
            let frame: Value = serde_json::from_str(&frame).unwrap();
            for dropped in frame["dropped_entries"].as_array().into_iter().flatten() {
                assert_eq!(dropped["labels"], serde_json::json!({"app": "web", "service_name": "web"}));
                has_missed = true;
            }
            let values =
                frame["streams"].as_array().into_iter().flatten().filter_map(|stream| stream["values"].as_array());
            numbers
                .extend(values.flatten().map(|value| value[1].as_str().unwrap().trim_end().parse::<usize>().unwrap()));
            next = feed.next_frame(Instant::now());
        }
    }
}

fn start() -> i64 {
    time::now().as_ns() - 1_000_000_000
}

#[test]
fn what_waits_is_taken_of_the_budget_until_it_is_sent() {
    let (database, pool) = (database(), Arc::new(Budget::default()));
    append(&database, start(), lines(20, MIB / 10));
    let mut feed = open(&database, Budget::within(Arc::clone(&pool), 12 * MIB)).unwrap();
    assert!((2 * MIB..3 * MIB).contains(&pool.taken_bytes()), "{} bytes are taken", pool.taken_bytes());
    assert_eq!(read(&mut feed), ((0..20).collect(), false));
    assert!(pool.taken_bytes() < MIB, "{} bytes are taken", pool.taken_bytes());
    drop(feed);
    assert_eq!(pool.taken_bytes(), 0);
}

#[test]
fn of_the_lines_there_are_the_newest_are_kept_and_the_others_told_of() {
    let (database, pool) = (database(), Arc::new(Budget::default()));
    append(&database, start(), lines(60, MIB / 4));
    let mut feed = open(&database, Budget::within(Arc::clone(&pool), 12 * MIB)).unwrap();
    assert!(pool.taken_bytes() < 9 * MIB, "{} bytes are taken", pool.taken_bytes());
    let (numbers, has_missed) = read(&mut feed);
    assert!(has_missed && 30 < numbers.len() && numbers.len() < 40, "{numbers:?}");
    assert!(numbers.iter().copied().eq(60 - numbers.len()..60), "{numbers:?}");
}

#[test]
fn a_client_that_keeps_up_misses_nothing_however_much_comes_at_once() {
    let (database, pool) = (database(), Arc::new(Budget::default()));
    let mut feed = open(&database, Budget::within(Arc::clone(&pool), 12 * MIB)).unwrap();
    append(&database, start(), lines(70, MIB / 10));
    assert_eq!(read(&mut feed), ((0..70).collect(), false));
    append(&database, start(), lines(6, MIB));
    assert_eq!(read(&mut feed), ((0..6).collect(), false), "lines of the longest that there are");
    assert!(pool.taken_bytes() < 3 * MIB, "{} bytes are taken", pool.taken_bytes());
}

#[test]
fn a_client_that_takes_nothing_is_kept_within_its_budget() {
    let (database, pool) = (database(), Arc::new(Budget::default()));
    let mut feed = open(&database, Budget::within(Arc::clone(&pool), 3 * MIB)).unwrap();
    for _ in 0..5 {
        append(&database, start(), lines(70, MIB / 10));
        feed.advance(Instant::now()).unwrap();
        assert!(2 * MIB < pool.taken_bytes(), "{} bytes are taken", pool.taken_bytes());
    }
    let (numbers, has_missed) = read(&mut feed);
    assert!(has_missed && numbers.ends_with(&[68, 69]) && numbers.len() < 130, "{numbers:?}");
}

#[test]
fn where_others_take_all_the_memory_there_is_lines_are_left_out_and_told_of() {
    let (database, pool) = (database(), Arc::new(Budget::new(2 * MIB)));
    let mut feed = open(&database, Budget::within(Arc::clone(&pool), 12 * MIB)).unwrap();
    let others = pool.bytes_max() - pool.taken_bytes() - 1000;
    pool.take(others).unwrap();
    append(&database, start(), lines(3, 2000));
    assert_eq!(read(&mut feed), (Vec::new(), true));
    assert!(open(&database, Budget::within(Arc::clone(&pool), 12 * MIB)).is_err(), "no further tail begins");
    pool.give_back(others);
    append(&database, start(), lines(3, 2000));
    assert_eq!(read(&mut feed), ((0..3).collect(), false));
}

#[test]
fn names_that_come_while_a_batch_is_looked_at_bring_the_lines_that_waited_for_them() {
    let (database, inventory) = (database(), Arc::<Inventory>::default());
    let mut feed = open_with(&database, Arc::clone(&inventory), Budget::new(12 * MIB)).unwrap();
    let container = |id: &str| Labels::new([("container_id", id)]).unwrap();
    let mut stream = StreamLines { labels: container("1"), lines: Lines::default() };
    stream.lines.push(Timestamp::from_ns(start()), b"7");
    database.append(Batch { checkpoint: None, streams: vec![stream] }).unwrap();
    assert_eq!(read(&mut feed), (Vec::new(), false));
    let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
    inventory.put(Record::Container(Container { id: "1".into(), labels, hidden: BTreeMap::new() }));
    // As for a further stream of the same batch.
    feed.streams.verdict(&container("2"), &[]);
    assert_eq!(read(&mut feed), (vec![7], false));
}
