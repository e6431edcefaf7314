//! Dates as they stand in front of a time of day, read from their end backwards.
//!
//! Whatever a line begins with, its date ends where its time of day begins: backwards, each way to write a date is told by
//! its last three parts and what separates them.

use super::moment::epoch_day;

/// A date as far as a text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Date {
    /// Days since 1970-01-01.
    Day(i64),
    /// Month and day, from 1; the day exists in leap years at least.
    Yearless(i64, i64),
}

/// A number or the name of a month.
#[derive(Clone, Copy, Debug)]
enum Part {
    Number { value: i64, digit_count: usize },
    Month(i64),
}

use Part::{Month, Number};

/// The date that `text` ends with, which is followed by a time of day, and where it begins.
pub(super) fn before(text: &[u8]) -> Option<(Date, usize)> {
    if let Some((rest, &[y1, y2, y3, y4, separator1, m1, m2, separator2, d1, d2, gap])) = text.split_last_chunk()
        && separator1 == separator2
        && matches!(separator1, b'-' | b'/' | b'.')
        && matches!(gap, b'T' | b't' | b' ' | b'_')
        && let (Some(year), Some(month), Some(day)) = (number([y1, y2, y3, y4]), number([m1, m2]), number([d1, d2]))
        && !rest.last().is_some_and(u8::is_ascii_digit)
    {
        // Nearly every program writes it like this.
        return Some((Date::Day(epoch_day(year, month, day)?), rest.len()));
    }
    let text = without_gap(text)?;
    if let Some((rest, &[d1, d2, separator1, n1, n2, n3, separator2, y1, y2, y3, y4])) = text.split_last_chunk()
        && separator1 == separator2
        && matches!(separator1, b'/' | b'-' | b' ')
        && let (Some(year), Some(month), Some(day)) = (number([y1, y2, y3, y4]), month([n1, n2, n3]), number([d1, d2]))
    {
        return Some((Date::Day(epoch_day(year, month, day)?), rest.len()));
    }
    if let Some((rest, &[n1, n2, n3, b' ', tens, ones])) = text.split_last_chunk()
        && let Some(month) = month([n1, n2, n3])
        && let Some(day) = number([if tens == b' ' { b'0' } else { tens }, ones])
    {
        // Syslog's; others have their year in front of it.
        let year = rest.strip_suffix(b" ").and_then(|rest| rest.split_last_chunk());
        if let Some((rest, &year)) = year
            && let Some(year) = number::<4>(year)
        {
            return Some((Date::Day(epoch_day(year, month, day)?), rest.len()));
        }
        return Some((yearless(month, day)?, rest.len()));
    }
    let (rest, last) = split_part(text)?;
    if let Number { value, digit_count: 4 | 6 | 8 } = last
        && let Some(found) = undivided(text, rest, value)
    {
        return Some(found);
    }
    let (rest, separator2) = split_separator(rest)?;
    let (start2, middle) = split_part(rest)?;
    let three = split_separator(start2).and_then(|(rest, separator1)| {
        let (start, first) = split_part(rest)?;
        Some((three_parts([first, middle, last], [separator1, separator2])?, start.len()))
    });
    three.or_else(|| Some((two_parts([middle, last], separator2)?, start2.len())))
}

/// `text` without what stands between a date and a time of day; `None` where it ends with something else.
fn without_gap(text: &[u8]) -> Option<&[u8]> {
    match text {
        [rest @ .., b',' | b' ' | b':', b' ' | b':'] | [rest @ .., b' ' | b'T' | b't' | b'_' | b':' | b'-'] => {
            Some(rest)
        }
        _ => None,
    }
}

/// `20261130`, `261130`, or the `1130` after a severity: what `text` ends with, a number behind `rest`.
fn undivided(text: &[u8], rest: &[u8], value: i64) -> Option<(Date, usize)> {
    let day = value % 100;
    let month = value / 100 % 100;
    match text.len() - rest.len() {
        8 => Some((Date::Day(epoch_day(value / 10_000, month, day)?), severity_start(rest))),
        6 => Some((Date::Day(epoch_day(2000 + value / 10_000, month, day)?), severity_start(rest))),
        _ => {
            let start = severity_start(rest);
            (start < rest.len()).then_some((yearless(month, day)?, start))
        }
    }
}

/// The start of a date behind `rest`: the letter that glog and klog put in front of theirs.
fn severity_start(rest: &[u8]) -> usize {
    match rest {
        [.., before, b'I' | b'W' | b'E' | b'F' | b'D'] if before.is_ascii_alphanumeric() => rest.len(),
        [.., b'I' | b'W' | b'E' | b'F' | b'D'] => rest.len() - 1,
        _ => rest.len(),
    }
}

fn three_parts(parts: [Part; 3], separators: [u8; 2]) -> Option<Date> {
    let (year, month, day) = match parts {
        [Number { value: year, digit_count: 4 }, Month(month), Number { value: day, digit_count: 1 | 2 }]
        | [Number { value: day, digit_count: 1 | 2 }, Month(month), Number { value: year, digit_count: 4 }]
        | [Month(month), Number { value: day, digit_count: 1 | 2 }, Number { value: year, digit_count: 4 }] => {
            (year, month, day)
        }
        [Number { value: day, digit_count: 1 | 2 }, Month(month), Number { value: year, digit_count: 2 }]
            if separators[0] == separators[1] && separators[0] != b' ' =>
        {
            (2000 + year, month, day)
        }
        [Number { value: first, .. }, Number { value: second, .. }, Number { value: third, .. }] => {
            numeric([first, second, third], parts, separators)?
        }
        _ => return None,
    };
    epoch_day(year, month, day).map(Date::Day)
}

/// Year, month and day of a date of three numbers.
fn numeric(values: [i64; 3], parts: [Part; 3], separators: [u8; 2]) -> Option<(i64, i64, i64)> {
    let [first, second, third] = values;
    let [separator, _] = separators;
    if separator != separators[1] || !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let digit_counts = parts.map(|part| if let Number { digit_count, .. } = part { digit_count } else { 0 });
    let is_month_first = |month: i64, day: i64| month <= 12 && (separator == b'/' || 12 < day);
    match digit_counts {
        [4, 1 | 2, 1 | 2] => Some((first, second, third)),
        [1 | 2, 1 | 2, 4] if is_month_first(first, second) => Some((third, first, second)),
        [1 | 2, 1 | 2, 4] => Some((third, second, first)),
        [2, 2, 2] if separator == b'.' => Some((2000 + third, second, first)),
        // No month: the year, as Spark and log4j write it.
        [2, 2, 2] if 12 < first => Some((2000 + first, second, third)),
        [1 | 2, 1 | 2, 2] if separator == b'/' => Some((2000 + third, first, second)),
        _ => None,
    }
}

fn two_parts(parts: [Part; 2], separator: u8) -> Option<Date> {
    match parts {
        [Month(month), Number { value: day, digit_count: 1 | 2 }]
        | [Number { value: day, digit_count: 1 | 2 }, Month(month)] => yearless(month, day),
        [Number { value: month, digit_count: 2 }, Number { value: day, digit_count: 2 }]
            if matches!(separator, b'-' | b'/') =>
        {
            yearless(month, day)
        }
        _ => None,
    }
}

fn yearless(month: i64, day: i64) -> Option<Date> {
    const LEAP_YEAR: i64 = 2000;
    epoch_day(LEAP_YEAR, month, day)?;
    Some(Date::Yearless(month, day))
}

/// The number or the month's name that `text` ends with, and what stands before it.
fn split_part(text: &[u8]) -> Option<(&[u8], Part)> {
    const DIGITS_MAX: usize = 8;
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let digit_count = text.iter().rev().take(DIGITS_MAX + 1).take_while(is_digit).count();
    if (1..=DIGITS_MAX).contains(&digit_count) {
        let (rest, digits) = text.split_at(text.len() - digit_count);
        let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Some((rest, Number { value, digit_count }));
    }
    let (rest, &name) = text.split_last_chunk()?;
    let is_whole = !rest.last().is_some_and(u8::is_ascii_alphabetic);
    is_whole.then_some((rest, Month(month(name)?)))
}

/// The byte that separates two parts, and what stands before it: the last of `text`, with blanks around a comma or another
/// blank.
fn split_separator(text: &[u8]) -> Option<(&[u8], u8)> {
    match text {
        [rest @ .., b',', b' '] => Some((rest, b',')),
        [rest @ .., b' ', b' '] => Some((rest, b' ')),
        [rest @ .., separator @ (b'-' | b'/' | b'.' | b' ')] => Some((rest, *separator)),
        _ => None,
    }
}

/// The month that an English name of three letters stands for, from 1.
fn month(name: [u8; 3]) -> Option<i64> {
    Some(match &name.map(|letter| letter.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// The number that decimal digits stand for.
pub(super) fn number<const N: usize>(digits: [u8; N]) -> Option<i64> {
    // Without a branch for each digit.
    let (mut number, mut are_digits) = (0, true);
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        are_digits &= value <= 9;
        number = number * 10 + i64::from(value);
    }
    are_digits.then_some(number)
}
