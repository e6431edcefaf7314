//! Packs lines of one stream after the other into blocks.

use crate::log_database::Error;
use crate::log_database::block::Encoder;
use crate::log_database::segment::writer::{SegmentWriter, Summary};
use crate::log_database::segment::{BLOCK_LINES_MAX, Limits};
use crate::model::{Labels, Lines};

/// Collects lines until they are a block. Takes about as much memory as the lines and their encoding.
#[derive(Debug)]
pub(super) struct Packer {
    limits: Limits,
    encoder: Encoder,
    lines: Vec<Lines>,
}

impl Packer {
    pub(super) fn new(limits: Limits) -> Result<Self, Error> {
        Ok(Self { limits, encoder: Encoder::new()?, lines: Vec::new() })
    }

    /// Adds lines of the stream `labels`, and writes what was there before where both together were too much.
    pub(super) fn push(&mut self, writer: &mut SegmentWriter, labels: &Labels, lines: Lines) -> Result<(), Error> {
        let text_bytes: usize = self.lines.iter().map(Lines::byte_count).sum();
        let line_count: usize = self.lines.iter().map(Lines::len).sum();
        let is_full =
            self.limits.block_bytes_max < text_bytes + lines.byte_count() || BLOCK_LINES_MAX < line_count + lines.len();
        if is_full {
            self.finish(writer, labels)?;
        }
        self.lines.push(lines);
        Ok(())
    }

    /// Writes what is there as a block of the stream `labels`.
    pub(super) fn finish(&mut self, writer: &mut SegmentWriter, labels: &Labels) -> Result<(), Error> {
        let Some(summary) = Summary::of(&self.lines) else { return Ok(()) };
        let block = self.encoder.encode(&self.lines.iter().collect::<Vec<_>>())?;
        self.lines.clear();
        writer.append(labels, summary, &block, None)
    }
}
