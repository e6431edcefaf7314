//! Any body of a push is taken or refused, and what is taken fits into the database and comes back with its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitoring_rs::api::decode_push;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::Selection;
use monitoring_rs_fuzz::{entries, open, plant};

/// What bodies are said to be; the first byte of an input chooses.
const TYPES: [(&str, &str); 4] = [
    ("application/json", ""),
    ("application/json", "gzip"),
    ("application/x-protobuf", ""),
    ("application/x-protobuf", "snappy"),
];

fn seeds() -> Vec<Vec<u8>> {
    let json = br#"{"streams":[{"stream":{"a":"b","c":"d"},"values":[["1","text",{"trace":"7"}],["2","text"]]}]}"#;
    // Two entries of a stream, one with metadata; then in one literal of snappy.
    let message = b"\x0a\x25\x0a\x07{a=\"b\"}\x12\x08\x0a\x02\x08\x02\x12\x02hi\x12\x10\x0a\x02\x10\x05\x12\x02ho\x1a\x06\x0a\x01x\x12\x01y";
    let length = u8::try_from(message.len()).expect("a short message");
    let snappy = [&[2, length, (length - 1) << 2], &message[..]].concat();
    vec![[&[0], &json[..]].concat(), snappy]
}

fuzz_target!(
    init: plant("push_decode", seeds()),
    |input: &[u8]| {
        let Some((choice, body)) = input.split_first() else { return };
        let (content_type, encoding) = TYPES[usize::from(*choice) % TYPES.len()];
        let Ok(batch) = decode_push(content_type, encoding, body) else { return };
        let line_count = batch.line_count();
        let database = open(&SimulatedStorage::default()).expect("memory takes a database");
        database.append(batch).expect("what is decoded fits");
        // The last nanosecond of all is in no range.
        assert!(entries(&database.snapshot(), &Selection::of(Vec::new())).len() <= line_count);
        database.commit().expect("there is room");
    }
);
