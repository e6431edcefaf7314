//! `GET /api/v1/follow`: lines as they come, on a WebSocket, resumable by the id of the last one.
//!
//! A browser shows a page nothing of a WebSocket that is refused, so whatever is wrong with a request is said in the frame
//! that closes it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use blocking::unblock;
use tide::Request;

use crate::api::error::Error;
use crate::api::v1::arguments::Arguments;
use crate::api::v1::feed::{Feed, History, NewMarks};
use crate::api::v1::lines::{everything, text_of};
use crate::api::v1::records::{self, Begin};
use crate::api::websocket::{self, End, Followed, Session, Signal, Socket};
use crate::api::{State, time};
use crate::log_database::{Snapshot, Subscription};
use crate::model::budget::Budget;
use crate::model::{TimeRange, Timestamp};
use crate::query::{Live, Source};

/// How many of the lines there are come first where nothing is said.
const LAST_DEFAULT: u64 = 200;
/// Most of them.
const LAST_MAX: u64 = 5000;
/// How often something is sent while no line comes.
const BEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The least time between two frames that are not full.
const FRAME_INTERVAL: Duration = Duration::from_millis(20);

/// Answers the request.
pub(super) async fn follow(mut request: Request<State>) -> tide::Result {
    let arguments = Arguments::of(&mut request).await;
    let state = request.state().clone();
    let followed = Followed::of(&request);
    Ok(websocket::accept(&request, move |socket| converse(socket, state, arguments, followed))?)
}

/// Talks to a client until either side has enough.
async fn converse(mut socket: Socket, state: State, arguments: Result<Arguments, Error>, followed: Followed) {
    let ended = match arguments.and_then(|arguments| Ok((arguments, state.queries.tail()?))) {
        Ok((arguments, (_turn, budget))) => run(&mut socket, &state, arguments, followed, Arc::new(budget)).await,
        Err(error) => Err(End::Fault(error)),
    };
    websocket::end(socket, ended, CloseCode::Policy).await;
}

/// Sends what there is, and then what comes, until the client closes. What waits to be sent is within `budget`.
async fn run(
    socket: &mut Socket,
    state: &State,
    arguments: Arguments,
    Followed { snapshot, subscription, woken, caller }: Followed,
    budget: Arc<Budget>,
) -> Result<(), End> {
    let mut session = Session::new(socket, state, woken, caller);
    let of_state = state.clone();
    let open = move |search| open(&arguments, &of_state, (snapshot, subscription), search, budget);
    let mut feed = state.queries.run(None, open).await?;
    let mut beat_due = Instant::now() + BEAT_INTERVAL;
    loop {
        let advanced;
        (feed, advanced) = unblock(move || {
            let advanced = feed.advance();
            (feed, advanced)
        })
        .await;
        advanced?;
        // What there is more of than is held does not wait for more to come.
        let mut is_woken = feed.is_more();
        let is_more = is_woken;
        let mut frame_due = Instant::now();
        while let Some(frame) = feed.next_frame() {
            session.send(frame).await?;
            beat_due = Instant::now() + BEAT_INTERVAL;
            frame_due = if is_more { Instant::now() } else { Instant::now() + FRAME_INTERVAL };
        }
        loop {
            let due = if is_woken { frame_due } else { beat_due };
            match session.wait(!is_woken, Some(due)).await? {
                Signal::Woken => is_woken = true,
                Signal::Due if is_woken => break,
                Signal::Due => {
                    session.send(feed.beat(time::now())).await?;
                    beat_due = Instant::now() + BEAT_INTERVAL;
                }
                Signal::Closed => return Ok(()),
            }
        }
    }
}

/// Finds what there is, within `search`; what comes is to follow it.
fn open(
    arguments: &Arguments,
    state: &State,
    (snapshot, subscription): (Snapshot, Subscription),
    search: Arc<Budget>,
    budget: Arc<Budget>,
) -> Result<Feed, Error> {
    let expr = arguments.query()?.unwrap_or_else(everything);
    let history = history(arguments)?;
    let clock = arguments.clock();
    let live = {
        let (database, inventory) = (state.database.clone(), Arc::clone(&state.inventory));
        Live::new(database, subscription, inventory, &expr, &clock, Arc::clone(&budget))?
    };
    let new_marks = NewMarks::new(state, &expr)?;
    let source = Source::new(snapshot, Arc::clone(&state.inventory), search);
    let mut feed = Feed::open((&expr, history), &clock, &source, (live, new_marks), budget)?;
    let start = if let History::Start(time) = history { time } else { TimeRange::ALL.start };
    let range = TimeRange { start, ..TimeRange::ALL };
    let about = &state.about;
    let begin = Begin::new(text_of(&expr), range, arguments.now, &about.version, &about.instance);
    let mut record = Vec::new();
    records::push(&mut record, "begin", &begin);
    feed.begin(record);
    Ok(feed)
}

/// Which of the lines there are come first.
fn history(arguments: &Arguments) -> Result<History, Error> {
    let start: Option<Timestamp> = arguments.instant("start")?;
    let last = arguments.count("last", 0, LAST_MAX)?;
    match (arguments.id("after")?, start, last) {
        (Some(id), None, None) => Ok(History::After(id)),
        (None, Some(time), None) => Ok(History::Start(time)),
        (None, None, last) => Ok(History::Last(last.unwrap_or(LAST_DEFAULT))),
        _ => Err(Error::bad_request("after, start and last: give one of them")),
    }
}
