//! `GET|POST /api/v1/lines`: the lines of a query, exactly and as they are found.
//!
//! Lines are found while the answer is sent, so that the first is on the screen as soon as it is found, and an answer of
//! any length takes the memory of what is being read. Lines around another are the exception: those before it are found
//! backwards and sent forwards, so they are held, as text.

use std::mem::take;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tide::http::mime;
use tide::{Request, Response, StatusCode};

use crate::api::body::{self, PIECE_BYTES, Pieces};
use crate::api::error::Error;
use crate::api::v1::arguments::{Arguments, Around, Format, Times};
use crate::api::v1::marks::Marks;
use crate::api::v1::records::{self, Begin, End};
use crate::api::v1::writer::{HeldLine, Writer};
use crate::api::{State, wire};
use crate::log_database::{self, Bounds, Place, metadata};
use crate::logql::ast::{LabelMatcher, LogExpr, MatchOp};
use crate::logql::pipeline::Clock;
use crate::model::budget::{Budget, Refusal};
use crate::model::{Direction, Labels, TimeRange, Timestamp};
use crate::query::{self, LineId, LineOptions, Lines, Located, Progress, Source, service};

/// How long the first piece waits for a line.
const FIRST_PIECE_TIME: Duration = Duration::from_millis(100);
/// How long a further one does, before it says how far the search has come.
const PIECE_TIME: Duration = Duration::from_millis(200);
/// How long a piece that has a line waits for more.
const LINGER: Duration = Duration::from_millis(10);
/// Labels that tell a container apart from others, through its restarts and on both of its channels.
pub(super) const CONTAINER_LABELS: [&str; 3] = ["namespace", "pod", "container"];

/// Answers the request.
pub(super) async fn get(mut request: Request<State>) -> tide::Result {
    let arguments = Arguments::of(&mut request).await?;
    let ask = Ask::of(&arguments)?;
    let state = request.state().clone();
    let work = move |budget| {
        let source = state.source(budget);
        answer(&ask, &arguments, &source, &state)
    };
    Ok(request.state().queries.run(None, work).await?)
}

/// What a request asks for, but for its query.
struct Ask {
    range: TimeRange,
    direction: Direction,
    limit: Option<u64>,
    after: Option<LineId>,
    before: Option<LineId>,
    around: Option<Around>,
    format: Format,
    times: Times,
    names_streams: bool,
    download: Option<String>,
    time_max: Option<Duration>,
}

impl Ask {
    fn of(arguments: &Arguments) -> Result<Self, Error> {
        Ok(Self {
            range: arguments.range()?,
            direction: arguments.direction()?,
            limit: arguments.limit()?,
            after: arguments.id("after")?,
            before: arguments.id("before")?,
            around: arguments.around()?,
            format: arguments.format()?,
            times: arguments.times()?,
            names_streams: arguments.names_streams()?,
            download: arguments.download()?,
            time_max: arguments.time_max()?,
        })
    }

    /// Asks for an answer that is saved as a compressed file.
    fn is_gzipped(&self) -> bool {
        let is_gz = |name: &String| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
        self.download.as_ref().is_some_and(is_gz)
    }
}

/// What is to be sent: the lines that are found forwards or backwards as they are sent, and those that are held for that.
struct Search {
    expr: LogExpr,
    lines: Lines,
    /// Found backwards and sent before the others, the last of the last first.
    backwards: Vec<Lines>,
    /// Where the line is whose neighbours in storage are sent instead.
    stored: Option<(Place, Around)>,
}

/// The answer. Blocks.
fn answer(ask: &Ask, arguments: &Arguments, source: &Source, state: &State) -> Result<Response, Error> {
    let Some(Search { expr, lines, backwards, stored }) = search(ask, arguments, source)? else {
        return match ask.around {
            Some(around) => gone(around.id, source),
            None => Err(Error::not_found("there is no such line")),
        };
    };
    let begin = Begin::new(text_of(&expr), ask.range, arguments.now, &state.about.version, &state.about.instance);
    let mut answer = LineAnswer::new(ask, lines, source, state);
    if ask.format == Format::Records {
        records::push(&mut answer.next, "begin", &begin);
    }
    answer.hold(backwards)?;
    if let Some((place, around)) = stored {
        answer.hold_as_stored(&place, around, &arguments.clock())?;
    }
    let mut response = if ask.is_gzipped() { body::streamed_gzip(answer)? } else { body::streamed(answer)? };
    set_headers(&mut response, ask);
    Ok(response)
}

/// What a request asks for; `None` where the line is gone that others are asked for around.
fn search(ask: &Ask, arguments: &Arguments, source: &Source) -> Result<Option<Search>, Error> {
    let expr = arguments.query()?;
    let Some(around) = ask.around else {
        let (range, bounds) = bounds(ask, source)?;
        let options = LineOptions { range, bounds, direction: ask.direction, limit: ask.limit, stream: None };
        let expr = expr.unwrap_or_else(everything);
        let lines = Lines::new(&expr, &options, &arguments.clock(), source)?;
        return Ok(Some(Search { expr, lines, backwards: Vec::new(), stored: None }));
    };
    match query::locate(around.id, source)? {
        Located::At(place) => search_around(ask, around, place, expr, arguments, source).map(Some),
        Located::Gone(_) | Located::Unknown => Ok(None),
    }
}

/// The text of a query. That of all lines names a label that all streams have, as LogQL wants some matcher.
pub(super) fn text_of(expr: &LogExpr) -> String {
    let is_everything = expr.matchers.is_empty() && expr.stages.is_empty();
    if is_everything { format!("{{{}=~\".+\"}}", service::SERVICE_LABEL) } else { expr.to_string() }
}

/// The query for all lines, whatever labels their streams have.
pub(super) fn everything() -> LogExpr {
    LogExpr { matchers: Vec::new(), stages: Vec::new() }
}

fn set_headers(response: &mut Response, ask: &Ask) {
    match ask.format {
        _ if ask.is_gzipped() => response.insert_header("Content-Type", "application/gzip"),
        Format::Records | Format::Objects => response.insert_header("Content-Type", "application/x-ndjson"),
        Format::Text => response.insert_header("Content-Type", "text/plain; charset=utf-8"),
        Format::Raw => response.insert_header("Content-Type", "application/octet-stream"),
    }
    response.insert_header("X-Accel-Buffering", "no");
    if let Some(name) = &ask.download {
        response.insert_header("Content-Disposition", format!("attachment; filename=\"{name}\""));
    }
}

/// Which part of the order is asked for. Where the stream of a cursor is not there any more, its time stands for it.
fn bounds(ask: &Ask, source: &Source) -> Result<(TimeRange, Bounds), Error> {
    let mut range = ask.range;
    let mut place = |id: Option<LineId>, narrow: &dyn Fn(&mut TimeRange, Timestamp)| {
        let Some(id) = id else { return Ok::<_, Error>(None) };
        match query::locate(id, source)? {
            Located::At(place) | Located::Gone(place) => Ok(Some(place)),
            Located::Unknown => {
                narrow(&mut range, id.timestamp);
                Ok(None)
            }
        }
    };
    let after = place(ask.after, &|range, time| range.start = range.start.max(time))?;
    let before = place(ask.before, &|range, time| range.end = range.end.min(next_after(time)))?;
    Ok((range, Bounds { from: after.map(Place::next), before }))
}

fn next_after(time: Timestamp) -> Timestamp {
    Timestamp::from_ns(time.as_ns().saturating_add(1))
}

/// The lines around the one at `place`: of the query, or where none is given of the line's container by time, or of its
/// file as they were stored.
fn search_around(
    ask: &Ask,
    around: Around,
    place: Place,
    expr: Option<LogExpr>,
    arguments: &Arguments,
    source: &Source,
) -> Result<Search, Error> {
    let own = metadata::unmark(&place.stream).unwrap_or_else(|| place.stream.clone());
    let is_stored_order = expr.is_none() && is_file(&place, source);
    let (expr, stream) = if let Some(expr) = expr.or_else(|| selector(&own, &CONTAINER_LABELS)) {
        (expr, None)
    } else {
        let names: Vec<&str> = own.iter().map(|(name, _)| name).collect();
        (selector(&own, &names).unwrap_or_else(everything), Some(own))
    };
    let lines = |bounds, direction, limit| {
        let options = LineOptions { range: ask.range, bounds, direction, limit: Some(limit), stream: stream.clone() };
        Lines::new(&expr, &options, &arguments.clock(), source)
    };
    let before = Bounds { from: None, before: Some(place.clone()) };
    let itself = Bounds { from: Some(place.clone()), before: Some(place.clone().next()) };
    let after = Bounds { from: Some(place.clone().next()), before: None };
    if is_stored_order {
        let lines = lines(after, Direction::Forward, 0)?;
        return Ok(Search { expr, lines, backwards: Vec::new(), stored: Some((place, around)) });
    }
    let backwards =
        vec![lines(itself, Direction::Backward, 1)?, lines(before, Direction::Backward, around.before_count)?];
    let lines = lines(after, Direction::Forward, around.after_count)?;
    Ok(Search { expr, lines, backwards, stored: None })
}

/// Whether what stands around a line is what was stored before and after it: all of its stream is in one order, and it is
/// no container, which has other streams beside it.
fn is_file(place: &Place, source: &Source) -> bool {
    let own = metadata::unmark(&place.stream);
    let sibling = own.clone().or_else(|| metadata::mark(&place.stream).ok());
    let has_sibling = sibling.is_some_and(|sibling| source.snapshot.times_of(&sibling).latest().is_some());
    !has_sibling && selector(own.as_ref().unwrap_or(&place.stream), &CONTAINER_LABELS).is_none()
}

/// A selector of the streams that have these labels as `own` has them; `None` where it lacks one.
fn selector(own: &Labels, names: &[&str]) -> Option<LogExpr> {
    let matcher = |name: &&str| {
        let value = own.get(name)?.to_owned();
        Some(LabelMatcher { name: (*name).to_owned(), op: MatchOp::Equal, value })
    };
    let matchers = names.iter().map(matcher).collect::<Option<Vec<_>>>()?;
    Some(LogExpr { matchers, stages: Vec::new() })
}

/// Says that a line is not there any more, and what is.
fn gone(id: LineId, source: &Source) -> Result<Response, Error> {
    let nearest = query::nearest(id, source)?.map(|id| id.to_string());
    let oldest = source.snapshot.oldest().map(|time| time.as_ns().to_string());
    let error = "the line is not there any more, or never was: it may have been dropped by size or age";
    let mut response = wire::json(&serde_json::json!({"error": error, "oldest": oldest, "nearest": nearest}));
    response.set_status(StatusCode::Gone);
    response.set_content_type(mime::JSON);
    Ok(response)
}

/// Writes the lines that are asked for, and of records what happened among them.
fn writer(ask: &Ask, lines: &Lines, state: &State) -> Writer {
    let direction = if ask.around.is_some() { Direction::Forward } else { ask.direction };
    let cursors = (ask.after.map(|id| id.timestamp), ask.before.map(|id| id.timestamp));
    let stored = || lines.streams().map(|(_, stored)| stored);
    match ask.format {
        Format::Records => {
            let marks = state.status.marks.within(ask.range);
            let marks = Marks::new(marks, stored, ask.range, cursors, direction);
            Writer::of_records(marks, Arc::clone(&state.inventory))
        }
        format => Writer::new(format, ask.times.clone(), ask.names_streams, Arc::clone(&state.inventory)),
    }
}

/// Makes the answer piece by piece.
struct LineAnswer {
    lines: Lines,
    writer: Writer,
    /// What is sent next.
    next: Vec<u8>,
    /// Lines that were found backwards: the last of them is sent first.
    held: Vec<HeldLine>,
    /// The first and the last line that were sent.
    ends: Option<(LineId, LineId)>,
    /// Whether lines around another are asked for.
    is_around: bool,
    is_first_piece: bool,
    /// Whether all is sent, but for `next`.
    is_over: bool,
    source: Source,
    /// How long the pieces so far have taken, without the time that the client took.
    time: Duration,
    /// When the piece that is being made was begun.
    began: Instant,
    /// `None` for as long as it takes, as what is saved to a file may.
    time_max: Option<Duration>,
}

impl LineAnswer {
    fn new(ask: &Ask, lines: Lines, source: &Source, state: &State) -> Self {
        let time_max = ask.time_max.unwrap_or(Duration::MAX).min(state.queries.limits().time_max);
        Self {
            writer: writer(ask, &lines, state),
            lines,
            next: Vec::new(),
            held: Vec::new(),
            ends: None,
            is_around: ask.around.is_some(),
            is_first_piece: true,
            is_over: false,
            source: source.clone(),
            time: Duration::ZERO,
            began: Instant::now(),
            time_max: ask.download.is_none().then_some(time_max),
        }
    }

    /// Finds the lines that are sent before the others, and holds them.
    fn hold(&mut self, backwards: Vec<Lines>) -> Result<(), Error> {
        for mut lines in backwards {
            loop {
                let mut held = None;
                lines.next(&|| false, &mut |line| held = Some(self.writer.hold(line)))?;
                let Some(line) = held else { break };
                self.source.budget.take(line.cost_bytes())?;
                self.held.push(line);
            }
        }
        if let Some(first) = self.held.last() {
            self.writer.marks.skip_before(first.id.timestamp);
        }
        Ok(())
    }

    /// Holds the line at `place` with those stored before and after it.
    fn hold_as_stored(&mut self, place: &Place, around: Around, clock: &Clock) -> Result<(), Error> {
        let [before, after] =
            [around.before_count, around.after_count].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        let (source, writer, held) = (&self.source, &mut self.writer, &mut self.held);
        query::as_stored(place, (before, after), clock, source, &mut |line| {
            let line = writer.hold(line);
            source.budget.take(line.cost_bytes())?;
            held.push(line);
            Ok(())
        })?;
        self.held.reverse();
        if let Some(first) = self.held.last() {
            self.writer.marks.skip_before(first.id.timestamp);
        }
        Ok(())
    }

    /// Adds lines to the piece until it is long enough, or `due`.
    fn fill(&mut self, piece: &mut Vec<u8>, mut due: Instant) -> Result<(), query::Error> {
        while let Some(line) = self.held.pop() {
            self.source.budget.give_back(line.cost_bytes());
            self.writer.push_held(piece, &line);
            self.note(line.id);
            if PIECE_BYTES <= piece.len() {
                return Ok(());
            }
        }
        let mut line_count = 0_u32;
        while piece.len() < PIECE_BYTES && Instant::now() < due {
            let mut id = None;
            let is_due = || due <= Instant::now();
            // What happened before the first of the lines around one is not among them.
            let is_edge = self.is_around && self.ends.is_none();
            let progress = self.lines.next(&is_due, &mut |line| {
                if is_edge {
                    self.writer.marks.skip_before(line.timestamp);
                }
                id = Some(self.writer.push(piece, line));
            })?;
            match progress {
                Progress::Line => {
                    if let Some(id) = id {
                        self.note(id);
                    }
                    if line_count == 0 {
                        due = due.min(Instant::now() + LINGER);
                    }
                    line_count += 1;
                }
                Progress::Paused => break,
                Progress::Limit => {
                    self.end(piece, "limit");
                    break;
                }
                Progress::Complete => {
                    if !self.is_around {
                        self.writer.push_marks(piece, None);
                    }
                    self.end(piece, "complete");
                    break;
                }
            }
        }
        Ok(())
    }

    /// Notes that a line is sent.
    fn note(&mut self, id: LineId) {
        self.ends = Some((self.ends.map_or(id, |(first, _)| first), id));
    }

    /// Adds what is to be known of the end.
    fn end(&mut self, piece: &mut Vec<u8>, reason: &'static str) {
        self.is_over = true;
        if self.writer.format != Format::Records {
            return;
        }
        let (first, last) = self.ends.map(|(first, last)| (first.to_string(), last.to_string())).unzip();
        let unreadable_parts = self.source.snapshot.unreadable_count();
        let seconds = (self.time + self.began.elapsed()).as_secs_f64();
        records::push(piece, "end", &End { reason, first, last, unreadable_parts, seconds });
    }

    /// Adds why there are no further lines, if that can be said in the answer.
    fn break_off(&mut self, piece: &mut Vec<u8>, error: query::Error) -> Result<(), log_database::Error> {
        let refusal = error.refusal();
        let is_untold = self.writer.format != Format::Records || self.ends.is_none() && self.is_first_piece;
        if is_untold || refusal == Some(Refusal::Abandoned) {
            return Err(match error {
                query::Error::Database(error) => error,
                error => {
                    log::error!("a query failed: {error}");
                    refusal.unwrap_or(Refusal::Abandoned).into()
                }
            });
        }
        if refusal.is_some() {
            self.end(piece, "memory");
            return Ok(());
        }
        log::error!("an answer broke off: {error}");
        self.is_over = true;
        let message = "the rest cannot be read; the agent's own log says why";
        records::push(piece, "error", &serde_json::json!({"status": 500, "message": message}));
        Ok(())
    }
}

impl Pieces for LineAnswer {
    fn next_piece(&mut self) -> Result<Vec<u8>, log_database::Error> {
        let mut piece = take(&mut self.next);
        while !self.is_over {
            self.began = Instant::now();
            let time = if self.is_first_piece { FIRST_PIECE_TIME } else { PIECE_TIME };
            let sent = self.ends;
            let filled = self.fill(&mut piece, self.began + time);
            if let Err(error) = filled {
                self.break_off(&mut piece, error)?;
            }
            self.time += self.began.elapsed();
            self.is_first_piece = false;
            if !self.is_over && self.time_max.is_some_and(|max| max <= self.time) {
                if self.writer.format != Format::Records {
                    return Err(log_database::Error::Refused(Refusal::Abandoned));
                }
                self.end(&mut piece, "time");
            }
            let is_nothing_found = self.ends == sent && !self.is_over;
            if is_nothing_found && self.writer.format == Format::Records {
                records::push_seen(&mut piece, self.lines.reached(), self.lines.seen());
            }
            // An empty piece would be the end.
            if !piece.is_empty() {
                break;
            }
        }
        Ok(piece)
    }

    fn budget(&self) -> &Arc<Budget> {
        &self.source.budget
    }
}
