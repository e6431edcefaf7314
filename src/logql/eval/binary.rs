//! Operations on a vector and a number, and on two vectors.

use std::collections::{HashMap, HashSet};

use crate::logql::Error;
use crate::logql::arithmetic::{Outcome, apply, number};
use crate::logql::ast::{BinaryExpr, BinaryOp, Group, MatchingLabels, Side, VectorMatching};
use crate::logql::eval::series::{Projected, Projection, Registry, SeriesId, SeriesLabels};
use crate::logql::eval::vector::{Sample, Vector};

/// Why a query is refused whose series find each other in more than one way; Loki's words.
const DUPLICATE_RIGHT: &str = "found duplicate series on the right hand-side;many-to-many matching not allowed: \
    matching labels must be unique on one side";
const DUPLICATE_LEFT: &str = "found duplicate series on the left hand-side;many-to-many matching not allowed: \
    matching labels must be unique on one side";
const MANY_TO_ONE: &str = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
const NOT_UNIQUE: &str = "multiple matches for labels: grouping labels must ensure unique matches";

/// What an operand is at one step.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A number that the query wrote.
    Number(f64),
    Vector(Vector),
}

/// An operation and what it remembers of one step for the next.
#[derive(Debug)]
pub(super) struct Operation {
    op: BinaryOp,
    return_bool: bool,
    /// What the labels have to agree in for two series to be partners.
    partners: Projected,
    /// What is left of the labels of the side with several partners, or of the left one.
    kept: Projected,
    group: Option<Group>,
}

impl Operation {
    pub(super) fn new(expr: &BinaryExpr) -> Self {
        let VectorMatching { labels, group } = &expr.matching;
        let matching = match labels {
            Some(MatchingLabels { ignoring, labels }) => Projection::new(labels, *ignoring),
            None => Projection::all(),
        };
        let kept = if group.is_some() { Projection::all() } else { matching.clone() };
        Self {
            op: expr.op,
            return_bool: expr.return_bool,
            partners: Projected::new(matching),
            kept: Projected::new(kept),
            group: group.clone(),
        }
    }

    pub(super) fn apply(&mut self, left: Value, right: Value, registry: &mut Registry) -> Result<Vector, Error> {
        match (left, right) {
            (Value::Vector(left), Value::Vector(right)) => match self.op {
                BinaryOp::And => self.with_partner(left, &right, true, registry),
                BinaryOp::Unless => self.with_partner(left, &right, false, registry),
                BinaryOp::Or => {
                    let mut all = self.with_partner(right, &left, false, registry)?;
                    let mut result = left;
                    result.append(&mut all);
                    Ok(result)
                }
                _ => self.join(&left, &right, registry),
            },
            (Value::Vector(vector), Value::Number(right)) => {
                Ok(self.each(vector, |value| (value, right), |left, _| left))
            }
            (Value::Number(left), Value::Vector(vector)) => {
                Ok(self.each(vector, |value| (left, value), |_, right| right))
            }
            (Value::Number(_), Value::Number(_)) => unreachable!("the parser folds operations on two numbers"),
        }
    }

    /// The value of `left op right`; that of `kept` for a comparison that holds and filters, nothing if it does not hold.
    fn compute(&self, left: f64, right: f64, kept: f64) -> Option<f64> {
        match apply(self.op, left, right).expect("operations on sets are done elsewhere") {
            Outcome::Number(value) => Some(value),
            Outcome::Truth(truth) if self.return_bool => Some(number(truth)),
            Outcome::Truth(truth) => truth.then_some(kept),
        }
    }

    /// Applies the operation to each element of a vector, whose operands `operands` puts in order.
    fn each(&self, mut vector: Vector, operands: impl Fn(f64) -> (f64, f64), kept: impl Fn(f64, f64) -> f64) -> Vector {
        vector.retain_mut(|sample| {
            let (left, right) = operands(sample.value);
            let value = self.compute(left, right, kept(left, right));
            value.is_some_and(|value| {
                sample.value = value;
                true
            })
        });
        vector
    }

    /// The samples of `vector` that have a partner in `others`, or none.
    fn with_partner(
        &mut self,
        mut vector: Vector,
        others: &[Sample],
        has_partner: bool,
        registry: &mut Registry,
    ) -> Result<Vector, Error> {
        let mut keys = HashSet::new();
        for other in others {
            keys.insert(self.partners.id(other.series, registry)?);
        }
        let mut is_kept = Vec::with_capacity(vector.len());
        for sample in &vector {
            is_kept.push(keys.contains(&self.partners.id(sample.series, registry)?) == has_partner);
        }
        let mut is_kept = is_kept.into_iter();
        vector.retain(|_| is_kept.next().expect("as long as the vector"));
        Ok(vector)
    }

    /// Applies the operation to partners. One side has one series for each key, the other one or, if the query says so,
    /// many.
    fn join(&mut self, left: &[Sample], right: &[Sample], registry: &mut Registry) -> Result<Vector, Error> {
        let many_side = self.group.as_ref().map_or(Side::Left, |group| group.many);
        let (many, one) = if many_side == Side::Left { (left, right) } else { (right, left) };
        let mut ones = HashMap::new();
        for sample in one {
            if ones.insert(self.partners.id(sample.series, registry)?, *sample).is_some() {
                let message = if many_side == Side::Left { DUPLICATE_RIGHT } else { DUPLICATE_LEFT };
                return Err(Error::Matching { message });
            }
        }
        let mut result = Vector::new();
        let mut seen = HashSet::new();
        for sample in many {
            let key = self.partners.id(sample.series, registry)?;
            let Some(partner) = ones.get(&key) else { continue };
            let (left, right) = match many_side {
                Side::Left => (sample.value, partner.value),
                Side::Right => (partner.value, sample.value),
            };
            let Some(value) = self.compute(left, right, left) else { continue };
            let series = self.result_series(sample.series, partner.series, registry)?;
            let (unique, message) = if self.group.is_some() { (series, NOT_UNIQUE) } else { (key, MANY_TO_ONE) };
            if !seen.insert(unique) {
                return Err(Error::Matching { message });
            }
            result.push(Sample { series, value });
        }
        Ok(result)
    }

    /// The labels of the "many" side that are kept, and those that the query takes from the "one" side.
    fn result_series(&mut self, many: SeriesId, one: SeriesId, registry: &mut Registry) -> Result<SeriesId, Error> {
        let kept = self.kept.id(many, registry)?;
        let include = match &self.group {
            Some(group) if !group.include.is_empty() => &group.include,
            _ => return Ok(kept),
        };
        let (many, one) = (registry.labels(kept), registry.labels(one));
        let is_included = |name: &str| include.iter().any(|included| included == name);
        let mut pairs: Vec<(&str, &str)> = many.iter().filter(|(name, _)| !is_included(name)).collect();
        pairs.extend(one.iter().filter(|(name, value)| is_included(name) && !value.is_empty()));
        pairs.sort_unstable();
        let labels = SeriesLabels::from_sorted(pairs);
        registry.id_of(&labels)
    }
}
