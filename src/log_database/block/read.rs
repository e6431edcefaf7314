//! Reads a block: its bounds and times at once, its lines when they are asked for.

use std::cell::OnceCell;

use super::lines::LineReader;
use super::parts::get_or_try_init;
use super::sections::{Sections, Source};
use super::structure::{self, Section, Templates};
use super::sums::{self, Sums};
use super::times;
use super::wire::{Reader, put_length, put_signed, put_varint};
use super::{Error, LINES_MAX};
use crate::model::{LINES_BYTES_MAX, Lines, Timestamp};

/// A block whose header was read; the rest is read, checked and kept as it is needed.
#[derive(Debug)]
pub struct Block<S> {
    pub(super) sections: Sections<S>,
    summary: Summary,
    timestamps_ns: OnceCell<Vec<i64>>,
    root: OnceCell<Templates>,
    sums: OnceCell<Option<Sums>>,
}

/// What the header says of the lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Summary {
    pub(super) line_count: u32,
    /// Bytes of text in all lines.
    pub(super) byte_count: usize,
    /// The earliest and the latest time, in nanoseconds since the Unix epoch.
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
}

impl Summary {
    /// Appends the summary.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.line_count));
        put_length(out, self.byte_count);
        put_signed(out, self.first_ns);
        put_signed(out, self.last_ns);
    }

    /// Reads what [`Self::put`] wrote.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let line_count = reader.count(LINES_MAX)?;
        let byte_count = reader.length(LINES_BYTES_MAX)?;
        Ok(Self { line_count, byte_count, first_ns: reader.signed()?, last_ns: reader.signed()? })
    }
}

impl<S: Source> Block<S> {
    /// Reads the header of the block in `source`.
    pub fn open(source: S) -> Result<Self, Error> {
        let (sections, summary) = Sections::open(source, Summary::read)?;
        Ok(Self { sections, summary, timestamps_ns: OnceCell::new(), root: OnceCell::new(), sums: OnceCell::new() })
    }

    /// How many lines there are.
    pub fn line_count(&self) -> u32 {
        self.summary.line_count
    }

    /// Bytes of text in all lines.
    pub fn byte_count(&self) -> usize {
        self.summary.byte_count
    }

    /// The earliest and the latest time; `None` where there is no line.
    pub fn time_bounds(&self) -> Option<(Timestamp, Timestamp)> {
        let Summary { first_ns, last_ns, .. } = self.summary;
        (0 < self.summary.line_count).then_some((Timestamp::from_ns(first_ns), Timestamp::from_ns(last_ns)))
    }

    /// The time of each line, in nanoseconds since the Unix epoch.
    pub fn timestamps_ns(&self) -> Result<&[i64], Error> {
        let timestamps = get_or_try_init(&self.timestamps_ns, || {
            let section = self.sections.get(Section::Timestamps as usize)?;
            let read = if self.sections.version() < 3 { times::read_plain } else { times::read };
            read(section, self.summary.line_count)
        })?;
        Ok(timestamps)
    }

    /// The bytes of text of all lines from `first` to `last`; `None` where that takes a look at lines.
    pub(super) fn bytes_between(&self, first: Timestamp, last: Timestamp) -> Result<Option<u64>, Error> {
        Ok(self.sums()?.and_then(|sums| sums.between(first, last)))
    }

    fn sums(&self) -> Result<Option<&Sums>, Error> {
        let sums = get_or_try_init(&self.sums, || {
            if self.sections.version() < 4 {
                return Ok(None);
            }
            sums::read(self.sections.get(Section::Sums as usize)?, self.summary.byte_count)
        })?;
        Ok(sums.as_ref())
    }

    /// The lines, one at a time.
    pub fn lines(&self) -> Result<LineReader<'_, S>, Error> {
        LineReader::new(self)
    }

    /// All lines with their times.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] where anything in the block makes no sense, [`Error::Read`] where it cannot be read.
    pub fn decode(&self) -> Result<Lines, Error> {
        self.sums()?;
        let mut lines = Lines::with_capacity(self.summary.line_count as usize, self.summary.byte_count);
        let mut reader = self.lines()?;
        let mut line = Vec::new();
        for (row, timestamp_ns) in (0..).zip(self.timestamps_ns()?) {
            line.clear();
            reader.append(row, &mut line)?;
            lines.push(Timestamp::from_ns(*timestamp_ns), &line);
        }
        if lines.byte_count() != self.summary.byte_count {
            return Err(Error::Corrupt { what: "bytes of text", offset: lines.len() });
        }
        Ok(lines)
    }

    pub(super) fn root(&self) -> Result<&Templates, Error> {
        get_or_try_init(&self.root, || {
            structure::read(&self.sections, self.summary.line_count, self.summary.byte_count)
        })
    }

    /// The section that literals and affixes are in.
    pub(super) fn structure(&self) -> Result<&[u8], Error> {
        self.sections.get(Section::Structure as usize)
    }
}
