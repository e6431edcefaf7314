//! Several collectors as one: each in turn, and one wait for all of them.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::Directory;
use crate::log_collector::watcher::Watcher;
use crate::log_collector::{Collected, Collector, Error};
use crate::model::Checkpoint;

/// Which of `checkpoints` are those of each of several collectors, which these roots belong to: of roots that lie in each
/// other, the inner one's. Those of no root are nobody's.
pub fn shares(checkpoints: &[Checkpoint], roots: &[PathBuf]) -> Vec<Vec<Checkpoint>> {
    let mut shares = vec![Vec::new(); roots.len()];
    if let [all] = shares.as_mut_slice() {
        checkpoints.clone_into(all);
        return shares;
    }
    for checkpoint in checkpoints {
        let Some(position) = checkpoint.position.as_deref().and_then(Position::decode) else { continue };
        let owners = roots.iter().enumerate().filter(|(_, root)| position.name().starts_with(root));
        if let Some((owner, _)) = owners.max_by_key(|(_, root)| root.as_os_str().len()) {
            shares[owner].push(checkpoint.clone());
        }
    }
    shares
}

/// A collector that others can take turns with.
pub trait Part: Collector + Send {
    /// What becomes readable when something changes, if the platform has that.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// The longest wait after which something may be due.
    fn wait_at_most(&self) -> Duration;
}

impl<W: Watcher + Send> Part for Directory<W>
where
    W::Descriptor: Send,
{
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Directory::descriptor(self)
    }

    fn wait_at_most(&self) -> Duration {
        Directory::wait_at_most(self)
    }
}

/// Collectors that take turns.
pub struct Several {
    collectors: Vec<Box<dyn Part>>,
    /// Whose turn it is.
    next: usize,
}

impl Several {
    /// All of `collectors`.
    pub fn new(collectors: Vec<Box<dyn Part>>) -> Self {
        Self { collectors, next: 0 }
    }

    /// What the first of them has that has something and whose turn comes, each waiting for `timeout`.
    fn take_turns(&mut self, timeout: Duration) -> Result<Option<Collected>, Error> {
        for _ in 0..self.collectors.len() {
            let turn = self.next;
            self.next = (turn + 1) % self.collectors.len();
            let collected = self.collectors[turn].next_batch(timeout)?;
            if collected.is_some() {
                return Ok(collected);
            }
        }
        Ok(None)
    }

    /// Waits for any of them, and looks again.
    fn wait(&mut self, timeout: Duration) -> Result<Option<Collected>, Error> {
        let descriptors: Vec<_> = self.collectors.iter().filter_map(|part| part.descriptor()).collect();
        if descriptors.len() < self.collectors.len() {
            let count = u32::try_from(self.collectors.len()).unwrap_or(u32::MAX);
            return self.take_turns(timeout / count);
        }
        let mut waits: Vec<PollFd<'_>> =
            descriptors.iter().map(|descriptor| PollFd::new(descriptor, PollFlags::IN)).collect();
        // A signal that ends the wait is as good as a change: whoever waits looks again.
        let _ = poll(&mut waits, Timespec::try_from(timeout).ok().as_ref());
        self.take_turns(Duration::ZERO)
    }
}

impl Collector for Several {
    fn next_batch(&mut self, timeout: Duration) -> Result<Option<Collected>, Error> {
        if let [only] = self.collectors.as_mut_slice() {
            return only.next_batch(timeout);
        }
        let collected = self.take_turns(Duration::ZERO)?;
        if collected.is_some() || timeout.is_zero() {
            return Ok(collected);
        }
        let timeout = self.collectors.iter().map(|part| part.wait_at_most()).fold(timeout, Duration::min);
        self.wait(timeout)
    }

    fn follow_only(&mut self) -> Result<(), Error> {
        self.collectors.iter_mut().try_for_each(|part| part.follow_only())
    }

    fn waiting_bytes(&self) -> u64 {
        self.collectors.iter().map(|part| part.waiting_bytes()).sum()
    }

    fn wants_sync(&self) -> bool {
        self.collectors.iter().any(|part| part.wants_sync())
    }

    fn synced(&mut self) {
        self.collectors.iter_mut().filter(|collector| collector.wants_sync()).for_each(|part| part.synced());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn each_collector_gets_the_checkpoints_under_its_root() {
        let roots: Vec<PathBuf> = ["/var/log/containers", "/var/log"].map(PathBuf::from).into();
        let checkpoint = |path: &str| Checkpoint {
            source: path.into(),
            position: Some(Position::unread(path.into(), Timestamp::from_ns(0)).encode()),
        };
        let checkpoints = ["/var/log/syslog", "/var/log/containers/a.log", "/srv/b.log"].map(checkpoint);
        let names = |roots: &[PathBuf]| -> Vec<Vec<String>> {
            let text = |checkpoint: Checkpoint| String::from_utf8(checkpoint.source).unwrap();
            shares(&checkpoints, roots).into_iter().map(|share| share.into_iter().map(text).collect()).collect()
        };
        assert_eq!(names(&roots), [vec!["/var/log/containers/a.log"], vec!["/var/log/syslog"]]);
        assert_eq!(names(&roots[..1])[0].len(), 3);
    }
}
