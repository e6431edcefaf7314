//! `query_range` and `query`: lines, or numbers made of them.

use std::sync::Arc;

use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::pieces;
use crate::api::loki::wire::{self, Answer, Cost};
use crate::logql;
use crate::logql::ast::Expr;
use crate::logql::eval::{Evaluation, LogOptions, LogQuery, MetricAnswer, MetricQuery, TooManySeries};
use crate::logql::limits::ENTRIES_MAX;
use crate::model::budget::Budget;
use crate::query::{Source, logs, numbers};

/// How many lines are answered where nothing is said.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// What the answer to Logs Drilldown says when series are missing.
const TRUNCATED: &str = "maximum number of series (500) reached for a single query; returning partial results";

/// Answers a query over a range of time.
pub(super) async fn range(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let range = arguments.range()?;
    let (step_ns, interval_ns) = (arguments.step_ns(range)?, arguments.interval_ns()?);
    let (limit, direction) = (arguments.count("limit", LIMIT_DEFAULT)?, arguments.direction()?);
    let categorizes = asks_for(&request, "X-Loki-Response-Encoding-Flags", wire::CATEGORIZE_LABELS);
    let too_many_series = too_many_series(&request);
    let work = move |arguments: &Arguments, source: &Source| match logql::parse(&arguments.query()?)? {
        Expr::Log(expr) => {
            check_limit(limit)?;
            let options = LogOptions { range, direction, limit, interval_ns, categorizes };
            lines(LogQuery::new(&expr, options, &arguments.clock())?, source, categorizes)
        }
        Expr::Metric(expr) => {
            let evaluation = Evaluation::Range { start: range.start, end: range.end, step_ns };
            let query = MetricQuery::new(&expr, evaluation, too_many_series, &arguments.clock())?;
            numbers_of(query, evaluation, &source.showing_to(&expr))
        }
    };
    loki::run(request.state(), arguments, work).await
}

/// Answers a query for numbers at one time.
pub(super) async fn instant(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let time = arguments.time()?;
    arguments.count("limit", LIMIT_DEFAULT)?;
    arguments.direction()?;
    let too_many_series = too_many_series(&request);
    let work = move |arguments: &Arguments, source: &Source| match logql::parse(&arguments.query()?)? {
        Expr::Log(_) => Err(logql::Error::LogInstant.into()),
        Expr::Metric(expr) => {
            let evaluation = Evaluation::Instant(time);
            let query = MetricQuery::new(&expr, evaluation, too_many_series, &arguments.clock())?;
            numbers_of(query, evaluation, &source.showing_to(&expr))
        }
    };
    loki::run(request.state(), arguments, work).await
}

/// Refuses to answer more lines than a log query may ask for.
pub(super) fn check_limit(limit: usize) -> Result<(), Error> {
    if limit <= ENTRIES_MAX {
        return Ok(());
    }
    let (message, max) = ("max entries limit per query exceeded", ENTRIES_MAX);
    Err(Error::bad_request(format!("{message}, limit > max_entries_limit_per_query ({limit} > {max})")))
}

/// Whether header `name`, a list with commas, has `value`.
pub(super) fn asks_for(request: &Request<State>, name: &str, value: &str) -> bool {
    let given = request.header(name).into_iter().flatten();
    given.flat_map(|given| given.as_str().split(',')).any(|given| given.trim().eq_ignore_ascii_case(value))
}

/// The lines that `query` selects.
fn lines(query: LogQuery, source: &Source, categorizes: bool) -> Result<Response, Error> {
    let mut cost = Cost::new();
    let mut streams = logs::read(query, source, &mut cost.seen)?;
    streams.sort_by_cached_key(|stream| stream.labels.to_string());
    cost.set_entries_returned(streams.iter().map(|stream| stream.lines.len()).sum());
    let answer = Answer::new("streams", []).with_categories(categorizes).with_cost(&cost);
    let weight = pieces::weight_of_streams(&streams);
    answer.with_elements(pieces::streams(streams, categorizes), weight, source.budget())
}

/// What becomes of an answer with too many series: Logs Drilldown takes a part of it.
fn too_many_series(request: &Request<State>) -> TooManySeries {
    let is_drilldown = asks_for(request, "X-Query-Tags", "Source=grafana-lokiexplore-app");
    if is_drilldown { TooManySeries::Truncate } else { TooManySeries::Refuse }
}

/// The numbers that `query` makes of lines.
fn numbers_of(query: MetricQuery, evaluation: Evaluation, source: &Source) -> Result<Response, Error> {
    let mut query = query.within(source.budget());
    let mut cost = Cost::new();
    for range in query.ranges() {
        numbers::add_up(range, source, &mut cost.seen)?;
    }
    let (answer, is_truncated) = query.finish()?;
    let warnings: &[&str] = if is_truncated { &[TRUNCATED] } else { &[] };
    number_answer(answer, evaluation, warnings, &cost, source.budget())
}

fn number_answer(
    answer: MetricAnswer,
    evaluation: Evaluation,
    warnings: &[&str],
    cost: &Cost,
    budget: Arc<Budget>,
) -> Result<Response, Error> {
    let time = match evaluation {
        Evaluation::Instant(time) => time,
        Evaluation::Range { end, .. } => end,
    };
    let of = |result_type| Answer::new(result_type, []).with_warnings(warnings).with_cost(cost);
    match answer {
        MetricAnswer::Scalar(value) => {
            Ok(Answer::new("scalar", wire::point(&(time, value))).with_cost(cost).into_response())
        }
        MetricAnswer::Vector(series) => {
            let weight = pieces::weight_of_series(&series);
            of("vector").with_elements(pieces::vector(series), weight, budget)
        }
        MetricAnswer::Matrix(series) => {
            let weight = pieces::weight_of_series(&series);
            of("matrix").with_elements(pieces::matrix(series), weight, budget)
        }
    }
}
