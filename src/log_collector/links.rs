//! Where a name under the root leads, and whether to follow it there.
//!
//! The agent often runs as root and serves what it reads, so a link that somebody planted must not be followed: a link
//! that leads out of the root is trusted when it belongs to root, to the agent's own user, or to the owner of what it
//! points to. That is the rule of Linux's `protected_symlinks`.

use std::io;
use std::path::{Path, PathBuf};

use crate::file::{self, Kind, Metadata};

/// Most links one name may go through: Linux's own limit.
const LINKS_MAX: usize = 40;
/// What lies here is no log, whoever links to it.
const FORBIDDEN: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Why a link is not followed that would have another tree collected.
const LEADS_TO_DIRECTORY: &str = "it leads to a directory";

/// Follows names to files.
#[derive(Debug)]
pub(super) struct Links {
    /// The canonical path of the root.
    root: PathBuf,
    /// The agent's own user id.
    own_user: u32,
}

/// Where a name leads.
#[derive(Debug)]
pub(super) struct Resolution {
    /// Each path on the way, the name's own first: a canonical directory and one more component. A change of any of
    /// them changes where the name leads.
    pub(super) hops: Vec<PathBuf>,
    /// What stands at the end.
    pub(super) end: End,
}

/// What stands at the end of a name.
#[derive(Debug)]
pub(super) enum End {
    /// A regular file, at a canonical path.
    File(PathBuf, Metadata),
    /// Nothing.
    Missing,
    /// A file that is not to be followed, and why.
    Refused(String),
    /// The operating system refused to say.
    Unreadable(file::Error),
}

impl Links {
    /// Follows names under `root`, a canonical path.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, own_user: rustix::process::geteuid().as_raw() }
    }

    /// Follows `name`, a canonical directory and one more component.
    pub(super) fn resolve(&self, name: &Path) -> Resolution {
        let mut hops = Vec::new();
        let end = self.follow(name, &mut hops).unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => End::Missing,
            _ => End::Unreadable(error),
        });
        Resolution { hops, end }
    }

    fn follow(&self, name: &Path, hops: &mut Vec<PathBuf>) -> Result<End, file::Error> {
        let mut link_owners = Vec::new();
        let mut hop = name.to_owned();
        while hops.len() <= LINKS_MAX {
            hops.push(hop.clone());
            let metadata = file::link_metadata(&hop)?;
            if metadata.kind != Kind::Link {
                return Ok(self.judge(hop, metadata, &link_owners));
            }
            link_owners.push(metadata.owner);
            let directory = hop.parent().unwrap_or(Path::new("/"));
            let target = directory.join(file::read_link(&hop)?);
            let (Some(parent), Some(file_name)) = (target.parent(), target.file_name()) else {
                return Ok(End::Refused(LEADS_TO_DIRECTORY.into()));
            };
            hop = file::canonical(parent)?.join(file_name);
        }
        Ok(End::Refused(format!("it goes through more than {LINKS_MAX} links")))
    }

    /// Whether what `link_owners`' links lead to may be read.
    fn judge(&self, path: PathBuf, metadata: Metadata, link_owners: &[u32]) -> End {
        match metadata.kind {
            Kind::Regular => {}
            Kind::Directory => return End::Refused(LEADS_TO_DIRECTORY.into()),
            _ => return End::Refused("it is no regular file".into()),
        }
        if FORBIDDEN.iter().any(|forbidden| path.starts_with(forbidden)) {
            return End::Refused(format!("it leads to {}", path.display()));
        }
        let trusted = |owner: u32| owner == 0 || owner == self.own_user || owner == metadata.owner;
        if path.starts_with(&self.root) || link_owners.iter().all(|&owner| trusted(owner)) {
            return End::File(path, metadata);
        }
        let reason =
            "a link out of the root path has to belong to root, to this process's user or to its target's owner";
        End::Refused(format!("it leads to {}: {reason}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A root directory with `a.log` in it, and `outside.log` beside it.
    fn tree() -> (TempDir, Links) {
        let directory = tempfile::tempdir().unwrap();
        let base = file::canonical(directory.path()).unwrap();
        file::create_directories(&base.join("root")).unwrap();
        file::File::create(&base.join("root/a.log")).unwrap();
        file::File::create(&base.join("outside.log")).unwrap();
        (directory, Links::new(base.join("root")))
    }

    #[track_caller]
    fn check(links: &Links, name: &str, expected: &str, hop_count: usize) {
        let resolution = links.resolve(&links.root.join(name));
        let base = links.root.parent().unwrap();
        let actual = match &resolution.end {
            End::File(path, _) => path.strip_prefix(base).unwrap().display().to_string(),
            End::Missing => "missing".into(),
            End::Refused(reason) => reason.replace(&base.display().to_string(), ""),
            End::Unreadable(error) => error.source.kind().to_string(),
        };
        assert_eq!((actual.as_str(), resolution.hops.len()), (expected, hop_count));
    }

    #[test]
    fn a_plain_file_leads_to_itself() {
        let (_directory, links) = tree();
        check(&links, "a.log", "root/a.log", 1);
        check(&links, "none.log", "missing", 1);
    }

    #[test]
    fn chains_of_links_are_followed_hop_by_hop() {
        let (_directory, links) = tree();
        symlink("../outside.log", links.root.join("relative.log")).unwrap();
        symlink(links.root.join("relative.log"), links.root.join("absolute.log")).unwrap();
        symlink("a.log", links.root.join("inside.log")).unwrap();
        check(&links, "relative.log", "outside.log", 2);
        check(&links, "absolute.log", "outside.log", 3);
        check(&links, "inside.log", "root/a.log", 2);
    }

    #[test]
    fn dangling_links_loops_and_directories_lead_nowhere() {
        let (_directory, links) = tree();
        symlink("gone.log", links.root.join("dangling.log")).unwrap();
        symlink("loop.log", links.root.join("loop.log")).unwrap();
        symlink("..", links.root.join("up.log")).unwrap();
        symlink("../root", links.root.join("directory.log")).unwrap();
        check(&links, "dangling.log", "missing", 2);
        check(&links, "loop.log", "it goes through more than 40 links", 41);
        check(&links, "up.log", "it leads to a directory", 1);
        check(&links, "directory.log", "it leads to a directory", 2);
    }

    #[test]
    fn nothing_under_proc_is_followed() {
        let (_directory, links) = tree();
        symlink("/proc/1/status", links.root.join("proc.log")).unwrap();
        check(&links, "proc.log", "it leads to /proc/1/status", 2);
    }

    /// What a link of `link_owner` out of the root to a file of `target_owner` comes to, for an agent that runs as `own_user`.
    #[track_caller]
    fn check_owners(own_user: u32, link_owner: u32, target_owner: u32, followed: bool) {
        let (_directory, mut links) = tree();
        links.own_user = own_user;
        let target = links.root.parent().unwrap().join("outside.log");
        let metadata = Metadata { owner: target_owner, ..file::metadata(&target).unwrap() };
        let end = links.judge(target, metadata, &[0, link_owner]);
        assert_eq!(matches!(end, End::File(..)), followed, "{end:?}");
    }

    #[test]
    fn a_planted_link_out_of_the_root_is_refused() {
        check_owners(0, 1000, 0, false);
        check_owners(500, 1000, 0, false);
    }

    #[test]
    fn links_of_root_of_the_agent_and_of_the_targets_owner_are_followed() {
        check_owners(500, 0, 1000, true);
        check_owners(500, 500, 1000, true);
        check_owners(500, 1000, 1000, true);
    }
}
