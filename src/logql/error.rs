//! Why a query is refused or fails, in Loki's words where it has some.

use std::fmt;

use crate::logql::limits;
use crate::model::budget::Refusal;

/// Where in the text of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
}

/// Why a query is refused or fails. Each message is meant for whoever wrote the query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no query. Without a position, it is the meaning of the whole that is wrong.
    #[error("parse error {}: {message}", At(*position))]
    Syntax {
        /// Where the text that is wrong starts.
        position: Option<Position>,
        /// What is wrong.
        message: String,
    },

    /// A stage cannot be built: a regular expression, a template, a path or an address that is none.
    #[error("{message}")]
    Stage {
        /// What is wrong.
        message: String,
    },

    /// The query asks for too many points.
    #[error(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter"
    )]
    TooManyPoints,

    /// The answer has too many series.
    #[error(
        "maximum number of series ({}) reached for a single query; consider reducing query cardinality by adding more \
         specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() \
         or topk()",
        limits::SERIES_MAX
    )]
    TooManySeries,

    /// The query tells more series apart than it may on its way to the answer.
    #[error(
        "the query tells more than {} series apart; ask for a shorter time or group by fewer labels",
        limits::SERIES_IN_MEMORY_MAX
    )]
    TooManySeriesInMemory,

    /// The query would keep too much in memory, or nobody waits for its answer.
    #[error(transparent)]
    Refused(#[from] Refusal),

    /// A line has an error and the query does not say what to do with such lines.
    #[error(
        "pipeline error: '{error}' for series: '{series}'.\n\
         Use a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\n\
         To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
         The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
    )]
    Pipeline {
        /// The value of `__error__`.
        error: String,
        /// All labels of the line.
        series: String,
    },

    /// The series of two vectors find each other in more than one way.
    #[error("{message}")]
    Matching {
        /// Which, in Loki's words.
        message: &'static str,
    },

    /// `approx_topk` over a range of time.
    #[error("count min sketches are only supported on instant queries")]
    InstantOnly,

    /// A log query where one number per series is asked for.
    #[error("log queries are not supported as an instant query type, please change your query to a range query type")]
    LogInstant,
}

impl Error {
    /// The text is wrong at `position`.
    pub fn syntax(position: Position, message: impl Into<String>) -> Self {
        Self::Syntax { position: Some(position), message: message.into() }
    }

    /// The query is well-formed and makes no sense.
    pub fn meaning(message: impl Into<String>) -> Self {
        Self::Syntax { position: None, message: message.into() }
    }

    /// Where the text that is wrong starts; `None` where that is not known, or it is not the text that is wrong.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Syntax { position, .. } => *position,
            _ => None,
        }
    }

    /// A stage cannot be built.
    pub fn stage(message: impl Into<String>) -> Self {
        Self::Stage { message: message.into() }
    }
}

/// The middle of a syntax error's message.
struct At(Option<Position>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |Position { line, column }| write!(f, "at line {line}, col {column}"))
    }
}
