//! Why a query is refused or fails, in Loki's words where it has some.

use std::fmt;

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
