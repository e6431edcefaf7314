//! How long it takes to open what many times the corpus makes, and what it takes in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use monitoring_rs::log_database::Database;
use monitoring_rs::model::{Batch, Direction, Labels, LineFilter, Lines, Selection, StreamLines, TimeRange, Timestamp};

use crate::settled::{now, open, settle};
use crate::process::Agent;
use crate::searches::{count, print_row, read};
use crate::table::{best_of_runs, ms, timed};

/// How much of a stream is appended at once.
const BATCH_BYTES: usize = 1 << 20;
/// How much may wait to become segments.
const BACKLOG_BYTES_MAX: u64 = 256 << 20;

/// Stores the lines in `data` again and again in `large`, each time as if they were of later days, until there are
/// `bytes`. Then opens that in this process, and with the agent.
pub(crate) fn run(data: &Path, large: &Path, bytes: u64) {
    let source = open(data);
    let target = open(large);
    let (store_time, ()) = timed(|| store(&source, &target, bytes));
    target.sync().expect("the disk has room");
    settle(&target);
    let stored = target.statistics();
    drop(target);
    println!(
        "\nOpening {:.1} GB in {} segments and {} blocks, {:.0} MB on disk (stored in {:.0} s)",
        stored.bytes as f64 / 1e9,
        stored.segments,
        stored.blocks,
        stored.disk_bytes as f64 / 1e6,
        store_time.as_secs_f64()
    );
    let (open_time, ()) = best_of_runs(|| drop(open(large)));
    print_row("opening, in this process, ms", open_time, None, stored.lines);
    let last = Selection { direction: Direction::Backward, limit: Some(1000), ..Selection::of(Vec::new()) };
    let (time, lines) = best_of_runs(|| read(&open(large).snapshot(), &last));
    print_row("opening, and the last 1000 lines, ms", time, None, lines);
    let absent = Selection { filters: vec![LineFilter::Contains(b"needle".to_vec())], ..Selection::of(Vec::new()) };
    let (time, lines) = best_of_runs(|| count(&open(large).snapshot(), &absent));
    print_row("opening, and the absent word, ms", time, None, lines);

    let empty = large.with_extension("empty");
    fs::create_dir_all(&empty).expect("the temporary directory can be written");
    let (start_time, agent) = timed(|| Agent::start(&empty, large));
    println!("{:<44} {:>10.2}", "the agent, from its start until it serves, ms", ms(start_time));
    println!("{:<44} {:>10}", "its memory then, MiB", agent.process.memory_kib("VmRSS") >> 10);
    agent.stop();
}

fn store(source: &Database, target: &Database, bytes: u64) {
    let times = bytes.div_ceil(source.statistics().bytes.max(1));
    let span_ns = span_ns(source);
    thread::scope(|scope| {
        let appending = scope.spawn(|| {
            for time in 0..times {
                append_all(source, target, i64::try_from(time).expect("so many days are not over") * span_ns);
            }
        });
        while !appending.is_finished() {
            if !target.maintain(now()).expect("the disk has room") {
                thread::yield_now();
            }
        }
    });
}

/// From the first to the last line.
fn span_ns(source: &Database) -> i64 {
    let extents = source.snapshot().extents(TimeRange::ALL);
    let extents = || extents.iter().flat_map(|(_, extents)| extents);
    let earliest = extents().map(|extent| extent.earliest).min().unwrap_or_default();
    let latest = extents().map(|extent| extent.latest).max().unwrap_or_default();
    latest.as_ns().saturating_sub(earliest.as_ns())
}

/// Appends every line `later_ns` later.
fn append_all(source: &Database, target: &Database, later_ns: i64) {
    let mut scan = source.snapshot().scan(&Selection::of(Vec::new()));
    let mut streams: BTreeMap<Labels, Lines> = BTreeMap::new();
    let mut bytes = 0;
    while let Some(entry) = scan.next().expect("so few streams are not too much") {
        let lines = streams.entry(entry.labels.clone()).or_default();
        lines.push(Timestamp::from_ns(entry.timestamp.as_ns() + later_ns), entry.line);
        bytes += entry.line.len();
        if BATCH_BYTES <= bytes {
            commit(target, std::mem::take(&mut streams));
            bytes = 0;
        }
    }
    commit(target, streams);
}

fn commit(target: &Database, streams: BTreeMap<Labels, Lines>) {
    let streams = streams.into_iter().map(|(labels, lines)| StreamLines { labels, lines }).collect();
    while BACKLOG_BYTES_MAX < target.backlog_bytes() {
        thread::yield_now();
    }
    target.append(Batch { checkpoint: None, streams }).expect("what was there before is committed");
    target.commit().expect("the disk has room");
}
