//! A kubelet that is faked: it starts, rotates, restarts and deletes containers step by step as the real one does, under three
//! runtimes, while the agent is killed now and then. Whatever happens, each line is there once and in its order.
//!
//! `KUBELET_STEPS` and `KUBELET_SEED` choose a longer story or another one: `make kubelet`.
#![expect(clippy::disallowed_methods, reason = "these tests are the kubelet that writes its files")]

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::Agent;
use crate::containers::wait_for;

/// How many steps a story has.
const STEPS: usize = 60;
/// Most containers that run at a time.
const RUNNING_MAX: usize = 5;
/// How many rotated files of a container there are at most.
const ROTATED_MAX: usize = 3;
/// Longest name of a link, without its ending: the kubelet cuts what is longer.
const LINK_BYTES_MAX: usize = 251;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runtime {
    Containerd,
    Crio,
    Docker,
}

/// Numbers that look random, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// A container that runs or is dead, whose files are there.
struct Container {
    pod: String,
    /// How often containers of its name had been started in its pod.
    number: usize,
    link: PathBuf,
    /// What the runtime writes to, wherever that has been renamed to.
    output: File,
    /// What is left to be written of a line that was torn.
    rest: Vec<u8>,
    rotated: Vec<PathBuf>,
}

/// The node, and what each container wrote.
struct Kubelet {
    base: TempDir,
    runtime: Runtime,
    random: Random,
    /// Counts lines, containers and rotations, which makes each of them another.
    clock: usize,
    containers: BTreeMap<String, Container>,
    written: BTreeMap<String, Vec<String>>,
    agent: Option<Agent>,
}

impl Kubelet {
    fn new(runtime: Runtime, seed: u64) -> Self {
        let base = tempfile::tempdir().unwrap();
        for name in ["containers", "pods", "docker"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        let random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
        let (containers, written) = (BTreeMap::new(), BTreeMap::new());
        Self { base, runtime, random, clock: 0, containers, written, agent: None }
    }

    fn start_agent(&mut self) {
        let path = |name: &str| self.base.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        command.env_clear().args([
            "--log-collector",
            "Kubernetes",
            "--listen",
            "127.0.0.1:0",
            "--kubernetes-api",
            "off",
        ]);
        command.arg("--root-path").arg(path("containers")).arg("--data-directory").arg(path("data"));
        self.agent = Some(Agent::start(command));
    }

    /// Waits until the agent has all that was written, once and in its order. What is deleted after that is no loss.
    fn settle(&mut self) {
        for id in self.containers.keys().cloned().collect::<Vec<_>>() {
            self.write_rest(&id);
        }
        for (id, lines) in &self.written {
            let expected = json!(lines);
            let is_there = |_: u16, body: &str| serde_json::from_str::<Value>(body).is_ok_and(|body| body == expected);
            wait_for(self.agent.as_ref().unwrap(), &format!("/logs/container_id/{id}"), is_there);
        }
    }

    /// Kills the agent when it has committed what it knows of all files: of two commits after each other, the second begins
    /// after what was there before the first had ended.
    fn kill(&mut self, id: &str) {
        let commits = |agent: &Agent| {
            let metrics = wait_for(agent, "/metrics", |status, _| status == 200);
            let count = metrics.lines().find_map(|line| line.strip_prefix("monitoring_store_commits_total "));
            count.unwrap().parse::<f64>().unwrap()
        };
        for _ in 0..2 {
            let before = commits(self.agent.as_ref().unwrap());
            self.write(id);
            self.settle();
            wait_for(self.agent.as_ref().unwrap(), "/livez", |_, _| before < commits(self.agent.as_ref().unwrap()));
        }
        self.agent.take().map(|agent| agent.end(Signal::KILL));
    }

    fn log(&self, pod: &str, number: usize) -> PathBuf {
        self.base.path().join(format!("pods/shop_{pod}_uid-{pod:.20}/c/{number}.log"))
    }

    /// The file that a container's output goes to.
    fn output(&self, id: &str) -> PathBuf {
        let container = &self.containers[id];
        if self.runtime == Runtime::Docker {
            self.base.path().join(format!("docker/{id}/{id}-json.log"))
        } else {
            self.log(&container.pod, container.number)
        }
    }

    fn any(&mut self) -> Option<String> {
        let index = self.random.below(self.containers.len().max(1));
        self.containers.keys().nth(index).cloned()
    }

    fn start(&mut self, pod: &str, number: usize) {
        self.clock += 1;
        let id = format!("{:064x}", self.clock);
        let log = self.log(pod, number);
        fs::create_dir_all(log.parent().unwrap()).unwrap();
        let mut name = format!("{pod}_shop_c-{id}");
        name.truncate(LINK_BYTES_MAX);
        let link = self.base.path().join(format!("containers/{name}.log"));
        let output = if self.runtime == Runtime::Docker {
            fs::create_dir(self.base.path().join(format!("docker/{id}"))).unwrap();
            create(&self.base.path().join(format!("docker/{id}/{id}-json.log")))
        } else {
            create(&log)
        };
        let pod = pod.to_owned();
        let container = Container { pod, number, link: link.clone(), output, rest: Vec::new(), rotated: Vec::new() };
        self.containers.insert(id.clone(), container);
        // The first lines are older than the links.
        self.write(&id);
        if self.runtime == Runtime::Docker {
            symlink(self.output(&id), &log).unwrap();
        }
        symlink(log, link).unwrap();
    }

    /// Writes a line, in parts or whole, at once or with its end left for later.
    fn write(&mut self, id: &str) {
        self.write_rest(id);
        self.clock += 1;
        let (clock, is_in_parts, is_torn) = (self.clock, self.random.below(4) == 0, self.random.below(5) == 0);
        let channel = ["stdout", "stderr"][self.random.below(2)];
        let text = format!("line {clock} of {channel} {}", "filler ".repeat(self.random.below(9)));
        let middle = if is_in_parts { text.len() / 2 } else { 0 };
        let mut bytes = if is_in_parts { self.part(channel, &text[..middle], false) } else { String::new() };
        bytes += &self.part(channel, &text[middle..], true);
        let end = if is_torn { self.random.below(bytes.len()) } else { bytes.len() };
        let container = self.containers.get_mut(id).unwrap();
        container.output.write_all(&bytes.as_bytes()[..end]).unwrap();
        container.rest = bytes.as_bytes()[end..].to_vec();
        self.written.entry(id.to_owned()).or_default().push(text);
    }

    /// What a line, or a part of one, is in the runtime's format, at the time of the clock.
    fn part(&self, channel: &str, text: &str, is_last: bool) -> String {
        let (hour, minute, second) = (self.clock / 3600, self.clock / 60 % 60, self.clock % 60);
        let time = format!("2026-11-22T{hour:02}:{minute:02}:{second:02}.000000001");
        let tag = if is_last { 'F' } else { 'P' };
        match self.runtime {
            Runtime::Docker => {
                let log = if is_last { format!("{text}\n") } else { text.to_owned() };
                format!("{}\n", json!({"log": log, "stream": channel, "time": format!("{time}Z")}))
            }
            Runtime::Containerd => format!("{time}Z {channel} {tag} {text}\n"),
            Runtime::Crio => format!("{time}+00:00 {channel} {tag} {text}\n"),
        }
    }

    fn write_rest(&mut self, id: &str) {
        let container = self.containers.get_mut(id).unwrap();
        let rest = std::mem::take(&mut container.rest);
        container.output.write_all(&rest).unwrap();
    }

    /// Rotates as the kubelet does, or as Docker does itself; what is rotated away for good has been read.
    fn rotate(&mut self, id: &str) {
        self.clock += 1;
        let stamp = format!("20261122-{:06}", self.clock);
        let path = self.output(id);
        if ROTATED_MAX <= self.containers[id].rotated.len() {
            if self.agent.is_none() {
                return;
            }
            self.settle();
            fs::remove_file(self.containers.get_mut(id).unwrap().rotated.remove(0)).unwrap();
        }
        if self.runtime == Runtime::Docker {
            // The engine ends lines before it rotates.
            self.write_rest(id);
            let rotated = &mut self.containers.get_mut(id).unwrap().rotated;
            let count = rotated.len();
            for (index, old) in rotated.iter_mut().enumerate() {
                let to = path.with_added_extension((count + 1 - index).to_string());
                fs::rename(&*old, &to).unwrap();
                *old = to;
            }
        } else {
            for old in &mut self.containers.get_mut(id).unwrap().rotated {
                compress(old);
            }
        }
        let to = path.with_added_extension(if self.runtime == Runtime::Docker { "1" } else { &stamp });
        fs::rename(&path, &to).unwrap();
        if self.runtime != Runtime::Docker {
            // It writes on to what was renamed until it is told to reopen, which may fail.
            self.write(id);
            if self.random.below(4) == 0 {
                return fs::rename(&to, &path).unwrap();
            }
            self.write_rest(id);
        }
        self.containers.get_mut(id).unwrap().rotated.push(to);
        if self.runtime == Runtime::Crio {
            let temporary = path.with_added_extension("tmp");
            self.containers.get_mut(id).unwrap().output = create(&temporary);
            fs::rename(&temporary, &path).unwrap();
        } else {
            self.containers.get_mut(id).unwrap().output = create(&path);
        }
        self.write(id);
    }

    /// Renames the link that cri-dockerd cannot rotate away and back, as the kubelet does every ten seconds.
    fn flap(&mut self, id: &str) {
        let log = self.log(&self.containers[id].pod, self.containers[id].number);
        let to = log.with_added_extension(format!("20261122-{:06}", self.clock));
        fs::rename(&log, &to).unwrap();
        self.write(id);
        fs::rename(&to, &log).unwrap();
    }

    /// Lets a container die and starts the next one in its pod; of the dead ones the last is kept.
    fn restart(&mut self, id: &str) {
        self.write_rest(id);
        let (pod, number) = (self.containers[id].pod.clone(), self.containers[id].number);
        let numbers = self.containers.values().filter(|it| it.pod == pod).map(|it| it.number);
        let latest = numbers.max().unwrap_or(number);
        if self.agent.is_some() {
            self.settle();
            let of_pod = self.containers.iter().filter(|(_, it)| it.pod == pod && it.number < latest);
            for dead in of_pod.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                self.delete(&dead);
            }
        }
        self.start(&pod, latest + 1);
    }

    /// Lets a container die in the middle of a line: that is there as it is, and stays when the pod is deleted.
    fn die(&mut self, id: &str) {
        self.write_rest(id);
        self.clock += 1;
        let text = format!("last words {}", self.clock);
        let part = self.part("stderr", &text, false);
        let container = self.containers.get_mut(id).unwrap();
        container.output.write_all(part.as_bytes()).unwrap();
        let pod = container.pod.clone();
        self.written.entry(id.to_owned()).or_default().push(text);
        self.delete_pod(&pod);
        // It is stored when its file is let go, which nobody else has any more.
        wait_for(self.agent.as_ref().unwrap(), "/status", |status, body| status == 200 && !body.contains(id));
        self.settle();
    }

    /// Deletes a container as the kubelet does: its logs, then the link.
    fn delete(&mut self, id: &str) {
        let (path, log) = (self.output(id), self.log(&self.containers[id].pod, self.containers[id].number));
        let container = self.containers.remove(id).unwrap();
        container.rotated.iter().chain([&path]).for_each(|path| fs::remove_file(path).unwrap());
        if self.runtime == Runtime::Docker {
            fs::remove_file(log).unwrap();
            fs::remove_dir(path.parent().unwrap()).unwrap();
        }
        fs::remove_file(container.link).unwrap();
    }

    fn delete_pod(&mut self, pod: &str) {
        self.settle();
        let of_pod = self.containers.iter().filter(|(_, it)| it.pod == pod).map(|(id, _)| id.clone());
        for id in of_pod.collect::<Vec<_>>() {
            self.delete(&id);
        }
        fs::remove_dir_all(self.log(pod, 0).ancestors().nth(2).unwrap()).unwrap();
    }

    fn step(&mut self) {
        let Some(id) = self.any() else { return self.start_pod() };
        match self.random.below(20) {
            0..9 => self.write(&id),
            9..12 => self.rotate(&id),
            12 if self.runtime == Runtime::Docker => self.flap(&id),
            12..14 if self.containers.len() < RUNNING_MAX => self.start_pod(),
            14 | 15 => self.restart(&id),
            16 if self.agent.is_some() => self.delete_pod(&self.containers[&id].pod.clone()),
            17 if self.agent.is_some() => self.kill(&id),
            18 if self.agent.is_some() => self.die(&id),
            _ if self.agent.is_none() => self.start_agent(),
            _ => self.write(&id),
        }
    }

    fn start_pod(&mut self) {
        self.clock += 1;
        self.start(&format!("web-{}", self.clock), 0);
    }
}

fn create(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// Compresses a rotated file as the kubelet does, if it is not yet.
fn compress(path: &mut PathBuf) {
    if path.extension().is_some_and(|extension| extension == "gz") {
        return;
    }
    let (temporary, to) = (path.with_added_extension("tmp"), path.with_added_extension("gz"));
    let mut encoder = GzEncoder::new(File::create(&temporary).unwrap(), Compression::fast());
    encoder.write_all(&fs::read(&*path).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::rename(&temporary, &to).unwrap();
    fs::remove_file(&*path).unwrap();
    *path = to;
}

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn check(runtime: Runtime) {
    let mut kubelet = Kubelet::new(runtime, number("KUBELET_SEED", 1));
    kubelet.start_agent();
    for _ in 0..number("KUBELET_STEPS", STEPS as u64) {
        kubelet.step();
    }
    if kubelet.agent.is_none() {
        kubelet.start_agent();
    }
    kubelet.settle();
    let agent = kubelet.agent.take().unwrap();
    wait_for(&agent, "/metrics", |_, body| body.contains("monitoring_source_bytes_unaccounted 0\n"));
    assert!(agent.end(Signal::TERM).0.success());
}

#[test]
fn each_line_is_there_once_under_containerd() {
    check(Runtime::Containerd);
}

#[test]
fn each_line_is_there_once_under_cri_o() {
    check(Runtime::Crio);
}

#[test]
fn each_line_is_there_once_under_docker() {
    check(Runtime::Docker);
}

#[test]
fn names_that_are_cut_are_whole_in_their_target() {
    let mut kubelet = Kubelet::new(Runtime::Containerd, 1);
    let pod = "p".repeat(200);
    kubelet.start(&pod, 0);
    kubelet.start_agent();
    let expected = json!(kubelet.written.values().next().unwrap());
    let is_there = |_: u16, body: &str| serde_json::from_str::<Value>(body).is_ok_and(|body| body == expected);
    let agent = kubelet.agent.as_ref().unwrap();
    for target in [format!("/logs/pod/{pod}"), "/logs/container/c".into(), "/logs/namespace/shop".into()] {
        wait_for(agent, &target, is_there);
    }
}
