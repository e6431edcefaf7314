//! Answers queries over HTTP.
