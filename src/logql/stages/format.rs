//! `| line_format "…"` and `| label_format a=b, c="…"`.

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::LabelFormat;
use crate::logql::pipeline::{Clock, ERROR_DETAILS_LABEL, ERROR_LABEL};
use crate::logql::stages::labels::{ErrorKind, LabelSet, Snapshot};
use crate::logql::stages::template::{Allowance, RegexCache, Scope, Template};
use crate::model::Timestamp;
use crate::model::budget::Budget;

/// What templates need beside the labels and the line, and what they keep from line to line.
#[derive(Clone, Debug)]
pub(super) struct Formatter {
    clock: Clock,
    regexes: RegexCache,
    allowance: Allowance,
    snapshot: Snapshot,
    output: String,
}

/// An assignment of `label_format`.
#[derive(Clone, Debug)]
pub(super) enum Assignment {
    Rename { to: String, from: String },
    Template { name: String, template: Template },
}

/// The template of `line_format`.
///
/// # Errors
///
/// [`Error::Stage`] if `text` is no template.
pub(super) fn line_template(text: &str) -> Result<Template, Error> {
    Template::parse("line", text)
}

/// The assignments of `label_format`.
///
/// # Errors
///
/// [`Error::Stage`] if a label is set twice, an error is set, or a template is none.
pub(super) fn assignments(formats: &[LabelFormat]) -> Result<Vec<Assignment>, Error> {
    let mut targets: Vec<&str> = Vec::new();
    let mut assignments = Vec::new();
    for format in formats {
        let (LabelFormat::Rename { to: target, .. } | LabelFormat::Template { name: target, .. }) = format;
        if matches!(target.as_str(), ERROR_LABEL | ERROR_DETAILS_LABEL) {
            return Err(Error::stage(format!("{target} cannot be formatted")));
        }
        if targets.contains(&target.as_str()) {
            let message = format!("multiple label name '{target}' not allowed in a single format operation");
            return Err(Error::stage(message));
        }
        targets.push(target);
        assignments.push(match format {
            LabelFormat::Rename { to, from } => Assignment::Rename { to: to.clone(), from: from.clone() },
            LabelFormat::Template { name, template } => {
                Assignment::Template { name: name.clone(), template: Template::parse("label", template)? }
            }
        });
    }
    Ok(assignments)
}

impl Formatter {
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            regexes: RegexCache::default(),
            allowance: Allowance::default(),
            snapshot: Snapshot::default(),
            output: String::new(),
        }
    }

    /// Makes templates fail once `budget` is cancelled.
    pub(super) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.allowance.set_budget(budget);
    }

    /// Begins with another line.
    pub(super) fn begin(&mut self) {
        self.allowance.begin();
    }

    /// The text that takes the place of `line`; `None` if the template fails, which is noted as an error.
    pub(super) fn line(
        &mut self,
        template: &Template,
        line: &[u8],
        timestamp: Timestamp,
        labels: &mut LabelSet,
    ) -> Option<&str> {
        labels.save(&mut self.snapshot);
        self.execute(template, line, timestamp, labels).then_some(self.output.as_str())
    }

    /// Carries out `assignments` in their order. Their templates see the labels as the first of them does.
    pub(super) fn labels(
        &mut self,
        assignments: &[Assignment],
        line: &[u8],
        timestamp: Timestamp,
        labels: &mut LabelSet,
    ) {
        let mut is_saved = false;
        for assignment in assignments {
            match assignment {
                Assignment::Rename { to, from } => labels.rename(from, to),
                Assignment::Template { name, template } => {
                    if !is_saved {
                        labels.save(&mut self.snapshot);
                        is_saved = true;
                    }
                    if self.execute(template, line, timestamp, labels) {
                        labels.set(name, &self.output);
                    }
                }
            }
        }
    }

    /// Writes the template's output to `output`, or notes why there is none.
    fn execute(&mut self, template: &Template, line: &[u8], timestamp: Timestamp, labels: &mut LabelSet) -> bool {
        self.output.clear();
        let scope = Scope { labels, snapshot: &self.snapshot, line, timestamp, clock: &self.clock };
        match template.execute(scope, &mut self.regexes, &mut self.allowance, &mut self.output) {
            Ok(()) => true,
            Err(reason) => {
                labels.set_error(ErrorKind::TemplateFormat, &reason);
                false
            }
        }
    }
}
