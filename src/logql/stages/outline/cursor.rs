//! A place in an outline, and what can be told of the bytes around it.

use std::ops::RangeInclusive;

use super::{Piece, Run, Unknown};
use crate::model::ByteSet;

/// A place in a piece of an outline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pieces: &'a [Piece<'a>],
    piece: usize,
    /// In the text of the piece.
    offset: usize,
}

/// What is at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    Byte(u8),
    Run(&'a Run),
    End,
}

impl<'a> Cursor<'a> {
    /// The beginning.
    pub(super) fn new(pieces: &'a [Piece<'a>]) -> Self {
        Self { pieces, piece: 0, offset: 0 }
    }

    /// What comes next.
    pub(super) fn peek(&mut self) -> Next<'a> {
        loop {
            match self.pieces.get(self.piece) {
                None => return Next::End,
                Some(Piece::Run(run)) => return Next::Run(run),
                Some(Piece::Text { bytes, .. }) => match bytes.get(self.offset) {
                    Some(byte) => return Next::Byte(*byte),
                    None => self.pass_piece(),
                },
            }
        }
    }

    /// Passes over a byte or a run.
    pub(super) fn pass(&mut self) {
        match self.peek() {
            Next::Byte(_) => self.offset += 1,
            Next::Run(_) => self.pass_piece(),
            Next::End => {}
        }
    }

    fn pass_piece(&mut self) {
        self.piece += 1;
        self.offset = 0;
    }

    /// The text in front of the cursor, up to the run before it; and that run.
    pub(super) fn before(&self) -> (Vec<u8>, Option<&'a Run>) {
        let mut texts = Vec::new();
        if let Some(Piece::Text { bytes, .. }) = self.pieces.get(self.piece) {
            texts.push(&bytes[..self.offset]);
        }
        let mut run = None;
        for piece in self.pieces[..self.piece].iter().rev() {
            match piece {
                Piece::Text { bytes, .. } => texts.push(bytes),
                Piece::Run(before) => {
                    run = Some(before);
                    break;
                }
            }
        }
        texts.reverse();
        (texts.concat(), run)
    }

    /// Whether there is a byte next that is one of `set`.
    pub(super) fn is_next(mut self, set: &ByteSet) -> Result<bool, Unknown> {
        match self.peek() {
            Next::End => Ok(false),
            Next::Byte(byte) => Ok(set.contains(byte)),
            Next::Run(run) => {
                let is_in = run.is_in(set)?;
                if 0 < run.shortest {
                    return Ok(is_in);
                }
                self.pass();
                if self.is_next(set)? == is_in { Ok(is_in) } else { Err(Unknown::Column(run.column)) }
            }
        }
    }

    /// Whether the end is next.
    pub(super) fn is_end(mut self) -> Result<bool, Unknown> {
        match self.peek() {
            Next::End => Ok(true),
            Next::Byte(_) => Ok(false),
            Next::Run(run) if 0 < run.shortest => Ok(false),
            Next::Run(run) if run.longest == 0 => {
                self.pass();
                self.is_end()
            }
            Next::Run(run) => Err(Unknown::Column(run.column)),
        }
    }

    /// Whether there is a byte in front that is one of `set`; `at_start` where there is none.
    pub(super) fn is_before(&self, set: &ByteSet, at_start: bool) -> Result<bool, Unknown> {
        let (text, run) = self.before();
        match (text.last(), run) {
            (Some(byte), _) => Ok(set.contains(*byte)),
            (None, None) => Ok(at_start),
            (None, Some(run)) => {
                let is_in = run.is_in(set)?;
                if 0 < run.shortest { Ok(is_in) } else { Err(Unknown::Column(run.column)) }
            }
        }
    }

    /// Passes over all bytes up to the first that is none of `set`.
    pub(super) fn pass_while(&mut self, set: &ByteSet) -> Result<(), Unknown> {
        loop {
            match self.peek() {
                Next::Byte(byte) if set.contains(byte) => self.offset += 1,
                Next::Byte(_) | Next::End => return Ok(()),
                Next::Run(run) => {
                    if !run.is_in(set)? {
                        let mut after = *self;
                        after.pass();
                        if run.shortest == 0 && after.is_next(set)? {
                            return Err(Unknown::Column(run.column));
                        }
                        return Ok(());
                    }
                    self.pass();
                }
            }
        }
    }

    /// Passes over all bytes up to the first that is one of `stops`, and says which.
    pub(super) fn find(&mut self, stops: &ByteSet) -> Result<Option<u8>, Unknown> {
        loop {
            match self.peek() {
                Next::End => return Ok(None),
                Next::Byte(byte) if stops.contains(byte) => return Ok(Some(byte)),
                Next::Byte(_) => self.offset += 1,
                Next::Run(run) if run.bytes.is_disjoint(stops) => self.pass(),
                Next::Run(run) => return Err(Unknown::Column(run.column)),
            }
        }
    }

    /// Whether the next bytes are of `sets`, one of each.
    pub(super) fn is_sequence(mut self, mut sets: &[ByteSet]) -> Result<bool, Unknown> {
        while let Some((set, rest)) = sets.split_first() {
            match self.peek() {
                Next::Byte(byte) if set.contains(byte) => sets = rest,
                Next::Byte(_) | Next::End => return Ok(false),
                // That it does not fit may be known even where it is not known how long it is.
                Next::Run(run) if 0 < run.shortest && run.bytes.is_disjoint(set) => return Ok(false),
                Next::Run(run) => {
                    self.pass();
                    let lengths = run.shortest.min(sets.len())..=run.longest.min(sets.len());
                    let mut fits = lengths.map(|length| {
                        for set in &sets[..length] {
                            if !run.is_in(set)? {
                                return Ok(false);
                            }
                        }
                        self.is_sequence(&sets[length..])
                    });
                    let first = fits.next().unwrap_or(Err(Unknown::Line))?;
                    // Whatever its length.
                    for is_fitting in fits {
                        if is_fitting? != first {
                            return Err(Unknown::Column(run.column));
                        }
                    }
                    return Ok(first);
                }
            }
            self.pass();
        }
        Ok(true)
    }

    /// How many bytes are in front, at least and at most.
    pub(super) fn position(&self) -> RangeInclusive<usize> {
        let (mut least, mut most) = (self.offset, self.offset);
        for piece in &self.pieces[..self.piece] {
            let (shortest, longest) = match piece {
                Piece::Text { bytes, .. } => (bytes.len(), bytes.len()),
                Piece::Run(run) => (run.shortest, run.longest),
            };
            least += shortest;
            most = most.saturating_add(longest);
        }
        least..=most
    }

    /// Whether fewer than `limit` bytes are in front.
    pub(super) fn is_within(&self, limit: usize) -> Result<bool, Unknown> {
        let position = self.position();
        if *position.end() < limit {
            return Ok(true);
        }
        if limit <= *position.start() {
            return Ok(false);
        }
        let widest = self.runs_before().max_by_key(|run| run.longest - run.shortest.min(run.longest));
        Err(widest.map_or(Unknown::Line, |run| Unknown::Column(run.column)))
    }

    fn runs_before(&self) -> impl Iterator<Item = &'a Run> {
        self.pieces[..self.piece].iter().filter_map(|piece| match piece {
            Piece::Run(run) => Some(run),
            Piece::Text { .. } => None,
        })
    }

    /// Whether a run is in front.
    pub(super) fn has_run_before(&self) -> bool {
        self.runs_before().next().is_some()
    }

    /// The pieces from here up to `end`, the first and the last perhaps in part, with their columns.
    pub(super) fn pieces_to(&self, end: &Self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let (start, end) = (*self, *end);
        (start.piece..=end.piece).filter_map(move |index| {
            let piece = start.pieces.get(index)?;
            match piece {
                Piece::Text { bytes, column } => {
                    let from = if index == start.piece { start.offset } else { 0 };
                    let to = if index == end.piece { end.offset } else { bytes.len() };
                    let text = bytes.get(from..to).filter(|text| !text.is_empty())?;
                    Some(Part { text: Some(text), run: None, column: *column, is_whole: text.len() == bytes.len() })
                }
                Piece::Run(run) if index < end.piece => {
                    Some(Part { text: None, run: Some(run), column: Some(run.column), is_whole: true })
                }
                Piece::Run(_) => None,
            }
        })
    }

    /// Whether the piece in front of the cursor, or that behind it, is one of column `column`.
    pub(super) fn touches(&self, column: usize) -> bool {
        let column_of = |piece: &Piece<'_>| match piece {
            Piece::Text { column, .. } => *column,
            Piece::Run(run) => Some(run.column),
        };
        let before = if self.offset == 0 { self.piece.checked_sub(1) } else { Some(self.piece) };
        let is_of =
            |index: Option<usize>| index.and_then(|index| self.pieces.get(index)).and_then(column_of) == Some(column);
        is_of(before) && is_of(Some(self.piece))
    }
}

/// A piece, or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) text: Option<&'a [u8]>,
    pub(super) run: Option<&'a Run>,
    pub(super) column: Option<usize>,
    /// Whether it is all of the piece.
    pub(super) is_whole: bool,
}

impl Run {
    /// Whether each byte is one of `set`, or none is.
    fn is_in(&self, set: &ByteSet) -> Result<bool, Unknown> {
        if self.bytes.is_disjoint(set) {
            return Ok(false);
        }
        if self.bytes.is_subset(set) { Ok(true) } else { Err(Unknown::Column(self.column)) }
    }
}
