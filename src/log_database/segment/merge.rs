//! Makes one segment of several that stand side by side, and says when that pays.

use std::ops::Range;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::index::Index;
use crate::log_database::part::{Part, StreamParts};
use crate::log_database::segment::filter::{self, Known};
use crate::log_database::segment::pack::Packer;
use crate::log_database::segment::writer::{SegmentWriter, Summary, write_segment};
use crate::log_database::segment::{BLOCK_LINES_MAX, Limits, Segment, day_directory};
use crate::log_database::storage::Storage;
use crate::model::{Labels, Timestamp};

/// A segment as the plan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_database) struct Candidate<'a> {
    /// The directory of its day.
    pub(in crate::log_database) day: &'a str,
    pub(in crate::log_database) size_bytes: u64,
    /// What is damaged stays as it is, so that what is left of it is not read more often than needed.
    pub(in crate::log_database) is_intact: bool,
    /// Whether it is not to become one with the segment before it.
    pub(in crate::log_database) is_apart: bool,
}

/// Which segments to merge next, of all in their order; `None` where nothing is to be gained.
///
/// While a day lasts, as many as [`Limits::merged_count_min`] that are of similar length; once it is over, as many as make
/// one file. So each line is written a few times at most, and a day ends as few files.
pub(in crate::log_database) fn plan(
    limits: Limits,
    segments: &[Candidate<'_>],
    now: Timestamp,
) -> Option<Range<usize>> {
    let today = day_directory(now);
    let mut start = 0;
    for run in segments.chunk_by(|a, b| a.day == b.day && a.is_intact && b.is_intact && !b.is_apart) {
        let found = if run.first()?.day == today { plan_similar(limits, run) } else { plan_day(limits, run) };
        if let Some(found) = found {
            return Some(start + found.start..start + found.end);
        }
        start += run.len();
    }
    None
}

/// The first few that make one file.
fn plan_day(limits: Limits, run: &[Candidate<'_>]) -> Option<Range<usize>> {
    let mut start = 0;
    let mut bytes = 0;
    for (position, candidate) in run.iter().enumerate() {
        if limits.file_bytes_max < bytes + candidate.size_bytes {
            if 1 < position - start {
                return Some(start..position);
            }
            (start, bytes) = (position, 0);
        }
        bytes += candidate.size_bytes;
    }
    (1 < run.len() - start).then_some(start..run.len())
}

/// The first ones none of which is longer than two of them are on average.
fn plan_similar(limits: Limits, run: &[Candidate<'_>]) -> Option<Range<usize>> {
    let is_similar = |window: &[Candidate<'_>]| {
        let total: u64 = window.iter().map(|candidate| candidate.size_bytes).sum();
        let longest = window.iter().map(|candidate| candidate.size_bytes).max().unwrap_or(0);
        total <= limits.file_bytes_max && longest * window.len() as u64 <= 2 * total
    };
    let start = run.windows(limits.merged_count_min).position(is_similar)?;
    Some(start..start + limits.merged_count_min)
}

/// Makes one segment of `inputs`, which stand side by side and are of one day. They themselves stay.
///
/// # Errors
///
/// - [`Error::Unreadable`]: one of their blocks was counted as such, and its segment is not intact any more.
pub(in crate::log_database) fn merge(
    storage: &dyn Storage,
    limits: Limits,
    index: &Index,
    inputs: &[Arc<Segment>],
) -> Result<(Segment, Vec<StreamParts>), Error> {
    let first = inputs.iter().map(|segment| *segment.sequences().start()).min().unwrap_or_default();
    let last = inputs.iter().map(|segment| *segment.sequences().end()).max().unwrap_or_default();
    let stored = inputs.iter().map(|segment| segment.stored()).max().unwrap_or_default();
    let newest = inputs.iter().max_by_key(|segment| *segment.sequences().end());
    let checkpoints = newest.and_then(|segment| segment.packed_checkpoints()).unwrap_or_default();
    let mut packer = Packer::new(limits)?;
    let known: Vec<(&str, Known)> =
        inputs.iter().filter_map(|segment| Some((segment.name(), segment.known()?))).collect();
    let append_blocks = |writer: &mut SegmentWriter| {
        for (labels, files) in index.parts_in(first..=last) {
            let blocks: Vec<Input<'_>> = files
                .iter()
                .filter_map(|stored| stored.segment().map(|segment| (segment, stored)))
                .flat_map(|(segment, stored)| stored.iter().map(|part| Input { segment, part }))
                .collect();
            let parts: Vec<Part> = blocks.iter().map(|input| *input.part).collect();
            for group in groups(limits, &parts) {
                write_group(writer, &mut packer, labels, &blocks[group], &known)?;
            }
        }
        Ok(())
    };
    write_segment(storage, first..=last, stored, &checkpoints, Some(filter::Builder::default()), append_blocks)
}

/// A block of one of the segments.
#[derive(Clone, Copy, Debug)]
struct Input<'a> {
    segment: &'a Segment,
    part: &'a Part,
}

/// Neighbours that are to be one block.
fn groups(limits: Limits, parts: &[Part]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    for end in 1..=parts.len() {
        if parts.get(start..=end).is_none_or(|parts| !are_one_block(limits, parts)) {
            groups.push(start..end);
            start = end;
        }
    }
    groups
}

fn are_one_block(limits: Limits, parts: &[Part]) -> bool {
    let text_bytes: usize = parts.iter().map(|part| part.text_bytes as usize).sum();
    let line_count: usize = parts.iter().map(|part| part.line_count as usize).sum();
    parts.iter().all(|part| (part.text_bytes as usize) < limits.copied_bytes_min)
        && text_bytes <= limits.block_bytes_max
        && line_count <= BLOCK_LINES_MAX
}

/// Writes the lines of a group as one block; a single block is copied as it is, with what is `known` of it.
fn write_group(
    writer: &mut SegmentWriter,
    packer: &mut Packer,
    labels: &Labels,
    group: &[Input<'_>],
    known: &[(&str, Known)],
) -> Result<(), Error> {
    if let [Input { segment, part }] = group {
        let block = segment.read_block(part)?;
        let of_segment = known.iter().find(|(name, _)| *name == segment.name());
        let known = of_segment.and_then(|(_, known)| known.terms_at(part.offset));
        return writer.append(labels, Summary::of_part(part), &block, known);
    }
    for Input { segment, part } in group {
        packer.push(writer, labels, segment.decode_block(part)?)?;
    }
    packer.finish(writer, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { block_bytes_max: 100, copied_bytes_min: 50, merged_count_min: 3, file_bytes_max: 1000 };

    /// Segments by day and length, on the second day; a length below 0 is that of a damaged one.
    #[track_caller]
    fn check(segments: &[(i64, i64)], expected: &[usize]) {
        let day = |number: i64| Timestamp::from_ns(number * 24 * 3_600_000_000_000);
        let days: Vec<String> = segments.iter().map(|(number, _)| day_directory(day(*number))).collect();
        let candidates = days.iter().zip(segments).map(|(day, (_, bytes))| Candidate {
            day,
            size_bytes: bytes.unsigned_abs(),
            is_intact: 0 < *bytes,
            is_apart: false,
        });
        let planned = plan(LIMITS, &candidates.collect::<Vec<_>>(), day(2));
        assert_eq!(planned.into_iter().flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_a_reader_counts_from_is_not_merged_with_what_is_before_it() {
        let day = day_directory(Timestamp::from_ns(0));
        let candidate = |is_apart| Candidate { day: &day, size_bytes: 1, is_intact: true, is_apart };
        let candidates = [false, true, false, false].map(candidate);
        assert_eq!(plan(LIMITS, &candidates, Timestamp::from_ns(0)), Some(1..4));
    }

    #[test]
    fn as_many_of_similar_length_are_merged_while_their_day_lasts() {
        check(&[(2, 10), (2, 10)], &[]);
        check(&[(2, 10), (2, 10), (2, 10)], &[0, 1, 2]);
        check(&[(2, 100), (2, 10), (2, 10), (2, 15), (2, 10)], &[1, 2, 3]);
        check(&[(2, 100), (2, 10), (2, 10)], &[]);
        check(&[(2, 400), (2, 400), (2, 400)], &[]);
    }

    #[test]
    fn all_of_a_day_that_is_over_are_merged_as_far_as_they_make_one_file() {
        check(&[(1, 900), (1, 1)], &[0, 1]);
        check(&[(1, 900), (1, 500), (1, 400), (1, 300)], &[1, 2]);
        check(&[(1, 900), (1, 500), (1, 600), (1, 700)], &[]);
        check(&[(1, 900), (2, 10)], &[]);
        check(&[(0, 5), (1, 5), (1, 5), (2, 5)], &[1, 2]);
    }

    #[test]
    fn what_is_damaged_stays_as_it_is() {
        check(&[(1, 10), (1, -10), (1, 10)], &[]);
        check(&[(1, -10), (1, 10), (1, 10)], &[1, 2]);
        check(&[(2, 10), (2, -10), (2, 10), (2, 10)], &[]);
    }

    #[test]
    fn small_neighbours_become_one_block_and_large_ones_are_copied() {
        let part = |text_bytes| Part {
            offset: 0,
            bytes: 0,
            line_count: 1,
            text_bytes,
            crc: 0,
            earliest: Timestamp::MIN,
            latest: Timestamp::MIN,
        };
        let grouped = |text_bytes: &[u32]| -> Vec<usize> {
            let parts: Vec<Part> = text_bytes.iter().copied().map(part).collect();
            groups(LIMITS, &parts).into_iter().map(|group| group.len()).collect()
        };
        assert_eq!(grouped(&[]), [0; 0]);
        assert_eq!(grouped(&[10, 20, 30]), [3]);
        assert_eq!(grouped(&[10, 50, 20, 30]), [1, 1, 2]);
        assert_eq!(grouped(&[49, 49, 49, 10]), [2, 2]);
    }
}
