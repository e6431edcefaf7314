//! The stages of a query, over one line after the other.
//!
//! A [`Pipeline`] takes an entry and answers the line, its labels and its number as the stages leave them, or nothing if
//! one drops the line. One module per family of stages; `labels` is what they work on, `wanted` what spares them work.
//!
//! Lines may hold any bytes. What a stage finds wrong with a line becomes an error among its labels, and the line goes
//! on. What is wrong with the query is told when the pipeline is built.

mod decolorize;
mod drop_keep;
mod format;
pub(super) mod ip;
mod json;
mod label_filter;
mod labels;
mod level;
mod line_filter;
mod logfmt;
pub mod outline;
mod pattern;
mod regexp;
mod template;
mod unpack;
mod unwrap;
pub mod values;
mod wanted;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::{self, Stage};
use crate::logql::pipeline::{Clock, Entry, LEVEL_LABEL, Needed, NeededLabels, Processed};
use crate::model::budget::Budget;
pub use json::for_each_leaf;
pub(in crate::logql) use labels::EXTRACTED_SUFFIX;
use labels::LabelSet;
pub use labels::{LineLabel, LineLabels};
pub use level::known as known_level;
pub use level::of as level_of;
pub use level::of_text as level_of_text;
pub use line_filter::LineFilters;
pub(in crate::logql) use pattern::literals as pattern_literals;
pub(in crate::logql) use template::expand;
use wanted::Wanted;
pub(in crate::logql) use wanted::looks_at;

/// The stages of a query with what they need between lines.
#[derive(Clone, Debug)]
pub struct Pipeline {
    steps: Vec<Step>,
    /// Which labels are answered, sorted, each once; `None` means all.
    answered: Option<Vec<String>>,
    labels: LabelSet,
    line: Line,
    formatter: format::Formatter,
    /// Room for the names of labels.
    name: String,
}

/// A stage, ready to run.
#[derive(Clone, Debug)]
enum Step {
    LineFilter(line_filter::LineFilter),
    Json(json::Json),
    JsonPaths(json::JsonPaths),
    Logfmt(logfmt::Logfmt),
    Regexp(Box<regexp::Regexp>),
    Pattern(pattern::Pattern),
    Unpack(unpack::Unpack),
    LabelFilter(label_filter::LabelFilter),
    LineFormat(template::Template),
    LabelFormat(Vec<format::Assignment>),
    Decolorize,
    Drop(Vec<drop_keep::Target>),
    Keep(Vec<drop_keep::Target>),
    Unwrap(ast::Unwrap),
    /// Adds the level of the entry, which no stage of the query asks for in so many words.
    Level,
}

/// The line on its way: the entry's own, until a stage replaces it.
#[derive(Clone, Debug, Default)]
struct Line {
    is_replaced: bool,
    replacement: Vec<u8>,
    /// Room for the next replacement.
    next: Vec<u8>,
}

impl Line {
    fn get<'a>(&'a self, entry: &Entry<'a>) -> &'a [u8] {
        if self.is_replaced { &self.replacement } else { entry.line }
    }

    /// Makes what was written to `next` the line.
    fn replace(&mut self) {
        std::mem::swap(&mut self.replacement, &mut self.next);
        self.is_replaced = true;
    }
}

impl Pipeline {
    /// Builds the stages of a query.
    ///
    /// # Errors
    ///
    /// [`Error`] if a stage cannot be built; its message is for whoever wrote the query.
    pub fn new(stages: &[Stage], needed: &Needed, clock: &Clock) -> Result<Self, Error> {
        let wanted = wanted_after(stages, &needed.labels);
        let is_level_named = match &needed.labels {
            NeededLabels::All => false,
            NeededLabels::Only(names) => names.iter().any(|name| name == LEVEL_LABEL),
        };
        let is_level_looked_at = stages.iter().any(|stage| wanted::looks_at(stage, LEVEL_LABEL));
        // The level is added as late as possible: fewer lines are left then.
        let mut has_level = !(needed.level || is_level_named || is_level_looked_at);
        let mut steps = Vec::with_capacity(stages.len() + 1);
        for (stage, wanted) in stages.iter().zip(wanted) {
            if !has_level && wanted::touches(stage, LEVEL_LABEL) {
                steps.push(Step::Level);
                has_level = true;
            }
            steps.push(Step::new(stage, wanted)?);
        }
        if !has_level {
            steps.push(Step::Level);
        }
        let answered = match &needed.labels {
            NeededLabels::All => None,
            NeededLabels::Only(names) => Some(BTreeSet::from_iter(names).into_iter().cloned().collect()),
        };
        Ok(Self {
            steps,
            answered,
            labels: LabelSet::default(),
            line: Line::default(),
            formatter: format::Formatter::new(clock),
            name: String::new(),
        })
    }

    /// Makes templates fail once `budget` is cancelled; whoever has the budget tells why.
    pub fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.formatter.set_budget(budget);
    }

    /// Whether the level of entries is looked at.
    pub(in crate::logql) fn has_level(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Level))
    }

    /// Whether a stage may put another line in place of an entry's own.
    pub(in crate::logql) fn replaces_line(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::LineFormat(_) | Step::Unpack(_) | Step::Decolorize))
    }

    /// Runs the stages over an entry; `None` if one of them drops it.
    pub fn process<'a>(&'a mut self, entry: &Entry<'a>) -> Option<Processed<'a>> {
        self.labels.begin(entry);
        self.formatter.begin();
        self.line.is_replaced = false;
        let mut number = None;
        let labels = &mut self.labels;
        for step in &mut self.steps {
            let line = self.line.get(entry);
            match step {
                Step::LineFilter(filter) if !filter.keeps(line) => return None,
                Step::LabelFilter(filter) if !filter.keeps(labels) => return None,
                Step::LineFilter(_) | Step::LabelFilter(_) => {}
                Step::Json(json) => json.run(line, labels, &mut self.name),
                Step::JsonPaths(json) => json.run(line, labels),
                Step::Logfmt(logfmt) => logfmt.run(line, labels, &mut self.name),
                Step::Regexp(regexp) => regexp.run(line, labels),
                Step::Pattern(pattern) => pattern.run(line, labels),
                Step::Drop(targets) => drop_keep::drop(targets, labels),
                Step::Keep(targets) => drop_keep::keep(targets, labels),
                Step::Level => level::add(entry, labels),
                Step::Unwrap(unwrap) => number = Some(unwrap::number(unwrap, labels)?),
                Step::LabelFormat(assignments) => {
                    self.formatter.labels(assignments, line, entry.timestamp, labels);
                }
                Step::LineFormat(template) => {
                    if let Some(text) = self.formatter.line(template, line, entry.timestamp, labels) {
                        self.line.next.clear();
                        self.line.next.extend_from_slice(text.as_bytes());
                        self.line.replace();
                    }
                }
                Step::Unpack(unpack) => {
                    let mut next = std::mem::take(&mut self.line.next);
                    next.clear();
                    let is_unpacked = unpack.run(self.line.get(entry), labels, &mut next);
                    self.line.next = next;
                    if is_unpacked {
                        self.line.replace();
                    }
                }
                Step::Decolorize => {
                    let mut next = std::mem::take(&mut self.line.next);
                    next.clear();
                    decolorize::decolorize(self.line.get(entry), &mut next);
                    self.line.next = next;
                    self.line.replace();
                }
            }
        }
        let labels = match &self.answered {
            None => self.labels.finish(),
            Some(names) => self.labels.finish_with(names),
        };
        Some(Processed { line: self.line.get(entry), labels, value: number })
    }
}

/// What is looked at after each of `stages`; shared by those between which nothing is added.
fn wanted_after(stages: &[Stage], needed: &NeededLabels) -> Vec<Arc<Wanted>> {
    let mut wanted = Arc::new(Wanted::of(needed));
    let mut after = Vec::with_capacity(stages.len());
    for stage in stages.iter().rev() {
        after.push(Arc::clone(&wanted));
        if !wanted.has_all_of(stage) {
            Arc::make_mut(&mut wanted).add_stage(stage);
        }
    }
    after.reverse();
    after
}

impl Step {
    fn new(stage: &Stage, wanted: Arc<Wanted>) -> Result<Self, Error> {
        Ok(match stage {
            Stage::LineFilter(filter) => Self::LineFilter(line_filter::LineFilter::new(filter)?),
            Stage::Json(extractions) if extractions.is_empty() => Self::Json(json::Json::new(wanted)),
            Stage::Json(extractions) => Self::JsonPaths(json::JsonPaths::new(extractions, wanted)?),
            Stage::Logfmt { strict, keep_empty, extractions } => {
                let options = logfmt::Options { is_strict: *strict, keeps_empty: *keep_empty };
                Self::Logfmt(logfmt::Logfmt::new(options, extractions, wanted)?)
            }
            Stage::Regexp(text) => Self::Regexp(Box::new(regexp::Regexp::new(text, wanted)?)),
            Stage::Pattern(text) => Self::Pattern(pattern::Pattern::new(text, wanted)?),
            Stage::Unpack => Self::Unpack(unpack::Unpack::new(wanted)),
            Stage::LabelFilter(filter) => Self::LabelFilter(label_filter::LabelFilter::new(filter)?),
            Stage::LineFormat(text) => Self::LineFormat(format::line_template(text)?),
            Stage::LabelFormat(formats) => Self::LabelFormat(format::assignments(formats)?),
            Stage::Decolorize => Self::Decolorize,
            Stage::Drop(targets) => Self::Drop(drop_keep::targets(targets)?),
            Stage::Keep(targets) => Self::Keep(drop_keep::targets(targets)?),
            Stage::Unwrap(unwrap) => Self::Unwrap(unwrap.clone()),
        })
    }
}
