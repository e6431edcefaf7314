//! Tables of figures beside those of a peer.

use std::time::{Duration, Instant};

/// How often each measurement is repeated; the best counts, because other work on the machine only ever slows it down.
const RUNS: usize = 3;

/// The shortest time that `work` takes, and its result.
pub(crate) fn best_of_runs<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let runs = std::iter::repeat_with(|| timed(&mut work)).take(RUNS);
    runs.min_by_key(|(time, _)| *time).expect("there is at least one run")
}

/// How long `work` takes, and its result.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// The CPU time of this thread that `work` takes, and its result.
pub(crate) fn cpu_timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = cpu_time();
    let result = work();
    (cpu_time().saturating_sub(start), result)
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("CPU time is not negative")
}

/// Milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Megabytes a second.
pub(crate) fn mb_per_s(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// Seconds per gigabyte.
pub(crate) fn s_per_gb(bytes: u64, time: Duration) -> f64 {
    time.as_secs_f64() / (bytes as f64 / 1e9)
}
