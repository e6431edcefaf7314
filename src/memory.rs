//! Gives memory back to the system that was used for a moment: by a burst of queries, or for a backlog of logs.
//!
//! glibc's allocator has several arenas, gives back only what is free at the end of each, and takes ever larger pieces from
//! them once such pieces were freed: after a burst it keeps most of it for good. Other allocators are left alone.

use std::time::Duration;

use crate::ingest::Stop;
use crate::status::Status;

/// How often it is looked at whether there is memory to give back.
const INTERVAL: Duration = Duration::from_secs(1);
/// In which of so many busy intervals memory is given back: whoever needs memory then waits for tens of milliseconds.
const BUSY_EVERY: u32 = 10;
/// After how many quiet intervals there is nothing left to give back.
const QUIET_MAX: u32 = 128;
/// How much of sources has to be read for there to be something to give back, in bytes.
const READ_BYTES_MIN: u64 = 16 << 20;

/// Tells the allocator what to keep. To be called before there are other threads.
pub fn set_up() {
    allocator::set_up();
}

/// Has the allocator give back what is not used, until `stop`.
pub fn give_back(status: &Status, stop: &Stop) {
    let (mut queries, mut bytes_read) = (0, 0);
    // Busy intervals since memory was given back, and quiet ones since the last busy one.
    let (mut busy, mut quiet) = (0_u32, QUIET_MAX);
    while !stop.is_set() {
        stop.wait(INTERVAL);
        let (queries_now, bytes_read_now) = (status.queries.get(), status.bytes_read.get());
        if queries < queries_now || bytes_read + READ_BYTES_MIN <= bytes_read_now {
            (queries, bytes_read, quiet) = (queries_now, bytes_read_now, 0);
            busy += 1;
        } else {
            quiet = quiet.saturating_add(1);
        }
        // Answers are held for as long as clients read them: so after 1, 2, 4, 8 … quiet intervals.
        if BUSY_EVERY <= busy || quiet <= QUIET_MAX && quiet.is_power_of_two() {
            allocator::give_back();
            busy = 0;
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "glibc's allocator is told what to keep by functions of its own")]
mod allocator {
    use std::ffi::c_int;

    /// How many arenas threads share. As many cores as a query uses; small pieces do not even need an arena's lock.
    const ARENAS_MAX: c_int = 2;
    /// From this size on, pieces are the system's own and given back when they are freed, in bytes.
    const PIECE_BYTES_MIN: c_int = 1 << 20;

    pub(super) fn set_up() {
        // SAFETY: the functions take numbers alone, and may be called at any time by any thread.
        let is_set = unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX) == 1
                && libc::mallopt(libc::M_MMAP_THRESHOLD, PIECE_BYTES_MIN) == 1
        };
        if !is_set {
            log::debug!("the allocator keeps more memory than it should");
        }
    }

    pub(super) fn give_back() {
        // SAFETY: the function takes a number alone, and may be called at any time by any thread.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod allocator {
    pub(super) fn set_up() {}

    pub(super) fn give_back() {}
}
