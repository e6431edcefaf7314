//! The entrance: who asks, whether they may, and what their routes answer from.
//!
//! It stands before all routes, so none can forget it. Whoever may see some streams alone is answered by routes of their own,
//! whose state has a handle to the database that shows no others, and nothing of what the agent says of itself: what is not
//! there cannot be answered.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_lock::Semaphore;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blocking::unblock;
use hyper::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use tide::{Response, StatusCode};

use crate::access::{Access, Attempts, Caller, Files, Limit, Network, Right};
use crate::api::connections::Origin;
use crate::api::error::Error;
use crate::api::health::{LIVE, READY};
use crate::api::loki::PUSH_PATH;
use crate::api::{State, login, routes};
use crate::query::service;
use crate::status::Status;

/// The cookie that a session is shown in.
pub(super) const COOKIE_NAME: &str = "monitoring_session";
/// Most passwords that are hashed at a time: whoever has many addresses takes no more than this of the machine.
const HASHES_MAX: usize = 2;
/// In which browsers say what a request is for; others do not send it.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// Most selectors of callers at a time; for further ones, routes are made for each request.
const LIMITED_MAX: usize = 1000;

static HASHES: Semaphore = Semaphore::new(HASHES_MAX);

/// What is asked of those who come in.
#[derive(Debug)]
pub struct Entrance {
    /// Who may ask.
    pub access: Access,
    /// Proxies that are trusted to have asked.
    pub proxies: Vec<Network>,
    /// The header in which these say who it is.
    pub proxy_header: HeaderName,
    /// Whether the agent's own numbers are there for everybody.
    pub opens_metrics: bool,
    /// Whether cookies are sent through TLS alone.
    pub is_secure: bool,
    /// How often each address was wrong of late.
    attempts: Attempts<Origin>,
}

impl Entrance {
    /// Of those whom `access` knows.
    pub fn new(access: Access) -> Self {
        Self {
            access,
            proxies: Vec::new(),
            proxy_header: HeaderName::from_static("x-forwarded-user"),
            opens_metrics: false,
            is_secure: false,
            attempts: Attempts::default(),
        }
    }

    /// Of everybody.
    ///
    /// # Errors
    ///
    /// Where the system gives no random numbers.
    pub fn open() -> Result<Self, crate::access::Error> {
        Access::new(Files::default()).map(Self::new)
    }

    /// Who somebody is, by a name and a password.
    pub(super) async fn by_password(
        self: Arc<Self>,
        status: &Status,
        name: String,
        password: String,
        peer: IpAddr,
    ) -> Result<Caller, Denied> {
        if let Some(caller) = self.access.remembered(&name, &password) {
            return Ok(caller);
        }
        self.attempt(status, peer)?;
        let (entrance, of) = (Arc::clone(&self), name.clone());
        let _turn = HASHES.acquire().await;
        match unblock(move || entrance.access.password(&of, &password)).await {
            Some(caller) => {
                self.attempts.succeed(peer.into());
                Ok(caller)
            }
            None => Err(wrong(status, &format!("the password of {name:?}"), peer)),
        }
    }

    /// Counts an attempt, as long as there were not too many.
    fn attempt(&self, status: &Status, peer: IpAddr) -> Result<(), Denied> {
        self.attempts.begin(peer.into(), Instant::now()).map_err(|many| {
            status.access_failures.add(1);
            let seconds = many.after.as_secs() + 1;
            let message = format!("there were too many wrong credentials from your address; try again in {seconds} s");
            let mut response = Response::from(&Error::new(StatusCode::TooManyRequests, message));
            response.insert_header("retry-after", seconds.to_string());
            Denied(Box::new(response))
        })
    }

    /// Who asks with these headers; `None` for nobody that is known.
    async fn caller(
        self: &Arc<Self>,
        status: &Status,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Option<Caller>, Denied> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if self.proxies.iter().any(|network| network.contains(peer))
            && let Some(name) = text(&self.proxy_header).filter(|name| !name.is_empty())
        {
            return Ok(Some(self.access.by_proxy(name)));
        }
        if let Some((scheme, sent)) = text(&AUTHORIZATION).and_then(|sent| sent.trim().split_once(' ')) {
            let sent = sent.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                if let Some(caller) = self.access.token(sent) {
                    return Ok(Some(caller));
                }
                self.attempt(status, peer)?;
                return Err(wrong(status, "the token", peer));
            }
            if scheme.eq_ignore_ascii_case("basic") {
                let text = STANDARD.decode(sent).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let Some((name, password)) = text.as_deref().and_then(|text| text.split_once(':')) else {
                    return Err(Error::bad_request("the header Authorization is not understood").into());
                };
                let (name, password) = (name.to_owned(), password.to_owned());
                return Arc::clone(self).by_password(status, name, password, peer).await.map(Some);
            }
        }
        Ok(session_of(headers).and_then(|shown| self.access.session(shown)))
    }
}

/// Counts wrong credentials, and says in the own log who sent them.
fn wrong(status: &Status, what: &str, peer: IpAddr) -> Denied {
    status.access_failures.add(1);
    log::warn!("{what} that {peer} sent is wrong");
    Error::new(StatusCode::Unauthorized, "these credentials are not known here").into()
}

/// The session that is shown in a cookie.
pub(super) fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

/// Why somebody is not let in, as they are answered.
pub(super) struct Denied(pub(super) Box<Response>);

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self(Box::new(Response::from(&error)))
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// This right.
    Right(Right),
    /// The right to read, and all streams.
    All,
}

/// What a request for a path needs. What is not known here needs what everything else does.
pub(super) fn need_of(path: &str, opens_metrics: bool) -> Need {
    match path {
        path if LIVE.contains(&path) || READY.contains(&path) || login::PATHS.contains(&path) => Need::Nothing,
        "/metrics" if opens_metrics => Need::Nothing,
        "/metrics" => Need::All,
        PUSH_PATH => Need::Right(Right::Push),
        _ => Need::Right(Right::Read),
    }
}

/// All routes: those that answer from everything, and those of each selector that limits somebody.
#[derive(Clone)]
pub(super) struct Doors {
    all: tide::Server<State>,
    limited: Arc<Mutex<HashMap<Arc<str>, tide::Server<State>>>>,
}

impl Doors {
    pub(super) fn new(all: tide::Server<State>) -> Self {
        Self { all, limited: Arc::default() }
    }

    pub(super) fn state(&self) -> &State {
        self.all.state()
    }

    /// The routes of somebody.
    pub(super) fn of(&self, caller: &Caller) -> tide::Server<State> {
        let Some(limit) = &caller.limit else { return self.all.clone() };
        let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = limited.get(&limit.selector) {
            return app.clone();
        }
        let app = routes(limited_to(self.state(), limit));
        if limited.len() < LIMITED_MAX {
            limited.insert(Arc::clone(&limit.selector), app.clone());
        }
        app
    }

    /// Lets somebody in, or says why not.
    pub(super) async fn admit(&self, head: &hyper::http::request::Parts, peer: IpAddr) -> Result<Caller, Denied> {
        let State { entrance, status, .. } = self.state();
        if entrance.access.is_off() {
            return Ok(Caller::anybody());
        }
        let path = head.uri.path();
        let need = need_of(path, entrance.opens_metrics);
        let known = entrance.caller(status, &head.headers, peer).await;
        if need == Need::Nothing {
            // What they are wrong about is theirs; a probe is answered all the same.
            return Ok(known.ok().flatten().unwrap_or_else(Caller::nobody));
        }
        let is_browser = head.headers.contains_key(FETCH_MODE);
        let caller = match known {
            Ok(Some(caller)) => caller,
            Ok(None) => return Err(unknown(head, entrance, is_browser)),
            Err(Denied(mut response)) => {
                challenge(&mut response, is_browser);
                return Err(Denied(response));
            }
        };
        let (right, has_all) = match need {
            Need::Right(right) => (right, true),
            Need::All | Need::Nothing => (Right::Read, caller.limit.is_none()),
        };
        if caller.rights.include(right) && has_all {
            return Ok(caller);
        }
        log::info!("{:?} from {peer} may not {} here: {path:?}", caller.name, right.name());
        let message = format!("{:?} has no right to this; it takes the right `{}`", caller.name, right.name());
        let message = if has_all { message } else { format!("{:?} may see some streams only", caller.name) };
        Err(Error::new(StatusCode::Forbidden, message).into())
    }
}

/// What somebody is answered who has not said who they are: people are sent to where they can.
fn unknown(head: &hyper::http::request::Parts, entrance: &Entrance, is_browser: bool) -> Denied {
    let accepts = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_person = head.method == hyper::Method::GET && accepts.contains("text/html");
    if is_person && entrance.access.has_users() {
        return Denied(Box::new(login::redirect(&head.uri)));
    }
    let message = "say who you are, with a token (Authorization: Bearer) or a name and a password (basic)";
    let mut response = Response::from(&Error::new(StatusCode::Unauthorized, message));
    challenge(&mut response, is_browser);
    Denied(Box::new(response))
}

/// Says what credentials are taken; not to a page's requests, for which browsers would ask for a password themselves.
fn challenge(response: &mut Response, is_browser: bool) {
    if response.status() == StatusCode::Unauthorized {
        response.append_header("www-authenticate", "Bearer realm=\"monitoring-rs\"");
        if !is_browser {
            response.append_header("www-authenticate", "Basic realm=\"monitoring-rs\", charset=\"UTF-8\"");
        }
    }
}

/// What the routes of those answer from who may see some streams alone.
fn limited_to(state: &State, Limit { matchers, .. }: &Limit) -> State {
    let (inventory, matchers) = (Arc::clone(&state.inventory), Arc::clone(matchers));
    let shows = move |own: &crate::model::Labels| service::shown_as(inventory.join(own), &matchers).is_some();
    state.without_status(state.database.limited_to(shows))
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").finish_non_exhaustive()
    }
}
