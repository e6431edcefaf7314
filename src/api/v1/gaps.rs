//! What was lost, in its place between the lines that were not.

use std::collections::{HashMap, VecDeque};

use crate::model::{Direction, Labels, TimeRange, Timestamp};
use crate::status::Gap;

/// The gaps that lie among the lines of an answer, in its order. A gap stands before the lines of the time at which it was
/// found.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// With the streams that they are of.
    gaps: VecDeque<(Labels, Gap)>,
    direction: Direction,
}

impl Gaps {
    /// Those of `gaps` in `range` that are of one of the streams, which are given as they are stored. `between` is what
    /// the times of an answer's cursors leave of them: after one time and up to another.
    pub(super) fn new<'a>(
        gaps: Vec<Gap>,
        streams: impl Iterator<Item = &'a Labels>,
        range: TimeRange,
        (after, up_to): (Option<Timestamp>, Option<Timestamp>),
        direction: Direction,
    ) -> Self {
        let is_within = |gap: &Gap| {
            range.contains(gap.found)
                && after.is_none_or(|after| after < gap.found)
                && up_to.is_none_or(|up_to| gap.found <= up_to)
        };
        let mut by_log: HashMap<String, Vec<Gap>> = HashMap::new();
        for gap in gaps.into_iter().filter(is_within) {
            by_log.entry(log_of_path(&gap.path).to_owned()).or_default().push(gap);
        }
        let mut found = Vec::new();
        if !by_log.is_empty() {
            for labels in streams {
                let log = labels.get("container_id").or_else(|| labels.get("path"));
                // The first of a container's streams stands for all of them.
                if let Some(gaps) = log.and_then(|log| by_log.remove(log)) {
                    found.extend(gaps.into_iter().map(|gap| (labels.clone(), gap)));
                }
            }
        }
        found.sort_by_key(|(_, gap)| gap.found);
        if direction == Direction::Backward {
            found.reverse();
        }
        Self { gaps: found.into(), direction }
    }

    /// Adds those that were found later. They stand before what is sent next, where no line has the time of theirs.
    pub(super) fn extend(&mut self, later: Self) {
        self.gaps.extend(later.gaps);
    }

    /// Leaves out those that stand before a line of this time.
    pub(super) fn skip_before(&mut self, line: Timestamp) {
        while self.next_before(Some(line)).is_some() {}
    }

    /// The next gap that stands before a line of this time in the order of the answer; `None` for the line that is none:
    /// the end.
    pub(super) fn next_before(&mut self, line: Option<Timestamp>) -> Option<(Labels, Gap)> {
        let stands_before = |gap: &Gap| match (line, self.direction) {
            (None, _) => true,
            (Some(time), Direction::Forward) => gap.found <= time,
            (Some(time), Direction::Backward) => time < gap.found,
        };
        self.gaps.pop_front_if(|(_, gap)| stands_before(gap))
    }
}

/// What the stream of a file's lines is told by: its container's id, or its path.
pub(super) fn log_of_path(path: &str) -> &str {
    let container = path.strip_suffix(".log").and_then(|path| path.rsplit_once('-')).map(|(_, id)| id);
    container.filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).unwrap_or(path)
}
