//! One client's socket, which gives up on a client that stalls.
//!
//! hyper bounds how long it waits for a request's head, but does not tell a client that keeps an idle connection from
//! one that sends a head byte by byte, and waits for ever for one that does not read its answer. This socket knows when
//! an exchange (a request and its answer) is open, and bounds both.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

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
    write_timeout: Duration,
    head_timer: Option<Pin<Box<dyn Sleep>>>,
    write_timer: Option<Pin<Box<dyn Sleep>>>,
}

impl Connection {
    /// A client has `head_timeout` from its first byte, and at first from now, to end a request's head, and
    /// `write_timeout` to take some of what is written.
    pub(super) fn new(stream: TcpStream, phase: Arc<Phase>, head_timeout: Duration, write_timeout: Duration) -> Self {
        phase.set(Phase::HEAD);
        let head_timer = Some(SmolTimer::new().sleep(head_timeout));
        Self { stream, phase, head_timeout, write_timeout, head_timer, write_timer: None }
    }

    /// Bounds how long `progress`, of a write, stays pending.
    fn bound_write(&mut self, progress: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if progress.is_ready() {
            self.write_timer = None;
            return progress;
        }
        let timer = self.write_timer.get_or_insert_with(|| SmolTimer::new().sleep(self.write_timeout));
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
