//! The limits on historical data: requests wait for the rules, and for one of those without an answer to end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Result;
use tokio::sync::Notify;

use super::history::{HistoricalKey, HistoricalRequests};
use super::history_ledger::HistoryLedger;
use super::ledger::Both;
use super::waits::{PacingLimit, WaitBudget, Waits};
use ibkr_connect_state::Moment;

/// At most this many historical requests may be without an answer (IBKR, "Historical Data Limitations"). Counted in this
/// process only.
const OPEN_LIMIT: usize = 50;

/// The historical requests to one Gateway.
#[derive(Debug)]
pub(crate) struct HistoricalPacer {
    ledger: HistoryLedger,
    /// Those that wait for the rules, in the order in which they came.
    waiting: Mutex<BTreeMap<u64, HistoricalKey>>,
    next_ticket: AtomicU64,
    open: AtomicUsize,
    /// One that waited is gone, or one was answered.
    freed: Notify,
}

impl HistoricalPacer {
    pub(crate) fn new(ledger: HistoryLedger) -> Self {
        Self {
            ledger,
            waiting: Mutex::default(),
            next_ticket: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    pub(crate) fn ledger(&self) -> &HistoryLedger {
        &self.ledger
    }

    /// How many requests have no answer yet.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// A place among those that wait for the rules, behind those that came before.
    pub(crate) fn queue(&self, key: HistoricalKey) -> Waiting<'_> {
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        self.waiting().insert(ticket, key.clone());
        Waiting { pacer: self, ticket, key }
    }

    /// Waits until one more request may be without an answer.
    ///
    /// # Errors
    /// `timeout`, if that takes too long.
    pub(crate) async fn open_one(&self, budget: &mut WaitBudget<'_>) -> Result<Open<'_>> {
        loop {
            // Before the look: what is freed after it is not missed.
            let freed = self.freed.notified();
            let more = |open| (open < OPEN_LIMIT).then_some(open + 1);
            if self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
                return Ok(Open(self));
            }
            budget.wait_for(freed, PacingLimit::OpenHistoricalRequests).await?;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, HistoricalKey>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for the rules. It is recorded when it is sent, not before.
pub(crate) struct Waiting<'a> {
    pacer: &'a HistoricalPacer,
    ticket: u64,
    key: HistoricalKey,
}

impl Waiting<'_> {
    /// Waits until the rules allow it.
    ///
    /// # Errors
    /// `timeout`, at once, if that would take too long.
    pub(crate) async fn wait(&self, waits: &Waits, budget: &mut WaitBudget<'_>) -> Result<()> {
        loop {
            let freed = self.pacer.freed.notified();
            let wait = self.change(|both, now, key, ahead| needed(&both, now, key, ahead)).await;
            if wait.is_zero() {
                return Ok(());
            }
            budget.check(wait, PacingLimit::HistoricalRequests)?;
            waits.within(wait, freed).await?;
        }
    }

    /// Records it as sent, unless another process was faster and it has to wait once more.
    pub(crate) async fn record(&self) -> Recorded {
        let record =
            |mut both: Both<'_, HistoricalRequests>, now, key: &HistoricalKey, ahead: &[HistoricalKey]| {
                if !needed(&both, now, key, ahead).is_zero() {
                    return Recorded::No;
                }
                both.each(|requests| requests.record(now, key));
                Recorded::Yes
            };
        self.change(record).await
    }

    async fn change<R: Send + 'static>(
        &self,
        change: impl Fn(Both<'_, HistoricalRequests>, Moment, &HistoricalKey, &[HistoricalKey]) -> R
        + Send
        + Sync
        + 'static,
    ) -> R {
        let ahead: Vec<_> = self.pacer.waiting().range(..self.ticket).map(|(_, key)| key.clone()).collect();
        let key = self.key.clone();
        self.pacer.ledger.change(move |both, now| change(both, now, &key, &ahead)).await
    }
}

/// How long a request has to wait that comes after those `ahead`.
fn needed(
    both: &Both<'_, HistoricalRequests>,
    now: Moment,
    key: &HistoricalKey,
    ahead: &[HistoricalKey],
) -> Duration {
    both.own.wait(now, key, ahead).max(both.all.wait(now, key, ahead))
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pacer.waiting().remove(&self.ticket);
        self.pacer.freed.notify_waiters();
    }
}

/// Whether a request was recorded as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    Yes,
    No,
}

/// A historical request without an answer, until it is dropped.
pub(crate) struct Open<'a>(&'a HistoricalPacer);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_waiters();
    }
}
