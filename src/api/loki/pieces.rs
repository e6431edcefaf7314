//! Answers to queries that are made while they are sent: what they are made of is held, their text never is as a whole.

use std::iter::once;
use std::sync::Arc;

use serde::Serialize;

use crate::api::body::{PIECE_BYTES, Pieces};
use crate::api::loki::wire::{self, Sample, Samples, SeriesObject, Value};
use crate::log_database;
use crate::logql::eval::{Line, Series, Stream};
use crate::model::budget::Budget;

/// The text of an answer: what comes before the elements of its result, those, and what comes after them.
pub(super) struct Elements<I> {
    before: Vec<u8>,
    result: I,
    after: Vec<u8>,
    held: Held,
}

/// Some text of a result, and how much of the answer goes with it once it is sent: bytes, or anything that is as good
/// for comparing one with another.
pub(super) type Element = (Vec<u8>, usize);

impl<I: Iterator<Item = Element> + Send + 'static> Elements<I> {
    /// What `result` is made of weighs `weight` in all, and is all that is taken of `budget`.
    pub(super) fn new(before: Vec<u8>, result: I, after: Vec<u8>, weight: usize, budget: Arc<Budget>) -> Self {
        Self { before, result, after, held: Held::new(weight, budget) }
    }
}

impl<I: Iterator<Item = Element> + Send + 'static> Pieces for Elements<I> {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let mut piece = std::mem::take(&mut self.before);
        let mut weight = 0;
        while piece.len() < PIECE_BYTES {
            let Some((text, of_text)) = self.result.next() else {
                piece.append(&mut self.after);
                break;
            };
            piece.extend_from_slice(&text);
            weight += of_text;
        }
        self.held.pass_on(weight);
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.held.budget
    }
}

/// What an answer takes of a budget, which it gives back as it is sent. A piece takes about as much as what it was made
/// of, so that counts until the piece is gone.
struct Held {
    budget: Arc<Budget>,
    /// Bytes that are taken still.
    bytes: usize,
    /// What they weigh.
    weight: usize,
    /// What the pieces weigh that may not be sent: the one on its way, and the one that waits for it.
    unsent: [usize; 2],
}

impl Held {
    fn new(weight: usize, budget: Arc<Budget>) -> Self {
        Self { bytes: budget.taken_bytes(), budget, weight, unsent: [0; 2] }
    }

    /// Hands on a piece that weighs `weight`; with that the one before the last is sent.
    fn pass_on(&mut self, weight: usize) {
        let [sent, waiting] = std::mem::replace(&mut self.unsent, [0, weight]);
        self.unsent[0] = waiting;
        let bytes = if sent < self.weight { share(self.bytes, sent, self.weight) } else { self.bytes };
        self.budget.give_back(bytes);
        self.bytes -= bytes;
        self.weight -= sent.min(self.weight);
    }
}

/// `part` of `whole` of the bytes.
fn share(bytes: usize, part: usize, whole: usize) -> usize {
    let share = bytes as u128 * part as u128 / whole as u128;
    usize::try_from(share).expect("a part of what fits")
}

/// Streams, each in as many parts as it has lines.
pub(super) fn streams(streams: Vec<Stream>, has_categories: bool) -> impl Iterator<Item = Element> + Send {
    streams.into_iter().enumerate().flat_map(move |(index, Stream { labels, lines })| {
        let mut head = separated(index, br#"{"stream":"#.to_vec());
        put(&mut head, &SeriesObject(&labels));
        head.extend_from_slice(br#","values":["#);
        let lines = lines.into_iter().enumerate();
        let lines = lines.map(move |(index, line)| {
            (separated(index, text(&Value { line: &line, has_categories })), line.byte_count())
        });
        once((head, 0)).chain(lines).chain(once((b"]}".to_vec(), 0)))
    })
}

/// What these streams weigh.
pub(super) fn weight_of_streams(streams: &[Stream]) -> usize {
    streams.iter().flat_map(|stream| &stream.lines).map(Line::byte_count).sum()
}

/// Series with one value each.
pub(super) fn vector(series: Vec<Series>) -> impl Iterator<Item = Element> + Send {
    series.into_iter().enumerate().filter_map(|(index, Series { labels, points })| {
        let value = points.first().map(wire::point)?;
        Some((separated(index, text(&Sample { metric: SeriesObject(&labels), value })), points.len()))
    })
}

/// Series with a value at each of several times.
pub(super) fn matrix(series: Vec<Series>) -> impl Iterator<Item = Element> + Send {
    series.into_iter().enumerate().map(|(index, Series { labels, points })| {
        let values = points.iter().map(wire::point).collect();
        (separated(index, text(&Samples { metric: SeriesObject(&labels), values })), points.len())
    })
}

/// What these series weigh.
pub(super) fn weight_of_series(series: &[Series]) -> usize {
    series.iter().map(|series| series.points.len()).sum()
}

/// An element of a result as it stands after those before it.
pub(super) fn separated(index: usize, text: Vec<u8>) -> Vec<u8> {
    if index == 0 { text } else { [b",".to_vec(), text].concat() }
}

pub(super) fn text(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    put(&mut text, value);
    text
}

fn put(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("wire structs hold no map with keys that are not text");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much is taken of the budget after each piece.
    fn taken_after_each(pieces: &mut impl Pieces) -> Vec<usize> {
        let budget = Arc::clone(pieces.budget());
        let mut taken = Vec::new();
        while !pieces.next_piece().unwrap().is_empty() {
            taken.push(budget.taken_bytes());
        }
        taken
    }

    #[test]
    fn an_answer_gives_back_what_it_takes_as_it_is_sent() {
        let budget = Arc::new(Budget::default());
        budget.take(1000).unwrap();
        let result = [1, 2, 3, 4].map(|weight| (vec![b'x'; PIECE_BYTES], weight));
        let mut elements = Elements::new(Vec::new(), result.into_iter().fuse(), b"]".to_vec(), 10, budget);
        assert_eq!(taken_after_each(&mut elements), [1000, 1000, 900, 700, 400]);
        assert_eq!(elements.budget().taken_bytes(), 0);
    }

    #[test]
    fn what_is_not_told_of_is_given_back_with_the_last_piece() {
        let budget = Arc::new(Budget::default());
        budget.take(1000).unwrap();
        let result = [5, 5].map(|weight| (vec![b'x'; PIECE_BYTES], weight));
        let mut elements = Elements::new(Vec::new(), result.into_iter().fuse(), Vec::new(), 5, budget);
        assert_eq!(taken_after_each(&mut elements), [1000, 1000]);
        assert_eq!(elements.budget().taken_bytes(), 0);
    }
}
