//! Which rows contain a needle: answered from the vocabulary alone, and exactly.
//!
//! A needle lies within one literal, within one value, or across some of them. Literals are searched as they are;
//! columns answer for their own values, a dictionary once per distinct value; and [`super::align`] lists the ways of
//! lying across, each of which says what columns have to hold in the same row.

use super::Error;
use super::align::align;
use super::classes::Classes;
use super::lines::{TemplateView, View, Vocabulary};
use super::needle::{Part, Probe};
use super::parts::{Strings, Words, range};
use super::read::Block;
use super::rows::Rows;
use super::sections::Source;
use super::structure::{Column, Template, Templates};
use super::words::{Matched, Matcher};

/// The rows of a column, or of a template, that a probe was found in.
#[derive(Debug)]
pub(super) enum Found {
    None,
    All,
    Some(Rows),
}

/// Whose rows the rows of a template are, to know the times of their entries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// The template of the block at this index.
    Block(usize),
    /// A column's; no time is asked for in there.
    Column,
}

impl Found {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, found) | (found, Self::None) => found,
            (Self::Some(mut rows), Self::Some(other)) => {
                rows.unite(&other);
                Self::Some(rows)
            }
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::All, found) | (found, Self::All) => found,
            (Self::Some(mut rows), Self::Some(other)) => {
                rows.intersect(&other);
                Self::Some(rows)
            }
        }
    }

    /// The same as a set of `count` rows.
    pub(super) fn of(self, count: u32) -> Rows {
        match self {
            Self::None => Rows::none(count),
            Self::All => Rows::all(count),
            Self::Some(rows) => rows,
        }
    }

    /// The rows `0..count` that `test` accepts.
    pub(super) fn by(count: u32, test: impl FnMut(u32) -> bool) -> Self {
        rows_by(count, test).map_or(Self::None, Self::Some)
    }
}

/// Rows are counted in 32 bits.
fn to_row(index: usize) -> u32 {
    u32::try_from(index).expect("bounded by the count")
}

/// The rows `0..count` that `test` accepts; `None` for none.
fn rows_by(count: u32, mut test: impl FnMut(u32) -> bool) -> Option<Rows> {
    let mut found = None;
    for row in 0..count {
        if test(row) {
            found.get_or_insert_with(|| Rows::none(count)).insert(row);
        }
    }
    found
}

impl<S: Source> Block<S> {
    /// The lines that contain the probe.
    pub(super) fn find(&self, probe: &Probe<'_>) -> Result<Rows, Error> {
        Ok(self.find_in_templates(self.root()?, probe, true)?.of(self.line_count()))
    }

    fn find_in_templates(&self, templates: &Templates, probe: &Probe<'_>, is_root: bool) -> Result<Found, Error> {
        let by_template = templates.by_id.iter().enumerate().map(|(index, template)| {
            let owner = if is_root { Owner::Block(index) } else { Owner::Column };
            self.find_in_template(template, probe, owner)
        });
        let by_template: Vec<Found> = by_template.collect::<Result<_, _>>()?;
        self.unite(templates, &by_template)
    }

    /// The rows of all templates together, where those of each are counted from 0.
    pub(super) fn unite(&self, templates: &Templates, by_template: &[Found]) -> Result<Found, Error> {
        if by_template.iter().all(|found| matches!(found, Found::None)) {
            return Ok(Found::None);
        }
        if by_template.iter().all(|found| matches!(found, Found::All)) {
            return Ok(Found::All);
        }
        // One pass over the ids; putting the rows of all templates in order would take some.
        let mut rows = Rows::none(templates.count);
        let mut ranks = vec![0; by_template.len()];
        let is_wanted: Vec<bool> = by_template.iter().map(|found| !matches!(found, Found::None)).collect();
        templates.each_id(&self.sections, &is_wanted, |row, id| {
            let is_found = match &by_template[id] {
                Found::None => false,
                Found::All => true,
                Found::Some(found) => {
                    let rank = ranks[id];
                    ranks[id] += 1;
                    found.contains_checked(rank)
                }
            };
            if is_found {
                rows.insert(row);
            }
        })?;
        Ok(Found::Some(rows))
    }

    fn find_in_template(&self, template: &Template, probe: &Probe<'_>, owner: Owner) -> Result<Found, Error> {
        if template.longest < probe.bytes.len() {
            return Ok(Found::None);
        }
        let Some(alignments) = align(self.structure()?, template, probe) else {
            return self.find_in_texts(template, probe, owner);
        };
        if alignments.iter().any(Vec::is_empty) {
            return Ok(Found::All);
        }
        let mut found = Found::None;
        if probe.part == Part::Inner {
            for slot in &template.slots {
                found = found.or(self.find_in_column(&slot.column, template.count, probe, owner)?);
            }
        }
        for alignment in alignments {
            let mut held = Found::All;
            for (slot, piece) in alignment {
                if matches!(held, Found::None) {
                    break;
                }
                held = held.and(self.find_in_column(&template.slots[slot].column, template.count, &piece, owner)?);
            }
            found = found.or(held);
        }
        Ok(found)
    }

    /// Puts every row of a template together and looks at it: the last resort.
    fn find_in_texts(&self, template: &Template, probe: &Probe<'_>, owner: Owner) -> Result<Found, Error> {
        let view = TemplateView::new(self, template)?;
        let timestamp_ns = self.timestamps_of(owner)?;
        let mut text = Vec::new();
        Ok(Found::by(template.count, |rank| {
            text.clear();
            view.append(rank, timestamp_ns(rank), &mut text);
            probe.is_in(&text)
        }))
    }

    /// Puts every value of a column together and looks at it.
    fn find_in_values(&self, column: &Column, count: u32, probe: &Probe<'_>, owner: Owner) -> Result<Found, Error> {
        let view = View::new(self, column)?;
        let owner = if matches!(column, Column::Clock { .. }) { owner } else { Owner::Column };
        let timestamp_ns = self.timestamps_of(owner)?;
        let mut value = Vec::new();
        Ok(Found::by(count, |row| {
            value.clear();
            view.append(row, timestamp_ns(row), &mut value);
            probe.is_in(&value)
        }))
    }

    /// By row of a template, the time of the entry that it is part of.
    pub(super) fn timestamps_of(&self, owner: Owner) -> Result<impl Fn(u32) -> i64, Error> {
        let entries = match owner {
            Owner::Block(index) => Some((self.root()?.rows(&self.sections, index)?, self.timestamps_ns()?)),
            Owner::Column => None,
        };
        Ok(move |rank| entries.map_or(0, |(rows, timestamps_ns)| timestamps_ns[rows[rank as usize] as usize]))
    }

    fn find_in_column(&self, column: &Column, count: u32, probe: &Probe<'_>, owner: Owner) -> Result<Found, Error> {
        if !column.may_hold(self.structure()?, probe) {
            return Ok(Found::None);
        }
        match column {
            Column::Text(values) => Ok(self.find_in_strings(values, probe)?.map_or(Found::None, Found::Some)),
            Column::Words(texts) if probe.is_within_word() || Matcher::fits(probe) => {
                self.find_in_words(texts, count, probe)
            }
            Column::Dictionary { values, ids } => match self.find_in_strings(values, probe)? {
                Some(wanted) => {
                    let mut rows = Rows::none(count);
                    ids.find(&self.sections, &wanted, |row| rows.insert(to_row(row)))?;
                    Ok(Found::Some(rows))
                }
                None => Ok(Found::None),
            },
            Column::Decimal { face, numbers } if probe.part == Part::Inner => {
                let Some(has_digits) = face.digits_test(self.structure()?, probe.bytes) else {
                    return self.find_in_values(column, count, probe, owner);
                };
                let numbers = numbers.get(&self.sections)?;
                Ok(Found::by(count, |row| has_digits(numbers[row as usize])))
            }
            Column::Words(_) | Column::Decimal { .. } | Column::Clock { .. } => {
                self.find_in_values(column, count, probe, owner)
            }
            Column::Hex { face, packed } => {
                let mut rows = None;
                let found = |row| rows.get_or_insert_with(|| Rows::none(count)).insert(to_row(row));
                let are_some = face.find(packed.get(&self.sections)?, probe, found);
                Ok(if are_some { rows.map_or(Found::None, Found::Some) } else { Found::All })
            }
            Column::Templates(templates) => self.find_in_templates(templates, probe, false),
        }
    }

    fn find_in_words(&self, texts: &Words, count: u32, probe: &Probe<'_>) -> Result<Found, Error> {
        let holding = self.words_holding(texts, probe)?;
        // Most needles are words: neither other words nor the order of any have to be looked at.
        if probe.is_within_word() {
            return holding.map_or(Ok(Found::None), |words| self.find_words(texts, count, &words));
        }
        let vocabulary = Vocabulary::new(self, texts)?;
        let words = (0..vocabulary.len()).map(|index| vocabulary.get(index));
        let matcher = match Matcher::prepare(probe, words, holding.as_ref()) {
            Matched::Nowhere => return Ok(Found::None),
            Matched::WithinWords(words) => return self.find_words(texts, count, words),
            Matched::Across(matcher) => matcher,
        };
        let ends = texts.ends(&self.sections)?;
        let is_in = |ids: &[u32], row: u32| {
            let start = (row as usize).checked_sub(1).map_or(0, |before| ends[before] as usize);
            matcher.is_in(&ids[start..ends[row as usize] as usize])
        };
        let sequence = matcher.sequence(probe);
        let Some((places, sequence)) = texts.sequence.places().zip(sequence) else {
            let ids = texts.ids(&self.sections)?;
            return Ok(Found::by(count, |row| is_in(ids, row)));
        };
        let mut rows = Rows::none(count);
        let mut uncertain = Vec::new();
        places.follow(&self.sections, &sequence, ends, matcher.is_anchored(), |text, is_certain| {
            if is_certain { rows.insert(to_row(text)) } else { uncertain.push(to_row(text)) }
        })?;
        uncertain.retain(|row| !rows.contains(*row));
        if !uncertain.is_empty() {
            let ids = texts.ids(&self.sections)?;
            uncertain.retain(|row| is_in(ids, *row));
            for row in uncertain {
                rows.insert(row);
            }
        }
        Ok(if rows.is_empty() { Found::None } else { Found::Some(rows) })
    }

    /// The words that a probe lies within, if it may lie anywhere in a text; `None` for none.
    fn words_holding(&self, texts: &Words, probe: &Probe<'_>) -> Result<Option<Rows>, Error> {
        if probe.part != Part::Inner {
            return Ok(None);
        }
        let mut holding: Option<Rows> = None;
        let mut first = 0;
        for vocabulary in &texts.vocabularies {
            if probe.bytes.len() <= vocabulary.longest && probe.may_be_of(vocabulary.classes) {
                let found = self.find_in_strings(vocabulary, probe)?;
                let words = found.iter().flat_map(Rows::iter);
                words.for_each(|word| {
                    holding.get_or_insert_with(|| Rows::none(texts.limit())).insert(first + word);
                });
            }
            first += vocabulary.count;
        }
        Ok(holding)
    }

    /// The texts that have one of the `wanted` words.
    fn find_words(&self, texts: &Words, count: u32, wanted: &Rows) -> Result<Found, Error> {
        let mut rows = Rows::none(count);
        texts.find(&self.sections, wanted, |text| rows.insert(to_row(text)))?;
        Ok(Found::Some(rows))
    }

    /// The strings that a probe was found in; `None` for none.
    fn find_in_strings(&self, strings: &Strings, probe: &Probe<'_>) -> Result<Option<Rows>, Error> {
        let text = strings.text(&self.sections)?;
        if probe.part != Part::Inner {
            let ends = strings.ends(&self.sections)?;
            return Ok(rows_by(strings.count, |index| probe.is_in(&text[range(ends, index as usize)])));
        }
        let mut found: Option<Rows> = None;
        let mut at = 0;
        while let Some(start) = text.get(at..).and_then(|rest| probe.find(rest)) {
            let start = at + start;
            let ends = strings.ends(&self.sections)?;
            let index = ends.partition_point(|end| (*end as usize) < start);
            if index == ends.len() {
                break;
            }
            // A needle with a newline may run on into the next value.
            if start + probe.bytes.len() <= range(ends, index).end {
                found.get_or_insert_with(|| Rows::none(strings.count)).insert(to_row(index));
                at = range(ends, index).end + 1;
            } else {
                at = start + 1;
            }
        }
        Ok(found)
    }
}

impl Column {
    /// Whether a value may have the probe's bytes; known without reading the column.
    pub(super) fn may_hold(&self, structure: &[u8], probe: &Probe<'_>) -> bool {
        if self.longest() < probe.bytes.len() {
            return false;
        }
        match self {
            Self::Text(values) | Self::Dictionary { values, .. } => probe.may_be_of(values.classes),
            Self::Words(texts) => {
                let may_hold = |words: &Strings| probe.bytes.len() <= words.longest && probe.may_be_of(words.classes);
                let classes = texts.vocabularies.iter().fold(Classes::NONE, |classes, words| classes.or(words.classes));
                if probe.is_within_word() { texts.vocabularies.iter().any(may_hold) } else { probe.may_be_of(classes) }
            }
            Self::Decimal { face, .. } => {
                let (prefix, suffix) = (face.prefix.of(structure), face.suffix.of(structure));
                let classes = Classes::of(b"0.").or(Classes::of(prefix)).or(Classes::of(suffix));
                probe.may_be_of(classes) && probe.fits(prefix, &face.pattern(), suffix)
            }
            Self::Clock { face, .. } => {
                let (before, after, pattern) = (face.before.of(structure), face.after.of(structure), face.pattern());
                let classes = Classes::of(&pattern).or(Classes::of(before)).or(Classes::of(after));
                probe.may_be_of(classes) && probe.fits(before, &pattern, after)
            }
            Self::Hex { face, .. } => face.may_hold(probe),
            Self::Templates(_) => true,
        }
    }
}
