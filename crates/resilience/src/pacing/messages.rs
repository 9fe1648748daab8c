//! The limit on messages: requests stand in line for the tokens that all processes share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Result;
use tokio::sync::{Mutex, MutexGuard};

use super::bucket::{Bucket, time_for};
use super::ledger::Both;
use super::message_ledger::MessageLedger;
use super::waits::{PacingLimit, WaitBudget, Waits};
use ibkr_connect_state::Moment;

/// The messages to one Gateway.
///
/// # Behavior
/// - The requests of a process stand in one line. Only the first of them has taken its tokens from what the processes share:
///   so the processes take turns, and one that is killed while its requests wait takes the tokens of one with it.
/// - A request that is dropped while it waits gives back what it has taken.
/// - What trades waits for nothing but what trades: the others pay for its tokens.
#[derive(Debug)]
pub(crate) struct MessagePacer {
    ledger: MessageLedger,
    /// Held by the first in the line. Fair: who waits first gets it first.
    first: Mutex<()>,
    /// How many messages stand behind the first.
    behind: AtomicU32,
    /// The rate of this process's trades alone.
    trades: StdMutex<Bucket>,
}

impl MessagePacer {
    pub(crate) fn new(ledger: MessageLedger) -> Self {
        Self { ledger, first: Mutex::default(), behind: AtomicU32::new(0), trades: StdMutex::default() }
    }

    pub(crate) fn ledger(&self) -> &MessageLedger {
        &self.ledger
    }

    /// How long one more message would wait at least.
    pub(crate) fn next_in(&self) -> Duration {
        let behind = self.behind.load(Ordering::Relaxed);
        self.ledger.look(|both, now| both.own.wait(now, 1).max(both.all.wait(now, 1))) + time_for(behind)
    }

    /// Waits until so many messages may be sent.
    ///
    /// # Errors
    /// `timeout`, if they would have to wait too long, or have; then nothing is taken.
    pub(crate) async fn admit(
        &self,
        waits: &Waits,
        budget: &mut WaitBudget<'_>,
        messages: u32,
    ) -> Result<()> {
        if messages == 0 {
            return Ok(());
        }
        let _first = self.first_in_line(budget, messages).await?;
        let limit = budget.left();
        let wait = self.ledger.change(|both, now| take_within(both, now, messages, limit)).await;
        if !wait.is_zero() {
            budget.check(wait, PacingLimit::Messages)?;
            let taken = Reservation { ledger: &self.ledger, messages };
            waits.sleep(wait).await?;
            taken.used();
        }
        Ok(())
    }

    /// Waits until a message that trades may be sent: an order or a cancel overtakes whatever only reads.
    ///
    /// # Errors
    /// `timeout`, if other trades would make it wait too long; then nothing is taken.
    pub(crate) async fn admit_trade(&self, waits: &Waits, budget: &mut WaitBudget<'_>) -> Result<()> {
        let wait = {
            let (mut trades, now) =
                (self.trades.lock().unwrap_or_else(PoisonError::into_inner), waits.now().at);
            let wait = trades.wait(now, 1);
            budget.check(wait, PacingLimit::Messages)?;
            trades.take(now, 1);
            wait
        };
        self.count(1);
        // One that is dropped while it waits leaves a gap in the rate, which hurts nobody.
        if wait.is_zero() { Ok(()) } else { waits.sleep(wait).await }
    }

    async fn first_in_line(&self, budget: &mut WaitBudget<'_>, messages: u32) -> Result<MutexGuard<'_, ()>> {
        if let Ok(first) = self.first.try_lock() {
            return Ok(first);
        }
        let place = QueuePosition::behind(&self.behind, messages);
        budget.check(time_for(place.before + messages), PacingLimit::Messages)?;
        budget.wait_for(self.first.lock(), PacingLimit::Messages).await
    }

    /// Takes the token of a message that goes out before those that wait, unless one has done so within a second.
    pub(crate) async fn overtake(&self) -> Overtaking {
        let overtake = |mut both: Both<'_, Bucket>, now| {
            if both.own.may_overtake(now) && both.all.may_overtake(now) {
                both.each(|bucket| bucket.overtake(now));
                Overtaking::Allowed
            } else {
                Overtaking::Refused
            }
        };
        self.ledger.change(overtake).await
    }

    /// Takes the tokens of messages that wait for nobody: they end something.
    pub(crate) fn count(&self, messages: u32) {
        self.ledger.change_soon(move |mut both, now| both.each(|bucket| bucket.take(now, messages)));
    }

    /// Gives back the tokens of messages that are not sent after all.
    pub(crate) fn give_back(&self, messages: u32) {
        give_back(&self.ledger, messages);
    }
}

/// Whether a message may go out before those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overtaking {
    Allowed,
    Refused,
}

/// Takes the tokens if they have to be waited for at most so long; says in any case how long they have to.
fn take_within(mut both: Both<'_, Bucket>, now: Moment, messages: u32, limit: Duration) -> Duration {
    let wait = both.own.wait(now, messages).max(both.all.wait(now, messages));
    if wait <= limit {
        both.each(|bucket| bucket.take(now, messages));
    }
    wait
}

fn give_back(ledger: &MessageLedger, messages: u32) {
    ledger.change_soon(move |mut both, now| both.each(|bucket| bucket.give_back(now, messages)));
}

/// Tokens that are taken and not used yet. Dropping them gives them back.
struct Reservation<'a> {
    ledger: &'a MessageLedger,
    messages: u32,
}

impl Reservation<'_> {
    fn used(mut self) {
        self.messages = 0;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.messages > 0 {
            give_back(self.ledger, self.messages);
        }
    }
}

/// A place in the line behind the first one, until it is dropped.
struct QueuePosition<'a> {
    behind: &'a AtomicU32,
    messages: u32,
    /// How many messages stand before it.
    before: u32,
}

impl<'a> QueuePosition<'a> {
    fn behind(behind: &'a AtomicU32, messages: u32) -> Self {
        let before = behind.fetch_add(messages, Ordering::Relaxed);
        Self { behind, messages, before }
    }
}

impl Drop for QueuePosition<'_> {
    fn drop(&mut self) {
        self.behind.fetch_sub(self.messages, Ordering::Relaxed);
    }
}
