//! How long it takes from a file's creation until its first line can be read.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::latency::stamped;
use crate::process::wait;

/// How many files come, one after the other.
const FILE_COUNT: usize = 50;
/// Between two of them: the collector is idle again.
const PAUSE: Duration = Duration::from_millis(20);
const POLL_INTERVAL: Duration = Duration::from_micros(500);
/// How long one file may take before the run has failed.
const PATIENCE: Duration = Duration::from_secs(70);

/// Creates files with one line each and asks `is_there` until each is; shortest first.
pub(crate) fn run(logs: &Path, mut is_there: impl FnMut(&Path) -> bool) -> Vec<Duration> {
    let mut waits = Vec::new();
    // The first shows that the collector has started; it does not count.
    for number in 0..=FILE_COUNT {
        let path = logs.join(format!("new-{number}-{}.log", std::process::id()));
        let start = Instant::now();
        fs::write(&path, stamped("first")).expect("the disk has room");
        while !is_there(&path) {
            assert!(start.elapsed() < PATIENCE, "{} never comes", path.display());
            wait(POLL_INTERVAL);
        }
        if 0 < number {
            waits.push(start.elapsed());
        }
        fs::remove_file(&path).expect("it was just created");
        wait(PAUSE);
    }
    waits.sort_unstable();
    waits
}

/// The middle and the longest, in columns.
pub(crate) fn row(sorted: &[Duration]) -> String {
    let ms = |index: usize| sorted[index].as_secs_f64() * 1e3;
    format!(" {:>8.2} {:>8.2}", ms(sorted.len() / 2), ms(sorted.len() - 1))
}
