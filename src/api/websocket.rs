//! A WebSocket: a route answers 101 and says who talks on the connection; the bridge hands it over once hyper lets go.
//!
//! Browsers let a page of any site open a WebSocket to any address, and read what comes. So a request that comes from a
//! page is taken only if the page comes from here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use async_std::task;
use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use hyper::upgrade::{OnUpgrade, Parts};
use smol_hyper::rt::FuturesIo;
use tide::{Request, Response, StatusCode};

use crate::api::State;
use crate::api::connection::{Connection, Exchange};
use crate::api::error::Error;

/// Longest message that a client may send, in bytes: all that it has to say is that it is still there.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// The version of the protocol.
const VERSION: &str = "13";

/// One client.
pub(super) type Socket = WebSocketStream<Connection>;

type Conversation = Pin<Box<dyn Future<Output = ()> + Send>>;
type Talk = Box<dyn FnOnce(Socket) -> Conversation + Send>;

/// Who takes over the connection after the answer that this is an extension of.
pub(super) struct Upgrade(Mutex<Option<Talk>>);

/// The answer after which `talk` has the connection.
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
