//! The times of a plain file's lines.
//!
//! A file seldom changes its format: the one that matched last is tried first, then the others. A line that none
//! matches has no time; text that only looks like a time (month 13) is no error, just text.

use jiff::tz::TimeZone;
use memchr::{memchr, memchr_iter};

use super::host_clock::HostClock;
use super::json::{Members, Value};
use super::moment::Moment;
use super::time_text;
use crate::model::Timestamp;

/// How far into a line the bracket of an access log's time may stand, in bytes: behind a virtual host, an IPv6 address
/// and a user's name.
const ACCESS_TIME_AT_MAX: usize = 128;
/// How long, in nanoseconds of reading time, lines without a time belong to the last line that has one.
///
/// A continuation is written in one go with its head. Lines that come later are of their own, and one that happened to
/// begin with a time must not keep them in the past.
const CONTINUATION_NS_MAX: i64 = 60_000_000_000;

/// Where a line says its time, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `2026-11-22T13:04:05.123Z`, `2026/11/22 13:04:05` and their kin, at the start.
    DateTime,
    /// A top-level member of a JSON object, see [`is_time_key`].
    Json,
    /// RFC 3164's `Nov 22 13:04:05`, at the start.
    Syslog,
    /// `I1122 13:04:05.123456`, at the start.
    Klog,
    /// Seconds since 1970 or a thousandth, millionth, billionth of them, at the start.
    Unix,
    /// `[22/Nov/2026:13:04:05 +0100]`, behind the client's address.
    Access,
}

/// What is known of the times of one file.
#[derive(Debug)]
pub(super) struct PlainTimes {
    clock: HostClock,
    /// The format that matched last.
    format: Format,
    head: Option<Head>,
}

/// The last line that had a time.
#[derive(Clone, Copy, Debug)]
struct Head {
    timestamp: Timestamp,
    read_at: Timestamp,
}

impl PlainTimes {
    /// Knows nothing yet; `zone` is the host's.
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { clock: HostClock::new(zone), format: Format::DateTime, head: None }
    }

    /// The time of the next line: its own, that of the line it continues, or `read_at`.
    pub(super) fn time_of(&mut self, line: &[u8], read_at: Timestamp) -> Timestamp {
        let own = self.find(line).and_then(|moment| self.clock.timestamp(moment, read_at));
        if let Some(timestamp) = own {
            self.head = Some(Head { timestamp, read_at });
            return timestamp;
        }
        match self.head {
            Some(head) if read_at.as_ns().saturating_sub(head.read_at.as_ns()) <= CONTINUATION_NS_MAX => head.timestamp,
            _ => read_at,
        }
    }

    fn find(&mut self, line: &[u8]) -> Option<Moment> {
        let start = after_prefix(line);
        let moment = self.format.find(line, start);
        if moment.is_some() {
            return moment;
        }
        for format in Format::ALL {
            if format != self.format
                && let Some(moment) = format.find(line, start)
            {
                self.format = format;
                return Some(moment);
            }
        }
        None
    }
}

impl Format {
    const ALL: [Self; 6] = [Self::DateTime, Self::Json, Self::Syslog, Self::Klog, Self::Unix, Self::Access];

    /// Looks for a time in `line`; `start` is the line without its prefix, see [`after_prefix`].
    fn find(self, line: &[u8], start: &[u8]) -> Option<Moment> {
        match self {
            Self::DateTime => Some(time_text::date_time(start)?.0),
            Self::Json => json_time(line),
            Self::Syslog => Some(time_text::syslog(start)?.0),
            Self::Klog => Some(time_text::klog(start)?.0),
            Self::Unix => unix_time(start),
            Self::Access => access_time(line),
        }
    }
}

/// The line without what may stand in front of its time: a syslog priority (and RFC 5424's version), the key of a
/// logfmt pair, a bracket.
fn after_prefix(line: &[u8]) -> &[u8] {
    match line.first() {
        Some(b'<') => after_priority(line).unwrap_or(line),
        Some(b't') => after_key(line).unwrap_or(line),
        Some(b'[') => line.get(1..).unwrap_or_default(),
        _ => line,
    }
}

fn after_priority(line: &[u8]) -> Option<&[u8]> {
    let end = memchr(b'>', line.get(..line.len().min("<191>".len()))?)?;
    let (priority, rest) = line.split_at_checked(end)?;
    let is_number = priority.get(1..)?.iter().all(u8::is_ascii_digit);
    let rest = rest.strip_prefix(b">")?;
    is_number.then(|| rest.strip_prefix(b"1 ").unwrap_or(rest))
}

fn after_key(line: &[u8]) -> Option<&[u8]> {
    let end = memchr(b'=', line.get(..line.len().min("timestamp=".len()))?)?;
    let (key, rest) = line.split_at_checked(end)?;
    let value = rest.strip_prefix(b"=")?;
    is_time_key(key).then(|| value.strip_prefix(b"\"").unwrap_or(value))
}

/// A number that stands alone: no address, no date and no identifier that begins like one.
fn unix_time(text: &[u8]) -> Option<Moment> {
    let (moment, rest) = time_text::unix(text)?;
    let is_alone = rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b']' | b'"'));
    is_alone.then_some(moment)
}

fn access_time(line: &[u8]) -> Option<Moment> {
    let window = line.get(..line.len().min(ACCESS_TIME_AT_MAX))?;
    memchr_iter(b'[', window).find_map(|at| Some(time_text::access(line.get(at + 1..)?)?.0))
}

fn json_time(line: &[u8]) -> Option<Moment> {
    Members::of(line)?
        .filter(|(key, _)| is_time_key(key))
        .find_map(|(_, value)| match value {
            Value::Text(text) => time_text::any(text),
            Value::Bare(number) => time_text::unix(number).filter(|(_, rest)| rest.is_empty()),
            Value::Nested => None,
        })
        .map(|(moment, _)| moment)
}

/// Whether a member of a JSON object, or a logfmt pair, of this name holds the entry's time.
fn is_time_key(key: &[u8]) -> bool {
    matches!(key, b"time" | b"ts" | b"timestamp" | b"@timestamp")
}
