//! The logs of a Kubernetes node's containers: a directory of files whose names say what they are.
//!
//! Finding, following and reading files is [`Directory`]'s work, decoding the runtime's lines is `format`'s. What is
//! Kubernetes about it is here: the labels. They come from the file's name alone, so that collection never waits for
//! the API server and needs no rights there.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log_collector::Error;
use crate::log_collector::directory::{Directory, Settings};
use crate::log_collector::format::Channel;
use crate::log_collector::naming::{self, Naming};
use crate::log_collector::watcher::Watcher;
use crate::model::{Checkpoint, Labels};
use crate::status::Status;

/// Where the kubelet keeps a link for each container.
pub const ROOT_PATH_DEFAULT: &str = "/var/log/containers";
/// How many file names that say nothing are remembered, so that each is warned of once.
const WARNINGS_MAX: usize = 1000;

/// Collects the container logs under the root of `settings`, by default [`ROOT_PATH_DEFAULT`].
///
/// # Errors
///
/// As [`Directory::new`].
pub fn new<W: Watcher>(
    settings: Settings,
    node: Option<String>,
    watcher: W,
    checkpoints: &[Checkpoint],
    status: Arc<Status>,
) -> Result<Directory<W>, Error> {
    Directory::new(settings, Box::new(PodNames { node, warned: Mutex::default() }), watcher, checkpoints, status)
}

/// Names streams by what the kubelet says in the file's name.
#[derive(Debug)]
struct PodNames {
    /// The node's name, where it is known.
    node: Option<String>,
    /// Names that say nothing and were warned of.
    warned: Mutex<HashSet<String>>,
}

impl PodNames {
    fn warn_once(&self, file_name: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() < WARNINGS_MAX && warned.insert(file_name.to_owned()) {
            log::warn!("{file_name} is skipped: its name is not <pod>_<namespace>_<container>-<container id>.log");
        }
    }
}

impl Naming for PodNames {
    fn accepts(&self, path: &Path) -> bool {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let accepted = ContainerFile::parse(&file_name).is_some();
        if !accepted {
            self.warn_once(&file_name);
        }
        accepted
    }

    fn labels(&self, path: &Path, channel: Channel) -> Labels {
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = ContainerFile::parse(&file_name).unwrap_or_default();
        let node = naming::bounded(self.node.as_deref().unwrap_or_default());
        let pairs = [
            ("namespace", file.namespace),
            ("pod", file.pod),
            ("container", file.container),
            ("container_id", file.container_id),
            ("node", &node),
            ("stream", naming::stream_value(channel)),
        ];
        Labels::new(pairs).expect("six valid names, and values no longer than a file's name")
    }
}

/// What the name of a link in `/var/log/containers` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ContainerFile<'a> {
    pod: &'a str,
    namespace: &'a str,
    container: &'a str,
    container_id: &'a str,
}

impl<'a> ContainerFile<'a> {
    /// Parses `<pod>_<namespace>_<container>-<container id>.log`. None of the four may contain an underscore; the id is
    /// what follows the last hyphen.
    fn parse(file_name: &'a str) -> Option<Self> {
        let mut parts = file_name.strip_suffix(".log")?.split('_');
        let (pod, namespace, last) = (parts.next()?, parts.next()?, parts.next()?);
        let (container, container_id) = last.rsplit_once('-')?;
        let file = Self { pod, namespace, container, container_id };
        let complete = [pod, namespace, container, container_id].iter().all(|part| !part.is_empty());
        (complete && parts.next().is_none()).then_some(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, channel: Channel, expected: Option<&str>) {
        let names = PodNames { node: Some("n1".into()), warned: Mutex::default() };
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
}
