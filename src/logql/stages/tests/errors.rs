//! Errors as labels: who sets them, who keeps them, and who removes them.

use super::{check_kept, check_labels, check_line, line};

#[test]
fn a_value_that_is_no_amount_keeps_the_line_with_an_error() {
    let details = "__error_details__=strconv.ParseFloat: parsing \"x\": invalid syntax";
    check_labels("| logfmt | a>1", line("a=x"), &format!("__error__=LabelFilterErr {details} a=x"));
    let details = "__error_details__=time: unknown unit \"d\" in duration \"1d\"";
    check_labels("| logfmt | a>1s", line("a=1d"), &format!("__error__=LabelFilterErr {details} a=1d"));
    let details = "__error_details__=unhandled size name: qb";
    check_labels("| logfmt | a>1KB", line("a=1qb"), &format!("__error__=LabelFilterErr {details} a=1qb"));
}

#[test]
fn a_filter_leaves_an_earlier_error_and_a_parser_does_not() {
    let details = "time: invalid duration \"x\"";
    let first = format!("__error__=LabelFilterErr __error_details__={details} a=x");
    check_labels("| logfmt | a>1s | a>1", line("a=x"), &first);
    let last = "__error__=JSONParserErr __error_details__=expected '{' at byte 0 a=x";
    check_labels("| logfmt | a>1s | json", line("a=x"), last);
}

#[test]
fn both_sides_of_and_may_leave_an_error_but_only_the_first_of_or() {
    check_kept(r#"| logfmt | (b="1" and a>1) or __error__!="""#, &["b=2 a=x"], &["b=2 a=0"]);
    check_labels("| logfmt | b=1 or a>1", line("b=1 a=x"), "a=x b=1");
}

#[test]
fn errors_can_be_filtered_and_dropped() {
    check_kept(r#"| json | __error__="""#, &["{}"], &["x"]);
    check_kept(r#"| json | __error__=~"JSON.*""#, &["x"], &["{}"]);
    check_kept(r#"| json | __error_details__!="""#, &["x"], &["{}"]);
    check_labels("| json | drop __error__, __error_details__", line("x"), "");
    check_labels(
        r#"| json | drop __error__="x""#,
        line("{"),
        "__error__=JSONParserErr __error_details__=expected ',' or '}' at byte 1",
    );
    check_labels(
        "| json | keep a",
        line("{"),
        "__error__=JSONParserErr __error_details__=expected ',' or '}' at byte 1",
    );
    check_labels("| json | drop __error__", line("x"), "__error_details__=expected '{' at byte 0");
}

#[test]
fn an_address_filter_keeps_lines_with_an_error() {
    check_kept(r#"| json | a=ip("10.0.0.1")"#, &["x", r#"{"a":"10.0.0.1"}"#], &["{}"]);
}

#[test]
fn a_failing_template_changes_nothing() {
    let details = "executing \"label\" at <div>: error calling div: runtime error: integer divide by zero";
    let expected = format!("__error__=TemplateFormatErr __error_details__=template: label:1:2: {details} a=1 b=2");
    check_labels("| logfmt | label_format a=`{{div 1 0}}`, b=`2`", line("a=1"), &expected);
    check_line("| line_format `{{div 1 0}}`", line("x"), "x");
}
