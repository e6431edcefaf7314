//! The columns of blocks against the lines themselves.

use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::{Looked, Problem, add_up, sift};
use crate::log_database::block::{Block, Columns, Encoder};
use crate::logql::ast::Expr;
use crate::logql::eval::{Evaluation, LogOptions, LogQuery, LogWorker, MetricQuery, Sieve, TooManySeries};
use crate::logql::pipeline::{Clock, Entry};
use crate::model::{Direction, Labels, Lines, TimeRange, Timestamp};

/// Queries of every stage that columns may answer for, and of some that they do not.
const QUERIES: &[&str] = &[
    "sum by (level, detected_level) (count_over_time({a=`b`} | drop __error__ [10s]))",
    "sum by (detected_level) (bytes_over_time({a=`b`} [7s]))",
    "count_over_time({a=`b`}[3s])",
    "sum(bytes_over_time({a=`b`}[10s]))",
    "sum by (level) (count_over_time({a=`b`} | json | drop __error__, __error_details__ [10s]))",
    "sum by (level, user, a) (count_over_time({a=`b`} | json | drop __error__ [10s]))",
    "sum by (user, user_extracted) (count_over_time({a=`b`} | json | __error__=`` [10s]))",
    "sum(count_over_time({a=`b`} | json | level=`error` or status >= 500 | __error__=`` [10s]))",
    "sum(count_over_time({a=`b`} | json | n > 3 and n != 7 or n < 1 [10s]))",
    "sum by (user) (sum_over_time({a=`b`} | json | n < 40 | unwrap n | __error__=`` [10s]))",
    "sum(sum_over_time({a=`b`} | json | unwrap n [10s]))",
    "quantile_over_time(0.5, {a=`b`} | json | unwrap n | __error__=`` [10s]) by (level)",
    "sum by (n) (max_over_time({a=`b`} | json | unwrap status | __error__=`` [10s]))",
    "sum by (msg) (count_over_time({a=`b`} | json | drop __error__, __error_details__ [10s]))",
    "sum by (level, y) (count_over_time({a=`b`} | json level, y=`nested.n` | drop __error__, __error_details__ [10s]))",
    "sum by (user) (sum_over_time({a=`b`} | json user=`[\"user\"]`, n=`n` | unwrap n | __error__=`` [10s]))",
    "sum by (level) (count_over_time({a=`b`} | logfmt | drop __error__, __error_details__ [10s]))",
    "sum by (nested_n) (count_over_time({a=`b`} | json | nested_n!=`` [10s]))",
    "sum by (x) (count_over_time({a=`b`} | json | label_format x=user | drop level=`info` | __error__=`` [10s]))",
    "sum(count_over_time({a=`b`} | json | keep level, status | level=~`e.*` [10s]))",
    "count_over_time({a=`b`} | json | drop user, msg, n, ts, status [10s])",
    "sum by (level) (count_over_time({a=`b`} | logfmt | drop __error__ [10s]))",
    "sum by (user) (count_over_time({a=`b`} | logfmt | user!=`` [10s]))",
    "sum by (user) (count_over_time({a=`b`} | logfmt --strict | __error__=`` [10s]))",
    "sum by (user, msg) (count_over_time({a=`b`} | logfmt --keep-empty | status > 200 | __error__=`` [10s]))",
    "sum by (z) (count_over_time({a=`b`} | logfmt z=`user` [10s]))",
    "avg by (level) (avg_over_time({a=`b`} | logfmt | unwrap n | __error__=`` [10s]))",
    "sum(sum_over_time({a=`b`} | logfmt | unwrap duration(took) | __error__=`` [10s]))",
    "sum by (status) (count_over_time({a=`b`} | pattern `<_> - <_> [<_>] \"<_>\" <status> <_>` [10s]))",
    "sum by (x, y) (count_over_time({a=`b`} | pattern `<x>: <y>=<_>` [10s]))",
    "sum by (y) (count_over_time({a=`b`} | pattern `<_>a<y> <_>` [10s]))",
    "sum by (level) (count_over_time({a=`b`} | json | logfmt | drop __error__ [10s]))",
    "sum by (user, msg) (count_over_time({a=`b`} | unpack | drop __error__, __error_details__ [10s]))",
    "sum by (user) (count_over_time({a=`b`} | unpack | user!=`` | json | drop __error__ [10s]))",
    "sum by (level) (bytes_over_time({a=`b`} | unpack | drop __error__ [10s]))",
    "sum by (level) (count_over_time({a=`b`} | regexp `level.(?P<level>[a-z]+)` [10s]))",
    "sum by (w) (count_over_time({a=`b`} | json | line_format `{{.user}}` | pattern `<w>1<_>` | __error__=`` [10s]))",
    "sum by (detected_level) (count_over_time({a=`b`} | json | level!=`x` | __error__=`` [10s]))",
    "sum by (detected_level) (count_over_time({a=`b`} | logfmt | detected_level=~`info|warn` [10s]))",
    "first_over_time({a=`b`} | json | unwrap n | __error__=`` [10s]) by (level)",
];

/// A pseudo-random number from a seed, so that a failure is repeated by its seed alone.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.next(items.len())]
    }
}

/// What stands in one place of all lines of a template.
#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Values(Values),
}

#[derive(Clone, Copy, Debug)]
enum Values {
    Of(&'static [&'static str]),
    Small,
    Number,
    Fraction,
    Hex,
    Clock,
    Date,
    Address,
    Name,
    Sentence,
    Bytes,
}

const LEVELS: &[&str] = &["info", "warn", "error", "INFO", "debug", "notice"];
const KNOWN_LEVELS: &[&str] = &["info", "warn", "error", "debug"];
const WORDS: &[&str] = &["alpha7", "beta1", "gamma22", "delta9"];
const STATUSES: &[&str] = &["200", "404", "500", "302"];
const SCALARS: &[&str] = &["1", "true", "null", "-5", "1e3", "2.50", "\"x\"", "[1,2]", "{\"n\":4}", "{", "007"];
/// Values that change the structure of what they are in.
const HOSTILE: &[&str] = &[
    "a\"b",
    "x\\",
    "\\\"",
    "{",
    "}",
    "x=y",
    " ",
    "",
    "error",
    "a b",
    ",",
    ":",
    "\",\"level\":\"fatal",
    "l level=warn ",
    "é",
    "null",
    "a\nb",
    "=",
    "\"",
    "[ERROR]",
    "\\u00e9",
    "\\q",
    "\t",
    "-",
    "err",
    " - ",
    "5",
    "notice",
];
const KEYS: &[&str] =
    &["level", "user", "n", "status", "msg", "a", "user_extracted", "ts", "lvl", "took", "n", "severity", "_entry"];

impl Values {
    fn any(random: &mut Random, is_hostile: bool) -> Self {
        let limit = if is_hostile { 20 } else { 11 };
        match random.next(limit) {
            0 => Self::Of(LEVELS),
            1 => Self::Small,
            2 => Self::Number,
            3 => Self::Fraction,
            4 => Self::Hex,
            5 => Self::Clock,
            6 => Self::Date,
            7 => Self::Address,
            8 => Self::Name,
            9 => Self::Of(WORDS),
            10 => Self::Of(STATUSES),
            11 => Self::Sentence,
            12 => Self::Bytes,
            _ => Self::Of(HOSTILE),
        }
    }

    fn write(self, random: &mut Random, row: usize, line: &mut Vec<u8>) {
        let text = match self {
            Self::Of(texts) => random.pick(texts).to_owned(),
            Self::Small => random.next(12).to_string(),
            Self::Number => random.next(100_000_000).to_string(),
            Self::Fraction => format!("{}.{:03}", random.next(90), random.next(1000)),
            Self::Hex => format!("{:08x}", random.next(1 << 31) + (1 << 31)),
            Self::Clock => format!("10:{:02}:{:02}.{:03}", row / 60 % 60, row % 60, random.next(1000)),
            Self::Date => format!("2026-03-{:02}T10:{:02}:{:02}Z", 1 + row % 28, row % 60, random.next(60)),
            Self::Address => format!("10.{}.{}.{}", random.next(3), random.next(200), random.next(9)),
            Self::Name => format!("user{}", random.next(40)),
            Self::Sentence => {
                let words =
                    ["the", "request", "was", "late", "an error", "terror", "of 7", "info", "x=", "\"q\"", "Warn:"];
                (0..random.next(6)).map(|_| random.pick(&words)).collect::<Vec<&str>>().join(" ")
            }
            Self::Bytes => {
                line.extend((0..random.next(4)).map(|_| [b'\xff', b'a', b' ', b'"'][random.next(4)]));
                return;
            }
        };
        line.extend_from_slice(text.as_bytes());
    }
}

/// A template of some kind of log.
#[expect(clippy::too_many_lines, reason = "it is a list of shapes")]
fn template(random: &mut Random, is_hostile: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let text = |text: &str| Part::Text(text.to_owned());
    let field_count = 1 + random.next(5);
    match random.next(4) {
        0 => {
            parts.push(text(random.pick(&["{", "{", " {", "{ "])));
            for field in 0..field_count {
                let separator = if field == 0 { "" } else { random.pick(&[",", ",", ", "]) };
                let key = random.pick(KEYS);
                match random.next(if is_hostile { 8 } else { 4 }) {
                    0 => parts.push(text(&format!("{separator}\"{key}\":\"{}\"", random.pick(LEVELS)))),
                    1 => {
                        parts.push(text(&format!("{separator}\"{key}\":")));
                        let numbers = [Values::Small, Values::Number, Values::Fraction, Values::Of(STATUSES)];
                        parts.push(Part::Values(numbers[random.next(4)]));
                    }
                    4 => {
                        parts.push(text(&format!("{separator}\"{key}\":")));
                        parts.push(Part::Values(Values::Of(SCALARS)));
                    }
                    5 => {
                        parts.push(text(&format!("{separator}\"nested\":{{\"{key}\":\"")));
                        parts.push(Part::Values(Values::any(random, true)));
                        parts.push(text(random.pick(&["\"}", "\",\"n\":1}", "\\\"\"}", "\""])));
                    }
                    6 => {
                        parts.push(text(&format!("{separator}\"")));
                        parts.push(Part::Values(Values::any(random, true)));
                        parts.push(text("\":1"));
                    }
                    _ => {
                        parts.push(text(&format!("{separator}\"{key}\":\"")));
                        parts.push(Part::Values(Values::any(random, is_hostile)));
                        parts.push(text(if is_hostile {
                            random.pick(&["\"", "x\"", "\\n\"", "\"", ""])
                        } else {
                            "\""
                        }));
                    }
                }
            }
            parts.push(text(if is_hostile { random.pick(&["}", "}", "} x", ""]) } else { "}" }));
        }
        1 => {
            for _ in 0..field_count {
                let key = random.pick(KEYS);
                match random.next(if is_hostile { 6 } else { 3 }) {
                    0 => parts.push(text(&format!("{key}={} ", random.pick(LEVELS)))),
                    1 | 2 => {
                        let quote = random.pick(&["", "\""]);
                        parts.push(text(&format!("{key}={quote}")));
                        parts.push(Part::Values(Values::any(random, is_hostile)));
                        parts.push(text(&format!("{quote}{}", if key == "took" { "ms " } else { " " })));
                    }
                    3 => {
                        parts.push(Part::Values(Values::any(random, true)));
                        parts.push(text(random.pick(&["=1 ", " ", "x=y ", "level=error "])));
                    }
                    4 => parts.push(text(random.pick(&["word ", "=", "\"", "a=\"\\\"\" ", "level= "]))),
                    _ => {
                        parts.push(text(&format!("{key}=\"\\")));
                        parts.push(Part::Values(Values::any(random, true)));
                        parts.push(text("\" "));
                    }
                }
            }
        }
        2 => {
            let kinds = [
                "# - - [#] \"GET /x#y HTTP/1.1\" # # \"-\" \"agent\"",
                "# - # [#] \"POST #\" # #",
                "#  INFO [worker-#] c.e.Job : took # ms",
                "# # [main] it took # of #",
                "I1130 # # file.go:12] \"x\" n=#",
                "<#>Nov 30 # host app[#]: # done",
                "2026-03-01 # UTC [#] LOG:  duration: # ms, error=#",
                "E/Tag(#): # x",
                "7:M # * # ready",
                "I, [2026-03-01T#] # -- : #",
                "# [notice] # and user.warn #",
                "#: #=# severity=#",
                "[core:error] [pid #] # ERR",
            ];
            for (index, piece) in random.pick(&kinds).split('#').enumerate() {
                if 0 < index {
                    parts.push(Part::Values(Values::any(random, is_hostile)));
                }
                parts.push(text(piece));
            }
        }
        _ => {
            let pieces = [
                "error", " ", " ", "=", ": ", "[", "] ", "\"", "lev", "el=", "INFO ", "a", "err", "or ", "-", "1",
                "GET ", "{",
            ];
            for _ in 0..2 + random.next(8) {
                if random.next(3) == 0 {
                    parts.push(Part::Values(Values::any(random, is_hostile)));
                } else {
                    parts.push(text(random.pick(&pieces)));
                }
            }
        }
    }
    parts
}

/// Lines of some templates, by turns, a third of a second apart.
fn lines(seed: u64, is_hostile: bool) -> Lines {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let templates: Vec<Vec<Part>> = (0..=random.next(2)).map(|_| template(&mut random, is_hostile)).collect();
    let mut lines = Lines::default();
    for row in 0..40 + random.next(200) {
        let mut line = Vec::new();
        for part in &templates[random.next(templates.len())] {
            match part {
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Values(values) => values.write(&mut random, row, &mut line),
            }
        }
        // Some are out of order.
        let row = if random.next(10) == 0 { row / 2 } else { row };
        lines.push(Timestamp::from_ns(i64::try_from(row).unwrap() * 333_333_333), &line);
    }
    lines
}

fn clock() -> Clock {
    Clock { now: Timestamp::from_ns(0), zone: TimeZone::UTC, zones: TimeZoneDatabase::bundled() }
}

fn stream() -> Labels {
    Labels::new([("a", "b"), ("user", "root")]).unwrap()
}

/// The answer to a query over lines, added up one by one or, given a block, from its columns; and how many lines were looked
/// at.
fn ask(query: &str, lines: &Lines, block: Option<&[u8]>) -> (String, Looked) {
    let clock = clock();
    let Expr::Metric(expr) = crate::logql::parse(query).unwrap() else { panic!("{query} is no metric query") };
    let evaluation = Evaluation::Range {
        start: Timestamp::from_ns(0),
        end: Timestamp::from_ns(100_000_000_000),
        step_ns: 4_000_000_000,
    };
    let mut metric = MetricQuery::new(&expr, evaluation, TooManySeries::Refuse, &clock).unwrap();
    let labels = stream();
    let mut order: Vec<u32> = (0..u32::try_from(lines.len()).unwrap()).collect();
    order.sort_by_key(|row| lines.timestamps()[*row as usize]);
    let range = &mut metric.ranges()[0];
    let mut worker = range.worker();
    let mut looked = Looked { lines: lines.len(), answered: 0 };
    let pushed = match (block, worker.reads()) {
        (Some(block), Some(reads)) => {
            let block = Block::open(block).unwrap();
            let columns = Columns::new(&block).unwrap();
            let added = add_up(&mut worker, &reads, (&labels, &columns, &order), &Arc::default());
            added.map(|counts| looked = counts).map_err(|problem| match problem {
                Problem::Query(error) => error.to_string(),
                Problem::Block(error) => panic!("{error}"),
            })
        }
        _ => order.iter().try_for_each(|row| {
            let (timestamp, line) = lines.get(*row as usize);
            let entry = Entry { timestamp, labels: &labels, metadata: &[], line };
            worker.push(&entry).map_err(|error| error.to_string())
        }),
    };
    let answer = pushed.and_then(|()| {
        let sum = worker.take();
        let range = &mut metric.ranges()[0];
        range.merge(sum, Timestamp::MAX).map_err(|error| error.to_string())?;
        let (answer, _) = metric.finish().map_err(|error| error.to_string())?;
        Ok(answer)
    });
    (format!("{answer:#?}"), looked)
}

/// Queries that drop lines.
const LOG_QUERIES: &[&str] = &[
    "{a=`b`} | json | level=`error` or status >= 500",
    "{a=`b`} | json | n > 3 and n != 7 or n < 1 | line_format `{{.n}}`",
    "{a=`b`} | json | user!=`` | label_format x=user | x=~`a.*|root`",
    "{a=`b`} | json | __error__!=``",
    "{a=`b`} | json l=`level` | l=`info` | logfmt",
    "{a=`b`} | logfmt | user!=`` | level!=`info`",
    "{a=`b`} | logfmt | took > 20ms",
    "{a=`b`} | pattern `<_> - <_> [<_>] \"<_>\" <status> <_>` | status=`404`",
    "{a=`b`} | detected_level=~`info|warn`",
    "{a=`b`} | drop level | a=`b` | user=`root`",
];

/// Which rows of a block a log query drops by its columns; `None` where these do not tell. And which lines it keeps.
fn drop_rows(query: &str, lines: &Lines, block: &[u8]) -> (Option<Vec<bool>>, Vec<bool>) {
    let Expr::Log(expr) = crate::logql::parse(query).unwrap() else { panic!("{query} is no log query") };
    let options = LogOptions {
        range: TimeRange::ALL,
        direction: Direction::Forward,
        limit: usize::MAX,
        interval_ns: 0,
        categorizes: false,
    };
    let log = LogQuery::new(&expr, options, &clock()).unwrap();
    let (labels, block) = (stream(), Block::open(block).unwrap());
    let columns = Columns::new(&block).unwrap();
    let rows: Vec<u32> = (0..block.line_count()).collect();
    let dropped = log.sieve().map(|Sieve { reads, mut pipeline }| {
        let timestamp = Timestamp::from_ns(0);
        let keeps =
            |line: &[u8]| pipeline.process(&Entry { timestamp, labels: &labels, metadata: &[], line }).is_some();
        let kept = sift(keeps, &reads, (&labels, &columns, rows.clone()), &Arc::default()).unwrap();
        rows.iter().map(|row| kept.binary_search(row).is_err()).collect()
    });
    let mut worker: LogWorker = log.worker();
    worker.begin((Timestamp::MIN, Timestamp::MAX), 0);
    let kept = lines.iter().map(|(timestamp, line)| {
        let before = worker.found_count();
        let entry = Entry { timestamp, labels: &labels, metadata: &[], line };
        assert!(worker.push(&entry).unwrap().is_continue());
        before < worker.found_count()
    });
    let kept = kept.collect();
    (dropped, kept)
}

fn encode(lines: &Lines) -> Vec<u8> {
    Encoder::new().unwrap().encode(&[lines]).unwrap()
}

fn shown(lines: &Lines) -> String {
    lines.iter().take(12).map(|(_, line)| line.escape_ascii().to_string()).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn columns_answer_as_lines_do(seed in any::<u64>(), is_hostile in any::<bool>()) {
        let lines = lines(seed, is_hostile);
        let block = encode(&lines);
        // Some of them, others for each seed.
        for query in QUERIES.iter().skip(usize::from(seed.to_le_bytes()[0] & 1)).step_by(2) {
            let (expected, _) = ask(query, &lines, None);
            let (actual, _) = ask(query, &lines, Some(&block));
            prop_assert_eq!(actual, expected, "{} over\n{}", query, shown(&lines));
        }
    }

    #[test]
    fn columns_drop_no_line_that_a_query_keeps(seed in any::<u64>(), is_hostile in any::<bool>()) {
        let lines = lines(seed, is_hostile);
        let block = encode(&lines);
        for query in LOG_QUERIES {
            let (dropped, kept) = drop_rows(query, &lines, &block);
            let dropped = dropped.expect("columns may tell");
            let is_lost = dropped.iter().zip(&kept).any(|(is_dropped, is_kept)| *is_dropped && *is_kept);
            prop_assert!(!is_lost, "{} over\n{}", query, shown(&lines));
        }
    }
}

/// A template with `#` in place of what varies.
fn parts(text: &str, values: &[Values]) -> Vec<Part> {
    let mut values = values.iter();
    let mut parts = Vec::new();
    for (index, piece) in text.split('#').enumerate() {
        parts.extend(if 0 < index { values.next().copied().map(Part::Values) } else { None });
        parts.push(Part::Text(piece.to_owned()));
    }
    parts
}

/// So many lines of these templates by turns, and so far apart.
fn made(templates: &[Vec<Part>], count: usize, gap_ns: i64) -> Lines {
    let mut random = Random(7);
    let mut lines = Lines::default();
    for row in 0..count {
        let mut line = Vec::new();
        for part in &templates[row % templates.len()] {
            match part {
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Values(values) => values.write(&mut random, row, &mut line),
            }
        }
        lines.push(Timestamp::from_ns(i64::try_from(row).unwrap() * gap_ns), &line);
    }
    lines
}

/// Of many lines of each of these templates, a query looks at so few.
#[track_caller]
fn check_few(query: &str, templates: &[Vec<Part>], looked_at_most: usize) {
    let lines = made(templates, 2000, 33_333_333);
    let (expected, _) = ask(query, &lines, None);
    let (actual, looked) = ask(query, &lines, Some(&encode(&lines)));
    assert_eq!(actual, expected, "{query}");
    assert_eq!(looked.lines + looked.answered, lines.len());
    assert!(looked.lines <= looked_at_most, "{query} looked at {} lines", looked.lines);
}

fn json() -> [Vec<Part>; 2] {
    use Values::{Date, Fraction, Hex, Number, Of};
    [
        parts(r##"{"ts":"#","level":"info","user":"#","n":#,"id":"#"}"##, &[Date, Of(WORDS), Fraction, Hex]),
        parts(r##"{"ts":"#","level":"#","status":#,"path":"/#/#"}"##, &[Date, Of(LEVELS), Of(STATUSES), Number, Hex]),
    ]
}

fn packed() -> [Vec<Part>; 1] {
    use Values::{Date, Number, Of};
    [parts(r##"{"_entry":"# took #","user":"#","n":"#"}"##, &[Date, Number, Of(WORDS), Number])]
}

/// Lines with escaped quotes in a string that no one asks for.
fn quoting() -> [Vec<Part>; 1] {
    let texts = Values::Of(&[r#"\"of the\" disk"#, r#"no \"space\""#, r"C:\\x", "none at all", r#"\"\""#]);
    [parts(
        r##"{"ts":"#","msg":"card declined: #","user":"#","n":#}"##,
        &[Values::Date, texts, Values::Of(WORDS), Values::Small],
    )]
}

fn logfmt() -> [Vec<Part>; 2] {
    use Values::{Date, Fraction, Hex, Number, Of};
    [
        parts("ts=# level=# user=# n=# msg=\"took #\"", &[Date, Of(KNOWN_LEVELS), Of(WORDS), Fraction, Number]),
        parts("ts=# level=info component=cache id=#", &[Date, Hex]),
    ]
}

fn texts() -> [Vec<Part>; 3] {
    use Values::{Address, Clock, Fraction, Hex, Number, Of, Small};
    let request = [Address, Clock, Number, Hex, Of(STATUSES), Number];
    [
        parts("# - - [# +0000] \"GET /#/# HTTP/1.1\" # #", &request),
        parts("2026-03-01 #  INFO [worker-#] c.e.Job : took # ms", &[Clock, Small, Number]),
        parts("2026-03-01 # UTC [#] LOG:  duration: # ms", &[Clock, Number, Fraction]),
    ]
}

const LEVEL: &str = "sum by (level, detected_level) (count_over_time({a=`b`} | drop __error__ [10s]))";

#[test]
fn columns_answer_for_levels_of_fields() {
    check_few(LEVEL, &json(), 20);
    check_few(LEVEL, &logfmt(), 20);
}

#[test]
fn columns_answer_for_levels_of_requests() {
    check_few(LEVEL, &texts()[..1], 20);
}

#[test]
fn columns_answer_for_levels_of_words() {
    check_few(LEVEL, &texts()[1..2], 20);
}

#[test]
fn columns_answer_for_lines_without_levels() {
    check_few(LEVEL, &texts()[2..], 20);
}

#[test]
fn columns_answer_for_counts_and_bytes() {
    check_few("sum(bytes_over_time({a=`b`}[10s]))", &texts(), 10);
    check_few("count_over_time({a=`b`}[10s])", &texts(), 0);
}

#[test]
fn columns_answer_for_fields_of_json() {
    check_few("sum by (level) (count_over_time({a=`b`} | json [10s]))", &json(), 20);
    check_few("sum by (user) (count_over_time({a=`b`} | json | user!=`` [10s]))", &json(), 20);
    check_few("sum by (user) (count_over_time({a=`b`} | json | user!=`` [10s]))", &quoting(), 20);
    check_few("sum by (l) (count_over_time({a=`b`} | json l=`level`, s=`status` | s=~`5..` [10s]))", &json(), 60);
}

#[test]
fn columns_answer_for_numbers() {
    check_few("sum(sum_over_time({a=`b`} | json | n > 7 | unwrap n [10s]))", &json(), 20);
    check_few("quantile_over_time(0.9, {a=`b`} | json | unwrap n [10s]) by ()", &json(), 20);
    check_few("sum(count_over_time({a=`b`} | json | n > 1e9 [10s]))", &json(), 20);
    check_few("sum(sum_over_time({a=`b`} | logfmt | unwrap n [10s]))", &logfmt(), 20);
}

#[test]
fn columns_answer_for_fields_of_logfmt() {
    check_few("sum by (level) (count_over_time({a=`b`} | logfmt | user!=`` [10s]))", &logfmt(), 40);
}

/// What a query drops is dropped by columns, but for as many lines as it may look at.
#[track_caller]
fn check_dropped(query: &str, templates: &[Vec<Part>]) {
    let lines = made(templates, 2000, 33_333_333);
    let (dropped, kept) = drop_rows(query, &lines, &encode(&lines));
    let dropped = dropped.expect("columns may tell").iter().filter(|is_dropped| **is_dropped).count();
    assert_eq!(dropped, kept.iter().filter(|is_kept| !**is_kept).count(), "{query}");
    assert!(0 < dropped, "{query}");
}

#[test]
fn columns_drop_lines() {
    check_dropped("{a=`b`} | json | n > 1e9", &json());
    check_dropped("{a=`b`} | json | level=`error` | line_format `{{.path}}`", &json());
    check_dropped("{a=`b`} | json l=`level` | l=`error`", &json());
    check_dropped("{a=`b`} | logfmt | user=`beta1`", &logfmt());
    check_dropped("{a=`b`} | detected_level=`error`", &texts()[..1]);
}

#[test]
fn bytes_of_whole_stretches_need_no_columns() {
    let lines = made(&texts(), 4000, 20_000_000);
    let block = encode(&lines);
    let query = "sum(bytes_over_time({a=`b`}[10s]))";
    assert_eq!(ask(query, &lines, Some(&block)).0, ask(query, &lines, None).0);
    let block = Block::open(&block[..]).unwrap();
    let at = |seconds: i64| Timestamp::from_ns(seconds * 1_000_000_000);
    let bytes = Columns::new(&block).unwrap().bytes_between(Timestamp::from_ns(at(10).as_ns() + 1), at(12)).unwrap();
    let inside = lines.iter().filter(|(timestamp, _)| at(10) < *timestamp && *timestamp <= at(12));
    assert_eq!(bytes, Some(inside.map(|(_, line)| line.len() as u64).sum()));
}

#[test]
fn columns_answer_for_packed_lines() {
    check_few("sum by (user) (count_over_time({a=`b`} | unpack [10s]))", &packed(), 20);
    check_few(
        "sum(count_over_time({a=`b`} | unpack | user=`beta1` [10s]))",
        &[packed()[0].clone(), json()[0].clone()],
        20,
    );
    let lines = made(&packed(), 200, 33_333_333);
    let looked = |query: &str| ask(query, &lines, Some(&encode(&lines))).1.lines;
    assert_eq!(looked("sum(bytes_over_time({a=`b`} | unpack [10s]))"), lines.len(), "of the line that is in the line");
}

#[test]
fn columns_answer_for_patterns() {
    let pattern = "sum by (s) (count_over_time({a=`b`} | pattern `<_> - <_> [<_>] \"<_>\" <s> <_>` [10s]))";
    check_few(pattern, &texts()[..1], 20);
}

/// What columns cannot answer for is looked at line by line, within the same block.
#[test]
fn hostile_values_are_looked_at_line_by_line() {
    let mixed = [
        parts(r##"{"level":"#","n":#}"##, &[Values::Of(LEVELS), Values::Small]),
        parts(r##"{"msg":"#","n":#}"##, &[Values::Of(HOSTILE), Values::Number]),
    ];
    check_few(
        "sum by (level) (count_over_time({a=`b`} | json | drop __error__, __error_details__ [10s]))",
        &mixed,
        1500,
    );
}
