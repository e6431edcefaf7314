//! Which streams the entries of a file go to.

use std::path::Path;

use crate::log_collector::format::Channel;
use crate::model::{LABEL_VALUE_BYTES_MAX, Labels};

/// Says which streams the entries of a name go to: the seam between finding files and knowing what they are.
pub trait Naming {
    /// Whether the file under this name, as seen under the root path, is collected at all.
    fn accepts(&self, path: &Path) -> bool;

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
        let path = bounded(&path.to_string_lossy());
        Labels::new([("path", path.as_str()), ("stream", stream_value(channel))])
            .expect("two valid names and bounded values")
    }
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
