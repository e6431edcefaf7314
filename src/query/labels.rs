//! Which streams there are, and which labels these have.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Labels, Matcher, TimeRange};
use crate::query::{Error, Source};

/// Labels that tell something whatever their values are.
const ALWAYS_TELLING: [&str; 4] = ["cluster", "namespace", "instance", "pod"];
/// What a label takes in memory beside its texts, in bytes: two texts' handles, and a place in a set for each.
const LABEL_COST_BYTES: usize = 96;

/// The labels of the streams that may have lines in `range` and that all `matchers` accept, which take of the source's
/// budget.
///
/// # Errors
///
/// [`Error::Database`] where the budget does not suffice, or was cancelled.
pub fn streams(source: &Source, matchers: &[Matcher], range: TimeRange) -> Result<Vec<Labels>, Error> {
    let stored = source.snapshot.streams(&[], range);
    let shown = stored.iter().filter_map(|stored| source.shown_as(stored, matchers));
    shown
        .map(|labels| {
            source.budget.take(cost_bytes(&labels))?;
            Ok(labels)
        })
        .collect()
}

/// How many values each label of `streams` has, without those all of whose values are ids.
pub fn telling(streams: &[Labels]) -> BTreeMap<&str, usize> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in streams.iter().flat_map(Labels::iter) {
        values.entry(name).or_default().insert(value);
    }
    values.retain(|name, values| ALWAYS_TELLING.contains(name) || !values.iter().all(|value| is_id(value)));
    values.into_iter().map(|(name, values)| (name, values.len())).collect()
}

/// Whether a value tells nothing but what it is the id of: a UUID, or a number other than 0 and 1.
fn is_id(value: &str) -> bool {
    let is_uuid = value.len() == 36
        && value.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    is_uuid || (value.parse::<f64>().is_ok() && value != "0" && value != "1")
}

/// What a stream's labels take in memory and once more where they are sorted, in bytes.
fn cost_bytes(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| LABEL_COST_BYTES + name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_only_have_ids_tell_nothing() {
        let streams = [("a", "7"), ("b", "0")].map(|(version, flag)| {
            let id = "123e4567-e89b-12d3-a456-426614174000";
            Labels::new([("app", "x"), ("id", id), ("n", "17"), ("pod", "5"), ("flag", flag), ("v", version)]).unwrap()
        });
        assert_eq!(telling(&streams), BTreeMap::from([("app", 1), ("flag", 2), ("pod", 1), ("v", 2)]));
    }
}
