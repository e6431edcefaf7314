//! How long to wait after a failure, and when to say that there was one.

use std::collections::HashMap;
use std::mem::Discriminant;
use std::time::{Duration, Instant};

use crate::pods::client::{Access, Failure};
use crate::pods::{WATCH_TIME_GOOD, random};

/// The first pause after a failure; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The longest pause where there is no right: somebody has to give it.
const FORBIDDEN_PAUSE_MAX: Duration = Duration::from_mins(5);
/// How often it is looked whether there is a token.
const NO_ACCESS_PAUSE: Duration = Duration::from_mins(1);
/// The longest pause after a version that was too old: all nodes meet that at the same time.
const GONE_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often a failure that lasts is named in the log.
const COMPLAINT_INTERVAL: Duration = Duration::from_hours(1);
/// How often a token may be refused, or an answer be none, before that is said: either may be a moment's.
const PATIENCE: u32 = 3;

/// What there was of failures since all went well.
#[derive(Debug, Default)]
pub(super) struct Pause {
    /// How many in succession.
    count: u32,
    /// The kind of the last one, and how many of it in succession.
    kind: Option<(Discriminant<Failure>, u32)>,
    /// When one of each kind was named last.
    said: HashMap<Discriminant<Failure>, Instant>,
}

impl Pause {
    /// Notes that a watch has worked for so long.
    pub(super) fn note_good(&mut self, time: Duration) {
        if WATCH_TIME_GOOD <= time {
            *self = Self::default();
        }
    }

    /// How long to wait after a failure, which is named in the log where that is due.
    pub(super) fn after(&mut self, failure: &Failure, access: &Access) -> Duration {
        self.count = self.count.saturating_add(1);
        let kind = std::mem::discriminant(failure);
        let before = self.kind.filter(|(of, _)| *of == kind).map_or(0, |(_, count)| count);
        self.kind = Some((kind, before.saturating_add(1)));
        self.say(failure, before + 1, access);
        self.time(failure)
    }

    fn time(&self, failure: &Failure) -> Duration {
        let longest = match failure {
            Failure::NoAccess(_) => return NO_ACCESS_PAUSE,
            Failure::Gone(_) => return GONE_PAUSE_MAX.mul_f64(random()),
            Failure::TooMany(time) => return *time,
            Failure::Forbidden(_) => FORBIDDEN_PAUSE_MAX,
            _ => PAUSE_MAX,
        };
        let doubled = PAUSE_MIN.saturating_mul(1 << (self.count - 1).min(16));
        doubled.min(longest).mul_f64(0.5 + random())
    }

    /// Names a failure that is the `count`th of its kind in succession.
    fn say(&mut self, failure: &Failure, count: u32, access: &Access) {
        let kind = std::mem::discriminant(failure);
        let is_due = self.said.get(&kind).is_none_or(|said| COMPLAINT_INTERVAL <= said.elapsed());
        let is_worth_it = match failure {
            Failure::Gone(_) | Failure::TooMany(_) => false,
            Failure::Unauthorized { .. } | Failure::Malformed(_) => PATIENCE <= count,
            _ => true,
        };
        if !is_due || !is_worth_it {
            return log::debug!("{failure}");
        }
        let rest = "until then pods are known by their names, without their labels";
        match failure {
            Failure::NoAccess(_) => log::info!("{failure}; {rest}"),
            _ => log::warn!("the pods of node {}: {failure}; {rest}", access.node),
        }
        self.said.insert(kind, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access { url: None, token_file: "token".into(), ca_file: "ca".into(), node: "n".into() }
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut pause = Pause::default();
        let failure = Failure::Transport("refused".into());
        let times: Vec<Duration> = (0..12).map(|_| pause.after(&failure, &access())).collect();
        assert!(times[0] <= Duration::from_millis(750), "{times:?}");
        assert!(times[3] >= Duration::from_secs(2), "{times:?}");
        assert!(times.iter().all(|time| *time <= Duration::from_secs(45)), "{times:?}");
        assert!(times[11] >= Duration::from_secs(15), "{times:?}");
        pause.note_good(Duration::from_secs(59));
        assert!(pause.after(&failure, &access()) >= Duration::from_secs(15));
        pause.note_good(Duration::from_mins(1));
        assert!(pause.after(&failure, &access()) <= Duration::from_millis(750));
    }

    #[test]
    fn some_failures_have_pauses_of_their_own() {
        let mut pause = Pause::default();
        assert_eq!(pause.after(&Failure::TooMany(Duration::from_secs(7)), &access()), Duration::from_secs(7));
        assert!(pause.after(&Failure::Gone(String::new()), &access()) <= Duration::from_secs(1));
        assert_eq!(pause.after(&Failure::NoAccess(String::new()), &access()), Duration::from_mins(1));
        let forbidden = Failure::Forbidden(String::new());
        let longest = (0..20).map(|_| pause.after(&forbidden, &access())).max().unwrap();
        assert!(Duration::from_mins(1) < longest && longest <= Duration::from_secs(450), "{longest:?}");
    }

    #[test]
    fn a_failure_is_named_once_and_some_only_where_they_last() {
        let mut pause = Pause::default();
        let unauthorized = || Failure::Unauthorized { token_file: "token".into(), reason: String::new() };
        for expected in [false, false, true] {
            pause.after(&unauthorized(), &access());
            assert_eq!(!pause.said.is_empty(), expected);
        }
        let said = pause.said.clone();
        pause.after(&unauthorized(), &access());
        pause.after(&Failure::Gone(String::new()), &access());
        assert_eq!(pause.said, said);
        pause.after(&Failure::Transport(String::new()), &access());
        assert_eq!(pause.said.len(), 2);
    }
}
