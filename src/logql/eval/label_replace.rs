//! `label_replace`: sets a label of a series from another by a regular expression.

use std::collections::HashMap;

use crate::logql::ast::LabelReplace;
use crate::logql::eval::series::{Registry, SeriesId, SeriesLabels};
use crate::logql::{Error, regexp};
use crate::model::budget::Budget;

/// How often labels are in memory while they are put together: as a value, as a key that grows by doubling, and as
/// labels.
const COPIES: usize = 4;

/// A `label_replace`, and what it has made of each series.
#[derive(Debug)]
pub(super) struct Replacer {
    regex: regex::Regex,
    destination: String,
    replacement: String,
    source: String,
    /// How many groups the replacement may refer to.
    reference_count: usize,
    replaced: HashMap<SeriesId, SeriesId>,
}

impl Replacer {
    pub(super) fn new(replace: &LabelReplace) -> Result<Self, Error> {
        Ok(Self {
            regex: regexp::for_labels(&replace.regex)?,
            destination: replace.destination.clone(),
            replacement: replace.replacement.clone(),
            source: replace.source.clone(),
            reference_count: memchr::memchr_iter(b'$', replace.replacement.as_bytes()).count(),
            replaced: HashMap::new(),
        })
    }

    /// The series that takes the place of `series`.
    pub(super) fn series(&mut self, series: SeriesId, registry: &mut Registry) -> Result<SeriesId, Error> {
        if let Some(replaced) = self.replaced.get(&series) {
            return Ok(*replaced);
        }
        let replaced = match self.labels(registry.labels(series), registry.budget())? {
            Some(labels) => registry.id_of(&labels)?,
            None => series,
        };
        self.replaced.insert(series, replaced);
        Ok(replaced)
    }

    /// What becomes of labels; `None` if they stay as they are.
    fn labels(&self, labels: &SeriesLabels, budget: &Budget) -> Result<Option<SeriesLabels>, Error> {
        let source = labels.get(&self.source).unwrap_or_default();
        let Some(captures) = self.regex.captures(source) else { return Ok(None) };
        // A group is the whole source at most.
        let value_bytes_max = self.replacement.len().saturating_add(self.reference_count.saturating_mul(source.len()));
        let bytes = value_bytes_max.saturating_add(labels.byte_count()).saturating_mul(COPIES);
        budget.take(bytes)?;
        let mut value = String::new();
        captures.expand(&self.replacement, &mut value);
        let mut pairs: Vec<(&str, &str)> = labels.iter().filter(|(name, _)| *name != self.destination).collect();
        if !value.is_empty() {
            pairs.push((&self.destination, &value));
        }
        pairs.sort_unstable();
        let replaced = SeriesLabels::from_sorted(pairs);
        budget.give_back(bytes);
        Ok(Some(replaced))
    }
}
