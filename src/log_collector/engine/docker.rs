//! What Docker says of a container: `config.v2.json` and `hostconfig.json`, as Moby's `container` package writes them.
//!
//! A few members are read. `Config.Env`, `Path` and `Args`, where secrets live, are skipped while parsing.

use std::collections::BTreeMap;

use globset::GlobSet;
use serde::Deserialize;

use crate::inventory::{Container, sanitised};
use crate::model::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX};

/// The logging drivers that keep a container's lines in its directory, in a form that is read.
const DRIVERS_IN_DIRECTORY: [&str; 3] = ["json-file", "local", ""];
/// Those that keep them elsewhere and from where `docker logs` reads them, so that the engine caches none.
const DRIVERS_ELSEWHERE: [&str; 2] = ["journald", "none"];
/// What Go takes for true.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];
/// Labels of containers that become labels of their streams.
const SHOWN: [(&str, &str); 4] = [
    ("com.docker.compose.project", "compose_project"),
    ("com.docker.compose.service", "compose_service"),
    ("com.docker.swarm.service.name", "swarm_service"),
    ("com.docker.stack.namespace", "swarm_stack"),
];
/// Those that streams are only found by.
const HIDDEN: [(&str, &str); 2] =
    [("com.docker.compose.container-number", "compose_number"), ("com.docker.compose.oneoff", "compose_oneoff")];
/// Most further labels of a container that are taken.
const FURTHER_LABELS_MAX: usize = 16;

#[derive(Deserialize)]
struct Described {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: Option<String>,
    #[serde(rename = "Config")]
    config: Option<RunConfig>,
}

#[derive(Deserialize)]
struct RunConfig {
    #[serde(rename = "Image")]
    image: Option<String>,
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct HostConfig {
    #[serde(rename = "LogConfig")]
    logging: Option<Logging>,
}

#[derive(Deserialize)]
struct Logging {
    #[serde(rename = "Type")]
    driver: Option<String>,
    #[serde(rename = "Config")]
    options: Option<DriverOptions>,
}

/// One of a driver's options; others are for its server, and may be secrets.
#[derive(Deserialize)]
struct DriverOptions {
    #[serde(rename = "cache-disabled")]
    is_cache_disabled: Option<String>,
}

/// A logging driver that sends a container's lines elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Driver {
    pub(super) name: String,
    /// Whether the engine keeps the latest lines for `docker logs`, if the driver does not read them back itself.
    pub(super) is_cached: bool,
}

/// The container that `config.v2.json` tells of; of its own labels, those that are known or that match `further`.
pub(super) fn parse(bytes: &[u8], further: &GlobSet) -> Result<Option<Container>, serde_json::Error> {
    let Described { id, name, config } = serde_json::from_slice(bytes)?;
    let RunConfig { image, labels } = config.unwrap_or(RunConfig { image: None, labels: None });
    let own = labels.unwrap_or_default();
    let known = |names: &[(&str, &str)]| -> BTreeMap<String, String> {
        names.iter().filter_map(|(raw, name)| Some(((*name).to_owned(), bounded(own.get(*raw)?)))).collect()
    };
    let mut labels = known(&SHOWN);
    let hidden = known(&HIDDEN);
    let name = bounded(name.unwrap_or_default().trim_start_matches('/'));
    let app = labels.get("compose_service").or_else(|| labels.get("swarm_service")).unwrap_or(&name).clone();
    labels.insert("app".into(), app);
    labels.insert("container".into(), name);
    labels.insert("image".into(), bounded(&image.unwrap_or_default()));
    let further = own.iter().filter(|(raw, _)| further.is_match(raw.as_str()));
    for (raw, value) in further.take(FURTHER_LABELS_MAX) {
        let name = sanitised(raw);
        if name.len() <= LABEL_NAME_BYTES_MAX {
            labels.entry(name).or_insert_with(|| bounded(value));
        }
    }
    labels.retain(|_, value| !value.is_empty());
    Ok((!id.is_empty()).then_some(Container { id, labels, hidden }))
}

/// The logging driver that `hostconfig.json` names, if a container's lines are not in its directory.
pub(super) fn driver_elsewhere(bytes: &[u8]) -> Option<Driver> {
    let Logging { driver, options } = serde_json::from_slice::<HostConfig>(bytes).ok()?.logging?;
    let name = driver.filter(|name| !DRIVERS_IN_DIRECTORY.contains(&name.as_str()))?;
    let is_disabled =
        options.and_then(|options| options.is_cache_disabled).is_some_and(|it| TRUE.contains(&it.as_str()));
    let is_cached = !is_disabled && !DRIVERS_ELSEWHERE.contains(&name.as_str());
    Some(Driver { name, is_cached })
}

fn bounded(value: &str) -> String {
    value[..value.floor_char_boundary(LABEL_VALUE_BYTES_MAX)].to_owned()
}
