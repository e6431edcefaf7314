//! What the agent says of itself: `/`, `/status`, and the probes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tide::{Request, Response, StatusCode};

use crate::access::{Caller, Right};
use crate::api::parameters::Parameters;
use crate::api::{State, page, wire};
use crate::status::SourceState;

/// Where probes ask whether anything is answered.
pub(super) const LIVE: [&str; 2] = ["/livez", "/-/healthy"];
/// Where they ask whether lines are stored.
pub(super) const READY: [&str; 4] = ["/readyz", "/ready", "/health", "/-/ready"];

/// The answer of `/` to clients other than browsers.
const INDEX: &str = "\
monitoring-rs: the logs of this machine

GET /ui/                     the page: see, search and follow every log in a browser
GET /logs/<label>/<value>    the lines of all streams with that label, a JSON array in time order;
                             ?limit= the newest so many, ?since= and ?until= a time (RFC 3339, Unix, or 15m, 2d ago),
                             ?contains= a text
GET /api/v1/lines            lines by LogQL with exact cursors, see docs/api.md; follow, streams
GET /loki/api/v1/...         Loki's query API: a Loki data source for Grafana, --addr for logcli
GET /status                  the sources and how far each is read
GET /metrics                 the same for Prometheus
GET /livez, /readyz          for probes; /readyz?verbose says more

curl 'http://localhost:8000/logs/path//var/log/syslog?limit=10'
";

/// Says what can be asked, and sends browsers to the page.
pub(super) async fn index(request: Request<State>) -> tide::Result {
    let is_browser = page::is_wanted(&request);
    let mut response = if is_browser { page::redirect(StatusCode::SeeOther) } else { Response::from(INDEX) };
    response.append_header("Vary", "Accept");
    Ok(response)
}

/// Says how the agent, its sources and its database are.
pub(super) async fn status(request: Request<State>) -> tide::Result {
    let State { status, about, queries, database, .. } = request.state();
    let statistics = request.state().statistics().await;
    let parameters = Parameters::parse(request.url().query().unwrap_or_default())?;
    let shows_sources = parameters.get("sources", "0 or 1", |text| match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    })?;
    let is_admin = is_admin(&request);
    let shown = |path: &str| if is_admin { path.to_owned() } else { String::new() };
    let sources = || status.sources().iter().map(|source| wire::Source::from(source.as_ref())).collect();
    let missing_targets = if is_admin { status.missing_targets() } else { BTreeSet::new() };
    let caller = request.ext::<Caller>().filter(|_| !request.state().entrance.access.is_off());
    Ok(wire::json(&wire::Status {
        caller: caller.map(|caller| &*caller.name),
        version: &about.version,
        commit: &about.commit,
        uptime_seconds: about.started.elapsed().as_secs(),
        collector: &about.collector,
        root: &shown(&about.root_path),
        data_directory: &shown(&about.data_directory),
        zone: &about.zone,
        problem: problem(request.state()).map(|problem| if is_admin { problem } else { HIDDEN_PROBLEM.into() }),
        streams: statistics.streams,
        lines: statistics.lines,
        bytes: statistics.bytes,
        disk_bytes: statistics.disk_bytes,
        oldest: statistics.oldest.map(wire::rfc3339),
        quarantined_bytes: statistics.quarantined_bytes,
        unreadable_parts: wire::unreadable_parts(&statistics),
        seen_bytes: status.bytes_seen.get(),
        stored_bytes: status.bytes_stored.get(),
        waiting_bytes: status.bytes_waiting.get(),
        skipped_bytes: wire::skipped_bytes(status),
        unaccounted_bytes: status.bytes_unaccounted.get(),
        held_deleted_bytes: status.held_deleted_bytes.get(),
        gaps: status.gaps().into_iter().filter(|_| is_admin).map(wire::Gap::from).collect(),
        missing_targets: missing_targets.iter().map(|path| path.display().to_string()).collect(),
        import: wire::Import::from(&status.import),
        lines_per_second: status.rate.per_second(),
        kubernetes: wire::Kubernetes::of(&status.cluster),
        alerts: wire::FiringAlert::of(&status.rules()),
        forward: status.targets().iter().filter(|_| is_admin).map(|target| wire::ForwardTarget::of(target)).collect(),
        queries: wire::Load { running: queries.query_count(), max: queries.limits().at_once_max },
        tails: wire::Load { running: queries.tail_count(), max: queries.limits().tails_max },
        retention: wire::Retention::new(database.retention(), &statistics),
        sources: (is_admin && shows_sources.unwrap_or(true)).then(sources),
    }))
}

/// What a problem is called to those who may not know more.
const HIDDEN_PROBLEM: &str = "something is wrong; those with the right `admin` are told what";

/// Whether whoever asks may know the agent's own paths and sources.
fn is_admin(request: &Request<State>) -> bool {
    request.ext::<Caller>().is_none_or(|caller| caller.rights.include(Right::Admin) && caller.limit.is_none())
}

/// Answers as long as anything does.
pub(super) async fn live(_: Request<State>) -> tide::Result {
    Ok(Response::from("ok\n"))
}

/// What is wrong; `None` while all is well.
fn problem(State { status, .. }: &State) -> Option<String> {
    let root_missing =
        || status.missing_roots().first().map(|root| format!("{} is no directory any more", root.display()));
    status.problem().or_else(root_missing)
}

/// Says whether lines are being stored and looked after; 503 and the reason where they are not.
pub(super) async fn ready(request: Request<State>) -> tide::Result {
    let State { status, about, .. } = request.state();
    let problem = problem(request.state());
    let is_admin = is_admin(&request);
    let mut text = match &problem {
        None => "ready\n".to_owned(),
        Some(problem) => format!("not ready: {}\n", if is_admin { problem } else { HIDDEN_PROBLEM }),
    };
    if is_admin && request.url().query().is_some_and(|query| query.starts_with("verbose")) {
        let statistics = request.state().statistics().await;
        let sources = status.sources();
        let lag_bytes: u64 = sources.iter().map(|source| source.lag_bytes()).sum();
        let unreadable = sources.iter().filter(|source| source.state().0 == SourceState::Unreadable).count();
        let lines = [
            format!("collector: {} of {}", about.collector, about.root_path),
            format!("sources: {}, {unreadable} unreadable, with {lag_bytes} bytes to be read", sources.len()),
            format!("database: {} lines in {} streams", statistics.lines, statistics.streams),
            format!("syncs that failed: {}", statistics.sync_failures),
        ];
        for line in lines {
            writeln!(text, "{line}").expect("writing to a string cannot fail");
        }
    }
    let mut response = Response::from(text);
    response.set_status(if problem.is_none() { StatusCode::Ok } else { StatusCode::ServiceUnavailable });
    Ok(response)
}
