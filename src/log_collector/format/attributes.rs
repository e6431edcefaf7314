//! What Docker's json-file driver is told to say with each line (`attrs`): labels and variables of the container, a tag.
//!
//! They become metadata of the entry, for as labels of its stream they would split it: a tag with the container's name
//! changes when that does.

use super::json::{self, Members, Value};
use crate::inventory::sanitised;
use crate::model::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, metadata};

/// Most attributes of a line that are taken.
const ATTRIBUTES_MAX: usize = 64;

/// The attributes of the last line, which are nearly always those of the next one, too.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// The object as it stood there.
    object: Vec<u8>,
    metadata: Vec<u8>,
}

impl Attributes {
    /// Takes those of the next line: a JSON object, or nothing.
    pub(super) fn read(&mut self, object: &[u8]) {
        if self.object == object {
            return;
        }
        object.clone_into(&mut self.object);
        self.metadata.clear();
        let pairs: Vec<_> = Members::of(object).into_iter().flatten().filter_map(pair).take(ATTRIBUTES_MAX).collect();
        if !pairs.is_empty() {
            let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            // What takes more than metadata may is left out; the line is not.
            let _ = metadata::append(&mut self.metadata, pairs);
        }
    }

    /// What follows the text of an entry that has them; empty where there are none.
    pub(super) fn as_metadata(&self) -> &[u8] {
        &self.metadata
    }
}

/// A label's name and its value.
fn pair((key, value): (&[u8], Value<'_>)) -> Option<(String, String)> {
    let Value::Text(value) = value else { return None };
    let name = sanitised(&text(key)?);
    let value = text(value)?;
    let value = value[..value.floor_char_boundary(LABEL_VALUE_BYTES_MAX)].to_owned();
    (!name.is_empty() && name.len() <= LABEL_NAME_BYTES_MAX).then_some((name, value))
}

/// What a JSON string says.
fn text(raw: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    json::unescape(raw, &mut text)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
