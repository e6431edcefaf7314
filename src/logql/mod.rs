//! LogQL: a query's text becomes a syntax tree, the tree says what to fetch, and what is fetched becomes the answer.

pub mod ast;
mod error;
pub mod pipeline;

pub use error::{Error, Position};
