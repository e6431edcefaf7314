//! What people have after they have logged in: a name, an end and a number, signed with a key that only this process has, so
//! that nothing of it is kept here but which ones have logged out. It ends with the process, with its time, when they log out
//! and when their password changes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::access::credentials::User;

/// How long a session lasts.
pub const SESSION_TIME: Duration = Duration::from_hours(12);
/// Most sessions of which it is remembered that they have ended before their time; the ones that would end first make room.
const ENDED_MAX: usize = 10_000;
/// Bytes of the number that tells sessions apart.
const NUMBER_BYTES: usize = 16;

pub(super) struct Sessions {
    key: hmac::Key,
    random: SystemRandom,
    /// Those that were ended, by what they were shown as, and when they would have ended, in seconds since the Unix epoch.
    ended: Mutex<HashMap<String, u64>>,
}

/// The time in seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whose session this says it is.
pub(super) fn name_of(shown: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(shown.split('.').next()?).ok()?).ok()
}

impl Sessions {
    pub(super) fn new(key: hmac::Key, random: SystemRandom) -> Self {
        Self { key, random, ended: Mutex::default() }
    }

    /// Begins a session; what is shown from then on: name, end, number and signature. `None` where there are no random
    /// numbers.
    pub(super) fn begin(&self, user: &User, now: u64) -> Option<String> {
        let mut number = [0; NUMBER_BYTES];
        self.random.fill(&mut number).ok()?;
        let end = now + SESSION_TIME.as_secs();
        let signed =
            format!("{}.{end}.{}", URL_SAFE_NO_PAD.encode(user.entry.name.as_bytes()), URL_SAFE_NO_PAD.encode(number));
        let signature = hmac::sign(&self.key, &self.message(user, &signed));
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(super) fn is_open(&self, user: &User, shown: &str, now: u64) -> bool {
        let Some((signed, signature)) = shown.rsplit_once('.') else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let has_ended = || self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(shown);
        hmac::verify(&self.key, &self.message(user, signed), &signature).is_ok()
            && end_of(signed).is_some_and(|end| now < end)
            && !has_ended()
    }

    /// Ends a session before its time.
    pub(super) fn end(&self, shown: &str, now: u64) {
        let Some(end) = end_of(shown) else { return };
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, end| now < *end);
        if ENDED_MAX <= ended.len() {
            let first = ended.iter().min_by_key(|(_, end)| **end).map(|(shown, _)| shown.clone());
            first.map(|first| ended.remove(&first));
        }
        ended.insert(shown.to_owned(), end);
    }

    /// What is signed; the hash of the password is part of it.
    #[expect(clippy::unused_self, reason = "it is said of a session of these")]
    fn message(&self, user: &User, signed: &str) -> Vec<u8> {
        [b"session\0", signed.as_bytes(), b"\0", user.hash.as_bytes()].concat()
    }
}

fn end_of(shown: &str) -> Option<u64> {
    shown.split('.').nth(1)?.parse().ok()
}
