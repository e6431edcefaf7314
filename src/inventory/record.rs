//! What is known of a pod or a container, and the line that it is stored as.
//!
//! Each record is one line of JSON in an internal stream of the database. The newest one of each pod and container counts;
//! those before it stay where they are. Members that a reader does not know are left out, so that a record may grow.
//!
//! ```text
//! {"pod":{"uid":"…","namespace":"shop","name":"web-7d4b9c6f5d-x2x4p","app":"web","labels":{"team":"shop"}}}
//! {"pod_container":{"id":"…","uid":"…","namespace":"shop","pod":"web-7d4b9c6f5d-x2x4p"}}
//! {"container":{"id":"…","labels":{"container":"web","image":"nginx:1.27"},"hidden":{"compose_number":"1"}}}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is known of a pod or a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// What the cluster says of a pod.
    Pod(Pod),
    /// Which pod a container is of, as the paths of its log say.
    PodContainer(PodContainer),
    /// What a container engine says of a container.
    Container(Container),
}

/// What the cluster says of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Its uid as it stands in the path of its logs: for a static pod the hash of its configuration.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it is a pod of, and its own labels.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What all pods of one template have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// The application it is a part of.
    pub app: String,
    /// Its labels as the cluster has them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Which of its containers are not collected.
    #[serde(default, skip_serializing_if = "Exclusion::is_nothing")]
    pub exclude: Exclusion,
}

/// Which containers of a pod are not collected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// None of them.
    #[default]
    Nothing,
    /// These.
    Containers(Vec<String>),
    /// All of them.
    Everything,
}

/// Which pod a container is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodContainer {
    /// The container's id as its stream is labelled with it; where the name of its log was cut, not all of it.
    pub id: String,
    /// The pod's uid.
    pub uid: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
}

/// What a container engine says of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The container's id.
    pub id: String,
    /// Labels of its streams.
    pub labels: BTreeMap<String, String>,
    /// Labels that its streams are found by and that are not shown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hidden: BTreeMap<String, String>,
}

impl Record {
    /// The line that the record is stored as.
    pub fn to_line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and maps of texts are JSON")
    }

    /// The record that a line holds; `None` where it holds none.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

impl Exclusion {
    /// Whether every container is collected.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// Whether the container of this name is not collected.
    pub fn covers(&self, container: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Containers(names) => names.iter().any(|name| name == container),
            Self::Everything => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(record: Record, line: &str) {
        assert_eq!(String::from_utf8(record.to_line()).unwrap(), line);
        assert_eq!(Record::of_line(line.as_bytes()), Some(record));
    }

    fn map(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn records_are_lines_of_json() {
        let facts = Facts { app: "a".into(), labels: map("x/y", "\"1\""), exclude: Exclusion::Nothing };
        let pod = Pod { uid: "u".into(), namespace: "n".into(), name: "p".into(), facts };
        let line = r#"{"pod":{"uid":"u","namespace":"n","name":"p","app":"a","labels":{"x/y":"\"1\""}}}"#;
        check(Record::Pod(pod.clone()), line);
        let exclude = Exclusion::Containers(vec!["c".into()]);
        let pod = Pod { facts: Facts { exclude, ..pod.facts }, ..pod };
        let line = r#"{"pod":{"uid":"u","namespace":"n","name":"p","app":"a","labels":{"x/y":"\"1\""},"exclude":{"containers":["c"]}}}"#;
        check(Record::Pod(pod), line);
        let container = PodContainer { id: "0a".into(), uid: "u".into(), namespace: "n".into(), pod: "p".into() };
        check(Record::PodContainer(container), r#"{"pod_container":{"id":"0a","uid":"u","namespace":"n","pod":"p"}}"#);
        let container = Container { id: "0a".into(), labels: map("image", "i"), hidden: BTreeMap::new() };
        check(Record::Container(container), r#"{"container":{"id":"0a","labels":{"image":"i"}}}"#);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let line = br#"{"container":{"id":"0a","labels":{},"later":[1]}}"#;
        assert!(matches!(Record::of_line(line), Some(Record::Container(_))));
        assert_eq!(Record::of_line(br#"{"volume":{"id":"0a"}}"#), None);
        assert_eq!(Record::of_line(b"\xff"), None);
    }
}
