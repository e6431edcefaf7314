//! Adds up the entries of a block from its columns, without putting a line together more often than lines fare differently.
//!
//! Of each template, `logql` says which of its columns decide what becomes of a line; one line of each kind goes through the
//! pipeline, and the others fare like it. Where columns do not tell, each line goes through the pipeline, as everywhere else.

mod codes;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::log_database::block::{self, Columns, LineReader, Source};
use crate::logql;
use crate::logql::eval::{Measure, RangeWorker};
use crate::logql::pipeline::Entry;
use crate::logql::stages::outline::Reads;
use crate::model::budget::{Budget, Refusal, Share};
use crate::model::{Labels, Timestamp};
use crate::query::Error;
use template::{Answer, Fate, Template};

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

/// Adds the entries of the stream `labels` at `rows` of a block, in this order.
pub(super) fn add_up<S: Source>(
    worker: &mut RangeWorker,
    reads: &Reads,
    (labels, columns, rows): (&Labels, &Columns<'_, S>, &[u32]),
    budget: &Arc<Budget>,
) -> Result<Looked, Problem> {
    let timestamps_ns = columns.timestamps_ns()?;
    let what = worker.what();
    if reads.is_nothing() && what == Measure::One {
        return count(worker, labels, timestamps_ns, rows);
    }
    let ids = columns.template_ids()?;
    let mut ranks = Ranks::new(columns, rows)?;
    let mut templates: Vec<Option<Template<'_, S>>> = (0..columns.template_count()).map(|_| None).collect();
    let mut lines = Lines { columns, reader: None, line: Vec::new() };
    let mut looked = Looked::default();
    let mut share = Share::of(Arc::clone(budget));
    for row in rows {
        let (id, timestamp) = (ids[*row as usize] as usize, Timestamp::from_ns(timestamps_ns[*row as usize]));
        let rank = ranks.next(*row, id);
        let template = match &mut templates[id] {
            Some(template) => template,
            place => place.insert(Template::new(columns.template(id)?)),
        };
        let (fate, number) = match template.answer(rank, reads, labels, &mut share)? {
            Answer::Fate(fate, number) => (fate, number),
            Answer::Line => {
                budget.check()?;
                looked.lines += 1;
                let line = lines.get(*row)?;
                worker.push(&Entry { timestamp, labels, metadata: &[], line })?;
                continue;
            }
        };
        let mut measured = match fate {
            Fate::Counted(measured) => *measured,
            Fate::Dropped => continue,
            Fate::Open => {
                budget.check()?;
                looked.lines += 1;
                let line = lines.get(*row)?;
                let measured = worker.measure(&Entry { timestamp, labels, metadata: &[], line })?;
                *fate = measured.map_or(Fate::Dropped, Fate::Counted);
                let Some(measured) = measured else { continue };
                // Of an unwrapped label it was told that its value is the number of a column: the line is to agree.
                if number.is_some_and(|number| number.to_bits() != measured.value.to_bits()) {
                    template.give_up();
                }
                worker.add_measured(timestamp, measured)?;
                continue;
            }
        };
        if what == Measure::LineBytes {
            measured.value = f64::from(template.length(rank, &mut share)?);
        } else if let Some(number) = number {
            measured.value = number;
        }
        worker.add_measured(timestamp, measured)?;
    }
    looked.answered = rows.len() - looked.lines;
    Ok(looked)
}

/// Counts entries that fare alike whatever their lines are, in the order of time.
fn count(worker: &mut RangeWorker, labels: &Labels, timestamps_ns: &[i64], rows: &[u32]) -> Result<Looked, Problem> {
    let time_of = |row: u32| timestamps_ns[row as usize];
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let timestamp = Timestamp::from_ns(time_of(*first));
        let last_ns = worker.alike_up_to(timestamp).as_ns();
        let count = rest.partition_point(|row| time_of(*row) <= last_ns).max(1);
        let entry = Entry { timestamp, labels, metadata: &[], line: b"" };
        if let Some(mut measured) = worker.measure(&entry)? {
            measured.value *= f64::from(u32::try_from(count).expect("a block has fewer lines"));
            worker.add_measured(timestamp, measured)?;
        }
        rest = &rest[count..];
    }
    Ok(Looked { lines: 0, answered: rows.len() })
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
