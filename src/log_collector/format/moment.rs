//! A time as far as a text says it, and the calendar.
//!
//! Counted in days and nanoseconds since 1970 by plain arithmetic: asking a calendar library for every line would cost
//! more than all else that is done with the line.

use crate::model::Timestamp;

pub(super) const SECOND_NS: i64 = 1_000_000_000;
pub(super) const HOUR_NS: i64 = 3600 * SECOND_NS;
pub(super) const DAY_NS: i64 = 24 * HOUR_NS;

/// The years that are taken for a time. Before lie zero values (year 1, 1900); after, [`Timestamp`] ends.
const YEAR_MIN: i64 = 1970;
const YEAR_MAX: i64 = 2261;

/// A time as far as a text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// With its zone: nothing is missing.
    Instant(Timestamp),
    /// Without a zone: nanoseconds since 1970 began on the host's clock.
    Local(i64),
    /// Without a year. The day exists in leap years at least.
    Yearless {
        /// From 1.
        month: i64,
        /// From 1.
        day: i64,
        /// Nanoseconds since midnight.
        time_ns: i64,
        /// Nanoseconds ahead of UTC; `None` for the host's zone.
        zone_ns: Option<i64>,
    },
    /// Without a zone and a date: nanoseconds since midnight.
    Dateless(i64),
}

impl Moment {
    /// A time on the clock of a zone that is `zone_ns` ahead of UTC, or else of the host's.
    pub(super) fn of_local(local_ns: i64, zone_ns: Option<i64>) -> Self {
        zone_ns.map_or(Self::Local(local_ns), |zone_ns| Self::Instant(Timestamp::from_ns(local_ns - zone_ns)))
    }

    /// Nanoseconds since 1970, to a day: zones do not count. `None` where a year or a date is missing.
    pub(super) fn approximate_ns(self) -> Option<i64> {
        match self {
            Self::Instant(timestamp) => Some(timestamp.as_ns()),
            Self::Local(local_ns) => Some(local_ns),
            Self::Yearless { .. } | Self::Dateless(_) => None,
        }
    }
}

/// The day as a count of days since 1970-01-01; `None` if there is no such day from [`YEAR_MIN`] to [`YEAR_MAX`].
pub(super) fn epoch_day(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
        return None;
    }
    let leap_days_before = |year: i64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (days_before, days) = match month {
        1 => (0, 31),
        2 => (31, 28 + i64::from(is_leap)),
        3 => (59, 31),
        4 => (90, 30),
        5 => (120, 31),
        6 => (151, 30),
        7 => (181, 31),
        8 => (212, 31),
        9 => (243, 30),
        10 => (273, 31),
        11 => (304, 30),
        12 => (334, 31),
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let leap_days = leap_days_before(year) - leap_days_before(YEAR_MIN) + i64::from(is_leap && 2 < month);
    Some((year - YEAR_MIN) * 365 + leap_days + days_before + day - 1)
}
