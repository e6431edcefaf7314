//! What a pipeline leaves out because nobody looks at it: labels, work, and with the work its errors.

use std::sync::Arc;

use super::{Input, Needed, NeededLabels, line, run, stages};
use crate::logql::stages::wanted_after;

fn only(names: &[&str]) -> Needed {
    Needed { labels: NeededLabels::Only(names.iter().map(|name| (*name).to_owned()).collect()), level: false }
}

/// What comes of a line if only the labels `names` are needed.
#[track_caller]
fn check(text: &str, names: &[&str], input: Input<'_>, expected: Option<&str>) {
    assert_eq!(run(text, &only(names), input).as_deref(), expected, "{text} for {names:?}");
}

#[test]
fn a_parser_that_nobody_needs_does_not_run() {
    check("| json", &[], line("x"), Some("x |"));
    check("| json", &["a"], line("x"), Some("x | __error__=JSONParserErr __error_details__=expected '{' at byte 0"));
    check("| json | logfmt | regexp `(?P<a>x)`", &["b"], line("{}"), Some("{} |"));
    let of_stream = Input { stream: &[("a", "1")], metadata: &[], line: "x" };
    check("| json", &["a"], of_stream, Some("x | a=1"));
}

#[test]
fn a_parser_stops_when_it_has_what_is_needed() {
    check("| json", &["a"], line(r#"{"a":1,"#), Some(r#"{"a":1, | a=1"#));
    check("| logfmt --strict", &["a"], line("a=1 b==2"), Some("a=1 b==2 | a=1"));
    check(
        "| json",
        &["a_b"],
        line(r#"{"x":{"y":1},"a":{"c":2,"b":3},x"#),
        Some(r#"{"x":{"y":1},"a":{"c":2,"b":3},x | a_b=3"#),
    );
}

#[test]
fn what_stages_look_at_is_needed() {
    check(r#"| json | a="1""#, &[], line(r#"{"a":1}"#), Some(r#"{"a":1} |"#));
    check(
        "| json | line_format `{{.a}}{{.b.c}}`",
        &[],
        line(r#"{"a":1}"#),
        Some(
            r#"{"a":1} | __error__=TemplateFormatErr __error_details__=template: line:1:8: executing "line" at <.b.c>: can't evaluate field c in type string"#,
        ),
    );
    check("| json | line_format `{{.}}`", &[], line(r#"{"a":1}"#), Some("map[a:1 detected_level:unknown] |"));
    check("| logfmt | label_format b=a", &["b"], line("a=1 c=2"), Some("a=1 c=2 | b=1"));
    check("| logfmt | unwrap a", &[], line("a=1"), Some("a=1 | -> 1"));
    check(r#"| logfmt | drop a="1""#, &["b"], line("a=1 b=2"), Some("a=1 b=2 | b=2"));
}

#[test]
fn asking_for_errors_asks_for_all() {
    let expected = r#"{"a":1, | __error__=JSONParserErr __error_details__=expected a key at byte 7"#;
    check("| json", &["__error__"], line(r#"{"a":1,"#), Some(expected));
    check(r#"| json | __error__="""#, &[], line("x"), None);
}

#[test]
fn a_name_after_a_clash_is_found_by_the_name_in_the_line() {
    let input = Input { stream: &[("a", "s")], metadata: &[], line: "a=p" };
    check("| logfmt", &["a_extracted"], input, Some("a=p | a_extracted=p"));
    check("| logfmt", &["a", "a_extracted"], input, Some("a=p | a=s a_extracted=p"));
    check("| logfmt", &["a"], input, Some("a=p | a=s"));
    check("| regexp `(?P<a>.)$`", &["a_extracted"], input, Some("a=p | a_extracted=p"));
}

/// What comes of a line if everything is needed, also the level.
#[track_caller]
fn check_level(text: &str, input: Input<'_>, expected: Option<&str>) {
    assert_eq!(run(text, &Needed::EVERYTHING, input).as_deref(), expected, "{text}");
}

#[test]
fn the_level_is_there_where_it_is_needed() {
    check_level("", line("an error"), Some("an error | detected_level=error"));
    check_level("| line_format `warn`", line("info"), Some("warn | detected_level=info"));
    let known = Input { stream: &[], metadata: &[("detected_level", "x")], line: "error" };
    check_level("", known, Some("error | detected_level=x"));
    check("", &["detected_level"], line("warn"), Some("warn | detected_level=warn"));
    check("", &["a"], line("warn"), Some("warn |"));
}

#[test]
fn stages_see_the_level_if_they_look_at_it() {
    check(r#"| detected_level="warn""#, &[], line("warn"), Some("warn |"));
    check(r#"| detected_level="warn""#, &[], line("info"), None);
    check("| line_format `{{.detected_level}}`", &[], line("info: x"), Some("info |"));
    check_level("| drop detected_level", line("info"), Some("info |"));
    check_level("| keep a", line("info"), Some("info |"));
    check_level("| label_format detected_level=`x`", line("info"), Some("info | detected_level=x"));
    check_level("| label_format l=detected_level", line("info"), Some("info | l=info"));
}

#[test]
fn labels_of_another_stream_do_not_stay() {
    use super::{Entry, Pipeline, TIMESTAMP, clock, shown, stages};
    use crate::model::Labels;
    let mut pipeline = Pipeline::new(&stages("| logfmt").unwrap(), &super::NEEDED, &clock()).unwrap();
    let streams = [("a", "1"), ("b", "2"), ("a", "1")].map(|pair| Labels::new([pair]).unwrap());
    let shown: Vec<String> = streams
        .iter()
        .map(|labels| {
            let entry = Entry { timestamp: TIMESTAMP, labels, metadata: &[], line: b"b=3" };
            shown(pipeline.process(&entry).expect("nothing drops it").labels)
        })
        .collect();
    assert_eq!(shown, [" a=1 b=3", " b=2 b_extracted=3", " a=1 b=3"]);
}

#[test]
fn stages_share_what_is_needed_after_them() {
    let after = |text: &str| wanted_after(&stages(text).unwrap(), &only(&["a"]).labels);
    let filters = after("| json | b=1 | json | b=2 | logfmt | json");
    let is_shared = |left: usize, right: usize| Arc::ptr_eq(&filters[left], &filters[right]);
    assert!(is_shared(0, 1) && is_shared(1, 2) && is_shared(3, 4) && is_shared(4, 5));
    assert!(!is_shared(2, 3) && filters[2].has("b") && !filters[3].has("b"));

    let everything = after("| json | __error__=`` | json | line_format `{{.}}` | json");
    assert!(everything[0].has("z") && everything[2].has("z") && !everything[3].has("z"));
    assert!(Arc::ptr_eq(&everything[0], &everything[2]));
}
