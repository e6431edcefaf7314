//! One journal file, as queries read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::log_database::journal::{Header, columns, file_name};
use crate::log_database::part::{Part, Unreadable};
use crate::log_database::storage::{self, StoredFile};
use crate::model::Lines;

/// One journal file, open for as long as anyone reads it.
#[derive(Debug)]
pub(in crate::log_database) struct JournalFile {
    pub(super) header: Header,
    pub(super) file: Arc<dyn StoredFile>,
    size_bytes: AtomicU64,
    unreadable: Unreadable,
}

impl JournalFile {
    pub(super) fn new(header: Header, file: Arc<dyn StoredFile>, size_bytes: u64) -> Self {
        Self { header, file, size_bytes: AtomicU64::new(size_bytes), unreadable: Unreadable::default() }
    }

    /// The file's place among all files.
    pub(in crate::log_database) fn sequence(&self) -> u64 {
        self.header.sequence
    }

    /// The file's length.
    pub(in crate::log_database) fn size_bytes(&self) -> u64 {
        self.size_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_size_bytes(&self, size_bytes: u64) {
        self.size_bytes.store(size_bytes, Ordering::Relaxed);
    }

    /// The file's name in the storage.
    pub(in crate::log_database) fn name(&self) -> String {
        file_name(self.header.sequence)
    }

    /// How many parts queries had to do without.
    pub(in crate::log_database) fn unreadable_count(&self) -> usize {
        self.unreadable.count()
    }

    /// Reads and verifies a part. One that is no longer what was written is counted, logged once, and `None`: the rest
    /// of the answer is still true.
    pub(in crate::log_database) fn read(&self, part: &Part) -> Option<Lines> {
        let problem = match self.try_read(part) {
            Ok(Some(lines)) => return Some(lines),
            Ok(None) => "its checksum is wrong".to_owned(),
            Err(error) => error.to_string(),
        };
        self.unreadable.add(self.file.path(), part, &problem);
        None
    }

    /// Reads and verifies a part; `None` where it is not what was written.
    pub(in crate::log_database) fn try_read(&self, part: &Part) -> storage::Result<Option<Lines>> {
        let mut columns = vec![0; part.bytes as usize];
        let count = self.file.read_at(&mut columns, part.offset)?;
        if count < columns.len() || crc32fast::hash(&columns) != part.crc {
            return Ok(None);
        }
        Ok(columns::decode(&columns, part))
    }
}
