//! Lines as a JSON array that is made while it is sent.
//!
//! One piece of the array is made on a blocking thread while the one before it is on its way to the client, so that an
//! answer of any length takes the memory of two pieces, and a client that reads slowly holds up no thread. Dropping the
//! stream, as a client that goes away does, ends the scan with the piece being made.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_std::io::{self, BufRead, Read};
use blocking::{Task, unblock};
use tide::http::mime;
use tide::{Body, Response, StatusCode};

use crate::api::wire;
use crate::log_database::{self, Scan};
use crate::model::Lines;

/// Size in bytes at which a piece is handed over: large enough that the hand-over costs nothing beside the scan.
const PIECE_BYTES: usize = 64 << 10;

/// The lines of an answer, in the order they are sent.
pub(super) enum Entries {
    /// As the database yields them.
    Scan(Scan),
    /// Held from a backward scan; the last one is sent first.
    Reversed {
        /// The lines, newest first.
        lines: Lines,
        /// How many of them are still to be sent.
        left: usize,
    },
}

impl Entries {
    /// The next line; `None` after the last.
    fn next(&mut self) -> Result<Option<&[u8]>, log_database::Error> {
        match self {
            Self::Scan(scan) => Ok(scan.next()?.map(|entry| entry.line)),
            Self::Reversed { left: 0, .. } => Ok(None),
            Self::Reversed { lines, left } => {
                *left -= 1;
                Ok(Some(lines.get(*left).1))
            }
        }
    }
}

/// Makes a JSON array of lines, piece by piece.
pub(super) struct LineArray {
    entries: Entries,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unopened,
    Open,
    Closed,
}

impl LineArray {
    pub(super) fn new(entries: Entries) -> Self {
        Self { entries, progress: Progress::Unopened }
    }

    /// The next piece, of [`PIECE_BYTES`] and up to one line more; empty after the last.
    pub(super) fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let mut piece = Vec::new();
        while self.progress != Progress::Closed && piece.len() < PIECE_BYTES {
            let Some(line) = self.entries.next()? else {
                piece.extend_from_slice(if self.progress == Progress::Unopened { b"[]\n" } else { b"]\n" });
                self.progress = Progress::Closed;
                break;
            };
            piece.extend_from_slice(if self.progress == Progress::Unopened { b"[" } else { b",\n" });
            wire::push_line(&mut piece, line);
            self.progress = Progress::Open;
        }
        Ok(piece)
    }

    /// The answer whose first piece is `first`; one that is complete with it has a length.
    pub(super) fn into_response(self, first: Vec<u8>) -> Response {
        let body = if self.progress == Progress::Closed {
            Body::from(first)
        } else {
            Body::from_reader(LineStream { piece: first, sent: 0, next: Some(spawn(self)) }, None)
        };
        let mut response = Response::new(StatusCode::Ok);
        response.set_body(body);
        response.set_content_type(mime::JSON);
        response
    }
}

/// An array and its next piece.
type Made = (LineArray, Result<Vec<u8>, log_database::Error>);

fn spawn(mut array: LineArray) -> Task<Made> {
    unblock(move || {
        let piece = array.next_piece();
        (array, piece)
    })
}

/// Reads a [`LineArray`] while a blocking thread makes it.
struct LineStream {
    piece: Vec<u8>,
    /// How much of `piece` has been read, in bytes.
    sent: usize,
    /// The piece after it; `None` once there is none.
    next: Option<Task<Made>>,
}

impl BufRead for LineStream {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let stream = self.get_mut();
        if stream.sent == stream.piece.len()
            && let Some(next) = &mut stream.next
        {
            let (array, piece) = ready!(Pin::new(next).poll(context));
            stream.next = None;
            stream.piece = piece.map_err(|error| {
                log::error!("an answer broke off: {error}");
                io::Error::other(error)
            })?;
            stream.sent = 0;
            if !stream.piece.is_empty() {
                stream.next = Some(spawn(array));
            }
        }
        Poll::Ready(Ok(stream.piece.get(stream.sent..).unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.sent += amount;
    }
}

impl Read for LineStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut available = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = std::io::Read::read(&mut available, buffer)?;
        self.consume(amount);
        Poll::Ready(Ok(amount))
    }
}
