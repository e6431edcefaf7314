//! Which kinds of bytes a column holds: a column of hexadecimal ids cannot hold `needle`, and is not even read.

/// A set of classes of bytes. The numbers of the classes are part of the format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes(u16);

const LOWER_HEX: u16 = 1 << 1;
const LOWER: u16 = 1 << 2;
const UPPER_HEX: u16 = 1 << 3;
const UPPER: u16 = 1 << 4;

/// The class of each byte, as a set of one.
const CLASS_OF: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = match byte.to_le_bytes()[0] {
            b'0'..=b'9' => 1,
            b'a'..=b'f' => LOWER_HEX,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => UPPER_HEX,
            b'G'..=b'Z' => UPPER,
            b'.' => 1 << 5,
            b'-' => 1 << 6,
            b'_' => 1 << 7,
            b'/' => 1 << 8,
            b':' => 1 << 9,
            b' ' => 1 << 10,
            0x80.. => 1 << 12,
            _ => 1 << 11,
        };
        byte += 1;
    }
    table
};

impl Classes {
    /// The classes of `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(0, |classes, byte| classes | CLASS_OF[usize::from(*byte)]))
    }

    pub(super) fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u16 {
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
        let upper = self.0 & (UPPER_HEX | UPPER);
        // Both upper classes stand two bits above their lower ones.
        Self(self.0 & !upper | upper >> 2)
    }
}

const _: () = assert!(UPPER_HEX >> 2 == LOWER_HEX && UPPER >> 2 == LOWER);
