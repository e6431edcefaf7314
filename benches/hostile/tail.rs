//! A live tail of one file.

use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use async_tungstenite::tungstenite::{Message, client};
use serde_json::Value;

use crate::clients::encoded;
use crate::latency::stamp_of;

/// How long the tail may be silent.
const PATIENCE: Duration = Duration::from_mins(1);

/// A live tail, read as fast as it comes.
pub(crate) struct Tail(Receiver<Vec<u64>>);

impl Tail {
    /// What comes of `file` from now on.
    pub(crate) fn of(address: &str, file: &Path) -> Self {
        let stream = TcpStream::connect(address).expect("the agent serves");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        let query = encoded(&format!("query={{path=\"{}\"}}", file.display()));
        let url = format!("ws://{address}/loki/api/v1/tail?{query}");
        let (mut socket, _) = client(url, stream).expect("the agent takes tails");
        // It is open when the agent asks whether somebody is there.
        while !matches!(socket.read().expect("the tail goes on"), Message::Ping(_)) {}
        let (found, stamps) = channel();
        thread::spawn(move || {
            while let Ok(message) = socket.read() {
                if let Message::Text(frame) = message
                    && found.send(stamps_in(&frame)).is_err()
                {
                    return;
                }
            }
        });
        Self(stamps)
    }

    /// The stamps of the lines that have come.
    pub(crate) fn next_stamps(&self) -> Vec<u64> {
        self.0.try_iter().flatten().collect()
    }
}

fn stamps_in(frame: &str) -> Vec<u64> {
    let frame: Value = serde_json::from_str(frame).expect("frames are JSON");
    assert!(frame["dropped_entries"].is_null(), "no line is missed: {frame}");
    let streams = frame["streams"].as_array().into_iter().flatten();
    let lines = streams.flat_map(|stream| stream["values"].as_array().into_iter().flatten());
    lines.filter_map(|line| stamp_of(line[1].as_str()?)).collect()
}
