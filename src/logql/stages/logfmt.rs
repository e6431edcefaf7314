//! `| logfmt`: pairs `key=value` become labels.
//!
//! A key is anything without blanks, `=` and `"`; a value is the same, or a string in quotes with the escapes of JSON.
//! Blanks and control characters separate pairs. A key without a value has an empty one.

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::Extraction;
use crate::logql::stages::labels::{ErrorKind, LabelSet, Sink};
use crate::logql::stages::values;
use crate::logql::stages::wanted::Wanted;

/// What is wrong with a line, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logfmt syntax error at pos {position} : {reason}")]
struct Fault {
    reason: &'static str,
    /// In bytes, from 1.
    position: usize,
}

/// A pair, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    /// Without blanks, not empty.
    pub(super) key: &'a str,
    value: &'a [u8],
    is_quoted: bool,
}

impl<'a> Pair<'a> {
    /// The value without its quotes, with its escapes.
    pub(super) fn written_value(&self) -> &'a [u8] {
        self.value
    }

    /// Appends the value.
    pub(super) fn push_value(&self, out: &mut String) {
        if self.is_quoted {
            // The pairs have been checked: the escapes are right.
            values::push_unescaped(out, self.value);
        } else {
            values::push_value(out, self.value);
        }
    }
}

/// The pairs of a line.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// The next pair; after a fault, the next call goes on behind the next blank.
    fn next_pair(&mut self) -> Option<Result<Pair<'a>, Fault>> {
        let is_blank = |byte: &&u8| **byte <= b' ';
        self.at += self.line[self.at..].iter().take_while(is_blank).count();
        if self.at == self.line.len() {
            return None;
        }
        let pair = self.pair();
        if pair.is_err() {
            self.at += self.line[self.at..].iter().take_while(|byte| !is_blank(byte)).count();
        }
        Some(pair)
    }

    /// The next pair that is well-formed.
    pub(super) fn next_valid(&mut self) -> Option<Pair<'a>> {
        loop {
            if let Ok(pair) = self.next_pair()? {
                return Some(pair);
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Passes over what a bare word consists of, and gives it.
    fn word(&mut self) -> &'a [u8] {
        let rest = &self.line[self.at..];
        let length = rest.iter().position(|byte| *byte <= b' ' || matches!(byte, b'=' | b'"')).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn fault(&self, reason: &'static str) -> Fault {
        Fault { reason, position: self.at + 1 }
    }

    fn pair(&mut self) -> Result<Pair<'a>, Fault> {
        let key = self.word();
        match self.peek() {
            Some(b'"') => return Err(self.fault("unexpected '\"'")),
            Some(b'=') if key.is_empty() => return Err(self.fault("unexpected '='")),
            _ => {}
        }
        let key = match std::str::from_utf8(key) {
            Ok(key) if key.is_ascii() || !key.contains(char::REPLACEMENT_CHARACTER) => key,
            _ => return Err(self.fault("invalid key")),
        };
        if self.peek() != Some(b'=') {
            return Ok(Pair { key, value: b"", is_quoted: false });
        }
        self.at += 1;
        if self.peek() == Some(b'"') { self.quoted_value(key) } else { self.bare_value(key) }
    }

    fn bare_value(&mut self, key: &'a str) -> Result<Pair<'a>, Fault> {
        let value = self.word();
        match self.peek() {
            Some(b'"') => Err(self.fault("unexpected '\"'")),
            Some(b'=') => Err(self.fault("unexpected '='")),
            _ => Ok(Pair { key, value, is_quoted: false }),
        }
    }

    fn quoted_value(&mut self, key: &'a str) -> Result<Pair<'a>, Fault> {
        let start = self.at + 1;
        let mut end = start;
        let mut has_escapes = false;
        loop {
            let rest = self.line.get(end..).unwrap_or_default();
            let Some(index) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.line.len();
                return Err(self.fault("unterminated quoted value"));
            };
            end += index;
            if rest[index] == b'"' {
                break;
            }
            has_escapes = true;
            end += 2;
        }
        let value = &self.line[start..end];
        self.at = end + 1;
        if has_escapes && !values::is_unescapable(value) {
            return Err(self.fault("invalid quoted value"));
        }
        Ok(Pair { key, value, is_quoted: has_escapes })
    }
}

/// What to do with what is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// The first fault ends the line and is an error.
    pub(super) is_strict: bool,
    /// Keys without a value become labels.
    pub(super) keeps_empty: bool,
}

/// `| logfmt`, with or without expressions.
#[derive(Clone, Debug)]
pub(super) struct Logfmt {
    pub(super) wanted: Arc<Wanted>,
    pub(super) options: Options,
    pub(super) extractions: Vec<Extraction>,
}

impl Logfmt {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression is no key.
    pub(super) fn new(options: Options, extractions: &[Extraction], wanted: Arc<Wanted>) -> Result<Self, Error> {
        for Extraction { expression, .. } in extractions {
            let reason = match expression.find(|c: char| c <= ' ' || c == '=' || c == '"') {
                None if expression.is_empty() => "unexpected $end, expecting KEY",
                None => continue,
                Some(_) => "unexpected KEY",
            };
            let message = format!("cannot parse expression [{expression}]: syntax error: {reason}");
            return Err(Error::stage(message));
        }
        Ok(Self { wanted, options, extractions: extractions.to_vec() })
    }

    /// Adds the labels of `line`; `name` is room for names.
    pub(super) fn run(&self, line: &[u8], labels: &mut LabelSet, name: &mut String) {
        let mut sink = labels.sink(&self.wanted);
        if sink.is_done() {
            return;
        }
        let extracted = if self.extractions.is_empty() {
            self.extract_all(line, &mut sink, name)
        } else {
            self.extract_some(line, &mut sink)
        };
        if let Err(fault) = extracted {
            labels.set_error(ErrorKind::Logfmt, &fault);
        }
    }

    /// The next pair, faulty ones left out where they are no error.
    fn next_pair<'a>(&self, pairs: &mut Pairs<'a>) -> Result<Option<Pair<'a>>, Fault> {
        if self.options.is_strict { pairs.next_pair().transpose() } else { Ok(pairs.next_valid()) }
    }

    fn extract_all(&self, line: &[u8], sink: &mut Sink<'_>, name: &mut String) -> Result<(), Fault> {
        let mut pairs = Pairs::new(line);
        while let Some(pair) = self.next_pair(&mut pairs)? {
            if pair.value.is_empty() && !self.options.keeps_empty {
                continue;
            }
            name.clear();
            values::push_name(name, pair.key);
            sink.put(name, |out| pair.push_value(out));
            if sink.is_done() {
                break;
            }
        }
        Ok(())
    }

    /// Sets each of the labels asked for; a value may be empty. Of several pairs with its key the last counts, as expressions
    /// overwrite, but for a label that is called as its key: there the first does, as where nothing is asked for.
    fn extract_some(&self, line: &[u8], sink: &mut Sink<'_>) -> Result<(), Fault> {
        let mut found: Vec<Option<Pair<'_>>> = vec![None; self.extractions.len()];
        let mut pairs = Pairs::new(line);
        let outcome = loop {
            match self.next_pair(&mut pairs) {
                Ok(Some(pair)) => {
                    let is_asked_for = |(place, extraction): &(&mut Option<Pair<'_>>, &Extraction)| {
                        let Extraction { name, expression } = extraction;
                        is_key(pair.key, expression) && (place.is_none() || name != expression)
                    };
                    let places = found.iter_mut().zip(&self.extractions).filter(is_asked_for);
                    places.for_each(|(place, _)| *place = Some(pair));
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        for (extraction, pair) in self.extractions.iter().zip(found) {
            match pair {
                Some(pair) => sink.replace(&extraction.name, |out| pair.push_value(out)),
                None => sink.put_missing(&extraction.name),
            }
        }
        outcome
    }
}

/// Whether `key` is the one that is looked for, as written or as a label's name.
pub(super) fn is_key(key: &str, wanted: &str) -> bool {
    if key == wanted {
        return true;
    }
    let is_same =
        |(c, wanted): (char, char)| c == wanted || (wanted == '_' && !(c.is_ascii_alphanumeric() || c == '_'));
    key.chars().count() == wanted.chars().count() && key.chars().zip(wanted.chars()).all(is_same)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair or fault of a line, one after the other.
    #[track_caller]
    fn check(line: &[u8], expected: &[&str]) {
        let mut pairs = Pairs::new(line);
        let mut actual = Vec::new();
        while let Some(pair) = pairs.next_pair() {
            actual.push(match pair {
                Ok(pair) => {
                    let mut text = format!("{}=", pair.key);
                    pair.push_value(&mut text);
                    text
                }
                Err(fault) => fault.to_string(),
            });
        }
        assert_eq!(actual, expected);
    }

    #[test]
    fn pairs_are_bare_or_quoted() {
        check(b"a=1  b=\"x y\\n\"\tc= d e=\"\"", &["a=1", "b=x y\n", "c=", "d=", "e="]);
        check(b"a=\"x\"b=2 c=\xff", &["a=x", "b=2", "c= "]);
        check(b" \x00 ", &[]);
    }

    #[test]
    fn after_a_fault_parsing_goes_on_behind_the_next_blank() {
        check(b"a==b c=1", &["logfmt syntax error at pos 3 : unexpected '='", "c=1"]);
        check(b"=a b=1", &["logfmt syntax error at pos 1 : unexpected '='", "b=1"]);
        check(b"a\"b=1 c=2", &["logfmt syntax error at pos 2 : unexpected '\"'", "c=2"]);
        check(b"a\xff=1 b=2", &["logfmt syntax error at pos 3 : invalid key", "b=2"]);
        check(b"a=\"\\q\" b=2", &["logfmt syntax error at pos 7 : invalid quoted value", "b=2"]);
        check(b"a=1 b=\"c d=2", &["a=1", "logfmt syntax error at pos 13 : unterminated quoted value"]);
    }
}
