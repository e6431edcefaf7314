//! Which lines filters keep, and which labels.

use super::{Input, check_kept, check_labels, check_line, check_refused, line};

#[test]
fn a_line_filter_is_met_by_one_alternative() {
    check_kept(r#"|= "a" or "b""#, &["xa", "b"], &["c", ""]);
    check_kept(r#"!= "a" or "b""#, &["c", ""], &["xa", "b"]);
    check_kept(r#"|= """#, &["", "a"], &[]);
    check_kept(r"|~ `a\d` or `^b$`", &["xa1", "b"], &["a", "bb"]);
    check_kept(r#"!~ "(?i)error""#, &["fine"], &["an ERROR"]);
    check_kept(r#"|> "a <_> c" or "<_>!""#, &["a b c", "x!"], &["a c", "!"]);
    check_kept(r#"|= ip("10.0.0.0/8") or "local""#, &["from 10.1.2.3", "local"], &["from 11.1.2.3"]);
    check_kept(r#"|= "a" != "b""#, &["a"], &["ab", "b"]);
    check_refused(r#"|~ ip("10.0.0.1")"#, "ip: invalid operation");
}

#[test]
fn line_filters_see_the_line_as_it_is_then() {
    check_kept(r#"| line_format "new" |= "new" != "old""#, &["old"], &[]);
}

#[test]
fn an_absent_label_is_an_empty_text_and_no_amount() {
    check_kept(r#"| logfmt | a!="x""#, &["a=y", ""], &["a=x"]);
    check_kept(r#"| logfmt | a="""#, &["", "b=1"], &["a=x"]);
    check_kept(r#"| logfmt | a=~"x|y.*""#, &["a=x", "a=yz"], &["a=xx", ""]);
    check_kept("| logfmt | a!=5", &["a=6"], &["a=5", ""]);
    check_kept("| logfmt | a<=0", &["a=-1", "a=0"], &["a=1", ""]);
}

#[test]
fn amounts_are_read_as_the_query_compares_them() {
    check_kept("| logfmt | a>1500ms", &["a=1.6s", "a=1h"], &["a=1.5s", "a=10us"]);
    check_kept("| logfmt | a>=1KB", &["a=1000", "a=1kib", "a=1,000b"], &["a=999", "a=0.9kB"]);
    check_kept("| logfmt | a==1.5", &["a=1.5", "a=15e-1"], &["a=1.50001"]);
    check_kept(r#"| logfmt | a=ip("10.0.0.1-10.0.0.9")"#, &["a=10.0.0.5"], &["a=10.0.1.5", "a=x", ""]);
    check_kept(r#"| logfmt | a!=ip("10.0.0.0/24")"#, &["a=10.0.1.5"], &["a=10.0.0.5", ""]);
}

#[test]
fn and_binds_tighter_than_or() {
    check_kept(r#"| logfmt | a="1" or b="1" and c="1""#, &["a=1", "b=1 c=1"], &["b=1", "c=1"]);
    check_kept(r#"| logfmt | (a="1" or b="1"), c="1""#, &["a=1 c=1", "b=1 c=1"], &["a=1", "c=1"]);
}

#[test]
fn drop_and_keep_speak_of_labels_of_any_category() {
    let input = Input { stream: &[("s", "1")], metadata: &[("m", "2")], line: "p=3 q=4" };
    check_labels("| logfmt | drop s, m, p", input, "q=4");
    check_labels(r#"| logfmt | drop s="2", m=~"2|3", q!="5""#, input, "p=3 s=1");
    check_labels(r#"| logfmt | keep s, q="4", m="x", none"#, input, "q=4 s=1");
}

#[test]
fn decolorize_takes_colours_away() {
    check_line("| decolorize", line("\x1b[31mred\x1b[0m"), "red");
    check_line("| decolorize | decolorize", line("plain"), "plain");
}
