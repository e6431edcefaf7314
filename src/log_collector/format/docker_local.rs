//! The log format of Docker's `local` driver, which is also what the engine caches for drivers that send lines away.
//!
//! ```text
//! record   := length message length     the length in bytes, 32 bits, the high byte first
//! message  := 1: "stdout" | "stderr"  2: nanoseconds since 1970 (varint)  3: text  4: is a part  5: part     in protobuf
//! part     := 1: is the last (varint)  2: id  3: number
//! ```
//!
//! The text has no newline at its end. Defined by Moby's `daemon/logger/local` and `api/types/plugins/logdriver`.
//!
//! Newlines mean nothing here, so a file of records is told from others by how it begins, and cut by their lengths. What is
//! no record is cut where the next one begins: a power cut may leave some in the middle.

use memchr::memmem;

use super::join::Part;
use super::{Channel, LINE_BYTES_MAX};
use crate::model::Timestamp;
use crate::protobuf::{Fields, Value};

/// Bytes of a length.
const LENGTH_BYTES: usize = size_of::<u32>();
/// How a message begins: the key of its first field, its length, and what the names of channels have in common.
const MESSAGE_START: &[u8] = b"\x0a\x06std";
/// The names of channels, with the key of the time after them.
const CHANNELS: [&[u8]; 2] = [b"\x0a\x06stdout\x10", b"\x0a\x06stderr\x10"];
/// What is looked at to tell where a record may begin.
const START_BYTES: usize = LENGTH_BYTES + CHANNELS[0].len();
/// Longest message that is one; what says that it is longer is no record. The engine's have 16 KiB of text.
const MESSAGE_BYTES_MAX: usize = LINE_BYTES_MAX - 2 * LENGTH_BYTES;

/// What bytes are where a record may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A record of so many bytes, its lengths included.
    Whole(usize),
    /// A record as far as they go.
    Begun,
    /// No record.
    Other,
}

/// Whether a file that begins with `start` may be one of records.
pub fn is_start(start: &[u8]) -> bool {
    !start.is_empty() && verdict(start) != Verdict::Other
}

/// Whether `bytes` are exactly one record.
pub fn is_record(bytes: &[u8]) -> bool {
    verdict(bytes) == Verdict::Whole(bytes.len())
}

#[expect(clippy::big_endian_bytes, reason = "the driver writes lengths so")]
fn verdict(bytes: &[u8]) -> Verdict {
    let Some((length, rest)) = bytes.split_first_chunk() else {
        return if bytes.first().is_none_or(|byte| *byte == 0) { Verdict::Begun } else { Verdict::Other };
    };
    let message_bytes = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let begins_like = |channel: &&[u8]| {
        let common = channel.len().min(rest.len());
        rest[..common] == channel[..common]
    };
    if !(CHANNELS[0].len()..=MESSAGE_BYTES_MAX).contains(&message_bytes) || !CHANNELS.iter().any(begins_like) {
        return Verdict::Other;
    }
    let end = &rest[message_bytes.min(rest.len())..];
    match end.first_chunk::<LENGTH_BYTES>() {
        Some(again) if again == length => Verdict::Whole(message_bytes + 2 * LENGTH_BYTES),
        None if length.starts_with(end) => Verdict::Begun,
        _ => Verdict::Other,
    }
}

/// Where records end in bytes that begin where one does or anywhere; where there are none, where the next one begins. What
/// comes after the last of these ends is a record that has not ended.
#[derive(Clone, Debug)]
pub struct RecordEnds<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> RecordEnds<'a> {
    /// Those in `bytes`.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many of `bytes`, which begin with no record, are before what begins like one. To look no further makes the answer
    /// the same however much of a file is there yet.
    fn other_bytes(bytes: &[u8]) -> Option<usize> {
        let starts = memmem::find_iter(bytes, MESSAGE_START).filter_map(|at| at.checked_sub(LENGTH_BYTES));
        let mut starts = starts.filter(|start| 0 < *start).map(|start| (start, bytes.get(start..start + START_BYTES)));
        let next = starts.find(|(_, start)| start.is_none_or(is_start));
        next.and_then(|(at, start)| start.map(|_| at))
    }
}

impl Iterator for RecordEnds<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        self.at += match verdict(rest) {
            Verdict::Whole(byte_count) => byte_count,
            Verdict::Begun => return None,
            Verdict::Other => Self::other_bytes(rest)?,
        };
        Some(self.at)
    }
}

/// Reads `record` if it has this format.
pub(super) fn parse(record: &[u8]) -> Option<Part<'_>> {
    if record.first() != Some(&0) || !is_record(record) {
        return None;
    }
    let message = record.get(LENGTH_BYTES..record.len() - LENGTH_BYTES)?;
    let (mut channel, mut timestamp, mut text, mut is_last) = (None, None, &[][..], true);
    for field in Fields::of(message) {
        match field.ok()? {
            (1, Value::Bytes(name)) => channel = Channel::from_name(name),
            (2, Value::Varint(ns)) => timestamp = Some(Timestamp::from_ns(ns.cast_signed())),
            (3, Value::Bytes(line)) => text = line,
            (5, Value::Bytes(part)) => is_last = is_last_part(part)?,
            _ => {}
        }
    }
    // Terminals end their lines so.
    let text = if is_last { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
    Some(Part { channel: channel?, timestamp: timestamp?, text, attributes: &[], is_last })
}

fn is_last_part(part: &[u8]) -> Option<bool> {
    let mut is_last = false;
    for field in Fields::of(part) {
        if let (1, Value::Varint(value)) = field.ok()? {
            is_last = value != 0;
        }
    }
    Some(is_last)
}
