//! What parsers make of a line, and of labels that are there already.

use super::{Input, NEEDED, TIMESTAMP, check_labels, check_line, check_refused, clock, line, shown, stages};
use crate::logql::pipeline::Entry;
use crate::logql::stages::Pipeline;
use crate::model::Labels;

#[test]
fn json_leaves_become_labels() {
    check_labels("| json", line(r#"{"a":{"b":"x","c":{"d":1.50e3}},"e":true}"#), "a_b=x a_c_d=1.50e3 e=true");
    check_labels("| json", line(r#"{"n":null,"l":[1,{"x":"]"}],"e":""}"#), "e=");
    check_labels("| json", line(r#" { "a-b" : "x\ty" , "1": 2 , " ":{" ":{"c":3}}}trailing"#), "_1=2 a_b=x\ty c=3");
    check_labels("| json", line(r#"{"a":1,"a":2,"b\u0063":3}"#), "a=1 bc=3");
    check_labels("| json", line("{}"), "");
}

#[test]
fn json_labels_before_a_fault_stay() {
    let fault = "JSONParserErr __error_details__=expected";
    check_labels("| json", line(r#"{"a":1,"b"}"#), &format!("__error__={fault} ':' at byte 10 a=1"));
    check_labels("| json", line("x"), &format!("__error__={fault} '{{' at byte 0"));
    check_labels("| json", line(""), &format!("__error__={fault} '{{' at byte 0"));
    check_labels("| json", line(r#"{"a":"x"#), &format!("__error__={fault} '\"' at byte 7"));
    check_labels("| json", line(r#"{"a":{"b":"#), &format!("__error__={fault} a value at byte 10"));
    check_labels("| json", line(r#"{"a":1 "b":2}"#), &format!("__error__={fault} ',' or '}}' at byte 7 a=1"));
}

#[test]
fn json_does_not_go_down_without_end() {
    let nested = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    let details = "expected fewer objects inside of each other at byte 320";
    check_labels("| json", line(&nested), &format!("__error__=JSONParserErr __error_details__={details}"));
}

#[test]
fn json_paths_always_give_a_label() {
    let document = r#"{"a":{"b":["x",{"c":1}]},"s":"q\"q"}"#;
    check_labels(r#"| json x="a.b[0]", y="a.b[1]", s, z="a.z""#, line(document), r#"s=q"q x=x y={"c":1} z="#);
    check_labels(r#"| json x="a""#, line("[1]"), "x=");
    check_labels(r#"| json x="a""#, line(""), "");
    let details = "__error_details__=line is no JSON: expected '{', '[' or '\"' at its start";
    check_labels(r#"| json x="a""#, line("n"), &format!("__error__=JSONParserErr {details}"));
    check_refused(
        r#"| json x="a[""#,
        "cannot parse expression [a[]: syntax error: unexpected $end, expecting STRING or INDEX",
    );
}

#[test]
fn logfmt_pairs_become_labels() {
    check_labels("| logfmt", line(r#"a=1 b.c="x y" d e= a=2"#), "a=1 b_c=x y");
    check_labels("| logfmt --keep-empty", line(r#"a=1 d e= f="""#), "a=1 d= e= f=");
    check_labels("| logfmt", line("a==1 b=2"), "b=2");
    let fault = "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 7 : unexpected '='";
    check_labels("| logfmt --strict", line("a=1 b==2 c=3"), &format!("{fault} a=1"));
}

#[test]
fn logfmt_keys_always_give_a_label() {
    check_labels(r#"| logfmt x="a", b, y="d.e""#, line("a=1 a=2 c=3 d.e=4"), "b= x=2 y=4");
    check_labels(r#"| logfmt a, x="b""#, line("a=1 b=2 a=3 b= b==3"), "a=1 x=");
    check_labels(r#"| logfmt y="d_e""#, line("d.e=4"), "y=4");
    check_refused(r#"| logfmt x="a b""#, "cannot parse expression [a b]: syntax error: unexpected KEY");
}

#[test]
fn regexp_takes_the_first_match() {
    check_labels(r"| regexp `(?P<m>GET|PUT) (?P<n>\d+)?`", line("GET x PUT 1"), "m=GET n=");
    check_labels(r"| regexp `(?P<m>GET)`", line("POST"), "");
    check_refused("| regexp `a`", "parse error : invalid regexp parser: at least one named capture must be supplied");
}

#[test]
fn pattern_goes_from_literal_to_literal() {
    check_labels("| pattern `<a> - <b>;`", line("x - y; z"), "a=x b=y");
    check_labels("| pattern `<a> - <b>;<c>`", line("x - y z"), "a=x b=y z");
    check_labels("| pattern `at <a>`", line("not at x"), "");
    check_labels("| pattern `<_> <a>`", line(" x"), "a=x");
    check_labels("| pattern `<a>=<b>`", line(""), "");
    check_labels("| pattern `<a>=<b>`", line("="), "a= b=");
}

#[test]
fn unpack_gives_back_labels_and_line() {
    let packed = r#"{"a.b":"x\n","n":1,"_entry":"the \"line\""}"#;
    check_labels("| unpack", line(packed), "a_b=x\n");
    check_line("| unpack", line(packed), "the \"line\"");
    check_line("| unpack | unpack", line(r#"{"_entry":"{\"_entry\":\"x\"}"}"#), "x");
    check_labels("| unpack", line(r#"{"a":"x"}"#), "");
    check_labels("| unpack", line(""), "");
    let fault = "__error__=JSONParserErr __error_details__=expected '{' at byte 0";
    check_labels("| unpack", line("[]"), fault);
}

#[test]
fn the_base_name_stays_with_stream_over_metadata_over_parsed() {
    let input =
        Input { stream: &[("a", "s"), ("b", "s")], metadata: &[("b", "m"), ("c", "m")], line: "a=p b=p c=p d=p" };
    check_labels("", input, "a=s b=s b_extracted=m c=m");
    check_labels("| logfmt", input, "a=s a_extracted=p b=s b_extracted=p c=m c_extracted=p d=p");
    check_labels("| label_format a=d | logfmt", input, "a=s a_extracted=p b=s b_extracted=p c=m c_extracted=p d=p");
    check_labels("| drop a | logfmt", input, "a_extracted=p b=s b_extracted=p c=m c_extracted=p d=p");
}

#[test]
fn the_first_parser_wins_but_for_expressions() {
    let input = line(r#"{"a":"json","b":"json","t":"a=logfmt c=logfmt"}"#);
    let stages = "| json | line_format `{{.t}}` | drop t";
    check_labels(&format!("{stages} | logfmt"), input, "a=json b=json c=logfmt");
    check_labels(&format!("{stages} | logfmt a"), input, "a=logfmt b=json");
}

#[test]
fn what_a_stage_set_stays_as_it_is_for_later_parsers() {
    let input = Input { stream: &[("s", "stream")], metadata: &[("m", "meta")], line: "a=1 b=2 s=3 m=4" };
    let rest = "b=2 m=meta m_extracted=4 s=stream s_extracted=3";
    check_labels("| label_format a=`set` | logfmt", input, &format!("a=set {rest}"));
    check_labels("| logfmt | label_format a=`set` | logfmt", input, &format!("a=set {rest}"));
    check_labels("| logfmt | label_format a=b | logfmt", input, "a=2 m=meta m_extracted=4 s=stream s_extracted=3");
    check_labels("| logfmt | drop a | logfmt", input, rest);
    check_labels("| logfmt | keep b | logfmt", input, "b=2 m=4");
    check_labels("| label_format a=`set` | logfmt a", input, "a=1 m=meta s=stream");
    check_labels("| label_format a=`set` | regexp `a=(?P<a>.)`", input, "a=set m=meta s=stream");
    check_labels("| label_format a=`set` | pattern `a=<a> <_>`", input, "a=set m=meta s=stream");
    // The stream has its labels whatever a stage does to them; the entry has not.
    check_labels("| label_format s=`set`, m=`set` | logfmt", input, "a=1 b=2 m=set s=set s_extracted=3");
    check_labels("| drop s, m | logfmt", input, "a=1 b=2 m=4 s_extracted=3");
}

#[test]
fn expressions_leave_alone_what_they_find_nothing_for() {
    let input = Input { stream: &[("s", "stream")], metadata: &[("m", "meta")], line: r#"{"a":"1","n":null}"# };
    let all = r#"s="x", m="y", a="z", e="x""#;
    check_labels(&format!("| json | json {all}"), input, "a=1 e= m=meta s=stream");
    check_labels(&format!("| label_format a=`set` | json {all}"), input, "a=set e= m=meta s=stream");
    check_labels(&format!("| drop s, m | json {all}"), input, "a= e= m= s=");
    check_labels(r#"| json a="n""#, input, "a= m=meta s=stream");
    check_labels(r#"| json s="a""#, input, "m=meta s=stream s_extracted=1");
    let input = Input { line: "a=1 v=", ..input };
    check_labels(&format!("| logfmt | logfmt {all}"), input, "a=1 e= m=meta s=stream");
    check_labels(&format!("| label_format a=`set` | logfmt {all}"), input, "a=set e= m=meta s=stream");
    check_labels(r#"| logfmt | logfmt a="v""#, input, "a= m=meta s=stream");
    check_labels(r#"| logfmt s="a""#, input, "m=meta s=stream s_extracted=1");
}

#[test]
fn what_cannot_be_read_becomes_a_blank() {
    check_labels("| json", line("{\"a\":\"x\u{fffd}y\\ud800\"}"), "a=x y ");
    check_labels("| logfmt", line("a=x\u{fffd}y"), "a=x y");
}

#[test]
fn a_line_of_too_many_labels_is_an_error() {
    let pairs: Vec<String> = (0..2000).map(|index| format!("k{index}=v")).collect();
    let text = pairs.join(" ");
    let stages = "| logfmt | keep k0, k1023, k1024 | drop __error_details__";
    check_labels(stages, line(&text), "__error__=LabelLimitErr k0=v k1023=v");
}

#[test]
fn expressions_take_a_byte_that_is_not_utf_8_for_a_character() {
    let labels = Labels::new([("app", "web")]).unwrap();
    let found = |query: &str| {
        let mut pipeline = Pipeline::new(&stages(query).unwrap(), &NEEDED, &clock()).unwrap();
        let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &[], line: b"msg=caf\xe9 dur=5ms" };
        pipeline.process(&entry).map(|processed| shown(processed.labels))
    };
    assert_eq!(found(r#"| regexp "caf. (?P<d>dur=\\S+)""#).unwrap(), " app=web d=dur=5ms");
    assert_eq!(found(r#"| regexp "(?P<all>.*)""#).unwrap(), " all=msg=caf\u{fffd} dur=5ms app=web");
    assert_eq!(found(r#"| decolorize |~ "msg.*dur=5ms""#).unwrap(), " app=web");
    assert_eq!(found(r#"| decolorize !~ "caf.+dur""#), None);
}
