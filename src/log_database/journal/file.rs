//! One journal file, as queries read it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::log_database::journal::record::Part;
use crate::log_database::journal::{Header, part};
use crate::log_database::storage::{self, StoredFile};
use crate::model::Lines;

/// One journal file, open for as long as anyone reads it.
#[derive(Debug)]
pub(in crate::log_database) struct JournalFile {
    pub(super) header: Header,
    pub(super) file: Arc<dyn StoredFile>,
    size_bytes: AtomicU64,
    /// Offsets of parts that could be read when they were written or recovered, and no longer can.
    unreadable: Mutex<BTreeSet<u64>>,
}

impl JournalFile {
    pub(super) fn new(header: Header, file: Arc<dyn StoredFile>, size_bytes: u64) -> Self {
        Self { header, file, size_bytes: AtomicU64::new(size_bytes), unreadable: Mutex::default() }
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

    /// How many parts queries had to do without.
    pub(in crate::log_database) fn unreadable_count(&self) -> usize {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Reads and verifies a part. One that is no longer what was written is counted, logged once, and `None`: the rest
    /// of the answer is still true.
    pub(in crate::log_database) fn read(&self, part: &Part) -> Option<Lines> {
        let problem = match self.try_read(part) {
            Ok(Some(lines)) => return Some(lines),
            Ok(None) => "its checksum is wrong".to_owned(),
            Err(error) => error.to_string(),
        };
        let is_new = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).insert(part.offset);
        if is_new {
            let path = self.file.path().display();
            log::error!("{} lines at byte {} of {path} are left out: {problem}", part.line_count, part.offset);
        }
        None
    }

    fn try_read(&self, part: &Part) -> storage::Result<Option<Lines>> {
        let mut columns = vec![0; part.bytes as usize];
        let count = self.file.read_at(&mut columns, part.offset)?;
        if count < columns.len() || crc32fast::hash(&columns) != part.crc {
            return Ok(None);
        }
        Ok(part::decode(&columns, &part.summary()))
    }
}
