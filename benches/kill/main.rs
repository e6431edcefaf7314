//! `kill -9` of the real agent at random instants while a node's containers log and the kubelet rotates: at the end every
//! line has to be there once, byte for byte, in its file's order, and none may have been reported as lost.
//! `cargo bench --bench kill`, or `make crash`.
//!
//! Four containers write 50 MB/s together. Their logs are laid out as on a node (a link in the root directory to
//! `pods/<pod>/<container>/0.log`) and each is rotated every 200 ms, as the kubelet does at 10 MiB: `0.log` is renamed to
//! `0.log.<time>` and a new one begins, while older ones are compressed to `.gz`. The writers never wait for the agent, which
//! is started again as soon as it is killed.
//!
//! Each file ends in the first part of a line whose second part is in the next; with `KILL_SPLITS=0` it does not.
//!
//! `KILLS` says how often it is killed (default 500), `KILL_SEED` when (default: from the clock; printed). Every
//! [`KILLS_PER_ROUND`] kills the writers pause, everything is read back over HTTP and compared, and the next round begins
//! with an empty node, so that not all of what was written has to be kept. For the same reason nothing that was rotated is
//! deleted during a round: what the kubelet deletes before it was read is lost to any reader, and shows nothing here.
#![expect(clippy::disallowed_methods, reason = "a program of its own: the file module belongs to the agent")]
#![expect(clippy::print_stdout, reason = "the outcome is what it is for")]

mod agent;
mod node;
#[path = "../setting.rs"]
mod setting;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use agent::Agent;
use node::{CONTAINERS, Container, Node};
use setting::setting;

const KILLS_DEFAULT: u64 = 500;
const KILLS_PER_ROUND: u64 = 50;
/// How long the agent lives, in milliseconds: from before it listens to long after it has caught up.
const LIFE_MS: std::ops::Range<u64> = 1..300;
/// How long the first one of a round lives: what was rotated before anything was ever stored is no part of a stream.
const FIRST_LIFE_MS: u64 = 2500;
/// How long the last agent of a round may take to have everything.
const PATIENCE: Duration = Duration::from_mins(1);

/// What became of the lines of a round.
#[derive(Debug, Default)]
struct Outcome {
    lines: u64,
    lost: u64,
    doubled: u64,
    /// Lines that are not what was written, or come before one that was written earlier.
    wrong: u64,
    /// How often an agent said that bytes are lost: nothing that is written here is.
    false_losses: u64,
}

fn main() {
    let kills = setting("KILLS", KILLS_DEFAULT);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is set");
    let seed = setting("KILL_SEED", u64::from(now.subsec_nanos()));
    let splits = setting("KILL_SPLITS", 1) != 0;
    println!("kill -9, {kills} times; KILL_SEED={seed}");
    let mut random = Random(seed);
    let start = Instant::now();
    let mut total = Outcome::default();
    let mut killed = 0;
    while killed < kills {
        let place = tempfile::tempdir().expect("the temporary directory can be written");
        let count = KILLS_PER_ROUND.min(kills - killed);
        let mut lives_ms: Vec<u64> =
            (0..count).map(|_| LIFE_MS.start + random.next() % (LIFE_MS.end - LIFE_MS.start)).collect();
        lives_ms[0] = FIRST_LIFE_MS;
        let outcome = round(place.path(), &lives_ms, splits);
        killed += count;
        println!("{killed} kills, {:.0} s: {outcome:?}", start.elapsed().as_secs_f64());
        if outcome.lost + outcome.doubled + outcome.wrong + outcome.false_losses != 0 {
            println!("what is there is kept in {}", place.keep().display());
            std::process::exit(1);
        }
        total.lines += outcome.lines;
    }
    println!("{} lines were written around {killed} kills: 0 lost, 0 doubled, each in its place", total.lines);
}

/// Kills one agent after the other, each after so many milliseconds, and lets the last one finish.
fn round(place: &Path, lives_ms: &[u64], splits: bool) -> Outcome {
    let node = Node::new(place);
    let data = place.join("data");
    let mut outcome = Outcome::default();
    let is_over = AtomicBool::new(false);
    let containers = std::thread::scope(|scope| {
        let writing = scope.spawn(|| node.run(&is_over, splits));
        for life_ms in lives_ms {
            let agent = Agent::start(&node.root(), &data);
            std::thread::sleep(Duration::from_millis(*life_ms));
            outcome.false_losses += agent.kill();
        }
        is_over.store(true, Ordering::Relaxed);
        writing.join().expect("the writers do not fail")
    });
    let agent = Agent::start(&node.root(), &data);
    let connection = agent.listen();
    let since = Instant::now();
    for (number, container) in (0..).zip(&containers) {
        let target = format!("/logs/pod/{}", node::pod(number));
        let mut lines = connection.lines(&target);
        while (lines.len() as u64) < container.line_count && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
            lines = connection.lines(&target);
        }
        check(number, container, &lines, &mut outcome);
    }
    assert_eq!(containers.len() as u64, CONTAINERS);
    outcome.false_losses += agent.losses();
    outcome
}

/// Compares what came back with what was written.
fn check(number: u64, container: &Container, lines: &[String], outcome: &mut Outcome) {
    let mut seen = vec![0_u32; usize::try_from(container.line_count).expect("they are in memory")];
    let mut newest = None;
    let mut expected = String::new();
    for line in lines {
        let sequence = node::sequence_of(line);
        let place = sequence.and_then(|sequence| seen.get_mut(usize::try_from(sequence).ok()?));
        let (Some(sequence), Some(count)) = (sequence, place) else {
            outcome.wrong += 1;
            continue;
        };
        *count += 1;
        expected.clear();
        node::write_text(number, sequence, &mut expected);
        // A line that came twice is counted as such, not as out of order as well.
        outcome.wrong +=
            u64::from(*line != expected || (*count == 1 && newest.is_some_and(|newest| sequence < newest)));
        newest = newest.max(Some(sequence));
    }
    let lost: Vec<usize> = (0..seen.len()).filter(|place| seen[*place] == 0).collect();
    let doubled: Vec<usize> = (0..seen.len()).filter(|place| 1 < seen[*place]).collect();
    for (what, places) in [("lost", &lost), ("doubled", &doubled)] {
        if let (Some(first), Some(last)) = (places.first(), places.last()) {
            println!(
                "{}: {} lines {what}, the first {first}, the last {last}; rotations at {:?}",
                node::pod(number),
                places.len(),
                container.rotated_at
            );
        }
    }
    outcome.lines += container.line_count;
    outcome.lost += lost.len() as u64;
    outcome.doubled += doubled.len() as u64;
}

/// Random numbers that a seed repeats (`SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
