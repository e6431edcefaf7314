//! Loki's JSON.
//!
//! Grafana reads an answer while it comes, so the order of its keys matters: what the result is comes before the result.

use serde::Serialize;
use serde::ser::Serializer;
use tide::Response;

use crate::api::wire;
use crate::model::{Labels, Timestamp};

const NS_PER_MILLISECOND: i64 = 1_000_000;

/// What most answers are wrapped in.
#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

/// The answer to a query.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<R> {
    result_type: &'static str,
    result: R,
}

/// A group of a vector: its labels, and its value at one time.
#[derive(Serialize)]
pub(super) struct Sample<L> {
    pub(super) metric: L,
    pub(super) value: Point,
}

/// A group of a matrix: its labels, and its values.
#[derive(Serialize)]
pub(super) struct Series<L> {
    pub(super) metric: L,
    pub(super) values: Vec<Point>,
}

/// A time and the value at it, which is a number as text.
pub(super) type Point = (Seconds, String);

/// An instant as a number of seconds, exact to a millisecond.
pub(super) struct Seconds(pub(super) Timestamp);

impl Serialize for Seconds {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any time that is stored are far below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let milliseconds = self.0.as_ns().div_euclid(NS_PER_MILLISECOND);
        if milliseconds % 1000 == 0 {
            return serializer.serialize_i64(milliseconds / 1000);
        }
        serializer.serialize_f64(milliseconds as f64 / 1000.0)
    }
}

/// Labels as an object.
pub(super) struct LabelObject<'a>(pub(super) &'a Labels);

impl Serialize for LabelObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// An answer of JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    let mut response = wire::json(value);
    response.insert_header("Content-Type", "application/json; charset=UTF-8");
    response
}

/// An answer of JSON that says that all is well.
pub(super) fn success(data: impl Serialize) -> Response {
    json(&Success { status: "success", data })
}

/// The answer to a query.
pub(super) fn answer(result_type: &'static str, result: impl Serialize) -> Response {
    success(Answer { result_type, result })
}
