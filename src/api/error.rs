//! An error becomes a status and a body, here and nowhere else: JSON, or plain text for Loki's clients.

use tide::{Response, StatusCode};

use crate::api::wire;
use crate::logql::Position;
use crate::model::budget::Refusal;
use crate::query;
use crate::{log_database, logql};

/// Why a request is not answered as asked; the message says how to ask better.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Error {
    status: StatusCode,
    message: String,
    /// The place in the text of the query, if the error is in there.
    at: Option<Position>,
}

impl Error {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), at: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BadRequest, message)
    }

    fn failed() -> Self {
        Self::new(StatusCode::InternalServerError, "the request failed; the agent's own log says why")
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NotFound, message)
    }
}

impl Error {
    /// The message as it is: what Loki's clients show of an error is its whole body.
    pub(super) fn into_text(self) -> Response {
        let mut response = Response::new(self.status);
        response.set_body(self.message);
        response.insert_header("Content-Type", "text/plain; charset=utf-8");
        response
    }
}

/// What was no fault of the request is for the own log only: it may name paths.
impl From<log_database::Error> for Error {
    fn from(error: log_database::Error) -> Self {
        if let log_database::Error::Refused(refusal) = error {
            return refusal.into();
        }
        log::error!("a request failed: {error}");
        Self::failed()
    }
}

/// Nobody reads of what was abandoned.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::TooMuch { .. } | Refusal::TooLong { .. } => StatusCode::BadRequest,
            Refusal::TooMuchTogether { .. } | Refusal::Abandoned => StatusCode::TooManyRequests,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<logql::Error> for Error {
    fn from(error: logql::Error) -> Self {
        if let logql::Error::Refused(refusal) = error {
            return refusal.into();
        }
        Self { at: error.position(), ..Self::bad_request(error.to_string()) }
    }
}

impl From<query::Error> for Error {
    fn from(error: query::Error) -> Self {
        match error {
            query::Error::TooManyGroups { .. } => Self::bad_request(error.to_string()),
            query::Error::Query(error) => error.into(),
            query::Error::Database(error) => error.into(),
        }
    }
}

impl From<&Error> for Response {
    fn from(error: &Error) -> Self {
        let at = error.at.map(|Position { line, column }| wire::Position { line, column });
        let mut response = wire::json(&wire::Error { error: &error.message, at });
        response.set_status(error.status);
        response
    }
}

/// Gives the routes' errors and tide's own empty answers their body.
pub(super) async fn explain(response: Response) -> tide::Result {
    if let Some(error) = response.error() {
        return Ok(refusal(error));
    }
    match response.status() {
        StatusCode::NotFound => Ok(Response::from(&Error::not_found("there is nothing here; GET / lists what is"))),
        StatusCode::MethodNotAllowed => {
            // A route that explains itself says what it takes.
            if response.header("Allow").is_some() {
                return Ok(response);
            }
            let error = Error::new(StatusCode::MethodNotAllowed, "only GET and HEAD are answered here");
            let mut response = Response::from(&error);
            response.insert_header("Allow", "GET, HEAD");
            Ok(response)
        }
        _ => Ok(response),
    }
}

/// The answer to a request that a route failed on. What was no fault of the request is for the own log only: it may name
/// paths.
fn refusal(error: &tide::Error) -> Response {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Response::from(error);
    }
    if let Some(log_database::Error::Refused(refusal)) = error.downcast_ref() {
        return Response::from(&Error::from(*refusal));
    }
    log::error!("a request failed: {error}");
    Response::from(&Error::failed())
}
