//! Passwords that were right a moment ago: programs send theirs with each request, and bcrypt takes a tenth of a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac;

use crate::access::credentials::User;

/// How long a password counts as right without being hashed again.
const REMEMBERED_TIME: Duration = Duration::from_mins(5);
/// Most passwords that are remembered.
const REMEMBERED_MAX: usize = 1000;

/// Keyed hashes of names, passwords and what they were compared with, by when that was.
#[derive(Default)]
pub(super) struct Passwords(Mutex<HashMap<Vec<u8>, Instant>>);

impl Passwords {
    pub(super) fn is_known(&self, key: &hmac::Key, user: &User, password: &str) -> bool {
        let hash = hash(key, user, password);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&hash).is_some_and(|since| since.elapsed() < REMEMBERED_TIME)
    }

    pub(super) fn remember(&self, key: &hmac::Key, user: &User, password: &str) {
        let hash = hash(key, user, password);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if REMEMBERED_MAX <= known.len() {
            known.retain(|_, since| since.elapsed() < REMEMBERED_TIME);
        }
        if known.len() < REMEMBERED_MAX {
            known.insert(hash, Instant::now());
        }
    }
}

/// Of all that was compared: a user whose password is changed is not known by the old one.
fn hash(key: &hmac::Key, user: &User, password: &str) -> Vec<u8> {
    let mut context = hmac::Context::with_key(key);
    for part in [b"password", user.entry.name.as_bytes(), user.hash.as_bytes(), password.as_bytes()] {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}
