//! Tells entries that were pushed before: two of one stream with the same time, text and labels of their own are one.
//!
//! Agents send a body again whose answer they did not get. So fingerprints are remembered of the last entries that were
//! taken, for as long as the agent runs. Older ones are not looked for, and no line of a file is ever looked at.

use std::collections::HashSet;

use crate::model::{Lines, StreamLines, Timestamp};

/// How many entries are remembered, once there have been as many: a few of the largest bodies that agents send.
const ENTRIES_MIN: usize = 1 << 15;
/// Most entries of one body that are looked at. Twice as many and those above are all that is ever remembered.
const BODY_ENTRIES_MAX: usize = 1 << 16;

/// A fingerprint of an entry.
type Fingerprint = [u8; 16];

/// The entries that were taken last.
#[derive(Debug, Default)]
pub(in crate::api) struct Repeats {
    newer: HashSet<Fingerprint>,
    /// Full; forgotten when `newer` is, too.
    older: HashSet<Fingerprint>,
}

impl Repeats {
    /// Leaves out of `streams` what was taken before or is in them twice; how many entries that are, and the fingerprints
    /// of the others, to be remembered once they are taken.
    pub(super) fn leave_out(&self, streams: &mut Vec<StreamLines>) -> (u64, HashSet<Fingerprint>) {
        let mut fresh = HashSet::new();
        let mut count = 0;
        for StreamLines { labels, lines } in streams.iter_mut() {
            let stream = md5::compute(labels.to_string());
            let is_new: Vec<bool> = lines
                .iter()
                .map(|(timestamp, line)| {
                    let entry = fingerprint(&stream, timestamp, line);
                    let is_known = self.newer.contains(&entry) || self.older.contains(&entry);
                    !is_known && (BODY_ENTRIES_MAX <= fresh.len() || fresh.insert(entry))
                })
                .collect();
            let repeated = is_new.iter().filter(|is_new| !**is_new).count();
            if 0 < repeated {
                count += repeated as u64;
                let mut kept = Lines::default();
                let new = lines.iter().zip(is_new).filter(|(_, is_new)| *is_new);
                new.for_each(|((timestamp, line), _)| kept.push(timestamp, line));
                *lines = kept;
            }
        }
        streams.retain(|stream| !stream.lines.is_empty());
        (count, fresh)
    }

    /// Remembers entries that were taken.
    pub(super) fn remember(&mut self, taken: HashSet<Fingerprint>) {
        if ENTRIES_MIN <= self.newer.len() {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.extend(taken);
    }
}

fn fingerprint(stream: &md5::Digest, timestamp: Timestamp, line: &[u8]) -> Fingerprint {
    let mut context = md5::Context::new();
    context.consume(stream.0);
    context.consume(timestamp.as_ns().to_le_bytes());
    context.consume(line);
    context.finalize().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    fn streams(entries: &[(&str, i64, &str)]) -> Vec<StreamLines> {
        let stream = |(app, ns, line): &(&str, i64, &str)| {
            let mut lines = Lines::default();
            lines.push(Timestamp::from_ns(*ns), line.as_bytes());
            StreamLines { labels: Labels::new([("app", *app)]).unwrap(), lines }
        };
        entries.iter().map(stream).collect()
    }

    /// How many of the entries are left out, and how many are not.
    #[track_caller]
    fn check(repeats: &mut Repeats, entries: &[(&str, i64, &str)], expected: (u64, usize)) {
        let mut streams = streams(entries);
        let (count, taken) = repeats.leave_out(&mut streams);
        assert_eq!((count, streams.len()), expected, "{entries:?}");
        repeats.remember(taken);
    }

    #[test]
    fn an_entry_is_repeated_if_stream_time_and_line_are_the_same() {
        let repeats = &mut Repeats::default();
        check(repeats, &[("a", 1, "x"), ("b", 1, "x"), ("a", 2, "x"), ("a", 1, "y"), ("a", 1, "x")], (1, 4));
        check(repeats, &[("a", 1, "x"), ("a", 3, "x")], (1, 1));
    }

    #[test]
    fn what_was_not_taken_is_not_repeated() {
        let repeats = &mut Repeats::default();
        repeats.leave_out(&mut streams(&[("a", 1, "x")]));
        check(repeats, &[("a", 1, "x")], (0, 1));
    }

    #[test]
    fn the_last_entries_are_remembered_and_memory_is_bounded() {
        let repeats = &mut Repeats::default();
        let body = |from: i64| {
            let mut lines = Lines::default();
            (from..from + 10_000).for_each(|ns| lines.push(Timestamp::from_ns(ns), b""));
            vec![StreamLines { labels: Labels::new([("app", "a")]).unwrap(), lines }]
        };
        for from in 0..20 {
            let (_, taken) = repeats.leave_out(&mut body(from * 10_000));
            repeats.remember(taken);
        }
        assert_eq!(repeats.leave_out(&mut body(190_000)).0, 10_000);
        assert_eq!(repeats.leave_out(&mut body(170_000)).0, 10_000);
        assert_eq!(repeats.leave_out(&mut body(0)).0, 0, "the first are forgotten");
        assert!(repeats.newer.len() + repeats.older.len() <= 2 * (ENTRIES_MIN + BODY_ENTRIES_MAX));
    }
}
