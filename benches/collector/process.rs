//! Collectors as processes: started, asked, measured, stopped.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// `/proc` counts CPU time in these, on every Linux that programs see (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A running process; killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}")))
    }

    /// CPU time used so far, in user and kernel mode.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(&format!("/proc/{}/stat", self.0.id()), USER_TIME)
    }

    /// `VmRSS` (memory now) or `VmHWM` (the most so far), in KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("the kernel knows");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("it is a number")
    }

    /// Asks the process to stop and waits until it has; how long that took.
    pub(crate) fn stop(mut self) -> Duration {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("the process runs");
        let status = self.0.wait().expect("it is our child");
        assert!(status.success(), "the process ended with {status}");
        start.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running agent with a connection to it.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) connection: Connection,
    pub(crate) address: String,
}

impl Agent {
    /// Starts the Directory collector and waits until the agent serves.
    pub(crate) fn start(root: &Path, data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        command.env_clear().args(["--log-collector", "Directory", "--listen", "127.0.0.1:0", "--root-path"]);
        command.arg(root).arg("--data-directory").arg(data).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command);
        let mut messages = BufReader::new(process.0.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let address =
            messages.by_ref().find_map(|line| Some(line.split_once("http://")?.1.trim_end_matches('/').to_owned()));
        // Whatever else it says: a full pipe would hold it up.
        thread::spawn(move || messages.for_each(drop));
        let address = address.expect("the agent says where it serves");
        Self { process, connection: Connection::new(&address), address }
    }

    pub(crate) fn stop(self) -> Duration {
        self.process.stop()
    }

    /// A further connection to it.
    pub(crate) fn connect(&self) -> Connection {
        Connection::new(&self.address)
    }

    /// The JSON that a GET answers; `None` for any status but 200.
    pub(crate) fn get(&mut self, target: &str) -> Option<serde_json::Value> {
        self.connection.get(target)
    }
}

/// A connection to an agent.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the agent serves");
        stream.set_nodelay(true).expect("it is a socket");
        Self(BufReader::new(stream))
    }

    /// The JSON that a GET answers; `None` for any status but 200.
    pub(crate) fn get(&mut self, target: &str) -> Option<serde_json::Value> {
        let (is_success, body) = self.ask(target, || ());
        is_success.then(|| serde_json::from_slice(&body).expect("the answer is JSON"))
    }

    /// Whether a GET is answered with 200, and the body. Calls `at_body` when its first byte is there.
    pub(crate) fn ask(&mut self, target: &str, at_body: impl FnOnce()) -> (bool, Vec<u8>) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("the agent listens");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let length = self.0.read_line(&mut head).expect("the agent answers");
            assert!(0 < length, "the agent has closed the connection");
        }
        let head = head.to_ascii_lowercase();
        let mut body = Vec::new();
        if let Some((_, length)) = head.split_once("content-length: ") {
            let length = length.split_once('\r').expect("headers end").0;
            self.0.fill_buf().expect("the agent answers");
            at_body();
            self.read_exact(length.parse().expect("a length is a number"), &mut body);
        } else {
            let mut length = self.chunk_length();
            at_body();
            while 0 < length {
                self.read_exact(length, &mut body);
                self.chunk_length();
                length = self.chunk_length();
            }
            let mut end = String::new();
            self.0.read_line(&mut end).expect("the agent answers");
        }
        (head.starts_with("http/1.1 200"), body)
    }

    /// The number on a line of its own before a chunk; 0 for the empty line behind one.
    fn chunk_length(&mut self) -> usize {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the agent answers");
        usize::from_str_radix(line.trim_end(), 16).unwrap_or(0)
    }

    fn read_exact(&mut self, length: usize, body: &mut Vec<u8>) {
        let start = body.len();
        body.resize(start + length, 0);
        self.0.read_exact(&mut body[start..]).expect("the agent answers");
    }
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "a measurement over time has to let it pass")]
pub(crate) fn wait(duration: Duration) {
    thread::sleep(duration);
}

/// Position of `utime` in `/proc/<pid>/stat`, behind the process's name; `stime` follows.
const USER_TIME: usize = 11;
/// Position of `cutime`: that of the children waited for; `cstime` follows.
const CHILDREN_USER_TIME: usize = 13;

/// CPU time of the children that this process has waited for.
pub(crate) fn cpu_of_children() -> Duration {
    cpu_of("/proc/self/stat", CHILDREN_USER_TIME)
}

fn cpu_of(path: &str, position: usize) -> Duration {
    let text = fs::read_to_string(path).expect("the process exists");
    let (_, fields) = text.rsplit_once(") ").expect("the name is in parentheses");
    let ticks = fields.split(' ').skip(position).take(2).map(|field| field.parse::<u32>().expect("it is a number"));
    TICK * ticks.sum()
}
