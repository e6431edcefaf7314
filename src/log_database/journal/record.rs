//! A record: one commit, from batches to slices that are written in one go, and back.
//!
//! Text is never copied on its way into the file; a record borrows it from the batches.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use crate::log_database::bytes::{Cursor, put_varint};
use crate::log_database::checkpoints;
use crate::log_database::journal::columns::PartEncoder;
use crate::log_database::part::{Part, put_labels, take_labels};
use crate::log_database::storage::{self, StoredFile};
use crate::model::{Batch, Checkpoint, Labels, Lines};

/// Starts every record; no valid UTF-8, so seldom found in text.
pub(super) const RECORD_MAGIC: [u8; 8] = *b"\nRECORD\xff";
/// Length of a record's head.
pub(super) const HEAD_BYTES: usize = 32;
const _: () = assert!(HEAD_BYTES == RECORD_MAGIC.len() + 4 * size_of::<u32>() + size_of::<u64>());

/// What a record says of its body, and its checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::log_database) struct Skeleton {
    /// Positions in the order they were reached.
    pub(in crate::log_database) checkpoints: Vec<Checkpoint>,
    /// Each stream's parts, offsets counted from the body's start.
    pub(in crate::log_database) streams: Vec<(Labels, Vec<Part>)>,
}

impl Skeleton {
    /// Whether the record says nothing, as the mark after a sync does.
    pub(super) fn is_empty(&self) -> bool {
        self.checkpoints.is_empty() && self.streams.is_empty()
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        checkpoints::put(&mut out, &self.checkpoints);
        put_varint(&mut out, self.streams.len() as u64);
        for (labels, parts) in &self.streams {
            put_labels(&mut out, labels);
            put_varint(&mut out, parts.len() as u64);
            for part in parts {
                part.put(&mut out);
            }
        }
        out
    }

    /// Reads what [`Skeleton::encode`] writes for a body of `body_bytes`; `None` for anything else.
    pub(super) fn decode(bytes: &[u8], body_bytes: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let mut skeleton = Self { checkpoints: checkpoints::take(&mut cursor)?, ..Self::default() };
        let mut body_offset = 0;
        for _ in 0..cursor.count()? {
            let labels = take_labels(&mut cursor)?;
            let mut parts = Vec::new();
            for _ in 0..cursor.count()? {
                let part = Part::take(&mut cursor, body_offset)?;
                body_offset = part.end();
                parts.push(part);
            }
            skeleton.streams.push((labels, parts));
        }
        (cursor.rest().is_empty() && body_offset == u64::from(body_bytes)).then_some(skeleton)
    }
}

/// The place that a record is valid in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) salt: u64,
    pub(super) offset: u64,
}

/// The start of a record: how long the rest is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) skeleton_bytes: u32,
    pub(super) body_bytes: u32,
    /// How much of the file was durable when the record was written.
    pub(super) synced_bytes: u64,
    pub(super) skeleton_crc: u32,
}

impl Head {
    pub(super) fn encode(&self, place: Place) -> [u8; HEAD_BYTES] {
        let mut out = Vec::with_capacity(HEAD_BYTES);
        out.extend_from_slice(&RECORD_MAGIC);
        out.extend_from_slice(&self.skeleton_bytes.to_le_bytes());
        out.extend_from_slice(&self.body_bytes.to_le_bytes());
        out.extend_from_slice(&self.synced_bytes.to_le_bytes());
        out.extend_from_slice(&self.skeleton_crc.to_le_bytes());
        let crc = head_crc(place, &out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.try_into().expect("the fields add up to HEAD_BYTES")
    }

    /// Reads a head; `None` where there is no head that is valid in this place.
    pub(super) fn decode(bytes: &[u8], place: Place) -> Option<Self> {
        let (fields, crc) = bytes.split_at_checked(HEAD_BYTES - size_of::<u32>())?;
        let mut cursor = Cursor::new(fields);
        if cursor.take(RECORD_MAGIC.len())? != RECORD_MAGIC || Cursor::new(crc).u32()? != head_crc(place, fields) {
            return None;
        }
        Some(Self {
            skeleton_bytes: cursor.u32()?,
            body_bytes: cursor.u32()?,
            synced_bytes: cursor.u64()?,
            skeleton_crc: cursor.u32()?,
        })
    }

    /// Length of the record before its body.
    pub(super) fn body_start(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.skeleton_bytes)
    }

    /// Length of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        self.body_start() + u64::from(self.body_bytes)
    }
}

fn head_crc(place: Place, fields: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.salt.to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(fields);
    hasher.finalize()
}

/// A record before it is written.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    skeleton: Skeleton,
    /// The columns of all parts but for their text.
    columns: Vec<u8>,
    body: Vec<Piece<'a>>,
    body_bytes: usize,
}

#[derive(Debug)]
enum Piece<'a> {
    /// A range of [`Record::columns`].
    Columns(Range<usize>),
    Text(&'a [u8]),
}

impl<'a> Record<'a> {
    /// One commit of everything in `batches`: a stream's lines together, in the order they were appended.
    pub(super) fn of_batches(batches: &'a [Arc<Batch>]) -> Self {
        let checkpoints = batches.iter().filter_map(|batch| batch.checkpoint.clone()).collect();
        let mut record = Self::of_checkpoints(checkpoints);
        let mut streams: BTreeMap<&Labels, Vec<&Lines>> = BTreeMap::new();
        for stream in batches.iter().flat_map(|batch| &batch.streams).filter(|stream| !stream.lines.is_empty()) {
            streams.entry(&stream.labels).or_default().push(&stream.lines);
        }
        let mut encoder = PartEncoder::default();
        for (labels, all_lines) in streams {
            let parts = record.encode_stream(&mut encoder, &all_lines);
            record.skeleton.streams.push((labels.clone(), parts));
        }
        record
    }

    /// A record without lines.
    pub(super) fn of_checkpoints(checkpoints: Vec<Checkpoint>) -> Self {
        Self { skeleton: Skeleton { checkpoints, ..Skeleton::default() }, ..Self::default() }
    }

    fn encode_stream(&mut self, encoder: &mut PartEncoder, all_lines: &[&'a Lines]) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut part_start = self.start_part();
        for lines in all_lines {
            let (mut text_start, mut text_end) = (0, 0);
            for (timestamp, line) in lines.iter() {
                if !encoder.has_room(line.len()) {
                    self.body.push(Piece::Text(&lines.bytes()[text_start..text_end]));
                    parts.push(self.finish_part(encoder, part_start));
                    part_start = self.start_part();
                    text_start = text_end;
                }
                encoder.push(timestamp, line.len());
                text_end += line.len();
            }
            self.body.push(Piece::Text(&lines.bytes()[text_start..text_end]));
        }
        parts.push(self.finish_part(encoder, part_start));
        parts
    }

    /// Leaves a place for the columns, which are known once the part is complete, and returns it.
    fn start_part(&mut self) -> usize {
        self.body.push(Piece::Columns(0..0));
        self.body.len() - 1
    }

    fn finish_part(&mut self, encoder: &mut PartEncoder, part_start: usize) -> Part {
        let columns_start = self.columns.len();
        let summary = encoder.finish(&mut self.columns);
        self.body[part_start] = Piece::Columns(columns_start..self.columns.len());
        let mut hasher = crc32fast::Hasher::new();
        let mut bytes = 0;
        for piece in &self.body[part_start..] {
            let slice = self.slice(piece);
            hasher.update(slice);
            bytes += slice.len();
        }
        let offset = self.body_bytes as u64;
        self.body_bytes += bytes;
        Part {
            offset,
            bytes: u32::try_from(bytes).expect("PENDING_BYTES_MAX bounds a record"),
            line_count: summary.line_count,
            text_bytes: summary.text_bytes,
            crc: hasher.finalize(),
            earliest: summary.earliest,
            latest: summary.latest,
        }
    }

    fn slice<'b>(&'b self, piece: &'b Piece<'a>) -> &'b [u8] {
        match piece {
            Piece::Columns(range) => &self.columns[range.clone()],
            Piece::Text(text) => text,
        }
    }

    /// Writes the record in its place and says where it ends and where its body starts.
    pub(super) fn write(&self, file: &dyn StoredFile, place: Place, synced_bytes: u64) -> storage::Result<Written> {
        let skeleton = self.skeleton.encode();
        let head = Head {
            skeleton_bytes: u32::try_from(skeleton.len()).expect("PENDING_BYTES_MAX bounds a record"),
            body_bytes: u32::try_from(self.body_bytes).expect("PENDING_BYTES_MAX bounds a record"),
            synced_bytes,
            skeleton_crc: crc32fast::hash(&skeleton),
        };
        let encoded_head = head.encode(place);
        let mut slices = Vec::with_capacity(2 + self.body.len());
        slices.push(IoSlice::new(&encoded_head));
        slices.push(IoSlice::new(&skeleton));
        slices.extend(self.body.iter().map(|piece| IoSlice::new(self.slice(piece))));
        file.write_at(&mut slices, place.offset)?;
        Ok(Written { end: place.offset + head.record_bytes(), body_start: place.offset + head.body_start() })
    }

    /// What the record says.
    pub(super) fn into_skeleton(self) -> Skeleton {
        self.skeleton
    }
}

/// Where a record stands, in bytes from the start of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) end: u64,
    pub(super) body_start: u64,
}
