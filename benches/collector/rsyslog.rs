//! The peer: rsyslog's imfile, which follows files by inotify and writes their lines to one file.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::backlog::{Cost, POLL_INTERVAL};
use crate::corpus::Corpus;
use crate::latency::stamp_of;
use crate::process::{Process, wait};

/// Debian's package puts it where a user's `PATH` may not lead.
const PROGRAM: &str = "/usr/sbin/rsyslogd";
const OUTPUT_BUFFER_BYTES: u64 = 8 << 20;

/// Ends the program with a clear message where rsyslog is missing.
pub(crate) fn require() {
    let found = Command::new(PROGRAM).arg("-v").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    assert!(found, "the peer of this bench is missing; install it: apt-get install rsyslog");
}

/// Runs rsyslog with nothing read until it has copied every line.
pub(crate) fn copy(corpus: &Corpus, place: &Path) -> Cost {
    let start = Instant::now();
    let rsyslog = Rsyslog::start(&corpus.directory, place);
    while rsyslog.output_bytes() < corpus.bytes {
        wait(POLL_INTERVAL);
    }
    let (wall, cpu) = (start.elapsed(), rsyslog.process.cpu());
    let peak_kib = Some(rsyslog.process.memory_kib("VmHWM"));
    rsyslog.stop();
    Cost { name: "rsyslog: lines copied", wall, cpu, peak_kib }
}

/// A running rsyslog of its own; killed when it is dropped.
pub(crate) struct Rsyslog {
    pub(crate) process: Process,
    place: PathBuf,
}

impl Rsyslog {
    /// Follows `<logs>/*.log`, with its state and its output in `place`.
    pub(crate) fn start(logs: &Path, place: &Path) -> Self {
        fs::create_dir_all(place).expect("the temporary directory can be written");
        let configuration = place.join("rsyslog.conf");
        // Up to 10,000 files; lines as long as ours; each line written out when it is there.
        let text = format!(
            r#"global(workDirectory="{place}" maxMessageSize="1m" maxOpenFiles="20000")
module(load="imfile" mode="inotify")
template(name="raw" type="string" string="%rawmsg%\n")
input(type="imfile" file="{logs}/*.log" tag="bench" ruleset="copy")
ruleset(name="copy") {{ action(type="omfile" file="{place}/output" template="raw" ioBufferSize="256k") }}
"#,
            place = place.display(),
            logs = logs.display(),
        );
        fs::write(&configuration, text).expect("the temporary directory can be written");
        let mut command = Command::new(PROGRAM);
        command.arg("-n").arg("-f").arg(&configuration).arg("-i").arg(place.join("pid"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: Process::spawn(&mut command), place: place.to_owned() }
    }

    /// How many bytes it has written.
    pub(crate) fn output_bytes(&self) -> u64 {
        fs::metadata(self.place.join("output")).map_or(0, |metadata| metadata.len())
    }

    /// What it writes from now on.
    pub(crate) fn output(&self) -> Output {
        Output { path: self.place.join("output"), file: None, offset: 0, text: Vec::new() }
    }

    pub(crate) fn stop(self) {
        self.process.stop();
    }
}

/// Reads the output as it grows.
pub(crate) struct Output {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    /// A line that has not ended.
    text: Vec<u8>,
}

impl Output {
    /// The stamps in lines that have come since.
    pub(crate) fn new_stamps(&mut self) -> Vec<u64> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return Vec::new() };
        file.seek(SeekFrom::Start(self.offset)).expect("it is a regular file");
        let count = file.take(OUTPUT_BUFFER_BYTES).read_to_end(&mut self.text).expect("it can be read");
        self.offset += count as u64;
        let end = memchr::memrchr(b'\n', &self.text).map_or(0, |newline| newline + 1);
        let lines: Vec<u8> = self.text.drain(..end).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(stamp_of).collect()
    }
}
