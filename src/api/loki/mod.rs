//! Loki's HTTP query API, as Grafana, Logs Drilldown and logcli use it.
//!
//! Each file answers a few routes: it reads their parameters, has the database and LogQL work on a blocking thread, and
//! puts the answer into Loki's JSON. Errors are plain text, because that is what these clients show.
//!
//! Every stream has a label `service_name` here, which is not stored; see [`crate::query::service`].

mod about;
mod arguments;
mod fields;
mod labels;
mod patterns;
mod pieces;
pub(super) mod push;
mod query;
mod rules;
mod tail;
mod volume;
mod wire;

use std::future::Future;

use tide::{Endpoint, Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::query::Source;

/// Where entries are pushed to.
pub(super) const PUSH_PATH: &str = "/loki/api/v1/push";

/// Adds Loki's routes.
pub(super) fn add_routes(app: &mut tide::Server<State>) {
    add_query(app, "/loki/api/v1/query_range", query::range);
    add_query(app, "/loki/api/v1/query", query::instant);

    app.at("/loki/api/v1/tail").get(plain(tail::tail));

    add_query(app, "/loki/api/v1/labels", labels::names);
    add_query(app, "/loki/api/v1/label", labels::names);
    add_query(app, "/loki/api/v1/label/:name/values", labels::values);
    add_query(app, "/loki/api/v1/series", labels::series);

    add_query(app, "/loki/api/v1/index/stats", volume::stats);
    add_query(app, "/loki/api/v1/index/volume", volume::volume);
    add_query(app, "/loki/api/v1/index/volume_range", volume::volume_range);
    add_query(app, "/loki/api/v1/detected_labels", labels::detected);
    add_query(app, "/loki/api/v1/detected_fields", fields::fields);
    add_query(app, "/loki/api/v1/detected_field/:name/values", fields::values);
    add_query(app, "/loki/api/v1/patterns", patterns::patterns);

    add_query(app, "/loki/api/v1/format_query", about::format_query);
    app.at(PUSH_PATH).post(plain(push::push)).all(plain(push::explain));
    app.at("/loki/api/v1/status/buildinfo").get(plain(about::build));
    app.at("/loki/api/v1/drilldown-limits").get(plain(about::drilldown_limits));
    app.at("/loki/api/v1/rules").get(plain(rules::files));
    app.at("/prometheus/api/v1/rules").get(plain(rules::rules));
    app.at("/prometheus/api/v1/alerts").get(plain(rules::alerts));
}

/// Adds a route whose parameters come in the URL, or in a form for those that are too long for one.
fn add_query<F, A>(app: &mut tide::Server<State>, path: &str, handler: F)
where
    F: Fn(Request<State>) -> A + Copy + Send + Sync + 'static,
    A: Future<Output = Result<Response, Error>> + Send + 'static,
{
    app.at(path).get(plain(handler)).post(plain(handler));
}

/// The answer that `work` makes of the arguments and of what there is when its turn comes. Whatever takes long or much
/// memory belongs into it, compiling expressions included.
async fn run<T: Send + 'static>(
    state: &State,
    arguments: Arguments,
    work: impl FnOnce(&Arguments, &Source) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let time_max = arguments.time_max()?;
    let of_state = state.clone();
    let work = move |budget| work(&arguments, &of_state.source(budget));
    state.queries.run(time_max, work).await
}

/// A handler whose errors are answered as plain text.
fn plain<F, A>(handler: F) -> impl Endpoint<State>
where
    F: Fn(Request<State>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Response, Error>> + Send + 'static,
{
    move |request| {
        let answer = handler(request);
        async { Ok(answer.await.unwrap_or_else(Error::into_text)) }
    }
}
