//! Sets of bytes: what a text may be made of.

use std::fmt;

/// Which of the 256 bytes are in it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const NONE: Self = Self([0; 4]);
    /// Every byte.
    pub const ALL: Self = Self([u64::MAX; 4]);
    /// `0` to `9`.
    pub const DIGITS: Self = Self::range(b'0', b'9');
    /// Letters of ASCII, of either case.
    pub const LETTERS: Self = Self::range(b'a', b'z').or(Self::range(b'A', b'Z'));

    /// The bytes of `bytes`.
    pub const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::NONE;
        let mut index = 0;
        while index < bytes.len() {
            set = set.or(Self::range(bytes[index], bytes[index]));
            index += 1;
        }
        set
    }

    /// The bytes from `first` to `last`, both inclusive.
    pub const fn range(first: u8, last: u8) -> Self {
        let mut words = [0; 4];
        let mut byte = first as usize;
        while byte <= last as usize {
            words[byte / 64] |= 1 << (byte % 64);
            byte += 1;
        }
        Self(words)
    }

    /// The bytes in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        let mut words = self.0;
        let mut index = 0;
        while index < words.len() {
            words[index] |= other.0[index];
            index += 1;
        }
        Self(words)
    }

    /// The bytes that are not in it.
    #[must_use]
    pub const fn not(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([!a, !b, !c, !d])
    }

    /// Whether `byte` is in it.
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[byte as usize / 64] >> (byte % 64) & 1 == 1
    }

    /// Adds `byte`.
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
    }

    /// All of it but `byte`.
    #[must_use]
    pub const fn without(self, byte: u8) -> Self {
        self.not().or(Self::range(byte, byte)).not()
    }

    /// Whether no byte is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(left, right)| left & right == 0)
    }

    /// Whether all of its bytes are in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(left, right)| left & !right == 0)
    }

    /// Its bytes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.iter().collect::<Vec<u8>>().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut set = ByteSet::of(b"a\xff");
        set.insert(b'\0');
        assert_eq!(set.iter().collect::<Vec<u8>>(), b"\0a\xff");
        assert_eq!(format!("{set:?}"), r#""\x00a\xff""#);
        assert!(!set.not().contains(b'a') && set.not().contains(b'b'));
        assert!(set.is_subset(&ByteSet::ALL) && !ByteSet::ALL.is_subset(&set));
        assert!(set.is_disjoint(&ByteSet::DIGITS) && !set.is_disjoint(&ByteSet::LETTERS));
        assert_eq!(ByteSet::range(250, 255).iter().count(), 6);
    }
}
