//! Distinct texts and how often each is met: of a dictionary, of the words of texts, or templates.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::cost::entropy_bits;
use super::values::Values;

/// Distinct texts, in the order they were first met.
pub(super) struct Vocabulary {
    /// Seeded, because a hostile log must not be able to foresee the hashes.
    hashes: RandomState,
    ids: HashTable<u32>,
    texts: Values,
    counts: Vec<u32>,
    /// Short texts met lately and their ids: most texts are among them, and need no hashing.
    recent: Vec<(u64, u32)>,
}

/// Most short texts that are remembered: what fits the fastest cache.
const RECENT_MAX: usize = 512;

impl Vocabulary {
    /// For about `count` texts.
    pub(super) fn new(count: usize) -> Self {
        let recent = vec![(0, 0); count.next_power_of_two().min(RECENT_MAX)];
        let (hashes, ids) = (RandomState::default(), HashTable::new());
        Self { hashes, ids, texts: Values::default(), counts: Vec::new(), recent }
    }

    /// Counts the text in `range` of `buffer` and returns its id.
    pub(super) fn count(&mut self, buffer: &[u8], range: Range<usize>) -> u32 {
        let Some(key) = short_key(buffer, &range) else { return self.count_text(&buffer[range]) };
        // Multiplying by an odd constant spreads keys that differ in few bits over the highest bits.
        let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> u32::BITS;
        let place = spread as usize & (self.recent.len() - 1);
        let (recent_key, id) = self.recent[place];
        if recent_key == key {
            self.counts[id as usize] += 1;
            return id;
        }
        let id = self.count_text(&buffer[range]);
        self.recent[place] = (key, id);
        id
    }

    fn count_text(&mut self, text: &[u8]) -> u32 {
        self.count_up_to(usize::MAX, text).expect("there is no limit")
    }

    /// Counts a text and returns its id; `None` where it is not known and there are `limit` distinct texts.
    pub(super) fn count_up_to(&mut self, limit: usize, text: &[u8]) -> Option<u32> {
        let Self { hashes, ids, texts, counts, .. } = self;
        let hash = hashes.hash_one(text);
        let known = ids.find(hash, |id| texts.get(*id as usize) == text);
        let id = match known {
            Some(id) => *id,
            None if counts.len() < limit => {
                let id = u32::try_from(counts.len()).expect("no more than there are bytes");
                texts.push(text);
                counts.push(0);
                ids.insert_unique(hash, id, |id| hashes.hash_one(texts.get(*id as usize)));
                id
            }
            None => return None,
        };
        counts[id as usize] += 1;
        Some(id)
    }

    /// How many distinct texts there are.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// The distinct texts, by id.
    pub(super) fn texts(&self) -> &Values {
        &self.texts
    }

    /// How often each text was met, by id.
    pub(super) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Bits that an ideal coder takes for all ids.
    pub(super) fn id_bits(&self) -> f32 {
        entropy_bits(&self.counts)
    }

    /// The texts, those met most often first, so that the high planes of `ids` are almost all zero; changes `ids`
    /// accordingly.
    pub(super) fn into_sorted(self, ids: &mut [u32]) -> Values {
        let [texts] = self.into_parts(ids, |_, count| (0, !count));
        texts
    }

    /// The texts in some parts, ordered by rank, and those of equal rank in the order they were first met: `place` says of a
    /// text and its count which part it belongs to and its rank there. Changes `ids` accordingly; they go on from part to
    /// part.
    pub(super) fn into_parts<const PARTS: usize>(
        self,
        ids: &mut [u32],
        place: impl Fn(&[u8], u32) -> (usize, u32),
    ) -> [Values; PARTS] {
        let mut order: Vec<((usize, u32), usize)> =
            self.texts.iter().zip(&self.counts).map(|(text, count)| place(text, *count)).zip(0..).collect();
        order.sort_unstable();
        let mut new_ids = vec![0; order.len()];
        let mut parts = std::array::from_fn(|_| Values::default());
        for (new, ((part, _), old)) in (0..).zip(order) {
            new_ids[old] = new;
            parts[part].push(self.texts.get(old));
        }
        for id in ids {
            *id = new_ids[*id as usize];
        }
        parts
    }
}

/// A text of up to seven bytes as a number, never 0 and another for each text; `None` for longer ones, and for those at
/// the very end of the buffer.
fn short_key(buffer: &[u8], range: &Range<usize>) -> Option<u64> {
    let bytes = buffer.get(range.start..)?.first_chunk()?;
    let length = u32::try_from(range.len()).ok().filter(|length| *length < u64::BITS / 8)?;
    let text = u64::from_le_bytes(*bytes) & ((1 << (8 * length)) - 1);
    Some(text | u64::from(length + 1) << (u64::BITS - 8))
}
