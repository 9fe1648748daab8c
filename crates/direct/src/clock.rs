//! The Gateway's clock, asked no more often than it answers.
//!
//! A Gateway leaves a question for its time (`reqCurrentTime`, `reqCurrentTimeInMillis`) unanswered that follows the last one
//! within about four seconds, whichever of the two it is (ib_insync#479, #604; ibkr-go gates both at 4.25 s). So a connection asks
//! one question at a time, and its answer is for all who wait.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibapi::Client;
use ibkr_connect_core::{Error, ErrorKind, Result};
use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::request_error;

/// Between two questions for the time.
pub(crate) const SPACING: Duration = Duration::from_millis(4_250);

/// Shorter waits are not worth a line.
const NOTABLE: Duration = Duration::from_millis(100);

/// How exactly the time is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    fn command(self) -> &'static str {
        match self {
            Self::Seconds => "server_time",
            Self::Millis => "server_time_millis",
        }
    }

    /// Whether the answer to a question in `other` units is one to a question in these.
    fn is_served_by(self, other: Self) -> bool {
        self == Self::Seconds || other == Self::Millis
    }

    fn of(self, time: OffsetDateTime) -> OffsetDateTime {
        match self {
            // Zero is in the range of nanoseconds.
            Self::Seconds => time.replace_nanosecond(0).unwrap_or(time),
            Self::Millis => time,
        }
    }
}

/// Who asks the Gateway.
pub(crate) trait AsksTime: Clone + Send + Sync + 'static {
    fn time(&self, unit: Unit) -> impl Future<Output = Result<OffsetDateTime, ibapi::Error>> + Send;
}

impl AsksTime for Arc<Client> {
    async fn time(&self, unit: Unit) -> Result<OffsetDateTime, ibapi::Error> {
        match unit {
            Unit::Seconds => self.server_time().await,
            Unit::Millis => self.server_time_millis().await,
        }
    }
}

/// The clock of a connection's Gateway. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<ClockState>>);

/// Who waits for the time, and what has been asked.
#[derive(Debug, Default)]
struct ClockState {
    asked: Option<Instant>,
    /// The question that has no answer yet.
    open: Option<Unit>,
    waiting: Vec<Waiting>,
    /// Whether a task sees to those who wait.
    is_served: bool,
}

#[derive(Debug)]
struct Waiting {
    unit: Unit,
    answer: oneshot::Sender<Result<OffsetDateTime>>,
}

impl Clock {
    /// The Gateway's time: the answer to a question that is open, or to the next one. It is asked again every [`SPACING`] until it
    /// answers or nobody waits any more.
    ///
    /// # Errors
    /// `timeout`, at once, when the next question is not due within `patience`.
    pub(crate) async fn time(
        &self,
        asks: &impl AsksTime,
        unit: Unit,
        patience: Duration,
    ) -> Result<OffsetDateTime> {
        let answer = self.enqueue(asks, unit, patience)?;
        // The task has gone with the connection's runtime.
        answer
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the session was closed by this program")))
    }

    fn enqueue(
        &self,
        asks: &impl AsksTime,
        unit: Unit,
        patience: Duration,
    ) -> Result<oneshot::Receiver<Result<OffsetDateTime>>> {
        let mut state = self.state();
        let wait = state.wait(unit);
        let command = unit.command();
        if wait >= patience && !wait.is_zero() {
            return Err(too_late(wait, patience));
        }
        if wait >= NOTABLE {
            tracing::info!(command, wait_ms = whole_millis(wait), "clock_question_waits");
        }
        let (sender, answer) = oneshot::channel();
        state.admit(Waiting { unit, answer: sender });
        if !std::mem::replace(&mut state.is_served, true) {
            tokio::spawn(self.clone().serve(asks.clone()));
        }
        Ok(answer)
    }

    /// Asks as long as somebody waits.
    async fn serve(self, asks: impl AsksTime) {
        loop {
            let Some(due) = self.state().due() else { return };
            sleep_until(due).await;
            let Some(unit) = self.state().ask() else { return };
            let outcome = timeout(SPACING, asks.time(unit)).await;
            self.state().close(unit, outcome.ok());
        }
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockState {
    /// How long it is until a question is asked whose answer is in `unit`.
    fn wait(&self, unit: Unit) -> Duration {
        if self.open.is_some_and(|open| unit.is_served_by(open)) {
            return Duration::ZERO;
        }
        self.next().saturating_duration_since(Instant::now())
    }

    /// When the next question may be asked.
    fn next(&self) -> Instant {
        self.asked.map_or_else(Instant::now, |asked| asked + SPACING)
    }

    /// One more waits. Who has left meanwhile is forgotten before more room is made.
    fn admit(&mut self, waiting: Waiting) {
        if self.waiting.len() == self.waiting.capacity() {
            self.waiting.retain(|waiting| !waiting.answer.is_closed());
        }
        self.waiting.push(waiting);
    }

    /// When the next question is due; `None`, and nobody is served any more, if there is nobody.
    fn due(&mut self) -> Option<Instant> {
        self.waiting.retain(|waiting| !waiting.answer.is_closed());
        self.is_served = !self.waiting.is_empty();
        self.is_served.then(|| self.next())
    }

    /// Opens the question that serves all who wait; `None` if they have left meanwhile.
    fn ask(&mut self) -> Option<Unit> {
        self.due()?;
        let is_millis = self.waiting.iter().any(|waiting| waiting.unit == Unit::Millis);
        let unit = if is_millis { Unit::Millis } else { Unit::Seconds };
        (self.asked, self.open) = (Some(Instant::now()), Some(unit));
        self.open
    }

    /// Hands out what became of the open question. Without an answer those who wait go on waiting.
    fn close(&mut self, asked: Unit, outcome: Option<Result<OffsetDateTime, ibapi::Error>>) {
        self.open = None;
        match outcome {
            None => {}
            // An error without a request id fails whatever is in flight, also what it is not about.
            Some(Err(ibapi::Error::Notice(_))) => {}
            Some(Ok(time)) => {
                for Waiting { unit, answer } in self.waiting.extract_if(.., |it| it.unit.is_served_by(asked))
                {
                    // Who has left needs no answer.
                    let _ = answer.send(Ok(unit.of(time)));
                }
            }
            Some(Err(error)) => {
                for Waiting { answer, .. } in self.waiting.drain(..) {
                    let _ = answer.send(Err(request_error(error.clone())));
                }
            }
        }
    }
}

fn too_late(wait: Duration, patience: Duration) -> Error {
    let message = format!(
        "not asked, its turn would come in {wait:.1?}, and it may take {patience:?}: a Gateway leaves questions for \
         its time unanswered that are less than {SPACING:?} apart"
    );
    Error::new(ErrorKind::Timeout, message)
        .with_advice("ask for the time less often, or give it more time; proof_of_life tells at any time whether the Gateway answers")
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
