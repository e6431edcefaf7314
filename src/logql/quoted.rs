//! Quoted texts with the escapes of Go's strings, as queries and their templates have them.

use std::str::Chars;

/// How many bytes of `text` the quoted text at its beginning takes, quotes included; `None` where it does not end on its
/// line.
pub(super) fn length(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Resolves the escapes of what stands between two `quote`s. Bytes that are no UTF-8 cannot be written.
///
/// # Errors
///
/// What is wrong with an escape.
pub(super) fn unquote(text: &str, quote: char) -> Result<String, String> {
    let bytes = resolve(text, &[quote])?;
    String::from_utf8(bytes).map_err(|_| "escapes do not make up UTF-8".to_owned())
}

/// Resolves the escapes in `text`, among them those of `quotes`.
///
/// # Errors
///
/// What is wrong with an escape.
pub(super) fn resolve(text: &str, quotes: &[char]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = rest.next().ok_or("invalid char escape")?;
        match escape {
            'x' => bytes.push(u8::try_from(code(&mut rest, 2, 16, 0)?).expect("two digits are a byte")),
            '0'..='7' => {
                let first = escape.to_digit(8).expect("matched as such");
                let value = code(&mut rest, 2, 8, first)?;
                bytes.push(u8::try_from(value).map_err(|_| "escape is too large for a byte")?);
            }
            'u' | 'U' => {
                let value = code(&mut rest, if escape == 'u' { 4 } else { 8 }, 16, 0)?;
                let character = char::from_u32(value).ok_or("escape is no Unicode character")?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ if quotes.contains(&escape) => bytes.extend_from_slice(escape.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => bytes.push(simple_escape(escape).ok_or("invalid char escape")?),
        }
    }
    Ok(bytes)
}

fn simple_escape(escape: char) -> Option<u8> {
    Some(match escape {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        _ => return None,
    })
}

/// The number that `digits` further digits make up after `first`.
fn code(rest: &mut Chars<'_>, digits: usize, radix: u32, first: u32) -> Result<u32, String> {
    (0..digits).try_fold(first, |value, _| {
        let digit = rest.next().and_then(|c| c.to_digit(radix)).ok_or("invalid char escape")?;
        value
            .checked_mul(radix)
            .and_then(|value| value.checked_add(digit))
            .ok_or_else(|| "invalid char escape".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        assert_eq!(length(&format!("\"{text}\" \""), '"'), Some(text.len() + 2));
        assert_eq!(unquote(text, '"'), expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn escapes_are_resolved() {
        check(r#"\a\b\f\n\r\t\v\\\""#, Ok("\u{7}\u{8}\u{c}\n\r\t\u{b}\\\""));
        check(r"\x41\101\u00e4\U0001F600ä\xc3\xa4", Ok("AAä😀ää"));
    }

    #[test]
    fn other_escapes_are_refused() {
        for text in [r"\q", r"\'", r"\x4", r"\8", r"\u12", r"\U99999999"] {
            assert!(unquote(text, '"').is_err(), "{text}");
        }
        check(r"\q", Err("invalid char escape"));
        check(r"\777", Err("escape is too large for a byte"));
        check(r"\ud800", Err("escape is no Unicode character"));
        check(r"\xff", Err("escapes do not make up UTF-8"));
    }

    #[test]
    fn the_other_quote_needs_no_escape() {
        assert_eq!(unquote(r#"\'""#, '\''), Ok("'\"".to_owned()));
        assert_eq!(length("'\"' ", '\''), Some(3));
        assert_eq!(length("\"a\n\"", '"'), None);
    }
}
