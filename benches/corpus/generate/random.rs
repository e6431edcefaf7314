//! Seeded pseudo-random numbers, and choices distributed as the things in real logs are.
//!
//! Not for anything that has to be unpredictable.

/// The SplitMix64 generator (Steele, Lea and Flood 2014): one 64-bit state, the same numbers for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

/// What SplitMix64 adds to its state at each step: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// A generator whose numbers depend on `seed` alone.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, any of 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let bits = scramble(self.0);
        self.0 = self.0.wrapping_add(STEP);
        bits
    }

    /// A number from 0 to `bound` (exclusive), all equally likely.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the product of two 64-bit numbers has 128 bits")
    }

    /// True once in `count` times.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A number from 0 to `count` (exclusive), Zipf-like: each power of two is as likely as the next, so 0 is met most
    /// often and there is a long tail.
    pub(crate) fn rank(&mut self, count: u64) -> u64 {
        let octaves = u64::from(u64::BITS - count.leading_zeros());
        loop {
            let octave = self.below(octaves);
            let rank = (1 << octave) - 1 + self.below(1 << octave);
            if rank < count {
                return rank;
            }
        }
    }

    /// One of `items`, all equally likely.
    pub(crate) fn any<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64);
        &items[usize::try_from(index).expect("below the length of a slice")]
    }

    /// One of `items`, the first ones most often.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let rank = self.rank(items.len() as u64);
        &items[usize::try_from(rank).expect("below the length of a slice")]
    }
}

/// A number that looks random and depends on `value` alone: the attributes of, say, user 17.
pub(crate) fn scramble(value: u64) -> u64 {
    let value = value.wrapping_add(STEP);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
