//! Which labels a pod's own ones become: their names, and who sees them.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobSet;

use crate::inventory::record::Pod;

/// Most labels of a pod that are joined.
const POD_LABELS_MAX: usize = 32;
/// Labels that people look for, which are joined first where there are too many.
const KNOWN_PREFIX: &str = "app.kubernetes.io/";
/// Labels of streams that a pod's own one does not take the place of; it is shown with [`MOVED_PREFIX`].
const RESERVED: [&str; 10] = [
    "namespace",
    "pod",
    "container",
    "container_id",
    "node",
    "stream",
    "service_name",
    "detected_level",
    "job",
    "path",
];
/// What stands before the name of a label whose own one is taken.
const MOVED_PREFIX: &str = "label_";
/// Labels of pods that programs made for programs. They are found, but not shown.
const HIDDEN: [&str; 10] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "helm.sh/chart",
    "app.kubernetes.io/managed-by",
];

/// Labels that are joined to streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names {
    /// Those that are shown.
    pub(super) visible: BTreeMap<String, String>,
    /// Those that streams are only found by.
    pub(super) hidden: BTreeMap<String, String>,
}

/// Which labels of pods are shown.
#[derive(Clone, Debug, Default)]
pub enum PodLabels {
    /// Those that people look for.
    #[default]
    Usual,
    /// All of them.
    All,
    /// None of them but `app`.
    None,
    /// Those whose names match.
    Matching(GlobSet),
}

impl PodLabels {
    fn shows(&self, name: &str) -> bool {
        match self {
            Self::Usual => !HIDDEN.contains(&name),
            Self::All => true,
            Self::None => false,
            Self::Matching(globs) => globs.is_match(name),
        }
    }
}

impl Names {
    /// What the streams of a pod's containers are called.
    pub(super) fn of_pod(pod: &Pod, shown: &PodLabels) -> Self {
        let mut names = Self::default();
        let labels = &pod.facts.labels;
        let text = |name: &str| labels.get(name).filter(|value| !value.is_empty());
        names.visible.insert("app".into(), pod.facts.app.clone());
        names.visible.insert("job".into(), format!("{}/{}", pod.namespace, pod.facts.app));
        let instance = text("instance").or_else(|| text("app.kubernetes.io/instance")).or_else(|| text("release"));
        names.visible.extend(instance.map(|instance| ("instance".to_owned(), instance.clone())));
        let mut taken: BTreeSet<String> = names.visible.keys().cloned().collect();
        // The pod's own `app` and `instance` are said already.
        for (raw, value) in in_turn(labels).filter(|(raw, _)| !matches!(raw.as_str(), "app" | "instance")) {
            if POD_LABELS_MAX <= names.visible.len() + names.hidden.len() {
                break;
            }
            let name = stream_label(raw);
            if value.is_empty() || !taken.insert(name.clone()) {
                continue;
            }
            let place = if shown.shows(raw) { &mut names.visible } else { &mut names.hidden };
            place.insert(name, value.clone());
        }
        names.visible.retain(|_, value| !value.is_empty());
        names
    }

    /// The names of labels that are not shown.
    pub(super) fn hidden_names(&self) -> impl Iterator<Item = &String> {
        self.hidden.keys()
    }

    /// The value of a label that is not shown.
    pub(super) fn hidden(&self, name: &str) -> Option<&str> {
        self.hidden.get(name).map(String::as_str)
    }
}

/// A pod's labels in the order in which they are joined: those that people look for first, each kind by its bytes.
fn in_turn(labels: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    let is_first = |name: &str| name.starts_with(KNOWN_PREFIX) || !name.contains('/');
    let first = labels.iter().filter(move |(name, _)| is_first(name));
    first.chain(labels.iter().filter(move |(name, _)| !is_first(name)))
}

/// The name of a stream's label that a label of a pod becomes.
fn stream_label(raw: &str) -> String {
    let name = sanitised(raw);
    if RESERVED.contains(&name.as_str()) || name.starts_with("__") { format!("{MOVED_PREFIX}{name}") } else { name }
}

/// `raw` with each byte that label names have not as `_`, as Prometheus does.
pub fn sanitised(raw: &str) -> String {
    let bytes = raw.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' });
    let digit = raw.starts_with(|first: char| first.is_ascii_digit()).then_some('_');
    digit.into_iter().chain(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::record::Facts;

    fn names(labels: &[(&str, &str)], shown: &PodLabels) -> Names {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let facts = Facts { app: "web".into(), labels, ..Facts::default() };
        let pod = Pod { uid: "u".into(), namespace: "shop".into(), name: "web-0".into(), facts };
        Names::of_pod(&pod, shown)
    }

    #[track_caller]
    fn check(labels: &[(&str, &str)], visible: &[(&str, &str)], hidden: &[(&str, &str)]) {
        let names = names(labels, &PodLabels::Usual);
        let texts = |map: &BTreeMap<String, String>| -> Vec<String> {
            map.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<String> {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        assert_eq!((texts(&names.visible), texts(&names.hidden)), (pairs(visible), pairs(hidden)));
    }

    #[test]
    fn names_become_those_of_streams() {
        let (app, job) = (("app", "web"), ("job", "shop/web"));
        check(&[], &[app, job], &[]);
        check(&[("a.b/c-d", "x"), ("1st", "y")], &[("_1st", "y"), ("a_b_c_d", "x"), app, job], &[]);
        check(&[("quote", "\"\\\n")], &[app, job, ("quote", "\"\\\n")], &[]);
        check(&[("empty", "")], &[app, job], &[]);
    }

    #[test]
    fn of_two_that_become_one_the_first_by_its_bytes_wins() {
        check(&[("a_b", "2"), ("a.b", "1"), ("a-b", "0")], &[("a_b", "0"), ("app", "web"), ("job", "shop/web")], &[]);
    }

    #[test]
    fn the_streams_own_labels_are_not_replaced() {
        let expected = [
            ("app", "web"),
            ("job", "shop/web"),
            ("label___x", "4"),
            ("label_job", "3"),
            ("label_namespace", "1"),
            ("label_service_name", "2"),
        ];
        check(&[("namespace", "1"), ("service.name", "2"), ("job", "3"), ("__x", "4")], &expected, &[]);
    }

    #[test]
    fn what_programs_made_for_programs_is_hidden() {
        let labels = [("pod-template-hash", "7d4b9c6f5d"), ("job-name", "x"), ("team", "t")];
        let visible = [("app", "web"), ("job", "shop/web"), ("team", "t")];
        check(&labels, &visible, &[("job_name", "x"), ("pod_template_hash", "7d4b9c6f5d")]);
        assert_eq!(names(&labels, &PodLabels::All).visible.len(), 5);
        assert_eq!(names(&labels, &PodLabels::None).hidden.len(), 3);
    }

    #[test]
    fn the_instance_is_the_pods_own_or_its_releases() {
        let expected = |instance| [("app", "web"), ("instance", instance), ("job", "shop/web")];
        check(&[("instance", "i")], &expected("i"), &[]);
        let both = [("app.kubernetes.io/instance", "k")];
        let names = names(&both, &PodLabels::Usual);
        assert_eq!(names.visible.get("instance").map(String::as_str), Some("k"));
        assert_eq!(names.visible.get("app_kubernetes_io_instance").map(String::as_str), Some("k"));
    }

    #[test]
    fn as_many_labels_as_a_pod_may_join_are_joined_the_known_ones_first() {
        let labels: Vec<(String, String)> = (0..64).map(|n| (format!("example.org/l{n:02}"), "x".to_owned())).collect();
        let mut labels: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        labels.extend([("zone", "z"), ("app.kubernetes.io/part-of", "shop")]);
        let names = names(&labels, &PodLabels::Usual);
        assert_eq!(names.visible.len(), POD_LABELS_MAX);
        assert!(
            ["zone", "app_kubernetes_io_part_of", "app", "job"].iter().all(|name| names.visible.contains_key(*name))
        );
    }
}
