//! Whether lines keep coming in, and memory stays bounded, while many clients ask for as much as they can.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::{Message, client};

use crate::backlog::wait;
use crate::corpus::Corpus;
use crate::latency::{LINES_PER_SECOND, Latency, now_ns, stamp_of, write_lines};
use crate::process::Agent;

/// How many clients ask at a time.
pub(crate) const CLIENT_COUNT: usize = 64;
/// What they ask for, of everything that is stored: expressions that nothing helps to find, as many series as there are
/// lines, every value kept, lines made long, long answers, and an answer that is hardly read.
const REQUESTS: [&str; 8] = [
    r#"query_range?query={path=~".+"} |~ "(a.*b.*|c.*d.*){6}z{9}$"&limit=5000&step=60"#,
    r#"query_range?query=count_over_time({path=~".+"} | regexp "(?P<all>.*)" [1h])&step=60"#,
    r#"query_range?query=quantile_over_time(0.9, {path=~".+"} | regexp "(?P<n>[0-9]+)" | unwrap n [24h]) by (path)&step=60"#,
    r#"query_range?query=topk(5, sum without () (rate({path=~".+"} | json | logfmt | drop __error__ [5m])))&step=60"#,
    r#"query_range?query={path=~".+"} | line_format "{{repeat 1000 __line__}}"&limit=5000&step=60"#,
    r#"query_range?query={path=~".+"} | json | logfmt&limit=5000&step=60"#,
    r#"query_range?query=stddev_over_time({path=~".+"} | pattern "<_> <a> <b> <_>" | label_format c="{{.a}}{{.b}}" | unwrap a | __error__="" [1h])&step=60"#,
    "/logs/stream/stdout",
];
/// What each client takes of an answer before it goes away, in bytes, from the least that keeps it busy to all of it.
const BYTES_TAKEN: [u64; 3] = [1, 1 << 20, u64::MAX];
/// How long a client waits for an answer; longer than the agent lets it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was measured.
pub(crate) struct Attack {
    /// From each line's write to the live tail that has it.
    pub(crate) latency: Latency,
    /// Answers by status, and requests that broke off.
    pub(crate) answers: [(u16, u64); 5],
}

/// Lets clients attack for `duration`, over what is stored of `corpus`, while lines are written.
pub(crate) fn run(place: &Path, logs: &Path, corpus: &Corpus, duration: Duration) -> Attack {
    let live = logs.join("live.log");
    let file = File::create(&live).expect("it is a new file");
    let mut agent = Agent::start(logs, &place.join("data"));
    while agent.get("/status").expect("the agent is well")["lines"].as_u64() < Some(corpus.lines) {
        wait(Duration::from_millis(20));
    }
    let address = agent.address();
    let stopped = Arc::new(AtomicBool::new(false));
    let answers = Arc::new([200, 400, 429, 504, 0].map(|status| (status, AtomicU64::new(0))));
    let clients: Vec<_> = (0..CLIENT_COUNT)
        .map(|number| {
            let (address, stopped, answers) = (address.clone(), Arc::clone(&stopped), Arc::clone(&answers));
            thread::spawn(move || {
                for round in number.. {
                    if stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    let status = ask(&address, REQUESTS[round % REQUESTS.len()], BYTES_TAKEN[round % BYTES_TAKEN.len()]);
                    let counter = answers.iter().find(|(counted, _)| *counted == status).unwrap_or(&answers[4]);
                    counter.1.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let total = u32::try_from(duration.as_secs()).expect("a bench takes minutes") * LINES_PER_SECOND;
    let cpu_before = agent.cpu();
    let start = Instant::now();
    let tail = tail(&address, &live);
    let writer = thread::spawn(move || write_lines(file, total));
    let mut sorted = follow(tail, total as usize);
    let cpu = agent.cpu().saturating_sub(cpu_before);
    let cpu_percent = 100.0 * cpu.as_secs_f64() / start.elapsed().as_secs_f64();
    stopped.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends well");
    let peak_kib = agent.memory_kib("VmHWM");
    drop(agent);
    clients.into_iter().for_each(|client| client.join().expect("a client ends well"));
    fs::remove_file(live).expect("it is there");
    sorted.sort_unstable();
    let answers = answers.each_ref().map(|(status, count)| (*status, count.load(Ordering::Relaxed)));
    Attack { latency: Latency { sorted, cpu_percent, peak_kib }, answers }
}

/// The status of an answer of which no more than `bytes_taken` are read; 0 where there is none.
fn ask(address: &str, request: &str, bytes_taken: u64) -> u16 {
    let Ok(mut stream) = TcpStream::connect(address) else { return 0 };
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let target = if let Some(query) = request.strip_prefix("query_range") {
        format!("/loki/api/v1/query_range{}&start=1772323200&end=1772863200", encoded(query))
    } else {
        request.to_owned()
    };
    if stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).is_err() {
        return 0;
    }
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    if answer.read_line(&mut status).is_err() {
        return 0;
    }
    // That it breaks off is what the limits are for.
    let _ = std::io::copy(&mut answer.take(bytes_taken), &mut std::io::sink());
    status.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn encoded(query: &str) -> String {
    query.bytes().fold(String::new(), |text, byte| match byte {
        b'?' | b'&' | b'=' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => text + &char::from(byte).to_string(),
        _ => format!("{text}%{byte:02x}"),
    })
}

type Tail = async_tungstenite::tungstenite::WebSocket<TcpStream>;

fn tail(address: &str, live: &Path) -> Tail {
    let stream = TcpStream::connect(address).expect("the agent serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let query = encoded(&format!("?query={{path=\"{}\"}}", live.display()));
    client(format!("ws://{address}/loki/api/v1/tail{query}"), stream).expect("the agent takes tails").0
}

/// How long each of `total` lines took.
fn follow(mut tail: Tail, total: usize) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while latencies.len() < total {
        let Message::Text(frame) = tail.read().expect("the tail goes on") else { continue };
        let now = now_ns();
        let frame: serde_json::Value = serde_json::from_str(&frame).expect("frames are JSON");
        assert!(frame["dropped_entries"].is_null(), "nobody is too slow: {frame}");
        for stream in frame["streams"].as_array().expect("a frame has streams") {
            for value in stream["values"].as_array().expect("a stream has lines") {
                let stamp = stamp_of(value[1].as_str().expect("a line is text"));
                latencies.push(Duration::from_nanos(now.saturating_sub(stamp)));
            }
        }
    }
    latencies
}
