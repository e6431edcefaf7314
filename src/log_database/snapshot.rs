//! What a reader sees: everything that had been appended at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::log_database::index::{Index, Stream};
use crate::log_database::metadata;
use crate::log_database::scan::{Count, Fold, PatternCount, Scan};
use crate::log_database::statistics::Statistics;
use crate::model::{Batch, Labels, Lines, Matcher, Selection, TimeRange, Timestamp};

/// Everything that had been appended at one moment; does not change and keeps the files it needs.
#[derive(Clone, Debug)]
pub struct Snapshot {
    index: Arc<Index>,
    /// Batches being committed, those that came after them, and lines that have not ended.
    pending: [Arc<Vec<Arc<Batch>>>; 3],
}

/// One stream in a snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamView {
    /// What is committed.
    pub(super) stored: Option<Arc<Stream>>,
    /// What was appended after that.
    pub(super) pending: Vec<PendingLines>,
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
        Self { index, pending }
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
        Scan::new(self.shown(shown_as), selection)
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

    /// Prepares to count the lines in `range` of the streams that `shown_as` gives labels, by pattern and by step of
    /// `step_ns` nanoseconds from the beginning of the range on. Reads nothing yet.
    pub fn patterns_as(
        &self,
        range: TimeRange,
        step_ns: NonZeroU64,
        shown_as: impl Fn(&Labels) -> Option<Labels>,
    ) -> PatternCount {
        PatternCount::new(self.shown(shown_as), range, step_ns)
    }

    /// The streams that `shown_as` gives labels. One whose entries have metadata follows the one whose entries have none.
    fn shown(&self, shown_as: impl Fn(&Labels) -> Option<Labels>) -> Vec<(Labels, StreamView)> {
        let views = self.views().into_iter().map(|(stored, mut view)| {
            let unmarked = metadata::unmark(stored);
            view.has_metadata = unmarked.is_some();
            (shown_as(unmarked.as_ref().unwrap_or(stored)), view)
        });
        let mut shown: Vec<_> = views.filter_map(|(labels, view)| Some((labels?, view))).collect();
        shown.sort_by(|(left, one), (right, other)| (left, one.has_metadata).cmp(&(right, other.has_metadata)));
        shown
    }

    /// The streams as they are stored; none without lines.
    fn views(&self) -> BTreeMap<&Labels, StreamView> {
        let mut views: BTreeMap<&Labels, StreamView> = BTreeMap::new();
        for (labels, stream) in &self.index.streams {
            views.insert(labels, StreamView { stored: Some(Arc::clone(stream)), ..StreamView::default() });
        }
        for batch in self.pending.iter().flat_map(|batches| batches.iter()) {
            for (position, stream) in batch.streams.iter().enumerate() {
                if !stream.lines.is_empty() {
                    let view = views.entry(&stream.labels).or_default();
                    view.pending.push(PendingLines { batch: Arc::clone(batch), position });
                }
            }
        }
        views
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
        for view in self.views().values() {
            statistics.streams += 1;
            for part in view.stored.iter().flat_map(|stream| stream.iter()) {
                statistics.lines += u64::from(part.line_count);
                statistics.bytes += u64::from(part.text_bytes);
            }
            for pending in &view.pending {
                statistics.lines += pending.lines().len() as u64;
                statistics.bytes += pending.lines().byte_count() as u64;
            }
            let earliest = view.time_bounds().map(|(earliest, _)| earliest).min();
            statistics.oldest = [statistics.oldest, earliest].into_iter().flatten().min();
        }
        statistics
    }
}

/// The labels of a stream that all `matchers` accept.
fn as_stored(matchers: &[Matcher], labels: &Labels) -> Option<Labels> {
    matchers.iter().all(|matcher| matcher.accepts(labels)).then(|| labels.clone())
}
