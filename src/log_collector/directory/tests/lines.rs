//! From bytes to entries: long lines, parts, traces, holes.

use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use super::{Stage, Story, on_mock_and_platform};
use crate::log_collector::Collector;
use crate::log_collector::directory::{UNENDED_SHOWN_AFTER, UNENDED_TIME_MAX};
use crate::log_collector::format::LINE_BYTES_MAX;
use crate::log_collector::tracked::COPY_PATIENCE;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::status::SkipReason;

on_mock_and_platform! {
    a_container_line_split_over_a_restart_is_whole
    a_container_line_that_never_ends_is_kept
    a_line_over_the_limit_is_cut
    lines_that_belong_together_become_one_entry
    a_trace_split_over_a_restart_is_one_entry
    a_late_name_doubles_no_entry_that_time_has_ended
    any_bytes_are_kept
    holes_are_skipped
    a_line_with_a_hole_in_it_ends
    a_line_that_has_not_ended_is_shown_and_is_whole_once_it_ends
    a_line_that_has_been_still_for_long_is_stored_and_what_follows_is_its_rest
    a_line_that_ends_in_the_next_file_is_whole
    a_line_that_ends_in_a_later_file_is_whole_after_a_kill
    a_line_that_was_rotated_unended_is_stored
}

fn a_container_line_split_over_a_restart_is_whole<W: Stage>() {
    let mut story = Story::<W>::new();
    story
        .append("a.log", "2026-11-22T13:04:05.000000001Z stdout P be\n2026-11-22T13:04:05.000000002Z stderr F other\n");
    story.start();
    story.check(&["a.log stderr: other"]);
    story.append("a.log", "2026-11-22T13:04:05.000000003Z stderr F another\n");
    story.start();
    story.check(&["a.log stderr: other another"]);
    story.append("a.log", "2026-11-22T13:04:05.000000004Z stdout F ginning\n");
    story.check(&["a.log stderr: other another", "a.log stdout: beginning"]);
}

fn a_container_line_that_never_ends_is_kept<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "2026-11-22T13:04:05.000000001Z stdout P never\n");
    story.start();
    story.check(&[]);
    story.remove("a.log");
    story.check(&["a.log stdout: never"]);
}

#[test]
fn a_container_line_that_goes_on_after_the_last_look_is_kept() {
    let mut story = Story::<MockWatcher>::new();
    story.settings.quiet_before_letting_go = COPY_PATIENCE;
    story.append("a.log", "2026-11-22T13:04:05.000000001Z stdout P never\n");
    story.start();
    story.check(&[]);
    let mut writer = OpenOptions::new().append(true).open(story.path("a.log")).unwrap();
    story.remove("a.log");
    story.check(&[]);
    writer.write_all(b"2026-11-22T13:04:05.000000002Z stdout P ending\n").unwrap();
    for _ in 0..2 {
        story.collector.as_mut().unwrap().let_time_pass();
        story.collect();
    }
    story.check(&["a.log stdout: neverending"]);
    assert_eq!(story.open_file_count(), 0);
}

fn a_line_over_the_limit_is_cut<W: Stage>() {
    let mut story = Story::<W>::new();
    let whole = "w".repeat(LINE_BYTES_MAX);
    story.append("a.log", format!("{whole}\none\n{whole}too much"));
    story.start();
    story.collect();
    story.append("a.log", format!("{whole}\ntwo\n"));
    story.collect();
    assert_eq!(story.lines["a.log"], [&whole, "one", &whole, "two"]);
    assert_eq!(story.status.skipped(SkipReason::LineTooLong), 8 + LINE_BYTES_MAX as u64);
    story.append("a.log", format!("{whole}{whole}"));
    story.collect();
    story.append("a.log", "end\nthree\n");
    story.start();
    story.collect();
    assert_eq!(story.lines["a.log"], [&whole, "one", &whole, "two", &whole, "three"]);
}

/// Lets the time pass after which entries of several lines end.
fn end_joining<W: Stage>(story: &mut Story<W>) {
    let long_ago = Instant::now().checked_sub(super::super::JOINING_TIME_MAX).unwrap();
    story.collector.as_mut().unwrap().sources.let_entries_wait_since(long_ago);
}

/// To look at all of them for each batch takes much longer than this test may.
#[test]
fn many_files_that_wait_for_a_line_cost_a_batch_nothing() {
    let mut story = Story::<MockWatcher>::new();
    story.settings.multiline = true;
    for number in 0..1000 {
        fs::write(story.path(&format!("{number}.log")), "one\n").unwrap();
    }
    story.start();
    let before = Instant::now();
    for _ in 0..200 {
        story.collect_batches(10);
        story.collector.as_mut().unwrap().sources.let_entries_wait_since(before + Duration::from_hours(1));
    }
    let collector = story.collector.as_mut().unwrap();
    assert_eq!(collector.sources.let_entries_wait_since(before + Duration::from_hours(1)), 1000);
    for _ in 0..200_000 {
        collector.end_joining();
    }
    assert!(before.elapsed() < Duration::from_secs(5));
}

fn lines_that_belong_together_become_one_entry<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.multiline = true;
    story.append("a.log", "one\n two\nthree\n");
    story.append("b.log", "2026-11-22T13:04:05Z stderr F x\n2026-11-22T13:04:05Z stdout F y\n");
    story.start();
    story.check(&["a.log: one\n two"]);
    story.append("a.log", " four\n");
    story.append("b.log", "2026-11-22T13:04:05Z stderr F  x2\n");
    story.check(&["a.log: one\n two"]);
    end_joining(&mut story);
    story.check(&["a.log: one\n two three\n four", "b.log stderr: x\n x2", "b.log stdout: y"]);
    story.append("a.log", "five\n six");
    story.check(&["a.log: one\n two three\n four", "b.log stderr: x\n x2", "b.log stdout: y"]);
    story.remove("a.log");
    story.check(&["a.log: one\n two three\n four five\n six", "b.log stderr: x\n x2", "b.log stdout: y"]);
}

fn a_trace_split_over_a_restart_is_one_entry<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.multiline = true;
    story.append("a.log", "one\n two\nthree\n");
    story.start();
    story.check(&["a.log: one\n two"]);
    story.start();
    story.append("a.log", " four\n");
    story.check(&["a.log: one\n two"]);
    // A name that is found late gets everything, the others what they lack.
    fs::hard_link(story.path("a.log"), story.path("b.log")).unwrap();
    story.happened("b.log");
    story.check(&["a.log: one\n two", "b.log: one\n two"]);
    story.append("a.log", " five\n");
    story.collect();
    end_joining(&mut story);
    story.check(&["a.log: one\n two three\n four\n five", "b.log: one\n two three\n four\n five"]);
    story.start();
    story.append("a.log", " six\nseven\n");
    story.check(&["a.log: one\n two three\n four\n five  six", "b.log: one\n two three\n four\n five  six"]);
}

fn a_late_name_doubles_no_entry_that_time_has_ended<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.multiline = true;
    story.append("a.log", "one\n two\nthree\n");
    story.start();
    story.collect();
    end_joining(&mut story);
    story.check(&["a.log: one\n two three"]);
    fs::hard_link(story.path("a.log"), story.path("b.log")).unwrap();
    story.happened("b.log");
    story.collect();
    end_joining(&mut story);
    story.check(&["a.log: one\n two three", "b.log: one\n two three"]);
    // What time has split for the streams there were is whole in the one that comes later.
    story.append("a.log", " four\n");
    story.collect();
    end_joining(&mut story);
    story.collect();
    story.link("a.log", "c.log");
    story.append("a.log", " five\n");
    story.collect();
    end_joining(&mut story);
    story.check(&[
        "a.log: one\n two three  four  five",
        "b.log: one\n two three  four  five",
        "c.log: one\n two three\n four  five",
    ]);
}

fn any_bytes_are_kept<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", b"a\0b\xff\r\n\n");
    story.start();
    let mut collected = Vec::new();
    while let Some(next) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
        collected.extend(next.batch.streams.iter().flat_map(|stream| stream.lines.bytes().to_vec()));
    }
    assert_eq!(collected, b"a\0b\xff", "a carriage return before a newline is part of that");
}

/// Leaves a hole of a terabyte behind what is in a file, or that much before it.
fn hole<W: Stage>(story: &Story<W>, name: &str) {
    let file = OpenOptions::new().append(true).create(true).open(story.path(name)).unwrap();
    file.set_len(file.metadata().unwrap().len() + (1 << 40)).unwrap();
    drop(file);
    story.happened(name);
}

fn holes_are_skipped<W: Stage>() {
    let mut story = Story::<W>::new();
    hole(&story, "first.log");
    story.append("first.log", "one\n");
    hole(&story, "empty.log");
    story.append("middle.log", "one\n");
    story.start();
    story.check(&["first.log: one", "middle.log: one"]);
    hole(&story, "middle.log");
    story.collect();
    story.append("middle.log", "two\n");
    story.check(&["first.log: one", "middle.log: one two"]);
    // It is filled where the hole was.
    let mut file = OpenOptions::new().write(true).open(story.path("empty.log")).unwrap();
    file.write_all(b"early\n").unwrap();
    drop(file);
    story.happened("empty.log");
    story.check(&["empty.log: early", "first.log: one", "middle.log: one two"]);
    story.start();
    story.append("first.log", "two\n");
    story.check(&["empty.log: early", "first.log: one two", "middle.log: one two"]);
    story.remove("empty.log");
    story.check(&["empty.log: early", "first.log: one two", "middle.log: one two"]);
    assert_eq!(story.open_file_count(), 2);
}

/// The hole is inside a line that is too long.
fn a_line_with_a_hole_in_it_ends<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "begun".repeat(300));
    hole(&story, "a.log");
    story.append("a.log", "ended\ntwo\n");
    story.start();
    story.collect();
    let lines = &story.lines["a.log"];
    assert!(lines[0].starts_with("begun") && lines[0].contains("begun\0"));
    assert!((lines.len(), lines[0].len(), lines[1].as_str()) == (2, LINE_BYTES_MAX, "two"));
}

/// Lets lines that have not ended be still for so long, and takes what comes of that.
fn let_lines_be_still<W: Stage>(story: &mut Story<W>, time: Duration) {
    story.collect();
    let collector = story.collector.as_mut().unwrap();
    collector.sources.let_be_quiet(Duration::ZERO, time);
    collector.last_poll -= super::super::POLL_INTERVAL;
    story.collect();
}

fn shown<W: Stage>(story: &Story<W>) -> Vec<&str> {
    story.unended.values().flatten().map(String::as_str).collect()
}

fn a_line_that_has_not_ended_is_shown_and_is_whole_once_it_ends<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo, ");
    story.append("b.log", "2026-11-22T13:04:05.000000001Z stdout P be\n");
    story.append("c.log", "{\"log\":\"no newline\",\"stream\":\"stderr\",\"time\":\"2026-11-22T13:04:05Z\"}\n");
    for _ in 0..2 {
        story.unended.clear();
        story.start();
        let_lines_be_still(&mut story, UNENDED_SHOWN_AFTER);
        let mut texts = shown(&story);
        texts.sort_unstable();
        assert_eq!(texts, ["be", "no newline", "two, "]);
        story.check(&["a.log: one"]);
    }
    story.append("a.log", "whole\n");
    story.append("b.log", "2026-11-22T13:04:05.000000001Z stdout F gun\n");
    story.check(&["a.log: one two, whole", "b.log stdout: begun"]);
    assert_eq!(shown(&story), ["no newline"]);
}

fn a_line_that_has_been_still_for_long_is_stored_and_what_follows_is_its_rest<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\ntwo");
    story.start();
    let_lines_be_still(&mut story, UNENDED_TIME_MAX);
    story.check(&["a.log: one two"]);
    story.append("a.log", "\nthree");
    let_lines_be_still(&mut story, UNENDED_TIME_MAX);
    story.start();
    story.append("a.log", " and its end\n\nfour\n");
    story.check(&["a.log: one two three  and its end  four"]);
}

fn a_line_that_ends_in_the_next_file_is_whole<W: Stage>() {
    let line = |number: usize, text: &str| format!("2026-11-22T13:04:05.00000000{number}Z stdout {text}\n");
    for is_down in [false, true] {
        let mut story = Story::<W>::new();
        story.append("0.log", line(1, "F one") + &line(2, "P be"));
        story.start();
        story.check(&["0.log stdout: one"]);
        story.rename("0.log", "0.log.20261122-130405");
        story.append("0.log", line(3, "F gun") + &line(4, "F three"));
        if is_down {
            story.start();
        }
        story.check(&["0.log stdout: one begun three"]);
        let_lines_be_still(&mut story, UNENDED_TIME_MAX);
        story.start();
        let_lines_be_still(&mut story, UNENDED_TIME_MAX);
        story.check(&["0.log stdout: one begun three"]);
    }
}

/// Whatever the place of the files is by then, and whatever was stored when the process ended.
fn a_line_that_ends_in_a_later_file_is_whole_after_a_kill<W: Stage>() {
    let line = |number: usize, text: &str| format!("2026-11-22T13:04:05.00000000{number}Z stdout {text}\n");
    for (is_linked, is_compressed, is_rotated_twice) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0))
    {
        for batch_count in 0..9 {
            let mut story = Story::<W>::new();
            let log = if is_linked { "../0.log" } else { "0.log" };
            let rotated = |second: usize| format!("{log}.20261122-13040{second}");
            story.append(log, line(1, "F one") + &line(2, "P be"));
            if is_linked {
                story.link(log, "0.log");
            }
            story.start();
            story.check(&["0.log stdout: one"]);
            story.rename(log, &rotated(5));
            story.append(log, line(3, "P gu"));
            story.collect_batches(batch_count % 3);
            story.append(log, line(4, "F n") + &line(5, "F three"));
            if is_rotated_twice {
                story.rename(log, &rotated(6));
                story.append(log, line(6, "F four"));
            }
            story.collect_batches(batch_count);
            for second in [5, 6].into_iter().filter(|second| is_compressed && (*second == 5 || is_rotated_twice)) {
                story.compress(&rotated(second), &format!("{}.gz", rotated(second)));
            }
            story.start();
            story.collect();
            let expected =
                if is_rotated_twice { "0.log stdout: one begun three four" } else { "0.log stdout: one begun three" };
            let case = format!("{is_linked} {is_compressed} {is_rotated_twice} {batch_count}");
            assert_eq!(format!("0.log stdout: {}", story.lines["0.log stdout"].join(" ")), expected, "{case}");
        }
    }
}

fn a_line_that_was_rotated_unended_is_stored<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\nhalf a line");
    story.start();
    story.check(&["a.log: one"]);
    story.rename("a.log", "a.log.1");
    story.append("a.log", "next\n");
    let_lines_be_still(&mut story, UNENDED_SHOWN_AFTER);
    story.check(&["a.log: one half a line next"]);
}
