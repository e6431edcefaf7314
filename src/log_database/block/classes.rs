//! Which kinds of bytes a column holds: a column of hexadecimal ids cannot hold `needle`, and is not even read.

use crate::model::ByteSet;

/// A set of classes of bytes: each ASCII letter is one, all digits are one, the other bytes are in a few. The numbers of the
/// classes are part of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes(u64);

const DIGIT: u64 = 1;
/// Of `a` and of `A`; the other letters follow.
const LOWER_SHIFT: u8 = 1;
const UPPER_SHIFT: u8 = LOWER_SHIFT + 26;
const UPPER: u64 = ((1 << 26) - 1) << UPPER_SHIFT;
const OTHER_ASCII: u64 = 1 << 59;
const BEYOND_ASCII: u64 = 1 << 60;
/// What ends a string of JSON or a value of logfmt, and what nests: of a column without them more is known at once.
const QUOTE: u64 = 1 << 61;
const EQUALS: u64 = 1 << 62;
const BRACKET: u64 = 1 << 63;

/// The class of each byte, as a set of one.
const CLASS_OF: [u64; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at.to_le_bytes()[0];
        table[at] = match byte {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' => 1 << (LOWER_SHIFT + byte - b'a'),
            b'A'..=b'Z' => 1 << (UPPER_SHIFT + byte - b'A'),
            b'.' => 1 << 53,
            b'-' => 1 << 54,
            b'_' => 1 << 55,
            b'/' => 1 << 56,
            b':' => 1 << 57,
            b' ' => 1 << 58,
            b'"' | b'\\' => QUOTE,
            b'=' => EQUALS,
            b'{' | b'}' | b'[' | b']' => BRACKET,
            0x80.. => BEYOND_ASCII,
            _ => OTHER_ASCII,
        };
        at += 1;
    }
    table
};

/// The classes of version 1, in which several letters were one.
const VERSION_1: [&[u8]; 13] = [
    b"0",
    b"abcdef",
    b"ghijklmnopqrstuvwxyz",
    b"ABCDEF",
    b"GHIJKLMNOPQRSTUVWXYZ",
    b".",
    b"-",
    b"_",
    b"/",
    b":",
    b" ",
    b"\n\"={",
    b"\x80",
];

impl Classes {
    pub(super) const NONE: Self = Self(0);

    /// The classes of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(0, |classes, byte| classes | CLASS_OF[usize::from(*byte)]))
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// What versions 2 and 3 wrote, in which quotes, equals signs and brackets were of the class of others.
    pub(super) fn from_version_3(bits: u64) -> Self {
        Self(if bits & OTHER_ASCII == 0 { bits } else { bits | QUOTE | EQUALS | BRACKET })
    }

    /// What version 1 wrote.
    pub(super) fn from_version_1(bits: u64) -> Self {
        let is_set = |class: &(usize, &&[u8])| bits >> class.0 & 1 == 1;
        let classes = VERSION_1.iter().enumerate().filter(is_set).map(|(_, examples)| Self::of(examples));
        classes.fold(Self::default(), Self::or)
    }

    /// All bytes of the classes.
    pub(super) fn bytes(self) -> ByteSet {
        let mut bytes = ByteSet::NONE;
        (0..=u8::MAX).filter(|byte| self.cover(Self(CLASS_OF[usize::from(*byte)]))).for_each(|byte| bytes.insert(byte));
        bytes
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// The classes in either.
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether bytes of the classes `needle` can all be in a text of these classes.
    pub(super) fn cover(self, needle: Self) -> bool {
        needle.0 & !self.0 == 0
    }

    /// The classes with letters of either case taken for lower case.
    pub(super) fn lower_cased(self) -> Self {
        let upper = self.0 & UPPER;
        Self(self.0 & !upper | upper >> (UPPER_SHIFT - LOWER_SHIFT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_older_versions_cover_what_they_stood_for() {
        let older = [Classes::from_version_3(OTHER_ASCII | DIGIT), Classes::from_version_1(1 << 11 | 1)];
        for byte in b"\"\\={}[]#\n(7" {
            let own = Classes::of(&[*byte]);
            assert!(older.iter().all(|classes| classes.cover(own)), "{}", byte.escape_ascii());
            assert!(own.bytes().contains(*byte));
        }
        for classes in [Classes::from_version_3(DIGIT), Classes::from_version_1(1), Classes::of(b"#(7")] {
            assert!(!classes.cover(Classes::of(b"\"")), "they hold no quote");
        }
    }
}
