//! Loki's API as Grafana, Logs Drilldown and logcli ask for it: their requests, and what they read of the answers.

use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Server};

/// The time of the first line, in seconds since the epoch.
const START: i64 = 1_700_000_000;
/// A range around all lines, as Grafana sends it.
const RANGE: &str = "start=1699999990000000000&end=1700000300000000000";

/// A file of four lines, ten seconds apart, and a pod's two lines between the first of them.
fn server() -> Server {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let file = [
        (0, "level=info msg=\"request done\" status=200 took=12ms"),
        (10, "level=error msg=\"request failed\" status=500 took=1.5s"),
        (20, "level=info msg=\"request done\" status=200 took=8ms"),
        (30, "plain text, warn: no fields"),
    ];
    let pod = [(5, r#"{"level":"warn","user":{"id":7},"msg":"slow"}"#), (15, "not json")];
    let streams = [
        stream(&[("path", "/var/log/web.log")], &file),
        stream(&[("app", "api"), ("namespace", "shop"), ("pod", "api-1")], &pod),
    ];
    database.append(Batch { checkpoint: None, streams: streams.into() }).expect("the lines fit");
    database.commit().expect("memory takes a commit");
    Server::start(database, Settings::default())
}

fn stream(labels: &[(&str, &str)], entries: &[(i64, &str)]) -> StreamLines {
    let mut lines = Lines::default();
    for (seconds, line) in entries {
        lines.push(Timestamp::from_ns((START + seconds) * 1_000_000_000), line.as_bytes());
    }
    StreamLines { labels: Labels::new(labels.iter().copied()).expect("they are labels"), lines }
}

/// The answer to a GET below `/loki/api/v1/`; blanks, quotes and the like may stand in the target as they are.
fn ask(target: &str) -> Answer {
    server().get(&format!("/loki/api/v1/{}", encoded(target)))
}

fn encoded(target: &str) -> String {
    let escape = |c: char| match c {
        ' ' => "%20".to_owned(),
        '"' | '{' | '}' | '|' | '+' | '[' | ']' | '<' | '>' | '`' => format!("%{:02X}", u32::from(c)),
        _ => c.to_string(),
    };
    target.chars().map(escape).collect()
}

#[track_caller]
fn check(target: &str, expected: &Value) {
    let answer = ask(target);
    assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    assert!(answer.head.contains("content-type: application/json; charset=utf-8\r\n"), "{}", answer.head);
    assert_eq!(&answer.json(), expected, "target: {target}");
}

#[track_caller]
fn check_data(target: &str, data: &Value) {
    check(target, &json!({"status": "success", "data": data}));
}

#[track_caller]
fn check_refused(target: &str, message: &str) {
    let answer = ask(target);
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body)), (400, message.into()), "target: {target}");
    assert!(answer.head.contains("content-type: text/plain; charset=utf-8\r\n"), "{}", answer.head);
    assert!(answer.head.contains("x-content-type-options: nosniff\r\n"), "{}", answer.head);
}

#[test]
fn the_label_browser_lists_names_and_values() {
    check_data(&format!("labels?{RANGE}"), &json!(["app", "namespace", "path", "pod", "service_name"]));
    check_data(&format!("label?{RANGE}"), &json!(["app", "namespace", "path", "pod", "service_name"]));
    check_data(&format!("label/service_name/values?{RANGE}"), &json!(["api", "web"]));
    let query = r#"query={service_name="web"}"#;
    check_data(&format!("labels?{RANGE}&{query}"), &json!(["path", "service_name"]));
    check_data(&format!("label/path/values?{RANGE}&{query}"), &json!(["/var/log/web.log"]));
    check_data(&format!("label/%70ath/values?{RANGE}&query={{app=~\".+\"}}"), &json!([]));
    check_data(&format!("label/__stream_shard__/values?{RANGE}"), &json!([]));
    check_data("labels?start=2023-11-14T23:00:00Z&end=2023-11-15T00:00:00Z&query=", &json!([]));
    check_refused(&format!("labels?{RANGE}&query={{app=\"x\"}}|=\"y\""), "only label matchers are supported");
}

#[test]
fn series_takes_matchers_by_both_names() {
    let pod = json!({"app": "api", "namespace": "shop", "pod": "api-1", "service_name": "api"});
    let file = json!({"path": "/var/log/web.log", "service_name": "web"});
    check_data(&format!("series?{RANGE}&match={{app=\"api\"}}"), &json!([pod]));
    check_data(
        &format!("series?{RANGE}&match[]={{app=\"api\"}}&match={{service_name=~\"w.*|api\"}}"),
        &json!([pod, file]),
    );
    check_data(&format!("series?{RANGE}&match[]={{}}"), &json!([pod, file]));
    check_data(&format!("series?{RANGE}"), &json!([pod, file]));
    check_data(&format!("series?{RANGE}&match[]={{app=\"none\"}}"), &json!([]));
}

#[test]
fn a_form_is_as_good_as_a_url() {
    let server = server();
    let mut client = server.connect();
    let form = "match%5B%5D=%7Bpath%3D~+%22.%2B%22%7D&start=1699999990&end=";
    let head = "POST /loki/api/v1/series?end=1700000300&start=1 HTTP/1.1\r\nHost: a\r\n";
    client.send(format!(
        "{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    let answer = client.read_answer().expect("an answer");
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.json()["data"], json!([{"path": "/var/log/web.log", "service_name": "web"}]));
}

#[test]
fn what_is_wrong_is_said_in_plain_text() {
    check_refused("labels?start=2&end=1", "end timestamp must not be before or equal to start time");
    check_refused("labels?start=yesterday", "start: \"yesterday\" is no timestamp");
    check_refused("labels?start=%zz", "start has a % without two hexadecimal digits; write %25 for the sign itself");
    let answer = ask("series?match={a=");
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 400 && text.starts_with("parse error at line 1, col 4: "), "{text}");
}

#[test]
fn clients_learn_what_this_server_can() {
    assert_eq!(ask("status/buildinfo").json()["version"], "3.7.0");
    assert_eq!(ask("drilldown-limits").json()["limits"]["volume_enabled"], true);
    check_data("rules", &json!({"groups": []}));
    let answer = server().get("/prometheus/api/v1/rules");
    assert_eq!(answer.json(), json!({"status": "success", "data": {"groups": []}}));
    check_data("format_query?query={app = \"web\"}|=\"x\"", &json!("{app=\"web\"} |= \"x\""));
    let answer = ask("format_query?query={");
    assert_eq!((answer.status, &answer.json()["status"]), (400, &json!("invalid-query")));
}

#[test]
fn drilldown_starts_with_volumes_by_service() {
    let volume =
        |service: &str, bytes: &str| json!({"metric": {"service_name": service}, "value": [1_700_000_300, bytes]});
    let vector = |result: Value| json!({"resultType": "vector", "result": result});
    let (web, api) = (volume("web", "179"), volume("api", "53"));
    let target = format!("index/volume?query={{service_name=~\".+\"}}&targetLabels=service_name&{RANGE}");
    check_data(&format!("{target}&limit=5000"), &vector(json!([web, api])));
    check_data(&format!("{target}&limit=1"), &vector(json!([web])));
    check_data(&format!("index/volume?query={{app=\"none\"}}&{RANGE}"), &vector(json!([])));
    let by_name = json!([{"metric": {"pod": ""}, "value": [1_700_000_300, "53"]}]);
    check_data(&format!("index/volume?query={{}}&aggregateBy=labels&targetLabels=pod&{RANGE}"), &vector(by_name));
    check_refused(&format!("index/volume?query={{}}&aggregateBy=x&{RANGE}"), "invalid aggregation option");
}

#[test]
fn volumes_have_steps() {
    let series = json!([{"metric": {"app": "api"}, "values": [[1_700_000_000, "53"]]}]);
    let range = "start=1700000000&end=1700000060&step=30";
    check_data(
        &format!("index/volume_range?query={{app=\"api\"}}&{range}"),
        &json!({"resultType": "matrix", "result": series}),
    );
}

#[test]
fn the_size_hint_counts_what_a_selector_selects() {
    let counts =
        |streams, bytes, entries| json!({"streams": streams, "chunks": streams, "bytes": bytes, "entries": entries});
    check(&format!("index/stats?{RANGE}&query={{service_name=\"api\"}}"), &counts(1, 53, 2));
    check(&format!("index/stats?{RANGE}&query={{app=\"none\"}}"), &counts(0, 0, 0));
}

#[test]
fn drilldown_sees_which_labels_there_are() {
    let label = |name: &str| json!({"label": name, "cardinality": 1});
    let labels = ["app", "namespace", "pod", "service_name"].map(label);
    check(&format!("detected_labels?{RANGE}&query={{app=\"api\"}}"), &json!({"detectedLabels": labels}));
    check(&format!("detected_labels?{RANGE}&query={{app=\"none\"}}"), &json!({"detectedLabels": []}));
    check_data(&format!("patterns?{RANGE}&query={{app=\"api\"}}"), &json!([]));
}
