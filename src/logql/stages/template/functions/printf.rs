//! `printf`: Go's verbs, flags, widths and precisions, for the types that templates have.

use std::fmt::Write as _;

use crate::logql::stages::template::value::{Value, check_length, format_exponent, format_float, push};

/// Most digits that a float is asked for. Rust writes 65,535 at most, and `%g` may need a few more than asked for.
const PRECISION_MAX: usize = 65_000;
/// Largest width or precision that a value may give; Go's limit.
const NUMBER_MAX: u64 = 1_000_000;

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
    let mut reader = Reader { rest: format, values, next: 0, is_index_good: true, is_reordered: false };
    while let Some((literal, rest)) = reader.rest.split_once('%') {
        push(&mut out, literal)?;
        reader.rest = rest;
        let directive = reader.directive(&mut out)?;
        let Some(verb) = reader.rest.chars().next() else {
            push(&mut out, "%!(NOVERB)")?;
            return Ok(out);
        };
        reader.rest = &reader.rest[verb.len_utf8()..];
        match reader.values.get(reader.next) {
            _ if verb == '%' => push(&mut out, "%")?,
            _ if !reader.is_index_good => push(&mut out, &format!("%!{verb}(BADINDEX)"))?,
            Some(value) => {
                push(&mut out, &formatted(directive, verb, value)?)?;
                reader.next += 1;
            }
            None => push(&mut out, &format!("%!{verb}(MISSING)"))?,
        }
    }
    push(&mut out, reader.rest)?;
    let extra = if reader.is_reordered { &[] } else { values.get(reader.next..).unwrap_or_default() };
    if !extra.is_empty() {
        let extra: Vec<String> = extra.iter().map(described).collect::<Result<_, _>>()?;
        push(&mut out, &format!("%!(EXTRA {})", extra.join(", ")))?;
    }
    Ok(out)
}

/// Reads directives, some of which take values themselves.
struct Reader<'a, 'v> {
    rest: &'a str,
    values: &'a [Value<'v>],
    /// Which value is taken next.
    next: usize,
    /// Whether every index of the directive is one, and where it may stand.
    is_index_good: bool,
    /// Whether there has been an index.
    is_reordered: bool,
}

impl Reader<'_, '_> {
    /// Flags, width and precision: what stands between `%` and the verb. What is wrong with a value is written to `out`.
    fn directive(&mut self, out: &mut String) -> Result<Directive, String> {
        let mut directive = Directive::default();
        self.is_index_good = true;
        let flags_end = self.rest.find(|c| !"-+ 0#".contains(c)).unwrap_or(self.rest.len());
        let (flags, rest) = self.rest.split_at(flags_end);
        self.rest = rest;
        for flag in flags.chars() {
            match flag {
                '-' => directive.is_left = true,
                '+' => directive.has_sign = true,
                ' ' => directive.has_space = true,
                '0' => directive.pads_with_zeros = true,
                _ => directive.is_alternate = true,
            }
        }
        let mut is_behind_index = self.index();
        if self.accept('*') {
            let width = self.number_of_value();
            directive.width = width.map_or(0, |width| usize::try_from(width.unsigned_abs()).unwrap_or(0));
            directive.is_left |= width.is_some_and(|width| width < 0);
            push(out, if width.is_none() { "%!(BADWIDTH)" } else { "" })?;
            is_behind_index = false;
        } else if let Some(width) = self.number()? {
            directive.width = width;
            self.is_index_good &= !is_behind_index;
        }
        if self.accept('.') {
            self.is_index_good &= !is_behind_index;
            is_behind_index = self.index();
            if self.accept('*') {
                directive.precision = self.number_of_value().and_then(|precision| usize::try_from(precision).ok());
                push(out, if directive.precision.is_none() { "%!(BADPREC)" } else { "" })?;
                is_behind_index = false;
            } else {
                directive.precision = Some(self.number()?.unwrap_or(0));
            }
        }
        if !is_behind_index {
            self.index();
        }
        Ok(directive)
    }

    fn accept(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes `[n]`, which says that value `n`, counted from one, is the next; whether there was one.
    fn index(&mut self) -> bool {
        let Some(inside) = self.rest.strip_prefix('[') else { return false };
        self.is_reordered = true;
        let Some((digits, after)) = inside.split_once(']') else {
            (self.rest, self.is_index_good) = (inside, false);
            return false;
        };
        self.rest = after;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let index = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match index.filter(|index| is_number && *index < self.values.len()) {
            Some(index) => self.next = index,
            None => self.is_index_good = false,
        }
        is_number
    }

    /// Takes the value that `*` stands for; `None` where it is no whole number, or too large for a width.
    fn number_of_value(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Value::Int(number) if number.unsigned_abs() <= NUMBER_MAX => Some(*number),
            _ => None,
        }
    }

    /// Takes digits.
    fn number(&mut self) -> Result<Option<usize>, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        if digits.is_empty() {
            return Ok(None);
        }
        let number = digits.parse().unwrap_or(usize::MAX);
        check_length(number)?;
        Ok(Some(number))
    }
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
    fn values_are_taken_by_index() {
        let values = [Value::text("a"), Value::Int(5), Value::Float(1.25)];
        check("%[2]d %[1]s %[1]s %d", &values, "5 a a 5");
        check("%[3]*.[2]*[1]f|", &[Value::Float(12.0), Value::Int(2), Value::Int(6)], " 12.00|");
        check("%[1]s", &values, "a");
        check("%s %[1]q %.1[3]f", &values, "a \"a\" 1.2");
        check("%[4]d %[0]d %[x]d %[-1]d %[2]d", &values, "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) 5");
        check("%[2]3d %[2].3d", &values, "%!d(BADINDEX) %!d(BADINDEX)");
        check("%[3]v %v", &values, "1.25 %!v(MISSING)");
        check("%[2", &values, "%!(NOVERB)");
    }

    #[test]
    fn widths_and_precisions_are_values() {
        check("%*d|%-*s|%0*d", &[5, 42, 4, 7, 4, 3].map(Value::Int), "   42|%!s(int=7)|0003");
        check("%*d|", &[-5, 42].map(Value::Int), "42   |");
        check(
            "%.*f|%*.*f",
            &[Value::Int(1), Value::Float(1.25), Value::Int(6), Value::Int(2), Value::Float(1.0)],
            "1.2|  1.00",
        );
        check("%*d", &[Value::text("x"), Value::Int(1)], "%!(BADWIDTH)1");
        check("%.*d", &[-1, 1].map(Value::Int), "%!(BADPREC)1");
        check("%*d", &[1_000_001, 1].map(Value::Int), "%!(BADWIDTH)1");
        check("%*d", &[Value::Int(1)], "%!d(MISSING)");
        check("%*", &[Value::Int(1)], "%!(NOVERB)");
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
