//! Times that are written with a time of day, `13:04:05`, read from bytes without allocation.
//!
//! A second 60 is the first of the next minute.

use memchr::memchr_iter;

use super::date_text::{self, Date, number};
use super::moment::{DAY_NS, HOUR_NS, Moment, SECOND_NS, epoch_day};
use crate::model::Timestamp;

/// Zones lie between 12 hours behind and 14 ahead of UTC; greater numbers behind a time are no zone.
const OFFSET_HOURS_MAX: i64 = 14;

/// Digits of a fraction of a second that is a nanosecond.
const NS_DIGITS: u32 = 9;

/// A time in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) moment: Moment,
    /// Its first byte: of its date, or of the name of the day of the week.
    pub(super) start: usize,
    /// The first byte of its time of day.
    pub(super) clock_at: usize,
    /// The byte after it.
    pub(super) end: usize,
}

/// RFC 3339 with nothing behind it: what container runtimes write.
pub(super) fn instant(text: &[u8]) -> Option<Timestamp> {
    let (&[y1, y2, y3, y4, dash1, m1, m2, dash2, d1, d2, gap], time) = text.split_first_chunk()?;
    if !matches!((dash1, dash2), (b'-', b'-') | (b'/', b'/')) || !matches!(gap, b'T' | b't' | b' ') {
        return None;
    }
    let day = epoch_day(number([y1, y2, y3, y4])?, number([m1, m2])?, number([d1, d2])?)?;
    let (time_ns, rest) = time_of_day(time)?;
    let (Some(zone_ns), []) = zone(rest) else { return None };
    Some(Timestamp::from_ns(day * DAY_NS + time_ns - zone_ns))
}

/// The places in `text` where times of day may begin, from left to right.
pub(super) fn candidates(text: &[u8]) -> impl Iterator<Item = usize> {
    memchr_iter(b':', text).filter_map(|colon| {
        let &[m1, m2, b':', s1, ..] = text.get(colon + 1..)? else { return None };
        let are_digits = m1.is_ascii_digit() && m2.is_ascii_digit() && s1.is_ascii_digit();
        let hour = text.get(..colon)?;
        match hour {
            _ if !are_digits => None,
            [.., b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] => None,
            [.., b'0'..=b'2', b'0'..=b'9'] => Some(colon - 2),
            [.., b'0'..=b'9'] => Some(colon - 1),
            _ => None,
        }
    })
}

/// The time whose time of day begins at byte `clock_at` of `text`, with the date in front of it.
pub(super) fn at(text: &[u8], clock_at: usize) -> Option<Found> {
    let (before, clock) = text.split_at_checked(clock_at)?;
    // Cheap to tell, where the last line's time is looked for.
    if !matches!(clock, [_, _, b':', ..] | [_, b':', ..]) {
        return None;
    }
    let (time_ns, rest) = time_of_day(clock)?;
    let (zone_ns, after) = zone(rest);
    // `svlogd -tt` tells what is UTC by this.
    let zone_ns = if before.last() == Some(&b'_') { zone_ns.or(Some(0)) } else { zone_ns };
    let end = |rest: &[u8]| text.len() - rest.len();
    let Some((date, date_at)) = date_text::before(before) else {
        return Some(Found { moment: Moment::Dateless(time_ns), start: clock_at, clock_at, end: end(rest) });
    };
    let start = weekday_start(before, date_at);
    let found = |moment, rest| Found { moment, start, clock_at, end: end(rest) };
    match date {
        Date::Day(day) => Some(found(Moment::of_local(day * DAY_NS + time_ns, zone_ns), after)),
        Date::Yearless(month, day) => {
            let trailing = if start < date_at { trailing_year(after) } else { None };
            if let Some((year, rest)) = trailing {
                let day = epoch_day(year, month, day)?;
                return Some(found(Moment::of_local(day * DAY_NS + time_ns, zone_ns), rest));
            }
            Some(found(Moment::Yearless { month, day, time_ns, zone_ns }, after))
        }
    }
}

/// A text that is a time, as in the field of an object; more may follow it.
pub(super) fn whole(text: &[u8]) -> Option<Moment> {
    /// Longer than a date and the name of the day of the week.
    const CLOCK_AT_MAX: usize = 32;
    let window = &text[..text.len().min(CLOCK_AT_MAX)];
    let found = at(text, candidates(window).next()?)?;
    (found.start == 0 && !matches!(found.moment, Moment::Dateless(_))).then_some(found.moment)
}

/// The date that `text` begins with, as days since 1970: `2026-11-30`, followed by a blank.
pub(super) fn leading_day(text: &[u8]) -> Option<i64> {
    let (date, _) = text.split_at_checked("2026-11-30 ".len())?;
    match date_text::before(date)? {
        (Date::Day(day), 0) if date.ends_with(b" ") => Some(day),
        _ => None,
    }
}

/// The start of a date at `date_at` with the day of the week in front of it, as ctime(3) and RFC 2822 write it.
fn weekday_start(text: &[u8], date_at: usize) -> usize {
    let before = &text[..date_at];
    let Some(name) = before.strip_suffix(b", ").or_else(|| before.strip_suffix(b" ")) else { return date_at };
    let Some((rest, name)) = name.split_last_chunk() else { return date_at };
    let is_weekday = matches!(name, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun");
    let is_whole = !rest.last().is_some_and(u8::is_ascii_alphanumeric);
    if is_weekday && is_whole { rest.len() } else { date_at }
}

/// The year after a time, perhaps with the name of a zone before it, and what follows: ` 2026`, ` CET 2026`.
fn trailing_year(text: &[u8]) -> Option<(i64, &[u8])> {
    let text = text.strip_prefix(b" ")?;
    let name_bytes = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let text = if name_bytes == 0 { text } else { text[name_bytes..].strip_prefix(b" ")? };
    let (&year, rest) = text.split_first_chunk::<4>()?;
    let is_whole = !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    is_whole.then_some((number(year)?, rest))
}

/// `13:04:05` and perhaps a fraction and a half of the day, in nanoseconds since midnight.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = match *text {
        [h1, h2, b':', ref rest @ ..] => (number([h1, h2])?, rest),
        [h, b':', ref rest @ ..] => (number([h])?, rest),
        _ => return None,
    };
    let (&[m1, m2, b':', s1, s2], rest) = rest.split_first_chunk()? else { return None };
    let (minute, second) = (number([m1, m2])?, number([s1, s2])?);
    let (fraction_ns, rest) = fraction(rest);
    let (hour, rest) = half_of_day(hour, rest);
    let is_time = hour < 24 && minute < 60 && second <= 60 && !rest.first().is_some_and(u8::is_ascii_digit);
    is_time.then_some((hour * HOUR_NS + (minute * 60 + second) * SECOND_NS + fraction_ns, rest))
}

/// The digits after `.` or `,` as nanoseconds; those after the ninth do not count. After a `:`, three digits.
pub(super) fn fraction(text: &[u8]) -> (i64, &[u8]) {
    let digits = match text {
        [b'.' | b',', digits @ ..] => digits,
        [b':', digits @ ..] if digits.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count() == 3 => digits,
        _ => return (0, text),
    };
    let (mut value, mut digit_count, mut rest) = (0, 0, digits);
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        if digit_count < NS_DIGITS {
            value = value * 10 + i64::from(digit - b'0');
            digit_count += 1;
        }
        rest = tail;
    }
    if digit_count == 0 { (0, text) } else { (value * 10_i64.pow(NS_DIGITS - digit_count), rest) }
}

/// The hour of a whole day, where `AM` or `PM` says which half is meant.
fn half_of_day(hour: i64, text: &[u8]) -> (i64, &[u8]) {
    let after_blank = text.strip_prefix(b" ").unwrap_or(text);
    let (half, rest) = match after_blank {
        [b'A' | b'a', b'M' | b'm', rest @ ..] => (0, rest),
        [b'P' | b'p', b'M' | b'm', rest @ ..] => (12, rest),
        _ => return (hour, text),
    };
    let is_half = (1..=12).contains(&hour) && !rest.first().is_some_and(u8::is_ascii_alphanumeric);
    if is_half { (hour % 12 + half, rest) } else { (hour, text) }
}

/// The zone after a time, as nanoseconds ahead of UTC: `Z`, `+01:00`, `-0700`, `+01`, ` UTC`, ` GMT`.
///
/// `None` without one, and for other abbreviations, which mean different zones in different places: the host's is
/// the best guess.
pub(super) fn zone(text: &[u8]) -> (Option<i64>, &[u8]) {
    if let [b'Z' | b'z', rest @ ..] = text {
        return (Some(0), rest);
    }
    let after_blank = text.strip_prefix(b" ").unwrap_or(text);
    match after_blank {
        [b'U', b'T', b'C', rest @ ..] | [b'G', b'M', b'T', rest @ ..] => {
            let is_word = rest.first().is_some_and(u8::is_ascii_alphanumeric);
            if is_word { (None, text) } else { (Some(0), rest) }
        }
        [b'+' | b'-', ..] => match offset(after_blank) {
            Some((offset_ns, rest)) => (Some(offset_ns), rest),
            None => (None, text),
        },
        _ => (None, text),
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
