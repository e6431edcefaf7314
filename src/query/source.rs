//! What a query reads from: a snapshot of the database, within a budget, with the labels that streams have for queries.
//!
//! These are the stored ones, those that the inventory joins to them, and the one that is made of others. Whatever asks
//! for streams by their labels does so here, so that all answers agree.

use std::sync::Arc;

use crate::inventory::Inventory;
use crate::log_database::{Bounds, Fold, Scan, Snapshot};
use crate::logql::Fetch;
use crate::logql::ast::MetricExpr;
use crate::logql::pipeline::Entry;
use crate::model::budget::Budget;
use crate::model::{Labels, LogEntry, Matcher, Selection, TimeRange};
use crate::query::service;

/// What a query reads from: everything there was when its turn came, while somebody waits for the answer.
#[derive(Clone, Debug)]
pub struct Source {
    /// What there was.
    pub snapshot: Snapshot,
    /// What the query may take.
    pub budget: Arc<Budget>,
    /// Which labels streams have that not every query sees.
    shown: service::Shown,
    /// Names of streams, joined to their stored labels.
    inventory: Arc<Inventory>,
}

impl Source {
    /// What a query that keeps within `budget` reads from.
    pub fn new(snapshot: Snapshot, inventory: Arc<Inventory>, budget: Arc<Budget>) -> Self {
        Self { snapshot, budget, shown: service::Shown::to_lines(), inventory }
    }

    /// The same with the labels that a query for numbers needs.
    #[must_use]
    pub fn showing_to(&self, expr: &MetricExpr) -> Self {
        Self { shown: service::Shown::to(expr, &self.inventory), ..self.clone() }
    }

    /// The labels that a stream has in the answer, if all `matchers` accept it.
    pub fn shown_as(&self, stored: &Labels, matchers: &[Matcher]) -> Option<Labels> {
        self.shown.of(self.inventory.join(stored), matchers)
    }

    /// The labels that a stream has where nothing is asked of them.
    pub fn labels_of(&self, stored: &Labels) -> Labels {
        service::with_service(&self.inventory.join(stored).labels)
    }

    /// The labels, as queries see them, of the streams that `matchers` accept and that may have lines in `range`.
    pub fn streams(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Labels> {
        let stored = self.snapshot.streams(&[], range);
        stored.iter().filter_map(|stored| self.shown_as(stored, matchers)).collect()
    }

    /// Names of streams, joined to their stored labels.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// What is read and kept is taken from.
    pub fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// What a query asks the database for.
    pub fn selection(&self, fetch: &Fetch) -> Selection {
        let (matchers, range) = fetch.streams();
        let shown = self.streams(matchers, range);
        let has_metadata = self.snapshot.has_metadata(|stored| self.shown_as(stored, matchers));
        fetch.selection(|name| has_metadata || shown.iter().any(|labels| labels.get(name).is_some()))
    }

    /// Prepares to read what `selection` asks for.
    pub fn scan(&self, selection: &Selection) -> Scan {
        let scan = self.snapshot.scan_as(selection, |stored| self.shown_as(stored, &selection.matchers));
        scan.within(Arc::clone(&self.budget))
    }

    /// Prepares to read what `selection` asks for within `bounds`, of the streams that `is_asked_for` accepts as they are
    /// stored, but for a mark of metadata.
    pub fn scan_within(&self, selection: &Selection, bounds: &Bounds, is_asked_for: impl Fn(&Labels) -> bool) -> Scan {
        let shown_as = |own: &Labels| if is_asked_for(own) { self.shown_as(own, &selection.matchers) } else { None };
        self.snapshot.scan_within(selection, bounds, shown_as).within(Arc::clone(&self.budget))
    }

    /// Prepares to have workers read what `selection` asks for.
    pub fn fold(&self, selection: &Selection) -> Fold {
        let fold = self.snapshot.fold_as(selection, |stored| self.shown_as(stored, &selection.matchers));
        fold.within(Arc::clone(&self.budget))
    }
}

/// Lines that were looked at, or counted without that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// How many.
    pub lines: u64,
    /// Bytes of text in them.
    pub bytes: u64,
    /// How many of them were put together and looked at one by one: columns answered for the others.
    pub one_by_one: u64,
}

impl Seen {
    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        self.add_many(1, line.len() as u64);
        self.one_by_one += 1;
    }

    /// Adds lines that nobody looked at.
    pub fn add_many(&mut self, lines: u64, bytes: u64) {
        self.lines += lines;
        self.bytes += bytes;
    }

    /// Adds what somebody else has seen.
    pub fn merge(&mut self, other: Self) {
        self.add_many(other.lines, other.bytes);
        self.one_by_one += other.one_by_one;
    }
}

/// An entry as LogQL takes it; `room` is for its metadata.
pub fn entry<'a>(entry: LogEntry<'a>, room: &'a mut Vec<(String, String)>) -> Entry<'a> {
    let LogEntry { timestamp, labels, line, metadata } = entry;
    room.clear();
    if !metadata.is_empty() {
        room.extend(metadata.iter().map(|(name, value)| (name.into_owned(), value.into_owned())));
    }
    Entry { timestamp, labels, metadata: room, line }
}
