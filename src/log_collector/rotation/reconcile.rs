//! Compares what is known of a stream's files with what lies on the disk, and says what to do. Decides, and does nothing.

use std::cmp::Reverse;

use crate::file::Identity;
use crate::log_collector::rotation::names::Form;
use crate::log_collector::source::{COPY_ORDINAL, Match, SHORTENED_HEAD_BYTES};

/// How long after its log was created a rotated file may be written to by a program that has it open.
const LATE_WRITES_NS: i64 = 300_000_000_000;
/// Compressors give their files the time of what they compressed, some to the second only.
const NS_PER_SECOND: i64 = 1_000_000_000;
/// How long it takes at most to copy a log.
const COPYING_NS: i64 = 60_000_000_000;

/// A file of a stream that is known, as far as it matters here.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Known {
    pub(in crate::log_collector) identity: Identity,
    /// Which of the stream's files it is; 0 where that was not noted.
    pub(in crate::log_collector) ordinal: u64,
    /// When it had been written to.
    pub(in crate::log_collector) modified_ns: i64,
    pub(in crate::log_collector) is_compressed: bool,
    /// Whether anything was read of it, or it is no log any more: what comes after it are other files.
    pub(in crate::log_collector) was_read: bool,
    /// Whether anything is known of its content, so that it can be told from others.
    pub(in crate::log_collector) has_content: bool,
    pub(in crate::log_collector) state: State,
}

impl Known {
    /// Whether it is a copy of another file: there is nothing to be read of it.
    fn is_copy(&self) -> bool {
        self.ordinal == COPY_ORDINAL
    }
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_collector) enum State {
    /// It is read as it grows.
    Read,
    /// It was read to its end, and closed. It `may_return` where it was moved away rather than deleted.
    Done { may_return: bool },
    /// It was read, and is not where it was. It `is_gone` for good where another file has its place, or nothing leads to it.
    Missing { is_gone: bool },
    /// Its content was cut from its file, which goes on with another. The search for the content ends once it `is_expired`.
    Cut { is_expired: bool },
}

/// A file of a log's family, as far as it matters here.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Candidate {
    pub(in crate::log_collector) identity: Identity,
    pub(in crate::log_collector) modified_ns: i64,
    pub(in crate::log_collector) form: Form,
    /// Whether nothing but rotation gives files such names: what is added stands at the end, or is a date.
    pub(in crate::log_collector) is_named_rotated: bool,
    pub(in crate::log_collector) claim: Claim,
}

/// Whose a file of a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_collector) enum Claim {
    /// Nothing is known of it.
    Free,
    /// As [`Claim::Free`], and it is certain that it was rotated out of the log.
    Rotated,
    /// As [`Claim::Free`], but it is not in the log's own place: only its content can make it the log's.
    Elsewhere,
    /// It has the log's own name. Whether it is new is not decided here.
    Current,
    /// It is known, and of another stream.
    Taken,
}

/// What is to be done; numbers are places in what was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log_collector) enum Step {
    /// The content of a known file is in another one: it goes on there.
    Continue { known: usize, member: usize },
    /// A file was rotated while nobody looked: it is read from its start, as file `ordinal` of the stream, or as the next one.
    Begin { member: usize, ordinal: Option<u64> },
    /// As [`Step::Begin`], once it can be told whether the file holds what another one held: until then its place is kept.
    Reserve { member: usize },
    /// A file that would be read if it could be decompressed.
    Miss { member: usize },
    /// A known file is lost, with what of it was not read.
    Lose { known: usize },
    /// A known file is of no use any more.
    Forget { known: usize },
    /// Something cannot be decided now.
    Wait,
}

/// Says what became of the files of a stream. `family` is sorted, the earliest first; it `is_complete` where nothing can be
/// missing from it. `compare` says how the content of a member compares with what was read of a known file.
pub(in crate::log_collector) fn reconcile(
    known: &[Known],
    family: &[Candidate],
    is_complete: bool,
    compare: &mut dyn FnMut(usize, usize) -> Match,
) -> Vec<Step> {
    let nothing = (vec![None; family.len()], vec![false; family.len()]);
    let mut reconciler = Reconciler { known, family, owners: nothing.0, undecided: nothing.1, steps: Vec::new() };
    reconciler.recognise_identities(compare);
    let mut missing = Vec::new();
    let mut order: Vec<usize> = (0..known.len()).collect();
    // What only has a place, or is a copy, may hold what another one held: that is looked for first.
    order.sort_by_key(|index| (reconciler.is_unread(*index) || known[*index].is_copy(), known[*index].ordinal));
    for index in order {
        reconciler.find(index, is_complete, compare, &mut missing);
    }
    reconciler.begin_younger(&missing);
    reconciler.steps
}

struct Reconciler<'a> {
    known: &'a [Known],
    family: &'a [Candidate],
    /// Which known file each member is.
    owners: Vec<Option<usize>>,
    /// Which members could not be compared.
    undecided: Vec<bool>,
    steps: Vec<Step>,
}

impl Reconciler<'_> {
    /// Rule 1: a file with a known identity is that file. Where files have no birth times, another one may have the inode of one
    /// that was finished and deleted.
    fn recognise_identities(&mut self, compare: &mut dyn FnMut(usize, usize) -> Match) {
        for (member, candidate) in self.family.iter().enumerate() {
            let mut is_it = |(index, known): (usize, &Known)| {
                let is_suspect = candidate.identity.born_ns == 0 && matches!(known.state, State::Done { .. });
                let has_identity = known.identity == candidate.identity && !matches!(known.state, State::Cut { .. });
                has_identity && !(is_suspect && matches!(compare(index, member), Match::Other | Match::Prefix(_)))
            };
            self.owners[member] = (0..self.known.len()).find(|index| is_it((*index, &self.known[*index])));
        }
    }

    /// Rules 2 and 5: looks for a known file that is not where it was.
    fn find(
        &mut self,
        index: usize,
        is_complete: bool,
        compare: &mut dyn FnMut(usize, usize) -> Match,
        missing: &mut Vec<usize>,
    ) {
        let known = &self.known[index];
        if let Some(member) = self.owners.iter().position(|owner| *owner == Some(index)) {
            // It is where nothing asks for it, or could not be opened.
            if matches!(known.state, State::Missing { .. }) && self.family[member].claim != Claim::Current {
                let is_undecided = self.is_unread(index) && self.undecided[member];
                self.steps.push(if is_undecided { Step::Wait } else { Step::Continue { known: index, member } });
            }
            return;
        }
        if self.is_unread(index) && self.family.iter().any(|it| it.identity == known.identity) {
            // It turned out to hold what another one held.
            return;
        }
        if known.state != State::Read && self.is_continued(index) {
            return self.steps.push(Step::Forget { known: index });
        }
        match self.search(&self.known[index], |member| compare(index, member)) {
            Ok(Some(member)) => {
                self.owners[member] = Some(index);
                // What is read although its file is gone is compressed by now, say.
                if known.state != State::Read {
                    self.steps.push(Step::Continue { known: index, member });
                }
            }
            Ok(None) if known.state == State::Read => {}
            Ok(None) if !is_complete => self.steps.push(Step::Wait),
            Ok(None) => {
                let step = match known.state {
                    State::Done { .. } | State::Missing { .. } if known.is_copy() => {
                        Some(Step::Forget { known: index })
                    }
                    State::Done { may_return } => (!may_return).then_some(Step::Forget { known: index }),
                    State::Missing { is_gone: true } if self.may_be_in_undecided(index) => Some(Step::Wait),
                    State::Missing { is_gone } => is_gone.then_some(Step::Lose { known: index }),
                    State::Cut { is_expired } => {
                        Some(if is_expired { Step::Lose { known: index } } else { Step::Wait })
                    }
                    State::Read => None,
                };
                if matches!(known.state, State::Missing { .. }) && !known.is_copy() {
                    missing.push(index);
                }
                self.steps.extend(step);
            }
            Err(Unknown) => self.steps.push(Step::Wait),
        }
    }

    /// Whether nothing was read of a file: it only has a place in the stream.
    fn is_unread(&self, index: usize) -> bool {
        !self.known[index].has_content && matches!(self.known[index].state, State::Missing { .. })
    }

    /// Whether a member may be what became of a known file, by its form and its time.
    fn may_be_compressed(&self, index: usize, member: usize) -> bool {
        let candidate = &self.family[member];
        candidate.form == Form::Compressed
            && self.known[index].modified_ns / NS_PER_SECOND <= candidate.modified_ns / NS_PER_SECOND
    }

    /// Whether what became of a known file may be a member that could not be looked at.
    fn may_be_in_undecided(&self, index: usize) -> bool {
        let is_it = |member: usize| self.undecided[member] && self.owners[member].is_none();
        (0..self.family.len()).any(|member| is_it(member) && self.may_be_compressed(index, member))
    }

    /// Whether another file goes on with a content already, or it was cut from the file: what is known of that was stored first.
    fn is_continued(&self, index: usize) -> bool {
        let Known { ordinal, state, .. } = self.known[index];
        let goes_on = |other: State| match other {
            State::Read | State::Done { .. } => true,
            State::Cut { .. } => matches!(state, State::Missing { .. }),
            State::Missing { .. } => false,
        };
        let is_it =
            |(other, known): (usize, &Known)| other != index && known.ordinal == ordinal && goes_on(known.state);
        ordinal != 0 && self.known.iter().enumerate().any(is_it)
    }

    /// The member that holds the content of `known`. The bytes that are compared may be the same in several files: what was
    /// written to later is more likely the one.
    fn search(&mut self, known: &Known, mut compare: impl FnMut(usize) -> Match) -> Result<Option<usize>, Unknown> {
        let is_later = |member: usize| known.modified_ns < self.family[member].modified_ns;
        let is_free = |member: &usize| {
            let candidate = &self.family[*member];
            let is_claimable = matches!(candidate.claim, Claim::Free | Claim::Rotated | Claim::Elsewhere)
                || candidate.claim == Claim::Current && matches!(known.state, State::Missing { .. });
            let is_free = self.owners[*member].is_none_or(|owner| self.is_unread(owner));
            is_free && is_claimable && candidate.form != Form::Unreadable
        };
        if !known.has_content {
            // Nothing tells it from others, and nothing is lost with it.
            return Ok(None);
        }
        let later = (0..self.family.len()).filter(|member| is_later(*member));
        let earlier = (0..self.family.len()).rev().filter(|member| !is_later(*member));
        let head_bytes_min = if matches!(known.state, State::Cut { .. }) { 1 } else { SHORTENED_HEAD_BYTES };
        let (mut shortened, mut is_unknown) = (None, false);
        let mut members: Vec<usize> = later.chain(earlier).filter(is_free).collect();
        if matches!(known.state, State::Cut { .. }) {
            // The copy was made last, just before the content was cut.
            members.sort_by_key(|member| Reverse(self.family[*member].modified_ns));
        } else {
            // Another file that is not compressed is but a copy of it, which may have been made before its last lines: of several,
            // the last one has the most of it.
            members.sort_by_key(|member| {
                let candidate = &self.family[*member];
                (candidate.form == Form::Plain).then_some(Reverse(candidate.modified_ns))
            });
        }
        for member in members {
            match compare(member) {
                // What comes first goes on, once it can be looked at.
                Match::Same | Match::Grown if is_unknown => {
                    self.undecided[member] = true;
                }
                Match::Same => return Ok(Some(member)),
                Match::Grown if !known.is_copy() => return Ok(Some(member)),
                Match::Prefix(head_bytes)
                    if !known.is_copy()
                        && head_bytes_min <= head_bytes
                        && known.state != State::Read
                        && self.may_be_shortened(known, member) =>
                {
                    shortened = shortened.or(Some(member));
                }
                Match::Unknown => (is_unknown, self.undecided[member]) = (true, true),
                Match::Grown | Match::Prefix(_) | Match::Other => {}
            }
        }
        if is_unknown { Err(Unknown) } else { Ok(shortened) }
    }

    /// Whether a member that begins as a known file did and is shorter may be that one, shortened by a power cut. What was read to
    /// its end may as well have been deleted, its age having come, and the member be a later file with the same beginning: then
    /// it does not lie between the files that were read before and after, or it was written to later.
    fn may_be_shortened(&self, known: &Known, member: usize) -> bool {
        if !matches!(known.state, State::Done { .. }) {
            return true;
        }
        let candidate = &self.family[member];
        let is_in_place = self.owners.iter().enumerate().all(|(other, owner)| {
            owner.is_none_or(|owner| (other < member) == (self.known[owner].ordinal < known.ordinal))
        });
        let is_as_old = candidate.modified_ns / NS_PER_SECOND == known.modified_ns / NS_PER_SECOND;
        is_in_place && (is_as_old || candidate.form == Form::Compressed)
    }

    /// Rule 3: what is younger than the newest known file was rotated while nobody looked.
    fn begin_younger(&mut self, missing: &[usize]) {
        let newest = (0..self.family.len()).rev().find(|member| self.is_intact(*member));
        for (member, candidate) in self.family.iter().enumerate() {
            let is_rotated = match candidate.claim {
                Claim::Free => !self.is_log_of_its_own(candidate),
                claim => claim == Claim::Rotated,
            };
            if self.owners[member].is_some() || !is_rotated {
                continue;
            }
            // What is compressed may hold what is missing, if that was rewritten since it was read.
            let replaced = missing.iter().find(|index| self.may_be_compressed(**index, member));
            let is_younger =
                self.known.is_empty() || candidate.claim == Claim::Rotated || self.is_younger(member, newest);
            let step = match candidate.form {
                _ if self.undecided[member] => is_younger.then_some(Step::Reserve { member }),
                Form::Unreadable => (is_younger && !self.known.is_empty()).then_some(Step::Miss { member }),
                _ if is_younger => Some(Step::Begin { member, ordinal: None }),
                _ => replaced.map(|index| Step::Begin { member, ordinal: Some(self.known[*index].ordinal) }),
            };
            self.steps.extend(step);
        }
    }

    /// Whether a file only looks like one that was rotated: it came into being beside its log, which was not copied since, or
    /// was written to while the log was.
    fn is_log_of_its_own(&self, candidate: &Candidate) -> bool {
        let current = self.family.iter().find(|it| it.claim == Claim::Current);
        let Some(current) = current.filter(|_| candidate.form == Form::Plain) else { return false };
        let (born_ns, log_born_ns) = (candidate.identity.born_ns, current.identity.born_ns);
        if born_ns == 0 || log_born_ns == 0 {
            return false;
        }
        if born_ns < log_born_ns {
            return log_born_ns.saturating_add(LATE_WRITES_NS) < candidate.modified_ns;
        }
        let is_log = |known: &&Known| known.identity == current.identity;
        let is_cut = |known: &Known| matches!(known.state, State::Cut { .. });
        // Nothing was read of the log that would have to be there still, had it not been copied and truncated.
        let is_unknown = !self.known.iter().filter(is_log).any(|known| known.was_read);
        let is_copied =
            is_unknown && candidate.is_named_rotated && candidate.modified_ns <= born_ns.saturating_add(COPYING_NS);
        !is_copied && !self.known.iter().filter(is_log).any(is_cut)
    }

    /// Whether a member is known and still holds what was read of it; nothing may have been, before it was copied and truncated.
    fn is_intact(&self, member: usize) -> bool {
        let Some(owner) = self.owners[member].filter(|owner| self.known[*owner].was_read) else { return false };
        let is_cut =
            |known: &Known| known.identity == self.known[owner].identity && matches!(known.state, State::Cut { .. });
        !self.known.iter().any(is_cut)
    }

    /// Whether an unknown member came into being after the files that are known: the one rule of age. Its place in the family
    /// tells, and where no known file is left, its birth or, where that says nothing, the time it was written to.
    fn is_younger(&self, member: usize, newest: Option<usize>) -> bool {
        let candidate = &self.family[member];
        let plain = || self.known.iter().filter(|known| !known.is_compressed);
        let latest_birth = plain().map(|known| known.identity.born_ns).max().unwrap_or(0);
        let latest_write = plain().map(|known| known.modified_ns).max();
        let latest_write = latest_write.or_else(|| self.known.iter().map(|known| known.modified_ns).max());
        let has_birth = candidate.form == Form::Plain && candidate.identity.born_ns != 0 && latest_birth != 0;
        match newest {
            Some(newest) => newest < member && (!has_birth || latest_birth <= candidate.identity.born_ns),
            None if has_birth => latest_birth < candidate.identity.born_ns,
            None => latest_write.is_none_or(|latest| latest < candidate.modified_ns),
        }
    }
}

/// Nothing can be decided now.
struct Unknown;

#[cfg(test)]
mod tests {
    use super::*;

    /// `name: birth written [state]` of known files, in their order; births and times are small numbers.
    fn known(ordinal: u64, born_ns: i64, modified_ns: i64, state: State) -> Known {
        let identity = Identity { device: 1, inode: born_ns.unsigned_abs(), born_ns };
        let ordinal = ordinal << 32;
        Known { identity, ordinal, modified_ns, is_compressed: false, was_read: true, has_content: true, state }
    }

    fn member(born_ns: i64, modified_ns: i64, claim: Claim) -> Candidate {
        let identity = Identity { device: 1, inode: born_ns.unsigned_abs(), born_ns };
        Candidate { identity, modified_ns, form: Form::Plain, is_named_rotated: true, claim }
    }

    fn compressed(born_ns: i64, modified_ns: i64) -> Candidate {
        Candidate { form: Form::Compressed, ..member(born_ns, modified_ns, Claim::Free) }
    }

    const MISSING: State = State::Missing { is_gone: false };
    const GONE: State = State::Missing { is_gone: true };
    const DONE: State = State::Done { may_return: false };
    const CUT: State = State::Cut { is_expired: false };

    /// `matches` says how the content of a member compares with a known file's; all others are other contents.
    #[track_caller]
    fn check(known: &[Known], family: &[Candidate], matches: &[(usize, usize, Match)], expected: &[Step]) {
        let mut compare = |of: usize, member: usize| {
            let found = matches.iter().find(|(known, candidate, _)| (*known, *candidate) == (of, member));
            found.map_or(Match::Other, |(_, _, result)| *result)
        };
        assert_eq!(reconcile(known, family, true, &mut compare), expected);
    }

    fn begin(member: usize) -> Step {
        Step::Begin { member, ordinal: None }
    }

    #[test]
    fn a_log_that_nothing_is_known_of_has_a_past() {
        let family = [compressed(9, 2), member(3, 4, Claim::Free), member(5, 6, Claim::Current)];
        check(&[], &family, &[], &[begin(0), begin(1)]);
    }

    #[test]
    fn what_goes_on_is_left_alone() {
        let family = [member(1, 2, Claim::Free), member(3, 4, Claim::Current)];
        check(&[known(1, 3, 4, State::Read)], &family, &[], &[]);
    }

    #[test]
    fn files_rotated_after_the_newest_known_one_are_begun_in_their_order() {
        let files = [1, 2, 3, 4].map(|born| member(born, born, Claim::Free));
        let family = [&files[..], &[member(5, 5, Claim::Current)]].concat();
        check(&[known(1, 2, 2, State::Read)], &family, &[], &[begin(2), begin(3)]);
    }

    #[test]
    fn a_missing_file_goes_on_where_its_content_is_and_what_is_younger_is_begun() {
        let family = [compressed(9, 3), member(4, 5, Claim::Free), member(6, 7, Claim::Current)];
        let steps = [Step::Continue { known: 0, member: 0 }, begin(1)];
        check(&[known(1, 1, 2, GONE)], &family, &[(0, 0, Match::Grown)], &steps);
        check(&[known(1, 1, 2, CUT)], &family, &[(0, 0, Match::Same)], &steps);
    }

    #[test]
    fn what_cannot_be_looked_at_is_waited_for_and_not_begun() {
        let family = [member(4, 5, Claim::Free), member(6, 7, Claim::Current)];
        let reserve = Step::Reserve { member: 0 };
        for state in [GONE, CUT, State::Cut { is_expired: true }, DONE] {
            check(&[known(1, 1, 2, state)], &family, &[(0, 0, Match::Unknown)], &[Step::Wait, reserve]);
        }
        // Its place is kept: it is read there, unless it turns out to hold what the first one held.
        let reserved = Known { was_read: false, has_content: false, ..known(2, 4, 5, MISSING) };
        let known = [known(1, 1, 2, GONE), reserved];
        check(&known, &family, &[(0, 0, Match::Unknown)], &[Step::Wait, Step::Wait]);
        check(&known, &family, &[], &[Step::Lose { known: 0 }, Step::Continue { known: 1, member: 0 }]);
        check(&known, &family, &[(0, 0, Match::Grown)], &[Step::Continue { known: 0, member: 0 }]);
    }

    #[test]
    fn what_is_found_nowhere_is_lost_once_its_place_is_taken() {
        let family = [member(6, 7, Claim::Current)];
        check(&[known(1, 1, 2, MISSING)], &family, &[], &[]);
        check(&[known(1, 1, 2, GONE)], &family, &[], &[Step::Lose { known: 0 }]);
        check(&[known(1, 1, 2, CUT)], &family, &[], &[Step::Wait]);
        check(&[known(1, 1, 2, State::Cut { is_expired: true })], &family, &[], &[Step::Lose { known: 0 }]);
        check(&[known(1, 1, 2, DONE)], &family, &[], &[Step::Forget { known: 0 }]);
        check(&[known(1, 1, 2, State::Done { may_return: true })], &family, &[], &[]);
        let steps = reconcile(&[known(1, 1, 2, GONE)], &family, false, &mut |_, _| Match::Other);
        assert_eq!(steps, [Step::Wait], "there may be files that were not listed");
    }

    #[test]
    fn a_content_that_another_file_goes_on_with_is_forgotten() {
        let of_both = [known(3, 1, 2, CUT), known(3, 8, 2, State::Read), known(4, 1, 9, State::Read)];
        let family = [member(8, 2, Claim::Free), member(1, 9, Claim::Current)];
        check(&of_both, &family, &[], &[Step::Forget { known: 0 }]);
        // The file it was cut from may be gone before it was stored that this has another content.
        let of_both = [known(3, 1, 2, CUT), known(3, 1, 2, GONE)];
        let family = [member(8, 2, Claim::Free), member(9, 9, Claim::Current)];
        let both = [Match::Same; 2].into_iter().enumerate().map(|(of, same)| (of, 0, same)).collect::<Vec<_>>();
        check(&of_both, &family, &both, &[Step::Continue { known: 0, member: 0 }, Step::Forget { known: 1 }]);
    }

    #[test]
    fn of_equal_contents_the_one_that_was_written_to_later_is_taken() {
        let family = [member(2, 1, Claim::Free), member(3, 9, Claim::Free), member(4, 9, Claim::Current)];
        let matches = [(0, 0, Match::Same), (0, 1, Match::Same)];
        check(&[known(1, 1, 5, GONE)], &family, &matches, &[Step::Continue { known: 0, member: 1 }]);
    }

    #[test]
    fn a_file_that_lost_its_end_is_taken_if_no_other_has_it() {
        let family = [member(2, 6, Claim::Free), member(3, 7, Claim::Free), member(4, 9, Claim::Current)];
        let shortened = (0, 0, Match::Prefix(64));
        let steps = [Step::Continue { known: 0, member: 0 }, begin(1)];
        check(&[known(1, 1, 5, GONE)], &family, &[shortened], &steps);
        check(
            &[known(1, 1, 5, GONE)],
            &family,
            &[shortened, (0, 1, Match::Same)],
            &[Step::Continue { known: 0, member: 1 }],
        );
    }

    #[test]
    fn a_file_of_which_nothing_was_read_is_no_other_one() {
        let unread = Known { was_read: false, has_content: false, ..known(1, 1, 2, GONE) };
        let family = [compressed(7, 3), member(6, 7, Claim::Current)];
        check(&[unread], &family, &[(0, 0, Match::Grown)], &[Step::Lose { known: 0 }, begin(0)]);
    }

    #[test]
    fn a_file_that_could_not_be_read_is_not_lost_while_what_may_hold_it_cannot_be_either() {
        let unread = Known { was_read: false, has_content: false, ..known(1, 1, 2, GONE) };
        let of_three = [unread, known(2, 3, 4, State::Read), known(3, 6, 7, State::Read)];
        let family = [compressed(9, 5), member(6, 7, Claim::Current)];
        check(&of_three, &family, &[(1, 0, Match::Unknown)], &[Step::Wait, Step::Wait]);
        let begin = Step::Begin { member: 0, ordinal: Some(1 << 32) };
        check(&of_three, &family, &[], &[Step::Lose { known: 0 }, begin]);
    }

    #[test]
    fn a_file_that_came_into_being_beside_its_log_is_a_log_of_its_own() {
        let family = [member(8, 9, Claim::Free), member(3, 4, Claim::Current)];
        let log = known(1, 3, 2, State::Read);
        check(std::slice::from_ref(&log), &family, &[], &[]);
        // Unless nothing was read of the log: it may have been copied and truncated before.
        check(&[Known { was_read: false, has_content: false, ..log }], &family, &[], &[begin(0)]);
        // Unless the log was copied in between.
        let cut = [known(1, 3, 2, CUT), known(2, 3, 4, State::Read)];
        check(&cut, &family, &[], &[Step::Wait, begin(0)]);
        // At first sight it may be a copy, if it was not written to for longer than it takes to copy.
        check(&[], &family, &[], &[begin(0)]);
        let named = Candidate { is_named_rotated: false, ..family[0].clone() };
        check(&[], &[named, family[1].clone()], &[], &[]);
        let family = [member(8, 9 + COPYING_NS, Claim::Free), member(3, 4, Claim::Current)];
        check(&[], &family, &[], &[]);
        let family = [member(2, 4 + LATE_WRITES_NS, Claim::Free), member(3, 4, Claim::Current)];
        check(&[], &family, &[], &[]);
    }

    #[test]
    fn a_copy_that_is_gone_is_no_other_file_unless_that_holds_just_the_same() {
        let family = [member(4, 5, Claim::Free), member(6, 7, Claim::Current)];
        let copy = Known { ordinal: COPY_ORDINAL, ..known(0, 1, 2, GONE) };
        let of_both = [copy, known(2, 6, 4, CUT)];
        let matches = [(0, 0, Match::Grown), (1, 0, Match::Grown)];
        let steps = [Step::Continue { known: 1, member: 0 }, Step::Forget { known: 0 }];
        check(&of_both, &family, &matches, &steps);
        check(&of_both[..1], &family, &[(0, 0, Match::Same)], &[Step::Continue { known: 0, member: 0 }]);
    }

    #[test]
    fn of_several_copies_the_last_one_is_waited_for() {
        let family = [member(4, 5, Claim::Free), member(5, 6, Claim::Free), member(1, 7, Claim::Current)];
        let matches = [(0, 0, Match::Same), (0, 1, Match::Unknown)];
        check(
            &[known(1, 1, 4, CUT)],
            &family,
            &matches,
            &[Step::Wait, Step::Reserve { member: 0 }, Step::Reserve { member: 1 }],
        );
    }

    #[test]
    fn of_several_copies_of_a_file_that_is_gone_the_last_one_goes_on() {
        let family = [member(4, 5, Claim::Elsewhere), member(5, 6, Claim::Elsewhere), member(6, 7, Claim::Current)];
        let matches = [(0, 0, Match::Same), (0, 1, Match::Grown)];
        check(&[known(1, 1, 4, GONE)], &family, &matches, &[Step::Continue { known: 0, member: 1 }]);
    }

    #[test]
    fn of_a_copy_and_what_was_compressed_the_latter_goes_on() {
        let copy = Candidate { is_named_rotated: true, ..member(4, 8, Claim::Free) };
        let family = [copy, compressed(5, 6), member(6, 9, Claim::Current)];
        let matches = [(0, 0, Match::Same), (0, 1, Match::Grown)];
        check(&[known(1, 1, 4, GONE)], &family, &matches, &[Step::Continue { known: 0, member: 1 }]);
        let matches = [(0, 0, Match::Same), (0, 1, Match::Unknown)];
        let steps = [Step::Wait, Step::Reserve { member: 0 }, Step::Reserve { member: 1 }];
        check(&[known(1, 1, 4, GONE)], &family, &matches, &steps);
    }

    #[test]
    fn what_was_read_to_its_end_may_be_shortened_where_it_lay() {
        let shortened = [(0, 0, Match::Prefix(64))];
        let family = [compressed(9, 3), member(6, 7, Claim::Current)];
        let of_both = [known(1, 1, 2, DONE), known(2, 6, 7, State::Read)];
        check(&of_both, &family, &shortened, &[Step::Continue { known: 0, member: 0 }]);
        // One behind the next file is a later one with the same beginning.
        let later = [member(6, 7, Claim::Free), compressed(9, 8), member(8, 9, Claim::Current)];
        check(&of_both, &later, &[(0, 1, Match::Prefix(64))], &[Step::Forget { known: 0 }, begin(1)]);
    }

    #[test]
    fn what_is_elsewhere_is_taken_by_its_content_only() {
        let family = [member(4, 5, Claim::Elsewhere), member(6, 7, Claim::Current)];
        check(&[known(1, 1, 2, GONE)], &family, &[(0, 0, Match::Grown)], &[Step::Continue { known: 0, member: 0 }]);
        check(&[known(1, 6, 7, State::Read)], &family, &[], &[]);
    }

    #[test]
    fn what_cannot_be_decompressed_is_missed() {
        let family = [Candidate { form: Form::Unreadable, ..member(4, 5, Claim::Free) }, member(6, 7, Claim::Current)];
        check(&[known(1, 1, 2, GONE)], &family, &[], &[Step::Lose { known: 0 }, Step::Miss { member: 0 }]);
        check(&[], &family, &[], &[]);
    }
}
