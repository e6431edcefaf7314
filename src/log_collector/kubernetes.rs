//! The logs of a Kubernetes node's containers: a directory of links whose names and targets say what they are.
//!
//! Finding, following and reading files is the directory collector's work, decoding the runtime's lines is `format`'s. What
//! is Kubernetes about it is here: the labels. They come from paths alone, so that collection never waits for the API
//! server and needs no rights there.
//!
//! | path | says |
//! |---|---|
//! | link `<pod>_<namespace>_<container>-<container id>.log`, cut to 255 bytes | the container's id |
//! | its target `…/<namespace>_<pod>_<uid>/<container>/<restarts>.log` | the rest, never cut, and the pod's uid |
//!
//! The uid is no label: it is what the inventory knows the pod by.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::file;
use crate::inventory::{Inventory, PodContainer, Record};
use crate::log_collector::format::Channel;
use crate::log_collector::naming::{self, Naming};
use crate::model::Labels;

/// How many file names that say nothing are remembered, so that each is warned of once.
const WARNINGS_MAX: usize = 1000;
/// How many links are remembered with what their targets say; above that, they are read again.
const LINKS_MAX: usize = 10_000;

/// Which namespaces are collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// These; where there are none, all.
    pub include: Vec<String>,
    /// But not these.
    pub exclude: Vec<String>,
}

impl Namespaces {
    fn accept(&self, namespace: &str) -> bool {
        let is_among = |names: &[String]| names.iter().any(|name| name == namespace);
        (self.include.is_empty() || is_among(&self.include)) && !is_among(&self.exclude)
    }
}

/// Names streams by what the kubelet says in paths.
pub struct PodNames {
    /// The node's name, where it is known.
    node: Option<String>,
    namespaces: Namespaces,
    inventory: Arc<Inventory>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is known of links, by their names: the target of one that is gone cannot be asked any more.
    links: HashMap<Box<OsStr>, Arc<ContainerFile>>,
    /// Names that say nothing and were warned of.
    warned: HashSet<Box<OsStr>>,
}

impl PodNames {
    /// Tells `inventory` which containers there are.
    pub fn new(node: Option<String>, namespaces: Namespaces, inventory: Arc<Inventory>) -> Self {
        Self { node, namespaces, inventory, state: Mutex::default() }
    }

    /// What a link says, by its name and by where it leads.
    fn file(&self, path: &Path) -> Option<Arc<ContainerFile>> {
        let file_name = path.file_name()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.links.get(file_name) {
            return Some(Arc::clone(known));
        }
        let name = file_name.to_str()?;
        let target = file::read_link(path).ok().and_then(|target| ContainerFile::of_target(name, &target));
        // Where a name alone is not read, it may have a target at the next look.
        let is_final = target.is_some();
        let found = Arc::new(target.or_else(|| ContainerFile::of_name(name))?);
        if is_final {
            if LINKS_MAX <= state.links.len() {
                state.links.clear();
            }
            state.links.insert(file_name.into(), Arc::clone(&found));
        }
        Some(found)
    }

    fn warn_once(&self, path: &Path) {
        let file_name = path.file_name().unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.warned.len() < WARNINGS_MAX && state.warned.insert(file_name.into()) {
            let file_name = file_name.display();
            log::warn!("{file_name} is skipped: its name is not <pod>_<namespace>_<container>-<container id>.log");
        }
    }
}

impl Naming for PodNames {
    fn look(&self, path: &Path) {
        let Some(file) = self.file(path) else { return };
        if let Some(uid) = file.uid.clone() {
            let (id, namespace, pod) = (file.container_id.clone(), file.namespace.clone(), file.pod.clone());
            self.inventory.put(Record::PodContainer(PodContainer { id, uid, namespace, pod }));
        }
    }

    fn accepts(&self, path: &Path) -> bool {
        let Some(file) = self.file(path) else {
            self.warn_once(path);
            return false;
        };
        self.namespaces.accept(&file.namespace)
    }

    fn labels(&self, path: &Path, channel: Channel) -> Labels {
        let file = self.file(path).unwrap_or_default();
        let node = naming::bounded(self.node.as_deref().unwrap_or_default());
        let pairs = [
            ("namespace", file.namespace.as_str()),
            ("pod", &file.pod),
            ("container", &file.container),
            ("container_id", &file.container_id),
            ("node", &node),
            ("stream", naming::stream_value(channel)),
        ];
        Labels::new(pairs).expect("six valid names, and values no longer than a file's name")
    }

    fn excludes(&self, path: &Path) -> bool {
        let excludes = |file: &ContainerFile| Some(self.inventory.excludes(file.uid.as_deref()?, &file.container));
        self.file(path).and_then(|file| excludes(&file)).unwrap_or(false)
    }
}

/// What a link in `/var/log/containers` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ContainerFile {
    pod: String,
    namespace: String,
    container: String,
    /// Empty where the name was cut before it.
    container_id: String,
    /// As it stands in the target; for static pods the hash of their configuration.
    uid: Option<String>,
}

impl ContainerFile {
    /// What the name `<pod>_<namespace>_<container>-<container id>.log` says. None of the four may contain an underscore;
    /// the id is what follows the last hyphen.
    fn of_name(file_name: &str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".log")?.split('_');
        let (pod, namespace, last) = (parts.next()?, parts.next()?, parts.next()?);
        let (container, container_id) = last.rsplit_once('-')?;
        let complete = [pod, namespace, container, container_id].iter().all(|part| !part.is_empty());
        (complete && parts.next().is_none()).then(|| Self::new(pod, namespace, container, container_id, None))
    }

    /// What `target` says, `…/<namespace>_<pod>_<uid>/<container>/<restarts>.log`, if the name is made of it.
    fn of_target(file_name: &str, target: &Path) -> Option<Self> {
        let component = |ancestor: usize| target.ancestors().nth(ancestor)?.file_name()?.to_str();
        let (container, mut of_pod) = (component(1)?, component(2)?.split('_'));
        let (namespace, pod, uid) = (of_pod.next()?, of_pod.next()?, of_pod.next()?);
        let stem = file_name.strip_suffix(".log")?;
        let before_id = format!("{pod}_{namespace}_{container}-");
        // Either may be the shorter one: names are cut.
        let is_of_it = stem.starts_with(&before_id) || before_id.starts_with(stem);
        let complete = [namespace, pod, uid, container].iter().all(|part| !part.is_empty());
        let id = stem.strip_prefix(&before_id).unwrap_or_default();
        let is_whole = is_of_it && complete && of_pod.next().is_none();
        is_whole.then(|| Self::new(pod, namespace, container, id, Some(uid)))
    }

    fn new(pod: &str, namespace: &str, container: &str, container_id: &str, uid: Option<&str>) -> Self {
        Self {
            pod: pod.to_owned(),
            namespace: namespace.to_owned(),
            container: container.to_owned(),
            container_id: container_id.to_owned(),
            uid: uid.map(ToOwned::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(namespaces: Namespaces) -> PodNames {
        PodNames::new(Some("n1".into()), namespaces, Arc::default())
    }

    #[track_caller]
    fn check(file_name: &str, channel: Channel, expected: Option<&str>) {
        let names = names(Namespaces::default());
        let path = Path::new("/var/log/containers").join(file_name);
        let actual = names.accepts(&path).then(|| names.labels(&path, channel).to_string());
        assert_eq!(actual.as_deref(), expected);
    }

    #[test]
    fn the_file_name_says_pod_namespace_container_and_id() {
        check(
            "web-5d4f_shop_nginx-proxy-0a1b2c.log",
            Channel::Stderr,
            Some(
                r#"{container="nginx-proxy", container_id="0a1b2c", namespace="shop", node="n1", pod="web-5d4f", stream="stderr"}"#,
            ),
        );
    }

    #[test]
    fn other_file_names_are_skipped() {
        for name in ["syslog", "a.log", "a_b.log", "a_b_c.log", "a_b_c-.log", "_b_c-1.log", "a_b_c-1_d.log", "a_b_c-1"]
        {
            check(name, Channel::Stdout, None);
        }
    }

    /// A link as the kubelet makes it, its name cut to 255 bytes: what it says.
    #[track_caller]
    fn check_link(container: &str, id: &str, expected: (&str, &str)) {
        let (directory, pod) = (tempfile::tempdir().unwrap(), "p".repeat(120));
        let mut stem = format!("{pod}_shop_{container}-{id}");
        stem.truncate(251);
        let link = directory.path().join(format!("{stem}.log"));
        symlink(format!("/var/log/pods/shop_{pod}_0a-1b/{container}/3.log"), &link).unwrap();
        let names = names(Namespaces::default());
        names.look(&link);
        assert!(names.accepts(&link));
        let labels = names.labels(&link, Channel::None);
        assert_eq!(labels.get("pod"), Some(pod.as_str()));
        assert_eq!(labels.get("namespace"), Some("shop"));
        let actual = ["container", "container_id"].map(|name| labels.get(name).unwrap_or_default());
        assert_eq!(actual, [expected.0, expected.1]);
        let facts = crate::inventory::Facts { app: "web".into(), ..Default::default() };
        let (namespace, name) = ("shop".into(), pod);
        names.inventory.put(Record::Pod(crate::inventory::Pod { uid: "0a-1b".into(), namespace, name, facts }));
        assert_eq!(names.inventory.join(&labels).labels.get("app"), Some("web"));
        // What it said holds when it is gone.
        file::remove(&link).unwrap();
        assert_eq!(names.labels(&link, Channel::None), labels);
    }

    #[test]
    fn a_link_whose_name_was_cut_leads_to_a_path_that_was_not() {
        let id = "0123456789abcdef".repeat(4);
        check_link("web", &id, ("web", &id));
        let long = "container-name-that-is-".repeat(3) + "long";
        check_link(&long, &id, (&long, &id[..251 - 120 - 7 - long.len()]));
        let longer = "c".repeat(140);
        check_link(&longer, &id, (&longer, ""));
    }

    #[test]
    fn a_target_that_the_name_is_not_made_of_says_nothing() {
        for (name, target) in [
            ("web_shop_c-0a.log", "/var/log/pods/shop_other_uid/c/0.log"),
            ("web_shop_c-0a.log", "/var/log/pods/shop_web/c/0.log"),
            ("web_shop_c-0a.log", "/var/log/pods/shop_web_uid_more/c/0.log"),
            ("web_shop_c-0a.log", "0.log"),
        ] {
            assert_eq!(ContainerFile::of_target(name, Path::new(target)), None, "{target}");
        }
    }

    #[test]
    fn namespaces_are_chosen_by_name() {
        let accepts = |include: &[&str], exclude: &[&str], file_name: &str| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            let names = names(Namespaces { include: owned(include), exclude: owned(exclude) });
            names.accepts(&Path::new("/var/log/containers").join(file_name))
        };
        assert!(accepts(&["shop"], &[], "web_shop_c-0a.log"));
        assert!(!accepts(&["shop"], &[], "web_kube-system_c-0a.log"));
        assert!(!accepts(&[], &["kube-system"], "web_kube-system_c-0a.log"));
        assert!(!accepts(&["shop"], &["shop"], "web_shop_c-0a.log"));
    }

    #[test]
    fn what_a_pod_excludes_is_excluded_once_that_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("web_shop_c-0a.log");
        symlink("/var/log/pods/shop_web_0a-1b/c/0.log", &link).unwrap();
        let names = names(Namespaces::default());
        assert!(!names.excludes(&link));
        let exclude = crate::inventory::Exclusion::Everything;
        let facts = crate::inventory::Facts { exclude, ..Default::default() };
        names.inventory.put(Record::Pod(crate::inventory::Pod { uid: "0a-1b".into(), facts, ..Default::default() }));
        assert!(names.excludes(&link));
    }
}
