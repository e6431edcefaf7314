//! Tests of the routes without a socket, and of what only routes made for the test can show: a handler that panics, an
//! answer that breaks off. What a client sees on the wire is tested in `tests/it/http.rs`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_std::channel;
use async_std::io::{BufReader, Read as AsyncRead};
use async_std::task::{block_on, spawn};
use futures_lite::AsyncReadExt;
use proptest::prelude::*;
use tide::http::{self, Method};
use tide::{Body, Response};

use super::*;
use crate::log_database::storage::SimulatedStorage;
use crate::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use crate::status::{SkipReason, SourceState, SourceStatus};

const SECOND: i64 = crate::logql::units::NS_PER_SECOND;

/// An entry to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnedEntry {
    timestamp: Timestamp,
    labels: Labels,
    line: Vec<u8>,
}

fn entry(seconds: i64, labels: &[(&str, &str)], line: &[u8]) -> OwnedEntry {
    let labels = Labels::new(labels.iter().copied()).unwrap();
    OwnedEntry { timestamp: Timestamp::from_ns(seconds * SECOND), labels, line: line.to_vec() }
}

/// Two files and one line that is no text.
fn entries() -> Vec<OwnedEntry> {
    let (a, b) = ([("path", "/var/log/a.log"), ("app", "x")], [("path", "/var/log/b \\c.log"), ("app", "x")]);
    vec![
        entry(10, &a, b"a: one"),
        entry(20, &b, b"b: one"),
        entry(30, &a, b"a: two"),
        entry(40, &b, b"b: \xff \"\x1b\0"),
        entry(50, &a, b"a: three"),
    ]
}

fn state(entries: Vec<OwnedEntry>) -> State {
    let about = About {
        version: "1.2.3".to_owned(),
        commit: "abc\"def".to_owned(),
        collector: "Directory".to_owned(),
        root_path: "/var/log".to_owned(),
        data_directory: ".data".to_owned(),
        instance: "0123456789abcdef".to_owned(),
        zone: "Etc/UTC".to_owned(),
        started: Instant::now(),
    };
    let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
    for OwnedEntry { timestamp, labels, line } in entries {
        let mut lines = Lines::default();
        lines.push(timestamp, &line);
        database.append(Batch { checkpoint: None, streams: vec![StreamLines { labels, lines }] }).unwrap();
    }
    State::new(database, Arc::default(), Arc::default(), about)
}

/// The status and the body that the routes answer to a GET of `target`, which begins without a slash.
fn get(state: &State, target: &str) -> (u16, String) {
    let request = http::Request::new(Method::Get, http::Url::parse(&format!("request:{target}")).unwrap());
    let mut response: http::Response = block_on(routes(state.clone()).respond(request)).unwrap();
    let body = block_on(response.body_string()).unwrap();
    (response.status().into(), body)
}

#[track_caller]
fn check(target: &str, status: u16, body: &str) {
    let actual = get(&state(entries()), target);
    assert_eq!(actual, (status, format!("{body}\n")), "target: {target}");
}

#[test]
fn all_lines_of_all_streams_with_the_label_come_in_time_order() {
    check("logs/path//var/log/a.log", 200, "[\"a: one\",\n\"a: two\",\n\"a: three\"]");
    check(
        "logs/app/x",
        200,
        "[\"a: one\",\n\"b: one\",\n\"a: two\",\n\"b: \u{fffd} \\\"\\u001b\\u0000\",\n\"a: three\"]",
    );
}

#[test]
fn the_value_is_the_rest_of_the_path_decoded() {
    let lines = "[\"b: one\",\n\"b: \u{fffd} \\\"\\u001b\\u0000\"]";
    check(r"logs/path/%2fvar%2Flog/b%20\c.log", 200, lines);
    check("logs/%70ath//var/log/b%20%5cc.log", 200, lines);
}

#[test]
fn a_label_that_no_stream_has_is_not_found() {
    check("logs/path//var/log/none", 404, r#"{"error":"no stream has the label path=\"/var/log/none\""}"#);
    check("logs/none/x", 404, r#"{"error":"no stream has the label none=\"x\""}"#);
    check(
        "logs/path//var/log/../log/a.log",
        404,
        r#"{"error":"no stream has the label path=\"/var/log/../log/a.log\""}"#,
    );
    for target in ["logs", "logs/", "logs/none", "logs/none/", "logs//x", "nothing", "favicon.ico"] {
        check(target, 404, r#"{"error":"there is nothing here; GET / lists what is"}"#);
    }
}

#[test]
fn the_limit_keeps_the_newest_lines_in_time_order() {
    check("logs/path//var/log/a.log?limit=2", 200, "[\"a: two\",\n\"a: three\"]");
    check("logs/path//var/log/a.log?limit=10000", 200, "[\"a: one\",\n\"a: two\",\n\"a: three\"]");
}

#[test]
fn times_bound_the_lines() {
    check("logs/path//var/log/a.log?since=30", 200, "[\"a: two\",\n\"a: three\"]");
    check("logs/path//var/log/a.log?since=10&until=1970-01-01T00:00:30Z", 200, "[\"a: one\"]");
    check("logs/path//var/log/a.log?since=15m", 200, "[]");
    check("logs/path//var/log/a.log?until=1h", 200, "[\"a: one\",\n\"a: two\",\n\"a: three\"]");
}

#[test]
fn text_selects_lines() {
    check("logs/app/x?contains=one&contains=b%3A", 200, "[\"b: one\"]");
    check("logs/app/x?contains=%ff+%22", 200, "[\"b: \u{fffd} \\\"\\u001b\\u0000\"]");
    check("logs/app/x?contains=none", 200, "[]");
}

#[test]
fn unknown_and_empty_parameters_are_ignored() {
    check("logs/path//var/log/a.log?limit=&color=red&since=30&%20", 200, "[\"a: two\",\n\"a: three\"]");
}

#[test]
fn a_bad_value_is_refused_with_what_is_accepted() {
    let limit = "it takes a whole number from 1 to 10000; without it all lines are sent";
    for value in ["0", "-1", "10001", "1e3", "99999999999999999999999"] {
        check(&format!("logs/app/x?limit={value}"), 400, &format!(r#"{{"error":"limit is \"{value}\"; {limit}"}}"#));
    }
    for name in ["since", "until"] {
        let accepted = time::ACCEPTED;
        let error = format!(r#"{{"error":"{name} is \"tomorrow\"; it takes {accepted}"}}"#);
        check(&format!("logs/app/x?{name}=tomorrow"), 400, &error);
    }
    check("logs/app/x?since=20&until=10", 400, r#"{"error":"until lies before since"}"#);
}

#[test]
fn bad_encoding_is_refused() {
    check("logs/app/%00", 400, r#"{"error":"the label's value holds a NUL byte"}"#);
    check("logs/app/%ff", 400, r#"{"error":"the label's value is not valid UTF-8"}"#);
    let message = "has a % without two hexadecimal digits; write %25 for the sign itself";
    check("logs/%/x", 400, &format!(r#"{{"error":"the label's name {message}"}}"#));
    check("logs/app/x?contains=%zz", 400, &format!(r#"{{"error":"contains {message}"}}"#));
}

#[test]
fn lines_that_are_too_much_to_hold_are_refused_with_how_many_are_not() {
    let line = vec![b'x'; 3 << 20];
    let state = state((0..4).map(|time| entry(time, &[("app", "x")], &line)).collect());
    let (status, body) = get(&state, "logs/app/x?limit=3");
    assert_eq!(status, 413);
    assert!(body.contains("the newest 3 lines hold more than 8388608 bytes, the newest 2 do not"), "{body}");
    assert_eq!(get(&state, "logs/app/x?limit=2").0, 200);
}

#[test]
fn the_status_tells_of_sources_and_database() {
    let state = state(entries());
    let source = Arc::new(SourceStatus::new("/var/log/a.log".to_owned()));
    source.size_bytes.set(10);
    source.read_bytes.set(7);
    source.last_read_ns.set(5_000_000_000);
    source.set_state(SourceState::Unreadable, Some("permission denied".to_owned()));
    state.status.add_source(source);
    state.status.add_skipped(SkipReason::LineTooLong, 3);

    let (_, body) = get(&state, "status");
    let mut status: serde_json::Value = serde_json::from_str(&body).unwrap();
    let source = serde_json::json!({
        "path": "/var/log/a.log", "state": "unreadable", "read_bytes": 7, "size_bytes": 10, "lag_bytes": 3,
        "last_read": "1970-01-01T00:00:05Z", "polled": false, "problem": "permission denied",
    });
    assert_eq!(status["sources"].take(), serde_json::json!([source]));
    assert_eq!(status["skipped_bytes"]["line_too_long"], 3);
    assert_eq!(status["oldest"], "1970-01-01T00:00:10Z");
    let texts = ["version", "collector", "root", "data_directory"].map(|name| status[name].as_str().unwrap());
    assert_eq!(texts, ["1.2.3", "Directory", "/var/log", ".data"]);
    let numbers = ["streams", "lines"].map(|name| status[name].as_u64().unwrap());
    assert_eq!(numbers, [2, 5]);
    assert!(status["uptime_seconds"].is_u64() && status.get("problem").is_none());
}

#[test]
fn the_probes_tell_whether_lines_are_stored() {
    let state = state(entries());
    for target in ["livez", "-/healthy"] {
        assert_eq!(get(&state, target), (200, "ok\n".to_owned()), "target: {target}");
    }
    for target in ["readyz", "ready", "health", "-/ready"] {
        assert_eq!(get(&state, target), (200, "ready\n".to_owned()), "target: {target}");
    }
    state.status.set_problem(Some("no space left on device".to_owned()));
    let (status, body) = get(&state, "readyz?verbose");
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: no space left on device\ncollector: Directory of"), "{body}");
    assert_eq!(get(&state, "livez").0, 200);
}

#[test]
fn a_root_that_is_missing_and_what_is_unreadable_are_told() {
    let state = state(entries());
    let source = Arc::new(SourceStatus::new("/var/log/a.log".to_owned()));
    source.set_state(SourceState::Unreadable, Some("permission denied".to_owned()));
    state.status.add_source(source);
    state.status.set_root_missing(Path::new("/var/log"), true);
    let (status, body) = get(&state, "readyz?verbose");
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: /var/log is no directory any more\n"), "{body}");
    assert!(body.contains("\nsources: 1, 1 unreadable, with 0 bytes"), "{body}");
    assert!(get(&state, "status").1.contains(r#""problem":"/var/log is no directory any more""#));
    state.status.set_root_missing(Path::new("/var/log"), false);
    assert_eq!(get(&state, "readyz").0, 200);
}

#[test]
fn every_metric_has_its_help_its_type_and_a_number() {
    let state = state(entries());
    let source = Arc::new(SourceStatus::new("/var/log/a.log".to_owned()));
    source.size_bytes.set(9);
    state.status.add_source(source);
    state.status.bytes_read.add(5);

    let (_, page) = get(&state, "metrics");
    for line in [
        r#"monitoring_build_info{version="1.2.3",commit="abc\"def"} 1"#,
        "monitoring_source_bytes_read_total 5",
        r#"monitoring_source_bytes_skipped_total{reason="line_too_long"} 0"#,
        r#"monitoring_source_files{state="active"} 1"#,
        r#"monitoring_source_files{state="polling"} 0"#,
        "monitoring_source_lag_bytes 9",
        "monitoring_store_lines 5",
        "monitoring_store_oldest_timestamp_seconds 10",
        "monitoring_store_read_only 0",
    ] {
        assert!(page.lines().any(|actual| actual == line), "no {line} in\n{page}");
    }
    let mut family = String::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let expected = if family.ends_with("_total") { "counter" } else { "gauge" };
            assert_eq!(kind, format!("{family} {expected}"));
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(name.split('{').next().unwrap(), family);
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[test]
fn the_limits_that_are_told_are_those_that_hold() {
    for (seconds, told) in [(30, "30s"), (90, "90s")] {
        let limits = QueryLimits { time_max: Duration::from_secs(seconds), ..QueryLimits::default() };
        let (_, body) = get(&state(entries()).with_limits(limits), "loki/api/v1/drilldown-limits");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let names = ["query_timeout", "max_query_series", "max_entries_limit_per_query"];
        assert_eq!(names.map(|name| body["limits"][name].to_string()), [&format!("\"{told}\""), "500", "5000"]);
    }
}

/// Every route of Loki's API whose work grows with what is asked or with what there is.
const QUERIES: [&str; 14] = [
    "query_range?query={app=~`x.*`}",
    "query?query=count_over_time({app=~`x.*`}[1m])",
    "labels?query={app=~`x.*`}",
    "label?query={app=~`x.*`}",
    "label/app/values?query={app=~`x.*`}",
    "series?match={app=~`x.*`}",
    "index/stats?query={app=~`x.*`}",
    "index/volume?query={app=~`x.*`}",
    "index/volume_range?query={app=~`x.*`}",
    "detected_labels?query={app=~`x.*`}",
    "detected_fields?query={app=~`x.*`}",
    "detected_field/x/values?query={app=~`x.*`}",
    "patterns?query={app=~`x.*`}",
    "format_query?query={app=~`x.*`}",
];

#[test]
fn every_query_waits_for_its_turn_before_it_compiles_anything() {
    let limits = QueryLimits { at_once_max: 0, queue_time_max: Duration::ZERO, ..QueryLimits::default() };
    let idle = state(entries());
    let busy = idle.clone().with_limits(limits);
    for query in QUERIES.into_iter().chain(["tail?query={app=~`x.*`}"]) {
        for query in [query.to_owned(), query.replace("x.*", "(")] {
            assert_eq!(get(&busy, &format!("loki/api/v1/{query}")).0, 429, "{query}");
        }
    }
    for query in QUERIES {
        assert_eq!(get(&idle, &format!("loki/api/v1/{query}&start=10&end=60")).0, 200, "{query}");
    }
}

#[test]
fn every_query_takes_its_memory_of_the_pool() {
    let poor = state(entries()).with_limits(QueryLimits { bytes_max: 10, ..QueryLimits::default() });
    for query in QUERIES.into_iter().filter(|query| !query.starts_with("format_query")) {
        let (status, body) = get(&poor, &format!("loki/api/v1/{query}&start=10&end=60&time=60"));
        assert_eq!((status, body.contains("more than 0 MiB of memory")), (400, true), "{query}: {body}");
    }
}

fn target() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "/logs/",
        "app/x",
        "path",
        "/",
        "//",
        "..",
        "\\",
        "%2f",
        "%",
        "%00",
        "%ff",
        "?",
        "limit=",
        "since=",
        "until=",
        "contains=",
        "&",
        "1",
        "15m",
        "-",
        "2026-01-31T12:00:00Z",
        "99999999999999999999",
        "/status",
        "/readyz",
        "/-",
    ]);
    let piece = prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever hyper takes for a target is answered, and never with a failure of the server's own.
    #[test]
    fn every_target_is_answered(target in target()) {
        let Ok(target) = target.parse::<hyper::Uri>() else { return Ok(()) };
        let Ok(url) = bridge::url(&target) else { return Ok(()) };
        let request = http::Request::new(Method::Get, url);
        let response: http::Response = block_on(routes(state(entries())).respond(request)).unwrap();
        prop_assert!(response.status().is_success() || response.status().is_client_error(), "{}", response.status());
    }
}

/// All bytes that come back for `request`, until the server closes, from a server with routes that fail.
fn exchange_with_failing_routes(request: &str) -> String {
    let mut app = routes(state(entries()));
    app.at("/panic").get(|_| async { if true { panic!("a handler's mistake") } else { Ok("") } });
    app.at("/break").get(|_| async {
        let lines = AsyncReadExt::chain(&b"[\"the first line\""[..], Broken::default());
        Ok(Response::builder(200).body(Body::from_reader(BufReader::new(lines), None)))
    });
    block_on(async {
        let listener = bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_address();
        let (stop, stopped) = channel::bounded::<()>(1);
        let server = spawn(async move {
            listener.serve_app(app, Settings::default(), async { stopped.recv().await.unwrap_or_default() }).await;
        });
        let request = request.to_owned();
        let answer = blocking::unblock(move || exchange(address, &request)).await;
        let after = blocking::unblock(move || exchange(address, "GET /livez HTTP/1.0\r\n\r\n")).await;
        assert!(after.ends_with("ok\n"), "another connection is answered: {after}");
        drop(stop);
        server.await;
        answer
    })
}

fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(answer).unwrap()
}

/// A reader that fails, but not before what came ahead of it was sent.
#[derive(Default)]
struct Broken {
    waited: bool,
}

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        if !std::mem::replace(&mut self.waited, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Err(io::ErrorKind::Other.into()))
    }
}

#[test]
fn a_handler_that_panics_costs_its_connection_only() {
    let answer = exchange_with_failing_routes("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer, "");
}

#[test]
fn an_answer_that_breaks_off_is_not_ended() {
    let answer = exchange_with_failing_routes("GET /break HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.contains("the first line") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}
