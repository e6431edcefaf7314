//! Where a name under the root leads, and whether to follow it there.
//!
//! The agent often runs as root and serves what it reads, so a link that somebody planted must not be followed: a link
//! that leads out of the root is trusted when it belongs to root, to the agent's own user, or to the owner of what it
//! points to. That is the rule of Linux's `protected_symlinks`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::file::{self, Kind, Metadata};

/// Most links one name may go through: Linux's own limit.
const LINKS_MAX: usize = 40;
/// What lies here is no log, whoever links to it.
const FORBIDDEN: [&str; 3] = ["/proc", "/sys", "/dev"];

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
    /// A directory, at a canonical path.
    Directory(PathBuf),
    /// Nothing.
    Missing,
    /// Nothing: this directory, which a link leads through, is not there.
    NoDirectory(PathBuf),
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

    /// Whether links of `owner` are followed wherever they lead.
    pub(super) fn trusts(&self, owner: u32) -> bool {
        owner == 0 || owner == self.own_user
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

    /// Every component on the way is looked at on its own: a link to a directory is a link like any other.
    fn follow(&self, name: &Path, hops: &mut Vec<PathBuf>) -> Result<End, file::Error> {
        let mut link_owners = Vec::new();
        let mut hop = name.to_owned();
        // What follows the hop, the next component last.
        let mut rest: Vec<OsString> = Vec::new();
        loop {
            let metadata = file::link_metadata(&hop);
            let is_directory = metadata.as_ref().is_ok_and(|metadata| metadata.kind == Kind::Directory);
            if let Some(next) = if is_directory { rest.pop() } else { None } {
                hop = step(&hop, &next);
                continue;
            }
            hops.push(hop.clone());
            let is_missing = metadata.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            if is_missing && !rest.is_empty() {
                return Ok(End::NoDirectory(hop));
            }
            let metadata = metadata?;
            if metadata.kind != Kind::Link {
                let is_end = rest.is_empty();
                return Ok(if is_end { self.judge(hop, metadata, &link_owners) } else { End::Missing });
            }
            if LINKS_MAX < hops.len() {
                return Ok(End::Refused(format!("it goes through more than {LINKS_MAX} links")));
            }
            link_owners.push(metadata.owner);
            rest.extend(file::read_link(&hop)?.iter().rev().map(ToOwned::to_owned));
            // What a link says begins where the link is, or at the root of all.
            hop.pop();
        }
    }

    /// Whether what `link_owners`' links lead to may be read.
    fn judge(&self, path: PathBuf, metadata: Metadata, link_owners: &[u32]) -> End {
        let is_directory = metadata.kind == Kind::Directory;
        if is_directory && self.root.starts_with(&path) {
            return End::Refused("it leads to a directory that holds the root path".into());
        }
        if !is_directory && metadata.kind != Kind::Regular {
            return End::Refused("it is not a regular file".into());
        }
        if FORBIDDEN.iter().any(|forbidden| path.starts_with(forbidden)) {
            return End::Refused(format!("it leads to {}", path.display()));
        }
        let trusted = |owner: u32| self.trusts(owner) || owner == metadata.owner;
        if path.starts_with(&self.root) || link_owners.iter().all(|&owner| trusted(owner)) {
            return if is_directory { End::Directory(path) } else { End::File(path, metadata) };
        }
        let reason =
            "a link out of the root path has to belong to root, to this process's user or to its target's owner";
        End::Refused(format!("it leads to {}: {reason}", path.display()))
    }
}

/// Where `component` of a path leads from `directory`, a canonical path.
fn step(directory: &Path, component: &OsStr) -> PathBuf {
    match component.as_bytes() {
        b"." => directory.to_owned(),
        b".." => directory.parent().unwrap_or(directory).to_owned(),
        // An absolute path takes the directory's place.
        _ => directory.join(component),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{lchown, symlink};

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
            End::File(path, _) | End::Directory(path) => path.strip_prefix(base).unwrap().display().to_string(),
            End::Missing => "missing".into(),
            End::NoDirectory(directory) => format!("no directory {}", directory.strip_prefix(base).unwrap().display()),
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
    fn dangling_links_and_loops_lead_nowhere() {
        let (_directory, links) = tree();
        symlink("gone.log", links.root.join("dangling.log")).unwrap();
        symlink("loop.log", links.root.join("loop.log")).unwrap();
        symlink("..", links.root.join("up.log")).unwrap();
        symlink("../root", links.root.join("directory.log")).unwrap();
        check(&links, "dangling.log", "missing", 2);
        check(&links, "loop.log", "it goes through more than 40 links", 41);
        check(&links, "up.log", "it leads to a directory that holds the root path", 2);
        check(&links, "directory.log", "it leads to a directory that holds the root path", 2);
    }

    #[test]
    fn links_to_directories_are_followed_by_the_same_rule() {
        let (_directory, mut links) = tree();
        let base = links.root.parent().unwrap().to_owned();
        file::create_directories(&base.join("disk")).unwrap();
        symlink("../disk", links.root.join("logs")).unwrap();
        check(&links, "logs", "disk", 2);
        lchown(links.root.join("logs"), Some(65534), None).unwrap_or_else(|_| links.own_user = 65534);
        symlink("/proc", links.root.join("proc")).unwrap();
        check(&links, "proc", "it leads to /proc", 2);
    }

    #[test]
    fn links_to_directories_on_the_way_are_hops() {
        let (_directory, links) = tree();
        let base = links.root.parent().unwrap();
        file::create_directories(&base.join("pods/a")).unwrap();
        file::File::create(&base.join("pods/a/0.log")).unwrap();
        symlink("root/../pods/./a", base.join("latest")).unwrap();
        symlink(base.join("latest/0.log"), links.root.join("pod.log")).unwrap();
        symlink("../latest/../../outside.log", links.root.join("up.log")).unwrap();
        symlink("../latest/1.log", links.root.join("dangling.log")).unwrap();
        symlink("../outside.log/0.log", links.root.join("through.log")).unwrap();
        check(&links, "pod.log", "pods/a/0.log", 3);
        check(&links, "up.log", "outside.log", 3);
        check(&links, "dangling.log", "missing", 3);
        check(&links, "through.log", "missing", 2);
        let hops = links.resolve(&links.root.join("pod.log")).hops;
        assert_eq!(hops, [links.root.join("pod.log"), base.join("latest"), base.join("pods/a/0.log")]);
    }

    /// As root, the first link is trusted and only the planted one is not; others have no trusted link.
    #[test]
    fn a_planted_link_on_the_way_is_refused() {
        let (_directory, mut links) = tree();
        let planted = links.root.parent().unwrap().join("logs");
        symlink("/etc", &planted).unwrap();
        let nobody = 65534;
        if lchown(&planted, Some(nobody), None).is_err() {
            links.own_user = nobody;
        }
        symlink(planted.join("passwd"), links.root.join("app.log")).unwrap();
        let end = links.resolve(&links.root.join("app.log")).end;
        assert!(matches!(&end, End::Refused(reason) if reason.contains("has to belong to root")), "{end:?}");
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
