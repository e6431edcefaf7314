//! The little of JSON that log lines need: the top-level members of an object, found without parsing the rest.
//!
//! No allocation, no recursion. Not a validator: what is skipped need not be well-formed, but members are only found
//! where well-formed JSON has them. Strings stay as they stand in the text, escapes and all; a key that is spelled with
//! escapes is not recognised.

use memchr::{memchr, memchr2};

/// The members of one object, in their order.
#[derive(Debug)]
pub(super) struct Members<'a> {
    /// What follows the opening brace or the last member; `None` after the closing brace or an error.
    rest: Option<&'a [u8]>,
    is_complete: bool,
}

/// A member's value as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A string, without its quotes; may hold escapes.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object or an array, with its brackets.
    Nested(&'a [u8]),
}

impl<'a> Members<'a> {
    /// The members of the object that `text` consists of; `None` if it does not begin like one.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let rest = text.strip_prefix(b"{")?;
        Some(Self { rest: Some(skip_blanks(rest)), is_complete: false })
    }

    /// Whether the last member has been read, the object was closed, and nothing follows it.
    pub(super) fn are_complete(&self) -> bool {
        self.is_complete
    }
}

impl<'a> Iterator for Members<'a> {
    /// Key and value.
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (key, rest) = string(rest)?;
        let rest = skip_blanks(rest).strip_prefix(b":")?;
        let (value, rest) = value(skip_blanks(rest))?;
        match skip_blanks(rest).split_first()? {
            (b',', rest) => self.rest = Some(skip_blanks(rest)),
            (b'}', rest) => self.is_complete = skip_blanks(rest).is_empty(),
            _ => return None,
        }
        Some((key, value))
    }
}

/// Appends the text that the string `raw` (without its quotes) stands for; `None` at an escape that JSON does not have.
///
/// Surrogates without their other half become U+FFFD.
pub(super) fn unescape(mut raw: &[u8], text: &mut Vec<u8>) -> Option<()> {
    while let Some(at) = memchr(b'\\', raw) {
        let (literal, escape) = raw.split_at_checked(at)?;
        text.extend_from_slice(literal);
        let (&letter, rest) = escape.get(1..)?.split_first()?;
        raw = rest;
        text.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => b'\x08',
            b'f' => b'\x0c',
            b'u' => {
                let (character, rest) = unicode(rest)?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                raw = rest;
                continue;
            }
            _ => return None,
        });
    }
    text.extend_from_slice(raw);
    Some(())
}

/// The character of a `\u` escape, whose four digits `raw` begins with, and what follows it.
fn unicode(raw: &[u8]) -> Option<(char, &[u8])> {
    let (high, rest) = utf16_unit(raw)?;
    let low = rest.strip_prefix(br"\u").and_then(utf16_unit);
    if let Some((low, rest)) = low
        && let Some(Ok(character)) = char::decode_utf16([high, low]).next()
        && character.len_utf16() == 2
    {
        return Some((character, rest));
    }
    Some((char::from_u32(high.into()).unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}

/// Four hexadecimal digits and what follows them.
fn utf16_unit(raw: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = raw.split_first_chunk::<4>()?;
    let unit = digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))?;
    Some((u16::try_from(unit).ok()?, rest))
}

/// A value and what follows it.
fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text.first()? {
        b'"' => string(text).map(|(raw, rest)| (Value::Text(raw), rest)),
        b'{' | b'[' => {
            skip_nested(text).and_then(|rest| Some((Value::Nested(text.get(..text.len() - rest.len())?), rest)))
        }
        _ => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            let end = text.iter().position(|byte| !is_part(byte))?;
            let (bare, rest) = text.split_at_checked(end)?;
            Some((Value::Bare(bare), rest))
        }
    }
}

/// A string without its quotes, and what follows it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if *text.get(at)? == b'"' {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
        from = at + r"\n".len();
    }
}

/// What follows the object or array that `text` begins with.
fn skip_nested(mut text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    loop {
        match text.first()? {
            b'"' => {
                text = string(text)?.1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        text = text.get(1..)?;
        if depth == 0 {
            return Some(text);
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}
