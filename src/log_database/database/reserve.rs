//! A file that is given up when the medium is full, so that what was begun can be finished.
//!
//! What was read can then still be committed, a segment can take the place of a larger journal file, and the agent can
//! stop cleanly. It is made again once there is room. On file systems that compress, it reserves less than it says.

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::log_database::storage::{self, Storage};

/// Its name in the storage.
const NAME: &str = "reserve";
/// It is made only where as many bytes are free, so that it does not take what others need.
const FREE_BYTES_MIN: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Reserve {
    bytes: usize,
    is_there: AtomicBool,
}

impl Reserve {
    /// Looks whether it is there.
    pub(super) fn open(storage: &dyn Storage, bytes: usize) -> Self {
        let size_bytes = storage.open(NAME).and_then(|file| file.size_bytes());
        let is_there = size_bytes.is_ok_and(|size_bytes| size_bytes == bytes as u64);
        Self { bytes, is_there: AtomicBool::new(is_there) }
    }

    /// What it takes on the medium.
    pub(super) fn size_bytes(&self) -> u64 {
        if self.is_there.load(Ordering::Relaxed) { self.bytes as u64 } else { 0 }
    }

    /// Makes it where it is not there and there is room.
    pub(super) fn keep(&self, storage: &dyn Storage) {
        if self.is_there.load(Ordering::Relaxed) {
            return;
        }
        let made = storage.free_bytes().and_then(|free_bytes| {
            if free_bytes < FREE_BYTES_MIN {
                return Ok(false);
            }
            self.make(storage).inspect_err(|_| {
                let _ = storage.remove(NAME);
            })?;
            Ok(true)
        });
        match made {
            Ok(is_there) => self.is_there.store(is_there, Ordering::Relaxed),
            Err(error) => log::debug!("nothing is reserved for when the medium is full: {error}"),
        }
    }

    /// Gives it up; whether there is more room now.
    pub(super) fn release(&self, storage: &dyn Storage) -> bool {
        let is_released = self.is_there.swap(false, Ordering::Relaxed) && storage.remove(NAME).is_ok();
        if is_released {
            let bytes = self.bytes;
            log::warn!("the medium is full; {bytes} bytes that were reserved are used to finish what was begun");
        }
        is_released
    }

    fn make(&self, storage: &dyn Storage) -> storage::Result<()> {
        let file = storage.create(NAME)?;
        file.write_at(&mut [IoSlice::new(&vec![0; self.bytes])], 0)?;
        file.sync()
    }
}
