//! The lines of a tail, in the order they are sent: the newest of those there are, then those that come.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::error::Error;
use crate::api::loki::running::{self, Source};
use crate::api::loki::service;
use crate::api::loki::tail::Ask;
use crate::api::loki::wire::{Cost, Dropped, Frame};
use crate::api::time;
use crate::log_database::metadata::{self, Metadata};
use crate::log_database::{EntryRef, Missed, Snapshot, Subscription};
use crate::logql::eval::{Line, LogOptions, LogQuery, SeriesLabels, Stream};
use crate::model::budget::Budget;
use crate::model::{Batch, Direction, Labels, TimeRange, Timestamp};

/// Most lines of one frame.
const FRAME_LINES_MAX: usize = 100;
/// Most bytes of text in one frame, but for its last line.
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Most bytes of lines that wait to be sent; what comes after them waits in the subscription.
const HELD_BYTES_MAX: usize = 4 << 20;
/// Of how many streams it is remembered what they are shown as.
const SHOWN_MAX: usize = 10_000;

/// The lines of one tail.
pub(super) struct Feed {
    subscription: Subscription,
    /// Makes what is sent of lines that come.
    query: LogQuery,
    categorizes: bool,
    delay: Duration,
    /// What the streams seen so far are shown as; `None` for those that are not asked for.
    shown: HashMap<Labels, Option<Shown>>,
    /// Batches that have not been looked at.
    received: VecDeque<Arc<Batch>>,
    /// Lines to be sent, by time and then in the order they came.
    held: BTreeMap<Place, Found>,
    held_bytes: usize,
    /// When lines were found, the earliest first, and the last place that they take.
    arrivals: VecDeque<(Instant, Place)>,
    /// Everything up to here may be sent.
    released: Option<Place>,
    found_count: u64,
    missed: BTreeMap<Labels, Timestamp>,
}

type Place = (Timestamp, u64);

/// What a stream is shown as.
#[derive(Clone)]
struct Shown {
    labels: Labels,
    /// Whether each line is followed by metadata.
    has_metadata: bool,
}

/// A line to be sent.
struct Found {
    labels: SeriesLabels,
    line: Line,
}

impl Ask {
    /// Whether it can be answered.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.history(time::now()).and_then(|_| self.query()).map(|_| ())
    }

    /// The query for the lines there are.
    fn history(&self, now: Timestamp) -> Result<LogQuery, Error> {
        // The line of this very instant is there.
        let end = Timestamp::from_ns(now.as_ns().saturating_add(1));
        Ok(LogQuery::new(&self.expr, self.options(TimeRange { start: self.start, end }, self.limit), &self.clock)?)
    }

    /// The query for lines that come, of whatever time they are.
    fn query(&self) -> Result<LogQuery, Error> {
        let any = TimeRange { start: Timestamp::default(), end: Timestamp::default() };
        Ok(LogQuery::new(&self.expr, self.options(any, usize::MAX), &self.clock)?)
    }

    fn options(&self, range: TimeRange, limit: usize) -> LogOptions {
        let direction = Direction::Backward;
        LogOptions { range, direction, limit, interval_ns: 0, categorizes: self.categorizes }
    }
}

impl Feed {
    /// Finds the lines there are in `snapshot`; those of `subscription` come after them.
    pub(super) fn open(
        ask: &Ask,
        snapshot: &Snapshot,
        subscription: Subscription,
        budget: &Arc<Budget>,
    ) -> Result<Self, Error> {
        let mut feed = Self {
            subscription,
            query: ask.query()?,
            categorizes: ask.categorizes,
            delay: ask.delay,
            shown: HashMap::new(),
            received: VecDeque::new(),
            held: BTreeMap::new(),
            held_bytes: 0,
            arrivals: VecDeque::new(),
            released: None,
            found_count: 0,
            missed: BTreeMap::new(),
        };
        let source = Source::new(snapshot.clone(), Arc::clone(budget));
        let mut streams = running::read(ask.history(time::now())?, &source, &mut Cost::new())?;
        for stream in &mut streams {
            stream.lines.reverse();
        }
        feed.hold(streams, Instant::now());
        Ok(feed)
    }

    /// Looks at what has come, as long as there is room for it.
    ///
    /// # Errors
    ///
    /// A batch became too many bytes.
    pub(super) fn advance(&mut self, now: Instant) -> Result<(), Error> {
        while self.held_bytes < HELD_BYTES_MAX {
            if self.received.is_empty() {
                let received = self.subscription.take();
                self.miss(received.missed);
                self.received = received.batches.into();
            }
            let Some(batch) = self.received.pop_front() else { break };
            self.look_at(&batch, now)?;
        }
        Ok(())
    }

    /// The next frame; `None` where nothing is to be sent yet.
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<String> {
        while let Some((_, place)) = self.arrivals.pop_front_if(|(due, _)| *due <= now) {
            self.released = self.released.max(Some(place));
        }
        if HELD_BYTES_MAX <= self.held_bytes {
            self.released = self.held.last_key_value().map(|(place, _)| *place);
        }
        let streams = self.released_streams();
        let missed = std::mem::take(&mut self.missed);
        if streams.is_empty() && missed.is_empty() {
            return None;
        }
        let dropped = missed.iter().map(|(labels, timestamp)| Dropped::new(labels, *timestamp)).collect();
        Some(Frame::new(&streams, dropped, self.categorizes).to_text())
    }

    /// When the next of the lines that are held back may be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        self.arrivals.front().map(|(due, _)| *due)
    }

    /// Takes the next released lines, those of one stream that follow each other together.
    fn released_streams(&mut self) -> Vec<Stream> {
        let (mut streams, mut line_count, mut byte_count) = (Vec::<Stream>::new(), 0, 0);
        while line_count < FRAME_LINES_MAX && byte_count < FRAME_BYTES_MAX {
            let Some(first) = self.held.first_entry().filter(|first| Some(*first.key()) <= self.released) else {
                break;
            };
            let Found { labels, line } = first.remove();
            line_count += 1;
            byte_count += line.text.len();
            self.held_bytes -= line.byte_count();
            match streams.last_mut().filter(|last| last.labels == labels) {
                Some(last) => last.lines.push(line),
                None => streams.push(Stream { labels, lines: vec![line] }),
            }
        }
        streams
    }

    fn look_at(&mut self, batch: &Batch, now: Instant) -> Result<(), Error> {
        let mut room = Vec::new();
        for stream in &batch.streams {
            let Some(Shown { labels, has_metadata }) = self.shown(&stream.labels) else { continue };
            for (timestamp, line) in stream.lines.iter() {
                let (line, metadata) = if has_metadata { metadata::split(line) } else { (line, Metadata::default()) };
                if self.query.fetch().accepts(line) {
                    let found = EntryRef { timestamp, labels: &labels, line, metadata };
                    // Breaks never: no line is too many.
                    let _ = self.query.push(&running::entry(found, &mut room))?;
                }
            }
        }
        let streams = self.query.take();
        self.hold(streams, now + self.delay);
        Ok(())
    }

    /// Holds lines until they are `due`.
    fn hold(&mut self, streams: Vec<Stream>, due: Instant) {
        let mut last = None;
        for Stream { labels, lines } in streams {
            for line in lines {
                let place = (line.timestamp, self.found_count);
                self.found_count += 1;
                self.held_bytes += line.byte_count();
                last = last.max(Some(place));
                self.held.insert(place, Found { labels: labels.clone(), line });
            }
        }
        self.arrivals.extend(last.map(|place| (due, place)));
    }

    fn miss(&mut self, missed: Missed) {
        for (stored, timestamp) in missed.streams {
            if let Some(Shown { labels, .. }) = self.shown(&stored) {
                self.missed.insert(labels, timestamp);
            }
        }
    }

    /// What a stream is shown as, if it is asked for.
    fn shown(&mut self, stored: &Labels) -> Option<Shown> {
        if let Some(shown) = self.shown.get(stored) {
            return shown.clone();
        }
        if SHOWN_MAX <= self.shown.len() {
            self.shown.clear();
        }
        let unmarked = metadata::unmark(stored);
        let has_metadata = unmarked.is_some();
        let labels = service::shown_as(&unmarked.unwrap_or_else(|| stored.clone()), self.query.fetch().streams().0);
        let shown = labels.map(|labels| Shown { labels, has_metadata });
        self.shown.insert(stored.clone(), shown.clone());
        shown
    }
}
