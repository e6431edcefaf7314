//! `query_range` and `query`: lines, or numbers made of them.

use std::sync::Arc;

use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::adding;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::pieces;
use crate::api::loki::running::{self, Source};
use crate::api::loki::service;
use crate::api::loki::wire::{self, Answer, Cost};
use crate::logql;
use crate::logql::ast::{Expr, MetricExpr};
use crate::logql::eval::{Evaluation, LogOptions, LogQuery, MetricAnswer, MetricQuery, TooManySeries};
use crate::logql::limits::ENTRIES_MAX;
use crate::model::budget::Budget;

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
    match logql::parse(&arguments.query()?)? {
        Expr::Log(expr) => {
            check_limit(limit)?;
            let categorizes = asks_for(&request, "X-Loki-Response-Encoding-Flags", wire::CATEGORIZE_LABELS);
            let options = LogOptions { range, direction, limit, interval_ns, categorizes };
            let query = LogQuery::new(&expr, options, &arguments.clock())?;
            running::run(request.state(), &arguments, move |source| lines(query, source, categorizes)).await
        }
        Expr::Metric(expr) => {
            let evaluation = Evaluation::Range { start: range.start, end: range.end, step_ns };
            numbers(&request, &arguments, &expr, evaluation).await
        }
    }
}

/// Answers a query for numbers at one time.
pub(super) async fn instant(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let time = arguments.time()?;
    arguments.count("limit", LIMIT_DEFAULT)?;
    arguments.direction()?;
    match logql::parse(&arguments.query()?)? {
        Expr::Log(_) => Err(logql::Error::LogInstant.into()),
        Expr::Metric(expr) => numbers(&request, &arguments, &expr, Evaluation::Instant(time)).await,
    }
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
    let mut streams = running::read(query, source, &mut cost)?;
    streams.sort_by_cached_key(|stream| stream.labels.to_string());
    cost.set_entries_returned(streams.iter().map(|stream| stream.lines.len()).sum());
    let answer = Answer::new("streams", []).with_categories(categorizes).with_cost(&cost);
    answer.with_elements(pieces::streams(streams, categorizes), source.budget())
}

/// The numbers that `expr` makes of lines.
async fn numbers(
    request: &Request<State>,
    arguments: &Arguments,
    expr: &MetricExpr,
    evaluation: Evaluation,
) -> Result<Response, Error> {
    let is_drilldown = asks_for(request, "X-Query-Tags", "Source=grafana-lokiexplore-app");
    let too_many_series = if is_drilldown { TooManySeries::Truncate } else { TooManySeries::Refuse };
    let query = MetricQuery::new(expr, evaluation, too_many_series, &arguments.clock())?;
    let service = service::Shown::to(expr);
    running::run(request.state(), arguments, move |source| {
        let source = source.showing(service);
        let mut query = query.within(source.budget());
        let mut cost = Cost::new();
        for range in query.ranges() {
            adding::add_up(range, &source, &mut cost)?;
        }
        let (answer, is_truncated) = query.finish()?;
        let warnings: &[&str] = if is_truncated { &[TRUNCATED] } else { &[] };
        number_answer(answer, evaluation, warnings, &cost, source.budget())
    })
    .await
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
        MetricAnswer::Vector(series) => of("vector").with_elements(pieces::vector(series), budget),
        MetricAnswer::Matrix(series) => of("matrix").with_elements(pieces::matrix(series), budget),
    }
}
