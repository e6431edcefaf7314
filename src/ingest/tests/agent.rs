//! The agent: it starts, looks, is killed, and loses power.

use std::fs::{self, OpenOptions};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::actions::Defect;
use super::world::{Check, World};
use super::{SHORTENED_BYTES_MIN, now};
use crate::ingest::spacing::Spacing;
use crate::log_collector::Collector;
use crate::log_collector::checkpoint::{self, Position};
use crate::log_collector::directory::tests::key_of;
use crate::log_collector::directory::{DELETED_BYTES_MAX, Directory, Settings};
use crate::log_collector::naming::ByPath;
use crate::log_collector::patterns::Patterns;
use crate::log_collector::watcher::mock::MockWatcher;
use crate::log_database::Database;
use crate::log_database::storage::CrashMode;
use crate::model::{Batch, Checkpoint};

impl World {
    pub(super) fn start(&mut self) {
        if self.collector.is_some() {
            return;
        }
        self.end_disk_full();
        self.is_blocked = false;
        let database = Database::open(Arc::new(self.storage.clone())).unwrap();
        let settings = Settings {
            root: self.base.join("root"),
            patterns: Patterns::new(&[], &[]).unwrap(),
            data_directory: None,
            left_out: Vec::new(),
            start_from_end: false,
            zone: TimeZone::UTC,
            clock: now,
            quiet_before_letting_go: Duration::ZERO,
            deleted_bytes_max: DELETED_BYTES_MAX,
            multiline: false,
            open_files_max: self.open_files_max,
        };
        (self.mock, self.status) = (MockWatcher::default(), Arc::default());
        let checkpoints = database.checkpoints();
        let (mock, status) = (self.mock.clone(), Arc::clone(&self.status));
        self.collector = Some(Directory::new(settings, Box::new(ByPath), mock, &checkpoints, status).unwrap());
        self.spacing = Some(Spacing::new(&database));
        self.database = Some(database);
        self.saw();
    }

    /// The agent has looked.
    pub(super) fn saw(&mut self) {
        for log in &mut self.logs {
            let plain = log.files.iter_mut().filter(|file| file.is_on_disk && !file.is_compressed);
            plain.for_each(|file| file.is_held = true);
        }
    }

    /// Does as the pump does, up to `batches` times.
    pub(super) fn look(&mut self, batches: usize) -> Check {
        self.start();
        for _ in 0..batches {
            let (Some(database), Some(collector)) = (self.database.clone(), self.collector.as_mut()) else { break };
            if self.is_blocked {
                self.is_blocked = database.commit().is_err();
            }
            if self.is_blocked {
                collector.follow_only().unwrap();
                break;
            }
            let Some(collected) = collector.next_batch(Duration::ZERO).unwrap() else {
                if !collector.wants_sync() {
                    break;
                }
                if self.defect == Defect::NoSyncBeforeLettingGo || database.sync().is_ok() {
                    collector.synced();
                    self.note_let_go();
                } else {
                    self.is_blocked = true;
                }
                continue;
            };
            if collected.unended.is_some() {
                continue;
            }
            self.batch_count += 1;
            let mut batch = self.broken(collected.batch);
            self.spacing.as_mut().expect("it is there with the database").space(&mut batch, &database);
            database.append(batch).unwrap();
            self.status.bytes_stored.add(collected.source_bytes);
            self.status.balance(self.collector.as_ref().unwrap().waiting_bytes());
            let unaccounted = self.status.bytes_unaccounted.get();
            prop_assert_eq!(unaccounted, 0, "bytes are unaccounted for: {:?}", self.status);
        }
        self.saw();
        Ok(())
    }

    /// What was read of a deleted file has to outlast a power cut from the moment on that the agent lets go of it.
    fn note_let_go(&mut self) {
        let Some(collector) = &self.collector else { return };
        for file in self.logs.iter_mut().flat_map(|log| &mut log.files) {
            let is_held = collector.holds(&file.key);
            if !file.is_on_disk && file.is_held && !is_held {
                file.is_held = false;
                file.lines.clear();
            }
        }
    }

    /// The batch, as a collector would hand it over that has the defect.
    pub(super) fn broken(&mut self, mut batch: Batch) -> Batch {
        let Some(Checkpoint { source, position: Some(position) }) = &mut batch.checkpoint else { return batch };
        match self.defect {
            Defect::None | Defect::NoSyncBeforeLettingGo => {}
            Defect::EarlyCheckpoint => {
                let before = self.previous.insert(source.clone(), position.clone());
                *position = before.unwrap_or_else(|| position.clone());
            }
            Defect::NoFingerprints => {
                let mut decoded = Position::decode(position).unwrap();
                decoded.head.clear();
                (decoded.tail_bytes, decoded.tail_md5) = (0, checkpoint::tail_md5(b""));
                *position = decoded.encode();
            }
            Defect::LostBatch => {
                if self.batch_count.is_multiple_of(10) {
                    batch.streams.clear();
                }
            }
            Defect::RotatedNotReadToEnd => {
                let is_it = |log| key_of(&self.path(log)) == *source;
                if !(0..self.logs.len()).any(is_it) {
                    batch.streams.clear();
                }
            }
        }
        batch
    }

    pub(super) fn end_agent(&mut self) {
        self.gaps.extend(self.status.gaps().into_iter().map(|gap| (gap.path, gap.bytes.start, gap.bytes.end)));
        (self.collector, self.database) = (None, None);
        self.status = Arc::default();
    }

    pub(super) fn kill(&mut self) {
        self.end_agent();
        self.storage = self.storage.crash(CrashMode::ProcessKilled, 0);
        self.after_crash();
    }

    pub(super) fn power_cut(&mut self, mode: usize, seed: u64) {
        self.end_agent();
        self.storage = self.storage.crash(CrashMode::ALL[mode], seed);
        // What was not synced: nobody could tell a copy of what a log has lost.
        for copy in std::mem::take(&mut self.copies) {
            fs::remove_file(copy).unwrap();
        }
        for log in 0..self.logs.len() {
            self.shorten(log, seed.rotate_left(17 * u32::try_from(log).unwrap()));
        }
        self.after_crash();
    }

    /// What was not synced of the file that a log is written to may be gone, and of the one that was rotated last.
    fn shorten(&mut self, log: usize, seed: u64) {
        let files = &self.logs[log].files;
        let last = files.len() - 1;
        if let Some(rotated) = last.checked_sub(1).filter(|it| files[*it].is_on_disk && !files[*it].is_compressed) {
            self.shorten_file(log, rotated, seed.rotate_left(7));
        }
        let (is_shorter, is_torn) = self.shorten_file(log, last, seed);
        let it = &mut self.logs[log];
        (it.is_torn, it.is_unended) = (is_torn, false);
        it.is_shortened |= is_shorter;
    }

    /// Cuts a file, and returns whether it is shorter, and whether it ends inside a line.
    fn shorten_file(&mut self, log: usize, index: usize, seed: u64) -> (bool, bool) {
        let path = self.logs[log].files[index].path.clone();
        let metadata = fs::metadata(&path).unwrap();
        let size = metadata.len();
        let kept = if seed.is_multiple_of(2) { size } else { seed / 2 % (size + 1) };
        let kept = if kept < SHORTENED_BYTES_MIN.min(size) { 0 } else { kept };
        if kept < size {
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(kept).unwrap();
            // Nobody wrote to it.
            file.set_modified(metadata.modified().unwrap()).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = std::mem::take(&mut self.logs[log].files[index].lines);
        let is_held = |id: &usize| text.contains(&format!("{}\n", self.logs[log].line(*id)));
        let (held, cut): (Vec<usize>, Vec<usize>) = lines.into_iter().partition(is_held);
        let is_torn = !text.is_empty() && !text.ends_with('\n');
        let it = &mut self.logs[log];
        it.files[index].lines = held;
        it.torn.extend(cut.first().filter(|_| is_torn));
        self.lose(log, &cut);
        (kept < size, is_torn)
    }

    /// What was held in open files or in memory is gone.
    pub(super) fn after_crash(&mut self) {
        for log in 0..self.logs.len() {
            let stored = self.stored(log);
            for index in 0..self.logs[log].files.len() {
                self.logs[log].files[index].is_held = false;
                if !self.logs[log].files[index].is_on_disk {
                    self.lose_content(log, index);
                }
            }
            let fragile = self.logs[log].fragile.clone();
            let lost = fragile.into_iter().filter(|id| !stored.contains(&self.logs[log].line(*id)));
            for id in lost.collect::<Vec<_>>() {
                self.destroyed_bytes += self.logs[log].line(id).len() as u64 + 1;
                self.logs[log].fragile.remove(&id);
                self.logs[log].lost.insert(id);
            }
        }
        self.lose_what_no_link_led_to();
    }

    /// There is room for what is to be stored.
    pub(super) fn end_disk_full(&self) {
        self.storage.set_capacity_bytes(1 << 30);
    }

    /// Has what is stored made durable.
    pub(super) fn sync(&mut self) {
        if let Some(database) = &self.database {
            self.is_blocked |= database.sync().is_err();
        }
    }
}
