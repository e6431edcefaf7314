//! How many streams pushes may make: each takes memory for as long as its lines are kept, whatever is sent next.
//!
//! Files have limits of their own, so what is collected is not held up by what was pushed.

use crate::log_database::Database;
use crate::model::{Labels, StreamLines};

/// Most streams that there may be for a push to make another.
const STREAMS_MAX: usize = 50_000;
/// Most bytes that their labels may have together.
const LABELS_BYTES_MAX: usize = 32 << 20;

/// What was left out of a push.
#[derive(Debug)]
pub(super) struct LeftOut {
    pub(super) entries: u64,
    /// Loki's words of the first.
    pub(super) message: String,
}

/// Leaves out the streams that would be too many.
pub(super) fn leave_out(database: &Database, streams: &mut Vec<StreamLines>) -> Option<LeftOut> {
    leave_out_over(database, streams, STREAMS_MAX, LABELS_BYTES_MAX)
}

fn leave_out_over(
    database: &Database,
    streams: &mut Vec<StreamLines>,
    streams_max: usize,
    bytes_max: usize,
) -> Option<LeftOut> {
    let (mut count, mut bytes) = database.stream_totals();
    let mut is_known = database.are_known(streams.iter().map(|stream| &stream.labels)).into_iter();
    let mut left_out: Option<LeftOut> = None;
    streams.retain(|StreamLines { labels, lines }| {
        if is_known.next().is_some_and(|is_known| is_known) {
            return true;
        }
        count += 1;
        bytes += labels.byte_count();
        if count <= streams_max && bytes <= bytes_max {
            return true;
        }
        count -= 1;
        bytes -= labels.byte_count();
        left_out.get_or_insert_with(|| LeftOut { entries: 0, message: message(labels) }).entries += lines.len() as u64;
        false
    });
    left_out
}

fn message(labels: &Labels) -> String {
    format!(
        "Maximum active stream limit exceeded when trying to create stream {labels}, reduce the number of active streams \
         (reduce labels or reduce label values); the limits are {STREAMS_MAX} streams and {} MiB of labels, of all lines \
         that are kept",
        LABELS_BYTES_MAX >> 20
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log_database::storage::SimulatedStorage;
    use crate::model::{Batch, Lines, Timestamp};

    fn stream(value: &str) -> StreamLines {
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(1), b"line");
        StreamLines { labels: Labels::new([("app", value)]).unwrap(), lines }
    }

    /// Which of `pushed` are taken where `stored` are there.
    fn taken(stored: &[&str], pushed: &[&str], streams_max: usize, bytes_max: usize) -> (Vec<String>, u64) {
        let database = Database::open(Arc::new(SimulatedStorage::default())).unwrap();
        let streams = stored.iter().map(|value| stream(value)).collect();
        database.append(Batch { checkpoint: None, streams }).unwrap();
        database.commit().unwrap();
        let mut streams: Vec<StreamLines> = pushed.iter().map(|value| stream(value)).collect();
        let left_out = leave_out_over(&database, &mut streams, streams_max, bytes_max);
        let taken = streams.iter().map(|stream| stream.labels.get("app").unwrap().to_owned()).collect();
        (taken, left_out.map_or(0, |left_out| left_out.entries))
    }

    #[test]
    fn new_streams_are_taken_up_to_the_limits_and_those_that_are_there_always() {
        let all = ["a", "b", "c", "d"];
        assert_eq!(taken(&["a"], &all, 9, 99), (all.map(String::from).to_vec(), 0));
        assert_eq!(taken(&["a"], &all, 3, 99), (["a", "b", "c"].map(String::from).to_vec(), 1));
        assert_eq!(taken(&["d"], &all, 1, 99), (vec!["d".to_owned()], 3));
        // Each has four bytes of labels, and a long one keeps no short one out.
        assert_eq!(taken(&["a"], &["longer", "b", "c"], 9, 12), (["b", "c"].map(String::from).to_vec(), 1));
    }
}
