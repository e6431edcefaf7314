//! The parts of a time that a text leaves out: the zone is the host's; year and date follow from when the file was written.
//!
//! A year that is missing is the latest that puts the line neither after the file's last modification nor after now; so is
//! a date. Lines of a file go forward: what an old file's first lines are of is told by [`Lookahead`], and from there on each
//! line is at or after the one above it.

use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::lookahead::Lookahead;
use super::moment::{DAY_NS, HOUR_NS, Moment, SECOND_NS, epoch_day};
use crate::model::Timestamp;

/// The 29th of February comes at least every so many years (1896 to 1904, 2096 to 2104).
const LEAP_YEAR_DISTANCE_MAX: i64 = 8;
/// The times that dates are found for, in local nanoseconds: from 1970 on, and so that nothing overflows.
const TIMES_NS: Range<i64> = 0..i64::MAX - 2 * DAY_NS;
/// Slack between the file's modification and a line without a year, in nanoseconds: zones, and clocks that differ.
const YEARLESS_SLACK_NS: i64 = DAY_NS;
/// The same for a line without a date: file systems read a coarser clock than programs do.
const DATELESS_SLACK_NS: i64 = 60 * SECOND_NS;
/// Disorder among lines without a year, in nanoseconds: one that goes further back is of the next year.
pub(super) const YEARLESS_DISORDER_NS: i64 = 31 * DAY_NS;
/// The same for lines without a date, and the next day.
pub(super) const DATELESS_DISORDER_NS: i64 = HOUR_NS;

/// The host's clock. Times come in order, so that the zone's rules are asked once per hour of logs, not per line.
#[derive(Debug)]
pub(super) struct HostClock {
    zone: TimeZone,
    steady: SteadyHour,
    /// The file's last modification.
    modified: Timestamp,
    /// The years or days of the file's first lines.
    ahead: Option<Lookahead>,
    /// The last time that lacked its year or date, in local nanoseconds since 1970.
    last_ns: Option<i64>,
    limit: Limit,
}

/// An hour on the clock, in which the offset from UTC does not change.
#[derive(Clone, Copy, Debug)]
struct SteadyHour {
    /// Hours since 1970 began on this clock.
    index: i64,
    offset_ns: i64,
}

/// An instant that times are compared with, and what the clock shows then: asked for once per read, not per line.
#[derive(Clone, Copy, Debug)]
struct Limit {
    instant: Timestamp,
    local_ns: i64,
    /// The latest year that a time without one may be of.
    year: i64,
}

impl HostClock {
    /// The clock of a host in `zone`.
    pub(super) fn new(zone: TimeZone) -> Self {
        let steady = SteadyHour { index: i64::MIN, offset_ns: 0 };
        let limit = Limit::new(&zone, Timestamp::from_ns(0));
        Self { zone, steady, modified: Timestamp::MAX, ahead: None, last_ns: None, limit }
    }

    /// Lines from here on had been written at `modified`.
    pub(super) fn set_modified(&mut self, modified: Timestamp) {
        self.modified = modified;
    }

    /// Tells what samples of the file say of its first lines.
    pub(super) fn set_ahead(&mut self, ahead: Lookahead) {
        self.ahead = Some(ahead);
    }

    /// The instant that `moment`, of a line at byte `offset` of the file, is. Where clocks are put back it is the first of
    /// two; a time that they skip is taken as if they had not been put forward yet.
    ///
    /// `None` if there is none: `now` lies outside of the years that logs are taken for.
    pub(super) fn timestamp(&mut self, moment: Moment, offset: u64, now: Timestamp) -> Option<Timestamp> {
        match moment {
            Moment::Instant(timestamp) => Some(timestamp),
            Moment::Local(local_ns) => Some(self.instant(local_ns)),
            Moment::Yearless { zone_ns, .. } => {
                let local_ns = self.complete(moment, offset, now)?;
                Some(match zone_ns {
                    Some(zone_ns) => Timestamp::from_ns(local_ns - zone_ns),
                    None => self.instant(local_ns),
                })
            }
            Moment::Dateless(_) => {
                let local_ns = self.complete(moment, offset, now)?;
                Some(self.instant(local_ns))
            }
        }
    }

    /// The time with the year or date that it lacks, in local nanoseconds since 1970.
    fn complete(&mut self, moment: Moment, offset: u64, now: Timestamp) -> Option<i64> {
        let limit = self.limit(now.min(self.modified));
        let latest = limit.latest(moment)?;
        let is_yearless = matches!(moment, Moment::Yearless { .. });
        let disorder_ns = if is_yearless { YEARLESS_DISORDER_NS } else { DATELESS_DISORDER_NS };
        let ahead = self.ahead.filter(|ahead| offset < ahead.end);
        if self.last_ns.is_none()
            && let Some(ahead) = ahead
        {
            self.last_ns = limit.latest(ahead.last).map(|last_ns| ahead.first_ns(last_ns));
        }
        let start_ns = self.last_ns.map_or(i64::MIN, |last_ns| last_ns.saturating_sub(disorder_ns));
        let time_ns = if ahead.is_some() {
            // The file's past: there are lines below that lie between this one and the file's modification.
            earliest_after(start_ns, moment).filter(|next_ns| *next_ns <= latest)
        } else if is_yearless && latest < start_ns {
            // December after November stays, whatever the file's modification time was set to.
            earliest_after(start_ns, moment).filter(|next_ns| *next_ns <= self.limit(now).latest_ns(moment))
        } else {
            None
        };
        let time_ns = time_ns.unwrap_or(latest);
        self.last_ns = Some(time_ns);
        Some(time_ns)
    }

    /// Reads the clock at `instant`.
    fn limit(&mut self, instant: Timestamp) -> Limit {
        if self.limit.instant != instant {
            self.limit = Limit::new(&self.zone, instant);
        }
        self.limit
    }

    fn instant(&mut self, local_ns: i64) -> Timestamp {
        let hour = local_ns.div_euclid(HOUR_NS);
        if hour == self.steady.index {
            return Timestamp::from_ns(local_ns - self.steady.offset_ns);
        }
        let offset_ns = offset_ns(&self.zone, local_ns);
        // Offsets change at one point within an hour at most, so equal ends mean that it does not.
        let first_ns = hour * HOUR_NS;
        let last_ns = first_ns + HOUR_NS - SECOND_NS;
        if [first_ns, last_ns].iter().all(|&ns| self::offset_ns(&self.zone, ns) == offset_ns) {
            self.steady = SteadyHour { index: hour, offset_ns };
        }
        Timestamp::from_ns(local_ns - offset_ns)
    }
}

impl Limit {
    fn new(zone: &TimeZone, instant: Timestamp) -> Self {
        let seconds = jiff::Timestamp::from_second(instant.as_ns().div_euclid(SECOND_NS));
        let offset = zone.to_offset(seconds.expect("64 bits of nanoseconds stay within the years 1677 to 2262"));
        let local_ns = instant.as_ns().saturating_add(i64::from(offset.seconds()) * SECOND_NS);
        let year = civil(local_ns.saturating_add(YEARLESS_SLACK_NS)).year().into();
        Self { instant, local_ns, year }
    }

    /// The latest that `moment` may be.
    fn latest_ns(self, moment: Moment) -> i64 {
        let is_dateless = matches!(moment, Moment::Dateless(_));
        self.local_ns.saturating_add(if is_dateless { DATELESS_SLACK_NS } else { YEARLESS_SLACK_NS })
    }

    /// `moment` in the latest year, or on the latest day, that does not put it after the limit.
    fn latest(self, moment: Moment) -> Option<i64> {
        let latest_ns = self.latest_ns(moment);
        match moment {
            Moment::Yearless { month, day, time_ns, .. } => {
                let years = (self.year - LEAP_YEAR_DISTANCE_MAX..=self.year).rev();
                let mut times = years.filter_map(|year| Some(epoch_day(year, month, day)? * DAY_NS + time_ns));
                times.find(|&ns| ns <= latest_ns)
            }
            Moment::Dateless(time_ns) => {
                let today_ns = latest_ns.div_euclid(DAY_NS).checked_mul(DAY_NS)?.checked_add(time_ns)?;
                let ns = if today_ns <= latest_ns { today_ns } else { today_ns.checked_sub(DAY_NS)? };
                TIMES_NS.contains(&ns).then_some(ns)
            }
            Moment::Instant(_) | Moment::Local(_) => None,
        }
    }
}

/// `moment` in the first year, or on the first day, that does not put it before `start_ns`.
fn earliest_after(start_ns: i64, moment: Moment) -> Option<i64> {
    match moment {
        Moment::Yearless { month, day, time_ns, .. } => {
            let year = i64::from(civil(start_ns).year());
            let years = year..=year + LEAP_YEAR_DISTANCE_MAX;
            let mut times = years.filter_map(|year| Some(epoch_day(year, month, day)? * DAY_NS + time_ns));
            times.find(|&ns| start_ns <= ns)
        }
        Moment::Dateless(time_ns) => {
            let first_ns = start_ns.div_euclid(DAY_NS).checked_mul(DAY_NS)?.checked_add(time_ns)?;
            if start_ns <= first_ns { Some(first_ns) } else { first_ns.checked_add(DAY_NS) }
        }
        Moment::Instant(_) | Moment::Local(_) => None,
    }
}

/// The offset of `zone` from UTC, in nanoseconds, when its clocks show `local_ns`.
fn offset_ns(zone: &TimeZone, local_ns: i64) -> i64 {
    let local = zone.to_ambiguous_timestamp(civil(local_ns));
    let offset = match local.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    };
    i64::from(offset.seconds()) * SECOND_NS
}

/// Date and time of a clock that has run for `local_ns` since 1970 began, to the second.
fn civil(local_ns: i64) -> DateTime {
    let seconds = jiff::Timestamp::from_second(local_ns.div_euclid(SECOND_NS));
    Offset::UTC.to_datetime(seconds.expect("64 bits of nanoseconds stay within the years 1677 to 2262"))
}
