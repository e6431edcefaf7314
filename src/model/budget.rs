//! How much memory may be taken, and whether anybody still waits for what it is taken for.
//!
//! Whoever keeps something whose size someone else chooses asks before, and a query asks now and then whether to go on. A
//! budget may be part of another: what one query takes, all queries take, and the process. The [budget of the
//! process](Budget::of_process) is measured as well: what nobody asked for leaves less for those who ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Most bytes that one query keeps in memory where nothing else is said: a thousand busy streams, or half a million
/// points. Above, the machine's other work is worth more than the query.
pub const QUERY_BYTES_MAX: usize = 64 << 20;

/// Most bytes that the process takes where nothing is said.
pub const MEMORY_BYTES: usize = 192 << 20;
/// The part of it that is kept for what is collected and stored: nobody else is given that.
const KEPT_SHARE: usize = 4;
/// How much is taken between two measurements of the process, in bytes.
const MEASURED_EVERY_BYTES: usize = 1 << 20;

/// What one query may take, or others.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    taken: AtomicUsize,
    is_cancelled: AtomicBool,
    /// When it ends by itself, and how long it was for.
    end: Option<(Instant, Duration)>,
    pool: Option<Arc<Self>>,
    gauge: Option<Gauge>,
}

/// Measures how many bytes of memory the process has; where it `is_short` of them, once what is not used was given back.
/// `None` where the system does not say.
pub type Measure = fn(is_short: bool) -> Option<usize>;

/// What the process has beside what was taken.
#[derive(Debug)]
struct Gauge {
    measure: Measure,
    beside: AtomicUsize,
    /// What was taken since it was measured.
    unmeasured: AtomicUsize,
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
    /// All together would keep more than they may.
    #[error("others take all of the {} MiB of memory that there are for this; try again later", bytes_max >> 20)]
    TooMuchTogether {
        /// How much all of them may keep, in bytes.
        bytes_max: usize,
    },
    /// Nobody waits for it any more.
    #[error("the query was abandoned")]
    Abandoned,
    /// It took as long as it may.
    #[error("the query takes more than {} s; ask for a shorter time or fewer streams", time_max.as_secs())]
    TooLong {
        /// How long it may take.
        time_max: Duration,
    },
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(QUERY_BYTES_MAX)
    }
}

impl Budget {
    /// So many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self::with(bytes_max, None, None)
    }

    /// So many bytes, which are taken from `pool` as well, and from the one that this may take from itself.
    pub fn within(pool: Arc<Self>, bytes_max: usize) -> Self {
        Self::with(bytes_max, Some(pool), None)
    }

    /// So many bytes of the whole process, of which a part is kept for what is collected and stored.
    pub fn of_process(bytes_max: usize, measure: Measure) -> Self {
        let gauge = Gauge {
            measure,
            beside: AtomicUsize::new(bytes_max / KEPT_SHARE),
            unmeasured: AtomicUsize::new(MEASURED_EVERY_BYTES),
        };
        Self::with(bytes_max, None, Some(gauge))
    }

    fn with(bytes_max: usize, pool: Option<Arc<Self>>, gauge: Option<Gauge>) -> Self {
        let (taken, is_cancelled) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { bytes_max, taken, is_cancelled, end: None, pool, gauge }
    }

    /// The same, for so long from now on.
    #[must_use]
    pub fn lasting(mut self, time_max: Duration) -> Self {
        self.end = Instant::now().checked_add(time_max).map(|end| (end, time_max));
        self
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
        // Most of what is added up takes nothing more, and the pool is everybody's. Nothing is always there, too: who needs no
        // memory need not wait where there is less than what was taken.
        if bytes == 0 {
            return Ok(());
        }
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

    /// Whether nobody waits any more, or not for so long.
    pub fn is_cancelled(&self) -> bool {
        self.check().is_err()
    }

    /// # Errors
    ///
    /// [`Refusal::Abandoned`] after [`Budget::cancel`], [`Refusal::TooLong`] once its [time](Budget::lasting) is over.
    pub fn check(&self) -> Result<(), Refusal> {
        match self.end {
            _ if self.is_cancelled.load(Ordering::Relaxed) => Err(Refusal::Abandoned),
            Some((end, time_max)) if end <= Instant::now() => Err(Refusal::TooLong { time_max }),
            _ => Ok(()),
        }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let Some(gauge) = &self.gauge else { return self.add(bytes, self.bytes_max) };
        if gauge.is_due(bytes) {
            gauge.look(self, false);
        }
        self.add(bytes, gauge.left_of(self.bytes_max)) || {
            gauge.look(self, true);
            self.add(bytes, gauge.left_of(self.bytes_max))
        }
    }

    fn add(&self, bytes: usize, bytes_max: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= bytes_max);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Gauge {
    /// Whether enough was taken since the last measurement, with `bytes` more.
    fn is_due(&self, bytes: usize) -> bool {
        MEASURED_EVERY_BYTES <= self.unmeasured.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes)
    }

    fn look(&self, budget: &Budget, is_short: bool) {
        self.unmeasured.store(0, Ordering::Relaxed);
        let kept = budget.bytes_max / KEPT_SHARE;
        let beside = (self.measure)(is_short).map_or(0, |bytes| bytes.saturating_sub(budget.taken_bytes()));
        self.beside.store(beside.max(kept), Ordering::Relaxed);
    }

    fn left_of(&self, bytes_max: usize) -> usize {
        bytes_max.saturating_sub(self.beside.load(Ordering::Relaxed))
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

    const MIB: usize = 1 << 20;

    #[test]
    fn what_the_process_has_beside_leaves_less_to_take() {
        static HAS: AtomicUsize = AtomicUsize::new(0);
        static IS_UNUSED: AtomicBool = AtomicBool::new(false);

        let measure = |is_short| {
            if is_short && IS_UNUSED.load(Ordering::Relaxed) {
                HAS.store(0, Ordering::Relaxed);
            }
            Some(HAS.load(Ordering::Relaxed))
        };
        let process = Budget::of_process(100 * MIB, measure);
        assert_eq!(process.take(75 * MIB), Ok(()), "all but what is kept");
        assert_eq!(process.take(1), Err(Refusal::TooMuch { bytes_max: 100 * MIB }));
        process.give_back(75 * MIB);
        HAS.store(90 * MIB, Ordering::Relaxed);
        assert!(process.take(11 * MIB).is_err());
        assert_eq!(process.take(10 * MIB), Ok(()));
        HAS.store(120 * MIB, Ordering::Relaxed);
        assert!(process.take(1).is_err());
        assert_eq!(process.take(0), Ok(()), "nothing is there even where too much was taken");
        process.give_back(10 * MIB);
        HAS.store(90 * MIB, Ordering::Relaxed);
        assert_eq!(process.take(10 * MIB), Ok(()));
        IS_UNUSED.store(true, Ordering::Relaxed);
        assert_eq!(process.take(65 * MIB), Ok(()), "what is not used is given back first");
    }

    #[test]
    fn nothing_is_taken_for_what_nobody_waits_for() {
        let budget = Budget::default();
        budget.cancel();
        assert_eq!(budget.take(0), Err(Refusal::Abandoned));
        assert_eq!(budget.check(), Err(Refusal::Abandoned));
    }
}
