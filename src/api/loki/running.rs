//! Runs queries over what there is when their turn comes.

use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::service;
use crate::api::loki::wire::{Cost, Seen};
use crate::log_database::{EntryRef, Fold, Folder, Overview, Pattern, Scan, Snapshot};
use crate::logql::Fetch;
use crate::logql::eval::{LogQuery, LogWorker, Stream};
use crate::logql::pipeline::Entry;
use crate::model::budget::Budget;
use crate::model::{Labels, Matcher, Selection, TimeRange};

/// What a query reads from: everything there was when its turn came, while somebody waits for the answer.
pub(super) struct Source {
    pub(super) snapshot: Snapshot,
    pub(super) budget: Arc<Budget>,
    /// Whether streams have the label that is made of others.
    service: service::Shown,
}

impl Source {
    /// What a query that keeps within `budget` reads from.
    pub(super) fn new(snapshot: Snapshot, budget: Arc<Budget>) -> Self {
        Self { snapshot, budget, service: service::Shown::Everywhere }
    }

    /// The same with another choice of labels.
    pub(super) fn showing(&self, service: service::Shown) -> Self {
        Self { snapshot: self.snapshot.clone(), budget: Arc::clone(&self.budget), service }
    }

    /// The labels that a stream has in the answer, if all `matchers` accept it.
    pub(super) fn shown_as(&self, stored: &Labels, matchers: &[Matcher]) -> Option<Labels> {
        self.service.of(stored, matchers)
    }

    /// What is read and kept is taken from.
    pub(super) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// What a query asks the database for.
    pub(super) fn selection(&self, fetch: &Fetch) -> Selection {
        let (matchers, range) = fetch.streams();
        let streams = self.snapshot.streams(&[], range);
        let shown: Vec<Labels> = streams.iter().filter_map(|stored| self.shown_as(stored, matchers)).collect();
        let has_metadata = self.snapshot.has_metadata(|stored| self.shown_as(stored, matchers));
        fetch.selection(|name| has_metadata || shown.iter().any(|labels| labels.get(name).is_some()))
    }

    /// Prepares to read what `selection` asks for.
    pub(super) fn scan(&self, selection: &Selection) -> Scan {
        let scan = self.snapshot.scan_as(selection, |stored| self.shown_as(stored, &selection.matchers));
        scan.within(Arc::clone(&self.budget))
    }

    /// Prepares to have workers read what `selection` asks for.
    pub(super) fn fold(&self, selection: &Selection) -> Fold {
        let fold = self.snapshot.fold_as(selection, |stored| self.shown_as(stored, &selection.matchers));
        fold.within(Arc::clone(&self.budget))
    }

    /// Counts the lines of streams by pattern and step.
    pub(super) fn patterns(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        step_ns: NonZeroU64,
    ) -> Result<Vec<Pattern>, Error> {
        let count = self.snapshot.patterns_as(range, step_ns, |stored| self.shown_as(stored, matchers));
        Ok(count.within(Arc::clone(&self.budget)).run()?)
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

/// The lines that `query` selects: found by several workers where a pipeline drops most of what it looks at, and else one
/// after the other. What they take of the source's budget stays taken.
pub(super) fn read(query: LogQuery, source: &Source, cost: &mut Cost) -> Result<Vec<Stream>, Error> {
    let mut query = query.within(source.budget());
    let selection = source.selection(query.fetch());
    if query.is_any_order() {
        let worker = |_| Worker { query: query.worker(), room: Vec::new(), seen: Seen::default() };
        let mut workers: Vec<Worker> = (0..Fold::worker_count()).map(worker).collect();
        source.fold(&selection).run(&mut workers, |(), _| Ok(()))?;
        for worker in workers {
            cost.seen.merge(worker.seen);
        }
    } else {
        let mut scan = source.scan(&selection);
        let mut room = Vec::new();
        while let Some(next) = scan.next()? {
            cost.seen.add(next.line);
            if query.push(&entry(next, &mut room))?.is_break() {
                break;
            }
        }
    }
    Ok(query.finish())
}

/// Looks for lines in one part after the other.
struct Worker {
    query: LogWorker,
    /// For metadata.
    room: Vec<(String, String)>,
    seen: Seen,
}

impl Folder for Worker {
    type Sum = ();
    type Error = Error;

    fn begin(&mut self, part: &Overview<'_>) -> Result<bool, Error> {
        Ok(self.query.begin((part.extent.earliest, part.extent.latest), part.place))
    }

    fn push(&mut self, next: EntryRef<'_>) -> Result<ControlFlow<()>, Error> {
        self.seen.add(next.line);
        Ok(self.query.push(&entry(next, &mut self.room))?)
    }

    fn take(&mut self) {
        self.query.end();
    }
}

/// The answer that `work` makes of the arguments and of what there is when its turn comes. Whatever takes long or much
/// memory belongs into it, compiling expressions included.
pub(super) async fn run<T: Send + 'static>(
    state: &State,
    arguments: Arguments,
    work: impl FnOnce(&Arguments, &Source) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let database = state.database.clone();
    let time_max = arguments.time_max()?;
    let work = move |budget| work(&arguments, &Source::new(database.snapshot(), budget));
    state.queries.run(time_max, work).await
}
