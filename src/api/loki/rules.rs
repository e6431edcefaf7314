//! `rules` and `alerts`, as Loki's ruler and Prometheus answer them: Grafana lists what fires.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::wire;
use crate::api::parameters::Parameters;
use crate::api::wire::rfc3339;
use crate::model::Timestamp;
use crate::status::{ActiveAlert, Pairs, RuleGroup, RuleState};

/// What Go prints for no time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Answers the rules as they stand in files, by file. JSON is YAML, which Loki answers.
pub(super) async fn files(request: Request<State>) -> Result<Response, Error> {
    let mut files: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for group in request.state().status.rules() {
        let rules: Vec<Value> = group.rules.iter().map(written).collect();
        let written = json!({"name": group.name, "interval": text_of(group.interval), "rules": rules});
        files.entry(group.file).or_default().push(written);
    }
    if files.is_empty() {
        // Loki answers 404, which Grafana shows as an error.
        return Ok(wire::success(json!({"groups": []})));
    }
    let mut response = wire::json(&json!(files));
    response.insert_header("Content-Type", "application/yaml");
    Ok(response)
}

/// A length of time as files have it.
fn text_of(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

/// A rule as it stands in its file.
fn written(rule: &RuleState) -> Value {
    let mut written = json!({"expr": rule.query, "labels": object(&rule.labels)});
    match &rule.alerting {
        Some(alert) => {
            written["alert"] = rule.name.clone().into();
            for (name, time) in [("for", alert.hold), ("keep_firing_for", alert.keep_firing)] {
                if !time.is_zero() {
                    written[name] = text_of(time).into();
                }
            }
            written["annotations"] = object(&alert.annotations);
        }
        None => written["record"] = rule.name.clone().into(),
    }
    written
}

/// Answers the groups with what they have found; `type`, `rule_name[]`, `rule_group[]` and `file[]` choose among them.
pub(super) async fn rules(request: Request<State>) -> Result<Response, Error> {
    let parameters = Parameters::parse(request.url().query().unwrap_or_default())?;
    let kind = parameters.get("type", "alert or record", |text| match text {
        "alert" => Some(true),
        "record" => Some(false),
        _ => None,
    })?;
    let is_among = |name: &str, value: &str| {
        let mut wanted = parameters.all(name).peekable();
        wanted.peek().is_none() || wanted.any(|wanted| wanted == value.as_bytes())
    };
    let groups = request.state().status.rules();
    let groups = groups.iter().filter(|group| is_among("rule_group[]", &group.name) && is_among("file[]", &group.file));
    let of_group = |group: &RuleGroup| {
        let rules = group.rules.iter().filter(|rule| kind.is_none_or(|is_alert| is_alert == rule.alerting.is_some()));
        let rules: Vec<Value> =
            rules.filter(|rule| is_among("rule_name[]", &rule.name)).map(|rule| of_rule(group, rule)).collect();
        (!rules.is_empty()).then(|| {
            json!({
                "name": group.name,
                "file": group.file,
                "interval": group.interval.as_secs_f64(),
                "limit": group.limit,
                "rules": rules,
                "evaluationTime": group.took.as_secs_f64(),
                "lastEvaluation": time(group.evaluated),
            })
        })
    };
    Ok(wire::success(json!({"groups": groups.filter_map(of_group).collect::<Vec<_>>()})))
}

fn of_rule(group: &RuleGroup, rule: &RuleState) -> Value {
    let health = match (&rule.problem, group.evaluated) {
        (Some(_), _) => "err",
        (None, Some(_)) => "ok",
        (None, None) => "unknown",
    };
    let mut shown = json!({
        "name": rule.name,
        "query": rule.query,
        "labels": object(&rule.labels),
        "health": health,
        "evaluationTime": rule.took.as_secs_f64(),
        "lastEvaluation": time(group.evaluated),
    });
    if let Some(problem) = &rule.problem {
        shown["lastError"] = problem.clone().into();
    }
    let Some(alert) = &rule.alerting else {
        shown["type"] = "recording".into();
        return shown;
    };
    let state = match rule.alerts.iter().map(|alert| alert.is_firing).max() {
        Some(true) => "firing",
        Some(false) => "pending",
        None => "inactive",
    };
    let seconds = |time: Duration| time.as_secs_f64();
    shown["type"] = "alerting".into();
    shown["state"] = state.into();
    shown["duration"] = seconds(alert.hold).into();
    shown["keepFiringFor"] = seconds(alert.keep_firing).into();
    shown["annotations"] = object(&alert.annotations);
    shown["alerts"] = rule.alerts.iter().map(of_alert).collect();
    shown
}

/// Answers the alerts that are pending or fire.
pub(super) async fn alerts(request: Request<State>) -> Result<Response, Error> {
    let groups = request.state().status.rules();
    let alerts = groups.iter().flat_map(|group| &group.rules).flat_map(|rule| &rule.alerts).map(of_alert);
    Ok(wire::success(json!({"alerts": alerts.collect::<Vec<_>>()})))
}

fn of_alert(alert: &ActiveAlert) -> Value {
    json!({
        "labels": object(&alert.labels),
        "annotations": object(&alert.annotations),
        "state": if alert.is_firing { "firing" } else { "pending" },
        "activeAt": rfc3339(alert.active),
        "value": alert.value.to_string(),
    })
}

fn object(pairs: &Pairs) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>())
}

fn time(timestamp: Option<Timestamp>) -> String {
    timestamp.map_or_else(|| NEVER.to_owned(), rfc3339)
}
