//! `| json`: every leaf of a JSON object becomes a label, or with expressions, the values at given paths do.

mod leaves;
mod path;
mod scanner;

use std::sync::Arc;

use crate::logql::Error;
use crate::logql::ast::Extraction;
use crate::logql::stages::labels::{ErrorKind, LabelSet, Sink};
use crate::logql::stages::values;
use crate::logql::stages::wanted::Wanted;
pub use leaves::for_each_leaf;
use path::{Found, Path};
pub(super) use scanner::{Fault, Scanner, Text, Value};

/// How deep objects may nest whose leaves become labels; deeper ones would be names of as many parts.
pub(super) const DEPTH_MAX: usize = 64;

/// `| json` without expressions.
#[derive(Clone, Debug)]
pub(super) struct Json {
    pub(super) wanted: Arc<Wanted>,
}

impl Json {
    pub(super) fn new(wanted: Arc<Wanted>) -> Self {
        Self { wanted }
    }

    /// Adds the labels of `line`; `name` is room for names.
    pub(super) fn run(&self, line: &[u8], labels: &mut LabelSet, name: &mut String) {
        let sink = labels.sink(&self.wanted);
        if sink.is_done() {
            return;
        }
        name.clear();
        let mut walk = Walk { scanner: Scanner::new(line), name, sink };
        if let Err(fault) = walk.line() {
            labels.set_error(ErrorKind::Json, &fault);
        }
    }
}

/// A walk over an object in search of leaves.
struct Walk<'a, 'n> {
    scanner: Scanner<'a>,
    /// The name of the label, as far as the keys down to here make it.
    name: &'n mut String,
    sink: Sink<'n>,
}

impl Walk<'_, '_> {
    fn line(&mut self) -> Result<(), Fault> {
        self.scanner.expect_object()?;
        self.object(0)
    }

    /// Goes through the object that begins here.
    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        if depth == DEPTH_MAX {
            return Err(self.scanner.fault("fewer objects inside of each other"));
        }
        self.scanner.enter();
        let mut is_first = true;
        while let Some(key) = self.scanner.key(is_first)? {
            is_first = false;
            let parent_bytes = self.name.len();
            push_key(self.name, key);
            match self.scanner.value()? {
                Value::Object if self.sink.wants_below(self.name) => self.object(depth + 1)?,
                Value::Object | Value::Array => {
                    self.scanner.skip()?;
                }
                Value::Text(text) => self.sink.put(self.name, |out| push_text(out, text)),
                Value::Scalar(scalar) => self.sink.put(self.name, |out| values::push_value(out, scalar)),
                Value::Null => {}
            }
            self.name.truncate(parent_bytes);
            if self.sink.is_done() {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Appends a key to a name, with `_` between; a key of blanks adds nothing.
pub(super) fn push_key(name: &mut String, key: Text<'_>) {
    let before = name.len();
    let mut unescaped = String::new();
    let text = match std::str::from_utf8(key.raw) {
        Ok(text) if !key.has_escapes => text,
        _ => {
            push_text(&mut unescaped, key);
            &unescaped
        }
    };
    if before != 0 {
        name.push('_');
    }
    let start = name.len();
    values::push_name(name, text);
    if name.len() == start {
        name.truncate(before);
    }
}

/// Appends the text of a string. A string whose escapes are wrong is taken as it is written.
pub(super) fn push_text(out: &mut String, text: Text<'_>) {
    let start = out.len();
    if !text.has_escapes {
        values::push_value(out, text.raw);
    } else if !values::push_unescaped(out, text.raw) {
        out.truncate(start);
        values::push_value(out, text.raw);
    }
}

/// `| json a="x.y", b`.
#[derive(Clone, Debug)]
pub(super) struct JsonPaths {
    wanted: Arc<Wanted>,
    paths: Vec<(String, Path)>,
}

impl JsonPaths {
    /// # Errors
    ///
    /// [`Error::Stage`] if an expression is no path.
    pub(super) fn new(extractions: &[Extraction], wanted: Arc<Wanted>) -> Result<Self, Error> {
        let mut paths = Vec::new();
        for Extraction { name, expression } in extractions {
            let path = Path::parse(expression)?;
            if wanted.has_extracted(name) {
                paths.push((name.clone(), path));
            }
        }
        Ok(Self { wanted, paths })
    }

    /// Whether nothing is looked for.
    pub(super) fn is_idle(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether something is looked for at or below this key of a document.
    pub(super) fn begins_with(&self, key: Text<'_>) -> bool {
        self.paths.iter().any(|(_, path)| path.begins_with(key))
    }

    /// Adds the labels of `line`: each exists afterwards, as it was or empty where there is nothing at its path.
    pub(super) fn run(&self, line: &[u8], labels: &mut LabelSet) {
        let text = line.trim_ascii_start();
        if text.is_empty() || self.paths.is_empty() {
            return;
        }
        if !matches!(text.first(), Some(b'{' | b'[' | b'"')) {
            labels.set_error(ErrorKind::Json, &"line is no JSON: expected '{', '[' or '\"' at its start");
            return;
        }
        let mut sink = labels.sink(&self.wanted);
        for (name, path) in &self.paths {
            match path.find(text) {
                Some(Found::Text(text)) => sink.replace(name, |out| push_text(out, text)),
                Some(Found::Raw(raw)) => sink.replace(name, |out| values::push_value(out, raw)),
                Some(Found::Null) => sink.replace(name, |_| {}),
                None => sink.put_missing(name),
            }
        }
    }
}
