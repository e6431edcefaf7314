//! Streams by their labels, in chunks that are shared until they change.
//!
//! A snapshot is a clone that the writer leaves as it is. Of a map that is copied as a whole by the first change after a
//! clone each commit would cost time by how many streams there are, as long as anybody asks for anything. Here a clone
//! copies one pointer for each [`CHUNK_STREAMS_MAX`] streams or fewer, and a change copies the chunk that it is in.

use std::sync::Arc;

use crate::log_database::index::Stream;
use crate::model::Labels;

/// Most streams of a chunk; one that would have more becomes two.
const CHUNK_STREAMS_MAX: usize = 256;

/// A stream, and what it is called.
type Entry = (Labels, Arc<Stream>);

/// Streams, sorted by their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamMap {
    /// None is empty; each is sorted, and before the next.
    chunks: Vec<Arc<Vec<Entry>>>,
    len: usize,
    label_bytes: usize,
}

impl StreamMap {
    /// How many streams there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes their labels have together.
    pub(super) fn label_bytes(&self) -> usize {
        self.label_bytes
    }

    pub(super) fn get(&self, labels: &Labels) -> Option<&Arc<Stream>> {
        let chunk = self.chunks.get(self.chunk_of(labels)?)?;
        let at = position(chunk, labels).ok()?;
        Some(&chunk[at].1)
    }

    /// The stream of these labels to be changed, a new one where there is none.
    pub(super) fn get_or_add(&mut self, labels: &Labels) -> &mut Stream {
        let (chunk, at) = self.find_or_add(labels);
        Arc::make_mut(&mut Arc::make_mut(&mut self.chunks[chunk])[at].1)
    }

    /// In the order of their labels.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Labels, &Arc<Stream>)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().map(|(labels, stream)| (labels, stream)))
    }

    /// Changes the streams for which `is_wanted` holds, and removes those that `change` says are of no use any more.
    pub(super) fn change(&mut self, is_wanted: impl Fn(&Stream) -> bool, mut change: impl FnMut(&mut Stream) -> Kept) {
        for chunk in &mut self.chunks {
            if !chunk.iter().any(|(_, stream)| is_wanted(stream)) {
                continue;
            }
            Arc::make_mut(chunk).retain_mut(|(labels, stream)| {
                if !is_wanted(stream) || change(Arc::make_mut(stream)) == Kept::Yes {
                    return true;
                }
                self.len -= 1;
                self.label_bytes -= labels.byte_count();
                false
            });
        }
        self.chunks.retain(|chunk| !chunk.is_empty());
    }

    /// The chunk that the labels are in, or would be; `None` where there is none.
    fn chunk_of(&self, labels: &Labels) -> Option<usize> {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|(first, _)| first <= labels));
        (!self.chunks.is_empty()).then(|| after.saturating_sub(1))
    }

    /// The chunk and the place in it of these labels' stream.
    fn find_or_add(&mut self, labels: &Labels) -> (usize, usize) {
        let chunk = self.chunk_of(labels).unwrap_or_else(|| {
            self.chunks.push(Arc::default());
            0
        });
        let at = match position(&self.chunks[chunk], labels) {
            Ok(at) => return (chunk, at),
            Err(at) => at,
        };
        self.len += 1;
        self.label_bytes += labels.byte_count();
        let entries = Arc::make_mut(&mut self.chunks[chunk]);
        entries.insert(at, (labels.clone(), Arc::default()));
        if entries.len() <= CHUNK_STREAMS_MAX {
            return (chunk, at);
        }
        let half = entries.len() / 2;
        let rest = entries.split_off(half);
        self.chunks.insert(chunk + 1, Arc::new(rest));
        if at < half { (chunk, at) } else { (chunk + 1, at - half) }
    }
}

/// Whether a stream stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
}

fn position(chunk: &[Entry], labels: &Labels) -> Result<usize, usize> {
    chunk.binary_search_by(|(other, _)| other.cmp(labels))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn labels(number: usize) -> Labels {
        Labels::new([("app", number.to_string())]).unwrap()
    }

    /// The streams of a map, which has to be as it promises to be.
    fn checked(map: &StreamMap) -> Vec<&Labels> {
        assert!(map.chunks.iter().all(|chunk| (1..=CHUNK_STREAMS_MAX).contains(&chunk.len())));
        let all: Vec<&Labels> = map.iter().map(|(labels, _)| labels).collect();
        assert!(all.is_sorted());
        assert_eq!((map.len(), map.label_bytes()), (all.len(), all.iter().map(|labels| labels.byte_count()).sum()));
        all
    }

    #[test]
    fn streams_are_found_in_their_order_and_a_clone_stays_as_it_was() {
        let (mut map, mut expected, mut random) = (StreamMap::default(), BTreeSet::new(), 1_usize);
        for _ in 0..5000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let labels = labels(random >> 48);
            map.get_or_add(&labels);
            expected.insert(labels);
        }
        assert!(checked(&map).into_iter().eq(&expected));
        assert!(expected.iter().all(|labels| map.get(labels).is_some()));
        let clone = map.clone();
        assert!(map.get(&labels(1 << 20)).is_none());
        map.get_or_add(&labels(1 << 20));
        assert_eq!((checked(&clone).len(), checked(&map).len()), (expected.len(), expected.len() + 1));
        // Only the chunk that was changed, and perhaps divided, is another.
        let shared = clone.chunks.iter().filter(|chunk| map.chunks.iter().any(|other| Arc::ptr_eq(chunk, other)));
        assert_eq!(shared.count(), clone.chunks.len() - 1);
        map.change(|_| true, |_| Kept::No);
        assert_eq!((checked(&clone).len(), checked(&map).len()), (expected.len(), 0));
    }
}
