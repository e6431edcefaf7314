//! Ships lines to receivers elsewhere: Loki's push, OpenTelemetry's export, and other agents of this kind.
//!
//! A [`Forwarder`] per target reads the database, not the files: the database is the buffer, for as long as its retention lasts. A
//! [`Reader`] says what comes next and remembers what was taken; batches are sent one after the other, so streams keep their order.
//! A target that is slow or away costs one window of lines in memory, and no collecting.
//!
//! # How often
//!
//! Loki and OpenTelemetry have no way to tell a batch that comes again, so a line is sent at least once: again after a kill between
//! its arrival and its acknowledgement, and Loki leaves it out then. Another agent of this kind stores the number of a sender's last
//! batch together with its lines ([`SENDER_HEADER`]), so each line is there exactly once. Whether a target is one is asked before the
//! first batch, and after each failure, with a push of nothing.
//!
//! # What is refused
//!
//! A batch that is refused for what is in it is sent in halves, down to the entries that are refused alone; these are counted, with the
//! target's words. Tries are limited (`POSTS_MAX`, `REFUSALS_MAX`).

mod address;
mod entries;
mod loki;
mod otlp;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::forward::entries::Stream;
use crate::ingest::Stop;
use crate::inventory::Inventory;
use crate::log_database::{self, Database, READER_NAME_BYTES_MAX, Reader, StartAt, Window, WindowLimits};
use crate::logql;
use crate::model::{Labels, Matcher, StreamLines};
use crate::outgoing::{self, Answer, Backoff, Files, Receiver};
use crate::status::{Status, Target};

pub use address::Protocol;

/// The header that names the sender of numbered batches: 32 hexadecimal digits.
pub const SENDER_HEADER: &str = "X-Monitoring-Sender";
/// The header with the number of a batch.
pub const BATCH_HEADER: &str = "X-Monitoring-Batch";
/// The header with a checksum of what a batch holds, the same whenever it is sent again: eight hexadecimal digits.
pub const CHECK_HEADER: &str = "X-Monitoring-Check";
/// The header in which a receiver that remembers senders names the last batch that it has.
pub const LAST_HEADER: &str = "X-Monitoring-Last";
/// The header in which it says how many entries of a batch it has refused.
pub const REFUSED_HEADER: &str = "X-Monitoring-Refused";

/// How much is read at once: batches of 512 KiB of text, at most four of them.
const WINDOW: WindowLimits = WindowLimits { batch_bytes: 512 << 10, batches: 4 };
/// How long lines wait for others to be sent with.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait after the database or the target's settings were found wrong.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(10);
/// What a receiver answers that has another batch with the number of this one.
const CONFLICT: u16 = 409;
/// Most parts of a batch that are sent, and that are refused in a row; what is still refused then is counted as a whole. The one is for
/// batches that are mixed, the other for those of which nothing is taken: a backlog that is too old.
const POSTS_MAX: usize = 4096;
const REFUSALS_MAX: usize = 64;

/// What lines are forwarded, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The address, see [`Protocol`].
    pub address: String,
    /// What the target needs to be asked.
    pub files: Files,
    /// Whether lines are sent that were stored before the target was named.
    pub from_beginning: bool,
    /// Selectors of the streams to send; without any, all.
    pub include: Vec<String>,
    /// Selectors of those to leave out.
    pub exclude: Vec<String>,
    /// Labels to add.
    pub labels: Vec<String>,
}

/// Why lines cannot be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or a file is wrong.
    #[error("--forward: {0}")]
    Receiver(#[from] outgoing::Error),
    /// It is no target.
    #[error("--forward: {0}")]
    Address(String),
    /// Another setting is wrong.
    #[error("{flag} '{text}': {reason}")]
    Setting {
        /// Which one.
        flag: &'static str,
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The position cannot be stored.
    #[error(transparent)]
    Database(#[from] log_database::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers to name a sender by")]
    NoRandomness,
}

/// What is sent in one request.
struct Body {
    bytes: Vec<u8>,
    content_type: &'static str,
    content_encoding: Option<&'static str>,
}

/// Who takes the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// Not known yet, or not since the last failure.
    Unknown,
    /// One that remembers the last batch of each sender, and takes lines as they are.
    Numbering,
    /// Any other.
    Plain,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// All is stored, but for so many entries.
    Stored(u64, String),
    /// Something of it can never be stored.
    Refused(String),
    /// To be sent again later.
    Later(String, Option<Duration>),
    /// Nothing will be stored before somebody changes a setting.
    Wrong(String),
}

/// The agent is to stop.
struct Stopped;

/// Sends lines to one target.
#[derive(Debug)]
pub struct Forwarder {
    protocol: Protocol,
    receiver: Receiver,
    reader: Reader,
    inventory: Arc<Inventory>,
    labels: Vec<(String, String)>,
    target: Arc<Target>,
    peer: Peer,
    random: SystemRandom,
    /// When it last said how far it is.
    measured: Option<Instant>,
}

impl Forwarder {
    /// A forwarder that goes on where it was, or begins where `settings` say. Connects to nothing.
    ///
    /// # Errors
    ///
    /// A setting or a file is wrong, or the position cannot be stored.
    pub fn new(
        settings: &Settings,
        database: &Database,
        inventory: &Arc<Inventory>,
        status: &Status,
    ) -> Result<Self, Error> {
        let (protocol, url) = address::parse(&settings.address).map_err(Error::Address)?;
        let receiver = Receiver::new(&url, settings.files.clone())?;
        // The position is stored under the address without its query, so that a token in it may change.
        let address = receiver.shown().to_owned();
        if READER_NAME_BYTES_MAX < address.len() {
            return Err(Error::Address(format!("an address has at most {READER_NAME_BYTES_MAX} bytes")));
        }
        if status.targets().iter().any(|known| known.address == address) {
            return Err(Error::Address(format!("{address} is named twice; what is sent to it has one position")));
        }
        let include = matchers("--forward-include", &settings.include)?;
        let exclude = matchers("--forward-exclude", &settings.exclude)?;
        let labels = settings.labels.iter().map(|text| label(text)).collect::<Result<Vec<_>, _>>()?;
        let random = SystemRandom::new();
        let start = if settings.from_beginning { StartAt::Beginning } else { StartAt::Now };
        let (all, joined) = (include.is_empty() && exclude.is_empty(), Arc::clone(inventory));
        let is_wanted = move |stored: &Labels| {
            if all {
                return true;
            }
            let own = log_database::metadata::unmark(stored);
            let names = joined.join(own.as_ref().unwrap_or(stored));
            let is_accepted = |matchers: &Vec<Matcher>| matchers.iter().all(|matcher| names.is_accepted_by(matcher));
            (include.is_empty() || include.iter().any(is_accepted)) && !exclude.iter().any(is_accepted)
        };
        let reader = database.reader(&address, start, identity(&random)?, is_wanted)?;
        let target = Arc::new(Target::new(address, protocol.name()));
        status.add_target(&target);
        let inventory = Arc::clone(inventory);
        Ok(Self { protocol, receiver, reader, inventory, labels, target, peer: Peer::Unknown, random, measured: None })
    }

    /// Sends what is stored, until `stop`.
    pub fn run(&mut self, stop: &Stop) {
        while !stop.is_set() {
            let pause = match self.reader.next(WINDOW) {
                Ok(Some(window)) => {
                    if self.send_window(&window, stop).is_err() {
                        return;
                    }
                    // A window that is not full has all there is.
                    if window.batches.len() < WINDOW.batches { INTERVAL } else { Duration::ZERO }
                }
                Ok(None) => INTERVAL,
                Err(error) => {
                    self.note_problem(&format!("lines cannot be read to be forwarded: {error}"));
                    TROUBLE_INTERVAL
                }
            };
            self.pause(pause, stop);
        }
    }

    /// Waits, and says how far it is meanwhile: what waits grows, and retention may drop some of it.
    fn pause(&mut self, pause: Duration, stop: &Stop) {
        let start = Instant::now();
        loop {
            let left = pause.saturating_sub(start.elapsed());
            if !left.is_zero() || self.measured.is_none_or(|when| INTERVAL <= when.elapsed()) {
                self.measure();
            }
            if left.is_zero() || stop.is_set() {
                return;
            }
            stop.wait(left.min(TROUBLE_INTERVAL));
        }
    }

    fn measure(&mut self) {
        self.measured = Some(Instant::now());
        let progress = self.reader.progress();
        self.target.update(|state| {
            state.batch = progress.number;
            (state.waiting_lines, state.waiting_bytes) = (progress.lines, progress.bytes);
            state.oldest = progress.oldest;
            (state.dropped_lines, state.refused_lines) = (progress.dropped, progress.refused);
        });
    }

    fn send_window(&mut self, window: &Window, stop: &Stop) -> Result<(), Stopped> {
        let last = window.first + window.batches.len() as u64 - 1;
        for (number, batch) in (window.first..).zip(&window.batches) {
            let refused = self.send_batch(number, last, batch, stop)?;
            if let Err(error) = self.reader.acknowledge(number, refused) {
                // It is pending, and stored with the next commit that succeeds.
                self.note_problem(&format!("how far lines were forwarded cannot be stored: {error}"));
            }
            let lines: u64 = batch.iter().map(|stream| stream.lines.len() as u64).sum();
            self.target.acknowledged_lines.add(lines);
            self.pause(Duration::ZERO, stop);
        }
        Ok(())
    }

    /// Sends a batch until it is taken; how many of its entries were refused.
    fn send_batch(&mut self, number: u64, last: u64, batch: &[StreamLines], stop: &Stop) -> Result<u64, Stopped> {
        let (mut posts, mut refusals) = (0, 0);
        let (mut refused, mut backoff) = (0, Backoff::default());
        let mut parts = vec![self.streams(batch)];
        let mut is_whole = true;
        while let Some(mut streams) = parts.pop() {
            if entries::count(&streams) == 0 {
                continue;
            }
            let verdict = self.greet(last).map_or_else(
                |verdict| verdict,
                |()| {
                    if self.peer != Peer::Numbering {
                        streams.iter_mut().for_each(entries::fit);
                    }
                    self.post(&streams, is_whole.then(|| (number, check(batch))))
                },
            );
            log::debug!(
                "batch {number} of {} entries to {}: {verdict:?}",
                entries::count(&streams),
                self.receiver.shown()
            );
            // What is tried again later is no try to take it apart, however long the target is away.
            posts += usize::from(matches!(verdict, Verdict::Stored(..) | Verdict::Refused(_)));
            let wait = match verdict {
                Verdict::Stored(count, words) => {
                    refusals = 0;
                    refused += self.note_refused(count, words);
                    backoff = Backoff::default();
                    self.end_problem();
                    continue;
                }
                Verdict::Refused(words) => {
                    refusals += 1;
                    let count = entries::count(&streams);
                    if count == 1 || POSTS_MAX <= posts || REFUSALS_MAX <= refusals {
                        refused += self.note_refused(count as u64, words);
                        continue;
                    }
                    let (first, second) = entries::halves(streams);
                    parts.extend([second, first]);
                    is_whole = false;
                    continue;
                }
                Verdict::Later(reason, retry_after) => {
                    self.note_problem(&reason);
                    backoff.wait(retry_after, outgoing::chance())
                }
                Verdict::Wrong(reason) => {
                    self.note_problem(&reason);
                    backoff.wait(Some(TROUBLE_INTERVAL), outgoing::chance())
                }
            };
            parts.push(streams);
            self.pause(wait, stop);
            if stop.is_set() {
                return Err(Stopped);
            }
        }
        Ok(refused)
    }

    /// Finds out who takes the batches, of which `last` is the last one that was handed out, unless that is known.
    fn greet(&mut self, last: u64) -> Result<(), Verdict> {
        if self.peer != Peer::Unknown {
            return Ok(());
        }
        if self.protocol == Protocol::Otlp {
            self.peer = Peer::Plain;
            return Ok(());
        }
        let body = loki::encode(&[], false);
        let sender = hex(self.reader.identity());
        let headers = [("Content-Type", body.content_type), (SENDER_HEADER, &sender)];
        let answer =
            self.receiver.post(&headers, &body.bytes).map_err(|error| Verdict::Later(error.to_string(), None))?;
        let Some(known) = answer.header(LAST_HEADER) else {
            match verdict(&answer, self.receiver.shown()) {
                Verdict::Stored(..) | Verdict::Refused(_) => self.peer = Peer::Plain,
                other => return Err(other),
            }
            return Ok(());
        };
        if known.parse::<u64>().is_ok_and(|known| last < known) {
            // Numbers were given out that this agent does not know of: its data are older than what was sent.
            let shown = self.receiver.shown();
            log::warn!("{shown} has later batches than this agent knows of; lines may be there twice");
            self.take_another_name().map_err(|error| Verdict::Later(error.to_string(), None))?;
        }
        self.peer = Peer::Numbering;
        Ok(())
    }

    /// Sends under another name from now on: another agent sends, or this one has sent, what nothing is known of here.
    fn take_another_name(&mut self) -> Result<(), Error> {
        Ok(self.reader.set_identity(identity(&self.random)?)?)
    }

    /// Sends entries, with their number and checksum if they are a whole batch.
    fn post(&mut self, streams: &[Stream], numbered: Option<(u64, u32)>) -> Verdict {
        let body = match self.protocol {
            Protocol::Loki => loki::encode(streams, self.peer == Peer::Numbering),
            Protocol::Otlp => otlp::encode(streams),
        };
        let sender = hex(self.reader.identity());
        let numbered = numbered.filter(|_| self.peer == Peer::Numbering);
        let numbered = numbered.map(|(number, check)| (number.to_string(), format!("{check:08x}")));
        let mut headers = vec![("Content-Type", body.content_type)];
        headers.extend(body.content_encoding.map(|encoding| ("Content-Encoding", encoding)));
        if let Some((number, check)) = &numbered {
            headers.extend([(SENDER_HEADER, &*sender), (BATCH_HEADER, number), (CHECK_HEADER, check)]);
        }
        match self.receiver.post(&headers, &body.bytes) {
            Ok(answer) if answer.status == CONFLICT && numbered.is_some() => {
                let renamed = self.take_another_name();
                Verdict::Later(renamed.map_or_else(|error| error.to_string(), |()| answer.text()), None)
            }
            Ok(answer) => {
                self.target.sent_bytes.add(body.bytes.len() as u64);
                match verdict(&answer, self.receiver.shown()) {
                    Verdict::Stored(..) if self.protocol == Protocol::Otlp => {
                        let (count, words) = otlp::refused(&answer.body);
                        Verdict::Stored(count, words)
                    }
                    verdict => verdict,
                }
            }
            Err(error) => {
                self.peer = Peer::Unknown;
                Verdict::Later(error.to_string(), None)
            }
        }
    }

    fn streams(&self, batch: &[StreamLines]) -> Vec<Stream> {
        entries::of_batch(batch, |stored| {
            let own = self.inventory.join(stored).labels;
            own.extended(self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        })
    }

    fn note_refused(&self, count: u64, words: String) -> u64 {
        if 0 < count {
            log::warn!("{} refuses {count} entries: {words}", self.receiver.shown());
            self.target.update(|state| state.last_refusal = Some(words));
        }
        count
    }

    /// Says what is wrong, once until it is over or changes.
    fn note_problem(&self, reason: &str) {
        self.target.failures.add(1);
        self.target.update(|state| {
            if state.problem.is_none() {
                log::warn!("lines wait to be forwarded: {reason}");
            }
            state.problem = Some(reason.to_owned());
        });
    }

    fn end_problem(&self) {
        self.target.update(|state| {
            if state.problem.take().is_some() {
                log::info!("{} takes lines again", self.target.address);
            }
        });
    }
}

/// The checksum of a batch as it is stored: what streams are called may change before it is sent again. It is the sum of those of all
/// lines, as another file that holds them by then may have them in other pieces.
fn check(batch: &[StreamLines]) -> u32 {
    let mut sum: u32 = 0;
    for StreamLines { labels, lines } in batch {
        let stream = crc32fast::hash(labels.to_string().as_bytes());
        for (timestamp, line) in lines.iter() {
            let mut hasher = crc32fast::Hasher::new_with_initial(stream);
            hasher.update(&timestamp.as_ns().to_le_bytes());
            hasher.update(line);
            sum = sum.wrapping_add(hasher.finalize());
        }
    }
    sum
}

/// What an answer of `target` means.
fn verdict(answer: &Answer, target: &str) -> Verdict {
    let said = || format!("{target} answers {}: {}", answer.status, answer.text());
    match answer.status {
        200..300 => {
            let refused = answer.header(REFUSED_HEADER).and_then(|count| count.parse().ok()).unwrap_or(0);
            Verdict::Stored(refused, if refused == 0 { String::new() } else { answer.text() })
        }
        400 | 413 | 422 => Verdict::Refused(answer.text()),
        408 | 425 | 429 | 500.. => Verdict::Later(said(), answer.retry_after),
        _ => Verdict::Wrong(format!("{}; see --forward and --forward-header-file", said())),
    }
}

/// Selectors as matchers.
fn matchers(flag: &'static str, selectors: &[String]) -> Result<Vec<Vec<Matcher>>, Error> {
    let parse = |text: &String| {
        let wrong = |error: logql::Error| Error::Setting { flag, text: text.clone(), reason: error.to_string() };
        logql::parse_selector(text).and_then(|selector| logql::matchers(&selector)).map_err(wrong)
    };
    selectors.iter().map(parse).collect()
}

/// A label as `name=value`.
fn label(text: &str) -> Result<(String, String), Error> {
    let wrong = |reason: &str| Error::Setting { flag: "--forward-label", text: text.into(), reason: reason.into() };
    let (name, value) = text.split_once('=').ok_or_else(|| wrong("expected name=value, such as cluster=a"))?;
    Labels::new([(name, value)]).map_err(|error| wrong(&error.to_string()))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn identity(random: &SystemRandom) -> Result<[u8; 16], Error> {
    let mut identity = [0; 16];
    random.fill(&mut identity).map_err(|_| Error::NoRandomness)?;
    Ok(identity)
}

fn hex(identity: [u8; 16]) -> String {
    format!("{:032x}", u128::from_le_bytes(identity))
}
