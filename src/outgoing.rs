//! HTTP requests to receivers: where lines and alerts are sent to.
//!
//! Secrets are headers in a file, read anew for each request, so that they are rotated without a restart; nothing of them is in an
//! error or in an address that is shown. Redirects are not followed, lest they go elsewhere. A proxy is what the environment says.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::fmt::rfc2822;
use ring::rand::{SecureRandom as _, SystemRandom};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::file;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take as a whole.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a file of headers or of certificates.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// Most characters of an answer that are said.
const ANSWER_CHARACTERS_MAX: usize = 500;
/// The longest that a receiver may ask to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(15);
/// The first and the longest wait between two tries.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_mins(1);
/// The niceness of threads that forward lines, and that find out what receivers are told.
#[cfg(target_os = "linux")]
const SENDER_NICE: i32 = 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no address of a receiver.
    #[error("'{shown}' is no address to send to: {reason}")]
    Address {
        /// What was given, without what may be secret.
        shown: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] file::Error),
    /// A file of headers could be read by others.
    #[error("{} can be read or changed by everybody on this machine; run: chmod o= {}", .0.display(), .0.display())]
    WorldReadable(PathBuf),
    /// A file does not hold what it should.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is expected.
        reason: String,
    },
    /// There was no answer, or it broke off.
    #[error("{0}")]
    Transport(String),
}

/// Files that a receiver needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Headers to send, a line each: `Authorization: Bearer …`.
    pub headers: Option<PathBuf>,
    /// The certificates that the receiver is trusted by, as PEM; without it those that this machine trusts.
    pub ca: Option<PathBuf>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long the receiver asks to wait.
    pub retry_after: Option<Duration>,
    /// The beginning of its body.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Answer {
    /// The body as text, in one line and not too long to be said.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(ANSWER_CHARACTERS_MAX).collect()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Someone to send to.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    shown: String,
    files: Files,
    /// Connects with the certificates as they were read; made anew after a failure.
    agent: Mutex<Option<ureq::Agent>>,
}

impl Receiver {
    /// The receiver at `url`. Connects to nothing.
    ///
    /// # Errors
    ///
    /// The address is none, or holds a password; or a file is wrong.
    pub fn new(url: &str, files: Files) -> Result<Self, Error> {
        let shown = without_query(url).to_owned();
        let wrong = |shown: &str, reason: &str| Error::Address { shown: shown.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong(&shown, "it is no URL"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            let host = authority.rsplit('@').next().unwrap_or_default();
            return Err(wrong(
                host,
                "a user and a password belong into the file of headers, as Authorization: Basic …",
            ));
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(wrong(&shown, "expected http:// or https:// and a host"));
        }
        let receiver = Self { url: url.to_owned(), shown, files, agent: Mutex::default() };
        receiver.headers()?;
        receiver.agent()?;
        Ok(receiver)
    }

    /// The address without what may be secret.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends `body`, and reads the beginning of the answer.
    ///
    /// # Errors
    ///
    /// There is no answer; or a file is wrong.
    pub fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, Error> {
        let own = self.headers()?;
        let mut request = self.agent()?.post(&self.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in own {
            request = request.header(name, value);
        }
        let response = request.send(body).map_err(|error| {
            *self.known_agent() = None;
            Error::Transport(format!("{} cannot be reached: {error}", self.shown))
        })?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // As much as there is, be it nothing: the status says what became of what was sent.
        let (mut reader, mut body, mut count) = (response.into_body().into_reader(), vec![0; ANSWER_BYTES_MAX], 0);
        while let Ok(read @ 1..) = reader.read(&mut body[count..]) {
            count += read;
        }
        body.truncate(count);
        let retry_after = headers.get("Retry-After").and_then(|value| retry_after(value.to_str().ok()?));
        Ok(Answer { status, retry_after, body, headers })
    }

    /// The headers in the file.
    fn headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let Some(path) = &self.files.headers else { return Ok(Vec::new()) };
        let (bytes, metadata) = file::read_whole(path, FILE_BYTES_MAX)?;
        if metadata.is_open_to_others() {
            return Err(Error::WorldReadable(path.clone()));
        }
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.map(|(index, line)| (index + 1, line.trim_ascii()));
        let headers = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#")).map(|(number, line)| {
            let reason = || format!("line {number} is no header, such as Authorization: Bearer …");
            let wrong = || Error::Content { path: path.clone(), reason: reason() };
            let colon = memchr::memchr(b':', line).ok_or_else(wrong)?;
            let name = HeaderName::from_bytes(line[..colon].trim_ascii()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            Ok((name, value))
        });
        headers.collect()
    }

    fn agent(&self) -> Result<ureq::Agent, Error> {
        let mut known = self.known_agent();
        if let Some(agent) = &*known {
            return Ok(agent.clone());
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .accept_encoding("identity")
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .user_agent(concat!("monitoring-rs/", env!("CARGO_PKG_VERSION")));
        if self.url.starts_with("https:") {
            let tls = TlsConfig::builder()
                .root_certs(RootCerts::Specific(Arc::new(self.certificates()?)))
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
            config = config.tls_config(tls.build());
        }
        Ok(known.insert(config.build().new_agent()).clone())
    }

    fn certificates(&self) -> Result<Vec<Certificate<'static>>, Error> {
        let Some(path) = &self.files.ca else {
            let found = rustls_native_certs::load_native_certs().certs;
            return Ok(found.iter().map(|bytes| Certificate::from_der(bytes).to_owned()).collect());
        };
        let (pem, _) = file::read_whole(path, FILE_BYTES_MAX)?;
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<Certificate<'static>> = certificates.collect();
        if certificates.is_empty() {
            return Err(Error::Content { path: path.clone(), reason: "it holds no certificate in PEM".into() });
        }
        Ok(certificates)
    }

    fn known_agent(&self) -> std::sync::MutexGuard<'_, Option<ureq::Agent>> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address without what may be secret.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What a `Retry-After` says: seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    let until = |text| {
        let then = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let left = SystemTime::from(then).duration_since(SystemTime::now());
        Some(left.unwrap_or_default())
    };
    let wait = text.trim().parse().ok().map(Duration::from_secs).or_else(|| until(text))?;
    Some(wait.min(RETRY_AFTER_MAX))
}

/// How long to wait between tries: twice as long each time, and somewhat at random, so that many senders do not come at once.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: BACKOFF_MIN }
    }
}

impl Backoff {
    /// The wait before the next try, at least what the receiver asks for. `random` is anything from 0 to 1.
    pub fn wait(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let wait = self.next.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        self.next = (self.next * 2).min(BACKOFF_MAX);
        wait.max(retry_after.unwrap_or_default())
    }
}

/// Has the calling thread wait for those that collect, store and answer, where the system gives threads a priority of their own.
pub fn yield_to_collecting() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, SENDER_NICE) {
        log::debug!("a thread goes on without a lower priority: {error}");
    }
}

/// Anything from 0 to 1, for [`Backoff::wait`].
pub fn chance() -> f64 {
    let mut byte = [u8::MAX];
    // Without random numbers every wait is as long as it may be.
    let _ = SystemRandom::new().fill(&mut byte);
    f64::from(byte[0]) / f64::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    /// The head of a request in lines, and its body.
    type Sent = (Vec<String>, Vec<u8>);

    /// Answers one request; where, and what was sent.
    fn serve(answer: &'static str) -> (String, thread::JoinHandle<Sent>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/push?token=secret", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let lines: Vec<String> =
                reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            let length =
                lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap()];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            (lines, body)
        });
        (url, served)
    }

    fn header_file(content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("headers");
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_body_is_sent_with_the_headers_of_the_file() {
        let (url, served) =
            serve("HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nX-A: b\r\nContent-Length: 9\r\n\r\nnot\n now\n");
        let (_directory, path) =
            header_file("# of the tenant\nX-Scope-OrgID: shop\n\nAuthorization:  Bearer s3cret \n", 0o600);
        let receiver = Receiver::new(&url, Files { headers: Some(path), ca: None }).unwrap();
        let answer = receiver.post(&[("Content-Type", "text/plain")], b"body").unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(7))));
        assert_eq!((answer.text().as_str(), answer.header("x-a")), ("not now", Some("b")));
        let (lines, body) = served.join().unwrap();
        assert!(lines[0].starts_with("POST /push?token=secret "), "{lines:?}");
        for expected in ["content-type: text/plain", "x-scope-orgid: shop", "authorization: Bearer s3cret"] {
            assert!(lines.iter().any(|line| line.eq_ignore_ascii_case(expected)), "{expected}: {lines:?}");
        }
        assert_eq!(body, b"body");
        assert!(!receiver.shown().contains("secret"));
        let error = receiver.post(&[], b"").unwrap_err().to_string();
        assert!(error.contains("cannot be reached") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn files_that_are_wrong_say_how_to_mend_them() {
        let open = |path: PathBuf| {
            Receiver::new("http://a/", Files { headers: Some(path), ca: None }).unwrap_err().to_string()
        };
        let (_directory, path) = header_file("A: b", 0o644);
        assert!(open(path).contains("run: chmod o= "));
        let (_directory, path) = header_file("A: b\nsecret", 0o600);
        let error = open(path);
        assert!(error.contains("line 2 is no header") && !error.contains("secret"), "{error}");
        let (_directory, path) = header_file("no PEM", 0o600);
        let error = Receiver::new("https://a/", Files { headers: None, ca: Some(path) }).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_showing_it() {
        let refused = |url| Receiver::new(url, Files::default()).unwrap_err().to_string();
        let error = refused("http://me:s3cret@host/x");
        assert!(error.contains("'host'") && !error.contains("s3cret"), "{error}");
        for wrong in ["", "host:1", "ftp://host/", "http://", "http:///x"] {
            assert!(refused(wrong).contains("no address to send to"), "{wrong}");
        }
    }

    #[test]
    fn waits_grow_and_are_as_long_as_is_asked() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.wait(None, 1.0), Duration::from_millis(500));
        assert_eq!(backoff.wait(None, 0.0), Duration::from_millis(500));
        assert_eq!(backoff.wait(Some(Duration::from_secs(30)), 1.0), Duration::from_secs(30));
        (0..10).for_each(|_| assert!(backoff.wait(None, 1.0) <= BACKOFF_MAX));
        assert_eq!(retry_after("9999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
