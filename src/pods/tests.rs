//! A server that answers as a real one has, or as one in trouble would.
#![expect(clippy::disallowed_methods, reason = "these tests write the files that a kubelet does")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::*;
use crate::inventory::PodContainer;
use crate::model::Labels;

/// What the server does with a connection.
enum Act {
    /// Answers as a real server has; the text is a recorded exchange.
    Play(&'static str),
    /// Answers with a status line, headers and a body of so many bytes.
    Say(&'static str, Vec<u8>),
    /// The same, byte by byte.
    SaySlowly(&'static str, Vec<u8>),
    /// Answers, and does something else once the client was heard.
    Then(Box<dyn FnOnce() + Send>, Box<Act>),
    /// Hangs up at once.
    HangUp,
}

/// A recorded answer: its head, and its body in chunks. `None` for the length of the last one where there is none.
fn recorded(text: &str) -> (String, Vec<Vec<u8>>, bool) {
    let lines = text.lines().filter_map(|line| line.strip_prefix("< "));
    let head: String = lines.flat_map(|line| [line, "\r\n"]).collect();
    let mut chunks = Vec::new();
    let mut rest = text.split_once("\n\n").and_then(|(_, rest)| rest.split_once("\n\n")).map_or("", |(_, rest)| rest);
    if !head.contains("chunked") {
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        return (head, vec![rest.as_bytes()[..length.unwrap_or(0)].to_vec()], true);
    }
    let mut is_complete = false;
    while let Some(start) = rest.find('@') {
        let (line, after) = rest[start..].split_once('\n').unwrap_or((&rest[start..], ""));
        is_complete |= line.ends_with("last chunk");
        let length =
            line.split_once("chunk of ").and_then(|(_, length)| length.strip_suffix(" bytes")?.parse::<usize>().ok());
        let Some(length) = length else {
            rest = after;
            continue;
        };
        chunks.push(after.as_bytes()[..length].to_vec());
        rest = &after[length..];
    }
    (head, chunks, is_complete)
}

impl Act {
    fn perform(self, stream: &mut impl Write) -> std::io::Result<()> {
        match self {
            Self::Play(text) => {
                let (head, chunks, is_complete) = recorded(text);
                write!(stream, "{head}\r\n")?;
                let is_chunked = head.contains("chunked");
                for chunk in chunks {
                    if is_chunked {
                        write!(stream, "{:x}\r\n", chunk.len())?;
                    }
                    stream.write_all(&chunk)?;
                    if is_chunked {
                        stream.write_all(b"\r\n")?;
                    }
                    stream.flush()?;
                }
                if is_chunked && is_complete {
                    stream.write_all(b"0\r\n\r\n")?;
                }
                stream.flush()
            }
            Self::Say(head, body) => {
                write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len())?;
                stream.write_all(&body)?;
                stream.flush()
            }
            Self::SaySlowly(head, body) => {
                write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len())?;
                body.chunks(1).try_for_each(|byte| stream.write_all(byte).and_then(|()| stream.flush()))
            }
            Self::Then(then, act) => {
                then();
                act.perform(stream)
            }
            Self::HangUp => Ok(()),
        }
    }
}

/// A server that does one thing for each connection, and what it was asked.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    is_done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(acts: Vec<Act>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let is_done = Arc::<AtomicBool>::default();
        let (heard, done) = (Arc::clone(&requests), Arc::clone(&is_done));
        let serve = move || {
            for act in acts {
                let stream = listener.accept().unwrap().0;
                match &tls {
                    None => answer(stream, act, &heard),
                    Some(tls) => {
                        let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                        answer(StreamOwned::new(connection, stream), act, &heard);
                    }
                }
            }
            done.store(true, Ordering::Release);
        };
        Self { url, requests, is_done, thread: Some(std::thread::spawn(serve)) }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(stream: impl Read + Write, act: Act, heard: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    // A client that does not trust the server says nothing.
    while !request.ends_with("\r\n\r\n") && stream.read_line(&mut request).is_ok_and(|count| 0 < count) {}
    heard.lock().unwrap().push(request);
    // Nor does one read on that has read enough.
    let _ = act.perform(stream.get_mut());
}

/// A node that asks a server until that has done all it has to.
struct Node {
    server: Server,
    directory: TempDir,
    access: Access,
    inventory: Inventory,
    status: Status,
}

impl Node {
    fn asking(acts: Vec<Act>) -> Self {
        Self::trusting(acts, None, "")
    }

    fn trusting(acts: Vec<Act>, tls: Option<Arc<ServerConfig>>, ca: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let server = Server::start(acts, tls);
        let (token_file, ca_file) = (file("token", "first\n"), file("ca.crt", ca));
        let access = Access { url: Some(server.url.clone()), token_file, ca_file, node: "node-a".into() };
        Self { server, directory, access, inventory: Inventory::default(), status: Status::default() }
    }

    /// Follows the pods until the server has done all it has to, and returns how long it would have waited each time.
    fn follow(&self) -> Vec<Duration> {
        let pauses = Mutex::default();
        follow(&self.access, &self.inventory, &self.status, &|pause| {
            let pauses: &Mutex<Vec<Duration>> = &pauses;
            pauses.lock().unwrap().push(pause);
            self.server.is_done.load(Ordering::Acquire)
        });
        pauses.into_inner().unwrap()
    }

    /// The label of the stream of a container of a pod.
    fn label(&self, uid: &str, name: &str) -> Option<String> {
        let of = PodContainer { id: "0a".into(), uid: uid.into(), namespace: "n".into(), pod: "p".into() };
        self.inventory.put(Record::PodContainer(of));
        let stream = Labels::new([("namespace", "n"), ("pod", "p"), ("container_id", "0a")]).unwrap();
        self.inventory.join(&stream).labels.get(name).map(ToOwned::to_owned)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take().filter(|_| self.is_done.load(Ordering::Acquire)) {
            thread.join().unwrap();
        }
    }
}

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!("recordings/", $name, ".http"))
    };
}

const LIST: Act = Act::Play(recording!("list-metadata"));
const EMPTY: Act = Act::Play(recording!("list-empty-node"));
const WEB: &str = "619c0745-27ba-4ed8-b092-ff0b74dfe55a";

fn say(head: &'static str, body: &str) -> Act {
    Act::Say(head, body.as_bytes().to_vec())
}

#[test]
fn a_real_servers_list_gives_applications_and_labels() {
    let node = Node::asking(vec![LIST]);
    node.follow();
    let uids = [
        ("def36680-28fc-479d-8448-cd34ae3599c1", "kube-proxy"),
        ("1f863a1f-83cc-43a1-8d98-d9de67301971", "db"),
        ("2ab7034c-3ed0-4665-9ef4-562135cc6fa3", "plain"),
        ("50655069-5ba0-4891-aa25-cf3c80d256d6", "report"),
        (WEB, "web"),
    ];
    for (uid, app) in uids {
        assert_eq!(node.label(uid, "app").as_deref(), Some(app));
    }
    assert_eq!(node.label(WEB, "team").as_deref(), Some("checkout"));
    assert!(node.inventory.excludes("a3f518e6-a8ab-43b2-8f4f-82b6a3287c32", "any"));
    assert_eq!(node.inventory.living_count(), 6);
    let requests = node.server.requests();
    let expected = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode-a&resourceVersion=0 HTTP/1.1\r\n";
    assert!(requests[0].starts_with(expected), "{requests:?}");
    let request = requests[0].to_lowercase();
    assert!(request.contains("authorization: bearer first\r\n") && request.contains("as=partialobjectmetadatalist"));
}

#[test]
fn a_real_servers_events_are_followed_from_the_lists_version_on() {
    let watches = [
        Act::Play(recording!("watch-events-metadata")),
        Act::Play(recording!("watch-graceful-deletion")),
        Act::Play(recording!("watch-burst")),
        Act::Play(recording!("watch-old-rv-replays")),
    ];
    let node = Node::asking([LIST].into_iter().chain(watches).collect());
    node.follow();
    let versions: Vec<String> = node
        .server
        .requests()
        .iter()
        .skip(1)
        .map(|request| {
            let (_, version) = request.split_once("&resourceVersion=").unwrap();
            assert!(request.contains("&watch=1&allowWatchBookmarks=true&timeoutSeconds=2"), "{request}");
            version.split_once(' ').unwrap().0.to_owned()
        })
        .collect();
    assert_eq!(versions[0], "231");
    assert!(versions.windows(2).all(|pair| pair[0] != pair[1]), "{versions:?}");
    // A pod of some milliseconds, and one that was deleted in peace: both keep their labels, and are gone.
    assert_eq!(node.label("338f1c81-4fa2-4bcd-a8f9-22eae3ef7a5c", "app").as_deref(), Some("graceful"));
    assert_eq!(node.label("ba09cbbf-9f5a-4fde-b017-9ad7fc5c2f5e", "pod").as_deref(), Some("p"));
    assert!(node.inventory.has_pod("ba09cbbf-9f5a-4fde-b017-9ad7fc5c2f5e"));
    assert_eq!(node.inventory.living_count(), 6);
}

#[test]
fn a_node_without_pods_has_none() {
    let node = Node::asking(vec![EMPTY]);
    node.follow();
    assert_eq!((node.inventory.living_count(), node.status.cluster.errors.get()), (0, 1));
}

#[test]
fn a_token_is_read_anew_until_the_server_takes_it() {
    let refused = || Act::Play(recording!("401-bad-token"));
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "first").unwrap();
    let changed = token.clone();
    let change = Box::new(move || std::fs::write(&changed, "second\n").unwrap());
    let mut node = Node::asking(vec![refused(), Act::Then(change, Box::new(refused())), LIST]);
    node.access.token_file = token;
    node.follow();
    let requests = node.server.requests();
    assert!(requests[1].contains("Bearer first") && requests[2].contains("Bearer second\r\n"), "{requests:?}");
    assert_eq!(node.label(WEB, "app").as_deref(), Some("web"));
    drop(directory);
}

#[test]
fn whatever_fails_everything_is_listed_anew_and_nothing_is_forgotten() {
    let html = "502 Bad Gateway\r\nContent-Type: text/html";
    let broken = "{\"type\":\"MODIFIED\",\"object\":[]}\n";
    let large = format!("{{\"type\":\"MODIFIED\",\"object\":\"{}\"}}\n", "x".repeat(5 << 20));
    let acts = vec![
        Act::Play(recording!("403-no-rbac")),
        Act::Play(recording!("429")),
        Act::Play(recording!("504-future-rv-list")),
        say(html, "<html>"),
        say("200 OK", "{\"items\":[{]}"),
        Act::HangUp,
        LIST,
        Act::Play(recording!("410-watch")),
        LIST,
        Act::Play(recording!("watch-server-killed")),
        EMPTY,
        say("200 OK", broken),
        EMPTY,
        say("200 OK", &large),
        EMPTY,
        say("410 Gone", ""),
        LIST,
    ];
    let count = acts.len();
    let node = Node::asking(acts);
    let pauses = node.follow();
    assert_eq!(node.server.requests().len(), count);
    assert!(Duration::from_secs(1) <= pauses[1], "as long as the server asks: {pauses:?}");
    // Each act but the lists that a watch followed was a failure, and so was the server's end.
    assert_eq!((pauses.len(), node.status.cluster.errors.get()), (12, 12));
    assert_eq!(node.label(WEB, "app").as_deref(), Some("web"));
    assert_eq!(node.inventory.living_count(), 6);
    assert!(!node.status.cluster.is_up());
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let (_, chunks, _) = recorded(recording!("list-metadata"));
    let node = Node::asking(vec![Act::SaySlowly("200 OK", chunks.concat())]);
    node.follow();
    assert_eq!(node.label(WEB, "app").as_deref(), Some("web"));
}

#[test]
fn a_watch_that_hangs_is_found_out_by_containers_whose_pods_are_not_known() {
    let node = Node::asking(vec![LIST]);
    let looked_for = &mut HashSet::new();
    node.status.cluster.set_state(ClusterState::Up);
    let of = PodContainer { id: "0a".into(), uid: WEB.into(), namespace: "n".into(), pod: "p".into() };
    node.inventory.put(Record::PodContainer(of));
    look_once(&node.access, &node.inventory, &node.status, looked_for);
    assert_eq!(node.server.requests().len(), 0, "it may be told of in a moment");
    node.inventory.let_time_pass(UNKNOWN_TIME_MAX);
    for _ in 0..2 {
        look_once(&node.access, &node.inventory, &node.status, looked_for);
    }
    assert_eq!(node.server.requests().len(), 1);
    assert_eq!(node.label(WEB, "app").as_deref(), Some("web"));
    assert!(!node.inventory.has_pod("def36680-28fc-479d-8448-cd34ae3599c1"));
}

#[test]
fn nothing_is_asked_without_an_address_or_a_token() {
    let mut node = Node::asking(vec![]);
    std::fs::remove_file(node.directory.path().join("token")).unwrap();
    assert!(matches!(node.access.list(), Err(Failure::NoAccess(_))));
    node.access.url = None;
    assert!(matches!(node.access.list(), Err(Failure::NoAccess(_))));
}

const CA: &str = include_str!("recordings/tls/ca.crt");
const OTHER_CA: &str = include_str!("recordings/tls/other-ca.crt");

fn tls() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("recordings/tls/server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("recordings/tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

#[test]
fn the_server_is_asked_over_tls_and_trusted_by_the_clusters_certificates_alone() {
    let node = Node::trusting(vec![LIST], Some(tls()), CA);
    node.follow();
    assert_eq!(node.label(WEB, "app").as_deref(), Some("web"));

    let node = Node::trusting(vec![LIST], Some(tls()), OTHER_CA);
    let failure = node.access.list().map(|_| ()).unwrap_err().to_string();
    assert!(failure.contains("is not trusted by the certificates in") && failure.contains("ca.crt"), "{failure}");
    assert!(!node.server.requests().concat().contains("Bearer"), "the token was sent");

    let node = Node::trusting(vec![], None, "no certificate");
    let access = Access { url: Some("https://127.0.0.1:1".into()), ..node.access.clone() };
    assert!(matches!(access.list(), Err(Failure::NoAccess(_))));
}
