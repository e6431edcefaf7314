//! Entries that are pushed: what the answer promises, and how they come back.

use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::{CrashMode, SimulatedStorage};
use serde_json::{Value, json};

use crate::support::{Answer, Server};

const JSON: &str = "Content-Type: application/json\r\n";
const RANGE: &str = "start=1&end=1000";

fn server(storage: &SimulatedStorage) -> Server {
    Server::start(Database::open(Arc::new(storage.clone())).expect("memory takes a database"), Settings::default())
}

fn push(server: &Server, headers: &str, body: &[u8]) -> Answer {
    let mut client = server.connect();
    let head = format!(
        "POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.send([head.as_bytes(), body].concat());
    client.read_answer().expect("a push is answered")
}

#[track_caller]
fn check_pushed(server: &Server, headers: &str, body: &[u8]) {
    let answer = push(server, headers, body);
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (204, ""));
}

#[track_caller]
fn check_refused(server: &Server, headers: &str, body: &[u8], status: u16, message: &str) {
    let answer = push(server, headers, body);
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (status, message));
}

/// What the query answers, with labels by category.
fn query(server: &Server, query: &str) -> Value {
    let mut client = server.connect();
    let query = query.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    client.send(format!(
        "GET /loki/api/v1/query_range?{RANGE}&direction=forward&step=500&query={query} HTTP/1.1\r\nHost: localhost\r\n\
         X-Loki-Response-Encoding-Flags: categorize-labels\r\n\r\n"
    ));
    let answer = client.read_answer().expect("a query is answered");
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["data"]["result"].take()
}

/// Entries in no order, two of them at one time, and two with metadata.
fn body() -> Vec<u8> {
    let values = json!([
        ["30000000000", "third"],
        ["10000000000", "first level=warn", {"trace.id": "7f3a", "user": "ann=1"}],
        ["20000000000", "second b"],
        ["20000000000", "second a"],
        ["40000000000", "fourth", {"trace.id": "8\u{1f}\\"}],
        ["-9223372036854775808", "the earliest"],
        ["9223372036854775806", "the latest"],
    ]);
    json!({"streams": [{"stream": {"app": "shop", "env": "test"}, "values": values}]}).to_string().into_bytes()
}

fn check_content(server: &Server) {
    let stream = json!({"app": "shop", "env": "test", "service_name": "shop"});
    let unknown = json!({"structuredMetadata": {"detected_level": "unknown"}});
    let values = json!([
        [
            "10000000000",
            "first level=warn",
            {"structuredMetadata": {"detected_level": "warn", "trace_id": "7f3a", "user": "ann=1"}}
        ],
        ["20000000000", "second b", unknown],
        ["20000000000", "second a", unknown],
        ["30000000000", "third", unknown],
        ["40000000000", "fourth", {"structuredMetadata": {"detected_level": "unknown", "trace_id": "8\u{1f}\\"}}],
    ]);
    assert_eq!(query(server, r#"{app="shop"}"#), json!([{"stream": stream, "values": values}]));
    // What is in the metadata is no text, and the other way round.
    for (text, count) in [
        (r#"|= "7f3a""#, 0),
        (r#"!= "7f3a""#, 5),
        (r#"|~ "h$""#, 1),
        (r#"| trace_id="7f3a""#, 1),
        (r#"| logfmt | trace_id="7f3a""#, 1),
    ] {
        let lines = query(server, &format!(r#"{{app="shop"}} {text}"#));
        let found: usize =
            lines.as_array().unwrap().iter().map(|stream| stream["values"].as_array().unwrap().len()).sum();
        assert_eq!(found, count, "{text}");
    }
    let counts = |by: &str| query(server, &format!(r#"sum by ({by}) (count_over_time({{app="shop"}}[500s]))"#));
    assert_eq!(counts("app"), json!([{"metric": {"app": "shop"}, "values": [[501, "5"]]}]));
    assert_eq!(counts("trace_id").as_array().unwrap().len(), 3);
    let bytes = query(server, r#"sum(bytes_over_time({app="shop"}[500s]))"#);
    assert_eq!(bytes[0]["values"], json!([[501, "43"]]));

    let series = server.get(&format!("/loki/api/v1/series?{RANGE}")).json();
    assert_eq!(series["data"], json!([stream]));
    let labels = server.get(&format!("/loki/api/v1/labels?{RANGE}")).json();
    assert_eq!(labels["data"], json!(["app", "env", "service_name"]));
    let lines = server.get("/logs/app/shop").json();
    assert_eq!(lines.as_array().unwrap().len(), 7);
    assert_eq!(
        (&lines[0], &lines[1], &lines[6]),
        (&json!("the earliest"), &json!("first level=warn"), &json!("the latest"))
    );
}

#[test]
fn what_is_acknowledged_outlives_a_power_cut() {
    let storage = SimulatedStorage::default();
    let server = self::server(&storage);
    check_pushed(&server, JSON, &body());
    check_content(&server);
    let after_power_cut = storage.crash(CrashMode::AllLost, 0);
    check_content(&self::server(&after_power_cut));
}

#[test]
fn a_body_that_is_sent_again_is_stored_once_and_counted() {
    let storage = SimulatedStorage::default();
    let server = self::server(&storage);
    check_pushed(&server, JSON, &body());
    check_pushed(&server, JSON, &body());
    check_content(&server);
    let unlabelled = br#"{"streams":[{"stream":{},"values":[["1","a"],["2","b"]]}]}"#;
    assert_eq!(push(&server, JSON, unlabelled).status, 400);
    assert_eq!(push(&server, JSON, b"x").status, 400);
    let metrics = String::from_utf8(server.get("/metrics").body).unwrap();
    for line in [
        "monitoring_push_entries_total 7",
        "monitoring_push_repeated_entries_total 7",
        "monitoring_push_refused_entries_total{reason=\"labels\"} 2",
        "monitoring_push_refused_entries_total{reason=\"metadata\"} 0",
        "monitoring_push_failures_total 1",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is missing:\n{metrics}");
    }
    check_content(&self::server(&storage.crash(CrashMode::AllLost, 0)));
}

#[test]
fn pushes_at_one_time_are_all_stored() {
    let storage = SimulatedStorage::default();
    let server = self::server(&storage);
    std::thread::scope(|scope| {
        for pusher in 0..8 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..20 {
                    let time = 10_000_000_000_u64 + number;
                    let body = format!(
                        r#"{{"streams":[{{"stream":{{"pusher":"{pusher}"}},"values":[["{time}","line {number}"]]}}]}}"#
                    );
                    check_pushed(server, JSON, body.as_bytes());
                }
            });
        }
    });
    let after_power_cut = self::server(&storage.crash(CrashMode::AllLost, 0));
    let streams = query(&after_power_cut, r#"{pusher=~".+"}"#);
    assert_eq!(streams.as_array().unwrap().len(), 8);
    let counts = query(&after_power_cut, r#"sum(count_over_time({pusher=~".+"}[500s]))"#);
    assert_eq!(counts[0]["values"], json!([[501, "160"]]));
}

#[test]
fn what_cannot_be_taken_is_refused() {
    let server = self::server(&SimulatedStorage::default());
    let malformed = "couldn't parse push request: expected value at line 1 column 1";
    check_refused(&server, JSON, b"x", 400, malformed);
    check_refused(&server, "Content-Type: application/json; charset=utf-8\r\n", b"x", 400, malformed);
    let encoding = format!("{JSON}Content-Encoding: br\r\n");
    check_refused(&server, &encoding, b"{}", 415, "Content-Encoding \"br\" not supported");
    let message = "Content-Type \"text/plain\" not supported; send application/json, or application/x-protobuf compressed \
                   with snappy";
    check_refused(&server, "Content-Type: text/plain\r\n", b"{}", 415, message);
    let mixed = br#"{"streams":[{"stream":{},"values":[["2000000000","x"]]},{"stream":{"a":"b"},"values":[["2000000000","y"]]}]}"#;
    check_refused(&server, JSON, mixed, 400, "error at least one label pair is required per stream");
    assert_eq!(query(&server, r#"{a="b"}"#)[0]["values"][0][1], json!("y"));
}

#[test]
fn streams_and_labels_of_a_push_are_limited() {
    let server = server(&SimulatedStorage::default());
    let json = "Content-Type: application/json\r\n";
    let body = |count: usize, value: &str| {
        let stream = |number| format!(r#"{{"stream":{{"app":"{value}{number}"}},"values":[["1","a"]]}}"#);
        format!(r#"{{"streams":[{}]}}"#, (0..count).map(stream).collect::<Vec<_>>().join(",")).into_bytes()
    };
    check_pushed(&server, json, &body(10_000, ""));
    let message = "the streams are over 10000 or 4194304 bytes of labels; send less at once";
    check_refused(&server, json, &body(10_001, ""), 413, message);
    check_refused(&server, json, &body(1100, &"x".repeat(4000)), 413, message);
    for number in 1..5 {
        check_pushed(&server, json, &body(10_000, &format!("{number}-")));
    }
    let refused = push(&server, json, &body(2, "5-"));
    let message = String::from_utf8_lossy(&refused.body).into_owned();
    assert_eq!(refused.status, 429, "{message}");
    let loki =
        "Maximum active stream limit exceeded when trying to create stream {app=\"5-0\"}, reduce the number of active";
    assert!(message.contains(loki), "{message}");
    // Those that are there take more.
    check_pushed(&server, json, &body(10_000, ""));
}

#[test]
fn a_push_may_be_larger_than_other_requests() {
    let server = self::server(&SimulatedStorage::default());
    let line = "x".repeat(1000);
    let values: Vec<Value> = (0..1000).map(|number| json!([format!("{}", 2_000_000_000_u64 + number), line])).collect();
    let body = json!({"streams": [{"stream": {"a": "b"}, "values": values}]}).to_string();
    check_pushed(&server, JSON, body.as_bytes());
    let counts = query(&server, r#"sum(bytes_over_time({a="b"}[500s]))"#);
    assert_eq!(counts[0]["values"], json!([[501, "1000000"]]));

    let mut client = server.connect();
    client
        .send(format!("POST /loki/api/v1/push HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: {}\r\n\r\n", (8 << 20) + 1));
    let answer = client.read_answer().expect("the answer comes before the body");
    assert_eq!((answer.status, answer.head.contains("connection: close")), (413, true));
    let mut client = server.connect();
    client.send(format!(
        "POST /loki/api/v1/query HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: {}\r\n\r\n",
        (64 << 10) + 1
    ));
    assert_eq!(client.read_answer().expect("the answer comes before the body").status, 413);
}

#[test]
fn compressed_pushes_are_taken() {
    let server = self::server(&SimulatedStorage::default());
    // What protobuf and snappy make of an entry at 2 s of the stream {a="b"}.
    let snappy = |text: &[u8; 2]| {
        let message = [&b"\x0a\x13\x0a\x07{a=\"b\"}\x12\x08\x0a\x02\x08\x02\x12\x02"[..], text].concat();
        let length = u8::try_from(message.len()).unwrap();
        [&[length, (length - 1) << 2], &message[..]].concat()
    };
    let headers = "Content-Type: application/x-protobuf\r\n";
    check_pushed(&server, headers, &snappy(b"hi"));
    check_pushed(&server, &format!("{headers}Content-Encoding: snappy\r\n"), &snappy(b"ho"));
    assert_eq!(query(&server, r#"{a="b"}"#)[0]["values"].as_array().unwrap().len(), 2);
}
