//! Stand-in for the database, in memory, until the real one is merged: the same reading surface and nothing else.
#![expect(missing_docs, reason = "replaced by the real database at merge")]

use std::sync::Arc;

use crate::model::{Direction, Labels, LineFilter, LogEntry, Matcher, Selection, TimeRange, Timestamp};

#[derive(Debug, thiserror::Error)]
#[error("damaged block")]
pub struct Error;

#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub streams: u64,
    pub lines: u64,
    pub bytes: u64,
    pub disk_bytes: u64,
    pub commits: u64,
    pub syncs: u64,
    pub sync_failures: u64,
    pub quarantined: u64,
    pub oldest: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Database(Arc<Vec<LogEntry>>);

#[derive(Clone, Debug)]
pub struct Snapshot(Arc<Vec<LogEntry>>);

#[derive(Debug)]
pub struct Scan {
    entries: Arc<Vec<LogEntry>>,
    selected: std::ops::Range<usize>,
    selection: Selection,
    left: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    pub timestamp: Timestamp,
    pub labels: &'a Labels,
    pub line: &'a [u8],
}

impl Database {
    pub fn of(mut entries: Vec<LogEntry>) -> Self {
        entries.sort_by_key(|entry| entry.timestamp);
        Self(Arc::new(entries))
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(&self.0))
    }

    pub fn statistics(&self) -> Statistics {
        Statistics {
            streams: self.snapshot().streams(&[], TimeRange::ALL).len() as u64,
            lines: self.0.len() as u64,
            bytes: self.0.iter().map(|entry| entry.line.len() as u64).sum(),
            oldest: self.0.first().map(|entry| entry.timestamp),
            ..Statistics::default()
        }
    }
}

impl Snapshot {
    pub fn streams(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Labels> {
        let mut labels: Vec<Labels> = Vec::new();
        for entry in self.0.iter().filter(|entry| range.contains(entry.timestamp)) {
            if labels.last() != Some(&entry.labels) {
                labels.push(entry.labels.clone());
            }
        }
        labels.sort_unstable();
        labels.dedup();
        labels.retain(|labels| matchers.iter().all(|matcher| matcher.accepts(labels)));
        labels
    }

    pub fn scan(&self, selection: &Selection) -> Scan {
        let selected = 0..self.0.len();
        Scan {
            entries: Arc::clone(&self.0),
            selected,
            left: selection.limit.unwrap_or(usize::MAX),
            selection: selection.clone(),
        }
    }
}

impl Scan {
    #[expect(clippy::should_implement_trait, reason = "an entry borrows from the scan")]
    pub fn next(&mut self) -> Result<Option<EntryRef<'_>>, Error> {
        while 0 < self.left {
            let forward = self.selection.direction == Direction::Forward;
            let next = if forward { self.selected.next() } else { self.selected.next_back() };
            let Some(index) = next else { break };
            if self.accepts(&self.entries[index]) {
                self.left -= 1;
                let entry = &self.entries[index];
                return Ok(Some(EntryRef { timestamp: entry.timestamp, labels: &entry.labels, line: &entry.line }));
            }
        }
        Ok(None)
    }

    fn accepts(&self, entry: &LogEntry) -> bool {
        let Selection { matchers, range, filters, .. } = &self.selection;
        let contains = |LineFilter::Contains(needle): &LineFilter| memchr::memmem::find(&entry.line, needle).is_some();
        matchers.iter().all(|matcher| matcher.accepts(&entry.labels))
            && range.contains(entry.timestamp)
            && filters.iter().all(contains)
    }
}
