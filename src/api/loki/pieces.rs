//! Answers to queries that are made while they are sent: what they are made of is held, their text never is as a whole.

use std::iter::once;
use std::sync::Arc;

use serde::Serialize;

use crate::api::body::{PIECE_BYTES, Pieces};
use crate::api::loki::wire::{self, Sample, Samples, SeriesObject, Value};
use crate::log_database;
use crate::logql::eval::{Series, Stream};
use crate::model::budget::Budget;

/// The text of an answer: what comes before the elements of its result, those, and what comes after them.
pub(super) struct Elements<I> {
    pub(super) before: Vec<u8>,
    pub(super) result: I,
    pub(super) after: Vec<u8>,
    /// What the elements are held within.
    pub(super) budget: Arc<Budget>,
}

impl<I: Iterator<Item = Vec<u8>> + Send + 'static> Pieces for Elements<I> {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let mut piece = std::mem::take(&mut self.before);
        while piece.len() < PIECE_BYTES {
            let Some(element) = self.result.next() else {
                piece.append(&mut self.after);
                break;
            };
            piece.extend_from_slice(&element);
        }
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

/// Streams, each in as many parts as it has lines.
pub(super) fn streams(streams: Vec<Stream>, has_categories: bool) -> impl Iterator<Item = Vec<u8>> + Send {
    streams.into_iter().enumerate().flat_map(move |(index, Stream { labels, lines })| {
        let mut head = separated(index, br#"{"stream":"#.to_vec());
        put(&mut head, &SeriesObject(&labels));
        head.extend_from_slice(br#","values":["#);
        let lines = lines.into_iter().enumerate();
        let lines = lines.map(move |(index, line)| separated(index, text(&Value { line: &line, has_categories })));
        once(head).chain(lines).chain(once(b"]}".to_vec()))
    })
}

/// Series with one value each.
pub(super) fn vector(series: Vec<Series>) -> impl Iterator<Item = Vec<u8>> + Send {
    series.into_iter().enumerate().filter_map(|(index, Series { labels, points })| {
        let value = points.first().map(wire::point)?;
        Some(separated(index, text(&Sample { metric: SeriesObject(&labels), value })))
    })
}

/// Series with a value at each of several times.
pub(super) fn matrix(series: Vec<Series>) -> impl Iterator<Item = Vec<u8>> + Send {
    series.into_iter().enumerate().map(|(index, Series { labels, points })| {
        let values = points.iter().map(wire::point).collect();
        separated(index, text(&Samples { metric: SeriesObject(&labels), values }))
    })
}

fn separated(index: usize, text: Vec<u8>) -> Vec<u8> {
    if index == 0 { text } else { [b",".to_vec(), text].concat() }
}

fn text(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    put(&mut text, value);
    text
}

fn put(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("wire structs hold no map with keys that are not text");
}
