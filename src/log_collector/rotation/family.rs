//! The files of a log: the one at its path and those beside it that were rotated out of it, oldest first.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::file::{self, Kind, Metadata};
use crate::log_collector::checkpoint::Position;
use crate::log_collector::rotation::listing::Listings;
use crate::log_collector::rotation::names::{self, Form, Rank, originals, stem_and_extension, uncompressed};
use crate::log_collector::source::{Content, Match};

/// How many rotated files of one log are looked at, the latest ones.
const ROTATED_MAX: usize = 1000;

/// One file of a log.
#[derive(Clone, Debug)]
pub(in crate::log_collector) struct Member {
    pub(in crate::log_collector) path: PathBuf,
    pub(in crate::log_collector) metadata: Metadata,
    pub(in crate::log_collector) form: Form,
    /// Whether it has the log's own name.
    pub(in crate::log_collector) is_current: bool,
    pub(in crate::log_collector) rank: Rank,
    /// Whether nothing but rotation gives files such names.
    pub(in crate::log_collector) is_named_rotated: bool,
}

impl Member {
    /// The file that is or was at `path`, if its name says that it was rotated out of the one at `place`.
    pub(in crate::log_collector) fn rotated(path: &Path, place: &Path, metadata: Metadata) -> Option<Self> {
        Some(RotatedName::of(path, place.file_name()?.to_str()?)?.member(path, metadata))
    }

    /// The file at `path`, which has not been rotated.
    pub(in crate::log_collector) fn current(path: &Path) -> Option<Self> {
        let metadata = file::link_metadata(path).ok().filter(|metadata| metadata.kind == Kind::Regular)?;
        let path = path.to_owned();
        let (form, rank) = (Form::Plain, Rank::CURRENT);
        Some(Self { path, metadata, form, is_current: true, rank, is_named_rotated: false })
    }

    /// Compares what it holds with what was read up to `position`.
    pub(in crate::log_collector) fn compare(&self, position: &Position) -> Match {
        if self.form == Form::Unreadable {
            return Match::Other;
        }
        let content = Content::open(&self.path, self.form == Form::Compressed);
        content.map_or(Match::Unknown, |content| content.compare(position))
    }
}

/// Whether nothing but rotation gives a file the name `path` that may have been rotated out of `log`.
pub(in crate::log_collector) fn is_named_rotated(path: &Path, log: &Path) -> bool {
    let names = path.file_name().and_then(OsStr::to_str).zip(log.file_name().and_then(OsStr::to_str));
    names.is_some_and(|(name, log)| names::is_named_rotated(uncompressed(name).0, log))
}

/// What the name of a rotated file says.
struct RotatedName {
    form: Form,
    rank: Rank,
    is_named_rotated: bool,
}

impl RotatedName {
    /// What the name of the file at `path` says, if it may have been rotated out of the one named `original`.
    fn of(path: &Path, original: &str) -> Option<Self> {
        let (name, form) = uncompressed(path.file_name()?.to_str()?);
        // A file that was read under the name it was rotated to may be compressed since.
        let is_itself = form != Form::Plain && name == original;
        let is_rotated = is_itself || originals(name).iter().any(|it| it == original);
        let (rank, is_named_rotated) = (Rank::of(name, original), names::is_named_rotated(name, original));
        is_rotated.then_some(Self { form, rank, is_named_rotated })
    }

    fn member(self, path: &Path, metadata: Metadata) -> Member {
        let Self { form, rank, is_named_rotated } = self;
        Member { path: path.to_owned(), metadata, form, is_current: false, rank, is_named_rotated }
    }
}

/// The files beside `path` that were rotated out of it, the earliest first, and whether those are certainly all; with them
/// those that are `held` open, be they gone. Of a file and its compressed copy, which may be in the making, only the
/// file.
pub(in crate::log_collector) fn rotated_out_of(
    path: &Path,
    held: Vec<Member>,
    listings: &mut Listings,
) -> (Vec<Member>, bool) {
    let Some((directory, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return (Vec::new(), true);
    };
    let stem = OsStr::new(stem_and_extension(name).0);
    let look = |path: &Path| {
        let said = RotatedName::of(path, name)?;
        Some(file::link_metadata(path).map(|metadata| said.member(path, metadata)))
    };
    let (mut rotated, is_complete) = listings.look_in(directory, stem, look, |it| it.metadata.identity);
    let is_listed = |it: &Member| rotated.iter().any(|listed| listed.metadata.identity == it.metadata.identity);
    let gone: Vec<Member> = held.into_iter().filter(|it| !is_listed(it)).collect();
    rotated.extend(gone);
    rotated.retain(|it| it.metadata.kind == Kind::Regular);
    rotated.sort_by(|a, b| (&a.rank, a.form).cmp(&(&b.rank, b.form)));
    let is_compressed_of = |next: &Member, plain: &Member| {
        let name = next.path.file_name().and_then(OsStr::to_str).map(|name| uncompressed(name).0);
        next.form != Form::Plain && plain.form == Form::Plain && plain.path.file_name().and_then(OsStr::to_str) == name
    };
    let plain: Vec<Member> = rotated.iter().filter(|it| it.form == Form::Plain).cloned().collect();
    rotated.retain(|next| !plain.iter().any(|plain| plain.rank == next.rank && is_compressed_of(next, plain)));
    // Some count up: then the highest number was written to last. A compressed file does not say when it was.
    let is_numbered =
        |it: &&Member| it.form == Form::Plain && it.is_named_rotated && matches!(it.rank, Rank::Number(_));
    let mut plain = rotated.iter().filter(is_numbered);
    if let (Some(first), Some(last)) = (plain.next(), plain.next_back())
        && last.metadata.modified_ns < first.metadata.modified_ns
    {
        rotated.reverse();
    }
    rotated.drain(..rotated.len().saturating_sub(ROTATED_MAX));
    (rotated, is_complete)
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

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
            let (rotated, _) = rotated_out_of(&directory.path().join(original), Vec::new(), &mut Listings::default());
            let actual: Vec<_> = rotated.iter().map(|it| it.path.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(actual, expected);
        };
        check("0.log", &["0.log.20261122-130405.gz", "0.log.20261122-130406", "0.log.20261123-000000"]);
        check("a.log", &["a.log.10", "a.log.2.gz", "a.log.1"]);
        let highest = file::File::open_for_writing(&directory.path().join("a.log.10")).unwrap();
        while rotated_out_of(&directory.path().join("a.log"), Vec::new(), &mut Listings::default()).0[0].rank
            != Rank::Number(Reverse(1))
        {
            highest.write_all_at(b"now", 0).unwrap();
        }
        check("a.log", &["a.log.1", "a.log.2.gz", "a.log.10"]);
        check("b.log", &["b-20261121.log.gz", "b-20261122.log"]);
        check("c.log", &[]);
        check("d.log.20261122-130405", &["d.log.20261122-130405.gz"]);
    }
}
