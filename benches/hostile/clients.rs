//! Clients that ask for as much as they can.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many there are.
pub(crate) const COUNT: usize = 64;
/// What they ask for, of everything that is stored: expressions that nothing helps to find, as many series as there are
/// lines, every value kept, lines made long, and long answers.
const REQUESTS: [&str; 8] = [
    r#"query={path=~".+"} |~ "(a.*b.*|c.*d.*){6}z{9}$"&limit=5000"#,
    r#"query=count_over_time({path=~".+"} | regexp "(?P<all>.*)" [1h])"#,
    r#"query=quantile_over_time(0.9, {path=~".+"} | regexp "(?P<n>[0-9]+)" | unwrap n [24h]) by (path)"#,
    r#"query=topk(5, sum without () (rate({path=~".+"} | json | logfmt | drop __error__ [5m])))"#,
    r#"query={path=~".+"} | line_format "{{repeat 1000 __line__}}"&limit=5000"#,
    r#"query={path=~".+"} | json | logfmt&limit=5000"#,
    r#"query=stddev_over_time({path=~".+"} | pattern "<_> <a> <_>" | label_format c="{{.a}}{{.a}}" | unwrap a | __error__="" [1h])"#,
    r#"query=last_over_time({path=~".+"} | regexp "(?P<n>[0-9]+)" | unwrap n [1h])"#,
];
/// The hours that the corpus tells of, in steps of a minute.
const RANGE: &str = "&start=1772323200&end=1772863200&step=60";
/// What a client takes of an answer before it goes away, in bytes: hardly anything, some, and all of it.
const BYTES_TAKEN: [u64; 3] = [1, 1 << 20, u64::MAX];
/// How long a client waits for an answer, which is longer than the agent lets it.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many answers there were, by status.
type Answers = BTreeMap<u16, u64>;

/// Clients at work.
pub(crate) struct Clients {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Answers>>,
}

impl Clients {
    pub(crate) fn start(address: &str, count: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let work = |number: usize| {
            let (address, is_over) = (address.to_owned(), Arc::clone(&is_over));
            thread::spawn(move || {
                let mut answers = Answers::new();
                for round in (number..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    let (request, bytes) = (REQUESTS[round % REQUESTS.len()], BYTES_TAKEN[round % BYTES_TAKEN.len()]);
                    *answers.entry(ask(&address, request, bytes).unwrap_or_default()).or_default() += 1;
                }
                answers
            })
        };
        Self { threads: (0..count).map(work).collect(), is_over }
    }

    /// Waits for the last answers.
    pub(crate) fn stop(self) -> Answers {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Answers::new();
        for thread in self.threads {
            for (status, count) in thread.join().expect("a client ends well") {
                *all.entry(status).or_default() += count;
            }
        }
        all
    }
}

/// The status of an answer of which no more than `bytes_taken` are read; an answer that breaks off later counts as well.
fn ask(address: &str, request: &str, bytes_taken: u64) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let target = format!("/loki/api/v1/query_range?{}{RANGE}", encoded(request));
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    answer.read_line(&mut status).ok()?;
    // That it breaks off is what limits are for.
    let _ = io::copy(&mut answer.take(bytes_taken), &mut io::sink());
    status.split(' ').nth(1)?.parse().ok()
}

/// A query string in which everything stands as it is but what only a value has.
pub(crate) fn encoded(query: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"&=_".contains(&byte);
    query.bytes().fold(String::new(), |text, byte| {
        if is_plain(byte) { text + &char::from(byte).to_string() } else { format!("{text}%{byte:02x}") }
    })
}
