//! What the integration tests share: a server on a free port, and a client that sees every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_std::channel::{self, Sender};
use async_std::task::block_on;
use async_tungstenite::tungstenite::{Message, WebSocket};
use flate2::write::GzDecoder;
use monitoring_rs::api::{self, About, Entrance, QueryLimits, Settings, State};
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use monitoring_rs::status::Status;

/// How long a test waits for an answer before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The next message that is no ping. A server that pings and says nothing else is not waited for forever.
pub(crate) fn next_message(socket: &mut WebSocket<TcpStream>) -> Message {
    let begun = Instant::now();
    loop {
        match socket.read().expect("the conversation goes on") {
            Message::Ping(_) => assert!(begun.elapsed() < PATIENCE, "nothing but pings for {PATIENCE:?}"),
            message => return message,
        }
    }
}

/// A database of these lines, one nanosecond apart, in one stream with one label.
pub(crate) fn database(name: &str, value: &str, lines: impl IntoIterator<Item = Vec<u8>>) -> Database {
    let labels = Labels::new([(name, value)]).expect("the test's label is one");
    let database = Database::open(Arc::new(SimulatedStorage::default())).expect("memory takes a database");
    let mut stream = StreamLines { labels, lines: Lines::default() };
    for (time, line) in (0..).zip(lines) {
        stream.lines.push(Timestamp::from_ns(time), &line);
    }
    database.append(Batch { checkpoint: None, streams: vec![stream] }).expect("the lines fit");
    database.commit().expect("memory takes a commit");
    database
}

/// A server on a free port; stopped when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// What the server says of the agent.
    pub(crate) status: Arc<Status>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Server {
    pub(crate) fn start(database: Database, settings: Settings) -> Self {
        Self::start_limited(database, settings, QueryLimits::default())
    }

    /// One for those whom `entrance` lets in.
    pub(crate) fn start_for(database: Database, settings: Settings, entrance: Entrance) -> Self {
        Self::start_state(database, settings, |state| state.with_entrance(Arc::new(entrance)))
    }

    /// One whose queries may take no more than `limits`.
    pub(crate) fn start_limited(database: Database, settings: Settings, limits: QueryLimits) -> Self {
        Self::start_state(database, settings, |state| state.with_limits(limits))
    }

    fn start_state(database: Database, settings: Settings, change: impl FnOnce(State) -> State) -> Self {
        let about = About {
            version: "0.0.0".to_owned(),
            commit: String::new(),
            collector: "Directory".to_owned(),
            root_path: "/var/log".to_owned(),
            data_directory: ".data".to_owned(),
            instance: "0123456789abcdef".to_owned(),
            zone: "Etc/UTC".to_owned(),
            started: Instant::now(),
        };
        let status = Arc::new(Status::default());
        let state = change(State::new(database, Arc::default(), Arc::clone(&status), about));
        let listener = block_on(api::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_address();
        let (stop, stopped) = channel::bounded::<()>(1);
        let serve =
            async move { listener.serve(state, settings, async { stopped.recv().await.unwrap_or_default() }).await };
        let thread = std::thread::spawn(move || block_on(serve));
        Self { address, status, running: Some((stop, thread)) }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The answer to one request on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        get(self.address, target)
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.signal_stop().join().expect("the server ends well");
    }

    /// Tells the server to stop.
    pub(crate) fn signal_stop(&mut self) -> JoinHandle<()> {
        let (stop, thread) = self.running.take().expect("it is told to stop once");
        drop(stop);
        thread
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.is_some() {
            // A server that panicked has said so; the test's own failure matters more.
            let _ = self.signal_stop().join();
        }
    }
}

/// A connection to a server.
pub(crate) struct Client(BufReader<TcpStream>);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// A target in which blanks, quotes and the like stood as they are.
pub(crate) fn encoded(target: &str) -> String {
    let escape = |c: char| match c {
        ' ' => "%20".to_owned(),
        '"' | '{' | '}' | '|' | '+' | '[' | ']' | '<' | '>' | '`' => format!("%{:02X}", u32::from(c)),
        _ => c.to_string(),
    };
    target.chars().map(escape).collect()
}

/// What gzip has made `bytes` of, as far as these are there.
pub(crate) fn decompressed(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    decoder.write_all(bytes).and_then(|()| decoder.flush()).expect("it is gzip");
    std::mem::take(decoder.get_mut())
}

/// What the server at `address` answers to one request on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    let mut client = Client::connect(address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.read_answer().expect("a good request is answered")
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("the socket takes a timeout");
        Self(BufReader::new(stream))
    }

    /// Sends bytes; that the server no longer takes them is for the answer to show.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.get_mut().write_all(bytes.as_ref());
    }

    /// Reads one answer to anything but a HEAD; `None` where the server closes before its end.
    pub(crate) fn read_answer(&mut self) -> Option<Answer> {
        let answer = self.read_head()?;
        self.read_body(answer)
    }

    /// Reads the body that belongs to a head; `None` where the server closes before its end.
    pub(crate) fn read_body(&mut self, mut answer: Answer) -> Option<Answer> {
        if matches!(answer.status, 204 | 304) {
            return Some(answer);
        }
        if let Some((_, length)) = answer.head.split_once("content-length: ") {
            let length =
                length.split('\r').next().and_then(|length| length.parse().ok()).expect("a length is a number");
            answer.body = self.read_exact(length)?;
        } else if answer.head.contains("transfer-encoding: chunked") {
            loop {
                let chunk = self.read_chunk()?;
                if chunk.is_empty() {
                    break;
                }
                answer.body.extend(chunk);
            }
        } else {
            answer.body = self.read_to_close();
        }
        Some(answer)
    }

    /// Reads the next chunk of a body, which is empty after the last; `None` where the server closes before its end.
    pub(crate) fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(self.read_line()?.trim_end(), 16).expect("a chunk has its length");
        let chunk = self.read_exact(length)?;
        self.read_line()?;
        Some(chunk)
    }

    /// Reads an answer up to the empty line.
    pub(crate) fn read_head(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            head += &self.read_line()?;
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a head has a status");
        Some(Answer { status, head: head.to_ascii_lowercase(), body: Vec::new() })
    }

    /// Reads until the server closes the connection; fails where it does not.
    #[expect(clippy::disallowed_methods, reason = "the test's own server decides how much there is")]
    pub(crate) fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the connection stays open"),
            // Closed, or reset because the server had not read everything.
            Ok(_) | Err(_) => bytes,
        }
    }

    /// Reads until the server closes the connection, so many bytes at a time with a pause after each.
    #[expect(clippy::disallowed_methods, reason = "a client that takes its time is what is wanted")]
    pub(crate) fn read_slowly(&mut self, byte_count: usize, pause: Duration) -> Vec<u8> {
        let (mut all, mut bytes) = (Vec::new(), vec![0; byte_count]);
        // An error is a close, too: the server had not read everything.
        while let Ok(count @ 1..) = self.0.get_mut().read(&mut bytes) {
            all.extend_from_slice(&bytes[..count]);
            std::thread::sleep(pause);
        }
        all
    }

    fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("neither an answer nor a close"),
            Ok(1..) => Some(line),
            Ok(0) | Err(_) => None,
        }
    }

    fn read_exact(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).ok().map(|()| bytes)
    }
}
