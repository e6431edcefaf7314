//! Writes a time the way a layout is written.

use std::fmt::Write as _;

use jiff::Zoned;

use super::{DAYS, DEFAULT_LAYOUT, Element, MONTHS, next_element};
use crate::logql::stages::template::value::check_length;

/// Writes a time as Go prints it without being told how.
pub(in crate::logql::stages::template) fn format_default(time: &Zoned) -> String {
    format(DEFAULT_LAYOUT, time).unwrap_or_default()
}

/// Writes a time the way `layout` is written.
pub(in crate::logql::stages::template) fn format(layout: &str, time: &Zoned) -> Result<String, String> {
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
