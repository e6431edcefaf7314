//! Lines in the form that was asked for, with what stands between them.

use std::sync::Arc;

use crate::api::v1::arguments::{Format, Times};
use crate::api::v1::marks::Marks;
use crate::api::v1::records::{Records, push_line_after_stream};
use crate::api::v1::text;
use crate::inventory::Inventory;
use crate::model::{Labels, Timestamp};
use crate::query::{FoundLine, LineId};

/// Writes lines in the form that was asked for.
pub(super) struct Writer {
    pub(super) format: Format,
    times: Times,
    names_streams: bool,
    records: Records,
    /// For the text of a line.
    room: Vec<u8>,
    pub(super) marks: Marks,
}

/// A line that is sent later.
pub(super) struct HeldLine {
    pub(super) stream: Labels,
    pub(super) id: LineId,
    pub(super) text: Vec<u8>,
}

impl HeldLine {
    /// What it takes in memory, in bytes.
    pub(super) fn cost_bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

impl Writer {
    /// Of records, with the marks that lie among them.
    pub(super) fn of_records(marks: Marks, inventory: Arc<Inventory>) -> Self {
        let (format, times, records) = (Format::Records, Times::None, Records::new(inventory));
        Self { format, times, names_streams: false, records, room: Vec::new(), marks }
    }

    /// In any form.
    pub(super) fn new(format: Format, times: Times, names_streams: bool, inventory: Arc<Inventory>) -> Self {
        Self { format, times, names_streams, ..Self::of_records(Marks::default(), inventory) }
    }

    /// How many streams there are so far.
    pub(super) fn stream_count(&self) -> usize {
        self.records.stream_count()
    }

    /// Appends a line, and what stands before it. Returns its id.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, line: &FoundLine<'_>) -> LineId {
        self.push_marks(out, Some(line.timestamp));
        let mut text = std::mem::take(&mut self.room);
        text.clear();
        let id = self.push_text(&mut text, line);
        self.push_made(out, line.stream, &text);
        self.room = text;
        id
    }

    /// A line that is sent later.
    pub(super) fn hold(&mut self, line: &FoundLine<'_>) -> HeldLine {
        let mut text = Vec::new();
        let id = self.push_text(&mut text, line);
        HeldLine { stream: line.stream.clone(), id, text }
    }

    /// Appends a line that was held, and what stands before it.
    pub(super) fn push_held(&mut self, out: &mut Vec<u8>, line: &HeldLine) {
        self.push_marks(out, Some(line.id.timestamp));
        self.push_made(out, &line.stream, &line.text);
    }

    /// Appends a line whose text is made. The number of its stream is not in it, as that is told by which line is sent
    /// first.
    fn push_made(&mut self, out: &mut Vec<u8>, stream: &Labels, text: &[u8]) {
        match self.format {
            Format::Records => self.records.push_line(out, stream, text),
            Format::Objects | Format::Text | Format::Raw => out.extend_from_slice(text),
        }
    }

    /// Appends the marks before a line of this time; all that are left before the end.
    pub(super) fn push_marks(&mut self, out: &mut Vec<u8>, line: Option<Timestamp>) {
        while let Some((stream, mark)) = self.marks.next_before(line) {
            self.records.push_mark(out, stream.as_ref(), &mark);
        }
    }

    fn push_text(&mut self, out: &mut Vec<u8>, line: &FoundLine<'_>) -> LineId {
        let id = self.records.id_of(line);
        match self.format {
            Format::Records => push_line_after_stream(out, line, id.check),
            Format::Raw => text::push_raw(out, line),
            Format::Objects => {
                text::push_object(out, id.to_string(), line, &self.records.labels_of(line.stream), &self.times);
            }
            Format::Text => {
                let labels = self.names_streams.then(|| self.records.labels_of(line.stream));
                text::push_text(out, line, labels.as_ref(), &self.times);
            }
        }
        id
    }
}
