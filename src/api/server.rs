//! The listener: hyper in front of tide, with a limit on everything that a client can hold on to.
//!
//! tide's own listener (async-h1) must not face a network: it lets a client grow its memory without bound, and leaves
//! pipelined and HTTP/1.0 requests unanswered. hyper reads requests and writes answers; tide routes them.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_lock::Semaphore;
use async_std::channel::{self, Receiver};
use async_std::net::{TcpListener, TcpStream};
use async_std::{future, task};
use futures_lite::future::or;
use hyper::rt::Timer as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use crate::api::connection::{Connection, Patience, Phase};
use crate::api::connections::{Connections, Origin, Place};
use crate::api::entrance::Doors;
use crate::api::tls::{Tls, Transport};
use crate::api::{State, bridge, routes};

/// Most bytes of a request's head; paths and queries are the long part of it.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Most header lines of a request.
const HEADERS_MAX: usize = 100;
/// Most bytes of one connection that wait to be read or written, beside the piece of an answer that is being made.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long to wait when the system hands over no connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

const _: () = assert!(HEAD_BYTES_MAX <= BUFFER_BYTES_MAX);

/// What clients may do, and how long they may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names beside addresses and local names that requests may be for: those of `--allowed-hosts`, and the node's own.
    pub allowed_hosts: Vec<String>,
    /// Most connections at a time. For a further one another is closed on which nothing is asked for; it waits where there
    /// is none.
    pub connections_max: usize,
    /// Most of them from one address, or one network of addresses of version 6. A further one is closed where all of those
    /// are busy.
    pub connections_per_origin_max: usize,
    /// How long a request's head may take from its first byte to its last, and its body thereafter.
    pub head_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub idle_timeout: Duration,
    /// How long what is written of one answer may wait for the client, beyond what it takes at
    /// `write_bytes_per_second_min`; of a WebSocket, how long a client may take nothing.
    pub write_timeout: Duration,
    /// Fewest bytes of an answer that a client takes in each second that it keeps it waiting: until it has taken all of
    /// it, nobody else has the memory. Half of what a slow link takes.
    pub write_bytes_per_second_min: u64,
    /// How long open answers may go on after the signal to stop.
    pub drain_timeout: Duration,
    /// What TLS is spoken with; `None` for plain HTTP.
    pub tls: Option<Arc<Tls>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            connections_max: 512,
            connections_per_origin_max: 256,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(30),
            write_bytes_per_second_min: 32 << 10,
            drain_timeout: Duration::from_secs(3),
            tls: None,
        }
    }
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address}: {source}; {}", advice(source.kind()))]
pub struct BindError {
    /// The address, as it was given.
    pub address: String,
    /// What the operating system said.
    pub source: io::Error,
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::AddrInUse => {
            "stop the other process, or choose another port with --listen (:0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => "choose a port of 1024 or more with --listen",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; choose one that it has with --listen",
        _ => "give --listen an address and a port, such as 127.0.0.1:8000",
    }
}

/// A bound address. Clients can connect; they are answered once it is served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// Binds `address`, a host and a port; port 0 picks a free one.
///
/// # Errors
///
/// [`BindError`] where the address is taken, not allowed, not of this machine, or none.
pub async fn bind(address: &str) -> Result<Listener, BindError> {
    let failed = |source| BindError { address: address.to_owned(), source };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok(Listener { socket, address })
}

impl Listener {
    /// The address that is really listened on.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then takes no more connections, and returns once the open answers are sent, or cut
    /// off after [`Settings::drain_timeout`].
    pub async fn serve(self, state: State, settings: Settings, stop: impl Future<Output = ()>) {
        let (stopping, queries) = (state.stopping.clone(), Arc::clone(&state.queries));
        let stop = async {
            stop.await;
            stopping.stop();
        };
        let drain_timeout = settings.drain_timeout;
        self.serve_app(routes(state), settings, stop).await;
        queries.end_of_tails(drain_timeout).await;
    }

    /// As [`Listener::serve`], with any routes.
    pub(super) async fn serve_app(self, app: tide::Server<State>, settings: Settings, stop: impl Future<Output = ()>) {
        let (settings, doors) = (Arc::new(settings), Doors::new(app));
        let permits = Arc::new(Semaphore::new(settings.connections_max));
        // Nothing is ever sent: that it is closed tells every connection to come to an end.
        let (stopping, stopped) = channel::bounded(1);
        let connections = Arc::new(Connections::default());
        let accept = async {
            loop {
                let (stream, address) = self.accept().await;
                let origin = Origin::from(address);
                if settings.connections_per_origin_max <= connections.count(origin)
                    && !connections.make_room(Some(origin))
                {
                    log::debug!("{origin} has its share of connections, all of them busy; a further one is closed");
                    continue;
                }
                let permit = if let Some(permit) = permits.try_acquire_arc() {
                    permit
                } else {
                    connections.make_room(None);
                    permits.acquire_arc().await
                };
                let phase = Phase::of_new();
                let place = connections.enter(origin, Arc::clone(&phase));
                let connection = serve_connection(
                    (stream, address),
                    phase,
                    place,
                    doors.clone(),
                    Arc::clone(&settings),
                    stopped.clone(),
                );
                task::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
        };
        or(stop, accept).await;
        drop(self.socket);
        drop(stopping);
        for _ in 0..settings.connections_max {
            permits.acquire().await.forget();
        }
    }

    /// The next connection, and where it comes from.
    async fn accept(&self) -> (TcpStream, IpAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, address)) => return (stream, address.ip().to_canonical()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::warn!("failed to accept a connection: {error}");
                    SmolTimer::new().sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Answers the requests of one connection until either side ends it, or its place is needed.
async fn serve_connection(
    (stream, peer): (TcpStream, IpAddr),
    phase: Arc<Phase>,
    place: Place,
    doors: Doors,
    settings: Arc<Settings>,
    stopped: Receiver<()>,
) {
    // An answer's last bytes must not wait for the client's acknowledgement of those before.
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("a connection ended at once: {error}");
        return;
    }
    // Shaking hands is part of a request's head, in time and in what makes room.
    let shaken = async {
        let Some(tls) = &settings.tls else { return Some(Transport::Plain(stream)) };
        future::timeout(settings.head_timeout, tls.accept(stream, peer)).await.ok().flatten()
    };
    let makes_room = async {
        let _ = place.closed.recv().await;
        None
    };
    let Some(transport) = or(shaken, makes_room).await else { return };
    let patience = Patience::new(settings.write_timeout, settings.write_bytes_per_second_min);
    let socket = Connection::new(transport, Arc::clone(&phase), settings.head_timeout, patience);
    let drain_timeout = settings.drain_timeout;
    let mut http = http1::Builder::new();
    http.timer(SmolTimer::new())
        .header_read_timeout(settings.idle_timeout)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let service = service_fn(move |request| {
        bridge::answer(doors.clone(), peer, Arc::clone(&settings), Arc::clone(&phase), request)
    });
    let mut connection = pin!(http.serve_connection(FuturesIo::new(socket), service).with_upgrades());

    // Both are closed, never sent to.
    let told_to_stop = async {
        let _ = stopped.recv().await;
        None
    };
    let told_to_leave = async {
        let _ = place.closed.recv().await;
        log::debug!("a connection on which nothing was asked for made room for another");
        Some(Ok(()))
    };
    let mut ended = or(async { Some(connection.as_mut().await) }, or(told_to_stop, told_to_leave)).await;
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        ended = future::timeout(drain_timeout, connection).await.ok();
    }
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => log::debug!("a connection broke off: {error}"),
        None => log::warn!("an answer was cut off after {drain_timeout:?} to let the agent stop"),
    }
}
