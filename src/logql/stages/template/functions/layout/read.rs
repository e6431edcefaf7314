//! Reads a time that is written the way a layout is.

use jiff::Zoned;
use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use super::{DAYS, Element, MONTHS, fraction_at, next_element};

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
pub(in crate::logql::stages::template) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Zoned {
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
        Element::Hour12 => store(&mut fields.hour, number(1, 2)?),
        Element::Hour24 | Element::ZeroHour12 => store(&mut fields.hour, number(2, 2)?),
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
