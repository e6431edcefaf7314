//! What LogQL means, case by case over HTTP: `tests/logql/cases.jsonl`, written from Loki's documented behaviour.
//!
//! - `parse`: a query, `q`, is answered, or refused with a message that has `error` in it.
//! - `pipeline`: of the stages `q` over a `line`, which comes with its stream's `labels` and its own `metadata`, come
//!   `out_line` (else the line itself) and the labels `out` beside those that it came with; or nothing, with `keep` false.
//! - `metric`: `q`, in which `$` stands for the case's own streams, makes `expect` (labels and values) of `lines` (seconds,
//!   text, labels) at 100 s; or it is refused with `error`.
//!
//! A label without a value is none here. `e2e/logql_cases.py` asks the agent the same.

#![expect(clippy::disallowed_methods, reason = "the cases are no files of the agent")]

use std::collections::BTreeMap;
use std::sync::Arc;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Answer, Server};

/// Fewer cases of each kind than this are too few: some are missing.
const CASES_MIN: [(&str, usize); 3] = [("parse", 38), ("pipeline", 100), ("metric", 30)];
/// How many lines are the same.
const LINES_ALIKE: i64 = 50;
/// The second of the first line.
const START: i64 = 1_700_000_000;

type Pairs = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Case {
    kind: String,
    q: String,
    error: Option<String>,
    #[serde(default)]
    line: String,
    #[serde(default)]
    labels: Pairs,
    #[serde(default)]
    metadata: Pairs,
    #[serde(default = "yes")]
    keep: bool,
    #[serde(default)]
    out: Pairs,
    out_line: Option<String>,
    #[serde(default)]
    lines: Vec<(i64, String, Pairs)>,
    #[serde(default)]
    expect: Vec<(Pairs, String)>,
}

fn yes() -> bool {
    true
}

impl Case {
    /// What is pushed for the case, which is known by `name`.
    fn streams(&self, name: &str) -> Vec<Value> {
        let labels = |own: &Pairs| {
            let mut labels = own.clone();
            labels.insert("case".to_owned(), name.to_owned());
            labels
        };
        let time = |seconds: i64| ((START + seconds) * 1_000_000_000).to_string();
        if self.kind == "pipeline" {
            let entry = json!([time(0), self.line, self.metadata]);
            return vec![json!({"stream": labels(&self.labels), "values": [entry]})];
        }
        let stream = |(seconds, line, own): &(i64, String, Pairs)| {
            let entry = [time(*seconds), line.clone()];
            json!({"stream": labels(own), "values": [entry]})
        };
        self.lines.iter().map(stream).collect()
    }

    /// What the case asks for, below `/loki/api/v1/`.
    fn target(&self, name: &str) -> String {
        let escaped = |text: &str| {
            let escape = |byte: u8| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            text.bytes().map(escape).collect::<String>()
        };
        let range = format!("start={}&end={}", START - 1, START + 100);
        match self.kind.as_str() {
            "parse" => format!("query_range?{range}&step=60&query={}", escaped(&self.q)),
            "pipeline" => {
                format!("query_range?{range}&query={}", escaped(&format!("{{case=\"{name}\"}} {}", self.q)))
            }
            _ => {
                let query = self.q.replace("{$", &format!("{{case=\"{name}\""));
                format!("query?time={}&query={}", START + 100, escaped(&query))
            }
        }
    }

    /// What is wrong with the answer.
    fn check(&self, answer: &Answer) -> Result<(), String> {
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        match &self.error {
            Some(error) if answer.status == 400 && text().contains(error.as_str()) => return Ok(()),
            Some(_) => return Err(format!("{} {}", answer.status, text())),
            None if answer.status == 200 && self.kind == "parse" => return Ok(()),
            None if answer.status != 200 => return Err(format!("{} {}", answer.status, text())),
            None => {}
        }
        let result = &answer.json()["data"]["result"];
        let result = result.as_array().expect("a list of streams or series");
        if self.kind == "metric" {
            let mut actual: Vec<(Pairs, String)> = result
                .iter()
                .map(|series| {
                    (self.pairs(&series["metric"]), series["value"][1].as_str().unwrap_or_default().to_owned())
                })
                .collect();
            actual.sort();
            return if actual == self.expect { Ok(()) } else { Err(format!("{actual:?}")) };
        }
        let Some(stream) = result.first() else {
            return if self.keep { Err("it is dropped".to_owned()) } else { Ok(()) };
        };
        let mut expected = self.out.clone();
        for (name, value) in self.labels.iter().chain(&self.metadata) {
            // What the case says of a label comes before what it had.
            let is_removed = self.q.contains(&format!("drop {name}"));
            if !is_removed && !expected.contains_key(name) {
                expected.insert(name.clone(), value.clone());
            }
        }
        expected.retain(|_, value| !value.is_empty());
        let (actual, line) = (self.pairs(&stream["stream"]), stream["values"][0][1].as_str().unwrap_or_default());
        let is_line_right = line == self.out_line.as_ref().unwrap_or(&self.line);
        if self.keep && is_line_right && actual == expected { Ok(()) } else { Err(format!("{line:?} {actual:?}")) }
    }

    /// The labels of an object that the case is about.
    fn pairs(&self, object: &Value) -> Pairs {
        let mut pairs: Pairs = serde_json::from_value(object.clone()).expect("labels are texts");
        // The details are words for people.
        let is_hidden = |name: &str| match name {
            "case" | "__error_details__" => true,
            "detected_level" | "service_name" => !self.q.contains(name),
            _ => false,
        };
        pairs.retain(|name, value| !value.is_empty() && !is_hidden(name));
        pairs
    }
}

fn push(server: &Server, streams: &[Value]) {
    let body = json!({ "streams": streams }).to_string();
    let mut client = server.connect();
    client.send(format!(
        "POST /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(client.read_answer().expect("it is answered").status, 204);
}

#[test]
fn logql_means_what_its_cases_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/logql/cases.jsonl");
    let text = std::fs::read_to_string(path).expect("the cases are in the repository");
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (kind, count_min) in CASES_MIN {
        assert!(count_min <= cases.iter().filter(|case| case.kind == kind).count(), "cases of kind {kind} are missing");
    }
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let server = Server::start(database.clone(), Settings::default());
    let name = |index: usize| format!("c{index}");
    let streams = cases.iter().enumerate().flat_map(|(index, case)| case.streams(&name(index)));
    let alike =
        (0..LINES_ALIKE).map(|number| [((START * 1000 + number) * 1_000_000).to_string(), "a=x b=1".to_owned()]);
    let alike = json!({"stream": {"case": "alike"}, "values": alike.collect::<Vec<_>>()});
    push(&server, &streams.chain([alike]).collect::<Vec<_>>());
    let check_all = |place: &str| {
        let mut failed = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let answer = server.get(&format!("/loki/api/v1/{}", case.target(&name(index))));
            if let Err(actual) = case.check(&answer) {
                failed.push(format!("line {}, {} {} over {:?}: {actual}", index + 1, case.kind, case.q, case.line));
            }
        }
        assert!(failed.is_empty(), "{} cases fail in {place}:\n{}", failed.len(), failed.join("\n"));
    };
    // How many lines are looked at to count those that are alike.
    let looked_at = || {
        let query = "sum%20by%20(a)(count_over_time(%7Bcase=%22alike%22%7D%7Clogfmt%5B100s%5D))";
        let answer = server.get(&format!("/loki/api/v1/query?time={}&query={query}", START + 99)).json();
        assert_eq!(answer["data"]["result"][0]["value"][1], LINES_ALIKE.to_string());
        answer["data"]["stats"]["summary"]["totalLinesOneByOne"].as_i64().expect("a count")
    };
    check_all("the journal");
    assert_eq!(looked_at(), LINES_ALIKE);
    // Blocks as small as they come, each of a stream of few lines.
    database.commit().expect("memory does not fail");
    for hours in 0..3 {
        let now = Timestamp::from_ns((START + hours * 3600) * 1_000_000_000);
        database.maintain(now).expect("memory does not fail");
    }
    assert_eq!(looked_at(), 1, "columns answer for all that are like the first one");
    check_all("blocks");
}
