//! OpenTelemetry's `ExportLogsServiceRequest` in protobuf, compressed with gzip: `POST /v1/logs`.
//!
//! ```text
//! ExportLogsServiceRequest := 1: ResourceLogs*
//! ResourceLogs             := 1: Resource | 2: ScopeLogs*
//! Resource                 := 1: KeyValue*
//! ScopeLogs                := 1: Scope | 2: LogRecord*
//! Scope                    := 1: name | 2: version
//! LogRecord                := 1: time_unix_nano (fixed64) | 2: severity_number | 3: severity_text | 5: body (AnyValue)
//!                           | 6: KeyValue* | 11: observed_time_unix_nano (fixed64)
//! KeyValue                 := 1: key | 2: AnyValue
//! AnyValue                 := 1: string | 7: bytes
//! ```
//!
//! Labels are named as OpenTelemetry's semantic conventions name them, where they do
//! (<https://opentelemetry.io/docs/specs/semconv/resource/k8s/>). A stream is a resource.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::forward::Body;
use crate::forward::entries::{Entry, Stream};
use crate::logql::pipeline;
use crate::logql::stages::level_of;
use crate::protobuf::{Fields, Value, put_bytes, put_fixed, put_varint};

/// What is known of labels under other names.
const NAMES: [(&str, &str); 11] = [
    ("namespace", "k8s.namespace.name"),
    ("pod", "k8s.pod.name"),
    ("container", "k8s.container.name"),
    ("container_id", "container.id"),
    ("node", "k8s.node.name"),
    ("cluster", "k8s.cluster.name"),
    ("path", "log.file.path"),
    ("stream", "log.iostream"),
    ("unit", "systemd.unit"),
    ("host", "host.name"),
    ("service_name", "service.name"),
];
/// The numbers of levels (<https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>).
const SEVERITIES: [(&str, u64); 7] =
    [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("critical", 18), ("fatal", 21)];
const SCOPE: &str = "monitoring-rs";

/// The body of an export.
pub(super) fn encode(streams: &[Stream]) -> Body {
    let mut request = Vec::new();
    let mut scope = Vec::new();
    put_bytes(&mut scope, 1, SCOPE.as_bytes());
    put_bytes(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    for stream in streams {
        let mut resource = Vec::new();
        let folded = stream.folded.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in stream.labels.iter().chain(folded) {
            put_bytes(&mut resource, 1, &key_value(key(name), value));
        }
        let mut scope_logs = Vec::new();
        put_bytes(&mut scope_logs, 1, &scope);
        for entry in &stream.entries {
            let mut record = Vec::new();
            let time = u64::try_from(entry.time.as_ns()).unwrap_or_default();
            put_fixed(&mut record, 1, time);
            if let Some((level, number)) = severity(stream, entry) {
                put_varint(&mut record, 2, number);
                put_bytes(&mut record, 3, level.as_bytes());
            }
            let mut body = Vec::new();
            let field = if str::from_utf8(&entry.line).is_ok() { 1 } else { 7 };
            put_bytes(&mut body, field, &entry.line);
            put_bytes(&mut record, 5, &body);
            for (name, value) in &entry.metadata {
                put_bytes(&mut record, 6, &key_value(name, value));
            }
            put_fixed(&mut record, 11, time);
            put_bytes(&mut scope_logs, 2, &record);
        }
        let mut resource_logs = Vec::new();
        put_bytes(&mut resource_logs, 1, &resource);
        put_bytes(&mut resource_logs, 2, &scope_logs);
        put_bytes(&mut request, 1, &resource_logs);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&request).expect("writing to memory cannot fail");
    let bytes = encoder.finish().expect("writing to memory cannot fail");
    Body { bytes, content_type: "application/x-protobuf", content_encoding: Some("gzip") }
}

/// How severe an entry is, where its labels or its text tell.
fn severity(stream: &Stream, entry: &Entry) -> Option<(&'static str, u64)> {
    let Entry { time, line, metadata } = entry;
    let level = level_of(&pipeline::Entry { timestamp: *time, labels: &stream.labels, metadata, line });
    SEVERITIES.into_iter().find(|(known, _)| *known == level)
}

fn key(name: &str) -> &str {
    NAMES.iter().find(|(own, _)| *own == name).map_or(name, |(_, known)| known)
}

fn key_value(key: &str, value: &str) -> Vec<u8> {
    let (mut any, mut pair) = (Vec::new(), Vec::new());
    put_bytes(&mut any, 1, value.as_bytes());
    put_bytes(&mut pair, 1, key.as_bytes());
    put_bytes(&mut pair, 2, &any);
    pair
}

/// How many records a receiver has refused that answers with success, and its words.
///
/// ```text
/// ExportLogsServiceResponse := 1: PartialSuccess
/// PartialSuccess            := 1: rejected_log_records (int64) | 2: error_message
/// ```
pub(super) fn refused(answer: &[u8]) -> (u64, String) {
    let (mut count, mut words) = (0, String::new());
    for field in Fields::of(answer).flatten() {
        let (1, Value::Bytes(partial)) = field else { continue };
        for field in Fields::of(partial).flatten() {
            match field {
                (1, Value::Varint(records)) => count = records,
                (2, Value::Bytes(message)) => words = String::from_utf8_lossy(message).into_owned(),
                _ => {}
            }
        }
    }
    (count, words)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::model::{Labels, Timestamp};

    /// The fields of a message, those that are messages as often as `depth` says opened as well.
    fn fields(message: &[u8], depth: usize) -> Vec<String> {
        let mut out = Vec::new();
        for field in Fields::of(message) {
            match field.unwrap() {
                (number, Value::Bytes(bytes)) if 0 < depth => {
                    out.extend(fields(bytes, depth - 1).into_iter().map(|inner| format!("{number}.{inner}")));
                }
                (number, Value::Bytes(bytes)) => out.push(format!("{number}={}", String::from_utf8_lossy(bytes))),
                (number, value) => out.push(format!("{number}={value:?}")),
            }
        }
        out
    }

    #[test]
    fn an_export_is_what_opentelemetry_reads() {
        let entry = Entry {
            time: Timestamp::from_ns(5),
            line: b"an error".to_vec(),
            metadata: vec![("trace".into(), "7".into())],
        };
        let streams = [Stream {
            labels: Labels::new([("pod", "p"), ("own", "x")]).unwrap(),
            folded: Vec::new(),
            entries: vec![entry.clone(), Entry { line: b"\xff".to_vec(), metadata: Vec::new(), ..entry }],
        }];
        let body = encode(&streams);
        let mut request = vec![0; 1000];
        let count = GzDecoder::new(body.bytes.as_slice()).read(&mut request).unwrap();
        let [Ok((1, Value::Bytes(resource_logs)))] = Fields::of(&request[..count]).collect::<Vec<_>>()[..] else {
            panic!()
        };
        let parts: Vec<_> = Fields::of(resource_logs).map(Result::unwrap).collect();
        let [(1, Value::Bytes(resource)), (2, Value::Bytes(scope_logs))] = parts[..] else { panic!("{parts:?}") };
        assert_eq!(fields(resource, 1), ["1.1=own", "1.2=\n\u{1}x", "1.1=k8s.pod.name", "1.2=\n\u{1}p"]);
        let records = fields(scope_logs, 1);
        assert_eq!(records[0], "1.1=monitoring-rs");
        let (severity, body) = (["2.2=Varint(17)", "2.3=error"], "2.5=\n\u{8}an error");
        let expected =
            ["2.1=Fixed", severity[0], severity[1], body, "2.6=\n\u{5}trace\u{12}\u{3}\n\u{1}7", "2.11=Fixed"];
        assert_eq!(records[2..8], expected);
        assert_eq!(records[9], "2.5=:\u{1}\u{fffd}");
    }

    #[test]
    fn what_a_receiver_refuses_is_read_of_its_answer() {
        let (mut partial, mut answer) = (Vec::new(), Vec::new());
        crate::protobuf::put_varint(&mut partial, 1, 3);
        put_bytes(&mut partial, 2, b"too old");
        put_bytes(&mut answer, 1, &partial);
        assert_eq!(refused(&answer), (3, "too old".to_owned()));
        assert_eq!(refused(b""), (0, String::new()));
        assert_eq!(refused(b"{\"not\":1}"), (0, String::new()));
    }
}
