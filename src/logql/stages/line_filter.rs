//! `|= "a" or "b"` and its like: conditions on the line.

use memchr::memmem::Finder;

use crate::logql::ast::{self, FilterText, LineFilterOp};
use crate::logql::stages::ip::IpPattern;
use crate::logql::stages::pattern::LinePattern;
use crate::logql::{Error, regexp};
use crate::model;

/// What is looked for in a line.
#[derive(Clone, Debug)]
enum Test {
    Contains(Box<Finder<'static>>),
    Matches(model::LinePattern),
    Fits(LinePattern),
    HasAddress(IpPattern),
}

/// Conditions on the line, which all have to hold.
#[derive(Clone, Debug)]
pub struct LineFilters(Vec<LineFilter>);

impl LineFilters {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression, a pattern or an address is none.
    pub(in crate::logql) fn new<'a>(filters: impl IntoIterator<Item = &'a ast::LineFilter>) -> Result<Self, Error> {
        filters.into_iter().map(LineFilter::new).collect::<Result<_, Error>>().map(Self)
    }

    /// Whether every line is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `line` is kept.
    pub fn keep(&self, line: &[u8]) -> bool {
        self.0.iter().all(|filter| filter.keeps(line))
    }
}

/// A condition on the line.
#[derive(Clone, Debug)]
pub(super) struct LineFilter {
    tests: Vec<Test>,
    /// Keeps the lines that none of the tests accepts rather than those that one does.
    is_negated: bool,
}

impl LineFilter {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression, a pattern or an address is none.
    pub(super) fn new(filter: &ast::LineFilter) -> Result<Self, Error> {
        let test = |text: &FilterText| match (filter.op, text) {
            (LineFilterOp::Contains | LineFilterOp::NotContains, FilterText::Text(text)) => {
                Ok(Test::Contains(Box::new(Finder::new(text.as_bytes()).into_owned())))
            }
            (LineFilterOp::Matches | LineFilterOp::NotMatches, FilterText::Text(text)) => {
                Ok(Test::Matches(regexp::any_in_lines(&[text])?))
            }
            (LineFilterOp::Pattern | LineFilterOp::NotPattern, FilterText::Text(text)) => {
                Ok(Test::Fits(LinePattern::new(text)?))
            }
            (LineFilterOp::Contains | LineFilterOp::NotContains, FilterText::Ip(text)) => {
                Ok(Test::HasAddress(IpPattern::parse(text)?))
            }
            (_, FilterText::Ip(_)) => Err(Error::stage("ip: invalid operation")),
        };
        let is_negated =
            matches!(filter.op, LineFilterOp::NotContains | LineFilterOp::NotMatches | LineFilterOp::NotPattern);
        Ok(Self { tests: filter.alternatives.iter().map(test).collect::<Result<_, Error>>()?, is_negated })
    }

    /// Whether `line` is kept.
    pub(super) fn keeps(&self, line: &[u8]) -> bool {
        let is_accepted = |test: &Test| match test {
            Test::Contains(text) => text.find(line).is_some(),
            Test::Matches(pattern) => pattern.is_match(line),
            Test::Fits(pattern) => pattern.is_match(line),
            Test::HasAddress(pattern) => pattern.is_found_in(line),
        };
        self.tests.iter().any(is_accepted) != self.is_negated
    }
}
