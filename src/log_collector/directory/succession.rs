//! What takes a file's place while the collector runs: the files that were rotated in between without having been seen,
//! and copies of what was truncated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::file::Identity;
use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::copies::originals;
use crate::log_collector::directory::rotated::{Rotated, rotated_out_of};
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::{Former, Reading, Source};
use crate::log_collector::watcher::Watcher;
use crate::model::Timestamp;
use crate::status::SkipReason;

/// A name has come to lead elsewhere: others may have had it in between.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Succession {
    /// The name, as seen under the root.
    pub(super) stream: PathBuf,
    /// The source that delivered to its stream, if it is still there.
    pub(super) earlier: Option<SourceId>,
    /// Where it leads now, be there a file or none.
    pub(super) to: PathBuf,
}

/// A file whose stream goes on with another.
struct Earlier {
    identity: Identity,
    path: PathBuf,
    modified_ns: i64,
    streams: Vec<PathBuf>,
}

impl Position {
    /// What is greater the later a file was read: the birth of a compressed one is when it was compressed, and so may be
    /// the time at which it was written to.
    pub(super) fn age(&self, identity: Identity) -> (bool, i64, Timestamp) {
        (!self.compressed, identity.born_ns, self.saved)
    }

    /// Whether the file was read for one of the streams of `paths`.
    pub(super) fn delivers_to_any(&self, paths: &[PathBuf]) -> bool {
        self.deliveries.iter().any(|delivery| paths.contains(&delivery.path))
    }
}

impl<W: Watcher> Directory<W> {
    /// Finds the files that were rotated in between where a name has come to lead elsewhere.
    pub(super) fn find_all_between(&mut self) {
        let succeeded = std::mem::take(&mut self.succeeded);
        let earlier_paths =
            succeeded.iter().filter_map(|it| Some(self.sources.get(&it.earlier?)?.source.path.as_path()));
        let paths = earlier_paths.chain(succeeded.iter().map(|it| it.to.as_path()));
        let directories: BTreeSet<PathBuf> = paths.filter_map(Path::parent).map(Path::to_owned).collect();
        // Before those are forgotten that are gone.
        let finished = |it: &Succession| if it.earlier.is_none() { self.earlier_position(&it.stream) } else { None };
        let finished: Vec<Option<Earlier>> = succeeded.iter().map(finished).collect();
        self.forget_gone(&directories);
        for (Succession { earlier, to, .. }, finished) in succeeded.into_iter().zip(finished) {
            let earlier = earlier.and_then(|id| self.earlier_source(id, &to)).or(finished);
            if let Some(earlier) = earlier {
                self.find_between(&earlier, &to);
            }
        }
    }

    /// What a source was, once it is known whose streams it delivers to and whether it was truncated; a copy beside where it
    /// was or beside `to` is read on.
    fn earlier_source(&mut self, id: SourceId, to: &Path) -> Option<Earlier> {
        let before = self.sources.get(&id)?;
        if before.source.delivery_paths().next().is_none() {
            // It lost its name as soon as it was seen.
            self.settle_source(id);
        }
        if !self.sources.get(&id)?.source.is_intact().unwrap_or(true) {
            // It was truncated before it lost its name: that is found by reading it.
            if let Some(collected) = self.read(id) {
                self.outbox.push_front(collected);
            }
        }
        let source = &self.sources.get(&id)?.source;
        let earlier = Earlier {
            identity: source.identity,
            path: self.path_before_rotation(&source.position((self.settings.clock)())),
            modified_ns: source.modified_ns,
            streams: source.delivery_paths().map(Path::to_owned).collect(),
        };
        if self.truncated.contains(&id) {
            let rotated = self.rotated_between(&earlier, to);
            self.find_copy_of(id, &rotated);
        }
        Some(earlier)
    }

    /// The latest file that was read for a stream, read to its end and let go.
    fn earlier_position(&self, stream: &Path) -> Option<Earlier> {
        let is_of_stream =
            |position: &Position| position.deliveries.iter().any(|delivery| delivery.path.as_path() == stream);
        let known = self.restored.iter().filter(|(_, position)| position.finished && is_of_stream(position));
        let (identity, position) = known.max_by_key(|(identity, position)| position.age(**identity))?;
        Some(Earlier {
            identity: *identity,
            path: self.path_before_rotation(position),
            modified_ns: position.modified_ns,
            streams: vec![stream.to_owned()],
        })
    }

    /// Where the file of a position was before it was rotated, if it was.
    fn path_before_rotation(&self, position: &Position) -> PathBuf {
        let name = position.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if originals(name).is_empty() {
            return position.path.clone();
        }
        self.rotated_from(position, &self.known_paths())
    }

    /// The files that were rotated out of where a stream's log was and out of where it is now, the earliest first.
    fn rotated_between(&mut self, earlier: &Earlier, to: &Path) -> Vec<Rotated> {
        let from = &earlier.path;
        // A file that a link led to may have been replaced before the link was.
        let is_relinked = from != to && !from.starts_with(&self.root);
        let mut rotated = if is_relinked { rotated_out_of(from, &mut self.listings) } else { Vec::new() };
        rotated.extend(Rotated::current(from).filter(|it| is_relinked && it.metadata.identity != earlier.identity));
        rotated.extend(rotated_out_of(to, &mut self.listings));
        rotated
    }

    /// Finds the files that were rotated after `earlier`, which was where `to` is now or will be, without ever having been
    /// seen there.
    fn find_between(&mut self, earlier: &Earlier, to: &Path) {
        let Earlier { identity, modified_ns, ref streams, .. } = *earlier;
        let rotated = self.rotated_between(earlier, to);
        let newest = rotated.iter().rposition(|it| self.is_read_for(it, streams));
        // Where all that is known is gone, what came into being or was written to later is new.
        let is_younger = |it: &Rotated| match newest {
            Some(_) => it.may_be_younger_than(identity),
            None if it.is_compressed() => modified_ns < it.metadata.modified_ns,
            None => identity.born_ns < it.metadata.identity.born_ns,
        };
        for it in rotated.iter().skip(newest.map_or(0, |newest| newest + 1)).filter(|it| is_younger(it)) {
            self.read_for(it, streams);
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
                if let Some(id) = id {
                    self.note_deliveries(id);
                }
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
