//! Times of day in values: `13:04:05`, `2025-11-22T13:04:05.123Z`, `22/Nov/2025:13:04:05`.
//!
//! Most lines say when they were written, and their entry's timestamp says it again. A column of such times is stored as
//! the difference between the two, which is one number for the whole column: the zone's offset.

use super::Error;
use super::values::Values;
use super::wire::{Reader, Span, put_bytes, put_length};

/// `hh:mm:ss`
const SECONDS_BYTES: usize = 8;
const SECONDS_PER_DAY: i64 = 86_400;
const FRACTION_DIGITS_MAX: usize = 9;

/// How far ahead of their entries' times the values of a column are, where all are times of day between the same affixes.
pub(super) fn parse(values: &Values, timestamps_ns: &[i64]) -> Option<(Shape, Vec<i64>)> {
    let example = values.get(0);
    let layout = Layout::find(example)?;
    let (before, after) = layout.affixes(example)?;
    let scale = Scale::new(layout.fraction_digits);
    let ahead = values.iter().zip(timestamps_ns).map(|(value, timestamp_ns)| {
        let ticks = if layout.affixes(value)? == (before, after) { layout.ticks(value)? } else { return None };
        Some(scale.ahead(ticks, *timestamp_ns))
    });
    let ahead = ahead.collect::<Option<Vec<i64>>>()?;
    let Layout { point, fraction_digits, .. } = layout;
    Some((Shape { before: before.to_vec(), after: after.to_vec(), point, fraction_digits }, ahead))
}

/// How the times of a column are written.
#[derive(Debug)]
pub(super) struct Shape {
    before: Vec<u8>,
    after: Vec<u8>,
    /// Between seconds and their fraction.
    point: u8,
    fraction_digits: usize,
}

impl Shape {
    /// Appends how the times are written.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.point);
        put_length(out, self.fraction_digits);
        put_bytes(out, &self.before);
        put_bytes(out, &self.after);
    }
}

/// Where in a value its time of day stands, and how precise it is.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bytes before the time.
    start: usize,
    /// Bytes from the time's first digit to its last.
    length: usize,
    /// Between seconds and their fraction.
    point: u8,
    fraction_digits: usize,
}

impl Layout {
    /// The layout of the first time of day in `value`.
    fn find(value: &[u8]) -> Option<Self> {
        let start = memchr::memchr_iter(b':', value)
            .filter_map(|colon| colon.checked_sub(2))
            .find(|start| seconds(&value[*start..]).is_some())?;
        let after = &value[start + SECONDS_BYTES..];
        let fraction_digits = match after {
            [b'.' | b',', digits @ ..] => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => 0,
        };
        if FRACTION_DIGITS_MAX < fraction_digits {
            return None;
        }
        let fraction_bytes = if fraction_digits == 0 { 0 } else { 1 + fraction_digits };
        let point = if fraction_digits == 0 { 0 } else { after[0] };
        Some(Self { start, length: SECONDS_BYTES + fraction_bytes, point, fraction_digits })
    }

    /// What stands before and after the time.
    fn affixes<'a>(&self, value: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        Some((value.get(..self.start)?, value.get(self.start + self.length..)?))
    }

    /// The time in `value` in ticks since midnight; `None` where the value has another layout.
    fn ticks(&self, value: &[u8]) -> Option<i64> {
        let time = value.get(self.start..)?.get(..self.length)?;
        let mut ticks = seconds(time)?;
        if let [point, fraction @ ..] = &time[SECONDS_BYTES..] {
            if *point != self.point {
                return None;
            }
            for digit in fraction {
                ticks = 10 * ticks + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
            }
        }
        Some(ticks)
    }
}

/// Ticks a day has, and nanoseconds a tick has.
#[derive(Clone, Copy, Debug)]
struct Scale {
    per_second: i64,
    ns: i64,
}

impl Scale {
    fn new(fraction_digits: usize) -> Self {
        let per_second = 10_i64.pow(u32::try_from(fraction_digits).expect("bounded by FRACTION_DIGITS_MAX"));
        Self { per_second, ns: 1_000_000_000 / per_second }
    }

    fn per_day(self) -> i64 {
        SECONDS_PER_DAY * self.per_second
    }

    /// How far the time of day `ticks` is ahead of the entry's time.
    fn ahead(self, ticks: i64, timestamp_ns: i64) -> i64 {
        let of_day = timestamp_ns.div_euclid(self.ns).rem_euclid(self.per_day());
        (ticks - of_day).rem_euclid(self.per_day())
    }

    /// The inverse of [`Self::ahead`]; always a time of day.
    fn ticks(self, ahead: i64, timestamp_ns: i64) -> i64 {
        let of_day = timestamp_ns.div_euclid(self.ns).rem_euclid(self.per_day());
        (of_day + ahead.rem_euclid(self.per_day())).rem_euclid(self.per_day())
    }
}

/// `hh:mm:ss` at the start of `bytes`, in seconds.
fn seconds(bytes: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, ..] = *bytes else { return None };
    let two = |tens: u8, ones: u8, max: i64| {
        let number = 10 * i64::from(tens.wrapping_sub(b'0')) + i64::from(ones.wrapping_sub(b'0'));
        (tens.is_ascii_digit() && ones.is_ascii_digit() && number <= max).then_some(number)
    };
    Some(3600 * two(h1, h2, 23)? + 60 * two(m1, m2, 59)? + two(s1, s2, 59)?)
}

/// How the times of a column are written, as read from a block.
#[derive(Debug)]
pub(super) struct Face {
    point: u8,
    fraction_digits: usize,
    scale: Scale,
    pub(super) before: Span,
    pub(super) after: Span,
}

impl Face {
    /// Reads what [`Shape::put`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let point = reader.byte()?;
        let fraction_digits = reader.length(FRACTION_DIGITS_MAX)?;
        let scale = Scale::new(fraction_digits);
        Ok(Self { point, fraction_digits, scale, before: reader.span()?, after: reader.span()? })
    }

    /// What every time looks like, `0` standing for any digit.
    pub(super) fn pattern(&self) -> Vec<u8> {
        let mut pattern = b"00:00:00".to_vec();
        if 0 < self.fraction_digits {
            pattern.push(self.point);
            pattern.resize(pattern.len() + self.fraction_digits, b'0');
        }
        pattern
    }

    /// Bytes of every value.
    pub(super) fn longest(&self) -> usize {
        let point_bytes = usize::from(0 < self.fraction_digits);
        self.before.len() + SECONDS_BYTES + point_bytes + self.fraction_digits + self.after.len()
    }

    /// Appends the value that is `ahead` of an entry at `timestamp_ns`.
    pub(super) fn append(&self, structure: &[u8], ahead: i64, timestamp_ns: i64, out: &mut Vec<u8>) {
        let ticks = self.scale.ticks(ahead, timestamp_ns);
        let (seconds, mut fraction) = (ticks / self.scale.per_second, ticks % self.scale.per_second);
        let mut text = *b"00:00:00.000000000";
        for (at, number) in [(0, seconds / 3600), (3, seconds / 60 % 60), (6, seconds % 60)] {
            text[at] = digit(number / 10);
            text[at + 1] = digit(number);
        }
        text[SECONDS_BYTES] = self.point;
        for at in (0..self.fraction_digits).rev() {
            text[SECONDS_BYTES + 1 + at] = digit(fraction);
            fraction /= 10;
        }
        let length = if self.fraction_digits == 0 { SECONDS_BYTES } else { SECONDS_BYTES + 1 + self.fraction_digits };
        out.extend_from_slice(self.before.of(structure));
        out.extend_from_slice(&text[..length]);
        out.extend_from_slice(self.after.of(structure));
    }
}

/// The last decimal digit of a number that is not negative.
fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number % 10).expect("a digit of a time of day")
}
