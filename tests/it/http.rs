//! The HTTP server as a client on the wire sees it: good requests, hostile ones, and slow ones.
//!
//! What each route answers is tested beside the routes; here it is that everybody gets an answer or a closed connection.

use std::io::Read;
use std::time::{Duration, Instant};

use monitoring_rs::api::{self, QueryLimits, Settings};

use crate::support::{Answer, PATIENCE, Server, database};

/// A server with three lines under `/logs/path//var/log/a.log`.
fn server() -> Server {
    server_with(Settings::default())
}

fn server_with(settings: Settings) -> Server {
    Server::start(database("path", "/var/log/a.log", ["one", "two", "three"].map(Vec::from)), settings)
}

/// A server with so many lines under `/logs/app/x` that an answer fills every buffer on its way.
fn server_with_long_answer(settings: Settings) -> Server {
    Server::start(database("app", "x", long_lines().map(Vec::from)), settings)
}

fn long_lines() -> impl Iterator<Item = String> {
    (0..300_000).map(|number| format!("line {number:06} \"quoted\" \u{1b}[31mred {}", "x".repeat(number % 97)))
}

const LONG_REQUEST: &str = "GET /logs/app/x HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn lines_come_back_under_their_path() {
    let answer = server().get("/logs/path//var/log/a.log");
    assert_eq!((answer.status, answer.json()), (200, serde_json::json!(["one", "two", "three"])));
    assert!(answer.head.contains("content-type: application/json\r\n"), "{}", answer.head);
    assert!(answer.head.contains("x-content-type-options: nosniff\r\n"), "{}", answer.head);
}

#[test]
fn a_long_answer_is_streamed_whole() {
    let server = server_with_long_answer(Settings::default());
    let answer = server.get("/logs/app/x");
    assert!(answer.head.contains("transfer-encoding: chunked"), "{}", answer.head);
    let lines: Vec<String> = serde_json::from_slice(&answer.body).unwrap();
    assert!(lines.into_iter().eq(long_lines()), "every line, unchanged and in order");
}

#[test]
fn errors_are_json_with_their_status() {
    let answer = server().get("/logs/path/none");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json(), serde_json::json!({"error": "no stream has the label path=\"none\""}));
}

#[test]
fn head_is_get_without_a_body() {
    let server = server();
    let mut client = server.connect();
    for target in ["/logs/path//var/log/a.log", "/metrics"] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let answer = client.read_head().unwrap();
        assert!(answer.status == 200 && answer.head.contains("content-length: "), "{}", answer.head);
    }
}

#[test]
fn other_methods_are_told_which_are_answered() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let server = server();
        let mut client = server.connect();
        client.send(format!("{method} /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}"));
        let answer = client.read_answer().unwrap();
        assert_eq!(answer.status, 405, "method: {method}");
        assert!(answer.head.contains("allow: get, head\r\n"), "{}", answer.head);
    }
}

#[test]
fn where_entries_are_pushed_to_takes_post() {
    for method in ["GET", "PUT", "DELETE"] {
        let server = server();
        let mut client = server.connect();
        client.send(format!("{method} /loki/api/v1/push HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let answer = client.read_answer().unwrap();
        assert_eq!(answer.status, 405, "method: {method}");
        assert!(answer.head.contains("allow: post\r\n"), "{}", answer.head);
    }
}

#[track_caller]
fn check_host(host: &str, status: u16) {
    let settings = Settings { allowed_hosts: vec!["logs.example.com".to_owned()], ..Settings::default() };
    let server = server_with(settings);
    let mut client = server.connect();
    client.send(format!("GET /livez HTTP/1.1\r\n{host}\r\n"));
    let answer = client.read_answer().unwrap();
    assert_eq!(answer.status, status, "{host}");
    assert_eq!(answer.head.contains("connection: close"), status != 200, "{host}");
}

#[test]
fn only_hosts_that_are_this_machine_are_answered() {
    check_host("Host: 127.0.0.1:8000\r\n", 200);
    check_host("Host: logs.example.com\r\n", 200);
    check_host("Host: evil.example\r\n", 421);
    check_host("Host: \u{e4}\r\n", 421);
    check_host("", 400);
    check_host("Host: localhost\r\nHost: localhost\r\n", 400);
}

#[test]
fn pipelined_requests_are_all_answered_in_order() {
    let server = server();
    let mut client = server.connect();
    client.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
    let statuses = [(); 3].map(|()| client.read_answer().unwrap().status);
    assert_eq!(statuses, [200, 404, 200]);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = server_with_long_answer(Settings::default());
    let mut client = server.connect();
    client.send("GET /livez HTTP/1.0\r\n\r\n");
    let bytes = client.read_to_close();
    assert!(bytes.starts_with(b"HTTP/1.0 200 OK\r\n") && bytes.ends_with(b"ok\n"));

    let mut client = server.connect();
    client.send("GET /logs/app/x HTTP/1.0\r\n\r\n");
    let answer = client.read_answer().unwrap();
    assert!(!answer.head.contains("transfer-encoding"), "{}", answer.head);
    assert_eq!(answer.json().as_array().map(Vec::len), Some(300_000));
}

/// Sends `request`; the answer's status has to be `expected`, where 0 means that the connection is closed without one,
/// and another client has to be answered thereafter.
#[track_caller]
fn check_hostile(request: impl AsRef<[u8]>, expected: u16) {
    let server = server();
    let mut client = server.connect();
    client.send(&request);
    let status = client.read_head().map_or(0, |answer| answer.status);
    let shown: String = String::from_utf8_lossy(request.as_ref()).chars().take(200).collect();
    assert_eq!(status, expected, "request: {shown:?}");
    assert_eq!(server.get("/livez").status, 200);
}

/// As [`check_hostile`], and nothing that follows on the connection may be taken for another request.
#[track_caller]
fn check_refused(request: &str, expected: u16) {
    check_hostile(request, expected);
    let server = server();
    let mut client = server.connect();
    client.send(format!("{request}GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"));
    let answers = client.read_to_close();
    assert!(!answers.ends_with(b"ok\n"), "{}", String::from_utf8_lossy(&answers));
}

#[test]
fn ambiguous_lengths_are_refused() {
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\nab", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400);
}

#[test]
fn malformed_heads_are_refused() {
    check_refused("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n", 400);
    check_refused("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_refused("GET / HTTP/1.1\nHost: a\n\n", 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", 400);
    check_refused("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400);
    check_refused("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\r\n\r\n", 400);
    check_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0);
}

#[test]
fn odd_requests_get_an_answer() {
    check_hostile(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\n\r\n", 200);
    check_hostile("GET / HTTP/1.1\r\nHost: a\r\nX: \u{fc}\r\n\r\n", 200);
    check_hostile(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_hostile("GET /logs/path/\u{fc} HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    check_hostile("GET /logs/path/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_hostile("GET /logs/path/%e HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_hostile("GET //livez HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    check_hostile("GET ///evil/livez HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    check_hostile("GET http://localhost/livez HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    check_hostile("GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 421);
    check_hostile("GET /livez HTTP/1.1\r\nHost: localhost/../w\r\n\r\n", 421);
    check_hostile("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    check_hostile("CONNECT localhost:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405);
    check_hostile("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501);
    check_hostile("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 200);
}

#[test]
fn what_is_too_large_is_refused() {
    check_hostile(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(40_000)), 431);
    check_hostile(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(200)), 431);
    check_hostile(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(40_000)), 431);
    check_hostile(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(10 << 20)), 431);
    check_hostile(format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n{}", "x".repeat(99_999)), 413);
}

#[test]
fn who_sends_too_much_is_told_so_however_long_it_goes_on_sending() {
    let server = server();
    for length in [100_000, 20 << 20] {
        let mut client = server.connect();
        client.send(format!("POST /loki/api/v1/query HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        // Until the last byte the system may have the connection reset, and with it the answer thrown away.
        for _ in 0..length / 1000 {
            client.send("x".repeat(1000));
        }
        assert_eq!(client.read_answer().map(|answer| answer.status), Some(413), "{length} bytes");
    }
}

#[test]
fn pages_of_other_sites_may_not_change_anything() {
    let settings = Settings { allowed_hosts: vec!["logs.example.com".to_owned()], ..Settings::default() };
    let server = server_with(settings);
    let check = |target: &str, headers: &str, expected: u16| {
        let mut client = server.connect();
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a:8000\r\nContent-Length: 0\r\n{headers}\r\n"));
        assert_eq!(client.read_answer().unwrap().status, expected, "{target} {headers:?}");
    };
    let push = "/loki/api/v1/push";
    // Nothing is sent, which is refused as that.
    check(push, "", 415);
    check(push, "Origin: http://a:8000\r\nSec-Fetch-Site: same-origin\r\n", 415);
    check(push, "Origin: https://logs.example.com\r\nSec-Fetch-Site: same-site\r\n", 415);
    check(push, "Sec-Fetch-Site: none\r\n", 415);
    for refused in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        check(push, refused, 403);
        check("http://a:8000/loki/api/v1/push", refused, 403);
    }
    check("http://localhost/loki/api/v1/push", "Origin: http://a:8000\r\n", 403);
    check("http://localhost/loki/api/v1/push", "Origin: http://localhost\r\n", 415);
}

fn impatient() -> Settings {
    let [short, long] = [200, 600].map(Duration::from_millis);
    Settings { head_timeout: short, idle_timeout: long, write_timeout: short, ..Settings::default() }
}

/// Sends `bytes`; the connection has to be closed no sooner than `at_least`.
#[track_caller]
fn check_closed(bytes: &str, at_least: Duration) -> Vec<u8> {
    let server = server_with(impatient());
    let mut client = server.connect();
    let started = Instant::now();
    client.send(bytes);
    let answer = client.read_to_close();
    assert!(at_least <= started.elapsed(), "closed after {:?}", started.elapsed());
    answer
}

#[test]
fn a_head_that_does_not_come_is_waited_for_no_longer_than_the_head_timeout() {
    check_closed("", impatient().head_timeout);
    check_closed("GET / HTTP/1.1\r\nHost:", impatient().head_timeout);
}

#[test]
fn a_body_that_does_not_come_is_answered_with_408() {
    let answer = check_closed("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", impatient().head_timeout);
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn an_idle_connection_stays_open_for_the_idle_timeout() {
    let answer = check_closed("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", impatient().idle_timeout);
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn a_second_head_is_waited_for_no_longer_than_the_head_timeout() {
    let server = server_with(Settings { idle_timeout: Duration::from_mins(1), ..impatient() });
    let mut client = server.connect();
    client.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_answer().unwrap().status, 200);
    client.send("GET /li");
    client.read_to_close();
}

/// A client that does not read its answer keeps a server that is told to stop from it for no longer than its settings say.
#[track_caller]
fn check_cut_off(settings: Settings) {
    let server = server_with_long_answer(settings);
    let mut client = server.connect();
    client.send(LONG_REQUEST);
    assert_eq!(client.read_head().unwrap().status, 200);
    let started = Instant::now();
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(20), "the server waited for {:?}", started.elapsed());
    assert!(!client.read_to_close().ends_with(b"0\r\n\r\n"), "the answer is not ended");
}

#[test]
fn a_client_that_does_not_read_is_cut_off_after_the_write_timeout() {
    check_cut_off(Settings { drain_timeout: Duration::from_mins(1), ..impatient() });
}

/// The last bytes of a long answer that is taken at a few MiB per second, where so many are the least.
fn end_of_slow_answer(write_bytes_per_second_min: u64) -> Vec<u8> {
    let write_timeout = Duration::from_secs(1);
    let server = server_with_long_answer(Settings { write_timeout, write_bytes_per_second_min, ..Settings::default() });
    let mut client = server.connect();
    client.send(LONG_REQUEST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    let answer = client.read_slowly(64 << 10, Duration::from_millis(20));
    answer[answer.len().saturating_sub(5)..].to_vec()
}

#[test]
fn a_client_that_takes_too_little_is_cut_off_and_one_that_takes_enough_is_not() {
    assert_ne!(end_of_slow_answer(1 << 40), b"0\r\n\r\n", "an answer is not sent for ever");
    assert_eq!(end_of_slow_answer(32 << 10), b"0\r\n\r\n", "a slow client gets the whole answer");
}

#[test]
fn a_client_that_does_not_read_is_cut_off_after_the_drain_timeout() {
    check_cut_off(Settings { drain_timeout: Duration::from_millis(100), ..Settings::default() });
}

#[test]
fn a_hundred_idle_clients_do_not_keep_another_waiting() {
    let server = server();
    let idle: Vec<_> = (0..100).map(|_| server.connect()).collect();
    assert_eq!(server.get("/livez").status, 200);
    drop(idle);
}

#[test]
fn connections_on_which_nothing_is_asked_for_make_room() {
    let server = server_with(Settings { connections_max: 20, ..Settings::default() });
    let mut kept = server.connect();
    kept.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(kept.read_answer().unwrap().status, 200);
    let started = Instant::now();
    let idle: Vec<_> = (0..50)
        .map(|number| {
            let mut client = server.connect();
            // Some have begun to ask.
            client.send(["", "GET /li"][number % 2]);
            assert_eq!(server.get("/livez").status, 200);
            client
        })
        .collect();
    assert!(started.elapsed() < Settings::default().head_timeout, "others were waited for: {:?}", started.elapsed());
    assert!(kept.read_to_close().is_empty(), "the one that was idle longest is closed");
    drop(idle);
}

#[test]
fn connections_that_are_busy_are_not_closed_for_others() {
    let settings = Settings { connections_max: 3, connections_per_origin_max: 2, ..Settings::default() };
    let server = server_with_long_answer(settings);
    let mut busy = [(); 2].map(|()| {
        let mut client = server.connect();
        client.send(LONG_REQUEST);
        client
    });
    let heads = busy.each_mut().map(|client| client.read_head().unwrap());
    let mut other = server.connect();
    assert!(other.read_to_close().is_empty(), "the address has its share");
    for (client, head) in busy.iter_mut().zip(heads) {
        assert_eq!(client.read_body(head).expect("the whole answer").json().as_array().map(Vec::len), Some(300_000));
    }
    // Now that they are idle, one of them makes room.
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn clients_that_read_slowly_take_a_bounded_part_of_memory() {
    let database = database("app", "x", long_lines().map(Vec::from));
    let limits = QueryLimits { sending_bytes_max: 2 << 20, ..QueryLimits::default() };
    let server = Server::start_limited(database, Settings::default(), limits);
    let mut statuses = Vec::new();
    let slow: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send(LONG_REQUEST.replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n"));
            let answer = client.read_head().unwrap();
            statuses.push((answer.status, answer.head.contains("content-encoding: gzip")));
            client
        })
        .collect();
    assert!(statuses[0] == (200, true) && statuses.contains(&(200, false)), "{statuses:?}");
    assert!(statuses.contains(&(429, false)) || statuses.contains(&(429, true)), "{statuses:?}");
    drop(slow);
    let start = Instant::now();
    while server.get("/logs/app/x").status != 200 {
        assert!(start.elapsed() < PATIENCE, "what they took is given back");
    }
}

#[test]
fn an_open_answer_is_sent_to_its_end_before_the_server_stops() {
    let mut server = server_with_long_answer(Settings { drain_timeout: Duration::from_mins(1), ..Settings::default() });
    let mut client = server.connect();
    client.send(LONG_REQUEST);
    let head = client.read_head().unwrap();
    let stopped = server.signal_stop();
    let answer = client.read_body(head).expect("the whole answer");
    assert_eq!(answer.json().as_array().map(Vec::len), Some(300_000));
    stopped.join().unwrap();
    assert!(std::net::TcpStream::connect(server.address).is_err(), "nobody listens any more");
}

#[track_caller]
fn check_bind(address: &str, advice: &str) {
    let error = async_std::task::block_on(api::bind(address)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("failed to listen on {address}: ")) && error.ends_with(advice), "{error}");
}

#[test]
fn an_address_that_cannot_be_bound_is_named_with_the_fix() {
    let server = server();
    check_bind(
        &server.address.to_string(),
        "stop the other process, or choose another port with --listen (:0 takes a free one)",
    );
    check_bind("192.0.2.1:0", "this machine has no such address; choose one that it has with --listen");
    check_bind("8000", "give --listen an address and a port, such as 127.0.0.1:8000");
}

/// The answer to a GET by a client that takes `codings`.
fn get_as(server: &Server, target: &str, codings: &str) -> Answer {
    let mut client = server.connect();
    client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {codings}\r\n\r\n"));
    client.read_answer().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test's own server decides how much there is")]
fn inflated(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn those_who_ask_for_gzip_get_it_where_it_pays() {
    let server = server_with_long_answer(Settings::default());
    let plain = server.get("/logs/app/x");
    assert!(!plain.head.contains("content-encoding"), "{}", plain.head);
    let compressed = get_as(&server, "/logs/app/x", "deflate, gzip;q=0.5");
    assert!(compressed.head.contains("content-encoding: gzip\r\n"), "{}", compressed.head);
    assert!(compressed.head.contains("vary: accept-encoding\r\n"), "{}", compressed.head);
    assert!(compressed.head.contains("content-type: application/json\r\n"), "{}", compressed.head);
    assert!(compressed.body.len() < plain.body.len() / 4);
    assert!(inflated(&compressed) == plain.body, "the same, once it is inflated");
    for codings in ["br", "gzip;q=0", "identity, gzipped"] {
        let answer = get_as(&server, "/logs/app/x?limit=3000", codings);
        assert!(!answer.head.contains("content-encoding"), "{codings}: {}", answer.head);
    }
    for (target, has_length) in [
        ("/metrics", true),
        ("/logs/app/x?limit=100", true),
        ("/loki/api/v1/query_range?query=%7Bapp=%22x%22%7D&start=0&end=1&limit=1000", false),
    ] {
        let answer = get_as(&server, target, "GZIP");
        assert!(answer.head.contains("content-encoding: gzip\r\n"), "{target}: {}", answer.head);
        assert_eq!(answer.head.contains("content-length: "), has_length, "{target}: {}", answer.head);
        assert!(1000 < inflated(&answer).len(), "{target}");
    }
    let short = get_as(&server, "/livez", "gzip");
    assert!(!short.head.contains("content-encoding"), "{}", short.head);
}

/// A query that would take very long.
const SLOW_QUERY: &str = "/loki/api/v1/query?time=1&query=sum(count_over_time(%7Bapp=%22x%22%7D%20%7C%20line_format%20\
                          %22%7B%7Brepeat%20200%20__line__%7D%7D%22%20%7C%3D%20%22xy%22%5B1h%5D))";

#[test]
fn a_client_that_goes_away_ends_its_query_and_makes_room() {
    let limits = QueryLimits { at_once_max: 1, queue_time_max: Duration::from_millis(10), ..QueryLimits::default() };
    let database = database("app", "x", long_lines().map(Vec::from));
    let server = Server::start_limited(database, Settings::default(), limits);
    let status = || server.get("/loki/api/v1/query?time=1&query=vector(1)").status;
    let begun = Instant::now();
    let mut client = server.connect();
    client.send(format!("GET {SLOW_QUERY} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    while status() != 429 {
        assert!(begun.elapsed() < PATIENCE, "the slow query takes the only turn");
    }
    drop(client);
    while status() != 200 {
        assert!(begun.elapsed() < PATIENCE, "the turn is free long before the slow query would have ended");
    }
}
