//! Numbers that stand for what lines have in some columns: equal ones where all of it is equal.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// Codes up to this are made of others by multiplication, and need no look-ups.
const PRODUCT_MAX: u32 = 1 << 16;

/// A code for each line, by rank.
#[derive(Clone, Debug)]
pub(super) struct Codes<'b> {
    /// Empty where all are 0.
    codes: Cow<'b, [u32]>,
    /// All are below it.
    limit: u32,
}

impl<'b> Codes<'b> {
    /// 0 for every line.
    pub(super) const ALIKE: Self = Self { codes: Cow::Borrowed(&[]), limit: 1 };

    /// These codes, which are below `limit`.
    pub(super) fn new(codes: impl Into<Cow<'b, [u32]>>, limit: u32) -> Self {
        Self { codes: codes.into(), limit }
    }

    /// Another code for each other one of `values`.
    pub(super) fn of<T: Eq + Hash>(values: impl Iterator<Item = T>) -> Self {
        Self::at_most(u32::MAX, values).expect("a block has fewer lines")
    }

    /// Another code for each other one of `values`; `None` where these are more than `limit`.
    pub(super) fn at_most<T: Eq + Hash>(limit: u32, values: impl Iterator<Item = T>) -> Option<Self> {
        let mut known: HashMap<T, u32, RandomState> = HashMap::default();
        let codes = values.map(|value| {
            let next = to_u32(known.len());
            let code = *known.entry(value).or_insert(next);
            (code < limit).then_some(code)
        });
        let codes: Vec<u32> = codes.collect::<Option<_>>()?;
        Some(Self::new(codes, to_u32(known.len()).max(1)))
    }

    /// How many codes there may be.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// The code of the line at `rank`.
    pub(super) fn get(&self, rank: u32) -> u32 {
        self.codes.get(rank as usize).copied().unwrap_or_default()
    }

    /// Equal codes where the codes of both are equal.
    pub(super) fn and(self, other: Self) -> Self {
        if other.codes.is_empty() {
            return self;
        }
        if self.codes.is_empty() {
            return other;
        }
        let pairs = self.codes.iter().zip(other.codes.iter());
        match self.limit.checked_mul(other.limit).filter(|limit| *limit <= PRODUCT_MAX) {
            Some(limit) => Self::new(pairs.map(|(one, two)| one * other.limit + two).collect::<Vec<u32>>(), limit),
            None => Self::of(pairs),
        }
    }
}

/// There are fewer lines in a block.
fn to_u32(count: usize) -> u32 {
    u32::try_from(count).expect("a block has fewer lines")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_equal_where_all_parts_are() {
        let texts = ["a", "b", "a", "c", "b"];
        let numbers = [7_i64, 7, 7, -1, 8];
        let both = Codes::of(texts.iter()).and(Codes::ALIKE).and(Codes::of(numbers.iter()));
        for one in 0..5 {
            for other in 0..5 {
                let is_equal = texts[one] == texts[other] && numbers[one] == numbers[other];
                assert_eq!(both.get(to_u32(one)) == both.get(to_u32(other)), is_equal, "{one} and {other}");
            }
        }
        let many: Vec<u32> = (0..300).collect();
        let many = Codes::new(many.clone(), 300).and(Codes::new(many, 300));
        assert_eq!((many.limit(), many.get(299)), (300, 299), "beyond the product's limit");
        assert_eq!(Codes::at_most(3, texts.iter()).map(|codes| codes.limit()), Some(3));
        assert!(Codes::at_most(2, texts.iter()).is_none());
    }
}
