//! How far a reader has come, and how that is stored.
//!
//! # Format, version 1 (integers little-endian, `varint` is LEB128)
//!
//! A position is stored as checkpoints whose sources are the reader's, because each takes its own time to change:
//!
//! ```text
//! source     := PREFIX name '\0' which                  which: 'p' the place, 'w' the window, 's' id: u64 a stream
//! place      := version: u8 = 1 | identity: u8[16] | base: u64 | number: u64 | dropped: u64 | refused: u64
//!             | is_window_dropped: u8
//! window     := first: u64 | count: varint batch*       the batches that follow `number` of the place
//! batch      := count: varint (id: u64 lines: varint)*
//! stream     := base: u64 | taken: varint               counts for the place of the same base alone
//! ```
//!
//! `id` is [`stream_id`](crate::log_database::stream_id) of the labels that a stream is stored with.

use std::collections::HashMap;

use crate::log_database::bytes::{Cursor, put_varint};
use crate::model::{COLLECTOR_SOURCE_BYTES, Checkpoint};

/// Begins the sources of readers; longer than those of collectors, so that none is taken for the other.
const PREFIX: &[u8] = b"\0position of the reader \0";
const _: () = assert!(COLLECTOR_SOURCE_BYTES < PREFIX.len());
const VERSION: u8 = 1;
const PLACE: u8 = b'p';
const WINDOW: u8 = b'w';
const STREAM: u8 = b's';

/// Lines of some streams: how many follow those that were taken, in the order in which they are handed over.
pub(super) type Extent = Vec<(u64, u64)>;

/// How far a reader has come: all before `base`, and of each stream some of the lines from there on, in the order they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::log_database) struct Position {
    /// Tells this reader's batches from those of others of the same name.
    pub(super) identity: [u8; 16],
    /// The sequence that counting begins at.
    pub(super) base: u64,
    /// The number of the last batch that was acknowledged; they are numbered from 1.
    pub(super) number: u64,
    /// How many lines retention has dropped before they were taken.
    pub(super) dropped: u64,
    /// How many lines were refused where they were sent to.
    pub(super) refused: u64,
    /// How many lines of each stream were taken, of those from `base` on.
    pub(super) taken: HashMap<u64, u64>,
    /// The number of the first batch of the window, and what is in its batches.
    pub(super) window: Option<(u64, Vec<Extent>)>,
    /// Whether retention has dropped the lines of the window.
    pub(super) is_window_dropped: bool,
}

impl Position {
    /// The batches of the window that were not acknowledged.
    pub(super) fn unacknowledged(&self) -> &[Extent] {
        let Some((first, batches)) = &self.window else { return &[] };
        let acknowledged = usize::try_from((self.number + 1).saturating_sub(*first)).unwrap_or(usize::MAX);
        batches.get(acknowledged..).unwrap_or_default()
    }

    /// How many lines there are in the batches that were not acknowledged.
    pub(super) fn window_lines(&self) -> u64 {
        self.unacknowledged().iter().flatten().map(|(_, lines)| lines).sum()
    }

    pub(super) fn place(&self, name: &str) -> Checkpoint {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.identity);
        for field in [self.base, self.number, self.dropped, self.refused] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.push(u8::from(self.is_window_dropped));
        Checkpoint { source: source(name, PLACE, &[]), position: Some(out) }
    }

    /// The window; gone once all of it was acknowledged.
    pub(super) fn window(&self, name: &str) -> Checkpoint {
        let position = self.window.as_ref().map(|(first, batches)| {
            let mut out = first.to_le_bytes().to_vec();
            put_varint(&mut out, batches.len() as u64);
            for extent in batches {
                put_varint(&mut out, extent.len() as u64);
                for (id, lines) in extent {
                    out.extend_from_slice(&id.to_le_bytes());
                    put_varint(&mut out, *lines);
                }
            }
            out
        });
        Checkpoint { source: source(name, WINDOW, &[]), position }
    }

    /// How many lines of the stream `id` were taken; gone where none were.
    pub(super) fn stream(&self, name: &str, id: u64) -> Checkpoint {
        let position = self.taken.get(&id).filter(|taken| 0 < **taken).map(|taken| {
            let mut out = self.base.to_le_bytes().to_vec();
            put_varint(&mut out, *taken);
            out
        });
        Checkpoint { source: source(name, STREAM, &id.to_le_bytes()), position }
    }

    /// Takes what one of the reader's checkpoints says.
    fn take(&mut self, which: &[u8], bytes: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(bytes);
        match which {
            [PLACE] => {
                (cursor.u8()? == VERSION).then_some(())?;
                self.identity = cursor.take(self.identity.len())?.try_into().ok()?;
                for field in [&mut self.base, &mut self.number, &mut self.dropped, &mut self.refused] {
                    *field = cursor.u64()?;
                }
                self.is_window_dropped = cursor.u8()? != 0;
            }
            [WINDOW] => {
                let first = cursor.u64()?;
                let mut batches = Vec::new();
                for _ in 0..cursor.count()? {
                    let mut extent = Extent::new();
                    for _ in 0..cursor.count()? {
                        extent.push((cursor.u64()?, cursor.varint()?));
                    }
                    batches.push(extent);
                }
                self.window = Some((first, batches));
            }
            [STREAM, id @ ..] => {
                let id = u64::from_le_bytes(id.try_into().ok()?);
                let (base, taken) = (cursor.u64()?, cursor.varint()?);
                if base == self.base {
                    self.taken.insert(id, taken);
                }
            }
            _ => return None,
        }
        cursor.rest().is_empty().then_some(())
    }
}

/// The source of one of a reader's checkpoints.
fn source(name: &str, which: u8, more: &[u8]) -> Vec<u8> {
    [PREFIX, name.as_bytes(), &[0, which], more].concat()
}

/// The positions of all readers that `checkpoints`, sorted by their sources, tell of. What cannot be understood is logged, and its
/// reader begins anew.
pub(in crate::log_database) fn of_checkpoints<'a>(
    checkpoints: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>,
) -> Vec<(String, Position)> {
    let mut positions: Vec<(String, Position)> = Vec::new();
    for (source, bytes) in checkpoints {
        let Some((name, which)) = source.strip_prefix(PREFIX).and_then(|rest| {
            let end = memchr::memchr(0, rest)?;
            Some((String::from_utf8(rest[..end].to_vec()).ok()?, &rest[end + 1..]))
        }) else {
            continue;
        };
        // A place comes before its streams and its window.
        if positions.last().is_none_or(|(last, _)| *last != name) {
            positions.push((name.clone(), Position::default()));
        }
        let position = &mut positions.last_mut().expect("one was just pushed").1;
        if position.take(which, bytes).is_none() {
            log::warn!("a checkpoint of the reader {name:?} cannot be understood, and is left out");
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            identity: [7; 16],
            base: 5,
            number: 3,
            dropped: 11,
            refused: 12,
            taken: HashMap::from([(1, 10), (u64::MAX, 1)]),
            window: Some((3, vec![vec![(1, 2)], vec![(1, 3), (9, 4)]])),
            is_window_dropped: true,
        }
    }

    fn stored(position: &Position, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let streams = position.taken.keys().map(|id| position.stream(name, *id));
        let all = [position.place(name), position.window(name)].into_iter().chain(streams);
        all.filter_map(|checkpoint| Some((checkpoint.source, checkpoint.position?))).collect()
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let mut all = stored(&position(), "b");
        all.extend(stored(&Position { base: 6, window: None, ..position() }, "a"));
        all.push((b"another source".to_vec(), vec![1]));
        all.sort();
        let read = of_checkpoints(all.iter().map(|(source, bytes)| (source, bytes)));
        let expected = [("a".to_owned(), Position { base: 6, window: None, ..position() }), ("b".into(), position())];
        assert_eq!(read, expected);
        assert_eq!(position().unacknowledged(), [vec![(1, 3), (9, 4)]]);
        assert_eq!(position().window_lines(), 7);
    }

    #[test]
    fn counts_of_a_base_that_was_left_do_not_count() {
        let old = position().stream("a", 1);
        let place = Position { base: 6, ..Position::default() }.place("a");
        let all = [(place.source, place.position.unwrap()), (old.source, old.position.unwrap())];
        let read = of_checkpoints(all.iter().map(|(source, bytes)| (source, bytes)));
        assert_eq!(read[0].1.taken, HashMap::new());
    }

    #[test]
    fn what_is_cut_or_of_another_version_is_left_out() {
        for (source, bytes) in stored(&position(), "a") {
            for length in 0..bytes.len() {
                let cut = bytes[..length].to_vec();
                let read = of_checkpoints([(&source, &cut)].into_iter());
                let Position { window, taken, .. } = &read[0].1;
                assert!(window.is_none() && taken.is_empty(), "{source:?} {length}");
            }
        }
        let newer = Position::default().place("a");
        let mut bytes = newer.position.unwrap();
        bytes[0] = 2;
        bytes[17] = 9;
        assert_eq!(of_checkpoints([(&newer.source, &bytes)].into_iter())[0].1.base, 0);
    }
}
