//! `GET /api/v1/streams`: which streams there are, how busy each is, and what it said last.
//!
//! All but the newest lines comes from the index. A newest line costs a look at its part, so it is remembered until the
//! stream has another; and whoever has the answer is told so by its tag, before any line is looked at.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, Hash, Hasher as _};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use serde::Serialize;
use tide::http::headers::HeaderValue;
use tide::{Request, Response, StatusCode};

use crate::api::error::Error;
use crate::api::page;
use crate::api::v1::arguments::Arguments;
use crate::api::v1::marks::log_of_path;
use crate::api::v1::records::Ns;
use crate::api::v1::text::LabelMap;
use crate::api::{State, wire};
use crate::log_database::stream_id;
use crate::logql;
use crate::logql::units::NS_PER_SECOND;
use crate::model::{Labels, TimeRange, Timestamp};
use crate::query::streams::{NewestLine, StreamSummary, newest_lines, summaries};
use crate::query::{Source, service};
use crate::status::{SourceState, Status};

/// How many steps the range is divided into where nothing is said.
const STEPS_DEFAULT: u64 = 60;
/// Most of them.
const STEPS_MAX: u64 = 120;
/// How far back the steps go where nothing is said.
const SINCE_DEFAULT_NS: i64 = 3600 * NS_PER_SECOND;
/// Most streams of an answer: those whose last line is the newest.
const STREAMS_MAX: u64 = 5000;
/// Most characters of a newest line.
const LINE_CHARACTERS_MAX: usize = 300;
/// How long newest lines are looked for; the next answer has those that are missing.
const LINES_TIME_MAX: Duration = Duration::from_millis(500);

/// The newest lines of streams, as far as they were looked at.
#[derive(Debug, Default)]
pub(in crate::api) struct NewestLines(Mutex<HashMap<Labels, Newest>>);

/// What a stream said last, when it had so many lines.
#[derive(Clone, Debug)]
struct Newest {
    lines: u64,
    timestamp: Timestamp,
    line: String,
    level: String,
}

/// What is known of the file or files that a stream's lines come from.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Origin {
    state: Option<SourceState>,
    lag_bytes: u64,
    gaps: u64,
}

#[derive(Serialize)]
struct Answer<'a> {
    now: Ns,
    start: Ns,
    step_seconds: i64,
    oldest: Option<Ns>,
    streams: Vec<StreamObject<'a>>,
    /// Whether there are more streams than these.
    more: bool,
}

#[derive(Serialize)]
struct StreamObject<'a> {
    id: String,
    labels: OwnedLabels,
    service: String,
    lines: u64,
    bytes: u64,
    first: Ns,
    last: Ns,
    volume: &'a [u64],
    last_line: Option<String>,
    last_level: Option<String>,
    state: &'static str,
    lag_bytes: u64,
    gaps: u64,
}

/// Answers the request.
pub(super) async fn get(mut request: Request<State>) -> tide::Result {
    let arguments = Arguments::of(&mut request).await?;
    let known: Option<String> = request
        .header("If-None-Match")
        .map(|values| values.iter().map(HeaderValue::as_str).collect::<Vec<_>>().join(","));
    let state = request.state().clone();
    let work = move |budget| {
        let source = state.source(budget);
        answer(&arguments, known.as_deref(), &source, &state)
    };
    Ok(request.state().queries.run(None, work).await?)
}

/// The answer. Blocks.
fn answer(arguments: &Arguments, known: Option<&str>, source: &Source, state: &State) -> Result<Response, Error> {
    let steps = steps(arguments)?;
    let limit = arguments.count("limit", 1, STREAMS_MAX)?.unwrap_or(STREAMS_MAX);
    let matchers = match arguments.text("query")? {
        Some(text) => logql::matchers(&logql::parse_selector(text)?)?,
        None => Vec::new(),
    };
    let mut streams = summaries(source, &matchers, &steps)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = limit < streams.len();
    if has_more {
        streams.sort_by_key(|stream| std::cmp::Reverse(stream.last));
        streams.truncate(limit);
        streams.sort_by(|one, other| one.labels.cmp(&other.labels));
    }
    let origins = origins(&state.status);
    let version = source.inventory().version();
    let etag = |is_complete| etag(&steps, &streams, &origins, (version, is_complete));
    let tag = etag(state.newest_lines.unknown(&streams).is_empty());
    if known.is_some_and(|known| page::has_tag(known, &tag)) {
        let mut response = Response::new(StatusCode::NotModified);
        set_headers(&mut response, &tag);
        return Ok(response);
    }
    let tag = etag(state.newest_lines.look(&streams, source)?);
    let newest = state.newest_lines.0.lock().unwrap_or_else(PoisonError::into_inner);
    let objects = streams.iter().map(|stream| {
        let labels = source.inventory().join(&stream.labels).labels;
        object(stream, labels, newest.get(&stream.labels), origin_of(&origins, &stream.labels))
    });
    let answer = Answer {
        now: Ns(arguments.now),
        start: Ns(steps.first().map_or(arguments.now, |step| step.start)),
        step_seconds: steps.first().map_or(0, |step| (step.end.as_ns() - step.start.as_ns()) / NS_PER_SECOND),
        oldest: source.snapshot.oldest().map(Ns),
        streams: objects.collect(),
        more: has_more,
    };
    let mut response = wire::held_json(&answer, Arc::clone(&source.budget))?;
    set_headers(&mut response, &tag);
    Ok(response)
}

/// Labels as an object.
struct OwnedLabels(Labels);

impl Serialize for OwnedLabels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LabelMap(&self.0).serialize(serializer)
    }
}

/// A browser keeps the answer, and asks each time whether it still holds.
fn set_headers(response: &mut Response, etag: &str) {
    response.insert_header("ETag", etag);
    response.insert_header("Cache-Control", "no-cache");
}

/// The steps that volumes are asked for. They begin at whole multiples of their length, so that the answer to the next
/// request is the same as long as nothing has come.
fn steps(arguments: &Arguments) -> Result<Vec<TimeRange>, Error> {
    let end = arguments.instant("end")?.unwrap_or(arguments.now);
    let start = arguments.instant("start")?;
    let start = start.unwrap_or_else(|| Timestamp::from_ns(end.as_ns().saturating_sub(SINCE_DEFAULT_NS)));
    if end <= start {
        return Err(Error::bad_request("end does not lie after start"));
    }
    let count = i64::try_from(arguments.count("steps", 1, STEPS_MAX)?.unwrap_or(STEPS_DEFAULT)).unwrap_or(1);
    let length_ns = end.as_ns().saturating_sub(start.as_ns());
    let step_ns = (length_ns / count / NS_PER_SECOND).max(1).saturating_mul(NS_PER_SECOND);
    let last = end.as_ns().saturating_sub(1).div_euclid(step_ns);
    let step = |index: i64| TimeRange {
        start: Timestamp::from_ns(index.saturating_mul(step_ns)),
        end: Timestamp::from_ns(index.saturating_add(1).saturating_mul(step_ns)),
    };
    Ok((last - count + 1..=last).map(step).collect())
}

fn object<'a>(stream: &'a StreamSummary, labels: Labels, newest: Option<&Newest>, origin: Origin) -> StreamObject<'a> {
    let shown = service::with_service(&labels);
    let newest = newest.filter(|newest| newest.is_of(stream));
    StreamObject {
        id: format!("{:016x}", stream_id(&stream.labels)),
        labels: OwnedLabels(labels),
        service: shown.get(service::SERVICE_LABEL).unwrap_or_default().to_owned(),
        lines: stream.lines,
        bytes: stream.bytes,
        first: Ns(stream.first),
        last: Ns(stream.last),
        volume: &stream.volume,
        last_line: newest.map(|newest| newest.line.clone()),
        last_level: newest.map(|newest| newest.level.clone()),
        state: origin.state.map_or("gone", SourceState::name),
        lag_bytes: origin.lag_bytes,
        gaps: origin.gaps,
    }
}

/// What is known of files, by what tells the streams of each.
fn origins(status: &Status) -> HashMap<String, Origin> {
    let mut origins: HashMap<String, Origin> = HashMap::new();
    for source in status.sources() {
        let origin = origins.entry(log_of_path(&source.path).to_owned()).or_default();
        let state = source.state().0;
        // A file under its own name says more of the stream than one that was rotated away from it.
        let is_first = origin.state.is_none_or(|known| known == SourceState::Rotated);
        origin.state = if is_first { Some(state) } else { origin.state };
        origin.lag_bytes += source.lag_bytes();
    }
    for gap in status.gaps() {
        origins.entry(log_of_path(&gap.path).to_owned()).or_default().gaps += 1;
    }
    origins
}

fn origin_of(origins: &HashMap<String, Origin>, labels: &Labels) -> Origin {
    let log = labels.get("container_id").or_else(|| labels.get("path"));
    log.and_then(|log| origins.get(log)).copied().unwrap_or_default()
}

/// A tag of all that an answer says, but for the time at which it is asked.
fn etag(
    steps: &[TimeRange],
    streams: &[StreamSummary],
    origins: &HashMap<String, Origin>,
    (version, is_complete): (u64, bool),
) -> String {
    let mut hasher = FixedState::default().build_hasher();
    steps.first().map(|step| (step.start, step.end)).hash(&mut hasher);
    (version, is_complete).hash(&mut hasher);
    for stream in streams {
        (&stream.labels, stream.lines, stream.bytes, stream.first, stream.last).hash(&mut hasher);
        origin_of(origins, &stream.labels).hash(&mut hasher);
    }
    format!("W/\"{:016x}\"", hasher.finish())
}

impl Newest {
    fn is_of(&self, stream: &StreamSummary) -> bool {
        self.lines == stream.lines
    }
}

impl NewestLines {
    /// The streams whose newest line is not known.
    fn unknown(&self, streams: &[StreamSummary]) -> HashSet<Labels> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unknown =
            |stream: &&StreamSummary| !known.get(&stream.labels).is_some_and(|newest| newest.is_of(stream));
        streams.iter().filter(is_unknown).map(|stream| stream.labels.clone()).collect()
    }

    /// Looks at the newest lines that are not known, as far as there is time; says whether all are known then.
    fn look(&self, streams: &[StreamSummary], source: &Source) -> Result<bool, Error> {
        let unknown = self.unknown(streams);
        let lines_of: HashMap<&Labels, u64> = streams.iter().map(|stream| (&stream.labels, stream.lines)).collect();
        let begun = Instant::now();
        let mut found: HashMap<Labels, Newest> = HashMap::new();
        newest_lines(source, |labels| unknown.contains(labels), &mut |line| {
            if found.get(line.labels).is_none_or(|newest| newest.timestamp <= line.timestamp) {
                let lines = lines_of.get(line.labels).copied().unwrap_or_default();
                found.insert(line.labels.clone(), newest_of(&line, lines));
            }
            if LINES_TIME_MAX <= begun.elapsed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if STREAMS_MAX < (known.len() + found.len()) as u64 {
            known.retain(|labels, _| lines_of.contains_key(labels));
        }
        known.extend(found);
        drop(known);
        Ok(self.unknown(streams).is_empty())
    }
}

fn newest_of(line: &NewestLine<'_>, lines: u64) -> Newest {
    let bytes = &line.line[..line.line.len().min(4 * LINE_CHARACTERS_MAX)];
    let text: String = String::from_utf8_lossy(bytes).chars().take(LINE_CHARACTERS_MAX).collect();
    Newest {
        lines,
        timestamp: line.timestamp,
        line: text,
        level: line.level.chars().take(LINE_CHARACTERS_MAX).collect(),
    }
}
