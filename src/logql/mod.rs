//! LogQL: a query's text becomes a syntax tree, the tree says what to fetch, and what is fetched becomes the answer.

pub mod ast;
mod error;
mod lexer;
mod names;
pub mod pipeline;
mod token;
pub mod units;

pub use error::{Error, Position};
