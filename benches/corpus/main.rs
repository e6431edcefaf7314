//! Writes a corpus of real-looking logs, the same for the same seed:
//! `cargo run --release --example corpus -- --out /tmp/corpus --bytes 1GB --seed 1`.
#![expect(clippy::disallowed_methods, reason = "a tool of its own: the file module belongs to the agent")]

mod container;
mod generate;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use structopt::StructOpt;

use container::Format;
use generate::collection::{Collection, Log};
use generate::{Generator, Kind};

/// Logs of each kind: the two share their templates and nothing else.
const FILES_PER_KIND: u64 = 2;
const FILE_BUFFER_BYTES: usize = 1 << 20;

/// Writes real-looking logs of eight kinds, two files each.
#[derive(Debug, StructOpt)]
struct Arguments {
    /// The directory to write to; created where it does not exist.
    #[structopt(long)]
    out: PathBuf,
    /// Bytes in all: 1000000, 64MB, 1GB.
    #[structopt(long, parse(try_from_str = parse_bytes), default_value = "1GB")]
    bytes: u64,
    /// Another number gives other logs.
    #[structopt(long, default_value = "1")]
    seed: u64,
    /// Another corpus than the eight kinds: mixed, samples, quiet, untimed or json-lines. Their lines are plain.
    #[structopt(long)]
    corpus: Option<String>,
    /// Where the samples of real logs are, for `--corpus samples`.
    #[structopt(long, default_value = ".")]
    samples: PathBuf,
    /// One kind only: nginx, json, logfmt, klog, syslog, java, postgres or plain.
    #[structopt(long, parse(try_from_str = parse_kind))]
    kind: Option<Kind>,
    /// How lines are written: plain, or as a container runtime does: cri or docker.
    #[structopt(long, parse(try_from_str = parse_format), default_value = "plain")]
    format: Format,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    fs::create_dir_all(&arguments.out)?;
    if let Some(name) = &arguments.corpus {
        let samples = Collection::Samples(arguments.samples.clone());
        let all = [Collection::Mixed, samples, Collection::Quiet, Collection::Untimed, Collection::JsonLines];
        let collection = all.into_iter().find(|collection| collection.name() == name);
        let collection = collection.ok_or_else(|| anyhow::anyhow!("there is no corpus {name:?}"))?;
        return collection
            .logs(arguments.bytes, arguments.seed)
            .into_iter()
            .try_for_each(|log| write_plain(&arguments.out, log));
    }
    let kinds = arguments.kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    let file_bytes = arguments.bytes / (kinds.len() as u64 * FILES_PER_KIND);
    for (number, kind) in kinds.into_iter().enumerate() {
        for copy in 0..FILES_PER_KIND {
            let seed = arguments.seed.wrapping_mul(1000) + FILES_PER_KIND * number as u64 + copy;
            let path = arguments.out.join(file_name(kind, copy, arguments.format, seed));
            write_log(&path, Generator::new(kind, seed), arguments.format, file_bytes)?;
        }
    }
    Ok(())
}

/// `nginx-0.log`, or for a container's log the name that Kubernetes gives it.
fn file_name(kind: Kind, copy: u64, format: Format, seed: u64) -> String {
    let name = kind.name();
    match format {
        Format::Plain => format!("{name}-{copy}.log"),
        Format::Cri | Format::Docker => format!("{name}-{copy}_shop_{name}-{seed:064x}.log"),
    }
}

/// Writes records until the file has at least `bytes`.
fn write_log(path: &Path, mut generator: Generator, format: Format, bytes: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(path)?);
    let mut record = Vec::new();
    let mut written = Vec::new();
    let mut total = 0;
    while total < bytes {
        record.clear();
        written.clear();
        let now_ns = generator.append_record(&mut record);
        format.write(&record, now_ns, &mut written);
        file.write_all(&written)?;
        total += written.len() as u64;
    }
    file.flush()?;
    Ok(())
}

/// Writes records of a collection's log until the file has so many bytes.
fn write_plain(directory: &Path, Log { name, bytes, mut source }: Log) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(directory.join(name))?);
    let mut record = Vec::new();
    let mut total = 0;
    while total < bytes {
        record.clear();
        source.append_record(&mut record);
        file.write_all(&record)?;
        total += record.len() as u64;
    }
    file.flush()?;
    Ok(())
}

/// Reads `1000000`, `64MB` or `1GB`; units are decimal.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("", 1)];
    let (number, unit) = units
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .expect("every text ends with nothing");
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no number of bytes; try 64MB"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text:?} is too much"))
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| format!("there is no kind {text:?}"))
}

fn parse_format(text: &str) -> Result<Format, String> {
    match text {
        "plain" => Ok(Format::Plain),
        "cri" => Ok(Format::Cri),
        "docker" => Ok(Format::Docker),
        _ => Err(format!("{text:?} is none of plain, cri, docker")),
    }
}
