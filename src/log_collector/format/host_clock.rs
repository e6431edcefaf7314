//! What a text leaves out of a time: the zone is the host's, the year is the one nearest to now.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::moment::{DAY_NS, HOUR_NS, Moment, SECOND_NS, epoch_day};
use crate::model::Timestamp;

/// The 29th of February comes at least every so many years (1896 to 1904, 2096 to 2104).
const LEAP_YEAR_DISTANCE_MAX: i64 = 8;

/// The host's clock. Times come in order, so that the zone's rules are asked once per hour of logs, not per line.
#[derive(Debug)]
pub(super) struct HostClock {
    zone: TimeZone,
    steady: SteadyHour,
}

/// An hour on the clock, in which the offset from UTC does not change.
#[derive(Clone, Copy, Debug)]
struct SteadyHour {
    /// Hours since 1970 began on this clock.
    index: i64,
    offset_ns: i64,
}

impl HostClock {
    /// The clock of a host in `zone`.
    pub(super) fn new(zone: TimeZone) -> Self {
        let never = SteadyHour { index: i64::MIN, offset_ns: 0 };
        Self { zone, steady: never }
    }

    /// The instant that `moment` is. Where clocks are put back it is the first of two; a time that they skip is taken
    /// as if they had not been put forward yet.
    ///
    /// `None` if there is none nearby: `now` lies outside of the years that logs are taken for.
    pub(super) fn timestamp(&mut self, moment: Moment, now: Timestamp) -> Option<Timestamp> {
        match moment {
            Moment::Instant(timestamp) => Some(timestamp),
            Moment::Local(local_ns) => Some(self.instant(local_ns)),
            Moment::Yearless { month, day, time_ns } => {
                let midnight_ns = nearest_day(month, day, now)? * DAY_NS;
                Some(self.instant(midnight_ns + time_ns))
            }
        }
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

/// How far `zone` is ahead of UTC, in nanoseconds, when its clocks show `local_ns`.
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

/// The day of this date that is nearest to `now`, since 1970. To a day: zones do not matter over half a year.
fn nearest_day(month: i64, day: i64, now: Timestamp) -> Option<i64> {
    let today = now.as_ns().div_euclid(DAY_NS);
    let this_year = i64::from(civil(now.as_ns()).year());
    let distance = if (month, day) == (2, 29) { LEAP_YEAR_DISTANCE_MAX } else { 1 };
    (this_year - distance..=this_year + distance)
        .filter_map(|year| epoch_day(year, month, day))
        .min_by_key(|day| day.abs_diff(today))
}
