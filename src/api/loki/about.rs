//! What this server says of itself to Loki's clients, and what needs no data: versions, limits, formatting.

use serde_json::json;
use tide::{Request, Response, StatusCode};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::wire;
use crate::logql::limits::{ENTRIES_MAX, SERIES_MAX};
use crate::logql::{self, Position};

/// The version of Loki whose API this is; clients choose by it what they ask for.
const LOKI_VERSION: &str = "3.7.0";

/// Answers which version this is.
pub(super) async fn build(request: Request<State>) -> Result<Response, Error> {
    let revision = &request.state().about.commit;
    Ok(wire::json(&json!({
        "version": LOKI_VERSION,
        "revision": revision,
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    })))
}

/// Answers what Logs Drilldown may ask for.
pub(super) async fn drilldown_limits(request: Request<State>) -> Result<Response, Error> {
    let timeout = request.state().queries.limits().time_max;
    Ok(wire::json(&json!({
        "limits": {
            "retention_period": "0s",
            "max_query_length": "0s",
            "volume_enabled": true,
            "discover_log_levels": true,
            "max_query_series": SERIES_MAX,
            "max_entries_limit_per_query": ENTRIES_MAX,
            "query_timeout": format!("{timeout:?}"),
        },
        "pattern_ingester_enabled": true,
        "version": LOKI_VERSION,
    })))
}

/// Answers the query as it is best read.
pub(super) async fn format_query(mut request: Request<State>) -> Result<Response, Error> {
    let query = Arguments::of(&mut request).await?.query()?;
    let work = move |_| match logql::parse(&query) {
        Ok(expr) => Ok(wire::success(logql::pretty(&expr))),
        Err(error) => {
            let mut refusal = json!({"status": "invalid-query", "error": error.to_string()});
            if let Some(Position { line, column }) = error.position() {
                refusal["line"] = line.into();
                refusal["column"] = column.into();
            }
            let mut response = wire::json(&refusal);
            response.set_status(StatusCode::BadRequest);
            Ok(response)
        }
    };
    request.state().queries.run(None, work).await
}
