//! What the templates of a query may cost for one line, and whether anybody still waits for the query.

use std::sync::Arc;

use crate::model::budget::Budget;

/// Most that templates may make of one line, in bytes: the longest line a dozen times over. What is made takes memory
/// and time alike, so this bounds both.
const MADE_BYTES_MAX: usize = 16 << 20;

/// What may still be made of a line.
#[derive(Clone, Debug, Default)]
pub(in crate::logql::stages) struct Allowance {
    left_bytes: usize,
    budget: Arc<Budget>,
}

impl Allowance {
    /// Makes templates fail once `budget` is cancelled.
    pub(in crate::logql::stages) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.budget = Arc::clone(budget);
    }

    /// Begins with another line.
    pub(in crate::logql::stages) fn begin(&mut self) {
        self.left_bytes = MADE_BYTES_MAX;
    }

    /// Counts `bytes` that are made or copied, or work that takes as long. After a refusal nothing more is granted for
    /// the line.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.budget.check().map_err(|refusal| refusal.to_string())?;
        let left_bytes = self.left_bytes.checked_sub(bytes);
        self.left_bytes = left_bytes.unwrap_or(0);
        match left_bytes {
            Some(_) => Ok(()),
            None => Err(format!("templates make more than {} MiB of one line", MADE_BYTES_MAX >> 20)),
        }
    }
}
