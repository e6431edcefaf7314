//! What is in files: text or not, in which encoding, written anew, or through a mapping.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{Stage, Story, on_mock_and_platform};
use crate::log_collector::Collector;
use crate::log_collector::format::tests::docker_local as format;
use crate::log_collector::source::APPENDING_TIME_MAX;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::status::SkipReason;

on_mock_and_platform! {
    a_file_found_empty_may_turn_out_binary
    a_binary_file_that_is_rewritten_as_text_is_read
    nul_bytes_between_lines_are_a_gap
    the_same_content_written_anew_is_read_anew
    a_line_may_end_in_a_carriage_return_and_a_newline
    a_byte_order_mark_is_no_text
    text_in_utf_16_is_decoded
    records_of_docker_are_cut_by_their_lengths
    records_are_read_on_through_rotation_and_restarts
    what_is_no_record_is_lost_and_what_follows_is_not
    history_of_records_is_skipped_up_to_the_last_one
    a_record_that_was_torn_before_its_file_was_rotated_holds_nothing_up
}

fn a_file_found_empty_may_turn_out_binary<W: Stage>() {
    let mut story = Story::<W>::new();
    for name in ["records", "archive.tmp"] {
        story.append(name, "");
    }
    story.start();
    story.check(&[]);
    story.append("records", [0, 1, 0, b'\n'].repeat(300));
    story.append("archive.tmp", b"\x1f\x8b\x08\n");
    story.append("archive.tmp", b"more\n");
    story.check(&[]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
    assert_eq!(story.status.sources().len(), 2, "both are named as left out");
    story.start();
    story.check(&[]);
    assert_eq!(story.status.sources().len(), 2);
}

fn nul_bytes_between_lines_are_a_gap<W: Stage>() {
    let mut story = Story::<W>::new();
    // As a power cut leaves them, and as what goes on after it; fewer are part of a line.
    story.append("a.log", [b"one\n", &[0; 5000][..], b"two\n\0three\n"].concat());
    story.start();
    story.check(&["a.log: one two \0three"]);
    assert_eq!(story.status.skipped(SkipReason::Hole), 5000);
    story.append("a.log", [0; 4096]);
    story.check(&["a.log: one two \0three"]);
    story.append("a.log", "four\n");
    story.check(&["a.log: one two \0three four"]);
    assert_eq!(story.status.skipped(SkipReason::Hole), 5000 + 4096);
}

fn a_binary_file_that_is_rewritten_as_text_is_read<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    story.truncate("a.log");
    story.append("a.log", [0, 1, 0, b'\n'].repeat(300));
    story.check(&["a.log: one"]);
    assert_eq!(story.status.skipped(SkipReason::Binary), 0, "nothing of it was looked at");
    story.truncate("a.log");
    story.append("a.log", "two\n");
    story.collector.as_mut().unwrap().rescan();
    story.check(&["a.log: one two"]);
}

fn the_same_content_written_anew_is_read_anew<W: Stage>() {
    let mut story = Story::<W>::after_one("a.log");
    for _ in 0..2 {
        let file = OpenOptions::new().write(true).open(story.path("a.log")).unwrap();
        super::tick(&story.directory.path().join("clock"));
        file.write_all_at(b"one\n", 0).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        story.happened("a.log");
        story.collect();
        // Until then it may be being appended to.
        while modified.elapsed().is_ok_and(|age| age < APPENDING_TIME_MAX) {
            std::thread::yield_now();
        }
        story.collect();
    }
    story.check(&["a.log: one one one"]);
    story.happened("a.log");
    story.check(&["a.log: one one one"]);
    story.start();
    story.check(&["a.log: one one one"]);
}

fn a_line_may_end_in_a_carriage_return_and_a_newline<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\r\n\r\ntw\ro\r\nthree\r");
    story.append("b.log", "2026-11-22T13:04:05Z stdout F four\r\n");
    story.append("c.log", r#"{"log":"five\r\n","stream":"stdout","time":"2026-11-22T13:04:05Z"}"#);
    story.append("c.log", "\n");
    story.start();
    story.check(&["a.log: one  tw\ro", "b.log stdout: four", "c.log stdout: five"]);
    story.append("a.log", "\n");
    story.check(&["a.log: one  tw\ro three", "b.log stdout: four", "c.log stdout: five"]);
}

fn a_byte_order_mark_is_no_text<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "\u{feff}one\n\u{feff}two\n");
    story.start();
    story.check(&["a.log: one \u{feff}two"]);
}

fn text_in_utf_16_is_decoded<W: Stage>() {
    let encode = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let mut story = Story::<W>::new();
    story.append("a.log", encode("\u{feff}one\r\ntw"));
    story.append("long.log", encode(&format!("\u{feff}{}", "line\n".repeat(200))));
    story.start();
    story.collect();
    story.append("a.log", encode("\u{f6}\r\n"));
    story.start();
    story.collect();
    assert_eq!(story.lines["a.log"], ["one", "tw\u{f6}"]);
    assert_eq!(story.lines["long.log"], vec!["line"; 200]);
    let sources = story.status.sources();
    assert!(sources.iter().all(|source| source.encoding() == Some("utf-16le")));
}

/// Who writes through a mapping is not reported.
#[test]
fn what_fills_a_preallocated_file_is_found_by_looking() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "");
    OpenOptions::new().write(true).open(story.path("a.log")).unwrap().set_len(1 << 20).unwrap();
    story.start();
    story.check(&[]);
    for (at, text, expected) in [(0, "one\n", "a.log: one"), (4, "two\n", "a.log: one two")] {
        let file = OpenOptions::new().write(true).open(story.path("a.log")).unwrap();
        file.write_all_at(text.as_bytes(), at).unwrap();
        story.collector.as_mut().unwrap().last_poll -= super::super::POLL_INTERVAL;
        story.check(&[expected]);
    }
    // Once it is cut to its size it is like any other.
    OpenOptions::new().write(true).open(story.path("a.log")).unwrap().set_len(8).unwrap();
    fs::metadata(story.path("a.log")).unwrap();
    story.happened("a.log");
    story.check(&["a.log: one two"]);
    assert!(story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap().is_none());
}

/// A record on standard output that is no part of another.
fn record(text: &str) -> Vec<u8> {
    format::record("stdout", 1_795_352_645_123_456_789, text.as_bytes(), None)
}

fn records_of_docker_are_cut_by_their_lengths<W: Stage>() {
    let mut story = Story::<W>::new();
    let half = record("two\nlines\r");
    story.append("container.log", [record("one"), half[..15].to_vec()].concat());
    story.start();
    story.check(&["container.log stdout: one"]);
    assert_eq!(story.status.sources()[0].encoding(), Some("docker-local"));
    story.append("container.log", &half[15..]);
    story.check(&["container.log stdout: one two\nlines"]);
    // A part, and what it is a part of over a restart.
    story.append("container.log", format::record("stderr", 1, b"be", Some((false, 1))));
    story.append("container.log", record("four"));
    story.start();
    story.append("container.log", format::record("stderr", 1, b"ginning", Some((true, 2))));
    story.check(&["container.log stderr: beginning", "container.log stdout: one two\nlines four"]);
}

fn records_are_read_on_through_rotation_and_restarts<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("container.log", record("one"));
    story.start();
    story.check(&["container.log stdout: one"]);
    story.append("container.log", record("two"));
    story.rename("container.log", "container.log.1");
    story.append("container.log", record("three"));
    story.check(&["container.log stdout: one two three"]);
    // While nobody looks: more, rotated and compressed.
    story.append("container.log", record("four"));
    story.remove("container.log.1");
    story.compress("container.log", "container.log.1.gz");
    story.append("container.log", record("five"));
    story.start();
    story.check(&["container.log stdout: one two three four five"]);
    assert_eq!(story.gaps(), [""; 0]);
}

fn what_is_no_record_is_lost_and_what_follows_is_not<W: Stage>() {
    let mut story = Story::<W>::new();
    let damage = [0; 100];
    story.append("container.log", [&record("one")[..], &damage, &record("two")].concat());
    story.start();
    story.check(&["container.log stdout: one two"]);
    let start = record("one").len();
    let gap = format!("container.log {start}..{} damaged", start + damage.len());
    assert_eq!(story.gaps(), [gap.as_str()]);
    // A record that is cut off, as by a power cut, ends with its file.
    let torn = &record("three")[..20];
    story.append("container.log", torn);
    story.remove("container.log");
    story.check(&["container.log stdout: one two"]);
    let start = 2 * record("one").len() + damage.len();
    assert_eq!(story.gaps(), [gap, format!("container.log {start}..{} damaged", start + torn.len())]);
}

fn history_of_records_is_skipped_up_to_the_last_one<W: Stage>() {
    let mut story = Story::<W>::new();
    story.settings.start_from_end = true;
    let last = record("last");
    story.append("container.log", [record("one"), record("two"), last[..9].to_vec()].concat());
    story.start();
    story.check(&[]);
    story.append("container.log", &last[9..]);
    story.check(&["container.log stdout: last"]);
    assert_eq!(story.status.skipped(SkipReason::StartFromEnd), 2 * record("one").len() as u64);
}

fn a_record_that_was_torn_before_its_file_was_rotated_holds_nothing_up<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("container.log", [record("one"), record("torn")[..15].to_vec()].concat());
    story.start();
    story.check(&["container.log stdout: one"]);
    story.rename("container.log", "container.log.1");
    story.append("container.log", record("two"));
    for _ in 0..2 {
        story.collect();
        assert!(story.collector.as_ref().unwrap().turns.is_empty(), "it is not waited for in a circle");
        story.collector.as_mut().unwrap().let_time_pass();
    }
    story.check(&["container.log stdout: one two"]);
    assert_eq!(story.gaps().len(), 1);
}
