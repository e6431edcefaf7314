//! Vectors, which are the values of several series at one step, and their aggregations.

use std::collections::HashMap;

use crate::logql::Error;
use crate::logql::ast::{VectorAggregation, VectorOp};
use crate::logql::eval::accumulator::{Accumulator, Statistic};
use crate::logql::eval::series::{Projected, Projection, Registry, SeriesId};

/// The value of a series at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) series: SeriesId,
    pub(super) value: f64,
}

/// The values of several series at one step, each series once, in an order that means something only after `sort`.
pub(super) type Vector = Vec<Sample>;

/// An aggregation and what it remembers of one step for the next.
#[derive(Debug)]
pub(super) struct Aggregator {
    op: VectorOp,
    count: usize,
    groups: Projected,
}

impl Aggregator {
    pub(super) fn new(aggregation: &VectorAggregation) -> Self {
        let projection = Projection::of(aggregation.grouping.as_ref());
        Self { op: aggregation.op, count: aggregation.count, groups: Projected::new(projection) }
    }

    pub(super) fn apply(&mut self, vector: Vector, registry: &mut Registry) -> Result<Vector, Error> {
        let statistic = match self.op {
            VectorOp::Sum | VectorOp::Count => Statistic::Sum,
            VectorOp::Avg => Statistic::Mean,
            VectorOp::Max => Statistic::Max,
            VectorOp::Min => Statistic::Min,
            VectorOp::Stddev => Statistic::Deviation,
            VectorOp::Stdvar => Statistic::Variance,
            VectorOp::Topk | VectorOp::ApproxTopk => return self.select(vector, registry, f64::total_cmp),
            VectorOp::Bottomk => return self.select(vector, registry, |left, right| right.total_cmp(left)),
            VectorOp::Sort => return Ok(sorted(vector, |left, right| right.total_cmp(left))),
            VectorOp::SortDesc => return Ok(sorted(vector, f64::total_cmp)),
        };
        let mut places: HashMap<SeriesId, usize> = HashMap::new();
        let mut groups: Vec<(SeriesId, Accumulator)> = Vec::new();
        for sample in vector {
            let value = if self.op == VectorOp::Count { 1.0 } else { sample.value };
            let group = self.groups.id(sample.series, registry)?;
            if let Some(place) = places.get(&group) {
                groups[*place].1.add(value, 0);
            } else {
                places.insert(group, groups.len());
                groups.push((group, Accumulator::new(statistic, value, 0)));
            }
        }
        let sample = |(series, accumulator): (SeriesId, Accumulator)| {
            let value = accumulator.result(statistic, 0, 0);
            Sample { series, value }
        };
        Ok(groups.into_iter().map(sample).collect())
    }

    /// Keeps of each group as many samples as were asked for: those that are the greatest by `order`.
    fn select(
        &mut self,
        vector: Vector,
        registry: &mut Registry,
        order: fn(&f64, &f64) -> std::cmp::Ordering,
    ) -> Result<Vector, Error> {
        let mut left_of_group = HashMap::new();
        let mut selected = Vector::new();
        for sample in sorted(vector, order) {
            let left = left_of_group.entry(self.groups.id(sample.series, registry)?).or_insert(self.count);
            if 0 < *left {
                *left -= 1;
                selected.push(sample);
            }
        }
        Ok(selected)
    }
}

/// The greatest by `order` first; what is no number last. Equal ones stay in their order.
fn sorted(mut vector: Vector, order: fn(&f64, &f64) -> std::cmp::Ordering) -> Vector {
    vector.sort_by(|left, right| {
        let is_nan = |sample: &Sample| sample.value.is_nan();
        is_nan(left).cmp(&is_nan(right)).then_with(|| order(&right.value, &left.value))
    });
    vector
}
