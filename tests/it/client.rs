//! The subcommands, run as their user does: whole outputs, in pipes and in terminals, and through the agent's death.
#![expect(clippy::disallowed_methods, reason = "these tests read what a program writes, and wait for what it does")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use monitoring_rs::api::Settings;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::agent::{Agent, Place};
use crate::support::{PATIENCE, Server};

/// 2026-11-30T10:00:00Z, in seconds since the Unix epoch.
const BEGIN: i64 = 1_796_032_800;

fn database() -> Database {
    Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database")
}

/// Appends lines, each so many seconds after [`BEGIN`].
fn append(database: &Database, labels: &[(&str, &str)], lines: &[(i64, &str)]) {
    let labels = Labels::new(labels.iter().copied()).expect("they are labels");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (second, line) in lines {
        stream.lines.push(Timestamp::from_ns((BEGIN + second) * 1_000_000_000), line.as_bytes());
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
}

/// What a small cluster, a compose project and a machine have logged.
fn node() -> Database {
    let database = database();
    let pod = |id, lines: &[_]| {
        let labels = [
            ("app", "web"),
            ("container", "nginx"),
            ("container_id", id),
            ("namespace", "prod"),
            ("pod", "web-7d4f9c-x2x4z"),
        ];
        append(&database, &labels, lines);
    };
    pod("aa", &[(0, "old start"), (1, "old end")]);
    pod("bb", &[(2, "start"), (3, "error: no route"), (4, "error: timeout")]);
    append(
        &database,
        &[("compose_service", "front"), ("container", "shop-front-1")],
        &[(5, "one"), (7, "two"), (9, "three")],
    );
    append(&database, &[("compose_service", "db"), ("container", "shop-db-1")], &[(6, "ready"), (8, "checkpoint")]);
    append(
        &database,
        &[("path", "/var/log/app.log")],
        &[(10, "a"), (11, "b error"), (12, "c"), (13, "d"), (14, "e"), (15, "f error"), (16, "g")],
    );
    append(&database, &[("unit", "ssh.service")], &[(20, "listening")]);
    database
}

fn command(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().env("MONITORING_ADDR", format!("http://{address}")).env("TZ", "UTC").args(arguments);
    command.stdin(Stdio::null());
    command
}

fn run(server: &Server, arguments: &[&str]) -> Output {
    command(server.address, arguments).output().expect("the program is there")
}

#[track_caller]
fn check(server: &Server, arguments: &[&str], expected: &str) {
    let output = run(server, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((out.as_ref(), err.as_ref(), output.status.code()), (expected, "", Some(0)), "{arguments:?}");
}

/// Checks how a command fails that prints nothing.
#[track_caller]
fn check_fails(server: &Server, arguments: &[&str], status: i32, expected: &str) {
    let output = run(server, arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(status) && err.contains(expected), "{arguments:?}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
}

/// A client that runs; killed when it is dropped.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(address: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = command(address, arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("it is text");
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// The words of a command line, of which some are in single quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in line.chars().chain([' ']) {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            c => word.push(c),
        }
    }
    words
}

/// What the commands of the documentation's table of habits print, in its order.
const HABITS: [&[&str]; 15] = [
    &["old start", "old end", "start", "error: no route", "error: timeout"],
    &["error: timeout"],
    &["old start", "old end", "start", "error: no route", "error: timeout", "more"],
    &[
        "prod/web-7d4f9c-x2x4z/nginx: old start",
        "prod/web-7d4f9c-x2x4z/nginx: old end",
        "prod/web-7d4f9c-x2x4z/nginx: start",
        "prod/web-7d4f9c-x2x4z/nginx: error: no route",
        "prod/web-7d4f9c-x2x4z/nginx: error: timeout",
    ],
    &["old start", "old end"],
    &["2026-11-30T10:00:03+00:00 error: no route", "2026-11-30T10:00:04+00:00 error: timeout"],
    &["old start", "old end", "start", "error: no route", "error: timeout", "more"],
    &["error: no route", "b error", "f error"],
    &["error: timeout"],
    &["two", "three"],
    &["more"],
    &["shop-front-1: one", "shop-db-1: ready", "shop-front-1: two", "shop-db-1: checkpoint", "shop-front-1: three"],
    &["g", "more"],
    &["a", "b error", "c", "--", "e", "f error", "g"],
    &["listening"],
];

#[test]
fn habits_are_what_the_documentation_says() {
    let text = include_str!("../../docs/client.md");
    let (_, table) = text.split_once("| there | here |\n|---|---|\n").expect("the table is there");
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), HABITS.len(), "each row has what it prints");
    for (row, expected) in rows.iter().zip(HABITS) {
        let here = row.split('`').nth(3).expect("a row has two commands");
        let arguments = words(here.strip_prefix("monitoring-rs ").expect("it is a command of this program"));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let database = node();
        let server = Server::start(database.clone(), Settings::default());
        if !arguments.contains(&"-f") {
            check(&server, &arguments, &(expected.join("\n") + "\n"));
            continue;
        }
        let mut follower = Running::start(server.address, &arguments);
        let (before, after) = expected.split_at(expected.len() - 1);
        for line in before {
            assert_eq!(&follower.next_line(), line, "{here}");
        }
        let is_following = || server.get("/status?sources=0").json()["tails"]["running"] == 1;
        wait_until("it follows", is_following);
        for labels in [
            &[("app", "web"), ("container", "nginx"), ("namespace", "prod"), ("pod", "web-7d4f9c-x2x4z")][..],
            &[("compose_service", "front"), ("container", "shop-front-1")],
            &[("path", "/var/log/app.log")],
        ] {
            append(&database, labels, &[(100, "more")]);
        }
        assert_eq!(&follower.next_line(), after[0], "{here}");
        follower.signal(Signal::INT);
        follower.child.wait().unwrap();
        wait_until("Ctrl-C ends it in the agent", || !is_following());
    }
}

#[test]
fn lines_come_out_in_every_form() {
    let database = database();
    append(&database, &[("path", "/a.log")], &[(0, r#"{"level":"warn","msg":"slow","ms":12}"#)]);
    let server = Server::start(database, Settings::default());
    let logs = |arguments: &[&str], expected| check(&server, &[&["logs"], arguments].concat(), expected);
    logs(&[], "/a.log: WARN  slow ms=12\n");
    logs(&["a.log"], "WARN  slow ms=12\n");
    logs(&["--no-prefix", "-t=short"], "10:00:00.000 WARN  slow ms=12\n");
    logs(
        &["-t", "--timezone", "Asia/Tokyo", "--raw"],
        "2026-11-30T19:00:00+09:00 {\"level\":\"warn\",\"msg\":\"slow\",\"ms\":12}\n",
    );
    logs(&["-o", "raw"], "{\"level\":\"warn\",\"msg\":\"slow\",\"ms\":12}\n");
    logs(&["-o", "template={{.level}}: {{.path}}", "-i", "slow"], ": /a.log\n");
    let logfmt = "time=2026-11-30T10:00:00+00:00 level=warn path=/a.log msg=\"{\\\"level\\\":\\\"warn\\\",\\\"msg\\\":\\\"slow\\\",\\\"ms\\\":12}\"\n";
    logs(&["-o", "logfmt"], logfmt);
    let output = run(&server, &["logs", "-o", "json"]);
    let array: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(array[0]["labels"]["path"], "/a.log");
    let output = run(&server, &["logs", "-o", "jsonl"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(object, array[0]);
    logs(&["--color", "always"], "\x1b[90m/a.log:\x1b[0m \x1b[33mWARN \x1b[0m slow \x1b[2mms=\x1b[0m12\n");
    logs(&["-o", "json", "-i", "nothing"], "[]\n");
}

#[test]
fn lines_around_hits_are_as_grep_has_them() {
    let server = Server::start(node(), Settings::default());
    let logs = |arguments: &[&str], expected| {
        check(&server, &[&["logs", "app.log", "-i", "error"], arguments].concat(), expected);
    };
    // Groups that touch are one.
    logs(&["-B", "1", "--after", "2"], "a\nb error\nc\nd\ne\nf error\ng\n");
    logs(&["--after", "1"], "b error\nc\n--\nf error\ng\n");
    logs(&["-C", "9"], "a\nb error\nc\nd\ne\nf error\ng\n");
    logs(&["-B", "1", "--tail", "1"], "e\nf error\n");
}

#[test]
fn how_it_ends_says_what_happened() {
    let server = Server::start(node(), Settings::default());
    check_fails(&server, &["logs", "none"], 1, "nothing is called 'none'; there are: /var/log/app.log");
    check_fails(&server, &["logs", "-i", "none", "--fail-empty"], 1, "");
    check_fails(&server, &["logs", "-i", "("], 2, "--include '('");
    check_fails(&server, &["logs", "-o", "xml"], 2, "'xml' is none of");
    check_fails(&server, &["logs", "-C", "1"], 2, "of which there is none");
    check_fails(&server, &["logs", "--since", "never"], 1, "RFC 3339");
    check_fails(&server, &["logs", "--frobnicate"], 2, "--frobnicate");
    check_fails(&server, &["lgos"], 2, "Did you mean 'logs'?");
    check_fails(&server, &["query", "{path=\"x\"} |= 5"], 1, "\n  {path=\"x\"} |= 5\n                ^");
    check_fails(&server, &["query", "rate({path=\"x\"})"], 1, "^");
    check_fails(&server, &["status", "--addr", "127.0.0.1:1"], 1, "cannot reach http://127.0.0.1:1");
    check(&server, &["logs", "-i", "none"], "");
    check(&server, &["healthcheck"], "");
}

#[test]
fn numbers_are_a_table_csv_json_or_a_chart() {
    let server = Server::start(node(), Settings::default());
    let query = "sum by (path) (count_over_time({path=~\".+\"}[1h]))";
    let to = ["--to", "2026-11-30T10:30:00Z", "--timezone", "UTC"];
    let ask = |arguments: &[&'static str]| [&["query", query], &to[..], arguments].concat();
    check(
        &server,
        &ask(&["--instant"]),
        "time                       path              value\n2026-11-30T10:30:00+00:00  /var/log/app.log  7\n",
    );
    check(
        &server,
        &ask(&["--instant", "-o", "csv"]),
        "time,path,value\n2026-11-30T10:30:00+00:00,/var/log/app.log,7\n",
    );
    let output = run(&server, &ask(&["--from", "2026-11-30T10:00:00Z", "--step", "10m", "-o", "json"]));
    let data: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(data["result"][0]["values"].as_array().map(Vec::len), Some(3), "{data}");
    let output = run(&server, &ask(&["--from", "2026-11-30T10:00:00Z", "--step", "1m", "--chart"]));
    let chart = String::from_utf8(output.stdout).expect("it is text");
    assert!(chart.starts_with("{path=\"/var/log/app.log\"} 7\n") && chart.contains('█'), "{chart}");
    check(&server, &["query", "{unit=\"ssh.service\"}"], "2026-11-30T10:00:20+00:00 ssh.service: listening\n");
}

#[test]
fn what_there_is_can_be_listed() {
    let server = Server::start(node(), Settings::default());
    check(&server, &["labels", "compose_service"], "db\nfront\n");
    check(&server, &["labels", "pod", "-o", "json"], "[\"web-7d4f9c-x2x4z\"]\n");
    check(
        &server,
        &["series", "{unit=~\".+\"}", "--timezone", "UTC"],
        "STREAM       LINES  BYTES  FIRST                      LAST                       STATE\n\
         ssh.service  1      9 B    2026-11-30T10:00:20+00:00  2026-11-30T10:00:20+00:00  gone\n",
    );
    let range = ["--from", "2026-11-30T10:00:00Z", "--to", "2026-11-30T10:30:00Z"];
    let patterns = run(&server, &[&["patterns", "{unit=~\".+\"}"], &range[..]].concat());
    assert_eq!(String::from_utf8_lossy(&patterns.stdout), "LINES  PATTERN\n1      listening\n");
    let fields = run(&server, &[&["fields", "{unit=~\".+\"}"], &range[..]].concat());
    assert!(String::from_utf8_lossy(&fields.stdout).starts_with("FIELD"), "{fields:?}");
    let status = run(&server, &["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("18 lines of 6 streams"), "{status:?}");
    check(
        &server,
        &["completions", "targets"],
        "web-7d4f9c-x2x4z\nnginx\nshop-db-1\nshop-front-1\ndb\nfront\nweb\nssh.service\n/var/log/app.log\n",
    );
    let top = run(&server, &["top", "--interval", "1"]);
    let top = String::from_utf8_lossy(&top.stdout).into_owned();
    assert!(top.starts_with("LINES/S") && top.contains("/var/log/app.log") && top.lines().count() == 6, "{top}");
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let server = Server::start(database(), Settings::default());
    let commands = ["logs", "query", "labels", "series", "fields", "patterns", "status", "top", "check", "healthcheck"];
    for arguments in
        [&["completions", "bash"][..], &["completions", "zsh"], &["completions", "fish"], &["man"], &["help"]]
    {
        let output = run(&server, arguments);
        let text = String::from_utf8(output.stdout).expect("it is text");
        for command in commands {
            assert!(text.contains(command), "{arguments:?} says nothing of {command}");
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_what_the_agent_knows() {
    let server = Server::start(node(), Settings::default());
    let binary = Path::new(env!("CARGO_BIN_EXE_monitoring-rs")).parent().expect("it is in a directory").display();
    let completed = |words: &str| {
        let script = "source /dev/stdin <<< \"$(monitoring-rs completions bash)\"
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE=\"${COMP_WORDS[*]}\"; COMP_POINT=${#COMP_LINE}
            _monitoring_rs_names monitoring-rs \"${COMP_WORDS[-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let output = Command::new("bash")
            .args(["-c", &format!("COMP_WORDS=(monitoring-rs {words})\n{script}")])
            .env_clear()
            .env("PATH", format!("{binary}:/usr/bin:/bin"))
            .env("MONITORING_ADDR", format!("http://{}", server.address))
            .output()
            .expect("there is a bash");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert_eq!(completed("quer"), "query\n");
    assert_eq!(completed("logs shop-f"), "shop-front-1\n");
    assert_eq!(completed("logs --max"), "--max-lines\n");
    assert_eq!(completed("labels compose_"), "compose_service\n");
    assert_eq!(completed("top --inter"), "--interval\n");
}

#[test]
fn what_would_keep_the_agent_from_working_is_found() {
    let place = Place::new();
    place.append("a.log", "one\n");
    let agent = Agent::start(place.command());
    let (logs, data, listen) = (place.logs(), place.logs().join("data"), agent.address.to_string());
    let logs = logs.to_str().expect("the path is text");
    let data = data.to_str().expect("the path is text");
    let check = |listen: &str, root: &str| {
        let output =
            command(agent.address, &["check", "--root-path", root, "--data-directory", data, "--listen", listen])
                .output();
        let output = output.expect("the program is there");
        (output.status.code(), String::from_utf8(output.stdout).expect("it is text"))
    };
    let (status, text) = check(&listen, logs);
    assert!(status == Some(0) && text.contains(&format!("an agent runs on {listen}, and stores lines")), "{text}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let other = silent.local_addr().expect("it has an address").to_string();
    let (status, text) = check(&other, "/nowhere/at/all");
    assert!(status == Some(1) && text.contains("FAIL ") && text.contains("/nowhere/at/all"), "{text}");
    assert!(text.contains(&format!("another program listens on {other}")), "{text}");
    let output = command(agent.address, &["check", "--retention-size", "5"]).output().expect("the program is there");
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("is no size"));
}

#[test]
fn whether_a_cluster_can_be_asked_is_found() {
    let place = Place::new();
    let api = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", api.local_addr().expect("it has an address"));
    let (logs, data) = (place.logs(), place.logs().join("data"));
    let check = |token: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        command.env_clear().args(["check", "--log-collector", "Kubernetes", "--listen", "127.0.0.1:0", "--root-path"]);
        command.arg(&logs).arg("--data-directory").arg(&data);
        command.args(["--kubernetes-token-file", token, "--kubernetes-ca-file", token]).args(more);
        String::from_utf8(command.output().expect("the program is there").stdout).expect("it is text")
    };
    place.append("token", "secret\n");
    let token = logs.join("token");
    let text = check(token.to_str().expect("the path is text"), &["--kubernetes-api", &url]);
    assert!(text.contains(&format!("ok   the cluster's API at {url} can be reached")), "{text}");
    assert!(!text.contains("secret"), "{text}");
    drop(api);
    let text = check("/nowhere/token", &["--kubernetes-api", &url]);
    assert!(text.contains(&format!("warn the cluster's API at {url} cannot be reached")), "{text}");
    assert!(text.contains("/nowhere/token") && text.contains("--kubernetes-api off collects without"), "{text}");
    assert!(check("/nowhere/token", &["--kubernetes-api", "off"]).contains("ok   the cluster is not asked for pods"));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let database = database();
    let lines: Vec<String> = (0..20_000).map(|number| format!("line {number} {}", "x".repeat(100))).collect();
    let lines: Vec<(i64, &str)> = lines.iter().map(|line| (0, line.as_str())).collect();
    append(&database, &[("path", "/a.log")], &lines);
    let server = Server::start(database, Settings::default());
    for arguments in [&["logs"][..], &["logs", "-f", "--tail", "1"]] {
        let mut child =
            command(server.address, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{arguments:?}: {output:?}");
    }
}

/// A client in a terminal of its own.
struct InTerminal {
    child: Child,
    terminal: File,
    shown: Vec<u8>,
}

impl InTerminal {
    fn start(mut command: Command, columns: u16) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are pseudo-terminals");
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let inside = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let stdio = || Stdio::from(inside.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        Self { child, terminal: File::from(terminal), shown: Vec::new() }
    }

    /// Reads until the terminal has shown `text`.
    fn wait_for(&mut self, text: &str) {
        let (start, mut room) = (Instant::now(), [0; 4096]);
        while !String::from_utf8_lossy(&self.shown).contains(text) {
            let count = self.terminal.read(&mut room).unwrap_or(0);
            assert!(
                0 < count && start.elapsed() < PATIENCE,
                "no {text:?} but {:?}",
                String::from_utf8_lossy(&self.shown)
            );
            self.shown.extend_from_slice(&room[..count]);
        }
    }

    /// All that it shows until the client ends, with plain line breaks.
    fn all(mut self) -> String {
        let mut room = [0; 4096];
        // The terminal ends with an error.
        while let Ok(count @ 1..) = self.terminal.read(&mut room) {
            self.shown.extend_from_slice(&room[..count]);
        }
        assert!(self.child.wait().unwrap().success());
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }
}

#[test]
fn a_log_does_not_drive_the_terminal() {
    let database = database();
    append(
        &database,
        &[("path", "/a.log")],
        &[(0, "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m"), (1, "ERROR here: needle"), (2, "{\"msg\":\"\\u001b[2J\"}")],
    );
    let server = Server::start(database, Settings::default());
    let shown = |arguments: &[&str]| InTerminal::start(command(server.address, arguments), 80).all();
    assert_eq!(
        shown(&["logs", "a.log", "-H", "needle"]),
        "^[]0;title^G^[[2J\x1b[31mred\x1b[0m\x1b[0m\n\x1b[31mERROR\x1b[0m here: \x1b[1;7mneedle\x1b[0m\n^[[2J\n",
    );
    assert_eq!(
        shown(&["logs", "--raw", "--tail", "3", "--color", "never"]),
        "^[]0;title^G^[[2Jred\nERROR here: needle\n{\"msg\":\"\\u001b[2J\"}\n"
    );
    let mut no_colour = command(server.address, &["logs", "a.log", "--tail", "2", "--max-lines", "1"]);
    no_colour.env("NO_COLOR", "1");
    assert_eq!(InTerminal::start(no_colour, 80).all(), "ERROR here: needle\n");
}

#[test]
fn top_fits_the_terminal_and_obeys_its_keys() {
    let server = Server::start(node(), Settings::default());
    let mut top = InTerminal::start(command(server.address, &["top", "--interval", "1"]), 66);
    top.wait_for("LINES/S");
    top.wait_for("ssh.service");
    top.terminal.write_all(b"q").unwrap();
    let shown = top.all();
    let longest = shown.split("\x1b[H\x1b[2J").flat_map(str::lines).map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 66), "{shown}");
    let mut top = InTerminal::start(command(server.address, &["top", "--interval", "1"]), 60);
    top.wait_for("LINES/S");
    top.terminal.write_all(b"\x03").unwrap();
    top.all();
}

#[test]
fn top_puts_the_terminal_back_when_it_is_told_to_end() {
    let server = Server::start(node(), Settings::default());
    for signal in [Signal::TERM, Signal::HUP] {
        let mut top = InTerminal::start(command(server.address, &["top", "--interval", "1"]), 80);
        let is_line_by_line = |top: &InTerminal| {
            let modes = tcgetattr(&top.terminal).expect("it is a terminal").local_modes;
            modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
        };
        top.wait_for("LINES/S");
        assert!(!is_line_by_line(&top));
        kill_process(Pid::from_child(&top.child), signal).unwrap();
        top.child.wait().unwrap();
        assert!(is_line_by_line(&top), "{signal:?}");
    }
}

#[test]
fn top_counts_errors() {
    let database = database();
    let labels = |path| Labels::new([("path", path)]).expect("they are labels");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let now = i64::try_from(now).unwrap();
    let stream = |path, texts: &[&str]| {
        let mut stream = StreamLines { labels: labels(path), lines: Lines::default() };
        for (index, text) in (0..).zip(texts) {
            stream.lines.push(Timestamp::from_ns(now - 1_000_000_000 + index), text.as_bytes());
        }
        stream
    };
    let streams = vec![stream("/good.log", &["INFO a"]), stream("/bad.log", &["ERROR b", "FATAL c", "WARN d"])];
    database.append(Batch { checkpoint: None, streams }).expect("the lines fit");
    let server = Server::start(database, Settings::default());
    let output = run(&server, &["top", "--interval", "1"]);
    let text = String::from_utf8(output.stdout).expect("it is text");
    let errors = |path: &str| {
        let row = text.lines().find(|line| line.contains(path)).unwrap_or_else(|| panic!("{path}: {text}"));
        row.split("  ").filter(|cell| !cell.is_empty()).nth(2).unwrap_or_default().trim().to_owned()
    };
    assert_eq!((errors("/good.log").as_str(), errors("/bad.log").as_str()), ("0", "2"), "{text}");
}

#[test]
fn what_is_older_than_asked_for_does_not_come_with_what_is_new() {
    let database = node();
    let server = Server::start(database.clone(), Settings::default());
    let mut follower = Running::start(server.address, &["logs", "-f", "--since-time", "2026-11-30T11:00:00Z"]);
    wait_until("it follows", || server.get("/status?sources=0").json()["tails"]["running"] == 1);
    append(&database, &[("path", "/var/log/app.log")], &[(7200, "new")]);
    assert_eq!(follower.next_line(), "/var/log/app.log: new");
}

#[test]
fn an_agent_without_a_line_can_be_followed() {
    let database = database();
    let server = Server::start(database.clone(), Settings::default());
    let mut follower = Running::start(server.address, &["logs", "-f"]);
    wait_until("it follows", || server.get("/status?sources=0").json()["tails"]["running"] == 1);
    append(&database, &[("path", "/var/log/app.log")], &[(0, "first")]);
    assert_eq!(follower.next_line(), "/var/log/app.log: first");
}

/// The agent again, at the address of one that is gone.
fn restart(place: &Place, address: SocketAddr) -> Agent {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().args(["--log-collector", "directory", "--listen", &address.to_string(), "--root-path"]);
    command.arg(place.logs()).arg("--data-directory").arg(place.data());
    Agent::start(command)
}

#[test]
fn a_follower_gets_each_line_once_though_the_agent_is_killed() {
    let place = Place::new();
    let line = |number: usize| format!("2026-11-30T10:00:00Z line {number}");
    let text = |range: std::ops::Range<usize>| range.map(|number| line(number) + "\n").collect::<String>();
    place.append("a.log", &text(0..100));
    let mut agent = Agent::start(place.command());
    agent.lines(&place, "a.log", 100);
    let address = agent.address;
    let mut follower = Running::start(address, &["logs", "-f", "--raw"]);
    let mut next = 0;
    for round in 1..=3 {
        place.append("a.log", &text(round * 100..round * 100 + 50));
        while next < round * 100 + 20 {
            assert_eq!(follower.next_line(), line(next));
            next += 1;
        }
        agent.end(Signal::KILL);
        place.append("a.log", &text(round * 100 + 50..round * 100 + 100));
        agent = restart(&place, address);
    }
    while next < 400 {
        assert_eq!(follower.next_line(), line(next));
        next += 1;
    }
}

#[test]
fn an_export_has_each_line_once_though_the_agent_is_killed() {
    const COUNT: usize = 60_000;
    let place = Place::new();
    let line = |number: usize| format!("2026-11-30T10:00:00Z line {number} {}", "x".repeat(400));
    place.append("a.log", &(0..COUNT).map(|number| line(number) + "\n").collect::<String>());
    let agent = Agent::start(place.command());
    let address = agent.address;
    let is_stored = || crate::support::get(address, "/status?sources=0").json()["lines"] == COUNT;
    wait_until("all is stored", is_stored);
    let mut export = Running::start(address, &["logs", "-o", "jsonl"]);
    let mut check = |range: std::ops::Range<usize>| {
        for number in range {
            let object: serde_json::Value = serde_json::from_str(&export.next_line()).expect("it is JSON");
            assert_eq!(object["line"], line(number));
        }
    };
    check(0..1000);
    // What is on its way in pipes and sockets is far less than what is left.
    agent.end(Signal::KILL);
    let _agent = restart(&place, address);
    check(1000..COUNT);
    assert_eq!(export.next_line(), "");
    assert!(export.child.wait().unwrap().success());
}
