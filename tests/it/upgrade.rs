//! The promise of upgrades: what an earlier build has stored is opened and gone on with, and what a later one has is refused
//! and left as it is. `tests/golden/make.sh` makes the data directories that are opened here.
#![expect(clippy::disallowed_methods, reason = "these tests copy, read and damage data directories")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::DiskStorage;
use monitoring_rs::model::Timestamp;
use rustix::process::Signal;

use crate::agent::{Agent, Place};

/// Where a file has the version of its format: after its magic, in each of the two copies of its header.
const VERSION_AT: [usize; 2] = [8, 520];
/// What each block begins with; its version follows.
const BLOCK_MAGIC: &[u8] = b"mrb";

/// The data directories that are kept, from the oldest formats to the newest.
fn golden() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut kept: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("data_")).collect();
    kept.sort();
    assert!(5 <= kept.len(), "{kept:?}");
    kept
}

/// The lines of one of the files that the data directories were made of, from the same rule as in `make.sh`.
fn expected(name: &str) -> Vec<String> {
    let count = if name == "orders" { 1000 } else { 900 };
    let line = |i: u64| {
        let time = format!("2026-11-22T{:02}:{:02}:{:02}Z", 10 + i / 2400, i / 40 % 60, i % 40);
        let took = i * 7919 % 1000;
        if name == "orders" {
            return format!("{time} INFO order {i} of customer-{:02} took {took} ms", i % 17);
        }
        let status = if i.is_multiple_of(50) { 500 } else { 200 };
        format!(r#"{{"time":"{time}","level":"info","status":{status},"path":"/items/{}"}}"#, i * i)
    };
    (0..count).map(line).collect()
}

/// All files below a directory with what is in them, but for the one that says which process has it open.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().unwrap() != "lock" {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// A place whose agent finds what `kept` holds as its data.
fn place_with(kept: &Path) -> Place {
    let place = Place::new();
    for (path, bytes) in files(kept) {
        let copy = place.data().join(path.strip_prefix(kept).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(copy, bytes).unwrap();
    }
    place
}

fn stored(agent: &Agent, name: &str) -> Vec<String> {
    agent
        .get(&format!("/logs/path//srv/logs/{name}.log?limit=10000"))
        .json()
        .as_array()
        .map_or_else(Vec::new, |lines| lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect())
}

#[test]
fn what_each_earlier_format_holds_is_there_in_full_and_gone_on_with() {
    for kept in golden() {
        let place = place_with(&kept);
        for start in 1..=2 {
            let agent = place.start();
            place.append("new.log", &format!("start {start}\n"));
            let new: Vec<String> = (1..=start).map(|start| format!("start {start}")).collect();
            assert_eq!(agent.lines(&place, "new.log", start), new, "{}", kept.display());
            for name in ["orders", "web"] {
                assert_eq!(stored(&agent, name), expected(name), "{name} of {}", kept.display());
            }
            // From the columns of blocks, and from the lines of the journal.
            let found = agent.get("/logs/path//srv/logs/orders.log?contains=customer-07").json();
            assert_eq!(found.as_array().unwrap().len(), 59, "{}", kept.display());
            assert!(agent.end(Signal::TERM).0.success());
        }
        // Nor does anything get lost once it is in a segment of today's format.
        maintained(&place.data());
        let agent = place.start();
        for name in ["orders", "web"] {
            assert_eq!(stored(&agent, name), expected(name), "{name} of {} in new segments", kept.display());
        }
    }
}

/// The database in a data directory, all of whose lines were moved from the journal to segments.
fn maintained(data: &Path) -> Database {
    let database = Database::open(Arc::new(DiskStorage::open(data).unwrap())).unwrap();
    // Two looks, more than the hour apart after which a quiet journal becomes a segment.
    for hours in [0, 2] {
        let now = SystemTime::now() + Duration::from_hours(hours);
        let now_ns = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos()).unwrap();
        while database.maintain(Timestamp::from_ns(now_ns)).unwrap() {}
    }
    database
}

#[test]
fn what_a_later_build_has_written_is_refused_and_left_as_it_is() {
    let kept = golden().pop().unwrap();
    for kind in ["journal", "segment"] {
        let place = place_with(&kept);
        let before = files(&place.data());
        let is_kind = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == kind);
        let path = before.keys().find(is_kind).unwrap();
        let mut bytes = before[path].clone();
        for at in VERSION_AT {
            bytes[at] += 1;
        }
        fs::write(path, bytes).unwrap();
        let before = files(&place.data());
        place.append("new.log", "a line\n");
        let (code, message) = Place::fail(&mut place.command());
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert!(message.contains("upgrade monitoring-rs"), "{message}");
        assert!(files(&place.data()) == before, "the {kind} of a later build is not as it was");
    }
}

/// The versions of the formats in a data directory: of the journal, of segments, of blocks and of checkpoints.
fn versions(data: &Path) -> [Vec<u8>; 4] {
    let mut versions = [const { Vec::new() }; 4];
    for (path, bytes) in files(data) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("journal") => versions[0].push(bytes[VERSION_AT[0]]),
            Some("segment") => {
                versions[1].push(bytes[VERSION_AT[0]]);
                let blocks = bytes.windows(BLOCK_MAGIC.len() + 1).filter(|window| window.starts_with(BLOCK_MAGIC));
                versions[2].extend(blocks.map(|block| block[BLOCK_MAGIC.len()]));
            }
            _ => {}
        }
    }
    let database = Database::open(Arc::new(DiskStorage::open(data).unwrap())).unwrap();
    versions[3].extend(database.checkpoints().iter().filter_map(|checkpoint| checkpoint.position.as_ref()?.first()));
    for versions in &mut versions {
        versions.sort_unstable();
        versions.dedup();
    }
    versions
}

/// Only journals and segments say at their start which build can read them: whoever gives blocks or checkpoints a new version
/// gives segments or the journal one as well, lest an earlier build take them for damaged.
#[test]
fn the_formats_that_are_written_now_are_those_of_the_newest_directory_that_is_kept() {
    let place = Place::new();
    place.append("a.log", "2026-11-22T13:00:00Z a line\n");
    let agent = place.start();
    assert_eq!(agent.lines(&place, "a.log", 1).len(), 1);
    assert!(agent.end(Signal::TERM).0.success());
    drop(maintained(&place.data()));
    let newest = place_with(&golden().pop().unwrap());
    assert_eq!(
        versions(&place.data()),
        versions(&newest.data()),
        "a format has changed: keep a directory of it with tests/golden/make.sh, and say so in CHANGELOG.md"
    );
}
