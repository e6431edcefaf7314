//! `push`: takes entries from agents, as Loki does.
//!
//! | `Content-Type` | the body | `Content-Encoding` |
//! |---|---|---|
//! | `application/json` | `{"streams":[{"stream":{name:value},"values":[[time,line,{name:value}]]}]}` | none, or `gzip` |
//! | `application/x-protobuf` | Loki's `PushRequest`, compressed with snappy | none, or `snappy` |
//!
//! The type has to be given, and one of these: no page of another site can have a browser send it unasked.
//!
//! Entries are taken in any order and of any time. An answer of 204 says that they are durable. Pushes share the waits for
//! the medium: while one is written, those that come meanwhile are taken, and the next wait is for all of them. Entries
//! that are refused do not keep others out; the answer is 400 then, or 429 where there would be too many streams, and names
//! the first. After an answer of 429 or 5xx, or none, the client sends everything again: what was taken is left out then,
//! see [`repeats`]. Other agents of this kind number what they send, and each batch is taken once: see [`senders`].

mod compression;
mod entries;
mod json;
mod protobuf;
mod repeats;
mod senders;
mod streams;

use std::sync::{Arc, PoisonError};

use async_lock::{Semaphore, SemaphoreGuard};
use blocking::unblock;
use tide::{Request, Response, StatusCode};

use crate::access::{Caller, Right};
use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::push::entries::{Fault, Pushed};
use crate::log_database::Database;
use crate::model::budget::{Budget, Share};
use crate::model::{Batch, Lines};
use crate::status::PushRefusal;

pub(in crate::api) use repeats::Repeats;
use senders::Numbered;
pub(in crate::api) use senders::Senders;

/// Most pushes that are decoded at a time: each may take the memory of its text and of its entries.
const DECODED_AT_A_TIME: usize = 1;
/// Most bytes of the journal that wait to become segments before pushes are turned away.
const BACKLOG_BYTES_MAX: u64 = 1 << 30;

static TURNS: Semaphore = Semaphore::new(DECODED_AT_A_TIME);

/// Stores the entries of a request.
pub(super) async fn push(mut request: Request<State>) -> Result<Response, Error> {
    // The entrance has asked already, by the path as it was sent; what is stored does not depend on how that is read.
    if request.ext::<Caller>().is_some_and(|caller| !caller.rights.include(Right::Push)) {
        return Err(Error::new(StatusCode::Forbidden, "this takes the right `push`"));
    }
    let format = Format::of(&request)?;
    let numbered = Numbered::of(&request)?;
    let failed = |error: tide::Error| Error::bad_request(format!("the body cannot be read: {error}"));
    let body = request.body_bytes().await.map_err(failed)?;
    let state = request.state().clone();
    let turn = TURNS.acquire().await;
    let work = move || {
        if let Some(numbered) = numbered {
            return senders::store(&state, format, &body, turn, numbered)
                .inspect_err(|_| state.agent.pushes.failures.add(1));
        }
        let refusal = store(&state, format, body, turn).inspect_err(|_| state.agent.pushes.failures.add(1))?;
        refusal.map_or_else(|| Ok(Response::new(StatusCode::NoContent)), Err)
    };
    unblock(work).await
}

/// Stores what `body` holds, and waits until it is durable; what to say of entries that are refused.
fn store(state: &State, format: Format, body: Vec<u8>, turn: SemaphoreGuard<'static>) -> Result<Option<Error>, Error> {
    let State { database, repeats, agent: status, bodies, .. } = state;
    check_room(database, bodies)?;
    let memory = Arc::new(Budget::within(Arc::clone(bodies), bodies.bytes_max()));
    let pushed = format.decode(&body, &memory)?;
    drop(body);
    let mut refused = pushed.refused();
    // The memory is theirs until they are durable.
    let (mut batch, _memory, refusal) = pushed.into_batch();
    let mut refusal = refusal.map(Error::bad_request);
    if let Some(stream) = batch.streams.iter().find(|stream| !database.shows(&stream.labels)) {
        let message = format!("you may not push to {}", stream.labels);
        return Err(Error::new(StatusCode::Forbidden, message));
    }
    if let Some(left_out) = streams::leave_out(database, &mut batch.streams) {
        refused.add(PushRefusal::Streams, left_out.entries);
        refusal = Some(Error::new(StatusCode::TooManyRequests, left_out.message));
    }
    if !batch.streams.is_empty() {
        let mut repeats = repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let (repeated, taken) = repeats.leave_out(&mut batch.streams);
        let lines = || batch.streams.iter().map(|stream| &stream.lines);
        let (count, bytes) = (lines().map(Lines::len).sum::<usize>(), lines().map(Lines::byte_count).sum::<usize>());
        if !batch.streams.is_empty() {
            database.append(batch).map_err(unavailable)?;
        }
        repeats.remember(taken);
        status.pushes.entries.add(count as u64);
        status.pushes.bytes.add(bytes as u64);
        status.pushes.repeated.add(repeated);
        drop((repeats, turn));
        // Whoever comes first waits for all that were appended by then. What is repeated may not be durable yet.
        database.sync().map_err(unavailable)?;
    }
    refused.count_in(&status.pushes);
    Ok(refusal)
}

/// Answers a GET.
pub(super) async fn explain(_: Request<State>) -> Result<Response, Error> {
    let mut response = Error::new(StatusCode::MethodNotAllowed, "entries are pushed with POST").into_text();
    response.insert_header("Allow", "POST");
    Ok(response)
}

/// Decodes the body of a push as its route does; for fuzzing.
///
/// # Errors
///
/// What is wrong with the body.
pub fn decode(content_type: &str, content_encoding: &str, body: &[u8]) -> Result<Batch, String> {
    let format = Format::new(content_type, content_encoding).map_err(|error| error.to_string())?;
    let pushed = format.decode(body, &Arc::new(Budget::new(usize::MAX))).map_err(|error| error.to_string())?;
    Ok(pushed.into_batch().0)
}

/// Turns a push away while the database has more to do than it should. What cannot be made durable stays in memory beyond
/// its push, and is no more than half of what bodies may take.
fn check_room(database: &Database, bodies: &Budget) -> Result<(), Error> {
    if database.pending_bytes() <= bodies.bytes_max() / 2 && database.backlog_bytes() <= BACKLOG_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(StatusCode::TooManyRequests, "more entries wait to be stored than should; send these again later"))
}

/// What goes wrong with the medium is for the own log only: it may name paths.
#[expect(clippy::needless_pass_by_value, reason = "taken as it is mapped")]
fn unavailable(error: crate::log_database::Error) -> Error {
    log::error!("pushed entries are not stored: {error}");
    Error::new(StatusCode::ServiceUnavailable, "the entries cannot be stored now; send them again later")
}

/// What a body holds and how it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json { is_gzipped: bool },
    Protobuf,
}

impl Format {
    fn of(request: &Request<State>) -> Result<Self, Error> {
        let header = |name| request.header(name).map_or("", |values| values.last().as_str());
        Self::new(header("Content-Type"), header("Content-Encoding"))
    }

    fn new(content_type: &str, content_encoding: &str) -> Result<Self, Error> {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let encoding = content_encoding.trim().to_ascii_lowercase();
        match (kind.as_str(), encoding.as_str()) {
            ("application/json", "") => Ok(Self::Json { is_gzipped: false }),
            ("application/json", "gzip") => Ok(Self::Json { is_gzipped: true }),
            ("application/x-protobuf", "" | "snappy") => Ok(Self::Protobuf),
            ("application/json" | "application/x-protobuf", _) => {
                let message = format!("Content-Encoding {content_encoding:?} not supported");
                Err(Error::new(StatusCode::UnsupportedMediaType, message))
            }
            _ => {
                let message = format!(
                    "Content-Type {content_type:?} not supported; send application/json, or application/x-protobuf \
                     compressed with snappy"
                );
                Err(Error::new(StatusCode::UnsupportedMediaType, message))
            }
        }
    }

    /// Reads the entries of `body`; their memory is taken from `memory`.
    fn decode(self, body: &[u8], memory: &Arc<Budget>) -> Result<Pushed, Error> {
        let mut pushed = Pushed::within(Arc::clone(memory));
        let mut decompressed = Share::of(Arc::clone(memory));
        let result = match self {
            Self::Json { is_gzipped: false } => json::decode(body, &mut pushed),
            Self::Json { is_gzipped: true } => {
                compression::gunzip(body, &mut decompressed).and_then(|body| json::decode(&body, &mut pushed))
            }
            Self::Protobuf => {
                compression::unsnap(body, &mut decompressed).and_then(|body| protobuf::decode(&body, &mut pushed))
            }
        };
        result.map_err(|fault| match fault {
            Fault::Malformed(problem) => Error::bad_request(format!("couldn't parse push request: {problem}")),
            Fault::TooLarge(message) => Error::new(StatusCode::PayloadTooLarge, message),
            Fault::NoRoom(refusal) => Error::new(StatusCode::TooManyRequests, refusal.to_string()),
        })?;
        Ok(pushed)
    }
}
