//! Puts lines together again: a view of each template's columns, made when its first line is asked for.

use super::Error;
use super::clock;
use super::decimal;
use super::hex;
use super::parts::{Strings, Words, range};
use super::places::VOCABULARIES;
use super::read::Block;
use super::sections::Source;
use super::structure::{Column, Template};
use crate::model::LINES_BYTES_MAX;

/// The lines of a block, one at a time and each at most once; keep it for many lines.
///
/// Making the view of a template reads and checks its columns; after that its lines cannot fail.
#[derive(Debug)]
pub struct LineReader<'b, S> {
    block: &'b Block<S>,
    ids: &'b [u32],
    ranks: &'b [u32],
    timestamps_ns: &'b [i64],
    views: Vec<Option<TemplateView<'b>>>,
    /// How many bytes the lines that are to come have at most.
    rest_bytes: usize,
}

impl<'b, S: Source> LineReader<'b, S> {
    pub(super) fn new(block: &'b Block<S>) -> Result<Self, Error> {
        let root = block.root()?;
        let (ids, ranks) = (root.ids(&block.sections)?, root.ranks(&block.sections)?);
        let views = std::iter::repeat_with(|| None).take(root.by_id.len()).collect();
        Ok(Self { block, ids, ranks, timestamps_ns: block.timestamps_ns()?, views, rest_bytes: block.byte_count() })
    }

    /// Appends the line at `row`; panics past the last line.
    ///
    /// # Errors
    ///
    /// What reading and checking its columns says; [`Error::Corrupt`] where this line and those before it
    /// have more bytes than the block, which only a forged one has.
    pub fn append(&mut self, row: u32, out: &mut Vec<u8>) -> Result<(), Error> {
        let id = self.ids[row as usize] as usize;
        let view = match &self.views[id] {
            Some(view) => view,
            None => self.views[id].insert(TemplateView::new(self.block, &self.block.root()?.by_id[id])?),
        };
        let start = out.len();
        view.append(self.ranks[row as usize], self.timestamps_ns[row as usize], out);
        let rest_bytes = self.rest_bytes.checked_sub(out.len() - start);
        self.rest_bytes = rest_bytes.ok_or(Error::Corrupt { what: "bytes of text", offset: row as usize })?;
        Ok(())
    }
}

/// A template with its columns decoded.
#[derive(Debug)]
pub(super) struct TemplateView<'b> {
    head: &'b [u8],
    slots: Vec<(View<'b>, &'b [u8])>,
}

impl<'b> TemplateView<'b> {
    pub(super) fn new<S: Source>(block: &'b Block<S>, template: &'b Template) -> Result<Self, Error> {
        let structure = block.structure()?;
        let slots = template.slots.iter();
        let slots = slots.map(|slot| Ok((View::new(block, &slot.column)?, slot.tail.of(structure))));
        Ok(Self { head: template.head.of(structure), slots: slots.collect::<Result<_, Error>>()? })
    }

    /// Appends row `rank` of the template, in an entry at `timestamp_ns`.
    pub(super) fn append(&self, rank: u32, timestamp_ns: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head);
        let start = out.len();
        for (view, tail) in &self.slots {
            if LINES_BYTES_MAX < out.len() - start {
                return; // Only a forged block comes here; the caller notices.
            }
            view.append(rank, timestamp_ns, out);
            out.extend_from_slice(tail);
        }
    }
}

/// A column decoded. All ids were checked to be within their texts.
#[derive(Debug)]
pub(super) enum View<'b> {
    Text(Texts<'b>),
    Words { words: Vocabulary<'b>, ids: &'b [u32], ends: &'b [u32] },
    Dictionary { values: Texts<'b>, ids: &'b [u32] },
    Decimal { face: &'b decimal::Face, structure: &'b [u8], numbers: &'b [i64] },
    Clock { face: &'b clock::Face, structure: &'b [u8], ahead: &'b [i64] },
    Templates { ids: &'b [u32], ranks: &'b [u32], templates: Vec<TemplateView<'b>> },
    Hex { face: &'b hex::Face, packed: &'b [u8], width: usize },
}

impl<'b> View<'b> {
    pub(super) fn new<S: Source>(block: &'b Block<S>, column: &'b Column) -> Result<Self, Error> {
        let sections = &block.sections;
        let structure = block.structure()?;
        Ok(match column {
            Column::Text(values) => Self::Text(Texts::new(block, values)?),
            Column::Words(texts) => Self::Words {
                words: Vocabulary::new(block, texts)?,
                ids: texts.ids(sections)?,
                ends: texts.ends(sections)?,
            },
            Column::Dictionary { values, ids } => {
                Self::Dictionary { values: Texts::new(block, values)?, ids: ids.get(sections)? }
            }
            Column::Decimal { face, numbers } => Self::Decimal { face, structure, numbers: numbers.get(sections)? },
            Column::Clock { face, ahead } => Self::Clock { face, structure, ahead: ahead.get(sections)? },
            Column::Hex { face, packed } => {
                Self::Hex { face, packed: packed.get(sections)?, width: face.packed_bytes() }
            }
            Column::Templates(templates) => {
                let views = templates.by_id.iter().map(|template| TemplateView::new(block, template));
                let views = views.collect::<Result<_, Error>>()?;
                Self::Templates { ids: templates.ids(sections)?, ranks: templates.ranks(sections)?, templates: views }
            }
        })
    }

    /// Appends the value at `row`, in an entry at `timestamp_ns`.
    pub(super) fn append(&self, row: u32, timestamp_ns: i64, out: &mut Vec<u8>) {
        let row = row as usize;
        match self {
            Self::Text(texts) => texts.append(row, out),
            Self::Words { words, ids, ends } => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                let first = out.len();
                for id in &ids[start as usize..ends[row] as usize] {
                    if LINES_BYTES_MAX < out.len() - first {
                        return; // Only a forged block comes here; the caller notices.
                    }
                    words.append(*id as usize, out);
                }
            }
            Self::Dictionary { values, ids } => values.append(ids[row] as usize, out),
            Self::Decimal { face, structure, numbers } => face.append(structure, numbers[row], out),
            Self::Clock { face, structure, ahead } => face.append(structure, ahead[row], timestamp_ns, out),
            Self::Hex { face, packed, width } => face.append(&packed[row * width..][..*width], out),
            Self::Templates { ids, ranks, templates } => {
                templates[ids[row] as usize].append(ranks[row], timestamp_ns, out);
            }
        }
    }
}

/// Texts one after the other, and where each ends.
#[derive(Debug)]
pub(super) struct Texts<'b> {
    text: &'b [u8],
    ends: &'b [u32],
}

/// The words that texts are made of; they go on from part to part.
#[derive(Debug)]
pub(super) struct Vocabulary<'b>([Texts<'b>; VOCABULARIES]);

impl<'b> Vocabulary<'b> {
    pub(super) fn new<S: Source>(block: &'b Block<S>, words: &'b Words) -> Result<Self, Error> {
        let [words, names, numbers] = &words.vocabularies;
        Ok(Self([Texts::new(block, words)?, Texts::new(block, names)?, Texts::new(block, numbers)?]))
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|texts| texts.ends.len()).sum()
    }

    /// The word at `index`.
    pub(super) fn get(&self, index: usize) -> &'b [u8] {
        let (texts, index) = self.locate(index);
        texts.get(index)
    }

    fn append(&self, index: usize, out: &mut Vec<u8>) {
        let (texts, index) = self.locate(index);
        texts.append(index, out);
    }

    /// The part that the word at `index` is in, and where in it.
    fn locate(&self, index: usize) -> (&Texts<'b>, usize) {
        let [words, names, numbers] = &self.0;
        match index.checked_sub(words.ends.len()) {
            None => (words, index),
            Some(index) => match index.checked_sub(names.ends.len()) {
                None => (names, index),
                Some(index) => (numbers, index),
            },
        }
    }
}

/// Bytes that are copied at once: copying a constant number is several times faster than copying a few.
const COPY_BYTES: usize = 16;

impl<'b> Texts<'b> {
    pub(super) fn new<S: Source>(block: &'b Block<S>, strings: &'b Strings) -> Result<Self, Error> {
        Ok(Self { text: strings.text(&block.sections)?, ends: strings.ends(&block.sections)? })
    }

    /// The text at `index`.
    pub(super) fn get(&self, index: usize) -> &'b [u8] {
        &self.text[range(self.ends, index)]
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'b [u8]> {
        (0..self.ends.len()).map(|index| self.get(index))
    }

    fn append(&self, index: usize, out: &mut Vec<u8>) {
        let range = range(self.ends, index);
        let length = out.len() + range.len();
        match self.text[range.start..].first_chunk::<COPY_BYTES>() {
            Some(chunk) if range.len() <= COPY_BYTES => {
                out.extend_from_slice(chunk);
                out.truncate(length);
            }
            _ => out.extend_from_slice(&self.text[range]),
        }
    }
}
