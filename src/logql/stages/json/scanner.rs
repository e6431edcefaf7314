//! Walks over a JSON text from left to right, without building anything and without looking back.
//!
//! Lax where strictness would only cost time: what is inside of a value that nobody asks for is not looked at beyond its
//! brackets and strings, and numbers are whatever consists of their characters.

/// What is wrong with a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub(in crate::logql::stages) struct Fault {
    /// What should be there.
    expected: &'static str,
    /// Bytes from the start of the line.
    at: usize,
}

/// A value, or how one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logql::stages) enum Value<'a> {
    /// An object; the scanner stands at its brace.
    Object,
    /// An array; the scanner stands at its bracket.
    Array,
    /// A string, passed over.
    Text(Text<'a>),
    /// A number, `true` or `false`, as written, passed over.
    Scalar(&'a [u8]),
    /// `null`, passed over.
    Null,
}

/// What stands between the quotes of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::logql::stages) struct Text<'a> {
    /// As written.
    pub(in crate::logql::stages) raw: &'a [u8],
    /// Whether there are escapes in it.
    pub(in crate::logql::stages) has_escapes: bool,
}

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(in crate::logql::stages) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The start of `bytes`.
    pub(in crate::logql::stages) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads a value, or only finds out that an object or an array begins.
    pub(in crate::logql::stages) fn value(&mut self) -> Result<Value<'a>, Fault> {
        self.pass_blanks();
        match self.peek() {
            Some(b'{') => Ok(Value::Object),
            Some(b'[') => Ok(Value::Array),
            Some(b'"') => Ok(Value::Text(self.text()?)),
            Some(b't') => self.word(b"true").map(Value::Scalar),
            Some(b'f') => self.word(b"false").map(Value::Scalar),
            Some(b'n') => self.word(b"null").map(|_| Value::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Scalar(self.number())),
            _ => Err(self.fault("a value")),
        }
    }

    /// Finds out whether an object begins.
    pub(in crate::logql::stages) fn expect_object(&mut self) -> Result<(), Fault> {
        self.pass_blanks();
        if self.peek() == Some(b'{') { Ok(()) } else { Err(self.fault("'{'")) }
    }

    /// Goes into the object or the array that begins here.
    pub(in crate::logql::stages) fn enter(&mut self) {
        self.at += 1;
    }

    /// The next key of the object that the scanner is in, with the scanner at its value; `None` behind the object.
    ///
    /// `is_first`: nothing of the object has been read.
    pub(in crate::logql::stages) fn key(&mut self, is_first: bool) -> Result<Option<Text<'a>>, Fault> {
        if !self.separator(is_first, b'}', "',' or '}'")? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.fault("a key"));
        }
        let key = self.text()?;
        self.pass_blanks();
        if self.peek() != Some(b':') {
            return Err(self.fault("':'"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether the array that the scanner is in has another element, with the scanner at it or else behind the array.
    pub(in crate::logql::stages) fn element(&mut self, is_first: bool) -> Result<bool, Fault> {
        self.separator(is_first, b']', "',' or ']'")
    }

    fn separator(&mut self, is_first: bool, end: u8, expected: &'static str) -> Result<bool, Fault> {
        self.pass_blanks();
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !is_first => {
                self.at += 1;
                self.pass_blanks();
            }
            Some(_) if is_first => {}
            _ => return Err(self.fault(expected)),
        }
        Ok(true)
    }

    /// Passes over the object or the array that begins here and gives its text.
    pub(in crate::logql::stages) fn skip(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(&self.bytes[start..self.at]);
            }
        }
        Err(self.fault("a closing bracket"))
    }

    /// What is wrong here.
    pub(in crate::logql::stages) fn fault(&self, expected: &'static str) -> Fault {
        Fault { expected, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn pass_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    /// The string that begins here.
    fn text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        let mut end = start;
        let mut has_escapes = false;
        loop {
            let rest = self.bytes.get(end..).unwrap_or_default();
            let Some(index) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return Err(self.fault("'\"'"));
            };
            end += index;
            if rest[index] == b'"' {
                self.at = end + 1;
                return Ok(Text { raw: &self.bytes[start..end], has_escapes });
            }
            has_escapes = true;
            end += 2;
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<&'static [u8], Fault> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.fault("a value"));
        }
        self.at += word.len();
        Ok(word)
    }

    fn number(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}
