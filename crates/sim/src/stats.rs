//! What the simulator saw, for tests to assert on.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;

use crate::messages;

/// A snapshot of the simulator's counters. Counts only grow, except where "now" is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Connections taken from the kernel's accept queue.
    pub accepted: usize,
    /// Handshakes completed: managed accounts and next valid id were both sent.
    pub handshakes: usize,
    /// Connections the simulator ended before their handshake was complete.
    pub rejected: usize,
    /// Connections now open and served; zombies are not among them.
    pub active: usize,
    /// Connections turned away because enough clients were served.
    pub turned_away: usize,
    /// Connections that had to wait for another one's handshake, where handshakes are served one by one.
    pub queued: usize,
    /// Client ids now in use, or lingering after their client, sorted.
    pub client_ids: Vec<i32>,
    /// Connections now kept open although their client is gone (CLOSE_WAIT on our side).
    pub zombies_held: usize,
    /// The most zombies held at any one time.
    pub zombies_held_max: usize,
    /// Frames that could place, change, cancel or exercise an order, or replace advisor data.
    pub orders: usize,
    /// Requests by their name in IBKR's API, such as `reqPositions`; `startApi` is among them.
    pub requests: BTreeMap<String, usize>,
    /// Requests that end a subscription or a query.
    pub cancels: usize,
    /// Questions for the time that stayed unanswered because they followed the last one too soon.
    pub clock_suppressed: usize,
    /// Requests the simulator doesn't serve.
    pub unknown_requests: usize,
    /// Frames received, the greeting included.
    pub frames_in: usize,
    /// Frames sent, the acknowledgement included.
    pub frames_out: usize,
    /// Clients that left with RST.
    pub resets_seen: usize,
    /// Clients that left with FIN.
    pub eofs_seen: usize,
}

impl Stats {
    /// How often a request came, by its name in IBKR's API, such as `reqPositions`.
    pub fn requested(&self, name: &str) -> usize {
        self.requests.get(name).copied().unwrap_or_default()
    }
}

/// The one place where [`Stats`] change; wakes threads and tasks that wait for a change.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    stats: Mutex<Stats>,
    changed: Condvar,
    zombies_changed: Notify,
}

impl Ledger {
    pub(crate) fn snapshot(&self) -> Stats {
        self.lock().clone()
    }

    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Stats) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Blocks until `condition` holds, at most `timeout`; tells whether it did.
    pub(crate) fn wait_until(&self, timeout: Duration, condition: impl Fn(&Stats) -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        let mut stats = self.lock();
        while !condition(&stats) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stats = self.changed.wait_timeout(stats, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Counts a request by what it is.
    pub(crate) fn count_request(&self, id: i32) {
        self.update(|stats| {
            let name = messages::request_name(id).map_or_else(|| format!("message {id}"), str::to_owned);
            *stats.requests.entry(name).or_default() += 1;
            stats.orders += usize::from(messages::is_order(id));
            stats.cancels += usize::from(messages::is_cancel(id));
            stats.unknown_requests += usize::from(messages::request_name(id).is_none());
        });
    }

    /// Counts a connection as accepted, and as active until the returned guard is dropped; `None` if `limit` others are
    /// active.
    pub(crate) fn accept(&self, limit: usize) -> Option<Active<'_>> {
        self.update(|stats| {
            stats.accepted += 1;
            if stats.active >= limit {
                stats.turned_away += 1;
                return None;
            }
            stats.active += 1;
            Some(Active(self))
        })
    }

    /// Takes a client id until the returned guard is dropped; `None` if it is taken.
    pub(crate) fn lease(&self, client_id: i32) -> Option<ClientId<'_>> {
        self.update(|stats| {
            let place = stats.client_ids.binary_search(&client_id).err()?;
            stats.client_ids.insert(place, client_id);
            Some(ClientId { ledger: self, client_id })
        })
    }

    /// Counts a zombie until the returned guard is dropped.
    pub(crate) fn hold_zombie(&self) -> Zombie<'_> {
        self.update(|stats| {
            stats.zombies_held += 1;
            stats.zombies_held_max = stats.zombies_held_max.max(stats.zombies_held);
        });
        self.zombies_changed.notify_waiters();
        Zombie(self)
    }

    /// Waits until fewer than `limit` zombies are held.
    pub(crate) async fn below(&self, limit: usize) {
        self.zombies(|held| held < limit).await;
    }

    /// Waits until at least `limit` zombies are held.
    pub(crate) async fn reached(&self, limit: usize) {
        self.zombies(|held| held >= limit).await;
    }

    async fn zombies(&self, condition: impl Fn(usize) -> bool) {
        loop {
            let changed = self.zombies_changed.notified();
            if condition(self.lock().zombies_held) {
                return;
            }
            changed.await;
        }
    }

    /// Counters stay usable after a panic elsewhere: they are plain numbers, never half changed.
    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An active connection counted in the [`Ledger`].
#[derive(Debug)]
pub(crate) struct Active<'a>(&'a Ledger);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.update(|stats| stats.active -= 1);
    }
}

/// A client id in use, registered in the [`Ledger`].
#[derive(Debug)]
pub(crate) struct ClientId<'a> {
    ledger: &'a Ledger,
    client_id: i32,
}

impl ClientId<'_> {
    pub(crate) fn number(&self) -> i32 {
        self.client_id
    }
}

impl Drop for ClientId<'_> {
    fn drop(&mut self) {
        self.ledger.update(|stats| stats.client_ids.retain(|client_id| *client_id != self.client_id));
    }
}

/// A zombie counted in the [`Ledger`].
#[derive(Debug)]
pub(crate) struct Zombie<'a>(&'a Ledger);

impl Drop for Zombie<'_> {
    fn drop(&mut self) {
        self.0.update(|stats| stats.zombies_held -= 1);
        self.0.zombies_changed.notify_waiters();
    }
}
