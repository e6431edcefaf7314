//! Real lines, expanded: a sample of a real log is repeated, its clock goes on, and its numbers and ids are drawn anew
//! with the locality that they have in real logs. The words stay.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::clock::{Clock, NS_PER_SECOND};
use super::collection::{Log, Source};
use super::random::Random;
use super::text::decimal;

/// The time that each log takes, in seconds: all lie within one day. It ends now, which is when lines are whose times nobody
/// finds.
const SPAN: u64 = 23 * 3600;
/// A number or an id is one of the last so many of its shape three times in four.
const RECENT: usize = 16;
/// Numbers of fewer digits are as good as words: versions, levels.
const DIGITS_MIN: usize = 2;
/// Hexadecimal ids with letters have at least so many digits; shorter ones may be words.
const HEX_DIGITS_MIN: usize = 8;
/// So far from a line's beginning its time ends.
const TIME_END_MAX: usize = 70;
/// How logs write times: `Y`, `y`, `M`, `D`, `h`, `m`, `s` and `f` stand for digits of year, month, day, hour, minute, second
/// and its fraction; `N` for a month's name, `W` for a day's, `d` for a day of the month that is filled with a blank.
const TIMES: &[&str] = &[
    "WWW NNN DD hh:mm:ss YYYY",
    "YYYY-MM-DD hh:mm:ss,fff",
    "YYYY-MM-DD hh:mm:ss.fff",
    "MM-DD hh:mm:ss.fff",
    "yy/MM/DD hh:mm:ss",
    "MM.DD hh:mm:ss",
    "NNN dd hh:mm:ss",
    "yyMMDD hhmmss",
];

/// A part of a line of the sample.
enum Piece {
    Text(Vec<u8>),
    Time(&'static str),
    Number(Vec<u8>),
    Hex(Vec<u8>),
}

/// A sample that is repeated.
struct Sample {
    lines: Vec<Vec<Piece>>,
    next: usize,
    random: Random,
    clock: Clock,
    step_ns: u64,
    /// The last values by their kind and length.
    recent: HashMap<(bool, usize), Vec<Vec<u8>>>,
}

/// A log of each sample in `directory`, `bytes` in all.
pub(super) fn logs(directory: &Path, bytes: u64, seed: u64) -> Vec<Log> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it is a directory").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    assert!(!paths.is_empty(), "{} has samples, files called *.log", directory.display());
    let file_bytes = bytes / paths.len() as u64;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
    let logs = (0..).zip(paths).map(|(number, path)| {
        let name = path.file_name().expect("it is in a directory").to_string_lossy().into_owned();
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let random = Random::new(seed.wrapping_mul(1000) + number);
        Log { name, bytes: file_bytes, source: Box::new(Sample::new(&text, file_bytes, random, Clock::at(now - SPAN))) }
    });
    logs.collect()
}

impl Sample {
    fn new(text: &[u8], bytes: u64, random: Random, clock: Clock) -> Self {
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let line_count = bytes * lines.len() as u64 / text.len().max(1) as u64;
        let lines = lines.iter().map(|line| cut(line.trim_ascii_end())).collect();
        let step_ns = SPAN * NS_PER_SECOND / line_count.max(1);
        Self { lines, next: 0, random, clock, step_ns, recent: HashMap::new() }
    }
}

impl Source for Sample {
    fn append_record(&mut self, out: &mut Vec<u8>) {
        // In bursts, as programs write; a little slower than the span allows, so that no time is to come.
        if self.random.one_in(4) {
            self.clock.add(self.random.below(7 * self.step_ns));
        }
        for piece in &self.lines[self.next] {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Time(pattern) => write_time(&self.clock, pattern, out),
                Piece::Number(digits) => redraw(&mut self.random, &mut self.recent, digits, false, out),
                Piece::Hex(digits) => redraw(&mut self.random, &mut self.recent, digits, true, out),
            }
        }
        out.push(b'\n');
        self.next = (self.next + 1) % self.lines.len();
    }
}

/// Appends a value of the shape of `digits`.
fn redraw(
    random: &mut Random,
    recent: &mut HashMap<(bool, usize), Vec<Vec<u8>>>,
    digits: &[u8],
    is_hex: bool,
    out: &mut Vec<u8>,
) {
    let recent = recent.entry((is_hex, digits.len())).or_default();
    if RECENT <= recent.len() && !random.one_in(4) {
        let value: &Vec<u8> = random.any(recent);
        out.extend_from_slice(value);
        return;
    }
    let mut value = Vec::with_capacity(digits.len());
    if is_hex {
        value.extend(digits.iter().map(|_| b"0123456789abcdef"[usize::from(random.bits().to_le_bytes()[0] & 0xf)]));
    } else if digits.len() == 3 {
        // It may be a part of an address.
        decimal(&mut value, 100 + random.below(156), 3);
    } else {
        value.push(b'1' + u8::try_from(random.below(9)).expect("below 9"));
        value.extend((1..digits.len()).map(|_| b'0' + u8::try_from(random.below(10)).expect("below 10")));
    }
    out.extend_from_slice(&value);
    if recent.len() < RECENT {
        recent.push(value);
    } else {
        let index = usize::try_from(random.below(RECENT as u64)).expect("a few");
        recent[index] = value;
    }
}

/// Cuts a line of the sample into what stays and what is drawn anew.
fn cut(line: &[u8]) -> Vec<Piece> {
    let time = TIMES.iter().find_map(|pattern| {
        let last = line.len().min(TIME_END_MAX).checked_sub(pattern.len())?;
        let start = (0..=last).find(|start| looks_like(&line[*start..*start + pattern.len()], pattern))?;
        Some((start, *pattern))
    });
    let mut pieces = Vec::new();
    match time {
        Some((start, pattern)) => {
            cut_text(&line[..start], &mut pieces);
            pieces.push(Piece::Time(pattern));
            cut_text(&line[start + pattern.len()..], &mut pieces);
        }
        None => cut_text(line, &mut pieces),
    }
    pieces
}

fn looks_like(text: &[u8], pattern: &str) -> bool {
    text.iter().zip(pattern.bytes()).all(|(byte, like)| match like {
        b'W' | b'N' => byte.is_ascii_alphabetic(),
        b'd' => byte.is_ascii_digit() || *byte == b' ',
        b'Y' | b'y' | b'M' | b'D' | b'h' | b'm' | b's' | b'f' => byte.is_ascii_digit(),
        _ => *byte == like,
    })
}

fn cut_text(mut text: &[u8], pieces: &mut Vec<Piece>) {
    let mut kept = Vec::new();
    while let Some(first) = text.first() {
        let is_word = first.is_ascii_alphanumeric();
        let end = text.iter().position(|byte| byte.is_ascii_alphanumeric() != is_word).unwrap_or(text.len());
        let (run, rest) = text.split_at(end);
        let is_number = DIGITS_MIN <= run.len() && run.iter().all(u8::is_ascii_digit);
        let is_hex =
            HEX_DIGITS_MIN <= run.len() && run.iter().all(u8::is_ascii_hexdigit) && run.iter().any(u8::is_ascii_digit);
        if is_number || is_hex {
            pieces.push(Piece::Text(std::mem::take(&mut kept)));
            pieces.push(if is_number { Piece::Number(run.to_vec()) } else { Piece::Hex(run.to_vec()) });
        } else {
            kept.extend_from_slice(run);
        }
        text = rest;
    }
    pieces.push(Piece::Text(kept));
}

/// Appends the clock's time as `pattern` has it.
fn write_time(clock: &Clock, pattern: &str, out: &mut Vec<u8>) {
    let mut rest = pattern.as_bytes();
    while let Some(first) = rest.first() {
        let length = rest.iter().position(|byte| byte != first).unwrap_or(rest.len());
        // `hhmmss` and `yyMMDD` have no separators, so a run of one letter is one field.
        clock.write_field(*first, length, out);
        rest = &rest[length..];
    }
}
