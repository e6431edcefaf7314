//! What has to be stored, and what is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::world::{Check, World};
use crate::log_collector::checkpoint::Position;
use crate::log_collector::directory::tests::refuse_files;
use crate::log_database::Database;
use crate::log_database::storage::CrashMode;
use crate::model::{Matcher, Selection, TimeRange};

impl World {
    /// The lines of a log that are stored, in the order in which they are.
    pub(super) fn stored(&self, log: usize) -> Vec<String> {
        let Some(database) = &self.database else { return self.stored_after(log, CrashMode::ProcessKilled) };
        lines(database, &self.base.join("root").join(self.logs[log].name))
    }

    pub(super) fn stored_after(&self, log: usize, crash: CrashMode) -> Vec<String> {
        let copy = self.storage.crash(crash, 0);
        let database = Database::open(Arc::new(copy)).unwrap();
        lines(&database, &self.base.join("root").join(self.logs[log].name))
    }

    /// Whether something durable was read of a file, so that a copy of it can be recognised.
    pub(super) fn is_known(&self, log: usize, file: usize) -> bool {
        let stored = self.stored_after(log, CrashMode::AllLost);
        let it = &self.logs[log];
        it.files[file].lines.iter().any(|id| stored.contains(&it.line(*id)))
    }

    /// What a file holds is destroyed.
    pub(super) fn lose_content(&mut self, log: usize, file: usize) {
        let lines = std::mem::take(&mut self.logs[log].files[file].lines);
        self.lose(log, &lines);
    }

    /// The last copies of `lines` outside the database are destroyed.
    pub(super) fn lose(&mut self, log: usize, lines: &[usize]) {
        let stored = self.stored(log);
        for &id in lines {
            if stored.contains(&self.logs[log].line(id)) {
                self.logs[log].fragile.insert(id);
            } else {
                self.destroyed_bytes += self.logs[log].line(id).len() as u64 + 1;
                self.logs[log].lost.insert(id);
            }
        }
    }

    /// The link of a container may lead elsewhere before anybody knows where it led: then nobody can find those files.
    pub(super) fn lose_what_no_link_led_to(&mut self) {
        let checkpoints = match &self.database {
            Some(database) => database.checkpoints(),
            None => Database::open(Arc::new(self.storage.crash(CrashMode::ProcessKilled, 0))).unwrap().checkpoints(),
        };
        let positions = checkpoints.iter().filter_map(|checkpoint| Position::decode(checkpoint.position.as_ref()?));
        let paths: BTreeSet<_> = positions.map(|position| position.path).collect();
        for log in 0..self.logs.len() {
            let it = &self.logs[log];
            let is_known = |target: usize| {
                let path = self.base.join(format!("pods/{target}.log"));
                let is_held = it.files.iter().any(|file| file.link_target == target && file.is_held);
                target == it.link_target || is_held || paths.contains(&path)
            };
            let unknown = it.files.iter().filter(|file| !is_known(file.link_target));
            let lines: Vec<usize> = unknown.flat_map(|file| file.lines.iter().copied()).collect();
            let stored = self.stored(log);
            let it = &mut self.logs[log];
            let unread = lines.into_iter().filter(|id| !stored.contains(&it.line(*id)));
            let unread: Vec<usize> = unread.collect();
            it.lost.extend(unread);
        }
    }

    /// Each stored line was written, is stored once, and stands behind the ones before it.
    pub(super) fn check(&self, is_complete: bool) -> Check {
        for log in 0..self.logs.len() {
            let it = &self.logs[log];
            let ids: BTreeMap<String, usize> = (0..it.line_count).map(|id| (it.line(id), id)).collect();
            let mut stored = Vec::new();
            for line in self.stored(log) {
                if let Some(id) = ids.get(&line) {
                    stored.push(*id);
                    continue;
                }
                // What a power cut left of a line.
                let is_rest = it.lost.iter().chain(&it.fragile).any(|id| it.line(*id).starts_with(&line));
                prop_assert!(is_rest, "{} has a line that nobody wrote: {line:?}", it.name);
            }
            let whole: Vec<usize> = stored.iter().copied().filter(|id| !it.torn.contains(id)).collect();
            // What cannot be read does not hold up what comes after it. Of a log that was neither rotated nor copied there is no
            // such file.
            let mut whole = whole;
            if self.was_unreadable && (1 < it.files.len() || 0 < it.copies) {
                whole.sort_unstable();
            }
            let in_order = whole.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert!(in_order, "{} is not in order, or lines are doubled: {stored:?}", it.name);
            if is_complete {
                let missing = (0..it.line_count).filter(|id| !it.lost.contains(id) && !stored.contains(id));
                let missing: Vec<usize> = missing.collect();
                prop_assert!(missing.is_empty(), "{} lacks {missing:?}, it has {stored:?}", it.name);
            }
        }
        let streams = self.database.as_ref().unwrap().snapshot();
        let streams = streams.streams(&[], TimeRange::ALL);
        let names: BTreeSet<_> = streams.iter().filter_map(|labels| labels.get("path")?.rsplit('/').next()).collect();
        let expected: BTreeSet<_> = self.logs.iter().map(|log| log.name).collect();
        prop_assert!(names.is_subset(&expected), "there are streams that no log has: {names:?}");
        Ok(())
    }

    /// All is well again, and the agent has time.
    pub(super) fn finish(&mut self) -> Check {
        self.end_disk_full();
        refuse_files(None);
        for log in 0..self.logs.len() {
            self.end_line(log);
        }
        self.look_for_a_while()?;
        self.check(true)?;
        self.end_agent();
        let gaps: u64 = self.gaps.iter().map(|(_, start, end)| end - start).sum();
        let destroyed = self.destroyed_bytes;
        prop_assert!(gaps <= destroyed, "gaps of {gaps} bytes, but {destroyed} were destroyed");
        self.kill();
        self.look_for_a_while()?;
        self.check(true)
    }

    fn look_for_a_while(&mut self) -> Check {
        for _ in 0..4 {
            self.look(10_000)?;
            self.collector.as_mut().unwrap().let_time_pass();
        }
        Ok(())
    }
}

/// The lines of the stream of `path`.
fn lines(database: &Database, path: &Path) -> Vec<String> {
    let selection = Selection::of(vec![Matcher::equal("path", path.to_str().unwrap())]);
    let (snapshot, mut lines, mut before) = (database.snapshot(), Vec::new(), None);
    let mut scan = snapshot.scan(&selection);
    while let Some(entry) = scan.next().unwrap() {
        assert!(before < Some(entry.timestamp), "{} has two lines at {:?}", path.display(), entry.timestamp);
        before = Some(entry.timestamp);
        lines.push(String::from_utf8(entry.line.to_vec()).unwrap());
    }
    lines
}
