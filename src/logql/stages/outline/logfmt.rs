//! The pairs of logfmt in an outline: what `Pairs` reads of every line with the outline, step by step.

use super::cursor::{Cursor, Next};
use super::{Collected, Piece, Unknown, Value};
use crate::logql::stages::logfmt::{Logfmt, Options, is_key};
use crate::logql::stages::values;
use crate::model::ByteSet;

const BLANKS: ByteSet = ByteSet::range(0, b' ');
const NO_BLANKS: ByteSet = BLANKS.not();
const WORD: ByteSet = BLANKS.or(ByteSet::of(b"=\"")).not();
const QUOTE: ByteSet = ByteSet::of(b"\"");
const EQUALS: ByteSet = ByteSet::of(b"=");
const QUOTED_STOPS: ByteSet = ByteSet::of(b"\"\\");

/// A pair, as written.
pub(super) struct Pair<'a> {
    pub(super) key: Value<'a>,
    /// Empty where there is none.
    pub(super) value: Value<'a>,
    pub(super) is_quoted: bool,
}

/// What comes next.
enum Step<'a> {
    Pair(Pair<'a>),
    /// A fault, with the place behind it.
    Fault,
    End,
}

/// The pairs of a line.
pub(super) struct Pairs<'a> {
    at: Cursor<'a>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(pieces: &'a [Piece<'a>]) -> Self {
        Self { at: Cursor::new(pieces) }
    }

    /// The next pair that is well-formed.
    pub(super) fn next_valid(&mut self) -> Result<Option<Pair<'a>>, Unknown> {
        loop {
            match self.next()? {
                Step::Pair(pair) => return Ok(Some(pair)),
                Step::Fault => {}
                Step::End => return Ok(None),
            }
        }
    }

    fn next(&mut self) -> Result<Step<'a>, Unknown> {
        self.at.pass_while(&BLANKS)?;
        if self.at.is_end()? {
            return Ok(Step::End);
        }
        let Some(pair) = self.pair()? else {
            self.at.pass_while(&NO_BLANKS)?;
            return Ok(Step::Fault);
        };
        Ok(Step::Pair(pair))
    }

    /// The pair that begins here; `None` for a fault.
    fn pair(&mut self) -> Result<Option<Pair<'a>>, Unknown> {
        let key = self.word()?;
        let is_value_next = self.at.is_next(&EQUALS)?;
        if self.at.is_next(&QUOTE)? || (is_value_next && key.is_empty()?) {
            return Ok(None);
        }
        // Whether it is text is asked of all of them.
        if key.columns().next().is_none() && !is_text(&key.literal()?) {
            return Ok(None);
        }
        if !is_value_next {
            return Ok(Some(Pair {
                key,
                value: Value { start: self.at, end: self.at, has_escapes: false },
                is_quoted: false,
            }));
        }
        self.at.pass();
        let is_quoted = self.at.is_next(&QUOTE)?;
        let value = if is_quoted { self.quoted_value()? } else { self.bare_value()? };
        Ok(value.map(|value| Pair { key, value, is_quoted }))
    }

    fn word(&mut self) -> Result<Value<'a>, Unknown> {
        let start = self.at;
        self.at.pass_while(&WORD)?;
        Ok(Value { start, end: self.at, has_escapes: false })
    }

    fn bare_value(&mut self) -> Result<Option<Value<'a>>, Unknown> {
        let value = self.word()?;
        Ok(if self.at.is_next(&QUOTE.or(EQUALS))? { None } else { Some(value) })
    }

    fn quoted_value(&mut self) -> Result<Option<Value<'a>>, Unknown> {
        self.at.pass();
        let start = self.at;
        let mut has_escapes = false;
        loop {
            match self.at.find(&QUOTED_STOPS)? {
                None => return Ok(None),
                Some(b'"') => break,
                Some(_) => {
                    has_escapes = true;
                    self.at.pass();
                    if let Next::Run(run) = self.at.peek() {
                        return Err(Unknown::Column(run.column));
                    }
                    self.at.pass();
                }
            }
        }
        let value = Value { start, end: self.at, has_escapes };
        self.at.pass();
        if has_escapes && !value.texts().iter().all(|text| values::is_unescapable(text)) {
            // A run may be the rest of an escape.
            return value.columns().next().map_or(Ok(None), |column| Err(Unknown::Column(column)));
        }
        Ok(Some(value))
    }
}

fn is_text(key: &[u8]) -> bool {
    std::str::from_utf8(key).is_ok_and(|key| !key.contains(char::REPLACEMENT_CHARACTER))
}

/// What `| logfmt` depends on that hands on what is `wanted`.
pub(super) fn read(pieces: &[Piece<'_>], logfmt: &Logfmt, reading: &mut Collected<'_>) -> Result<(), Unknown> {
    let Options { is_strict, keeps_empty } = logfmt.options;
    let mut pairs = Pairs::new(pieces);
    let mut found: Vec<String> = Vec::new();
    let mut name = String::new();
    loop {
        let pair = match pairs.next()? {
            Step::Fault if !is_strict => continue,
            // It is told with its place.
            Step::Fault if pairs.at.has_run_before() => return Err(Unknown::Line),
            Step::Fault | Step::End => return Ok(()),
            Step::Pair(pair) => pair,
        };
        let is_empty = pair.value.is_certainly_empty();
        if is_empty && !keeps_empty && !(is_strict && 0 < pair.key.columns().count()) {
            continue;
        }
        let key = pair.key.literal()?;
        let Ok(key) = std::str::from_utf8(&key) else { return Err(Unknown::Line) };
        if logfmt.extractions.is_empty() {
            name.clear();
            values::push_name(&mut name, key);
            reading.add_value(&name, &pair.value, &logfmt.wanted);
            let is_put = !name.is_empty() && (keeps_empty || pair.value.is_certainly_not_empty());
            if is_put && logfmt.wanted.has(&name) && !found.contains(&name) {
                found.push(name.clone());
            }
            // Then the parser has found all that it looks for, too, and stops here or earlier.
            if logfmt.wanted.count() == Some(found.len()) {
                return Ok(());
            }
        } else {
            for extraction in logfmt.extractions.iter().filter(|extraction| is_key(key, &extraction.expression)) {
                reading.add_value(&extraction.name, &pair.value, &logfmt.wanted);
            }
        }
    }
}
