//! Whether lines keep coming in, and memory stays bounded, while many clients ask for as much as they can:
//! `make bench-hostile`.
//!
//! The same lines are written twice: first nobody asks for anything, then all clients do. A live tail tells when a line
//! can be read. Linux only: it reads `/proc`. `BENCH_BYTES` says how much log is stored (default 1000000000),
//! `BENCH_SECONDS` how long each is measured (default 10).
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod clients;
#[expect(dead_code, reason = "another bench needs more of it")]
#[path = "../collector/corpus.rs"]
mod corpus;
#[expect(dead_code, reason = "another bench needs more of it")]
#[path = "../collector/latency.rs"]
mod latency;
#[expect(dead_code, reason = "another bench needs more of it")]
#[path = "../collector/process.rs"]
mod process;
#[path = "../setting.rs"]
mod setting;
mod tail;

use std::path::Path;
use std::time::Duration;

use clients::Clients;
use corpus::Format;
use process::{Agent, wait};
use setting::setting;
use tail::Tail;

const BYTES_DEFAULT: u64 = 1_000_000_000;
const SECONDS_DEFAULT: u64 = 10;
/// How long the agent is left alone before it is looked at what memory it still has.
const REST: Duration = Duration::from_secs(10);

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let duration = Duration::from_secs(setting("BENCH_SECONDS", SECONDS_DEFAULT));
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    let logs = place.path().join("logs");
    let corpus = corpus::write(&logs, &corpus::Kind::ALL, Format::Plain, bytes);
    println!(
        "{} lines, {} bytes stored; then lines are written for {} s",
        corpus.lines,
        corpus.bytes,
        duration.as_secs()
    );
    println!("{:<36} {:>8} {:>8} {:>8} {:>7} {:>10}", "", "p50 ms", "p99 ms", "max ms", "CPU %", "peak KiB");
    for client_count in [0, clients::COUNT] {
        run(&logs, &place.path().join(client_count.to_string()), corpus.lines, client_count, duration);
    }
}

/// Measures how long lines take while so many clients ask.
fn run(logs: &Path, data: &Path, line_count: u64, client_count: usize, duration: Duration) {
    let mut agent = Agent::start(logs, data);
    while agent.get("/status").expect("the agent is well")["lines"].as_u64() < Some(line_count) {
        wait(Duration::from_millis(100));
    }
    let file = latency::create(logs);
    let tail = Tail::of(&agent.address, &file);
    let clients = Clients::start(&agent.address, client_count);
    let measured = latency::run(&file, &latency::TRICKLE, duration, &agent.process, || tail.next_stamps());
    println!("{:<36}{measured}", format!("{client_count} clients"));
    let answers = clients.stop();
    if 0 < client_count {
        println!("answers by status, broken off ones under 0: {answers:?}");
    }
    let peak_kib = agent.process.memory_kib("VmHWM");
    wait(REST);
    let rest_kib = agent.process.memory_kib("VmRSS");
    println!("peak until the last answer {peak_kib} KiB, after {} s of rest {rest_kib} KiB", REST.as_secs());
    agent.stop();
}
