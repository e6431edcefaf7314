//! Copytruncate.

use std::fs;
use std::path::Path;

use super::{Stage, Story, on_mock_and_platform, refuse_files};

on_mock_and_platform! {
    a_copy_is_read_on_once_its_original_is_truncated
    a_copy_may_take_its_time
    what_was_written_behind_the_back_of_a_copy_is_not_doubled
    a_chain_of_copies_loses_and_doubles_nothing
    a_copy_found_after_the_truncation_is_read_on
    a_copy_made_while_down_is_read_on
    a_copy_of_what_goes_on_is_another_file
    a_file_of_a_similar_name_is_read_at_once
    copies_that_nothing_is_truncated_for_are_not_stored_again
    a_copy_in_another_directory_is_not_stored_again
    a_log_that_is_shortened_goes_on_under_its_name
    a_log_that_is_edited_goes_on_under_its_name
    a_log_put_in_place_after_it_was_read_goes_on_under_its_name
    a_copy_that_cannot_be_read_is_waited_for
    a_copy_that_is_compressed_at_once_is_read_on
    a_copy_that_was_seen_and_its_archive_are_one
    a_copy_and_what_was_compressed_are_one_archive
    what_is_compressed_of_a_log_that_goes_on_is_not_stored_again
    a_copy_of_a_file_that_was_deleted_then_is_read_on
    a_file_that_loses_its_name_before_it_turns_out_to_be_no_copy_is_read
    a_copy_that_could_not_be_read_does_not_hold_up_its_log
    of_two_copies_the_one_that_the_log_was_truncated_after_is_read_on
    a_copy_found_while_its_log_is_missing_is_not_stored_again
}

fn a_copy_is_read_on_once_its_original_is_truncated<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\nthr");
    story.append("a.log", "ee\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.append("a.log", "four\n");
    story.check(&["a.log: one two three four"]);
    story.append("a.log", "five\n");
    story.start();
    story.check(&["a.log: one two three four five"]);
}

fn a_copy_may_take_its_time<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo\n");
    story.start();
    story.check(&["a.log: one two"]);
    story.append("a.log", "three\nfour\n");
    for part in ["", "o", "ne\ntwo\n", "thr"] {
        story.append("a-20261122.log", part);
        story.collect();
    }
    story.check(&["a.log: one two three four"]);
    fs::write(story.path("a.log"), "one\ntwo\nthree\nfour\nfive\n").unwrap();
    story.append("a-20261122.log", "ee\nfour\nfive\n");
    story.truncate("a.log");
    story.append("a.log", "a new and longer beginning\n");
    story.check(&["a.log: one two three four five a new and longer beginning"]);
}

fn what_was_written_behind_the_back_of_a_copy_is_not_doubled<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.copy("a.log", "a.log.1");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    story.truncate("a.log");
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three"]);
    story.start();
    story.check(&["a.log: one two three"]);
}

fn a_chain_of_copies_loses_and_doubles_nothing<W: Stage>() {
    let mut story = Story::<W>::new();
    story.start();
    for round in 0..4 {
        story.append("a.log", format!("{round} read\n"));
        story.collect();
        story.append("a.log", format!("{round} not read\n"));
        for (from, to) in [("a.log.2", "a.log.3"), ("a.log.1", "a.log.2")] {
            if story.path(from).exists() {
                story.rename(from, to);
            }
        }
        story.copy("a.log", "a.log.1");
        story.truncate("a.log");
    }
    story.check(&["a.log: 0 read 0 not read 1 read 1 not read 2 read 2 not read 3 read 3 not read"]);
    assert_eq!(story.open_file_count(), 4);
}

/// What happens between two looks at the watcher is seen in any order.
fn a_copy_found_after_the_truncation_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    fs::copy(story.path("a.log"), story.path("../aside")).unwrap();
    story.truncate("a.log");
    story.check(&["a.log: one"]);
    fs::rename(story.path("../aside"), story.path("a.log.1")).unwrap();
    story.happened("a.log.1");
    story.append("a.log", "three\n");
    story.check(&["a.log: one two three"]);
}

fn a_copy_made_while_down_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
}

fn a_copy_of_what_goes_on_is_another_file<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.copy("a.log", "a.log.1");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    story.append("a.log.1", "three\n");
    story.check(&["a.log: one two", "a.log.1: one three"]);
}

fn a_file_of_a_similar_name_is_read_at_once<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    // Had nothing been read of the log, it could have been copied and truncated.
    story.check(&["a.log: one"]);
    story.append("a.log.2", "one\nother\n");
    story.check(&["a.log: one", "a.log.2: one other"]);
    story.append("a.log.1", "o");
    story.check(&["a.log: one", "a.log.2: one other"]);
    story.append("a.log.1", "h\n");
    story.check(&["a.log: one", "a.log.1: oh", "a.log.2: one other"]);
}

fn a_copy_that_is_compressed_at_once_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.compress("a.log.1", "a.log.1.gz");
    story.append("a.log", "3\n");
    story.check(&["a.log: one two 3"]);
    story.start();
    story.check(&["a.log: one two 3"]);
}

/// Too short to tell by what it holds, but it was seen beside its log while that was the same.
fn a_copy_that_was_seen_and_its_archive_are_one<W: Stage>() {
    for name in ["a.log.1", "old/a.log-20270001"] {
        let mut story = Story::<W>::after_one("a.log");
        if name.contains('/') {
            fs::create_dir(story.path("old")).unwrap();
            story.happened("old");
        }
        story.copy("a.log", name);
        story.check(&["a.log: one"]);
        story.truncate("a.log");
        story.compress(name, &format!("{name}.gz"));
        story.check(&["a.log: one"]);
        story.append("a.log", "two\n");
        story.check(&["a.log: one two"]);
        story.start();
        story.check(&["a.log: one two"]);
        assert!(story.gaps().is_empty(), "{name}: {:?}", story.gaps());
    }
}

/// A line long enough for nothing but a copy to begin in the same way.
const LONG: &str = "a line that is long enough for nothing but a copy of it to begin as it does";

fn a_copy_and_what_was_compressed_are_one_archive<W: Stage>() {
    for (copy, is_down, is_read, is_written) in [
        ("a.log-20270001", false, true, false),
        ("a.log-20270001", false, false, true),
        ("a.log-20270001", true, true, false),
        ("a.log-20270001", true, true, true),
        ("a.log.2", false, true, false),
        ("a.log.2", true, true, false),
        ("a.log.2", true, true, true),
        ("old/a.log-20270001", false, true, false),
        ("old/a.log-20270001", true, true, false),
    ] {
        let mut story = Story::<W>::after_one("a.log");
        fs::create_dir(story.path("old")).unwrap();
        story.append("a.log", LONG);
        story.append("a.log", "\n");
        let mut expected = format!("a.log: one {LONG}");
        if is_read {
            story.check(&[&expected]);
        }
        if is_down {
            story.collector = None;
        }
        story.copy("a.log", copy);
        if is_written {
            story.append("a.log", "two\n");
            expected += " two";
        }
        story.rename("a.log", "a.log.1");
        story.append("a.log", "three\n");
        expected += " three";
        story.compress("a.log.1", "a.log.1.gz");
        if is_down {
            story.start();
        }
        story.check(&[&expected]);
        story.start();
        story.check(&[&expected]);
        assert!(story.gaps().is_empty(), "{copy}: {:?}", story.gaps());
    }
}

fn what_is_compressed_of_a_log_that_goes_on_is_not_stored_again<W: Stage>() {
    for (is_down, is_truncated) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut story = Story::<W>::after_one("a.log");
        story.append("a.log", LONG);
        story.append("a.log", "\n");
        let mut expected = format!("a.log: one {LONG}");
        story.check(&[&expected]);
        if is_down {
            story.collector = None;
        }
        story.copy("a.log", "a.log.1");
        story.compress("a.log.1", "a.log.1.gz");
        if is_truncated {
            story.truncate("a.log");
        }
        story.append("a.log", "two\n");
        expected += " two";
        if is_down {
            story.start();
        }
        story.check(&[&expected]);
        story.append("a.log", "three\n");
        story.rename("a.log", "a.log.2");
        story.check(&[&format!("{expected} three")]);
        story.start();
        story.check(&[&format!("{expected} three")]);
    }
}

fn a_copy_of_a_file_that_was_deleted_then_is_read_on<W: Stage>() {
    for batch_count in 0..8 {
        let mut story = Story::<W>::after_one("a.log");
        story.append("a.log", "two\n");
        story.copy("a.log", "a.log.1");
        story.truncate("a.log");
        story.remove("a.log");
        story.append("a.log", "three\n");
        story.collect_batches(batch_count);
        story.start();
        story.check(&["a.log: one two three"]);
        assert!(story.gaps().is_empty());
    }
}

fn a_file_that_loses_its_name_before_it_turns_out_to_be_no_copy_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log.1", "");
    story.check(&["a.log: one"]);
    story.append("a.log.1", "two\n");
    story.remove("a.log.1");
    story.check(&["a.log: one", "a.log.1: two"]);
}

/// logrotate's `copy`.
fn copies_that_nothing_is_truncated_for_are_not_stored_again<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    for (round, text) in ["two\n", "three\n", "four\n"].iter().enumerate() {
        if round == 2 {
            story.start();
        }
        // The last one is made anew in the file that is there.
        if round == 1 {
            story.rename("a.log.1", "a.log.2");
        }
        story.copy("a.log", "a.log.1");
        story.collect();
        story.collector.as_mut().unwrap().let_time_pass();
        story.append("a.log", text);
        story.collect();
    }
    story.check(&["a.log: one two three four"]);
    // Not even when the log is gone.
    story.remove("a.log");
    story.append("a.log", "five\n");
    for _ in 0..2 {
        story.check(&["a.log: one two three four five"]);
        story.start();
    }
}

/// logrotate's `olddir`.
fn a_copy_in_another_directory_is_not_stored_again<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    fs::create_dir(story.path("old")).unwrap();
    story.happened("old");
    story.collect();
    for (round, text) in ["two\n", "three\n"].into_iter().enumerate() {
        if round == 1 {
            story.rename("old/a.log.1", "old/a.log.2");
        }
        story.append("a.log", text);
        // Of a log that is copied before anything was read of it there is nothing to compare with.
        story.collect();
        story.copy("a.log", "old/a.log.1");
        story.truncate("a.log");
        story.collect();
    }
    story.append("a.log", "four\n");
    for _ in 0..2 {
        story.check(&["a.log: one two three four"]);
        story.start();
    }
}

const LINES: &str = "the first line\nthe second line\nthe third line\nthe fourth line\n";
const WORDS: &str = "the first line the second line the third line the fourth line";

/// `tail -n 2 a.log > a.log.tmp && mv a.log.tmp a.log`.
fn a_log_that_is_shortened_goes_on_under_its_name<W: Stage>() {
    for is_looked_at in [false, true] {
        let mut story = Story::<W>::new();
        story.append("a.log", LINES);
        story.start();
        story.collect();
        story.append("a.log.tmp", "the third line\n");
        if is_looked_at {
            story.collect();
        }
        story.append("a.log.tmp", "the fourth line\n");
        story.outlive_birth_of("a.log.tmp");
        story.rename("a.log.tmp", "a.log");
        story.append("a.log", "new\n");
        story.check(&[&format!("a.log: {WORDS} new")]);
        story.start();
        story.append("a.log", "newer\n");
        story.check(&[&format!("a.log: {WORDS} new newer")]);
    }
}

/// `sed -i s/second/2nd/ a.log`.
fn a_log_that_is_edited_goes_on_under_its_name<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", LINES);
    story.start();
    story.collect();
    story.append("sedX3Tz9Q", LINES.replace("second", "2nd"));
    story.collect();
    story.outlive_birth_of("sedX3Tz9Q");
    story.rename("sedX3Tz9Q", "a.log");
    story.append("a.log", "new\n");
    story.check(&[&format!("a.log: {WORDS} new")]);
    // Nothing is the same.
    story.append("sedX3Tz9R", "another\n");
    story.rename("sedX3Tz9R", "a.log");
    story.check(&[&format!("a.log: {WORDS} new another")]);
}

fn a_log_put_in_place_after_it_was_read_goes_on_under_its_name<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("next", "two\n");
    story.check(&["a.log: one", "next: two"]);
    story.rename("next", "a.log");
    story.append("a.log", "three\n");
    for _ in 0..2 {
        story.check(&["a.log: one three", "next: two"]);
        story.start();
    }
}

/// It is being compressed.
fn a_copy_that_cannot_be_read_is_waited_for<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.append("a.log", "two\n");
    fs::copy(story.path("a.log"), story.path("../aside")).unwrap();
    // What ends too early may be in the making.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &fs::read(story.path("../aside")).unwrap()).unwrap();
    let whole = encoder.finish().unwrap();
    fs::write(story.path("a.log.1.gz"), &whole[..12]).unwrap();
    story.truncate("a.log");
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one three"]);
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one three"]);
    fs::write(story.path("a.log.1.gz"), &whole).unwrap();
    story.happened("a.log.1.gz");
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one three two"]);
    assert!(story.gaps().is_empty());
    story.start();
    story.check(&["a.log: one three two"]);
}

/// What a copy is shows once its log is read, which does not wait for the copy.
fn a_copy_that_could_not_be_read_does_not_hold_up_its_log<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.truncate("a.log");
    let long = "long enough to tell a copy by ".repeat(4);
    story.append("a.log", format!("{long}\nhalf "));
    story.check(&[&format!("a.log: one {long}")]);
    refuse_files(Some(|path| path.ends_with("a.log-20270001")));
    story.copy("a.log", "a.log-20270001");
    for _ in 0..2 {
        story.collect();
        story.collector.as_mut().unwrap().let_time_pass();
    }
    refuse_files(None);
    story.append("a.log", "a line\n");
    for _ in 0..3 {
        story.collect();
        story.collector.as_mut().unwrap().let_time_pass();
    }
    story.check(&[&format!("a.log: one {long} half a line")]);
}

fn of_two_copies_the_one_that_the_log_was_truncated_after_is_read_on<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.truncate("a.log");
    let long = "long enough to tell a copy by ".repeat(4);
    story.append("a.log", format!("{long}\nhalf "));
    story.check(&[&format!("a.log: one {long}")]);
    let is_copy = |path: &Path| path.extension().is_some_and(|extension| extension != "log");
    refuse_files(Some(is_copy));
    story.copy("a.log", "a.log-20270001");
    for _ in 0..2 {
        story.collect();
        story.collector.as_mut().unwrap().let_time_pass();
    }
    story.append("a.log", "a line\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    refuse_files(None);
    for _ in 0..3 {
        story.collect();
        story.collector.as_mut().unwrap().let_time_pass();
    }
    story.check(&[&format!("a.log: one {long} half a line")]);
}

fn a_copy_found_while_its_log_is_missing_is_not_stored_again<W: Stage>() {
    let mut story = Story::<W>::new();
    let long = "long enough to tell a copy by ".repeat(4);
    story.append("a.log", format!("{long}\nhalf "));
    story.start();
    story.check(&[&format!("a.log: {long}")]);
    story.copy("a.log", "a.log-20270001");
    story.append("a.log", "a line\n");
    story.rename("a.log", "a.log.1");
    story.start();
    story.check(&[&format!("a.log: {long} half a line")]);
}
