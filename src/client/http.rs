//! The agent at an address: requests over HTTP and HTTPS, and `WebSocket`s.

use std::fmt::Write as _;
use std::io::{BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regex::Regex;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::HandshakeError;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::arguments::Connection;
use super::{Error, Result};
use crate::file;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an agent may take to say how it is.
const SOON: Duration = Duration::from_secs(5);
/// How long an agent may say nothing on a WebSocket; it says each second that it is there.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Longest answer that is read as a whole, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4 << 10;
/// Longest explanation of a refusal, in bytes.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

/// Where Loki's errors say that a query is wrong.
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"at line ([0-9]+), col ([0-9]+)").expect("the expression is well-formed"));

/// What is read of an answer while it comes.
pub(super) type Body = BufReader<Box<dyn Read>>;

/// A connection that can carry a WebSocket.
pub(super) trait Channel: Read + std::io::Write {}
impl<T: Read + std::io::Write> Channel for T {}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no connection, or it broke off.
    Unreachable(String),
    /// The agent has an answer of another status than 200; with where the query is wrong.
    Refused { status: u16, message: String, at: Option<(usize, usize)> },
}

/// The token in a file.
fn token(path: &Path) -> Result<String> {
    let wrong = |reason: &str| Error::Usage(format!("--token-file {}: {reason}", path.display()));
    let (bytes, _) =
        file::read_whole(path, TOKEN_BYTES_MAX).map_err(|error| Error::Usage(format!("--token-file: {error}")))?;
    let token = str::from_utf8(&bytes).map_err(|_| wrong("it holds no text"))?.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token { Ok(token.to_owned()) } else { Err(wrong("it holds no token, which is one word")) }
}

/// An agent.
pub(super) struct Agent {
    http: ureq::Agent,
    base: Uri,
    authorization: Option<String>,
}

impl Agent {
    /// The agent at an address. Connects to nothing.
    pub(super) fn new(connection: &Connection) -> Result<Self> {
        Self::within(connection, None)
    }

    /// One whose answers have to come soon, for asking whether it is there at all.
    pub(super) fn answering_soon(connection: &Connection) -> Result<Self> {
        Self::within(connection, Some(SOON))
    }

    fn within(connection: &Connection, time_max: Option<Duration>) -> Result<Self> {
        let given = connection.addr.as_str();
        let full = if given.contains("://") { given.to_owned() } else { format!("http://{given}") };
        let wrong = || Error::Usage(format!("--addr '{given}' is no address, such as http://127.0.0.1:8000"));
        let (scheme, rest) = full.split_once("://").ok_or_else(wrong)?;
        let host_end = rest.find('/').unwrap_or(rest.len());
        let (user, rest) = match rest[..host_end].rfind('@') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let base: Uri = format!("{scheme}://{rest}").parse().map_err(|_| wrong())?;
        if !matches!(scheme, "http" | "https") || base.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIME_MAX))
            .timeout_global(time_max)
            .max_redirects(0)
            // As WebSockets, which know of none.
            .proxy(None)
            .accept_encoding("identity")
            .user_agent(format!("monitoring-rs/{}", env!("CARGO_PKG_VERSION")));
        if scheme == "https" {
            let certificates = trusted()?.iter().map(|bytes| Certificate::from_der(bytes).to_owned()).collect();
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(certificates)))
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
            config = config.tls_config(tls.build());
        }
        let authorization = match &connection.token_file {
            Some(path) => Some(format!("Bearer {}", token(path)?)),
            None => user.map(|user| format!("Basic {}", BASE64_STANDARD.encode(user))),
        };
        Ok(Self { http: config.build().into(), base, authorization })
    }

    /// The address without what it keeps secret.
    pub(super) fn address(&self) -> String {
        self.base.to_string().trim_end_matches('/').to_owned()
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = self.address() + path;
        for (index, (name, value)) in parameters.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value));
        }
        url
    }

    /// Asks, and returns an answer of status 200 to be read as it comes.
    pub(super) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> std::result::Result<Body, Refusal> {
        let mut request = self.http.get(self.url(path, parameters));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let body = response.into_body();
        if status == 200 {
            return Ok(BufReader::with_capacity(64 << 10, Box::new(body.into_reader())));
        }
        let text =
            body.into_with_config().limit(REFUSAL_BYTES_MAX).lossy_utf8(true).read_to_string().unwrap_or_default();
        Err(refusal(status, text.trim()))
    }

    /// Asks for JSON.
    pub(super) fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let query = parameters.iter().find(|(name, _)| *name == "query").map_or("", |(_, query)| query);
        let body = self.get(path, parameters).map_err(|refusal| refusal.explained(query))?;
        let read = serde_json::from_reader(body.take(ANSWER_BYTES_MAX));
        read.map_err(|error| Error::Agent(format!("{} answers {path} with what is no JSON: {error}", self.address())))
    }

    /// Opens a WebSocket.
    pub(super) fn socket(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> std::result::Result<WebSocket<Box<dyn Channel>>, Refusal> {
        let failed = |error: &dyn std::fmt::Display| self.unreachable(error);
        let is_tls = self.base.scheme_str() == Some("https");
        let host = self.base.host().unwrap_or_default();
        let port = self.base.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = connect(host.trim_matches(['[', ']']), port).map_err(|error| failed(&error))?;
        stream.set_read_timeout(Some(SILENCE_MAX)).map_err(|error| failed(&error))?;
        let channel: Box<dyn Channel> = if is_tls {
            let name =
                ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|error| failed(&error))?;
            let tls = tls().map_err(|error| failed(&error))?;
            let connection = ClientConnection::new(Arc::new(tls), name).map_err(|error| failed(&error))?;
            Box::new(StreamOwned::new(connection, stream))
        } else {
            Box::new(stream)
        };
        let url = self.url(path, parameters).replacen("http", "ws", 1);
        let mut request = url.into_client_request().map_err(|error| failed(&error))?;
        if let Some(Ok(value)) = self.authorization.as_deref().map(str::parse) {
            request.headers_mut().insert("Authorization", value);
        }
        match tungstenite::client(request, channel) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let status = response.status().as_u16();
                let text = response.into_body().unwrap_or_default();
                Err(refusal(status, String::from_utf8_lossy(&text).trim()))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Refusal {
        let address = self.address();
        Refusal::Unreachable(format!(
            "cannot reach {address}: {error}; is the agent running? --addr or MONITORING_ADDR name another"
        ))
    }
}

impl Refusal {
    /// As an error; one in the text of a query shows it with a mark under the place.
    pub(super) fn explained(self, query: &str) -> Error {
        let (message, at) = match self {
            Self::Unreachable(message) => return Error::Agent(message),
            Self::Refused { status, message, .. } if message.is_empty() => {
                return Error::Agent(format!("the agent refuses with status {status}"));
            }
            Self::Refused { message, at, .. } => (message, at),
        };
        let place = at.and_then(|(line, column)| Some((query.lines().nth(line.checked_sub(1)?)?, column)));
        Error::Agent(match place {
            Some((line, column)) => format!("{message}\n  {line}\n  {}^", " ".repeat(column.saturating_sub(1))),
            None => message,
        })
    }
}

/// What an answer of another status than 200 says: JSON with `error` and `at`, or plain text as Loki's.
fn refusal(status: u16, text: &str) -> Refusal {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let message = json.as_ref().and_then(|json| json["error"].as_str()).unwrap_or(text).to_owned();
    let at = json.as_ref().and_then(|json| Some((number(&json["at"]["line"])?, number(&json["at"]["column"])?)));
    let at = at.or_else(|| {
        let found = PLACE.captures(&message)?;
        Some((found[1].parse().ok()?, found[2].parse().ok()?))
    });
    Refusal::Refused { status, message, at }
}

/// A connection to the first address of a host that answers.
fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut failed = std::io::Error::other("the host has no address");
    for address in std::net::ToSocketAddrs::to_socket_addrs(&(host, port))? {
        match TcpStream::connect_timeout(&address, CONNECT_TIME_MAX) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Whether something takes connections at the host and port of a URL.
pub(super) fn reach(url: &str) -> std::result::Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| "it is not an address".to_owned())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    connect(host, uri.port_u16().unwrap_or(443)).map(drop).map_err(|error| error.to_string())
}

/// The certificates that this machine trusts.
fn trusted() -> Result<Vec<CertificateDer<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    match found.errors.first() {
        Some(error) if found.certs.is_empty() => {
            Err(Error::Agent(format!("cannot read the certificates that this machine trusts: {error}")))
        }
        _ => Ok(found.certs),
    }
}

fn tls() -> std::result::Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted().map_err(|error| error.to_string())?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// A parameter's value as it stands in a URL.
pub(super) fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => write!(out, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(addr: &str) -> Result<Agent> {
        Agent::new(&Connection { addr: addr.to_owned(), token_file: None })
    }

    #[test]
    fn an_address_may_lack_its_scheme_and_have_a_path_and_a_user() {
        let url = |addr: &str| agent(addr).unwrap().url("/status", &[("query", "{a=\"b\"}"), ("x", "1")]);
        assert_eq!(url("node:8000"), "http://node:8000/status?query=%7Ba%3D%22b%22%7D&x=1");
        assert_eq!(url("http://me:secret@node/logs/"), "http://node/logs/status?query=%7Ba%3D%22b%22%7D&x=1");
        assert_eq!(agent("me:secret@node").unwrap().authorization.as_deref(), Some("Basic bWU6c2VjcmV0"));
        for wrong in ["", "ftp://node", "http://", "http://a b", "http:///x"] {
            assert!(matches!(agent(wrong), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_mark_stands_under_the_place_where_a_query_is_wrong() {
        let query = "{a=\"b\"}\n|= x";
        for text in [r#"{"error":"no x","at":{"line":2,"column":4}}"#, "no x at line 2, col 4: …"] {
            let message = refusal(400, text).explained(query).to_string();
            assert!(message.starts_with("no x") && message.ends_with("\n  |= x\n     ^"), "{message}");
        }
    }
}
