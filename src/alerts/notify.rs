//! Tells receivers of alerts: Alertmanager, webhooks that take what Alertmanager sends, Slack's, and ntfy.
//!
//! Each has a thread and a queue of its own, so one that is away delays nobody. Alertmanager is told again and again, as it expects;
//! the others once of each alert that begins and of each that ends.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::alerts::Error;
use crate::alerts::state::{LabelPairs, Notice};
use crate::ingest::Stop;
use crate::model::Timestamp;
use crate::outgoing::{self, Backoff, Files, Receiver};
use crate::status::{NotifyTarget, Status};

/// Most notices that wait for a receiver; the oldest ones go first.
const NOTICES_MAX: usize = 10_000;
/// Most alerts of a message.
const MESSAGE_ALERTS_MAX: usize = 64;
/// How long to wait for something to tell, so that a stop is noticed.
const IDLE_INTERVAL: Duration = Duration::from_millis(500);
/// The path that Alertmanager takes alerts at.
const ALERTMANAGER_PATH: &str = "/api/v2/alerts";

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Alertmanager,
    Webhook,
    Slack,
    Ntfy,
}

impl Protocol {
    const ALL: [Self; 4] = [Self::Alertmanager, Self::Webhook, Self::Slack, Self::Ntfy];

    fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Ntfy => "ntfy",
        }
    }
}

/// The protocol and the URL of an address such as `alertmanager+http://host:9093`.
fn parse_address(text: &str) -> Result<(Protocol, String), Error> {
    let named = Protocol::ALL.into_iter().find_map(|protocol| {
        let url = text.strip_prefix(protocol.name())?.strip_prefix('+').filter(|url| url.starts_with("http"))?;
        Some((protocol, url))
    });
    let is_alertmanager = text.starts_with("http") && text.ends_with(ALERTMANAGER_PATH);
    match named.or_else(|| is_alertmanager.then_some((Protocol::Alertmanager, text))) {
        Some((Protocol::Alertmanager, url)) if !url.ends_with(ALERTMANAGER_PATH) => {
            Ok((Protocol::Alertmanager, format!("{}{ALERTMANAGER_PATH}", url.trim_end_matches('/'))))
        }
        Some((protocol, url)) => Ok((protocol, url.to_owned())),
        None => Err(Error::Address(format!(
            "expected alertmanager+http(s)://host, webhook+…, slack+…, ntfy+…, or a URL that ends in {ALERTMANAGER_PATH}"
        ))),
    }
}

/// Someone who is told of alerts.
#[derive(Debug)]
pub(super) struct Notifier {
    protocol: Protocol,
    receiver: Receiver,
    queue: Mutex<VecDeque<Notice>>,
    changed: Condvar,
    target: Arc<NotifyTarget>,
    /// Where people find this agent.
    external_url: String,
}

impl Notifier {
    pub(super) fn new(address: &str, files: Files, external_url: &str, status: &Status) -> Result<Self, Error> {
        let (protocol, url) = parse_address(address)?;
        let receiver = Receiver::new(&url, files)?;
        let target = Arc::new(NotifyTarget::new(receiver.shown().to_owned(), protocol.name()));
        status.add_notified(&target);
        let (queue, changed) = Default::default();
        Ok(Self { protocol, receiver, queue, changed, target, external_url: external_url.to_owned() })
    }

    /// Takes what is to be told; never waits.
    pub(super) fn offer(&self, notices: &[Notice]) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in notices.iter().filter(|notice| self.protocol == Protocol::Alertmanager || !notice.is_repeated) {
            // One that waits and says the same is out of date.
            queue.retain(|other| (&other.labels, other.is_resolved) != (&notice.labels, notice.is_resolved));
            if NOTICES_MAX <= queue.len() {
                queue.pop_front();
                self.target.dropped.add(1);
            }
            queue.push_back(notice.clone());
        }
        drop(queue);
        self.changed.notify_all();
    }

    /// Tells what waits, until `stop`.
    pub(super) fn run(&self, stop: &Stop) {
        let mut backoff = Backoff::default();
        let mut message: Vec<Notice> = Vec::new();
        while !stop.is_set() {
            if message.is_empty() {
                message = self.next();
            }
            if message.is_empty() {
                continue;
            }
            match self.tell(&message) {
                Ok(is_taken) => {
                    if is_taken { &self.target.sent } else { &self.target.dropped }.add(message.len() as u64);
                    message.clear();
                    backoff = Backoff::default();
                    if is_taken && self.target.set_problem(None) {
                        log::info!("{} is told of alerts again", self.target.address);
                    }
                }
                Err((reason, retry_after)) => {
                    self.target.failures.add(1);
                    self.note_problem(&reason);
                    stop.wait(backoff.wait(retry_after, outgoing::chance()));
                }
            }
        }
    }

    fn note_problem(&self, reason: &str) {
        if self.target.set_problem(Some(reason.to_owned())) {
            log::warn!("alerts wait to be told: {reason}");
        }
    }

    /// Waits a moment for something to tell.
    fn next(&self) -> Vec<Notice> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(queue, IDLE_INTERVAL, |queue| queue.is_empty());
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let count = if self.protocol == Protocol::Ntfy { 1 } else { MESSAGE_ALERTS_MAX };
        let count = queue.len().min(count);
        queue.drain(..count).collect()
    }

    /// Sends a message; whether it is taken, or why it is to be sent again.
    fn tell(&self, notices: &[Notice]) -> Result<bool, (String, Option<Duration>)> {
        let json = |value: Value| (value.to_string(), "application/json");
        let (body, content_type) = match self.protocol {
            Protocol::Alertmanager => json(self.alertmanager(notices)),
            Protocol::Webhook => json(self.webhook(notices)),
            Protocol::Slack => json(json!({"text": notices.iter().map(text).collect::<Vec<_>>().join("\n")})),
            Protocol::Ntfy => (notices.iter().map(text).collect::<Vec<_>>().join("\n"), "text/plain; charset=utf-8"),
        };
        let answer = self.receiver.post(&[("Content-Type", content_type)], body.as_bytes());
        let answer = answer.map_err(|error| (error.to_string(), None))?;
        let said = || format!("{} answers {}: {}", self.receiver.shown(), answer.status, answer.text());
        match answer.status {
            200..300 => Ok(true),
            // What is in it is never taken.
            400 | 413 | 422 => {
                self.target.failures.add(1);
                self.note_problem(&said());
                Ok(false)
            }
            _ => Err((said(), answer.retry_after)),
        }
    }

    /// The body of `/api/v2/alerts`.
    fn alertmanager(&self, notices: &[Notice]) -> Value {
        notices.iter().map(|notice| self.alert(notice)).collect()
    }

    fn alert(&self, notice: &Notice) -> Value {
        json!({
            "labels": object(&notice.labels),
            "annotations": object(&notice.annotations),
            "startsAt": time(notice.starts),
            "endsAt": time(notice.ends),
            "generatorURL": self.external_url,
        })
    }

    /// What Alertmanager's webhooks send, version 4.
    fn webhook(&self, notices: &[Notice]) -> Value {
        let status = |is_resolved| if is_resolved { "resolved" } else { "firing" };
        let alerts: Vec<Value> = notices
            .iter()
            .map(|notice| {
                let mut alert = self.alert(notice);
                alert["status"] = status(notice.is_resolved).into();
                if !notice.is_resolved {
                    // Nobody knows when it ends.
                    alert["endsAt"] = "0001-01-01T00:00:00Z".into();
                }
                let digest = md5::compute(alert["labels"].to_string()).0;
                let number = digest[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                alert["fingerprint"] = format!("{number:016x}").into();
                alert
            })
            .collect();
        json!({
            "version": "4",
            "groupKey": "{}:{}",
            "truncatedAlerts": 0,
            "status": status(notices.iter().all(|notice| notice.is_resolved)),
            "receiver": "webhook",
            "groupLabels": {},
            "commonLabels": common(notices.iter().map(|notice| &notice.labels)),
            "commonAnnotations": common(notices.iter().map(|notice| &notice.annotations)),
            "externalURL": self.external_url,
            "alerts": alerts,
        })
    }
}

/// An alert as a line for people.
fn text(notice: &Notice) -> String {
    let find =
        |pairs: &LabelPairs, name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let state = if notice.is_resolved { "resolved" } else { "FIRING" };
    let name = find(&notice.labels, "alertname").unwrap_or_default();
    let summary = find(&notice.annotations, "summary").or_else(|| find(&notice.annotations, "description"));
    let labels: Vec<String> = notice
        .labels
        .iter()
        .filter(|(name, _)| name != "alertname")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let summary = summary.map(|summary| format!(": {summary}")).unwrap_or_default();
    format!("[{state}] {name}{summary} ({})", labels.join(", "))
}

/// The pairs that all have.
fn common<'a>(mut all: impl Iterator<Item = &'a LabelPairs>) -> Value {
    let first = all.next().cloned().unwrap_or_default();
    let common = all.fold(first, |common, pairs| common.into_iter().filter(|pair| pairs.contains(pair)).collect());
    object(&common)
}

fn object(pairs: &LabelPairs) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>())
}

/// A time as RFC 3339 has it.
pub(super) fn time(timestamp: Timestamp) -> String {
    let instant = jiff::Timestamp::from_nanosecond(timestamp.as_ns().into());
    instant.map(|instant| instant.to_zoned(TimeZone::UTC).timestamp().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str, is_resolved: bool, is_repeated: bool) -> Notice {
        Notice {
            labels: vec![("alertname".into(), name.into()), ("app".into(), "a".into())],
            annotations: vec![("summary".into(), "much".into())],
            starts: Timestamp::from_ns(0),
            ends: Timestamp::from_ns(60_000_000_000),
            is_resolved,
            is_repeated,
            value: 1.0,
        }
    }

    fn notifier(address: &str) -> Notifier {
        Notifier::new(address, Files::default(), "http://here/", &Status::default()).unwrap()
    }

    #[test]
    fn addresses_name_their_protocol() {
        let url = |address: &str| parse_address(address).map(|(protocol, url)| (protocol.name(), url)).ok();
        let alertmanager = Some(("alertmanager", "http://a:9093/x/api/v2/alerts".to_owned()));
        assert_eq!(url("alertmanager+http://a:9093/x/"), alertmanager);
        assert_eq!(url("http://a:9093/x/api/v2/alerts"), alertmanager);
        assert_eq!(url("slack+https://hooks/x?y"), Some(("slack", "https://hooks/x?y".to_owned())));
        for wrong in ["http://a/", "mail+http://a", "", "ntfy+a"] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn messages_are_what_receivers_read() {
        let alertmanager = notifier("alertmanager+http://a").alertmanager(&[notice("x", false, false)]);
        let expected = json!([{
            "labels": {"alertname": "x", "app": "a"},
            "annotations": {"summary": "much"},
            "startsAt": "1970-01-01T00:00:00Z",
            "endsAt": "1970-01-01T00:01:00Z",
            "generatorURL": "http://here/",
        }]);
        assert_eq!(alertmanager, expected);
        let webhook = notifier("webhook+http://a").webhook(&[notice("x", false, false), notice("y", true, false)]);
        assert_eq!((&webhook["status"], &webhook["commonLabels"]), (&json!("firing"), &json!({"app": "a"})));
        assert_eq!(
            (&webhook["alerts"][1]["status"], &webhook["alerts"][0]["endsAt"]),
            (&json!("resolved"), &json!("0001-01-01T00:00:00Z"))
        );
        assert_eq!(text(&notice("x", false, false)), "[FIRING] x: much (app=a)");
    }

    #[test]
    fn only_alertmanager_is_told_the_same_again_and_what_waits_is_up_to_date() {
        let told = |address: &str| {
            let notifier = notifier(address);
            notifier.offer(&[notice("x", false, false), notice("y", false, false)]);
            notifier.offer(&[notice("x", false, true)]);
            notifier.offer(&[notice("x", true, false)]);
            let all = notifier.next();
            all.iter().map(|notice| (notice.labels[0].1.clone(), notice.is_resolved)).collect::<Vec<_>>()
        };
        let of = |pairs: &[(&str, bool)]| pairs.iter().map(|(name, is)| ((*name).to_owned(), *is)).collect::<Vec<_>>();
        assert_eq!(told("alertmanager+http://a"), of(&[("y", false), ("x", false), ("x", true)]));
        assert_eq!(told("webhook+http://a"), of(&[("x", false), ("y", false), ("x", true)]));
        let many: Vec<Notice> = (0..NOTICES_MAX + 5).map(|number| notice(&number.to_string(), false, false)).collect();
        let slow = notifier("slack+http://a");
        slow.offer(&many[..3]);
        slow.queue.lock().unwrap().extend(many[3..NOTICES_MAX].iter().cloned());
        slow.offer(&many[NOTICES_MAX..]);
        assert_eq!((slow.queue.lock().unwrap().len(), slow.target.dropped.get()), (NOTICES_MAX, 5));
    }
}
