//! How long it takes from a line's write to an answer that has it.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::backlog::wait;
use crate::process::Agent;

/// How fast the program under watch writes.
pub(crate) const LINES_PER_SECOND: u32 = 1000;
/// Between an answer and the next question. Part of what is measured: a user's page asks no faster.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long the last lines may take before the run has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Latencies, and what the agent used meanwhile.
pub(crate) struct Latency {
    /// From each line's write to the end of the first answer that has it, shortest first.
    pub(crate) sorted: Vec<Duration>,
    pub(crate) cpu_percent: f64,
    pub(crate) peak_kib: u64,
}

impl Latency {
    /// The latency that `part` in `whole` lines do not exceed, in milliseconds.
    pub(crate) fn ms(&self, part: usize, whole: usize) -> f64 {
        let index = (self.sorted.len() * part).div_ceil(whole).saturating_sub(1);
        self.sorted[index].as_secs_f64() * 1e3
    }
}

/// Appends stamped lines for `duration` and asks for those not seen yet, over one connection.
pub(crate) fn run(place: &Path, duration: Duration) -> Latency {
    let logs = place.join("logs");
    fs::create_dir_all(&logs).expect("the temporary directory can be written");
    let path = logs.join("live.log");
    let file = File::create(&path).expect("it is a new file");
    let mut agent = Agent::start(&logs, &place.join("data"));

    let total = u32::try_from(duration.as_secs()).expect("a bench takes minutes") * LINES_PER_SECOND;
    let cpu_before = agent.cpu();
    let start = Instant::now();
    let writer = thread::spawn(move || write_lines(file, total));
    let mut latencies = Vec::new();
    let mut since = 0;
    while latencies.len() < total as usize {
        assert!(start.elapsed() < duration + PATIENCE, "{} of {total} lines arrived", latencies.len());
        // The file has no stream yet while its first line is under way.
        let answer = agent.get(&format!("/logs/path/{}?since={since}", path.display())).unwrap_or_default();
        let now = now_ns();
        for line in answer.as_array().into_iter().flatten() {
            let stamp = stamp_of(line.as_str().expect("a line is text"));
            latencies.push(Duration::from_nanos(now.saturating_sub(stamp)));
            since = stamp + 1;
        }
        wait(POLL_INTERVAL);
    }
    writer.join().expect("the writer ends well");
    let cpu = agent.cpu().saturating_sub(cpu_before);
    let cpu_percent = 100.0 * cpu.as_secs_f64() / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let peak_kib = agent.memory_kib("VmHWM");
    agent.stop();
    Latency { sorted: latencies, cpu_percent, peak_kib }
}

/// Writes one line after the other, each when it is due, stamped with the time just before its write.
fn write_lines(mut file: File, total: u32) {
    let start = Instant::now();
    for number in 0..total {
        let due = Duration::from_secs(1) * number / LINES_PER_SECOND;
        wait(due.saturating_sub(start.elapsed()));
        let time = jiff::Timestamp::now();
        let line = format!("{time:.9} INFO request {number} done stamp={}\n", time.as_nanosecond());
        file.write_all(line.as_bytes()).expect("the disk has room");
    }
}

/// The stamp at a line's end, in nanoseconds since the Unix epoch; it is the entry's time as well.
fn stamp_of(line: &str) -> u64 {
    let (_, stamp) = line.rsplit_once("stamp=").expect("every line has its stamp");
    stamp.parse().expect("a stamp is a number")
}

fn now_ns() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(age.as_nanos()).expect("it is earlier than 2554")
}
