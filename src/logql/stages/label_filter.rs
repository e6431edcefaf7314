//! `| status >= 500 and method = "GET"`: conditions on labels, as text and as amounts.
//!
//! A label that is not there compares as an empty text; as an amount it drops the line. A value that is no amount keeps
//! the line, with an error.

use regex::Regex;

use crate::logql::ast::{self, CompareOp, LabelMatcher, MatchOp};
use crate::logql::pipeline::{ERROR_DETAILS_LABEL, ERROR_LABEL};
use crate::logql::stages::ip::IpPattern;
use crate::logql::stages::labels::{ErrorKind, LabelSet};
use crate::logql::stages::values;
use crate::logql::{Error, regexp};

/// A condition on the text of a label.
#[derive(Clone, Debug)]
pub(super) struct TextMatcher {
    pub(super) name: String,
    test: TextTest,
    is_negated: bool,
}

#[derive(Clone, Debug)]
enum TextTest {
    Equals(String),
    Matches(Regex),
}

impl TextMatcher {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression is none.
    pub(super) fn new(matcher: &LabelMatcher) -> Result<Self, Error> {
        let test = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => TextTest::Equals(matcher.value.clone()),
            MatchOp::Matches | MatchOp::NotMatches => TextTest::Matches(regexp::for_labels(&matcher.value)?),
        };
        let is_negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotMatches);
        Ok(Self { name: matcher.name.clone(), test, is_negated })
    }

    /// Whether the value satisfies the condition; none counts as empty.
    pub(super) fn accepts(&self, value: Option<&str>) -> bool {
        let value = value.unwrap_or_default();
        let is_met = match &self.test {
            TextTest::Equals(expected) => value == expected,
            TextTest::Matches(regex) => regex.is_match(value),
        };
        is_met != self.is_negated
    }
}

/// A condition on labels.
#[derive(Clone, Debug)]
pub(super) enum LabelFilter {
    And(Vec<LabelFilter>),
    Or(Vec<LabelFilter>),
    Text(TextMatcher),
    Amount { name: String, op: CompareOp, amount: Amount },
    Ip { name: String, is_negated: bool, pattern: IpPattern },
}

/// What a label's value is compared with, which says how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Number(f64),
    Nanoseconds(i64),
    Bytes(i64),
}

impl LabelFilter {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression or an address is none.
    pub(super) fn new(filter: &ast::LabelFilter) -> Result<Self, Error> {
        let all = |filters: &[ast::LabelFilter]| filters.iter().map(Self::new).collect::<Result<_, Error>>();
        let amount = |name: &str, op, amount| Self::Amount { name: name.to_owned(), op, amount };
        Ok(match filter {
            ast::LabelFilter::And(filters) => Self::And(all(filters)?),
            ast::LabelFilter::Or(filters) => Self::Or(all(filters)?),
            ast::LabelFilter::Text(matcher) => Self::Text(TextMatcher::new(matcher)?),
            ast::LabelFilter::Number { name, op, value } => amount(name, *op, Amount::Number(*value)),
            ast::LabelFilter::Duration { name, op, nanoseconds } => {
                amount(name, *op, Amount::Nanoseconds(*nanoseconds))
            }
            ast::LabelFilter::Bytes { name, op, bytes } => amount(name, *op, Amount::Bytes(*bytes)),
            ast::LabelFilter::Ip { name, negated, pattern } => {
                Self::Ip { name: name.clone(), is_negated: *negated, pattern: IpPattern::parse(pattern)? }
            }
        })
    }

    /// Whether the line is kept.
    pub(super) fn keeps(&self, labels: &mut LabelSet) -> bool {
        match self {
            Self::And(filters) => {
                // Each side has its say, because it may leave an error.
                let drop_count = filters.iter().filter(|filter| !filter.keeps(labels)).count();
                drop_count == 0
            }
            Self::Or(filters) => filters.iter().any(|filter| filter.keeps(labels)),
            Self::Text(matcher) => matcher.accepts(labels.get(&matcher.name)),
            // An error is a label for texts only: no amount is compared with it.
            Self::Amount { name, .. } if matches!(name.as_str(), ERROR_LABEL | ERROR_DETAILS_LABEL) => false,
            Self::Amount { name, op, amount } => match labels.get(name).map(|value| amount.compare(*op, value)) {
                None => false,
                Some(Ok(is_met)) => is_met,
                Some(Err(reason)) => {
                    if !labels.has_error() {
                        labels.set_error(ErrorKind::LabelFilter, &reason);
                    }
                    true
                }
            },
            Self::Ip { name, is_negated, pattern } => {
                let is_found = |value: &str| pattern.is_found_in(value.as_bytes()) != *is_negated;
                labels.has_error() || labels.get(name).is_some_and(is_found)
            }
        }
    }
}

impl Amount {
    /// Whether `value op self` holds, or why `value` is no such amount.
    fn compare(self, op: CompareOp, value: &str) -> Result<bool, String> {
        Ok(match self {
            Self::Number(number) => op.holds(&values::parse_float(value)?, &number),
            Self::Nanoseconds(nanoseconds) => op.holds(&values::parse_duration(value)?, &nanoseconds),
            Self::Bytes(bytes) => op.holds(&i128::from(values::parse_bytes(value)?), &i128::from(bytes)),
        })
    }
}
