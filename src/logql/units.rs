//! Numbers, durations and amounts of bytes as text: how queries write them, and how they are printed.
//!
//! What stands in label values has laxer rules for bytes and is not read here.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Nanoseconds in a microsecond.
pub const NS_PER_MICROSECOND: i64 = 1_000;
/// Nanoseconds in a millisecond.
pub const NS_PER_MILLISECOND: i64 = 1_000 * NS_PER_MICROSECOND;
/// Nanoseconds in a second.
pub const NS_PER_SECOND: i64 = 1_000 * NS_PER_MILLISECOND;
const NS_PER_MINUTE: i64 = 60 * NS_PER_SECOND;
const NS_PER_HOUR: i64 = 60 * NS_PER_MINUTE;
/// Nanoseconds in a day of 24 hours.
pub const NS_PER_DAY: i64 = 24 * NS_PER_HOUR;

/// Prometheus' units in the order in which they have to stand.
const PROMETHEUS_UNITS: [(&str, i64); 7] = [
    ("y", 365 * NS_PER_DAY),
    ("w", 7 * NS_PER_DAY),
    ("d", NS_PER_DAY),
    ("h", NS_PER_HOUR),
    ("m", NS_PER_MINUTE),
    ("s", NS_PER_SECOND),
    ("ms", NS_PER_MILLISECOND),
];

/// Go's units; the two letters for micro are U+00B5 and U+03BC.
const GO_UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", NS_PER_MICROSECOND),
    ("µs", NS_PER_MICROSECOND),
    ("μs", NS_PER_MICROSECOND),
    ("ms", NS_PER_MILLISECOND),
    ("s", NS_PER_SECOND),
    ("m", NS_PER_MINUTE),
    ("h", NS_PER_HOUR),
];

/// Digits after the point that count.
const FRACTION_DIGITS_MAX: usize = 18;

/// Units of bytes in queries, where their case matters and the final `B` may be missing.
const BYTE_UNITS: [(&str, i64); 12] = [
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("", 1),
];

/// Reads a number as a query writes it: see [`parse_float`]; not so large that it is infinite.
pub fn parse_number(text: &str) -> Option<f64> {
    parse_float(text).filter(|value| value.is_finite())
}

/// Reads a number in Go's syntax for floats: in base ten, or in base sixteen with its exponent of two, such as `0x1p4`;
/// `_` may stand between digits. One that is too large is infinite.
pub fn parse_float(text: &str) -> Option<f64> {
    let unseparated = without_separators(text)?;
    let unsigned = unseparated.strip_prefix(['-', '+']).unwrap_or(&unseparated);
    match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(hexadecimal) => {
            let value = parse_hexadecimal(hexadecimal)?;
            Some(if text.starts_with('-') { -value } else { value })
        }
        None => unseparated.parse().ok(),
    }
}

/// A number without each `_` that separates two digits, or the mark of its base and a digit; `None` where one does not.
pub fn without_separators(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).to_ascii_lowercase();
    let has_mark = ["0x", "0o", "0b"].iter().any(|mark| unsigned.starts_with(mark));
    let is_digit = |byte: u8| byte.is_ascii_digit() || (unsigned.starts_with("0x") && byte.is_ascii_hexdigit());
    let separates = |(at, byte): (usize, u8)| {
        let after = unsigned.as_bytes().get(at + 1);
        let is_behind_mark = has_mark && at == 2;
        let is_behind_digit = 0 < at && is_digit(unsigned.as_bytes()[at - 1]);
        byte != b'_' || ((is_behind_mark || is_behind_digit) && after.is_some_and(|after| is_digit(*after)))
    };
    unsigned.bytes().enumerate().all(separates).then(|| Cow::Owned(text.replace('_', "")))
}

/// Reads what stands after `0x`; the exponent has to be there.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let places = i32::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(places.checked_mul(4)?)?;
    Some(value * 2f64.powi(exponent))
}

/// Reads Prometheus' form, such as `1h30m`: whole numbers, each unit at most once, the largest first. `0` needs no unit.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_prometheus_duration(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    if text == "0" {
        return Ok(0);
    }
    let invalid = || format!("not a valid duration string: {text:?}");
    let mut rest = text;
    let mut total: i64 = 0;
    let mut units_left = PROMETHEUS_UNITS.as_slice();
    while !rest.is_empty() {
        let (digits, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| !c.is_alphabetic());
        if digits.is_empty() || unit.is_empty() {
            return Err(invalid());
        }
        if !PROMETHEUS_UNITS.iter().any(|(name, _)| *name == unit) {
            return Err(format!("unknown unit {unit:?} in duration {text:?}"));
        }
        let place = units_left.iter().position(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let (_, unit_ns) = units_left[place];
        units_left = &units_left[place + 1..];
        let amount = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(unit_ns));
        total = amount.and_then(|ns| total.checked_add(ns)).ok_or("duration out of range")?;
        rest = after;
    }
    Ok(total)
}

/// Reads Go's form, such as `-1.5h` or `300us`: fractions, any order of units, an optional sign. `0` needs no unit.
pub fn parse_go_duration(text: &str) -> Option<i64> {
    let (is_negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(0);
    }
    if unsigned.is_empty() {
        return None;
    }
    let mut rest = unsigned;
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_at_first(rest, |c| !c.is_ascii_digit() && c != '.');
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit() || c == '.');
        let (_, unit_ns) = GO_UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scale(number, *unit_ns)?)?;
        rest = after;
    }
    Some(if is_negative { -total } else { total })
}

/// `number` times `unit`, truncated; `number` is digits with at most one point among them.
fn scale(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // Further digits are worth less than any unit's smallest part.
    let fraction = fraction.get(..FRACTION_DIGITS_MAX).unwrap_or(fraction);
    let digits = format!("{whole}{fraction}");
    if fraction.contains('.') || digits.is_empty() {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let scaled = digits.parse::<i128>().ok()?.checked_mul(i128::from(unit))? / 10i128.pow(places);
    i64::try_from(scaled).ok()
}

/// Reads a duration as a query writes it: Prometheus' form or else Go's, without a sign.
pub fn parse_duration(text: &str) -> Option<i64> {
    parse_prometheus_duration(text).ok().or_else(|| parse_go_duration(text))
}

/// Reads an amount of bytes as a query writes it: a number directly followed by a unit. Fractions of a byte are cut off.
pub fn parse_bytes(text: &str) -> Option<i64> {
    let (number, unit) = split_at_first(text, |c| !c.is_ascii_digit() && c != '.');
    let prefix = unit.strip_suffix('B').unwrap_or(unit);
    if unit.is_empty() {
        return None;
    }
    let (_, factor) = BYTE_UNITS.iter().find(|(name, _)| *name == prefix)?;
    scale(number, *factor)
}

/// Splits before the first character that `ends` the part.
fn split_at_first(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// Prints a duration so that [`parse_duration`], or it after a sign, reads the same: `1w`, `1h30m`, `1s500ms`.
pub fn format_duration(nanoseconds: i64) -> String {
    let mut rest = nanoseconds.unsigned_abs();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = if nanoseconds < 0 { "-".to_owned() } else { String::new() };
    let small = [("us", NS_PER_MICROSECOND), ("ns", 1)];
    for (unit, unit_ns) in PROMETHEUS_UNITS.into_iter().chain(small) {
        let unit_ns = unit_ns.unsigned_abs();
        // Go knows no days: they are only used where nothing smaller is left.
        let is_day_or_more = NS_PER_DAY.unsigned_abs() <= unit_ns;
        if rest < unit_ns || (is_day_or_more && !rest.is_multiple_of(unit_ns)) {
            continue;
        }
        write!(text, "{}{unit}", rest / unit_ns).expect("writing to a string cannot fail");
        rest %= unit_ns;
    }
    text
}

/// Prints an amount of bytes in the largest unit that leaves no fraction, so that [`parse_bytes`] reads the same.
pub fn format_bytes(bytes: i64) -> String {
    let units = BYTE_UNITS.iter().filter(|(name, factor)| *name != "K" && bytes != 0 && bytes % factor == 0);
    let (name, factor) = units.max_by_key(|(_, factor)| *factor).unwrap_or(&("", 1));
    format!("{}{name}B", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_prometheus(text: &str, expected: Result<i64, &str>) {
        assert_eq!(parse_prometheus_duration(text), expected.map_err(str::to_owned));
    }

    #[track_caller]
    fn check_go(text: &str, expected: Option<i64>) {
        assert_eq!(parse_go_duration(text), expected);
    }

    /// A duration in nanoseconds, and how it is printed.
    #[track_caller]
    fn check_printed(nanoseconds: i64, expected: &str) {
        assert_eq!(format_duration(nanoseconds), expected);
        assert_eq!(parse_duration(expected.trim_start_matches('-')), Some(nanoseconds.abs()), "read again");
    }

    #[track_caller]
    fn check_bytes(text: &str, expected: Option<i64>) {
        assert_eq!(parse_bytes(text), expected);
    }

    #[track_caller]
    fn check_number(text: &str, expected: Option<f64>) {
        assert_eq!(parse_number(text), expected);
    }

    #[test]
    fn a_number_in_base_sixteen_needs_its_exponent() {
        check_number("1.5e3", Some(1500.0));
        check_number("0x1p4", Some(16.0));
        check_number("0XA.8P-1", Some(5.25));
        check_number("-0x1p4", Some(-16.0));
        for text in ["0x10", "0o17", "0b1", "0x.p1", "0xgp1", "0x1p", "1e999", "0x1p9999"] {
            check_number(text, None);
        }
    }

    #[test]
    fn digits_may_be_separated() {
        check_number("1_000", Some(1000.0));
        check_number("-1_23.50_0_0e+1_2", Some(-1.235e14));
        check_number("0x_1_2.3_4_5p+1_2", Some(74565.0));
        for text in ["_1", "1_", "1__0", "1_.5", "1._5", "1_e3", "1e_3", "-_1", "0x1_p4"] {
            check_number(text, None);
        }
        assert_eq!(without_separators("0o_17").as_deref(), Some("0o17"));
    }

    #[test]
    fn prometheus_durations_are_whole_and_ordered() {
        check_prometheus("1h30m", Ok(90 * NS_PER_MINUTE));
        check_prometheus("1y1w1d", Ok(373 * NS_PER_DAY));
        check_prometheus("5ms", Ok(5_000_000));
        check_prometheus("0", Ok(0));
        check_prometheus("", Err("empty duration string"));
        check_prometheus("5", Err("not a valid duration string: \"5\""));
        check_prometheus("1.5m", Err("not a valid duration string: \"1.5m\""));
        check_prometheus("-5m", Err("not a valid duration string: \"-5m\""));
        check_prometheus("1m1h", Err("not a valid duration string: \"1m1h\""));
        check_prometheus("1m1m", Err("not a valid duration string: \"1m1m\""));
        check_prometheus("5x", Err("unknown unit \"x\" in duration \"5x\""));
        check_prometheus("9999999y", Err("duration out of range"));
    }

    #[test]
    fn go_durations_take_fractions_and_any_order() {
        check_go("1.5s", Some(1_500_000_000));
        check_go("-.5ms2h", Some(-(2 * NS_PER_HOUR + 500_000)));
        check_go("300µs", Some(300_000));
        check_go("0", Some(0));
        check_go("0.1ns", Some(0));
        for text in ["", "-", "5", "1d", "1.1.1s", ".s", "s", "9999999h"] {
            check_go(text, None);
        }
    }

    #[test]
    fn durations_are_printed_in_units_that_can_be_read_again() {
        check_printed(0, "0s");
        check_printed(7 * NS_PER_DAY, "1w");
        check_printed(25 * NS_PER_HOUR, "25h");
        check_printed(90 * NS_PER_MINUTE, "1h30m");
        check_printed(1_500_000_001, "1s500ms1ns");
        check_printed(-5 * NS_PER_MINUTE, "-5m");
    }

    #[test]
    fn bytes_have_units_whose_case_matters() {
        check_bytes("10GB", Some(10_000_000_000));
        check_bytes("1Ki", Some(1024));
        check_bytes("1.5kB", Some(1500));
        check_bytes("7B", Some(7));
        for text in ["7", "1mb", "1m", "1EB", "B", "99999999999PB"] {
            check_bytes(text, None);
        }
    }

    #[test]
    fn bytes_are_printed_in_the_largest_whole_unit() {
        assert_eq!([0, 999, 1000, 1024, 2 << 30].map(format_bytes), ["0B", "999B", "1kB", "1KiB", "2GiB"]);
    }
}
