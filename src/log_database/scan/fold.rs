//! Hands the entries that a selection asks for, part by part, to several workers at once: for whoever adds entries up, or
//! picks few of many, in whatever order of the parts.
//!
//! What a worker makes of a part is merged in the order of the parts, whichever worker had it and whichever was first. So
//! the result depends on nothing but the entries and the parts that they are in.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::log_database::Error;
use crate::log_database::block::{self, Columns};
use crate::log_database::index::StoredIn;
use crate::log_database::part::Part;
use crate::log_database::scan::part::{OpenLines, Question, Window, select};
use crate::log_database::scan::place::Trim;
use crate::log_database::scan::sieve::Sieve;
use crate::log_database::scan::{parallel, while_reading};
use crate::log_database::segment::{BlockSource, Segment};
use crate::log_database::snapshot::{Extent, PendingLines, StreamView};
use crate::model::budget::Budget;
use crate::model::{Direction, Labels, LogEntry, Selection, Timestamp};

/// The columns of a block of a segment.
pub type BlockColumns<'b, 's> = Columns<'b, BlockSource<'s>>;

/// How many parts may be done before the one that is merged next.
const AHEAD_MAX: usize = 16;

/// Makes something of the entries of one part after the other.
pub trait Folder: Send {
    /// What it makes of a part.
    type Sum: Send;
    /// Why it may not go on.
    type Error: From<Error> + Send;

    /// Whether it has to see the entries of the next part, which it may take as a whole or do without.
    fn begin(&mut self, part: &Overview<'_>) -> Result<bool, Self::Error>;

    /// Takes those entries of that part that are at `rows` of a block, in this order, from its columns, and says which of
    /// them it wants to be [pushed](Folder::push) instead, in this order as well. Of streams without metadata.
    ///
    /// # Errors
    ///
    /// The outer one where the block cannot be read; what was taken of it before that counts.
    fn take_columns(
        &mut self,
        part: &Overview<'_>,
        columns: &BlockColumns<'_, '_>,
        rows: Vec<u32>,
    ) -> Result<Result<Vec<u32>, Self::Error>, block::Error> {
        let _ = (part, columns);
        Ok(Ok(rows))
    }

    /// Takes an entry of that part; they come in the selection's direction. Breaks if it needs no further one of them.
    fn push(&mut self, entry: LogEntry<'_>) -> Result<ControlFlow<()>, Self::Error>;

    /// What the entries of the part that ends here come to.
    fn take(&mut self) -> Self::Sum;
}

/// What is known of a part before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Overview<'a> {
    /// The labels of its stream.
    pub labels: &'a Labels,
    /// What is in it, asked for or not.
    pub extent: Extent,
    /// Whether all of it is asked for, and no entry has metadata.
    pub is_whole: bool,
    /// Which of all parts it is, by labels and then as they were appended: the order of entries of the same time.
    pub place: usize,
}

/// The entries that a selection asks for, to be handed to workers.
#[derive(Debug)]
pub struct Fold {
    /// Sorted by labels as they are stored.
    streams: Vec<(Labels, StreamView)>,
    question: Question,
    /// What is asked of lines that are followed by metadata.
    question_of_texts: Question,
    budget: Arc<Budget>,
}

/// A part of one of [`Fold::streams`].
struct Item<'a> {
    stream: usize,
    /// See [`Overview::place`].
    place: usize,
    extent: Extent,
    stored: Stored<'a>,
}

enum Stored<'a> {
    In(&'a StoredIn, &'a Part),
    Pending(&'a PendingLines),
}

/// What has been made of parts so far.
struct Merging<S, E, M> {
    /// The part whose sum is merged next.
    next: usize,
    /// Sums of parts after that.
    waiting: BTreeMap<usize, Result<S, E>>,
    merge: M,
    error: Option<E>,
    /// A worker has panicked.
    is_broken: bool,
}

impl<S, E, M: FnMut(S, Timestamp) -> Result<(), E>> Merging<S, E, M> {
    fn is_over(&self) -> bool {
        self.error.is_some() || self.is_broken
    }

    /// Merges what is next, as far as it is there.
    fn add(&mut self, index: usize, sum: Result<S, E>, nothing_before: impl Fn(usize) -> Timestamp) {
        self.waiting.insert(index, sum);
        while !self.is_over()
            && let Some(sum) = self.waiting.remove(&self.next)
        {
            self.next += 1;
            let nothing_before = nothing_before(self.next);
            self.error = sum.and_then(|sum| (self.merge)(sum, nothing_before)).err();
        }
    }
}

/// Wakes those that wait when a worker ends, be it by a panic.
struct Wake<'a, S, E, M>(&'a Mutex<Merging<S, E, M>>, &'a Condvar);

impl<S, E, M> Drop for Wake<'_, S, E, M> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(self.0).is_broken = true;
        }
        self.1.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fold {
    pub(in crate::log_database) fn new(streams: Vec<(Labels, StreamView)>, selection: &Selection) -> Self {
        let Selection { range, direction, ref filters, .. } = *selection;
        let question = Question::new(range, direction, filters);
        let question_of_texts = Question::of_texts(range, direction, filters);
        Self { streams, question, question_of_texts, budget: Arc::default() }
    }

    /// Takes the memory to read with from `budget`, and ends where that is cancelled.
    #[must_use]
    pub fn within(mut self, budget: Arc<Budget>) -> Self {
        self.question.set_budget(&budget);
        self.question_of_texts.set_budget(&budget);
        self.budget = budget;
        self
    }

    /// How many workers there is work for.
    pub fn worker_count() -> usize {
        parallel::thread_count()
    }

    /// Reads every part, the earliest first (backwards: the latest). `merge` gets each part's sum, and a time that no later
    /// part has an entry before (backwards: after). Parts that cannot be read are left out, which is counted and logged.
    ///
    /// # Errors
    ///
    /// The first that a worker or `merge` has, by the order of parts; [`Error::Refused`] where the budget does not suffice
    /// or was cancelled.
    pub fn run<F: Folder>(
        &self,
        workers: &mut [F],
        merge: impl FnMut(F::Sum, Timestamp) -> Result<(), F::Error> + Send,
    ) -> Result<(), F::Error> {
        let items = self.items();
        let direction = self.question.direction;
        let nothing_before = |index: usize| match (items.get(index), direction) {
            (Some(item), _) => first_time(&item.extent, direction),
            (None, Direction::Forward) => Timestamp::MAX,
            (None, Direction::Backward) => Timestamp::MIN,
        };
        let next_item = AtomicUsize::new(0);
        let merging = Mutex::new(Merging { next: 0, waiting: BTreeMap::new(), merge, error: None, is_broken: false });
        let has_merged = Condvar::new();
        let work = |worker: &mut F| {
            let _wake = Wake(&merging, &has_merged);
            loop {
                let index = next_item.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return };
                let is_too_far_ahead =
                    |merging: &mut Merging<_, _, _>| !merging.is_over() && merging.next + AHEAD_MAX < index;
                let waited = has_merged.wait_while(lock(&merging), is_too_far_ahead);
                if waited.unwrap_or_else(PoisonError::into_inner).is_over() {
                    return;
                }
                let sum = self.sum(worker, item);
                lock(&merging).add(index, sum, nothing_before);
                has_merged.notify_all();
            }
        };
        thread::scope(|scope| {
            if let Some((first, others)) = workers.split_first_mut() {
                let others: Vec<_> = others.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
                work(first);
                for other in others {
                    other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                }
            }
        });
        lock(&merging).error.take().map_or(Ok(()), Err)
    }

    /// Every part that may have entries of the selection, in the order they are read in.
    fn items(&self) -> Vec<Item<'_>> {
        let Question { range, direction, .. } = self.question;
        let plain = self.streams.iter().filter(|(_, view)| !view.has_metadata);
        let stored = plain.flat_map(|(_, view)| view.stored.iter().flat_map(|stored| stored.iter_with_files()));
        let due = stored.filter(|(_, part)| range.overlaps(part.earliest, part.latest)).map(|(file, _)| file);
        let sieve = Sieve::new(&self.question.required(), due);
        let mut items = Vec::new();
        for (stream, (_, view)) in self.streams.iter().enumerate() {
            let stored = view.stored.iter().flat_map(|stored| stored.iter_with_files());
            let parts =
                stored.map(|(file, part)| Stored::In(file, part)).chain(view.pending.iter().map(Stored::Pending));
            let parts = parts.zip(view.extents());
            for (stored, extent) in parts.filter(|(_, extent)| range.overlaps(extent.earliest, extent.latest)) {
                let may_have_any = match stored {
                    Stored::In(file, part) => view.has_metadata || sieve.may_have_any(file, part),
                    Stored::Pending(_) => true,
                };
                if may_have_any {
                    items.push(Item { stream, place: items.len(), extent, stored });
                }
            }
        }
        match direction {
            Direction::Forward => items.sort_by_key(|item| item.extent.earliest),
            Direction::Backward => items.sort_by_key(|item| Reverse(item.extent.latest)),
        }
        items
    }

    fn sum<F: Folder>(&self, worker: &mut F, item: &Item<'_>) -> Result<F::Sum, F::Error> {
        self.budget.check().map_err(Error::from)?;
        let (labels, view) = &self.streams[item.stream];
        let question = if view.has_metadata { &self.question_of_texts } else { &self.question };
        let (range, Extent { earliest, latest, .. }) = (self.question.range, item.extent);
        let is_whole =
            !view.has_metadata && question.filters.is_empty() && range.contains(earliest) && range.contains(latest);
        let overview = Overview { labels, extent: item.extent, is_whole, place: item.place };
        if worker.begin(&overview)? {
            match item.stored {
                Stored::Pending(pending) => {
                    let lines = OpenLines::of_pending(pending.clone(), question, Trim::default());
                    self.each_of(worker, labels, lines, question)?;
                }
                Stored::In(file, part) => {
                    let read = || match file {
                        StoredIn::Journal(_) => {
                            let lines = OpenLines::of_part(file, part, question, Window::WHOLE, Trim::default());
                            self.each_of(worker, labels, lines, question)
                        }
                        StoredIn::Segment(segment) => {
                            let each = self.each_in_block(worker, &overview, segment, part, question);
                            // What is damaged is left out from there on.
                            each.unwrap_or_else(|problem| {
                                segment.add_unreadable(part, &problem.to_string());
                                Ok(())
                            })
                        }
                    };
                    while_reading(&self.budget, part, read).map_err(Error::from)??;
                }
            }
        }
        Ok(worker.take())
    }

    fn push<F: Folder>(
        &self,
        worker: &mut F,
        labels: &Labels,
        question: &Question,
        (timestamp, line): (Timestamp, &[u8]),
    ) -> Result<ControlFlow<()>, F::Error> {
        self.budget.check().map_err(Error::from)?;
        let (line, metadata) = question.split(line);
        worker.push(LogEntry { timestamp, labels, line, metadata })
    }

    /// Pushes each entry until the worker breaks.
    fn each_of<F: Folder>(
        &self,
        worker: &mut F,
        labels: &Labels,
        lines: Option<OpenLines>,
        question: &Question,
    ) -> Result<(), F::Error> {
        let Some(mut lines) = lines else { return Ok(()) };
        while self.push(worker, labels, question, lines.next_line())?.is_continue() && lines.advance(question) {}
        Ok(())
    }

    /// Pushes each entry of a block until the worker breaks, unless that takes them from columns.
    fn each_in_block<F: Folder>(
        &self,
        worker: &mut F,
        overview: &Overview<'_>,
        segment: &Segment,
        part: &Part,
        question: &Question,
    ) -> Result<Result<(), F::Error>, block::Error> {
        let block = segment.open_block(part)?;
        let mut rows = select(&block, question)?;
        if rows.is_empty() {
            return Ok(Ok(()));
        }
        if question.direction == Direction::Backward {
            rows.reverse();
        }
        if !question.has_metadata() {
            rows = match worker.take_columns(overview, &Columns::new(&block)?, rows)? {
                Ok(rows) if rows.is_empty() => return Ok(Ok(())),
                Ok(rows) => rows,
                Err(error) => return Ok(Err(error)),
            };
        }
        let timestamps_ns = block.timestamps_ns()?;
        let mut reader = block.lines()?;
        let mut line = Vec::new();
        for row in rows {
            line.clear();
            reader.append(row, &mut line)?;
            if !question.accepts(&line, true) {
                continue;
            }
            let timestamp = Timestamp::from_ns(timestamps_ns[row as usize]);
            match self.push(worker, overview.labels, question, (timestamp, &line)) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }
}

/// The time that none of a part's lines comes before in the direction.
fn first_time(extent: &Extent, direction: Direction) -> Timestamp {
    match direction {
        Direction::Forward => extent.earliest,
        Direction::Backward => extent.latest,
    }
}
