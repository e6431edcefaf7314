//! Stores what is known of pods and containers among the lines, and reads it back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::inventory::{self, Inventory, Record};
use crate::log_database::{self, Database, internal};
use crate::model::{Batch, StreamLines, TimeRange, Timestamp};

/// How often records are looked for that nobody needs any more.
const FORGET_INTERVAL: Duration = Duration::from_hours(1);

/// What the pump stores of the inventory.
#[derive(Clone, Debug)]
pub struct Records {
    /// What is known.
    pub inventory: Arc<Inventory>,
    /// The clock that says in which day lines are stored.
    pub clock: fn() -> Timestamp,
}

/// Reads the records that `database` holds.
///
/// # Errors
///
/// What is stored cannot be read; the records before are there.
pub fn restore(database: &Database, inventory: &Inventory) -> Result<(), log_database::Error> {
    let snapshot = database.snapshot();
    let mut scan = snapshot.scan_internal(inventory::STREAM);
    while let Some(entry) = scan.next()? {
        match Record::of_line(entry.line) {
            Some(record) => inventory.restore(record, entry.timestamp),
            None => log::debug!("a record of a pod or container is of another version, and is left out"),
        }
    }
    inventory.forget_without(&snapshot.streams(&[], TimeRange::ALL));
    Ok(())
}

impl Records {
    /// The records to be stored, before `batch`, whose lines they tell of; `None` where there are none.
    pub(super) fn before(&self, batch: Option<&Batch>) -> Option<Batch> {
        let now = (self.clock)();
        for stream in batch.iter().flat_map(|batch| &batch.streams) {
            self.inventory.note_stored(&stream.labels, now);
        }
        let lines = self.inventory.take_unsaved(now);
        let streams = vec![StreamLines { labels: internal::labels(inventory::STREAM), lines }];
        (!streams[0].lines.is_empty()).then_some(Batch { checkpoint: None, streams })
    }
}

/// When records were looked for last that nobody needs.
#[derive(Debug)]
pub(super) struct Forgetting(Instant);

impl Default for Forgetting {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Forgetting {
    /// Forgets what nobody needs, where it is time.
    pub(super) fn take_turn(&mut self, records: &Records, database: &Database) {
        if FORGET_INTERVAL <= self.0.elapsed() {
            self.0 = Instant::now();
            records.inventory.forget_without(&database.snapshot().streams(&[], TimeRange::ALL));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Facts, Pod, PodContainer};
    use crate::log_database::storage::SimulatedStorage;
    use crate::model::{Labels, Lines, Selection};

    fn now() -> Timestamp {
        Timestamp::from_ns(5)
    }

    fn records() -> Records {
        let inventory = Arc::<Inventory>::default();
        let facts = Facts { app: "web".into(), ..Facts::default() };
        inventory.put(Record::Pod(Pod { uid: "u".into(), namespace: "n".into(), name: "p".into(), facts }));
        let of = PodContainer { id: "0a".into(), uid: "u".into(), namespace: "n".into(), pod: "p".into() };
        inventory.put(Record::PodContainer(of));
        Records { inventory, clock: now }
    }

    fn stream() -> Labels {
        Labels::new([("namespace", "n"), ("pod", "p"), ("container_id", "0a")]).unwrap()
    }

    #[test]
    fn records_outlast_a_restart_and_nobody_meets_them() {
        let storage = Arc::new(SimulatedStorage::default());
        let database = Database::open(Arc::<SimulatedStorage>::clone(&storage)).unwrap();
        let (_, subscription) = database.subscribe(|| {});
        let records = records();
        let mut lines = Lines::default();
        lines.push(now(), b"a line");
        let batch = Batch { checkpoint: None, streams: vec![StreamLines { labels: stream(), lines }] };
        let before = records.before(Some(&batch)).unwrap();
        assert_eq!(before.line_count(), 2);
        database.append(before).unwrap();
        database.append(batch).unwrap();
        assert!(records.before(None).is_none());
        assert_eq!(database.receive(&subscription).1.batches.len(), 1);
        database.commit().unwrap();
        drop(database);

        let database = Database::open(storage).unwrap();
        let snapshot = database.snapshot();
        assert_eq!(snapshot.streams(&[], TimeRange::ALL), [stream()]);
        assert_eq!(snapshot.find_stream(log_database::stream_id(&internal::labels(inventory::STREAM))), None);
        let statistics = database.statistics();
        assert_eq!((statistics.streams, statistics.lines, statistics.bytes), (1, 1, 6));
        let mut scan = snapshot.scan(&Selection::of(Vec::new()));
        assert_eq!(scan.next().unwrap().map(|entry| entry.line.to_vec()), Some(b"a line".to_vec()));
        assert!(scan.next().unwrap().is_none());
        let restored = Inventory::default();
        restore(&database, &restored).unwrap();
        assert_eq!(restored.join(&stream()).labels.get("app"), Some("web"));
    }

    #[test]
    fn records_of_lines_that_were_dropped_are_not_read() {
        let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
        database.append(records().before(None).unwrap()).unwrap();
        let restored = Inventory::default();
        restore(&database, &restored).unwrap();
        assert!(restored.has_pod("u"), "it may be about to write");
    }
}
