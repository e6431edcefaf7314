//! The times of a plain file's lines.
//!
//! A file seldom changes its format: the place where the time stood last is looked at first. What is tried next is chosen
//! by the first bytes. A line that has no time is no error, just text.
//!
//! Nearly all formats have a time of day, `13:04:05`. It is looked for first, and its date in front of it: so whatever
//! stands before the two, a level, a thread, a process, needs no rule of its own. How much of a time may be missing
//! depends on where it stands: only what a line begins with may lack its year or date.

use jiff::tz::TimeZone;
use memchr::{memchr, memmem};

use super::fields;
use super::host_clock::HostClock;
use super::lookahead::Lookahead;
use super::moment::{DAY_NS, Moment};
use super::number::{self, Recent};
use super::time_text::{self, Found};
use crate::model::Timestamp;

/// Bytes of a line that its time is looked for in.
const TIME_AT_MAX: usize = 200;
/// Most bytes in front of a time for the line to begin with it.
const HEADER_BYTES_MAX: usize = 24;
/// Time, in nanoseconds of reading, for which lines without a time belong to the last line that has one.
///
/// A continuation is written in one go with its head. Lines that come later are of their own, and one that happened to
/// begin with a time must not keep them in the past.
const CONTINUATION_NS_MAX: i64 = 60_000_000_000;

/// The state of one file's times.
#[derive(Debug)]
pub(super) struct PlainTimes {
    clock: HostClock,
    place: Option<Place>,
    head: Option<Head>,
    /// Set where the file's header says that times without a zone are UTC.
    is_utc: bool,
}

/// The place of the last time that has a time of day.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    clock_at: usize,
    /// Set where the line began with it.
    is_leading: bool,
    has_date: bool,
}

impl Place {
    /// Tells if a time that lacks nothing stands in the very place of the last one, which was accepted there.
    fn holds(&self, found: &Found, line: &[u8], recent: Recent) -> bool {
        let is_complete = self.has_date && found.moment.approximate_ns().is_some();
        let is_here = self.start == found.start && begins_word(&line[..found.start]);
        is_complete && is_here && (self.is_leading || recent.contains(found.moment))
    }
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
        Self { clock: HostClock::new(zone), place: None, head: None, is_utc: false }
    }

    /// Lines from here on had been written when the file was last modified, at `modified`.
    pub(super) fn set_modified(&mut self, modified: Timestamp) {
        self.clock.set_modified(modified);
    }

    /// Tells what samples of the file say of the years and days that its first lines are of.
    pub(super) fn set_ahead(&mut self, ahead: Lookahead) {
        self.clock.set_ahead(ahead);
    }

    /// Takes what the file's first lines say of all its times.
    pub(super) fn read_header(&mut self, line: &[u8]) {
        // IIS and others write W3C's extended log format, whose times are UTC.
        let is_w3c = |prefix: &[u8]| line.starts_with(prefix);
        self.is_utc |= is_w3c(b"#Software: Microsoft Internet") || is_w3c(b"#Fields: date time ");
    }

    /// The time of the line at byte `offset` of the file: its own, that of the line it continues, or `read_at`.
    pub(super) fn time_of(&mut self, line: &[u8], offset: u64, read_at: Timestamp) -> Timestamp {
        let own = self.find(line, read_at).and_then(|moment| self.clock.timestamp(moment, offset, read_at));
        if let Some(timestamp) = own {
            self.head = Some(Head { timestamp, read_at });
            return timestamp;
        }
        self.inherited(read_at).unwrap_or(read_at)
    }

    /// The time of the last line that had one, if one that is read at `read_at` may continue it.
    fn inherited(&self, read_at: Timestamp) -> Option<Timestamp> {
        let head = self.head?;
        let is_recent = read_at.as_ns().saturating_sub(head.read_at.as_ns()) <= CONTINUATION_NS_MAX;
        is_recent.then_some(head.timestamp)
    }

    /// The time in `line` as far as it says it.
    pub(super) fn find(&mut self, line: &[u8], read_at: Timestamp) -> Option<Moment> {
        let recent = Recent::at(read_at);
        let moment = match line.first()? {
            b'{' if fields::is_json(line) => fields::json(line, recent),
            b'[' if matches!(line, [_, b'"' | b'{' | b'[', ..]) => None,
            _ => self.find_in_text(line, recent, read_at),
        };
        match moment {
            Some(Moment::Local(local_ns)) if self.is_utc => Some(Moment::of_local(local_ns, Some(0))),
            moment => moment,
        }
    }

    fn find_in_text(&mut self, line: &[u8], recent: Recent, read_at: Timestamp) -> Option<Moment> {
        if let Some(place) = self.place
            && let Some(found) = time_text::at(line, place.clock_at)
            && let Some(moment) = if place.holds(&found, line, recent) {
                Some(found.moment)
            } else {
                self.accept(line, &found, recent, read_at)
            }
        {
            return Some(moment);
        }
        let start = line.get(marks_before(line)..)?;
        let moment = match start.first()? {
            b'0'..=b'9' => number::leading(start, start.len() < line.len(), recent),
            b'@' => number::tai64n(start, recent).or_else(|| self.logfmt(line, recent)),
            b'#' => {
                self.read_header(line);
                // As bash writes it into its history.
                start
                    .get(1..)
                    .filter(|text| text.iter().all(u8::is_ascii_digit))
                    .and_then(|text| number::unix_alone(text, recent))
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => audit(start, recent).or_else(|| self.logfmt(line, recent)),
            _ => None,
        };
        moment.or_else(|| self.find_clock(line, recent, read_at))
    }

    /// The time of a logfmt line, which is looked for in its place from then on.
    fn logfmt(&mut self, line: &[u8], recent: Recent) -> Option<Moment> {
        let (moment, rest) = fields::logfmt(line, recent)?;
        let start = line.len() - rest.trim_ascii_start().len();
        let start = start + usize::from(line.get(start) == Some(&b'"'));
        let clock_at = start + "2026-11-30T".len();
        if moment.approximate_ns().is_some() && line.get(clock_at + 2) == Some(&b':') {
            self.place = Some(Place { start, clock_at, is_leading: false, has_date: true });
        }
        Some(moment)
    }

    /// Looks for a time of day that is a time with what stands around it.
    fn find_clock(&mut self, line: &[u8], recent: Recent, read_at: Timestamp) -> Option<Moment> {
        // An indented line continues the one above; what it tells of is not when it was written.
        if matches!(line, [b' ' | b'\t', ..]) && self.inherited(read_at).is_some() {
            return None;
        }
        let window = &line[..line.len().min(TIME_AT_MAX)];
        time_text::candidates(window).find_map(|clock_at| {
            let found = time_text::at(line, clock_at)?;
            self.accept(line, &found, recent, read_at)
        })
    }

    /// The time that was found, if it is when the line was written; then it is looked for there first.
    fn accept(&mut self, line: &[u8], found: &Found, recent: Recent, read_at: Timestamp) -> Option<Moment> {
        let before = line.get(..found.start)?;
        let is_leading = is_header(before);
        let has_date = found.moment.approximate_ns().is_some();
        let moment = match found.moment {
            _ if !begins_word(before) => None,
            Moment::Instant(_) | Moment::Local(_) => {
                let is_bracketed = before.last() == Some(&b'[');
                let is_due = is_leading || self.is_unmistakable(found, is_bracketed, recent, read_at);
                is_due.then_some(found.moment)
            }
            Moment::Yearless { .. } => is_leading.then_some(found.moment),
            Moment::Dateless(time_ns) => match time_text::leading_day(line) {
                Some(day) if before.last() == Some(&b' ') => Some(Moment::Local(day * DAY_NS + time_ns)),
                Some(_) => None,
                None => self.is_dateless(line, found, read_at).then_some(found.moment),
            },
        };
        if moment.is_some() {
            self.place = Some(Place { start: found.start, clock_at: found.clock_at, is_leading, has_date });
        }
        moment
    }

    /// Tells if a time deep in a line is the line's own: in brackets or of the recent past, and where lines begin with theirs,
    /// near the one above.
    fn is_unmistakable(&self, found: &Found, is_bracketed: bool, recent: Recent, read_at: Timestamp) -> bool {
        /// Undivided digits that are fewer may mean anything.
        const DATE_BYTES_MIN: usize = "20261130 ".len();
        let Some(ns) = found.moment.approximate_ns() else { return false };
        let is_near = match (self.place, self.inherited(read_at)) {
            (Some(Place { is_leading: true, has_date: true, .. }), Some(head)) => {
                let after_ns = ns.saturating_sub(head.as_ns());
                // To a day, for zones.
                (-DAY_NS..=DAY_NS).contains(&after_ns)
            }
            _ => true,
        };
        let is_likely = is_bracketed || recent.contains(found.moment);
        DATE_BYTES_MIN <= found.clock_at - found.start && is_likely && is_near
    }

    /// Tells if a time of day without a date is the line's time: no file writes both, no number that may be meant for a date
    /// stands before it, and it ends as one does.
    fn is_dateless(&self, line: &[u8], found: &Found, read_at: Timestamp) -> bool {
        let before = &line[..found.start];
        if !is_header(before) || before.iter().any(u8::is_ascii_digit) {
            return false;
        }
        let has_dates = self.place.is_some_and(|place| place.has_date) && self.inherited(read_at).is_some();
        let ends = match line.get(found.end..).unwrap_or_default() {
            [] => true,
            // An address of a network card goes on like this.
            [b':', next, ..] => !next.is_ascii_alphanumeric(),
            [byte, ..] => byte.is_ascii_whitespace() || b"]),|;:-".contains(byte),
        };
        !has_dates && ends
    }
}

/// Bytes in front of a time that are marks and no words: a syslog priority (and RFC 5424's version), a bracket, a quote.
fn marks_before(line: &[u8]) -> usize {
    match line {
        [b'<', ..] => after_priority(line).unwrap_or(0),
        [b'[' | b'(' | b'"', ..] => 1,
        _ => 0,
    }
}

/// The length of a syslog priority at the start of `line`, with the version that RFC 5424 has after it.
pub(super) fn after_priority(line: &[u8]) -> Option<usize> {
    let end = memchr(b'>', line.get(..line.len().min("<191>".len()))?)?;
    let number = line.get(1..end)?;
    let has_version = line.get(end + 1..)?.starts_with(b"1 ");
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    is_number.then_some(end + 1 + if has_version { "1 ".len() } else { 0 })
}

/// Tells if what follows `before` is no part of a word, a path or a longer number.
fn begins_word(before: &[u8]) -> bool {
    !before.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'.'))
}

/// Tells if a line that has `before` in front of its time begins with it: marks, levels and numbers are no words.
fn is_header(before: &[u8]) -> bool {
    let is_mark = match before {
        [b' ' | b'\t', ..] => false,
        [b'<', ..] => after_priority(before) == Some(before.len()),
        _ => true,
    };
    is_mark && before.len() <= HEADER_BYTES_MAX && !before.iter().any(u8::is_ascii_lowercase)
}

/// The time of a record of Linux' audit: `type=SYSCALL msg=audit(1795352645.123:456): …`.
fn audit(line: &[u8], recent: Recent) -> Option<Moment> {
    /// Names of the node and of the record stand before it.
    const AUDIT_AT_MAX: usize = 128;
    const OPENING: &[u8] = b"audit(";
    if !matches!(
        line,
        [b't', b'y', b'p', b'e', b'=', ..] | [b'n', b'o', b'd', b'e', b'=', ..] | [b'a', b'u', b'd', b'i', b't', ..]
    ) {
        return None;
    }
    let at = memmem::find(line.get(..line.len().min(AUDIT_AT_MAX))?, OPENING)?;
    let (moment, rest) = number::unix(line.get(at + OPENING.len()..)?)?;
    (rest.starts_with(b":") && recent.contains(moment)).then_some(moment)
}
