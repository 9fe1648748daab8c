//! The historical requests that were sent to a Gateway. There are few of them, so everything is done on the timer's threads.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ibkr_connect_core::Error;
use ibkr_connect_state::names::Kept;
use ibkr_connect_state::{Changed, Clock, Error as StateError, Mergeable, Moment, Shareable, Shared};
use tokio::sync::Mutex as Line;

use super::history::HistoricalRequests;
use super::ledger::{Both, Memory};
use super::timer::Timer;
use crate::gateway::Gateway;

/// Others change the record within milliseconds, one after the other.
const PATIENCE: Duration = Duration::from_millis(500);

impl Shareable for HistoricalRequests {
    const VERSION: u32 = 1;

    fn moments(&mut self, change: &mut dyn FnMut(&mut Moment)) {
        self.each_moment(change);
    }

    fn clamp(&mut self, now: Moment) {
        self.sanitize(now);
    }
}

impl Mergeable for HistoricalRequests {
    fn merge(&mut self, unwritten: Self) {
        self.add(unwritten);
    }
}

/// The historical requests that were sent to one Gateway.
#[derive(Debug)]
pub(crate) struct HistoryLedger {
    inner: Arc<Inner>,
    timer: Timer,
    /// One at a time in this process: threads that wait for the lock don't wait for their turn.
    line: Line<()>,
}

#[derive(Debug)]
struct Inner {
    patient: Shared<HistoricalRequests>,
    /// The same, after a wait that led to nothing.
    impatient: Shared<HistoricalRequests>,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory<HistoricalRequests>>,
}

impl HistoryLedger {
    pub(crate) fn new(directory: &Path, gateway: &Gateway, clock: Arc<dyn Clock>, timer: Timer) -> Self {
        let shared = Shared::new(directory, Kept::History.of(&gateway.file_stem()), Arc::clone(&clock));
        Self::of(shared, clock, timer)
    }

    pub(crate) fn of(shared: Shared<HistoricalRequests>, clock: Arc<dyn Clock>, timer: Timer) -> Self {
        let inner = Inner {
            patient: shared.clone().waiting_at_most(PATIENCE),
            impatient: shared.waiting_at_most(Duration::ZERO),
            clock,
            memory: Mutex::new(Memory::new(HistoricalRequests::default())),
        };
        Self { inner: Arc::new(inner), timer, line: Line::default() }
    }

    /// Changes the record, or only what this process remembers if it can't be had soon. `change` is called once.
    pub(crate) async fn change<R: Send + 'static>(
        &self,
        change: impl Fn(Both<'_, HistoricalRequests>, Moment) -> R + Send + Sync + 'static,
    ) -> R {
        let _turn = self.line.lock().await;
        let (change, inner) = (Arc::new(change), Arc::clone(&self.inner));
        let shared = Arc::clone(&change);
        match self.timer.run(move || inner.change(&*shared)).await {
            Ok(value) => value,
            // No thread could be started.
            Err(_) => self.inner.change_alone(None, &*change),
        }
    }

    /// Why the rules are kept by this process alone; `Some` once.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.inner.memory().trouble()
    }
}

impl Inner {
    fn change<R>(&self, change: &impl Fn(Both<'_, HistoricalRequests>, Moment) -> R) -> R {
        let shared = if self.memory().is_alone() { &self.impatient } else { &self.patient };
        let changed = shared.change(|all, visit| {
            let mut memory = self.memory();
            let value = change(Both { own: &mut memory.own, all }, visit.now.at);
            memory.all = all.clone();
            value
        });
        match changed {
            Ok(Changed { value, unwritten: None }) => {
                self.memory().be_together();
                value
            }
            Ok(Changed { value, unwritten: Some(error) }) => {
                self.memory().be_alone(error);
                value
            }
            Err(error) => self.change_alone(Some(error), change),
        }
    }

    fn change_alone<R>(
        &self,
        why: Option<StateError>,
        change: &impl Fn(Both<'_, HistoricalRequests>, Moment) -> R,
    ) -> R {
        let now = self.clock.now().at;
        let mut memory = self.memory();
        if let Some(error) = why {
            memory.be_alone(error);
        }
        change(memory.both(), now)
    }

    fn memory(&self) -> MutexGuard<'_, Memory<HistoricalRequests>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
