//! The files that are read, what the collector knows of each besides, and the lists of those that something is due for.
//!
//! What a file is in ([`Phase`], names, watch, failures, ends that wait) is changed through [`Sources`] alone, which keeps its lists:
//! no list can say what the file itself does not. A [`SourceId`] that leads nowhere is a defect, but for those that others kept
//! meanwhile, which [`Sources::find`] is for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{Index, IndexMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::file::Identity;
use crate::log_collector::source::Source;
use crate::status::SourceHandle;

/// How long a file that has stopped growing counts as one whose original is about to be truncated or replaced, and how long
/// a truncated file waits for its copy to be found.
pub(in crate::log_collector) const COPY_PATIENCE: Duration = Duration::from_secs(5);

/// Names a source while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::log_collector) struct SourceId(pub(in crate::log_collector) u64);

/// What is done with a file.
#[derive(Clone, Debug)]
pub(in crate::log_collector) enum Phase {
    /// Nothing of it is read until it is known whether it is a copy.
    HeldBack(HeldBack),
    /// It is read as it grows; if no name leads to it, until it has been quiet.
    Followed,
    /// No name leads to it and it is read to its end: it is let go once that is on stable storage.
    Finished,
}

/// Of which file another one may be a copy.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct HeldBack {
    /// The file it may be a copy of, which may be closed by now.
    pub(in crate::log_collector) original: SourceId,
    /// The first stream of that.
    pub(in crate::log_collector) stream: Option<PathBuf>,
    /// Whether nothing had been read of that: what the copy holds may never be.
    pub(in crate::log_collector) was_unread: bool,
    /// Whether it held what that began with while that was intact: then it is known for a copy, however short it is.
    pub(in crate::log_collector) began_alike: bool,
    /// Whether it turned out not to hold what the other one does.
    pub(in crate::log_collector) is_other: bool,
}

impl HeldBack {
    /// Whether it is still unknown what it is.
    pub(in crate::log_collector) fn is_undecided(&self) -> bool {
        !self.is_other
    }

    /// Whether it was certainly rotated: it is no copy of what its log holds now, which nothing had been read of by then.
    pub(in crate::log_collector) fn is_rotated(&self) -> bool {
        self.is_other && self.was_unread
    }
}

/// A line or an entry that has begun and not ended.
#[derive(Clone, Copy, Debug)]
pub(in crate::log_collector) struct Unended {
    /// Since when it has been still.
    pub(in crate::log_collector) since: Instant,
    pub(in crate::log_collector) is_shown: bool,
}

/// How the last read went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_collector) enum LastRead {
    Good,
    /// Nothing but a hole comes next: it may be filled without the watcher noticing.
    Hole,
    Failed,
}

/// A source and what the collector knows of it.
pub(in crate::log_collector) struct Tracked<Descriptor> {
    pub(in crate::log_collector) source: Source,
    /// While it has no name and no stream: the name that led to it last.
    pub(in crate::log_collector) last_name: Option<PathBuf>,
    /// Whether it waits for its turn to be read.
    pub(in crate::log_collector) queued: bool,
    /// Whether there was more than was read in one go.
    pub(in crate::log_collector) busy: bool,
    /// How long it was at the start, until that is read; 0 for a file that came later.
    pub(in crate::log_collector) history_end: u64,
    /// When the file had been modified when it was found, in nanoseconds since the Unix epoch.
    pub(in crate::log_collector) modified_ns: i64,
    /// When it was used last, among all uses.
    pub(in crate::log_collector) used: u64,
    /// While it has no name: when it was found so, or last read. While it may be a copy: when it was seen to grow.
    pub(in crate::log_collector) quiet_since: Instant,
    pub(in crate::log_collector) handle: SourceHandle,
    /// The names that lead to it now, as canonical paths under the root, in the order they were found.
    names: Vec<PathBuf>,
    phase: Phase,
    watch: Option<Descriptor>,
    last_read: LastRead,
    /// Since when an entry waits for its next line.
    joining_since: Option<Instant>,
    unended: Option<Unended>,
}

impl<D> Tracked<D> {
    /// What is known of a file that was just found.
    pub(in crate::log_collector) fn new(
        source: Source,
        handle: SourceHandle,
        modified_ns: i64,
        history_end: u64,
    ) -> Self {
        Self {
            source,
            last_name: None,
            queued: false,
            busy: false,
            history_end,
            modified_ns,
            used: 0,
            quiet_since: Instant::now(),
            handle,
            names: Vec::with_capacity(1),
            phase: Phase::Followed,
            watch: None,
            last_read: LastRead::Good,
            joining_since: None,
            unended: None,
        }
    }

    /// The names that lead to it now.
    pub(in crate::log_collector) fn names(&self) -> &[PathBuf] {
        &self.names
    }

    /// The names that lead to it, or led to it before it was decided which streams it delivers to.
    pub(in crate::log_collector) fn known_names(&self) -> impl Iterator<Item = &PathBuf> {
        self.names.iter().chain(&self.last_name)
    }

    /// Which of the stream's files this is.
    pub(in crate::log_collector) fn ordinal_in(&self, stream: &Path) -> Option<u64> {
        self.source.ordinals().find(|(path, _)| *path == stream).map(|(_, ordinal)| ordinal)
    }

    /// Of which file it may be a copy, while that is not known.
    pub(in crate::log_collector) fn held_back(&self) -> Option<&HeldBack> {
        match &self.phase {
            Phase::HeldBack(held) => Some(held),
            Phase::Followed | Phase::Finished => None,
        }
    }

    /// Notes that it holds what the file begins with that it may be a copy of.
    pub(in crate::log_collector) fn note_began_alike(&mut self) {
        if let Phase::HeldBack(held) = &mut self.phase {
            held.began_alike = true;
        }
    }

    /// Whether the last read failed.
    pub(in crate::log_collector) fn is_failing(&self) -> bool {
        self.last_read == LastRead::Failed
    }

    /// Whether the watcher tells of its changes.
    pub(in crate::log_collector) fn is_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// The line that has not ended, if there is one.
    pub(in crate::log_collector) fn unended(&self) -> Option<Unended> {
        self.unended
    }

    /// Ends the watch of a file that is let go.
    pub(in crate::log_collector) fn take_watch(&mut self) -> Option<D> {
        self.watch.take()
    }

    /// Whether its changes may be missed unless it is looked at.
    fn is_polled(&self) -> bool {
        self.watch.is_none() || self.last_read != LastRead::Good
    }
}

/// The files that are read.
pub(in crate::log_collector) struct Sources<Descriptor> {
    /// Boxed, since the map leaves room for as many again.
    by_id: BTreeMap<SourceId, Box<Tracked<Descriptor>>>,
    by_identity: HashMap<Identity, SourceId>,
    count: u64,
    lists: Lists,
}

/// Which sources something is due for; what each is in says whether it is there.
#[derive(Debug, Default)]
struct Lists {
    held_back: BTreeSet<SourceId>,
    nameless: BTreeSet<SourceId>,
    finished: BTreeSet<SourceId>,
    polled: BTreeSet<SourceId>,
    unended: BTreeSet<SourceId>,
    /// By since when.
    joining: BTreeSet<(Instant, SourceId)>,
}

impl<D> Sources<D> {
    pub(in crate::log_collector) fn new() -> Self {
        Self { by_id: BTreeMap::new(), by_identity: HashMap::new(), count: 0, lists: Lists::default() }
    }

    pub(in crate::log_collector) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(in crate::log_collector) fn ids(&self) -> Vec<SourceId> {
        self.by_id.keys().copied().collect()
    }

    pub(in crate::log_collector) fn iter(&self) -> impl Iterator<Item = &Tracked<D>> {
        self.by_id.values().map(Box::as_ref)
    }

    /// The source of a file.
    pub(in crate::log_collector) fn of_file(&self, identity: Identity) -> Option<SourceId> {
        self.by_identity.get(&identity).copied()
    }

    /// A source that may be closed by now.
    pub(in crate::log_collector) fn find(&self, id: SourceId) -> Option<&Tracked<D>> {
        self.by_id.get(&id).map(Box::as_ref)
    }

    /// The id of the next source.
    pub(in crate::log_collector) fn next_id(&self) -> SourceId {
        SourceId(self.count + 1)
    }

    /// Adds a source, as [`Sources::next_id`].
    pub(in crate::log_collector) fn insert(&mut self, tracked: Tracked<D>) -> SourceId {
        let id = self.next_id();
        self.count += 1;
        self.by_identity.insert(tracked.source.identity, id);
        self.by_id.insert(id, Box::new(tracked));
        self.change(id, |_| ());
        id
    }

    /// Takes a source out for good.
    pub(in crate::log_collector) fn remove(&mut self, id: SourceId) -> Box<Tracked<D>> {
        let tracked = self.by_id.remove(&id).expect("a source is closed once");
        self.by_identity.remove(&tracked.source.identity);
        let Lists { held_back, nameless, finished, polled, unended, joining } = &mut self.lists;
        for list in [held_back, nameless, finished, polled, unended] {
            list.remove(&id);
        }
        if let Some(since) = tracked.joining_since {
            joining.remove(&(since, id));
        }
        tracked
    }

    /// Works on a source beside the others, which lack it meanwhile.
    pub(in crate::log_collector) fn beside<R>(
        &mut self,
        id: SourceId,
        work: impl FnOnce(&mut Tracked<D>, &Self) -> R,
    ) -> R {
        let mut tracked = self.by_id.remove(&id).expect("only what is read is looked at");
        let result = work(&mut tracked, self);
        self.by_id.insert(id, tracked);
        result
    }

    /// Notes that a name leads to a source.
    pub(in crate::log_collector) fn add_name(&mut self, id: SourceId, name: PathBuf) {
        self.change(id, |it| {
            it.names.push(name);
            it.last_name = None;
            if matches!(it.phase, Phase::Finished) {
                it.phase = Phase::Followed;
            }
        });
    }

    /// Notes that a name does not lead to a source any more. Returns whether it was the last one.
    pub(in crate::log_collector) fn remove_name(&mut self, id: SourceId, name: &Path) -> bool {
        self.change(id, |it| {
            it.names.retain(|known| known != name);
            let is_last = it.names.is_empty();
            if is_last {
                it.last_name = it.source.delivery_paths().next().is_none().then(|| name.to_owned());
                it.quiet_since = Instant::now();
            }
            is_last
        })
    }

    pub(in crate::log_collector) fn set_phase(&mut self, id: SourceId, phase: Phase) {
        self.change(id, |it| it.phase = phase);
    }

    /// Has a source followed that was held back, if it was. Returns whether it was.
    pub(in crate::log_collector) fn release(&mut self, id: SourceId) -> bool {
        let was_held_back = self[id].held_back().is_some();
        if was_held_back {
            self.set_phase(id, Phase::Followed);
        }
        was_held_back
    }

    /// Has the watcher tell of a source's changes, where it can; it is polled otherwise.
    pub(in crate::log_collector) fn set_watch(&mut self, id: SourceId, watch: Option<D>) {
        self.change(id, |it| {
            it.source.state.polled.store(watch.is_none(), Ordering::Relaxed);
            it.watch = watch;
        });
    }

    /// Notes how the last read went. Returns whether the one before failed.
    pub(in crate::log_collector) fn set_last_read(&mut self, id: SourceId, last_read: LastRead) -> bool {
        let was_failing = self[id].is_failing();
        if self[id].last_read != last_read {
            self.change(id, |it| it.last_read = last_read);
        }
        was_failing
    }

    /// Notes since when an entry waits for its next line.
    pub(in crate::log_collector) fn set_joining(&mut self, id: SourceId, since: Option<Instant>) {
        if self[id].joining_since != since {
            self.change(id, |it| it.joining_since = since);
        }
    }

    /// Notes the line that has not ended.
    pub(in crate::log_collector) fn set_unended(&mut self, id: SourceId, unended: Option<Unended>) {
        if self[id].unended.is_some() || unended.is_some() {
            self.change(id, |it| it.unended = unended);
        }
    }

    /// Those that may be copies.
    pub(in crate::log_collector) fn held_back(&self) -> impl Iterator<Item = (SourceId, &HeldBack)> {
        self.lists.held_back.iter().filter_map(|id| Some((*id, self.find(*id)?.held_back()?)))
    }

    /// Those without a name that are not finished.
    pub(in crate::log_collector) fn nameless(&self) -> &BTreeSet<SourceId> {
        &self.lists.nameless
    }

    /// Those that are read to their end and wait for a sync.
    pub(in crate::log_collector) fn finished(&self) -> &BTreeSet<SourceId> {
        &self.lists.finished
    }

    /// Those whose changes the watcher may not report.
    pub(in crate::log_collector) fn polled(&self) -> &BTreeSet<SourceId> {
        &self.lists.polled
    }

    /// Those with a line or an entry that has begun and not ended.
    pub(in crate::log_collector) fn unended(&self) -> &BTreeSet<SourceId> {
        &self.lists.unended
    }

    /// The one whose entry waits longest for its next line, and since when.
    pub(in crate::log_collector) fn first_joining(&self) -> Option<(Instant, SourceId)> {
        self.lists.joining.first().copied()
    }

    /// Changes what a source is in, and has the lists say the same.
    fn change<R>(&mut self, id: SourceId, change: impl FnOnce(&mut Tracked<D>) -> R) -> R {
        let it = self.by_id.get_mut(&id).expect("only what is read changes");
        let was_joining = it.joining_since;
        let result = change(it);
        let lists = &mut self.lists;
        let is_finished = matches!(it.phase, Phase::Finished);
        list(&mut lists.held_back, id, it.held_back().is_some());
        list(&mut lists.nameless, id, it.names.is_empty() && !is_finished);
        list(&mut lists.finished, id, is_finished);
        list(&mut lists.polled, id, it.is_polled());
        list(&mut lists.unended, id, it.unended.is_some());
        if it.joining_since != was_joining {
            lists.joining.extend(it.joining_since.map(|since| (since, id)));
            was_joining.map(|since| lists.joining.remove(&(since, id)));
        }
        result
    }
}

#[cfg(test)]
impl<D> Sources<D> {
    /// Makes all believe that they have been quiet, and their last lines still, for so much longer.
    pub(in crate::log_collector) fn let_be_quiet(&mut self, quiet: Duration, still: Duration) {
        for it in self.by_id.values_mut() {
            it.quiet_since -= quiet;
            if let Some(unended) = &mut it.unended {
                unended.since -= still;
            }
        }
    }

    /// Makes all entries that wait for their next line believe that they have done so since then. Returns how many there are.
    pub(in crate::log_collector) fn let_entries_wait_since(&mut self, since: Instant) -> usize {
        let waiting: Vec<SourceId> = self.lists.joining.iter().map(|(_, id)| *id).collect();
        for id in &waiting {
            self.set_joining(*id, Some(since));
        }
        waiting.len()
    }
}

/// Has `set` hold `item` or not.
fn list<T: Ord>(set: &mut BTreeSet<T>, item: T, is_in: bool) {
    if is_in {
        set.insert(item);
    } else {
        set.remove(&item);
    }
}

impl<D> Index<SourceId> for Sources<D> {
    type Output = Tracked<D>;

    fn index(&self, id: SourceId) -> &Tracked<D> {
        self.by_id.get(&id).expect("a source is closed")
    }
}

impl<D> IndexMut<SourceId> for Sources<D> {
    fn index_mut(&mut self, id: SourceId) -> &mut Tracked<D> {
        self.by_id.get_mut(&id).expect("a source is closed")
    }
}
