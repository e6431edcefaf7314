//! The lines of a tail, in the order they are sent: the newest of those there are, then those that come.
//!
//! Everything that waits is taken of the tail's budget. What does not fit is left out, and the client is told so.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::error::Error;
use crate::api::loki::tail::Ask;
use crate::api::loki::tail::followed::{FOLLOWED_BYTES_MAX, Followed, Streams, Verdict, cost_bytes};
use crate::api::loki::wire::{Dropped, Frame};
use crate::api::time;
use crate::inventory::Inventory;
use crate::log_database::{Snapshot, Subscription};
use crate::logql;
use crate::logql::eval::{Line, LogOptions, LogQuery, SeriesLabels, Stream};
use crate::model::budget::{Budget, Refusal};
use crate::model::{Batch, Direction, Labels, LogEntry, TimeRange, Timestamp};
use crate::query::{self, LATE_BYTES_MAX, Late, Seen, Source, logs};

/// Most lines of one frame.
const FRAME_LINES_MAX: usize = 100;
/// Most bytes of text in one frame, but for its last line.
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Bytes of lines that wait to be sent above which no further ones are looked for; what comes after them waits as it
/// came.
const HELD_BYTES_MAX: usize = 1 << 20;
/// As much of the lines there are when a tail begins.
const HISTORY_BYTES_MAX: usize = 8 << 20;
/// Room for a frame that there always is, in bytes: more than a hundred lines usually take.
const FRAME_ROOM_BYTES: usize = 128 << 10;
/// Most bytes of labels of streams that lines were left out of; of further streams, it is not told.
const MISSED_BYTES_MAX: usize = 64 << 10;
/// What a tail takes for as long as it lasts, in bytes.
const STANDING_BYTES: usize = FRAME_ROOM_BYTES + MISSED_BYTES_MAX + FOLLOWED_BYTES_MAX + LATE_BYTES_MAX;
/// What a line takes in a batch beside its text, in bytes: its time, and where it ends.
const RECEIVED_LINE_COST_BYTES: usize = 12;

/// The lines of one tail.
pub(super) struct Feed {
    subscription: Subscription,
    /// Makes what is sent of lines that come.
    query: LogQuery,
    categorizes: bool,
    delay: Duration,
    streams: Streams,
    /// Lines of streams that may turn out to be followed.
    late: Late,
    /// What all that follows is taken of.
    budget: Arc<Budget>,
    /// Batches that have not been looked at.
    received: VecDeque<Arc<Batch>>,
    /// What is taken for them, in bytes.
    received_bytes: usize,
    /// How many lines of the first of them have been looked at.
    looked_at: usize,
    /// Lines to be sent, by time and then in the order they came.
    held: BTreeMap<Place, Found>,
    /// What is taken for them, in bytes.
    held_bytes: usize,
    /// When lines were found, the earliest first, and the last place that they take.
    arrivals: VecDeque<(Instant, Place)>,
    /// Everything up to here may be sent.
    released: Option<Place>,
    found_count: u64,
    /// Streams that lines were left out of, with the time of the last one.
    missed: BTreeMap<Labels, Timestamp>,
    /// Bytes of their labels.
    missed_bytes: usize,
    /// What is taken for the frame that is being sent, in bytes: as many as the largest so far, as the socket keeps
    /// that much room.
    frame_bytes: usize,
}

type Place = (Timestamp, u64);

/// A line to be sent.
struct Found {
    labels: SeriesLabels,
    line: Line,
}

impl Found {
    /// What it takes in memory, in bytes.
    fn cost_bytes(&self) -> usize {
        cost_bytes(self.labels.iter()) + self.line.byte_count()
    }
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
    /// Finds the lines there are in `snapshot`, within `search`; those of `subscription` come after them. What waits to
    /// be sent is taken of `budget`: of the lines there are, the newest that fit.
    pub(super) fn open(
        ask: &Ask,
        (snapshot, inventory): (&Snapshot, Arc<Inventory>),
        subscription: Subscription,
        search: &Arc<Budget>,
        budget: Budget,
    ) -> Result<Self, Error> {
        let budget = Arc::new(budget);
        budget.take(STANDING_BYTES)?;
        let mut feed = Self {
            subscription,
            query: ask.query()?.within(Arc::clone(&budget)),
            categorizes: ask.categorizes,
            delay: ask.delay,
            streams: Streams::new(Arc::clone(&inventory)),
            late: Late::default(),
            budget,
            received: VecDeque::new(),
            received_bytes: 0,
            looked_at: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            arrivals: VecDeque::new(),
            released: None,
            found_count: 0,
            missed: BTreeMap::new(),
            missed_bytes: 0,
            frame_bytes: FRAME_ROOM_BYTES,
        };
        let source = Source::new(snapshot.clone(), inventory, Arc::clone(search));
        feed.hold_newest(logs::read(ask.history(time::now())?, &source, &mut Seen::default())?);
        Ok(feed)
    }

    /// Looks at what has come, as long as there is room for it.
    ///
    /// # Errors
    ///
    /// The query cannot be evaluated.
    pub(super) fn advance(&mut self, now: Instant) -> Result<(), Error> {
        self.budget.give_back(std::mem::take(&mut self.received_bytes));
        let mut last = None;
        loop {
            if self.received.is_empty() {
                self.receive();
            }
            let Some(batch) = self.received.front().cloned() else { break };
            let is_done = self.look_at(&batch, &mut last)?;
            if !is_done {
                break;
            }
            self.received.pop_front();
            self.looked_at = 0;
        }
        self.arrivals.extend(last.map(|place| (now + self.delay, place)));
        self.keep_received();
        Ok(())
    }

    /// The next frame; `None` where nothing is to be sent yet. The one before it has been sent.
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<String> {
        while let Some((_, place)) = self.arrivals.pop_front_if(|(due, _)| *due <= now) {
            self.released = self.released.max(Some(place));
        }
        if !self.received.is_empty() {
            // What is ahead of it has to make room for it.
            self.released = self.held.last_key_value().map(|(place, _)| *place);
        }
        loop {
            let (streams, bytes) = self.released_streams();
            if streams.is_empty() && self.missed.is_empty() {
                return None;
            }
            let missed = std::mem::take(&mut self.missed);
            let dropped = missed.iter().map(|(labels, timestamp)| Dropped::new(labels, *timestamp)).collect();
            let frame = Frame::new(&streams, dropped, self.categorizes);
            // What tells of missed lines alone has its room.
            let is_taken = streams.is_empty() || self.take_frame(frame.text_bytes()).is_ok();
            let text = is_taken.then(|| frame.to_text());
            self.budget.give_back(bytes);
            if text.is_some() {
                self.missed_bytes = 0;
                return text;
            }
            self.missed = missed;
            for Stream { labels, lines } in streams {
                for line in lines {
                    self.miss_line(&labels, line.timestamp);
                }
            }
        }
    }

    /// When the next of the lines that are held back may be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        self.arrivals.front().map(|(due, _)| *due)
    }

    /// Takes the lines that came before it was known that their streams are followed.
    fn look_at_late(&mut self) {
        if self.streams.take_news() {
            let (streams, matchers) = (&mut self.streams, self.query.fetch().streams().0);
            let late = self.late.take(|stored| matches!(streams.verdict(stored, matchers), Verdict::Followed(_)));
            if let Some(late) = late {
                self.received.push_front(Arc::new(late));
            }
        }
    }

    /// Takes what the database has for the tail.
    fn receive(&mut self) {
        let received = self.subscription.take();
        for (stored, missed) in received.missed.streams {
            self.miss_stream(&stored, missed.last);
        }
        self.received = received.batches.into();
        // Names are told before what wakes the tail for them: by now they are known, and later nothing may wake it.
        self.look_at_late();
    }

    /// Takes the memory for batches that wait for the client to take what is ahead of them. Where it is too much, the
    /// oldest are left out.
    fn keep_received(&mut self) {
        let mut kept_count = 0;
        for batch in self.received.iter().rev() {
            let bytes = batch.byte_count() + batch.line_count() * RECEIVED_LINE_COST_BYTES;
            if self.budget.take(bytes).is_err() {
                break;
            }
            self.received_bytes += bytes;
            kept_count += 1;
        }
        while kept_count < self.received.len()
            && let Some(batch) = self.received.pop_front()
        {
            self.looked_at = 0;
            for stream in &batch.streams {
                if let Some(last) = stream.lines.timestamps().last() {
                    self.miss_stream(&stream.labels, *last);
                }
            }
        }
    }

    /// Looks at the lines of a batch from where it was left; `last` is the last place that one of them takes. Returns
    /// whether there was room for all of them.
    fn look_at(&mut self, batch: &Batch, last: &mut Option<Place>) -> Result<bool, Error> {
        let mut room = Vec::new();
        let mut end = 0;
        for stream in &batch.streams {
            let start = end;
            end += stream.lines.len();
            if end <= self.looked_at {
                continue;
            }
            let verdict = self.streams.verdict(&stream.labels, self.query.fetch().streams().0);
            let Verdict::Followed(Followed { labels, has_metadata }) = verdict else {
                if matches!(verdict, Verdict::AwaitsNames) {
                    self.late.keep(stream, self.looked_at - start);
                }
                self.looked_at = end;
                continue;
            };
            while self.looked_at < end {
                if HELD_BYTES_MAX <= self.held_bytes {
                    return Ok(false);
                }
                let found = LogEntry::new(&labels, stream.lines.get(self.looked_at - start), has_metadata);
                if self.query.fetch().accepts(found.line) {
                    match self.find(found, &mut room, last) {
                        Ok(()) => {}
                        Err(logql::Error::Refused(_)) => self.miss(labels.clone(), found.timestamp),
                        Err(error) => return Err(error.into()),
                    }
                }
                self.looked_at += 1;
            }
        }
        Ok(true)
    }

    /// Holds what the query makes of an entry.
    fn find(
        &mut self,
        found: LogEntry<'_>,
        room: &mut Vec<(String, String)>,
        last: &mut Option<Place>,
    ) -> Result<(), logql::Error> {
        // Breaks never: no line is too many.
        let _ = self.query.push(&query::entry(found, room))?;
        for Stream { labels, lines } in self.query.take() {
            for line in lines {
                let place = (line.timestamp, self.found_count);
                self.hold(place, Found { labels: labels.clone(), line })?;
                self.found_count += 1;
                *last = (*last).max(Some(place));
            }
        }
        Ok(())
    }

    /// Holds the newest of the lines there are, which may be sent at once, and misses those that there is no room for.
    fn hold_newest(&mut self, streams: Vec<Stream>) {
        let lines = streams.into_iter().flat_map(|Stream { labels, lines }| {
            // They come newest first.
            lines.into_iter().rev().map(move |line| Found { labels: labels.clone(), line })
        });
        let mut lines: Vec<Found> = lines.collect();
        lines.sort_by_key(|found| found.line.timestamp);
        self.found_count = lines.len() as u64;
        let (mut number, mut is_full) = (self.found_count, false);
        while let Some(found) = lines.pop() {
            number -= 1;
            let (labels, place) = (found.labels.clone(), (found.line.timestamp, number));
            is_full = is_full || HISTORY_BYTES_MAX <= self.held_bytes || self.hold(place, found).is_err();
            if is_full {
                self.miss_line(&labels, place.0);
            }
        }
        self.released = self.held.last_key_value().map(|(place, _)| *place);
    }

    fn hold(&mut self, place: Place, found: Found) -> Result<(), Refusal> {
        let bytes = found.cost_bytes();
        self.budget.take(bytes)?;
        self.held_bytes += bytes;
        self.held.insert(place, found);
        Ok(())
    }

    /// Takes the next released lines, those of one stream that follow each other together, and says how many bytes are
    /// taken for them still.
    fn released_streams(&mut self) -> (Vec<Stream>, usize) {
        let (mut streams, mut line_count, mut text_bytes) = (Vec::<Stream>::new(), 0, 0);
        let mut bytes = 0;
        while line_count < FRAME_LINES_MAX && text_bytes < FRAME_BYTES_MAX {
            let Some(first) = self.held.first_entry().filter(|first| Some(*first.key()) <= self.released) else {
                break;
            };
            let found = first.remove();
            bytes += found.cost_bytes();
            let Found { labels, line } = found;
            line_count += 1;
            text_bytes += line.text.len();
            match streams.last_mut().filter(|last| last.labels == labels) {
                Some(last) => last.lines.push(line),
                None => streams.push(Stream { labels, lines: vec![line] }),
            }
        }
        self.held_bytes -= bytes;
        (streams, bytes)
    }

    /// Takes the memory for a frame, in the place of those before it.
    fn take_frame(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.budget.take(bytes.saturating_sub(self.frame_bytes))?;
        self.frame_bytes = self.frame_bytes.max(bytes);
        Ok(())
    }

    /// Tells of a line that was left out, and whose labels may be those of its stream and others.
    fn miss_line(&mut self, labels: &SeriesLabels, timestamp: Timestamp) {
        if let Ok(labels) = Labels::new(labels.iter()) {
            self.miss(labels, timestamp);
        }
    }

    /// Tells of lines that were left out of a stream, if it is followed.
    fn miss_stream(&mut self, stored: &Labels, timestamp: Timestamp) {
        if let Verdict::Followed(followed) = self.streams.verdict(stored, self.query.fetch().streams().0) {
            self.miss(followed.labels, timestamp);
        }
    }

    fn miss(&mut self, labels: Labels, timestamp: Timestamp) {
        if let Some(latest) = self.missed.get_mut(&labels) {
            *latest = timestamp.max(*latest);
            return;
        }
        let bytes = cost_bytes(labels.iter());
        if self.missed_bytes + bytes <= MISSED_BYTES_MAX {
            self.missed_bytes += bytes;
            self.missed.insert(labels, timestamp);
        }
    }
}

#[cfg(test)]
mod tests;
