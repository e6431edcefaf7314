//! Every file in a directory tree is read as it grows.
//!
//! Three nouns, three layers: a *name* is a path under the root that may lead, through links, to a file
//! (`discovery`); a *source* is one such file, open and read once however many names lead to it (`sources`); a
//! *watch* says where to look again (`watches`). Changes of names attach and detach sources; a source without a name is
//! read to its end and let go once that is on stable storage.
//!
//! Invariants: a file is open once and watched at most once; the watcher is only given canonical paths; a source leaves
//! only after everything it delivered is on stable storage; where one source takes over a stream from another, the
//! earlier one is read to its end first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::file::{self, Identity, Kind};
use crate::log_collector::links::Links;
use crate::log_collector::naming::Naming;
use crate::log_collector::patterns::Patterns;
use crate::log_collector::rotation::ledger::Ledger;
use crate::log_collector::rotation::listing::Listings;
use crate::log_collector::shares::Shares;
use crate::log_collector::source::{APPENDING_TIME_MAX, read_buffer};
use crate::log_collector::tracked::{SourceId, Sources};
use crate::log_collector::watcher::Watcher;
use crate::log_collector::watches::{Change, Watches};
use crate::log_collector::{Collected, Collector, Error};
use crate::model::{Checkpoint, Timestamp};
use crate::status::{Part, SourceHandle, Status};

mod copies;
mod dangling;
mod discovery;
mod families;
mod finished;
mod import;
mod open_files;
mod rescan;
mod sources;
mod streams;
#[cfg(test)]
pub(crate) mod tests;
mod turns;
mod unended;

use dangling::Dangling;
use discovery::{LimitsSaid, NAMES_MAX, Name};
use families::Due;
use import::Import;
use rescan::Rescan;
use turns::{KINDS_OF_TURNS, Turns};

/// How often files without a watch are looked at, and whether files without a name have been quiet for long enough.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often directories without a watch are looked at.
const DIRECTORY_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often everything is looked at at most, whatever the watcher says: some file systems report nothing.
const RESCAN_INTERVAL: Duration = Duration::from_mins(1);
/// How long a file without a name has to be quiet before it counts as finished: a process that has it open may go on
/// writing for a moment after the rotation.
pub const QUIET_BEFORE_LETTING_GO: Duration = Duration::from_secs(5);
/// How many bytes of deleted files are kept on disk until they are read.
pub const DELETED_BYTES_MAX: u64 = 1 << 30;

/// How long an entry of several lines waits for its next line.
const JOINING_TIME_MAX: Duration = Duration::from_millis(500);
/// How long a line has to have been still that has not ended before it is shown.
const UNENDED_SHOWN_AFTER: Duration = Duration::from_secs(1);
/// And before it is stored: what comes then is the rest of it.
const UNENDED_TIME_MAX: Duration = Duration::from_mins(1);

/// What a collector of files needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory to collect from, as the user gave it; labels carry it as it is.
    pub root: PathBuf,
    /// Which files are collected.
    pub patterns: Patterns,
    /// The agent's own data, which is never collected.
    pub data_directory: Option<PathBuf>,
    /// What other collectors are to collect, or has been left to them, as canonical paths.
    pub left_out: Vec<PathBuf>,
    /// Whether files that exist at the very first start are read from their end.
    pub start_from_end: bool,
    /// The zone of times that do not say theirs.
    pub zone: TimeZone,
    /// The clock that says when a line was read.
    pub clock: fn() -> Timestamp,
    /// How long a file without a name has to be quiet before it is let go.
    pub quiet_before_letting_go: Duration,
    /// How many bytes of deleted files are kept on disk, by keeping the files open, until they are read.
    pub deleted_bytes_max: u64,
    /// Whether lines that belong together become one entry.
    pub multiline: bool,
    /// Most files that are open at a time.
    pub open_files_max: usize,
}

/// Collects every file in a directory tree.
pub struct Directory<W: Watcher> {
    settings: Settings,
    naming: Box<dyn Naming + Send>,
    status: Arc<Status>,
    /// The canonical path of the root.
    root: PathBuf,
    links: Links,
    watches: Watches<W>,
    /// Directories of the tree, by canonical path.
    tree: BTreeSet<PathBuf>,
    /// Directories out of the root that links in the tree lead to, and the links' names.
    linked: BTreeMap<PathBuf, PathBuf>,
    /// Names by their canonical directory and last component.
    names: BTreeMap<PathBuf, Name>,
    /// Which names lead through a path that is not their own, sorted; nearly always one.
    names_by_hop: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// Names and directories that cannot be read, and how that shows in the status.
    problems: BTreeMap<PathBuf, SourceHandle>,
    /// The first link that was refused, and why.
    first_refusal: Option<String>,
    /// The name that was just found to lead to what is no text.
    not_text: Option<PathBuf>,
    /// Who has how many names.
    name_shares: Shares,
    /// Directories that links lead through and that are not there.
    dangling: Dangling,
    /// Which limits were said to leave something out.
    limits_said: LimitsSaid,
    /// Whether the root was no directory when it was looked at last.
    is_root_missing: bool,
    sources: Sources<W::Descriptor>,
    /// Which sources deliver to the stream of a name, as seen under the root, in the order of its files.
    writers: HashMap<PathBuf, Vec<SourceId>>,
    /// Sources whose files are open, by when they were used.
    open_files: BTreeMap<u64, SourceId>,
    /// How often files were used.
    uses: u64,
    /// Compressed files that were looked at last.
    looked_at: VecDeque<SourceId>,
    /// Sources that wait for their turn to be read.
    turns: Turns,
    /// While there is something to read that was there at the start.
    import: Option<Import>,
    /// Sources whose names changed, to be settled once all changes are known.
    touched: BTreeSet<SourceId>,
    /// Compressed sources that are being read.
    decompressing: BTreeSet<SourceId>,
    /// Streams whose files are to be looked after.
    due: BTreeSet<Due>,
    /// Streams of which something could not be decided, to be looked after again.
    waiting: BTreeSet<PathBuf>,
    /// Files that were found rotated since the last change was settled.
    begun: HashSet<Identity>,
    /// Contents that were cut from their files and wait to be found.
    cuts: HashMap<Identity, Cut>,
    /// Sources of which it cannot be told yet whether their files were written anew.
    uncertain: BTreeSet<SourceId>,
    /// Of deleted files, in the gauge of all collectors.
    held_deleted_bytes: Part,
    /// What is known of files without a source.
    ledger: Ledger,
    /// Directories that files are rotated to, by the directory of their logs above.
    old_directories: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// What had been seen of files that are gone, and waits to be found again.
    orphans: HashMap<Identity, Range<u64>>,
    /// What is beside files that were rotated, for a moment.
    listings: Listings,
    /// Whether the files found now existed before this start.
    starting: bool,
    /// Batches without lines that wait to be handed over.
    outbox: VecDeque<Collected>,
    buffer: Box<[u8]>,
    last_poll: Instant,
    last_directory_poll: Instant,
    poll_interval: Duration,
    next_rescan: Instant,
    /// Since when the watcher has lost events that nobody has looked for, and when that may be done.
    lost_since: Option<Instant>,
    next_lost_rescan: Instant,
    /// While everything is looked at again.
    rescan: Option<Rescan>,
}

/// A content that was cut from its file.
struct Cut {
    /// What had been seen of it and not read.
    waiting: Range<u64>,
    /// When that was found.
    since: Instant,
}

/// How much there is to collect and what is left out, for the log at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files found.
    pub file_count: usize,
    /// Bytes in them.
    pub byte_count: u64,
    /// Bytes of those that have not been read yet.
    pub unread_byte_count: u64,
    /// Names and directories that cannot be read.
    pub unreadable_count: usize,
    /// The first link that is not followed, and why.
    pub first_refusal: Option<String>,
}

impl<W: Watcher> Directory<W> {
    /// Finds the files under the root and resumes where `checkpoints` say.
    ///
    /// # Errors
    ///
    /// [`Error::Root`] where the root is no directory that can be read.
    pub fn new(
        settings: Settings,
        naming: Box<dyn Naming + Send>,
        watcher: W,
        checkpoints: &[Checkpoint],
        status: Arc<Status>,
    ) -> Result<Self, Error> {
        let root = check_root(&settings.root)?;
        let mut directory = Self {
            starting: true,
            naming,
            status,
            links: Links::new(root.clone()),
            root: root.clone(),
            settings,
            watches: Watches::new(watcher, root.clone()),
            name_shares: Shares::new(root.clone(), NAMES_MAX),
            tree: BTreeSet::new(),
            linked: BTreeMap::new(),
            names: BTreeMap::new(),
            names_by_hop: BTreeMap::new(),
            problems: BTreeMap::new(),
            first_refusal: None,
            not_text: None,
            dangling: Dangling::default(),
            limits_said: LimitsSaid::default(),
            is_root_missing: false,
            sources: Sources::new(),
            writers: HashMap::new(),
            open_files: BTreeMap::new(),
            uses: 0,
            looked_at: VecDeque::new(),
            turns: Turns::default(),
            import: None,
            touched: BTreeSet::new(),
            decompressing: BTreeSet::new(),
            due: BTreeSet::new(),
            waiting: BTreeSet::new(),
            begun: HashSet::new(),
            cuts: HashMap::new(),
            uncertain: BTreeSet::new(),
            held_deleted_bytes: Part::default(),
            ledger: Ledger::new(checkpoints),
            old_directories: BTreeMap::new(),
            orphans: HashMap::new(),
            listings: Listings::default(),
            outbox: VecDeque::new(),
            buffer: read_buffer(),
            last_poll: Instant::now(),
            last_directory_poll: Instant::now(),
            poll_interval: DIRECTORY_POLL_INTERVAL,
            next_rescan: Instant::now() + RESCAN_INTERVAL,
            lost_since: None,
            next_lost_rescan: Instant::now(),
            rescan: None,
        };
        directory.restore_cuts();
        directory.forget_all_taken_over();
        directory.enter(&root);
        directory.dangling.tell_all(&directory.status);
        directory.reconcile_all();
        directory.settle();
        if directory.settings.start_from_end && checkpoints.is_empty() {
            directory.skip_history();
        }
        directory.listings = Listings::default();
        directory.begin_import();
        directory.starting = false;
        Ok(directory)
    }

    /// How much there is to collect and what is left out.
    pub fn summary(&self) -> Summary {
        let states = || self.sources.iter().map(|tracked| &tracked.source.state);
        Summary {
            file_count: self.sources.len(),
            byte_count: states().map(|state| state.size_bytes.get()).sum(),
            unread_byte_count: states().map(|state| state.lag_bytes()).sum(),
            unreadable_count: self.problems.len(),
            first_refusal: self.first_refusal.clone(),
        }
    }

    /// The path of a name as seen under the root the user gave.
    fn seen(&self, name: &Path) -> PathBuf {
        match name.strip_prefix(&self.root) {
            Ok(relative) => self.settings.root.join(relative),
            Err(_) => self.seen_through_link(name).unwrap_or_else(|| self.settings.root.join(name)),
        }
    }

    /// Looks where changes were reported.
    fn take_changes(&mut self, timeout: Duration) -> Result<(), Error> {
        for change in self.watches.changes(timeout, &self.status)? {
            match change {
                Change::Entry(directory, name) => self.look_at(&directory.join(name)),
                Change::Entries(directory) => self.look_in(&directory),
                Change::DirectoryMoved(directory) => self.look_again(&directory),
                Change::Content(source) => self.note_written(source),
                Change::SourceMoved(source) => self.look_at_names_of(source),
                Change::Everything => {
                    self.status.watcher_overflows.add(1);
                    self.lost_since.get_or_insert_with(Instant::now);
                }
            }
        }
        Ok(())
    }

    /// Does what is due by time. The ends of files are taken only if it `is_reading`.
    fn take_turns(&mut self, is_reading: bool) {
        for source in std::mem::take(&mut self.uncertain) {
            self.enqueue(source);
        }
        self.look_again_by_turns();
        if POLL_INTERVAL <= self.last_poll.elapsed() {
            self.last_poll = Instant::now();
            self.listings = Listings::default();
            self.report_import();
            let held_back = self.sources.held_back().map(|(source, _)| source);
            for source in self.sources.polled().iter().copied().chain(held_back).collect::<Vec<_>>() {
                self.enqueue(source);
            }
            self.reconcile_cuts();
            self.reconcile_waiting();
            self.keep_deleted_within_budget();
            // Here as well, lest a backlog keep rotated files open.
            if is_reading {
                self.show_unended();
                self.finish_quiet();
            }
        }
    }

    /// What becomes readable when something changes, if the platform has that.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.watches.readiness()
    }

    /// The longest wait after which something may be due.
    pub(super) fn wait_at_most(&self) -> Duration {
        if self.rescan.is_some() {
            return Duration::ZERO;
        }
        if !self.uncertain.is_empty() {
            return APPENDING_TIME_MAX.min(self.settings.quiet_before_letting_go);
        }
        if self.sources.first_joining().is_some() {
            return JOINING_TIME_MAX.min(self.settings.quiet_before_letting_go);
        }
        if self.sources.nameless().is_empty() {
            POLL_INTERVAL
        } else {
            POLL_INTERVAL.min(self.settings.quiet_before_letting_go)
        }
    }
}

impl<W: Watcher> Collector for Directory<W> {
    fn next_batch(&mut self, timeout: Duration) -> Result<Option<Collected>, Error> {
        let idle = self.turns.is_empty() && self.outbox.is_empty();
        self.take_changes(if idle { timeout.min(self.wait_at_most()) } else { Duration::ZERO })?;
        self.take_turns(true);
        self.settle();
        self.end_joining();
        if let Some(batch) = self.outbox.pop_front().or_else(|| self.next_forgotten()) {
            return Ok(Some(batch));
        }
        // Each has its turn; what all of them wait for may take a change.
        for _ in 0..=KINDS_OF_TURNS * self.turns.len() {
            let Some(id) = self.turns.pop() else { break };
            if let Some(batch) = self.read(id) {
                return Ok(Some(batch));
            }
        }
        self.report_import();
        self.finish_quiet();
        Ok(self.outbox.pop_front().or_else(|| self.next_forgotten()))
    }

    fn follow_only(&mut self) -> Result<(), Error> {
        self.take_changes(Duration::ZERO)?;
        self.take_turns(false);
        self.settle();
        Ok(())
    }

    fn waiting_bytes(&self) -> u64 {
        self.bytes_waiting()
    }

    fn wants_sync(&self) -> bool {
        // The ends of finished files are handed over first.
        self.outbox.is_empty() && !self.sources.finished().is_empty()
    }

    fn synced(&mut self) {
        self.let_go_finished();
    }
}

/// Says in the log how many files there are.
pub fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The canonical path of a directory that can be collected from.
///
/// # Errors
///
/// [`Error::Root`] where it is no directory that can be read.
pub fn check_root(root: &Path) -> Result<PathBuf, Error> {
    let error = |reason: String| Error::Root { path: root.to_owned(), reason };
    let canonical = file::canonical(root).map_err(|refused| error(refused.source.to_string()))?;
    let metadata = file::metadata(&canonical).map_err(|refused| error(refused.source.to_string()))?;
    if metadata.kind != Kind::Directory {
        return Err(error("it is no directory".into()));
    }
    file::read_directory(&canonical).map_err(|refused| error(refused.source.to_string()))?;
    Ok(canonical)
}
