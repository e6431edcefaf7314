//! Which labels somebody looks at after a parser, so that it need not look for others.
//!
//! This is observable, and meant to be: a parser that nobody needs does not run, so its errors do not exist, and one that
//! has found all that is needed stops before what may be wrong further on.

use crate::logql::ast::{LabelFilter, LabelFormat, LabelTarget, Stage};
use crate::logql::pipeline::{ERROR_DETAILS_LABEL, ERROR_LABEL, NeededLabels};
use crate::logql::stages::labels::EXTRACTED_SUFFIX;
use crate::logql::stages::template::Template;

/// The labels that are looked at later on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Any label.
    All,
    /// These names, sorted, each once.
    Only(Vec<String>),
}

impl Wanted {
    /// What is needed after the last stage.
    pub(super) fn of(needed: &NeededLabels) -> Self {
        let mut wanted = Self::Only(Vec::new());
        match needed {
            NeededLabels::All => wanted = Self::All,
            NeededLabels::Only(names) => names.iter().for_each(|name| wanted.add(name)),
        }
        wanted
    }

    /// Whether label `name` is looked at.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|wanted| wanted == name),
        }
    }

    /// How many labels are looked at; `None` for all.
    pub(super) fn count(&self) -> Option<usize> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(names.len()),
        }
    }

    /// Whether what a parser finds under `name` is looked at: under this name, or the one it has after a clash.
    pub(super) fn has_extracted(&self, name: &str) -> bool {
        let is_suffixed = |wanted: &String| wanted.strip_suffix(EXTRACTED_SUFFIX) == Some(name);
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|wanted| wanted == name || is_suffixed(wanted)),
        }
    }

    /// Whether a label is looked at whose name begins with `path` and an underscore.
    pub(super) fn may_begin_with(&self, path: &str) -> bool {
        let continues = |name: &String| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('_'));
        match self {
            Self::All => true,
            Self::Only(names) => path.is_empty() || names.iter().any(continues),
        }
    }

    /// Adds a name. Whether a line has an error shows only at its end, so that asking for errors asks for everything.
    fn add(&mut self, name: &str) {
        if matches!(name, ERROR_LABEL | ERROR_DETAILS_LABEL) {
            *self = Self::All;
        }
        if let Self::Only(names) = self
            && let Err(index) = names.binary_search_by(|present| present.as_str().cmp(name))
        {
            names.insert(index, name.to_owned());
        }
    }

    /// Whether all that `stage` looks at is looked at later on, too.
    pub(super) fn has_all_of(&self, stage: &Stage) -> bool {
        let mut has_all = true;
        for_each_name(stage, &mut |name| has_all &= name.map_or(*self == Self::All, |name| self.has(name)));
        has_all
    }

    /// Adds what `stage` looks at.
    pub(super) fn add_stage(&mut self, stage: &Stage) {
        for_each_name(stage, &mut |name| match name {
            Some(name) => self.add(name),
            None => *self = Self::All,
        });
    }
}

/// Whether `stage` looks at the value of label `name`.
pub(in crate::logql) fn looks_at(stage: &Stage, name: &str) -> bool {
    let mut is_looked_at = false;
    for_each_name(stage, &mut |looked_at| is_looked_at |= looked_at.is_none_or(|looked_at| looked_at == name));
    is_looked_at
}

/// Whether `stage` looks at label `name`, sets it or may remove it.
pub(super) fn touches(stage: &Stage, name: &str) -> bool {
    let is_changed = match stage {
        Stage::Keep(_) => true,
        Stage::Drop(targets) => targets.iter().any(|target| target.name() == name),
        Stage::LabelFormat(formats) => formats.iter().any(|format| match format {
            LabelFormat::Rename { to: target, .. } | LabelFormat::Template { name: target, .. } => target == name,
        }),
        _ => false,
    };
    is_changed || looks_at(stage, name)
}

/// Calls `visit` with each label that `stage` looks at, or with `None` if it may look at any.
fn for_each_name(stage: &Stage, visit: &mut dyn FnMut(Option<&str>)) {
    match stage {
        Stage::LabelFilter(filter) => for_each_in_filter(filter, visit),
        Stage::LineFormat(template) => for_each_in_template(template, visit),
        Stage::LabelFormat(formats) => formats.iter().for_each(|format| match format {
            LabelFormat::Rename { from, .. } => visit(Some(from)),
            LabelFormat::Template { template, .. } => for_each_in_template(template, visit),
        }),
        Stage::Drop(targets) | Stage::Keep(targets) => {
            let is_compared = |target: &&LabelTarget| matches!(target, LabelTarget::Matcher(_));
            targets.iter().filter(is_compared).for_each(|target| visit(Some(target.name())));
        }
        Stage::Unwrap(unwrap) => visit(Some(&unwrap.name)),
        Stage::LineFilter(_)
        | Stage::Json(_)
        | Stage::Logfmt { .. }
        | Stage::Regexp(_)
        | Stage::Pattern(_)
        | Stage::Unpack
        | Stage::Decolorize => {}
    }
}

fn for_each_in_filter(filter: &LabelFilter, visit: &mut dyn FnMut(Option<&str>)) {
    match filter {
        LabelFilter::And(filters) | LabelFilter::Or(filters) => {
            for filter in filters {
                for_each_in_filter(filter, visit);
            }
        }
        LabelFilter::Text(matcher) => visit(Some(&matcher.name)),
        LabelFilter::Number { name, .. }
        | LabelFilter::Duration { name, .. }
        | LabelFilter::Bytes { name, .. }
        | LabelFilter::Ip { name, .. } => visit(Some(name)),
    }
}

fn for_each_in_template(text: &str, visit: &mut dyn FnMut(Option<&str>)) {
    // One that cannot be parsed is refused when its stage is built.
    match Template::parse("", text).ok().and_then(|template| template.fields()) {
        Some(fields) => fields.iter().for_each(|name| visit(Some(name))),
        None => visit(None),
    }
}
