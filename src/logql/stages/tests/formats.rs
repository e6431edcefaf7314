//! `line_format`, `label_format` and `unwrap`.

use super::{Input, NEEDED, check_labels, check_line, check_refused, line, run};

#[test]
fn a_line_is_formatted_from_all_labels() {
    let input = Input { stream: &[("s", "1")], metadata: &[("m", "2")], line: "p=3" };
    check_line("| logfmt | line_format `{{.s}}{{.m}}{{.p}}{{.none}} {{__line__}}`", input, "123 p=3");
    check_line("| line_format `{{.s}}` | line_format `{{__line__}}{{.m}}`", input, "12");
    check_labels("| line_format `x=9` | logfmt", input, "m=2 s=1 x=9");
}

#[test]
fn renaming_takes_the_old_name_away() {
    let input = Input { stream: &[("a", "1"), ("b", "2")], metadata: &[("m", "3")], line: "" };
    check_labels("| label_format c=a", input, "b=2 c=1 m=3");
    check_labels("| label_format a=m", input, "a=3 b=2");
    check_labels("| label_format a=none", input, "a=1 b=2 m=3");
    check_labels("| label_format a=b, c=a", input, "c=2 m=3");
}

#[test]
fn templates_see_the_labels_as_the_first_of_their_stage() {
    let input = Input { stream: &[("a", "1"), ("b", "2")], metadata: &[], line: "" };
    check_labels("| label_format a=`{{.b}}`, b=`{{.a}}`", input, "a=2 b=1");
    check_labels("| label_format c=b, a=`{{.c}}{{.b}}`", input, "a=2 c=2");
    check_labels("| label_format c=`{{.a}}`, a=b, d=`{{.a}}{{.b}}`", input, "a=2 c=1 d=12");
}

#[test]
fn a_stage_that_cannot_be_is_refused() {
    check_refused("| label_format a=b, a=c", "multiple label name 'a' not allowed in a single format operation");
    check_refused("| label_format __error__=b", "__error__ cannot be formatted");
    check_refused(
        "| line_format `{{ nope }}`",
        "invalid line template: template: line:1: function \"nope\" not defined",
    );
    check_refused("| label_format a=`\n{{`", "invalid label template: template: label:2: unclosed action");
}

/// What `unwrap` makes of a line.
#[track_caller]
fn check_unwrapped(text: &str, text_line: &str, expected: Option<&str>) {
    assert_eq!(run(text, &NEEDED, line(text_line)).as_deref(), expected, "{text}");
}

#[test]
fn unwrap_takes_a_number_from_a_label() {
    check_unwrapped("| logfmt | unwrap a", "a=1e3", Some("a=1e3 | a=1e3 -> 1000"));
    check_unwrapped("| logfmt | unwrap bytes(a)", "a=1.5KiB", Some("a=1.5KiB | a=1.5KiB -> 1536"));
    check_unwrapped("| logfmt | unwrap duration(a)", "a=1m30s", Some("a=1m30s | a=1m30s -> 90"));
    check_unwrapped("| logfmt | unwrap duration_seconds(a)", "a=5ms", Some("a=5ms | a=5ms -> 0.005"));
}

#[test]
fn unwrap_drops_lines_without_a_value_and_marks_those_without_a_number() {
    check_unwrapped("| logfmt | unwrap a", "b=1", None);
    check_unwrapped("| logfmt --keep-empty | unwrap a", "a=", None);
    let details = "__error_details__=strconv.ParseFloat: parsing \"x\": invalid syntax";
    let error = format!("a=x | __error__=SampleExtractionErr {details} a=x -> 0");
    check_unwrapped("| logfmt | unwrap a", "a=x", Some(&error));
    check_unwrapped("| logfmt | unwrap a | __error__=\"\"", "a=x", None);
}
