//! Who takes how much of what there is for all: no part of a tree takes more than half of what the others leave.
//!
//! Whoever may create files below the root may create any number of them. What they cannot do is keep those of others from
//! being collected: the parts are what lies below each directory right below the root, and what lies in the root itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The share of a part of the tree: what it is called, which all who have a part of it have together.
pub(super) type Share = Arc<Path>;

/// Counts what is taken.
#[derive(Debug)]
pub(super) struct Shares {
    root: PathBuf,
    max: usize,
    total: usize,
    counts: HashMap<Share, usize>,
}

impl Shares {
    /// There is `max` in all for what lies under `root`, a canonical path, and what links lead to.
    pub(super) fn new(root: PathBuf, max: usize) -> Self {
        Self { root, max, total: 0, counts: HashMap::new() }
    }

    /// Takes one for `path`; `None` where its part of the tree has as much as it may.
    pub(super) fn take(&mut self, path: &Path) -> Option<Share> {
        let share = self.share_of(path);
        let (share, count) = match self.counts.get_key_value(share.as_path()) {
            Some((share, count)) => (Arc::clone(share), *count),
            None => (Arc::from(share), 0),
        };
        let of_others = self.total - count;
        if self.max.saturating_sub(of_others) / 2 <= count {
            return None;
        }
        *self.counts.entry(Arc::clone(&share)).or_default() += 1;
        self.total += 1;
        Some(share)
    }

    /// Gives one back.
    pub(super) fn give_back(&mut self, share: &Share) {
        let Some(count) = self.counts.get_mut(share) else { return };
        *count -= 1;
        self.total -= 1;
        if *count == 0 {
            self.counts.remove(share);
        }
    }

    fn share_of(&self, path: &Path) -> PathBuf {
        let (base, rest) = match path.strip_prefix(&self.root) {
            Ok(rest) => (self.root.as_path(), rest),
            Err(_) => (Path::new("/"), path.strip_prefix("/").unwrap_or(path)),
        };
        let mut components = rest.components();
        match (components.next(), components.next()) {
            (Some(first), Some(_)) => base.join(first),
            _ => base.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_leaves_half_to_the_others() {
        let mut shares = Shares::new("/r".into(), 100);
        let mut take = |path: &str, count: usize| (0..count).filter_map(|_| shares.take(Path::new(path))).count();
        assert_eq!(take("/r/a/x.log", 99), 50);
        assert_eq!(take("/r/b/c/y.log", 99), 25);
        assert_eq!(take("/r/z.log", 99), 12, "the root's own files");
        assert_eq!(take("/elsewhere/a/x.log", 99), 6);
        assert_eq!(take("/r/a/y.log", 9), 0);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut shares = Shares::new("/r".into(), 4);
        let share = shares.take(Path::new("/r/a/x")).unwrap();
        shares.take(Path::new("/r/a/y")).unwrap();
        assert!(shares.take(Path::new("/r/a/z")).is_none());
        shares.give_back(&share);
        shares.take(Path::new("/r/a/z")).unwrap();
        assert_eq!(shares.total, 2);
    }
}
