//! The platform's watcher on real files; the mock's tests stand beside the mock.
#![expect(clippy::disallowed_methods, reason = "tests change files in ways that the agent never does")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tempfile::TempDir;

use super::{Event, EventKind, Limit, PlatformWatcher, Watcher, is_limit};

/// How long an event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A canonical root with the files `a` and `b` and the directory `sub`, and a watcher without watches.
fn prepared() -> (TempDir, PathBuf, PlatformWatcher) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    fs::write(root.join("a"), "one\n").unwrap();
    fs::write(root.join("b"), "").unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    (directory, root, PlatformWatcher::new().unwrap())
}

fn entry(name: &str) -> EventKind {
    EventKind::Entry(Some(name.into()))
}

/// Reads until `descriptor` reports `kind`, and returns all that was read. An entry without a name stands for any.
#[track_caller]
fn wait_for<W: Watcher>(watcher: &mut W, descriptor: W::Descriptor, kind: &EventKind) -> Vec<Event<W::Descriptor>> {
    let is_awaited = |event: &Event<W::Descriptor>| {
        let is_nameless = event.kind == EventKind::Entry(None) && matches!(kind, EventKind::Entry(_));
        event.descriptor == Some(descriptor) && (event.kind == *kind || is_nameless)
    };
    let start = Instant::now();
    let mut events = Vec::new();
    while !events.iter().any(is_awaited) {
        assert!(start.elapsed() < PATIENCE, "{kind:?} did not come, only {events:?}");
        watcher.read_events_blocking(PATIENCE, &mut events).unwrap();
    }
    events
}

/// `act` on the prepared root is reported as `expected` by a watch of the root.
#[track_caller]
fn check_directory(act: impl FnOnce(&Path) -> io::Result<()>, expected: &EventKind) {
    let (_directory, root, mut watcher) = prepared();
    let descriptor = watcher.watch_directory(&root).unwrap();
    act(&root).unwrap();
    wait_for(&mut watcher, descriptor, expected);
}

/// `act` on the prepared root is reported as `expected` by a watch of the file `a`.
#[track_caller]
fn check_file(act: impl FnOnce(&Path) -> io::Result<()>, expected: &EventKind) {
    let (_directory, root, mut watcher) = prepared();
    let descriptor = watcher.watch_file(&root.join("a")).unwrap();
    act(&root).unwrap();
    wait_for(&mut watcher, descriptor, expected);
}

fn append(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(b"two\n")
}

#[test]
fn a_created_file_is_an_entry() {
    check_directory(|root| File::create(root.join("new")).map(drop), &entry("new"));
}

#[test]
fn a_created_directory_is_an_entry() {
    check_directory(|root| fs::create_dir(root.join("new")), &entry("new"));
}

#[test]
fn a_created_link_is_an_entry() {
    check_directory(|root| symlink("elsewhere", root.join("new")), &entry("new"));
}

#[test]
fn a_hard_link_is_an_entry() {
    check_directory(|root| fs::hard_link(root.join("a"), root.join("new")), &entry("new"));
}

#[test]
fn a_link_that_is_replaced_by_rename_is_an_entry() {
    let replace = |root: &Path| {
        symlink("elsewhere", root.join("sub/link"))?;
        fs::rename(root.join("sub/link"), root.join("b"))
    };
    check_directory(replace, &entry("b"));
}

#[test]
fn a_file_renamed_into_the_directory_is_an_entry() {
    let rename = |root: &Path| {
        File::create(root.join("sub/in"))?;
        fs::rename(root.join("sub/in"), root.join("in"))
    };
    check_directory(rename, &entry("in"));
}

#[test]
fn a_file_renamed_out_of_the_directory_is_an_entry() {
    check_directory(|root| fs::rename(root.join("a"), root.join("sub/a")), &entry("a"));
}

#[test]
fn a_rename_within_the_directory_is_an_entry_for_the_old_name() {
    check_directory(|root| fs::rename(root.join("a"), root.join("a.1")), &entry("a"));
}

#[test]
fn a_rename_within_the_directory_is_an_entry_for_the_new_name() {
    check_directory(|root| fs::rename(root.join("a"), root.join("a.1")), &entry("a.1"));
}

#[test]
fn a_deleted_file_is_an_entry() {
    check_directory(|root| fs::remove_file(root.join("a")), &entry("a"));
}

#[cfg(target_os = "linux")]
#[test]
fn with_inotify_a_change_of_permissions_is_an_entry() {
    use std::os::unix::fs::PermissionsExt;
    check_directory(|root| fs::set_permissions(root.join("sub"), fs::Permissions::from_mode(0o700)), &entry("sub"));
}

#[test]
fn a_removed_directory_has_moved() {
    check_directory(|root| fs::remove_dir_all(root), &EventKind::Moved);
}

#[test]
fn a_renamed_directory_has_moved() {
    let (_directory, root, mut watcher) = prepared();
    let descriptor = watcher.watch_directory(&root.join("sub")).unwrap();
    fs::rename(root.join("sub"), root.join("other")).unwrap();
    wait_for(&mut watcher, descriptor, &EventKind::Moved);
}

#[test]
fn an_append_changes_the_content() {
    check_file(|root| append(&root.join("a")), &EventKind::Content);
}

#[test]
fn a_truncation_changes_the_content() {
    let truncate = |root: &Path| OpenOptions::new().write(true).open(root.join("a"))?.set_len(0);
    check_file(truncate, &EventKind::Content);
}

#[test]
fn a_renamed_file_has_moved() {
    check_file(|root| fs::rename(root.join("a"), root.join("a.1")), &EventKind::Moved);
}

#[test]
fn a_file_replaced_by_rename_has_moved() {
    check_file(|root| fs::rename(root.join("b"), root.join("a")), &EventKind::Moved);
}

#[test]
fn a_deleted_file_has_moved() {
    check_file(|root| fs::remove_file(root.join("a")), &EventKind::Moved);
}

#[test]
fn a_file_deleted_while_it_is_open_has_moved() {
    let (_directory, root, mut watcher) = prepared();
    let descriptor = watcher.watch_file(&root.join("a")).unwrap();
    let mut open = OpenOptions::new().append(true).open(root.join("a")).unwrap();
    fs::remove_file(root.join("a")).unwrap();
    wait_for(&mut watcher, descriptor, &EventKind::Moved);
    open.write_all(b"two\n").unwrap();
    wait_for(&mut watcher, descriptor, &EventKind::Content);
}

#[test]
fn a_renamed_file_is_watched_on_and_its_successor_may_be_watched() {
    let (_directory, root, mut watcher) = prepared();
    let rotated = watcher.watch_file(&root.join("a")).unwrap();
    fs::rename(root.join("a"), root.join("a.1")).unwrap();
    fs::write(root.join("a"), "").unwrap();
    let successor = watcher.watch_file(&root.join("a")).unwrap();
    append(&root.join("a.1")).unwrap();
    wait_for(&mut watcher, rotated, &EventKind::Content);
    append(&root.join("a")).unwrap();
    wait_for(&mut watcher, successor, &EventKind::Content);
}

#[test]
fn an_ended_watch_reports_nothing_not_even_what_was_pending() {
    let (_directory, root, mut watcher) = prepared();
    let ended = watcher.watch_file(&root.join("a")).unwrap();
    let other = watcher.watch_file(&root.join("b")).unwrap();
    append(&root.join("a")).unwrap();
    watcher.unwatch(ended).unwrap();
    append(&root.join("a")).unwrap();
    append(&root.join("b")).unwrap();
    let events = wait_for(&mut watcher, other, &EventKind::Content);
    assert!(events.iter().all(|event| event.descriptor == Some(other)), "{events:?}");
}

#[test]
fn a_file_is_watched_anew_after_its_watch_was_ended() {
    let (_directory, root, mut watcher) = prepared();
    let ended = watcher.watch_file(&root.join("a")).unwrap();
    watcher.unwatch(ended).unwrap();
    let descriptor = watcher.watch_file(&root.join("a")).unwrap();
    append(&root.join("a")).unwrap();
    wait_for(&mut watcher, descriptor, &EventKind::Content);
}

#[test]
fn a_watch_of_what_is_gone_can_be_ended_before_and_after_that_is_read() {
    let (_directory, root, mut watcher) = prepared();
    let unread = watcher.watch_file(&root.join("a")).unwrap();
    let read = watcher.watch_directory(&root.join("sub")).unwrap();
    fs::remove_dir(root.join("sub")).unwrap();
    wait_for(&mut watcher, read, &EventKind::Moved);
    fs::remove_file(root.join("a")).unwrap();
    watcher.unwatch(read).unwrap();
    watcher.unwatch(unread).unwrap();
}

#[test]
fn files_written_in_turn_are_reported_once_per_read() {
    let (_directory, root, mut watcher) = prepared();
    let a = watcher.watch_file(&root.join("a")).unwrap();
    let b = watcher.watch_file(&root.join("b")).unwrap();
    for _ in 0..3 {
        append(&root.join("a")).unwrap();
        append(&root.join("b")).unwrap();
    }
    let mut events = Vec::new();
    watcher.read_events(&mut events).unwrap();
    for descriptor in [a, b] {
        let reported = events.iter().filter(|event| event.descriptor == Some(descriptor));
        let contents = reported.filter(|event| event.kind == EventKind::Content).count();
        assert_eq!(contents, 1, "{events:?}");
    }
}

#[test]
fn reading_returns_at_once_where_nothing_happened_and_waiting_returns_in_time() {
    let (_directory, root, mut watcher) = prepared();
    watcher.watch_directory(&root).unwrap();
    let mut events = Vec::new();
    watcher.read_events(&mut events).unwrap();
    let start = Instant::now();
    let timeout = Duration::from_millis(20);
    watcher.read_events_blocking(timeout, &mut events).unwrap();
    assert!(timeout <= start.elapsed(), "waited {:?} only", start.elapsed());
    assert_eq!(events, []);
}

#[test]
fn a_link_is_not_followed_to_a_directory() {
    let (_directory, root, mut watcher) = prepared();
    symlink(root.join("sub"), root.join("link")).unwrap();
    watcher.watch_directory(&root.join("link")).unwrap_err();
}

#[test]
fn what_does_not_exist_is_not_found_which_is_no_limit() {
    let (_directory, root, mut watcher) = prepared();
    let error = watcher.watch_file(&root.join("gone")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(!is_limit(&error));
}

#[cfg(target_os = "linux")]
#[test]
fn inotify_refuses_a_second_watch_of_one_file_and_keeps_the_first() {
    let (_directory, root, mut watcher) = prepared();
    let descriptor = watcher.watch_file(&root.join("a")).unwrap();
    fs::hard_link(root.join("a"), root.join("link")).unwrap();
    let error = watcher.watch_file(&root.join("link")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    append(&root.join("a")).unwrap();
    wait_for(&mut watcher, descriptor, &EventKind::Content);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_queue_of_inotify_is_an_overflow_and_watching_goes_on() {
    let (_directory, root, mut watcher) = prepared();
    let directory = watcher.watch_directory(&root).unwrap();
    let queue_events_max = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let queue_events_max: usize = queue_events_max.trim().parse().unwrap();
    // Each round is two events that the kernel cannot merge.
    for _ in 0..=queue_events_max / 2 {
        File::create(root.join("brief")).unwrap();
        fs::remove_file(root.join("brief")).unwrap();
    }
    let mut events = Vec::new();
    let overflow = Event { descriptor: None, kind: EventKind::Overflow };
    while !events.contains(&overflow) {
        events.clear();
        watcher.read_events(&mut events).unwrap();
        assert_ne!(events, [], "the queue ended without an overflow");
    }
    File::create(root.join("after")).unwrap();
    wait_for(&mut watcher, directory, &entry("after"));
}

#[test]
fn only_a_limits_own_errors_become_the_limit_which_says_what_to_raise() {
    for (limit, remedy) in [
        (Limit::InotifyWatches, "fs.inotify.max_user_watches"),
        (Limit::InotifyInstances, "fs.inotify.max_user_instances"),
        (Limit::OpenFiles, "ulimit -n"),
    ] {
        let errnos = [Errno::NOSPC, Errno::MFILE];
        for errno in errnos {
            let error = limit.explain(&errnos, errno.into());
            assert!(is_limit(&error), "{error}");
            assert!(error.to_string().contains(remedy), "{error}");
        }
        let other = limit.explain(&errnos, Errno::ACCESS.into());
        assert!(!is_limit(&other), "{other}");
        assert_eq!(other.kind(), io::ErrorKind::PermissionDenied);
    }
}
