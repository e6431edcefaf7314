//! What is asked, and how the same is said with ripgrep.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::corpus::Corpus;
use crate::needles::Needles;

/// A range of time, in seconds since the Unix epoch.
pub(crate) type Times = (u64, u64);
/// Most lines of an answer.
pub(crate) const LINES_MAX: usize = 1000;

/// A question and what it is measured by.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) target: String,
    /// Bytes of the files that the question is about.
    pub(crate) bytes: u64,
    /// A shell command over the files in the current directory that says the same, if there is one.
    pub(crate) reference: Option<String>,
    pub(crate) checks: Checks,
}

/// What the answer and the reference have to have in common.
#[derive(Clone, Copy)]
pub(crate) enum Checks {
    /// The lines.
    Lines,
    /// How many lines there are, as far as an answer goes.
    FirstLines,
    /// The counts of `uniq -c` by the values of this label.
    Counts(&'static str),
    /// The sum of all numbers.
    Total,
    /// The one number.
    Value,
}

const ALL: &str = r#"{path=~".+"}"#;
const JSON: &str = r#"{path=~".+json.+"}"#;
const LOGFMT: &str = r#"{path=~".+logfmt.+"}"#;
const NGINX: &str = r#"{path=~".+nginx.+"}"#;

/// What is asked of every corpus.
pub(crate) fn on_each(corpus: &Corpus, times: Times) -> Vec<Case> {
    let needles = Needles::of(&corpus.files);
    let case = |name, target, reference: &str, checks| Case {
        name,
        target,
        bytes: corpus.bytes,
        reference: Some(reference.to_owned()).filter(|text| !text.is_empty()),
        checks,
    };
    // Most steps that an answer may have are 11,000.
    let step = format!("{}s", ((times.1 - times.0) / 2000).max(60));
    let lines = |filter: &str| range(&format!("{ALL} {filter}"), times, &step, LINES_MAX);
    let contains = |needle: &str| lines(&format!("|= {needle:?}"));
    let rg = |needle: &str| format!("rg -INF -- '{needle}' .");
    let counts = |query: &str| range(&query.replace("[step]", &format!("[{step}]")), times, &step, 100);
    let Needles { rare, common, several } = &needles;
    let reversed: Vec<&str> = several.rsplit(' ').collect();
    let reversed = reversed.join(" ");
    println!("rare: {rare}, 1 %: {common}, several words: {several}, step: {step}");
    let count_lines = |arguments: &str| format!("rg -Ic {arguments} . | awk '{{ sum += $1 }} END {{ print sum + 0 }}'");
    vec![
        case("absent word", contains("zq-no-such-needle"), &rg("zq-no-such-needle"), Checks::Lines),
        case("absent hexadecimal id", contains("deadbeef00c0ffee"), &rg("deadbeef00c0ffee"), Checks::Lines),
        case("rare id", contains(rare), &rg(rare), Checks::Lines),
        case("several words", contains(several), &rg(several), Checks::FirstLines),
        case("the same words in another order", contains(&reversed), &rg(&reversed), Checks::FirstLines),
        case("first 1000 of a word in 1 %", contains(common), "", Checks::FirstLines),
        case("last 1000 lines", lines(""), "", Checks::FirstLines),
        case(
            "several words, count",
            counts(&format!("sum(count_over_time({ALL} |= {several:?} [step]))")),
            &count_lines(&format!("-F -- '{several}'")),
            Checks::Total,
        ),
        case(
            "expression without literals, count",
            counts(&format!(r#"sum(count_over_time({ALL} |~ "[a-z]{{5}}[0-9]{{4}}[^0-9]" [step]))"#)),
            &count_lines("'[a-z]{5}[0-9]{4}[^0-9]'"),
            Checks::Total,
        ),
        case(
            "count by step of everything",
            counts(&format!("sum(count_over_time({ALL}[step]))")),
            &count_lines("''"),
            Checks::Total,
        ),
        case(
            "log volume by step and detected level",
            counts(&format!("sum by (level, detected_level) (count_over_time({ALL} | drop __error__[step]))")),
            &count_lines("''"),
            Checks::Total,
        ),
        case(
            "lines with an address",
            lines(r#"|= ip("198.18.77.0/24")"#),
            r"rg -IN '(^|[^0-9.:a-fA-F])198[.]18[.]77[.][0-9]{1,3}($|[^0-9.])' .",
            Checks::FirstLines,
        ),
    ]
}

/// Every case of the mixed corpus alone.
#[expect(clippy::too_many_lines, reason = "it is a list")]
pub(crate) fn of_mixed(logs: &Path, corpus: &Corpus, asked: Times) -> Vec<Case> {
    let needle = needle(logs);
    let kind = |name: &str| {
        let of_kind = corpus.files.iter().filter(|file| file.to_string_lossy().contains(name));
        of_kind.map(|file| file.metadata().expect("it was written").len()).sum()
    };
    let case = |name, (bytes, target), reference: &str, checks| Case {
        name,
        target,
        bytes,
        reference: Some(reference.to_owned()).filter(|text| !text.is_empty()),
        checks,
    };
    let (all, json, logfmt, nginx) = (corpus.bytes, kind("json-"), kind("logfmt-"), kind("nginx-"));
    let lines = |bytes, query: &str| (bytes, range(query, asked, "1m", LINES_MAX));
    let minutes = |bytes, query: &str| (bytes, range(query, asked, "1m", 100));
    let whole = |bytes, query: &str| (bytes, instant(query, asked));
    let other = |target: &str| (all, format!("{target}{}", times(asked)));
    vec![
        case("needle", lines(all, &format!(r#"{ALL} |= "{needle}""#)), &format!("rg -INF '{needle}' ."), Checks::Lines),
        case(
            "absent needle",
            lines(all, &format!(r#"{ALL} |= "zq-no-such-needle""#)),
            "rg -INF zq-no-such-needle .",
            Checks::Lines,
        ),
        case("first 1000 of a filter", lines(all, &format!(r#"{ALL} |= "error""#)), "", Checks::Lines),
        case("first 1000, no filter", lines(all, ALL), "", Checks::Lines),
        case(
            "first 1000 of filter, json, label filters",
            lines(json, &format!(r#"{JSON} |= "declined" | json | level="error" | retry > 10"#)),
            "",
            Checks::Lines,
        ),
        case(
            "json and a label filter that nothing passes",
            lines(json, &format!("{JSON} | json | duration_ms > 1e9")),
            r#"rg -IN '"duration_ms":[0-9]{10}' ."#,
            Checks::Lines,
        ),
        case(
            "count of filter, json, label filters",
            whole(
                json,
                &format!(r#"sum(count_over_time({JSON} |= "declined" | json | level="error" | retry > 10 [25h]))"#),
            ),
            r#"rg -IN '"msg":"card declined.*"retry":([2-9][0-9]|1[1-9])\}' . | wc -l"#,
            Checks::Total,
        ),
        case(
            "count by minute of everything",
            minutes(all, &format!("sum(count_over_time({ALL}[1m]))")),
            "rg -Ic '' . | awk '{ sum += $1 } END { print sum + 0 }'",
            Checks::Total,
        ),
        case("rate, windows that overlap, by stream", minutes(all, &format!("rate({ALL}[5m])")), "", Checks::Total),
        case("bytes by minute", minutes(all, &format!("sum(bytes_over_time({ALL}[1m]))")), "", Checks::Total),
        case(
            "count by minute of a filter",
            minutes(all, &format!(r#"sum(count_over_time({ALL} |= "error" [1m]))"#)),
            "rg -IcF error . | awk '{ sum += $1 } END { print sum + 0 }'",
            Checks::Total,
        ),
        case(
            "count by minute of an expression",
            minutes(all, &format!(r#"sum(count_over_time({ALL} |~ "(?i)timeout|refused" [1m]))"#)),
            "rg -Ic '(?i)timeout|refused' . | awk '{ sum += $1 } END { print sum + 0 }'",
            Checks::Total,
        ),
        case(
            "log volume by detected level",
            minutes(all, &format!("sum by (level, detected_level) (count_over_time({ALL} | drop __error__[1m]))")),
            "",
            Checks::Total,
        ),
        case(
            "count by minute and level, json",
            minutes(json, &format!("sum by (level) (count_over_time({JSON} | json [1m]))")),
            r#"rg -INo '"level":"([a-z]+)"' -r '$1' . | LC_ALL=C sort | uniq -c"#,
            Checks::Counts("level"),
        ),
        case(
            "count of a level, json",
            whole(json, &format!(r#"sum(count_over_time({JSON} | json | level="error" [25h]))"#)),
            r#"rg -INF '"level":"error"' . | wc -l"#,
            Checks::Total,
        ),
        case(
            "count by minute and component, logfmt",
            minutes(
                logfmt,
                &format!(r#"sum by (component) (count_over_time({LOGFMT} | logfmt | component!="" [1m]))"#),
            ),
            "rg -INo 'component=([a-z]+)' -r '$1' -g '*logfmt*' . | LC_ALL=C sort | uniq -c",
            Checks::Counts("component"),
        ),
        case(
            "count by status, pattern",
            whole(
                nginx,
                &format!(r#"sum by (status) (count_over_time({NGINX} | pattern "<_>] \"<_>\" <status> <_>" [25h]))"#)
                    .replace("<_>] ", "<_> - <_> [<_>] "),
            ),
            r#"rg -INo '" ([0-9]{3}) [0-9]+ "' -r '$1' -g '*nginx*' . | LC_ALL=C sort | uniq -c"#,
            Checks::Counts("status"),
        ),
        case(
            "topk of users, json",
            whole(json, &format!(r#"topk(10, sum by (user) (count_over_time({JSON} | json | user!="" [25h])))"#)),
            r#"rg -INo '"user":"([^"]+)"' -r '$1' . | LC_ALL=C sort | uniq -c | sort -rn | head -10"#,
            Checks::Counts("user"),
        ),
        case(
            "quantile_over_time of a field, json",
            whole(json, &format!("quantile_over_time(0.99, {JSON} | json | unwrap duration_ms [25h]) by ()")),
            r#"rg -INo '"duration_ms":([0-9.]+)' -r '$1' . | LC_ALL=C sort -g |
               awk '{ v[NR - 1] = $1 } END { r = 0.99 * (NR - 1); i = int(r); f = r - i;
                      printf "%.6f", v[i] * (1 - f) + v[i + (i < NR - 1)] * f }'"#,
            Checks::Value,
        ),
        case(
            "sum by minute of a field, json",
            minutes(json, &format!("sum(sum_over_time({JSON} | json | unwrap duration_ms [1m]))")),
            "",
            Checks::Value,
        ),
        case("labels", other("/loki/api/v1/labels?"), "", Checks::Lines),
        case("series", other("/loki/api/v1/series?match[]=%7B%7D&"), "", Checks::Lines),
        case("index/stats", other("/loki/api/v1/index/stats?query=%7B%7D&"), "", Checks::Lines),
    ]
}

/// A request's id in the middle of a JSON log.
fn needle(logs: &Path) -> String {
    let path = logs.join("json-0.log");
    let length = path.metadata().expect("it was written").len();
    let mut file = File::open(path).expect("it was written");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(length / 2)).expect("it is a file");
    let mut lines = BufReader::new(file).lines().map(|line| line.expect("it is text"));
    lines
        .find_map(|line| Some(line.split_once(r#""request_id":""#)?.1.get(..16)?.to_owned()))
        .expect("requests are frequent")
}

fn times((start, end): Times) -> String {
    format!("start={start}&end={end}")
}

fn range(query: &str, asked: Times, step: &str, limit: usize) -> String {
    format!("/loki/api/v1/query_range?query={}&{}&step={step}&limit={limit}", encoded(query), times(asked))
}

fn instant(query: &str, (_, end): Times) -> String {
    format!("/loki/api/v1/query?query={}&time={end}", encoded(query))
}

/// Percent-encodes all but letters and digits.
fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
