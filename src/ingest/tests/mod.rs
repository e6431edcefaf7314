//! The promise of exactly once against a model: a collector on real files, a watcher that is told what happens, and a
//! database on a medium that loses power.
//!
//! A run is a list of actions: programs write, rotate and delete, the agent looks, is killed and started, power fails.
//! The model knows each line that was written, and which bytes nobody could have kept: those that were destroyed before
//! they were read, or read and destroyed before the database was asked to make them durable. At the end every other line
//! is stored once, in its order, in the stream of its log, and no gap speaks of more than was destroyed.
//!
//! What is left out, because nobody could tell, is said where it is left out: files that a power cut shortened are not
//! written to before the agent has stored that (`let_shortening_be_noticed`), a log is not copied and truncated before
//! anything durable was read of it (`rotate`, `compress`), no two changes happen at one time (`tick`), files that a link
//! led to before anybody knew need not be found (`lose_what_no_link_led_to`), a log that is copied without being truncated
//! is long enough to be known again (`copy`), rotated files and copies that could not be read do not hold up what came after
//! them, so that their lines may come late (`check`), and so may what a power cut left of a line (`Log::torn`).
//!
//! `MODEL_ACTIONS` says how many actions to try, `MODEL_SEED` with which seed.
#![expect(clippy::disallowed_methods, reason = "these tests are the programs that write and rotate log files")]
#![expect(clippy::print_stdout, reason = "`make check-model` shows the seed")]

use std::cell::Cell;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::model::Timestamp;

mod actions;
mod agent;
mod check;
mod logs;
mod programs;
mod trouble;
mod world;

use actions::{Defect, action};
use world::World;

/// Actions of one run, on average.
const ACTIONS_PER_RUN: usize = 40;
/// Actions in all, unless `MODEL_ACTIONS` says otherwise.
const ACTIONS: usize = 2000;
/// The seed, unless `MODEL_SEED` says otherwise.
const SEED: u64 = 1;
/// Seeds that a broken collector has to fail with.
const DEFECT_SEEDS: [u64; 4] = [SEED, 2, 3, 4];
/// How many of a file's bytes survive a power cut at least, unless none does: with fewer, nobody can tell a file that lost
/// its end from another one.
const SHORTENED_BYTES_MIN: u64 = 16;

thread_local! {
    /// What time it is, in nanoseconds.
    static CLOCK: Cell<i64> = const { Cell::new(0) };
    /// How many files were given the inode of one that was deleted.
    static REUSED_INODES: Cell<usize> = const { Cell::new(0) };
}

/// The time, a little later with each call.
fn now() -> Timestamp {
    CLOCK.set(CLOCK.get() + 1);
    Timestamp::from_ns(CLOCK.get())
}

/// Runs actions against the model until `action_count` were tried, and returns the shortest list that breaks the promise.
fn run(defect: Defect, action_count: usize, seed: u64) -> Result<(), String> {
    let cases = u32::try_from(action_count.div_ceil(ACTIONS_PER_RUN)).unwrap();
    // How a defect that was put there shows most briefly is of no interest.
    let max_shrink_iters = if defect == Defect::None { 10_000 } else { 0 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&vec(action(), 1..2 * ACTIONS_PER_RUN), |actions| {
        let mut world = World::new(defect);
        for action in &actions {
            world.act(action)?;
        }
        world.finish()
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, actions)) => Err(format!("MODEL_SEED={seed}: {reason}\nafter {actions:?}")),
        Err(TestError::Abort(reason)) => Err(format!("MODEL_SEED={seed}: {reason}")),
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn every_line_is_stored_exactly_once_whatever_happens() {
    let action_count = usize::try_from(from_environment("MODEL_ACTIONS", ACTIONS as u64)).unwrap();
    let seed = from_environment("MODEL_SEED", SEED);
    println!("{action_count} actions, MODEL_SEED={seed}");
    let result = run(Defect::None, action_count, seed);
    println!("{} files took the inode of one that was deleted", REUSED_INODES.get());
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

/// What the model found only after some hundred thousand actions: a short copy, seen beside its log, whose archive was found at the same
/// time as that the log was truncated; once with content that was cut before and is still looked for.
#[test]
fn a_short_copy_and_its_archive_are_one() {
    use actions::Action::{Compress, Look, Rotate, Truncate, Write, WriteUnended};
    let rotate = |log, look_between| Rotate { log, look_between, write_between: false };
    let cut =
        [WriteUnended { log: 3 }, WriteUnended { log: 3 }, Look { batches: 1, commit: false }, Truncate { log: 3 }];
    let copied = [
        rotate(4, false),
        Compress { log: 4, which: 0 },
        Write { log: 3, lines: 1 },
        rotate(0, true),
        rotate(3, true),
        Compress { log: 3, which: 0 },
    ];
    for before in [&[][..], &cut] {
        let mut world = World::new(Defect::None);
        for action in before.iter().chain(&copied) {
            world.act(action).unwrap();
        }
        world.finish().unwrap();
    }
}

/// What it found after still more: a short copy that was made while nobody looked, of a log whose content was cut before.
#[test]
fn a_short_copy_that_was_made_while_nobody_looked_is_one() {
    use actions::Action::{Kill, Look, Rotate, Truncate, Write};
    let rotate = |log| Rotate { log, look_between: true, write_between: false };
    for log in [1, 3] {
        let mut world = World::new(Defect::None);
        let write = Write { log, lines: 1 };
        for action in [
            write.clone(),
            Look { batches: 1, commit: false },
            Truncate { log },
            write,
            rotate(2),
            Kill { few_files: false },
            rotate(log),
        ] {
            world.act(&action).unwrap();
        }
        world.finish().unwrap();
    }
}

/// Runs of the same seeds find nothing without the defect, which the test asserts first.
#[test]
fn a_broken_collector_is_caught() {
    for seed in DEFECT_SEEDS {
        assert_eq!(run(Defect::None, ACTIONS, seed), Ok(()));
    }
    for defect in Defect::ALL {
        let is_caught = DEFECT_SEEDS.iter().any(|seed| run(defect, ACTIONS, *seed).is_err());
        assert!(is_caught, "{defect:?} is not noticed");
    }
}
