//! Directories that links lead through and that are not there: most often a mount that was forgotten.
//!
//! A kubelet removes the links of a pod a minute after its directory, so only what stays missing is told of, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::status::Status;

/// How long a directory has to be missing before it is told of.
const MISSING_MIN: Duration = Duration::from_mins(2);
/// Most directories that are kept in mind.
const DIRECTORIES_MAX: usize = 100;

/// Which directories are missing.
#[derive(Debug, Default)]
pub(super) struct Dangling {
    directories: BTreeMap<PathBuf, Missing>,
}

#[derive(Debug)]
struct Missing {
    since: Instant,
    /// Whether a link led through it in this look at everything.
    was_met: bool,
    was_told: bool,
}

impl Dangling {
    /// Notes that a link leads through `directory`, which is not there.
    pub(super) fn note(&mut self, directory: &Path, now: Instant) {
        if let Some(missing) = self.directories.get_mut(directory) {
            missing.was_met = true;
        } else if self.directories.len() < DIRECTORIES_MAX {
            self.directories.insert(directory.to_owned(), Missing { since: now, was_met: true, was_told: false });
        }
    }

    /// Begins a look at everything.
    pub(super) fn begin_look(&mut self) {
        self.directories.values_mut().for_each(|missing| missing.was_met = false);
    }

    /// Ends it: forgets what no link led through any more, and tells of what has been missing for long.
    pub(super) fn end_look(&mut self, status: &Status, now: Instant) {
        for (directory, _) in self.directories.extract_if(.., |_, missing| !missing.was_met) {
            status.set_target_missing(&directory, false);
        }
        self.tell(status, |missing| MISSING_MIN <= now.saturating_duration_since(missing.since));
    }

    /// Tells of all: what is missing at the start will hardly come.
    pub(super) fn tell_all(&mut self, status: &Status) {
        self.tell(status, |_| true);
    }

    fn tell(&mut self, status: &Status, is_due: impl Fn(&Missing) -> bool) {
        for (directory, missing) in &mut self.directories {
            if !missing.was_told && is_due(missing) {
                missing.was_told = true;
                log::warn!(
                    "links lead through {}, which is not there: mount it, or what it lies in, under the same path",
                    directory.display()
                );
                status.set_target_missing(directory, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of `/gone` when it was met at these seconds; a look ends at each.
    #[track_caller]
    fn check(met: &[bool], told: &[bool]) {
        let (status, begin) = (Status::default(), Instant::now());
        let mut dangling = Dangling::default();
        let mut seen = Vec::new();
        for (minute, is_met) in (0..).zip(met) {
            let now = begin + Duration::from_mins(minute);
            dangling.begin_look();
            if *is_met {
                dangling.note(Path::new("/gone"), now);
            }
            dangling.end_look(&status, now);
            seen.push(!status.missing_targets().is_empty());
        }
        assert_eq!(seen, told);
    }

    #[test]
    fn what_stays_missing_is_told_of() {
        check(&[true, true, true, true], &[false, false, true, true]);
    }

    #[test]
    fn what_is_cleaned_up_or_comes_back_is_not() {
        check(&[true, true, false, true, true], &[false; 5]);
        check(&[true, true, true, false], &[false, false, true, false]);
    }
}
