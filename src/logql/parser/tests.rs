//! Queries and what they are read as, in canonical form, or why they are refused.

use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::select;

use crate::logql::format::pretty_within;
use crate::logql::limits::{CONDITIONS_MAX, DEPTH_MAX, EXPRESSIONS_MAX, OPERATIONS_MAX, QUERY_BYTES_MAX, STAGES_MAX};
use crate::logql::{parse, parse_selector, pretty};

#[track_caller]
fn check(query: &str, expected: &str) {
    let actual = match parse(query) {
        Ok(expr) => expr.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(actual, expected, "query: {query}");
}

/// A query that is canonical already.
#[track_caller]
fn check_same(query: &str) {
    check(query, query);
}

/// A stage or more, without the selector before them.
#[track_caller]
fn check_stages(stages: &str, expected: &str) {
    check(&format!("{{a=\"b\"}} {stages}"), &format!("{{a=\"b\"}} {expected}"));
}

/// A query over lines of 20 characters.
#[track_caller]
fn check_pretty(query: &str, expected: &str) {
    let expr = parse(query).unwrap();
    assert_eq!(pretty_within(&expr, 20), expected, "query: {query}");
    assert_eq!(parse(expected).as_ref(), Ok(&expr), "read again");
}

#[test]
fn selectors_and_line_filters_keep_their_order() {
    check(
        r#"{app="api",b!="c" , d=~`e.`,f!~"g"}|="err"!="debug""#,
        r#"{app="api", b!="c", d=~"e.", f!~"g"} |= "err" != "debug""#,
    );
    check(r#"( {app="api"} |> "a <_>" !> "b" )"#, r#"{app="api"} |> "a <_>" !> "b""#);
}

#[test]
fn alternatives_of_a_negative_filter_are_filters_of_their_own() {
    check_stages(r#"|= "a" or "b" or ip("1.1.1.1")"#, r#"|= "a" or "b" or ip("1.1.1.1")"#);
    check_stages(r#"!~ "a" or "b""#, r#"!~ "a" !~ "b""#);
}

#[test]
fn parsers_take_extractions() {
    check_stages(r#"| JSON a="x[0]" , b | unpack"#, r#"| json a="x[0]",b="b" | unpack"#);
    check_stages("| logfmt --keep-empty --strict c", r#"| logfmt --strict --keep-empty c="c""#);
    check_stages(r#"| regexp "(?P<a>.)" | pattern `<a> "`"#, r#"| regexp "(?P<a>.)" | pattern "<a> \"""#);
    check(r#"{a="b"} | json c="x" d"#, "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER");
}

#[test]
fn bool_is_a_name_where_a_name_has_to_stand() {
    check_stages(r#"| json bool="x" | bool="true" | bool>1"#, r#"| json bool="x" | bool="true" | bool>1"#);
    check_same(r#"sum by (bool)(rate({bool="x"}[5m]))"#);
    check("vector(1) bool > vector(2)", "parse error at line 1, col 11: syntax error: unexpected bool");
}

#[test]
fn and_binds_tighter_than_or_in_label_filters() {
    check_stages(r#"| a="1" or b=2 and c>3s , d<=4KB e!=5"#, r#"| ( a="1" or ( b==2 , c>3s , d<=4kB , e!=5 ) )"#);
    check_stages(
        r#"| (a=-1.5 or b>-5m) and c=ip("::1") | d!=ip("1")"#,
        r#"| ( ( a==-1.5 or b>-5m ) , c=ip("::1") ) | d!=ip("1")"#,
    );
    check(r#"{a="b"} | c > "5""#, "parse error at line 1, col 15: syntax error: unexpected STRING");
    check(r#"{a="b"} | c == "5""#, "parse error at line 1, col 16: syntax error: unexpected STRING");
    check(r#"{a="b"} | c > ip("5")"#, "parse error at line 1, col 15: syntax error: unexpected ip");
    check(r#"{a="b"} | c > -5KB"#, "parse error at line 1, col 16: syntax error: unexpected BYTES");
}

#[test]
fn formatting_stages_take_lists() {
    check_stages(
        r#"| line_format "{{.a}}" | label_format a=b, c="{{.d}}""#,
        r#"| line_format "{{.a}}" | label_format a=b,c="{{.d}}""#,
    );
    check_stages(r#"| drop a, b="c" | keep d, e=~"f" | decolorize"#, r#"| drop a,b="c" | keep d,e=~"f" | decolorize"#);
    check(r#"{a="b"} | drop"#, "parse error at line 1, col 15: syntax error: unexpected $end, expecting IDENTIFIER");
}

#[test]
fn the_window_may_stand_before_in_or_after_the_pipeline() {
    let expected = r#"sum_over_time({a="b"} |= "c" | unwrap d[5m] offset 1h)"#;
    check(r#"sum_over_time({a="b"} |= "c" | unwrap d [5m] offset 1h)"#, expected);
    check(r#"sum_over_time({a="b"}[5m] offset 1h |= "c" | unwrap d)"#, expected);
    check(r#"sum_over_time(({a="b"} |= "c" | unwrap d)[5m] offset 1h)"#, expected);
    check(r#"sum_over_time(({a="b"} |= "c" | unwrap d[5m] offset 1h))"#, expected);
    check(r#"sum_over_time(({a="b"} |= "c") [5m] offset 1h | unwrap d)"#, expected);
    check(r#"rate({a="b"})"#, "parse error at line 1, col 13: syntax error: unexpected ), expecting RANGE");
    check(r#"rate({a="b"}[5m][5m])"#, "parse error at line 1, col 17: syntax error: unexpected RANGE, expecting )");
}

#[test]
fn unwrap_takes_a_conversion_and_filters() {
    check_same(r#"avg_over_time({a="b"} | unwrap duration(c) | __error__="" | d>5[1m]) by (e, f)"#);
    check_same(r#"first_over_time({a="b"} | unwrap bytes(bytes)[1m]) without ()"#);
    check(r#"{a="b"} | unwrap c"#, "parse error at line 1, col 11: syntax error: unexpected unwrap");
    check(r#"({a="b"} | json | unwrap bytes(c))"#, "parse error at line 1, col 19: syntax error: unexpected unwrap");
    check(
        r#"rate({a="b"} | unwrap c |= "d" [1m])"#,
        "parse error at line 1, col 25: syntax error: unexpected |=, expecting RANGE",
    );
}

#[test]
fn a_range_aggregation_is_held_to_its_operator() {
    check(r#"sum_over_time({a="b"}[1m])"#, "parse error : invalid aggregation sum_over_time without unwrap");
    check(r#"bytes_rate({a="b"} | unwrap c [1m])"#, "parse error : invalid aggregation bytes_rate with unwrap");
    check(r#"rate({a="b"}[1m]) by (a)"#, "parse error : grouping not allowed for rate aggregation");
    check(r#"rate(5, {a="b"}[1m])"#, "parse error : parameter 5 not supported for operation rate");
    check(
        r#"quantile_over_time({a="b"} | unwrap c [1m])"#,
        "parse error : parameter required for operation quantile_over_time",
    );
    check_same(r#"quantile_over_time(0.99,{a="b"} | unwrap c[1m]) by (a)"#);
}

#[test]
fn a_vector_aggregation_is_held_to_its_operator() {
    check(r#"sum(rate({a="b"}[1m])) BY (a)"#, r#"sum by (a)(rate({a="b"}[1m]))"#);
    check_same(r#"topk without (a)(3,rate({a="b"}[1m]))"#);
    check(r#"topk(rate({a="b"}[1m]))"#, "parse error : parameter required for operation topk");
    check(r#"topk(1.2, rate({a="b"}[1m]))"#, "parse error : invalid parameter topk(1.2,");
    check(r#"bottomk(0, rate({a="b"}[1m]))"#, "parse error : invalid parameter (must be greater than 0) bottomk(0");
    check(r#"sum(3, rate({a="b"}[1m]))"#, "parse error : unsupported parameter for operation sum(3,");
    check(r#"sort(rate({a="b"}[1m])) by (a)"#, "parse error : sort and sort_desc doesn't allow grouping by ");
    check(r#"sum({a="b"})"#, "parse error at line 1, col 12: syntax error: unexpected )");
    check(r#"sum({a="b"}[5m])"#, "parse error at line 1, col 12: syntax error: unexpected RANGE");
}

#[test]
fn operators_bind_as_in_arithmetic() {
    let query =
        "vector(1) or vector(2) and vector(3) > vector(4) + vector(5) * vector(6) ^ vector(7) ^ vector(8) - vector(9)";
    check(
        query,
        "(vector(1) or (vector(2) and (vector(3) > ((vector(4) + (vector(5) * (vector(6) ^ (vector(7) ^ vector(8))))) - vector(9)))))",
    );
    check("vector(1) - (vector(2) - vector(3))", "(vector(1) - (vector(2) - vector(3)))");
    check_same("(vector(1) == bool on (a, b) group_left (c) vector(2))");
    check_same("(vector(1) / ignoring () group_right () vector(2))");
    check("vector(1) * on (a) group_left (vector(2))", "(vector(1) * on (a) group_left () vector(2))");
}

#[test]
fn operations_between_numbers_are_computed_at_once() {
    check("-2^2", "4");
    check("2^3^2", "512");
    check("1 > 1 > 1", "0");
    check("1 + 2 * 3 - 4 / 2", "5");
    check("7 % 4 == bool 3", "1");
    check("10 / 0", "NaN");
    check("1 > bool 1 > vector(2)", "(0 > vector(2))");
}

#[test]
fn operands_have_to_fit_their_operator() {
    check(
        r#"{a="b"} + {a="b"}"#,
        r#"parse error : unexpected type for left leg of binary operation (+): log query {a="b"}"#,
    );
    check(
        r#"1 + {a="b"}"#,
        r#"parse error : unexpected type for right leg of binary operation (+): log query {a="b"}"#,
    );
    check(
        "vector(1) or 1",
        "parse error : unexpected literal for right leg of logical/set binary operation (or): 1.000000",
    );
    check(
        "1 unless vector(1)",
        "parse error : unexpected literal for left leg of logical/set binary operation (unless): 1.000000",
    );
    check("-vector(1)", "parse error at line 1, col 2: syntax error: unexpected vector, expecting NUMBER");
    check("vector(-1)", "parse error at line 1, col 8: syntax error: unexpected -, expecting NUMBER");
    check(
        "0x10",
        "parse error : unable to parse literal as a float: strconv.ParseFloat: parsing \"0x10\": invalid syntax",
    );
}

#[test]
fn label_replace_takes_four_strings() {
    check(r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#, r#"label_replace(vector(1),"a","$1","b","(.*)")"#);
    check(r#"label_replace(vector(1), "a")"#, "parse error at line 1, col 29: syntax error: unexpected ), expecting ,");
    check(
        r#"label_replace(vector(1), "a", "$1", "b", "\\q")"#,
        "parse error : invalid regex in label_replace: error parsing regexp: invalid escape sequence: `\\q`: `\\q`",
    );
}

#[test]
fn every_selector_has_to_refuse_streams_without_labels() {
    for query in ["{}", r#"{a!="b"}"#, r#"{a=~".*"}"#, r#"{a=""}"#, r#"rate({a!~"b"}[1m]) + rate({a="b"}[1m])"#] {
        let error = parse(query).unwrap_err().to_string();
        assert!(error.starts_with("parse error : queries require at least one regexp or equality matcher"), "{error}");
    }
    check_same(r#"{a=~".+"}"#);
    assert_eq!(parse_selector("{}"), Ok(Vec::new()));
    assert_eq!(parse_selector(r#"{a!="b"}"#).unwrap().len(), 1);
}

#[test]
fn errors_point_at_the_column() {
    check(r#"{foo="bar"#, "parse error at line 1, col 6: literal not terminated");
    check(r#"{foo="bar""#, "parse error at line 1, col 11: syntax error: unexpected $end, expecting } or ,");
    check("{foo=\"bar\"}\n| äh", "parse error at line 2, col 3: unexpected character 'ä'");
    check(r#"{ä="b"}"#, "parse error at line 1, col 2: unexpected character 'ä'");
    check(r#"{foo="bar"} foo"#, "parse error at line 1, col 13: syntax error: unexpected IDENTIFIER");
    check(r#"{foo=~"("}"#, "parse error at line 1, col 7: error parsing regexp: unclosed group: `(`");
    check("", "parse error at line 1, col 1: syntax error: unexpected $end");
    check("unk({a=\"b\"}[5m])", "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
    assert!(parse_selector(r#"{a="b"} |= "c""#).is_err());
}

#[test]
fn what_nests_too_deep_or_is_too_long_is_refused() {
    let nested = |depth: usize| format!("{}vector(1){}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX - 1)).is_ok());
    let error = parse(&nested(DEPTH_MAX)).unwrap_err().to_string();
    assert_eq!(error, "parse error at line 1, col 101: the query nests deeper than 100 levels");

    let filters = format!("{{a=\"b\"}} | {}a=1{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX));
    assert!(parse(&filters).unwrap_err().to_string().contains("nests deeper"));
    let ranges = format!("rate({}{{a=\"b\"}}[1m]{})", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX));
    assert!(parse(&ranges).unwrap_err().to_string().contains("nests deeper"));

    let chain = |operations: usize| format!("vector(1){}", "+vector(1)".repeat(operations));
    assert!(parse(&chain(OPERATIONS_MAX)).is_ok());
    let error = parse(&chain(OPERATIONS_MAX + 1)).unwrap_err().to_string();
    assert!(error.ends_with("the query has more than 250 binary operations"), "{error}");

    for expression in [r#" |~ "x.""#, r#" | a=~"x.""#, r#" | regexp "(?P<a>x.)""#, r#" | drop a=~"x.""#] {
        let filters = |count: usize| format!("{{a=\"b\"}}{}", expression.repeat(count));
        assert!(parse(&filters(EXPRESSIONS_MAX)).is_ok());
        let error = parse(&filters(EXPRESSIONS_MAX + 1)).unwrap_err().to_string();
        assert!(error.ends_with("the query has more than 64 regular expressions"), "{error}");
    }

    let error_of = |query: &str| parse(query).unwrap_err().to_string();
    for stage in [" | json", r#" |= "a""#, " | b=1"] {
        let stages = |count: usize| format!("{{a=\"b\"}}{}", stage.repeat(count));
        assert!(parse(&stages(STAGES_MAX)).is_ok());
        assert!(parse(&format!("rate({}[1m])", stages(STAGES_MAX))).is_ok());
        let error = error_of(&stages(STAGES_MAX + 1));
        assert!(error.ends_with("a pipeline has more than 100 stages"), "{error}");
    }
    let after_unwrap = format!("rate({{a=\"b\"}} | unwrap c {} [1m])", "| d=1".repeat(STAGES_MAX + 1));
    assert!(error_of(&after_unwrap).ends_with("a pipeline has more than 100 stages"));

    for [first, more] in [
        [r#"|= "c""#, r#" or "c""#],
        [r#"!= "c""#, r#" or "c""#],
        ["| c=1", " or c=1"],
        ["| json c", ", c"],
        ["| logfmt c", ", c"],
        ["| drop c", ", c"],
        ["| label_format c=d", ", c=d"],
    ] {
        let conditions = |count: usize| format!("{{a=\"b\"}} {first}{}", more.repeat(count - 1));
        assert!(parse(&conditions(CONDITIONS_MAX)).is_ok());
        let error = error_of(&conditions(CONDITIONS_MAX + 1));
        assert!(error.ends_with("the query's stages have more than 1000 conditions and labels"), "{error}");
    }

    let matchers = format!("{{{}a=\"b\"}}", "a=\"b\",".repeat(1000));
    assert!(parse(&matchers).unwrap_err().to_string().contains("1001 matchers is over the limit of 1000"));
    let error = parse(&" ".repeat(QUERY_BYTES_MAX + 1)).unwrap_err().to_string();
    assert_eq!(error, "parse error : input size too long (131072 > 131071)");
}

#[test]
fn pretty_breaks_what_is_long() {
    check_pretty(r#"{a="b"} | json"#, r#"{a="b"} | json"#);
    check_pretty(
        r#"topk(5, sum(rate({app="api"} | json | drop a [5m] offset 1h)) by (app))"#,
        "topk(\n  5,\n  sum by (app)(\n    rate(\n      {app=\"api\"}\n        | json\n        | drop a [5m] offset 1h\n    )\n  )\n)",
    );
    check_pretty(
        r#"quantile_over_time(0.99, {app="api"} | unwrap a [5m]) by (app)"#,
        "quantile_over_time(\n  0.99,\n  {app=\"api\"}\n    | unwrap a [5m]\n) by (app)",
    );
    check_pretty(
        r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#,
        "label_replace(\n  vector(1),\n  \"a\",\n  \"$1\",\n  \"b\",\n  \"(.*)\"\n)",
    );
}

#[test]
fn pretty_keeps_what_fits_on_a_line() {
    let of = |query: &str| pretty(&parse(query).unwrap());
    assert_eq!(of(r#"{a="b"}|="x"|~`y`"#), r#"{a="b"} |= "x" |~ "y""#);
    let line = |count| format!(r#"{{app="api"}} |= "{}""#, "x".repeat(count));
    assert_eq!(of(&line(83)).len(), 100);
    assert_eq!(of(&line(84)), line(84).replace("} |", "}\n  |"));
}

#[test]
fn pretty_keeps_the_precedence() {
    check_pretty(
        "(vector(1) + vector(2)) * on (a) vector(300)",
        "  (\n      vector(1)\n    +\n      vector(2)\n  )\n* on (a)\n  vector(300)",
    );
    check_pretty(
        "vector(1) - vector(2) - (vector(3) - vector(4) ^ vector(5))",
        "    vector(1)\n  -\n    vector(2)\n-\n  (\n      vector(3)\n    -\n        vector(4)\n      ^\n        vector(5)\n  )",
    );
}

/// What queries are made of, so that many of the texts put together of it are well-formed for a while.
#[rustfmt::skip]
const FRAGMENTS: [&str; 60] = [
    "{a=\"b\"}", "{a=~\"b.*\"", ", c!=\"d\"}", "|=", "!=", "|~", "\"text\"", "`raw`", "or", "and", "unless", "ip(\"::1\")",
    "| json", "| logfmt", "--strict", "| a", "a", "bytes", "=", "==", ">", "1.5", "5m", "10KB", "-", "+", "*", "/", "^", "%",
    "(", ")", ",", "[5m]", "[1h] offset 5m", "| unwrap a", "| unwrap duration(a)", "rate", "sum", "rate({a=\"b\"}[1m])",
    "sum by (a) (", "topk(3,", "quantile_over_time(0.5,", "by (a, b)", "without ()", "on (a)", "ignoring (b)", "group_left (c)",
    "bool", "vector(1)", "label_replace(", "| line_format \"{{.a}}\"", "| label_format a=b", "| drop a", "| keep a=\"b\"",
    "| pattern \"<a>\"", "# comment\n", "0x1p3", "\u{e4}", "\"",
];

proptest! {
    /// Whatever the text, the parser says yes or no; and what it accepts, it accepts as it is printed.
    #[test]
    fn any_text_is_read_or_refused(fragments in proptest::collection::vec(select(&FRAGMENTS[..]), 0..24), tail in any::<String>()) {
        for text in [fragments.join(" "), fragments.concat(), format!("{}{tail}", fragments.concat())] {
            // What is infinite or no number has no literal.
            if let Ok(expr) = parse(&text) && !expr.to_string().contains("NaN") && !expr.to_string().contains("inf") {
                prop_assert_eq!(parse(&expr.to_string()), Ok(expr.clone()));
                prop_assert_eq!(parse(&pretty_within(&expr, 20)), Ok(expr));
            }
        }
    }
}
