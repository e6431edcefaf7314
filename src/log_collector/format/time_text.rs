//! The ways in which logs write a time, read from bytes without allocation.
//!
//! Each function reads the time at the start of a text and returns it with what follows; `None` if none stands there.
//! A second 60 is the first of the next minute.

use std::ops::Range;

use super::moment::{DAY_NS, Moment, SECOND_NS, epoch_day};
use crate::model::Timestamp;

/// A time and what follows it.
pub(super) type Parsed<'a> = Option<(Moment, &'a [u8])>;

/// Zones lie between 12 hours behind and 14 ahead of UTC; greater numbers behind a time are no zone.
const OFFSET_HOURS_MAX: i64 = 14;
/// Digits of the nanoseconds since 1970, from 2001 to 2286.
const UNIX_NS_DIGITS: u32 = 19;
/// The nanoseconds since 1970 that are taken for a time: from 2001, when the seconds got their tenth digit, to 2100.
/// Other numbers of ten digits are more likely to be something else.
const UNIX_NS: Range<i64> = 1_000_000_000_000_000_000..4_102_444_800_000_000_000;

/// Any of the formats that stand in a JSON string.
pub(super) fn any(text: &[u8]) -> Parsed<'_> {
    date_time(text)
        .or_else(|| unix(text).filter(|(_, rest)| rest.is_empty()))
        .or_else(|| access(text))
        .or_else(|| syslog(text))
}

/// RFC 3339 with nothing behind it: what container runtimes write.
pub(super) fn instant(text: &[u8]) -> Option<Timestamp> {
    let (Moment::Instant(timestamp), []) = date_time(text)? else { return None };
    Some(timestamp)
}

/// RFC 3339, ISO 8601 and relatives: `2026-11-22T13:04:05.123456789+01:00`, `2026-11-22 13:04:05,123 UTC`,
/// `2026/11/22 13:04:05`.
pub(super) fn date_time(text: &[u8]) -> Parsed<'_> {
    let (&[y1, y2, y3, y4, dash1, m1, m2, dash2, d1, d2, gap], rest) = text.split_first_chunk()?;
    if !matches!((dash1, dash2), (b'-', b'-') | (b'/', b'/')) || !matches!(gap, b'T' | b't' | b' ') {
        return None;
    }
    let day = epoch_day(number([y1, y2, y3, y4])?, number([m1, m2])?, number([d1, d2])?)?;
    on_day(day, rest)
}

/// RFC 3164: `Nov 22 13:04:05`, days below ten padded with a blank or not at all.
pub(super) fn syslog(text: &[u8]) -> Parsed<'_> {
    let (&name, rest) = text.split_first_chunk()?;
    let month = month(name)?;
    let (day, rest) = match *rest {
        [b' ', d1 @ b'0'..=b'3', d2, b' ', ref rest @ ..] => (number([d1, d2])?, rest),
        [b' ', b' ', d, b' ', ref rest @ ..] | [b' ', d, b' ', ref rest @ ..] => (number([d])?, rest),
        _ => return None,
    };
    yearless(month, day, rest)
}

/// Kubernetes' own programs: `I1122 13:04:05.123456`; the letter is the severity.
pub(super) fn klog(text: &[u8]) -> Parsed<'_> {
    let (&[severity, m1, m2, d1, d2, blank], rest) = text.split_first_chunk()?;
    if !matches!(severity, b'I' | b'W' | b'E' | b'F') || blank != b' ' {
        return None;
    }
    yearless(number([m1, m2])?, number([d1, d2])?, rest)
}

/// The Common Log Format of web servers: `22/Nov/2026:13:04:05 +0100`, without its bracket.
pub(super) fn access(text: &[u8]) -> Parsed<'_> {
    let (&[d1, d2, b'/', n1, n2, n3, b'/', y1, y2, y3, y4, b':'], rest) = text.split_first_chunk()? else {
        return None;
    };
    let day = epoch_day(number([y1, y2, y3, y4])?, month([n1, n2, n3])?, number([d1, d2])?)?;
    on_day(day, rest)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, by how many digits there are: `1795352645`,
/// `1795352645.123`, `1795352645123`, `1.795352645123e+09`.
pub(super) fn unix(text: &[u8]) -> Parsed<'_> {
    let (mut digits, mut digit_count, mut point, mut rest) = (0_u64, 0_u32, None, text);
    while let [byte, tail @ ..] = rest {
        match byte {
            b'0'..=b'9' if digit_count < UNIX_NS_DIGITS => {
                digits = digits * 10 + u64::from(byte - b'0');
                digit_count += 1;
            }
            b'0'..=b'9' if point.is_some() => {}
            b'.' if point.is_none() => point = Some(digit_count),
            _ => break,
        }
        rest = tail;
    }
    // Go prints floating-point numbers like this.
    let (exponent, rest) = match rest {
        [b'e', b'+', b'0', b'9', rest @ ..] => (9, rest),
        [b'e', b'+', b'1', b'2', rest @ ..] => (12, rest),
        _ => (0, rest),
    };
    // In each of the units: the first digits, as many as a time in nanoseconds has, are the time in nanoseconds.
    if !matches!(point.unwrap_or(digit_count) + exponent, 10 | 13 | 16 | UNIX_NS_DIGITS) {
        return None;
    }
    let ns = digits * 10_u64.pow(UNIX_NS_DIGITS - digit_count);
    let timestamp = Timestamp::from_ns(i64::try_from(ns).ok()?);
    UNIX_NS.contains(&timestamp.as_ns()).then_some((Moment::Instant(timestamp), rest))
}

/// The rest of a time whose date is `day`.
fn on_day(day: i64, time: &[u8]) -> Parsed<'_> {
    let (time_ns, rest) = time_of_day(time)?;
    let local_ns = day * DAY_NS + time_ns;
    let (offset_ns, rest) = zone(rest);
    let moment = match offset_ns {
        Some(offset_ns) => Moment::Instant(Timestamp::from_ns(local_ns - offset_ns)),
        None => Moment::Local(local_ns),
    };
    Some((moment, rest))
}

/// The rest of a time whose date has no year.
fn yearless(month: i64, day: i64, time: &[u8]) -> Parsed<'_> {
    const LEAP_YEAR: i64 = 2000;
    epoch_day(LEAP_YEAR, month, day)?;
    let (time_ns, rest) = time_of_day(time)?;
    Some((Moment::Yearless { month, day, time_ns }, rest))
}

/// `13:04:05` and perhaps a fraction, in nanoseconds since midnight.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (&[h1, h2, b':', m1, m2, b':', s1, s2], rest) = text.split_first_chunk()? else { return None };
    let (hour, minute, second) = (number([h1, h2])?, number([m1, m2])?, number([s1, s2])?);
    let (fraction_ns, rest) = fraction(rest);
    let is_time = hour < 24 && minute < 60 && second <= 60 && !rest.first().is_some_and(u8::is_ascii_digit);
    is_time.then_some((((hour * 60 + minute) * 60 + second) * SECOND_NS + fraction_ns, rest))
}

/// The digits after `.` or `,` as nanoseconds; those after the ninth do not count.
fn fraction(text: &[u8]) -> (i64, &[u8]) {
    let [b'.' | b',', digits @ ..] = text else { return (0, text) };
    let (mut ns, mut digit_ns, mut rest) = (0, SECOND_NS / 10, digits);
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        ns += i64::from(digit - b'0') * digit_ns;
        digit_ns /= 10;
        rest = tail;
    }
    if rest.len() == digits.len() { (0, text) } else { (ns, rest) }
}

/// The zone after a time, as nanoseconds ahead of UTC: `Z`, `+01:00`, `-0700`, `+01`, ` UTC`, ` GMT`.
///
/// `None` without one, and for other abbreviations, which mean different zones in different places: the host's is
/// the best guess.
fn zone(text: &[u8]) -> (Option<i64>, &[u8]) {
    if let [b'Z' | b'z', rest @ ..] = text {
        return (Some(0), rest);
    }
    let after_blank = text.strip_prefix(b" ").unwrap_or(text);
    if let [b'U', b'T', b'C', rest @ ..] | [b'G', b'M', b'T', rest @ ..] = after_blank {
        let is_word = rest.first().is_some_and(u8::is_ascii_alphanumeric);
        return if is_word { (None, text) } else { (Some(0), rest) };
    }
    match offset(after_blank) {
        Some((offset_ns, rest)) => (Some(offset_ns), rest),
        None => (None, text),
    }
}

/// `+01:00`, `-0700` or `+01`.
fn offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (&[sign, h1, h2], rest) = text.split_first_chunk()?;
    let hour = number([h1, h2])?;
    let (minute, rest) = minute_of_offset(rest).unwrap_or((0, rest));
    let offset_ns = (hour * 60 + minute) * 60 * SECOND_NS;
    let is_offset = hour <= OFFSET_HOURS_MAX && minute < 60;
    match sign {
        b'+' if is_offset => Some((offset_ns, rest)),
        b'-' if is_offset => Some((-offset_ns, rest)),
        _ => None,
    }
}

fn minute_of_offset(text: &[u8]) -> Option<(i64, &[u8])> {
    let (&[m1, m2], rest) = text.strip_prefix(b":").unwrap_or(text).split_first_chunk()?;
    Some((number([m1, m2])?, rest))
}

/// The month that an English name of three letters stands for, from 1.
fn month(name: [u8; 3]) -> Option<i64> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// The number that decimal digits stand for.
fn number<const N: usize>(digits: [u8; N]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}
