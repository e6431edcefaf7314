//! Looking at everything again, a little at a time: however much there is, lines are read in between.
//!
//! What was reported meanwhile is looked at as ever. So a file is found late only where the report of it was lost.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::log_collector::directory::{DIRECTORY_POLL_INTERVAL, Directory, RESCAN_INTERVAL};
use crate::log_collector::watcher::Watcher;

/// How long is looked at most before lines are read.
const SLICE: Duration = Duration::from_millis(10);
/// A rescan costs at most one part in so many of the time, so that many files do not make an idle agent busy; it comes
/// no more seldom than [`RESCAN_INTERVAL_MAX`].
const RESCAN_PAUSE: u32 = 5000;
/// The longest time between two rescans.
const RESCAN_INTERVAL_MAX: Duration = Duration::from_mins(10);
/// As [`RESCAN_PAUSE`], of looking into directories without a watch.
const POLL_PAUSE: u32 = 50;
/// As [`RESCAN_PAUSE`], where events were lost: whoever has them lost again and again does not make the agent busy.
const LOSS_PAUSE: u32 = 5;
/// A rescan that takes no longer than this needs no pause after it.
const SHORT: Duration = Duration::from_millis(100);

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Directories that no watch reports on.
    Unwatched,
    /// All.
    All,
    /// All, any of which may have been replaced: events were lost.
    Lost,
}

/// A look at everything that has begun and not ended.
#[derive(Debug)]
pub(super) struct Rescan {
    scope: Scope,
    /// Directories whose watches may be of others by now.
    suspects: Vec<PathBuf>,
    /// Directories that are to be watched, if they can be.
    unwatched: Vec<PathBuf>,
    /// The directory that was looked into last.
    after: Option<PathBuf>,
    /// What is in it, and how many of these were looked at.
    entries: Vec<PathBuf>,
    looked_at: usize,
    spent: Duration,
}

impl<W: Watcher> Directory<W> {
    /// Begins to look; what is being done goes first.
    pub(super) fn begin_rescan(&mut self, scope: Scope) {
        let mut unwatched: Vec<PathBuf> = self.watches.unwatched().iter().cloned().collect();
        let suspects = if scope == Scope::Lost { self.watches.directories() } else { Vec::new() };
        if scope == Scope::Unwatched {
            unwatched.clear();
        }
        let (entries, spent) = (Vec::new(), Duration::ZERO);
        self.dangling.begin_look();
        self.rescan = Some(Rescan { scope, suspects, unwatched, after: None, entries, looked_at: 0, spent });
        if scope != Scope::Unwatched {
            self.retry_watches();
        }
    }

    /// Looks at everything again, at once.
    #[cfg(test)]
    pub(super) fn rescan(&mut self) {
        self.begin_rescan(Scope::All);
        while self.rescan.is_some() {
            self.go_on_looking();
        }
    }

    /// Begins what is due, and goes on with what was begun, for a moment.
    pub(super) fn look_again_by_turns(&mut self) {
        let now = Instant::now();
        if self.rescan.is_none() {
            if self.lost_since.is_some() && self.next_lost_rescan <= now {
                self.lost_since = None;
                self.begin_rescan(Scope::Lost);
            } else if self.next_rescan <= now {
                self.begin_rescan(Scope::All);
            } else if self.poll_interval <= self.last_directory_poll.elapsed() {
                self.last_directory_poll = now;
                if !self.tree.contains(&self.root) {
                    self.enter_root();
                }
                self.begin_rescan(Scope::Unwatched);
            }
        }
        self.go_on_looking();
    }

    fn go_on_looking(&mut self) {
        let Some(mut rescan) = self.rescan.take() else { return };
        let begun = Instant::now();
        loop {
            if !self.look_a_bit(&mut rescan) {
                rescan.spent += begun.elapsed();
                return self.end_rescan(&rescan);
            }
            if SLICE <= begun.elapsed() {
                break;
            }
        }
        rescan.spent += begun.elapsed();
        self.rescan = Some(rescan);
    }

    /// Looks at the next thing; whether there was one.
    fn look_a_bit(&mut self, rescan: &mut Rescan) -> bool {
        // All of these are ended before any is made again, lest one directory be watched twice.
        if let Some(suspect) = rescan.suspects.pop() {
            self.watches.end_if_replaced(&suspect);
            if rescan.suspects.is_empty() {
                rescan.unwatched = self.watches.unwatched().iter().cloned().collect();
            }
        } else if let Some(unwatched) = rescan.unwatched.pop() {
            self.watches.retry(&unwatched);
        } else if let Some(entry) = rescan.entries.get(rescan.looked_at) {
            rescan.looked_at += 1;
            self.look_at(entry);
            if rescan.looked_at == rescan.entries.len()
                && let Some(directory) = &rescan.after
            {
                self.look_at_unlisted(directory, &rescan.entries);
            }
        } else if let Some(directory) = self.next_directory(rescan) {
            if rescan.scope == Scope::Unwatched {
                self.watches.retry(&directory);
            }
            self.look_at(&directory);
            rescan.entries = self.list(&directory);
            rescan.looked_at = 0;
            if rescan.entries.is_empty() {
                self.look_at_unlisted(&directory, &[]);
            }
            rescan.after = Some(directory);
        } else {
            return false;
        }
        true
    }

    fn next_directory(&mut self, rescan: &Rescan) -> Option<PathBuf> {
        if rescan.after.is_none() && rescan.scope != Scope::Unwatched {
            self.enter_root();
        }
        let directories = if rescan.scope == Scope::Unwatched { self.watches.unwatched() } else { &self.tree };
        let after = rescan.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        directories.range::<Path, _>((after, Bound::Unbounded)).next().cloned()
    }

    fn end_rescan(&mut self, rescan: &Rescan) {
        let now = Instant::now();
        if rescan.scope == Scope::Unwatched {
            self.poll_interval = (rescan.spent * POLL_PAUSE).clamp(DIRECTORY_POLL_INTERVAL, RESCAN_INTERVAL_MAX);
            return;
        }
        self.dangling.end_look(&self.status, now);
        for source in self.sources.nameless().iter().copied().collect::<Vec<_>>() {
            self.enqueue(source);
        }
        self.reconcile_finished();
        // Whoever had one open may have written to it since it was let go.
        self.find_renamed();
        self.next_rescan = now + (rescan.spent * RESCAN_PAUSE).clamp(RESCAN_INTERVAL, RESCAN_INTERVAL_MAX);
        if SHORT < rescan.spent {
            self.next_lost_rescan = now + rescan.spent * LOSS_PAUSE;
        }
    }
}
