//! How many queries there are at a time, how long each may take, and how much memory.
//!
//! Collecting comes first: whatever clients ask, it keeps its processors and its memory. So a query waits for its turn,
//! and gives up with a clear error where that does not come, where it takes too long, and where it would keep too much.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_lock::{Semaphore, SemaphoreGuardArc};
use async_std::future::timeout;
use blocking::unblock;
use tide::StatusCode;

use crate::api::error::Error;
use crate::model::budget::{Budget, MEMORY_BYTES, QUERY_BYTES_MAX};
use crate::status::Status;

/// What queries may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Most queries that work at a time; further ones wait for their turn.
    pub at_once_max: usize,
    /// How long a query may wait for its turn.
    pub queue_time_max: Duration,
    /// How long a query may take, once it is its turn.
    pub time_max: Duration,
    /// Most bytes that one query keeps in memory.
    pub bytes_max: usize,
    /// Most bytes that all queries keep in memory, those included whose answers are still being read: what one takes that
    /// takes all it may, and half of that for the others. Most take a few MiB. Tails take of the half only.
    pub all_bytes_max: usize,
    /// Most bytes that wait to be sent, and that compressing them takes, of all long answers together: however many clients
    /// read slowly, they take no more.
    pub sending_bytes_max: usize,
    /// Most live tails.
    pub tails_max: usize,
    /// Most bytes that one live tail keeps in memory: what comes while its client takes nothing, 8 MiB of which the
    /// database hands over at a time, and what is made of it to be sent. One whose client keeps up takes next to
    /// nothing.
    pub tail_bytes_max: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self::of(MEMORY_BYTES)
    }
}

impl QueryLimits {
    /// Those of a process that has so many bytes of memory.
    pub(super) fn of(memory_bytes: usize) -> Self {
        let at_once_max = 4;
        let bytes_max = QUERY_BYTES_MAX.min(memory_bytes / 3);
        Self {
            at_once_max,
            queue_time_max: Duration::from_secs(10),
            time_max: Duration::from_secs(30),
            bytes_max,
            all_bytes_max: bytes_max + bytes_max / 2,
            sending_bytes_max: memory_bytes / 3,
            tails_max: 32,
            tail_bytes_max: (12 << 20).min(bytes_max / 4),
        }
    }
}

/// The queries of one server.
#[derive(Debug)]
pub(super) struct Queries {
    limits: QueryLimits,
    turns: Arc<Semaphore>,
    tails: Arc<Semaphore>,
    pool: Arc<Budget>,
    /// The part of the pool that is for tails.
    tail_pool: Arc<Budget>,
    /// What answers take while they are sent.
    sending: Arc<Budget>,
    /// How many queries work, and how many tails there are.
    open: Open,
    status: Arc<Status>,
}

/// How many there are of each kind.
#[derive(Debug, Default)]
struct Open {
    queries: Arc<AtomicUsize>,
    tails: Arc<AtomicUsize>,
}

/// A turn, which is counted as long as it lasts.
pub(super) struct Turn {
    count: Arc<AtomicUsize>,
    _guard: SemaphoreGuardArc,
}

impl Turn {
    fn new(guard: SemaphoreGuardArc, count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count: Arc::clone(count), _guard: guard }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queries {
    /// Queries that keep to `limits`, and take what they do from `memory`.
    pub(super) fn new(limits: QueryLimits, memory: &Arc<Budget>, status: Arc<Status>) -> Self {
        let [turns, tails] = [limits.at_once_max, limits.tails_max].map(|count| Arc::new(Semaphore::new(count)));
        let pool = Arc::new(Budget::within(Arc::clone(memory), limits.all_bytes_max));
        let tail_bytes_max = limits.all_bytes_max.saturating_sub(limits.bytes_max);
        let tail_pool = Arc::new(Budget::within(Arc::clone(&pool), tail_bytes_max));
        let sending = Arc::new(Budget::within(Arc::clone(memory), limits.sending_bytes_max));
        Self { limits, turns, tails, pool, tail_pool, sending, open: Open::default(), status }
    }

    /// The budget of all answers while they are sent.
    pub(super) fn sending(&self) -> &Arc<Budget> {
        &self.sending
    }

    /// What queries may take.
    pub(super) fn limits(&self) -> QueryLimits {
        self.limits
    }

    /// How many queries work at the moment.
    pub(super) fn query_count(&self) -> usize {
        self.open.queries.load(Ordering::Relaxed)
    }

    /// How many live tails there are.
    pub(super) fn tail_count(&self) -> usize {
        self.open.tails.load(Ordering::Relaxed)
    }

    /// What `work` makes, on a blocking thread, for no longer than `time_max` where that is less than the limit.
    ///
    /// Work that nobody waits for any more ends where it next asks its budget, be it that the client went away or that
    /// the time is over.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        time_max: Option<Duration>,
        work: impl FnOnce(Arc<Budget>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turn().await?;
        let budget = Arc::new(Budget::within(Arc::clone(&self.pool), self.limits.bytes_max));
        let mut waiting = Waiting(Some(Arc::clone(&budget)));
        let status = Arc::clone(&self.status);
        let answer = unblock(move || {
            // Kept as long as the thread works, even where nobody waits any more.
            let _turn = turn;
            let answer = work(budget);
            status.queries.add(1);
            answer
        });
        let time_max = time_max.unwrap_or(Duration::MAX).min(self.limits.time_max);
        let answer = self.within(time_max, answer).await;
        if answer.is_ok() {
            // What is still to be sent is made within the budget.
            waiting.0 = None;
        }
        answer
    }

    /// One of the live tails there may be, for as long as the guard lives, and what it may take.
    pub(super) fn tail(&self) -> Result<(Turn, Budget), Error> {
        let turn = self.tails.try_acquire_arc().ok_or_else(|| {
            let max = self.limits.tails_max;
            let message = format!("max concurrent tail requests limit exceeded, count > limit ({} > {max})", max + 1);
            Error::new(StatusCode::TooManyRequests, message)
        })?;
        let turn = Turn::new(turn, &self.open.tails);
        Ok((turn, Budget::within(Arc::clone(&self.tail_pool), self.limits.tail_bytes_max)))
    }

    /// Waits until there is no live tail, for `time_max` at most.
    pub(super) async fn end_of_tails(&self, time_max: Duration) {
        let all_end = async {
            for _ in 0..self.limits.tails_max {
                self.tails.acquire().await.forget();
            }
        };
        if timeout(time_max, all_end).await.is_err() {
            log::warn!("live tails were cut off after {time_max:?} to let the agent stop");
        }
    }

    /// Waits for a turn.
    async fn turn(&self) -> Result<Turn, Error> {
        let QueryLimits { at_once_max, queue_time_max, .. } = self.limits;
        let turn = timeout(queue_time_max, self.turns.acquire_arc()).await.map_err(|_| {
            let message = format!(
                "too many outstanding requests: {at_once_max} queries are answered at a time, and none of them ended \
                 within {queue_time_max:?}; try again later"
            );
            Error::new(StatusCode::TooManyRequests, message)
        })?;
        Ok(Turn::new(turn, &self.open.queries))
    }

    async fn within<T>(&self, time_max: Duration, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        timeout(time_max, answer).await.unwrap_or_else(|_| {
            let message = format!(
                "request timed out, decrease the duration of the request or add more label matchers (equality or \
                 regexp) to reduce the amount of data; the limit is {time_max:?}"
            );
            Err(Error::new(StatusCode::GatewayTimeout, message))
        })
    }
}

/// Cancels the budget once nobody waits any more: the client left, or it took too long.
struct Waiting(Option<Arc<Budget>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(budget) = &self.0 {
            budget.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use async_std::task::{block_on, spawn};

    use super::*;
    use crate::model::budget::Refusal;

    fn limits() -> QueryLimits {
        QueryLimits { at_once_max: 1, queue_time_max: Duration::from_millis(10), ..QueryLimits::default() }
    }

    fn queries(limits: QueryLimits) -> Queries {
        Queries::new(limits, &Arc::new(Budget::new(MEMORY_BYTES)), Arc::default())
    }

    /// Works until its budget says that it may not go on.
    fn work_on(budget: &Budget) -> Refusal {
        loop {
            if let Err(refusal) = budget.check() {
                return refusal;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_client_that_leaves_ends_its_query() {
        let queries = Arc::new(queries(limits()));
        let (started, has_started) = channel();
        let (ended, has_ended) = channel();
        let task = spawn(async move {
            let work = move |budget: Arc<Budget>| {
                started.send(()).unwrap();
                ended.send(work_on(&budget)).unwrap();
                Ok(())
            };
            queries.run(None, work).await
        });
        has_started.recv().unwrap();
        block_on(task.cancel());
        assert_eq!(has_ended.recv().unwrap(), Refusal::Abandoned);
    }

    #[test]
    fn a_query_that_takes_too_long_is_told_so_and_ends() {
        let queries = queries(limits());
        // Work whose time is over before a thread is free for it never begins.
        let began = [1, 10, 100, 1000, 10_000].into_iter().map(Duration::from_millis).find_map(|time_max| {
            let (ended, has_ended) = channel();
            let work = move |budget: Arc<Budget>| {
                ended.send(work_on(&budget)).unwrap();
                Ok(())
            };
            let error = block_on(queries.run(Some(time_max), work)).unwrap_err().to_string();
            assert!(error.starts_with("request timed out, decrease the duration of the request or add"), "{error}");
            has_ended.recv().ok()
        });
        assert_eq!(began, Some(Refusal::Abandoned));
    }

    #[test]
    fn a_query_that_does_not_get_its_turn_is_told_so() {
        let queries = queries(limits());
        let _only_turn = block_on(queries.turn()).unwrap();
        let error = block_on(queries.run(None, |_| Ok(()))).unwrap_err().to_string();
        assert!(error.starts_with("too many outstanding requests: 1 queries"), "{error}");
    }

    #[test]
    fn tails_leave_a_query_all_that_it_may_take() {
        let queries = queries(QueryLimits::default());
        let tails: Vec<_> = (0..32).map(|_| queries.tail().unwrap().1).collect();
        let refused = tails.iter().filter(|tail| tail.take(queries.limits.tail_bytes_max).is_err()).count();
        assert_eq!(refused, 30);
        block_on(queries.run(None, |budget| Ok(budget.take(QUERY_BYTES_MAX)?))).unwrap();
        drop(tails);
        assert_eq!(queries.pool.taken_bytes(), 0);
    }

    #[test]
    fn a_turn_is_kept_until_the_work_ends_and_memory_is_given_back() {
        let queries = queries(limits());
        for _ in 0..3 {
            let work = |budget: Arc<Budget>| Ok(budget.take(QUERY_BYTES_MAX)?);
            block_on(queries.run(None, work)).unwrap();
        }
        let too_much = |budget: Arc<Budget>| Ok(budget.take(QUERY_BYTES_MAX + 1)?);
        let error = block_on(queries.run(None, too_much)).unwrap_err().to_string();
        assert!(error.starts_with("the query needs more than 64 MiB of memory; "), "{error}");
        assert_eq!(queries.pool.taken_bytes(), 0);
    }
}
