//! The labels of one line on its way through the stages.
//!
//! All text lies in one buffer that only grows while a line is worked on, so that a label costs no allocation and a copy
//! of the slots is a copy of the labels. What comes from the stream stays in the buffer for the stream's next line.
//!
//! A name is there once. Where a parser finds a name that the stream or the entry has, the label that it sets is called
//! `<name>_extracted`; where it finds one that a stage before it has set on this line, the first value stays, even if a
//! later stage has removed it.

mod line;
mod sink;

use std::fmt::Write as _;

use crate::logql::pipeline::{Category, ERROR_DETAILS_LABEL, ERROR_LABEL, Entry};
use crate::logql::stages::wanted::Wanted;
use crate::model::Labels;
pub use line::{LineLabel, LineLabels};
use line::{Slot, Span};
pub(super) use sink::Sink;

/// Most labels of one line; finding one takes time in proportion to their count.
const LABELS_MAX: usize = 1024;
/// Most bytes of names and values of one line: sixteen times the longest line that is collected.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// What a label is called whose name is taken by the stream or the entry.
pub(in crate::logql) const EXTRACTED_SUFFIX: &str = "_extracted";

/// What went wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    Json,
    Logfmt,
    LabelFilter,
    TemplateFormat,
    SampleExtraction,
    /// Not one of Loki's, which knows no such limit.
    TooManyLabels,
}

impl ErrorKind {
    /// The value of `__error__`.
    fn name(self) -> &'static str {
        match self {
            Self::Json => "JSONParserErr",
            Self::Logfmt => "LogfmtParserErr",
            Self::LabelFilter => "LabelFilterErr",
            Self::TemplateFormat => "TemplateFormatErr",
            Self::SampleExtraction => "SampleExtractionErr",
            Self::TooManyLabels => "LabelLimitErr",
        }
    }
}

/// Labels as they were at some time on the way of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot(Vec<Slot>);

/// The labels of the line that is worked on.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelSet {
    /// Every label there is, in no order until [`LabelSet::finish`].
    labels: LineLabels,
    /// The labels that the stream and the entry brought, hidden or not.
    brought: Vec<Slot>,
    /// The stream of the last line, whose labels come first in text and `brought`.
    stream: Option<Labels>,
    stream_text_bytes: usize,
    stream_label_count: usize,
    /// The names of labels that a stage has set and another one removed.
    removed: Vec<Span>,
    /// Some of `brought` are no longer there, or no longer as they were.
    is_some_hidden: bool,
    error: Option<ErrorKind>,
    error_details: String,
    /// Room for a name with its suffix.
    suffixed_name: String,
}

impl LabelSet {
    /// Starts over with the labels of the next line.
    pub(super) fn begin(&mut self, entry: &Entry<'_>) {
        if self.stream.as_ref() != Some(entry.labels) {
            self.take_stream(entry.labels);
        }
        self.labels.text.truncate(self.stream_text_bytes);
        self.brought.truncate(self.stream_label_count);
        for (name, value) in entry.metadata {
            self.bring(name, value);
        }
        self.labels.slots.clear();
        self.labels.slots.extend_from_slice(&self.brought);
        self.removed.clear();
        self.is_some_hidden = false;
        self.error = None;
        self.error_details.clear();
    }

    fn take_stream(&mut self, labels: &Labels) {
        self.labels.text.clear();
        self.brought.clear();
        for (name, value) in labels.iter() {
            let (name, value) = (self.labels.append(name), self.labels.append(value));
            self.brought.push(Slot { name, value, category: Category::Stream });
        }
        self.stream_text_bytes = self.labels.text.len();
        self.stream_label_count = self.brought.len();
        self.stream = Some(labels.clone());
    }

    /// Adds a label of the entry to `brought`.
    fn bring(&mut self, name: &str, value: &str) {
        let text_bytes = self.labels.text.len() + name.len() + value.len() + EXTRACTED_SUFFIX.len();
        if LABELS_MAX <= self.brought.len() || TEXT_BYTES_MAX < text_bytes {
            return;
        }
        let is_taken = self.labels.find(&self.brought, name).is_some();
        let start = self.labels.text.len();
        self.labels.text.push_str(name);
        if is_taken {
            self.labels.text.push_str(EXTRACTED_SUFFIX);
        }
        let name = self.labels.span_from(start);
        let value = self.labels.append(value);
        self.brought.push(Slot { name, value, category: Category::Metadata });
    }

    /// Adds a label as if the entry had come with it, unless there is or was one of that name.
    pub(super) fn add_metadata(&mut self, name: &str, value: &str) {
        if self.labels.find(&self.brought, name).is_none() && self.labels.find(&self.labels.slots, name).is_none() {
            let before = self.brought.len();
            self.bring(name, value);
            self.labels.slots.extend_from_slice(&self.brought[before..]);
        }
    }

    /// The value of label `name`; errors are labels, too.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.get_in(&self.labels.slots, name)
    }

    /// The value that label `name` had when the snapshot was taken.
    pub(super) fn get_from<'a>(&'a self, snapshot: &'a Snapshot, name: &str) -> Option<&'a str> {
        self.get_in(&snapshot.0, name)
    }

    fn get_in<'a>(&'a self, slots: &[Slot], name: &str) -> Option<&'a str> {
        match name {
            ERROR_LABEL => self.error.map(ErrorKind::name),
            ERROR_DETAILS_LABEL => Some(self.error_details.as_str()).filter(|details| !details.is_empty()),
            _ => self.labels.find(slots, name).map(|index| self.labels.at(slots[index].value)),
        }
    }

    /// Keeps the labels as they are now in `snapshot`, in place of what it held.
    pub(super) fn save(&self, snapshot: &mut Snapshot) {
        snapshot.0.clone_from(&self.labels.slots);
    }

    /// The labels of a snapshot, in no order and without errors.
    pub(super) fn iter_from<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = LineLabel<'a>> {
        snapshot.0.iter().map(|slot| self.labels.label(slot))
    }

    /// Sets a label that a stage of the query makes, and hides what was there under its name.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        // Over the limit the label stays as it was: no template's output is that long, so that it takes many of them.
        if self.has_room_for(name, value.len()) {
            let value = self.labels.append(value);
            self.put(name, value);
        }
    }

    /// Gives label `from` the name `to`; does nothing if there is none.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(index) = self.labels.find(&self.labels.slots, from) else { return };
        if self.has_room_for(to, 0) {
            let value = self.labels.slots[index].value;
            self.remove(from);
            self.put(to, value);
        }
    }

    fn has_room_for(&self, name: &str, value_bytes: usize) -> bool {
        self.labels.slots.len() < LABELS_MAX && self.labels.text.len() + name.len() + value_bytes <= TEXT_BYTES_MAX
    }

    fn put(&mut self, name: &str, value: Span) {
        let found = self.labels.find(&self.labels.slots, name);
        self.put_at(found, name, value);
    }

    /// Sets label `name`, whose slot is `found` if there is one.
    fn put_at(&mut self, found: Option<usize>, name: &str, value: Span) {
        if let Some(index) = found {
            let slot = &mut self.labels.slots[index];
            self.is_some_hidden |= slot.category != Category::Parsed;
            *slot = Slot { value, category: Category::Parsed, ..*slot };
        } else {
            let name = self.labels.append(name);
            self.labels.slots.push(Slot { name, value, category: Category::Parsed });
        }
    }

    /// Removes a label, whatever its category.
    pub(super) fn remove(&mut self, name: &str) {
        match name {
            ERROR_LABEL => self.error = None,
            ERROR_DETAILS_LABEL => self.error_details.clear(),
            _ => {
                if let Some(index) = self.labels.find(&self.labels.slots, name) {
                    let slot = self.labels.slots.swap_remove(index);
                    self.note_removed(slot);
                }
            }
        }
    }

    /// Removes every label that `is_kept` does not hold for; errors stay.
    pub(super) fn retain(&mut self, is_kept: impl Fn(LineLabel<'_>) -> bool) {
        let mut slots = std::mem::take(&mut self.labels.slots);
        slots.retain(|slot| {
            let is_kept = is_kept(self.labels.label(slot));
            if !is_kept {
                self.note_removed(*slot);
            }
            is_kept
        });
        self.labels.slots = slots;
    }

    /// Remembers what a removed label means for the parsers to come.
    fn note_removed(&mut self, slot: Slot) {
        match slot.category {
            Category::Parsed => self.removed.push(slot.name),
            Category::Stream | Category::Metadata => self.is_some_hidden = true,
        }
    }

    /// Whether something has gone wrong with the line.
    pub(super) fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// Notes what has gone wrong, in place of what had before.
    pub(super) fn set_error(&mut self, kind: ErrorKind, details: &dyn std::fmt::Display) {
        self.error = Some(kind);
        self.error_details.clear();
        write!(self.error_details, "{details}").expect("writing to a string cannot fail");
    }

    /// What a parser writes its labels to.
    pub(super) fn sink<'a>(&'a mut self, wanted: &'a Wanted) -> Sink<'a> {
        let missing_count = match wanted {
            Wanted::All => usize::MAX,
            Wanted::Only(names) => names.iter().filter(|name| self.is_missing(name)).count(),
        };
        Sink { labels: self, wanted, missing_count }
    }

    /// Whether a parser may yet set label `name`.
    fn is_missing(&self, name: &str) -> bool {
        let is_brought = self.labels.find(&self.brought, name).is_some_and(|index| {
            // What the entry brought under such a name gives way to a parser.
            self.brought[index].category == Category::Stream || !name.ends_with(EXTRACTED_SUFFIX)
        });
        !is_brought && !self.is_settled(self.labels.find(&self.labels.slots, name), name)
    }

    /// Whether a stage has set label `name`, whose slot is `found` if it is there now.
    fn is_settled(&self, found: Option<usize>, name: &str) -> bool {
        match found {
            Some(index) => self.labels.slots[index].category == Category::Parsed,
            None => self.removed.iter().any(|removed| self.labels.at(*removed) == name),
        }
    }

    /// Whether the stream or the entry has label `name`, whose slot is `found` if it is there now. The stream has it also
    /// where a stage hides it, the entry has not.
    fn is_brought(&self, found: Option<usize>, name: &str) -> bool {
        match found {
            Some(index) if self.labels.slots[index].category != Category::Parsed => true,
            _ => self.is_some_hidden && self.labels.find(&self.brought[..self.stream_label_count], name).is_some(),
        }
    }

    /// Sorts the labels, with the errors among them.
    pub(super) fn finish(&mut self) -> &LineLabels {
        self.append_errors();
        let LineLabels { text, slots } = &mut self.labels;
        let name = |slot: &Slot| &text.as_bytes()[slot.name.start as usize..slot.name.end as usize];
        slots.sort_unstable_by(|left, right| name(left).cmp(name(right)));
        &self.labels
    }

    /// Leaves of the labels only those that `names`, which are sorted, hold, and the errors.
    pub(super) fn finish_with(&mut self, names: &[String]) -> &LineLabels {
        let count = self.labels.slots.len();
        let is_label = |name: &&String| !matches!(name.as_str(), ERROR_LABEL | ERROR_DETAILS_LABEL);
        for name in names.iter().filter(is_label) {
            if let Some(index) = self.labels.find(&self.labels.slots[..count], name) {
                let slot = self.labels.slots[index];
                self.labels.slots.push(slot);
            }
        }
        self.labels.slots.drain(..count);
        if self.error.is_some() || !self.error_details.is_empty() {
            return self.finish();
        }
        &self.labels
    }

    fn append_errors(&mut self) {
        let details = Some(self.error_details.as_str()).filter(|details| !details.is_empty());
        for (name, value) in [(ERROR_LABEL, self.error.map(ErrorKind::name)), (ERROR_DETAILS_LABEL, details)] {
            if let Some(value) = value {
                let (name, value) = (self.labels.append(name), self.labels.append(value));
                self.labels.slots.push(Slot { name, value, category: Category::Parsed });
            }
        }
    }
}
