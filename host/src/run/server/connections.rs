//! The open connections, and which one is closed when there are too many.
//!
//! A connection without a call costs its peer nothing, so a peer could hold all of them. When all are
//! taken, a new connection closes one of the address that has the most: one that never made a call, or
//! else the one that has been without a call for the longest time. Connections with a call under way
//! stay open.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

use crate::run::shares::network;

const MOST: usize = 1024;

/// The most connections: 1,024, or half of the files that the process may open. The other half is for
/// the store and for Kroger.
pub(super) fn most() -> usize {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    files.map_or(MOST, |files| MOST.min(files / 2))
}

/// All open connections.
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: BTreeMap<u64, Entry>,
}

struct Entry {
    /// None: this machine.
    network: Option<IpAddr>,
    /// None: a call is under way.
    idle_since: Option<Instant>,
    has_called: bool,
    close: Arc<Notify>,
}

/// An open connection; dropping this ends it.
pub(super) struct Connection {
    all: Arc<Connections>,
    id: u64,
    close: Arc<Notify>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// Takes in a connection from `peer`, and closes another one for it if it must. None: all connections
    /// that could be closed have calls under way.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Connection> {
        let network = network(peer);
        let mut open = self.open();
        // Users of this machine share one address, so no address of it has a share.
        let has_share = network.is_none() || open.count(network) < self.most / 4;
        if !has_share && !open.close_one_of(network) {
            return None;
        }
        if open.all.len() >= self.most && !open.close_one() {
            return None;
        }
        let (id, close) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        let entry = Entry { network, idle_since: Some(Instant::now()), has_called: false, close: Arc::clone(&close) };
        open.all.insert(id, entry);
        drop(open);
        Some(Connection { all: Arc::clone(self), id, close })
    }

    /// Closes a connection without a call, because the process can open no more files.
    pub(super) fn make_room(&self) {
        self.open().close_one();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn count(&self, network: Option<IpAddr>) -> usize {
        self.all.values().filter(|entry| entry.network == network).count()
    }

    /// Closes one of the address that has the most. False: each of them has a call under way.
    fn close_one(&mut self) -> bool {
        let mut idle: BTreeMap<Option<IpAddr>, usize> = BTreeMap::new();
        for entry in self.all.values().filter(|entry| entry.idle_since.is_some()) {
            *idle.entry(entry.network).or_default() += 1;
        }
        let greediest = idle.into_keys().max_by_key(|network| self.count(*network));
        greediest.is_some_and(|network| self.close_one_of(network))
    }

    /// Closes the one of `network` that is the least loss.
    fn close_one_of(&mut self, network: Option<IpAddr>) -> bool {
        let of_network = self.all.iter().filter(|(_, entry)| entry.network == network);
        let oldest = of_network.filter_map(|(id, entry)| Some((entry.has_called, entry.idle_since?, *id))).min();
        let closed = oldest.and_then(|(.., id)| self.all.remove(&id));
        closed.inspect(|entry| entry.close.notify_one()).is_some()
    }
}

impl Connection {
    /// Resolves when the connection must be closed.
    pub(super) async fn must_close(&self) {
        self.close.notified().await;
    }

    /// Notes that a call is under way.
    pub(super) fn calls(&self) {
        self.set(|entry| (entry.idle_since, entry.has_called) = (None, true));
    }

    /// Notes that the call has its answer.
    pub(super) fn answered(&self) {
        self.set(|entry| entry.idle_since = Some(Instant::now()));
    }

    fn set(&self, change: impl FnOnce(&mut Entry)) {
        self.all.open().all.get_mut(&self.id).map(change);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.open().all.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(all: &Arc<Connections>, peer: &str) -> Option<Connection> {
        all.admit(peer.parse().unwrap())
    }

    fn is_open(connection: &Connection) -> bool {
        connection.all.open().all.contains_key(&connection.id)
    }

    #[test]
    fn a_new_connection_closes_an_idle_one_of_the_greediest_address() {
        let all = Connections::new(8);
        let honest = admit(&all, "192.0.2.1").unwrap();
        let greedy: Vec<_> = (0..7).map(|_| admit(&all, "127.0.0.1").unwrap()).collect();
        greedy[0].calls();

        let new = admit(&all, "127.0.0.1").unwrap();

        let open: Vec<_> = greedy.iter().map(is_open).collect();
        assert_eq!(open, [true, false, true, true, true, true, true], "the one with a call stays");
        assert!(is_open(&honest) && is_open(&new));
        greedy[2].calls();
        greedy[2].answered();
        all.make_room();
        assert!(is_open(&greedy[2]) && !is_open(&greedy[3]), "the one that made a call is the greater loss");
    }

    #[test]
    fn another_machine_has_a_quarter_of_the_connections() {
        let all = Connections::new(8);
        let first = admit(&all, "192.0.2.7").unwrap();
        let second = admit(&all, "192.0.2.7").unwrap();
        second.calls();

        let third = admit(&all, "192.0.2.7").unwrap();
        third.calls();

        assert!(!is_open(&first) && is_open(&second) && is_open(&third));
        assert!(admit(&all, "192.0.2.7").is_none(), "both have calls under way");
        assert!(admit(&all, "192.0.2.8").is_some());
        drop(second);
        assert!(admit(&all, "192.0.2.7").is_some());
    }

    #[test]
    fn a_closed_connection_is_told() {
        let all = Connections::new(1);
        let closed = admit(&all, "127.0.0.1").unwrap();
        let _new = admit(&all, "127.0.0.1").unwrap();

        let mut told = std::pin::pin!(closed.must_close());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(told.as_mut(), &mut cx).is_ready());
    }
}
