//! TLS for the listener: a certificate and its key from files, read again when they change.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_std::io::{self, Read, Write, WriteExt as _};
use async_std::net::TcpStream;
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::file;

/// How often it is looked whether the files have changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);
/// Most bytes of a file of certificates or of a key.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The first byte of a connection that begins with TLS' handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// What is said to whoever speaks HTTP where TLS is due.
const PLAIN_ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
                            content-length: 52\r\n\r\nthis port speaks TLS: ask again with https:// first\n";

/// Where the certificate is, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its root, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// Certificates of whose clients one is asked for, as PEM; `None` to ask for none.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] file::Error),
    /// Anybody on this machine could read the key.
    #[error("the key can be read or changed by everybody on this machine; run: chmod o= {}", path.display())]
    WorldReadable {
        /// Where it is.
        path: PathBuf,
    },
    /// A file holds something else.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What the listener speaks TLS with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    state: Mutex<(Arc<ServerConfig>, Stamp)>,
}

/// What tells whether the files have changed.
type Stamp = Vec<Option<(i64, u64)>>;

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// What is wrong with them, and how to mend it.
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = files.stamp();
        let state = Mutex::new((files.read()?, stamp));
        Ok(Self { files, state })
    }

    /// Reads the files again when they change, until `wait` says that it is time to stop. Wrong ones are said once; those before
    /// go on. Connections that are open keep what they began with.
    pub fn follow(&self, wait: &dyn Fn(Duration) -> bool) {
        while !wait(RELOAD_INTERVAL) {
            let stamp = self.files.stamp();
            if self.state.lock().unwrap_or_else(PoisonError::into_inner).1 == stamp {
                continue;
            }
            let read = self.files.read();
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.1 = stamp;
            match read {
                Ok(config) => {
                    state.0 = config;
                    log::info!("the certificate is read again");
                }
                Err(error) => log::error!("{error}; the certificate before goes on"),
            }
        }
    }

    /// Shakes hands with a client. `None` where it does not come to that; who speaks HTTP is told what is spoken here.
    pub(super) async fn accept(&self, mut stream: TcpStream, peer: IpAddr) -> Option<Transport> {
        let mut first = [0];
        let count = stream.peek(&mut first).await.ok()?;
        if count == 1 && first[0] != HANDSHAKE {
            log::debug!("{peer} speaks HTTP where TLS is due");
            stream.write_all(PLAIN_ANSWER.as_bytes()).await.ok()?;
            return None;
        }
        let config = Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).0);
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => Some(Transport::Tls(Box::new(stream))),
            Err(error) => {
                log::debug!("{peer} does not come to terms about TLS: {error}");
                None
            }
        }
    }
}

impl TlsFiles {
    fn stamp(&self) -> Stamp {
        let stamp = |path: &PathBuf| file::metadata(path).ok().map(|it| (it.changed_ns, it.identity.inode));
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten().map(stamp).collect()
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let wrong = |path: &Path, reason: String| TlsError::Wrong { path: path.to_owned(), reason };
        let chain = certificates(&self.certificate)?;
        let (bytes, metadata) = file::read_whole(&self.key, FILE_BYTES_MAX)?;
        if metadata.is_open_to_others() {
            return Err(TlsError::WorldReadable { path: self.key.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&bytes);
        let key = key.map_err(|_| wrong(&self.key, "it holds no key as PEM has it".into()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let config = config.map_err(|error| wrong(&self.certificate, error.to_string()))?;
        let config = match &self.client_ca {
            None => config.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                config.with_client_cert_verifier(verifier.map_err(|error| wrong(path, error.to_string()))?)
            }
        };
        let mut config = config.with_single_cert(chain, key).map_err(|error| {
            wrong(&self.certificate, format!("it does not go with {}: {error}", self.key.display()))
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let (bytes, _) = file::read_whole(path, FILE_BYTES_MAX)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.unwrap_or_default();
    if found.is_empty() {
        let reason = "it holds no certificate as PEM has it".into();
        return Err(TlsError::Wrong { path: path.to_owned(), reason });
    }
    Ok(found)
}

/// What requests come on.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Read for Transport {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Transport {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_close(context),
            Self::Tls(stream) => Pin::new(stream).poll_close(context),
        }
    }
}
