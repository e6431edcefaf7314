//! The world of the model: files, an agent, a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use super::CLOCK;
use super::actions::{Action, Defect};
use super::logs::{LOGS, Log};
use crate::ingest::spacing::Spacing;
use crate::log_collector::directory::Directory;
use crate::log_collector::directory::tests::refuse_files;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::log_database::Database;
use crate::log_database::storage::SimulatedStorage;
use crate::status::Status;

pub(super) struct World {
    pub(super) _directory: TempDir,
    pub(super) base: PathBuf,
    pub(super) logs: Vec<Log>,
    pub(super) storage: SimulatedStorage,
    pub(super) database: Option<Database>,
    pub(super) spacing: Option<Spacing>,
    pub(super) collector: Option<Directory<MockWatcher>>,
    pub(super) mock: MockWatcher,
    pub(super) status: Arc<Status>,
    /// Whether a commit failed that has to be made good before anything is read.
    pub(super) is_blocked: bool,
    pub(super) defect: Defect,
    pub(super) previous: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) batch_count: usize,
    /// Copies of logs that nothing was truncated for.
    pub(super) copies: Vec<PathBuf>,
    pub(super) open_files_max: usize,
    /// Whether files could not be read for a while.
    pub(super) was_unreadable: bool,
    /// Inodes of files that were deleted.
    pub(super) freed_inodes: BTreeSet<u64>,
    /// What earlier agents said to be lost. One that is killed before it is stored that a file is gone finds that again.
    pub(super) gaps: BTreeSet<(String, u64, u64)>,
    pub(super) destroyed_bytes: u64,
}

/// How many files an agent may open.
const MANY_FILES: usize = 1000;
const FEW_FILES: usize = 2;

/// Whether a path is that of a rotated file.
fn is_rotated(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "log")
}

pub(super) type Check = Result<(), TestCaseError>;

impl World {
    /// Three logs that have just been created, and an agent that knows it.
    pub(super) fn new(defect: Defect) -> Self {
        CLOCK.set(1_000_000_000);
        let directory = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(base.join("root")).unwrap();
        fs::create_dir(base.join("pods")).unwrap();
        fs::create_dir(base.join("root/old")).unwrap();
        refuse_files(None);
        let logs = LOGS.map(|(name, scheme)| Log::new(name, scheme)).into();
        symlink(base.join("pods/0.log"), base.join("root/k.log")).unwrap();
        let mut world = Self {
            _directory: directory,
            base,
            logs,
            storage: SimulatedStorage::default(),
            database: None,
            spacing: None,
            collector: None,
            mock: MockWatcher::default(),
            status: Arc::default(),
            is_blocked: false,
            defect,
            previous: BTreeMap::new(),
            batch_count: 0,
            copies: Vec::new(),
            open_files_max: MANY_FILES,
            was_unreadable: false,
            freed_inodes: BTreeSet::new(),
            gaps: BTreeSet::new(),
            destroyed_bytes: 0,
        };
        for log in 0..world.logs.len() {
            world.create(log);
        }
        // What is rotated before the very first start is no part of the log's stream.
        world.look(10).unwrap();
        world.act(&Action::Sync).unwrap();
        world
    }

    pub(super) fn act(&mut self, action: &Action) -> Check {
        match *action {
            Action::Write { log, lines } => self.write(log, lines)?,
            Action::WriteUnended { log } => self.write_unended(log)?,
            Action::Rotate { log, look_between, write_between } => self.rotate(log, look_between, write_between)?,
            Action::Truncate { log } => self.truncate(log),
            Action::Compress { log, which } => self.compress(log, which),
            Action::Copy { log, is_away } => self.copy(log, is_away),
            Action::DeleteOldest { log } => self.delete_oldest(log),
            Action::DeleteAndCreate { log } => self.delete_and_create(log)?,
            Action::SwitchLink => self.switch_link()?,
            Action::Look { batches, commit } => {
                self.look(batches)?;
                if commit && let Some(database) = &self.database {
                    self.is_blocked |= database.commit().is_err();
                }
            }
            Action::Sync => self.sync(),
            Action::Kill { few_files } => {
                self.kill();
                self.open_files_max = if few_files { FEW_FILES } else { MANY_FILES };
            }
            Action::PowerCut { mode, seed } => self.power_cut(mode, seed),
            Action::ClockJump { hours } => CLOCK.set(CLOCK.get() + hours * 3_600_000_000_000),
            Action::DiskFull { is_full: true } => {
                let used = self.storage.files().values().map(Vec::len).sum::<usize>();
                self.storage.set_capacity_bytes(used as u64);
            }
            Action::DiskFull { is_full: false } => self.end_disk_full(),
            Action::Readable { is_readable } => {
                refuse_files((!is_readable).then_some(is_rotated));
                self.was_unreadable |= !is_readable;
            }
            Action::Query => {
                self.start();
                self.check(false)?;
            }
        }
        Ok(())
    }
}
