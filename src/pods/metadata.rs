//! What the API says of pods: of a pod's metadata the members that make its record, and of an event what it means.
//!
//! Whatever else there is is skipped while it comes; members that are missing or `null` are normal.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::inventory::{Exclusion, Facts, Pod};
use crate::model::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX};

/// Most labels of a pod that are taken; more are joined to no stream anyway.
const LABELS_MAX: usize = 256;
/// Labels that name the application of a pod, the first that there is.
const APP_LABELS: [&str; 3] = ["app", "app.kubernetes.io/name", "k8s-app"];
/// The label of pods that a `ReplicaSet` made, which its own name ends with.
const TEMPLATE_HASH_LABEL: &str = "pod-template-hash";
/// Digits at the end of the name of a Job that a `CronJob` made: minutes since 1970.
const MINUTES_DIGITS: usize = 8;
/// How far they may be from the creation of the pod, in minutes: a year.
const MINUTES_AWAY_MAX: i64 = 365 * 24 * 60;

/// A list of pods.
#[derive(Debug, Deserialize)]
pub(super) struct List {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) items: Option<Vec<Item>>,
}

/// A pod in a list.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) object: Object,
}

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    Added,
    Modified,
    Deleted,
    Bookmark,
    Error,
    #[serde(other)]
    Other,
}

/// A pod, a bookmark or a status.
#[derive(Debug, Deserialize)]
pub(super) struct Object {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) code: Option<u16>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// The metadata of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    uid: Option<String>,
    #[serde(default)]
    pub(super) resource_version: Option<String>,
    #[serde(default)]
    creation_timestamp: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<Annotations>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    /// Of a pod that stands for a static one: the uid in the path of its logs.
    #[serde(rename = "kubernetes.io/config.mirror", default)]
    mirror: Option<String>,
    #[serde(rename = "monitoring-rs/exclude", default)]
    exclude: Option<String>,
    #[serde(rename = "monitoring-rs/exclude-containers", default)]
    exclude_containers: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Owner {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

impl Metadata {
    /// The record of the pod; `None` where it says less than that takes.
    pub(super) fn into_pod(self) -> Option<Pod> {
        let (name, namespace) = (self.name?, self.namespace?);
        let mirror = self.annotations.as_ref().and_then(|annotations| annotations.mirror.clone());
        let uid = mirror.or(self.uid).filter(|uid| !uid.is_empty())?;
        let fits = |(name, value): &(String, String)| {
            name.len() <= LABEL_NAME_BYTES_MAX && value.len() <= LABEL_VALUE_BYTES_MAX
        };
        let labels: BTreeMap<String, String> =
            self.labels.unwrap_or_default().into_iter().filter(fits).take(LABELS_MAX).collect();
        let owner = self.owner_references.unwrap_or_default().into_iter().find(|owner| owner.controller == Some(true));
        let app = app(&name, &labels, owner.as_ref(), self.creation_timestamp.as_deref());
        let exclude = self.annotations.map(exclusion).unwrap_or_default();
        Some(Pod { uid, namespace, name, facts: Facts { app, labels, exclude } })
    }
}

fn exclusion(annotations: Annotations) -> Exclusion {
    if annotations.exclude.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Exclusion::Everything;
    }
    let names = annotations.exclude_containers.unwrap_or_default();
    let names: Vec<String> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect();
    if names.is_empty() { Exclusion::Nothing } else { Exclusion::Containers(names) }
}

/// The application that a pod is a part of: as its labels say, or else as whoever made it is called.
fn app(pod: &str, labels: &BTreeMap<String, String>, owner: Option<&Owner>, created: Option<&str>) -> String {
    let labelled = APP_LABELS.iter().find_map(|name| labels.get(*name).filter(|value| !value.is_empty()));
    if let Some(app) = labelled {
        return app.clone();
    }
    let Some(Owner { kind, name, .. }) = owner else { return pod.to_owned() };
    let app = match kind.as_str() {
        "ReplicaSet" => {
            labels.get(TEMPLATE_HASH_LABEL).and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'))
        }
        "Job" => name.rsplit_once('-').filter(|(_, digits)| are_minutes(digits, created)).map(|(app, _)| app),
        // A static pod is called after its node.
        "Node" => pod.strip_suffix(name.as_str()).and_then(|app| app.strip_suffix('-')).or(Some(pod)),
        _ => None,
    };
    app.filter(|app| !app.is_empty()).unwrap_or(name).to_owned()
}

/// Whether digits are those of a `CronJob`: the minute that it was due at.
fn are_minutes(digits: &str, created: Option<&str>) -> bool {
    let minutes = (digits.len() == MINUTES_DIGITS).then(|| digits.parse::<i64>().ok()).flatten();
    let created = created.and_then(|created| created.parse::<jiff::Timestamp>().ok());
    match (minutes, created) {
        (Some(minutes), Some(created)) => (created.as_second() / 60 - minutes).abs() <= MINUTES_AWAY_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: &str) -> Option<Pod> {
        serde_json::from_str::<Item>(json).unwrap().metadata.into_pod()
    }

    #[track_caller]
    fn check_app(labels: &str, owner: &str, expected: &str) {
        let owner = owner.split_once('/').map_or(String::new(), |(kind, name)| {
            format!(r#","ownerReferences":[{{"kind":"Other","name":"x"}},{{"kind":"{kind}","name":"{name}","controller":true}}]"#)
        });
        let json = format!(
            r#"{{"metadata":{{"name":"etcd-node-a","namespace":"n","uid":"u","creationTimestamp":"2025-12-01T00:00:00Z",
            "labels":{labels}{owner}}}}}"#
        );
        assert_eq!(pod(&json).unwrap().facts.app, expected, "{json}");
    }

    #[test]
    fn the_application_is_a_label_or_follows_from_the_owner() {
        check_app(r#"{"app":"a","app.kubernetes.io/name":"b","k8s-app":"c"}"#, "", "a");
        check_app(r#"{"app.kubernetes.io/name":"b","k8s-app":"c"}"#, "", "b");
        check_app(r#"{"app":"","k8s-app":"c"}"#, "DaemonSet/d", "c");
        check_app(r#"{"pod-template-hash":"7d4b9c6f5d"}"#, "ReplicaSet/web-7d4b9c6f5d", "web");
        check_app("null", "ReplicaSet/web-7d4b9c6f5d", "web-7d4b9c6f5d");
        check_app("{}", "StatefulSet/db", "db");
        check_app("{}", "Job/report-29410080", "report");
        check_app("{}", "Job/report-10000000", "report-10000000");
        check_app("{}", "Job/migrate-v12", "migrate-v12");
        check_app("{}", "Node/node-a", "etcd");
        check_app("{}", "", "etcd-node-a");
    }

    #[test]
    fn a_static_pod_is_known_by_what_stands_in_the_path() {
        let json = r#"{"metadata":{"name":"p","namespace":"n","uid":"u","annotations":{"kubernetes.io/config.mirror":"hash","a":"b"}}}"#;
        assert_eq!(pod(json).unwrap().uid, "hash");
    }

    #[test]
    fn members_may_be_missing_or_null() {
        let json = r#"{"metadata":{"name":"p","namespace":"n","uid":"u","labels":null,"annotations":null,"ownerReferences":null}}"#;
        assert_eq!(pod(json).unwrap().facts.app, "p");
        assert_eq!(pod(r#"{"metadata":{"name":"p","namespace":"n"}}"#), None);
        assert_eq!(pod("{}"), None);
        assert!(serde_json::from_str::<List>(r#"{"metadata":{},"items":null}"#).unwrap().items.is_none());
    }

    #[test]
    fn annotations_exclude_pods_and_containers() {
        let exclude = |annotations: &str| {
            let json =
                format!(r#"{{"metadata":{{"name":"p","namespace":"n","uid":"u","annotations":{annotations}}}}}"#);
            pod(&json).unwrap().facts.exclude
        };
        assert_eq!(exclude(r#"{"monitoring-rs/exclude":"true"}"#), Exclusion::Everything);
        assert_eq!(exclude(r#"{"monitoring-rs/exclude":"false"}"#), Exclusion::Nothing);
        let containers = Exclusion::Containers(vec!["a".into(), "b".into()]);
        assert_eq!(exclude(r#"{"monitoring-rs/exclude-containers":"a, b,"}"#), containers);
    }
}
