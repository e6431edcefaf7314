//! The subcommands beside the tools they stand in for: an export beside `cat`, `logs -f` beside `tail -F`, and how long it
//! takes until the last lines are there. `cargo bench --bench client`, or `make bench-client`.
//!
//! Linux only: it reads `/proc`. `BENCH_BYTES` says how much log is stored (default 130000000, a million lines),
//! `BENCH_SECONDS` how long lines are followed (default 10).
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[expect(dead_code, reason = "another bench needs more of it")]
#[path = "../collector/corpus.rs"]
mod corpus;
mod follower;
#[expect(dead_code, reason = "another bench needs more of it")]
#[path = "../collector/process.rs"]
mod process;
#[path = "../setting.rs"]
mod setting;

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use corpus::{Corpus, Format};
use follower::Follower;
use process::{Agent, wait};
use setting::setting;

const BYTES_DEFAULT: u64 = 130_000_000;
const SECONDS_DEFAULT: u64 = 10;
/// Lines a second that are followed.
const RATE: u32 = 10_000;
/// How often the last lines are asked for; the median counts.
const REPEATS: usize = 21;
/// What is read at a time, in bytes.
const ROOM_BYTES: usize = 64 << 10;

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let duration = Duration::from_secs(setting("BENCH_SECONDS", SECONDS_DEFAULT));
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    let corpus = corpus::write(&place.path().join("logs"), &corpus::Kind::ALL, Format::Plain, bytes);
    let mut agent = Agent::start(&corpus.directory, &place.path().join("data"));
    while agent.get("/status").expect("the agent is well")["lines"].as_u64() < Some(corpus.lines) {
        wait(Duration::from_millis(100));
    }
    println!("{} lines, {} bytes", corpus.lines, corpus.bytes);
    exports(&agent, &corpus);
    last_lines(&agent);
    follow(&agent, &corpus.directory, duration);
    agent.stop();
}

/// A client of `agent`, with its output to be read.
fn client(agent: &Agent, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().env("MONITORING_ADDR", format!("http://{}", agent.address)).args(arguments);
    command
}

/// Everything, in each form, beside `cat` of the files.
fn exports(agent: &Agent, corpus: &Corpus) {
    println!("\n{:<24} {:>10} {:>10} {:>12} {:>12}", "export of everything", "seconds", "MB", "lines/s", "peak KiB");
    let mut cat = Command::new("cat");
    cat.args(&corpus.files);
    export("cat", &mut cat, corpus.lines);
    for form in ["raw", "default", "jsonl", "logfmt"] {
        export(&format!("logs -o {form}"), &mut client(agent, &["logs", "-o", form]), corpus.lines);
    }
}

fn export(name: &str, command: &mut Command, lines_expected: u64) {
    let start = Instant::now();
    let (mut child, mut out) = spawn(command);
    let (mut room, mut bytes, mut lines, mut peak_kib) = (vec![0; ROOM_BYTES], 0_u64, 0_u64, 0);
    loop {
        // Before the end is read the process is there; it has had its peak long before.
        peak_kib = memory_kib(&child).unwrap_or(peak_kib);
        let count = out.read(&mut room).expect("the pipe is there");
        if count == 0 {
            break;
        }
        bytes += count as u64;
        lines += memchr::memchr_iter(b'\n', &room[..count]).count() as u64;
    }
    assert!(child.wait().expect("it is our child").success(), "{name} failed");
    assert_eq!(lines, lines_expected, "{name} printed another number of lines");
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let (megabytes, rate) = (bytes as f64 / 1e6, lines as f64 / seconds);
    println!("{name:<24} {seconds:>10.2} {megabytes:>10.1} {rate:>12.0} {peak_kib:>12}");
}

fn spawn(command: &mut Command) -> (Child, ChildStdout) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let out = child.as_mut().ok().and_then(|child| child.stdout.take());
    (child.expect("the program is there"), out.expect("it is piped"))
}

/// The most memory that a process had so far; `None` once it has ended.
fn memory_kib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find(|line| line.starts_with("VmHWM"))?.split_whitespace().nth(1)?.parse().ok()
}

/// How long the last ten lines take, from the start of the program to its end.
fn last_lines(agent: &Agent) {
    println!("\n{:<40} {:>10} {:>10}", "from start to end", "median ms", "worst ms");
    for arguments in [&["logs", "--tail", "10"][..], &["logs", "nginx-0.log", "--tail", "10"], &["labels"]] {
        let mut times: Vec<Duration> = (0..REPEATS)
            .map(|_| {
                let start = Instant::now();
                let output = client(agent, arguments).output().expect("the program is there");
                assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{:<40} {:>10.1} {:>10.1}", arguments.join(" "), ms(times[REPEATS / 2]), ms(times[REPEATS - 1]));
    }
}

/// Lines as they come, beside `tail -F`, both at once.
fn follow(agent: &Agent, logs: &Path, duration: Duration) {
    println!("\n{:<24} {:>10} {:>10} {:>10} {:>10}", format!("{RATE} lines/s"), "p50 ms", "p99 ms", "worst ms", "lost");
    let file = logs.join("live.log");
    std::fs::write(&file, follower::line()).expect("the disk has room");
    let path = file.to_str().expect("the path is text");
    let ours = Follower::start(&mut client(agent, &["logs", path, "-f", "--raw"]));
    let tails = Follower::start(Command::new("tail").args(["-n", "+1", "-F", path]));
    // Both have shown what was there: from now on they are told.
    ours.wait_for(1);
    tails.wait_for(1);
    let count = follower::write(&file, RATE, duration);
    for (name, follower) in [("logs -f", ours), ("tail -F", tails)] {
        println!("{name:<24}{}", follower.end(count + 1));
    }
}
