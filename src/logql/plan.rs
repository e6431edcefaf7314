//! What a query needs of the database: which streams, which times, which bytes in the line.
//!
//! What the database answers exactly is taken out of the pipeline; the rest stays there.

use crate::logql::ast::{FilterText, LabelMatcher, LineFilterOp, LogExpr, MatchOp, Stage};
use crate::logql::{Error, regexp};
use crate::model::{Condition, Direction, LineFilter, Matcher, Selection, TimeRange};

/// What to fetch for a selector with its pipeline, and what is left to do with it.
pub(super) struct Fetch {
    /// What to fetch.
    pub(super) selection: Selection,
    /// The stages that the database does not take over.
    pub(super) stages: Vec<Stage>,
}

/// Plans to fetch the entries of `log` in `range`, oldest first and all of them.
pub(super) fn fetch(log: &LogExpr, range: TimeRange) -> Result<Fetch, Error> {
    let mut filters = Vec::new();
    let mut stages = Vec::new();
    let mut is_line_as_stored = true;
    for stage in &log.stages {
        match stage {
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => is_line_as_stored = false,
            _ => {}
        }
        match contained(stage).filter(|_| is_line_as_stored) {
            Some(text) => filters.push(LineFilter::Contains(text.as_bytes().to_vec())),
            None => stages.push(stage.clone()),
        }
    }
    let selection =
        Selection { matchers: matchers(&log.matchers)?, range, filters, direction: Direction::Forward, limit: None };
    Ok(Fetch { selection, stages })
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

/// The text that a line has to contain to pass `stage`, if that is all there is to it.
fn contained(stage: &Stage) -> Option<&str> {
    let Stage::LineFilter(filter) = stage else { return None };
    let [FilterText::Text(text)] = filter.alternatives.as_slice() else { return None };
    let is_plain = match filter.op {
        LineFilterOp::Contains => true,
        LineFilterOp::Matches => !text.contains(|c| r"\.+*?()|[]{}^$".contains(c)),
        _ => false,
    };
    is_plain.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::ast::Expr;
    use crate::logql::parse;

    /// What the database filters by, and what is left of the query.
    #[track_caller]
    fn check(query: &str, expected_filters: &[&str], expected_rest: &str) {
        let Ok(Expr::Log(mut log)) = parse(query) else { panic!("{query} is a log query") };
        let fetch = fetch(&log, TimeRange::ALL).unwrap();
        let texts = fetch.selection.filters.iter().map(|filter| match filter {
            LineFilter::Contains(text) => std::str::from_utf8(text).unwrap(),
            other => panic!("{other:?} is no plain text"),
        });
        assert_eq!(texts.collect::<Vec<_>>(), expected_filters);
        log.stages = fetch.stages;
        assert_eq!(log.to_string(), expected_rest);
    }

    #[test]
    fn the_database_looks_for_plain_texts() {
        check(r#"{a="b"} |= "c" |~ "d e" |= "f""#, &["c", "d e", "f"], r#"{a="b"}"#);
        check(r#"{a="b"} |= "c" or "d" != "e" |~ "f.""#, &[], r#"{a="b"} |= "c" or "d" != "e" |~ "f.""#);
        check(r#"{a="b"} | json |= "c" | d="e""#, &["c"], r#"{a="b"} | json | d="e""#);
    }

    #[test]
    fn a_line_that_has_been_changed_is_not_the_databases() {
        check(r#"{a="b"} |= "c" | line_format "d" |= "e""#, &["c"], r#"{a="b"} | line_format "d" |= "e""#);
    }

    #[test]
    fn expressions_for_labels_are_anchored() {
        let Ok(Expr::Log(log)) = parse(r#"{a=~"b|c", d!~"e"}"#) else { panic!("it is a log query") };
        let labels = |pairs: &[(&'static str, &'static str)]| crate::model::Labels::new(pairs.to_vec()).unwrap();
        let matchers = matchers(&log.matchers).unwrap();
        let accepts = |labels| matchers.iter().all(|matcher: &Matcher| matcher.accepts(&labels));
        assert!(accepts(labels(&[("a", "b")])) && accepts(labels(&[("a", "c"), ("d", "ee")])));
        assert!(!accepts(labels(&[("a", "bc")])) && !accepts(labels(&[("a", "b"), ("d", "e")])));
    }
}
