//! Functions on numbers. They take anything: a text is read as a number, and what is none is 0.

use super::Type::{Any, Float, Int, Text};
use super::decimal::{self, Operation};
use super::{Function, Value, int_at, text_at};
use crate::logql::stages::{unwrap, values};
use crate::logql::units;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("int", &[Any], |_, a| Ok(Value::Int(to_int(&a[0])))),
    Function::new("float64", &[Any], |_, a| Ok(Value::Float(to_float(&a[0])))),
    Function::with_rest("add", &[], Any, |_, a| Ok(Value::Int(a.iter().map(to_int).fold(0, i64::wrapping_add)))),
    Function::new("sub", &[Any, Any], |_, a| Ok(Value::Int(to_int(&a[0]).wrapping_sub(to_int(&a[1]))))),
    Function::with_rest("mul", &[Any], Any, |_, a| Ok(Value::Int(a.iter().map(to_int).fold(1, i64::wrapping_mul)))),
    Function::new("div", &[Any, Any], |_, a| divided(a, i64::wrapping_div)),
    Function::new("mod", &[Any, Any], |_, a| divided(a, i64::wrapping_rem)),
    Function::with_rest("max", &[Any], Any, |_, a| Ok(Value::Int(a.iter().map(to_int).max().unwrap_or(0)))),
    Function::with_rest("min", &[Any], Any, |_, a| Ok(Value::Int(a.iter().map(to_int).min().unwrap_or(0)))),
    Function::with_rest("addf", &[], Any, |_, a| calculated(a, Operation::Add)),
    Function::with_rest("subf", &[Any], Any, |_, a| calculated(a, Operation::Sub)),
    Function::with_rest("mulf", &[Any], Any, |_, a| calculated(a, Operation::Mul)),
    Function::with_rest("divf", &[Any], Any, |_, a| calculated(a, Operation::Div)),
    Function::with_rest("maxf", &[Any], Any, |_, a| Ok(Value::Float(a.iter().map(to_float).fold(f64::NAN, f64::max)))),
    Function::with_rest("minf", &[Any], Any, |_, a| Ok(Value::Float(a.iter().map(to_float).fold(f64::NAN, f64::min)))),
    Function::new("ceil", &[Any], |_, a| Ok(Value::Float(to_float(&a[0]).ceil()))),
    Function::new("floor", &[Any], |_, a| Ok(Value::Float(to_float(&a[0]).floor()))),
    Function::with_rest("round", &[Any, Int], Float, |_, a| {
        let threshold = a.get(2).map_or(0.5, to_float);
        Ok(Value::Float(round(to_float(&a[0]), int_at(a, 1), threshold)))
    }),
    Function::new("bytes", &[Text], |_, a| {
        values::parse_bytes(text_at(a, 0)).map(|bytes| Value::Float(unwrap::bytes_as_float(bytes)))
    }),
    Function::new("duration", &[Text], |_, a| seconds(text_at(a, 0))),
    Function::new("duration_seconds", &[Text], |_, a| seconds(text_at(a, 0))),
    // Those of Prometheus, for alerts.
    Function::new("humanize", &[Any], |_, a| Ok(Value::text(humanize(to_float(&a[0]), false)))),
    Function::new("humanize1024", &[Any], |_, a| Ok(Value::text(humanize(to_float(&a[0]), true)))),
    Function::new("humanizePercentage", &[Any], |_, a| {
        Ok(Value::text(format!("{}%", four_digits(100.0 * to_float(&a[0])))))
    }),
    Function::new("humanizeDuration", &[Any], |_, a| Ok(Value::text(humanize_duration(to_float(&a[0]))))),
];

/// A number with four digits and a prefix for powers of 1000, or of 1024 if it `is_binary`, as Prometheus writes it.
fn humanize(number: f64, is_binary: bool) -> String {
    const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];
    let base = if is_binary { 1024.0 } else { 1000.0 };
    let (mut scaled, mut prefix) = (number, "");
    if !number.is_finite() {
        return four_digits(number);
    }
    for larger in LARGE {
        if scaled.abs() < base {
            break;
        }
        (prefix, scaled) = (larger, scaled / base);
    }
    for smaller in SMALL {
        if is_binary || scaled == 0.0 || 1.0 <= scaled.abs() {
            break;
        }
        (prefix, scaled) = (smaller, scaled * base);
    }
    let unit = if is_binary && !prefix.is_empty() { "i" } else { "" };
    format!("{}{prefix}{unit}", four_digits(scaled))
}

/// Go's `%.4g`: four digits that count, without zeros at the end.
fn four_digits(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN"
        } else if number < 0.0 {
            "-Inf"
        } else {
            "+Inf"
        }
        .to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of any number is within hundreds")]
    let exponent = number.abs().log10().floor() as i32;
    if !(-4..4).contains(&exponent) {
        let text = format!("{number:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = format!("{number:.*}", usize::try_from(3 - exponent).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Seconds as a length of time, as Prometheus writes it: `1d 2h 3m 4s`, `12.34s`, `5ms`.
fn humanize_duration(seconds: f64) -> String {
    if seconds == 0.0 || !seconds.is_finite() {
        return format!("{}s", four_digits(seconds));
    }
    if seconds.abs() < 1.0 {
        return format!("{}s", humanize(seconds, false));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let rest = seconds.abs();
    let (minutes, hours, days) =
        ((rest / 60.0).floor() % 60.0, (rest / 3600.0).floor() % 24.0, (rest / 86_400.0).floor());
    let whole = rest.floor() % 60.0;
    if 0.0 < days {
        return format!("{sign}{days}d {hours}h {minutes}m {whole}s");
    }
    if 0.0 < hours {
        return format!("{sign}{hours}h {minutes}m {whole}s");
    }
    if 0.0 < minutes {
        return format!("{sign}{minutes}m {whole}s");
    }
    format!("{sign}{}s", four_digits(rest))
}

/// Applies an operation to the first number and each of the others.
fn calculated<'a>(numbers: &[Value<'_>], operation: Operation) -> Result<Value<'a>, String> {
    let Some((first, others)) = numbers.split_first() else { return Ok(Value::Float(0.0)) };
    let step = |result, number| decimal::apply(operation, result, to_float(number)).ok_or("decimal division by 0");
    Ok(Value::Float(others.iter().try_fold(to_float(first), step)?))
}

fn divided<'a>(arguments: &[Value<'_>], operation: fn(i64, i64) -> i64) -> Result<Value<'a>, String> {
    match (to_int(&arguments[0]), to_int(&arguments[1])) {
        (_, 0) => Err("runtime error: integer divide by zero".to_owned()),
        (left, right) => Ok(Value::Int(operation(left, right))),
    }
}

/// Rounds to so many decimal places; up from `threshold` of the last one on.
fn round(number: f64, places: i64, threshold: f64) -> f64 {
    let power = 10_f64.powi(i32::try_from(places.clamp(-400, 400)).unwrap_or(0));
    let scaled = number * power;
    let rounded = if threshold <= scaled.fract() { scaled.ceil() } else { scaled.floor() };
    rounded / power
}

fn seconds<'a>(text: &str) -> Result<Value<'a>, String> {
    values::parse_duration(text).map(|nanoseconds| Value::Float(unwrap::seconds(nanoseconds)))
}

/// A value as a whole number.
#[expect(clippy::cast_possible_truncation, reason = "a float that is too large is the largest number")]
pub(super) fn to_int(value: &Value<'_>) -> i64 {
    match value {
        Value::Int(number) => *number,
        Value::Float(number) => *number as i64,
        Value::Bool(truth) => i64::from(*truth),
        Value::Text(text) => parse_int(whole_part(text)).unwrap_or(0),
        _ => 0,
    }
}

/// A value as a float.
#[expect(clippy::cast_precision_loss, reason = "what asks for a float gets the nearest one")]
pub(super) fn to_float(value: &Value<'_>) -> f64 {
    match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        Value::Text(text) => values::parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// What stands in front of the point of a decimal number without exponent: `3` of `3.14`. Other texts stay as they are.
fn whole_part(text: &str) -> &str {
    let Some((whole, fraction)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let is_decimal = [digits, fraction].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    match is_decimal {
        true if digits.is_empty() => "0",
        true => whole,
        false => text,
    }
}

/// Reads a whole number in Go's syntax: `0x`, `0o`, `0b` or a leading zero tell the base; `_` may stand between digits.
pub(in crate::logql::stages::template) fn parse_int(text: &str) -> Option<i64> {
    let text = units::without_separators(text)?;
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", &*text),
    };
    let lower = digits.to_ascii_lowercase();
    let bases = [("0x", 16), ("0o", 8), ("0b", 2)];
    let found = bases.iter().find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, *base)));
    let (digits, base) = match found {
        Some(found) => found,
        None if 1 < lower.len() && lower.starts_with('0') => (&lower[1..], 8),
        None => (lower.as_str(), 10),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_the_base_that_their_prefix_tells() {
        let texts = [
            "12",
            "-0x10",
            "010",
            "0b11",
            "0o7",
            "0",
            "1_000",
            "",
            "-",
            "08",
            "1.5",
            "--1",
            "1__0",
            "9".repeat(20).as_str(),
        ]
        .map(parse_int);
        let numbers = [Some(12), Some(-16), Some(8), Some(3), Some(7), Some(0), Some(1000)];
        assert_eq!(texts[..7], numbers);
        assert!(texts[7..].iter().all(Option::is_none));
    }

    #[test]
    fn decimal_text_is_cut_to_its_whole_part() {
        let texts = ["3.14", "-3.99", "2.00", ".5", "-.5", ".", "010.5", "1536.5", "1_000"];
        assert_eq!(texts.map(|text| to_int(&Value::text(text))), [3, -3, 2, 0, 0, 0, 8, 1536, 1000]);
        let others = ["1.5e3", "1.5kB", "1.2.3", "1e3", "x.5", "1_0.5", ""];
        assert_eq!(others.map(|text| to_int(&Value::text(text))), [0; 7]);
    }

    #[test]
    fn rounding_goes_up_from_the_threshold_on() {
        let rounded = [round(3.885_714, 5, 0.2), round(2.5, 0, 0.5), round(-2.5, 0, 0.5), round(123.4, -1, 0.5)];
        assert_eq!(rounded.map(|number| number.to_string()), ["3.88572", "3", "-3", "120"]);
    }
}
