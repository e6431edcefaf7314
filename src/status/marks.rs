//! What happened between the lines of logs: files were rotated, the agent was started, bytes were lost.
//!
//! The pump stores each mark as a line of an internal stream, so that it outlasts the agent: what happened, what else is to
//! be known of that, and the log, which is the rest of the line.
//!
//! ```text
//! started
//! rotated /var/log/app.log
//! lost 8192 9396 truncated /var/log/app.log
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;

use crate::model::{TimeRange, Timestamp};
use crate::status::{SkipReason, lock};

/// Most marks that are remembered; the oldest make room.
const MARKS_MAX: usize = 4096;

/// Something that happened between two lines of a log, or of all logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The path that the log's lines carry, or the id of the container that they are of; empty for all logs.
    pub log: String,
    /// The time of the lines that it stands before.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened between two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The agent was started, having collected before.
    Started,
    /// The log's next file began.
    Rotated,
    /// Bytes of the log are certainly lost.
    Lost {
        /// Which bytes of the file.
        bytes: Range<u64>,
        /// How they were lost.
        reason: SkipReason,
    },
}

impl Mark {
    /// The line that the mark is stored as.
    pub fn to_line(&self) -> String {
        match &self.event {
            Event::Started => "started".into(),
            Event::Rotated => format!("rotated {}", self.log),
            Event::Lost { bytes, reason } => {
                format!("lost {} {} {} {}", bytes.start, bytes.end, reason.name(), self.log)
            }
        }
    }

    /// The mark of this time that a line holds; `None` where it holds none that this version knows.
    pub fn of_line(line: &str, time: Timestamp) -> Option<Self> {
        let (event, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (log, event) = match event {
            "started" => ("", Event::Started),
            "rotated" => (rest, Event::Rotated),
            "lost" => {
                let mut parts = rest.splitn(4, ' ');
                let (start, end) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                let name = parts.next()?;
                let reason = SkipReason::ALL.into_iter().find(|reason| reason.name() == name)?;
                (parts.next()?, Event::Lost { bytes: start..end, reason })
            }
            _ => return None,
        };
        Some(Self { log: log.to_owned(), time, event })
    }
}

/// The latest marks, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Marks(Mutex<Latest>);

#[derive(Debug, Default)]
struct Latest {
    marks: VecDeque<Mark>,
    /// How many there have been.
    count: usize,
    /// How many of them are stored.
    stored_count: usize,
}

impl Marks {
    /// Remembers a mark, if it is not known: what was read and not stored is read again.
    pub fn add(&self, mark: Mark) {
        let mut latest = lock(&self.0);
        if !latest.marks.contains(&mark) {
            latest.push(mark);
        }
    }

    /// Remembers a mark that is stored.
    pub fn restore(&self, mark: Mark) {
        let mut latest = lock(&self.0);
        latest.push(mark);
        latest.stored_count = latest.count;
    }

    /// Those that are not stored, which is to be done next.
    pub fn take_unstored(&self) -> Vec<Mark> {
        let mut latest = lock(&self.0);
        let unstored = latest.since(latest.stored_count);
        latest.stored_count = latest.count;
        unstored
    }

    /// Those that are left of a range of time.
    pub fn within(&self, range: TimeRange) -> Vec<Mark> {
        lock(&self.0).marks.iter().filter(|mark| range.contains(mark.time)).cloned().collect()
    }

    /// Those after the first `count` that there have been; and how many there have been by now.
    pub fn since(&self, count: usize) -> (Vec<Mark>, usize) {
        let latest = lock(&self.0);
        (latest.since(count), latest.count)
    }
}

impl Latest {
    fn push(&mut self, mark: Mark) {
        if MARKS_MAX <= self.marks.len() {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
        self.count += 1;
    }

    fn since(&self, count: usize) -> Vec<Mark> {
        let forgotten_count = self.count - self.marks.len();
        self.marks.iter().skip(count.saturating_sub(forgotten_count)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(log: &str, event: Event) -> Mark {
        Mark { log: log.into(), time: Timestamp::from_ns(7), event }
    }

    #[test]
    fn a_mark_comes_back_from_its_line() {
        let lost = |reason| Event::Lost { bytes: 3..u64::MAX, reason };
        let lost = SkipReason::ALL.map(|reason| mark("/var/log/with blanks.log", lost(reason)));
        for mark in [mark("", Event::Started), mark("/var/log/a b", Event::Rotated)].into_iter().chain(lost) {
            assert_eq!(Mark::of_line(&mark.to_line(), mark.time), Some(mark));
        }
        for line in ["", "renamed a b", "lost", "lost 1 x truncated a", "lost 1 2 stolen a", "lost 1 2 truncated"] {
            assert_eq!(Mark::of_line(line, Timestamp::from_ns(7)), None, "{line}");
        }
    }

    #[test]
    fn the_latest_marks_are_known_and_each_once() {
        let marks = Marks::default();
        let nth = |number: usize| mark(&number.to_string(), Event::Rotated);
        for number in 0..=MARKS_MAX {
            marks.add(nth(number));
            marks.add(nth(number));
        }
        let (all, count) = marks.since(0);
        assert_eq!((all.len(), &all[0], count), (MARKS_MAX, &nth(1), MARKS_MAX + 1));
        assert_eq!(marks.since(count - 1).0, [nth(MARKS_MAX)]);
        assert_eq!(marks.since(count).0, []);
        assert_eq!(marks.take_unstored().len(), MARKS_MAX);
        marks.restore(nth(MARKS_MAX + 1));
        assert_eq!(marks.take_unstored(), []);
        assert_eq!(marks.within(TimeRange::ALL).len(), MARKS_MAX);
        let later = TimeRange { start: Timestamp::from_ns(8), ..TimeRange::ALL };
        assert_eq!(marks.within(later), []);
    }
}
