//! The queue in front of a Gateway: requests wait for their turn instead of breaking a limit.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{Error, ErrorKind, Request, Result, StreamRequest};
use ibkr_connect_state::{Clock, Moment};

use crate::gateway::Gateway;
use crate::pacing::history::{HistoricalKey, Turn};
use crate::pacing::history_store::History;
use crate::pacing::rate::MessageRate;
use crate::pacing::timer::Timer;

/// While too many historical requests are open.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// As often may a ping overtake.
const OVERTAKING: Duration = Duration::from_secs(1);
/// Shorter waits are not worth a line.
const NOTABLE: Duration = Duration::from_millis(100);

/// The queues of a connector, one per Gateway.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<Gateway, Arc<Queue>>>);

impl Queues {
    pub(crate) fn of(&self, gateway: &Gateway, state_dir: &Path, clock: &Arc<dyn Clock>) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue =
            queues.entry(gateway.clone()).or_insert_with(|| Arc::new(Queue::new(state_dir, gateway, clock)));
        Arc::clone(queue)
    }
}

/// How full the queue in front of a Gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacingStatus {
    /// How many requests of this connector wait for their turn.
    pub queued: usize,
    /// How long one more request would wait for its message; historical ones have rules on top.
    pub next_in: Duration,
    /// How many historical requests of this connector have no answer yet.
    pub open_historical: usize,
}

/// The queue in front of one Gateway.
#[derive(Debug)]
pub(crate) struct Queue {
    rate: MessageRate,
    history: History,
    clock: Arc<dyn Clock>,
    timer: Timer,
    queued: AtomicUsize,
    /// When a ping last went out without waiting.
    overtaken: Mutex<Option<Moment>>,
}

impl Queue {
    fn new(state_dir: &Path, gateway: &Gateway, clock: &Arc<dyn Clock>) -> Self {
        Self {
            rate: MessageRate::new(state_dir, gateway, Arc::clone(clock)),
            history: History::new(state_dir, gateway, Arc::clone(clock)),
            clock: Arc::clone(clock),
            timer: Timer::default(),
            queued: AtomicUsize::new(0),
            overtaken: Mutex::default(),
        }
    }

    pub(crate) fn status(&self) -> PacingStatus {
        PacingStatus {
            queued: self.queued.load(Ordering::Relaxed),
            next_in: self.rate.wait().unwrap_or_default(),
            open_historical: self.history.open(),
        }
    }

    /// Waits until a message may be sent.
    async fn message(&self, patience: &mut Patience) -> Result<()> {
        match self.rate.take_within(patience.left) {
            Ok(wait) => self.wait(patience, wait).await,
            // Pacing is a courtesy: without its file requests go out as they come.
            Err(error) => {
                tracing::debug!(%error, command = patience.command, "request_not_paced");
                Ok(())
            }
        }
    }

    /// A ping that others hold up says nothing about the Gateway: one in a second goes first, and the others pay for it.
    async fn ping(&self, patience: &mut Patience) -> Result<()> {
        let now = self.clock.now().at;
        let overtakes = {
            let mut last = self.overtaken.lock().unwrap_or_else(PoisonError::into_inner);
            let overtakes = last.is_none_or(|last| now.since(last) >= OVERTAKING);
            if overtakes {
                *last = Some(now);
            }
            overtakes
        };
        if overtakes { self.rate.take().map(drop).or(Ok(())) } else { self.message(patience).await }
    }

    /// Waits until a historical request may be sent; it is open until the turn is dropped.
    async fn historical(&self, patience: &mut Patience, key: &HistoricalKey) -> Result<OpenRequest<'_>> {
        loop {
            match self.history.ask(key) {
                Turn::Now => return Ok(OpenRequest(self)),
                Turn::In(wait) => self.wait(patience, wait).await?,
                Turn::AfterAnswer => self.wait(patience, ASK_AGAIN).await?,
            }
        }
    }

    async fn wait(&self, patience: &mut Patience, wait: Duration) -> Result<()> {
        patience.spend(wait)?;
        if wait.is_zero() {
            return Ok(());
        }
        if wait >= NOTABLE {
            tracing::info!(command = patience.command, wait_ms = whole_millis(wait), "request_paced");
        }
        let _queued = Queued::new(&self.queued);
        self.timer.sleep(wait).await;
        Ok(())
    }
}

/// One more in the queue, until it is dropped.
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

/// How long a request may still wait for its turn.
#[derive(Debug)]
struct Patience {
    command: &'static str,
    limit: Duration,
    left: Duration,
}

impl Patience {
    fn new(command: &'static str, limit: Duration) -> Self {
        Self { command, limit, left: limit }
    }

    fn spend(&mut self, wait: Duration) -> Result<()> {
        let Some(left) = self.left.checked_sub(wait) else { return Err(self.too_long(wait)) };
        self.left = left;
        Ok(())
    }

    fn too_long(&self, wait: Duration) -> Error {
        let Self { command, limit, .. } = self;
        let wait = wait + (*limit - self.left);
        tracing::warn!(
            command,
            wait_ms = whole_millis(wait),
            limit_ms = whole_millis(*limit),
            "request_not_sent"
        );
        let message =
            format!("{command}: not sent, it would wait {wait:.1?} for its turn, and may wait {limit:?}");
        Error::new(ErrorKind::Timeout, message).with_advice(
            "IBKR limits messages and historical requests: ask for less, raise IBKR_REQUEST_TIMEOUT, or set IBKR_PACING=off",
        )
    }
}

/// A connection's way through the queue. A request waits there at most as long as it may then take.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) queue: Arc<Queue>,
    pub(crate) limit: Duration,
}

impl Entrance {
    /// Waits until the request with this deadline of its own may be sent; it is open until what is given back is dropped.
    ///
    /// # Errors
    /// `timeout`, at once, when that would take too long.
    pub(crate) async fn request(
        &self,
        request: &Request,
        timeout: Option<Duration>,
    ) -> Result<Option<OpenRequest<'_>>> {
        let patience = &mut Patience::new(request.command(), timeout.unwrap_or(self.limit));
        if matches!(request, Request::ServerTime) {
            return self.queue.ping(patience).await.map(|()| None);
        }
        let open = match HistoricalKey::of_request(request) {
            Some(key) => Some(self.queue.historical(patience, &key).await?),
            None => None,
        };
        self.queue.message(patience).await?;
        Ok(open)
    }

    /// Waits until the stream may be opened.
    ///
    /// # Errors
    /// As for a request.
    pub(crate) async fn stream(&self, request: &StreamRequest) -> Result<()> {
        // Nothing is sent: the Gateway speaks by itself.
        if matches!(request, StreamRequest::Notices) {
            return Ok(());
        }
        let patience = &mut Patience::new(request.command(), self.limit);
        if let Some(key) = HistoricalKey::of_stream(request) {
            // It counts, but is open for as long as it likes: the limit of open ones is for those that wait.
            drop(self.queue.historical(patience, &key).await?);
        }
        self.queue.message(patience).await
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A historical request without an answer yet.
pub(crate) struct OpenRequest<'a>(&'a Queue);

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        self.0.history.answered();
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
