//! How much memory one query may take, and whether anybody still waits for it.
//!
//! Whoever works for the query asks before it keeps something, and now and then whether to go on. All queries draw on one
//! pool as well, so that together they take no more than that, however many of them there are and however slowly their
//! answers are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Most bytes that one query keeps in memory where nothing else is said: a thousand busy streams, or half a million
/// points. Above, the machine's other work is worth more than the query.
pub const QUERY_BYTES_MAX: usize = 64 << 20;

/// What one query may take.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    taken: AtomicUsize,
    is_cancelled: AtomicBool,
    pool: Option<Arc<Self>>,
}

/// Why a query may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would keep more than it may.
    #[error(
        "the query needs more than {} MiB of memory; ask for a shorter time, fewer streams or lines, longer steps, or \
         group by fewer labels", bytes_max >> 20
    )]
    TooMuch {
        /// How much it may keep, in bytes.
        bytes_max: usize,
    },
    /// All queries together would keep more than they may.
    #[error("other queries take all of the {} MiB of memory that there are for them; try again later", bytes_max >> 20)]
    TooMuchTogether {
        /// How much all of them may keep, in bytes.
        bytes_max: usize,
    },
    /// Nobody waits for it any more.
    #[error("the query was abandoned")]
    Abandoned,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(QUERY_BYTES_MAX)
    }
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self::of(bytes_max, None)
    }

    /// So many bytes, which are taken from `pool` as well, and from the one that this may take from itself.
    pub fn within(pool: Arc<Self>, bytes_max: usize) -> Self {
        Self::of(bytes_max, Some(pool))
    }

    fn of(bytes_max: usize, pool: Option<Arc<Self>>) -> Self {
        Self { bytes_max, taken: AtomicUsize::new(0), is_cancelled: AtomicBool::new(false), pool }
    }

    /// How many bytes there are in all.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// How many bytes are taken.
    pub fn taken_bytes(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` for something that is kept until [`Budget::give_back`], or until the budget is dropped.
    ///
    /// # Errors
    ///
    /// See [`Refusal`]. Nothing was taken.
    pub fn take(&self, bytes: usize) -> Result<(), Refusal> {
        self.check()?;
        if !self.try_take(bytes) {
            return Err(Refusal::TooMuch { bytes_max: self.bytes_max });
        }
        let Some(pool) = &self.pool else { return Ok(()) };
        pool.take(bytes).map_err(|refusal| {
            self.taken.fetch_sub(bytes, Ordering::Relaxed);
            match refusal {
                Refusal::TooMuch { bytes_max } => Refusal::TooMuchTogether { bytes_max },
                other => other,
            }
        })
    }

    /// Gives back `bytes` that were taken.
    pub fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(pool) = &self.pool {
            pool.give_back(bytes);
        }
    }

    /// Ends the query where it next asks whether to go on.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// # Errors
    ///
    /// [`Refusal::Abandoned`] after [`Budget::cancel`].
    pub fn check(&self) -> Result<(), Refusal> {
        if self.is_cancelled() { Err(Refusal::Abandoned) } else { Ok(()) }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.bytes_max);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.give_back(self.taken_bytes());
        }
    }
}

/// What a [`Share`] takes at a time, in bytes: asking for every few bytes would have threads wait for each other.
const SHARE_STEP_BYTES: usize = 16 << 10;

/// Takes from a budget for what grows in small steps, and gives it all back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    used: usize,
    taken: usize,
}

impl Share {
    /// Nothing yet.
    pub fn of(budget: Arc<Budget>) -> Self {
        Self { budget, used: 0, taken: 0 }
    }

    /// Nothing yet, of the same budget, in place of what there is.
    #[must_use]
    pub fn replace(&mut self) -> Self {
        let nothing = Self::of(Arc::clone(&self.budget));
        std::mem::replace(self, nothing)
    }

    /// Takes `bytes` more.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn take(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.used += bytes;
        if self.taken < self.used {
            let step = (self.used - self.taken).next_multiple_of(SHARE_STEP_BYTES);
            self.budget.take(step)?;
            self.taken += step;
        }
        Ok(())
    }

    /// Keeps `bytes` that were taken for what comes next.
    pub fn give_back(&mut self, bytes: usize) {
        self.used -= bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_counts_until_it_is_given_back() {
        let budget = Budget::new(10);
        assert_eq!(budget.take(10), Ok(()));
        assert_eq!(budget.take(1), Err(Refusal::TooMuch { bytes_max: 10 }));
        budget.give_back(4);
        assert_eq!(budget.take(5), Err(Refusal::TooMuch { bytes_max: 10 }));
        assert_eq!(budget.take(4), Ok(()));
        assert_eq!(budget.take(usize::MAX), Err(Refusal::TooMuch { bytes_max: 10 }));
    }

    #[test]
    fn queries_share_a_pool_and_leave_it_as_they_found_it() {
        let pool = Arc::new(Budget::new(10));
        let [one, other] = [(); 2].map(|()| Budget::within(Arc::clone(&pool), 8));
        assert_eq!(one.take(7), Ok(()));
        assert_eq!(other.take(4), Err(Refusal::TooMuchTogether { bytes_max: 10 }));
        assert_eq!((other.take(3), other.taken_bytes(), pool.taken_bytes()), (Ok(()), 3, 10));
        one.give_back(2);
        drop(one);
        assert_eq!((other.take(5), pool.taken_bytes()), (Ok(()), 8));
        drop(other);
        assert_eq!(pool.taken_bytes(), 0);
    }

    #[test]
    fn a_pool_may_be_part_of_another() {
        let all = Arc::new(Budget::new(10));
        let some = Arc::new(Budget::within(Arc::clone(&all), 6));
        let one = Budget::within(Arc::clone(&some), 8);
        assert_eq!(one.take(7), Err(Refusal::TooMuchTogether { bytes_max: 6 }));
        assert_eq!((one.take(5), some.taken_bytes(), all.taken_bytes()), (Ok(()), 5, 5));
        assert_eq!(all.take(5), Ok(()));
        assert_eq!(one.take(1), Err(Refusal::TooMuchTogether { bytes_max: 10 }));
        assert_eq!((one.taken_bytes(), some.taken_bytes(), all.taken_bytes()), (5, 5, 10));
        one.give_back(1);
        drop(one);
        assert_eq!((some.taken_bytes(), all.taken_bytes()), (0, 5));
    }

    #[test]
    fn a_share_takes_in_steps_and_gives_all_back() {
        let budget = Arc::new(Budget::new(2 * SHARE_STEP_BYTES));
        let mut share = Share::of(Arc::clone(&budget));
        assert_eq!((share.take(1), budget.taken_bytes()), (Ok(()), SHARE_STEP_BYTES));
        assert_eq!((share.take(SHARE_STEP_BYTES), budget.taken_bytes()), (Ok(()), 2 * SHARE_STEP_BYTES));
        let before = share.replace();
        assert_eq!(share.take(1), Err(Refusal::TooMuch { bytes_max: 2 * SHARE_STEP_BYTES }));
        drop(before);
        assert_eq!(budget.taken_bytes(), 0);
    }

    #[test]
    fn nothing_is_taken_for_what_nobody_waits_for() {
        let budget = Budget::default();
        budget.cancel();
        assert_eq!(budget.take(0), Err(Refusal::Abandoned));
        assert_eq!(budget.check(), Err(Refusal::Abandoned));
    }
}
