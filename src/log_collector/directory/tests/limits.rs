//! Many files, few descriptors, and whose turn it is.

use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use super::{Stage, Story, on_mock_and_platform};
use crate::log_collector::Collector;
use crate::log_collector::checkpoint::DELIVERIES_MAX;
use crate::log_collector::source::CHUNK_BYTES;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::status::SourceState;

on_mock_and_platform! {
    deleted_files_over_the_budget_are_let_go
    a_backlog_does_not_keep_deleted_files_open
    more_files_than_may_be_open_are_closed_and_opened_again
    archives_that_wait_for_their_turn_are_closed
    a_closed_file_that_is_compressed_is_read_to_its_end
    a_closed_file_is_opened_when_it_loses_its_name
    renamed_files_are_closed_where_too_many_are_open
    a_batch_is_bounded_however_many_names_a_file_has
    a_closed_file_that_was_copied_and_deleted_is_read_on_in_its_copy
}

fn deleted_files_over_the_budget_are_let_go<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.deleted_bytes_max = 20;
    for name in ["a.log", "b.log", "c.log"] {
        story.append(name, "one\n");
    }
    story.start();
    story.check(&["a.log: one", "b.log: one", "c.log: one"]);
    for name in ["a.log", "b.log", "c.log"] {
        story.append(name, "two\n");
        story.remove(name);
    }
    let collector = story.collector.as_mut().unwrap();
    for _ in 0..2 {
        collector.follow_only().unwrap();
        collector.last_poll -= super::super::POLL_INTERVAL;
    }
    assert_eq!(story.status.held_deleted_bytes.get(), 16);
    assert_eq!(story.gaps(), ["a.log 4..8 over_budget"]);
    story.check(&["a.log: one", "b.log: one two", "c.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
}

fn a_backlog_does_not_keep_deleted_files_open<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "unended");
    story.remove("a.log");
    story.append("b.log", "x\n".repeat(8 * CHUNK_BYTES));
    for _ in 0..8 {
        let collector = story.collector.as_mut().unwrap();
        collector.last_poll -= super::super::POLL_INTERVAL;
        let collected = collector.next_batch(Duration::ZERO).unwrap().unwrap();
        if collector.wants_sync() {
            collector.synced();
        }
        story.keep(collected);
    }
    assert_eq!(story.lines["a.log"], ["one", "unended"]);
    assert_eq!(story.open_file_count(), 1);
}

/// How many files under the root this process has open; a test's directory has a name of its own.
fn descriptor_count<W: Stage>(story: &Story<W>) -> usize {
    let root = story.path("");
    let descriptors = fs::read_dir("/dev/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    descriptors.filter(|path| path.starts_with(&root) && path != &root).count()
}

fn archives_that_wait_for_their_turn_are_closed<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.open_files_max = 2;
    let long = (0..20_000).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n") + "\n";
    for number in 1..=20 {
        story.append("a.log", &if number % 2 == 0 { format!("short {number}\n") } else { long.clone() });
        let rotated = format!("a.log.{}", 21 - number);
        story.rename("a.log", &rotated);
        story.compress(&rotated, &format!("{rotated}.gz"));
    }
    story.append("a.log", "new\n");
    story.start();
    if cfg!(target_os = "linux") {
        assert_eq!(descriptor_count(&story), 2);
    }
    story.collect();
    let is_short = |line: &&String| line.starts_with("short");
    let lines = &story.lines["a.log"];
    assert_eq!(lines.len(), 10 * 20_000 + 10 + 1);
    let expected: Vec<String> = (1..=10).map(|number| format!("short {}", 2 * number)).collect();
    assert_eq!(lines.iter().filter(is_short).cloned().collect::<Vec<_>>(), expected);
    assert_eq!(lines.last().map(String::as_str), Some("new"));
}

fn more_files_than_may_be_open_are_closed_and_opened_again<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.open_files_max = 2;
    for name in ["a.log", "b.log", "c.log", "d.log", "e.log"] {
        story.append(name, "one\n");
    }
    story.start();
    story.check(&["a.log: one", "b.log: one", "c.log: one", "d.log: one", "e.log: one"]);
    for name in ["a.log", "b.log", "c.log", "d.log", "e.log"] {
        story.append(name, "two\n");
    }
    story.check(&["a.log: one two", "b.log: one two", "c.log: one two", "d.log: one two", "e.log: one two"]);
    if cfg!(target_os = "linux") {
        assert_eq!(descriptor_count(&story), 2);
    }
    // What is closed is renamed, replaced, moved out of what is collected, truncated and deleted.
    story.append("a.log", "three\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "four\n");
    story.append("b.log", "three\n");
    story.rename("b.log", "b.log.gz");
    story.truncate("c.log");
    story.append("c.log", "new\n");
    story.remove("d.log");
    story.check(&[
        "a.log: one two three four",
        "b.log: one two three",
        "c.log: one two new",
        "d.log: one two",
        "e.log: one two",
    ]);
    story.start();
    story.append("e.log", "three\n");
    story.check(&[
        "a.log: one two three four",
        "b.log: one two three",
        "c.log: one two new",
        "d.log: one two",
        "e.log: one two three",
    ]);
}

/// A collector that has read the line `one` of two files, and has `a.log` closed.
fn with_a_closed_file<W: Stage>() -> Story<W> {
    let mut story = Story::<W>::new();
    story.settings.open_files_max = 1;
    story.append("a.log", "one\n");
    story.append("b.log", "one\n");
    story.start();
    story.check(&["a.log: one", "b.log: one"]);
    story.append("b.log", "two\n");
    story.check(&["a.log: one", "b.log: one two"]);
    story
}

fn a_closed_file_that_is_compressed_is_read_to_its_end<W: Stage>() {
    let mut story = with_a_closed_file::<W>();
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.2");
    story.append("a.log", "three\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "four\n");
    story.compress("a.log.2", "a.log.2.gz");
    for _ in 0..2 {
        story.check(&["a.log: one two three four", "b.log: one two"]);
        story.start();
    }
}

fn a_closed_file_is_opened_when_it_loses_its_name<W: Stage>() {
    let mut story = with_a_closed_file::<W>();
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.gz");
    story.collector.as_mut().unwrap().follow_only().unwrap();
    story.remove("a.log.gz");
    story.check(&["a.log: one two", "b.log: one two"]);
}

#[test]
fn many_files_take_turns() {
    let mut story = Story::<MockWatcher>::new();
    story.start_keeping_watcher();
    story.append("fast.log", "x\n".repeat(4 * CHUNK_BYTES));
    story.append("slow.log", "one\n");
    let mut order = Vec::new();
    while let Some(next) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
        let streams = next.batch.streams.iter();
        order.extend(streams.map(|stream| stream.labels.get("path").unwrap().ends_with("slow.log")));
    }
    assert!(order[..3].contains(&true), "the slow file waits for more than two chunks of the fast one: {order:?}");
    assert_eq!(order.iter().filter(|slow| !**slow).count(), 8);
}

#[test]
fn what_was_there_is_read_newest_first_and_does_not_keep_new_lines_waiting() {
    let mut story = Story::<MockWatcher>::new();
    for (name, hours) in [("old.log", 3), ("new.log", 1), ("middle.log", 2)] {
        story.append(name, "x\n".repeat(CHUNK_BYTES));
        let modified = std::time::SystemTime::now() - Duration::from_hours(hours);
        File::options().append(true).open(story.path(name)).unwrap().set_modified(modified).unwrap();
    }
    story.append("live.log", "");
    story.start_keeping_watcher();
    let mut order = Vec::new();
    while let Some(next) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
        let Some(stream) = next.batch.streams.first() else { continue };
        let path = PathBuf::from(stream.labels.get("path").unwrap());
        order.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        if order.len() == 3 {
            story.collector.as_mut().unwrap().report_import();
            let import = &story.status.import;
            assert_eq!((import.files.get(), import.files_read.get()), (3, 1));
            assert_eq!(import.total_bytes.get(), 6 * CHUNK_BYTES as u64);
            assert_eq!(import.read_bytes.get(), 3 * CHUNK_BYTES as u64);
            story.append("live.log", "one\n");
        }
    }
    assert_eq!(order, ["new.log", "new.log", "middle.log", "live.log", "middle.log", "old.log", "old.log"]);
    assert!(1.0 <= story.status.import.progress_ratio());
}

#[test]
fn a_file_that_cannot_be_opened_shows_in_the_status() {
    let mut story = Story::<MockWatcher>::new();
    let longer_than_any_name = "n".repeat(300);
    symlink(longer_than_any_name, story.path("a.log")).unwrap();
    story.append("b.log", "one\n");
    story.start_keeping_watcher();
    story.check(&["b.log: one"]);
    let sources = story.status.sources();
    let unreadable: Vec<_> = sources.iter().filter(|source| source.state().0 == SourceState::Unreadable).collect();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].path.ends_with("a.log"));
}

fn renamed_files_are_closed_where_too_many_are_open<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.open_files_max = 2;
    story.settings.quiet_before_letting_go = Duration::from_secs(5);
    let names = ["a", "b", "c", "d"];
    for name in names {
        story.append(&format!("{name}.log"), "one\n");
    }
    story.start();
    story.collect();
    for name in names {
        story.rename(&format!("{name}.log"), &format!("{name}.gz"));
        story.collect();
    }
    assert_eq!(story.collector.as_ref().unwrap().open_files.len(), 2);
    for name in names {
        story.append(&format!("{name}.gz"), "two\n");
    }
    story.check(&["a.log: one two", "b.log: one two", "c.log: one two", "d.log: one two"]);
}

fn a_batch_is_bounded_however_many_names_a_file_has<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("0.log", "\n".repeat(2 * CHUNK_BYTES));
    for number in 1..2 * DELIVERIES_MAX {
        fs::hard_link(story.path("0.log"), story.path(&format!("{number}.log"))).unwrap();
    }
    story.start();
    let mut line_count = 0;
    while let Some(collected) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
        let lines: usize = collected.batch.streams.iter().map(|stream| stream.lines.len()).sum();
        assert!(lines <= 4 * CHUNK_BYTES, "{lines} lines in one batch");
        line_count += lines;
    }
    assert_eq!(line_count, 2 * CHUNK_BYTES * DELIVERIES_MAX);
}

/// While another one has its name already.
fn a_closed_file_that_was_copied_and_deleted_is_read_on_in_its_copy<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.open_files_max = 1;
    for name in ["a.log", "b.log"] {
        story.append(name, "one\n");
    }
    story.start();
    story.check(&["a.log: one", "b.log: one"]);
    story.append("b.log", "two\n");
    story.check(&["a.log: one", "b.log: one two"]);
    fs::create_dir(story.path("old")).unwrap();
    story.append("a.log", "two\n");
    story.copy("a.log", "old/a.log.1");
    story.truncate("a.log");
    story.remove("a.log");
    story.append("a.log", "");
    story.happened("old");
    story.happened("old/a.log.1");
    story.check(&["a.log: one two", "b.log: one two"]);
}
