//! `label_replace`: sets a label of a series from another by a regular expression.

use std::collections::HashMap;

use crate::logql::ast::LabelReplace;
use crate::logql::eval::series::{Registry, SeriesId, SeriesLabels};
use crate::logql::{Error, regexp};

/// A `label_replace`, and what it has made of each series.
#[derive(Debug)]
pub(super) struct Replacer {
    regex: regex::Regex,
    destination: String,
    replacement: String,
    source: String,
    replaced: HashMap<SeriesId, SeriesId>,
}

impl Replacer {
    pub(super) fn new(replace: &LabelReplace) -> Result<Self, Error> {
        Ok(Self {
            regex: regexp::for_labels(&replace.regex)?,
            destination: replace.destination.clone(),
            replacement: replace.replacement.clone(),
            source: replace.source.clone(),
            replaced: HashMap::new(),
        })
    }

    /// The series that takes the place of `series`.
    pub(super) fn series(&mut self, series: SeriesId, registry: &mut Registry) -> Result<SeriesId, Error> {
        if let Some(replaced) = self.replaced.get(&series) {
            return Ok(*replaced);
        }
        let replaced = match self.labels(registry.labels(series)) {
            Some(labels) => registry.id_of(&labels)?,
            None => series,
        };
        self.replaced.insert(series, replaced);
        Ok(replaced)
    }

    /// What becomes of labels; `None` if they stay as they are.
    fn labels(&self, labels: &SeriesLabels) -> Option<SeriesLabels> {
        let captures = self.regex.captures(labels.get(&self.source).unwrap_or_default())?;
        let mut value = String::new();
        captures.expand(&self.replacement, &mut value);
        let mut pairs: Vec<(&str, &str)> = labels.iter().filter(|(name, _)| *name != self.destination).collect();
        if !value.is_empty() {
            pairs.push((&self.destination, &value));
        }
        pairs.sort_unstable();
        Some(SeriesLabels::from_sorted(pairs))
    }
}
