//! Times that are written as numbers, with nothing but digits to tell them.
//!
//! A number is no time unless a time is due where it stands, and unless it is of the recent past; see [`Recent`].

use super::date_text::number;
use super::moment::{DAY_NS, HOUR_NS, Moment, SECOND_NS, epoch_day};
use super::time_text;
use crate::model::Timestamp;

/// Digits of the nanoseconds since 1970, from 2001 to 2286.
const UNIX_NS_DIGITS: u32 = 19;
/// The least that counts as nanoseconds since 1970: seconds got their tenth digit in 2001.
const UNIX_NS_MIN: u64 = 1_000_000_000_000_000_000;
/// 1990-01-01: no log that a number could be of is older.
const EARLIEST_NS: i64 = 631_152_000 * SECOND_NS;
/// Greatest age, in nanoseconds, of a line that begins with a whole number: counters and sizes have as many digits.
const BARE_AGE_NS_MAX: i64 = 10 * 366 * DAY_NS;
/// 1970 as a TAI64 label: 2⁶², and the 10 seconds that TAI was ahead of UTC by then.
const TAI64_EPOCH: u64 = (1 << 62) + 10;

/// The times that a number is taken for: from 1990 to a day after now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    earliest_ns: i64,
    latest_ns: i64,
}

impl Recent {
    /// As seen at `now`.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { earliest_ns: EARLIEST_NS, latest_ns: now.as_ns().saturating_add(DAY_NS) }
    }

    /// Tells if a time lies in it; to a day, for zones do not count.
    pub(super) fn contains(self, moment: Moment) -> bool {
        moment.approximate_ns().is_none_or(|ns| (self.earliest_ns..=self.latest_ns).contains(&ns))
    }

    /// Tells if a time lies in its last ten years.
    fn ends_with(self, moment: Moment) -> bool {
        let decade = self.latest_ns.saturating_sub(BARE_AGE_NS_MAX)..=self.latest_ns;
        moment.approximate_ns().is_some_and(|ns| decade.contains(&ns))
    }
}

/// The number that a line begins with, if it is a time: a Unix time that stands alone, or a date and a time of day.
///
/// `is_marked`: something else says that a time is due, such as a bracket.
pub(super) fn leading(text: &[u8], is_marked: bool, recent: Recent) -> Option<Moment> {
    if let Some((moment, rest)) = unix(text) {
        let is_alone =
            rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b']' | b'"' | b':' | b','));
        let has_fraction = || text[..text.len() - rest.len()].iter().any(|byte| !byte.is_ascii_digit());
        let is_likely = is_marked || recent.ends_with(moment) || has_fraction();
        return (is_alone && is_likely && recent.contains(moment)).then_some(moment);
    }
    compact(text).filter(|moment| recent.contains(*moment))
}

/// A Unix time and nothing else.
pub(super) fn unix_alone(text: &[u8], recent: Recent) -> Option<Moment> {
    let (moment, rest) = unix(text)?;
    (rest.is_empty() && recent.contains(moment)).then_some(moment)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, by how many digits there are: `1795352645`,
/// `1795352645.123`, `1795352645123`, `1.795352645123e+09`. Returns what follows as well.
pub(super) fn unix(text: &[u8]) -> Option<(Moment, &[u8])> {
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
    (UNIX_NS_MIN <= ns).then_some((Moment::Instant(timestamp), rest))
}

/// `261130 112233`, `20261130 112233`, `20261130T112233.123Z`, `20261130112233`: without a colon.
fn compact(text: &[u8]) -> Option<Moment> {
    let digit_count = text.iter().take(15).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digit_count);
    let (date, time, rest) = match *rest {
        _ if digit_count == 14 => (&digits[..8], &digits[8..], rest),
        [b' ' | b'T' | b'-' | b'_', ref time @ ..] if digit_count == 8 => {
            let (time, rest) = time.split_at_checked(6)?;
            (digits, time, rest)
        }
        [b' ', ref time @ ..] if digit_count == 6 => {
            let (time, rest) = time.split_at_checked(6)?;
            (digits, time, rest)
        }
        _ => return None,
    };
    let (year, month_and_day) = match *date {
        [y1, y2, y3, y4, ref rest @ ..] if date.len() == 8 => (number([y1, y2, y3, y4])?, rest),
        [y1, y2, ref rest @ ..] => (2000 + number([y1, y2])?, rest),
        _ => return None,
    };
    let &[m1, m2, d1, d2] = month_and_day else { return None };
    let &[h1, h2, min1, min2, s1, s2] = time else { return None };
    let day = epoch_day(year, number([m1, m2])?, number([d1, d2])?)?;
    let (hour, minute, second) = (number([h1, h2])?, number([min1, min2])?, number([s1, s2])?);
    let ends = !rest.first().is_some_and(u8::is_ascii_digit);
    if 23 < hour || 59 < minute || 60 < second || !ends {
        return None;
    }
    let local_ns = day * DAY_NS + hour * HOUR_NS + (minute * 60 + second) * SECOND_NS;
    let (fraction_ns, rest) = time_text::fraction(rest);
    let zone_ns = time_text::zone(rest).0;
    Some(Moment::of_local(local_ns + fraction_ns, zone_ns))
}

/// A TAI64N label, as multilog and `svlogd -t` write it: `@4000000065…`, with what follows.
pub(super) fn tai64n(text: &[u8], recent: Recent) -> Option<Moment> {
    let (label, _) = text.strip_prefix(b"@")?.split_first_chunk::<24>()?;
    let hexadecimal = |digits: &[u8]| {
        digits.iter().try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
    };
    let (seconds, nanoseconds) = label.split_at(16);
    let seconds = i64::try_from(hexadecimal(seconds)?.checked_sub(TAI64_EPOCH)?).ok()?;
    let nanoseconds = i64::try_from(hexadecimal(nanoseconds)?).ok()?;
    let ns = seconds.checked_mul(SECOND_NS)?.checked_add(nanoseconds)?;
    let moment = Moment::Instant(Timestamp::from_ns(ns));
    (nanoseconds < SECOND_NS && recent.contains(moment)).then_some(moment)
}
