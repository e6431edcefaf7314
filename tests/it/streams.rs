//! `/api/v1/streams`: what there is of each stream, and that who knows it is not sent it again.

use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::log_database::{Database, metadata};
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Server, encoded};

const SECOND: i64 = 1_000_000_000;

fn append(database: &Database, path: &str, has_metadata: bool, lines: &[(i64, &str)]) {
    let labels = Labels::new([("path", path)]).expect("it is a label");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (seconds, line) in lines {
        let mut line = line.as_bytes().to_vec();
        if has_metadata {
            metadata::append(&mut line, [("trace_id", "9ac1")]).expect("they are few");
        }
        stream.lines.push(Timestamp::from_ns(seconds * SECOND), &line);
    }
    if has_metadata {
        stream.labels = metadata::mark(&stream.labels).expect("there is room for a mark");
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
}

fn get(server: &Server, query: &str, headers: &str) -> Answer {
    let mut client = server.connect();
    let target = encoded(&format!("/api/v1/streams?{query}"));
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    client.read_answer().expect("a good request is answered")
}

/// A server with two streams, one of which has metadata in its newest line.
fn server() -> (Server, Database) {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    append(&database, "/var/log/a.log", false, &[(100, "level=info one"), (160, "level=warn two")]);
    append(&database, "/var/log/a.log", true, &[(170, "level=error three")]);
    database.commit().expect("memory takes a commit");
    append(&database, "/var/log/b.log", false, &[(40, &"x".repeat(1000))]);
    (Server::start(database.clone(), Settings::default()), database)
}

#[test]
fn each_stream_says_how_much_it_has_and_what_it_said_last() {
    let (server, _) = server();
    let body = get(&server, "start=60&end=180&steps=2", "").json();
    let streams = body["streams"].as_array().expect("there are streams");
    let [a, b] = streams.as_slice() else { panic!("{body}") };
    assert_eq!((&a["labels"], &a["service"]), (&json!({"path": "/var/log/a.log"}), &json!("a")));
    assert_eq!((&a["lines"], &a["first"], &a["last"]), (&json!(3), &json!("100000000000"), &json!("170000000000")));
    assert_eq!((&a["last_line"], &a["last_level"]), (&json!("level=error three"), &json!("error")));
    assert_eq!((&a["state"], &a["lag_bytes"], &a["gaps"]), (&json!("gone"), &json!(0), &json!(0)));
    assert_eq!(a["volume"].as_array().map(Vec::len), Some(2));
    assert_eq!(b["last_line"].as_str().map(str::len), Some(300));
    assert_eq!(b["volume"], json!([0, 0]), "it is from before the first step");
    assert_eq!((&body["start"], &body["step_seconds"]), (&json!("60000000000"), &json!(60)));
    assert_eq!((&body["oldest"], &body["more"]), (&json!("40000000000"), &json!(false)));
    let volume: u64 = a["volume"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum();
    assert!(20 < volume && volume <= a["bytes"].as_u64().expect("a number"), "{a}");
}

#[test]
fn streams_are_chosen_by_a_selector_and_by_what_is_newest() {
    let (server, _) = server();
    let paths = |query: &str| -> Vec<String> {
        let body = get(&server, query, "").json();
        let streams = body["streams"].as_array().expect("there are streams").iter();
        streams.map(|stream| stream["labels"]["path"].as_str().expect("a path").to_owned()).collect()
    };
    assert_eq!(paths("query={path=~\".*b.log\"}"), ["/var/log/b.log"]);
    assert_eq!(paths("query={service_name=\"a\"}"), ["/var/log/a.log"]);
    assert_eq!(paths("limit=1"), ["/var/log/a.log"]);
    assert_eq!(get(&server, "limit=1", "").json()["more"], true);
    for (query, message) in [
        ("query={path=", "parse error"),
        ("query={path=\"a\"} |= \"x\"", ""),
        ("steps=121", "from 1 to 120"),
        ("limit=5001", "from 1 to 5000"),
        ("start=2&end=1", "end does not lie after start"),
    ] {
        let answer = get(&server, query, "");
        let error = answer.json()["error"].as_str().expect("it is said").to_owned();
        assert!(answer.status == 400 && error.contains(message), "{query}: {} {error}", answer.status);
    }
}

#[test]
fn who_has_the_answer_is_sent_it_again_only_when_something_has_come() {
    let (server, database) = server();
    let etag = |answer: &Answer| {
        let line = answer.head.lines().find_map(|line| line.strip_prefix("etag: "));
        line.expect("there is a tag").replace("w/", "W/")
    };
    let query = "start=60&end=180&steps=2";
    let first = get(&server, query, "");
    assert!(first.head.contains("cache-control: no-cache"), "{}", first.head);
    let known = format!("If-None-Match: {}\r\n", etag(&first));
    let again = get(&server, query, &known);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(get(&server, "start=60&end=240&steps=2", &known).status, 200, "other steps");
    append(&database, "/var/log/b.log", false, &[(175, "new")]);
    let new = get(&server, query, &known);
    assert_eq!((new.status, &new.json()["streams"][1]["last_line"]), (200, &json!("new")));
    assert_eq!(get(&server, query, &format!("If-None-Match: {}\r\n", etag(&new))).status, 304);
}
