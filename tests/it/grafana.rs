//! What Grafana, its Logs Drilldown and logcli send, request by request as they send it, and what they read of the answers.
//!
//! One test is one thing that a user does. The requests have the parameters, the headers and the forms of time that the
//! client has; `loki.rs` looks at each endpoint more closely.

use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{Answer, Server, encoded};

/// The time of the first line, in seconds since the epoch: 2023-11-14T22:13:20Z.
const START: i64 = 1_700_000_000;
/// How many lines the shop logs, one a second.
const SHOP_LINES: i64 = 60;
/// What the Grafana data source sends with every query for data.
const CATEGORIZE: &str = "X-Loki-Response-Encoding-Flags: categorize-labels\r\n";
const DRILLDOWN: &str = "X-Loki-Response-Encoding-Flags: categorize-labels\r\n\
                         X-Query-Tags: Source=grafana-lokiexplore-app\r\n";

/// Every third line of the shop is an error, and every second of the API's is no JSON.
fn server() -> Server {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let shop = (0..SHOP_LINES).map(|second| {
        let level = if second % 3 == 0 { "error" } else { "info" };
        (second, format!("level={level} msg=\"order {second}\" took={}ms", 10 * (second + 1)))
    });
    let api = (0..10).map(|n| {
        let json = json!({"severity": "warn", "user": {"id": n}, "msg": "slow"}).to_string();
        (5 * n, if n % 2 == 0 { json } else { format!("plain text {n}") })
    });
    let shop = stream(&[("app", "shop"), ("namespace", "prod"), ("pod", "shop-1")], shop);
    let api = stream(&[("app", "api"), ("namespace", "prod"), ("pod", "api-1")], api);
    database.append(Batch { checkpoint: None, streams: vec![shop, api] }).expect("the lines fit");
    database.commit().expect("memory takes a commit");
    Server::start(database, Settings::default())
}

fn stream(labels: &[(&str, &str)], entries: impl Iterator<Item = (i64, String)>) -> StreamLines {
    let mut lines = Lines::default();
    for (seconds, line) in entries {
        lines.push(Timestamp::from_ns(ns(seconds)), line.as_bytes());
    }
    StreamLines { labels: Labels::new(labels.iter().copied()).expect("they are labels"), lines }
}

/// So many seconds after the start, in nanoseconds since the epoch.
fn ns(seconds: i64) -> i64 {
    (START + seconds) * 1_000_000_000
}

/// A range of seconds after the start, as the data source sends it.
fn range(start: i64, end: i64) -> String {
    format!("start={}&end={}", ns(start), ns(end))
}

#[track_caller]
fn ask(server: &Server, target: &str, headers: &str) -> Answer {
    let mut client = server.connect();
    let target = encoded(target);
    client.send(format!("GET /loki/api/v1/{target} HTTP/1.1\r\nHost: monitoring:8000\r\n{headers}\r\n"));
    let answer = client.read_answer().expect("a good request is answered");
    assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    assert!(answer.head.contains("content-type: application/json; charset=utf-8\r\n"), "{target}: {}", answer.head);
    answer
}

#[track_caller]
fn data(server: &Server, target: &str, headers: &str) -> Value {
    let answer = ask(server, target, headers).json();
    assert_eq!(answer["status"], "success", "{target}");
    answer["data"].clone()
}

/// A line as Grafana reads it: its time in nanoseconds, its text, and all of its labels.
type Line = (i64, String, Value);

/// The lines of a log query as the data source's decoder reads them, which takes the answer's keys as they come.
#[track_caller]
fn lines(server: &Server, target: &str, headers: &str) -> Vec<Line> {
    let answer = ask(server, target, headers);
    let text = String::from_utf8(answer.body).expect("the answer is text");
    let places =
        [r#""resultType":"streams""#, r#""encodingFlags":["categorize-labels"]"#, r#""result":["#, r#""stats":{"#];
    let places = places.map(|key| text.find(key).unwrap_or_else(|| panic!("{target}: {key} is missing in {text}")));
    assert!(places.is_sorted(), "{target}: what tells how to read the result comes before it");
    let data: Value = serde_json::from_str(&text).expect("the answer is JSON");
    let mut lines = Vec::new();
    for stream in data["data"]["result"].as_array().expect("streams are a list") {
        for value in stream["values"].as_array().expect("lines are a list") {
            let [time, text, categories] = value.as_array().expect("a line is a list").as_slice() else {
                panic!("{target}: a line has three elements, {value}");
            };
            let mut labels = stream["stream"].clone();
            for category in ["structuredMetadata", "parsed"] {
                let of_line = categories.get(category).and_then(Value::as_object).cloned().unwrap_or_default();
                labels.as_object_mut().expect("labels are an object").extend(of_line);
            }
            let time = time.as_str().and_then(|time| time.parse().ok()).expect("a time is text");
            lines.push((time, text.as_str().expect("a line is text").to_owned(), labels));
        }
    }
    lines
}

/// The series of a metric query: their labels, and their points.
#[track_caller]
fn series(server: &Server, target: &str, headers: &str) -> Vec<(Value, Vec<(i64, f64)>)> {
    let data = data(server, target, headers);
    assert_eq!(data["resultType"], "matrix", "{target}");
    let series = data["result"].as_array().expect("series are a list").iter().map(|series| {
        let values = series["values"].as_array().expect("points are a list").iter();
        let points = values.map(|point| {
            let value = point[1].as_str().and_then(|value| value.parse().ok()).expect("a value is text");
            (point[0].as_i64().expect("a time is a number of seconds"), value)
        });
        (series["metric"].clone(), points.collect())
    });
    series.collect()
}

fn total(points: &[(i64, f64)]) -> f64 {
    points.iter().map(|(_, value)| value).sum()
}

#[test]
fn save_and_test_finds_the_data_source_working() {
    let target = "query?direction=backward&query=vector(1)+vector(1)&time=4000000000";
    let data = data(&server(), target, CATEGORIZE);
    assert_eq!(data["resultType"], "vector");
    assert_eq!(data["result"], json!([{"metric": {}, "value": [4_000_000_000_i64, "2"]}]));
}

#[test]
fn the_label_browser_and_the_builder_are_filled() {
    let server = server();
    let range = range(0, 100);
    assert_eq!(data(&server, &format!("labels?{range}"), ""), json!(["app", "namespace", "pod", "service_name"]));
    assert_eq!(data(&server, &format!("label/app/values?{range}"), ""), json!(["api", "shop"]));
    let narrowed = format!("label/pod/values?{range}&query={{app=\"shop\"}}");
    assert_eq!(data(&server, &narrowed, ""), json!(["shop-1"]));
    let api = json!({"app": "api", "namespace": "prod", "pod": "api-1", "service_name": "api"});
    assert_eq!(data(&server, &format!("series?match[]={{app=\"api\"}}&{range}"), ""), json!([api]));
    assert_eq!(data(&server, &format!("label/__stream_shard__/values?{range}"), ""), json!([]));
}

#[test]
fn explore_shows_lines_a_hint_of_their_size_and_a_histogram() {
    let server = server();
    let query = r#"{app="shop"} |= "order""#;
    let hint = ask(&server, &format!("index/stats?query={{app=\"shop\"}}&{}", range(0, 100)), "").json();
    let numbers = ["streams", "chunks", "bytes", "entries"].map(|name| hint[name].as_u64().expect("it is a number"));
    assert_eq!((numbers[0], numbers[3]), (1, 60), "{hint}");

    let target = format!("query_range?direction=backward&{}&limit=1000&query={query}&step=100ms", range(0, 100));
    let shown = lines(&server, &target, CATEGORIZE);
    assert_eq!(shown.len(), 60);
    assert!(shown.is_sorted_by(|later, earlier| earlier.0 < later.0), "the newest first");
    let labels = |level: &str| json!({"app": "shop", "detected_level": level, "namespace": "prod", "pod": "shop-1", "service_name": "shop"});
    assert_eq!(shown[0], (ns(59), "level=info msg=\"order 59\" took=600ms".to_owned(), labels("info")));
    assert_eq!(shown[59], (ns(0), "level=error msg=\"order 0\" took=10ms".to_owned(), labels("error")));

    let volume = format!("sum by (level, detected_level) (count_over_time({query} | drop __error__[10s]))");
    let target = format!("query_range?direction=backward&{}&query={volume}&step=10000ms", range(0, 100));
    let levels = series(&server, &target, &format!("{CATEGORIZE}X-Query-Tags: Source=logvolhist\r\n"));
    let [(error, errors), (info, infos)] = levels.as_slice() else { panic!("two levels: {levels:?}") };
    assert_eq!((error, info), (&json!({"detected_level": "error"}), &json!({"detected_level": "info"})));
    assert_eq!((errors.len(), total(errors), total(infos)), (7, 20.0, 40.0), "each line is in one bar");
    assert!(errors.iter().all(|(time, _)| (time - START) % 10 == 0));
}

#[test]
fn infinite_scroll_goes_on_where_the_lines_end() {
    let server = server();
    let ask = |start, end, tags: &str| {
        let target = format!(
            "query_range?direction=backward&start={start}&end={end}&limit=25&query={{app=\"shop\"}}&step=100ms"
        );
        lines(&server, &target, &format!("{CATEGORIZE}{tags}"))
    };
    let mut times = Vec::new();
    let mut end = ns(100);
    while times.len() < 60 {
        let page = ask(ns(0), end, "X-Query-Tags: Source=infinitescroll\r\n");
        assert!(!page.is_empty(), "{} lines so far", times.len());
        times.extend(page.iter().map(|line| line.0));
        end = *times.last().expect("a page has lines");
    }
    assert_eq!(times, (0..60).rev().map(ns).collect::<Vec<_>>(), "no line is missing and none is there twice");
}

#[test]
fn the_context_of_a_line_are_those_before_and_after_it() {
    let server = server();
    let query = r#"{app="shop",namespace="prod",pod="shop-1",service_name="shop"}"#;
    let line = ns(30);
    let two_hours = 2 * 3600 * 1_000_000_000;
    let around = |direction, start, end| {
        let target =
            format!("query_range?direction={direction}&start={start}&end={end}&limit=10&query={query}&step=1ms");
        // Two hours in steps of a millisecond are too many for numbers, and mean nothing for lines.
        let target = target.replace("&step=1ms", "&step=1000ms");
        lines(&server, &target, CATEGORIZE).iter().map(|line| line.0).collect::<Vec<_>>()
    };
    assert_eq!(around("backward", line - two_hours, line), (20..30).rev().map(ns).collect::<Vec<_>>());
    assert_eq!(around("forward", line, line + two_hours), (30..40).map(ns).collect::<Vec<_>>());
}

#[test]
fn a_dashboard_draws_numbers_and_shows_single_ones() {
    let server = server();
    let query = r#"sum by (app) (rate({namespace="prod"}[20s]))"#;
    let target = format!("query_range?direction=backward&{}&query={query}&step=20000ms", range(20, 60));
    let drawn = series(&server, &target, CATEGORIZE);
    assert_eq!(drawn[0], (json!({"app": "api"}), vec![(START + 20, 0.2), (START + 40, 0.2), (START + 60, 0.05)]));
    assert_eq!(drawn[1].1, [(START + 20, 1.0), (START + 40, 1.0), (START + 60, 0.95)]);

    let query = r#"topk(1, sum by (app) (count_over_time({namespace="prod"}[1m])))"#;
    let single = data(&server, &format!("query?direction=backward&query={query}&time={}", ns(59)), CATEGORIZE);
    assert_eq!(single["result"], json!([{"metric": {"app": "shop"}, "value": [START + 59, "60"]}]));
}

#[test]
fn logs_drilldown_opens_a_service() {
    let server = server();
    let range = "start=2023-11-14T22:13:20.000Z&end=2023-11-14T22:15:00.000Z";
    let limits = ask(&server, "drilldown-limits", "").json();
    assert_eq!(
        (&limits["limits"]["volume_enabled"], &limits["limits"]["max_query_series"]),
        (&json!(true), &json!(500))
    );

    let target = format!("index/volume?query={{service_name=~\".+\"}}&targetLabels=service_name&limit=5000&{range}");
    let volumes = data(&server, &target, "")["result"].clone();
    let services = volumes.as_array().expect("services are a list");
    assert_eq!(services.iter().map(|service| &service["metric"]["service_name"]).collect::<Vec<_>>(), ["shop", "api"]);
    assert!(
        services.iter().all(|service| service["value"][1].as_str().is_some_and(|bytes| bytes.parse::<u64>().is_ok()))
    );

    let query = r#"sum by (detected_level) (count_over_time({service_name="shop"} | detected_level != "" [2s]))"#;
    let target = format!("query_range?direction=backward&{}&query={query}&step=2000ms", self::range(0, 100));
    let levels = series(&server, &target, DRILLDOWN);
    let totals: Vec<(&Value, f64)> = levels.iter().map(|(labels, points)| (labels, total(points))).collect();
    assert_eq!(totals, [(&json!({"detected_level": "error"}), 20.0), (&json!({"detected_level": "info"}), 40.0)]);

    let query = r#"{service_name="api"} | json | logfmt | drop __error__, __error_details__"#;
    let target = format!("query_range?direction=backward&{}&limit=1000&query={query}&step=100ms", self::range(0, 100));
    let shown = lines(&server, &target, DRILLDOWN);
    assert_eq!(shown.len(), 10);
    let (_, _, labels) = &shown[1];
    assert_eq!((&labels["severity"], &labels["user_id"], labels.get("__error__")), (&json!("warn"), &json!("8"), None));
}

#[test]
fn logs_drilldown_shows_labels_fields_and_patterns() {
    let server = server();
    let range = "start=2023-11-14T22:13:20.000Z&end=2023-11-14T22:15:00.000Z";
    let labels = ask(&server, &format!("detected_labels?query={{service_name=\"shop\"}}&{range}"), "").json();
    let names = labels["detectedLabels"].as_array().expect("labels are a list").iter();
    assert_eq!(names.map(|label| &label["label"]).collect::<Vec<_>>(), ["app", "namespace", "pod", "service_name"]);

    let query = r#"{service_name="shop"} | json | logfmt | drop __error__, __error_details__"#;
    let fields = ask(&server, &format!("detected_fields?query={query}&{range}&line_limit=1000"), "").json();
    let took = fields["fields"].as_array().expect("fields are a list").iter().find(|field| field["label"] == "took");
    let took = took.unwrap_or_else(|| panic!("{fields}"));
    assert_eq!((&took["type"], &took["cardinality"]), (&json!("duration"), &json!(60)));
    let values = ask(&server, &format!("detected_field/level/values?query={query}&{range}"), "").json();
    assert_eq!(values["values"], json!(["error", "info"]));

    let counted = format!("sum by (level) (count_over_time({query} | level!=\"\" [5s]))");
    let target = format!("query_range?direction=backward&{}&query={counted}&step=5000ms", self::range(0, 100));
    let levels = series(&server, &target, DRILLDOWN);
    let totals: Vec<(&Value, f64)> = levels.iter().map(|(labels, points)| (labels, total(points))).collect();
    assert_eq!(totals, [(&json!({"level": "error"}), 20.0), (&json!({"level": "info"}), 40.0)]);

    let unwrapped = r#"{service_name="shop"} | logfmt | unwrap duration(took) | __error__="" [5s]"#;
    let target = format!(
        "query_range?direction=backward&{}&query=avg_over_time({unwrapped}) by ()&step=5000ms",
        self::range(5, 10)
    );
    assert_eq!(series(&server, &target, DRILLDOWN), [(json!({}), vec![(START + 5, 0.04), (START + 10, 0.09)])]);

    let target = format!("patterns?query={{service_name=\"shop\"}}&{range}&step=10s");
    assert!(data(&server, &target, "").is_array());
}

#[test]
fn logcli_pages_through_everything_in_both_directions() {
    let server = server();
    let page = |direction: &str, start: i64, end: i64| {
        let query = "%7Bapp%3D%22shop%22%7D";
        let target = format!("query_range?direction={direction}&end={end}&limit=7&query={query}&start={start}");
        let data = data(&server, &target, "User-Agent: loki-logcli/3.7.0\r\n");
        assert_eq!((&data["resultType"], data.get("encodingFlags")), (&json!("streams"), None));
        let mut times = Vec::new();
        for stream in data["result"].as_array().expect("streams are a list") {
            for value in stream["values"].as_array().expect("lines are a list") {
                assert_eq!(value.as_array().map(Vec::len), Some(2));
                times.push(value[0].as_str().and_then(|time| time.parse::<i64>().ok()).expect("a time is text"));
            }
        }
        times.sort_unstable();
        times
    };
    let (mut forward, mut start) = (Vec::new(), ns(0));
    loop {
        let times = page("FORWARD", start, ns(100));
        let new: Vec<i64> = times.into_iter().filter(|time| Some(time) > forward.last()).collect();
        let Some(last) = new.last() else { break };
        start = *last;
        forward.extend(new);
    }
    assert_eq!(forward, (0..60).map(ns).collect::<Vec<_>>());
    let (mut backward, mut end) = (Vec::<i64>::new(), ns(100));
    loop {
        let times = page("BACKWARD", ns(0), end);
        let new: Vec<i64> =
            times.into_iter().rev().filter(|time| backward.last().is_none_or(|last| time < last)).collect();
        let Some(first) = new.last() else { break };
        end = first + 1;
        backward.extend(new);
    }
    assert_eq!(backward, (0..60).rev().map(ns).collect::<Vec<_>>());
    let api = json!({"app": "api", "namespace": "prod", "pod": "api-1", "service_name": "api"});
    assert_eq!(data(&server, &format!("series?{}&match={{app=\"api\"}}", range(0, 100)), ""), json!([api]));
}
