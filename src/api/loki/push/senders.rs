//! Batches that other agents of this kind forward: each has a sender and a number, and is stored once.
//!
//! | header | says |
//! |---|---|
//! | `X-Monitoring-Sender` | who sends: 32 hexadecimal digits |
//! | `X-Monitoring-Batch` | the number of the batch, one more than that of the one before |
//! | `X-Monitoring-Check` | a checksum of what the batch holds, in hexadecimal digits, the same whenever it comes again |
//! | `X-Monitoring-Last`, of the answer | the last batch of that sender that is stored |
//! | `X-Monitoring-Refused`, of the answer | how many entries of this one are not, which the answer's text explains |
//!
//! A push without a number and without entries asks for the last batch. The number is stored in one commit with the lines, and what
//! has a number that is not above the last one is there already: the sender did not get the answer. Unless its checksum says that it
//! is another batch: then two agents send under one name, as they do when a data directory was copied, and the one is told by a 409 to
//! take another name. What is refused of a batch does not come again; a batch is taken as a whole or not at all in any other case.

use std::collections::{HashMap, VecDeque};
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
const CHECK_HEADER: &str = "X-Monitoring-Check";
const LAST_HEADER: &str = "X-Monitoring-Last";
const REFUSED_HEADER: &str = "X-Monitoring-Refused";
/// Most senders that are remembered.
const SENDERS_MAX: usize = 10_000;
/// Of how many of a sender's last batches it is remembered what they hold: more than may come again.
const CHECKS_MAX: usize = 8;
/// Begins the sources of what is stored of senders; longer than those of collectors, so that none is taken for the other.
const PREFIX: &[u8] = b"\0last batch of the sender \0";
const _: () = assert!(COLLECTOR_SOURCE_BYTES < PREFIX.len());

/// Names a sender.
type Sender = u128;

/// The last batches of each sender.
#[derive(Debug, Default)]
pub(in crate::api) struct Senders(HashMap<Sender, Last>);

impl Senders {
    /// Those that `database` knows of.
    pub(in crate::api) fn of(database: &Database) -> Self {
        let last = database.checkpoints().into_iter().filter_map(|checkpoint| {
            let sender = checkpoint.source.strip_prefix(PREFIX)?.try_into().ok()?;
            Some((Sender::from_le_bytes(sender), Last::decode(&checkpoint.position?)?))
        });
        Self(last.collect())
    }
}

/// The last batch of a sender, and what it and those before it hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Last {
    number: u64,
    /// Checksums of the batches up to it, the earliest first; at most [`CHECKS_MAX`].
    checks: VecDeque<u32>,
}

/// What a batch is to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    New,
    Stored,
    /// Another one with its number was stored.
    Taken,
}

impl Last {
    /// As bytes: the number and the checksums, little-endian.
    fn encode(&self) -> Vec<u8> {
        self.number.to_le_bytes().into_iter().chain(self.checks.iter().flat_map(|check| check.to_le_bytes())).collect()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, checks) = bytes.split_first_chunk()?;
        let (checks, []) = checks.as_chunks() else { return None };
        let checks = checks.iter().take(CHECKS_MAX).map(|check| u32::from_le_bytes(*check)).collect();
        Some(Self { number: u64::from_le_bytes(*number), checks })
    }

    /// Where the batch `number` belongs. Without checksums, each one is taken for what its number says.
    fn place(&self, number: u64, check: Option<u32>) -> Place {
        let Some(back) = self.number.checked_sub(number) else { return Place::New };
        let (Some(check), false) = (check, self.checks.is_empty()) else { return Place::Stored };
        let known = usize::try_from(back).ok().and_then(|back| self.checks.iter().nth_back(back));
        if known == Some(&check) { Place::Stored } else { Place::Taken }
    }

    /// The same with a batch that is new. Batches that are missing in between, or have no checksum, end what is known of those before.
    fn with(mut self, number: u64, check: Option<u32>) -> Self {
        if number != self.number + 1 || check.is_none() {
            self.checks.clear();
        }
        self.checks.extend(check);
        if CHECKS_MAX < self.checks.len() {
            self.checks.pop_front();
        }
        Self { number, ..self }
    }
}

/// Who sends a push, and which batch it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered {
    sender: Sender,
    /// `None` where the sender asks for the last one.
    number: Option<u64>,
    /// `None` where the sender says none.
    check: Option<u32>,
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
        let check = header(CHECK_HEADER).map(|text| u32::from_str_radix(text, 16).map_err(|_| wrong(CHECK_HEADER)));
        Ok(Some(Self { sender, number, check: check.transpose()? }))
    }
}

/// Stores a batch unless it is there, and waits until it is durable.
pub(super) fn store(
    state: &State,
    format: Format,
    body: &[u8],
    turn: SemaphoreGuard<'static>,
    Numbered { sender, number, check }: Numbered,
) -> Result<Response, Error> {
    let State { database, senders, agent: status, bodies, .. } = state;
    let taken = |number: u64| {
        let message = format!(
            "another batch {number} of the sender {sender:032x} is stored: two agents send under one name, which happens \
             when a data directory is copied"
        );
        Error::new(StatusCode::Conflict, message)
    };
    let known = last_of(senders, sender);
    log::debug!("batch {number:?} of the sender {sender:032x}, whose last one is {}", known.number);
    let number = match number.map(|number| (number, known.place(number, check))) {
        Some((number, Place::New)) => number,
        Some((number, Place::Taken)) => return Err(taken(number)),
        Some((_, Place::Stored)) | None => {
            drop(turn);
            // It may be stored and not durable yet.
            database.sync().map_err(unavailable)?;
            return Ok(answer(known.number, 0, None));
        }
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
    {
        // Held until the database has the batch: the same one may come on another connection.
        let mut senders = senders.lock().unwrap_or_else(PoisonError::into_inner);
        let known = senders.0.get(&sender).cloned();
        if known.is_none() && SENDERS_MAX <= senders.0.len() {
            let message = format!("there are more than {SENDERS_MAX} senders; send without {SENDER_HEADER}");
            return Err(Error::new(StatusCode::Forbidden, message));
        }
        let known = known.unwrap_or_default();
        match known.place(number, check) {
            Place::New => {
                let last = known.with(number, check);
                let source = [PREFIX, &sender.to_le_bytes()].concat();
                batch.checkpoint = Some(Checkpoint { source, position: Some(last.encode()) });
                database.append(batch).map_err(unavailable)?;
                senders.0.insert(sender, last);
                status.pushes.entries.add(count as u64);
                status.pushes.bytes.add(bytes as u64);
                refused.count_in(&status.pushes);
            }
            Place::Taken => return Err(taken(number)),
            Place::Stored => {}
        }
    }
    drop(turn);
    database.sync().map_err(unavailable)?;
    Ok(answer(number, refused.total(), refusal))
}

/// What is known of a sender.
fn last_of(senders: &Mutex<Senders>, sender: Sender) -> Last {
    senders.lock().unwrap_or_else(PoisonError::into_inner).0.get(&sender).cloned().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_comes_again_is_told_from_another_one_with_its_number() {
        let mut last = Last::default();
        for number in 1..=20 {
            last = last.with(number, Some(100 + u32::try_from(number).unwrap()));
            assert_eq!(Last::decode(&last.encode()), Some(last.clone()));
        }
        assert_eq!(last.place(21, Some(1)), Place::New);
        for (number, place) in [(20, Place::Stored), (13, Place::Stored), (12, Place::Taken), (1, Place::Taken)] {
            assert_eq!(last.place(number, Some(100 + u32::try_from(number).unwrap())), place, "{number}");
            assert_eq!(last.place(number, Some(7)), Place::Taken, "{number}");
            assert_eq!(last.place(number, None), Place::Stored, "{number}");
        }
        // Of what is before a gap nothing is known, nor of what has no checksum.
        let last = last.with(30, Some(130));
        assert_eq!((last.place(30, Some(130)), last.place(20, Some(120))), (Place::Stored, Place::Taken));
        let last = last.with(31, None);
        assert_eq!((last.place(31, Some(1)), last.place(30, Some(1))), (Place::Stored, Place::Stored));
        assert_eq!(Last::decode(&31_u64.to_le_bytes()), Some(last));
        assert_eq!(Last::decode(&[0; 9]), None);
    }
}
