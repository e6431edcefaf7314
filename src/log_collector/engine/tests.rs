//! What an engine's directory holds, and what becomes of it.
#![expect(clippy::disallowed_methods, reason = "these tests are the engine that writes its files")]

use std::fs;

use globset::{Glob, GlobSetBuilder};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "hunter2";

fn id() -> String {
    "0123456789abcdef".repeat(4)
}

/// A container's directory, and what names its streams.
struct Engine {
    directory: TempDir,
    names: EngineNames,
}

impl Engine {
    fn new(by_id: bool) -> Self {
        let (inventory, mut globs) = (Arc::<Inventory>::default(), GlobSetBuilder::new());
        globs.add(Glob::new("team.*").unwrap());
        let globs = globs.build().unwrap();
        let names = if by_id {
            EngineNames::by_id(Some("n1".into()), inventory, globs)
        } else {
            EngineNames::by_path(inventory, globs)
        };
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(id())).unwrap();
        Self { directory, names }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(id()).join(file)
    }

    /// Writes as the engine does: a file beside it, renamed over it.
    fn write_config(&self, name: &str, labels: &str) {
        let text = format!(
            r#"{{"ID":"{}","Name":"/{name}","Path":"{SECRET}","Args":["{SECRET}"],"State":{{"Running":true}},
            "Config":{{"Env":["PASSWORD={SECRET}"],"Image":"nginx:1.27","Labels":{labels}}},"LogPath":""}}"#,
            id()
        );
        let temporary = self.path(".tmp-config.v2.json123");
        fs::write(&temporary, text).unwrap();
        fs::rename(&temporary, self.path("config.v2.json")).unwrap();
        self.names.look(&self.path("config.v2.json"));
    }

    fn label(&self, name: &str) -> Option<String> {
        let stored = self.names.labels(&self.path(&format!("{}-json.log", id())), Channel::Stdout);
        self.names.inventory.join(&stored).labels.get(name).map(ToOwned::to_owned)
    }
}

#[test]
fn a_container_is_called_by_its_name_and_a_new_one_counts() {
    for by_id in [true, false] {
        let engine = Engine::new(by_id);
        assert_eq!(engine.label("container"), None);
        engine.write_config("web", r#"{"com.docker.compose.project":"shop","com.docker.compose.service":"front"}"#);
        let labels = ["container", "image", "compose_project", "compose_service", "app", "stream"];
        let expected = ["web", "nginx:1.27", "shop", "front", "front", "stdout"];
        assert_eq!(labels.map(|name| engine.label(name)), expected.map(|value| Some(value.to_owned())));
        engine.write_config("db", "null");
        assert_eq!([engine.label("container"), engine.label("app")], [Some("db".into()), Some("db".into())]);
        // What was removed keeps its name.
        fs::remove_file(engine.path("config.v2.json")).unwrap();
        engine.names.look(&engine.path("config.v2.json"));
        assert_eq!(engine.label("container"), Some("db".into()));
    }
}

#[test]
fn labels_that_were_asked_for_are_joined() {
    let engine = Engine::new(true);
    engine.write_config("web", r#"{"team.name":"blue","secret":"hunter2","com.docker.compose.oneoff":"False"}"#);
    assert_eq!(engine.label("team_name"), Some("blue".into()));
    assert_eq!([engine.label("secret"), engine.label("compose_oneoff")], [None, None]);
}

#[test]
fn no_secret_is_kept() {
    let engine = Engine::new(true);
    engine.write_config("web", r#"{"other":"hunter2"}"#);
    let lines = engine.names.inventory.take_unsaved(crate::model::Timestamp::from_ns(0));
    let text = String::from_utf8(lines.bytes().to_vec()).unwrap();
    assert!(text.contains("nginx") && !text.contains(SECRET), "{text}");
    assert!(!format!("{:?}", engine.names.inventory).contains(SECRET));
}

#[test]
fn a_file_of_another_container_tells_nothing() {
    let engine = Engine::new(true);
    fs::write(engine.path("config.v2.json"), r#"{"ID":"another","Name":"/web"}"#).unwrap();
    engine.names.look(&engine.path("config.v2.json"));
    fs::write(engine.path("config.v2.json"), "no JSON").unwrap();
    engine.names.look(&engine.path("config.v2.json"));
    assert_eq!(engine.label("container"), None);
}

#[track_caller]
fn check_accepts(engine: &Engine, file: &str, expected: bool) {
    assert_eq!(engine.names.accepts(&engine.path(file)), expected, "{file}");
}

#[test]
fn of_an_engines_directory_only_logs_are_collected() {
    let log = format!("{}-json.log", id());
    for by_id in [true, false] {
        let engine = Engine::new(by_id);
        engine.write_config("web", "{}");
        check_accepts(&engine, &log, true);
        for file in ["userdata/ctr.log", "local-logs/container.log", "container-cached.log"] {
            check_accepts(&engine, file, true);
        }
        for file in ["config.v2.json", ".tmp-config.v2.json7", "hostconfig.json", "hosts", "userdata/config.json"] {
            check_accepts(&engine, file, false);
        }
        for file in [&format!("{log}.1"), "local-logs/container.log.1", "container-cached.log.2.gz"] {
            check_accepts(&engine, file, !by_id);
        }
    }
    // Before the engine has said anything its files are known by their names.
    let engine = Engine::new(false);
    check_accepts(&engine, "config.v2.json", false);
    check_accepts(&engine, ".tmp-hostconfig.json3", false);
    check_accepts(&engine, "app.log", true);
    assert!(engine.names.accepts(Path::new("/var/log/syslog")));
    assert!(!Engine::new(true).names.accepts(Path::new("/var/log/syslog")));
}

#[test]
fn podman_tells_of_all_its_containers_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let containers = directory.path().join("overlay-containers");
    fs::create_dir(&containers).unwrap();
    let path = containers.join("containers.json");
    let text = format!(
        r#"[{{"id":"{}","names":["web"],"metadata":"{{\"image-name\":\"nginx\",\"name\":\"web\"}}"}}, {{"id":"x","names":["y"]}}]"#,
        id()
    );
    fs::write(&path, text).unwrap();
    let names = EngineNames::by_path(Arc::default(), GlobSet::empty());
    names.look(&path);
    assert!(!names.accepts(&path));
    let log = containers.join(id()).join("userdata/ctr.log");
    assert!(names.accepts(&log) && !names.accepts(&containers.join(id()).join("userdata/config.json")));
    let joined = names.inventory.join(&names.labels(&log, Channel::None));
    assert_eq!([joined.labels.get("container"), joined.labels.get("image")], [Some("web"), Some("nginx")]);
}

#[test]
fn a_driver_that_sends_lines_away_is_known_by_the_host_configuration() {
    let check = |configuration: &str, expected: Option<(&str, bool)>| {
        let driver = docker::driver_elsewhere(configuration.as_bytes());
        let driver = driver.as_ref().map(|driver| (driver.name.as_str(), driver.is_cached));
        assert_eq!(driver, expected, "{configuration}");
    };
    check(r#"{"LogConfig":{"Type":"journald","Config":{}}}"#, Some(("journald", false)));
    check(r#"{"LogConfig":{"Type":"none"}}"#, Some(("none", false)));
    check(r#"{"LogConfig":{"Type":"splunk","Config":{"splunk-token":"hunter2"}}}"#, Some(("splunk", true)));
    check(r#"{"LogConfig":{"Type":"syslog","Config":{"cache-disabled":"true"}}}"#, Some(("syslog", false)));
    check(r#"{"LogConfig":{"Type":"syslog","Config":{"cache-disabled":"no"}}}"#, Some(("syslog", true)));
    for here in [r#"{"LogConfig":{"Type":"json-file","Config":{}}}"#, r#"{"LogConfig":{"Type":"local"}}"#, "{}", "x"] {
        check(here, None);
    }
}
