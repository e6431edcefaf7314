//! Whether a query names a label: in a selector, in a stage, in a grouping or in a match of series.

use crate::logql::ast::{Grouping, MetricExpr, RangeAggregation, VectorMatching};
use crate::logql::stages::looks_at;

/// Whether `expr` names label `name` anywhere, or has a template that may look at any label.
pub fn mentions(expr: &MetricExpr, name: &str) -> bool {
    expr.parts().any(|part| {
        let is_in_lines = match part {
            MetricExpr::Range(RangeAggregation { range, .. }) => {
                range.log.matchers.iter().any(|matcher| matcher.name == name)
                    || range.log.stages.iter().any(|stage| looks_at(stage, name))
            }
            _ => false,
        };
        is_in_lines || asks_for(part, name)
    })
}

/// Whether `part`, without what it is made of, asks its series for label `name`.
pub(super) fn asks_for(part: &MetricExpr, name: &str) -> bool {
    let is_among = |names: &[String]| names.iter().any(|candidate| candidate == name);
    let groups_by = |grouping: &Option<Grouping>| grouping.as_ref().is_some_and(|grouping| is_among(&grouping.labels));
    match part {
        MetricExpr::Range(aggregation) => groups_by(&aggregation.grouping),
        MetricExpr::Vector(aggregation) => groups_by(&aggregation.grouping),
        MetricExpr::Binary(binary) => {
            let VectorMatching { labels, group } = &binary.matching;
            labels.as_ref().is_some_and(|labels| is_among(&labels.labels))
                || group.as_ref().is_some_and(|group| is_among(&group.include))
        }
        MetricExpr::LabelReplace(replace) => replace.source == name,
        MetricExpr::Constant(_) | MetricExpr::Literal(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logql::ast::Expr;
    use crate::logql::parse;

    #[track_caller]
    fn check(query: &str, expected: bool) {
        let Ok(Expr::Metric(expr)) = parse(query) else { panic!("{query} is no metric query") };
        assert_eq!(mentions(&expr, "svc"), expected, "{query}");
    }

    #[test]
    fn labels_are_named_in_the_tree_not_in_texts() {
        for query in [
            r#"rate({svc="a"}[1m])"#,
            r#"rate({a="b"} | svc="a" [1m])"#,
            r#"rate({a="b"} | label_format c=svc [1m])"#,
            r#"rate({a="b"} | line_format "{{.svc}}" [1m])"#,
            r#"rate({a="b"} | line_format "{{.}}" [1m])"#,
            r#"rate({a="b"} | drop svc="a" [1m])"#,
            r#"rate({a="b"} | unwrap svc [1m])"#,
            r#"max_over_time({a="b"} | unwrap c [1m]) by (svc)"#,
            r#"1 + sum without (svc) (rate({a="b"}[1m]))"#,
            "vector(1) * on (svc) vector(1)",
            "vector(1) * on (a) group_left (svc) vector(1)",
            r#"label_replace(vector(1), "a", "$1", "svc", "(.*)")"#,
        ] {
            check(query, true);
        }
        for query in [
            r#"rate({a="svc"} |= "svc" [1m])"#,
            r#"rate({svcs="a"} | label_format svc="a" | json svc="x" [1m])"#,
            r#"label_replace(vector(1), "svc", "svc", "a", "svc")"#,
            "vector(1)",
        ] {
            check(query, false);
        }
    }
}
