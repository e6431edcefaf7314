//! The lines of one `follow`, in the order they are sent: those there are, then those that come.
//!
//! Everything that waits is taken of the tail's budget. What there is no room for is left out, and the client is told
//! between which two lines it is missing.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::State;
use crate::api::error::Error;
use crate::api::v1::marks::Marks;
use crate::api::v1::records;
use crate::api::v1::writer::{HeldLine, Writer};
use crate::inventory::Inventory;
use crate::log_database::{Bounds, Database, Place, metadata};
use crate::logql;
use crate::logql::ast::LogExpr;
use crate::logql::pipeline::Clock;
use crate::model::budget::Budget;
use crate::model::{Direction, Matcher, TimeRange, Timestamp};
use crate::query::{self, LineId, LineOptions, Lines, Live, Located, Progress, Source, service};
use crate::status::Status;

/// Most bytes of lines in one frame, but for a line that is longer.
pub(super) const FRAME_BYTES_MAX: usize = 256 << 10;
/// Most lines that are sent of those there are.
const HISTORY_LINES_MAX: u64 = 10_000;
/// Most bytes of them.
const HISTORY_BYTES_MAX: usize = 8 << 20;
/// How long lines are counted that are more than that.
const COUNT_TIME_MAX: Duration = Duration::from_millis(200);
/// What a stream takes whose number the client knows, in bytes.
const STREAM_COST_BYTES: usize = 256;
/// What a tail takes for as long as it lasts, in bytes: a frame, and the streams that it knows.
const STANDING_BYTES: usize = 2 * FRAME_BYTES_MAX;

/// Which of the lines there are come first.
#[derive(Clone, Copy, Debug)]
pub(super) enum History {
    /// Those after this one.
    After(LineId),
    /// Those from this time on.
    Start(Timestamp),
    /// The newest so many.
    Last(u64),
}

/// Marks between the lines of the streams that are followed.
pub(super) struct NewMarks {
    status: Arc<Status>,
    database: Database,
    inventory: Arc<Inventory>,
    matchers: Vec<Matcher>,
    /// The count of marks when they were last looked at.
    seen_count: usize,
}

impl NewMarks {
    /// Of the streams of `expr`.
    pub(super) fn new(state: &State, expr: &LogExpr) -> Result<Self, Error> {
        let (status, inventory) = (Arc::clone(&state.status), Arc::clone(&state.inventory));
        let (database, matchers) = (state.database.clone(), logql::matchers(&expr.matchers)?);
        Ok(Self { status, database, inventory, matchers, seen_count: 0 })
    }

    /// The marks of `start` and later that have not been taken yet.
    fn take(&mut self, start: Timestamp) -> Marks {
        let (marks, count) = self.status.marks.since(self.seen_count);
        self.seen_count = count;
        if marks.is_empty() {
            return Marks::default();
        }
        let mut streams = self.database.snapshot().streams(&[], TimeRange::ALL);
        streams.retain(|own| service::shown_as(self.inventory.join(own), &self.matchers).is_some());
        Marks::new(marks, || streams.iter(), TimeRange { start, ..TimeRange::ALL }, (None, None), Direction::Forward)
    }
}

/// The lines of one `follow`.
pub(super) struct Feed {
    live: Live,
    new_marks: NewMarks,
    writer: Writer,
    /// Records that are sent before any line.
    opening: Vec<u8>,
    /// Lines to be sent, in their order.
    held: VecDeque<HeldLine>,
    held_bytes: usize,
    /// Lines that have been left out before those that are held.
    missed_count: u64,
    /// Lines that have been left out after those that are held, and the one that comes next, if any.
    carried: (u64, Option<HeldLine>),
    /// Whether there was more than is held now.
    is_more: bool,
    /// How many streams there are whose memory is taken.
    stream_count: usize,
    /// The line that was sent, and that is after all others that were.
    latest: Option<HeldLine>,
    is_late: bool,
    budget: Arc<Budget>,
}

impl Feed {
    /// Finds the lines there are in `source`, of which `history` says which; `live` brings those after them.
    pub(super) fn open(
        (expr, history): (&LogExpr, History),
        clock: &Clock,
        source: &Source,
        (live, new_marks): (Live, NewMarks),
        budget: Arc<Budget>,
    ) -> Result<Self, Error> {
        budget.take(STANDING_BYTES)?;
        let mut feed = Self {
            live,
            new_marks,
            writer: Writer::of_records(Marks::default(), Arc::clone(source.inventory())),
            opening: Vec::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            missed_count: 0,
            carried: (0, None),
            is_more: false,
            stream_count: 0,
            latest: None,
            is_late: false,
            budget,
        };
        let (mut range, mut bounds, mut limit) = (TimeRange::ALL, Bounds::default(), HISTORY_LINES_MAX);
        match history {
            History::After(id) => match query::locate(id, source)? {
                Located::At(place) | Located::Gone(place) => {
                    feed.latest = Some(HeldLine { stream: place.stream.clone(), id, text: Vec::new() });
                    bounds.from = Some(place.next());
                }
                Located::Unknown => range.start = id.timestamp,
            },
            History::Start(time) => range.start = time,
            History::Last(count) => limit = count,
        }
        let lines = |bounds: Bounds, direction, limit| {
            let options = LineOptions { range, bounds, direction, limit, stream: None };
            Lines::new(expr, &options, clock, source)
        };
        let is_cut = feed.hold_newest(lines(bounds.clone(), Direction::Backward, Some(limit))?)?;
        let first = feed.held.front().map(|line| line.id.timestamp);
        let marks_start = match history {
            // What is marked with its time stands before it.
            History::After(id) => Timestamp::from_ns(id.timestamp.as_ns().saturating_add(1)),
            History::Start(time) => time,
            // Where no line is sent, nothing that happened is between any.
            History::Last(_) => first.unwrap_or(Timestamp::MAX),
        };
        feed.writer.marks = feed.new_marks.take(marks_start);
        let may_be_more = is_cut || feed.held.len() as u64 == limit;
        if let Some(oldest) = feed.held.front().filter(|_| may_be_more && !matches!(history, History::Last(_))) {
            let HeldLine { stream, id, .. } = oldest;
            let place = Place { timestamp: id.timestamp, stream: stream.clone(), number: id.number };
            let bounds = Bounds { before: Some(place), ..bounds };
            let (count, is_all) = count(lines(bounds, Direction::Backward, None)?)?;
            if 0 < count {
                let after = if let History::After(id) = history { Some(id.to_string()) } else { None };
                let missed = json!({"lines": count, "more": !is_all, "after": after, "before": id.to_string()});
                records::push(&mut feed.opening, "missed", &missed);
            }
        }
        Ok(feed)
    }

    /// Appends a record that is sent before all others.
    pub(super) fn begin(&mut self, record: Vec<u8>) {
        self.opening.splice(0..0, record);
    }

    /// Holds lines, which come the newest first; says whether there was no room for some.
    fn hold_newest(&mut self, mut lines: Lines) -> Result<bool, Error> {
        loop {
            let mut held = None;
            lines.next(&|| false, &mut |line| held = Some(self.writer.hold(line)))?;
            let Some(line) = held else { return Ok(false) };
            let bytes = line.cost_bytes();
            if HISTORY_BYTES_MAX < self.held_bytes + bytes || self.budget.take(bytes).is_err() {
                return Ok(true);
            }
            self.held_bytes += bytes;
            self.held.push_front(line);
        }
    }

    /// Looks at what has come, as far as there is room for it in a frame.
    ///
    /// # Errors
    ///
    /// The query cannot be evaluated.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
        self.writer.marks.extend(self.new_marks.take(TimeRange::ALL.start));
        let (missed_count, carried) = std::mem::take(&mut self.carried);
        self.missed_count += missed_count;
        let sorted_count = self.held.len();
        self.held.extend(carried);
        self.is_more = true;
        while self.held_bytes < FRAME_BYTES_MAX {
            let mut held = None;
            let is_found = self.live.next(&mut |line| held = Some(self.writer.hold(line)))?;
            let mut missed_count = self.live.take_missed();
            let line = held.filter(|line| {
                let is_taken = self.budget.take(line.cost_bytes()).is_ok();
                missed_count += u64::from(!is_taken);
                is_taken
            });
            self.held_bytes += line.as_ref().map_or(0, HeldLine::cost_bytes);
            if 0 < missed_count && !self.held.is_empty() {
                // What is missing is after what is held, and before what is not.
                self.carried = (missed_count, line);
                break;
            }
            self.missed_count += missed_count;
            self.held.extend(line);
            if !is_found {
                self.is_more = false;
                break;
            }
        }
        let stream_count = self.writer.stream_count();
        self.budget.take(stream_count.saturating_sub(self.stream_count) * STREAM_COST_BYTES)?;
        self.stream_count = stream_count;
        // What came at one time is sent in the order of all lines.
        self.held.make_contiguous()[sorted_count..].sort_by(compare);
        Ok(())
    }

    /// Whether there was more than is held now.
    pub(super) fn is_more(&self) -> bool {
        self.is_more
    }

    /// The next frame; `None` where there is nothing to be sent.
    pub(super) fn next_frame(&mut self) -> Option<String> {
        let mut frame = std::mem::take(&mut self.opening);
        while let Some(line) =
            self.held.pop_front_if(|line| frame.is_empty() || frame.len() + line.text.len() <= FRAME_BYTES_MAX)
        {
            let bytes = line.cost_bytes();
            self.held_bytes -= bytes;
            self.budget.give_back(bytes);
            self.push_missed(&mut frame, Some(line.id));
            let is_late = self.latest.as_ref().is_some_and(|latest| compare(&line, latest) == Ordering::Less);
            if is_late && !self.is_late {
                records::push(&mut frame, "late", &true);
            }
            self.is_late = is_late;
            self.writer.push_held(&mut frame, &line);
            if !is_late {
                self.latest = Some(HeldLine { text: Vec::new(), ..line });
            }
        }
        if self.held.is_empty() {
            // What comes next comes after it, whatever time it has.
            self.writer.push_marks(&mut frame, None);
        }
        (!frame.is_empty()).then(|| String::from_utf8(frame).expect("records are JSON"))
    }

    /// What is sent where no line has come for a while.
    pub(super) fn beat(&mut self, now: Timestamp) -> String {
        let mut frame = Vec::new();
        self.push_missed(&mut frame, None);
        self.writer.marks.extend(self.new_marks.take(TimeRange::ALL.start));
        self.writer.push_marks(&mut frame, None);
        records::push(&mut frame, "beat", &json!({"now": now.as_ns().to_string()}));
        String::from_utf8(frame).expect("records are JSON")
    }

    /// Appends that lines were left out, if some were.
    fn push_missed(&mut self, frame: &mut Vec<u8>, before: Option<LineId>) {
        let count = std::mem::take(&mut self.missed_count);
        if 0 < count {
            let after = self.latest.as_ref().map(|line| line.id.to_string());
            let before = before.map(|id| id.to_string());
            records::push(frame, "missed", &json!({"lines": count, "after": after, "before": before}));
        }
    }
}

/// Counts lines for as long as there is time, and says whether that was enough.
fn count(mut lines: Lines) -> Result<(u64, bool), Error> {
    let (begun, mut count) = (Instant::now(), 0);
    let is_over = || COUNT_TIME_MAX <= begun.elapsed();
    while !is_over() {
        match lines.next(&is_over, &mut |_| ())? {
            Progress::Line => count += 1,
            Progress::Paused => break,
            Progress::Limit | Progress::Complete => return Ok((count, true)),
        }
    }
    Ok((count, false))
}

/// Compares the places of two lines in the order of all lines.
fn compare(one: &HeldLine, other: &HeldLine) -> Ordering {
    let stream = |line: &HeldLine| match metadata::unmark(&line.stream) {
        Some(own) => (own, true),
        None => (line.stream.clone(), false),
    };
    let by_time = one.id.timestamp.cmp(&other.id.timestamp);
    let by_stream = || if one.stream == other.stream { Ordering::Equal } else { stream(one).cmp(&stream(other)) };
    by_time.then_with(by_stream).then_with(|| one.id.number.cmp(&other.id.number))
}
