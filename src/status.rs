//! What the agent says of itself: counters and the state of each source.
//!
//! The collector and the pump write it, the API reads it; neither has to know the other. Everything is cheap to update:
//! atomics on the reading path, one lock where sources come and go.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Timestamp;

mod alerts;
mod forward;
mod marks;

pub use alerts::{ActiveAlert, AlertRule, NotifyTarget, Pairs, RuleGroup, RuleState};
pub use forward::{Target, TargetState};
pub use marks::{Event, Mark, Marks};

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

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Makes it at least `value`.
    pub fn raise(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The part that one of several collectors has in a gauge, which is the sum of all.
#[derive(Debug, Default)]
pub struct Part(u64);

impl Part {
    /// Makes the part `value`, and the sum accordingly.
    pub fn set(&mut self, sum: &Gauge, value: u64) {
        // What wraps around comes back: the sum holds what was added before.
        sum.add(value.wrapping_sub(self.0));
        self.0 = value;
    }
}

/// Why bytes of a source were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipReason {
    /// The rest of a line over the line limit.
    LineTooLong,
    /// `--start-from end`: history before the first start.
    StartFromEnd,
    /// The file was cut or rewritten before they were read, and there is no copy.
    Truncated,
    /// The file was deleted while the agent was not running.
    Deleted,
    /// The file was deleted, and more such bytes waited to be read than may be held.
    OverBudget,
    /// A compressed file or one of records is damaged.
    Damaged,
    /// Nobody wrote them: the file has a hole.
    Hole,
    /// The file turned out not to be text.
    Binary,
    /// A pod's annotation excludes its container, or a pattern the unit.
    Excluded,
    /// journald copied them from a journal that they were read from.
    Copied,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::LineTooLong,
        Self::StartFromEnd,
        Self::Truncated,
        Self::Deleted,
        Self::OverBudget,
        Self::Damaged,
        Self::Hole,
        Self::Binary,
        Self::Excluded,
        Self::Copied,
    ];

    /// The reason's name in metrics and in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::LineTooLong => "line_too_long",
            Self::StartFromEnd => "start_from_end",
            Self::Truncated => "truncated",
            Self::Deleted => "deleted",
            Self::OverBudget => "over_budget",
            Self::Damaged => "damaged",
            Self::Hole => "hole",
            Self::Binary => "binary",
            Self::Excluded => "excluded",
            Self::Copied => "copied",
        }
    }
}

/// Why pushed entries were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PushRefusal {
    /// The labels of their stream are none.
    Labels,
    /// The line is over the line limit.
    LineTooLong,
    /// They have more or larger labels of their own than they may.
    Metadata,
    /// Their stream would be one too many.
    Streams,
    /// Their time cannot be stored.
    Time,
}

impl PushRefusal {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::Labels, Self::LineTooLong, Self::Metadata, Self::Streams, Self::Time];

    /// The reason's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::LineTooLong => "line_too_long",
            Self::Metadata => "metadata",
            Self::Streams => "stream_limit",
            Self::Time => "time_out_of_range",
        }
    }
}

/// What was pushed.
#[derive(Debug, Default)]
pub struct Pushes {
    /// Entries that were stored.
    pub entries: Counter,
    /// Bytes of their lines, and of labels of their own.
    pub bytes: Counter,
    /// Entries that were there already.
    pub repeated: Counter,
    refused: [Counter; PushRefusal::ALL.len()],
    /// Pushes that were turned away or failed as a whole.
    pub failures: Counter,
}

impl Pushes {
    /// Counts entries that were not stored.
    pub fn add_refused(&self, reason: PushRefusal, entries: u64) {
        self.refused[reason as usize].add(entries);
    }

    /// Entries that were not stored for `reason`.
    pub fn refused(&self, reason: PushRefusal) -> u64 {
        self.refused[reason as usize].get()
    }
}

/// Bytes of a source that are certainly lost to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The path that the entries would have carried.
    pub path: String,
    /// Which bytes of the file.
    pub bytes: Range<u64>,
    /// How they were lost.
    pub reason: SkipReason,
    /// When that was found.
    pub found: Timestamp,
}

/// Most gaps that are remembered one by one; the oldest make room. The bytes of all of them stay counted.
pub const GAPS_MAX: usize = 1000;

/// Whether a source still has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceState {
    /// Under one of its own names.
    Active,
    /// Renamed away from the names its entries carry, or deleted: read to its end, then let go.
    Rotated,
    /// Cannot be read at the moment.
    Unreadable,
    /// Is no text, and is left out as long as that is so.
    LeftOut,
}

impl SourceState {
    /// The state's name in metrics and in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotated => "rotated",
            Self::Unreadable => "unreadable",
            Self::LeftOut => "left_out",
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
    /// How many entries it says it has; 0 where it does not say.
    pub entry_count: Gauge,
    /// How many of them were read.
    pub read_entry_count: Gauge,
    /// Bytes behind what was read that were looked at and wait for the end of their line.
    pub unended_bytes: Gauge,
    /// When it was last read, in nanoseconds since the Unix epoch; 0 for never.
    pub last_read_ns: Gauge,
    /// Its state, and why it is not read.
    state: Mutex<(SourceState, Option<String>)>,
    /// How its text is encoded, where that is not UTF-8.
    encoding: Mutex<Option<&'static str>>,
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
            entry_count: Gauge::default(),
            read_entry_count: Gauge::default(),
            unended_bytes: Gauge::default(),
            last_read_ns: Gauge::default(),
            state: Mutex::new((SourceState::Active, None)),
            encoding: Mutex::default(),
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

    /// The name of the text's encoding; `None` for UTF-8 and whatever else is taken as it is.
    pub fn encoding(&self) -> Option<&'static str> {
        *lock(&self.encoding)
    }

    /// Changes the name of the text's encoding.
    pub fn set_encoding(&self, encoding: Option<&'static str>) {
        *lock(&self.encoding) = encoding;
    }

    /// Changes the state; `problem` says what went wrong.
    pub fn set_state(&self, state: SourceState, problem: Option<String>) {
        *lock(&self.state) = (state, problem);
    }
}

/// How far the files have been read that were there at the start.
#[derive(Debug, Default)]
pub struct Import {
    /// Bytes that were to be read.
    pub total_bytes: Gauge,
    /// Bytes of them that are read.
    pub read_bytes: Gauge,
    /// Files that were to be read.
    pub files: Gauge,
    /// Files of them that are read.
    pub files_read: Gauge,
    /// How long it has taken so far, or took, in milliseconds.
    pub elapsed_ms: Gauge,
}

impl Import {
    /// The part that is read, from 0 to 1; 1 where there was nothing to read.
    #[expect(clippy::cast_precision_loss, reason = "a part of a whole for people to look at")]
    pub fn progress_ratio(&self) -> f64 {
        let total = self.total_bytes.get();
        if total == 0 { 1.0 } else { self.read_bytes.get() as f64 / total as f64 }
    }

    /// How fast it is, or was.
    pub fn bytes_per_second(&self) -> u64 {
        let read_bytes = u128::from(self.read_bytes.get());
        u64::try_from(read_bytes * 1000 / u128::from(self.elapsed_ms.get().max(1))).unwrap_or(u64::MAX)
    }

    /// About how long the rest takes, in seconds; `None` where nothing is read yet.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.total_bytes.get().saturating_sub(self.read_bytes.get());
        if left == 0 { Some(0) } else { left.checked_div(self.bytes_per_second()) }
    }
}

/// How fast something comes.
#[derive(Debug, Default)]
pub struct Rate {
    /// How many there were when it was looked at last.
    count: Gauge,
    /// How many came each second before that.
    per_second: Gauge,
}

impl Rate {
    /// Notes that there are `count` now, so long after the last time.
    pub fn update(&self, elapsed: Duration, count: u64) {
        let new = u128::from(count.saturating_sub(self.count.get()));
        let per_second = (new * 1000).checked_div(elapsed.as_millis()).unwrap_or_default();
        self.per_second.set(u64::try_from(per_second).unwrap_or(u64::MAX));
        self.count.set(count);
    }

    /// How many came each second of late.
    pub fn per_second(&self) -> u64 {
        self.per_second.get()
    }
}

/// How the cluster answers for the pods of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClusterState {
    /// It is not asked.
    #[default]
    Unasked,
    /// It has not answered yet.
    Waiting,
    /// It tells of each change.
    Up,
    /// It does not, and why.
    Failing(String),
}

/// What is known of the pods of this node, and from where.
#[derive(Debug, Default)]
pub struct ClusterStatus {
    /// Requests that were sent.
    pub requests: Counter,
    /// How often that failed.
    pub errors: Counter,
    /// Pods that there are.
    pub pods: Gauge,
    state: Mutex<ClusterState>,
}

impl ClusterStatus {
    /// How the cluster answers.
    pub fn state(&self) -> ClusterState {
        lock(&self.state).clone()
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        *lock(&self.state) == ClusterState::Up
    }

    /// Changes how it answers; whether that is news.
    pub fn set_state(&self, state: ClusterState) -> bool {
        let mut current = lock(&self.state);
        std::mem::replace(&mut *current, state) != *current
    }
}

/// What the agent says of itself.
#[derive(Debug, Default)]
pub struct Status {
    /// Bytes read from sources.
    pub bytes_read: Counter,
    /// Entries made of them.
    pub lines_read: Counter,
    /// Lines that the database is given.
    pub rate: Rate,
    /// Bytes that were found in sources, as the file system gives their sizes.
    pub bytes_seen: Counter,
    /// Bytes of sources that the database has taken, as lines were cut out of them.
    pub bytes_stored: Counter,
    /// Bytes that have been seen and wait to be read or to be handed to the database.
    pub bytes_waiting: Gauge,
    /// Bytes for which nobody accounts: more or fewer than were seen. Anything but 0 is a defect of the agent.
    pub bytes_unaccounted: Gauge,
    /// Bytes of deleted files that are kept on disk until they are read.
    pub held_deleted_bytes: Gauge,
    /// What is certainly lost, since the start.
    gaps: Mutex<VecDeque<Gap>>,
    /// What happened between the lines of logs, those included before the start.
    pub marks: Marks,
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
    /// How far the files have been read that were there at the start.
    pub import: Import,
    /// What the cluster says of pods.
    pub cluster: ClusterStatus,
    /// What was pushed.
    pub pushes: Pushes,
    /// Where lines are forwarded to.
    forward: Mutex<Vec<Arc<Target>>>,
    /// The rules that are evaluated, by group.
    rules: Mutex<Vec<RuleGroup>>,
    /// Why rules are not as their files say.
    rules_problem: Mutex<Option<String>>,
    /// Who is told of alerts.
    notified: Mutex<Vec<Arc<NotifyTarget>>>,
    /// Requests with credentials that are wrong.
    pub access_failures: Counter,
    /// Queries that had their turn and have come to an end.
    pub queries: Counter,
    /// Why nothing is being stored, where that is so.
    problem: Mutex<Option<String>>,
    /// Why what is stored is not looked after, where that is so.
    housekeeping_problem: Mutex<Option<String>>,
    /// The directories to collect from that are not there.
    missing_roots: Mutex<BTreeSet<PathBuf>>,
    /// The directories that links lead through and that are not there.
    missing_targets: Mutex<BTreeSet<PathBuf>>,
    sources: Mutex<BTreeMap<u64, Arc<SourceStatus>>>,
    next_source: Counter,
}

/// Adds a directory to those that are missing, or takes it out.
fn note_missing(directories: &Mutex<BTreeSet<PathBuf>>, directory: &Path, is_missing: bool) {
    let mut directories = lock(directories);
    if is_missing {
        directories.insert(directory.to_owned());
    } else {
        directories.remove(directory);
    }
}

/// Names a registered source until it is removed.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceHandle(u64);

impl Status {
    /// The rules that are evaluated.
    pub fn rules(&self) -> Vec<RuleGroup> {
        lock(&self.rules).clone()
    }

    /// Takes other rules, as after a change of their files.
    pub fn set_rules(&self, groups: Vec<RuleGroup>) {
        *lock(&self.rules) = groups;
    }

    /// Takes what came of the group at `index`.
    pub fn set_rule_group(&self, index: usize, group: RuleGroup) {
        if let Some(known) = lock(&self.rules).get_mut(index) {
            *known = group;
        }
    }

    /// Why rules are not as their files say.
    pub fn rules_problem(&self) -> Option<String> {
        lock(&self.rules_problem).clone()
    }

    /// Says why rules are not as their files say, or that they are.
    pub fn set_rules_problem(&self, problem: Option<String>) {
        *lock(&self.rules_problem) = problem;
    }

    /// Adds someone who is told of alerts.
    pub fn add_notified(&self, target: &Arc<NotifyTarget>) {
        lock(&self.notified).push(Arc::clone(target));
    }

    /// Who is told of alerts.
    pub fn notified(&self) -> Vec<Arc<NotifyTarget>> {
        lock(&self.notified).clone()
    }

    /// Adds a target that lines are forwarded to.
    pub fn add_target(&self, target: &Arc<Target>) {
        lock(&self.forward).push(Arc::clone(target));
    }

    /// The targets that lines are forwarded to.
    pub fn targets(&self) -> Vec<Arc<Target>> {
        lock(&self.forward).clone()
    }

    /// Counts bytes that were not stored.
    pub fn add_skipped(&self, reason: SkipReason, bytes: u64) {
        self.bytes_skipped[reason as usize].add(bytes);
    }

    /// Bytes that were not stored for `reason`.
    pub fn skipped(&self, reason: SkipReason) -> u64 {
        self.bytes_skipped[reason as usize].get()
    }

    /// Remembers that bytes are lost, and counts them as skipped. They have been counted as seen.
    pub fn add_gap(&self, gap: Gap) {
        log::warn!("bytes {} to {} of {} are lost: {}", gap.bytes.start, gap.bytes.end, gap.path, gap.reason.name());
        self.add_skipped(gap.reason, gap.bytes.end.saturating_sub(gap.bytes.start));
        let event = Event::Lost { bytes: gap.bytes.clone(), reason: gap.reason };
        self.marks.add(Mark { log: gap.path.clone(), time: gap.found, event });
        let mut gaps = lock(&self.gaps);
        if GAPS_MAX <= gaps.len() {
            gaps.pop_front();
        }
        gaps.push_back(gap);
    }

    /// What is certainly lost, the oldest of the latest [`GAPS_MAX`] first.
    pub fn gaps(&self) -> Vec<Gap> {
        lock(&self.gaps).iter().cloned().collect()
    }

    /// Checks that whatever was seen was stored, was skipped, or waits. To be called by the thread that collects and
    /// stores, while nothing is on its way: the counters are independent, and only then do they agree.
    pub fn balance(&self, bytes_waiting: u64) {
        let skipped: u64 = SkipReason::ALL.into_iter().map(|reason| self.skipped(reason)).sum();
        let accounted = self.bytes_stored.get() + skipped + bytes_waiting;
        let unaccounted = self.bytes_seen.get().abs_diff(accounted);
        if unaccounted != 0 && self.bytes_unaccounted.get() == 0 {
            log::error!(
                "{} bytes were seen, but {} stored, {skipped} skipped and {bytes_waiting} waiting; please report this",
                self.bytes_seen.get(),
                self.bytes_stored.get(),
            );
        }
        self.bytes_waiting.set(bytes_waiting);
        self.bytes_unaccounted.set(unaccounted);
    }

    /// Notes that a directory to collect from is not there, or that it is again.
    pub fn set_root_missing(&self, root: &Path, is_missing: bool) {
        note_missing(&self.missing_roots, root, is_missing);
    }

    /// The directories to collect from that are not there.
    pub fn missing_roots(&self) -> BTreeSet<PathBuf> {
        lock(&self.missing_roots).clone()
    }

    /// Notes that a directory that links lead through is not there, or that it is again, or that none lead through it.
    pub fn set_target_missing(&self, directory: &Path, is_missing: bool) {
        note_missing(&self.missing_targets, directory, is_missing);
    }

    /// The directories that links lead through and that are not there: forgotten mounts, nearly always.
    pub fn missing_targets(&self) -> BTreeSet<PathBuf> {
        lock(&self.missing_targets).clone()
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

    /// Why nothing is being stored at the moment, or what is stored is not looked after; `None` while all is well.
    pub fn problem(&self) -> Option<String> {
        let problems = [lock(&self.problem).clone(), lock(&self.housekeeping_problem).clone()];
        problems.into_iter().flatten().reduce(|first, second| format!("{first}; {second}"))
    }

    /// Says why nothing is being stored, or that it is again. For the thread that stores.
    pub fn set_problem(&self, problem: Option<String>) {
        *lock(&self.problem) = problem;
    }

    /// Says why what is stored is not looked after, or that it is again. For the thread that does the housekeeping.
    pub fn set_housekeeping_problem(&self, problem: Option<String>) {
        *lock(&self.housekeeping_problem) = problem;
    }

    /// The time of the least recently read source that has unread bytes; `None` where all are read. A line without its
    /// end, with which a file may stay for ever, is not late.
    pub fn oldest_lag(&self) -> Option<Timestamp> {
        let lagging = self.sources().into_iter().filter(|source| source.unended_bytes.get() < source.lag_bytes());
        lagging.map(|source| Timestamp::from_ns(source.last_read_ns.get().cast_signed())).min()
    }
}

/// Locks plain data that no panic can leave half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_of_several_is_the_sum_of_their_parts() {
        let (gauge, mut first, mut second) = (Gauge::default(), Part::default(), Part::default());
        first.set(&gauge, 3);
        second.set(&gauge, 4);
        assert_eq!(gauge.get(), 7);
        first.set(&gauge, 1);
        assert_eq!(gauge.get(), 5);
        second.set(&gauge, 0);
        assert_eq!(gauge.get(), 1);
    }

    #[test]
    fn reading_is_as_fast_as_what_is_read_in_the_longest_time() {
        let import = Import::default();
        import.total_bytes.add(3000);
        assert_eq!((import.bytes_per_second(), import.seconds_left()), (0, None));
        import.read_bytes.add(1000);
        import.elapsed_ms.raise(500);
        import.elapsed_ms.raise(100);
        assert_eq!((import.bytes_per_second(), import.seconds_left()), (2000, Some(1)));
    }
}
