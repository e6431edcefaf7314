//! `| regexp "…"`: the named groups of the first match become labels.

use std::sync::Arc;

use regex::bytes::{CaptureLocations, Regex};

use crate::logql::stages::labels::LabelSet;
use crate::logql::stages::wanted::Wanted;
use crate::logql::{Error, regexp};
use crate::model;

/// `| regexp`.
#[derive(Clone, Debug)]
pub(super) struct Regexp {
    regex: Regex,
    /// Room for the places of the groups.
    locations: CaptureLocations,
    /// Index and name of each group that becomes a label.
    groups: Vec<(usize, String)>,
    wanted: Arc<Wanted>,
}

impl Regexp {
    /// # Errors
    ///
    /// [`Error::Syntax`] if `text` is no expression, or has no named group, or one that is no name or is there twice.
    pub(super) fn new(text: &str, wanted: Arc<Wanted>) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::meaning(format!("invalid regexp parser: {reason}"));
        // Names that are there twice are no expression to the compiler.
        let regex = regexp::for_lines(text).map_err(|error| match error.to_string() {
            reason if reason.contains("duplicate") => refuse(&format!("duplicate extracted label name: {reason}")),
            reason => refuse(&reason),
        })?;
        let mut groups = Vec::new();
        for (index, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            if !model::is_label_name(name) {
                return Err(refuse(&format!("invalid extracted label name '{name}'")));
            }
            groups.push((index, name.to_owned()));
        }
        if groups.is_empty() {
            return Err(refuse("at least one named capture must be supplied"));
        }
        groups.retain(|(_, name)| wanted.has_extracted(name));
        let locations = regex.capture_locations();
        Ok(Self { regex, locations, groups, wanted })
    }

    /// Adds the labels of `line`.
    pub(super) fn run(&mut self, line: &[u8], labels: &mut LabelSet) {
        let mut sink = labels.sink(&self.wanted);
        if self.groups.is_empty() || sink.is_done() {
            return;
        }
        let text = model::text_of(line);
        if self.regex.captures_read(&mut self.locations, text.as_bytes()).is_none() {
            return;
        }
        for (index, name) in &self.groups {
            let value = self.locations.get(*index).and_then(|(start, end)| text.get(start..end));
            sink.put(name, |out| out.push_str(value.unwrap_or_default()));
        }
    }
}
