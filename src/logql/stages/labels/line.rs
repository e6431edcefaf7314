//! Where the labels of a line lie: one text, and slots that say what is where in it.

use crate::logql::pipeline::Category;

/// One label of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineLabel<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value; may be empty.
    pub value: &'a str,
    /// Where it comes from.
    pub category: Category,
}

/// Labels of one line with their categories: each name once, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct LineLabels {
    pub(super) text: String,
    pub(super) slots: Vec<Slot>,
}

/// Where a label lies in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) name: Span,
    pub(super) value: Span,
    pub(super) category: Category,
}

/// Bytes of the text, from `start` up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl LineLabels {
    /// The value of label `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let index = self.slots.binary_search_by(|slot| self.at(slot.name).cmp(name)).ok()?;
        Some(self.at(self.slots[index].value))
    }

    /// The labels, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = LineLabel<'_>> {
        self.slots.iter().map(|slot| self.label(slot))
    }

    pub(super) fn label(&self, slot: &Slot) -> LineLabel<'_> {
        LineLabel { name: self.at(slot.name), value: self.at(slot.value), category: slot.category }
    }

    pub(super) fn at(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// Where `name` is among `slots`; these need not be sorted.
    pub(super) fn find(&self, slots: &[Slot], name: &str) -> Option<usize> {
        let text = self.text.as_bytes();
        let has_name = |slot: &Slot| {
            let (start, end) = (slot.name.start as usize, slot.name.end as usize);
            end - start == name.len() && &text[start..end] == name.as_bytes()
        };
        slots.iter().position(has_name)
    }

    pub(super) fn append(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        self.span_from(start)
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        let offset = |bytes| u32::try_from(bytes).expect("every writer keeps to TEXT_BYTES_MAX");
        Span { start: offset(start), end: offset(self.text.len()) }
    }
}
