//! Lines as a JSON array that is made while it is sent.

use std::sync::Arc;

use crate::api::body::{PIECE_BYTES, Pieces};
use crate::api::wire;
use crate::log_database::{self, Scan};
use crate::model::Lines;
use crate::model::budget::Budget;

/// The lines of an answer, in the order they are sent.
pub(super) enum Entries {
    /// As the database yields them.
    Scan(Scan),
    /// Held from a backward scan; the last one is sent first.
    Reversed {
        /// The lines, newest first.
        lines: Lines,
        /// How many of them are still to be sent.
        left: usize,
    },
}

impl Entries {
    /// The next line; `None` after the last.
    fn next(&mut self) -> Result<Option<&[u8]>, log_database::Error> {
        match self {
            Self::Scan(scan) => Ok(scan.next()?.map(|entry| entry.line)),
            Self::Reversed { left: 0, .. } => Ok(None),
            Self::Reversed { lines, left } => {
                *left -= 1;
                Ok(Some(lines.get(*left).1))
            }
        }
    }
}

/// Makes a JSON array of lines, piece by piece.
pub(super) struct LineArray {
    entries: Entries,
    progress: Progress,
    /// What the entries are read or held within.
    budget: Arc<Budget>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unopened,
    Open,
    Closed,
}

impl LineArray {
    pub(super) fn new(entries: Entries, budget: Arc<Budget>) -> Self {
        Self { entries, progress: Progress::Unopened, budget }
    }
}

impl Pieces for LineArray {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let mut piece = Vec::new();
        while self.progress != Progress::Closed && piece.len() < PIECE_BYTES {
            let Some(line) = self.entries.next()? else {
                piece.extend_from_slice(if self.progress == Progress::Unopened { b"[]\n" } else { b"]\n" });
                self.progress = Progress::Closed;
                break;
            };
            piece.extend_from_slice(if self.progress == Progress::Unopened { b"[" } else { b",\n" });
            wire::push_line(&mut piece, line);
            self.progress = Progress::Open;
        }
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}
