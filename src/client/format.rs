//! Lines as they are shown, in one of the forms of `-o`.

use std::fmt::Write as _;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;
use serde::Serialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::arguments::Appearance;
use super::records::{Labels, Line, name};
use super::terminal::{self, DIM, MARK, RESET};
use super::{Error, Result};

/// Names of fields that hold what a line of JSON says.
const MESSAGE_NAMES: [&str; 5] = ["msg", "message", "MESSAGE", "@message", "Message"];
/// Names of fields whose value is shown as the level.
const LEVEL_NAMES: [&str; 6] = ["level", "Level", "LEVEL", "lvl", "severity", "log.level"];
/// How far from its start a line's level is looked for, in bytes.
const LEVEL_WITHIN: usize = 128;
pub(super) const INTO_TEXT: &str = "writing to a string cannot fail";

/// Words that tell a level.
static LEVEL_WORD: LazyLock<Regex> = LazyLock::new(|| {
    let expression = r"(?i)\b(?:(fatal|critical)|(error|err)|(warning|warn)|(info)|(debug|trace))\b";
    Regex::new(expression).expect("the expression is well-formed")
});

/// A form of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Time, stream and text; JSON as words.
    Default,
    /// The text as it is stored.
    Raw,
    /// An array of objects.
    Json,
    /// An object a line.
    JsonLines,
    Logfmt,
    /// What a template has made of the line.
    Template,
}

impl Form {
    /// The form that `-o` names, and the template in it.
    pub(super) fn of(text: &str) -> Result<(Self, Option<String>)> {
        if let Some(template) = text.strip_prefix("template=") {
            return Ok((Self::Template, Some(template.to_owned())));
        }
        let form = match text {
            "default" => Self::Default,
            "raw" => Self::Raw,
            "json" => Self::Json,
            "jsonl" => Self::JsonLines,
            "logfmt" => Self::Logfmt,
            _ => {
                let message = format!("-o '{text}' is none of default, raw, json, jsonl, logfmt and template='…'");
                return Err(Error::Usage(message));
            }
        };
        Ok((form, None))
    }
}

/// How times are written.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// In strftime's words.
    format: String,
    zone: TimeZone,
}

impl Times {
    /// In the zone and the format that were given: rfc3339, short, or strftime's words.
    pub(super) fn new(format: Option<&str>, appearance: &Appearance) -> Result<Self> {
        let format = match format.unwrap_or("rfc3339") {
            "rfc3339" => "%Y-%m-%dT%H:%M:%S%.f%:z",
            "short" => "%H:%M:%S%.3f",
            words if words.contains('%') => words,
            other => {
                let message =
                    format!("-t '{other}' is none of rfc3339, short and strftime's words, such as '%H:%M:%S'");
                return Err(Error::Usage(message));
            }
        };
        let times = Self { format: format.to_owned(), zone: zone(appearance)? };
        let mut tried = String::new();
        let is_known = write!(tried, "{}", Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).strftime(format)).is_ok();
        if is_known { Ok(times) } else { Err(Error::Usage(format!("-t '{format}' has a word that strftime does not"))) }
    }

    /// The text of a time in nanoseconds since the Unix epoch.
    pub(super) fn text(&self, ns: i64) -> String {
        let instant = Timestamp::from_nanosecond(ns.into()).expect("64 bits of nanoseconds lie within jiff's years");
        instant.to_zoned(self.zone.clone()).strftime(&self.format).to_string()
    }
}

/// The zone that times are shown in.
pub(super) fn zone(appearance: &Appearance) -> Result<TimeZone> {
    match appearance.timezone.as_deref() {
        None | Some("Local" | "local") => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name)
            .map_err(|_| Error::Usage(format!("--timezone '{name}' is no zone's name, such as UTC or Europe/Berlin"))),
    }
}

/// Writes lines in one form.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub(super) struct Formatter {
    pub(super) form: Form,
    /// Whether lines of people's forms begin with their time.
    pub(super) shows_time: bool,
    pub(super) times: Times,
    pub(super) has_prefix: bool,
    pub(super) has_colours: bool,
    /// Whether a terminal shows it.
    pub(super) is_terminal: bool,
    pub(super) highlight: Option<Regex>,
}

#[derive(Serialize)]
struct Object<'a> {
    time: String,
    id: String,
    level: &'a str,
    line: &'a str,
    labels: &'a Labels,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    metadata: &'a Labels,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    parsed: &'a Labels,
}

impl Formatter {
    /// Appends a line, and a line break.
    pub(super) fn push(&self, out: &mut String, line: &Line) {
        match self.form {
            Form::Json | Form::JsonLines | Form::Logfmt => {
                let text = if self.form == Form::Logfmt { self.logfmt(line) } else { self.object(line) };
                // What these escape is not all that drives a terminal.
                out.push_str(&if self.is_terminal { terminal::harmless(&text, false) } else { text });
            }
            Form::Default | Form::Raw | Form::Template => self.push_text(out, line),
        }
        out.push('\n');
    }

    fn object(&self, line: &Line) -> String {
        let object = Object {
            time: self.times.text(line.time),
            id: line.id(),
            level: &line.level,
            line: &line.text,
            labels: &line.stream.labels,
            metadata: &line.extra.metadata,
            parsed: &line.extra.parsed,
        };
        serde_json::to_string(&object).expect("text is JSON")
    }

    fn logfmt(&self, line: &Line) -> String {
        let mut out = format!("time={} level={}", self.times.text(line.time), line.level);
        for (name, value) in line.stream.labels.iter().chain(&line.extra.metadata).chain(&line.extra.parsed) {
            write!(out, " {name}={}", logfmt_value(value)).expect(INTO_TEXT);
        }
        write!(out, " msg={}", logfmt_value(&line.text)).expect(INTO_TEXT);
        out
    }

    fn push_text(&self, out: &mut String, line: &Line) {
        if self.shows_time {
            let time = self.times.text(line.time);
            if self.has_colours {
                write!(out, "{DIM}{time}{RESET} ").expect(INTO_TEXT);
            } else {
                write!(out, "{time} ").expect(INTO_TEXT);
            }
        }
        if self.has_prefix {
            let name = name(&line.stream.labels);
            let shown = if self.is_terminal { terminal::harmless(&name, false) } else { name.clone() };
            if self.has_colours {
                write!(out, "{}{shown}:{RESET} ", terminal::colour_of(&name)).expect(INTO_TEXT);
            } else {
                write!(out, "{shown}: ").expect(INTO_TEXT);
            }
        }
        self.push_message(out, line);
    }

    fn push_message(&self, out: &mut String, line: &Line) {
        let text = line.text.strip_suffix('\r').unwrap_or(&line.text);
        let is_plain = self.form != Form::Default;
        let words = if is_plain { None } else { words_of_json(text, &line.level, self.has_colours, self.is_terminal) };
        if let Some(words) = words {
            out.push_str(&self.highlighted(&words));
            return;
        }
        if !self.is_terminal && !self.has_colours {
            out.push_str(text);
            return;
        }
        let safe = if self.is_terminal { terminal::harmless(text, self.has_colours) } else { text.to_owned() };
        // What has colours of its own keeps them, and none of them runs into the next line.
        let has_own = safe.contains('\x1b');
        let shown = if has_own || is_plain || !self.has_colours { safe } else { with_level(&safe, &line.level) };
        out.push_str(&self.highlighted(&shown));
        if has_own {
            out.push_str(RESET);
        }
    }

    fn highlighted(&self, text: &str) -> String {
        match &self.highlight {
            Some(highlight) if self.has_colours => {
                highlight.replace_all(text, |found: &regex::Captures<'_>| format!("{MARK}{}{RESET}", &found[0])).into()
            }
            _ => text.to_owned(),
        }
    }
}

/// The text with the word in its colour that tells its level.
fn with_level(text: &str, level: &str) -> String {
    let Some(colour) = terminal::level_colour(level) else { return text.to_owned() };
    let group = match level {
        "fatal" | "critical" => 1,
        "error" => 2,
        "warn" => 3,
        "info" => 4,
        _ => 5,
    };
    let near = &text[..text.floor_char_boundary(LEVEL_WITHIN)];
    match LEVEL_WORD.captures_iter(near).find_map(|found| found.get(group)) {
        Some(word) => format!("{}{colour}{}{RESET}{}", &text[..word.start()], word.as_str(), &text[word.end()..]),
        None => text.to_owned(),
    }
}

/// A value as logfmt has it: quoted where it needs to be.
fn logfmt_value(value: &str) -> String {
    let is_plain =
        !value.is_empty() && value.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"\"=\\".contains(c));
    if is_plain { value.to_owned() } else { serde_json::to_string(value).expect("text is JSON") }
}

/// The fields of a JSON object in their order.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Visitor<'de> for Pairs {
    type Value = Self;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<Self, A::Error> {
        while let Some(pair) = map.next_entry()? {
            self.0.push(pair);
        }
        Ok(self)
    }
}

/// What a line of JSON says, as people read it: its level, its message, then its fields; `None` for other lines.
fn words_of_json(text: &str, level: &str, colours: bool, is_terminal: bool) -> Option<String> {
    if !text.starts_with('{') {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Pairs(pairs) = deserializer.deserialize_map(Pairs(Vec::new())).ok()?;
    deserializer.end().ok()?;
    let shown = |value: &RawValue| {
        let text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
        if is_terminal { terminal::harmless(&text, false) } else { text }
    };
    let is = |names: &[&str], name: &str| names.contains(&name);
    let has_level = pairs.iter().any(|(name, _)| is(&LEVEL_NAMES, name));
    let message = pairs.iter().find(|(name, _)| is(&MESSAGE_NAMES, name)).map(|(name, _)| name.clone());
    let mut out = String::new();
    if has_level {
        let colour = terminal::level_colour(level).filter(|_| colours);
        let (colour, reset) = colour.map_or(("", ""), |colour| (colour, RESET));
        write!(out, "{colour}{:5}{reset} ", level.to_uppercase()).expect(INTO_TEXT);
    }
    if let Some((_, value)) = pairs.iter().find(|(name, _)| Some(name) == message.as_ref()) {
        out.push_str(&shown(value));
    }
    let (dim, reset) = if colours { (DIM, RESET) } else { ("", "") };
    for (name, value) in &pairs {
        if is(&LEVEL_NAMES, name) || Some(name) == message.as_ref() {
            continue;
        }
        let name = if is_terminal { terminal::harmless(name, false) } else { name.clone() };
        let value = if value.get().starts_with('"') { logfmt_value(&shown(value)) } else { shown(value) };
        let separator = if out.is_empty() || out.ends_with(' ') { "" } else { " " };
        write!(out, "{separator}{dim}{name}={reset}{value}").expect(INTO_TEXT);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(words_of_json(text, "error", false, true).as_deref(), expected);
    }

    #[test]
    fn json_is_read_as_its_level_its_message_and_its_fields() {
        check(
            r#"{"ts":1.5,"level":"error","msg":"it \"broke\"","user":"a b","n":{"x":[1]}}"#,
            Some(r#"ERROR it "broke" ts=1.5 user="a b" n={"x":[1]}"#),
        );
        check(r#"{"a":"\u001b[2J"}"#, Some("a=^[[2J"));
        check(r#"{"a":1} and more"#, None);
        check("plain", None);
    }

    #[test]
    fn values_of_logfmt_are_quoted_where_they_need_to_be() {
        for (value, expected) in
            [("a", "a"), ("", "\"\""), ("a b", "\"a b\""), ("a\"b", "\"a\\\"b\""), ("a=b", "\"a=b\"")]
        {
            assert_eq!(logfmt_value(value), expected);
        }
    }

    #[test]
    fn the_word_that_tells_the_level_is_coloured() {
        assert_eq!(with_level("no info: ERROR x", "error"), "no info: \x1b[31mERROR\x1b[0m x");
        assert_eq!(with_level("nothing", "error"), "nothing");
    }
}
