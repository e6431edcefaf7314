//! How much memory the process may have and has, and how what was used for a moment is given back to the system: by a burst
//! of queries, or for a backlog of logs.
//!
//! glibc's allocator has several arenas, gives back only what is free at the end of each, and takes ever larger pieces from
//! them once such pieces were freed: after a burst it keeps most of it for good. Other allocators are left alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::file::File;
use crate::ingest::Stop;
use crate::model::budget::{Budget, MEMORY_BYTES};
use crate::status::Status;

/// How often it is looked at whether there is memory to give back.
const INTERVAL: Duration = Duration::from_secs(1);
/// In which of so many busy intervals memory is given back: whoever needs memory then waits for tens of milliseconds.
const BUSY_EVERY: u32 = 10;
/// After how many quiet intervals there is nothing left to give back.
const QUIET_MAX: u32 = 128;
/// How much of sources has to be read for there to be something to give back, in bytes.
const READ_BYTES_MIN: u64 = 16 << 20;

/// How often at most memory is given back because there is too little of it.
const SHORT_INTERVAL: Duration = Duration::from_millis(200);
/// Of what its control group may have, the agent takes this part at most: the group is charged for more than is seen from
/// inside.
const GROUP_SHARE: (u64, u64) = (3, 4);
/// Longest small file of the system that is read, in bytes.
const SYSTEM_FILE_BYTES_MAX: usize = 4 << 10;

/// The budget of the process: what is `asked` for, or what is usual, and less where the control group has less.
pub fn budget(asked: Option<u64>) -> Arc<Budget> {
    let of_group = group_bytes().map_or(u64::MAX, |bytes| bytes / GROUP_SHARE.1 * GROUP_SHARE.0);
    let bytes = asked.unwrap_or(MEMORY_BYTES as u64).min(of_group);
    Arc::new(Budget::of_process(usize::try_from(bytes).unwrap_or(usize::MAX), used_bytes))
}

/// How many bytes the process has in memory, as Linux says; where it `is_short` of them, the allocator gives back first what
/// is not used.
fn used_bytes(is_short: bool) -> Option<usize> {
    /// The process's pages, and since when milliseconds are counted.
    static PAGES: LazyLock<Option<File>> =
        LazyLock::new(|| File::open(Path::new(&format!("{}/statm", process()))).ok());
    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
    /// When memory was given back last, in milliseconds.
    static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);
    if is_short {
        let now = u64::try_from(EPOCH.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let due = |last: u64| last == 0 || Duration::from_millis(now - last.min(now)) >= SHORT_INTERVAL;
        let is_due = GIVEN_BACK.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| due(last).then_some(now));
        if is_due.is_ok() {
            allocator::give_back();
        }
    }
    let pages: usize = read(PAGES.as_ref()?)?.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size())
}

/// How many bytes the process's control group may have, or the least of those above it.
fn group_bytes() -> Option<u64> {
    let groups = read(&File::open(Path::new(&format!("{}/cgroup", process()))).ok()?)?;
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (mount, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let files = Path::new(group).ancestors().map(|above| file_of_group(mount, above, name));
        files.filter_map(|file| read(&File::open(&file).ok()?)?.trim().parse::<u64>().ok()).collect()
    });
    limits.min()
}

fn file_of_group(mount: &str, group: &Path, name: &str) -> PathBuf {
    Path::new(mount).join(group.strip_prefix("/").unwrap_or(group)).join(name)
}

/// What the system says of this process, by its number: `self` is a link.
fn process() -> String {
    format!("/proc/{}", std::process::id())
}

/// A small file of the system.
fn read(file: &File) -> Option<String> {
    let mut text = [0; SYSTEM_FILE_BYTES_MAX];
    let count = file.read_at(&mut text, 0).ok()?;
    String::from_utf8(text[..count].to_vec()).ok()
}

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
        // The own log says what it has held back.
        log::logger().flush();
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_has_is_measured() {
        let before = used_bytes(true).unwrap();
        let more = vec![1_u8; 64 << 20];
        let with_more = used_bytes(false).unwrap();
        assert!(before + (60 << 20) < with_more && 0 < more[more.len() / 2], "{before} {with_more}");
    }

    #[test]
    fn the_budget_is_what_is_asked_for_or_less() {
        assert!(budget(None).bytes_max() <= MEMORY_BYTES);
        assert!(budget(Some(64 << 20)).bytes_max() <= 64 << 20);
        let of_root = file_of_group("/sys/fs/cgroup", Path::new("/"), "memory.max");
        assert_eq!(of_root, Path::new("/sys/fs/cgroup/memory.max"));
    }
}
