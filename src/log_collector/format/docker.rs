//! The log format of Docker's json-file driver.
//!
//! `{"log":"<text>\n","stream":"stdout|stderr","time":"<RFC 3339 time>"}`, with `attrs` and others in between where the
//! engine is told to. The text of a part of an entry that is not its last has no newline at its end. Defined by Moby's
//! `daemon/logger/jsonfilelog`.

use memchr::memchr;

use super::Channel;
use super::join::Part;
use super::json::{self, Members, Value};
use super::time_text;

/// How each line begins: the engine writes `log` first. Looking for no more keeps the test cheap for other JSON.
const PREFIX: &[u8] = br#"{"log":"#;

/// Reads `line` if it has this format; `unescaped` lends the room for a text with escapes.
pub(super) fn parse<'a>(line: &'a [u8], unescaped: &'a mut Vec<u8>) -> Option<Part<'a>> {
    if !line.starts_with(PREFIX) {
        return None;
    }
    let (mut log, mut channel, mut timestamp, mut attributes) = (None, None, None, &[][..]);
    let mut members = Members::of(line)?;
    for (key, value) in members.by_ref() {
        match (key, value) {
            (b"log", Value::Text(text)) => log = Some(text),
            (b"stream", Value::Text(name)) => channel = Channel::from_name(name),
            (b"time", Value::Text(time)) => timestamp = time_text::instant(time),
            (b"attrs", Value::Nested(object)) => attributes = object,
            _ => {}
        }
    }
    if !members.are_complete() {
        return None;
    }
    let (channel, timestamp) = (channel?, timestamp?);
    let (text, is_last) = split_newline(log?, unescaped)?;
    Some(Part { channel, timestamp, text, attributes, is_last })
}

/// The text of a `log` string without its final newline, and whether it had one.
fn split_newline<'a>(log: &'a [u8], unescaped: &'a mut Vec<u8>) -> Option<(&'a [u8], bool)> {
    // Nearly every line has exactly one escape, its final newline.
    let (body, is_last) = match log.strip_suffix(br"\n") {
        Some(body) => (body, true),
        None => (log, false),
    };
    if memchr(b'\\', body).is_none() {
        return Some((body, is_last));
    }
    // Not `body`: its last byte may be the backslash of an escaped backslash.
    unescaped.clear();
    json::unescape(log, unescaped)?;
    Some(match unescaped.strip_suffix(b"\n") {
        // Terminals end their lines so.
        Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), true),
        None => (unescaped, false),
    })
}
