//! Text of log lines as labels hold it, and as numbers: the lax forms of values, not the strict ones of queries.
//!
//! Faults are told in the words of Go's standard library, which is what users of Loki know and match on.

use crate::logql::units;

/// Stands for a character that cannot be read.
const UNREADABLE: char = char::REPLACEMENT_CHARACTER;

/// Appends `bytes`; each of them that is not UTF-8, and each U+FFFD, becomes a blank.
pub(super) fn push_value(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => out.push_str(text),
        _ => push_readable(out, bytes),
    }
}

fn push_readable(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.extend(chunk.valid().chars().map(|c| if c == UNREADABLE { ' ' } else { c }));
        out.extend(chunk.invalid().iter().map(|_| ' '));
    }
}

/// Appends `bytes` as they are, with U+FFFD for what is not UTF-8.
pub(super) fn push_lossy(out: &mut String, bytes: &[u8]) {
    out.push_str(&String::from_utf8_lossy(bytes));
}

/// Appends the text of a string with the escapes of JSON, without its quotes; `false` if an escape is none.
///
/// What cannot be read becomes a blank, as in [`push_value`].
pub(super) fn push_unescaped(out: &mut String, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(index) = memchr::memchr(b'\\', rest) {
        push_value(out, &rest[..index]);
        let escape = &rest[index + 1..];
        let Some((c, after)) = unescape(escape) else { return false };
        out.push(if c == UNREADABLE { ' ' } else { c });
        rest = after;
    }
    push_value(out, rest);
    true
}

/// Whether every escape in `bytes` is one of JSON.
pub(super) fn is_unescapable(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(index) = memchr::memchr(b'\\', rest) {
        let Some((_, after)) = unescape(&rest[index + 1..]) else { return false };
        rest = after;
    }
    true
}

/// The character that an escape stands for, and what follows it; `escape` starts after the backslash.
fn unescape(escape: &[u8]) -> Option<(char, &[u8])> {
    let (&kind, rest) = escape.split_first()?;
    let c = match kind {
        b'"' | b'\\' | b'/' | b'\'' => char::from(kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unicode(rest),
        _ => return None,
    };
    Some((c, rest))
}

/// The character of four hexadecimal digits, or of a pair of surrogates; half a pair cannot be read.
fn unescape_unicode(digits: &[u8]) -> Option<(char, &[u8])> {
    let (high, rest) = hex4(digits)?;
    if !(0xD800..0xDC00).contains(&high) {
        return Some((char::from_u32(high).unwrap_or(UNREADABLE), rest));
    }
    if let Some((low, after)) = rest.strip_prefix(b"\\u").and_then(hex4)
        && (0xDC00..0xE000).contains(&low)
    {
        let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        return Some((char::from_u32(code).unwrap_or(UNREADABLE), after));
    }
    Some((UNREADABLE, rest))
}

fn hex4(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())??;
    Some((code, rest))
}

/// Appends `key` as a label's name or as a part of one: every character that names do not have becomes `_`.
///
/// Blanks around it are cut off. A part in front gets `_` before a leading digit.
pub(super) fn push_name(out: &mut String, key: &str) {
    let key = key.trim();
    if out.is_empty() && key.starts_with(|c: char| c.is_ascii_digit()) {
        out.push('_');
    }
    let is_clean = key.bytes().all(is_name_byte);
    if is_clean {
        out.push_str(key);
    } else {
        out.extend(key.chars().map(|c| if c.is_ascii() && is_name_byte(c as u8) { c } else { '_' }));
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Reads a number in Go's syntax for floats.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_float(text: &str) -> Result<f64, String> {
    let fault = |reason| format!("strconv.ParseFloat: parsing {text:?}: {reason}");
    let value = units::parse_float(text).ok_or_else(|| fault("invalid syntax"))?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(fault("value out of range"));
    }
    Ok(value)
}

/// Reads a duration in Go's syntax, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    units::parse_go_duration(text).ok_or_else(|| duration_fault(text))
}

/// Why `text` is no duration.
fn duration_fault(text: &str) -> String {
    let invalid = || format!("time: invalid duration {text:?}");
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text.trim_start_matches(['+', '-']);
    while !rest.is_empty() {
        let after_number = rest.trim_start_matches(is_digit);
        let number = &rest[..rest.len() - after_number.len()];
        if !number.contains(|c: char| c.is_ascii_digit()) || 1 < number.matches('.').count() {
            return invalid();
        }
        rest = after_number.trim_start_matches(|c| !is_digit(c));
        match &after_number[..after_number.len() - rest.len()] {
            "" => return format!("time: missing unit in duration {text:?}"),
            "ns" | "us" | "µs" | "μs" | "ms" | "s" | "m" | "h" => {}
            unit => return format!("time: unknown unit {unit:?} in duration {text:?}"),
        }
    }
    invalid()
}

/// Reads an amount of bytes: a number with an optional unit in any case, as in `42kb`, `1,024`, `1.5 MiB`.
///
/// # Errors
///
/// What is wrong with the text.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let number_end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_end);
    let unit = unit.trim();
    let value = if number.contains(',') { parse_float(&number.replace(',', ""))? } else { parse_float(number)? };
    let factor = byte_factor(unit).ok_or_else(|| format!("unhandled size name: {}", unit.to_lowercase()))?;
    let bytes = value * factor;
    // 2^64 as a float; amounts beyond do not fit.
    if 18_446_744_073_709_551_616.0 <= bytes {
        return Err(format!("too large: {text}"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above, and never negative")]
    let whole = bytes as u64;
    Ok(whole)
}

/// How many bytes a unit of any case stands for.
fn byte_factor(unit: &str) -> Option<f64> {
    const PREFIXES: &str = "kmgtpe";
    let mut letters = unit.chars().map(|c| c.to_ascii_lowercase());
    let Some(first) = letters.next() else { return Some(1.0) };
    let rest: String = letters.collect();
    if first == 'b' && rest.is_empty() {
        return Some(1.0);
    }
    let power = i32::try_from(PREFIXES.find(first)?).ok()? + 1;
    match rest.as_str() {
        "" | "b" => Some(1000_f64.powi(power)),
        "i" | "ib" => Some(1024_f64.powi(power)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_unescaped(escaped: &[u8], expected: Option<&str>) {
        let mut out = String::new();
        let is_whole = push_unescaped(&mut out, escaped);
        assert_eq!(is_whole.then_some(out.as_str()), expected);
    }

    #[track_caller]
    fn check_name(key: &str, expected: &str) {
        let mut out = String::new();
        push_name(&mut out, key);
        assert_eq!(out, expected);
    }

    /// A value of each kind: what it is, or why it is none.
    #[track_caller]
    fn check<T: std::fmt::Debug + PartialEq>(
        parse: impl Fn(&str) -> Result<T, String>,
        text: &str,
        expected: Result<T, &str>,
    ) {
        assert_eq!(parse(text), expected.map_err(str::to_owned));
    }

    #[test]
    fn escapes_are_those_of_json() {
        check_unescaped(br#"a\n\t\"\\\/b"#, Some("a\n\t\"\\/b"));
        check_unescaped(br"\u00e4\ud83d\ude00", Some("ä😀"));
        check_unescaped(br"\ud83d-\udE00\ufffd", Some(" -  "));
        check_unescaped(b"b\xffr \xef\xbf\xbd", Some("b r  "));
        for bad in [&br"\"[..], br"\q", br"\u00", br"\u+123"] {
            check_unescaped(bad, None);
        }
    }

    #[test]
    fn names_made_from_data_are_sanitised() {
        check_name("a.b-c", "a_b_c");
        check_name(" 1 1\t", "_1_1");
        check_name("ÜFT8👌", "_FT8_");
        check_name("  ", "");
    }

    #[test]
    fn floats_are_those_of_go() {
        check(parse_float, "1e3", Ok(1000.0));
        check(parse_float, "+Inf", Ok(f64::INFINITY));
        check(parse_float, "-.5", Ok(-0.5));
        check(parse_float, "1_000", Ok(1000.0));
        check(parse_float, "0x1p4", Ok(16.0));
        check(parse_float, "1__0", Err("strconv.ParseFloat: parsing \"1__0\": invalid syntax"));
        check(parse_float, "1x", Err("strconv.ParseFloat: parsing \"1x\": invalid syntax"));
        check(parse_float, "1e999", Err("strconv.ParseFloat: parsing \"1e999\": value out of range"));
        assert!(parse_float("NaN").unwrap().is_nan());
    }

    #[test]
    fn durations_say_what_is_wrong_as_go_does() {
        check(parse_duration, "1h30m", Ok(5_400_000_000_000));
        check(parse_duration, "2weee", Err("time: unknown unit \"weee\" in duration \"2weee\""));
        check(parse_duration, "1d", Err("time: unknown unit \"d\" in duration \"1d\""));
        check(parse_duration, "5", Err("time: missing unit in duration \"5\""));
        check(parse_duration, "", Err("time: invalid duration \"\""));
        check(parse_duration, "fast", Err("time: invalid duration \"fast\""));
        check(parse_duration, "1.2.3s", Err("time: invalid duration \"1.2.3s\""));
        check(parse_duration, "99999999h", Err("time: invalid duration \"99999999h\""));
    }

    #[test]
    fn bytes_have_units_in_any_case() {
        check(parse_bytes, "42", Ok(42));
        check(parse_bytes, "42kb", Ok(42_000));
        check(parse_bytes, "42 KiB", Ok(43_008));
        check(parse_bytes, "1,024b", Ok(1024));
        check(parse_bytes, "1.5m", Ok(1_500_000));
        check(parse_bytes, "0.7B", Ok(0));
        check(parse_bytes, "15E", Ok(15_000_000_000_000_000_000));
        check(parse_bytes, "2qb", Err("unhandled size name: qb"));
        check(parse_bytes, "kb", Err("strconv.ParseFloat: parsing \"\": invalid syntax"));
        check(parse_bytes, "17EiB", Err("too large: 17EiB"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_float(&text), parse_duration(&text), parse_bytes(&text));
            let mut out = String::new();
            push_unescaped(&mut out, &bytes);
            push_value(&mut out, &bytes);
            push_name(&mut out, &text);
        }
    }
}
