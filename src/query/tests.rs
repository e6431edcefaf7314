//! Lines as they come, against lines as they are stored.

use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::log_database::storage::SimulatedStorage;
use crate::log_database::{Bounds, Database, metadata, stream_id};
use crate::logql::ast::{Expr, LogExpr};
use crate::logql::pipeline::Clock;
use crate::model::budget::Budget;
use crate::model::{Batch, Direction, Labels, Lines as LineColumns, StreamLines, TimeRange, Timestamp};
use crate::query::{FoundLine, LineId, LineOptions, Lines, Live, Located, Progress, Source, locate, nearest};

fn clock() -> Clock {
    Clock { now: Timestamp::from_ns(0), zone: TimeZone::UTC, zones: TimeZoneDatabase::bundled() }
}

fn expr(text: &str) -> LogExpr {
    match crate::logql::parse(text).unwrap() {
        Expr::Log(expr) => expr,
        Expr::Metric(_) => panic!("{text} is no log query"),
    }
}

fn database() -> Database {
    Database::open(Arc::new(SimulatedStorage::default())).unwrap()
}

fn source(database: &Database) -> Source {
    Source::new(database.snapshot(), Arc::default(), Arc::default())
}

/// A batch of lines of one stream, with or without metadata.
fn batch(app: &str, has_metadata: bool, lines: &[(i64, &str)]) -> Batch {
    let labels = Labels::new([("app", app)]).unwrap();
    let mut columns = LineColumns::default();
    for (ns, line) in lines {
        let mut line = line.as_bytes().to_vec();
        if has_metadata {
            metadata::append(&mut line, [("id", "7")]).unwrap();
        }
        columns.push(Timestamp::from_ns(*ns), &line);
    }
    let labels = if has_metadata { metadata::mark(&labels).unwrap() } else { labels };
    Batch { checkpoint: None, streams: vec![StreamLines { labels, lines: columns }] }
}

fn id(line: &FoundLine<'_>) -> LineId {
    LineId { stream: stream_id(line.stream), timestamp: line.timestamp, number: line.number, check: line.check() }
}

/// The ids and the texts of all lines that a query finds.
fn stored(database: &Database, query: &str) -> Vec<(String, String)> {
    let options = LineOptions {
        range: TimeRange::ALL,
        bounds: Bounds::default(),
        direction: Direction::Forward,
        limit: None,
        stream: None,
    };
    let mut lines = Lines::new(&expr(query), &options, &clock(), &source(database)).unwrap();
    let mut found = Vec::new();
    let mut take = |line: &FoundLine<'_>| {
        found.push((id(line).to_string(), String::from_utf8_lossy(line.shown.text).into_owned()));
    };
    while lines.next(&|| false, &mut take).unwrap() == Progress::Line {}
    found
}

/// Takes the ids and the texts of what has come.
fn take_all(live: &mut Live, found: &mut Vec<(String, String)>) {
    let mut take = |line: &FoundLine<'_>| {
        found.push((id(line).to_string(), String::from_utf8_lossy(line.shown.text).into_owned()));
    };
    while live.next(&mut take).unwrap() {}
}

fn live(database: &Database, query: &str, budget: Budget) -> Live {
    let (_, subscription) = database.subscribe(|| {});
    Live::new(database.clone(), subscription, Arc::default(), &expr(query), &clock(), Arc::new(budget)).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Append(usize, bool, Vec<i64>),
    Commit,
    Take,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, any::<bool>(), vec(0..6_i64, 0..5)).prop_map(|(app, mark, times)| Step::Append(app, mark, times)),
        1 => Just(Step::Commit),
        3 => Just(Step::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_line_has_the_same_id_when_it_comes_and_when_it_is_stored(
        before in vec(any_step(), 0..8),
        after in vec(any_step(), 0..24),
    ) {
        let database = database();
        let mut number = 0;
        let mut append = |database: &Database, app: usize, mark: bool, times: &[i64]| {
            let texts: Vec<(i64, String)> = times.iter().map(|ns| {
                number += 1;
                (*ns, format!("line {number}"))
            }).collect();
            let texts: Vec<(i64, &str)> = texts.iter().map(|(ns, text)| (*ns, text.as_str())).collect();
            database.append(batch(["a", "b", "c"][app], mark, &texts)).unwrap();
        };
        for step in before {
            match step {
                Step::Append(app, mark, times) => append(&database, app, mark, &times),
                Step::Commit | Step::Take => database.commit().unwrap(),
            }
        }
        let query = r#"{app=~"a|b"} |= "line""#;
        let mut found = stored(&database, query);
        let mut live = live(&database, query, Budget::default());
        for step in after.into_iter().chain([Step::Take]) {
            match step {
                Step::Append(app, mark, times) => append(&database, app, mark, &times),
                Step::Commit => database.commit().unwrap(),
                Step::Take => take_all(&mut live, &mut found),
            }
        }
        let mut expected = stored(&database, query);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(live.take_missed(), 0);
    }
}

#[test]
fn what_there_is_no_room_for_is_counted_and_what_comes_after_has_its_id() {
    let database = database();
    let mut live = live(&database, r#"{app="a"}"#, Budget::new(300));
    database.append(batch("a", false, &[(1, "early"), (1, &"x".repeat(400))])).unwrap();
    database.append(batch("b", false, &[(1, "of another")])).unwrap();
    database.append(batch("a", false, &[(1, "late")])).unwrap();
    let mut found = Vec::new();
    take_all(&mut live, &mut found);
    assert_eq!(live.take_missed(), 2);
    assert_eq!(found, stored(&database, r#"{app="a"} |= "late""#));
    assert!(found[0].0.contains(".1.2."), "two lines of that time are before it: {}", found[0].0);
}

#[test]
fn a_line_is_found_by_its_id_when_older_ones_of_its_time_are_gone() {
    let database = database();
    database.append(batch("a", false, &[(1, "one"), (1, "two"), (3, "three")])).unwrap();
    let ids: Vec<LineId> = stored(&database, r#"{app=~".+"}"#).iter().map(|(id, _)| id.parse().unwrap()).collect();
    let source = source(&database);
    let number = |id: LineId| match locate(id, &source).unwrap() {
        Located::At(place) => Some(place.number),
        Located::Gone(_) | Located::Unknown => None,
    };
    assert_eq!(ids.iter().map(|id| number(*id)).collect::<Vec<_>>(), [Some(0), Some(1), Some(0)]);
    assert_eq!(number(LineId { number: 5, ..ids[1] }), Some(1), "four others were there once");
    assert_eq!(number(LineId { number: 0, ..ids[1] }), None, "what is there later was never before");
    let gone = LineId { timestamp: Timestamp::from_ns(2), ..ids[0] };
    assert!(matches!(locate(gone, &source).unwrap(), Located::Gone(_)));
    assert_eq!(nearest(gone, &source).unwrap(), Some(ids[2]));
    let past = LineId { timestamp: Timestamp::from_ns(9), stream: 1, ..ids[0] };
    assert_eq!((locate(past, &source).unwrap(), nearest(past, &source).unwrap()), (Located::Unknown, Some(ids[2])));
}
