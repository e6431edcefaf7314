//! What the real binary costs as a collector, beside rsyslog's imfile and what the simplest tools cost, on the same files
//! in the same run: `make bench-collector`.
//!
//! Linux only: it reads `/proc`. `BENCH_BYTES` says how much log is generated in each format (default 1000000000),
//! `BENCH_SECONDS` how long each latency and idling are measured (default 10). Everything is written below one temporary
//! directory, which is removed at the end; the files are warm in the page cache, because they were just written.
//!
//! The two collectors do not do the same work: rsyslog copies lines to one file and neither takes container formats
//! apart, nor finds the lines' times, nor makes anything searchable.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]

mod backlog;
#[expect(dead_code, reason = "benches/query writes more corpora")]
mod corpus;
mod idle;
mod latency;
mod newcomer;
mod process;
mod rsyslog;
#[path = "../setting.rs"]
mod setting;

use std::fs;
use std::path::Path;
use std::time::Duration;

use corpus::Format;
use process::Agent;
use rsyslog::Rsyslog;
use setting::setting;

const BYTES_DEFAULT: u64 = 1_000_000_000;
const SECONDS_DEFAULT: u64 = 10;

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let duration = Duration::from_secs(setting("BENCH_SECONDS", SECONDS_DEFAULT));
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    rsyslog::require();

    for format in [Format::Plain, Format::Cri, Format::Docker] {
        backlog(&fresh(place.path()), format, bytes);
    }
    println!("\nFrom a line's write until it can be read, for {} s; CPU in % of one core", duration.as_secs());
    println!("{:<36} {:>8} {:>8} {:>8} {:>7} {:>10}", "", "p50 ms", "p99 ms", "max ms", "CPU %", "peak KiB");
    for load in [latency::TRICKLE, latency::FLOOD] {
        latency(&fresh(place.path()), &load, duration);
    }
    println!("\nFrom a new file's creation until its first line can be read");
    println!("{:<36} {:>8} {:>8}", "", "p50 ms", "max ms");
    newcomer(&fresh(place.path()));
    println!("\nNothing written for {} s", duration.as_secs());
    println!("{:<36} {:>8} {:>10}", "", "CPU %", "KiB");
    for count in [1_000, 10_000] {
        idle(&fresh(place.path()), count, duration);
    }
}

fn backlog(place: &Path, format: Format, bytes: u64) {
    let logs = place.join("logs");
    let corpus = corpus::write(&logs, &corpus::Kind::ALL, format, bytes);
    let (lines, files) = (corpus.lines, corpus.files.len());
    println!("\nBacklog, {}: {lines} lines, {} bytes in {files} files", corpus::name(format), corpus.bytes);
    println!("{:<36} {:>8} {:>10} {:>10}", "", "MB/s", "CPU s/GB", "peak KiB");
    for (name, command) in backlog::YARDSTICKS {
        println!("{}", backlog::yardstick(name, command, &corpus).row(corpus.bytes));
    }
    println!("{}", rsyslog::copy(&corpus, &place.join("rsyslog")).row(corpus.bytes));
    let run = backlog::run(&logs, &place.join("data"), &corpus);
    println!("{}", run.cost.row(corpus.bytes));
    println!("{:<36} {} bytes on disk; stopped and synced in {:.3} s", "", run.disk_bytes, run.stop.as_secs_f64());
}

fn latency(place: &Path, load: &latency::Load, duration: Duration) {
    let logs = place.join("logs");
    let file = latency::create(&logs);
    let rsyslog = Rsyslog::start(&logs, &place.join("rsyslog"));
    let mut output = rsyslog.output();
    let measured = latency::run(&file, load, duration, &rsyslog.process, || output.new_stamps());
    println!("{:<36}{measured}", format!("rsyslog, {}", load.name));
    rsyslog.stop();

    fs::remove_dir_all(&logs).expect("it was just created");
    let file = latency::create(&logs);
    let agent = Agent::start(&logs, &place.join("data"));
    let mut answers = latency::Answers::of(&agent, &file);
    let measured = latency::run(&file, load, duration, &agent.process, || answers.new_stamps());
    println!("{:<36}{measured}", format!("monitoring-rs, {}", load.name));
    agent.stop();
}

fn newcomer(place: &Path) {
    let logs = place.join("logs");
    fs::create_dir_all(&logs).expect("the temporary directory can be written");
    let rsyslog = Rsyslog::start(&logs, &place.join("rsyslog"));
    let mut output = rsyslog.output();
    let waits = newcomer::run(&logs, |_| !output.new_stamps().is_empty());
    println!("{:<36}{}", "rsyslog", newcomer::row(&waits));
    rsyslog.stop();
    let mut agent = Agent::start(&logs, &place.join("data"));
    let waits = newcomer::run(&logs, |file| agent.get(&format!("/logs/path/{}", file.display())).is_some());
    println!("{:<36}{}", "monitoring-rs", newcomer::row(&waits));
    agent.stop();
}

fn idle(place: &Path, count: usize, duration: Duration) {
    let logs = place.join("logs");
    idle::write(&logs, count);
    let rsyslog = Rsyslog::start(&logs, &place.join("rsyslog"));
    println!("{:<36}{}", format!("rsyslog, {count} files"), idle::watch(&rsyslog.process, duration));
    rsyslog.stop();
    let agent = Agent::start(&logs, &place.join("data"));
    println!("{:<36}{}", format!("monitoring-rs, {count} files"), idle::watch(&agent.process, duration));
    agent.stop();
}

/// An empty directory for one measurement, whatever the one before has left.
fn fresh(place: &Path) -> std::path::PathBuf {
    let place = place.join("measurement");
    if place.exists() {
        fs::remove_dir_all(&place).expect("it is this program's own");
    }
    fs::create_dir(&place).expect("the temporary directory can be written");
    place
}
