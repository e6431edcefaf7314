//! The grammar of rotated names: which log a file may have been rotated out of, and which of two was rotated earlier.

use std::cmp::Reverse;

/// What stands between a file's name and what a rotation adds to it.
const SEPARATORS: [char; 3] = ['.', '-', '_'];
/// What stands between the digits of what a rotation adds.
const DATE_PUNCTUATION: [char; 6] = ['.', '-', '_', ':', 'T', 'Z'];
/// Longest number that counts rotations; what is longer is a date.
const NUMBER_DIGITS_MAX: usize = 5;
/// The endings of compressed files that are read.
const COMPRESSED: [&str; 4] = [".gz", ".zst", ".xz", ".bz2"];
/// The endings of compressed files that are not.
const UNREADABLE: [&str; 4] = [".lz4", ".lzma", ".Z", ".zip"];

/// How a rotated file holds its lines, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::log_collector) enum Form {
    /// As they were written.
    Plain,
    /// Compressed in a way that is read.
    Compressed,
    /// Compressed in a way that is not read.
    Unreadable,
}

/// When a file was rotated, as its name says; what was rotated earlier comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::log_collector) enum Rank {
    /// By a date or a time.
    Date(String),
    /// By a number that counts up with age.
    Number(Reverse<u32>),
}

impl Rank {
    /// The rank of the file that has not been rotated.
    pub(super) const CURRENT: Self = Self::Number(Reverse(0));

    /// What the name of a file that was rotated out of `original` says, without the ending of a compressed one.
    pub(super) fn of(name: &str, original: &str) -> Self {
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

/// Whether nothing but rotation makes the name of a file out of `original`: what is added stands behind it, or is a date. A
/// number in front of the extension may be an instance's.
pub(super) fn is_named_rotated(name: &str, original: &str) -> bool {
    name.starts_with(original) || matches!(Rank::of(name, original), Rank::Date(_))
}

/// The names that are made of a file's name begin with its stem.
pub(super) fn stem_and_extension(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// A file's name without the ending of a compressed one, and what that ending says.
pub(in crate::log_collector) fn uncompressed(name: &str) -> (&str, Form) {
    let strip = |endings: &[&str]| endings.iter().find_map(|ending| name.strip_suffix(ending));
    match (strip(&COMPRESSED), strip(&UNREADABLE)) {
        (Some(name), _) => (name, Form::Compressed),
        (None, Some(name)) => (name, Form::Unreadable),
        (None, None) => (name, Form::Plain),
    }
}

/// The names that a rotated file's name may be made of: `a.log` of `a.log.1`, `a.log-20261122` and `a-20261122.log`.
pub(in crate::log_collector) fn originals(file_name: &str) -> Vec<String> {
    let extension = file_name.rfind('.').map_or("", |at| &file_name[at..]);
    let is_added = |text: &str| {
        text.contains(|char: char| char.is_ascii_digit())
            && text.chars().all(|char| char.is_ascii_digit() || DATE_PUNCTUATION.contains(&char))
    };
    let mut originals = Vec::new();
    for (at, _) in file_name.rmatch_indices(SEPARATORS) {
        let (stem, rest) = file_name.split_at(at);
        if stem.is_empty() {
            continue;
        }
        if is_added(rest) {
            originals.push(stem.to_owned());
        }
        if rest.strip_suffix(extension).is_some_and(is_added) {
            originals.push(format!("{stem}{extension}"));
        }
    }
    originals
}

/// The names of logs in whose place a file of this name may be put once it is written: `a.log` of `a.log.tmp`, `a.log~` and
/// `.a.log.x3Tz9Q`. Empty where it looks like no such file; one that is empty stands for any log: `sed -i` does not say which.
pub(in crate::log_collector) fn replaced_by(file_name: &str) -> Vec<String> {
    if !originals(file_name).is_empty() {
        return Vec::new();
    }
    let is_random = |text: &str| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if file_name.strip_prefix("sed").is_some_and(is_random) {
        return vec![String::new()];
    }
    let name = file_name.strip_prefix('.').unwrap_or(file_name);
    let hidden = (name != file_name).then(|| name.to_owned());
    let stems = name.rmatch_indices(['.', '~', '#']).map(|(at, _)| name[..at].to_owned());
    hidden.into_iter().chain(stems).filter(|stem| !stem.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file_name: &str, expected: &[&str]) {
        assert_eq!(originals(file_name), expected);
    }

    #[test]
    fn a_number_or_a_date_is_added_to_a_name_or_in_front_of_its_extension() {
        check("a.log.1", &["a.log"]);
        check("a.log-20261122", &["a.log"]);
        check("a-20261122.log", &["a.log"]);
        check("a.1.log", &["a.log"]);
        check("syslog.1", &["syslog"]);
        check("a.log.2026-11-22T13:04:05Z", &["a.log.2026-11", "a.log.2026", "a.log"]);
    }

    #[test]
    fn other_names_are_no_copys() {
        for name in ["a.log", "a-error.log", "a.log.bak", "a2.log", "1", ""] {
            check(name, &[]);
        }
    }

    #[test]
    fn a_number_in_front_of_the_extension_may_be_an_instances() {
        assert!(is_named_rotated("a.log.1", "a.log"));
        assert!(is_named_rotated("a-20261122.log", "a.log"));
        assert!(!is_named_rotated("a-8001.log", "a.log"));
    }

    #[test]
    fn a_temporary_name_says_what_it_replaces() {
        assert_eq!(replaced_by("a.log.tmp"), ["a.log", "a"]);
        assert_eq!(replaced_by(".a.log.x3Tz9Q"), ["a.log.x3Tz9Q", "a.log", "a"]);
        assert_eq!(replaced_by("a.log~"), ["a.log", "a"]);
        assert_eq!(replaced_by("sedX3Tz9Q"), [""]);
        assert!(replaced_by("syslog").is_empty());
    }

    #[test]
    fn the_ending_says_how_a_file_is_compressed() {
        assert_eq!(uncompressed("a.log.1.zst"), ("a.log.1", Form::Compressed));
        assert_eq!(uncompressed("a.log.1.lz4"), ("a.log.1", Form::Unreadable));
        assert_eq!(uncompressed("a.log.1"), ("a.log.1", Form::Plain));
    }
}
