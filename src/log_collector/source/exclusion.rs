//! What is read and not stored, as whoever wrote it asks.

use super::{Columns, Reading, Source};
use crate::status::SkipReason;

impl Source {
    /// Leaves out what was gathered, and counts its bytes as skipped, where all names of the file are excluded.
    pub(super) fn leave_out_excluded(&mut self, columns: &mut Vec<Columns>, reading: &Reading<'_>) {
        let is_excluded = self.delivery_paths().all(|path| reading.naming.excludes(path));
        if is_excluded && self.delivery_paths().next().is_some() {
            reading.status.add_skipped(SkipReason::Excluded, std::mem::take(&mut self.taken));
            columns.clear();
        }
    }
}
