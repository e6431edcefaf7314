//! One client's socket, which gives up on a client that stalls.
//!
//! hyper bounds how long it waits for a request's head, but does not tell a client that keeps an idle connection from
//! one that sends a head byte by byte, and waits for ever for one that does not read its answer. This socket knows when
//! an exchange (a request and its answer) is open, and bounds both. An answer takes memory for as long as it is sent,
//! so a client that takes it drop by drop is given up on as well.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_std::io::{self, Read, Write};
use async_std::net::TcpStream;
use hyper::rt::{Sleep, Timer};
use smol_hyper::rt::SmolTimer;

/// What a connection is doing; shared by the socket, which sees bytes, and the service, which sees requests.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    /// Between two exchanges.
    const IDLE: u8 = 0;
    /// A head has been begun and not ended.
    const HEAD: u8 = 1;
    /// From the end of a head to the end of its answer.
    const EXCHANGE: u8 = 2;
    /// A WebSocket is open.
    const CONVERSATION: u8 = 3;

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
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
    stream: TcpStream,
    phase: Arc<Phase>,
    head_timeout: Duration,
    patience: Patience,
    head_timer: Option<Pin<Box<dyn Sleep>>>,
    write_timer: Option<Pin<Box<dyn Sleep>>>,
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
    pub(super) fn new(stream: TcpStream, phase: Arc<Phase>, head_timeout: Duration, patience: Patience) -> Self {
        phase.set(Phase::HEAD);
        let head_timer = Some(SmolTimer::new().sleep(head_timeout));
        Self { stream, phase, head_timeout, patience, head_timer, write_timer: None }
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
        if progress.is_ready() {
            if self.phase.is(Phase::IDLE) {
                self.phase.set(Phase::HEAD);
                self.patience.renew();
                self.head_timer = Some(SmolTimer::new().sleep(self.head_timeout));
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
        let progress = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bound_write(progress, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.bound_write(progress, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
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
