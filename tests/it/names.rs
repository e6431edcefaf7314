//! What names cost on a node with many pods and containers: one test of 500 pods, and the figures of `docs/measurements.md`,
//! which `make bench-names` prints.
#![expect(clippy::disallowed_methods, reason = "these tests are the kubelet and the engine that write their files")]
#![expect(clippy::print_stdout, reason = "figures are what they are for")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::containers::{Engine, wait_for};
use crate::pods::{Node, pod};
use crate::support::encoded;

/// How many applications the pods are of.
const APPS: usize = 60;
/// How many times faster than real the idle hour goes by.
const HASTE: u32 = 100;

fn name(number: usize) -> String {
    format!("web-{number}")
}

/// A pod as a Deployment makes it, with what others write beside its labels.
fn described(number: usize) -> Value {
    let app = number % APPS;
    let labels = json!({
        "app.kubernetes.io/name": format!("app-{app}"), "app.kubernetes.io/part-of": "shop", "number": number.to_string(),
        "app.kubernetes.io/version": "1.27.4", "team": format!("team-{}", app % 7), "tier": "backend",
        "pod-template-hash": format!("7d4b9c6f{app}"), "environment": "production",
    });
    let mut pod = pod(&name(number), &format!("uid-{number}"), &labels);
    pod["metadata"]["managedFields"] =
        json!([{"manager": "kubelet", "fieldsV1": {"f:metadata": "f:labels ".repeat(300)}}]);
    pod
}

fn start(node: &Node, number: usize) {
    node.run(&name(number), &format!("uid-{number}"), &format!("{number:064x}"));
}

/// Waits until so many values of a label are known.
#[track_caller]
fn wait_for_values(agent: &Agent, label: &str, count: usize) {
    let times = "start=2026-11-22T13:00:00Z&end=2026-11-22T14:00:00Z";
    wait_for(agent, &format!("/loki/api/v1/label/{label}/values?{times}"), |_, body| {
        serde_json::from_str::<Value>(body)
            .is_ok_and(|body| body["data"].as_array().is_some_and(|all| all.len() == count))
    });
}

#[test]
fn five_hundred_pods_come_at_once_and_are_listed_once() {
    let (node, begin) = (Node::new(), Instant::now());
    let agent = node.start(&[]);
    wait_for(&agent, "/metrics", |_, body| body.contains("monitoring_kubernetes_api_up 1\n"));
    for number in 0..500 {
        node.cluster.tell("ADDED", described(number));
        start(&node, number);
    }
    wait_for_values(&agent, "number", 500);
    for number in 0..250 {
        node.delete(&name(number), &format!("uid-{number}"), &format!("{number:064x}"));
        node.cluster.tell("DELETED", described(number));
        node.cluster.tell("ADDED", described(500 + number));
        start(&node, 500 + number);
    }
    wait_for_values(&agent, "number", 750);
    wait_for(&agent, "/metrics", |_, body| body.contains("monitoring_kubernetes_pods 500\n"));
    // One, and at most one in half a minute for pods that are told of late.
    let lists = node.cluster.requests().lists;
    assert!(lists as u64 <= 1 + begin.elapsed().as_secs() / 30, "{lists} lists in {:?}", begin.elapsed());
    // Those that are gone are known from what is stored.
    agent.end(Signal::TERM);
    let agent = node.start(&[]);
    wait_for_values(&agent, "number", 750);
}

/// The agent that is measured: `MONITORING_RS`, as a release is built, or the one of the tests.
fn program() -> String {
    env::var("MONITORING_RS").unwrap_or_else(|_| env!("CARGO_BIN_EXE_monitoring-rs").to_owned())
}

/// Resident memory once the agent has given back what it can, in MiB.
fn memory_mib(agent: &Agent) -> f64 {
    sleep(Duration::from_secs(8));
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).unwrap();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse::<u32>().ok());
    f64::from(kib.unwrap()) / 1024.0
}

/// The value that so many in a hundred are at most.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[test]
#[ignore = "measures: make bench-names"]
fn figures_of_first_lines_and_requests() {
    let node = Node::new();
    let agent = node.start_program(&program(), &[]);
    wait_for(&agent, "/metrics", |_, body| body.contains("monitoring_kubernetes_api_up 1\n"));
    let (mut by_pod, mut by_label) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let begin = Instant::now();
        node.cluster.tell("ADDED", described(number));
        start(&node, number);
        wait_for(&agent, &format!("/logs/pod/{}", name(number)), |status, _| status == 200);
        by_pod.push(begin.elapsed().as_secs_f64() * 1e3);
        wait_for(&agent, &format!("/logs/number/{number}"), |status, _| status == 200);
        by_label.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    for (what, values) in [("namespace and pod", sorted(by_pod)), ("a pod's label", sorted(by_label))] {
        println!("first line by {what}: p50 {:.1} ms, p99 {:.1} ms", percentile(&values, 50), percentile(&values, 99));
    }
    node.cluster.hasten(HASTE);
    let before = node.cluster.requests();
    sleep(Duration::from_hours(1) / HASTE);
    let after = node.cluster.requests();
    let (watches, lists) = (after.watches - before.watches, after.lists - before.lists);
    println!("requests in an idle hour, {HASTE} times as fast: {watches} watches, {lists} lists");
}

#[test]
#[ignore = "measures: make bench-names"]
fn figures_of_memory() {
    for count in [250, 2000] {
        let node = Node::new();
        for number in 0..count {
            node.cluster.tell("ADDED", described(number));
            start(&node, number);
        }
        let measured = |arguments: &[&str], label: &str| {
            let agent = node.start_program(&program(), arguments);
            wait_for_values(&agent, label, count);
            let mib = memory_mib(&agent);
            assert!(agent.end(Signal::TERM).0.success());
            mib
        };
        let without = measured(&["--kubernetes-api", "off"], "pod");
        let with = measured(&[], "number");
        println!("{count} pods: {with:.1} MiB, {without:.1} MiB without the API: {:+.1} MiB", with - without);
    }
    let engine = Engine::new();
    let ids: Vec<String> = (0..500).map(|number| format!("{number:064x}")).collect();
    let measured = |label: &str| {
        let agent = engine.start_program(&program(), &["--log-collector", "Docker"]);
        wait_for_values(&agent, label, ids.len());
        memory_mib(&agent)
    };
    for id in &ids {
        fs::create_dir(engine.root().join(id)).unwrap();
        engine.log(id, 1, "one");
    }
    let without = measured("container_id");
    for (number, id) in ids.iter().enumerate() {
        engine.describe(id, &name(number), &format!("project-{}", number % APPS));
    }
    let with = measured("container");
    println!("500 containers: {with:.1} MiB, {without:.1} MiB without their names: {:+.1} MiB", with - without);
}

#[test]
#[ignore = "measures: make bench-names"]
fn figures_of_queries() {
    let (engine, line_count) = (Engine::new(), 40_000);
    for container in 0..20 {
        let id = format!("{container:064x}");
        engine.describe(&id, &name(container), "shop");
        let mut text = String::new();
        for line in 0..line_count {
            let (minute, second) = (line * 59 / line_count, line % 60);
            let took = line * 7919 % 1000;
            let log = format!("GET /api/items/{line} took {took} ms for user-{}", line % 977);
            let time = format!("2026-11-22T13:{minute:02}:{second:02}.5Z");
            writeln!(text, r#"{{"log":"{log}\n","stream":"stdout","time":"{time}"}}"#).unwrap();
        }
        fs::write(engine.root().join(&id).join(format!("{id}-json.log")), text).unwrap();
    }
    let agent = engine.start_program(&program(), &["--log-collector", "Docker"]);
    wait_for_values(&agent, "container", 20);
    let times = "start=2026-11-22T13:00:00Z&end=2026-11-22T14:00:00Z&limit=1000";
    let target = |query: &str| encoded(&format!("/loki/api/v1/query_range?query={query}&step=60&{times}"));
    let id = format!("{:064x}", 7);
    let questions = [
        ("lines of one container", format!("{{container_id=\"{id}\"}}"), "{container=\"web-7\"}".to_owned()),
        (
            "lines with a word",
            "{container_id=~\".+\"} |= \"user-976\"".into(),
            "{container=~\"web.+\"} |= \"user-976\"".into(),
        ),
        (
            "count by container and minute",
            "sum by (container_id) (count_over_time({container_id=~\".+\"} |= \"took 999\" [1m]))".into(),
            "sum by (app) (count_over_time({compose_project=\"shop\"} |= \"took 999\" [1m]))".into(),
        ),
    ];
    // Until everything is read.
    let all = "sum(count_over_time({container_id=~\".+\"}[1h]))";
    let all = format!("/loki/api/v1/query?time=2026-11-22T14:00:00Z&query={all}");
    wait_for(&agent, &all, |_, body| body.contains(&format!("\"{}\"", 20 * line_count)));
    for (what, stored, joined) in &questions {
        let ask = |query: &str| {
            let begin = Instant::now();
            assert_eq!(agent.get(&target(query)).status, 200);
            begin.elapsed().as_secs_f64() * 1e3
        };
        // In turns, so that what else the machine does meets both.
        let (stored, joined) = (0..41).map(|_| (ask(stored), ask(joined))).unzip();
        let (stored, joined) = (percentile(&sorted(stored), 50), percentile(&sorted(joined), 50));
        println!(
            "{what}: {stored:.2} ms by stored labels, {joined:.2} ms by joined ones, {:.3} of it",
            joined / stored
        );
    }
}
