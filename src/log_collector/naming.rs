//! Which streams the entries of a file go to.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::log_collector::format::Channel;
use crate::model::{LABEL_VALUE_BYTES_MAX, Labels};

/// Says which streams the entries of a name go to: the seam between finding files and knowing what they are.
pub trait Naming {
    /// Takes notice of a path under the root that was found or has changed, be it collected or not.
    fn look(&self, _path: &Path) {}

    /// Whether the file under this name, as seen under the root path, is collected at all.
    fn accepts(&self, path: &Path) -> bool;

    /// Whether what the file under this name holds is not stored, as whoever wrote it asks. That may change.
    fn excludes(&self, _path: &Path) -> bool {
        false
    }

    /// The labels of what was written to `channel` of the file under this name.
    fn labels(&self, path: &Path, channel: Channel) -> Labels;
}

/// Names streams by the file's path: label `path`, and `stream` for a container's channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByPath;

impl Naming for ByPath {
    fn accepts(&self, _path: &Path) -> bool {
        true
    }

    fn labels(&self, path: &Path, channel: Channel) -> Labels {
        let path = bounded(&text_of(path));
        Labels::new([("path", path.as_str()), ("stream", stream_value(channel))])
            .expect("two valid names and bounded values")
    }
}

/// A path as text: each byte that is not UTF-8 as `\xE9`, so that two paths are two texts.
pub(super) fn text_of(path: &Path) -> String {
    let mut text = String::with_capacity(path.as_os_str().len());
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

/// The value of label `stream` for what was written to `channel`; empty, and so absent, where there is none.
pub(super) fn stream_value(channel: Channel) -> &'static str {
    match channel {
        Channel::None => "",
        Channel::Stdout => "stdout",
        Channel::Stderr => "stderr",
    }
}

/// `value`, cut to what a label's value may hold.
pub(super) fn bounded(value: &str) -> String {
    value[..value.floor_char_boundary(LABEL_VALUE_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn names_that_differ_in_bytes_that_are_not_utf_8_are_two_streams() {
        let path_of = |name: &[u8]| {
            let labels = ByPath.labels(Path::new(OsStr::from_bytes(name)), Channel::None);
            labels.get("path").unwrap().to_owned()
        };
        assert_eq!(path_of(b"/logs/caf\xe9.log"), r"/logs/caf\xE9.log");
        assert_eq!(path_of(b"/logs/caf\xe8.log"), r"/logs/caf\xE8.log");
        assert_eq!(path_of("/logs/caf\u{e9}.log".as_bytes()), "/logs/caf\u{e9}.log");
    }
}
