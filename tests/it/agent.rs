//! The real binary on real files: what it says, how it ends, and that each line comes back exactly once.
#![expect(clippy::disallowed_methods, reason = "these tests are the programs that write and rotate log files")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use monitoring_rs::config;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{self, Answer};

/// How long a test waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of logs and one of data, for one agent after the other.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.logs()).unwrap();
        place
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.0.path().join("logs")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.logs().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        command.env_clear().args(["--log-collector", "directory", "--listen", "127.0.0.1:0", "--root-path"]);
        command.arg(self.logs()).arg("--data-directory").arg(self.data());
        command
    }

    pub(crate) fn start(&self) -> Agent {
        Agent::start(self.command())
    }

    /// How the agent ends that cannot start, and what it says.
    pub(crate) fn fail(command: &mut Command) -> (Option<i32>, String) {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// A running agent; killed when it is dropped.
pub(crate) struct Agent {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it said until then.
    pub(crate) greeting: Vec<String>,
}

impl Agent {
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        // From here on its end is seen to, whatever happens.
        let mut agent = Self { child, address: ([0, 0, 0, 0], 0).into(), greeting: Vec::new() };
        let stderr = BufReader::new(agent.child.stderr.take().unwrap());
        let (sender, messages) = mpsc::channel();
        // Goes on reading when nobody listens any more, lest the agent wait for it.
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        loop {
            let line = messages.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it does not serve: {:#?}", agent.greeting));
            let address = line.split_once("serving http://").map(|(_, url)| url.trim_end_matches('/').parse().unwrap());
            agent.greeting.push(line);
            if let Some(address) = address {
                agent.address = address;
                return agent;
            }
        }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        support::get(self.address, target)
    }

    /// The lines of the file `name`, waiting until there are `count` of them.
    pub(crate) fn lines(&self, place: &Place, name: &str, count: usize) -> Vec<String> {
        let target = format!("/logs/path/{}", place.logs().join(name).display());
        let start = Instant::now();
        loop {
            let answer = self.get(&target);
            let lines: Vec<String> =
                if answer.status == 200 { serde_json::from_slice(&answer.body).unwrap() } else { Vec::new() };
            if count <= lines.len() || PATIENCE < start.elapsed() {
                return lines;
            }
            std::thread::yield_now();
        }
    }

    /// The numbers of the lines of the file `name` that are there by now.
    fn numbers(&self, place: &Place, name: &str) -> Vec<usize> {
        let lines = self.lines(place, name, 0);
        lines.iter().map(|line| line.strip_prefix("line ").unwrap().parse().unwrap()).collect()
    }

    fn wait_for_a_commit(&self) {
        let start = Instant::now();
        while String::from_utf8(self.get("/metrics").body).unwrap().contains("\nmonitoring_store_commits_total 0\n") {
            assert!(start.elapsed() < PATIENCE, "nothing is ever committed");
            std::thread::yield_now();
        }
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        (status, start.elapsed())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn text(range: std::ops::Range<usize>) -> String {
    numbered(range).join("\n") + "\n"
}

#[test]
fn it_says_in_a_few_lines_what_it_does() {
    let place = Place::new();
    place.append("a.log", "one\n");
    for number in 0..10 {
        symlink("/proc/self/status", place.logs().join(format!("refused{number}.log"))).unwrap();
        symlink("longer than any name".repeat(20), place.logs().join(format!("unreadable{number}.log"))).unwrap();
    }
    let agent = place.start();
    let greeting = agent.greeting.join("\n");
    assert!(agent.greeting.len() <= 8, "{greeting}");
    for fact in [
        "monitoring-rs 0.",
        "MiB free",
        "1 file of",
        "times without a zone are of ",
        "10 files or directories are not read",
        "10 links are not followed",
        &place.logs().display().to_string(),
        "serving http://127.0.0.1:",
    ] {
        assert!(greeting.contains(fact), "{fact} is missing in {greeting}");
    }
}

#[test]
fn what_is_written_while_it_runs_comes_back_under_its_path() {
    let place = Place::new();
    place.append("a.log", &text(0..3));
    let agent = place.start();
    assert_eq!(agent.lines(&place, "a.log", 3), numbered(0..3));
    place.append("a.log", &text(3..5));
    place.append("b.log", &text(0..1));
    assert_eq!(agent.lines(&place, "a.log", 5), numbered(0..5));
    assert_eq!(agent.lines(&place, "b.log", 1), numbered(0..1));
    assert_eq!(agent.get("/logs/path/none").status, 404);
}

#[test]
fn each_line_is_there_once_after_sigterm_and_a_new_start() {
    let place = Place::new();
    let mut written = 0;
    for round in 1..=4 {
        let agent = place.start();
        place.append("a.log", &text(written..written + 100));
        written += 100;
        if round % 2 == 0 {
            fs::rename(place.logs().join("a.log"), place.logs().join(format!("a.log.{round}"))).unwrap();
        }
        assert_eq!(agent.lines(&place, "a.log", written), numbered(0..written));
        let (status, time) = agent.end(if round == 3 { Signal::INT } else { Signal::TERM });
        assert!(status.success(), "{status}");
        assert!(time < Duration::from_secs(5), "it took {time:?}");
        place.append("a.log", &text(written..written + 100));
        written += 100;
    }
    assert_eq!(place.start().lines(&place, "a.log", written), numbered(0..written));
}

/// Lines of the logs that `query` asks for, and what stands between them: `rotated`, `started`.
fn told(agent: &Agent, query: &str, direction: &str) -> Vec<String> {
    let query = support::encoded(query);
    let answer = agent.get(&format!("/api/v1/lines?query={query}&direction={direction}"));
    let text = String::from_utf8(answer.body).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let told = records.filter_map(|record| match record.as_array() {
        Some(line) => Some(line[5].as_str().unwrap().to_owned()),
        None => ["rotated", "started"].into_iter().find(|name| !record[name].is_null()).map(str::to_owned),
    });
    told.collect()
}

#[test]
fn rotations_and_starts_are_told_between_the_lines_and_outlast_the_agent() {
    let place = Place::new();
    place.append("a.log", "one\ntwo\n");
    place.append("b.log", "b\n");
    let agent = place.start();
    assert_eq!(agent.lines(&place, "a.log", 2).len(), 2);
    fs::rename(place.logs().join("a.log"), place.logs().join("a.log.1")).unwrap();
    place.append("a.log", "three\n");
    assert_eq!(agent.lines(&place, "a.log", 3).len(), 3);
    let query = "{path=~\".*a.log\"}";
    let mut expected = vec!["one", "two", "rotated", "three"];
    assert_eq!(told(&agent, query, "forward"), expected);
    let mut ending = agent;
    for line in ["four", "five"] {
        assert!(ending.end(Signal::TERM).0.success());
        ending = place.start();
        place.append("a.log", &format!("{line}\n"));
        expected.extend(["started", line]);
        let count = expected.len() - expected.iter().filter(|told| ["rotated", "started"].contains(told)).count();
        assert_eq!(ending.lines(&place, "a.log", count).len(), count);
        assert_eq!(told(&ending, query, "forward"), expected);
    }
    assert_eq!(told(&ending, query, "backward"), expected.iter().rev().copied().collect::<Vec<_>>());
    // When each of several logs was rotated is none of a search's business.
    let all = told(&ending, "{path=~\".+\"}", "forward");
    assert_eq!(all.iter().filter(|told| *told == "rotated").count(), 0, "{all:?}");
    assert_eq!(all.iter().filter(|told| *told == "started").count(), 2, "{all:?}");
}

/// A file that is renamed before anything of it was committed is a new file under its new name, so the lines may be in
/// the stream of either name: what counts is that each is there once, and in order.
#[test]
fn each_line_is_there_once_after_kill_9_at_any_instant() {
    let place = Place::new();
    let mut names = vec!["a.log".to_owned()];
    let mut written = 0;
    for round in 0..12 {
        let agent = place.start();
        for _ in 0..50 {
            place.append("a.log", &text(written..written + 20));
            written += 20;
        }
        if round % 3 == 0 {
            names.push(format!("a.log.{round}"));
            fs::rename(place.logs().join("a.log"), place.logs().join(&names[names.len() - 1])).unwrap();
            place.append("a.log", "");
        }
        if round % 2 == 1 {
            agent.wait_for_a_commit();
        }
        agent.end(Signal::KILL);
    }
    let agent = place.start();
    let start = Instant::now();
    loop {
        let streams: Vec<Vec<usize>> = names.iter().map(|name| agent.numbers(&place, name)).collect();
        assert!(streams.iter().all(|numbers| numbers.is_sorted()), "out of order: {streams:?}");
        let mut all = streams.concat();
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "a line is there twice");
        if all.len() == written {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{} of {written} lines are missing", written - all.len());
    }
}

/// The agent looks at a copy while its original is being truncated, often enough to meet each order of the two.
#[test]
fn each_line_is_there_once_whenever_logs_are_copied_and_truncated() {
    let place = Place::new();
    let names: Vec<String> = (0..100).map(|number| format!("{number}.log")).collect();
    let agent = place.start();
    for round in 0..20 {
        for name in &names {
            place.append(name, &text(round..round + 1));
        }
        for name in &names {
            assert_eq!(agent.lines(&place, name, round + 1), numbered(0..round + 1), "{name}");
        }
        for path in names.iter().map(|name| place.logs().join(name)) {
            fs::copy(&path, path.with_extension(format!("log.{round}"))).unwrap();
            fs::write(&path, "").unwrap();
        }
    }
    let answer = agent.get("/loki/api/v1/label/path/values");
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["data"].as_array().unwrap().len(), names.len(), "a copy is no log of its own: {answer}");
}

#[test]
fn a_second_agent_on_the_same_data_names_the_first() {
    let place = Place::new();
    let agent = place.start();
    let (code, message) = Place::fail(&mut place.command());
    assert_eq!(code, Some(1));
    assert!(message.contains(&agent.child.id().to_string()) && !message.contains("can be written"), "{message}");
    assert!(message.contains(&place.data().display().to_string()), "{message}");
    place.append("a.log", "one\n");
    assert_eq!(agent.lines(&place, "a.log", 1), ["one"]);
}

#[test]
fn the_lock_goes_with_the_process() {
    let place = Place::new();
    place.start().end(Signal::KILL);
    place.start();
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::new();
    let agent = place.start();
    agent.signal(Signal::TERM);
    let (status, time) = agent.end(Signal::TERM);
    // The first may have ended it already.
    assert!([Some(0), Some(128 + Signal::TERM.as_raw())].contains(&status.code()), "{status}");
    assert!(time < Duration::from_secs(5), "it took {time:?}");
}

#[test]
fn a_terminal_that_closes_has_it_store_what_it_read_unless_it_is_told_to_stay() {
    for signal in [Signal::HUP, Signal::QUIT] {
        let place = Place::new();
        place.append("a.log", &text(0..10));
        let agent = place.start();
        assert_eq!(agent.lines(&place, "a.log", 10), numbered(0..10));
        let (status, _) = agent.end(signal);
        assert!(status.success(), "{signal:?}: {status}");
    }
    if cfg!(target_os = "linux") {
        let place = Place::new();
        let bare = place.command();
        let mut command = Command::new("sh");
        command
            .env_clear()
            .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
            .arg(bare.get_program())
            .args(bare.get_args());
        let agent = Agent::start(command);
        agent.signal(Signal::HUP);
        place.append("a.log", "one\n");
        assert_eq!(agent.lines(&place, "a.log", 1), ["one"]);
    }
}

#[test]
fn a_relative_root_gives_the_same_labels_from_wherever_it_is_started() {
    let place = Place::new();
    place.append("a.log", "one\n");
    let base = fs::canonicalize(place.0.path()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().current_dir(&base).args(["--log-collector", "Directory", "--listen", ":0"]);
    command.args(["--root-path", "logs", "--data-directory", "data"]);
    let agent = Agent::start(command);
    let target = format!("/logs/path/{}", base.join("logs/a.log").display());
    let start = Instant::now();
    while agent.get(&target).status != 200 {
        assert!(start.elapsed() < PATIENCE, "no line has the label {target}");
        std::thread::yield_now();
    }
}

#[test]
fn a_root_that_is_mistyped_leaves_nothing_behind() {
    let place = Place::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().current_dir(place.0.path()).args(["--log-collector", "Directory", "--root-path", "none"]);
    assert_eq!(Place::fail(&mut command).0, Some(1));
    assert!(!place.0.path().join(".data").exists());
}

/// Fails to start with `arguments` and expects exit code and message; the last line is the message.
#[track_caller]
fn check_refusal(arguments: &[&str], expected_code: i32, expected: &str) {
    let place = Place::new();
    fs::write(place.0.path().join("file"), "").unwrap();
    let mut command = place.command();
    // The last of a repeated option counts for none: so each case names all that differs.
    command = if arguments.first() == Some(&"only") {
        let mut bare = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        bare.env_clear().current_dir(place.0.path()).args(&arguments[1..]);
        bare
    } else {
        command.current_dir(place.0.path()).args(arguments);
        command
    };
    let (code, message) = Place::fail(&mut command);
    assert_eq!(code, Some(expected_code), "{message}");
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    assert!(message.matches("(os error").count() <= 1, "a cause is said twice: {message}");
}

#[test]
fn usage_errors_exit_with_2() {
    check_refusal(&["only", "--log-collector", "Directory"], 2, "--root-path");
    check_refusal(&["only", "--log-collector", "x", "--root-path", "."], 2, "isn't a valid value");
}

#[test]
fn what_cannot_be_used_is_named_with_the_fix_and_exits_with_1() {
    let directory = ["only", "--log-collector", "Directory", "--listen", ":0", "--root-path"];
    let refusal = |more: &[&str], expected: &str| check_refusal(&[&directory, more].concat(), 1, expected);
    refusal(&["none"], "/none: ");
    refusal(&["file"], "it is no directory; give an existing, readable directory with --root-path");
    refusal(&[".", "--data-directory", "file"], "--data-directory");
    refusal(&[".", "--data-directory", "/proc/none"], "/proc/none");
    refusal(&[".", "--include", "a["], "\"a[\" is no pattern");
}

#[test]
fn a_port_in_use_is_named_with_the_fix() {
    let place = Place::new();
    let agent = place.start();
    let address = agent.address.to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().args(["--log-collector", "Directory", "--listen", &address, "--root-path"]);
    command.arg(place.logs()).arg("--data-directory").arg(place.0.path().join("other data"));
    let (code, message) = Place::fail(&mut command);
    assert_eq!(code, Some(1));
    assert!(message.contains(&address) && message.contains("--listen"), "{message}");
}

#[test]
fn flags_come_from_the_environment_as_well() {
    let place = Place::new();
    place.append("a.log", "one\n");
    place.append("b.txt", "two\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().env("LOG_COLLECTOR", "Directory").env("ROOT_PATH", place.logs());
    command.env("DATA_DIRECTORY", place.data()).env("LISTEN", ":0").env("INCLUDE", "*.txt:*.none");
    let agent = Agent::start(command);
    assert_eq!(agent.lines(&place, "b.txt", 1), ["two"]);
    assert_eq!(agent.lines(&place, "a.log", 0), Vec::<String>::new());
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    let place = Place::new();
    place.append("a.log", "one\n");
    let mut command = place.command();
    command.current_dir(place.0.path());
    for name in ["RETENTION_AGE", "RETENTION_SIZE", "MULTILINE", "START_FROM", "ALLOWED_HOSTS", "INCLUDE", "EXCLUDE"] {
        command.env(name, "");
    }
    assert_eq!(Agent::start(command).lines(&place, "a.log", 1), ["one"]);

    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command
        .env_clear()
        .current_dir(place.0.path())
        .env("LOG_COLLECTOR", "")
        .env("LISTEN", "")
        .env("DATA_DIRECTORY", "");
    // What cannot be found ends it before it serves: the flags were taken then.
    command.env("LOG_COLLECTOR", "Directory").env("ROOT_PATH", "none");
    let (code, message) = Place::fail(&mut command);
    assert_eq!(code, Some(1));
    assert!(message.contains("cannot collect from"), "{message}");
}

#[test]
fn the_version_is_one_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_monitoring-rs")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("monitoring-rs {}\n", config::VERSION));
}

#[test]
fn kubernetes_logs_are_labelled_by_their_names_and_joined() {
    let place = Place::new();
    let pods = place.0.path().join("pods");
    fs::create_dir(&pods).unwrap();
    fs::write(
        pods.join("0.log"),
        "2026-11-22T13:04:05.000000001Z stdout P be\n\
         2026-11-22T13:04:05.000000002Z stderr F oops\n\
         2026-11-22T13:04:05.000000003Z stdout F gin\n",
    )
    .unwrap();
    symlink(pods.join("0.log"), place.logs().join("web-1_shop_nginx-0a1b.log")).unwrap();
    place.append("other.txt", "skipped\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().args(["--log-collector", "Kubernetes", "--listen", ":0", "--node-name", "n1", "--root-path"]);
    command.arg(place.logs()).arg("--data-directory").arg(place.data());
    let agent = Agent::start(command);
    let lines = |target: &str, count: usize| {
        let start = Instant::now();
        loop {
            let answer = agent.get(target);
            let lines = if answer.status == 200 { answer.json() } else { serde_json::json!([]) };
            if lines.as_array().is_some_and(|lines| lines.len() == count) || PATIENCE < start.elapsed() {
                return lines;
            }
            std::thread::yield_now();
        }
    };
    assert_eq!(lines("/logs/pod/web-1", 2), serde_json::json!(["begin", "oops"]));
    assert_eq!(lines("/logs/stream/stderr", 1), serde_json::json!(["oops"]));
    assert_eq!(lines("/logs/node/n1", 2), lines("/logs/container_id/0a1b", 2));
    assert!(agent.greeting.iter().any(|line| line.contains("other.txt is skipped")), "{:?}", agent.greeting);
}
