//! Where journal files are looked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::log_collector::format::Channel;
use crate::log_collector::journal::entries::Units;
use crate::log_collector::naming::Naming;
use crate::model::Labels;

/// What does not outlast a restart of the machine lies in this directory, be it of this machine or mounted somewhere.
const VOLATILE: &str = "run/log/journal";

/// A directory that has journal files below.
#[derive(Clone, Debug)]
pub struct Root {
    /// The directory.
    pub path: PathBuf,
    /// Whether all directories below it are looked at, or only those that are noticed.
    pub is_recursive: bool,
    /// Which entries are collected.
    pub units: Units,
}

impl Root {
    /// A directory with its settings.
    pub fn new(path: PathBuf, is_recursive: bool, units: Units) -> Self {
        Self { path, is_recursive, units }
    }

    /// Whether the file at a canonical path is collected.
    pub(super) fn accepts(&self, path: &Path) -> bool {
        let relative =
            path.strip_prefix(&self.path).unwrap_or_else(|_| Path::new(path.file_name().unwrap_or_default()));
        self.units.patterns.accept_journal(relative, self.units.are_included_by_name)
    }
}

/// Whether a file is called as journal files are: `system.journal`, or `system@….journal~`.
pub fn is_journal_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix('~').unwrap_or(&name).ends_with(".journal")
}

/// Whether a file is called as those that were archived: nothing is appended to them.
pub(super) fn is_archived_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with('~') || name.contains('@')
}

/// Whether journald is about to copy the file, and to delete it then.
pub(super) fn is_volatile(path: &Path) -> bool {
    path.ancestors().any(|directory| directory.ends_with(VOLATILE))
}

/// Directories of journal files that were come by, each with the root that it belongs to.
#[derive(Clone, Debug, Default)]
pub struct Noticed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: BTreeSet<(PathBuf, usize)>,
    new: Vec<(PathBuf, usize)>,
}

impl Noticed {
    /// Takes notice of a file, if it is called as a journal file.
    fn look(&self, path: &Path, root: usize) {
        if !is_journal_name(path) {
            return;
        }
        let Some(directory) = path.parent() else { return };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.known.insert((directory.to_owned(), root)) {
            state.new.push((directory.to_owned(), root));
        }
    }

    pub(super) fn has_some(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).new.is_empty()
    }

    /// Those that are new; each may be found again later.
    pub(super) fn take(&self) -> Vec<(PathBuf, usize)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.new.clear();
        state.known.iter().cloned().collect()
    }
}

/// Names streams as another naming does, and takes notice of journal files on the way.
pub struct NoticingJournals {
    inner: Box<dyn Naming + Send>,
    noticed: Noticed,
    root: usize,
}

impl NoticingJournals {
    /// Names streams as `inner`; directories of journal files are `noticed` as those of the root with that index.
    pub fn new(inner: Box<dyn Naming + Send>, noticed: Noticed, root: usize) -> Self {
        Self { inner, noticed, root }
    }
}

impl Naming for NoticingJournals {
    fn look(&self, path: &Path) {
        self.noticed.look(path, self.root);
        self.inner.look(path);
    }

    fn accepts(&self, path: &Path) -> bool {
        self.inner.accepts(path)
    }

    fn excludes(&self, path: &Path) -> bool {
        self.inner.excludes(path)
    }

    fn labels(&self, path: &Path, channel: Channel) -> Labels {
        self.inner.labels(path, channel)
    }
}
