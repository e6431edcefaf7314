//! What becomes of files while a collector looks on: each story is told on the mock and on the platform's watcher.
#![expect(clippy::disallowed_methods, reason = "these tests are the programs that write, rotate and remove log files")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::{Directory, Settings};
use crate::log_collector::format::LINE_BYTES_MAX;
use crate::log_collector::naming::ByPath;
use crate::log_collector::patterns::Patterns;
use crate::log_collector::source::CHUNK_BYTES;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::log_collector::watcher::{Limit, PlatformWatcher, Watcher};
use crate::log_collector::{Collected, Collector};
use crate::model::{Checkpoint, Timestamp};
use crate::status::{SkipReason, SourceState, Status};

/// Has to be called with each path that something happened to.
type Report = Box<dyn Fn(&Path)>;

/// A watcher that a story can be told on.
trait Stage: Watcher + Sized {
    fn set() -> (Self, Report);
}

impl Stage for PlatformWatcher {
    fn set() -> (Self, Report) {
        (PlatformWatcher::new().unwrap(), Box::new(|_| {}))
    }
}

impl Stage for MockWatcher {
    fn set() -> (Self, Report) {
        let watcher = MockWatcher::default();
        let mock = watcher.clone();
        let report = move |path: &Path| {
            mock.entry(path.parent().unwrap(), path.file_name().unwrap());
            mock.changed(path);
            mock.moved(path);
        };
        (watcher, Box::new(report))
    }
}

/// A root directory, a collector of it, and all that it has handed over.
struct Story<W: Watcher> {
    directory: TempDir,
    settings: Settings,
    collector: Option<Directory<W>>,
    report: Report,
    status: Arc<Status>,
    /// The lines of each stream, by path under the root.
    lines: BTreeMap<String, Vec<String>>,
    checkpoints: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<W: Watcher> Directory<W> {
    /// Makes it believe that so much time has passed that files are polled and copies no more looked for.
    pub(crate) fn let_time_pass(&mut self) {
        self.last_poll -= super::POLL_INTERVAL;
        for tracked in self.sources.values_mut() {
            tracked.quiet_since -= super::copies::COPY_PATIENCE;
            if let Some((_, since)) = &mut tracked.former {
                *since -= super::copies::COPY_PATIENCE;
            }
        }
    }
}

impl<W: Stage> Story<W> {
    /// An empty root, not yet collected from.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(base.join("root")).unwrap();
        let settings = Settings {
            root: base.join("root"),
            patterns: Patterns::new(&[], &[]).unwrap(),
            data_directory: None,
            start_from_end: false,
            zone: TimeZone::UTC,
            clock: || Timestamp::from_ns(1),
            quiet_before_letting_go: Duration::ZERO,
            deleted_bytes_max: super::DELETED_BYTES_MAX,
            multiline: false,
            open_files_max: 1000,
        };
        Self {
            directory,
            settings,
            collector: None,
            report: Box::new(|_| {}),
            status: Arc::default(),
            lines: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
        }
    }

    /// The canonical path of `name`, relative to the root.
    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.directory.path()).unwrap().join("root").join(name)
    }

    /// As [`Story::start`], and keeps a handle to the watcher.
    fn start_keeping_watcher(&mut self) -> W
    where
        W: Clone,
    {
        let (watcher, report) = W::set();
        let handle = watcher.clone();
        self.start_on(watcher, report);
        handle
    }

    /// Starts a collector, or another one in its place, from the checkpoints that were handed over.
    fn start(&mut self) {
        let (watcher, report) = W::set();
        self.start_on(watcher, report);
    }

    fn start_on(&mut self, watcher: W, report: Report) {
        self.status = Arc::default();
        let checkpoints = self.checkpoints.iter();
        let checkpoints: Vec<_> = checkpoints
            .map(|(source, position)| Checkpoint { source: source.clone(), position: Some(position.clone()) })
            .collect();
        let naming = Box::new(ByPath);
        let collector = Directory::new(self.settings.clone(), naming, watcher, &checkpoints, Arc::clone(&self.status));
        self.collector = Some(collector.unwrap());
        self.report = report;
    }

    /// Something happened to `name`.
    fn happened(&self, name: &str) {
        (self.report)(&self.path(name));
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
        drop(file);
        match fs::canonicalize(self.path(name)) {
            Ok(target) => (self.report)(&target),
            Err(_) => self.happened(name),
        }
        self.happened(name);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
        self.happened(from);
        self.happened(to);
    }

    /// Renames a directory, and creates another in its place before anybody looks.
    fn replace_directory(&self, name: &str, old: &str) {
        let path = fs::canonicalize(self.path(name)).unwrap();
        let old = path.parent().unwrap().join(Path::new(old).file_name().unwrap());
        fs::rename(&path, &old).unwrap();
        (self.report)(&path);
        (self.report)(&old);
        fs::create_dir(&path).unwrap();
        (self.report)(&path);
    }

    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        self.happened(to);
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
        self.happened(name);
    }

    /// Writes what is in `from` to `to`, compressed, and removes `from`.
    fn compress(&self, from: &str, to: &str) {
        let mut encoder = GzEncoder::new(File::create(self.path(to)).unwrap(), Compression::fast());
        encoder.write_all(&fs::read(self.path(from)).unwrap()).unwrap();
        encoder.finish().unwrap();
        self.happened(to);
        self.remove(from);
    }

    /// Cuts a file, as a power cut does that takes what was not synced.
    fn shorten(&self, name: &str, byte_count: u64) {
        OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(byte_count).unwrap();
        self.happened(name);
    }

    /// Everything that is certainly lost: `"<name> <from>..<to> <reason>"`.
    fn gaps(&self) -> Vec<String> {
        let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        let gaps = self.status.gaps().into_iter();
        gaps.map(|gap| format!("{} {:?} {}", name(&gap.path), gap.bytes, gap.reason.name())).collect()
    }

    fn link(&self, target: &str, name: &str) {
        symlink(target, self.path(name)).unwrap();
        self.happened(name);
    }

    fn truncate(&self, name: &str) {
        File::create(self.path(name)).unwrap();
        self.happened(name);
    }

    /// Takes all that there is, as the pump does.
    fn collect(&mut self) {
        let mut idle_rounds = 0;
        while idle_rounds < 2 {
            let collector = self.collector.as_mut().unwrap();
            let Some(collected) = collector.next_batch(Duration::ZERO).unwrap() else {
                idle_rounds += 1;
                if collector.wants_sync() {
                    collector.synced();
                }
                continue;
            };
            idle_rounds = 0;
            self.keep(collected);
        }
        self.status.balance(self.collector.as_ref().unwrap().waiting_bytes());
        assert_eq!(self.status.bytes_unaccounted.get(), 0, "{:?}", self.status);
    }

    fn keep(&mut self, collected: Collected) {
        self.status.bytes_stored.add(collected.source_bytes);
        let batch = collected.batch;
        for stream in batch.streams {
            let path = stream.labels.get("path").unwrap();
            let name = Path::new(path).strip_prefix(&self.settings.root).unwrap().to_str().unwrap();
            let channel = stream.labels.get("stream").map(|channel| format!(" {channel}")).unwrap_or_default();
            let lines = stream.lines.iter().map(|(_, line)| String::from_utf8_lossy(line).into_owned());
            self.lines.entry(format!("{name}{channel}")).or_default().extend(lines);
        }
        match batch.checkpoint.unwrap() {
            Checkpoint { source, position: Some(position) } => self.checkpoints.insert(source, position),
            Checkpoint { source, position: None } => self.checkpoints.remove(&source),
        };
    }

    /// Collects, and compares all lines handed over so far: `"<name>: <line> <line>"` for each stream.
    #[track_caller]
    fn check(&mut self, expected: &[&str]) {
        self.collect();
        let actual: Vec<String> =
            self.lines.iter().map(|(name, lines)| format!("{name}: {}", lines.join(" "))).collect();
        assert_eq!(actual, expected);
    }

    fn open_file_count(&self) -> usize {
        self.status.sources().len()
    }
}

/// Tells each story on both stages.
macro_rules! on_mock_and_platform {
    ($($story:ident)*) => {
        mod on_mock {
            $(#[test] fn $story() { super::$story::<super::MockWatcher>(); })*
        }
        mod on_platform {
            $(#[test] fn $story() { super::$story::<super::PlatformWatcher>(); })*
        }
    };
}

on_mock_and_platform! {
    an_empty_file_gives_nothing
    a_file_is_read_and_followed
    several_files_give_each_line_once
    a_line_is_kept_back_until_it_ends
    the_root_may_be_a_link
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
    truncation_starts_over
    rewriting_in_place_starts_over
    rename_and_create_loses_and_doubles_nothing
    a_rotated_file_is_read_to_its_end_before_the_one_that_follows_it
    a_chain_of_rotations_loses_and_doubles_nothing
    a_copy_is_read_on_once_its_original_is_truncated
    a_copy_may_take_its_time
    what_was_written_behind_the_back_of_a_copy_is_not_doubled
    a_chain_of_copies_loses_and_doubles_nothing
    a_copy_found_after_the_truncation_is_read_on
    a_copy_made_while_down_is_read_on
    a_copy_of_what_goes_on_is_another_file
    a_file_of_a_similar_name_is_read_at_once
    a_deleted_file_is_read_to_its_end
    a_file_recreated_is_another_file
    a_link_switched_to_another_file_goes_on_there
    a_dangling_link_is_followed_once_there_is_a_file
    the_kubelets_rotation_behind_two_links
    a_restart_reads_on_where_it_was
    a_file_renamed_while_down_is_read_on
    files_of_one_stream_are_resumed_in_their_order
    a_file_rotated_out_of_the_root_while_down_is_read_to_its_end
    rotations_while_down_are_read_in_their_order
    rotations_out_of_the_root_while_down_are_read_in_their_order
    a_compressed_copy_made_while_down_is_read_on
    a_restart_goes_on_inside_a_compressed_file
    rotations_between_two_looks_are_read_in_their_order
    a_file_whose_link_is_gone_is_read_to_its_end
    what_was_deleted_unread_while_down_is_a_gap
    what_was_truncated_unread_is_a_gap
    what_a_copy_lacks_is_a_gap
    a_damaged_compressed_file_is_read_up_to_the_damage
    a_file_that_a_power_cut_shortened_goes_on
    deleted_files_over_the_budget_are_let_go
    a_file_rewritten_while_down_is_read_from_its_start
    a_container_line_split_over_a_restart_is_whole
    a_container_line_that_never_ends_is_kept
    history_can_be_skipped
    history_is_skipped_at_the_very_first_start_only
    a_backlog_does_not_keep_deleted_files_open
    a_line_over_the_limit_is_cut
    any_bytes_are_kept
    lines_that_belong_together_become_one_entry
    a_trace_split_over_a_restart_is_one_entry
    more_files_than_may_be_open_are_closed_and_opened_again
    holes_are_skipped
    a_line_with_a_hole_in_it_ends
    binary_files_archives_and_own_data_are_left_out
    what_is_no_regular_file_is_left_out
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
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

fn a_copy_is_read_on_once_its_original_is_truncated<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.copy("a.log", "a.log.1");
    story.truncate("a.log");
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
}

fn a_copy_of_what_goes_on_is_another_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.copy("a.log", "a.log.1");
    story.append("a.log", "two\n");
    story.check(&["a.log: one two"]);
    story.collector.as_mut().unwrap().let_time_pass();
    story.check(&["a.log: one two", "a.log.1: one"]);
    story.append("a.log.1", "three\n");
    story.check(&["a.log: one two", "a.log.1: one three"]);
}

fn a_file_of_a_similar_name_is_read_at_once<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.append("a.log.2", "one\nother\n");
    story.start();
    story.check(&["a.log: one", "a.log.2: one other"]);
    story.append("a.log.1", "o");
    story.check(&["a.log: one", "a.log.2: one other"]);
    story.append("a.log.1", "h\n");
    story.check(&["a.log: one", "a.log.1: oh", "a.log.2: one other"]);
}

fn a_deleted_file_is_read_to_its_end<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\nunended");
    story.remove("a.log");
    story.check(&["a.log: one two unended"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
}

fn a_file_recreated_is_another_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    for _ in 0..3 {
        story.remove("a.log");
        story.append("a.log", "one\n");
        story.collect();
    }
    story.check(&["a.log: one one one one"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 1));
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

fn a_dangling_link_is_followed_once_there_is_a_file<W: Stage>() {
    let mut story = Story::<W>::new();
    story.link("../later.log", "a.log");
    story.start();
    story.check(&[]);
    story.append("../later.log", "one\n");
    (story.report)(&fs::canonicalize(story.path("../later.log")).unwrap());
    story.check(&["a.log: one"]);
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
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
    let mut story = Story::<W>::new();
    story.append("../0.log", "one\n");
    story.link("../0.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.append("../0.log", "two\n");
    story.rename("../0.log", "../0.log.20261122-130405");
    story.append("../0.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 1));
}

fn rotations_while_down_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log.2.gz", "an old one");
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.rename("a.log.2.gz", "a.log.4.gz");
    story.compress("a.log", "a.log.3.gz");
    story.append("a.log", "three\nthree\n");
    story.compress("a.log", "a.log.2.gz");
    story.append("a.log.1", "four\n");
    story.append("a.log", "five\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three three four five"]);
    }
    story.append("a.log.1", "late\n");
    story.append("a.log", "six\n");
    story.check(&["a.log: one two three three four five late six"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (2, 2));
}

fn rotations_out_of_the_root_while_down_are_read_in_their_order<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../0.log.20261122-130400.gz", "an old one");
    story.append("../0.log", "one\n");
    story.link("../0.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.append("../0.log", "two\n");
    story.compress("../0.log", "../0.log.20261122-130405.gz");
    story.append("../0.log.20261122-130406", "three\n");
    story.append("../0.log", "four\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three four"]);
        assert_eq!((story.open_file_count(), story.checkpoints.len()), (1, 1));
    }
    story.rename("../0.log", "../0.log.20261122-130407");
    story.append("../0.log", "five\n");
    story.start();
    story.check(&["a.log: one two three four five"]);
}

fn a_compressed_copy_made_while_down_is_read_on<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.copy("a.log", "a.log.1");
    story.compress("a.log.1", "a.log.1.gz");
    story.truncate("a.log");
    story.append("a.log", "three\n");
    for _ in 0..2 {
        story.start();
        story.check(&["a.log: one two three"]);
    }
    assert_eq!(story.checkpoints.len(), 1);
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

fn a_file_whose_link_is_gone_is_read_to_its_end<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("../0.log", "one\n");
    story.link("../0.log", "a.log");
    story.start();
    story.check(&["a.log: one"]);
    story.append("../0.log", "two\n");
    story.remove("a.log");
    story.start();
    story.check(&["a.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
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
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "two\n");
    story.compress("a.log", "a.log.1.gz");
    let size = fs::metadata(story.path("a.log.1.gz")).unwrap().len();
    story.shorten("a.log.1.gz", size - 8);
    story.append("a.log", "three\n");
    story.start();
    story.check(&["a.log: one two three"]);
    assert_eq!(story.gaps(), ["a.log 8..8 damaged"]);
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
        collector.last_poll -= super::POLL_INTERVAL;
    }
    assert_eq!(story.status.held_deleted_bytes.get(), 16);
    assert_eq!(story.gaps(), ["a.log 4..8 over_budget"]);
    story.check(&["a.log: one", "b.log: one two", "c.log: one two"]);
    assert_eq!((story.open_file_count(), story.checkpoints.len()), (0, 0));
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

fn a_backlog_does_not_keep_deleted_files_open<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", "one\n");
    story.start();
    story.check(&["a.log: one"]);
    story.append("a.log", "unended");
    story.remove("a.log");
    story.append("b.log", "x\n".repeat(8 * CHUNK_BYTES));
    for _ in 0..8 {
        let collector = story.collector.as_mut().unwrap();
        collector.last_poll -= super::POLL_INTERVAL;
        let collected = collector.next_batch(Duration::ZERO).unwrap().unwrap();
        if collector.wants_sync() {
            collector.synced();
        }
        story.keep(collected);
    }
    assert_eq!(story.lines["a.log"], ["one", "unended"]);
    assert_eq!(story.open_file_count(), 1);
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
    for since in story.collector.as_mut().unwrap().joining.values_mut() {
        *since -= super::JOINING_TIME_MAX;
    }
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

fn any_bytes_are_kept<W: Stage>() {
    let mut story = Story::<W>::new();
    story.append("a.log", b"a\0b\xff\r\n\n");
    story.start();
    let mut collected = Vec::new();
    while let Some(next) = story.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() {
        collected.extend(next.batch.streams.iter().flat_map(|stream| stream.lines.bytes().to_vec()));
    }
    assert_eq!(collected, b"a\0b\xff\r");
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
    story.collector.as_mut().unwrap().last_poll -= super::POLL_INTERVAL;
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
    story.collector.as_mut().unwrap().last_directory_poll -= super::DIRECTORY_POLL_INTERVAL;
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

/// How many files under the root this process has open; a test's directory has a name of its own.
fn descriptor_count<W: Stage>(story: &Story<W>) -> usize {
    let root = story.path("");
    let descriptors = fs::read_dir("/dev/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    descriptors.filter(|path| path.starts_with(&root) && path != &root).count()
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
