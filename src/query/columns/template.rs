//! The lines of one template of a block in a query: which of them fare alike.

use std::borrow::Cow;

use super::Problem;
use super::codes::Codes;
use crate::log_database::block::{self, Face, Rows, Source, TemplateColumns};
use crate::logql::stages::outline::{Piece, Reading, Reads, Run, Silence, Unknown};
use crate::model::budget::Share;
use crate::model::{ByteSet, Labels};

/// Most ways in which the values of columns make lines of other structures of those of one template.
const STRUCTURES_MAX: u32 = 256;
/// An outline is followed once for so many lines of a template, which take about as long; and a few times in any case.
const LINES_PER_LOOK: u32 = 4;
const LOOKS_MIN: u32 = 8;

/// What ends a string of JSON, and what keeps it from ending.
const QUOTES: ByteSet = ByteSet::of(b"\"\\");

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
pub(super) struct Template<'b, S, T> {
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
    by_structure: Vec<Structure<'b, T>>,
    /// By column, whether its values have no codes.
    is_without_codes: Vec<bool>,
    /// By column, whether the quotes of its values are escaped, once that was asked for.
    is_escaped: Vec<Option<bool>>,
    /// No columns answer for these lines.
    is_by_line: bool,
    lengths: Option<Vec<u32>>,
    /// How often its outline may be followed.
    looks_left: u32,
    /// The line that stands for others.
    line: Vec<u8>,
}

/// What is known of the lines of one structure.
enum Structure<'b, T> {
    Open,
    /// Columns do not answer for them.
    ByLine,
    Alike(Alike<'b, T>),
}

/// Lines of one structure, and what becomes of them.
pub(super) struct Alike<'b, T> {
    /// The code of what a line's fate depends on.
    codes: Codes<'b>,
    /// By that code.
    fates: Vec<Fate<T>>,
    /// What each line counts.
    numbers: Option<block::Decimals<'b>>,
    /// What a line is made of that stands for others.
    stand_in: Vec<Standing<'b>>,
}

/// A piece of a line that stands for others.
enum Standing<'b> {
    /// What all of them have there, or what nothing depends on.
    Text(Cow<'b, [u8]>),
    /// The value of a column.
    Value(usize),
}

/// What becomes of lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate<T> {
    /// That of the next one says.
    Open,
    Dropped,
    /// They are made something of.
    Kept(T),
}

/// What is known of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<T> {
    /// What becomes of it.
    pub(super) fate: Fate<T>,
    /// What it counts, where lines that fare alike differ in that.
    pub(super) number: Option<f64>,
    structure: usize,
    code: usize,
}

impl<'b, S: Source, T: Copy> Template<'b, S, T> {
    pub(super) fn new(columns: TemplateColumns<'b, S>) -> Self {
        let knowledge = vec![Knowledge::Structure; columns.column_count()];
        let mut template = Self {
            looks_left: LOOKS_MIN + columns.count() / LINES_PER_LOOK,
            columns,
            loud: vec![None; knowledge.len()],
            is_without_codes: vec![false; knowledge.len()],
            is_escaped: vec![None; knowledge.len()],
            knowledge,
            left_out: None,
            structures: Codes::ALIKE,
            by_structure: Vec::new(),
            is_by_line: false,
            lengths: None,
            line: Vec::new(),
        };
        template.forget();
        template
    }

    /// What is known of the line at `rank`, which is one of the stream `labels`; `None` where it has to be looked at. Takes
    /// of `share` what it keeps by line.
    pub(super) fn answer(
        &mut self,
        rank: u32,
        reads: &Reads,
        labels: &Labels,
        share: &mut Share,
    ) -> Result<Option<Known<T>>, Problem> {
        if self.is_by_line || self.left_out.as_ref().is_some_and(|rows| rows.contains(rank)) {
            return Ok(None);
        }
        let mut structure = self.structures.get(rank) as usize;
        if matches!(self.by_structure[structure], Structure::Open) {
            let found = self.look(rank, reads, labels, share)?;
            structure = self.structures.get(rank) as usize;
            self.by_structure[structure] = found.map_or(Structure::ByLine, Structure::Alike);
            if self.left_out.as_ref().is_some_and(|rows| rows.contains(rank)) {
                return Ok(None);
            }
        }
        let Structure::Alike(alike) = &self.by_structure[structure] else { return Ok(None) };
        let code = alike.codes.get(rank) as usize;
        let number = alike.numbers.map(|numbers| number(&numbers, rank));
        Ok(Some(Known { fate: alike.fates[code], number, structure, code }))
    }

    /// A line that fares as the one at `rank` does, of which so much is known: where nothing depends on what a column has,
    /// it has something else there, so that the column is not read.
    pub(super) fn stand_in(&mut self, known: &Known<T>, rank: u32) -> Result<&[u8], Problem> {
        self.line.clear();
        if let Structure::Alike(alike) = &self.by_structure[known.structure] {
            for piece in &alike.stand_in {
                match piece {
                    Standing::Text(text) => self.line.extend_from_slice(text),
                    // No column that has codes needs the time.
                    Standing::Value(column) => self.columns.append_value(*column, rank, 0, &mut self.line)?,
                }
            }
        }
        Ok(&self.line)
    }

    /// Keeps the fate of a line for all that fare like it.
    pub(super) fn settle(&mut self, known: &Known<T>) {
        if let Structure::Alike(alike) = &mut self.by_structure[known.structure] {
            alike.fates[known.code] = known.fate;
        }
    }

    /// Makes every line be looked at.
    pub(super) fn give_up(&mut self) {
        self.is_by_line = true;
    }

    /// Whether all of its lines fare alike.
    pub(super) fn is_uniform(&self) -> bool {
        match &self.by_structure[..] {
            [Structure::Alike(alike)] => !self.is_by_line && self.left_out.is_none() && alike.fates.len() == 1,
            _ => false,
        }
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
    ) -> Result<Option<Alike<'b, T>>, Problem> {
        if reads.is_nothing() {
            return Ok(Some(Alike {
                codes: Codes::ALIKE,
                fates: vec![Fate::Open],
                numbers: None,
                stand_in: Vec::new(),
            }));
        }
        while let Some(looks_left) = self.looks_left.checked_sub(1) {
            self.looks_left = looks_left;
            let outline = self.outline(rank)?;
            match reads.read(&outline, labels) {
                Ok(reading) => return self.alike(outline, &reading, share),
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
                // Values that are too many alone are too many with others.
                let Some(codes) = self.codes(column, STRUCTURES_MAX, share)? else {
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
    fn outline(&mut self, rank: u32) -> Result<Vec<Piece<'b>>, Problem> {
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
            let is_escaped = match (&faces[..], knowledge, &mut self.is_escaped[column]) {
                (_, Knowledge::Structure, _) => false,
                (_, _, Some(is_escaped)) => *is_escaped,
                // It is known of values as a whole.
                ([Face::Bytes { of, .. }], _, none) if !of.is_disjoint(&QUOTES) => {
                    *none.insert(self.columns.is_escaped(column)?)
                }
                _ => false,
            };
            outline.extend(faces.into_iter().map(|face| match face {
                Face::Literal(bytes) => Piece::Text { bytes, column: Some(column) },
                Face::Bytes { of, shortest, longest } => {
                    Piece::Run(Run { column, bytes: of, shortest, longest, silence, is_escaped })
                }
            }));
        }
        Ok(outline)
    }

    /// The lines that a reading says to fare alike.
    fn alike(
        &self,
        outline: Vec<Piece<'b>>,
        reading: &Reading,
        share: &mut Share,
    ) -> Result<Option<Alike<'b, T>>, Problem> {
        share.take(self.codes_bytes())?;
        let mut codes = Codes::ALIKE;
        let mut counted = None;
        for column in &reading.values {
            let Some(of_column) = self.codes(*column, u32::MAX, share)? else { return Ok(None) };
            codes = codes.and(of_column);
        }
        for (column, comparisons) in reading.numbers.iter().filter(|(column, _)| !reading.values.contains(column)) {
            let numbers = match self.columns.codes(*column)? {
                Some(block::Codes::Numbers(numbers)) if numbers.is_bare => numbers,
                _ => {
                    let Some(of_column) = self.codes(*column, u32::MAX, share)? else { return Ok(None) };
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
        share.take(size_of_val(fates.as_slice()))?;
        let is_read = |column: usize| reading.values.contains(&column) || reading.numbers.contains_key(&column);
        let mut stand_in = Vec::new();
        let mut last = None;
        for piece in outline {
            let column = match &piece {
                Piece::Text { column, .. } => *column,
                Piece::Run(run) => Some(run.column),
            };
            match (piece, column.filter(|column| is_read(*column))) {
                (_, Some(column)) if last == Some(column) => {}
                (_, Some(column)) => stand_in.push(Standing::Value(column)),
                (Piece::Text { bytes, .. }, None) => stand_in.push(Standing::Text(bytes)),
                (Piece::Run(run), None) => stand_in.push(Standing::Text(run.example().into())),
            }
            last = column;
        }
        Ok(Some(Alike { codes, fates, numbers: counted, stand_in }))
    }

    /// The codes of a column's values; `None` where these are more than `most`, or made of the times of lines.
    fn codes(&self, column: usize, most: u32, share: &mut Share) -> Result<Option<Codes<'b>>, Problem> {
        match self.columns.codes(column)? {
            Some(block::Codes::Ids { ids, limit }) => Ok((limit <= most).then(|| Codes::new(ids, limit.max(1)))),
            Some(block::Codes::Numbers(numbers)) => Ok(Codes::at_most(most, numbers.numbers.iter())),
            None if self.columns.is_clock(column) => Ok(None),
            None => {
                // All values one after the other, and where each ends.
                let (mut values, mut ends) = (Vec::new(), vec![0]);
                for rank in 0..self.columns.count() {
                    self.columns.append_value(column, rank, 0, &mut values)?;
                    ends.push(values.len());
                    // Most columns that have too many values have them from the start.
                    if rank == most.saturating_mul(2) && Codes::at_most(most, slices(&values, &ends)).is_none() {
                        return Ok(None);
                    }
                }
                share.take(values.len() + size_of_val(ends.as_slice()))?;
                let codes = Codes::at_most(most, slices(&values, &ends));
                share.give_back(values.len() + size_of_val(ends.as_slice()));
                Ok(codes)
            }
        }
    }
}

/// The texts between neighbouring `ends`.
fn slices<'v>(values: &'v [u8], ends: &'v [usize]) -> impl Iterator<Item = &'v [u8]> {
    ends.windows(2).map(|ends| &values[ends[0]..ends[1]])
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
