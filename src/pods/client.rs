//! Requests to the API server: where it is, what is sent, and what can go wrong.
//!
//! Each request is a connection of its own, with the token and the certificates read anew: both files change while the
//! agent runs. Redirects are not followed, lest the token go elsewhere.

use std::fmt::Write as _;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::file;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to begin its answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a list may take.
const LIST_TIMEOUT: Duration = Duration::from_mins(1);
/// How long an answer may say nothing: a watch says something each minute.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// How much longer a watch may take than it was asked to.
const WATCH_LEEWAY: Duration = Duration::from_secs(30);
/// Most bytes of a token or of certificates.
const CREDENTIAL_BYTES_MAX: usize = 1 << 20;
/// Most bytes that are read of a refusal.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// Most characters of a refusal that are said.
const REFUSAL_CHARACTERS_MAX: usize = 300;
/// Room for an answer that is being read, in bytes.
const BUFFER_BYTES: usize = 16 << 10;

const LIST_TYPE: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const WATCH_TYPE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Where the API server is, and who asks it.
#[derive(Clone, Debug)]
pub struct Access {
    /// Its address, such as `https://10.0.0.1:443`; `None` where the environment does not say.
    pub url: Option<String>,
    /// The file of the token.
    pub token_file: PathBuf,
    /// The file of the certificates that it is trusted by.
    pub ca_file: PathBuf,
    /// The node whose pods are asked for.
    pub node: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nobody said where to ask or with what.
    #[error("{0}")]
    NoAccess(String),
    /// The server does not know the token.
    #[error("the API server does not take the token of {}: {reason}", token_file.display())]
    Unauthorized { token_file: PathBuf, reason: String },
    /// The token's account has no right.
    #[error("may not list pods: {0}; apply the ClusterRole of deploy/kubernetes, or set --kubernetes-api=off")]
    Forbidden(String),
    /// The version asked for is too old.
    #[error("the version of the last answer is too old: {0}")]
    Gone(String),
    /// Too much is asked.
    #[error("the API server asks to wait for {} s", .0.as_secs())]
    TooMany(Duration),
    /// It answers with another status.
    #[error("the API server answers {status}: {reason}")]
    Status { status: u16, reason: String },
    /// An answer that is none.
    #[error("an answer of the API server is not understood: {0}")]
    Malformed(String),
    /// An answer that is too large.
    #[error("{0} of the API server is over {1} MiB and is left out")]
    TooLarge(&'static str, u64),
    /// There was no answer, or it broke off.
    #[error("{0}")]
    Transport(String),
}

/// An answer that is being read.
pub(super) type Answer = BufReader<ureq::BodyReader<'static>>;

impl Access {
    /// Asks for all pods of the node, as old as the server likes.
    pub(super) fn list(&self) -> Result<Answer, Failure> {
        self.get("&resourceVersion=0", LIST_TYPE, LIST_TIMEOUT)
    }

    /// Asks for what becomes of the pods of the node after `version`, for so long.
    pub(super) fn watch(&self, version: &str, time: Duration) -> Result<Answer, Failure> {
        let seconds = time.as_secs();
        let version = encoded(version);
        let query = format!("&watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}");
        self.get(&query, WATCH_TYPE, time + WATCH_LEEWAY)
    }

    fn get(&self, query: &str, accept: &str, timeout: Duration) -> Result<Answer, Failure> {
        let Some(url) = &self.url else {
            let text = "neither --kubernetes-api nor the environment says where the Kubernetes API is";
            return Err(Failure::NoAccess(text.into()));
        };
        let (token, _) = file::read_whole(&self.token_file, CREDENTIAL_BYTES_MAX)
            .map_err(|error| Failure::NoAccess(format!("there is no token: {error}")))?;
        let token = String::from_utf8(token)
            .map_err(|_| Failure::NoAccess(format!("{} holds no token", self.token_file.display())))?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .user_agent(concat!("monitoring-rs/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(RESPONSE_TIMEOUT))
            .timeout_recv_body(Some(timeout))
            .timeout_per_read(Some(SILENCE_MAX));
        if url.starts_with("https:") {
            config = config.tls_config(self.tls()?);
        }
        let node = encoded(&self.node);
        let url = format!("{}/api/v1/pods?fieldSelector=spec.nodeName%3D{node}{query}", url.trim_end_matches('/'));
        let request = config.build().new_agent().get(&url).header("Accept", accept);
        let request = request.header("Authorization", format!("Bearer {}", token.trim()));
        let response = request.call().map_err(|error| self.transport(&error))?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
        let body = response.into_body().into_reader();
        if status == 200 {
            return Ok(BufReader::with_capacity(BUFFER_BYTES, body));
        }
        let reason = reason(body);
        Err(match status {
            401 => Failure::Unauthorized { token_file: self.token_file.clone(), reason },
            403 => Failure::Forbidden(reason),
            410 => Failure::Gone(reason),
            429 => Failure::TooMany(retry_after),
            _ => Failure::Status { status, reason },
        })
    }

    fn tls(&self) -> Result<TlsConfig, Failure> {
        let (pem, _) = file::read_whole(&self.ca_file, CREDENTIAL_BYTES_MAX)
            .map_err(|error| Failure::NoAccess(format!("there is no certificate: {error}")))?;
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<Certificate<'static>> = certificates.collect();
        if certificates.is_empty() {
            return Err(Failure::NoAccess(format!("{} holds no certificate", self.ca_file.display())));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls =
            TlsConfig::builder().provider(TlsProvider::Rustls).root_certs(RootCerts::new_with_certs(&certificates));
        Ok(tls.unversioned_rustls_crypto_provider(provider).build())
    }

    fn transport(&self, error: &ureq::Error) -> Failure {
        let url = self.url.as_deref().unwrap_or_default();
        // What is wrong with a certificate comes as an error of reading.
        let is_untrusted = match error {
            ureq::Error::Io(error) => error.get_ref().is_some_and(is_of_tls),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
            _ => false,
        };
        let ca_file = self.ca_file.display();
        Failure::Transport(if is_untrusted {
            format!("{url} is not trusted by the certificates in {ca_file}: {error}")
        } else {
            format!("{url} cannot be asked: {error}")
        })
    }
}

/// Whether an error is one of the certificates or of the encryption.
fn is_of_tls(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.is::<rustls::Error>()
}

/// How long the server asks to wait, at least a second.
fn retry_after(headers: &ureq::http::HeaderMap) -> Duration {
    let seconds = headers.get("Retry-After").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).clamp(1, 300))
}

/// Why the server refuses: the message of its status, or the text that somebody before it sends.
fn reason(mut body: impl Read) -> String {
    #[derive(serde::Deserialize)]
    struct Status {
        message: String,
    }
    let (mut bytes, mut count) = (vec![0; REFUSAL_BYTES_MAX], 0);
    // As much as there is, be it nothing.
    while let Ok(read @ 1..) = body.read(&mut bytes[count..]) {
        count += read;
    }
    let bytes = &bytes[..count];
    let text = serde_json::from_slice::<Status>(bytes).map(|status| status.message);
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(REFUSAL_CHARACTERS_MAX).collect()
}

/// `text` for a query: whatever is no letter, digit, `-`, `.`, `_` or `~` is escaped.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_one_line() {
        assert_eq!(reason(&br#"{"kind":"Status","message":"pods is forbidden","code":403}"#[..]), "pods is forbidden");
        assert_eq!(reason(&b"<html>\n <b>502</b>\r\n</html>"[..]), "<html> <b>502</b> </html>");
        assert_eq!(reason(vec![0xff; 100_000].as_slice()).chars().count(), REFUSAL_CHARACTERS_MAX);
    }

    #[test]
    fn what_is_no_word_is_escaped() {
        assert_eq!(encoded("node-a.x_1"), "node-a.x_1");
        assert_eq!(encoded("a&b=ü"), "a%26b%3D%C3%BC");
    }
}
