//! The journal of systemd: entries of its files, wherever they lie.
//!
//! One collector reads all journal files that there are, so that no entry is read twice: a file is known by the id in its
//! header, whatever it is called by now. Files that grow come first, then what was archived, the newest first. Where journald
//! copies a volatile journal to a persistent one, which it does when the machine has started, the entries that were read from
//! the volatile file are left out of the other: they have the same times since the start.
//!
//! journald writes through a memory map, which no watcher sees, and has its files look changed a quarter of a second later. So
//! the files that grow are looked at [`LIVE_INTERVAL`] by [`LIVE_INTERVAL`]: two short reads each. The watcher tells which
//! files there are.
//!
//! | file | in one sentence |
//! |---|---|
//! | `roots` | where journal files are looked for |
//! | `tracked` | one file that is read, and the account of its bytes |
//! | `entries` | what an entry becomes: a line, its stream, and metadata |
//! | `position` | how far a file was read, as bytes |

mod entries;
mod position;
mod roots;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::file::{self, File, Identity, Kind};
use crate::journald;
use crate::log_collector::several::Part;
use crate::log_collector::watcher::Watcher;
use crate::log_collector::watches::{Change, Watches};
use crate::log_collector::{Collected, Collector, Error};
use crate::model::{Batch, Checkpoint, Timestamp};
use crate::status::{SourceHandle, SourceState, SourceStatus, Status};

use entries::Gathered;
pub use entries::Units;
pub use position::is_key;
use position::{FileId, Position, Span, decode_key, encode_key};
pub use roots::{Noticed, NoticingJournals, Root, is_journal_name};
use tracked::{Found, Reading, Tracked};

/// How often files that grow are looked at.
const LIVE_INTERVAL: Duration = Duration::from_millis(40);
/// How often roots and directories without a watch are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// How often everything is looked at, whatever the watcher says.
const RESCAN_INTERVAL: Duration = Duration::from_mins(1);
/// How deep directories are followed under a root: `<machine>/`, and what others put there.
const DEPTH_MAX: usize = 3;
/// Most files that are known at a time.
const FILES_MAX: usize = 10_000;
/// How many volatile files that are gone are remembered, whose entries may be found again in persistent ones.
const VOLATILE_MAX: usize = 64;

/// What a collector of journals needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where journal files are looked for.
    pub roots: Vec<Root>,
    /// Directories of journal files that others have come by.
    pub noticed: Noticed,
    /// Whether entries of before the very first start are left out.
    pub start_from_end: bool,
    /// The clock that says when an entry was read.
    pub clock: fn() -> Timestamp,
}

/// How much there is to collect, for the log at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files found that are not read to their end.
    pub file_count: usize,
    /// Bytes in them that have not been read.
    pub unread_byte_count: u64,
    /// Files that cannot be read.
    pub unreadable_count: usize,
}

/// Collects the entries of journal files.
pub struct Journals<W: Watcher> {
    settings: Settings,
    status: Arc<Status>,
    watches: Watches<W>,
    /// Directories that are watched, and the root that each belongs to.
    directories: BTreeMap<PathBuf, usize>,
    /// The files there are, by path.
    paths: BTreeMap<PathBuf, (Identity, FileId)>,
    /// Files whose header is not written yet.
    unfinished: BTreeSet<PathBuf>,
    /// Files that cannot be read.
    problems: BTreeMap<PathBuf, SourceHandle>,
    files: BTreeMap<FileId, Tracked>,
    /// Positions of files that are not read at the moment.
    ledger: HashMap<FileId, Position>,
    /// Files that are read to their end and wait for a sync.
    finished: BTreeSet<FileId>,
    outbox: VecDeque<Collected>,
    gathered: Gathered,
    /// Whose turn it is among those that grow.
    turn: FileId,
    last_live: Instant,
    last_poll: Instant,
    last_rescan: Instant,
}

impl<W: Watcher> Journals<W> {
    /// Finds the files and resumes where `checkpoints` say, of which those of other files are passed over.
    pub fn new(settings: Settings, watcher: W, checkpoints: &[Checkpoint], status: Arc<Status>) -> Self {
        let known = checkpoints.iter().filter_map(|checkpoint| {
            Some((decode_key(&checkpoint.source)?, Position::decode(checkpoint.position.as_deref()?)?))
        });
        let now = Instant::now();
        let mut journals = Self {
            settings,
            status,
            // What takes watches here are the roots: half of them for what lies below `/run`, half for what lies below `/var`.
            watches: Watches::new(watcher, "/".into()),
            directories: BTreeMap::new(),
            paths: BTreeMap::new(),
            unfinished: BTreeSet::new(),
            problems: BTreeMap::new(),
            files: BTreeMap::new(),
            ledger: known.collect(),
            finished: BTreeSet::new(),
            outbox: VecDeque::new(),
            gathered: Gathered::default(),
            turn: FileId::default(),
            last_live: now,
            last_poll: now,
            last_rescan: now,
        };
        let is_first_start = journals.ledger.is_empty();
        journals.look_at_roots();
        journals.see_sizes();
        if is_first_start && journals.settings.start_from_end {
            journals.skip_history();
        }
        journals.forget_gone();
        journals
    }

    /// How much there is to collect.
    pub fn summary(&self) -> Summary {
        Summary {
            file_count: self.files.len(),
            unread_byte_count: self.waiting_bytes(),
            unreadable_count: self.problems.len(),
        }
    }

    /// Whether there is any file or directory of journals.
    pub fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    fn now(&self) -> Timestamp {
        (self.settings.clock)()
    }

    fn look_at_roots(&mut self) {
        for (index, root) in self.settings.roots.clone().into_iter().enumerate() {
            if let Ok(canonical) = file::canonical(&root.path) {
                self.enter(&canonical, index, DEPTH_MAX);
            }
        }
        for (directory, root) in self.settings.noticed.take() {
            if let Ok(canonical) = file::canonical(&directory) {
                self.enter(&canonical, root, 0);
            }
        }
    }

    /// Watches a directory, then looks what is in it.
    fn enter(&mut self, directory: &Path, root: usize, depth: usize) {
        if !matches!(file::link_metadata(directory), Ok(metadata) if metadata.kind == Kind::Directory) {
            return;
        }
        let is_news = match self.directories.get(directory) {
            None => {
                self.directories.insert(directory.to_owned(), root);
                self.watches.use_directory(directory);
                true
            }
            Some(_) => self.watches.retry(directory),
        };
        if is_news {
            self.look_in(directory, depth);
        }
    }

    fn leave(&mut self, directory: &Path) {
        for gone in self.directories.keys().filter(|path| path.starts_with(directory)).cloned().collect::<Vec<_>>() {
            self.directories.remove(&gone);
            self.watches.release_directory(&gone);
            self.note_entries(&gone, &[]);
        }
    }

    /// Looks at everything in a directory, and at what was there before.
    fn look_in(&mut self, directory: &Path, depth: usize) {
        let Some(&root) = self.directories.get(directory) else { return };
        let entries = match file::read_directory(directory) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return self.leave(directory);
            }
            Err(error) => return self.note_problem(directory, &error.to_string()),
        };
        self.clear_problem(directory);
        let journals: Vec<PathBuf> = entries.iter().filter(|path| is_journal_name(path)).cloned().collect();
        self.note_entries(directory, &journals);
        for path in &entries {
            if 0 < depth && !is_journal_name(path) {
                self.enter(path, root, depth - 1);
            }
        }
    }

    /// Takes it that these are the journal files of a directory.
    fn note_entries(&mut self, directory: &Path, journals: &[PathBuf]) {
        let root = self.directories.get(directory).copied().unwrap_or_default();
        for path in journals {
            self.look_at(path, root);
        }
        let here = self.paths.range(directory.to_owned()..).take_while(|(path, _)| path.starts_with(directory));
        let gone = here.map(|(path, _)| path).filter(|path| path.parent() == Some(directory));
        for path in gone.filter(|path| journals.binary_search(path).is_err()).cloned().collect::<Vec<_>>() {
            self.paths.remove(&path);
            self.clear_problem(&path);
        }
        self.unfinished.retain(|path| path.parent() != Some(directory) || journals.binary_search(path).is_ok());
        self.follow_names();
    }

    /// Finds out which journal file is at `path` now.
    fn look_at(&mut self, path: &Path, root: usize) {
        let Ok(metadata) = file::link_metadata(path) else { return };
        let is_known = self.paths.get(path).is_some_and(|(identity, _)| *identity == metadata.identity);
        let is_accepted = self.settings.roots.get(root).is_some_and(|root| root.accepts(path));
        if metadata.kind != Kind::Regular || is_known || !is_accepted || FILES_MAX <= self.paths.len() {
            return;
        }
        let header = File::open(path).map_err(|error| journald::Error::Io(error.source));
        let header = match header.and_then(|file| journald::read_header(&file)) {
            Ok(header) => header,
            Err(journald::Error::Unfinished) => {
                self.unfinished.insert(path.to_owned());
                return;
            }
            Err(journald::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.note_problem(path, &error.to_string()),
        };
        self.unfinished.remove(path);
        self.clear_problem(path);
        let id = header.file_id;
        self.paths.insert(path.to_owned(), (metadata.identity, id));
        let is_final = header.is_archived || roots::is_archived_name(path);
        if let Some(tracked) = self.files.get_mut(&id) {
            // It was renamed, or copied: the longer one of two has what the other has.
            let is_there = self.paths.get(&tracked.path).is_some_and(|(_, other)| *other == id);
            if !is_there {
                path.clone_into(&mut tracked.path);
            }
            if tracked.path == path && is_final {
                tracked.end();
            }
            return;
        }
        let position = self.ledger.get(&id);
        if position.is_some_and(|position| position.is_done) {
            return;
        }
        let is_volatile = self.settings.roots.get(root).is_some_and(|root| root.is_volatile(path));
        let position = self.ledger.remove(&id).unwrap_or_else(|| Position {
            place: journald::Place::default(),
            is_done: false,
            is_volatile,
            seqnum_id: header.seqnum_id,
            seqnum: 0,
            span: Span::default(),
            seen: 0,
            saved: self.now(),
            path: path.to_owned(),
        });
        let found = Found { path: path.to_owned(), header, is_final, units: root };
        self.files.insert(id, Tracked::new(found, position, &self.status));
    }

    /// Notes which files have no name any more.
    fn follow_names(&mut self) {
        let mut names: HashMap<FileId, &Path> = HashMap::new();
        for (path, (_, id)) in &self.paths {
            names.insert(*id, path);
        }
        for tracked in self.files.values_mut() {
            match names.get(&tracked.id) {
                Some(path) if self.paths.get(&tracked.path).is_none_or(|(_, id)| *id != tracked.id) => {
                    tracked.path = path.to_path_buf();
                    tracked.is_gone = false;
                    if roots::is_archived_name(path) {
                        tracked.end();
                    }
                }
                Some(_) => tracked.is_gone = false,
                None => {
                    // Whoever deleted it has ended writing to it.
                    tracked.is_gone = true;
                    tracked.end();
                }
            }
        }
    }

    fn see_sizes(&mut self) {
        for tracked in self.files.values_mut() {
            if let Err(error) = tracked.open(&self.status) {
                log::debug!("cannot open {}: {error}", tracked.path.display());
            }
            if tracked.is_final {
                // It is opened again when its turn comes.
                tracked.journal = None;
            }
        }
    }

    fn skip_history(&mut self) {
        let now = self.now();
        for tracked in self.files.values_mut() {
            let units = &self.settings.roots[tracked.units].units;
            let reading = Reading { status: &self.status, units, now, copied: &[] };
            match tracked.skip_to_end(&reading) {
                Ok(collected) => self.outbox.push_back(collected),
                Err(error) => log::warn!("cannot read {}: {error}", tracked.path.display()),
            }
        }
    }

    /// Has the positions forgotten of files that are gone.
    fn forget_gone(&mut self) {
        let there: BTreeSet<FileId> = self.paths.values().map(|(_, id)| *id).collect();
        let gone: Vec<FileId> = self.ledger.keys().filter(|id| !there.contains(*id)).copied().collect();
        let mut volatile: Vec<(Timestamp, FileId)> = Vec::new();
        for id in gone {
            let position = &self.ledger[&id];
            if position.is_volatile {
                volatile.push((position.saved, id));
                continue;
            }
            if !position.is_done && position.place.offset < position.seen {
                let bytes = position.place.offset..position.seen;
                self.status.bytes_seen.add(bytes.end - bytes.start);
                let path = position.path.to_string_lossy().into_owned();
                let reason = crate::status::SkipReason::Deleted;
                self.status.add_gap(crate::status::Gap { path, bytes, reason, found: self.now() });
            }
            self.forget(id);
        }
        volatile.sort_unstable();
        let excess = volatile.len().saturating_sub(VOLATILE_MAX);
        for (_, id) in volatile.drain(..excess) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: FileId) {
        self.ledger.remove(&id);
        let checkpoint = Some(Checkpoint { source: encode_key(id), position: None });
        self.outbox.push_back(Batch { checkpoint, streams: Vec::new() }.into());
    }

    fn note_problem(&mut self, path: &Path, error: &str) {
        if self.problems.contains_key(path) {
            return;
        }
        log::warn!("cannot read {}: {error}", path.display());
        let state = SourceStatus::new(path.to_string_lossy().into_owned());
        state.set_state(SourceState::Unreadable, Some(error.to_owned()));
        self.problems.insert(path.to_owned(), self.status.add_source(Arc::new(state)));
    }

    fn clear_problem(&mut self, path: &Path) {
        if let Some(handle) = self.problems.remove(path) {
            self.status.remove_source(&handle);
        }
    }

    fn take_changes(&mut self, timeout: Duration) -> Result<(), Error> {
        for change in self.watches.changes(timeout, &self.status)? {
            match change {
                Change::Entry(directory, name) if is_journal_name(Path::new(&name)) => self.look_in(&directory, 0),
                Change::Entry(directory, name) => {
                    let path = directory.join(name);
                    if let Some(&root) = self.directories.get(&directory)
                        && self.settings.roots.get(root).is_some_and(|root| root.is_recursive)
                    {
                        self.enter(&path, root, DEPTH_MAX - 1);
                    }
                }
                Change::Entries(directory) => self.look_in(&directory, DEPTH_MAX),
                Change::DirectoryMoved(directory) => {
                    self.leave(&directory);
                    self.look_at_roots();
                }
                Change::Everything => {
                    self.status.watcher_overflows.add(1);
                    self.rescan();
                }
                Change::Content(_) | Change::SourceMoved(_) => {}
            }
        }
        if self.settings.noticed.has_some() {
            self.look_at_roots();
        }
        for path in self.unfinished.clone() {
            let root = path.parent().and_then(|directory| self.directories.get(directory)).copied();
            self.look_at(&path, root.unwrap_or_default());
        }
        if POLL_INTERVAL <= self.last_poll.elapsed() {
            self.last_poll = Instant::now();
            self.look_at_roots();
            for directory in self.watches.unwatched().clone() {
                self.look_in(&directory, 0);
            }
        }
        if RESCAN_INTERVAL <= self.last_rescan.elapsed() {
            self.rescan();
        }
        Ok(())
    }

    fn rescan(&mut self) {
        self.last_rescan = Instant::now();
        self.look_at_roots();
        // What could not be read is tried again.
        self.files.values_mut().for_each(|tracked| tracked.is_busy = true);
        for directory in self.directories.keys().cloned().collect::<Vec<_>>() {
            self.watches.retry(&directory);
            self.look_in(&directory, DEPTH_MAX);
        }
        self.forget_gone();
    }

    /// What comes next of the file `id`.
    fn read(&mut self, id: FileId) -> Option<Collected> {
        let copied = self.copied();
        let now = self.now();
        let tracked = self.files.get_mut(&id)?;
        let units = &self.settings.roots[tracked.units].units;
        let reading = Reading { status: &self.status, units, now, copied: &copied };
        let is_unread = tracked.is_gone && tracked.journal.is_none();
        if is_unread {
            if !tracked.is_volatile {
                tracked.give_up(&reading);
            }
            tracked.is_done = true;
        }
        let collected = if is_unread { None } else { tracked.read(&mut self.gathered, &reading) };
        if tracked.is_done {
            self.finished.insert(id);
        }
        collected
    }

    /// The entries that were read from volatile files.
    fn copied(&self) -> Vec<Span> {
        let tracked = self.files.values().map(Tracked::position);
        let volatile = tracked.chain(self.ledger.values()).filter(|position| position.is_volatile);
        volatile.map(|position| position.span).filter(|span| span.boot_id != [0; 16]).collect()
    }

    /// What comes next of any file.
    fn read_next(&mut self) -> Option<Collected> {
        let is_live_due = LIVE_INTERVAL <= self.last_live.elapsed();
        let has_volatile = self.files.values().any(|tracked| tracked.is_volatile);
        for tracked in self.files.values_mut().filter(|tracked| !tracked.is_volatile) {
            if !has_volatile {
                tracked.allow_all();
            } else if is_live_due || tracked.is_busy {
                tracked.note_end(&self.status);
            }
        }
        let is_open = |tracked: &Tracked| !tracked.is_done && (tracked.is_busy || is_live_due && !tracked.is_final);
        // Volatile files first, to their end: what is copied from them meanwhile lies behind the ends of the others.
        let volatile: Vec<FileId> =
            self.files.values().filter(|of| of.is_volatile && !of.is_done).map(|of| of.id).collect();
        for id in volatile {
            if let Some(collected) = self.read(id) {
                return Some(collected);
            }
        }
        self.files.values_mut().for_each(Tracked::allow);
        let mut growing: Vec<FileId> = Vec::new();
        let mut archived: Vec<(u64, FileId)> = Vec::new();
        for tracked in self.files.values().filter(|of| !of.is_volatile && is_open(of)) {
            if tracked.is_final {
                archived.push((tracked.head_realtime_us, tracked.id));
            } else {
                growing.push(tracked.id);
            }
        }
        let behind = growing.partition_point(|id| *id <= self.turn);
        growing.rotate_left(behind);
        for id in growing {
            self.turn = id;
            if let Some(collected) = self.read(id) {
                return Some(collected);
            }
        }
        if is_live_due {
            self.last_live = Instant::now();
        }
        archived.sort_unstable();
        for (_, id) in archived.into_iter().rev() {
            if let Some(collected) = self.read(id) {
                return Some(collected);
            }
        }
        None
    }

    fn is_idle(&self) -> bool {
        self.outbox.is_empty() && !self.files.values().any(|tracked| tracked.is_busy && !tracked.is_done)
    }
}

impl<W: Watcher> Collector for Journals<W> {
    fn next_batch(&mut self, timeout: Duration) -> Result<Option<Collected>, Error> {
        self.take_changes(if self.is_idle() { timeout.min(self.wait_at_most()) } else { Duration::ZERO })?;
        if let Some(collected) = self.outbox.pop_front() {
            return Ok(Some(collected));
        }
        Ok(self.read_next())
    }

    fn follow_only(&mut self) -> Result<(), Error> {
        self.take_changes(Duration::ZERO)
    }

    fn waiting_bytes(&self) -> u64 {
        self.files.values().map(Tracked::waiting_bytes).sum()
    }

    fn wants_sync(&self) -> bool {
        self.outbox.is_empty() && !self.finished.is_empty()
    }

    fn synced(&mut self) {
        for id in std::mem::take(&mut self.finished) {
            let Some(tracked) = self.files.remove(&id) else { continue };
            self.status.remove_source(&tracked.handle);
            self.ledger.insert(id, Position { is_done: true, ..tracked.position().clone() });
        }
        self.forget_gone();
    }
}

impl<W: Watcher + Send> Part for Journals<W>
where
    W::Descriptor: Send,
{
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.watches.readiness()
    }

    fn wait_at_most(&self) -> Duration {
        Journals::wait_at_most(self)
    }
}

impl<W: Watcher> Journals<W> {
    /// The longest wait after which something may be due.
    fn wait_at_most(&self) -> Duration {
        let has_growing = self.files.values().any(|tracked| !tracked.is_final);
        if has_growing || !self.unfinished.is_empty() {
            LIVE_INTERVAL.saturating_sub(self.last_live.elapsed()).max(Duration::from_millis(1))
        } else {
            POLL_INTERVAL
        }
    }
}
