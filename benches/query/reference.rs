//! ripgrep, and whether it comes to the same answer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What `command` prints. ripgrep says by its status that it found nothing, so the status says nothing.
pub(crate) fn run(command: &str, logs: &Path) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(logs).env("RIPGREP_CONFIG_PATH", "");
    let output = shell.output().expect("there is a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{command}: {errors} (ripgrep and awk are needed)");
    String::from_utf8(output.stdout).expect("generated logs are text")
}

/// What was compared, or how it differs.
type Checked = Result<String, String>;

fn same<T: PartialEq + std::fmt::Debug>(actual: &T, expected: &T, what: String) -> Checked {
    if actual == expected { Ok(what) } else { Err(format!("{actual:?} rather than {expected:?}")) }
}

pub(crate) fn same_lines(answer: &Value, output: &str) -> Checked {
    let values = results(answer).flat_map(|stream| stream["values"].as_array().into_iter().flatten());
    let mut actual: Vec<&str> = values.filter_map(|value| value[1].as_str()).collect();
    let mut expected: Vec<&str> = output.lines().collect();
    actual.sort_unstable();
    expected.sort_unstable();
    same(&actual, &expected, format!("{} lines", expected.len()))
}

/// As many lines as there are, or as an answer may have.
pub(crate) fn as_many_lines(answer: &Value, output: &str, limit: usize) -> Checked {
    let actual: usize = results(answer).map(|stream| stream["values"].as_array().map_or(0, Vec::len)).sum();
    let expected = output.lines().count();
    same(&actual, &expected.min(limit), format!("{actual} of {expected} lines"))
}

pub(crate) fn same_counts(answer: &Value, label: &str, output: &str) -> Checked {
    let mut actual = BTreeMap::new();
    for series in results(answer) {
        let value = series["metric"][label].as_str().unwrap_or_default();
        *actual.entry(value).or_insert(0.0) += numbers(series).sum::<f64>();
    }
    let count = |line: &'_ str| Some(line.trim_start().split_once(' ')?.0.parse().expect("a count comes first"));
    let expected: BTreeMap<&str, f64> =
        output.lines().filter_map(|line| Some((line.trim_start().split_once(' ')?.1, count(line)?))).collect();
    same(&actual, &expected, format!("{} values", expected.len()))
}

pub(crate) fn same_total(answer: &Value, output: &str) -> Checked {
    let actual: f64 = results(answer).flat_map(numbers).sum();
    let expected: f64 = output.trim().parse().expect("a number is printed");
    same(&actual, &expected, format!("{expected}"))
}

pub(crate) fn same_value(answer: &Value, output: &str) -> Checked {
    let actual = results(answer).flat_map(numbers).next().ok_or("there is no number")?;
    let expected: f64 = output.trim().parse().expect("a number is printed");
    let differs = 1e-9 * expected.abs() < (actual - expected).abs() - 1e-6;
    if differs { Err(format!("{actual} rather than {expected}")) } else { Ok(format!("{expected}")) }
}

fn results(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["data"]["result"].as_array().into_iter().flatten()
}

/// The numbers of a series at all times.
fn numbers(series: &Value) -> impl Iterator<Item = f64> + use<'_> {
    let points = series["values"].as_array().into_iter().flatten().chain(series.get("value"));
    points.filter_map(|point| point[1].as_str()?.parse::<f64>().ok())
}
