//! What fills a template: users, paths, ids, durations, times.

use super::clock::{Clock, TimeStyle};
use super::random::{Random, scramble};
use super::text::{decimal, fraction, hexadecimal};

/// How many users, clients and things there are; the first ones are met most often.
const USERS: u64 = 20_000;
const CLIENTS: u64 = 8_000;
const ITEMS: u64 = 50_000;
const HOSTS: u64 = 12;
/// Different stack traces: a service has few bugs, and each is met again and again.
const TRACES: u64 = 40;
const FRAMES_MIN: u64 = 6;
const FRAMES_MAX: u64 = 30;
/// Bytes of a dumped payload: longer than the 16 KiB at which container runtimes split a line.
const PAYLOAD_BYTES: usize = 20_000;

const METHODS: &[&str] = &["GET", "POST", "HEAD", "PUT", "DELETE"];
const STATUSES: &[&str] = &["200", "304", "404", "201", "301", "400", "500", "502", "403"];
const PATHS: &[&str] =
    &["/api/v1/items/", "/static/js/chunk-", "/api/v1/users/", "/checkout/cart/", "/images/product/"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36",
    "kube-probe/1.35",
    "Go-http-client/2.0",
    "Prometheus/3.9.1",
    "curl/8.18.0",
    "python-requests/2.32.5",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.2",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];
const NAMES: &[&str] = &["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory"];
const SERVICES: &[&str] = &["checkout", "catalog", "payment", "session", "search", "mailer", "inventory", "gateway"];
const TABLES: &[&str] = &["orders", "sessions", "line_items", "users", "inventory", "payments", "audit_events"];
const CLASSES: &[&str] = &["OrderService", "CartController", "PaymentClient", "SessionStore", "RetryTemplate"];
const PACKAGES: &[&str] = &["com.example.shop.orders", "com.example.shop.web", "org.springframework.web.servlet"];
const CALLS: &[&str] = &["process", "handle", "invoke", "doFilter", "execute", "lambda$submit$2", "call", "run"];
const WORDS: &[&str] = &[
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not",
    "this", "are", "or", "from", "at", "which", "but", "have", "an", "had", "they", "you", "were", "their", "one",
    "all", "we", "worker", "queue", "request", "socket", "cache", "failed", "started", "finished", "waiting",
    "timeout", "retry", "backup", "snapshot", "volume", "replica", "leader", "election", "token", "expired", "renewed",
    "cert",
];

/// What several neighbouring records are about.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Met in this request only.
    id: u64,
    user: u64,
    client: u64,
    item: u64,
}

impl Request {
    /// Another request, often of a user and for a thing that were met before.
    pub(crate) fn new(random: &mut Random) -> Self {
        let id = random.bits();
        Self { id, user: random.rank(USERS), client: random.rank(CLIENTS), item: random.rank(ITEMS) }
    }
}

/// What stands in a template as `<name>`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// The time of the record.
    Time(TimeStyle),
    /// The time in seconds since the Unix epoch.
    UnixTime,
    /// One of a list, the first ones most often.
    Word(&'static [&'static str]),
    /// The request's client, an IPv4 address.
    ClientIp,
    /// A machine of the cluster, an IPv4 address.
    NodeIp,
    /// A machine's name.
    Host,
    /// The request's user.
    User,
    /// The path asked for, with the thing's number in it.
    Path,
    /// The thing's number.
    Item,
    /// The request's id, 16 hexadecimal digits.
    RequestId,
    /// The request's id as a UUID.
    Uuid,
    /// A pod's name.
    Pod,
    /// A process's number; one of a few.
    Pid,
    /// A client's port.
    Port,
    /// A size in bytes, mostly small.
    Bytes,
    /// A small number.
    Count,
    /// Counts the records.
    Sequence,
    /// A duration in milliseconds with three places, mostly short.
    Milliseconds,
    /// An address in memory.
    Address,
    /// A few words of English.
    Sentence,
    /// The frames of one of the service's stack traces.
    Frames,
    /// A dumped payload, in hexadecimal.
    Payload,
}

impl Field {
    /// The field that a template calls `name`.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "rfc3339ms" => Self::Time(TimeStyle::Rfc3339(3)),
            "rfc3339us" => Self::Time(TimeStyle::Rfc3339(6)),
            "time" => Self::Time(TimeStyle::Space),
            "time,ms" => Self::Time(TimeStyle::Comma),
            "clf" => Self::Time(TimeStyle::Clf),
            "klog" => Self::Time(TimeStyle::Klog),
            "syslog" => Self::Time(TimeStyle::Syslog),
            "unix" => Self::UnixTime,
            "method" => Self::Word(METHODS),
            "status" => Self::Word(STATUSES),
            "agent" => Self::Word(AGENTS),
            "service" => Self::Word(SERVICES),
            "table" => Self::Word(TABLES),
            "class" => Self::Word(CLASSES),
            "client" => Self::ClientIp,
            "node" => Self::NodeIp,
            "host" => Self::Host,
            "user" => Self::User,
            "path" => Self::Path,
            "item" => Self::Item,
            "request" => Self::RequestId,
            "uuid" => Self::Uuid,
            "pod" => Self::Pod,
            "pid" => Self::Pid,
            "port" => Self::Port,
            "bytes" => Self::Bytes,
            "count" => Self::Count,
            "sequence" => Self::Sequence,
            "ms" => Self::Milliseconds,
            "address" => Self::Address,
            "sentence" => Self::Sentence,
            "frames" => Self::Frames,
            "payload" => Self::Payload,
            _ => panic!("no field is called <{name}>"),
        }
    }

    /// Appends the field's text.
    pub(crate) fn write(self, random: &mut Random, clock: &Clock, request: &Request, sequence: u64, out: &mut Vec<u8>) {
        match self {
            Self::Time(style) => clock.write(out, style),
            Self::UnixTime => clock.write_unix(out),
            Self::Word(words) => out.extend_from_slice(random.pick(words).as_bytes()),
            Self::ClientIp => ip(out, scramble(request.client)),
            Self::NodeIp => {
                out.extend_from_slice(b"10.42.");
                decimal(out, random.rank(HOSTS), 1);
                out.push(b'.');
                decimal(out, 1 + random.rank(250), 1);
            }
            Self::Host => {
                out.extend_from_slice(b"node-");
                decimal(out, random.rank(HOSTS), 2);
            }
            Self::User => {
                out.extend_from_slice(choose(NAMES, scramble(request.user)).as_bytes());
                decimal(out, request.user, 1);
            }
            Self::Path => {
                out.extend_from_slice(choose(PATHS, scramble(request.item)).as_bytes());
                decimal(out, request.item, 1);
            }
            Self::Item => decimal(out, request.item, 1),
            Self::RequestId => hexadecimal(out, request.id, 16),
            Self::Uuid => uuid(out, request.id),
            Self::Pod => {
                let pod = random.rank(60);
                out.extend_from_slice(choose(SERVICES, pod).as_bytes());
                out.push(b'-');
                hexadecimal(out, scramble(pod / 4), 9);
                out.push(b'-');
                hexadecimal(out, scramble(pod), 5);
            }
            Self::Pid => decimal(out, 600 + 37 * random.rank(30), 1),
            Self::Port => decimal(out, 32_768 + random.below(28_232), 1),
            Self::Bytes => decimal(out, random.rank(1 << 20), 1),
            Self::Count => decimal(out, 1 + random.rank(64), 1),
            Self::Sequence => decimal(out, sequence, 1),
            Self::Milliseconds => fraction(out, 200 + random.rank(5_000_000), 3),
            Self::Address => {
                out.extend_from_slice(b"0x");
                hexadecimal(out, random.bits(), 12);
            }
            Self::Sentence => sentence(out, random),
            Self::Frames => frames(out, random.rank(TRACES)),
            Self::Payload => {
                for _ in 0..PAYLOAD_BYTES / 16 {
                    hexadecimal(out, random.bits(), 16);
                }
            }
        }
    }
}

/// The item of a list that belongs to `number`, always the same.
fn choose(items: &[&'static str], number: u64) -> &'static str {
    items[usize::try_from(number % items.len() as u64).expect("below the length of a slice")]
}

fn ip(out: &mut Vec<u8>, number: u64) {
    for (index, byte) in number.to_le_bytes()[..4].iter().enumerate() {
        if 0 < index {
            out.push(b'.');
        }
        decimal(out, u64::from((*byte).clamp(1, 254)), 1);
    }
}

fn uuid(out: &mut Vec<u8>, id: u64) {
    let more = scramble(id);
    hexadecimal(out, id >> 32, 8);
    out.push(b'-');
    hexadecimal(out, id >> 16, 4);
    out.extend_from_slice(b"-4");
    hexadecimal(out, id, 3);
    out.extend_from_slice(b"-a");
    hexadecimal(out, more >> 48, 3);
    out.push(b'-');
    hexadecimal(out, more, 12);
}

fn sentence(out: &mut Vec<u8>, random: &mut Random) {
    let words = 3 + random.below(14);
    for index in 0..words {
        if 0 < index {
            out.push(b' ');
        }
        out.extend_from_slice(random.pick(WORDS).as_bytes());
    }
}

/// Appends one of the service's stack traces, always the same for the same `trace`.
fn frames(out: &mut Vec<u8>, trace: u64) {
    let mut random = Random::new(trace);
    let count = FRAMES_MIN + random.below(FRAMES_MAX - FRAMES_MIN);
    for _ in 0..count {
        let class = random.pick(CLASSES);
        out.extend_from_slice(b"\n\tat ");
        out.extend_from_slice(random.pick(PACKAGES).as_bytes());
        out.push(b'.');
        out.extend_from_slice(class.as_bytes());
        out.push(b'.');
        out.extend_from_slice(random.pick(CALLS).as_bytes());
        out.push(b'(');
        out.extend_from_slice(class.as_bytes());
        out.extend_from_slice(b".java:");
        decimal(out, 20 + random.below(700), 1);
        out.push(b')');
    }
}
