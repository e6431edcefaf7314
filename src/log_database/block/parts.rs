//! The parts of columns: texts, ids and numbers, each somewhere in a section. They are decoded and checked when they are
//! first asked for, and kept.

use std::cell::OnceCell;
use std::ops::Range;

use super::Error;
use super::classes::Classes;
use super::numbers::{self, Layout};
use super::places::{self, Places, VOCABULARIES};
use super::rows::Rows;
use super::sections::{Sections, Source};

/// A part of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) section: usize,
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Place {
    pub(super) fn get<'s, S: Source>(&self, sections: &'s Sections<S>) -> Result<&'s [u8], Error> {
        let section = sections.get(self.section)?;
        Ok(&section[self.start..self.start + self.length])
    }

    pub(super) fn corrupt(&self, what: &'static str) -> Error {
        Error::Corrupt { what, offset: self.section }
    }
}

/// Texts one after the other.
#[derive(Debug)]
pub(super) struct Strings {
    pub(super) count: u32,
    pub(super) classes: Classes,
    /// Bytes of the longest one.
    pub(super) longest: usize,
    pub(super) place: Place,
    /// Their lengths, where newlines do not tell.
    pub(super) lengths: Option<Box<Numbers>>,
    pub(super) ends: OnceCell<Vec<u32>>,
}

/// Texts as sequences of words.
#[derive(Debug)]
pub(super) struct Words {
    /// The distinct words, one part after the other.
    pub(super) vocabularies: [Strings; VOCABULARIES],
    /// Bytes of the longest text.
    pub(super) longest: usize,
    /// The words of all texts one after the other.
    pub(super) sequence: Sequence,
    /// Where in the sequence each text ends.
    pub(super) ends: OnceCell<Vec<u32>>,
}

/// Which words follow one another.
#[derive(Debug)]
pub(super) enum Sequence {
    /// An id a place, and how many words each text has; what version 1 wrote.
    Ids { ids: Ids, by_text: Numbers },
    /// Places by word.
    Places(Places),
}

/// Which of a column's distinct values, or of its templates, each row has.
#[derive(Debug)]
pub(super) struct Ids {
    pub(super) count: u32,
    /// All ids are below it.
    pub(super) limit: u32,
    pub(super) place: Place,
    pub(super) decoded: OnceCell<Vec<u32>>,
}

/// Numbers that are neither in order nor far from zero.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) count: u32,
    pub(super) place: Place,
}

/// An integer for each row.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) count: u32,
    pub(super) layout: Layout,
    pub(super) place: Place,
    pub(super) decoded: OnceCell<Vec<i64>>,
}

/// What `cell` holds, or what `make` puts into it.
pub(super) fn get_or_try_init<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

impl Strings {
    /// No strings, which are in no section.
    pub(super) const fn none() -> Self {
        let place = Place { section: 0, start: 0, length: 0 };
        Self { count: 0, classes: Classes::NONE, longest: 0, place, lengths: None, ends: OnceCell::new() }
    }

    /// All of them, each followed by a newline.
    pub(super) fn text<'s, S: Source>(&self, sections: &'s Sections<S>) -> Result<&'s [u8], Error> {
        self.place.get(sections)
    }

    /// Where in the text each one's newline is.
    pub(super) fn ends<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ends = get_or_try_init(&self.ends, || {
            let text = self.text(sections)?;
            if text.len() < self.count as usize {
                return Err(self.place.corrupt("count of values"));
            }
            let ends = match &self.lengths {
                None => newlines(text, self.count as usize),
                Some(lengths) => ends_of(lengths.get(sections)?),
            };
            let all_used = ends.last().map_or(0, |end| *end as usize + 1) == text.len();
            if !all_used || ends.len() != self.count as usize {
                return Err(self.place.corrupt("ends of values"));
            }
            Ok(ends)
        })?;
        Ok(ends)
    }
}

/// Where the text at `index` is.
pub(super) fn range(ends: &[u32], index: usize) -> Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1] as usize + 1 };
    start..ends[index] as usize
}

/// Where newlines are, and one place more where there are more than `count`.
fn newlines(text: &[u8], count: usize) -> Vec<u32> {
    if SHORT_BYTES * count < text.len() {
        let places = memchr::memchr_iter(b'\n', text).take(count + 1);
        return places.map(|at| u32::try_from(at).expect("sections are bounded")).collect();
    }
    // Neither a search for the next one nor a branch that cannot be predicted: of each place it is only decided whether
    // the next one overwrites it.
    let mut ends = vec![0; count + 1];
    let mut found = 0;
    for (at, byte) in (0..).zip(text) {
        ends[found.min(count)] = at;
        found += usize::from(*byte == b'\n');
    }
    ends.truncate(found);
    ends
}

/// Texts of fewer bytes are found faster byte by byte.
const SHORT_BYTES: usize = 24;

/// Ends from lengths; cut short where they make no sense.
fn ends_of(lengths: &[i64]) -> Vec<u32> {
    let mut next = 0_u32;
    let ends = lengths.iter().map_while(|length| {
        let end = next.checked_add(u32::try_from(*length).ok()?)?;
        next = end.checked_add(1)?;
        Some(end)
    });
    ends.collect()
}

impl Sequence {
    /// The places, where it is stored so.
    pub(super) fn places(&self) -> Option<&Places> {
        match self {
            Self::Ids { .. } => None,
            Self::Places(places) => Some(places),
        }
    }
}

impl Words {
    /// How many distinct words there are.
    pub(super) fn limit(&self) -> u32 {
        self.vocabularies.iter().map(|vocabulary| vocabulary.count).sum()
    }

    /// How many words all texts have together.
    pub(super) fn count(&self) -> usize {
        match &self.sequence {
            Sequence::Ids { ids, .. } => ids.count as usize,
            Sequence::Places(places) => places.count as usize,
        }
    }

    /// The words of all texts, one text after the other; all are of the vocabulary.
    pub(super) fn ids<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        match &self.sequence {
            Sequence::Ids { ids, .. } => ids.get(sections),
            Sequence::Places(places) => places.ids(sections),
        }
    }

    /// Calls `found` with each text that has one of the `wanted` words, in any order, and perhaps more than once.
    pub(super) fn find<S: Source>(
        &self,
        sections: &Sections<S>,
        wanted: &Rows,
        mut found: impl FnMut(usize),
    ) -> Result<(), Error> {
        match &self.sequence {
            Sequence::Ids { ids, .. } => {
                let ends = self.ends(sections)?;
                ids.find(sections, wanted, |place| found(places::text_at(ends, place)))
            }
            Sequence::Places(places) => places.find(sections, wanted, || self.ends(sections), found),
        }
    }

    /// Where each text's words end.
    pub(super) fn ends<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ends = get_or_try_init(&self.ends, || match &self.sequence {
            Sequence::Ids { ids, by_text } => {
                let counts = by_text.get(sections)?.iter().map(|count| u32::try_from(*count));
                let counts = counts.collect::<Result<_, _>>().ok();
                let ends = counts.and_then(|counts| places::ends(counts, ids.count));
                ends.ok_or_else(|| by_text.place.corrupt("words of texts"))
            }
            Sequence::Places(places) => places.ends(sections),
        })?;
        Ok(ends)
    }
}

impl Ids {
    /// The id of each row, all below the limit.
    pub(super) fn get<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ids = get_or_try_init(&self.decoded, || {
            let planes = self.place.get(sections)?;
            numbers::decode_ids(planes, self.count, self.limit).ok_or_else(|| self.place.corrupt("ids"))
        })?;
        Ok(ids)
    }

    /// Calls `found` with each row that has one of the ids that `is_wanted`, and with the id. Does not decode ids that are
    /// bytes.
    pub(super) fn each<S: Source>(
        &self,
        sections: &Sections<S>,
        is_wanted: &[bool],
        mut found: impl FnMut(u32, usize),
    ) -> Result<(), Error> {
        if self.place.length != self.count as usize {
            let ids = (0..).zip(self.get(sections)?).map(|(row, id)| (row, *id as usize));
            ids.filter(|(_, id)| is_wanted[*id]).for_each(|(row, id)| found(row, id));
            return Ok(());
        }
        // Most rows are passed over, and with as many entries as a byte has values that takes no check of bounds.
        let mut is_wanted_byte = [false; 256];
        is_wanted_byte.iter_mut().zip(is_wanted).for_each(|(byte, is_wanted)| *byte = *is_wanted);
        for (row, byte) in (0..).zip(self.place.get(sections)?) {
            if is_wanted_byte[usize::from(*byte)] {
                found(row, usize::from(*byte));
            }
        }
        Ok(())
    }

    /// Calls `found` with each position that has one of the `wanted` ids, ascending. Looks at the lowest plane, and at the
    /// others only where that says so, which is many times faster than decoding ids.
    pub(super) fn find<S: Source>(
        &self,
        sections: &Sections<S>,
        wanted: &Rows,
        mut found: impl FnMut(usize),
    ) -> Result<(), Error> {
        let planes = self.place.get(sections)?;
        let count = self.count as usize;
        let Some((lowest, higher)) = planes.split_at_checked(count).filter(|(lowest, _)| !lowest.is_empty()) else {
            // Without planes, all ids are 0.
            if wanted.contains_checked(0) {
                (0..count).for_each(found);
            }
            return Ok(());
        };
        let mut is_lowest = [false; 256];
        for id in wanted.iter() {
            is_lowest[usize::from(id.to_le_bytes()[0])] = true;
        }
        let mut check = |position: usize| {
            let bytes = higher.chunks_exact(count).map(|plane| u32::from(plane[position]));
            let high = bytes.zip([8, 16, 24]).fold(0, |high, (byte, shift)| high | byte << shift);
            if wanted.contains_checked(high | u32::from(lowest[position])) {
                found(position);
            }
        };
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| is_lowest[usize::from(*byte)]).collect();
        match bytes[..] {
            // Of one plane alone, one byte may be in most positions.
            [byte] if !higher.is_empty() => memchr::memchr_iter(byte, lowest).for_each(check),
            [a, b] if !higher.is_empty() => memchr::memchr2_iter(a, b, lowest).for_each(check),
            [a, b, c] if !higher.is_empty() => memchr::memchr3_iter(a, b, c, lowest).for_each(check),
            _ => {
                for (position, byte) in lowest.iter().enumerate() {
                    if is_lowest[usize::from(*byte)] {
                        check(position);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Counts {
    /// All of them; not kept, because they are read once.
    pub(super) fn get<S: Source>(&self, sections: &Sections<S>) -> Result<Vec<u32>, Error> {
        Ok(numbers::join_planes(self.place.get(sections)?, self.count as usize))
    }
}

impl Numbers {
    /// The number of each row.
    pub(super) fn get<S: Source>(&self, sections: &Sections<S>) -> Result<&[i64], Error> {
        let numbers = get_or_try_init(&self.decoded, || Ok(self.layout.decode(self.place.get(sections)?, self.count)))?;
        Ok(numbers)
    }
}
