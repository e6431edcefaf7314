//! A short-lived cache of directory listings.
//!
//! Rotation asks which files lie beside a log; when many logs rotate at once, the directory is read once. A listing is used
//! again only while the directory's modification time proves that nothing has changed.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::file::{self, Identity};

/// How often a directory is listed whose files get other names meanwhile.
const LISTINGS_MAX: usize = 8;
/// How long ago a directory has to have been changed, in nanoseconds, for the next change to show in its time: longer than
/// the ticks of the clocks that file systems take that from.
const TICK_NS: i64 = 20_000_000;

/// Some file systems know the time to the second only.
const NS_PER_SECOND: i64 = 1_000_000_000;

/// Files by identity.
pub(in crate::log_collector) type Files = HashMap<Identity, PathBuf>;

/// What directories were found to hold.
#[derive(Debug, Default)]
pub(in crate::log_collector) struct Listings(HashMap<PathBuf, Listing>);

#[derive(Debug)]
struct Listing {
    /// When the directory had been changed, if the next change will show.
    modified_ns: Option<i64>,
    /// Sorted.
    paths: Vec<PathBuf>,
    /// Once they were asked for.
    files: Option<Arc<Files>>,
}

impl Listing {
    fn of(directory: &Path) -> file::Result<Self> {
        let modified_ns = file::metadata(directory)?.modified_ns;
        let paths = file::list_directory(directory)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        let now_ns = now.and_then(|now| i64::try_from(now.as_nanos()).ok());
        let is_exact = modified_ns % NS_PER_SECOND != 0;
        let will_show = is_exact && now_ns.is_some_and(|now_ns| modified_ns.saturating_add(TICK_NS) < now_ns);
        Ok(Self { modified_ns: will_show.then_some(modified_ns), paths, files: None })
    }

    fn is_current(&self, directory: &Path) -> bool {
        let is_as_then = |then| file::metadata(directory).is_ok_and(|metadata| metadata.modified_ns == then);
        self.modified_ns.is_some_and(is_as_then)
    }

    /// The paths whose last component begins with `prefix`.
    fn beginning_with(&self, prefix: &OsStr) -> impl Iterator<Item = &PathBuf> {
        let first = self.paths.partition_point(|path| path.file_name() < Some(prefix));
        let has_prefix = |name: &OsStr| name.as_bytes().starts_with(prefix.as_bytes());
        self.paths[first..].iter().take_while(move |path| path.file_name().is_some_and(has_prefix))
    }
}

impl Listings {
    /// The files in a directory, and whether those are certainly all.
    pub(in crate::log_collector) fn files_in(&mut self, directory: &Path) -> (Arc<Files>, bool) {
        if let Ok(Listing { files: Some(files), .. }) = self.listing(directory) {
            return (Arc::clone(files), true);
        }
        let identify =
            |path: &Path| Some(file::link_metadata(path).map(|metadata| (metadata.identity, path.to_owned())));
        let (files, are_all) = self.look_in(directory, OsStr::new(""), identify, |(identity, _)| *identity);
        let files: Arc<Files> = Arc::new(files.into_iter().collect());
        if let Some(listing) = self.0.get_mut(directory) {
            listing.files = are_all.then(|| Arc::clone(&files));
        }
        (files, are_all)
    }

    /// What `look` finds at the paths in a directory whose last component begins with `prefix`, and whether that is certainly
    /// all; it has an error where a file is not there any more.
    pub(in crate::log_collector) fn look_in<T>(
        &mut self,
        directory: &Path,
        prefix: &OsStr,
        look: impl Fn(&Path) -> Option<file::Result<T>>,
        identity: impl Fn(&T) -> Identity,
    ) -> (Vec<T>, bool) {
        let mut found = Vec::new();
        // A file that is renamed or compressed right after its name was listed has a name now that was not, or one that was
        // looked at before: each name has to mean the same file twice.
        for _ in 0..LISTINGS_MAX {
            let listing = match self.listing(directory) {
                Ok(listing) => listing,
                // With the directory its files are gone.
                Err(error) => return (Vec::new(), error.kind() == ErrorKind::NotFound),
            };
            let looks: Vec<_> = listing.beginning_with(prefix).filter_map(|path| look(path)).collect();
            let again = listing.beginning_with(prefix).filter_map(|path| look(path));
            let is_same = |(one, other): (&file::Result<T>, file::Result<T>)| match (one, other) {
                (Ok(one), Ok(other)) => identity(one) == identity(&other),
                _ => false,
            };
            let is_current = looks.iter().zip(again).all(is_same);
            found = looks.into_iter().flatten().collect();
            if is_current {
                return (found, true);
            }
            self.0.remove(directory);
        }
        (found, false)
    }

    fn listing(&mut self, directory: &Path) -> file::Result<&mut Listing> {
        let is_current = self.0.get(directory).is_some_and(|listing| listing.is_current(directory));
        if !is_current {
            self.0.remove(directory);
            self.0.insert(directory.to_owned(), Listing::of(directory)?);
        }
        Ok(self.0.get_mut(directory).expect("it was just listed or is current"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &Path) -> file::Result<PathBuf> {
        file::link_metadata(path).map(|_| path.to_owned())
    }

    /// Of a file that is there.
    fn identity(path: &Path) -> Identity {
        file::link_metadata(path).unwrap().identity
    }

    #[test]
    fn a_file_that_is_renamed_while_its_directory_is_listed_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let [before, after] = ["a.log", "a.log.1"].map(|name| directory.path().join(name));
        file::File::create(&before).unwrap();
        let look = |path: &Path| {
            if path == before && look(path).is_ok() {
                file::rename(&before, &after).unwrap();
            }
            Some(look(path))
        };
        let found = Listings::default().look_in(directory.path(), OsStr::new("a"), look, |path| identity(path));
        assert_eq!(found, (vec![after.clone()], true));
    }

    #[test]
    fn a_file_that_takes_a_name_which_was_looked_at_before_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let [ten, nine, eleven] = ["a.10", "a.9", "a.11"].map(|name| directory.path().join(name));
        let [was_ten, was_nine] = [&ten, &nine].map(|path| file::File::create(path).unwrap());
        let look = |path: &Path| {
            if path == nine && file::link_metadata(&eleven).is_err() {
                file::rename(&ten, &eleven).unwrap();
                file::rename(&nine, &ten).unwrap();
                file::File::create(&nine).unwrap();
            }
            Some(file::link_metadata(path).map(|metadata| metadata.identity))
        };
        let (found, are_all) =
            Listings::default().look_in(directory.path(), OsStr::new("a"), look, |identity| *identity);
        assert!(are_all && found.len() == 3);
        assert!([was_ten, was_nine].iter().all(|file| found.contains(&file.metadata().unwrap().identity)));
    }

    /// Waits until the directory would show a change.
    fn settle(listings: &mut Listings, directory: &Path) {
        while listings.listing(directory).unwrap().modified_ns.is_none() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_directory_is_listed_again_once_it_has_changed() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["a", "b.1", "b.2", "c"].map(|name| directory.path().join(name));
        let mut listings = Listings::default();
        let check = |listings: &mut Listings, prefix: &str, expected: &[PathBuf]| {
            assert_eq!(
                listings.look_in(directory.path(), OsStr::new(prefix), |path| Some(look(path)), |path| identity(path)),
                (expected.to_vec(), true)
            );
        };
        for (count, path) in paths.iter().enumerate() {
            settle(&mut listings, directory.path());
            check(&mut listings, "", &paths[..count]);
            assert_eq!(listings.files_in(directory.path()).0.len(), count);
            file::File::create(path).unwrap();
            assert_eq!(listings.files_in(directory.path()).0.len(), count + 1);
        }
        check(&mut listings, "b", &paths[1..3]);
        check(&mut listings, "b.2x", &[]);
        settle(&mut listings, directory.path());
        let [one, other] = [(); 2].map(|()| listings.files_in(directory.path()).0);
        assert!(Arc::ptr_eq(&one, &other), "as long as nothing changes, nothing is listed");
        assert_eq!(listings.files_in(&directory.path().join("none")), (Arc::default(), true));
    }
}
