//! How cost grows with what is stored: opening and searching databases of several sizes, no two of whose ids are alike.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use monitoring_rs::log_database::Database;
use monitoring_rs::model::{Batch, Direction, Labels, LineFilter, Lines, Selection, StreamLines, Timestamp};

use crate::corpus::{Generator, Kind};
use crate::process::Agent;
use crate::searches::{count, print_row, read};
use crate::settled::{now, open, settle};
use crate::table::{best_of_runs, ms, timed};

/// Sizes that are measured on the way to a larger one, in bytes.
const SIZES: [u64; 2] = [1_000_000_000, 10_000_000_000];
/// Most memory that a database of any size may take, in MiB.
const MEMORY_MIB_MAX: u64 = 96;
/// How much of each stream is appended at once.
const BATCH_BYTES: usize = 256 << 10;
/// How much may wait to become segments.
const BACKLOG_BYTES_MAX: u64 = 256 << 20;
/// So much of the log of each kind and seed follows another one: about an hour.
const LOG_BYTES: usize = 64 << 20;
const HOUR_NS: i64 = 3_600_000_000_000;

/// Fills `large` up to `bytes` and measures it on the way.
pub(crate) fn run(large: &Path, bytes: u64) {
    println!("\nHow cost grows with what is stored, ms");
    let mut source = Source::new();
    for size in SIZES.into_iter().filter(|size| *size < bytes).chain([bytes]) {
        let target = open(large);
        let (store_time, id) = timed(|| store(&mut source, &target, size));
        target.sync().expect("the disk has room");
        settle(&target);
        let stored = target.statistics();
        drop(target);
        println!(
            "{:.1} GB in {} segments and {} blocks, {:.0} MB on disk (the last of it stored in {:.0} s)",
            stored.bytes as f64 / 1e9,
            stored.segments,
            stored.blocks,
            stored.disk_bytes as f64 / 1e6,
            store_time.as_secs_f64()
        );
        measure(large, &id, stored.lines);
        measure_agent(large, &id);
    }
}

fn measure(large: &Path, id: &str, lines: u64) {
    let (open_time, ()) = best_of_runs(|| drop(open(large)));
    print_row("opening", open_time, None, lines);
    let (open_time, ()) = cold(large, || drop(open(large)));
    print_row("opening, cold", open_time, None, lines);
    let database = open(large);
    let snapshot = database.snapshot();
    let last = Selection { direction: Direction::Backward, limit: Some(1000), ..Selection::of(Vec::new()) };
    print_warm_and_cold(large, "the last 1000 lines", || read(&snapshot, &last));
    for (name, needle) in [("absent word", "needle"), ("absent hexadecimal id", "deadbeef00c0ffee"), ("rare id", id)] {
        let filters = vec![LineFilter::Contains(needle.into())];
        let selection = Selection { filters, ..Selection::of(Vec::new()) };
        print_warm_and_cold(large, &format!("{name}, count"), || count(&snapshot, &selection));
        let limited = Selection { limit: Some(1000), ..selection };
        print_warm_and_cold(large, &format!("{name}, lines"), || read(&snapshot, &limited));
    }
}

fn print_warm_and_cold(large: &Path, name: &str, mut work: impl FnMut() -> u64) {
    let (time, lines) = best_of_runs(&mut work);
    print_row(name, time, None, lines);
    let (time, lines) = cold(large, work);
    print_row(&format!("{name}, cold"), time, None, lines);
}

/// How long `work` takes once with nothing of the files in the page cache, and its result.
fn cold<T>(large: &Path, work: impl FnOnce() -> T) -> (Duration, T) {
    let mut directories = vec![large.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("it is ours").map(|entry| entry.expect("it is ours")) {
            if entry.file_type().expect("it is there").is_dir() {
                directories.push(entry.path());
                continue;
            }
            let file = fs::File::open(entry.path()).expect("nobody removes it");
            file.sync_all().expect("what is not written yet stays in the cache");
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("it is a file");
        }
    }
    timed(work)
}

/// What the agent takes, from its start until it serves, and in memory while it is asked.
fn measure_agent(large: &Path, id: &str) {
    let empty = large.with_extension("empty");
    fs::create_dir_all(&empty).expect("the temporary directory can be written");
    let (start_time, mut agent) = timed(|| Agent::start(&empty, large));
    println!("{:<44} {:>10.2}", "the agent, from its start until it serves, ms", ms(start_time));
    println!("{:<44} {:>10}", "its memory then, MiB", agent.process.memory_kib("VmRSS") >> 10);
    for needle in ["needle", "deadbeef00c0ffee", id, ""] {
        let query = format!("%7Bkind%3D~%22.%2B%22%7D%7C%3D%22{needle}%22");
        let target = format!("/loki/api/v1/query_range?query={query}&start=1&end=4000000000&limit=1000");
        let (is_success, body) = agent.connection.ask(&target, || ());
        assert!(is_success, "{}", String::from_utf8_lossy(&body));
    }
    let peak_mib = agent.process.memory_kib("VmHWM") >> 10;
    println!("{:<44} {peak_mib:>10}", "its most memory while it is asked the same, MiB");
    assert!(peak_mib <= MEMORY_MIB_MAX, "the agent took {peak_mib} MiB");
    agent.stop();
}

/// Writes logs of all kinds, one after the other, each with ids of its own.
struct Source {
    logs: Vec<Log>,
    stored_bytes: u64,
}

struct Log {
    kind: Kind,
    generator: Generator,
    written: usize,
    /// How many logs of the kind were before.
    number: u64,
}

impl Source {
    fn new() -> Self {
        let log = |kind| Log { kind, generator: Generator::new(kind, 0), written: 0, number: 0 };
        Self { logs: Kind::ALL.into_iter().map(log).collect(), stored_bytes: 0 }
    }
}

impl Log {
    /// The next lines, and their stream.
    fn next(&mut self) -> StreamLines {
        if LOG_BYTES < self.written {
            self.number += 1;
            self.written = 0;
            self.generator = Generator::new(self.kind, self.number);
        }
        let mut lines = Lines::default();
        let mut record = Vec::new();
        while lines.byte_count() < BATCH_BYTES {
            record.clear();
            let now_ns = self.generator.append_record(&mut record).cast_signed();
            let later_ns = self.number.cast_signed() * HOUR_NS;
            for (more_ns, line) in (0..).zip(record.trim_ascii_end().split(|byte| *byte == b'\n')) {
                lines.push(Timestamp::from_ns(now_ns + later_ns + more_ns), line);
            }
        }
        self.written += lines.byte_count();
        StreamLines { labels: Labels::new([("kind", self.kind.name())]).expect("a short name"), lines }
    }
}

/// Stores lines until there are so many bytes of them in all; returns an id that is in few.
fn store(source: &mut Source, target: &Database, bytes: u64) -> String {
    let mut id = String::new();
    thread::scope(|scope| {
        let appending = scope.spawn(|| {
            while source.stored_bytes < bytes {
                let streams: Vec<StreamLines> = source.logs.iter_mut().map(Log::next).collect();
                source.stored_bytes += streams.iter().map(|stream| stream.lines.byte_count() as u64).sum::<u64>();
                id = id_in(&streams).unwrap_or(std::mem::take(&mut id));
                commit(target, streams);
            }
            id
        });
        while !appending.is_finished() {
            if !target.maintain(now()).expect("the disk has room") {
                thread::yield_now();
            }
        }
        appending.join().expect("it does not panic")
    })
}

/// An id of 16 hexadecimal digits.
fn id_in(streams: &[StreamLines]) -> Option<String> {
    let lines = streams.iter().flat_map(|stream| stream.lines.iter());
    lines.filter_map(|(_, line)| std::str::from_utf8(line).ok()).find_map(|line| {
        let id = line.split_once(r#""request_id":""#)?.1.get(..16)?;
        Some(id.to_owned())
    })
}

fn commit(target: &Database, streams: Vec<StreamLines>) {
    while BACKLOG_BYTES_MAX < target.backlog_bytes() {
        thread::yield_now();
    }
    target.append(Batch { checkpoint: None, streams }).expect("what is there is committed");
    target.commit().expect("the disk has room");
}
