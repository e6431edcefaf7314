//! The integration tests, one binary: each file tests one thing from outside.

mod tidy;
