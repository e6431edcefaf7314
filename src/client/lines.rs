//! Lines of `/api/v1/lines`, all of them and each once, also when the agent is killed in the middle of an answer.

use std::io::{BufRead as _, Read as _};
use std::ops::ControlFlow;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{Agent, Body, Refusal};
use super::records::{Begin, End, Line, Reader, Record};
use super::{Error, Result, terminal};

/// Longest record, in bytes: a line of 1 MiB of which every byte is escaped, and its labels.
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// Most lines that are asked for in one answer of a known length.
const PAGE_LINES_MAX: usize = 100_000;
/// How long an agent that went away may take to come back.
const RETURN_TIME_MAX: Duration = Duration::from_mins(1);
/// How often it is asked whether it is back.
const RETURN_INTERVAL: Duration = Duration::from_millis(200);

/// Which lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) query: String,
    /// A time as the API takes it.
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    /// Ids between which the lines are.
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

/// What is told of while lines come.
pub(super) enum Event<'a> {
    Line(&'a Line),
    /// Nothing comes at the moment.
    Pause,
}

/// Is told of lines, and says whether to go on.
pub(super) type Sink<'a> = dyn FnMut(Event<'_>) -> Result<ControlFlow<()>> + 'a;

impl Ask {
    /// Keeps the times that the agent understood: what is so long ago would move with the clock.
    fn fix_times(&mut self, begin: Begin) {
        // Those before 1970 stand for all of time, and are no times that may be asked for.
        let is_time = |text: &String| !text.starts_with('-');
        self.start = Some(begin.start).filter(is_time).or(self.start.take());
        self.end = Some(begin.end).filter(is_time).or(self.end.take());
    }

    fn parameters(&self) -> Vec<(&str, &str)> {
        let mut parameters = vec![("query", self.query.as_str())];
        let given = [("start", &self.start), ("end", &self.end), ("after", &self.after), ("before", &self.before)];
        parameters.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        parameters
    }

    /// Tells `sink` of the lines, the oldest first.
    pub(super) fn forward(mut self, agent: &Agent, sink: &mut Sink<'_>) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            match self.page(agent, Direction::Forward, &mut patience, sink)? {
                Page::Whole(end) => return complete(&end),
                Page::Enough => return Ok(()),
                Page::Cut => {}
            }
        }
    }

    /// The newest `count` lines, the oldest of them first.
    pub(super) fn newest(mut self, agent: &Agent, count: usize) -> Result<Vec<Line>> {
        let mut lines: Vec<Line> = Vec::new();
        let mut patience = Patience::default();
        while lines.len() < count {
            let limit = (count - lines.len()).min(PAGE_LINES_MAX);
            let page = self.page(agent, Direction::Backward { limit }, &mut patience, &mut |event| {
                if let Event::Line(line) = event {
                    lines.push(line.clone());
                }
                Ok(ControlFlow::Continue(()))
            })?;
            if let Page::Whole(end) = page
                && end.reason != "limit"
            {
                complete(&end)?;
                break;
            }
        }
        lines.reverse();
        Ok(lines)
    }

    /// Asks once, tells `sink` of what comes, and notes where the next page begins.
    fn page(
        &mut self,
        agent: &Agent,
        direction: Direction,
        patience: &mut Patience,
        sink: &mut Sink<'_>,
    ) -> Result<Page> {
        let limit = if let Direction::Backward { limit } = direction { Some(limit.to_string()) } else { None };
        // As a download an answer may have any length and take any time, and is broken off rather than short.
        let mut parameters = [&self.parameters()[..], &[("download", "lines")]].concat();
        match &limit {
            None => parameters.push(("direction", "forward")),
            Some(limit) => parameters.extend([("direction", "backward"), ("limit", limit.as_str())]),
        }
        patience.settle(agent);
        let mut body = match agent.get("/api/v1/lines", &parameters) {
            Ok(body) => body,
            Err(refusal) => {
                patience.wait(refusal, &self.query)?;
                return Ok(Page::Cut);
            }
        };
        let mut answer = Answer::default();
        loop {
            if !is_next_here(&body) && sink(Event::Pause)?.is_break() {
                return Ok(Page::Enough);
            }
            match answer.next(&mut body)? {
                Next::Record(Record::Begin(begin)) => self.fix_times(begin),
                Next::Record(Record::Line(line)) => {
                    patience.forget();
                    match direction {
                        Direction::Forward => self.after = Some(line.id()),
                        Direction::Backward { .. } => self.before = Some(line.id()),
                    }
                    if sink(Event::Line(&line))?.is_break() {
                        return Ok(Page::Enough);
                    }
                }
                Next::Record(Record::End(end)) => return Ok(Page::Whole(end)),
                Next::Record(other) => tell(&other)?,
                Next::Cut(why) => {
                    patience.begin();
                    patience.wait(Refusal::Unreachable(why), &self.query)?;
                    return Ok(Page::Cut);
                }
            }
        }
    }
}

/// Which end of what is asked for comes first.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    /// So many lines at most.
    Backward {
        limit: usize,
    },
}

/// How an answer ended.
enum Page {
    Whole(End),
    /// `sink` has enough.
    Enough,
    /// The agent went away, or is not back yet.
    Cut,
}

/// The lines around one, by stored order: so many before it, itself, and so many after it.
pub(super) fn around(agent: &Agent, id: &str, before_count: usize, after_count: usize) -> Result<Vec<Line>> {
    let (before, after) = (before_count.to_string(), after_count.to_string());
    let parameters = [("around", id), ("before_count", before.as_str()), ("after_count", after.as_str())];
    let mut body = agent.get("/api/v1/lines", &parameters).map_err(|refusal| refusal.explained(""))?;
    let (mut answer, mut lines) = (Answer::default(), Vec::new());
    loop {
        match answer.next(&mut body)? {
            Next::Record(Record::Line(line)) => lines.push(line),
            Next::Record(Record::End(_)) => return Ok(lines),
            Next::Record(other) => tell(&other)?,
            Next::Cut(why) => return Err(Error::Agent(why)),
        }
    }
}

/// Says what is no line, but has to be known of.
pub(super) fn tell(record: &Record) -> Result<()> {
    match record {
        Record::Gap(text) => terminal::say(text),
        Record::Error(text) => return Err(Error::Agent(format!("the rest cannot be read: {text}"))),
        _ => {}
    }
    Ok(())
}

/// Whether an answer had all that was asked for.
fn complete(end: &End) -> Result<()> {
    if 0 < end.unreadable_parts {
        let count = end.unreadable_parts;
        terminal::say(&format!("{count} parts of the database cannot be read; see `monitoring-rs status`"));
    }
    match end.reason.as_str() {
        "complete" | "limit" => Ok(()),
        reason => Err(Error::Agent(format!("the search came to its limit of {reason} before its end"))),
    }
}

/// What comes next.
enum Next {
    Record(Record),
    /// The answer has no end; with why.
    Cut(String),
}

/// Whether the next record has been received as a whole.
fn is_next_here(body: &Body) -> bool {
    memchr::memchr(b'\n', body.buffer()).is_some()
}

/// One answer while it comes.
#[derive(Default)]
struct Answer {
    reader: Reader,
    room: String,
}

impl Answer {
    fn next(&mut self, body: &mut Body) -> Result<Next> {
        self.room.clear();
        let read = body.take(RECORD_BYTES_MAX).read_line(&mut self.room);
        let cut = |why: &str| Ok(Next::Cut(format!("the answer was cut off: {why}")));
        match read {
            Ok(_) if self.room.ends_with('\n') => self.reader.read(&self.room).map(Next::Record).map_err(Error::Agent),
            Ok(count) if RECORD_BYTES_MAX <= count as u64 => {
                Err(Error::Agent(format!("the agent sends a record of more than {RECORD_BYTES_MAX} bytes")))
            }
            Ok(_) => cut("the agent has closed the connection"),
            Err(error) => cut(&error.to_string()),
        }
    }
}

/// Whether all that was in the files at the agent's start is stored.
fn is_settled(status: &Value) -> bool {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let import = &status["import"];
    number(&import["total_bytes"]) <= number(&import["read_bytes"]) && number(&status["waiting_bytes"]) == 0
}

/// How long is waited for an agent that went away.
#[derive(Default)]
pub(super) struct Patience {
    since: Option<Instant>,
}

impl Patience {
    /// From now on there is something to come back to.
    pub(super) fn begin(&mut self) {
        if self.since.is_none() {
            terminal::say("the connection broke off; going on after the last line when the agent is back");
            self.since = Some(Instant::now());
        }
    }

    /// Waits until an agent that was killed has again what it had: lines are shown before they are on disk, and are read
    /// again after a crash. One that cannot be asked is for the next request to find out.
    pub(super) fn settle(&self, agent: &Agent) {
        let is_waiting = || self.since.is_some_and(|since| since.elapsed() < RETURN_TIME_MAX);
        while is_waiting() && agent.json("/status", &[("sources", "0")]).is_ok_and(|status| !is_settled(&status)) {
            self.rest();
        }
    }

    /// Waits a while before the next attempt.
    #[expect(clippy::disallowed_methods, clippy::unused_self, reason = "an agent that comes back tells nobody")]
    pub(super) fn rest(&self) {
        thread::sleep(RETURN_INTERVAL);
    }

    /// The agent is back.
    pub(super) fn forget(&mut self) {
        self.since = None;
    }

    /// Waits a while before the next attempt; fails where nothing had begun, where it takes too long, and where the agent
    /// is there and refuses.
    pub(super) fn wait(&mut self, refusal: Refusal, query: &str) -> Result<()> {
        let is_back = matches!(&refusal, Refusal::Refused { status, .. } if *status != 503);
        if is_back || self.since.is_none_or(|since| RETURN_TIME_MAX <= since.elapsed()) {
            return Err(refusal.explained(query));
        }
        self.rest();
        Ok(())
    }
}
