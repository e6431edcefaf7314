//! The journal of systemd: entries of its files, wherever they lie.
//!
//! One collector reads all journal files that there are, so that no entry is read twice: a file is known by the id in its
//! header, whatever it is called by now. Files that grow come first, then what was archived, the newest first. Where journald
//! copies a volatile journal to a persistent one, which it does when the machine has started, the entries that were read from
//! the volatile file are left out of the other: they have the same times since the start.
//!
//! journald writes through a memory map, which no watcher sees, and has its files look changed a quarter of a second later. So
//! the files that grow are looked at every `LIVE_INTERVAL`: two short reads each. The watcher tells which
//! files there are.
//!
//! | file | in one sentence |
//! |---|---|
//! | `roots` | where journal files are looked for |
//! | `discovery` | finds files, and follows their names |
//! | `gone` | positions of files that are gone, and what was lost with them |
//! | `tracked` | one file that is read, and the account of its bytes |
//! | `entries` | what an entry becomes: a line, its stream, and metadata |
//! | `position` | how far a file was read, as bytes |

mod discovery;
mod entries;
mod gone;
mod position;
mod roots;
#[cfg(test)]
mod tests;
mod tracked;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::file::Identity;
use crate::log_collector::several::Part;
use crate::log_collector::watcher::Watcher;
use crate::log_collector::watches::Watches;
use crate::log_collector::{Collected, Collector, Error};
use crate::model::{Checkpoint, Timestamp};
use crate::status::{SourceHandle, Status};

use discovery::POLL_INTERVAL;
use entries::Gathered;
pub use entries::Units;
pub use position::is_key;
use position::{FileId, Position, Span, decode_key, journal_of};
pub use roots::{Noticed, NoticingJournals, Root, is_journal_name};
use tracked::{Reading, Tracked};

/// How often files that grow are looked at.
const LIVE_INTERVAL: Duration = Duration::from_millis(40);

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
    /// Those of them of which it was not looked yet whether entries are missing before them.
    newly_found: BTreeSet<FileId>,
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
            newly_found: BTreeSet::new(),
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
        journals.tell_of_lost();
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

    /// What comes next of the file `id`.
    fn read(&mut self, id: FileId) -> Option<Collected> {
        let copied = self.copied(journal_of(&self.files.get(&id)?.path));
        let now = self.now();
        let tracked = self.files.get_mut(&id)?;
        let units = &self.settings.roots[tracked.units].units;
        let reading = Reading { status: &self.status, units, now, copied: &copied };
        let is_unread = tracked.is_gone && tracked.journal.is_none();
        if is_unread {
            tracked.give_up(&reading);
            tracked.is_done = true;
        }
        let collected = if is_unread { None } else { tracked.read(&mut self.gathered, &reading) };
        if tracked.is_done {
            self.finished.insert(id);
        }
        collected
    }

    /// The entries that were read from volatile files of a journal.
    fn copied(&self, journal: &OsStr) -> Vec<Span> {
        let all = self.files.values().map(Tracked::position).chain(self.ledger.values());
        let volatile = all.filter(|position| position.is_volatile && position.journal() == journal);
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
                archived.push((tracked.header.head_realtime_us, tracked.id));
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
