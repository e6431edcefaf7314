//! How parsers set labels.

use super::{EXTRACTED_SUFFIX, ErrorKind, LABELS_MAX, LabelSet, TEXT_BYTES_MAX};
use crate::logql::stages::wanted::Wanted;

/// What a parser writes its labels to: takes those that are wanted, and knows when it has them all.
pub(in crate::logql::stages) struct Sink<'a> {
    pub(super) labels: &'a mut LabelSet,
    pub(super) wanted: &'a Wanted,
    /// How many labels are wanted that nobody has set yet.
    pub(super) missing_count: usize,
}

impl Sink<'_> {
    /// Whether nothing more is wanted of the parser.
    pub(in crate::logql::stages) fn is_done(&self) -> bool {
        self.missing_count == 0
    }

    /// Whether a label whose name begins with `path` and an underscore may be wanted.
    pub(in crate::logql::stages) fn wants_below(&self, path: &str) -> bool {
        self.wanted.may_begin_with(path)
    }

    /// Sets label `name`, which is sanitised, to what `write` appends, unless an earlier value or nobody wants it.
    pub(in crate::logql::stages) fn put(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        self.take(name, write, false);
    }

    /// Sets label `name` to what `write` appends, in place of an earlier value.
    pub(in crate::logql::stages) fn replace(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        self.take(name, write, true);
    }

    /// Sets label `name` to an empty value unless the line has such a label, wherever that comes from.
    pub(in crate::logql::stages) fn put_missing(&mut self, name: &str) {
        if self.labels.labels.find(&self.labels.labels.slots, name).is_none() {
            self.take_as(name, None, |_| {}, true);
        }
    }

    fn take(&mut self, name: &str, write: impl FnOnce(&mut String), replaces: bool) {
        if name.is_empty() {
            return;
        }
        let set = &mut *self.labels;
        let found = set.labels.find(&set.labels.slots, name);
        if !set.is_brought(found, name) {
            return self.take_as(name, found, write, replaces);
        }
        let mut suffixed_name = std::mem::take(&mut set.suffixed_name);
        suffixed_name.clear();
        suffixed_name.extend([name, EXTRACTED_SUFFIX]);
        let found = set.labels.find(&set.labels.slots, &suffixed_name);
        self.take_as(&suffixed_name, found, write, replaces);
        self.labels.suffixed_name = suffixed_name;
    }

    fn take_as(&mut self, name: &str, found: Option<usize>, write: impl FnOnce(&mut String), replaces: bool) {
        let set = &mut *self.labels;
        let is_new = !set.is_settled(found, name);
        if !self.wanted.has(name) || !(is_new || replaces) {
            return;
        }
        let start = set.labels.text.len();
        write(&mut set.labels.text);
        if !set.has_room_for(name, 0) {
            set.labels.text.truncate(start);
            self.refuse();
            return;
        }
        let value = set.labels.span_from(start);
        set.put_at(found, name, value);
        self.missing_count = self.missing_count.saturating_sub(usize::from(is_new));
    }

    /// Ends the search: the line has more labels, or longer ones, than it may have.
    fn refuse(&mut self) {
        let limit = format!("line has more than {LABELS_MAX} labels or {TEXT_BYTES_MAX} bytes of them");
        self.labels.set_error(ErrorKind::TooManyLabels, &limit);
        self.missing_count = 0;
    }
}
