//! Journals that grow, are renamed and deleted under the collector, without a journald.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::journald::tests::writer::{Options, Writer};
use crate::log_collector::patterns::Patterns;
use crate::log_collector::watcher::PlatformWatcher;
use crate::model::metadata;

fn now() -> Timestamp {
    Timestamp::from_ns(1_700_000_000_000_000_000)
}

fn open(root: &Path, checkpoints: &[Checkpoint], include: &[&str]) -> Journals<PlatformWatcher> {
    let include: Vec<String> = include.iter().map(ToString::to_string).collect();
    let units = Units { patterns: Patterns::new(&include, &[]).unwrap(), are_included_by_name: true };
    let settings = Settings {
        roots: vec![Root::new(root.to_owned(), true, units)],
        noticed: Noticed::default(),
        start_from_end: false,
        clock: now,
    };
    Journals::new(settings, PlatformWatcher::new().unwrap(), checkpoints, Arc::new(Status::default()))
}

/// Reads until nothing comes any more: the lines, and the checkpoints as the database would have them.
fn drain(journals: &mut Journals<PlatformWatcher>, kept: &mut BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut idle_count = 0;
    while idle_count < 3 {
        let collected = journals.next_batch(2 * LIVE_INTERVAL).unwrap();
        if journals.wants_sync() {
            journals.synced();
        }
        let Some(collected) = collected else {
            idle_count += 1;
            continue;
        };
        idle_count = 0;
        if let Some(checkpoint) = collected.batch.checkpoint {
            match checkpoint.position {
                Some(position) => drop(kept.insert(checkpoint.source, position)),
                None => drop(kept.remove(&checkpoint.source)),
            }
        }
        for stream in collected.batch.streams {
            for (_, line) in stream.lines.iter() {
                let text = metadata::split(line).0;
                lines.push(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    lines.sort_unstable();
    lines
}

fn checkpoints(kept: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<Checkpoint> {
    let checkpoint = |(source, position): (&Vec<u8>, &Vec<u8>)| Checkpoint {
        source: source.clone(),
        position: Some(position.clone()),
    };
    kept.iter().map(checkpoint).collect()
}

fn append(writer: &mut Writer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let (unit, message) = (format!("u{}.service", number % 2), format!("m{number:03}"));
        let fields: [(&str, &[u8]); 2] = [("_SYSTEMD_UNIT", unit.as_bytes()), ("MESSAGE", message.as_bytes())];
        writer.append(1_700_000_000_000_000 + number, &fields);
    }
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("m{number:03}")).collect()
}

#[test]
fn each_entry_is_read_once_over_growth_rotation_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let active = directory.path().join("system.journal");
    let archived = directory.path().join("system@1.journal");
    let mut kept = BTreeMap::new();
    let mut writer = Writer::new(Options::default());
    append(&mut writer, 0..20);
    writer.save(&active);

    let mut journals = open(directory.path(), &[], &[]);
    assert_eq!(drain(&mut journals, &mut kept), expected(0..20));
    append(&mut writer, 20..30);
    writer.save(&active);
    assert_eq!(drain(&mut journals, &mut kept), expected(20..30));

    // While nobody looks it grows and is renamed.
    drop(journals);
    append(&mut writer, 30..40);
    writer.archive();
    writer.save(&active);
    crate::file::rename(&active, &archived).unwrap();
    let mut journals = open(directory.path(), &checkpoints(&kept), &[]);
    assert_eq!(drain(&mut journals, &mut kept), expected(30..40));
    drop(journals);
    let mut journals = open(directory.path(), &checkpoints(&kept), &[]);
    assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
}

#[test]
fn units_are_included_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Options::default());
    append(&mut writer, 0..10);
    writer.save(&directory.path().join("system.journal"));
    let lines = drain(&mut open(directory.path(), &[], &["u1.*"]), &mut BTreeMap::new());
    assert_eq!(lines, ["m001", "m003", "m005", "m007", "m009"]);
}
