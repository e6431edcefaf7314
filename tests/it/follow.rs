//! `/api/v1/follow`: lines as they come, and what a client that was cut off gets.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{HandshakeError, Message, WebSocket, client};
use monitoring_rs::api::{QueryLimits, Settings};
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use monitoring_rs::status::{Gap, SkipReason};
use serde_json::{Value, json};

use crate::support::{self, PATIENCE, Server, encoded};

/// A client that follows.
struct Follower {
    socket: WebSocket<TcpStream>,
    /// The ids of streams by their numbers.
    streams: Vec<String>,
    /// What was received and not looked at.
    records: std::collections::VecDeque<Value>,
}

fn follow(server: &Server, query: &str) -> Follower {
    let url = format!("ws://{}{}", server.address, encoded(&format!("/api/v1/follow?{query}")));
    let request = url.into_client_request().expect("the URL is one");
    let stream = TcpStream::connect(server.address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the socket takes a timeout");
    let socket = match client(request, stream) {
        Ok((socket, _)) => socket,
        Err(HandshakeError::Failure(error)) => panic!("{query}: {error}"),
        Err(HandshakeError::Interrupted(_)) => panic!("{query}: the handshake stalls"),
    };
    Follower { socket, streams: Vec::new(), records: std::collections::VecDeque::new() }
}

impl Follower {
    fn next_message(&mut self) -> Message {
        support::next_message(&mut self.socket)
    }

    /// The next record; those of streams are noted.
    fn next_record(&mut self) -> Value {
        loop {
            while let Some(record) = self.records.pop_front() {
                let Some(stream) = record.get("stream") else { return record };
                assert_eq!(stream["s"], self.streams.len());
                self.streams.push(stream["id"].as_str().expect("ids are text").to_owned());
            }
            let message = self.next_message();
            let frame = message.to_text().expect("frames are text");
            assert!(frame.len() <= 300 << 10, "a frame of {} bytes", frame.len());
            self.records
                .extend(frame.lines().map(|line| serde_json::from_str::<Value>(line).expect("records are JSON")));
        }
    }

    /// The id and the text of the next line, if no other record comes before it but the first one and beats.
    fn next_line(&mut self) -> (String, String) {
        let begun = Instant::now();
        loop {
            let record = self.next_record();
            if record.get("begin").is_some() || record.get("beat").is_some() {
                assert!(begun.elapsed() < PATIENCE, "nothing but beats for {PATIENCE:?}");
                continue;
            }
            return self.line(&record).unwrap_or_else(|| panic!("no line, but {record}"));
        }
    }

    fn line(&self, record: &Value) -> Option<(String, String)> {
        let [s, time, n, check, _, text, ..] = record.as_array()?.as_slice() else { return None };
        let stream = &self.streams[usize::try_from(s.as_u64()?).ok()?];
        Some((format!("{stream}.{}.{n}.{}", time.as_str()?, check.as_str()?), text.as_str()?.to_owned()))
    }

    fn next_lines(&mut self, count: usize) -> Vec<(String, String)> {
        (0..count).map(|_| self.next_line()).collect()
    }

    fn next_texts(&mut self, count: usize) -> Vec<String> {
        self.next_lines(count).into_iter().map(|(_, text)| text).collect()
    }
}

fn database() -> Database {
    Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database")
}

fn append(database: &Database, app: &str, lines: &[(i64, &str)]) {
    let labels = Labels::new([("app", app)]).expect("it is a label");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (ns, line) in lines {
        stream.lines.push(Timestamp::from_ns(*ns), line.as_bytes());
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
}

/// All lines as `/api/v1/lines` has them.
fn stored(server: &Server, query: &str) -> Vec<(String, String)> {
    let body = server.get(&encoded(&format!("/api/v1/lines?query={query}&direction=forward&limit=100000"))).body;
    let (mut streams, mut lines) = (Vec::new(), Vec::new());
    for line in String::from_utf8(body).expect("records are text").lines() {
        let record: Value = serde_json::from_str(line).expect("records are JSON");
        if let Some(stream) = record.get("stream") {
            streams.push(stream["id"].as_str().expect("ids are text").to_owned());
        }
        if let Some([s, time, n, check, _, text, ..]) = record.as_array().map(Vec::as_slice) {
            let stream = &streams[usize::try_from(s.as_u64().expect("a number")).expect("a small one")];
            let id = format!("{stream}.{}.{n}.{}", time.as_str().expect("text"), check.as_str().expect("text"));
            lines.push((id, text.as_str().expect("text").to_owned()));
        }
    }
    lines
}

#[test]
fn what_there_is_comes_first_and_then_what_is_appended() {
    let database = database();
    append(&database, "a", &[(1, "one"), (1, "two"), (2, "three")]);
    let server = Server::start(database.clone(), Settings::default());
    let mut follower = follow(&server, "query={app=\"a\"}&last=2");
    let begin = follower.next_record();
    assert_eq!((&begin["begin"]["query"], &begin["begin"]["version"]), (&json!("{app=\"a\"}"), &json!("0.0.0")));
    assert_eq!(follower.next_texts(2), ["two", "three"]);
    append(&database, "b", &[(2, "not asked for")]);
    append(&database, "a", &[(2, "four"), (5, "five")]);
    assert_eq!(follower.next_texts(2), ["four", "five"]);
    database.commit().expect("memory takes a commit");
    append(&database, "a", &[(6, "six")]);
    assert_eq!(follower.next_texts(1), ["six"]);
    assert_eq!(
        follow(&server, "query={app=\"a\"}&start=0").next_texts(6),
        ["one", "two", "three", "four", "five", "six"]
    );
}

#[test]
fn what_is_appended_once_the_client_is_answered_comes() {
    let database = database();
    let server = Server::start(database.clone(), Settings::default());
    for number in 0..20 {
        let mut follower = follow(&server, "query={app=\"a\"}&last=0");
        let line = number.to_string();
        append(&database, "a", &[(7, &line)]);
        assert_eq!(follower.next_texts(1), [line]);
    }
}

#[test]
fn the_whole_query_is_applied_and_ids_are_those_of_the_stored_lines() {
    let database = database();
    let server = Server::start(database.clone(), Settings::default());
    let query = "{app=\"a\"} | json | n > 1 | line_format `{{.n}}`";
    let mut follower = follow(&server, &format!("query={query}"));
    follower.next_record();
    append(&database, "a", &[(7, r#"{"n":1}"#), (7, r#"{"n":2}"#), (7, r#"{"n":3}"#)]);
    let lines = follower.next_lines(2);
    assert_eq!(lines, stored(&server, query));
    assert!(lines[0].0.contains(".7.1."), "{}", lines[0].0);
}

#[test]
fn what_was_lost_is_told_in_its_place() {
    let database = database();
    let labels = Labels::new([("path", "/var/log/a.log")]).expect("it is a label");
    let append = |lines: &[(i64, &str)]| {
        let mut stream = StreamLines { labels: labels.clone(), lines: Lines::default() };
        for (ns, line) in lines {
            stream.lines.push(Timestamp::from_ns(*ns), line.as_bytes());
        }
        database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
    };
    append(&[(10, "ten"), (30, "thirty"), (50, "fifty")]);
    let server = Server::start(database.clone(), Settings::default());
    let lose = |path: &str, found: i64| {
        let (reason, found) = (SkipReason::Truncated, Timestamp::from_ns(found));
        server.status.add_gap(Gap { path: path.to_owned(), bytes: 3..7, reason, found });
    };
    lose("/var/log/a.log", 40);
    lose("/var/log/b.log", 41);
    let gap = |time: &str| json!({"gap": {"s": 0, "time": time, "bytes": [3, 7], "reason": "truncated"}});
    let query = "query={path=~\".+a.log\"}";
    let mut follower = follow(&server, query);
    follower.next_record();
    assert_eq!(follower.next_texts(2), ["ten", "thirty"]);
    assert_eq!(follower.next_record(), gap("40"));
    let fifty = follower.next_line();
    assert_eq!(fifty.1, "fifty");
    // What is found meanwhile comes before what comes, whatever time that has.
    lose("/var/log/b.log", 70);
    lose("/var/log/a.log", 71);
    append(&[(60, "sixty")]);
    assert_eq!(follower.next_texts(1), ["sixty"]);
    assert_eq!(follower.next_record(), gap("71"));
    append(&[(80, "eighty")]);
    assert_eq!(follower.next_texts(1), ["eighty"]);
    // A client that comes back is told of what it has not been told of.
    let mut resumed = follow(&server, &format!("{query}&after={}", fifty.0));
    resumed.next_record();
    assert_eq!(resumed.next_texts(1), ["sixty"]);
    assert_eq!(resumed.next_record(), gap("71"));
    assert_eq!(resumed.next_texts(1), ["eighty"]);
    let mut last = follow(&server, &format!("{query}&last=1"));
    last.next_record();
    assert_eq!(last.next_texts(1), ["eighty"]);
    // Without a line it is told of with the next beat.
    lose("/var/log/a.log", 90);
    while let record = last.next_record()
        && record != gap("90")
    {
        assert!(record.get("beat").is_some(), "{record}");
    }
}

#[test]
fn a_line_that_is_late_is_told_of() {
    let database = database();
    let server = Server::start(database.clone(), Settings::default());
    let mut follower = follow(&server, "");
    follower.next_record();
    append(&database, "a", &[(10, "ten")]);
    assert_eq!(follower.next_texts(1), ["ten"]);
    append(&database, "a", &[(5, "five")]);
    assert_eq!(follower.next_record(), json!({"late": true}));
    assert_eq!(follower.next_texts(1), ["five"]);
    append(&database, "b", &[(11, "eleven")]);
    assert_eq!(follower.next_texts(1), ["eleven"]);
    let mut expected = stored(&server, "{app=~\".+\"}").into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    expected.sort();
    assert_eq!(expected, ["eleven", "five", "ten"]);
}

#[test]
fn who_is_cut_off_again_and_again_gets_each_line_once() {
    let database = database();
    let server = Server::start(database.clone(), Settings::default());
    let writer = {
        let database = database.clone();
        std::thread::spawn(move || {
            for round in 0..400_i64 {
                let lines: Vec<String> = (0..10).map(|n| format!("line {}", round * 10 + n)).collect();
                // Many lines share their time with others, also of the batch before.
                let lines: Vec<(i64, &str)> = lines.iter().map(|line| (round / 3, line.as_str())).collect();
                append(&database, "a", &lines);
                if round % 7 == 0 {
                    database.commit().expect("memory takes a commit");
                }
            }
        })
    };
    let mut received: Vec<(String, String)> = Vec::new();
    let mut seed = 7_usize;
    while received.len() < 4000 {
        let from = received.last().map_or("start=0".to_owned(), |(id, _)| format!("after={id}"));
        let mut follower = follow(&server, &format!("query={{app=\"a\"}}&{from}"));
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let count = (seed >> 40) % 700 + 1;
        received.extend(follower.next_lines(count.min(4000 - received.len())));
        // Cut off without a word, with lines on their way.
        drop(follower);
    }
    writer.join().expect("the lines are appended");
    let expected: Vec<String> = (0..4000).map(|n| format!("line {n}")).collect();
    assert_eq!(received.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(received, stored(&server, "{app=~\".+\"}"));
}

#[test]
fn of_too_much_the_newest_come_and_the_rest_is_between_two_ids() {
    let database = database();
    let lines: Vec<(i64, String)> = (0..12_000).map(|n| (n, format!("line {n}"))).collect();
    for chunk in lines.chunks(1000) {
        append(&database, "a", &chunk.iter().map(|(ns, line)| (*ns, line.as_str())).collect::<Vec<_>>());
    }
    let server = Server::start(database, Settings::default());
    let all = stored(&server, "{app=~\".+\"}");
    let mut follower = follow(&server, &format!("after={}", all[99].0));
    follower.next_record();
    let missed = follower.next_record();
    let expected = json!({"missed": {"lines": 1900, "more": false, "after": all[99].0, "before": all[2000].0}});
    assert_eq!(missed, expected);
    assert_eq!(follower.next_lines(10_000), all[2000..]);
}

#[test]
fn a_client_that_is_too_slow_is_told_between_which_lines_it_misses_some() {
    let database = database();
    append(&database, "a", &[(0, "first")]);
    let server = Server::start(database.clone(), Settings::default());
    let mut follower = follow(&server, "query={app=\"a\"}");
    assert_eq!(follower.next_texts(1), ["first"]);
    let line = "x".repeat(200 << 10);
    let count = 400;
    for number in 1..=count {
        append(&database, "a", &[(number, &format!("{number} {line}"))]);
        database.commit().expect("memory takes a commit");
    }
    append(&database, "a", &[(count + 1, "last")]);
    let (mut received, mut missed) = (Vec::new(), Vec::new());
    loop {
        let record = follower.next_record();
        if let Some((id, text)) = follower.line(&record) {
            received.push(id);
            if text == "last" {
                break;
            }
        } else if let Some(hole) = record.get("missed") {
            missed.push((received.len(), hole.clone()));
        }
    }
    assert!(!missed.is_empty(), "{} lines were read, although nobody read for so long", received.len());
    let all: Vec<String> = stored_ids(&server);
    let mut filled = vec![all[0].clone()];
    let mut holes = missed.into_iter().peekable();
    for (index, id) in received.iter().enumerate() {
        if let Some((_, hole)) = holes.next_if(|(at, _)| *at == index) {
            let place =
                |name: &str| all.iter().position(|id| hole[name] == id.as_str()).expect("it is the id of a line");
            let between = &all[place("after") + 1..place("before")];
            assert_eq!(hole["lines"].as_u64(), Some(between.len() as u64));
            filled.extend(between.iter().cloned());
        }
        filled.push(id.clone());
    }
    assert_eq!(filled, all, "what came and what the holes hold is all there is");
}

/// The ids of all lines; their texts are long.
fn stored_ids(server: &Server) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let body = server
            .get(&encoded(&format!(
                "/api/v1/lines?query={{app=~\".+\"}} | line_format \"x\"&direction=forward{cursor}"
            )))
            .body;
        let text = String::from_utf8(body).expect("records are text");
        let mut stream = String::new();
        let mut end = Value::Null;
        for record in text.lines().map(|line| serde_json::from_str::<Value>(line).expect("records are JSON")) {
            if let Some(said) = record.get("stream") {
                said["id"].as_str().expect("ids are text").clone_into(&mut stream);
            } else if let Some([_, time, n, check, ..]) = record.as_array().map(Vec::as_slice) {
                ids.push(format!("{stream}.{}.{n}.{}", time.as_str().expect("text"), check.as_str().expect("text")));
            } else if let Some(found) = record.get("end") {
                end = found.clone();
            }
        }
        if end["reason"] == "complete" {
            return ids;
        }
        cursor = format!("&after={}", end["last"].as_str().expect("a page that is cut has lines"));
    }
}

#[track_caller]
fn check_closed(follower: &mut Follower, code: CloseCode, reason: &str) {
    let close = loop {
        match follower.next_message() {
            Message::Close(close) => break close.expect("it is said why"),
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(close.code == code && close.reason.as_str().contains(reason), "{close:?}");
}

#[test]
fn whatever_is_wrong_is_said_in_the_close() {
    let server = Server::start(database(), Settings::default());
    for (query, reason) in [
        ("query={app=", "parse error at line 1, col 6"),
        ("query=rate({app=\"a\"}[1m])", "numbers"),
        ("after=x", "not the id of a line"),
        ("last=5001", "from 0 to 5000"),
        ("start=1&last=2", "give one of them"),
        ("start=never", "RFC 3339"),
    ] {
        check_closed(&mut follow(&server, query), CloseCode::Policy, reason);
    }
    assert_eq!(server.get("/api/v1/follow").status, 426);
}

#[test]
fn one_tail_too_many_is_told_so_and_one_that_ends_makes_room() {
    let limits = QueryLimits { tails_max: 1, ..QueryLimits::default() };
    let server = Server::start_limited(database(), Settings::default(), limits);
    let mut first = follow(&server, "");
    first.next_record();
    check_closed(&mut follow(&server, ""), CloseCode::Policy, "max concurrent tail requests limit exceeded");
    assert_eq!(server.get("/status?sources=0").json()["tails"], json!({"running": 1, "max": 1}));
    first.socket.close(None).expect("it takes a close");
    let patience = Instant::now();
    while let Message::Close(_) = follow(&server, "").next_message() {
        assert!(patience.elapsed() < PATIENCE, "the first one's end makes room");
    }
}

#[test]
fn an_agent_that_stops_asks_to_come_back() {
    let server = Server::start(database(), Settings::default());
    let mut follower = follow(&server, "");
    follower.next_record();
    let stopped = std::thread::spawn(move || server.stop());
    check_closed(&mut follower, CloseCode::Restart, "come back with the last id");
    drop(follower);
    stopped.join().expect("the server ends well");
}

#[test]
fn something_comes_even_where_nothing_does() {
    let server = Server::start(database(), Settings::default());
    let mut follower = follow(&server, "query={app=\"none\"}");
    follower.next_record();
    let beat = follower.next_record();
    assert!(beat["beat"]["now"].as_str().is_some_and(|now| now.parse::<i64>().is_ok()), "{beat}");
}
