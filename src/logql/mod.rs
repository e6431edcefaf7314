//! LogQL: a query's text becomes a syntax tree, the tree says what to fetch, and what is fetched becomes the answer.

mod arithmetic;
pub mod ast;
mod error;
mod lexer;
mod names;
pub mod pipeline;
pub mod regexp;
mod token;
pub mod units;

pub use error::{Error, Position};
