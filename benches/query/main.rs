//! How fast the real binary answers queries over HTTP, beside ripgrep on the raw files in the same run:
//! `cargo bench --bench query`, or `make bench-query`.
//!
//! `BENCH_BYTES` says how much log is generated for each corpus (default 1000000000), `BENCH_CORPORA` which corpora are
//! (default `mixed,samples,quiet,untimed,json-lines`), and `BENCH_SAMPLES` where the real logs are that `samples` expands;
//! without it that one is left out. The agent reads and stores a corpus and is stopped; all its lines are moved to segments,
//! as a quiet day would; and it is started again and asked. Each answer is checked against what ripgrep makes of the files.
//! Both read from the page cache. Linux only: it reads `/proc`.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "three digits are shown")]

#[path = "../collector/backlog.rs"]
#[expect(dead_code, reason = "the other bench uses the rest")]
mod backlog;
mod cases;
#[path = "../collector/corpus.rs"]
#[expect(dead_code, reason = "benches/collector also writes containers' formats")]
mod corpus;
#[path = "../corpus/needles.rs"]
mod needles;
#[path = "../collector/process.rs"]
#[expect(dead_code, reason = "benches/collector measures more with it")]
mod process;
mod reference;
#[path = "../setting.rs"]
mod setting;
#[path = "../database/settled.rs"]
mod settled;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cases::{Case, Checks, Times};
use corpus::{Collection, Corpus};
use process::Agent;
use setting::setting;

const BYTES_DEFAULT: u64 = 1_000_000_000;
const CORPORA_DEFAULT: &str = "mixed,samples,quiet,untimed,json-lines";
/// When the generated logs begin, in seconds since the Unix epoch.
const START: u64 = 1_772_323_200;
const DAY: u64 = 24 * 3600;
/// How often a query is asked, and for how long at least: the median counts.
const REPETITIONS: usize = 5;
/// The agent is at rest once it has used less CPU time than this in [`REST_INTERVAL`].
const REST_CPU: Duration = Duration::from_millis(20);
const REST_INTERVAL: Duration = Duration::from_millis(500);

fn main() {
    let bytes = setting("BENCH_BYTES", BYTES_DEFAULT);
    let names = std::env::var("BENCH_CORPORA").unwrap_or_else(|_| CORPORA_DEFAULT.to_owned());
    for name in names.split(',') {
        match collection(name) {
            Some(collection) => run(&collection, bytes),
            None => println!("\n{name}: left out, BENCH_SAMPLES says of no directory of samples"),
        }
    }
}

/// The corpus called `name`; `None` where its samples are not there.
fn collection(name: &str) -> Option<Collection> {
    Some(match name {
        "mixed" => Collection::Mixed,
        "samples" => Collection::Samples(std::env::var_os("BENCH_SAMPLES")?.into()),
        "quiet" => Collection::Quiet,
        "untimed" => Collection::Untimed,
        "json-lines" => Collection::JsonLines,
        _ => panic!("BENCH_CORPORA names {name:?}, which is none of {CORPORA_DEFAULT}"),
    })
}

/// The times that are asked for: those of the lines, and little more.
fn times(collection: &Collection) -> Times {
    match collection {
        // Whoever reads a line without a time gives it that of reading.
        Collection::Untimed | Collection::Samples(_) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
            (now.as_secs() - DAY, now.as_secs() + 1)
        }
        Collection::Quiet => (START + 6 * 3600, START + 6 * 3600 + 30 * DAY),
        Collection::Mixed | Collection::JsonLines => (START + 6 * 3600, START + 30 * 3600),
    }
}

/// Stores a corpus and asks.
fn run(collection: &Collection, bytes: u64) {
    let place = tempfile::tempdir().expect("the temporary directory can be written");
    let (logs, data) = (place.path().join("logs"), place.path().join("data"));
    let corpus = corpus::write_collection(&logs, collection, bytes);
    backlog::run(&logs, &data, &corpus);
    let segment_bytes = settled::settle(&settled::open(&data));
    let zstd_bytes = zstd_bytes(&corpus);
    let mut agent = Agent::start(&logs, &data);
    loop {
        let cpu = agent.process.cpu();
        process::wait(REST_INTERVAL);
        if agent.process.cpu().saturating_sub(cpu) < REST_CPU {
            break;
        }
    }
    let (lines, bytes, files) = (corpus.lines, corpus.bytes, corpus.files.len());
    println!("\n{}: {lines} lines, {bytes} bytes in {files} files", collection.name());
    println!(
        "segments {segment_bytes} bytes, zstd -1 in 1 MiB blocks {zstd_bytes}: {:.3} of it",
        segment_bytes as f64 / zstd_bytes as f64
    );
    let asked = times(collection);
    let mut cases = cases::on_each(&corpus, asked);
    if *collection == Collection::Mixed {
        cases.extend(cases::of_mixed(&logs, &corpus, asked));
    }
    println!(
        "{:<46} {:>9} {:>9} {:>9} {:>9} {:>10} {:>9} {:>8}  checked",
        "", "first ms", "all ms", "CPU ms", "raw MB/s", "one by one", "rg ms", "all/rg"
    );
    for case in cases {
        measure(&mut agent, &case, &logs);
    }
    println!("peak memory {} KiB", agent.process.memory_kib("VmHWM"));
    agent.stop();
}

/// What zstd makes of the files, a mebibyte at a time.
fn zstd_bytes(corpus: &Corpus) -> u64 {
    let bytes_of = |piece: &[u8]| zstd::bulk::compress(piece, 1).expect("it compresses").len() as u64;
    let files = corpus.files.iter().map(|path| fs::read(path).expect("it was written"));
    files.map(|raw| raw.chunks(1 << 20).map(bytes_of).sum::<u64>()).sum()
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

/// The share of lines that were looked at one by one; for the others, columns answered.
fn one_by_one(answer: &serde_json::Value) -> String {
    let summary = &answer["data"]["stats"]["summary"];
    let count = |name: &str| summary[name].as_f64().unwrap_or_default();
    let all = count("totalLinesProcessed");
    if all == 0.0 { String::new() } else { format!("{:.2} %", 100.0 * count("totalLinesOneByOne") / all) }
}

/// Asks, looks, and prints a row.
fn measure(agent: &mut Agent, case: &Case, logs: &Path) {
    let cpu_before = agent.process.cpu();
    let mut replies: Vec<Reply> = (0..REPETITIONS).map(|_| Reply::new(agent, &case.target)).collect();
    let cpu = agent.process.cpu().saturating_sub(cpu_before) / u32::try_from(REPETITIONS).expect("a few");
    replies.sort_by_key(|reply| reply.total);
    let reply = &replies[REPETITIONS / 2];
    let body = String::from_utf8_lossy(&reply.body);
    assert!(reply.is_success, "{}: {body}", case.name);
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).expect("the answer is JSON");

    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let speed = case.bytes as f64 / 1e6 / reply.total.as_secs_f64();
    print!("{:<46} {:>9.1} {:>9.1} {:>9.1} {speed:>9.0}", case.name, ms(reply.first_byte), ms(reply.total), ms(cpu));
    print!(" {:>10}", one_by_one(&answer));
    let Some(command) = &case.reference else {
        println!(" {:>9} {:>8}  -", "", "");
        return;
    };
    let start = Instant::now();
    let output = reference::run(command, logs);
    let elapsed = start.elapsed();
    let ratio = reply.total.as_secs_f64() / elapsed.as_secs_f64();
    let what = match case.checks {
        Checks::Lines => reference::same_lines(&answer, &output),
        Checks::FirstLines => reference::as_many_lines(&answer, &output, cases::LINES_MAX),
        Checks::Counts(label) => reference::same_counts(&answer, label, &output),
        Checks::Total => reference::same_total(&answer, &output),
        Checks::Value => reference::same_value(&answer, &output),
    };
    println!(" {:>9.1} {ratio:>8.3}  {}", ms(elapsed), what.unwrap_or_else(|why| panic!("{}: {why}", case.name)));
}
