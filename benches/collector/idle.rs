//! What a collector costs while nothing happens.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::process::{Process, wait};

/// After this time everything is read, committed and synced.
const SETTLING_TIME: Duration = Duration::from_secs(7);

/// What doing nothing costs.
pub(crate) struct Idle {
    cpu_percent: f64,
    memory_kib: u64,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {:>8.2} {:>10}", self.cpu_percent, self.memory_kib)
    }
}

/// Writes many small files.
pub(crate) fn write(logs: &Path, count: usize) {
    fs::create_dir_all(logs).expect("the temporary directory can be written");
    for number in 0..count {
        fs::write(logs.join(format!("{number}.log")), "one line\n").expect("the disk has room");
    }
}

/// Watches a collector that has just started for `duration` once it is done with what there is.
pub(crate) fn watch(process: &Process, duration: Duration) -> Idle {
    wait(SETTLING_TIME);
    let cpu_before = process.cpu();
    wait(duration);
    let cpu = process.cpu().saturating_sub(cpu_before);
    let cpu_percent = 100.0 * cpu.as_secs_f64() / duration.as_secs_f64();
    Idle { cpu_percent, memory_kib: process.memory_kib("VmRSS") }
}
