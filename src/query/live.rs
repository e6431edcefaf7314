//! Lines as they are appended, each with the number that its id has.
//!
//! A number says how many lines of the stream with the same time were stored before. As a rule each line is later than all
//! before it, and then that is 0, or one more than for the line before. Where a line comes late, or a stream is seen for
//! the first time, it is counted: all lines of that time which a snapshot holds, without those that came with the line or
//! after it. That is exact, because the snapshot is taken together with what is received.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::inventory::Inventory;
use crate::log_database::metadata;
use crate::log_database::{Database, Snapshot, StreamTimes, Subscription};
use crate::logql::ast::LogExpr;
use crate::logql::eval::LineQuery;
use crate::logql::pipeline::Clock;
use crate::model::budget::Budget;
use crate::model::{Batch, Direction, Labels, LogEntry, TimeRange, Timestamp};
use crate::query::{Error, FoundLine, LATE_BYTES_MAX, Late, entry, service};

/// Most bytes that are taken to remember streams, those that are not followed included.
const FOLLOWED_BYTES_MAX: usize = 256 << 10;
/// What a stream takes beside its labels, in bytes.
const STREAM_COST_BYTES: usize = 128;
/// What a line takes in a batch beside its text, in bytes: its time, and where it ends.
const RECEIVED_LINE_COST_BYTES: usize = 12;

/// What is appended from one moment on, as far as a query lets it pass.
#[derive(Debug)]
pub struct Live {
    database: Database,
    subscription: Subscription,
    query: LineQuery,
    inventory: Arc<Inventory>,
    /// The version of what streams are called.
    inventory_version: u64,
    streams: HashMap<Labels, Followed>,
    streams_bytes: usize,
    /// Lines of streams that may turn out to be followed.
    late: Late,
    round: Option<Round>,
    budget: Arc<Budget>,
    /// Lines that were dropped because nobody asked for them in time.
    missed_count: u64,
    /// For metadata.
    room: Vec<(String, String)>,
}

/// A stream that lines have come of.
#[derive(Clone, Debug)]
struct Followed {
    /// The labels that queries see; `None` where it is not asked for.
    shown: Option<Labels>,
    /// Whether it may turn out to be, by names that nobody has told yet.
    awaits_names: bool,
    has_metadata: bool,
    /// The latest time of its lines so far, and how many have it; `None` where that is not known.
    latest: Option<(Timestamp, u64)>,
}

impl Followed {
    /// What it takes in memory, in bytes.
    fn cost_bytes(&self) -> usize {
        STREAM_COST_BYTES + self.shown.as_ref().map_or(0, cost_bytes)
    }
}

/// What was received at one time.
#[derive(Debug)]
struct Round {
    /// Everything that had been appended then, the batches included.
    snapshot: Snapshot,
    batches: VecDeque<Arc<Batch>>,
    /// What is taken of the budget for each.
    costs: VecDeque<usize>,
    /// Which stream of the first batch, and which of its lines, is next.
    next: (usize, usize),
    counted: HashMap<Labels, Counted>,
}

/// Lines of one stream by their times.
#[derive(Debug)]
struct Counted {
    /// Those in the snapshot.
    all: StreamTimes,
    /// Those that are still to come in the round.
    to_come: HashMap<i64, u64>,
}

impl Live {
    /// What `subscription` to `database` brings, as far as `expr` lets it pass. What waits is taken of `budget`.
    ///
    /// # Errors
    ///
    /// [`Error::Query`] where a stage cannot be built.
    pub fn new(
        database: Database,
        subscription: Subscription,
        inventory: Arc<Inventory>,
        expr: &LogExpr,
        clock: &Clock,
        budget: Arc<Budget>,
    ) -> Result<Self, Error> {
        let query = LineQuery::new(expr, TimeRange::ALL, (Direction::Forward, None), clock)?.within(&budget);
        Ok(Self {
            database,
            subscription,
            query,
            inventory_version: inventory.version(),
            inventory,
            streams: HashMap::new(),
            streams_bytes: 0,
            late: Late::default(),
            round: None,
            budget,
            missed_count: 0,
            room: Vec::new(),
        })
    }

    /// Hands the next line that has come to `take`; `false` where none has.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the budget was cancelled.
    pub fn next(&mut self, take: &mut dyn FnMut(&FoundLine<'_>)) -> Result<bool, Error> {
        loop {
            self.budget.check()?;
            if self.round.is_none() && !self.receive() {
                return Ok(false);
            }
            if self.look_on(take) {
                return Ok(true);
            }
        }
    }

    /// How many lines of the streams that are followed were dropped since the last call, because nobody asked for them in
    /// time; the query would not have let all of them pass.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed_count)
    }

    /// Takes what the database has; `false` where that is nothing.
    fn receive(&mut self) -> bool {
        let (snapshot, received) = self.database.receive(&self.subscription);
        // Names are told before what wakes the tail for them: by now they are known, and later nothing may wake it.
        let late = self.look_at_names();
        for (stream, missed) in received.missed.streams {
            if self.followed(&stream).shown.is_some() {
                self.missed_count += missed.line_count;
            }
        }
        let mut is_some_missed = 0 < received.missed.line_count;
        let mut batches = VecDeque::from(received.batches);
        let mut costs = VecDeque::new();
        for batch in batches.iter().rev() {
            let bytes = batch.byte_count() + batch.line_count() * RECEIVED_LINE_COST_BYTES;
            if self.budget.take(bytes).is_err() {
                break;
            }
            costs.push_front(bytes);
        }
        for batch in batches.drain(..batches.len() - costs.len()) {
            is_some_missed = true;
            for stream in &batch.streams {
                if self.followed(&stream.labels).shown.is_some() {
                    self.missed_count += stream.lines.len() as u64;
                }
            }
        }
        if is_some_missed {
            self.streams.values_mut().for_each(|followed| followed.latest = None);
        }
        match late {
            Some(late) if self.budget.take(LATE_BYTES_MAX).is_ok() => {
                batches.push_front(Arc::new(late));
                costs.push_front(LATE_BYTES_MAX);
            }
            late => self.missed_count += late.map_or(0, |late| late.line_count() as u64),
        }
        if batches.is_empty() {
            return false;
        }
        self.round = Some(Round { snapshot, batches, costs, next: (0, 0), counted: HashMap::new() });
        true
    }

    /// Looks at the lines of the round up to one that passes, or to the end; says whether one did.
    fn look_on(&mut self, take: &mut dyn FnMut(&FoundLine<'_>)) -> bool {
        loop {
            let Some(batch) = self.round.as_ref().and_then(|round| round.batches.front().cloned()) else {
                self.end_round();
                return false;
            };
            let (mut stream, mut line) = self.round.as_ref().map_or((0, 0), |round| round.next);
            while let Some(of_stream) = batch.streams.get(stream) {
                let followed = self.followed(&of_stream.labels);
                let Followed { shown: Some(shown), has_metadata, .. } = followed else {
                    if followed.awaits_names {
                        self.late.keep(of_stream, line);
                    }
                    (stream, line) = (stream + 1, 0);
                    continue;
                };
                while line < of_stream.lines.len() {
                    let (timestamp, bytes) = of_stream.lines.get(line);
                    self.set_next((stream, line));
                    let number = self.number(&of_stream.labels, timestamp);
                    line += 1;
                    let found = LogEntry::new(&shown, (timestamp, bytes), has_metadata);
                    let text = found.line;
                    if !self.query.fetch().accepts(text) {
                        continue;
                    }
                    let entry = entry(found, &mut self.room);
                    if let Some(shown) = self.query.process(&entry) {
                        take(&FoundLine { stream: &of_stream.labels, timestamp, number, stored: text, shown });
                        self.set_next((stream, line));
                        return true;
                    }
                }
                (stream, line) = (stream + 1, 0);
            }
            self.end_batch();
        }
    }

    fn set_next(&mut self, next: (usize, usize)) {
        if let Some(round) = &mut self.round {
            round.next = next;
        }
    }

    fn end_batch(&mut self) {
        if let Some(round) = &mut self.round {
            round.batches.pop_front();
            round.next = (0, 0);
            self.budget.give_back(round.costs.pop_front().unwrap_or_default());
        }
    }

    /// Remembers of the streams that were counted what the snapshot says, which holds all that has come.
    fn end_round(&mut self) {
        let Some(round) = self.round.take() else { return };
        for (stream, counted) in round.counted {
            if let Some(followed) = self.streams.get_mut(&stream) {
                followed.latest = counted.all.latest().map(|time| (time, counted.all.count(time)));
            }
        }
    }

    /// The number of the next line of the round, which is of this stream and time.
    fn number(&mut self, stream: &Labels, timestamp: Timestamp) -> u64 {
        let Some(round) = &mut self.round else { return 0 };
        if let Some(counted) = round.counted.get_mut(stream) {
            return counted.number(timestamp);
        }
        let followed = self.streams.get_mut(stream);
        if let Some((latest, count)) = followed.and_then(|followed| followed.latest.as_mut())
            && *latest <= timestamp
        {
            *count = if *latest == timestamp { *count + 1 } else { 1 };
            *latest = timestamp;
            return *count - 1;
        }
        let counted = Counted { all: round.snapshot.times_of(stream), to_come: round.times_to_come(stream) };
        round.counted.entry(stream.clone()).or_insert(counted).number(timestamp)
    }

    /// Finds out again which streams are followed, where what they are called has changed. Returns the lines that came before
    /// it was known that their streams are.
    fn look_at_names(&mut self) -> Option<Batch> {
        let version = self.inventory.version();
        if version == std::mem::replace(&mut self.inventory_version, version) {
            return None;
        }
        let mut streams = std::mem::take(&mut self.streams);
        for (stored, followed) in &mut streams {
            *followed = Followed { latest: followed.latest, ..self.look_up(stored) };
        }
        self.streams_bytes = streams.values().map(Followed::cost_bytes).sum();
        self.streams = streams;
        let mut late = std::mem::take(&mut self.late);
        let batch = late.take(|stored| self.followed(stored).shown.is_some());
        self.late = late;
        batch
    }

    /// What is known of a stream without its lines.
    fn look_up(&self, stored: &Labels) -> Followed {
        let unmarked = metadata::unmark(stored);
        let joined = self.inventory.join(unmarked.as_ref().unwrap_or(stored));
        let awaits_names = joined.awaits_names();
        let shown = service::shown_as(joined, self.query.fetch().streams().0);
        Followed { shown, awaits_names, has_metadata: unmarked.is_some(), latest: None }
    }

    /// What is known of a stream.
    fn followed(&mut self, stored: &Labels) -> Followed {
        if let Some(known) = self.streams.get(stored) {
            return known.clone();
        }
        let followed = self.look_up(stored);
        let bytes = followed.cost_bytes();
        if FOLLOWED_BYTES_MAX < self.streams_bytes + bytes {
            self.streams.clear();
            self.streams_bytes = 0;
        }
        self.streams_bytes += bytes;
        self.streams.insert(stored.clone(), followed.clone());
        followed
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let costs = self.round.iter().flat_map(|round| &round.costs);
        self.budget.give_back(costs.sum());
    }
}

impl Round {
    /// The times of the lines of a stream that are still to come.
    fn times_to_come(&self, stream: &Labels) -> HashMap<i64, u64> {
        let mut times = HashMap::new();
        for (index, batch) in self.batches.iter().enumerate() {
            let (next_stream, next_line) = if index == 0 { self.next } else { (0, 0) };
            for (index, of_stream) in batch.streams.iter().enumerate().skip(next_stream) {
                if of_stream.labels == *stream {
                    let skip = if index == next_stream { next_line } else { 0 };
                    for time in &of_stream.lines.timestamps()[skip..] {
                        *times.entry(time.as_ns()).or_default() += 1;
                    }
                }
            }
        }
        times
    }
}

impl Counted {
    /// The number of the next line, which has this time.
    fn number(&mut self, timestamp: Timestamp) -> u64 {
        let to_come = self.to_come.entry(timestamp.as_ns()).or_default();
        let number = self.all.count(timestamp).saturating_sub(*to_come);
        *to_come = to_come.saturating_sub(1);
        number
    }
}

/// What labels take in memory, in bytes.
fn cost_bytes(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum()
}
