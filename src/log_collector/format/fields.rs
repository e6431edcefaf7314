//! Times that a line holds in a field: a member of a JSON object, or a pair of logfmt.

use memchr::{memchr, memchr2};

use super::json::{Members, Value};
use super::moment::{Moment, SECOND_NS};
use super::number::{self, Recent};
use super::time_text;
use crate::model::Timestamp;

/// Most pairs of a logfmt line that are looked at for its time.
const LOGFMT_PAIRS_MAX: usize = 8;
/// Longest key of such a pair, in bytes.
const LOGFMT_KEY_BYTES_MAX: usize = 32;
/// Tells a JSON object by its first bytes.
pub(super) fn is_json(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{") else { return false };
    matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}') | None)
}

/// The time of a JSON object: of the first member that is called like one and is one.
pub(super) fn json(line: &[u8], recent: Recent) -> Option<Moment> {
    Members::of(line)?.filter(|(key, _)| is_time_key(key)).find_map(|(_, value)| match value {
        Value::Text(text) => of_text(text, recent),
        Value::Bare(number) => number::unix_alone(number, recent),
        Value::Nested(object) => of_object(object, recent),
    })
}

/// The time of a line of `key=value` pairs, of the first that is called like one and is one, among the first few; and what
/// the line has from there on.
pub(super) fn logfmt(line: &[u8], recent: Recent) -> Option<(Moment, &[u8])> {
    let mut rest = line;
    for _ in 0..LOGFMT_PAIRS_MAX {
        let equals = memchr(b'=', rest.get(..rest.len().min(LOGFMT_KEY_BYTES_MAX + 1))?)?;
        let (key, value) = (rest.get(..equals)?, rest.get(equals + 1..)?);
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-');
        if key.is_empty() || !key.iter().all(is_part) {
            return None;
        }
        let (value, after) = split_value(value);
        if is_time_key(key)
            && let Some(moment) = of_text(value, recent)
        {
            return Some((moment, rest.get(equals + 1..)?));
        }
        rest = after.trim_ascii_start();
    }
    None
}

/// The value of a pair without its quotes, and what follows it.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return text.split_at(memchr(b' ', text).unwrap_or(text.len()));
    };
    let mut from = 0;
    while let Some(at) = quoted.get(from..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        let at = from + at;
        if quoted[at] == b'"' {
            return (&quoted[..at], &quoted[at + 1..]);
        }
        from = at + 2;
    }
    (quoted, &[])
}

fn of_text(text: &[u8], recent: Recent) -> Option<Moment> {
    match text {
        [b'0'..=b'9', _, _, _, b'-' | b'/', ..] => time_text::whole(text),
        _ => number::unix_alone(text, recent).or_else(|| time_text::whole(text)).or_else(|| {
            let is_number = text.first().is_some_and(u8::is_ascii_digit);
            if is_number { number::leading(text, true, recent) } else { None }
        }),
    }
}

/// The time of an object that stands for one: `$date` of `MongoDB`, seconds and nanoseconds of log4j and protobuf.
fn of_object(object: &[u8], recent: Recent) -> Option<Moment> {
    /// More members than this has none of them.
    const MEMBERS_MAX: usize = 4;
    let (mut seconds, mut nanoseconds) = (None, 0);
    for (key, value) in Members::of(object)?.take(MEMBERS_MAX) {
        let (Value::Text(value) | Value::Bare(value)) = value else {
            // `{"$date":{"$numberLong":"1796037753123"}}`
            let Value::Nested(object) = value else { continue };
            let (_, Value::Text(value)) = Members::of(object)?.next()? else { return None };
            return (key == b"$date").then(|| of_text(value, recent)).flatten();
        };
        match key {
            b"$date" => return of_text(value, recent),
            b"epochSecond" | b"seconds" => seconds = Some(number::unix_alone(value, recent)?),
            b"nanoOfSecond" | b"nanos" => nanoseconds = std::str::from_utf8(value).ok()?.parse::<u32>().ok()?.into(),
            _ => {}
        }
    }
    let Moment::Instant(timestamp) = seconds? else { return None };
    let is_fraction = nanoseconds < SECOND_NS;
    is_fraction.then(|| Moment::Instant(Timestamp::from_ns(timestamp.as_ns() + nanoseconds)))
}

/// Tells a field that holds the entry's time by its name, in whatever case: programs differ in it.
fn is_time_key(key: &[u8]) -> bool {
    let names: &[&[u8]] = match key.len() {
        1 => &[b"t"],
        2 => &[b"ts", b"@t", b"dt"],
        4 => &[b"time", b"date", b"when"],
        5 => &[b"_time"],
        7 => &[b"asctime", b"created", b"instant"],
        8 => &[b"datetime"],
        9 => &[b"timestamp", b"eventtime"],
        10 => &[b"@timestamp", b"event_time", b"timemillis", b"start_time", b"time_local"],
        12 => &[b"timestamp_ns", b"timeunixnano", b"time_iso8601"],
        20 => &[b"observedtimeunixnano", b"__realtime_timestamp"],
        _ => &[],
    };
    names.iter().any(|name| name.eq_ignore_ascii_case(key))
}
