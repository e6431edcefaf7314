//! How fast the real binary answers queries over HTTP, beside ripgrep on the raw files in the same run:
//! `cargo bench --bench query`, or `make bench-query`.
//!
//! `BENCH_BYTES` says how much log is generated (default 1000000000). The agent reads and stores it, is stopped and
//! started again, and is asked once it has come to rest. Each answer is checked against what ripgrep makes of the files.
//! Both read from the page cache. Linux only: it reads `/proc`.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[path = "../collector/backlog.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod backlog;
mod cases;
#[path = "../collector/corpus.rs"]
#[expect(dead_code, reason = "benches/collector also writes containers' formats")]
mod corpus;
#[path = "../collector/process.rs"]
#[expect(dead_code, reason = "benches/collector measures more with it")]
mod process;
mod reference;
#[path = "../setting.rs"]
mod setting;

use std::path::Path;
use std::time::{Duration, Instant};

use cases::{Case, Checks};
use corpus::Kind;
use process::Agent;
use setting::setting;

const BYTES_DEFAULT: u64 = 1_000_000_000;
/// Logs that do not write times with their years: their lines would be months away from the others'.
const KINDS_WITHOUT_YEARS: [Kind; 3] = [Kind::Klog, Kind::Syslog, Kind::Plain];
/// When the generated logs begin, and a time after their end, in seconds since the Unix epoch.
const TIMES: (u64, u64) = (1_772_344_800, 1_772_344_800 + 24 * 3600);
/// How often a query is asked, and for how long at least: the median counts.
const REPETITIONS: usize = 5;
/// The agent is at rest once it has used less CPU time than this in [`REST_INTERVAL`].
const REST_CPU: Duration = Duration::from_millis(20);
const REST_INTERVAL: Duration = Duration::from_millis(500);

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    let (logs, data) = (place.path().join("logs"), place.path().join("data"));
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !KINDS_WITHOUT_YEARS.contains(kind)).collect();
    let corpus = corpus::write(&logs, &kinds, corpus::Format::Plain, bytes);
    backlog::run(&logs, &data, &corpus);
    let mut agent = Agent::start(&logs, &data);
    loop {
        let cpu = agent.process.cpu();
        process::wait(REST_INTERVAL);
        if agent.process.cpu().saturating_sub(cpu) < REST_CPU {
            break;
        }
    }
    let status = agent.get("/status").expect("the agent is well");
    let (lines, bytes, files) = (corpus.lines, corpus.bytes, corpus.files.len());
    println!("\n{lines} lines, {bytes} bytes in {files} files; stored in {} bytes", status["disk_bytes"]);

    println!(
        "{:<46} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}  checked",
        "", "first ms", "all ms", "CPU ms", "raw MB/s", "rg ms", "rg/all"
    );
    for case in cases::all(&logs, &corpus) {
        measure(&mut agent, &case, &logs);
    }
    println!("peak memory {} KiB", agent.process.memory_kib("VmHWM"));
    agent.stop();
}

/// An answer, and how long after the question it came.
struct Reply {
    is_success: bool,
    body: Vec<u8>,
    first_byte: Duration,
    total: Duration,
}

impl Reply {
    fn new(agent: &mut Agent, target: &str) -> Self {
        let start = Instant::now();
        let mut first_byte = Duration::ZERO;
        let (is_success, body) = agent.connection.ask(target, || first_byte = start.elapsed());
        Self { is_success, body, first_byte, total: start.elapsed() }
    }
}

/// Asks, looks, and prints a row.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn measure(agent: &mut Agent, case: &Case, logs: &Path) {
    let cpu_before = agent.process.cpu();
    let mut replies: Vec<Reply> = (0..REPETITIONS).map(|_| Reply::new(agent, &case.target)).collect();
    let cpu = agent.process.cpu().saturating_sub(cpu_before) / u32::try_from(REPETITIONS).expect("a few");
    replies.sort_by_key(|reply| reply.total);
    let reply = &replies[REPETITIONS / 2];
    let body = String::from_utf8_lossy(&reply.body);
    assert!(reply.is_success, "{}: {body}", case.name);
    let answer = serde_json::from_slice(&reply.body).expect("the answer is JSON");

    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let speed = case.bytes as f64 / 1e6 / reply.total.as_secs_f64();
    print!("{:<46} {:>9.1} {:>9.1} {:>9.1} {speed:>9.0}", case.name, ms(reply.first_byte), ms(reply.total), ms(cpu));
    let Some(command) = &case.reference else {
        println!(" {:>9} {:>8}  -", "", "");
        return;
    };
    let start = Instant::now();
    let output = reference::run(command, logs);
    let elapsed = start.elapsed();
    let ratio = elapsed.as_secs_f64() / reply.total.as_secs_f64();
    let what = match case.checks {
        Checks::Lines => reference::same_lines(&answer, &output),
        Checks::Counts(label) => reference::same_counts(&answer, label, &output),
        Checks::Total => reference::same_total(&answer, &output),
        Checks::Value => reference::same_value(&answer, &output),
    };
    println!(" {:>9.1} {ratio:>8.1}  {}", ms(elapsed), what.unwrap_or_else(|why| panic!("{}: {why}", case.name)));
}
