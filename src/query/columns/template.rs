//! The lines of one template of a block in a query: which of them fare alike.

use super::Problem;
use super::codes::Codes;
use crate::log_database::block::{self, Face, Rows, Source, TemplateColumns};
use crate::logql::eval::Measured;
use crate::logql::stages::outline::{Piece, Reading, Reads, Run, Silence, Unknown};
use crate::model::Labels;
use crate::model::budget::Share;

/// Most ways in which the values of columns make lines of other structures of those of one template.
const STRUCTURES_MAX: u32 = 256;
/// Up to this number of lines it is not asked whether values repeat.
const LINES_MIN: usize = 64;
/// An outline is followed once for so many lines of a template, which take about as long; and a few times in any case.
const LINES_PER_LOOK: u32 = 4;
const LOOKS_MIN: u32 = 8;

/// How much is known of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Knowledge {
    /// What the structure of the block tells.
    Structure,
    /// What its values show.
    Values,
    /// That lines are left out whose values hold such words.
    Silence(Silence),
    /// The value of each line.
    Value,
}

/// The lines of a template.
pub(super) struct Template<'b, S> {
    columns: TemplateColumns<'b, S>,
    /// By column.
    knowledge: Vec<Knowledge>,
    /// By column, the lines of which so much is not known.
    loud: Vec<Option<Rows>>,
    /// All of these.
    left_out: Option<Rows>,
    /// The code of what is known of each line's values.
    structures: Codes<'b>,
    /// By that code.
    by_structure: Vec<Structure<'b>>,
    /// By column, whether its values have no codes.
    is_without_codes: Vec<bool>,
    /// No columns answer for these lines.
    is_by_line: bool,
    lengths: Option<Vec<u32>>,
    /// How often its outline may be followed.
    looks_left: u32,
}

/// What is known of the lines of one structure.
enum Structure<'b> {
    Open,
    /// Columns do not answer for them.
    ByLine,
    Alike(Alike<'b>),
}

/// Lines of one structure, and what becomes of them.
pub(super) struct Alike<'b> {
    /// The code of what a line's fate depends on.
    codes: Codes<'b>,
    /// By that code.
    fates: Vec<Fate>,
    /// What each line counts.
    numbers: Option<block::Decimals<'b>>,
}

/// What becomes of lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// That of the next one says.
    Open,
    Dropped,
    Counted(Measured),
}

/// What is known of one line.
pub(super) enum Answer<'a> {
    /// Nothing: it has to be looked at.
    Line,
    /// What becomes of it, to be changed if it is open; and what it counts, where lines that are alike differ in that.
    Fate(&'a mut Fate, Option<f64>),
}

impl<'b, S: Source> Template<'b, S> {
    pub(super) fn new(columns: TemplateColumns<'b, S>) -> Self {
        let knowledge = vec![Knowledge::Structure; columns.column_count()];
        let mut template = Self {
            looks_left: LOOKS_MIN + columns.count() / LINES_PER_LOOK,
            columns,
            loud: vec![None; knowledge.len()],
            is_without_codes: vec![false; knowledge.len()],
            knowledge,
            left_out: None,
            structures: Codes::ALIKE,
            by_structure: Vec::new(),
            is_by_line: false,
            lengths: None,
        };
        template.forget();
        template
    }

    /// Makes every line be looked at.
    pub(super) fn give_up(&mut self) {
        self.is_by_line = true;
    }

    /// What is known of the line at `rank`, which is one of the stream `labels`. Takes of `share` what it keeps by line.
    pub(super) fn answer(
        &mut self,
        rank: u32,
        reads: &Reads,
        labels: &Labels,
        share: &mut Share,
    ) -> Result<Answer<'_>, Problem> {
        if self.is_by_line || self.left_out.as_ref().is_some_and(|rows| rows.contains(rank)) {
            return Ok(Answer::Line);
        }
        let mut structure = self.structures.get(rank) as usize;
        if matches!(self.by_structure[structure], Structure::Open) {
            let found = self.look(rank, reads, labels, share)?;
            structure = self.structures.get(rank) as usize;
            self.by_structure[structure] = found.map_or(Structure::ByLine, Structure::Alike);
            if self.left_out.as_ref().is_some_and(|rows| rows.contains(rank)) {
                return Ok(Answer::Line);
            }
        }
        let Structure::Alike(alike) = &mut self.by_structure[structure] else { return Ok(Answer::Line) };
        let code = alike.codes.get(rank) as usize;
        let number = alike.numbers.map(|numbers| number(&numbers, rank));
        Ok(Answer::Fate(&mut alike.fates[code], number))
    }

    /// How many bytes the line at `rank` has. Takes of `share` what it keeps by line.
    pub(super) fn length(&mut self, rank: u32, share: &mut Share) -> Result<u32, Problem> {
        if self.lengths.is_none() {
            share.take(self.codes_bytes())?;
            self.lengths = Some(self.columns.lengths()?);
        }
        Ok(self.lengths.as_ref().map_or(0, |lengths| lengths[rank as usize]))
    }

    /// Forgets what was told by less than what is known now.
    fn forget(&mut self) {
        self.by_structure.clear();
        self.by_structure.resize_with(self.structures.limit() as usize, || Structure::Open);
    }

    /// Finds out which lines fare alike among those of the structure of the line at `rank`, and learns of columns what it
    /// takes. `None` where they do not tell.
    fn look(
        &mut self,
        rank: u32,
        reads: &Reads,
        labels: &Labels,
        share: &mut Share,
    ) -> Result<Option<Alike<'b>>, Problem> {
        if reads.is_nothing() {
            return Ok(Some(Alike { codes: Codes::ALIKE, fates: vec![Fate::Open], numbers: None }));
        }
        while let Some(looks_left) = self.looks_left.checked_sub(1) {
            self.looks_left = looks_left;
            let outline = self.outline(rank)?;
            match reads.read(&outline, labels) {
                Ok(reading) => return self.alike(&reading, share),
                Err(Unknown::Column(column)) if self.learn(column, share)? => {}
                Err(Unknown::Column(_) | Unknown::Line) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What a number for each line takes.
    fn codes_bytes(&self) -> usize {
        self.columns.count() as usize * size_of::<u32>()
    }

    /// Gets to know more of a column; `false` where there is nothing more to know.
    fn learn(&mut self, column: usize, share: &mut Share) -> Result<bool, Problem> {
        let next = match self.knowledge[column] {
            Knowledge::Structure => Knowledge::Values,
            Knowledge::Values => Knowledge::Silence(Silence::Words),
            Knowledge::Silence(Silence::Words) => Knowledge::Silence(Silence::Names),
            Knowledge::Silence(_) => Knowledge::Value,
            Knowledge::Value => return Ok(false),
        };
        match next {
            Knowledge::Silence(silence) => match self.columns.holding(column, silence.pattern())? {
                None => {
                    self.knowledge[column] = Knowledge::Silence(Silence::Names);
                    return self.learn(column, share);
                }
                Some(rows) => self.leave_out(column, Some(rows).filter(|rows| !rows.is_empty())),
            },
            Knowledge::Value => {
                if self.is_without_codes[column] {
                    return Ok(false);
                }
                share.take(self.codes_bytes())?;
                let Some(codes) = self.codes(column)? else {
                    self.is_without_codes[column] = true;
                    return Ok(false);
                };
                let mut structures = self.structures.clone().and(codes);
                if STRUCTURES_MAX < structures.limit() {
                    structures = Codes::of((0..self.columns.count()).map(|rank| structures.get(rank)));
                }
                if STRUCTURES_MAX < structures.limit() {
                    self.is_without_codes[column] = true;
                    return Ok(false);
                }
                self.leave_out(column, None);
                self.structures = structures;
            }
            Knowledge::Structure | Knowledge::Values => {}
        }
        self.knowledge[column] = next;
        self.forget();
        Ok(true)
    }

    /// Leaves `rows` out because of a column, in place of others.
    fn leave_out(&mut self, column: usize, rows: Option<Rows>) {
        self.loud[column] = rows;
        self.left_out = None;
        for rows in self.loud.iter().flatten() {
            self.left_out.get_or_insert_with(|| Rows::none(self.columns.count())).unite(rows);
        }
    }

    /// What is known of the lines that have the structure of the one at `rank`.
    fn outline(&self, rank: u32) -> Result<Vec<Piece<'b>>, Problem> {
        let mut outline = Vec::new();
        for piece in self.columns.pieces() {
            let column = match piece {
                block::Piece::Literal(text) => {
                    outline.push(Piece::Text { bytes: (*text).into(), column: None });
                    continue;
                }
                block::Piece::Column(column) => *column,
            };
            let knowledge = self.knowledge[column];
            if knowledge == Knowledge::Value {
                let mut value = Vec::new();
                // No column that has codes needs the time.
                self.columns.append_value(column, rank, 0, &mut value)?;
                outline.push(Piece::Text { bytes: value.into(), column: None });
                continue;
            }
            let silence = if let Knowledge::Silence(silence) = knowledge { silence } else { Silence::None };
            let faces = self.columns.faces(column, knowledge != Knowledge::Structure)?;
            outline.extend(faces.into_iter().map(|face| match face {
                Face::Literal(bytes) => Piece::Text { bytes, column: Some(column) },
                Face::Bytes { of, shortest, longest } => {
                    Piece::Run(Run { column, bytes: of, shortest, longest, silence })
                }
            }));
        }
        Ok(outline)
    }

    /// The lines that a reading says to fare alike.
    fn alike(&self, reading: &Reading, share: &mut Share) -> Result<Option<Alike<'b>>, Problem> {
        share.take(self.codes_bytes())?;
        let mut codes = Codes::ALIKE;
        let mut counted = None;
        for column in &reading.values {
            let Some(of_column) = self.codes(*column)? else { return Ok(None) };
            codes = codes.and(of_column);
        }
        for (column, comparisons) in reading.numbers.iter().filter(|(column, _)| !reading.values.contains(column)) {
            let numbers = match self.columns.codes(*column)? {
                Some(block::Codes::Numbers(numbers)) if numbers.is_bare => numbers,
                _ => {
                    let Some(of_column) = self.codes(*column)? else { return Ok(None) };
                    codes = codes.and(of_column);
                    continue;
                }
            };
            if 1 < comparisons.code_count() {
                let each = (0..self.columns.count()).map(|rank| comparisons.code(number(&numbers, rank)));
                codes = codes.and(Codes::new(each.collect::<Vec<u32>>(), comparisons.code_count()));
            }
            if reading.unwrapped == Some(*column) {
                counted = Some(numbers);
            }
        }
        let fates = vec![Fate::Open; codes.limit() as usize];
        Ok(Some(Alike { codes, fates, numbers: counted }))
    }

    /// The codes of a column's values; `None` where few of them repeat.
    fn codes(&self, column: usize) -> Result<Option<Codes<'b>>, Problem> {
        match self.columns.codes(column)? {
            Some(block::Codes::Ids { ids, limit }) => Ok(Some(Codes::new(ids, limit.max(1)))),
            Some(block::Codes::Numbers(numbers)) => Ok(Some(Codes::of(numbers.numbers.iter()))),
            None if self.columns.is_clock(column) => Ok(None),
            None => {
                let values = (0..self.columns.count()).map(|rank| {
                    let mut value = Vec::new();
                    self.columns.append_value(column, rank, 0, &mut value)?;
                    Ok(value)
                });
                let codes = Codes::of(values.collect::<Result<Vec<Vec<u8>>, Problem>>()?.iter());
                let count = self.columns.count() as usize;
                let is_repeating = count < LINES_MIN || codes.limit() as usize <= count / 2;
                Ok(Some(codes).filter(|_| is_repeating))
            }
        }
    }
}

/// Every number below this is one that `f64` has.
const EXACT_MAX: i64 = 1 << 53;
/// The powers of ten that `f64` has.
const POWERS_OF_TEN: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// The number at `rank` as it is read from its text. With both parts exact, their quotient is the nearest number there is.
#[expect(clippy::cast_precision_loss, reason = "it is exact below the limit")]
fn number(numbers: &block::Decimals<'_>, rank: u32) -> f64 {
    let number = numbers.numbers[rank as usize];
    match POWERS_OF_TEN.get(numbers.fraction) {
        Some(power) if number.unsigned_abs() < EXACT_MAX.unsigned_abs() => number as f64 / power,
        _ => format!("{number}e-{}", numbers.fraction).parse().expect("it is a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_their_texts_are_read_as() {
        let all = [0, 1, 17, 12_345, 99_999_999_999, EXACT_MAX - 1, EXACT_MAX + 1, 999_999_999_999_999_999];
        for fraction in 0..18 {
            let numbers = block::Decimals { numbers: &all, fraction, is_bare: true };
            for (rank, whole) in (0..).zip(all) {
                let digits = format!("{whole:0>width$}", width = fraction + 1);
                let (before, after) = digits.split_at(digits.len() - fraction);
                let text = if fraction == 0 { before.to_owned() } else { format!("{before}.{after}") };
                assert_eq!(number(&numbers, rank).to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
            }
        }
    }
}
