//! What Docker says of a container: `config.v2.json` and `hostconfig.json`, as Moby's `container` package writes them.
//!
//! A few members are read. `Config.Env`, `Path` and `Args`, where secrets live, are skipped while parsing.

use std::collections::BTreeMap;

use globset::GlobSet;
use serde::Deserialize;

use crate::inventory::{Container, sanitised};
use crate::model::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX};

/// The logging drivers whose lines are collected from the engine's directory.
pub(super) const READABLE_DRIVERS: [&str; 2] = ["json-file", ""];
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

/// The logging driver that `hostconfig.json` names.
pub(super) fn driver(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<HostConfig>(bytes).ok()?.logging?.driver
}

fn bounded(value: &str) -> String {
    value[..value.floor_char_boundary(LABEL_VALUE_BYTES_MAX)].to_owned()
}
