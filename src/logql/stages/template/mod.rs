//! Templates of `line_format` and `label_format`: Go's `text/template` over the labels of a line.
//!
//! A label that is not there is an empty text. What a template may cost is bounded: its depth, the length of each text
//! that it makes, and by its [`Allowance`] how much it makes in all, be it kept or not.

mod allowance;
mod eval;
mod fields;
mod functions;
mod parser;
mod token;
mod value;

use crate::logql::Error;
use crate::logql::pipeline::Clock;
use crate::logql::stages::labels::{LabelSet, Snapshot};
use crate::model::Timestamp;
pub(super) use allowance::Allowance;
use functions::Context;
pub(super) use functions::RegexCache;

/// A template, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// What messages call it.
    name: &'static str,
    text: String,
    nodes: Vec<parser::Node>,
    /// Those that are defined in it.
    named: parser::Named,
}

/// What a template can see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The labels as they were when the snapshot was taken.
    pub(super) labels: &'a LabelSet,
    pub(super) snapshot: &'a Snapshot,
    pub(super) line: &'a [u8],
    pub(super) timestamp: Timestamp,
    pub(super) clock: &'a Clock,
}

impl Template {
    /// # Errors
    ///
    /// [`Error::Stage`] if `text` is no template.
    pub(super) fn parse(name: &'static str, text: &str) -> Result<Self, Error> {
        let (nodes, named) = parser::parse(text).map_err(|fault| {
            let (line, _) = position(text, fault.at);
            Error::stage(format!("invalid {name} template: template: {name}:{line}: {}", fault.message))
        })?;
        Ok(Self { name, text: text.to_owned(), nodes, named })
    }

    /// Appends the template's output, or says why there is none; then what `out` holds is of no use.
    pub(super) fn execute(
        &self,
        scope: Scope<'_>,
        regexes: &mut RegexCache,
        allowance: &mut Allowance,
        out: &mut String,
    ) -> Result<(), String> {
        let context = Context { scope, regexes, allowance };
        eval::execute(self, context, out).map_err(|failure| {
            let name = self.name;
            let (line, column) = position(&self.text, failure.at);
            let eval::Failure { operand, message, .. } = failure;
            format!("template: {name}:{line}:{column}: executing {name:?} at <{operand}>: {message}")
        })
    }

    /// The labels that the template looks at; `None` if it may look at any.
    pub(super) fn fields(&self) -> Option<Vec<String>> {
        fields::of(&self.nodes)
    }
}

/// The line, from 1, and the byte in it, from 0.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    (before.matches('\n').count() + 1, before.len() - line_start)
}
