//! `GET /logs/:key/*value`: the lines of all streams with one label.
//!
//! | parameter | narrows the answer to |
//! |---|---|
//! | `limit` | the newest so many lines |
//! | `since`, `until` | lines from one instant (inclusive) to another (exclusive) |
//! | `contains` | lines with this text; given more than once, with each of them |
//!
//! The answer is in time order, oldest first, whichever of them are given. Unknown parameters are ignored.

use tide::http::mime;
use tide::{Request, Response, StatusCode};

use crate::api::body;
use crate::api::error::Error;
use crate::api::lines::{Entries, LineArray, held_bytes};
use crate::api::parameters::{Parameters, decode_text};
use crate::api::{State, time};
use crate::model::{Direction, LineFilter, Matcher, Selection, TimeRange, Timestamp};
use crate::query::Source;

/// Most lines that `limit` takes. The newest lines are found last to first and sent first to last, so they are held.
const LIMIT_MAX: usize = 10_000;

/// Most bytes of lines that are held for `limit`.
const LIMIT_BYTES_MAX: usize = 8 << 20;

/// Answers the request.
pub(super) async fn get(request: Request<State>) -> tide::Result {
    let query = Query::of(&request, time::now())?;
    let state = request.state().clone();
    Ok(request.state().queries.run(None, move |budget| query.answer(&state.source(budget))).await?)
}

/// What a request asks for.
#[derive(Debug)]
struct Query {
    key: String,
    value: String,
    range: TimeRange,
    contains: Vec<Vec<u8>>,
    /// How many of the newest lines; `None` for all.
    limit: Option<usize>,
}

impl Query {
    /// Reads the path and the parameters; `now` is what durations count back from.
    fn of(request: &Request<State>, now: Timestamp) -> tide::Result<Self> {
        let parameters = Parameters::parse(request.url().query().unwrap_or_default())?;
        let instant = |name| parameters.get(name, time::ACCEPTED, |text| time::instant(text, now));
        let range = TimeRange {
            start: instant("since")?.unwrap_or(TimeRange::ALL.start),
            end: instant("until")?.unwrap_or(TimeRange::ALL.end),
        };
        if range.end < range.start {
            return Err(Error::bad_request("until lies before since").into());
        }
        let accepted = format!("a whole number from 1 to {LIMIT_MAX}; without it all lines are sent");
        let limit = parameters
            .get("limit", &accepted, |text| text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)))?;
        Ok(Self {
            key: decode_text("the label's name", request.param("key")?)?,
            value: decode_text("the label's value", request.param("value")?)?,
            range,
            contains: parameters.all("contains").map(<[u8]>::to_vec).collect(),
            limit,
        })
    }

    /// The answer. What goes wrong at the start still has a status.
    fn answer(self, source: &Source) -> Result<Response, Error> {
        let Self { key, value, range, contains, limit } = self;
        let matchers = vec![Matcher::equal(&key, &value)];
        // An empty value would match every stream without the label.
        if value.is_empty() || source.streams(&matchers, TimeRange::ALL).is_empty() {
            return Err(Error::not_found(format!("no stream has the label {key}={value:?}")));
        }
        let filters = contains.into_iter().map(LineFilter::Contains).collect();
        let selection = Selection { matchers, range, filters, direction: Direction::Forward, limit: None };
        let entries = match limit {
            None => Entries::Scan(Box::new(source.scan(&selection))),
            Some(limit) => newest(source, selection, limit)?,
        };
        let mut response = body::response(LineArray::new(entries, source.budget()))?;
        response.set_content_type(mime::JSON);
        Ok(response)
    }
}

/// The newest `limit` lines of `selection`.
fn newest(source: &Source, selection: Selection, limit: usize) -> Result<Entries, Error> {
    let selection = Selection { direction: Direction::Backward, limit: Some(limit), ..selection };
    let mut scan = source.scan(&selection);
    let (mut lines, mut byte_count) = (Vec::new(), 0);
    while let Some(entry) = scan.next()? {
        byte_count += entry.line.len();
        if LIMIT_BYTES_MAX < byte_count {
            let message = format!(
                "the newest {limit} lines hold more than {LIMIT_BYTES_MAX} bytes, the newest {} do not; ask for that \
                 many, or leave limit out to be sent all lines",
                lines.len()
            );
            return Err(Error::new(StatusCode::PayloadTooLarge, message));
        }
        source.budget.take(held_bytes(entry.line))?;
        lines.push(entry.line.to_vec());
    }
    Ok(Entries::Reversed(lines))
}
