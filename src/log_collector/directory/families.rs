//! Looks after the files of each stream: gathers what is known and what lies on the disk, has the two compared
//! ([`reconcile`]), and does what that says. At the start, after a gap between two looks, and after each change alike.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use std::vec::IntoIter;

use crate::file::{self, Identity};
use crate::log_collector::checkpoint::{self, DeliveryPosition, ENDLESS, Position};
use crate::log_collector::directory::{Cut, Directory};
use crate::log_collector::rotation::family::{Member, is_named_rotated, rotated_out_of};
use crate::log_collector::rotation::listing::Files;
use crate::log_collector::rotation::names::{Form, originals, uncompressed};
use crate::log_collector::rotation::reconcile::{Candidate, Claim, Known, State, Step, reconcile};
use crate::log_collector::source::{Former, Match, Reading};
use crate::log_collector::tracked::{COPY_PATIENCE, HeldBack, SourceId, Tracked};
use crate::log_collector::watcher::Watcher;
use crate::model::Timestamp;
use crate::status::SkipReason;

/// How long the position of a file that is not found is kept, should the file come back: a file system that was not
/// mounted in time, say.
pub(super) const POSITION_KEPT: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// A stream whose files are to be looked after, and the path `to` which its name leads, be there a file or none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) stream: PathBuf,
    /// The source that the name led to before, if it is still there.
    pub(super) earlier: Option<SourceId>,
    pub(super) to: PathBuf,
}

/// Where a known file is known from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Source(SourceId),
    Ledger(Identity),
}

/// What is known of a stream's files.
#[derive(Default)]
struct Lineage {
    known: Vec<Known>,
    origins: Vec<Origin>,
    positions: Vec<Position>,
    /// Where they were before they were rotated; the latest last.
    places: Vec<PathBuf>,
}

impl<W: Watcher> Directory<W> {
    /// Looks after all streams there are, at the start.
    pub(super) fn reconcile_all(&mut self) {
        self.find_renamed();
        let names = self.names.keys().map(|name| self.seen(name));
        let known = self.ledger.streams().chain(self.writers.keys()).cloned();
        let streams: BTreeSet<PathBuf> = names.chain(known).collect();
        for stream in streams {
            let to = self.place_of(&stream);
            self.reconcile(&Due { stream, earlier: None, to });
        }
        self.forget_old_positions();
    }

    /// Looks after the streams that are due.
    pub(super) fn reconcile_due(&mut self) {
        let due = std::mem::take(&mut self.due);
        for it in &due {
            self.settle_earlier(it);
        }
        for it in &due {
            self.reconcile(it);
        }
    }

    /// Where the name of a stream leads to.
    pub(super) fn place_of(&self, stream: &Path) -> PathBuf {
        let name = self.name_of(stream);
        let hops = self.names.get(&name).and_then(|name| name.hops.last());
        hops.cloned().unwrap_or(name)
    }

    /// Has the stream of a name looked after.
    pub(super) fn note_due(&mut self, stream: &Path) {
        let to = self.place_of(stream);
        self.due.insert(Due { stream: stream.to_owned(), earlier: None, to });
    }

    /// Looks after the streams that a source delivers to, at once.
    pub(super) fn reconcile_streams_of(&mut self, id: SourceId) {
        for stream in self.sources[id].source.delivery_paths().map(Path::to_owned).collect::<Vec<_>>() {
            let to = self.place_of(&stream);
            self.reconcile(&Due { stream, earlier: None, to });
        }
    }

    /// Looks again after the streams of which something could not be decided.
    pub(super) fn reconcile_waiting(&mut self) {
        for stream in std::mem::take(&mut self.waiting) {
            self.note_due(&stream);
        }
    }

    /// Decides which streams the file delivers to that a name led to before, and finds out whether it was truncated before it
    /// lost the name.
    fn settle_earlier(&mut self, due: &Due) {
        let latest = || self.writers.get(&due.stream).and_then(|writers| writers.last().copied());
        let Some(id) = due.earlier.or_else(latest) else { return };
        let Some(tracked) = self.sources.find(id) else { return };
        if tracked.source.delivery_paths().next().is_none() {
            // It lost its name as soon as it was seen.
            self.settle_source(id);
        }
        self.notice_truncation(id);
    }

    /// Looks after the files of a stream.
    pub(super) fn reconcile(&mut self, due: &Due) {
        if self.is_no_longer_wanted(&due.stream) {
            return;
        }
        self.orphan_gone(&due.stream);
        self.judge_copies_in(&due.stream);
        let lineage = self.lineage(&due.stream, &due.to);
        if lineage.known.is_empty() && !self.is_new_log(due) || self.is_as_it_was(&lineage, &due.to) {
            return;
        }
        let (members, claims, is_complete) = self.family(due, &lineage);
        let candidates: Vec<Candidate> = members
            .iter()
            .zip(claims)
            .map(|(member, claim)| Candidate {
                identity: member.metadata.identity,
                modified_ns: member.metadata.modified_ns,
                form: member.form,
                is_named_rotated: member.is_named_rotated,
                claim,
            })
            .collect();
        let mut compared: HashMap<(usize, usize), Match> = HashMap::new();
        let mut compare = |known: usize, member: usize| {
            let compare = || self.compare(lineage.known[known].identity, &lineage.positions[known], &members[member]);
            *compared.entry((known, member)).or_insert_with(compare)
        };
        let steps = reconcile(&lineage.known, &candidates, is_complete, &mut compare);
        let mut ordinals = self.make_room(&steps, due, &lineage, &members);
        for step in steps {
            log_step(step, due, &lineage, &members);
            self.apply(step, due, &lineage, &members, &mut ordinals);
        }
    }

    /// Whether a stream is left out whose files were read before. It may be asked for again: what was read of it stays known,
    /// and nothing of it is missed.
    fn is_no_longer_wanted(&self, stream: &Path) -> bool {
        let is_only_known = !self.writers.contains_key(stream) && self.ledger.of_stream(stream).next().is_some();
        is_only_known && !self.is_wanted(stream)
    }

    /// Whether the file that a name leads to is a log of which nothing is known, and may have a past; not a file of another log.
    fn is_new_log(&mut self, due: &Due) -> bool {
        let Some(current) = Member::current(&due.to) else { return false };
        let name = self.name_of(&due.stream);
        for log in self.logs_of(&name) {
            let stream = self.seen(&log);
            if self.is_known_stream(&stream) {
                let to = self.place_of(&stream);
                self.reconcile(&Due { stream, earlier: None, to });
                if is_named_rotated(&name, &log) {
                    return false;
                }
            }
        }
        !self.is_taken(&current, &due.stream) && self.held_back(&current).is_none()
    }

    /// Whether the only file that is known of a stream is where its name leads, and is read on. One of which nothing was read may
    /// have been copied and truncated.
    fn is_as_it_was(&self, lineage: &Lineage, to: &Path) -> bool {
        let ([Known { state: State::Read, was_read: true, .. }], [Origin::Source(id)]) =
            (&lineage.known[..], &lineage.origins[..])
        else {
            return false;
        };
        let it = &self.sources[*id];
        it.source.path == to && !it.names().is_empty()
    }

    /// What is known of the files of a stream, in their order; its log is or would be at `to`.
    fn lineage(&self, stream: &Path, to: &Path) -> Lineage {
        let now = (self.settings.clock)();
        let current = file::link_metadata(to).ok();
        let mut found: Vec<(Known, Origin, Position)> = Vec::new();
        let mut add = |identity: Identity, position: Position, was_read: bool, state: State, origin: Origin| {
            let delivery = position.deliveries.iter().find(|delivery| delivery.path == stream);
            let Some(ordinal) = delivery.filter(|delivery| delivery.end == ENDLESS).map(|delivery| delivery.ordinal)
            else {
                return;
            };
            let known = Known {
                identity,
                ordinal,
                modified_ns: position.modified_ns,
                is_compressed: position.compressed,
                was_read,
                has_content: position.offset != 0,
                state,
            };
            found.push((known, origin, position));
        };
        for id in self.writers.get(stream).into_iter().flatten() {
            let tracked = &self.sources[*id];
            // Any may be compressed and gone by now, be that known or not; so its content is what it holds, be it read or not.
            let is_there = || current.as_ref().is_some_and(|it| it.identity == tracked.source.identity);
            let is_rotated = tracked.names().is_empty() || tracked.source.path != to || !is_there();
            let position = tracked.source.whole(now).unwrap_or_else(|_| tracked.source.position(now));
            let was_read = is_rotated || tracked.source.has_begun();
            add(tracked.source.identity, position, was_read, State::Read, Origin::Source(*id));
        }
        for (identity, position) in self.ledger.of_stream(stream) {
            let state = if let Some(cut) = self.cuts.get(&identity) {
                State::Cut { is_expired: COPY_PATIENCE <= cut.since.elapsed() }
            } else if position.finished {
                State::Done { may_return: !self.is_rotated(position) && !self.orphans.contains_key(&identity) }
            } else {
                State::Missing { is_gone: self.is_gone(identity, position) }
            };
            // What was cut from a file is known by that file.
            let is_it =
                |file: &Identity| checkpoint::identity_of_cut(*file, identity.born_ns.cast_unsigned()) == identity;
            let writers = self.writers.get(stream).into_iter().flatten();
            let file = writers.map(|id| self.sources[*id].source.identity).find(is_it);
            let was_read = position.offset != 0;
            add(file.unwrap_or(identity), position.clone(), was_read, state, Origin::Ledger(identity));
        }
        found.sort_by_key(|(known, _, position)| {
            (known.ordinal, !known.is_compressed, known.identity.born_ns, position.saved)
        });
        let mut lineage = Lineage::default();
        for (known, origin, position) in found {
            let place = self.place_before_rotation(&position);
            lineage.places.retain(|it| *it != place);
            lineage.places.push(place);
            lineage.known.push(known);
            lineage.origins.push(origin);
            lineage.positions.push(position);
        }
        lineage
    }

    /// Whether a file was last seen under a rotated name, in a directory that is there.
    pub(super) fn is_rotated(&self, position: &Position) -> bool {
        let has_directory = position.path.parent().is_some_and(|it| file::metadata(it).is_ok());
        let has_own_stream = position.deliveries.iter().any(|delivery| delivery.path == self.seen(&position.path));
        let name = position.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        has_directory && (position.compressed || !has_own_stream && !originals(uncompressed(name).0).is_empty())
    }

    /// Whether a missing file is gone for good: this process had it open, or another file has its place.
    fn is_gone(&self, identity: Identity, position: &Position) -> bool {
        let is_taken = |metadata: file::Metadata| metadata.identity != identity;
        self.orphans.contains_key(&identity)
            || file::link_metadata(&self.place_before_rotation(position)).is_ok_and(is_taken)
    }

    /// Where the file of a position was before it was rotated: at a path whose stream it has, or that is known, or there.
    pub(super) fn place_before_rotation(&self, position: &Position) -> PathBuf {
        let path = &position.path;
        let has_own_stream = position.deliveries.iter().any(|delivery| delivery.path == self.seen(path));
        let name = path.file_name().and_then(|name| name.to_str()).filter(|_| !has_own_stream).unwrap_or_default();
        let uncompressed = || path.with_file_name(uncompressed(name).0);
        let has_its_stream =
            |candidate: &PathBuf| position.deliveries.iter().any(|delivery| delivery.path == self.seen(candidate));
        let of_its_stream = || self.logs_of(&uncompressed()).into_iter().find(has_its_stream);
        let is_known = |candidate: &PathBuf| self.ledger.has_path(candidate) || file::link_metadata(candidate).is_ok();
        let mut candidates =
            originals(uncompressed().file_name().and_then(|name| name.to_str()).unwrap_or_default()).into_iter();
        let mut beside = || candidates.by_ref().map(|original| path.with_file_name(original)).find(is_known);
        let original = if name.is_empty() { None } else { of_its_stream().or_else(&mut beside) };
        original.unwrap_or_else(|| if name.is_empty() { path.clone() } else { uncompressed() })
    }

    /// The files of a stream's log, the earliest first, whose each is, and whether those are certainly all.
    fn family(&mut self, due: &Due, lineage: &Lineage) -> (Vec<Member>, Vec<Claim>, bool) {
        let Due { stream, to, .. } = due;
        let (mut members, mut claims, mut is_complete) = (Vec::<Member>::new(), Vec::new(), true);
        // A file that a link led to may have been replaced before the link was.
        let places = lineage.places.iter().filter(|place| *place != to).chain([to]);
        for place in places {
            let (rotated, is_all) = rotated_out_of(place, self.held_out_of(place), &mut self.listings);
            is_complete &= is_all;
            let old =
                place.parent().and_then(|directory| self.old_directories.get(directory)).cloned().unwrap_or_default();
            let mut put_away = Vec::new();
            let is_of_another = |directory: &PathBuf| {
                self.is_known_stream(&self.seen(&directory.join(place.file_name().unwrap_or_default())))
            };
            for directory in old.into_iter().filter(|directory| !is_of_another(directory)).collect::<Vec<_>>() {
                let (found, is_all) = rotated_out_of(
                    &directory.join(place.file_name().unwrap_or_default()),
                    Vec::new(),
                    &mut self.listings,
                );
                is_complete &= is_all;
                put_away.extend(found);
            }
            let rotated = put_away.into_iter().chain(rotated);
            let current = Member::current(place).map(|it| Member { is_current: place == to, ..it });
            let is_elsewhere =
                place != to && (place.starts_with(&self.root) || self.seen_through_link(place).is_some());
            for member in rotated.chain(current) {
                let is_listed = |it: &Member| it.metadata.identity == member.metadata.identity;
                if members.iter().any(is_listed) {
                    continue;
                }
                claims.push(match () {
                    () if self.is_taken(&member, stream) => Claim::Taken,
                    () if member.is_current => Claim::Current,
                    () if is_elsewhere => Claim::Elsewhere,
                    // It was found beside its log while that was where it is.
                    () if self.held_back(&member).is_some_and(HeldBack::is_undecided) => Claim::Elsewhere,
                    () if member.is_named_rotated && self.held_back(&member).is_some_and(HeldBack::is_rotated) => {
                        Claim::Rotated
                    }
                    () => Claim::Free,
                });
                members.push(member);
            }
        }
        // Whatever else is in the directories, by identity only: what was renamed to a name that says nothing.
        for (known, position) in lineage.known.iter().zip(&lineage.positions) {
            if known.state == State::Read || members.iter().any(|it| it.metadata.identity == known.identity) {
                continue;
            }
            let Some(directory) = position.path.parent() else { continue };
            let (files, is_all) = self.listings.files_in(directory);
            is_complete &= is_all;
            let found = files.get(&known.identity).and_then(|path| Member::current(path));
            if let Some(found) = found.filter(|it| it.metadata.identity == known.identity) {
                members.insert(0, Member { is_current: false, ..found });
                claims.insert(0, Claim::Taken);
            }
        }
        (members, claims, is_complete)
    }

    /// Files that were rotated out of the one at `place` and are held back as its copies: they may have lost their names before
    /// it was known what they are, compressed by now, say.
    fn held_out_of(&self, place: &Path) -> Vec<Member> {
        let member = |held: &Tracked<W::Descriptor>| {
            let metadata = held.source.metadata().ok()?;
            Member::rotated(held.known_names().next()?, place, metadata)
        };
        self.sources.held_back().filter_map(|(id, _)| member(&self.sources[id])).collect()
    }

    /// Whether a file is known, and of other streams than this one.
    fn is_taken(&self, member: &Member, stream: &Path) -> bool {
        let identity = member.metadata.identity;
        let source = self.sources.of_file(identity).map(|id| &self.sources[id].source);
        let delivers = source.is_some_and(|source| {
            // What has just been begun for another name of its log is begun for this one as well.
            let is_begun = self.begun.contains(&identity);
            !is_begun && source.delivery_paths().next().is_some()
        });
        let has_stream = |position: &Position| position.deliveries.iter().any(|it| it.path == stream);
        let own_stream = self.seen(&member.path);
        // A log of its own may be rotated to another file of its name; one with a name that rotation makes is not.
        let has_own_stream = own_stream != stream
            && self.is_known_stream(&own_stream)
            && !is_named_rotated(&member.path, &self.name_of(stream));
        has_own_stream || delivers || self.ledger.get(identity).is_some_and(|position| !has_stream(position))
    }

    /// What is known of a file that may be a copy.
    fn held_back(&self, member: &Member) -> Option<&HeldBack> {
        self.sources.of_file(member.metadata.identity).and_then(|id| self.sources[id].held_back())
    }

    /// Whether files are or were read for a stream.
    pub(super) fn is_known_stream(&self, stream: &Path) -> bool {
        self.ledger.knows_stream(stream)
    }

    /// Compares what `member` holds with what was read of the file `identity` up to `position`.
    fn compare(&self, identity: Identity, position: &Position, member: &Member) -> Match {
        if member.is_current && !may_have_moved(identity, position, member) {
            return Match::Other;
        }
        // A file that is open is looked at as it is, be its name gone.
        let open = self.sources.of_file(member.metadata.identity).map(|id| &self.sources[id].source);
        match open.filter(|source| !source.is_closed() && !source.is_compressed()) {
            Some(source) => source.compare(position),
            None => member.compare(position),
        }
    }

    /// The ordinals of the files that are added to a stream. Its log, if it is read already, comes after them: what is stored
    /// first, so that it does whenever the process ends.
    fn make_room(&mut self, steps: &[Step], due: &Due, lineage: &Lineage, members: &[Member]) -> IntoIter<u64> {
        let is_new = |step: &&Step| matches!(step, Step::Begin { ordinal: None, .. } | Step::Reserve { .. });
        let new_count = steps.iter().filter(is_new).count();
        let ordinals: Vec<u64> = (0..new_count).map(|_| self.ledger.next_ordinal(&due.stream)).collect();
        let current = members.iter().find(|member| member.is_current).map(|member| member.metadata.identity);
        let log = lineage.origins.iter().find_map(|origin| match origin {
            Origin::Source(id) if Some(self.sources[*id].source.identity) == current => Some(*id),
            _ => None,
        });
        if let Some(id) = log.filter(|_| !ordinals.is_empty()) {
            let ordinal = self.ledger.next_ordinal(&due.stream);
            self.sources[id].source.set_ordinal(&due.stream, ordinal);
            self.note_deliveries(id);
            self.store_position(id);
        }
        ordinals.into_iter()
    }

    fn apply(&mut self, step: Step, due: &Due, lineage: &Lineage, members: &[Member], ordinals: &mut IntoIter<u64>) {
        match step {
            Step::Continue { known, member } => {
                self.go_on_in(lineage.origins[known], &lineage.positions[known], &members[member], due);
            }
            Step::Reserve { member } => {
                let (member, ordinal) = (&members[member], ordinals.next());
                let is_it = |metadata: file::Metadata| metadata.identity == member.metadata.identity;
                // Otherwise it was renamed or compressed since it was listed.
                if file::link_metadata(&member.path).is_ok_and(is_it) {
                    self.remember_unread(member, due, ordinal);
                }
                self.waiting.insert(due.stream.clone());
            }
            Step::Begin { member, ordinal } => self.begin(&members[member], due, ordinal.or_else(|| ordinals.next())),
            Step::Miss { member } => {
                log::warn!(
                    "{} was rotated while nobody was looking, and is compressed in a way that is not read: its lines are missing",
                    members[member].path.display()
                );
            }
            Step::Lose { known } => self.lose(lineage.origins[known], &lineage.positions[known]),
            Step::Forget { known } => match lineage.origins[known] {
                Origin::Ledger(identity) => {
                    self.take_waiting(identity, &lineage.positions[known]);
                    self.forget(identity);
                }
                Origin::Source(_) => {}
            },
            Step::Wait => {
                self.waiting.insert(due.stream.clone());
            }
        }
    }

    /// Goes on in `member` with what was read up to `position`.
    fn go_on_in(&mut self, origin: Origin, position: &Position, member: &Member, due: &Due) {
        match origin {
            // Nobody has it open, and there is nothing more in it.
            Origin::Ledger(identity)
                if position.finished
                    && self.sources.of_file(member.metadata.identity).is_none()
                    && (member.form == Form::Compressed || self.compare(identity, position, member) == Match::Same) =>
            {
                let compressed = member.form == Form::Compressed;
                let position = Position { compressed, path: member.path.clone(), ..position.clone() };
                self.remember(member.metadata.identity, position);
                self.forget(identity);
            }
            Origin::Ledger(identity) if member.metadata.identity == identity => {
                // It is opened, and goes on where it was.
                let id = position.deliveries.first().and_then(|delivery| self.source_of(member, &delivery.path));
                if let Some(id) = id.filter(|_| position.offset == 0) {
                    self.hold_back_copy(id, due);
                }
            }
            Origin::Ledger(identity) => {
                let waiting = self.take_waiting(identity, position);
                let position = Position { finished: false, cut: false, ..position.clone() };
                self.resume_in(member, &Former { position: Box::new(position), waiting });
                self.forget(identity);
            }
            Origin::Source(_) => {}
        }
    }

    /// What had been seen of a content that nobody has open, and waited to be found again.
    fn take_waiting(&mut self, identity: Identity, position: &Position) -> Range<u64> {
        let cut = self.cuts.remove(&identity).map(|cut| cut.waiting);
        cut.or_else(|| self.orphans.remove(&identity)).unwrap_or(position.offset..position.offset)
    }

    /// Looks for what was cut from files before this start.
    pub(super) fn restore_cuts(&mut self) {
        for (identity, position) in self.ledger.iter().filter(|(_, position)| position.cut) {
            let cut = Cut { waiting: position.offset..position.offset, since: Instant::now() };
            self.cuts.insert(identity, cut);
        }
    }

    /// Counts what was not read of a known file as lost.
    fn lose(&mut self, origin: Origin, position: &Position) {
        match origin {
            Origin::Ledger(identity) => {
                let waiting = self.take_waiting(identity, position);
                let reason = if position.cut { SkipReason::Truncated } else { SkipReason::Deleted };
                self.give_up(&Former { position: Box::new(position.clone()), waiting }, reason);
                self.forget(identity);
            }
            Origin::Source(_) => {}
        }
    }

    /// Reads on in a copy of what `former` was.
    fn resume_in(&mut self, member: &Member, former: &Former) {
        let id = former.first_path().and_then(|path| self.source_of(member, path));
        let Some(id) = id else { return self.give_up(former, SkipReason::Damaged) };
        self.sources.release(id);
        if let Err(error) = self.open_again(id) {
            log::debug!("{error}");
        }
        let reading = Reading { naming: self.naming.as_ref(), status: &self.status, now: (self.settings.clock)() };
        match self.sources[id].source.resume_copy(former, &reading) {
            Ok(true) => {
                log::info!("{} is read on from byte {}", member.path.display(), former.offset());
                self.note_deliveries(id);
            }
            Ok(false) => self.give_up(former, SkipReason::Damaged),
            Err(error) => {
                log::warn!("{error}; its last lines are missing");
                self.give_up(former, SkipReason::Damaged);
            }
        }
        self.store_position(id);
        self.enqueue(id);
    }

    /// Reads a file that nothing is known of, from its first byte, for a stream and those of the other names of its log.
    fn begin(&mut self, member: &Member, due: &Due, ordinal: Option<u64>) {
        let Some(id) = self.source_of(member, &due.stream) else {
            if self.waiting.contains(&due.stream) {
                self.remember_unread(member, due, ordinal);
            }
            return;
        };
        if self.hold_back_copy(id, due) {
            return;
        }
        self.sources.release(id);
        log::debug!(
            "{} was rotated while nobody was looking; it is read for {}",
            member.path.display(),
            due.stream.display()
        );
        self.begun.insert(member.metadata.identity);
        self.deliver_to(id, due.stream.clone(), ordinal);
    }

    /// Keeps the place of a file in a stream that cannot be opened now.
    fn remember_unread(&mut self, member: &Member, due: &Due, ordinal: Option<u64>) {
        let ordinal = ordinal.unwrap_or_else(|| self.ledger.next_ordinal(&due.stream));
        let delivery = DeliveryPosition { path: due.stream.clone(), delivered: 0, end: ENDLESS, ordinal };
        let position = Position {
            compressed: member.form == Form::Compressed,
            modified_ns: member.metadata.modified_ns,
            deliveries: vec![delivery],
            ..Position::unread(member.path.clone(), (self.settings.clock)())
        };
        self.remember(member.metadata.identity, position);
    }

    /// The source of a rotated file, opened if it is not yet; `seen` is the first name it delivers to.
    fn source_of(&mut self, member: &Member, seen: &Path) -> Option<SourceId> {
        let decompress = member.form == Form::Compressed;
        match self.open_source(&member.path, member.metadata.identity, seen, decompress) {
            Ok(source) => {
                self.clear_problem(&member.path);
                source
            }
            Err(error) => {
                // It is asked again.
                if error.kind() != ErrorKind::NotFound {
                    self.note_problem(&member.path, &error);
                }
                self.waiting.insert(seen.to_owned());
                None
            }
        }
    }

    /// Finds files that were renamed out of the names that are collected and hold more than was read, to be read to their end.
    pub(super) fn find_renamed(&mut self) {
        let mut found_in: HashMap<PathBuf, Arc<Files>> = HashMap::new();
        let known: Vec<(Identity, Position)> =
            self.ledger.iter().map(|(identity, position)| (identity, position.clone())).collect();
        for (identity, position) in known {
            let (Some(directory), Some(delivery)) = (position.path.parent(), position.deliveries.first()) else {
                continue;
            };
            let found = found_in.entry(directory.to_owned()).or_insert_with(|| self.listings.files_in(directory).0);
            let Some(found) = found.get(&identity) else { continue };
            if position.offset == 0 {
                // Of which nothing was read, and which may hold what another one held.
                continue;
            }
            if position.is_finished_at(found) {
                continue;
            }
            let leads_to_it = |metadata: file::Metadata| metadata.identity == identity;
            if self.is_no_longer_wanted(&delivery.path) || file::metadata(&delivery.path).is_ok_and(leads_to_it) {
                // Whatever its name leads to, it is not asked for any more.
                continue;
            }
            match self.source_at(found, identity, &delivery.path) {
                Ok(_) => log::debug!("{} is read to its end", found.display()),
                // Renamed or compressed since it was listed: it is looked for by content.
                Err(error) if error.kind() == ErrorKind::NotFound => log::debug!("{error}"),
                Err(error) => {
                    log::debug!("{error}; it is asked again");
                    self.waiting.insert(delivery.path.clone());
                }
            }
        }
    }

    /// Forgets the positions of files that have not been found for [`POSITION_KEPT`]. Those of finished files, which are
    /// not looked for, are forgotten once their directories lack them.
    fn forget_old_positions(&mut self) {
        let now: Timestamp = (self.settings.clock)();
        let is_old =
            |position: &Position| !position.finished && POSITION_KEPT < now.as_ns().abs_diff(position.saved.as_ns());
        let old = self.ledger.iter().filter(|(_, position)| is_old(position)).map(|(identity, _)| identity);
        for identity in old.collect::<Vec<_>>() {
            self.forget(identity);
        }
    }

    /// What was seen of files that are missing now.
    pub(super) fn orphaned_bytes(&self) -> u64 {
        self.orphans.values().map(|Range { start, end }| end - start).sum()
    }
}

/// Says in the log what is decided of a file, for whoever finds out why.
fn log_step(step: Step, due: &Due, lineage: &Lineage, members: &[Member]) {
    let of = |known: usize| {
        let Known { identity, ordinal, state, .. } = &lineage.known[known];
        let Position { offset, path, .. } = &lineage.positions[known];
        format!("{} (inode {}, file {ordinal:#x}, byte {offset}, {state:?})", path.display(), identity.inode)
    };
    let at = |member: usize| {
        let Member { path, metadata, .. } = &members[member];
        format!("{} (inode {}, {} bytes)", path.display(), metadata.identity.inode, metadata.size_bytes)
    };
    let said = match step {
        Step::Continue { known, member } => format!("{} goes on in {}", of(known), at(member)),
        Step::Begin { member, .. } => format!("{} is begun", at(member)),
        Step::Reserve { member } => format!("{} keeps its place", at(member)),
        Step::Miss { member } => format!("{} is missed", at(member)),
        Step::Lose { known } => format!("{} is lost", of(known)),
        Step::Forget { known } => format!("{} is forgotten", of(known)),
        Step::Wait => return,
    };
    log::debug!("{}: {said}", due.stream.display());
}

/// Whether the file that has a log's name may be the one that was read as `identity`, although it is not the same file: copied
/// within its place, by an overlay or from a backup. One that was only written with the same bytes again has another time.
fn may_have_moved(identity: Identity, position: &Position, member: &Member) -> bool {
    let is_same_inode = identity.inode == member.metadata.identity.inode && identity.born_ns != 0;
    is_same_inode || member.metadata.modified_ns == position.modified_ns
}
