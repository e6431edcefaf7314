//! Blocks against zstd and plain search, on each kind of log:
//! `cargo bench --bench block -- [--mib 32] [--block-kib 4096] [--kind json]`.
//!
//! Everything runs on one thread and is timed in CPU time, so that other work on the machine disturbs it less. Speeds
//! are in bytes of the raw lines, newlines included. Searches count lines in blocks that were never opened before, and the
//! counts are checked against the raw lines.
#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::cast_precision_loss, reason = "speeds and ratios are printed in three digits")]

#[path = "corpus/generate/mod.rs"]
#[expect(dead_code, clippy::disallowed_methods, reason = "benches/query writes more corpora, one of files' samples")]
mod generate;

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::Duration;

use generate::{Generator, Kind};
use memchr::memmem;
use monitoring_rs::log_database::block::{Block, Encoder, Query};
use monitoring_rs::model::{LineFilter, LinePattern, Lines, TimeRange, Timestamp};
use structopt::StructOpt;

const SEED: u64 = 7;
/// What zstd is given at a time, as in a store that compresses blocks of text.
const ZSTD_BLOCK_BYTES: usize = 1 << 20;

/// Measures the block format.
#[derive(Debug, StructOpt)]
struct Arguments {
    /// MiB of raw lines of each kind.
    #[structopt(long, default_value = "32")]
    mib: usize,
    /// KiB of text in a block.
    #[structopt(long, default_value = "4096")]
    block_kib: usize,
    /// Leaves times as the text has them, where the agent moves those of lines that share one apart.
    #[structopt(long)]
    shared_times: bool,
    /// Only this kind.
    #[structopt(long)]
    kind: Option<String>,
    /// What `cargo bench` passes; means nothing.
    #[structopt(long = "bench")]
    _bench: bool,
}

fn main() {
    let arguments = Arguments::from_args();
    let kinds = Kind::ALL.into_iter().filter(|kind| arguments.kind.as_deref().is_none_or(|name| name == kind.name()));
    let corpora: Vec<Corpus> = kinds.map(|kind| Corpus::new(kind, &arguments)).collect();
    print_sizes(&corpora);
    print_searches(&corpora);
}

/// The lines of one kind of log, raw and as blocks.
struct Corpus {
    name: &'static str,
    raw: Vec<u8>,
    parts: Vec<Lines>,
    blocks: Vec<Vec<u8>>,
    encode_time: Duration,
}

impl Corpus {
    fn new(kind: Kind, arguments: &Arguments) -> Self {
        let (raw, parts) = generate_lines(kind, arguments);
        let mut encoder = Encoder::new().expect("there is memory");
        let (encode_time, blocks) =
            timed(|| parts.iter().map(|part| encoder.encode(&[part]).expect("encodes")).collect::<Vec<_>>());
        for (block, part) in blocks.iter().zip(&parts) {
            assert!(open(block).decode().expect("decodes") == *part, "bytes out are bytes in");
        }
        Self { name: kind.name(), raw, parts, blocks, encode_time }
    }

    fn block_bytes(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// How many lines satisfy the filter, block by block.
    fn count(&self, filter: &LineFilter) -> usize {
        let query = Query::new(std::slice::from_ref(filter));
        self.blocks.iter().map(|block| open(block).count(&query, TimeRange::ALL).expect("counts")).sum()
    }
}

fn open(block: &[u8]) -> Block<&[u8]> {
    Block::open(block).expect("opens")
}

/// Raw lines, and the same by block with the times that the agent reads in them.
fn generate_lines(kind: Kind, arguments: &Arguments) -> (Vec<u8>, Vec<Lines>) {
    let (bytes, block_bytes) = (arguments.mib << 20, arguments.block_kib << 10);
    let mut generator = Generator::new(kind, SEED);
    let (mut raw, mut record) = (Vec::new(), Vec::new());
    let (mut parts, mut lines) = (Vec::new(), Lines::default());
    let mut next_ns = 0;
    // As precise as the text is; plain text has the time of reading, once for all lines read together.
    let precision_ns = match kind {
        Kind::Nginx | Kind::Syslog => 1_000_000_000,
        Kind::Json | Kind::Klog => 1_000,
        Kind::Logfmt | Kind::Java | Kind::Postgres => 1_000_000,
        Kind::Plain => 1_000_000_000_000,
    };
    while raw.len() < bytes {
        record.clear();
        let now_ns = generator.append_record(&mut record) / precision_ns * precision_ns;
        raw.extend_from_slice(&record);
        let now_ns = i64::try_from(now_ns).expect("before 2262");
        for line in record[..record.len() - 1].split(|byte| *byte == b'\n') {
            let line_ns = if arguments.shared_times { now_ns } else { now_ns.max(next_ns) };
            lines.push(Timestamp::from_ns(line_ns), line);
            next_ns = line_ns + 1;
        }
        if block_bytes <= lines.byte_count() {
            parts.push(std::mem::take(&mut lines));
        }
    }
    parts.push(lines);
    (raw, parts)
}

fn print_sizes(corpora: &[Corpus]) {
    println!(
        "{:10} | {:>6} {:>6} {:>6} {:>7} | {:>6} {:>7} | {:>6}",
        "", "zstd-1", "zstd-3", "block", "/zstd-1", "encode", "zstd-1", "decode"
    );
    println!(
        "{:10} | {:>6} {:>6} {:>6} {:>7} | {:>6} {:>7} | {:>6}",
        "", "ratio", "ratio", "ratio", "", "MB/s", "MB/s", "MB/s"
    );
    let mut sum = Sizes::default();
    for corpus in corpora {
        let sizes = Sizes::of(corpus);
        sizes.print(corpus.name);
        sum.add(&sizes);
    }
    sum.print("all");
}

#[derive(Default)]
struct Sizes {
    raw_bytes: usize,
    zstd1_bytes: usize,
    zstd3_bytes: usize,
    block_bytes: usize,
    encode_time: Duration,
    zstd1_time: Duration,
    decode_time: Duration,
}

impl Sizes {
    fn of(corpus: &Corpus) -> Self {
        let compressed_bytes = |level| {
            let chunks = corpus.raw.chunks(ZSTD_BLOCK_BYTES);
            chunks.map(|chunk| zstd::bulk::compress(chunk, level).expect("compresses").len()).sum::<usize>()
        };
        let (zstd1_time, zstd1_bytes) = timed(|| compressed_bytes(1));
        let (decode_time, ()) = timed(|| {
            for block in &corpus.blocks {
                black_box(open(block).decode().expect("decodes"));
            }
        });
        Self {
            raw_bytes: corpus.raw.len(),
            zstd1_bytes,
            zstd3_bytes: compressed_bytes(3),
            block_bytes: corpus.block_bytes(),
            encode_time: corpus.encode_time,
            zstd1_time,
            decode_time,
        }
    }

    fn add(&mut self, other: &Self) {
        self.raw_bytes += other.raw_bytes;
        self.zstd1_bytes += other.zstd1_bytes;
        self.zstd3_bytes += other.zstd3_bytes;
        self.block_bytes += other.block_bytes;
        self.encode_time += other.encode_time;
        self.zstd1_time += other.zstd1_time;
        self.decode_time += other.decode_time;
    }

    fn print(&self, name: &str) {
        let ratio = |bytes| self.raw_bytes as f64 / bytes as f64;
        let speed = |time: Duration| self.raw_bytes as f64 / 1e6 / time.as_secs_f64();
        println!(
            "{name:10} | {:6.2} {:6.2} {:6.2} {:7.3} | {:6.0} {:7.0} | {:6.0}",
            ratio(self.zstd1_bytes),
            ratio(self.zstd3_bytes),
            ratio(self.block_bytes),
            self.block_bytes as f64 / self.zstd1_bytes as f64,
            speed(self.encode_time),
            speed(self.zstd1_time),
            speed(self.decode_time),
        );
    }
}

/// A column of the second table: what is searched for in a corpus.
struct Search {
    name: &'static str,
    filter: fn(&Vocabulary) -> LineFilter,
}

const SEARCHES: [Search; 8] = [
    Search { name: "absent", filter: |_| contains("needle") },
    Search { name: "absent id", filter: |_| contains("deadbeef00c0ffee") },
    Search { name: "absent no", filter: |_| contains("4711471147") },
    Search { name: "rare", filter: |words| contains(&words.rare) },
    Search { name: "1 %", filter: |words| contains(&words.common) },
    Search { name: "most", filter: |words| contains(&words.most) },
    Search { name: "(?i)e.*f", filter: |_| matches("(?i)error.*fail") },
    Search { name: "regex", filter: |_| matches(r"[a-z]{5}[0-9]{4}[^0-9]") },
];

fn contains(text: &str) -> LineFilter {
    LineFilter::Contains(text.into())
}

fn matches(pattern: &str) -> LineFilter {
    LineFilter::Matches(LinePattern::new(pattern).expect("compiles"))
}

/// Lengths of words that someone might search for.
const WORD_BYTES: RangeInclusive<usize> = 4..=40;

/// Words of a corpus that are met seldom and often.
struct Vocabulary {
    rare: String,
    common: String,
    most: String,
}

impl Vocabulary {
    fn of(lines: &Lines) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (_, line) in lines.iter() {
            let text = std::str::from_utf8(line).unwrap_or_default();
            let mut words: Vec<&str> =
                text.split(|c: char| !c.is_alphanumeric()).filter(|word| WORD_BYTES.contains(&word.len())).collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
        }
        // The longest of the words that are met about as often as wanted.
        let nearest = |wanted: usize| {
            let best =
                counts.iter().min_by_key(|(word, count)| (count.abs_diff(wanted), usize::MAX - word.len(), **word));
            (*best.expect("there are words").0).to_owned()
        };
        Self { rare: nearest(1), common: nearest(lines.len() / 100), most: nearest(lines.len()) }
    }
}

fn print_searches(corpora: &[Corpus]) {
    println!("\nsearch, GB/s (in brackets: memmem or the expression over the raw lines, one by one where it is one)");
    print!("{:10}", "");
    for search in &SEARCHES {
        print!(" | {:>12}", search.name);
    }
    println!(" | rare, 1 %, most");
    let mut sums = [(Duration::ZERO, Duration::ZERO); SEARCHES.len()];
    let mut raw_bytes = 0;
    for corpus in corpora {
        print!("{:10}", corpus.name);
        let words = Vocabulary::of(&corpus.parts[corpus.parts.len() / 2]);
        let Vocabulary { rare, common, most } = &words;
        for (search, sum) in SEARCHES.iter().zip(&mut sums) {
            let filter = (search.filter)(&words);
            let (block_time, block_count) = timed(|| corpus.count(&filter));
            let (raw_time, raw_count) = timed(|| count_raw(&corpus.raw, &filter));
            assert_eq!(block_count, raw_count, "{} in {}", search.name, corpus.name);
            print_speeds(corpus.raw.len(), block_time, raw_time);
            sum.0 += block_time;
            sum.1 += raw_time;
        }
        println!(" | {rare}, {common}, {most}");
        raw_bytes += corpus.raw.len();
    }
    print!("{:10}", "all");
    for (block_time, raw_time) in sums {
        print_speeds(raw_bytes, block_time, raw_time);
    }
    println!();
}

fn print_speeds(bytes: usize, block_time: Duration, raw_time: Duration) {
    let speed = |time: Duration| bytes as f64 / 1e9 / time.as_secs_f64();
    print!(" | {:5.1} ({:4.1})", speed(block_time), speed(raw_time));
}

/// How many of the raw lines satisfy the filter, as a search tool would find out.
fn count_raw(raw: &[u8], filter: &LineFilter) -> usize {
    let LineFilter::Contains(needle) = filter else {
        return raw.split(|byte| *byte == b'\n').filter(|line| filter.accepts(line)).count();
    };
    let finder = memmem::Finder::new(needle);
    let (mut count, mut at) = (0, 0);
    while let Some(start) = finder.find(&raw[at..]) {
        count += 1;
        at += start;
        at += memchr::memchr(b'\n', &raw[at..]).map_or(raw.len() - at, |end| end + 1);
    }
    count
}

/// The CPU time that `work` takes, and its result.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = cpu_time();
    let result = work();
    (cpu_time().saturating_sub(start), result)
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("CPU time is not negative")
}
