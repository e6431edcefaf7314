//! Which files deliver to which streams, and in which order.

use std::path::{Path, PathBuf};

use crate::log_collector::checkpoint::DELIVERIES_MAX;
use crate::log_collector::directory::Directory;
use crate::log_collector::rotation::names::originals;
use crate::log_collector::source::Reading;
use crate::log_collector::tracked::{SourceId, Tracked};
use crate::log_collector::watcher::Watcher;

impl<W: Watcher> Directory<W> {
    /// Decides which streams touched sources deliver to, now that all changes are known.
    ///
    /// A renamed file goes on delivering to the streams it had: its new name takes the place of the one that is gone.
    /// Only names beyond those are new ones, with a stream of their own.
    pub(super) fn settle(&mut self) {
        while !self.due.is_empty() || !self.touched.is_empty() {
            self.reconcile_due();
            self.begun.clear();
            while let Some(&id) = self.touched.first() {
                self.settle_source(id);
            }
        }
    }

    /// As [`Directory::settle`], for one source.
    pub(super) fn settle_source(&mut self, id: SourceId) {
        if !self.touched.remove(&id) {
            return;
        }
        if let Some(name) = self.replaced_log(id) {
            self.replace_log(id, name);
        }
        if !self.surplus_names(id).is_empty() {
            // A rename seen half-way looks like a second name: make sure that the others are still there.
            self.look_at_names_of(id);
            self.touched.remove(&id);
            if !self.may_be_copy(id) && !self.settle_as_copy(id) {
                self.deliver_to_names(id);
            }
        }
        self.end_other_deliveries(id);
    }

    /// A name of a source whose stream another file has delivered to so far, while this one has lost a name: it was put in the
    /// log's place under a name for the time being.
    fn replaced_log(&self, id: SourceId) -> Option<PathBuf> {
        let tracked = &self.sources[id];
        let names: Vec<PathBuf> = tracked.names().iter().map(|name| self.seen(name)).collect();
        let streams: Vec<&Path> = tracked.source.delivery_paths().collect();
        let is_vacant = streams.iter().any(|stream| !names.iter().any(|name| name == stream));
        let is_log = |name: &&PathBuf| {
            let writers = self.writers.get(name.as_path()).is_some_and(|writers| !writers.is_empty());
            let file_name = name.file_name().and_then(|file_name| file_name.to_str()).unwrap_or_default();
            let is_rotation =
                originals(file_name).iter().any(|log| streams.contains(&name.with_file_name(log).as_path()));
            writers && !streams.contains(&name.as_path()) && !is_rotation
        };
        let name = names.iter().find(is_log)?;
        (is_vacant || streams.is_empty()).then(|| name.clone())
    }

    /// Has a file that was put in the place of a log go on with its stream: what is stored of it already is not stored again.
    fn replace_log(&mut self, id: SourceId, stream: PathBuf) {
        let Some(earlier) = self.writers.get(&stream).and_then(|writers| writers.last()).copied() else { return };
        if self.starting || !self.sources[earlier].names().is_empty() {
            // What was rotated has another name by now.
            return;
        }
        let own: Vec<PathBuf> = self.sources[id].source.delivery_paths().map(Path::to_owned).collect();
        if let Err(error) = self.open_both(earlier, id) {
            log::debug!("{error}");
        }
        let (source, earlier) = (&self.sources[id].source, &self.sources[earlier].source);
        let from = if own.is_empty() {
            // One that was created when the log had lost its name is the next log; one that was there is its replacement.
            let is_older = earlier.changed_ns().is_some_and(|changed_ns| source.identity.born_ns < changed_ns);
            if is_older { source.lines_of(earlier).unwrap_or(0) } else { 0 }
        } else {
            source.offset()
        };
        if own.is_empty() && from == 0 {
            return;
        }
        self.sources.release(id);
        for path in own {
            self.sources[id].source.end_delivery_here(&path);
            if let Some(writers) = self.writers.get_mut(&path) {
                writers.retain(|writer| *writer != id);
            }
        }
        let ordinal = self.ledger.next_ordinal(&stream);
        let tracked = &mut self.sources[id];
        tracked.source.deliver_from(stream, ordinal, from);
        tracked.last_name = None;
        self.note_deliveries(id);
        self.store_position(id);
        self.enqueue(id);
    }

    /// Ends the deliveries of other sources to the streams of a source's names, as far as they were switched away from
    /// them.
    fn end_other_deliveries(&mut self, id: SourceId) {
        let tracked = &self.sources[id];
        // Links first: in the place of a file that was renamed is no link, and the stream of one goes on.
        let (own, links): (Vec<_>, Vec<_>) = tracked.names().iter().partition(|name| **name == tracked.source.path);
        for path in links.into_iter().chain(own).map(|name| self.seen(name)).collect::<Vec<_>>() {
            let others = self.writers.get(&path).into_iter().flatten().filter(|other| **other != id);
            for other in others.copied().collect::<Vec<_>>() {
                if self.is_switched_away(other, &path) {
                    // A rename seen half-way looks like that, too.
                    self.look_at_names_of(other);
                    if self.is_switched_away(other, &path) {
                        self.end_delivery(other, &path);
                    }
                }
            }
        }
    }

    /// Whether the name `path`, whose stream a source delivers to, leads elsewhere while the file stays where it is: it
    /// has a name with a stream of its own, and none that takes the place of the one that is gone.
    fn is_switched_away(&self, id: SourceId, path: &Path) -> bool {
        let tracked = &self.sources[id];
        let streams: Vec<&Path> = tracked.source.delivery_paths().collect();
        let names: Vec<PathBuf> = tracked.names().iter().map(|name| self.seen(name)).collect();
        let leads_here = names.iter().any(|name| name == path);
        let has_own_stream = names.iter().any(|name| streams.contains(&name.as_path()));
        // Nobody writes to a compressed file.
        !leads_here && has_own_stream && names.len() < streams.len() && !tracked.source.is_compressed()
    }

    /// Ends the stream of `path` in a source with what its file holds now.
    fn end_delivery(&mut self, id: SourceId, path: &Path) {
        let opened = self.open_again(id);
        let tracked = &mut self.sources[id];
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match opened.and_then(|()| tracked.source.end_delivery(path, &reading)) {
            Ok(collected) => self.outbox.push_back(collected),
            Err(error) => return log::warn!("{error}; it goes on as {}", path.display()),
        }
        if let Some(writers) = self.writers.get_mut(path) {
            writers.retain(|writer| *writer != id);
        }
        self.note_joining(id);
    }

    /// Delivers to a stream for each name that makes more than there are streams.
    pub(super) fn deliver_to_names(&mut self, id: SourceId) {
        for name in self.surplus_names(id) {
            log::debug!("{} is a log of its own", name.display());
            self.deliver_to(id, name, None);
        }
    }

    /// Names that make more than there are streams, as seen under the root; the latest ones. A file that has lost its name
    /// before it had a stream still gets that of the name.
    fn surplus_names(&self, id: SourceId) -> Vec<PathBuf> {
        let tracked = &self.sources[id];
        let names: Vec<PathBuf> = tracked.known_names().map(|name| self.seen(name)).collect();
        let vacant = tracked.source.delivery_paths().filter(|path| !names.iter().any(|name| name == path)).count();
        let streams: Vec<&Path> = tracked.source.delivery_paths().collect();
        let room = DELIVERIES_MAX.saturating_sub(tracked.source.delivery_count());
        names.iter().filter(|name| !streams.contains(&name.as_path())).skip(vacant).take(room).cloned().collect()
    }

    /// Delivers to the stream of a name, as its file `ordinal` or as the next one.
    pub(super) fn deliver_to(&mut self, id: SourceId, name: PathBuf, ordinal: Option<u64>) {
        let ordinal = ordinal.unwrap_or_else(|| self.ledger.next_ordinal(&name));
        let tracked = &mut self.sources[id];
        tracked.source.deliver_to(name, ordinal);
        tracked.last_name = None;
        self.note_deliveries(id);
        // Even before anything is read: it is to be known whose stream it is, should it be rotated first.
        self.store_position(id);
        self.enqueue(id);
    }

    /// Puts a source among those that deliver to its streams, in the order of their ordinals.
    pub(super) fn note_deliveries(&mut self, id: SourceId) {
        let tracked = &self.sources[id];
        for (path, ordinal) in tracked.source.ordinals() {
            self.ledger.note_ordinal(path, ordinal);
            let writers = self.writers.entry(path.to_owned()).or_insert_with(|| Vec::with_capacity(1));
            writers.retain(|writer| *writer != id);
            let place = |writer: &SourceId| {
                let source = &self.sources[*writer].source;
                let ordinal = source.ordinals().find(|(other, _)| *other == path).map(|(_, ordinal)| ordinal);
                (ordinal, source.identity.born_ns, *writer)
            };
            let own = (Some(ordinal), tracked.source.identity.born_ns, id);
            writers.insert(writers.partition_point(|writer| place(writer) < own), id);
        }
    }

    /// Puts a source after what it was in its streams, whose file starts anew: the log behind all others, any other file right
    /// behind that.
    pub(super) fn renew_ordinals(&mut self, id: SourceId) {
        let tracked = &self.sources[id];
        let ordinals: Vec<(PathBuf, u64)> =
            tracked.source.ordinals().map(|(path, ordinal)| (path.to_owned(), ordinal)).collect();
        for (path, before) in ordinals {
            let ordinal = if self.sources[id].source.path == self.place_of(&path) {
                self.ledger.next_ordinal(&path)
            } else {
                let writers = self.writers.get(&path).into_iter().flatten();
                let tracked = writers.filter_map(|writer| self.sources[*writer].ordinal_in(&path));
                self.ledger.ordinal_after(&path, before, tracked.collect())
            };
            self.sources[id].source.set_ordinal(&path, ordinal);
        }
        self.note_deliveries(id);
    }

    /// Whether a file that comes before a source's own in one of its streams has to be read first.
    pub(super) fn has_to_wait(&mut self, id: SourceId) -> bool {
        self.waits_for_end_of_line(id) || self.has_unread_before(id) || self.readable_bytes(id).is_none()
    }

    /// Whether a file that comes before a source's own in one of its streams has not been read to its end.
    pub(super) fn has_unread_before(&self, id: SourceId) -> bool {
        self.has_before(id, |it| it.queued)
    }

    /// How far a source may be read now: what was written to it by the time at which those before it in its streams are found
    /// to hold nothing more. `None` where one does; it is read first.
    pub(super) fn readable_bytes(&mut self, id: SourceId) -> Option<u64> {
        if !self.has_before(id, |_| true) {
            return Some(u64::MAX);
        }
        let size = self.sources[id].source.size_bytes().unwrap_or(u64::MAX);
        let holds_more = |it: &Tracked<W::Descriptor>| {
            let is_written = !it.is_failing() && !it.source.is_compressed() && !it.source.has_unended_line();
            is_written && it.source.has_more()
        };
        let unread: Vec<SourceId> = self.files_before(id).filter(|writer| holds_more(&self.sources[*writer])).collect();
        for before in &unread {
            self.enqueue(*before);
        }
        unread.is_empty().then_some(size)
    }

    /// Whether any file that comes before a source's own in one of its streams is such a one.
    pub(super) fn has_before(&self, id: SourceId, is_such: impl Fn(&Tracked<W::Descriptor>) -> bool) -> bool {
        self.files_before(id).any(|writer| is_such(&self.sources[writer]))
    }

    /// The files that are read before a source's own, for they come before it in one of its streams. One that may be a copy of it
    /// does not: what it is shows once this one is read.
    fn files_before(&self, id: SourceId) -> impl Iterator<Item = SourceId> {
        let paths = self.sources[id].source.delivery_paths();
        let before = move |path| self.writers.get(path).into_iter().flatten().take_while(move |writer| **writer != id);
        let is_copy =
            move |writer: &SourceId| self.sources[*writer].held_back().is_some_and(|held| held.original == id);
        paths.flat_map(before).filter(move |writer| !is_copy(writer) && !self.comes_before(id, **writer)).copied()
    }

    /// Has the files looked at again that come after a source's own in its streams, which may have waited for it.
    pub(super) fn enqueue_files_after(&mut self, id: SourceId) {
        let paths = self.sources[id].source.delivery_paths();
        let writers = paths.filter_map(|path| self.writers.get(path));
        let after = writers.flat_map(|writers| writers.iter().skip_while(|writer| **writer != id).skip(1));
        for next in after.copied().collect::<Vec<_>>() {
            self.enqueue(next);
        }
    }

    /// Whether a source comes before another one in a stream, so that neither would be read if each waited for the other.
    fn comes_before(&self, id: SourceId, other: SourceId) -> bool {
        self.sources[id].source.delivery_paths().any(|path| {
            let mut writers = self.writers.get(path).into_iter().flatten();
            writers.find(|writer| **writer == id || **writer == other) == Some(&id) && writers.any(|it| *it == other)
        })
    }
}
