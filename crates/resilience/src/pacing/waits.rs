//! How long a request may wait for its turn, and what is said about it meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Result};

use super::timer::Timer;
use crate::observer::Observer;
use crate::telemetry;
use ibkr_connect_state::{Clock, Moment, Stamp};

/// That a request waits, so that a limit of IBKR is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacingWait {
    /// The request waits from now on, or waits for something else than before.
    Begun {
        /// What it is called in the worker protocol.
        command: &'static str,
        /// What it waits for.
        limit: PacingLimit,
        /// How long that takes at most, unless other programs are faster.
        at_most: Duration,
    },
    /// A request that has waited waits no longer: it is sent now, or was given up.
    Over {
        /// What it is called in the worker protocol.
        command: &'static str,
    },
}

/// What a request can wait for. `Display` says it as a part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacingLimit {
    /// Messages in a second, of all programs of this user together.
    Messages,
    /// Requests for small bars, ticks and real-time bars, of all programs of this user together.
    HistoricalRequests,
    /// Historical requests without an answer, of this program.
    OpenHistoricalRequests,
}

impl fmt::Display for PacingLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Messages => "IBKR's limit on messages",
            Self::HistoricalRequests => "IBKR's limit on historical requests",
            Self::OpenHistoricalRequests => "IBKR's limit on historical requests without an answer",
        })
    }
}

/// Shorter waits are not worth an event.
const NOTABLE: Duration = Duration::from_millis(100);
/// Longer ones a user wants to know of.
const LONG: Duration = Duration::from_secs(1);
/// A user is told once in this time, however many requests wait.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// The waits in front of one Gateway.
#[derive(Debug)]
pub(crate) struct Waits {
    clock: Arc<dyn Clock>,
    timer: Timer,
    queued: AtomicUsize,
    /// When a user was last told that requests of a command wait.
    told: Mutex<HashMap<&'static str, Moment>>,
}

impl Waits {
    pub(crate) fn new(clock: Arc<dyn Clock>, timer: Timer) -> Self {
        Self { clock, timer, queued: AtomicUsize::new(0), told: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// How many requests wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Waits for `event`, at most so long; `None` if that was too short.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        event: impl Future<Output = T>,
    ) -> Result<Option<T>> {
        let _queued = Queued::new(&self.queued);
        self.timer.within(limit, event).await
    }

    /// Waits.
    pub(crate) async fn sleep(&self, wait: Duration) -> Result<()> {
        let _queued = Queued::new(&self.queued);
        self.timer.sleep(wait).await
    }

    /// Whether a user is to be told that requests of this command wait.
    fn is_news(&self, command: &'static str, now: Moment) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.get(command).is_none_or(|last| now.since(*last) >= TELL_AGAIN);
        if is_news {
            told.insert(command, now);
        }
        is_news
    }
}

/// One more that waits, until it is dropped.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a request may wait for its turn.
#[derive(Debug)]
pub(crate) struct WaitBudget<'a> {
    pub(crate) command: &'static str,
    waits: &'a Waits,
    observer: &'a Observer<PacingWait>,
    began: Moment,
    limit: Duration,
    /// The longest wait that was told of.
    told: Duration,
}

impl<'a> WaitBudget<'a> {
    pub(crate) fn new(
        waits: &'a Waits,
        observer: &'a Observer<PacingWait>,
        command: &'static str,
        limit: Duration,
    ) -> Self {
        Self { command, waits, observer, began: waits.now().at, limit, told: Duration::ZERO }
    }

    /// How long it may still wait.
    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.waited())
    }

    /// Says that it is going to wait for so long, and why.
    ///
    /// # Errors
    /// `timeout`, at once, if that is longer than it may.
    pub(crate) fn check(&mut self, wait: Duration, reason: PacingLimit) -> Result<()> {
        if wait > self.left() {
            let wait = self.waited() + wait;
            return Err(self.too_long(wait, format!("it would wait {wait:.1?} for its turn")));
        }
        self.tell(wait, reason);
        Ok(())
    }

    /// Waits for `event`, which nobody knows the time of.
    ///
    /// # Errors
    /// `timeout` when it may not wait any longer.
    pub(crate) async fn wait_for<T>(
        &mut self,
        event: impl Future<Output = T>,
        reason: PacingLimit,
    ) -> Result<T> {
        let mut event = std::pin::pin!(event);
        if let Some(came) = self.waits.within(self.left().min(LONG), &mut event).await? {
            return Ok(came);
        }
        self.tell(self.left(), reason);
        match self.waits.within(self.left(), event).await? {
            Some(came) => Ok(came),
            None => Err(self.used_up()),
        }
    }

    /// The error of a request that has waited as long as it may.
    fn used_up(&self) -> Error {
        let waited = self.waited();
        self.too_long(waited, format!("it has waited {waited:.1?} for its turn"))
    }

    fn too_long(&self, wait: Duration, fact: String) -> Error {
        let Self { command, limit, .. } = self;
        telemetry::request_not_sent(command, whole_millis(wait), whole_millis(*limit));
        Error::new(ErrorKind::Timeout, format!("{command}: not sent, {fact}, and may wait {limit:?}"))
            .with_waited(self.waited())
            .with_advice(
                "IBKR limits messages and historical data: ask for less at a time, or raise IBKR_REQUEST_TIMEOUT; \
                 IBKR_PACING=off lifts the limits on historical data",
            )
    }

    /// Says once that the request waits, and once more when it turns out that it waits for long.
    fn tell(&mut self, wait: Duration, reason: PacingLimit) {
        let (command, wait_ms, before) = (self.command, whole_millis(wait), self.told);
        if wait > LONG && before <= LONG && self.waits.is_news(command, self.waits.now().at) {
            tracing::warn!(command, wait_ms, "request_paced");
        } else if wait >= NOTABLE && before < NOTABLE {
            tracing::info!(command, wait_ms, "request_paced");
        }
        self.told = before.max(wait);
        if !wait.is_zero() {
            self.observer.tell(|| PacingWait::Begun { command, limit: reason, at_most: wait });
        }
    }

    fn waited(&self) -> Duration {
        self.waits.now().at.since(self.began)
    }
}

impl Drop for WaitBudget<'_> {
    fn drop(&mut self) {
        if !self.told.is_zero() {
            self.observer.tell(|| PacingWait::Over { command: self.command });
        }
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
