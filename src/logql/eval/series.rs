//! Labels of series, and the numbers that stand for them while a query is evaluated.
//!
//! A series is known by an id. Its labels are kept once, as one run of bytes that is also its key: nothing is allocated
//! for a line whose series has been seen before. Other than streams, a series may have labels without a value.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::logql::ast::Grouping;
use crate::logql::{Error, limits};
use crate::model::budget::Budget;
use crate::model::write_labels;

/// Ends each name and each value: a byte that UTF-8 never uses.
const END: u8 = 0xff;

/// Labels of a series: each name once, sorted by name; values may be empty.
///
/// Cloning shares them. [`fmt::Display`] gives `{a="x", b="y"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeriesLabels(Arc<[u8]>);

impl SeriesLabels {
    /// The labels in `pairs`, which are sorted by name.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut key = Key::default();
        pairs.into_iter().for_each(|(name, value)| key.push(name, value));
        Self(key.0.into())
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts = self.0.split(|byte| *byte == END);
        std::iter::from_fn(move || {
            let (name, value) = (texts.next()?, texts.next()?);
            let text = |bytes| std::str::from_utf8(bytes).expect("made of text");
            Some((text(name), text(value)))
        })
    }

    /// How much memory the labels take, in bytes.
    pub(super) fn byte_count(&self) -> usize {
        self.0.len()
    }

    /// The value of label `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }
}

/// By the pairs: first the names, then the values.
impl Ord for SeriesLabels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for SeriesLabels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SeriesLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_labels(f, self.iter())
    }
}

/// The labels of a series while they are put together; to be used again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a label whose name comes after those there are.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(END);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(END);
    }
}

/// Stands for the labels of a series in one [`Registry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SeriesId(u32);

impl SeriesId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every series that has been seen, each once.
#[derive(Debug, Default)]
pub(super) struct Registry {
    ids: HashMap<SeriesLabels, SeriesId, foldhash::fast::RandomState>,
    labels: Vec<SeriesLabels>,
    budget: Arc<Budget>,
    /// What was taken of it.
    taken_bytes: usize,
}

/// What a series takes in memory beside its labels, in bytes: an id and a place for each of two handles to them.
const SERIES_COST_BYTES: usize = 128;

impl std::borrow::Borrow<[u8]> for SeriesLabels {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Registry {
    /// Takes the memory for labels from `budget`.
    pub(super) fn within(budget: Arc<Budget>) -> Self {
        Self { ids: HashMap::default(), labels: Vec::new(), budget, taken_bytes: 0 }
    }

    /// An empty one that takes its memory from the same budget.
    pub(super) fn another(&self) -> Self {
        Self::within(Arc::clone(&self.budget))
    }

    /// What the whole query takes its memory from.
    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The id of the series with the labels of `key`.
    pub(super) fn id(&mut self, key: &Key) -> Result<SeriesId, Error> {
        if let Some(id) = self.ids.get(key.0.as_slice()) {
            return Ok(*id);
        }
        self.insert(SeriesLabels(key.0.as_slice().into()))
    }

    /// The id of the series with these labels.
    pub(super) fn id_of(&mut self, labels: &SeriesLabels) -> Result<SeriesId, Error> {
        match self.ids.get(labels) {
            Some(id) => Ok(*id),
            None => self.insert(labels.clone()),
        }
    }

    fn insert(&mut self, labels: SeriesLabels) -> Result<SeriesId, Error> {
        if limits::SERIES_IN_MEMORY_MAX <= self.labels.len() {
            return Err(Error::TooManySeriesInMemory);
        }
        let bytes = SERIES_COST_BYTES + labels.byte_count();
        self.budget.take(bytes)?;
        self.taken_bytes += bytes;
        let id = SeriesId(u32::try_from(self.labels.len()).expect("bounded by SERIES_IN_MEMORY_MAX"));
        self.labels.push(labels.clone());
        self.ids.insert(labels, id);
        Ok(id)
    }

    /// The labels of a series of this registry.
    pub(super) fn labels(&self, id: SeriesId) -> &SeriesLabels {
        &self.labels[id.index()]
    }

    /// Every series, by id.
    pub(super) fn all(&self) -> &[SeriesLabels] {
        &self.labels
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.budget.give_back(self.taken_bytes);
    }
}

/// Which labels of a series tell it from others: these names, or all but these.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    without: bool,
    /// Sorted, each once.
    names: Vec<String>,
}

impl Projection {
    /// Every label.
    pub(super) fn all() -> Self {
        Self { without: true, names: Vec::new() }
    }

    fn is_all(&self) -> bool {
        self.without && self.names.is_empty()
    }

    /// Only `names` or, if `without`, all but `names`.
    pub(super) fn new(names: &[String], without: bool) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        Self { without, names }
    }

    /// As a grouping says; without one, no label at all.
    pub(super) fn of(grouping: Option<&Grouping>) -> Self {
        grouping.map_or_else(|| Self::new(&[], false), |grouping| Self::new(&grouping.labels, grouping.without))
    }

    /// The names to be kept, where it is they that are named.
    pub(super) fn kept_names(&self) -> Option<&[String]> {
        (!self.without).then_some(self.names.as_slice())
    }

    /// Keeps `name` out of what is kept because it is not named.
    pub(super) fn leave_out(&mut self, name: &str) {
        if self.without && !self.keeps_out(name) {
            self.names.push(name.to_owned());
            self.names.sort_unstable();
        }
    }

    fn keeps_out(&self, name: &str) -> bool {
        self.has(name) == self.without
    }

    fn has(&self, name: &str) -> bool {
        self.names.binary_search_by(|candidate| candidate.as_str().cmp(name)).is_ok()
    }

    /// Puts the labels that are kept of `labels`, which are sorted by name, into `key`.
    pub(super) fn project<'a>(&self, labels: impl IntoIterator<Item = (&'a str, &'a str)>, key: &mut Key) {
        key.clear();
        for (name, value) in labels {
            if !self.keeps_out(name) {
                key.push(name, value);
            }
        }
    }
}

/// What a [`Projection`] makes of the series of a registry, each computed once. A label without a value is one that a
/// series does not have, where labels are chosen at all.
#[derive(Debug)]
pub(super) struct Projected {
    projection: Projection,
    /// By series.
    ids: Vec<Option<SeriesId>>,
    key: Key,
}

impl Projected {
    pub(super) fn new(projection: Projection) -> Self {
        Self { projection, ids: Vec::new(), key: Key::default() }
    }

    /// The series that has only the labels of `series` that are kept.
    pub(super) fn id(&mut self, series: SeriesId, registry: &mut Registry) -> Result<SeriesId, Error> {
        if self.projection.is_all() {
            return Ok(series);
        }
        let index = series.index();
        if self.ids.len() <= index {
            self.ids.resize(index + 1, None);
        }
        if let Some(id) = self.ids[index] {
            return Ok(id);
        }
        let labels = registry.labels(series).iter().filter(|(_, value)| !value.is_empty());
        self.projection.project(labels, &mut self.key);
        let id = registry.id(&self.key)?;
        self.ids[index] = Some(id);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `labels`.
    #[track_caller]
    fn check(names: &[&str], without: bool, labels: &[(&str, &str)], expected: &str) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut registry = Registry::default();
        let series = registry.id_of(&SeriesLabels::from_sorted(labels.iter().copied())).unwrap();
        let mut projected = Projected::new(Projection::new(&names, without));
        let id = projected.id(series, &mut registry).unwrap();
        assert_eq!(registry.labels(id).to_string(), expected);
        assert_eq!(projected.id(series, &mut registry), Ok(id), "a second time");
    }

    #[test]
    fn labels_are_kept_by_name() {
        let labels = [("a", "1"), ("b", ""), ("c", "\"")];
        check(&["c", "a", "x"], false, &labels, r#"{a="1", c="\""}"#);
        check(&["c", "b", "x"], false, &labels, r#"{c="\""}"#);
        check(&["c", "x"], true, &labels, r#"{a="1"}"#);
        check(&[], false, &labels, "{}");
        check(&[], true, &labels, r#"{a="1", b="", c="\""}"#);
    }

    #[test]
    fn series_are_ordered_by_name_and_then_value() {
        let of = |pairs: &[(&'static str, &'static str)]| SeriesLabels::from_sorted(pairs.iter().copied());
        let sorted = [of(&[]), of(&[("a", "")]), of(&[("a", "x")]), of(&[("a", "x"), ("b", "")]), of(&[("ab", "")])];
        assert!(sorted.is_sorted());
        assert_eq!(sorted[3].get("a"), Some("x"));
        assert_eq!(sorted[3].get("c"), None);
    }
}
