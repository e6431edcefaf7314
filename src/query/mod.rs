//! Runs queries: joins what LogQL says of lines with what the database has of them, within a budget.
//!
//! Below the HTTP API and above the engines: Loki's API and the page's share it. Deliberately knows no wire format, no
//! runtime and no clock; who asks brings a snapshot, the budget and the time.
//!
//! | file | answers |
//! |---|---|
//! | `source` | what a query reads from, and which labels streams have there |
//! | `service` | the label `service_name` |
//! | `logs` | the lines of a log query, held until all are found |
//! | `numbers` | the sums of a metric query |
//! | `columns` | the same of a block, from its columns |
//! | `streams` | which streams there are, and the newest line of each |
//! | `volume` | how much there is, as the index tells |
//! | `labels` | which labels streams have |
//! | `fields` | what lines hold beside their streams' labels |
//! | `patterns` | what lines have in common |
//! | `lines` | lines one by one, from any place in their order |
//! | `live` | lines one by one, as they are appended |
//! | `id` | what a line is known by |

mod columns;
pub mod fields;
mod id;
pub mod labels;
mod late;
mod lines;
mod live;
pub mod logs;
pub mod numbers;
pub mod patterns;
pub mod service;
mod source;
pub mod streams;
pub mod volume;

#[cfg(test)]
mod tests;

pub use id::{InvalidLineId, LineId, Located, locate, nearest};
pub use late::{LATE_BYTES_MAX, Late};
pub use lines::{FoundLine, LineOptions, Lines, Progress, as_stored};
pub use live::Live;
pub use source::{Seen, Source, entry};

use crate::log_database;
use crate::logql;
use crate::model::budget::Refusal;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query is wrong, or cannot be evaluated over the lines there are.
    #[error(transparent)]
    Query(logql::Error),
    /// There are more groups of streams, or numbers in all of them, than an answer may have.
    #[error(
        "the volume query has more than {groups_max} series or {points_max} points; select fewer streams, name fewer \
         targetLabels, or ask for longer steps"
    )]
    TooManyGroups {
        /// Most groups.
        groups_max: usize,
        /// Most numbers.
        points_max: usize,
    },
    /// The database cannot be read, or the query may not go on.
    #[error(transparent)]
    Database(#[from] log_database::Error),
}

impl Error {
    /// Why the query may not go on, if that is it.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Query(logql::Error::Refused(refusal)) | Self::Database(log_database::Error::Refused(refusal)) => {
                Some(*refusal)
            }
            _ => None,
        }
    }
}

impl From<logql::Error> for Error {
    fn from(error: logql::Error) -> Self {
        Self::Query(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Database(refusal.into())
    }
}
