//! Log queries whose lines are held until all of them are found.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::log_database::{BlockColumns, Fold, Folder, Overview, block};
use crate::logql::eval::{LogQuery, LogWorker, Sieve, Stream};
use crate::logql::pipeline::Entry;
use crate::model::LogEntry;
use crate::model::budget::Budget;
use crate::query::columns::{self, Problem};
use crate::query::{Error, Seen, Source, entry};

/// The lines that `query` selects: found by several workers where a pipeline drops most of what it looks at, and else one
/// after the other. What they take of the source's budget stays taken.
///
/// # Errors
///
/// See [`Error`].
pub fn read(query: LogQuery, source: &Source, seen: &mut Seen) -> Result<Vec<Stream>, Error> {
    let mut query = query.within(source.budget());
    let selection = source.selection(query.fetch());
    if query.is_any_order() {
        let worker = |_| {
            let (query, sieve) = (query.worker(), query.sieve());
            Worker { query, sieve, budget: source.budget(), room: Vec::new(), seen: Seen::default() }
        };
        let mut workers: Vec<Worker> = (0..Fold::worker_count()).map(worker).collect();
        source.fold(&selection).run(&mut workers, |(), _| Ok(()))?;
        for worker in workers {
            seen.merge(worker.seen);
        }
    } else {
        let mut scan = source.scan(&selection);
        let mut room = Vec::new();
        while let Some(next) = scan.next()? {
            seen.add(next.line);
            if query.push(&entry(next, &mut room))?.is_break() {
                break;
            }
        }
    }
    Ok(query.finish())
}

/// Looks for lines in one part after the other.
struct Worker {
    query: LogWorker,
    /// What tells from columns which entries are dropped, where they may.
    sieve: Option<Sieve>,
    budget: Arc<Budget>,
    /// For metadata.
    room: Vec<(String, String)>,
    seen: Seen,
}

impl Folder for Worker {
    type Sum = ();
    type Error = Error;

    fn begin(&mut self, part: &Overview<'_>) -> Result<bool, Error> {
        Ok(self.query.begin((part.extent.earliest, part.extent.latest), part.place))
    }

    fn take_columns(
        &mut self,
        part: &Overview<'_>,
        columns: &BlockColumns<'_, '_>,
        rows: Vec<u32>,
    ) -> Result<Result<Vec<u32>, Error>, block::Error> {
        let Some(Sieve { reads, pipeline }) = &mut self.sieve else { return Ok(Ok(rows)) };
        let count = rows.len() as u64;
        let timestamp = part.extent.earliest;
        let keeps =
            |line: &[u8]| pipeline.process(&Entry { timestamp, labels: part.labels, metadata: &[], line }).is_some();
        match columns::sift(keeps, reads, (part.labels, columns, rows), &self.budget) {
            Ok(rows) => {
                // Of lines that are not put together the mean is known.
                let (lines, (bytes, line_count)) = (count - rows.len() as u64, columns.extent());
                self.seen.add_many(lines, bytes as u64 * lines / u64::from(line_count.max(1)));
                Ok(Ok(rows))
            }
            Err(Problem::Block(error)) => Err(error),
            Err(Problem::Query(error)) => Ok(Err(error)),
        }
    }

    fn push(&mut self, next: LogEntry<'_>) -> Result<ControlFlow<()>, Error> {
        self.seen.add(next.line);
        Ok(self.query.push(&entry(next, &mut self.room))?)
    }

    fn take(&mut self) {
        self.query.end();
    }
}
