//! The log format of Kubernetes' container runtimes (containerd, CRI-O).
//!
//! `<RFC 3339 time> stdout|stderr <tag>[:<tag>…] <text>`, where the first tag is `P` for a part of an entry or `F` for
//! its last part. Defined by the kubelet's `pkg/kubelet/kuberuntime/logs`.

use memchr::memchr;

use super::Channel;
use super::join::Part;
use super::time_text;

/// Longest time, in bytes: nine digits of fraction and a numeric zone.
const TIME_BYTES_MAX: usize = "2026-11-22T13:04:05.123456789+01:00".len();

/// Reads `line` if it has this format.
pub(super) fn parse(line: &[u8]) -> Option<Part<'_>> {
    if !line.first()?.is_ascii_digit() {
        return None;
    }
    let time_bytes = memchr(b' ', line.get(..line.len().min(TIME_BYTES_MAX + 1))?)?;
    let (time, rest) = line.split_at_checked(time_bytes)?;
    let (channel, rest) = rest.get(1..)?.split_at_checked("stdout".len())?;
    let channel = Channel::from_name(channel)?;
    let timestamp = time_text::instant(time)?;
    let rest = rest.strip_prefix(b" ")?;
    let (tags, text) = match memchr(b' ', rest) {
        Some(at) => (rest.get(..at)?, rest.get(at + 1..)?),
        None => (rest, &[][..]),
    };
    let is_last = match tags {
        [b'F'] | [b'F', b':', ..] => true,
        [b'P'] | [b'P', b':', ..] => false,
        _ => return None,
    };
    Some(Part { channel, timestamp, text, attributes: &[], is_last })
}
