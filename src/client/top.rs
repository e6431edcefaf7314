//! `top`: which streams are the busiest, again and again.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::low_level::pipe;

use super::arguments::TopOptions;
use super::http::Agent;
use super::lists::bytes;
use super::numbers::{aligned, sums};
use super::records::name;
use super::target::{Stream, streams};
use super::{Result, terminal};

/// To the first column of the first row, and clears what was there.
const CLEAR: &str = "\x1b[H\x1b[2J";
/// What Ctrl-C is where it is no signal.
const CONTROL_C: u8 = 3;
/// Errors of the last minute: lines that say by their level that something failed.
const ERRORS_QUERY: &str = r#"count_over_time({service_name=~".+"} | detected_level=~"error|critical|fatal" [1m])"#;
/// What says of a line how bad it is, and nothing of its stream.
const LEVEL_LABEL: &str = "detected_level";

/// What streams are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Lines,
    Bytes,
    Errors,
    Name,
}

/// A stream's row.
#[derive(Debug)]
struct Row {
    name: String,
    lines_per_second: u64,
    bytes_per_second: u64,
    errors_per_minute: u64,
    lines: u64,
    behind: u64,
    level: String,
    last: String,
}

/// Lines and bytes of streams by their names.
type Counts = HashMap<String, (u64, u64)>;

/// Runs the command.
pub(super) fn run(options: &TopOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let is_live = terminal::is_terminal();
    let keys = Keys::new(is_live)?;
    let interval = Duration::from_secs(options.interval.max(1).into());
    let looks = options.count.unwrap_or(if is_live { u32::MAX } else { 1 });
    let mut order = Order::Lines;
    let mut before = counts(&streams(&agent, &[("steps", "1")])?.streams);
    for _ in 0..looks {
        let looked = Instant::now();
        while let Some(left) = interval.checked_sub(looked.elapsed()).filter(|left| !left.is_zero()) {
            match keys.wait(left) {
                Some(b'q' | CONTROL_C) => return Ok(()),
                Some(b'l') => order = Order::Lines,
                Some(b'b') => order = Order::Bytes,
                Some(b'e') => order = Order::Errors,
                Some(b'n') => order = Order::Name,
                _ => {}
            }
        }
        let now = streams(&agent, &[("steps", "1")])?.streams;
        let text = table(rows(&now, &before, &errors(&agent)?, looked.elapsed()), order);
        before = counts(&now);
        if is_live {
            show(&text)?;
        } else {
            terminal::print(&text)?;
        }
    }
    Ok(())
}

fn counts(streams: &[Stream]) -> Counts {
    let mut counts = Counts::new();
    for stream in streams {
        let (lines, bytes) = counts.entry(name(&stream.labels)).or_default();
        *lines += stream.lines;
        *bytes += stream.bytes;
    }
    counts
}

/// How many errors of the last minute each stream has, by its name.
fn errors(agent: &Agent) -> Result<HashMap<String, u64>> {
    let mut errors = HashMap::new();
    for (mut labels, sum) in sums(agent, ERRORS_QUERY)? {
        labels.remove(LEVEL_LABEL);
        *errors.entry(name(&labels)).or_default() += sum;
    }
    Ok(errors)
}

/// A row for each name: what came since `before`, so long ago.
fn rows(now: &[Stream], before: &Counts, errors: &HashMap<String, u64>, elapsed: Duration) -> Vec<Row> {
    let per_second = |count: u64| {
        let count = u128::from(count) * 1000 / elapsed.as_millis().max(1);
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let newest: HashMap<String, &Stream> = now.iter().map(|stream| (name(&stream.labels), stream)).collect();
    let row = |(name, (lines, bytes)): (String, (u64, u64))| {
        let (lines_before, bytes_before) = before.get(&name).copied().unwrap_or_default();
        let stream = newest.get(&name);
        let last = stream.and_then(|stream| stream.last_line.clone()).unwrap_or_default();
        Row {
            lines_per_second: per_second(lines.saturating_sub(lines_before)),
            bytes_per_second: per_second(bytes.saturating_sub(bytes_before)),
            errors_per_minute: errors.get(&name).copied().unwrap_or_default(),
            lines,
            behind: stream.map_or(0, |stream| stream.lag_bytes),
            level: stream.and_then(|stream| stream.last_level.clone()).unwrap_or_default(),
            last,
            name,
        }
    };
    counts(now).into_iter().map(row).collect()
}

fn table(mut rows: Vec<Row>, order: Order) -> String {
    rows.sort_by(|one, other| {
        let by_name = || one.name.cmp(&other.name);
        let most = |of: fn(&Row) -> u64| of(other).cmp(&of(one)).then_with(by_name);
        match order {
            Order::Lines => most(|row| row.lines_per_second),
            Order::Bytes => most(|row| row.bytes_per_second),
            Order::Errors => most(|row| row.errors_per_minute),
            Order::Name => by_name(),
        }
    });
    let titles = ["LINES/S", "BYTES/S", "ERR/MIN", "LINES", "BEHIND", "LEVEL", "STREAM", "LAST LINE"];
    let titles = titles.map(str::to_owned).to_vec();
    let row = |row: Row| {
        let (rate, growth) = (row.lines_per_second.to_string(), bytes(row.bytes_per_second));
        let (errors, lines) = (row.errors_per_minute.to_string(), row.lines.to_string());
        vec![rate, growth, errors, lines, bytes(row.behind), row.level, row.name, row.last]
    };
    aligned(&[titles].into_iter().chain(rows.into_iter().map(row)).collect::<Vec<_>>())
}

/// Shows as much of a table as the terminal has room for.
fn show(text: &str) -> Result<()> {
    let (columns, rows) = terminal::size().unwrap_or((80, 24));
    let fit = |line: &str| terminal::harmless(line, false).chars().take(columns.saturating_sub(1)).collect::<String>();
    let lines: Vec<String> = text.lines().take(rows.saturating_sub(1)).map(fit).collect();
    Ok(terminal::print_as_is(&format!("{CLEAR}{}\n", lines.join("\n")))?)
}

/// The keyboard, where each key is told of at once; as it was before when this is dropped.
struct Keys {
    /// How the terminal was before; `None` where there is no keyboard.
    before: Option<Termios>,
    /// Can be read once the program is told to end.
    ends: UnixStream,
}

impl Keys {
    fn new(is_live: bool) -> Result<Self> {
        let (ends, told) = UnixStream::pair()?;
        for signal in [SIGHUP, SIGTERM] {
            pipe::register(signal, told.try_clone()?)?;
        }
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).ok().filter(|_| is_live && stdin.is_terminal());
        if let Some(mut raw) = before.clone() {
            // Ctrl-C becomes a key as well, so that the terminal is put back in any case.
            raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        Ok(Self { before, ends })
    }

    /// Waits for a key, so long. Being told to end is one: [`CONTROL_C`].
    fn wait(&self, time: Duration) -> Option<u8> {
        let stdin = io::stdin();
        let mut descriptors = [PollFd::new(&self.ends, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
        let heard = if self.before.is_some() { &mut descriptors[..] } else { &mut descriptors[..1] };
        let timeout = Timespec::try_from(time).ok()?;
        poll(heard, Some(&timeout)).ok()?;
        if !descriptors[0].revents().is_empty() {
            return Some(CONTROL_C);
        }
        let mut key = [0];
        let is_key = !descriptors[1].revents().is_empty();
        (is_key && matches!(rustix::io::read(&stdin, &mut key), Ok(1))).then_some(key[0])
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
