//! The pacer in front of a Gateway: requests wait for their turn instead of breaking a limit.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibkr_connect_core::{Access, EventStream, Request, Result, StreamRequest};

use super::cost::{Answer, Cost};
use super::historical::{HistoricalPacer, Open, Recorded};
use super::history_ledger::HistoryLedger;
use super::message_ledger::MessageLedger;
use super::messages::{MessagePacer, Overtaking};
use super::timer::Timer;
use super::waits::{PacingWait, WaitBudget, Waits};
use crate::gateway::Gateway;
use crate::observer::Observer;
use ibkr_connect_state::Clock;

/// The pacers of a connector, one per Gateway.
#[derive(Debug, Default)]
pub(crate) struct Pacers(Mutex<HashMap<Gateway, Arc<Pacer>>>);

impl Pacers {
    pub(crate) fn of(&self, gateway: &Gateway, state_dir: &Path, clock: &Arc<dyn Clock>) -> Arc<Pacer> {
        let mut pacers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Pacer::new(state_dir, gateway, clock, Timer::default()));
        Arc::clone(pacers.entry(gateway.clone()).or_insert_with(new))
    }
}

/// How many requests wait in front of a Gateway.
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

/// Which of IBKR's limits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limits {
    All,
    /// Those on historical data are not.
    Messages,
}

/// The pacer in front of one Gateway.
#[derive(Debug)]
pub(crate) struct Pacer {
    messages: MessagePacer,
    historical: HistoricalPacer,
    pub(super) waits: Waits,
}

impl Pacer {
    pub(crate) fn new(state_dir: &Path, gateway: &Gateway, clock: &Arc<dyn Clock>, timer: Timer) -> Self {
        let messages = MessageLedger::new(state_dir, gateway, Arc::clone(clock), timer.clone());
        let history = HistoryLedger::new(state_dir, gateway, Arc::clone(clock), timer.clone());
        Self {
            messages: MessagePacer::new(messages),
            historical: HistoricalPacer::new(history),
            waits: Waits::new(Arc::clone(clock), timer),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_history(self, history: HistoryLedger) -> Self {
        Self { historical: HistoricalPacer::new(history), ..self }
    }

    /// Opens what it shares with other processes. That may take as long as a disk takes, so it is done before there are
    /// requests.
    pub(crate) fn open(&self) {
        self.messages.ledger().open();
    }

    #[cfg(test)]
    pub(crate) fn count(&self, messages: u32) {
        self.messages.count(messages);
    }

    pub(crate) fn status(&self) -> PacingStatus {
        PacingStatus {
            queued: self.waits.queued(),
            next_in: self.messages.next_in(),
            open_historical: self.historical.open(),
        }
    }

    /// A ping that others hold up says nothing about the Gateway: one in a second goes first, and the others pay for it.
    async fn ping(&self, budget: &mut WaitBudget<'_>) -> Result<()> {
        match self.messages.overtake().await {
            Overtaking::Allowed => Ok(()),
            Overtaking::Refused => self.messages.admit(&self.waits, budget, 1).await,
        }
    }

    /// What trades overtakes all that only reads.
    pub(super) async fn trade(&self, budget: &mut WaitBudget<'_>) -> Result<()> {
        self.messages.admit_trade(&self.waits, budget).await
    }

    /// Waits until a request of this cost may be sent.
    async fn admit(&self, budget: &mut WaitBudget<'_>, cost: Cost) -> Result<Option<Open<'_>>> {
        let Cost { messages, small, answer } = cost;
        let waiting = small.map(|key| self.historical.queue(key));
        loop {
            if let Some(waiting) = &waiting {
                waiting.wait(&self.waits, budget).await?;
            }
            let open = match answer {
                Answer::Historical => Some(self.historical.open_one(budget).await?),
                Answer::Other => None,
            };
            self.messages.admit(&self.waits, budget, messages).await?;
            let Some(waiting) = &waiting else { return Ok(open) };
            if waiting.record().await == Recorded::Yes {
                return Ok(open);
            }
            self.messages.give_back(messages);
        }
    }

    /// Says once that the limits are kept by this process alone.
    fn tell_trouble(&self, command: &str) {
        let trouble = [self.messages.ledger().trouble(), self.historical.ledger().trouble()];
        for error in trouble.into_iter().flatten() {
            tracing::warn!(command, %error, "request_not_paced");
        }
    }
}

/// The pacer of a connection. A request waits there at most as long as it may then take.
#[derive(Debug)]
pub(crate) struct ConnectionPacer {
    pub(crate) pacer: Arc<Pacer>,
    pub(crate) limits: Limits,
    /// How long a request may wait that has no deadline of its own.
    pub(crate) limit: Duration,
    pub(crate) observer: Observer<PacingWait>,
}

impl ConnectionPacer {
    /// Waits until the request, which has this deadline of its own, may be sent.
    ///
    /// # Errors
    /// `timeout`, at once, when that would take too long; `busy`, if nobody can wait here.
    pub(crate) async fn request(
        &self,
        request: &Request,
        timeout: Option<Duration>,
    ) -> Result<Admission<'_>> {
        let limit = timeout.unwrap_or(self.limit);
        let mut budget = self.budget(request.command(), limit);
        let open = match (request, request.access()) {
            (Request::ProofOfLife, _) => self.pacer.ping(&mut budget).await.map(|()| None),
            (_, Access::Trade) => self.pacer.trade(&mut budget).await.map(|()| None),
            (_, Access::Read) => {
                let cost = Cost::of_request(request, self.pacer.waits.now().wall);
                self.pacer.admit(&mut budget, self.limited(cost)).await
            }
        };
        self.pacer.tell_trouble(request.command());
        Ok(Admission { pacer: &self.pacer, _open: open?, cancel: 1 })
    }

    /// Waits until the stream may be opened.
    ///
    /// # Errors
    /// As for a request.
    pub(crate) async fn stream(&self, request: &StreamRequest) -> Result<()> {
        let mut budget = self.budget(request.command(), self.limit);
        let cost = Cost::of_stream(request, self.pacer.waits.now().wall);
        let admitted = self.pacer.admit(&mut budget, self.limited(cost)).await;
        self.pacer.tell_trouble(request.command());
        admitted.map(drop)
    }

    /// Counts the message that ends the stream.
    pub(crate) fn counted(&self, request: &StreamRequest, stream: EventStream) -> EventStream {
        if Cost::of_stream(request, self.pacer.waits.now().wall).messages == 0 {
            return stream;
        }
        let pacer = Arc::clone(&self.pacer);
        stream.report_cancelled(move || pacer.messages.count(1))
    }

    fn budget(&self, command: &'static str, limit: Duration) -> WaitBudget<'_> {
        WaitBudget::new(&self.pacer.waits, &self.observer, command, limit)
    }

    fn limited(&self, cost: Cost) -> Cost {
        match self.limits {
            Limits::All => cost,
            Limits::Messages => Cost { small: None, answer: Answer::Other, ..cost },
        }
    }
}

/// A request that may be sent, until it is answered.
pub(crate) struct Admission<'a> {
    pacer: &'a Pacer,
    _open: Option<Open<'a>>,
    /// The messages that cancel it if nobody waits for its answer any more.
    cancel: u32,
}

impl Admission<'_> {
    /// The Gateway has answered: there is nothing to cancel.
    pub(crate) fn answered(mut self) {
        self.cancel = 0;
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.cancel > 0 {
            self.pacer.messages.count(self.cancel);
        }
    }
}
