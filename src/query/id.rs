//! What a line is known by: `<stream>.<time>.<n>.<check>`.
//!
//! ```text
//! stream := 16 hexadecimal digits: the first 64 bits of the MD5 of the stored labels' canonical text
//! time   := nanoseconds since the Unix epoch
//! n      := how many lines of the stream with this time were stored before it
//! check  := 8 hexadecimal digits: the CRC-32 of the line's bytes
//! ```
//!
//! The first three are a place in the order of all lines, so an id is a cursor. They stay what they are while lines move
//! from file to file. Where retention drops an older line of the same time, `n` becomes less; `check` finds the line then.

use std::fmt;
use std::str::FromStr;

use crate::log_database::{Bounds, Place, metadata, stream_id};
use crate::model::{Direction, Labels, Selection, TimeRange, Timestamp};
use crate::query::{Error, Source};

/// Hexadecimal digits of a stream's id.
const STREAM_DIGITS: usize = 16;
/// Hexadecimal digits of a check.
const CHECK_DIGITS: usize = 8;

/// Names a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineId {
    /// Its stream: [`crate::log_database::stream_id`].
    pub stream: u64,
    /// When it was logged.
    pub timestamp: Timestamp,
    /// How many lines of the stream with this time were stored before it.
    pub number: u64,
    /// The CRC-32 of its bytes.
    pub check: u32,
}

/// A text that names no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a line, which looks like 3f2a9c81d4e07b55.1796035647732000000.7.9a3c01fe")]
pub struct InvalidLineId;

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, timestamp, number, check } = self;
        write!(f, "{stream:0STREAM_DIGITS$x}.{}.{number}.{check:0CHECK_DIGITS$x}", timestamp.as_ns())
    }
}

impl FromStr for LineId {
    type Err = InvalidLineId;

    fn from_str(text: &str) -> Result<Self, InvalidLineId> {
        let parse = || {
            let mut fields = text.split('.');
            let stream = hexadecimal(fields.next()?, STREAM_DIGITS)?;
            let timestamp = Timestamp::from_ns(fields.next()?.parse().ok()?);
            let number = fields.next()?.parse().ok()?;
            let check = u32::try_from(hexadecimal(fields.next()?, CHECK_DIGITS)?).ok()?;
            let id = Self { stream, timestamp, number, check };
            // One text for each id: no sign, no leading zero, no capital.
            (fields.next().is_none() && id.to_string() == text).then_some(id)
        };
        parse().ok_or(InvalidLineId)
    }
}

fn hexadecimal(text: &str, digit_count: usize) -> Option<u64> {
    let is_well_formed = text.len() == digit_count && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_well_formed.then(|| u64::from_str_radix(text, 16).ok())?
}

/// Where a line is that an id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// It is there.
    At(Place),
    /// It is not, but its place is known: that of a line of its stream.
    Gone(Place),
    /// Its stream is not there any more.
    Unknown,
}

/// Finds the line that `id` names.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn locate(id: LineId, source: &Source) -> Result<Located, Error> {
    let Some(stream) = source.snapshot.find_stream(id.stream) else { return Ok(Located::Unknown) };
    let place = |number| Place { timestamp: id.timestamp, stream: stream.clone(), number };
    let mut found = None;
    let end = Timestamp::from_ns(id.timestamp.as_ns().saturating_add(1));
    let selection = Selection { range: TimeRange { start: id.timestamp, end }, ..Selection::of(Vec::new()) };
    let own = metadata::unmark(&stream).unwrap_or_else(|| stream.clone());
    let mut scan = source.scan_within(&selection, &Bounds::default(), |labels| *labels == own);
    while let Some(entry) = scan.next()? {
        let check = crc32fast::hash(entry.line);
        let (stored, number) = scan.number().expect("there is an entry");
        if *stored == stream && check == id.check && number <= id.number {
            found = Some(number);
        }
    }
    Ok(found.map_or(Located::Gone(place(id.number)), |number| Located::At(place(number))))
}

/// The line next to where `id` says that it was: of its stream, if that has any, and rather a later one.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn nearest(id: LineId, source: &Source) -> Result<Option<LineId>, Error> {
    let stream = source.snapshot.find_stream(id.stream);
    let own = stream.map(|stored| metadata::unmark(&stored).unwrap_or(stored));
    let later = TimeRange { start: id.timestamp, ..TimeRange::ALL };
    let earlier = TimeRange { end: id.timestamp, ..TimeRange::ALL };
    for own in own.map(Some).into_iter().chain([None]) {
        for (range, direction) in [(later, Direction::Forward), (earlier, Direction::Backward)] {
            let selection = Selection { range, direction, limit: Some(1), ..Selection::of(Vec::new()) };
            let is_asked_for = |labels: &Labels| own.as_ref().is_none_or(|own| labels == own);
            let mut scan = source.scan_within(&selection, &Bounds::default(), is_asked_for);
            if let Some(entry) = scan.next()? {
                let (timestamp, check) = (entry.timestamp, crc32fast::hash(entry.line));
                let (stored, number) = scan.number().expect("there is an entry");
                return Ok(Some(LineId { stream: stream_id(stored), timestamp, number, check }));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let text = "3f2a9c81d4e07b55.1796035647732000000.7.9a3c01fe";
        let id: LineId = text.parse().unwrap();
        let expected = LineId {
            stream: 0x3f2a_9c81_d4e0_7b55,
            timestamp: Timestamp::from_ns(1_796_035_647_732_000_000),
            number: 7,
            check: 0x9a3c_01fe,
        };
        assert_eq!((id, id.to_string().as_str()), (expected, text));
        let early = LineId { stream: 1, timestamp: Timestamp::MIN, number: u64::MAX, check: 0 };
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn any_other_text_is_refused() {
        for text in [
            "",
            "...",
            "3f2a9c81d4e07b55.1796035647732000000.7",
            "3f2a9c81d4e07b55.1796035647732000000.7.9a3c01fe.",
            "3f2a9c81d4e07b5.1796035647732000000.7.9a3c01fe",
            "3F2A9C81D4E07B55.1796035647732000000.7.9a3c01fe",
            "+f2a9c81d4e07b55.1796035647732000000.7.9a3c01fe",
            "3f2a9c81d4e07b55.+796035647732000000.7.9a3c01fe",
            "3f2a9c81d4e07b55.9796035647732000000.7.9a3c01fe",
            "3f2a9c81d4e07b55.1796035647732000000.07.9a3c01fe",
            "3f2a9c81d4e07b55.1796035647732000000.-7.9a3c01fe",
            "3f2a9c81d4e07b55.1796035647732000000.7.9a3c01fg",
        ] {
            assert_eq!(text.parse::<LineId>(), Err(InvalidLineId), "{text}");
        }
    }
}
