//! Corpora: logs that are generated together. The mixed one fits the database well; the others do not flatter.

use std::path::PathBuf;

use super::json_lines::JsonLines;
use super::quiet::QuietStream;
use super::samples;
use super::{Generator, Kind};

/// Logs of each kind: the two share their templates and nothing else.
const FILES_PER_KIND: u64 = 2;
/// Logs that do not write times with their years: their lines would be months away from the others'.
const KINDS_WITHOUT_YEARS: [Kind; 3] = [Kind::Klog, Kind::Syslog, Kind::Plain];

/// A corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Collection {
    /// Busy services of the kinds that write whole times.
    Mixed,
    /// Real lines from the samples in a directory, expanded.
    Samples(PathBuf),
    /// Many streams of a line a minute for a month: each block spans days, and every step cuts through it.
    Quiet,
    /// Lines without times, all read at once.
    Untimed,
    /// One service's JSON lines of nine fields.
    JsonLines,
}

/// One file of a corpus.
pub(crate) struct Log {
    /// The file's name.
    pub(crate) name: String,
    /// How long the file becomes, at least.
    pub(crate) bytes: u64,
    /// What writes it.
    pub(crate) source: Box<dyn Source>,
}

/// Writes one log, record by record.
pub(crate) trait Source {
    /// Appends the next record: lines, each ended by a newline.
    fn append_record(&mut self, out: &mut Vec<u8>);
}

impl Source for Generator {
    fn append_record(&mut self, out: &mut Vec<u8>) {
        Self::append_record(self, out);
    }
}

impl Collection {
    /// The corpus's name, as in tables and arguments.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Samples(_) => "samples",
            Self::Quiet => "quiet",
            Self::Untimed => "untimed",
            Self::JsonLines => "json-lines",
        }
    }

    /// The logs that make up about `bytes`; the same `seed` gives the same ones.
    pub(crate) fn logs(&self, bytes: u64, seed: u64) -> Vec<Log> {
        match self {
            Self::Mixed => {
                let kinds: Vec<Kind> =
                    Kind::ALL.into_iter().filter(|kind| !KINDS_WITHOUT_YEARS.contains(kind)).collect();
                of_kinds(&kinds, bytes, seed, |generator| generator)
            }
            Self::Untimed => of_kinds(&Kind::ALL, bytes, seed, Generator::without_times),
            Self::Samples(directory) => samples::logs(directory, bytes, seed),
            Self::Quiet => {
                let stream_count = (bytes / QuietStream::BYTES).max(1);
                let streams = (0..stream_count).map(|number| Log {
                    name: format!("quiet-{number:03}.log"),
                    bytes: bytes / stream_count,
                    source: Box::new(QuietStream::new(number, seed)),
                });
                streams.collect()
            }
            Self::JsonLines => {
                vec![Log { name: "app.log".to_owned(), bytes, source: Box::new(JsonLines::new(bytes, seed)) }]
            }
        }
    }
}

fn of_kinds(kinds: &[Kind], bytes: u64, seed: u64, made: impl Fn(Generator) -> Generator) -> Vec<Log> {
    let file_bytes = bytes / (kinds.len() as u64 * FILES_PER_KIND);
    let numbered = kinds.iter().flat_map(|kind| (0..FILES_PER_KIND).map(move |copy| (*kind, copy)));
    let logs = (0..).zip(numbered).map(|(number, (kind, copy))| Log {
        name: format!("{}-{copy}.log", kind.name()),
        bytes: file_bytes,
        source: Box::new(made(Generator::new(kind, seed.wrapping_mul(1000) + number))),
    });
    logs.collect()
}
