//! Lines as a JSON array that is made while it is sent.

use std::borrow::Cow;
use std::sync::Arc;

use crate::api::body::{PIECE_BYTES, Pieces};
use crate::api::wire;
use crate::log_database::{self, Scan};
use crate::model::budget::Budget;

/// The lines of an answer, in the order they are sent.
pub(super) enum Entries {
    /// As the database yields them.
    Scan(Box<Scan>),
    /// Held from a backward scan, newest first; the last one is sent first. [`held_bytes`] of each are taken.
    Reversed(Vec<Vec<u8>>),
}

/// How much memory a line takes that is held, in bytes.
pub(super) fn held_bytes(line: &[u8]) -> usize {
    size_of::<Vec<u8>>() + line.len()
}

impl Entries {
    /// The next line; `None` after the last. Where it was held, what it takes is given back to `budget`.
    fn next(&mut self, budget: &Budget) -> Result<Option<Cow<'_, [u8]>>, log_database::Error> {
        match self {
            Self::Scan(scan) => Ok(scan.next()?.map(|entry| Cow::Borrowed(entry.line))),
            Self::Reversed(lines) => {
                let Some(line) = lines.pop() else { return Ok(None) };
                budget.give_back(held_bytes(&line));
                Ok(Some(Cow::Owned(line)))
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
            let Some(line) = self.entries.next(&self.budget)? else {
                piece.extend_from_slice(if self.progress == Progress::Unopened { b"[]\n" } else { b"]\n" });
                self.progress = Progress::Closed;
                break;
            };
            piece.extend_from_slice(if self.progress == Progress::Unopened { b"[" } else { b",\n" });
            wire::push_line(&mut piece, &line);
            self.progress = Progress::Open;
        }
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_held_are_given_back_as_they_are_sent() {
        let budget = Arc::new(Budget::default());
        let lines = vec![vec![b'x'; PIECE_BYTES]; 3];
        budget.take(lines.iter().map(|line| held_bytes(line)).sum()).unwrap();
        let mut array = LineArray::new(Entries::Reversed(lines), Arc::clone(&budget));
        let line_bytes = budget.taken_bytes() / 3;
        for left in [2, 1, 0] {
            assert!(PIECE_BYTES < array.next_piece().unwrap().len());
            assert_eq!(budget.taken_bytes(), left * line_bytes);
        }
        assert_eq!(array.next_piece().unwrap(), b"]\n");
    }
}
