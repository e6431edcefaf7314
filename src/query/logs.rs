//! Log queries whose lines are held until all of them are found.

use std::ops::ControlFlow;

use crate::log_database::{EntryRef, Fold, Folder, Overview};
use crate::logql::eval::{LogQuery, LogWorker, Stream};
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
        let worker = |_| Worker { query: query.worker(), room: Vec::new(), seen: Seen::default() };
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

    fn push(&mut self, next: EntryRef<'_>) -> Result<ControlFlow<()>, Error> {
        self.seen.add(next.line);
        Ok(self.query.push(&entry(next, &mut self.room))?)
    }

    fn take(&mut self) {
        self.query.end();
    }
}
