//! Marks between the lines of an answer, each in its place: rotations, starts of the agent, losses.

use std::collections::{HashMap, VecDeque};

use crate::api::v1::lines::CONTAINER_LABELS;
use crate::model::{Direction, Labels, TimeRange, Timestamp};
use crate::status::{Event, Mark};

/// The marks that lie among the lines of an answer, in its order. A mark stands before the lines of its time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// With the streams that they are of; those of all streams without.
    marks: VecDeque<(Option<Labels>, Mark)>,
    direction: Direction,
}

impl Marks {
    /// Those of `marks` in `range` that are of one of the streams, which are given as they are stored; rotations where all
    /// streams are of one log. The times of an answer's cursors leave some of them: after one time and up to another.
    pub(super) fn new<'a, I: Iterator<Item = &'a Labels>>(
        marks: Vec<Mark>,
        streams: impl Fn() -> I,
        range: TimeRange,
        (after, up_to): (Option<Timestamp>, Option<Timestamp>),
        direction: Direction,
    ) -> Self {
        // A search through many logs is not about when each of them was rotated.
        let is_of_one_log = is_one_log(streams());
        let is_within = |mark: &Mark| {
            range.contains(mark.time)
                && (is_of_one_log || mark.event != Event::Rotated)
                && after.is_none_or(|after| after < mark.time)
                && up_to.is_none_or(|up_to| mark.time <= up_to)
        };
        let mut by_log: HashMap<String, Vec<Mark>> = HashMap::new();
        for mark in marks.into_iter().filter(is_within) {
            by_log.entry(log_of_path(&mark.log).to_owned()).or_default().push(mark);
        }
        let mut found: Vec<_> = by_log.remove("").into_iter().flatten().map(|mark| (None, mark)).collect();
        if !by_log.is_empty() {
            for labels in streams() {
                // The first of a container's streams stands for all of them.
                if let Some(marks) = log_of_labels(labels).and_then(|log| by_log.remove(log)) {
                    found.extend(marks.into_iter().map(|mark| (Some(labels.clone()), mark)));
                }
            }
        }
        found.sort_by_key(|(_, mark)| mark.time);
        if direction == Direction::Backward {
            found.reverse();
        }
        Self { marks: found.into(), direction }
    }

    /// Adds those that were made later. They stand before what is sent next, where no line has the time of theirs.
    pub(super) fn extend(&mut self, later: Self) {
        self.marks.extend(later.marks);
    }

    /// Leaves out those that stand before a line of this time.
    pub(super) fn skip_before(&mut self, line: Timestamp) {
        while self.next_before(Some(line)).is_some() {}
    }

    /// The next mark that stands before a line of this time in the order of the answer; `None` for the line that is none:
    /// the end.
    pub(super) fn next_before(&mut self, line: Option<Timestamp>) -> Option<(Option<Labels>, Mark)> {
        let stands_before = |mark: &Mark| match (line, self.direction) {
            (None, _) => true,
            (Some(time), Direction::Forward) => mark.time <= time,
            (Some(time), Direction::Backward) => time < mark.time,
        };
        let (stream, mark) = self.marks.pop_front_if(|(_, mark)| stands_before(mark))?;
        // Of several starts or rotations without a line between them one is told.
        let is_repeated = |next: &Mark| stands_before(next) && mark.event == next.event && mark.log == next.log;
        while self.marks.pop_front_if(|(_, next)| is_repeated(next)).is_some() {}
        Some((stream, mark))
    }
}

/// Tells whether all streams are of one file, or of one container through its restarts.
fn is_one_log<'a>(streams: impl Iterator<Item = &'a Labels>) -> bool {
    let mut names = streams.map(|labels| match labels.get("container_id") {
        Some(_) => CONTAINER_LABELS.map(|name| labels.get(name)),
        None => [labels.get("path"), None, None],
    });
    let first = names.next();
    names.all(|name| Some(name) == first)
}

/// The name of the log of a stream's lines: its container's id, or its path.
fn log_of_labels(labels: &Labels) -> Option<&str> {
    labels.get("container_id").or_else(|| labels.get("path"))
}

/// The name of the stream of a file's lines: its container's id, or its path.
pub(super) fn log_of_path(path: &str) -> &str {
    let container = path.strip_suffix(".log").and_then(|path| path.rsplit_once('-')).map(|(_, id)| id);
    container.filter(|id| id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).unwrap_or(path)
}
