//! Templates of `line_format` and `label_format`: Go's `text/template` over the labels of a line.
//!
//! A label that is not there is an empty text. What a template may cost is bounded: its depth, the length of each text
//! that it makes, and by its [`Allowance`] how much it makes in all, be it kept or not.

mod allowance;
mod eval;
mod fields;
mod functions;
mod parser;
mod token;
mod value;

use crate::logql::Error;
use crate::logql::pipeline::{Clock, Entry};
use crate::logql::stages::labels::{LabelSet, Snapshot};
use crate::model::{Labels, Timestamp};
pub(super) use allowance::Allowance;
use functions::Context;
pub(super) use functions::RegexCache;

/// A template, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// What messages call it.
    name: &'static str,
    text: String,
    nodes: Vec<parser::Node>,
    /// Those that are defined in it.
    named: parser::Named,
}

/// What a template can see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The labels as they were when the snapshot was taken.
    pub(super) labels: &'a LabelSet,
    pub(super) snapshot: &'a Snapshot,
    pub(super) line: &'a [u8],
    pub(super) timestamp: Timestamp,
    pub(super) clock: &'a Clock,
}

impl Template {
    /// # Errors
    ///
    /// [`Error::Stage`] if `text` is no template.
    pub(super) fn parse(name: &'static str, text: &str) -> Result<Self, Error> {
        let (nodes, named) = parser::parse(text).map_err(|fault| {
            let (line, _) = position(text, fault.at);
            Error::stage(format!("invalid {name} template: template: {name}:{line}: {}", fault.message))
        })?;
        Ok(Self { name, text: text.to_owned(), nodes, named })
    }

    /// Appends the template's output, or says why there is none; then what `out` holds is of no use.
    pub(super) fn execute(
        &self,
        scope: Scope<'_>,
        regexes: &mut RegexCache,
        allowance: &mut Allowance,
        out: &mut String,
    ) -> Result<(), String> {
        let context = Context { scope, regexes, allowance };
        eval::execute(self, context, out).map_err(|failure| {
            let name = self.name;
            let (line, column) = position(&self.text, failure.at);
            let eval::Failure { operand, message, .. } = failure;
            format!("template: {name}:{line}:{column}: executing {name:?} at <{operand}>: {message}")
        })
    }

    /// The labels that the template looks at; `None` if it may look at any.
    pub(super) fn fields(&self) -> Option<Vec<String>> {
        fields::of(&self.nodes)
    }
}

/// What a template of an alert says, whose labels and value these are: `{{ $labels.app }}`, `{{ $value }}`, and as fields of the
/// dot, `{{ .Labels.app }}` and `{{ .Value }}`.
///
/// # Errors
///
/// Why there is no text.
pub(in crate::logql) fn expand(
    text: &str,
    labels: &[(String, String)],
    value: f64,
    clock: &Clock,
) -> Result<String, String> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let text = format!("{{{{ $labels := . }}}}{{{{ $value := float64 .{VALUE_LABEL} }}}}{}", with_variables(text));
    let template = Template::parse("alert", &text).map_err(|error| error.to_string())?;
    let mut metadata = labels.to_vec();
    metadata.push((VALUE_LABEL.to_owned(), value.to_string()));
    let stream = Labels::default();
    let (mut set, mut snapshot) = (LabelSet::default(), Snapshot::default());
    set.begin(&Entry { timestamp: clock.now, labels: &stream, metadata: &metadata, line: b"" });
    set.save(&mut snapshot);
    let (mut allowance, mut out) = (Allowance::default(), String::new());
    allowance.begin();
    let scope = Scope { labels: &set, snapshot: &snapshot, line: b"", timestamp: clock.now, clock };
    template.execute(scope, &mut RegexCache::default(), &mut allowance, &mut out)?;
    Ok(out)
}

/// The label that the value of an alert is looked up as.
const VALUE_LABEL: &str = "__value__";

/// A template with the fields of the dot that alerts have as variables.
fn with_variables(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find("{{") {
        let end = rest[start..].find("}}").map_or(rest.len(), |end| start + end);
        out.push_str(&rest[..start]);
        let mut action = &rest[start..end];
        // A dot inside a name or behind a variable begins no field of the dot.
        while let Some(dot) = action.find('.') {
            let is_root = !action[..dot].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ')');
            let variable = [(".Labels", "$labels"), (".Value", "$value")].into_iter().find(|(field, _)| {
                let rest = action[dot..].strip_prefix(field);
                is_root && rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            });
            out.push_str(&action[..dot]);
            let (field, text) = variable.unwrap_or((".", "."));
            out.push_str(text);
            action = &action[dot + field.len()..];
        }
        out.push_str(action);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The line, from 1, and the byte in it, from 0.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    (before.matches('\n').count() + 1, before.len() - line_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a template says of an alert with the label `app="a"`.
    #[track_caller]
    fn check(text: &str, value: f64, expected: &str) {
        let clock = Clock { now: Timestamp::from_ns(0), zone: jiff::tz::TimeZone::UTC, zones: jiff::tz::db().clone() };
        let labels = [("app".to_owned(), "a".to_owned())];
        assert_eq!(expand(text, &labels, value, &clock).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn templates_of_alerts_have_labels_and_a_value() {
        check("no template", 1.0, "no template");
        check("{{ $labels.app }}: {{ $value }}", 1.5, "a: 1.5");
        check("{{ .Labels.app }}{{ .Labels.none }}: {{ .Value | humanize }}. Labels", 1e6, "a: 1M. Labels");
        check("{{ if gt $value 1.0 }}{{ printf \"%.2f\" $value }}{{ end }}", 1.234_5, "1.23");
        check("{{ with $x := .Labels.app }}{{ $x | toUpper }}{{ end }}", 1.0, "A");
        check("{{ $labels.app | reReplaceAll \"(.)\" \"<$1$1>\" }}", 1.0, "<aa>");
        check("{{ if match \"^[ab]$\" $labels.app }}of two{{ end }}", 1.0, "of two");
    }

    #[test]
    fn numbers_are_for_people_as_prometheus_writes_them() {
        for (value, expected) in [
            (0.0, "0"),
            (1_234_567.0, "1.235M"),
            (0.000_12, "120u"),
            (-1.0, "-1"),
            (999.0, "999"),
            (f64::INFINITY, "+Inf"),
        ] {
            check("{{ humanize $value }}", value, expected);
        }
        check("{{ humanize1024 $value }}", 1_048_576.0, "1Mi");
        check("{{ humanizePercentage $value }}", 0.123_456_7, "12.35%");
        for (value, expected) in
            [(0.0, "0s"), (0.1, "100ms"), (12.345, "12.35s"), (3661.0, "1h 1m 1s"), (200_000.0, "2d 7h 33m 20s")]
        {
            check("{{ humanizeDuration $value }}", value, expected);
        }
    }
}
