//! What lines decode to, by table and by property.

mod containers;
pub(crate) mod docker_local;
mod multiline;
mod properties;
mod times;

use jiff::tz::TimeZone;

use super::{Channel, Decoder};
use crate::model::Timestamp;

/// When all lines are read: 2026-11-22T13:30:00Z.
const READ_AT: Timestamp = Timestamp::from_ns(1_795_354_200_000_000_000);

/// One hour ahead of UTC, two from the last Sunday of March to that of October; does not need the system's tables.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// Half an hour of daylight saving: clocks change in the middle of an hour.
fn lord_howe() -> TimeZone {
    TimeZone::posix("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").unwrap()
}

/// `READ` for the time of reading.
fn show(timestamp: Timestamp) -> String {
    if timestamp == READ_AT {
        return "READ".to_owned();
    }
    jiff::Timestamp::from_nanosecond(timestamp.as_ns().into()).unwrap().to_string()
}

/// Entries as `<channel> <time> <text>` lines, with what was cut off, and `pending` where one waits for its end.
fn show_entries(decoder: &mut Decoder, lines: &[&str]) -> Vec<String> {
    show_records(decoder, &lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>())
}

/// As [`show_entries`], of lines that are bytes.
fn show_records(decoder: &mut Decoder, lines: &[&[u8]]) -> Vec<String> {
    let mut offset = 0;
    let mut shown = Vec::new();
    for line in lines {
        let entry = decoder.decode(line, offset, READ_AT);
        shown.push(entry.map_or_else(
            || "pending".to_owned(),
            |entry| {
                let channel = match entry.channel {
                    Channel::None => "none",
                    Channel::Stdout => "stdout",
                    Channel::Stderr => "stderr",
                };
                format!("{channel} {} {}", show(entry.timestamp), String::from_utf8_lossy(entry.line))
            },
        ));
        offset += line.len() as u64 + 1;
    }
    shown
}
