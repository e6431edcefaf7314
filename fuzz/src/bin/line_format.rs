//! Any bytes as a log file: CRI, Docker's JSON and its records, plain text with times and levels of any shape, partial lines. Never a
//! panic, and no byte of a plain line is changed.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_collector::format::docker_local::{RecordEnds, is_record};
use monitoring_rs::log_collector::format::{Decoder, LINE_BYTES_MAX};
use monitoring_rs::logql::stages::level_of_text;
use monitoring_rs::model::Timestamp;
use monitoring_rs_fuzz::{logs, plant};

fuzz_target!(init: plant("line_format", seeds()), |bytes: &[u8]| {
    check(bytes);
    check_records(bytes);
});

fn check(bytes: &[u8]) {
    let read_at = Timestamp::from_ns(1_700_000_000_000_000_000);
    let mut decoder = Decoder::new(TimeZone::UTC);
    // The first byte says when the file was modified, from long ago to tomorrow.
    let age_ns = i64::from(bytes.first().copied().unwrap_or_default()) * 5_000_000_000_000_000;
    decoder.set_modified(Timestamp::from_ns(read_at.as_ns() + 86_400_000_000_000 - age_ns));
    decoder.read_header(bytes);
    decoder.look_ahead(&bytes[..bytes.len().min(64)], bytes.len() as u64, read_at, |buffer, offset| {
        let rest = bytes.get(usize::try_from(offset).ok()?..)?;
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Some(count)
    });
    let mut offset = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(decoded) = decoder.decode(line, offset, read_at) {
            assert!(decoded.line.len() <= LINE_BYTES_MAX);
            level_of_text(decoded.line);
        }
        assert!(decoder.pending_from().is_none_or(|pending| pending <= offset));
        offset += line.len() as u64 + 1;
    }
    while let Some(decoded) = decoder.finish() {
        assert!(decoded.line.len() <= LINE_BYTES_MAX);
    }
}

/// As a file of records: cut in pieces that are whole or lead up to the next, at the same places however much is there.
fn check_records(bytes: &[u8]) {
    let mut decoder = Decoder::new(TimeZone::UTC);
    let (mut start, mut ends) = (0, Vec::new());
    for end in RecordEnds::of(bytes) {
        assert!(start < end && end <= bytes.len());
        let piece = &bytes[start..end];
        if let Some(decoded) = decoder.decode(piece, start as u64, Timestamp::from_ns(0)) {
            assert!(decoded.line.len() <= LINE_BYTES_MAX);
        }
        assert!(is_record(piece) || RecordEnds::of(piece).all(|end| end < piece.len()));
        start = end;
        ends.push(end);
    }
    let half = &bytes[..bytes.len() / 2];
    assert!(RecordEnds::of(half).eq(ends.iter().copied().filter(|end| *end <= half.len()).take(RecordEnds::of(half).count())));
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        logs(40).iter().map(|lines| lines.iter().flat_map(|(_, line)| [line, b"\n"].concat()).collect()).collect();
    seeds.push(
        b"2024-05-06T07:08:09.123456789Z stdout P one \n2024-05-06T07:08:09.2+02:00 stderr F err\n\
          2024-05-06T07:08:10.123456789Z stdout F two\n"
            .to_vec(),
    );
    seeds.extend(include_str!("../../../tests/it/times.txt").lines().filter_map(|sample| {
        let line = sample.splitn(3, ' ').nth(2)?;
        Some(format!("{line}\n{line}\n").into_bytes())
    }));
    seeds.push(
        br#"{"log":"a\u00e9\ud83d\ude00\n","stream":"stdout","time":"2024-05-06T07:08:09.1Z"}
{"log":"part","stream":"stderr","time":"2024-05-06T07:08:09.1Z","attrs":{"a":[1,null]}}
{"stream":"stderr","log":"end\n","time":"2024-05-06T07:08:09.1Z"}"#
            .to_vec(),
    );
    let record = b"\0\0\0\x19\x0a\x06stdout\x10\xe6\xfa\xfc\xe0\xdc\xc3\xbb\xf6\x18\x1a\x05hello\0\0\0\x19";
    seeds.push([&record[..], b"\0\0\0", record, record].concat());
    seeds
}
