//! What a terminal is told: messages, colours, and of what comes from a log nothing that would drive it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::config;

/// Ends all colours.
pub(super) const RESET: &str = "\x1b[0m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const GREEN: &str = "\x1b[32m";
/// What a highlight looks like.
pub(super) const MARK: &str = "\x1b[1;7m";
/// Colours that tell streams apart, on dark and on light ground.
const STREAM_COLOURS: [u8; 12] = [32, 33, 34, 35, 36, 92, 93, 94, 95, 96, 91, 90];
/// Columns where a terminal does not say.
const WIDTH_DEFAULT: usize = 80;
/// Longest colour sequence of a log that is believed, in bytes.
const COLOUR_BYTES_MAX: usize = 32;

/// Says something that is no data, on standard error.
#[expect(clippy::print_stderr, reason = "nothing but data goes to standard output")]
pub(super) fn say(message: &str) {
    let message = if io::stderr().is_terminal() { harmless(message, false) } else { message.to_owned() };
    eprintln!("monitoring-rs: {message}");
}

/// Whether a person sees how far it is, and does not see the data beside it.
pub(super) fn shows_progress() -> bool {
    io::stderr().is_terminal() && !io::stdout().is_terminal()
}

/// Shows on standard error how far it is, in place of what was shown before.
#[expect(clippy::print_stderr, reason = "nothing but data goes to standard output")]
pub(super) fn show_progress(text: &str) {
    eprint!("\r\x1b[K{text}");
}

/// Whether standard output is shown to a person.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours are wanted; `choice` is auto, always or never.
pub(super) fn has_colours(choice: &str) -> bool {
    match choice {
        "always" => true,
        "never" => false,
        _ => is_terminal() && !config::refuses_colours(),
    }
}

/// How many columns the terminal has.
pub(super) fn width() -> usize {
    size().map_or(WIDTH_DEFAULT, |(width, _)| width)
}

/// Columns and rows of the terminal; `None` where standard output is none.
pub(super) fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (0 < size.ws_col && 0 < size.ws_row).then_some((size.ws_col.into(), size.ws_row.into()))
}

/// The colour that `name` has, the same each time.
pub(super) fn colour_of(name: &str) -> String {
    let index = crc32fast::hash(name.as_bytes()) as usize % STREAM_COLOURS.len();
    format!("\x1b[{}m", STREAM_COLOURS[index])
}

/// The colour of a level; nothing for those that are usual.
pub(super) fn level_colour(level: &str) -> Option<&'static str> {
    match level {
        "fatal" | "critical" | "error" => Some(RED),
        "warn" => Some(YELLOW),
        "info" => Some(GREEN),
        "debug" | "trace" => Some(DIM),
        _ => None,
    }
}

/// `text` with control characters shown instead of sent, but for tabs and line breaks; with `colours` those stay that it
/// has, without them they are left out.
pub(super) fn harmless(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = colour_length(rest) {
            if colours {
                out.push_str(&rest[..length]);
            }
            rest = &rest[length..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\t' | '\n' => out.push(c),
            // Also what turns the direction of text around, so that it reads as something else.
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string cannot fail");
            }
            '\u{7f}' => out.push_str("^?"),
            c if c.is_ascii_control() => out.extend(['^', char::from(c as u8 ^ 0x40)]),
            c => out.push(c),
        }
    }
    out
}

/// The length of the escape sequence for a colour that `text` begins with, in bytes. One that would hide text is none.
fn colour_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let end = rest.bytes().take(COLOUR_BYTES_MAX).position(|byte| !byte.is_ascii_digit() && byte != b';')?;
    let mut codes = rest[..end].split(';');
    while let Some(code) = codes.next() {
        match code {
            // Another 256 or 16 million colours: 38;5;n and 38;2;r;g;b.
            "38" | "48" | "58" => match codes.next() {
                Some("5") => drop(codes.next()),
                Some("2") => drop(codes.by_ref().take(3).count()),
                _ => return None,
            },
            "8" | "08" | "5" | "6" => return None,
            _ => {}
        }
    }
    (rest.as_bytes()[end] == b'm').then_some("\x1b[".len() + end + 1)
}

/// Whether whoever reads standard output has gone; a pipe says so without being written to.
pub(super) fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    let mut descriptors = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut descriptors, Some(&now)).is_ok() && descriptors[0].revents().intersects(PollFlags::ERR)
}

/// Writes all of a text to standard output.
pub(super) fn print(text: &str) -> io::Result<()> {
    if is_terminal() { print_as_is(&harmless(text, true)) } else { print_as_is(text) }
}

/// Writes all of a text to standard output that is known to be harmless.
pub(super) fn print_as_is(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_shown() {
        assert_eq!(
            harmless("a\x1b]0;title\x07b\x1b[2Jc\r\x7f\u{9b}2J\u{202e}x\ty", true),
            "a^[]0;title^Gb^[[2Jc^M^?\\u{9b}2J\\u{202e}x\ty"
        );
        assert_eq!(harmless("\x1b[8mhidden\x1b[0m", true), "^[[8mhidden\x1b[0m");
        assert_eq!(harmless("\x1b[38;5;8mgrey\x1b[m \x1b[31", true), "\x1b[38;5;8mgrey\x1b[m ^[[31");
    }

    #[test]
    fn colours_are_left_out_where_none_are_wanted() {
        assert_eq!(harmless("\x1b[1;31mred\x1b[0m", false), "red");
        assert_eq!(harmless("\x1b[38;2;1;2;3mred\x1b[0m", false), "red");
    }
}
