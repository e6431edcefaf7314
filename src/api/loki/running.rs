//! Runs queries over what there is when their turn comes.

use std::sync::Arc;

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::service;
use crate::api::loki::wire::Cost;
use crate::log_database::{EntryRef, Scan, Snapshot};
use crate::logql::Fetch;
use crate::logql::eval::{LogQuery, Stream};
use crate::logql::pipeline::Entry;
use crate::model::budget::Budget;
use crate::model::{Labels, Selection};

/// What a query reads from: everything there was when its turn came, while somebody waits for the answer.
pub(super) struct Source {
    pub(super) snapshot: Snapshot,
    pub(super) budget: Arc<Budget>,
}

impl Source {
    /// What a query that keeps within `budget` reads from.
    pub(super) fn new(snapshot: Snapshot, budget: Arc<Budget>) -> Self {
        Self { snapshot, budget }
    }

    /// What is read and kept is taken from.
    pub(super) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// What a query asks the database for.
    pub(super) fn selection(&self, fetch: &Fetch) -> Selection {
        let (matchers, range) = fetch.streams();
        let streams = self.snapshot.streams(&[], range);
        let shown: Vec<Labels> = streams.iter().filter_map(|stored| service::shown_as(stored, matchers)).collect();
        let has_metadata = self.snapshot.has_metadata(|stored| service::shown_as(stored, matchers));
        fetch.selection(|name| has_metadata || shown.iter().any(|labels| labels.get(name).is_some()))
    }

    /// Prepares to read what `selection` asks for.
    pub(super) fn scan(&self, selection: &Selection) -> Scan {
        let scan = self.snapshot.scan_as(selection, |stored| service::shown_as(stored, &selection.matchers));
        scan.within(Arc::clone(&self.budget))
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
    let mut scan = source.scan(&source.selection(query.fetch()));
    let mut room = Vec::new();
    while let Some(next) = scan.next()? {
        cost.add(next.line);
        if query.push(&entry(next, &mut room))?.is_break() {
            break;
        }
    }
    drop(scan);
    let bytes = query.byte_count();
    let streams = query.take();
    source.budget.take(bytes)?;
    Ok(streams)
}

/// The answer that `work` makes of what there is when its turn comes.
pub(super) async fn run<T: Send + 'static>(
    state: &State,
    arguments: &Arguments,
    work: impl FnOnce(&Source) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let database = state.database.clone();
    let work = move |budget| work(&Source::new(database.snapshot(), budget));
    state.queries.run(arguments.time_max()?, work).await
}
