//! The files that the backlog is read from.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[path = "../corpus/container.rs"]
mod container;
#[path = "../corpus/generate/mod.rs"]
mod generate;

pub(crate) use container::Format;
pub(crate) use generate::collection::Collection;
use generate::collection::Log;
pub(crate) use generate::{Generator, Kind};

/// Two logs of each kind.
const FILES_PER_KIND: u64 = 2;
const FILE_BUFFER_BYTES: usize = 1 << 20;

/// Generated logs.
pub(crate) struct Corpus {
    pub(crate) directory: PathBuf,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) bytes: u64,
    /// Lines as the programs wrote them, whatever the runtime made of them.
    pub(crate) lines: u64,
}

/// What to call a format.
pub(crate) fn name(format: Format) -> &'static str {
    match format {
        Format::Plain => "plain",
        Format::Cri => "CRI",
        Format::Docker => "json-file",
    }
}

/// Writes logs of `kinds`, `bytes` in all, the same ones each time.
pub(crate) fn write(directory: &Path, kinds: &[Kind], format: Format, bytes: u64) -> Corpus {
    fs::create_dir_all(directory).expect("the temporary directory can be written");
    let mut corpus = Corpus { directory: directory.to_owned(), files: Vec::new(), bytes: 0, lines: 0 };
    let file_bytes = bytes / (kinds.len() as u64 * FILES_PER_KIND);
    for kind in kinds {
        for copy in 0..FILES_PER_KIND {
            let path = directory.join(format!("{}-{copy}.log", kind.name()));
            let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(&path).expect("it is a new file"));
            let mut generator = Generator::new(*kind, corpus.files.len() as u64);
            let (mut record, mut text) = (Vec::new(), Vec::new());
            let mut written = 0;
            while written < file_bytes {
                record.clear();
                text.clear();
                let now_ns = generator.append_record(&mut record);
                format.write(&record, now_ns, &mut text);
                file.write_all(&text).expect("the disk has room");
                written += text.len() as u64;
                corpus.lines += memchr::memchr_iter(b'\n', &record).count() as u64;
            }
            file.flush().expect("the disk has room");
            corpus.bytes += written;
            corpus.files.push(path);
        }
    }
    corpus
}

/// Writes the logs of a collection, about `bytes` in all, the same ones each time.
pub(crate) fn write_collection(directory: &Path, collection: &Collection, bytes: u64) -> Corpus {
    fs::create_dir_all(directory).expect("the temporary directory can be written");
    let mut corpus = Corpus { directory: directory.to_owned(), files: Vec::new(), bytes: 0, lines: 0 };
    for Log { name, bytes, mut source } in collection.logs(bytes, 0) {
        let path = directory.join(name);
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(&path).expect("it is a new file"));
        let mut record = Vec::new();
        let mut written = 0;
        while written < bytes {
            record.clear();
            source.append_record(&mut record);
            file.write_all(&record).expect("the disk has room");
            written += record.len() as u64;
            corpus.lines += memchr::memchr_iter(b'\n', &record).count() as u64;
        }
        file.flush().expect("the disk has room");
        corpus.bytes += written;
        corpus.files.push(path);
    }
    corpus
}
