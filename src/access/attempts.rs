//! How often somebody may be wrong: guessing a password is slow for whoever guesses, and costs this machine little.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often an address may be wrong in [`PERIOD`].
const FAILURES_MAX: u32 = 10;
/// The time after which it is forgotten how often an address was wrong.
const PERIOD: Duration = Duration::from_mins(1);
/// Most addresses that are remembered; for further ones, all count as one.
const ADDRESSES_MAX: usize = 10_000;

/// Somebody was wrong too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// When they may try again.
    pub after: Duration,
}

/// How often each address was wrong of late.
#[derive(Debug)]
pub struct Attempts<A>(Mutex<HashMap<Option<A>, (u32, Instant)>>);

impl<A> Default for Attempts<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Eq + Hash + Copy> Attempts<A> {
    /// Counts an attempt as a failure beforehand, so that many at a time are no more than one after the other.
    ///
    /// # Errors
    ///
    /// [`TooManyAttempts`] where there were too many already.
    pub fn begin(&self, address: A, now: Instant) -> Result<(), TooManyAttempts> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ADDRESSES_MAX <= failures.len() {
            failures.retain(|_, (_, since)| now.duration_since(*since) < PERIOD);
        }
        let key =
            if failures.len() < ADDRESSES_MAX || failures.contains_key(&Some(address)) { Some(address) } else { None };
        let (count, since) = failures.entry(key).or_insert((0, now));
        let age = now.duration_since(*since);
        if PERIOD <= age {
            (*count, *since) = (0, now);
        }
        if FAILURES_MAX <= *count {
            return Err(TooManyAttempts { after: PERIOD.saturating_sub(age) });
        }
        *count += 1;
        Ok(())
    }

    /// Takes back that the attempt was a failure.
    pub fn succeed(&self, address: A) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((count, _)) = failures.get_mut(&Some(address)) {
            *count = count.saturating_sub(1);
        }
    }
}
