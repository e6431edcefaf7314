//! Evaluates queries over the entries that it is handed.
//!
//! A query is prepared ([`LogQuery::new`], [`MetricQuery::new`]), says what to fetch, is pushed each entry, and answers:
//! the caller keeps the scan, the clock and the right to stop. What is kept in between is bounded by
//! [`crate::logql::limits`].

mod accumulator;
mod binary;
mod grid;
mod label_replace;
mod lines;
mod log;
mod meter;
mod metric;
mod range;
mod series;
#[cfg(test)]
mod tests;
mod vector;
mod window;
mod worker;

pub use lines::{LineQuery, Shown};
pub use log::{Line, LogOptions, LogQuery, LogWorker, Sieve, Stream};
pub use meter::Measure;
pub use metric::{Evaluation, MetricAnswer, MetricQuery, Series, TooManySeries};
pub use range::RangeQuery;
pub use series::SeriesLabels;
pub use worker::{Measured, RangeSum, RangeWorker};
