//! The subcommands and forwarding through a proxy that speaks TLS, as one stands before an agent that others may reach.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use monitoring_rs::api::Settings;
use monitoring_rs::forward::{self, Forwarder};
use monitoring_rs::ingest::Stop;
use monitoring_rs::inventory::Inventory;
use monitoring_rs::outgoing::Files;
use monitoring_rs::status::Status;
use rustix::event::{PollFd, PollFlags, poll};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::support::{self, PATIENCE, Server, database};

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pods/recordings/tls/");

/// Starts a proxy for `server`, and returns its address. It lives as long as the tests.
fn proxy(server: SocketAddr) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(format!("{TLS}server.crt")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{TLS}server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            // A client that goes away, or trusts nobody, ends its connection alone.
            thread::spawn(move || relay(tls, client, server));
        }
    });
    address
}

/// Carries bytes both ways until one side has ended.
fn relay(mut tls: ServerConnection, mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(server)?;
    let mut room = [0; 16 << 10];
    loop {
        let mut ready = [PollFd::new(&client, PollFlags::IN), PollFd::new(&server, PollFlags::IN)];
        poll(&mut ready, None)?;
        let [is_client_ready, is_server_ready] = ready.map(|one| !one.revents().is_empty());
        if is_client_ready {
            if tls.read_tls(&mut client)? == 0 {
                return Ok(());
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            loop {
                match tls.reader().read(&mut room) {
                    Ok(0) => return Ok(()),
                    Ok(count) => server.write_all(&room[..count])?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        if is_server_ready {
            let count = server.read(&mut room)?;
            if count == 0 {
                tls.send_close_notify();
            }
            tls.writer().write_all(&room[..count])?;
            if count == 0 {
                tls.write_tls(&mut client)?;
                return Ok(());
            }
        }
        while tls.wants_write() {
            tls.write_tls(&mut client)?;
        }
    }
}

/// What `logs` prints and says, asked over TLS by a machine that trusts `authority`.
fn logs(address: &str, authority: &str, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monitoring-rs"));
    command.env_clear().env("SSL_CERT_FILE", format!("{TLS}{authority}")).arg("logs").args(arguments);
    let output = command.args(["--addr", address]).stdin(Stdio::null()).output().expect("the program is there");
    [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("it is text")).into()
}

#[test]
fn an_agent_behind_tls_is_read_and_followed_if_this_machine_trusts_it() {
    let lines = (0..3000).map(|number| format!("line {number}").into_bytes());
    let server = Server::start(database("path", "/a.log", lines), Settings::default());
    let address = format!("https://{}", proxy(server.address));
    let (out, err) = logs(&address, "ca.crt", &["--raw"]);
    assert_eq!((out.lines().count(), err.as_str()), (3000, ""));
    let (out, err) = logs(&address, "ca.crt", &["--raw", "-f", "--tail", "10", "--max-lines", "10"]);
    assert_eq!((out.lines().next_back(), err.as_str()), (Some("line 2999"), ""));
    let (out, err) = logs(&address, "other-ca.crt", &["--raw"]);
    assert!(out.is_empty() && err.contains("cannot reach https://127.0.0.1") && err.contains("certificate"), "{err}");
    let name = address.replace("127.0.0.1", "localhost");
    let (out, err) = logs(&name, "ca.crt", &["--raw"]);
    assert!(out.is_empty() && err.contains("certificate"), "{err}");
}

#[test]
fn lines_are_forwarded_over_tls_to_whom_the_file_trusts() {
    let here = database("path", "/a.log", [b"one".to_vec(), b"two".to_vec()]);
    let there = Server::start(database("path", "/b.log", [b"three".to_vec()]), Settings::default());
    let status = Arc::<Status>::default();
    let stop = Arc::<Stop>::default();
    let forward = |authority: &str| {
        let files = Files { headers: None, ca: Some(format!("{TLS}{authority}").into()) };
        let address = format!("loki+https://{}", proxy(there.address));
        let settings = forward::Settings { address, files, from_beginning: true, ..forward::Settings::default() };
        let mut forwarder = Forwarder::new(&settings, &here, &Arc::<Inventory>::default(), &status).unwrap();
        let (until, target) = (Arc::clone(&stop), status.targets().pop().unwrap());
        (thread::spawn(move || forwarder.run(&until)), target)
    };
    let (distrusting, refused) = forward("other-ca.crt");
    let (trusting, taken) = forward("ca.crt");
    let start = Instant::now();
    while refused.state().problem.is_none() || taken.state().batch == 0 {
        assert!(start.elapsed() < PATIENCE, "{refused:?} {taken:?}");
        thread::yield_now();
    }
    stop.set();
    for thread in [distrusting, trusting] {
        thread.join().unwrap();
    }
    assert!(refused.state().problem.is_some_and(|problem| problem.contains("certificate")));
    assert_eq!((refused.state().batch, taken.state().problem), (0, None));
    let lines = support::get(there.address, "/logs/path//a.log").body;
    assert_eq!(serde_json::from_slice::<Vec<String>>(&lines).unwrap(), ["one", "two"]);
}
