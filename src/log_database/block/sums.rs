//! How many bytes of text there are in each stretch of time, so that bytes by minute take a look at no column.
//!
//! Stretches are of a length that people ask by, and so long that there are few of them beside the lines. Like a window of
//! LogQL, each has its last instant and not the one that it begins with.

use std::collections::BTreeMap;

use super::Error;
use super::wire::{Reader, put_length, put_signed, put_varint};
use crate::model::{Lines, Timestamp};

const SECOND_NS: i64 = 1_000_000_000;
/// How long stretches may be, in seconds; each length is a multiple of those before.
const UNITS_S: [i64; 7] = [1, 5, 60, 300, 3600, 6 * 3600, 24 * 3600];
/// There are so many lines for each stretch at least, on the mean, so that sums are little beside them.
const LINES_PER_STRETCH_MIN: usize = 32;

/// The bytes of a block's lines by time.
#[derive(Debug)]
pub(super) struct Sums {
    /// How long a stretch is.
    unit_ns: i64,
    /// The number of each stretch that has lines, ascending, and the bytes in it and in those before.
    stretches: Vec<(i64, u64)>,
}

/// The stretch that has an instant.
fn stretch_of(timestamp_ns: i64, unit_ns: i64) -> i64 {
    timestamp_ns.saturating_sub(1).div_euclid(unit_ns)
}

/// Appends the section of sums; it is empty where there are too few lines for any length.
pub(super) fn put(parts: &[&Lines], out: &mut Vec<u8>) {
    let lines = || parts.iter().flat_map(|part| part.iter());
    let Some(first_ns) = lines().map(|(timestamp, _)| timestamp.as_ns()).min() else { return };
    let most = lines().count() / LINES_PER_STRETCH_MIN;
    for unit_ns in UNITS_S.map(|seconds| seconds * SECOND_NS) {
        let Some(stretches) = bytes_by_stretch(lines(), unit_ns, most) else { continue };
        put_varint(out, unit_ns.cast_unsigned());
        let mut next = stretch_of(first_ns, unit_ns);
        put_signed(out, next);
        for (stretch, bytes) in stretches {
            put_varint(out, stretch.abs_diff(next));
            put_length(out, bytes);
            next = stretch + 1;
        }
        return;
    }
}

/// The bytes of each stretch that has lines; `None` where these are more than `most`.
fn bytes_by_stretch<'a>(
    lines: impl Iterator<Item = (Timestamp, &'a [u8])>,
    unit_ns: i64,
    most: usize,
) -> Option<BTreeMap<i64, usize>> {
    let mut stretches = BTreeMap::new();
    let (mut last, mut bytes) = (None, 0);
    for (timestamp, line) in lines {
        let stretch = stretch_of(timestamp.as_ns(), unit_ns);
        if let Some(before) = last.replace(stretch)
            && before != stretch
        {
            *stretches.entry(before).or_default() += std::mem::take(&mut bytes);
            if most <= stretches.len() {
                return None;
            }
        }
        bytes += line.len();
    }
    *stretches.entry(last?).or_default() += bytes;
    (stretches.len() <= most).then_some(stretches)
}

/// Reads what [`put`] wrote for lines of `byte_count` bytes; `None` where the section is empty.
pub(super) fn read(section: &[u8], byte_count: usize) -> Result<Option<Sums>, Error> {
    if section.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(section, "sums");
    let unit_ns = i64::try_from(reader.varint()?).ok().filter(|unit_ns| 0 < *unit_ns);
    let unit_ns = unit_ns.ok_or_else(|| reader.corrupt())?;
    let mut next = reader.signed()?;
    let (mut stretches, mut sum) = (Vec::new(), 0);
    while !reader.rest().is_empty() {
        let stretch = next.checked_add_unsigned(reader.varint()?).ok_or_else(|| reader.corrupt())?;
        sum += reader.length(byte_count - sum)?;
        stretches.push((stretch, sum as u64));
        next = stretch.checked_add(1).ok_or_else(|| reader.corrupt())?;
    }
    if sum == byte_count { Ok(Some(Sums { unit_ns, stretches })) } else { Err(reader.corrupt()) }
}

impl Sums {
    /// The bytes of all lines from `first` to `last`; `None` where a stretch is only in part between them.
    pub(super) fn between(&self, first: Timestamp, last: Timestamp) -> Option<u64> {
        let (before_ns, last_ns) = (first.as_ns().checked_sub(1)?, last.as_ns());
        if before_ns % self.unit_ns != 0 || last_ns % self.unit_ns != 0 {
            return None;
        }
        // Stretch `n` begins behind the instant `n * unit`.
        let up_to = |end_ns: i64| {
            let end = self.stretches.partition_point(|(stretch, _)| *stretch < end_ns / self.unit_ns);
            end.checked_sub(1).map_or(0, |last| self.stretches[last].1)
        };
        Some(up_to(last_ns).saturating_sub(up_to(before_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(times_ns: &[i64]) -> Lines {
        let mut lines = Lines::default();
        for (index, ns) in times_ns.iter().enumerate() {
            lines.push(Timestamp::from_ns(*ns), &vec![b'x'; index % 7]);
        }
        lines
    }

    /// Between any two of these times, in units, there are the bytes that lines have there.
    #[track_caller]
    fn check(times_ns: &[i64], unit_ns: i64) {
        let lines = lines(times_ns);
        let mut section = Vec::new();
        put(&[&lines], &mut section);
        let sums = read(&section, lines.byte_count()).unwrap().expect("they are many enough");
        assert_eq!(sums.unit_ns, unit_ns);
        let bounds: Vec<i64> = times_ns.iter().map(|ns| ns.div_euclid(unit_ns) * unit_ns).collect();
        for (start, end) in bounds.iter().zip(bounds.iter().rev().step_by(3)) {
            let (first, last) = (Timestamp::from_ns(start + 1), Timestamp::from_ns(*end));
            let inside = lines.iter().filter(|(timestamp, _)| first <= *timestamp && *timestamp <= last);
            let expected: usize = inside.map(|(_, line)| line.len()).sum();
            assert_eq!(sums.between(first, last), Some(expected as u64), "from {start} to {end}");
            assert_eq!(sums.between(first, Timestamp::from_ns(end + 1)), None);
            assert_eq!(sums.between(Timestamp::from_ns(*start), last), None);
        }
        for cut in 0..section.len() {
            assert!(cut == 0 || read(&section[..cut], lines.byte_count()).is_err(), "cut at {cut}");
        }
        assert!(read(&section, lines.byte_count() + 1).is_err());
    }

    #[test]
    fn bytes_between_whole_stretches_are_known() {
        let each = |gap_ns: i64| (0..2000).map(|index| 1_700_000_000 * SECOND_NS + index * gap_ns).collect::<Vec<_>>();
        check(&each(SECOND_NS / 40), SECOND_NS);
        check(&each(SECOND_NS / 2), 60 * SECOND_NS);
        check(&each(SECOND_NS), 60 * SECOND_NS);
        check(&each(60 * SECOND_NS), 3600 * SECOND_NS);
        check(&each(7), SECOND_NS);
        let before_epoch: Vec<i64> = each(SECOND_NS).iter().map(|ns| -ns).collect();
        check(&before_epoch, 60 * SECOND_NS);
        let mut shuffled = each(SECOND_NS);
        shuffled.rotate_left(700);
        check(&shuffled, 60 * SECOND_NS);
    }

    #[test]
    fn few_lines_have_no_sums() {
        for times in [&[][..], &[5], &[i64::MIN, 0, i64::MAX]] {
            let mut section = Vec::new();
            put(&[&lines(times)], &mut section);
            assert!(section.is_empty());
        }
        assert!(read(&[], 0).unwrap().is_none());
    }
}
