//! One service's JSON lines: nine fields, most of which hardly repeat.

use super::clock::{Clock, TimeStyle};
use super::collection::Source;
use super::quiet::WORDS;
use super::random::Random;
use super::text::{decimal, fraction, hexadecimal};

/// The time that all lines take together.
const SPAN_NS: u64 = 3_000_000_000_000;
const LINE_BYTES: u64 = 228;
const USERS: u64 = 3000;
/// Levels, each with how many of a hundred lines have it.
const LEVELS: &[(&str, u64)] = &[("info", 80), ("debug", 10), ("warn", 7), ("error", 3)];
const SERVICES: &[&str] = &["api", "checkout", "web", "auth", "search", "mail"];
const STATUSES: &[u64] = &[200, 200, 200, 201, 204, 301, 404, 500];

/// The lines of a service.
pub(super) struct JsonLines {
    random: Random,
    clock: Clock,
    step_ns: u64,
}

impl JsonLines {
    /// Lines that are about `bytes` together.
    pub(super) fn new(bytes: u64, seed: u64) -> Self {
        let step_ns = SPAN_NS / (bytes / LINE_BYTES).max(1);
        Self { random: Random::new(seed), clock: Clock::new(), step_ns }
    }

    fn level(&mut self) -> &'static str {
        let mut of_hundred = self.random.below(100);
        let found = LEVELS.iter().find(|(_, share)| {
            let is_it = of_hundred < *share;
            of_hundred = of_hundred.saturating_sub(*share);
            is_it
        });
        found.map_or("info", |(level, _)| level)
    }

    fn words(&mut self, out: &mut Vec<u8>) {
        for number in 0..3 + self.random.below(6) {
            if 0 < number {
                out.push(b' ');
            }
            out.extend_from_slice(self.random.any(WORDS).as_bytes());
        }
    }
}

impl Source for JsonLines {
    fn append_record(&mut self, out: &mut Vec<u8>) {
        self.clock.add(self.step_ns);
        out.extend_from_slice(br#"{"time":""#);
        self.clock.write(out, TimeStyle::Rfc3339(6));
        out.extend_from_slice(br#"","level":""#);
        out.extend_from_slice(self.level().as_bytes());
        out.extend_from_slice(br#"","service":""#);
        out.extend_from_slice(self.random.any(SERVICES).as_bytes());
        out.extend_from_slice(br#"","msg":""#);
        self.words(out);
        out.extend_from_slice(br#"","status":"#);
        decimal(out, *self.random.any(STATUSES), 1);
        out.extend_from_slice(br#","duration_ms":"#);
        // Short ones are met more often, and some are a hundred times longer.
        let octave = 1 << self.random.below(14);
        fraction(out, octave + self.random.below(octave), 2);
        out.extend_from_slice(br#","user":"user-"#);
        decimal(out, self.random.below(USERS), 4);
        out.extend_from_slice(br#"","trace_id":""#);
        hexadecimal(out, self.random.bits(), 16);
        out.extend_from_slice(br#"","path":"/api/v1/"#);
        out.extend_from_slice(self.random.any(WORDS).as_bytes());
        out.push(b'/');
        decimal(out, self.random.below(100_000), 1);
        out.extend_from_slice(b"\"}\n");
    }
}
