//! Which files are collected, by their names.

use std::path::Path;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::log_collector::Error;

/// What is left out unless `--include` asks for it: compressed archives, and the system's files that are no text.
const EXCLUDED_BY_DEFAULT: [&str; 15] = [
    "*.gz",
    "*.bz2",
    "*.xz",
    "*.zst",
    "*.lz4",
    "*.lzma",
    "*.Z",
    "*.zip",
    "*.tgz",
    "*.7z",
    "*.journal*",
    "wtmp*",
    "btmp*",
    "lastlog",
    "faillog",
];

/// Decides by `--include` and `--exclude`.
///
/// A pattern without a slash is about the file's name, one with a slash about its path under the root. `--exclude` wins
/// over `--include`; without `--include` everything is collected but compressed archives and files that are no text.
#[derive(Clone, Debug)]
pub struct Patterns {
    include: GlobSet,
    exclude: GlobSet,
    exclude_by_default: GlobSet,
}

impl Patterns {
    /// Compiles the patterns.
    ///
    /// # Errors
    ///
    /// [`Error::Pattern`] names the first that is none.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, Error> {
        Ok(Self {
            include: compile(include.iter().map(String::as_str))?,
            exclude: compile(exclude.iter().map(String::as_str))?,
            exclude_by_default: compile(EXCLUDED_BY_DEFAULT)?,
        })
    }

    /// Whether the file at `path`, relative to the root, is collected.
    pub fn accept(&self, path: &Path) -> bool {
        if self.exclude.is_match(path) {
            return false;
        }
        if self.include.is_empty() { !self.exclude_by_default.is_match(path) } else { self.include.is_match(path) }
    }

    /// Whether a file that a link leads to may be collected under the link's name: `path` is its own, relative to the root or,
    /// elsewhere, to the root of all.
    pub fn accept_target(&self, path: &Path) -> bool {
        !self.exclude.is_match(path) && (self.include.is_match(path) || !self.exclude_by_default.is_match(path))
    }

    /// Whether the journal file at `path`, relative to the root, is collected. `--include` is about files, unless it
    /// `is_about_units`.
    pub fn accept_journal(&self, path: &Path, is_about_units: bool) -> bool {
        !self.exclude.is_match(path) && (is_about_units || self.include.is_empty() || self.include.is_match(path))
    }

    /// Whether entries of this unit, or with this identifier, are collected from a journal.
    pub fn accept_unit(&self, name: &str, is_about_units: bool) -> bool {
        !self.exclude.is_match(name) && (!is_about_units || self.include.is_empty() || self.include.is_match(name))
    }

    /// Whether files were asked for by name, so that their content does not matter.
    pub fn are_explicit(&self) -> bool {
        !self.include.is_empty()
    }
}

/// Compiles patterns of names that have no directories, such as those of labels.
///
/// # Errors
///
/// [`Error::Pattern`] names the first that is none.
pub fn globs(patterns: &[String]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|error| at(pattern, &error))?);
    }
    set.build().map_err(|error| at("", &error))
}

fn at(pattern: &str, error: &globset::Error) -> Error {
    Error::Pattern { pattern: pattern.to_owned(), reason: error.kind().to_string() }
}

fn compile<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let anywhere = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
        let glob = GlobBuilder::new(anywhere.trim_start_matches('/'))
            .literal_separator(true)
            .build()
            .map_err(|error| at(pattern, &error))?;
        set.add(glob);
    }
    set.build().map_err(|error| at("", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(include: &[&str], exclude: &[&str], path: &str, expected: bool) {
        let owned = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let patterns = Patterns::new(&owned(include), &owned(exclude)).unwrap();
        assert_eq!(patterns.accept(Path::new(path)), expected);
    }

    #[test]
    fn everything_but_archives_and_binary_files_is_collected_by_default() {
        check(&[], &[], "syslog", true);
        check(&[], &[], "nginx/access.log.1", true);
        check(&[], &[], "nginx/access.log.2.gz", false);
        check(&[], &[], "journal/0f/system.journal", false);
        check(&[], &[], "wtmp", false);
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_the_name() {
        check(&["*.log"], &[], "nginx/access.log", true);
        check(&["*.log"], &[], "nginx/access.txt", false);
    }

    #[test]
    fn a_pattern_with_a_slash_is_about_the_path() {
        check(&["nginx/*.log"], &[], "nginx/access.log", true);
        check(&["nginx/*.log"], &[], "nginx/old/access.log", false);
        check(&["nginx/**"], &[], "nginx/old/access.log", true);
    }

    #[test]
    fn exclude_wins_and_include_overrides_the_defaults() {
        check(&["*.log"], &["debug*"], "debug.log", false);
        check(&["*.gz"], &[], "a.gz", true);
        check(&[], &["*.log"], "a.log", false);
    }

    #[test]
    fn what_a_link_leads_to_may_not_be_left_out_itself() {
        let patterns = Patterns::new(&["*.log".into(), "*.gz".into()], &["hidden*".into(), "sec/**".into()]).unwrap();
        let accepted = ["0.json", "a.gz", "hidden.txt", "app/hidden", "sec/x", "btmp", "log/wtmp.1"];
        assert_eq!(
            accepted.map(|path| patterns.accept_target(Path::new(path))),
            [true, true, false, false, false, false, false]
        );
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Patterns::new(&["a[".into()], &[]).unwrap_err();
        assert!(error.to_string().starts_with("\"a[\" is no pattern of file names"), "{error}");
    }
}
