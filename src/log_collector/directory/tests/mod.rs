//! What becomes of files while a collector looks on: each story is told on the mock and on the platform's watcher.
#![expect(clippy::disallowed_methods, reason = "these tests are the programs that write, rotate and remove log files")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::{Directory, Settings};
use crate::file;
use crate::log_collector::checkpoint;
use crate::log_collector::naming::ByPath;
use crate::log_collector::patterns::Patterns;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::log_collector::watcher::{PlatformWatcher, Watcher};
use crate::log_collector::{Collected, Collector};
use crate::model::{Checkpoint, Timestamp};
use crate::status::{SourceState, Status};

mod content;
mod copies;
mod gaps;
mod limits;
mod lines;
mod names;
mod restart;
mod rotation;
mod watches;

/// Waits until the file system's clock shows another time, by writing to `clock`: what happens between two of its ticks (up
/// to 4 ms on Linux before 6.13) has the same time, and then nobody can tell what came first.
pub(crate) fn tick(clock: &Path) {
    let time = || fs::metadata(clock).and_then(|metadata| metadata.modified()).ok();
    let before = time();
    while time() == before {
        std::thread::sleep(Duration::from_micros(200));
        OpenOptions::new().create(true).append(true).open(clock).unwrap().write_all(b".").unwrap();
    }
}

/// Has files refused that `is_unreadable` says cannot be opened, from now on.
pub(crate) fn refuse_files(is_unreadable: Option<fn(&Path) -> bool>) {
    file::UNREADABLE.set(is_unreadable);
}

/// The key under which the position of the file at `path` is kept.
pub(crate) fn key_of(path: &Path) -> Vec<u8> {
    checkpoint::encode_key(file::link_metadata(path).unwrap().identity)
}

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
    /// What is shown of lines that have not ended, by source.
    unended: BTreeMap<Vec<u8>, Vec<String>>,
}

impl<W: Watcher> Directory<W> {
    /// Makes it believe that so much time has passed that files are polled and copies no more looked for.
    pub(crate) fn let_time_pass(&mut self) {
        self.last_poll -= super::POLL_INTERVAL;
        self.sources.let_be_quiet(crate::log_collector::tracked::COPY_PATIENCE, super::UNENDED_SHOWN_AFTER);
        for cut in self.cuts.values_mut() {
            cut.since -= crate::log_collector::tracked::COPY_PATIENCE;
        }
    }
}

impl<W: Watcher> Directory<W> {
    /// Whether the file is open now whose position is kept under `key`.
    pub(crate) fn has_open(&self, key: &[u8]) -> bool {
        let id = checkpoint::decode_key(key).and_then(|identity| self.sources.of_file(identity));
        id.is_some_and(|id| !self.sources[id].source.is_closed())
    }

    /// Whether the file is held whose position is kept under `key`.
    pub(crate) fn holds(&self, key: &[u8]) -> bool {
        checkpoint::decode_key(key).is_some_and(|identity| self.sources.of_file(identity).is_some())
    }
}

impl<W: Stage> Story<W> {
    /// A collector that has read the line `one` of the file `name`.
    fn after_one(name: &str) -> Self {
        let mut story = Self::new();
        story.append(name, "one\n");
        story.start();
        story.check(&[&format!("{name}: one")]);
        story
    }

    /// As [`Story::after_one`] of `a.log`, which is a link to a file outside of the root, `../0.log`.
    fn after_one_behind_a_link() -> Self {
        let mut story = Self::new();
        story.append("../0.log", "one\n");
        story.link("../0.log", "a.log");
        story.start();
        story.check(&["a.log: one"]);
        story
    }

    /// An empty root, not yet collected from.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(base.join("root")).unwrap();
        let settings = Settings {
            root: base.join("root"),
            patterns: Patterns::new(&[], &[]).unwrap(),
            data_directory: None,
            left_out: Vec::new(),
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
            unended: BTreeMap::new(),
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
        tick(&self.directory.path().join("clock"));
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
        drop(file);
        match fs::canonicalize(self.path(name)) {
            Ok(target) => (self.report)(&target),
            Err(_) => self.happened(name),
        }
        self.happened(name);
    }

    /// Waits until what happens next happens later than `name` came into being, by the file system's clock.
    fn outlive_birth_of(&self, name: &str) {
        let clock = self.directory.path().join("clock");
        let born = fs::metadata(self.path(name)).unwrap().created().unwrap();
        while fs::metadata(&clock).unwrap().modified().unwrap() <= born {
            tick(&clock);
        }
        tick(&clock);
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

    /// Lets the link `name` lead elsewhere.
    fn relink(&self, target: &str, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
        self.link(target, name);
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

    /// Takes up to so many batches.
    fn collect_batches(&mut self, batch_count: usize) {
        for _ in 0..batch_count {
            let Some(next) = self.collector.as_mut().unwrap().next_batch(Duration::ZERO).unwrap() else { return };
            self.keep(next);
        }
    }

    fn keep(&mut self, collected: Collected) {
        self.status.bytes_stored.add(collected.source_bytes);
        if let Some(unended) = collected.unended {
            let texts = unended.streams.iter().flat_map(|stream| stream.lines.iter());
            let texts: Vec<String> = texts.map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect();
            self.unended.insert(unended.source, texts);
            return;
        }
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
        self.status.sources().iter().filter(|source| source.state().0 != SourceState::LeftOut).count()
    }
}

/// Tells each story on both stages.
macro_rules! on_mock_and_platform {
    ($($story:ident)*) => {
        mod on_mock {
            $(#[test] fn $story() { super::$story::<crate::log_collector::watcher::mock::MockWatcher>(); })*
        }
        mod on_platform {
            $(#[test] fn $story() { super::$story::<crate::log_collector::watcher::PlatformWatcher>(); })*
        }
    };
}
use on_mock_and_platform;
