//! Cuts a line into what stays the same from line to line, its template, and what varies, its values.
//!
//! Where the cuts are decides how small a block gets and how fast it is searched, never whether it is right: any cut
//! puts together again, and search aligns a needle with the pieces whatever they are. Words are the exception: search
//! relies on where they end, which is part of the format.

use std::ops::Range;

/// Stands for a value in a template's key; lines that hold it are not cut.
pub(super) const SLOT: u8 = 0;

/// What is between words.
const BLANK: u8 = b' ';

/// What a byte can be; words are what a byte of which is [`WORD`].
const WORD: u8 = 1;
/// A word with it is a value.
const DIGIT: u8 = 2;
/// A letter, a digit, or any byte past ASCII, so that no letter of another script is cut.
const ALPHANUMERIC: u8 = 4;
/// Begins or makes a value: a digit, a quote, or `=`.
const MARK: u8 = 8;

const ROLES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let byte = at.to_le_bytes()[0];
        let is_delimiter = matches!(
            byte,
            0x00..=b' '
                | b'"'
                | b'\''
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'<'
                | b'>'
                | b','
                | b';'
                | b'|'
                | b'='
        );
        table[at] = if is_delimiter { 0 } else { WORD }
            | if byte.is_ascii_digit() { DIGIT | MARK } else { 0 }
            | if matches!(byte, b'"' | b'=') { MARK } else { 0 }
            | if byte.is_ascii_alphanumeric() || !byte.is_ascii() { ALPHANUMERIC } else { 0 };
        at += 1;
    }
    table
};

/// The roles of a run of bytes that all have `role`, put together, and where it ends.
fn run(text: &[u8], start: usize, role: u8) -> (u8, usize) {
    let (mut roles, mut at) = (0, start);
    while let Some(byte) = text.get(at) {
        let of_byte = ROLES[usize::from(*byte)];
        if of_byte & role == 0 {
            break;
        }
        roles |= of_byte;
        at += 1;
    }
    (roles, at)
}

/// Values and the template around them, of one text at a time.
#[derive(Debug, Default)]
pub(super) struct Cut {
    key: Vec<u8>,
    spans: Vec<(u32, u32)>,
    /// Where the literal text after the last value begins.
    literal_start: usize,
}

impl Cut {
    /// The text with [`SLOT`] in place of each value.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    /// Where the values are, in order.
    pub(super) fn spans(&self) -> &[(u32, u32)] {
        &self.spans
    }

    fn clear(&mut self) {
        self.key.clear();
        self.spans.clear();
        self.literal_start = 0;
    }

    /// Adds the value from `start` to `end`, and the literal text before it.
    fn push(&mut self, text: &[u8], start: usize, end: usize) {
        self.key.extend_from_slice(&text[self.literal_start..start]);
        self.key.push(SLOT);
        let to_u32 = |at| u32::try_from(at).expect("bounded by LINES_BYTES_MAX");
        self.spans.push((to_u32(start), to_u32(end)));
        self.literal_start = end;
    }

    /// Cuts a line: values are words with a digit, quoted strings, and what follows `=` or a JSON key.
    ///
    /// Returns `false` where the line holds [`SLOT`] or a newline, and is to be kept whole.
    pub(super) fn line(&mut self, line: &[u8]) -> bool {
        self.clear();
        if contains_refused(line) {
            return false;
        }
        // Where the word that `at` is in begins.
        let (mut word_start, mut at) = (0, 0);
        // No quote from here on is closed; looking for the end of each would take quadratic time.
        let mut quotes_left_open = false;
        while let Some(byte) = line.get(at) {
            let role = ROLES[usize::from(*byte)];
            if role & MARK == 0 {
                at += 1;
                word_start = if role & WORD == 0 { at } else { word_start };
                continue;
            }
            let value_start = match *byte {
                b'=' => at + 1,
                b'"' => match if quotes_left_open { Quoted::Open } else { quoted(line, at) } {
                    Quoted::Key { value } => value,
                    Quoted::String { end } => {
                        self.push(line, at + 1, end);
                        (word_start, at) = (end + 1, end + 1);
                        continue;
                    }
                    Quoted::Open => {
                        quotes_left_open = true;
                        (word_start, at) = (at + 1, at + 1);
                        continue;
                    }
                },
                _digit => word_start,
            };
            let end = run(line, at.max(value_start), WORD).1;
            if value_start < end {
                self.push(line, value_start, end);
            }
            (word_start, at) = (end, end);
        }
        self.key.extend_from_slice(&line[self.literal_start..]);
        true
    }

    /// Cuts a line anew whose values are at `spans`, so that the words between two values are a value as well, where there are
    /// some: all but the first one, if that touches a value, the last one, if it names the next value, and words in capitals
    /// before the others, which mostly are levels.
    ///
    /// Returns `false` where the line is to be kept whole.
    pub(super) fn prose(&mut self, line: &[u8], spans: &[(u32, u32)]) -> bool {
        self.clear();
        if contains_refused(line) {
            return false;
        }
        let mut from = 0;
        for (number, (start, end)) in spans.iter().enumerate() {
            let (start, end) = (*start as usize, *end as usize);
            self.push_prose(line, from..start, number == 0, false);
            self.push(line, start, end);
            from = end;
        }
        self.push_prose(line, from..line.len(), spans.is_empty(), true);
        self.key.extend_from_slice(&line[self.literal_start..]);
        self.key != [SLOT]
    }

    /// Adds the words in a literal as a value, if there are some; says whether the literal begins, and ends, the line.
    fn push_prose(&mut self, line: &[u8], literal: Range<usize>, is_first: bool, is_last: bool) {
        let text = &line[literal.clone()];
        let mut start = if is_first { Some(0) } else { memchr::memchr(BLANK, text).map(|blank| blank + 1) };
        while let Some(at) = start
            && let Some(length) = memchr::memchr(BLANK, &text[at..])
            && !text[at..at + length].iter().any(u8::is_ascii_lowercase)
        {
            start = Some(at + length + 1);
        }
        let end = if is_last { Some(text.len()) } else { memchr::memrchr(BLANK, text) };
        if let (Some(start), Some(end)) = (start, end)
            && text.get(start..end).is_some_and(|words| words.contains(&BLANK))
        {
            self.push(line, literal.start + start, literal.start + end);
        }
    }

    /// Cuts a value of a line once more: alphanumeric runs with a digit become values.
    pub(super) fn value(&mut self, value: &[u8]) -> bool {
        self.clear();
        if contains_refused(value) {
            return false;
        }
        let mut at = 0;
        while at < value.len() {
            let (roles, end) = run(value, at, ALPHANUMERIC);
            if roles & DIGIT != 0 {
                self.push(value, at, end);
            }
            at = end.max(at + 1);
        }
        self.key.extend_from_slice(&value[self.literal_start..]);
        true
    }
}

/// Cuts a text into words, each with the separators before it; separators at the end are one more word.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let separators = text[start..].iter().position(|byte| ROLES[usize::from(*byte)] & ALPHANUMERIC != 0);
        let word_start = separators.map_or(text.len(), |separators| start + separators);
        let word = start..run(text, word_start, ALPHANUMERIC).1;
        start = word.end;
        (!word.is_empty()).then_some(word)
    })
}

/// Whether a byte is a letter, a digit or past ASCII.
pub(super) fn is_alphanumeric(byte: u8) -> bool {
    ROLES[usize::from(byte)] & ALPHANUMERIC != 0
}

/// Whether `part` of a text lies within one word wherever it is: words end where separators follow.
pub(super) fn is_within_word(part: &[u8]) -> bool {
    !part.windows(2).any(|pair| is_alphanumeric(pair[0]) && !is_alphanumeric(pair[1]))
}

fn contains_refused(bytes: &[u8]) -> bool {
    memchr::memchr2(SLOT, b'\n', bytes).is_some()
}

/// What a quote begins.
enum Quoted {
    /// A string whose closing quote is at `end`.
    String { end: usize },
    /// A JSON object's key; its value begins at `value`.
    Key { value: usize },
    /// Nothing that is closed.
    Open,
}

/// What the quote at `open` begins.
fn quoted(line: &[u8], open: usize) -> Quoted {
    let after = &line[open + 1..];
    let close = memchr::memchr_iter(b'"', after).find(|close| *close == 0 || after[close - 1] != b'\\');
    let Some(close) = close else { return Quoted::Open };
    let end = open + 1 + close;
    let before = line[..open].trim_ascii_end().last();
    let is_key = matches!(before, Some(b'{' | b',')) && line.get(end + 1) == Some(&b':');
    if !is_key {
        return Quoted::String { end };
    }
    let space = usize::from(line.get(end + 2) == Some(&b' '));
    Quoted::Key { value: end + 2 + space }
}
