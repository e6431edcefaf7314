//! Programs that follow a file, and how long each line takes to come out of them.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::process::wait;

/// How long the last line may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How often lines are written, in times a second: each time those that are due by then.
const WRITES_PER_SECOND: u32 = 1000;

/// A line with the time of this moment, in nanoseconds since the Unix epoch, at its end.
pub(crate) fn line() -> String {
    format!("{:.9} INFO request served status=200 stamp={}\n", jiff::Timestamp::now(), now_ns())
}

fn now_ns() -> u64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(age.as_nanos()).expect("it is earlier than 2554")
}

/// Appends `rate` lines a second to `file`; how many in all.
pub(crate) fn write(file: &Path, rate: u32, duration: Duration) -> usize {
    let mut file = OpenOptions::new().append(true).open(file).expect("it is there");
    let (start, per_write) = (Instant::now(), rate / WRITES_PER_SECOND);
    let writes = u32::try_from(duration.as_secs()).expect("a bench takes minutes") * WRITES_PER_SECOND;
    for number in 0..writes {
        wait((Duration::from_secs(1) * number / WRITES_PER_SECOND).saturating_sub(start.elapsed()));
        let text: String = (0..per_write).map(|_| line()).collect();
        file.write_all(text.as_bytes()).expect("the disk has room");
    }
    (writes * per_write) as usize
}

/// A program that follows; killed when it is dropped.
pub(crate) struct Follower {
    child: Child,
    /// How long each line took.
    delays: Arc<Mutex<Vec<Duration>>>,
}

impl Follower {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program is there");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let delays = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&delays);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let stamp = line.rsplit_once("stamp=").and_then(|(_, stamp)| stamp.parse().ok());
                let delay = now_ns().saturating_sub(stamp.expect("each line has one"));
                seen.lock().expect("no reader panics").push(Duration::from_nanos(delay));
            }
        });
        Self { child, delays }
    }

    fn count(&self) -> usize {
        self.delays.lock().expect("no reader panics").len()
    }

    /// Waits until so many lines have come; whether they have.
    pub(crate) fn wait_for(&self, count: usize) -> bool {
        let start = Instant::now();
        while self.count() < count && start.elapsed() < PATIENCE {
            wait(POLL_INTERVAL);
        }
        count <= self.count()
    }

    /// Waits for the last of so many lines, the first of which was there before.
    pub(crate) fn end(self, count: usize) -> Delays {
        self.wait_for(count);
        let mut sorted = self.delays.lock().expect("no reader panics").split_off(1);
        assert!(sorted.len() < count, "lines came twice: {} of {count}", sorted.len() + 1);
        let lost = count - 1 - sorted.len();
        sorted.sort_unstable();
        Delays { sorted, lost }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long lines took, the shortest first, and how many never came.
pub(crate) struct Delays {
    sorted: Vec<Duration>,
    lost: usize,
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent: usize| {
            let index = (self.sorted.len() * percent).div_ceil(100).saturating_sub(1);
            self.sorted.get(index).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
        };
        write!(f, " {:>10.2} {:>10.2} {:>10.2} {:>10}", ms(50), ms(99), ms(100), self.lost)
    }
}
