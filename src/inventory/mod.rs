//! What streams are called by people: pods with their labels, containers with their names.
//!
//! What identifies a stream comes from where its log lies and never changes. What the cluster or the container engine says
//! of it comes late, changes, or never comes; it is kept here as *records*, and joined to the stored labels when a query
//! runs. So collection waits for nobody, a change splits no stream, and a container's first line is found by labels that
//! came after it. The newest record counts for all lines, as for `kubectl get pods -l`.
//!
//! Records come from the collector and from the cluster. The pump stores each that is new or has changed as a line of an
//! internal stream, and once more in each UTC day in which lines of its pod or container are stored: so every day of stored
//! lines tells of its own, and retention needs no rule for records. At the start they are read back.
//!
//! | file | in one sentence |
//! |---|---|
//! | `record` | what is known of a pod or a container, and the line that it is stored as |
//! | `labels` | which labels a pod's own ones become |
//! | `origin` | which container a stream is of |

mod labels;
mod origin;
mod record;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::inventory::origin::Origin;
use crate::model::{Labels, Lines, Matcher, Timestamp};

pub use labels::{Names, PodLabels, sanitised};
pub use origin::is_container_id;
pub use record::{Container, Exclusion, Facts, Pod, PodContainer, Record};

/// The name of the internal stream that records are lines of.
pub const STREAM: &str = "inventory";
/// How long a record is kept that no line and nobody else needs: whoever looks at files does so more often.
const IDLE_TIME_MAX: Duration = Duration::from_hours(1);
/// Nanoseconds of a day.
const NS_PER_DAY: i64 = 24 * 3600 * 1_000_000_000;

/// All that is known of pods and containers.
#[derive(Debug, Default)]
pub struct Inventory {
    shown: PodLabels,
    state: RwLock<State>,
    /// How often what is joined has changed.
    version: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    records: HashMap<Key, Kept>,
    /// What pods of one template share.
    shared: HashSet<Arc<Known>>,
    /// Those that are to be stored.
    unsaved: BTreeSet<Key>,
    /// The time of the record that was stored last.
    latest: Option<Timestamp>,
}

/// Names a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    /// By uid.
    Pod(Box<str>),
    /// By namespace, pod and container id.
    PodContainer(Box<str>),
    /// By container id.
    Container(Box<str>),
}

impl Key {
    fn of(record: &Record) -> Self {
        match record {
            Record::Pod(pod) => Self::Pod(pod.uid.as_str().into()),
            Record::PodContainer(of) => Self::of_pod_container(&of.namespace, &of.pod, &of.id),
            Record::Container(container) => Self::Container(container.id.as_str().into()),
        }
    }

    fn of_pod_container(namespace: &str, pod: &str, id: &str) -> Self {
        Self::PodContainer(format!("{namespace}/{pod}/{id}").into())
    }
}

/// A record in memory.
#[derive(Debug)]
struct Kept {
    content: Content,
    /// The UTC day that it was stored in last, counted from 1970.
    saved_day: Option<i64>,
    /// When it was told for the first time in this process, and last.
    since: Instant,
    told: Instant,
    /// Whether the cluster says that the pod exists.
    is_living: bool,
}

#[derive(Debug, PartialEq)]
enum Content {
    Pod {
        namespace: Box<str>,
        name: Box<str>,
        known: Arc<Known>,
    },
    /// The pod's uid.
    PodContainer(Box<str>),
    Container(Arc<Names>),
}

/// What is known of a pod, which those of one template have in common, and what streams are called because of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Known {
    facts: Facts,
    names: Arc<Names>,
}

/// The labels of a stream: its own, and those that are joined.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Those that are shown.
    pub labels: Labels,
    /// Those that are joined, be they shown or not.
    names: Option<Arc<Names>>,
    /// Whether there may be some that nobody has told yet.
    awaits_names: bool,
}

impl Joined {
    /// Labels to which nothing is joined.
    fn nothing_to(labels: Labels, awaits_names: bool) -> Self {
        Self { labels, names: None, awaits_names }
    }

    /// Whether it is a container's stream whose names nobody has told yet.
    pub fn awaits_names(&self) -> bool {
        self.awaits_names
    }

    /// The same with those of `hidden`, which are not shown as a rule, that are joined.
    #[must_use]
    pub fn showing(self, hidden: &[String]) -> Self {
        let Some(names) = self.names.as_ref().filter(|_| !hidden.is_empty()) else { return self };
        let more = hidden.iter().filter_map(|name| Some((name.as_str(), names.hidden(name)?)));
        Self { labels: self.labels.extended(more), ..self }
    }

    /// The same with what `change` makes of the labels that are shown.
    #[must_use]
    pub fn map(self, change: impl FnOnce(&Labels) -> Labels) -> Self {
        Self { labels: change(&self.labels), ..self }
    }

    /// Whether the stream satisfies the condition, be it on a label that is not shown.
    pub fn is_accepted_by(&self, matcher: &Matcher) -> bool {
        let hidden = || self.names.as_ref().and_then(|names| names.hidden(&matcher.name));
        matcher.accepts_value(self.labels.get(&matcher.name).or_else(hidden).unwrap_or_default())
    }
}

impl Inventory {
    /// An empty one; `shown` says which labels of pods are shown.
    pub fn new(shown: PodLabels) -> Self {
        Self { shown, ..Self::default() }
    }

    /// Takes what is known now of a pod or a container.
    pub fn put(&self, record: Record) {
        self.write().put(record, &self.shown, &self.version, None);
    }

    /// Takes a record that was stored at `time`; the later ones of a pod or container come last.
    pub fn restore(&self, record: Record, time: Timestamp) {
        self.write().put(record, &self.shown, &self.version, Some(time));
    }

    /// Takes it that of all pods these uids exist, and no others.
    pub fn set_living(&self, uids: &HashSet<String>) {
        for (key, kept) in &mut self.write().records {
            if let Key::Pod(uid) = key {
                kept.is_living = uids.contains(&**uid);
            }
        }
    }

    /// Takes it that a pod exists, or is gone. Its record stays: its lines are still there.
    pub fn set_alive(&self, uid: &str, is_living: bool) {
        if let Some(kept) = self.write().records.get_mut(&Key::Pod(uid.into())) {
            kept.is_living = is_living;
        }
    }

    /// How many pods the cluster says that there are.
    pub fn living_count(&self) -> usize {
        self.read().records.values().filter(|kept| kept.is_living).count()
    }

    /// The uids of pods whose containers were told of at least so long ago, and of late, without anything being known of them.
    pub fn unknown_pods(&self, time: Duration) -> HashSet<String> {
        let state = self.read();
        let of_containers = state.records.values().filter_map(|kept| match &kept.content {
            Content::PodContainer(uid) if time <= kept.since.elapsed() && kept.told.elapsed() < IDLE_TIME_MAX => {
                Some(uid)
            }
            _ => None,
        });
        let unknown = of_containers.filter(|uid| !state.records.contains_key(&Key::Pod((*uid).clone())));
        unknown.map(ToString::to_string).collect()
    }

    /// Makes it believe that everything was told so long ago.
    #[cfg(test)]
    pub(crate) fn let_time_pass(&self, time: Duration) {
        for kept in self.write().records.values_mut() {
            for instant in [&mut kept.since, &mut kept.told] {
                *instant = instant.checked_sub(time).unwrap_or(*instant);
            }
        }
    }

    /// Whether something is known of the pod with this uid.
    pub fn has_pod(&self, uid: &str) -> bool {
        self.read().records.contains_key(&Key::Pod(uid.into()))
    }

    /// Keeps what is known of a container that is still there; `false` where nothing is.
    pub fn keep_container(&self, id: &str) -> bool {
        let mut state = self.write();
        let kept = state.records.get_mut(&Key::Container(id.into()));
        kept.map(|kept| kept.told = Instant::now()).is_some()
    }

    /// Whether the pod's container is not to be collected.
    pub fn excludes(&self, uid: &str, container: &str) -> bool {
        match self.read().records.get(&Key::Pod(uid.into())) {
            Some(Kept { content: Content::Pod { known, .. }, .. }) => known.facts.exclude.covers(container),
            _ => false,
        }
    }

    /// How often what is joined has changed: whoever keeps what [`Inventory::join`] said asks again when this has.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The labels of the stream that is stored with these.
    pub fn join(&self, stored: &Labels) -> Joined {
        let Some(origin) = Origin::of(stored) else { return Joined::nothing_to(stored.clone(), false) };
        let Some(names) = self.read().names_of(origin) else { return Joined::nothing_to(stored.clone(), true) };
        let visible = names.visible.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Joined { labels: stored.extended(visible), names: Some(names), awaits_names: false }
    }

    /// The names of labels that are joined to some stream and not shown.
    pub fn hidden_names(&self) -> BTreeSet<String> {
        let state = self.read();
        let names = state.records.values().filter_map(|kept| match &kept.content {
            Content::Pod { known, .. } => Some(&known.names),
            Content::Container(names) => Some(names),
            Content::PodContainer(_) => None,
        });
        names.flat_map(|names| names.hidden_names()).cloned().collect()
    }

    /// Notes that lines of a stream are about to be stored in the day of `now`: what is known of it has to be there, too.
    pub fn note_stored(&self, stored: &Labels, now: Timestamp) {
        let Some(origin) = Origin::of(stored) else { return };
        let day = day_of(now);
        let is_unsaved = |state: &State, key: &Key| {
            state.records.get(key).is_some_and(|kept| kept.saved_day != Some(day)) && !state.unsaved.contains(key)
        };
        let state = self.read();
        let keys: Vec<Key> =
            state.keys_of(origin).into_iter().flatten().filter(|key| is_unsaved(&state, key)).collect();
        drop(state);
        if !keys.is_empty() {
            self.write().unsaved.extend(keys);
        }
    }

    /// The lines to be stored now; they count as stored.
    pub fn take_unsaved(&self, now: Timestamp) -> Lines {
        let mut lines = Lines::default();
        if self.read().unsaved.is_empty() {
            return lines;
        }
        let mut state = self.write();
        let unsaved = std::mem::take(&mut state.unsaved);
        for key in unsaved {
            // Records are read in the order of their times, whatever the clock does.
            let next = state.latest.map_or(i64::MIN, |latest| latest.as_ns().saturating_add(1));
            let time = Timestamp::from_ns(now.as_ns().max(next));
            let Some(kept) = state.records.get_mut(&key) else { continue };
            kept.saved_day = Some(day_of(now));
            lines.push(time, &record_of(&key, kept).to_line());
            state.latest = Some(time);
        }
        lines
    }

    /// Forgets the records that none of `streams` needs, that the cluster does not tell of, and that nobody has told of for
    /// a while.
    pub fn forget_without(&self, streams: &[Labels]) {
        let mut state = self.write();
        let origins = streams.iter().filter_map(Origin::of);
        let needed: HashSet<Key> = origins.flat_map(|origin| state.keys_of(origin)).flatten().collect();
        let State { records, unsaved, shared, .. } = &mut *state;
        records.retain(|key, kept| {
            kept.is_living || needed.contains(key) || unsaved.contains(key) || kept.told.elapsed() < IDLE_TIME_MAX
        });
        shared.retain(|known| 1 < Arc::strong_count(known));
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a record: one that was stored at a time, or one that is new.
    fn put(&mut self, record: Record, shown: &PodLabels, version: &AtomicU64, stored: Option<Timestamp>) {
        let key = Key::of(&record);
        let content = self.content_of(record, shown);
        let before = self.records.get(&key);
        let is_same = before.is_some_and(|before| before.content == content);
        let saved_day = match stored {
            Some(time) => {
                self.latest = self.latest.max(Some(time));
                Some(day_of(time))
            }
            None if is_same => before.and_then(|before| before.saved_day),
            None => None,
        };
        if !is_same {
            version.fetch_add(1, Ordering::AcqRel);
            if stored.is_none() {
                self.unsaved.insert(key.clone());
            }
        }
        let is_living = before.is_some_and(|before| before.is_living);
        let told = Instant::now();
        let since = before.map_or(told, |before| before.since);
        self.records.insert(key, Kept { content, saved_day, since, told, is_living });
    }

    fn content_of(&mut self, record: Record, shown: &PodLabels) -> Content {
        match record {
            Record::Pod(pod) => {
                let names = Arc::new(Names::of_pod(&pod, shown));
                let known = Arc::new(Known { facts: pod.facts, names });
                let known = self.shared.get(&known).cloned().unwrap_or(known);
                self.shared.insert(Arc::clone(&known));
                Content::Pod { namespace: pod.namespace.into(), name: pod.name.into(), known }
            }
            Record::PodContainer(of) => Content::PodContainer(of.uid.into()),
            Record::Container(container) => {
                Content::Container(Arc::new(Names { visible: container.labels, hidden: container.hidden }))
            }
        }
    }

    /// The records that may tell of a stream.
    fn keys_of(&self, origin: Origin<'_>) -> [Option<Key>; 2] {
        match origin {
            Origin::Pod(uid) => [Some(Key::Pod(uid.into())), None],
            Origin::Container(id) => [Some(Key::Container(id.into())), None],
            Origin::PodContainer { namespace, pod, id } => {
                let key = Key::of_pod_container(namespace, pod, id);
                let of_pod = match self.records.get(&key) {
                    Some(Kept { content: Content::PodContainer(uid), .. }) => Some(Key::Pod(uid.clone())),
                    _ => None,
                };
                [Some(key), of_pod]
            }
        }
    }

    /// What is joined to a stream.
    fn names_of(&self, origin: Origin<'_>) -> Option<Arc<Names>> {
        let keys = self.keys_of(origin);
        let mut contents = keys.iter().flatten().filter_map(|key| Some(&self.records.get(key)?.content));
        contents.find_map(|content| match content {
            Content::Pod { known, .. } => Some(Arc::clone(&known.names)),
            Content::Container(names) => Some(Arc::clone(names)),
            Content::PodContainer(_) => None,
        })
    }
}

/// The UTC day of a time, counted from 1970.
fn day_of(time: Timestamp) -> i64 {
    time.as_ns().div_euclid(NS_PER_DAY)
}

/// What was put, as it is stored.
fn record_of(key: &Key, kept: &Kept) -> Record {
    match (key, &kept.content) {
        (Key::Pod(uid), Content::Pod { namespace, name, known }) => Record::Pod(Pod {
            uid: uid.to_string(),
            namespace: namespace.to_string(),
            name: name.to_string(),
            facts: known.facts.clone(),
        }),
        (Key::PodContainer(text), Content::PodContainer(uid)) => {
            let [namespace, pod, id] = {
                let mut parts = text.splitn(3, '/').map(ToOwned::to_owned);
                [(); 3].map(|()| parts.next().unwrap_or_default())
            };
            Record::PodContainer(PodContainer { id, uid: uid.to_string(), namespace, pod })
        }
        (Key::Container(id), Content::Container(names)) => Record::Container(Container {
            id: id.to_string(),
            labels: names.visible.clone(),
            hidden: names.hidden.clone(),
        }),
        _ => unreachable!("a key and its content are of one record"),
    }
}

#[cfg(test)]
mod tests;
