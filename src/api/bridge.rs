//! From hyper's request to tide's and from tide's answer to hyper's.
//!
//! Everything about a request that could be read in two ways is refused here, before a route sees it. The URL that tide
//! is given holds the path and the query as they were sent, and nothing of the `Host` header.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_lock::{Semaphore, SemaphoreGuard};
use async_std::io::{self, BufRead};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN, TRANSFER_ENCODING, UPGRADE};
use hyper::http::uri::Authority;
use hyper::rt::Timer as _;
use smol_hyper::rt::SmolTimer;
use tide::StatusCode;
use tide::http::{Method, Url};

use crate::api::State;
use crate::api::connection::{Exchange, Phase};
use crate::api::entrance::{Denied, Doors};
use crate::api::error::Error;
use crate::api::host;
use crate::api::loki;
use crate::api::server::Settings;
use crate::api::websocket::Upgrade;
use crate::model::budget::Budget;

/// Longest body of a request, in bytes: the longest query that anyone sends as a form.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Longest body of a push, in bytes.
const PUSH_BYTES_MAX: usize = 8 << 20;
/// Most bodies over [`BODY_BYTES_MAX`] at a time, from their first byte to their answer; others wait.
const LARGE_BODIES_MAX: usize = 2;
/// Time between two tries of a body that waits for memory.
const MEMORY_INTERVAL: Duration = Duration::from_millis(20);

/// The header in which browsers tell whose page a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

static LARGE_BODIES: Semaphore = Semaphore::new(LARGE_BODIES_MAX);

/// Headers of every answer, unless its route says otherwise: browsers neither guess at types, nor run or embed anything,
/// nor keep what they were sent.
const HEADERS: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

/// Answers one request.
pub(super) async fn answer(
    doors: Doors,
    peer: IpAddr,
    settings: Arc<Settings>,
    phase: Arc<Phase>,
    mut request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Answer>, Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    let exchange = Exchange::begin(&phase);
    let mut response = match accept(request, &settings, &doors, peer).await {
        Ok((request, app, _room)) => {
            app.respond(request).await.unwrap_or_else(|never| tide::http::Response::new(never.status()))
        }
        Err(Denied(response)) => {
            exchange.refuse();
            let mut response: tide::http::Response = (*response).into();
            // What follows on the connection may be the rest of what was refused.
            response.insert_header("connection", "close");
            response
        }
    };
    let Some(upgrade) = response.ext_mut().remove::<Upgrade>() else { return Ok(leave(response, Some(exchange))) };
    upgrade.begin(upgraded, exchange);
    Ok(leave(response, None))
}

/// Holds what a body takes: its memory, and the place of a large one.
struct Room {
    _memory: Budget,
    _turn: Option<SemaphoreGuard<'static>>,
}

/// Checks a request and takes it over, with the routes that whoever sends it is answered by. Its body is read once they are let
/// in, and takes memory from the share of bodies.
async fn accept(
    request: hyper::Request<Incoming>,
    settings: &Settings,
    doors: &Doors,
    peer: IpAddr,
) -> Result<(tide::http::Request, tide::Server<State>, Room), Denied> {
    let (head, body) = request.into_parts();
    if head.headers.contains_key(TRANSFER_ENCODING) {
        // With a Content-Length beside it, which hyper drops, two servers in a row may disagree on where it ends.
        return Err(Error::bad_request("send a body with Content-Length; Transfer-Encoding is not taken").into());
    }
    check_host(&head, settings)?;
    check_origin(&head, settings)?;
    let caller = doors.admit(&head, peer).await?;
    let app = doors.of(&caller);
    let bodies = &app.state().bodies;
    let method: Method =
        head.method.as_str().parse().map_err(|_| {
            Error::new(StatusCode::NotImplemented, format!("the method {} is not known here", head.method))
        })?;
    let mut accepted = tide::http::Request::new(method, url(&head.uri)?);
    for (name, value) in &head.headers {
        // tide holds ASCII only; no header that this API reads has anything else.
        if let Ok(value) = value.to_str() {
            accepted.append_header(name.as_str(), value);
        }
    }
    let bytes_max = if head.uri.path() == loki::PUSH_PATH { PUSH_BYTES_MAX } else { BODY_BYTES_MAX };
    let length = body.size_hint().exact().unwrap_or(u64::MAX);
    if (bytes_max as u64) < length {
        return Err(too_long(bytes_max).into());
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let room = async_std::future::timeout(settings.head_timeout, room(length, bodies)).await;
    let message = "other bodies take the memory that there is for them; send this one again later";
    let room = room.map_err(|_| Error::new(StatusCode::TooManyRequests, message))?;
    let body = async_std::future::timeout(settings.head_timeout, Limited::new(body, bytes_max).collect()).await;
    let body = body.map_err(|_| Error::new(StatusCode::RequestTimeout, "the request's body did not come in time"))?;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return too_long(bytes_max);
        }
        Error::bad_request(format!("the request's body cannot be read: {error}"))
    })?;
    accepted.set_body(Vec::from(body.to_bytes()));
    accepted.ext_mut().insert(caller);
    accepted.ext_mut().insert(peer);
    Ok((accepted, app, room))
}

/// Waits until there is room for a body of `length` bytes.
async fn room(length: usize, bodies: &Arc<Budget>) -> Room {
    let turn = if BODY_BYTES_MAX < length { Some(LARGE_BODIES.acquire().await) } else { None };
    let memory = Budget::within(Arc::clone(bodies), length);
    while memory.take(length).is_err() {
        SmolTimer::new().sleep(MEMORY_INTERVAL).await;
    }
    Room { _memory: memory, _turn: turn }
}

fn too_long(bytes_max: usize) -> Error {
    Error::new(StatusCode::PayloadTooLarge, format!("the request's body is over the limit of {bytes_max} bytes"))
}

/// Refuses requests for hosts that are not this one.
fn check_host(head: &hyper::http::request::Parts, settings: &Settings) -> Result<(), Error> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Error::bad_request("there is more than one Host header"));
    }
    // The target's own host takes precedence (RFC 9112, section 3.2.2).
    let named = match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => host.map(|host| host.to_str().unwrap_or_default()),
    };
    match named {
        Some(name) if host::is_served(name, &settings.allowed_hosts) => Ok(()),
        Some(name) => {
            let message = format!(
                "this server does not answer for the host {name:?}, so that web pages of others cannot read these logs; \
                 use its address, or start it with --allowed-hosts and that name"
            );
            Err(Error::new(StatusCode::MisdirectedRequest, message))
        }
        None if head.version == hyper::Version::HTTP_10 => Ok(()),
        None => Err(Error::bad_request("there is no Host header")),
    }
}

/// Refuses to a page of another site what it could read, a WebSocket, and what would change something. The rest browsers
/// let it ask for, but not read.
fn check_origin(head: &hyper::http::request::Parts, settings: &Settings) -> Result<(), Error> {
    let is_safe = head.method.is_safe() && !head.headers.contains_key(UPGRADE);
    if is_safe {
        return Ok(());
    }
    let header = |name: &HeaderName| head.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let served_as = head.uri.authority().map(Authority::as_str).or_else(|| header(&HOST));
    let is_own = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, page_host)| {
            served_as.is_some_and(|host| host.eq_ignore_ascii_case(page_host))
                || host::is_allowed(page_host, &settings.allowed_hosts)
        })
    };
    let page = match (header(&ORIGIN), header(&FETCH_SITE)) {
        (Some(origin), _) if is_own(origin) => return Ok(()),
        (Some(origin), _) => format!("a page of {origin:?}"),
        (None, Some("cross-site" | "same-site")) => "a page of another site".to_owned(),
        (None, _) => return Ok(()),
    };
    let message =
        format!("{page} may neither read nor write these logs; start this server with --allowed-hosts and its host");
    Err(Error::new(StatusCode::Forbidden, message))
}

/// The path and the query as they were sent.
///
/// The URL has no authority and its path no leading slash, so that the url crate takes the path for opaque text: it
/// resolves no `..` and turns no `\` into `/`. tide's routes do without the slash.
pub(super) fn url(target: &hyper::Uri) -> Result<Url, Error> {
    let sent = target.path_and_query().map_or("", |sent| sent.as_str());
    let path = sent.strip_prefix('/').unwrap_or(sent);
    if path.starts_with('/') {
        return Err(Error::not_found("no path here begins with two slashes"));
    }
    Url::parse(&format!("request:{path}")).map_err(|error| Error::bad_request(format!("the path is no path: {error}")))
}

/// Hands an answer to hyper.
fn leave(mut response: tide::http::Response, exchange: Option<Exchange>) -> hyper::Response<Answer> {
    let reader = response.take_body();
    let length = reader.len().map(|length| length as u64);
    let mut left = hyper::Response::new(Answer { reader, length, _exchange: exchange });
    *left.status_mut() = hyper::StatusCode::from_u16(response.status().into()).expect("tide's statuses are hyper's");
    let headers = left.headers_mut();
    for (name, values) in &response {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).expect("tide's header names are hyper's");
        for value in values {
            let value = HeaderValue::from_str(value.as_str()).expect("tide's header values are hyper's");
            headers.append(name.clone(), value);
        }
    }
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    left
}

/// An answer's body, as hyper reads it from tide.
pub(super) struct Answer {
    reader: tide::Body,
    /// Its length in bytes; `None` where it is made while it is sent.
    length: Option<u64>,
    /// The one that ends with this body; none where a WebSocket goes on with it.
    _exchange: Option<Exchange>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let mut reader = Pin::new(&mut self.reader);
        let bytes = Bytes::copy_from_slice(ready!(reader.as_mut().poll_fill_buf(context))?);
        if bytes.is_empty() {
            return Poll::Ready(None);
        }
        reader.consume(bytes.len());
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
