//! Searches through the interface that the API uses, beside ripgrep over the raw files.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use monitoring_rs::log_database::{Database, Snapshot};
use monitoring_rs::model::{Condition, Direction, LineFilter, LinePattern, Matcher, Selection};
use regex::Regex;

use crate::corpus::Corpus;
use crate::needles::Needles;
use crate::ripgrep;
use crate::settled::open;
use crate::table::{best_of_runs, ms};

const MINUTE_NS: NonZeroU64 = NonZeroU64::new(60_000_000_000).expect("a minute is not nothing");
/// How many lines are asked for where not all are.
const LINES: usize = 1000;

/// Searches everything, and then each kind on its own.
pub(crate) fn run(database: Database, data: &Path, corpus: &Corpus) {
    let needles = Needles::of(&corpus.files);
    println!("\nSearches on two threads, ms (rare: {}, 1 %: {})", needles.rare, needles.common);
    println!("{:<44} {:>10} {:>10} {:>8} {:>9}", "", "database", "rg", "ratio", "lines");
    let all = Searched { snapshot: &database.snapshot(), files: &corpus.files, matchers: Vec::new() };
    all.print_counts(&needles);
    all.print_first_lines(&needles.common);
    all.print_last_lines();
    all.print_count_by_minute(corpus.lines);
    drop(all);
    drop(database);
    print_first_query(data, &corpus.files);

    let database = open(data);
    for files in corpus.files.chunk_by(|a, b| kind(a) == kind(b)) {
        let needles = Needles::of(files);
        println!("{} alone (rare: {}, 1 %: {})", kind(&files[0]), needles.rare, needles.common);
        let pattern = Regex::new(&format!("/{}-[0-9]+[.]log$", kind(&files[0]))).expect("it compiles");
        let matchers = vec![Matcher { name: "path".into(), condition: Condition::Matches(pattern) }];
        Searched { snapshot: &database.snapshot(), files, matchers }.print_counts(&needles);
    }
}

/// The name of the kind of log in `file`.
pub(crate) fn kind(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str()).expect("the corpus has plain names");
    name.split_once('-').map_or(name, |(kind, _)| kind)
}

/// Some files, and the streams that they were stored as.
struct Searched<'a> {
    snapshot: &'a Snapshot,
    files: &'a [PathBuf],
    matchers: Vec<Matcher>,
}

impl Searched<'_> {
    fn print_counts(&self, needles: &Needles) {
        let fixed = |name, needle: &str| {
            let filter = LineFilter::Contains(needle.into());
            self.print_count(name, filter, &["--fixed-strings", needle]);
        };
        let matching = |name, pattern: &str, arguments: &[&str]| {
            let filter = LineFilter::Matches(LinePattern::new(pattern).expect("it compiles"));
            self.print_count(name, filter, arguments);
        };
        fixed("absent word", "needle");
        fixed("absent hexadecimal token", "deadbeef00c0ffee");
        fixed("rare token", &needles.rare);
        fixed("word in 1 % of lines, count", &needles.common);
        matching("(?i)error.*fail", "(?i)error.*fail", &["-i", "error.*fail"]);
        let without_literals = "[a-z]{5}[0-9]{4}[^0-9]";
        matching(without_literals, without_literals, &[without_literals]);
    }

    /// Both have to find as many lines.
    fn print_count(&self, name: &str, filter: LineFilter, arguments: &[&str]) {
        let selection = Selection { filters: vec![filter], ..Selection::of(self.matchers.clone()) };
        let (time, count) = best_of_runs(|| count(self.snapshot, &selection));
        let (peer_time, peer_count) = ripgrep::count(arguments, self.files);
        assert_eq!(count, peer_count, "{name}");
        print_row(name, time, Some(peer_time), count);
    }

    fn print_first_lines(&self, word: &str) {
        let filters = vec![LineFilter::Contains(word.into())];
        let selection = Selection { filters, limit: Some(LINES), ..Selection::of(self.matchers.clone()) };
        let (time, count) = best_of_runs(|| read(self.snapshot, &selection));
        // The nearest that it does: the first lines of each file, in no order of time.
        let per_file = LINES.div_ceil(self.files.len()).to_string();
        let (peer_time, _) = ripgrep::print(&["--fixed-strings", "--max-count", &per_file, word], self.files);
        print_row("word in 1 % of lines, first 1000 by time", time, Some(peer_time), count);
    }

    /// Beside `tail`, which does not even look for them.
    fn print_last_lines(&self) {
        let path = self.files[0].to_str().expect("the corpus has plain names");
        let direction = Direction::Backward;
        let of_file = Selection::of(vec![Matcher::equal("path", path)]);
        let selection = Selection { direction, limit: Some(LINES), ..of_file };
        let (time, count) = best_of_runs(|| read(self.snapshot, &selection));
        let (peer_time, ()) = best_of_runs(|| {
            let output = Command::new("tail").args(["-n", &LINES.to_string(), path]).output();
            assert_eq!(memchr::memchr_iter(b'\n', &output.expect("tail is everywhere").stdout).count(), LINES);
        });
        print_row("last 1000 lines of a stream (tail)", time, Some(peer_time), count);
    }

    fn print_count_by_minute(&self, lines: u64) {
        let selection = Selection::of(self.matchers.clone());
        let (time, (count, minutes)) = best_of_runs(|| {
            let streams = self
                .snapshot
                .count(&selection, MINUTE_NS)
                .expect("files have no metadata")
                .run()
                .expect("it is not too much");
            let counts = streams.iter().flat_map(|stream| &stream.counts);
            (counts.clone().map(|(_, count)| count).sum::<u64>(), counts.count())
        });
        assert_eq!(count, lines);
        let (peer_time, _) = ripgrep::count(&[""], self.files);
        print_row(&format!("lines per stream and minute, {minutes} counts"), time, Some(peer_time), count);
    }
}

/// What is asked first, right after opening: nothing is in this process's memory yet, but files are in the page cache.
fn print_first_query(data: &Path, files: &[PathBuf]) {
    let selection = Selection { filters: vec![LineFilter::Contains(b"needle".to_vec())], ..Selection::of(Vec::new()) };
    let (time, count) = best_of_runs(|| count(&open(data).snapshot(), &selection));
    let (peer_time, _) = ripgrep::count(&["--fixed-strings", "needle"], files);
    print_row("opening, and the absent word", time, Some(peer_time), count);
}

pub(crate) fn print_row(name: &str, time: Duration, peer_time: Option<Duration>, lines: u64) {
    print!("{name:<44} {:>10.2} ", ms(time));
    match peer_time {
        Some(peer_time) => print!("{:>10.2} {:>8.3}", ms(peer_time), time.as_secs_f64() / peer_time.as_secs_f64()),
        None => print!("{:>10} {:>8}", "", ""),
    }
    println!(" {lines:>9}");
}

/// How many lines there are.
pub(crate) fn count(snapshot: &Snapshot, selection: &Selection) -> u64 {
    let streams = snapshot
        .count(selection, NonZeroU64::MAX)
        .expect("files have no metadata")
        .run()
        .expect("one step is not too much");
    streams.iter().flat_map(|stream| &stream.counts).map(|(_, count)| count).sum()
}

/// Reads the lines and says how many there are.
pub(crate) fn read(snapshot: &Snapshot, selection: &Selection) -> u64 {
    let mut scan = snapshot.scan(selection);
    let mut count = 0;
    while let Some(entry) = scan.next().expect("so few streams are not too much") {
        std::hint::black_box(entry);
        count += 1;
    }
    count
}
