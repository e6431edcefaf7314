//! Lines fare as an outline says, wherever they are cut into text and runs: blocks cut them at quotes and never leave one in a
//! column of strings, so that lines alone would not show whether an outline knows what a quote does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Piece, Reading, Reads, Run, Silence};
use crate::logql::pipeline::{Entry, Needed, NeededLabels};
use crate::logql::stages::Pipeline;
use crate::logql::stages::tests::{clock, stages};
use crate::model::{ByteSet, Labels, Timestamp};

/// The stages, and the labels that the answer shows.
const QUERIES: [(&str, &[&str]); 9] = [
    ("| json", &["a", "b"]),
    ("| json | a!=``", &["b", "c"]),
    ("| json a, x=`c.a`", &["a", "x"]),
    ("| logfmt", &["a", "b"]),
    ("| logfmt --strict", &["b"]),
    ("| logfmt --keep-empty", &["b"]),
    ("| pattern `<_>\"<a>\"<b>,<_>`", &["a", "b"]),
    ("| unpack", &["a", "b"]),
    ("| drop x", &["detected_level"]),
];
/// Lines with a mark, `#`, in place of each run.
const LINES: [&str; 15] = [
    r##"{"a":"#","b":"#"}"##,
    r##"{"c":"#","a":"x#","b":#}"##,
    r##"{"c":"\#","b":"#"}"##,
    r##"{"c":{"a":"#"},"a":[#,"#"],"b":"y"}"##,
    r##"{"#":"x","a":"#","b":"z"}"##,
    r##"{"level":"#","c":"#","lvl":"warn"}"##,
    r##"{"a":"#","_entry":"x#","b":"#"}"##,
    r##"{"b":"#","n":{"_entry":"#"},"a":[],"#":"z"}"##,
    "a=# b=# c",
    "a=\"#\" b=\"x#\"",
    "c=\"\\#\" a# b=#",
    "level=# a=\"#\" error",
    "#\"GET /# HTTP/1.1\" 500 #",
    "x # [#] warn: #",
    "10:11:12 #INFO# #",
];
/// What runs are; those that change the structure around them are as many as those that do not.
const VALUES: [&str; 27] = [
    "",
    "x",
    "ann",
    "7",
    "42",
    "info",
    "ERROR",
    "a b",
    "x7y",
    "true",
    "-1.5",
    "l",
    "\"",
    "\\",
    "\\\"",
    "x\\",
    "\",\"b\":\"q",
    "\" b=\"q",
    "=",
    " b=q ",
    "}",
    "{",
    ",",
    "\\\"q\\\"",
    "\\\\",
    "a\"b",
    ":",
];

/// A line cut at its runs, of each of which there are some values.
fn pieces<'a>(parts: &[&'a str], values: &[Vec<&str>]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for (column, part) in parts.iter().enumerate() {
        if let Some(values) = column.checked_sub(1).map(|before| &values[before]) {
            let bytes = values.iter().fold(ByteSet::NONE, |bytes, value| bytes.or(ByteSet::of(value.as_bytes())));
            let lengths = || values.iter().map(|value| value.len());
            let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
            let (silence, is_escaped) = (Silence::None, values.iter().all(|value| is_escaped(value)));
            pieces.push(Piece::Run(Run { column: column - 1, bytes, shortest, longest, silence, is_escaped }));
        }
        pieces.push(Piece::Text { bytes: part.as_bytes().into(), column: None });
    }
    pieces
}

/// Whether a string of JSON stays open over `value`.
fn is_escaped(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'"' || byte == b'\\' && bytes.next().is_none() {
            return false;
        }
    }
    true
}

/// What becomes of a line.
fn outcome(pipeline: &mut Pipeline, line: &str) -> Option<String> {
    let labels = Labels::default();
    let entry = Entry { timestamp: Timestamp::from_ns(0), labels: &labels, metadata: &[], line: line.as_bytes() };
    pipeline.process(&entry).map(|processed| format!("{:?}", processed.labels))
}

/// What a reading says of a line is true of every line that has the same values in the columns that it names.
fn check(query: &str, needed: &[&str], line: &str, values: &[Vec<&'static str>]) -> Result<(), TestCaseError> {
    let labels = NeededLabels::Only(needed.iter().map(|name| (*name).to_owned()).collect());
    let needed = Needed { labels, level: false };
    let mut pipeline = Pipeline::new(&stages(query).unwrap(), &needed, &clock()).unwrap();
    let reads = Reads::of(&pipeline).unwrap();
    let parts: Vec<&str> = line.split('#').collect();
    let values = &values[..parts.len() - 1];
    let Ok(Reading { values: named, numbers, .. }) = reads.read(&pieces(&parts, values), &Labels::default()) else {
        return Ok(());
    };
    let is_named = |column: &usize| named.contains(column) || numbers.contains_key(column);
    // What a line that stands for others has in the columns that nothing depends on.
    let examples: Vec<String> = pieces(&parts, values)
        .iter()
        .filter_map(|piece| if let Piece::Run(run) = piece { Some(run.example()) } else { None })
        .map(|example| String::from_utf8(example).expect("values are ASCII"))
        .collect();
    let mut known = BTreeMap::new();
    for mut number in 0..values.iter().map(Vec::len).product() {
        let mut choose = |of: &Vec<&'static str>| {
            let value = of[number % of.len()];
            number /= of.len();
            value
        };
        let chosen: Vec<&str> = values.iter().map(&mut choose).collect();
        let text = |values: &[&str]| -> String {
            parts.iter().zip(values.iter().chain([&""])).flat_map(|(part, value)| [*part, *value]).collect()
        };
        let standing =
            (0..chosen.len()).map(|column| if is_named(&column) { chosen[column] } else { &examples[column] });
        let standing = text(&standing.collect::<Vec<&str>>());
        let (text, depends) = (text(&chosen), (0..chosen.len()).filter(is_named).map(|column| chosen[column]));
        let stands_for = outcome(&mut pipeline, &standing);
        let outcome = outcome(&mut pipeline, &text);
        prop_assert_eq!(&outcome, &stands_for, "{}: {} stands for {}", query, standing, text);
        let (before, fared) =
            known.entry(depends.collect::<Vec<_>>()).or_insert_with(|| (text.clone(), outcome.clone()));
        prop_assert_eq!(&outcome, fared, "{}: {} beside {}", query, text, before);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn lines_that_agree_in_what_a_reading_names_fare_alike(
        query in 0..QUERIES.len(),
        line in 0..LINES.len(),
        values in prop::collection::vec(prop::collection::vec(0..VALUES.len(), 1..4), 3),
    ) {
        let (query, needed) = QUERIES[query];
        let values: Vec<Vec<&'static str>> = values.iter().map(|of| of.iter().map(|at| VALUES[*at]).collect()).collect();
        check(query, needed, LINES[line], &values)?;
    }
}
