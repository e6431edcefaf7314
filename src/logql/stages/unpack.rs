//! `| unpack`: takes apart what Promtail's `pack` put together, a JSON object of labels with the line under `_entry`.

use std::sync::Arc;

use crate::logql::stages::json::{self, Fault, Scanner, Text, Value};
use crate::logql::stages::labels::{ErrorKind, LabelSet};
use crate::logql::stages::wanted::Wanted;

/// The key of the line.
pub(super) const ENTRY_KEY: &[u8] = b"_entry";

/// `| unpack`.
#[derive(Clone, Debug)]
pub(super) struct Unpack {
    pub(super) wanted: Arc<Wanted>,
}

impl Unpack {
    pub(super) fn new(wanted: Arc<Wanted>) -> Self {
        Self { wanted }
    }

    /// Adds the labels of `line` and writes the line that is packed in it to `entry`; `false` if there is none.
    pub(super) fn run(&self, line: &[u8], labels: &mut LabelSet, entry: &mut Vec<u8>) -> bool {
        if line.is_empty() {
            return false;
        }
        self.unpack(line, labels, entry).unwrap_or_else(|fault| {
            labels.set_error(ErrorKind::Json, &fault);
            false
        })
    }

    fn unpack(&self, line: &[u8], labels: &mut LabelSet, entry: &mut Vec<u8>) -> Result<bool, Fault> {
        // Without a packed line nothing is a label, so the object is walked over twice.
        let mut packed = None;
        for_each_text(line, |key, value| {
            if packed.is_none() && key.raw == ENTRY_KEY {
                packed = Some(value);
            }
        })?;
        let Some(packed) = packed else { return Ok(false) };
        let mut sink = labels.sink(&self.wanted);
        let mut name = String::new();
        for_each_text(line, |key, value| {
            if key.raw != ENTRY_KEY {
                name.clear();
                json::push_key(&mut name, key);
                sink.put(&name, |out| json::push_text(out, value));
            }
        })?;
        let mut text = String::new();
        json::push_text(&mut text, packed);
        entry.extend_from_slice(text.as_bytes());
        Ok(true)
    }
}

/// Calls `visit` with each key of the object whose value is a string.
fn for_each_text<'a>(line: &'a [u8], mut visit: impl FnMut(Text<'a>, Text<'a>)) -> Result<(), Fault> {
    let mut scanner = Scanner::new(line);
    scanner.expect_object()?;
    scanner.enter();
    let mut is_first = true;
    while let Some(key) = scanner.key(is_first)? {
        is_first = false;
        match scanner.value()? {
            Value::Text(text) => visit(key, text),
            Value::Object | Value::Array => {
                scanner.skip()?;
            }
            Value::Scalar(_) | Value::Null => {}
        }
    }
    Ok(())
}
