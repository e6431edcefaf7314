//! What a forwarder says of its target.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Timestamp;
use crate::status::Counter;

/// A target that lines are forwarded to, and how far it has come.
#[derive(Debug)]
pub struct Target {
    /// Its address, without what may be secret.
    pub address: String,
    /// The protocol that it is spoken to in.
    pub protocol: &'static str,
    /// Bytes that were sent, as they were compressed.
    pub sent_bytes: Counter,
    /// Lines that were acknowledged, since the start.
    pub acknowledged_lines: Counter,
    /// How often sending failed, since the start.
    pub failures: Counter,
    state: Mutex<TargetState>,
}

/// How a target is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetState {
    /// The number of the last batch that was acknowledged.
    pub batch: u64,
    /// Lines that wait to be acknowledged, and bytes of text in them.
    pub waiting_lines: u64,
    /// See `waiting_lines`.
    pub waiting_bytes: u64,
    /// The earliest time among what waits.
    pub oldest: Option<Timestamp>,
    /// Lines that retention has dropped before they were sent, since lines are forwarded there.
    pub dropped_lines: u64,
    /// Lines that the target has refused, likewise.
    pub refused_lines: u64,
    /// What it said of the last one that it refused.
    pub last_refusal: Option<String>,
    /// Why nothing is sent, while that is so.
    pub problem: Option<String>,
}

impl Target {
    /// A target to which nothing was sent.
    pub fn new(address: String, protocol: &'static str) -> Self {
        let (sent_bytes, acknowledged_lines, failures) = Default::default();
        Self { address, protocol, sent_bytes, acknowledged_lines, failures, state: Mutex::default() }
    }

    /// How it is now.
    pub fn state(&self) -> TargetState {
        self.lock().clone()
    }

    /// Changes how it is.
    pub fn update(&self, change: impl FnOnce(&mut TargetState)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, TargetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
