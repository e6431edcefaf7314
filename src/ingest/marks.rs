//! Stores what happened between lines among the lines, and reads it back.

use crate::log_database::{self, Database, internal};
use crate::model::{Batch, Lines, StreamLines, Timestamp};
use crate::status::{Event, Mark, Status};

/// The internal stream of marks.
const STREAM: &str = "marks";

/// Reads the marks that `database` holds, and marks that the agent was started `now`, if it holds any lines.
///
/// # Errors
///
/// What is stored cannot be read; the marks before are there.
pub fn restore(database: &Database, status: &Status, now: Timestamp) -> Result<(), log_database::Error> {
    let mut scan = database.snapshot().scan_internal(STREAM);
    let read = loop {
        match scan.next() {
            Ok(Some(entry)) => match Mark::of_line(&String::from_utf8_lossy(entry.line), entry.timestamp) {
                Some(mark) => status.marks.restore(mark),
                None => log::debug!("a mark between lines is of another version, and is left out"),
            },
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if 0 < database.statistics().lines {
        status.marks.add(Mark { log: String::new(), time: now, event: Event::Started });
    }
    read
}

/// The marks to be stored; `None` where there are none.
pub(super) fn unstored(status: &Status) -> Option<Batch> {
    let mut lines = Lines::default();
    for mark in status.marks.take_unstored() {
        lines.push(mark.time, mark.to_line().as_bytes());
    }
    let streams = vec![StreamLines { labels: internal::labels(STREAM), lines }];
    (!streams[0].lines.is_empty()).then_some(Batch { checkpoint: None, streams })
}

/// That a log's next file began with these lines, of each of its streams.
pub(super) fn rotation(streams: &[StreamLines]) -> Mark {
    let labels = streams.first().map(|stream| &stream.labels);
    let log = labels.and_then(|labels| labels.get("container_id").or_else(|| labels.get("path")));
    let time = streams.iter().filter_map(|stream| stream.lines.timestamps().first()).min();
    Mark { log: log.unwrap_or_default().to_owned(), time: time.copied().unwrap_or_default(), event: Event::Rotated }
}
