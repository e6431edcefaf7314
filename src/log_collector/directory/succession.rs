//! What takes a file's place while the collector runs: the files that were rotated in between without having been seen,
//! and copies of what was truncated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::rotated::{Rotated, rotated_out_of};
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::{Former, Reading, Source};
use crate::log_collector::watcher::Watcher;
use crate::status::SkipReason;

impl Position {
    /// Whether the file was read for one of the streams of `paths`.
    pub(super) fn delivers_to_any(&self, paths: &[PathBuf]) -> bool {
        self.deliveries.iter().any(|delivery| paths.contains(&delivery.path))
    }
}

impl<W: Watcher> Directory<W> {
    /// Finds the files that were rotated in between where one source has lost its name to another.
    pub(super) fn find_all_between(&mut self) {
        let succeeded = std::mem::take(&mut self.succeeded);
        let ids = succeeded.iter().flat_map(|(earlier, later)| [Some(earlier), later.as_ref()]).flatten();
        let paths = ids.filter_map(|id| Some(self.sources.get(id)?.source.path.as_path()));
        let directories: BTreeSet<PathBuf> = paths.filter_map(Path::parent).map(Path::to_owned).collect();
        self.forget_gone(&directories);
        for (earlier, later) in succeeded {
            self.find_between(earlier, later);
        }
    }

    /// Finds the files that were rotated after `earlier`, which had the name that `later` or nobody has now, without ever
    /// having been seen under that name.
    fn find_between(&mut self, earlier: SourceId, later: Option<SourceId>) {
        let Some(before) = self.sources.get(&earlier) else { return };
        if before.source.delivery_paths().next().is_none() {
            // It lost its name as soon as it was seen.
            self.settle_source(earlier);
        }
        let Some(before) = self.sources.get(&earlier) else { return };
        if !before.source.is_intact().unwrap_or(true) {
            // It was truncated before it lost its name: that is found by reading it.
            if let Some(collected) = self.read(earlier) {
                self.outbox.push_front(collected);
            }
        }
        let Some(before) = self.sources.get(&earlier) else { return };
        let after = later.and_then(|later| self.sources.get(&later)).unwrap_or(before);
        let paths: Vec<PathBuf> = before.source.delivery_paths().map(Path::to_owned).collect();
        let identity = before.source.identity;
        let (from, to) = (before.source.path.clone(), after.source.path.clone());
        let modified_ns = before.source.modified_ns;
        // A file that a link led to may have been replaced before the link was.
        let is_relinked = from != to && !from.starts_with(&self.root);
        let mut rotated = if is_relinked { rotated_out_of(&from, &mut self.listings) } else { Vec::new() };
        rotated.extend(Rotated::current(&from).filter(|it| is_relinked && it.metadata.identity != identity));
        rotated.extend(rotated_out_of(&to, &mut self.listings));
        self.find_copy_of(earlier, &rotated);
        let newest = rotated.iter().rposition(|it| self.is_read_for(it, &paths));
        // Where all that is known is gone, what came into being or was written to later is new.
        let is_younger = |it: &Rotated| match newest {
            Some(_) => it.may_be_younger_than(identity),
            None if it.is_compressed() => modified_ns < it.metadata.modified_ns,
            None => identity.born_ns < it.metadata.identity.born_ns,
        };
        for it in rotated.iter().skip(newest.map_or(0, |newest| newest + 1)).filter(|it| is_younger(it)) {
            self.read_for(it, &paths);
        }
    }

    /// Looks for a copy that was compressed at once of the file of a source that was truncated.
    pub(super) fn find_compressed_copy_of(&mut self, original: SourceId) {
        let Some(tracked) = self.sources.get(&original).filter(|tracked| tracked.former.is_some()) else { return };
        let rotated = rotated_out_of(&tracked.source.path, &mut self.listings);
        self.find_copy_of(original, &rotated);
    }

    /// Reads on in the copy that is among `rotated` of the file of a source that was truncated.
    fn find_copy_of(&mut self, original: SourceId, rotated: &[Rotated]) {
        let Some(tracked) = self.sources.get(&original) else { return };
        let Some((former, _)) = &tracked.former else { return };
        let is_it = |it: &&Rotated| self.is_unknown(it) && it.is_copy_of(&former.position);
        let Some(it) = rotated.iter().find(is_it) else { return };
        let Some((former, _)) = self.sources.get_mut(&original).and_then(|it| it.former.take()) else { return };
        self.resume_in(it, &former);
        if let Some(&copy) = self.sources_by_identity.get(&it.metadata.identity) {
            self.read_first(copy, original);
        }
    }

    /// Whether a file is or was read for one of the streams of `paths`, or holds what is held open for them.
    fn is_read_for(&self, it: &Rotated, paths: &[PathBuf]) -> bool {
        let identity = it.metadata.identity;
        let stored = self.restored.get(&identity);
        let deliverers = paths.iter().filter_map(|path| self.deliverers.get(path)).flatten();
        let mut sources = deliverers.filter_map(|id| self.sources.get(id)).map(|tracked| &tracked.source);
        let now = (self.settings.clock)();
        let is_copy = |source: &Source| it.is_copy_of(&source.whole(now).unwrap_or_else(|_| source.position(now)));
        stored.is_some_and(|position| position.delivers_to_any(paths))
            || sources.clone().any(|source| source.identity == identity)
            || self.is_unknown(it) && sources.any(is_copy)
    }

    /// Whether nothing is known of a file.
    pub(super) fn is_unknown(&self, it: &Rotated) -> bool {
        let identity = it.metadata.identity;
        let is_candidate = self.sources_by_identity.get(&identity).is_some_and(|id| self.copies.contains_key(id));
        !is_candidate && !self.has_position(it)
    }

    /// Whether it is known how far a file was read.
    pub(super) fn has_position(&self, it: &Rotated) -> bool {
        let identity = it.metadata.identity;
        let source = self.sources_by_identity.get(&identity).and_then(|id| self.sources.get(id));
        let is_read = source.is_some_and(|it| it.source.delivery_paths().next().is_some());
        is_read || self.restored.contains_key(&identity)
    }

    /// Reads on in a copy of what `former` was.
    pub(super) fn resume_in(&mut self, it: &Rotated, former: &Former) {
        let id = former.first_path().and_then(|path| self.source_of(it, path));
        let Some(tracked) = id.and_then(|id| self.sources.get_mut(&id)) else {
            return self.give_up(former, SkipReason::Damaged);
        };
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match tracked.source.resume_copy(former, &reading) {
            Ok(true) => {
                log::info!("{} is read on from byte {}", it.path.display(), former.offset());
                id.into_iter().for_each(|id| self.note_deliveries(id));
            }
            Ok(false) => self.give_up(former, SkipReason::Damaged),
            Err(error) => {
                log::warn!("{error}; its last lines are missing");
                self.give_up(former, SkipReason::Damaged);
            }
        }
        if let Some(id) = id {
            self.store_position(id);
            self.enqueue(id);
        }
    }

    /// Reads a file that nothing is known of for the streams of `paths`, from its first byte.
    pub(super) fn read_for(&mut self, it: &Rotated, paths: &[PathBuf]) {
        if !self.is_unknown(it) {
            return;
        }
        let Some(id) = paths.first().and_then(|first| self.source_of(it, first)) else { return };
        log::info!("{} was rotated while nobody was looking; it is read for {}", it.path.display(), paths[0].display());
        for path in paths {
            self.deliver_to(id, path.clone());
        }
    }

    /// The source of a rotated file, opened if it is not yet; `seen` is the first name it delivers to.
    fn source_of(&mut self, it: &Rotated, seen: &Path) -> Option<SourceId> {
        let opened = self.open_source(&it.path, it.metadata.identity, seen, it.is_compressed());
        opened.unwrap_or_else(|error| {
            log::warn!("{error}; its lines are missing");
            None
        })
    }
}
