//! `printf`: Go's verbs, flags, widths and precisions, for the types that templates have.

use std::fmt::Write as _;

use crate::logql::stages::template::value::{Value, check_length, format_exponent, format_float, push};

/// Most digits that a float is asked for. Rust writes 65,535 at most, and `%g` may need a few more than asked for.
const PRECISION_MAX: usize = 65_000;

/// What stands between `%` and its verb.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags that go with each other as they like")]
struct Directive {
    is_left: bool,
    has_sign: bool,
    has_space: bool,
    pads_with_zeros: bool,
    is_alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats `values` as `format` says; what does not fit is printed as Go prints it, with `%!`.
pub(super) fn format(format: &str, values: &[Value<'_>]) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    let mut values_left = values.iter();
    while let Some((literal, directive)) = rest.split_once('%') {
        push(&mut out, literal)?;
        let (directive, after) = parse(directive)?;
        let Some(verb) = after.chars().next() else {
            push(&mut out, "%!(NOVERB)")?;
            return Ok(out);
        };
        rest = &after[verb.len_utf8()..];
        if verb == '%' {
            push(&mut out, "%")?;
            continue;
        }
        match values_left.next() {
            Some(value) => push(&mut out, &formatted(directive, verb, value)?)?,
            None => push(&mut out, &format!("%!{verb}(MISSING)"))?,
        }
    }
    push(&mut out, rest)?;
    let extra: Vec<String> = values_left.map(described).collect::<Result<_, _>>()?;
    if !extra.is_empty() {
        push(&mut out, &format!("%!(EXTRA {})", extra.join(", ")))?;
    }
    Ok(out)
}

/// Flags, width and precision, and what follows them.
fn parse(text: &str) -> Result<(Directive, &str), String> {
    let mut directive = Directive::default();
    let flags_end = text.find(|c| !"-+ 0#".contains(c)).unwrap_or(text.len());
    for flag in text[..flags_end].chars() {
        match flag {
            '-' => directive.is_left = true,
            '+' => directive.has_sign = true,
            ' ' => directive.has_space = true,
            '0' => directive.pads_with_zeros = true,
            _ => directive.is_alternate = true,
        }
    }
    let (width, mut rest) = number(&text[flags_end..])?;
    directive.width = width;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = number(after)?;
        directive.precision = Some(precision);
        rest = after;
    }
    Ok((directive, rest))
}

fn number(text: &str) -> Result<(usize, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(usize::MAX) };
    check_length(number)?;
    Ok((number, rest))
}

fn formatted(directive: Directive, verb: char, value: &Value<'_>) -> Result<String, String> {
    let text = match (verb, value) {
        ('v', Value::Int(_) | Value::Float(_)) => return formatted_number(directive, verb, value),
        ('v' | 's', Value::Text(_)) | ('v', _) => truncated(directive, &value.printed()?),
        ('s', Value::Time(_) | Value::List(_) | Value::Map(_)) => value.printed()?.into_owned(),
        ('q', Value::Text(text)) if directive.is_alternate && !text.contains('`') => format!("`{text}`"),
        ('q', Value::Text(text)) => format!("{text:?}"),
        ('x', Value::Text(text)) => hexadecimal(text),
        ('X', Value::Text(text)) => hexadecimal(text).to_uppercase(),
        ('t', Value::Bool(truth)) => truth.to_string(),
        ('T', _) => value.type_name().to_owned(),
        ('c', Value::Int(code)) => char_of(*code).to_string(),
        ('q', Value::Int(code)) => format!("{:?}", char_of(*code)),
        ('U', Value::Int(code)) => format!("U+{code:04X}"),
        (_, Value::Int(_) | Value::Float(_)) => return formatted_number(directive, verb, value),
        (_, Value::Nil) => format!("%!{verb}(<nil>)"),
        _ => format!("%!{verb}({})", described(value)?),
    };
    Ok(padded(directive, &text))
}

fn formatted_number(directive: Directive, verb: char, value: &Value<'_>) -> Result<String, String> {
    let (is_negative, digits) = match (verb, value) {
        ('v' | 'd', Value::Int(number)) => (*number < 0, number.unsigned_abs().to_string()),
        ('b', Value::Int(number)) => (*number < 0, format!("{:b}", number.unsigned_abs())),
        ('o', Value::Int(number)) => (*number < 0, format!("{:o}", number.unsigned_abs())),
        ('x', Value::Int(number)) if directive.is_alternate => (*number < 0, format!("{:#x}", number.unsigned_abs())),
        ('x', Value::Int(number)) => (*number < 0, format!("{:x}", number.unsigned_abs())),
        ('X', Value::Int(number)) => (*number < 0, format!("{:X}", number.unsigned_abs())),
        ('v' | 'g' | 'G' | 'f' | 'F' | 'e' | 'E', Value::Float(number)) => {
            (number.is_sign_negative() && !number.is_nan(), float_digits(directive, verb, number.abs())?)
        }
        _ => return Ok(padded(directive, &format!("%!{verb}({})", described(value)?))),
    };
    let sign = match (is_negative, directive.has_sign, directive.has_space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let zeros = match directive {
        Directive { pads_with_zeros: true, is_left: false, width, .. } => {
            "0".repeat(width.saturating_sub(sign.len() + digits.len()))
        }
        _ => String::new(),
    };
    Ok(padded(directive, &format!("{sign}{zeros}{digits}")))
}

/// The digits of a float that is not negative.
fn float_digits(directive: Directive, verb: char, number: f64) -> Result<String, String> {
    if !number.is_finite() {
        return Ok(format_float(number));
    }
    let precision = directive.precision.unwrap_or(6);
    if PRECISION_MAX < precision {
        return Err(format!("a precision of {precision} is over the limit of {PRECISION_MAX}"));
    }
    Ok(match (verb, directive.precision) {
        ('f' | 'F', _) => format!("{number:.precision$}"),
        ('e' | 'E', _) => {
            let scientific = format!("{number:.precision$e}");
            let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            let marker = verb;
            format!("{mantissa}{marker}{}", format_exponent(exponent.parse().unwrap_or(0)))
        }
        (_, None) => format_float(number),
        (_, Some(precision)) => significant(number, precision.max(1)),
    })
}

/// A float with so many significant digits, without zeros at its end.
fn significant(number: f64, digit_count: usize) -> String {
    let scientific = format!("{number:.*e}", digit_count - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let without_zeros = |text: &str| {
        let kept = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        kept.to_owned()
    };
    let places = i64::try_from(digit_count).unwrap_or(i64::MAX) - 1 - i64::from(exponent);
    match usize::try_from(places) {
        Ok(places) if -4 <= exponent => without_zeros(&format!("{number:.places$}")),
        _ => format!("{}e{}", without_zeros(mantissa), format_exponent(exponent)),
    }
}

/// A text cut to the precision, in characters.
fn truncated(directive: Directive, text: &str) -> String {
    directive.precision.map_or_else(|| text.to_owned(), |count| text.chars().take(count).collect())
}

/// A text padded to the width, in characters.
fn padded(directive: Directive, text: &str) -> String {
    let blanks = " ".repeat(directive.width.saturating_sub(text.chars().count()));
    if directive.is_left { format!("{text}{blanks}") } else { format!("{blanks}{text}") }
}

fn hexadecimal(text: &str) -> String {
    let mut out = String::with_capacity(2 * text.len());
    for byte in text.bytes() {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
    }
    out
}

fn char_of(code: i64) -> char {
    u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A value with its type, for what does not fit.
fn described(value: &Value<'_>) -> Result<String, String> {
    Ok(format!("{}={}", value.type_name(), value.printed()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, values: &[Value<'_>], expected: &str) {
        assert_eq!(format(text, values).unwrap(), expected);
    }

    #[test]
    fn texts_have_a_width_and_a_precision() {
        check(
            "%s|%5s|%-5s|%.2s|%q|%x",
            &["ab", "ab", "ab", "äbc", "a\"b", "az"].map(Value::text),
            "ab|   ab|ab   |äb|\"a\\\"b\"|617a",
        );
        check("%v %%", &[Value::text("x")], "x %");
    }

    #[test]
    fn whole_numbers_have_signs_and_bases() {
        check("%d|%5d|%05d|%+d|%-4d|", &[1, -2, -3, 4, 5].map(Value::Int), "1|   -2|-0003|+4|5   |");
        check("%x|%X|%o|%b|%c|%#x", &[255, 255, 8, 5, 65, 16].map(Value::Int), "ff|FF|10|101|A|0x10");
    }

    #[test]
    fn floats_have_a_precision() {
        check(
            "%f|%.2f|%8.1f|%v|%e",
            &[1.5, 1.005, 2.25, 1e6, 1234.5].map(Value::Float),
            "1.500000|1.00|     2.2|1e+06|1.234500e+03",
        );
        check("%.3g|%g|%.2g", &[1234.5, 0.5, 0.5].map(Value::Float), "1.23e+03|0.5|0.5");
    }

    #[test]
    fn a_float_has_no_more_digits_than_can_be_written() {
        for verb in ['f', 'F', 'e', 'E', 'g', 'G', 'v'] {
            for number in [1.5, 0.0001, 1e300, 0.0].map(Value::Float) {
                let formatted = |precision| format(&format!("%.{precision}{verb}"), std::slice::from_ref(&number));
                assert!(formatted(65_000).is_ok());
                let refusal = formatted(70_000).unwrap_err();
                assert_eq!(refusal, "a precision of 70000 is over the limit of 65000");
            }
        }
        assert_eq!(format("%070000d", &[Value::Int(1)]).unwrap().len(), 70_000);
        check("%.70000s|%.70000d", &[Value::text("x"), Value::Int(1)], "x|1");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        check("%d", &[Value::text("x")], "%!d(string=x)");
        check("%s %s", &[Value::Int(1)], "%!s(int=1) %!s(MISSING)");
        check("a", &[Value::Int(1)], "a%!(EXTRA int=1)");
        check("%", &[], "%!(NOVERB)");
        assert!(format("%9999999999d", &[Value::Int(1)]).is_err());
    }
}
