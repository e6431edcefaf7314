//! Files that are truncated, rotated, deleted and created again while the collector runs.

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::symlink;

use super::{Stage, Story, on_mock_and_platform};
use crate::file::WITHOUT_BIRTHS;
use crate::log_collector::source::CHUNK_BYTES;
use crate::log_collector::tracked::COPY_PATIENCE;

on_mock_and_platform! {
    files_after_one_without_an_end_wait_for_each_other
    what_was_put_away_while_down_is_read_in_its_order
    what_was_copied_before_it_was_read_is_the_logs_past
    copies_made_while_down_come_before_the_log
    truncation_starts_over
    rewriting_in_place_starts_over
    rename_and_create_loses_and_doubles_nothing
    a_rotated_file_is_read_to_its_end_before_the_one_that_follows_it
    a_chain_of_rotations_loses_and_doubles_nothing
    a_deleted_file_is_read_to_its_end
    a_file_recreated_is_another_file
    the_kubelets_rotation_behind_two_links
    rotations_between_two_looks_are_read_in_their_order
    a_rotation_before_a_link_is_switched_is_read
    a_file_compressed_before_it_was_read_is_read_once
    a_file_recreated_and_rotated_between_two_looks_is_read
    a_file_rewritten_to_its_old_length_starts_over
    nothing_is_forgotten_of_a_directory_that_cannot_be_listed
    finished_files_are_forgotten_that_are_gone_from_a_quiet_directory
    a_file_that_loses_its_name_as_soon_as_it_was_seen_is_read
    files_rotated_right_after_one_was_seen_are_read_in_their_order
    a_file_with_the_inode_of_a_finished_one_has_its_own_stream
    a_log_that_is_missing_for_a_moment_goes_on_with_its_stream
    a_file_that_is_written_to_after_it_was_let_go_is_read
    what_was_rotated_before_a_log_was_missing_is_read
    what_was_rotated_after_a_log_was_missing_is_read
    a_file_compressed_where_an_older_one_was_is_read_once
    a_deleted_file_is_not_finished_before_those_that_were_rotated_earlier
}

fn truncation_starts_over<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo\n");
    story.start();
    story.check(&["a.log: one two"]);
    story.truncate("a.log");
    story.check(&["a.log: one two"]);
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three"]);
    assert_eq!(story.status.truncations.get(), 1);
}

fn rewriting_in_place_starts_over<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo\n");
    story.start();
    story.check(&["a.log: one two"]);
    story.truncate("a.log");
    story.append("a.log", "three\nfour\nfive\n");
    story.check(&["a.log: one two three four five"]);
    story.truncate("a.log");
    story.append("a.log", "3\nfour\nfive!!\n");
    story.check(&["a.log: one two three four five 3 four five!!"]);
}

fn rename_and_create_loses_and_doubles_nothing<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "three\n");
    story.append("a.log.1", "late\n");
    story.check(&["a.log: one two late three"]);
    assert_eq!(story.open_file_count(), 2);
}

fn a_rotated_file_is_read_to_its_end_before_the_one_that_follows_it<W: Stage>() {
    let mut story = Story::<W>::new();
    let long: Vec<String> = (0..20_000).map(|number| format!("line number {number} of the first file")).collect();
    story.append("a.log", "begin\n");
    story.start();
    story.collect();
    story.append("a.log", long.join("\n") + "\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "next\n");
    story.collect();
    let lines = &story.lines["a.log"];
    assert!(2 * CHUNK_BYTES < lines.iter().map(String::len).sum());
    assert_eq!((lines.len(), lines.last().unwrap().as_str()), (20_002, "next"));
}

fn a_chain_of_rotations_loses_and_doubles_nothing<W: Stage>() {
    let mut story = Story::<W>::new();
    story.start();
    for round in 0..4 {
        story.append("a.log", format!("{round}\n"));
        story.collect();
        for (from, to) in [("a.log.2", "a.log.3"), ("a.log.1", "a.log.2"), ("a.log", "a.log.1")] {
            if story.path(from).exists() {
                story.rename(from, to);
            }
        }
    }
    story.check(&["a.log: 0 1 2 3"]);
    story.start();
    story.check(&["a.log: 0 1 2 3"]);
}

fn a_deleted_file_is_read_to_its_end<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\nunended");
    story.remove("a.log");
    story.check(&["a.log: one two unended"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
}

fn a_file_recreated_is_another_file<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    for _ in 0..3 {
        story.remove("a.log");
        story.append("a.log", "one\n");
        story.collect();
    }
    story.check(&["a.log: one one one one"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 1));
}

fn the_kubelets_rotation_behind_two_links<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir_all(story.path("../pods/p/c")).unwrap();
    fs::create_dir_all(story.path("../docker")).unwrap();
    let base = fs::canonicalize(story.directory.path()).unwrap();
    let target = base.join("docker/id-json.log");
    fs::write(&target, "one\n").unwrap();
    symlink(&target, base.join("pods/p/c/0.log")).unwrap();
    symlink(base.join("pods/p/c/0.log"), story.path("p_n_c-id.log")).unwrap();
    story.start();
    story.check(&["p_n_c-id.log: one"]);
    for round in 2..5 {
        OpenOptions::new().append(true).open(&target).unwrap().write_all(b"late\n").unwrap();
        let rotated = base.join(format!("docker/id-json.log.{round}"));
        fs::rename(&target, &rotated).unwrap();
        (story.report)(&target);
        (story.report)(&rotated);
        fs::write(&target, format!("{round}\n")).unwrap();
        (story.report)(&target);
        story.collect();
    }
    story.check(&["p_n_c-id.log: one late 2 late 3 late 4"]);
    assert_eq!(story.open_file_count(), 1);
}

fn rotations_between_two_looks_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../0.log", "one\n");
    story.link("../0.log", "a.log");
    story.append("b.log", "1\n");
    story.start();
    story.check(&["a.log: one", "b.log: 1"]);
    for (round, name) in ["20261122-130405", "20261122-130406", "20261122-130407"].iter().enumerate() {
        story.rename("../0.log", &format!("../0.log.{name}"));
        story.append("../0.log", format!("{round}\n"));
    }
    for (from, to) in [("b.log", "b.log.1"), ("b.log.1", "b.log.2"), ("b.log", "b.log.1")] {
        story.rename(from, to);
        story.append("b.log", "more\n");
    }
    story.compress("../0.log.20261122-130406", "../0.log.20261122-130406.gz");
    story.check(&["a.log: one 0 1 2", "b.log: 1 more more more"]);
}

fn a_rotation_before_a_link_is_switched_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "two\n");
    story.append("../1.log", "three\n");
    story.rename("../1.log", "../1.log.20261122-130406");
    story.append("../1.log", "four\n");
    story.relink("../1.log", "a.log");
    story.check(&["a.log: one two three four"]);
}

/// It is still open, and what is compressed is recognized although nothing of it was read.
fn a_file_compressed_before_it_was_read_is_read_once<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "");
    story.start();
    story.check(&[]);
    story.append("a.log", "one\n");
    story.compress("a.log", "a.log.1.gz");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    story.start();
    story.check(&["a.log: one two"]);
}

fn a_file_recreated_and_rotated_between_two_looks_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.remove("a.log");
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three"]);
}

/// Lines of one length that end in the same way put the same bytes before the offset again.
fn a_file_rewritten_to_its_old_length_starts_over<W: Stage>() {
    let end = "the same end of each line, longer than the bytes that are compared";
    let mut story = Story::<W>::new();
    story.append("a.log", format!("1:{end}\n"));
    story.start();
    story.check(&[&format!("a.log: 1:{end}")]);
    story.truncate("a.log");
    story.append("a.log", format!("2:{end}\n"));
    story.check(&[&format!("a.log: 1:{end} 2:{end}")]);
}

fn nothing_is_forgotten_of_a_directory_that_cannot_be_listed<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("../logs")).unwrap();
    story.append("../logs/0.log", "one\n");
    story.link("../logs/0.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.rename("../logs/0.log", "../logs/0.log.20261122-130405");
    story.append("../logs/0.log", "two\n");
    story.check(&["a.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 2));
    // A link that leads to itself cannot be listed.
    story.remove("a.log");
    fs::rename(story.path("../logs"), story.path("../moved")).unwrap();
    symlink("logs", story.path("../logs")).unwrap();
    story.check(&["a.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 2));
}

fn finished_files_are_forgotten_that_are_gone_from_a_quiet_directory<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.remove("a.log");
    story.check(&["a.log: one"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 1));
    story.remove("../0.log.20261122-130405");
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one"]);
    assert_eq!(story.checkpoints.len(), 0);
}

fn a_file_that_loses_its_name_as_soon_as_it_was_seen_is_read<W: Stage>() {
    let mut story = Story::<W>::new();
    story.start();
    story.append("a.log", "one\n");
    story.append("b.log", "two\n");
    story.collector.as_mut().unwrap().rescan();
    story.rename("a.log", "a.log.gz");
    story.remove("b.log");
    story.check(&["a.log: one", "b.log: two"]);
}

fn files_rotated_right_after_one_was_seen_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../0.log", "one\n");
    story.start();
    story.link("../0.log", "a.log");
    story.collector.as_mut().unwrap().rescan();
    for (name, text) in [("../0.log.20261122-130405", "two\n"), ("../0.log.20261122-130406", "three\n")] {
        story.rename("../0.log", name);
        story.append("../0.log", text);
    }
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one two three"]);
}

fn a_file_with_the_inode_of_a_finished_one_has_its_own_stream<W: Stage>() {
    WITHOUT_BIRTHS.set(true);
    let mut story = Story::<W>::after_one("a.log");
    story.rename("a.log", "moved.gz");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    // As if it had been deleted and another one had got its inode.
    story.truncate("moved.gz");
    story.append("moved.gz", "three\n");
    story.rename("moved.gz", "b.log");
    for _ in 0..2 {
        story.check(&["a.log: one two", "b.log: three"]);
        story.start();
    }
    WITHOUT_BIRTHS.set(false);
}

fn a_log_that_is_missing_for_a_moment_goes_on_with_its_stream<W: Stage>() {
    for looked_at in 0..2 {
        let mut story = Story::<W>::after_one_behind_a_link();
        story.settings.quiet_before_letting_go = COPY_PATIENCE;
        story.start();
        let texts = ["one", "two", "three", "four"];
        for (round, text) in texts.iter().enumerate().skip(1) {
            story.rename("../0.log", &format!("../0.log.2026112{round}-130405"));
            if round % 2 == looked_at {
                story.collect();
            }
            story.append("../0.log", format!("{text}\n"));
        }
        story.check(&["a.log: one two three four"]);
    }
}

fn a_file_that_is_written_to_after_it_was_let_go_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.rename("a.log", "moved.gz");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    assert_eq!(story.open_file_count(), 1);
    story.append("moved.gz", "late\n");
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one two late"]);
    story.start();
    story.check(&["a.log: one two late"]);
}

fn what_was_rotated_before_a_log_was_missing_is_read<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "");
    story.start();
    story.check(&[]);
    story.rename("a.log", "a.log.1");
    story.append("a.log", "one\n");
    story.rename("a.log.1", "a.log.2");
    story.rename("a.log", "a.log.1");
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
}

fn what_was_rotated_after_a_log_was_missing_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.check(&["a.log: one"]);
    assert_eq!(story.open_file_count(), 0);
    story.append("../0.log", "two\n");
    story.rename("../0.log", "../0.log.20261122-130406");
    story.append("../0.log", "three\n");
    story.check(&["a.log: one two three"]);
}

fn a_file_compressed_where_an_older_one_was_is_read_once<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    story.rename("a.log.1", "a.log.2");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "");
    story.compress("a.log.1", "a.log.1.gz");
    story.check(&["a.log: one two"]);
}

fn files_after_one_without_an_end_wait_for_each_other<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two");
    story.collect();
    story.rename("a.log", "a.log.1");
    story.append("a.log", "three\n");
    story.rename("a.log.1", "a.log.2");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "four\n");
    story.check(&["a.log: one"]);
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one two three four"]);
}

fn what_was_put_away_while_down_is_read_in_its_order<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    fs::create_dir(story.path("old")).unwrap();
    for (number, text) in [(3, "two\n"), (2, "three\n"), (1, "four\n")] {
        story.rename("a.log", &format!("old/a.log.{number}"));
        story.append("a.log", text);
    }
    story.start();
    story.check(&["a.log: one two three four"]);
}

fn what_was_copied_before_it_was_read_is_the_logs_past<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "");
    story.start();
    story.collect();
    story.append("a.log", "one\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
}

fn copies_made_while_down_come_before_the_log<W: Stage>() {
    let line = |name: &str| format!("{name} {}\n", "of a line that is long enough to tell a copy by it. ".repeat(2));
    let mut story = Story::<W>::new();
    story.append("a.log", line("one"));
    story.start();
    story.collect();
    for (number, next) in [(2, "two"), (1, "three")] {
        story.copy("a.log", &format!("a.log.{number}"));
        story.truncate("a.log");
        story.append("a.log", line(next));
    }
    story.start();
    story.collect();
    let names: Vec<&str> = story.lines["a.log"].iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!((names, story.lines.len()), (vec!["one", "two", "three"], 1));
}

fn a_deleted_file_is_not_finished_before_those_that_were_rotated_earlier<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\nhalf a line");
    story.start();
    story.check(&["a.log: one"]);
    for (earlier, later) in [("a.log.2", "a.log.3"), ("a.log.1", "a.log.2"), ("a.log", "a.log.1")] {
        if story.path(earlier).exists() {
            story.rename(earlier, later);
        }
    }
    story.append("a.log", "two\n");
    story.collect();
    story.rename("a.log.1", "a.log.2");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "three\n");
    story.collect();
    story.remove("a.log");
    story.append("a.log", "four\n");
    story.check(&["a.log: one"]);
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one half a line two three four"]);
}
