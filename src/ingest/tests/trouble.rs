//! What is said of failures that last: of housekeeping, and of storing, neither of which speaks for the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ingest::{PATIENCE, Pump, RETRY_INTERVAL, Records, Stop, Trouble, maintain_once};
use crate::log_collector::{self, Collected, Collector};
use crate::log_database::Database;
use crate::log_database::storage::{Failure, SimulatedStorage};
use crate::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use crate::status::Status;

const HOUR_NS: i64 = 3_600_000_000_000;

fn after_hours(hours: i64) -> Timestamp {
    Timestamp::from_ns(hours * HOUR_NS)
}

/// A database with a line in a journal file that nothing is written to any more.
fn database_with_backlog(storage: &SimulatedStorage) -> Database {
    let database = Database::open(Arc::new(storage.clone())).unwrap();
    let mut lines = Lines::default();
    lines.push(Timestamp::from_ns(1), b"one");
    let labels = Labels::new([("path", "a")]).unwrap();
    database.append(Batch { checkpoint: None, streams: vec![StreamLines { labels, lines }] }).unwrap();
    database.sync().unwrap();
    database.maintain(after_hours(0)).unwrap();
    database.maintain(after_hours(1)).unwrap();
    assert_ne!(database.backlog_bytes(), 0);
    database
}

/// Trouble that has lasted for so long.
fn trouble_for(time: Duration) -> Trouble {
    Trouble { since: Instant::now().checked_sub(time), said: None }
}

/// Counts what it is asked to do.
#[derive(Debug, Default)]
struct CountingCollector {
    read: usize,
    followed: usize,
}

impl Collector for CountingCollector {
    fn next_batch(&mut self, _: Duration) -> Result<Option<Collected>, log_collector::Error> {
        self.read += 1;
        Ok(None)
    }

    fn follow_only(&mut self) -> Result<(), log_collector::Error> {
        self.followed += 1;
        Ok(())
    }

    fn waiting_bytes(&self) -> u64 {
        0
    }

    fn wants_sync(&self) -> bool {
        false
    }

    fn synced(&mut self) {}
}

#[test]
fn housekeeping_that_fails_for_long_is_a_problem_until_it_works() {
    let storage = SimulatedStorage::default();
    let database = database_with_backlog(&storage);
    let status = Status::default();
    storage.set_failure(Some(Failure::From(storage.call_count())));

    let mut trouble = Trouble::default();
    assert_eq!(maintain_once(&database, &status, &mut trouble, after_hours(1)), RETRY_INTERVAL);
    assert!(trouble.since.is_some() && status.problem().is_none(), "a medium may be away for a moment");

    trouble.since = trouble_for(PATIENCE).since;
    maintain_once(&database, &status, &mut trouble, after_hours(1));
    assert!(status.problem().unwrap().contains("simulated failure"), "{status:?}");

    status.set_problem(Some("the other".to_owned()));
    storage.set_failure(None);
    maintain_once(&database, &status, &mut trouble, after_hours(1));
    assert!(trouble.since.is_none() && database.backlog_bytes() == 0);
    assert_eq!(status.problem().as_deref(), Some("the other"), "each clears its own");
}

#[test]
fn reading_that_waits_for_housekeeping_for_long_is_a_problem_until_it_goes_on() {
    let database = database_with_backlog(&SimulatedStorage::default());
    let (status, stop) = (Status::default(), Stop::default());
    let records = Records { inventory: Arc::default(), clock: || after_hours(0) };
    // Nothing waits for its turn.
    stop.set();
    let mut pump = Pump { backlog_bytes_max: 0, ..Pump::new(&database, &records, &status, &stop) };
    let mut collector = CountingCollector::default();

    assert_eq!(pump.next_batch(&mut collector).unwrap(), None);
    assert!(pump.backlog.said.is_some() && status.problem().is_none(), "there may be much to read for a while");

    pump.backlog = trouble_for(PATIENCE);
    pump.next_batch(&mut collector).unwrap();
    assert!(status.problem().unwrap().contains("nothing more is read"), "{status:?}");
    assert_eq!((collector.followed, collector.read), (2, 0));

    status.set_housekeeping_problem(Some("the other".to_owned()));
    while database.maintain(after_hours(1)).unwrap() {}
    pump.next_batch(&mut collector).unwrap();
    assert_eq!(status.problem().as_deref(), Some("the other"), "each clears its own");
    assert_eq!((collector.followed, collector.read), (2, 1));
}
