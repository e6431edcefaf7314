//! What a query needs of the database: which streams, which times, which bytes in the line.
//!
//! What the database answers exactly is taken out of the pipeline; the rest stays there. What a line must have for the
//! rest to let it pass is asked of the database as well, see [`hints`].

mod hints;
#[cfg(test)]
mod tests;

use crate::logql::ast::{self, FilterText, LabelMatcher, LineFilterOp, LogExpr, MatchOp, Stage};
use crate::logql::stages::LineFilters;
use crate::logql::{Error, regexp};
use crate::model::{Condition, Direction, LineFilter, Matcher, Selection, TimeRange};
use hints::Hint;

/// What to fetch for a selector with its pipeline.
#[derive(Clone, Debug)]
pub struct Fetch {
    selection: Selection,
    hints: Vec<Hint>,
}

impl Fetch {
    /// Plans to fetch the entries of `log` in `range`, oldest first and all of them; and what is left to do with them.
    pub(super) fn new(log: &LogExpr, range: TimeRange) -> Result<(Self, Vec<Stage>), Error> {
        let mut filters = Vec::new();
        let mut stages = Vec::new();
        let mut is_line_as_stored = true;
        for stage in &log.stages {
            if is_line_as_stored && let Some(exact) = exact(stage)? {
                filters.extend(exact);
                continue;
            }
            if is_line_as_stored {
                filters.extend(hints::of_line_filter(stage));
            }
            is_line_as_stored &= !matches!(stage, Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize);
            stages.push(stage.clone());
        }
        let hints = hints::of_labels(&stages);
        let selection = Selection {
            matchers: matchers(&log.matchers)?,
            range,
            filters,
            direction: Direction::Forward,
            limit: None,
        };
        Ok((Self { selection, hints }, stages))
    }

    /// Plans to fetch the entries of `log` in `range`, and what is left to do with them; `None` where `log` has a stage that
    /// is no line filter.
    ///
    /// # Errors
    ///
    /// [`Error::Stage`] if a filter cannot be built.
    pub fn of_line_filters(log: &LogExpr, range: TimeRange) -> Result<Option<(Self, LineFilters)>, Error> {
        let (fetch, stages) = Self::new(log, range)?;
        let filters: Option<Vec<&ast::LineFilter>> = stages
            .iter()
            .map(|stage| if let Stage::LineFilter(filter) = stage { Some(filter) } else { None })
            .collect();
        filters.map(|filters| Ok((fetch, LineFilters::new(filters)?))).transpose()
    }

    /// The entries to fetch. Of those among them that no stage lets pass, some may be missing.
    ///
    /// `may_be_brought` says of a label whether any of the entries comes with it.
    pub fn selection(&self, may_be_brought: impl Fn(&str) -> bool) -> Selection {
        let mut selection = self.selection.clone();
        let helpful = self.hints.iter().filter(|hint| !hint.labels.iter().any(|label| may_be_brought(label)));
        selection.filters.extend(helpful.map(|hint| hint.filter.clone()));
        selection
    }

    /// Whether a line of a stream that is asked for is asked for, too.
    pub fn accepts(&self, line: &[u8]) -> bool {
        self.selection.filters.iter().all(|filter| filter.accepts(line))
    }

    /// Which streams' entries, from which time.
    pub fn streams(&self) -> (&[Matcher], TimeRange) {
        (&self.selection.matchers, self.selection.range)
    }

    /// How many entries are enough; `None` where that shows only when they are looked at.
    pub(super) fn limit(&self) -> Option<usize> {
        self.selection.limit
    }

    /// Makes the entries come in this order, and no more of them than `limit`.
    pub(super) fn set_order(&mut self, direction: Direction, limit: Option<usize>) {
        self.selection.direction = direction;
        self.selection.limit = limit;
    }
}

/// The matchers of a selector in the database's terms.
///
/// # Errors
///
/// [`Error::Stage`] if a regular expression is none, which the parser does not let pass.
pub fn matchers(matchers: &[LabelMatcher]) -> Result<Vec<Matcher>, Error> {
    let matcher = |matcher: &LabelMatcher| {
        let value = &matcher.value;
        let condition = match matcher.op {
            MatchOp::Equal => Condition::Equal(value.clone()),
            MatchOp::NotEqual => Condition::NotEqual(value.clone()),
            MatchOp::Matches => Condition::Matches(regexp::for_labels(value)?),
            MatchOp::NotMatches => Condition::NotMatches(regexp::for_labels(value)?),
        };
        Ok(Matcher { name: matcher.name.clone(), condition })
    };
    matchers.iter().map(matcher).collect()
}

/// The filters that all have to accept a line for it to pass `stage`, if that is all there is to the stage.
fn exact(stage: &Stage) -> Result<Option<Vec<LineFilter>>, Error> {
    let Stage::LineFilter(filter) = stage else { return Ok(None) };
    let text = |alternative: &FilterText| match alternative {
        FilterText::Text(text) => Some(text.clone()),
        FilterText::Ip(_) => None,
    };
    let Some(texts) = filter.alternatives.iter().map(text).collect::<Option<Vec<String>>>() else { return Ok(None) };
    Ok(match filter.op {
        LineFilterOp::Contains => Some(vec![contains_any(texts)]),
        LineFilterOp::NotContains => Some(texts.into_iter().map(not_contains).collect()),
        LineFilterOp::Matches if texts.iter().all(|text| regexp::as_text(text).is_some()) => {
            Some(vec![contains_any(texts)])
        }
        LineFilterOp::Matches => {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            Some(vec![LineFilter::Matches(regexp::any_in_lines(&texts)?)])
        }
        LineFilterOp::NotMatches => {
            let not_matches = |text: String| match regexp::as_text(&text) {
                Some(_) => Ok(not_contains(text)),
                None => Ok(LineFilter::NotMatches(regexp::any_in_lines(&[&text])?)),
            };
            Some(texts.into_iter().map(not_matches).collect::<Result<_, Error>>()?)
        }
        LineFilterOp::Pattern | LineFilterOp::NotPattern => None,
    })
}

fn not_contains(text: String) -> LineFilter {
    LineFilter::NotContains(text.into_bytes())
}

fn contains_any(texts: Vec<String>) -> LineFilter {
    let mut texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    match texts.len() {
        1 => LineFilter::Contains(texts.remove(0)),
        _ => LineFilter::ContainsAny(texts),
    }
}
