//! Places in the order of all entries: what an entry is known by, and where a scan begins and ends.
//!
//! An entry's place is its time, its stream, and how many entries of that stream with that very time were stored before
//! it. No format holds that number: it is counted, by a look at the times of the parts that may have that time. It stays
//! what it is while lines move from file to file, and becomes less only when retention drops an entry of the same time.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::log_database::index::StoredIn;
use crate::log_database::metadata;
use crate::log_database::snapshot::StreamView;
use crate::model::{Labels, Timestamp};

/// Most bytes of times of other parts that are kept to count in.
const TIMES_BYTES_MAX: usize = 8 << 20;

/// Names a stream: the first 64 bits of the MD5 of its labels' canonical text, a mark of metadata included.
pub fn stream_id(stored: &Labels) -> u64 {
    let digest = md5::compute(stored.to_string()).0;
    digest[..8].iter().fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// A place in the order of all entries: by time, then by the labels that are stored, then as appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When the entry was logged.
    pub timestamp: Timestamp,
    /// The labels that its stream is stored with, a mark of metadata included.
    pub stream: Labels,
    /// How many entries of the stream with this time were stored before it.
    pub number: u64,
}

impl Place {
    /// The place of the entry of the stream that was stored next, if that has the same time.
    #[must_use]
    pub fn next(self) -> Self {
        Self { number: self.number.saturating_add(1), ..self }
    }
}

/// Which part of the order is asked for.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Only the entry of this place and those after it, whether or not there is an entry.
    pub from: Option<Place>,
    /// Only entries before this place.
    pub before: Option<Place>,
}

/// [`Bounds`] as the parts of one stream see them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamBounds {
    from: Option<StreamEdge>,
    before: Option<StreamEdge>,
}

/// Where a place lies in a stream: between its entries of one time.
#[derive(Clone, Copy, Debug)]
struct StreamEdge {
    time: Timestamp,
    /// How many entries of that time are before it.
    count: u64,
}

/// Which lines of one part with a time at either end of a scan are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trim {
    /// Of the lines of this time, so many are before the first that is asked for.
    pub(super) from: Option<(Timestamp, u64)>,
    /// Of the lines of this time, so many are asked for.
    pub(super) before: Option<(Timestamp, u64)>,
}

impl Bounds {
    /// As the parts of this stream see them.
    pub(super) fn of_stream(&self, view: &StreamView) -> StreamBounds {
        let edge = |place: &Option<Place>| {
            let place = place.as_ref()?;
            let unmarked = metadata::unmark(&place.stream);
            let rank = (unmarked.as_ref().unwrap_or(&place.stream), unmarked.is_some());
            let count = match view.rank().cmp(&rank) {
                Ordering::Less => u64::MAX,
                Ordering::Equal => place.number,
                Ordering::Greater => 0,
            };
            Some(StreamEdge { time: place.timestamp, count })
        };
        StreamBounds { from: edge(&self.from), before: edge(&self.before) }
    }
}

impl StreamBounds {
    /// What is asked of a part of the stream with these times; `count_before` says how many lines of a time the parts
    /// before it have.
    pub(super) fn of_part(
        self,
        (earliest, latest): (Timestamp, Timestamp),
        count_before: impl Fn(Timestamp) -> u64,
    ) -> Trim {
        let trim = |edge: Option<StreamEdge>| {
            let edge = edge.filter(|edge| earliest <= edge.time && edge.time <= latest)?;
            let is_decided = matches!(edge.count, 0 | u64::MAX);
            let count = if is_decided { edge.count } else { edge.count.saturating_sub(count_before(edge.time)) };
            Some((edge.time, count))
        };
        Trim { from: trim(self.from), before: trim(self.before) }
    }
}

impl Trim {
    /// Whether all lines are asked for.
    pub(super) fn is_none(&self) -> bool {
        self.from.is_none() && self.before.is_none()
    }

    /// Narrows `rows` of a block, which are in the order of time.
    pub(super) fn narrow(&self, rows: &mut Vec<u32>, timestamps_ns: &[i64]) {
        let ranked = |time: Timestamp| {
            let of_time = (0..).zip(timestamps_ns).filter(move |(_, ns)| **ns == time.as_ns());
            of_time.map(|(row, _)| row).collect::<Vec<u32>>()
        };
        let rank = |of_time: &[u32], row: u32| of_time.partition_point(|other| *other < row) as u64;
        if let Some((time, count)) = self.from {
            let of_time = ranked(time);
            rows.retain(|row| timestamps_ns[*row as usize] != time.as_ns() || count <= rank(&of_time, *row));
        }
        if let Some((time, count)) = self.before {
            let of_time = ranked(time);
            rows.retain(|row| timestamps_ns[*row as usize] != time.as_ns() || rank(&of_time, *row) < count);
        }
    }
}

/// How many lines of a stream have a time.
#[derive(Debug)]
pub struct StreamTimes {
    view: StreamView,
    counter: TimeCounter,
    parts: Vec<u32>,
}

impl StreamTimes {
    pub(in crate::log_database) fn new(view: StreamView) -> Self {
        let parts = (0..).zip(view.time_bounds()).map(|(part, _)| part).collect();
        Self { view, counter: TimeCounter::default(), parts }
    }

    /// How many lines have this time. Looks at the times of the parts that may have it.
    pub fn count(&self, time: Timestamp) -> u64 {
        self.counter.count(0, &self.view, &self.parts, time)
    }

    /// The latest time; `None` where there is no line.
    pub fn latest(&self) -> Option<Timestamp> {
        self.view.time_bounds().map(|(_, latest)| latest).max()
    }
}

/// How many of the rows before each of `rows` have its time.
pub(super) fn ranks(rows: &[u32], timestamps_ns: &[i64]) -> Vec<u32> {
    let mut ranks = Vec::with_capacity(rows.len());
    if timestamps_ns.is_sorted() {
        let (mut time, mut first) = (None, 0);
        for row in rows {
            let ns = timestamps_ns[*row as usize];
            if time != Some(ns) {
                time = Some(ns);
                first = timestamps_ns.partition_point(|other| *other < ns);
            }
            ranks.push(row - u32::try_from(first).expect("a row's number has 32 bits"));
        }
        return ranks;
    }
    let mut counts: HashMap<i64, u32, foldhash::fast::RandomState> = HashMap::default();
    let of_all = timestamps_ns.iter().map(|ns| {
        let count = counts.entry(*ns).or_default();
        *count += 1;
        *count - 1
    });
    let of_all: Vec<u32> = of_all.collect();
    ranks.extend(rows.iter().map(|row| of_all[*row as usize]));
    ranks
}

/// Counts lines of one time in parts, and keeps the times that it looked at.
#[derive(Debug, Default)]
pub(super) struct TimeCounter {
    /// Sorted times of parts, by stream and part.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    times: HashMap<(u32, u32), Arc<[i64]>>,
    bytes: usize,
}

impl TimeCounter {
    /// How many lines of `time` these parts of a stream hold.
    pub(super) fn count(&self, stream: u32, view: &StreamView, parts: &[u32], time: Timestamp) -> u64 {
        let ns = time.as_ns();
        let of_part = |part: &u32| {
            let times = self.times((stream, *part), view);
            times.partition_point(|other| *other <= ns) - times.partition_point(|other| *other < ns)
        };
        let may_have =
            |part: &&u32| view.part_times(**part).is_some_and(|(earliest, latest)| earliest <= time && time <= latest);
        parts.iter().filter(may_have).map(|part| of_part(part) as u64).sum()
    }

    fn times(&self, at: (u32, u32), view: &StreamView) -> Arc<[i64]> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = kept.times.get(&at) {
            return Arc::clone(times);
        }
        let mut times = read_times(view, at.1 as usize);
        times.sort_unstable();
        let times: Arc<[i64]> = times.into();
        let bytes = size_of_val(times.as_ref());
        if TIMES_BYTES_MAX < kept.bytes + bytes {
            *kept = Kept::default();
        }
        kept.bytes += bytes;
        kept.times.insert(at, Arc::clone(&times));
        times
    }
}

/// The times of a part's lines in nanoseconds; none where it cannot be read, which is counted and logged.
pub(super) fn read_times(view: &StreamView, part: usize) -> Vec<i64> {
    let of_lines = |times: &[Timestamp]| times.iter().map(|time| time.as_ns()).collect();
    match view.stored.as_ref().and_then(|stored| stored.get(part)) {
        Some((StoredIn::Journal(file), part)) => file.read(part).map(|lines| of_lines(lines.timestamps())),
        Some((StoredIn::Segment(segment), part)) => {
            let read = segment.open_block(part).and_then(|block| block.timestamps_ns().map(<[i64]>::to_vec));
            read.map_err(|problem| segment.add_unreadable(part, &problem.to_string())).ok()
        }
        None => view.pending_part(part).map(|pending| of_lines(pending.lines().timestamps())),
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ranks(timestamps_ns: &[i64], rows: &[u32], expected: &[u32]) {
        assert_eq!(ranks(rows, timestamps_ns), expected, "{timestamps_ns:?}");
    }

    #[test]
    fn a_rank_counts_earlier_rows_of_the_same_time() {
        check_ranks(&[1, 1, 2, 2, 2, 3], &[0, 1, 2, 4, 5], &[0, 1, 0, 2, 0]);
        check_ranks(&[2, 1, 2, 1, 2], &[1, 3, 0, 2, 4], &[0, 1, 0, 1, 2]);
        check_ranks(&[], &[], &[]);
    }

    #[test]
    fn a_trim_keeps_what_is_between_two_places() {
        let at = Timestamp::from_ns;
        let trim = Trim { from: Some((at(1), 1)), before: Some((at(3), 2)) };
        let mut rows = vec![0, 1, 2, 3, 4, 5];
        trim.narrow(&mut rows, &[1, 1, 2, 3, 3, 3]);
        assert_eq!(rows, [1, 2, 3, 4]);
        let trim = Trim { from: Some((at(1), u64::MAX)), before: Some((at(3), 0)) };
        trim.narrow(&mut rows, &[1, 1, 2, 3, 3, 3]);
        assert_eq!(rows, [2]);
    }
}
