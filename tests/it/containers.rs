//! The real binary beside a container engine's directory: containers are called by their names, on every route.
#![expect(clippy::disallowed_methods, reason = "these tests are the engine that writes its files")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::support::{PATIENCE, encoded};

/// What must be nowhere.
const SECRET: &str = "hunter2";

/// An engine's directory and one of data, for one agent after the other.
pub(crate) struct Engine(TempDir);

impl Engine {
    pub(crate) fn new() -> Self {
        let engine = Self(tempfile::tempdir().unwrap());
        fs::create_dir(engine.root()).unwrap();
        engine
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.0.path().join("containers")
    }

    /// Makes or changes a container, as Docker does: by renaming a file over another.
    pub(crate) fn describe(&self, id: &str, name: &str, project: &str) {
        let directory = self.root().join(id);
        fs::create_dir_all(&directory).unwrap();
        let text = format!(
            r#"{{"ID":"{id}","Name":"/{name}","Args":["{SECRET}"],"Config":{{"Env":["PASSWORD={SECRET}"],
            "Image":"nginx:1.27","Labels":{{"com.docker.compose.project":"{project}","x":"{SECRET}"}}}}}}"#
        );
        fs::write(directory.join(".tmp-config.v2.json1"), text).unwrap();
        fs::rename(directory.join(".tmp-config.v2.json1"), directory.join("config.v2.json")).unwrap();
        fs::write(directory.join("hostconfig.json"), r#"{"LogConfig":{"Type":"json-file"}}"#).unwrap();
    }

    pub(crate) fn log(&self, id: &str, second: usize, line: &str) {
        let path = self.root().join(id).join(format!("{id}-json.log"));
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        let time = format!("2026-11-22T13:04:{second:02}.5Z");
        writeln!(file, r#"{{"log":"{line}\n","stream":"stdout","time":"{time}"}}"#).unwrap();
    }

    /// Appends records as the driver `local` does to one of its files.
    fn log_locally(&self, path: &str, texts: &[&str]) {
        self.append_locally(path, texts, b"");
    }

    /// As [`Engine::log_locally`], with fields after the text of each.
    #[expect(clippy::big_endian_bytes, reason = "the driver writes lengths so")]
    fn append_locally(&self, path: &str, texts: &[&str], fields: &[u8]) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        for text in texts {
            let length = u8::try_from(text.len()).unwrap();
            // 2026-11-30T20:56:03.16004695Z
            let time = b"\x10\xe6\xfa\xfc\xe0\xdc\xc3\xbb\xf6\x18";
            let message = [b"\x0a\x06stdout", &time[..], &[0x1a, length], text.as_bytes(), fields].concat();
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            file.write_all(&[&length[..], &message, &length].concat()).unwrap();
        }
    }

    fn start(&self, arguments: &[&str]) -> Agent {
        self.start_program(env!("CARGO_BIN_EXE_monitoring-rs"), arguments)
    }

    /// As [`Engine::start`], with an agent that was built otherwise.
    pub(crate) fn start_program(&self, program: &str, arguments: &[&str]) -> Agent {
        let mut command = Command::new(program);
        command.env_clear().args(arguments).arg("--root-path").arg(self.root());
        command.args(["--listen", "127.0.0.1:0"]).arg("--data-directory").arg(self.0.path().join("data"));
        Agent::start(command)
    }
}

fn id(digit: &str) -> String {
    digit.repeat(64)
}

/// Waits until the answer to `target` is as `is_right` says, and returns it.
#[track_caller]
pub(crate) fn wait_for(agent: &Agent, target: &str, is_right: impl Fn(u16, &str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let answer = agent.get(&encoded(target));
        let body = String::from_utf8(answer.body).unwrap();
        if is_right(answer.status, &body) {
            return body;
        }
        assert!(start.elapsed() < PATIENCE, "{target} is answered with {}: {body}", answer.status);
        std::thread::yield_now();
    }
}

/// Waits until the answer to `target` has all of `texts`.
#[track_caller]
pub(crate) fn wait_for_texts(agent: &Agent, target: &str, texts: &[&str]) -> String {
    wait_for(agent, target, |_, body| texts.iter().all(|text| body.contains(text)))
}

/// Whether a file under `directory` has the bytes of `text`.
fn has(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { has(&path, text) } else { String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text) }
    })
}

#[test]
fn containers_are_called_by_their_names_on_every_route_and_through_renames() {
    let (engine, id) = (Engine::new(), id("a"));
    let id = id.as_str();
    engine.describe(id, "web", "shop");
    engine.log(id, 1, "one took 15 ms");
    let agent = engine.start(&["--log-collector", "Docker"]);
    wait_for(&agent, "/logs/container/web", |_, body| body == "[\"one took 15 ms\"]\n");
    let times = "start=2026-11-22T13:00:00Z&end=2026-11-22T14:00:00Z";
    let check = |target: &str, texts: &[&str]| drop(wait_for_texts(&agent, &format!("{target}{times}"), texts));
    check("/loki/api/v1/labels?", &["compose_project", "container", "container_id", "image", "app", "service_name"]);
    check("/loki/api/v1/label/compose_project/values?", &["[\"shop\"]"]);
    check("/loki/api/v1/series?match[]={compose_project=\"shop\"}&", &["\"container\":\"web\"", id]);
    check("/loki/api/v1/query_range?query={container=\"web\"}&", &["one took", "\"compose_project\":\"shop\""]);
    check(
        "/loki/api/v1/query_range?query=sum by (app) (count_over_time({container=~\"w.+\"}[1h]))&",
        &["\"app\":\"web\""],
    );
    check("/loki/api/v1/index/volume?query={app=\"web\"}&targetLabels=image&", &["nginx:1.27"]);
    check("/loki/api/v1/index/stats?query={app=\"web\"}&", &["\"streams\":1"]);
    check("/loki/api/v1/detected_labels?query={app=\"web\"}&", &["compose_project"]);
    check("/loki/api/v1/detected_fields?query={app=\"web\"}&", &["fields"]);
    check("/loki/api/v1/patterns?query={app=\"web\"}&", &["one took"]);
    check("/api/v1/lines?query={app=\"web\"}&", &["one took", "\"image\":\"nginx:1.27\""]);
    wait_for_texts(&agent, "/api/v1/streams?query={app=\"web\"}", &["\"container\":\"web\"", "\"service\":\"web\""]);

    // The history goes by the new name, the old one is gone.
    engine.describe(id, "front", "shop");
    wait_for(&agent, "/logs/container/front", |_, body| body == "[\"one took 15 ms\"]\n");
    assert_eq!(agent.get("/logs/container/web").status, 404);
    engine.log(id, 2, "two");
    wait_for(&agent, "/logs/container/front", |_, body| body == "[\"one took 15 ms\",\n\"two\"]\n");

    // What is removed keeps its name, also after a restart.
    fs::remove_dir_all(engine.root().join(id)).unwrap();
    assert!(agent.end(Signal::TERM).0.success());
    let agent = engine.start(&["--log-collector", "Docker"]);
    wait_for(&agent, "/logs/container/front", |_, body| body == "[\"one took 15 ms\",\n\"two\"]\n");
    assert!(agent.end(Signal::TERM).0.success());
    assert!(!has(&engine.0.path().join("data"), SECRET));
}

#[test]
fn a_directory_of_files_that_holds_an_engines_joins_the_same_names() {
    let (engine, id) = (Engine::new(), id("b"));
    engine.describe(&id, "web", "shop");
    engine.log(&id, 1, "one");
    let agent = engine.start(&["--log-collector", "Directory"]);
    wait_for(&agent, "/logs/compose_project/shop", |_, body| body == "[\"one\"]\n");
    let streams = wait_for_texts(&agent, "/api/v1/streams", &["\"container\":\"web\""]);
    assert!(!streams.contains("config.v2") && !streams.contains("hostconfig"), "{streams}");
    assert!(!has(&engine.0.path().join("data"), SECRET));
}

#[test]
fn several_collectors_fill_one_database() {
    let (engine, id) = (Engine::new(), id("c"));
    engine.describe(&id, "web", "shop");
    engine.log(&id, 1, "one");
    let host = engine.0.path().join("host");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("syslog"), "booted\n").unwrap();
    let host_text = host.to_str().unwrap();
    let arguments = ["--log-collector", "Directory", "--root-path", host_text, "--log-collector", "Docker"];
    let agent = engine.start(&arguments);
    let syslog = format!("/logs/path/{host_text}/syslog");
    wait_for(&agent, &syslog, |_, body| body == "[\"booted\"]\n");
    wait_for(&agent, "/logs/container/web", |_, body| body == "[\"one\"]\n");
    // Both go on, however long the other is silent.
    engine.log(&id, 2, "two");
    wait_for(&agent, "/logs/container/web", |_, body| body == "[\"one\",\n\"two\"]\n");
    fs::write(host.join("auth.log"), "opened\n").unwrap();
    wait_for(&agent, &format!("/logs/path/{host_text}/auth.log"), |_, body| body == "[\"opened\"]\n");
    assert!(agent.end(Signal::TERM).0.success());
    let agent = engine.start(&arguments);
    engine.log(&id, 3, "three");
    wait_for(&agent, "/logs/container/web", |_, body| body == "[\"one\",\n\"two\",\n\"three\"]\n");
    wait_for(&agent, &syslog, |_, body| body == "[\"booted\"]\n");
    // What is said of all is the sum of what each has.
    assert!(agent.end(Signal::TERM).0.success());
    let size = || fs::metadata(engine.root().join(&id).join(format!("{id}-json.log"))).unwrap().len();
    let before = size();
    engine.log(&id, 4, "four");
    fs::write(host.join("cron.log"), "ran\n").unwrap();
    let agent = engine.start(&arguments);
    let bytes = size() - before + 4;
    wait_for_texts(&agent, "/status", &[&format!("\"total_bytes\":{bytes},\"read_bytes\":{bytes},\"files\":2,")]);
    let watches = wait_for(&agent, "/metrics", |_, body| body.contains("monitoring_inotify_watches "));
    let watches = watches.lines().find_map(|line| line.strip_prefix("monitoring_inotify_watches ")).unwrap();
    // Two roots, the container's directory, and four files.
    assert_eq!(watches, "7");
    fs::rename(&host, host.with_extension("away")).unwrap();
    wait_for(&agent, "/readyz", |status, body| status == 503 && body.contains("/host is no directory any more"));
}

#[test]
fn records_of_the_driver_local_are_there_once_through_kills_and_rotation() {
    let (engine, id) = (Engine::new(), id("d"));
    engine.describe(&id, "web", "shop");
    let log = format!("{id}/local-logs/container.log");
    engine.log_locally(&log, &["one", "two\nlines"]);
    let mut agent = engine.start(&["--log-collector", "Docker"]);
    let mut expected = vec!["one".to_owned(), "two\nlines".to_owned()];
    for round in 0..4 {
        let body = serde_json::json!(expected);
        wait_for(&agent, "/logs/container/web", |_, text| {
            serde_json::from_str::<serde_json::Value>(text).is_ok_and(|lines| lines == body)
        });
        // What is not committed when it is killed is read again; before that, the files have to be known.
        agent.end(if round == 0 { Signal::TERM } else { Signal::KILL });
        for number in 0..3 {
            let text = format!("{round}.{number}");
            engine.log_locally(&log, &[&text]);
            expected.push(text);
            if number == 1 {
                let path = engine.root().join(&log);
                for age in (1..=round).rev() {
                    let of_age = |age: usize| path.with_added_extension(age.to_string());
                    fs::rename(of_age(age), of_age(age + 1)).unwrap();
                }
                fs::rename(&path, path.with_added_extension("1")).unwrap();
            }
        }
        agent = engine.start(&["--log-collector", "Docker"]);
    }
    wait_for_texts(&agent, "/metrics", &["monitoring_source_bytes_unaccounted 0\n"]);
    let times = "start=2026-11-30T20:00:00Z&end=2026-11-30T22:00:00Z";
    let target = format!("/loki/api/v1/query_range?query={{container=\"web\"}}&{times}");
    wait_for_texts(&agent, &target, &["\"stream\":\"stdout\"", "1796072163160046950"]);
}

#[test]
fn the_last_words_of_a_container_are_there_and_stay_when_it_is_removed() {
    let (engine, first, second) = (Engine::new(), id("1"), id("2"));
    engine.describe(&first, "json", "shop");
    engine.log(&first, 1, "one");
    let path = engine.root().join(&first).join(format!("{first}-json.log"));
    let part = |text: &str| format!(r#"{{"log":"{text}","stream":"stderr","time":"2026-11-22T13:04:05Z"}}"#) + "\n";
    fs::write(&path, fs::read_to_string(&path).unwrap() + &part("last ") + &part("words")).unwrap();
    engine.describe(&second, "local", "shop");
    let local = format!("{second}/local-logs/container.log");
    engine.log_locally(&local, &["one"]);
    // Parts of an entry, of which none is the last.
    engine.append_locally(&local, &["last ", "words"], b"\x20\x01\x2a\x05\x12\x01x\x18\x01");
    let agent = engine.start(&["--log-collector", "Docker"]);
    let check = |agent: &Agent| {
        for container in ["json", "local"] {
            let target = format!("/logs/container/{container}");
            wait_for(agent, &target, |_, body| body == "[\"one\",\n\"last words\"]\n");
        }
    };
    check(&agent);
    for id in [&first, &second] {
        fs::remove_dir_all(engine.root().join(id)).unwrap();
    }
    // They are stored once their files are let go.
    wait_for(&agent, "/status", |_, body| body.contains("\"sources\":[]"));
    check(&agent);
    assert!(agent.end(Signal::TERM).0.success());
    check(&engine.start(&["--log-collector", "Docker"]));
}

#[test]
fn attributes_are_metadata_and_what_is_cached_of_other_drivers_is_read() {
    let (engine, first, second) = (Engine::new(), id("e"), id("f"));
    engine.describe(&first, "web", "shop");
    let path = engine.root().join(&first).join(format!("{first}-json.log"));
    let line = |log: &str, attributes: &str| {
        format!(r#"{{"log":"{log}\n","stream":"stdout","attrs":{attributes},"time":"2026-11-22T13:04:05Z"}}"#) + "\n"
    };
    fs::write(&path, line("one", r#"{"tag":"web"}"#) + &line("two", r#"{"tag":"front"}"#)).unwrap();
    engine.describe(&second, "syslogs", "shop");
    let logging = r#"{"LogConfig":{"Type":"syslog","Config":{}}}"#;
    fs::write(engine.root().join(&second).join("hostconfig.json"), logging).unwrap();
    engine.log_locally(&format!("{second}/container-cached.log"), &["cached"]);
    let agent = engine.start(&["--log-collector", "Docker"]);
    wait_for(&agent, "/logs/container/web", |_, body| body == "[\"one\",\n\"two\"]\n");
    wait_for(&agent, "/logs/container/syslogs", |_, body| body == "[\"cached\"]\n");
    let times = "start=2026-11-22T13:00:00Z&end=2026-11-22T14:00:00Z";
    let found = |filter: &str| {
        let target = format!("/loki/api/v1/query_range?query={{container=\"web\"}}{filter}&{times}");
        wait_for(&agent, &target, |status, _| status == 200)
    };
    let front = found(" | tag=\"front\"");
    assert!(front.contains("two") && !front.contains("one"), "{front}");
    // They split no stream.
    let streams = wait_for_texts(&agent, "/api/v1/streams?query={container=\"web\"}", &["\"container\":\"web\""]);
    assert_eq!(streams.matches("\"id\":").count(), 1, "{streams}");
}
