//! Drops the oldest segments: those that are too old, and those that are too much.
//!
//! What counts is when lines were stored, not the times that they tell of: a log that tells of last year is kept as long
//! as any other. Lines are dropped by whole segments and never rewritten.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::log_database::Error;
use crate::log_database::database::Database;
use crate::log_database::database::maintenance::Maintenance;
use crate::log_database::segment::Segment;
use crate::log_database::statistics::Dropped;
use crate::model::Timestamp;

/// How long to wait after a segment was dropped for its age before the next one is: a clock that is wrong by years must not
/// cost everything at once.
const AGED_INTERVAL: Duration = Duration::from_mins(1);

/// How much is kept. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionLimits {
    /// How long lines are kept once they are stored; a segment is dropped when the newest of its lines is older.
    pub age: Option<Duration>,
    /// How many bytes all segments may have. The journal, whose lines are not yet in segments, comes on top. The less
    /// it is, the shorter files are made, so that what is dropped at a time is a small part of it.
    pub bytes: Option<u64>,
}

/// Why a segment is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Age,
    Size,
}

impl Database {
    /// Drops the oldest segment where it is due.
    pub(super) fn retain(&self, maintenance: &mut Maintenance, now: Timestamp) -> Result<bool, Error> {
        let index = self.index();
        let Some(oldest) = index.segments.values().next() else { return Ok(false) };
        let segment_bytes = index.segments.values().map(|segment| segment.size_bytes()).sum();
        let limits = self.shared.options.retention;
        let Some(reason) = due(limits, oldest.stored(), segment_bytes, maintenance.aged, now) else { return Ok(false) };
        let mut is_read = false;
        self.with_readers(|readers, index| {
            let checkpoints = readers.leave(index, oldest.sequences());
            is_read = !checkpoints.is_empty();
            checkpoints
        })?;
        if is_read {
            // What they have not taken is counted before it is gone.
            self.sync()?;
        }
        self.shared.storage.remove(oldest.name())?;
        if reason == Reason::Age {
            maintenance.aged = Some(now);
        }
        self.state().remove_files(oldest.sequences());
        let counters = &self.shared.counters;
        counters.dropped_segments.add(1);
        let dropped = Dropped { time: now, is_for_age: reason == Reason::Age };
        *counters.last_dropped.lock().unwrap_or_else(PoisonError::into_inner) = Some(dropped);
        log::info!(
            "{} is dropped: it is {}",
            oldest.name(),
            match reason {
                Reason::Age => "older than lines are kept",
                Reason::Size => "over the bytes that are kept",
            }
        );
        self.sync_removal(oldest.directory());
        let is_day_over = |other: &Arc<Segment>| other.directory() != oldest.directory();
        if index.segments.values().skip(1).all(is_day_over) {
            // Files that are not ours keep it, which does no harm.
            let _ = self.shared.storage.remove_directory(oldest.directory());
        }
        Ok(true)
    }
}

/// Whether the oldest segment is dropped, where all of them have `segment_bytes` and one was dropped for its age at `aged`.
fn due(
    limits: RetentionLimits,
    oldest_stored: Timestamp,
    segment_bytes: u64,
    aged: Option<Timestamp>,
    now: Timestamp,
) -> Option<Reason> {
    if limits.bytes.is_some_and(|limit| limit < segment_bytes) {
        return Some(Reason::Size);
    }
    // Times after `now` are of a clock that was set back since; they have no age.
    let age_since = |then: Timestamp| {
        Duration::from_nanos(u64::try_from(i128::from(now.as_ns()) - i128::from(then.as_ns())).unwrap_or(0))
    };
    let is_too_old = limits.age.is_some_and(|limit| limit < age_since(oldest_stored));
    let has_waited = aged.is_none_or(|aged| now < aged || AGED_INTERVAL <= age_since(aged));
    (is_too_old && has_waited).then_some(Reason::Age)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// All in minutes; the segments have 100 bytes.
    #[track_caller]
    fn check(limits: RetentionLimits, stored: i64, aged: Option<i64>, now: i64, expected: Option<Reason>) {
        let at = |minutes: i64| Timestamp::from_ns(minutes * 60_000_000_000);
        assert_eq!(due(limits, at(stored), 100, aged.map(at), at(now)), expected);
    }

    #[test]
    fn without_limits_everything_is_kept() {
        check(RetentionLimits::default(), 0, None, 1_000_000, None);
    }

    #[test]
    fn what_is_older_than_the_limit_is_dropped() {
        let limits = RetentionLimits { age: Some(HOUR), bytes: None };
        check(limits, 10, None, 70, None);
        check(limits, 10, None, 71, Some(Reason::Age));
    }

    #[test]
    fn one_segment_a_minute_is_dropped_for_its_age() {
        let limits = RetentionLimits { age: Some(HOUR), bytes: None };
        check(limits, 10, Some(1000), 1000, None);
        check(limits, 10, Some(1000), 1001, Some(Reason::Age));
        // The clock was years ahead, and was set right again.
        check(limits, 10, Some(1_000_000), 100, Some(Reason::Age));
        check(limits, 1_000_000, Some(1_000_000), 100, None);
    }

    #[test]
    fn what_is_over_the_bytes_is_dropped_at_once() {
        check(RetentionLimits { age: None, bytes: Some(99) }, 10, Some(10), 10, Some(Reason::Size));
        check(RetentionLimits { age: None, bytes: Some(100) }, 10, None, 10, None);
    }
}
