//! What happened to files while the agent was not running.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Stage, Story, on_mock_and_platform};
use crate::file::WITHOUT_BIRTHS;
use crate::log_collector::Collector;
use crate::log_collector::directory::families::POSITION_KEPT;
use crate::log_collector::patterns::Patterns;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::model::Timestamp;
use crate::status::SkipReason;

on_mock_and_platform! {
    a_restart_reads_on_where_it_was
    a_file_renamed_while_down_is_read_on
    files_of_one_stream_are_resumed_in_their_order
    a_file_rotated_out_of_the_root_while_down_is_read_to_its_end
    rotations_while_down_are_read_in_their_order
    rotations_out_of_the_root_while_down_are_read_in_their_order
    a_compressed_copy_made_while_down_is_read_on
    a_restart_goes_on_inside_a_compressed_file
    a_file_whose_link_is_gone_is_read_to_its_end
    a_file_that_a_power_cut_shortened_goes_on
    a_file_rewritten_while_down_is_read_from_its_start
    history_can_be_skipped
    history_is_skipped_at_the_very_first_start_only
    a_file_compressed_after_it_was_let_go_is_not_read_again
    a_file_is_forgotten_only_once_its_successor_is_known
    a_file_compressed_before_it_was_read_is_found_by_its_place
    compressed_files_keep_their_turn_over_restarts
    files_rotated_behind_a_switched_link_are_read_in_their_order
    a_copy_of_a_file_that_a_power_cut_shortened_is_not_read_again
    a_file_that_is_left_out_for_a_while_is_read_on
    what_a_link_leads_to_is_left_out_with_it_and_not_missed
    an_old_archive_is_remembered_as_long_as_it_is_there
    a_file_with_the_inode_of_a_finished_one_is_read_in_its_turn
    a_log_has_its_past_from_the_first_start_on
    a_log_with_a_number_in_its_name_is_its_own
    a_directory_that_comes_back_goes_on
    a_rotation_that_is_put_away_and_compressed_is_found
    a_file_born_and_rotated_while_down_comes_before_its_successor
    a_finished_file_that_a_power_cut_shortened_is_not_read_again
}

fn a_restart_reads_on_where_it_was<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntw");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "o\nthree\n");
    story.start();
    story.check(&["a.log: one two three"]);
    story.start();
    story.check(&["a.log: one two three"]);
}

fn a_file_renamed_while_down_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.1");
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
}

fn files_of_one_stream_are_resumed_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.collect();
    for (from, to, text) in [("a.log", "a.log.1", "two\n"), ("a.log", "a.log.0", "three\n")] {
        story.rename(from, to);
        story.append("a.log", text);
        story.collect();
    }
    for (name, text) in [("a.log", "three again\n"), ("a.log.1", "one again\n"), ("a.log.0", "two again\n")] {
        story.append(name, text);
    }
    story.start();
    story.check(&["a.log: one two three one again two again three again"]);
}

fn a_file_rotated_out_of_the_root_while_down_is_read_to_its_end<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.append("../0.log", "two\n");
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 2));
}

fn rotations_while_down_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "zero\n");
    story.compress("a.log", "a.log.2.gz");
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: zero one"]);
    story.append("a.log", "two\n");
    story.rename("a.log.2.gz", "a.log.4.gz");
    story.compress("a.log", "a.log.3.gz");
    story.append("a.log", "three\nthree\n");
    story.compress("a.log", "a.log.2.gz");
    story.append("a.log.1", "four\n");
    story.append("a.log", "five\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: zero one two three three four five"]);
    }
    story.append("a.log.1", "late\n");
    story.append("a.log", "six\n");
    story.check(&["a.log: zero one two three three four five late six"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (2, 5));
}

fn rotations_out_of_the_root_while_down_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../0.log", "zero\n");
    story.compress("../0.log", "../0.log.20261122-130400.gz");
    story.append("../0.log", "one\n");
    story.link("../0.log", "a.log");
    story.start();
    story.check(&["a.log: zero one"]);
    story.append("../0.log", "two\n");
    story.compress("../0.log", "../0.log.20261122-130405.gz");
    story.append("../0.log.20261122-130406", "three\n");
    story.append("../0.log", "four\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: zero one two three four"]);
        assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 4));
    }
    story.rename("../0.log", "../0.log.20261122-130407");
    story.append("../0.log", "five\n");
    story.start();
    story.check(&["a.log: zero one two three four five"]);
}

fn a_compressed_copy_made_while_down_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.copy("a.log", "a.log.1");
    story.compress("a.log.1", "a.log.1.gz");
    story.truncate("a.log");
    story.append("a.log", "three\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three"]);
    }
    assert_eq!(story.checkpoints.len(), 2);
}

fn a_restart_goes_on_inside_a_compressed_file<W: Stage>() {
    let mut story = Story::<W>::new();
    let lines: Vec<String> = (0..60_000).map(|number| format!("line number {number}")).collect();
    story.append("a.log", "line number 0\n");
    story.start();
    story.collect();
    fs::write(story.path("a.log"), lines.join("\n") + "\n").unwrap();
    story.compress("a.log", "a.log.1.gz");
    story.append("a.log", "next\n");
    for _ in 0..6 {
        story.start();
        while let Some(next) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
            let has_lines = !next.batch.streams.is_empty();
            story.keep(next);
            if has_lines {
                break;
            }
        }
    }
    story.collect();
    let actual = &story.lines["a.log"];
    assert_eq!(actual[..60_000], lines);
    assert_eq!(actual[60_000..], ["next"]);
}

fn a_file_whose_link_is_gone_is_read_to_its_end<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.append("../0.log", "two\n");
    story.remove("a.log");
    story.start();
    story.check(&["a.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 1));
}

fn a_file_that_a_power_cut_shortened_goes_on<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "the first line\nthe second line\nthe third line\n");
    story.start();
    story.collect();
    for round in 0..3 {
        story.shorten("a.log", 40 - round);
        story.start();
        story.collect();
        story.append("a.log", "\nmore\n");
        story.collect();
    }
    story.check(&["a.log: the first line the second line the third line  more  more  more"]);
    story.shorten("a.log", 0);
    story.append("a.log", "anew\n");
    story.start();
    story.check(&["a.log: the first line the second line the third line  more  more  more anew"]);
}

fn a_file_rewritten_while_down_is_read_from_its_start<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo\n");
    story.start();
    story.check(&["a.log: one two"]);
    story.truncate("a.log");
    story.append("a.log", "three\nfour\nfive\n");
    story.start();
    story.check(&["a.log: one two three four five"]);
    story.truncate("a.log");
    story.append("a.log", "six\n");
    story.start();
    story.check(&["a.log: one two three four five six"]);
}

fn history_can_be_skipped<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.start_from_end = true;
    story.append("a.log", "old\nunen");
    story.append("a.log.1", "old\n");
    story.link("a.log", "link.log");
    story.start();
    story.check(&[]);
    story.append("a.log", "ded\n");
    story.append("b.log", "new\n");
    story.check(&["a.log: unended", "b.log: new", "link.log: unended"]);
    assert_eq!(story.status.skipped(SkipReason::StartFromEnd), 8);
    story.append("c.log", "while down\n");
    story.start();
    story.check(&["a.log: unended", "b.log: new", "c.log: while down", "link.log: unended"]);
}

fn history_is_skipped_at_the_very_first_start_only<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.start_from_end = true;
    story.start();
    story.check(&[]);
    story.append("a.log", "while down\n");
    story.start();
    story.check(&["a.log: while down"]);
}

/// The device of a file system may have another number after a restart of the machine.
#[test]
fn a_file_whose_device_has_another_number_is_read_on() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    let renumber = |(mut source, position): (Vec<u8>, Vec<u8>)| {
        source[0] ^= 1;
        (source, position)
    };
    for _ in 0..2 {
        story.checkpoints = std::mem::take(&mut story.checkpoints).into_iter().map(renumber).collect();
        story.start();
        story.check(&["a.log: one"]);
        assert_eq!(story.checkpoints.len(), 1);
    }
}

/// The kubelet compresses a file when the next one is rotated. It was read long before that, and forgotten.
fn a_file_compressed_after_it_was_let_go_is_not_read_again<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "two\n");
    story.check(&["a.log: one two"]);
    story.compress("../0.log.20261122-130405", "../0.log.20261122-130405.gz");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two"]);
    }
    story.rename("../0.log", "../0.log.20261122-130406");
    story.append("../0.log", "three\n");
    story.check(&["a.log: one two three"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 3));
    story.remove("../0.log.20261122-130405.gz");
    story.remove("../0.log");
    story.check(&["a.log: one two three"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 1));
}

/// A crash between two batches must not leave a log of which nothing is known, lest its rotated files be taken for others.
fn a_file_is_forgotten_only_once_its_successor_is_known<W: Stage>() {
    for batch_count in 0..8 {
        let mut story = Story::<W>::after_one("a.log");
        story.remove("a.log");
        story.append("a.log", "two\n");
        story.start();
        story.collect_batches(batch_count);
        story.rename("a.log", "a.log.1");
        story.append("a.log", "three\n");
        story.start();
        story.check(&["a.log: one two three"]);
    }
}

/// Of a file that is compressed before it was read only its place tells which one it is.
fn a_file_compressed_before_it_was_read_is_found_by_its_place<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "");
    story.start();
    story.check(&[]);
    story.append("a.log", "one\n");
    story.compress("a.log", "a.log.1.gz");
    story.append("a.log", "two\n");
    story.start();
    story.check(&["a.log: one two"]);
}

/// The birth of a compressed file is when it was compressed: it says nothing of whose turn it is.
fn compressed_files_keep_their_turn_over_restarts<W: Stage>() {
    for batch_count in 0..6 {
        let mut story = Story::<W>::after_one("a.log");
        story.append("a.log", "two\n");
        story.rename("a.log", "a.log.2");
        story.append("a.log", "three\n");
        story.rename("a.log", "a.log.1");
        story.compress("a.log.2", "a.log.2.gz");
        story.append("a.log", "four\n");
        for _ in 0..2 {
            story.start();
            story.collect_batches(batch_count);
        }
        story.start();
        story.check(&["a.log: one two three four"]);
    }
}

/// A container that was started anew writes to another file, which may be rotated before its link was ever followed.
fn files_rotated_behind_a_switched_link_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "two\n");
    story.append("../1.log", "three\n");
    story.rename("../1.log", "../1.log.20261122-130406");
    story.append("../1.log", "four\n");
    story.relink("../1.log", "a.log");
    story.start();
    story.check(&["a.log: one two three four"]);
}

fn a_copy_of_a_file_that_a_power_cut_shortened_is_not_read_again<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "the first line of it\nthe second line of it\n");
    story.start();
    story.check(&["a.log: the first line of it the second line of it"]);
    story.shorten("a.log", 24);
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.append("a.log", "three\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: the first line of it the second line of it three"]);
    }
}

fn a_file_that_is_left_out_for_a_while_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    let patterns = Patterns::new(&[], &["a.log".to_owned()]).unwrap();
    let patterns = std::mem::replace(&mut story.settings.patterns, patterns);
    story.start();
    story.check(&["a.log: one"]);
    story.settings.patterns = patterns;
    story.append("a.log", "two\n");
    story.start();
    story.check(&["a.log: one two"]);
}

fn what_a_link_leads_to_is_left_out_with_it_and_not_missed<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    let patterns = Patterns::new(&[], &["a.log".to_owned()]).unwrap();
    let patterns = std::mem::replace(&mut story.settings.patterns, patterns);
    story.append("../0.log", "two\n");
    story.start();
    story.check(&["a.log: one"]);
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "three\n");
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one"]);
    story.settings.patterns = patterns;
    story.start();
    story.check(&["a.log: one two three"]);
    assert_eq!(story.status.gaps(), []);
}

fn an_old_archive_is_remembered_as_long_as_it_is_there<W: Stage>() {
    let mut story = Story::<W>::after_one_behind_a_link();
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "two\n");
    story.check(&["a.log: one two"]);
    story.settings.clock = || Timestamp::from_ns(2 * POSITION_KEPT.cast_signed());
    story.start();
    story.check(&["a.log: one two"]);
    assert_eq!(story.checkpoints.len(), 2);
    story.remove("../0.log.20261122-130405");
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one two"]);
    assert_eq!(story.checkpoints.len(), 1);
}

fn a_file_with_the_inode_of_a_finished_one_is_read_in_its_turn<W: Stage>() {
    WITHOUT_BIRTHS.set(true);
    for is_down in [false, true] {
        let mut story = Story::<W>::after_one_behind_a_link();
        story.rename("../0.log", "../0.log.20261122-130405");
        story.append("../0.log", "two\n");
        story.check(&["a.log: one two"]);
        story.rename("../0.log", "../0.log.20261122-130406");
        // As if it had been deleted and the next one had got its inode.
        story.truncate("../0.log.20261122-130405");
        story.append("../0.log.20261122-130405", "III\n");
        story.rename("../0.log.20261122-130405", "../0.log.20261122-130407");
        story.append("../0.log", "four\n");
        if is_down {
            story.start();
        }
        story.check(&["a.log: one two III four"]);
    }
    WITHOUT_BIRTHS.set(false);
}

fn a_log_has_its_past_from_the_first_start_on<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("old")).unwrap();
    for (name, text) in [("old/a.log.3.gz", "one\n"), ("a.log.2.gz", "two\n"), ("a.log.1", "three\n")] {
        story.append("a.log", text);
        if Path::new(name).extension().is_some_and(|extension| extension == "gz") {
            story.compress("a.log", name);
        } else {
            story.rename("a.log", name);
        }
    }
    story.append("a.log", "four\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three four"]);
    }
}

fn a_log_with_a_number_in_its_name_is_its_own<W: Stage>() {
    let mut story = Story::<W>::after_one("agent.log");
    story.remove("agent.log");
    story.append("agent.log", "two\n");
    story.append("agent-8001.log", "1\n");
    story.start();
    story.append("agent-8001.log", "2\n");
    story.check(&["agent-8001.log: 1 2", "agent.log: one two"]);
    story.append("agent-8002.log", "x\n");
    for _ in 0..2 {
        story.check(&["agent-8001.log: 1 2", "agent-8002.log: x", "agent.log: one two"]);
        story.start();
    }
}

fn a_directory_that_comes_back_goes_on<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir(story.path("app")).unwrap();
    story.append("app/a.log", "one\n");
    story.start();
    story.check(&["app/a.log: one"]);
    for is_down in [false, true] {
        story.rename("app", "../parked");
        story.check(&["app/a.log: one"]);
        assert_eq!(story.open_file_count(), 0);
        if is_down {
            story.start();
            story.collect();
        }
        story.rename("../parked", "app");
        story.check(&["app/a.log: one"]);
    }
    story.append("app/a.log", "two\n");
    story.check(&["app/a.log: one two"]);
}

fn a_rotation_that_is_put_away_and_compressed_is_found<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    fs::create_dir(story.path("old")).unwrap();
    story.append("a.log", "two\n");
    story.compress("a.log", "old/a.log.1.gz");
    story.append("a.log", "three\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three"]);
    }
}

fn a_file_born_and_rotated_while_down_comes_before_its_successor<W: Stage>() {
    for batch_count in 0..8 {
        let mut story = Story::<W>::after_one_behind_a_link();
        for round in 2..6 {
            story.append("../0.log", format!("{round}a\n"));
            story.rename("../0.log", &format!("../0.log.2026112{round}-130405"));
            story.append("../0.log", format!("{round}b\n"));
            story.start();
            story.collect_batches(batch_count);
        }
        story.check(&["a.log: one 2a 2b 3a 3b 4a 4b 5a 5b"]);
    }
}

/// Whether it was compressed since then or not.
fn a_finished_file_that_a_power_cut_shortened_is_not_read_again<W: Stage>() {
    for is_compressed in [false, true] {
        let mut story = Story::<W>::after_one_behind_a_link();
        story.append("../0.log", "two, which is long\nthree, which is not synced\n");
        story.rename("../0.log", "../0.log.20261122-130405");
        story.append("../0.log", "");
        let lines = "a.log: one two, which is long three, which is not synced";
        story.check(&[lines]);
        assert_eq!(story.open_file_count(), 1, "the rotated file is read to its end and closed");
        story.shorten("../0.log.20261122-130405", 30);
        if is_compressed {
            story.compress("../0.log.20261122-130405", "../0.log.20261122-130405.gz");
        }
        for _ in 0..2 {
            story.start();
            story.check(&[lines]);
        }
    }
}
