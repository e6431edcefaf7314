//! How much one query may ask for. Loki's limits where it has them, but for the one on how far back a query looks, which
//! protects a service that many share. How much memory a query may take is said by its
//! [`Budget`](crate::model::budget::Budget).

use crate::logql::Error;

/// Most series in the answer to a metric query.
pub const SERIES_MAX: usize = 500;
/// Most points of one series.
pub const POINTS_PER_SERIES_MAX: i64 = 11_000;
/// Most lines in the answer to a log query.
pub const ENTRIES_MAX: usize = 5000;

/// Longest query, in bytes.
pub(super) const QUERY_BYTES_MAX: usize = 131_071;
/// How deep parentheses, functions and operators may nest. The evaluator recurses as deep, and a few hundred frames fit
/// the stack of any thread.
pub(super) const DEPTH_MAX: usize = 100;
/// Most binary operations in one query: a chain of them is as deep a tree.
pub(super) const OPERATIONS_MAX: usize = 250;
/// Most regular expressions in one query: each may take a mebibyte and tens of milliseconds to compile, several times over.
pub(super) const EXPRESSIONS_MAX: usize = 64;
/// Most stages in one pipeline.
pub(super) const STAGES_MAX: usize = 100;
/// Most texts and labels that the stages of one query look for, compare, take out or set.
pub(super) const CONDITIONS_MAX: usize = 1000;
/// Most matchers in one selector.
pub(super) const MATCHERS_MAX: usize = 1000;

/// Most series that one expression tells apart on its way to the answer, as for `topk` over addresses.
pub(super) const SERIES_IN_MEMORY_MAX: usize = 100_000;

/// Holds the number of points from one end of a range of `length_ns` nanoseconds to the other, one every `step_ns`, to
/// [`POINTS_PER_SERIES_MAX`]. A step is more than no time.
///
/// # Errors
///
/// [`Error::TooManyPoints`] if there are more.
pub fn check_points(length_ns: i64, step_ns: i64) -> Result<(), Error> {
    if POINTS_PER_SERIES_MAX < length_ns / step_ns { Err(Error::TooManyPoints) } else { Ok(()) }
}
