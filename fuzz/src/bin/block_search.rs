//! Any lines and any filters: a block of the lines decodes to them, and selects what a look at each line selects.
//!
//! The input is text: the first line is a needle, the second an expression, the third one byte of time step and the
//! rest are the log's lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_database::block::{Block, Encoder, Query};
use monitoring_rs::model::{LineFilter, LinePattern, Lines, TimeRange, Timestamp};
use monitoring_rs_fuzz::{logs, plant};

fuzz_target!(init: plant("block_search", seeds()), |bytes: &[u8]| check(bytes));

fn check(bytes: &[u8]) {
    let mut texts = bytes.split(|byte| *byte == b'\n');
    let needle = texts.next().unwrap_or_default();
    let pattern = texts.next().and_then(|text| LinePattern::new(std::str::from_utf8(text).ok()?).ok());
    let step_ns = texts.next().and_then(|text| text.first()).copied().unwrap_or_default();
    let mut lines = Lines::default();
    for (number, text) in (0..).zip(texts) {
        lines.push(Timestamp::from_ns(number * i64::from(step_ns) * 1_000_003), text);
    }

    let block = Encoder::new().expect("zstd has memory").encode(&[&lines]).expect("short lines are encoded");
    let block = Block::open(&block[..]).expect("what was encoded opens");
    assert!(block.decode().expect("what was encoded decodes") == lines, "the lines come back");

    let mut filters = vec![vec![LineFilter::Contains(needle.into())], vec![LineFilter::NotContains(needle.into())]];
    if let Some(pattern) = pattern {
        filters.push(vec![LineFilter::Matches(pattern.clone())]);
        filters.push(vec![LineFilter::NotMatches(pattern.clone()), LineFilter::Contains(needle.into())]);
    }
    let range = TimeRange { start: Timestamp::from_ns(2_000_000), end: Timestamp::MAX };
    for filters in &filters {
        let is_wanted = |(timestamp, line): (Timestamp, &[u8])| {
            range.contains(timestamp) && filters.iter().all(|filter| filter.accepts(line))
        };
        let expected: Vec<u32> =
            (0..).zip(lines.iter()).filter(|(_, line)| is_wanted(*line)).map(|(row, _)| row).collect();
        let rows = block.select(&Query::new(filters), range).expect("what was encoded is searched");
        assert_eq!(rows.iter().collect::<Vec<_>>(), expected, "{filters:?}");
    }
}

/// Logs of every kind with needles and expressions of every shape.
fn seeds() -> Vec<Vec<u8>> {
    let questions =
        ["error\n(?i)ERROR", "200 \n[0-9]{3}", "a\nuser=?\"", "=\n^.", "\nx$|GET", "10.0.\n\\bx\\b", "k\n(?i)\u{17f}k"];
    let with_question = |(number, lines): (usize, Lines)| {
        let mut input = questions[number % questions.len()].as_bytes().to_vec();
        input.extend_from_slice(b"\n\x01");
        for (_, line) in lines.iter() {
            input.push(b'\n');
            input.extend_from_slice(line);
        }
        input
    };
    logs(40).into_iter().enumerate().map(with_question).collect()
}
