//! Instants as people write them in a query.

use std::time::SystemTime;

use jiff::{Span, SpanRelativeTo};

use crate::logql::units::NS_PER_SECOND;
use crate::model::Timestamp;

/// What [`instant`] reads, for error messages.
pub(super) const ACCEPTED: &str =
    "RFC 3339 (2026-01-31T12:00:00Z), Unix seconds or nanoseconds, or how long ago (15m, 1h30m, 2d)";

/// Most digits of a number that counts seconds; with more it counts nanoseconds, as in Loki's API.
const SECONDS_DIGITS_MAX: usize = 10;

/// Reads an instant; a duration counts back from `now`. `None` for anything that is not [`ACCEPTED`].
pub(super) fn instant(text: &str, now: Timestamp) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        let scale = if text.len() <= SECONDS_DIGITS_MAX { NS_PER_SECOND } else { 1 };
        return number.checked_mul(scale).map(Timestamp::from_ns);
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(instant.as_nanosecond()).ok().map(Timestamp::from_ns);
    }
    let ago = text.parse::<Span>().ok()?.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    let ago_ns = i64::try_from(ago.as_nanos()).ok()?;
    now.as_ns().checked_sub(ago_ns.checked_abs()?).map(Timestamp::from_ns)
}

/// The time by the system's clock.
pub(super) fn now() -> Timestamp {
    let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ns(i64::try_from(age.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = NS_PER_SECOND;
    const NOW: i64 = 1_000_000 * SECOND;

    #[track_caller]
    fn check(text: &str, expected_ns: impl Into<Option<i64>>) {
        let actual = instant(text, Timestamp::from_ns(NOW));
        assert_eq!(actual, expected_ns.into().map(Timestamp::from_ns), "text: {text}");
    }

    #[test]
    fn numbers_count_seconds_up_to_ten_digits_and_nanoseconds_beyond() {
        check("0", 0);
        check("1700000000", 1_700_000_000 * SECOND);
        check("1700000000123456789", 1_700_000_000_123_456_789);
    }

    #[test]
    fn rfc_3339_keeps_its_zone() {
        check("1970-01-02T00:00:00Z", 86_400 * SECOND);
        check("1970-01-01T02:00:00.5+01:00", 3_600 * SECOND + SECOND / 2);
    }

    #[test]
    fn durations_count_back_from_now() {
        check("15m", NOW - 900 * SECOND);
        check("1h30m", NOW - 5_400 * SECOND);
        check("2d", NOW - 172_800 * SECOND);
        check("15m ago", NOW - 900 * SECOND);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "yesterday", "1x", "2 fortnights", "99999999999999999999", "9999-01-01T00:00:00Z", "3y", "\u{661}"]
        {
            check(text, None);
        }
    }
}
