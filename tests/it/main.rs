//! The integration tests, one binary: each file tests one thing from outside.

mod agent;
mod grafana;
mod http;
mod loki;
mod pipeline_cases;
mod push;
mod support;
mod tail;
mod tidy;
mod times;
