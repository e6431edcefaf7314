//! Patterns: literal text with placeholders `<name>` or `<_>`, as a parser (`| pattern`) and as a line filter (`|>`).
//!
//! Both go from left to right and never back: each literal counts where it is found first.

use std::sync::Arc;

use memchr::memmem::Finder;

use crate::logql::Error;
use crate::logql::stages::labels::LabelSet;
use crate::logql::stages::values;
use crate::logql::stages::wanted::Wanted;
use crate::model;

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Literal(&'a str),
    /// The name, `_` if what is there does not matter.
    Placeholder(&'a str),
}

/// The parts of a pattern; no two literals follow each other.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut literal_start = 0;
    let mut at = 0;
    while let Some(offset) = text[at..].find('<') {
        let open = at + offset;
        at = open + 1;
        let Some(length) = text[at..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) else { break };
        let name = &text[at..at + length];
        if text[at + length..].starts_with('>') && model::is_label_name(name) {
            parts.extend(Some(&text[literal_start..open]).filter(|literal| !literal.is_empty()).map(Part::Literal));
            parts.push(Part::Placeholder(name));
            at += length + 1;
            literal_start = at;
        }
    }
    parts.extend(Some(&text[literal_start..]).filter(|literal| !literal.is_empty()).map(Part::Literal));
    parts
}

/// The literals of a pattern, in their order.
pub(in crate::logql) fn literals(text: &str) -> Vec<&str> {
    let literal = |part| if let Part::Literal(text) = part { Some(text) } else { None };
    parts(text).into_iter().filter_map(literal).collect()
}

/// Refuses placeholders without a literal between them: where the one ends and the other starts is anybody's guess.
fn refuse_neighbours(parts: &[Part<'_>]) -> Result<(), String> {
    for pair in parts.windows(2) {
        if let [Part::Placeholder(left), Part::Placeholder(right)] = pair {
            return Err(format!("found consecutive capture '<{left}><{right}>': invalid expression"));
        }
    }
    Ok(())
}

/// `| pattern`.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// What the line has to start with.
    pub(super) prefix: Box<[u8]>,
    /// Each placeholder's name, and what follows it; nothing follows the last one of some patterns.
    pub(super) captures: Vec<(String, Option<Finder<'static>>)>,
    pub(super) wanted: Arc<Wanted>,
}

impl Pattern {
    /// # Errors
    ///
    /// [`Error::Syntax`] if nothing is captured, something is captured twice, or captures follow each other directly.
    pub(super) fn new(text: &str, wanted: Arc<Wanted>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::meaning(format!("invalid pattern parser: {reason}"));
        let parts = parts(text);
        refuse_neighbours(&parts).map_err(refuse)?;
        let mut prefix = "";
        let mut captures: Vec<(String, Option<Finder<'static>>)> = Vec::new();
        for part in &parts {
            match (part, captures.last_mut()) {
                (Part::Literal(text), None) => prefix = text,
                (Part::Literal(text), Some((_, follower))) => {
                    *follower = Some(Finder::new(text.as_bytes()).into_owned());
                }
                (Part::Placeholder(name), _) => {
                    if *name != "_" && captures.iter().any(|(taken, _)| taken == name) {
                        return Err(refuse(format!("duplicate capture name ({name}): invalid expression")));
                    }
                    captures.push(((*name).to_owned(), None));
                }
            }
        }
        if captures.iter().all(|(name, _)| name == "_") {
            return Err(refuse("at least one capture is required".to_owned()));
        }
        Ok(Self { prefix: prefix.as_bytes().into(), captures, wanted })
    }

    /// Adds the labels of `line`; an empty one has none.
    pub(super) fn run(&self, line: &[u8], labels: &mut LabelSet) {
        let Some(mut rest) = line.strip_prefix(&*self.prefix).filter(|_| !line.is_empty()) else { return };
        let mut sink = labels.sink(&self.wanted);
        for (name, follower) in &self.captures {
            if sink.is_done() {
                return;
            }
            let end = follower.as_ref().and_then(|literal| Some((literal.find(rest)?, literal.needle().len())));
            let value = end.map_or(rest, |(end, _)| &rest[..end]);
            if name != "_" {
                sink.put(name, |out| values::push_lossy(out, value));
            }
            let Some((end, literal_bytes)) = end else { return };
            rest = &rest[end + literal_bytes..];
        }
    }
}

/// The pattern of `|>` and `!>`: has to fit the whole line, but for what precedes a leading literal.
#[derive(Clone, Debug)]
pub(super) struct LinePattern {
    literals: Vec<Finder<'static>>,
    starts_with_literal: bool,
    ends_with_literal: bool,
}

impl LinePattern {
    /// # Errors
    ///
    /// [`Error::Stage`] if a placeholder has a name, or placeholders follow each other directly.
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        let parts = parts(text);
        refuse_neighbours(&parts).map_err(Error::stage)?;
        let mut literals = Vec::new();
        for part in &parts {
            match part {
                Part::Literal(text) => literals.push(Finder::new(text.as_bytes()).into_owned()),
                Part::Placeholder("_") => {}
                Part::Placeholder(name) => {
                    return Err(Error::stage(format!("named captures are not allowed: found '<{name}>'")));
                }
            }
        }
        Ok(Self {
            literals,
            starts_with_literal: matches!(parts.first(), Some(Part::Literal(_)) | None),
            ends_with_literal: matches!(parts.last(), Some(Part::Literal(_)) | None),
        })
    }

    /// Whether `line` has the literals in their order, and something for each placeholder.
    pub(super) fn is_match(&self, line: &[u8]) -> bool {
        let mut rest = line;
        for (index, literal) in self.literals.iter().enumerate() {
            let follows_placeholder = index != 0 || !self.starts_with_literal;
            match literal.find(rest) {
                Some(0) if follows_placeholder => return false,
                Some(start) => rest = &rest[start + literal.needle().len()..],
                None => return false,
            }
        }
        rest.is_empty() == self.ends_with_literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(pattern: &str, expected: &str) {
        let error = Pattern::new(pattern, Arc::new(Wanted::All)).unwrap_err();
        assert_eq!(error.to_string(), format!("parse error : invalid pattern parser: {expected}"));
    }

    #[track_caller]
    fn check_filter(pattern: &str, fits: &[&str], does_not_fit: &[&str]) {
        let filter = LinePattern::new(pattern).unwrap();
        for line in fits {
            assert!(filter.is_match(line.as_bytes()), "{pattern} fits {line}");
        }
        for line in does_not_fit {
            assert!(!filter.is_match(line.as_bytes()), "{pattern} does not fit {line}");
        }
    }

    #[test]
    fn parts_are_literals_and_placeholders() {
        use Part::{Literal, Placeholder};
        assert_eq!(parts("<a> <_>x"), [Placeholder("a"), Literal(" "), Placeholder("_"), Literal("x")]);
        assert_eq!(parts("<<a>"), [Literal("<"), Placeholder("a")]);
        assert_eq!(parts("a<1b><b c><>é<"), [Literal("a<1b><b c><>é<")]);
        assert_eq!(parts(""), []);
    }

    #[test]
    fn a_pattern_that_is_ambiguous_or_captures_nothing_is_refused() {
        check_refused("x", "at least one capture is required");
        check_refused("<_>", "at least one capture is required");
        check_refused("<f>f<f><_>", "found consecutive capture '<f><_>': invalid expression");
        check_refused("<f> f<f>", "duplicate capture name (f): invalid expression");
        let error = LinePattern::new("a <b>").unwrap_err().to_string();
        assert_eq!(error, "named captures are not allowed: found '<b>'");
    }

    #[test]
    fn a_filter_wants_something_for_each_placeholder() {
        check_filter("a <_> c", &["a b c", "xa b c"], &["a  c", "a b cd", "a c", ""]);
        check_filter("<_>b<_>", &["abc"], &["bc", "ab", "b"]);
        check_filter("<_>", &["a"], &[""]);
        check_filter("", &[""], &["a"]);
    }
}
