//! What the cluster says of the pods of this node: one list, then a watch, on threads of their own.
//!
//! The records go to the inventory. Collection never waits for them, and without the API all that is missing is the labels
//! that pods have of their own. Nothing else is asked of anybody: these requests, to the cluster's own API, are the only
//! ones that leave the agent unasked, and `--kubernetes-api off` sends none.
//!
//! A watch that ends without an error goes on from the last version that it told. After any failure everything is listed
//! anew, after a pause that doubles. A list says which pods there are; those that are gone keep their records, as their
//! lines are still there.

mod client;
mod metadata;
mod pause;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{BufRead, Read};
use std::time::{Duration, Instant};

use crate::inventory::{Inventory, Record};
use crate::pods::client::{Answer, Failure};
use crate::pods::metadata::{Event, Kind, List};
use crate::pods::pause::Pause;
use crate::status::{ClusterState, Status};

pub use client::Access;

/// How long a watch is asked to last, at least.
const WATCH_TIME_MIN: Duration = Duration::from_mins(4);
/// And how much longer at most: not all nodes ask at the same time.
const WATCH_TIME_SPREAD: Duration = Duration::from_mins(1);
/// A watch that lasted so long works.
const WATCH_TIME_GOOD: Duration = Duration::from_mins(1);
/// A watch that lasted so long and told nothing, not even where it is, may be of a version that the server never had.
const WATCH_TIME_SILENT: Duration = Duration::from_secs(90);
/// Most bytes of an event; an object of the API has 1.5 MiB at most.
const EVENT_BYTES_MAX: u64 = 4 << 20;
/// Most bytes of a list: some 60,000 pods.
const LIST_BYTES_MAX: u64 = 256 << 20;
/// How long a container's pod may be unknown before it is looked for.
const UNKNOWN_TIME_MAX: Duration = Duration::from_secs(10);
/// How often pods that are not known are looked for at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps `inventory` up to date until `wait`, which waits for so long, says that it is time to stop.
pub fn follow(access: &Access, inventory: &Inventory, status: &Status, wait: &dyn Fn(Duration) -> bool) {
    let mut pause = Pause::default();
    loop {
        let failure = match listed_and_watched(access, inventory, status, &mut pause) {
            Ok(()) => continue,
            Err(failure) => failure,
        };
        status.cluster.errors.add(1);
        let time = pause.after(&failure, access);
        // What a watch tells by breaking off is told again by the next list: the labels are as good as they were.
        status.cluster.set_state(ClusterState::Failing(failure.to_string()));
        if wait(time) {
            return;
        }
    }
}

/// Looks for pods that the watch does not tell of although their containers are here: it may hang, or the node's name may be
/// wrong. Until `wait` says that it is time to stop.
pub fn look_for_unknown(access: &Access, inventory: &Inventory, status: &Status, wait: &dyn Fn(Duration) -> bool) {
    let mut looked_for = HashSet::new();
    while !wait(LOOK_INTERVAL) {
        look_once(access, inventory, status, &mut looked_for);
    }
}

fn look_once(access: &Access, inventory: &Inventory, status: &Status, looked_for: &mut HashSet<String>) {
    let unknown = inventory.unknown_pods(UNKNOWN_TIME_MAX);
    let is_new = unknown.iter().any(|uid| !looked_for.contains(uid));
    if !status.cluster.is_up() || !is_new {
        return;
    }
    let Ok(list) = list(access, status) else { return };
    let is_empty = list.items.as_ref().is_none_or(Vec::is_empty);
    for pod in list.items.into_iter().flatten().filter_map(|item| item.metadata.into_pod()) {
        if unknown.contains(&pod.uid) {
            let uid = pod.uid.clone();
            inventory.put(Record::Pod(pod));
            inventory.set_alive(&uid, true);
        }
    }
    if is_empty && looked_for.is_empty() {
        log::warn!(
            "the API server tells of no pods under the node name {:?}, though there are some here; give the node's name \
             with --node-name, as the DaemonSet of deploy/kubernetes does",
            access.node
        );
    }
    *looked_for = unknown;
}

/// Lists the pods and follows them until something fails, or until they are to be listed anew.
fn listed_and_watched(
    access: &Access,
    inventory: &Inventory,
    status: &Status,
    pause: &mut Pause,
) -> Result<(), Failure> {
    let list = list(access, status)?;
    let mut version = list.metadata.resource_version.unwrap_or_default();
    let mut living = HashSet::new();
    for pod in list.items.into_iter().flatten().filter_map(|item| item.metadata.into_pod()) {
        living.insert(pod.uid.clone());
        inventory.put(Record::Pod(pod));
    }
    inventory.set_living(&living);
    status.cluster.pods.set(inventory.living_count() as u64);
    if status.cluster.set_state(ClusterState::Up) {
        log::info!("the Kubernetes API tells of {} pods of node {}", living.len(), access.node);
    }
    drop(living);
    loop {
        let begun = Instant::now();
        status.cluster.requests.add(1);
        let time = WATCH_TIME_MIN + WATCH_TIME_SPREAD.mul_f64(random());
        let answer = access.watch(&version, time)?;
        let told = watch(answer, inventory, status, &mut version, || pause.note_good(begun.elapsed()))?;
        pause.note_good(begun.elapsed());
        if WATCH_TIME_SILENT < begun.elapsed() && told == 0 {
            return Ok(());
        }
    }
}

fn list(access: &Access, status: &Status) -> Result<List, Failure> {
    status.cluster.requests.add(1);
    let mut answer = access.list()?.take(LIST_BYTES_MAX);
    let list = serde_json::from_reader(&mut answer);
    if answer.limit() == 0 {
        return Err(Failure::TooLarge("a list", LIST_BYTES_MAX >> 20));
    }
    list.map_err(|error| match error.classify() {
        serde_json::error::Category::Io => Failure::Transport(format!("a list broke off: {error}")),
        _ => Failure::Malformed(format!("a list: {error}")),
    })
}

/// Takes the events of a watch until it ends, and returns how many there were. `version` is that of the last one.
fn watch(
    mut answer: Answer,
    inventory: &Inventory,
    status: &Status,
    version: &mut String,
    mut note: impl FnMut(),
) -> Result<usize, Failure> {
    let (mut line, mut count) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = answer.by_ref().take(EVENT_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| Failure::Transport(format!("a watch broke off: {error}")))?;
        if EVENT_BYTES_MAX <= line.len() as u64 && !line.ends_with(b"\n") {
            return Err(Failure::TooLarge("an event", EVENT_BYTES_MAX >> 20));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            if line.is_empty() {
                return Ok(count);
            }
            continue;
        }
        let event: Event =
            serde_json::from_slice(&line).map_err(|error| Failure::Malformed(format!("an event: {error}")))?;
        take(event, inventory, version)?;
        count += 1;
        status.cluster.pods.set(inventory.living_count() as u64);
        note();
        // Few events are large; the room for one is not kept.
        line.shrink_to(1 << 16);
    }
}

fn take(event: Event, inventory: &Inventory, version: &mut String) -> Result<(), Failure> {
    let Event { kind, object } = event;
    if kind == Kind::Error {
        let message = object.message.unwrap_or_default();
        let status = object.code.unwrap_or_default();
        return Err(match status {
            410 => Failure::Gone(message),
            _ => Failure::Status { status, reason: message },
        });
    }
    if let Some(told) = &object.metadata.resource_version {
        told.clone_into(version);
    }
    if !matches!(kind, Kind::Added | Kind::Modified | Kind::Deleted) {
        return Ok(());
    }
    if let Some(pod) = object.metadata.into_pod() {
        let uid = pod.uid.clone();
        inventory.put(Record::Pod(pod));
        inventory.set_alive(&uid, kind != Kind::Deleted);
    }
    Ok(())
}

/// A number from 0 to 1, another one each time.
fn random() -> f64 {
    let number = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default();
    f64::from(number) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
