//! What the fuzz targets share: logs to make seeds of, the corpus they are put into, and queries.

#[expect(dead_code, reason = "targets use some of the generator, the benches all of it")]
#[path = "../../benches/corpus/generate/mod.rs"]
mod generate;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use generate::{Generator, Kind};
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::log_database::{Database, Snapshot};
use monitoring_rs::model::budget::Budget;
use monitoring_rs::model::{Direction, Labels, LineFilter, LinePattern, Lines, Matcher, Selection, TimeRange, Timestamp};

/// Filters of every kind, and some of them together.
pub static FILTERS: LazyLock<Vec<Vec<LineFilter>>> = LazyLock::new(|| {
    let contains = |text: &str| LineFilter::Contains(text.into());
    let without = |text: &str| LineFilter::NotContains(text.into());
    let matches = |text: &str| LineFilter::Matches(LinePattern::new(text).expect("a good expression"));
    let fails = |text: &str| LineFilter::NotMatches(LinePattern::new(text).expect("a good expression"));
    vec![
        vec![],
        vec![contains("")],
        vec![contains("e")],
        vec![contains("200 "), without("GET")],
        vec![contains("error"), contains("=")],
        vec![without("1")],
        vec![matches("(?i)ERROR|warn")],
        vec![matches("[0-9]{3}"), fails("a.*b")],
        vec![fails("^$")],
    ]
});

/// Puts seeds into the corpus of `target`, made anew at each start so that they are of the format of today.
pub fn plant(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&directory).expect("the corpus can be written");
    for (number, seed) in seeds.into_iter().enumerate() {
        std::fs::write(directory.join(format!("seed-{number:02}")), seed).expect("the corpus can be written");
    }
}

/// Logs of every kind with so many lines, a few short lines, none, and lines of all bytes.
pub fn logs(line_count: usize) -> Vec<Lines> {
    let mut logs: Vec<Lines> = Kind::ALL.into_iter().map(|kind| log(kind, line_count)).collect();
    logs.extend([log(Kind::Json, 3), log(Kind::Nginx, 7 * line_count), Lines::default()]);
    logs.push(lines(&[b"", b"", b"a"]));
    logs.push(lines(&[b"\0\n\xff \\\" x1", b"=1 = a:b{\"k\":\"v1\"}"]));
    logs
}

/// So many lines of one kind.
fn log(kind: Kind, count: usize) -> Lines {
    let mut generator = Generator::new(kind, 1);
    let mut lines = Lines::default();
    let mut record = Vec::new();
    while lines.len() < count {
        record.clear();
        let now = Timestamp::from_ns(generator.append_record(&mut record).cast_signed());
        record.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| lines.push(now, line));
    }
    lines
}

/// Lines a nanosecond apart.
pub fn lines(texts: &[&[u8]]) -> Lines {
    let mut lines = Lines::default();
    for (ns, text) in (0..).zip(texts) {
        lines.push(Timestamp::from_ns(ns), text);
    }
    lines
}

/// Labels that are told apart by one value.
pub fn labels(value: &str) -> Labels {
    Labels::new([("path", value)]).expect("a short value")
}

/// A database with no room for a reserve, which would take most of a run's time.
pub fn open(storage: &SimulatedStorage) -> Option<Database> {
    storage.set_capacity_bytes(8 << 20);
    Database::open(Arc::new(storage.clone())).ok()
}

/// An entry that outlives the scan that found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedEntry {
    /// When it was logged.
    pub timestamp: Timestamp,
    /// Where it comes from.
    pub labels: Labels,
    /// Its bytes.
    pub line: Vec<u8>,
}

/// Does everything that a reader can do with a snapshot, and returns all entries, sorted.
/// One of the filters is asked for, chosen by `choice`: all of them would take most of a run's time.
pub fn read(snapshot: &Snapshot, choice: usize) -> Vec<OwnedEntry> {
    snapshot.streams(&[], TimeRange::ALL);
    snapshot.extents(TimeRange { start: Timestamp::from_ns(0), end: Timestamp::MAX });
    let matchers = vec![Matcher::equal("path", "a")];
    let direction = Direction::Backward;
    let range = TimeRange { start: Timestamp::from_ns(1), end: Timestamp::MAX };
    let filters = FILTERS[choice % FILTERS.len()].clone();
    entries(snapshot, &Selection { matchers, range, filters, direction, limit: Some(3) });
    let mut forward = entries(snapshot, &Selection::of(Vec::new()));
    let backward = Selection { direction: Direction::Backward, ..Selection::of(Vec::new()) };
    let mut backward = entries(snapshot, &backward);
    sort(&mut forward);
    sort(&mut backward);
    assert!(forward == backward, "forward and backward see the same");
    forward
}

/// An order that does not depend on what files say of times without a checksum to hold them to it.
pub fn sort(entries: &mut [OwnedEntry]) {
    entries.sort_by(|a, b| (a.timestamp, &a.labels, &a.line).cmp(&(b.timestamp, &b.labels, &b.line)));
}

/// The entries of an answer. No budget refuses any: with checksums out of the way, a file may say that its parts are larger
/// than any memory.
pub fn entries(snapshot: &Snapshot, selection: &Selection) -> Vec<OwnedEntry> {
    let mut scan = snapshot.scan(selection).within(Arc::new(Budget::new(usize::MAX)));
    let mut entries = Vec::new();
    while let Some(entry) = scan.next().expect("nothing refuses") {
        let (timestamp, labels) = (entry.timestamp, entry.labels.clone());
        entries.push(OwnedEntry { timestamp, labels, line: entry.line.to_vec() });
    }
    entries
}
