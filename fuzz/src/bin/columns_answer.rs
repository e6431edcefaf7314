//! Any lines: what is counted of them is the same line by line, in the journal, and from columns, in a segment.
//!
//! The first byte of the input chooses a query, the rest are the log's lines.
#![no_main]

use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use libfuzzer_sys::fuzz_target;
use monitoring_rs::log_database::Database;
use monitoring_rs::log_database::storage::SimulatedStorage;
use monitoring_rs::logql::ast::Expr;
use monitoring_rs::logql::eval::{Evaluation, MetricQuery, TooManySeries};
use monitoring_rs::logql::parse;
use monitoring_rs::logql::pipeline::Clock;
use monitoring_rs::model::{Batch, Lines, StreamLines, Timestamp};
use monitoring_rs::query::{Seen, Source, numbers};
use monitoring_rs_fuzz::{labels, lines, logs, open, plant};

/// Every stage that columns may answer for.
const QUERIES: [&str; 12] = [
    "sum by (level, detected_level) (count_over_time({path=`a`} | drop __error__ [1s]))",
    "sum(bytes_over_time({path=`a`}[1s]))",
    "sum by (detected_level) (bytes_over_time({path=`a`}[1s]))",
    "sum by (level, user) (count_over_time({path=`a`} | json | drop __error__, __error_details__ [1s]))",
    "sum by (a, msg) (count_over_time({path=`a`} | json | level!=`` | __error__=`` [1s]))",
    "sum(sum_over_time({path=`a`} | json | retry < 7 | unwrap duration_ms | __error__=`` [1s]))",
    "sum by (level, path_extracted) (count_over_time({path=`a`} | logfmt | drop __error__, __error_details__ [1s]))",
    "sum by (msg) (count_over_time({path=`a`} | logfmt --strict | __error__=`` [1s]))",
    "sum by (msg) (count_over_time({path=`a`} | logfmt --keep-empty | __error__=`` [1s]))",
    "sum by (status) (count_over_time({path=`a`} | pattern `<_> [<_>] \"<_>\" <status> <_>` [1s]))",
    "sum by (x) (count_over_time({path=`a`} | json | label_format x=level | drop level [1s]))",
    "sum by (detected_level) (count_over_time({path=`a`} | json | detected_level!=`info` | __error__=`` [1s]))",
];
const HOUR_NS: i64 = 3_600_000_000_000;

fuzz_target!(init: plant("columns_answer", seeds()), |bytes: &[u8]| check(bytes));

fn check(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else { return };
    let query = QUERIES[usize::from(*choice) % QUERIES.len()];
    let storage = SimulatedStorage::default();
    let database = open(&storage).expect("an empty storage is opened");
    let texts: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let streams = vec![StreamLines { labels: labels("a"), lines: lines(&texts) }];
    database.append(Batch { checkpoint: None, streams }).expect("there is room");
    database.commit().expect("nothing fails");
    let by_line = answer(&database, query);
    for hours in [0, 1, 2] {
        database.maintain(Timestamp::from_ns(hours * HOUR_NS)).expect("nothing fails");
    }
    assert_eq!(answer(&database, query), by_line, "{query}");
}

fn answer(database: &Database, query: &str) -> String {
    let Ok(Expr::Metric(expr)) = parse(query) else { panic!("{query} asks for numbers") };
    let clock = Clock { now: Timestamp::from_ns(0), zone: TimeZone::UTC, zones: TimeZoneDatabase::bundled() };
    let (start, end) = (Timestamp::from_ns(0), Timestamp::from_ns(1_000_000_000));
    let evaluation = Evaluation::Range { start, end, step_ns: 1_000_000_000 };
    let mut metric = MetricQuery::new(&expr, evaluation, TooManySeries::Refuse, &clock).expect("it is sound");
    let source = Source::new(database.snapshot(), Arc::default(), Arc::default());
    for range in metric.ranges() {
        if let Err(error) = numbers::add_up(range, &source, &mut Seen::default()) {
            return error.to_string();
        }
    }
    format!("{:?}", metric.finish().map(|(answer, _)| answer).map_err(|error| error.to_string()))
}

/// Logs of every kind with every query.
fn seeds() -> Vec<Vec<u8>> {
    let with_query = |(choice, lines): (u8, &Lines)| {
        let mut input = vec![choice];
        lines.iter().for_each(|(_, line)| input.extend([line, b"\n"].concat()));
        input
    };
    let logs = logs(40);
    let choices = u8::try_from(QUERIES.len()).expect("a few");
    (0..choices).flat_map(|choice| logs.iter().map(move |lines| (choice, lines))).map(with_query).collect()
}
