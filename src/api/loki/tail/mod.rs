//! `tail`: the newest lines of a log query and then each line as it comes, on a WebSocket.
//!
//! What comes is looked at when the client has taken what came before. Until then it waits in the database's
//! subscription, which is bounded, as is what waits here: a client that is too slow is told which streams it missed
//! lines of.

mod feed;
mod followed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use blocking::unblock;
use tide::{Request, Response};

use crate::api::State;
use crate::api::error::Error;
use crate::api::loki::arguments::Arguments;
use crate::api::loki::query::{LIMIT_DEFAULT, asks_for, check_limit};
use crate::api::loki::tail::feed::Feed;
use crate::api::loki::wire::CATEGORIZE_LABELS;
use crate::api::websocket::{self, End, Followed, Session, Signal, Socket};
use crate::logql;
use crate::logql::ast::{Expr, LogExpr};
use crate::logql::pipeline::Clock;
use crate::model::budget::Budget;
use crate::model::{TimeRange, Timestamp};

/// Longest time that lines may be held back for others to be sorted in, in seconds.
const DELAY_SECONDS_MAX: u64 = 5;

/// What a client asks for.
struct Ask {
    expr: LogExpr,
    /// Of the lines there are, the newest so many.
    limit: usize,
    start: Timestamp,
    delay: Duration,
    /// Whether labels are told apart by category.
    categorizes: bool,
    clock: Clock,
}

/// Answers the request.
pub(super) async fn tail(mut request: Request<State>) -> Result<Response, Error> {
    let arguments = Arguments::of(&mut request).await?;
    let categorizes = asks_for(&request, "X-Loki-Response-Encoding-Flags", CATEGORIZE_LABELS);
    let state = request.state().clone();
    let ask = state.queries.run(None, move |_| Ask::of(&arguments, categorizes)).await?;
    let followed = Followed::of(&request);
    websocket::accept(&request, move |socket| converse(socket, state, ask, followed))
}

impl Ask {
    /// What the parameters ask for, if it can be answered. Blocks, as expressions are compiled.
    fn of(arguments: &Arguments, categorizes: bool) -> Result<Self, Error> {
        let Expr::Log(expr) = logql::parse(&arguments.query()?)? else {
            return Err(Error::bad_request("only log queries can be tailed"));
        };
        let limit = arguments.count("limit", LIMIT_DEFAULT)?;
        check_limit(limit)?;
        let TimeRange { start, .. } = arguments.range()?;
        let delay = Duration::from_secs(arguments.whole("delay_for")?.unwrap_or_default());
        if Duration::from_secs(DELAY_SECONDS_MAX) < delay {
            return Err(Error::bad_request(format!("delay_for can't be greater than {DELAY_SECONDS_MAX}")));
        }
        let ask = Self { expr, limit, start, delay, categorizes, clock: arguments.clock() };
        ask.check()?;
        Ok(ask)
    }
}

/// Talks to a client until either side has enough.
async fn converse(mut socket: Socket, state: State, ask: Ask, followed: Followed) {
    let ended = match state.queries.tail() {
        Ok((_turn, budget)) => follow(&mut socket, &state, ask, followed, budget).await,
        Err(refusal) => Err(End::Fault(refusal)),
    };
    websocket::end(socket, ended, CloseCode::Error).await;
}

/// Sends what there is, and then what comes, until the client closes. What waits to be sent is within `budget`.
async fn follow(
    socket: &mut Socket,
    state: &State,
    ask: Ask,
    Followed { snapshot, subscription, woken, caller }: Followed,
    budget: Budget,
) -> Result<(), End> {
    let mut session = Session::new(socket, state, woken, caller);
    let inventory = Arc::clone(&state.inventory);
    let open = move |search| Feed::open(&ask, (&snapshot, inventory), subscription, &search, budget);
    let mut feed = state.queries.run(None, open).await?;
    loop {
        let advanced;
        (feed, advanced) = unblock(move || {
            let advanced = feed.advance(Instant::now());
            (feed, advanced)
        })
        .await;
        advanced?;
        let mut is_idle = true;
        while let Some(frame) = feed.next_frame(Instant::now()) {
            session.send(frame).await?;
            is_idle = false;
        }
        if is_idle && session.wait(true, feed.due()).await? == Signal::Closed {
            return Ok(());
        }
    }
}
