//! Runs queries: each on a blocking thread, so many at a time, for so long, and only while somebody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_lock::Semaphore;
use async_std::future::timeout;
use blocking::unblock;
use tide::StatusCode;

use crate::api::error::Error;
use crate::api::loki::service;
use crate::api::loki::wire::Cost;
use crate::log_database::{Database, EntryRef, Scan, Snapshot};
use crate::logql::eval::{LogQuery, Stream};
use crate::logql::pipeline::Entry;
use crate::model::Selection;

/// Most queries at a time, so that collecting never waits for processors or memory; further ones wait for their turn.
const QUERIES_MAX: usize = 4;
/// How long a query may take, waiting included; Loki's limit.
const QUERY_TIME_MAX: Duration = Duration::from_mins(1);

static TURNS: Semaphore = Semaphore::new(QUERIES_MAX);

/// What a query reads from: everything there was when its turn came, while somebody waits for the answer.
pub(super) struct Source {
    snapshot: Snapshot,
    is_abandoned: Arc<AtomicBool>,
}

impl Source {
    /// Prepares to read what `selection` asks for.
    pub(super) fn scan(&self, selection: &Selection) -> Scan {
        let scan = self.snapshot.scan_as(selection, |stored| service::shown_as(stored, &selection.matchers));
        scan.unless(Arc::clone(&self.is_abandoned))
    }
}

/// An entry as LogQL takes it; `room` is for its metadata.
pub(super) fn entry<'a>(entry: EntryRef<'a>, room: &'a mut Vec<(String, String)>) -> Entry<'a> {
    let EntryRef { timestamp, labels, line, metadata } = entry;
    room.clear();
    if !metadata.is_empty() {
        room.extend(metadata.iter().map(|(name, value)| (name.into_owned(), value.into_owned())));
    }
    Entry { timestamp, labels, metadata: room, line }
}

/// The lines that `query` selects.
pub(super) fn read(query: &mut LogQuery, source: &Source, cost: &mut Cost) -> Result<Vec<Stream>, Error> {
    let mut scan = source.scan(query.selection());
    let mut room = Vec::new();
    while let Some(next) = scan.next()? {
        cost.add(next.line);
        if query.push(&entry(next, &mut room))?.is_break() {
            break;
        }
    }
    Ok(query.take())
}

/// Sets the flag once nobody waits any more, be it that the answer is there, that the client left, or that it takes too
/// long.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The answer that `work` makes.
pub(super) async fn run<T: Send + 'static>(
    database: &Database,
    work: impl FnOnce(&Source) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let waiting = Waiting::default();
    let (database, is_abandoned) = (database.clone(), Arc::clone(&waiting.0));
    let answer = async {
        let turn = TURNS.acquire().await;
        let work = move || {
            // Kept as long as the thread works, even where nobody waits any more.
            let _turn = turn;
            work(&Source { snapshot: database.snapshot(), is_abandoned })
        };
        unblock(work).await
    };
    timeout(QUERY_TIME_MAX, answer).await.unwrap_or_else(|_| {
        let message = "request timed out, decrease the duration of the request or add more label matchers (equality or \
                       regexp) to reduce the amount of data";
        Err(Error::new(StatusCode::GatewayTimeout, message))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use async_std::task::{block_on, spawn};

    use super::*;
    use crate::log_database;
    use crate::log_database::storage::SimulatedStorage;
    use crate::model::{Batch, Labels, Lines, StreamLines, Timestamp};

    fn database() -> Database {
        let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(1), b"x");
        let labels = Labels::new([("app", "a")]).unwrap();
        database.append(Batch { checkpoint: None, streams: vec![StreamLines { labels, lines }] }).unwrap();
        database
    }

    #[test]
    fn a_client_that_leaves_ends_the_scan_of_its_query() {
        let (started, has_started) = channel();
        let (leave, has_left) = channel::<()>();
        let (found, finds) = channel();
        let task = spawn(async move {
            let work = move |source: &Source| {
                started.send(()).unwrap();
                let _ = has_left.recv();
                let next = source.scan(&Selection::of(Vec::new())).next().map(|entry| entry.is_some());
                found.send(next).unwrap();
                Ok(())
            };
            run(&database(), work).await
        });
        has_started.recv().unwrap();
        block_on(task.cancel());
        drop(leave);
        assert!(matches!(finds.recv().unwrap(), Err(log_database::Error::Abandoned)));
    }

    #[test]
    fn a_query_that_is_waited_for_reads_to_its_end() {
        let work = |source: &Source| Ok(source.scan(&Selection::of(Vec::new())).next()?.is_some());
        assert!(block_on(run(&database(), work)).unwrap());
    }
}
