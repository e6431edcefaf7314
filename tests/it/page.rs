//! The page: its files, their headers, and how a browser finds it.

use monitoring_rs::api::Settings;

use crate::support::{Answer, Server, database, decompressed};

/// The files by their paths, as they are in the repository.
const FILES: [(&str, &[u8], &str); 4] = [
    ("/ui/", include_bytes!("../../ui/dist/index.html"), "text/html; charset=utf-8"),
    ("/ui/app.js", include_bytes!("../../ui/dist/app.js"), "text/javascript; charset=utf-8"),
    ("/ui/later.js", include_bytes!("../../ui/dist/later.js"), "text/javascript; charset=utf-8"),
    ("/ui/app.css", include_bytes!("../../ui/dist/app.css"), "text/css; charset=utf-8"),
];

fn server() -> Server {
    Server::start(database("app", "x", []), Settings::default())
}

fn get(server: &Server, target: &str, headers: &str) -> Answer {
    let mut client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"));
    client.read_answer().expect("a good request is answered")
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let line = answer.head.lines().find(|line| line.starts_with(&format!("{name}: ")));
    line.map_or("", |line| &line[name.len() + 2..])
}

#[test]
fn the_files_are_served_as_they_are() {
    let server = server();
    for (path, bytes, kind) in FILES {
        let answer = get(&server, path, "");
        assert_eq!((answer.status, header(&answer, "content-type")), (200, kind), "{path}");
        assert!(answer.body == bytes, "{path}");
        let compressed = get(&server, path, "Accept-Encoding: gzip\r\n");
        assert_eq!(header(&compressed, "content-encoding"), "gzip", "{path}");
        assert!(decompressed(&compressed.body) == bytes, "{path}");
        assert_eq!(header(&answer, "vary"), "accept-encoding", "{path}");
    }
    for path in ["/ui/logs", "/ui/status"] {
        assert!(get(&server, path, "").body == FILES[0].1, "{path}");
    }
}

#[test]
fn a_browser_that_has_a_file_is_not_sent_it_again() {
    let server = server();
    for (path, ..) in FILES {
        let answer = get(&server, path, "");
        assert_eq!(header(&answer, "cache-control"), "no-cache", "{path}");
        let etag = header(&answer, "etag");
        assert!(etag.starts_with("w/\""), "{path}: {}", answer.head);
        for given in [etag.replace("w/", "W/"), format!("\"x\", {}", etag.replace("w/", "W/")), "*".to_owned()] {
            let again = get(&server, path, &format!("If-None-Match: {given}\r\nAccept-Encoding: gzip\r\n"));
            assert_eq!((again.status, again.body.len(), header(&again, "etag")), (304, 0, etag), "{path}: {given}");
            assert_eq!(header(&again, "cache-control"), "no-cache", "{path}");
        }
        assert_eq!(get(&server, path, "If-None-Match: \"other\"\r\n").status, 200, "{path}");
    }
    assert_eq!(header(&get(&server, "/status", ""), "cache-control"), "no-store");
}

#[test]
fn the_page_may_load_nothing_from_elsewhere_and_makes_no_markup_of_text() {
    let server = server();
    let answer = get(&server, "/ui/", "");
    let policy = header(&answer, "content-security-policy");
    for directive in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.split("; ").any(|given| given == directive), "{directive}: {policy}");
    }
    assert_eq!(answer.head.matches("content-security-policy: ").count(), 1);
    assert_eq!(header(&answer, "cross-origin-opener-policy"), "same-origin");
    assert_eq!(header(&answer, "cross-origin-resource-policy"), "same-origin");
    assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert!(header(&answer, "permissions-policy").ends_with("clipboard-write=(self)"));
    let api = get(&server, "/livez", "");
    assert!(!header(&api, "content-security-policy").contains("trusted-types"), "{}", api.head);
}

#[test]
fn a_browser_is_sent_to_the_page_and_others_are_told_what_there_is() {
    let server = server();
    let browser = get(&server, "/", "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n");
    assert_eq!((browser.status, header(&browser, "location")), (303, "ui/"));
    for accept in ["", "Accept: */*\r\n", "Accept: application/json\r\n"] {
        let answer = get(&server, "/", accept);
        assert_eq!(answer.status, 200);
        assert!(answer.body.starts_with(b"monitoring-rs: "), "{accept}");
        assert_eq!(header(&answer, "vary"), "accept");
    }
    assert_eq!(header(&browser, "vary"), "accept");
    let above = get(&server, "/ui", "");
    assert_eq!((above.status, header(&above, "location")), (308, "ui/"));
}

#[test]
fn there_is_nothing_else_below_the_page() {
    let server = server();
    for path in ["/ui/index.html", "/ui/logs/", "/ui/x", "/ui/app.js/", "/ui/../status", "/ui/app.js.map", "/ui//"] {
        assert_eq!(get(&server, path, "").status, 404, "{path}");
    }
    let mut client = server.connect();
    client.send("POST /ui/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.read_answer().expect("it is answered").status, 405);
}
