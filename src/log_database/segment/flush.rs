//! Makes a segment of a journal file.

use std::sync::Arc;

use crate::log_database::index::{Index, Stored};
use crate::log_database::journal::JournalFile;
use crate::log_database::part::StreamParts;
use crate::log_database::segment::pack::Packer;
use crate::log_database::segment::writer::{SegmentWriter, write_segment};
use crate::log_database::segment::{Limits, Segment};
use crate::log_database::storage::Storage;
use crate::log_database::{Error, checkpoints};
use crate::model::{Checkpoint, Timestamp};

/// Makes a segment of all lines in `file`, which is not written to any more, and of the `checkpoints` at its end. The file
/// itself stays.
///
/// A part that is not what was written is left out and counted. So is one that the medium does not give back with
/// `is_last_try`.
///
/// # Errors
///
/// - [`Error::Unreadable`]: the medium does not give a part back; it may recover.
pub(in crate::log_database) fn flush(
    storage: &dyn Storage,
    limits: Limits,
    index: &Index,
    file: &Arc<JournalFile>,
    checkpoints: &[Checkpoint],
    stored: Timestamp,
    is_last_try: bool,
) -> Result<(Segment, Vec<StreamParts>), Error> {
    let sequence = file.sequence();
    let mut packer = Packer::new(limits)?;
    let append_blocks = |writer: &mut SegmentWriter| {
        for (labels, files) in index.parts_in(sequence..=sequence) {
            for part in files.iter().flat_map(Stored::iter) {
                let lines = if is_last_try {
                    file.read(part)
                } else {
                    file.try_read(part).map_err(|problem| file.unreadable(part, &problem))?
                };
                if let Some(lines) = lines {
                    packer.push(writer, labels, lines)?;
                }
            }
            packer.finish(writer, labels)?;
        }
        Ok(())
    };
    write_segment(storage, sequence..=sequence, stored, &checkpoints::pack(checkpoints), None, append_blocks)
}
