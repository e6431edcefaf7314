//! Which files are collected, and under which names.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Stage, Story, on_mock_and_platform};
use crate::log_collector::patterns::Patterns;

on_mock_and_platform! {
    an_empty_file_gives_nothing
    a_file_is_read_and_followed
    several_files_give_each_line_once
    a_line_is_kept_back_until_it_ends
    the_root_may_be_a_link
    a_root_that_goes_away_is_missed_until_it_is_back
    a_link_to_a_file_elsewhere_carries_the_links_path
    a_link_in_the_root_gives_two_streams_of_one_file
    links_of_both_kinds_under_a_linked_root
    a_hard_link_found_later_gets_the_whole_file
    a_new_file_is_read_from_its_first_byte
    subdirectories_are_followed
    a_renamed_subdirectory_goes_on
    a_replaced_subdirectory_is_another
    a_replaced_directory_behind_a_link_is_another
    a_removed_subdirectory_is_let_go
    a_link_switched_to_another_file_goes_on_there
    a_link_switched_away_from_a_file_with_its_own_name_has_no_more_of_it
    a_link_switched_while_nobody_looked_has_no_more_of_the_old_file
    a_link_switched_back_has_each_line_once
    a_link_has_what_was_begun_when_it_was_switched
    a_file_renamed_beside_its_other_names_goes_on_under_the_old_ones
    a_dangling_link_is_followed_once_there_is_a_file
    a_directory_that_links_lead_through_and_is_not_there_is_told_of
    binary_files_archives_and_own_data_are_left_out
    what_is_no_regular_file_is_left_out
    a_link_to_a_directory_is_followed
}

fn an_empty_file_gives_nothing<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "");
    story.start();
    story.check(&[]);
    assert_eq!(story.open_file_count(), 1);
}

fn a_file_is_read_and_followed<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo\n");
    story.start();
    story.check(&["a.log: one two"]);
    story.append("a.log", "three\n\n");
    story.check(&["a.log: one two three "]);
}

fn several_files_give_each_line_once<W: Stage>() {
    let mut story = Story::<W>::new();
    for name in ["a.log", "b.log", "c.log"] {
        story.append(name, format!("{name}-1\n"));
    }
    story.start();
    for round in 2..4 {
        for name in ["c.log", "a.log", "b.log"] {
            story.append(name, format!("{name}-{round}\n"));
        }
        story.collect();
    }
    story.check(&[
        "a.log: a.log-1 a.log-2 a.log-3",
        "b.log: b.log-1 b.log-2 b.log-3",
        "c.log: c.log-1 c.log-2 c.log-3",
    ]);
}

fn a_line_is_kept_back_until_it_ends<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntw");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "o");
    story.check(&["a.log: one"]);
    assert_eq!(story.status.oldest_lag(), None, "what only waits for its end is not late");
    story.append("a.log", "\nthree");
    story.check(&["a.log: one two"]);
}

fn the_root_may_be_a_link<W: Stage>() {
    let mut story = Story::<W>::new();
    let link = story.directory.path().join("link");
    symlink("root", &link).unwrap();
    story.settings.root = link;
    story.append("a.log", "one\n");
    story.start();
    story.append("a.log", "two\n");
    story.append("b.log", "three\n");
    story.check(&["a.log: one two", "b.log: three"]);
}

fn a_link_to_a_file_elsewhere_carries_the_links_path<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../elsewhere.log", "one\n");
    story.link("../elsewhere.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.append("../elsewhere.log", "two\n");
    story.check(&["a.log: one two"]);
}

fn a_link_in_the_root_gives_two_streams_of_one_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.link("a.log", "b.log");
    story.start();
    story.append("a.log", "two\n");
    story.check(&["a.log: one two", "b.log: one two"]);
    assert_eq!(story.open_file_count(), 1);
}

fn links_of_both_kinds_under_a_linked_root<W: Stage>() {
    let mut story = Story::<W>::new();
    let link = story.directory.path().join("link");
    symlink("root", &link).unwrap();
    story.settings.root = link;
    story.append("../elsewhere.log", "out\n");
    story.append("a.log", "in\n");
    story.start();
    story.link("../elsewhere.log", "b.log");
    story.link("a.log", "c.log");
    story.check(&["a.log: in", "b.log: out", "c.log: in"]);
    story.append("../elsewhere.log", "out2\n");
    story.append("a.log", "in2\n");
    story.check(&["a.log: in in2", "b.log: out out2", "c.log: in in2"]);
    assert_eq!(story.open_file_count(), 2);
}

fn a_hard_link_found_later_gets_the_whole_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("b.log", "one\n");
    story.start();
    story.check(&["b.log: one"]);
    fs::hard_link(story.path("b.log"), story.path("a.log")).unwrap();
    story.happened("a.log");
    story.check(&["a.log: one", "b.log: one"]);
    story.append("a.log", "two\n");
    story.check(&["a.log: one two", "b.log: one two"]);
    story.start();
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three", "b.log: one two three"]);
}

fn a_new_file_is_read_from_its_first_byte<W: Stage>() {
    let mut story = Story::<W>::new();
    story.start();
    story.check(&[]);
    story.append("a.log", "one\ntwo\n");
    story.check(&["a.log: one two"]);
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three"]);
}

fn subdirectories_are_followed<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir_all(story.path("x/y")).unwrap();
    story.append("x/y/a.log", "one\n");
    story.start();
    story.check(&["x/y/a.log: one"]);
    fs::create_dir_all(story.path("z/z")).unwrap();
    story.append("z/z/b.log", "two\n");
    story.happened("z");
    story.check(&["x/y/a.log: one", "z/z/b.log: two"]);
    story.append("z/z/b.log", "three\n");
    story.append("z/c.log", "four\n");
    story.check(&["x/y/a.log: one", "z/c.log: four", "z/z/b.log: two three"]);
}

fn a_renamed_subdirectory_goes_on<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("m")).unwrap();
    story.append("m/x.log", "one\n");
    story.start();
    story.check(&["m/x.log: one"]);
    for (from, to) in [("m", "a"), ("a", "z")] {
        story.rename(from, to);
        story.collect();
        story.append(&format!("{to}/x.log"), "more\n");
    }
    story.append("z/new.log", "new\n");
    story.check(&["m/x.log: one more more", "z/new.log: new"]);
}

fn a_replaced_subdirectory_is_another<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("m")).unwrap();
    story.append("m/x.log", "one\n");
    story.start();
    story.check(&["m/x.log: one"]);
    story.replace_directory("m", "m.old");
    story.append("m/x.log", "two\n");
    story.check(&["m/x.log: one two"]);
    story.append("m/x.log", "three\n");
    story.append("m/y.log", "four\n");
    story.append("m.old/z.log", "five\n");
    story.check(&["m.old/z.log: five", "m/x.log: one two three", "m/y.log: four"]);
}

fn a_replaced_directory_behind_a_link_is_another<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("../m")).unwrap();
    story.append("../m/x.log", "one\n");
    story.link("../m/x.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    for round in ["two", "three"] {
        story.replace_directory("../m", &format!("../{round}"));
        story.append("../m/x.log", format!("{round}\n"));
        story.collect();
    }
    story.check(&["a.log: one two three"]);
}

fn a_removed_subdirectory_is_let_go<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("x")).unwrap();
    story.append("x/a.log", "one\n");
    story.start();
    story.check(&["x/a.log: one"]);
    story.append("x/a.log", "two\n");
    fs::remove_dir_all(story.path("x")).unwrap();
    story.happened("x/a.log");
    story.happened("x");
    story.check(&["x/a.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
}

fn a_link_switched_to_another_file_goes_on_there<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../first", "one\n");
    story.append("../second", "two\n");
    story.link("../first", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.append("../first", "last\n");
    symlink("../second", story.path("new")).unwrap();
    story.rename("new", "a.log");
    story.append("../second", "three\n");
    story.check(&["a.log: one last two three"]);
    assert_eq!(story.open_file_count(), 1);
}

/// `old.log` and `new.log`, of which `latest.log` is the first and is switched to the other; both have been read.
fn after_a_switch<W: Stage>() -> Story<W> {
    let mut story = Story::<W>::new();
    story.append("old.log", "one\n");
    story.append("new.log", "1\n");
    story.link("old.log", "latest.log");
    story.start();
    story.check(&["latest.log: one", "new.log: 1", "old.log: one"]);
    story.append("old.log", "two\n");
    story.relink("new.log", "latest.log");
    story.check(&["latest.log: one two 1", "new.log: 1", "old.log: one two"]);
    story
}

fn a_link_switched_away_from_a_file_with_its_own_name_has_no_more_of_it<W: Stage>() {
    let mut story = after_a_switch::<W>();
    story.append("old.log", "three\n");
    story.append("new.log", "2\n");
    story.check(&["latest.log: one two 1 2", "new.log: 1 2", "old.log: one two three"]);
    for _ in 0..2 {
        story.append("old.log", "late\n");
        story.start();
        story.collect();
    }
    // Not even where all of it is read again.
    story.link("old.log", "again.log");
    story.check(&[
        "again.log: one two three late late",
        "latest.log: one two 1 2",
        "new.log: 1 2",
        "old.log: one two three late late",
    ]);
    // It is rotated as any other.
    story.rename("old.log", "old.log.1");
    story.append("old.log", "next\n");
    story.append("old.log.1", "last\n");
    story.relink("new.log", "again.log");
    story.collect();
    assert_eq!(story.lines["latest.log"], ["one", "two", "1", "2"]);
    assert_eq!(story.lines["old.log"].join(" "), "one two three late late last next");
}

fn a_link_switched_while_nobody_looked_has_no_more_of_the_old_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("old.log", "one\n");
    story.append("new.log", "1\n");
    story.link("old.log", "latest.log");
    story.start();
    story.collect();
    story.append("old.log", "two\n");
    story.relink("new.log", "latest.log");
    story.start();
    story.check(&["latest.log: one two 1", "new.log: 1", "old.log: one two"]);
    for _ in 0..2 {
        story.append("old.log", "late\n");
        story.check(&[
            "latest.log: one two 1",
            "new.log: 1",
            &format!("old.log: {}", story.lines["old.log"].join(" ") + " late"),
        ]);
        story.start();
    }
}

fn a_link_switched_back_has_each_line_once<W: Stage>() {
    let mut story = after_a_switch::<W>();
    story.append("old.log", "three\n");
    story.collect();
    story.start();
    story.collect();
    story.relink("old.log", "latest.log");
    story.check(&["latest.log: one two 1 three", "new.log: 1", "old.log: one two three"]);
    story.append("new.log", "2\n");
    story.append("old.log", "four\n");
    story.check(&["latest.log: one two 1 three four", "new.log: 1 2", "old.log: one two three four"]);
}

/// Lines that had not ended, and entries that waited for their next line.
fn a_link_has_what_was_begun_when_it_was_switched<W: Stage>() {
    for multiline in [false, true] {
        let mut story = Story::<W>::new();
        story.settings.multiline = multiline;
        story.append("old.log", "one\n");
        story.append("new.log", "1\n");
        story.link("old.log", "latest.log");
        story.start();
        story.collect();
        story.append("old.log", "beg");
        story.collect();
        story.relink("new.log", "latest.log");
        story.collect();
        story.append("old.log", "un\nthree\nfour\n");
        story.append("new.log", "2\n3\n");
        story.collect();
        // Each file's last line waits where lines are joined.
        let (of_old, of_latest): (&[&str], &[&str]) = if multiline {
            (&["one", "begun", "three"], &["1", "2", "begun", "one"])
        } else {
            (&["one", "begun", "three", "four"], &["1", "2", "3", "begun", "one"])
        };
        assert_eq!(story.lines["old.log"], of_old);
        // Whose turn comes first is left open once both files are active.
        story.lines.get_mut("latest.log").unwrap().sort();
        assert_eq!(story.lines["latest.log"], of_latest);
    }
}

fn a_file_renamed_beside_its_other_names_goes_on_under_the_old_ones<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    fs::hard_link(story.path("a.log"), story.path("b.log")).unwrap();
    story.link("a.log", "latest.log");
    story.start();
    story.check(&["a.log: one", "b.log: one", "latest.log: one"]);
    story.rename("a.log", "a.log.1");
    story.append("a.log", "1\n");
    story.happened("latest.log");
    story.collect();
    story.append("a.log.1", "late\n");
    story.check(&["a.log: one 1 late", "b.log: one late", "latest.log: one 1"]);
}

fn a_dangling_link_is_followed_once_there_is_a_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.link("../later.log", "a.log");
    story.start();
    story.check(&[]);
    story.append("../later.log", "one\n");
    (story.report)(&fs::canonicalize(story.path("../later.log")).unwrap());
    story.check(&["a.log: one"]);
}

fn a_directory_that_links_lead_through_and_is_not_there_is_told_of<W: Stage>() {
    let mut story = Story::<W>::new();
    let outside = fs::canonicalize(story.path("..")).unwrap().join("mount");
    story.link("../mount/pods/a.log", "a.log");
    story.link("../mount/pods/b.log", "b.log");
    story.link("../later.log", "later.log");
    story.start();
    story.check(&[]);
    assert_eq!(story.status.missing_targets(), [outside.clone()].into());
    fs::create_dir_all(outside.join("pods")).unwrap();
    story.append("../mount/pods/a.log", "one\n");
    (story.report)(&outside);
    (story.report)(&outside.join("pods"));
    (story.report)(&outside.join("pods/a.log"));
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one"]);
    assert_eq!(story.status.missing_targets(), [].into());
}

fn binary_files_archives_and_own_data_are_left_out<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("wtmp", "text\n");
    story.append("old.log.gz", "text\n");
    story.append("gzip-without-ending", b"\x1f\x8b\x08text\n");
    story.append("records", [0, 1, 0, 2].repeat(300));
    fs::create_dir(story.path("data")).unwrap();
    story.append("data/journal", "text\n");
    story.settings.data_directory = Some(story.path("data"));
    story.start();
    story.append("data/journal", "text\n");
    story.append("old.log.gz", "text\n");
    story.check(&[]);
    story.settings.patterns = Patterns::new(&["*.gz".into()], &[]).unwrap();
    story.start();
    story.check(&["old.log.gz: text text"]);
}

fn what_is_no_regular_file_is_left_out<W: Stage>() {
    let mut story = Story::<W>::new();
    rustix::fs::mknodat(rustix::fs::CWD, story.path("fifo.log"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(story.path("socket.log")).unwrap();
    fs::create_dir(story.path("directory.log")).unwrap();
    story.link("fifo.log", "fifo-link.log");
    story.link("loop.log", "loop.log");
    story.link("..", "up.log");
    story.link("/proc/self/status", "proc.log");
    story.append("directory.log/a.log", "one\n");
    story.start();
    story.check(&["directory.log/a.log: one"]);
    assert_eq!(story.status.links_refused.get(), 4);
}

fn a_root_that_goes_away_is_missed_until_it_is_back<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    let is_missing = |story: &Story<W>| story.status.missing_roots().contains(&story.settings.root);
    assert!(!is_missing(&story));
    let (root, away) = (story.settings.root.clone(), story.settings.root.with_file_name("away"));
    fs::rename(&root, &away).unwrap();
    story.collector.as_mut().unwrap().rescan();
    assert!(is_missing(&story));
    fs::rename(&away, &root).unwrap();
    story.collector.as_mut().unwrap().rescan();
    assert!(!is_missing(&story));
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
}

fn a_link_to_a_directory_is_followed<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir_all(story.path("../disk/sub")).unwrap();
    story.append("../disk/a.log", "one\n");
    story.append("../disk/sub/b.log", "two\n");
    story.link("../disk", "logs");
    // Loops, and what is followed already.
    story.link("../../root", "../disk/loop");
    story.link("sub", "../disk/again");
    fs::create_dir(story.path("own")).unwrap();
    story.append("own/c.log", "three\n");
    story.link("own", "other");
    story.start();
    story.check(&["logs/a.log: one", "logs/sub/b.log: two", "own/c.log: three"]);
    story.append("../disk/a.log", "1\n");
    story.rename("../disk/a.log", "../disk/a.log.1");
    story.append("../disk/a.log", "11\n");
    story.append("../disk/new.log", "new\n");
    for _ in 0..2 {
        story.check(&["logs/a.log: one 1 11", "logs/new.log: new", "logs/sub/b.log: two", "own/c.log: three"]);
        story.start();
    }
    story.collect();
    fs::create_dir(story.path("../moved")).unwrap();
    story.relink("../moved", "logs");
    story.append("../moved/d.log", "four\n");
    story.append("../disk/a.log", "late\n");
    story.check(&[
        "logs/a.log: one 1 11 late",
        "logs/d.log: four",
        "logs/new.log: new",
        "logs/sub/b.log: two",
        "own/c.log: three",
    ]);
}
