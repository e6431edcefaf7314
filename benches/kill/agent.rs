//! The agent under test: started, killed, and at the end asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long the agent may take to say where it listens, and to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running agent; killed when it is dropped.
pub(crate) struct Agent {
    child: Child,
    messages: mpsc::Receiver<String>,
    /// How often it said that bytes are lost.
    losses: Arc<AtomicU64>,
}

impl Agent {
    /// Starts the Kubernetes collector. Returns at once.
    pub(crate) fn start(root: &Path, data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
        command.env_clear().args(["--log-collector", "Kubernetes", "--listen", "127.0.0.1:0", "--root-path"]);
        command.arg(root).arg("--data-directory").arg(data).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary was built");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, messages) = mpsc::channel();
        let losses = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&losses);
        // Goes on reading when nobody listens any more, lest the agent wait for it.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // What goes wrong is worth seeing, but for the torn tails that are what this is about.
                if (line.contains("ERROR") || line.contains("WARN") || line.contains("panicked"))
                    && !line.contains("torn tail")
                {
                    std::io::stderr().write_all(format!("{line}\n").as_bytes()).expect("it can be written");
                }
                counted.fetch_add(u64::from(line.contains(" are lost: ")), Ordering::Relaxed);
                // Nobody may listen any more.
                let _ = sender.send(line);
            }
        });
        Self { child, messages, losses }
    }

    /// Ends the process at this instant; returns how often it said until then that bytes are lost.
    pub(crate) fn kill(mut self) -> u64 {
        let status = self.child.try_wait().expect("it is our child");
        assert!(status.is_none(), "the agent ended by itself: {status:?}, {:?}", self.messages.try_iter().last());
        self.losses()
    }

    /// How often it has said that bytes are lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }

    /// Waits until the agent serves.
    pub(crate) fn listen(&self) -> Connection {
        let address = loop {
            let line = self.messages.recv_timeout(PATIENCE).expect("the agent says where it serves");
            if let Some((_, url)) = line.split_once("serving http://") {
                break url.trim_end_matches('/').to_owned();
            }
        };
        Connection { address }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGKILL on Unix.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where an agent answers.
pub(crate) struct Connection {
    address: String,
}

impl Connection {
    /// The lines that a GET answers; none for any status but 200.
    pub(crate) fn lines(&self, target: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.address).expect("the agent serves");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        // Of HTTP/1.0, so that the answer ends with the connection.
        let request = format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the agent listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the agent answers");
        let head_end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer has a head");
        let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if status != b"200" {
            return Vec::new();
        }
        serde_json::from_slice(&answer[head_end + 4..]).expect("the answer is JSON")
    }
}
