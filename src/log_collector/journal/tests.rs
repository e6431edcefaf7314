//! Journals that grow, are renamed and deleted under the collector, without a journald.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::journald::tests::writer::{Options, Writer};
use crate::journald::{self, Place};
use crate::log_collector::patterns::Patterns;
use crate::log_collector::watcher::PlatformWatcher;
use crate::model::{Labels, metadata};
use crate::status::SkipReason;

fn now() -> Timestamp {
    Timestamp::from_ns(1_700_000_000_000_000_000)
}

fn settings(root: &Path) -> Settings {
    let root = crate::file::canonical(root).unwrap();
    let units = Units { patterns: Patterns::new(&[], &[]).unwrap(), are_included_by_name: true };
    Settings {
        roots: vec![Root::new(root, true, units)],
        noticed: Noticed::default(),
        start_from_end: false,
        clock: now,
    }
}

fn open_with(settings: Settings, checkpoints: &[Checkpoint]) -> (Journals<PlatformWatcher>, Arc<Status>) {
    let status = Arc::new(Status::default());
    let journals = Journals::new(settings, PlatformWatcher::new().unwrap(), checkpoints, Arc::clone(&status));
    (journals, status)
}

fn open(root: &Path, checkpoints: &[Checkpoint]) -> Journals<PlatformWatcher> {
    open_with(settings(root), checkpoints).0
}

/// Reads until nothing comes any more: the lines, and the checkpoints as the database would have them.
fn drain(journals: &mut Journals<PlatformWatcher>, kept: &mut Kept) -> Vec<String> {
    read_batches(journals, kept, usize::MAX)
}

/// As [`drain`], but no more than `batches_max` batches.
fn read_batches(journals: &mut Journals<PlatformWatcher>, kept: &mut Kept, batches_max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut idle_count = 0;
    let mut batch_count = 0;
    while idle_count < 3 && batch_count < batches_max {
        let collected = journals.next_batch(2 * LIVE_INTERVAL).unwrap();
        if journals.wants_sync() {
            journals.synced();
        }
        let Some(collected) = collected else {
            idle_count += 1;
            continue;
        };
        idle_count = 0;
        batch_count += 1;
        journals.status.bytes_stored.add(collected.source_bytes);
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

/// What was seen is stored, skipped, or waits, and `waiting_bytes` of it do.
#[track_caller]
fn check_balance(journals: &Journals<PlatformWatcher>, status: &Status, waiting_bytes: u64) {
    assert_eq!(journals.waiting_bytes(), waiting_bytes);
    status.balance(waiting_bytes);
    assert_eq!(status.bytes_unaccounted.get(), 0);
}

/// The positions that the database would have.
type Kept = BTreeMap<Vec<u8>, Vec<u8>>;

fn checkpoints(kept: &Kept) -> Vec<Checkpoint> {
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

    let mut journals = open(directory.path(), &[]);
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
    let mut journals = open(directory.path(), &checkpoints(&kept));
    assert_eq!(drain(&mut journals, &mut kept), expected(30..40));
    drop(journals);
    let mut journals = open(directory.path(), &checkpoints(&kept));
    assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
}

#[test]
fn units_are_included_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Options::default());
    append(&mut writer, 0..10);
    writer.save(&directory.path().join("system.journal"));
    let mut settings = settings(directory.path());
    settings.roots[0].units.patterns = Patterns::new(&["u1.*".into()], &[]).unwrap();
    let (mut journals, status) = open_with(settings, &[]);
    let lines = drain(&mut journals, &mut BTreeMap::new());
    assert!(0 < status.skipped(SkipReason::Excluded));
    check_balance(&journals, &status, 0);
    assert_eq!(lines, ["m001", "m003", "m005", "m007", "m009"]);
}

/// The entries of `numbers` as journald copies them to another file: their times stay, their numbers do not.
fn copied(id: u8, numbers: std::ops::Range<u64>) -> Writer {
    let mut writer = Writer::after(Options { id, ..Options::default() }, 700);
    append(&mut writer, numbers);
    writer
}

#[test]
fn what_is_copied_from_a_volatile_journal_is_read_once() {
    // How far the volatile file was read when it was copied, and whether the agent was down meanwhile.
    for (read_count, is_down) in [(30, false), (20, false), (20, true), (30, true)] {
        let directory = tempfile::tempdir().unwrap();
        let (volatile, lasting) = (directory.path().join("run/log/journal/m"), directory.path().join("var/m"));
        for path in [&volatile, &lasting] {
            crate::file::create_directories(path).unwrap();
        }
        let volatile = volatile.join("system.journal");
        let mut kept = BTreeMap::new();
        let mut writer = Writer::new(Options::default());
        append(&mut writer, 0..20);
        writer.save(&volatile);
        let mut journals = open(directory.path(), &[]);
        let mut lines = drain(&mut journals, &mut kept);
        append(&mut writer, 20..30);
        writer.save(&volatile);
        if read_count == 30 {
            lines.extend(drain(&mut journals, &mut kept));
        }
        if is_down {
            drop(journals);
        }
        copied(2, 0..40).save(&lasting.join("system.journal"));
        crate::file::remove(&volatile).unwrap();
        let mut journals = open(directory.path(), &checkpoints(&kept));
        lines.extend(drain(&mut journals, &mut kept));
        lines.sort_unstable();
        assert_eq!(lines, expected(0..40), "{read_count} were read, {is_down}");
        // It is still known after a restart.
        let mut journals = open(directory.path(), &checkpoints(&kept));
        assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
    }
}

#[test]
fn an_entry_that_is_copied_while_it_is_read_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let (volatile, lasting) = (directory.path().join("run/log/journal/m"), directory.path().join("var/m"));
    for path in [&volatile, &lasting] {
        crate::file::create_directories(path).unwrap();
    }
    let (volatile, lasting) = (volatile.join("system.journal"), lasting.join("system.journal"));
    let mut writer = Writer::new(Options::default());
    writer.save(&volatile);
    let mut copy = Writer::after(Options { id: 2, ..Options::default() }, 700);
    copy.save(&lasting);
    let mut kept = BTreeMap::new();
    let mut journals = open(directory.path(), &[]);
    let mut lines = Vec::new();
    for number in 0..20 {
        // Both grow between any two looks.
        append(&mut writer, number..number + 1);
        writer.save(&volatile);
        append(&mut copy, number..number + 1);
        copy.save(&lasting);
        lines.extend(read_batches(&mut journals, &mut kept, 1));
    }
    lines.extend(drain(&mut journals, &mut kept));
    lines.sort_unstable();
    assert_eq!(lines, expected(0..20));
}

/// Large entries, so that a file is read in several batches.
fn append_large(writer: &mut Writer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let message = format!("m{number:03}{}", " and so on".repeat(10_000));
        writer.append(1_700_000_000_000_000 + number, &[("MESSAGE", message.as_bytes())]);
    }
}

#[test]
fn what_is_vacuumed_unread_is_a_gap_and_what_is_open_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("system.journal");
    let mut writer = Writer::new(Options::default());
    append_large(&mut writer, 0..30);
    writer.save(&path);
    let mut kept = BTreeMap::new();
    let (mut journals, status) = open_with(settings(directory.path()), &[]);
    let lines = read_batches(&mut journals, &mut kept, 1);
    assert!((1..30).contains(&lines.len()));
    check_balance(&journals, &status, journals.waiting_bytes());

    let after_one = kept.clone();
    crate::file::remove(&path).unwrap();
    let rest = drain(&mut journals, &mut kept);
    assert_eq!(lines.len() + rest.len(), 30, "it is open");
    assert!(kept.is_empty(), "its position is forgotten");
    check_balance(&journals, &status, 0);

    // While the agent is down, it is gone.
    let mut kept = after_one;
    let (mut journals, status) = open_with(settings(directory.path()), &checkpoints(&kept));
    assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
    assert!(kept.is_empty());
    let gaps = status.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].reason, gaps[0].bytes.end), (SkipReason::Deleted, writer.bytes.len() as u64));
    check_balance(&journals, &status, 0);
}

#[test]
fn a_restart_after_any_batch_goes_on_from_there() {
    let directory = tempfile::tempdir().unwrap();
    for (id, name) in [(1, "system@1.journal"), (2, "user-1000.journal"), (3, "system.journal")] {
        let mut writer = Writer::new(Options { id, ..Options::default() });
        append_large(&mut writer, u64::from(id) * 100..u64::from(id) * 100 + 20);
        writer.save(&directory.path().join(name));
    }
    let mut kept = BTreeMap::new();
    let mut lines = Vec::new();
    for restart_count in 0.. {
        let read = read_batches(&mut open(directory.path(), &checkpoints(&kept)), &mut kept, 1);
        if read.is_empty() {
            assert!(5 < restart_count);
            break;
        }
        lines.extend(read.into_iter().map(|line| line[..4].to_owned()));
    }
    lines.sort_unstable();
    assert_eq!(lines, [expected(100..120), expected(200..220), expected(300..320)].concat());
}

#[test]
fn history_may_be_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let (active, archived) = (directory.path().join("system.journal"), directory.path().join("system@1.journal"));
    let mut old = Writer::new(Options { id: 2, ..Options::default() });
    append(&mut old, 0..9);
    old.archive();
    old.save(&archived);
    let mut writer = Writer::new(Options::default());
    append(&mut writer, 10..20);
    writer.save(&active);
    let from_end = Settings { start_from_end: true, ..settings(directory.path()) };
    let (mut journals, status) = open_with(from_end.clone(), &[]);
    let mut kept = BTreeMap::new();
    assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
    append(&mut writer, 20..30);
    writer.save(&active);
    assert_eq!(drain(&mut journals, &mut kept), expected(20..30));
    assert!(0 < status.skipped(SkipReason::StartFromEnd));
    check_balance(&journals, &status, 0);
    append(&mut writer, 30..35);
    writer.save(&active);
    let (mut journals, _) = open_with(from_end, &checkpoints(&kept));
    assert_eq!(drain(&mut journals, &mut kept), expected(30..35));
}

#[test]
fn a_copy_of_a_file_is_the_same_file() {
    for copy in ["copy.journal", "system@copy.journal", "system2.journal"] {
        let directory = tempfile::tempdir().unwrap();
        let (live, copy) = (directory.path().join("system.journal"), directory.path().join(copy));
        let mut writer = Writer::new(Options::default());
        append(&mut writer, 0..10);
        writer.save(&live);
        writer.save(&copy);
        let mut kept = BTreeMap::new();
        let mut journals = open(directory.path(), &[]);
        assert_eq!(drain(&mut journals, &mut kept), expected(0..10));
        // The one that grows is followed.
        append(&mut writer, 10..20);
        writer.save(&live);
        journals.rescan();
        assert_eq!(drain(&mut journals, &mut kept), expected(10..20), "{}", copy.display());
        let mut journals = open(directory.path(), &checkpoints(&kept));
        crate::file::remove(&live).unwrap();
        assert_eq!(drain(&mut journals, &mut kept), Vec::<String>::new());
    }
}

#[test]
fn journals_of_one_boot_are_not_taken_for_copies_of_each_other() {
    // Machines in containers share the host's boot, and its clock.
    let directory = tempfile::tempdir().unwrap();
    let (volatile, lasting) = (directory.path().join("run/log/journal/m"), directory.path().join("var/log/journal/n"));
    for path in [&volatile, &lasting] {
        crate::file::create_directories(path).unwrap();
    }
    let mut writer = Writer::new(Options::default());
    append(&mut writer, 0..20);
    writer.save(&volatile.join("system.journal"));
    let mut other = Writer::new(Options { id: 2, ..Options::default() });
    append(&mut other, 0..20);
    other.save(&lasting.join("system.journal"));
    let lines = drain(&mut open(directory.path(), &[]), &mut BTreeMap::new());
    assert_eq!(lines.len(), 40);
}

#[test]
fn entries_of_files_that_nobody_has_seen_are_missed_by_their_numbers() {
    for (first_number, is_lost) in [(10, false), (11, false), (15, true)] {
        let directory = tempfile::tempdir().unwrap();
        let mut kept = BTreeMap::new();
        let mut writer = Writer::new(Options::default());
        append(&mut writer, 0..10);
        writer.save(&directory.path().join("system.journal"));
        assert_eq!(drain(&mut open(directory.path(), &[]), &mut kept), expected(0..10));
        crate::file::remove(&directory.path().join("system.journal")).unwrap();
        let mut writer = Writer::after(Options { id: 2, first_id: Some(1), ..Options::default() }, first_number);
        append(&mut writer, 20..30);
        writer.save(&directory.path().join("system.journal"));
        let (mut journals, status) = open_with(settings(directory.path()), &checkpoints(&kept));
        assert_eq!(drain(&mut journals, &mut kept), expected(20..30));
        assert_eq!(status.gaps().len(), usize::from(is_lost), "{first_number}");
        check_balance(&journals, &status, 0);
        // It is told once.
        let (_, status) = open_with(settings(directory.path()), &checkpoints(&kept));
        assert_eq!(status.gaps(), []);
    }
}

#[test]
fn entries_that_were_vacuumed_between_two_looks_are_missed_by_their_numbers() {
    for (unread_count, first_number, is_lost) in
        [(0, 10, false), (0, 11, false), (0, 15, true), (7, 17, false), (7, 30, true)]
    {
        let directory = tempfile::tempdir().unwrap();
        let (active, rotated) = (directory.path().join("system.journal"), directory.path().join("system@1.journal"));
        let mut kept = BTreeMap::new();
        let mut writer = Writer::new(Options::default());
        append(&mut writer, 0..10);
        writer.save(&active);
        let (mut journals, status) = open_with(settings(directory.path()), &[]);
        assert_eq!(drain(&mut journals, &mut kept), expected(0..10));
        // It grows before it is rotated. What was written then is gone, and the next file has no entry at first.
        append(&mut writer, 10..10 + unread_count);
        writer.archive();
        writer.save(&active);
        crate::file::rename(&active, &rotated).unwrap();
        let next = Writer::after(Options { id: 2, first_id: Some(1), ..Options::default() }, first_number);
        next.save(&active);
        journals.rescan();
        let mut lines = drain(&mut journals, &mut kept);
        assert_eq!(status.gaps(), []);
        let mut next = next;
        append(&mut next, 40..50);
        next.save(&active);
        lines.extend(drain(&mut journals, &mut kept));
        assert_eq!(lines, [expected(10..10 + unread_count), expected(40..50)].concat());
        assert_eq!(status.gaps().len(), usize::from(is_lost), "{unread_count} {first_number}");
        check_balance(&journals, &status, 0);
        // It is told once, whatever comes next.
        crate::file::rename(&active, &directory.path().join("system@2.journal")).unwrap();
        let mut last = Writer::after(Options { id: 3, first_id: Some(1), ..Options::default() }, first_number + 10);
        append(&mut last, 50..60);
        last.save(&active);
        journals.rescan();
        assert_eq!(drain(&mut journals, &mut kept), expected(50..60));
        assert_eq!(status.gaps().len(), usize::from(is_lost), "{unread_count} {first_number}");
    }
}

/// What an entry with these fields becomes: its labels, its line with its metadata, and its time.
#[track_caller]
fn check_entry(
    fields: &[(&str, &[u8])],
    labels: &[(&str, &str)],
    line: &[u8],
    metadata: &[(&str, &str)],
    time_us: i64,
) {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Options::default());
    writer.append(1_700_000_000_000_000, fields);
    writer.save(&directory.path().join("system.journal"));
    let collected = open(directory.path(), &[]).next_batch(Duration::ZERO).unwrap().unwrap();
    let [stream] = collected.batch.streams.as_slice() else { panic!("one entry is of one stream") };
    assert_eq!(metadata::unmark(&stream.labels), Some(Labels::new(labels.iter().copied()).unwrap()));
    let (time, stored) = stream.lines.get(0);
    let (text, found) = metadata::split(stored);
    assert_eq!(text, line);
    let found: Vec<(String, String)> = found.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let expected: Vec<_> = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!(time.as_ns(), time_us * 1000);
}

#[test]
fn the_unit_is_what_journalctl_finds_entries_by() {
    let taken = 1_700_000_000_000_000;
    check_entry(
        &[
            ("_SYSTEMD_UNIT", b"nginx.service"),
            ("SYSLOG_IDENTIFIER", b"nginx"),
            ("_TRANSPORT", b"stdout"),
            ("_HOSTNAME", b"h"),
            ("PRIORITY", b"3"),
            ("MESSAGE", b"two\nlines \xff"),
            ("_SOURCE_REALTIME_TIMESTAMP", b"1700000000000001"),
            ("TAG", b"one"),
            ("TAG", b"two"),
        ],
        &[("unit", "nginx.service"), ("transport", "stdout"), ("hostname", "h")],
        b"two\nlines \xff",
        &[
            ("level", "error"),
            ("_SYSTEMD_UNIT", "nginx.service"),
            ("SYSLOG_IDENTIFIER", "nginx"),
            ("PRIORITY", "3"),
            ("TAG", "one\ntwo"),
        ],
        taken + 1,
    );
    let unit_of = |fields: &[(&str, &[u8])], unit: &str| {
        let mut gathered = Gathered::default();
        let mut writer = Writer::new(Options::default());
        writer.append(1, fields);
        let mut journal = journald::Journal::open(writer.bytes.as_slice(), Place::default()).unwrap();
        journal.advance(true).unwrap();
        gathered.push(&journal.entry(), &settings(Path::new("/")).roots[0].units);
        let streams = gathered.take();
        assert_eq!(streams[0].labels.get("unit").unwrap_or_default(), unit, "{fields:?}");
        streams[0].labels.get("identifier").unwrap_or_default().to_owned()
    };
    unit_of(&[("_TRANSPORT", b"kernel"), ("SYSLOG_IDENTIFIER", b"kernel")], "kernel");
    unit_of(&[("_PID", b"1"), ("UNIT", b"a.service"), ("_SYSTEMD_UNIT", b"init.scope")], "a.service");
    unit_of(&[("_PID", b"2"), ("UNIT", b"a.service"), ("_SYSTEMD_UNIT", b"b.service")], "b.service");
    unit_of(&[("_SYSTEMD_UNIT", b"user@1.service"), ("_SYSTEMD_USER_UNIT", b"u.service")], "u.service");
    let session: [(&str, &[u8]); 2] = [("_SYSTEMD_UNIT", b"session-7.scope"), ("SYSLOG_IDENTIFIER", b"sudo")];
    assert_eq!(unit_of(&session, ""), "sudo");
}

#[test]
fn fields_that_are_larger_than_metadata_may_be_are_cut() {
    let (large, message) = (vec![b'x'; 1 << 20], vec![b'm'; crate::log_collector::format::LINE_BYTES_MAX + 7]);
    let directory = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(Options::default());
    writer.append(5, &[("LARGE", &large), ("SMALL", b"s"), ("MESSAGE", &message)]);
    writer.save(&directory.path().join("system.journal"));
    let (mut journals, status) = open_with(settings(directory.path()), &[]);
    let collected = journals.next_batch(Duration::ZERO).unwrap().unwrap();
    let (text, found) = metadata::split(collected.batch.streams[0].lines.get(0).1);
    assert_eq!(text.len(), crate::log_collector::format::LINE_BYTES_MAX);
    let found: BTreeMap<String, usize> = found.iter().map(|(name, value)| (name.into(), value.len())).collect();
    assert_eq!(found["SMALL"], 1);
    assert!(10_000 < found["LARGE"] && found["LARGE"] < metadata::METADATA_BYTES_MAX);
    assert_eq!(status.skipped(SkipReason::LineTooLong), (7 + large.len() - found["LARGE"]) as u64);
}
