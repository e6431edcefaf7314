//! One of many quiet streams: a line a minute, for a month.

use super::clock::{Clock, TimeStyle};
use super::collection::Source;
use super::random::Random;
use super::text::decimal;

/// Mean time between two lines.
const MEAN_STEP_NS: u64 = 59_000_000_000;
const LEVELS: &[&str] = &["INFO", "INFO", "INFO", "WARN", "ERROR"];
/// Words of each line, picked out of these.
const WORDS_PER_LINE: usize = 6;
pub(super) const WORDS: &[&str] = &[
    "timeout",
    "retry",
    "cache",
    "miss",
    "hit",
    "order",
    "payment",
    "failed",
    "accepted",
    "connection",
    "reset",
    "by",
    "peer",
    "upstream",
    "closed",
    "slow",
    "query",
    "user",
    "session",
    "token",
    "refreshed",
];

/// A stream of a line a minute.
pub(super) struct QuietStream {
    number: u64,
    random: Random,
    clock: Clock,
}

impl QuietStream {
    /// Bytes of a month.
    pub(super) const BYTES: u64 = 4_240_000;

    pub(super) fn new(number: u64, seed: u64) -> Self {
        Self { number, random: Random::new(seed.wrapping_mul(1_000_000) + number), clock: Clock::new() }
    }
}

impl Source for QuietStream {
    fn append_record(&mut self, out: &mut Vec<u8>) {
        self.clock.add(1 + self.random.below(2 * MEAN_STEP_NS));
        self.clock.write(out, TimeStyle::Rfc3339(3));
        out.push(b' ');
        out.extend_from_slice(self.random.any(LEVELS).as_bytes());
        out.extend_from_slice(b" svc-");
        decimal(out, self.number, 1);
        for _ in 0..WORDS_PER_LINE {
            out.push(b' ');
            out.extend_from_slice(self.random.any(WORDS).as_bytes());
        }
        out.extend_from_slice(b" id=");
        decimal(out, self.random.below(1 << 32), 1);
        out.extend_from_slice(b" took=");
        decimal(out, self.random.below(2000), 1);
        out.extend_from_slice(b"ms\n");
    }
}
