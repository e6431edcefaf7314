//! The language of templates and its functions, through `line_format`.

use std::sync::Arc;

use super::{Input, NEEDED, TIMESTAMP, clock, run, stages};
use crate::logql::pipeline::Entry;
use crate::logql::stages::Pipeline;
use crate::model::Labels;
use crate::model::budget::Budget;

const INPUT: Input<'_> = Input {
    stream: &[("app", "Web"), ("n", "20"), ("f", "5.3"), ("utf", "Hello, 世界")],
    metadata: &[("json", r#"{"a":{"b":[1,"x",null]},"t":true}"#), ("html", "<a href='x'>&</a>")],
    line: "the line",
};

/// What a template prints.
#[track_caller]
fn check(template: &str, expected: &str) {
    let actual = run(&format!("| line_format `{template}`"), &NEEDED, INPUT).expect("nothing drops it");
    let (line, labels) = actual.rsplit_once(" | ").expect("there is a bar");
    assert!(!labels.contains("__error__"), "{template}: {labels}");
    assert_eq!(line, expected, "{template}");
}

/// Why a template prints nothing, and where.
#[track_caller]
fn check_failure(template: &str, expected: &str) {
    assert_eq!(run_for_details(template), format!("template: line:{expected}"), "{template}");
}

#[track_caller]
fn run_for_details(template: &str) -> String {
    let actual = run(&format!("| line_format `{template}`"), &NEEDED, INPUT).expect("nothing drops it");
    let (_, details) = actual.split_once("__error_details__=").expect("it fails");
    let (details, _) = details.split_once(" app=").expect("there is the next label");
    details.to_owned()
}

#[test]
fn text_and_fields_are_printed() {
    check("a {{.app}} b {{ .none }}c", "a Web b c");
    check("{{- .app -}}   x {{/* nothing */}}", "Webx ");
    check(r#"{{ "q\t" }}{{ 'a' }}{{ 1.50 }}{{ true }}{{ -3 }}"#, "q\t971.5true-3");
}

#[test]
fn branches_depend_on_what_is_empty() {
    check("{{if .app}}y{{else}}n{{end}}{{if .none}}y{{else}}n{{end}}", "yn");
    check(r#"{{if eq .app "a"}}1{{else if eq .app "Web"}}2{{else}}3{{end}}"#, "2");
    check("{{with .app}}<{{.}}>{{end}}{{with .none}}x{{else}}y{{end}}", "<Web>y");
    check("{{with .none}}x{{else with .app}}{{.}}{{end}}", "Web");
}

#[test]
fn ranges_go_through_lists_and_objects() {
    check("{{range $i, $e := (fromJson .json).a.b}}{{$i}}={{$e}};{{end}}", "0=1;1=x;2=<no value>;");
    check("{{range $k, $v := fromJson .json}}{{$k}} {{end}}", "a t ");
    check("{{range (fromJson .json).a.b}}{{if .}}{{.}}{{else}}{{break}}{{end}}{{continue}}z{{end}}", "1x");
    check("{{range fromJson .none}}x{{else}}empty{{end}}", "empty");
}

#[test]
fn ranges_count_up_to_numbers() {
    check("{{range 3}}x{{.}}{{end}}", "x0x1x2");
    check("{{range $i := int .n}}{{if eq $i 2}}{{break}}{{end}}{{$i}}{{end}}", "01");
    check("{{range 0}}x{{else}}none{{end}}{{range -1}}x{{end}}", "none");
    let details = r#"1:18: executing "line" at <3>: can't use 3 to iterate over more than one variable"#;
    check_failure("{{range $i, $e := 3}}{{end}}", details);
    check_too_much("{{range 9000000000}}{{end}}");
}

#[test]
fn templates_have_names() {
    check(r#"{{define "t"}}T{{.app}}{{end}}{{template "t" .}}|{{template "t" .}}"#, "TWeb|TWeb");
    check(r#"{{template "t" .app}}{{define "t"}}<{{.}}{{$}}>{{end}}"#, "<WebWeb>");
    check(r#"{{define "t"}}[{{.}}]{{end}}{{template "t"}}"#, "[<no value>]");
    check(r#"{{block "b" .n}}({{.}}){{end}}{{template "b" .f}}"#, "(20)(5.3)");
    check(r#"{{define "t"}}{{range .}}{{if .}}{{.}}{{template "t" .}}{{end}}{{end}}{{end}}{{template "t" 3}}"#, "121");
    check(r#"{{define "t"}} {{end}}{{define "t"}}x{{end}}{{template "t"}}"#, "x");
    check(r#"{{$x := 1}}{{define "t"}}{{$x := 2}}{{end}}{{template "t"}}{{$x}}"#, "1");
    check_failure(r#"{{template "t" .}}"#, r#"1:2: executing "line" at <{{template "t"}}>: template "t" not defined"#);
    let details = r#"1:2: executing "line" at <{{template "line"}}>: exceeded maximum template depth (16)"#;
    check_failure(r#"{{template "line"}}"#, details);
    // It makes nothing, again and again.
    let twice = r#"{{template "t"}}{{template "t"}}"#;
    check_too_much(&format!(r#"{{{{define "t"}}}}{{{{end}}}}{{{{range 999999}}}}{twice}{{{{end}}}}"#));
}

#[test]
fn variables_live_in_their_block() {
    check("{{$x := .app}}{{if true}}{{$x = .n}}{{$y := 1}}{{end}}{{$x}}{{$.f}}", "205.3");
    check("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21");
}

#[test]
fn a_piped_value_is_the_last_argument() {
    check(r#"{{ .n | sub 100 }} {{ .app | lower | replace "w" "g" }} {{ 5 | add 1 | mul 2 }}"#, "80 geb 12");
}

#[test]
fn logic_and_comparison() {
    check(r#"{{and .app 0}}{{and 1 2}}{{or "" .app}}{{or 0 ""}}{{not 1}}"#, "02Webfalse");
    check(
        r#"{{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1.5 2.5}}"#,
        "true true true true true false",
    );
    check("{{or true (div 1 0)}}", "true");
    check_failure(
        "{{eq .n 20}}",
        r#"1:2: executing "line" at <eq>: error calling eq: incompatible types for comparison"#,
    );
}

#[test]
fn access_and_printing() {
    check(r#"{{len .app}}{{index (fromJson .json) "t"}}{{index (fromJson .json).a.b 1}}{{slice .app 1 2}}"#, "3truexe");
    check(r#"{{print "a" 1 2 "b"}}|{{println "a" 1}}"#, "a1 2b|a 1\n");
    check(r#"{{printf "%-4s|%05.1f|%q" .app 2.25 "x"}}"#, "Web |002.2|\"x\"");
    check(
        "{{html .html}} {{urlquery .html}}",
        "&lt;a href=&#39;x&#39;&gt;&amp;&lt;/a&gt; %3Ca+href%3D%27x%27%3E%26%3C%2Fa%3E",
    );
    check(r#"{{js "it's"}}{{fromJson .json}}"#, r"it\'smap[a:map[b:[1 x <nil>]] t:true]");
}

#[test]
fn functions_on_texts() {
    check(r#"{{ToLower .app}}{{.app | upper}}{{Replace "aaa" "a" "b" 2}}{{"aaa" | replace "a" "c"}}"#, "webWEBbbaccc");
    check(
        r#"{{Trim "xax" "x"}}{{TrimLeft "xax" "x"}}{{TrimRight "xax" "x"}}{{TrimPrefix "xax" "x"}}{{TrimSuffix "xax" "x"}}"#,
        "aaxxaaxxa",
    );
    check(
        r#"{{trimAll "x" "xax"}}{{trimPrefix "x" "xax"}}{{trimSuffix "x" "xax"}}{{trim " a "}}{{TrimSpace " b "}}"#,
        "aaxxaab",
    );
    check(r#"{{title "ab cd-e"}}{{repeat 2 "x"}}{{indent 1 "a\nb"}}{{nindent 1 "c"}}"#, "Ab Cd-Exx a\n b\n c");
    check(
        r#"{{contains "e" .app}}{{hasPrefix "W" .app}}{{hasSuffix "x" .app}}{{default "d" .none}}{{default "d" .app}}"#,
        "truetruefalsedWeb",
    );
    check("{{trunc 2 .app}}{{trunc -2 .app}}{{substr 1 2 .app}}{{substr 1 -1 .app}}{{substr -1 1 .app}}", "WeebeebW");
    check("{{alignLeft 8 .utf}}|{{alignRight 2 .utf}}|{{alignRight 5 .app}}", "Hello, 世|世界|  Web");
    check_failure(
        "{{substr 5 6 .app}}",
        r#"1:2: executing "line" at <substr>: error calling substr: slice bounds out of range"#,
    );
}

#[test]
fn functions_with_regular_expressions() {
    check(
        r#"{{regexReplaceAll "(l+)" .utf "<${1}>"}}{{regexReplaceAllLiteral "l" "l" "$1"}}{{count "l|o" .utf}}"#,
        "He<ll>o, 世界$13",
    );
}

#[test]
fn functions_on_numbers() {
    check(
        r#"{{add .n 1 2}} {{sub .n "0x10"}} {{mul 2 "010"}} {{div 7 2}} {{mod -7 2}} {{max 1 .n}} {{min 1 "x"}}"#,
        "23 4 16 3 -1 20 0",
    );
    check(
        "{{addf .f 0.1}} {{subf .f 1}} {{mulf .f 2}} {{divf .f 2}} {{maxf 1 .f}} {{minf 1 .f}}",
        "5.4 4.3 10.6 2.65 5.3 1",
    );
    check(
        "{{ceil .f}} {{floor .f}} {{round 2.345 2}} {{round 2.345 2 0.6}} {{int 2.9}} {{float64 .n}}",
        "6 5 2.35 2.34 2 20",
    );
    check(r#"{{bytes "3MB"}} {{bytes "2 KiB"}} {{duration "1m"}} {{duration_seconds "5ms"}}"#, "3e+06 2048 60 0.005");
    check_failure(
        "{{mod 1 0}}",
        r#"1:2: executing "line" at <mod>: error calling mod: runtime error: integer divide by zero"#,
    );
}

#[test]
fn functions_that_encode() {
    check(r#"{{b64enc "a?b"}} {{b64dec "YT9i"}} {{b64dec "YQ"}}"#, "YT9i a?b a");
    check(r#"{{urlencode "a b&~"}} {{urldecode "a+b%26"}}"#, "a+b%26~ a b&");
    check_failure(
        r#"{{urldecode "%zz"}}"#,
        r#"1:2: executing "line" at <urldecode>: error calling urldecode: invalid URL escape "%zz""#,
    );
}

#[test]
fn functions_on_times() {
    check(
        r#"{{__timestamp__ | date "2006-01-02 15:04:05.000"}} {{__timestamp__ | unixEpochMillis}}"#,
        "2022-06-27 18:05:24.120 1656353124120",
    );
    check(
        "{{now | unixEpoch}} {{unixToTime `19503`}}".replace('`', "\"").as_str(),
        "1656353124 2023-05-26 00:00:00 +0000 UTC",
    );
    check(r#"{{toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2024-07-01 12:00" | unixEpoch}}"#, "1719828000");
    check_failure(
        r#"{{unixToTime "12"}}"#,
        r#"1:2: executing "line" at <unixToTime>: error calling unixToTime: unable to parse time '12': unknown number of digits"#,
    );
}

#[test]
fn what_a_template_may_cost_is_limited() {
    let too_long = "text is longer than 2097152 bytes";
    check_failure(
        r#"{{repeat 99999999 "abc"}}"#,
        &format!(r#"1:2: executing "line" at <repeat>: error calling repeat: {too_long}"#),
    );
    check_failure(
        r#"{{repeat 2000000 "a" | replace "" "bcd"}}"#,
        &format!(r#"1:23: executing "line" at <replace>: error calling replace: {too_long}"#),
    );
    check_failure(
        r#"{{$x := repeat 2000000 "a"}}{{print $x $x}}"#,
        &format!(r#"1:30: executing "line" at <print>: error calling print: {too_long}"#),
    );
    check_failure(
        r#"{{$x := repeat 2000000 "a"}}{{$x}}{{$x}}"#,
        &format!(r#"1:36: executing "line" at <$x>: {too_long}"#),
    );
}

/// What `template` fails with is that it makes too much.
#[track_caller]
fn check_too_much(template: &str) {
    let failure = run_for_details(template);
    assert!(failure.ends_with("templates make more than 16 MiB of one line"), "{failure}");
}

#[test]
fn what_templates_make_of_a_line_is_limited() {
    // Variables keep what they are set to.
    let variables: Vec<String> = (0..200).map(|n| format!(r#"{{{{$a{n} := repeat 2000000 "x"}}}}"#)).collect();
    check_too_much(&variables.concat());
    // Rounds count even if nothing comes of them, and what is thrown away counts as well.
    let list = format!(r#"{{{{$l := fromJson "[{}1]"}}}}"#, "1,".repeat(139));
    let nested = |body: &str, depth| format!("{list}{}{body}{}", "{{range $l}}".repeat(depth), "{{end}}".repeat(depth));
    check_too_much(&nested("", 3));
    check_too_much(&nested(r#"{{$x := repeat 2000000 "x"}}"#, 2));
    check_too_much(&nested("{{if true}}{{end}}", 3));
    // Copies do.
    check_too_much(&format!(r#"{{{{$x := repeat 2000000 "x"}}}}{}"#, "{{if $x}}{{end}}".repeat(9)));
    // So do lists, whose numbers are larger than their text.
    check_too_much(r#"{{$l := repeat 700000 "1," | printf "[%s1]" | fromJson}}"#);
    check_too_much(r#"{{$l := repeat 90000 "1," | printf "[%s1]" | fromJson}}{{range $l}}{{$x := slice $l 1}}{{end}}"#);
    // Each match may look at all of the text, and each expression has to be compiled.
    check_too_much(r#"{{repeat 2000000 "a" | count "a"}}"#);
    check_too_much(r#"{{regexReplaceAll "a" (repeat 2000000 "a") ""}}"#);
    let compiled = r#"{{$x := count (printf "a{%d}" $n) "a"}}"#;
    check_too_much(&format!("{list}{{{{range $n, $x := $l}}}}{compiled}{{{{end}}}}"));
}

#[test]
fn what_templates_make_of_one_line_is_nothing_to_the_next() {
    let query = r#"| line_format `{{$x := repeat 2000000 "x"}}{{$y := repeat 2000000 "x"}}{{len $x}}`"#;
    let mut pipeline = Pipeline::new(&stages(query).unwrap(), &NEEDED, &clock()).unwrap();
    let labels = Labels::new([("app", "web")]).unwrap();
    let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &[], line: b"" };
    for _ in 0..9 {
        assert_eq!(pipeline.process(&entry).unwrap().line, b"2000000");
    }
}

#[test]
fn templates_end_where_nobody_waits() {
    let mut pipeline = Pipeline::new(&stages("| line_format `{{.app}}`").unwrap(), &NEEDED, &clock()).unwrap();
    let labels = Labels::new([("app", "web")]).unwrap();
    let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &[], line: b"" };
    let budget = Arc::new(Budget::default());
    pipeline.set_budget(&budget);
    assert_eq!(pipeline.process(&entry).unwrap().labels.get("__error__"), None);
    budget.cancel();
    let mut worker = pipeline.clone();
    let details = worker.process(&entry).unwrap().labels.get("__error_details__").unwrap();
    assert!(details.ends_with("<.app>: the query was abandoned"), "{details}");
}

#[test]
fn misuse_is_told_with_its_place() {
    check_failure("{{.app ToUpper}}", r#"1:2: executing "line" at <.app>: app is not a method but has arguments"#);
    check_failure("x\n{{.app | now}}", r#"2:9: executing "line" at <now>: wrong number of args for now: want 0 got 1"#);
    check_failure("{{.app.x}}", r#"1:2: executing "line" at <.app.x>: can't evaluate field x in type string"#);
    check_failure(
        "{{trunc .app .app}}",
        r#"1:8: executing "line" at <.app>: wrong type for value; expected int; got string"#,
    );
    check_failure("{{nil}}", r#"1:2: executing "line" at <nil>: nil is not a command"#);
    check_failure("{{range .app}}{{end}}", r#"1:8: executing "line" at <.app>: range can't iterate over string"#);
}

#[test]
fn what_is_no_template_is_refused() {
    for (template, reason) in [
        ("{{end}}", "unexpected {{end}}"),
        ("{{if .a}}", "unexpected EOF in block"),
        ("{{else}}", "unexpected {{else}}"),
        ("{{if .a}}{{else}}{{else}}{{end}}", "expected end; found {{else}}"),
        ("{{$x}}", "undefined variable \\\"$x\\\""),
        ("{{break}}", "{{break}} outside {{range}}"),
        ("{{}}", "missing value for command"),
        ("{{(.a}}", "unclosed left paren"),
        ("{{.a | 1}}", "non executable command in pipeline: 1"),
        ("{{define `x`}}", "unexpected EOF in block"),
        ("{{define x}}{{end}}", "unexpected \\\"x\\\" in define clause"),
        ("{{define `x`}}{{$y}}{{end}}", "undefined variable \\\"$y\\\""),
        ("{{range 3}}{{define `x`}}{{end}}{{end}}", "unexpected \\\"define\\\" in command"),
        ("{{range 3}}{{block `x` .}}{{break}}{{end}}{{end}}", "{{break}} outside {{range}}"),
        ("{{define `x`}}a{{end}}{{define `x`}}b{{end}}", "template: multiple definition of template \\\"x\\\""),
        ("{{template `x` | print}}", "missing value for template clause"),
    ] {
        let query = format!("| line_format \"{}\"", template.replace('"', "\\\""));
        let expected = format!("invalid line template: template: line:1: {}", reason.replace('\\', ""));
        super::check_refused(&query, &expected);
    }
    let deep = format!("| line_format `{}1{}`", "{{if 1}}".repeat(40), "{{end}}".repeat(40));
    super::check_refused(&deep, "invalid line template: template: line:1: nested deeper than 32");
}
