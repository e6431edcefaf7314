//! What is watched, and what is done where nothing can be.

use std::fs;
use std::time::Instant;

use super::{Stage, Story, on_mock_and_platform};
use crate::log_collector::watcher::Limit;
use crate::log_collector::watcher::mock::MockWatcher;

on_mock_and_platform! {
    a_directory_in_a_replaced_one_is_watched
}

#[test]
fn one_file_is_watched_once_however_many_names_it_has() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    story.link("a.log", "b.log");
    fs::hard_link(story.path("a.log"), story.path("c.log")).unwrap();
    let mock = story.start_keeping_watcher();
    story.check(&["a.log: one", "b.log: one", "c.log: one"]);
    assert_eq!(mock.watched_files(), [story.path("a.log")]);
    assert_eq!(mock.watched_directories(), [story.path(".").canonicalize().unwrap()]);
}

#[test]
fn watches_end_with_what_they_watch() {
    let mut story = Story::<MockWatcher>::new();
    fs::create_dir(story.path("../elsewhere")).unwrap();
    story.append("../elsewhere/x", "one\n");
    story.link("../elsewhere/x", "a.log");
    let mock = story.start_keeping_watcher();
    story.check(&["a.log: one"]);
    assert_eq!((mock.watched_files().len(), mock.watched_directories().len()), (1, 2));
    story.remove("a.log");
    story.check(&["a.log: one"]);
    assert_eq!((mock.watched_files().len(), mock.watched_directories().len()), (0, 1));
}

#[test]
fn files_that_cannot_be_watched_are_polled() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    let (watcher, report) = MockWatcher::set();
    story.append("b.log", "two\n");
    story.start_on(watcher.clone(), report);
    watcher.fail_watches([Limit::InotifyWatches.into()]);
    story.append("c.log", "three\n");
    story.check(&["a.log: one", "b.log: two", "c.log: three"]);
    fs::write(story.path("c.log"), "three\nfour\n").unwrap();
    story.collector.as_mut().unwrap().last_poll -= super::super::POLL_INTERVAL;
    story.check(&["a.log: one", "b.log: two", "c.log: three four"]);
    assert_eq!(watcher.watched_files(), [story.path("a.log"), story.path("b.log")]);
    story.collector.as_mut().unwrap().next_rescan = Instant::now();
    story.collect();
    assert_eq!(watcher.watched_files(), [story.path("a.log"), story.path("b.log"), story.path("c.log")]);
    story.append("c.log", "five\n");
    story.check(&["a.log: one", "b.log: two", "c.log: three four five"]);
}

#[test]
fn an_overflow_makes_it_look_everywhere() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    let mock = story.start_keeping_watcher();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.rename("a.log", "a.log.1");
    fs::create_dir(story.path("x")).unwrap();
    story.append("x/b.log", "three\n");
    story.append("a.log", "four\n");
    mock.overflow();
    story.check(&["a.log: one two four", "x/b.log: three"]);
    assert_eq!(story.status.watcher_overflows.get(), 1);
}

#[test]
fn an_overflow_may_have_swallowed_that_a_directory_was_replaced() {
    let mut story = Story::<MockWatcher>::new();
    fs::create_dir(story.path("m")).unwrap();
    story.append("m/x.log", "one\n");
    let mock = story.start_keeping_watcher();
    story.check(&["m/x.log: one"]);
    story.replace_directory("m", "a");
    mock.overflow();
    story.collect();
    story.append("m/y.log", "two\n");
    story.append("a/z.log", "three\n");
    story.check(&["a/z.log: three", "m/x.log: one", "m/y.log: two"]);
}

#[test]
fn directories_that_cannot_be_watched_are_looked_at_until_they_can() {
    let mut story = Story::<MockWatcher>::new();
    let mock = story.start_keeping_watcher();
    mock.fail_watches([Limit::InotifyWatches.into()]);
    fs::create_dir(story.path("x")).unwrap();
    story.happened("x");
    story.check(&[]);
    story.append("x/a.log", "one\n");
    story.check(&[]);
    story.collector.as_mut().unwrap().last_directory_poll -= super::super::DIRECTORY_POLL_INTERVAL;
    story.check(&["x/a.log: one"]);
    assert!(mock.watched_directories().contains(&story.path("x")));
}

#[test]
fn what_the_watcher_misses_is_found_by_the_regular_look() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    story.start_keeping_watcher();
    story.check(&["a.log: one"]);
    fs::write(story.path("b.log"), "two\n").unwrap();
    fs::write(story.path("a.log"), "one\nthree\n").unwrap();
    story.check(&["a.log: one"]);
    story.collector.as_mut().unwrap().next_rescan = Instant::now();
    story.check(&["a.log: one three", "b.log: two"]);
}

#[test]
fn events_without_names_will_do() {
    let mut story = Story::<MockWatcher>::new();
    story.append("a.log", "one\n");
    let mock = story.start_keeping_watcher();
    story.check(&["a.log: one"]);
    fs::rename(story.path("a.log"), story.path("a.log.1")).unwrap();
    fs::write(story.path("a.log"), "two\n").unwrap();
    mock.any_entry(story.path("a.log").parent().unwrap());
    story.check(&["a.log: one two"]);
}

fn a_directory_in_a_replaced_one_is_watched<W: Stage>() {
    let mut story = Story::<W>::new();
    fs::create_dir_all(story.path("app/sub")).unwrap();
    story.append("app/sub/x.log", "one\n");
    story.start();
    story.check(&["app/sub/x.log: one"]);
    fs::create_dir_all(story.path("new/sub")).unwrap();
    fs::rename(story.path("app"), story.path("../app.1")).unwrap();
    fs::rename(story.path("new"), story.path("app")).unwrap();
    for name in ["app", "new"] {
        story.happened(name);
    }
    story.collect();
    story.append("app/sub/x.log", "two\n");
    story.check(&["app/sub/x.log: one two"]);
    story.append("app/sub/y.log", "three\n");
    story.check(&["app/sub/x.log: one two", "app/sub/y.log: three"]);
}
