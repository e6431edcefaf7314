//! Rules of the real binary: a receiver is told, clients are answered, and a restart forgets nothing.
#![expect(clippy::disallowed_methods, reason = "these tests write logs and rules")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::{Agent, Place};
use crate::support::PATIENCE;

const RULES: &str = r#"groups:
- name: lines
  interval: 1s
  rules:
  - alert: Broken
    expr: sum by (path) (count_over_time({path=~".+"} |= "broke" [1h])) > 0
    for: 1s
    labels: {severity: page}
    annotations: {summary: "{{ $value }} of {{ $labels.path }}"}
  - record: lines:count1h
    expr: sum(count_over_time({path=~".+"} [1h]))
"#;

/// A receiver of HTTP, and what it is sent.
fn receiver() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, messages) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && matches!(stream.read_line(&mut head), Ok(1..)) {}
                let length =
                    head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                let Some(length) = length else { break };
                let mut body: Vec<u8> = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let _ = sender.send(serde_json::from_slice(&body).unwrap());
                let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    (address, messages)
}

#[test]
fn receivers_are_told_of_what_fires_and_clients_are_answered() {
    let place = Place::new();
    let rules = place.logs().parent().unwrap().join("rules.yaml");
    fs::write(&rules, RULES).unwrap();
    let ((webhook, told), (alertmanager, posted)) = (receiver(), receiver());
    let command = || {
        let mut command: Command = place.command();
        command.args(["--rules-delay", "0", "--rules"]).arg(&rules);
        command.args(["--notify", &format!("webhook+http://{webhook}/x")]);
        command.args(["--notify", &format!("alertmanager+http://{alertmanager}")]);
        command
    };
    place.append("a.log", "it broke\n");
    let agent = Agent::start(command());
    let message = told.recv_timeout(PATIENCE).unwrap();
    let path = place.logs().join("a.log").display().to_string();
    assert_eq!((&message["status"], &message["version"]), (&"firing".into(), &"4".into()));
    let labels = serde_json::json!({"alertname": "Broken", "path": path, "severity": "page"});
    assert_eq!(message["alerts"][0]["labels"], labels);
    assert_eq!(message["alerts"][0]["annotations"]["summary"], format!("1 of {path}"));
    assert_eq!(posted.recv_timeout(PATIENCE).unwrap()[0]["labels"], labels);

    let alerts = agent.get("/prometheus/api/v1/alerts").json();
    assert_eq!((&alerts["data"]["alerts"][0]["state"], &alerts["status"]), (&"firing".into(), &"success".into()));
    let status = agent.get("/status").json();
    assert_eq!(status["alerts"][0]["summary"], format!("1 of {path}"));
    let rules_of = |query: &str| agent.get(&format!("/prometheus/api/v1/rules{query}")).json()["data"]["groups"].take();
    let groups = rules_of("");
    assert_eq!(
        (&groups[0]["name"], &groups[0]["file"], groups[0]["rules"].as_array().unwrap().len()),
        (&"lines".into(), &"rules.yaml".into(), 2)
    );
    assert_eq!((&groups[0]["rules"][0]["state"], &groups[0]["rules"][0]["health"]), (&"firing".into(), &"ok".into()));
    assert_eq!(rules_of("?type=record")[0]["rules"][0]["type"], "recording");
    assert_eq!(rules_of("?rule_name[]=None"), serde_json::json!([]));
    let written = agent.get("/loki/api/v1/rules").json();
    assert_eq!(written["rules.yaml"][0]["rules"][0]["alert"], "Broken");
    let metrics = || String::from_utf8(agent.get("/metrics").body).unwrap();
    let start = Instant::now();
    while !metrics().contains("\nlines:count1h 1\n") || !metrics().contains("\nmonitoring_alerts{state=\"firing\"} 1\n")
    {
        assert!(start.elapsed() < PATIENCE, "{}", metrics());
        std::thread::yield_now();
    }

    // Killed and started again, it fires since the same time, and the webhook is not told again.
    let since = alerts["data"]["alerts"][0]["activeAt"].clone();
    drop(agent);
    while told.try_recv().is_ok() {}
    let agent = Agent::start(command());
    let start = Instant::now();
    loop {
        let alerts = agent.get("/prometheus/api/v1/alerts").json();
        if alerts["data"]["alerts"][0]["state"] == "firing" {
            assert_eq!(alerts["data"]["alerts"][0]["activeAt"], since);
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{alerts}");
        std::thread::yield_now();
    }
    assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "it was told before");
}

#[test]
fn wrong_rules_keep_the_agent_from_starting_and_check_says_where() {
    let place = Place::new();
    let rules = place.logs().parent().unwrap().join("rules.yaml");
    fs::write(&rules, RULES.replace("for: 1s", "for: soon")).unwrap();
    let expected = "rules.yaml, line 7, column 10: not a valid duration string: \"soon\"";
    let output = place.command().arg("--rules").arg(&rules).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    let mut check = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    let output = check.args(["check", "--root-path"]).arg(place.logs()).arg("--rules").arg(&rules).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && said.contains(expected), "{said}");
}
