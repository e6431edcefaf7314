//! Hexadecimal ids in values of one length: `867c64929b90a0c3`, `49e36993-528b-4270-af4d-d200afd7a112`, `0x60b98b026db1`.
//!
//! Two digits are a byte. Such ids are random, so that packing them is all the compression there is to have; and a needle is
//! packed as well and searched for among the bytes, twice: as it lies where it begins with a byte's first digit or second.

use std::collections::BTreeSet;

use memchr::memmem;

use super::Error;
use super::needle::{Part, Probe};
use super::tokenize::SLOT;
use super::values::Values;
use super::wire::{Reader, put_bytes, put_length};
use crate::model::{ByteSet, LINES_BYTES_MAX};

/// Values with fewer digits than this are better off as numbers or in dictionaries.
const DIGITS_MIN: usize = 6;
/// Most literals in a value; UUIDs have five.
const LITERALS_MAX: usize = 16;

/// The two digits of each byte.
static LOWER: [[u8; 2]; 256] = pairs(b"0123456789abcdef");
static UPPER: [[u8; 2]; 256] = pairs(b"0123456789ABCDEF");

const fn pairs(digits: &[u8; 16]) -> [[u8; 2]; 256] {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [digits[byte / 16], digits[byte % 16]];
        byte += 1;
    }
    pairs
}

/// How the ids of a column are written.
#[derive(Debug)]
pub(super) struct Shape {
    /// What all values have in common, and [`SLOT`] in place of each digit.
    pattern: Vec<u8>,
    is_upper: bool,
}

/// The values' shape and their digits, packed, where every value comes back exactly.
pub(super) fn pack(values: &Values) -> Option<(Shape, Vec<u8>)> {
    let first = values.get(0);
    let is_of_one_length = values.text().len() == values.len() * (first.len() + 1) && first.len() == values.longest();
    if !is_of_one_length || first.len() < DIGITS_MIN || first.contains(&SLOT) {
        return None;
    }
    let mut varies = vec![false; first.len()];
    for value in values.iter() {
        varies.iter_mut().zip(first.iter().zip(value)).for_each(|(varies, (a, b))| *varies |= a != b);
    }
    let digit_count = varies.iter().filter(|varies| **varies).count();
    let literal_count = varies.chunk_by(|a, b| a == b).filter(|run| !run[0]).count();
    if digit_count < DIGITS_MIN || LITERALS_MAX < literal_count {
        return None;
    }
    let is_upper = values.text().iter().any(|byte| (b'A'..=b'F').contains(byte));
    let mut packed = Vec::with_capacity(values.len() * digit_count.div_ceil(2));
    for value in values.iter() {
        let mut digits =
            value.iter().zip(&varies).filter(|(_, varies)| **varies).map(|(byte, _)| digit(*byte, is_upper));
        while let Some(high) = digits.next() {
            packed.push(high? << 4 | digits.next().unwrap_or(Some(0))?);
        }
    }
    let pattern = first.iter().zip(&varies).map(|(byte, varies)| if *varies { SLOT } else { *byte }).collect();
    Some((Shape { pattern, is_upper }, packed))
}

/// The value of a digit written in this case.
fn digit(byte: u8, is_upper: bool) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' if !is_upper => Some(byte - b'a' + 10),
        b'A'..=b'F' if is_upper => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl Shape {
    /// Appends how the ids are written: literals and counts of digits by turns.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let mut rest = &self.pattern[..];
        let mut runs = Vec::new();
        let mut count = 0;
        while !rest.is_empty() {
            let literal = rest.iter().take_while(|byte| **byte != SLOT).count();
            let digits = rest[literal..].iter().take_while(|byte| **byte == SLOT).count();
            put_bytes(&mut runs, &rest[..literal]);
            put_length(&mut runs, digits);
            count += 1;
            rest = &rest[literal + digits..];
        }
        out.push(u8::from(self.is_upper));
        put_length(out, count);
        out.extend_from_slice(&runs);
    }
}

/// How the ids of a column are written, as read from a block.
#[derive(Debug)]
pub(super) struct Face {
    /// What all values have in common, and [`SLOT`] in place of each digit.
    pub(super) pattern: Vec<u8>,
    /// How many bytes of a literal and how many digits follow one another.
    runs: Vec<(usize, usize)>,
    is_upper: bool,
}

/// What of a needle has to be where in a column.
enum Wanted {
    /// It is in every value.
    Everywhere,
    /// One of these runs of bytes is in the packed values that it is in.
    Packed(BTreeSet<Vec<u8>>),
    /// It is too short to tell.
    Unknown,
}

impl Face {
    /// Reads what [`Shape::put`] wrote, with at most `digits_max` digits.
    pub(super) fn read(reader: &mut Reader<'_>, digits_max: usize) -> Result<Self, Error> {
        let is_upper = match reader.byte()? {
            0 => false,
            1 => true,
            _ => return Err(reader.corrupt()),
        };
        let (mut pattern, mut runs) = (Vec::new(), Vec::new());
        let mut digits_left = digits_max;
        for _ in 0..reader.length(LITERALS_MAX + 1)? {
            let length = reader.length(LINES_BYTES_MAX)?;
            let literal = reader.take(length)?;
            let digits = reader.length(digits_left)?;
            if literal.contains(&SLOT) {
                return Err(reader.corrupt());
            }
            digits_left -= digits;
            pattern.extend_from_slice(literal);
            pattern.resize(pattern.len() + digits, SLOT);
            runs.push((length, digits));
        }
        Ok(Self { pattern, runs, is_upper })
    }

    /// The digits that there are.
    pub(super) fn digits(&self) -> ByteSet {
        ByteSet::of(if self.is_upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" })
    }

    /// How many digits a value has.
    pub(super) fn digit_count(&self) -> usize {
        memchr::memchr_iter(SLOT, &self.pattern).count()
    }

    /// Bytes that the digits of a value are packed in.
    pub(super) fn packed_bytes(&self) -> usize {
        self.digit_count().div_ceil(2)
    }

    /// Appends the value whose digits are `packed`, [`Self::packed_bytes`] long.
    pub(super) fn append(&self, packed: &[u8], out: &mut Vec<u8>) {
        let pairs = if self.is_upper { &UPPER } else { &LOWER };
        let mut at = out.len();
        let mut number = 0;
        out.extend_from_slice(&self.pattern);
        for (literal, digits) in &self.runs {
            let slots = &mut out[at + literal..at + literal + digits];
            at += literal + digits;
            // A digit before and one after those that are two of a byte.
            let (first, slots) = slots.split_at_mut((number % 2).min(slots.len()));
            if let [slot] = first {
                *slot = pairs[usize::from(packed[number / 2])][1];
            }
            number += first.len();
            let mut slots = slots.chunks_exact_mut(2);
            for (pair, byte) in slots.by_ref().zip(&packed[number / 2..]) {
                pair.copy_from_slice(&pairs[usize::from(*byte)]);
                number += 2;
            }
            let last = slots.into_remainder();
            if let [slot] = last {
                *slot = pairs[usize::from(packed[number / 2])][0];
            }
            number += last.len();
        }
    }

    /// Whether a value may have the probe's bytes.
    pub(super) fn may_hold(&self, probe: &Probe<'_>) -> bool {
        let mut is_held = false;
        self.each_start(probe, |_| {
            is_held = true;
            false
        });
        is_held
    }

    /// Calls `found` with where in the pattern the probe's bytes may begin, until it returns `false`. Of places with nothing
    /// but digits around them, only the first of each two that are alike.
    fn each_start(&self, probe: &Probe<'_>, mut found: impl FnMut(usize) -> bool) {
        let (pattern, needle) = (&self.pattern[..], probe.bytes);
        let Some(last) = pattern.len().checked_sub(needle.len()) else { return };
        let (first, last) = match probe.part {
            Part::Inner => (0, last),
            Part::Start => (0, 0),
            Part::End => (last, last),
            Part::Whole if last == 0 => (0, 0),
            Part::Whole => return,
        };
        let is_hex = needle.iter().all(|byte| self.digit_of(probe, *byte).is_some());
        let mut start = first;
        while start <= last {
            let run = pattern[start..].iter().take_while(|byte| **byte == SLOT).count();
            if needle.len() <= run {
                let last_in_run = (start + run - needle.len()).min(last);
                let mut alike = start..=last_in_run.min(start + 1);
                if is_hex && !alike.all(&mut found) {
                    return;
                }
                start = last_in_run + 1;
                continue;
            }
            let fits = |(like, byte): (&u8, &u8)| match *like {
                SLOT => self.digit_of(probe, *byte).is_some(),
                like => probe.same(&[like], &[*byte]),
            };
            if pattern[start..].iter().zip(needle).all(fits) && !found(start) {
                return;
            }
            start += 1;
        }
    }

    /// The value of a needle's byte as one of the digits.
    fn digit_of(&self, probe: &Probe<'_>, byte: u8) -> Option<u8> {
        probe.cases(byte).into_iter().find_map(|byte| digit(byte, self.is_upper))
    }

    fn wanted(&self, probe: &Probe<'_>) -> Wanted {
        let mut wanted = Wanted::Packed(BTreeSet::new());
        self.each_start(probe, |start| {
            let digits_before = memchr::memchr_iter(SLOT, &self.pattern[..start]).count();
            let like = self.pattern[start..].iter().zip(probe.bytes);
            let digits = like.filter(|(like, _)| **like == SLOT).filter_map(|(_, byte)| self.digit_of(probe, *byte));
            let digits: Vec<u8> = digits.collect();
            let whole_bytes = digits.get(digits_before % 2..).unwrap_or_default();
            let packed: Vec<u8> = whole_bytes.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            match &mut wanted {
                _ if digits.is_empty() => wanted = Wanted::Everywhere,
                _ if packed.is_empty() => wanted = Wanted::Unknown,
                Wanted::Packed(runs) => {
                    runs.insert(packed);
                }
                Wanted::Everywhere | Wanted::Unknown => {}
            }
            matches!(wanted, Wanted::Packed(_))
        });
        wanted
    }

    /// Calls `found` with the rows among `packed` values that hold the probe's bytes, some of them perhaps twice; returns
    /// `false` where all do.
    pub(super) fn find(&self, packed: &[u8], probe: &Probe<'_>, mut found: impl FnMut(usize)) -> bool {
        let width = self.packed_bytes();
        let mut value = Vec::new();
        let mut is_in_row = |row: usize| {
            value.clear();
            self.append(&packed[row * width..][..width], &mut value);
            probe.is_in(&value)
        };
        match self.wanted(probe) {
            Wanted::Everywhere => return false,
            Wanted::Unknown => (0..packed.len() / width.max(1)).filter(|row| is_in_row(*row)).for_each(found),
            Wanted::Packed(runs) => {
                for run in runs {
                    let finder = memmem::Finder::new(&run);
                    let mut start = 0;
                    // What is found only says where to look: it may begin with the wrong digit, or run on into the next row.
                    while let Some(at) = packed.get(start..).and_then(|rest| finder.find(rest)) {
                        let row = (start + at) / width;
                        if is_in_row(row) {
                            found(row);
                        }
                        start = (row + 1) * width;
                    }
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_database::block::needle::Needle;

    /// Packs `texts`, writes them down again, and looks for every part of them, and for parts that are not there, in every
    /// way; `None` where they are not packed.
    fn check(texts: &[String]) -> Option<()> {
        let mut values = Values::default();
        for text in texts {
            values.push(text.as_bytes());
        }
        let (shape, packed) = pack(&values)?;
        let mut structure = Vec::new();
        shape.put(&mut structure);
        let mut reader = Reader::new(&structure, "a test");
        let digit_count = texts[0].len();
        let face = Face::read(&mut reader, digit_count).unwrap();
        assert!(reader.rest().is_empty());
        for (text, packed) in texts.iter().zip(packed.chunks_exact(face.packed_bytes())) {
            let mut value = Vec::new();
            face.append(packed, &mut value);
            assert_eq!(value, text.as_bytes());
        }
        let text = &texts[texts.len() / 2];
        let parts = (0..text.len()).flat_map(|start| (start + 1..=text.len()).map(move |end| &text[start..end]));
        for part in parts.chain(["00", "ffffff", "abcde0", "x", "-"]) {
            for needle in [Needle::exact(part.as_bytes()), Needle::ignoring_case(part.as_bytes())] {
                let inner = needle.probe();
                for probe in [inner, inner.piece(inner.bytes, Part::Start), inner.piece(inner.bytes, Part::End)] {
                    let mut rows = BTreeSet::new();
                    if !face.find(&packed, &probe, |row| rows.extend([row])) {
                        rows.extend(0..texts.len());
                    }
                    let expected = texts.iter().enumerate().filter(|(_, text)| probe.is_in(text.as_bytes()));
                    let expected: BTreeSet<usize> = expected.map(|(row, _)| row).collect();
                    assert!(expected.is_empty() || face.may_hold(&probe), "{probe:?}");
                    assert_eq!(rows, expected, "{probe:?}");
                }
            }
        }
        Some(())
    }

    #[test]
    fn ids_of_every_layout_come_back_and_are_found() {
        let number = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let all = |write: &dyn Fn(u64) -> String| (1..60).map(|row| write(number(row))).collect::<Vec<_>>();
        check(&all(&|n| format!("{n:016x}"))).unwrap();
        check(&all(&|n| format!("0x{n:016X}"))).unwrap();
        check(&all(&|n| format!("{:07x}", n >> 36))).unwrap();
        check(&all(&|n| format!("{n:08x}").split_at(8).0.to_owned() + "-4" + &format!("{:03x}-Z", n >> 52))).unwrap();
        assert_eq!(check(&all(&|n| format!("{n:x}{}", "f".repeat((n % 2) as usize)))), None, "not of one length");
        assert_eq!(check(&all(&|n| format!("{n:016x}{:X}", 10 + n % 6))), None, "of both cases");
        assert_eq!(check(&all(&|n| format!("{:03x}", n >> 52))), None, "too short");
    }
}
