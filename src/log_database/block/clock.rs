//! Times in values: `13:04:05`, `2025-11-22T13:04:05.123Z`, `22/Nov/2025:13:04:05`.
//!
//! Most lines say when they were written, and their entry's timestamp says it again. A column of such times is stored as
//! the difference between the two, which is one number for the whole column: the zone's offset. A date is an affix where all
//! lines are of one day; else it is part of the time, if it is written as `2025-11-22` right before it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::Error;
use super::values::Values;
use super::wire::{Reader, Span, put_bytes, put_length};

/// `hh:mm:ss`
const SECONDS_BYTES: usize = 8;
/// `YYYY-MM-DD`
const DATE_BYTES: usize = 10;
const SECONDS_PER_DAY: i64 = 86_400;
const FRACTION_DIGITS_MAX: usize = 9;

/// How far ahead of their entries' times the values of a column are, where all are times between the same affixes.
pub(super) fn parse(values: &Values, timestamps_ns: &[i64]) -> Option<(Shape, Vec<i64>)> {
    let layout = Layout::find(values.get(0))?;
    let parsed = parse_as(layout, values, timestamps_ns);
    parsed.or_else(|| parse_as(layout.with_date(values.get(0))?, values, timestamps_ns))
}

fn parse_as(layout: Layout, values: &Values, timestamps_ns: &[i64]) -> Option<(Shape, Vec<i64>)> {
    let (before, after) = layout.affixes(values.get(0))?;
    let scale = layout.scale();
    let ahead = values.iter().zip(timestamps_ns).map(|(value, timestamp_ns)| {
        let ticks = if layout.affixes(value)? == (before, after) { layout.ticks(value)? } else { return None };
        scale.ahead(ticks, *timestamp_ns)
    });
    let ahead = ahead.collect::<Option<Vec<i64>>>()?;
    let Layout { point, fraction_digits, date_end, .. } = layout;
    Some((Shape { before: before.to_vec(), after: after.to_vec(), point, fraction_digits, date_end }, ahead))
}

/// How the times of a column are written.
#[derive(Debug)]
pub(super) struct Shape {
    before: Vec<u8>,
    after: Vec<u8>,
    /// Between seconds and their fraction.
    point: u8,
    fraction_digits: usize,
    /// Between the date and the time of day; 0 where there is no date.
    date_end: u8,
}

impl Shape {
    /// Appends how the times are written.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.point);
        put_length(out, self.fraction_digits);
        out.push(self.date_end);
        put_bytes(out, &self.before);
        put_bytes(out, &self.after);
    }
}

/// Where in a value its time stands, and how precise it is.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bytes before the time.
    start: usize,
    /// Bytes from the time's first digit to its last.
    length: usize,
    /// Between seconds and their fraction.
    point: u8,
    fraction_digits: usize,
    /// Between the date, with which the time begins, and the time of day; 0 where there is no date.
    date_end: u8,
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
        Some(Self { start, length: SECONDS_BYTES + fraction_bytes, point, fraction_digits, date_end: 0 })
    }

    /// The same with the date before the time of day in `value`.
    fn with_date(self, value: &[u8]) -> Option<Self> {
        let start = self.start.checked_sub(DATE_BYTES + 1)?;
        let date_end = *value.get(self.start - 1)?;
        date(&value[start..])?;
        (!date_end.is_ascii_digit() && date_end != 0).then_some(Self {
            start,
            length: self.length + DATE_BYTES + 1,
            date_end,
            ..self
        })
    }

    fn scale(&self) -> Scale {
        Scale::new(self.fraction_digits, self.date_end != 0)
    }

    /// What stands before and after the time.
    fn affixes<'a>(&self, value: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        Some((value.get(..self.start)?, value.get(self.start + self.length..)?))
    }

    /// The time in `value` in ticks since midnight, or with a date since the Unix epoch; `None` where the value has another
    /// layout.
    fn ticks(&self, value: &[u8]) -> Option<i64> {
        let mut time = value.get(self.start..)?.get(..self.length)?;
        let mut day = 0;
        if self.date_end != 0 {
            day = date(time)?;
            time = time[DATE_BYTES..].strip_prefix(&[self.date_end])?;
        }
        let mut ticks = day.checked_add(seconds(time)?)?;
        if let [point, fraction @ ..] = &time[SECONDS_BYTES..] {
            if *point != self.point {
                return None;
            }
            for digit in fraction {
                let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
                ticks = ticks.checked_mul(10)?.checked_add(digit.into())?;
            }
        }
        Some(ticks)
    }
}

/// What ticks count: how many a second has, how many nanoseconds one has, and whether they begin anew each day.
#[derive(Clone, Copy, Debug)]
struct Scale {
    per_second: i64,
    ns: i64,
    has_date: bool,
}

impl Scale {
    fn new(fraction_digits: usize, has_date: bool) -> Self {
        let per_second = 10_i64.pow(u32::try_from(fraction_digits).expect("bounded by FRACTION_DIGITS_MAX"));
        Self { per_second, ns: 1_000_000_000 / per_second, has_date }
    }

    fn per_day(self) -> i64 {
        SECONDS_PER_DAY * self.per_second
    }

    /// How far the time `ticks` is ahead of the entry's time.
    fn ahead(self, ticks: i64, timestamp_ns: i64) -> Option<i64> {
        let of_entry = timestamp_ns.div_euclid(self.ns);
        if self.has_date {
            return ticks.checked_sub(of_entry);
        }
        Some((ticks - of_entry.rem_euclid(self.per_day())).rem_euclid(self.per_day()))
    }

    /// The inverse of [`Self::ahead`]; without a date always a time of day.
    fn ticks(self, ahead: i64, timestamp_ns: i64) -> i64 {
        let of_entry = timestamp_ns.div_euclid(self.ns);
        if self.has_date {
            return of_entry.wrapping_add(ahead);
        }
        (of_entry.rem_euclid(self.per_day()) + ahead.rem_euclid(self.per_day())).rem_euclid(self.per_day())
    }
}

/// `YYYY-MM-DD` at the start of `bytes`: its midnight, in seconds since the Unix epoch.
fn date(bytes: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = *bytes else { return None };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i16, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
            Some(10 * number + i16::from(digit))
        })
    };
    let (month, day) = (i8::try_from(number(&[m1, m2])?).ok()?, i8::try_from(number(&[d1, d2])?).ok()?);
    let date = Date::new(number(&[y1, y2, y3, y4])?, month, day).ok()?;
    Some(Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second())
}

/// The day of an instant, in seconds since the Unix epoch; another one where its year has not four digits.
fn date_of(seconds: i64) -> Date {
    let day = Timestamp::from_second(seconds).map(|instant| Offset::UTC.to_datetime(instant).date());
    day.ok().filter(|day| 0 <= day.year()).unwrap_or_default()
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
    date_end: u8,
    scale: Scale,
    pub(super) before: Span,
    pub(super) after: Span,
}

impl Face {
    /// Reads what [`Shape::put`] wrote; older versions of the format have no dates in times.
    pub(super) fn read(reader: &mut Reader<'_>, may_have_date: bool) -> Result<Self, Error> {
        let point = reader.byte()?;
        let fraction_digits = reader.length(FRACTION_DIGITS_MAX)?;
        let date_end = if may_have_date { reader.byte()? } else { 0 };
        let scale = Scale::new(fraction_digits, date_end != 0);
        Ok(Self { point, fraction_digits, date_end, scale, before: reader.span()?, after: reader.span()? })
    }

    /// What every time looks like, `0` standing for any digit.
    pub(super) fn pattern(&self) -> Vec<u8> {
        let mut pattern = Vec::new();
        if self.date_end != 0 {
            pattern.extend_from_slice(b"0000-00-00");
            pattern.push(self.date_end);
        }
        pattern.extend_from_slice(b"00:00:00");
        if 0 < self.fraction_digits {
            pattern.push(self.point);
            pattern.resize(pattern.len() + self.fraction_digits, b'0');
        }
        pattern
    }

    /// Bytes of every value.
    pub(super) fn longest(&self) -> usize {
        let point_bytes = usize::from(0 < self.fraction_digits);
        let date_bytes = if self.date_end == 0 { 0 } else { DATE_BYTES + 1 };
        self.before.len() + date_bytes + SECONDS_BYTES + point_bytes + self.fraction_digits + self.after.len()
    }

    /// Appends the value that is `ahead` of an entry at `timestamp_ns`.
    pub(super) fn append(&self, structure: &[u8], ahead: i64, timestamp_ns: i64, out: &mut Vec<u8>) {
        let ticks = self.scale.ticks(ahead, timestamp_ns);
        let (seconds, mut fraction) =
            (ticks.div_euclid(self.scale.per_second), ticks.rem_euclid(self.scale.per_second));
        out.extend_from_slice(self.before.of(structure));
        if self.date_end != 0 {
            let date = date_of(seconds);
            let (year, month, day) = (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
            let year = [1000, 100, 10, 1].map(|unit| digit(year / unit));
            out.extend_from_slice(&year);
            for number in [month, day] {
                out.extend_from_slice(&[b'-', digit(number / 10), digit(number)]);
            }
            out.push(self.date_end);
        }
        let seconds = seconds.rem_euclid(SECONDS_PER_DAY);
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
        out.extend_from_slice(&text[..length]);
        out.extend_from_slice(self.after.of(structure));
    }
}

/// The last decimal digit of a number that is not negative.
fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number % 10).expect("a digit of a time of day")
}
