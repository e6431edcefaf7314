//! Which source is read next.
//!
//! Three kinds of sources take turns, so that none waits for long whatever the others do: those that were read to their
//! end before (a new line is seen at once, however much there is to read elsewhere), those that are written to as fast as
//! they are read, each a chunk at a time, and what was there at the start, the newest file first and one after the other:
//! that is what is looked for first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use crate::log_collector::tracked::{SourceId, Tracked};

/// How many kinds of sources take turns.
pub(super) const KINDS_OF_TURNS: usize = 3;

/// Sources that wait to be read.
#[derive(Debug, Default)]
pub(super) struct Turns {
    live: VecDeque<SourceId>,
    busy: VecDeque<SourceId>,
    /// By when the file was modified, in nanoseconds since the Unix epoch.
    history: BTreeSet<(Reverse<i64>, SourceId)>,
    /// How many turns there were.
    count: usize,
}

/// Why a source is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was read to its end, and something has changed.
    Live,
    /// There is more than was read in one go, or it has to wait for another.
    Busy,
    /// There is still something that was there at the start; the file was modified at this time, in nanoseconds.
    History(i64),
}

impl<D> Tracked<D> {
    /// Why it is to be read.
    pub(super) fn turn(&self) -> Turn {
        if self.source.state.read_bytes.get() < self.history_end {
            Turn::History(self.modified_ns)
        } else if self.busy {
            Turn::Busy
        } else {
            Turn::Live
        }
    }
}

impl Turns {
    /// Lets a source wait that does not yet.
    pub(super) fn push(&mut self, source: SourceId, turn: Turn) {
        match turn {
            Turn::Live => self.live.push_back(source),
            Turn::Busy => self.busy.push_back(source),
            Turn::History(modified_ns) => {
                self.history.insert((Reverse(modified_ns), source));
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<SourceId> {
        for _ in 0..KINDS_OF_TURNS {
            self.count = self.count.wrapping_add(1);
            let next = match self.count % KINDS_OF_TURNS {
                0 => self.live.pop_front(),
                1 => self.busy.pop_front(),
                _ => self.history.pop_first().map(|(_, source)| source),
            };
            if next.is_some() {
                return next;
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.live.len() + self.busy.len() + self.history.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_history_goes_first_and_the_others_take_turns_with_it() {
        let mut turns = Turns::default();
        for (id, turn) in
            [(1, Turn::History(10)), (2, Turn::History(20)), (3, Turn::Busy), (4, Turn::Busy), (5, Turn::Live)]
        {
            turns.push(SourceId(id), turn);
        }
        let order: Vec<u64> = std::iter::from_fn(|| turns.pop()).map(|id| id.0).collect();
        assert_eq!(order, [3, 2, 5, 4, 1]);
        assert!(turns.is_empty());
    }
}
