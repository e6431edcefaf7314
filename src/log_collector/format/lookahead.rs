//! The years and days that an old file's first lines are of, where lines do not say: found from its end backwards.
//!
//! The file's last line is of the time when it was modified. Samples between it and the first line show how often the
//! year, or the day, began anew, so that a file of several years needs not be read twice.

use super::host_clock::{DATELESS_DISORDER_NS, YEARLESS_DISORDER_NS};
use super::moment::{DAY_NS, Moment, epoch_day};
use super::plain::PlainTimes;
use crate::model::Timestamp;

/// Most places of a file that are sampled: a file of that many years is dated well.
const SAMPLES_MAX: u64 = 64;
/// Size of a sample, in bytes.
const SAMPLE_BYTES: usize = 4096;
/// Most lines at the start of a file that are looked at for one with a time.
const FIRST_LINES_MAX: usize = 16;
/// A year that has every day.
const LEAP_YEAR: i64 = 2000;
const YEAR_NS: i64 = 365 * DAY_NS;

/// Samples of the lines before byte `end` of a file, summed up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookahead {
    pub(super) end: u64,
    /// The last time among them.
    pub(super) last: Moment,
    /// Position of the first and of the last time in their years, or days, in nanoseconds.
    first_phase_ns: i64,
    last_phase_ns: i64,
    /// Count of the years, or days, that begin between the first and the last.
    wraps: i64,
}

impl Lookahead {
    /// Looks at a file of `size` bytes that begins with `start`. `None` where its times lack nothing.
    ///
    /// `read_at` reads at an offset until the buffer is full or the file ends, and tells how much that was.
    pub(super) fn sample(
        times: &mut PlainTimes,
        start: &[u8],
        size: u64,
        now: Timestamp,
        mut read_at: impl FnMut(&mut [u8], u64) -> Option<usize>,
    ) -> Option<Self> {
        let first = lines(start).take(FIRST_LINES_MAX).find_map(|line| times.find(line, now))?;
        let first_phase_ns = phase_ns(first)?;
        let mut ahead = Self { end: size, last: first, first_phase_ns, last_phase_ns: first_phase_ns, wraps: 0 };
        if size <= start.len() as u64 {
            lines(start).for_each(|line| ahead.take(times.find(line, now)));
            return Some(ahead);
        }
        let mut bytes = vec![0; SAMPLE_BYTES];
        let step = (size / SAMPLES_MAX).max(SAMPLE_BYTES as u64 / 2);
        let mut offset = step;
        while offset < size {
            // The last sample is of the file's end, and of all of its lines.
            let is_last = size <= offset + step;
            let at = if is_last { size.saturating_sub(SAMPLE_BYTES as u64) } else { offset };
            let count = read_at(&mut bytes, at)?;
            let whole = lines(bytes.get(..count)?).skip(1);
            let taken = if is_last { usize::MAX } else { 1 };
            whole.filter_map(|line| times.find(line, now)).take(taken).for_each(|moment| ahead.take(Some(moment)));
            offset += step;
        }
        Some(ahead)
    }

    /// The first line's time, where that of the last is `last_ns`; both in nanoseconds since 1970.
    pub(super) fn first_ns(&self, last_ns: i64) -> i64 {
        match self.last {
            Moment::Dateless(_) => last_ns - self.last_phase_ns + self.first_phase_ns - self.wraps * DAY_NS,
            // To a day of leap years.
            _ => last_ns - self.last_phase_ns + self.first_phase_ns - self.wraps * YEAR_NS,
        }
    }

    /// Takes the next time that was found.
    fn take(&mut self, moment: Option<Moment>) {
        let Some((moment, phase)) = moment.and_then(|moment| Some((moment, phase_ns(moment)?))) else { return };
        let disorder_ns = match (self.last, moment) {
            (Moment::Yearless { .. }, Moment::Yearless { .. }) => YEARLESS_DISORDER_NS,
            (Moment::Dateless(_), Moment::Dateless(_)) => DATELESS_DISORDER_NS,
            _ => return,
        };
        self.wraps += i64::from(phase < self.last_phase_ns - disorder_ns);
        self.last = moment;
        self.last_phase_ns = phase;
    }
}

/// Position of a time in its year, or day, in nanoseconds.
fn phase_ns(moment: Moment) -> Option<i64> {
    match moment {
        Moment::Yearless { month, day, time_ns, .. } => {
            Some((epoch_day(LEAP_YEAR, month, day)? - epoch_day(LEAP_YEAR, 1, 1)?) * DAY_NS + time_ns)
        }
        Moment::Dateless(time_ns) => Some(time_ns),
        Moment::Instant(_) | Moment::Local(_) => None,
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}
