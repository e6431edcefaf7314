//! `labels`, `series`, `fields` and `patterns`: what there is to ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::arguments::{LabelsOptions, Search, SeriesOptions};
use super::format::Times;
use super::http::Agent;
use super::numbers::{aligned, instant};
use super::records::name;
use super::target::{Stream, streams};
use super::{Result, terminal};

/// All streams.
const ALL: &str = "{service_name=~\".+\"}";

/// Runs `labels`.
pub(super) fn labels(options: &LabelsOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let known = values(&streams(&agent, &[("steps", "1")])?.streams);
    let names: Vec<&String> = match &options.name {
        None => known.keys().collect(),
        Some(name) => known.get(name).into_iter().flatten().collect(),
    };
    list(&names, &options.listing.output)
}

/// The values of each label.
pub(super) fn values(streams: &[Stream]) -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for stream in streams {
        let service = ("service_name".to_owned(), stream.service.clone());
        for (name, value) in stream.labels.clone().into_iter().chain([service]) {
            known.entry(name).or_default().insert(value);
        }
    }
    known
}

fn list(names: &[&String], form: &str) -> Result<()> {
    let text = match form {
        "json" => format!("{}\n", json!(names)),
        _ => names.iter().flat_map(|name| [name.as_str(), "\n"]).collect(),
    };
    Ok(terminal::print(&text)?)
}

/// Runs `series`.
pub(super) fn series(options: &SeriesOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let selector = options.selector.as_deref().unwrap_or(ALL);
    let parameters = [("query", selector), ("steps", "1")];
    if options.listing.output == "json" {
        let answer = agent.json("/api/v1/streams", &parameters)?;
        return Ok(terminal::print(&format!("{}\n", answer["streams"]))?);
    }
    let times = Times::new(Some("%Y-%m-%dT%H:%M:%S%:z"), &options.appearance)?;
    let time = |text: &str| text.parse().map(|ns| times.text(ns)).unwrap_or_default();
    let row = |stream: &Stream| {
        let (lines, bytes) = (stream.lines.to_string(), bytes(stream.bytes));
        let (first, last) = (time(&stream.first), time(&stream.last));
        vec![name(&stream.labels), lines, bytes, first, last, stream.state.clone()]
    };
    let titles = ["STREAM", "LINES", "BYTES", "FIRST", "LAST", "STATE"].map(str::to_owned).to_vec();
    let rows: Vec<_> = [titles].into_iter().chain(streams(&agent, &parameters)?.streams.iter().map(row)).collect();
    Ok(terminal::print(&aligned(&rows))?)
}

/// Asks one of Loki's routes that look at lines.
fn look(search: &Search, path: &str) -> Result<Value> {
    let agent = Agent::new(&search.connection)?;
    let (from, to) = (instant(&search.from), search.to.as_deref().map(instant));
    let mut parameters = vec![("query", search.query.as_deref().unwrap_or(ALL)), ("start", from.as_str())];
    parameters.extend(to.as_deref().map(|to| ("end", to)));
    agent.json(path, &parameters)
}

fn show(search: &Search, answer: &Value, mut rows: Vec<Vec<String>>, titles: &[&str]) -> Result<()> {
    if search.listing.output == "json" {
        return Ok(terminal::print(&format!("{answer}\n"))?);
    }
    rows.insert(0, titles.iter().map(ToString::to_string).collect());
    Ok(terminal::print(&aligned(&rows))?)
}

/// Runs `fields`.
pub(super) fn fields(search: &Search) -> Result<()> {
    let answer = look(search, "/loki/api/v1/detected_fields")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |field: &Value| {
        let parsers = field["parsers"].as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(",");
        vec![text(&field["label"]), text(&field["type"]), field["cardinality"].to_string(), parsers]
    };
    let rows = answer["fields"].as_array().into_iter().flatten().map(row).collect();
    show(search, &answer["fields"], rows, &["FIELD", "TYPE", "VALUES", "PARSER"])
}

/// Runs `patterns`.
pub(super) fn patterns(search: &Search) -> Result<()> {
    let answer = look(search, "/loki/api/v1/patterns")?;
    let count = |pattern: &Value| -> u64 {
        pattern["samples"].as_array().into_iter().flatten().filter_map(|sample| sample[1].as_u64()).sum()
    };
    let mut patterns: Vec<(u64, &str)> = answer["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|pattern| (count(pattern), pattern["pattern"].as_str().unwrap_or_default()))
        .collect();
    patterns.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let rows = patterns.into_iter().map(|(count, pattern)| vec![count.to_string(), pattern.to_owned()]).collect();
    show(search, &answer["data"], rows, &["LINES", "PATTERN"])
}

/// A size in the unit that people say it in.
pub(super) fn bytes(bytes: u64) -> String {
    let unit = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")].into_iter().find(|(shift, _)| 1 << shift <= bytes);
    let Some((shift, unit)) = unit else { return format!("{bytes} B") };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_have_one_decimal() {
        let sizes =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 30, "1.0 GiB"), (u64::MAX, "16777215.9 TiB")];
        assert_eq!(sizes.map(|(size, _)| bytes(size)), sizes.map(|(_, text)| text.to_owned()));
    }
}
