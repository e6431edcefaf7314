//! The parameters of a request for lines.

use std::time::Duration;

use jiff::tz::TimeZone;
use tide::Request;

use crate::api::State;
use crate::api::error::Error;
use crate::api::parameters::Parameters;
use crate::api::time;
use crate::logql::ast::{Expr, LogExpr};
use crate::logql::pipeline::Clock;
use crate::logql::{self, units};
use crate::model::{Direction, TimeRange, Timestamp};
use crate::query::LineId;

/// How many lines are answered where nothing is said.
const LIMIT_DEFAULT: u64 = 1000;
/// Most lines of an answer that is not a download.
const LIMIT_MAX: u64 = 100_000;
/// How many lines stand around one where nothing is said.
const AROUND_DEFAULT: u64 = 50;
/// Most lines on either side of one.
const AROUND_MAX: u64 = 10_000;
/// Longest name of a download, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Arguments {
    parameters: Parameters,
    pub(super) now: Timestamp,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON value a line: what the page reads.
    Records,
    /// A JSON object for each line.
    Objects,
    /// Time, stream and text.
    Text,
    /// The stored bytes.
    Raw,
}

/// How times are written.
#[derive(Clone, Debug)]
pub(super) enum Times {
    /// They are left out.
    None,
    /// In this zone.
    In(TimeZone),
}

/// The line that others stand around.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    pub(super) id: LineId,
    pub(super) before_count: u64,
    pub(super) after_count: u64,
}

impl Arguments {
    /// Those of `request`, whose body is taken.
    pub(super) async fn of(request: &mut Request<State>) -> Result<Self, Error> {
        Ok(Self { parameters: Parameters::of(request).await?, now: time::now() })
    }

    /// The query, if there is one. Blocks, as expressions are compiled.
    pub(super) fn query(&self) -> Result<Option<LogExpr>, Error> {
        let Some(text) = self.text("query")? else { return Ok(None) };
        match logql::parse(text)? {
            Expr::Log(expr) => Ok(Some(expr)),
            Expr::Metric(_) => Err(Error::bad_request(
                "query makes numbers of lines; ask /loki/api/v1/query_range for them, or for lines here",
            )),
        }
    }

    /// From `start` to `end`; all of time where they are not given.
    pub(super) fn range(&self) -> Result<TimeRange, Error> {
        let range = TimeRange {
            start: self.instant("start")?.unwrap_or(TimeRange::ALL.start),
            end: self.instant("end")?.unwrap_or(TimeRange::ALL.end),
        };
        if range.end < range.start {
            return Err(Error::bad_request("end lies before start"));
        }
        Ok(range)
    }

    /// The instant in parameter `name`.
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        self.parameters.get(name, time::ACCEPTED, |text| time::instant(text, self.now))
    }

    /// Which lines come first: the newest where nothing is said.
    pub(super) fn direction(&self) -> Result<Direction, Error> {
        let direction = self.parameters.get("direction", "forward or backward", |text| match text {
            "forward" => Some(Direction::Forward),
            "backward" => Some(Direction::Backward),
            _ => None,
        })?;
        Ok(direction.unwrap_or(Direction::Backward))
    }

    /// How many lines are enough; `None` for all, as a download has them where nothing is said.
    pub(super) fn limit(&self) -> Result<Option<u64>, Error> {
        let limit = self.count("limit", 1, LIMIT_MAX)?;
        Ok(if self.has("download") { limit } else { limit.or(Some(LIMIT_DEFAULT)) })
    }

    /// The id in parameter `name`.
    pub(super) fn id(&self, name: &str) -> Result<Option<LineId>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| Error::bad_request(format!("{name} is {text:?}: {error}")))
    }

    /// The line that others are asked for around.
    pub(super) fn around(&self) -> Result<Option<Around>, Error> {
        let Some(id) = self.id("around")? else { return Ok(None) };
        if let Some(name) = ["after", "before"].into_iter().find(|name| self.has(name)) {
            return Err(Error::bad_request(format!("{name} and around cannot be asked for together")));
        }
        let count = |name| Ok::<_, Error>(self.count(name, 0, AROUND_MAX)?.unwrap_or(AROUND_DEFAULT));
        Ok(Some(Around { id, before_count: count("before_count")?, after_count: count("after_count")? }))
    }

    /// How lines are written.
    pub(super) fn format(&self) -> Result<Format, Error> {
        let format = self.parameters.get("format", "ndjson, jsonl, text or raw", |text| match text {
            "ndjson" => Some(Format::Records),
            "jsonl" => Some(Format::Objects),
            "text" => Some(Format::Text),
            "raw" => Some(Format::Raw),
            _ => None,
        })?;
        Ok(format.unwrap_or(Format::Records))
    }

    /// How times are written: in UTC where nothing is said.
    pub(super) fn times(&self) -> Result<Times, Error> {
        let accepted = "the name of a time zone (Europe/Berlin) or an offset from UTC (+01:00)";
        let zone = self.parameters.get("zone", accepted, zone)?;
        let default = if zone.is_some() { "zone" } else { "utc" };
        let times = self.parameters.get("times", "none, zone or utc", |text| match text {
            "none" | "zone" | "utc" => Some(text.to_owned()),
            _ => None,
        })?;
        Ok(match times.as_deref().unwrap_or(default) {
            "none" => Times::None,
            "zone" => Times::In(zone.unwrap_or_else(TimeZone::system)),
            _ => Times::In(TimeZone::UTC),
        })
    }

    /// Whether lines of text say which stream they are of.
    pub(super) fn names_streams(&self) -> Result<bool, Error> {
        let names = self.parameters.get("streams", "0 or 1", |text| match text {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        })?;
        Ok(names.unwrap_or(true))
    }

    /// The name of the file that the answer is to be saved as, without what a name in a header may not hold.
    pub(super) fn download(&self) -> Result<Option<String>, Error> {
        let Some(name) = self.text("download")? else { return Ok(None) };
        if NAME_BYTES_MAX < name.len() {
            return Err(Error::bad_request(format!("download is over the limit of {NAME_BYTES_MAX} bytes")));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.,+@()".contains(c);
        Ok(Some(name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()))
    }

    /// How long it may take to find the lines; `None` where nothing is said.
    pub(super) fn time_max(&self) -> Result<Option<Duration>, Error> {
        self.parameters.get("timeout", "how long, such as 30s", |text| {
            let ns = units::parse_prometheus_duration(text).ok().filter(|ns| 0 < *ns)?;
            u64::try_from(ns).ok().map(Duration::from_nanos)
        })
    }

    /// The clock and the calendar that templates in the query see.
    pub(super) fn clock(&self) -> Clock {
        Clock { now: self.now, zone: TimeZone::system(), zones: jiff::tz::db().clone() }
    }

    /// The number in parameter `name`.
    pub(super) fn count(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Error> {
        let read = |text: &str| text.parse().ok().filter(|count| (min..=max).contains(count));
        self.parameters.get(name, &format!("a whole number from {min} to {max}"), read)
    }

    /// Whether parameter `name` is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parameters.all(name).next().is_some()
    }

    /// The text in parameter `name`.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.parameters.all(name).next() else { return Ok(None) };
        std::str::from_utf8(value).map(Some).map_err(|_| Error::bad_request(format!("{name} is not valid UTF-8")))
    }
}

/// A zone by its name or its offset from UTC.
fn zone(text: &str) -> Option<TimeZone> {
    let offset = text.strip_prefix(['+', '-']).map(|_| format!("1970-01-01T00:00:00{text}[{text}]"));
    match offset {
        Some(text) => text.parse::<jiff::Zoned>().ok().map(|time| time.time_zone().clone()),
        None => jiff::tz::db().get(text).ok(),
    }
}
