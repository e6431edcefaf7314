//! The time in a generated log: it only goes forward, and is written in the ways that log lines write it.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::random::Random;
use super::text::{decimal, fraction};

pub(super) const NS_PER_SECOND: u64 = 1_000_000_000;
/// When every log begins, in seconds since the Unix epoch: 2026-03-01T06:00:00Z. Fixed, so that a seed says it all.
const START_SECONDS: u64 = 1_772_344_800;
/// Mean time between two records, in nanoseconds: a service that logs fifty a second.
const MEAN_STEP_NS: u64 = 20_000_000;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How a log writes the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeStyle {
    /// `2026-03-01T06:00:00.123Z`, with that many digits of the second.
    Rfc3339(u32),
    /// `2026-03-01 06:00:00.123`, as PostgreSQL does.
    Space,
    /// `2026-03-01 06:00:00,123`, as Java's logging libraries do.
    Comma,
    /// `01/Mar/2026:06:00:00 +0000`, as web servers do.
    Clf,
    /// `0301 06:00:00.123456`, as Kubernetes' own components do.
    Klog,
    /// `Mar  1 06:00:00`, as syslog (RFC 3164) does.
    Syslog,
}

/// A clock that only goes forward.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    now_ns: u64,
    /// Calendar fields of the second that `now_ns` is in; computed once per second.
    civil: DateTime,
}

impl Clock {
    /// A clock at the instant that every log begins with.
    pub(crate) fn new() -> Self {
        Self::at(START_SECONDS)
    }

    /// A clock at an instant, in seconds since the Unix epoch.
    pub(super) fn at(seconds: u64) -> Self {
        Self { now_ns: seconds * NS_PER_SECOND, civil: civil(seconds) }
    }

    /// Nanoseconds since the Unix epoch.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Lets some time pass.
    pub(crate) fn advance(&mut self, random: &mut Random) {
        self.add(1 + random.below(2 * MEAN_STEP_NS));
    }

    /// Lets so much time pass.
    pub(crate) fn add(&mut self, step_ns: u64) {
        let before = self.now_ns / NS_PER_SECOND;
        self.now_ns += step_ns;
        let after = self.now_ns / NS_PER_SECOND;
        if before != after {
            self.civil = civil(after);
        }
    }

    /// Appends the time.
    pub(crate) fn write(&self, out: &mut Vec<u8>, style: TimeStyle) {
        match style {
            TimeStyle::Rfc3339(places) => {
                self.date(out, b'-');
                out.push(b'T');
                self.time(out, b'.', places);
                out.push(b'Z');
            }
            TimeStyle::Space => {
                self.date(out, b'-');
                out.push(b' ');
                self.time(out, b'.', 3);
            }
            TimeStyle::Comma => {
                self.date(out, b'-');
                out.push(b' ');
                self.time(out, b',', 3);
            }
            TimeStyle::Clf => {
                decimal(out, positive(self.civil.day()), 2);
                out.push(b'/');
                out.extend_from_slice(self.month().as_bytes());
                out.push(b'/');
                decimal(out, positive(self.civil.year()), 4);
                out.push(b':');
                self.time(out, b'.', 0);
                out.extend_from_slice(b" +0000");
            }
            TimeStyle::Klog => {
                decimal(out, positive(self.civil.month()), 2);
                decimal(out, positive(self.civil.day()), 2);
                out.push(b' ');
                self.time(out, b'.', 6);
            }
            TimeStyle::Syslog => {
                out.extend_from_slice(self.month().as_bytes());
                out.extend_from_slice(if self.civil.day() < 10 { b"  " } else { b" " });
                decimal(out, positive(self.civil.day()), 1);
                out.push(b' ');
                self.time(out, b'.', 0);
            }
        }
    }

    /// Appends seconds since the Unix epoch with microseconds.
    pub(crate) fn write_unix(&self, out: &mut Vec<u8>) {
        fraction(out, self.now_ns / 1000, 6);
    }

    /// Appends one field of the time, as the patterns of samples call it; of anything else, so many of that byte.
    pub(super) fn write_field(&self, field: u8, width: usize, out: &mut Vec<u8>) {
        let number = match field {
            b'Y' => positive(self.civil.year()),
            b'y' => positive(self.civil.year()) % 100,
            b'M' => positive(self.civil.month()),
            b'D' | b'd' => positive(self.civil.day()),
            b'h' => positive(self.civil.hour()),
            b'm' => positive(self.civil.minute()),
            b's' => positive(self.civil.second()),
            b'f' => self.now_ns % NS_PER_SECOND / 10_u64.pow(9 - u32::try_from(width).expect("a few digits")),
            b'N' => return out.extend_from_slice(self.month().as_bytes()),
            b'W' => {
                let weekday = usize::from(self.civil.weekday().to_monday_zero_offset().unsigned_abs());
                return out.extend_from_slice(WEEKDAYS[weekday].as_bytes());
            }
            other => return out.extend(std::iter::repeat_n(other, width)),
        };
        if field == b'd' && number < 10 {
            out.push(b' ');
            return decimal(out, number, 1);
        }
        decimal(out, number, width);
    }

    fn date(&self, out: &mut Vec<u8>, separator: u8) {
        decimal(out, positive(self.civil.year()), 4);
        out.push(separator);
        decimal(out, positive(self.civil.month()), 2);
        out.push(separator);
        decimal(out, positive(self.civil.day()), 2);
    }

    /// Appends `06:00:00`, and `places` digits of the second behind `point`.
    fn time(&self, out: &mut Vec<u8>, point: u8, places: u32) {
        decimal(out, positive(self.civil.hour()), 2);
        out.push(b':');
        decimal(out, positive(self.civil.minute()), 2);
        out.push(b':');
        decimal(out, positive(self.civil.second()), 2);
        if 0 < places {
            out.push(point);
            let part = self.now_ns % NS_PER_SECOND / 10_u64.pow(9 - places);
            decimal(out, part, places as usize);
        }
    }

    fn month(&self) -> &'static str {
        MONTHS[usize::from(self.civil.month().unsigned_abs()) - 1]
    }
}

/// Calendar fields of an instant, UTC.
fn civil(seconds: u64) -> DateTime {
    let seconds = i64::try_from(seconds).expect("the clock starts in 2026");
    let timestamp = jiff::Timestamp::from_second(seconds).expect("a generated log spans hours");
    Offset::UTC.to_datetime(timestamp)
}

/// A calendar field, none of which is negative after the year 0.
fn positive(field: impl Into<i64>) -> u64 {
    field.into().unsigned_abs()
}
