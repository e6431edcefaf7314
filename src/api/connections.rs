//! The connections that there are, and which of them make room for others.
//!
//! A connection on which nobody asks for anything costs nothing but its place, and places are few. So there are no idle
//! connections beside somebody who waits: the one that has waited longest for its client to ask, of those of the address
//! that has the most, is closed. An address has no more than its share, so that however many connections one client
//! keeps busy, a probe and everybody else get in.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_std::channel::{self, Receiver, Sender};

use crate::api::connection::Phase;

/// Where a connection comes from: an address, or, as one machine has many of version 6, the network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin(IpAddr);

/// The part of an address of version 6 that tells networks apart, in bits.
const NETWORK_BITS: u32 = 64;

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << NETWORK_BITS)).into(),
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    phase: Arc<Phase>,
    /// Closed to have the connection closed.
    close: Sender<()>,
}

/// A connection among all, as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    /// Closed when the connection has to make room.
    pub(super) closed: Receiver<()>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.number);
    }
}

impl Connections {
    /// A further connection.
    pub(super) fn enter(self: &Arc<Self>, origin: Origin, phase: Arc<Phase>) -> Place {
        let (close, closed) = channel::bounded(1);
        let mut table = self.table();
        let number = table.next;
        table.next += 1;
        table.open.insert(number, Entry { origin, phase, close });
        Place { connections: Arc::clone(self), number, closed }
    }

    /// How many connections come from there.
    pub(super) fn count(&self, origin: Origin) -> usize {
        self.table().open.values().filter(|entry| entry.origin == origin).count()
    }

    /// Has a connection closed on which the client asks for nothing, of those that come `from` there or of all; whether
    /// there was one.
    pub(super) fn make_room(&self, from: Option<Origin>) -> bool {
        let mut table = self.table();
        let mut counts: HashMap<Origin, usize> = HashMap::new();
        for entry in table.open.values() {
            *counts.entry(entry.origin).or_default() += 1;
        }
        let idle = table.open.iter().filter_map(|(number, entry)| {
            let since = entry.phase.waits_since()?;
            let is_candidate = from.is_none_or(|origin| origin == entry.origin);
            is_candidate.then(|| (counts[&entry.origin], std::cmp::Reverse(since), *number))
        });
        let Some((.., number)) = idle.max() else { return false };
        // Out of the table at once, so that the next one who needs room gets another's.
        table.open.remove(&number).is_some_and(|entry| entry.close.close())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connection::Exchange;

    fn origin(text: &str) -> Origin {
        Origin::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn one_network_of_version_6_is_one_origin() {
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_ne!(origin("10.0.0.1"), origin("10.0.0.2"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"));
    }

    #[test]
    fn the_idle_one_of_whom_has_the_most_makes_room() {
        let connections = Arc::new(Connections::default());
        let places = ["10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"].map(|address| {
            let phase = Phase::of_new();
            let place = connections.enter(origin(address), Arc::clone(&phase));
            (place, phase)
        });
        let busy = Exchange::begin(&places[1].1);
        assert!(connections.make_room(None));
        let closed = places.each_ref().map(|(place, _)| place.closed.is_closed());
        assert_eq!(closed, [false, false, true, false]);
        assert!(!connections.make_room(Some(origin("10.0.0.2"))), "the other one is busy");
        drop(busy);
        assert!(connections.make_room(Some(origin("10.0.0.2"))));
        let [first, _, _, last] = places;
        assert_eq!((connections.count(origin("10.0.0.1")), connections.count(origin("10.0.0.2"))), (1, 0));
        drop((first, last));
        assert!(!connections.make_room(None));
    }
}
