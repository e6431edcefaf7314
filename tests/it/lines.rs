//! `/api/v1/lines`: pages and ids over HTTP, forms of the answer, and what is refused.

use std::sync::Arc;

use monitoring_rs::api::{QueryLimits, Settings};
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::log_database::{Database, metadata};
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use serde_json::{Value, json};

use crate::support::{Server, decompressed, encoded};

/// Appends lines of one stream.
fn append(database: &Database, labels: &[(&str, &str)], lines: &[(i64, &str)]) {
    append_with(database, labels, &[], lines);
}

/// Appends lines of one stream, each with these metadata.
fn append_with(database: &Database, labels: &[(&str, &str)], fields: &[(&str, &str)], lines: &[(i64, &str)]) {
    let labels = Labels::new(labels.iter().copied()).expect("they are labels");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (ns, line) in lines {
        let mut line = line.as_bytes().to_vec();
        if !fields.is_empty() {
            metadata::append(&mut line, fields.iter().copied()).expect("they are few");
        }
        stream.lines.push(Timestamp::from_ns(*ns), &line);
    }
    if !fields.is_empty() {
        stream.labels = metadata::mark(&stream.labels).expect("there is room for a mark");
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
}

/// Three streams whose lines share few times, one of them with metadata in some lines.
fn corpus() -> Database {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    for round in 0..20_i64 {
        let lines: Vec<(i64, String)> = (0..7)
            .map(|n| (1000 + round / 4 * 10, format!("round {round} line {n} level={}", ["info", "error"][n % 2])))
            .collect();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(ns, line)| (*ns, line.as_str())).collect();
        append(&database, &[("path", "/var/log/a.log")], &lines);
        append(&database, &[("app", "b")], &lines[..3]);
        append_with(&database, &[("app", "b")], &[("trace_id", "9ac1")], &lines[3..]);
        if round % 3 == 0 {
            database.commit().expect("memory takes a commit");
        }
    }
    database
}

/// The records of an answer, its log lines as `(id, text)`, and its end.
fn records(body: &[u8]) -> (Vec<Value>, Vec<(String, String)>, Value) {
    let text = std::str::from_utf8(body).expect("records are text");
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("records are JSON")).collect();
    let mut streams = Vec::new();
    let mut lines = Vec::new();
    for record in &records {
        if let Some(stream) = record.get("stream") {
            assert_eq!(stream["s"], streams.len(), "streams are numbered in their order");
            streams.push(stream["id"].as_str().expect("ids are text").to_owned());
        }
        if let Some([s, time, n, check, _, text, ..]) = record.as_array().map(Vec::as_slice) {
            let stream = &streams[usize::try_from(s.as_u64().expect("a number")).expect("a small one")];
            let id = format!("{stream}.{}.{n}.{}", time.as_str().expect("text"), check.as_str().expect("text"));
            lines.push((id, text.as_str().expect("text").to_owned()));
        }
    }
    assert!(records[0].get("begin").is_some(), "{}", records[0]);
    let end = records.last().expect("there is a begin").get("end").cloned().unwrap_or_default();
    (records, lines, end)
}

fn get(server: &Server, query: &str) -> (Vec<Value>, Vec<(String, String)>, Value) {
    let answer = server.get(&encoded(&format!("/api/v1/lines?{query}")));
    assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&answer.body));
    assert!(answer.head.contains("content-type: application/x-ndjson"), "{}", answer.head);
    assert!(answer.head.contains("x-accel-buffering: no"), "{}", answer.head);
    records(&answer.body)
}

/// Page after page, each from where the one before ended.
fn paged(server: &Server, query: &str, direction: &str, size: usize) -> Vec<(String, String)> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, lines, end) = get(server, &format!("query={query}&direction={direction}&limit={size}{cursor}"));
        assert!(lines.len() <= size);
        assert_eq!(end["first"].as_str(), lines.first().map(|(id, _)| id.as_str()));
        assert_eq!(end["last"].as_str(), lines.last().map(|(id, _)| id.as_str()));
        all.extend(lines);
        if end["reason"] == "complete" {
            return all;
        }
        assert_eq!(end["reason"], "limit");
        let name = if direction == "forward" { "after" } else { "before" };
        cursor = format!("&{name}={}", end["last"].as_str().expect("a page that is cut has lines"));
    }
}

#[test]
fn pages_come_to_the_whole_and_each_line_is_found_by_its_id() {
    let server = Server::start(corpus(), Settings::default());
    for query in [
        "{service_name=~\".+\"}",
        "{app=\"b\"} |= \"level=error\"",
        "{service_name=~\".+\"} | logfmt | level=\"error\" | line_format \"{{.level}}\"",
    ] {
        let (_, whole, end) = get(&server, &format!("query={query}&direction=forward&limit=100000"));
        assert!(end["reason"] == "complete" && 50 < whole.len(), "{query}: {end}");
        for size in [1, 7, 50, whole.len()] {
            assert_eq!(paged(&server, query, "forward", size), whole, "{query}: pages of {size}");
            let mut backward = paged(&server, query, "backward", size);
            backward.reverse();
            assert_eq!(backward, whole, "{query}: pages of {size}, backwards");
        }
        let last = whole.len() - 1;
        for index in [0, 1, last / 2, last - 1, last] {
            let (_, around, end) =
                get(&server, &format!("query={query}&around={}&before_count=2&after_count=3", whole[index].0));
            assert_eq!(around, whole[index.saturating_sub(2)..(index + 4).min(whole.len())], "{query}: around {index}");
            assert_eq!(end["first"], around[0].0);
        }
        let (from, to) = (&whole[3].0, &whole[last - 3].0);
        let (_, between, _) = get(&server, &format!("query={query}&direction=forward&after={from}&before={to}"));
        assert_eq!(between, whole[4..last - 3], "{query}: between two lines");
    }
}

#[test]
fn a_line_has_its_level_and_what_was_found_in_it() {
    let server = Server::start(corpus(), Settings::default());
    let (records, ..) = get(&server, "query={app=\"b\"} |= \"round 0 line 3\" | logfmt&direction=forward");
    assert_eq!(records[0]["begin"]["query"], "{app=\"b\"} |= \"round 0 line 3\" | logfmt");
    assert_eq!(records[0]["begin"]["version"], "0.0.0");
    assert_eq!(records[0]["begin"]["instance"], "0123456789abcdef");
    assert_eq!(records[1]["stream"]["labels"], json!({"app": "b"}));
    assert_eq!(records[1]["stream"]["service"], "b");
    let line = &records[2];
    assert_eq!((&line[0], &line[1], &line[2]), (&json!(0), &json!("1000"), &json!(0)));
    assert_eq!((&line[4], &line[5]), (&json!("error"), &json!("round 0 line 3 level=error")));
    assert_eq!(line[6], json!({"metadata": {"trace_id": "9ac1"}, "parsed": {"level": "error"}}));
    let (records, ..) = get(&server, "query={path=~\".%2B\"} | drop detected_level&limit=1");
    assert_eq!((&records[2][4], records[2].get(6)), (&json!("info"), None), "a level there always is");
}

#[test]
fn lines_stand_around_one_of_their_file_or_their_container() {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let container = |id, stream| {
        [("namespace", "shop"), ("pod", "api"), ("container", "main"), ("container_id", id), ("stream", stream)]
    };
    append(&database, &container("a1", "stdout"), &[(1, "one"), (4, "four")]);
    append(&database, &container("a1", "stderr"), &[(2, "two")]);
    append(&database, &container("b2", "stdout"), &[(5, "five: after a restart"), (7, "seven")]);
    append(&database, &[("path", "/other.log")], &[(3, "of another file"), (6, "of another file, too")]);
    append(
        &database,
        &[("path", "/c.log")],
        &[(8, "of a third file"), (1, "late in its file"), (9, "of a third file, too")],
    );
    let server = Server::start(database, Settings::default());
    let (records, all, _) = get(&server, "direction=forward");
    assert_eq!(records[0]["begin"]["query"], "{service_name=~\".+\"}");
    let id = |text: &str| &all.iter().find(|(_, line)| line == text).expect("it is there").0;
    let texts = |query: &str| get(&server, query).1.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    let around = |text: &str| texts(&format!("around={}", id(text)));
    assert_eq!(around("four"), ["one", "two", "four", "five: after a restart", "seven"]);
    assert_eq!(around("of another file"), ["of another file", "of another file, too"]);
    assert_eq!(texts(&format!("around={}&before_count=1&after_count=0", id("four"))), ["two", "four"]);
    assert_eq!(around("late in its file"), ["of a third file", "late in its file", "of a third file, too"]);
    assert_eq!(
        texts(&format!("query={{service_name=~\".+\"}}&around={}&before_count=1&after_count=1", id("four"))),
        ["of another file", "four", "five: after a restart"]
    );
    assert_eq!(
        texts(&format!("query={{service_name=~\".+\"}} |= \"f\"&around={}&before_count=1&after_count=0", id("two"))),
        ["late in its file"],
        "the line itself is not among those that are asked for"
    );
}

#[test]
fn a_line_that_is_gone_is_told_with_its_nearest() {
    let server = Server::start(corpus(), Settings::default());
    let (_, whole, _) = get(&server, "query={path=~\".%2B\"}&direction=forward&limit=1");
    let (stream, _) = whole[0].0.split_once('.').expect("an id has dots");
    let answer = server.get(&format!("/api/v1/lines?around={stream}.999.0.00000000"));
    assert_eq!(answer.status, 410);
    let body = answer.json();
    assert_eq!((body["nearest"].as_str(), body["oldest"].as_str()), (Some(whole[0].0.as_str()), Some("1000")));
    assert!(body["error"].as_str().expect("it is said").contains("not there any more"), "{body}");
    let empty =
        Server::start(Database::open(Arc::new(SimulatedStorage::default())).expect("memory"), Settings::default());
    let answer = empty.get("/api/v1/lines?around=00000000000000aa.999.0.00000000");
    assert_eq!((answer.status, answer.json()["nearest"].clone()), (410, Value::Null));
}

#[test]
fn a_cursor_whose_stream_is_gone_stands_for_its_time() {
    let server = Server::start(corpus(), Settings::default());
    let (_, whole, _) = get(&server, "direction=forward");
    let (_, after, _) = get(&server, "direction=forward&after=00000000000000aa.1010.0.00000000");
    let (_, before, _) = get(&server, "direction=forward&before=00000000000000aa.1010.0.00000000");
    let of = |is_asked_for: &dyn Fn(i64) -> bool| {
        let time = |id: &str| id.split('.').nth(1).expect("an id has a time").parse().expect("a number");
        whole.iter().filter(|(id, _)| is_asked_for(time(id))).cloned().collect::<Vec<_>>()
    };
    assert_eq!((after, before), (of(&|time| 1010 <= time), of(&|time| time <= 1010)));
}

#[track_caller]
fn check_text(server: &Server, query: &str, kind: &str, expected: &str) {
    let answer = server.get(&encoded(&format!("/api/v1/lines?query={{app=\"b\"}}&direction=forward&limit=1&{query}")));
    assert_eq!((answer.status, String::from_utf8_lossy(&answer.body).as_ref()), (200, expected), "{query}");
    assert!(answer.head.contains(&format!("content-type: {kind}")), "{}", answer.head);
}

#[test]
fn lines_are_saved_as_text_objects_or_bytes() {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    append(&database, &[("app", "b")], &[(1_700_000_000_123_000_000, "warn: \"x\"")]);
    let server = Server::start(database, Settings::default());
    let text = "text/plain;charset=utf-8";
    check_text(&server, "format=text", text, "2023-11-14T22:13:20.123+00:00 {app=\"b\"}: warn: \"x\"\n");
    check_text(&server, "format=text&times=none", text, "{app=\"b\"}: warn: \"x\"\n");
    check_text(
        &server,
        "format=text&streams=0&zone=Europe/Berlin",
        text,
        "2023-11-14T23:13:20.123+01:00 warn: \"x\"\n",
    );
    check_text(&server, "format=text&streams=0&zone=%2B05:30", text, "2023-11-15T03:43:20.123+05:30 warn: \"x\"\n");
    check_text(&server, "format=raw", "application/octet-stream", "warn: \"x\"\n");
    let (_, lines, _) = get(&server, "limit=1");
    let object = format!(
        "{{\"time\":\"2023-11-14T22:13:20.123+00:00\",\"id\":\"{}\",\"level\":\"warn\",\"line\":\"warn: \\\"x\\\"\",\"labels\":{{\"app\":\"b\"}}}}\n",
        lines[0].0
    );
    check_text(&server, "format=jsonl", "application/x-ndjson", &object);
}

#[test]
fn a_download_has_all_lines_and_a_name_that_is_harmless() {
    let server = Server::start(corpus(), Settings::default());
    let answer = server.get(&encoded("/api/v1/lines?format=raw&download=a\"%0d%0aX: /../b.txt"));
    assert_eq!((answer.status, answer.body.split(|byte| *byte == b'\n').count() - 1), (200, 280));
    assert!(
        answer.head.contains("content-disposition: attachment; filename=\"a___x_ _.._b.txt\"\r\n"),
        "{}",
        answer.head
    );
}

#[test]
fn a_download_is_compressed_if_its_name_says_so() {
    let server = Server::start(corpus(), Settings::default());
    let plain = server.get("/api/v1/lines?format=raw&download=a.txt");
    let answer = server.get("/api/v1/lines?format=raw&download=a.txt.gz");
    assert!(answer.head.contains("content-type: application/gzip\r\n"), "{}", answer.head);
    assert!(!answer.head.contains("content-encoding"), "{}", answer.head);
    assert!(decompressed(&answer.body) == plain.body, "it is the same file");
    let mut client = server.connect();
    client.send(
        "GET /api/v1/lines?format=raw&download=a.txt.gz HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n",
    );
    let file = client.read_answer().expect("it is answered");
    assert!(!file.head.contains("content-encoding") && decompressed(&file.body) == plain.body, "to everybody");
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let server = Server::start(corpus(), Settings::default());
    let check = |query: &str, message: &str| {
        let answer = server.get(&encoded(&format!("/api/v1/lines?{query}")));
        let body = answer.json();
        let error = body["error"].as_str().expect("it is said");
        assert!(answer.status == 400 && error.contains(message), "{query}: {} {error}", answer.status);
        body
    };
    let body = check("query={app=\"b\"} |= ", "parse error at line 1");
    assert_eq!(body["at"]["line"], 1);
    assert!(body["at"]["column"].as_u64().is_some_and(|column| 10 < column), "{body}");
    assert_eq!(check("query=rate({app=\"b\"}[1m])", "numbers").get("at"), None);
    check("query={app=\"b\"} |~ \"(\"", "");
    for name in ["after", "before", "around"] {
        check(&format!("{name}=x"), "not the id of a line");
        check(&format!("{name}=00000000000000aa.1.0.0000000g"), "not the id of a line");
    }
    check("around=00000000000000aa.1.0.00000000&after=00000000000000aa.1.0.00000000", "cannot be asked for together");
    check("limit=0", "from 1 to 100000");
    check("limit=100001", "from 1 to 100000");
    check("around=00000000000000aa.1.0.00000000&before_count=10001", "from 0 to 10000");
    check("direction=up", "forward or backward");
    check("format=xml", "ndjson, jsonl, text or raw");
    check("start=2&end=1", "end lies before start");
    check("start=yesterday", "RFC 3339");
    check("zone=Nowhere/Else", "time zone");
    check("zone=%2B99:00", "time zone");
    check("zone=../../etc/passwd", "time zone");
    check("times=all", "none, zone or utc");
    check("streams=2", "0 or 1");
    check("timeout=-1s", "how long");
    check(&format!("download={}", "x".repeat(300)), "over the limit");
    check("query=%ff", "not valid UTF-8");
}

#[test]
fn a_query_may_be_posted_as_a_form() {
    let server = Server::start(corpus(), Settings::default());
    let body = "query=%7Bapp%3D%22b%22%7D&limit=3&direction=forward";
    let mut client = server.connect();
    client.send(format!(
        "POST /api/v1/lines HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let answer = client.read_answer().expect("it is answered");
    assert_eq!((answer.status, records(&answer.body).1.len()), (200, 3));
}

#[test]
fn what_is_found_first_is_sent_before_the_rest_is_looked_for() {
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let filler: Vec<(i64, String)> = (0..60_000).map(|n| (n, format!("n={n} {}", "x".repeat(100)))).collect();
    for lines in filler.chunks(10_000) {
        let lines: Vec<(i64, &str)> = lines.iter().map(|(ns, line)| (*ns, line.as_str())).collect();
        append(&database, &[("app", "b")], &lines);
        database.commit().expect("memory takes a commit");
    }
    append(&database, &[("app", "b")], &[(i64::MAX - 2, "n=needle")]);
    let server = Server::start(database, Settings::default());
    // A pipeline that keeps the search from skipping what has no needle in it.
    let target = encoded("/api/v1/lines?query={app=\"b\"} | label_format m=`{{__line__}}` | m=~`.*needle.*`");
    let mut client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"));
    let answer = client.read_head().expect("it is answered");
    assert!(answer.head.contains("content-encoding: gzip"), "{}", answer.head);
    let chunk = client.read_chunk().expect("there is a first piece");
    let first = String::from_utf8(decompressed(&chunk)).expect("records are text");
    assert!(first.contains("n=needle") && !first.contains("{\"end\""), "{first}");
    let mut compressed = chunk;
    while let Some(chunk) = client.read_chunk().filter(|chunk| !chunk.is_empty()) {
        compressed.extend(chunk);
    }
    let all = decompressed(&compressed);
    let (records, lines, end) = records(&all);
    assert_eq!((lines.len(), &end["reason"]), (1, &json!("complete")));
    let seen = records.iter().find_map(|record| record.get("seen"));
    assert!(seen.is_none_or(|seen| seen["lines"].as_u64().is_some_and(|lines| 0 < lines)), "{seen:?}");
}

#[test]
fn an_answer_that_takes_too_long_says_where_it_stopped() {
    let server = Server::start_limited(corpus(), Settings::default(), QueryLimits::default());
    let (_, lines, end) = get(
        &server,
        "direction=forward&timeout=1ms&query={service_name=~\".+\"} | label_format m=`{{ repeat 5000 __line__ }}` | m=~`(x.*){50}y`",
    );
    assert!(lines.is_empty() && (end["reason"] == "time" || end["reason"] == "complete"), "{end}");
}
