//! The values of a column while it is encoded, close together in memory: every later look at them is sequential.

use std::ops::Range;

use super::classes::Classes;

/// Texts one after the other, each followed by a newline, as a column of text is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    text: Vec<u8>,
    /// Where each one's newline is.
    ends: Vec<u32>,
    /// Whether one differs from the first.
    varies: bool,
    longest: usize,
}

impl Values {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { ends: Vec::with_capacity(count), ..Self::default() }
    }

    pub(super) fn push(&mut self, value: &[u8]) {
        if !self.varies {
            self.varies = self.ends.first().is_some_and(|end| self.text[..*end as usize] != *value);
        }
        self.longest = self.longest.max(value.len());
        self.text.extend_from_slice(value);
        self.ends.push(u32::try_from(self.text.len()).expect("bounded by LINES_BYTES_MAX and LINES_MAX"));
        self.text.push(b'\n');
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The value at `index`; panics past the last one.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        &self.text[self.range(index)]
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 };
        start..self.ends[index] as usize
    }

    /// Where in [`Self::text`] each value is.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        (0..self.len()).map(|index| self.range(index))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The value that all are, if they are.
    pub(super) fn constant(&self) -> Option<&[u8]> {
        (!self.varies && !self.ends.is_empty()).then(|| self.get(0))
    }

    /// All values, each followed by a newline.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Bytes of the longest value.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The classes of bytes that the values have.
    pub(super) fn classes(&self) -> Classes {
        self.iter().fold(Classes::default(), |classes, value| classes.or(Classes::of(value)))
    }

    /// At most `count` of the values, evenly spaced.
    pub(super) fn sample(&self, count: usize) -> Self {
        let mut sample = Self::default();
        (0..self.len()).step_by(self.len().div_ceil(count).max(1)).for_each(|index| sample.push(self.get(index)));
        sample
    }
}
