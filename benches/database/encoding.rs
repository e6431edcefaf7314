//! Each kind of log on its own, and all of them: size and speed of blocks beside zstd. One thread, in CPU time, so that
//! other work on the machine disturbs it less.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::block::{Block, Encoder};
use monitoring_rs::model::{Lines, Matcher, Selection};

use crate::corpus::Corpus;
use crate::searches::kind;
use crate::table::{cpu_timed, mb_per_s, s_per_gb};

/// What zstd is given at a time, as in a store that compresses blocks of text.
const ZSTD_BLOCK_BYTES: usize = 1 << 20;
const ZSTD_LEVELS: [i32; 2] = [1, 3];
/// As long as the database makes blocks.
const BLOCK_BYTES: usize = 4 << 20;

/// What one file, or several, came to.
#[derive(Clone, Default)]
struct Figures {
    raw_bytes: u64,
    block_bytes: u64,
    encode: Duration,
    decode: Duration,
    /// By level, in blocks.
    zstd_blocks: [(u64, Duration); ZSTD_LEVELS.len()],
    /// By level, each file as a whole.
    zstd_whole: [(u64, Duration); ZSTD_LEVELS.len()],
}

/// Measures every file and prints a row for each kind.
pub(crate) fn run(database: &Database, corpus: &Corpus) {
    println!("\nBlocks beside zstd, one thread: size as a part of zstd's, speed in MB/s of CPU time");
    println!(
        "{:<10} {:>7} | {:>8} {:>8} {:>8} {:>8} | {:>7} {:>8} {:>8} | {:>7} {:>8}",
        "", "ratio", "/-1 blk", "/-3 blk", "/-1 file", "/-3 file", "encode", "-1 blk", "-3 blk", "decode", "enc s/GB"
    );
    let mut all = Figures::default();
    for files in corpus.files.chunk_by(|a, b| kind(a) == kind(b)) {
        let mut sum = Figures::default();
        for file in files {
            sum.add(&Figures::of(database, file));
        }
        sum.print(kind(&files[0]));
        all.add(&sum);
    }
    all.print("all");
    let stored = database.statistics();
    let zstd_bytes = all.zstd_blocks[0].0;
    println!(
        "all segments {:.1} MB, zstd -1 in 1 MiB blocks {:.1} MB: {:.3} of it",
        stored.segment_bytes as f64 / 1e6,
        zstd_bytes as f64 / 1e6,
        stored.segment_bytes as f64 / zstd_bytes as f64
    );
}

impl Figures {
    fn of(database: &Database, file: &Path) -> Self {
        let raw = fs::read(file).expect("the corpus is there");
        let parts = stored_lines(database, file);
        let mut encoder = Encoder::new().expect("there is memory");
        let (encode, blocks) =
            cpu_timed(|| parts.iter().map(|part| encoder.encode(&[part]).expect("encodes")).collect::<Vec<_>>());
        let (decode, ()) = cpu_timed(|| {
            for block in &blocks {
                black_box(Block::open(&block[..]).and_then(|block| block.decode()).expect("decodes"));
            }
        });
        Self {
            raw_bytes: raw.len() as u64,
            block_bytes: blocks.iter().map(|block| block.len() as u64).sum(),
            encode,
            decode,
            zstd_blocks: ZSTD_LEVELS.map(|level| zstd(&raw, ZSTD_BLOCK_BYTES, level)),
            zstd_whole: ZSTD_LEVELS.map(|level| zstd(&raw, raw.len(), level)),
        }
    }

    fn add(&mut self, other: &Self) {
        self.raw_bytes += other.raw_bytes;
        self.block_bytes += other.block_bytes;
        self.encode += other.encode;
        self.decode += other.decode;
        let sums = self.zstd_blocks.iter_mut().chain(&mut self.zstd_whole);
        for (sum, other) in sums.zip(other.zstd_blocks.iter().chain(&other.zstd_whole)) {
            *sum = (sum.0 + other.0, sum.1 + other.1);
        }
    }

    fn print(&self, name: &str) {
        let part_of = |(bytes, _): (u64, Duration)| self.block_bytes as f64 / bytes as f64;
        let speed = |time| mb_per_s(self.raw_bytes, time);
        let [blocks_1, blocks_3] = self.zstd_blocks;
        let [whole_1, whole_3] = self.zstd_whole;
        println!(
            "{name:<10} {:>7.2} | {:>8.3} {:>8.3} {:>8.3} {:>8.3} | {:>7.0} {:>8.0} {:>8.0} | {:>7.0} {:>8.2}",
            self.raw_bytes as f64 / self.block_bytes as f64,
            part_of(blocks_1),
            part_of(blocks_3),
            part_of(whole_1),
            part_of(whole_3),
            speed(self.encode),
            speed(blocks_1.1),
            speed(blocks_3.1),
            speed(self.decode),
            s_per_gb(self.raw_bytes, self.encode),
        );
    }
}

/// The lines of one file as the agent stored them, in pieces that are blocks.
fn stored_lines(database: &Database, file: &Path) -> Vec<Lines> {
    let path = file.to_str().expect("the corpus has plain names");
    let mut scan = database.snapshot().scan(&Selection::of(vec![Matcher::equal("path", path)]));
    let (mut parts, mut lines) = (Vec::new(), Lines::default());
    while let Some(entry) = scan.next().expect("one stream is not too much") {
        lines.push(entry.timestamp, entry.line);
        if BLOCK_BYTES <= lines.byte_count() {
            parts.push(std::mem::take(&mut lines));
        }
    }
    parts.push(lines);
    parts
}

/// Bytes and CPU time of `raw` compressed in pieces.
fn zstd(raw: &[u8], piece_bytes: usize, level: i32) -> (u64, Duration) {
    let (time, bytes) = cpu_timed(|| {
        let pieces = raw.chunks(piece_bytes);
        pieces.map(|piece| zstd::bulk::compress(piece, level).expect("compresses").len() as u64).sum()
    });
    (bytes, time)
}
