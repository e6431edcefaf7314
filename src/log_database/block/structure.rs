//! The structure of a block, read and checked: templates, their columns, and where in which section the columns' parts
//! are. Parts are decoded when they are first asked for, and kept.

use std::cell::OnceCell;

use super::classes::Classes;
use super::clock;
use super::decimal;
use super::numbers::{self, Layout, id_width};
use super::sections::{Sections, Source};
use super::wire::{Reader, Span};
use super::{Error, LINES_MAX};
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
}

impl Section {
    /// How many there are.
    pub(super) const SHARED: usize = Self::Text as usize + 1;
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
}

impl Kind {
    const ALL: [Self; 6] = [Self::Text, Self::Words, Self::Dictionary, Self::Decimal, Self::Clock, Self::Templates];
}

/// A part of a section.
#[derive(Clone, Copy, Debug)]
struct Place {
    section: usize,
    start: usize,
    length: usize,
}

impl Place {
    fn get<'s, S: Source>(&self, sections: &'s Sections<S>) -> Result<&'s [u8], Error> {
        let section = sections.get(self.section)?;
        Ok(&section[self.start..self.start + self.length])
    }

    fn corrupt(&self, what: &'static str) -> Error {
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
    place: Place,
    /// Their lengths, where newlines do not tell.
    lengths: Option<Numbers>,
    ends: OnceCell<Vec<u32>>,
}

/// Texts as sequences of words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) words: Strings,
    /// Bytes of the longest text.
    pub(super) longest: usize,
    /// The words of all texts one after the other.
    ids: Ids,
    /// How many words each text has.
    counts: Numbers,
    /// Where in `ids` each text ends.
    ends: OnceCell<Vec<u32>>,
}

/// Which of a column's distinct values, or of its templates, each row has.
#[derive(Debug)]
pub(super) struct Ids {
    count: u32,
    /// All ids are below it.
    limit: u32,
    place: Place,
    decoded: OnceCell<Vec<u32>>,
}

/// An integer for each row.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) count: u32,
    layout: Layout,
    place: Place,
    decoded: OnceCell<Vec<i64>>,
}

/// What varies between the rows of a template.
#[derive(Debug)]
pub(super) enum Column {
    Text(Strings),
    Words(Words),
    Dictionary { values: Strings, ids: Ids },
    Decimal { face: decimal::Face, numbers: Numbers },
    Clock { face: clock::Face, ahead: Numbers },
    Templates(Templates),
}

/// Templates, and which of them each row has.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) count: u32,
    pub(super) templates: Vec<Template>,
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

/// A line of `n` bytes has at most `n + 1` values, each of which is cut at most once more; every value has an id or a number,
/// and a template id if it is cut. So no block has more per byte and line.
const VALUES_PER_BYTE_MAX: usize = 4;
/// Lines are cut into values, and values into pieces.
const DEPTH_MAX: usize = 2;

/// Reads the structure of a block of `line_count` lines from its section.
pub(super) fn read<S: Source>(
    sections: &Sections<S>,
    line_count: u32,
    byte_count: usize,
) -> Result<Templates, Error> {
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

/// Reads an integer column that is a section of its own: layout, then planes.
pub(super) fn read_timestamps(section: &[u8], count: u32) -> Result<Vec<i64>, Error> {
    let mut reader = Reader::new(section, "timestamps");
    let layout = Layout::read(&mut reader)?;
    if reader.rest().len() != layout.plane_bytes(count) {
        return Err(reader.corrupt());
    }
    Ok(layout.decode(reader.rest(), count))
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
        let mut templates = Vec::new();
        let (mut rest, mut longest) = (count, 0);
        for _ in 0..limit {
            let count = self.reader.count(rest)?;
            rest -= count;
            let template = self.template(count, depth)?;
            longest = longest.max(template.longest);
            templates.push(template);
        }
        if rest != 0 {
            return Err(self.reader.corrupt());
        }
        Ok(Templates { count, templates, longest, ids, index: OnceCell::new() })
    }

    fn template(&mut self, count: u32, depth: usize) -> Result<Template, Error> {
        // Each slot takes at least a byte.
        let slot_count = self.reader.length(self.reader.rest().len())?;
        let head = self.reader.span()?;
        let mut slots = Vec::new();
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
            Kind::Words => Ok(Column::Words(self.words(count)?)),
            Kind::Dictionary => {
                let limit = self.reader.count(count)?;
                Ok(Column::Dictionary { values: self.strings(limit)?, ids: self.ids(count, limit)? })
            }
            Kind::Decimal => {
                Ok(Column::Decimal { face: decimal::Face::read(&mut self.reader)?, numbers: self.numbers(count)? })
            }
            Kind::Clock if depth < DEPTH_MAX => {
                Ok(Column::Clock { face: clock::Face::read(&mut self.reader)?, ahead: self.numbers(count)? })
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
        let words = self.strings(limit)?;
        let ids = self.ids(word_count, limit)?;
        Ok(Words { words, longest, ids, counts: self.numbers(count)?, ends: OnceCell::new() })
    }

    fn strings(&mut self, count: u32) -> Result<Strings, Error> {
        let length = self.reader.length(u32::MAX as usize)?;
        let longest = self.reader.length(length)?;
        let classes = u16::try_from(self.reader.varint()?).map_err(|_| self.reader.corrupt())?;
        let place = self.place(length)?;
        let lengths = match self.reader.byte()? {
            0 => None,
            1 => Some(self.numbers(count)?),
            _ => return Err(self.reader.corrupt()),
        };
        Ok(Strings { count, classes: Classes::from_bits(classes), longest, place, lengths, ends: OnceCell::new() })
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

/// What `cell` holds, or what `make` puts into it.
pub(super) fn get_or_try_init<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

impl Strings {
    /// All of them, each followed by a newline.
    pub(super) fn text<'s, S: Source>(&self, sections: &'s Sections<S>) -> Result<&'s [u8], Error> {
        self.place.get(sections)
    }

    /// Where in the text each one's newline is.
    pub(super) fn ends<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ends = get_or_try_init(&self.ends, || {
            let text = self.text(sections)?;
            let ends = match &self.lengths {
                None => newlines(text),
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

    /// The one at `index`; panics past the last one.
    pub(super) fn get<'s, S: Source>(&self, sections: &'s Sections<S>, index: u32) -> Result<&'s [u8], Error> {
        let ends = self.ends(sections)?;
        Ok(&self.text(sections)?[range(ends, index as usize)])
    }
}

/// Where the text at `index` is.
pub(super) fn range(ends: &[u32], index: usize) -> std::ops::Range<usize> {
    let start = if index == 0 { 0 } else { ends[index - 1] as usize + 1 };
    start..ends[index] as usize
}

fn newlines(text: &[u8]) -> Vec<u32> {
    memchr::memchr_iter(b'\n', text).map(|at| u32::try_from(at).expect("sections are bounded")).collect()
}

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

impl Words {
    /// The words of all texts, one text after the other; all are of the vocabulary.
    pub(super) fn ids<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        self.ids.get(sections)
    }

    /// Where each text's words end.
    pub(super) fn ends<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        let ends = get_or_try_init(&self.ends, || {
            let mut end = 0_u32;
            let ends = self.counts.get(sections)?.iter().map_while(|count| {
                end = end.checked_add(u32::try_from(*count).ok()?)?;
                Some(end)
            });
            let ends: Vec<u32> = ends.collect();
            if ends.len() != self.counts.count as usize || end != self.ids.count {
                return Err(self.ids.place.corrupt("words of texts"));
            }
            Ok(ends)
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
}

impl Numbers {
    /// The number of each row.
    pub(super) fn get<S: Source>(&self, sections: &Sections<S>) -> Result<&[i64], Error> {
        let numbers =
            get_or_try_init(&self.decoded, || Ok(self.layout.decode(self.place.get(sections)?, self.count)))?;
        Ok(numbers)
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
            Self::Templates(templates) => templates.longest,
        }
    }
}

impl Templates {
    /// Of each row, which template it has.
    pub(super) fn ids<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        self.ids.get(sections)
    }

    /// Of each row, which row of its template's columns it is.
    pub(super) fn ranks<S: Source>(&self, sections: &Sections<S>) -> Result<&[u32], Error> {
        Ok(&self.index(sections)?.ranks)
    }

    /// The rows that have the template at `index`, ascending.
    pub(super) fn rows<S: Source>(&self, sections: &Sections<S>, index: usize) -> Result<&[u32], Error> {
        let rows = self.index(sections)?;
        let start = rows.starts[index] as usize;
        Ok(&rows.rows[start..start + self.templates[index].count as usize])
    }

    fn index<S: Source>(&self, sections: &Sections<S>) -> Result<&Index, Error> {
        get_or_try_init(&self.index, || {
            let ids = self.ids(sections)?;
            let mut counts = vec![0; self.templates.len()];
            let mut ranks = vec![0; ids.len()];
            for (rank, id) in ranks.iter_mut().zip(ids) {
                *rank = counts[*id as usize];
                counts[*id as usize] += 1;
            }
            if self.templates.iter().zip(&counts).any(|(template, count)| template.count != *count) {
                return Err(self.ids.place.corrupt("rows of templates"));
            }
            let starts: Vec<u32> = counts.iter().scan(0, |next, count| Some(std::mem::replace(next, *next + count))).collect();
            let mut rows = vec![0; ids.len()];
            for ((row, id), rank) in (0..).zip(ids).zip(&ranks) {
                rows[(starts[*id as usize] + rank) as usize] = row;
            }
            Ok(Index { ranks, rows, starts })
        })
    }
}

const _: () = assert!(LINES_MAX < u32::MAX);
