//! Lines that are forwarded: to a receiver that does whatever receivers do, and from one agent to another.
#![expect(clippy::disallowed_methods, reason = "these tests write the files that agents read")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use monitoring_rs::api;
use monitoring_rs::forward::{Forwarder, Settings};
use monitoring_rs::ingest::Stop;
use monitoring_rs::inventory::Inventory;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::{CrashMode, SimulatedStorage};
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use monitoring_rs::status::{Status, TargetState};

use crate::agent::{Agent, Place};
use crate::support::{PATIENCE, Server, encoded};

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Take,
    /// Takes it, and breaks off without an answer.
    TakeSilently,
    BreakOff,
    Answer(&'static str),
}

/// What a receiver has, by stream, in the order it came.
type Taken = BTreeMap<String, Vec<String>>;

/// A Loki of a few lines: it takes what is pushed, except lines with `poison`, and does other things when it is told to.
struct FakeLoki {
    address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FakeLoki {
    fn start(mut deeds: Vec<Deed>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, requests) = (Arc::<Mutex<Taken>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let loki = Self { address, taken: Arc::clone(&taken), requests: Arc::clone(&requests) };
        deeds.reverse();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                while let Some((head, body)) = read_request(&mut stream) {
                    requests.lock().unwrap().push(head);
                    let batch = api::decode_push("application/x-protobuf", "", &body).expect("it is a push");
                    // A push of nothing asks who is there.
                    let deed = if batch.streams.is_empty() { Deed::Take } else { deeds.pop().unwrap_or(Deed::Take) };
                    let answer = match deed {
                        Deed::BreakOff => break,
                        Deed::Answer(answer) => answer,
                        Deed::Take | Deed::TakeSilently => take(batch, &mut taken.lock().unwrap()),
                    };
                    if matches!(deed, Deed::TakeSilently) || stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        loki
    }

    fn url(&self) -> String {
        format!("loki+http://{}", self.address)
    }
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (0 < stream.read_line(&mut head).ok()?).then_some(())?;
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length?];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Takes what Loki would: what is there already is not taken twice.
fn take(batch: Batch, taken: &mut Taken) -> &'static str {
    let mut is_poisoned = false;
    for StreamLines { labels, lines } in batch.streams {
        let known = taken.entry(labels.to_string()).or_default();
        for (time, line) in lines.iter() {
            let line = format!("{} {}", time.as_ns(), String::from_utf8_lossy(line));
            is_poisoned |= line.contains("poison");
            if !line.contains("poison") && !known.contains(&line) {
                known.push(line);
            }
        }
    }
    if is_poisoned {
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 19\r\n\r\nentry is poisonous\n"
    } else {
        "HTTP/1.1 204 No Content\r\n\r\n"
    }
}

/// Forwards what is in a database; stopped when it is dropped.
struct Forwarding {
    status: Arc<Status>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarding {
    fn start(database: &Database, settings: &Settings) -> Self {
        let (status, stop) = (Arc::<Status>::default(), Arc::<Stop>::default());
        let mut forwarder = Forwarder::new(settings, database, &Arc::<Inventory>::default(), &status).unwrap();
        let until = Arc::clone(&stop);
        let thread = Some(thread::spawn(move || forwarder.run(&until)));
        Self { status, stop, thread }
    }

    /// How the target is once `is_done` holds.
    fn wait_for(&self, is_done: impl Fn(&TargetState) -> bool) -> TargetState {
        let start = Instant::now();
        loop {
            let state = self.status.targets()[0].state();
            if is_done(&state) {
                return state;
            }
            assert!(start.elapsed() < PATIENCE, "{state:?}");
            thread::yield_now();
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.stop.set();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn settings(address: String) -> Settings {
    Settings { address, from_beginning: true, ..Settings::default() }
}

fn open(storage: &SimulatedStorage) -> Database {
    Database::open(Arc::new(storage.clone())).unwrap()
}

/// Lines of `stream`, numbered from `from` on.
fn append(database: &Database, stream: &str, from: i64, lines: &[&str]) {
    let labels = Labels::new([("app", stream)]).unwrap();
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (time, line) in (from..).zip(lines) {
        stream.lines.push(Timestamp::from_ns(time), line.as_bytes());
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).unwrap();
}

fn taken(pairs: &[(&str, &[&str])]) -> Taken {
    let owned = |(stream, lines): &(&str, &[&str])| {
        (format!("{{app=\"{stream}\"}}"), lines.iter().map(|line| (*line).to_owned()).collect())
    };
    pairs.iter().map(owned).collect()
}

#[test]
fn a_receiver_that_fails_in_every_way_has_each_line_in_its_order() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nslow";
    let down = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let deeds = vec![Deed::BreakOff, Deed::Answer(busy), Deed::Answer(down), Deed::TakeSilently, Deed::Take];
    let loki = FakeLoki::start(deeds);
    let database = open(&SimulatedStorage::default());
    append(&database, "a", 1, &["one", "two"]);
    append(&database, "b", 1, &["three"]);
    let forwarding = Forwarding::start(&database, &settings(loki.url()));
    let state = forwarding.wait_for(|state| state.batch == 1);
    assert_eq!((state.waiting_lines, state.refused_lines, state.dropped_lines), (0, 0, 0));
    append(&database, "a", 3, &["four"]);
    let state = forwarding.wait_for(|state| state.batch == 2);
    assert_eq!(state.problem, None);
    assert!(4 <= forwarding.status.targets()[0].failures.get());
    assert_eq!(*loki.taken.lock().unwrap(), taken(&[("a", &["1 one", "2 two", "3 four"]), ("b", &["1 three"])]));
}

#[test]
fn one_bad_entry_keeps_no_other_out() {
    let loki = FakeLoki::start(Vec::new());
    let database = open(&SimulatedStorage::default());
    append(&database, "a", 1, &["one", "poison", "two", "three", "four"]);
    append(&database, "b", 1, &["poison"]);
    let forwarding = Forwarding::start(&database, &settings(loki.url()));
    let state = forwarding.wait_for(|state| state.batch == 1 && state.refused_lines != 0);
    assert_eq!(state.refused_lines, 2);
    assert_eq!(state.last_refusal.as_deref(), Some("entry is poisonous"));
    let expected = taken(&[("a", &["1 one", "3 two", "4 three", "5 four"]), ("b", &[])]);
    assert_eq!(*loki.taken.lock().unwrap(), expected);
    assert!(loki.requests.lock().unwrap().len() < 20);
}

#[test]
fn what_waits_is_told_while_nobody_takes_it() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let database = open(&SimulatedStorage::default());
    append(&database, "a", 1, &["one"]);
    let forwarding = Forwarding::start(&database, &settings(format!("loki+http://{free}")));
    forwarding.wait_for(|state| state.problem.is_some());
    append(&database, "a", 2, &["two", "three"]);
    database.commit().unwrap();
    let state = forwarding.wait_for(|state| state.waiting_lines == 3);
    assert_eq!(state.oldest, Some(Timestamp::from_ns(1)));
}

#[test]
fn many_bad_entries_keep_no_other_out() {
    let loki = FakeLoki::start(Vec::new());
    let database = open(&SimulatedStorage::default());
    let lines: Vec<&str> = (0..300).map(|number| if number % 7 == 0 { "poison" } else { "good" }).collect();
    append(&database, "a", 1, &lines);
    let forwarding = Forwarding::start(&database, &settings(loki.url()));
    let state = forwarding.wait_for(|state| state.batch == 1 && state.refused_lines != 0);
    assert_eq!(state.refused_lines, 43);
    assert_eq!(loki.taken.lock().unwrap().values().map(Vec::len).sum::<usize>(), 257);
}

#[test]
fn a_batch_of_nothing_but_bad_entries_takes_few_tries() {
    let loki = FakeLoki::start(Vec::new());
    let database = open(&SimulatedStorage::default());
    append(&database, "a", 1, &vec!["poison"; 2000]);
    append(&database, "a", 2001, &["good"]);
    let forwarding = Forwarding::start(&database, &settings(loki.url()));
    let state = forwarding.wait_for(|state| state.batch == 1 && state.refused_lines != 0);
    assert_eq!(*loki.taken.lock().unwrap(), taken(&[("a", &["2001 good"])]));
    let posts = loki.requests.lock().unwrap().len();
    assert!(posts < 100 && 2000 <= state.refused_lines, "{posts} {state:?}");
}

#[test]
fn only_what_is_selected_is_sent_with_the_labels_and_headers_that_are_given() {
    let loki = FakeLoki::start(Vec::new());
    let directory = tempfile::tempdir().unwrap();
    let headers = directory.path().join("headers");
    std::fs::write(&headers, "X-Scope-OrgID: shop\n").unwrap();
    std::fs::set_permissions(&headers, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut settings = settings(loki.url());
    settings.files.headers = Some(headers);
    settings.include = vec!["{app=~\"a|b\"}".into(), "{app=\"c\"}".into()];
    settings.exclude = vec!["{app=\"b\"}".into()];
    settings.labels = vec!["cluster=x".into()];
    let database = open(&SimulatedStorage::default());
    for stream in ["a", "b", "c", "d"] {
        append(&database, stream, 1, &["line"]);
    }
    Forwarding::start(&database, &settings).wait_for(|state| state.batch == 1 && state.waiting_lines == 0);
    let streams: Vec<String> = loki.taken.lock().unwrap().keys().cloned().collect();
    assert_eq!(streams, [r#"{app="a", cluster="x"}"#, r#"{app="c", cluster="x"}"#]);
    assert!(loki.requests.lock().unwrap().iter().all(|head| head.to_lowercase().contains("x-scope-orgid: shop")));
}

#[test]
fn wrong_settings_say_what_is_expected() {
    let database = open(&SimulatedStorage::default());
    let check = |change: &dyn Fn(&mut Settings), expected: &str| {
        let mut settings = settings("loki+http://host".into());
        change(&mut settings);
        let made = Forwarder::new(&settings, &database, &Arc::<Inventory>::default(), &Status::default());
        let error = made.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(&|settings| settings.address = "http://host/".into(), "expected loki+http(s)://host");
    check(&|settings| settings.address = "loki+http://me:secret@host/".into(), "belong into the file of headers");
    check(&|settings| settings.include = vec!["{app=".into()], "--forward-include '{app='");
    check(&|settings| settings.labels = vec!["cluster".into()], "--forward-label 'cluster': expected name=value");
    check(&|settings| settings.labels = vec!["a-b=c".into()], "is no label name");
    check(&|settings| settings.files.headers = Some("/nowhere".into()), "/nowhere");
    check(&|settings| settings.address = format!("loki+http://host/{}", "a".repeat(1024)), "at most 1024 bytes");
    let status = Status::default();
    let make =
        |address: &str| Forwarder::new(&settings(address.into()), &database, &Arc::<Inventory>::default(), &status);
    let _first = make("loki+http://host").unwrap();
    let error = make("http://host/loki/api/v1/push?x=1").unwrap_err().to_string();
    assert!(error.contains("named twice"), "{error}");
}

/// Every line of an agent's stream in its order, with how often it is there.
fn lines_at(server: SocketAddr, selector: &str) -> Vec<String> {
    let answer = crate::support::get(server, &encoded(&format!("/logs/{selector}?limit=5000")));
    if answer.status == 200 { serde_json::from_slice(&answer.body).unwrap() } else { Vec::new() }
}

#[test]
fn another_agent_has_each_line_once_whoever_is_killed() {
    let (sender_storage, receiver_storage) = (SimulatedStorage::default(), SimulatedStorage::default());
    let mut expected: Vec<String> = Vec::new();
    let mut receiver = open(&receiver_storage);
    // The address has to stay the same, as a receiver's does.
    let gate = Gate::start();
    for round in 0..8 {
        let database = open(&sender_storage);
        let server = Server::start(receiver.clone(), api::Settings::default());
        gate.lead_to(Some(server.address));
        let lines: Vec<String> =
            (0..50).map(|number| format!("line {} of round {round}", expected.len() + number)).collect();
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        append(&database, "a", i64::try_from(expected.len()).unwrap() + 1, &texts);
        expected.extend(lines);
        let forwarding = Forwarding::start(&database, &settings(format!("loki+http://{}", gate.address)));
        if round % 2 == 0 {
            // The receiver's answers do not arrive any more, and what it has may or may not be acknowledged.
            gate.swallow_answers();
            let start = Instant::now();
            while lines_at(server.address, "app/a").len() < expected.len() {
                assert!(start.elapsed() < PATIENCE, "nothing arrives");
                thread::yield_now();
            }
        } else {
            forwarding.wait_for(|state| state.waiting_lines == 0 && 0 < state.batch);
        }
        gate.lead_to(None);
        drop((forwarding, server));
        // Both are killed: what was not durable is gone with them.
        receiver = open(&receiver_storage);
    }
    let server = Server::start(receiver, api::Settings::default());
    gate.lead_to(Some(server.address));
    let database = open(&sender_storage);
    append(&database, "a", i64::try_from(expected.len()).unwrap() + 1, &["the last"]);
    expected.push("the last".into());
    let _forwarding = Forwarding::start(&database, &settings(format!("loki+http://{}", gate.address)));
    let start = Instant::now();
    while lines_at(server.address, "app/a").last() != expected.last() && start.elapsed() < PATIENCE {
        thread::yield_now();
    }
    assert_eq!(lines_at(server.address, "app/a"), expected);
}

#[test]
fn two_agents_of_one_name_lose_nothing() {
    let (storage, receiver) = (SimulatedStorage::default(), open(&SimulatedStorage::default()));
    let server = Server::start(receiver.clone(), api::Settings::default());
    let settings = settings(format!("loki+http://{}", server.address));
    let first = open(&storage);
    append(&first, "a", 1, &["one"]);
    let forwarding = Forwarding::start(&first, &settings);
    forwarding.wait_for(|state| state.batch == 1 && state.waiting_lines == 0);
    // The data directory is copied, and both go on.
    let second = open(&storage.crash(CrashMode::ProcessKilled, 0));
    let copied = Forwarding::start(&second, &settings);
    for (number, line) in (2..).zip(["two", "three", "four"]) {
        append(&first, "a", number, &[line]);
        forwarding.wait_for(|state| state.waiting_lines == 0 && i64::try_from(state.batch) == Ok(number));
    }
    append(&second, "b", 1, &["five"]);
    copied.wait_for(|state| state.waiting_lines == 0 && state.batch == 2);
    append(&first, "a", 5, &["six"]);
    append(&second, "b", 2, &["seven"]);
    for forwarding in [&forwarding, &copied] {
        forwarding.wait_for(|state| state.waiting_lines == 0);
    }
    let start = Instant::now();
    while lines_at(server.address, "app/b").len() < 2 || lines_at(server.address, "app/a").len() < 5 {
        assert!(start.elapsed() < PATIENCE, "lines are missing");
        thread::yield_now();
    }
    assert_eq!(lines_at(server.address, "app/a"), ["one", "two", "three", "four", "six"]);
    assert_eq!(lines_at(server.address, "app/b"), ["five", "seven"]);
}

/// A port that leads to another one, or to none, and may swallow what is answered.
struct Gate {
    address: SocketAddr,
    state: Arc<Mutex<(Option<SocketAddr>, bool)>>,
}

impl Gate {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<(Option<SocketAddr>, bool)>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || Self::pass(client.unwrap(), &state));
            }
        });
        Self { address, state }
    }

    fn lead_to(&self, target: Option<SocketAddr>) {
        *self.state.lock().unwrap() = (target, false);
    }

    /// Lets answers to who asks pass, and no answer to what is sent.
    fn swallow_answers(&self) {
        self.state.lock().unwrap().1 = true;
    }

    fn pass(client: TcpStream, state: &Mutex<(Option<SocketAddr>, bool)>) -> Option<()> {
        let target = state.lock().unwrap().0?;
        let mut client = BufReader::new(client);
        loop {
            let (head, body) = read_request(&mut client)?;
            let mut server = TcpStream::connect(target).ok()?;
            let head = head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
            server.write_all(&[head.as_bytes(), &body].concat()).ok()?;
            let mut answer = vec![0; 64 << 10];
            let mut count = 0;
            while let Ok(read @ 1..) = server.read(&mut answer[count..]) {
                count += read;
            }
            if state.lock().unwrap().1 && head.contains("monitoring-batch") | head.contains("Monitoring-Batch") {
                return None;
            }
            client.get_mut().write_all(&answer[..count]).ok()?;
        }
    }
}

#[test]
fn agents_forward_what_they_collect_and_go_on_after_a_kill() {
    let (here, there) = (Place::new(), Place::new());
    let central = Agent::start(there.command());
    let command = || {
        let mut command: Command = here.command();
        command.args(["--forward-from", "beginning", "--forward-label", "node=here", "--forward"]);
        command.arg(format!("loki+http://{}", central.address));
        command
    };
    here.append("a.log", "line 1\nline 2\n");
    let agent = Agent::start(command());
    let arrived = |count: usize| {
        let start = Instant::now();
        loop {
            let lines = lines_at(central.address, "node/here");
            if count <= lines.len() || PATIENCE < start.elapsed() {
                return lines;
            }
            thread::yield_now();
        }
    };
    assert_eq!(arrived(2), ["line 1", "line 2"]);
    // Killed while it may be about to say that these have arrived.
    drop(agent);
    here.append("a.log", "line 3\n");
    let agent = Agent::start(command());
    assert_eq!(arrived(3), ["line 1", "line 2", "line 3"]);
    let start = Instant::now();
    loop {
        let status = agent.get("/status").json();
        let target = &status["forward"][0];
        let metrics = String::from_utf8(agent.get("/metrics").body).unwrap();
        let is_done = target["waiting_lines"] == 0 && target["problem"].is_null() && target["batch"] != 0;
        if is_done && metrics.contains("\nmonitoring_forward_queue_lines{target=\"http://127.0.0.1:") {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{status}");
        thread::yield_now();
    }
}
