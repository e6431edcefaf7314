//! Finds what was rotated while nobody was looking.
//!
//! A file that is not where it was read may have been renamed, copied or compressed since, once or several times: it is
//! looked for beside where it was, by identity and, where that fails, by content. Reading goes on inside it, then in the
//! files that were rotated after it, in their order, and then in the one that has the name now: all of them deliver to one
//! stream.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::file::{self, Identity, Kind, Metadata};
use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::copies::{DATE_PUNCTUATION, originals};
use crate::log_collector::directory::sources::Tracked;
use crate::log_collector::directory::{Directory, SourceId};
use crate::log_collector::source::{Content, Former, Reading};
use crate::log_collector::watcher::Watcher;
use crate::model::Timestamp;
use crate::status::SkipReason;

/// How long the position of a file that is not found is kept, should the file come back: a file system that was not
/// mounted in time, say.
const POSITION_KEPT: u64 = 30 * 24 * 3600 * 1_000_000_000;
/// How many rotated files of one log are looked at, the latest ones.
const ROTATED_MAX: usize = 1000;
/// How often a directory is listed whose files get other names meanwhile.
const LISTINGS_MAX: usize = 3;
/// Longest number that counts rotations; what is longer is a date.
const NUMBER_DIGITS_MAX: usize = 5;
/// The ending of a compressed file's name.
const COMPRESSED: &str = ".gz";

/// Positions of the files that were last seen at one path.
pub(super) type KnownByPath = BTreeMap<PathBuf, Vec<(Identity, Position)>>;

/// A file whose name says that it was rotated out of another.
#[derive(Debug)]
struct Rotated {
    path: PathBuf,
    metadata: Metadata,
    age: Age,
}

/// When a file was rotated, as its name says; what was rotated earlier comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Date(String),
    Number(Reverse<u32>),
}

impl<W: Watcher> Directory<W> {
    /// What is known of each path from the stored positions.
    pub(super) fn known_by_path(&self) -> KnownByPath {
        let mut known = KnownByPath::new();
        for (identity, position) in &self.restored {
            if !position.deliveries.is_empty() {
                known.entry(self.rotated_from(position)).or_default().push((*identity, position.clone()));
            }
        }
        known
    }

    /// The path that the file of a position had before it was rotated.
    fn rotated_from(&self, position: &Position) -> PathBuf {
        let path = &position.path;
        let has_own_stream = position.deliveries.iter().any(|delivery| delivery.path == self.seen(path));
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| !has_own_stream).unwrap_or_default();
        let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
        let candidates = originals(name).into_iter().map(|original| path.with_file_name(original));
        let is_known = |candidate: &PathBuf| {
            let mut positions = self.restored.values();
            file::link_metadata(candidate).is_ok() || positions.any(|position| position.path == *candidate)
        };
        candidates.into_iter().find(is_known).unwrap_or_else(|| path.clone())
    }

    /// Finds files that were rotated while the agent was not running, and those rotated after them.
    pub(super) fn find_rotated(&mut self, known: &KnownByPath) {
        self.find_renamed();
        let mut turns = HashMap::new();
        for (path, known) in known {
            self.trace(path, known, &mut turns);
        }
        self.find_rotated_of_new_files(known, &mut turns);
        self.forget_old_positions();
        self.order_resumed(&turns);
    }

    /// Finds files that were renamed out of the names that are collected, to be read to their end.
    fn find_renamed(&mut self) {
        let mut found_in: HashMap<PathBuf, HashMap<Identity, PathBuf>> = HashMap::new();
        for (identity, position) in self.restored.clone() {
            let (Some(directory), Some(delivery)) = (position.path.parent(), position.deliveries.first()) else {
                continue;
            };
            let found = found_in.entry(directory.to_owned()).or_insert_with(|| files_in(directory));
            let Some(found) = found.get(&identity) else { continue };
            if file::metadata(&delivery.path).is_ok_and(|metadata| metadata.identity == identity) {
                // Its name leads to it, only it is not asked for any more.
                continue;
            }
            match self.source_at(found, identity, &delivery.path) {
                Ok(_) => log::debug!("{} is read to its end", found.display()),
                Err(error) => log::warn!("{error}; its last lines are missing"),
            }
        }
    }

    /// Finds out what became of the files that were last seen at `path`. `turns` tells which source of a stream is read
    /// before which.
    fn trace(&mut self, path: &Path, known: &[(Identity, Position)], turns: &mut HashMap<SourceId, usize>) {
        let there = file::link_metadata(path).ok().map(|metadata| metadata.identity);
        let there = there.and_then(|identity| self.sources_by_identity.get(&identity)).copied();
        let goes_on = there.is_some_and(|there| self.is_read_on(there));
        if goes_on && known.iter().all(|(identity, _)| !self.restored.contains_key(identity)) {
            return;
        }
        let Some((latest_identity, latest)) = known.iter().max_by_key(|(_, position)| position.saved) else { return };
        let modified_ns = known.iter().map(|(_, position)| position.modified_ns).max().unwrap_or(i64::MIN);
        let rotated = rotated_out_of(path);
        let mut newest = None;
        for (identity, position) in known {
            let index = match self.sources_by_identity.get(identity).copied() {
                Some(id) if self.is_read_on(id) => rotated.iter().position(|it| it.metadata.identity == *identity),
                source => self.find_copy(path, &rotated, *identity, position, source),
            };
            newest = newest.max(index);
        }
        if goes_on {
            // Whatever was rotated after the ones that are known is known, too.
            newest = Some(rotated.len());
        }
        let first_later = newest.map_or(0, |newest| newest + 1);
        let is_later = |it: &&Rotated| {
            let is_newer = newest.is_some() || modified_ns < it.metadata.modified_ns;
            is_newer && it.may_be_younger_than(*latest_identity)
        };
        let paths: Vec<PathBuf> = latest.deliveries.iter().map(|delivery| delivery.path.clone()).collect();
        for it in rotated.iter().skip(first_later).filter(is_later) {
            self.read_for(it, &paths);
        }
        if !path.starts_with(&self.root)
            && let Ok(metadata) = file::link_metadata(path)
            && metadata.kind == Kind::Regular
        {
            // A link led to it that leads elsewhere by now.
            self.read_for(&Rotated { path: path.to_owned(), metadata, age: Age::Number(Reverse(0)) }, &paths);
        }
        for (index, it) in rotated.iter().enumerate() {
            if let Some(id) = self.sources_by_identity.get(&it.metadata.identity) {
                let turn = turns.entry(*id).or_default();
                *turn = (*turn).max(index + 1);
            }
        }
    }

    /// Finds files that came into being and were rotated while the agent was not running.
    fn find_rotated_of_new_files(&mut self, known: &KnownByPath, turns: &mut HashMap<SourceId, usize>) {
        let modified_ns = known.values().flatten().map(|(_, position)| position.modified_ns).max();
        // At the very first start everything is new, and what was rotated before is no part of a log's stream.
        let Some(modified_ns) = modified_ns else { return };
        let is_new = |id: &SourceId, tracked: &Tracked<W::Descriptor>| {
            let paths: Vec<PathBuf> = tracked.names.iter().map(|name| self.seen(name)).collect();
            let path = tracked.source.path.clone();
            let is_new = tracked.source.delivery_paths().next().is_none() && !known.contains_key(&path);
            (is_new && !self.copies.contains_key(id)).then_some((path, paths))
        };
        for (path, paths) in self.sources.iter().filter_map(|(id, tracked)| is_new(id, tracked)).collect::<Vec<_>>() {
            for (index, it) in rotated_out_of(&path).iter().enumerate() {
                if modified_ns < it.metadata.modified_ns {
                    self.read_for(it, &paths);
                    turns.extend(self.sources_by_identity.get(&it.metadata.identity).map(|id| (*id, index + 1)));
                }
            }
        }
    }

    /// Finds the files that were rotated after `earlier`, which had the name that `later` has now, without ever having
    /// been seen under that name.
    pub(super) fn find_between(&mut self, earlier: SourceId, later: SourceId) {
        let (Some(before), Some(after)) = (self.sources.get(&earlier), self.sources.get(&later)) else { return };
        let paths: Vec<PathBuf> = before.source.delivery_paths().map(Path::to_owned).collect();
        let (identity, after) = (before.source.identity, after.source.identity);
        let rotated = rotated_out_of(&self.sources[&later].source.path);
        let position = before.source.position((self.settings.clock)());
        let is_it = |it: &Rotated| {
            it.metadata.identity == identity || self.is_unknown(it) && Self::is_copy(it, &position).unwrap_or(false)
        };
        let Some(newest) = rotated.iter().position(is_it) else { return };
        let is_between = |it: &&Rotated| it.metadata.identity != after && it.may_be_younger_than(identity);
        for it in rotated.iter().skip(newest + 1).filter(is_between) {
            self.read_for(it, &paths);
        }
    }

    /// Whether a source goes on with what was stored of it.
    fn is_read_on(&self, id: SourceId) -> bool {
        let source = self.sources.get(&id);
        source.is_some_and(|it| it.source.delivery_paths().next().is_some() && it.former.is_none())
    }

    /// Whether nothing is known of a file.
    fn is_unknown(&self, it: &Rotated) -> bool {
        let identity = it.metadata.identity;
        let source = self.sources_by_identity.get(&identity);
        let is_unused = source.is_none_or(|id| {
            let source = self.sources.get(id);
            let is_read = source.is_some_and(|it| it.source.delivery_paths().next().is_some());
            !is_read && !self.copies.contains_key(id)
        });
        is_unused && !self.restored.contains_key(&identity)
    }

    /// Whether a file, or what is in a compressed one, is a copy of what was read up to `position`.
    fn is_copy(it: &Rotated, position: &Position) -> Result<bool, file::Error> {
        Ok(position.offset != 0 && Content::open(&it.path, it.is_compressed())?.holds(position)?)
    }

    /// Finds the copy of the file that was read up to `position` and is not there any more, or is `source` by now, and
    /// reads on in it. Returns where among `rotated` it is.
    fn find_copy(
        &mut self,
        path: &Path,
        rotated: &[Rotated],
        identity: Identity,
        position: &Position,
        source: Option<SourceId>,
    ) -> Option<usize> {
        // The bytes before the offset may be the same in several files: what was written to later is more likely the one.
        let is_later = |it: &Rotated| position.modified_ns < it.metadata.modified_ns;
        let later = (0..rotated.len()).filter(|index| is_later(&rotated[*index]));
        let earlier = (0..rotated.len()).rev().filter(|index| !is_later(&rotated[*index]));
        let is_it = |index: &usize| {
            let it = &rotated[*index];
            self.is_unknown(it) && Self::is_copy(it, position).unwrap_or(false)
        };
        let found = later.chain(earlier).find(is_it);
        match (found, source) {
            (Some(index), _) => {
                let own = source.and_then(|id| self.sources.get_mut(&id)?.former.take());
                let former = own.map(|(former, _)| former);
                let former = former.unwrap_or_else(|| Former::restored(position.clone(), &self.status));
                self.resume_in(&rotated[index], &former);
                match source {
                    // From now on it starts anew, also if nothing is read of it for a while.
                    Some(rewritten) => self.store_position(rewritten),
                    None => self.forget_position(identity),
                }
            }
            // Another file has its place: it is gone for good.
            (None, None) if file::link_metadata(path).is_ok() => {
                let former = Former::restored(position.clone(), &self.status);
                self.give_up(&former, SkipReason::Deleted);
                self.forget_position(identity);
            }
            // The copy of a rewritten file may still be found.
            (None, _) => {}
        }
        found
    }

    /// Reads on in a copy of what `former` was.
    fn resume_in(&mut self, it: &Rotated, former: &Former) {
        let id = former.first_path().and_then(|path| self.source_of(it, path));
        let Some(tracked) = id.and_then(|id| self.sources.get_mut(&id)) else {
            return self.give_up(former, SkipReason::Damaged);
        };
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match tracked.source.resume_copy(former, &reading) {
            Ok(true) => log::info!("{} is read on from byte {}", it.path.display(), former.offset()),
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
    fn read_for(&mut self, it: &Rotated, paths: &[PathBuf]) {
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

    fn forget_position(&mut self, identity: Identity) {
        self.restored.remove(&identity);
        self.forget(identity);
    }

    /// Forgets the positions of files that have not been found for [`POSITION_KEPT`].
    fn forget_old_positions(&mut self) {
        let now: Timestamp = (self.settings.clock)();
        let is_old = |position: &Position| POSITION_KEPT < now.as_ns().abs_diff(position.saved.as_ns());
        let old = self.restored.iter().filter(|(_, position)| is_old(position)).map(|(identity, _)| *identity);
        for identity in old.collect::<Vec<_>>() {
            self.forget_position(identity);
        }
    }
}

impl Rotated {
    /// The file at `path`, if its name says that it was rotated out of the one named `original`; an error where it is not
    /// there any more.
    fn of(path: PathBuf, original: &str) -> Option<Result<Self, file::Error>> {
        let name = path.file_name()?.to_str()?;
        let uncompressed = name.strip_suffix(COMPRESSED);
        let name = uncompressed.unwrap_or(name);
        // A file that was read under the name it was rotated to may be compressed since.
        let is_itself = uncompressed == Some(original);
        if !is_itself && !originals(name).iter().any(|it| it == original) {
            return None;
        }
        let age = Age::of(name, original);
        let metadata = file::link_metadata(&path);
        Some(metadata.map(|metadata| Self { path, metadata, age }))
    }

    /// Whether it may have been created after the file `other`; that of a compressed file is unknown.
    fn may_be_younger_than(&self, other: Identity) -> bool {
        let born_ns = self.metadata.identity.born_ns;
        self.is_compressed() || born_ns == 0 || other.born_ns <= born_ns
    }

    fn is_compressed(&self) -> bool {
        self.path.to_string_lossy().ends_with(COMPRESSED)
    }
}

impl Age {
    /// What the name of a file that was rotated out of `original` says.
    fn of(name: &str, original: &str) -> Self {
        let (stem, extension) = original.rsplit_once('.').unwrap_or((original, ""));
        let before_extension = || name.strip_prefix(stem)?.strip_suffix(extension);
        let added = name.strip_prefix(original).or_else(before_extension).unwrap_or(name);
        let added = added.trim_matches(DATE_PUNCTUATION);
        match added.parse() {
            Ok(number) if added.len() <= NUMBER_DIGITS_MAX => Self::Number(Reverse(number)),
            _ => Self::Date(added.to_owned()),
        }
    }
}

/// The files beside `path` that were rotated out of it, the earliest first. Of a file and its compressed copy, which may be
/// in the making, only the file.
fn rotated_out_of(path: &Path) -> Vec<Rotated> {
    let Some((directory, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let mut rotated = Vec::new();
    // A file that is compressed right after its name was listed has a name now that was not.
    for _ in 0..LISTINGS_MAX {
        let paths = file::read_directory(directory).unwrap_or_default();
        let found: Vec<_> = paths.into_iter().filter_map(|path| Rotated::of(path, name)).collect();
        let is_stale = found.iter().any(Result::is_err);
        rotated = found.into_iter().flatten().filter(|it| it.metadata.kind == Kind::Regular).collect();
        if !is_stale {
            break;
        }
    }
    rotated.sort_by(|a, b| (&a.age, a.is_compressed()).cmp(&(&b.age, b.is_compressed())));
    rotated.dedup_by(|next, before| next.age == before.age && next.is_compressed() && !before.is_compressed());
    // Some count up: then the highest number was written to last. A compressed file does not say when it was.
    let mut plain = rotated.iter().filter(|it| !it.is_compressed() && matches!(it.age, Age::Number(_)));
    if let (Some(first), Some(last)) = (plain.next(), plain.next_back())
        && last.metadata.modified_ns < first.metadata.modified_ns
    {
        rotated.reverse();
    }
    rotated.drain(..rotated.len().saturating_sub(ROTATED_MAX));
    rotated
}

/// The files in a directory; none where it cannot be read.
fn files_in(directory: &Path) -> HashMap<Identity, PathBuf> {
    let paths = file::read_directory(directory).unwrap_or_default().into_iter();
    paths.filter_map(|path| Some((file::link_metadata(&path).ok()?.identity, path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_was_rotated_earlier() {
        let directory = tempfile::tempdir().unwrap();
        let names = [
            "0.log",
            "0.log.20261122-130405.gz",
            "0.log.20261122-130406",
            "0.log.20261122-130406.gz",
            "0.log.20261123-000000",
            "0.log.20261123-000000.tmp",
            "10.log.20261122-130405",
            "a.log.10",
            "a.log.2.gz",
            "a.log.1",
            "b-20261122.log",
            "b-20261121.log.gz",
            "d.log.20261122-130405.gz",
        ];
        for name in names {
            file::File::create(&directory.path().join(name)).unwrap();
        }
        let check = |original: &str, expected: &[&str]| {
            let rotated = rotated_out_of(&directory.path().join(original));
            let actual: Vec<_> = rotated.iter().map(|it| it.path.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(actual, expected);
        };
        check("0.log", &["0.log.20261122-130405.gz", "0.log.20261122-130406", "0.log.20261123-000000"]);
        check("a.log", &["a.log.10", "a.log.2.gz", "a.log.1"]);
        let highest = file::File::open_for_writing(&directory.path().join("a.log.10")).unwrap();
        while rotated_out_of(&directory.path().join("a.log"))[0].age != Age::Number(Reverse(1)) {
            highest.write_all_at(b"now", 0).unwrap();
        }
        check("a.log", &["a.log.1", "a.log.2.gz", "a.log.10"]);
        check("b.log", &["b-20261121.log.gz", "b-20261122.log"]);
        check("c.log", &[]);
        check("d.log.20261122-130405", &["d.log.20261122-130405.gz"]);
    }
}
