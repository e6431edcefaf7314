//! Partial lines of container logs are joined to the entry that the container wrote.
//!
//! Runtimes split what a container writes into lines of some KiB. The parts of one channel follow each other in order;
//! parts of the other channel may stand between them.

use super::{Channel, Decoded, LINE_BYTES_MAX, Partial};
use crate::model::Timestamp;

/// One line of a container log: an entry or a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) channel: Channel,
    pub(super) timestamp: Timestamp,
    pub(super) text: &'a [u8],
    /// What is said beside it, as a JSON object; empty where nothing is.
    pub(super) attributes: &'a [u8],
    /// Whether it ends the entry.
    pub(super) is_last: bool,
}

/// The entries of one file that are being joined.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// In the order they were begun; at most one for each channel.
    pending: Vec<Joined>,
    /// The entry handed out last, kept so that it can be borrowed.
    complete: Option<Joined>,
}

/// The parts of one entry so far.
#[derive(Debug)]
struct Joined {
    channel: Channel,
    /// Of the first part: when the container began the line.
    timestamp: Timestamp,
    /// Where the first part stands in the file.
    offset: u64,
    /// At most [`LINE_BYTES_MAX`].
    text: Vec<u8>,
}

impl Joiner {
    /// Takes one more part, which stands at `offset` of the file; returns the entry if that completes it.
    pub(super) fn join<'a>(&'a mut self, part: Part<'a>, offset: u64) -> Option<Decoded<'a>> {
        self.complete = None;
        let begun = self.pending.iter().position(|joined| joined.channel == part.channel);
        match (begun, part.is_last) {
            (None, true) => Some(Decoded::new(part.channel, part.timestamp, part.text)),
            (None, false) => {
                let mut joined = Joined::begin(part.channel, part.timestamp, offset);
                joined.append(part.text);
                self.pending.push(joined);
                None
            }
            (Some(index), is_last) => {
                self.pending[index].append(part.text);
                is_last.then(|| self.complete(index))
            }
        }
    }

    /// How many bytes of `part` the entry that it belongs to has no room for.
    pub(super) fn over_limit_bytes(&self, part: &Part<'_>) -> u64 {
        let begun = self.pending.iter().find(|joined| joined.channel == part.channel);
        let room = LINE_BYTES_MAX - begun.map_or(0, |joined| joined.text.len());
        part.text.len().saturating_sub(room) as u64
    }

    /// What there is of the entries that are not complete.
    pub(super) fn unended(&self) -> impl Iterator<Item = Decoded<'_>> {
        self.pending.iter().map(Joined::decoded)
    }

    /// The entries that are not complete, to be carried into another file.
    pub(super) fn partials(&self) -> Vec<Partial> {
        let partial = |it: &Joined| Partial { channel: it.channel, timestamp: it.timestamp, text: it.text.clone() };
        self.pending.iter().map(partial).collect()
    }

    /// Begins with entries that another file has not completed, as if they had begun at the start of this one.
    pub(super) fn begin_with(&mut self, partials: &[Partial]) {
        let joined =
            |it: &Partial| Joined { channel: it.channel, timestamp: it.timestamp, offset: 0, text: it.text.clone() };
        self.pending = partials.iter().map(joined).collect();
    }

    /// Hands over an entry that is not complete, the oldest first.
    pub(super) fn finish(&mut self) -> Option<Decoded<'_>> {
        (!self.pending.is_empty()).then(|| self.complete(0))
    }

    /// Where the first part stands of the oldest entry that is not complete.
    pub(super) fn pending_from(&self) -> Option<u64> {
        self.pending.first().map(|joined| joined.offset)
    }

    fn complete(&mut self, index: usize) -> Decoded<'_> {
        self.complete.insert(self.pending.remove(index)).decoded()
    }
}

impl Joined {
    fn begin(channel: Channel, timestamp: Timestamp, offset: u64) -> Self {
        Self { channel, timestamp, offset, text: Vec::new() }
    }

    fn decoded(&self) -> Decoded<'_> {
        Decoded { is_joined: true, ..Decoded::new(self.channel, self.timestamp, &self.text) }
    }

    fn append(&mut self, text: &[u8]) {
        let room = LINE_BYTES_MAX.saturating_sub(self.text.len());
        self.text.extend_from_slice(&text[..text.len().min(room)]);
    }
}
