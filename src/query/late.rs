//! Lines of streams whose names nobody has told yet, which a live tail keeps for a while: those of a new pod may be followed by a
//! label that comes a moment after them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::model::{Batch, Labels, Lines, StreamLines};

/// Most bytes of lines that one tail keeps so.
pub const LATE_BYTES_MAX: usize = 64 << 10;
/// How long it does: names come by a watch, or by a list that is asked for after ten seconds.
const LATE_TIME_MAX: Duration = Duration::from_secs(30);
/// What a line or a stream takes beside its text, in bytes.
const COST_BYTES: usize = 64;

/// Lines that may turn out to be followed, the earliest first.
#[derive(Debug, Default)]
pub struct Late {
    lines: VecDeque<(Instant, StreamLines)>,
    bytes: usize,
}

impl Late {
    /// Keeps the lines of a stream, from the one with index `from` on, and drops older ones where it becomes too much.
    pub fn keep(&mut self, stream: &StreamLines, from: usize) {
        let mut lines = Lines::default();
        for index in from..stream.lines.len() {
            let (timestamp, line) = stream.lines.get(index);
            lines.push(timestamp, line);
        }
        let kept = StreamLines { labels: stream.labels.clone(), lines };
        let bytes = cost_bytes(&kept);
        if bytes <= LATE_BYTES_MAX {
            self.bytes += bytes;
            self.lines.push_back((Instant::now(), kept));
        }
        while let Some((since, first)) = self.lines.front()
            && (LATE_BYTES_MAX < self.bytes || LATE_TIME_MAX < since.elapsed())
        {
            self.bytes -= cost_bytes(first);
            self.lines.pop_front();
        }
    }

    /// Takes the lines of streams that are followed by now; `None` where there are none.
    pub fn take(&mut self, mut is_followed: impl FnMut(&Labels) -> bool) -> Option<Batch> {
        let mut streams = Vec::new();
        for (since, stream) in std::mem::take(&mut self.lines) {
            if is_followed(&stream.labels) {
                self.bytes -= cost_bytes(&stream);
                streams.push(stream);
            } else {
                self.lines.push_back((since, stream));
            }
        }
        (!streams.is_empty()).then_some(Batch { checkpoint: None, streams })
    }
}

fn cost_bytes(stream: &StreamLines) -> usize {
    stream.lines.byte_count() + COST_BYTES * (1 + stream.lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn stream(name: &str, line_bytes: usize) -> StreamLines {
        let mut lines = Lines::default();
        for ns in 0..2 {
            lines.push(Timestamp::from_ns(ns), &vec![b'x'; line_bytes]);
        }
        StreamLines { labels: Labels::new([("pod", name)]).unwrap(), lines }
    }

    #[test]
    fn lines_are_taken_once_their_stream_is_followed() {
        let mut late = Late::default();
        for (name, from) in [("a", 1), ("b", 0), ("a", 0)] {
            late.keep(&stream(name, 3), from);
        }
        assert_eq!(late.take(|_| false), None);
        let taken = late.take(|labels| labels.get("pod") == Some("a")).unwrap();
        assert_eq!(taken.streams.iter().map(|stream| stream.lines.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(late.take(|labels| labels.get("pod") == Some("a")), None);
        assert_eq!(late.take(|_| true).map(|batch| batch.line_count()), Some(2));
        assert_eq!(late.bytes, 0);
    }

    #[test]
    fn the_newest_are_kept_where_it_becomes_too_much() {
        let mut late = Late::default();
        for name in ["a", "b", "c"] {
            late.keep(&stream(name, LATE_BYTES_MAX / 4 - 2 * COST_BYTES), 0);
        }
        late.keep(&stream("d", LATE_BYTES_MAX), 0);
        assert!(late.bytes <= LATE_BYTES_MAX);
        let taken = late.take(|_| true).unwrap();
        assert_eq!(
            taken.streams.iter().map(|stream| stream.labels.get("pod").unwrap()).collect::<Vec<_>>(),
            ["b", "c"]
        );
    }
}
