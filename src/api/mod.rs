//! Answers queries over HTTP: the route table, and what the routes share.
//!
//! Owns everything that is HTTP: the listener, the wire types, the parameters' texts. Deliberately knows nothing of
//! collectors and of the file system: what it says of them it reads from [`Status`].
//!
//! Invariants: no request panics the process. What grows with a question or with what there is, is read, kept and sent
//! within [`QueryLimits`], which hold for all queries and tails together, and what is sent here within a share of its own; all
//! of it is taken from one budget, that of the process. What is compiled for queries is bounded by LogQL's own limits, and
//! what connections take by [`Settings`]. Log lines leave as data, never as markup.

mod body;
mod bridge;
mod connection;
mod connections;
mod entrance;
mod error;
mod framing;
mod health;
mod host;
mod lines;
mod login;
mod logs;
mod loki;
mod metrics;
mod page;
mod parameters;
mod queries;
mod server;
mod time;
mod tls;
mod v1;
mod websocket;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use blocking::unblock;
use tide::utils::After;

use crate::api::loki::push::{Repeats, Senders};
use crate::api::queries::Queries;
use crate::api::v1::NewestLines;
use crate::api::websocket::Stopping;
use crate::inventory::Inventory;
use crate::log_database::{Database, Statistics};
use crate::model::budget::{Budget, MEMORY_BYTES};
use crate::query::Source;
use crate::status::Status;

pub use entrance::Entrance;
pub use loki::push::decode as decode_push;
pub use queries::QueryLimits;
pub use server::{BindError, Listener, Settings, bind};
pub use tls::{Tls, TlsError, TlsFiles};

/// What the routes answer from.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the lines are.
    pub database: Database,
    /// Names of streams, joined to their stored labels.
    pub inventory: Arc<Inventory>,
    /// What the agent says of itself.
    pub status: Arc<Status>,
    /// What does not change while the agent runs.
    pub about: Arc<About>,
    /// The budget that everything takes its memory from.
    memory: Arc<Budget>,
    /// The share of requests' bodies until they are answered, and of what becomes of pushes until it is durable.
    bodies: Arc<Budget>,
    /// The queries that are being answered.
    queries: Arc<Queries>,
    /// The entries that were pushed last.
    repeats: Arc<Mutex<Repeats>>,
    /// The last batch of each agent that forwards to this one.
    senders: Arc<Mutex<Senders>>,
    /// The last line of each stream.
    newest_lines: Arc<NewestLines>,
    /// Tells live tails when the server stops.
    stopping: Stopping,
    /// Who is let in.
    entrance: Arc<Entrance>,
    /// What is counted of pushes and of credentials, whoever sends them.
    agent: Arc<Status>,
}

impl State {
    /// What a server answers from that has [`MEMORY_BYTES`] of memory.
    pub fn new(database: Database, inventory: Arc<Inventory>, status: Arc<Status>, about: About) -> Self {
        let memory = Arc::new(Budget::new(MEMORY_BYTES));
        let queries = Arc::new(Queries::new(QueryLimits::default(), &memory, Arc::clone(&status)));
        let entrance =
            Entrance::open().expect("without files there is nothing to read, and the system has random numbers");
        let agent = Arc::clone(&status);
        let senders = Arc::new(Mutex::new(Senders::of(&database)));
        Self {
            database,
            inventory,
            status,
            about: Arc::new(about),
            bodies: bodies(&memory),
            memory,
            queries,
            repeats: Arc::default(),
            senders,
            newest_lines: Arc::default(),
            stopping: Stopping::default(),
            entrance: Arc::new(entrance),
            agent,
        }
    }

    /// The same for those whom `entrance` lets in.
    #[must_use]
    pub fn with_entrance(self, entrance: Arc<Entrance>) -> Self {
        Self { entrance, ..self }
    }

    /// The same for those who see no more than `database` shows: without anything that the agent says of itself, and of
    /// other streams.
    fn without_status(&self, database: Database) -> Self {
        let about = About { root_path: String::new(), data_directory: String::new(), ..self.about.as_ref().clone() };
        Self { database, status: Arc::default(), about: Arc::new(about), newest_lines: Arc::default(), ..self.clone() }
    }

    /// The same with other limits for queries.
    #[must_use]
    pub fn with_limits(self, limits: QueryLimits) -> Self {
        Self { queries: Arc::new(Queries::new(limits, &self.memory, Arc::clone(&self.status))), ..self }
    }

    /// The same, which takes all that clients have it hold from `memory`.
    #[must_use]
    pub fn with_memory(self, memory: Arc<Budget>) -> Self {
        let limits = QueryLimits::of(memory.bytes_max());
        Self { bodies: bodies(&memory), memory, ..self }.with_limits(limits)
    }

    /// The source of a query that keeps within `budget`: all there is now.
    fn source(&self, budget: Arc<Budget>) -> Source {
        Source::new(self.database.snapshot(), Arc::clone(&self.inventory), budget)
    }

    /// What the database says of itself; counted on a blocking thread, because it looks at every stream.
    async fn statistics(&self) -> Statistics {
        let database = self.database.clone();
        unblock(move || database.statistics()).await
    }
}

/// The part of `memory` that requests' bodies may take.
fn bodies(memory: &Arc<Budget>) -> Arc<Budget> {
    Arc::new(Budget::within(Arc::clone(memory), memory.bytes_max() / 3))
}

/// What does not change while the agent runs.
#[derive(Clone, Debug)]
pub struct About {
    /// The agent's version.
    pub version: String,
    /// The commit it was built from; empty where the build did not know.
    pub commit: String,
    /// The collector's name, as `--log-collector` takes it.
    pub collector: String,
    /// Where the collector looks for files.
    pub root_path: String,
    /// Where the database keeps its files.
    pub data_directory: String,
    /// The zone of times that are written without one: a name such as `Europe/Berlin`, or an offset such as `UTC+01`.
    pub zone: String,
    /// Tells this agent apart from others; the same after a restart.
    pub instance: String,
    /// When the agent was started.
    pub started: Instant,
}

/// The route table. Every route answers GET, and with it HEAD; some of Loki's answer POST too.
fn routes(state: State) -> tide::Server<State> {
    let mut app = tide::with_state(state);
    app.with(body::finish);
    app.with(After(error::explain));

    app.at("/").get(health::index);
    app.at("/logs/:key/*value").get(logs::get);

    login::add_routes(&mut app);
    page::add_routes(&mut app);
    v1::add_routes(&mut app);
    loki::add_routes(&mut app);

    app.at("/status").get(health::status);
    app.at("/metrics").get(metrics::get);
    for path in health::LIVE {
        app.at(path).get(health::live);
    }
    for path in health::READY {
        app.at(path).get(health::ready);
    }
    app
}
