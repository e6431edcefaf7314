//! What the real binary costs, beside what the simplest tools cost on the same files in the same run:
//! `cargo bench --bench agent`, or `make bench`.
//!
//! Linux only: it reads `/proc`. `BENCH_BYTES` says how much log is generated (default 1000000000), `BENCH_SECONDS` how
//! long latency and idling are measured (default 10). Everything is written below one temporary directory, which is
//! removed at the end; the files are warm in the page cache, because they were just written.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod backlog;
mod corpus;
mod idle;
mod latency;
mod process;

use std::time::Duration;

const BYTES_DEFAULT: u64 = 1_000_000_000;
const SECONDS_DEFAULT: u64 = 10;

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let duration = Duration::from_secs(setting("BENCH_SECONDS", SECONDS_DEFAULT));
    let place = tempfile::tempdir().expect("the temporary directory can be written");

    let logs = place.path().join("logs");
    let corpus = corpus::write(&logs, &corpus::Kind::ALL, bytes);
    println!("\nBacklog: {} lines, {} bytes in {} files", corpus.lines, corpus.bytes, corpus.files.len());
    let yardsticks = [
        backlog::yardstick("wc -l", &["wc", "-l"], &corpus),
        backlog::yardstick("zstd -1", &["zstd", "-1", "--single-thread", "--stdout", "--quiet"], &corpus),
    ];
    let run = backlog::run(&logs, &place.path().join("backlog"), &corpus);
    println!("{:<28} {:>8} {:>10} {:>12}", "", "MB/s", "CPU s/GB", "times its CPU");
    for yardstick in &yardsticks {
        let times = run.cost.cpu.as_secs_f64() / yardstick.cpu.as_secs_f64();
        println!("{}{times:>12.1}", yardstick.row(corpus.bytes));
    }
    println!("{}", run.cost.row(corpus.bytes));
    println!(
        "peak memory {} KiB, {} bytes on disk; stopped and synced in {:.3} s",
        run.peak_kib,
        run.disk_bytes,
        run.stop.as_secs_f64()
    );

    let latency = latency::run(&place.path().join("latency"), duration);
    println!(
        "\nLatency: line written to line answered, {} lines at {}/s",
        latency.sorted.len(),
        latency::LINES_PER_SECOND
    );
    println!(
        "p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        latency.ms(50, 100),
        latency.ms(99, 100),
        latency.ms(1, 1)
    );
    println!("{:.1} % of one core, peak memory {} KiB", latency.cpu_percent, latency.peak_kib);

    let idle = idle::run(&place.path().join("idle"), duration);
    println!("\nIdle: {} files, nothing written for {} s", idle::FILE_COUNT, duration.as_secs());
    println!("{:.2} % of one core, memory {} KiB", idle.cpu_percent, idle.memory_kib);
}

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?} and has to be a whole number")),
        Err(_) => default,
    }
}
