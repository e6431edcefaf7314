//! Decimal numbers in values, between constant affixes: `7`, `0042`, `item:17`, `12.500ms`.

use super::Error;
use super::values::Values;
use super::wire::{Reader, Span, put_bytes, put_length};

/// Most digits of a number: an `i64` holds all numbers of so many.
const DIGITS_MAX: usize = 18;
/// Digits of any `i64`, or of a padded number.
const NUMBER_BYTES_MAX: usize = 20;
const _: () = assert!(DIGITS_MAX < NUMBER_BYTES_MAX);

/// How the numbers of a column are written.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    /// Digits that numbers are padded to with zeros; 0 for no padding.
    width: usize,
    /// Digits after the point; 0 for no point.
    fraction: usize,
    /// Bytes of the longest number, without affixes.
    longest: usize,
}

/// The values as numbers without their points, where every value comes back exactly.
pub(super) fn parse(values: &Values) -> Option<(Shape, Vec<i64>)> {
    let first = values.get(0);
    let other = values.iter().find(|value| *value != first)?;
    let common = first.iter().zip(other).take_while(|(a, b)| a == b).count();
    let rest = first.len().min(other.len()) - common;
    let common_end = first.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    // Where two values differ is in the whole or in the fraction of a number, or behind other numbers.
    let prefix = without_last_digits(&first[..common]);
    let suffix = without_first_digits(&first[first.len() - common_end..]);
    let shorter_prefix = prefix.strip_suffix(b".").map_or(prefix, without_last_digits);
    let shorter_suffix = suffix.strip_prefix(b".").map_or(suffix, without_first_digits);
    parse_between(values, shorter_prefix, shorter_suffix).or_else(|| parse_between(values, prefix, suffix))
}

fn without_last_digits(text: &[u8]) -> &[u8] {
    &text[..text.len() - text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count()]
}

fn without_first_digits(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| byte.is_ascii_digit()).count()..]
}

fn parse_between(values: &Values, prefix: &[u8], suffix: &[u8]) -> Option<(Shape, Vec<i64>)> {
    let first = values.get(0).strip_prefix(prefix)?.strip_suffix(suffix)?;
    let fraction = memchr::memchr(b'.', first).map_or(0, |point| first.len() - point - 1);
    let (mut is_padded, mut same_width, mut longest) = (false, true, 0);
    let mut numbers = Vec::with_capacity(values.len());
    for value in values.iter() {
        let text = value.strip_prefix(prefix)?.strip_suffix(suffix)?;
        numbers.push(parse_number(text, fraction)?);
        is_padded |= matches!(text, [b'0', b'0'..=b'9', ..]);
        same_width &= text.len() == first.len();
        longest = longest.max(text.len());
    }
    if is_padded && (!same_width || 0 < fraction) {
        return None;
    }
    let width = if is_padded { longest } else { 0 };
    Some((Shape { prefix: prefix.to_vec(), suffix: suffix.to_vec(), width, fraction, longest }, numbers))
}

/// The number that `text` is without its point, which stands before `fraction` digits.
fn parse_number(text: &[u8], fraction: usize) -> Option<i64> {
    let point = if fraction == 0 { text.len() } else { text.len().checked_sub(fraction + 1)? };
    let (whole, rest) = text.split_at(point);
    let after_point = if fraction == 0 { rest } else { rest.strip_prefix(b".")? };
    if whole.is_empty() || DIGITS_MAX < whole.len() + fraction {
        return None;
    }
    whole.iter().chain(after_point).try_fold(0, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        Some(10 * number + i64::from(digit))
    })
}

impl Shape {
    /// Appends how the numbers are written.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.prefix);
        put_bytes(out, &self.suffix);
        put_length(out, self.width);
        put_length(out, self.fraction);
        put_length(out, self.longest);
    }
}

/// How the numbers of a column are written, as read from a block.
#[derive(Debug)]
pub(super) struct Face {
    pub(super) prefix: Span,
    pub(super) suffix: Span,
    width: usize,
    fraction: usize,
    longest: usize,
}

impl Face {
    /// Reads what [`Shape::put`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let (prefix, suffix) = (reader.span()?, reader.span()?);
        let (width, fraction) = (reader.length(DIGITS_MAX)?, reader.length(DIGITS_MAX)?);
        Ok(Self { prefix, suffix, width, fraction, longest: reader.length(DIGITS_MAX + 1)? })
    }

    /// Appends a number as its column writes it.
    pub(super) fn append(&self, structure: &[u8], number: i64, out: &mut Vec<u8>) {
        let mut digits = [b'0'; NUMBER_BYTES_MAX];
        let mut start = digits.len();
        let mut rest = number.unsigned_abs();
        // At least one digit before the point.
        let width = self.width.max(self.fraction + 1);
        while rest != 0 || digits.len() - start < width {
            start -= 1;
            digits[start] = b'0' + u8::try_from(rest % 10).expect("a decimal digit");
            rest /= 10;
        }
        let (whole, fraction) = digits[start..].split_at(digits.len() - start - self.fraction);
        out.extend_from_slice(self.prefix.of(structure));
        out.extend_from_slice(whole);
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        out.extend_from_slice(self.suffix.of(structure));
    }

    /// A test of numbers for a run of digits; `None` where affixes or a point could have a part in it, or it is no run of
    /// digits. Many times faster than writing every number down.
    pub(super) fn digits_test(&self, structure: &[u8], digits: &[u8]) -> Option<impl Fn(i64) -> bool + use<>> {
        let has_digit = |affix: Span| affix.of(structure).iter().any(u8::is_ascii_digit);
        if 0 < self.fraction || has_digit(self.prefix) || has_digit(self.suffix) {
            return None;
        }
        let wanted = parse_number(digits, 0)?.unsigned_abs();
        let modulus = 10_u64.pow(u32::try_from(digits.len()).ok()?);
        let (width, wanted_digits) = (self.width.max(1), digits.len());
        let are_all_wanted = self.longest <= wanted_digits;
        Some(move |number: i64| {
            let mut rest = number.unsigned_abs();
            // Most needles are whole numbers, and to divide takes longer than all else.
            if are_all_wanted && rest != wanted {
                return false;
            }
            let length = rest.checked_ilog10().map_or(1, |log| log as usize + 1).max(width);
            for _ in wanted_digits..=length {
                if rest % modulus == wanted {
                    return true;
                }
                rest /= 10;
            }
            false
        })
    }

    /// What the longest number can look like, `0` standing for any digit.
    pub(super) fn pattern(&self) -> Vec<u8> {
        let mut pattern = vec![b'0'; self.longest];
        if let Some(point) = self.longest.checked_sub(self.fraction + 1).filter(|_| 0 < self.fraction) {
            pattern[point] = b'.';
        }
        pattern
    }

    /// How many digits are after the point; 0 for no point.
    pub(super) fn fraction(&self) -> usize {
        self.fraction
    }

    /// How many digits a number is written with.
    pub(super) fn digit_count(&self, number: i64) -> usize {
        let digits = number.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
        digits.max(self.width).max(self.fraction + 1)
    }

    /// How many digits the shortest number may have, and how many the longest one has.
    pub(super) fn digit_counts(&self) -> (usize, usize) {
        (self.width.max(self.fraction + 1), self.longest - usize::from(0 < self.fraction && 0 < self.longest))
    }

    /// Bytes of the longest value.
    pub(super) fn longest(&self) -> usize {
        self.prefix.len() + self.longest + self.suffix.len()
    }
}
