//! What is asked of the database, as text; and that this with what is left of a query is the query.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::*;
use crate::logql::ast::{Expr, MetricExpr};
use crate::logql::parse;
use crate::logql::pipeline::{Clock, Entry, Needed};
use crate::logql::stages::Pipeline;
use crate::model::{Labels, Timestamp};

/// A log query, which may end in an `unwrap` as that of a range does.
fn log(query: &str) -> LogExpr {
    let aggregation = if query.contains("| unwrap") { "rate" } else { "count_over_time" };
    match parse(&format!("{aggregation}({query} [1m])")) {
        Ok(Expr::Metric(MetricExpr::Range(aggregation))) => aggregation.range.log,
        other => panic!("{query} is no log query: {other:?}"),
    }
}

fn shown(filter: &LineFilter) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match filter {
        LineFilter::Contains(bytes) => text(bytes),
        LineFilter::ContainsAny(texts) => texts.iter().map(|bytes| text(bytes)).collect::<Vec<_>>().join(" or "),
        LineFilter::NotContains(bytes) => format!("not {}", text(bytes)),
        LineFilter::Matches(pattern) => format!("~ {}", pattern.as_str()),
        LineFilter::NotMatches(pattern) => format!("not ~ {}", pattern.as_str()),
    }
}

/// What the database filters by, and what is left of the query.
#[track_caller]
fn check(query: &str, expected_filters: &[&str], expected_rest: &str) {
    let mut log = log(query);
    let (fetch, stages) = Fetch::new(&log, TimeRange::ALL).unwrap();
    let filters: Vec<String> = fetch.selection(|_| true).filters.iter().map(shown).collect();
    assert_eq!(filters, expected_filters);
    log.stages = stages;
    assert_eq!(log.to_string(), expected_rest);
}

/// What the database is asked beyond what the query says, where entries come with no labels but `brought`.
#[track_caller]
fn check_hints(stages: &str, brought: &[&str], expected: &[&str]) {
    let (fetch, _) = Fetch::new(&log(&format!(r#"{{a="b"}} {stages}"#)), TimeRange::ALL).unwrap();
    let filters = fetch.selection(|name| brought.contains(&name)).filters;
    assert_eq!(filters.iter().map(shown).collect::<Vec<_>>(), expected, "{stages}");
}

#[test]
fn the_database_looks_for_texts_and_expressions() {
    check(r#"{a="b"} |= "c" |~ "d e" |= "f""#, &["c", "d e", "f"], r#"{a="b"}"#);
    check(r#"{a="b"} |= "c" or "d" != "e" |~ "f.""#, &["c or d", "not e", "~ (?:f.)"], r#"{a="b"}"#);
    check(r#"{a="b"} |~ "c" or "d" !~ "e" or "f$""#, &["c or d", "not e", "not ~ (?:f$)"], r#"{a="b"}"#);
    check(r#"{a="b"} |~ "(?i)c" or `d\d`"#, &["~ (?:(?i)c)|(?:d[0-9])"], r#"{a="b"}"#);
    check(r#"{a="b"} | json |= "c" | d="e""#, &["c"], r#"{a="b"} | json | d="e""#);
    check(
        r#"{a="b"} |> "<_>c<_> d" |= ip("1.2.3.4")"#,
        &["c", " d", "1.2.3.4"],
        r#"{a="b"} |> "<_>c<_> d" |= ip("1.2.3.4")"#,
    );
    check(r#"{a="b"} |= ip("1.2.3.0/24") or "x""#, &["1.2.3. or x"], r#"{a="b"} |= ip("1.2.3.0/24") or "x""#);
    check(r#"{a="b"} |= ip("::1") or "x""#, &[], r#"{a="b"} |= ip("::1") or "x""#);
    check(r#"{a="b"} != ip("1.2.3.4")"#, &[], r#"{a="b"} != ip("1.2.3.4")"#);
}

#[test]
fn a_line_that_has_been_changed_is_not_the_databases() {
    check(r#"{a="b"} |= "c" | line_format "d" |= "e""#, &["c"], r#"{a="b"} | line_format "d" |= "e""#);
    check_hints(r#"| json | decolorize | level="error""#, &[], &[]);
    check_hints(r#"| json | label_format level=lvl | level="error""#, &[], &[]);
    check_hints(r#"| unpack | level="error""#, &[], &[]);
}

#[test]
fn what_a_label_must_have_the_line_must_have() {
    check_hints(r#"| json | level="error""#, &[], &[r"error or \"]);
    check_hints(r#"| pattern "<x> <level>" | level=~"error|warn""#, &[], &[r"error or warn or \"]);
    check_hints(r#"| logfmt | level="error" or level="warn""#, &[], &[r"\ or error or warn"]);
    check_hints(r#"| json | level="error" or x != "y""#, &[], &[]);
    check_hints(r#"| json | msg="one two""#, &[], &[r"two or \"]);
    check_hints(r#"| json | level="" | level != "error" | level=~"err.*" | ok="no""#, &[], &[]);
}

#[test]
fn a_label_that_must_be_there_has_its_name_in_the_line() {
    check_hints("| json | retries > 3", &[], &[r"retries or \"]);
    check_hints("| json | unwrap duration_ms", &[], &[r"duration or \"]);
    check_hints(r#"| logfmt | user != "" | took_extracted < 1s"#, &[], &[r"user or \", r"took or \"]);
    check_hints(r#"| json x="a.b" | x != """#, &[], &[]);
    check_hints(r#"| regexp "(?P<took>x)" | took > 1"#, &[], &[]);
    check_hints(r#"| json | addr=ip("1.2.3.4")"#, &[], &[]);
}

#[test]
fn labels_that_come_from_elsewhere_are_no_hint() {
    check_hints(r#"| json | level="error""#, &["level"], &[]);
    check_hints(r#"| json | level_extracted="error""#, &["level"], &[]);
    check_hints(r#"| detected_level="error" | __error__="JSONParserErr""#, &[], &[]);
}

#[test]
fn expressions_for_labels_are_anchored() {
    let log = log(r#"{a=~"b|c", d!~"e"}"#);
    let labels = |pairs: &[(&'static str, &'static str)]| crate::model::Labels::new(pairs.to_vec()).unwrap();
    let matchers = matchers(&log.matchers).unwrap();
    let accepts = |labels| matchers.iter().all(|matcher: &Matcher| matcher.accepts(&labels));
    assert!(accepts(labels(&[("a", "b")])) && accepts(labels(&[("a", "c"), ("d", "ee")])));
    assert!(!accepts(labels(&[("a", "bc")])) && !accepts(labels(&[("a", "b"), ("d", "e")])));
}

/// Pieces of lines: what queries below look for, and what hides it. `Ã` stands for its first byte, which is no text.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "\"level\":\"error\"",
    "\"level\":\"err\\u006fr\"",
    "\"level\": \"warn\"",
    ",",
    "\"took\":12",
    "\"to\\u006fk\":3",
    "\"a\":{\"took\":5}",
    "level=error",
    "level=\"err\\u006fr\"",
    "took=12ms",
    " ",
    "level=warn",
    "error",
    "1.2.3.4",
    "\\",
    "x",
    "\"level_extracted\":\"error\"",
    "\"msg\":\"one two\"",
    "msg=\"one two\"",
    "Ã",
    "\u{fffd}",
    "\"level\":\"\\terror\"",
];

/// Stages that follow one another.
const STAGES: [&str; 34] = [
    "|= `error`",
    "!= `error`",
    "|= `error` or `took`",
    "!= `x` or `warn`",
    "|~ `err.r|x$`",
    "|~ `warn` or `(?i)ERROR`",
    "!~ `took.*5`",
    "!~ `x` or `warn`",
    "|> `<_>error<_>`",
    "!> `<_>error<_>`",
    "|= ip(`1.2.3.4`)",
    "|= ``",
    "| json",
    "| logfmt",
    "| json level, took=`a.took`",
    "| logfmt level",
    "| regexp `(?P<level>err|warn)`",
    "| pattern `<_> <level>`",
    "| level=`error`",
    "| level!=`error`",
    "| level=~`error|warn`",
    "| level=`error` or level=`warn`",
    "| took > 3",
    "| took > 3 or level=`error`",
    "| took_extracted=`12`",
    "| level_extracted=`error` and took!=``",
    "| msg=`one two`",
    "| unwrap took",
    "| drop level",
    "| keep level, took",
    "| label_format level=msg",
    "| line_format `{{.level}}error`",
    "| decolorize",
    "| unpack",
];

/// What the stages make of a line, with its labels.
fn processed(stages: &[Stage], labels: &Labels, metadata: &[(String, String)], line: &[u8]) -> Option<String> {
    let clock = Clock { now: Timestamp::default(), zone: TimeZone::UTC, zones: TimeZoneDatabase::none() };
    let mut pipeline = Pipeline::new(stages, &Needed::EVERYTHING, &clock).unwrap();
    let entry = Entry { timestamp: Timestamp::default(), labels, metadata, line };
    let processed = pipeline.process(&entry)?;
    let labels: Vec<_> = processed.labels.iter().map(|label| (label.name, label.value)).collect();
    Some(format!("{:?} {labels:?} {:?}", processed.line, processed.value))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn what_the_database_does_and_what_is_left_are_the_query(
        pieces in prop::collection::vec(0..PIECES.len(), 0..7),
        stages in prop::collection::vec(0..STAGES.len(), 0..5),
        brings_level: bool,
        brings_metadata: bool,
    ) {
        let stages: Vec<&str> = stages.into_iter().map(|index| STAGES[index]).collect();
        let query = format!("{{app=`a`}} {}", stages.join(" "));
        // Some stages cannot follow others.
        let Ok(Expr::Log(log)) = parse(&query) else { return Ok(()) };
        let (fetch, rest) = Fetch::new(&log, TimeRange::ALL).unwrap();
        let line: Vec<u8> = pieces.iter().flat_map(|index| PIECES[*index].chars()).map(|c| c.to_string().into_bytes())
            .flat_map(|bytes| if bytes == "Ã".as_bytes() { vec![0xc3] } else { bytes }).collect();
        let pairs = [("app", "a"), ("level", "error")];
        let labels = Labels::new(pairs[..=usize::from(brings_level)].iter().copied()).unwrap();
        let metadata: Vec<(String, String)> =
            if brings_metadata { vec![("level".into(), "warn".into()), ("took".into(), "7".into())] } else { vec![] };
        let is_brought = |name: &str| labels.get(name).is_some() || metadata.iter().any(|(other, _)| other == name);
        let selection = fetch.selection(is_brought);
        let is_fetched = selection.filters.iter().all(|filter| filter.accepts(&line));
        let actual = if is_fetched { processed(&rest, &labels, &metadata, &line) } else { None };
        prop_assert_eq!(actual, processed(&log.stages, &labels, &metadata, &line), "{} of {:?}", query, line);
    }
}
