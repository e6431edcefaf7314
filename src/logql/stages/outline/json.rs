//! The structure of JSON in an outline: what `Scanner` reads of every line with the outline, step by step.

use super::cursor::{Cursor, Next};
use super::{Collected, Piece, Unknown, Value};
use crate::logql::stages::json::{DEPTH_MAX, JsonPaths, Text, push_key};
use crate::logql::stages::unpack::ENTRY_KEY;
use crate::logql::stages::wanted::Wanted;
use crate::model::ByteSet;

const BLANKS: ByteSet = ByteSet::of(b" \t\r\n");
const NUMBER: ByteSet = ByteSet::DIGITS.or(ByteSet::of(b"+-.eE"));
const NUMBER_START: ByteSet = ByteSet::DIGITS.or(ByteSet::of(b"-"));
const TEXT_STOPS: ByteSet = ByteSet::of(b"\"\\");
const SKIP_STOPS: ByteSet = ByteSet::of(b"\"{[}]");
const OPEN: ByteSet = ByteSet::of(b"{");

/// Why a walk ends before the text does.
pub(super) enum Stop {
    /// There is a fault here in every line.
    Fault,
    Unknown(Unknown),
}

impl From<Unknown> for Stop {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

/// A value, or how one begins.
pub(super) enum Found<'a> {
    Object,
    Array,
    Text(Value<'a>),
    Scalar(Value<'a>),
    Null,
}

/// A place in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanner<'a> {
    at: Cursor<'a>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(pieces: &'a [Piece<'a>]) -> Self {
        Self { at: Cursor::new(pieces) }
    }

    /// Whether a run has been passed over.
    fn has_passed_run(&self) -> bool {
        self.at.has_run_before()
    }

    fn pass_blanks(&mut self) -> Result<(), Unknown> {
        self.at.pass_while(&BLANKS)
    }

    /// Goes into the object that begins here, if one does.
    pub(super) fn enter_object(&mut self) -> Result<(), Stop> {
        self.pass_blanks()?;
        if !self.at.is_next(&OPEN)? {
            return Err(Stop::Fault);
        }
        self.at.pass();
        Ok(())
    }

    /// The next key of the object that the scanner is in, with the scanner at its value; `None` behind the object.
    pub(super) fn key(&mut self, is_first: bool) -> Result<Option<Vec<u8>>, Stop> {
        self.pass_blanks()?;
        match self.byte()? {
            Some(b'}') => {
                self.at.pass();
                return Ok(None);
            }
            Some(b',') if !is_first => {
                self.at.pass();
                self.pass_blanks()?;
            }
            Some(_) if is_first => {}
            _ => return Err(Stop::Fault),
        }
        if self.byte()? != Some(b'"') {
            return Err(Stop::Fault);
        }
        let key = self.text()?.literal()?;
        self.pass_blanks()?;
        if self.byte()? != Some(b':') {
            return Err(Stop::Fault);
        }
        self.at.pass();
        Ok(Some(key))
    }

    /// Reads a value, or only finds out that an object or an array begins.
    pub(super) fn value(&mut self) -> Result<Found<'a>, Stop> {
        self.pass_blanks()?;
        match self.at.peek() {
            Next::Byte(b'{') => Ok(Found::Object),
            Next::Byte(b'[') => Ok(Found::Array),
            Next::Byte(b'"') => Ok(Found::Text(self.text()?)),
            Next::Byte(b't') => self.word(b"true").map(Found::Scalar),
            Next::Byte(b'f') => self.word(b"false").map(Found::Scalar),
            Next::Byte(b'n') => self.word(b"null").map(|_| Found::Null),
            Next::End => Err(Stop::Fault),
            Next::Byte(_) | Next::Run(_) => {
                if !self.at.is_next(&NUMBER_START)? {
                    // What is no number may be any of the others.
                    return match self.at.peek() {
                        Next::Run(run) => Err(Unknown::Column(run.column).into()),
                        _ => Err(Stop::Fault),
                    };
                }
                let start = self.at;
                self.at.pass_while(&NUMBER)?;
                Ok(Found::Scalar(Value { start, end: self.at, has_escapes: false }))
            }
        }
    }

    /// Passes over the object or the array that begins here.
    pub(super) fn skip(&mut self) -> Result<(), Stop> {
        let mut depth = 0_usize;
        while let Some(byte) = self.at.find(&SKIP_STOPS)? {
            match byte {
                b'"' => {
                    self.text()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                _ => depth = depth.saturating_sub(1),
            }
            self.at.pass();
            if depth == 0 {
                return Ok(());
            }
        }
        Err(Stop::Fault)
    }

    /// The string that begins here.
    fn text(&mut self) -> Result<Value<'a>, Stop> {
        self.at.pass();
        let start = self.at;
        let mut has_escapes = false;
        loop {
            match self.at.peek() {
                Next::End => return Err(Stop::Fault),
                Next::Byte(b'"') => {
                    let end = self.at;
                    self.at.pass();
                    return Ok(Value { start, end, has_escapes });
                }
                Next::Byte(b'\\') => {
                    has_escapes = true;
                    self.at.pass();
                    // What is escaped, and how long it is, a run does not tell.
                    if let Next::Run(run) = self.at.peek() {
                        return Err(Unknown::Column(run.column).into());
                    }
                    self.at.pass();
                }
                Next::Run(run) if !run.bytes.is_disjoint(&TEXT_STOPS) => {
                    if !run.is_escaped {
                        return Err(Unknown::Column(run.column).into());
                    }
                    has_escapes = true;
                    self.at.pass();
                }
                Next::Byte(_) | Next::Run(_) => self.at.pass(),
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<Value<'a>, Stop> {
        let start = self.at;
        for byte in word {
            if self.byte()? != Some(*byte) {
                return Err(Stop::Fault);
            }
            self.at.pass();
        }
        Ok(Value { start, end: self.at, has_escapes: false })
    }

    /// The byte that is next in every line.
    fn byte(&mut self) -> Result<Option<u8>, Unknown> {
        match self.at.peek() {
            Next::Byte(byte) => Ok(Some(byte)),
            Next::End => Ok(None),
            Next::Run(run) => Err(Unknown::Column(run.column)),
        }
    }
}

/// What `| json` depends on that hands on what is `wanted`.
pub(super) fn read(pieces: &[Piece<'_>], wanted: &Wanted, reading: &mut Collected<'_>) -> Result<(), Unknown> {
    let mut walk = Walk { scanner: Scanner::new(pieces), name: String::new(), wanted, found: Vec::new(), reading };
    match walk.scanner.enter_object().and_then(|()| walk.object(0)) {
        Err(Stop::Unknown(unknown)) => Err(unknown),
        // The fault is told with its place.
        Err(Stop::Fault) if walk.scanner.has_passed_run() => Err(Unknown::Line),
        Ok(()) | Err(Stop::Fault) => Ok(()),
    }
}

/// What `| json a="x.y"` depends on: the values of the keys that paths begin with. Nothing else is looked at where every line
/// is a whole object.
pub(super) fn read_paths(pieces: &[Piece<'_>], paths: &JsonPaths, reading: &mut Collected<'_>) -> Result<(), Unknown> {
    match paths_in_object(&mut Scanner::new(pieces), paths, reading) {
        Ok(()) => Ok(()),
        Err(Stop::Unknown(unknown)) => Err(unknown),
        Err(Stop::Fault) => Err(Unknown::Line),
    }
}

fn paths_in_object(scanner: &mut Scanner<'_>, paths: &JsonPaths, reading: &mut Collected<'_>) -> Result<(), Stop> {
    scanner.enter_object()?;
    let mut is_first = true;
    while let Some(key) = scanner.key(is_first)? {
        is_first = false;
        let value = match scanner.value()? {
            Found::Text(value) | Found::Scalar(value) => value,
            Found::Null => continue,
            Found::Object | Found::Array => {
                let start = scanner.at;
                scanner.skip()?;
                Value { start, end: scanner.at, has_escapes: false }
            }
        };
        if paths.begins_with(Text { raw: &key, has_escapes: key.contains(&b'\\') }) {
            reading.reading.values.extend(value.columns());
        }
    }
    Ok(())
}

/// What `| unpack` depends on: all texts of the object, whose keys every line has where it is a whole one.
pub(super) fn read_packed(pieces: &[Piece<'_>], wanted: &Wanted, reading: &mut Collected<'_>) -> Result<(), Unknown> {
    match texts_in_object(&mut Scanner::new(pieces), wanted, reading) {
        Ok(()) => Ok(()),
        Err(Stop::Unknown(unknown)) => Err(unknown),
        // The fault is told with its place, and a line that is empty has none.
        Err(Stop::Fault) => Err(Unknown::Line),
    }
}

fn texts_in_object(scanner: &mut Scanner<'_>, wanted: &Wanted, reading: &mut Collected<'_>) -> Result<(), Stop> {
    scanner.enter_object()?;
    let mut name = String::new();
    let mut is_first = true;
    while let Some(key) = scanner.key(is_first)? {
        is_first = false;
        match scanner.value()? {
            Found::Text(value) if key != ENTRY_KEY => {
                name.clear();
                push_key(&mut name, Text { raw: &key, has_escapes: key.contains(&b'\\') });
                reading.add_value(&name, &value, wanted);
            }
            Found::Object | Found::Array => scanner.skip()?,
            Found::Text(_) | Found::Scalar(_) | Found::Null => {}
        }
    }
    Ok(())
}

struct Walk<'a, 'r, 'c> {
    scanner: Scanner<'a>,
    name: String,
    wanted: &'r Wanted,
    /// The wanted names that were found.
    found: Vec<String>,
    reading: &'r mut Collected<'c>,
}

impl Walk<'_, '_, '_> {
    /// Goes through the object that was entered.
    fn object(&mut self, depth: usize) -> Result<(), Stop> {
        if depth == DEPTH_MAX {
            return Err(Stop::Unknown(Unknown::Line));
        }
        let mut is_first = true;
        while let Some(key) = self.scanner.key(is_first)? {
            is_first = false;
            let parent_bytes = self.name.len();
            push_key(&mut self.name, Text { raw: &key, has_escapes: key.contains(&b'\\') });
            match self.scanner.value()? {
                Found::Object if self.wanted.may_begin_with(&self.name) => {
                    self.scanner.enter_object()?;
                    self.object(depth + 1)?;
                }
                Found::Object | Found::Array => self.scanner.skip()?,
                Found::Text(value) | Found::Scalar(value) => {
                    self.reading.add_value(&self.name, &value, self.wanted);
                    if !self.name.is_empty() && self.wanted.has(&self.name) && !self.found.contains(&self.name) {
                        self.found.push(self.name.clone());
                    }
                }
                Found::Null => {}
            }
            self.name.truncate(parent_bytes);
            // Then the parser has found all that it looks for, too, and stops here or earlier.
            if self.wanted.count() == Some(self.found.len()) {
                return Ok(());
            }
        }
        Ok(())
    }
}
