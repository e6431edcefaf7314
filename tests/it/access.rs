//! Who is let in: each route by each kind of credentials, and what those see who may see some streams alone.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests write the files of credentials and read the sources of routes"
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_tungstenite::tungstenite::client::IntoClientRequest as _;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Message, client};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use monitoring_rs::access::{Access, Files};
use monitoring_rs::api::{Entrance, Settings};
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::model::{Batch, Labels, Lines, StreamLines, Timestamp};
use monitoring_rs::status::{ActiveAlert, AlertRule, RuleGroup, RuleState};

use crate::support::{self, Answer, PATIENCE, Server, encoded};

const TOKENS: &str = "\
reader  0000000000000000000000000000read  read
pusher  0000000000000000000000000000push  push
chief   000000000000000000000000000chief  read,push,admin
shop    0000000000000000000000000000shop  read,push  {app=\"shop\"}
";
/// Of the password `secret`, with the cost 4.
const USERS: &str = "alice:$2b$04$Pu7FOY8mRagDSBrPzrK.U.mmCXDWalgrmP/CHQmENivZY9Pfb0ARu:read,admin\n";

/// What only streams have that the token `shop` may not see, in lines, labels and fields.
const HIDDEN: [&str; 3] = ["zq7hidden", "zq7label", "zq7field"];

const READER: &str = "Authorization: Bearer 0000000000000000000000000000read\r\n";
const PUSHER: &str = "Authorization: Bearer 0000000000000000000000000000push\r\n";
const CHIEF: &str = "Authorization: Bearer 000000000000000000000000000chief\r\n";
const SHOP: &str = "Authorization: Bearer 0000000000000000000000000000shop\r\n";
const WRONG: &str = "Authorization: Bearer 000000000000000000000000000wrong\r\n";

/// Three streams: one of the shop, and two of others.
fn database() -> Database {
    let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
    let stream = |labels: &[(&str, &str)], lines: &[String]| {
        let mut stream = StreamLines { labels: Labels::new(labels.iter().copied()).unwrap(), lines: Lines::default() };
        for (number, line) in (0..).zip(lines) {
            stream.lines.push(Timestamp::from_ns(1_790_000_000_000_000_000 + number * 1_000_000_000), line.as_bytes());
        }
        stream
    };
    let shop: Vec<String> = (0..20).map(|n| format!(r#"{{"level":"info","msg":"sold {n}","price":{n}}}"#)).collect();
    let other: Vec<String> =
        (0..30).map(|n| format!(r#"{{"level":"error","msg":"zq7hidden {n}","zq7field":"zq7hidden"}}"#)).collect();
    let streams = vec![
        stream(&[("app", "shop"), ("namespace", "web")], &shop),
        stream(&[("app", "zq7label"), ("namespace", "web")], &other),
        stream(&[("app", "zq7label2"), ("zq7label", "x")], &other),
    ];
    database.append(Batch { checkpoint: None, streams }).unwrap();
    database.commit().unwrap();
    database
}

/// A server that asks who it is, and the directory of its files.
fn server(database: Database) -> (tempfile::TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Some(path)
    };
    let access = Access::new(Files { tokens: write("tokens", TOKENS), users: write("users", USERS) }).unwrap();
    let server = Server::start_for(database, Settings::default(), Entrance::new(access));
    server.status.set_rules(vec![rules()]);
    (directory, server)
}

/// Rules that have found something in a stream of others.
fn rules() -> RuleGroup {
    let labels = vec![("app".to_owned(), "zq7label".to_owned())];
    let alert = ActiveAlert { labels: labels.clone(), is_firing: true, ..ActiveAlert::default() };
    let name = "zq7hidden".to_owned();
    let query = "count_over_time({app=\"zq7label\"}[5m]) > 0".to_owned();
    let alerting = Some(AlertRule::default());
    let firing = RuleState { name, query, alerting, alerts: vec![alert], ..RuleState::default() };
    let recorded = RuleState { name: "found".to_owned(), samples: vec![(labels, 1.0)], ..RuleState::default() };
    RuleGroup { name: "zq7hidden".to_owned(), rules: vec![firing, recorded], ..RuleGroup::default() }
}

/// The answer to one request with these headers, each with the end of its line.
fn ask(server: &Server, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut client = server.connect();
    let length = body.len();
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ));
    if method == "HEAD" { client.read_head() } else { client.read_answer() }.expect("each request is answered")
}

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Everybody,
    Readers,
    /// Readers of all streams.
    ReadersOfAll,
    Pushers,
}

/// Each route as the sources have it, a target of it, and for whom it is.
const ROUTES: [(&str, &str, For); 42] = [
    ("/", "/", For::Readers),
    ("/api/v1/follow", "/api/v1/follow", For::Readers),
    ("/api/v1/lines", "/api/v1/lines", For::Readers),
    ("/api/v1/streams", "/api/v1/streams", For::Readers),
    ("/login", "/login", For::Everybody),
    ("/login.css", "/login.css", For::Everybody),
    ("/logout", "/logout", For::Everybody),
    ("/logs/:key/*value", "/logs/app/shop", For::Readers),
    ("/loki/api/v1/detected_field/:name/values", "/loki/api/v1/detected_field/x/values", For::Readers),
    ("/loki/api/v1/detected_fields", "/loki/api/v1/detected_fields", For::Readers),
    ("/loki/api/v1/detected_labels", "/loki/api/v1/detected_labels", For::Readers),
    ("/loki/api/v1/drilldown-limits", "/loki/api/v1/drilldown-limits", For::Readers),
    ("/loki/api/v1/format_query", "/loki/api/v1/format_query", For::Readers),
    ("/loki/api/v1/index/stats", "/loki/api/v1/index/stats", For::Readers),
    ("/loki/api/v1/index/volume", "/loki/api/v1/index/volume", For::Readers),
    ("/loki/api/v1/index/volume_range", "/loki/api/v1/index/volume_range", For::Readers),
    ("/loki/api/v1/label", "/loki/api/v1/label", For::Readers),
    ("/loki/api/v1/label/:name/values", "/loki/api/v1/label/app/values", For::Readers),
    ("/loki/api/v1/labels", "/loki/api/v1/labels", For::Readers),
    ("/loki/api/v1/patterns", "/loki/api/v1/patterns", For::Readers),
    ("/loki/api/v1/push", "/loki/api/v1/push", For::Pushers),
    ("/loki/api/v1/query", "/loki/api/v1/query", For::Readers),
    ("/loki/api/v1/query_range", "/loki/api/v1/query_range", For::Readers),
    ("/loki/api/v1/rules", "/loki/api/v1/rules", For::Readers),
    ("/loki/api/v1/series", "/loki/api/v1/series", For::Readers),
    ("/loki/api/v1/status/buildinfo", "/loki/api/v1/status/buildinfo", For::Readers),
    ("/loki/api/v1/tail", "/loki/api/v1/tail", For::Readers),
    ("/livez", "/livez", For::Everybody),
    ("/-/healthy", "/-/healthy", For::Everybody),
    ("/-/ready", "/-/ready", For::Everybody),
    ("/health", "/health", For::Everybody),
    ("/ready", "/ready", For::Everybody),
    ("/readyz", "/readyz?verbose", For::Everybody),
    ("/metrics", "/metrics", For::ReadersOfAll),
    ("/prometheus/api/v1/alerts", "/prometheus/api/v1/alerts", For::Readers),
    ("/prometheus/api/v1/rules", "/prometheus/api/v1/rules", For::Readers),
    ("/status", "/status", For::Readers),
    ("/ui", "/ui", For::Readers),
    ("/ui/", "/ui/", For::Readers),
    ("/ui/app.css", "/ui/app.css", For::Readers),
    ("/ui/app.js", "/ui/app.js", For::Readers),
    ("/ui/later.js", "/ui/later.js", For::Readers),
];

/// The routes that the sources name.
fn routes_in(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            routes_in(&path, found);
            continue;
        }
        if path.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let is_route_line = |line: &&str| {
            [
                "app.at(\"",
                "add_query(app, \"",
                "add(app, \"",
                "const LIVE: ",
                "const READY: ",
                "for path in [\"",
                "PUSH_PATH: &str",
            ]
            .iter()
            .any(|mark| line.contains(mark))
        };
        for line in text.lines().filter(is_route_line) {
            found.extend(line.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')).map(str::to_owned));
        }
    }
}

#[test]
fn each_route_there_is_has_a_row() {
    let mut found = BTreeSet::new();
    routes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api"), &mut found);
    // The page at other addresses.
    found.retain(|route| !["/ui/logs", "/ui/status"].contains(&route.as_str()));
    let rows: BTreeSet<String> = ROUTES.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(found, rows);
}

#[test]
fn each_route_is_for_those_it_is_for() {
    let (_directory, server) = server(database());
    // Wrong credentials are answered for some minutes alone; each route is tried by a client that was never wrong.
    let alice = format!("Authorization: Basic {}\r\n", STANDARD.encode("alice:secret"));
    for (route, target, whom) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            if (method, route) == ("POST", "/login") {
                // Where everybody is asked for a password.
                continue;
            }
            let status = |headers: &str| ask(&server, method, target, headers, "").status;
            let is_in = |headers: &str| !matches!(status(headers), 401 | 403 | 429);
            let expected = |may: bool| (method, route, may);
            let everybody = whom == For::Everybody;
            let reads = everybody || whom != For::Pushers;
            assert_eq!((method, route, is_in("")), expected(everybody), "without credentials");
            assert_eq!((method, route, is_in(READER)), expected(reads), "who may read");
            assert_eq!((method, route, is_in(&alice)), expected(reads), "a person who may read");
            assert_eq!((method, route, is_in(PUSHER)), expected(everybody || whom == For::Pushers), "who may push");
            assert_eq!((method, route, is_in(CHIEF)), expected(true), "who may do everything");
            assert_eq!((method, route, is_in(SHOP)), expected(whom != For::ReadersOfAll), "who sees some streams");
        }
    }
}

#[test]
fn wrong_credentials_are_refused_counted_and_held_up() {
    let (_directory, server) = server(database());
    for (number, expected) in (1..=12).map(|number| (number, if number <= 10 { 401 } else { 429 })) {
        let answer = ask(&server, "GET", "/loki/api/v1/labels", WRONG, "");
        assert_eq!((number, answer.status), (number, expected));
        assert_eq!(answer.head.contains("retry-after: "), expected == 429);
        assert_eq!(answer.head.contains("www-authenticate: basic"), expected == 401);
    }
    assert_eq!(server.status.access_failures.get(), 12);
    // A browser's own requests bring up no window that asks for a password.
    let answer = ask(&server, "GET", "/loki/api/v1/labels", "Sec-Fetch-Mode: cors\r\n", "");
    assert_eq!((answer.status, answer.head.contains("basic")), (401, false));
    // Who is right is let in from the same address.
    assert_eq!(ask(&server, "GET", "/loki/api/v1/labels", READER, "").status, 200);
    let text = String::from_utf8(ask(&server, "GET", "/metrics", READER, "").body).unwrap();
    assert!(text.contains("monitoring_auth_failures_total 12\n"), "{text}");
}

/// The session that alice has after she has logged in. The head that tests see is in lower case, so it is read as it came.
fn session(server: &Server) -> String {
    let mut client = server.connect();
    let body = "name=alice&password=secret";
    let length = body.len();
    client.send(format!(
        "POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let answer = String::from_utf8(client.read_to_close()).unwrap();
    let line = answer.lines().find(|line| line.starts_with("set-cookie: ")).expect("a session begins");
    let (shown, attributes) = line.split_once('=').and_then(|(_, rest)| rest.split_once(';')).unwrap();
    assert_eq!(attributes, " Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    shown.to_owned()
}

#[test]
fn people_log_in_and_out() {
    let (_directory, server) = server(database());
    let html = "Accept: text/html\r\n";
    let answer = ask(&server, "GET", "/ui/logs?q=a%20b", html, "");
    assert_eq!(answer.status, 303);
    assert!(answer.head.contains("location: ../login?next=/ui/logs%3fq%3da%2520b\r\n"), "{}", answer.head);
    let form = ask(&server, "GET", "/login?next=/ui/logs%3Fq=%22%3E%3Cscript%3E", "", "");
    let text = String::from_utf8(form.body).unwrap();
    assert!(text.contains("value=\"/ui/logs?q=&quot;&gt;&lt;script&gt;\""), "{text}");
    assert!(form.head.contains("form-action 'self'"), "{}", form.head);

    let wrong = ask(&server, "POST", "/login", "", "name=alice&password=wrong&next=/ui/logs");
    assert_eq!((wrong.status, wrong.head.contains("set-cookie")), (401, false));
    let of_another_site = "Origin: http://evil.example\r\n";
    assert_eq!(ask(&server, "POST", "/login", of_another_site, "name=alice&password=secret").status, 403);
    for (next, location) in [
        ("/ui/logs?q=1", "ui/logs?q=1"),
        ("", "ui/"),
        ("//evil.example/ui/", "ui/"),
        ("/https://evil.example", "ui/"),
        ("https://evil.example/ui/", "ui/"),
        ("/ui/%0d%0aset-cookie:x=1", "ui/"),
        ("/ui/%c3%a4", "ui/"),
    ] {
        let answer = ask(&server, "POST", "/login", "", &format!("name=alice&password=secret&next={next}"));
        assert_eq!(answer.status, 303);
        assert!(answer.head.contains(&format!("location: {location}\r\n")), "{next}: {}", answer.head);
    }
    let shown = session(&server);
    let cookie = format!("Cookie: other=1; monitoring_session={shown}\r\n");
    assert_eq!(ask(&server, "GET", "/ui/", &cookie, "").status, 200);
    let status = ask(&server, "GET", "/status", &cookie, "").json();
    assert_eq!(status["root"], "/var/log");
    // What changes something is for the own page alone, whatever the browser sends along.
    assert_eq!(ask(&server, "POST", "/logout", &format!("{cookie}{of_another_site}"), "").status, 403);
    let answer = ask(&server, "POST", "/logout", &cookie, "");
    assert!(answer.head.contains("max-age=0"), "{}", answer.head);
    assert_eq!(ask(&server, "GET", "/status", &cookie, "").status, 401);
}

#[test]
fn what_the_agent_says_of_itself_is_for_admins() {
    let (_directory, server) = server(database());
    let status = |headers: &str| ask(&server, "GET", "/status?sources=1", headers, "").json();
    let all = status(CHIEF);
    assert_eq!((&all["root"], all["sources"].is_array(), &all["streams"]), (&"/var/log".into(), true, &3.into()));
    assert_eq!(all["caller"], "chief");
    let reader = status(READER);
    assert_eq!((&reader["root"], reader.get("sources"), &reader["streams"]), (&"".into(), None, &3.into()));
    let shop = status(SHOP);
    assert_eq!((&shop["root"], shop.get("sources"), &shop["streams"]), (&"".into(), None, &1.into()));
    let verbose = |headers: &str| ask(&server, "GET", "/readyz?verbose", headers, "").body;
    assert!(verbose(CHIEF).len() > verbose("").len() && verbose(READER) == verbose(""));
}

#[test]
fn what_rules_have_found_is_for_those_who_see_all_streams() {
    let (_directory, server) = server(database());
    let text = |target: &str, headers: &str| {
        let answer = ask(&server, "GET", target, headers, "");
        assert_eq!(answer.status, 200, "{target}");
        String::from_utf8(answer.body).unwrap()
    };
    for target in ["/loki/api/v1/rules", "/prometheus/api/v1/rules", "/prometheus/api/v1/alerts"] {
        assert!(text(target, READER).contains("zq7"), "{target}");
        let seen = text(target, SHOP);
        assert!(!seen.contains("zq7"), "{target}: {seen}");
    }
}

#[test]
fn pushes_go_where_they_may() {
    let (_directory, server) = server(database());
    let push = |app: &str, headers: &str| {
        let body = format!(r#"{{"streams":[{{"stream":{{"app":"{app}"}},"values":[["1790000000000000001","x"]]}}]}}"#);
        let headers = format!("{headers}Content-Type: application/json\r\n");
        ask(&server, "POST", "/loki/api/v1/push", &headers, &body).status
    };
    assert_eq!([push("shop", SHOP), push("other", SHOP), push("other", PUSHER)], [204, 403, 204]);
    assert_eq!([push("shop", READER), push("shop", "")], [403, 401]);
    // Whatever becomes of the path on its way to the route.
    for target in ["/loki/api/v1/pus%68", "/loki/api/v1/push/", "/loki/api/v1//push", "/loki/api/v1/x/../push"] {
        let answer = ask(&server, "POST", target, &format!("{READER}Content-Type: application/json\r\n"), "{}");
        assert!(![200, 204].contains(&answer.status), "{target}: {}", answer.status);
    }
}

/// What a WebSocket brings up to the line `last`.
fn received(server: &Server, target: &str, database: &Database, last: &str) -> String {
    let mut request = format!("ws://{}{}", server.address, encoded(target)).into_client_request().unwrap();
    let token = SHOP.trim_end().strip_prefix("Authorization: ").unwrap();
    request.headers_mut().insert("Authorization", token.parse().unwrap());
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut socket, _) = client(request, stream).unwrap();
    let mut all = String::new();
    let mut has_begun = false;
    while !all.contains(last) {
        if let Message::Text(text) = socket.read().unwrap() {
            all.push_str(&text);
        }
        if !std::mem::replace(&mut has_begun, true) {
            // Two streams in one batch, and one alone.
            let line = |app: &str, text: &str| {
                let mut lines = Lines::default();
                lines.push(Timestamp::from_ns(1_790_000_000_000_000_100), text.as_bytes());
                StreamLines { labels: Labels::new([("app", app)]).unwrap(), lines }
            };
            let streams = vec![line("zq7label", "zq7hidden new"), line("shop", "new")];
            database.append(Batch { checkpoint: None, streams }).unwrap();
            database.append(Batch { checkpoint: None, streams: vec![line("zq7label", "zq7hidden newer")] }).unwrap();
            database.append(Batch { checkpoint: None, streams: vec![line("shop", last)] }).unwrap();
        }
    }
    all
}

#[test]
fn live_tails_bring_nothing_of_others() {
    let database = database();
    let (_directory, server) = server(database.clone());
    for (number, target) in [
        "/loki/api/v1/tail?query={app=~\".+\"}&limit=5000&start=1780000000000000000",
        "/api/v1/follow?query={app=~\".+\"}&last=100",
    ]
    .into_iter()
    .enumerate()
    {
        let all = received(&server, target, &database, &format!("the last of {number}"));
        assert!(all.contains("sold 19") && all.contains("new"), "{all}");
        assert!(HIDDEN.iter().all(|hidden| !all.contains(hidden)), "{all}");
    }
}

#[test]
fn a_tail_ends_with_the_session_it_was_asked_for_in() {
    let database = database();
    let (_directory, server) = server(database.clone());
    for target in ["/loki/api/v1/tail?query={app=\"shop\"}", "/api/v1/follow?query={app=\"shop\"}"] {
        let cookies = [session(&server), session(&server)].map(|shown| format!("monitoring_session={shown}"));
        let [mut ended, mut other] = cookies.each_ref().map(|cookie| {
            let mut request = format!("ws://{}{}", server.address, encoded(target)).into_client_request().unwrap();
            request.headers_mut().insert("Cookie", cookie.parse().unwrap());
            let stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            client(request, stream).unwrap().0
        });
        let log_out = format!("Cookie: {}\r\n", cookies[0]);
        assert!(ask(&server, "POST", "/logout", &log_out, "").status < 400);
        let begun = Instant::now();
        let close = loop {
            assert!(begun.elapsed() < PATIENCE, "{target} goes on");
            if let Message::Close(close) = support::next_message(&mut ended) {
                break close.unwrap();
            }
        };
        assert_eq!(close.code, CloseCode::Policy);
        assert!(close.reason.contains("say again who you are"), "{}", close.reason);
        // The other one has been asked as well by then, and goes on.
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(1_790_000_000_000_000_200), target.as_bytes());
        let stream = StreamLines { labels: Labels::new([("app", "shop")]).unwrap(), lines };
        database.append(Batch { checkpoint: None, streams: vec![stream] }).unwrap();
        while !support::next_message(&mut other).to_text().unwrap().contains(&target[..14]) {}
    }
}

/// A generator of numbers, by Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below")
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }

    /// A request that asks for what it may not have.
    fn target(&mut self) -> String {
        let selectors = [
            r#"{app="shop"}"#,
            r#"{app=~".+"}"#,
            r#"{app=~"z.*"}"#,
            r#"{namespace="web"}"#,
            r#"{zq=~".*"}"#,
            r#"{service_name=~".+"}"#,
            r#"{app!="shop"}"#,
        ];
        let pipelines =
            ["", r#" |= "a""#, " | json", r#" | json | msg=~".*""#, r#" | line_format "{{.msg}}""#, r#" !~ "sold""#];
        let range = ["5m", "1h", "720h"];
        let log = format!("{}{}", self.one_of(&selectors), self.one_of(&pipelines));
        let query = match self.below(5) {
            0 | 1 => log,
            2 => format!("sum by (app, level) (count_over_time({log} [{}]))", self.one_of(&range)),
            3 => format!("topk(5, rate({log} [{}]))", self.one_of(&range)),
            _ => format!("absent_over_time({log} [{}])", self.one_of(&range)),
        };
        let times = "start=1789990000000000000&end=1790010000000000000";
        match self.below(17) {
            0 => format!("/loki/api/v1/query_range?query={query}&{times}&step=60"),
            1 => format!("/loki/api/v1/query?query={query}&time=1790000020"),
            2 => format!("/loki/api/v1/labels?{times}"),
            3 => format!(
                "/loki/api/v1/label/{}/values?{times}",
                self.one_of(&["app", "namespace", "zq7", "service_name"])
            ),
            4 => format!("/loki/api/v1/series?match[]={}&{times}", self.one_of(&selectors)),
            5 => format!("/loki/api/v1/index/stats?query={}&{times}", self.one_of(&selectors)),
            6 => format!("/loki/api/v1/index/volume?query={}&{times}", self.one_of(&selectors)),
            7 => format!("/loki/api/v1/index/volume_range?query={}&{times}&step=60", self.one_of(&selectors)),
            8 => format!("/loki/api/v1/detected_labels?{times}"),
            9 => format!("/loki/api/v1/detected_fields?query={}&{times}", self.one_of(&selectors)),
            10 => format!("/loki/api/v1/patterns?query={}&{times}", self.one_of(&selectors)),
            11 => format!("/api/v1/lines?query={query}&direction={}", self.one_of(&["forward", "backward"])),
            12 => format!("/api/v1/streams?query={}", self.one_of(&selectors)),
            13 => format!("/logs/{}", self.one_of(&["app/zq7", "namespace/web", "app/shop"])),
            14 => format!(
                "/{}?type={}",
                self.one_of(&["loki/api/v1/rules", "prometheus/api/v1/rules", "prometheus/api/v1/alerts"]),
                self.one_of(&["alert", "record"])
            ),
            15 => self.one_of(&["/status?sources=1", "/metrics", "/readyz?verbose", "/", "/ui/"]).to_owned(),
            _ => format!("/api/v1/lines?query={query}&format={}", self.one_of(&["text", "json", "ndjson", "csv"])),
        }
    }
}

/// `FUZZ_REQUESTS` says how many requests there are, `make check-limits` asks for a million.
#[test]
fn who_sees_some_streams_sees_nothing_of_others() {
    let (_directory, server) = server(database());
    let count: usize = std::env::var("FUZZ_REQUESTS").map_or(2000, |text| text.parse().expect("it is a number"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut found_own = 0;
    let mut client = server.connect();
    for _ in 0..count {
        let target = encoded(&random.target());
        let mut answer = None;
        // A refusal ends the connection.
        while answer.is_none() {
            client.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{SHOP}\r\n"));
            answer = client.read_answer();
            if answer.as_ref().is_none_or(|answer| answer.head.contains("connection: close")) {
                client = server.connect();
            }
        }
        let answer = answer.expect("there is one");
        let text = format!("{}{}", answer.head, String::from_utf8_lossy(&answer.body));
        for hidden in HIDDEN {
            // What was asked for itself may be said again.
            assert!(!text.contains(hidden), "{target}: {text}");
        }
        found_own += usize::from(text.contains("sold") || text.contains("shop"));
    }
    assert!(count / 20 < found_own, "{found_own} of {count} answers have something");
    // The same requests find what is hidden where somebody may see it.
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let finds = |target: String| {
        let answer = ask(&server, "GET", &encoded(&target), CHIEF, "");
        HIDDEN.iter().any(|hidden| String::from_utf8_lossy(&answer.body).contains(hidden))
    };
    assert!((0..200).filter(|_| finds(random.target())).count() > 20);
}
