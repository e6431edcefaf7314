//! What is appended from now on, batch by batch, for whoever wants each line as it comes.
//!
//! The writer hands every subscriber the batch itself, which all of them and the journal share, and goes on. What a slow
//! subscriber has not taken is bounded: the oldest batches make way for new ones, and their lines are counted. So every
//! queue holds the newest batches, and all of them together take no more memory than the longest one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log_database::view::View;
use crate::model::{Batch, Labels, Timestamp};

/// Most bytes of batches that wait for a subscriber: some seconds of what a busy machine logs.
pub(super) const QUEUE_BYTES_MAX: usize = 8 << 20;
/// Of how many streams it is remembered that lines were missed; of further ones, these are only counted.
const MISSED_STREAMS_MAX: usize = 1000;

/// Everything that is appended while this lives; see [`crate::log_database::Database::subscribe`].
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
    /// Of which streams it brings what is appended.
    view: View,
}

/// What was appended since the last look.
#[derive(Debug, Default)]
pub struct Received {
    /// In the order of appending.
    pub batches: Vec<Arc<Batch>>,
    /// What was appended before them, and dropped because nobody looked for too long.
    pub missed: Missed,
}

/// Lines that a subscriber was too slow for.
#[derive(Debug, Default)]
pub struct Missed {
    /// How many.
    pub line_count: u64,
    /// Streams that they are of; not all where there are very many.
    pub streams: BTreeMap<Labels, MissedOfStream>,
}

/// Lines of one stream that a subscriber was too slow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedOfStream {
    /// The time of the last one.
    pub last: Timestamp,
    /// How many.
    pub line_count: u64,
}

impl Subscription {
    pub(super) fn new(bytes_max: usize, view: View, wake: Box<dyn Fn() + Send + Sync>) -> (Self, Arc<Queue>) {
        let queue = Arc::new(Queue { bytes_max, waiting: Mutex::default(), wake });
        (Self { queue: Arc::clone(&queue), view }, queue)
    }

    /// Everything that was appended since the last call, or since the subscription. Never waits.
    pub fn take(&self) -> Received {
        let received = std::mem::take(&mut *self.queue.waiting()).received;
        self.view.of_received(received)
    }
}

/// A subscription as the writer sees it.
pub(super) struct Queue {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    received: Received,
    /// What each batch costs.
    costs: VecDeque<usize>,
    bytes: usize,
}

impl Queue {
    /// Adds a batch; the lock is held for as long as it takes to move pointers.
    pub(super) fn push(&self, batch: &Arc<Batch>, cost_bytes: usize) {
        self.waiting().push(batch, cost_bytes, self.bytes_max);
    }

    /// Tells the subscriber that there is something new.
    pub(super) fn wake(&self) {
        (self.wake)();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl Waiting {
    fn push(&mut self, batch: &Arc<Batch>, cost_bytes: usize, bytes_max: usize) {
        self.received.batches.push(Arc::clone(batch));
        self.costs.push_back(cost_bytes);
        self.bytes += cost_bytes;
        let mut too_many = 0;
        while bytes_max < self.bytes {
            let Some(cost_bytes) = self.costs.pop_front() else { break };
            self.bytes -= cost_bytes;
            too_many += 1;
        }
        for batch in self.received.batches.drain(..too_many) {
            self.received.missed.add(&batch);
        }
    }
}

impl Missed {
    fn add(&mut self, batch: &Batch) {
        self.line_count += batch.line_count() as u64;
        for stream in &batch.streams {
            let Some(last) = stream.lines.timestamps().last() else { continue };
            let line_count = stream.lines.len() as u64;
            if let Some(missed) = self.streams.get_mut(&stream.labels) {
                *missed = MissedOfStream { last: *last, line_count: missed.line_count + line_count };
            } else if self.streams.len() < MISSED_STREAMS_MAX {
                self.streams.insert(stream.labels.clone(), MissedOfStream { last: *last, line_count });
            }
        }
    }
}
