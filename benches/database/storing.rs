//! What it costs the real agent to store the corpus, from files to merged segments, and what memory it takes.

use std::path::Path;
use std::time::Duration;

use crate::corpus::Corpus;
use crate::process::Agent;
use crate::table::{mb_per_s, s_per_gb, timed};

/// How often the agent is asked whether it is done.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// An agent that has used no CPU time for so long has nothing left to do; it looks for work to do every second.
const IDLE_TIME: Duration = Duration::from_millis(2500);
/// CPU time of an agent that is asked a little in [`IDLE_TIME`].
const IDLE_CPU: Duration = Duration::from_millis(30);

/// A run of the agent over the whole corpus.
pub(crate) struct Stored {
    read_time: Duration,
    cpu: Duration,
    peak_kib: u64,
    resting_kib: u64,
    disk_bytes: u64,
}

/// Runs the agent until it has stored every file and there is nothing left for it to do.
pub(crate) fn run(root: &Path, data: &Path, corpus: &Corpus) -> Stored {
    let mut agent = Agent::start(root, data);
    let (read_time, ()) = timed(|| wait_until_read(&mut agent, corpus));
    wait_until_idle(&agent);
    let status = agent.get("/status").expect("the agent is well");
    let stored = Stored {
        read_time,
        cpu: agent.process.cpu(),
        peak_kib: agent.process.memory_kib("VmHWM"),
        resting_kib: agent.process.memory_kib("VmRSS"),
        disk_bytes: status["disk_bytes"].as_u64().expect("the disk's use is known"),
    };
    agent.stop();
    stored
}

impl Stored {
    pub(crate) fn print(&self, corpus: &Corpus) {
        println!("\nThe agent, from files to merged segments");
        println!("{:<44} {:>10.0}", "read and answered, MB/s", mb_per_s(corpus.bytes, self.read_time));
        println!("{:<44} {:>10.2}", "CPU s/GB, until nothing is left to do", s_per_gb(corpus.bytes, self.cpu));
        println!("{:<44} {:>10}", "peak memory, MiB", self.peak_kib >> 10);
        println!("{:<44} {:>10}", "resting memory, MiB", self.resting_kib >> 10);
        println!("{:<44} {:>10.1}", "bytes on disk then, MB, journal and reserve too", self.disk_bytes as f64 / 1e6);
    }
}

/// What the agent's memory comes to while it is asked all the time.
pub(crate) struct Queried {
    query_count: u64,
    peak_kib: u64,
    resting_kib: u64,
}

/// What is asked while the agent stores: counts by minute of everything and of some, expressions, first and last lines.
const QUERIES: [&str; 5] = [
    r#"sum(count_over_time({path=~".+"}[1m]))"#,
    r#"sum(count_over_time({path=~".+"} |= "refused" [1m]))"#,
    r#"{path=~".+"} |= "error""#,
    r#"{path=~".+"} |~ "(?i)error.*fail""#,
    r#"{path=~".*json-0.log"}"#,
];
/// The hours that the corpus tells of begin with this second, 2026-03-01.
const CORPUS_START_S: u64 = 1_772_323_200;
/// Loki's API takes at most so many steps of a minute.
const CORPUS_HOURS: u64 = 150;

/// Runs the agent again and asks one query after the other until everything is stored.
pub(crate) fn query_meanwhile(root: &Path, data: &Path, corpus: &Corpus) -> Queried {
    let mut agent = Agent::start(root, data);
    let end_s = CORPUS_START_S + 3600 * CORPUS_HOURS;
    let mut query_count = 0;
    for query in QUERIES.iter().cycle() {
        let query = query.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        let range = format!("start={CORPUS_START_S}&end={end_s}&step=60&limit=1000");
        let answer = agent.get(&format!("/loki/api/v1/query_range?query={query}&{range}"));
        assert!(answer.is_some(), "{query} is answered");
        query_count += 1;
        if line_count(&mut agent) == corpus.lines {
            break;
        }
    }
    wait_until_idle(&agent);
    let (peak_kib, resting_kib) = (agent.process.memory_kib("VmHWM"), agent.process.memory_kib("VmRSS"));
    agent.stop();
    Queried { query_count, peak_kib, resting_kib }
}

impl Queried {
    pub(crate) fn print(&self) {
        println!("\nThe agent, asked {} queries over HTTP while it stores", self.query_count);
        println!("{:<44} {:>10}", "peak memory, MiB", self.peak_kib >> 10);
        println!("{:<44} {:>10}", "resting memory, MiB", self.resting_kib >> 10);
    }
}

fn wait_until_read(agent: &mut Agent, corpus: &Corpus) {
    while line_count(agent) != corpus.lines {
        wait(POLL_INTERVAL);
    }
}

fn line_count(agent: &mut Agent) -> u64 {
    let status = agent.get("/status").expect("the agent is well");
    assert!(status["problem"].is_null(), "{status}");
    status["lines"].as_u64().expect("lines are counted")
}

fn wait_until_idle(agent: &Agent) {
    let mut before = agent.process.cpu();
    loop {
        wait(IDLE_TIME);
        let now = agent.process.cpu();
        if now.saturating_sub(before) <= IDLE_CPU {
            break;
        }
        before = now;
    }
}

/// Lets time pass.
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}
