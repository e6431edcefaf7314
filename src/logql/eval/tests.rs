//! Queries over a few entries, and their answers.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::logql::Fetch;
use crate::logql::ast::Expr;
use crate::logql::eval::{
    Evaluation, LogOptions, LogQuery, MetricAnswer, MetricQuery, RangeQuery, SeriesLabels, TooManySeries,
};
use crate::logql::pipeline::{Clock, Entry};
use crate::logql::units::NS_PER_SECOND;
use crate::logql::{Error, limits, parse};
use crate::model::budget::{Budget, QUERY_BYTES_MAX, Refusal};
use crate::model::{Direction, Labels, Selection, TimeRange, Timestamp};

/// Entries as `seconds name=value,… line`, one a line, in the order of time.
const ENTRIES: &str = "\
    1 app=a,pod=x n=1
    2 app=a,pod=x n=2
    2 app=b,pod=x n=10
    3 app=a,pod=y n=3
    4 app=b,pod=x n=20
    5 app=a,pod=x n=4 level=warn
    6 app=b,pod=y n=x
    9 app=a,pod=y n=5";

struct Row {
    timestamp: Timestamp,
    labels: Labels,
    line: String,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ns(seconds * NS_PER_SECOND)
}

fn clock() -> Clock {
    Clock { now: at(10), zone: TimeZone::UTC, zones: TimeZoneDatabase::none() }
}

fn rows(entries: &str) -> Vec<Row> {
    let row = |entry: &str| {
        let mut parts = entry.trim().splitn(3, ' ');
        let timestamp = at(parts.next().unwrap().parse().unwrap());
        let pairs = parts.next().unwrap().split(',').map(|pair| pair.split_once('=').unwrap());
        Row { timestamp, labels: Labels::new(pairs).unwrap(), line: parts.next().unwrap_or_default().to_owned() }
    };
    entries.lines().map(row).collect()
}

fn is_selected(selection: &Selection, row: &Row) -> bool {
    selection.range.contains(row.timestamp)
        && selection.matchers.iter().all(|matcher| matcher.accepts(&row.labels))
        && selection.filters.iter().all(|filter| filter.accepts(row.line.as_bytes()))
}

fn entry(row: &Row) -> Entry<'_> {
    Entry { timestamp: row.timestamp, labels: &row.labels, metadata: &[], line: row.line.as_bytes() }
}

fn selection(fetch: &Fetch, rows: &[Row]) -> Selection {
    fetch.selection(|name| rows.iter().any(|row| row.labels.get(name).is_some()))
}

fn feed(range: &mut RangeQuery, rows: &[Row]) -> Result<(), Error> {
    let selection = selection(range.fetch(), rows);
    rows.iter().filter(|row| is_selected(&selection, row)).try_for_each(|row| range.push(&entry(row)))
}

/// Does the same by several workers, part by part, each in a muddle.
fn feed_workers(range: &mut RangeQuery, rows: &[Row]) -> Result<(), Error> {
    let selection = selection(range.fetch(), rows);
    let rows: Vec<&Row> = rows.iter().filter(|row| is_selected(&selection, row)).collect();
    let mut workers = [range.worker(), range.worker()];
    let parts: Vec<&[&Row]> = rows.chunks(3).collect();
    for (index, part) in parts.iter().enumerate() {
        let worker = &mut workers[index % 3 % 2];
        part.iter().rev().try_for_each(|row| worker.push(&entry(row)))?;
        let nothing_before = parts.get(index + 1).map_or(Timestamp::MAX, |part| part[0].timestamp);
        range.merge(worker.take(), nothing_before)?;
    }
    Ok(())
}

fn evaluate(query: &str, evaluation: Evaluation, rows: &[Row]) -> Result<(MetricAnswer, bool), Error> {
    let Expr::Metric(expr) = parse(query)? else { panic!("{query} is a metric query") };
    let new = || MetricQuery::new(&expr, evaluation, TooManySeries::Refuse, &clock());
    let mut by_workers = new()?;
    let mut query = new()?;
    query.ranges().iter_mut().try_for_each(|range| feed(range, rows))?;
    let answer = query.finish();
    if by_workers.ranges().iter().all(RangeQuery::is_any_order) {
        by_workers.ranges().iter_mut().try_for_each(|range| feed_workers(range, rows))?;
        assert_eq!(shown(by_workers.finish()), shown(answer.clone()), "{expr}");
    }
    answer
}

/// An answer as `labels seconds:value …`, one series a line, or the error.
fn shown(result: Result<(MetricAnswer, bool), Error>) -> String {
    let series = match result {
        Ok((MetricAnswer::Scalar(value), _)) => return value.to_string(),
        Ok((MetricAnswer::Vector(series) | MetricAnswer::Matrix(series), _)) => series,
        Err(error) => return error.to_string(),
    };
    let lines = series.into_iter().map(|series| {
        let points = series.points.into_iter().map(|(at, value)| format!(" {}:{value}", at.as_ns() / NS_PER_SECOND));
        format!("{}{}", series.labels, points.collect::<String>())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// At 10 seconds.
#[track_caller]
fn check(query: &str, expected: &str) {
    let answer = evaluate(query, Evaluation::Instant(at(10)), &rows(ENTRIES));
    assert_eq!(shown(answer), expected, "query: {query}");
}

/// From 2 to 10 seconds, every 2 seconds.
#[track_caller]
fn check_range(query: &str, expected: &str) {
    let evaluation = Evaluation::Range { start: at(2), end: at(10), step_ns: 2 * NS_PER_SECOND };
    assert_eq!(shown(evaluate(query, evaluation, &rows(ENTRIES))), expected, "query: {query}");
}

#[test]
fn a_window_has_its_last_instant_but_not_its_first() {
    check_range(r#"count_over_time({app="a", pod="x"}[2s])"#, r#"{app="a", pod="x"} 2:2 6:1"#);
    check_range(r#"count_over_time({app="a", pod="x"}[3s])"#, r#"{app="a", pod="x"} 2:2 4:1 6:1"#);
    check_range(r#"count_over_time({app="a", pod="x"}[1s])"#, r#"{app="a", pod="x"} 2:1"#);
    check_range(r#"count_over_time({app="a", pod="x"}[8s] offset -1s)"#, r#"{app="a", pod="x"} 2:2 4:3 6:3 8:2 10:1"#);
}

#[test]
fn lines_and_bytes_are_counted_per_second() {
    check(r#"rate({app="a"}[10s])"#, "{app=\"a\", pod=\"x\"} 10:0.3\n{app=\"a\", pod=\"y\"} 10:0.2");
    check(r#"bytes_over_time({app="a", pod="x"}[10s])"#, r#"{app="a", pod="x"} 10:20"#);
    check(r#"bytes_rate({app="a", pod="x"}[10s])"#, r#"{app="a", pod="x"} 10:2"#);
    check(r#"count_over_time({app="a"} |= "warn" [10s])"#, r#"{app="a", pod="x"} 10:1"#);
    check(r#"count_over_time({app="c"}[10s])"#, "");
}

#[test]
fn unwrapped_values_lose_their_label() {
    let of = |op: &str| format!(r#"{op}({{app="a", pod="y"}} | logfmt | unwrap n [10s])"#);
    check(&of("sum_over_time"), r#"{app="a", pod="y"} 10:8"#);
    check(&of("rate"), r#"{app="a", pod="y"} 10:0.8"#);
    check(&of("avg_over_time"), r#"{app="a", pod="y"} 10:4"#);
    check(&of("min_over_time"), r#"{app="a", pod="y"} 10:3"#);
    check(&of("stddev_over_time"), r#"{app="a", pod="y"} 10:1"#);
    check(&of("first_over_time"), r#"{app="a", pod="y"} 10:3"#);
    check(&of("last_over_time"), r#"{app="a", pod="y"} 10:5"#);
    check(r#"quantile_over_time(0.5, {app="a"} | logfmt | unwrap n [10s]) by (app)"#, r#"{app="a"} 10:3"#);
    check(r#"max_over_time({app="a"} | logfmt | unwrap n [10s]) without (pod, level)"#, r#"{app="a"} 10:5"#);
    check(r#"sum without (pod, level) (sum_over_time({app="a"} | logfmt | unwrap n [10s]))"#, r#"{app="a"} 10:15"#);
}

#[test]
fn one_infinity_has_no_deviation() {
    let over_time = r#"{app="a"} | logfmt | unwrap v [10s]) by ()"#;
    for query in [
        format!("stddev_over_time({over_time}"),
        format!("stdvar_over_time({over_time}"),
        "stddev(vector(10) ^ 400)".into(),
    ] {
        let answer = evaluate(&query, Evaluation::Instant(at(10)), &rows("1 app=a v=Inf"));
        assert_eq!(shown(answer), "{} 10:NaN", "query: {query}");
    }
}

#[test]
fn an_error_that_nobody_deals_with_fails_the_query() {
    check(
        r#"sum_over_time({app="b"} | logfmt | unwrap n [10s])"#,
        &Error::Pipeline { error: "SampleExtractionErr".into(), series: evaluate_error_labels() }.to_string(),
    );
    check(r#"sum_over_time({app="b"} | logfmt | unwrap n | __error__="" [10s])"#, r#"{app="b", pod="x"} 10:30"#);
    check(
        r#"sum by (__error__) (count_over_time({app="b"} | logfmt | n > 5 [10s]))"#,
        "{} 10:2\n{__error__=\"LabelFilterErr\"} 10:1",
    );
}

/// The labels of the one line whose `n` is no number.
fn evaluate_error_labels() -> String {
    let details = r#"strconv.ParseFloat: parsing \"x\": invalid syntax"#;
    format!(r#"{{__error__="SampleExtractionErr", __error_details__="{details}", app="b", n="x", pod="y"}}"#)
}

#[test]
fn a_sum_needs_only_the_labels_that_it_groups_by() {
    check(r#"sum(count_over_time({app="a"} | json [10s]))"#, "{} 10:5");
    check(r#"sum by (app) (rate({app=~"a|b"} | json [10s]))"#, "{app=\"a\"} 10:0.5\n{app=\"b\"} 10:0.3");
    let answer =
        evaluate(r#"max(count_over_time({app="a"} | json [10s]))"#, Evaluation::Instant(at(10)), &rows(ENTRIES));
    assert!(matches!(answer, Err(Error::Pipeline { .. })), "{answer:?}");
}

#[test]
fn nothing_is_something_only_for_absent_over_time() {
    check_range(r#"absent_over_time({app="a", pod="x", z!="1"}[2s])"#, r#"{app="a", pod="x"} 4:1 8:1 10:1"#);
    check(r#"absent_over_time({app="c", app=~".+", pod=~"x", z=""}[10s])"#, "{} 10:1");
    check(r#"absent_over_time({app="a"}[10s])"#, "");
}

#[test]
fn vectors_are_aggregated_by_labels() {
    let counts = r#"count_over_time({app=~"a|b"}[10s])"#;
    check(&format!("sum by (app, z) ({counts})"), "{app=\"a\"} 10:5\n{app=\"b\"} 10:3");
    check(&format!("max without (pod) ({counts})"), "{app=\"a\"} 10:3\n{app=\"b\"} 10:2");
    check(&format!("count({counts})"), "{} 10:4");
    check(&format!("avg by (pod) ({counts})"), "{pod=\"x\"} 10:2.5\n{pod=\"y\"} 10:1.5");
    check(&format!("stdvar({counts})"), "{} 10:0.5");
    check(&format!("topk by (pod) (1, {counts})"), "{app=\"a\", pod=\"x\"} 10:3\n{app=\"a\", pod=\"y\"} 10:2");
    check(&format!("bottomk(1, {counts})"), "{app=\"b\", pod=\"y\"} 10:1");
    check(&format!("topk(9, {counts}) > 1 < 3"), "{app=\"a\", pod=\"y\"} 10:2\n{app=\"b\", pod=\"x\"} 10:2");
}

#[test]
fn a_label_without_a_value_is_none_to_aggregations_and_operations() {
    let entries = "1 app=a x= y=1\n2 app=a y=1\n3 app=a x=1 y=1\n4 app=b x= y=1";
    let check = |query: &str, expected: &str| {
        let answer = evaluate(query, Evaluation::Instant(at(10)), &rows(entries));
        assert_eq!(shown(answer), expected, "query: {query}");
    };
    let counts = r#"count_over_time({app=~"a|b"} | logfmt --keep-empty [10s])"#;
    check(&format!("count by (x) ({counts})"), "{} 10:3\n{x=\"1\"} 10:1");
    check(&format!("max by (app, x) ({counts})"), "{app=\"a\"} 10:1\n{app=\"a\", x=\"1\"} 10:1\n{app=\"b\"} 10:1");
    check(&format!("sum by (x) ({counts})"), "{} 10:3\n{x=\"1\"} 10:1");
    check(&format!("count without (app, y) ({counts})"), "{} 10:3\n{x=\"1\"} 10:1");
    check(
        &format!("topk by (x) (2, {counts})"),
        "{app=\"a\", x=\"\", y=\"1\"} 10:1\n{app=\"a\", x=\"1\", y=\"1\"} 10:1\n{app=\"a\", y=\"1\"} 10:1",
    );
    check(
        &format!("count by (x) ({counts}) + on (x) sum by (x) (count_over_time({{app=\"b\"}} | logfmt [10s]))"),
        "{} 10:4",
    );
    // Without a choice of labels each series is its own partner.
    check(&format!("sum({counts} / {counts})"), "{} 10:4");
}

#[test]
fn sorting_shows_in_an_instant_answer_only() {
    let counts = r#"sum by (app) (count_over_time({app=~"a|b"}[10s]))"#;
    check(&format!("sort({counts}) + 1"), "{app=\"b\"} 10:4\n{app=\"a\"} 10:6");
    check(&format!("sort_desc({counts})"), "{app=\"a\"} 10:5\n{app=\"b\"} 10:3");
    check_range(&format!("sort({counts}) > 3"), "{app=\"a\"} 6:4 8:4 10:5");
}

#[test]
fn numbers_and_vectors_are_combined() {
    check("1 + 1", "2");
    check_range("2", "{} 2:2 4:2 6:2 8:2 10:2");
    check("vector(3) * 2 - vector(1)", "{} 10:5");
    check("1 / vector(0)", "{} 10:NaN");
    check("10 > vector(3)", "{} 10:3");
    check("10 > bool vector(3)", "{} 10:1");
    check("vector(3) > vector(5)", "");
    check(r#"count_over_time({app="c"}[10s]) or vector(0)"#, "{} 10:0");
}

#[test]
fn series_find_their_partners_by_labels() {
    let a = r#"count_over_time({app="a"}[10s])"#;
    let b = r#"count_over_time({app="b"}[10s])"#;
    check(&format!("{a} / on (pod) {b}"), "{pod=\"x\"} 10:1.5\n{pod=\"y\"} 10:2");
    check(&format!("{a} - ignoring (app) {b}"), "{pod=\"x\"} 10:1\n{pod=\"y\"} 10:1");
    check(&format!("{a} + {b}"), "");
    check(&format!("{a} > on (pod) {b} * 1.5"), "{pod=\"y\"} 10:2");
    check(&format!("{a} and on (pod) {b} > 1"), "{app=\"a\", pod=\"x\"} 10:3");
    check(&format!("{a} unless on (pod) {b} > 1"), "{app=\"a\", pod=\"y\"} 10:2");
    check(
        &format!("{a} * on () group_left (app) sum by (app) ({b})"),
        "{app=\"b\", pod=\"x\"} 10:9\n{app=\"b\", pod=\"y\"} 10:6",
    );
    check(&format!("sum({b}) > on () group_right () {a}"), "{app=\"a\", pod=\"y\"} 10:3");
}

#[test]
fn series_with_several_partners_are_refused() {
    let counts = r#"count_over_time({app=~"a|b"}[10s])"#;
    let one = "found duplicate series on the right hand-side;many-to-many matching not allowed: matching labels must be \
               unique on one side";
    check(&format!("{counts} + on (app) {counts}"), one);
    check(&format!("{counts} + on () group_right () {counts}"), &one.replace("right", "left"));
    check(
        &format!("{counts} + on (app) sum by (app) ({counts})"),
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    );
    check(
        &format!("sum by (app, pod) ({counts}) + on (app) group_left (pod) sum by (app) ({counts})"),
        "multiple matches for labels: grouping labels must ensure unique matches",
    );
}

#[test]
fn label_replace_sets_and_removes() {
    let of = |arguments: &str| format!(r#"label_replace(sum by (app) (rate({{app="a"}}[5s])), {arguments})"#);
    check(&of(r#""b", "${1}z", "app", "(.)""#), r#"{app="a", b="az"} 10:0.2"#);
    check(&of(r#""app", "", "app", "a""#), "{} 10:0.2");
    check(&of(r#""b", "x", "app", "aa""#), r#"{app="a"} 10:0.2"#);
    check(&of(r#""b", "x", "none", """#), r#"{app="a", b="x"} 10:0.2"#);
}

#[test]
fn series_that_label_replace_makes_equal_all_count() {
    let counts = r#"sum by (app) (count_over_time({app=~"a|b"}[10s]))"#;
    let equal = format!(r#"label_replace({counts}, "app", "x", "app", ".*")"#);
    check(&equal, "{app=\"x\"} 10:3\n{app=\"x\"} 10:5");
    check(&format!("sum({equal})"), "{} 10:8");
    check(&format!("topk(1, {equal})"), "{app=\"x\"} 10:5");
    check(&format!("sort_desc({equal})"), "{app=\"x\"} 10:5\n{app=\"x\"} 10:3");
    check_range(&format!("{equal} > 2"), "{app=\"x\"} 4:3 6:3 6:4 8:3 8:4 10:3 10:5");
}

#[test]
fn label_replace_makes_no_value_that_is_too_long() {
    let long = "x".repeat(4000);
    let replacement = "$1".repeat(10_000);
    let query = format!(r#"label_replace(vector(1), "b", "{long}", "c", "")"#);
    let query = format!(r#"label_replace({query}, "d", "{replacement}", "b", "(.*)")"#);
    let refusal = evaluate(&query, Evaluation::Instant(at(10)), &[]).map(|_| ()).unwrap_err();
    assert_eq!(refusal, Error::Refused(Refusal::TooMuch { bytes_max: QUERY_BYTES_MAX }));
}

#[test]
fn counts_give_the_same_answer_as_lines() {
    let rows = rows(ENTRIES);
    for (range, offset, step) in [("1s", "0s", 2), ("3s", "1s", 2), ("4s", "-1s", 2), ("7s", "0s", 3), ("20s", "0s", 1)]
    {
        let query = format!(r#"sum by (pod) (count_over_time({{app=~".+"}}[{range}] offset {offset}))"#);
        let evaluation = Evaluation::Range { start: at(2), end: at(10), step_ns: step * NS_PER_SECOND };
        let Ok(Expr::Metric(expr)) = parse(&query) else { panic!("{query} is a metric query") };
        let mut counted = MetricQuery::new(&expr, evaluation, TooManySeries::Refuse, &clock()).unwrap();
        let aggregation = &mut counted.ranges()[0];
        let range = aggregation.fetch().streams().1;
        let step_ns = aggregation.count_step_ns().expect("counts are enough");
        for row in rows.iter().filter(|row| range.contains(row.timestamp)).rev() {
            let since_start = row.timestamp.as_ns().abs_diff(range.start.as_ns());
            aggregation.push_counts(&row.labels, step_ns, &[(since_start / step_ns, 1)]).unwrap();
        }
        assert_eq!(shown(counted.finish()), shown(evaluate(&query, evaluation, &rows)), "query: {query}");
    }
}

#[test]
fn a_chain_of_operations_may_be_as_long_as_the_parser_allows() {
    check(&format!("vector(1){}", "+vector(1)".repeat(limits::OPERATIONS_MAX)), "{} 10:251");
    let depth = limits::DEPTH_MAX - 1;
    check(&format!("{}vector(1){}", "max(".repeat(depth), ")".repeat(depth)), "{} 10:1");
}

#[test]
fn too_much_is_refused_or_cut_off() {
    let many: Vec<String> = (0..=limits::SERIES_MAX).map(|pod| format!("1 app=a,pod={pod}")).collect();
    let rows = rows(&many.join("\n"));
    let query = r#"count_over_time({app="a"}[10s])"#;
    let instant = Evaluation::Instant(at(10));
    assert_eq!(evaluate(query, instant, &rows), Err(Error::TooManySeries));

    let Ok(Expr::Metric(expr)) = parse(query) else { panic!("{query} is a metric query") };
    let mut truncated = MetricQuery::new(&expr, instant, TooManySeries::Truncate, &clock()).unwrap();
    feed(&mut truncated.ranges()[0], &rows).unwrap();
    let (MetricAnswer::Vector(series), true) = truncated.finish().unwrap() else { panic!("it is cut off") };
    assert_eq!(series.len(), limits::SERIES_MAX);

    let fine = Evaluation::Range { start: at(0), end: at(11_001), step_ns: NS_PER_SECOND };
    check_refused(query, fine, &Error::TooManyPoints);
    let seconds = Evaluation::Range { start: at(0), end: at(1), step_ns: NS_PER_SECOND };
    check_refused("approx_topk(1, vector(1))", seconds, &Error::InstantOnly);
}

#[track_caller]
fn check_refused(query: &str, evaluation: Evaluation, expected: &Error) {
    assert_eq!(evaluate(query, evaluation, &[]).as_ref(), Err(expected), "query: {query}");
}

/// The lines between 2 and 6 seconds, as `labels seconds:line{parsed}…`, one stream a line.
#[track_caller]
fn check_lines(query: &str, options: &LogOptions, expected: &str) {
    let Ok(Expr::Log(expr)) = parse(query) else { panic!("{query} is a log query") };
    let mut rows = rows(ENTRIES);
    if options.direction == Direction::Backward {
        rows.reverse();
    }
    let new = || LogQuery::new(&expr, *options, &clock()).unwrap();
    let mut query = new();
    let selection = selection(query.fetch(), &rows);
    rows.retain(|row| is_selected(&selection, row));
    let _ = rows.iter().try_for_each(|row| query.push(&entry(row)).unwrap());
    let is_any_order = query.is_any_order();
    assert_eq!(lines_of(query), expected);
    if is_any_order {
        for order in [[0, 1], [1, 0]] {
            let query = new();
            find_with_workers(&query, &rows, order);
            assert_eq!(lines_of(query), expected, "by workers, part {} first", order[0]);
        }
    }
}

/// Does the same by several workers, one for each of two parts that every other row is in.
fn find_with_workers(query: &LogQuery, rows: &[Row], order: [usize; 2]) {
    let mut workers = [query.worker(), query.worker()];
    for place in order {
        let worker = &mut workers[place];
        let part: Vec<&Row> = rows.iter().skip(place).step_by(2).collect();
        let times = || part.iter().map(|row| row.timestamp);
        let Some(bounds) = times().min().zip(times().max()) else { continue };
        if worker.begin(bounds, place) {
            let _ = part.iter().try_for_each(|row| worker.push(&entry(row)).unwrap());
        }
        worker.end();
    }
}

fn lines_of(query: LogQuery) -> String {
    let streams = query.finish().into_iter().map(|stream| {
        let line = |line: &crate::logql::eval::Line| {
            let parsed = if line.parsed == SeriesLabels::default() { String::new() } else { line.parsed.to_string() };
            format!(" {}:{}{parsed}", line.timestamp.as_ns() / NS_PER_SECOND, String::from_utf8_lossy(&line.text))
        };
        format!("{}{}", stream.labels, stream.lines.iter().map(line).collect::<String>())
    });
    streams.collect::<Vec<_>>().join("\n")
}

const OPTIONS: LogOptions = LogOptions {
    range: TimeRange { start: Timestamp::from_ns(2 * NS_PER_SECOND), end: Timestamp::from_ns(6 * NS_PER_SECOND) },
    direction: Direction::Backward,
    limit: 10,
    interval_ns: 0,
    categorizes: true,
};

#[test]
fn lines_come_in_the_direction_asked_for_up_to_the_limit() {
    let query = r#"{app="a"} | drop detected_level"#;
    check_lines(query, &OPTIONS, "{app=\"a\", pod=\"x\"} 5:n=4 level=warn 2:n=2\n{app=\"a\", pod=\"y\"} 3:n=3");
    let forward = LogOptions { direction: Direction::Forward, limit: 2, ..OPTIONS };
    check_lines(query, &forward, "{app=\"a\", pod=\"x\"} 2:n=2\n{app=\"a\", pod=\"y\"} 3:n=3");
    let apart = LogOptions { direction: Direction::Forward, interval_ns: 3 * NS_PER_SECOND, ..OPTIONS };
    check_lines(query, &apart, r#"{app="a", pod="x"} 2:n=2 5:n=4 level=warn"#);
}

#[test]
fn labels_stay_with_the_line_or_tell_streams_apart() {
    let query = r#"{app="a", pod="x"} | logfmt | drop detected_level"#;
    check_lines(query, &OPTIONS, r#"{app="a", pod="x"} 5:n=4 level=warn{level="warn", n="4"} 2:n=2{n="2"}"#);
    let merged = LogOptions { categorizes: false, ..OPTIONS };
    check_lines(
        query,
        &merged,
        "{app=\"a\", level=\"warn\", n=\"4\", pod=\"x\"} 5:n=4 level=warn\n{app=\"a\", n=\"2\", pod=\"x\"} 2:n=2",
    );
}

#[test]
fn workers_find_the_same_first_lines_whoever_is_first() {
    let query = r#"{app="a"} | logfmt | n >= 2 | drop detected_level"#;
    let all = "{app=\"a\", pod=\"x\"} 5:n=4 level=warn{level=\"warn\", n=\"4\"} 2:n=2{n=\"2\"}\n\
               {app=\"a\", pod=\"y\"} 3:n=3{n=\"3\"}";
    check_lines(query, &OPTIONS, all);
    for (direction, expected) in [
        (Direction::Backward, r#"{app="a", pod="x"} 5:n=4 level=warn{level="warn", n="4"}"#),
        (Direction::Forward, r#"{app="a", pod="x"} 2:n=2{n="2"}"#),
    ] {
        check_lines(query, &LogOptions { direction, limit: 1, ..OPTIONS }, expected);
    }
}

#[test]
fn an_answer_of_too_many_bytes_is_refused() {
    let Ok(Expr::Log(expr)) = parse(r#"{app="a"}"#) else { panic!("it is a log query") };
    let budget = Arc::new(Budget::new(QUERY_BYTES_MAX));
    let query = LogQuery::new(&expr, LogOptions { limit: limits::ENTRIES_MAX, ..OPTIONS }, &clock()).unwrap();
    let mut query = query.within(Arc::clone(&budget));
    let row = Row { timestamp: at(2), labels: Labels::new([("app", "a")]).unwrap(), line: "x".repeat(1 << 20) };
    for _ in 0..63 {
        assert_eq!(query.push(&entry(&row)), Ok(ControlFlow::Continue(())));
    }
    assert_eq!(query.take()[0].lines.len(), 63);
    assert!((0..63).all(|_| query.push(&entry(&row)).is_ok()), "what has been taken does not count");
    assert_eq!(query.push(&entry(&row)), Err(Error::Refused(Refusal::TooMuch { bytes_max: QUERY_BYTES_MAX })));
    assert_eq!(query.finish()[0].lines.len(), 63);
    assert!(budget.take(1 << 20).is_err(), "the answer takes it still");
}

#[test]
fn the_database_counts_to_the_limit_if_it_filters() {
    let limit = |query: &str| {
        let Ok(Expr::Log(expr)) = parse(query) else { panic!("{query} is a log query") };
        LogQuery::new(&expr, OPTIONS, &clock()).unwrap().fetch().selection(|_| true).limit
    };
    assert_eq!(limit(r#"{app="a"} |= "n" | logfmt"#), Some(10));
    assert_eq!(limit(r#"{app="a"} | logfmt | n > 1"#), None);
}

#[test]
fn what_a_worker_adds_up_is_taken_from_the_budget_until_it_is_merged() {
    let Ok(Expr::Metric(expr)) = parse(r#"quantile_over_time(0.5, {app="a"} | logfmt | unwrap n [9s]) by ()"#) else {
        panic!("it is a metric query")
    };
    let budget = std::sync::Arc::new(Budget::new(128 << 10));
    let query = MetricQuery::new(&expr, Evaluation::Instant(at(9)), TooManySeries::Refuse, &clock()).unwrap();
    let mut query = query.within(budget.clone());
    let mut worker = query.ranges()[0].worker();
    let rows = rows("5 app=a n=1");
    let mut push_all = || (0..10_000).try_for_each(|_| worker.push(&entry(&rows[0])));
    assert_eq!(push_all(), Err(Error::Refused(Refusal::TooMuch { bytes_max: 128 << 10 })));
    drop(worker.take());
    assert!(budget.taken_bytes() < 1 << 10, "{} bytes are taken", budget.taken_bytes());
}

/// How a query ends that may keep so many bytes, with an entry of a series of its own in each of 1000 seconds.
#[track_caller]
fn check_kept(query: &str, bytes_max: usize, expected: Result<(), Refusal>) {
    let Ok(Expr::Metric(expr)) = parse(query) else { panic!("{query} is a metric query") };
    let entries: Vec<String> = (0..1000).map(|second| format!("{second} app=a n={second}")).collect();
    let evaluation = Evaluation::Range { start: at(0), end: at(1000), step_ns: NS_PER_SECOND };
    let budget = std::sync::Arc::new(Budget::new(bytes_max));
    let mut query = MetricQuery::new(&expr, evaluation, TooManySeries::Truncate, &clock()).unwrap();
    query = query.within(budget.clone());
    let fed = query.ranges().iter_mut().try_for_each(|range| feed(range, &rows(&entries.join("\n"))));
    let answer = fed.and_then(|()| query.finish());
    let refusal = expected.map_err(Error::Refused);
    assert_eq!(answer.as_ref().err(), refusal.as_ref().err(), "{} bytes are taken", budget.taken_bytes());
    if let Ok((MetricAnswer::Matrix(series), _)) = answer {
        let points: usize = series.iter().map(|series| series.points.len()).sum();
        assert_eq!(budget.taken_bytes(), 32 * points, "the answer is all that is kept");
    }
}

#[test]
fn what_is_kept_is_taken_from_the_budget_and_given_back() {
    let too_much = |bytes_max| Err(Refusal::TooMuch { bytes_max });
    // One series for each entry, each in one window.
    let series = r#"count_over_time({app="a"} | logfmt | drop detected_level [1s])"#;
    check_kept(series, 1 << 20, Ok(()));
    check_kept(series, 300 << 10, too_much(300 << 10));
    // One value for each entry.
    let values = r#"quantile_over_time(0.5, {app="a"} | logfmt | unwrap n [1000s]) by ()"#;
    check_kept(values, 128 << 10, Ok(()));
    check_kept(values, 16 << 10, too_much(16 << 10));
    // A point of each of 1000 series at each of 1000 steps.
    let points = r#"sum(count_over_time({app="a"} | logfmt | drop detected_level [1000s]) > 0)"#;
    check_kept(points, 32 << 20, Ok(()));
    check_kept(points, 4 << 20, too_much(4 << 20));
}
