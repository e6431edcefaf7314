//! Blocks against the plain truth: the lines themselves.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::read::Summary;
use super::sections::{Content, Sections, write_frame};
use super::{Block, Encoder, Error, Query, Required, Terms, Wanted};
use crate::model::budget::Budget;
use crate::model::{LineFilter, LinePattern, Lines, TimeRange, Timestamp};

/// What lines are made of: everything the tokenizer knows, and what must not confuse it.
const WORDS: &[&[u8]] = &[
    b"error",
    b"user",
    b"GET",
    b" ",
    b" ",
    b"=",
    b"\"",
    b":",
    b"\":",
    b"{\"",
    b",\"",
    b"-",
    b"/",
    b"10.0.0.",
    b"v1",
    b"x",
    b"\\\"",
    b"\xff\xfe",
    "größe".as_bytes(),
    b"[",
    b"]",
    b"  ",
    b"",
    b"a1",
    b"1a",
    b"7",
];
/// What repeats in texts that do not.
const PROSE: &[&[u8]] = &[b" the", b" user", b" error", b", and", b" not", b". Error", b" a", b" x 7 y"];
/// What is seldom in a line, and then a line is kept whole.
const ODDITIES: &[&[u8]] = &[b"\0", b"\n", b"\n\n", b"\0\0"];
/// Expressions of every shape that planning knows.
const PATTERNS: &[&str] = &[
    "error",
    "(?i)ERROR",
    "(?i)user|get",
    "(?i)the USER",
    "user, and.*not the",
    "^GET",
    "x$",
    r"\d{2}",
    "error.*7",
    "(?i)err.r",
    "",
    "a|",
    "(?:1a)+",
    "v[12]",
    r"\bx\b",
    "(?i)sk",
    "user=?\"",
    "[Gx]ET",
    "^$",
    "(?-u)\\xff",
    "größe",
    "(?i)GRÖSSE|10\\.0",
];

/// A pseudo-random number from a seed, so that a failure is repeated by its seed alone.
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

fn pick<'a, T: ?Sized>(state: &mut u64, items: &[&'a T]) -> &'a T {
    items[next(state) % items.len()]
}

/// What stands in one place of a line in all rows of a template.
#[derive(Clone, Copy, Debug)]
enum Field {
    Fixed(&'static [u8]),
    Word,
    Small,
    Large,
    Padded,
    Fraction,
    Clock,
    Address,
    Hex,
    /// Digits of either case, between literals.
    Id,
    Prose,
}

fn field(state: &mut u64) -> Field {
    match next(state) % 18 {
        0..8 => Field::Fixed(pick(state, WORDS)),
        8 => Field::Word,
        9 => Field::Small,
        10 => Field::Large,
        11 => Field::Padded,
        12 => Field::Fraction,
        13 => Field::Clock,
        14 => Field::Address,
        15 => Field::Hex,
        16 => Field::Id,
        _ => Field::Prose,
    }
}

fn write_field(state: &mut u64, field: Field, row: usize, line: &mut Vec<u8>) {
    let number = next(state);
    match field {
        Field::Fixed(bytes) => line.extend_from_slice(bytes),
        Field::Word => line.extend_from_slice(pick(state, WORDS)),
        Field::Small => line.extend_from_slice((number % 9).to_string().as_bytes()),
        Field::Large => line.extend_from_slice(format!("id{}", row * 3 + number % 2).as_bytes()),
        Field::Padded => line.extend_from_slice(format!("{:04}", number % 1200).as_bytes()),
        Field::Fraction => line.extend_from_slice(format!("{}.{:03}ms", number % 20, number % 1000).as_bytes()),
        Field::Clock => {
            line.extend_from_slice(format!("07:{:02}:{:02}.{:03}", row / 60 % 60, row % 60, number % 3).as_bytes());
        }
        Field::Address => line.extend_from_slice(format!("/a/10.0.{}.{}:80", number % 3, number % 250).as_bytes()),
        Field::Prose => (0..number % 9).for_each(|_| line.extend_from_slice(pick(state, PROSE))),
        Field::Id => {
            let text = format!("{number:08x}-{:04X}-{:05x}", number >> 7 & 0xffff, number >> 3 & 0xfffff);
            // In all rows of a log the same part of it.
            let (start, end) = [(0, 8), (9, 13), (0, 13), (8, 19), (0, 19), (14, 19), (3, 11)][line.len() % 7];
            line.extend_from_slice(&text.as_bytes()[start..end]);
        }
        Field::Hex => line.extend_from_slice(format!("{number:08x}").as_bytes()),
    }
}

/// A log of `row_count` lines from a few templates; now and then a line is odd.
fn log(seed: u64, row_count: usize) -> Lines {
    let state = &mut (seed | 1);
    let templates: Vec<Vec<Field>> =
        (0..=next(state) % 4).map(|_| (0..next(state) % 9).map(|_| field(state)).collect()).collect();
    let mut lines = Lines::default();
    let step_ns = [0, 1_000_000_000, 999][next(state) % 3];
    for row in 0..row_count {
        let mut line = Vec::new();
        for field in &templates[next(state) % templates.len()] {
            write_field(state, *field, row, &mut line);
        }
        if next(state).is_multiple_of(200) {
            line.extend_from_slice(pick(state, ODDITIES));
        }
        let jitter = i64::try_from(next(state) % 3).expect("small");
        lines.push(Timestamp::from_ns(i64::try_from(row).expect("small") * step_ns + jitter), &line);
    }
    lines
}

fn encode(lines: &Lines) -> Vec<u8> {
    Encoder::new().unwrap().encode(&[lines]).unwrap()
}

/// The block selects exactly the lines that decoding everything and looking at each would.
#[track_caller]
fn check_select(lines: &Lines, block: &[u8], filters: &[LineFilter], range: TimeRange) {
    let expected: Vec<u32> = (0..)
        .zip(lines.iter())
        .filter(|(_, (timestamp, line))| {
            range.contains(*timestamp) && filters.iter().all(|filter| filter.accepts(line))
        })
        .map(|(row, _)| row)
        .collect();
    let block = Block::open(block).unwrap();
    let query = Query::new(filters);
    let rows = block.select(&query, range).unwrap();
    assert_eq!(rows.iter().collect::<Vec<_>>(), expected, "{filters:?}");
    assert_eq!(block.count(&query, range).unwrap(), expected.len());
    let terms = block.terms(1 << 10).unwrap();
    assert!(expected.is_empty() || may_satisfy(&terms, &query.required()), "{filters:?}: {terms:?}");
    let mut reversed: Vec<u32> = rows.iter().rev().collect();
    reversed.reverse();
    assert_eq!(reversed, expected);
}

/// Whether lines of which so much is known may satisfy what is required.
fn may_satisfy(terms: &Terms, required: &Required) -> bool {
    match required {
        Required::Nothing => true,
        Required::Terms(Wanted { words, marks }) => {
            let is_known = |part: &Vec<u8>| terms.words.iter().any(|word| memchr::memmem::find(word, part).is_some());
            terms.is_open || (words.iter().all(is_known) && marks.iter().all(|hash| terms.marks.may_contain(*hash)))
        }
        Required::All(all) => all.iter().all(|required| may_satisfy(terms, required)),
        Required::Any(any) => any.iter().any(|required| may_satisfy(terms, required)),
    }
}

#[track_caller]
fn check_round_trip(lines: &Lines) {
    let block = encode(lines);
    let block = Block::open(&block[..]).unwrap();
    assert_eq!(block.decode().unwrap(), *lines);
    assert_eq!(block.time_bounds(), lines.time_bounds());
    assert_eq!((block.line_count() as usize, block.byte_count()), (lines.len(), lines.byte_count()));
}

fn lines_of(texts: &[&[u8]]) -> Lines {
    let mut lines = Lines::default();
    for text in texts {
        lines.push(Timestamp::from_ns(5), text);
    }
    lines
}

#[test]
fn expressions_find_bytes_that_are_not_utf_8() {
    let lines: Vec<Vec<u8>> =
        (0..40_u8).map(|n| [b"caf", &[0xb0 + n][..], b" dur=", &[b'0' + n % 10]].concat()).collect();
    let lines = lines_of(&lines.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let block = encode(&lines);
    for pattern in
        ["caf.+dur=[1-5]", "[^c]af.", "^[^ ]{4} ", r"f\S d", "caf\u{fffd} d", "f[\u{fffd}]", "\u{fffd}|dur=7"]
    {
        let pattern = LinePattern::new(pattern).unwrap();
        check_select(&lines, &block, &[LineFilter::Matches(pattern.clone())], TimeRange::ALL);
        check_select(&lines, &block, &[LineFilter::NotMatches(pattern)], TimeRange::ALL);
    }
}

#[test]
fn a_search_that_nobody_waits_for_looks_at_no_line() {
    let block = encode(&lines_of(&[b"one", b"two"]));
    let mut query = Query::new(&[LineFilter::Matches(LinePattern::new("^[^t]").unwrap())]);
    let count = |query: &Query| Block::open(&block[..]).unwrap().count(query, TimeRange::ALL).unwrap();
    assert_eq!(count(&query), 1);
    let budget = Arc::new(Budget::default());
    budget.cancel();
    query.set_budget(budget);
    assert_eq!(count(&query), 2, "what is left are candidates");
}

#[test]
fn no_lines_and_empty_lines_come_back() {
    check_round_trip(&lines_of(&[]));
    check_round_trip(&lines_of(&[b""]));
    check_round_trip(&lines_of(&[&b""[..]; 1000]));
}

#[test]
fn any_bytes_come_back() {
    let all: Vec<u8> = (0..=255).collect();
    check_round_trip(&lines_of(&[&all, b"\n", b"\0", b"\n\n", b"a\nb", b"\xff\xff", &all]));
    check_round_trip(&lines_of(&[&b"x\n"[..]; 50]));
    let mega: Vec<u8> = (0..1_u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    check_round_trip(&lines_of(&[&mega, b"short", &mega]));
}

#[test]
fn a_line_of_escaped_quotes_takes_linear_time() {
    check_round_trip(&lines_of(&[&b"\\\"".repeat(1 << 19)]));
}

/// Lines that made columns of every kind in version 1; in version 2 the ids are packed, and no text is left.
fn golden_lines() -> Lines {
    let mut lines = Lines::default();
    for n in 0..400_usize {
        let ns = 1_700_000_000_123_000_000 + 1_000_000 * i64::try_from(n * n % 977).expect("small");
        let seconds = ns / 1_000_000_000;
        let clock = format!(
            "{:02}:{:02}:{:02}.{:03}",
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            ns / 1_000_000 % 1000
        );
        let hash = n.wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
        let prose: String = [" and", " then", " the disk", " was full", ", so", " nothing"]
            .iter()
            .cycle()
            .skip(n * n % 6)
            .take(4 + n % 9)
            .copied()
            .collect();
        let line = match n % 5 {
            0 => format!(
                "{clock} INFO request id={hash:08x} status={} from={} took {}.{:03}ms",
                200 + n % 3,
                ["web", "cli"][n / 5 % 2],
                n % 7,
                hash % 1000
            ),
            1 => format!("{clock} WARN peer 10.{}.{}.{}:443 is slow", n % 2, hash % 251, hash % 199),
            2 => format!(r#"{{"n":{n},"msg":"{prose}"}}"#),
            3 => format!("nothing in common but {}", "z".repeat(n % 50)),
            _ => format!("a line{prose}\nor two, and \0 {n}"),
        };
        lines.push(Timestamp::from_ns(ns), line.as_bytes());
    }
    lines
}

/// What the first builds with versions 1 to 4 of the format wrote for [`golden_lines`], and that with version 5 for
/// [`golden_days`].
const GOLDEN_1: &[u8] = include_bytes!("golden/v1.block");
const GOLDEN_2: &[u8] = include_bytes!("golden/v2.block");
const GOLDEN_3: &[u8] = include_bytes!("golden/v3.block");
const GOLDEN_4: &[u8] = include_bytes!("golden/v4.block");
const GOLDEN: &[u8] = include_bytes!("golden/v5.block");

/// A line an hour for some days, with the time in it.
fn golden_days() -> Lines {
    let mut lines = Lines::default();
    for n in 0..200_i64 {
        let ns = 1_709_164_800_250_000_000 + n * 3_600_017_000_000;
        let date = jiff::Timestamp::from_nanosecond(ns.into()).unwrap().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let word = ["apple", "pear", "plum", "fig", "quince"][usize::try_from(n * n % 5).unwrap()];
        lines.push(Timestamp::from_ns(ns), format!("{date} INFO ripe {word} of tree {n} in the garden").as_bytes());
    }
    lines
}

#[track_caller]
fn check_golden(block: &[u8]) {
    assert_eq!(Block::open(block).unwrap().decode().unwrap(), golden_lines());
    for text in
        ["disk was full, so", "status=202 from=web took", "full", "nothing", " then", "9f1bbcdc id", "3c6ef372", "zzz"]
    {
        check_select(&golden_lines(), block, &[LineFilter::Contains(text.into())], TimeRange::ALL);
        let ignoring_case = LinePattern::new(&format!("(?i){text}")).unwrap();
        check_select(&golden_lines(), block, &[LineFilter::Matches(ignoring_case)], TimeRange::ALL);
    }
}

#[test]
fn a_block_of_version_1_is_read() {
    check_golden(GOLDEN_1);
}

#[test]
fn a_block_of_version_2_is_read() {
    check_golden(GOLDEN_2);
}

#[test]
fn a_block_of_version_3_is_read() {
    check_golden(GOLDEN_3);
}

#[test]
fn a_block_of_version_4_is_read() {
    check_golden(GOLDEN_4);
    let block = Block::open(GOLDEN_4).unwrap();
    let columns = format!("{:?}", block.root().unwrap());
    for kind in ["Words(", "Dictionary {", "Decimal {", "Clock {", "Templates(", "Hex {"] {
        assert!(columns.contains(kind), "it has {kind}");
    }
}

#[test]
fn a_block_of_version_5_is_read() {
    let lines = golden_days();
    assert_eq!(Block::open(GOLDEN).unwrap().decode().unwrap(), lines);
    for text in ["2024-03-01", "03-01T00", "-02-29T2", "00:00.", "pear of tree 7", "29", "T", "Z INFO"] {
        check_select(&lines, GOLDEN, &[LineFilter::Contains(text.into())], TimeRange::ALL);
        check_select(
            &lines,
            GOLDEN,
            &[LineFilter::Matches(LinePattern::new(&format!("(?i){text}")).unwrap())],
            TimeRange::ALL,
        );
    }
}

/// Times that go through days, and what is no date among them.
#[test]
fn dates_of_many_days_come_back() {
    let hours = |first: &str, step: i64, wrong: &[&str]| {
        let start: jiff::Timestamp = first.parse().unwrap();
        let mut lines = Lines::default();
        for n in 0..120_i64 {
            let instant = start + jiff::SignedDuration::from_secs(n * step);
            let text = instant.strftime("%Y-%m-%d %H:%M:%S,%f").to_string();
            let line = format!("{} word word n={n}", text.replace(' ', "_"));
            let line = wrong.get(usize::try_from(n).unwrap()).map_or(line, |wrong| format!("{wrong} word word n={n}"));
            lines.push(
                Timestamp::from_ns(i64::try_from(instant.as_nanosecond()).unwrap() - 7_200_000_000_000),
                line.as_bytes(),
            );
        }
        check_round_trip(&lines);
        lines
    };
    let clock_of = |lines: &Lines| {
        let block = encode(lines);
        let columns = format!("{:?}", Block::open(&block[..]).unwrap().root().unwrap());
        columns.contains("date_end: 95")
    };
    assert!(clock_of(&hours("2026-02-27T22:30:00Z", 3601, &[])));
    assert!(clock_of(&hours("1969-12-30T22:30:00Z", 3601, &[])));
    assert!(clock_of(&hours("1999-12-30T22:30:00Z", 86_399, &[])));
    for wrong in ["2026-02-30_10:11:12,1", "0000-00-00_00:00:00,1", "2026-02-28_24:00:00,1", "9999-12-31_10:11:12,1"] {
        hours("2026-02-27T22:30:00Z", 3601, &["2026-02-27_10:11:12,1", wrong]);
    }
}

/// Numbers below 2^31 that look like random ones.
fn scattered(count: usize) -> impl Iterator<Item = usize> {
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).ok()
    };
    std::iter::repeat(()).scan(7_u64, move |state, ()| next(state)).take(count)
}

#[test]
fn words_that_vary_leave_what_is_around_them_in_columns() {
    const WORDS: [&str; 8] = ["timeout", "retry", "cache", "miss", "order", "payment", "peer", "upstream"];
    let mut lines = Lines::default();
    for (row, number) in (0..).zip(scattered(6000)) {
        let words = [0, 3, 6, 9, 12].map(|shift| WORDS[number >> shift & 7]).join(" ");
        let level = ["INFO", "WARN"][number >> 20 & 1];
        let time = format!("10:{:02}:{:02}", row / 60 % 60, row % 60);
        let line = format!("{time} {level} {words} id={number} took={}ms", number % 2000);
        lines.push(Timestamp::from_ns(36_000_000_000_000 + row * 1_000_000_000), line.as_bytes());
    }
    check_round_trip(&lines);
    let block = encode(&lines);
    let block = Block::open(&block[..]).unwrap();
    let templates = &block.root().unwrap().by_id;
    assert!(templates.len() <= 4, "{} templates", templates.len());
    for template in templates.iter().filter(|template| 1000 < template.count) {
        let columns = format!("{template:?}");
        assert!(["Clock {", "Words(", "Decimal {"].iter().all(|kind| columns.contains(kind)), "{columns}");
    }
}

/// The lower byte of a number says nothing of the higher one.
#[test]
fn planes_that_are_unlike_are_compressed_apart() {
    let mut lines = Lines::default();
    for (row, number) in (0..).zip(scattered(10_000)) {
        lines.push(Timestamp::from_ns(row), format!("took {} ms", number % 2000).as_bytes());
    }
    check_round_trip(&lines);
    let bytes = encode(&lines).len();
    assert!(bytes * 8 < 10_000 * 116 / 10, "{bytes} bytes for eleven bits a line");
}

#[test]
fn equal_lines_make_equal_blocks() {
    assert_eq!(encode(&golden_lines()), encode(&golden_lines()));
}

#[test]
fn a_newer_version_is_refused_as_such() {
    let mut block = GOLDEN.to_vec();
    block[3] = 6;
    assert!(matches!(Block::open(&block[..]), Err(Error::UnsupportedVersion { version: 6 })));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let decode = |block: &[u8]| Block::open(block).and_then(|block| block.decode());
    for at in 0..GOLDEN.len() {
        assert!(decode(&GOLDEN[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut block = GOLDEN.to_vec();
            block[at] ^= 1 << bit;
            assert!(decode(&block).is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// A block of the same sections but for `change`, with the checksums that fit them.
fn forge(block: &[u8], change: impl FnOnce(&mut Vec<Vec<u8>>, &mut Summary)) -> Vec<u8> {
    let (sections, mut summary) = Sections::open(block, Summary::read).unwrap();
    let mut contents: Vec<Vec<u8>> = (0..sections.count()).map(|index| sections.get(index).unwrap().to_vec()).collect();
    change(&mut contents, &mut summary);
    let mut header = Vec::new();
    summary.put(&mut header);
    let contents: Vec<Content> = contents.into_iter().map(Content::from).collect();
    write_frame(&mut zstd::bulk::Compressor::new(1).unwrap(), sections.version(), &header, &contents).unwrap()
}

/// Whether a block of one short line opens whose only column is forged; 1024 zeros are in section 7.
fn opens(column: &[u8]) -> bool {
    // One template, whose ids take no bytes of section 3; it has the one line, no text before its one column, and none after.
    let structure = [&[1, 3, 1, 1, 0], column, &[0]].concat();
    let block = forge(&encode(&lines_of(&[b"x"])), |sections, _| {
        sections[0] = structure;
        sections.resize(7, Vec::new());
        sections.push(vec![0; 1024]);
    });
    Block::open(&block[..]).unwrap().root().is_ok()
}

#[test]
fn a_value_has_no_more_digits_than_a_line_may_have_bytes() {
    // Lower case, and one run: no text before so many digits, in section 7.
    let hex = |digits: &[u8]| [&[7, 0, 1, 0], digits, &[7]].concat();
    assert!(opens(&hex(&[4])));
    assert!(!opens(&hex(&[0x80, 0x10])), "2048 digits, which take the section's 1024 bytes");
}

#[test]
fn strings_are_no_more_than_the_bytes_that_hold_them() {
    let strings = |count: &[u8], bytes: u8| [count, &[bytes, bytes, 0, 7, 0]].concat();
    let prose = |count: &[u8], bytes: u8| {
        let vocabularies = [strings(count, bytes), strings(&[0], 0), strings(&[0], 0)].concat();
        // No words, of which all could be frequent: no ids, counts by text, counts or groups.
        [&[6, 9], &vocabularies[..], &[0], count, &[0, 3, 0, 4, 0, 4, 0, 4, 0]].concat()
    };
    assert!(opens(&prose(&[3], 3)));
    assert!(!opens(&prose(&[3], 2)));
    assert!(!opens(&prose(&[0xff, 0xff, 0xff, 0xff, 0x0f], 0)), "as many as there are numbers, in no bytes");
}

#[test]
fn lines_have_no_more_bytes_together_than_the_block() {
    let block = encode(&lines_of(&[b"the first line", b"the second line", b"the third line"]));
    let block = forge(&block, |_, summary| summary.byte_count = 30);
    let block = Block::open(&block[..]).unwrap();
    let mut reader = block.lines().unwrap();
    let mut read = |row| reader.append(row, &mut Vec::new());
    assert!(read(0).is_ok() && read(1).is_ok() && read(2).is_err());
}

#[test]
fn parts_are_encoded_one_after_the_other() {
    let (first, second) = (log(3, 40), log(4, 30));
    let block = Encoder::new().unwrap().encode(&[&first, &second]).unwrap();
    let decoded = Block::open(&block[..]).unwrap().decode().unwrap();
    assert!(decoded.iter().eq(first.iter().chain(second.iter())));
}

#[test]
fn numbers_at_the_edges_come_back() {
    let texts = [
        "0",
        "00",
        "007",
        "-1",
        "999999999999999999",
        "1000000000000000000",
        "9223372036854775808",
        "1.50",
        "0.5",
        ".5",
        "1.",
    ];
    for text in texts {
        let lines: Vec<String> =
            (0..300).map(|n| if n % 2 == 0 { format!("n={text}") } else { format!("n={n}") }).collect();
        check_round_trip(&lines_of(&lines.iter().map(String::as_bytes).collect::<Vec<_>>()));
    }
}

#[test]
fn times_at_the_edges_come_back() {
    let mut lines = Lines::default();
    for ns in [i64::MIN, i64::MAX, 0, -1, 1] {
        for clock in ["23:59:59.999", "00:00:00.000", "24:00:00.000", "12:60:00.000", "12:00:60.000"] {
            (0..5).for_each(|_| lines.push(Timestamp::from_ns(ns), format!("at {clock}Z it was").as_bytes()));
        }
    }
    check_round_trip(&lines);
}

#[test]
fn a_needle_made_to_align_in_too_many_ways_is_still_answered() {
    let value = |n: usize| [r#" \" "#, r#"\" \""#, r#"" ""#.trim_matches('"'), r#" \""#][n % 4];
    let line =
        |n: usize| (0..12).map(|slot| format!("\"{}\"", value(n * (slot + 1) + n / 7))).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = (0..200).map(line).collect();
    let lines = lines_of(&lines.iter().map(String::as_bytes).collect::<Vec<_>>());
    let block = encode(&lines);
    for needle in [r#"" ""#.repeat(20), r#"" "#.repeat(9), r#" \""#.repeat(7), r#"" " \" " "#.repeat(4)] {
        check_select(&lines, &block, &[LineFilter::Contains(needle.into_bytes())], TimeRange::ALL);
    }
}

/// A line, where in it a needle begins, how long that is at most, and whether it is changed a little. Some are longer than
/// what the matcher of words takes.
fn any_needle() -> impl Strategy<Value = (Index, Index, usize, bool)> {
    let length = prop_oneof![9 => 0..14_usize, 1 => 14..120_usize];
    (any::<Index>(), any::<Index>(), length, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Bytes out are bytes in.
    #[test]
    fn what_is_encoded_is_decoded(seed: u64, row_count in 0..600_usize) {
        check_round_trip(&log(seed, row_count));
    }

    /// Substrings of lines, across literals and values, and what differs from one in a byte.
    #[test]
    fn every_needle_is_found_exactly(
        seed: u64,
        row_count in 1..600_usize,
        needles in prop::collection::vec(any_needle(), 12),
    ) {
        let lines = log(seed, row_count);
        let block = encode(&lines);
        let mut last = Vec::new();
        for (row, start, length, is_changed) in needles {
            let (_, line) = lines.get(row.index(lines.len()));
            let start = start.index(line.len() + 1);
            let mut needle = line[start..].iter().copied().take(length).collect::<Vec<_>>();
            if let Some(byte) = needle.last_mut().filter(|_| is_changed) {
                *byte = byte.wrapping_add(1);
            }
            check_select(&lines, &block, &[LineFilter::Contains(needle.clone())], TimeRange::ALL);
            let any = vec![std::mem::replace(&mut last, needle.clone()), needle.clone()];
            check_select(&lines, &block, &[LineFilter::ContainsAny(any)], TimeRange::ALL);
            check_select(&lines, &block, &[LineFilter::NotContains(needle)], TimeRange::ALL);
        }
    }

    /// The same as expressions that ignore case, alone and as one of two.
    #[test]
    fn every_needle_is_found_whatever_its_case(
        seed: u64,
        row_count in 1..600_usize,
        needles in prop::collection::vec(any_needle(), 2),
    ) {
        let lines = log(seed, row_count);
        let block = encode(&lines);
        for (row, start, length, is_changed) in needles {
            let (_, line) = lines.get(row.index(lines.len()));
            let text = String::from_utf8_lossy(line);
            let start = start.index(text.chars().count() + 1);
            let mut needle: String = text.chars().skip(start).take(length).collect();
            if is_changed {
                needle = needle.to_uppercase();
            }
            let needle = regex::escape(&needle);
            for pattern in [format!("(?i){needle}"), format!("(?i:{needle})|no such text"), format!("{needle}.")] {
                let pattern = LinePattern::new(&pattern).unwrap();
                check_select(&lines, &block, &[LineFilter::Matches(pattern.clone())], TimeRange::ALL);
                check_select(&lines, &block, &[LineFilter::NotMatches(pattern)], TimeRange::ALL);
            }
        }
    }

    /// Expressions, several filters at once, and a range of times.
    #[test]
    fn every_expression_selects_exactly(
        seed: u64,
        row_count in 1..600_usize,
        patterns in prop::collection::vec((0..PATTERNS.len(), any::<bool>()), 4),
        range in (0..600_i64, 0..600_i64),
    ) {
        let lines = log(seed, row_count);
        let block = encode(&lines);
        let filters: Vec<LineFilter> = patterns
            .into_iter()
            .map(|(pattern, is_negated)| {
                let pattern = LinePattern::new(PATTERNS[pattern]).unwrap();
                if is_negated { LineFilter::NotMatches(pattern) } else { LineFilter::Matches(pattern) }
            })
            .collect();
        let at = |seconds: i64| Timestamp::from_ns(seconds * 1_000_000_000);
        for filter in &filters {
            check_select(&lines, &block, std::slice::from_ref(filter), TimeRange::ALL);
        }
        let range = TimeRange { start: at(range.0), end: at(range.1) };
        check_select(&lines, &block, &filters[..2], range);
        check_select(&lines, &block, &[filters[0].clone(), LineFilter::Contains(b"user".to_vec())], range);
    }

    /// Behind the checksums, sections of any content give an error or some lines, and never a panic.
    #[test]
    fn forged_sections_never_panic(
        seed: u64,
        golden in 0..6_usize,
        changes in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let block = [GOLDEN, GOLDEN_1, GOLDEN_2, GOLDEN_3].get(golden).map_or_else(|| encode(&log(seed, 300)), |golden| golden.to_vec());
        let block = forge(&block, |sections, _| {
            for (section, at, byte, kind) in changes {
                let section = section.get_mut(sections);
                match kind {
                    _ if section.is_empty() => section.push(byte),
                    0 => *at.get_mut(section) = byte,
                    1 => section.truncate(at.index(section.len())),
                    _ => section.insert(at.index(section.len()), byte),
                }
            }
        });
        if let Ok(block) = Block::open(&block[..]) {
            let _ = block.decode();
            let _ = block.terms(1 << 10);
            let _ = block.bytes_between(Timestamp::from_ns(1), Timestamp::from_ns(1_800_000_000_000_000_000));
            for needle in ["error", "7", " ", "1\" 10.0.0.1", "user, and", " the disk"] {
                let _ = block.select(&Query::new(&[LineFilter::Contains(needle.into())]), TimeRange::ALL);
            }
            let pattern = LinePattern::new("(?i)user.*x").unwrap();
            let _ = block.select(&Query::new(&[LineFilter::Matches(pattern)]), TimeRange::ALL);
        }
    }

    /// A flipped bit or a cut is an error: never a panic, never another answer.
    #[test]
    fn damage_is_noticed(seed: u64, at: Index, bit in 0..8_u32, is_cut: bool) {
        let lines = log(seed, 100);
        let mut block = encode(&lines);
        let at = at.index(block.len());
        if is_cut { block.truncate(at) } else { block[at] ^= 1 << bit }
        let decoded = Block::open(&block[..]).and_then(|block| block.decode());
        prop_assert!(matches!(decoded, Err(Error::Corrupt { .. } | Error::UnsupportedVersion { .. })), "{decoded:?}");
    }
}
