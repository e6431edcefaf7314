//! A block as columns: what its lines have in common and what varies, for whoever can do without the lines.
//!
//! The lines of one template are literals and columns by turns. Of a column there is to be known what its values look like,
//! first as far as the structure of the block tells ([`TemplateColumns::faces`]), then as its values show; which of its few
//! values a line has ([`TemplateColumns::codes`]); or the numbers that its values are.

use std::cell::OnceCell;

use regex::bytes::Regex;

use super::Error;
use super::face::{Face, faces};
use super::lines::{LineReader, View};
use super::parts::{Strings, Words, get_or_try_init, range};
use super::read::Block;
use super::rows::Rows;
use super::sections::Source;
use super::structure::{Column, Template, Templates};
use super::tokenize::{SLOT, is_alphanumeric};
use crate::model::Timestamp;

/// The lines of a block by template and column.
#[derive(Debug)]
pub struct Columns<'b, S> {
    block: &'b Block<S>,
    root: &'b Templates,
}

/// The lines of one template. Those of a block with this template are counted from 0: that is a line's rank.
#[derive(Debug)]
pub struct TemplateColumns<'b, S> {
    block: &'b Block<S>,
    /// How many lines have the template.
    count: u32,
    pieces: Vec<Piece<'b>>,
    columns: Vec<(&'b Column, OnceCell<View<'b>>)>,
}

/// A piece of all lines of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'b> {
    /// Text that all of them have.
    Literal(&'b [u8]),
    /// A column, by its number.
    Column(usize),
}

/// What stands for the value that a line has in a column.
#[derive(Clone, Copy, Debug)]
pub enum Codes<'b> {
    /// Equal numbers for equal values, all below `limit`.
    Ids {
        /// By rank.
        ids: &'b [u32],
        /// More than the greatest of them.
        limit: u32,
    },
    /// The values are different where the numbers are.
    Numbers(Decimals<'b>),
}

/// Values that are decimal numbers, written in one way.
#[derive(Clone, Copy, Debug)]
pub struct Decimals<'b> {
    /// The numbers without their points, by rank; none is negative.
    pub numbers: &'b [i64],
    /// How many digits are after the point.
    pub fraction: usize,
    /// Whether the values are nothing but numbers.
    pub is_bare: bool,
}

impl<'b, S: Source> Columns<'b, S> {
    /// Of the lines of `block`.
    pub fn new(block: &'b Block<S>) -> Result<Self, Error> {
        Ok(Self { block, root: block.root()? })
    }

    /// How many templates there are.
    pub fn template_count(&self) -> usize {
        self.root.by_id.len()
    }

    /// Bytes of text in all lines, and how many lines there are.
    pub fn extent(&self) -> (usize, u32) {
        (self.block.byte_count(), self.block.line_count())
    }

    /// The time of each line, in nanoseconds since the Unix epoch.
    pub fn timestamps_ns(&self) -> Result<&'b [i64], Error> {
        self.block.timestamps_ns()
    }

    /// The bytes of text of all lines from `first` to `last`; `None` where it takes a look at lines to know that.
    pub fn bytes_between(&self, first: Timestamp, last: Timestamp) -> Result<Option<u64>, Error> {
        self.block.bytes_between(first, last)
    }

    /// Which template each line has.
    pub fn template_ids(&self) -> Result<&'b [u32], Error> {
        self.root.ids(&self.block.sections)
    }

    /// Of each line, its rank among those of its template.
    pub fn ranks(&self) -> Result<&'b [u32], Error> {
        self.root.ranks(&self.block.sections)
    }

    /// The lines put together, for those that columns do not answer for.
    pub fn lines(&self) -> Result<LineReader<'b, S>, Error> {
        self.block.lines()
    }

    /// The lines of the template at `index`.
    pub fn template(&self, index: usize) -> Result<TemplateColumns<'b, S>, Error> {
        TemplateColumns::new(self.block, &self.root.by_id[index])
    }
}

impl<'b, S: Source> TemplateColumns<'b, S> {
    fn new(block: &'b Block<S>, template: &'b Template) -> Result<Self, Error> {
        let mut columns = Self { block, count: template.count, pieces: Vec::new(), columns: Vec::new() };
        columns.add_template(block.structure()?, template);
        Ok(columns)
    }

    /// Adds the pieces of a template. A column whose values are all cut in one way is what it is cut into.
    fn add_template(&mut self, structure: &'b [u8], template: &'b Template) {
        self.add_literal(template.head.of(structure));
        for slot in &template.slots {
            match &slot.column {
                Column::Templates(values) if values.by_id.len() == 1 => self.add_template(structure, &values.by_id[0]),
                column => {
                    self.pieces.push(Piece::Column(self.columns.len()));
                    self.columns.push((column, OnceCell::new()));
                }
            }
            self.add_literal(slot.tail.of(structure));
        }
    }

    fn add_literal(&mut self, text: &'b [u8]) {
        self.pieces.extend(Some(text).filter(|text| !text.is_empty()).map(Piece::Literal));
    }

    /// How many lines there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What the lines are made of, from their beginning to their end.
    pub fn pieces(&self) -> &[Piece<'b>] {
        &self.pieces
    }

    /// How many columns there are.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// What the values of a column look like, from their beginning to their end: as far as the structure tells, or as all
    /// of them show.
    pub fn faces(&self, column: usize, is_exact: bool) -> Result<Vec<Face<'b>>, Error> {
        faces(self.block, self.columns[column].0, is_exact)
    }

    /// Whether each value of a column, in a string of JSON, leaves that open: before every quote is a backslash that escapes it,
    /// and no escape is cut off. `false` for columns whose values are not at hand.
    pub fn is_escaped(&self, column: usize) -> Result<bool, Error> {
        let is_escaped = |strings: &Strings| Ok(is_escaped(strings.text(&self.block.sections)?));
        match self.columns[column].0 {
            Column::Text(strings) | Column::Dictionary { values: strings, .. } => is_escaped(strings),
            Column::Words(words) => {
                let vocabularies = words.vocabularies.iter().filter(|vocabulary| 0 < vocabulary.count);
                Ok(vocabularies.map(is_escaped).collect::<Result<Vec<bool>, Error>>()?.into_iter().all(|is| is))
            }
            Column::Decimal { .. } | Column::Clock { .. } | Column::Hex { .. } | Column::Templates(_) => Ok(false),
        }
    }

    /// Whether the values of a column are made of the times of the lines, too.
    pub fn is_clock(&self, column: usize) -> bool {
        matches!(self.columns[column].0, Column::Clock { .. })
    }

    /// What stands for the values of a column; `None` where nothing shorter than themselves does.
    pub fn codes(&self, column: usize) -> Result<Option<Codes<'b>>, Error> {
        let sections = &self.block.sections;
        Ok(match self.columns[column].0 {
            Column::Dictionary { ids, .. } => Some(Codes::Ids { ids: ids.get(sections)?, limit: ids.limit }),
            Column::Decimal { face, numbers } => Some(Codes::Numbers(Decimals {
                numbers: numbers.get(sections)?,
                fraction: face.fraction(),
                is_bare: face.prefix.len() + face.suffix.len() == 0,
            })),
            _ => None,
        })
    }

    /// Appends the value that the line at `rank` has in a column, if its entry is at `timestamp_ns`.
    pub fn append_value(&self, column: usize, rank: u32, timestamp_ns: i64, out: &mut Vec<u8>) -> Result<(), Error> {
        let (column, view) = &self.columns[column];
        get_or_try_init(view, || View::new(self.block, column))?.append(rank, timestamp_ns, out);
        Ok(())
    }

    /// The lines, by rank, whose value in a column `words` match, an expression that matches letters alone. `None` for
    /// columns whose values are not at hand.
    pub fn holding(&self, column: usize, words: &Regex) -> Result<Option<Rows>, Error> {
        holding(self.block, self.columns[column].0, self.count, words)
    }

    /// How many bytes each line has, by rank.
    pub fn lengths(&self) -> Result<Vec<u32>, Error> {
        let literal = |piece: &Piece<'_>| if let Piece::Literal(text) = piece { text.len() } else { 0 };
        let mut lengths = vec![to_u32(self.pieces.iter().map(literal).sum()); self.count as usize];
        self.columns.iter().try_for_each(|(column, _)| add_lengths(self.block, column, &mut lengths))?;
        Ok(lengths)
    }
}

/// Whether texts with a newline after each leave a string of JSON open, one by one.
fn is_escaped(texts: &[u8]) -> bool {
    let mut rest = texts;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        match rest[at..] {
            [b'\\', escaped, ..] if escaped != b'\n' => rest = &rest[at + 2..],
            _ => return false,
        }
    }
    true
}

/// Lines are shorter than this counts; those of a forged block that are not are as long as it counts.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Calls `found` with the strings that an expression matches that no newline is part of; says whether there are some.
fn matching<S: Source>(
    block: &Block<S>,
    strings: &Strings,
    expression: &Regex,
    mut found: impl FnMut(u32),
) -> Result<bool, Error> {
    let text = strings.text(&block.sections)?;
    let (mut at, mut are_some) = (0, false);
    while let Some(start) = expression.find_at(text, at).map(|found| found.start()) {
        let ends = strings.ends(&block.sections)?;
        let index = ends.partition_point(|end| (*end as usize) < start);
        if index == ends.len() {
            break;
        }
        found(to_u32(index));
        are_some = true;
        at = ends[index] as usize + 1;
    }
    Ok(are_some)
}

/// Which of the `count` values of a column `words` match; see [`TemplateColumns::holding`].
fn holding<S: Source>(block: &Block<S>, column: &Column, count: u32, words: &Regex) -> Result<Option<Rows>, Error> {
    let sections = &block.sections;
    let mut rows = Rows::none(count);
    match column {
        Column::Text(strings) => {
            matching(block, strings, words, |row| rows.insert(row))?;
        }
        Column::Dictionary { values, ids } => {
            let mut wanted = Rows::none(values.count);
            if matching(block, values, words, |id| wanted.insert(id))? {
                ids.find(sections, &wanted, |row| rows.insert(to_u32(row)))?;
            }
        }
        Column::Words(texts) => {
            // What is letters alone lies within one word.
            let (mut wanted, mut first, mut are_some) = (Rows::none(texts.limit()), 0, false);
            for vocabulary in texts.vocabularies.iter().filter(|vocabulary| 0 < vocabulary.count) {
                are_some |= matching(block, vocabulary, words, |word| wanted.insert(first + word))?;
                first += vocabulary.count;
            }
            if are_some {
                texts.find(sections, &wanted, |text| rows.insert(to_u32(text)))?;
            }
        }
        Column::Decimal { face, .. } => {
            let structure = block.structure()?;
            if words.is_match(face.prefix.of(structure)) || words.is_match(face.suffix.of(structure)) {
                rows = Rows::all(count);
            }
        }
        Column::Templates(templates) => {
            for (index, template) in templates.by_id.iter().enumerate() {
                let Some(of_template) = holding_in(block, template, words)? else { return Ok(None) };
                if !of_template.is_empty() {
                    let all = templates.rows(sections, index)?;
                    of_template.iter().for_each(|rank| rows.insert(all[rank as usize]));
                }
            }
        }
        // Their digits may be letters.
        Column::Hex { face, .. } if face.pattern.iter().any(|byte| *byte != SLOT && byte.is_ascii_alphabetic()) => {
            return Ok(None);
        }
        Column::Hex { .. } => {}
        Column::Clock { .. } => return Ok(None),
    }
    Ok(Some(rows))
}

/// Which values of one template `words` match; `None` also where some may lie across what it is made of.
fn holding_in<S: Source>(block: &Block<S>, template: &Template, words: &Regex) -> Result<Option<Rows>, Error> {
    let structure = block.structure()?;
    let is_open = |byte: Option<&u8>| byte.is_some_and(|byte| is_alphanumeric(*byte));
    let mut before = template.head.of(structure);
    let mut rows = if words.is_match(before) { Rows::all(template.count) } else { Rows::none(template.count) };
    for (number, slot) in template.slots.iter().enumerate() {
        let after = slot.tail.of(structure);
        let is_between_values = before.is_empty() && 0 < number;
        if is_open(before.last()) || is_between_values || is_open(after.first()) {
            return Ok(None);
        }
        let Some(of_column) = holding(block, &slot.column, template.count, words)? else { return Ok(None) };
        rows.unite(&of_column);
        if words.is_match(after) {
            rows = Rows::all(template.count);
        }
        before = after;
    }
    Ok(Some(rows))
}

/// Adds how many bytes each value of a column has.
fn add_lengths<S: Source>(block: &Block<S>, column: &Column, lengths: &mut [u32]) -> Result<(), Error> {
    let sections = &block.sections;
    let add = |lengths: &mut [u32], of: &mut dyn FnMut(usize) -> usize| {
        lengths.iter_mut().enumerate().for_each(|(row, length)| *length = length.saturating_add(to_u32(of(row))));
    };
    match column {
        Column::Text(strings) => {
            let ends = strings.ends(sections)?;
            add(lengths, &mut |row| range(ends, row).len());
        }
        Column::Dictionary { values, ids } => {
            let (ends, ids) = (values.ends(sections)?, ids.get(sections)?);
            let by_id: Vec<usize> = (0..ends.len()).map(|index| range(ends, index).len()).collect();
            add(lengths, &mut |row| by_id[ids[row] as usize]);
        }
        Column::Words(words) => {
            let by_id = word_lengths(block, words)?;
            let (ids, ends) = (words.ids(sections)?, words.ends(sections)?);
            let mut start = 0;
            add(lengths, &mut |row| {
                let end = ends[row] as usize;
                ids[std::mem::replace(&mut start, end)..end].iter().map(|id| by_id[*id as usize]).sum()
            });
        }
        Column::Decimal { face, numbers } => {
            let numbers = numbers.get(sections)?;
            let others = face.prefix.len() + face.suffix.len() + usize::from(0 < face.fraction());
            add(lengths, &mut |row| others + face.digit_count(numbers[row]));
        }
        Column::Clock { face, .. } => add(lengths, &mut |_| face.longest()),
        Column::Hex { face, .. } => add(lengths, &mut |_| face.pattern.len()),
        Column::Templates(templates) => {
            let by_template = templates.by_id.iter().map(|template| TemplateColumns::new(block, template)?.lengths());
            let by_template: Vec<Vec<u32>> = by_template.collect::<Result<_, Error>>()?;
            let (ids, ranks) = (templates.ids(sections)?, templates.ranks(sections)?);
            add(lengths, &mut |row| by_template[ids[row] as usize][ranks[row] as usize] as usize);
        }
    }
    Ok(())
}

/// How many bytes each word has, by id.
fn word_lengths<S: Source>(block: &Block<S>, words: &Words) -> Result<Vec<usize>, Error> {
    let mut lengths = Vec::with_capacity(words.limit() as usize);
    for vocabulary in &words.vocabularies {
        let ends = if vocabulary.count == 0 { &[][..] } else { vocabulary.ends(&block.sections)? };
        lengths.extend((0..ends.len()).map(|index| range(ends, index).len()));
    }
    Ok(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_leave_strings_open_where_all_quotes_are_escaped() {
        for texts in ["", "a\n", "\\\"a\\\"\nb\n", "\\\\\n\\n\n", "\\u00e9\n"] {
            assert!(is_escaped(texts.as_bytes()), "{texts:?}");
        }
        for texts in ["\"\n", "a\\\n", "a\\", "\\\\\"\n", "a\\\nb\n", "b\na\"b\n"] {
            assert!(!is_escaped(texts.as_bytes()), "{texts:?}");
        }
    }
}
