//! What the agent says of itself: counters and the state of each source.
//!
//! The collector and the pump write it, the API reads it; neither has to know the other. Everything is cheap to update:
//! atomics on the reading path, one lock where sources come and go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;

/// A number that only counts up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets the number.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why bytes of a source were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The rest of a line over the line limit.
    LineTooLong,
    /// `--start-from end`: history before the first start.
    StartFromEnd,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 2] = [Self::LineTooLong, Self::StartFromEnd];

    /// The reason's name in metrics and in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::StartFromEnd => "start_from_end",
        }
    }
}

/// Whether a source still has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// Under one of its own names.
    Active,
    /// Renamed away from the names its entries carry, or deleted: read to its end, then let go.
    Rotated,
    /// Cannot be read at the moment.
    Unreadable,
}

impl SourceState {
    /// The state's name in metrics and in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotated => "rotated",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One source, as far as a reader of `/status` is concerned.
#[derive(Debug)]
pub struct SourceStatus {
    /// The path its entries carry; the first where it has several.
    pub path: String,
    /// How far it has been read, in bytes.
    pub read_bytes: Gauge,
    /// How long the file was when it was last looked at, in bytes.
    pub size_bytes: Gauge,
    /// When it was last read, in nanoseconds since the Unix epoch; 0 for never.
    pub last_read_ns: Gauge,
    /// Its state, and for an unreadable source what the operating system said.
    state: Mutex<(SourceState, Option<String>)>,
    /// Whether changes are looked for by polling, because the watcher could take no more.
    pub polled: AtomicBool,
}

impl SourceStatus {
    /// A source that is active and unread.
    pub fn new(path: String) -> Self {
        Self {
            path,
            read_bytes: Gauge::default(),
            size_bytes: Gauge::default(),
            last_read_ns: Gauge::default(),
            state: Mutex::new((SourceState::Active, None)),
            polled: AtomicBool::new(false),
        }
    }

    /// Bytes that are in the file and have not been read.
    pub fn lag_bytes(&self) -> u64 {
        self.size_bytes.get().saturating_sub(self.read_bytes.get())
    }

    /// The state, and what went wrong where it is unreadable.
    pub fn state(&self) -> (SourceState, Option<String>) {
        lock(&self.state).clone()
    }

    /// Changes the state; `problem` says what went wrong.
    pub fn set_state(&self, state: SourceState, problem: Option<String>) {
        *lock(&self.state) = (state, problem);
    }
}

/// What the agent says of itself.
#[derive(Debug, Default)]
pub struct Status {
    /// Bytes read from sources.
    pub bytes_read: Counter,
    /// Entries made of them.
    pub lines_read: Counter,
    /// Bytes that were not stored, by reason.
    bytes_skipped: [Counter; SkipReason::ALL.len()],
    /// Sources that were renamed, replaced or deleted.
    pub rotations: Counter,
    /// Sources that shrank or were rewritten in place.
    pub truncations: Counter,
    /// Links that were not followed because of where they lead or whom they belong to.
    pub links_refused: Counter,
    /// Times the watcher's queue overflowed and everything was looked at again.
    pub watcher_overflows: Counter,
    /// Files and directories being watched.
    pub watches: Gauge,
    /// Why nothing is being stored, where that is so.
    problem: Mutex<Option<String>>,
    sources: Mutex<BTreeMap<u64, Arc<SourceStatus>>>,
    next_source: Counter,
}

/// Names a registered source until it is removed.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceHandle(u64);

impl Status {
    /// Counts bytes that were not stored.
    pub fn add_skipped(&self, reason: SkipReason, bytes: u64) {
        self.bytes_skipped[reason as usize].add(bytes);
    }

    /// Bytes that were not stored for `reason`.
    pub fn skipped(&self, reason: SkipReason) -> u64 {
        self.bytes_skipped[reason as usize].get()
    }

    /// Makes a source visible until [`Status::remove_source`].
    pub fn add_source(&self, source: Arc<SourceStatus>) -> SourceHandle {
        let mut sources = lock(&self.sources);
        self.next_source.add(1);
        let handle = self.next_source.get();
        sources.insert(handle, source);
        SourceHandle(handle)
    }

    /// Takes a source out that was let go.
    pub fn remove_source(&self, handle: &SourceHandle) {
        lock(&self.sources).remove(&handle.0);
    }

    /// All sources, in the order they were found.
    pub fn sources(&self) -> Vec<Arc<SourceStatus>> {
        lock(&self.sources).values().cloned().collect()
    }

    /// Why nothing is being stored at the moment; `None` while all is well.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// Says why nothing is being stored, or that all is well again.
    pub fn set_problem(&self, problem: Option<String>) {
        *lock(&self.problem) = problem;
    }

    /// The time of the least recently read source that has unread bytes; `None` where all are read.
    pub fn oldest_lag(&self) -> Option<Timestamp> {
        let lagging = self.sources().into_iter().filter(|source| 0 < source.lag_bytes());
        lagging.map(|source| Timestamp::from_ns(source.last_read_ns.get().cast_signed())).min()
    }
}

/// Locks plain data that no panic can leave half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
