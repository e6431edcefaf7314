//! What an entry counts, and for which series.

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::{LabelTarget, Stage};
use crate::logql::eval::range::Context;
use crate::logql::eval::series::{Key, Projection, Registry, SeriesId, SeriesLabels};
use crate::logql::pipeline::{ERROR_LABEL, Entry, Needed, NeededLabels, Processed};
use crate::logql::stages::outline::Reads;
use crate::logql::stages::{Pipeline, level_of};
use crate::model::Labels;
use crate::model::budget::Budget;

/// What an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Itself.
    One,
    /// The bytes of its line.
    LineBytes,
    /// What `unwrap` took.
    Value,
}

/// Tells of each entry which series it belongs to and what it counts there.
#[derive(Debug)]
pub(super) struct Meter {
    pipeline: Pipeline,
    /// The pipeline changes nothing that is measured.
    is_pipeline_idle: bool,
    /// What becomes of a line depends on the labels of its stream and on its level alone.
    is_line_ignored: bool,
    measure: Measure,
    projection: Projection,
    /// Whether lines with an error are lines like others.
    keeps_errors: bool,
    pub(super) registry: Registry,
    key: Key,
    /// The series of the last line, where its stream's labels are all there is.
    last: Option<(Labels, SeriesId)>,
    /// A stream, and by level the series of its lines; `None` for those that are filtered out.
    by_level: (Option<Labels>, Vec<(String, Option<SeriesId>)>),
}

impl Meter {
    pub(super) fn new(
        stages: &[Stage],
        measure: Measure,
        projection: Projection,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        let labels = match projection.kept_names() {
            Some(names) => NeededLabels::Only(names.to_vec()),
            None => NeededLabels::All,
        };
        let needed = Needed { labels, level: context.needs_level };
        let kept_names = projection.kept_names();
        let keeps_errors = kept_names.is_some_and(|names| names.iter().any(|name| name == ERROR_LABEL));
        let is_any_label_kept = kept_names.is_none_or(|names| !names.is_empty());
        let is_idle = stages.is_empty() || !is_any_label_kept && stages.iter().all(makes_only_labels);
        let is_line_ignored = stages.iter().all(looks_at_labels_only) && measure != Measure::Value;
        Ok(Self {
            is_line_ignored,
            by_level: (None, Vec::new()),
            pipeline: Pipeline::new(stages, &needed, context.clock)?,
            is_pipeline_idle: is_idle && measure != Measure::Value && !needed.level,
            measure,
            projection,
            keeps_errors,
            registry: Registry::default(),
            key: Key::default(),
            last: None,
        })
    }

    /// Takes the memory for series from `budget`, and ends where that is cancelled. To be called before anything is
    /// measured.
    pub(super) fn set_budget(&mut self, budget: &Arc<Budget>) {
        self.registry = Registry::within(Arc::clone(budget));
        self.pipeline.set_budget(budget);
    }

    /// What decides of an entry without metadata which series it belongs to and what it counts there, beside its length;
    /// `None` where nothing less than its line does.
    pub(super) fn reads(&self) -> Option<Reads> {
        if self.is_pipeline_idle {
            return Some(Reads::NOTHING);
        }
        // The length is that of the line that the last stage leaves.
        let is_other_line = self.measure == Measure::LineBytes && self.pipeline.replaces_line();
        Reads::of(&self.pipeline).filter(|_| !is_other_line)
    }

    /// What an entry counts.
    pub(super) fn what(&self) -> Measure {
        self.measure
    }

    /// Another one, which has seen no series yet.
    pub(super) fn another(&self) -> Self {
        Self {
            pipeline: self.pipeline.clone(),
            projection: self.projection.clone(),
            registry: self.registry.another(),
            key: Key::default(),
            last: None,
            by_level: (None, Vec::new()),
            ..*self
        }
    }

    /// Whether each entry counts one for its stream, if it has no metadata.
    pub(super) fn counts_lines(&self) -> bool {
        self.is_pipeline_idle && self.measure == Measure::One
    }

    /// What so many lines of so many bytes count for their stream, if that can be told without a look at them.
    pub(super) fn measure_whole(&self, line_count: u64, byte_count: u64) -> Option<f64> {
        let count = if self.measure == Measure::LineBytes { byte_count } else { line_count };
        self.is_pipeline_idle.then(|| to_f64(count))
    }

    /// The series that an entry belongs to and what it counts there; `None` for one that is filtered out.
    pub(super) fn measure(&mut self, entry: &Entry<'_>) -> Result<Option<(SeriesId, f64)>, Error> {
        if self.is_pipeline_idle && entry.metadata.is_empty() {
            let value = match self.measure {
                Measure::LineBytes => length(entry.line),
                Measure::One | Measure::Value => 1.0,
            };
            return Ok(Some((self.stream_series(entry.labels)?, value)));
        }
        if !self.is_line_ignored || !entry.metadata.is_empty() {
            return self.process(entry);
        }
        let level = if self.pipeline.has_level() { level_of(entry) } else { "" };
        if self.by_level.0.as_ref() != Some(entry.labels) {
            self.by_level = (Some(entry.labels.clone()), Vec::new());
        }
        let series = if let Some((_, series)) = self.by_level.1.iter().find(|(known, _)| known == level) {
            *series
        } else {
            let series = self.process(entry)?.map(|(series, _)| series);
            self.by_level.1.push((level.to_owned(), series));
            series
        };
        let value = if self.measure == Measure::LineBytes { length(entry.line) } else { 1.0 };
        Ok(series.map(|series| (series, value)))
    }

    /// As [`Meter::measure`], by way of the stages.
    fn process(&mut self, entry: &Entry<'_>) -> Result<Option<(SeriesId, f64)>, Error> {
        let Some(processed) = self.pipeline.process(entry) else { return Ok(None) };
        if !self.keeps_errors
            && let Some(error) = processed.labels.get(ERROR_LABEL)
        {
            // A template fails where nobody waits for it any more.
            self.registry.budget().check()?;
            return Err(pipeline_error(error, &processed));
        }
        let labels = processed.labels.iter().map(|label| (label.name, label.value));
        self.projection.project(labels, &mut self.key);
        let value = match self.measure {
            Measure::One => 1.0,
            Measure::LineBytes => length(processed.line),
            Measure::Value => processed.value.expect("the pipeline has an unwrap stage"),
        };
        Ok(Some((self.registry.id(&self.key)?, value)))
    }

    /// The series of entries that have the labels of their stream and no others.
    pub(super) fn stream_series(&mut self, labels: &Labels) -> Result<SeriesId, Error> {
        if let Some((last, series)) = &self.last
            && last == labels
        {
            return Ok(*series);
        }
        self.projection.project(labels.iter(), &mut self.key);
        let series = self.registry.id(&self.key)?;
        self.last = Some((labels.clone(), series));
        Ok(series)
    }
}

/// Whether the stage looks at labels alone and makes none of the line.
fn looks_at_labels_only(stage: &Stage) -> bool {
    matches!(stage, Stage::LabelFilter(_) | Stage::Drop(_) | Stage::Keep(_))
}

/// Whether the stage does nothing where nobody asks for a label: it keeps every line as it is, and a parser that nobody
/// asks does not run.
fn makes_only_labels(stage: &Stage) -> bool {
    let is_name = |target: &LabelTarget| matches!(target, LabelTarget::Name(_));
    match stage {
        Stage::Json(_) | Stage::Logfmt { .. } | Stage::Regexp(_) | Stage::Pattern(_) => true,
        Stage::Drop(targets) | Stage::Keep(targets) => targets.iter().all(is_name),
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 bytes of logs on one machine")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}

fn length(line: &[u8]) -> f64 {
    to_f64(line.len() as u64)
}

fn pipeline_error(error: &str, processed: &Processed<'_>) -> Error {
    let labels = SeriesLabels::from_sorted(processed.labels.iter().map(|label| (label.name, label.value)));
    Error::Pipeline { error: error.to_owned(), series: labels.to_string() }
}
