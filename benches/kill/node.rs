//! A node: containers that log, and a kubelet that rotates what they log.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// How many containers log.
pub(crate) const CONTAINERS: u64 = 4;
/// What all of them write in a second.
const BYTES_PER_SECOND: u64 = 50_000_000;
/// Each of them is rotated this often.
const ROTATION_INTERVAL: Duration = Duration::from_millis(200);
/// How often all of them write.
const WRITE_INTERVAL: Duration = Duration::from_millis(10);
/// Longest that a writer that was held up writes at once.
const CATCH_UP_MAX: Duration = Duration::from_millis(500);
/// One line in so many is written in two parts, as container runtimes do with long ones.
const LINES_PER_PARTIAL: u64 = 50;
/// A container's writes are cut off anywhere, as a buffer is; the rest comes with the next.
const CUT_BYTES_MAX: u64 = 700;
/// When all lines were written, so that they come back in the order in which they were stored.
const TIME: &str = "2026-11-22T13:04:05.000000000Z";

/// A directory that looks like a node's `/var/log`.
pub(crate) struct Node {
    place: PathBuf,
}

/// What a container wrote.
pub(crate) struct Container {
    directory: PathBuf,
    file: File,
    number: u64,
    /// How many lines were written.
    pub(crate) line_count: u64,
    /// Which line came first after each rotation.
    pub(crate) rotated_at: Vec<u64>,
    /// Written lines that are not yet in the file.
    rest: Vec<u8>,
    rotated: Option<PathBuf>,
}

/// The name of a container's pod.
pub(crate) fn pod(number: u64) -> String {
    format!("pod{number:02}")
}

/// The text of a line, which all of it can be told from: words that repeat, and numbers that hardly do.
pub(crate) fn write_text(container: u64, sequence: u64, out: &mut String) {
    let hash = (sequence ^ (container << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let level = ["info", "debug", "warn", "error"][usize::try_from(hash >> 62).expect("two bits")];
    write!(out, "{sequence} level={level} container={container} request={hash:016x} took={}ms ", hash % 1000)
        .expect("a string takes anything");
    for word in 0..hash % 40 {
        let words = ["connection", "closed", "by", "peer", "while", "reading", "the", "answer"];
        out.push_str(words[usize::try_from((hash >> (word % 30)) % 8).expect("below 8")]);
        out.push(' ');
    }
    out.push('.');
}

/// Which line a text is.
pub(crate) fn sequence_of(text: &str) -> Option<u64> {
    text.split_once(' ')?.0.parse().ok()
}

impl Node {
    pub(crate) fn new(place: &Path) -> Self {
        let node = Self { place: place.to_owned() };
        fs::create_dir_all(node.root()).expect("the place can be written");
        node
    }

    /// The directory of links that the agent is given.
    pub(crate) fn root(&self) -> PathBuf {
        self.place.join("containers")
    }

    /// Logs and rotates until it is over; every line that was begun is then complete. With `splits` some begin in one file and
    /// end in the next.
    pub(crate) fn run(&self, is_over: &AtomicBool, splits: bool) -> Vec<Container> {
        let mut containers: Vec<Container> = (0..CONTAINERS).map(|number| Container::new(self, number)).collect();
        let (compressor, paths) = mpsc::channel::<PathBuf>();
        let compressing = std::thread::spawn(move || paths.iter().for_each(|path| compress(&path)));
        let mut written_until = Instant::now();
        let mut rotation_due = written_until + ROTATION_INTERVAL;
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(WRITE_INTERVAL);
            let now = Instant::now();
            let elapsed = (now - written_until).min(CATCH_UP_MAX);
            written_until = now;
            let share = BYTES_PER_SECOND / CONTAINERS * u64::try_from(elapsed.as_micros()).expect("short") / 1_000_000;
            for container in &mut containers {
                container.write(share, CUT_BYTES_MAX);
            }
            if rotation_due <= now {
                rotation_due = now + ROTATION_INTERVAL;
                for older in containers.iter_mut().filter_map(|container| container.rotate(splits)) {
                    compressor.send(older).expect("it compresses until the end");
                }
            }
        }
        for container in &mut containers {
            container.write(1, 0);
        }
        drop(compressor);
        compressing.join().expect("gzip works");
        containers
    }
}

impl Container {
    fn new(node: &Node, number: u64) -> Self {
        let pod = pod(number);
        let directory = node.place.join(format!("pods/shop_{pod}_uid{number}/app"));
        fs::create_dir_all(&directory).expect("the place can be written");
        let path = directory.join("0.log");
        let file = create(&path);
        symlink(&path, node.root().join(format!("{pod}_shop_app-{number:064x}.log")))
            .expect("the place can be written");
        Self { directory, file, number, line_count: 0, rotated_at: Vec::new(), rest: Vec::new(), rotated: None }
    }

    /// Writes lines of about `share` bytes, all but the last few bytes of them.
    fn write(&mut self, share: u64, cut_bytes_max: u64) {
        let end = self.rest.len() + usize::try_from(share).expect("a few MB");
        while self.rest.len() < end {
            self.append_line(self.line_count % LINES_PER_PARTIAL == 7);
        }
        let cut = usize::try_from((self.line_count * 7919) % (cut_bytes_max + 1)).expect("short").min(self.rest.len());
        let now = self.rest.len() - cut;
        self.file.write_all(&self.rest[..now]).expect("there is room");
        self.rest.drain(..now);
    }

    /// Adds the next line to what is to be written, in two parts or whole.
    fn append_line(&mut self, is_split: bool) {
        let mut text = String::new();
        write_text(self.number, self.line_count, &mut text);
        let half = if is_split { text.len() / 2 } else { 0 };
        if is_split {
            writeln!(self.rest, "{TIME} stdout P {}", &text[..half]).expect("memory takes anything");
        }
        writeln!(self.rest, "{TIME} stdout F {}", &text[half..]).expect("memory takes anything");
        self.line_count += 1;
    }

    /// Renames the log and begins a new one; returns the one before, which is to be compressed now. With `splits` each ends in
    /// the first part of a line whose second part is in the next.
    fn rotate(&mut self, splits: bool) -> Option<PathBuf> {
        if splits {
            self.append_line(true);
        }
        // The last line but one is the first part of the last line.
        let newline = memchr::memrchr(b'\n', self.rest.get(..self.rest.len().saturating_sub(1)).unwrap_or_default());
        let end = newline.filter(|_| splits).map_or(self.rest.len(), |newline| newline + 1);
        self.file.write_all(&self.rest[..end]).expect("there is room");
        self.rest.drain(..end);
        let path = self.directory.join("0.log");
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is set");
        let time = Timestamp::from_millisecond(i64::try_from(since.as_millis()).expect("not yet")).expect("not yet");
        let rotated = self.directory.join(format!("0.log.{}", time.strftime("%Y%m%d-%H%M%S%.3f")));
        assert!(!rotated.exists(), "rotations of one log are further apart");
        fs::rename(&path, &rotated).expect("it is there");
        self.file = create(&path);
        self.rotated_at.push(self.line_count);
        self.rotated.replace(rotated)
    }
}

fn create(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("the place can be written")
}

/// Compresses a file as the kubelet does: beside it, under its name, and then without it.
fn compress(path: &Path) {
    let name = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let compressed = File::create(name(".tmp")).expect("the place can be written");
    let status = Command::new("gzip").arg("-1").arg("--stdout").arg(path).stdout(compressed).status();
    assert!(status.expect("gzip is installed").success(), "gzip compresses {}", path.display());
    fs::rename(name(".tmp"), name(".gz")).expect("it is there");
    fs::remove_file(path).expect("it is there");
}
