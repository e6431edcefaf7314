//! The directories of container engines: which files in them are logs, and what the engine says of its containers.
//!
//! | engine | a container's log | what is said of it |
//! |---|---|---|
//! | Docker, driver `json-file` | `<root>/<id>/<id>-json.log` | `<root>/<id>/config.v2.json` |
//! | Docker, driver `local` | `<root>/<id>/local-logs/container.log` | the same |
//! | Docker, drivers that send lines away | `<root>/<id>/container-cached.log` | the same |
//! | Podman | `<root>/<driver>-containers/<id>/userdata/ctr.log` | `<root>/<driver>-containers/containers.json` |
//!
//! The rest of a container's directory is no log, and some of it holds secrets: whichever collector comes by leaves it out.
//! Of what an engine says, a few members are taken and nothing else is kept.

mod docker;
mod podman;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use globset::GlobSet;

use crate::file::{self, File, Identity, Kind};
use crate::inventory::{Container, Inventory, Record, is_container_id};
use crate::log_collector::format::Channel;
use crate::log_collector::naming::{self, ByPath, Naming};
use crate::model::Labels;

/// What Docker says of a container.
const DOCKER_CONFIG: &str = "config.v2.json";
/// How it is to be run, which logging driver included.
const DOCKER_HOST_CONFIG: &str = "hostconfig.json";
/// Where Docker's drivers write that do not write `<id>-json.log`, in a container's directory.
const DOCKER_LOCAL_LOGS: [&str; 2] = ["local-logs/container.log", "container-cached.log"];
/// What Podman says of all its containers.
const PODMAN_CONFIG: &str = "containers.json";
/// What the name of the directory of Podman's containers ends with, after the storage driver's.
const PODMAN_DIRECTORY_END: &str = "-containers";
/// Longest file of an engine's that is read; Docker's usually have some 10 kB.
const CONFIG_BYTES_MAX: u64 = 16 << 20;
/// Most files whose reading is remembered; above that, all are read again.
const FILES_MAX: usize = 10_000;

/// Names the streams of containers, and notices what their engine says of them.
pub struct EngineNames {
    by: By,
    inventory: Arc<Inventory>,
    /// Which of a container's own labels are joined besides those that are known.
    docker_labels: GlobSet,
    files: Mutex<HashMap<PathBuf, Seen>>,
}

/// What identifies the streams.
enum By {
    /// The path, in a tree that may hold anything.
    Path,
    /// The container's id, in a directory of containers.
    Id {
        /// The node's name, where it is known.
        node: Option<String>,
    },
}

/// A file of an engine's as it was read last.
#[derive(Debug, Default)]
struct Seen {
    /// What makes it that file, its length and when it was changed.
    version: Option<(Identity, u64, i64)>,
    /// The containers that it told of.
    ids: Vec<String>,
    /// Whether it was said that it cannot be read, or it was looked for a container that logs elsewhere.
    is_said: bool,
}

impl EngineNames {
    /// Names the streams of any tree by path.
    pub fn by_path(inventory: Arc<Inventory>, docker_labels: GlobSet) -> Self {
        Self { by: By::Path, inventory, docker_labels, files: Mutex::default() }
    }

    /// Names the streams of an engine's containers by their ids.
    pub fn by_id(node: Option<String>, inventory: Arc<Inventory>, docker_labels: GlobSet) -> Self {
        Self { by: By::Id { node }, inventory, docker_labels, files: Mutex::default() }
    }

    /// Reads what an engine says, if that has changed since the last look.
    fn read(&self, path: &Path, parse: impl Fn(&[u8]) -> Result<Vec<Container>, serde_json::Error>) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if FILES_MAX <= files.len() && !files.contains_key(path) {
            files.clear();
        }
        let metadata = match file::link_metadata(path) {
            Ok(metadata) if metadata.kind == Kind::Regular && metadata.size_bytes <= CONFIG_BYTES_MAX => metadata,
            _ => {
                files.remove(path);
                return;
            }
        };
        let seen = files.entry(path.to_owned()).or_default();
        let version = (metadata.identity, metadata.size_bytes, metadata.modified_ns);
        if seen.version == Some(version) && seen.ids.iter().all(|id| self.inventory.keep_container(id)) {
            return;
        }
        let containers = match contents(path, metadata.size_bytes) {
            Ok(bytes) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                if !std::mem::replace(&mut seen.is_said, true) {
                    log::warn!(
                        "{error}; its containers are known by their ids alone. Run the agent as root to read it"
                    );
                }
                return;
            }
        };
        match containers {
            Ok(containers) => {
                seen.version = Some(version);
                seen.ids = containers.iter().map(|container| container.id.clone()).collect();
                for container in containers {
                    self.inventory.put(Record::Container(container));
                }
            }
            Err(error) => log::debug!("{} says nothing that is understood: {}", path.display(), position(&error)),
        }
    }

    /// Says once of a container that its engine logs elsewhere.
    fn look_at_driver(&self, directory: &Path) {
        let path = directory.join(DOCKER_HOST_CONFIG);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.get(&path).is_some_and(|seen| seen.is_said) {
            return;
        }
        let size_bytes = file::link_metadata(&path).map_or(0, |metadata| metadata.size_bytes.min(CONFIG_BYTES_MAX));
        let Ok(bytes) = contents(&path, size_bytes) else { return };
        files.entry(path).or_default().is_said = true;
        let Some(docker::Driver { name, is_cached }) = docker::driver_elsewhere(&bytes) else { return };
        let id = directory.file_name().unwrap_or_default().to_string_lossy();
        let id = &id[..id.floor_char_boundary(12)];
        let what = if is_cached { "only what the engine caches of its lines is" } else { "its lines are not" };
        log::info!("container {id} logs with the driver {name:?}, so {what} collected; see docs/containers.md");
    }
}

/// Where an error is, without what stands there: that may be a secret.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// The bytes of a file, as many as it had.
fn contents(path: &Path, size_bytes: u64) -> Result<Vec<u8>, file::Error> {
    let mut bytes = vec![0; usize::try_from(size_bytes.min(CONFIG_BYTES_MAX)).unwrap_or(0)];
    let file = File::open(&file::canonical(path)?)?;
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// A path in a container's directory.
struct Place<'a> {
    id: &'a str,
    /// The directory itself.
    directory: &'a Path,
    /// What follows it.
    rest: &'a Path,
}

impl<'a> Place<'a> {
    /// Takes a path apart at the last directory that is called as a container's id is.
    fn of(path: &'a Path) -> Option<Self> {
        let directory = path.ancestors().skip(1).find(|directory| id_of(directory).is_some())?;
        let rest = path.strip_prefix(directory).ok()?;
        Some(Self { id: id_of(directory)?, directory, rest })
    }

    fn is_log(&self) -> bool {
        self.after_log_of_docker() == Some("") || self.rest == Path::new("userdata/ctr.log")
    }

    /// Whether it is Docker's log or was before it was rotated.
    fn is_log_or_rotated(&self) -> bool {
        self.is_log() || self.after_log_of_docker().is_some()
    }

    /// What the name has after that of one of Docker's logs, which is nothing where it was not rotated.
    fn after_log_of_docker(&self) -> Option<&'a str> {
        let rest = self.rest.to_str()?;
        let json = rest.strip_prefix(self.id).and_then(|rest| rest.strip_prefix("-json.log"));
        json.or_else(|| DOCKER_LOCAL_LOGS.iter().find_map(|name| rest.strip_prefix(name)))
    }

    /// Whether an engine has this directory, and not somebody who calls directories by hashes.
    fn is_engines(&self) -> bool {
        let is_there = |name: &str| file::link_metadata(&self.directory.join(name)).is_ok();
        let is_podmans = || {
            let parent = self.directory.parent().and_then(Path::file_name).unwrap_or_default();
            parent.to_string_lossy().ends_with(PODMAN_DIRECTORY_END)
        };
        is_there(DOCKER_CONFIG) || is_there(DOCKER_HOST_CONFIG) || is_podmans()
    }
}

fn id_of(directory: &Path) -> Option<&str> {
    directory.file_name()?.to_str().filter(|name| is_container_id(name))
}

/// Whether a file is what an engine says of containers; it may be on its way to its name.
fn is_config(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.trim_start_matches(".tmp-").starts_with(DOCKER_CONFIG)
        || name.trim_start_matches(".tmp-").starts_with(DOCKER_HOST_CONFIG)
}

fn is_podman_config(path: &Path) -> bool {
    let parent = path.parent().and_then(Path::file_name).unwrap_or_default();
    path.file_name().is_some_and(|name| name == PODMAN_CONFIG)
        && parent.to_string_lossy().ends_with(PODMAN_DIRECTORY_END)
}

impl Naming for EngineNames {
    fn look(&self, path: &Path) {
        if is_podman_config(path) {
            return self.read(path, podman::parse);
        }
        let Some(place) = Place::of(path).filter(|place| place.rest == Path::new(DOCKER_CONFIG)) else { return };
        self.read(path, |bytes| {
            Ok(docker::parse(bytes, &self.docker_labels)?.filter(|of| of.id == place.id).into_iter().collect())
        });
        self.look_at_driver(place.directory);
    }

    fn accepts(&self, path: &Path) -> bool {
        match (&self.by, Place::of(path)) {
            (By::Id { .. }, place) => place.is_some_and(|place| place.is_log()),
            (By::Path, None) => !is_podman_config(path),
            (By::Path, Some(place)) => place.is_log_or_rotated() || !(is_config(path) || place.is_engines()),
        }
    }

    fn labels(&self, path: &Path, channel: Channel) -> Labels {
        let By::Id { node } = &self.by else { return ByPath.labels(path, channel) };
        let node = naming::bounded(node.as_deref().unwrap_or_default());
        let id = Place::of(path).map_or("", |place| place.id);
        let pairs = [("container_id", id), ("node", &node), ("stream", naming::stream_value(channel))];
        Labels::new(pairs).expect("three valid names and bounded values")
    }
}

#[cfg(test)]
mod tests;
