//! The files that the backlog is read from.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[path = "../corpus/generate/mod.rs"]
mod generate;

use generate::Generator;
pub(crate) use generate::Kind;

/// Two logs of each kind.
const FILES_PER_KIND: u64 = 2;
const FILE_BUFFER_BYTES: usize = 1 << 20;

/// Generated logs.
pub(crate) struct Corpus {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

/// Writes logs of `kinds`, `bytes` in all, the same ones each time.
pub(crate) fn write(directory: &Path, kinds: &[Kind], bytes: u64) -> Corpus {
    fs::create_dir_all(directory).expect("the temporary directory can be written");
    let mut corpus = Corpus { files: Vec::new(), bytes: 0, lines: 0 };
    let file_bytes = bytes / (kinds.len() as u64 * FILES_PER_KIND);
    for kind in kinds {
        for copy in 0..FILES_PER_KIND {
            let path = directory.join(format!("{}-{copy}.log", kind.name()));
            let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(&path).expect("it is a new file"));
            let mut generator = Generator::new(*kind, corpus.files.len() as u64);
            let mut record = Vec::new();
            let mut written = 0;
            while written < file_bytes {
                record.clear();
                generator.append_record(&mut record);
                file.write_all(&record).expect("the disk has room");
                written += record.len() as u64;
                corpus.lines += memchr::memchr_iter(b'\n', &record).count() as u64;
            }
            file.flush().expect("the disk has room");
            corpus.bytes += written;
            corpus.files.push(path);
        }
    }
    corpus
}
