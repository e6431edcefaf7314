//! What the database costs and how fast it answers, beside zstd and ripgrep on the same lines in the same run:
//! `cargo bench --bench database`, or `make bench-database`. Needs `rg` (Debian: ripgrep).
//!
//! The real agent stores generated logs of all kinds. Then the data directory is opened in this process and searched
//! through the interface that the API uses, on two threads; ripgrep searches the files themselves with as many, and both
//! have to find the same number of lines. All files are in the page cache, because they were just written. Times are the
//! best of a few runs.
//!
//! Linux only: it reads `/proc`. `BENCH_BYTES` says how much log is generated (default 1000000000; with 0 all that comes
//! before how cost grows is left out), `BENCH_OPEN_BYTES` how much is stored to measure how cost grows (default ten times that;
//! it takes about a twelfth of it on disk, and 1 and 10 GB are measured on the way). Everything is written below one temporary directory, which
//! is removed at the end.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "three digits are shown")]

#[path = "../collector/corpus.rs"]
#[expect(dead_code, reason = "benches/collector also writes containers' formats")]
mod corpus;
mod encoding;
#[path = "../corpus/needles.rs"]
#[expect(dead_code, reason = "benches/query also searches for several words")]
mod needles;
mod opening;
#[path = "../collector/process.rs"]
#[expect(dead_code, reason = "benches/collector measures more with it")]
mod process;
mod ripgrep;
mod searches;
#[path = "../setting.rs"]
mod setting;
mod settled;
mod storing;
mod table;

use std::path::Path;

use setting::setting;
use settled::open;

const BYTES_DEFAULT: u64 = 1_000_000_000;
/// How many times as much is stored to measure how cost grows.
const OPEN_TIMES_DEFAULT: u64 = 10;

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let open_bytes = setting("BENCH_OPEN_BYTES", OPEN_TIMES_DEFAULT * bytes);
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    if 0 < bytes {
        compare(place.path(), bytes);
    }
    opening::run(&place.path().join("large"), open_bytes);
}

/// Measures the database beside its peers on so many bytes of log.
fn compare(place: &Path, bytes: u64) {
    let (logs, data) = (place.join("logs"), place.join("data"));
    let corpus = corpus::write(&logs, &corpus::Kind::ALL, corpus::Format::Plain, bytes);
    println!("{} lines, {} bytes in {} files", corpus.lines, corpus.bytes, corpus.files.len());

    let stored = storing::run(&logs, &data, &corpus);
    stored.print(&corpus);
    storing::query_meanwhile(&logs, &place.join("queried"), &corpus).print();

    let database = open(&data);
    settled::settle(&database);
    encoding::run(&database, &corpus);
    searches::run(database, &data, &corpus);
}
