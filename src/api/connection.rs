//! One client's socket, which gives up on a client that stalls.
//!
//! hyper bounds how long it waits for a request's head, but does not tell a client that keeps an idle connection from
//! one that sends a head byte by byte, and waits for ever for one that does not read its answer. This socket knows when
//! an exchange (a request and its answer) is open, and bounds both. An answer takes memory for as long as it is sent,
//! so a client that takes it drop by drop is given up on as well. What a client still sends when it is refused is read and
//! thrown away for a while: else its system would throw away the refusal.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_std::io::{self, Read, Write};
use hyper::rt::{Sleep, Timer};
use smol_hyper::rt::SmolTimer;

use crate::api::framing::Framing;
use crate::api::tls::Transport;

/// Longest time for which the input of a refused client is thrown away.
const LINGER_TIME_MAX: Duration = Duration::from_secs(5);
/// Most of such input that is thrown away, in bytes.
const LINGER_BYTES_MAX: usize = 64 << 20;
/// Size of a read of it, in bytes.
const LINGER_ROOM_BYTES: usize = 16 << 10;

/// The beginning of the clock of phases.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What a connection is doing; shared by the socket, which sees bytes, and the service, which sees requests.
#[derive(Debug, Default)]
pub(super) struct Phase {
    is: AtomicU8,
    /// Since when, in milliseconds from [`EPOCH`].
    since_ms: AtomicU64,
    /// Whether a request was refused, of which a part may not have been read.
    has_refused: AtomicBool,
}

impl Phase {
    /// Between two exchanges.
    const IDLE: u8 = 0;
    /// A head has been begun and not ended.
    const HEAD: u8 = 1;
    /// From the end of a head to the end of its answer.
    const EXCHANGE: u8 = 2;
    /// A WebSocket is open.
    const CONVERSATION: u8 = 3;

    /// That of a new connection, whose client has yet to ask.
    pub(super) fn of_new() -> Arc<Self> {
        let phase = Self::default();
        phase.set(Self::HEAD);
        Arc::new(phase)
    }

    fn is(&self, phase: u8) -> bool {
        self.is.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        let since_ms = u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_ms.store(since_ms, Ordering::Relaxed);
        self.is.store(phase, Ordering::Relaxed);
    }

    /// Since when the client has asked for nothing, or not come to the end of asking, on a clock that only grows; `None`
    /// while it is answered.
    pub(super) fn waits_since(&self) -> Option<u64> {
        let waits = self.is(Self::IDLE) || self.is(Self::HEAD);
        waits.then(|| self.since_ms.load(Ordering::Relaxed))
    }

    /// A request is refused; after the answer the connection is closed.
    fn refuse(&self) {
        self.has_refused.store(true, Ordering::Relaxed);
    }
}

/// An exchange is open as long as this lives.
#[derive(Debug)]
pub(super) struct Exchange(Arc<Phase>);

impl Exchange {
    pub(super) fn begin(phase: &Arc<Phase>) -> Self {
        phase.set(Phase::EXCHANGE);
        Self(Arc::clone(phase))
    }

    /// The answer is a refusal, after which the connection is closed.
    pub(super) fn refuse(&self) {
        self.0.refuse();
    }

    /// Becomes a conversation, which has no answer to come to the end of: it goes on however little the client takes at
    /// a time.
    pub(super) fn converse(&self) {
        self.0.set(Phase::CONVERSATION);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.set(Phase::IDLE);
    }
}

/// A client's socket; see the module.
pub(super) struct Connection {
    stream: Transport,
    phase: Arc<Phase>,
    head_timeout: Duration,
    patience: Patience,
    framing: Framing,
    head_timer: Option<Pin<Box<dyn Sleep>>>,
    write_timer: Option<Pin<Box<dyn Sleep>>>,
    linger: Option<Linger>,
}

/// What is left to be thrown away of what a client sends.
struct Linger {
    timer: Pin<Box<dyn Sleep>>,
    bytes_left: usize,
}

/// How long what is written to a client may wait. What the client takes is time that it has gained.
#[derive(Debug)]
pub(super) struct Patience {
    max: Duration,
    bytes_per_second_min: u64,
    left: Duration,
    /// Since when something waits.
    since: Option<Instant>,
}

impl Patience {
    /// No more than `max` in all, and as much again for what the client takes at `bytes_per_second_min`.
    pub(super) fn new(max: Duration, bytes_per_second_min: u64) -> Self {
        Self { max, bytes_per_second_min, left: max, since: None }
    }

    /// Begins anew.
    fn renew(&mut self) {
        self.left = self.max;
    }

    /// Something waits; returns for how long it may from now on.
    fn wait(&mut self, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        self.left.saturating_sub(now - since)
    }

    /// The client has taken some bytes.
    fn take(&mut self, byte_count: usize, now: Instant) {
        let left = self.wait(now);
        self.since = None;
        let gained_ns =
            byte_count as u128 * Duration::from_secs(1).as_nanos() / u128::from(self.bytes_per_second_min.max(1));
        let gained = Duration::from_nanos(u64::try_from(gained_ns).unwrap_or(u64::MAX));
        self.left = left.saturating_add(gained).min(self.max);
    }
}

impl Connection {
    /// A client has `head_timeout` from its first byte, and at first from now, to end a request's head, and what is
    /// written of each answer waits as long as `patience` lasts.
    pub(super) fn new(stream: Transport, phase: Arc<Phase>, head_timeout: Duration, patience: Patience) -> Self {
        let head_timer = Some(SmolTimer::new().sleep(head_timeout));
        let framing = Framing::default();
        Self { stream, phase, head_timeout, patience, framing, head_timer, write_timer: None, linger: None }
    }

    /// Throws away what the client still sends, until it sends no more, or enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let begin = || Linger { timer: SmolTimer::new().sleep(LINGER_TIME_MAX), bytes_left: LINGER_BYTES_MAX };
        let linger = self.linger.get_or_insert_with(begin);
        let mut room = [0; LINGER_ROOM_BYTES];
        while let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, &mut room) {
            match read {
                Ok(count) if 0 < count && count <= linger.bytes_left => linger.bytes_left -= count,
                _ => return Poll::Ready(()),
            }
        }
        linger.timer.as_mut().poll(context)
    }

    /// What is written before a head has ended is hyper's own refusal of it.
    fn note_refusal(&self) {
        if self.phase.is(Phase::HEAD) {
            self.phase.refuse();
        }
    }

    /// Bounds how long `progress`, of a write, stays pending.
    fn bound_write(&mut self, progress: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &progress {
            self.write_timer = None;
            self.patience.take(written.as_ref().copied().unwrap_or_default(), Instant::now());
            if self.phase.is(Phase::CONVERSATION) {
                self.patience.renew();
            }
            return progress;
        }
        let left = self.patience.wait(Instant::now());
        let timer = self.write_timer.get_or_insert_with(|| SmolTimer::new().sleep(left));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.phase.is(Phase::HEAD) {
            self.head_timer = None;
        }
        let progress = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(read) = &progress {
            if self.phase.is(Phase::IDLE) {
                self.phase.set(Phase::HEAD);
                self.patience.renew();
                self.framing.begin();
                self.head_timer = Some(SmolTimer::new().sleep(self.head_timeout));
            }
            if let (Ok(count), false) = (read, self.phase.is(Phase::CONVERSATION)) {
                self.framing.follow(&mut buffer[..*count]);
            }
            return progress;
        }
        let Some(timer) = &mut self.head_timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Write for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.note_refusal();
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bound_write(progress, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note_refusal();
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.bound_write(progress, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_close(context))?;
        if self.phase.has_refused.load(Ordering::Relaxed) {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(30);

    /// How long a write may wait after these: how many seconds each waited, and how many bytes were taken then.
    #[track_caller]
    fn check(writes: &[(u64, usize)], left_seconds: u64) {
        let mut now = Instant::now();
        let mut patience = Patience::new(MAX, 1000);
        for (seconds, byte_count) in writes {
            assert!(!patience.wait(now).is_zero(), "given up before {seconds} {byte_count}");
            now += Duration::from_secs(*seconds);
            patience.take(*byte_count, now);
        }
        assert_eq!(patience.wait(now), Duration::from_secs(left_seconds), "writes: {writes:?}");
    }

    #[test]
    fn who_takes_enough_may_take_for_ever() {
        check(&[], 30);
        check(&[(0, 1); 10], 30);
        check(&[(20, 20_000); 100], 30);
        check(&[(1, 1_000_000), (25, 0)], 5);
    }

    #[test]
    fn who_takes_too_little_is_given_up_on() {
        check(&[(10, 1000)], 21);
        check(&[(10, 1000), (10, 1000), (10, 1000)], 3);
        check(&[(29, 0), (0, 0), (1, 0)], 0);
    }

    #[test]
    fn patience_lasts_while_something_waits() {
        let begun = Instant::now();
        let mut patience = Patience::new(MAX, 1000);
        let waited = [0, 10, 29, 31].map(|seconds| patience.wait(begun + Duration::from_secs(seconds)).as_secs());
        assert_eq!(waited, [30, 20, 1, 0]);
        patience.take(1, begun + Duration::from_secs(40));
        patience.renew();
        assert_eq!(patience.wait(begun + Duration::from_secs(40)), MAX);
    }
}
