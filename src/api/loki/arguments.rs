//! The parameters of a request in Loki's forms: times, durations, steps, limits.
//!
//! They come in the URL, in the body of a form, or in both. An empty value means that the parameter is not given.

use std::time::Duration;

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use tide::Request;

use crate::api::State;
use crate::api::error::Error;
use crate::api::parameters::Parameters;
use crate::api::time;
use crate::logql::pipeline::Clock;
use crate::logql::units::{NS_PER_MILLISECOND, NS_PER_SECOND, parse_prometheus_duration};
use crate::logql::{self, limits};
use crate::model::{Condition, Direction, Matcher, TimeRange, Timestamp};

/// Most characters of an integer that counts seconds; a longer one counts nanoseconds.
const SECONDS_CHARACTERS_MAX: usize = 10;
/// How far back an answer goes where nothing is said.
const SINCE_DEFAULT_NS: i64 = 3600 * NS_PER_SECOND;
/// How many steps a range is divided into where nothing is said.
const STEPS_DEFAULT: i64 = 250;
/// Most regular expressions in all selectors of a request: as many as one query may have, because they take as long.
const EXPRESSIONS_MAX: usize = 64;
/// Most matchers in all of them, one without any counting as one: each is tried on every stream.
const MATCHERS_MAX: usize = 1000;

/// The parameters of one request.
#[derive(Debug)]
pub(super) struct Arguments {
    parameters: Parameters,
    now: Timestamp,
}

impl Arguments {
    /// Those of `request`, whose body is taken.
    pub(super) async fn of(request: &mut Request<State>) -> Result<Self, Error> {
        let parameters = Parameters::of(request).await?;
        Ok(Self { parameters, now: time::now() })
    }

    /// The text of parameter `name`.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, |text| Ok(text.to_owned()))
    }

    /// The query; empty where there is none, which is none that can be parsed.
    pub(super) fn query(&self) -> Result<String, Error> {
        Ok(self.text("query")?.unwrap_or_default())
    }

    /// The selector in parameter `query`; `None` where it is not given. Blocks, as expressions are compiled.
    pub(super) fn selector(&self) -> Result<Option<Vec<Matcher>>, Error> {
        self.read("query", selector)
    }

    /// The selectors in all parameters that have one of these names. Each is compiled when it is asked for, so that
    /// those before it need not be kept. Blocks.
    ///
    /// Yields an error for a text that is no selector, and where the request has more than [`EXPRESSIONS_MAX`]
    /// expressions or [`MATCHERS_MAX`] matchers.
    pub(super) fn selectors(&self, names: &'static [&str]) -> impl Iterator<Item = Result<Vec<Matcher>, Error>> {
        let (mut expression_count, mut matcher_count) = (0, 0);
        let texts = names.iter().flat_map(|name| self.parameters.all(name));
        texts.map(move |bytes| {
            let matchers = selector(&String::from_utf8_lossy(bytes))?;
            expression_count += matchers.iter().filter(|matcher| is_expression(matcher)).count();
            matcher_count += matchers.len().max(1);
            if EXPRESSIONS_MAX < expression_count || MATCHERS_MAX < matcher_count {
                let message = format!(
                    "the selectors have more than {EXPRESSIONS_MAX} regular expressions or {MATCHERS_MAX} matchers in \
                     all; ask for fewer at a time"
                );
                return Err(Error::bad_request(message));
            }
            Ok(matchers)
        })
    }

    /// The instant in parameter `name`.
    pub(super) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        self.read(name, |text| {
            instant(text).ok_or_else(|| Error::bad_request(format!("{name}: {text:?} is no timestamp")))
        })
    }

    /// The clock and the calendar that templates in the query see.
    pub(super) fn clock(&self) -> Clock {
        Clock { now: self.now, zone: TimeZone::system(), zones: jiff::tz::db().clone() }
    }

    /// The instant that an instant query is for.
    pub(super) fn time(&self) -> Result<Timestamp, Error> {
        Ok(self.instant("time")?.unwrap_or(self.now))
    }

    /// From `start` to `end`, with Loki's defaults.
    pub(super) fn range(&self) -> Result<TimeRange, Error> {
        let end = self.instant("end")?.unwrap_or(self.now);
        let since_ns = self.read("since", |text| parse_prometheus_duration(text).map_err(Error::bad_request))?;
        let start = self.instant("start")?.unwrap_or_else(|| {
            let latest_ns = end.min(self.now).as_ns();
            Timestamp::from_ns(latest_ns.saturating_sub(since_ns.unwrap_or(SINCE_DEFAULT_NS)))
        });
        if end < start {
            return Err(Error::bad_request("end timestamp must not be before or equal to start time"));
        }
        Ok(TimeRange { start, end })
    }

    /// From one evaluation to the next, in nanoseconds: whole milliseconds, and more than none.
    pub(super) fn step_ns(&self, range: TimeRange) -> Result<i64, Error> {
        let length_ns = range.end.as_ns().saturating_sub(range.start.as_ns());
        let step_ns = match self.duration_ns("step")? {
            None => (length_ns / STEPS_DEFAULT / NS_PER_SECOND).max(1) * NS_PER_SECOND,
            Some(step_ns) => step_ns / NS_PER_MILLISECOND * NS_PER_MILLISECOND,
        };
        if step_ns <= 0 {
            let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(Error::bad_request(message));
        }
        limits::check_points(length_ns, step_ns)?;
        Ok(step_ns)
    }

    /// A log query's shortest time between two lines of an answer, in nanoseconds; 0 for all lines.
    pub(super) fn interval_ns(&self) -> Result<i64, Error> {
        let interval_ns = self.duration_ns("interval")?.unwrap_or_default();
        if interval_ns < 0 {
            return Err(Error::bad_request("interval must be >= 0"));
        }
        Ok(interval_ns)
    }

    /// The whole number in parameter `name`, which is not below zero.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, Error> {
        self.read(name, |text| {
            text.parse().map_err(|_| Error::bad_request(format!("{name}: {text:?} is no whole number from 0 on")))
        })
    }

    /// The count in parameter `name`; `default` where it is not given.
    pub(super) fn count(&self, name: &str, default: usize) -> Result<usize, Error> {
        let count = self.read(name, |text| {
            let number: i64 = text.parse().map_err(|_| Error::bad_request(format!("{name}: {text:?} is no number")))?;
            usize::try_from(number)
                .ok()
                .filter(|count| 0 < *count)
                .ok_or_else(|| Error::bad_request(format!("{name} must be a positive value")))
        })?;
        Ok(count.unwrap_or(default))
    }

    /// The order of the lines of an answer: the newest first where nothing is said.
    pub(super) fn direction(&self) -> Result<Direction, Error> {
        let direction = self.read("direction", |text| match text.to_ascii_lowercase().as_str() {
            "forward" => Ok(Direction::Forward),
            "backward" => Ok(Direction::Backward),
            _ => Err(Error::bad_request(format!("invalid direction '{text}'"))),
        })?;
        Ok(direction.unwrap_or(Direction::Backward))
    }

    /// How long the client waits for an answer; `None` where it does not say.
    pub(super) fn time_max(&self) -> Result<Option<Duration>, Error> {
        let time_ns = self.duration_ns("timeout")?;
        let whole = |ns: i64| u64::try_from(ns).ok().filter(|ns| 0 < *ns).map(Duration::from_nanos);
        let refuse = || Error::bad_request("timeout must be more than nothing");
        time_ns.map(|ns| whole(ns).ok_or_else(refuse)).transpose()
    }

    fn duration_ns(&self, name: &str) -> Result<Option<i64>, Error> {
        self.read(name, |text| {
            duration_ns(text).ok_or_else(|| Error::bad_request(format!("{name}: {text:?} is no duration")))
        })
    }

    /// Reads the first value of `name`.
    fn read<T>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
        let Some(value) = self.parameters.all(name).next() else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| Error::bad_request(format!("{name} is not valid UTF-8")))?;
        read(text).map(Some)
    }
}

fn is_expression(matcher: &Matcher) -> bool {
    matches!(matcher.condition, Condition::Matches(_) | Condition::NotMatches(_))
}

/// A selector without a pipeline.
fn selector(text: &str) -> Result<Vec<Matcher>, Error> {
    let selector = logql::parse_selector(text).map_err(|error| match logql::parse(text) {
        Ok(_) => Error::bad_request("only label matchers are supported"),
        Err(_) => error.into(),
    })?;
    Ok(logql::matchers(&selector)?)
}

/// An instant: seconds with a fraction, seconds, nanoseconds, or RFC 3339.
fn instant(text: &str) -> Option<Timestamp> {
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return whole((seconds * 1e3).round())?.checked_mul(NS_PER_MILLISECOND).map(Timestamp::from_ns);
    }
    if let Ok(number) = text.parse::<i64>() {
        let scale = if text.len() <= SECONDS_CHARACTERS_MAX { NS_PER_SECOND } else { 1 };
        return number.checked_mul(scale).map(Timestamp::from_ns);
    }
    let instant: Instant = text.parse().ok()?;
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp::from_ns)
}

/// A duration: seconds, or Prometheus' form.
fn duration_ns(text: &str) -> Option<i64> {
    match text.parse::<f64>() {
        Ok(seconds) => whole(seconds * 1e9),
        Err(_) => parse_prometheus_duration(text).ok(),
    }
}

/// A number without its fraction; `None` where it is none or too large.
#[expect(clippy::cast_possible_truncation, reason = "checked against what 64 bits hold")]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9.2e18).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = NS_PER_SECOND;
    const NOW: i64 = 1_000_000 * SECOND;

    fn arguments(query: &str) -> Arguments {
        Arguments { parameters: Parameters::parse(query).unwrap(), now: Timestamp::from_ns(NOW) }
    }

    #[track_caller]
    fn check_instant(text: &str, expected_ns: Option<i64>) {
        assert_eq!(instant(text).map(Timestamp::as_ns), expected_ns, "text: {text}");
    }

    /// Start, end and step, or the message.
    #[track_caller]
    fn check_range(query: &str, expected: Result<(i64, i64, i64), &str>) {
        let arguments = arguments(query);
        let actual =
            arguments.range().and_then(|range| Ok((range.start.as_ns(), range.end.as_ns(), arguments.step_ns(range)?)));
        assert_eq!(actual.map_err(|error| error.to_string()), expected.map_err(str::to_owned), "query: {query}");
    }

    #[test]
    fn instants_are_seconds_nanoseconds_or_dates() {
        check_instant("1700000000", Some(1_700_000_000 * SECOND));
        check_instant("4000000000", Some(4_000_000_000 * SECOND));
        check_instant("17000000001", Some(17_000_000_001));
        check_instant("1700000000.1234", Some(1_700_000_000_123_000_000));
        check_instant("1970-01-01T00:00:01.5Z", Some(SECOND + SECOND / 2));
        check_instant("1970-01-01T01:00:01+01:00", Some(SECOND));
        for text in ["", "now", "1h", "9999999999", "1e300.", "NaN.", "1.2.3"] {
            check_instant(text, None);
        }
    }

    #[test]
    fn a_range_is_the_last_hour_where_nothing_is_said() {
        check_range("", Ok((NOW - 3600 * SECOND, NOW, 14 * SECOND)));
        check_range("since=10m&start=&end=", Ok((NOW - 600 * SECOND, NOW, 2 * SECOND)));
        check_range("end=2000000", Ok((NOW - 3600 * SECOND, 2_000_000 * SECOND, 4014 * SECOND)));
        check_range("start=10&end=10", Ok((10 * SECOND, 10 * SECOND, SECOND)));
        check_range("start=11&end=10", Err("end timestamp must not be before or equal to start time"));
    }

    #[test]
    fn steps_are_seconds_or_durations() {
        let step = |ns| Ok((0, 100 * SECOND, ns));
        check_range("start=0&end=100&step=30.000000", step(30 * SECOND));
        check_range("start=0&end=100&step=5000ms", step(5 * SECOND));
        check_range("start=0&end=100&step=1m30s", step(90 * SECOND));
        check_range("start=0&end=100&step=0.0125", step(12_000_000));
        let zero = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        for text in ["0", "-1", "0.0001"] {
            check_range(&format!("start=0&end=100&step={text}"), Err(zero));
        }
        check_range("start=0&end=100&step=1.5s", Err("step: \"1.5s\" is no duration"));
        let many = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the \
                    step parameter";
        check_range("start=0&end=11000&step=1", Ok((0, 11_000 * SECOND, SECOND)));
        check_range("start=0&end=11001&step=1", Err(many));
    }

    #[test]
    fn limits_and_directions() {
        let count = |query| arguments(query).count("limit", 100).map_err(|error| error.to_string());
        assert_eq!(count("limit="), Ok(100));
        assert_eq!(count("limit=5"), Ok(5));
        assert_eq!(count("limit=-1"), Err("limit must be a positive value".to_owned()));
        assert_eq!(count("limit=x"), Err("limit: \"x\" is no number".to_owned()));
        let time_max = |query| arguments(query).time_max().map_err(|error| error.to_string());
        assert_eq!(time_max("timeout="), Ok(None));
        assert_eq!(time_max("timeout=1m"), Ok(Some(Duration::from_mins(1))));
        assert_eq!(time_max("timeout=0.5"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(time_max("timeout=-1"), Err("timeout must be more than nothing".to_owned()));
        let direction = |query| arguments(query).direction().map_err(|error| error.to_string());
        assert_eq!(direction(""), Ok(Direction::Backward));
        assert_eq!(direction("direction=FORWARD"), Ok(Direction::Forward));
        assert_eq!(direction("direction=up"), Err("invalid direction 'up'".to_owned()));
    }

    #[test]
    fn a_selector_has_no_pipeline() {
        let selector = |query| arguments(query).selector().map_err(|error| error.to_string());
        assert!(matches!(selector("query="), Ok(None)));
        assert!(matches!(selector("query={}"), Ok(Some(matchers)) if matchers.is_empty()));
        assert_eq!(selector("query={a=%22b%22}|=%22c%22").unwrap_err(), "only label matchers are supported");
        assert!(selector("query={a").unwrap_err().starts_with("parse error at line 1, col 3: "));
    }
}
