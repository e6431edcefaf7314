//! Which container a stream is of, as its stored labels say.
//!
//! | stream | says |
//! |---|---|
//! | of a Kubernetes node | `namespace`, `pod`, `container_id` |
//! | of a container engine | `container_id` |
//! | of a file | `path`, where the file lies in an engine's or a kubelet's directory |

use crate::model::Labels;

/// Where a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// A container of a pod.
    PodContainer {
        /// The pod's namespace.
        namespace: &'a str,
        /// The pod's name.
        pod: &'a str,
        /// The container's id, or as much of it as the name of its log has.
        id: &'a str,
    },
    /// The pod with this uid.
    Pod(&'a str),
    /// The container with this id.
    Container(&'a str),
}

impl<'a> Origin<'a> {
    /// Where the stream with these labels comes from, if they say so.
    pub(super) fn of(labels: &'a Labels) -> Option<Self> {
        let id = labels.get("container_id");
        if let (Some(namespace), Some(pod)) = (labels.get("namespace"), labels.get("pod")) {
            return Some(Self::PodContainer { namespace, pod, id: id.unwrap_or_default() });
        }
        if let Some(id) = id {
            return Some(Self::Container(id));
        }
        let path = labels.get("path")?;
        container_of_path(path).map(Self::Container).or_else(|| pod_of_path(path).map(Self::Pod))
    }
}

/// Bytes of a container's id: 256 bits in hexadecimal digits.
const ID_BYTES: usize = 64;

/// Whether `text` is a container's id.
pub fn is_container_id(text: &str) -> bool {
    text.len() == ID_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The container whose log has this path: `…/<id>/<id>-json.log` and whatever else is in a container's directory.
fn container_of_path(path: &str) -> Option<&str> {
    // Nearly all paths have no such directory; looking at the length alone is cheap.
    path.split('/').rev().skip(1).find(|component| is_container_id(component))
}

/// The uid of the pod whose log has this path: `…/<namespace>_<pod>_<uid>/<container>/<n>.log`.
fn pod_of_path(path: &str) -> Option<&str> {
    let mut parts = path.rsplit('/').nth(2)?.split('_');
    let uid = parts.nth(2).filter(|uid| !uid.is_empty())?;
    parts.next().is_none().then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], expected: Option<Origin<'_>>) {
        assert_eq!(Origin::of(&Labels::new(labels.iter().copied()).unwrap()), expected);
    }

    #[test]
    fn labels_say_where_a_stream_comes_from() {
        let expected = Origin::PodContainer { namespace: "n", pod: "p", id: "0a" };
        check(&[("namespace", "n"), ("pod", "p"), ("container_id", "0a")], Some(expected));
        check(&[("container_id", "0a"), ("stream", "stdout")], Some(Origin::Container("0a")));
        check(&[("app", "web")], None);
    }

    #[test]
    fn paths_say_it_where_they_lie_in_an_engines_directory() {
        let id = "0123456789abcdef".repeat(4);
        for rest in ["-json.log", "-json.log.1"] {
            let path = format!("/var/lib/docker/containers/{id}/{id}{rest}");
            check(&[("path", &path)], Some(Origin::Container(&id)));
        }
        let path = format!("/var/lib/docker/containers/{id}/local-logs/container.log");
        check(&[("path", &path)], Some(Origin::Container(&id)));
        let path = format!("/var/lib/containers/storage/overlay-containers/{id}/userdata/ctr.log");
        check(&[("path", &path)], Some(Origin::Container(&id)));
        check(&[("path", &format!("/var/log/{id}"))], None);
        check(&[("path", "/var/log/pods/shop_web-0_1f-2e/web/0.log")], Some(Origin::Pod("1f-2e")));
        for path in ["/var/log/syslog", "/var/log/a_b/c/d.log", "/a_b_c_d/e/f.log", "/a_b_/c/d.log", "x"] {
            check(&[("path", path)], None);
        }
    }
}
