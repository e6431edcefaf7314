//! What the agent says of itself, on standard error: harmless to whoever reads it, and no more than can be read.
//!
//! Others choose names of files, and how often something is amiss with them. So control characters are shown instead of
//! written, and of each kind of message, which is a place in the code, only so many are written at a time; how many were held
//! back is said.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, Log, Metadata, Record, SetLoggerError};

/// Most messages of one kind in an [`INTERVAL`].
const AT_ONCE_MAX: u64 = 20;
/// How long a kind is counted.
const INTERVAL: Duration = Duration::from_secs(10);

/// Writes the log from here on, as `RUST_LOG` says, or what is of level `info`.
///
/// # Errors
///
/// Something writes it already.
pub fn begin() -> Result<(), SetLoggerError> {
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    builder.format(|out, record| {
        writeln!(out, "[{} {:<5}] {}", out.timestamp(), record.level(), escaped(&record.args().to_string()))
    });
    let inner = builder.build();
    log::set_max_level(inner.filter());
    log::set_boxed_logger(Box::new(OwnLog { inner, kinds: Mutex::default() }))
}

/// `text` with each character shown that would drive a terminal, end the line or turn the direction of text around.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string cannot fail");
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

struct OwnLog {
    inner: env_logger::Logger,
    kinds: Mutex<HashMap<Kind, Told>>,
}

/// Where in the code a message is made, and how loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    level: Level,
    file: &'static str,
    line: u32,
}

/// What was said of a kind.
#[derive(Debug)]
struct Told {
    since: Instant,
    count: u64,
}

impl Told {
    /// Whether another message may be written.
    fn admit(&mut self) -> bool {
        self.count += 1;
        self.count <= AT_ONCE_MAX
    }

    /// Begins anew where the time is over; returns how many were held back until then.
    fn renew(&mut self, now: Instant) -> u64 {
        if now.saturating_duration_since(self.since) < INTERVAL {
            return 0;
        }
        let count = std::mem::take(&mut self.count);
        self.since = now;
        count.saturating_sub(AT_ONCE_MAX)
    }
}

impl OwnLog {
    fn kinds(&self) -> MutexGuard<'_, HashMap<Kind, Told>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how many messages of a kind were held back.
    fn tell(&self, kind: Kind, held_back: u64) {
        let Kind { level, file, line } = kind;
        let mut record = Record::builder();
        let record = record.level(level).module_path(Some(module_path!())).file(Some(file)).line(Some(line));
        self.inner.log(
            &record
                .args(format_args!("{held_back} more messages like those of {file}:{line} above were held back"))
                .build(),
        );
    }
}

impl Log for OwnLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        // Whoever asks for more than usual gets all of it.
        if !self.inner.matches(record) || Level::Info < record.level() {
            return self.inner.log(record);
        }
        let (file, line) = (record.file_static().unwrap_or_default(), record.line().unwrap_or_default());
        let kind = Kind { level: record.level(), file, line };
        let now = Instant::now();
        let (held_back, may_write) = {
            let mut kinds = self.kinds();
            let told = kinds.entry(kind).or_insert(Told { since: now, count: 0 });
            (told.renew(now), told.admit())
        };
        if 0 < held_back {
            self.tell(kind, held_back);
        }
        if may_write {
            self.inner.log(record);
        }
    }

    /// Says what was held back and is still to be said.
    fn flush(&self) {
        let now = Instant::now();
        let due: Vec<(Kind, u64)> = self.kinds().iter_mut().map(|(kind, told)| (*kind, told.renew(now))).collect();
        for (kind, held_back) in due.into_iter().filter(|(_, held_back)| 0 < *held_back) {
            self.tell(kind, held_back);
        }
        self.inner.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_drive_a_terminal_is_shown() {
        let hostile = "x\r\x1b[2Ka\nb\x07\x7f\u{9b}31m\u{202e}\u{2066}\u{61c}\u{2028}ä";
        let shown = "x\\r\\u{1b}[2Ka\\nb\\u{7}\\u{7f}\\u{9b}31m\\u{202e}\\u{2066}\\u{61c}\\u{2028}ä";
        assert_eq!(escaped(hostile), shown);
    }

    #[test]
    fn so_many_of_a_kind_are_written_and_the_others_counted() {
        let begun = Instant::now();
        let mut told = Told { since: begun, count: 0 };
        let written = (0..3 * AT_ONCE_MAX).filter(|_| told.admit()).count() as u64;
        assert_eq!(written, AT_ONCE_MAX);
        assert_eq!(told.renew(begun + INTERVAL / 2), 0, "it goes on");
        assert_eq!(told.renew(begun + INTERVAL), 2 * AT_ONCE_MAX);
        assert!(told.admit());
        assert_eq!(told.renew(begun + INTERVAL * 2), 0);
    }
}
