//! Finds what was rotated while the agent was not running.
//!
//! A file that is not where it was read may have been renamed, copied or compressed since, once or several times: it is
//! looked for beside where it was, by identity and, where that fails, by content. Reading goes on inside it, then in the
//! files that were rotated after it, in their order, and then in the one that has the name now: all of them deliver to one
//! stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{self, Identity};
use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::copies::originals;
use crate::log_collector::directory::listings::{Files, Listings};
use crate::log_collector::directory::rotated::{COMPRESSED, Rotated, rotated_out_of};
use crate::log_collector::directory::sources::Tracked;
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::Former;
use crate::log_collector::watcher::Watcher;
use crate::model::Timestamp;
use crate::status::SkipReason;

/// How long the position of a file that is not found is kept, should the file come back: a file system that was not
/// mounted in time, say.
pub(super) const POSITION_KEPT: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// What is known of a file.
type Known = (Identity, Position);
/// Positions of the files that were last seen at one path.
pub(super) type KnownByPath = BTreeMap<PathBuf, Vec<Known>>;

/// Where a source stands among those of its stream: the birth of the latest file at the path it had before it was rotated,
/// and how many were rotated there before.
pub(super) type Turn = (i64, usize);
/// Where sources stand among those of their streams.
pub(super) type Turns = HashMap<SourceId, Turn>;

/// The files that are or were at one path.
struct Lineage<'a> {
    path: &'a Path,
    /// The earliest first.
    rotated: Vec<Rotated>,
    /// The one that is there.
    current: Option<Rotated>,
}

/// Which files of a lineage are found again.
#[derive(Default)]
struct Found {
    /// Where the latest of them is; behind all where the one that is at the path goes on.
    newest: Option<usize>,
    /// When the first of those was written to that are gone, or compressed with a content that was not read.
    missing_ns: Option<i64>,
}

impl<'a> Lineage<'a> {
    fn of(path: &'a Path, listings: &mut Listings) -> Self {
        Self { path, rotated: rotated_out_of(path, listings), current: Rotated::current(path) }
    }

    /// All files, the earliest first.
    fn files(&self) -> impl Iterator<Item = &Rotated> {
        self.rotated.iter().chain(&self.current)
    }

    /// Where a file is.
    fn index_of(&self, identity: Identity) -> Option<usize> {
        self.files().position(|it| it.metadata.identity == identity)
    }

    /// Whether a file is there and was read to its end.
    fn has_finished(&self, (identity, position): &Known) -> bool {
        self.files().any(|it| it.metadata.identity == *identity && position.is_finished_at(&it.path))
    }
}

impl<W: Watcher> Directory<W> {
    /// What is known of each path from the stored positions.
    pub(super) fn known_by_path(&self) -> KnownByPath {
        let paths = self.known_paths();
        let mut known = KnownByPath::new();
        for (identity, position) in &self.restored {
            if !position.deliveries.is_empty() {
                known.entry(self.rotated_from(position, &paths)).or_default().push((*identity, position.clone()));
            }
        }
        known
    }

    /// Where the files were last seen whose positions are stored.
    pub(super) fn known_paths(&self) -> HashSet<&Path> {
        self.restored.values().map(|position| position.path.as_path()).collect()
    }

    /// The path that the file of a position had before it was rotated: it has that one's stream, or the path is among
    /// `known_paths`, or there.
    pub(super) fn rotated_from(&self, position: &Position, known_paths: &HashSet<&Path>) -> PathBuf {
        let path = &position.path;
        let has_own_stream = position.deliveries.iter().any(|delivery| delivery.path == self.seen(path));
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| !has_own_stream).unwrap_or_default();
        let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
        let candidates = originals(name).into_iter().map(|original| path.with_file_name(original));
        let is_known = |candidate: &PathBuf| {
            let has_its_stream = position.deliveries.iter().any(|delivery| delivery.path == self.seen(candidate));
            has_its_stream || known_paths.contains(candidate.as_path()) || file::link_metadata(candidate).is_ok()
        };
        candidates.into_iter().find(is_known).unwrap_or_else(|| path.clone())
    }

    /// Finds files that were rotated while the agent was not running, and those rotated after them.
    pub(super) fn find_rotated(&mut self, known: &KnownByPath) {
        self.find_renamed();
        let mut turns = Turns::new();
        // Those first: that a file is new is told by the positions that are stored, and others make them younger.
        self.find_rotated_of_new_files(known, &mut turns);
        for (path, known) in known {
            self.trace(path, known, &mut turns);
        }
        self.forget_old_positions();
        self.order_resumed(&turns);
    }

    /// Finds files that were renamed out of the names that are collected and hold more than was read, to be read to their end.
    pub(super) fn find_renamed(&mut self) {
        let mut found_in: HashMap<PathBuf, Arc<Files>> = HashMap::new();
        for (identity, position) in self.restored.clone() {
            let (Some(directory), Some(delivery)) = (position.path.parent(), position.deliveries.first()) else {
                continue;
            };
            let found = found_in.entry(directory.to_owned()).or_insert_with(|| self.listings.files_in(directory).0);
            let Some(found) = found.get(&identity) else { continue };
            if position.is_finished_at(found) {
                continue;
            }
            if file::metadata(&delivery.path).is_ok_and(|metadata| metadata.identity == identity) {
                // Its name leads to it, only it is not asked for any more.
                continue;
            }
            match self.source_at(found, identity, &delivery.path) {
                Ok(_) => log::debug!("{} is read to its end", found.display()),
                // Renamed or compressed since it was listed: it is looked for by content.
                Err(error) if error.kind() == ErrorKind::NotFound => log::debug!("{error}"),
                Err(error) => log::warn!("{error}; its last lines are missing"),
            }
        }
    }

    /// Finds out what became of the files that were last seen at `path`. `turns` tells which source of a stream is read
    /// before which.
    fn trace(&mut self, path: &Path, known: &[Known], turns: &mut Turns) {
        let there = file::link_metadata(path).ok().map(|metadata| metadata.identity);
        let there = there.and_then(|identity| self.sources_by_identity.get(&identity)).copied();
        let goes_on = there.is_some_and(|there| self.is_read_on(there));
        let is_open = |(identity, _): &Known| !self.restored.contains_key(identity);
        if goes_on && known.len() == 1 && known.iter().all(is_open) {
            return;
        }
        let lineage = Lineage::of(path, &mut self.listings);
        if !goes_on || !known.iter().all(|it| is_open(it) || lineage.has_finished(it)) {
            let found = self.find_known(&lineage, known);
            // Whatever was rotated after the ones that are known is known, too, if the latest of them goes on.
            let found = if goes_on { Found { newest: Some(lineage.rotated.len()), ..found } } else { found };
            self.read_later(&lineage, known, &found);
        }
        self.note_turns(&lineage, turns);
    }

    /// Finds files that are known again, by identity or by content.
    fn find_known(&mut self, lineage: &Lineage<'_>, known: &[Known]) -> Found {
        let mut found = Found::default();
        for it in known {
            let (identity, position) = it;
            let index = match self.sources_by_identity.get(identity).copied() {
                Some(id) if self.is_read_on(id) => lineage.index_of(*identity).filter(|it| *it < lineage.rotated.len()),
                // It is there, and was read to its end, or is left out or cannot be opened for now.
                None if lineage.index_of(*identity).is_some() => lineage.index_of(*identity),
                source => {
                    let copy = self.find_copy(lineage, *identity, position, source);
                    if copy.is_none() && source.is_none() && !position.finished {
                        let earliest = found.missing_ns.unwrap_or(i64::MAX);
                        found.missing_ns = Some(earliest.min(position.modified_ns));
                    }
                    copy
                }
            };
            found.newest = found.newest.max(index);
        }
        found
    }

    /// Reads the files that came after those that are `known`.
    fn read_later(&mut self, lineage: &Lineage<'_>, known: &[Known], found: &Found) {
        let latest = known.iter().max_by_key(|(identity, position)| position.age(*identity));
        let Some((latest_identity, latest)) = latest else { return };
        let plain = known.iter().filter(|(_, position)| !position.compressed);
        let modified_ns = plain.map(|(_, position)| position.modified_ns).max().unwrap_or(i64::MIN);
        let first_later = found.newest.map_or(0, |newest| newest + 1);
        let is_later = |index: usize, it: &Rotated| {
            let is_newer = found.newest.is_some() || modified_ns < it.metadata.modified_ns;
            let may_be_younger = latest.compressed || it.may_be_younger_than(*latest_identity);
            first_later <= index && is_newer && may_be_younger
        };
        let may_be_missing = |it: &Rotated| {
            it.is_compressed() && found.missing_ns.is_some_and(|missing_ns| missing_ns <= it.metadata.modified_ns)
        };
        let paths: Vec<PathBuf> = latest.deliveries.iter().map(|delivery| delivery.path.clone()).collect();
        for (index, it) in lineage.rotated.iter().enumerate() {
            if is_later(index, it) || may_be_missing(it) {
                self.read_for(it, &paths);
            }
        }
        if let Some(it) = lineage.current.as_ref().filter(|_| !lineage.path.starts_with(&self.root)) {
            // A link led to it that leads elsewhere by now.
            self.read_for(it, &paths);
        }
    }

    /// Notes that the files of a lineage deliver one after the other.
    fn note_turns(&self, lineage: &Lineage<'_>, turns: &mut Turns) {
        // The birth of a compressed file is later than that of its content.
        let plain = lineage.files().filter(|it| !it.is_compressed());
        let born_ns = plain.map(|it| it.metadata.identity.born_ns).max().unwrap_or(i64::MIN);
        for (index, it) in lineage.files().enumerate() {
            let source = self.sources_by_identity.get(&it.metadata.identity);
            turns.extend(source.map(|id| (*id, (born_ns, index))));
        }
    }

    /// Finds files that came into being and were rotated while the agent was not running.
    fn find_rotated_of_new_files(&mut self, known: &KnownByPath, turns: &mut Turns) {
        let modified_ns = known.values().flatten().map(|(_, position)| position.modified_ns).max();
        // At the very first start everything is new, and what was rotated before is no part of a log's stream.
        let Some(modified_ns) = modified_ns else { return };
        // When the latest file was born that is known of each stream.
        let mut births: HashMap<&Path, i64> = HashMap::new();
        for (identity, position) in known.values().flatten().filter(|(_, position)| !position.compressed) {
            for delivery in &position.deliveries {
                let born_ns = births.entry(&delivery.path).or_insert(identity.born_ns);
                *born_ns = identity.born_ns.max(*born_ns);
            }
        }
        let is_new = |tracked: &Tracked<W::Descriptor>| {
            let paths: Vec<PathBuf> = tracked.names.iter().map(|name| self.seen(name)).collect();
            let path = tracked.source.path.clone();
            let is_rotated = tracked.names.iter().any(|name| self.original_of(name).is_some());
            let is_new = tracked.source.delivery_paths().next().is_none() && !known.contains_key(&path);
            (is_new && !is_rotated).then_some((path, paths))
        };
        for (path, paths) in self.sources.values().filter_map(|tracked| is_new(tracked)).collect::<Vec<_>>() {
            let lineage = Lineage::of(&path, &mut self.listings);
            // Where something is known of the stream, what is younger is new.
            let born_ns = paths.iter().filter_map(|path| births.get(path.as_path())).max();
            let is_new = |it: &&Rotated| match born_ns {
                Some(born_ns) => it.is_compressed() || *born_ns < it.metadata.identity.born_ns,
                None => modified_ns < it.metadata.modified_ns,
            };
            for it in lineage.rotated.iter().filter(is_new) {
                self.read_for(it, &paths);
            }
            self.note_turns(&lineage, turns);
        }
    }

    /// Whether a source goes on with what was stored of it.
    fn is_read_on(&self, id: SourceId) -> bool {
        let source = self.sources.get(&id);
        source.is_some_and(|it| it.source.delivery_paths().next().is_some() && it.former.is_none())
    }

    /// Finds the copy of the file that was read up to `position` and is not there any more, or is `source` by now, and
    /// reads on in it. Returns where among `rotated` it is.
    fn find_copy(
        &mut self,
        lineage: &Lineage<'_>,
        identity: Identity,
        position: &Position,
        source: Option<SourceId>,
    ) -> Option<usize> {
        let rotated = &lineage.rotated;
        // The bytes before the offset may be the same in several files: what was written to later is more likely the one.
        let is_later = |it: &Rotated| position.modified_ns < it.metadata.modified_ns;
        let later = (0..rotated.len()).filter(|index| is_later(&rotated[*index]));
        let earlier = (0..rotated.len()).rev().filter(|index| !is_later(&rotated[*index]));
        let unknown = later.chain(earlier).filter(|index| self.is_unknown(&rotated[*index]));
        let is_it = |index: &usize| rotated[*index].is_copy_of(position);
        let has_lost_its_end = |index: &usize| rotated[*index].lacks_end_of(position);
        let found = unknown.clone().find(is_it).or_else(|| unknown.clone().find(has_lost_its_end));
        // Its position was stored before it was stored that the original starts anew.
        let is_known = |it: &Rotated| self.has_position(it) && it.is_copy_of(position);
        let known = if found.is_none() { rotated.iter().position(is_known) } else { None };
        match (found.or(known), source) {
            (Some(_), source) if known.is_some() => match source {
                Some(rewritten) => self.end_search_of(rewritten),
                None => self.forget(identity),
            },
            (Some(index), _) => {
                let own = source.and_then(|id| self.sources.get_mut(&id)?.former.take());
                let former = own.map(|(former, _)| former);
                let former = former.unwrap_or_else(|| Former::restored(position.clone()));
                self.resume_in(&rotated[index], &former);
                match source {
                    // From now on it starts anew, also if nothing is read of it for a while.
                    Some(rewritten) => self.store_position(rewritten),
                    None => self.forget(identity),
                }
            }
            // Another file has its place: it is gone for good.
            (None, None) if lineage.current.is_some() => {
                let former = Former::restored(position.clone());
                self.give_up(&former, SkipReason::Deleted);
                self.forget(identity);
            }
            // The copy of a rewritten file may still be found.
            (None, _) => {}
        }
        found.or(known)
    }

    /// Ends the search for the copy of what a source was, because another source reads it.
    fn end_search_of(&mut self, rewritten: SourceId) {
        if let Some(tracked) = self.sources.get_mut(&rewritten) {
            tracked.former = None;
        }
        self.store_position(rewritten);
    }

    /// Forgets the positions of files that have not been found for [`POSITION_KEPT`]. Those of finished files, which are
    /// not looked for, are forgotten once their directories lack them.
    fn forget_old_positions(&mut self) {
        let now: Timestamp = (self.settings.clock)();
        let is_old =
            |position: &Position| !position.finished && POSITION_KEPT < now.as_ns().abs_diff(position.saved.as_ns());
        let old = self.restored.iter().filter(|(_, position)| is_old(position)).map(|(identity, _)| *identity);
        for identity in old.collect::<Vec<_>>() {
            self.forget(identity);
        }
    }
}
