//! Each way to drive the mock, and each of the caller's duties broken.
#![expect(clippy::disallowed_methods, reason = "tests change files in ways that the agent never does")]

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::log_collector::watcher::{EventKind, Limit, Watcher, is_limit};

use super::{MockDescriptor, MockWatcher};

/// A canonical root with the files `a` and `b` and the directory `sub`, of which the root and `a` are watched.
struct Fixture {
    _directory: TempDir,
    root: PathBuf,
    mock: MockWatcher,
    root_watch: MockDescriptor,
    a_watch: MockDescriptor,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::write(root.join("a"), "").unwrap();
        fs::write(root.join("b"), "").unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        let mut mock = MockWatcher::default();
        let root_watch = mock.watch_directory(&root).unwrap();
        let a_watch = mock.watch_file(&root.join("a")).unwrap();
        Self { _directory: directory, root, mock, root_watch, a_watch }
    }

    #[track_caller]
    fn check_read(&self, expected: &[(Option<MockDescriptor>, EventKind)]) {
        let mut events = Vec::new();
        self.mock.clone().read_events(&mut events).unwrap();
        let events: Vec<_> = events.into_iter().map(|event| (event.descriptor, event.kind)).collect();
        assert_eq!(events, expected);
    }
}

#[test]
fn what_the_test_says_is_read_once_and_in_order() {
    let fixture = Fixture::new();
    let Fixture { root, mock, root_watch, a_watch, .. } = &fixture;
    mock.entry(root, "b");
    mock.any_entry(root);
    mock.changed(&root.join("a"));
    mock.moved(&root.join("a"));
    mock.moved(root);
    fixture.check_read(&[
        (Some(*root_watch), EventKind::Entry(Some("b".into()))),
        (Some(*root_watch), EventKind::Entry(None)),
        (Some(*a_watch), EventKind::Content),
        (Some(*a_watch), EventKind::Moved),
        (Some(*root_watch), EventKind::Moved),
    ]);
    fixture.check_read(&[]);
}

#[test]
fn what_is_not_watched_is_not_reported() {
    let fixture = Fixture::new();
    fixture.mock.changed(&fixture.root.join("b"));
    fixture.mock.entry(&fixture.root.join("sub"), "c");
    fixture.check_read(&[]);
}

#[test]
fn a_rotated_file_and_its_successor_are_told_apart() {
    let mut fixture = Fixture::new();
    let (a, rotated) = (fixture.root.join("a"), fixture.root.join("a.1"));
    fs::rename(&a, &rotated).unwrap();
    fs::write(&a, "").unwrap();
    fixture.mock.moved(&a);
    let successor = fixture.mock.watch_file(&a).unwrap();
    fixture.mock.changed(&a);
    fixture.mock.changed(&rotated);
    fixture.check_read(&[
        (Some(fixture.a_watch), EventKind::Moved),
        (Some(successor), EventKind::Content),
        (Some(fixture.a_watch), EventKind::Content),
    ]);
}

#[test]
fn a_deleted_file_is_known_by_the_path_it_was_watched_by() {
    let fixture = Fixture::new();
    fs::remove_file(fixture.root.join("a")).unwrap();
    fixture.mock.moved(&fixture.root.join("a"));
    fixture.check_read(&[(Some(fixture.a_watch), EventKind::Moved)]);
}

#[test]
fn an_overflow_loses_what_was_not_read() {
    let fixture = Fixture::new();
    fixture.mock.changed(&fixture.root.join("a"));
    fixture.mock.overflow();
    fixture.check_read(&[(None, EventKind::Overflow)]);
}

#[test]
fn an_ended_watch_reports_nothing_and_is_no_longer_listed() {
    let mut fixture = Fixture::new();
    let a = fixture.root.join("a");
    assert_eq!(fixture.mock.watched_files(), [a.as_path()]);
    assert_eq!(fixture.mock.watched_directories(), [fixture.root.as_path()]);
    fixture.mock.changed(&a);
    fixture.mock.unwatch(fixture.a_watch).unwrap();
    fixture.mock.changed(&a);
    fixture.check_read(&[]);
    assert_eq!(fixture.mock.watched_files(), Vec::<PathBuf>::new());
    fixture.mock.watch_file(&a).unwrap();
}

#[test]
fn as_many_watches_fail_as_the_test_asks_for() {
    let Fixture { root, mock, .. } = &mut Fixture::new();
    mock.fail_watches([Limit::InotifyWatches.into(), io::ErrorKind::PermissionDenied.into()]);
    assert!(is_limit(&mock.watch_file(&root.join("b")).unwrap_err()));
    let refused = mock.watch_directory(&root.join("sub")).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    mock.watch_file(&root.join("b")).unwrap();
}

#[test]
fn what_is_gone_is_an_error_and_no_breach_of_duty() {
    let Fixture { root, mock, .. } = &mut Fixture::new();
    assert_eq!(mock.watch_file(&root.join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// Watches a file by a path below the fixture's root. Returns only where that is no breach of duty.
fn watch_file(path: &str) {
    let Fixture { root, mock, .. } = &mut Fixture::new();
    symlink(&root, root.join("link")).unwrap();
    fs::hard_link(root.join("a"), root.join("a.hard")).unwrap();
    mock.watch_file(&root.join(path)).unwrap();
}

#[test]
fn a_canonical_path_of_an_unwatched_file_breaks_no_duty() {
    watch_file("b");
}

#[test]
#[should_panic(expected = "must be canonical")]
fn a_path_with_dots_breaks_a_duty() {
    watch_file("sub/../b");
}

#[test]
#[should_panic(expected = "must be canonical")]
fn a_path_through_a_link_breaks_a_duty() {
    watch_file("link/b");
}

#[test]
#[should_panic(expected = "must be canonical")]
fn a_relative_path_breaks_a_duty() {
    drop(MockWatcher::default().watch_directory(Path::new("src")));
}

#[test]
#[should_panic(expected = "as another kind of file")]
fn a_directory_watched_as_a_file_breaks_a_duty() {
    watch_file("sub");
}

#[test]
#[should_panic(expected = "as another kind of file")]
fn a_file_watched_as_a_directory_breaks_a_duty() {
    let Fixture { root, mock, .. } = &mut Fixture::new();
    drop(mock.watch_directory(&root.join("b")));
}

#[test]
#[should_panic(expected = "is watched already")]
fn a_path_watched_twice_breaks_a_duty() {
    watch_file("a");
}

#[test]
#[should_panic(expected = "is watched already")]
fn a_second_name_of_a_watched_file_breaks_a_duty() {
    watch_file("a.hard");
}

#[test]
#[should_panic(expected = "was unwatched before")]
fn a_descriptor_used_after_its_end_breaks_a_duty() {
    let Fixture { mock, a_watch, .. } = &mut Fixture::new();
    mock.unwatch(*a_watch).unwrap();
    drop(mock.unwatch(*a_watch));
}
