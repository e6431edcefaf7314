//! What a line must have in it to pass stages that the database does not take over.
//!
//! `| json | level="error"` lets no line pass whose text has no `error` in it, for a parser takes the values of labels
//! from the line. There are two exceptions, and a hint minds both:
//!
//! - The label may come with the stream or the entry. A hint holds only where none comes with a label of its name.
//! - An escape may stand for any of the characters. What has a backslash in it may have every text in it.
//!
//! The same holds for the names of labels with `json` and `logfmt`: `| json | retries > 3` lets no line pass that has no
//! label `retries`, so that its text must have these letters. Where a name has a `_` in it, there may be anything else in
//! the line.

use crate::logql::ast::{FilterText, LabelFilter, LabelMatcher, LineFilterOp, MatchOp, Stage};
use crate::logql::pipeline::{ERROR_DETAILS_LABEL, ERROR_LABEL, LEVEL_LABEL};
use crate::logql::stages::ip;
use crate::logql::stages::{EXTRACTED_SUFFIX, pattern_literals};
use crate::model::LineFilter;

/// Shorter texts are in nearly every line.
const TEXT_BYTES_MIN: usize = 3;
const ESCAPE: &[u8] = b"\\";

/// A condition that every line satisfies that passes some stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// The hint is worth nothing where an entry may come with one of these labels.
    pub(super) labels: Vec<String>,
    pub(super) filter: LineFilter,
}

/// What a line has in it that passes a filter which the database does not know.
pub(super) fn of_line_filter(stage: &Stage) -> Vec<LineFilter> {
    let Stage::LineFilter(filter) = stage else { return Vec::new() };
    match (filter.op, filter.alternatives.as_slice()) {
        (LineFilterOp::Pattern, [FilterText::Text(text)]) => {
            pattern_literals(text).into_iter().map(|literal| LineFilter::Contains(literal.into())).collect()
        }
        (LineFilterOp::Contains, alternatives) => {
            let text = |alternative: &FilterText| match alternative {
                FilterText::Text(text) => Some(text.clone().into_bytes()),
                FilterText::Ip(pattern) => Some(ip::text_in_all(pattern)?.into_bytes()),
            };
            let texts: Option<Vec<Vec<u8>>> = alternatives.iter().map(text).collect();
            texts.map(LineFilter::ContainsAny).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What a line has in it that passes the conditions on labels among `stages`.
pub(super) fn of_labels(stages: &[Stage]) -> Vec<Hint> {
    let mut hints = Vec::new();
    // Whether a label has the name that the line has for it.
    let mut are_names_of_line = true;
    for stage in stages {
        match stage {
            Stage::Json(extractions) | Stage::Logfmt { extractions, .. } => are_names_of_line &= extractions.is_empty(),
            Stage::Regexp(_) | Stage::Pattern(_) => are_names_of_line = false,
            Stage::LabelFilter(filter) => hints.extend(of_filter(filter, are_names_of_line)),
            Stage::Unwrap(unwrap) if are_names_of_line => hints.extend(of_name(&unwrap.name)),
            Stage::Unwrap(_) | Stage::LineFilter(_) | Stage::Drop(_) | Stage::Keep(_) => {}
            // What comes after these need not come from the line.
            Stage::LineFormat(_) | Stage::LabelFormat(_) | Stage::Unpack | Stage::Decolorize => break,
        }
    }
    hints
}

fn of_filter(filter: &LabelFilter, are_names_of_line: bool) -> Vec<Hint> {
    let name = |name: &str| if are_names_of_line { of_name(name) } else { None };
    match filter {
        LabelFilter::And(filters) => filters.iter().flat_map(|filter| of_filter(filter, are_names_of_line)).collect(),
        LabelFilter::Or(filters) => {
            let each = filters.iter().map(|filter| of_filter(filter, are_names_of_line).into_iter().next());
            each.collect::<Option<Vec<Hint>>>().and_then(either).into_iter().collect()
        }
        LabelFilter::Text(matcher) => of_value(matcher)
            .or_else(|| if accepts_empty(matcher) { None } else { name(&matcher.name) })
            .into_iter()
            .collect(),
        LabelFilter::Number { name: label, .. }
        | LabelFilter::Duration { name: label, .. }
        | LabelFilter::Bytes { name: label, .. } => name(label).into_iter().collect(),
        // A line that has an error passes.
        LabelFilter::Ip { .. } => Vec::new(),
    }
}

/// What holds where one of `hints` does.
fn either(hints: Vec<Hint>) -> Option<Hint> {
    let (mut labels, mut texts) = (Vec::new(), Vec::new());
    for hint in hints {
        labels.extend(hint.labels);
        let LineFilter::ContainsAny(any) = hint.filter else { return None };
        texts.extend(any);
    }
    texts.sort_unstable();
    texts.dedup();
    Some(Hint { labels, filter: LineFilter::ContainsAny(texts) })
}

/// Labels that are made of something else than the line's characters.
fn is_made_up(name: &str) -> bool {
    matches!(name, LEVEL_LABEL | ERROR_LABEL | ERROR_DETAILS_LABEL)
}

fn hint(name: &str, texts: impl IntoIterator<Item = String>) -> Option<Hint> {
    let mut texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    if is_made_up(name) || texts.iter().any(|text| text.len() < TEXT_BYTES_MIN) {
        return None;
    }
    texts.push(ESCAPE.to_vec());
    let labels = vec![name.to_owned(), key_of(name).to_owned()];
    Some(Hint { labels, filter: LineFilter::ContainsAny(texts) })
}

/// What the line has in it if a label has the value.
fn of_value(LabelMatcher { name, op, value }: &LabelMatcher) -> Option<Hint> {
    match op {
        MatchOp::Equal => hint(name, [longest(value, is_kept)]),
        MatchOp::Matches => {
            let values: Vec<&str> = value.split('|').collect();
            let is_plain =
                |value: &&str| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/:".contains(&byte));
            values.iter().all(is_plain).then(|| hint(name, values.into_iter().map(str::to_owned)))?
        }
        MatchOp::NotEqual | MatchOp::NotMatches => None,
    }
}

/// Whether no parser puts the character in the place of another: blanks stand for what is no text.
fn is_kept(c: char) -> bool {
    c != ' ' && c != char::REPLACEMENT_CHARACTER
}

/// What the line has in it if there is a label of this name.
fn of_name(name: &str) -> Option<Hint> {
    hint(name, [longest(key_of(name), |c| c.is_ascii_alphanumeric())])
}

/// What a label is called before it clashes with another.
fn key_of(name: &str) -> &str {
    name.strip_suffix(EXTRACTED_SUFFIX).unwrap_or(name)
}

/// Whether a label passes that is not there.
fn accepts_empty(matcher: &LabelMatcher) -> bool {
    match matcher.op {
        MatchOp::Equal => matcher.value.is_empty(),
        MatchOp::NotEqual => !matcher.value.is_empty(),
        // Most expressions that are used accept no empty text, but it takes the expression to know.
        MatchOp::Matches | MatchOp::NotMatches => true,
    }
}

/// The longest run of characters that `is_part` accepts.
fn longest(text: &str, is_part: impl Fn(char) -> bool) -> String {
    text.split(|c| !is_part(c)).max_by_key(|run| run.len()).unwrap_or_default().to_owned()
}
