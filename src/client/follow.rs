//! Lines as they come, over `/api/v1/follow`: each once, through cuts and restarts of the agent.

use std::ops::ControlFlow;

use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use super::http::{Agent, Refusal};
use super::lines::{Ask, Event, Patience, Sink, tell};
use super::records::{Line, Place, Reader, Record};
use super::{Error, Result, terminal};

/// The earliest time that may be asked for, for following from the very beginning.
const EARLIEST: &str = "0";

/// What was shown last in the order of all lines.
#[derive(Debug, Default)]
pub(super) struct Latest(Option<(Place, String)>);

impl Latest {
    /// Notes a line; whether it is after all that were noted.
    pub(super) fn note(&mut self, line: &Line) -> bool {
        let place = line.place();
        let is_after = self.0.as_ref().is_none_or(|(latest, _)| *latest < place);
        if is_after {
            self.0 = Some((place, line.id()));
        }
        is_after
    }

    fn id(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, id)| id.as_str())
    }
}

/// Tells `sink` of what comes after `latest`, or of all that `ask` is for where there is none yet, until it has enough. The
/// agent has answered before.
pub(super) fn follow(agent: &Agent, ask: &Ask, mut latest: Latest, sink: &mut Sink<'_>) -> Result<()> {
    let query = ask.query.as_str();
    // Where nothing was there yet, whatever is from then on has come since.
    let start = ask.start.as_deref().unwrap_or(EARLIEST);
    let mut patience = Patience::default();
    loop {
        patience.settle(agent);
        let from = latest.id().map_or(("start", start), |id| ("after", id));
        let refusal = match agent.socket("/api/v1/follow", &[("query", query), from]) {
            Ok(mut socket) => match listen(agent, ask, &mut socket, &mut latest, &mut patience, sink)? {
                End::Enough => return Ok(()),
                End::Cut => Refusal::Unreachable("the agent has closed the connection".to_owned()),
            },
            Err(refusal) => refusal,
        };
        match refusal {
            // As long as it takes: who follows has said so, and the agent was there a moment ago.
            Refusal::Unreachable(_) => {
                patience.begin();
                patience.rest();
            }
            refusal @ Refusal::Refused { .. } => patience.wait(refusal, query)?,
        }
        if sink(Event::Pause)?.is_break() {
            return Ok(());
        }
    }
}

enum End {
    Enough,
    Cut,
}

fn listen<S: std::io::Read + std::io::Write>(
    agent: &Agent,
    ask: &Ask,
    socket: &mut tungstenite::WebSocket<S>,
    latest: &mut Latest,
    patience: &mut Patience,
    sink: &mut Sink<'_>,
) -> Result<End> {
    let mut reader = Reader::default();
    // Whether lines come that the agent says are older than one it has sent.
    let mut is_late = false;
    loop {
        let frame = match socket.read() {
            Ok(Message::Text(frame)) => frame,
            Ok(Message::Close(Some(close))) if close.code == CloseCode::Policy => {
                return Err(Error::Agent(close.reason.to_string()));
            }
            Ok(Message::Close(_)) | Err(_) => return Ok(End::Cut),
            Ok(_) => {
                if terminal::is_reader_gone() {
                    return Ok(End::Enough);
                }
                continue;
            }
        };
        patience.forget();
        for text in frame.lines() {
            match reader.read(text).map_err(Error::Agent)? {
                Record::Line(line) => {
                    let is_after = latest.note(&line);
                    is_late &= !is_after;
                    // Else it was among those that were missed, and was asked for then.
                    if (is_after || is_late) && sink(Event::Line(&line))?.is_break() {
                        return Ok(End::Enough);
                    }
                }
                Record::Late => is_late = true,
                Record::Missed { after, before } => {
                    let after = latest.id().map(str::to_owned).or(after);
                    let missed = Ask { after, before, ..ask.clone() };
                    let mut flow = ControlFlow::Continue(());
                    missed.forward(agent, &mut |event| {
                        let is_new = if let Event::Line(line) = event { latest.note(line) } else { true };
                        if is_new {
                            flow = sink(event)?;
                        }
                        Ok(flow)
                    })?;
                    if flow.is_break() {
                        return Ok(End::Enough);
                    }
                }
                other => tell(&other)?,
            }
        }
        if sink(Event::Pause)?.is_break() {
            return Ok(End::Enough);
        }
    }
}
