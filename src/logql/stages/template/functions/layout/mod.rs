//! Go's layouts: a time is written, or read, the way the layout writes the reference time,
//! `Mon Jan 2 15:04:05 MST 2006`, in the zone `-0700`.

mod read;
mod write;

pub(in crate::logql::stages::template) use read::parse;
pub(in crate::logql::stages::template) use write::{format, format_default};

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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

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
