//! How far the files have been read that were there at the start.

use std::time::{Duration, Instant};

use crate::log_collector::directory::{Directory, files};
use crate::log_collector::tracked::Tracked;
use crate::log_collector::watcher::Watcher;
use crate::status::Part;

/// How often the log says how far it is.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Reading what was there at the start.
#[derive(Debug)]
pub(super) struct Import {
    started: Instant,
    reported: Instant,
    total_bytes: u64,
    file_count: u64,
    /// What is read of them, in the gauges of all collectors.
    read_bytes: Part,
    files_read: Part,
}

impl<D> Tracked<D> {
    /// What was there at the start and is still to be read.
    fn history_left(&self) -> u64 {
        if self.is_failing() { 0 } else { self.history_end.saturating_sub(self.source.state.read_bytes.get()) }
    }
}

impl<W: Watcher> Directory<W> {
    /// Counts what there is to read; nothing is to be said where there is nothing.
    pub(super) fn begin_import(&mut self) {
        let left = || self.sources.iter().map(Tracked::history_left);
        let (total_bytes, file_count) = (left().sum(), left().filter(|bytes| 0 < *bytes).count() as u64);
        let now = Instant::now();
        let (read_bytes, files_read) = (Part::default(), Part::default());
        let import = Import { started: now, reported: now, total_bytes, file_count, read_bytes, files_read };
        self.import = (0 < total_bytes).then_some(import);
        // Each collector comes here once.
        self.status.import.total_bytes.add(total_bytes);
        self.status.import.files.add(file_count);
    }

    /// Says how far it is: always in the status, now and then in the log.
    pub(super) fn report_import(&mut self) {
        let Some(import) = &mut self.import else { return };
        let left = || self.sources.iter().map(Tracked::history_left);
        let (bytes_left, files_left) = (left().sum::<u64>(), left().filter(|bytes| 0 < *bytes).count() as u64);
        let read_bytes = import.total_bytes.saturating_sub(bytes_left);
        let files_read = import.file_count.saturating_sub(files_left);
        let elapsed = import.started.elapsed();
        let bytes_per_second = u128::from(read_bytes) * 1000 / elapsed.as_millis().max(1);
        let bytes_per_second = u64::try_from(bytes_per_second).unwrap_or(u64::MAX);
        let status = &self.status.import;
        import.read_bytes.set(&status.read_bytes, read_bytes);
        import.files_read.set(&status.files_read, files_read);
        status.elapsed_ms.raise(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let (files, mib_per_second) = (files(import.file_count), bytes_per_second >> 20);
        if bytes_left == 0 {
            let (total_mib, seconds) = (import.total_bytes >> 20, elapsed.as_secs_f64());
            // The few lines that were written between two starts are no news.
            if 0 < total_mib {
                log::info!(
                    "read what was there at the start: {files}, {total_mib} MiB in {seconds:.1} s, {mib_per_second} MiB/s"
                );
            }
            self.import = None;
        } else if REPORT_INTERVAL <= import.reported.elapsed() {
            import.reported = Instant::now();
            let (read_mib, total_mib) = (read_bytes >> 20, import.total_bytes >> 20);
            let seconds_left = bytes_left / bytes_per_second.max(1);
            log::info!(
                "reading what was there at the start, the newest first: {read_mib} of {total_mib} MiB, {files_read} of \
                 {files}, {mib_per_second} MiB/s, about {seconds_left} s left"
            );
        }
    }
}
