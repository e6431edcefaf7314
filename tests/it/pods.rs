//! The real binary on a node: a kubelet's files, and an API server that tells of its pods early, late, or never.
#![expect(clippy::disallowed_methods, reason = "these tests are the kubelet that writes its files")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::{self, WebSocket};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::Agent;
use crate::containers::{wait_for, wait_for_texts};
use crate::support::{self, PATIENCE, encoded};

/// What an API server has, and what became of it: for each watch the events from its version on.
#[derive(Default)]
pub(crate) struct Cluster {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pods: Vec<Value>,
    events: Vec<Value>,
    /// The status that everything is answered with; 200 where all is well.
    refusal: u16,
    requests: Requests,
    /// How many times faster than they were asked for watches end; never where it is 0.
    haste: u32,
    is_over: bool,
}

/// What the API server was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) lists: usize,
    pub(crate) watches: usize,
}

impl Cluster {
    /// Starts to answer, and returns the address.
    fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cluster = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if cluster.state.lock().unwrap().is_over {
                    break;
                }
                let cluster = Arc::clone(&cluster);
                std::thread::spawn(move || cluster.answer(stream));
            }
        });
        url
    }

    /// A client that has enough ends it.
    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && 0 < stream.read_line(&mut head).ok()? {}
        let stream = stream.get_mut();
        let is_watch = head.contains("watch=1");
        let mut state = self.state.lock().unwrap();
        let requests = &mut state.requests;
        *(if is_watch { &mut requests.watches } else { &mut requests.lists }) += 1;
        if state.refusal != 0 {
            let body = json!({"message": "pods is forbidden"}).to_string();
            let text = format!("HTTP/1.1 {} No\r\nContent-Length: {}\r\n\r\n{body}", state.refusal, body.len());
            return stream.write_all(text.as_bytes()).ok();
        }
        if !is_watch {
            let version = state.events.len().to_string();
            let body = json!({"metadata": {"resourceVersion": version}, "items": state.pods}).to_string();
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            return stream.write_all(text.as_bytes()).ok();
        }
        let (_, version) = head.split_once("&resourceVersion=")?;
        let mut sent: usize = version.split_once(' ')?.0.parse().ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
        let start = Instant::now();
        let (_, seconds) = head.split_once("timeoutSeconds=")?;
        let seconds = seconds.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()?;
        while !state.is_over {
            if Duration::from_secs(seconds) <= start.elapsed() * state.haste {
                return stream.write_all(b"0\r\n\r\n").ok();
            }
            while let Some(event) = state.events.get(sent) {
                let text = format!("{event}\n");
                stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).ok()?;
                sent += 1;
            }
            state = self.changed.wait_timeout(state, Duration::from_millis(100)).unwrap().0;
        }
        Some(())
    }

    pub(crate) fn tell(&self, kind: &str, pod: Value) {
        let mut state = self.state.lock().unwrap();
        let uid = |pod: &Value| pod["metadata"]["uid"].clone();
        state.pods.retain(|known| uid(known) != uid(&pod));
        let mut object = pod.clone();
        object["metadata"]["resourceVersion"] = json!((state.events.len() + 1).to_string());
        state.events.push(json!({"type": kind, "object": object}));
        if kind != "DELETED" {
            state.pods.push(pod);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn refuse(&self, status: u16) {
        self.state.lock().unwrap().refusal = status;
    }

    pub(crate) fn requests(&self) -> Requests {
        self.state.lock().unwrap().requests
    }

    /// Has watches end so many times faster than they were asked for.
    pub(crate) fn hasten(&self, times: u32) {
        self.state.lock().unwrap().haste = times;
    }
}

/// A node with its files, and its cluster.
pub(crate) struct Node {
    directory: TempDir,
    pub(crate) cluster: Arc<Cluster>,
    url: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.cluster.state.lock().unwrap().is_over = true;
        self.cluster.changed.notify_all();
        // Lets whoever waits for the next client see that it is over.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl Node {
    pub(crate) fn new() -> Self {
        let (directory, cluster) = (tempfile::tempdir().unwrap(), Arc::<Cluster>::default());
        for name in ["containers", "pods"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("token"), "token\n").unwrap();
        let url = cluster.serve();
        Self { directory, cluster, url }
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Agent {
        self.start_program(env!("CARGO_BIN_EXE_monitoring-rs"), arguments)
    }

    /// As [`Node::start`], with an agent that was built otherwise.
    pub(crate) fn start_program(&self, program: &str, arguments: &[&str]) -> Agent {
        let path = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(program);
        command.env_clear().args(["--log-collector", "Kubernetes", "--listen", "127.0.0.1:0", "--node-name", "n1"]);
        command.arg("--root-path").arg(path("containers")).arg("--data-directory").arg(path("data"));
        command.arg("--kubernetes-token-file").arg(path("token")).env("KUBERNETES_API", &self.url).args(arguments);
        Agent::start(command)
    }

    fn log(&self, pod: &str, uid: &str) -> PathBuf {
        self.directory.path().join(format!("pods/shop_{pod}_{uid}/c/0.log"))
    }

    /// Starts a container as a kubelet does: its first lines are older than its link.
    pub(crate) fn run(&self, pod: &str, uid: &str, id: &str) {
        let log = self.log(pod, uid);
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        self.write(pod, uid, 1, &format!("first of {uid}"));
        symlink(&log, self.directory.path().join(format!("containers/{pod}_shop_c-{id}.log"))).unwrap();
    }

    pub(crate) fn write(&self, pod: &str, uid: &str, second: usize, line: &str) {
        let mut log = OpenOptions::new().append(true).create(true).open(self.log(pod, uid)).unwrap();
        writeln!(log, "2026-11-22T13:04:{second:02}.000000001Z stdout F {line}").unwrap();
    }

    /// Deletes a pod as a kubelet does: its log, the link, the directory.
    pub(crate) fn delete(&self, pod: &str, uid: &str, id: &str) {
        fs::remove_file(self.log(pod, uid)).unwrap();
        fs::remove_file(self.directory.path().join(format!("containers/{pod}_shop_c-{id}.log"))).unwrap();
        fs::remove_dir_all(self.log(pod, uid).ancestors().nth(2).unwrap()).unwrap();
    }
}

pub(crate) fn pod(name: &str, uid: &str, labels: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop", "uid": uid, "labels": labels}})
}

#[track_caller]
pub(crate) fn check_lines(agent: &Agent, target: &str, expected: &[&str]) {
    let expected = json!(expected);
    wait_for(agent, target, |_, body| serde_json::from_str::<Value>(body).is_ok_and(|body| body == expected));
}

#[test]
fn lines_are_found_by_labels_that_came_before_them_after_them_or_changed() {
    let node = Node::new();
    node.cluster.tell("ADDED", pod("early-0", "e", &json!({"team": "a"})));
    let agent = node.start(&[]);
    wait_for_texts(&agent, "/metrics", &["monitoring_kubernetes_api_up 1", "monitoring_kubernetes_pods 1"]);
    node.run("early-0", "e", "1a");
    node.run("late-0", "l", "1b");
    check_lines(&agent, "/logs/team/a", &["first of e"]);
    check_lines(&agent, "/logs/pod/late-0", &["first of l"]);
    assert_eq!(agent.get("/logs/team/b").status, 404);
    node.cluster.tell("ADDED", pod("late-0", "l", &json!({"team": "b"})));
    check_lines(&agent, "/logs/team/b", &["first of l"]);
    // One stream, whose old lines are found by the new label.
    node.cluster.tell("MODIFIED", pod("late-0", "l", &json!({"team": "c"})));
    check_lines(&agent, "/logs/team/c", &["first of l"]);
    assert_eq!(agent.get("/logs/team/b").status, 404);
    node.write("late-0", "l", 2, "second of l");
    check_lines(&agent, "/logs/team/c", &["first of l", "second of l"]);
    let streams = wait_for_texts(&agent, "/api/v1/streams?query={team=\"c\"}", &["second of l"]);
    assert_eq!(streams.matches("\"id\":").count(), 1, "{streams}");
}

#[test]
fn a_pod_that_comes_back_under_its_name_has_labels_of_its_own_and_one_that_is_gone_keeps_its() {
    let node = Node::new();
    node.cluster.tell("ADDED", pod("db-0", "u1", &json!({"role": "primary"})));
    node.run("db-0", "u1", "1a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/role/primary", &["first of u1"]);
    node.delete("db-0", "u1", "1a");
    node.cluster.tell("DELETED", pod("db-0", "u1", &json!({"role": "primary"})));
    node.cluster.tell("ADDED", pod("db-0", "u2", &json!({"role": "replica"})));
    node.run("db-0", "u2", "2a");
    check_lines(&agent, "/logs/role/replica", &["first of u2"]);
    check_lines(&agent, "/logs/role/primary", &["first of u1"]);
    // Neither a restart nor an API that is away takes them away.
    assert!(agent.end(Signal::TERM).0.success());
    node.cluster.refuse(403);
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/role/primary", &["first of u1"]);
    check_lines(&agent, "/logs/role/replica", &["first of u2"]);
    wait_for_texts(&agent, "/status", &["\"kubernetes\":{\"up\":false", "may not list pods: pods is forbidden"]);
}

#[test]
fn a_pod_that_is_gone_at_once_keeps_its_labels_whenever_they_are_told() {
    let node = Node::new();
    let agent = node.start(&[]);
    wait_for_texts(&agent, "/metrics", &["monitoring_kubernetes_api_up 1"]);
    let (before, after) = (pod("job-1", "b", &json!({"team": "a"})), pod("job-2", "a", &json!({"team": "b"})));
    node.cluster.tell("ADDED", before.clone());
    node.run("job-1", "b", "1a");
    check_lines(&agent, "/logs/pod/job-1", &["first of b"]);
    node.delete("job-1", "b", "1a");
    node.cluster.tell("DELETED", before);
    node.run("job-2", "a", "1b");
    check_lines(&agent, "/logs/pod/job-2", &["first of a"]);
    node.delete("job-2", "a", "1b");
    node.cluster.tell("ADDED", after.clone());
    node.cluster.tell("DELETED", after);
    let check = |agent: &Agent| {
        check_lines(agent, "/logs/team/a", &["first of b"]);
        check_lines(agent, "/logs/team/b", &["first of a"]);
    };
    check(&agent);
    assert!(agent.end(Signal::TERM).0.success());
    check(&node.start(&[]));
}

#[test]
fn what_a_kill_takes_of_records_comes_again_or_is_missing_and_never_another_pods() {
    let node = Node::new();
    node.run("db-0", "u1", "1a");
    node.run("web-0", "w", "1b");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/pod/db-0", &["first of u1"]);
    node.cluster.tell("ADDED", pod("db-0", "u1", &json!({"role": "primary"})));
    node.cluster.tell("ADDED", pod("web-0", "w", &json!({"role": "front"})));
    check_lines(&agent, "/logs/role/front", &["first of w"]);
    agent.end(Signal::KILL);
    // One is gone when it comes back, and its name is another's.
    node.delete("db-0", "u1", "1a");
    node.cluster.tell("DELETED", pod("db-0", "u1", &json!({"role": "primary"})));
    node.cluster.tell("ADDED", pod("db-0", "u2", &json!({"role": "replica"})));
    node.run("db-0", "u2", "2a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/role/front", &["first of w"]);
    check_lines(&agent, "/logs/role/replica", &["first of u2"]);
    let primary = agent.get("/logs/role/primary");
    let primary = String::from_utf8(primary.body).unwrap();
    assert!(!primary.contains("of u2") && !primary.contains("of w"), "{primary}");
}

#[test]
fn a_static_pod_is_known_by_its_mirror() {
    let node = Node::new();
    let mut mirror = pod("etcd-n1", "of the mirror", &json!({"tier": "control-plane"}));
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "57585a"});
    mirror["metadata"]["ownerReferences"] = json!([{"kind": "Node", "name": "n1", "controller": true}]);
    node.cluster.tell("ADDED", mirror);
    node.run("etcd-n1", "57585a", "1a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/tier/control-plane", &["first of 57585a"]);
    check_lines(&agent, "/logs/app/etcd", &["first of 57585a"]);
}

#[test]
fn without_the_api_no_line_is_late_and_nobody_is_asked() {
    let node = Node::new();
    node.cluster.refuse(503);
    node.run("web-0", "u", "1a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/namespace/shop", &["first of u"]);
    wait_for_texts(&agent, "/metrics", &["monitoring_kubernetes_api_up 0"]);
    // It comes back: the line is found by labels that it did not have.
    node.cluster.tell("ADDED", pod("web-0", "u", &json!({"app": "web"})));
    node.cluster.refuse(0);
    check_lines(&agent, "/logs/app/web", &["first of u"]);
    assert!(agent.end(Signal::TERM).0.success());
    let requests = node.cluster.requests();
    let agent = node.start(&["--kubernetes-api", "off"]);
    node.write("web-0", "u", 2, "second of u");
    check_lines(&agent, "/logs/app/web", &["first of u", "second of u"]);
    assert!(!wait_for(&agent, "/status", |status, _| status == 200).contains("\"kubernetes\""));
    assert_eq!(node.cluster.requests(), requests);
}

#[test]
fn what_a_pod_excludes_is_skipped_from_then_on_and_collected_again_after_it() {
    let node = Node::new();
    let excluding = |value: &str| {
        let mut pod = pod("web-0", "u", &json!({"app": "web"}));
        pod["metadata"]["annotations"] = json!({"monitoring-rs/exclude": value});
        pod
    };
    node.cluster.tell("ADDED", excluding("false"));
    node.run("web-0", "u", "1a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/app/web", &["first of u"]);
    let marked = |value: &str, mark: &str| {
        let mut pod = excluding(value);
        pod["metadata"]["labels"]["mark"] = json!(mark);
        node.cluster.tell("MODIFIED", pod);
        check_lines(&agent, &format!("/logs/mark/{mark}"), &["first of u"]);
    };
    marked("true", "off");
    node.write("web-0", "u", 2, "second of u");
    wait_for(&agent, "/metrics", |_, body| {
        let skipped = body
            .lines()
            .find_map(|line| line.strip_prefix("monitoring_source_bytes_skipped_total{reason=\"excluded\"} "));
        skipped.is_some_and(|bytes| bytes != "0")
    });
    marked("false", "on");
    node.write("web-0", "u", 3, "third of u");
    check_lines(&agent, "/logs/app/web", &["first of u", "third of u"]);
    wait_for_texts(&agent, "/metrics", &["monitoring_source_bytes_unaccounted 0\n"]);
}

/// A client that follows a live tail of the agent.
struct Tail(WebSocket<TcpStream>);

impl Tail {
    fn of(agent: &Agent, target: &str) -> Self {
        let url = format!("ws://{}{}", agent.address, encoded(target));
        let stream = TcpStream::connect(agent.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let Ok((socket, _)) = tungstenite::client(url, stream) else { panic!("{target} cannot be followed") };
        Self(socket)
    }

    /// Reads on until a frame has `text`; no frame before it may have one of `others`.
    #[track_caller]
    fn wait_for(&mut self, text: &str, others: &[&str]) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "nothing of {text:?}");
            let frame = support::next_message(&mut self.0).into_text().unwrap();
            assert!(!others.iter().any(|other| frame.contains(other)), "{frame}");
            if frame.contains(text) {
                return;
            }
        }
    }
}

#[test]
fn a_tail_gives_the_lines_of_a_new_pod_that_came_before_its_labels() {
    let node = Node::new();
    let agent = node.start(&[]);
    wait_for_texts(&agent, "/metrics", &["monitoring_kubernetes_api_up 1"]);
    let query = "query={team=\"b\"}";
    let targets = ["/loki/api/v1/tail?", "/api/v1/follow?"];
    let mut tails = targets.map(|target| Tail::of(&agent, &format!("{target}{query}")));
    node.run("late-0", "l", "1b");
    node.run("other-0", "o", "1c");
    check_lines(&agent, "/logs/pod/late-0", &["first of l"]);
    check_lines(&agent, "/logs/pod/other-0", &["first of o"]);
    node.cluster.tell("ADDED", pod("other-0", "o", &json!({"team": "a"})));
    node.cluster.tell("ADDED", pod("late-0", "l", &json!({"team": "b"})));
    for tail in &mut tails {
        tail.wait_for("first of l", &["of o"]);
    }
    // It follows a change of labels, there and back.
    node.write("late-0", "l", 2, "second of l");
    for tail in &mut tails {
        tail.wait_for("second of l", &["of o", "first"]);
    }
    node.cluster.tell("MODIFIED", pod("late-0", "l", &json!({"team": "c"})));
    check_lines(&agent, "/logs/team/c", &["first of l", "second of l"]);
    node.write("late-0", "l", 3, "third of l");
    check_lines(&agent, "/logs/team/c", &["first of l", "second of l", "third of l"]);
    node.cluster.tell("MODIFIED", pod("late-0", "l", &json!({"team": "b"})));
    check_lines(&agent, "/logs/team/b", &["first of l", "second of l", "third of l"]);
    node.write("late-0", "l", 4, "fourth of l");
    for tail in &mut tails {
        tail.wait_for("fourth of l", &["of o", "first", "second"]);
    }
}

#[test]
fn numbers_are_grouped_by_labels_that_are_not_shown() {
    let node = Node::new();
    node.cluster.tell("ADDED", pod("web-0", "u", &json!({"app": "web", "pod-template-hash": "7d4"})));
    node.run("web-0", "u", "1a");
    let agent = node.start(&[]);
    check_lines(&agent, "/logs/pod_template_hash/7d4", &["first of u"]);
    let query = |expression: &str| format!("/loki/api/v1/query?time=2026-11-22T13:05:00Z&query={expression}");
    let counted = "(count_over_time({pod_template_hash=\"7d4\"}[1h]))";
    wait_for_texts(
        &agent,
        &query(&format!("sum by (pod_template_hash) {counted}")),
        &["{\"pod_template_hash\":\"7d4\"}"],
    );
    let others = query("sum without (stream) (count_over_time({app=\"web\"}[1h]))");
    let others = wait_for_texts(&agent, &others, &["\"app\":\"web\""]);
    assert!(!others.contains("pod_template_hash"), "{others}");
    let streams = wait_for_texts(&agent, "/api/v1/streams?query={pod_template_hash=\"7d4\"}", &["\"app\":\"web\""]);
    assert!(!streams.contains("\"pod_template_hash\":"), "{streams}");
}
