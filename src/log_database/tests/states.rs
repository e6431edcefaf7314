//! Crashes in runs that chance makes up, one inside the recovery from another: as many states of the medium as are asked
//! for, no two of them the same.
//!
//! `CRASH_STATES` says how many (a few by default; `make crash` asks for more), `CRASH_SEED` where chance begins. The same
//! seed goes through the same states, so a failure names the seed of its run, and `CRASH_SEED=<that> CRASH_STATES=1`
//! repeats it.
#![expect(clippy::disallowed_methods, reason = "how long a test takes is for whoever runs it to say")]
#![expect(clippy::print_stderr, reason = "what was tried is worth knowing, and the seed is needed to try it again")]

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::log_database::storage::{CrashMode, Failure, Random, SimulatedStorage};
use crate::log_database::tests::crash::{Run, open_with};
use crate::log_database::tests::{Model, content, in_time_order};
use crate::log_database::{Database, Options, RetentionLimits};
use crate::model::Timestamp;

const STATES_DEFAULT: usize = 2000;
const HOUR_NS: i64 = 3_600_000_000_000;
/// How many crashes follow upon each other before a recovery is let through.
const NESTED_MAX: usize = 3;
/// How many seeds each mode of crash gets at each call of a run.
const CRASHES_PER_CALL: usize = 2;
/// What each batch of a [`Run`] has.
const LINES_PER_BATCH: usize = 3;

/// What a process does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append,
    Commit,
    Sync,
    Maintain,
    /// The medium has room for so many bytes more.
    Fill(u64),
    Free,
}

/// A run that chance made up.
#[derive(Clone, Debug)]
struct Plan {
    steps: Vec<Step>,
    options: Options,
}

impl Plan {
    fn new(random: &mut Random) -> Self {
        let retention =
            RetentionLimits { age: None, bytes: (random.below(4) == 0).then(|| 1000 + random.below(4000) as u64) };
        let step = |random: &mut Random| match random.below(16) {
            0..=5 => Step::Append,
            6..=8 => Step::Commit,
            9..=10 => Step::Sync,
            11..=13 => Step::Maintain,
            14 => Step::Fill(random.below(3000) as u64),
            _ => Step::Free,
        };
        let steps = (0..10 + random.below(40)).map(|_| step(random)).collect();
        Self { steps, options: Options { retention } }
    }

    /// Opens what is there and takes the steps, until the `failing`th call from now.
    fn run(&self, storage: &SimulatedStorage, run: &mut Run, failing: u64) {
        let end = storage.call_count() + failing;
        storage.set_failure(Some(Failure::From(end)));
        if let Ok(database) = open_with(storage, self.options) {
            for (number, step) in (0..).zip(&self.steps) {
                if end < storage.call_count() {
                    break;
                }
                // What fails is tried again by a later step.
                match step {
                    Step::Append => run.append(&database),
                    Step::Commit => drop(run.commit(&database)),
                    Step::Sync => drop(run.sync(&database)),
                    Step::Maintain => {
                        // It may close the journal, and commits what is pending before.
                        run.tried.push(run.appended.len());
                        let now = Timestamp::from_ns(number * 2 * HOUR_NS);
                        (0..8).all(|_| database.maintain(now).unwrap_or(false));
                    }
                    Step::Fill(bytes) => {
                        let used: usize = storage.files().values().map(Vec::len).sum();
                        storage.set_capacity_bytes(used as u64 + bytes);
                    }
                    Step::Free => storage.set_capacity_bytes(1 << 30),
                }
            }
        }
        storage.set_failure(None);
    }
}

/// Which of the commits since batch `from` the database holds, but for the oldest lines where some may be dropped.
#[track_caller]
fn held(run: &Run, database: &Database, from: usize, may_drop: bool, context: &str) -> usize {
    if !may_drop {
        return run.check(database, from, context);
    }
    let held = content(database);
    let lines: usize = held.streams.values().map(Vec::len).sum();
    let is_held = |count: &usize| {
        let stored = &run.appended[..*count];
        let kept = lines / LINES_PER_BATCH;
        lines.is_multiple_of(LINES_PER_BATCH)
            && kept <= *count
            && in_time_order(Model::after(&stored[*count - kept..])).streams == held.streams
            && Model::after(stored).checkpoints == held.checkpoints
    };
    let tried = run.tried.iter().copied().filter(|count| from <= *count);
    let found = tried.chain([from]).find(is_held);
    found.unwrap_or_else(|| {
        let first = |line: &[u8]| String::from_utf8_lossy(line.get(..8).unwrap_or(line)).into_owned();
        let lines: Vec<String> = held.streams.values().flatten().map(|(_, line)| first(line)).collect();
        panic!("{context}: wanted one of {:?} from {from} on, found {lines:?}, {:?}", run.tried, held.checkpoints)
    })
}

/// What happened to a medium.
#[derive(Clone, Debug)]
struct State {
    storage: SimulatedStorage,
    run: Run,
    /// Whether lines may have been dropped for their size.
    may_drop: bool,
}

impl State {
    /// The machine dies in the middle of `plan`, at its `call`th call.
    fn crash(&self, plan: &Plan, call: u64, mode: CrashMode, seed: u64, context: &str) -> Self {
        let storage = self.storage.crash(CrashMode::ProcessKilled, 0);
        let mut run = self.run.clone();
        let may_drop = self.may_drop || plan.options.retention.bytes.is_some();
        plan.run(&storage, &mut run, call);
        let storage = storage.crash(mode, seed);
        let copy = storage.crash(CrashMode::ProcessKilled, 0);
        let from = if mode == CrashMode::ProcessKilled { run.committed } else { run.synced };
        let database = open_with(&copy, Options::default()).unwrap();
        assert_eq!(database.statistics().quarantined_bytes, 0, "{context}: nothing that was durable is damaged");
        let held = held(&run, &database, from, may_drop, context);
        run.appended.truncate(held);
        run.tried.retain(|count| *count <= held);
        run.tried.push(held);
        run.committed = held;
        if mode != CrashMode::ProcessKilled {
            // All that is there is on the medium.
            run.synced = held;
        }
        Self { storage, run, may_drop }
    }

    /// What was recovered can be added to, and a sync makes all of it durable.
    #[track_caller]
    fn check_goes_on(&self, context: &str) {
        let storage = self.storage.crash(CrashMode::ProcessKilled, 0);
        let mut run = self.run.clone();
        let database = open_with(&storage, Options::default()).unwrap();
        run.append(&database);
        run.sync(&database).unwrap();
        for hours in 0..3 {
            while database.maintain(Timestamp::from_ns(hours * HOUR_NS)).unwrap() {}
        }
        let database = open_with(&storage.crash(CrashMode::AllLost, 0), Options::default()).unwrap();
        held(&run, &database, run.appended.len(), self.may_drop, context);
        assert_eq!(database.statistics().cut_bytes, 0, "{context}: a recovered journal is clean");
    }

    fn digest(&self, mode: CrashMode) -> u64 {
        let mut hasher = DefaultHasher::new();
        (mode == CrashMode::ProcessKilled).hash(&mut hasher);
        self.storage.files().hash(&mut hasher);
        hasher.finish()
    }
}

#[test]
fn crashes_in_random_runs_leave_a_commit_since_the_last_sync() {
    let setting = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"));
    let wanted = setting("CRASH_STATES").map_or(STATES_DEFAULT, |count| usize::try_from(count).unwrap());
    let first = setting("CRASH_SEED").unwrap_or(1);
    let mut seen = HashSet::new();
    let mut run_seed = first;
    while seen.len() < wanted {
        crash_everywhere(run_seed, &mut seen);
        run_seed += 1;
    }
    eprintln!("{} distinct states, CRASH_SEED={first}, {} runs", seen.len(), run_seed - first);
}

/// Crashes one run at each of its calls in every mode, and some of the recoveries again.
fn crash_everywhere(run_seed: u64, seen: &mut HashSet<u64>) {
    let mut random = Random(run_seed);
    let plan = Plan::new(&mut random);
    let fresh = State { storage: SimulatedStorage::default(), run: Run::default(), may_drop: false };
    let reference = SimulatedStorage::default();
    plan.run(&reference, &mut Run::default(), u64::MAX / 2);
    for call in 0..=reference.call_count() {
        for mode in CrashMode::ALL {
            let is_certain = matches!(mode, CrashMode::ProcessKilled | CrashMode::AllLost);
            for _ in 0..if is_certain { 1 } else { CRASHES_PER_CALL } {
                let mut context = format!("CRASH_SEED={run_seed}: call {call}, {mode:?}");
                let mut state = fresh.crash(&plan, call, mode, random.next(), &context);
                let mut is_new = seen.insert(state.digest(mode));
                for _ in 1..NESTED_MAX {
                    if random.below(3) != 0 {
                        break;
                    }
                    let (next, call) = (Plan::new(&mut random), random.below(60) as u64);
                    let mode = CrashMode::ALL[random.below(CrashMode::ALL.len())];
                    context = format!("{context}, then call {call}, {mode:?}");
                    state = state.crash(&next, call, mode, random.next(), &context);
                    is_new |= seen.insert(state.digest(mode));
                }
                if is_new {
                    state.check_goes_on(&context);
                }
            }
        }
    }
}
