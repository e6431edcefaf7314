//! Internal streams: what the agent keeps for itself among the lines.
//!
//! They are as durable, as compressed and kept as long as any stream, and whoever looks for lines does not meet them: no
//! snapshot shows them, no subscriber is handed them, and nothing counts them.

use crate::model::{Batch, Labels};

/// The label of internal streams; the value is the stream's name.
const LABEL: &str = "__internal__";

/// The labels of an internal stream.
pub fn labels(name: &str) -> Labels {
    Labels::new([(LABEL, name)]).expect("one valid name, and a value that is a word")
}

/// Whether a stream is an internal one, or would be taken for it.
pub fn is_internal(labels: &Labels) -> bool {
    labels.get(LABEL).is_some()
}

/// Whether a batch has lines of internal streams alone.
pub(super) fn is_all_internal(batch: &Batch) -> bool {
    !batch.streams.is_empty() && batch.streams.iter().all(|stream| is_internal(&stream.labels))
}
