//! A line of a file becomes an entry: its time, its text and, for container runtimes, its channel.

use crate::model::Timestamp;

/// Longest line that is kept, in bytes; also the longest that partial lines are joined to.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// Which output of a container an entry was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The file does not say: it is no container runtime's.
    None,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a line, or the last of several partial ones, decodes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Which output of a container it was written to.
    pub channel: Channel,
    /// When it was logged; the time of reading where the line does not say.
    pub timestamp: Timestamp,
    /// Its text: the line itself for plain files, what the runtime wrapped for container logs.
    pub line: &'a [u8],
}
