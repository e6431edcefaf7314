//! The entries of one read, by the streams that they go to.

use std::path::Path;

use crate::log_collector::format::{Channel, Decoded};
use crate::log_collector::source::{Delivery, Reading};
use crate::model::{Labels, Lines, metadata};

/// Typical bytes per line, to size the columns of a batch.
const LINE_BYTES_TYPICAL: usize = 96;

/// What tells a delivery's streams apart: the channel, and whether entries have metadata.
pub(super) const COLUMNS: [(Channel, bool); 6] = [
    (Channel::None, false),
    (Channel::None, true),
    (Channel::Stdout, false),
    (Channel::Stdout, true),
    (Channel::Stderr, false),
    (Channel::Stderr, true),
];
/// The entries of each of [`COLUMNS`].
pub(super) type Columns = [Lines; COLUMNS.len()];

/// The labels of one of [`COLUMNS`] of a name.
pub(super) fn labels_of((channel, has_metadata): (Channel, bool), path: &Path, reading: &Reading<'_>) -> Labels {
    let labels = reading.naming.labels(path, channel);
    if has_metadata { metadata::mark(&labels).expect("a name has few labels, none of which is a mark") } else { labels }
}

/// The entries of one read, for each delivery.
pub(super) struct Gathered {
    pub(super) columns: Vec<Columns>,
    /// The size of the text being read, for which columns make room when they get their first entry.
    pub(super) text_bytes: usize,
}

impl Gathered {
    /// Adds an entry that ends at byte `end` of the file to each of `deliveries` that lacks it.
    pub(super) fn push(&mut self, deliveries: &[Delivery], decoded: &Decoded<'_>, end: u64) {
        for (columns, delivery) in self.columns.iter_mut().zip(deliveries) {
            if !delivery.lacks(end) {
                continue;
            }
            let has_metadata = !decoded.attributes.is_empty();
            let lines = &mut columns[2 * decoded.channel as usize + usize::from(has_metadata)];
            if lines.is_empty() {
                *lines = Lines::with_capacity(self.text_bytes.div_ceil(LINE_BYTES_TYPICAL), self.text_bytes);
            }
            if has_metadata {
                lines.push(decoded.timestamp, &[decoded.line, decoded.attributes].concat());
            } else {
                lines.push(decoded.timestamp, decoded.line);
            }
        }
    }
}
