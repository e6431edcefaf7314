//! Batches that other agents of this kind forward: each has a sender and a number, and is stored once.
//!
//! | header | says |
//! |---|---|
//! | `X-Monitoring-Sender` | who sends: 32 hexadecimal digits |
//! | `X-Monitoring-Batch` | the number of the batch, one more than that of the one before |
//! | `X-Monitoring-Last`, of the answer | the last batch of that sender that is stored |
//! | `X-Monitoring-Refused`, of the answer | how many entries of this one are not, which the answer's text explains |
//!
//! A push without a number and without entries asks for the last batch. The number is stored in one commit with the lines, and what
//! has a number that is not above the last one is there already: the sender did not get the answer. What is refused of a batch does
//! not come again; a batch is taken as a whole or not at all in any other case.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_lock::SemaphoreGuard;
use tide::{Request, Response, StatusCode};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::push::{Format, check_room, streams, unavailable};
use crate::log_database::Database;
use crate::model::budget::Budget;
use crate::model::{COLLECTOR_SOURCE_BYTES, Checkpoint, Lines};

/// The headers of numbered batches, see the module.
const SENDER_HEADER: &str = "X-Monitoring-Sender";
const BATCH_HEADER: &str = "X-Monitoring-Batch";
const LAST_HEADER: &str = "X-Monitoring-Last";
const REFUSED_HEADER: &str = "X-Monitoring-Refused";
/// Most senders that are remembered.
const SENDERS_MAX: usize = 10_000;
/// Begins the sources of what is stored of senders; longer than those of collectors, so that none is taken for the other.
const PREFIX: &[u8] = b"\0last batch of the sender \0";
const _: () = assert!(COLLECTOR_SOURCE_BYTES < PREFIX.len());

/// Names a sender.
type Sender = u128;

/// The last batch of each sender.
#[derive(Debug, Default)]
pub(in crate::api) struct Senders(HashMap<Sender, u64>);

impl Senders {
    /// Those that `database` knows of.
    pub(in crate::api) fn of(database: &Database) -> Self {
        let last = database.checkpoints().into_iter().filter_map(|checkpoint| {
            let sender = checkpoint.source.strip_prefix(PREFIX)?.try_into().ok()?;
            Some((Sender::from_le_bytes(sender), u64::from_le_bytes(checkpoint.position?.try_into().ok()?)))
        });
        Self(last.collect())
    }
}

/// Who sends a push, and which batch it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    sender: Sender,
    /// `None` where the sender asks for the last one.
    number: Option<u64>,
}

impl Numbered {
    /// What the headers say; `None` for those of everybody else.
    pub(super) fn of(request: &Request<State>) -> Result<Option<Self>, Error> {
        let header = |name| request.header(name).map(|values| values.last().as_str());
        let Some(text) = header(SENDER_HEADER) else { return Ok(None) };
        let wrong = |name: &str| Error::bad_request(format!("the header {name} is malformed"));
        let digits = Some(text).filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let sender =
            digits.and_then(|text| Sender::from_str_radix(text, 16).ok()).ok_or_else(|| wrong(SENDER_HEADER))?;
        let number = header(BATCH_HEADER).map(|text| text.parse().map_err(|_| wrong(BATCH_HEADER))).transpose()?;
        Ok(Some(Self { sender, number }))
    }
}

/// Stores a batch unless it is there, and waits until it is durable.
pub(super) fn store(
    state: &State,
    format: Format,
    body: &[u8],
    turn: SemaphoreGuard<'static>,
    Numbered { sender, number }: Numbered,
) -> Result<Response, Error> {
    let State { database, senders, agent: status, bodies, .. } = state;
    let last = |senders: &Mutex<Senders>| {
        let known = senders.lock().unwrap_or_else(PoisonError::into_inner).0.get(&sender).copied();
        known.unwrap_or_default()
    };
    let known = last(senders);
    log::debug!("batch {number:?} of the sender {sender:032x}, whose last one is {known}");
    let Some(number) = number.filter(|number| known < *number) else {
        drop(turn);
        // It may be stored and not durable yet.
        database.sync().map_err(unavailable)?;
        return Ok(answer(known, 0, None));
    };
    check_room(database, bodies)?;
    let memory = Arc::new(Budget::within(Arc::clone(bodies), bodies.bytes_max()));
    let pushed = format.decode(body, &memory)?;
    let refused = pushed.refused();
    let (mut batch, _memory, refusal) = pushed.into_batch();
    if let Some(stream) = batch.streams.iter().find(|stream| !database.shows(&stream.labels)) {
        return Err(Error::new(StatusCode::Forbidden, format!("you may not push to {}", stream.labels)));
    }
    if let Some(left_out) = streams::leave_out(database, &mut batch.streams) {
        return Err(Error::new(StatusCode::TooManyRequests, left_out.message));
    }
    let lines = || batch.streams.iter().map(|stream| &stream.lines);
    let (count, bytes) = (lines().map(Lines::len).sum::<usize>(), lines().map(Lines::byte_count).sum::<usize>());
    let position = Some(number.to_le_bytes().to_vec());
    batch.checkpoint = Some(Checkpoint { source: [PREFIX, &sender.to_le_bytes()].concat(), position });
    {
        // Held until the database has the batch: the same one may come on another connection.
        let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = senders.0.get(&sender).copied();
        if known.is_none() && SENDERS_MAX <= senders.0.len() {
            let message = format!("there are more than {SENDERS_MAX} senders; send without {SENDER_HEADER}");
            return Err(Error::new(StatusCode::Forbidden, message));
        }
        if known.is_none_or(|known| known < number) {
            database.append(batch).map_err(unavailable)?;
            senders.0.insert(sender, number);
            status.pushes.entries.add(count as u64);
            status.pushes.bytes.add(bytes as u64);
            refused.count_in(&status.pushes);
        }
    }
    drop(turn);
    database.sync().map_err(unavailable)?;
    Ok(answer(number, refused.total(), refusal))
}

fn answer(last: u64, refused: u64, refusal: Option<String>) -> Response {
    let mut response = match refusal {
        // The status has no place for a text.
        None => Response::new(StatusCode::NoContent),
        Some(text) => Response::builder(StatusCode::Ok).body(text).build(),
    };
    response.insert_header(LAST_HEADER, last.to_string());
    if 0 < refused {
        response.insert_header(REFUSED_HEADER, refused.to_string());
    }
    response
}
