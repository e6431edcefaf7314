//! Paths into a JSON document: `user.id`, `tags[0]`, `["odd key"].x`.

use super::{Scanner, Text, Value, push_text};
use crate::logql::Error;

/// Where a value is in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// To the value of this key.
    Key(String),
    /// To the element at this index.
    Index(usize),
}

/// What is at the end of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A string.
    Text(Text<'a>),
    /// `null`.
    Null,
    /// Anything else, as written.
    Raw(&'a [u8]),
}

/// A part of a path's text, by the names that messages have for them.
#[derive(Debug, PartialEq)]
enum Token {
    Dot,
    OpenBracket,
    CloseBracket,
    Field(String),
    Text(String),
    Index(usize),
    End,
    Other(char),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::Dot => "DOT",
            Self::OpenBracket => "LSB",
            Self::CloseBracket => "RSB",
            Self::Field(_) => "FIELD",
            Self::Text(_) => "STRING",
            Self::Index(_) => "INDEX",
            Self::End => "$end",
            Self::Other(_) => "$unk",
        }
    }
}

impl Path {
    /// # Errors
    ///
    /// [`Error::Stage`] if `text` is no path.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |token: &Token, expected: &str| {
            let name = token.name();
            Error::stage(format!("cannot parse expression [{text}]: syntax error: unexpected {name}{expected}"))
        };
        let mut rest = text;
        let mut steps = Vec::new();
        loop {
            let step = match next_token(&mut rest) {
                Token::End if !steps.is_empty() => return Ok(Self(steps)),
                Token::OpenBracket => {
                    let step = match next_token(&mut rest) {
                        Token::Text(key) => Step::Key(key),
                        Token::Index(index) => Step::Index(index),
                        token => return Err(refuse(&token, ", expecting STRING or INDEX")),
                    };
                    match next_token(&mut rest) {
                        Token::CloseBracket => step,
                        token => return Err(refuse(&token, ", expecting RSB")),
                    }
                }
                Token::Field(key) if steps.is_empty() => Step::Key(key),
                Token::Dot if !steps.is_empty() => match next_token(&mut rest) {
                    Token::Field(key) => Step::Key(key),
                    token => return Err(refuse(&token, ", expecting FIELD")),
                },
                token if steps.is_empty() => return Err(refuse(&token, ", expecting LSB or FIELD")),
                token => return Err(refuse(&token, "")),
            };
            steps.push(step);
        }
    }

    /// Whether the first step is to the value of `key`.
    pub(super) fn begins_with(&self, key: Text<'_>) -> bool {
        matches!(self.0.first(), Some(Step::Key(first)) if is_key(key, first))
    }

    /// The value at the end of the path; `None` where there is none, and behind a fault.
    pub(super) fn find<'a>(&self, document: &'a [u8]) -> Option<Found<'a>> {
        let mut scanner = Scanner::new(document);
        let mut value = scanner.value().ok()?;
        for step in &self.0 {
            value = match (step, value) {
                (Step::Key(key), Value::Object) => go_to_key(&mut scanner, key)?,
                (Step::Index(index), Value::Array) => go_to_index(&mut scanner, *index)?,
                _ => return None,
            };
        }
        match value {
            Value::Object | Value::Array => scanner.skip().ok().map(Found::Raw),
            Value::Text(text) => Some(Found::Text(text)),
            Value::Scalar(scalar) => Some(Found::Raw(scalar)),
            Value::Null => Some(Found::Null),
        }
    }
}

fn go_to_key<'a>(scanner: &mut Scanner<'a>, wanted: &str) -> Option<Value<'a>> {
    scanner.enter();
    let mut is_first = true;
    while let Some(key) = scanner.key(is_first).ok()? {
        is_first = false;
        let value = scanner.value().ok()?;
        if is_key(key, wanted) {
            return Some(value);
        }
        pass(scanner, &value)?;
    }
    None
}

fn go_to_index<'a>(scanner: &mut Scanner<'a>, index: usize) -> Option<Value<'a>> {
    scanner.enter();
    let mut passed = 0;
    while scanner.element(passed == 0).ok()? {
        let value = scanner.value().ok()?;
        if passed == index {
            return Some(value);
        }
        pass(scanner, &value)?;
        passed += 1;
    }
    None
}

/// Passes over what `value` begins.
fn pass(scanner: &mut Scanner<'_>, value: &Value<'_>) -> Option<()> {
    if matches!(value, Value::Object | Value::Array) {
        scanner.skip().ok()?;
    }
    Some(())
}

fn is_key(key: Text<'_>, wanted: &str) -> bool {
    if !key.has_escapes {
        return key.raw == wanted.as_bytes();
    }
    let mut unescaped = String::new();
    push_text(&mut unescaped, key);
    unescaped == wanted
}

/// Takes the next token off the front of `rest`.
fn next_token(rest: &mut &str) -> Token {
    *rest = rest.trim_start();
    let Some(first) = rest.chars().next() else { return Token::End };
    let (token, after) = match first {
        '.' => (Token::Dot, &rest[1..]),
        '[' => (Token::OpenBracket, &rest[1..]),
        ']' => (Token::CloseBracket, &rest[1..]),
        '"' => text_token(&rest[1..]),
        '0'..='9' => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            (rest[..end].parse().map_or(Token::Other(first), Token::Index), &rest[end..])
        }
        _ if is_field_start(first) => {
            let end = rest.find(|c: char| !(is_field_start(c) || c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
            (Token::Field(rest[..end].to_owned()), &rest[end..])
        }
        _ => (Token::Other(first), &rest[first.len_utf8()..]),
    };
    *rest = after;
    token
}

fn is_field_start(c: char) -> bool {
    c == '_' || c == '@' || c.is_alphabetic()
}

/// A string after its quote, up to the next one that no backslash precedes, or to the end.
fn text_token(text: &str) -> (Token, &str) {
    let mut is_escaped = false;
    let is_end = |c: char| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    };
    let end = text.find(is_end).unwrap_or(text.len());
    let mut key = String::new();
    push_text(&mut key, Text { raw: &text.as_bytes()[..end], has_escapes: true });
    (Token::Text(key), text.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"a":{"b":[1,"two",{"c":null}],"odd key":"x","é\"":true},"a":0}"#;

    /// The text of what is found.
    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let found = Path::parse(path).unwrap().find(DOCUMENT.as_bytes()).map(|found| match found {
            Found::Text(text) => text.raw,
            Found::Raw(raw) => raw,
            Found::Null => b"null",
        });
        assert_eq!(found, expected.map(str::as_bytes), "{path}");
    }

    #[track_caller]
    fn check_refused(path: &str, expected: &str) {
        let error = Path::parse(path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot parse expression [{path}]: syntax error: unexpected {expected}"));
    }

    #[test]
    fn steps_go_down_by_key_and_by_index() {
        check("a.b[0]", Some("1"));
        check(r#"["a"].b[1]"#, Some("two"));
        check("a.b", Some(r#"[1,"two",{"c":null}]"#));
        check(r#"a["odd key"]"#, Some("x"));
        check(r#"a["é\""]"#, Some("true"));
        check("a.b[2].c", Some("null"));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for path in ["x", "a.x", "a.b[3]", "a.b[2].d", "a.b.c", "a.b[0].c", "[0]", r#"a[""]"#] {
            check(path, None);
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_what_was_expected() {
        check_refused("", "$end, expecting LSB or FIELD");
        check_refused("a b", "FIELD");
        check_refused("a..b", "DOT, expecting FIELD");
        check_refused("a[", "$end, expecting STRING or INDEX");
        check_refused(r#"["a""#, "$end, expecting RSB");
        check_refused(r#"["a"#, "$end, expecting RSB");
        check_refused(r#""a"]"#, "STRING, expecting LSB or FIELD");
    }
}
