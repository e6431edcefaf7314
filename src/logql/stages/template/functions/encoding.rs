//! Functions that encode and decode: base64, URLs, JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Type::Text;
use super::{Function, Value, text_at};
use crate::logql::stages::json::{self, Scanner};
use crate::logql::stages::template::allowance::Allowance;
use crate::logql::stages::values;

/// How deep a JSON text may nest.
const JSON_DEPTH_MAX: usize = 32;

/// Decodes with padding and without, whatever the bits are that the last character has too many.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("b64enc", &[Text], |_, a| Ok(Value::text(BASE64.encode(text_at(a, 0))))),
    Function::new("b64dec", &[Text], |_, a| Ok(Value::text(base64_decoded(text_at(a, 0))))),
    Function::new("urlencode", &[Text], |_, a| Ok(Value::text(url_encode(text_at(a, 0))))),
    Function::new("urldecode", &[Text], |_, a| url_decode(text_at(a, 0)).map(Value::text)),
    Function::new("fromJson", &[Text], |context, a| {
        let mut scanner = Scanner::new(text_at(a, 0).as_bytes());
        // What is no JSON is nothing, as in sprig. What is too much is refused after the call: nothing more is granted.
        Ok(json_value(&mut scanner, 0, context.allowance).unwrap_or(Value::Nil))
    }),
];

/// The text that is encoded, or what is wrong with it in Go's words. Line breaks mean nothing; padding may be missing.
fn base64_decoded(text: &str) -> String {
    let padding = match text.len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    };
    let padded = format!("{text}{padding}");
    let illegal = |at: usize| format!("illegal base64 data at input byte {at}");
    if let Some(at) = illegal_base64_at(padded.as_bytes()) {
        return illegal(at);
    }
    let encoded: Vec<u8> = padded.bytes().filter(|byte| !is_line_break(*byte)).collect();
    match BASE64.decode(encoded) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => illegal(padded.len()),
    }
}

/// Where Go's decoder stops that wants padding; `None` where it does not.
fn illegal_base64_at(bytes: &[u8]) -> Option<usize> {
    let after_breaks = |at: usize| at + bytes[at..].iter().take_while(|byte| is_line_break(**byte)).count();
    let mut at = after_breaks(0);
    // How many characters there are of the four that make three bytes.
    let mut count = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => count = (count + 1) % 4,
            b'=' if count == 2 => {
                let second = after_breaks(at + 1);
                return match bytes.get(second) {
                    Some(b'=') => Some(after_breaks(second + 1)).filter(|rest| *rest < bytes.len()),
                    Some(_) => Some(second - 1),
                    None => Some(second),
                };
            }
            b'=' if count == 3 => return Some(after_breaks(at + 1)).filter(|rest| *rest < bytes.len()),
            _ => return Some(at),
        }
        at = after_breaks(at + 1);
    }
    (0 < count).then(|| bytes.len() - count)
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Encodes a text as a part of a URL's query.
pub(super) fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    out
}

fn url_decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let code = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let Some(code) = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                    let shown = String::from_utf8_lossy(&rest[..rest.len().min(2)]);
                    return Err(format!("invalid URL escape \"%{shown}\""));
                };
                rest = &rest[2..];
                code
            }
            _ => byte,
        });
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// The value that begins here; numbers are floats. `None` if there is none, or more than is granted.
fn json_value<'a>(scanner: &mut Scanner<'_>, depth: usize, allowance: &mut Allowance) -> Option<Value<'a>> {
    if depth == JSON_DEPTH_MAX {
        return None;
    }
    let value = match scanner.value().ok()? {
        json::Value::Null => Value::Nil,
        json::Value::Text(text) => Value::text(unescaped(text)),
        json::Value::Scalar(b"true") => Value::Bool(true),
        json::Value::Scalar(b"false") => Value::Bool(false),
        json::Value::Scalar(number) => Value::Float(values::parse_float(&String::from_utf8_lossy(number)).ok()?),
        json::Value::Array => {
            let mut elements = Vec::new();
            scanner.enter();
            while scanner.element(elements.is_empty()).ok()? {
                elements.push(json_value(scanner, depth + 1, allowance)?);
            }
            Value::List(elements.into())
        }
        json::Value::Object => {
            let mut members = BTreeMap::new();
            let mut is_first = true;
            scanner.enter();
            while let Some(key) = scanner.key(is_first).ok()? {
                is_first = false;
                let key = unescaped(key);
                allowance.charge(size_of::<String>() + key.len()).ok()?;
                members.insert(key, json_value(scanner, depth + 1, allowance)?);
            }
            Value::Map(members.into())
        }
    };
    allowance.charge(value.byte_count()).ok()?;
    Some(value)
}

fn unescaped(text: json::Text<'_>) -> String {
    let mut out = String::new();
    json::push_text(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_says_where_it_is_wrong() {
        for (encoded, expected) in [
            ("aGVsbG8=", "hello"),
            ("aGVsbG8", "hello"),
            ("aGVs\r\nbG8=\n\n", "hello"),
            ("aGVsbG9=", "hello"),
            ("", ""),
            ("!!", "illegal base64 data at input byte 0"),
            ("aGV!", "illegal base64 data at input byte 3"),
            ("aGVsb", "illegal base64 data at input byte 4"),
            ("a===", "illegal base64 data at input byte 1"),
            ("aG=x", "illegal base64 data at input byte 2"),
            ("aG=\nx", "illegal base64 data at input byte 3"),
            ("aGVsbG8=x===", "illegal base64 data at input byte 8"),
            ("aGVsbG-_", "illegal base64 data at input byte 6"),
        ] {
            assert_eq!(base64_decoded(encoded), expected, "{encoded:?}");
        }
    }
}
