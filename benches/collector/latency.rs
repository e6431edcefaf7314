//! How long it takes from a line's write until it can be read.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::process::{Agent, Connection, Process, wait};

/// Between an answer and the next question. Part of what is measured: a user's page asks no faster.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long the last lines may take before the run has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// Text of the lines without a stamp, to reach [`FLOOD`]'s bytes.
const FILLER: &str =
    "INFO request served method=GET path=/api/v1/orders/4711 status=200 duration_ms=12 bytes=5120 user=u-1234\n";

/// How fast the program under watch writes.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    writes_per_second: u32,
    /// Bytes of other lines in front of each stamped one, written with it.
    filler_bytes: usize,
}

/// 1000 lines a second, one by one, each with its stamp.
pub(crate) const TRICKLE: Load = Load { name: "1000 lines/s", writes_per_second: 1000, filler_bytes: 0 };
/// 50 MB a second, every write of 50 kB with a stamp in its last line.
pub(crate) const FLOOD: Load = Load { name: "50 MB/s", writes_per_second: 1000, filler_bytes: 50_000 };

/// Latencies, and what the collector used meanwhile.
pub(crate) struct Latency {
    /// From each stamped line's write until it could be read, shortest first.
    sorted: Vec<Duration>,
    cpu_percent: f64,
    peak_kib: u64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent: usize| {
            let index = (self.sorted.len() * percent).div_ceil(100).saturating_sub(1);
            self.sorted[index].as_secs_f64() * 1e3
        };
        let (p50, p99, longest) = (ms(50), ms(99), ms(100));
        write!(f, " {p50:>8.2} {p99:>8.2} {longest:>8.2} {:>7.1} {:>10}", self.cpu_percent, self.peak_kib)
    }
}

/// Creates the empty file that [`run`] writes to.
pub(crate) fn create(logs: &Path) -> PathBuf {
    fs::create_dir_all(logs).expect("the temporary directory can be written");
    let path = logs.join("live.log");
    File::create(&path).expect("it is a new file");
    path
}

/// Appends to `file` for `duration` as `load` says, and asks for the `new_stamps` that have arrived.
pub(crate) fn run(
    file: &Path,
    load: &Load,
    duration: Duration,
    process: &Process,
    mut new_stamps: impl FnMut() -> Vec<u64>,
) -> Latency {
    let total = u32::try_from(duration.as_secs()).expect("a bench takes minutes") * load.writes_per_second;
    let cpu_before = process.cpu();
    let start = Instant::now();
    let filler = FILLER.repeat(load.filler_bytes.div_ceil(FILLER.len()));
    let writes_per_second = load.writes_per_second;
    let file = OpenOptions::new().append(true).open(file).expect("it was just created");
    let writer = thread::spawn(move || write(file, &filler, writes_per_second, total));
    let mut sorted = Vec::new();
    while sorted.len() < total as usize {
        assert!(start.elapsed() < duration + PATIENCE, "{} of {total} stamps arrived", sorted.len());
        let stamps = new_stamps();
        let now = now_ns();
        sorted.extend(stamps.into_iter().map(|stamp| Duration::from_nanos(now.saturating_sub(stamp))));
        wait(POLL_INTERVAL);
    }
    writer.join().expect("the writer ends well");
    let cpu = process.cpu().saturating_sub(cpu_before);
    let cpu_percent = 100.0 * cpu.as_secs_f64() / start.elapsed().as_secs_f64();
    sorted.sort_unstable();
    Latency { sorted, cpu_percent, peak_kib: process.memory_kib("VmHWM") }
}

/// Writes one piece after the other, each when it is due.
fn write(mut file: File, filler: &str, writes_per_second: u32, total: u32) {
    let start = Instant::now();
    for number in 0..total {
        let due = Duration::from_secs(1) * number / writes_per_second;
        wait(due.saturating_sub(start.elapsed()));
        let text = filler.to_owned() + &stamped(&number.to_string());
        file.write_all(text.as_bytes()).expect("the disk has room");
    }
}

/// A line with the time of this moment at its start, where collectors find it, and at its end.
pub(crate) fn stamped(text: &str) -> String {
    let time = jiff::Timestamp::now();
    format!("{time:.9} INFO request {text} done stamp={}\n", time.as_nanosecond())
}

/// The stamp at a line's end, in nanoseconds since the Unix epoch; it is the entry's time as well.
pub(crate) fn stamp_of(line: &str) -> Option<u64> {
    line.rsplit_once("stamp=")?.1.parse().ok()
}

fn now_ns() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(age.as_nanos()).expect("it is earlier than 2554")
}

/// Asks one agent again and again for the stamped lines of one file.
pub(crate) struct Answers {
    connection: Connection,
    target: String,
    since: u64,
}

impl Answers {
    /// What comes of `file` from now on.
    pub(crate) fn of(agent: &Agent, file: &Path) -> Self {
        Self { connection: agent.connect(), target: format!("/logs/path/{}", file.display()), since: 0 }
    }

    /// The stamps in lines that have come since.
    pub(crate) fn new_stamps(&mut self) -> Vec<u64> {
        let Self { connection, target, since } = self;
        // The file has no stream yet while its first line is under way.
        let answer = connection.get(&format!("{target}?contains=stamp%3D&since={since}")).unwrap_or_default();
        let lines = answer.as_array().into_iter().flatten();
        let stamps: Vec<u64> = lines.filter_map(|line| stamp_of(line.as_str()?)).collect();
        self.since = stamps.last().map_or(self.since, |last| last + 1);
        stamps
    }
}
