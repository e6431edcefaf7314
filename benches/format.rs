//! What decoding one line costs, in nanoseconds, for each format: `cargo bench --bench format`.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use monitoring_rs::log_collector::format::Decoder;
use monitoring_rs::model::Timestamp;

/// Decoded per measurement: long enough to be read off a clock, short enough not to be interrupted each time.
const LINE_COUNT: u32 = 200_000;
/// The fastest counts: what disturbs a measurement only ever makes it longer.
const MEASUREMENT_COUNT: u32 = 15;
/// 2026-11-22T13:04:05Z.
const READ_AT: Timestamp = Timestamp::from_ns(1_795_352_645_000_000_000);

/// A name and lines of one kind, decoded in turn.
const KINDS: &[(&str, &[&str])] = &[
    (
        "CRI",
        &[
            r#"2026-11-22T13:04:05.123456789Z stdout F {"level":"info","msg":"request done","status":200,"duration_ms":12}"#,
            "2026-11-22T13:04:05.223456789Z stderr F 2026/11/22 13:04:05 [warn] upstream is slow: 10.0.0.1:8080, 1.2 s",
        ],
    ),
    (
        "Docker",
        &[
            r#"{"log":"10.0.0.1 - GET /api/v1/items/4711 HTTP/1.1 200 5120 0.012 s, upstream 10.2.3.4\n","stream":"stdout","time":"2026-11-22T13:04:05.123456789Z"}"#,
        ],
    ),
    (
        "Docker, JSON inside",
        &[
            r#"{"log":"{\"level\":\"info\",\"ts\":\"2026-11-22T13:04:05Z\",\"msg\":\"request done\",\"status\":200,\"path\":\"/api/v1/items\"}\n","stream":"stdout","time":"2026-11-22T13:04:05.123456789Z"}"#,
        ],
    ),
    (
        "RFC 3339",
        &["2026-11-22T13:04:05.123456Z  INFO server: request done status=200 duration_ms=12 path=/api/v1/items/4711"],
    ),
    (
        "local date and time",
        &["2026-11-22 13:04:05,123 INFO  [main] com.example.Server - request done, status 200, 12 ms, /api/v1/items"],
    ),
    ("syslog", &["Nov 22 13:04:05 host sshd[4711]: Accepted publickey for root from 10.0.0.1 port 50022 ssh2"]),
    ("klog", &["I1122 13:04:05.123456       1 controller.go:123] \"Reconciled\" node=\"worker-1\" duration=\"12ms\""]),
    (
        "access log",
        &[
            r#"10.11.12.13 - alice [22/Nov/2026:13:04:05 +0000] "GET /api/v1/items/4711 HTTP/1.1" 200 5120 "-" "curl/8.0""#,
        ],
    ),
    ("Unix time", &["1795352645.123    120 10.0.0.1 TCP_MISS/200 5120 GET http://example.com/ - DIRECT/10.2.3.4"]),
    (
        "logfmt",
        &["ts=2026-11-22T13:04:05.123Z level=info caller=main.go:12 msg=\"request done\" status=200 duration=12ms"],
    ),
    (
        "JSON, time first",
        &[
            r#"{"ts":"2026-11-22T13:04:05.123Z","level":"info","msg":"request done","status":200,"path":"/api/v1/items"}"#,
        ],
    ),
    (
        "JSON, time last",
        &[
            r#"{"level":"info","logger":"http","msg":"request done","status":200,"path":"/api/v1/items","user":{"id":4711},"ts":1795352645.123}"#,
        ],
    ),
    (
        "JSON without time",
        &[
            r#"{"level":"info","logger":"http","msg":"request done","status":200,"path":"/api/v1/items","user":{"id":4711}}"#,
        ],
    ),
    ("stack trace", &["\tat com.example.Server.handle(Server.java:123) ~[server.jar:1.0]"]),
    (
        "Apache, error log",
        &["[Mon Nov 22 13:04:05.123456 2026] [core:error] [pid 4711] [client 10.0.0.1:50022] AH00126: Invalid URI"],
    ),
    ("Redis", &["4711:M 22 Nov 2026 13:04:05.123 * Background saving terminated with success after 12 changes"]),
    (
        "level first",
        &[
            "INFO  [2026-11-22 13:04:05,123] com.example.Server: request done, status 200, 12 ms, /api/v1/items",
            "ERROR [2026-11-22 13:04:05,124] com.example.Server: request failed, status 502, 12 ms, /api/v1/items",
        ],
    ),
    (
        "time inside",
        &[
            "[pid: 77|app: 0|req: 12/34] 10.0.0.1 () {44 vars in 812 bytes} [Sun Nov 22 13:04:05 2026] GET /api/v1/items",
            "[pid: 7|app: 0|req: 9/34] 10.0.0.100 () {44 vars in 812 bytes} [Sun Nov 22 13:04:05 2026] GET /api/v1/items",
        ],
    ),
    ("Linux audit", &["type=SYSCALL msg=audit(1795352645.123:4711): arch=c000003e syscall=59 success=yes exit=0"]),
    (
        "logfmt, time later",
        &["level=info caller=main.go:12 ts=2026-11-22T13:04:05.123Z msg=\"request done\" status=200 duration=12ms"],
    ),
    ("text", &["the quick brown fox jumps over the lazy dog, and then it does so again and again and again"]),
];

fn main() {
    for (name, lines) in KINDS {
        let mut decoder = Decoder::new(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a valid rule"));
        let fastest = (0..MEASUREMENT_COUNT).map(|_| measure(&mut decoder, lines)).min().expect("at least one");
        println!("{name:>20} {:6.1} ns/line", fastest.as_secs_f64() * 1e9 / f64::from(LINE_COUNT));
    }
}

/// How long `LINE_COUNT` lines take.
fn measure(decoder: &mut Decoder, lines: &[&str]) -> Duration {
    let start = Instant::now();
    for (line, offset) in lines.iter().cycle().zip(0..LINE_COUNT) {
        black_box(decoder.decode(black_box(line.as_bytes()), offset.into(), READ_AT));
    }
    start.elapsed()
}
