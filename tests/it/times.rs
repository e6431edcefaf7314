//! Times and levels of lines as common programs write them: the samples are in `times.txt`.
#![expect(clippy::print_stdout, reason = "the share is a figure to be read")]

use jiff::civil;
use jiff::tz::TimeZone;
use monitoring_rs::log_collector::format::Decoder;
use monitoring_rs::logql::stages::level_of_text;
use monitoring_rs::model::Timestamp;

const SAMPLES: &str = include_str!("times.txt");
/// So many of a hundred samples have to be right.
const SHARE_MIN: usize = 95;
/// Fewer lines or formats would say little.
const SAMPLES_MIN: usize = 200;
const FORMATS_MIN: usize = 60;

/// A line, and what is to be found in it.
#[derive(Debug)]
struct Sample {
    time: Timestamp,
    level: &'static str,
    line: &'static str,
    is_missed: bool,
}

fn now() -> Timestamp {
    instant("2026-11-30T12:00:00Z")
}

fn instant(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().expect("a time");
    Timestamp::from_ns(i64::try_from(instant.as_nanosecond()).expect("a time of our days"))
}

/// An hour ahead of UTC, all year.
fn zone() -> TimeZone {
    TimeZone::posix("CET-1").expect("a zone")
}

fn time(text: &str) -> Timestamp {
    if text == "-" {
        return now();
    }
    if text.ends_with('Z') {
        return instant(text);
    }
    let local: civil::DateTime = text.parse().expect("a time");
    let instant = local.to_zoned(zone()).expect("a time").timestamp().as_nanosecond();
    Timestamp::from_ns(i64::try_from(instant).expect("a time of our days"))
}

/// The samples of each format, with its name.
fn samples() -> Vec<(&'static str, Vec<Sample>)> {
    let mut formats: Vec<(&str, Vec<Sample>)> = Vec::new();
    for text in SAMPLES.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        if let Some(name) = text.strip_prefix("== ") {
            formats.push((name, Vec::new()));
            continue;
        }
        let (expected, rest) = text.split_once(' ').expect("a time");
        let (level, line) = rest.split_once(' ').expect("a level");
        let is_missed = expected.starts_with('~');
        let time = time(expected.trim_start_matches('~'));
        let (_, format) = formats.last_mut().expect("a format has a name");
        format.push(Sample { time, level, line, is_missed });
    }
    formats
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(zone());
    decoder.set_modified(now());
    decoder
}

fn decoded(decoder: &mut Decoder, line: &str) -> Timestamp {
    decoder.decode(line.as_bytes(), 0, now()).expect("an entry").timestamp
}

/// What was found instead of what was to be found.
fn differences(found: impl Iterator<Item = (String, String, &'static str)>) -> Vec<String> {
    let wrong = found.filter(|(actual, expected, _)| actual != expected);
    wrong.map(|(actual, expected, line)| format!("{actual} for {expected}: {line}")).collect()
}

fn show(time: Timestamp) -> String {
    jiff::Timestamp::from_nanosecond(time.as_ns().into()).expect("a time").to_string()
}

#[test]
fn each_line_has_its_time_as_the_first_of_a_file() {
    let formats = samples();
    let all: Vec<&Sample> = formats.iter().flat_map(|(_, samples)| samples).collect();
    let of = |sample: &&Sample| (show(decoded(&mut decoder(), sample.line)), show(sample.time), sample.line);
    let wrong = differences(all.iter().filter(|sample| !sample.is_missed).map(of));
    assert!(wrong.is_empty(), "{wrong:#?}");
    let missed: Vec<_> = all.iter().filter(|sample| sample.is_missed).collect();
    assert_eq!(differences(missed.iter().copied().map(of)).len(), missed.len(), "what is found is not missed any more");

    let right = all.len() - missed.len();
    println!("{right} of {} lines of {} formats have their time", all.len(), formats.len());
    assert!(SAMPLES_MIN <= all.len() && FORMATS_MIN <= formats.len());
    assert!(SHARE_MIN * all.len() <= 100 * right);
}

#[test]
fn each_line_has_its_time_among_others_of_its_format() {
    for (name, samples) in samples() {
        let mut decoder = decoder();
        // Whatever was found last, and where.
        let twice = samples.iter().chain(&samples).filter(|sample| !sample.is_missed && sample.time != now());
        let found = twice.map(|sample| (show(decoded(&mut decoder, sample.line)), show(sample.time), sample.line));
        let wrong = differences(found);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}

#[test]
fn each_line_has_its_level() {
    let formats = samples();
    let all = formats.iter().flat_map(|(_, samples)| samples);
    let of = |sample: &Sample| (level_of_text(sample.line.as_bytes()).to_owned(), sample.level.to_owned(), sample.line);
    let wrong = differences(all.map(of));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
