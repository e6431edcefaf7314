//! How fast files that are already there are read and stored.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::corpus::Corpus;
use crate::process::{Agent, cpu_of_children, wait};

/// How often a collector is asked whether it is done: seldom enough not to disturb, often enough not to be what is
/// measured.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What the simplest tools do with the same bytes.
pub(crate) const YARDSTICKS: [(&str, &[&str]); 2] =
    [("wc -l", &["wc", "-l"]), ("zstd -1", &["zstd", "-1", "--single-thread", "--stdout", "--quiet"])];

/// What reading the corpus once has cost.
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    pub(crate) peak_kib: Option<u64>,
}

impl Cost {
    /// The name, MB/s, CPU seconds per GB and memory, in columns.
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    pub(crate) fn row(&self, bytes: u64) -> String {
        let speed = bytes as f64 / 1e6 / self.wall.as_secs_f64();
        let cpu = self.cpu.as_secs_f64() / (bytes as f64 / 1e9);
        let peak = self.peak_kib.map_or_else(String::new, |kib| kib.to_string());
        format!("{:<36} {speed:>8.0} {cpu:>10.2} {peak:>10}", self.name)
    }
}

/// A run of the agent over the whole corpus.
pub(crate) struct Run {
    pub(crate) cost: Cost,
    pub(crate) disk_bytes: u64,
    /// From the signal to the end: the rest is committed, and everything synced to the disk.
    pub(crate) stop: Duration,
}

/// Runs the agent with nothing stored until it has read every file and answers every line. At that moment all but the
/// last MiB is committed; how long the agent then takes to stop is measured apart, for it depends on the disk.
pub(crate) fn run(root: &Path, data: &Path, corpus: &Corpus) -> Run {
    let start = Instant::now();
    let mut agent = Agent::start(root, data);
    loop {
        let status = agent.get("/status").expect("the agent is well");
        assert!(status["problem"].is_null(), "{status}");
        if status["lines"].as_u64() == Some(corpus.lines) {
            break;
        }
        wait(POLL_INTERVAL);
    }
    let (wall, cpu) = (start.elapsed(), agent.process.cpu());
    let status = agent.get("/status").expect("the agent is well");
    let lag = status["sources"].as_array().expect("sources are listed").iter();
    assert_eq!(lag.filter_map(|source| source["lag_bytes"].as_u64()).sum::<u64>(), 0, "everything is read");
    let peak_kib = Some(agent.process.memory_kib("VmHWM"));
    let disk_bytes = status["disk_bytes"].as_u64().expect("the disk's use is known");
    Run { cost: Cost { name: "monitoring-rs", wall, cpu, peak_kib }, disk_bytes, stop: agent.stop() }
}

/// Runs a command over the same files and throws its output away.
pub(crate) fn yardstick(name: &'static str, command: &[&str], corpus: &Corpus) -> Cost {
    let cpu_before = cpu_of_children();
    let start = Instant::now();
    let mut child = Command::new(command[0]);
    child.args(&command[1..]).args(&corpus.files).stdout(Stdio::null());
    let status = child.status().unwrap_or_else(|error| panic!("{name} cannot be run: {error}"));
    assert!(status.success(), "{name} ended with {status}");
    let cpu = cpu_of_children().saturating_sub(cpu_before);
    Cost { name, wall: start.elapsed(), cpu, peak_kib: None }
}
