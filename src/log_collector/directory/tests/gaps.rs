//! What is lost is said.

use std::fs;

use super::{Stage, Story, on_mock_and_platform};

on_mock_and_platform! {
    what_was_deleted_unread_while_down_is_a_gap
    what_was_truncated_unread_is_a_gap
    what_a_copy_lacks_is_a_gap
    a_damaged_compressed_file_is_read_up_to_the_damage
}

fn what_was_deleted_unread_while_down_is_a_gap<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\nunended");
    story.start();
    story.check(&["a.log: one"]);
    story.remove("a.log");
    story.append("a.log", "two\n");
    story.start();
    story.check(&["a.log: one two"]);
    assert_eq!(story.gaps(), ["a.log 4..11 deleted"]);
    story.start();
    story.check(&["a.log: one two"]);
    assert!(story.gaps().is_empty());
}

fn what_was_truncated_unread_is_a_gap<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\nunended");
    story.start();
    story.check(&["a.log: one"]);
    story.truncate("a.log");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    assert!(story.gaps().is_empty(), "its copy may still be found");
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one two"]);
    assert_eq!(story.gaps(), ["a.log 4..11 truncated"]);
}

fn what_a_copy_lacks_is_a_gap<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\nun");
    story.start();
    story.check(&["a.log: one"]);
    story.copy("a.log", "a.log.1");
    story.append("a.log", "ended");
    story.check(&["a.log: one"]);
    story.truncate("a.log");
    story.check(&["a.log: one"]);
    assert_eq!(story.gaps(), ["a.log 6..11 truncated"]);
}

fn a_damaged_compressed_file_is_read_up_to_the_damage<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.compress("a.log", "a.log.1.gz");
    let size = fs::metadata(story.path("a.log.1.gz")).unwrap().len();
    story.shorten("a.log.1.gz", size - 8);
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
    assert_eq!(story.gaps(), ["a.log 8..8 damaged"]);
}
