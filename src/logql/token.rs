//! What a query's text consists of.

use std::fmt;

use crate::logql::ast::{Conversion, RangeOp, VectorOp};

/// One piece of a query's text. Keywords, functions and symbols are known by their text, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A label's name.
    Identifier(String),
    /// A quoted text without its quotes and escapes.
    String(String),
    /// A number as it was written.
    Number(String),
    /// A number with a unit of time, in nanoseconds.
    Duration(i64),
    /// A number with a unit of bytes.
    Bytes(i64),
    /// A duration in brackets, in nanoseconds.
    Range(i64),
    /// One of [`KEYWORDS`].
    Keyword(&'static str),
    /// A function's name with arguments or a grouping after it.
    Function(String),
    /// One of [`SYMBOLS`].
    Symbol(&'static str),
    /// The end of the query.
    End,
}

/// Words that are no label names, wherever they stand; but see [`super::parser`] for `bool`.
#[rustfmt::skip]
pub(super) const KEYWORDS: [&str; 22] = [
    "and", "bool", "by", "decolorize", "drop", "group_left", "group_right", "ignoring", "json", "keep", "label_format",
    "line_format", "logfmt", "offset", "on", "or", "pattern", "regexp", "unless", "unpack", "unwrap", "without",
];

/// Operators and punctuation; of two that start alike, the longer stands first.
#[rustfmt::skip]
pub(super) const SYMBOLS: [&str; 27] = [
    "--keep-empty", "--strict", "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=",
    "{", "}", "(", ")", ",", "|", "=", ">", "<", "+", "-", "*", "/", "%", "^",
];

/// Whether `word`, in lower case, is a function where arguments or a grouping follow. Elsewhere it is a label's name.
pub(super) fn is_function(word: &str) -> bool {
    RangeOp::from_name(word).is_some()
        || VectorOp::from_name(word).is_some()
        || Conversion::from_name(word).is_some()
        || matches!(word, "ip" | "label_replace" | "vector")
}

/// As error messages name it.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identifier(_) => "IDENTIFIER",
            Self::String(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Duration(_) => "DURATION",
            Self::Bytes(_) => "BYTES",
            Self::Range(_) => "RANGE",
            Self::Keyword(text) | Self::Symbol(text) => text,
            Self::Function(name) => name,
            Self::End => "$end",
        })
    }
}
