//! Go's layouts: a time is written, or read, the way the layout writes the reference time,
//! `Mon Jan 2 15:04:05 MST 2006`, in the zone `-0700`.

use std::fmt::Write as _;

use jiff::Zoned;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use crate::logql::stages::template::value::check_length;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// How Go prints a time that nobody has formatted.
const DEFAULT_LAYOUT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    BlankDay,
    ZeroDay,
    ZeroYearDay,
    Hour24,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    /// `PM`, and `pm` if it is small.
    Noon {
        is_small: bool,
    },
    ZoneName,
    /// `-07`, `-0700`, `-07:00`; with `Z` for UTC if it says so.
    Offset {
        has_minutes: bool,
        has_colon: bool,
        has_z: bool,
    },
    /// `.000` or `,999`: so many digits; nines do without zeros at the end.
    Fraction {
        digits: usize,
        is_trimmed: bool,
        comma: bool,
    },
}

/// Each element as the reference time has it; longer ones come before those that they begin with.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::Weekday),
    ("MST", Element::ZoneName),
    ("2006", Element::LongYear),
    ("002", Element::ZeroYearDay),
    ("01", Element::ZeroMonth),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour24),
    ("_2", Element::BlankDay),
    ("-07:00", Element::Offset { has_minutes: true, has_colon: true, has_z: false }),
    ("-0700", Element::Offset { has_minutes: true, has_colon: false, has_z: false }),
    ("-07", Element::Offset { has_minutes: false, has_colon: false, has_z: false }),
    ("Z07:00", Element::Offset { has_minutes: true, has_colon: true, has_z: true }),
    ("Z0700", Element::Offset { has_minutes: true, has_colon: false, has_z: true }),
    ("Z07", Element::Offset { has_minutes: false, has_colon: false, has_z: true }),
    ("PM", Element::Noon { is_small: false }),
    ("pm", Element::Noon { is_small: true }),
    ("1", Element::NumMonth),
    ("2", Element::Day),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
];

/// Splits a layout into the text up to its first element, the element and what follows it.
fn next_element(layout: &str) -> Option<(&str, Element, &str)> {
    layout.char_indices().find_map(|(index, _)| {
        let (before, rest) = layout.split_at(index);
        if let Some((element, length)) = fraction_at(rest) {
            return Some((before, element, &rest[length..]));
        }
        let (text, element) = ELEMENTS.iter().find(|(text, _)| rest.starts_with(text))?;
        let after = &rest[text.len()..];
        // "Janet" and "_2006" are not what they begin with.
        match element {
            Element::Month if after.starts_with(|c: char| c.is_ascii_lowercase()) => None,
            Element::BlankDay if rest.starts_with("_2006") => Some((&layout[..=index], Element::LongYear, &rest[5..])),
            _ => Some((before, *element, after)),
        }
    })
}

/// `.000`, `.999` and the like with a comma, if `rest` starts with it and no digit follows.
fn fraction_at(rest: &str) -> Option<(Element, usize)> {
    let comma = rest.starts_with(',');
    let digits = rest.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.find(|c| c != digit).unwrap_or(digits.len());
    let is_number = digits[count..].starts_with(|c: char| c.is_ascii_digit());
    (!is_number).then_some((Element::Fraction { digits: count, is_trimmed: digit == '9', comma }, count + 1))
}

/// Writes a time as Go prints it without being told how.
pub(in crate::logql::stages::template) fn format_default(time: &Zoned) -> String {
    format(DEFAULT_LAYOUT, time).unwrap_or_default()
}

/// Writes a time the way `layout` is written.
pub(super) fn format(layout: &str, time: &Zoned) -> Result<String, String> {
    // The longest text for one element is nine letters; the shortest element is one.
    check_length(layout.len().saturating_mul(9))?;
    let mut out = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    while let Some((literal, element, after)) = next_element(rest) {
        out.push_str(literal);
        write_element(&mut out, element, time).expect("writing to a string cannot fail");
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn write_element(out: &mut String, element: Element, time: &Zoned) -> std::fmt::Result {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match element {
        Element::LongMonth => out.write_str(month_name(time)),
        Element::Month => out.write_str(&month_name(time)[..3]),
        Element::NumMonth => write!(out, "{}", time.month()),
        Element::ZeroMonth => write!(out, "{:02}", time.month()),
        Element::LongWeekday => out.write_str(day_name(time)),
        Element::Weekday => out.write_str(&day_name(time)[..3]),
        Element::Day => write!(out, "{}", time.day()),
        Element::BlankDay => write!(out, "{:2}", time.day()),
        Element::ZeroDay => write!(out, "{:02}", time.day()),
        Element::ZeroYearDay => write!(out, "{:03}", time.day_of_year()),
        Element::Hour24 => write!(out, "{:02}", time.hour()),
        Element::Hour12 => write!(out, "{hour12}"),
        Element::ZeroHour12 => write!(out, "{hour12:02}"),
        Element::Minute => write!(out, "{}", time.minute()),
        Element::ZeroMinute => write!(out, "{:02}", time.minute()),
        Element::Second => write!(out, "{}", time.second()),
        Element::ZeroSecond => write!(out, "{:02}", time.second()),
        Element::LongYear => write!(out, "{:04}", time.year()),
        Element::Year => write!(out, "{:02}", time.year().rem_euclid(100)),
        Element::Noon { is_small } => out.write_str(match (time.hour() < 12, is_small) {
            (true, true) => "am",
            (true, false) => "AM",
            (false, true) => "pm",
            (false, false) => "PM",
        }),
        Element::ZoneName => write!(out, "{}", time.strftime("%Z")),
        Element::Offset { has_minutes, has_colon, has_z } => write_offset(out, time, has_minutes, has_colon, has_z),
        Element::Fraction { digits, is_trimmed, comma } => write_fraction(out, time, digits, is_trimmed, comma),
    }
}

fn month_name(time: &Zoned) -> &'static str {
    usize::try_from(time.month() - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("January")
}

fn day_name(time: &Zoned) -> &'static str {
    let index = usize::try_from(time.weekday().to_monday_zero_offset());
    index.ok().and_then(|index| DAYS.get(index)).copied().unwrap_or("Monday")
}

fn write_offset(out: &mut String, time: &Zoned, has_minutes: bool, has_colon: bool, has_z: bool) -> std::fmt::Result {
    let seconds = time.offset().seconds();
    if has_z && seconds == 0 {
        return out.write_char('Z');
    }
    let minutes = seconds.unsigned_abs() / 60;
    write!(out, "{}{:02}", if seconds < 0 { '-' } else { '+' }, minutes / 60)?;
    if has_minutes {
        write!(out, "{}{:02}", if has_colon { ":" } else { "" }, minutes % 60)?;
    }
    Ok(())
}

fn write_fraction(out: &mut String, time: &Zoned, digits: usize, is_trimmed: bool, comma: bool) -> std::fmt::Result {
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let kept = &nanoseconds[..digits.min(nanoseconds.len())];
    let kept = if is_trimmed { kept.trim_end_matches('0') } else { kept };
    if is_trimmed && kept.is_empty() {
        return Ok(());
    }
    write!(out, "{}{kept}", if comma { ',' } else { '.' })
}

/// What of a time has been read.
#[derive(Clone, Copy, Debug)]
struct Fields {
    year: i16,
    month: i8,
    day: i8,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    is_afternoon: Option<bool>,
    offset: Option<Offset>,
}

/// Reads a time that is written the way `layout` is; Go's zero time, the start of the year 1, if it is not.
///
/// A time that does not tell its zone is one of `zone`.
pub(super) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Zoned {
    let zero = || Date::constant(1, 1, 1).to_zoned(TimeZone::UTC).expect("the year 1 is in range");
    parse_fields(layout, text).and_then(|fields| fields.time(zone)).unwrap_or_else(zero)
}

fn parse_fields(layout: &str, text: &str) -> Option<Fields> {
    let mut fields = Fields {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        is_afternoon: None,
        offset: None,
    };
    let (mut layout, mut text) = (layout, text);
    while let Some((literal, element, after)) = next_element(layout) {
        text = read_element(element, text.strip_prefix(literal)?, &mut fields)?;
        // A fraction may follow the seconds though the layout has none.
        if matches!(element, Element::Second | Element::ZeroSecond) && !starts_with_fraction(after) {
            text = read_fraction(text, &mut fields).unwrap_or(text);
        }
        layout = after;
    }
    (text == layout).then_some(fields)
}

fn starts_with_fraction(layout: &str) -> bool {
    fraction_at(layout).is_some()
}

/// Reads one element off the front of `text` and gives what follows it.
fn read_element<'t>(element: Element, text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let number = |digits_min, digits_max| read_number(text, digits_min, digits_max);
    match element {
        Element::LongMonth | Element::Month => {
            let letters = if element == Element::Month { 3 } else { usize::MAX };
            let (index, rest) = read_name(text, &MONTHS, letters)?;
            fields.month = i8::try_from(index + 1).ok()?;
            Some(rest)
        }
        Element::LongWeekday => read_name(text, &DAYS, usize::MAX).map(|(_, rest)| rest),
        Element::Weekday => read_name(text, &DAYS, 3).map(|(_, rest)| rest),
        Element::NumMonth => store(&mut fields.month, number(1, 2)?),
        Element::ZeroMonth => store(&mut fields.month, number(2, 2)?),
        Element::Day => store(&mut fields.day, number(1, 2)?),
        Element::BlankDay => store(&mut fields.day, read_number(text.trim_start_matches(' '), 1, 2)?),
        Element::ZeroDay => store(&mut fields.day, number(2, 2)?),
        Element::ZeroYearDay => store(fields.year_day.insert(0), number(3, 3)?),
        Element::Hour24 => store(&mut fields.hour, number(2, 2)?),
        Element::Hour12 => store(&mut fields.hour, number(1, 2)?),
        Element::ZeroHour12 => store(&mut fields.hour, number(2, 2)?),
        Element::Minute => store(&mut fields.minute, number(1, 2)?),
        Element::ZeroMinute => store(&mut fields.minute, number(2, 2)?),
        Element::Second => store(&mut fields.second, number(1, 2)?),
        Element::ZeroSecond => store(&mut fields.second, number(2, 2)?),
        Element::LongYear => store(&mut fields.year, number(4, 4)?),
        Element::Year => {
            let rest = store(&mut fields.year, number(2, 2)?)?;
            fields.year += if fields.year < 69 { 2000 } else { 1900 };
            Some(rest)
        }
        Element::Noon { .. } => {
            let (noon, rest) = text.split_at_checked(2)?;
            fields.is_afternoon = Some(noon.eq_ignore_ascii_case("pm"));
            (noon.eq_ignore_ascii_case("am") || noon.eq_ignore_ascii_case("pm")).then_some(rest)
        }
        Element::ZoneName => {
            let length = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
            if text.starts_with("UTC") {
                fields.offset = Some(Offset::UTC);
            }
            (3..=5).contains(&length).then(|| &text[length..])
        }
        Element::Offset { has_minutes, has_colon, has_z } => {
            let (offset, rest) = read_offset(text, has_minutes, has_colon, has_z)?;
            fields.offset = Some(offset);
            Some(rest)
        }
        // Nines stand for any digits, also for none.
        Element::Fraction { is_trimmed, .. } => read_fraction(text, fields).or(is_trimmed.then_some(text)),
    }
}

fn store<'t, T: TryFrom<i64>>(field: &mut T, (number, rest): (i64, &'t str)) -> Option<&'t str> {
    *field = T::try_from(number).ok()?;
    Some(rest)
}

/// Reads as many digits as there are, within the bounds.
fn read_number(text: &str, digits_min: usize, digits_max: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    if count < digits_min { None } else { Some((digits.parse().ok()?, rest)) }
}

/// Reads one of `names`, or the first `letters` of it, and gives its index.
fn read_name<'t>(text: &'t str, names: &[&str], letters: usize) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let (found, rest) = text.split_at_checked(name.len().min(letters))?;
        found.eq_ignore_ascii_case(&name[..found.len()]).then_some((index, rest))
    })
}

fn read_offset(text: &str, has_minutes: bool, has_colon: bool, has_z: bool) -> Option<(Offset, &str)> {
    if has_z && let Some(rest) = text.strip_prefix('Z') {
        return Some((Offset::UTC, rest));
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, mut rest) = read_number(text.strip_prefix(['+', '-'])?, 2, 2)?;
    let mut minutes = 0;
    if has_minutes {
        rest = if has_colon { rest.strip_prefix(':')? } else { rest };
        (minutes, rest) = read_number(rest, 2, 2)?;
    }
    let seconds = i32::try_from(sign * (hours * 3600 + minutes * 60)).ok()?;
    Some((Offset::from_seconds(seconds).ok()?, rest))
}

/// Reads a point or a comma and digits, of which those after the ninth do not count.
fn read_fraction<'t>(text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    let digits = text.strip_prefix(['.', ','])?;
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if count == 0 {
        return None;
    }
    let nanoseconds: String = digits[..count].chars().chain("000000000".chars()).take(9).collect();
    fields.nanosecond = nanoseconds.parse().ok()?;
    Some(&digits[count..])
}

impl Fields {
    fn time(mut self, zone: &TimeZone) -> Option<Zoned> {
        match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let mut date = Date::new(self.year, self.month, self.day).ok()?;
        if let Some(day) = self.year_day {
            date = date.with().day_of_year(day).build().ok()?;
        }
        let time = jiff::civil::Time::new(self.hour, self.minute, self.second, self.nanosecond).ok()?;
        let zone = self.offset.map_or_else(|| zone.clone(), zone_of);
        DateTime::from_parts(date, time).to_zoned(zone).ok()
    }
}

/// The zone of an offset, under its usual name if it has one.
fn zone_of(offset: Offset) -> TimeZone {
    if offset == Offset::UTC { TimeZone::UTC } else { TimeZone::fixed(offset) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` by `layout`, and writes it by [`DEFAULT_LAYOUT`].
    #[track_caller]
    fn check_parsed(layout: &str, text: &str, expected: &str) {
        assert_eq!(format_default(&parse(layout, text, &TimeZone::UTC)), expected);
    }

    #[track_caller]
    fn check_formatted(layout: &str, expected: &str) {
        let time = parse("2006-01-02T15:04:05Z07:00", "2009-11-05T23:04:05.0678+01:30", &TimeZone::UTC);
        assert_eq!(format(layout, &time).unwrap(), expected);
    }

    #[test]
    fn times_are_written_like_the_reference_time() {
        check_formatted("Monday, 02-Jan-06 15:04:05 -0700", "Thursday, 05-Nov-09 23:04:05 +0130");
        check_formatted("Mon January _2 3:4:5PM 2006 Z07:00", "Thu November  5 11:4:5PM 2009 +01:30");
        check_formatted("15:04:05.000 05.999999 05,00 002 pm", "23:04:05.067 05.0678 05,06 309 pm");
        check_formatted("1/2 Janet .0001 _2006", "11/5 Janet .0011 _2009");
    }

    #[test]
    fn times_are_read_like_the_reference_time() {
        check_parsed("2006-01-02", "2021-11-02", "2021-11-02 00:00:00 +0000 UTC");
        check_parsed(
            "2006-01-02T15:04:05.999999999Z",
            "2023-03-10T01:32:40.340485723Z",
            "2023-03-10 01:32:40.340485723 +0000 UTC",
        );
        check_parsed("Jan 2 2006 3:04PM", "nov 5 2009 12:30AM", "2009-11-05 00:30:00 +0000 UTC");
        check_parsed("2006-01-02 15:04:05", "2009-11-05 01:02:03.5", "2009-11-05 01:02:03.5 +0000 UTC");
        check_parsed("06/002", "09/309", "2009-11-05 00:00:00 +0000 UTC");
    }

    #[test]
    fn what_is_no_time_is_the_zero_time() {
        for text in ["", "2021-13-01", "2021-11-02x", "x"] {
            check_parsed("2006-01-02", text, "0001-01-01 00:00:00 +0000 UTC");
        }
    }
}
