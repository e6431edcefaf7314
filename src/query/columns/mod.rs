//! Adds up the entries of a block from its columns, or sifts them, without putting a line together where columns tell.
//!
//! Of each template, `logql` says which of its columns decide what becomes of a line. For all lines that have the same there, one
//! goes through the pipeline that has anything in the other columns, which are not read. Where columns do not tell, each line
//! goes through the pipeline, as everywhere else.

mod codes;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::log_database::block::{self, Columns, LineReader, Source};
use crate::logql;
use crate::logql::eval::{Measure, Measured, RangeWorker};
use crate::logql::pipeline::Entry;
use crate::logql::stages::outline::Reads;
use crate::model::budget::{Budget, Refusal, Share};
use crate::model::{Labels, Timestamp};
use crate::query::Error;
use template::{Fate, Template};

/// Why the entries of a block are not all added up.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be read.
    Block(block::Error),
    /// The query has no answer.
    Query(Error),
}

impl From<block::Error> for Problem {
    fn from(error: block::Error) -> Self {
        Self::Block(error)
    }
}

impl From<logql::Error> for Problem {
    fn from(error: logql::Error) -> Self {
        Self::Query(error.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Query(refusal.into())
    }
}

/// Adds the entries of the stream `labels` at `rows` of a block, which are in the order of time.
pub(super) fn add_up<S: Source>(
    worker: &mut RangeWorker,
    reads: &Reads,
    (labels, columns, rows): (&Labels, &Columns<'_, S>, &[u32]),
    budget: &Arc<Budget>,
) -> Result<Looked, Problem> {
    let what = worker.what();
    if reads.is_nothing() && what != Measure::Value {
        return add_alike(worker, (labels, columns, rows), budget);
    }
    let timestamps_ns = columns.timestamps_ns()?;
    let ids = columns.template_ids()?;
    let mut ranks = Ranks::new(columns, rows)?;
    let mut templates: Vec<Option<Template<'_, S, Measured>>> = (0..columns.template_count()).map(|_| None).collect();
    // Of templates whose lines all fare alike it is enough to count them.
    let mut tallies: Vec<Option<Tally>> = vec![None; columns.template_count()];
    let mut lines = Lines { columns, reader: None, line: Vec::new() };
    let mut looked = Looked::default();
    let mut share = Share::of(Arc::clone(budget));
    let mut stretches = Stretches { timestamps_ns, rest: rows };
    while let Some(stretch) = stretches.next(worker) {
        budget.check()?;
        for row in stretch.rows {
            let id = ids[*row as usize] as usize;
            if let Some(tally) = &mut tallies[id] {
                tally.count += 1;
                continue;
            }
            let timestamp = Timestamp::from_ns(timestamps_ns[*row as usize]);
            let rank = ranks.next(*row, id);
            let template = match &mut templates[id] {
                Some(template) => template,
                place => place.insert(Template::new(columns.template(id)?)),
            };
            let Some(mut known) = template.answer(rank, reads, labels, &mut share)? else {
                budget.check()?;
                looked.lines += 1;
                let line = lines.get(*row)?;
                worker.push(&Entry { timestamp, labels, metadata: &[], line })?;
                continue;
            };
            if known.fate == Fate::Open {
                budget.check()?;
                looked.lines += 1;
                let line = template.stand_in(&known, rank)?;
                let measured = worker.measure(&Entry { timestamp, labels, metadata: &[], line })?;
                known.fate = measured.map_or(Fate::Dropped, Fate::Kept);
                template.settle(&known);
                // Of an unwrapped label it was told that its value is the number of a column: the line is to agree.
                let number = known.number.zip(measured);
                if number.is_some_and(|(number, measured)| number.to_bits() != measured.value.to_bits()) {
                    template.give_up();
                    known.number = None;
                }
            }
            if what == Measure::One && template.is_uniform() {
                tallies[id] = Some(Tally { fate: known.fate, count: 1 });
                continue;
            }
            let Fate::Kept(mut measured) = known.fate else { continue };
            if what == Measure::LineBytes {
                measured.value = f64::from(template.length(rank, &mut share)?);
            } else if let Some(number) = known.number {
                measured.value = number;
            }
            worker.add_measured(timestamp, measured)?;
        }
        for tally in tallies.iter_mut().flatten() {
            let count = std::mem::take(&mut tally.count);
            if let (Fate::Kept(mut measured), 1..) = (tally.fate, count) {
                measured.value *= f64::from(count);
                worker.add_measured(stretch.start, measured)?;
            }
        }
    }
    looked.answered = rows.len() - looked.lines;
    Ok(looked)
}

/// Those of `rows` of a block of the stream `labels` that a pipeline may not drop, in their order: what it reads of lines is
/// `reads`, and `keeps` says whether it keeps a line.
pub(super) fn sift<S: Source>(
    mut keeps: impl FnMut(&[u8]) -> bool,
    reads: &Reads,
    (labels, columns, mut rows): (&Labels, &Columns<'_, S>, Vec<u32>),
    budget: &Arc<Budget>,
) -> Result<Vec<u32>, Problem> {
    let ids = columns.template_ids()?;
    let mut ranks = Ranks::new(columns, &rows)?;
    let mut templates: Vec<Option<Template<'_, S, ()>>> = (0..columns.template_count()).map(|_| None).collect();
    let mut share = Share::of(Arc::clone(budget));
    let mut kept = 0;
    for at in 0..rows.len() {
        let row = rows[at];
        let id = ids[row as usize] as usize;
        let rank = ranks.next(row, id);
        let template = match &mut templates[id] {
            Some(template) => template,
            place => place.insert(Template::new(columns.template(id)?)),
        };
        let mut known = template.answer(rank, reads, labels, &mut share)?;
        if let Some(known) = &mut known
            && known.fate == Fate::Open
        {
            budget.check()?;
            known.fate = if keeps(template.stand_in(known, rank)?) { Fate::Kept(()) } else { Fate::Dropped };
            template.settle(known);
        }
        rows[kept] = row;
        kept += usize::from(known.is_none_or(|known| known.fate != Fate::Dropped));
    }
    rows.truncate(kept);
    Ok(rows)
}

/// Adds entries of which nothing but their lengths is read.
fn add_alike<S: Source>(
    worker: &mut RangeWorker,
    (labels, columns, rows): (&Labels, &Columns<'_, S>, &[u32]),
    budget: &Arc<Budget>,
) -> Result<Looked, Problem> {
    let (_, line_count) = columns.extent();
    let mut lengths: Option<Lengths<'_, '_, S>> = None;
    let mut stretches = Stretches { timestamps_ns: columns.timestamps_ns()?, rest: rows };
    while let Some(stretch) = stretches.next(worker) {
        budget.check()?;
        let entry = Entry { timestamp: stretch.start, labels, metadata: &[], line: b"" };
        let Some(mut measured) = worker.measure(&entry)? else { continue };
        measured.value = if worker.what() == Measure::LineBytes {
            let are_all = rows.len() == line_count as usize;
            let known = if are_all { columns.bytes_between(stretch.bounds.0, stretch.bounds.1)? } else { None };
            match (known.and_then(|bytes| u32::try_from(bytes).ok()), &mut lengths) {
                (Some(bytes), _) => bytes.into(),
                (None, Some(lengths)) => lengths.sum(stretch.rows)?,
                (None, place) => place.insert(Lengths::new(columns, budget)?).sum(stretch.rows)?,
            }
        } else {
            u32::try_from(stretch.rows.len()).expect("a block has fewer lines").into()
        };
        worker.add_measured(stretch.start, measured)?;
    }
    Ok(Looked { lines: 0, answered: rows.len() })
}

/// The lines of a template that all fare alike.
#[derive(Clone, Copy, Debug)]
struct Tally {
    fate: Fate<Measured>,
    /// How many are not added yet.
    count: u32,
}

/// Rows in the order of time, cut where it begins to make a difference when entries are from.
struct Stretches<'r> {
    timestamps_ns: &'r [i64],
    rest: &'r [u32],
}

struct Stretch<'r> {
    rows: &'r [u32],
    /// The time of the first of them.
    start: Timestamp,
    /// Between which instants it makes no difference.
    bounds: (Timestamp, Timestamp),
}

impl<'r> Stretches<'r> {
    fn next(&mut self, worker: &mut RangeWorker) -> Option<Stretch<'r>> {
        let time_of = |row: u32| Timestamp::from_ns(self.timestamps_ns[row as usize]);
        let start = time_of(*self.rest.first()?);
        let bounds = worker.alike_around(start);
        let (rows, rest) = self.rest.split_at(self.rest.partition_point(|row| time_of(*row) <= bounds.1).max(1));
        self.rest = rest;
        Some(Stretch { rows, start, bounds })
    }
}

/// How many bytes lines have.
struct Lengths<'c, 'b, S> {
    columns: &'c Columns<'b, S>,
    ids: &'b [u32],
    ranks: &'b [u32],
    /// By template and rank, of those templates that were asked for.
    by_template: Vec<Option<Vec<u32>>>,
    share: Share,
}

impl<'c, 'b, S: Source> Lengths<'c, 'b, S> {
    fn new(columns: &'c Columns<'b, S>, budget: &Arc<Budget>) -> Result<Self, block::Error> {
        Ok(Self {
            columns,
            ids: columns.template_ids()?,
            ranks: columns.ranks()?,
            by_template: vec![None; columns.template_count()],
            share: Share::of(Arc::clone(budget)),
        })
    }

    /// The bytes of all lines at `rows`.
    fn sum(&mut self, rows: &[u32]) -> Result<f64, Problem> {
        let mut sum = 0.0;
        for row in rows {
            let id = self.ids[*row as usize] as usize;
            let lengths = match &mut self.by_template[id] {
                Some(lengths) => lengths,
                place => {
                    let columns = self.columns.template(id)?;
                    self.share.take(columns.count() as usize * size_of::<u32>())?;
                    place.insert(columns.lengths()?)
                }
            };
            sum += f64::from(lengths[self.ranks[*row as usize] as usize]);
        }
        Ok(sum)
    }
}

/// How many entries were looked at line by line, and how many columns answered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) lines: usize,
    pub(super) answered: usize,
}

/// The ranks of rows that are asked for one after the other.
enum Ranks<'b> {
    /// All rows are, in their order: how many of each template there were.
    Counted(Vec<u32>),
    Stored(&'b [u32]),
}

impl<'b> Ranks<'b> {
    fn new<S: Source>(columns: &Columns<'b, S>, rows: &[u32]) -> Result<Self, block::Error> {
        let (_, line_count) = columns.extent();
        if rows.len() == line_count as usize && rows.is_sorted() {
            return Ok(Self::Counted(vec![0; columns.template_count()]));
        }
        Ok(Self::Stored(columns.ranks()?))
    }

    fn next(&mut self, row: u32, template: usize) -> u32 {
        match self {
            Self::Counted(counts) => {
                counts[template] += 1;
                counts[template] - 1
            }
            Self::Stored(ranks) => ranks[row as usize],
        }
    }
}

/// Lines put together, one at a time.
struct Lines<'c, 'b, S> {
    columns: &'c Columns<'b, S>,
    reader: Option<LineReader<'b, S>>,
    line: Vec<u8>,
}

impl<S: Source> Lines<'_, '_, S> {
    fn get(&mut self, row: u32) -> Result<&[u8], block::Error> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            place => place.insert(self.columns.lines()?),
        };
        self.line.clear();
        reader.append(row, &mut self.line)?;
        Ok(&self.line)
    }
}
