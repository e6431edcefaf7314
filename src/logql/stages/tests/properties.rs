//! No line and no template is too odd.

use proptest::prelude::*;

use super::{Entry, Labels, NEEDED, Needed, Pipeline, TIMESTAMP, clock, stages};

/// Every parser, filter and formatter; the filters keep what they can.
const STAGES: [&str; 10] = [
    "| json | logfmt | drop __error__, __error_details__",
    r#"| json x="a.b[0]", y="c" | logfmt z="a""#,
    "| logfmt --strict --keep-empty | label_format n=a | a>1s or a<1KB or a=1 or a=ip(\"10.0.0.1\")",
    r"| regexp `(?P<a>.)(?P<b>\w+)?` | pattern `<c> <d>=<_>` | keep a, c",
    "| unpack | decolorize | line_format `{{.a}}{{__line__ | trunc 5}}`",
    r#"|~ `.*` !> "<_>a<_>b" != ip("10.0.0.0/8") or "x""#,
    "| line_format `{{fromJson __line__}}{{__line__ | b64dec}}{{__line__ | title | alignRight 7}}`",
    "| label_format a=`{{bytes __line__}}`, b=`{{duration __line__}}`, c=`{{int __line__}}`",
    "| label_format t=`{{toDate \"Jan _2 2006 15:04:05.000 MST\" __line__}}`, f=`{{date __line__ now}}`",
    "| label_format p=`{{printf __line__ 1 2.5 \"x\"}}`, r=`{{regexReplaceAll __line__ __line__ __line__}}`",
];

/// Lines that look like logs, and lines that do not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let parts = proptest::collection::vec(
        prop_oneof![
            Just(&b"{\"a\":"[..]),
            Just(&b"\"_entry\":\"x\""[..]),
            Just(&b"{\"b\":[1,\"x\\n\",null]}"[..]),
            Just(&b"a=\"1s\" "[..]),
            Just(&b"level=error "[..]),
            Just(&b"10.0.0.1"[..]),
            Just(&b"\x1b[31m"[..]),
            Just(&b"\\u12\xc3\xa4\xff"[..]),
            Just(&b"%+05.3d%[,] }"[..]),
            Just(&b"Jan 02 2006"[..]),
            Just(&b"<165>"[..]),
            Just(&b"I1130 11:22:33 "[..]),
            Just(&b"[core:error] "[..]),
            Just(&b"] \"GET / HTTP/1.1\" 500"[..]),
            Just(&b" 11:22:33.1 * "[..]),
            Just(&b"E/Tag( 7) "[..]),
            Just(&b"local7.crit "[..]),
            Just(&b"{\"t\":1,\"s\":\"W\",\"level\":"[..]),
        ],
        0..12,
    );
    prop_oneof![parts.prop_map(|parts| parts.concat()), proptest::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #[test]
    fn any_line_gives_labels_that_are_sorted_and_unique(lines in proptest::collection::vec(line(), 1..4)) {
        let labels = Labels::new([("a", "1"), ("level", "")]).unwrap();
        let metadata = [("a".to_owned(), "m".to_owned())];
        for text in STAGES {
            for needed in [NEEDED, Needed::EVERYTHING] {
                let mut pipeline = Pipeline::new(&stages(text).unwrap(), &needed, &clock()).unwrap();
                for line in &lines {
                    let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &metadata, line };
                    let Some(processed) = pipeline.process(&entry) else { continue };
                    let names: Vec<&str> = processed.labels.iter().map(|label| label.name).collect();
                    prop_assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
                    prop_assert!(names.iter().all(|name| processed.labels.get(name).is_some()));
                }
            }
        }
    }

    #[test]
    fn any_line_has_a_level_that_has_a_name(line in line()) {
        let levels = ["trace", "debug", "info", "warn", "error", "critical", "fatal", "unknown"];
        prop_assert!(levels.contains(&crate::logql::stages::level_of_text(&line)));
    }

    /// Fewer needed labels make fewer labels and no other ones.
    #[test]
    fn a_needed_label_is_the_same_whatever_else_is_needed(line in line(), name in "a|b|a_b|level|a_extracted") {
        use super::NeededLabels;
        let labels = Labels::new([("b", "1")]).unwrap();
        let needed = Needed { labels: NeededLabels::Only(vec![name.clone()]), level: false };
        for text in ["| json | logfmt", "| logfmt | json | drop x", "| json | label_format a=b"] {
            let value = |needed: &Needed| {
                let mut pipeline = Pipeline::new(&stages(text).unwrap(), needed, &clock()).unwrap();
                let entry = Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &[], line: &line };
                pipeline.process(&entry).and_then(|processed| processed.labels.get(&name).map(str::to_owned))
            };
            prop_assert_eq!(value(&needed), value(&NEEDED), "{}", text);
        }
    }

    #[test]
    fn any_template_is_refused_or_runs(text in r#"(\{\{|\}\}|-| |if|end|range|else|with|\.a|\$x|:=|=|\||\(|\)|"x"|1|eq|print|len|[a-z.{}"'`é\\]){0,14}"#) {
        use crate::logql::ast::Stage;
        let labels = Labels::new([("a", "1")]).unwrap();
        if let Ok(mut pipeline) = Pipeline::new(&[Stage::LineFormat(text)], &NEEDED, &clock()) {
            pipeline.process(&Entry { timestamp: TIMESTAMP, labels: &labels, metadata: &[], line: b"x" });
        }
    }
}
