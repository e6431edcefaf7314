//! Numbers of a query: as a table, as CSV, as JSON, as a chart.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::arguments::QueryOptions;
use super::format::{INTO_TEXT, Times};
use super::http::Agent;
use super::records::Labels;
use super::{Error, Result, terminal};

/// Rows of a chart.
const CHART_LINES: u32 = 6;
/// Eighths of a cell, from none to all.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns that a chart leaves to its figures.
const FIGURE_COLUMNS: usize = 14;
/// Least columns of a chart.
const CHART_COLUMNS_MIN: usize = 16;
/// Where numbers of one time are asked for.
const INSTANT_PATH: &str = "/loki/api/v1/query";
/// Most charts of one answer.
const CHARTS_MAX: usize = 20;

/// A series: its labels, and its numbers by their times in nanoseconds since the Unix epoch.
#[derive(Debug, Default)]
struct Series {
    labels: Labels,
    points: Vec<(i64, String)>,
}

#[derive(Deserialize)]
struct RawSeries {
    metric: Labels,
    #[serde(default)]
    values: Vec<(f64, String)>,
    value: Option<(f64, String)>,
}

/// Runs a query that makes numbers.
pub(super) fn run(options: &QueryOptions, agent: &Agent) -> Result<()> {
    let is_known = matches!(options.output.as_str(), "default" | "csv" | "json");
    if !is_known {
        return Err(Error::Usage(format!("-o '{}' is for lines; numbers are default, csv or json", options.output)));
    }
    let (from, to) = (options.from.as_deref().map(instant), options.to.as_deref().map(instant));
    let mut parameters = vec![("query", options.query.as_str())];
    let path = if options.instant {
        parameters.extend(to.as_deref().map(|to| ("time", to)));
        INSTANT_PATH
    } else {
        parameters.extend(from.as_deref().map(|from| ("start", from)));
        parameters.extend(to.as_deref().map(|to| ("end", to)));
        parameters.extend(options.step.as_deref().map(|step| ("step", step)));
        "/loki/api/v1/query_range"
    };
    let mut answer = agent.json(path, &parameters)?;
    let data = answer["data"].take();
    let is_json = options.output == "json";
    let text = if is_json { format!("{data}\n") } else { String::new() };
    let series = read(&data).ok_or_else(|| unknown(path))?;
    let times = Times::new(None, &options.appearance)?;
    let text = match options.output.as_str() {
        _ if is_json => text,
        "csv" => csv(&rows(&series, &times)),
        _ if options.chart => charts(&series, &times),
        _ => aligned(&rows(&series, &times)),
    };
    let is_empty = series.is_empty();
    if is_json || !is_empty {
        terminal::print(&text)?;
    }
    if options.fail_empty && is_empty { Err(Error::Failed) } else { Ok(()) }
}

/// What a query adds up by now: series by their labels, in whole numbers.
pub(super) fn sums(agent: &Agent, query: &str) -> Result<Vec<(Labels, u64)>> {
    let mut answer = agent.json(INSTANT_PATH, &[("query", query)])?;
    let series = read(&answer["data"].take()).ok_or_else(|| unknown(INSTANT_PATH))?;
    let sum = |series: Series| {
        let sum = series.points.first().and_then(|(_, number)| number.parse().ok()).unwrap_or_default();
        (series.labels, sum)
    };
    Ok(series.into_iter().map(sum).collect())
}

fn unknown(path: &str) -> Error {
    Error::Agent(format!("{path} answers what this version does not know"))
}

/// A time as Loki takes it: so long ago becomes nanoseconds since the Unix epoch.
pub(super) fn instant(text: &str) -> String {
    let ago = text.parse::<Span>().ok().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let then = ago.and_then(|ago| Timestamp::now().checked_sub(ago.abs()).ok());
    then.map_or_else(|| text.to_owned(), |then| then.as_nanosecond().to_string())
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of this era, to the microsecond as numbers have them")]
fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64 * 1000
}

/// The series of Loki's `data`; `None` where it is none of its kinds.
fn read(data: &Value) -> Option<Vec<Series>> {
    match data["resultType"].as_str()? {
        "matrix" | "vector" => {
            let raw = Vec::<RawSeries>::deserialize(&data["result"]).ok()?;
            let series = raw.into_iter().map(|raw| {
                let points = raw.values.into_iter().chain(raw.value);
                Series { labels: raw.metric, points: points.map(|(time, value)| (nanoseconds(time), value)).collect() }
            });
            Some(series.collect())
        }
        "scalar" => {
            let (time, value) = <(f64, String)>::deserialize(&data["result"]).ok()?;
            Some(vec![Series { points: vec![(nanoseconds(time), value)], ..Series::default() }])
        }
        _ => None,
    }
}

/// A row for each number, after one of titles: the time, the labels' values, the number.
fn rows(series: &[Series], times: &Times) -> Vec<Vec<String>> {
    let names: BTreeSet<&String> = series.iter().flat_map(|series| series.labels.keys()).collect();
    let titles = ["time"].into_iter().map(str::to_owned).chain(names.iter().map(ToString::to_string));
    let mut rows = vec![titles.chain(["value".to_owned()]).collect()];
    for series in series {
        for (time, value) in &series.points {
            let labels = names.iter().map(|name| series.labels.get(*name).cloned().unwrap_or_default());
            rows.push([times.text(*time)].into_iter().chain(labels).chain([value.clone()]).collect());
        }
    }
    rows
}

fn csv(rows: &[Vec<String>]) -> String {
    let field = |text: &String| {
        let needs_quotes = text.contains(['"', ',', '\n', '\r']);
        if needs_quotes { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() }
    };
    rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join(",") + "\n").collect()
}

/// A table whose columns are aligned; the first row has titles.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    use std::io::Write as _;
    // What is aligned by tabs can have none of its own.
    let plain = |text: &String| text.replace(['\t', '\n', '\r'], " ");
    let text: String = rows.iter().map(|row| row.iter().map(plain).collect::<Vec<_>>().join("\t") + "\n").collect();
    let mut writer = tabwriter::TabWriter::new(Vec::new()).padding(2);
    writer.write_all(text.as_bytes()).expect("memory takes it");
    let bytes = writer.into_inner().unwrap_or_else(|_| text.into_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A chart for each series, with its labels above it.
fn charts(series: &[Series], times: &Times) -> String {
    let columns = terminal::width().saturating_sub(FIGURE_COLUMNS).max(CHART_COLUMNS_MIN);
    let mut out = String::new();
    for series in series.iter().take(CHARTS_MAX) {
        let (Some((first, _)), Some((last, newest))) = (series.points.first(), series.points.last()) else { continue };
        let labels: Vec<String> =
            series.labels.iter().map(|(name, value)| format!("{name}={}", super::target::quoted(value))).collect();
        let numbers: Vec<f64> = series.points.iter().map(|(_, value)| value.parse().unwrap_or(f64::NAN)).collect();
        let (first, last) = (times.text(*first), times.text(*last));
        writeln!(out, "{{{}}} {newest}\n{}{first} to {last}\n", labels.join(", "), bars(&numbers, columns))
            .expect(INTO_TEXT);
    }
    if CHARTS_MAX < series.len() {
        terminal::say(&format!("{CHARTS_MAX} of {} series are shown; sum them, or use topk", series.len()));
    }
    out
}

/// Numbers as bars from 0 up or down to the greatest; of several that share a column the greatest is shown. No library draws
/// this: those that do have been left, or bring licences that ours does not go with.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a height of a few dozen, and at least 0")]
fn bars(numbers: &[f64], columns: usize) -> String {
    let per_column = numbers.len().div_ceil(columns).max(1);
    let greatest =
        |numbers: &[f64]| numbers.iter().copied().filter(|n| n.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    let columns: Vec<f64> = numbers.chunks(per_column).map(greatest).collect();
    let top = greatest(&columns).max(0.0);
    let bottom = columns.iter().copied().filter(|n| n.is_finite()).fold(0.0, f64::min);
    let height = |number: f64| {
        let part = if bottom < top && number.is_finite() { (number - bottom) / (top - bottom) } else { 0.0 };
        (part * f64::from(CHART_LINES * 8)).round() as u32
    };
    let mut out = String::new();
    for row in (0..CHART_LINES).rev() {
        let block = |number: &f64| BLOCKS[height(*number).saturating_sub(row * 8).min(8) as usize];
        out.extend(columns.iter().map(block));
        let figure = if row == CHART_LINES - 1 { Some(top) } else { Some(bottom).filter(|_| row == 0) };
        writeln!(out, " {}", figure.map(|figure| figure.to_string()).unwrap_or_default()).expect(INTO_TEXT);
    }
    out.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::arguments::Appearance;
    use super::*;

    #[test]
    fn numbers_are_rows_of_time_labels_and_value() {
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"app": "a,\"b\""}, "values": [[1.5, "1"], [2, "20"]]},
            {"metric": {"zone": "x"}, "values": [[2, "3"]]},
        ]});
        let appearance = Appearance { color: "never".into(), timezone: Some("UTC".into()) };
        let rows = rows(&read(&data).unwrap(), &Times::new(None, &appearance).unwrap());
        let expected = "time,app,zone,value\n1970-01-01T00:00:01.5+00:00,\"a,\"\"b\"\"\",,1\n\
                        1970-01-01T00:00:02+00:00,\"a,\"\"b\"\"\",,20\n1970-01-01T00:00:02+00:00,,x,3\n";
        assert_eq!(csv(&rows), expected);
        assert_eq!(aligned(&[vec!["a".into(), "b".into()], vec!["long".into(), "1".into()]]), "a     b\nlong  1\n",);
    }

    #[test]
    fn bars_reach_from_nothing_to_the_greatest() {
        let chart = bars(&[0.0, 3.0, f64::NAN, 6.0], 80);
        assert_eq!(chart, "   █ 6\n   █\n   █\n █ █\n █ █\n █ █ 0\n");
        assert_eq!(bars(&[1.0, 2.0, 3.0, 4.0], 2).lines().last(), Some("██ 0"));
        assert_eq!(bars(&[], 10).lines().count(), 6);
    }
}
