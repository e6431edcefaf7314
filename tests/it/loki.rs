//! Loki's API as Grafana, Logs Drilldown and logcli ask for it: their requests, and what they read of the answers.

use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Server, encoded};

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
fn selectors_are_counted_over_the_whole_request() {
    let message =
        "the selectors have more than 64 regular expressions or 1000 matchers in all; ask for fewer at a time";
    let series = |count, selector: &str| format!("series?{RANGE}{}", format!("&match={selector}").repeat(count));
    assert_eq!(ask(&series(64, "{a=~`x+`}")).status, 200);
    check_refused(&series(65, "{a=~`x+`}"), message);
    check_refused(&format!("{}&match[]={{a!~`x+`}}", series(64, "{a=~`x+`}")), message);
    assert_eq!(ask(&series(1000, "{}")).status, 200);
    check_refused(&series(1001, "{}"), message);
    check_refused(&series(501, "{a=`1`,b=`2`}"), message);
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
    let (web, api) = (volume("web", "179"), volume("api", "53"));
    let target = format!("index/volume?query={{service_name=~\".+\"}}&targetLabels=service_name&{RANGE}");
    check_numbers(&format!("{target}&limit=5000"), "vector", &json!([web, api]));
    check_numbers(&format!("{target}&limit=1"), "vector", &json!([web]));
    check_numbers(&format!("index/volume?query={{app=\"none\"}}&{RANGE}"), "vector", &json!([]));
    let by_name = json!([{"metric": {"pod": ""}, "value": [1_700_000_300, "53"]}]);
    check_numbers(&format!("index/volume?query={{}}&aggregateBy=labels&targetLabels=pod&{RANGE}"), "vector", &by_name);
    check_refused(&format!("index/volume?query={{}}&aggregateBy=x&{RANGE}"), "invalid aggregation option");
}

#[test]
fn volumes_have_steps() {
    let series = json!([{"metric": {"app": "api"}, "values": [[1_700_000_000, "53"]]}]);
    let range = "start=1700000000&end=1700000060&step=30";
    check_numbers(&format!("index/volume_range?query={{app=\"api\"}}&{range}"), "matrix", &series);
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
    let patterns = json!([
        {"pattern": "not json", "level": "unknown", "samples": [[1_700_000_000, 1]]},
        {
            "pattern": r#"{"level":"<_>","user":{"id":<_>},"msg":"<_>"}"#,
            "level": "warn",
            "samples": [[1_700_000_000, 1]]
        },
    ]);
    check_data(&format!("patterns?{RANGE}&step=100s&query={{app=\"api\"}}"), &patterns);
    check_data(&format!("patterns?{RANGE}&step=100s&query={{app=\"api\"}} != \"slow\""), &json!([patterns[0]]));
    check_data(&format!("patterns?{RANGE}&step=100s&query={{app=\"api\"}} |> \"not <_>\""), &json!([patterns[0]]));
    let pattern = "level=<_> msg=\"<_>\" status=<_> took=<_>";
    let web = json!([{"pattern": pattern, "level": "info", "samples": [[1_700_000_000, 2]]}]);
    check_data(&format!("patterns?{RANGE}&step=100s&query={{service_name=\"web\"}} |~ \"done\""), &web);
    let refusal = "only label matchers and line filters are supported";
    check_refused(&format!("patterns?{RANGE}&query={{app=\"api\"}} | json"), refusal);
    check_data(&format!("patterns?{RANGE}&query={{app=\"none\"}}"), &json!([]));
}

/// The streams of an answer: their labels and their lines' values.
#[track_caller]
fn check_streams(target: &str, headers: &str, expected: &Value) {
    let answer = ask_with(target, headers);
    assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    let data = &answer.json()["data"];
    assert_eq!((&data["resultType"], &data["result"]), (&json!("streams"), expected), "target: {target}");
}

fn ask_with(target: &str, headers: &str) -> Answer {
    let server = server();
    let mut client = server.connect();
    client.send(format!("GET /loki/api/v1/{} HTTP/1.1\r\nHost: a\r\n{headers}\r\n", encoded(target)));
    client.read_answer().expect("a good request is answered")
}

/// The series of an answer.
#[track_caller]
fn check_numbers(target: &str, result_type: &str, expected: &Value) {
    let answer = ask_with(target, "X-Query-Tags: Source=logvolhist\r\n");
    assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    let data = &answer.json()["data"];
    assert_eq!((&data["resultType"], &data["result"]), (&json!(result_type), expected), "target: {target}");
}

#[test]
fn save_and_test_is_green() {
    let vector = json!([{"metric": {}, "value": [4_000_000_000_i64, "2"]}]);
    check_numbers("query?direction=backward&query=vector(1)+vector(1)&time=4000000000", "vector", &vector);
    check_numbers("query?query=1+1&time=1700000000.5", "scalar", &json!([1_700_000_000.5, "2"]));
    let matrix = json!([{"metric": {}, "values": [[10, "1"], [20, "1"]]}]);
    check_numbers("query_range?query=vector(1)&start=10&end=25&step=10000ms", "matrix", &matrix);
    check_refused(
        "query?query={app=\"api\"}",
        "log queries are not supported as an instant query type, please change your query to a range query type",
    );
}

/// Explore sends the header that tells labels apart; the answer has to say that they are before it has lines.
#[test]
fn explore_shows_lines_with_labels_by_category() {
    let target = format!("query_range?direction=backward&limit=1&query={{app=\"api\"}} | json&step=1000ms&{RANGE}");
    let header = "X-Loki-Response-Encoding-Flags: categorize-labels\r\n";
    let stream = json!({"app": "api", "namespace": "shop", "pod": "api-1", "service_name": "api"});
    let error = "JSONParserErr";
    let answer = ask_with(&target, header);
    let data = &answer.json()["data"];
    assert_eq!(data["result"][0]["stream"], stream, "{data}");
    let value = &data["result"][0]["values"][0];
    assert_eq!((&value[0], &value[1]), (&json!("1700000015000000000"), &json!("not json")));
    assert_eq!(value[2]["structuredMetadata"], json!({"detected_level": "unknown"}));
    assert_eq!(value[2]["parsed"]["__error__"], error);
    let text = String::from_utf8_lossy(&answer.body);
    let places = ["resultType", "encodingFlags", "\"result\"", "stats"].map(|key| text.find(key));
    assert!(places.is_sorted() && places[0].is_some(), "{text}");

    let line = r#"{"level":"warn","user":{"id":7},"msg":"slow"}"#;
    let labels = json!({"structuredMetadata": {"detected_level": "warn"}, "parsed": {"level": "warn", "user_id": "7", "msg": "slow"}});
    check_streams(
        &format!("query_range?direction=forward&limit=1&query={{app=\"api\"}} | json&{RANGE}"),
        header,
        &json!([{"stream": stream, "values": [["1700000005000000000", line, labels]]}]),
    );
}

#[test]
fn logcli_sees_all_labels_merged() {
    let stream = |level: &str| json!({"path": "/var/log/web.log", "service_name": "web", "detected_level": level});
    let info = json!([
        ["1700000000000000000", "level=info msg=\"request done\" status=200 took=12ms"],
        ["1700000020000000000", "level=info msg=\"request done\" status=200 took=8ms"],
    ]);
    let error = json!([["1700000010000000000", "level=error msg=\"request failed\" status=500 took=1.5s"]]);
    check_streams(
        &format!("query_range?direction=FORWARD&limit=3&query={{service_name=\"web\"}}&{RANGE}"),
        "",
        &json!([{"stream": stream("error"), "values": error}, {"stream": stream("info"), "values": info}]),
    );
    check_streams(&format!("query_range?query={{app=\"none\"}}&{RANGE}"), "", &json!([]));
}

/// Show context asks for lines before and after one; logcli pages by times. Both depend on which border belongs to a range.
#[test]
fn a_range_has_its_start_and_not_its_end() {
    let times = |target: &str| -> Vec<String> {
        let answer = ask(target).json();
        let streams = answer["data"]["result"].as_array().expect("streams").iter();
        let values = streams.flat_map(|stream| stream["values"].as_array().expect("values").clone());
        let mut times: Vec<String> = values.map(|value| value[0].as_str().expect("a time")[7..10].to_owned()).collect();
        times.sort();
        times
    };
    let query = "query={path=~\".+\"}&limit=10";
    assert_eq!(times(&format!("query_range?{query}&start=1700000010&end=1700000030")), ["010", "020"]);
    assert_eq!(times(&format!("query_range?{query}&start=1700000010&end=1700000030000000001")), ["010", "020", "030"]);
    let all = "query={service_name=~\".+\"}";
    assert_eq!(times(&format!("query_range?{all}&limit=2&{RANGE}")), ["020", "030"]);
    assert_eq!(times(&format!("query_range?{all}&limit=2&direction=forward&{RANGE}")), ["000", "005"]);
    assert_eq!(times(&format!("query_range?{all}&interval=20s&direction=forward&{RANGE}")), ["000", "020"]);
}

#[test]
fn numbers_have_the_label_that_is_made_of_others_only_where_it_is_named() {
    let counts = |query: &str, metrics: &[Value]| {
        let target = format!("query_range?query={query}&start=1700000050&end=1700000050&step=1s");
        let series = |metric: &Value| json!({"metric": metric, "values": [[1_700_000_050, "2"]]});
        check_numbers(&target, "matrix", &Value::Array(metrics.iter().map(series).collect()));
    };
    let pod = json!({"app": "api", "namespace": "shop", "pod": "api-1"});
    counts(r#"count_over_time({app="api"}[1m])"#, std::slice::from_ref(&pod));
    counts(r#"sum without (app, pod) (count_over_time({app="api"}[1m]))"#, &[json!({"namespace": "shop"})]);
    counts(r#"sum by (service_name) (count_over_time({app="api"}[1m]))"#, &[json!({"service_name": "api"})]);
    let named = json!({"app": "api", "namespace": "shop", "pod": "api-1", "service_name": "api"});
    counts(r#"count_over_time({service_name="api"}[1m])"#, &[named]);
}

#[test]
fn the_log_volume_histogram_counts_by_level() {
    let inner = "{service_name=\"web\"} |= `request` | drop __error__";
    let target = format!("query_range?query=sum by (level, detected_level) (count_over_time({inner}[15s]))");
    let series = json!([
        {"metric": {"detected_level": "error"}, "values": [[1_700_000_015, "1"]]},
        {"metric": {"detected_level": "info"}, "values": [[1_700_000_000, "1"], [1_700_000_030, "1"]]},
    ]);
    check_numbers(&format!("{target}&start=1700000000&end=1700000050&step=15000ms"), "matrix", &series);
}

#[test]
fn drilldown_counts_and_measures_fields() {
    let range = "start=1700000060&end=1700000060&step=60s";
    let levels = json!([
        {"metric": {"detected_level": "error"}, "values": [[1_700_000_060, "1"]]},
        {"metric": {"detected_level": "info"}, "values": [[1_700_000_060, "1"]]},
        {"metric": {"detected_level": "warn"}, "values": [[1_700_000_060, "1"]]},
    ]);
    let query = "sum by (detected_level) (count_over_time({service_name=\"web\"} | detected_level != \"\" [1m]))";
    check_numbers(&format!("query_range?query={query}&{range}"), "matrix", &levels);
    let query = "sum by (status) (count_over_time({service_name=\"web\"} | json | logfmt | drop __error__, __error_details__ | status!=\"\" [1m]))";
    let statuses = json!([
        {"metric": {"status": "200"}, "values": [[1_700_000_060, "1"]]},
        {"metric": {"status": "500"}, "values": [[1_700_000_060, "1"]]},
    ]);
    check_numbers(&format!("query_range?query={query}&{range}"), "matrix", &statuses);
    let query = "avg_over_time({service_name=\"web\"} | logfmt | unwrap duration(took) | __error__=\"\" [1m]) by ()";
    let took = json!([{"metric": {}, "values": [[1_700_000_060, "0.754"]]}]);
    check_numbers(&format!("query_range?query={query}&{range}"), "matrix", &took);
}

#[test]
fn queries_are_refused_in_lokis_words() {
    let many = "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)";
    check_refused(&format!("query_range?query={{app=\"api\"}}&limit=5001&{RANGE}"), many);
    check_refused("query_range?query={app=\"api\"}&limit=0", "limit must be a positive value");
    check_refused("query_range?query={app=\"api\"}&direction=up", "invalid direction 'up'");
    let answer = ask(&format!("query_range?query=count_over_time({{app=\"api\"}} | json [1m])&{RANGE}"));
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == 400 && text.starts_with("pipeline error: 'JSONParserErr' for series: "), "{text}");
}

#[test]
fn drilldown_sees_which_fields_lines_have() {
    let field = |name: &str, kind: &str, cardinality: u64, parser: &str| json!({"label": name, "type": kind, "cardinality": cardinality, "parsers": [parser]});
    let level = json!({"label": "detected_level", "type": "string", "cardinality": 2, "parsers": null});
    let at = |mut field: Value, path: &[&str]| {
        field["jsonPath"] = json!(path);
        field
    };
    let both = |mut field: Value| {
        field["parsers"] = json!(["json", "logfmt"]);
        field
    };
    let fields = json!([
        level,
        at(field("level", "string", 1, "json"), &["level"]),
        at(field("msg", "string", 1, "json"), &["msg"]),
        at(field("user_id", "int", 1, "json"), &["user", "id"]),
    ]);
    let query = r#"query={app="api"}"#;
    check(&format!("detected_fields?{query}&{RANGE}"), &json!({"fields": fields, "limit": 1000}));
    check(&format!("detected_fields?{query}&limit=1&{RANGE}"), &json!({"fields": [level], "limit": 1}));
    // As Logs Drilldown asks: which parsers find a field is said whoever parses.
    let all = ask(&format!(r#"detected_fields?query={{service_name=~".+"}} | json | logfmt | drop __error__&{RANGE}"#))
        .json();
    let level = at(both(field("level", "string", 3, "")), &["level"]);
    assert!(all["fields"].as_array().is_some_and(|fields| fields.contains(&level)), "{all}");
    let query = r#"query={service_name="web"} |= "request""#;
    let took = json!({"values": ["1.5s", "12ms", "8ms"], "limit": 1000});
    check(&format!("detected_field/took/values?{query}&{RANGE}"), &took);
    let newest = json!({"values": ["8ms"], "limit": 1000});
    check(&format!("detected_field/took/values?{query}&line_limit=1&{RANGE}"), &newest);
    check_refused(&format!("detected_fields?query=vector(1)&{RANGE}"), "only log queries have fields");
}
