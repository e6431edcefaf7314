//! Any text as a query: parsed, printed, parsed again, and its stages run over a line. Never a panic, and what was printed
//! means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use monitoring_rs::logql::{parse, parse_labels, parse_selector, pretty};
use monitoring_rs_fuzz::plant;

fuzz_target!(init: plant("logql_parse", seeds()), |bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text);
    }
});

/// Only a query as long as this may be too long when it is written in full.
const PRINTED_BYTES_MIN: usize = 100_000;

fn check(text: &str) {
    let _ = parse_selector(text);
    let _ = parse_labels(text);
    let Ok(expr) = parse(text) else { return };
    let printed = [expr.to_string(), pretty(&expr)];
    // Arithmetic on numbers is done when a query is read, and what `0/0` and `9^999` give has no notation.
    if ["NaN", "Inf", "inf"].iter().any(|number| printed[0].contains(number)) {
        return;
    }
    for printed in printed {
        match parse(&printed) {
            Ok(again) => assert!(again == expr, "{printed}"),
            Err(error) => assert!(PRINTED_BYTES_MIN < printed.len(), "{printed}: {error}"),
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let queries = [
        r#"{app="api",b!="c" , d=~`e.`,f!~"g"}|="err"!="debug" |~ "a" or ip("1.1.1.0/24") !> "<_> b""#,
        r#"{a="b"} | json a="x[0].y", b | logfmt --strict --keep-empty c | regexp "(?P<a>.)" | pattern "<a> <_>""#,
        r#"{a="b"} | unpack | decolorize | line_format "{{.a | upper}} {{ if eq .b `1` }}x{{end}}" | label_format a=b,c="{{.d}}""#,
        r#"{a="b"} | drop a, b="c" | keep d | x > 1.5KB and (y == 2m3s or z != ip("::1")), w =~ "q""#,
        r#"sum by (a) (rate({a="b"} |= "x" | logfmt | unwrap duration(t) | __error__="" [5m] offset -1h)) > bool 2"#,
        r#"topk(3, quantile_over_time(0.99, {a="b"} | unwrap bytes(n) [1h]) by (c)) / on(c) group_left(d) vector(1)"#,
        r#"label_replace(count_over_time({a="b"}[1m]), "x", "$1", "a", "(.*)") unless -2 ^ 3 or absent_over_time({c="d"}[1m])"#,
        r#"avg without() (bytes_over_time(({a="b"})[1m])) # comment"#,
    ];
    queries.into_iter().map(|query| query.as_bytes().to_vec()).collect()
}
