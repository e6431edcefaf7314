//! The integration tests, one binary: each file tests one thing from outside.

mod access;
mod agent;
mod alerts;
mod client;
mod containers;
mod follow;
mod forward;
mod grafana;
mod http;
mod https;
mod kubelet;
mod lines;
mod logql_cases;
mod loki;
mod names;
mod page;
mod pipeline_cases;
mod pods;
mod push;
mod streams;
mod support;
mod tail;
mod tidy;
mod times;
mod upgrade;
