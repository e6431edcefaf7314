//! The logs that programs write, and what the model knows of their files.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// How a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Renamed, with numbers that count up with age.
    Rename,
    /// Copied and truncated.
    Copy,
    /// Copied to another directory and truncated.
    CopyAway,
    /// Behind a link, renamed with the time in the name, as the kubelet does.
    Kubelet,
}

impl Scheme {
    pub(super) fn is_copy(self) -> bool {
        matches!(self, Self::Copy | Self::CopyAway)
    }
}

/// The logs there are. The last one's name looks as if it had been rotated out of the first.
pub(super) const LOGS: [(&str, Scheme); 5] = [
    ("a.log", Scheme::Rename),
    ("b.log", Scheme::Copy),
    ("k.log", Scheme::Kubelet),
    ("c.log", Scheme::CopyAway),
    ("a-1.log", Scheme::Rename),
];

/// A file that a log was written to.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) lines: Vec<usize>,
    pub(super) is_on_disk: bool,
    /// Whether the agent that runs has opened it, and so has it even when it is deleted.
    pub(super) is_held: bool,
    pub(super) is_compressed: bool,
    /// Under which its position is kept, while it is not compressed.
    pub(super) key: Vec<u8>,
    /// Where the log's link led when it was created.
    pub(super) link_target: usize,
}

#[derive(Debug)]
pub(super) struct Log {
    pub(super) name: &'static str,
    pub(super) scheme: Scheme,
    /// Rotated files, the oldest first, then the current one.
    pub(super) files: Vec<Written>,
    pub(super) line_count: usize,
    /// Lines that nobody could have kept.
    pub(super) lost: BTreeSet<usize>,
    /// Lines whose only copy is in the database.
    pub(super) fragile: BTreeSet<usize>,
    /// Lines of which a power cut left a part, which may be all but the newline: in a file that was rotated, it is an entry
    /// once nobody goes on writing to it.
    pub(super) torn: BTreeSet<usize>,
    /// Whether the last line has begun and not ended.
    pub(super) is_unended: bool,
    /// Whether the current file ends inside a line that a power cut tore.
    pub(super) is_torn: bool,
    /// Whether the current file lost its end in a power cut, and the agent has not stored that it knows.
    pub(super) is_shortened: bool,
    pub(super) rotations: usize,
    pub(super) copies: usize,
    pub(super) link_target: usize,
}

impl Log {
    pub(super) fn new(name: &'static str, scheme: Scheme) -> Self {
        Self {
            name,
            scheme,
            files: Vec::new(),
            line_count: 0,
            lost: BTreeSet::new(),
            fragile: BTreeSet::new(),
            torn: BTreeSet::new(),
            is_unended: false,
            is_torn: false,
            is_shortened: false,
            rotations: 0,
            copies: 0,
            link_target: 0,
        }
    }

    /// The text of a line, without its newline. All have one time, so that they come back in the order they were stored in.
    pub(super) fn line(&self, id: usize) -> String {
        format!("{} {id:06} [22/Nov/2026:13:04:05 +0000] {}", self.name, "filler ".repeat(id % 7))
    }

    pub(super) fn current(&mut self) -> &mut Written {
        self.files.last_mut().expect("there is a current file")
    }
}
