//! Which names there are, and where they lead.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use log::Level;

use crate::file::{self, Kind, Metadata};
use crate::log_collector::directory::Directory;
use crate::log_collector::directory::families::Due;
use crate::log_collector::links::{End, Resolution};
use crate::log_collector::rotation::names::{originals, uncompressed};
use crate::log_collector::shares::Share;
use crate::log_collector::tracked::SourceId;
use crate::log_collector::watcher::Watcher;
use crate::status::{SourceState, SourceStatus};

/// How deep directories are followed under the root.
const DEPTH_MAX: usize = 32;
/// How many names are followed, of which no part of the tree has more than half of what the others leave; further ones are left
/// out with a warning.
pub(super) const NAMES_MAX: usize = 100_000;
/// How often a name is followed anew because a directory on its way had not been watched yet.
const RESOLUTIONS_MAX: usize = 4;

/// One path under the root that is to be collected.
#[derive(Debug, Default)]
pub(super) struct Name {
    /// Each path on the way to the file behind the name itself, which most are; a change of any may change where it leads.
    pub(super) hops: Vec<PathBuf>,
    /// The file it leads to.
    pub(super) source: Option<SourceId>,
    /// Whether it was refused, which is said once.
    refused: bool,
    /// Whose share of all names it takes.
    share: Option<Share>,
}

/// Which limits were said to leave something out; each is said once, because all that follows would say the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LimitsSaid {
    /// There are too many names.
    names: bool,
    /// A directory is too deep.
    depth: bool,
}

impl<W: Watcher> Directory<W> {
    /// Follows a directory of the tree: first its watch, then what is in it, so that nothing is missed between.
    pub(super) fn enter(&mut self, directory: &Path) {
        let root_depth = self.settings.root.components().count();
        let depth = self.seen(directory).components().count().saturating_sub(root_depth);
        if self.is_left_out_directory(directory) {
            return;
        }
        if DEPTH_MAX < depth {
            if !std::mem::replace(&mut self.limits_said.depth, true) {
                let seen = self.seen(directory);
                log::warn!("{} is deeper than {DEPTH_MAX} directories; what lies there is left out", seen.display());
            }
            return;
        }
        let is_news = if self.tree.insert(directory.to_owned()) {
            self.watches.use_directory(directory);
            true
        } else {
            self.watches.retry(directory)
        };
        if is_news {
            self.look_in(directory);
        }
    }

    /// Looks at a directory whose path may have come to mean another one.
    pub(super) fn look_again(&mut self, directory: &Path) {
        self.watches.retry(directory);
        self.look_at(directory);
        self.look_in(directory);
    }

    pub(super) fn enter_root(&mut self) {
        let is_there = file::metadata(&self.root).is_ok_and(|metadata| metadata.kind == Kind::Directory);
        let was_missing = std::mem::replace(&mut self.is_root_missing, !is_there);
        self.status.set_root_missing(&self.settings.root, !is_there);
        if is_there {
            if was_missing {
                log::info!("{} is there again", self.settings.root.display());
            }
            self.enter(&self.root.clone());
        } else if !was_missing {
            log::warn!("{} is no directory any more; nothing is collected until it is", self.settings.root.display());
        }
    }

    /// Whether a directory is the agent's own, or another collector's.
    fn is_left_out_directory(&self, directory: &Path) -> bool {
        self.settings.left_out.iter().any(|left_out| left_out == directory) || self.is_own_data(directory)
    }

    /// Whether a directory is the agent's own by whatever path, as a bind mount has it.
    fn is_own_data(&self, directory: &Path) -> bool {
        let Some(own) = &self.settings.data_directory else { return false };
        let place = |path: &Path| file::metadata(path).ok().map(|it| (it.identity.device, it.identity.inode));
        own == directory || place(own).is_some_and(|own| place(directory) == Some(own))
    }

    /// Where a name leads, unless what a link leads to is left out by its own path.
    fn unless_left_out(&self, name: &Path, end: End) -> End {
        let (path, is_file) = match &end {
            End::File(path, _) => (path, true),
            End::Directory(path) => (path, false),
            _ => return end,
        };
        if path == name {
            return end;
        }
        let by_root = path.strip_prefix(&self.root).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
        let reason = if is_file && !self.settings.patterns.accept_target(by_root) {
            "which --exclude or the default list leaves out"
        } else if path.ancestors().any(|above| self.is_own_data(above)) {
            "which is this agent's own data"
        } else {
            return end;
        };
        End::Refused(format!("it leads to {}, {reason}", path.display()))
    }

    /// Whether what lies in a directory that a link leads to is more than the link's owner may read.
    fn is_hidden_from_link(&self, path: &Path, metadata: &Metadata) -> bool {
        let Some((linked, link)) = self.linked.range(..=path.to_owned()).next_back() else { return false };
        path.starts_with(linked)
            && file::link_metadata(link)
                .is_ok_and(|link| !self.links.trusts(link.owner) && !metadata.may_be_read_by(link.owner))
    }

    /// Looks at everything in a directory, and at what was there before.
    pub(super) fn look_in(&mut self, directory: &Path) {
        let entries = self.list(directory);
        for path in &entries {
            self.look_at(path);
        }
        self.look_at_unlisted(directory, &entries);
    }

    /// What is in a directory of the tree, once directories are let go that are not any more.
    pub(super) fn list(&mut self, directory: &Path) -> Vec<PathBuf> {
        let mut entries = Vec::new();
        if self.tree.contains(directory) {
            match file::list_directory(directory) {
                Ok(paths) => {
                    entries = paths;
                    self.clear_problem(directory);
                }
                // It is gone, or another kind of file: whoever looks at its name finds out.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => self.note_problem(directory, &error),
            }
        }
        // A renamed directory must be let go under its old name before it is watched under the new one.
        let children = self.tree.range(directory.to_owned()..).take_while(|child| child.starts_with(directory));
        let children = children.filter(|child| child.parent() == Some(directory));
        let gone = children.filter(|child| entries.binary_search(child).is_err());
        for child in gone.cloned().collect::<Vec<_>>() {
            self.look_at(&child);
        }
        entries
    }

    /// Follows again the names that lead through what is not among the `entries` of a directory any more.
    pub(super) fn look_at_unlisted(&mut self, directory: &Path, entries: &[PathBuf]) {
        let is_below = |hop: &&PathBuf| hop.starts_with(directory);
        let names = self.names.range(directory.to_owned()..).map(|(name, _)| name).take_while(is_below);
        let hops = self.names_by_hop.range(directory.to_owned()..).map(|(hop, _)| hop).take_while(is_below);
        let hops = names.chain(hops).filter(|hop| hop.parent() == Some(directory));
        let unlisted = hops.filter(|hop| entries.binary_search(hop).is_err());
        for hop in unlisted.cloned().collect::<BTreeSet<_>>() {
            self.follow_names_through(&hop);
        }
    }

    /// Looks at one path: an entry of the tree, a hop on the way of a name, or both.
    pub(super) fn look_at(&mut self, path: &Path) {
        let in_tree = path.parent().is_some_and(|parent| self.tree.contains(parent));
        let metadata = file::link_metadata(path);
        let is_hidden = in_tree && metadata.as_ref().is_ok_and(|metadata| self.is_hidden_from_link(path, metadata));
        let in_tree = in_tree && !is_hidden;
        let kind = metadata.map(|metadata| metadata.kind);
        if self.tree.contains(path) && !matches!(kind, Ok(Kind::Directory)) {
            self.leave(path);
        }
        match kind {
            Ok(Kind::Directory) if in_tree => self.enter(path),
            Ok(Kind::Link) if in_tree && file::metadata(path).is_ok_and(|it| it.kind == Kind::Directory) => {
                self.insert_name(path);
            }
            Ok(Kind::Regular | Kind::Link) if in_tree => {
                self.note_old_directory(path);
                self.add_name(path);
            }
            _ => {}
        }
        self.follow_names_through(path);
    }

    /// Notes that files are rotated to the directory of `path` from one above, if its name says so.
    fn note_old_directory(&mut self, path: &Path) {
        let Some((directory, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
            return;
        };
        let originals = originals(uncompressed(name).0);
        let is_log = |directory: &Path| {
            let is_there = |log: &String| file::link_metadata(&directory.join(log)).is_ok();
            originals.iter().any(|log| self.names.contains_key(&directory.join(log))) || originals.iter().any(is_there)
        };
        if originals.is_empty() || is_log(directory) {
            return;
        }
        let above = directory.ancestors().skip(1).take_while(|above| above.starts_with(&self.root));
        if let Some(above) = above.into_iter().find(|above| is_log(above)).map(Path::to_owned) {
            self.old_directories.entry(above).or_default().insert(directory.to_owned());
        }
    }

    /// Lets go of a directory that is gone, and of all names in it.
    fn leave(&mut self, directory: &Path) {
        let inside = |path: &&PathBuf| path.starts_with(directory);
        for gone in self.tree.range(directory.to_owned()..).take_while(inside).cloned().collect::<Vec<_>>() {
            self.tree.remove(&gone);
            self.clear_problem(&gone);
            self.watches.release_directory(&gone);
        }
        let names = self.names.range(directory.to_owned()..).map(|(name, _)| name);
        for name in names.take_while(inside).cloned().collect::<Vec<_>>() {
            self.follow(&name);
        }
    }

    /// Follows a directory that the link `name` leads to. One in the root is followed under its own path already.
    fn enter_linked(&mut self, name: &Path, directory: &Path) {
        self.leave_linked(name, Some(directory));
        let is_below = |other: &PathBuf| directory.starts_with(other) || other.starts_with(directory);
        if directory.starts_with(&self.root) || self.linked.keys().any(is_below) {
            return;
        }
        self.linked.insert(directory.to_owned(), name.to_owned());
        self.enter(directory);
    }

    /// Leaves the directory that the link `name` has led to, unless it is `directory`.
    fn leave_linked(&mut self, name: &Path, directory: Option<&Path>) {
        let is_it = |(linked, of): &(&PathBuf, &PathBuf)| of.as_path() == name && Some(linked.as_path()) != directory;
        if let Some(linked) = self.linked.iter().find(is_it).map(|(linked, _)| linked.clone()) {
            self.leave(&linked);
            for name in self.names.keys().filter(|name| name.starts_with(&linked)).cloned().collect::<Vec<_>>() {
                self.attach(&name, None, &name);
                self.remove_name(&name);
            }
            self.linked.remove(&linked);
        }
    }

    /// The path of a name in a directory that a link leads to, as seen under the root the user gave.
    pub(super) fn seen_through_link(&self, name: &Path) -> Option<PathBuf> {
        let (linked, link) = self.linked.range(..=name.to_owned()).next_back()?;
        Some(self.seen(link).join(name.strip_prefix(linked).ok()?))
    }

    /// The name that is seen as `path` under the root the user gave.
    pub(super) fn name_of(&self, path: &Path) -> PathBuf {
        let through =
            |(linked, link): (&PathBuf, &PathBuf)| Some(linked.join(path.strip_prefix(self.seen(link)).ok()?));
        let linked = self.linked.iter().find_map(through);
        linked.unwrap_or_else(|| self.root.join(path.strip_prefix(&self.settings.root).unwrap_or(path)))
    }

    /// Makes a path of the tree a name, if it is to be collected.
    fn add_name(&mut self, path: &Path) {
        self.naming.look(&self.seen(path));
        if self.names.contains_key(path) {
            return;
        }
        if self.is_wanted(&self.seen(path)) {
            self.insert_name(path);
        }
    }

    /// Whether the file under this name, as seen under the root, is to be collected.
    pub(super) fn is_wanted(&self, seen: &Path) -> bool {
        let relative = seen.strip_prefix(&self.settings.root).unwrap_or(seen);
        self.settings.patterns.accept(relative) && self.naming.accepts(seen)
    }

    fn insert_name(&mut self, path: &Path) {
        if self.names.contains_key(path) {
            return;
        }
        let Some(share) = self.name_shares.take(path) else {
            if !std::mem::replace(&mut self.limits_said.names, true) {
                log::warn!(
                    "as many files are followed as may be of {} and of all, {} of {NAMES_MAX}; further ones there are left \
                     out; see --exclude",
                    self.seen(path.parent().unwrap_or(path)).display(),
                    self.names.len()
                );
            }
            return;
        };
        self.names.insert(path.to_owned(), Name { share: Some(share), ..Name::default() });
        if let Some(directory) = path.parent() {
            self.watches.use_directory(directory);
        }
    }

    /// Forgets a name that leads nowhere.
    fn remove_name(&mut self, name: &Path) {
        self.clear_problem(name);
        self.set_hops(name, &[]);
        let Some(removed) = self.names.remove(name) else { return };
        if let Some(directory) = name.parent() {
            self.watches.release_directory(directory);
        }
        if let Some(share) = removed.share {
            self.name_shares.give_back(&share);
        }
    }

    /// Follows again every name that leads through `hop`.
    fn follow_names_through(&mut self, hop: &Path) {
        let mut names = self.names_by_hop.get(hop).cloned().unwrap_or_default();
        if self.names.contains_key(hop) {
            names.push(hop.to_owned());
            names.sort_unstable();
        }
        for name in names {
            self.follow(&name);
        }
    }

    /// Finds out where a name leads now, and attaches it to that file.
    pub(super) fn follow(&mut self, name: &Path) {
        if !self.names.contains_key(name) {
            return;
        }
        // What the name led to is read first, whatever it leads to now.
        if let Some(source) = self.names.get(name).and_then(|entry| entry.source) {
            self.enqueue(source);
        }
        let resolution = self.resolve(name);
        let missing = matches!(resolution.end, End::Missing | End::NoDirectory(_));
        let to = resolution.hops.last().map_or(name, PathBuf::as_path);
        let target = match self.unless_left_out(name, resolution.end) {
            End::File(path, metadata) => match self.source_at(&path, metadata.identity, name) {
                Ok(source) => source,
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => {
                    // What it led to is another file, since it is open.
                    self.attach(name, None, to);
                    return self.note_problem(name, &error);
                }
            },
            End::Directory(path) => {
                self.clear_problem(name);
                self.attach(name, None, to);
                return self.enter_linked(name, &path);
            }
            End::Unreadable(error) => return self.note_problem(name, &error),
            End::Refused(reason) => {
                self.note_refusal(name, &reason);
                None
            }
            End::NoDirectory(directory) => {
                self.dangling.note(&directory, Instant::now());
                None
            }
            End::Missing => None,
        };
        self.clear_problem(name);
        if self.not_text.take_if(|not_text| not_text == name).is_some() {
            self.note_not_text(name);
        }
        self.leave_linked(name, None);
        self.attach(name, target, to);
        // A link that dangles may be mended; a path that is gone is forgotten.
        if missing && resolution.hops.len() == 1 {
            self.remove_name(name);
            self.limits_said.names = false;
        }
    }

    /// Follows a name link by link, with every directory on the way watched before it counts.
    fn resolve(&mut self, name: &Path) -> Resolution {
        let mut resolution = self.links.resolve(name);
        for _ in 1..RESOLUTIONS_MAX {
            let unwatched_before = self.set_hops(name, resolution.hops.get(1..).unwrap_or_default());
            if !unwatched_before {
                break;
            }
            resolution = self.links.resolve(name);
        }
        resolution
    }

    /// Remembers and watches a name's way behind itself. Returns whether a directory was not watched before.
    fn set_hops(&mut self, name: &Path, hops: &[PathBuf]) -> bool {
        let Some(entry) = self.names.get_mut(name) else { return false };
        if entry.hops == hops {
            return false;
        }
        let old = std::mem::replace(&mut entry.hops, hops.to_vec());
        let mut unwatched_before = false;
        for hop in hops {
            let names = self.names_by_hop.entry(hop.clone()).or_insert_with(|| Vec::with_capacity(1));
            if let Err(place) = names.binary_search_by(|known| known.as_path().cmp(name)) {
                names.insert(place, name.to_owned());
            }
            if let Some(directory) = hop.parent() {
                unwatched_before |= self.watches.use_directory(directory);
            }
        }
        for hop in &old {
            if !hops.contains(hop)
                && let Some(names) = self.names_by_hop.get_mut(hop)
            {
                names.retain(|known| known != name);
                if names.is_empty() {
                    self.names_by_hop.remove(hop);
                }
            }
            if let Some(directory) = hop.parent() {
                self.watches.release_directory(directory);
            }
        }
        unwatched_before
    }

    /// Makes `source` the file that `name` leads to, which is or would be at `to`.
    fn attach(&mut self, name: &Path, source: Option<SourceId>, to: &Path) {
        let Some(entry) = self.names.get_mut(name) else { return };
        let before = std::mem::replace(&mut entry.source, source);
        if before == source {
            return;
        }
        self.note_change(name, before, source, to);
        if let Some(before) = before {
            self.remove_name_from(before, name);
        }
        if let Some(source) = source {
            self.add_name_to(source, name);
        }
    }

    /// Has the stream of a name looked after which no longer leads to `before`: others may have had the name in between.
    fn note_change(&mut self, name: &Path, before: Option<SourceId>, after: Option<SourceId>, to: &Path) {
        if self.starting {
            return;
        }
        let latest = |stream: &Path| self.writers.get(stream)?.last().copied();
        let stream = self.seen(name);
        // A name that led nowhere for a moment goes on with the stream it had.
        let earlier = before.or_else(|| latest(&stream));
        let delivers = |id: SourceId| self.writers.get(&stream).is_some_and(|writers| writers.contains(&id));
        let is_news = match (earlier, after) {
            (Some(earlier), None) => delivers(earlier),
            (None, _) => true,
            (Some(_), Some(_)) => earlier != after,
        };
        let mut due = Vec::new();
        if is_news {
            due.push(Due { stream, earlier, to: to.to_owned() });
        }
        if after.is_some() {
            // What was rotated out of a log, which may be missing right now.
            for log in self.logs_of(name) {
                let stream = self.seen(&log);
                let earlier = latest(&stream);
                let to = self.place_of(&stream);
                due.push(Due { stream, earlier, to });
            }
        }
        self.due.extend(due);
    }

    /// Shows in the status, and says once, that a name or a directory cannot be read. A name keeps the file that it had.
    pub(super) fn note_problem(&mut self, path: &Path, error: &file::Error) {
        if self.problems.contains_key(path) {
            return;
        }
        let seen = self.seen(path);
        log::log!(self.level(), "{} cannot be read: {error}", seen.display());
        let state = SourceStatus::new(seen.to_string_lossy().into_owned());
        state.set_state(SourceState::Unreadable, Some(error.to_string()));
        self.problems.insert(path.to_owned(), self.status.add_source(Arc::new(state)));
    }

    /// Shows in the status that a name leads to what is no text. It is looked at again whenever everything is.
    pub(super) fn note_not_text(&mut self, name: &Path) {
        let seen = self.seen(name);
        log::debug!("{} is left out: it is not text", seen.display());
        let state = SourceStatus::new(seen.to_string_lossy().into_owned());
        let advice = "it does not look like text; --include collects it all the same".to_owned();
        state.set_state(SourceState::LeftOut, Some(advice));
        self.clear_problem(name);
        self.problems.insert(name.to_owned(), self.status.add_source(Arc::new(state)));
    }

    pub(super) fn clear_problem(&mut self, path: &Path) {
        if let Some(problem) = self.problems.remove(path) {
            self.status.remove_source(&problem);
        }
    }

    fn note_refusal(&mut self, name: &Path, reason: &str) {
        let seen = self.seen(name);
        let Some(entry) = self.names.get_mut(name) else { return };
        if std::mem::replace(&mut entry.refused, true) {
            return;
        }
        self.status.links_refused.add(1);
        let refusal = format!("{} is not followed: {reason}", seen.display());
        log::log!(self.level(), "{refusal}");
        self.first_refusal.get_or_insert(refusal);
    }

    /// How loud what is amiss with one file is said. At the start there may be many: they are summed up then.
    fn level(&self) -> Level {
        if self.starting { Level::Debug } else { Level::Warn }
    }
}
