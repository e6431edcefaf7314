//! Bodies of answers that are made while they are sent, and compressed where the client asks for it.
//!
//! One piece of a body is made on a blocking thread while the one before it is on its way to the client, so that an
//! answer of any length takes the memory of a few pieces beside what it is made of, and a client that reads slowly holds up
//! no thread. All that are sent at a time have a budget for that: beyond half of it they are not compressed, which takes
//! more than the pieces, and beyond all of it refused. A client that goes away cancels the query's budget, and with it the
//! piece that is being made.

use std::collections::VecDeque;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use async_lock::Semaphore;
use async_std::io::{self, BufRead, Read};
use async_std::task::{self, JoinHandle};
use blocking::unblock;
use flate2::Compression;
use flate2::write::GzEncoder;
use tide::{Body, Next, Request, Response, StatusCode};

use crate::api::State;
use crate::api::error::Error;
use crate::log_database;
use crate::model::budget::{Budget, Refusal};

/// Size in bytes at which a piece is handed over: large enough that the hand-over costs nothing beside the making.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// Shorter bodies are not compressed: they fit one packet as they are.
const GZIP_BYTES_MIN: usize = 1 << 10;
/// Memory of an answer while it is sent, in bytes: a piece that is being made, one that is sent, and hyper's copy of it.
const SENDING_BYTES: usize = 3 * PIECE_BYTES;
/// Memory of compressing an answer, in bytes: 316 KiB of tables and a buffer.
const GZIP_BYTES: usize = 384 << 10;
/// Most pieces that are made at a time.
const PIECES_AT_ONCE_MAX: usize = 4;

/// Whose turn it is to make a piece; first come, first served.
static MAKING: Semaphore = Semaphore::new(PIECES_AT_ONCE_MAX);

/// Makes a body piece by piece.
pub(super) trait Pieces: Send + 'static {
    /// The next piece, of [`PIECE_BYTES`] or little more; empty after the last.
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error>;

    /// What the pieces are made within.
    fn budget(&self) -> &Arc<Budget>;
}

type Made = (Box<dyn Pieces>, Result<Vec<u8>, log_database::Error>);

/// A body that is still to be made; an extension of the answer until [`finish`] knows how the client wants it.
struct Unfinished {
    first: Vec<u8>,
    pieces: Box<dyn Pieces>,
    /// Compresses the pieces whatever the client takes.
    is_file: bool,
}

/// The answer whose body is `pieces`, of which the first is made here: what goes wrong with it still has a status. Blocks.
pub(super) fn response(mut pieces: impl Pieces) -> Result<Response, log_database::Error> {
    let mut first = pieces.next_piece()?;
    let mut response = Response::new(StatusCode::Ok);
    if first.len() < PIECE_BYTES {
        // What is as short as this is complete, or nearly so.
        loop {
            let next = pieces.next_piece()?;
            if next.is_empty() {
                response.set_body(Body::from(first));
                return Ok(response);
            }
            first.extend(next);
            if PIECE_BYTES <= first.len() {
                break;
            }
        }
    }
    response.insert_ext(Mutex::new(Unfinished { first, pieces: Box::new(pieces), is_file: false }));
    Ok(response)
}

/// The answer whose body is `pieces`, each of which is sent as soon as it is made; the first is made here. Blocks.
pub(super) fn streamed(mut pieces: impl Pieces) -> Result<Response, log_database::Error> {
    let first = pieces.next_piece()?;
    Ok(unfinished(Unfinished { first, pieces: Box::new(pieces), is_file: false }))
}

/// As [`streamed`], as a gzipped file. Blocks.
pub(super) fn streamed_gzip(mut pieces: impl Pieces) -> Result<Response, log_database::Error> {
    let mut pieces = Gzip::new(pieces.next_piece()?, Box::new(pieces));
    let first = pieces.next_piece()?;
    Ok(unfinished(Unfinished { first, pieces: Box::new(pieces), is_file: true }))
}

fn unfinished(body: Unfinished) -> Response {
    let mut response = Response::new(StatusCode::Ok);
    response.insert_ext(Mutex::new(body));
    response
}

/// Gives answers their body in the form that the client takes.
pub(super) fn finish(
    request: Request<State>,
    next: Next<'_, State>,
) -> Pin<Box<dyn Future<Output = tide::Result> + Send + '_>> {
    Box::pin(async move {
        let mut takes_gzip = takes_gzip(&request);
        let sending = Arc::clone(request.state().queries.sending());
        let mut response = next.run(request).await;
        let answer: &mut tide::http::Response = response.as_mut();
        let unfinished = answer.ext_mut().remove::<Mutex<Unfinished>>();
        let body = match unfinished.map(|body| body.into_inner().unwrap_or_else(PoisonError::into_inner)) {
            Some(unfinished) => {
                let is_file = unfinished.is_file;
                let taken = match Sending::begin(sending, is_file, takes_gzip) {
                    Ok(taken) => taken,
                    Err(refusal) => return Ok(Response::from(&Error::from(refusal))),
                };
                takes_gzip = taken.is_compressed && !is_file;
                let body = unfinished.body(taken);
                if is_file {
                    set_body(answer, body);
                    return Ok(response);
                }
                body
            }
            None if answer.header("Content-Encoding").is_some() => return Ok(response),
            None if takes_gzip && answer.len().is_some_and(|length| GZIP_BYTES_MIN <= length) => {
                let bytes = answer.take_body().into_bytes().await?;
                Body::from(unblock(move || gzip(&bytes)).await)
            }
            None => return Ok(response),
        };
        set_body(answer, body);
        if takes_gzip {
            answer.insert_header("Content-Encoding", "gzip");
        }
        answer.append_header("Vary", "Accept-Encoding");
        Ok(response)
    })
}

impl Unfinished {
    fn body(self, sending: Sending) -> Body {
        let Self { first, pieces, is_file } = self;
        let stream = if sending.is_compressed && !is_file {
            PieceStream::new(Vec::new(), Box::new(Gzip::new(first, pieces)), sending)
        } else {
            PieceStream::new(first, pieces, sending)
        };
        Body::from_reader(stream, None)
    }
}

/// Memory that an answer has while it is sent, given back when this is dropped.
struct Sending {
    is_compressed: bool,
    _taken: Budget,
}

impl Sending {
    /// Takes it from `all`. What has to be compressed is; what may be is as long as half of `all` is left.
    fn begin(all: Arc<Budget>, is_compressed: bool, may_be_compressed: bool) -> Result<Self, Refusal> {
        let has_room = all.taken_bytes() + GZIP_BYTES <= all.bytes_max() / 2;
        let is_compressed = is_compressed || may_be_compressed && has_room;
        let bytes = if is_compressed { SENDING_BYTES + GZIP_BYTES } else { SENDING_BYTES };
        let taken = Budget::within(all, bytes);
        taken.take(bytes)?;
        Ok(Self { is_compressed, _taken: taken })
    }
}

/// Sets a body and leaves its type as it was said to be.
fn set_body(answer: &mut tide::http::Response, body: Body) {
    let kind = answer.content_type();
    answer.set_body(body);
    if let Some(kind) = kind {
        answer.set_content_type(kind);
    }
}

/// Whether a request says that it takes gzip.
pub(super) fn takes_gzip(request: &Request<State>) -> bool {
    let accepted = request.header("Accept-Encoding").into_iter().flatten().flat_map(|value| value.as_str().split(','));
    accepted.map(|coding| coding.split_once(';').unwrap_or((coding, ""))).any(|(coding, quality)| {
        let is_refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// Pieces in the order of making, each compressed.
struct Gzip {
    /// A piece that was made before it was known how the client wants it.
    first: Vec<u8>,
    pieces: Box<dyn Pieces>,
    /// `None` at the end.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    fn new(first: Vec<u8>, pieces: Box<dyn Pieces>) -> Self {
        Self { first, pieces, encoder: Some(encoder()) }
    }
}

impl Pieces for Gzip {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let Some(encoder) = &mut self.encoder else { return Ok(Vec::new()) };
        let mut piece = std::mem::take(&mut self.first);
        if piece.is_empty() {
            piece = self.pieces.next_piece()?;
        }
        if piece.is_empty() {
            return Ok(self.encoder.take().map(ended).unwrap_or_default());
        }
        // What was found is not held back until the compressed bytes fill a piece.
        encoder.write_all(&piece).and_then(|()| encoder.flush()).expect(INTO_MEMORY);
        Ok(std::mem::take(encoder.get_mut()))
    }

    fn budget(&self) -> &Arc<Budget> {
        self.pieces.budget()
    }
}

/// A text that is made as a whole, within a budget, and goes piece by piece.
pub(super) struct Text {
    pieces: VecDeque<Vec<u8>>,
    budget: Arc<Budget>,
}

impl Text {
    /// No text yet.
    pub(super) fn within(budget: Arc<Budget>) -> Self {
        Self { pieces: VecDeque::new(), budget }
    }
}

impl Write for Text {
    /// Fails with a [`Refusal`] where the budget has nothing for another piece.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.pieces.back().is_none_or(|last| last.len() == PIECE_BYTES) {
            self.budget.take(PIECE_BYTES).map_err(std::io::Error::other)?;
            self.pieces.push_back(Vec::with_capacity(PIECE_BYTES));
        }
        let last = self.pieces.back_mut().expect("one was added");
        let count = bytes.len().min(PIECE_BYTES - last.len());
        last.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Pieces for Text {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let Some(piece) = self.pieces.pop_front() else { return Ok(Vec::new()) };
        self.budget.give_back(PIECE_BYTES);
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

/// Why compressing cannot fail.
pub(super) const INTO_MEMORY: &str = "writing to a vector cannot fail";

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::fast())
}

fn ended(encoder: GzEncoder<Vec<u8>>) -> Vec<u8> {
    encoder.finish().expect(INTO_MEMORY)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = encoder();
    encoder.write_all(bytes).expect(INTO_MEMORY);
    ended(encoder)
}

fn spawn(mut pieces: Box<dyn Pieces>) -> JoinHandle<Made> {
    task::spawn(async {
        let turn = MAKING.acquire().await;
        let make = move || {
            let _turn = turn;
            let piece = pieces.next_piece();
            (pieces, piece)
        };
        unblock(make).await
    })
}

/// Reads a body while blocking threads make it.
struct PieceStream {
    piece: Vec<u8>,
    /// How much of `piece` has been read, in bytes.
    sent: usize,
    /// The piece after it; `None` once there is none.
    next: Option<JoinHandle<Made>>,
    budget: Arc<Budget>,
    _sending: Sending,
}

impl PieceStream {
    fn new(first: Vec<u8>, pieces: Box<dyn Pieces>, sending: Sending) -> Self {
        let budget = Arc::clone(pieces.budget());
        Self { piece: first, sent: 0, next: Some(spawn(pieces)), budget, _sending: sending }
    }
}

impl Drop for PieceStream {
    fn drop(&mut self) {
        self.budget.cancel();
    }
}

impl BufRead for PieceStream {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let stream = self.get_mut();
        if stream.sent == stream.piece.len()
            && let Some(next) = &mut stream.next
        {
            let (pieces, piece) = ready!(Pin::new(next).poll(context));
            stream.next = None;
            stream.piece = piece.map_err(|error| {
                log::error!("an answer broke off: {error}");
                io::Error::other(error)
            })?;
            stream.sent = 0;
            if !stream.piece.is_empty() {
                stream.next = Some(spawn(pieces));
            }
        }
        Poll::Ready(Ok(stream.piece.get(stream.sent..).unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.sent += amount;
    }
}

impl Read for PieceStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut available = ready!(self.as_mut().poll_fill_buf(context))?;
        let amount = std::io::Read::read(&mut available, buffer)?;
        self.consume(amount);
        Poll::Ready(Ok(amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_compressed_while_there_is_room_and_refused_where_there_is_none() {
        let all = Arc::new(Budget::new(2 * (SENDING_BYTES + GZIP_BYTES)));
        let begin = |has_to| Sending::begin(Arc::clone(&all), has_to, true);
        let (first, second) = (begin(false).unwrap(), begin(false).unwrap());
        assert!(first.is_compressed && !second.is_compressed);
        assert!(matches!(begin(true), Err(Refusal::TooMuchTogether { .. })));
        let third = begin(false).unwrap();
        drop((first, second, third));
        assert_eq!(all.taken_bytes(), 0);
    }

    #[test]
    fn a_text_is_within_its_budget_and_goes_piece_by_piece() {
        let mut text = Text::within(Arc::new(Budget::new(3 * PIECE_BYTES)));
        text.write_all(&vec![b'x'; 2 * PIECE_BYTES + 1]).unwrap();
        let taken: Vec<usize> = std::iter::from_fn(|| {
            let piece = text.next_piece().unwrap();
            (!piece.is_empty()).then(|| text.budget.taken_bytes())
        })
        .collect();
        assert_eq!(taken, [2 * PIECE_BYTES, PIECE_BYTES, 0]);

        let mut text = Text::within(Arc::new(Budget::new(PIECE_BYTES)));
        assert!(text.write_all(&vec![b'x'; PIECE_BYTES + 1]).is_err());
    }
}
