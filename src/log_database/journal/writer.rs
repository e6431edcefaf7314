//! Appends records, and moves to a new file when one is full or can no longer be trusted.
//!
//! A file is trusted until a write or a sync of it fails. From then on nothing is written to it and its syncs mean
//! nothing: what it holds above its durable length is read back, verified, and written to the next file together with
//! the reason to ignore it here, as the module above explains. Only the newest file ever holds anything that is not
//! durable.

use std::io::IoSlice;
use std::sync::Arc;

use crate::log_database::Error;
use crate::log_database::journal::record::{Place, Record, Skeleton};
use crate::log_database::journal::recovery::{RecordReader, Recovered};
use crate::log_database::journal::{DIRECTORY, Header, JournalFile, NEW_NAME, RECORDS_START, file_name};
use crate::log_database::storage::{self, Storage, StoredFile};
use crate::model::{Batch, Checkpoint};

/// Checkpoints per record at the start of a file, so that no record grows with the number of sources.
const CHECKPOINTS_PER_RECORD: usize = 4096;

/// When a file ends; tests make it soon.
#[derive(Clone, Copy, Debug)]
pub(in crate::log_database) struct Limits {
    /// A file takes no more records once it has so many bytes beside the checkpoints that it starts with: what becomes
    /// one segment, and the unit in which the journal is dropped then.
    pub(in crate::log_database) file_bytes: u64,
    /// A file that is left behind with at most this many durable bytes is replaced as a whole, so that an agent that is
    /// killed over and over does not leave a small file each time.
    pub(in crate::log_database) replaced_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, replaced_bytes_max: 1 << 20 }
    }
}

/// Writes the journal. There is one per database.
#[derive(Debug)]
pub(in crate::log_database) struct Writer {
    storage: Arc<dyn Storage>,
    limits: Limits,
    current: Option<Current>,
    next_sequence: u64,
}

/// The newest file.
#[derive(Debug)]
struct Current {
    file: Arc<JournalFile>,
    /// From which length on it takes no more records.
    full_bytes: u64,
    written_bytes: u64,
    durable_bytes: u64,
    /// Whether there are lines or checkpoints above `durable_bytes`.
    has_unsynced: bool,
    is_trusted: bool,
    /// Whether the durable part can be read back as far as is known.
    is_intact: bool,
}

/// What a change of files means for the index.
#[derive(Debug)]
pub(in crate::log_database) struct Rollover {
    /// The new file.
    pub(in crate::log_database) file: Arc<JournalFile>,
    /// What it replaces: the parts of that file from that offset on.
    pub(in crate::log_database) replaced: Option<(u64, u64)>,
    /// Whether nothing is left of that file.
    pub(in crate::log_database) is_replaced_whole: bool,
    /// The records it holds in their place, and the offsets of their bodies.
    pub(in crate::log_database) records: Vec<(Skeleton, u64)>,
}

impl Writer {
    pub(in crate::log_database) fn new(storage: Arc<dyn Storage>, limits: Limits, recovered: Recovered) -> Self {
        let current = recovered.newest.map(|newest| Current {
            file: newest.file,
            // How much of it are checkpoints was not kept; it ends the sooner.
            full_bytes: limits.file_bytes,
            written_bytes: newest.written_bytes,
            durable_bytes: newest.durable_bytes,
            has_unsynced: newest.has_unsynced,
            is_trusted: newest.is_intact && !newest.has_unsynced,
            is_intact: newest.is_intact,
        });
        Self { storage, limits, current, next_sequence: recovered.next_sequence }
    }

    /// Whether [`Writer::append`] has a file to write to; otherwise [`Writer::roll_over`] comes first.
    pub(in crate::log_database) fn is_writable(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.is_trusted && current.written_bytes < current.full_bytes)
    }

    /// Whether only [`Writer::roll_over`] can make durable what was written.
    pub(in crate::log_database) fn must_replace(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.is_trusted && current.has_unsynced)
    }

    /// # Errors
    ///
    /// The newest file is not where it was created any more: who has it open can write to it, and nobody will read that.
    pub(in crate::log_database) fn check(&self) -> Result<(), Error> {
        let Some(current) = &self.current else { return Ok(()) };
        Ok(self.storage.check(&file_name(current.file.sequence()))?)
    }

    /// Writes one record; returns what is in it, its file and the offset of its body.
    pub(in crate::log_database) fn append(
        &mut self,
        batches: &[Arc<Batch>],
    ) -> Result<(Skeleton, Arc<JournalFile>, u64), Error> {
        let current = self.current.as_mut().expect("the caller asks is_writable");
        let record = Record::of_batches(batches);
        let body_start = current.append(&record)?;
        current.has_unsynced = true;
        Ok((record.into_skeleton(), Arc::clone(&current.file), body_start))
    }

    /// Waits until everything written is durable; `false` where it was already.
    pub(in crate::log_database) fn sync(&mut self) -> Result<bool, Error> {
        let Some(current) = self.current.as_mut().filter(|current| current.has_unsynced) else { return Ok(false) };
        current.sync()?;
        // The mark. Where it fails, the file is no longer trusted; what was synced is durable all the same.
        if let Err(error) = current.append(&Record::default()) {
            log::warn!("the journal goes on in a new file: {error}");
        }
        Ok(true)
    }

    /// Makes everything durable and moves to a new file that starts with `checkpoints`, all committed ones. After a
    /// failure nothing has changed and the next call tries again.
    pub(in crate::log_database) fn roll_over(&mut self, checkpoints: &[Checkpoint]) -> Result<Rollover, Error> {
        // A mark needs no sync. Were one tried and failed, the next process would trust a file that has lost its mark.
        if let Some(current) = self.current.as_mut().filter(|current| current.is_trusted && current.has_unsynced) {
            current.sync()?;
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let replacement = self.create(sequence, checkpoints);
        if replacement.is_err() {
            // A leftover does no harm: the next file's header says that it does not count.
            let _ = self.storage.remove(NEW_NAME);
            let _ = self.storage.remove(&file_name(sequence));
            // Nobody needs the durable part to be read back; without it the next try may succeed.
            self.current.iter_mut().for_each(|current| current.is_intact = false);
        }
        let (rollover, current) = replacement?;
        let old = self.current.replace(current);
        if let Some(old) = old.filter(|_| rollover.is_replaced_whole)
            && let Err(error) = self.storage.remove(&file_name(old.file.sequence()))
        {
            log::warn!("a journal file that was replaced stays until the next start: {error}");
        }
        Ok(rollover)
    }

    /// Creates file `sequence`, durable on return, to go on with.
    fn create(&self, sequence: u64, checkpoints: &[Checkpoint]) -> Result<(Rollover, Current), Error> {
        let mut header = Header {
            sequence,
            salt: self.storage.salt(),
            predecessor: 0,
            predecessor_bytes: 0,
            durable_bytes: RECORDS_START,
        };
        let file = self.storage.create(NEW_NAME)?;
        for some in checkpoints.chunks(CHECKPOINTS_PER_RECORD) {
            let place = Place { salt: header.salt, offset: header.durable_bytes };
            header.durable_bytes = Record::of_checkpoints(some.to_vec()).write(file.as_ref(), place, 0)?.end;
        }
        let full_bytes = header.durable_bytes + self.limits.file_bytes;
        let mut records = Vec::new();
        let mut replaced = None;
        let mut is_replaced_whole = false;
        if let Some(current) = &self.current {
            is_replaced_whole = current.is_replaced_whole(self.limits);
            (header.predecessor, header.predecessor_bytes) = if is_replaced_whole {
                (current.file.header.predecessor, current.file.header.predecessor_bytes)
            } else {
                (current.file.sequence(), current.durable_bytes)
            };
            let from = if is_replaced_whole { RECORDS_START } else { current.durable_bytes };
            replaced = Some((current.file.sequence(), from));
            records = current.copy_records(from, file.as_ref(), &mut header)?;
        }
        file.write_at(&mut [IoSlice::new(&header.encode())], 0)?;
        file.sync()?;
        self.storage.rename(NEW_NAME, &file_name(sequence))?;
        self.storage.sync_directory(DIRECTORY)?;
        // Opened again so that messages say its name.
        let file = self.storage.open(&file_name(sequence))?;
        let file = Arc::new(JournalFile::new(header, file, header.durable_bytes));
        let current = Current {
            file: Arc::clone(&file),
            full_bytes,
            written_bytes: header.durable_bytes,
            durable_bytes: header.durable_bytes,
            has_unsynced: false,
            is_trusted: true,
            is_intact: true,
        };
        Ok((Rollover { file, replaced, is_replaced_whole, records }, current))
    }
}

impl Current {
    /// Writes one record and returns the offset of its body. A failure costs the file its trust.
    fn append(&mut self, record: &Record<'_>) -> storage::Result<u64> {
        let place = Place { salt: self.file.header.salt, offset: self.written_bytes };
        self.is_trusted = false;
        let written = record.write(self.file.file.as_ref(), place, self.durable_bytes)?;
        self.is_trusted = true;
        self.written_bytes = written.end;
        self.file.set_size_bytes(written.end);
        Ok(written.body_start)
    }

    /// Makes everything written durable. A failure costs the file its trust.
    fn sync(&mut self) -> storage::Result<()> {
        self.is_trusted = false;
        self.file.file.sync()?;
        self.is_trusted = true;
        self.durable_bytes = self.written_bytes;
        self.has_unsynced = false;
        Ok(())
    }

    fn is_replaced_whole(&self, limits: Limits) -> bool {
        !self.is_trusted && self.is_intact && self.durable_bytes <= limits.replaced_bytes_max
    }

    /// Copies the records from `from` on to the end of `target`, and moves its durable length behind them.
    fn copy_records(
        &self,
        from: u64,
        target: &dyn StoredFile,
        header: &mut Header,
    ) -> Result<Vec<(Skeleton, u64)>, Error> {
        let mut records = Vec::new();
        let mut reader = RecordReader::new(&self.file, self.written_bytes);
        let mut offset = from;
        while offset < self.written_bytes {
            let found = reader.record(offset)?.filter(|found| found.damaged_bytes == 0);
            let Some(found) = found else {
                return Err(Error::Unrecoverable { path: self.file.file.path().to_owned(), offset });
            };
            offset = found.end();
            if found.skeleton.is_empty() {
                continue;
            }
            let place = Place { salt: header.salt, offset: header.durable_bytes };
            let head = found.head.encode(place);
            let content = reader.content(&found)?;
            target.write_at(&mut [IoSlice::new(&head), IoSlice::new(content)], place.offset)?;
            header.durable_bytes += found.head.record_bytes();
            records.push((found.skeleton, place.offset + found.head.body_start()));
        }
        Ok(records)
    }
}
