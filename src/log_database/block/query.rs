//! Selects the lines of a block that satisfy filters within a time range.

use std::sync::{Arc, OnceLock};

use super::Error;
use super::automaton::Automaton;
use super::needle::Needle;
use super::plan::{Plan, plan};
use super::read::Block;
use super::rows::Rows;
use super::sections::Source;
use super::terms::Wanted;
use crate::model::budget::Budget;
use crate::model::{LineFilter, LinePattern, TimeRange};

/// Filters prepared for many blocks; a line has to satisfy all of them.
#[derive(Clone, Debug)]
pub struct Query {
    filters: Vec<Filter>,
    budget: Arc<Budget>,
}

#[derive(Clone, Debug)]
struct Filter {
    condition: Condition,
    /// The lines that do not satisfy the condition are wanted.
    is_negated: bool,
}

#[derive(Clone, Debug)]
enum Condition {
    Contains(Box<Needle>),
    ContainsAny(Vec<Needle>),
    Matches(Box<Expression>),
}

#[derive(Clone, Debug)]
struct Expression {
    pattern: LinePattern,
    plan: Plan,
    /// Made when many lines are to be matched; `None` where it would be too large, or there is no memory for it.
    automaton: Arc<OnceLock<Option<Automaton>>>,
}

/// Where a plan leaves fewer than one in so many lines, these are put together and matched.
const FEW: usize = 8;

/// What a block has to have so that some of its lines may satisfy a query, as far as a filter over many blocks can tell.
#[derive(Clone, Debug)]
pub enum Required {
    /// Nothing that is known.
    Nothing,
    /// This.
    Terms(Wanted),
    /// All of them.
    All(Vec<Required>),
    /// One of them.
    Any(Vec<Required>),
}

impl Required {
    fn of_needle(needle: &Needle) -> Self {
        let wanted = needle.wanted();
        if wanted.is_nothing() { Self::Nothing } else { Self::Terms(wanted) }
    }

    fn of_plan(plan: &Plan) -> Self {
        match plan {
            Plan::Nothing => Self::Nothing,
            Plan::Contains(needle) => Self::of_needle(needle),
            Plan::All(plans) => Self::all(plans.iter().map(Self::of_plan)),
            Plan::Any(plans) => Self::any(plans.iter().map(Self::of_plan)),
        }
    }

    fn all(all: impl Iterator<Item = Self>) -> Self {
        let all: Vec<Self> = all.filter(|required| !matches!(required, Self::Nothing)).collect();
        if all.is_empty() { Self::Nothing } else { Self::All(all) }
    }

    fn any(any: impl Iterator<Item = Self>) -> Self {
        let any: Vec<Self> = any.collect();
        if any.iter().any(|required| matches!(required, Self::Nothing)) { Self::Nothing } else { Self::Any(any) }
    }
}

impl Query {
    /// What blocks have to have.
    pub fn required(&self) -> Required {
        let wanted = self.filters.iter().filter(|filter| !filter.is_negated);
        Required::all(wanted.map(|filter| match &filter.condition {
            Condition::Contains(needle) => Required::of_needle(needle),
            Condition::ContainsAny(needles) => Required::any(needles.iter().map(Required::of_needle)),
            Condition::Matches(expression) => Required::of_plan(&expression.plan),
        }))
    }

    /// Prepares `filters`.
    pub fn new(filters: &[LineFilter]) -> Self {
        let contains = |bytes: &[u8]| Condition::Contains(Box::new(Needle::exact(bytes)));
        let matches = |pattern: &LinePattern| {
            let (plan, automaton) = (plan(pattern.as_str()), Arc::default());
            Condition::Matches(Box::new(Expression { pattern: pattern.clone(), plan, automaton }))
        };
        let mut filters: Vec<Filter> = filters
            .iter()
            .map(|filter| match filter {
                LineFilter::Contains(bytes) => Filter { condition: contains(bytes), is_negated: false },
                LineFilter::ContainsAny(texts) => {
                    let needles = texts.iter().map(|bytes| Needle::exact(bytes)).collect();
                    Filter { condition: Condition::ContainsAny(needles), is_negated: false }
                }
                LineFilter::NotContains(bytes) => Filter { condition: contains(bytes), is_negated: true },
                LineFilter::Matches(pattern) => Filter { condition: matches(pattern), is_negated: false },
                LineFilter::NotMatches(pattern) => Filter { condition: matches(pattern), is_negated: true },
            })
            .collect();
        // What the vocabulary decides comes first, so that expressions see fewer lines.
        filters.sort_by_key(|filter| matches!(filter.condition, Condition::Matches(_)));
        Self { filters, budget: Arc::default() }
    }

    /// Looks at no further line once `budget` is cancelled. What was selected then is not the answer.
    pub fn set_budget(&mut self, budget: Arc<Budget>) {
        self.budget = budget;
    }
}

impl<S: Source> Block<S> {
    /// The rows of the lines within `range` that satisfy `query`.
    pub fn select(&self, query: &Query, range: TimeRange) -> Result<Rows, Error> {
        let mut rows = self.rows_in(range)?;
        for Filter { condition, is_negated } in &query.filters {
            if rows.is_empty() {
                break;
            }
            let mut satisfying = match condition {
                Condition::Contains(needle) => self.find(&needle.probe())?,
                Condition::ContainsAny(needles) => {
                    let mut any = Rows::none(self.line_count());
                    for needle in needles {
                        any.unite(&self.find(&needle.probe())?);
                    }
                    any
                }
                Condition::Matches(expression) => {
                    let mut candidates = rows.clone();
                    self.narrow(&expression.plan, &mut candidates)?;
                    self.retain_matches(expression, &query.budget, &mut candidates)?;
                    candidates
                }
            };
            if *is_negated {
                satisfying.invert();
            }
            rows.intersect(&satisfying);
        }
        Ok(rows)
    }

    /// How many lines within `range` satisfy `query`.
    pub fn count(&self, query: &Query, range: TimeRange) -> Result<usize, Error> {
        Ok(self.select(query, range)?.count())
    }

    /// The rows of the lines within `range`; does not read their times where all of them are.
    fn rows_in(&self, range: TimeRange) -> Result<Rows, Error> {
        let count = self.line_count();
        let Some((first, last)) = self.time_bounds().filter(|(first, last)| range.overlaps(*first, *last)) else {
            return Ok(Rows::none(count));
        };
        if range.contains(first) && range.contains(last) {
            return Ok(Rows::all(count));
        }
        let range_ns = range.start.as_ns()..range.end.as_ns();
        Ok(Rows::of(self.timestamps_ns()?, |ns| range_ns.contains(ns)))
    }

    /// Drops rows that cannot satisfy `plan`.
    fn narrow(&self, plan: &Plan, rows: &mut Rows) -> Result<(), Error> {
        match plan {
            Plan::Nothing => {}
            Plan::Contains(needle) => rows.intersect(&self.find(&needle.probe())?),
            Plan::All(plans) => {
                for plan in plans {
                    if rows.is_empty() {
                        break;
                    }
                    self.narrow(plan, rows)?;
                }
            }
            Plan::Any(plans) => {
                let mut any = Rows::none(rows.row_count());
                for plan in plans {
                    let mut one = rows.clone();
                    self.narrow(plan, &mut one)?;
                    any.unite(&one);
                }
                *rows = any;
            }
        }
        Ok(())
    }

    /// Drops rows that the expression does not match, until `budget` is cancelled.
    fn retain_matches(&self, expression: &Expression, budget: &Budget, rows: &mut Rows) -> Result<(), Error> {
        let count = self.line_count();
        if rows.count() * FEW < count as usize || budget.is_cancelled() {
            return self.retain_matching_lines(&expression.pattern, budget, rows);
        }
        let make = || Automaton::within(budget, expression.pattern.as_str());
        let Some(automaton) = expression.automaton.get_or_init(make) else {
            return self.retain_matching_lines(&expression.pattern, budget, rows);
        };
        let walked = self.walk(automaton, budget)?;
        let mut unknown = self.unite(self.root()?, &walked.unknown)?.of(count);
        unknown.intersect(rows);
        self.retain_matching_lines(&expression.pattern, budget, &mut unknown)?;
        rows.intersect(&self.unite(self.root()?, &walked.matched)?.of(count));
        rows.unite(&unknown);
        Ok(())
    }

    /// Puts the selected lines together and drops those that `pattern` does not match, until `budget` is cancelled.
    fn retain_matching_lines(&self, pattern: &LinePattern, budget: &Budget, rows: &mut Rows) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let root = self.root()?;
        let ids = root.ids(&self.sections)?;
        // Lines that are their template are decided once for all of them.
        let mut decided: Vec<Option<bool>> = vec![None; root.by_id.len()];
        let mut lines = self.lines()?;
        let mut line = Vec::new();
        for row in rows.clone().iter().take_while(|_| !budget.is_cancelled()) {
            let id = ids[row as usize] as usize;
            let is_match = if let Some(is_match) = decided[id] {
                is_match
            } else {
                line.clear();
                lines.append(row, &mut line)?;
                pattern.is_match(&line)
            };
            if root.by_id[id].slots.is_empty() {
                decided[id] = Some(is_match);
            }
            if !is_match {
                rows.remove(row);
            }
        }
        Ok(())
    }
}
