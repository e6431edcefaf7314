//! Which files a file was rotated to: their names are made of its own, and say what was rotated earlier.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::file::{self, Identity, Kind, Metadata};
use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::copies::{DATE_PUNCTUATION, originals};
use crate::log_collector::directory::listings::Listings;
use crate::log_collector::source::{Content, SHORTENED_HEAD_BYTES};

/// How many rotated files of one log are looked at, the latest ones.
const ROTATED_MAX: usize = 1000;
/// Longest number that counts rotations; what is longer is a date.
const NUMBER_DIGITS_MAX: usize = 5;
/// The ending of a compressed file's name.
pub(super) const COMPRESSED: &str = ".gz";

/// A file whose name says that it was rotated out of another.
#[derive(Debug)]
pub(super) struct Rotated {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    age: Age,
}

/// When a file was rotated, as its name says; what was rotated earlier comes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    Date(String),
    Number(Reverse<u32>),
}

impl Rotated {
    /// The file at `path`, if its name says that it was rotated out of the one named `original`; an error where it is not
    /// there any more.
    fn of(path: &Path, original: &str) -> Option<file::Result<Self>> {
        let name = path.file_name()?.to_str()?;
        let uncompressed = name.strip_suffix(COMPRESSED);
        let name = uncompressed.unwrap_or(name);
        // A file that was read under the name it was rotated to may be compressed since.
        let is_itself = uncompressed == Some(original);
        if !is_itself && !originals(name).iter().any(|it| it == original) {
            return None;
        }
        let age = Age::of(name, original);
        Some(file::link_metadata(path).map(|metadata| Self { path: path.to_owned(), metadata, age }))
    }

    /// Whether it, or what is in it if it is compressed, is a copy of what was read up to `position`.
    pub(super) fn is_copy_of(&self, position: &Position) -> bool {
        let holds = || Content::open(&self.path, self.is_compressed())?.holds(position);
        position.offset != 0 && holds().unwrap_or(false)
    }

    /// Whether it is such a copy that lost its end in a power cut.
    pub(super) fn lacks_end_of(&self, position: &Position) -> bool {
        let lacks = || Content::open(&self.path, self.is_compressed())?.lacks_end_of(position, SHORTENED_HEAD_BYTES);
        lacks().unwrap_or(false)
    }

    /// The file at `path`, which was not rotated yet.
    pub(super) fn current(path: &Path) -> Option<Self> {
        let metadata = file::link_metadata(path).ok().filter(|metadata| metadata.kind == Kind::Regular)?;
        Some(Self { path: path.to_owned(), metadata, age: Age::Number(Reverse(0)) })
    }

    /// Whether it may have been created after the file `other`; that of a compressed file is unknown.
    pub(super) fn may_be_younger_than(&self, other: Identity) -> bool {
        let born_ns = self.metadata.identity.born_ns;
        self.is_compressed() || born_ns == 0 || other.born_ns <= born_ns
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.path.to_string_lossy().ends_with(COMPRESSED)
    }
}

impl Age {
    /// What the name of a file that was rotated out of `original` says.
    fn of(name: &str, original: &str) -> Self {
        let (stem, extension) = stem_and_extension(original);
        let before_extension = || name.strip_prefix(stem)?.strip_suffix(extension);
        let added = name.strip_prefix(original).or_else(before_extension).unwrap_or(name);
        let added = added.trim_matches(DATE_PUNCTUATION);
        match added.parse() {
            Ok(number) if added.len() <= NUMBER_DIGITS_MAX => Self::Number(Reverse(number)),
            _ => Self::Date(added.to_owned()),
        }
    }
}

/// The names that are made of a file's name begin with its stem.
fn stem_and_extension(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// The files beside `path` that were rotated out of it, the earliest first. Of a file and its compressed copy, which may be
/// in the making, only the file.
pub(super) fn rotated_out_of(path: &Path, listings: &mut Listings) -> Vec<Rotated> {
    let Some((directory, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let stem = OsStr::new(stem_and_extension(name).0);
    let (mut rotated, _) = listings.look_in(directory, stem, |path| Rotated::of(path, name));
    rotated.retain(|it| it.metadata.kind == Kind::Regular);
    rotated.sort_by(|a, b| (&a.age, a.is_compressed()).cmp(&(&b.age, b.is_compressed())));
    rotated.dedup_by(|next, before| next.age == before.age && next.is_compressed() && !before.is_compressed());
    // Some count up: then the highest number was written to last. A compressed file does not say when it was.
    let mut plain = rotated.iter().filter(|it| !it.is_compressed() && matches!(it.age, Age::Number(_)));
    if let (Some(first), Some(last)) = (plain.next(), plain.next_back())
        && last.metadata.modified_ns < first.metadata.modified_ns
    {
        rotated.reverse();
    }
    rotated.drain(..rotated.len().saturating_sub(ROTATED_MAX));
    rotated
}

#[cfg(test)]
mod tests {
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
            let rotated = rotated_out_of(&directory.path().join(original), &mut Listings::default());
            let actual: Vec<_> = rotated.iter().map(|it| it.path.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(actual, expected);
        };
        check("0.log", &["0.log.20261122-130405.gz", "0.log.20261122-130406", "0.log.20261123-000000"]);
        check("a.log", &["a.log.10", "a.log.2.gz", "a.log.1"]);
        let highest = file::File::open_for_writing(&directory.path().join("a.log.10")).unwrap();
        while rotated_out_of(&directory.path().join("a.log"), &mut Listings::default())[0].age
            != Age::Number(Reverse(1))
        {
            highest.write_all_at(b"now", 0).unwrap();
        }
        check("a.log", &["a.log.1", "a.log.2.gz", "a.log.10"]);
        check("b.log", &["b-20261121.log.gz", "b-20261122.log"]);
        check("c.log", &[]);
        check("d.log.20261122-130405", &["d.log.20261122-130405.gz"]);
    }
}
