//! `status` and `healthcheck`: what the agent says of itself.

use std::fmt::Write as _;

use serde_json::Value;

use super::arguments::{HealthcheckOptions, StatusOptions};
use super::format::INTO_TEXT;
use super::http::{Agent, Refusal};
use super::lists::bytes;
use super::numbers::aligned;
use super::{Error, Result, terminal};

/// Runs `status`. It fails where the agent has a problem.
pub(super) fn run(options: &StatusOptions) -> Result<()> {
    let agent = Agent::new(&options.connection)?;
    let status = agent.json("/status", &[])?;
    let text = if options.listing.output == "json" { format!("{status}\n") } else { text(&status, &agent.address()) };
    terminal::print(&text)?;
    if status["problem"].is_string() { Err(Error::Failed) } else { Ok(()) }
}

/// Runs `healthcheck`.
pub(super) fn healthcheck(options: &HealthcheckOptions) -> Result<()> {
    let agent = Agent::answering_soon(&options.connection)?;
    match agent.get("/readyz", &[]) {
        Ok(_) => Ok(()),
        Err(Refusal::Refused { message, .. }) => Err(Error::Agent(message)),
        Err(refusal) => Err(refusal.explained("")),
    }
}

fn text(status: &Value, address: &str) -> String {
    let said = |name: &str| status[name].as_str().unwrap_or_default();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let sources: Vec<&Value> = status["sources"].as_array().into_iter().flatten().collect();
    let lag: u64 = sources.iter().map(|source| number(&source["lag_bytes"])).sum();
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.push(("agent", format!("{address}, version {}, up for {} s", said("version"), status["uptime_seconds"])));
    rows.push((
        "state",
        status["problem"].as_str().map_or_else(|| "well".to_owned(), |text| format!("NOT WELL: {text}")),
    ));
    rows.push(("collects", format!("{} {}, {} files", said("collector"), said("root"), sources.len())));
    rows.push(("comes", format!("{} lines a second", status["lines_per_second"])));
    rows.push(("behind", if lag == 0 { "nothing".to_owned() } else { bytes(lag) }));
    let import = &status["import"];
    if number(&import["read_bytes"]) < number(&import["total_bytes"]) {
        let of = (bytes(number(&import["read_bytes"])), bytes(number(&import["total_bytes"])));
        rows.push(("start's files", format!("{} of {} read, {} s left", of.0, of.1, import["seconds_left"])));
    }
    let of = (bytes(number(&status["bytes"])), bytes(number(&status["disk_bytes"])));
    rows.push(("stored", format!("{} lines of {} streams, {} in {}", status["lines"], status["streams"], of.0, of.1)));
    rows.push(("oldest", status["oldest"].as_str().unwrap_or("none").to_owned()));
    let skipped = status["skipped_bytes"].as_object().into_iter().flatten();
    for (reason, count) in skipped.filter(|(_, count)| number(count) != 0) {
        rows.push(("not stored", format!("{}: {}", bytes(number(count)), reason.replace('_', " "))));
    }
    for (name, title) in [("unaccounted_bytes", "unaccounted"), ("quarantined_bytes", "damaged")] {
        if number(&status[name]) != 0 {
            rows.push((title, bytes(number(&status[name]))));
        }
    }
    let mut out = aligned(&rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect::<Vec<_>>());
    for gap in status["gaps"].as_array().into_iter().flatten() {
        writeln!(out, "lost: {gap}").expect(INTO_TEXT);
    }
    for source in sources {
        let (path, state) = (source["path"].as_str().unwrap_or_default(), source["state"].as_str().unwrap_or_default());
        let behind = number(&source["lag_bytes"]);
        if state == "unreadable" {
            let problem = source["problem"].as_str().unwrap_or("cannot be read");
            writeln!(out, "{path}: {problem}").expect(INTO_TEXT);
        } else if behind != 0 {
            writeln!(out, "{path}: {} behind", bytes(behind)).expect(INTO_TEXT);
        }
    }
    out
}
