//! The structure of a block, read and checked: templates, their columns, and where in which section the columns' parts
//! are. Parts are decoded when they are first asked for, and kept.

use std::cell::OnceCell;

use super::Error;
use super::classes::Classes;
use super::clock;
use super::decimal;
use super::hex;
use super::numbers::{Layout, id_width};
use super::parts::{Counts, Ids, Numbers, Place, Sequence, Strings, Words, get_or_try_init};
use super::places::{Group, Places, VOCABULARIES};
use super::sections::{Sections, Source};
use super::wire::{Reader, Span};
use crate::model::LINES_BYTES_MAX;

/// The sections every block has; their numbers are part of the format. The others belong to one part of a column each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Structure,
    Timestamps,
    Values,
    Ids,
    Numbers,
    Text,
    /// Since version 4; of older blocks, it is a column's.
    Sums,
}

impl Section {
    /// How many there are.
    pub(super) const SHARED: usize = Self::Sums as usize + 1;
}

/// The encodings of a column; their numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Words,
    Dictionary,
    Decimal,
    Clock,
    Templates,
    /// Words, rare ones by their places; since version 2.
    Prose,
    /// Since version 2.
    Hex,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Text,
        Self::Words,
        Self::Dictionary,
        Self::Decimal,
        Self::Clock,
        Self::Templates,
        Self::Prose,
        Self::Hex,
    ];
}

/// What varies between the rows of a template.
#[derive(Debug)]
pub(super) enum Column {
    /// A string a row.
    Text(Strings),
    /// Some words of a vocabulary a row; boxed, because few columns are so large.
    Words(Box<Words>),
    /// One of the distinct values a row.
    Dictionary { values: Strings, ids: Ids },
    /// A number a row.
    Decimal { face: decimal::Face, numbers: Numbers },
    /// A time of day a row, relative to the entry's own.
    Clock { face: clock::Face, ahead: Numbers },
    /// Cut once more.
    Templates(Templates),
    /// Hexadecimal digits a row.
    Hex { face: hex::Face, packed: Place },
}

/// Templates, and which of them each row has.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) count: u32,
    pub(super) by_id: Vec<Template>,
    /// Bytes of the longest row, or more.
    longest: usize,
    ids: Ids,
    index: OnceCell<Index>,
}

/// Literal text and columns by turns.
#[derive(Debug)]
pub(super) struct Template {
    /// How many rows have it.
    pub(super) count: u32,
    /// Bytes of the longest row, or more.
    pub(super) longest: usize,
    /// The literal text before the first column.
    pub(super) head: Span,
    pub(super) slots: Vec<Slot>,
}

/// A column and the literal text after it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) column: Column,
    pub(super) tail: Span,
}

/// The rows of each template, both ways.
#[derive(Debug)]
struct Index {
    /// Of each row, which row of its template's columns it is.
    ranks: Vec<u32>,
    /// The rows, by template.
    rows: Vec<u32>,
    /// Where in `rows` each template begins.
    starts: Vec<u32>,
}

/// A line of `n` bytes has at most `n + 1` values, each of which is cut at most once more; every value has an id, a number or
/// packed digits, and a template id if it is cut. In place of these a value has two counts of words, and each of its words,
/// which are no more than its bytes, at most three numbers. So no block has more per byte and line.
const VALUES_PER_BYTE_MAX: usize = 6;
/// Room is made for so many templates or slots before it is known whether they are there.
const RESERVED_MAX: usize = 256;
/// Lines are cut into values, and values into pieces.
const DEPTH_MAX: usize = 2;

/// Reads the structure of a block of `line_count` lines from its section.
pub(super) fn read<S: Source>(sections: &Sections<S>, line_count: u32, byte_count: usize) -> Result<Templates, Error> {
    let structure = sections.get(Section::Structure as usize)?;
    let reader = Reader::new(structure, "structure");
    let values_left = VALUES_PER_BYTE_MAX * (byte_count + line_count as usize);
    let mut parser = Parser { reader, sections, used: vec![0; sections.count()], values_left };
    let root = parser.templates(line_count, 1)?;
    if !parser.reader.rest().is_empty() {
        return Err(parser.reader.corrupt());
    }
    Ok(root)
}

struct Parser<'s, S> {
    reader: Reader<'s>,
    sections: &'s Sections<S>,
    /// Of each section, the bytes that parts read so far have: parts follow one another in the order of the structure.
    used: Vec<usize>,
    /// How many more ids and numbers columns may have: some take no bytes at all.
    values_left: usize,
}

impl<S: Source> Parser<'_, S> {
    /// Takes `count` values off what the block may have.
    fn spend(&mut self, count: u32) -> Result<(), Error> {
        self.values_left = self.values_left.checked_sub(count as usize).ok_or_else(|| self.reader.corrupt())?;
        Ok(())
    }

    fn place(&mut self, length: usize) -> Result<Place, Error> {
        let section = self.reader.length(self.sections.count())?;
        let section_bytes = self.sections.section_bytes(section).ok_or_else(|| self.reader.corrupt())?;
        let start = self.used[section];
        if section_bytes - start < length {
            return Err(self.reader.corrupt());
        }
        self.used[section] += length;
        Ok(Place { section, start, length })
    }

    fn templates(&mut self, count: u32, depth: usize) -> Result<Templates, Error> {
        let limit = self.reader.count(count)?;
        let ids = self.ids(count, limit)?;
        let mut by_id = Vec::with_capacity((limit as usize).min(RESERVED_MAX));
        let (mut rest, mut longest) = (count, 0);
        for _ in 0..limit {
            let count = self.reader.count(rest)?;
            rest -= count;
            let template = self.template(count, depth)?;
            longest = longest.max(template.longest);
            by_id.push(template);
        }
        if rest != 0 {
            return Err(self.reader.corrupt());
        }
        Ok(Templates { count, by_id, longest, ids, index: OnceCell::new() })
    }

    fn template(&mut self, count: u32, depth: usize) -> Result<Template, Error> {
        // Each slot takes at least a byte.
        let slot_count = self.reader.length(self.reader.rest().len())?;
        let head = self.reader.span()?;
        let mut slots = Vec::with_capacity(slot_count.min(RESERVED_MAX));
        let mut longest = head.len();
        for _ in 0..slot_count {
            let slot = Slot { column: self.column(count, depth)?, tail: self.reader.span()? };
            longest = longest.saturating_add(slot.column.longest() + slot.tail.len());
            slots.push(slot);
        }
        Ok(Template { count, longest, head, slots })
    }

    fn column(&mut self, count: u32, depth: usize) -> Result<Column, Error> {
        let kind = Kind::ALL.get(usize::from(self.reader.byte()?)).ok_or_else(|| self.reader.corrupt())?;
        match kind {
            Kind::Text => Ok(Column::Text(self.strings(count)?)),
            Kind::Words => Ok(Column::Words(Box::new(self.words(count)?))),
            Kind::Prose => Ok(Column::Words(Box::new(self.prose(count)?))),
            Kind::Dictionary => {
                let limit = self.reader.count(count)?;
                Ok(Column::Dictionary { values: self.strings(limit)?, ids: self.ids(count, limit)? })
            }
            Kind::Decimal => {
                Ok(Column::Decimal { face: decimal::Face::read(&mut self.reader)?, numbers: self.numbers(count)? })
            }
            Kind::Hex => {
                self.spend(count)?;
                // A value has no more digits than its line has bytes. Of digits in rows that are not there, nothing would
                // show that they are not in the section either.
                let digits_max = if count == 0 { 0 } else { self.values_left.min(LINES_BYTES_MAX) };
                let face = hex::Face::read(&mut self.reader, digits_max)?;
                self.values_left -= face.digit_count();
                let packed_bytes = face.packed_bytes().checked_mul(count as usize);
                let packed = self.place(packed_bytes.ok_or_else(|| self.reader.corrupt())?)?;
                Ok(Column::Hex { face, packed })
            }
            Kind::Clock if depth < DEPTH_MAX => {
                let may_have_date = 5 <= self.sections.version();
                let face = clock::Face::read(&mut self.reader, may_have_date)?;
                Ok(Column::Clock { face, ahead: self.numbers(count)? })
            }
            Kind::Templates if depth < DEPTH_MAX => Ok(Column::Templates(self.templates(count, depth + 1)?)),
            Kind::Clock | Kind::Templates => Err(self.reader.corrupt()),
        }
    }

    fn words(&mut self, count: u32) -> Result<Words, Error> {
        let longest = self.reader.length(LINES_BYTES_MAX)?;
        let limit = self.reader.count(u32::MAX)?;
        let word_count = self.reader.count(u32::MAX)?;
        // Of one word, any number would fit into no bytes.
        if limit < 2 {
            return Err(self.reader.corrupt());
        }
        let vocabularies = [self.strings(limit)?, Strings::none(), Strings::none()];
        let sequence = Sequence::Ids { ids: self.ids(word_count, limit)?, by_text: self.numbers(count)? };
        Ok(Words { vocabularies, longest, sequence, ends: OnceCell::new() })
    }

    fn prose(&mut self, count: u32) -> Result<Words, Error> {
        let longest = self.reader.length(LINES_BYTES_MAX)?;
        let (mut limit, mut vocabularies) = (0, [const { Strings::none() }; VOCABULARIES]);
        for vocabulary in &mut vocabularies {
            let count = self.reader.count(u32::MAX - limit)?;
            *vocabulary = self.strings(count)?;
            limit += count;
        }
        let sequence = Sequence::Places(self.places(limit, count)?);
        Ok(Words { vocabularies, longest, sequence, ends: OnceCell::new() })
    }

    /// The words of `text_count` texts.
    fn places(&mut self, word_count: u32, text_count: u32) -> Result<Places, Error> {
        let count = self.reader.count(u32::MAX)?;
        self.spend(count)?;
        let limit = self.reader.count(word_count)?;
        let frequent_count = self.reader.count(count)?;
        let frequent = self.ids(frequent_count, limit)?;
        let by_text = [self.counts(text_count)?, self.counts(text_count)?];
        let counts = self.counts(word_count - limit)?;
        let (mut words_left, mut places_left) = (word_count - limit, count - frequent_count);
        let mut groups = Vec::new();
        for _ in 0..self.reader.count(words_left)? {
            let (word_count, place_count) = (self.reader.count(words_left)?, self.reader.count(places_left)?);
            words_left -= word_count;
            places_left -= place_count;
            groups.push(Group { word_count, gaps: self.counts(place_count)? });
        }
        if words_left != 0 || places_left != 0 {
            return Err(self.reader.corrupt());
        }
        let (ids, frequent_ends, are_rare) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Ok(Places { count, frequent, by_text, frequent_ends, counts, groups, ids, are_rare })
    }

    fn counts(&mut self, count: u32) -> Result<Counts, Error> {
        self.spend(count)?;
        let width = self.reader.length(size_of::<u32>())?;
        Ok(Counts { count, place: self.place(width * count as usize)? })
    }

    fn strings(&mut self, count: u32) -> Result<Strings, Error> {
        let length = self.reader.length(u32::MAX as usize)?;
        let longest = self.reader.length(length)?;
        let bits = self.reader.varint()?;
        let classes = match self.sections.version() {
            1 => Classes::from_version_1(bits),
            2 | 3 => Classes::from_version_3(bits),
            _ => Classes::from_bits(bits),
        };
        // Each is followed by a newline.
        if length < count as usize {
            return Err(self.reader.corrupt());
        }
        let place = self.place(length)?;
        let lengths = match self.reader.byte()? {
            0 => None,
            1 => Some(Box::new(self.numbers(count)?)),
            _ => return Err(self.reader.corrupt()),
        };
        Ok(Strings { count, classes, longest, place, lengths, ends: OnceCell::new() })
    }

    fn ids(&mut self, count: u32, limit: u32) -> Result<Ids, Error> {
        self.spend(count)?;
        let place = self.place(id_width(limit) * count as usize)?;
        Ok(Ids { count, limit, place, decoded: OnceCell::new() })
    }

    fn numbers(&mut self, count: u32) -> Result<Numbers, Error> {
        self.spend(count)?;
        let layout = Layout::read(&mut self.reader)?;
        let place = self.place(layout.plane_bytes(count))?;
        Ok(Numbers { count, layout, place, decoded: OnceCell::new() })
    }
}

impl Column {
    /// Bytes of the longest value, or more.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Text(values) | Self::Dictionary { values, .. } => values.longest,
            Self::Words(texts) => texts.longest,
            Self::Decimal { face, .. } => face.longest(),
            Self::Clock { face, .. } => face.longest(),
            Self::Hex { face, .. } => face.pattern.len(),
            Self::Templates(templates) => templates.longest,
        }
    }
}

impl Templates {
    /// Of each row, which template it has.
    pub(super) fn ids<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        self.ids.get(sections)
    }

    /// Calls `found` with each row that has one of the templates that `is_wanted`, and with the template.
    pub(super) fn each_id<S: Source>(
        &self,
        sections: &Sections<S>,
        is_wanted: &[bool],
        found: impl FnMut(u32, usize),
    ) -> Result<(), Error> {
        self.ids.each(sections, is_wanted, found)
    }

    /// Of each row, which row of its template's columns it is.
    pub(super) fn ranks<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        Ok(&self.index(sections)?.ranks)
    }

    /// The rows that have the template at `index`, ascending.
    pub(super) fn rows<S: Source>(&self, sections: &Sections<S>, index: usize) -> Result<&[u32], Error> {
        let rows = self.index(sections)?;
        let start = rows.starts[index] as usize;
        Ok(&rows.rows[start..start + self.by_id[index].count as usize])
    }

    fn index<S: Source>(&self, sections: &Sections<S>) -> Result<&Index, Error> {
        get_or_try_init(&self.index, || {
            let ids = self.ids(sections)?;
            let mut counts = vec![0; self.by_id.len()];
            let mut ranks = vec![0; ids.len()];
            for (rank, id) in ranks.iter_mut().zip(ids) {
                *rank = counts[*id as usize];
                counts[*id as usize] += 1;
            }
            if self.by_id.iter().zip(&counts).any(|(template, count)| template.count != *count) {
                return Err(self.ids.place.corrupt("rows of templates"));
            }
            let starts: Vec<u32> =
                counts.iter().scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect();
            let mut rows = vec![0; ids.len()];
            for ((row, id), rank) in (0..).zip(ids).zip(&ranks) {
                rows[(starts[*id as usize] + rank) as usize] = row;
            }
            Ok(Index { ranks, rows, starts })
        })
    }
}
