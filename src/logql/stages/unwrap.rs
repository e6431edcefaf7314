//! `| unwrap duration(took)`: a label's value becomes the number of the line.

use crate::logql::ast::{self, Conversion};
use crate::logql::stages::labels::{ErrorKind, LabelSet};
use crate::logql::stages::values;

/// The number of the line; `None` if the label is absent or empty. A value that is no number is 0, with an error.
pub(super) fn number(unwrap: &ast::Unwrap, labels: &mut LabelSet) -> Option<f64> {
    let value = labels.get(&unwrap.name).filter(|value| !value.is_empty())?;
    let number = match unwrap.conversion {
        Conversion::Number => values::parse_float(value),
        Conversion::Bytes => values::parse_bytes(value).map(bytes_as_float),
        Conversion::Duration | Conversion::DurationSeconds => values::parse_duration(value).map(seconds),
    };
    Some(number.unwrap_or_else(|reason| {
        labels.set_error(ErrorKind::SampleExtraction, &reason);
        0.0
    }))
}

/// Nanoseconds in seconds.
#[expect(clippy::cast_precision_loss, reason = "a duration of over 104 days need not be exact to the nanosecond")]
pub(super) fn seconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "samples are floats")]
pub(super) fn bytes_as_float(bytes: u64) -> f64 {
    bytes as f64
}
