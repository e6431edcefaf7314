//! How much there is, as the index tells without a look at lines.
//!
//! Lines that are stored together are counted as if they were spread evenly over their time, so what lies across the
//! borders of a range is an estimate.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use crate::log_database::Extent;
use crate::model::{Labels, Matcher, TimeRange, Timestamp};
use crate::query::{Error, Source};

/// Most groups of streams; Loki's limit.
const GROUPS_MAX: usize = 1000;
/// Most numbers of an answer, over all groups and steps: 8 MB.
const POINTS_MAX: usize = 1_000_000;

/// The labels that tell the groups of an answer apart.
pub type Key = BTreeMap<String, String>;
/// A group of streams and its bytes in each of several ranges.
pub type Group = (Key, Vec<u64>);

/// A question for the volume of groups of streams.
#[derive(Debug)]
pub struct VolumeQuery {
    /// All of them must accept a stream's labels.
    pub matchers: Vec<Matcher>,
    /// Given by name; every group has all of them.
    pub target_labels: Vec<String>,
    /// One group for each label's name, instead of one for each combination of values.
    pub is_by_name: bool,
    /// How many groups are enough.
    pub limit: usize,
}

impl VolumeQuery {
    /// The largest groups and their bytes in each of `steps`, which `range` is made of; the largest first.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyGroups`], and [`Error::Database`] where the budget does not suffice.
    pub fn run(self, source: &Source, range: TimeRange, steps: &[TimeRange]) -> Result<Vec<Group>, Error> {
        let mut groups: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        for (labels, extents) in extents(source, &self.matchers, range)? {
            source.budget.check()?;
            for key in self.keys(&labels) {
                let changes = match groups.entry(key) {
                    Entry::Occupied(group) => group.into_mut(),
                    Entry::Vacant(place) => {
                        source.budget.take(cost_bytes(place.key(), steps.len()))?;
                        place.insert(vec![0; steps.len()])
                    }
                };
                for extent in &extents {
                    add(changes, steps, extent);
                }
            }
            if GROUPS_MAX < groups.len() || POINTS_MAX < groups.len() * steps.len() {
                return Err(Error::TooManyGroups { groups_max: GROUPS_MAX, points_max: POINTS_MAX });
            }
        }
        for changes in groups.values_mut() {
            add_up(changes);
        }
        let mut groups: Vec<Group> =
            groups.into_iter().filter(|(_, bytes)| bytes.iter().any(|bytes| 0 < *bytes)).collect();
        groups.sort_by_key(|(_, bytes)| Reverse(bytes.iter().copied().find(|bytes| 0 < *bytes)));
        groups.truncate(self.limit);
        Ok(groups)
    }

    /// The groups that a stream belongs to; none where it lacks a label that was asked for.
    fn keys(&self, labels: &Labels) -> Vec<Key> {
        let is_matched = |name: &String| self.matchers.iter().any(|matcher| matcher.name == *name);
        if self.target_labels.iter().any(|name| labels.get(name).is_none() && !is_matched(name)) {
            return Vec::new();
        }
        let matched = || self.matchers.iter().map(|matcher| matcher.name.as_str());
        let names: BTreeSet<&str> = if !self.target_labels.is_empty() {
            self.target_labels.iter().map(String::as_str).collect()
        } else if self.is_by_name || self.matchers.is_empty() {
            labels.iter().map(|(name, _)| name).collect()
        } else {
            matched().collect()
        };
        let pairs = names.into_iter().filter_map(|name| Some((name.to_owned(), labels.get(name)?.to_owned())));
        if self.is_by_name {
            return pairs.map(|(name, _)| Key::from([(name, String::new())])).collect();
        }
        vec![pairs.collect()]
    }
}

/// What a group takes in memory, in bytes.
fn cost_bytes(key: &Key, step_count: usize) -> usize {
    let labels = key.iter().map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len());
    labels.sum::<usize>() + step_count * size_of::<u64>()
}

/// The streams that all `matchers` accept, and what the index knows of their lines in `range`; taken of the budget.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice.
pub fn extents(source: &Source, matchers: &[Matcher], range: TimeRange) -> Result<Vec<(Labels, Vec<Extent>)>, Error> {
    let streams = source.snapshot.extents(range).into_iter();
    let streams = streams.filter_map(|(stored, extents)| Some((source.shown_as(&stored, matchers)?, extents)));
    let taken = streams.map(|stream| {
        source.budget.take(size_of_val(&stream) + size_of_val(stream.1.as_slice()))?;
        Ok(stream)
    });
    taken.collect()
}

/// Adds the bytes of `extent` to the steps that it reaches into, as changes from one step to the next: all but the
/// first and the last of them have the same share, so that however many they are, it takes no longer.
pub fn add(changes: &mut [u64], steps: &[TimeRange], extent: &Extent) {
    let first = steps.partition_point(|step| step.end <= extent.earliest);
    let end = steps.partition_point(|step| step.start <= extent.latest);
    if end <= first {
        return;
    }
    let (second, last) = (first + 1, end - 1);
    for same in [first..second, second..last, last.max(second)..end] {
        if !same.is_empty() {
            let bytes = share(extent, extent.bytes, steps[same.start]);
            changes[same.start] = changes[same.start].wrapping_add(bytes);
            if let Some(change) = changes.get_mut(same.end) {
                *change = change.wrapping_sub(bytes);
            }
        }
    }
}

/// Turns changes from one step to the next into what there is in each. Changes wrap below nothing, what there is does
/// not.
pub fn add_up(changes: &mut [u64]) {
    let mut bytes: u64 = 0;
    for change in changes {
        bytes = bytes.wrapping_add(*change);
        *change = bytes;
    }
}

/// How many of the `count` things in `extent` lie in `range`, if they are spread evenly.
pub fn share(extent: &Extent, count: u64, range: TimeRange) -> u64 {
    let [first, last] = [extent.earliest, extent.latest].map(|time| i128::from(time.as_ns()));
    let [start, end] = [range.start, range.end].map(|time| i128::from(time.as_ns()));
    let overlap = (last + 1).min(end) - first.max(start);
    let share = i128::from(count) * overlap.max(0) / (last + 1 - first);
    u64::try_from(share).expect("a part of what fits")
}

/// The steps that `range` is made of; the last may be shorter.
pub fn steps(range: TimeRange, step_ns: i64) -> Vec<TimeRange> {
    let mut steps = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let end = Timestamp::from_ns(start.as_ns().saturating_add(step_ns)).min(range.end);
        steps.push(TimeRange { start, end });
        start = end;
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[track_caller]
    fn check_share(start: i64, end: i64, expected: u64) {
        let [earliest, latest, start, end] = [10, 19, start, end].map(Timestamp::from_ns);
        let extent = Extent { earliest, latest, lines: 0, bytes: 0 };
        assert_eq!(share(&extent, 100, TimeRange { start, end }), expected);
    }

    #[test]
    fn lines_count_by_how_much_of_their_time_is_asked_for() {
        check_share(i64::MIN, i64::MAX, 100);
        check_share(10, 20, 100);
        check_share(15, 100, 50);
        check_share(0, 11, 10);
        check_share(0, 10, 0);
        check_share(20, 20, 0);
    }

    /// Each part counts in every step by [`share`], however many steps it reaches into.
    #[track_caller]
    fn check_added(parts: &[(i64, i64, u64)], steps: &[TimeRange]) {
        let at = Timestamp::from_ns;
        let extents = parts.iter().map(|(earliest, latest, bytes)| Extent {
            earliest: at(*earliest),
            latest: at(*latest),
            lines: 0,
            bytes: *bytes,
        });
        let extents: Vec<Extent> = extents.collect();
        let mut actual = vec![0; steps.len()];
        for extent in &extents {
            add(&mut actual, steps, extent);
        }
        add_up(&mut actual);
        let expected = steps.iter().map(|step| extents.iter().map(|extent| share(extent, extent.bytes, *step)).sum());
        assert_eq!(actual, expected.collect::<Vec<u64>>(), "parts: {parts:?}");
    }

    #[test]
    fn parts_are_added_to_every_step_that_they_reach_into() {
        let range = TimeRange { start: Timestamp::from_ns(0), end: Timestamp::from_ns(95) };
        let steps = steps(range, 10);
        for first in [-20, 0, 3, 9, 10, 85, 90, 94] {
            for last in [0, 9, 10, 19, 20, 55, 89, 90, 94, 95, 200] {
                if first <= last {
                    check_added(&[(first, last, 1000)], &steps);
                }
            }
        }
        check_added(&[(0, 94, 777), (5, 5, 3), (10, 29, 100), (-50, -1, 9), (95, 99, 9)], &steps);
        check_added(&[(0, 94, 777)], &[]);
    }

    /// Fifty thousand parts over all steps took half a billion shares one by one.
    #[test]
    fn long_parts_take_no_longer_than_short_ones() {
        let range = TimeRange { start: Timestamp::from_ns(0), end: Timestamp::from_ns(11_000) };
        let steps = steps(range, 1);
        let (earliest, latest) = (Timestamp::from_ns(0), Timestamp::from_ns(10_999));
        let extent = Extent { earliest, latest, lines: 0, bytes: 11_000 };
        let mut changes = vec![0; steps.len()];
        let begun = Instant::now();
        (0..50_000).for_each(|_| add(&mut changes, &steps, &extent));
        assert!(begun.elapsed() < Duration::from_secs(2), "it took {:?}", begun.elapsed());
        add_up(&mut changes);
        assert!(changes.iter().all(|bytes| *bytes == 50_000));
    }

    #[test]
    fn steps_cover_the_range() {
        let at = Timestamp::from_ns;
        let range = |start, end| TimeRange { start: at(start), end: at(end) };
        assert_eq!(steps(range(0, 25), 10), [range(0, 10), range(10, 20), range(20, 25)]);
        assert_eq!(steps(range(5, 5), 10), []);
    }
}
