//! A file that is read, and what the collector knows of it besides.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::log_collector::source::Source;
use crate::status::SourceHandle;

/// How long a file that has stopped growing counts as one whose original is about to be truncated or replaced, and how long
/// a truncated file waits for its copy to be found.
pub(in crate::log_collector) const COPY_PATIENCE: Duration = Duration::from_secs(5);

/// Names a source while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::log_collector) struct SourceId(pub(in crate::log_collector) u64);

/// A source and what the collector knows of it.
#[expect(clippy::struct_excessive_bools, reason = "they are independent: any of them may hold with any other")]
pub(in crate::log_collector) struct Tracked<Descriptor> {
    pub(in crate::log_collector) source: Source,
    /// The names that lead to it now, as canonical paths under the root, in the order they were found.
    pub(in crate::log_collector) names: Vec<PathBuf>,
    /// While it has no name and no stream: the name that led to it last.
    pub(in crate::log_collector) last_name: Option<PathBuf>,
    /// Whether it waits for its turn to be read.
    pub(in crate::log_collector) queued: bool,
    /// Whether there was more than was read in one go.
    pub(in crate::log_collector) busy: bool,
    /// How long it was at the start, until that is read; 0 for a file that came later.
    pub(in crate::log_collector) history_end: u64,
    /// When the file had been modified when it was found, in nanoseconds since the Unix epoch.
    pub(in crate::log_collector) modified_ns: i64,
    /// Whether the last read failed.
    pub(in crate::log_collector) failing: bool,
    /// Whether nothing but a hole comes next: it may be filled without the watcher noticing.
    pub(in crate::log_collector) is_preallocated: bool,
    /// When it was used last, among all uses.
    pub(in crate::log_collector) used: u64,
    /// While it has no name: when it was found so, or last read. While it may be a copy: when it was seen to grow.
    pub(in crate::log_collector) quiet_since: Instant,
    /// Since when an entry waits for its next line.
    pub(in crate::log_collector) joining_since: Option<Instant>,
    /// Since when a line that has not ended has been still, and whether it is shown.
    pub(in crate::log_collector) unended: Option<(Instant, bool)>,
    pub(in crate::log_collector) watch: Option<Descriptor>,
    pub(in crate::log_collector) handle: SourceHandle,
}

impl<D> Tracked<D> {
    /// The names that lead to it, or led to it before it was decided which streams it delivers to.
    pub(in crate::log_collector) fn known_names(&self) -> impl Iterator<Item = &PathBuf> {
        self.names.iter().chain(&self.last_name)
    }

    /// Which of the stream's files this is.
    pub(in crate::log_collector) fn ordinal_in(&self, stream: &Path) -> Option<u64> {
        self.source.ordinals().find(|(path, _)| *path == stream).map(|(_, ordinal)| ordinal)
    }
}
