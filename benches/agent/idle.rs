//! What the agent costs while nothing happens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::backlog::wait;
use crate::process::Agent;

/// As many logs as a large node has.
pub(crate) const FILE_COUNT: usize = 1000;
/// After this time everything is read, committed and synced.
const SETTLING_TIME: Duration = Duration::from_secs(7);

/// What doing nothing costs.
pub(crate) struct Idle {
    pub(crate) cpu_percent: f64,
    pub(crate) memory_kib: u64,
}

/// Lets the agent read many small files, and watches it for `duration` once it is done.
pub(crate) fn run(place: &Path, duration: Duration) -> Idle {
    let logs = place.join("logs");
    fs::create_dir_all(&logs).expect("the temporary directory can be written");
    for number in 0..FILE_COUNT {
        fs::write(logs.join(format!("{number}.log")), "one line\n").expect("the disk has room");
    }
    let agent = Agent::start(&logs, &place.join("data"));
    wait(SETTLING_TIME);
    let cpu_before = agent.cpu();
    wait(duration);
    let cpu = agent.cpu().saturating_sub(cpu_before);
    let idle =
        Idle { cpu_percent: 100.0 * cpu.as_secs_f64() / duration.as_secs_f64(), memory_kib: agent.memory_kib("VmRSS") };
    agent.stop();
    idle
}
