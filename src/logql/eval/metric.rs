//! Metric queries: the aggregations over time that have to be fed, and what is computed from them step by step.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use crate::logql::ast::{MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp};
use crate::logql::eval::binary::{Operation, Value};
use crate::logql::eval::label_replace::Replacer;
use crate::logql::eval::range::{Context, RangeQuery, step_bytes};
use crate::logql::eval::series::{Projection, Registry, SeriesId, SeriesLabels};
use crate::logql::eval::vector::{Aggregator, Sample, Vector};
use crate::logql::mentions::asks_for;
use crate::logql::pipeline::{Clock, LEVEL_LABEL};
use crate::logql::{Error, limits};
use crate::model::Timestamp;
use crate::model::budget::Budget;

/// When a metric query is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// Once.
    Instant(Timestamp),
    /// At `start`, and every `step_ns` nanoseconds, which are more than zero, up to and including `end`.
    Range {
        /// The first time.
        start: Timestamp,
        /// The last time that may be.
        end: Timestamp,
        /// From one time to the next, in nanoseconds.
        step_ns: i64,
    },
}

/// What becomes of an answer with more than [`limits::SERIES_MAX`] series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooManySeries {
    /// The query is refused.
    Refuse,
    /// The answer has the first of them, and says so.
    Truncate,
}

/// The answer to a metric query.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricAnswer {
    /// One number without labels, at the one time.
    Scalar(f64),
    /// One value per series, at the one time; by labels, or as `sort` left them.
    Vector(Vec<Series>),
    /// Several values per series, by labels.
    Matrix(Vec<Series>),
}

/// The values of one series, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What tells it from others.
    pub labels: SeriesLabels,
    /// One at least.
    pub points: Vec<(Timestamp, f64)>,
}

impl Series {
    /// Orders series by labels; equal ones, of which each has one point, by its value.
    fn cmp(&self, other: &Self) -> Ordering {
        let value = |series: &Self| series.points.first().map_or(0.0, |(_, value)| *value);
        self.labels.cmp(&other.labels).then_with(|| value(self).total_cmp(&value(other)))
    }
}

/// A metric query. Feed each of [`MetricQuery::ranges`] what it selects, then [`MetricQuery::finish`].
#[derive(Debug)]
pub struct MetricQuery {
    ranges: Vec<RangeQuery>,
    root: Node,
    evaluation: Evaluation,
    is_sorted: bool,
    too_many_series: TooManySeries,
    budget: Arc<Budget>,
}

/// An expression, ready to be computed.
#[derive(Debug)]
enum Node {
    /// The aggregation over time with this index.
    Range(usize),
    Aggregation(Box<Node>, Aggregator),
    Operation(Box<[Node; 2]>, Operation),
    LabelReplace(Box<Node>, Replacer),
    Constant(f64),
    Literal(f64),
}

impl MetricQuery {
    /// Prepares `expr` to be evaluated.
    ///
    /// # Errors
    ///
    /// [`Error::Stage`] if a stage cannot be built; [`Error::TooManyPoints`] and [`Error::InstantOnly`] if the query asks for
    /// more than it may.
    pub fn new(
        expr: &MetricExpr,
        evaluation: Evaluation,
        too_many_series: TooManySeries,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let mut builder = Builder { ranges: Vec::new(), context: context(expr, evaluation, clock)? };
        let root = builder.node(expr)?;
        let is_sorted = expr.parts().any(sorts);
        let budget = Arc::default();
        let query = Self { ranges: builder.ranges, root, evaluation, is_sorted, too_many_series, budget };
        Ok(query.within(Arc::default()))
    }

    /// Takes its memory from `budget`, and ends where that is cancelled. To be called before anything is pushed.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.ranges.iter_mut().for_each(|range| range.set_budget(&budget));
        self.budget = budget;
        self
    }

    /// What has to be fetched and pushed, in any order of the aggregations.
    pub fn ranges(&mut self) -> &mut [RangeQuery] {
        &mut self.ranges
    }

    /// Computes the answer once everything has been pushed. The second value says whether series are missing from it
    /// ([`TooManySeries::Truncate`]).
    ///
    /// # Errors
    ///
    /// [`Error::Matching`] if series find each other in more than one way; [`Error::TooManySeries`] and
    /// [`Error::Refused`] if there are more than there may be.
    pub fn finish(self) -> Result<(MetricAnswer, bool), Error> {
        let Self { ranges, mut root, evaluation, is_sorted, too_many_series, budget } = self;
        let mut registry = Registry::within(Arc::clone(&budget));
        let steps = ranges.into_iter().map(|range| range.finish(&mut registry));
        let mut steps = steps.map(|steps| steps.map(Vec::into_iter)).collect::<Result<Vec<_>, _>>()?;
        let (start, end, step_ns) = match evaluation {
            Evaluation::Instant(at) => (at, at, None),
            Evaluation::Range { start, end, step_ns } => (start, end, Some(step_ns)),
        };
        let mut collected = Collected::new(too_many_series, step_ns.is_none(), Arc::clone(&budget));
        let mut at = Some(start);
        while let Some(now) = at.filter(|at| *at <= end) {
            budget.check()?;
            match root.compute(&mut steps, &mut registry)? {
                Value::Vector(vector) => vector.into_iter().try_for_each(|sample| collected.push(sample, now))?,
                Value::Number(value) if step_ns.is_none() => return Ok((MetricAnswer::Scalar(value), false)),
                Value::Number(value) => {
                    let series = registry.id_of(&SeriesLabels::default())?;
                    collected.push(Sample { series, value }, now)?;
                }
            }
            at = step_ns.and_then(|step_ns| now.as_ns().checked_add(step_ns)).map(Timestamp::from_ns);
        }
        let is_truncated = collected.is_truncated;
        let mut series = collected.into_series(&registry);
        if !(is_sorted && step_ns.is_none()) {
            series.sort_by(Series::cmp);
        }
        Ok((if step_ns.is_some() { MetricAnswer::Matrix(series) } else { MetricAnswer::Vector(series) }, is_truncated))
    }
}

/// The values at the steps to come, for each aggregation over time.
type Steps = [std::vec::IntoIter<Vec<(SeriesId, f64)>>];

impl Node {
    /// The value at the next step.
    fn compute(&mut self, steps: &mut Steps, registry: &mut Registry) -> Result<Value, Error> {
        Ok(Value::Vector(match self {
            Self::Literal(value) => return Ok(Value::Number(*value)),
            Self::Constant(value) => vec![Sample { series: registry.id_of(&SeriesLabels::default())?, value: *value }],
            Self::Range(index) => {
                let values = steps[*index].next().unwrap_or_default();
                registry.budget().give_back(step_bytes(&values));
                values.into_iter().map(|(series, value)| Sample { series, value }).collect()
            }
            Self::Aggregation(inner, aggregator) => aggregator.apply(inner.vector(steps, registry)?, registry)?,
            Self::Operation(operands, operation) => {
                let [left, right] = operands.as_mut();
                let left = left.compute(steps, registry)?;
                let right = right.compute(steps, registry)?;
                operation.apply(left, right, registry)?
            }
            Self::LabelReplace(inner, replacer) => {
                let mut vector = inner.vector(steps, registry)?;
                for sample in &mut vector {
                    sample.series = replacer.series(sample.series, registry)?;
                }
                vector
            }
        }))
    }

    /// The value at the next step; a number counts as the value of the series without labels.
    fn vector(&mut self, steps: &mut Steps, registry: &mut Registry) -> Result<Vector, Error> {
        Ok(match self.compute(steps, registry)? {
            Value::Vector(vector) => vector,
            Value::Number(value) => vec![Sample { series: registry.id_of(&SeriesLabels::default())?, value }],
        })
    }
}

/// Makes nodes of expressions, and collects the aggregations over time.
struct Builder<'a> {
    ranges: Vec<RangeQuery>,
    context: Context<'a>,
}

impl Builder<'_> {
    fn node(&mut self, expr: &MetricExpr) -> Result<Node, Error> {
        Ok(match expr {
            MetricExpr::Range(aggregation) => self.range(aggregation, None)?,
            MetricExpr::Vector(aggregation) => {
                let inner = match aggregation.inner.as_ref() {
                    MetricExpr::Range(range) if is_sum_of_sums(aggregation, range) => {
                        self.range(range, Some(&Projection::of(aggregation.grouping.as_ref())))?
                    }
                    inner => self.node(inner)?,
                };
                if aggregation.op == VectorOp::ApproxTopk && self.context.step.is_some() {
                    return Err(Error::InstantOnly);
                }
                Node::Aggregation(Box::new(inner), Aggregator::new(aggregation))
            }
            MetricExpr::Binary(binary) => {
                let operands = [self.node(&binary.left)?, self.node(&binary.right)?];
                Node::Operation(Box::new(operands), Operation::new(binary))
            }
            MetricExpr::LabelReplace(replace) => {
                Node::LabelReplace(Box::new(self.node(&replace.inner)?), Replacer::new(replace)?)
            }
            MetricExpr::Constant(value) => Node::Constant(*value),
            MetricExpr::Literal(value) => Node::Literal(*value),
        })
    }

    fn range(&mut self, aggregation: &RangeAggregation, outer: Option<&Projection>) -> Result<Node, Error> {
        self.ranges.push(RangeQuery::new(aggregation, outer, &self.context)?);
        Ok(Node::Range(self.ranges.len() - 1))
    }
}

/// Whether the sum can be taken entry by entry. It then needs no labels but those that it groups by, and this shows: what
/// is wrong with labels that nobody needs is no error.
fn is_sum_of_sums(outer: &VectorAggregation, inner: &RangeAggregation) -> bool {
    let is_sum =
        matches!(inner.op, RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum);
    outer.op == VectorOp::Sum && is_sum && inner.grouping.is_none()
}

/// Checks the times of an evaluation, and gathers what all aggregations have to know.
fn context<'a>(expr: &MetricExpr, evaluation: Evaluation, clock: &'a Clock) -> Result<Context<'a>, Error> {
    let (start, end, step) = match evaluation {
        Evaluation::Instant(at) => (at.as_ns(), at.as_ns(), None),
        Evaluation::Range { start, end, step_ns } => (start.as_ns(), end.as_ns(), Some(step_ns)),
    };
    step.map_or(Ok(()), |step| limits::check_points(end.saturating_sub(start), step))?;
    let needs_level = expr.parts().any(|part| asks_for(part, LEVEL_LABEL));
    Ok(Context { start, end, step, needs_level, clock })
}

/// Whether `part` puts series into an order that means something.
fn sorts(part: &MetricExpr) -> bool {
    let is_sort = |op| matches!(op, VectorOp::Sort | VectorOp::SortDesc);
    matches!(part, MetricExpr::Vector(aggregation) if is_sort(aggregation.op))
}

/// What a point of the answer takes in memory, in bytes; twice of what is used, because vectors grow by doubling.
const POINT_COST_BYTES: usize = 2 * size_of::<(Timestamp, f64)>();

/// The answer so far. As `label_replace` can make series equal, there may be several values of one at one time: an instant
/// query answers a series for each of them, and one over a range of time one with all of them, as in Loki.
struct Collected {
    too_many_series: TooManySeries,
    is_instant: bool,
    is_truncated: bool,
    places: HashMap<SeriesId, usize>,
    /// In the order in which they came.
    series: Vec<(SeriesId, Vec<(Timestamp, f64)>)>,
    /// What the answer takes is not given back: it is still to be sent.
    budget: Arc<Budget>,
}

impl Collected {
    fn new(too_many_series: TooManySeries, is_instant: bool, budget: Arc<Budget>) -> Self {
        Self { too_many_series, is_instant, is_truncated: false, places: HashMap::new(), series: Vec::new(), budget }
    }

    /// Adds a value.
    fn push(&mut self, sample: Sample, at: Timestamp) -> Result<(), Error> {
        if !self.is_instant
            && let Some(place) = self.places.get(&sample.series)
        {
            self.budget.take(POINT_COST_BYTES)?;
            self.series[*place].1.push((at, sample.value));
            return Ok(());
        }
        if limits::SERIES_MAX <= self.series.len() {
            self.is_truncated = true;
            return match self.too_many_series {
                TooManySeries::Refuse => Err(Error::TooManySeries),
                TooManySeries::Truncate => Ok(()),
            };
        }
        self.budget.take(POINT_COST_BYTES)?;
        self.places.insert(sample.series, self.series.len());
        self.series.push((sample.series, vec![(at, sample.value)]));
        Ok(())
    }

    fn into_series(self, registry: &Registry) -> Vec<Series> {
        let series = |(id, mut points): (_, Vec<(Timestamp, f64)>)| {
            // In which order values of one time came is a matter of chance.
            if !points.is_sorted_by(|(earlier, _), (later, _)| earlier < later) {
                points.sort_by(|left, right| left.0.cmp(&right.0).then_with(|| left.1.total_cmp(&right.1)));
            }
            Series { labels: registry.labels(id).clone(), points }
        };
        self.series.into_iter().map(series).collect()
    }
}
