//! Where each stream's lines are, and nothing of the lines themselves.
//!
//! Files are ordered by the journal sequences whose lines they hold: segments first, then the journal, so a stream's
//! parts are in the order they were stored. Cloning an index shares everything below its first level, and changing it
//! copies what is shared: that is how a snapshot stays what it is while the writer goes on and files are exchanged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::log_database::journal::{JournalFile, Skeleton};
use crate::log_database::part::{Part, StreamParts};
use crate::log_database::segment::Segment;
use crate::log_database::stream_map::{Kept, StreamMap};
use crate::model::Labels;

/// Parts that are copied when the last of them is added to while a snapshot looks at it.
const PARTS_PER_CHUNK: usize = 64;

/// Everything that is committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pub(super) streams: StreamMap,
    /// By sequence.
    pub(super) journal: BTreeMap<u64, Arc<JournalFile>>,
    /// By the first sequence of each; all older than the journal.
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
}

/// Where one stream's lines are, in the order they were stored. There may be a million streams, nearly all of which have one
/// part in one file: those take a single allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    files: Files,
}

/// What a stream has in each file.
type Files = SmallVec<[Stored; 1]>;

const _: () = assert!(size_of::<Stream>() <= 88);

/// One stream's parts in one file.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) file: StoredIn,
    parts: Parts,
}

/// A file that holds parts.
#[derive(Clone, Debug)]
pub(super) enum StoredIn {
    Journal(Arc<JournalFile>),
    Segment(Arc<Segment>),
}

impl StoredIn {
    /// Whether this is the very same file, not another one in its place.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Journal(one), Self::Journal(other)) => Arc::ptr_eq(one, other),
            (Self::Segment(one), Self::Segment(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// The sequence that its place among all files goes by.
    pub(super) fn first_sequence(&self) -> u64 {
        match self {
            Self::Journal(file) => file.sequence(),
            Self::Segment(segment) => *segment.sequences().start(),
        }
    }
}

impl Index {
    /// Adds the parts of a record whose body starts at `body_start` of a journal file, which is the newest.
    pub(super) fn add_record(&mut self, skeleton: &Skeleton, file: &Arc<JournalFile>, body_start: u64) {
        self.add_file(file);
        for (labels, parts) in &skeleton.streams {
            if parts.is_empty() {
                continue;
            }
            let stored = self.streams.get_or_add(labels).last_in(file);
            stored.parts.extend(parts.iter().map(|part| part.placed(body_start)));
        }
    }

    /// Adds a journal file; one that is there already stays.
    pub(super) fn add_file(&mut self, file: &Arc<JournalFile>) {
        self.journal.entry(file.sequence()).or_insert_with(|| Arc::clone(file));
    }

    /// Removes the parts of journal file `sequence` from `offset` on; no newer file may be there.
    pub(super) fn remove_parts(&mut self, sequence: u64, offset: u64) {
        let is_last = |stored: &Stored| stored.file.first_sequence() == sequence;
        self.streams.change(
            |stream| stream.files.last().is_some_and(is_last),
            |stream| {
                if let Some(mut last) = stream.files.pop() {
                    last.parts.truncate_at(offset);
                    stream.files.extend(Some(last).filter(|last| last.parts.len() != 0));
                }
                stream.kept()
            },
        );
    }

    /// Adds a segment.
    pub(super) fn add_segment(&mut self, segment: &Arc<Segment>, streams: &[StreamParts]) {
        let first = *segment.sequences().start();
        self.segments.insert(first, Arc::clone(segment));
        for StreamParts { labels, parts } in streams.iter().filter(|stream| !stream.parts.is_empty()) {
            let mut stored = Stored { file: StoredIn::Segment(Arc::clone(segment)), parts: Parts::default() };
            stored.parts.extend(parts.iter().copied());
            let files = &mut self.streams.get_or_add(labels).files;
            let place = files.partition_point(|stored| stored.file.first_sequence() < first);
            files.insert(place, stored);
        }
    }

    /// Removes every file whose sequences lie in `sequences`, and its parts.
    pub(super) fn remove_files(&mut self, sequences: &RangeInclusive<u64>) {
        self.journal.retain(|sequence, _| !sequences.contains(sequence));
        self.segments.retain(|first, _| !sequences.contains(first));
        let is_removed = |stored: &Stored| sequences.contains(&stored.file.first_sequence());
        self.streams.change(
            |stream| stream.files.iter().any(is_removed),
            |stream| {
                stream.files.retain(|stored| !is_removed(stored));
                stream.files.shrink_to_fit();
                stream.kept()
            },
        );
    }

    /// Each stream's parts in the files whose sequences lie in `sequences`, sorted by labels.
    pub(super) fn parts_in(&self, sequences: RangeInclusive<u64>) -> impl Iterator<Item = (&Labels, &[Stored])> {
        let files = self.streams.iter().map(move |(labels, stream)| (labels, stream.files_in(&sequences)));
        files.filter(|(_, files)| !files.is_empty())
    }
}

impl Stream {
    /// Whether it has parts left, without which it is none.
    fn kept(&self) -> Kept {
        if self.files.is_empty() { Kept::No } else { Kept::Yes }
    }

    /// The stream's parts in `file`, which is the newest.
    fn last_in(&mut self, file: &Arc<JournalFile>) -> &mut Stored {
        let is_there = self.files.last().is_some_and(|last| last.file.first_sequence() == file.sequence());
        if !is_there {
            self.files.push(Stored { file: StoredIn::Journal(Arc::clone(file)), parts: Parts::default() });
        }
        self.files.last_mut().expect("it was there, or was just added")
    }

    fn files_in(&self, sequences: &RangeInclusive<u64>) -> &[Stored] {
        let start = self.files.partition_point(|stored| stored.file.first_sequence() < *sequences.start());
        let rest = &self.files[start..];
        &rest[..rest.partition_point(|stored| stored.file.first_sequence() <= *sequences.end())]
    }

    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        self.files.iter().map(|stored| stored.parts.len()).sum()
    }

    /// The part at `position`, counted from the oldest, and its file.
    pub(super) fn get(&self, mut position: usize) -> Option<(&StoredIn, &Part)> {
        for stored in &self.files {
            match position.checked_sub(stored.parts.len()) {
                Some(rest) => position = rest,
                None => return Some((&stored.file, stored.parts.get(position)?)),
            }
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.files.iter().flat_map(Stored::iter)
    }

    /// Each part with its file.
    pub(super) fn iter_with_files(&self) -> impl Iterator<Item = (&StoredIn, &Part)> {
        self.files.iter().flat_map(|stored| stored.iter().map(|part| (&stored.file, part)))
    }
}

impl Stored {
    /// The file, where it is a segment.
    pub(super) fn segment(&self) -> Option<&Segment> {
        match &self.file {
            StoredIn::Journal(_) => None,
            StoredIn::Segment(segment) => Some(segment),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }
}

/// Parts by offset.
#[derive(Clone, Debug, Default)]
enum Parts {
    #[default]
    None,
    One(Part),
    /// All chunks but the last are full.
    Chunks(Vec<Arc<Vec<Part>>>),
}

impl Parts {
    fn extend(&mut self, parts: impl Iterator<Item = Part>) {
        for part in parts {
            match self {
                Self::None => *self = Self::One(part),
                Self::One(first) => *self = Self::Chunks(vec![Arc::new(vec![*first, part])]),
                Self::Chunks(chunks) => match chunks.last_mut().filter(|chunk| chunk.len() < PARTS_PER_CHUNK) {
                    Some(chunk) => Arc::make_mut(chunk).push(part),
                    None => chunks.push(Arc::new(vec![part])),
                },
            }
        }
    }

    /// Removes the parts from `offset` on.
    fn truncate_at(&mut self, offset: u64) {
        match self {
            Self::One(part) if offset <= part.offset => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Chunks(chunks) => {
                while let Some(chunk) = chunks.last_mut() {
                    Arc::make_mut(chunk).retain(|part| part.offset < offset);
                    if !chunk.is_empty() {
                        break;
                    }
                    chunks.pop();
                }
            }
        }
    }

    /// A single part, and chunks of them: one of the two is empty.
    fn split(&self) -> (&[Part], &[Arc<Vec<Part>>]) {
        match self {
            Self::None => (&[], &[]),
            Self::One(part) => (std::slice::from_ref(part), &[]),
            Self::Chunks(chunks) => (&[], chunks),
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Part> {
        let (single, chunks) = self.split();
        single.iter().chain(chunks.iter().flat_map(|chunk| chunk.iter()))
    }

    fn len(&self) -> usize {
        let (single, chunks) = self.split();
        let Some(last) = chunks.last() else { return single.len() };
        (chunks.len() - 1) * PARTS_PER_CHUNK + last.len()
    }

    fn get(&self, position: usize) -> Option<&Part> {
        let (single, chunks) = self.split();
        if single.is_empty() {
            chunks.get(position / PARTS_PER_CHUNK)?.get(position % PARTS_PER_CHUNK)
        } else {
            single.get(position)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn part(offset: u64) -> Part {
        let at = Timestamp::from_ns(0);
        Part { offset, bytes: 1, line_count: 1, text_bytes: 1, crc: 0, earliest: at, latest: at }
    }

    #[test]
    fn parts_are_the_same_however_many_there_are() {
        let mut parts = Parts::default();
        for count in 0..3 * PARTS_PER_CHUNK {
            let offsets = |parts: &Parts| parts.iter().map(|part| part.offset).collect::<Vec<_>>();
            let expected: Vec<u64> = (0..count as u64).collect();
            assert_eq!((parts.len(), offsets(&parts)), (count, expected.clone()));
            assert!((0..=count).all(|at| parts.get(at).map(|part| part.offset) == expected.get(at).copied()));
            let mut fewer = parts.clone();
            fewer.truncate_at(count as u64 / 2);
            assert_eq!(offsets(&fewer), expected[..count / 2]);
            parts.extend(std::iter::once(part(count as u64)));
        }
    }
}
