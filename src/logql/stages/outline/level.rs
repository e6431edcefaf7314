//! What the level of a line depends on that its text tells: the steps of `level::of_text`, each known for every line with the
//! outline.

use super::cursor::{Cursor, Next};
use super::json::{Found, Scanner, Stop};
use super::logfmt::Pairs;
use super::{Piece, Run, Silence, Unknown, Value};
use crate::logql::stages::level::{self, format};
use crate::model::ByteSet;

const BLANKS: ByteSet = ByteSet::of(b" \t\n\x0c\r");
const OPEN: ByteSet = ByteSet::of(b"{");
const CAPITALS: ByteSet = ByteSet::range(b'A', b'Z');
const BLANK: ByteSet = ByteSet::of(b" ");
const COLON: ByteSet = ByteSet::of(b":");
const DIGIT: ByteSet = ByteSet::DIGITS;
/// What a time of day, its fraction and its zone are made of, behind its first colon.
const TIME: ByteSet = DIGIT.or(ByteSet::of(b".,:+Z"));
const ANY: ByteSet = ByteSet::ALL;

/// What the level depends on; nothing where this is no error.
pub(super) fn read(pieces: &[Piece<'_>]) -> Result<(), Unknown> {
    let mut start = Cursor::new(pieces);
    start.pass_while(&BLANKS)?;
    let is_told = if start.is_next(&OPEN)? {
        of_json(&mut Scanner::new(pieces), level::JSON_DEPTH)?
    } else {
        of_logfmt(pieces)? || marked(pieces)?
    };
    if is_told { Ok(()) } else { of_words(pieces) }
}

/// Whether a field of the object that begins here tells the level.
fn of_json(scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, Unknown> {
    match of_object(scanner, depth) {
        Ok(is_told) => Ok(is_told),
        Err(Stop::Fault) => Ok(false),
        Err(Stop::Unknown(unknown)) => Err(unknown),
    }
}

fn of_object(scanner: &mut Scanner<'_>, depth: usize) -> Result<bool, Stop> {
    scanner.enter_object()?;
    let (mut is_first, mut is_mongodb, mut is_serilog) = (true, false, false);
    while let Some(key) = scanner.key(is_first)? {
        is_mongodb |= is_first && key == b"t";
        is_serilog |= is_first && key == b"@t";
        is_first = false;
        let may_tell = level::is_field_name(&key) || (is_mongodb && key == b"s") || key == b"PRIORITY";
        match scanner.value()? {
            Found::Text(text) if may_tell => {
                if level::of_field(&key, &text.literal()?, is_mongodb).is_some() {
                    return Ok(true);
                }
            }
            Found::Scalar(number) if level::is_field_name(&key) => {
                if format::numbered(&number.literal()?).is_some() {
                    return Ok(true);
                }
            }
            Found::Object if 1 < depth => {
                if of_json(&mut scanner.clone(), depth - 1)? {
                    return Ok(true);
                }
                scanner.skip()?;
            }
            Found::Object | Found::Array => scanner.skip()?,
            Found::Text(_) | Found::Scalar(_) | Found::Null => {}
        }
    }
    Ok(is_serilog)
}

/// Whether a pair of logfmt tells the level.
fn of_logfmt(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    if !has_named_pair(pieces)? {
        return Ok(false);
    }
    let mut pairs = Pairs::new(pieces);
    // The pairs that may tell it, one after the other.
    let mut named = Vec::new();
    while let Some(pair) = pairs.next_valid()? {
        if let Some(run) = pair.key.runs().next() {
            // A name has no digits and no bytes past ASCII.
            if run.bytes.is_disjoint(&NAME) && 0 < run.shortest {
                continue;
            }
            return Err(Unknown::Column(run.column));
        }
        let key = pair.key.literal()?;
        if level::ends_with_name(&key) {
            let quote = if pair.is_quoted { &b"\""[..] } else { b"" };
            named.extend_from_slice(&[&key, &b"="[..], quote, &pair.value.literal()?, quote, b" "].concat());
            // No other name comes before this one.
            if key.eq_ignore_ascii_case(level::NAMES[0].as_bytes()) && level::of_logfmt(&named).is_some() {
                return Ok(true);
            }
        }
    }
    Ok(level::of_logfmt(&named).is_some())
}

/// What names of levels are made of.
const NAME: ByteSet = ByteSet::LETTERS.or(ByteSet::of(b"._"));

/// Of which each name has one.
const NAME_PARTS: [&[u8]; 3] = [b"level", b"lvl", b"severity"];

/// Whether a `=` follows the name of a level.
fn has_named_pair(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    const EQUALS: ByteSet = ByteSet::of(b"=");
    let mut at = Cursor::new(pieces);
    let mut is_found = false;
    loop {
        match at.peek() {
            Next::End => return Ok(is_found),
            Next::Run(run) => {
                let may_hold_name =
                    run.silence < Silence::Words && NAME_PARTS.iter().any(|part| can_spell(&run.bytes, part));
                if !run.bytes.is_disjoint(&EQUALS) && (may_hold_name || at.is_before(&NAME, false)?) {
                    return Err(Unknown::Column(run.column));
                }
            }
            Next::Byte(b'=') => {
                let (before, run) = at.before();
                is_found |= level::ends_with_name(&before);
                if let Some(run) = run
                    && before.iter().all(|byte| NAME.contains(*byte))
                    && !run.bytes.is_disjoint(&NAME)
                    && !(before.is_empty() && Silence::Words <= run.silence)
                {
                    return Err(Unknown::Column(run.column));
                }
            }
            Next::Byte(_) => {}
        }
        at.pass();
    }
}

/// Whether the format of the line tells the level by other means than a word.
fn marked(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    Ok(marked_at_start(pieces)? || after_time(pieces)? || of_request(pieces)?)
}

/// Whether a mark at the very start tells the level.
fn marked_at_start(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    let start = Cursor::new(pieces);
    if start.is_next(&ByteSet::of(b"<"))? {
        return Ok(format::marked_at_start(&first_bytes(pieces, "<191>".len())?).is_some());
    }
    if start.is_sequence(&[LETTERED, ByteSet::of(b"/")])? {
        let text = first_bytes(pieces, format::HEADER_BYTES_MAX)?;
        let is_told = format::marked_at_start(&text).is_some();
        // A process may go on behind the header.
        return if !is_told && text.contains(&b'(') { Err(Unknown::Line) } else { Ok(is_told) };
    }
    if start.is_sequence(&[LETTERED, ByteSet::of(b","), BLANK, ByteSet::of(b"["), DIGIT])? || is_glog(start)? {
        return told_by(start, 0);
    }
    Ok(start.is_sequence(&[ByteSet::of(b"["), LETTERED, BLANK, DIGIT])? && told_by(start, 1)?)
}

/// The first bytes of every line.
fn first_bytes(pieces: &[Piece<'_>], count: usize) -> Result<Vec<u8>, Unknown> {
    let mut at = Cursor::new(pieces);
    for _ in 0..count {
        match at.peek() {
            Next::Run(run) => return Err(Unknown::Column(run.column)),
            Next::Byte(_) => at.pass(),
            Next::End => break,
        }
    }
    Ok(at.before().0)
}

/// Whether a letter, three, five or seven more digits than one, and a time follow: the beginning of glog's lines.
fn is_glog(start: Cursor<'_>) -> Result<bool, Unknown> {
    for digits in [4, 6, 8] {
        let mut sets = vec![DIGIT; digits];
        sets.insert(0, LETTERED);
        sets.extend([BLANK, ANY, ANY, COLON]);
        if start.is_sequence(&sets)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a letter or a mark right behind the time tells the level.
fn after_time(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    let Some(mut at) = split_time(pieces)? else { return Ok(false) };
    let of = ByteSet::of;
    if at.is_sequence(&[BLANK, of(b".-*#"), BLANK])? && is_redis(pieces)? {
        return told_by(at, 1);
    }
    let sequences: [&[ByteSet]; 3] = [
        &[BLANK, LETTERED, BLANK, CAPITALS, CAPITALS],
        &[BLANK, LETTERED, BLANK, of(b"-|"), BLANK],
        &[BLANK, LETTERED, of(b"/")],
    ];
    for sequence in sequences {
        if at.is_sequence(sequence)? {
            return told_by(at, 1);
        }
    }
    if !at.is_next(&BLANK)? {
        return Ok(false);
    }
    // Process, thread and letter.
    at.pass();
    for _ in 0..2 {
        at.pass_while(&BLANKS)?;
        if !at.is_next(&DIGIT)? {
            return Ok(false);
        }
        at.pass_while(&DIGIT)?;
    }
    Ok(at.is_sequence(&[BLANK, LETTERED, BLANK])? && told_by(at, 1)?)
}

/// Letters that may stand for a level.
const LETTERED: ByteSet = ByteSet::of(b"VTDIWECF");

/// Whether a level is told by a letter so many bytes ahead, which stands for some level whatever it is.
fn told_by(mut at: Cursor<'_>, offset: usize) -> Result<bool, Unknown> {
    for _ in 0..=offset {
        if let Next::Run(run) = at.peek() {
            return Err(Unknown::Column(run.column));
        }
        at.pass();
    }
    Ok(true)
}

/// The place behind the first time of day in the header, and its zone.
fn split_time<'a>(pieces: &'a [Piece<'a>]) -> Result<Option<Cursor<'a>>, Unknown> {
    let mut at = Cursor::new(pieces);
    loop {
        match at.peek() {
            Next::End => return Ok(None),
            Next::Run(run) if !run.bytes.is_disjoint(&COLON) => {
                return if at.is_within(format::HEADER_BYTES_MAX)? {
                    Err(Unknown::Column(run.column))
                } else {
                    Ok(None)
                };
            }
            Next::Byte(b':') if is_in_time(&at)? => {
                // The header has the first digit of the seconds, too.
                if !at.is_within(format::HEADER_BYTES_MAX - ":22:3".len() + 1)? {
                    return Ok(None);
                }
                if !at.is_sequence(&[COLON, DIGIT, DIGIT, COLON, DIGIT, TIME])? {
                    return Err(Unknown::Line);
                }
                at.pass_while(&TIME)?;
                return Ok(Some(at));
            }
            Next::Byte(_) | Next::Run(_) => at.pass(),
        }
    }
}

/// Whether a colon is the first one of a time of day.
fn is_in_time(at: &Cursor<'_>) -> Result<bool, Unknown> {
    match (are_two_digits_before(at), at.is_sequence(&[COLON, DIGIT, DIGIT, COLON, DIGIT])) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (before, behind) => Ok(before? && behind?),
    }
}

fn are_two_digits_before(at: &Cursor<'_>) -> Result<bool, Unknown> {
    let (text, run) = at.before();
    match (text.len(), run) {
        (2.., _) => Ok(text[text.len() - 2..].iter().all(u8::is_ascii_digit)),
        (_, None) => Ok(false),
        (length, Some(run)) => {
            if !text.iter().all(u8::is_ascii_digit) {
                return Ok(false);
            }
            if run.bytes.is_disjoint(&DIGIT) && 0 < run.shortest {
                return Ok(false);
            }
            let is_enough = run.bytes.is_subset(&DIGIT) && 2 - length <= run.shortest;
            if is_enough { Ok(true) } else { Err(Unknown::Column(run.column)) }
        }
    }
}

/// Whether what is in front of the time is a process and a date, as Redis writes them.
fn is_redis(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    let of = ByteSet::of;
    let mut at = Cursor::new(pieces);
    if at.is_next(&of(b"["))? {
        at.pass();
    }
    if !at.is_next(&DIGIT)? {
        return Ok(false);
    }
    at.pass_while(&DIGIT)?;
    Ok(at.is_sequence(&[COLON, CAPITALS, BLANK])? || at.is_sequence(&[of(b"]"), BLANK])?)
}

/// Whether the status of an access log tells the level.
fn of_request(pieces: &[Piece<'_>]) -> Result<bool, Unknown> {
    const QUOTE: ByteSet = ByteSet::of(b"\"");
    let mut at = Cursor::new(pieces);
    if at.find(&QUOTE)?.is_none() || !at.is_within(format::REQUEST_AT_MAX)? {
        return Ok(false);
    }
    let (before, _) = at.before();
    let open = at;
    at.pass();
    if !at.is_next(&CAPITALS.or(ByteSet::of(b"-\\")))? {
        return Ok(false);
    }
    let start = at;
    if at.find(&QUOTE)?.is_none() {
        return Ok(false);
    }
    if format::REQUEST_BYTES_MAX <= at.position().end() - open.position().start() {
        return Err(Unknown::Line);
    }
    let request = Value { start, end: at, has_escapes: false };
    let (text, run) = (request.texts().pop().unwrap_or_default(), request.runs().last());
    let version = match (text.iter().rposition(|byte| *byte == b' '), run) {
        (Some(blank), _) => &text[blank + 1..],
        (None, None) => &b""[..],
        (None, Some(run)) => return Err(Unknown::Column(run.column)),
    };
    if !version.starts_with(b"HTTP/") && !before.ends_with(b"] ") {
        // A text that is shorter than this ends in something else than what it is looked at for.
        if let (true, Some(run)) = (before.len() < b"] ".len(), Cursor::before(&open).1) {
            return Err(Unknown::Column(run.column));
        }
        return Ok(false);
    }
    at.pass();
    if !at.is_next(&BLANK)? {
        return Ok(false);
    }
    at.pass();
    let class = at;
    if !class.is_sequence(&[ByteSet::range(b'1', b'5'), DIGIT, DIGIT])? {
        return Ok(false);
    }
    for _ in 0.."200".len() {
        if let Next::Run(run) = at.peek() {
            return Err(Unknown::Column(run.column));
        }
        at.pass();
    }
    Ok(at.is_end()? || at.is_next(&BLANK)?)
}

/// A word may follow these bytes.
const BOUNDARY: ByteSet = ByteSet::of(level::BOUNDARIES);
/// And be followed by these.
const END: ByteSet = ByteSet::of(b" \t\n\x0c\r[](){}:,!\"'=|");
/// A level in a header may follow these, and be followed by others.
const BEFORE: ByteSet = ByteSet::of(format::BEFORE);
const AFTER: ByteSet = ByteSet::of(b"] \t:|*,)\"/");

/// What words the level depends on.
fn of_words(pieces: &[Piece<'_>]) -> Result<(), Unknown> {
    let mut at = Cursor::new(pieces);
    loop {
        match at.peek() {
            Next::End => return Ok(()),
            Next::Run(run) => {
                check_run(at, run)?;
                at.pass();
            }
            Next::Byte(byte) if byte.is_ascii_alphabetic() => {
                let start = at;
                let mut word = Vec::new();
                while let Next::Byte(byte) = at.peek()
                    && byte.is_ascii_alphabetic()
                {
                    word.push(byte);
                    at.pass();
                }
                check_name(&word, start, at)?;
                let is_word = level::WORDS.iter().any(|(known, _)| known.eq_ignore_ascii_case(&word));
                // Of what comes behind the first word nothing is looked at.
                if is_word && start.is_before(&BOUNDARY, true)? && (at.is_end()? || at.is_next(&END)?) {
                    return Ok(());
                }
            }
            Next::Byte(_) => at.pass(),
        }
    }
}

/// No word is in a run, and none is in part.
fn check_run(at: Cursor<'_>, run: &Run) -> Result<(), Unknown> {
    let is_in_header = at.is_within(format::HEADER_BYTES_MAX).unwrap_or(true);
    let silence = if is_in_header { Silence::Names } else { Silence::Words };
    if run.silence < silence && silence.words().any(|word| can_spell(&run.bytes, word)) {
        return Err(Unknown::Column(run.column));
    }
    let mut after = at;
    after.pass();
    let has_letters = !run.bytes.is_disjoint(&ByteSet::LETTERS);
    let is_letter_before = at.is_before(&ByteSet::LETTERS, false);
    let is_letter_after = after.is_next(&ByteSet::LETTERS);
    let may_go_on = match (has_letters, run.shortest) {
        (true, _) => is_letter_before.unwrap_or(true) || is_letter_after.unwrap_or(true),
        (false, 0) => is_letter_before.unwrap_or(true) && is_letter_after.unwrap_or(true),
        (false, _) => false,
    };
    if may_go_on { Err(Unknown::Column(run.column)) } else { Ok(()) }
}

/// Whether a text of these bytes may be the word, in whatever case.
fn can_spell(bytes: &ByteSet, word: &[u8]) -> bool {
    word.iter().all(|byte| bytes.contains(*byte) || bytes.contains(byte.to_ascii_uppercase()))
}

/// Whether a word is a level in the header is known, if it may be.
fn check_name(word: &[u8], start: Cursor<'_>, mut end: Cursor<'_>) -> Result<(), Unknown> {
    if format::named(word).is_none() {
        return Ok(());
    }
    if !start.is_before(&BEFORE, true)? || !(end.is_end()? || end.is_next(&AFTER)?) {
        return Ok(());
    }
    let (before, run) = start.before();
    // What precedes it decides, and a facility of syslog in front of a dot.
    if let Some(run) = run
        && (before.is_empty()
            || (before.ends_with(b".") && before[..before.len() - 1].iter().all(u8::is_ascii_alphanumeric)))
    {
        return Err(Unknown::Column(run.column));
    }
    let after = match end.peek() {
        Next::End => Vec::new(),
        Next::Byte(byte) => vec![byte],
        Next::Run(run) => return Err(Unknown::Column(run.column)),
    };
    if format::may_name(word, &before, &after) {
        end.is_within(format::HEADER_BYTES_MAX + 1)?;
    }
    Ok(())
}
