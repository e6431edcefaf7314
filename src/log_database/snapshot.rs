//! What a reader sees: everything that had been appended at one moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::index::{Index, Stream};
use crate::log_database::internal;
use crate::log_database::metadata;
use crate::log_database::scan::{Bounds, Count, Fold, PatternCount, Scan, StoredOrder, StreamTimes, stream_id};
use crate::log_database::statistics::Statistics;
use crate::log_database::view::View;
use crate::model::budget::Budget;
use crate::model::{Batch, Direction, Labels, Lines, LogEntry, Matcher, Selection, StreamLines, TimeRange, Timestamp};

/// Everything that had been appended at one moment; does not change and keeps the files it needs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    index: Arc<Index>,
    /// Batches being committed, those that came after them, and lines that have not ended.
    pending: [Arc<Vec<Arc<Batch>>>; 3],
    /// Which streams are shown.
    view: View,
}

/// One stream in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamView {
    /// What is committed.
    pub(super) stored: Option<Arc<Stream>>,
    /// What was appended after that.
    pub(super) pending: Vec<PendingLines>,
    /// The labels that it is stored with, a mark included.
    pub(super) stored_labels: Labels,
    /// The same without a mark.
    pub(super) own_labels: Labels,
    /// Whether each line is followed by metadata.
    pub(super) has_metadata: bool,
}

/// Lines of one stream in a batch.
#[derive(Clone, Debug)]
pub(super) struct PendingLines {
    batch: Arc<Batch>,
    /// Which of the batch's streams.
    position: usize,
}

impl PendingLines {
    pub(super) fn lines(&self) -> &Lines {
        &self.batch.streams[self.position].lines
    }
}

/// What is known of lines of one stream that are stored together, without a look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The time of the earliest line.
    pub earliest: Timestamp,
    /// The time of the latest line.
    pub latest: Timestamp,
    /// How many lines there are.
    pub lines: u64,
    /// Bytes of text in them.
    pub bytes: u64,
}

impl StreamView {
    /// Its place among all streams, which depends on nothing but the labels that are stored.
    pub(super) fn rank(&self) -> (&Labels, bool) {
        (&self.own_labels, self.has_metadata)
    }

    /// The part number `part`, committed ones first, if it is not committed.
    pub(super) fn pending_part(&self, part: usize) -> Option<&PendingLines> {
        self.pending.get(part.checked_sub(self.stored.as_ref().map_or(0, |stored| stored.len()))?)
    }

    /// The earliest and latest time in part number `part`.
    pub(super) fn part_times(&self, part: u32) -> Option<(Timestamp, Timestamp)> {
        let part = part as usize;
        match self.stored.as_ref().and_then(|stored| stored.get(part)) {
            Some((_, part)) => Some((part.earliest, part.latest)),
            None => self.pending_part(part)?.lines().time_bounds(),
        }
    }

    /// The numbers of the parts before `part` that may have a time from `first` to `last`, both inclusive.
    pub(super) fn parts_before(&self, part: u32, (first, last): (Timestamp, Timestamp)) -> Vec<u32> {
        let earlier = (0..part).zip(self.time_bounds());
        let may_have = earlier.filter(|(_, (earliest, latest))| *earliest <= last && first <= *latest);
        may_have.map(|(part, _)| part).collect()
    }

    /// Each part and each pending batch, in the order of appending.
    pub(super) fn extents(&self) -> impl Iterator<Item = Extent> {
        let stored = self.stored.iter().flat_map(|stream| stream.iter()).map(|part| Extent {
            earliest: part.earliest,
            latest: part.latest,
            lines: part.line_count.into(),
            bytes: part.text_bytes.into(),
        });
        let pending = self.pending.iter().filter_map(|pending| {
            let lines = pending.lines();
            let (earliest, latest) = lines.time_bounds()?;
            Some(Extent { earliest, latest, lines: lines.len() as u64, bytes: lines.byte_count() as u64 })
        });
        stored.chain(pending)
    }

    /// The earliest and latest time in each part and in each pending batch, in the order of appending.
    pub(super) fn time_bounds(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let stored = self.stored.iter().flat_map(|stream| stream.iter()).map(|part| (part.earliest, part.latest));
        stored.chain(self.pending.iter().filter_map(|pending| pending.lines().time_bounds()))
    }
}

impl Snapshot {
    pub(super) fn new(index: Arc<Index>, pending: [Arc<Vec<Arc<Batch>>>; 3]) -> Self {
        Self { index, pending, view: View::default() }
    }

    /// The same, of the streams that `view` shows.
    pub(super) fn within(self, view: &View) -> Self {
        Self { view: view.clone(), ..self }
    }

    /// The labels of the streams that all `matchers` accept and that may have lines in `range`, sorted. Looks at no
    /// line that is committed.
    pub fn streams(&self, matchers: &[Matcher], range: TimeRange) -> Vec<Labels> {
        let views = self.shown(|labels| as_stored(matchers, labels)).into_iter();
        let has_lines =
            |view: &StreamView| view.time_bounds().any(|(earliest, latest)| range.overlaps(earliest, latest));
        let labels: BTreeSet<Labels> = views.filter(|(_, view)| has_lines(view)).map(|(labels, _)| labels).collect();
        labels.into_iter().collect()
    }

    /// How much there is of each stream that may have lines in `range`, part by part, sorted by labels. Looks at no line
    /// that is committed.
    pub fn extents(&self, range: TimeRange) -> Vec<(Labels, Vec<Extent>)> {
        let mut streams: BTreeMap<Labels, Vec<Extent>> = BTreeMap::new();
        for (labels, view) in self.shown(|labels| Some(labels.clone())) {
            let mut extents = view.extents().filter(|extent| range.overlaps(extent.earliest, extent.latest)).peekable();
            if extents.peek().is_some() {
                streams.entry(labels).or_default().extend(extents);
            }
        }
        streams.into_iter().collect()
    }

    /// Hands the newest entry of each stream that `shown_as` gives labels to `take`, until that breaks.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where the budget does not suffice, or was cancelled.
    pub fn newest(
        &self,
        budget: &Arc<Budget>,
        shown_as: impl Fn(&Labels) -> Option<Labels>,
        take: &mut dyn FnMut(LogEntry<'_>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let selection = Selection { direction: Direction::Backward, limit: Some(1), ..Selection::of(Vec::new()) };
        for stream in self.shown(shown_as) {
            let mut scan = Scan::new(vec![stream], &selection, &Bounds::default()).within(Arc::clone(budget));
            if scan.next()?.is_some_and(|entry| take(entry).is_break()) {
                break;
            }
        }
        Ok(())
    }

    /// Whether entries of a stream that `shown_as` gives labels may have metadata.
    pub fn has_metadata(&self, shown_as: impl Fn(&Labels) -> Option<Labels>) -> bool {
        self.shown(shown_as).iter().any(|(_, view)| view.has_metadata)
    }

    /// Prepares to read the entries that `selection` asks for. Reads nothing yet.
    pub fn scan(&self, selection: &Selection) -> Scan {
        self.scan_as(selection, |labels| as_stored(&selection.matchers, labels))
    }

    /// As [`Snapshot::scan`], of the streams that `shown_as` gives labels, and with these instead of those that are
    /// stored; the selection's matchers play no part.
    pub fn scan_as(&self, selection: &Selection, shown_as: impl Fn(&Labels) -> Option<Labels>) -> Scan {
        Scan::new(self.shown(shown_as), selection, &Bounds::default())
    }

    /// As [`Snapshot::scan_as`], of the entries within `bounds`, each of which has a place.
    pub fn scan_within(
        &self,
        selection: &Selection,
        bounds: &Bounds,
        shown_as: impl Fn(&Labels) -> Option<Labels>,
    ) -> Scan {
        Scan::new(self.shown(shown_as), selection, bounds).numbered()
    }

    /// Prepares to read an internal stream from its first line on. Reads nothing yet.
    pub fn scan_internal(&self, name: &str) -> Scan {
        let labels = internal::labels(name);
        let view = self.view_of(&labels);
        Scan::new(vec![(labels, view)], &Selection::of(Vec::new()), &Bounds::default())
    }

    /// The labels that the stream with this [`stream_id`] is stored with; `None` where there is none.
    pub fn find_stream(&self, id: u64) -> Option<Labels> {
        let mut found = None;
        self.for_each_stream(|labels, _, _| {
            if stream_id(labels) == id {
                found = Some(labels.clone());
            }
        });
        found
    }

    /// Prepares to count the lines that `selection` asks for, by stream and by step of `step_ns` nanoseconds from the
    /// beginning of its range on. Its limit plays no part. Reads nothing yet. `None` where a stream has entries with
    /// metadata: labels tell these apart that only a scan shows.
    pub fn count(&self, selection: &Selection, step_ns: NonZeroU64) -> Option<Count> {
        self.count_as(selection, step_ns, |labels| as_stored(&selection.matchers, labels))
    }

    /// As [`Snapshot::count`], of the streams that `shown_as` gives labels; see [`Snapshot::scan_as`]. Streams that are
    /// given the same labels are counted one by one.
    pub fn count_as(
        &self,
        selection: &Selection,
        step_ns: NonZeroU64,
        shown_as: impl Fn(&Labels) -> Option<Labels>,
    ) -> Option<Count> {
        let streams = self.shown(shown_as);
        let has_metadata = streams.iter().any(|(_, view)| view.has_metadata);
        (!has_metadata).then(|| Count::new(streams, selection, step_ns))
    }

    /// Prepares to hand the entries that `selection` asks for to several threads, part by part in its direction, of the
    /// streams that `shown_as` gives labels; see [`Snapshot::scan_as`]. Its limit plays no part. Reads nothing yet.
    pub fn fold_as(&self, selection: &Selection, shown_as: impl Fn(&Labels) -> Option<Labels>) -> Fold {
        Fold::new(self.shown(shown_as), selection)
    }

    /// Prepares to count the lines that `selection` asks for, of the streams that `shown_as` gives labels, by pattern and by
    /// step of `step_ns` nanoseconds from the beginning of its range on. Its limit plays no part. Reads nothing yet.
    pub fn patterns_as(
        &self,
        selection: &Selection,
        step_ns: NonZeroU64,
        shown_as: impl Fn(&Labels) -> Option<Labels>,
    ) -> PatternCount {
        PatternCount::new(self.shown(shown_as), selection, step_ns)
    }

    /// The streams that `shown_as` gives labels, by the labels that are stored. One whose entries have metadata follows
    /// the one whose entries have none.
    fn shown(&self, shown_as: impl Fn(&Labels) -> Option<Labels>) -> Vec<(Labels, StreamView)> {
        let shown_as = |own: &Labels| if self.view.shows(own) { shown_as(own) } else { None };
        let mut pending = self.pending_by_stream();
        let committed = self.index.streams.iter().filter(|(labels, _)| !internal::is_internal(labels));
        let committed = committed.map(|(stored, stream)| (stored, Some(stream), pending.remove(stored)));
        // What is left out takes no memory: there may be a million others.
        let mut shown: Vec<_> =
            committed.filter_map(|(stored, stream, pending)| view(stored, stream, pending, &shown_as)).collect();
        shown.extend(pending.into_iter().filter_map(|(stored, lines)| view(stored, None, Some(lines), &shown_as)));
        shown.sort_by(|(_, one), (_, other)| one.rank().cmp(&other.rank()));
        shown
    }

    /// What is pending of each stream; nothing of internal ones.
    fn pending_by_stream(&self) -> HashMap<&Labels, Vec<PendingLines>> {
        let mut pending: HashMap<&Labels, Vec<PendingLines>> = HashMap::new();
        for batch in self.pending.iter().flat_map(|batches| batches.iter()) {
            for (position, stream) in batch.streams.iter().enumerate() {
                if !stream.lines.is_empty() && !internal::is_internal(&stream.labels) {
                    let lines = PendingLines { batch: Arc::clone(batch), position };
                    pending.entry(&stream.labels).or_default().push(lines);
                }
            }
        }
        pending
    }

    /// Hands each stream that is shown, as it is stored, to `look`, with what is committed of it and what is pending; none without lines, and
    /// no internal ones.
    fn for_each_stream<'s>(&'s self, mut look: impl FnMut(&'s Labels, Option<&'s Stream>, &[PendingLines])) {
        let mut pending = self.pending_by_stream();
        let committed = self.index.streams.iter().filter(|(labels, _)| !internal::is_internal(labels));
        for (labels, stream) in committed {
            let pending = pending.remove(labels).unwrap_or_default();
            if self.view.shows_stored(labels) {
                look(labels, Some(stream), &pending);
            }
        }
        for (labels, lines) in pending.into_iter().filter(|(labels, _)| self.view.shows_stored(labels)) {
            look(labels, None, &lines);
        }
    }

    /// How many lines of the stream that is stored with these labels have a time.
    pub fn times_of(&self, stored: &Labels) -> StreamTimes {
        StreamTimes::new(self.view_of(stored))
    }

    /// The entries of the stream that is stored with these labels as they were stored, read within `budget`.
    pub fn stored_order(&self, stored: &Labels, budget: &Arc<Budget>) -> StoredOrder {
        StoredOrder::new(self.view_of(stored), Arc::clone(budget))
    }

    fn view_of(&self, stored: &Labels) -> StreamView {
        let unmarked = metadata::unmark(stored);
        let is_shown = self.view.shows(unmarked.as_ref().unwrap_or(stored));
        let mut view = StreamView {
            stored: self.index.streams.get(stored).filter(|_| is_shown).cloned(),
            stored_labels: stored.clone(),
            has_metadata: unmarked.is_some(),
            own_labels: unmarked.unwrap_or_else(|| stored.clone()),
            ..StreamView::default()
        };
        for batch in self.pending.iter().flat_map(|batches| batches.iter()).filter(|_| is_shown) {
            let of_stream = |(_, stream): &(usize, &StreamLines)| stream.labels == *stored && !stream.lines.is_empty();
            let positions = batch.streams.iter().enumerate().filter(of_stream);
            view.pending.extend(positions.map(|(position, _)| PendingLines { batch: Arc::clone(batch), position }));
        }
        view
    }

    /// The time of the earliest line; `None` where there is no line. Looks at no line that is committed.
    pub fn oldest(&self) -> Option<Timestamp> {
        let mut oldest = None;
        self.for_each_stream(|_, stream, pending| oldest = earlier(oldest, earliest(stream, pending)));
        oldest
    }

    /// How many parts have turned out to be unreadable so far, and are left out.
    pub fn unreadable_count(&self) -> usize {
        let journal: usize = self.index.journal.values().map(|file| file.unreadable_count()).sum();
        let segments: usize = self.index.segments.values().map(|segment| segment.unreadable_count()).sum();
        journal + segments
    }

    /// What can be told from the snapshot; the rest is 0.
    pub(super) fn statistics(&self) -> Statistics {
        let (journal, segments) = (&self.index.journal, &self.index.segments);
        let journal_bytes: u64 = journal.values().map(|file| file.size_bytes()).sum();
        let segment_bytes: u64 = segments.values().map(|segment| segment.size_bytes()).sum();
        let mut statistics = Statistics {
            files: journal.len() + segments.len(),
            segments: segments.len(),
            blocks: segments.values().map(|segment| segment.block_count()).sum(),
            disk_bytes: journal_bytes + segment_bytes,
            segment_bytes,
            unreadable_parts: journal.values().map(|file| file.unreadable_count()).sum::<usize>() as u64,
            unreadable_blocks: segments.values().map(|segment| segment.unreadable_count()).sum::<usize>() as u64,
            ..Statistics::default()
        };
        self.for_each_stream(|_, stream, pending| {
            statistics.streams += 1;
            for part in stream.into_iter().flat_map(Stream::iter) {
                statistics.lines += u64::from(part.line_count);
                statistics.bytes += u64::from(part.text_bytes);
            }
            for pending in pending {
                statistics.lines += pending.lines().len() as u64;
                statistics.bytes += pending.lines().byte_count() as u64;
            }
            statistics.oldest = earlier(statistics.oldest, earliest(stream, pending));
        });
        statistics
    }
}

/// The view of a stream that `shown_as` gives labels, and these.
fn view(
    stored: &Labels,
    stream: Option<&Arc<Stream>>,
    pending: Option<Vec<PendingLines>>,
    shown_as: &impl Fn(&Labels) -> Option<Labels>,
) -> Option<(Labels, StreamView)> {
    let unmarked = metadata::unmark(stored);
    let has_metadata = unmarked.is_some();
    let own_labels = unmarked.unwrap_or_else(|| stored.clone());
    let labels = shown_as(&own_labels)?;
    let (stored, stored_labels, pending) = (stream.cloned(), stored.clone(), pending.unwrap_or_default());
    Some((labels, StreamView { stored, pending, stored_labels, own_labels, has_metadata }))
}

/// The time of a stream's earliest line.
fn earliest(stream: Option<&Stream>, pending: &[PendingLines]) -> Option<Timestamp> {
    let committed = stream.into_iter().flat_map(Stream::iter).map(|part| part.earliest);
    let pending = pending.iter().filter_map(|pending| pending.lines().time_bounds());
    committed.chain(pending.map(|(earliest, _)| earliest)).min()
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

/// The labels of a stream that all `matchers` accept.
fn as_stored(matchers: &[Matcher], labels: &Labels) -> Option<Labels> {
    matchers.iter().all(|matcher| matcher.accepts(labels)).then(|| labels.clone())
}
