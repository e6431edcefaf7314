//! The page's own API: lines with exact cursors and ids, made and sent as they are found.
//!
//! Documented for clients in `docs/api.md`. Errors are JSON, with the place in the query's text where there is one.

mod arguments;
mod feed;
mod follow;
mod lines;
mod marks;
mod records;
mod streams;
mod text;
mod writer;

use crate::api::State;
pub(super) use streams::NewestLines;

/// Adds the routes.
pub(super) fn add_routes(app: &mut tide::Server<State>) {
    app.at("/api/v1/lines").get(lines::get).post(lines::get);
    app.at("/api/v1/streams").get(streams::get);
    app.at("/api/v1/follow").get(follow::follow);
}
