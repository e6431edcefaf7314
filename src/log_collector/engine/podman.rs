//! What Podman says of its containers: `containers.json`, as containers/storage writes it.
//!
//! Labels are in Podman's own database alone, so those of Compose are not known.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::inventory::Container;
use crate::log_collector::naming::bounded;

#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Option<Vec<String>>,
    /// JSON in a text.
    #[serde(default)]
    metadata: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(rename = "image-name", default)]
    image: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// The containers that `containers.json` tells of.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Container>, serde_json::Error> {
    let stored: Vec<Stored> = serde_json::from_slice(bytes)?;
    Ok(stored.into_iter().map(container).collect())
}

fn container(stored: Stored) -> Container {
    let metadata = stored.metadata.and_then(|text| serde_json::from_str::<Metadata>(&text).ok()).unwrap_or_default();
    let name = metadata.name.or_else(|| stored.names.and_then(|names| names.into_iter().next())).unwrap_or_default();
    let name = bounded(&name);
    let pairs = [("app", name.clone()), ("container", name), ("image", bounded(&metadata.image.unwrap_or_default()))];
    let labels: BTreeMap<String, String> = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Container { id: stored.id, labels, hidden: BTreeMap::new() }
}
