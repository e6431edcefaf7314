//! Records of Docker's `local` driver.
#![expect(clippy::big_endian_bytes, reason = "the driver writes lengths so")]

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{berlin, show_records};
use crate::log_collector::format::docker_local::{RecordEnds, is_record, is_start};
use crate::log_collector::format::{Channel, Decoder};

/// What Docker 28 wrote for `echo hello`, for `echo tty` in a terminal and for `printf end`, whose channel was at its end.
const WRITTEN: &[u8] = b"\0\0\0\x19\x0a\x06stdout\x10\xe6\xfa\xfc\xe0\xdc\xc3\xbb\xf6\x18\x1a\x05hello\0\0\0\x19\
    \0\0\0\x18\x0a\x06stdout\x10\x98\xf6\xd1\xff\xe7\xc3\xbb\xf6\x18\x1a\x04tty\r\0\0\0\x18\
    \0\0\0\x5f\x0a\x06stdout\x10\xf4\x99\xcf\x80\xdd\xc3\xbb\xf6\x18\x1a\x03end\x20\x01\x2aD\x12@\
    ba1b8cbceb52c00f9420a27644e339ac83b62ef00f6c13cb4cb82db8b1ba93a8\x18\x01\0\0\0\x5f";

/// A record as the driver writes it; `part` says whether it is the last of several, and which.
pub(crate) fn record(channel: &str, ns: u64, text: &[u8], part: Option<(bool, u8)>) -> Vec<u8> {
    let mut message = Vec::new();
    put_bytes(&mut message, 1, channel.as_bytes());
    message.push(2 << 3);
    put_varint(&mut message, ns);
    put_bytes(&mut message, 3, text);
    if let Some((is_last, number)) = part {
        message.extend([4 << 3, 1]);
        let mut metadata = Vec::new();
        if is_last {
            metadata.extend([1 << 3, 1]);
        }
        put_bytes(&mut metadata, 2, b"0123456789abcdef");
        metadata.extend([3 << 3, number]);
        put_bytes(&mut message, 5, &metadata);
    }
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&length[..], &message, &length].concat()
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while 0x80 <= value {
        message.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    message.push(value.to_le_bytes()[0]);
}

const NS: u64 = 1_795_352_645_123_456_789;

/// What is cut out of `bytes` at the ends of records.
fn cut(bytes: &[u8]) -> Vec<&[u8]> {
    let mut start = 0;
    RecordEnds::of(bytes)
        .map(|end| {
            let piece = &bytes[start..end];
            start = end;
            piece
        })
        .collect()
}

/// What `bytes` decode to, each on a line.
fn decode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for entry in show_records(&mut Decoder::new(berlin()), &cut(bytes)) {
        writeln!(text, "{entry}").unwrap();
    }
    text
}

#[test]
fn records_decode_to_what_was_written() {
    let text = [
        record("stdout", NS, b"hello", None),
        record("stderr", NS + 1, b"a\nb\0", None),
        record("stdout", NS + 2, b"", None),
        record("stdout", 0, b"of a terminal\r", None),
    ]
    .concat();
    let expected = "stdout 2026-11-22T13:04:05.123456789Z hello\nstderr 2026-11-22T13:04:05.12345679Z a\nb\0\n\
        stdout 2026-11-22T13:04:05.123456791Z \nstdout 1970-01-01T00:00:00Z of a terminal\n";
    assert_eq!(decode(&text), expected);
}

#[test]
fn what_the_engine_wrote_is_read() {
    assert!(is_start(WRITTEN));
    let expected = "stdout 2026-11-30T20:56:03.16004695Z hello\nstdout 2026-11-30T20:56:06.177143576Z tty\npending\n";
    assert_eq!(decode(WRITTEN), expected);
}

#[test]
fn parts_are_joined_for_each_channel() {
    let text = [
        record("stdout", NS, b"a", Some((false, 1))),
        record("stderr", NS, b"x", None),
        record("stdout", NS + 9, b"b\r", Some((false, 2))),
        record("stdout", NS + 9, b"c", Some((true, 3))),
    ]
    .concat();
    let time = "2026-11-22T13:04:05.123456789Z";
    assert_eq!(decode(&text), format!("pending\nstderr {time} x\npending\nstdout {time} ab\rc\n"));
}

#[test]
fn what_is_almost_a_record_is_none() {
    let whole = record("stdout", NS, b"hello", None);
    assert!(is_record(&whole));
    for at in [3, 4, 6, whole.len() - 1] {
        let mut other = whole.clone();
        other[at] ^= 1;
        assert!(!is_record(&other), "byte {at}");
    }
    assert!(!is_record(&whole[..whole.len() - 1]) && !is_record(&[&whole[..], b"\0"].concat()));
    // It says that it is longer than a record may be, or too short to be one.
    for length in [u32::MAX, 1 << 21, 8] {
        assert!(!is_start(&[&length.to_be_bytes(), &whole[4..]].concat()), "{length}");
    }
    for start in [&b"\0\0\0\0"[..], b"\n", b"\0\0\0\x10\x12", b"text", &[0, 1, 0, b'\n'].repeat(9)] {
        assert!(!is_start(start), "{start:?}");
    }
    assert!(!is_start(b"") && is_start(b"\0") && is_start(&whole[..20]));
}

#[test]
fn what_is_no_record_ends_where_the_next_one_begins() {
    let (one, two) = (record("stdout", NS, b"one", None), record("stderr", NS, b"two", None));
    for damage in [&[0; 99][..], b"x", &one[..20], &one[1..], b"\0\0\0\x30\x0a\x06std"] {
        let text = [&one[..], damage, &two, &one].concat();
        assert_eq!(cut(&text), [&one[..], damage, &two, &one], "{damage:?}");
    }
}

/// Records, and bytes that are none between them.
fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = vec(any::<u8>(), 0..40);
    let whole = (select(&["stdout", "stderr"][..]), any::<u64>(), text.clone(), any::<Option<(bool, u8)>>());
    let whole = whole.prop_map(|(channel, ns, text, part)| record(channel, ns, &text, part));
    let torn = (whole.clone(), any::<Index>()).prop_map(|(record, end)| {
        let end = end.index(record.len());
        record[..end].to_vec()
    });
    vec(prop_oneof![4 => whole, 1 => torn, 1 => text], 0..8)
}

proptest! {
    /// However much of a file is seen at a time, it is cut at the same places: reading on gives what reading anew does.
    #[test]
    fn a_file_that_grows_is_cut_as_the_whole_one_is(pieces in pieces(), steps in vec(1..60_usize, 1..40)) {
        let whole = pieces.concat();
        let expected: Vec<usize> = RecordEnds::of(&whole).collect();
        let (mut seen, mut start, mut ends) = (0, 0, Vec::new());
        for step in steps.into_iter().chain([whole.len()]) {
            seen = (seen + step).min(whole.len());
            ends.extend(RecordEnds::of(&whole[start..seen]).map(|end| start + end));
            start = ends.last().copied().unwrap_or(0);
        }
        prop_assert_eq!(ends, expected);
    }

    #[test]
    fn whole_records_are_all_found(pieces in vec((any::<u64>(), vec(any::<u8>(), 0..40)), 0..8)) {
        let records: Vec<_> = pieces.iter().map(|(ns, text)| record("stdout", *ns, text, None)).collect();
        let whole = records.concat();
        prop_assert_eq!(cut(&whole), records.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    /// Whatever the bytes of a message are, it is an entry or stays as it is.
    #[test]
    fn damaged_messages_decode(text in vec(any::<u8>(), 0..40), damage in vec((any::<Index>(), any::<u8>()), 0..6)) {
        let mut record = record("stderr", NS, &text, Some((true, 3)));
        for (at, byte) in damage {
            let at = 13 + at.index(record.len() - 17);
            record[at] = byte;
        }
        let mut decoder = Decoder::new(berlin());
        let entry = decoder.decode(&record, 0, super::READ_AT);
        if let Some(entry) = entry.filter(|entry| entry.channel == Channel::None) {
            prop_assert_eq!(entry.line, &record[..]);
        }
    }
}
