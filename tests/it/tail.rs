//! Live tails as Grafana and logcli follow them: on a WebSocket, with what there is first and then what comes.

use std::net::TcpStream;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::http::Response;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, HandshakeError, Message, WebSocket, client};
use monitoring_rs::api::{QueryLimits, Settings};
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{self, PATIENCE, Server, encoded};

/// A client that follows a tail.
struct Tail(WebSocket<TcpStream>);

/// Begins to follow; or what the server answers instead.
fn try_follow(
    server: &Server,
    target: &str,
    headers: &[(&'static str, &str)],
) -> Result<Tail, Box<Response<Option<Vec<u8>>>>> {
    let url = format!("ws://{}/loki/api/v1/{}", server.address, encoded(target));
    let mut request = url.into_client_request().expect("the URL is one");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("the value is one"));
    }
    let stream = TcpStream::connect(server.address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the socket takes a timeout");
    match client(request, stream) {
        Ok((socket, _)) => Ok(Tail(socket)),
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response),
        Err(error) => panic!("{target}: {error}"),
    }
}

fn follow(server: &Server, target: &str) -> Tail {
    try_follow(server, target, &[]).unwrap_or_else(|response| panic!("{target}: {response:?}"))
}

impl Tail {
    fn next_message(&mut self) -> Message {
        support::next_message(&mut self.0)
    }

    fn next_frame(&mut self) -> Value {
        serde_json::from_str(self.next_message().to_text().expect("frames are text")).expect("frames are JSON")
    }

    /// The next `count` lines, with their streams' labels.
    fn next_lines(&mut self, count: usize) -> Vec<(Value, String)> {
        let mut lines = Vec::new();
        while lines.len() < count {
            let frame = self.next_frame();
            assert_eq!(frame.get("dropped_entries"), None);
            lines.extend(lines_of(&frame));
        }
        lines
    }

    fn next_texts(&mut self, count: usize) -> Vec<String> {
        self.next_lines(count).into_iter().map(|(_, text)| text).collect()
    }
}

fn lines_of(frame: &Value) -> Vec<(Value, String)> {
    let streams = frame["streams"].as_array().expect("a frame has streams").iter();
    let lines = streams.flat_map(|stream| {
        let values = stream["values"].as_array().expect("a stream has lines").iter();
        values.map(|value| (stream["stream"].clone(), value[1].as_str().expect("a line is text").to_owned()))
    });
    lines.collect()
}

/// When the tests began, in nanoseconds since the epoch. What is appended while a tail begins is either among the lines
/// there are or among those that come, as long as it is not older than a tail looks back.
static NOW: LazyLock<i64> = LazyLock::new(|| {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    i64::try_from(since_epoch.as_nanos()).expect("it is before 2262") - 1_000_000_000
});

fn at(ns: i64) -> String {
    (*NOW + ns).to_string()
}

/// A server with three lines, and what it answers from.
fn server_with(settings: Settings, limits: QueryLimits) -> (Server, Database) {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    append(&database, "web", &[(0, "one"), (1, "two"), (2, "three")]);
    (Server::start_limited(database.clone(), settings, limits), database)
}

fn server() -> (Server, Database) {
    server_with(Settings::default(), QueryLimits::default())
}

fn append(database: &Database, app: &str, lines: &[(i64, &str)]) {
    let labels = Labels::new([("app", app)]).expect("it is a label");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (ns, line) in lines {
        stream.lines.push(Timestamp::from_ns(*NOW + ns), line.as_bytes());
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
}

#[test]
fn what_there_is_comes_first_and_then_what_is_appended() {
    let (server, database) = server();
    let mut tail = follow(&server, "tail?query={app=\"web\"} | drop detected_level&limit=2");
    let stream = json!({"app": "web", "service_name": "web"});
    assert_eq!(
        tail.next_frame(),
        json!({"streams": [{"stream": stream, "values": [[at(1), "two"], [at(2), "three"]]}]})
    );
    append(&database, "other", &[(5, "not asked for")]);
    append(&database, "web", &[(5, "five"), (4, "four")]);
    assert_eq!(
        tail.next_frame(),
        json!({"streams": [{"stream": stream, "values": [[at(4), "four"], [at(5), "five"]]}]})
    );
    database.commit().expect("memory takes a commit");
    append(&database, "web", &[(6, "six")]);
    assert_eq!(tail.next_texts(1), ["six"]);
}

#[test]
fn what_is_appended_once_the_client_is_answered_comes_however_old_it_is() {
    let (server, database) = server();
    for number in 0..20 {
        let mut tail = follow(&server, "tail?query={app=\"old\"}");
        let line = number.to_string();
        append(&database, "old", &[(-1_000_000_000_000_000, &line)]);
        assert_eq!(tail.next_texts(1), [line]);
    }
}

#[test]
fn the_whole_query_is_applied_to_what_comes() {
    let (server, database) = server();
    let query = r#"{app=~"w.*"} |= "took" | logfmt | took > 1s | line_format "{{.msg}}!" | drop detected_level, took"#;
    let mut tail = follow(&server, &format!("tail?query={}", query.replace("{{", "%7B%7B").replace('!', "%21")));
    append(&database, "web", &[(1, "msg=fast took=1ms"), (2, "msg=slow took=2s"), (3, "msg=none")]);
    append(&database, "web", &[(4, "msg=slower took=3s")]);
    let labels = |msg: &str| json!({"app": "web", "msg": msg, "service_name": "web"});
    let expected = [(labels("slow"), "slow!".to_owned()), (labels("slower"), "slower!".to_owned())];
    assert_eq!(tail.next_lines(2), expected);
}

#[test]
fn late_lines_are_sorted_in_while_others_are_held_back() {
    let (server, database) = server();
    let mut tail = follow(&server, "tail?query={app=~\".%2B\"}&delay_for=1");
    assert_eq!(tail.next_texts(3), ["one", "two", "three"], "what there is, is not held back");
    let begun = Instant::now();
    append(&database, "web", &[(20, "later")]);
    append(&database, "api", &[(10, "earlier")]);
    assert_eq!(tail.next_texts(2), ["earlier", "later"]);
    assert!(Duration::from_secs(1) <= begun.elapsed(), "they were held back");
}

#[test]
fn labels_come_by_category_where_that_is_asked_for() {
    let (server, database) = server();
    let header = ("X-Loki-Response-Encoding-Flags", "categorize-labels");
    let mut tail = try_follow(&server, "tail?query={app=\"web\"} |= \"a=b\" | logfmt | drop detected_level", &[header])
        .unwrap_or_else(|response| panic!("{response:?}"));
    append(&database, "web", &[(7, "a=b")]);
    let stream = json!({"app": "web", "service_name": "web"});
    let values = json!([[at(7), "a=b", {"parsed": {"a": "b"}}]]);
    let expected = json!({"streams": [{"stream": stream, "values": values}], "encodingFlags": ["categorize-labels"]});
    assert_eq!(tail.next_frame(), expected);
}

#[track_caller]
fn check_refused(target: &str, headers: &[(&'static str, &str)], status: u16, message: &str) {
    let response = try_follow(&server().0, target, headers).err().expect("it is refused");
    let body = String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
    assert!(response.status() == status && body.contains(message), "{target}: {} {body}", response.status());
}

#[test]
fn what_cannot_be_tailed_is_refused_before_the_upgrade() {
    check_refused("tail?query={app=", &[], 400, "parse error at line 1, col 6");
    check_refused("tail?query=rate({app=\"web\"}[1m])", &[], 400, "only log queries can be tailed");
    check_refused("tail?query={app=\"web\"}&delay_for=6", &[], 400, "delay_for can't be greater than 5");
    check_refused("tail?query={app=\"web\"}&delay_for=1s", &[], 400, "delay_for: \"1s\" is no whole number");
    check_refused("tail?query={app=\"web\"}&limit=5001", &[], 400, "(5001 > 5000)");
    check_refused("tail?query={app=\"web\"} |~ \"(\"", &[], 400, "");
    let answer = server().0.get("/loki/api/v1/tail?query=%7Bapp=%22web%22%7D");
    assert_eq!(answer.status, 426, "{}", String::from_utf8_lossy(&answer.body));
}

#[test]
fn pages_of_other_sites_may_not_tail() {
    check_refused("tail?query={app=\"web\"}", &[("Origin", "https://evil.example")], 403, "https://evil.example");
    check_refused("tail?query={app=\"web\"}", &[("Origin", "http://localhost:3000")], 403, "--allowed-hosts");
    check_refused("tail?query={app=\"web\"}", &[("Origin", "null")], 403, "null");
    let settings = Settings { allowed_hosts: vec!["logs.example.com".to_owned()], ..Settings::default() };
    let (server, _) = server_with(settings, QueryLimits::default());
    let own = format!("http://{}", server.address);
    for origin in [own.as_str(), "https://logs.example.com"] {
        assert!(try_follow(&server, "tail?query={app=\"web\"}", &[("Origin", origin)]).is_ok(), "{origin}");
    }
}

#[test]
fn one_tail_too_many_is_told_so_and_one_that_ends_makes_room() {
    let (server, _) = server_with(Settings::default(), QueryLimits { tails_max: 1, ..QueryLimits::default() });
    let query = "tail?query={app=\"web\"}";
    let mut first = follow(&server, query);
    assert_eq!(first.next_texts(3), ["one", "two", "three"]);
    let Message::Close(Some(close)) = follow(&server, query).next_message() else { panic!("it is closed") };
    let message = "max concurrent tail requests limit exceeded, count > limit (2 > 1)";
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Error, message));

    first.0.close(None).expect("the tail takes a close");
    let patience = Instant::now();
    while let Message::Close(_) = { follow(&server, query).next_message() } {
        assert!(patience.elapsed() < PATIENCE, "the first one's end makes room");
    }
}

#[test]
fn a_silent_server_asks_whether_the_client_is_still_there() {
    let (server, _) = server();
    let mut tail = follow(&server, "tail?query={app=\"none\"}");
    assert!(matches!(tail.0.read(), Ok(Message::Ping(_))));
    assert!(matches!(tail.0.read(), Ok(Message::Ping(_))));
}

#[test]
fn a_slow_client_is_told_what_it_missed_and_holds_up_nobody() {
    let (server, database) = server();
    let mut slow = follow(&server, "tail?query={app=\"web\"}");
    let mut fast = follow(&server, "tail?query={app=\"web\"} |= \"needle\"");
    let line = "x".repeat(100 << 10);
    for number in 0..400 {
        append(&database, "web", &[(number, &line), (number, &format!("needle {number}"))]);
        database.commit().expect("memory takes a commit");
        assert_eq!(fast.next_texts(1), [format!("needle {number}")]);
    }
    let (mut line_count, mut dropped) = (0, Vec::new());
    loop {
        let frame = slow.next_frame();
        dropped.extend(frame.get("dropped_entries").and_then(Value::as_array).cloned().unwrap_or_default());
        let lines = lines_of(&frame);
        line_count += lines.len();
        if lines.iter().any(|(_, line)| line == "needle 399") {
            break;
        }
    }
    assert!(line_count < 800, "{line_count} lines were read, although nobody read for so long");
    let labels = json!({"app": "web", "service_name": "web"});
    assert!(!dropped.is_empty() && dropped.iter().all(|entry| entry["labels"] == labels), "{dropped:?}");
}
