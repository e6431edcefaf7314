//! A WebSocket: a route answers 101 and says who talks on the connection; the bridge hands it over once hyper lets go.
//!
//! Browsers let a page of any site open a WebSocket to any address, and read what comes. So a request that comes from a
//! page is taken only if the page comes from here.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_std::channel::{self, Receiver, Sender};
use async_std::task;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{self, Message};
use futures_lite::StreamExt as _;
use futures_lite::future::or;
use hyper::rt::Timer as _;
use hyper::upgrade::{OnUpgrade, Parts};
use smol_hyper::rt::{FuturesIo, SmolTimer};
use tide::{Request, Response, StatusCode};

use crate::access::Caller;
use crate::api::State;
use crate::api::connection::{Connection, Exchange};
use crate::api::error::Error;
use crate::log_database::{Snapshot, Subscription};

/// Longest message that a client may send, in bytes: all that it has to say is that it is still there.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Longest reason that a close frame takes, in bytes.
const CLOSE_REASON_BYTES_MAX: usize = 123;
/// How often a client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(1);
/// How long a client may say nothing, not even that it is still there.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// What a client is told that would not be let in any more.
const NO_LONGER_ADMITTED: &str = "what you were let in for has ended or was changed; say again who you are";
/// The version of the protocol.
const VERSION: &str = "13";

/// One client.
pub(super) type Socket = WebSocketStream<Connection>;

type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;
type Talk = Box<dyn FnOnce(Socket) -> Conversation + Send>;

/// Who takes over the connection after the answer that this is an extension of.
pub(super) struct Upgrade(Mutex<Option<Talk>>);

/// The answer after which `talk` has the connection, later than the client has read it: what it [follows](Followed) from then on
/// is taken before.
///
/// # Errors
///
/// The request asks for no WebSocket, or for one of another version.
pub(super) fn accept<F>(
    request: &Request<State>,
    talk: impl FnOnce(Socket) -> F + Send + 'static,
) -> Result<Response, Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let has = |name: &str, expected: &str| {
        let values = request.header(name).into_iter().flatten().flat_map(|value| value.as_str().split(','));
        values.map(str::trim).any(|value| value.eq_ignore_ascii_case(expected))
    };
    let key = request.header("Sec-WebSocket-Key").map(|values| values.last().as_str().to_owned());
    let asks = has("Connection", "upgrade") && has("Upgrade", "websocket") && has("Sec-WebSocket-Version", VERSION);
    let Some(key) = key.filter(|_| asks) else {
        let message = "this is answered on a WebSocket of version 13 only; open the URL as ws:// instead of http://";
        return Err(Error::new(StatusCode::UpgradeRequired, message));
    };
    let mut response = Response::new(StatusCode::SwitchingProtocols);
    response.insert_header("Connection", "Upgrade");
    response.insert_header("Upgrade", "websocket");
    response.insert_header("Sec-WebSocket-Accept", derive_accept_key(key.as_bytes()));
    let talk: Talk = Box::new(move |socket| Box::pin(talk(socket)));
    response.insert_ext(Upgrade(Mutex::new(Some(talk))));
    Ok(response)
}

/// Tells all who talk that the server stops.
#[derive(Clone, Debug)]
pub(super) struct Stopping {
    /// Nothing is ever sent: that it is closed is the message.
    sender: Sender<()>,
    receiver: Receiver<()>,
}

impl Default for Stopping {
    fn default() -> Self {
        let (sender, receiver) = channel::bounded(1);
        Self { sender, receiver }
    }
}

impl Stopping {
    /// Tells them.
    pub(super) fn stop(&self) {
        self.sender.close();
    }
}

/// Why a conversation comes to an end that the client has not asked for.
pub(super) enum End {
    /// The connection broke off.
    Connection(tungstenite::Error),
    /// The client has said nothing for [`SILENCE_MAX`].
    Silence,
    /// The server stops.
    Stop,
    /// The client would not be let in any more.
    Denied,
    /// What is asked for cannot be answered.
    Fault(Error),
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        Self::Connection(error)
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// What a conversation goes on for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// There is something new to look at.
    Woken,
    /// It is time.
    Due,
    /// The client has had enough.
    Closed,
}

/// A conversation in which the server talks, and the client says that it is still there.
pub(super) struct Session<'s> {
    socket: &'s mut Socket,
    state: &'s State,
    woken: Receiver<()>,
    caller: Caller,
    /// When it was found last that the caller may still be here.
    admitted: Instant,
    /// When the client said something last.
    heard: Instant,
}

/// What a client follows, and who it is. It is to be there before the client is answered: whatever is appended once a client knows
/// that it follows is for it.
pub(super) struct Followed {
    /// Everything appended before.
    pub(super) snapshot: Snapshot,
    /// Everything appended from then on.
    pub(super) subscription: Subscription,
    /// What tells of it.
    pub(super) woken: Receiver<()>,
    /// Who asked.
    pub(super) caller: Caller,
}

impl Followed {
    /// What there is for who sent the request, and what comes.
    pub(super) fn of(request: &Request<State>) -> Self {
        let (wake, woken) = channel::bounded(1);
        let (snapshot, subscription) = request.state().database.subscribe(move || {
            // Where it is full, what there is is about to be looked at anyway.
            let _ = wake.try_send(());
        });
        let caller = request.ext::<Caller>().cloned().unwrap_or_else(Caller::anybody);
        Self { snapshot, subscription, woken, caller }
    }
}

impl<'s> Session<'s> {
    /// A conversation with `caller` that goes on when it is `woken`.
    pub(super) fn new(socket: &'s mut Socket, state: &'s State, woken: Receiver<()>, caller: Caller) -> Self {
        let now = Instant::now();
        Self { socket, state, woken, caller, admitted: now, heard: now }
    }

    /// Sends a frame of text.
    pub(super) async fn send(&mut self, text: String) -> Result<(), End> {
        self.admit()?;
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Looks now and then whether the caller may still be here.
    fn admit(&mut self) -> Result<(), End> {
        if PING_INTERVAL <= self.admitted.elapsed() {
            if !self.state.entrance.access.still_admits(&self.caller) {
                log::info!("{:?} is let in no more: what follows is not for them", self.caller.name);
                return Err(End::Denied);
            }
            self.admitted = Instant::now();
        }
        Ok(())
    }

    /// Waits until it is `due` or, where it `listens` for that, until something wakes it. Meanwhile asks the client whether
    /// it is still there.
    pub(super) async fn wait(&mut self, listens: bool, due: Option<Instant>) -> Result<Signal, End> {
        loop {
            match self.next_event(listens, due).await {
                Event::Woken => return Ok(Signal::Woken),
                Event::Due => return Ok(Signal::Due),
                Event::Ping if SILENCE_MAX < self.heard.elapsed() => return Err(End::Silence),
                Event::Ping => {
                    self.admit()?;
                    self.socket.send(Message::Ping(Vec::new().into())).await?;
                }
                Event::Stop => return Err(End::Stop),
                Event::Message(None | Some(Ok(Message::Close(_)))) => return Ok(Signal::Closed),
                Event::Message(Some(message)) => {
                    message?;
                    self.heard = Instant::now();
                }
            }
        }
    }

    /// Waits for what comes first.
    async fn next_event(&mut self, listens: bool, due: Option<Instant>) -> Event {
        let woken = async { if listens && self.woken.recv().await.is_ok() { Event::Woken } else { pending().await } };
        let due = async {
            match due {
                Some(due) => SmolTimer::new().sleep_until(due).await,
                None => pending().await,
            }
            Event::Due
        };
        let ping = async {
            SmolTimer::new().sleep(PING_INTERVAL).await;
            Event::Ping
        };
        let stop = async {
            // Closed, never sent to.
            let _ = self.state.stopping.receiver.recv().await;
            Event::Stop
        };
        let message = async { Event::Message(self.socket.next().await) };
        or(or(message, stop), or(woken, or(due, ping))).await
    }
}

/// What a conversation waits for.
enum Event {
    Woken,
    Due,
    /// The client is to be asked whether it is still there.
    Ping,
    /// The server stops.
    Stop,
    Message(Option<Result<Message, tungstenite::Error>>),
}

/// Ends a conversation that came to `ended`, and tells the client why if it is still there: with code `faults` that
/// something is wrong with what it asked for.
pub(super) async fn end(mut socket: Socket, ended: Result<(), End>, faults: CloseCode) {
    match ended {
        // Answers the client's own close.
        Ok(()) => drop(socket.close(None).await),
        Err(End::Connection(error)) => log::debug!("a conversation broke off: {error}"),
        Err(End::Silence) => log::debug!("a client has said nothing for {SILENCE_MAX:?}"),
        Err(End::Stop) => close(&mut socket, CloseCode::Restart, "the agent stops: come back with the last id").await,
        Err(End::Denied) => close(&mut socket, CloseCode::Policy, NO_LONGER_ADMITTED).await,
        Err(End::Fault(error)) => close(&mut socket, faults, &error.to_string()).await,
    }
}

/// Tells the client why it is over, if it is still there.
async fn close(socket: &mut Socket, code: CloseCode, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX)];
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = socket.close(Some(frame)).await;
}

impl Upgrade {
    /// Talks as soon as hyper has sent the answer and let go of the connection. The exchange lasts until the end of it.
    pub(super) fn begin(self, upgraded: OnUpgrade, exchange: Exchange) {
        let talk = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        task::spawn(async move {
            exchange.converse();
            let connection = match upgraded.await {
                Ok(upgraded) => upgraded.downcast::<FuturesIo<Connection>>(),
                Err(error) => return log::debug!("a connection broke off before it became a WebSocket: {error}"),
            };
            let Parts { io, read_buf, .. } = connection.expect("every connection is served as one of these");
            // What is written goes out at once, so nothing is to be kept but one message.
            let settings = WebSocketConfig::default()
                .read_buffer_size(MESSAGE_BYTES_MAX)
                .write_buffer_size(0)
                .max_message_size(Some(MESSAGE_BYTES_MAX))
                .max_frame_size(Some(MESSAGE_BYTES_MAX));
            let (io, read) = (io.into_inner(), read_buf.to_vec());
            let socket = Socket::from_partially_read(io, read, Role::Server, Some(settings)).await;
            if let Some(talk) = talk {
                talk(socket).await;
            }
            drop(exchange);
        });
    }
}
