//! monitoring-rs collects, stores and searches the logs of one machine; see `ARCHITECTURE.md` for the map.

pub mod model;
pub mod protobuf;
pub mod status;

pub mod config;
pub mod file;
pub mod inventory;
pub mod journald;

pub mod log_collector;
pub mod log_database;
pub mod logql;
pub mod query;

pub mod access;
pub mod alerts;
pub mod api;
pub mod client;
pub mod forward;
pub mod ingest;
pub mod memory;
pub mod outgoing;
pub mod own_log;
pub mod pods;
