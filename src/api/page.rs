//! The page: four files of `ui/dist`, embedded in the binary as the gzip that browsers are sent, under `/ui/`.
//!
//! All URLs in them are relative, so that the page works behind any path prefix. They have no hashes in their names; a
//! browser asks each time, and is answered 304 for as long as the bytes are the same.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::write::GzDecoder;
use tide::{Body, Request, Response, StatusCode};

use crate::api::{State, body};

/// The content security policy: the page loads and does only what is sent with every answer, and nothing becomes markup or script from text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";
/// The permissions policy: of the device the page uses the clipboard alone, to copy lines to.
const PERMISSIONS: &str = "accelerometer=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), \
                           gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), \
                           clipboard-write=(self)";
/// Beside those of every answer.
const HEADERS: [(&str, &str); 6] = [
    ("cache-control", "no-cache"),
    ("content-security-policy", POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", PERMISSIONS),
    ("referrer-policy", "no-referrer"),
];

/// A file of `ui/dist`, as the build script compressed it.
macro_rules! compressed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

static INDEX: LazyLock<File> = LazyLock::new(|| File::new("text/html; charset=utf-8", compressed!("index.html")));
static SCRIPT: LazyLock<File> = LazyLock::new(|| File::new("text/javascript; charset=utf-8", compressed!("app.js")));
static LATER_SCRIPT: LazyLock<File> =
    LazyLock::new(|| File::new("text/javascript; charset=utf-8", compressed!("later.js")));
static STYLE: LazyLock<File> = LazyLock::new(|| File::new("text/css; charset=utf-8", compressed!("app.css")));

/// A file of the page.
struct File {
    content_type: &'static str,
    compressed: &'static [u8],
    /// Weak, because it stands for both forms.
    etag: String,
}

impl File {
    fn new(content_type: &'static str, compressed: &'static [u8]) -> Self {
        Self { content_type, compressed, etag: format!("W/\"{:x}\"", md5::compute(compressed)) }
    }

    /// The file itself, for the few clients that do not take gzip.
    fn decompressed(&self) -> Vec<u8> {
        let mut decoder = GzDecoder::new(Vec::new());
        decoder.write_all(self.compressed).expect(body::INTO_MEMORY);
        decoder.finish().expect(body::INTO_MEMORY)
    }

    fn answer(&self, request: &Request<State>) -> Response {
        let is_known = request
            .header("If-None-Match")
            .is_some_and(|values| values.iter().any(|list| has_tag(list.as_str(), &self.etag)));
        let mut response = Response::new(if is_known { StatusCode::NotModified } else { StatusCode::Ok });
        for (name, value) in HEADERS {
            response.insert_header(name, value);
        }
        response.insert_header("etag", self.etag.as_str());
        response.insert_header("vary", "Accept-Encoding");
        if is_known {
            return response;
        }
        if body::takes_gzip(request) {
            response.set_body(Body::from(self.compressed));
            response.insert_header("content-encoding", "gzip");
        } else {
            response.set_body(Body::from(self.decompressed()));
        }
        response.insert_header("content-type", self.content_type);
        response
    }
}

/// Whether a list of tags, as `If-None-Match` has it, has this tag among them (RFC 9110, section 13.1.2).
pub(super) fn has_tag(list: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    list.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

/// Adds the page's routes.
pub(super) fn add_routes(app: &mut tide::Server<State>) {
    for path in ["/ui/", "/ui/logs", "/ui/status"] {
        add(app, path, &INDEX);
    }
    add(app, "/ui/app.js", &SCRIPT);
    add(app, "/ui/later.js", &LATER_SCRIPT);
    add(app, "/ui/app.css", &STYLE);
    app.at("/ui").get(|_| async { Ok(redirect(StatusCode::PermanentRedirect)) });
}

fn add(app: &mut tide::Server<State>, path: &str, file: &'static LazyLock<File>) {
    app.at(path).get(move |request: Request<State>| async move { Ok(file.answer(&request)) });
}

/// Sends a browser from the directory above to the page.
pub(super) fn redirect(status: StatusCode) -> Response {
    let mut response = Response::new(status);
    response.insert_header("location", "ui/");
    response
}

/// Whether whoever asks is a browser that shows what it is answered.
pub(super) fn is_wanted(request: &Request<State>) -> bool {
    let mut accepted = request.header("Accept").into_iter().flatten().flat_map(|value| value.as_str().split(','));
    accepted.any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html")))
}
